"""Frames that a submission forges, and what would last from one to the next."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from layers_book.checking import Mistake, value_run
from layers_book.checking.recording import plain, raised
from layers_book.coursework.assignment import Assignment
from layers_book.coursework.grade import grading, queue, running
from layers_book.coursework.grade.grader import Grader
from layers_book.coursework.grade.record import Record
from layers_book.coursework.question import Question
from layers_book.coursework.sandbox.bubblewrap import Limits, Outcome, Sandbox
from layers_book.coursework.sandbox.inside.wire import (
    Malformed,
    decode,
    encode,
    packed_numbers,
)

RMS = "def rms(x):\n    return x.square().mean(-1).sqrt()\n"
FRAME = (
    "import os\n"
    "from layers_book.coursework.sandbox.inside.wire import encode\n"
    "def frame(*f):\n"
    "    b = encode(list(f)); os.write(3, len(b).to_bytes(4, 'big') + b)\n"
)
FIRST_ONLY = (
    "import sys\n"
    "from layers_book.checking.recording import record\n"
    "from layers_book.checking.runs import asked, steps_from\n"
    "from layers_book.coursework.sandbox.inside.wire import decode\n"
    "f = sys._getframe()\n"
    "while 'work' not in f.f_locals: f = f.f_back\n"
    "questions = [decode(m, trusted=True) for m in f.f_locals['work']['questions']]\n"
    "run = [q for q in questions if q['name'] == 'rms'][0]['runs'][0]\n"
    f"{RMS}"
    "steps = steps_from('', run['steps'])\n"
    "found = record(asked(steps, rms, run['inputs'][0], run['options']))\n"
    "frame('question', 'rms', 'asked', encode([found]))\n"
)
FORGED = {
    "a state that is a list": "frame('question', 'rms', [], b'')",
    "a state that is a tensor": "frame('question', 'rms', torch.zeros(3), b'')",
    "results that are text": "frame('question', 'rms', 'asked', 'x')",
    "results of one configuration only": FIRST_ONLY,
    "results of the wrong shape": (
        "frame('question', 'rms', 'asked', encode([[('output',)], 3, None]))"
    ),
    "a kind that is a tensor": "frame(torch.zeros(3), 'rms', torch.zeros(3))",
}


@pytest.mark.parametrize("code", FORGED.values(), ids=FORGED)
def test_a_forged_frame_costs_its_own_question(
    code: str, grade: Callable[[bytes], Record], submit: Callable[..., bytes]
) -> None:
    record = grade(submit(rms=f"{FRAME}{code}\n"))
    scale, rms, _ = record["questions"]
    assert scale["points"] == 3.0
    assert not rms["points"]  # none where the cell defines no rms: a person looks


def test_forged_names_reach_neither_the_record_nor_another_question(
    grade: Callable[[bytes], Record], submit: Callable[..., bytes]
) -> None:
    code = (
        "frame('cell', 'secret', 'ok', '')\n"
        "frame('cell', 'secret', 'start')\n"
        "frame('question', 'secret', 'asked', b'')\n"
        "os._exit(0)"
    )
    record = grade(submit(rms=FRAME + code))
    assert "secret" not in str(record)
    assert record["points"] == 3.0


def test_results_that_are_tensors_are_not_walked_through() -> None:
    packed = encode([torch.zeros(2**20, 2, 2, dtype=torch.uint8)])
    assert running.records(packed) == [[("fact", "", "", None)]]


class _Recorded:
    """A sandbox that gives back what it is given."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.limits = Limits()

    def run(self, *_: Any) -> Outcome:
        return self.outcomes.pop(0)


def test_a_sandbox_that_fails_gives_no_zero(
    example: Assignment, submit: Callable[..., bytes]
) -> None:
    """Not even after a step that the submission itself was stopped in."""
    stopped = Outcome("time", [["cell", "rms", "start"]])
    broken: Any = _Recorded(stopped, Outcome("the sandbox itself ended", []))
    with pytest.raises(running.Unfinished, match="sandbox itself"):
        grading.grade(example.version(), "ada", submit(), broken)


def test_an_error_in_grading_stops_one_submission_only(
    example: Assignment, submit: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> Record:
        raise OverflowError("too large")

    job = queue.Job(example, "ada", submit(), "key")
    monkeypatch.setitem(queue._held, (job.limits, False), object())
    monkeypatch.setattr(grading, "grade", fails)
    found = queue.work(job)
    assert isinstance(found, queue.Failed)
    assert "OverflowError: too large" in found.reason


def test_a_number_beyond_floats_is_only_wrong() -> None:
    question = Question(
        name="n",
        title="A number",
        answer="n",
        reference=lambda variant: 2.5,
        run=value_run(),
        parts={"the value": 1},
        mistakes=(Mistake("Not three.", answer="n = 3.5", name="three"),),
    )
    grader = Grader(question, {}, "n = 2.5", "")
    record = grader.record(grader.question.records(10**400))
    assert (record["state"], record["points"]) == ("graded", 0.0)


def test_a_missing_label_is_wrong_where_nothing_is_right() -> None:
    question = Question(
        name="n",
        title="No gradient",
        answer="n",
        reference=lambda variant: [None],
        run=value_run(),
        parts={"the value": 1},
    )
    grader = Grader(question, {}, "n = [1]", "")
    grader.expected = [[("value", "", "", None)]]
    assert grader.record([[("value", "", "", None)]])["points"] == 1.0
    assert grader.record([[("fact", "another", "", None)]])["points"] == 0.0


def test_an_empty_tensor_with_an_endless_axis_is_no_value() -> None:
    with pytest.raises(Malformed, match="shape"):
        decode(encode(torch.empty(2**33, 0)))
    assert decode(encode(torch.empty(3, 0))).shape == (3, 0)
    assert "tensor" not in plain(torch.empty(2**33, 0))


def test_keys_that_collide_are_refused() -> None:
    same_hash = {i * (2**61 - 1): None for i in range(4)}
    with pytest.raises(Malformed, match="int is not allowed for map key"):
        decode(encode(same_hash))
    assert decode(encode(same_hash), trusted=True) == same_hash
    assert decode(encode(plain(same_hash)))["dict"][1][0] == 2**61 - 1


def test_only_plain_data_is_sent() -> None:
    with pytest.raises(TypeError, match="function cannot be sent"):
        encode([encode])


def test_damaged_bytes_give_a_value_or_malformed() -> None:
    good = encode(
        [
            ("a", torch.randn(3, 4).mT, {"k": [1, 2.5, None]}),
            packed_numbers(plain([torch.randn(5), 10**30, torch.float32])),
            ("raised", "", "", raised(ValueError("x"))),
        ]
    )
    draw, refused = random.Random(1), 0
    for _ in range(3000):
        damaged = bytearray(good)
        for _ in range(draw.randint(1, 4)):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        try:
            decode(bytes(damaged))
        except Malformed:
            refused += 1
    assert refused > 1000


SCAN = (
    "import ctypes, os, re\n"
    "libc = ctypes.CDLL(None)\n"
    "r, w = os.pipe()\n"
    "libc.malloc.restype = ctypes.c_void_p\n"
    "seen, found = set(), 0\n"
    "for near in [libc.malloc(n) for n in (64, 20000, 100000)]:\n"
    "    for step in (2**16, -2**16):\n"
    "        at, missing = near & ~0xffffff, 0\n"
    "        while missing < 200:\n"
    "            missing += 1\n"
    "            if at not in seen:\n"
    "                seen.add(at)\n"
    "                count = libc.write(w, ctypes.c_void_p(at), 2**16)\n"
    "                if count > 0:\n"
    "                    missing = 0\n"
    "                    block = os.read(r, count)\n"
    "                    found += len(re.findall(rb'MARKER_[0-9]', block))\n"
    "            at += step\n"
    "if found: raise LookupError\n"
)


def test_nothing_of_the_one_before_is_left_in_memory(
    sandbox: Sandbox,
    example: Assignment,
    submit: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a later submission finds the answers of an earlier one and runs them."""
    patient = replace(sandbox.limits, cell_seconds=30.0)  # reading it all takes a while
    monkeypatch.setattr(sandbox, "limits", patient)
    marked = RMS + "".join(f"# MARKER_{i}\n" for i in range(6000))
    grading.grade(example.version(), "ada", submit(rms=marked), sandbox)
    record = grading.grade(example.version(), "bob", submit(rms=SCAN + RMS), sandbox)
    assert record["cells"][-1]["state"] == "ok"
    control = SCAN.replace("MARKER_", "SYSTEM_") + "# SYSTEM_1\n" + RMS
    record = grading.grade(example.version(), "bob", submit(rms=control), sandbox)
    assert record["cells"][-1]["error"].startswith("LookupError")


UNCOUNTED = {
    "shared memory without a name": "import mmap\nmmap.mmap(-1, 2**20)",
    "shared memory of /dev/zero": (
        "import mmap\nmmap.mmap(os.open('/dev/zero', os.O_RDWR), 2**20)"
    ),
    "files without content": (
        "for i in range(11000): os.close(os.open(f'/scratch/{i}', os.O_CREAT))"
    ),
}


@pytest.mark.parametrize("code", UNCOUNTED.values(), ids=UNCOUNTED)
def test_memory_that_no_limit_counts_is_refused(
    code: str, grade: Callable[[bytes], Record], submit: Callable[..., bytes]
) -> None:
    record = grade(submit(rms=f"import os\n{code}\n{RMS}"))
    rms = record["questions"][1]
    assert rms["error"].startswith("OSError")


NOTEBOOK_CODE = {
    "a timed cell": f"%%time\n{RMS}",
    "a captured cell": f"%%capture said\n{RMS}",
    "a timed line": f"%time y = 3\nassert y == 3\n{RMS}",
    "top-level await": f"import asyncio\nawait asyncio.sleep(0)\n{RMS}",
}


@pytest.mark.parametrize("code", NOTEBOOK_CODE.values(), ids=NOTEBOOK_CODE)
def test_what_a_notebook_may_hold_is_run(
    code: str, grade: Callable[[bytes], Record], submit: Callable[..., bytes]
) -> None:
    assert grade(submit(rms=code))["points"] == 7.0


def test_the_future_of_one_cell_holds_for_the_later_ones(
    grade: Callable[[bytes], Record], submit: Callable[..., bytes]
) -> None:
    scale = (
        "from __future__ import annotations\n"
        "def scale(x: Undefined, weight):\n    return x * weight\n"
    )
    record = grade(submit(scale=scale, rms=RMS.replace("(x)", "(x: Undefined)")))
    assert record["points"] == 7.0
