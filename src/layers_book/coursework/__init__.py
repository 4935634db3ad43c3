"""Coursework: release a chapter's assignment, collect, grade, give feedback, export.

The guide is ``coursework/README.md``; the commands: ``coursework --help``.
This module lists what the author of an assignment imports.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_OWN = {"Question": "coursework.question", "score": "coursework.nbgrader.score"}


def __getattr__(name: str) -> Any:
    # imported when asked for: importing torch takes longer than most commands
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"layers_book.{_OWN.get(name, 'checking')}"), name)
