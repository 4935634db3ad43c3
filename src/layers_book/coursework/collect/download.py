"""An LMS's download, in any mess, sorted into submissions; what is not is told why."""

import fcntl
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from layers_book.coursework.collect.archive import Entry, opened
from layers_book.coursework.collect.notebook import Unreadable
from layers_book.coursework.collect.students import (
    Owner,
    PathInfo,
    RosterIndex,
    Unknown,
    find,
    ids,
    index,
    knows,
    not_collected,
    path_info,
    wrappers,
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
    if roster is None:
        roster = Course(course).roster.values()
    people = index(roster)
    folder = course / "received" / assignment
    with opened(download) as entries:
        times = Times(
            now=latest,
            at=latest if at is None else _seconds("at", at),
            default=int(download.stat().st_mtime),
        )
        found = _found_files(entries, download, assignment, people)
        try:
            with _alone(folder):
                work, receipts = _by_student(found, folder, people)
                ledger = Ledger(folder, assignment)
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
    entries: list[Entry], download: Path, assignment: str, people: RosterIndex
) -> list[tuple[FoundFile, str]]:
    """Each file with what its path says, and why it is not collected, or ``""``."""
    paths = [entry.label.split("/") for entry in entries]
    problems = [
        entry.problem or not_collected(path)
        for entry, path in zip(entries, paths, strict=True)
    ]
    candidates = [p for p, problem in zip(paths, problems, strict=True) if not problem]
    known = (lambda name: knows(people, name)) if people.people else None
    depth = wrappers(candidates, assignment, download.stem, known)
    inner = [path[depth:] or path[-1:] for path in paths]
    outer = {path[depth - 1] for path in candidates} if depth else {download.name}
    if outer == {"submitted"}:
        entries, problems = _nbgrader(entries, inner, problems, assignment)
    found = []
    for entry, path, problem in zip(entries, inner, problems, strict=True):
        file = FoundFile(entry, path_info(path, assignment))
        problem = problem or not_collected(path)
        if not problem and not file.info.owner:
            problem = "it does not say whose it is: put it into a folder named so"
        found.append((file, problem))
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
        elif len(path) > 2 and path[1] != assignment:
            problem = problem or f"of another assignment, {path[1]!r:.80}"
        found.append(replace(entry, time=times.get(path[0], entry.time)))
        reasons.append(problem)
    return found, reasons


def _by_student(
    found: list[tuple[FoundFile, str]], folder: Path, people: RosterIndex
) -> tuple[dict[str, list[FoundFile]], list[Receipt]]:
    """What there is of each student, and receipts for all that is nobody's."""
    if people.people:
        student_of = _by_roster(people)
    else:
        owners = [file.info.owner for file, problem in found if not problem]
        student_of = _by_name([owner for owner in owners if owner], folder)
    work: dict[str, list[FoundFile]] = defaultdict(list)
    receipts = []
    for file, problem in found:
        student, note = student_of(file.info)
        if problem or not student:
            label = file.entry.label
            receipts.append(Receipt(label, student, "rejected", problem or note))
        else:
            work[student].append(replace(file, note=note))
    return work, receipts


def _by_roster(people: RosterIndex) -> Callable[[PathInfo], tuple[str, str]]:
    """What gives the id of a place, and what is odd about it; or no id, and why."""

    def student_of(info: PathInfo) -> tuple[str, str]:
        try:
            return find(people, info) if info.owner else ("", "")
        except Unknown as error:
            return "", str(error)

    return student_of


def _by_name(
    owners: list[Owner], folder: Path
) -> Callable[[PathInfo], tuple[str, str]]:
    """The same where there is no roster; ids once given are kept in a table."""
    table = folder / "students.csv"
    mend(table)
    before = {
        Owner(row["layout"], row["name"], row["number"]).key: student_id(row["student"])
        for row in own_rows(table)
    }
    given = ids(owners, before)
    new = {owner.key: owner for owner in owners if owner.key not in before}
    append_rows(
        table,
        STUDENTS,
        [
            (given[key], owner.layout, owner.name, owner.number)
            for key, owner in new.items()
        ],
    )
    return lambda info: (given.get(info.owner.key, "") if info.owner else "", "")
