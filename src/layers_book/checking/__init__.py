"""Ask, record and judge an answer; listed is what an exercise's author needs."""

from layers_book.checking.check import Verdict, check_exercise
from layers_book.checking.exercise import Exercise, Mistake
from layers_book.checking.isolation import Refused
from layers_book.checking.recording import Case, Unanswered, kind
from layers_book.checking.runs import (
    Run,
    custom_run,
    function_run,
    measure_run,
    module_run,
    value_run,
)
from layers_book.checking.steps import (
    describe,
    distinct,
    function_steps,
    gradients,
    module_steps,
    refuse_no_function,
    signed,
    varied,
)
from layers_book.checking.values import call, measure_steps, value_steps

__all__ = [
    "Case",
    "Exercise",
    "Mistake",
    "Refused",
    "Run",
    "Unanswered",
    "Verdict",
    "call",
    "check_exercise",
    "custom_run",
    "describe",
    "distinct",
    "function_run",
    "function_steps",
    "gradients",
    "kind",
    "measure_run",
    "measure_steps",
    "module_run",
    "module_steps",
    "refuse_no_function",
    "signed",
    "value_run",
    "value_steps",
    "varied",
]
