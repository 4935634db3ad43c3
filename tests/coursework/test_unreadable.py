"""One file that is no notebook stops nobody else's marks."""

import shutil
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from layers_book.coursework import __main__ as command
from layers_book.coursework.grade import grading, queue


class _NoBox:
    """Never asked: a file that cannot be read is not run."""


def test_what_cannot_be_read_is_entered_without_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = Path(__file__).with_name("example")
    shutil.copytree(example, tmp_path / "assignments" / "example")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "submitted" / "bad" / "example" / "example.ipynb"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{")
    course, assignment = command._open("example")
    submitted = command._submitted(course, "example")
    version = assignment.version(command._values(course, assignment)("bad"))
    box: object = _NoBox()
    record = grading.grade(version, "bad", b"{", box)  # type: ignore[arg-type]
    record["key"] = grading.job_key(version, "bad", record["submission"])
    queue.write(course.records("example"), record)
    command._enter(course, assignment, submitted)
    assert record["state"] == "could not grade" and record["points"] is None
    assert {q["points"] for q in record["questions"]} == {None}
    (tmp_path / "roster.csv").write_text("student\nbad\n")
    command.export("example")
    folder = tmp_path / "exports" / "example"
    assert "bad,,all,could not grade" in (folder / "waiting.csv").read_text("utf-8-sig")
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as book:
        for cell in ("scale-check", "rms-check", "report"):
            grade = book.find_grade(cell, "example", "example", "bad")
            assert grade.needs_manual_grade and grade.auto_score is None
            grade.manual_score, grade.needs_manual_grade = 2.0, False
        book.db.commit()
    command.export("example")
    assert "bad,,2,2,2,6,0,6,10,graded" in (folder / "plain.csv").read_text("utf-8-sig")
    assert (tmp_path / "autograded" / "bad" / "example" / "example.ipynb").exists()
