"""The book's assignments: solutions get all, typical mistakes lose, nothing leaks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from layers_book.coursework import assignment, validate
from layers_book.coursework.sandbox.bubblewrap import Limits, Sandbox

FOLDER = Path(__file__).parents[2] / "coursework" / "assignments"
CHAPTERS = ("basic", "normalization", "convolution", "recurrent", "attention")
LEAST = 0.95  # of the typical wrong answers that must lose what they should


def test_each_chapter_has_one() -> None:
    assert sorted(f.name for f in FOLDER.iterdir()) == sorted(CHAPTERS)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_alone_assignment(
    chapter: str, record_property: Callable[[str, object], None]
) -> None:
    loaded = assignment.load(FOLDER / chapter)
    cells = loaded.master
    graded = [cell for cell in cells if cell.kind in ("answer", "manual")]
    assert 6 <= len({cell.grade_id for cell in graded}) <= 10
    assert any(cell.kind == "manual" for cell in graded)
    with Sandbox(Limits()) as sandbox:
        report = validate.check(loaded, sandbox)
    assert report.problems == []
    assert report.remarks == []
    assert report.mutation_score >= LEAST
    said = f"{report.caught} of {report.wrong}, {report.mutation_score:.1%}"
    record_property("wrong answers caught", f"{chapter}: {said}")
