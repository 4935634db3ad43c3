"""A student's files of one assignment: all that came, and the one that counts."""

import csv
import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from layers_book.coursework.collect.notebook import Unreadable, file_bytes
from layers_book.coursework.course import parse_time

__all__ = ["Shelf", "Standing", "append", "iso", "mend", "rows"]

RECEIVED = re.compile(r"(\d{8}T\d{6}Z)-([0-9a-f]{12,64})\.ipynb")
COMPACT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Standing:
    """The submission that counts: its bytes, and when it came, in seconds."""

    data: bytes
    time: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


class Shelf:
    """Where a student's files of an assignment lie in a course folder.

    Args:
        course: the course folder.
        assignment: the assignment's name.
        student: the student's id.
    """

    def __init__(self, course: Path, assignment: str, student: str) -> None:
        self.student, self.assignment = student, assignment
        self.received = course / "received" / assignment / student
        folder = course / "submitted" / student / assignment
        self.notebook = folder / f"{assignment}.ipynb"
        self.timestamp = folder / "timestamp.txt"
        self._found: dict[str, list[tuple[int, Path]]] = {}
        if self.received.is_dir():
            for path in self.received.iterdir():
                if match := RECEIVED.fullmatch(path.name):
                    self._remember(match[2], _seconds(match[1]), path)

    def times(self, sha256: str) -> list[int]:
        """When these bytes came, in seconds since 1970, for each time they did."""
        return [time for time, _ in self._copies(sha256)]

    def store(self, data: bytes, sha256: str, time: int) -> None:
        """Keep the bytes as they came; what is there stays as it is."""
        if time in self.times(sha256):
            return
        stamp = datetime.fromtimestamp(time, UTC).strftime(COMPACT)
        path = self.received / f"{stamp}-{sha256[:12]}.ipynb"
        if not _write_new(path, data):  # other bytes whose hash begins alike
            path = self.received / f"{stamp}-{sha256}.ipynb"
            _write_new(path, data)
        self._remember(sha256, time, path)

    def submit(self, data: bytes, time: int) -> None:
        """Make it the submission that counts."""
        _write(self.notebook, data)
        self._write_time(time)

    def standing(self) -> Standing | None:
        """The submission that counts, if there is one, its time put right.

        A run that was killed between the notebook and its time leaves another's time.
        """
        try:
            data = file_bytes(self.notebook)
        except Unreadable:
            self._move_away()
            return None
        found = Standing(data, self._read_time())
        times = self.times(found.sha256)
        if times and found.time not in times:
            found = Standing(data, max(times))
            self._write_time(found.time)
        return found

    def _copies(self, sha256: str) -> Iterator[tuple[int, Path]]:
        for time, path in self._found.get(sha256[:12], []):
            try:
                data = file_bytes(path)
            except Unreadable:
                continue
            if hashlib.sha256(data).hexdigest() == sha256:
                yield time, path

    def _remember(self, digits: str, time: int, path: Path) -> None:
        self._found.setdefault(digits[:12], []).append((time, path))

    def _read_time(self) -> int:
        try:
            text = self.timestamp.read_text(encoding="utf-8")
            return int(parse_time(text.strip()).timestamp())
        except (OSError, ValueError):
            return int(self.notebook.stat().st_mtime)

    def _write_time(self, time: int) -> None:
        text = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC\n")
        _write(self.timestamp, text.encode())

    def _move_away(self) -> None:
        """Keep what lies in the submission's place and cannot be read as a file."""
        if os.path.lexists(self.notebook):
            self.received.mkdir(parents=True, exist_ok=True)
            name = f"replaced-{secrets.token_hex(6)}.ipynb"
            self.notebook.rename(self.received / name)


def mend(path: Path) -> None:
    """End the last line of a table that a killed run has left without an end."""
    if path.exists() and path.stat().st_size:
        with path.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


def append(
    path: Path, header: Sequence[str], lines: Iterable[Sequence[object]]
) -> None:
    """Add lines to a table, which gets its header with the first."""
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not file.tell():
            writer.writerow(header)
        writer.writerows([_safe_cell(str(cell)) for cell in line] for line in lines)


def rows(path: Path) -> list[dict[str, str]]:
    """The lines of a table that `append` has written; none if there is no file."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace").replace("\0", "")
    return [
        {key: (value or "").removeprefix("'") for key, value in row.items() if key}
        for row in csv.DictReader(text.split("\n"))
    ]


def iso(time: int) -> str:
    """Seconds since 1970 as ``2026-11-24T12:00:00Z``."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "'") else text


def _seconds(stamp: str) -> int:
    try:
        return int(datetime.strptime(stamp, COMPACT).replace(tzinfo=UTC).timestamp())
    except ValueError:  # a file that someone has renamed
        return 0


def _write(path: Path, data: bytes) -> None:
    """Put bytes in a file's place, so that at no time it holds a part of them."""
    with _beside(path, data) as part:
        part.replace(path)


def _write_new(path: Path, data: bytes) -> bool:
    """The same, but never over another file: whether the file now has these bytes."""
    with _beside(path, data) as part:
        try:
            os.link(part, path)
        except FileExistsError:
            return path.read_bytes() == data
        except OSError:  # a file system without links
            if path.exists():
                return path.read_bytes() == data
            part.rename(path)
    return True


@contextmanager
def _beside(path: Path, data: bytes) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
        yield part
    finally:
        part.unlink(missing_ok=True)
