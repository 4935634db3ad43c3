"""Self-checks: a reader's answer against torch.nn, and a hint for each mistake."""

import html
import re
import textwrap
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

from layers_book.checking.diagnosis import explain
from layers_book.checking.exercise import Exercise, Mistake
from layers_book.checking.trace import (
    CONFIGURATION,
    Case,
    Raised,
    Refused,
    Trace,
    as_case,
    freeze,
    isolated,
    same,
    same_traces,
    unwritten,
)

WIDTH = 80
COLORS = {"✓": "#2e8b57", "✗": "#d1495b", "○": "#7a7f87"}


@dataclass(frozen=True)
class Verdict:
    """The outcome of a self-check: true if the answer passed, shown as a small box."""

    name: str
    passed: bool
    message: str
    answered: bool = True

    def __bool__(self) -> bool:
        return self.passed

    @property
    def mark(self) -> str:
        return "✓" if self.passed else "✗" if self.answered else "○"

    def __repr__(self) -> str:
        lines = f"{self.mark} {self.name}: {self.message}".split("\n")
        return "\n".join(
            textwrap.fill(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
            for line in lines
        )

    def _repr_html_(self) -> str:
        color = COLORS[self.mark]
        style = (
            f"border:1px solid {color};border-left-width:6px;border-radius:4px;"
            "padding:0.5em 0.8em;margin:0.3em 0;max-width:44em;white-space:pre-wrap;"
            "overflow-wrap:anywhere;color:inherit;background:transparent"
        )
        title = f"<strong>{self.mark} {html.escape(self.name)}</strong>"
        text = html.escape(self.message)
        return f'<div role="status" style="{style}">{title}\n{text}</div>'


def check_exercise(exercise: Exercise, answer: Any) -> Verdict:
    """Check an answer to an exercise at hand."""
    if answer is None or answer is Ellipsis:
        message = "Not answered yet: put your answer in place of the dots."
        return Verdict(exercise.name, False, message, answered=False)
    for index in range(len(exercise.configurations)):
        trace = _trace(exercise, answer, index, exercise.forbid)
        if index == 0 and (said := _unanswered(trace)):
            message = f"Not answered yet: {said}"
            return Verdict(exercise.name, False, message, answered=False)
        at = _first_difference(_expected(exercise, index), trace)
        if at is not None:
            message = _failure(exercise, answer, index, trace, at)
            return Verdict(exercise.name, False, message)
    return Verdict(exercise.name, True, _success(exercise))


def _unanswered(trace: Trace) -> str:
    """Why nothing has come out of the answer; empty if something has."""
    for case in trace:
        if case.kind == "output":
            break
        error = case.value.error if isinstance(case.value, Raised) else None
        if unwritten(error):
            return str(error) or "your code raises NotImplementedError."
    return ""


def _trace(
    exercise: Exercise,
    answer: Any,
    index: int,
    forbid: tuple[str, ...] = (),
) -> Trace:
    """The cases of a configuration, as they were when recorded."""
    trace: Trace = []
    with isolated(forbid):
        try:
            run, at = exercise.configurations[index]
            for yielded in run.steps(answer, **run.draw(at), **run.options):
                case = as_case(yielded)
                tolerance = case.tolerance if run.tolerance is None else run.tolerance
                trace.append(
                    case._replace(value=freeze(case.value), tolerance=tolerance)
                )
        except (Exception, SystemExit) as error:
            trace.append(Case("raised", "", "", Raised(error)))
    return trace


@cache
def _expected(exercise: Exercise, index: int, mistake: Mistake | None = None) -> Trace:
    """The trace of the reference, or of a mistake, without their warnings."""
    answer = exercise.wrong_answer(mistake) if mistake else exercise.reference
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _trace(exercise, answer, index)


def _first_difference(expected: Trace, got: Trace) -> int | None:
    for i, case in enumerate(expected):
        if i >= len(got):
            return i
        if case.kind == CONFIGURATION == got[i].kind:
            continue
        if case[:3] != got[i][:3] or not same(case.value, got[i].value, case.tolerance):
            return i
    return None if len(got) == len(expected) else len(expected) - 1


def _failure(exercise: Exercise, answer: Any, index: int, trace: Trace, at: int) -> str:
    expected = _expected(exercise, index)
    case = expected[at]
    got = trace[at].value if at < len(trace) else None
    count = min(index + 6, len(exercise.configurations))
    mistake, whole = _recognize(exercise, answer, count)
    refused = isinstance(got, Raised) and isinstance(got.error, Refused)
    if mistake is None or (isinstance(got, Raised) and not refused):
        text = explain(case.label, case.value, got, case.tolerance)
        text += f"\nHint: {mistake.hint}" if mistake else ""
    else:
        text = mistake.hint
    if mistake and not whole:
        text += "\nSomething else differs as well: check again after the repair."
    if refused:
        return text
    right = [c.label for c in expected[:at] if c.kind == "output"]
    if right and not mistake:
        text += f"\nRight before it: {'; '.join(right)}."
    words = next((c.value for c in expected if c.kind == CONFIGURATION), "")
    if words:
        text += f"\nSeen in {case.label}, configuration {index + 1} of "
        text += f"{len(exercise.configurations)}: {words}."
    return text


def _recognize(
    exercise: Exercise, answer: Any, count: int
) -> tuple[Mistake | None, bool]:
    """The mistake that acts like the answer, and whether it does so to the end.

    If none does, one that agrees up to the first difference of each configuration, or
    throughout the first configuration in which the answer is wrong.
    """
    first: Mistake | None = None
    wrong = False
    similar = whole = list(exercise.mistakes)
    for index in range(count):
        trace = _trace(exercise, answer, index, exercise.forbid)
        at = _first_difference(_expected(exercise, index), trace)
        end = len(trace) if at is None else at + 1
        traces = {m: _expected(exercise, index, m) for m in similar}
        similar = [m for m in similar if same_traces(traces[m][:end], trace[:end])]
        whole = [m for m in whole if m in similar and same_traces(traces[m], trace)]
        if at is not None and not wrong:
            wrong, first = True, next(iter(whole), None)
        if not similar:
            return first, False
    return (whole or similar)[0], bool(whole)


def _success(exercise: Exercise) -> str:
    cases = _expected(exercise, 0)
    if not any(case.kind == CONFIGURATION for case in cases):
        return "Right."
    labels = [
        re.split(" (?:in|at|after|with) ", case.label)[0]
        for case in cases
        if case.kind != CONFIGURATION and not case.label.startswith("whether")
    ]
    compared = ", ".join(dict.fromkeys(labels))
    return (
        f"Right in {len(exercise.configurations)} configurations. Compared: {compared}."
    )
