"""A question of an assignment: what is asked of an answer, and what it is worth.

A question is put to an answer by *probes*: inputs are drawn here, the answer is called
on them where it lives (in the sandbox), and what comes back is compared here with what
the right answer gives. No right value ever leaves this side.
"""

import builtins
import inspect
import random
import textwrap
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import torch

from helpers._check_runs import NAMES, Arguments, Kinds
from helpers._check_trace import CONFIGURATION, Case, Raised, Trace, same
from helpers.coursework.box import drives
from helpers.coursework.box.wire import RaisedThere, encode
from helpers.coursework.record import Part, QuestionRecord

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
    """A typical wrong answer; `python -m helpers.coursework check` sees it lose points.

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
                    and not self._right(at, case, got.get(case.label))
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
        raised = next(
            (c.value for c in traces[at] if isinstance(c.value, Raised)), None
        )
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
    return a.label == b.label and (a.label == CONFIGURATION or same(a.value, b.value))


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
