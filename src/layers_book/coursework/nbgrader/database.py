"""nbgrader's database: made as nbgrader makes it, opened for one writer, and what it
knows of an assignment: its notebook, cells and students.
"""

import json
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from alembic.script import ScriptDirectory
from nbgrader import api
from nbgrader.dbutil import ALEMBIC_DIR
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)
from nbgrader.utils import is_grade, is_locked, is_solution
from sqlalchemy import (
    URL,
    Engine,
    NullPool,
    create_engine,
    delete,
    event,
    insert,
    make_url,
    or_,
    select,
)
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session
from traitlets.config import Config, PyFileConfigLoader
from traitlets.config.loader import ConfigFileNotFound

from layers_book.coursework.course import Course, Student
from layers_book.coursework.files import beside

__all__ = [
    "Registered",
    "connect",
    "database",
    "master_cells",
    "nbgrader_config",
    "register",
    "register_students",
    "utc",
]

COURSE_ID = "default_course"  # what nbgrader's Gradebook calls a course by default
WAIT = 60  # seconds that a writer waits for another one
FOLDERS = ("source", "release", "submitted", "autograded", "feedback")


@dataclass(frozen=True)
class Registered:
    """The database's ids of an assignment, of its notebook, and of cells by name."""

    assignment: str
    notebook: str
    graded: dict[str, tuple[str, float]]  # with the most points
    solutions: dict[str, str]


def connect(course: Course, *, write: bool = True) -> Engine:
    """The database of a course, made if there is none.

    Each transaction of a writer excludes every other writer, formgrader among them,
    from its begin on, so that what it has read is still true when it writes.

    Raises:
        ValueError: the course's ``nbgrader_config.py`` has another kind of database
            than SQLite, or other folders than nbgrader's default ones.
    """
    path = database(course)
    if not path.exists():
        _create(path)
    engine = _engine(path)
    begin = "BEGIN IMMEDIATE" if write else "BEGIN"
    event.listen(engine, "connect", _leave_begin_to_us)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def database(course: Course) -> Path:
    """Where nbgrader's database lies: ``gradebook.db``, or as the course configures it.

    Raises:
        ValueError: see `connect`.
    """
    config = nbgrader_config(course).CourseDirectory
    for step in FOLDERS:
        folder = config.get(f"{step}_directory", step)
        if folder != step:
            raise _unlike(f"{step}_directory", folder, repr(step))
    structure = config.get("directory_structure", None)
    usual = str(Path("{nbgrader_step}", "{student_id}", "{assignment_id}"))
    if structure not in (None, usual):
        raise _unlike("directory_structure", structure, repr(usual))
    address = config.get("db_url", "")
    if not address:
        return course.gradebook
    try:
        url = make_url(address)
    except ArgumentError:
        raise _unlike("db_url", address, "sqlite:///PATH") from None
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        raise _unlike("db_url", address, "sqlite:///PATH")
    return course.root / str(url.database)


def nbgrader_config(course: Course) -> Config:
    """What the course's ``nbgrader_config.py`` sets; empty where there is none."""
    try:
        loader = PyFileConfigLoader("nbgrader_config.py", path=str(course.root))
        return loader.load_config()
    except ConfigFileNotFound:
        return Config()


def _unlike(key: str, value: Any, allowed: str) -> ValueError:
    where = f"nbgrader_config.py: CourseDirectory.{key}"
    return ValueError(f"{where} = {value!r:.100}: {allowed} is needed")


def _engine(path: Path) -> Engine:
    url = URL.create("sqlite", database=str(path))
    return create_engine(url, poolclass=NullPool, connect_args={"timeout": WAIT})


def _leave_begin_to_us(connection: Any, _: Any) -> None:
    connection.isolation_level = None


def _create(path: Path) -> None:
    """Make the tables as ``nbgrader.api.Gradebook`` does, without running alembic.

    Gradebook starts ``alembic`` by name, so it fails where the environment's programs
    are not on PATH. The file is made beside its place, and linked there when complete:
    of two that are made at once the first stays.
    """
    with beside(path) as part:
        engine = _engine(part)
        api.Base.metadata.create_all(bind=engine)
        version = ScriptDirectory(ALEMBIC_DIR).get_current_head()
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"
            )
            connection.exec_driver_sql(
                "INSERT INTO alembic_version VALUES (?)", (version,)
            )
            connection.execute(insert(api.Course), {"id": COURSE_ID})
        with suppress(FileExistsError):
            path.hardlink_to(part)


def master_cells(course: Course, name: str) -> Any:
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
        ValueError: a cell is gone from the master that has points by hand.
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
    """Delete cells that the master no longer has, and the machine's points in them."""
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
