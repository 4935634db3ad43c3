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
from layers_book.coursework.sandbox.bubblewrap import Limits, Outcome, Sandbox
from layers_book.coursework.sandbox.inside.wire import Malformed, decode

LINES = 10**6  # of a cell
TRIES = 4  # a submission is run again without the step that ended it


@dataclass
class Found:
    """What came out of the sandbox."""

    cells: list[CellRecord] = field(default_factory=list)
    asked: dict[str, Any] = field(default_factory=dict)  # state and records by question
    reasons: dict[str, str] = field(default_factory=dict)  # why a step was stopped
    imported: Collection[str] = ()  # modules, by name
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
    found, skip = Found(imported=_imported(cells)), list[str]()
    ends = time.monotonic() + sandbox.limits.total_seconds
    longest = max(question.seconds for question in wanted.values())
    for _ in range(TRIES):
        left = ends - time.monotonic()
        outcome = sandbox.run(
            cells, [q.message for q in wanted.values()], skip, longest, left
        )
        step, finished = _read(outcome, found, steps)
        if finished:
            break
        reason = _reasons(sandbox.limits).get(outcome.ended)
        if not step or not reason:
            raise Unfinished(reason or outcome.ended)
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
        elif kind == "cell" and [*map(type, rest)] == [str, str, int, str]:
            state, error, line, text = rest
            text = _known(error, text, found.imported)
            cells.setdefault(name, _cell(name, state, error, line, text))
        elif kind == "question" and [*map(type, rest)] == [str, bytes]:
            asked.setdefault(name, rest)
    found.cells, found.asked = list(cells.values()), found.asked | asked
    return step, False


def _cell(name: str, state: str, kind: str, line: int, text: str) -> CellRecord:
    if state in ("time", "memory"):
        words = "took too long" if state == "time" else "needed too much memory"
        return {"cell": name, "state": state, "error": words}  # type: ignore[typeddict-item]
    if state != "error":
        return {"cell": name, "state": "ok", "error": ""}
    words = error_words(kind, line if line < LINES else 0, text)
    return {"cell": name, "state": "error", "error": words}


def _known(kind: str, text: str, imported: Collection[str]) -> str:
    """An error's text, but of a module only the name, and only if it is imported."""
    if kind != "ModuleNotFoundError":
        return text
    named = re.match(r"No module named '([\w.]+)'", text)
    return named[1] if named and named[1].partition(".")[0] in imported else ""


def _imported(cells: Sequence[tuple[str, str | None]]) -> set[str]:
    """The modules that the code names after ``import`` or ``from``, by first part."""
    named = re.compile(r"\b(?:import|from)[ \t]+([\w., \t]+)")
    lists = (found for _, source in cells for found in named.findall(source or ""))
    words = (word for found in lists for word in re.split(r"[, \t]+", found))
    return {word.partition(".")[0] for word in words}


def _reasons(limits: Limits) -> dict[str, str]:
    """What a step is told by how it ended the process; else it is not to blame."""
    memory = f"{limits.memory_bytes / 2**30:.3g} GiB of memory"
    return {
        "over": "it ended or crashed the process",
        "time": f"it did not stop after {limits.cell_seconds:g} s",
        "total time": f"all together took longer than {limits.total_seconds:g} s",
        "memory": f"it needed more than {memory}",
        "output": f"it returned more than {limits.output_bytes / 2**20:g} MiB",
    }


def records(packed: bytes, imported: Collection[str] = ()) -> list[Record]:
    """Records from bytes of a process that is not trusted; of one case if damaged.

    Args:
        packed: the bytes.
        imported: modules that the submission's code names.
    """
    try:
        return [
            [_case(case, imported) for case in _list(found)]
            for found in _list(decode(packed))
        ]
    except (Malformed, TypeError, ValueError, LookupError):
        return [[("fact", "", "", None)]]


def _case(case: Any, imported: Collection[str]) -> tuple[Any, ...]:
    kind, name, where, value = _list(case)[:4]
    if kind not in LABELS or not isinstance(name + where, str):
        raise Malformed("a case is a kind, a name, a place and a value")
    if kind == "raised":
        text = {key: str(value[key])[:300] for key in ("type", "text", "state")}
        value = {
            "type": text["type"],
            "text": _known(text["type"], text["text"], imported),
            "state": text["state"],
            "line": value["line"] if type(value["line"]) is int else 0,
            "code": "",
        }
    return kind, name[:300], where[:300], value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed("a list was expected")
    return value
