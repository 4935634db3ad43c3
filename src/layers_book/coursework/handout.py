"""Ways back to students: a zip for Moodle's feedback files, nbgrader's exchange.

Moodle's importer (``mod/assign/feedback/file/importziplib.php``) finds a student by
the participant's number, which is another one in each of Moodle's assignments. So the
numbers come from a file of this one: its grading worksheet, or its submissions.
"""

import csv
import hashlib
import io
import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layers_book.coursework.collect.paths import fold
from layers_book.coursework.course import Course, Student
from layers_book.coursework.files import beside, own_rows, write

__all__ = ["Participants", "moodle_zip", "participants", "write_shared"]

SUBMITTED = re.compile(r"(?:\A|/)([^_/]+)_(\d+)_assignsubmission_")
IDENTIFIER = re.compile(r"\D*(\d+)")  # "Participant 101", in any language
NUMBER = re.compile(r"(?:\D*\s)?(\d+)")  # but no user's name such as ada2
VARIANTS = "variants.json"
CHOOSING = f"""\
import getpass, hashlib, json, os

student = os.environ.get("JUPYTERHUB_USER") or getpass.getuser()
with open("{VARIANTS}") as file:
    numbers = json.load(file)
VARIANT = numbers.get(hashlib.sha256(student.encode()).hexdigest())
assert VARIANT, f"no numbers for the user {{student}}: tell your teacher\""""
MEMBER_TIME = (1980, 1, 1, 0, 0, 0)  # the same files make the same zip


@dataclass(frozen=True)
class Participants:
    """Moodle's numbers by student, and for those without one, why."""

    numbers: Mapping[str, str]
    unknown: Mapping[str, str]


def participants(
    course: Course, name: str, students: Iterable[str], source: Path | None = None
) -> Participants:
    """The participant's number of each student in Moodle's assignment.

    Args:
        course: its roster tells who is who.
        name: the assignment, whose files collected from Moodle have numbers as well.
        students: whose numbers are wanted.
        source: Moodle's grading worksheet (CSV), or its download of all submissions.

    Raises:
        ValueError: the source is neither.
    """
    if source is not None:
        found = _by_roster(_listed(source), course.roster)
        reason = f"{source.name} has no such participant, or more than one"
    else:
        found = _of_roster(course.roster) | _collected(course, name)
        reason = "no number: give the grading worksheet of Moodle's assignment"
    numbers, unknown = {}, {}
    for student in students:
        theirs = found.get(student, set())
        if len(theirs) == 1:
            (numbers[student],) = theirs
        else:
            unknown[student] = reason
    return Participants(numbers, unknown)


def moodle_zip(
    path: Path,
    files: Mapping[str, Path],
    numbers: Mapping[str, str],
    roster: Mapping[str, Student],
) -> Path:
    """Write a zip for "Upload multiple feedback files in a zip".

    Args:
        path: of the zip.
        files: of each student.
        numbers: Moodle's, of each of them.
        roster: their names, which Moodle does not read.

    Raises:
        OSError: a file cannot be read, or the zip not written.
    """
    with beside(path) as part:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for student in sorted(files):
                person = roster.get(student)
                who = re.sub(r"[\W_]+", " ", (person and person.name) or student)
                label = f"{who.strip()}_{numbers[student]}_assignsubmission_file_"
                member = zipfile.ZipInfo(f"{label}{files[student].name}", MEMBER_TIME)
                member.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(member, files[student].read_bytes())
        part.replace(path)
    return path


def write_shared(
    folder: Path, course: Course, name: str, values: Mapping[str, Mapping[str, Any]]
) -> Path:
    """Write what all students fetch from nbgrader's exchange, each with own values.

    Args:
        folder: nbgrader's release directory for it.
        course: the course, in which the assignment was released.
        name: the assignment.
        values: of each student, whose id is the user's name.

    Returns:
        The notebook; ``variants.json``, in which it looks up the values, lies beside.

    Raises:
        FileNotFoundError: the assignment was not released.
    """
    table = {
        hashlib.sha256(student.encode()).hexdigest(): own
        for student, own in sorted(values.items())
    }
    path = folder / name / f"{name}.ipynb"
    write(path.with_name(VARIANTS), json.dumps(table, indent=1) + "\n")
    notebook = json.loads(course.release(name).read_text("utf8"))
    for cell in notebook["cells"]:
        if cell["id"] == "variant":
            cell["source"] = CHOOSING
    return write(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


Listed = tuple[str, list[str]]  # a number, and what else Moodle says of a participant


def _listed(source: Path) -> list[Listed]:
    """The participants in a grading worksheet or a download of submissions."""
    try:
        if source.is_dir():
            names = [str(path.relative_to(source)) for path in source.rglob("*")]
        elif zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as archive:
                names = archive.namelist()
        else:
            return _worksheet(source)
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise ValueError(f"moodle={str(source)!r}: {error}") from None
    people = {found.groups() for name in names if (found := SUBMITTED.search(name))}
    if not people:
        raise ValueError(
            f"moodle={str(source)!r}: no file in it is called as Moodle calls them, "
            "NAME_NUMBER_assignsubmission_...: give its grading worksheet, or its "
            "download of all submissions"
        )
    return [(number, [person]) for person, number in sorted(people)]


def _worksheet(source: Path) -> list[Listed]:
    """Its lines: the identifier first, then name, address and more, in any language."""
    text = source.read_text("utf-8-sig")
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    listed = [
        (number[1], row)
        for row in rows[1:]
        if row and (number := IDENTIFIER.fullmatch(row[0].strip()))
    ]
    if not listed:
        raise ValueError(
            f"moodle={str(source)!r}: no line begins with a participant's number: give "
            "the grading worksheet of this assignment, which Moodle offers where the "
            "assignment's settings allow 'Offline grading worksheet'"
        )
    return listed


def _by_roster(
    listed: Iterable[Listed], roster: Mapping[str, Student]
) -> dict[str, set[str]]:
    """Numbers by student: by the column moodle, or else by address, or else by name."""
    texts: dict[str, set[str]] = defaultdict(set)
    names: dict[str, set[str]] = defaultdict(set)
    numbers: set[str] = set()
    for number, cells in listed:
        numbers.add(number)
        for cell in filter(fold, cells):
            names[_words(cell)].add(number)
            for text in (cell, cell + number):
                texts[fold(text)].add(number)
    found: dict[str, set[str]] = defaultdict(set)
    owners: dict[str, set[str]] = defaultdict(set)
    for student, person in roster.items():
        own = NUMBER.fullmatch(person.moodle)
        found[student] = (
            (numbers & {own[1]} if own else texts.get(fold(person.moodle)))
            or texts.get(fold(person.email))
            or names.get(_words(person.name))
            or set()
        )
        for number in found[student]:
            owners[number].add(student)
    return {  # what may be two students' is nobody's
        student: theirs
        for student, theirs in found.items()
        if all(len(owners[number]) == 1 for number in theirs)
    }


def _words(text: str) -> str:
    """A name, in whatever order its words are."""
    return " ".join(sorted(filter(None, map(fold, re.split(r"[\W_]+", text)))))


def _of_roster(roster: Mapping[str, Student]) -> dict[str, set[str]]:
    """Numbers by student, as the column moodle has them."""
    return {
        student: {number[1]}
        for student, person in roster.items()
        if (number := NUMBER.fullmatch(person.moodle))
    }


def _collected(course: Course, name: str) -> dict[str, set[str]]:
    """Numbers by student, of the files that were collected from Moodle."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in own_rows(course.received(name) / "report.csv"):
        number = SUBMITTED.search(row["file"])
        if number and row["student"]:
            found[row["student"]].add(number[2])
    return found
