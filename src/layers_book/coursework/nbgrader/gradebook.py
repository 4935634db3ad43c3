"""Grade records into nbgrader's database, for formgrader and ``nbgrader export``.

Marks of the machine and marks by hand live side by side there. What a person gave
(manual score, extra credit, comment) is never touched.

A submission that could not be graded has no machine marks and awaits marking by hand;
its comments say why. nbgrader itself counts a missing mark as 0 in its sums, so read
sums from `read_marks`, which tells the two apart.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from nbgrader import api
from sqlalchemy import select
from sqlalchemy.orm import Session

from layers_book.coursework.course import Course, student_id
from layers_book.coursework.grade.record import Record
from layers_book.coursework.nbgrader import batch
from layers_book.coursework.nbgrader.database import connect, database
from layers_book.coursework.nbgrader.formgrader import submitted_cells, write_autograded
from layers_book.coursework.nbgrader.registry import (
    Registered,
    kept_cells,
    register,
    register_students,
)
from layers_book.coursework.results.grades import Hand

__all__ = [
    "Mark",
    "Written",
    "read_marks",
    "submitted_cells",
    "update_penalties",
    "write",
    "write_autograded",
]

BATCH = 200  # submissions a transaction: formgrader waits no longer than for these

T = TypeVar("T")


class Mark(NamedTuple):
    """The marks of one cell of one submission, in points; ``None``: not given."""

    auto: float | None
    manual: float | None
    extra_credit: float | None
    needs_manual: bool

    @property
    def points(self) -> float | None:
        """The mark by hand, or else the machine's, and the extra credit."""
        mark = self.auto if self.manual is None else self.manual
        return self.extra_credit if mark is None else mark + (self.extra_credit or 0)


class Written(NamedTuple):
    """How many submissions were new, changed, and as they are already."""

    new: int
    changed: int
    same: int


def write(
    course: Course,
    name: str,
    records: Iterable[Record],
    done: Callable[[int], Any] = lambda _: None,
) -> Written:
    """Enter an assignment, its students and their marks into nbgrader's database.

    Writing the same again changes nothing. A mark by hand stays; where the machine's
    mark for the cell changes, or a later submission is written, it is flagged for
    review, as nbgrader does.

    Args:
        course: its ``source/NAME/NAME.ipynb`` says which cells there are.
        name: the assignment.
        records: one a student.
        done: called with the number of submissions of each batch that is stored.

    Raises:
        FileNotFoundError: there is no master.
        ValueError: a record is of another assignment, of other questions or points than
            the master has, or a student has two; what came before is stored.
    """
    notebook = kept_cells(course, name)
    engine = connect(course)
    with Session(engine) as session, session.begin():
        known = register(session, course, name, notebook)
        register_students(session, course.roster.values())
    new, changed, total = 0, 0, 0
    seen: set[str] = set()
    for some in _batches(records, BATCH):
        for record in some:
            _check(record, name, seen, known)
        with Session(engine) as session, session.begin():
            writer = batch.Batch(session, course, name, known)
            writer.write({record["student"]: record for record in some})
        new += len(writer.new)
        changed += len(writer.changed - writer.new)
        total += len(some)
        done(len(some))
    return Written(new, changed, total - new - changed)


def read_marks(course: Course, name: str) -> dict[str, dict[str, Mark]]:
    """All marks of an assignment: by student, by nbgrader's id of the cell."""
    marks: dict[str, dict[str, Mark]] = {}
    if not database(course).exists():
        return marks
    grade = api.Grade
    query = (
        select(
            api.SubmittedAssignment.student_id,
            api.BaseCell.name,
            grade.auto_score,
            grade.manual_score,
            grade.extra_credit,
            grade.needs_manual_grade,
        )
        .join_from(grade, api.SubmittedNotebook, grade.notebook)
        .join(api.SubmittedNotebook.assignment)
        .join(api.SubmittedAssignment.assignment)
        .join(api.Notebook, api.SubmittedNotebook.notebook)
        .join(api.BaseCell, grade.cell)
        .where(api.Assignment.name == name, api.Notebook.name == name)
        .order_by(api.SubmittedAssignment.student_id)
    )
    with connect(course, write=False).begin() as connection:
        for student, cell, *mark in connection.execute(query):
            marks.setdefault(student, {})[cell] = Mark(*mark)
    return marks


def by_hand(course: Course, name: str) -> dict[str, dict[str, Hand]]:
    """What people have given in formgrader: by student and id of the cell.

    Points are set where a mark or extra credit was given by hand; a comment to an
    answer stands under the answer's own id.
    """
    found: dict[str, dict[str, Hand]] = {}
    for student, cells in read_marks(course, name).items():
        for cell, mark in cells.items():
            if mark.manual is not None or mark.extra_credit:
                found.setdefault(student, {})[cell] = (mark.points, "")
    if not database(course).exists():
        return found
    query = (
        select(
            api.SubmittedAssignment.student_id,
            api.BaseCell.name,
            api.Comment.manual_comment,
        )
        .join_from(api.Comment, api.SubmittedNotebook, api.Comment.notebook)
        .join(api.SubmittedNotebook.assignment)
        .join(api.SubmittedAssignment.assignment)
        .join(api.BaseCell, api.Comment.cell)
        .where(api.Assignment.name == name, api.Comment.manual_comment.is_not(None))
    )
    with connect(course, write=False).begin() as connection:
        for student, cell, comment in connection.execute(query):
            points, _ = found.get(student, {}).get(cell, (None, ""))
            found.setdefault(student, {})[cell] = (points, comment)
    return found


def update_penalties(course: Course, name: str) -> int:
    """Compute the late penalties anew, in points of what is earned by now.

    They depend on marks by hand, so do this before an export by nbgrader.

    Returns:
        How many have changed.
    """
    if not database(course).exists():
        return 0
    with Session(connect(course)) as session, session.begin():
        return len(batch.update_penalties(session, course, name))


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some


def _check(record: Record, name: str, seen: set[str], known: Registered) -> None:
    student = student_id(record["student"])
    if record["assignment"] != name:
        raise ValueError(f"a record of {record['assignment']!r}, not of {name!r}")
    if student in seen:
        raise ValueError(f"two records of the student {student!r}: one is needed")
    seen.add(student)
    for question in record["questions"]:
        grade_id = batch.grade_id_of(question, known)
        if grade_id not in known.graded:
            allowed = ", ".join(known.graded)
            raise ValueError(
                f"the record of {student!r} has the question {question['name']!r}, the"
                f" master the cells {allowed}: release or grade again"
            )
        most = known.graded[grade_id][1]
        if question["max_points"] != most:
            raise ValueError(
                f"the record of {student!r} gives {question['name']!r} at most"
                f" {question['max_points']:g} points, the master {most:g}: grade again"
            )
