"""What nbgrader's database knows of an assignment: its notebook, cells and students."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import nbformat
from nbgrader import api
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)
from nbgrader.utils import is_grade, is_locked, is_solution
from sqlalchemy import delete, insert, or_, select
from sqlalchemy.orm import Session

from layers_book.coursework.course import Course, Student
from layers_book.coursework.nbgrader.database import COURSE_ID, nbgrader_config

__all__ = ["Registered", "kept_cells", "register", "register_students", "utc"]


@dataclass(frozen=True)
class Registered:
    """The database's ids of an assignment, of its notebook, and of cells by name."""

    assignment: str
    notebook: str
    graded: dict[str, tuple[str, float]]  # with the most points
    solutions: dict[str, str]


def kept_cells(course: Course, name: str) -> Any:
    """The master as nbgrader's ``generate_assignment`` keeps it, an nbformat notebook.

    Raises:
        FileNotFoundError: there is no master.
        ValueError: it is no notebook that nbgrader takes.
    """
    path = course.source(name)
    if not path.is_file():
        where = path.relative_to(course.root)
        raise FileNotFoundError(f"assignment={name!r}: no {where}; release it first")
    config = nbgrader_config(course)
    try:
        notebook = nbformat.read(path, as_version=4)
        for step in (
            LockCells,
            ClearSolutions,
            ClearOutput,
            CheckCellMetadata,
            ComputeChecksums,
        ):
            notebook, _ = step(config=config).preprocess(notebook, {})
    except Exception as error:
        where = path.relative_to(course.root)
        raise ValueError(
            f"{where}: nbgrader does not take it: {error!s:.300}"
        ) from error
    return notebook


def register(session: Session, course: Course, name: str, notebook: Any) -> Registered:
    """Enter an assignment, as nbgrader's ``generate_assignment`` does.

    A due date that the course does not know is left as it is.

    Raises:
        ValueError: a cell is gone from the master that has marks by hand.
    """
    session.merge(api.Course(id=COURSE_ID))
    assignment = session.scalar(select(api.Assignment).filter_by(name=name))
    if assignment is None:
        assignment = api.Assignment(name=name, course_id=COURSE_ID)
        session.add(assignment)
    if due := course.due(name):
        assignment.duedate = utc(due)
    session.flush()
    place = {"name": name, "assignment_id": assignment.id}
    row = session.scalar(select(api.Notebook).filter_by(**place))
    if row is None:
        row = api.Notebook(**place)
        session.add(row)
    row.kernelspec = json.dumps(notebook.metadata.get("kernelspec", {}))
    session.flush()
    graded, solutions = _register_cells(session, row.id, notebook.cells)
    return Registered(assignment.id, row.id, graded, solutions)


def _register_cells(
    session: Session, notebook: str, cells: Iterable[Any]
) -> tuple[dict[str, tuple[str, float]], dict[str, str]]:
    wanted: dict[tuple[type, str], dict[str, Any]] = {}
    for cell in cells:
        meta = cell.metadata.get("nbgrader", {})
        graded, solution, locked = is_grade(cell), is_solution(cell), is_locked(cell)
        if graded:
            wanted[api.GradeCell, meta["grade_id"]] = {
                "max_score": float(meta["points"]),
                "cell_type": cell.cell_type,
            }
        if solution:
            wanted[api.SolutionCell, meta["grade_id"]] = {}
        if graded or solution or locked:
            wanted[api.SourceCell, meta["grade_id"]] = {
                "cell_type": cell.cell_type,
                "locked": locked,
                "source": cell.source,
                "checksum": meta.get("checksum"),
            }
    rows: dict[tuple[type, str], Any] = {
        (type(row), row.name): row
        for kind in (api.BaseCell, api.SourceCell)
        for row in session.scalars(select(kind).filter_by(notebook_id=notebook))
    }
    _remove(session, [rows.pop(key) for key in rows.keys() - wanted.keys()])
    for (kind, name), values in wanted.items():
        if (kind, name) not in rows:
            rows[kind, name] = kind(name=name, notebook_id=notebook, **values)
            session.add(rows[kind, name])
            session.flush()
            _extend_submissions(session, rows[kind, name])
        for key, value in values.items():
            setattr(rows[kind, name], key, value)
    session.flush()
    graded_rows = (row for row in rows.values() if isinstance(row, api.GradeCell))
    solution_rows = (row for row in rows.values() if isinstance(row, api.SolutionCell))
    return (
        {row.name: (row.id, row.max_score) for row in graded_rows},
        {row.name: row.id for row in solution_rows},
    )


def _remove(session: Session, rows: Sequence[Any]) -> None:
    """Delete cells that the master no longer has, and the machine's marks in them."""
    cells = [row for row in rows if isinstance(row, api.BaseCell)]
    ids = [row.id for row in cells]
    grade, comment = api.Grade, api.Comment
    by_hand = or_(grade.manual_score.is_not(None), grade.extra_credit.is_not(None))
    marked = select(grade.cell_id).where(grade.cell_id.in_(ids), by_hand)
    said = comment.manual_comment.is_not(None)
    commented = select(comment.cell_id).where(comment.cell_id.in_(ids), said)
    kept = {*session.scalars(marked), *session.scalars(commented)}
    if names := sorted({row.name for row in cells if row.id in kept}):
        raise ValueError(
            f"the master has no cell {', '.join(names)} any more, but there are marks"
            " or comments by hand: put it back, or delete them in formgrader"
        )
    session.execute(delete(grade).where(grade.cell_id.in_(ids)))
    session.execute(delete(comment).where(comment.cell_id.in_(ids)))
    for row in rows:
        session.delete(row)
    session.flush()


def _extend_submissions(session: Session, cell: Any) -> None:
    """Give the submissions that are there a grade or a comment in a new cell."""
    kinds = {api.GradeCell: api.Grade, api.SolutionCell: api.Comment}
    if type(cell) not in kinds:
        return
    submitted = api.SubmittedNotebook
    ids = session.scalars(
        select(submitted.id).where(submitted.notebook_id == cell.notebook_id)
    )
    rows = [{"cell_id": cell.id, "notebook_id": id} for id in ids]
    if rows:
        session.execute(insert(kinds[type(cell)]), rows)


def register_students(session: Session, students: Iterable[Student]) -> None:
    """Enter students; what the roster does not know of one is left as it is."""
    wanted = {student.id: _details(student) for student in students}
    there = {row.id: row for row in session.scalars(select(api.Student))}
    for id, details in wanted.items():
        if id not in there:
            session.add(api.Student(id=id, **details))
            continue
        for key, value in details.items():
            if getattr(there[id], key) != value:
                setattr(there[id], key, value)


def _details(student: Student) -> dict[str, str]:
    """nbgrader's columns, without those that are empty.

    >>> _details(Student("ada", "Ada King Lovelace"))
    {'first_name': 'Ada King', 'last_name': 'Lovelace'}
    >>> _details(Student("ada", "King Lovelace, Ada"))
    {'first_name': 'Ada', 'last_name': 'King Lovelace'}
    """
    name = student.name
    if "," in name:
        last, first = re.split(r"\s*,\s*", name, maxsplit=1)
    else:
        first, _, last = name.rpartition(" ")
    details = {
        "first_name": first.strip(),
        "last_name": last.strip(),
        "email": student.email,
        "lms_user_id": student.canvas or student.moodle,
    }
    return {key: value for key, value in details.items() if value}


def utc(time: datetime) -> datetime:
    """A time as nbgrader stores it, in UTC without saying so."""
    return time.replace(tzinfo=None)
