"""Grades one submission: what to run, what to ask, what it is worth."""

import platform
import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version as installed

import torch

from layers_book.coursework.assignment import Version
from layers_book.coursework.cells import Cell
from layers_book.coursework.collect.notebook import Unreadable, read
from layers_book.coursework.files import digest, sha256_of
from layers_book.coursework.grade import running
from layers_book.coursework.grade.grader import unasked
from layers_book.coursework.grade.plan import Plan, plan
from layers_book.coursework.grade.record import SCHEMA, QuestionRecord, Record
from layers_book.coursework.matching import Answer, Matched
from layers_book.coursework.question import Question
from layers_book.coursework.sandbox.bubblewrap import Sandbox

UNINSTALLED = ("ModuleNotFoundError", "ImportError")


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
        matched = Matched(version.assignment, read(data))
    except Unreadable as error:
        questions = [*_waiting(version)]
        return record | {"reason": str(error), "questions": questions}
    if matched.foreign:
        questions = [*_waiting(version)]
        return record | {"reason": matched.foreign, "questions": questions}
    planned = plan(version, matched)
    kept = _kept(version, earlier)
    wanted = {n: q for n, q in version.questions.items() if n not in kept}
    found = (
        running.run(planned.cells, wanted, sandbox)
        if wanted
        else running.Found(asked=dict.fromkeys(kept))
    )
    questions = list(_questions(version, found, matched, planned, kept))
    points = [q["points"] for q in questions if q["state"] != "manual"]
    return record | {
        "state": "graded",
        "notes": [*matched.notes, *planned.notes],
        "cells": found.cells or (earlier["cells"] if earlier else []),
        "questions": questions,
        "points": sum(p for p in points if p is not None),
        "seconds": round(time.monotonic() - begun, 3),
    }


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
    matched: Matched,
    planned: Plan,
    kept: Mapping[str, QuestionRecord],
) -> Iterator[QuestionRecord]:
    """A record for each question, in the master's order."""
    failed = {c["cell"]: c["error"] for c in found.cells if c["state"] != "ok"}
    for cell in version.assignment.master:
        if cell.kind == "manual":
            yield _by_hand(cell, matched.answers[cell.grade_id])
        elif cell.kind == "answer" and cell.question in kept:
            yield kept[cell.question]
        elif cell.kind == "answer":
            error = failed.get(planned.answers.get(cell.question, ""), "")
            answer = matched.answers[cell.question]
            yield _by_machine(version, cell.question, found, answer, error)


def _by_machine(
    version: Version, name: str, found: running.Found, answer: Answer, error: str
) -> QuestionRecord:
    """What an answer is worth; without points where that cannot be told.

    Args:
        version: the assignment as the student got it.
        name: the question's.
        found: what came out of the sandbox.
        answer: what was found of it in the notebook.
        error: how its cell failed, if it did.
    """
    question, key = version.questions[name], version.keys[name]
    state, packed = found.asked.get(name, ("stopped", b""))
    record = unasked(question, key)
    if state == "asked":
        record = version.grader(name).record(
            running.records(packed, found.imported), key
        )
        if record["state"] != "not answered":
            return _with_error(question, record, error)
        if answer.state == "given":
            return record | {"reason": "it raises NotImplementedError"}
    elif state != "missing":
        reason = found.reasons.get(f"question {name}")
        if state == "stopped" and name not in found.stopped:
            said = reason or "the notebook's other cells ended the process"
            return _undecided(question, key, f"it could not be asked: {said}")
        limit = f"it took longer than {question.seconds:g} s"
        words = {"time": limit, "memory": "it needed too much memory"}
        return record | {"state": "stopped", "reason": reason or words.get(state, "")}
    elif answer.state == "given" and error:
        record |= {"state": "graded", "reason": "the cell did not run"}
        return _with_error(question, record, error)
    if answer.state == "untouched":
        return record | {"reason": answer.reason}
    defines = f"its cell defines no {question.answer}"
    return _undecided(question, key, answer.reason or defines)


def _with_error(
    question: Question, record: QuestionRecord, error: str
) -> QuestionRecord:
    """With the error of its cell, if its own run has shown none."""
    record["error"] = record["error"] or error
    if not record["points"] and record["error"].startswith(UNINSTALLED):
        said = "it needs a module that is not installed where it is graded"
        error, record = record["error"], _undecided(question, record["key"], said)
        record["error"] = error
    return record


def _undecided(question: Question, key: str, reason: str) -> QuestionRecord:
    """No points, and no mark of 0: it waits for a person."""
    record = unasked(question, key)
    record |= {"state": "waiting", "points": None, "parts": [], "reason": reason}
    return record


def _waiting(version: Version) -> Iterator[QuestionRecord]:
    """All questions of a submission that could not be graded."""
    for cell in version.assignment.master:
        if cell.kind == "answer":
            yield _undecided(version.questions[cell.question], "", "")
        elif cell.kind == "manual":
            yield _by_hand(cell, Answer("given"))


def _by_hand(cell: Cell, answer: Answer) -> QuestionRecord:
    untouched = answer.state == "untouched"
    return {
        "name": cell.grade_id,
        "title": cell.grade_id.replace("_", " ").replace("-", " ").capitalize(),
        "state": "not answered" if untouched else "manual",
        "points": 0.0 if untouched else None,
        "max_points": float(cell.points or 0),
        "key": "",
        "parts": [],
        "mistake": "",
        "hint": "",
        "seen": "",
        "error": "",
        "reason": answer.reason,
    }
