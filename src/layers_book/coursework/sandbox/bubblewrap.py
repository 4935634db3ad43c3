"""The sandbox that submissions run in: bubblewrap around one warm process.

See ``coursework/README.md`` for what it keeps out, and where it works.
"""

import os
import select
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import layers_book
from layers_book.coursework.sandbox import memory
from layers_book.coursework.sandbox.inside.wire import Malformed, decode, encode
from layers_book.coursework.sandbox.memory import Group

START_SECONDS = 120.0  # for importing torch on a busy machine
FRAME_STRUCTURE = 1024  # bytes: kind, name, state, where the result lies
ANSWER_SECONDS = 30.0  # the warm process enforces the limits; this is for its own end
LOOK_SECONDS = 0.25  # between two looks at the machine's memory
KERNEL_BYTES = 64 * 2**20  # beside the memory and the files that a submission may have
NO_MEMORY = (
    "the machine ran out of memory meanwhile: close other programs, or give fewer "
    "--workers or less --memory"
)


class NoSandbox(RuntimeError):
    """Submissions cannot be run safely here; the text says what to do."""


@dataclass(frozen=True)
class Limits:
    """What one submission may take; times are by the clock.

    Args:
        cell_seconds: for a cell of the submission.
        total_seconds: for all cells and questions, whatever has to be run again.
        memory_bytes: of all its processes together, beyond what importing torch takes.
        processes: at once, threads counted.
        output_bytes: sent back.
        scratch_bytes: of files, in each of ``/scratch``, ``/dev/shm`` and ``/tmp``.
    """

    cell_seconds: float = 30.0
    total_seconds: float = 300.0
    memory_bytes: int = 2**30
    processes: int = 32
    output_bytes: int = 64 * 2**20
    scratch_bytes: int = 64 * 2**20


@dataclass(frozen=True)
class Outcome:
    """What came back: frames as lists of plain data, and how the process ended.

    ``ended``: over, time, total time, memory, output; anything else says in words why
    it could not be run to its end, which is not the submission's fault.
    """

    ended: str
    frames: list[list[Any]]


class Sandbox:
    """A warm process in its sandbox, for one submission after another.

    It is started when this is made, and waited for when it is needed.

    Raises:
        NoSandbox: bubblewrap is missing.
    """

    def __init__(self, limits: Limits | None = None, trusted: bool = False) -> None:
        """``trusted``: run submissions without a sandbox, as the teacher's own code."""
        self.limits, self.trusted = limits or Limits(), trusted
        self.ready = False
        self._process: subprocess.Popen[bytes] | None = None
        self._group: Group | None = None
        self._why = ""  # no answer came
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the process)
        self._start()

    def __enter__(self) -> Self:
        self.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the warm process, and with it everything in the sandbox."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if self._group is not None:
            self._group.close()
            self._group = None

    def run(
        self,
        cells: Sequence[tuple[str, str | None]],
        questions: Iterable[bytes],
        skip: Iterable[str] = (),
        step_seconds: float = 0.0,
        total_seconds: float | None = None,
    ) -> Outcome:
        """Run a submission's cells, then put questions to what they define.

        Args:
            cells: name and source of each, in order; in the place of one without a
                source, the question of that name sees what is defined so far.
            questions: encoded, as in `Question.message`.
            skip: what is left out: ``"cell NAME"`` or ``"question NAME"``.
            step_seconds: the longest time of a question, if longer than a cell's.
            total_seconds: what is left of the limit, if not all.

        Raises:
            NoSandbox: it is not allowed to work here.
        """
        if self._process is None or self._process.poll() is not None:
            self._start()
        self.wait()
        left = self.limits.total_seconds if total_seconds is None else total_seconds
        return self._try(cells, questions, skip, step_seconds, left)

    def _try(
        self,
        cells: Sequence[tuple[str, str | None]] = (),
        questions: Iterable[bytes] = (),
        skip: Iterable[str] = (),
        step_seconds: float = 0.0,
        total_seconds: float = START_SECONDS,
    ) -> Outcome:
        job = {"cells": list(cells), "questions": list(questions), "skip": list(skip)}
        limits = asdict(self.limits)
        limits["step_seconds"] = max(step_seconds, self.limits.cell_seconds)
        limits["total_seconds"] = total_seconds
        limits["scratch_folders"] = _scratch_folders()
        limits["user"] = 0
        if not self.trusted and os.geteuid() == 0:
            limits["user"] = 20_000 + os.getpid() % 40_000  # one user id a sandbox
        before = self._group.ended() if self._group else 0
        self._send(encode(limits))
        self._send(encode(job))
        answer = self._receive(total_seconds + ANSWER_SECONDS, watched=True)
        if answer is None:
            self.close()
            return Outcome(self._why or "the sandbox itself ended", [])
        ended = answer["ended"]
        if ended == "killed":
            at_its_limit = self._group and self._group.ended() > before
            ended = "memory" if at_its_limit else NO_MEMORY
        return Outcome(ended, [*_frames(answer["frames"])])

    def _start(self) -> None:
        self.close()
        command = [*_python(), *(["--trusted"] if self.trusted else [])]
        if not self.trusted:
            command = [*_bubblewrap(), *command]
            self._group = Group.make()
        if self._group is not None:
            command = self._group.entering(command)
        self.ready = False
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            bufsize=0,
            env=ENVIRONMENT | {"PATH": os.defpath},
        )

    def wait(self) -> None:
        """Until it is ready, and has shown that it can close off a submission.

        Raises:
            NoSandbox: it is not allowed to work here.
        """
        if self.ready:
            return
        ready = self._receive(START_SECONDS, raw=True) == b"ready"
        if not ready or ["end", ""] not in self._try().frames:
            self.close()
            self._said.seek(0)
            said = self._said.read().decode(errors="replace").strip()
            raise NoSandbox(_advice(said or "a process in it cannot be closed off"))
        if self._group is not None:
            files = len(_scratch_folders()) * self.limits.scratch_bytes
            self._group.limit(self.limits.memory_bytes + files + KERNEL_BYTES)
        self.ready = True

    def _send(self, data: bytes) -> None:
        assert self._process and self._process.stdin
        view = memoryview(len(data).to_bytes(4, "big") + data)
        try:
            while view:
                view = view[self._process.stdin.write(view) :]
        except BrokenPipeError:
            return  # the answer will be missing

    def _receive(self, seconds: float, raw: bool = False, watched: bool = False) -> Any:
        """The next message of the warm process; ``None`` if it ended or is too late.

        ``watched``: ``None``, too, if meanwhile the machine's memory becomes scarce.
        """
        assert self._process and self._process.stdout
        pipe, deadline = self._process.stdout.fileno(), time.monotonic() + seconds
        data, wanted = bytearray(), 4
        self._why, enough = "", not memory.low()
        while len(data) < wanted:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            if not select.select([pipe], [], [], min(left, LOOK_SECONDS))[0]:
                if watched and enough and memory.low():
                    self._why = NO_MEMORY
                    return None
                continue
            part = os.read(pipe, 2**20)
            if not part:
                return None
            data += part
            if wanted == 4 and len(data) >= 4:
                wanted += int.from_bytes(data[:4], "big")
        return bytes(data[4:]) if raw else decode(bytes(data[4:]), len(data))


def _frames(raw: list[bytes]) -> Iterable[list[Any]]:
    for data in raw:
        try:
            frame = decode(data, FRAME_STRUCTURE)
        except Malformed:
            continue  # written by the student's code, past our own
        if isinstance(frame, list) and len(frame) > 1:
            yield frame


HIDDEN = ("exercises", "coursework")  # of layers_book: they hold answers and grader
# mounted there all the same; the file finds the exercises, and helpers imports it
INSIDE = ("exercises/__init__.py", "coursework/sandbox/inside")
SCRATCH = "/scratch"
ENVIRONMENT = {
    "HOME": SCRATCH,
    "TMPDIR": SCRATCH,
    "LANG": "C.UTF-8",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": SCRATCH,
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "LAYERS_BOOK_DEVICE": "cpu",
    "TORCH_COMPILE_DISABLE": "1",
}


def _package() -> Path:
    return Path(layers_book.__file__).resolve().parent


def _python() -> list[str]:
    start = (
        f"import sys; sys.path.insert(0, {str(_package().parent)!r}); "
        "from layers_book.coursework.sandbox.inside.warm import main; main()"
    )
    return [sys.executable, "-I", "-c", start]


def _bubblewrap() -> list[str]:
    """The command that closes the sandbox around the warm process.

    Inside are the system's libraries, Python with its packages and the helpers, all
    read-only; not the exercises' answers, not the grader, no home, no network.
    """
    found = shutil.which("bwrap")
    if found is None:
        raise NoSandbox(_advice("bubblewrap (the command bwrap) is not installed"))
    command = [found, "--unshare-pid", "--unshare-net", "--unshare-ipc"]
    command += ["--unshare-uts", "--unshare-cgroup-try", "--die-with-parent"]
    command += ["--new-session", "--cap-add", "ALL", "--clearenv"]
    if os.geteuid() != 0:
        command.append("--unshare-user")
    for name, value in ENVIRONMENT.items():
        command += ["--setenv", name, value]
    command += ["--setenv", "PATH", os.defpath, "--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib64"):
        root = Path("/", name)
        if root.is_symlink():
            command += ["--symlink", str(root.readlink()), str(root)]
        elif root.exists():
            command += ["--ro-bind", str(root), str(root)]
    command += ["--perms", "0755", "--dir", "/etc"]
    command += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    command += ["--perms", "1777", "--tmpfs", "/tmp"]  # before what may lie in it
    for folder in _folders():
        for parent in reversed(Path(folder).parents[:-1]):  # a private home stays open
            command += ["--perms", "0755", "--dir", str(parent)]
        command += ["--ro-bind", folder, folder]
    hidden = [str(_package() / name) for name in HIDDEN]
    for folder in hidden:
        command += ["--tmpfs", folder]
    for path in (str(_package() / name) for name in INSIDE):
        command += ["--ro-bind", path, path]
    command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", SCRATCH]
    for closed in (*hidden, "/dev", "/tmp", "/"):
        command += ["--remount-ro", closed]
    return [*command, "--chdir", SCRATCH]


def _scratch_folders() -> list[str]:
    """What each submission gets empty; not /tmp where Python or helpers lie in it."""
    inside = any(Path(folder).is_relative_to("/tmp") for folder in _folders())
    return [SCRATCH, "/dev/shm", *([] if inside else ["/tmp"])]


def _folders() -> list[str]:
    """Where Python, its packages and the helpers are, outside /usr; no folder twice."""
    paths = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    paths |= {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    paths |= {str(Path(sys.executable).resolve().parents[1]), str(_package())}
    if (helpers := find_spec("helpers")) and helpers.origin:  # students import it
        paths.add(str(Path(helpers.origin).resolve().parent))
    paths |= {os.path.realpath(path) for path in paths}
    kept: list[str] = []
    for path in sorted(paths):
        if not any(Path(path).is_relative_to(other) for other in ("/usr", *kept)):
            kept.append(path)
    return kept


def _advice(said: str) -> str:
    return (
        f"Submissions cannot be run in a sandbox here: {said[-600:]}\n"
        "On Debian and Ubuntu: apt install bubblewrap libseccomp2. On Ubuntu from "
        "24.04 on, in a container, on macOS and Windows: see 'Where it runs' in "
        "coursework/README.md. If every submission is code you would run as your own: "
        "--trust-submissions."
    )
