"""A terminal in which the guide's commands run as a stranger types them."""

import os
import pwd
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
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


def ordinary() -> pwd.struct_passwd | None:
    """Somebody who is not root and can read the book; for root: another account."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    everyone = [user for user in pwd.getpwall() if 1000 <= user.pw_uid < 60_000]
    for user in [*everyone, pwd.getpwnam("nobody")]:
        reads = [sys.executable, "-c", "import layers_book"]
        try:
            subprocess.run(reads, cwd="/", check=True, **switched(user))
        except (OSError, subprocess.CalledProcessError):
            continue
        return user
    return None


def switched(user: pwd.struct_passwd) -> dict[str, object]:
    """What makes subprocess start something as this user."""
    if user.pw_uid == os.geteuid():
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


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
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment | {"PATH": self.path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **switched(self.user),
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        folder, self.path = state.read_text("utf8").splitlines()
        self.folder = Path(folder)
        return done.stdout

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Run a command beside the others, until `close`."""
        with (self.home / "said").open("ab") as said:
            process = subprocess.Popen(
                ["bash", "-c", command],
                cwd=self.folder,
                env=self.environment | {"PATH": self.path},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
                **switched(self.user),
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
