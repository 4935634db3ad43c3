"""The same checks inside a notebook's own kernel, for nbgrader's autograde."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from layers_book.coursework.assignment import Assignment, Version, find

FOLDER = "COURSEWORK"  # environment variable: the course's folder


def score(assignment: str, question: str, answers: Mapping[str, Any]) -> float:
    """The points for an answer in this kernel; nbgrader takes them as partial credit.

    The answer runs in the process that checks it, so it could cheat: for submissions of
    strangers there is ``coursework grade``.

    Args:
        assignment: its name; it is looked for in the folder that the environment
            variable ``COURSEWORK`` names, else upwards from the current one.
        question: its name.
        answers: the notebook's ``globals()``.

    Raises:
        AssignmentError: there is no such assignment.
        ValueError: it has no such question.
    """
    version = Version(_nearest(assignment), answers.get("VARIANT", {}))
    if question not in version.questions:
        raise ValueError(
            f"question={question!r}: {assignment} has {', '.join(version.questions)}"
        )
    asked = version.questions[question]
    if asked.answer not in answers:
        return 0.0
    grader = version.grader(question)
    record = grader.record(grader.question.records(answers[asked.answer]))
    return float(record["points"] or 0.0)


def _nearest(assignment: str) -> Assignment:
    start = Path(os.environ.get(FOLDER, ".")).resolve()
    for folder in (start, *start.parents):
        if (folder / "assignments" / assignment).is_dir():
            return find(assignment, folder)
    return find(assignment, start)
