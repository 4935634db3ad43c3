"""Self-checks: a reader's answer against torch.nn, and a hint for each mistake."""

import html
import textwrap
import warnings
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from layers_book.checking.cuts import Watch
from layers_book.checking.exercise import Exercise, Mistake
from layers_book.checking.judging.verdict import judge
from layers_book.checking.recording import Record

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
    """Check an answer to an exercise at hand.

    Raises:
        RuntimeError: the right answer does not work here, so nothing can be said.
    """
    expected = partial(_expected, exercise)
    known = [(m.hint, partial(expected, mistake=m)) for m in exercise.mistakes]

    def judged(watched: bool) -> tuple[str, str]:
        @cache
        def got(index: int) -> Record:
            return exercise.record(answer, index, watch=Watch() if watched else None)

        return judge(len(exercise.configurations), got, expected, known)

    state, message = judged(watched=False)
    if state == "wrong" and "gradient" in message:  # what cut it off? that takes time
        _, message = judged(watched=True)
    return Verdict(exercise.name, state == "right", message, state != "unanswered")


@cache
def _expected(exercise: Exercise, index: int, mistake: Mistake | None = None) -> Record:
    """The record of the reference, or of a mistake, without their warnings.

    Raises:
        RuntimeError: the reference raises, as with another version of torch.
    """
    with warnings.catch_warnings(action="ignore"):
        if mistake:
            answer = exercise.wrong_answer(mistake)
            return exercise.record(answer, index, forbid=False)
        found = exercise.record(exercise.reference, index, forbid=False)
    if found and found[-1][0] == "raised":
        value = found[-1][3]
        raise RuntimeError(
            f"{exercise.name} cannot be checked here: the right answer itself raises "
            f"{value['type']}: {value['text']}"
        )
    return found
