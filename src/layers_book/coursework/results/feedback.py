"""One page of feedback a student: points, hints, comments, and nothing that acts.

A page holds what the record and the points by hand say, and the student's own answers
as text. It holds no solution, no check, no script and no link that leads out, and its
Content-Security-Policy forbids what a browser would have to load or run.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from layers_book.coursework.files import folder_name
from layers_book.coursework.files import write as write_file
from layers_book.coursework.grade.record import Record
from layers_book.coursework.results.grades import ByHand, QuestionGrade, grade_of
from layers_book.coursework.results.pages import render

CELL_WORDS = {
    "error": "ended with an error",
    "time": "was stopped: it took too long",
    "memory": "was stopped: it needed too much memory",
    "stopped": "was stopped",
}


class _View(NamedTuple):
    """How a question is shown: the sign and the words say what the color says."""

    grade: QuestionGrade
    sign: str
    words: str
    tone: str
    explained: str
    width: float
    answer: str


def page(
    record: Record,
    answers: Mapping[str, str],
    manual: Mapping[str, ByHand] | None = None,
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
    grade = grade_of(record, manual, penalty)
    views = [_view(each, answers) for each in grade.questions]
    given = [each for each in grade.questions if each.points is not None]
    shown = {q["name"] for q, *_ in grade.questions if q["error"]}
    return render(
        "feedback.html",
        record=record,
        grade=grade,
        views=views,
        so_far=math.fsum(each.points or 0.0 for each in given),
        so_far_of=math.fsum(each.question["max_points"] for each in given),
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


def write(folder: Path, record: Record, text: str) -> Path:
    """Write ``STUDENT/NAME/NAME.html`` below a folder, nbgrader's place for feedback.

    Args:
        folder: the course's ``feedback``.
        record: whose page it is.
        text: what `page` gives.

    Returns:
        The file, which is replaced whole.

    Raises:
        ValueError: the student or the assignment is no name of a folder.
        OSError: the file cannot be written.
    """
    student = folder_name("student", record["student"])
    name = folder_name("assignment", record["assignment"])
    return write_file(folder / student / name / f"{name}.html", text)


def _view(grade: QuestionGrade, answers: Mapping[str, str]) -> _View:
    question, points = grade.question, grade.points
    of = question["max_points"]
    share = min(max((points or 0.0) / of, 0.0), 1.0) if of else 1.0
    sign, words, tone = _state(grade, share)
    explained = ""
    if question["state"] == "waiting":
        explained = "No points yet, which is not a mark of 0: your teacher looks at it."
    if grade.by_hand and points is not None and question["state"] != "manual":
        explained = "Your teacher's points replace the automatic ones."
    answer = answers.get(question["name"], "")
    return _View(grade, sign, words, tone, explained, round(100 * share, 1), answer)


def _state(grade: QuestionGrade, share: float) -> tuple[str, str, str]:
    """Sign, words and tone of a question."""
    state = grade.question["state"]
    if grade.by_hand and grade.points is not None:
        return "●", "marked by hand", "right" if share == 1 else "open"
    if state == "manual":
        return "○", "not marked yet", "open"
    if state == "not answered":
        return "○", "not answered", "open"
    if state == "waiting":
        return "○", "to be looked at", "open"
    if state == "stopped":
        return "✗", "stopped", "wrong"
    if share == 1:
        return "✓", "right", "right"
    return ("◐", "partly right", "open") if share else ("✗", "not right yet", "wrong")
