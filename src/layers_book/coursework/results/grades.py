"""The marks of one submission: machine's points, marks by hand, late penalty."""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

from layers_book.coursework.grade.record import QuestionRecord, Record

Hand = tuple[float | None, str]
"""Points given by hand (``None``: not yet, or a comment alone), and the comment."""
State = Literal["graded", "not marked yet", "could not grade"]


class Mark(NamedTuple):
    """One question's points; ``None`` if nobody has given any."""

    question: QuestionRecord
    points: float | None
    by_hand: bool
    comment: str


class Marks(NamedTuple):
    """A submission's points: ``subtotal - penalty = total``, ``None`` while one lacks.

    ``waiting`` names the titles of the questions that have no points.
    """

    state: State
    marks: tuple[Mark, ...]
    subtotal: float | None
    penalty: float
    total: float | None
    max_points: float
    waiting: tuple[str, ...]


def marks(
    record: Record, manual: Mapping[str, Hand] | None = None, penalty: float = 0.0
) -> Marks:
    """Put a record and the marks by hand together.

    A mark by hand wins over the machine's, as in nbgrader. What could not be graded
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
    all_marks = tuple(_mark(q, manual or {}) for q in record["questions"])
    waiting = tuple(m.question["title"] for m in all_marks if m.points is None)
    state: State = "graded"
    if record["state"] != "graded" and (waiting or not all_marks):
        state = "could not grade"
    elif waiting:
        state = "not marked yet"
    subtotal = total = None
    if state == "graded":
        subtotal = math.fsum(m.points or 0.0 for m in all_marks)
        total = max(0.0, subtotal - penalty)
    listed = math.fsum(m.question["max_points"] for m in all_marks)
    max_points = listed if all_marks else record["max_points"]
    return Marks(state, all_marks, subtotal, penalty, total, max_points, waiting)


def _mark(question: QuestionRecord, manual: Mapping[str, Hand]) -> Mark:
    name = question["name"]
    hands = [manual[i] for i in (name, f"{name}-check") if i in manual]
    points = next((p for p, _ in hands if p is not None), None)
    comment = "\n".join(text for _, text in hands if text)
    if points is not None:
        return Mark(question, points, True, comment)
    by_hand = question["state"] == "manual"
    return Mark(question, None if by_hand else question["points"], by_hand, comment)
