"""Frames that a submission forges, and what would last from one to the next."""

import random
import re
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from layers_book.checking import Mistake, value_run
from layers_book.checking.recording import plain, raised
from layers_book.coursework.assignment import Assignment
from layers_book.coursework.grade import grading, running
from layers_book.coursework.grade import job as module
from layers_book.coursework.grade.grader import Grader
from layers_book.coursework.grade.job import Failed, Job
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

    job = Job(example, "ada", submit(), "key")
    held: Any = SimpleNamespace(ready=True)
    monkeypatch.setitem(module._held, (job.limits, False), held)
    monkeypatch.setattr(grading, "grade", fails)
    found = module.work(job)
    assert isinstance(found, Failed)
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


CALLED = "import ctypes\nif ctypes.CDLL(None).{} < 0: raise OSError\n"
UNCOUNTED = {
    "shared memory without a name": "import mmap\nmmap.mmap(-1, 2**20)",
    "shared memory of /dev/zero": (
        "import mmap\nmmap.mmap(os.open('/dev/zero', os.O_RDWR), 2**20)"
    ),
    "files without content": (
        "for i in range(11000): os.close(os.open(f'/scratch/{i}', os.O_CREAT))"
    ),
    "a file's attributes": (
        "open('x', 'w').close()\nos.setxattr('x', 'user.x', b'x' * 2**16)"
    ),
    "larger buffers of a socket": (
        "import socket\n"
        "a, b = socket.socketpair()\n"
        "a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10**7)"
    ),
    "a queue of connections": (
        "import socket\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "s.bind('\\0x')\n"
        "s.listen(4096)"
    ),
    "a larger pipe": "import fcntl\nfcntl.fcntl(os.pipe()[1], 1031, 2**20)",
    "locks of a file": (
        "import fcntl\nfcntl.lockf(open('x', 'w'), fcntl.LOCK_EX, 1, 7)"
    ),
    "a terminal": "os.openpty()",
    "many descriptors": "x = [os.dup(1) for _ in range(64)]",
    "pages in a pipe": CALLED.format("vmsplice(os.pipe()[1], 0, 0, 0)"),
    "pages of a file in a pipe": CALLED.format(
        "splice(os.open('/scratch/x', os.O_CREAT | os.O_RDWR), 0, "
        "os.pipe()[1], 0, 1, 0)"
    ),
    "pages of a file in a socket": (
        "import socket\n"
        "a, b = socket.socketpair()\n"
        "x = os.open('/scratch/x', os.O_CREAT | os.O_RDWR)\n"
        "os.write(x, b'x')\n"
        "os.sendfile(a.fileno(), x, 0, 1)"
    ),
    "files in memory": CALLED.format("memfd_create(b'x', 0)"),
    "watches of files": CALLED.format("inotify_init1(0)"),
    "shared segments": CALLED.format("shmget(0, 4096, 0o1600)"),
    "semaphores": CALLED.format("semget(0, 250, 0o1600)"),
    "messages": CALLED.format("msgget(0, 0o1600)"),
    "rings": CALLED.format("syscall(425, 8, ctypes.create_string_buffer(248))"),
    "rule sets": CALLED.format("syscall(444, 0, 0, 1)"),
}


@pytest.mark.parametrize("code", UNCOUNTED.values(), ids=UNCOUNTED)
def test_memory_that_no_limit_counts_is_refused(
    code: str, grade: Callable[[bytes], Record], submit: Callable[..., bytes]
) -> None:
    record = grade(submit(rms=f"import os\n{code}\n{RMS}"))
    rms = record["questions"][1]
    assert re.match("(OS|FileNotFound)Error in line", rms["error"])


def test_what_sockets_hold_is_little(
    grade: Callable[[bytes], Record], submit: Callable[..., bytes]
) -> None:
    """All that a process can have filled; an embryo in a queue would be one more."""
    code = (
        "import socket\n"
        "kept, total = [], 0\n"
        "try:\n"
        "    while True: kept += socket.socketpair()\n"
        "except OSError: pass\n"
        "for one in kept:\n"
        "    one.setblocking(False)\n"
        "    try:\n"
        "        while True: total += one.send(b'x' * 2**16)\n"
        "    except OSError: pass\n"
        "if not kept or total > 20 * 2**20: raise LookupError\n"
        "for one in kept: one.close()\n"
    )
    assert grade(submit(rms=code + RMS))["points"] == 7.0


NOTEBOOK_CODE = {
    "a timed cell": f"%%time\n{RMS}",
    "a captured cell": f"%%capture said\n{RMS}",
    "a timed line": f"%time y = 3\nassert y == 3\n{RMS}",
    "top-level await": f"import asyncio\nawait asyncio.sleep(0)\n{RMS}",
    "workers of a DataLoader": (
        "from torch.utils.data import DataLoader\n"
        "got = [*DataLoader(torch.arange(12.0), batch_size=4, num_workers=4)]\n"
        f"assert torch.cat(got).equal(torch.arange(12.0))\n{RMS}"
    ),
    "a pool of processes": (
        "import multiprocessing\n"
        "def twice(x): return 2 * x\n"
        "with multiprocessing.Pool(4) as pool:\n"
        f"    assert torch.stack(pool.map(twice, [*torch.ones(3)])).sum() == 6\n{RMS}"
    ),
    "values that processes share": (
        "import multiprocessing as mp\n"
        "value, (ours, theirs) = mp.Value('i', 0), mp.Pipe()\n"
        "def work():\n"
        "    with value.get_lock(): value.value += 1\n"
        "    theirs.send(torch.ones(2))\n"
        "process = mp.Process(target=work)\n"
        "process.start()\n"
        "assert ours.recv().sum() == 2\n"
        "process.join()\n"
        f"assert value.value == 1\n{RMS}"
    ),
    "an executor of processes": (
        "from concurrent.futures import ProcessPoolExecutor\n"
        "with ProcessPoolExecutor(2) as pool:\n"
        f"    assert [*pool.map(abs, [-1, 1])] == [1, 1]\n{RMS}"
    ),
    "threads": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "torch.set_num_threads(2)\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    [*pool.map(lambda n: (torch.randn(n, n) @ torch.randn(n, n)).sum(), "
        f"[300] * 4)]\n{RMS}"
    ),
    "another program": (
        "import subprocess, sys\n"
        "said = subprocess.run([sys.executable, '-c', 'print(1)'], text=True, "
        f"capture_output=True).stdout\nassert said == '1\\n'\n{RMS}"
    ),
    "files": (
        "import shutil, sqlite3, tempfile\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    torch.save(torch.ones(3), f'{folder}/a.pt')\n"
        "    shutil.copy2(f'{folder}/a.pt', f'{folder}/b.pt')\n"
        "    assert torch.load(f'{folder}/b.pt', mmap=True).sum() == 3\n"
        f"sqlite3.connect(':memory:').execute('create table t (x)')\n{RMS}"
    ),
    "a picture": (
        "from matplotlib import pyplot\n"
        "pyplot.plot([1, 2])\n"
        "pyplot.title('$x^2$')\n"
        f"pyplot.savefig('x.png')\n{RMS}"
    ),
    "an alarm": (f"import signal\nsignal.setitimer(signal.ITIMER_VIRTUAL, 100)\n{RMS}"),
    "training in eight lines": (
        "model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Linear(8, 1))\n"
        "optimizer = torch.optim.AdamW(model.parameters())\n"
        "for _ in range(5):\n"
        "    optimizer.zero_grad()\n"
        "    model(torch.randn(4, 3)).square().mean().backward()\n"
        f"    optimizer.step()\n{RMS}"
    ),
}


@pytest.mark.parametrize("code", NOTEBOOK_CODE.values(), ids=NOTEBOOK_CODE)
def test_what_a_notebook_may_hold_is_run(
    code: str,
    grade: Callable[[bytes], Record],
    submit: Callable[..., bytes],
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sandbox, "limits", replace(sandbox.limits, cell_seconds=60.0))
    record = grade(submit(rms=code))
    assert [cell for cell in record["cells"] if cell["state"] != "ok"] == []
    assert record["points"] == 7.0


def test_the_future_of_one_cell_holds_for_the_later_ones(
    grade: Callable[[bytes], Record], submit: Callable[..., bytes]
) -> None:
    scale = (
        "from __future__ import annotations\n"
        "def scale(x: Undefined, weight):\n    return x * weight\n"
    )
    record = grade(submit(scale=scale, rms=RMS.replace("(x)", "(x: Undefined)")))
    assert record["points"] == 7.0
