"""nbgrader's database of a course: made as nbgrader makes it, opened for one writer."""

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from nbgrader.api import Base
from nbgrader.api import Course as CourseRow
from nbgrader.dbutil import ALEMBIC_DIR
from sqlalchemy import URL, Engine, NullPool, create_engine, event, insert, make_url
from sqlalchemy.exc import ArgumentError
from traitlets.config import Config, PyFileConfigLoader
from traitlets.config.loader import ConfigFileNotFound

from layers_book.coursework.course import Course

__all__ = ["COURSE_ID", "connect", "database", "nbgrader_config"]

COURSE_ID = "default_course"  # what nbgrader's Gradebook calls a course by default
WAIT = 60  # seconds that a writer waits for another one
FOLDERS = ("source", "release", "submitted", "autograded", "feedback")


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
    partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}.partial")
    engine = _engine(partial)
    try:
        Base.metadata.create_all(bind=engine)
        version = ScriptDirectory(ALEMBIC_DIR).get_current_head()
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"
            )
            connection.exec_driver_sql(
                "INSERT INTO alembic_version VALUES (?)", (version,)
            )
            connection.execute(insert(CourseRow), {"id": COURSE_ID})
        with suppress(FileExistsError):
            path.hardlink_to(partial)
    finally:
        partial.unlink(missing_ok=True)
