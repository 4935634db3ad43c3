"""The warm process: has imported torch, and forks one child a submission.

Inside the sandbox it is the only one with privileges. It reads jobs from its standard
input, passes on what the child writes without looking into it, and enforces the limits.
"""

import contextlib
import ctypes
import gc
import importlib
import os
import select
import signal
import struct
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from IPython.core.inputtransformer2 import TransformerManager
from matplotlib import pyplot

import helpers  # noqa: F401  (warm: students import it)
from layers_book.checking import function_run, module_run
from layers_book.checking.recording import record
from layers_book.coursework.sandbox.inside import run as inside
from layers_book.coursework.sandbox.inside.wire import decode, encode, packed_numbers

NEW_PIDS = 0x20000000  # CLONE_NEWPID
TICK = 0.05  # seconds between two looks at the memory
FRAMES = 10_000  # of an honest notebook a few dozen
GRACE = 2.0  # seconds that a process may take longer than it was told

# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
NAMESPACES = tuple(1 << bit for bit in (17, 25, 26, 27, 28, 29, 30))
# fmt: off
REFUSED = (
    "acct", "add_key", "adjtimex", "bpf", "chroot", "clock_adjtime", "clock_settime",
    "delete_module", "fanotify_init", "finit_module", "fsconfig", "fsmount", "fsopen",
    "fspick", "init_module", "io_uring_enter", "io_uring_register", "io_uring_setup",
    "ioperm", "iopl", "kcmp", "kexec_file_load", "kexec_load", "keyctl",
    "lookup_dcookie", "memfd_create", "memfd_secret", "mount", "mount_setattr",
    "move_mount", "move_pages", "mq_open", "msgget", "name_to_handle_at",
    "nfsservctl", "open_by_handle_at", "open_tree", "perf_event_open", "personality",
    "pidfd_getfd", "pidfd_open", "pivot_root", "process_madvise", "process_vm_readv",
    "process_vm_writev", "ptrace", "quotactl", "reboot", "request_key", "semget",
    "setdomainname", "sethostname", "setns", "settimeofday", "shmat", "shmctl",
    "shmget", "swapoff", "swapon", "syslog", "umount2", "unshare", "uselib",
    "userfaultfd", "vhangup",
)
# fmt: on


def main() -> None:
    """Serve jobs until the input ends."""
    arrives, leaves = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    os.set_inheritable(arrives, False)
    trusted = "--trusted" in sys.argv
    lock = None if trusted else _filter()
    _warm_up()
    _write(leaves, b"ready")
    following = _next if trusted else _next_apart
    while following(arrives, leaves, lock):
        pass


def _next_apart(arrives: int, leaves: int, lock: Any) -> bool:
    """Serve a job in a fork: its data stays in no memory that later jobs inherit."""
    pid = os.fork()
    if pid == 0:
        more = False
        try:
            more = _next(arrives, leaves, lock)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0 if more else 1)
    return os.waitpid(pid, 0)[1] == 0


def _next(arrives: int, leaves: int, lock: Any) -> bool:
    """Serve the next job, unless the input has ended."""
    if (head := _read(arrives)) is None or (job := _read(arrives)) is None:
        return False
    _write(leaves, encode(_serve(job, decode(head), lock)))
    return True


def _warm_up() -> None:
    """Import and run once what submissions will use, so that each child need not."""
    pyplot.switch_backend("Agg")
    torch.set_num_threads(1)
    x = torch.randn(5, 3, dtype=torch.float64)
    function = function_run(lambda generator: ((x.requires_grad_(),), {}))
    module = module_run(lambda generator: ({}, [x], x))
    for run, answer in (
        (function, torch.nn.functional.silu),
        (module, lambda: torch.nn.BatchNorm1d(3)),
    ):
        encode(packed_numbers(record(run.ask(answer, 0), ("nothing",))))
    importlib.import_module("torch._dynamo")  # else the first optimizer does it
    repr(x)
    TransformerManager().transform_cell("%time 1")
    gc.collect()
    gc.freeze()
    gc.disable()  # each child switches it on again


def _serve(job: bytes, limits: dict[str, Any], lock: Any) -> dict[str, Any]:
    """Fork a child for a job; its frames, and how it ended."""
    ours, theirs = os.pipe()
    if lock is not None:
        _next_child_in_own_pids()
    statm = Path("/proc/self/statm")
    pages = int(statm.read_text().split()[0]) if statm.exists() else 2**21
    limits["virtual_bytes"] = pages * os.sysconf("SC_PAGESIZE")
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ours)
            inside.main(job, theirs, limits, lock)
        finally:
            os._exit(0)
    os.close(theirs)
    try:
        return _watch(pid, ours, limits, watched=lock is not None)
    finally:
        os.close(ours)


def _next_child_in_own_pids() -> None:
    """The next fork is process 1 of a new namespace: with it die all its children."""
    if inside.libc.unshare(NEW_PIDS):
        number = ctypes.get_errno()
        raise OSError(number, f"no new process namespace: {os.strerror(number)}")


def _watch(
    pid: int, pipe: int, limits: dict[str, Any], watched: bool
) -> dict[str, Any]:
    """Collect a child's frames until it ends or breaks a limit, then end it."""
    received, complete, total = bytearray(), 0, 0
    frames: list[bytes] = []
    begun = step = looked = time.monotonic()
    enough = limits["memory_bytes"] // 2  # half, for what Linux says at once is rough
    ended, gone = "", False
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while not ended:
        ready = poll.poll(TICK * 1000)
        now = time.monotonic()
        if ready:
            data = os.read(pipe, 2**20)
            received += data
            total += len(data)
            if not data:
                ended = "over"
        else:
            gone = gone or os.waitpid(pid, os.WNOHANG)[0] != 0
            if gone:
                ended = "over"  # a grandchild may hold the pipe open
        if watched and not ended and now - looked > TICK:
            if _memory(enough) > limits["memory_bytes"]:
                ended = "memory"
            looked = time.monotonic()
        while len(received) >= complete + 4:
            (length,) = struct.unpack_from(">I", received, complete)
            if len(received) < complete + 4 + length:
                break
            frames.append(bytes(received[complete + 4 : complete + 4 + length]))
            complete += 4 + length
            step = now
        if complete > 2**16:
            del received[:complete]
            complete = 0
        if total > limits["output_bytes"] or len(frames) > FRAMES:
            ended = "output"
        elif now - step > limits["step_seconds"] + GRACE:
            ended = ended or "time"
        elif now - begun > limits["total_seconds"]:
            ended = ended or "total time"
    if not gone:
        _end(pid, watched)
    return {"ended": ended, "frames": frames}


def _end(pid: int, watched: bool) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL) if watched else os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _memory(enough: int) -> int:
    """Bytes held by the student's processes: all but this one and those above it.

    Pages that several processes share count once, which is slow to find out; not done
    where all is below ``enough`` although each counts them.
    """
    own = (1, os.getppid(), os.getpid())
    others = [
        folder
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and int(folder.name) not in own
    ]
    resident = os.sysconf("SC_PAGESIZE") * sum(
        int(text.split()[1]) for text in _texts(others, "statm")
    )
    if resident < enough:
        return resident
    rollups = _texts(others, "smaps_rollup")
    return 1024 * sum(int(t.split("\nPss:")[1].split(maxsplit=1)[0]) for t in rollups)


def _texts(folders: list[Path], name: str) -> Iterator[str]:
    for folder in folders:
        with contextlib.suppress(OSError):  # it may just have ended
            if text := (folder / name).read_text():
                yield text


def _filter() -> Any:
    """The system calls that no answer needs, refused."""
    import pyseccomp as seccomp

    lock = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in REFUSED:
        try:
            lock.add_rule(seccomp.ERRNO(1), name)  # EPERM
        except (ValueError, RuntimeError, OSError):
            continue  # not on this architecture
    lock.add_rule(seccomp.ERRNO(38), "clone3")  # ENOSYS: glibc then takes clone
    for flag in NAMESPACES:
        lock.add_rule(
            seccomp.ERRNO(1), "clone", seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag)
        )
    # MAP_SHARED | MAP_ANONYMOUS: unmapped but for a page, all of it stays, uncounted
    shared = seccomp.Arg(3, seccomp.MASKED_EQ, 0x21, 0x21)
    lock.add_rule(seccomp.ERRNO(12), "mmap", shared)  # ENOMEM
    lock.add_rule(seccomp.ERRNO(1), "socket", seccomp.Arg(0, seccomp.NE, 1))  # AF_UNIX
    return lock


def _read(descriptor: int) -> bytes | None:
    head = _exactly(descriptor, 4)
    return None if head is None else _exactly(descriptor, int.from_bytes(head, "big"))


def _exactly(descriptor: int, count: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < count:
        data = os.read(descriptor, min(2**20, count - len(parts)))
        if not data:
            return None
        parts += data
    return bytes(parts)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(len(data).to_bytes(4, "big") + data)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    main()
