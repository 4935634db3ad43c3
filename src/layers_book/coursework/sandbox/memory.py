"""Memory as the kernel counts it: a limit for a sandbox, and what the machine has left.

A control group counts all that its processes make the kernel hold: sockets, pipes, page
tables, files in memory. It is used where we may make one: as root, and as an ordinary
user in a terminal or service whose group is the user's own.
"""

import itertools
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

RESERVE = 512 * 2**20  # of the machine, or a twentieth where that is less
PREFIX = "coursework-"  # of our groups' names
# by version: the limit, that with swap, what is used, what happened
FILES = {
    1: (
        "memory.limit_in_bytes",
        "memory.memsw.limit_in_bytes",
        "memory.usage_in_bytes",
        "memory.oom_control",
    ),
    2: ("memory.max", "memory.swap.max", "memory.current", "memory.events"),
}
_number = itertools.count()


def low() -> bool:
    """Whether the machine has so little memory left that a submission must end."""
    total, left = memory("MemTotal"), memory("MemAvailable")
    return left < min(RESERVE, total // 20)


def memory(name: str) -> int:
    """Bytes by name in /proc/meminfo; more than there can be where there is none."""
    with suppress(OSError):
        _, _, rest = Path("/proc/meminfo").read_text().partition(f"{name}:")
        return 1024 * int(rest.split(maxsplit=1)[0])
    return 2**62


class Group:
    """A control group of our own for the processes of one sandbox."""

    def __init__(self, folder: Path, version: int) -> None:
        self.folder, self._version = folder, version
        limit, swap, used, events = FILES[version]
        self._limit, self._swap = folder / limit, folder / swap
        self._used, self._events = folder / used, folder / events

    @classmethod
    def make(cls) -> "Group | None":
        """A new one below our own group or beside it, where that is allowed."""
        for folder, version in _places():
            _sweep(folder)
            group = cls(folder / f"{PREFIX}{os.getpid()}-{next(_number)}", version)
            with suppress(OSError):
                group.folder.mkdir()
                group.limit(2**50)
                entered = subprocess.run(group.entering(["true"]), capture_output=True)
                if entered.returncode == 0:
                    return group
            with suppress(OSError):
                group.folder.rmdir()
        return None

    def entering(self, command: Sequence[str]) -> list[str]:
        """A command that enters the group, then runs the given one in its place."""
        enter = 'echo $$ >"$0" && exec "$@"'
        return ["/bin/sh", "-c", enter, str(self.folder / "cgroup.procs"), *command]

    def limit(self, beyond: int) -> None:
        """Allow so many bytes beyond those that are used now, and no swap."""
        most = int(self._used.read_text()) + beyond
        self._limit.write_text(f"{most}")
        with suppress(OSError):  # there is no such file where swap is not counted
            self._swap.write_text("0" if self._version == 2 else f"{most}")

    def ended(self) -> int:
        """How many of its processes the kernel has ended at the limit."""
        words = self._events.read_text().split()
        return int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0

    def close(self) -> None:
        """Remove it once its processes have gone."""
        for _ in range(100):
            with suppress(OSError):
                self.folder.rmdir()
                return
            time.sleep(0.01)


def _places() -> Iterator[tuple[Path, int]]:
    """Folders in which a group may be made, and the interface's version."""
    own = _own_groups()
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            left, _, right = line.partition(" - ")
            root, mounted = left.split()[3:5]
            kind, _, options = right.split()[:3]
            name = "memory" if kind == "cgroup" else ""
            version = {"cgroup": 1, "cgroup2": 2}.get(kind, 0)
            if not version or name not in own or name not in ["", *options.split(",")]:
                continue
            here = Path(mounted, own[name].removeprefix(root).lstrip("/"))
            if version == 1:
                yield here, 1
                continue
            for folder in (here, *here.parents):
                if not folder.is_relative_to(mounted):
                    break
                control = folder / "cgroup.subtree_control"
                if control.exists() and "memory" in control.read_text().split():
                    yield folder, 2


def _own_groups() -> dict[str, str]:
    """Our group by controller; of version 2 that of the name ''."""
    found: dict[str, str] = {}
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, names, path = line.split(":", 2)
            found |= dict.fromkeys(names.split(","), path)
    return found


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed have left."""
    with suppress(OSError):
        for left in folder.glob(f"{PREFIX}*"):
            pid = left.name.removeprefix(PREFIX).partition("-")[0]
            if not Path("/proc", pid).exists():
                with suppress(OSError):
                    left.rmdir()
