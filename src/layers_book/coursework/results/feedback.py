"""One page of feedback a student: points, hints, comments, and nothing that acts.

A page holds what the record and the marks by hand say, and the student's own answers
as text. It holds no solution, no check, no script and no link that leads out, and its
Content-Security-Policy forbids what a browser would have to load or run.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from layers_book.coursework.grade.record import Record
from layers_book.coursework.results.grades import Hand, Mark, marks
from layers_book.coursework.results.pages import folder_name, render, write_text

CELL_WORDS = {
    "error": "ended with an error",
    "time": "was stopped: it took too long",
    "memory": "was stopped: it needed too much memory",
    "stopped": "was stopped",
}


class _View(NamedTuple):
    """How a question is shown: the sign and the words say what the color says."""

    mark: Mark
    sign: str
    words: str
    tone: str
    explained: str
    width: float
    answer: str


def page(
    record: Record,
    answers: Mapping[str, str],
    manual: Mapping[str, Hand] | None = None,
    *,
    title: str = "",
    student_name: str = "",
    penalty: float = 0.0,
    late: str = "",
    received: str = "",
) -> str:
    """The feedback page of one submission, as HTML that is safe to open.

    Args:
        record: of the submission.
        answers: the student's sources by the question's name.
        manual: points and comment of the hand-marked questions by grade id.
        title: of the assignment; its name by default.
        student_name: the student's id by default.
        penalty: points lost for lateness.
        late: a sentence about the lateness, such as ``"2 days late."``.
        received: when the submission came in, as it is to be read.

    Raises:
        ValueError: a negative penalty.
    """
    result = marks(record, manual, penalty)
    views = [_view(mark, answers) for mark in result.marks]
    given = [mark for mark in result.marks if mark.points is not None]
    shown = {mark.question["name"] for mark in result.marks if mark.question["error"]}
    return render(
        "feedback.html",
        record=record,
        marks=result,
        views=views,
        so_far=math.fsum(mark.points or 0.0 for mark in given),
        so_far_of=math.fsum(mark.question["max_points"] for mark in given),
        cells=[
            cell
            for cell in record["cells"]
            if cell["state"] != "ok" and cell["cell"] not in shown
        ],
        cell_words=CELL_WORDS,
        title=title or record["assignment"],
        student_name=student_name or record["student"],
        late=late,
        received=received,
    )


def write(
    folder: Path,
    record: Record,
    answers: Mapping[str, str],
    manual: Mapping[str, Hand] | None = None,
    *,
    title: str = "",
    student_name: str = "",
    penalty: float = 0.0,
    late: str = "",
    received: str = "",
) -> Path:
    """Write ``STUDENT/NAME/NAME.html`` below a folder, nbgrader's place for feedback.

    Args:
        folder: the course's ``feedback``; the others as for ``page``.

    Returns:
        The file, which is replaced whole.

    Raises:
        ValueError: the student or the assignment is no name of a folder.
        OSError: the file cannot be written.
    """
    student = folder_name("student", record["student"])
    name = folder_name("assignment", record["assignment"])
    text = page(
        record,
        answers,
        manual,
        title=title,
        student_name=student_name,
        penalty=penalty,
        late=late,
        received=received,
    )
    return write_text(folder / student / name / f"{name}.html", text)


def _view(mark: Mark, answers: Mapping[str, str]) -> _View:
    question, points = mark.question, mark.points
    of = question["max_points"]
    share = min(max((points or 0.0) / of, 0.0), 1.0) if of else 1.0
    sign, words, tone = _state(mark, share)
    explained = ""
    if question["state"] == "missing":
        explained = "Your notebook has no cell for it: start again from the release."
    if mark.by_hand and points is not None and question["state"] != "manual":
        explained = "Your teacher's points replace the automatic ones."
    answer = answers.get(question["name"], "")
    return _View(mark, sign, words, tone, explained, round(100 * share, 1), answer)


def _state(mark: Mark, share: float) -> tuple[str, str, str]:
    """Sign, words and tone of a question."""
    state = mark.question["state"]
    if mark.by_hand and mark.points is not None:
        return "●", "marked by hand", "right" if share == 1 else "open"
    if state == "manual":
        return "○", "not marked yet", "open"
    if state == "not answered":
        return "○", "not answered", "open"
    if state == "missing":
        return "○", "its cell is missing", "open"
    if state == "stopped":
        return "✗", "stopped", "wrong"
    if mark.points is None:
        return "○", "could not grade", "open"
    if share == 1:
        return "✓", "right", "right"
    return ("◐", "partly right", "open") if share else ("✗", "not right yet", "wrong")
