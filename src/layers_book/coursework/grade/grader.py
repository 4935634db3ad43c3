"""Judges what an answer did: points by part, and which typical mistake it shows."""

import builtins
import random
import re
import warnings
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from layers_book.checking import Mistake
from layers_book.checking.judging.verdict import configuration, recognize
from layers_book.checking.judging.words import CONFIGURATION, label
from layers_book.coursework.grade.record import Part, QuestionRecord
from layers_book.coursework.question import Question

CUDA = re.compile("cuda|nvidia", re.IGNORECASE)


class Grader:
    """Judges what answers to one question did, for one variant."""

    def __init__(
        self, question: Question, variant: dict[str, Any], solution: str, setup: str
    ) -> None:
        """``setup`` is the code that stands before the answer cell.

        Raises:
            ValueError: an edit whose text the solution lacks.
        """
        random.seed(0)
        self.question = question.solved(variant, solution, setup)
        self.expected = self.question.records(self.question.reference, forbid=False)
        self.wrong = cache(self._wrong)
        self.answer = cache(self._answer)

    def record(self, records: Sequence[Any], key: str = "") -> QuestionRecord:
        """The points for what an answer did, and the hint if a mistake is known."""
        found = unasked(self.question, key)
        if not records or (records[0] and _is_unwritten(records[0][-1])):
            return found
        wrong = self._wrong_cases(records)
        failed = {self.question.part(case) for cases in wrong for case in cases}
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
            found |= self._help(records, wrong)  # type: ignore[typeddict-item]
        return found

    def _wrong_cases(self, records: Sequence[Any]) -> list[list[Any]]:
        """For each configuration the cases whose value is missing or wrong."""
        wrong = []
        for at, expected in enumerate(self.expected):
            got: dict[Any, Any] = {}
            for case in records[at] if at < len(records) else ():
                got.setdefault(tuple(case[:3]), case)
            wrong.append(
                [
                    case
                    for case in expected
                    if case[0] != CONFIGURATION
                    and not (
                        case[:3] in got and self.question.right(case, got[case[:3]])
                    )
                ]
            )
        return wrong

    def _help(self, records: Sequence[Any], wrong: list[list[Any]]) -> dict[str, str]:
        at = next(i for i, cases in enumerate(wrong) if cases)
        words, place = configuration(self.expected[at]), label(wrong[at][0])
        found = {"seen": f"{place}: {words}" if words else place}
        for case in records[at] if at < len(records) else ():
            if case[0] == "raised":
                found["error"] = _error_words(case[3], self.question.forbid)
        mistake = self._recognize(records)
        if mistake:
            found |= {"mistake": mistake.name, "hint": mistake.hint}
        return found

    def _recognize(self, records: Sequence[Any]) -> Mistake | None:
        """The known mistake that acts alike."""
        got = [*records, *[[]] * (len(self.expected) - len(records))]
        known = [partial(self.wrong, at) for at in range(len(self.question.mistakes))]
        try:
            at, _ = recognize(
                len(self.expected),
                got.__getitem__,
                self.expected.__getitem__,
                known,
                self.question.right,
            )
        except Exception:  # a record of a form that no honest answer has
            return None
        return None if at is None else self.question.mistakes[at]

    def _answer(self, mistake: int) -> Any:
        try:
            return self.question.wrong_answer(self.question.mistakes[mistake])
        except Exception:  # it may be wrong in any way
            return None

    def _wrong(self, mistake: int, index: int) -> Any:
        """The record of a known mistake in a configuration."""
        with warnings.catch_warnings(action="ignore"):
            record = self.question.record(self.answer(mistake), index)
        return [case[:4] for case in record]  # two may agree within a tolerance


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


def _is_unwritten(case: Any) -> bool:
    return bool(case[0] == "raised" and case[3]["state"] == "unanswered")


def _error_words(raised: Any, forbid: tuple[str, ...]) -> str:
    """Type and line only: a message could carry what the student's code has seen."""
    if raised["state"] == "refused":
        named = [part for part in forbid if part in raised["text"]]
        if named:
            return f"calls torch's own {named[0]}: write it by hand"
        return "the answer is not of the kind that is asked for"
    return error_words(raised["type"], raised["line"], raised["text"])


def error_words(kind: str, line: int, text: str) -> str:
    """An exception of the student's code in words that its author cannot choose.

    Args:
        kind: the exception's type.
        line: of the cell; 0 if not known.
        text: what it says, which is only looked into; of a missing module its name.
    """
    known = getattr(builtins, kind, None)
    is_known = isinstance(known, type) and issubclass(known, BaseException)
    words = kind if is_known else "an exception"
    words = f"{words} in line {line} of your cell" if line > 0 else words
    if kind == "ModuleNotFoundError":
        return (
            f"{words}: no module {text or 'of this name'} is there when graded, and "
            "!pip and %%writefile do nothing"
        )
    if CUDA.search(text):
        return f"{words}: it asks for CUDA, but grading is on the CPU"
    return words
