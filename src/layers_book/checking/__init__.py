"""Ask, record and judge an answer; listed is what an exercise's author needs."""

from layers_book.checking.check import Exercise, Mistake, Verdict, check_exercise
from layers_book.checking.runs import (
    call,
    describe,
    distinct,
    function_run,
    gradients,
    module_run,
    signed,
    value_run,
    varied,
)
from layers_book.checking.trace import CONFIGURATION, Case, Refused, Unanswered

__all__ = [
    "CONFIGURATION",
    "Case",
    "Exercise",
    "Mistake",
    "Refused",
    "Unanswered",
    "Verdict",
    "call",
    "check_exercise",
    "describe",
    "distinct",
    "function_run",
    "gradients",
    "module_run",
    "signed",
    "value_run",
    "varied",
]
