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


IDS = [f"{c.exercise}-{getattr(c.answer, '__name__', 'value')}" for c in FOREIGN]


@pytest.mark.parametrize("case", FOREIGN, ids=IDS)
def test_foreign_answer(case: Foreign) -> None:
    verdict = check(case.exercise, case.answer)
    assert torch.get_default_device().type == "cpu", "what it set is put back"
    assert not case.faults(verdict.passed, verdict.message)
