"""The process that runs one submission: locked down first, then the student's cells.

Forked from the warm process. All it can reach is its scratch folder and one pipe.
"""

import __future__

import ast
import asyncio
import contextlib
import ctypes
import functools
import gc
import inspect
import linecache
import operator
import os
import random
import resource
import signal
import sys
import types
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import torch
from IPython.core.inputtransformer2 import TransformerManager

from layers_book.checking.isolation import Refused, Stopped
from layers_book.checking.recording import Record, raised, record
from layers_book.checking.runs import steps_from
from layers_book.checking.values import asked
from layers_book.coursework.sandbox.inside.wire import decode, encode, packed_numbers

NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
BIND = 0x1000  # MS_BIND
SLAVE = (1 << 19) | 0x4000  # MS_SLAVE | MS_REC
NO_SUID_DEV, READ_ONLY = 2 | 4, 1  # MS_NOSUID | MS_NODEV, MS_RDONLY
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38
FILES = 10_000  # in a scratch folder
DESCRIPTORS = 64  # of a process: each may be a socket with 300 kB in the kernel
SIGNALS = 256  # that wait, each with a few hundred bytes in the kernel
FRAME_BYTES = 32 * 2**20
TEXT = 100  # characters of an error that say what it is about
LINES = 10**6  # of a cell
OUT = 3  # the pipe's file descriptor
RUNNER = 0  # the process that runs the cells

FUTURES = functools.reduce(
    operator.or_,
    (getattr(__future__, n).compiler_flag for n in __future__.all_feature_names),
)
libc = ctypes.CDLL(None, use_errno=True)

# what any cell may leave otherwise, put back before each question; bound here, before
# a cell can replace a function
KNOWN_STATE: tuple[Callable[[], Any], ...] = tuple(
    functools.partial(function, *args)
    for function, *args in (
        (torch.set_default_device, None),
        (torch.set_default_dtype, torch.float32),
        (torch.set_grad_enabled, True),
        (torch.set_num_threads, 1),
        (torch.set_deterministic_debug_mode, "default"),
        (torch.set_float32_matmul_precision, "highest"),
        (torch.set_flush_denormal, False),
        (torch.set_anomaly_enabled, False),
        (torch.set_autocast_enabled, "cpu", False),
        (torch.manual_seed, 0),
        (random.seed, 0),
        (numpy.random.seed, 0),
    )
)
ON_CPU = KNOWN_STATE[0]


class TimeLimit(Stopped):
    """A cell or a question took too long; no Exception, so that few catch it."""


def main(job: bytes, out: int, limits: dict[str, Any], lock: Any) -> None:
    """Run a job and write what happens, a frame a step, to ``out``.

    Args:
        job: an encoded dict: ``cells`` (name, source; see `Sandbox.run`),
            ``questions`` (encoded, as in `Question.message`), ``skip`` (names of steps
            that ended a former try).
        out: a pipe.
        limits: see `layers_book.coursework.sandbox.bubblewrap.Limits`.
        lock: the seccomp filter, or ``None`` where submissions are trusted.
    """
    global RUNNER
    RUNNER = os.getpid()
    os.setsid()  # signals to the group stay in here
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.dup2(out, OUT)
    os.closerange(OUT + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    work = decode(job, trusted=True)
    if lock is not None:
        _lock_down(limits, lock)
    _limit(limits)
    random.seed(0)
    torch.manual_seed(0)
    shell = _Shell()
    gc.enable()
    seen: dict[str, dict[str, Any]] = {}  # by question, what is defined at its check
    for name, source in work["cells"]:
        if source is None:
            seen[name] = dict(shell.space)
        elif f"cell {name}" not in work["skip"]:
            _say("cell", name, "start")
            _say("cell", name, *_run_cell(name, source, shell, limits["cell_seconds"]))
            ON_CPU()
    if RUNNER == 1:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # what the cells have left running
    last = dict(shell.space)
    for message in work["questions"]:
        with _known_state():
            question = decode(message, trusted=True)
            if f"question {question['name']}" not in work["skip"]:
                _say("question", question["name"], "start")
                shell.space.clear()
                shell.space.update(seen.get(question["name"], last))
                _say("question", question["name"], *_ask(question, shell.space))
    _say("end", "")


def _lock_down(limits: dict[str, Any], lock: Any) -> None:
    """Own mounts, no /proc, another user, no privileges, few system calls."""
    # what the kernel is to end first where memory runs out
    Path("/proc/self/oom_score_adj").write_text("1000")
    _done(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    _done(libc.unshare(NEW_MOUNTS))
    _done(libc.mount(None, b"/", None, SLAVE, None))
    # /dev/zero mapped as shared is memory that is not counted
    _done(libc.mount(b"/dev/null", b"/dev/zero", None, BIND, None))
    size = b"mode=0777,nr_inodes=%d,size=%d" % (FILES, limits["scratch_bytes"])
    for folder in limits["scratch_folders"]:
        place = folder.encode()
        _done(libc.mount(b"tmpfs", place, b"tmpfs", NO_SUID_DEV, size))
    for place in (b"/proc", b"/dev/pts"):  # a terminal holds memory in the kernel
        _done(libc.mount(b"tmpfs", place, b"tmpfs", READ_ONLY, b"size=4096"))
    os.chdir(limits["scratch_folders"][0])
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails past the last one
    if limits["user"]:
        os.setgroups([])
        os.setresgid(limits["user"], limits["user"], limits["user"])
        os.setresuid(limits["user"], limits["user"], limits["user"])
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _done(libc.capset(header, none))
    _done(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _done(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))  # setuid cleared it
    lock.load()


def _done(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"the sandbox cannot be closed: {os.strerror(number)}")


def _limit(limits: dict[str, Any]) -> None:
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: limits["scratch_bytes"],
        resource.RLIMIT_NOFILE: DESCRIPTORS,
        resource.RLIMIT_SIGPENDING: SIGNALS,
        resource.RLIMIT_NPROC: limits["processes"],
        resource.RLIMIT_CPU: int(limits["total_seconds"]) + 5,
        resource.RLIMIT_AS: limits["virtual_bytes"] + limits["memory_bytes"],
    }
    for kind, value in wanted.items():
        resource.setrlimit(kind, (value, value))


class _Shell:
    """In place of IPython's: what is under %time and %%capture runs.

    All other magics and shell commands do nothing.
    """

    def __init__(self) -> None:
        main = types.ModuleType("__main__")
        main.__dict__.update(
            get_ipython=lambda: self, display=lambda *things, **how: None
        )
        sys.modules["__main__"] = main
        self.space, self.file = main.__dict__, ""
        self.flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None

    def run_cell_magic(self, name: str, line: str, body: str) -> None:
        if name in ("time", "capture"):
            self.execute(body, "\n")

    def run_line_magic(self, name: str, line: str, *_: Any, **__: Any) -> None:
        if name == "time":
            self.execute(line)

    def execute(self, source: str, above: str = "") -> None:
        """Run code as a notebook does: with magics, top-level await, later futures."""
        text = above + TransformerManager().transform_cell(source)
        file = self.file
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        code = compile(text, file, "exec", self.flags, dont_inherit=True)
        self.flags |= code.co_flags & FUTURES
        waits = eval(code, self.space)
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(waits)


def _run_cell(
    name: str, source: str, shell: _Shell, seconds: float
) -> tuple[str, str, int, str]:
    """How a cell ended (ok, error, time or memory), and an error's type, line, text."""
    shell.file = f"<cell {name}>"
    try:
        with _within(seconds):
            shell.execute(source)
    except TimeLimit:
        return "time", "", 0, ""
    except MemoryError:
        return "memory", "", 0, ""
    except BaseException as error:
        text = _text(error)
        if "can't allocate memory" in text:
            return "memory", "", 0, ""
        line = raised(error)["line"] or getattr(error, "lineno", 0)
        line = line if type(line) is int and 0 < line < LINES else 0
        return "error", type(error).__name__[:50], line, text[:TEXT]
    return "ok", "", 0, ""


def _text(error: BaseException) -> str:
    try:
        return str(error).encode("utf-8", "replace").decode()
    except BaseException:  # an exception whose text raises
        return ""


@contextlib.contextmanager
def _known_state() -> Iterator[None]:
    """torch as it is before any cell, whatever cells and answers have left."""
    for put_back in KNOWN_STATE:
        put_back()
    with torch.inference_mode(False):
        yield


def _ask(question: dict[str, Any], space: dict[str, Any]) -> tuple[str, bytes]:
    """What the answer does in all configurations: a state, and encoded records."""
    if question["answer"] not in space:
        return "missing", b""
    answer, forbid = space[question["answer"]], tuple(question["forbid"])
    try:
        with _within(question["seconds"]):
            records = list(_records(question["runs"], answer, forbid))
            packed = encode(packed_numbers(records))
    except TimeLimit:
        return "time", b""
    except MemoryError:
        return "memory", b""
    except BaseException as error:
        packed = _only(error)
    if len(packed) > FRAME_BYTES:
        packed = _only(Refused("The results are too large."))
    return "asked", packed


def _records(
    runs: list[dict[str, Any]], answer: Any, forbid: tuple[str, ...]
) -> Iterator[Record]:
    for run in runs:
        steps = steps_from(run["source"], run["steps"])
        for inputs in run["inputs"]:
            cases = asked(steps, answer, inputs, run["options"])
            yield record(cases, forbid, run["tolerance"])


def _only(error: BaseException) -> bytes:
    return encode([[["raised", "", "", raised(error)]]])


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeLimit

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _say(*frame: Any) -> None:
    if os.getpid() != RUNNER:
        os._exit(0)  # a child that the student's code has forked
    packed = encode([array("B", x) if isinstance(x, bytes) else x for x in frame])
    data = memoryview(len(packed).to_bytes(4, "big") + packed)
    while data:
        data = data[os.write(OUT, data) :]
