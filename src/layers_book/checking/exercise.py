"""An exercise: its solution, how an answer is called, and the mistakes people make."""

import ast
import linecache
import math
import textwrap
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layers_book.checking.cuts import Watch
from layers_book.checking.recording import Record, record
from layers_book.checking.runs import Run

# what every answer finds, as the pages import it
NAMES: dict[str, Any] = {
    "math": math,
    "torch": torch,
    "nn": nn,
    "F": F,
    "Tensor": Tensor,
}
NOTHING = ("no function's name",)


@dataclass(frozen=True, eq=False)
class Mistake:
    """A typical wrong answer, and the sentence that helps whoever gives it.

    Give ``edits`` or ``answer``, not both.

    Args:
        hint: the sentence.
        edits: ``(old, new)``; every ``old`` in the solution is replaced.
        answer: the whole answer where edits are clumsy: code as text, or a value.
        name: a few words for a teacher's statistics.
        loses: titles of parts that it must lose; without any, it must lose something.
    """

    hint: str
    edits: tuple[tuple[str, str], ...] = ()
    answer: Any = None
    name: str = ""
    loses: tuple[str, ...] = ()


Short = tuple[Any, ...]
"""``(old, new, hint)``, also with more pairs, or ``(answer, hint)``."""


@dataclass(frozen=True, eq=False)
class Exercise:
    """What is asked, and how an answer is checked.

    Args:
        name: what the reader passes to ``check``: page and exercise.
        solution: the page's own text of it; its last statement is the answer.
        run: how an answer is called, or several ways.
        mistakes: typical wrong answers, no two of which act alike: a `Mistake`, or in
            short ``(old, new, hint)`` for an edit of the solution, with more pairs of
            old and new before the hint for several, or ``(answer, hint)`` for a whole
            answer: code as text, or a value.
        reference: gives the right answer where torch.nn or another formula does; by
            default the solution.
        forbid: what an answer may not call: parts of names of torch's functions, such
            as ``"batch_norm"``, which also keeps ``nn.BatchNorm2d`` out, or names of
            module classes; see `layers_book.checking.isolation.isolated`.
        answer: the expression that gives the answer once the code has run, if it is
            not the last name that the code defines.
        setup: code that the solution and the mistakes find executed.

    Raises:
        ValueError: an edit whose text the solution lacks: the exercise and the text.
    """

    name: str
    solution: str
    run: Run | Sequence[Run]
    mistakes: Sequence[Any] = ()
    reference: Any = None
    forbid: tuple[str, ...] = ()
    answer: str = ""
    setup: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "solution", _tidy(self.solution))
        object.__setattr__(self, "setup", _tidy(self.setup))
        found = tuple(map(self._mistake, self.mistakes))
        object.__setattr__(self, "mistakes", found)
        for mistake in found if self.solution else ():
            self.code(mistake)
        if self.reference is None:
            object.__setattr__(self, "reference", self._solved())

    def _solved(self) -> Any:
        """What the solution gives, or what gives it once somebody asks."""
        measured = "".join(run.reference for run in self.runs)
        if measured:
            return cache(partial(self.define, self.solution, measured))
        return self.define(self.solution)

    @property
    def runs(self) -> Sequence[Run]:
        """How an answer is called, one way or several."""
        return [self.run] if isinstance(self.run, Run) else self.run

    @cached_property
    def configurations(self) -> list[tuple[Run, int]]:
        """Each run with the numbers of its configurations, in order."""
        return [(run, at) for run in self.runs for at in range(run.configurations)]

    def record(
        self, answer: Any, index: int, forbid: bool = True, watch: Watch | None = None
    ) -> Record:
        """What an answer does in a configuration, as plain data.

        Args:
            answer: the answer itself.
            index: the number of the configuration.
            forbid: refuse what may not be called.
            watch: follows what is cut off from the gradient.
        """
        run, number = self.configurations[index]
        parts = self.forbid
        if parts and not forbid:
            parts = NOTHING  # torch's gradients of some functions depend on the modes
        return record(run.ask(answer, number), parts, run.tolerance, watch)

    def _mistake(self, given: Mistake | Short) -> Mistake:
        if isinstance(given, Mistake):
            return given
        *before, hint = given
        if len(before) == 1:
            return Mistake(hint, answer=before[0])
        return Mistake(hint, edits=tuple(zip(before[::2], before[1::2], strict=True)))

    def code(self, mistake: Mistake, solution: str = "") -> str:
        """The text of a mistake's answer; empty if it is a value.

        Args:
            mistake: of this exercise.
            solution: what is edited, if it is not the exercise's own.

        Raises:
            ValueError: a text to replace that the solution lacks.
        """
        if not mistake.edits:
            return _tidy(mistake.answer) if isinstance(mistake.answer, str) else ""
        text = solution or self.solution
        for old, new in mistake.edits:
            if old not in text:
                raise ValueError(
                    f"{self.name}: an edit no longer applies: the solution, as edited "
                    f"so far, has no {old!r} (hint: {mistake.hint})"
                )
            text = text.replace(old, new)
        return text

    def wrong_answer(self, mistake: Mistake) -> Any:
        """The answer of somebody who makes this mistake."""
        code = self.code(mistake)
        return self.define(code) if code else mistake.answer

    def define(self, code: str, answer: str = "") -> Any:
        """What an answer's code gives, or an expression once it has run."""
        file = f"<{self.name} {zlib.crc32(code.encode()):08x}>"
        space = {**NAMES, "__name__": "answer"}
        with warnings.catch_warnings(action="ignore"):
            _execute(self.setup, f"<set-up of {self.name}>", space)
            return _execute(code, file, space, answer or self.answer)


def _tidy(code: str) -> str:
    """Code without the indent of what stands around it."""
    return textwrap.dedent(code).strip("\n")


def _execute(code: str, file: str, space: dict[str, Any], answer: str = "") -> Any:
    """Run code, and give its answer: the last name it defines, or last expression."""
    tree = ast.parse(code, file)
    linecache.cache[file] = (len(code), None, code.splitlines(True), file)
    last = tree.body[-1] if tree.body else None
    if not answer and isinstance(last, ast.Expr):
        tree.body.pop()
        answer = ast.unparse(last)
    exec(compile(tree, file, "exec", dont_inherit=True), space)
    if not answer and isinstance(last, ast.FunctionDef | ast.ClassDef):
        answer = last.name
    if not answer and isinstance(last, ast.Assign):
        answer = ast.unparse(last.targets[0])
    return eval(answer, space) if answer else None
