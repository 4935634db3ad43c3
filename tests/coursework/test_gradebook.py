"""Records in nbgrader's database, read by nbgrader's own API, converters and export."""

import copy
import csv
import json
import os
import shutil
import sqlite3
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import CsvExportPlugin

from layers_book.coursework.assignment import load
from layers_book.coursework.course import Course
from layers_book.coursework.grade.record import Record
from layers_book.coursework.nbgrader.database import connect
from layers_book.coursework.nbgrader.gradebook import (
    Scores,
    Written,
    by_hand,
    read_scores,
    update_penalties,
    write,
)
from layers_book.coursework.release import release
from layers_book.coursework.results.grades import grade_of

EXAMPLE = Path(__file__).parent / "example"
DUE = datetime(2026, 12, 1, 18)
SETTINGS = """
[assignments.example]
due = 2026-12-01T18:00:00Z
[late]
per_day = 0.25
max_days = 2
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("released")
    release(load(EXAMPLE), root)
    return root


@pytest.fixture(scope="module")
def begun(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course with an empty database."""
    root = tmp_path_factory.mktemp("begun") / "course"
    shutil.copytree(released, root)
    (root / "coursework.toml").write_text(SETTINGS)
    connect(Course(root)).dispose()
    return root


@pytest.fixture
def root(begun: Path, tmp_path: Path) -> Path:
    return shutil.copytree(begun, tmp_path / "course")


@pytest.fixture
def fresh(released: Path, tmp_path: Path) -> Path:
    """A course without a database."""
    root = tmp_path / "fresh"
    shutil.copytree(released, root)
    (root / "coursework.toml").write_text(SETTINGS)
    return root


def question(name: str, points: float | None, most: float, **more: Any) -> Any:
    right = points == most
    part = {"title": "the output", "points": points, "max_points": most}
    return {
        "name": name,
        "title": name.title(),
        "state": "manual" if points is None else "graded",
        "points": points,
        "max_points": most,
        "key": "",
        "parts": [part | {"passed": right}] if points is not None else [],
        "mistake": "",
        "hint": "",
        "seen": "",
        "error": "",
        "reason": "",
    } | more


def record(student: str, scale: float = 3.0, rms: float = 4.0, **more: Any) -> Record:
    data: Any = {
        "schema": 1,
        "assignment": "example",
        "student": student,
        "submission": "0" * 64,
        "key": "",
        "versions": {},
        "state": "graded",
        "reason": "",
        "notes": [],
        "cells": [],
        "questions": [
            question("scale", scale, 3.0),
            question("rms", rms, 4.0),
            question("report", None, 3.0),
        ],
        "points": scale + rms,
        "max_points": 7.0,
        "seconds": 0.1,
    }
    return data | more


def failed(student: str) -> Record:
    return record(
        student,
        state="could not grade",
        reason="the file is damaged",
        questions=[],
        points=None,
    )


def waits(student: str) -> Record:
    """The machine could not find the answer to a question."""
    lost = question("scale", None, 3.0, state="waiting", reason="no cell defines scale")
    data = record(student)
    data["questions"][0] = lost
    return data


def submit(root: Path, student: str, time: datetime) -> None:
    folder = root / "submitted" / student / "example"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "timestamp.txt").write_text(f"{time} UTC\n")


def gradebook(root: Path) -> Gradebook:
    return Gradebook(f"sqlite:///{root / 'gradebook.db'}")


def mark_by_hand(root: Path, student: str, cell: str, **values: Any) -> None:
    """As formgrader does."""
    with gradebook(root) as book:
        grade = book.find_grade(cell, "example", "example", student)
        for name, value in values.items():
            setattr(grade, name, value)
        grade.needs_manual_grade = False
        book.db.commit()


def dump(root: Path) -> dict[str, list[tuple[Any, ...]]]:
    with sqlite3.connect(root / "gradebook.db") as database:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        names = [name for (name,) in database.execute(query)]
        return {
            name: sorted(database.execute(f"SELECT * FROM {name}"), key=repr)
            for name in names
        }


@pytest.fixture(scope="module")
def theirs(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course that nbgrader itself has entered into its database."""
    root = tmp_path_factory.mktemp("theirs")
    shutil.copytree(released / "source", root / "source")
    programs = str(Path(sys.executable).parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", programs, prepend=os.pathsep)
        api = NbGraderAPI(CourseDirectory(root=str(root)))
        assert api.generate_assignment("example")["success"]
    return root


def test_the_database_is_the_one_that_nbgrader_makes(
    fresh: Path, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # where nbgrader does not find alembic
    connect(Course(fresh)).dispose()
    schemas = []
    for place in (theirs, fresh):
        with sqlite3.connect(place / "gradebook.db") as database:
            tables = database.execute("SELECT type, name FROM sqlite_master")
            version = database.execute("SELECT * FROM alembic_version")
            course = database.execute("SELECT * FROM course")
            schemas.append((set(tables), list(version), list(course)))
    assert schemas[0] == schemas[1]


def test_cells_are_those_of_generate_assignment(root: Path, theirs: Path) -> None:
    write(Course(root), "example", [])
    queries = {
        "base_cell": "name, type",
        "grade_cells": "max_score, cell_type",
        "source_cell": "name, cell_type, locked, source, checksum",
        "notebook": "name, kernelspec",
        "assignment": "name",
    }
    for table, columns in queries.items():
        found = []
        for place in (theirs, root):
            with sqlite3.connect(place / "gradebook.db") as database:
                rows = database.execute(f"SELECT {columns} FROM {table}")
                found.append(sorted(rows, key=repr))
        assert found[0] == found[1] != []


def test_a_submission_as_nbgrader_reads_it(root: Path) -> None:
    (root / "roster.csv").write_text(
        "student,name,email,canvas\nada,Ada King Lovelace,a@x.org,77\nmary,Mary\n"
    )
    (root / "extensions.csv").write_text(
        "student,assignment,due\nada,example,2026-12-02T18:00Z\n"
    )
    submit(root, "ada", DUE + timedelta(hours=30))
    hint = question("scale", 1.0, 3.0, hint="Look at x.", error="ValueError in line 2")
    part = record("ada", 1.0)["questions"][1:]
    ada = record("ada", 1.0, questions=[hint, *part])
    assert write(Course(root), "example", [ada, record("alan")]) == Written(2, 0, 0)
    with gradebook(root) as book:
        names = [(s.id, s.first_name, s.last_name, s.email) for s in book.students]
        assert sorted(names) == [
            ("ada", "Ada King", "Lovelace", "a@x.org"),
            ("alan", None, None, None),
            ("mary", None, "Mary", None),
        ]
        assert book.find_student("ada").lms_user_id == "77"
        assert book.find_assignment("example").duedate == DUE
        submission = book.find_submission("example", "ada")
        assert submission.timestamp == DUE + timedelta(hours=30)
        assert submission.duedate == DUE + timedelta(days=1)
        assert submission.total_seconds_late == 6 * 3600
        assert (submission.score, submission.max_score) == (5, 10)
        assert submission.late_submission_penalty == 5 * 0.25
        assert submission.needs_manual_grade
        (notebook,) = submission.notebooks
        assert notebook.name == "example"
        on_time = book.find_submission("example", "alan").notebooks[0]
        assert on_time.late_submission_penalty is None
        grades = {g.name: (g.auto_score, g.needs_manual_grade) for g in notebook.grades}
        assert grades == {
            "scale-check": (1, False),
            "rms-check": (4, False),
            "report": (None, True),
        }
        comments = {c.name: c.auto_comment for c in notebook.comments}
        assert comments == {
            "scale": "the output: 1 of 3 points\n\nHint: Look at x.\n\n"
            "Error: ValueError in line 2",
            "rms": None,
            "report": None,
        }


def test_writing_twice_changes_nothing(root: Path) -> None:
    submit(root, "ada", DUE + timedelta(days=1))
    records = [record("ada", 1.0), failed("eve"), record("alan", 2.0)]
    assert write(Course(root), "example", records) == Written(3, 0, 0)
    before = dump(root)
    mark_by_hand(root, "ada", "report", manual_score=2.0)
    write(Course(root), "example", records)
    marked = dump(root)
    assert write(Course(root), "example", iter(records)) == Written(0, 0, 3)
    assert dump(root) == marked != before


def test_only_what_changes_is_touched(root: Path) -> None:
    write(Course(root), "example", [record("ada"), record("eve")])
    before = dump(root)
    done = write(Course(root), "example", [record("ada", 0.0), record("eve")])
    assert done == Written(0, 1, 1)
    after = dump(root)
    for table in before:
        differing = set(before[table]) ^ set(after[table])
        assert len(differing) == (2 if table in ("grade", "comment") else 0)


def test_progress_by_batch(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layers_book.coursework.nbgrader.gradebook.BATCH", 2)
    done: list[int] = []
    records = [record(f"s{number}") for number in range(5)]
    written = write(Course(root), "example", records, done.append)
    assert (written, done) == (Written(5, 0, 0), [2, 2, 1])
    assert len(read_scores(Course(root), "example")) == 5


def test_marks_by_hand_survive(root: Path) -> None:
    write(Course(root), "example", [record("ada", 1.0)])
    mark_by_hand(root, "ada", "report", manual_score=2.5, extra_credit=0.5)
    mark_by_hand(root, "ada", "scale-check", manual_score=3.0)
    with gradebook(root) as book:
        comment = book.find_comment("scale", "example", "example", "ada")
        comment.manual_comment = "Well argued."
        book.db.commit()
    write(Course(root), "example", [record("ada", 0.0, 2.0)])
    assert read_scores(Course(root), "example") == {
        "ada": {
            "scale-check": Scores(0, 3, None, True),  # the machine's mark has changed
            "rms-check": Scores(2, None, None, False),
            "report": Scores(None, 2.5, 0.5, False),
        }
    }
    with gradebook(root) as book:
        assert book.find_submission("example", "ada").score == 3 + 2 + 3
        comment = book.find_comment("scale", "example", "example", "ada")
        assert comment.comment == "Well argued."
        assert comment.auto_comment.startswith("the output: 0 of 3")


def test_a_later_submission_is_to_be_marked_again(root: Path) -> None:
    submit(root, "ada", DUE)
    write(Course(root), "example", [record("ada")])
    mark_by_hand(root, "ada", "report", manual_score=2.5)
    submit(root, "ada", DUE + timedelta(hours=1))
    write(Course(root), "example", [record("ada")])
    marks = read_scores(Course(root), "example")["ada"]
    assert marks["report"] == Scores(None, 2.5, None, True)
    assert not marks["scale-check"].needs_manual


def test_could_not_grade_is_not_zero(root: Path) -> None:
    write(Course(root), "example", [failed("eve"), record("ada")])
    write(Course(root), "example", [failed("ada")])
    for student, marks in read_scores(Course(root), "example").items():
        assert set(marks.values()) == {Scores(None, None, None, True)}, student
        assert {mark.points for mark in marks.values()} == {None}
    with gradebook(root) as book:
        submission = book.find_submission("example", "ada")
        assert submission.needs_manual_grade
        comments = {
            comment.auto_comment for comment in submission.notebooks[0].comments
        }
        assert comments == {"Could not be graded by machine: the file is damaged"}
    write(Course(root), "example", [record("ada", 1.0)])
    marks = read_scores(Course(root), "example")["ada"]
    assert marks["scale-check"] == Scores(1, None, None, False)


@pytest.mark.parametrize(
    ("mark", "points"),
    [
        (Scores(None, None, None, True), None),
        (Scores(2, None, None, False), 2),
        (Scores(2, 0, None, False), 0),
        (Scores(2, 1, 0.5, False), 1.5),
        (Scores(None, None, 0.5, True), 0.5),
    ],
)
def test_points_of_a_mark(mark: Scores, points: float | None) -> None:
    assert mark.points == points


def test_no_marks_where_there_is_no_database(fresh: Path) -> None:
    assert read_scores(Course(fresh), "example") == {}
    assert update_penalties(Course(fresh), "example") == 0
    assert not (fresh / "gradebook.db").exists()


def test_totals_are_those_of_nbgrader_export(root: Path) -> None:
    days = {"ada": -1.0, "eve": 0.5, "alan": 1.5, "mary": 2.5}
    for student, late in days.items():
        submit(root, student, DUE + timedelta(days=late))
    write(Course(root), "example", [record(student, 1.0) for student in days])
    for student in days:
        mark_by_hand(root, student, "report", manual_score=2.0, extra_credit=1.0)
    course = Course(root)
    assert update_penalties(course, "example") == 3
    assert update_penalties(course, "example") == 0
    table = root / "grades.csv"
    with gradebook(root) as book:
        CsvExportPlugin(to=str(table)).export(book)
    with table.open() as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file)}
    marks = read_scores(course, "example")
    for student, lost in zip(days, [0, 0.25, 0.5, 1], strict=True):
        points = sum(mark.points or 0 for mark in marks[student].values())
        assert course.late_fraction(student, "example") == lost
        assert points == 8 == float(rows[student]["raw_score"])
        assert points * (1 - lost) == float(rows[student]["score"])
        assert float(rows[student]["max_score"]) == 10


def test_what_waits_is_settled_by_hand_and_then_has_a_mark(root: Path) -> None:
    data = waits("ada")
    write(Course(root), "example", [data])
    with gradebook(root) as book:
        grade = book.find_grade("scale-check", "example", "example", "ada")
        assert grade.needs_manual_grade and grade.auto_score is None
        said = book.find_comment("scale", "example", "example", "ada").auto_comment
        assert said.endswith("waits for points by hand: no cell defines scale")
    mark_by_hand(root, "ada", "report", manual_score=3.0)
    before = grade_of(data, by_hand(Course(root), "example")["ada"])
    assert (before.state, before.total) == ("not marked yet", None)
    mark_by_hand(root, "ada", "scale-check", manual_score=2.5)
    write(Course(root), "example", [data])  # graded again: the mark stays
    after = grade_of(data, by_hand(Course(root), "example")["ada"])
    assert (after.state, after.total) == ("graded", 9.5)


def test_a_comment_carries_no_script(root: Path) -> None:
    evil = (
        "<script>alert(1)</script> [x](javascript:alert(1)) \x1b[31m\n\n# scale-check"
    )
    planted = question("scale", 0.0, 3.0, error=evil * 100, seen=evil)
    data = record("ada", 0.0)
    write(
        Course(root),
        "example",
        [copy.deepcopy(data) | {"questions": [planted, *data["questions"][1:]]}],  # type: ignore[typeddict-unknown-key]
    )
    with gradebook(root) as book:
        comment = book.find_comment("scale", "example", "example", "ada").auto_comment
    assert "<s" not in comment and "](" not in comment and "\x1b" not in comment
    assert len(comment) < 3000


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([record("ada", assignment="other")], "a record of 'other', not of 'example'"),
        ([record("ada"), record("ada")], "two records of the student 'ada'"),
        ([record("../ada")], "student='../ada'"),
        (
            [record("ada", questions=[question("new", 1.0, 1.0)])],
            "'new', the master the cells .*rms-check",
        ),
        (
            [record("ada", questions=[question("rms", 1.0, 5.0)])],
            "at most 5 points, the master 4: grade again",
        ),
    ],
)
def test_records_that_do_not_fit(root: Path, records: list[Record], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        write(Course(root), "example", records)
    assert read_scores(Course(root), "example") == {}


def test_no_master(root: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"no source/other/other\.ipynb; release"
    ):
        write(Course(root), "other", [])
    path = root / "source/example/example.ipynb"
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"source/example/example\.ipynb: nbgr"):
        write(Course(root), "example", [])


def edit_master(root: Path, grade_id: str, **meta: Any) -> None:
    """Change a cell's nbgrader metadata, or without any, take the cell out."""
    path = root / "source/example/example.ipynb"
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        nbgrader = cell["metadata"].get("nbgrader", {})
        if nbgrader.get("grade_id") == grade_id:
            nbgrader.update(meta)
            if not meta:
                notebook["cells"].remove(cell)
            break
    path.write_text(json.dumps(notebook))


def test_other_points(root: Path) -> None:
    write(Course(root), "example", [record("ada")])
    edit_master(root, "scale-check", points=6)
    corrected = [question("scale", 6.0, 6.0), *record("ada")["questions"][1:]]
    write(Course(root), "example", [record("ada", questions=corrected)])
    with gradebook(root) as book:
        assert book.find_submission("example", "ada").score == 10
        assert book.find_assignment("example").max_score == 13


def test_a_new_cell_is_to_be_graded(root: Path) -> None:
    path = root / "source/example/example.ipynb"
    whole = path.read_text()
    edit_master(root, "report")
    fewer = record("ada")["questions"][:2]
    write(Course(root), "example", [record("ada", questions=fewer)])
    path.write_text(whole)
    write(Course(root), "example", [])
    assert read_scores(Course(root), "example")["ada"]["report"].needs_manual
    with gradebook(root) as book:
        assert book.find_comment("report", "example", "example", "ada")


def test_a_cell_that_is_gone(root: Path) -> None:
    write(Course(root), "example", [record("ada")])
    mark_by_hand(root, "ada", "report", manual_score=2.0)
    edit_master(root, "report")
    before = dump(root)
    with pytest.raises(ValueError, match="no cell report any more"):
        write(Course(root), "example", [])
    assert dump(root) == before
    mark_by_hand(root, "ada", "report", manual_score=None)
    write(Course(root), "example", [])
    assert set(read_scores(Course(root), "example")["ada"]) == {
        "scale-check",
        "rms-check",
    }
    with gradebook(root) as book:
        assert book.find_assignment("example").max_score == 7


@pytest.mark.filterwarnings("ignore:Object of type")
@pytest.mark.parametrize("known", [True, False])
def test_a_notebook_of_the_schools_own_stays(root: Path, known: bool) -> None:
    if known:
        write(Course(root), "example", [])
    with gradebook(root) as book:
        if not known:
            book.add_assignment("example")
        book.add_notebook("theirs", "example")
        book.add_grade_cell("x", "theirs", "example", max_score=5, cell_type="code")
        book.add_student("ada", first_name="Augusta")
        book.add_submission("example", "ada")
        grade = book.find_grade("x", "theirs", "example", "ada")
        grade.auto_score = 4.0
        book.db.commit()
    submit(root, "ada", DUE + timedelta(hours=1))
    write(Course(root), "example", [record("ada", 1.0)])
    assert write(Course(root), "example", [record("ada", 1.0)]) == Written(0, 0, 1)
    with gradebook(root) as book:
        submission = book.find_submission("example", "ada")
        assert submission.score == 9
        late = {n.name: n.late_submission_penalty for n in submission.notebooks}
        assert late == {"theirs": None, "example": 5 * 0.25}
        assert book.find_student("ada").first_name == "Augusta"
    assert set(read_scores(Course(root), "example")["ada"]) == {
        "scale-check",
        "rms-check",
        "report",
    }


def test_writers_at_once(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layers_book.coursework.nbgrader.gradebook.BATCH", 3)
    errors: list[Exception] = []
    counts: list[Written] = []

    def run(first: int) -> None:
        try:
            records = [record(f"s{number}") for number in range(first, first + 12)]
            counts.append(write(Course(fresh), "example", records))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(4 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum(count.new for count in counts) == 24
    marks = read_scores(Course(fresh), "example")
    assert len(marks) == 24 and {len(cells) for cells in marks.values()} == {3}
    with sqlite3.connect(fresh / "gradebook.db") as database:
        assert list(database.execute("PRAGMA integrity_check")) == [("ok",)]
    assert [path.name for path in fresh.glob("gradebook.db*")] == ["gradebook.db"]


def test_a_database_of_the_courses_choice(fresh: Path) -> None:
    place = fresh / "marks" / "ours.db"
    place.parent.mkdir()
    config = fresh / "nbgrader_config.py"
    config.write_text(
        f"c = get_config()\nc.CourseDirectory.db_url = 'sqlite:///{place}'\n"
    )
    write(Course(fresh), "example", [record("ada")])
    with Gradebook(f"sqlite:///{place}") as book:
        assert book.find_submission("example", "ada").score == 7
    assert not (fresh / "gradebook.db").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("db_url = 'postgresql://x/y'", "db_url = 'postgresql://x/y': sqlite:///PATH"),
        ("db_url = 'nonsense'", "db_url = 'nonsense': sqlite:///PATH"),
        ("submitted_directory = 'in'", "submitted_directory = 'in': 'submitted' is"),
        ("directory_structure = '{x}'", "directory_structure = '{x}': "),
    ],
)
def test_what_the_course_may_not_choose(root: Path, line: str, said: str) -> None:
    config = root / "nbgrader_config.py"
    config.write_text(f"c = get_config()\nc.CourseDirectory.{line}\n")
    with pytest.raises(ValueError, match=f"nbgrader_config.py: CourseDirectory.{said}"):
        write(Course(root), "example", [])


def test_the_environment_is_left_alone(root: Path) -> None:
    before = dict(os.environ)
    write(Course(root), "example", [record("ada")])
    assert dict(os.environ) == before
