"""The course folder: where everything lies, who takes part, what is due when."""

import math
import re
import secrets
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from layers_book.coursework.collect.layouts import (
    LAYOUTS,
    Layout,
    columns,
    own_layout,
)
from layers_book.coursework.files import Row, read_header, read_table, write

__all__ = ["Course", "Late", "Student", "parse_time"]

# what names a folder on every file system, and what nbgrader takes as a file glob
STUDENT = re.compile(r"(?!.*\.\Z)[^\W_][\w.@+-]*( [\w.@+-]+)*")
ASSIGNMENT = re.compile(r"(?!.*\.\Z)[A-Za-z0-9][A-Za-z0-9_.-]*")
LONGEST = 128  # characters, of nbgrader's columns
DAY = timedelta(days=1)
# by the columns that tell it: what other tables of a class are, and which of their
# columns are the roster's
TABLES = {
    ("sis login id",): (
        "Canvas's gradebook: save it as student,name,canvas, with student from SIS"
        " Login ID, name from Student, canvas from ID"
    ),
    ("orgdefinedid",): (
        "Brightspace's class list: save it as student,name,email, with student from"
        " OrgDefinedId or Username, name from First Name and Last Name"
    ),
    ("last name", "first name", "username"): (
        "Blackboard's grade centre: save it as student,name, with student from"
        " Username, name from First Name and Last Name"
    ),
    ("sid", "email"): (
        "Gradescope's roster: save it as student,name,email, with student from SID"
    ),
    ("identifier", "github_username"): (
        "GitHub Classroom's roster: save it as student,name,github, with student from"
        " identifier, github from github_username"
    ),
    ("email address",): (
        "Moodle's list of participants or grades: save it as student,name,email, with"
        " student from ID number or Username, email from Email address"
    ),
}
SETTINGS = "coursework.toml"
# what lies in a course's folder, of ours and of nbgrader's
CONTENTS = (
    SETTINGS,
    "roster.csv",
    "assignments",
    "source",
    "release",
    "submitted",
    "nbgrader_config.py",
)


@dataclass(frozen=True)
class Student:
    """One line of ``roster.csv``; ``id`` is nbgrader's, the rest may be empty.

    Args:
        id: nbgrader's student id.
        name: as people write it.
        email: an address.
        moodle: participant's number, or name and number, in Moodle.
        canvas: number in Canvas.
        places: what other places call the student, by the layout's name.
    """

    id: str
    name: str = ""
    email: str = ""
    moodle: str = ""
    canvas: str = ""
    places: Mapping[str, str] = field(default_factory=dict)

    def place(self, layout: str) -> str:
        """What a place calls the student, or ``""``."""
        own = {"moodle": self.moodle, "canvas": self.canvas}
        return own.get(layout) or self.places.get(layout, "")


@dataclass(frozen=True)
class Late:
    """The ``[late]`` table of ``coursework.toml``.

    Args:
        per_day: what each day started after the due time costs, as a fraction of the
            points earned, from 0 to 1.
        grace_minutes: work that is late by no more is on time.
        max_days: days started after which all is lost; none: never.
    """

    per_day: float = 0.0
    grace_minutes: float = 0.0
    max_days: int | None = None


@dataclass(frozen=True)
class Settings:
    """All of ``coursework.toml``.

    Args:
        salt: a secret, which makes the course's variants its own.
        late: what lateness costs.
        due: when each assignment that is listed is due, in UTC, if ever.
        layouts: how places of the teacher's own name files, before the known ones.
    """

    salt: str = ""
    late: Late = Late()
    due: Mapping[str, datetime | None] = field(default_factory=dict)
    layouts: tuple[Layout, ...] = ()


class Course:
    """A course folder, in nbgrader's own layout, read when made.

    Args:
        root: the folder; ``coursework.toml``, ``roster.csv`` and ``extensions.csv``
            in it are optional.

    Raises:
        ValueError: one of the three files has a mistake; says which file, where, what
            is allowed.
        FileNotFoundError: there is no folder ``root``.
    """

    def __init__(self, root: str | Path = ".") -> None:
        self.root = Path(root).resolve()
        if not self.root.is_dir():
            raise FileNotFoundError(f"root={str(root)!r} is no folder")
        self.settings = _settings(self.root / SETTINGS)
        layouts = (*self.settings.layouts, *LAYOUTS)
        self.roster = _roster(self.root / "roster.csv", columns(layouts))
        self.extensions = self._read_extensions(self.root / "extensions.csv")

    @property
    def begun(self) -> bool:
        """Whether the folder holds anything of a course."""
        return any((self.root / name).exists() for name in CONTENTS)

    def salt(self) -> str:
        """The secret of ``coursework.toml``; one is drawn and written there first.

        Raises:
            OSError: it cannot be written.
        """
        if not self.settings.salt:
            path, salt = self.root / SETTINGS, secrets.token_urlsafe(24)
            text = path.read_text("utf-8-sig") if path.exists() else ""
            said = "secret: the numbers of --variants follow from it"
            write(path, f'salt = "{salt}"  # {said}\n{text}')
            self.settings = replace(self.settings, salt=salt)
        return self.settings.salt

    @property
    def gradebook(self) -> Path:
        """nbgrader's database, where nbgrader looks for it by default."""
        return self.root / "gradebook.db"

    @property
    def certificates(self) -> Path:
        """The folder of what secures a Dask cluster."""
        return self.root / "certificates"

    def own_assignment(self, name: str) -> Path:
        """The folder of a teacher's own assignment."""
        return self.root / "assignments" / assignment_name(name)

    def source(self, name: str) -> Path:
        """nbgrader's master notebook, with solutions and hidden tests."""
        return self._notebook("source", name)

    def release(self, name: str, student: str = "") -> Path:
        """The notebook handed out, to all or, with variants, to one student."""
        if student:
            return self._notebook(f"release/{student_id(student)}", name)
        return self._notebook("release", name)

    def received(self, name: str, student: str = "") -> Path:
        """The folder of every file collected, of all or of one student."""
        folder = self.root / "received" / assignment_name(name)
        return folder / student_id(student) if student else folder

    def submitted(self, student: str, name: str) -> Path:
        """The notebook that counts; ``timestamp.txt`` lies beside it."""
        return self._notebook(f"submitted/{student_id(student)}", name)

    def autograded(self, student: str, name: str) -> Path:
        """The notebook that formgrader shows."""
        return self._notebook(f"autograded/{student_id(student)}", name)

    def feedback(self, student: str, name: str) -> Path:
        """The page for the student."""
        path = self._notebook(f"feedback/{student_id(student)}", name)
        return path.with_name(f"{name}.html")

    def records(self, name: str) -> Path:
        """The folder of an assignment's grade records."""
        return self.root / "records" / assignment_name(name)

    def exports(self, name: str) -> Path:
        """The folder of an assignment's tables, statistics and similarity report."""
        return self.root / "exports" / assignment_name(name)

    def _notebook(self, step: str, name: str) -> Path:
        return self.root / step / assignment_name(name) / f"{name}.ipynb"

    def students(self, name: str = "") -> list[str]:
        """The ids of those who take part, sorted.

        Args:
            name: an assignment; with it, only those who have submitted it.

        Returns:
            The roster's, or where there is none, those of the folders in
            ``submitted``; with ``name`` always the latter.
        """
        if self.roster and not name:
            return sorted(self.roster)
        pattern = f"*/{assignment_name(name)}/" if name else "*/"
        folders = (self.root / "submitted").glob(pattern)
        ids = (folder.parent.name if name else folder.name for folder in folders)
        return sorted(id for id in ids if STUDENT.fullmatch(id))

    def submitted_at(self, student: str, name: str) -> datetime | None:
        """When the submission that counts came in, in UTC; none where not known.

        Raises:
            ValueError: ``timestamp.txt`` holds no time.
        """
        path = self.submitted(student, name).with_name("timestamp.txt")
        try:
            text = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        try:
            return parse_time(text) if text else None
        except ValueError as error:
            raise ValueError(f"{path.relative_to(self.root)}: {error}") from None

    def due(self, name: str, student: str = "") -> datetime | None:
        """When an assignment is due, in UTC; none if never.

        Args:
            name: the assignment.
            student: with it, the student's extension, if any, is what counts.
        """
        common = self.settings.due.get(assignment_name(name))
        return self.extensions.get((student, name), common)

    def penalty(self, received: datetime | None, due: datetime | None) -> float:
        """What lateness costs, as a fraction of the points earned, from 0 to 1.

        Within the grace it costs nothing; beyond, each day started since the due time
        counts, and all is lost when more than ``max_days`` have started.

        Args:
            received: when the submission came in; not known: no penalty.
            due: when it was due; none: no penalty.
        """
        late = self.settings.late
        if received is None or due is None:
            return 0.0
        over = received - due
        if over <= timedelta(minutes=late.grace_minutes):
            return 0.0
        days = -(-over // DAY)
        if late.max_days is not None and days > late.max_days:
            return 1.0
        return min(1.0, round(days * late.per_day, 9))

    def late_fraction(self, student: str, name: str) -> float:
        """The penalty of a student's submission, as `penalty` gives it."""
        return self.penalty(self.submitted_at(student, name), self.due(name, student))

    def _read_extensions(self, path: Path) -> dict[tuple[str, str], datetime]:
        extensions: dict[tuple[str, str], datetime] = {}
        dated = self.settings.due
        for row in read_table(path, ("student", "assignment", "due")):
            student = row.parse("student", student_id)
            name = row.parse("assignment", assignment_name)
            if self.roster and student not in self.roster:
                raise row.error("student", "a student of roster.csv is needed")
            if dated and name not in dated:
                allowed = f"coursework.toml has {', '.join(sorted(dated))}"
                raise row.error("assignment", allowed)
            if (student, name) in extensions:
                raise row.error("student", f"{name} is extended for them above")
            extensions[student, name] = row.parse("due", parse_time)
        return extensions


def student_id(text: str) -> str:
    """The id itself if it can name a folder, and a file glob means only itself.

    Raises:
        ValueError: it cannot; says what is allowed.
    """
    if len(text) <= LONGEST and STUDENT.fullmatch(text):
        return text
    allowed = "letters, digits and _ . - @ + or single spaces, a letter or digit first"
    raise ValueError(
        f"student={text!r:.80}: {allowed}, no . last, at most {LONGEST} characters"
    )


def assignment_name(text: str) -> str:
    """The name itself if it can name a folder and an assignment of nbgrader.

    Raises:
        ValueError: it cannot; says what is allowed.
    """
    if len(text) <= LONGEST and ASSIGNMENT.fullmatch(text):
        return text
    allowed = "letters, digits and _ . -, a letter or digit first, no . last"
    raise ValueError(
        f"assignment={text!r:.80}: {allowed}, at most {LONGEST} characters"
    )


def parse_time(text: str | datetime) -> datetime:
    """A time in UTC; one without a zone is taken to be in UTC already.

    Args:
        text: as ``2026-12-01T18:00:00+01:00``, ``2026-12-01 17:00`` or, as nbgrader
            writes it, ``2026-12-01 17:00:00.5 UTC``.

    Raises:
        ValueError: it is no time, or a date alone, which names no end of the day.

    >>> parse_time("2026-12-01 18:00 +0100").isoformat()
    '2026-12-01T17:00:00+00:00'
    """
    time = text
    if isinstance(time, str):
        compact = re.sub(r" *(UTC|GMT|Z)\Z", "Z", time.strip())
        compact = re.sub(r" (?=[+-]\d\d:?\d\d\Z)", "", compact)
        try:
            date.fromisoformat(compact)
        except ValueError:
            with suppress(ValueError):
                time = datetime.fromisoformat(compact)
    if not isinstance(time, datetime):
        raise ValueError(
            f"{text!r:.60} is no time: write 2026-12-01T18:00:00Z, or +01:00 for"
            " another zone than UTC"
        )
    try:
        return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r:.60} lies outside the years 1 to 9999") from None


def _roster(path: Path, places: list[str]) -> dict[str, Student]:
    roster: dict[str, Student] = {}
    seen: dict[tuple[str, str], int] = {}
    _other_table(path)
    others = [place for place in places if place not in ("moodle", "canvas")]
    known = ("name", "email", "moodle", "canvas", *others)
    for row in read_table(path, ("student",), known):
        texts = {column: _whole(row, column) for column in ("student", *places)}
        try:
            id = student_id(texts["student"])
        except ValueError as error:
            raise ValueError(f"{row.where('student')}: {error}") from None
        student = Student(
            id,
            row["name"],
            row["email"],
            texts["moodle"],
            texts["canvas"],
            {place: texts[place] for place in others if texts[place]},
        )
        for column, text in texts.items():
            # folders of "ada" and "Ada" are one on some file systems
            key = (column, text.casefold())
            if text and seen.setdefault(key, row.line) != row.line:
                raise row.error(column, f"line {seen[key]} has it already")
        roster[student.id] = student
    return roster


def _whole(row: Row, column: str) -> str:
    """A number as it was before a spreadsheet took it for a quantity.

    Raises:
        ValueError: it has lost digits.
    """
    text = row[column]
    if re.fullmatch(r"[0-9]+([.,][0-9]+)?E\+?[0-9]+", text, re.IGNORECASE):
        raise row.error(
            column,
            "a spreadsheet has shortened it: give the column the format Text, enter the"
            " number again and save",
        )
    return re.sub(r"\A([0-9]+)[.,]0+\Z", r"\1", text)


def _other_table(path: Path) -> None:
    """Say of a table that another program has exported how it becomes a roster."""
    header = set(read_header(path))
    mine = "name" if "sis login id" in header else "student"
    for needed, text in TABLES.items():
        if header.issuperset(needed) and mine not in header:
            raise ValueError(f"{path.name} line 1: this is {text}")


def _settings(path: Path) -> Settings:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return Settings()
    except ValueError as error:
        raise ValueError(f"coursework.toml: {error}") from None
    _only(data, "", {"salt", "late", "assignments", "layouts"})
    late = _table(data, "late")
    _only(late, "late.", {"per_day", "grace_minutes", "max_days"})
    days = late.get("max_days")
    if not (days is None or (type(days) is int and days >= 0)):
        raise _wrong("late.max_days", days, "a whole number of days from 0")
    salt = data.get("salt", "")
    if not isinstance(salt, str) or (not salt and "salt" in data):
        raise _wrong("salt", salt, "a secret text in quotes, or no such line,")
    due = {}
    for name in _table(data, "assignments"):
        try:
            assignment_name(name)
        except ValueError as error:
            raise ValueError(f"coursework.toml: {error}") from None
        table = _table(data["assignments"], name, "assignments.")
        _only(table, f"assignments.{name}.", {"due"})
        due[name] = _due(name, table)
    per_day = _number(late, "per_day", 1.0)
    when = Late(per_day, _number(late, "grace_minutes"), days)
    return Settings(salt, when, due, _layouts(data))


def _layouts(data: dict[str, Any]) -> tuple[Layout, ...]:
    found = []
    for name in _table(data, "layouts"):
        table = _table(data["layouts"], name, "layouts.")
        try:
            found.append(own_layout(name, table))
        except ValueError as error:
            raise ValueError(f"coursework.toml: {error}") from None
    return tuple(found)


def _due(name: str, table: dict[str, Any]) -> datetime | None:
    if "due" not in table:
        return None
    try:
        return parse_time(table["due"])
    except ValueError as error:
        key = f"assignments.{name}.due"
        raise ValueError(f"coursework.toml: {key}: {error}") from None


def _wrong(key: str, value: Any, allowed: str) -> ValueError:
    return ValueError(f"coursework.toml: {key} = {value!r:.60}: {allowed} is needed")


def _only(table: dict[str, Any], prefix: str, allowed: set[str]) -> None:
    for key, value in table.items():
        if key not in allowed:
            names = ", ".join(sorted(allowed))
            raise ValueError(
                f"coursework.toml: {prefix}{key} = {value!r:.60} is not known; the"
                f" keys there are {names}"
            )


def _table(data: dict[str, Any], key: str, prefix: str = "") -> dict[str, Any]:
    value = data.get(key, {})
    if not isinstance(value, dict):
        raise _wrong(prefix + key, value, f"a table [{prefix}{key}]")
    return value


def _number(table: dict[str, Any], key: str, most: float = math.inf) -> float:
    value = table.get(key, 0)
    if type(value) not in (int, float) or not 0 <= value <= most:
        limit = "" if most == math.inf else f" to {most:g}"
        raise _wrong(f"late.{key}", value, f"a number from 0{limit}")
    return float(value)
