"""The guide's commands, one after another, from an empty folder."""

import csv
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from layers_book.coursework.__main__ import app, main
from layers_book.coursework.course import Course
from layers_book.coursework.nbgrader import gradebook

EXAMPLE = Path(__file__).with_name("example")
DETACHED = "def rms(x):\n    return x.detach().square().mean(-1).sqrt()\n"


def command(*words: str) -> str:
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def course(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, submit: Callable[..., bytes]
) -> Path:
    """An empty course but for an assignment of its own, and a Moodle export."""
    folder = tmp_path / "course"
    shutil.copytree(EXAMPLE, folder / "assignments" / "example")
    (folder / "coursework.toml").write_text(
        'salt = "of this course"\n[assignments.example]\ndue = 2026-01-01T12:00:00Z\n'
        "[late]\nper_day = 0.5\n"
    )
    monkeypatch.chdir(folder)
    with zipfile.ZipFile(tmp_path / "moodle.zip", "w") as export:
        for number, (name, data) in enumerate(
            {
                "Ada Lovelace": submit(),
                "Bo Detached": submit(rms=DETACHED),
                "Cy Damaged": b"{",
            }.items()
        ):
            place = f"{name}_{number}_assignsubmission_file_/my work (1).ipynb"
            export.writestr(zipfile.ZipInfo(place, (2026, 1, 1, 11, 0, 0)), data)
        late = zipfile.ZipInfo(
            "Di Late_7_assignsubmission_file_/example.ipynb", (2026, 1, 1, 13, 0, 0)
        )
        export.writestr(late, submit(scale="def scale(x, weight):\n    return x\n"))
        export.writestr("__MACOSX/._x", b"")
    return folder


def table(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8-sig") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def test_the_guide(course: Path, tmp_path: Path) -> None:
    assert "release/example/example.ipynb" in command("release", "example")
    said = command("collect", str(tmp_path / "moodle.zip"), "-a", "example")
    assert "3 submitted" in said and "rejected" in said
    assert "3 graded" in command("grade", "example", "--workers", "1")
    assert "0 graded, 3 as they were" in command("grade", "example", "--workers", "1")

    command("export", "example")
    marks = table(course / "exports/example/plain.csv")
    ada, bo, di = (marks[s] for s in ("ada-lovelace", "bo-detached", "di-late"))
    assert (ada["scale"], ada["rms"], ada["total"]) == ("3", "4", "")
    assert (bo["scale"], bo["rms"]) == ("3", "2")
    assert "not marked yet" in ada["state"]

    from nbgrader.api import Gradebook  # takes a second to import

    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        for student in ("ada-lovelace", "bo-detached", "di-late"):
            grade = book.find_grade("report", "example", "example", student)
            grade.manual_score, grade.needs_manual_grade = 2.0, False
            comment = book.find_comment("report", "example", "example", student)
            comment.manual_comment = "Well <b>argued</b>."
        book.db.commit()
    command("grade", "example")
    command("export", "example")
    marks = table(course / "exports/example/plain.csv")
    assert marks["ada-lovelace"]["total"] == "9"
    assert marks["bo-detached"]["total"] == "7"
    late = marks["di-late"]
    assert float(late["late penalty"]) == float(late["subtotal"]) / 2

    command("feedback", "example")
    page = (course / "feedback/bo-detached/example/example.html").read_text("utf8")
    assert "failed" in page.replace(DETACHED, "")
    assert "Well &lt;b&gt;argued&lt;/b&gt;." in page
    assert "x.square().mean(-1).sqrt()" not in page.replace(DETACHED, "")


def test_nbgrader_gives_the_same_marks(
    course: Path, submit: Callable[..., bytes]
) -> None:
    """Honest work, right and wrong, in nbgrader's own autograde and in ours."""
    command("release", "example")
    for student, data in (("ada", submit()), ("bo", submit(rms=DETACHED))):
        path = course / "submitted" / student / "example" / "example.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    theirs = course.parent / "theirs"
    shutil.copytree(course, theirs)
    command("grade", "example", "--workers", "1")
    bin = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": f"{bin}{os.pathsep}{os.environ['PATH']}"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    for words in (["generate_assignment", "--force"], ["autograde"]):
        subprocess.run(
            [sys.executable, "-m", "nbgrader", *words, "example"],
            cwd=theirs,
            env=environment,
            check=True,
            capture_output=True,
        )
    ours, other = (
        {
            student: {cell: scores.auto for cell, scores in cells.items()}
            for student, cells in gradebook.read_scores(Course(f), "example").items()
        }
        for f in (course, theirs)
    )
    assert ours == other
    assert ours["ada"]["rms-check"] == 4.0 and ours["bo"]["rms-check"] == 2.0


def test_variants_are_graded_by_their_own_numbers(course: Path) -> None:
    (course / "roster.csv").write_text("student,name\nada,Ada\nbo,Bo\n")
    command("release", "example", "--variants")
    versions = [
        nbformat.read(course / "release" / s / "example" / "example.ipynb", 4)
        for s in ("ada", "bo")
    ]
    cells = [next(c.source for c in v.cells if c.id == "variant") for v in versions]
    assert cells[0] != cells[1]


def test_mistakes_are_one_line(
    course: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, said in (
        (["release", "nothing"], "assignment 'nothing': there are"),
        (["release", "example", "--variants"], "roster.csv"),
        (["collect", "nowhere.zip", "-a", "example"], "nowhere.zip"),
        (["grade", "example", "--scheduler", "tcp://10.0.0.1:1"], "scheduler="),
        (["export", "example", "--kind", "excel"], "kind='excel'"),
    ):
        monkeypatch.setattr(sys, "argv", ["coursework", *words])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 1
        captured = capsys.readouterr()
        assert said in captured.out + captured.err
        assert "Traceback" not in captured.out + captured.err
