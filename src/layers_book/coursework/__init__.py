"""Coursework: release a chapter's assignment, collect, grade, give feedback, export.

The guide is ``coursework/README.md``; the commands: ``coursework --help``.
This module lists what the author of an assignment imports.
"""

from layers_book.checking import (
    Case,
    Mistake,
    custom_run,
    distinct,
    function_run,
    module_run,
    signed,
    value_run,
    varied,
)
from layers_book.coursework.nbgrader.score import score
from layers_book.coursework.question import Question

__all__ = [
    "Case",
    "Mistake",
    "Question",
    "custom_run",
    "distinct",
    "function_run",
    "module_run",
    "score",
    "signed",
    "value_run",
    "varied",
]
