"""Coursework: release a chapter's assignment, collect, grade, give feedback, export.

The guide is ``coursework/README.md``; the commands: ``python -m helpers.coursework``.
This module lists what the author of an assignment imports.
"""

from helpers._check_runs import distinct, signed, varied
from helpers.coursework.kernel import score
from helpers.coursework.question import (
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
