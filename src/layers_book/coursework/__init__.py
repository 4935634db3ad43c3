"""Coursework: release a chapter's assignment, collect, grade, give feedback, export.

The guide is ``coursework/README.md``; the commands: ``coursework --help``.
This module lists what the author of an assignment imports.
"""

from layers_book.checking.runs import distinct, signed, varied
from layers_book.coursework.nbgrader.score import score
from layers_book.coursework.question import (
    Probe,
    Question,
    Wrong,
    function_probe,
    module_probe,
    script_probe,
    value_probe,
)

__all__ = [
    "Probe",
    "Question",
    "Wrong",
    "distinct",
    "function_probe",
    "module_probe",
    "score",
    "script_probe",
    "signed",
    "value_probe",
    "varied",
]
