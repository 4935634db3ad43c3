"""Grades one submission: what to run, what to ask, what it is worth."""

import hashlib
import json
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import torch

from layers_book.coursework import assignment as source
from layers_book.coursework.assignment import Assignment
from layers_book.coursework.collect import notebook as reader
from layers_book.coursework.grade import running
from layers_book.coursework.grade.grader import Grader, unasked
from layers_book.coursework.grade.record import (
    SCHEMA,
    QuestionRecord,
    Record,
)
from layers_book.coursework.question import Question
from layers_book.coursework.sandbox.bubblewrap import Sandbox


class _Watched(dict[str, Any]):
    """A variant that notes whether a question looks at it."""

    used = False

    def __getitem__(self, key: str) -> Any:
        self.used = True
        return super().__getitem__(key)


def job_key(
    assignment: Assignment,
    student: str,
    submission: str,
    variant: Mapping[str, Any] | None = None,
) -> str:
    """What a record depends on: the submission, the checks and the student's variant.

    Args:
        submission: SHA-256 of the file.
        variant: the student's own values; by default the master's.
    """
    variant = _values(assignment, variant)
    checks = [_key(assignment, name, variant) for name in questions(assignment)]
    return _digest(SCHEMA, student, submission, checks, versions()["torch"])


def _values(
    assignment: Assignment, variant: Mapping[str, Any] | None
) -> dict[str, Any]:
    return source.variant(assignment, "", "") if variant is None else dict(variant)


def digest_of(data: bytes) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _key(assignment: Assignment, question: str, variant: dict[str, Any]) -> str:
    """What a question's points depend on, but for the answer."""
    return _digest(source.check_key(assignment, question), variant)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def versions() -> dict[str, str]:
    """What a record was made with."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__.partition("+")[0],
        "helpers": version("torch-layers-book"),
    }


def questions(assignment: Assignment) -> dict[str, Question]:
    """The assignment's autograded questions, loaded once."""
    return _questions(assignment)


_questions = lru_cache(maxsize=8)(source.questions)
_master = lru_cache(maxsize=8)(source.master)


def grade(
    assignment: Assignment,
    student: str,
    data: bytes,
    sandbox: Sandbox,
    variant: Mapping[str, Any] | None = None,
    earlier: Record | None = None,
) -> Record:
    """Grade one submission.

    Args:
        assignment: what was asked.
        student: nbgrader's student id.
        data: the submitted file.
        sandbox: where it is run.
        variant: the student's own values; by default the master's.
        earlier: a record of the same file, whose questions are kept where the check
            has not changed.

    Returns:
        The record; a file that cannot be read gives one with a reason and no points.

    Raises:
        Unfinished: the sandbox failed, which says nothing about the submission.
    """
    begun = time.monotonic()
    submission = digest_of(data)
    record: Record = {
        "schema": SCHEMA,
        "assignment": assignment.name,
        "student": student,
        "submission": submission,
        "key": job_key(assignment, student, submission, variant),
        "versions": versions(),
        "state": "could not grade",
        "reason": "",
        "notes": [],
        "cells": [],
        "questions": [],
        "points": None,
        "max_points": sum(q.points for q in questions(assignment).values()),
        "seconds": 0.0,
    }
    try:
        notebook = reader.read(data)
    except reader.Unreadable as error:
        return record | {"reason": str(error)}
    variant = _values(assignment, variant)
    plan = _plan(assignment, notebook, variant)
    kept = _kept(assignment, earlier, variant)
    wanted = {n: q for n, q in questions(assignment).items() if n not in kept}
    found = (
        running.run(plan.cells, wanted, sandbox)
        if wanted
        else running.Found(asked=dict.fromkeys(kept))
    )
    given = {cell.grade_id for cell in notebook.cells}
    marks = list(_marks(assignment, variant, found, given, kept))
    points = [m["points"] for m in marks if m["state"] != "manual"]
    return record | {
        "state": "graded",
        "notes": [*notebook.notes, *plan.notes],
        "cells": found.cells or (earlier["cells"] if earlier else []),
        "questions": marks,
        "points": sum(p for p in points if p is not None),
        "seconds": round(time.monotonic() - begun, 3),
    }


@dataclass
class _Plan:
    """The cells to run, in order, and what was odd."""

    cells: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _plan(
    assignment: Assignment, notebook: reader.Submission, variant: dict[str, Any]
) -> _Plan:
    """The master's own cells as they were given out, the student's in their order.

    Left out: checks (the grader has its own) and what follows the last answer, such
    as a hand-marked investigation.
    """
    plan = _Plan()
    master = {cell.grade_id: cell for cell in _master(assignment)}
    given = {cell.grade_id for cell in notebook.cells}
    for own in master.values():
        if own.kind == "variant" and variant:
            plan.cells.append((own.grade_id, f"VARIANT = {variant!r}"))
        elif own.kind in ("setup", "variant"):
            plan.cells.append((own.grade_id, own.student))
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


def _last_answer(notebook: reader.Submission, master: Mapping[str, Any]) -> int:
    """The number of the last cell that may matter to an autograded question."""
    places = [
        number
        for number, cell in enumerate(notebook.cells, 1)
        if cell.grade_id in master and master[cell.grade_id].kind == "answer"
    ]
    answers = [cell for cell in master.values() if cell.kind == "answer"]
    whole = len(places) == len(answers)  # else an answer may have lost its id
    return places[-1] if whole and places else len(notebook.cells)


def _kept(
    assignment: Assignment, earlier: Record | None, variant: dict[str, Any]
) -> dict[str, QuestionRecord]:
    """Questions of an earlier record whose check is still the same."""
    if earlier is None or earlier["state"] != "graded":
        return {}
    return {
        q["name"]: q
        for q in earlier["questions"]
        if q["name"] in questions(assignment)
        and q["key"] == _key(assignment, q["name"], variant)
    }


def _marks(
    assignment: Assignment,
    variant: dict[str, Any],
    found: running.Found,
    given: set[str],
    kept: Mapping[str, QuestionRecord],
) -> Iterator[QuestionRecord]:
    """A record for each question, in the master's order."""
    failed = {c["cell"]: c["error"] for c in found.cells if c["state"] != "ok"}
    for cell in _master(assignment):
        if cell.kind == "manual":
            yield _manual(cell, cell.grade_id in given)
        if cell.kind != "answer":
            continue
        if cell.question in kept:
            yield kept[cell.question]
            continue
        question = questions(assignment)[cell.question]
        key = _key(assignment, cell.question, variant)
        state, packed = found.asked.get(cell.question, ("stopped", b""))
        mark = unasked(question, key)
        if state == "asked":
            grader = _grader(assignment, cell.question, variant)
            mark = grader.record(running.records(packed), key)
        elif state == "missing":
            if cell.grade_id not in given:
                mark |= {
                    "state": "missing",
                    "reason": "its cell is not in the notebook",
                }
        else:
            reason = found.reasons.get(f"question {cell.question}")
            limit = f"it took longer than {question.seconds:g} s"
            mark |= {
                "state": "stopped",
                "reason": reason
                or {"time": limit, "memory": "it needed too much memory"}.get(state)
                or "another cell of the notebook ended the process",
            }
        if cell.grade_id in failed and not mark["error"]:
            mark |= {"error": failed[cell.grade_id]}
            if state == "missing":
                mark |= {"state": "graded", "reason": "the cell did not run"}
        yield mark


def _manual(cell: Any, given: bool) -> QuestionRecord:
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


def _grader(assignment: Assignment, name: str, variant: dict[str, Any]) -> Grader:
    """The grader of a question, shared by all variants that it does not look at."""
    shared, uses = _shared_grader(assignment, name)
    return _own_grader(assignment, name, json.dumps(variant)) if uses else shared


@lru_cache(maxsize=256)
def _shared_grader(assignment: Assignment, name: str) -> tuple[Grader, bool]:
    common = _Watched(source.variant(assignment, "", ""))
    return make_grader(assignment, name, common), common.used


@lru_cache(maxsize=256)
def _own_grader(assignment: Assignment, name: str, variant: str) -> Grader:
    return make_grader(assignment, name, json.loads(variant))


def make_grader(assignment: Assignment, name: str, variant: dict[str, Any]) -> Grader:
    """The grader of one question for one variant."""
    cell = next(c for c in _master(assignment) if c.question == name)
    before = [
        f"VARIANT = {dict(variant)!r}" if c.kind == "variant" and variant else c.student
        for c in _master(assignment)
        if c.kind in ("setup", "variant")
    ]
    return Grader(questions(assignment)[name], variant, cell.source, "\n".join(before))
