"""The grade of one submission: machine's points, points by hand, late penalty."""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

from layers_book.coursework.grade.record import QuestionRecord, Record

ByHand = tuple[float | None, str]
"""Points given by hand (``None``: not yet, or a comment alone), and the comment."""
State = Literal["graded", "not marked yet", "could not grade"]


class QuestionGrade(NamedTuple):
    """One question's points; ``None`` if nobody has given any."""

    question: QuestionRecord
    points: float | None
    by_hand: bool
    comment: str


class Grade(NamedTuple):
    """A submission's points: ``subtotal - penalty = total``, ``None`` while one lacks.

    ``waiting`` names the titles of the questions that have no points.
    """

    state: State
    questions: tuple[QuestionGrade, ...]
    subtotal: float | None
    penalty: float
    total: float | None
    max_points: float
    waiting: tuple[str, ...]


def grade_of(
    record: Record, manual: Mapping[str, ByHand] | None = None, penalty: float = 0.0
) -> Grade:
    """Put a record and the points by hand together.

    Points by hand win over the machine's, as in nbgrader. What could not be graded
    has no points, unless every question was marked by hand.

    Args:
        record: of the submission.
        manual: points and comment by grade id; the id is the question's name, or, as
            nbgrader's test cells have it, the name and ``-check``.
        penalty: points lost for lateness, at least 0; the total is at least 0.

    Raises:
        ValueError: a negative or undefined penalty.
    """
    if not (math.isfinite(penalty) and penalty >= 0):
        raise ValueError(f"penalty={penalty}: points lost, a number of at least 0")
    questions = tuple(_question(q, manual or {}) for q in record["questions"])
    waiting = tuple(q.question["title"] for q in questions if q.points is None)
    state: State = "graded"
    if record["state"] != "graded" and (waiting or not questions):
        state = "could not grade"
    elif waiting:
        state = "not marked yet"
    subtotal = total = None
    if state == "graded":
        subtotal = math.fsum(q.points or 0.0 for q in questions)
        total = max(0.0, subtotal - penalty)
    listed = math.fsum(q.question["max_points"] for q in questions)
    max_points = listed if questions else record["max_points"]
    return Grade(state, questions, subtotal, penalty, total, max_points, waiting)


def _question(question: QuestionRecord, manual: Mapping[str, ByHand]) -> QuestionGrade:
    name = question["name"]
    hands = [manual[i] for i in (name, f"{name}-check") if i in manual]
    points = next((p for p, _ in hands if p is not None), None)
    comment = "\n".join(text for _, text in hands if text)
    if points is not None:
        return QuestionGrade(question, points, True, comment)
    by_hand = question["state"] == "manual"
    machine = None if by_hand else question["points"]
    return QuestionGrade(question, machine, by_hand, comment)
