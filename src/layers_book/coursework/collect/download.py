"""An LMS's export, in any mess, filed as submissions; what is not is told why."""

import fcntl
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from layers_book.coursework.collect.archive import Entry, opened
from layers_book.coursework.collect.filing import (
    Ledger,
    Limits,
    Receipt,
    Spot,
    file_student,
)
from layers_book.coursework.collect.layouts import (
    Owner,
    Place,
    not_collected,
    place,
    wrappers,
)
from layers_book.coursework.collect.notebook import Unreadable
from layers_book.coursework.collect.students import (
    Directory,
    Person,
    Unknown,
    directory,
    find,
    ids,
    knows,
)
from layers_book.coursework.collect.submissions import Shelf, append, mend, rows
from layers_book.coursework.course import (
    Course,
    assignment_name,
    parse_time,
    student_id,
)

__all__ = ["Receipt", "collect"]

STUDENTS = ("student", "layout", "name", "number")


def collect(
    source: str | Path,
    course: str | Path,
    assignment: str,
    *,
    now: datetime | None = None,
    at: datetime | None = None,
    roster: Iterable[Person] | None = None,
) -> list[Receipt]:
    """File all that an export holds; nothing is overwritten, no file goes untold.

    Each notebook is kept in ``received``, as it came; each student's latest readable
    one is put into ``submitted``. One with an nbgrader id goes before one without.
    Collecting the same again changes nothing.

    Args:
        source: a folder or zip, as Moodle's or Canvas's bulk download gives it, in
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
        A receipt for every file of the export, by its path.

    Raises:
        ValueError: the export, the roster or an argument is not as it must be.
        FileNotFoundError: there is no course folder.
        OSError: a file cannot be written; what is filed stays so, and collecting
            again goes on from there.
    """
    source, course = Path(source), Path(course)
    assignment_name(assignment)
    latest = _seconds("now", now or datetime.now(UTC))
    if not course.is_dir():
        raise FileNotFoundError(f"course={str(course)!r} is no folder")
    if source.resolve() in (course.resolve(), *course.resolve().parents):
        raise ValueError(f"source={str(source)!r} holds the course folder itself")
    if roster is None:
        roster = Course(course).roster.values()
    people = directory(roster)
    folder = course / "received" / assignment
    with opened(source) as entries:
        limits = Limits(
            now=latest,
            at=latest if at is None else _seconds("at", at),
            default=int(source.stat().st_mtime),
        )
        spots = _spots(entries, source, assignment, people)
        try:
            with _alone(folder):
                work, receipts = _by_student(spots, folder, people)
                ledger = Ledger(folder, assignment)
                ledger.write(receipts)
                for student, theirs in work.items():
                    shelf = Shelf(course, assignment, student)
                    receipts += file_student(shelf, theirs, limits, ledger)
        except OSError as error:
            where = error.filename2 or error.filename or folder
            raise OSError(
                error.errno,
                f"{where} cannot be written ({error.strerror}); what is filed stays"
                " filed: put it right and collect again",
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


def _spots(
    entries: list[Entry], source: Path, assignment: str, people: Directory
) -> list[tuple[Spot, str]]:
    """Each file with what its path says, and why it is not collected, or ``""``."""
    paths = [entry.label.split("/") for entry in entries]
    problems = [
        entry.problem or not_collected(path)
        for entry, path in zip(entries, paths, strict=True)
    ]
    candidates = [p for p, problem in zip(paths, problems, strict=True) if not problem]
    known = (lambda name: knows(people, name)) if people.people else None
    depth = wrappers(candidates, assignment, source.stem, known)
    inner = [path[depth:] or path[-1:] for path in paths]
    outer = {path[depth - 1] for path in candidates} if depth else {source.name}
    if outer == {"submitted"}:
        entries, problems = _nbgrader(entries, inner, problems, assignment)
    spots = []
    for entry, path, problem in zip(entries, inner, problems, strict=True):
        spot = Spot(entry, place(path, assignment))
        problem = problem or not_collected(path)
        if not problem and not spot.place.owner:
            problem = "it does not say whose it is: put it into a folder named so"
        spots.append((spot, problem))
    return spots


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
        elif len(path) > 2 and path[1] != assignment:
            problem = problem or f"of another assignment, {path[1]!r:.80}"
        found.append(replace(entry, time=times.get(path[0], entry.time)))
        reasons.append(problem)
    return found, reasons


def _by_student(
    spots: list[tuple[Spot, str]], folder: Path, people: Directory
) -> tuple[dict[str, list[Spot]], list[Receipt]]:
    """What there is of each student, and receipts for all that is nobody's."""
    if people.people:
        student_of = _by_roster(people)
    else:
        owners = [spot.place.owner for spot, problem in spots if not problem]
        student_of = _by_name([owner for owner in owners if owner], folder)
    work: dict[str, list[Spot]] = defaultdict(list)
    receipts = []
    for spot, problem in spots:
        student, note = student_of(spot.place)
        if problem or not student:
            label = spot.entry.label
            receipts.append(Receipt(label, student, "rejected", problem or note))
        else:
            work[student].append(Spot(spot.entry, spot.place, note))
    return work, receipts


def _by_roster(people: Directory) -> Callable[[Place], tuple[str, str]]:
    """What gives the id of a place, and what is odd about it; or no id, and why."""

    def student_of(place: Place) -> tuple[str, str]:
        try:
            return find(people, place) if place.owner else ("", "")
        except Unknown as error:
            return "", str(error)

    return student_of


def _by_name(owners: list[Owner], folder: Path) -> Callable[[Place], tuple[str, str]]:
    """The same where there is no roster; ids once given are kept in a table."""
    table = folder / "students.csv"
    mend(table)
    before = {
        Owner(row["layout"], row["name"], row["number"]).key: student_id(row["student"])
        for row in rows(table)
    }
    given = ids(owners, before)
    new = {owner.key: owner for owner in owners if owner.key not in before}
    append(
        table,
        STUDENTS,
        [
            (given[key], owner.layout, owner.name, owner.number)
            for key, owner in new.items()
        ],
    )
    return lambda place: (given.get(place.owner.key, "") if place.owner else "", "")
