"""A terminal in which the guide's commands run as a stranger types them."""

import os
import pwd
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "coursework" / "README.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STATE = ".state"


class Block(NamedTuple):
    """One fenced block of the guide."""

    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        return self.text.splitlines()


def blocks() -> Iterator[Block]:
    """The guide's fenced blocks, in order."""
    for found in FENCE.finditer(GUIDE.read_text("utf8")):
        yield Block(*found.groups())


def ordinary() -> pwd.struct_passwd:
    """Somebody who is not root: who tests, or else another account of the machine."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    regular = [user for user in pwd.getpwall() if 1000 <= user.pw_uid < 60_000]
    return regular[0] if regular else pwd.getpwnam("nobody")


def switched(user: pwd.struct_passwd, place: Path) -> list[str]:
    """What goes before a command so that a user runs it.

    If the book or its Python lie in root's closed home, the user gets a view of the
    machine in which nothing else is in there.

    Args:
        user: whose command it is.
        place: an empty folder of root's.
    """
    if user.pw_uid == os.geteuid():
        return []
    python = Path(sys.executable).resolve().parents[1]
    needed = {ROOT, Path(sys.prefix), Path(sys.base_prefix), python}
    closed = {folder: folders[-1] for folder in needed if (folders := _closed(folder))}
    lines = ["set -e"]
    for number, folder in enumerate(sorted(closed)):
        (place / f"{number}").mkdir(parents=True, exist_ok=True)
        lines.append(f"mount --bind {quote(str(folder))} {quote(f'{place}/{number}')}")
    lines += [f"mount -t tmpfs -o mode=755 none {f}" for f in set(closed.values())]
    for number, folder in enumerate(sorted(closed)):
        lines.append(f"mkdir -p {quote(str(folder))}")
        lines.append(f"mount --bind {quote(f'{place}/{number}')} {quote(str(folder))}")
    ids = f"--reuid {user.pw_uid} --regid {user.pw_gid} --clear-groups"
    lines.append(f'exec setpriv {ids} --inh-caps=-all "$@"')
    return ["unshare", "--mount", "sh", "-c", "\n".join(lines), "sh"]


def _closed(folder: Path) -> list[Path]:
    """The folders on the way that others may not enter, the outermost last."""
    return [each for each in folder.parents if not each.stat().st_mode & stat.S_IXOTH]


class Terminal:
    """A shell of a user: its folder, its PATH and its home last from line to line.

    Args:
        home: an empty folder of theirs.
        user: whose.
        path: of programs, as in PATH.
    """

    def __init__(self, home: Path, user: pwd.struct_passwd, path: str) -> None:
        self.home, self.user = home, user
        home.mkdir()
        home.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(home, user.pw_uid, user.pw_gid)
        self.folder, self.path = home, path
        self._before = switched(user, home.with_name(f"{home.name}-view"))
        self.environment: dict[str, str] = {
            "HOME": str(home),
            "USER": user.pw_name,
            "LANG": "C.UTF-8",
        }
        self._running: list[subprocess.Popen[bytes]] = []

    def run(self, command: str) -> str:
        """What a command prints; it must succeed."""
        state = self.home / STATE
        script = (
            f'{command}\ncode=$?\nprintf "%s\\n" "$PWD" "$PATH" >{state}\nexit $code'
        )
        done = subprocess.run(
            [*self._before, "bash", "-c", script],
            cwd=self.folder,
            env=self.environment | {"PATH": self.path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        folder, self.path = state.read_text("utf8").splitlines()
        self.folder = Path(folder)
        return done.stdout

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Run a command beside the others, until `close`."""
        with (self.home / "said").open("ab") as said:
            process = subprocess.Popen(
                [*self._before, "bash", "-c", command],
                cwd=self.folder,
                env=self.environment | {"PATH": self.path},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self._running.append(process)
        return process

    def close(self) -> None:
        """End what `start` has started."""
        for process in self._running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()
        self._running.clear()

    def write(self, path: Path, content: str | bytes) -> None:
        """A file of the user's own."""
        missing = [f for f in path.parents if not f.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(data)
        if os.geteuid() == 0:
            for made in (*missing, path):
                os.chown(made, self.user.pw_uid, self.user.pw_gid)
