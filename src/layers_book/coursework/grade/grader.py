"""Judges what an answer did: points by part, and which typical mistake it shows."""

import builtins
import random
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

from layers_book.checking.trace import CONFIGURATION, Case, Raised, Trace, same
from layers_book.coursework.box import drives
from layers_book.coursework.sandbox.inside.wire import RaisedThere
from layers_book.coursework.grade.record import Part, QuestionRecord
from layers_book.coursework.question import Question, Wrong


class Grader:
    """Judges what answers to one question did, for one variant."""

    def __init__(
        self, question: Question, variant: dict[str, Any], solution: str, setup: str
    ) -> None:
        """``setup`` is the code that stands before the answer cell."""
        self.question, self.solution, self.setup = question, solution, setup
        random.seed(0)
        self.expected = question.traces(question.reference(variant), forbid=False)
        self.tolerances = [
            probe.tolerance
            for probe in question.probes
            for _ in range(probe.configurations)
        ]
        self.wrong_traces = cache(self._wrong_traces)

    def record(self, traces: Sequence[Trace], key: str = "") -> QuestionRecord:
        """The points for what an answer did, and the hint if a mistake is known."""
        found = unasked(self.question, key)
        if not traces or (traces[0] and _is_unwritten(traces[0][-1])):
            return found
        wrong = self._wrong_labels(traces)
        failed = {self.question.part(label) for labels in wrong for label in labels}
        parts: list[Part] = [
            {
                "title": part,
                "points": 0.0 if part in failed else points,
                "max_points": points,
                "passed": part not in failed,
            }
            for part, points in self.question.titles.items()
        ]
        found |= {
            "state": "graded",
            "parts": parts,
            "points": sum(part["points"] for part in parts),
        }
        if failed:
            found |= self._help(traces, wrong)  # type: ignore[typeddict-item]
        return found

    def _wrong_labels(self, traces: Sequence[Trace]) -> list[list[str]]:
        """For each configuration the labels whose value is missing or wrong."""
        wrong = []
        for at, expected in enumerate(self.expected):
            got: dict[str, Any] = {}
            for label, value, *_ in traces[at] if at < len(traces) else ():
                got.setdefault(label, value)
            wrong.append(
                [
                    case.label
                    for case in expected
                    if case.label != CONFIGURATION
                    and not (
                        case.label in got and self._right(at, case, got[case.label])
                    )
                ]
            )
        return wrong

    def _right(self, at: int, expected: Case, got: Any) -> bool:
        judges = [
            part for part in self.question.judge if expected.label.startswith(part)
        ]
        try:
            if judges:
                judge = self.question.judge[max(judges, key=len)]
                return judge(expected.value, got) is True
            tolerance = expected.tolerance or self.tolerances[at]
            return same(expected.value, got, tolerance)
        except Exception:  # a value of a form that the judge did not foresee
            return False

    def _help(self, traces: Sequence[Trace], wrong: list[list[str]]) -> dict[str, str]:
        at = next(i for i, labels in enumerate(wrong) if labels)
        words = next(
            (c.value for c in self.expected[at] if c.label == CONFIGURATION), ""
        )
        label = wrong[at][0]
        found = {"seen": f"{label}: {words}" if words else label}
        ended = traces[at] if at < len(traces) else ()
        raised = next((c.value for c in ended if isinstance(c.value, Raised)), None)
        if isinstance(raised, RaisedThere):
            found["error"] = _error_words(raised, self.question.forbid)
        mistake = self._recognize(traces, wrong)
        if mistake:
            found |= {"mistake": mistake.name, "hint": mistake.hint}
        return found

    def _recognize(
        self, traces: Sequence[Trace], wrong: list[list[str]]
    ) -> Wrong | None:
        """The wrong answer that acts alike throughout, or at each first difference."""
        similar = None
        for mistake, theirs in self.wrong_traces():
            if all(map(_alike, theirs, traces)):
                return mistake
            if similar is None and all(
                _alike_at(a, b, labels[0])
                for a, b, labels in zip(theirs, traces, wrong, strict=False)
                if labels
            ):
                similar = mistake
        return similar

    def _wrong_traces(self) -> list[tuple[Wrong, list[Trace]]]:
        found = []
        for wrong in self.question.wrong:
            answer = defined(
                self.setup, wrong.answer(self.solution), self.question.answer
            )
            found.append((wrong, self.question.traces(answer)))
        return found


def unasked(question: Question, key: str = "") -> QuestionRecord:
    """The record of a question that has not been answered."""
    return {
        "name": question.name,
        "title": question.title,
        "state": "not answered",
        "points": 0.0,
        "max_points": question.points,
        "key": key,
        "parts": [
            {"title": p, "points": 0.0, "max_points": n, "passed": False}
            for p, n in question.titles.items()
        ],
        "mistake": "",
        "hint": "",
        "seen": "",
        "error": "",
        "reason": "",
    }


def defined(setup: str, code: str, name: str) -> Any:
    """What an author's own code defines as ``name``; ``None`` if nothing."""
    space: dict[str, Any] = {"__name__": "answer"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(setup, "<setup>", "exec", dont_inherit=True), space)
        try:
            exec(
                compile(code, f"{drives.CELL}{name}>", "exec", dont_inherit=True), space
            )
        except Exception:  # a wrong answer may be wrong in any way
            return None
    return space.get(name)


def _is_unwritten(case: Case) -> bool:
    value = case.value
    if isinstance(value, RaisedThere):
        return value.unwritten
    return isinstance(value, Raised) and drives.is_unwritten(value.error)


def _alike(a: Trace, b: Trace) -> bool:
    return len(a) == len(b) and all(map(_alike_case, a, b))


def _alike_case(a: Case, b: Case) -> bool:
    if isinstance(a.value, Raised) and isinstance(b.value, Raised):
        return a.label == b.label and a.value.text == b.value.text
    try:
        equal = a.label == CONFIGURATION or same(a.value, b.value)
    except Exception:  # such as an int too large for a float
        return False
    return a.label == b.label and equal


def _alike_at(a: Trace, b: Trace, label: str) -> bool:
    """Whether two traces have the same value under a label, or end alike before it."""
    ours = next((c for c in a if c.label == label), a[-1] if a else None)
    theirs = next((c for c in b if c.label == label), b[-1] if b else None)
    return ours is not None and theirs is not None and _alike_case(ours, theirs)


def _error_words(raised: RaisedThere, forbid: tuple[str, ...]) -> str:
    """Type and line only: a message could carry what the student's code has seen."""
    if raised.refused:
        named = [part for part in forbid if part in raised.said]
        if named:
            return f"calls torch's own {named[0]}: write it by hand"
        return "the answer is not of the kind that is asked for"
    return error_words(raised.type, raised.line)


def error_words(kind: str, line: int) -> str:
    """An exception of the student's code in words that its author cannot choose."""
    known = getattr(builtins, kind, None)
    is_known = isinstance(known, type) and issubclass(known, BaseException)
    words = kind if is_known else "an exception"
    return f"{words} in line {line} of your cell" if line > 0 else words
