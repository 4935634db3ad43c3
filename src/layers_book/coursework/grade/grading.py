"""Grades one submission: what to run, what to ask, what it is worth."""

import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version as installed

import torch

from layers_book.coursework.assignment import Version
from layers_book.coursework.cells import Cell
from layers_book.coursework.collect.notebook import Submission, Unreadable, read
from layers_book.coursework.files import digest, sha256_of
from layers_book.coursework.grade import running
from layers_book.coursework.grade.grader import unasked
from layers_book.coursework.grade.record import SCHEMA, QuestionRecord, Record
from layers_book.coursework.sandbox.bubblewrap import Sandbox


def job_key(version: Version, student: str, submission: str) -> str:
    """What a record depends on: the submission, the checks and the student's values.

    Args:
        version: the student's.
        student: nbgrader's student id.
        submission: SHA-256 of the file.
    """
    checks = [*version.keys.values()]
    return digest(SCHEMA, student, submission, checks, versions()["torch"])


def versions() -> dict[str, str]:
    """What a record was made with."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__.partition("+")[0],
        "helpers": installed("torch-layers-book"),
    }


def grade(
    version: Version,
    student: str,
    data: bytes,
    sandbox: Sandbox,
    earlier: Record | None = None,
) -> Record:
    """Grade one submission.

    Args:
        version: the assignment as the student got it.
        student: nbgrader's student id.
        data: the submitted file.
        sandbox: where it is run.
        earlier: a record of the same file, whose questions are kept where the check
            has not changed.

    Returns:
        The record; a file that cannot be read gives one with a reason and no points.

    Raises:
        Unfinished: the sandbox failed, which says nothing about the submission.
    """
    begun = time.monotonic()
    submission = sha256_of(data)
    record: Record = {
        "schema": SCHEMA,
        "assignment": version.assignment.name,
        "student": student,
        "submission": submission,
        "key": job_key(version, student, submission),
        "versions": versions(),
        "state": "could not grade",
        "reason": "",
        "notes": [],
        "cells": [],
        "questions": [],
        "points": None,
        "max_points": sum(q.points for q in version.questions.values()),
        "seconds": 0.0,
    }
    try:
        notebook = read(data)
    except Unreadable as error:
        return record | {"reason": str(error)}
    plan = _plan(version, notebook)
    kept = _kept(version, earlier)
    wanted = {n: q for n, q in version.questions.items() if n not in kept}
    found = (
        running.run(plan.cells, wanted, sandbox)
        if wanted
        else running.Found(asked=dict.fromkeys(kept))
    )
    given = {cell.grade_id for cell in notebook.cells}
    questions = list(_questions(version, found, given, kept))
    points = [q["points"] for q in questions if q["state"] != "manual"]
    return record | {
        "state": "graded",
        "notes": [*notebook.notes, *plan.notes],
        "cells": found.cells or (earlier["cells"] if earlier else []),
        "questions": questions,
        "points": sum(p for p in points if p is not None),
        "seconds": round(time.monotonic() - begun, 3),
    }


@dataclass
class _Plan:
    """The cells to run, in order, and what was odd."""

    cells: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _plan(version: Version, notebook: Submission) -> _Plan:
    """The master's own cells as they were given out, the student's in their order.

    Left out: checks (the grader has its own) and what follows the last answer, such
    as a hand-marked investigation.
    """
    plan = _Plan()
    master = {cell.grade_id: cell for cell in version.assignment.master}
    given = {cell.grade_id for cell in notebook.cells}
    for own in master.values():
        if own.kind in ("setup", "variant"):
            plan.cells.append((own.grade_id, version.setup[own.grade_id]))
        elif own.kind == "code" and own.grade_id not in given:
            plan.cells.append((own.grade_id, own.student))
            plan.notes.append(f"the cell {own.grade_id} is missing: ours was run")
    last = _last_answer(notebook, master)
    for number, cell in enumerate(notebook.cells, 1):
        ours = master.get(cell.grade_id)
        if cell.type != "code" or number > last or cell.grade_id == "install":
            continue
        if ours is None:
            plan.cells.append((f"cell {number}", cell.source))
        elif ours.kind in ("answer", "manual"):
            plan.cells.append((cell.grade_id, cell.source))
        elif ours.kind == "code":
            plan.cells.append((cell.grade_id, ours.student))
    return plan


def _last_answer(notebook: Submission, master: Mapping[str, Cell]) -> int:
    """The number of the last cell that may matter to an autograded question."""
    places = [
        number
        for number, cell in enumerate(notebook.cells, 1)
        if cell.grade_id in master and master[cell.grade_id].kind == "answer"
    ]
    answers = [cell for cell in master.values() if cell.kind == "answer"]
    whole = len(places) == len(answers)  # else an answer may have lost its id
    return places[-1] if whole and places else len(notebook.cells)


def _kept(version: Version, earlier: Record | None) -> dict[str, QuestionRecord]:
    """Questions of an earlier record whose check is still the same."""
    if earlier is None or earlier["state"] != "graded":
        return {}
    return {
        q["name"]: q
        for q in earlier["questions"]
        if q["key"] == version.keys.get(q["name"])
    }


def _questions(
    version: Version,
    found: running.Found,
    given: set[str],
    kept: Mapping[str, QuestionRecord],
) -> Iterator[QuestionRecord]:
    """A record for each question, in the master's order."""
    failed = {c["cell"]: c["error"] for c in found.cells if c["state"] != "ok"}
    for cell in version.assignment.master:
        if cell.kind == "manual":
            yield _manual(cell, cell.grade_id in given)
        if cell.kind != "answer":
            continue
        if cell.question in kept:
            yield kept[cell.question]
            continue
        question, key = version.questions[cell.question], version.keys[cell.question]
        state, packed = found.asked.get(cell.question, ("stopped", b""))
        record = unasked(question, key)
        if state == "asked":
            records = running.records(packed, found.imported)
            record = version.grader(cell.question).record(records, key)
        elif state == "missing":
            if cell.grade_id not in given:
                record |= {
                    "state": "missing",
                    "reason": "its cell is not in the notebook",
                }
        else:
            reason = found.reasons.get(f"question {cell.question}")
            limit = f"it took longer than {question.seconds:g} s"
            record |= {
                "state": "stopped",
                "reason": reason
                or {"time": limit, "memory": "it needed too much memory"}.get(state)
                or "another cell of the notebook ended the process",
            }
        if cell.grade_id in failed and not record["error"]:
            record |= {"error": failed[cell.grade_id]}
            if state == "missing":
                record |= {"state": "graded", "reason": "the cell did not run"}
        yield record


def _manual(cell: Cell, given: bool) -> QuestionRecord:
    return {
        "name": cell.grade_id,
        "title": cell.grade_id.replace("_", " ").replace("-", " ").capitalize(),
        "state": "manual" if given else "missing",
        "points": None if given else 0.0,
        "max_points": float(cell.points or 0),
        "key": "",
        "parts": [],
        "mistake": "",
        "hint": "",
        "seen": "",
        "error": "",
        "reason": "" if given else "its cell is not in the notebook",
    }
