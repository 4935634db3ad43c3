"""An LMS's download, in any mess, sorted into submissions; what is not is told why."""

import fcntl
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from layers_book.coursework.collect import gradescope
from layers_book.coursework.collect.archive import Entry, opened
from layers_book.coursework.collect.layouts import LAYOUTS, Layout
from layers_book.coursework.collect.notebook import Unreadable
from layers_book.coursework.collect.paths import (
    Owner,
    PathInfo,
    not_collected,
    path_info,
    settled,
    wrappers,
)
from layers_book.coursework.collect.students import (
    Found,
    RosterIndex,
    Unknown,
    doubts,
    find,
    ids,
    index,
    knows,
    new_doubts,
)
from layers_book.coursework.collect.submissions import (
    FoundFile,
    Ledger,
    Receipt,
    Submissions,
    Times,
    receive,
)
from layers_book.coursework.course import (
    Course,
    Student,
    assignment_name,
    parse_time,
    student_id,
)
from layers_book.coursework.files import append_rows, mend, own_rows

__all__ = ["Receipt", "collect"]

STUDENTS = ("student", "layout", "name", "number")
Who = tuple[Owner, ...]
KEPT = ("submission_secret.txt", "variants.json")  # by nbgrader, and by our release
SUBMITTED = Layout("plain", "nbgrader's submitted folder", "", ids=True)


@dataclass(frozen=True)
class _Place:
    """What the paths of a download are read by."""

    assignment: str
    layouts: Sequence[Layout]
    people: RosterIndex


def collect(
    download: str | Path,
    course: str | Path,
    assignment: str,
    *,
    now: datetime | None = None,
    at: datetime | None = None,
    roster: Iterable[Student] | None = None,
) -> list[Receipt]:
    """Sort all that a download holds; nothing is overwritten, no file goes untold.

    Each notebook is kept in ``received``, as it came; each student's latest readable
    one is put into ``submitted``. One with an nbgrader id goes before one without.
    Collecting the same again changes nothing.

    Args:
        download: a folder or zip, as Moodle's or Canvas's bulk download gives it, in
            nbgrader's layout, or with one file or folder for each student. Its top
            names tell whose the files are, so it must not be made by a student.
        course: the course folder.
        assignment: the assignment's name.
        now: no file came later than this; the time of the call by default.
        at: nor than this, but for those that Canvas marks as late: Moodle and Canvas
            stamp the files of a zip with the time of the download.
        roster: the students; those of ``roster.csv`` by default. Without any, ids are
            made of the names.

    Returns:
        A receipt for every file of the download, by its path.

    Raises:
        ValueError: the download, the roster or an argument is not as it must be.
        FileNotFoundError: there is no course folder.
        OSError: a file cannot be written; what is done stays so, and collecting
            again goes on from there.
    """
    download, course = Path(download), Path(course)
    assignment_name(assignment)
    latest = _seconds("now", now or datetime.now(UTC))
    if not course.is_dir():
        raise FileNotFoundError(f"course={str(course)!r} is no folder")
    if download.resolve() in (course.resolve(), *course.resolve().parents):
        raise ValueError(f"download={str(download)!r} holds the course folder itself")
    home = Course(course)
    layouts = (*home.settings.layouts, *LAYOUTS)
    people = index(home.roster.values() if roster is None else roster, layouts)
    place = _Place(assignment, layouts, people)
    folder = course / "received" / assignment
    with opened(download) as entries:
        times = Times(
            now=latest,
            at=latest if at is None else _seconds("at", at),
            default=int(download.stat().st_mtime),
        )
        found = _found_files(entries, download, place)
        try:
            with _alone(folder):
                work, receipts = _by_student(found, folder, place)
                ledger = Ledger(folder, assignment, layouts)
                ledger.write(receipts)
                for student, theirs in work.items():
                    ours = Submissions(course, assignment, student)
                    receipts += receive(ours, theirs, times, ledger)
        except OSError as error:
            where = error.filename2 or error.filename or folder
            raise OSError(
                error.errno,
                f"{where} cannot be written ({error.strerror}); what is done stays"
                " done: put it right and collect again",
            ) from error
    return sorted(receipts, key=lambda receipt: receipt.file)


def _seconds(name: str, time: datetime) -> int:
    if time.tzinfo is None:
        raise ValueError(f"{name}={time}: a time zone is needed, as UTC")
    return int(time.timestamp())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process collects the same assignment."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:  # a process forked meanwhile holds the lock, too, until this
            fcntl.flock(lock, fcntl.LOCK_UN)


def _found_files(
    entries: list[Entry], download: Path, place: _Place
) -> list[tuple[FoundFile, str]]:
    """Each file with what its path says, and why it is not collected, or ``""``."""
    assignment, layouts, people = place.assignment, place.layouts, place.people
    paths = [entry.label.split("/") for entry in entries]
    problems = [
        entry.problem or not_collected(path)
        for entry, path in zip(entries, paths, strict=True)
    ]
    candidates = [p for p, problem in zip(paths, problems, strict=True) if not problem]
    known = (lambda name: knows(people, name)) if people.people else None
    depth = wrappers(candidates, assignment, download.stem, known, layouts)
    inner = [path[depth:] or path[-1:] for path in paths]
    outer = {path[depth - 1] for path in candidates} if depth else {download.name}
    if outer == {"submitted"}:
        entries, problems = _nbgrader(entries, inner, problems, assignment)
        infos = [PathInfo(Owner("plain", path[0]), layout=SUBMITTED) for path in inner]
    else:
        infos = settled([path_info(path, assignment, layouts) for path in inner])
        infos = gradescope.with_owners(infos, inner, entries)
    found = []
    for entry, path, problem, info in zip(entries, inner, problems, infos, strict=True):
        problem = info.problem or problem or not_collected(path, assignment, layouts)
        if not problem and not info.owner:
            problem = "it does not say whose it is: put it into a folder named so"
        found.append((FoundFile(entry, info), problem))
    return found


def _nbgrader(
    entries: list[Entry], paths: list[list[str]], problems: list[str], assignment: str
) -> tuple[list[Entry], list[str]]:
    """The same with nbgrader's times, and without its folders of other assignments."""
    times = {}
    found, reasons = [], []
    for entry, path in zip(entries, paths, strict=True):
        if path[1:] == [assignment, "timestamp.txt"]:
            with suppress(Unreadable, ValueError):
                text = entry.load(1000).decode().strip()
                times[path[0]] = parse_time(text).timestamp()
    for entry, path, problem in zip(entries, paths, problems, strict=True):
        if path[1:] == [assignment, "timestamp.txt"]:
            problem = "no submission, but nbgrader's time of one"
        elif path[1:-1] == [assignment] and path[-1] in KEPT:
            problem = "no submission, but a file that comes with one"
        elif len(path) > 2 and path[1] != assignment:
            problem = problem or f"of another assignment, {path[1]!r:.80}"
        found.append(replace(entry, time=times.get(path[0], entry.time)))
        reasons.append(problem)
    return found, reasons


def _by_student(
    found: list[tuple[FoundFile, str]], folder: Path, place: _Place
) -> tuple[dict[str, list[FoundFile]], list[Receipt]]:
    """What there is of each student, and receipts for all that is nobody's."""
    infos = [file.info for file, problem in found if not problem]
    table = _Table(folder, place.layouts)
    if place.people.people:
        students, reasons = _by_roster(infos, table, place)
    else:
        students, reasons = _by_name(infos, table)
    work: dict[str, list[FoundFile]] = defaultdict(list)
    receipts = []
    for file, problem in found:
        one = students.get(file.info.who)
        if one and not problem:
            work[one.student].append(replace(file, note=one.note, sure=one.sure))
            continue
        student = one.student if one else ""
        if problem and not one and file.info.who and place.people.people:
            with suppress(Unknown):
                student = find(place.people, file.info).student
        reason = problem or reasons[file.info.who]
        receipts.append(Receipt(file.entry.label, student, "rejected", reason))
    return work, receipts


class _Table:
    """Whom each download of an assignment meant: ``students.csv``, which only grows."""

    def __init__(self, folder: Path, layouts: Sequence[Layout]) -> None:
        self._path = folder / "students.csv"
        self._layouts = layouts
        mend(self._path)
        self.rows = self._read(self._path)

    def elsewhere(self) -> list[tuple[str, Owner]]:
        """The same of other assignments, of places whose numbers last."""
        lasting = {layout.name for layout in self._layouts if layout.lasts}
        paths = self._path.parent.parent.glob("*/students.csv")
        rows = [row for path in sorted(paths) for row in self._read(path)]
        return [row for row in rows if row[1].layout in lasting]

    def add(self, new: Iterable[tuple[str, Owner]]) -> None:
        """Write down who is who."""
        there = {(student, owner.key) for student, owner in self.rows}
        rows = [row for row in new if (row[0], row[1].key) not in there]
        append_rows(
            self._path,
            STUDENTS,
            [(s, owner.layout, owner.name, owner.number) for s, owner in rows],
        )

    def _read(self, path: Path) -> list[tuple[str, Owner]]:
        unique = {layout.name: layout.unique for layout in self._layouts}
        return [
            (
                student_id(row["student"]),
                Owner(
                    row["layout"],
                    row["name"],
                    row["number"],
                    unique=unique.get(row["layout"], False),
                ),
            )
            for row in own_rows(path)
        ]


def _by_roster(
    infos: list[PathInfo], table: _Table, place: _Place
) -> tuple[dict[Who, Found], dict[Who, str]]:
    """The students meant, or why that cannot be said."""
    students: dict[Who, Found] = {}
    reasons: dict[Who, str] = {}
    for info in infos:
        if info.who and info.who not in students:
            try:
                students[info.who] = find(place.people, info)
            except Unknown as error:
                reasons[info.who] = str(error)
    before = [*table.rows, *table.elsewhere()]
    doubtful = doubts(place.people, students.values(), before)
    for who, one in list(students.items()):
        if one.owner in doubtful:
            reasons[who] = doubtful[one.owner]
            del students[who]
    table.add(
        (one.student, one.owner)
        for one in students.values()
        if one.owner.number or not one.sure
    )
    return students, reasons


def _by_name(
    infos: list[PathInfo], table: _Table
) -> tuple[dict[Who, Found], dict[Who, str]]:
    """The same where there is no roster; ids once given are kept in a table."""
    reasons = new_doubts(infos, [owner for _, owner in table.rows])
    owners = [i.owner for i in infos if i.owner and i.who not in reasons]
    given = ids(owners, {owner.key: student for student, owner in table.rows})
    table.add((given[owner.key], owner) for owner in dict.fromkeys(owners))
    students: dict[Who, Found] = {}
    for owner in owners:
        students[(owner,)] = Found(given[owner.key], owner)
    return students, reasons
