"""Runs a submission's cells and questions, and takes in what the sandbox gives back.

Frames come from a process that is not trusted: only what could be honest is kept.
"""

import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from layers_book.checking.judging.words import LABELS
from layers_book.checking.recording import Record
from layers_book.coursework.grade.grader import error_words
from layers_book.coursework.grade.record import CellRecord
from layers_book.coursework.question import Question
from layers_book.coursework.sandbox.bubblewrap import Outcome, Sandbox
from layers_book.coursework.sandbox.inside.wire import Malformed, decode

TRIES = 4  # a submission is run again without the step that ended it


@dataclass
class Found:
    """What came out of the sandbox."""

    cells: list[CellRecord] = field(default_factory=list)
    asked: dict[str, Any] = field(default_factory=dict)  # state and records by question
    reasons: dict[str, str] = field(default_factory=dict)  # why a step was stopped
    stopped: set[str] = field(default_factory=set)  # questions that ended the process


class Unfinished(RuntimeError):
    """The sandbox failed, not the submission: it can be graded another time."""


def run(
    cells: Sequence[tuple[str, str | None]],
    wanted: Mapping[str, Question],
    sandbox: Sandbox,
) -> Found:
    """Run; where a step ends the process, run again without it, so others count.

    Args:
        cells: name and source of each, in order; as `Sandbox.run` takes them.
        wanted: the questions to put, by name.
        sandbox: where.

    Raises:
        Unfinished: the sandbox failed.
    """
    steps = {f"cell {name}" for name, _ in cells}
    steps |= {f"question {name}" for name in wanted}
    found, skip = Found(), list[str]()
    ends = time.monotonic() + sandbox.limits.total_seconds
    longest = max(question.seconds for question in wanted.values())
    for _ in range(TRIES):
        outcome = sandbox.run(
            cells, [q.message for q in wanted.values()], skip, longest
        )
        step, finished = _read(outcome, found, steps)
        if finished:
            break
        reason = _reason(outcome.ended, sandbox)
        if not step:
            raise Unfinished(reason)
        found.reasons[step] = reason
        if outcome.ended != "total time":
            found.stopped.add(step.removeprefix("question "))
        skip.append(step)
        if outcome.ended == "total time" or time.monotonic() > ends:
            for name in wanted.keys() - found.asked.keys():
                found.reasons.setdefault(f"question {name}", reason)
            break
    for step, reason in found.reasons.items():
        kind, _, name = step.partition(" ")
        if kind == "cell":
            found.cells.append({"cell": name, "state": "stopped", "error": reason})
    return found


def _read(outcome: Outcome, found: Found, steps: Collection[str]) -> tuple[str, bool]:
    """Take in what a try gave; the step it was in, and whether it came to its end."""
    step = ""
    cells: dict[str, CellRecord] = {}
    asked: dict[str, Any] = {}
    for frame in outcome.frames:
        kind, name, *rest = frame
        if not isinstance(kind, str) or not isinstance(name, str):
            continue
        if kind == "end":
            found.cells, found.asked = list(cells.values()), asked
            return "", True
        if f"{kind} {name}" not in steps:
            continue
        if rest == ["start"]:
            step = f"{kind} {name}"
        elif kind == "cell" and [*map(type, rest)] == [str, str]:
            cells.setdefault(name, _cell(name, *rest))
        elif kind == "question" and [*map(type, rest)] == [str, bytes]:
            asked.setdefault(name, rest)
    found.cells, found.asked = list(cells.values()), found.asked | asked
    return step, False


def _cell(name: str, state: str, error: str) -> CellRecord:
    if state in ("time", "memory"):
        words = "took too long" if state == "time" else "needed too much memory"
        return {"cell": name, "state": state, "error": words}  # type: ignore[typeddict-item]
    if state != "error":
        return {"cell": name, "state": "ok", "error": ""}
    kind = re.fullmatch(r"(\w{1,50}) in line (\d{1,6})", error)
    words = error_words(kind[1], int(kind[2])) if kind else "an exception"
    return {"cell": name, "state": "error", "error": words}


def _reason(ended: str, sandbox: Sandbox) -> str:
    limits = sandbox.limits
    return {
        "over": "it ended or crashed the process",
        "time": f"it did not stop after {limits.cell_seconds:g} s",
        "total time": f"all together took longer than {limits.total_seconds:g} s",
        "memory": f"it needed more than {limits.memory_bytes / 2**30:g} GiB of memory",
        "output": f"it returned more than {limits.output_bytes / 2**20:g} MiB",
    }.get(ended, ended)


def records(packed: bytes) -> list[Record]:
    """Records from bytes of a process that is not trusted; of one case if damaged."""
    try:
        return [
            [_case(case) for case in _list(found)] for found in _list(decode(packed))
        ]
    except (Malformed, TypeError, ValueError, LookupError):
        return [[("fact", "", "", None)]]


def _case(case: Any) -> tuple[Any, ...]:
    kind, name, where, value = _list(case)[:4]
    if kind not in LABELS or not isinstance(name + where, str):
        raise Malformed("a case is a kind, a name, a place and a value")
    if kind == "raised":
        value = {key: str(value[key])[:300] for key in ("type", "text", "state")} | {
            "line": value["line"] if type(value["line"]) is int else 0,
            "code": "",
        }
    return kind, name[:300], where[:300], value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed("a list was expected")
    return value
