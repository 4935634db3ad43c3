"""A question of an assignment: an exercise with points.

Inputs are drawn here, the answer is called on them where it lives (in the sandbox), and
what comes back is compared here with what the right answer gives. No right value ever
leaves this side.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

from layers_book.checking import Exercise
from layers_book.checking.judging.compare import same_case
from layers_book.checking.judging.words import CONFIGURATION, label
from layers_book.checking.recording import restored
from layers_book.coursework.sandbox.inside.wire import encode

Judge = Callable[[Any, Any], bool]


@dataclass(frozen=True, eq=False, kw_only=True)
class Question(Exercise):
    """One autograded question: an exercise whose solution is the answer cell's text.

    Its name is the answer cell's ``:question:`` and this file's name; ``answer`` is the
    name that the answer cell defines; each mistake has a ``name``, and may say which
    parts it ``loses``. Its own steps are run from their text, in the sandbox and here:
    they may use only their arguments, builtins and what `layers_book.checking.runs`
    tells at `steps_from`. ``forbid`` is advisory: a determined student gets around.

    Args:
        title: a few words, shown in feedback.
        reference: gives the right answer for a variant, where possible in terms of
            torch.nn, never a copy of the solution.
        parts: points by beginning of a case in words; a value belongs to the longest
            beginning, and a part is earned if all its values are right in all
            configurations. Several beginnings share a part as ``"the output | the
            inputs after"``; the first is its title.
        judge: where equality is not what is asked: by beginning of a case in words,
            ``judge(expected, got)`` tells whether a value is right.
        seconds: how long all configurations together may take.
    """

    solution: str = ""
    title: str
    parts: Mapping[str, float]
    judge: Mapping[str, Judge] = field(default_factory=dict)
    seconds: float = 10.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "run", [run.alone() for run in self.runs])
        super().__post_init__()

    def solved(self, variant: dict[str, Any], solution: str, setup: str) -> Self:
        """This question for one variant, with its right answer and known solution.

        Raises:
            ValueError: an edit whose text the solution lacks.
        """
        right = self.reference(variant)
        return replace(self, reference=right, solution=solution, setup=setup)

    @property
    def points(self) -> float:
        """What the question is worth."""
        return float(sum(self.parts.values()))

    @cached_property
    def message(self) -> bytes:
        """What the sandbox needs to put the question, encoded."""
        return encode(
            {
                "name": self.name,
                "answer": self.answer,
                "forbid": list(self.forbid),
                "seconds": self.seconds,
                "runs": [run.message() for run in self.runs],
            }
        )

    def records(self, answer: Any, forbid: bool = True) -> list[Any]:
        """What an answer at hand does, in all configurations."""
        count = len(self.configurations)
        with warnings.catch_warnings(action="ignore"):
            return [self.record(answer, i, forbid) for i in range(count)]

    def part(self, case: Any) -> str:
        """The title of the part that a recorded case belongs to.

        Raises:
            ValueError: no part begins its words.
        """
        words = label(case)
        found = [b for b in self._beginnings if words.startswith(b)]
        if not found:
            raise ValueError(
                f"question {self.name!r}: {words!r} belongs to no part; parts: "
                f"{', '.join(map(repr, self.parts))}"
            )
        return self._beginnings[max(found, key=len)]

    def right(self, expected: Any, got: Any) -> bool:
        """Whether a case is as it should be, by its own judge if it has one."""
        words = label(expected)
        judges = [beginning for beginning in self.judge if words.startswith(beginning)]
        try:
            if not judges or expected[0] == CONFIGURATION:
                return same_case(expected, got)
            judge = self.judge[max(judges, key=len)]
            values = restored(expected[3]), restored(got[3])
            return list(expected[:3]) == list(got[:3]) and judge(*values) is True
        except Exception:  # a value of a form that the judge did not foresee
            return False

    @cached_property
    def titles(self) -> dict[str, float]:
        """Points by title of a part."""
        return {part.split(" | ")[0]: float(n) for part, n in self.parts.items()}

    @cached_property
    def _beginnings(self) -> dict[str, str]:
        return {
            beginning: part.split(" | ")[0]
            for part in self.parts
            for beginning in part.split(" | ")
        }
