"""What came from one student, kept, and the one that counts put in its place."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from layers_book.coursework.collect.archive import Entry, inside
from layers_book.coursework.collect.layouts import Place, attempt, is_zip, not_collected
from layers_book.coursework.collect.notebook import LIMIT, Submission, Unreadable, read
from layers_book.coursework.collect.submissions import (
    Shelf,
    Standing,
    append,
    iso,
    mend,
    rows,
)

__all__ = ["Ledger", "Limits", "Receipt", "Spot", "file_student"]

State = Literal[
    "submitted",
    "resubmitted",
    "already received",
    "earlier than the one that counts",
    "rejected",
]
Rank = tuple[bool, int, tuple[int, ...]]

ZIP_LIMIT = 5 * LIMIT  # bytes of a zip that a student has handed in
TOGETHER = 60  # seconds: an LMS stamps a student's files one after the other
REPORT = ("file", "student", "state", "reason", "sha256", "bytes", "time")
RECEIPTS = ("student", "assignment", "sha256", "time", "file")
NO_IDS = "none of its cells has an nbgrader id"


@dataclass(frozen=True)
class Receipt:
    """What became of one file of an export.

    Args:
        file: its path in the export.
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
class Spot:
    """One file of an export, what its path says, and what is odd about that."""

    entry: Entry
    place: Place
    note: str = ""


@dataclass(frozen=True)
class Limits:
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
    order: tuple[int, ...]
    notes: list[str]
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
    """The tables in ``received/NAME``: each file of each export, and the receipts.

    Args:
        folder: where they lie.
        assignment: its name.
    """

    def __init__(self, folder: Path, assignment: str) -> None:
        self._report = folder / "report.csv"
        self._receipts = folder / "receipts.csv"
        self._assignment = assignment
        mend(self._report)
        mend(self._receipts)
        report, receipts = rows(self._report), rows(self._receipts)
        self._labels = {(row["student"], row["sha256"]): row["file"] for row in report}
        self._given = {(row["student"], row["sha256"]) for row in receipts}

    def label(self, student: str, sha256: str) -> str:
        """The path in its export of a file that came before, or ``""``."""
        return self._labels.get((student, sha256), "")

    def write(self, receipts: list[Receipt]) -> None:
        """Report files; those kept get a receipt, even if a killed run left it out."""
        lines = [[getattr(each, name) for name in REPORT] for each in receipts]
        append(self._report, REPORT, lines)
        kept = []
        for each in receipts:
            counts = each.state in ("submitted", "resubmitted")
            new = (each.student, each.sha256) not in self._given
            if each.student and each.sha256 and (counts or new):
                self._given.add((each.student, each.sha256))
                line = (each.student, self._assignment, each.sha256, each.time)
                kept.append((*line, each.file))
        append(self._receipts, RECEIPTS, kept)


def file_student(
    shelf: Shelf, spots: list[Spot], limits: Limits, ledger: Ledger
) -> list[Receipt]:
    """Keep all that an export holds of a student, and submit the best if it is later.

    Raises:
        OSError: something cannot be written.
    """
    files: list[_File] = []
    best: _File | None = None
    for spot, time, notes in _timed(spots, limits):
        for entry in _unzipped(spot.entry):
            order = _order(entry.label, shelf.assignment)
            file = _File(entry.label, time, order, list(notes))
            _keep(file, entry, shelf)
            files.append(file)
            beaten = file
            if not file.problem and (best is None or file.rank > best.rank):
                beaten, best = best or file, file
            if beaten is not best:
                beaten.data = b""  # no more than one is held in memory
    receipts = []
    for file in files:
        if file is best:
            state, note = _submit(file, shelf, ledger)
        elif file.known or (best and file.sha256 == best.sha256):
            state, note = "already received", file.problem
        elif file.problem:
            state, note = "rejected", file.problem
        else:
            state, note = "earlier than the one that counts", ""
        receipts.append(_receipt(file, shelf, state, note))
    ledger.write(receipts)
    return receipts


def _timed(spots: list[Spot], limits: Limits) -> Iterator[tuple[Spot, int, list[str]]]:
    """With each file when it came in, and what is odd about that."""
    times = []
    for spot in spots:
        given = limits.default if spot.entry.time is None else spot.entry.time
        latest = limits.now if spot.place.late else min(limits.now, limits.at)
        times.append(int(min(max(given, 0), latest)))
    of_lms = all(
        spot.place.owner and spot.place.owner.layout != "plain" for spot in spots
    )
    if of_lms and max(times) - min(times) <= TOGETHER:
        times = [max(times)] * len(times)
    for spot, time in zip(spots, times, strict=True):
        notes = [spot.note] if spot.note else []
        if spot.place.late:
            notes.append("Canvas marks it as late")
        if (spot.entry.time or 0) > limits.now:
            notes.append("its time lies in the future: taken as now")
        yield spot, time, notes


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


def _order(label: str, assignment: str) -> tuple[int, ...]:
    """Which of two files is the later at equal times, by the names on their path."""
    *outer, name = label.split("/")
    zips = [part for part in outer if is_zip(part)]
    named, kept, file, number = attempt(name, assignment)
    of_zip = attempt((zips or [name])[-1], assignment)
    return named, kept, max(file, of_zip[2]), of_zip[3], number


def _keep(file: _File, entry: Entry, shelf: Shelf) -> None:
    """Read a file and put it among those received, unless it is there."""
    if entry.problem:
        file.problem = entry.problem
        return
    try:
        file.data = entry.load(LIMIT)
    except Unreadable as error:
        file.problem = str(error)
        return
    file.size = len(file.data)
    file.sha256 = hashlib.sha256(file.data).hexdigest()
    file.known = bool(shelf.times(file.sha256))
    try:
        file.has_ids = _has_ids(read(file.data))
    except Unreadable as error:
        file.problem = str(error)
    else:
        if not file.has_ids:
            file.notes.append(NO_IDS)
    if not file.known:
        shelf.store(file.data, file.sha256, file.time)


def _has_ids(submission: Submission) -> bool:
    return any(cell.grade_id for cell in submission.cells)


def _submit(best: _File, shelf: Shelf, ledger: Ledger) -> tuple[State, str]:
    """Make it count if it is later than what does."""
    standing = shelf.standing()
    if standing is None:
        shelf.store(best.data, best.sha256, best.time)
        shelf.submit(best.data, best.time)
        return "submitted", ""
    if standing.sha256 == best.sha256:
        return "already received", ""
    label = ledger.label(shelf.student, standing.sha256)
    rank = _rank(standing, _order(label, shelf.assignment))
    if best.rank > rank or (best.rank == rank and not best.known):
        shelf.store(standing.data, standing.sha256, standing.time)
        shelf.store(best.data, best.sha256, best.time)
        shelf.submit(best.data, best.time)
        return "resubmitted", ""
    if best.known:
        return "already received", ""
    if best.time >= standing.time:
        return "rejected", f"the submission of {iso(standing.time)} still counts"
    return "earlier than the one that counts", ""


def _rank(standing: Standing, order: tuple[int, ...]) -> Rank:
    try:
        has_ids = _has_ids(read(standing.data))
    except Unreadable:
        return False, -1, order  # anything readable replaces it
    return has_ids, standing.time, order


def _receipt(file: _File, shelf: Shelf, state: State, note: str) -> Receipt:
    times = shelf.times(file.sha256)
    time = file.time
    if state == "already received" and times:
        time = min(times)
    return Receipt(
        file=file.label,
        student=shelf.student,
        state=state,
        reason="; ".join([note, *file.notes] if note else file.notes),
        sha256=file.sha256,
        bytes=file.size,
        time=iso(time),
    )
