"""A question of an assignment: what is asked of an answer, and what it is worth.

A question is put to an answer by *probes*: inputs are drawn here, the answer is called
on them where it lives (in the sandbox), and what comes back is compared here with what
the right answer gives. No right value ever leaves this side.
"""

import inspect
import textwrap
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from layers_book.checking.runs import NAMES, Arguments, Kinds
from layers_book.checking.trace import Trace
from layers_book.coursework.box import drives
from layers_book.coursework.sandbox.inside.wire import encode

Generator = torch.Generator
Judge = Callable[[Any, Any], bool]
CONFIGURATIONS = 6


@dataclass(frozen=True, eq=False)
class Probe:
    """One way to call an answer; made by the functions below."""

    drive: str
    inputs: Callable[[Generator], dict[str, Any]]
    configurations: int = CONFIGURATIONS
    options: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    tolerance: float | None = None

    @cached_property
    def message(self) -> dict[str, Any]:
        """What the sandbox needs, drawn once."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            drawn = [
                self.inputs(torch.Generator().manual_seed(index))
                for index in range(self.configurations)
            ]
        return {
            "drive": self.drive,
            "source": self.source,
            "options": dict(self.options),
            "inputs": drawn,
        }


def function_probe(
    make_args: Callable[[Generator], Arguments],
    names: Sequence[str] = NAMES,
    float32: bool = True,
    configurations: int = CONFIGURATIONS,
) -> Probe:
    """Call a function: output, inputs after the call, gradients, output in float32.

    Labels of what is recorded: ``the output``, ``the inputs after the call``, ``the
    gradient with respect to NAME`` of each tensor that requires one, ``the output in
    float32``.

    Args:
        make_args: draws ``(args, kwargs)`` from a CPU generator whose
            ``initial_seed()`` is the configuration's number, from 0.
        names: words for the positional arguments.
        float32: also call with all floating tensors rounded to float32.
        configurations: how many are drawn.
    """

    def inputs(generator: Generator) -> dict[str, Any]:
        args, kwargs = make_args(generator)
        return {"args": tuple(args), "kwargs": kwargs}

    options = {"names": list(names), "float32": float32}
    return Probe("function", inputs, configurations, options)


def module_probe(
    make: Callable[[Generator], Kinds],
    ignore: Sequence[str] = ("num_batches_tracked",),
    names: Sequence[str] = NAMES[:1],
    initial: bool = True,
    configurations: int = CONFIGURATIONS,
) -> Probe:
    """Take a module class through training, evaluation, state_dict, and float32.

    Labels: ``the parameters``, ``the buffers``, ``NAME at the start``, ``the output in
    training mode, batch 1``, ``the gradient with respect to NAME in ...``, ``NAME after
    the call in ...``, ``the output in eval mode``, ``the output in eval mode of a new
    module with this state_dict``, ``the output in float32 in train mode``.

    Args:
        make: draws ``(constructor kwargs, training batches, evaluation batch)``.
        ignore: buffers that an answer may have or not.
        names: words for the arguments of ``forward``.
        initial: compare the initial values of the parameters.
        configurations: how many are drawn.
    """

    def inputs(generator: Generator) -> dict[str, Any]:
        kwargs, training, evaluation = make(generator)
        return {
            "kwargs": kwargs,
            "training": list(training),
            "evaluation": evaluation,
        }

    options = {"ignore": list(ignore), "names": list(names), "initial": initial}
    return Probe("module", inputs, configurations, options)


def value_probe(tolerance: float = 1e-3) -> Probe:
    """Take a number, bool, text, tensor, or a list or dict of those.

    Label: ``the value``. Args: tolerance: relative; whole numbers must be exact.
    """
    return Probe("value", lambda generator: {}, 1, tolerance=tolerance)


def script_probe(
    drive: Callable[..., Any],
    make: Callable[[Generator], dict[str, Any]] = lambda generator: {},
    configurations: int = CONFIGURATIONS,
) -> Probe:
    """Put a question that needs steps of its own.

    Args:
        drive: ``drive(answer, **inputs)`` yields ``(label, value)`` or ``(label, value,
            tolerance)``. Its source is sent to the sandbox, so it may use only its
            arguments, builtins, ``torch``, ``nn``, ``F``, ``call`` (calls and refuses
            an unanswered result), ``gradients`` and ``Refused``; it must hold no right
            value and judge nothing: yield what the answer gives.
        make: draws the keyword arguments.
        configurations: how many are drawn.
    """
    source = textwrap.dedent(inspect.getsource(drive))
    return Probe(drive.__name__, make, configurations, source=source)


@dataclass(frozen=True, eq=False)
class Wrong:
    """A typical wrong answer; `coursework check` sees it lose points.

    Args:
        name: a few words for the teacher's statistics: ``"biased running variance"``.
        hint: the sentence that helps whoever gives it.
        edits: ``(old, new)``; each ``old`` stands in the solution and is replaced.
        code: the whole answer cell instead of edits.
        loses: labels of parts that it must lose; without any, it must lose something.
    """

    name: str
    hint: str
    edits: tuple[tuple[str, str], ...] = ()
    code: str = ""
    loses: tuple[str, ...] = ()

    def answer(self, solution: str) -> str:
        """The text of the answer cell.

        Raises:
            ValueError: neither or both of edits and code, or a text to replace that
                the solution lacks.
        """
        if bool(self.edits) == bool(self.code):
            raise ValueError(f"wrong answer {self.name!r}: give either edits or code")
        text = self.code or solution
        for old, new in self.edits:
            if old not in text:
                raise ValueError(
                    f"wrong answer {self.name!r}: the solution has no {old!r}"
                )
            text = text.replace(old, new)
        return text


@dataclass(frozen=True, eq=False)
class Question:
    """One autograded question.

    Args:
        name: the answer cell's ``:question:``, and this file's name.
        title: a few words, shown in feedback.
        answer: the name that the answer cell defines.
        reference: gives the right answer for a variant, where possible in terms of
            torch.nn, never a copy of the solution.
        probes: how it is put.
        parts: points by beginning of label; a value belongs to the longest beginning,
            and a part is earned if all its values are right in all configurations.
            Several beginnings share a part as ``"the output | the inputs after"``; the
            first is its title.
        wrong: at least five typical wrong answers with their hints.
        forbid: parts of names of torch functions that an answer may not call, such as
            ``"batch_norm"``. Advisory: a determined student gets around it.
        judge: where equality is not what is asked: by beginning of label,
            ``judge(expected, got)`` tells whether a value is right.
        seconds: how long all probes together may take.
    """

    name: str
    title: str
    answer: str
    reference: Callable[[dict[str, Any]], Any]
    probes: tuple[Probe, ...]
    parts: Mapping[str, float]
    wrong: tuple[Wrong, ...]
    forbid: tuple[str, ...] = ()
    judge: Mapping[str, Judge] = field(default_factory=dict)
    seconds: float = 10.0

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
                "probes": [probe.message for probe in self.probes],
            }
        )

    def traces(self, answer: Any, forbid: bool = True) -> list[Trace]:
        """What an answer at hand does, in all configurations of all probes."""
        parts = self.forbid if forbid else ()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [
                drives.trace(probe.message, answer, index, parts)
                for probe in self.probes
                for index in range(probe.configurations)
            ]

    def part(self, label: str) -> str:
        """The title of the part that a recorded value belongs to.

        Raises:
            ValueError: no part begins the label.
        """
        found = [b for b in self._beginnings if label.startswith(b)]
        if not found:
            raise ValueError(
                f"question {self.name!r}: {label!r} belongs to no part; parts: "
                f"{', '.join(map(repr, self.parts))}"
            )
        return self._beginnings[max(found, key=len)]

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
