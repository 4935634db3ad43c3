"""What a cell leaves otherwise, asks for in vain, or takes from the machine."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from layers_book.coursework.assignment import Assignment
from layers_book.coursework.grade import grading, running
from layers_book.coursework.grade.record import Record
from layers_book.coursework.sandbox import bubblewrap, memory
from layers_book.coursework.sandbox.bubblewrap import Limits, Outcome, Sandbox

RMS = "def rms(x):\n    return x.square().mean(-1).sqrt()\n"
SCALE = "def scale(x, weight):\n    return x * weight\n"
ALL = 7.0
Grade = Callable[[bytes], Record]
Submit = Callable[..., bytes]

LEFT = {
    "CUDA as the default device": "torch.set_default_device('cuda')",
    "meta as the default device": "torch.set_default_device('meta')",
    "float64 as the default": "torch.set_default_dtype(torch.float64)",
    "float16 as the default": "torch.set_default_dtype(torch.float16)",
    "many threads": "torch.set_num_threads(8)",
    "deterministic algorithms": "torch.use_deterministic_algorithms(True)",
    "no gradients": "torch.set_grad_enabled(False)",
    "inference mode": "mode = torch.inference_mode()\nmode.__enter__()",
    "automatic types": "mode = torch.autocast('cpu')\nmode.__enter__()",
    "anomaly detection": "torch.autograd.set_detect_anomaly(True)",
    "no small numbers": "torch.set_flush_denormal(True)",
    "rough products": "torch.set_float32_matmul_precision('medium')",
    "another seed": "torch.manual_seed(7)\ntorch.randn(5)",
}


# an answer that says whether torch is as it was
LOOKS = (
    "def rms(x):\n"
    "    state = torch.get_num_threads(), torch.get_float32_matmul_precision()\n"
    "    assert state == (1, 'highest')\n"
    "    assert not torch.are_deterministic_algorithms_enabled()\n"
    "    assert not torch.is_anomaly_enabled()\n"
    "    assert not torch.is_autocast_enabled('cpu')\n"
    "    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()\n"
    "    assert torch.get_default_dtype() == torch.float32\n"
    "    assert torch.empty(0).device.type == 'cpu'\n"
    "    assert torch.tensor(1e-40) * 1.0 > 0\n"
    "    return x.square().mean(-1).sqrt()\n"
)


@pytest.mark.parametrize("code", LEFT.values(), ids=LEFT)
def test_what_a_cell_leaves_changes_no_other_answer(
    code: str, grade: Grade, submit: Submit
) -> None:
    record = grade(
        submit(scale=f"{SCALE}{code}\n", rms=f"weight = torch.ones(3)\n{LOOKS}")
    )
    assert [cell for cell in record["cells"] if cell["state"] != "ok"] == []
    assert record["points"] == ALL


def test_each_question_begins_with_the_same_numbers(
    grade: Grade, submit: Submit
) -> None:
    """Not with those that the question before has left."""
    scale = (
        "import numpy, random\n"
        "def drawn():\n"
        "    return random.random(), numpy.random.rand(), torch.rand(3).sum()\n"
        "first, second = [], []\n"
        "def scale(x, weight):\n"
        "    first.append(drawn())\n"
        "    return x * weight\n"
    )
    rms = (
        "def rms(x):\n"
        "    second.append(drawn())\n"
        "    if first[0] != second[0]: raise LookupError\n"
        "    return x.square().mean(-1).sqrt()\n"
    )
    assert grade(submit(scale=scale, rms=rms))["points"] == ALL


COMPILED = {
    "a decorator": f"@torch.compile\n{RMS}",
    "a decorator with a mode": f"@torch.compile(mode='max-autotune')\n{RMS}",
    "a call": f"{RMS}rms = torch.compile(rms, fullgraph=True)\n",
    "a module": (
        "class Rms(torch.nn.Module):\n"
        "    def forward(self, x): return x.square().mean(-1).sqrt()\n"
        "module = Rms()\n"
        "module.compile()\n"
        "def rms(x): return module(x)\n"
    ),
}


@pytest.mark.parametrize("code", COMPILED.values(), ids=COMPILED)
def test_what_is_compiled_runs_as_it_is_written(
    code: str, grade: Grade, submit: Submit
) -> None:
    assert grade(submit(rms=code))["points"] == ALL


CUDA = {
    "moves its input": "def rms(x):\n    return x.cuda().square().mean(-1).sqrt()\n",
    "moves it by name": (
        "def rms(x):\n    return x.to('cuda').square().mean(-1).sqrt()\n"
    ),
    "makes a tensor there": (
        "def rms(x):\n    return x @ torch.eye(x.shape[-1], device='cuda')\n"
    ),
    "moves a module": ("def rms(x):\n    return torch.nn.Linear(3, 3).cuda()(x)\n"),
    "sets it inside": (
        "def rms(x):\n"
        "    torch.set_default_device('cuda')\n"
        "    return x + torch.ones(x.shape)\n"
    ),
    "in the cell": f"weight = torch.ones(3).cuda()\n{RMS}",
    "in the cell, by the default": (
        f"torch.set_default_device('cuda')\nweight = torch.ones(3)\n{RMS}"
    ),
}


@pytest.mark.parametrize("code", CUDA.values(), ids=CUDA)
def test_who_asks_for_cuda_is_told_so(code: str, grade: Grade, submit: Submit) -> None:
    scale, rms, _ = grade(submit(rms=code))["questions"]
    assert (scale["points"], rms["points"]) == (3.0, 0.0)
    assert rms["error"].endswith("it asks for CUDA, but grading is on the CPU")


MISSING = {
    "in the cell": ("!pip install einops\nimport einops\n", "einops"),
    "among others": ("import os, einops as e\n", "einops"),
    "of a part": ("from einops.layers import torch\n", "einops"),
    "in the answer": ("def rms(x):\n    import einops\n", "einops"),
    "by a name that is computed": ("__import__('ein' + 'ops')\n", "of this name"),
    "planted": (
        "raise ModuleNotFoundError(\"No module named 'einops'\")\n",
        "of this name",
    ),
}


@pytest.mark.parametrize(("code", "named"), MISSING.values(), ids=MISSING)
def test_a_module_that_is_missing_is_named(
    code: str, named: str, grade: Grade, submit: Submit
) -> None:
    """If the notebook's own text names it: else it could carry what was seen."""
    error = grade(submit(rms=code))["questions"][1]["error"]
    assert error.startswith("ModuleNotFoundError in line ")
    assert f"no module {named} is there" in error and "!pip" in error


def test_what_is_run_again_has_what_is_left_of_the_time(
    example: Assignment, submit: Submit
) -> None:
    left: list[float] = []

    class Recorded:
        limits = Limits()

        def run(self, *given: Any) -> Outcome:
            left.append(given[-1])
            return Outcome("over", [["cell", "rms", "start"]])

    box: Any = Recorded()
    grading.grade(example.version(), "ada", submit(), box)
    assert len(left) == running.TRIES and left[0] <= 300.0
    assert left == sorted(left, reverse=True) and left[0] > left[-1]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    folder = tmp_path / "course"
    example = Path(__file__).with_name("example")
    shutil.copytree(example, folder / "assignments" / "example")
    return folder


SLEEPS = f"import os, time\nos.fork()\ntime.sleep(600)\n{RMS}"


def runner(process: psutil.Process) -> psutil.Process | None:
    """The process of a submission below another, once its cell has forked."""
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess, OSError):
            place = Path(f"/proc/{child.pid}/oom_score_adj")
            if place.read_text().strip() == "1000" and child.children():
                return child
    return None


@contextmanager
def once_it_runs(act: Callable[[psutil.Process], None]) -> Iterator[None]:
    """Do something to the process of a submission, in a thread."""
    stop = threading.Event()

    def wait() -> None:
        while not stop.wait(0.02):
            if (found := runner(psutil.Process())) is not None:
                act(found)
                return

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def patient(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = replace(sandbox.limits, cell_seconds=300.0, total_seconds=600.0)
    monkeypatch.setattr(sandbox, "limits", limits)


@pytest.mark.usefixtures("patient")
def test_whom_the_kernel_ends_for_want_of_memory_gets_no_zero(
    grade: Grade, submit: Submit
) -> None:
    with (
        once_it_runs(lambda process: process.kill()),
        pytest.raises(running.Unfinished, match="ran out of memory"),
    ):
        grade(submit(rms=SLEEPS))
    assert grade(submit())["points"] == ALL


@pytest.mark.usefixtures("patient")
def test_whom_the_kernel_ends_at_its_own_limit_has_had_too_much(
    grade: Grade, submit: Submit, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended:
        count = 0

        def ended(self) -> int:
            Ended.count += 1
            return Ended.count

    monkeypatch.setattr(sandbox, "_group", Ended())
    with once_it_runs(lambda process: process.kill()):
        record = grade(submit(rms=SLEEPS))
    assert "GiB of memory" in record["cells"][-1]["error"]
    assert record["points"] == 3.0


@pytest.mark.usefixtures("patient")
def test_memory_of_the_machine_is_watched(
    grade: Grade, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who makes it scarce is ended, without a mark; who meets it so is not."""
    running_now = threading.Event()
    monkeypatch.setattr(memory, "low", running_now.is_set)
    with (
        once_it_runs(lambda process: running_now.set()),
        pytest.raises(running.Unfinished, match="ran out of memory"),
    ):
        grade(submit(rms=SLEEPS))
    assert grade(submit(rms=f"import time\ntime.sleep(1)\n{RMS}"))["points"] == ALL


def test_memory_is_low_when_little_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    for total, left, low in (
        (64 * 2**30, 500 * 2**20, True),
        (64 * 2**30, 600 * 2**20, False),
        (2 * 2**30, 120 * 2**20, False),
        (2 * 2**30, 90 * 2**20, True),
    ):
        sizes = {"MemTotal": total, "MemAvailable": left}
        monkeypatch.setattr(memory, "memory", sizes.__getitem__)
        assert memory.low() is low


HOLDS = "x = bytearray(2**28)\nprint(len(x))\n"


def test_a_control_group_ends_what_exceeds_it() -> None:
    group = memory.Group.make()
    if group is None:
        pytest.skip("no control group may be made here")
    try:
        command = group.entering([sys.executable, "-c", HOLDS])
        group.limit(2**30)
        assert subprocess.run(command, capture_output=True).returncode == 0
        assert group.ended() == 0
        group.limit(2**26)
        ended = subprocess.run(command, capture_output=True)
        assert ended.returncode == -signal.SIGKILL
        assert group.ended() == 1
    finally:
        group.close()
    assert not group.folder.exists()


def test_a_control_group_of_version_2(tmp_path: Path) -> None:
    group = memory.Group(tmp_path, 2)
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    group.limit(24)
    assert (tmp_path / "memory.max").read_text() == "1024"
    assert (tmp_path / "memory.swap.max").read_text() == "0"
    assert group.ended() == 2


def test_groups_of_those_that_were_killed_are_removed(tmp_path: Path) -> None:
    gone, here = (tmp_path / f"coursework-{pid}-0" for pid in (2**30, os.getpid()))
    gone.mkdir()
    here.mkdir()
    memory._sweep(tmp_path)
    assert [*tmp_path.iterdir()] == [here]


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_what_ends_the_command_ends_all_that_it_has_started(
    by: signal.Signals, course: Path, submit: Submit
) -> None:
    path = course / "submitted" / "ada" / "example" / "example.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(submit(rms=SLEEPS))
    words = [sys.executable, "-m", "layers_book.coursework"]
    words += ["grade", "example", "--seconds", "600"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = subprocess.Popen(
        words,
        cwd=course,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # as of a terminal: the signal of Ctrl-C goes to all
    )
    own = psutil.Process(command.pid)
    while runner(own) is None:
        assert command.poll() is None
        time.sleep(0.1)
    started = own.children(recursive=True)
    if by is signal.SIGINT:
        os.killpg(command.pid, by)
    else:
        command.send_signal(by)
    assert command.wait() != 0
    while left := [process for process in started if alive(process)]:
        time.sleep(0.1)
    assert not left


def alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_limits_are_those_of_the_guide() -> None:
    guide = Path(bubblewrap.__file__).parents[4] / "coursework" / "README.md"
    limits, text = Limits(), guide.read_text("utf8")
    for said in (
        f"{limits.cell_seconds:g} s a cell",
        f"{limits.total_seconds:g} s in all",
        f"{limits.memory_bytes // 2**30} GiB of memory",
        f"{limits.processes} processes",
        f"{limits.scratch_bytes // 2**20} MiB of files in each of",
    ):
        assert said in text
