"""The command line: what it does, what it says, and what it does not load."""

import csv
import getpass
import hashlib
import json
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

from layers_book.coursework import release as releasing
from layers_book.coursework.__main__ import app, main
from layers_book.coursework.assignment import load
from layers_book.coursework.course import Course
from layers_book.coursework.nbgrader import gradebook

GUIDE = Path(__file__).parents[2] / "coursework" / "README.md"
# importing one of these takes longer than a command that only says something
HEAVY = ("torch", "numpy", "nbformat", "nbgrader", "jupytext", "distributed", "IPython")
HEAVY += ("sqlalchemy", "matplotlib", "jinja2", "copydetect", "rich")
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


def refused(*words: str) -> str:
    """What the command line says of a mistake: one line, and no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "layers_book.coursework", *words],
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert not done.stdout
    return done.stderr


def test_a_course_from_release_to_export(course: Path, tmp_path: Path) -> None:
    said = command("release", "example")
    assert "next: give students release/example/example.ipynb\n" in said
    said = command("collect", str(tmp_path / "moodle.zip"), "-a", "example")
    assert "3 submitted" in said and "rejected" in said
    assert said.endswith("next: coursework grade example\n")
    said = command("grade", "example", "--workers", "1")
    assert "grading: 3 of 3\n" in said, "whole lines where there is no terminal"
    assert "3 graded, 0 as they were\n3 submissions: 3 not marked yet\n" in said
    assert "next: mark by hand: jupyter lab, menu Nbgrader > Formgrader\n" in said
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
    said = command("grade", "example")
    assert "3 submissions: 3 graded\n" in said and "mark by hand" not in said
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
    found = list((course / "feedback").rglob("submission_secret.txt"))
    assert len({path.read_text() for path in found}) == len(found) == 3


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


ROSTER = (
    "student,name,email,moodle\nada,Ada_Ada Lovelace,,\nbo,Bo,b@x.org,\n"
    "cy,Cy,,Participant 7\ndi,Di,,\nem,Em,,\n"
)
WORKSHEET = (
    "ID,Vollständiger Name,E-Mail-Adresse\nTeilnehmer/in 101,Lovelace Ada Ada,\n"
    "Teilnehmer/in 102,Another name,b@x.org\nTeilnehmer/in 7,,\n"
    "Teilnehmer/in 104,Di,\nTeilnehmer/in 105,Di,\n"
)


def moodle_reads(member: str) -> tuple[str, str]:
    """Number and file name, as `is_valid_filename_for_import` finds them."""
    _, number, kind, plugin, rest = member.split("_", 4)
    assert (kind, plugin) == ("assignsubmission", "file") and "/" not in rest
    return number, rest


def variant_of(path: Path) -> str:
    cells = json.loads(path.read_text("utf8"))["cells"]
    return "".join(next(c["source"] for c in cells if c["id"] == "variant"))


def test_variants_reach_their_students(course: Path, tmp_path: Path) -> None:
    (course / "coursework.toml").write_text("[late]\nper_day = 0.5\n")
    (course / "roster.csv").write_text(ROSTER)
    said = command("release", "example", "--variants")
    assert "next: coursework hand-out example WORKSHEET\n" in said
    salt = Course(course).settings.salt
    assert len(salt) >= 24 and Course(course).settings.late.per_day == 0.5
    own = {s: course / "release" / s / "example/example.ipynb" for s in Course().roster}
    assert len({variant_of(path) for path in own.values()}) > 1
    command("release", "example", "--variants")
    assert Course(course).settings.salt == salt, "the secret stays"

    worksheet = tmp_path / "worksheet.csv"
    worksheet.write_text(WORKSHEET, "utf-8-sig")
    said = command("hand-out", "example", str(worksheet))
    with zipfile.ZipFile(course / "handout/example/numbers.zip") as archive:
        found = {moodle_reads(name): archive.read(name) for name in archive.namelist()}
    assert found == {
        ("101", "example.ipynb"): own["ada"].read_bytes(),
        ("102", "example.ipynb"): own["bo"].read_bytes(),
        ("7", "example.ipynb"): own["cy"].read_bytes(),
    }
    for student in ("di", "em"):  # two of one name, and nobody
        assert f"not for Moodle: {student}: worksheet.csv has no such" in said

    shared = course / "handout/exchange/example/example.ipynb"
    nbformat.validate(nbformat.read(shared, 4))
    table = json.loads(shared.with_name("variants.json").read_text("utf8"))
    drawn = load(EXAMPLE).values("bo", salt)
    assert table[hashlib.sha256(b"bo").hexdigest()] == drawn and "bo" not in table


def test_the_shared_notebook_looks_up_the_user(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = getpass.getuser()
    (course / "roster.csv").write_text(f"student\nada\n{me}\n")
    command("release", "example", "--variants")
    command("hand-out", "example")
    shared = course / "handout/exchange/example"
    monkeypatch.chdir(shared)
    for user, student in (("ada", "ada"), ("", me)):
        monkeypatch.setenv("JUPYTERHUB_USER", user)
        space: dict[str, object] = {}
        exec(variant_of(shared / "example.ipynb"), space)
        own = Course(course).release("example", student)
        assert f"VARIANT = {space['VARIANT']}" == variant_of(own)
    monkeypatch.setenv("JUPYTERHUB_USER", "eve")
    with pytest.raises(AssertionError, match="no numbers for the user eve"):
        exec(variant_of(shared / "example.ipynb"), {})


def test_numbers_of_moodle_come_from_what_was_collected(course: Path) -> None:
    """A previous export knows the numbers, and so may the roster."""
    (course / "roster.csv").write_text(
        "student,name,moodle\nada,Ada Lovelace,\nbo,Bo Detached,\n"
        "em,Em,Participant 77\nel,El,\n"
    )
    command("release", "example", "--variants")
    command("collect", str(course.parent / "moodle.zip"), "-a", "example")
    said = command("hand-out", "example")
    with zipfile.ZipFile(course / "handout/example/numbers.zip") as archive:
        numbers = sorted(moodle_reads(name)[0] for name in archive.namelist())
    assert numbers == ["0", "1", "77"], said
    assert "not for Moodle: el: no number: give the grading worksheet" in said


def test_students_are_graded_by_what_was_released_to_them(
    course: Path, submit: Callable[..., bytes]
) -> None:
    (course / "roster.csv").write_text("student,name\nada,Ada\n")
    command("release", "example", "--variants")
    released = course / "release/ada/example/example.ipynb"
    text = released.read_text("utf8")
    assert "'n': 4" in text or "'n': 3" in text or "'n': 5" in text
    path = course / "submitted/ada/example/example.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(submit())
    (course / "coursework.toml").write_text('salt = "another one than before"\n')
    command("grade", "example", "--workers", "1")
    (record,) = (course / "records/example").rglob("*.json")
    values = releasing.released_values(load(EXAMPLE), released)
    assert Course(course).settings.salt == "another one than before"
    key = json.loads(record.read_text("utf8"))["key"]
    from layers_book.coursework.grade.grading import job_key

    submission = hashlib.sha256(submit()).hexdigest()
    assert key == job_key(load(EXAMPLE).version(values), "ada", submission)


def test_mistakes_are_one_line(
    course: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (course / "other.csv").write_text("a,b\n1,2\n")
    for words, said in (
        (["release", "nothing"], "assignment 'nothing': there are"),
        (["release", "example", "--variants"], "roster.csv"),
        (["collect", "nowhere.zip", "-a", "example"], "nowhere.zip"),
        (["hand-out", "example"], "coursework release example --variants"),
        (["hand-out", "example", "--feedback"], "coursework feedback example"),
        *(
            ([task, "example"], "coursework collect DOWNLOAD -a example")
            for task in ("grade", "feedback", "export")
        ),
    ):
        monkeypatch.setattr(sys, "argv", ["coursework", *words])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 1
        captured = capsys.readouterr()
        assert said in captured.err and captured.err.count("\n") == 1
        assert not captured.out


def test_before_grading(course: Path, submit: Callable[..., bytes]) -> None:
    path = course / "submitted/ada/example/example.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(submit())
    for task in ("feedback", "export"):
        assert "none of 1 submissions is graded: coursework grade" in refused(
            task, "example"
        )
    command("release", "example")
    for words, said in (
        (["--scheduler", "tcp://10.0.0.1:1"], "scheduler="),
        (["--workers", "-3"], "--workers -3: a number from 0 is needed"),
        (["--memory", "0"], "--memory 0: a number from 1 is needed"),
        (["--seconds", "nan"], "--seconds nan: a number from 0.1 is needed"),
    ):
        assert said in refused("grade", "example", *words)
    command("grade", "example", "--workers", "1")
    assert "kind='excel'" in refused("export", "example", "--kind", "excel")


@pytest.mark.parametrize("task", ["grade", "feedback", "export", "hand-out", "collect"])
def test_a_folder_that_is_no_course(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [".", "-a", "basic"] if task == "collect" else ["basic"]
    assert "is no course folder: change to the one" in refused(task, *words)
    assert not list(tmp_path.iterdir())


def test_a_release_that_differs_is_told_the_option(course: Path) -> None:
    command("release", "example")
    assert "--force replaces it" in refused(
        "release", "example", "--due", "2027-01-01T12:00Z"
    )
    command("release", "example", "--due", "2027-01-01T12:00Z", "--force")


@pytest.mark.parametrize(
    "words",
    [["--help"], ["grade", "--help"], ["grade", "basic"], ["bank", "linear"]],
)
def test_help_and_mistakes_load_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom layers_book.coursework.__main__ import main\n"
        f"sys.argv[1:] = {words!r}\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('loaded:', *sorted({set(HEAVY)} & sys.modules.keys()))"
    )
    said = subprocess.check_output(
        [sys.executable, "-c", code], cwd=tmp_path, text=True
    )
    assert said.endswith("loaded:\n")
    assert ("--help" in said) == (words[-1] == "--help")


def test_the_guides_table_is_that_of_the_assignments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    listed = command("list")
    assert listed.count("\n") == 7
    assert f"\n{listed}\n" in GUIDE.read_text("utf8")


def test_check_names_what_is_not_recognized(course: Path) -> None:
    path = course / "assignments/example/rms.py"
    text, last = path.read_text(), '            edits=((".sqrt()", ""),),\n        ),\n'
    assert text.count(last) == 1
    twin = last.replace('""', '".abs()"')
    twin = (
        f'        Mistake(\n            name="its twin",\n            hint="?",\n{twin}'
    )
    path.write_text(text.replace(last, last + twin))
    said = command("check", "example")
    assert "wrong answers caught: 7 of 7\nwrong answers recognized: 6 of 7\n" in said
    assert "not recognized: rms: 'its twin' gets the hint of 'no root'\n" in said
    assert said.endswith("next: coursework release example\n")
