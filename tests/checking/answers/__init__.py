"""Answers that nobody of the project wrote, or wrote as a learner would.

A module for each page, in the book's folders; each answer says what `check` should say.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Foreign:
    """An answer to an exercise, and what is right to say of it.

    Args:
        exercise: its name.
        answer: the answer.
        passes: whether it is right.
        says: a regular expression that the message must have.
        never: one that it must not have.
    """

    exercise: str
    answer: Any
    passes: bool
    says: str = ""
    never: str = ""

    def faults(self, passed: bool, message: str) -> list[str]:
        """What is wrong with a verdict on this answer; nothing if it is right."""
        found = []
        if passed != self.passes:
            found.append("a right answer is refused" if self.passes else "accepted")
        if self.says and not re.search(self.says, message, re.IGNORECASE | re.DOTALL):
            found.append(f"does not say {self.says!r}")
        if self.never and re.search(self.never, message, re.IGNORECASE | re.DOTALL):
            found.append(f"says {self.never!r}")
        return [f"{fault}: {message}" for fault in found]


FOREIGN: list[Foreign] = []


def right(exercise: str) -> Callable[[Any], Any]:
    """Decorates a right answer, which must pass."""

    def keep(answer: Any) -> Any:
        FOREIGN.append(Foreign(exercise, answer, passes=True))
        return answer

    return keep


def wrong(exercise: str, says: str = "", never: str = "") -> Callable[[Any], Any]:
    """Decorates a wrong answer, which must be refused in these words, without those."""

    def keep(answer: Any) -> Any:
        FOREIGN.append(Foreign(exercise, answer, False, says, never))
        return answer

    return keep
