"""One transaction of the gradebook: a batch of submissions, marked by machine."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from nbgrader import api
from nbgrader.api import new_uuid
from sqlalchemy import and_, bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from layers_book.coursework.course import Course
from layers_book.coursework.grade.record import QuestionRecord, Record
from layers_book.coursework.nbgrader.registry import Registered, utc
from layers_book.coursework.nbgrader.showing import soften

__all__ = ["Batch", "grade_id_of", "update_penalties"]

LONGEST = 1000  # characters of one text in a comment


def grade_id_of(question: QuestionRecord, known: Registered) -> str:
    """The cell that holds a question's points."""
    check = f"{question['name']}-check"
    return check if check in known.graded else question["name"]


class Batch:
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
        late = update_penalties(self.session, self.course, self.name, list(records))
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
        questions = {grade_id_of(q, self.known): q for q in record["questions"]}
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
    if question["state"] in ("not answered", "missing"):
        return "No response."
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


def update_penalties(
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
