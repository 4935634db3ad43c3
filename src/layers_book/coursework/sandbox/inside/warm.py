"""The warm process: has imported torch, and forks one child a submission.

Inside the sandbox it is the only one with privileges. It reads jobs from its standard
input, passes on what the child writes without looking into it, and enforces the limits.
"""

import contextlib
import ctypes
import gc
import importlib
import multiprocessing
import os
import pickle
import select
import signal
import struct
import sys
import time
import traceback
from collections.abc import Iterator
from multiprocessing.reduction import ForkingPickler
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
NAMESPACES = sum(1 << bit for bit in (17, 25, 26, 27, 28, 29, 30))
SHARED, NAMELESS, HUGE = 0x01, 0x20, 0x40000  # MAP_SHARED, MAP_ANONYMOUS, MAP_HUGETLB
NO_MEMORY, NO_SUCH_CALL = 12, 38  # ENOMEM, ENOSYS: what libraries know to do without
# what code may need that computes, starts processes and writes files; all else could
# lead out, or have the kernel hold memory that is counted nowhere
# fmt: off
ALLOWED = (
    "access", "alarm", "arch_prctl", "brk", "cacheflush", "capget", "chdir", "chmod",
    "chown", "clock_getres", "clock_gettime", "clock_nanosleep", "close",
    "close_range", "copy_file_range", "creat", "dup", "dup2", "dup3", "epoll_create",
    "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
    "eventfd", "eventfd2", "execve", "execveat", "exit", "exit_group", "faccessat",
    "faccessat2", "fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat",
    "fchmodat2", "fchown", "fchownat", "fdatasync", "fgetxattr", "flistxattr",
    "flock", "fork", "fstat", "fstatfs", "fsync", "ftruncate", "futex",
    "futex_waitv", "futimesat", "get_mempolicy", "get_robust_list", "getcpu",
    "getcwd", "getdents", "getdents64", "getegid", "geteuid", "getgid", "getgroups",
    "getitimer", "getpeername", "getpgid", "getpgrp", "getpid", "getppid",
    "getpriority", "getrandom", "getresgid", "getresuid", "getrlimit", "getrusage",
    "getsid", "getsockname", "getsockopt", "gettid", "gettimeofday", "getuid",
    "getxattr", "ioprio_get", "kill", "lchown", "lgetxattr", "link", "linkat",
    "listxattr", "llistxattr", "lseek", "lstat", "madvise", "membarrier", "mincore",
    "mkdir", "mkdirat", "mprotect", "mremap", "msync", "munmap", "nanosleep",
    "newfstatat", "open", "openat", "openat2", "pause", "pipe", "pipe2", "poll",
    "ppoll", "pread64", "preadv", "preadv2", "prlimit64", "pselect6", "pwrite64",
    "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv",
    "recvfrom", "recvmmsg", "recvmsg", "rename", "renameat", "renameat2",
    "restart_syscall", "riscv_flush_icache", "riscv_hwprobe", "rmdir", "rseq",
    "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
    "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo",
    "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity",
    "sched_getattr", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval",
    "sched_setaffinity", "sched_setparam", "sched_setscheduler", "sched_yield",
    "select", "sendmmsg", "sendmsg", "sendto", "set_robust_list", "set_tid_address",
    "setitimer", "setpgid", "setpriority", "setrlimit", "setsid", "shutdown",
    "sigaltstack", "signalfd", "signalfd4", "stat", "statfs", "statx", "symlink",
    "symlinkat", "sync_file_range", "sysinfo", "tgkill", "time", "timer_create",
    "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime",
    "timerfd_create", "timerfd_gettime", "timerfd_settime", "times", "tkill",
    "truncate", "umask", "uname", "unlink", "unlinkat", "utime", "utimensat",
    "utimes", "vfork", "wait4", "waitid", "write", "writev",
)
# by one argument: its number, and its values
ALLOWED_WITH = {
    "fcntl": (1, (0, 1, 2, 3, 4, 1030, 1032)),  # no locks, no larger pipes
    "ioctl": (1, (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)),  # isatty, FIO...
    "prctl": (0, (1, 2, 3, 15, 16, 23, 39)),  # signal of the parent's death, names
    "socketpair": (0, (1,)),  # AF_UNIX; no listener, whose queue could be long
}
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
    torch.compile = _as_it_is
    _send_by_value()
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


def _as_it_is(model: Any = None, **options: Any) -> Any:
    """In place of torch.compile, which takes longer than an answer may."""
    return model if model is not None else lambda model: model


def _send_by_value() -> None:
    """Let processes send each other tensors through pipes, and start by a fork.

    Descriptors of shared memory go through a listening socket, which none may open.
    """
    multiprocessing.set_start_method("fork", force=True)
    for kind in (torch.Tensor, torch.nn.Parameter, torch.storage.TypedStorage):
        ForkingPickler.register(kind, _by_value)


def _by_value(x: Any) -> Any:
    return x.__reduce_ex__(pickle.HIGHEST_PROTOCOL)


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
    ended, gone, closed = "", False, 0.0
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while not ended:
        ready = poll.poll(1 if closed else TICK * 1000)
        now = time.monotonic()
        if ready:
            data = os.read(pipe, 2**20)
            received += data
            total += len(data)
            if not data:
                poll.unregister(pipe)
                closed = now
        else:
            ended = _how(pid, limits, watched)
            gone = ended != ""  # a grandchild may hold the pipe open
            if closed and now - closed > GRACE:
                ended = ended or "over"
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


def _how(pid: int, limits: dict[str, Any], watched: bool) -> str:
    """How a child ended; nothing if it has not."""
    found, status, used = os.wait4(pid, os.WNOHANG)
    if found == 0:
        return ""
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if not watched or not killed:
        return "over"
    # as process 1 it cannot send itself this signal: it came from the kernel
    computed = used.ru_utime + used.ru_stime
    return "total time" if computed > limits["total_seconds"] else "killed"


def _end(pid: int, watched: bool) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL) if watched else os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _memory(enough: int) -> int:
    """Bytes held by the student's processes: all but this one and those above it.

    Pages that several processes share count once, which is slow to find out; not done
    where all is below ``enough`` although each counts them. Page tables count, too.
    """
    own = (1, os.getppid(), os.getpid())
    others = [
        folder
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and int(folder.name) not in own
    ]
    states = list(_texts(others, "status"))
    tables = sum(_field(text, "VmPTE") for text in states)
    resident = tables + sum(_field(text, "VmRSS") for text in states)
    if resident < enough:
        return resident
    return tables + sum(_field(t, "Pss") for t in _texts(others, "smaps_rollup"))


def _field(text: str, name: str) -> int:
    """Bytes by name in a file of /proc; 0 if it is not there, as of a zombie."""
    _, _, rest = text.partition(f"\n{name}:")
    return 1024 * int(rest.split(maxsplit=1)[0]) if rest else 0


def _texts(folders: list[Path], name: str) -> Iterator[str]:
    for folder in folders:
        with contextlib.suppress(OSError):  # it may just have ended
            if text := (folder / name).read_text():
                yield text


def _filter() -> Any:
    """The system calls that answers may need; every other does not exist."""
    import pyseccomp as seccomp

    lock = seccomp.SyscallFilter(seccomp.ERRNO(NO_SUCH_CALL))

    def rule(action: Any, name: str, *conditions: Any) -> None:
        # a name may be unknown on this architecture
        with contextlib.suppress(ValueError, RuntimeError, OSError):
            lock.add_rule(action, name, *conditions)

    for name in ALLOWED:
        rule(seccomp.ALLOW, name)
    for name, (number, values) in ALLOWED_WITH.items():
        for value in values:
            rule(seccomp.ALLOW, name, seccomp.Arg(number, seccomp.EQ, value))
    apart = seccomp.Arg(0, seccomp.MASKED_EQ, NAMESPACES, 0)
    rule(seccomp.ALLOW, "clone", apart)
    for kind in (0, SHARED, NAMELESS):
        mask = SHARED | NAMELESS | HUGE
        rule(seccomp.ALLOW, "mmap", seccomp.Arg(3, seccomp.MASKED_EQ, mask, kind))
    # shared and nameless: unmapped but for a page, all of it stays, uncounted
    both = SHARED | NAMELESS
    uncounted = seccomp.Arg(3, seccomp.MASKED_EQ, both, both)
    rule(seccomp.ERRNO(NO_MEMORY), "mmap", uncounted)
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
