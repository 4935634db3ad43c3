"""Grade files: a plain table, and what Canvas and Moodle import.

Never 0 for what has no mark: the cell is empty, and ``waiting.csv`` says why. What
Canvas and Moodle do with a file was read in their sources (``gradebook_importer.rb``;
``gradeimport_csv`` and ``assignfeedback_offline``), and is noted where it decides
something here.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from layers_book.coursework.collect.paths import fold
from layers_book.coursework.files import cell, folder_name, write_table
from layers_book.coursework.grade.record import Record
from layers_book.coursework.results.grades import ByHand, Grade, grade_of
from layers_book.coursework.results.pages import number

Kind = Literal["all", "plain", "canvas", "moodle"]
KINDS = ("plain", "canvas", "moodle")


class Waiting(NamedTuple):
    """A student without a question in a file, and why."""

    student: str
    name: str
    file: str
    state: str
    reason: str


class Exported(NamedTuple):
    """The files written, and who is missing in which, and why."""

    files: tuple[Path, ...]
    waiting: tuple[Waiting, ...]

    @property
    def summary(self) -> str:
        """How many wait for a mark, and how many are left out of a file all the same.

        >>> Exported((), (Waiting("s1", "Ada", "all", "not marked yet", ""),)).summary
        '1 student without a mark: see waiting.csv'
        """
        count = Counter(each.file for each in self.waiting)
        lines = [f"{_students(n)} without a mark" for n in [count.pop("all", 0)] if n]
        lines += [f"{_students(n)} left out of {file}" for file, n in count.items()]
        return f"{', '.join(lines)}: see waiting.csv" if lines else "all have a mark"


class _Row(NamedTuple):
    student: str
    person: Mapping[str, str]
    grade: Grade | None
    state: str
    reason: str

    @property
    def name(self) -> str:
        return self.person.get("name", "")

    @property
    def total(self) -> float | None:
        return self.grade.total if self.grade else None


def export(
    folder: Path,
    assignment: str,
    records: Iterable[Record],
    *,
    roster: Mapping[str, Mapping[str, str]] | None = None,
    manual: Mapping[str, Mapping[str, ByHand]] | None = None,
    penalties: Mapping[str, float] | None = None,
    submitted: Collection[str] = (),
    kind: Kind = "all",
    column: str = "",
) -> Exported:
    """Write ``plain.csv``, ``canvas.csv``, ``moodle.csv`` and ``waiting.csv``.

    A file of the same name is replaced.

    Args:
        folder: the course's ``exports``; the files go into its folder ``assignment``.
        assignment: its name.
        records: one a student, of the submission that counts.
        roster: name, email, moodle and canvas by student id; students without a
            submission come from here.
        manual: points by hand, by student and grade id.
        penalties: points lost for lateness, by student.
        submitted: the students of whom there is a submission, graded or not.
        kind: which of the files; ``waiting.csv`` always comes along.
        column: the heading of Canvas's column, such as ``"Normalization (4321)"`` in
            a gradebook that Canvas exported; the assignment's name by default.

    Raises:
        ValueError: an unknown kind, two records of one student, a record of another
            assignment, a name that is no folder's.
    """
    if kind not in ("all", *KINDS):
        raise ValueError(f"kind={kind!r}: allowed are all, {', '.join(KINDS)}")
    folder = folder / folder_name("assignment", assignment)
    given = manual or {}
    rows = _rows(assignment, records, roster or {}, given, penalties or {}, submitted)
    max_points = max((r.grade.max_points for r in rows if r.grade), default=None)
    waiting = [
        Waiting(row.student, row.name, "all", row.state, row.reason)
        for row in rows
        if row.total is None
    ]
    files = []
    if kind in ("all", "plain"):
        files.append(_plain(folder / "plain.csv", rows, max_points))
    if kind in ("all", "canvas"):
        heading = column or assignment
        files.append(_canvas(folder / "canvas.csv", rows, heading, max_points))
    if kind in ("all", "moodle"):
        files.append(_moodle(folder / "moodle.csv", rows, max_points, waiting))
    files.append(write_table(folder / "waiting.csv", Waiting._fields, waiting, True))
    return Exported(tuple(files), tuple(waiting))


def _rows(
    assignment: str,
    records: Iterable[Record],
    roster: Mapping[str, Mapping[str, str]],
    manual: Mapping[str, Mapping[str, ByHand]],
    penalties: Mapping[str, float],
    submitted: Collection[str],
) -> list[_Row]:
    """One row a student, of the roster and of those who submitted, by student id."""
    found: dict[str, Record] = {}
    for record in records:
        student = record["student"]
        if student in found:
            raise ValueError(f"records has two of student {student!r}: give one each")
        if record["assignment"] != assignment:
            raise ValueError(
                f"records has one of assignment {record['assignment']!r}: "
                f"only {assignment!r} is exported"
            )
        found[student] = record
    rows = []
    for student in sorted({*found, *roster, *submitted}):
        person = roster.get(student, {})
        if student not in found and student in submitted:
            reason = "handed in, but there is no record of it yet: run grade"
            rows.append(_Row(student, person, None, "not graded yet", reason))
            continue
        if student not in found:
            reason = "nothing was handed in"
            rows.append(_Row(student, person, None, "no submission", reason))
            continue
        record = found[student]
        grade = grade_of(record, manual.get(student), penalties.get(student, 0.0))
        reason = record["reason"] if grade.state == "could not grade" else ""
        if grade.state == "not marked yet":
            reason = _waits_for(grade)
        rows.append(_Row(student, person, grade, grade.state, reason))
    return rows


def _waits_for(grade: Grade) -> str:
    """What a person has still to give points for, and what is odd about it."""
    words = {"manual": "to be marked by hand", "waiting": "to be looked at"}
    said: dict[str, list[str]] = {}
    for question, points, *_ in grade.questions:
        if points is None:
            reason = f" ({question['reason']})" if question["reason"] else ""
            what = words.get(question["state"], "to be looked at")
            said.setdefault(what, []).append(question["title"] + reason)
    return "; ".join(f"{what}: {', '.join(titles)}" for what, titles in said.items())


def _students(count: int) -> str:
    return f"{count} student{'' if count == 1 else 's'}"


def _plain(path: Path, rows: Sequence[_Row], max_points: float | None) -> Path:
    """Every question, for people and spreadsheets."""
    names = dict.fromkeys(
        question.question["name"]
        for row in rows
        if row.grade
        for question in row.grade.questions
    )
    header = ["student", "name", *names, "subtotal", "late penalty", "total", "max"]
    table = []
    for row in rows:
        given = row.grade.questions if row.grade else ()
        points = {each.question["name"]: each.points for each in given}
        table.append(
            [
                row.student,
                row.name,
                *map(points.get, names),
                row.grade.subtotal if row.grade else None,
                row.grade.penalty if row.grade and row.total is not None else None,
                row.total,
                max_points,
                row.state,
            ]
        )
    return write_table(path, [*header, "state"], table, bom=True)


def _canvas(
    path: Path, rows: Sequence[_Row], heading: str, max_points: float | None
) -> Path:
    """Canvas finds a student by ID, then by SIS Login ID, then by name.

    An empty cell leaves an ungraded student ungraded; it takes an earlier grade away,
    which Canvas shows before it does so.
    """
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", heading]
    table: list[list[object]] = [["Points Possible", "", "", "", "", max_points]]
    for row in rows:
        # a first cell with these words would be read as the row of the maxima
        name = row.name if "points possible" not in row.name.lower() else ""
        person = row.person.get("canvas", "")
        table.append([name or row.student, person, "", row.student, "", row.total])
    return write_table(path, header, table, bom=False)


def _moodle(
    path: Path,
    rows: Sequence[_Row],
    max_points: float | None,
    waiting: list[Waiting],
) -> Path:
    """Read by Moodle's grade import and by an assignment's grading worksheet alike.

    Only students with a mark: of an empty grade the import makes 0 in a new column,
    and of ``-`` the worksheet does. Each identifying column is complete or absent: the
    import gives a row without identifier to the student of the row before.
    """
    marked = [row for row in rows if row.total is not None]
    # what would have to be changed to be safe in a spreadsheet would not be found
    known = {
        field: {
            row.student
            for row in marked
            if (text := row.person.get(field, "")).strip() and cell(text) == text
        }
        for field in ("moodle", "email")
    }
    complete = [field for field in known if len(known[field]) == len(marked)]
    fields = complete or [max(known, key=lambda field: len(known[field]))]
    kept = [row for row in marked if row.student in known[fields[0]]]
    for row in marked:
        if row.student not in known[fields[0]]:
            reason = f"left out of {path.name}: roster.csv has no usable {fields[0]}"
            waiting.append(Waiting(row.student, row.name, path.name, row.state, reason))
    header = ["Full name", "Grade", "Maximum grade", "Last modified (grade)"]
    headings = {"moodle": "Identifier", "email": "Email address"}
    table = []
    for row in kept:
        person = {
            "moodle": _participant(row.person.get("moodle", ""), row.name),
            "email": row.person.get("email", ""),
        }
        table.append(
            [
                *(person[field] for field in fields),
                row.name,
                row.total,
                max_points,
                "",  # no time: Moodle replaces no mark made there, unless told to
                _summary(row.grade) if row.grade else "",
            ]
        )
    columns = [*(headings[field] for field in fields), *header, "Feedback comments"]
    return write_table(path, columns, table, bom=False)


def _participant(text: str, name: str) -> str:
    """The worksheet's identifier, of a number or of the person's name and number.

    >>> _participant("Ada Lovelace 1234", "Lovelace, Ada")
    'Participant 1234'
    """
    *words, number = text.split() or [""]
    theirs = sorted(map(fold, name.replace(",", " ").split()))
    if number.isdecimal() and (not words or sorted(map(fold, words)) == theirs):
        return f"Participant {number}"
    return text.strip()


def _summary(grade: Grade) -> str:
    """The points by question, without the signs that mean something in HTML."""
    lines = [
        f"{each.question['title']}: {number(each.points)} of "
        f"{number(each.question['max_points'])}"
        for each in grade.questions
    ]
    if grade.penalty:
        lines.append(f"late: {number(grade.penalty)} points off")
    return ". ".join(lines).translate({ord(c): " " for c in "<>&"}) + "."
