"""The course folder: its files as people save them, its paths, its late policy."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import parse_utc

from layers_book.coursework.course import (
    Course,
    assignment_name,
    parse_time,
    student_id,
)

DUE = datetime(2026, 12, 1, 18, tzinfo=UTC)
TOML = "[assignments.normalization]\ndue = 2026-12-01T18:00:00Z\n"
LATE = "[late]\nper_day = 0.1\ngrace_minutes = 15\nmax_days = 5\n"


def course(root: Path, **files: str | bytes) -> Course:
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        suffix = "toml" if name == "coursework" else "csv"
        (root / f"{name}.{suffix}").write_bytes(data)
    return Course(root)


def test_without_any_file(tmp_path: Path) -> None:
    empty = Course(tmp_path)
    assert empty.students() == []
    assert empty.due("normalization", "ada") is None
    assert empty.penalty(DUE, None) == 0


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Course(tmp_path / "nowhere")


def test_settings(tmp_path: Path) -> None:
    read = course(tmp_path, coursework='salt = "x"\n' + TOML + LATE).settings
    assert read.salt == "x"
    assert read.due["normalization"] == DUE
    assert (read.late.per_day, read.late.grace_minutes, read.late.max_days) == (
        0.1,
        15,
        5,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sallt = 'x'", "sallt = 'x' is not known.* assignments, late, layouts, salt"),
        ("salt = 5", "salt = 5: a secret text"),
        ("salt = ''", "salt = '': a secret text"),
        ("late = 3", r"late = 3: a table \[late\]"),
        ("[late]\nper_day = 10", "late.per_day = 10: a number from 0 to 1"),
        ("[late]\nper_day = true", "late.per_day = True: a number"),
        ("[late]\nper_day = nan", "late.per_day = nan: a number"),
        ("[late]\ngrace_minutes = -1", "late.grace_minutes = -1: a number from 0 is"),
        ("[late]\nmax_days = 1.5", "late.max_days = 1.5: a whole number"),
        ("[late]\ngrace = 1", "late.grace = 1 is not known.*per_day"),
        ("assignments = 1", "assignments = 1: a table"),
        ("[assignments]\nx = 1", r"assignments.x = 1: a table \[assignments.x\]"),
        ("[assignments.x]\ndu = 1", "assignments.x.du = 1 is not known.*due"),
        ("[assignments.x]\ndue = 2026-12-01", "assignments.x.due: .*is no time"),
        ("[assignments.x]\ndue = 'soon'", "assignments.x.due: 'soon' is no time"),
        ('[assignments."a/b"]', "assignment='a/b': letters"),
        ("salt = ", "Invalid value"),
        ("a b = 1", "line 1"),
    ],
)
def test_mistakes_in_settings(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"(?s)coursework.toml: .*{said}"):
        course(tmp_path, coursework=text)


def test_a_salt_is_drawn_once(tmp_path: Path) -> None:
    one = course(tmp_path, coursework=b"\xef\xbb\xbf# of ours\r\n" + LATE.encode())
    salt = one.salt()
    assert len(salt) >= 24 and one.salt() == salt
    again = Course(tmp_path)
    assert again.salt() == salt and again.settings.late.max_days == 5
    assert "# of ours" in (tmp_path / "coursework.toml").read_text()
    (tmp_path / "without").mkdir()
    assert Course(tmp_path / "without").salt() != salt


def test_a_folder_is_a_course_by_what_lies_in_it(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    assert not Course(tmp_path).begun
    assert course(tmp_path, coursework=LATE).begun


def test_a_roster_as_excel_saves_it(tmp_path: Path) -> None:
    text = (
        "\ufeffStudent;Name;Email;Group\r\n\r\nada;Lovelace, Ada;a@x.org;1\r\n;;;\r\n"
    )
    text += ' alan ;"Turing; ""A."""\r\n'
    roster = course(tmp_path, roster=text).roster
    assert list(roster) == ["ada", "alan"]
    assert (roster["ada"].name, roster["ada"].email) == ("Lovelace, Ada", "a@x.org")
    assert (roster["alan"].name, roster["alan"].email) == ('Turing; "A."', "")


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_delimiters(tmp_path: Path, mark: str) -> None:
    lines = [["student", "name", "moodle"], ["ada", "Ada", "17"]]
    read = course(tmp_path, roster="\n".join(mark.join(line) for line in lines))
    assert read.roster["ada"].moodle == "17"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\nAda", "line 1: the column student is missing"),
        ("student,name,name\nada", "line 1: the column name is there twice"),
        ("student\n../ada", r"line 2, column student: student='../ada': letters"),
        ("student\n\n\nada\nada", "line 5, column student: 'ada': line 4 has it"),
        ("student\nada\nAda", "line 3, column student: 'Ada': line 2 has it"),
        ("student,canvas\na,1\nb,1", "line 3, column canvas: '1': line 2 has it"),
        ("student,name\nada,Lovelace, Ada", "line 2: 'Ada' is in no column"),
        ('student,name\nada,"Ada', "line 2: unexpected end"),
        (b"student,name\nada,Ada\nkurt,G\xf6del", "line 3: not UTF-8: save it as"),
    ],
)
def test_mistakes_in_a_roster(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(ValueError, match=f"roster.csv {said}"):
        course(tmp_path, roster=text)


def test_extensions_win(tmp_path: Path) -> None:
    text = "student,assignment,due\nada,normalization,2026-12-03 12:00+01:00\n"
    read = course(tmp_path, coursework=TOML, extensions=text)
    assert read.due("normalization") == read.due("normalization", "alan") == DUE
    assert read.due("normalization", "ada") == datetime(2026, 12, 3, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("eve,normalization,2026-12-03T12:00Z", "student: 'eve': a student of roster"),
        ("ada,normalisation,2026-12-03T12:00Z", "assignment: .*has normalization"),
        ("ada,normalization,03.12.2026 12:00", "due: '03.12.2026 12:00' is no time"),
        ("ada,normalization,", "due: '' is no time"),
        ("ada,a/b,2026-12-03T12:00Z", "assignment: assignment='a/b'"),
        ("ada,normalization,2026-12-03", "due: '2026-12-03' is no time"),
    ],
)
def test_mistakes_in_extensions(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"extensions.csv line 2, column {said}"):
        course(
            tmp_path,
            coursework=TOML,
            roster="student\nada",
            extensions=f"student,assignment,due\n{line}",
        )


def test_one_extension_each(tmp_path: Path) -> None:
    line = "ada,normalization,2026-12-03T12:00Z\n"
    text = f"student,assignment,due\n{line}{line}"
    with pytest.raises(ValueError, match=r"extensions.csv line 3, column student"):
        course(tmp_path, extensions=text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-01T18:00:00Z",
        "2026-12-01 18:00",
        "2026-12-01 18:00:00.000000 UTC",
        "2026-12-01T13:00-05:00",
    ],
)
def test_times_are_those_of_nbgrader(text: str) -> None:
    assert parse_time(text) == DUE
    assert parse_utc(text) == DUE.replace(tzinfo=None)


def test_an_offset_after_a_space_is_no_number_of_seconds() -> None:
    text = "2026-12-01 19:00:00 +0100"
    assert parse_time(text) == DUE
    assert parse_utc(text) != DUE.replace(tzinfo=None)  # nbgrader subtracts 100 s


@pytest.mark.parametrize(
    "text", ["", "now", "2026-12-01", "9999-12-31T23:59-01:00", "2026-12-01 18:00 PST"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)


@settings(max_examples=30, deadline=None)
@given(st.datetimes(timezones=st.timezones()))
def test_times_with_a_zone(time: datetime) -> None:
    try:
        utc = time.astimezone(UTC)
    except OverflowError:
        return
    assert parse_time(time) == utc
    whole_minutes = utc.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert parse_time(whole_minutes.isoformat()) == utc


@pytest.mark.parametrize(
    ("late", "lost"),
    [
        (timedelta(days=-3), 0),
        (timedelta(0), 0),
        (timedelta(minutes=15), 0),
        (timedelta(minutes=15, seconds=1), 0.1),
        (timedelta(days=1), 0.1),
        (timedelta(days=1, microseconds=1), 0.2),
        (timedelta(days=3), 0.3),
        (timedelta(days=5), 0.5),
        (timedelta(days=5, seconds=1), 1),
    ],
)
def test_late_policy(tmp_path: Path, late: timedelta, lost: float) -> None:
    assert course(tmp_path, coursework=LATE).penalty(DUE + late, DUE) == lost


def test_late_policy_without_limits(tmp_path: Path) -> None:
    day = timedelta(days=1)
    assert Course(tmp_path).penalty(DUE + 900 * day, DUE) == 0
    steep = course(tmp_path, coursework="[late]\nper_day = 0.4")
    assert steep.penalty(DUE + 2 * day, DUE) == 0.8
    assert steep.penalty(DUE + 3 * day, DUE) == 1
    assert steep.penalty(None, DUE) == steep.penalty(DUE, None) == 0


def test_a_submission_and_its_lateness(tmp_path: Path) -> None:
    read = course(tmp_path, coursework=TOML + LATE)
    folder = tmp_path / "submitted" / "ada" / "normalization"
    folder.mkdir(parents=True)
    assert read.submitted_at("ada", "normalization") is None
    stamp = folder / "timestamp.txt"
    stamp.write_text("2026-12-02 20:00:00.000000 UTC\n")
    assert read.submitted_at("ada", "normalization") == DUE + timedelta(hours=26)
    assert read.late_fraction("ada", "normalization") == 0.2
    stamp.write_text("yesterday")
    with pytest.raises(ValueError, match=r"submitted/ada/normalization/timestamp.txt"):
        read.submitted_at("ada", "normalization")


def test_students(tmp_path: Path) -> None:
    for student, name in [("eve", "a"), ("ada", "b"), (".hidden", "a")]:
        (tmp_path / "submitted" / student / name).mkdir(parents=True)
    (tmp_path / "submitted" / "note.txt").touch()
    assert Course(tmp_path).students() == ["ada", "eve"]
    assert Course(tmp_path).students("a") == ["eve"]
    enrolled = course(tmp_path, roster="student\nmary\nada")
    assert enrolled.students() == ["ada", "mary"]
    assert enrolled.students("a") == ["eve"]


def test_paths_are_those_of_nbgrader(tmp_path: Path) -> None:
    read = Course(tmp_path)
    theirs = CourseDirectory(root=str(tmp_path))
    steps = {
        "source": read.source("a"),
        "release": read.release("a"),
        "submitted": read.submitted("ada", "a"),
        "autograded": read.autograded("ada", "a"),
        "feedback": read.feedback("ada", "a"),
    }
    for step, path in steps.items():
        student = "." if step in ("source", "release") else "ada"
        folder = theirs.format_path(getattr(theirs, f"{step}_directory"), student, "a")
        assert path.parent == Path(folder)
        assert path.name == ("a.html" if step == "feedback" else "a.ipynb")
    assert theirs.db_url == f"sqlite:///{read.gradebook}"


def test_other_paths(tmp_path: Path) -> None:
    read = Course(tmp_path)
    paths = {
        "assignments/a": read.own_assignment("a"),
        "release/ada/a/a.ipynb": read.release("a", "ada"),
        "received/a": read.received("a"),
        "received/a/ada": read.received("a", "ada"),
        "records/a": read.records("a"),
        "exports/a": read.exports("a"),
    }
    for relative, path in paths.items():
        assert path == tmp_path / relative


UNSAFE = ["", ".", "..", ".a", "a.", "a/b", "a\\b", "/a", "a\0", "a\n", "-a", "a*"]
UNSAFE += ["[a]", "a?", "a:b", "~", "~a", " a", "a ", "a" * 129, "a|b", "a\u202eb"]


@pytest.mark.parametrize("text", UNSAFE)
def test_what_names_no_folder(tmp_path: Path, text: str) -> None:
    for refuse in (student_id, assignment_name):
        with pytest.raises(ValueError, match="letters"):
            refuse(text)
    with pytest.raises(ValueError, match="assignment="):
        Course(tmp_path).source(text)
    with pytest.raises(ValueError, match="student="):
        Course(tmp_path).submitted(text, "a")


@pytest.mark.parametrize(
    "text", ["ada", "007", "ada.l@uni-x.edu", "ada lovelace", "zoë", "a+b", "a..b"]
)
def test_ids_of_students(text: str) -> None:
    assert student_id(text) == text


def test_nbgrader_takes_no_plus_in_an_assignment() -> None:
    with pytest.raises(ValueError, match="assignment='a"):
        assignment_name("a+b")


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=8))
def test_an_id_stays_in_its_folder(text: str) -> None:
    try:
        student_id(text)
    except ValueError:
        return
    root = Path("/course/submitted")
    assert (root / text).parent == root and (root / text).name == text
    assert not {"*", "?", "[", "\\", ":"} & set(text)
