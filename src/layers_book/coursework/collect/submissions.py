"""A student's submissions of one assignment: all that came, and the one that counts."""

import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from layers_book.coursework.collect.archive import Entry, inside
from layers_book.coursework.collect.layouts import LAYOUTS, Layout, readings
from layers_book.coursework.collect.notebook import (
    LIMIT,
    Submission,
    TooLarge,
    Unreadable,
    file_bytes,
    read,
)
from layers_book.coursework.collect.paths import (
    PathInfo,
    attempt,
    is_zip,
    not_collected,
)
from layers_book.coursework.course import parse_time
from layers_book.coursework.files import (
    append_rows,
    mend,
    own_rows,
    sha256_of,
    write,
    write_new,
)

__all__ = ["FoundFile", "Ledger", "Receipt", "Submissions", "Times", "receive"]

RECEIVED = re.compile(r"(\d{8}T\d{6}Z)-([0-9a-f]{12,64})\.ipynb")
COMPACT = "%Y%m%dT%H%M%SZ"
State = Literal[
    "submitted",
    "resubmitted",
    "already received",
    "earlier than the one that counts",
    "not the one that counts",
    "rejected",
]
Order = tuple[Any, ...]
Rank = tuple[bool, int, Order]

ZIP_LIMIT = 5 * LIMIT  # bytes of a zip that a student has handed in
TOGETHER = 60  # seconds: an LMS stamps a student's files one after the other
AHEAD = 300  # seconds by which clocks may differ
REPORT = ("file", "student", "state", "reason", "sha256", "bytes", "time")
RECEIPTS = ("student", "assignment", "sha256", "time", "file")
CLEAR = (
    "its outputs make it so, most often: open it, choose Edit, Clear Outputs of All"
    " Cells, save, and collect that"
)
NO_IDS = "none of its cells has an nbgrader id"


@dataclass(frozen=True)
class Current:
    """The submission that counts: its bytes, and when it came, in seconds."""

    data: bytes
    time: int

    @property
    def sha256(self) -> str:
        return sha256_of(self.data)


class Submissions:
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
        if not write_new(path, data):  # other bytes whose hash begins alike
            path = self.received / f"{stamp}-{sha256}.ipynb"
            write_new(path, data)
        self._remember(sha256, time, path)

    def submit(self, data: bytes, time: int) -> None:
        """Make it the submission that counts."""
        write(self.notebook, data)
        self._write_time(time)

    def current(self) -> Current | None:
        """The submission that counts, if there is one, its time put right.

        A run that was killed between the notebook and its time leaves another's time.
        """
        try:
            data = file_bytes(self.notebook)
        except Unreadable:
            self._move_away()
            return None
        found = Current(data, self._read_time())
        times = self.times(found.sha256)
        if times and found.time not in times:
            found = Current(data, max(times))
            self._write_time(found.time)
        return found

    def _copies(self, sha256: str) -> Iterator[tuple[int, Path]]:
        for time, path in self._found.get(sha256[:12], []):
            try:
                data = file_bytes(path)
            except Unreadable:
                continue
            if sha256_of(data) == sha256:
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
        write(self.timestamp, text.encode())

    def _move_away(self) -> None:
        """Keep what lies in the submission's place and cannot be read as a file."""
        if os.path.lexists(self.notebook):
            self.received.mkdir(parents=True, exist_ok=True)
            name = f"replaced-{secrets.token_hex(6)}.ipynb"
            self.notebook.rename(self.received / name)


def iso(time: int) -> str:
    """Seconds since 1970 as ``2026-11-24T12:00:00Z``."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(stamp: str) -> int:
    try:
        return int(datetime.strptime(stamp, COMPACT).replace(tzinfo=UTC).timestamp())
    except ValueError:  # a file that someone has renamed
        return 0


@dataclass(frozen=True)
class Receipt:
    """What became of one file of a download.

    Args:
        file: its path in the download.
        student: whose it is, or ``""`` if that is not known.
        state: as in the report.
        reason: why it is rejected, or what is odd about it.
        sha256: of its bytes, in hexadecimal, if it could be read as a file.
        bytes: how many, or 0.
        time: when it came in, in UTC, as ``2026-11-24T12:00:00Z``, or ``""``.
    """

    file: str
    student: str
    state: State
    reason: str = ""
    sha256: str = ""
    bytes: int = 0
    time: str = ""


@dataclass(frozen=True)
class FoundFile:
    """One file of a download.

    Args:
        entry: the file.
        info: what its path says.
        note: what is odd about that.
        sure: whether it is the student's beyond doubt.
    """

    entry: Entry
    info: PathInfo
    note: str = ""
    sure: bool = False


@dataclass(frozen=True)
class Times:
    """Times in seconds since 1970.

    Args:
        now: none is later.
        at: nor than this, unless Canvas marks it as late.
        default: of files without a time.
    """

    now: int
    at: int
    default: int


@dataclass
class _File:
    """One notebook; of a student's, the one of highest rank counts."""

    label: str
    time: int
    order: Order
    notes: list[str]
    found: FoundFile
    sha256: str = ""
    size: int = 0
    problem: str = ""
    has_ids: bool = False
    known: bool = False
    data: bytes = field(default=b"", repr=False)

    @property
    def rank(self) -> Rank:
        return self.has_ids, self.time, self.order


class Ledger:
    """The tables in ``received/NAME``: each file of each download, and the receipts.

    Args:
        folder: where they lie.
        assignment: its name.
        layouts: the table of them.
    """

    def __init__(
        self, folder: Path, assignment: str, layouts: Sequence[Layout] = LAYOUTS
    ) -> None:
        self._report = folder / "report.csv"
        self._receipts = folder / "receipts.csv"
        self._assignment = assignment
        self._layouts = layouts
        mend(self._report)
        mend(self._receipts)
        report, receipts = own_rows(self._report), own_rows(self._receipts)
        self._labels = {(row["student"], row["sha256"]): row["file"] for row in report}
        self._given = {(row["student"], row["sha256"]) for row in receipts}

    def label(self, student: str, sha256: str) -> str:
        """The path in its download of a file that came before, or ``""``."""
        return self._labels.get((student, sha256), "")

    def order(self, label: str) -> Order:
        """Which of two files is the later at equal times, by their paths."""
        return attempt(label, self._assignment, self._layouts)

    def number(self, label: str, layout: str) -> str:
        """The number in a place of whom a path names, or ``""``."""
        parts = label.split("/")
        for i, part in enumerate(parts):
            last = i == len(parts) - 1
            found = readings(part, self._assignment, not last, self._layouts)
            if found and found[0].layout.name == layout:
                return found[0].number
        return ""

    def write(self, receipts: list[Receipt]) -> None:
        """Report files; those kept get a receipt, even if a killed run left it out."""
        lines = [[getattr(each, name) for name in REPORT] for each in receipts]
        append_rows(self._report, REPORT, lines)
        kept = []
        for each in receipts:
            counts = each.state in ("submitted", "resubmitted")
            new = (each.student, each.sha256) not in self._given
            if each.student and each.sha256 and (counts or new):
                self._given.add((each.student, each.sha256))
                line = (each.student, self._assignment, each.sha256, each.time)
                kept.append((*line, each.file))
        append_rows(self._receipts, RECEIPTS, kept)


def receive(
    submissions: Submissions, found: list[FoundFile], times: Times, ledger: Ledger
) -> list[Receipt]:
    """Keep all that a download holds of a student, and submit the best if it is later.

    Raises:
        OSError: something cannot be written.
    """
    files: list[_File] = []
    best: _File | None = None
    for each, time, notes in _timed(found, times):
        for entry in _unzipped(each.entry):
            order = ledger.order(entry.label)
            file = _File(entry.label, time, order, list(notes), each)
            _keep(file, entry, submissions)
            files.append(file)
            beaten = file
            if not file.problem and (best is None or file.rank > best.rank):
                beaten, best = best or file, file
            if beaten is not best:
                beaten.data = b""  # no more than one is held in memory
    receipts = []
    for file in files:
        if file is best:
            state, note = _submit(file, submissions, ledger)
        elif file.known or (best and file.sha256 == best.sha256):
            state, note = "already received", file.problem
        elif file.problem:
            state, note = "rejected", file.problem
        else:
            assert best is not None
            state, note = _beaten(file, best)
        receipts.append(_receipt(file, submissions, state, note))
    ledger.write(receipts)
    return receipts


def _beaten(file: _File, best: _File) -> tuple[State, str]:
    """What is said of a readable file that does not count."""
    if file.time < best.time:
        return "earlier than the one that counts", ""
    if file.has_ids < best.has_ids:  # its notes say so
        return "not the one that counts", ""
    name = best.label.rsplit("/", 1)[-1]
    if file.order < best.order:
        reason = f"of the same time as {name!r:.60}, whose name is that of a later one"
    else:
        reason = (
            f"of the same time as {name!r:.60}, and no name says which is later: look"
            " at both"
        )
    return "not the one that counts", reason


def _timed(
    found: list[FoundFile], times: Times
) -> Iterator[tuple[FoundFile, int, list[str]]]:
    """With each file when it came in, and what is odd about that."""
    came = []
    for each in found:
        given = _given(each, times.default)
        latest = times.now if each.info.late else min(times.now, times.at)
        came.append(int(min(max(given, 0), latest)))
    # a place that writes no time stamps the files of its download as it makes it
    of_lms = all(
        each.info.owner and each.info.owner.layout != "plain" and not each.info.time
        for each in found
    )
    if of_lms and max(came) - min(came) <= TOGETHER:
        came = [max(came)] * len(came)
    for each, time in zip(found, came, strict=True):
        notes = [each.note] if each.note else []
        if each.info.late:
            notes.append("Canvas marks it as late")
        if _given(each, 0) > times.now + AHEAD:
            notes.append("its time lies in the future: taken as now")
        yield each, time, notes


def _given(found: FoundFile, default: float) -> float:
    """When it came in, as its path says, else as its file does."""
    for time in (found.info.time, found.entry.time):
        if time is not None:
            return time
    return default


def _unzipped(entry: Entry) -> list[Entry]:
    """The file itself, or the files of the zip that it is."""
    if not is_zip(entry.label):
        return [entry]
    try:
        found = inside(entry.load(ZIP_LIMIT), entry.label)
    except Unreadable as error:
        return [replace(entry, problem=str(error))]
    files = []
    for file in found:
        path = file.label[len(entry.label) + 1 :].split("/")
        problem = file.problem or not_collected(path)
        if not problem and is_zip(path[-1]):
            problem = "a zip in a zip: not opened"
        files.append(replace(file, problem=problem))
    return files or [replace(entry, problem="the zip is empty")]


def _keep(file: _File, entry: Entry, submissions: Submissions) -> None:
    """Read a file and put it among those received, unless it is there."""
    if entry.problem:
        file.problem = entry.problem
        return
    try:
        file.data = entry.load(LIMIT)
    except TooLarge as error:
        file.problem = f"{error}: {CLEAR}"
        return
    except Unreadable as error:
        file.problem = str(error)
        return
    file.size = len(file.data)
    file.sha256 = sha256_of(file.data)
    file.known = bool(submissions.times(file.sha256))
    try:
        file.has_ids = _has_ids(read(file.data))
    except Unreadable as error:
        file.problem = str(error)
    else:
        if not file.has_ids:
            file.notes.append(NO_IDS)
    if not file.known:
        submissions.store(file.data, file.sha256, file.time)


def _has_ids(notebook: Submission) -> bool:
    return any(cell.grade_id for cell in notebook.cells)


def _submit(best: _File, submissions: Submissions, ledger: Ledger) -> tuple[State, str]:
    """Make it count if it is later than what does."""
    current = submissions.current()
    if current is None:
        submissions.store(best.data, best.sha256, best.time)
        submissions.submit(best.data, best.time)
        return "submitted", ""
    if current.sha256 == best.sha256:
        return "already received", ""
    label = ledger.label(submissions.student, current.sha256)
    rank = _rank(current, ledger.order(label))
    other = _another(best.found, label, ledger)
    if other or best.rank > rank or (best.rank == rank and not best.known):
        submissions.store(current.data, current.sha256, current.time)
        submissions.store(best.data, best.sha256, best.time)
        submissions.submit(best.data, best.time)
        return "resubmitted", other
    if best.known:
        return "already received", ""
    if best.time >= current.time:
        return "rejected", f"the submission of {iso(current.time)} still counts"
    return "earlier than the one that counts", ""


def _another(found: FoundFile, label: str, ledger: Ledger) -> str:
    """Whether what counts came from another number than the student's, for people."""
    owner = found.info.owner
    if not (found.sure and owner and owner.number):
        return ""
    number = ledger.number(label, owner.layout)
    if number in ("", owner.number):
        return ""
    return f"it replaces the file of number {number:.40}, who is not this student"


def _rank(current: Current, order: tuple[int, ...]) -> Rank:
    try:
        has_ids = _has_ids(read(current.data))
    except Unreadable:
        return False, -1, order  # anything readable replaces it
    return has_ids, current.time, order


def _receipt(file: _File, submissions: Submissions, state: State, note: str) -> Receipt:
    times = submissions.times(file.sha256)
    time = file.time
    if state == "already received" and times:
        time = min(times)
    return Receipt(
        file=file.label,
        student=submissions.student,
        state=state,
        reason="; ".join([note, *file.notes] if note else file.notes),
        sha256=file.sha256,
        bytes=file.size,
        time=iso(time),
    )
