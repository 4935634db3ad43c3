"""Foreign answers: right ones pass, wrong ones are refused, in words that are true."""

import importlib
from pathlib import Path

import pytest
import torch
from answers import FOREIGN, Foreign

from layers_book.exercises import check

FOLDER = Path(__file__).with_name("answers")
for module in sorted(FOLDER.glob("*/*.py")):
    importlib.import_module(f"answers.{module.parent.name}.{module.stem}")


def name(case: Foreign) -> str:
    answer = getattr(case.answer, "__name__", "") or repr(case.answer)
    return f"{case.exercise}-{answer}"


@pytest.mark.parametrize("case", FOREIGN, ids=name)
def test_foreign_answer(case: Foreign) -> None:
    verdict = check(case.exercise, case.answer)
    assert torch.get_default_device().type == "cpu", "what it set is put back"
    assert not case.faults(verdict.passed, verdict.message)
