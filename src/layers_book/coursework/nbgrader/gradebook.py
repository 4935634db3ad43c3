"""Grade records into nbgrader's database, for formgrader and ``nbgrader export``.

Points of the machine and points by hand live side by side there. What a person gave
(manual score, extra credit, comment) is never touched.

A submission that could not be graded has no machine points and awaits marking by hand;
its comments say why. nbgrader itself counts a missing mark as 0 in its sums, so read
sums from `read_scores`, which tells the two apart.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from nbgrader import api
from nbgrader.api import new_uuid
from sqlalchemy import and_, bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from layers_book.coursework.course import Course, student_id
from layers_book.coursework.grade.record import QuestionRecord, Record
from layers_book.coursework.nbgrader.database import (
    Registered,
    connect,
    database,
    master_cells,
    register,
    register_students,
    utc,
)
from layers_book.coursework.nbgrader.formgrader import soften
from layers_book.coursework.results.grades import ByHand

__all__ = ["Scores", "Written", "by_hand", "read_scores", "update_penalties", "write"]

LONGEST = 1000  # characters of one text in a comment
BATCH = 200  # submissions a transaction: formgrader waits no longer than for these

T = TypeVar("T")


class Scores(NamedTuple):
    """The scores of one cell of one submission, as nbgrader has them; or ``None``."""

    auto: float | None
    manual: float | None
    extra_credit: float | None
    needs_manual: bool

    @property
    def points(self) -> float | None:
        """The points by hand, or else the machine's, and the extra credit."""
        score = self.auto if self.manual is None else self.manual
        return self.extra_credit if score is None else score + (self.extra_credit or 0)


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
    """Enter an assignment, its students and their points into nbgrader's database.

    Writing the same again changes nothing. Points by hand stay; where the machine's
    points for the cell change, or a later submission is written, it is flagged for
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
    notebook = master_cells(course, name)
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
            writer = _Batch(session, course, name, known)
            writer.write({record["student"]: record for record in some})
        new += len(writer.new)
        changed += len(writer.changed - writer.new)
        total += len(some)
        done(len(some))
    return Written(new, changed, total - new - changed)


def read_scores(course: Course, name: str) -> dict[str, dict[str, Scores]]:
    """All scores of an assignment: by student, by nbgrader's id of the cell."""
    found: dict[str, dict[str, Scores]] = {}
    if not database(course).exists():
        return found
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
        for student, cell, *scores in connection.execute(query):
            found.setdefault(student, {})[cell] = Scores(*scores)
    return found


def by_hand(course: Course, name: str) -> dict[str, dict[str, ByHand]]:
    """What people have given in formgrader: by student and id of the cell.

    Points are set where a score or extra credit was given by hand; a comment to an
    answer stands under the answer's own id.
    """
    found: dict[str, dict[str, ByHand]] = {}
    for student, cells in read_scores(course, name).items():
        for cell, scores in cells.items():
            if scores.manual is not None or scores.extra_credit:
                found.setdefault(student, {})[cell] = (scores.points, "")
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

    They depend on points by hand, so do this before an export by nbgrader.

    Returns:
        How many have changed.
    """
    if not database(course).exists():
        return 0
    with Session(connect(course)) as session, session.begin():
        return len(_update_penalties(session, course, name))


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
        grade_id = _grade_id(question, known)
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


def _grade_id(question: QuestionRecord, known: Registered) -> str:
    """The cell that holds a question's points."""
    check = f"{question['name']}-check"
    return check if check in known.graded else question["name"]


class _Batch:
    """One transaction: what the database has of a batch, and what it should have."""

    def __init__(
        self, session: Session, course: Course, name: str, known: Registered
    ) -> None:
        self.session, self.course, self.name, self.known = session, course, name, known
        self.new: set[str] = set()
        self.changed: set[str] = set()
        self.notebooks: dict[str, str] = {}  # ids by student
        self.inserts: dict[Any, list[dict[str, Any]]] = {}
        self.updates: dict[Any, list[dict[str, Any]]] = {}

    def write(self, records: Mapping[str, Record]) -> None:
        """Store what differs from the database, and only that."""
        self._load(list(records))
        for student, record in records.items():
            later = self._write_submission(student)
            self._write_grades(student, record, later)
            self._write_comments(student, record)
        for table, rows in self.inserts.items():
            if rows:
                self.session.execute(insert(table.__table__), rows)
        for table, rows in self.updates.items():
            _update_rows(self.session, table, rows)
        late = _update_penalties(self.session, self.course, self.name, list(records))
        self.changed |= late

    def _load(self, students: list[str]) -> None:
        query = select(api.Student.id).where(api.Student.id.in_(students))
        there = set(self.session.scalars(query))
        self.inserts[api.Student] = [{"id": id} for id in students if id not in there]
        submission, notebook = api.SubmittedAssignment, api.SubmittedNotebook
        ours = and_(
            notebook.assignment_id == submission.id,
            notebook.notebook_id == self.known.notebook,
        )
        rows = self.session.execute(
            select(
                submission.student_id,
                submission.id,
                submission.timestamp,
                submission.extension,
                notebook.id.label("notebook"),
            )
            .outerjoin(notebook, ours)
            .where(
                submission.assignment_id == self.known.assignment,
                submission.student_id.in_(students),
            )
        )
        self.submissions: dict[str, Any] = {row.student_id: row for row in rows}
        self.notebooks = {
            student: row.notebook
            for student, row in self.submissions.items()
            if row.notebook
        }
        self.grades = self._rows(
            api.Grade, ("auto_score", "manual_score", "needs_manual_grade")
        )
        self.comments = self._rows(api.Comment, ("auto_comment",))

    def _rows(self, table: Any, columns: tuple[str, ...]) -> dict[Any, Any]:
        names = ("id", "notebook_id", "cell_id", *columns)
        query = select(*(getattr(table, name) for name in names)).where(
            table.notebook_id.in_(list(self.notebooks.values()))
        )
        return {
            (row.notebook_id, row.cell_id): row for row in self.session.execute(query)
        }

    def _insert(self, table: Any, student: str, **values: Any) -> str:
        id: str = new_uuid()
        self.inserts.setdefault(table, []).append({"id": id, **values})
        self.changed.add(student)
        return id

    def _update(self, table: Any, student: str, row: Any, **values: Any) -> None:
        if any(getattr(row, key) != value for key, value in values.items()):
            self.updates.setdefault(table, []).append({"id": row.id, **values})
            self.changed.add(student)

    def _write_submission(self, student: str) -> bool:
        """Enter the submission; whether it is a later one than that in the database."""
        row = self.submissions.get(student)
        time = self.course.submitted_at(student, self.name)
        values = {
            "timestamp": utc(time) if time else None,
            "extension": self._extension(student, row),
        }
        if row is None:
            self.new.add(student)
            id = self._insert(
                api.SubmittedAssignment,
                student,
                assignment_id=self.known.assignment,
                student_id=student,
                **values,
            )
        else:
            id = row.id
            self._update(api.SubmittedAssignment, student, row, **values)
        if student not in self.notebooks:
            self.notebooks[student] = self._insert(
                api.SubmittedNotebook,
                student,
                assignment_id=id,
                notebook_id=self.known.notebook,
                flagged=False,
            )
        return row is not None and row.timestamp != values["timestamp"]

    def _extension(self, student: str, row: Any) -> timedelta | None:
        """nbgrader's; where the course has no due date, what the database has."""
        due = self.course.due(self.name)
        own = self.course.due(self.name, student)
        if due is None or own is None:
            return row.extension if row else None
        return own - due if own != due else None

    def _write_grades(self, student: str, record: Record, later: bool) -> None:
        questions = {_grade_id(q, self.known): q for q in record["questions"]}
        graded = record["state"] == "graded"
        for grade_id, (cell, _) in self.known.graded.items():
            question = questions.get(grade_id) if graded else None
            auto = question["points"] if question else None
            notebook = self.notebooks[student]
            row = self.grades.get((notebook, cell))
            if row is None:
                self._insert(
                    api.Grade,
                    student,
                    notebook_id=notebook,
                    cell_id=cell,
                    auto_score=auto,
                    needs_manual_grade=auto is None,
                )
                continue
            needs = row.needs_manual_grade
            if row.manual_score is None:
                needs = auto is None
            elif later or row.auto_score != auto:
                needs = True
            self._update(
                api.Grade, student, row, auto_score=auto, needs_manual_grade=needs
            )

    def _write_comments(self, student: str, record: Record) -> None:
        questions = {question["name"]: question for question in record["questions"]}
        for name, cell in self.known.solutions.items():
            comment = _comment(record, questions.get(name)) or None
            notebook = self.notebooks[student]
            row = self.comments.get((notebook, cell))
            if row is None:
                self._insert(
                    api.Comment,
                    student,
                    notebook_id=notebook,
                    cell_id=cell,
                    auto_comment=comment,
                )
            else:
                self._update(api.Comment, student, row, auto_comment=comment)


def _comment(record: Record, question: QuestionRecord | None) -> str:
    """What the machine says to an answer; markdown, in which nothing can be planted."""
    if record["state"] != "graded":
        return f"Could not be graded by machine: {_short(record['reason'])}"
    if question is None:
        return "Not graded by machine."
    reason = _short(question["reason"])
    if question["state"] == "waiting":
        return f"Not graded by machine, waits for points by hand: {reason}"
    if question["state"] == "not answered":
        return f"No response. {reason}".strip()
    lost = [part for part in question["parts"] if not part["passed"]]
    lines = [
        f"{_short(part['title'])}: {part['points']:g} of {part['max_points']:g} points"
        for part in lost
    ]
    said = {"": question["reason"], "Hint: ": question["hint"]}
    said |= {"Seen with ": question["seen"], "Error: ": question["error"]}
    lines += [f"{label}{_short(text)}" for label, text in said.items() if text]
    return "\n\n".join(lines)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return soften(line if len(line) <= LONGEST else f"{line[:LONGEST]} …")


def _update_penalties(
    session: Session, course: Course, name: str, students: list[str] | None = None
) -> set[str]:
    """Compute late penalties anew, of some students or of all.

    Returns:
        The students whose penalty has changed.
    """
    submission, notebook = api.SubmittedAssignment, api.SubmittedNotebook
    query = (
        select(
            submission.student_id,
            notebook.id,
            notebook.late_submission_penalty,
            func.coalesce(func.sum(api.Grade.score), 0.0),
        )
        .join_from(submission, notebook, notebook.assignment_id == submission.id)
        .join(api.Assignment, submission.assignment_id == api.Assignment.id)
        .join(api.Notebook, notebook.notebook_id == api.Notebook.id)
        .outerjoin(api.Grade, api.Grade.notebook_id == notebook.id)
        .where(api.Assignment.name == name, api.Notebook.name == name)
        .group_by(notebook.id)
    )
    if students is not None:
        query = query.where(submission.student_id.in_(students))
    changes: dict[str, dict[str, Any]] = {}
    for student, id, old, score in session.execute(query).all():
        penalty = course.late_fraction(student, name) * score or None
        if old != penalty:
            changes[student] = {"id": id, "late_submission_penalty": penalty}
    _update_rows(session, notebook, list(changes.values()))
    return set(changes)


def _update_rows(session: Session, table: Any, rows: list[dict[str, Any]]) -> None:
    """Update rows by their ``id``; all have the same columns."""
    if not rows:
        return
    columns = table.__table__.c
    values: dict[str, Any] = {
        key: bindparam(f"new_{key}") for key in rows[0] if key != "id"
    }
    query = update(table.__table__).where(columns.id == bindparam("new_id"))
    session.connection().execute(
        query.values(values),
        [{f"new_{key}": value for key, value in row.items()} for row in rows],
    )
