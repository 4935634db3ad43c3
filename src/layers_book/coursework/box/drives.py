"""What is done with a student's answer: called with given inputs, and recorded.

The same code runs in the sandbox on the answer of a student and, outside, on the right
answer and on typical wrong ones. It judges nothing and knows no right value.
"""

import linecache
import traceback
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from layers_book.checking.runs import _unanswered as unanswered
from layers_book.checking.runs import call, drive_function, drive_module, gradients
from layers_book.checking.trace import (
    Case,
    Raised,
    Refused,
    Trace,
    Unanswered,
    freeze,
    isolated,
    unwritten,
)

CELL = "<cell "  # begins the file name of a student's code


def drive_value(answer: Any) -> Iterator[Case]:
    """Record a value as it is."""
    if unanswered(answer):
        raise Unanswered("put your value in place of the dots.")
    yield Case("the value", answer)


def script(source: str, name: str) -> Callable[..., Iterator[Any]]:
    """The drive that an assignment's author has written, from its source."""
    file = f"<drive {name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    space: dict[str, Any] = {"torch": torch, "nn": nn, "F": F}
    space |= {"call": call, "gradients": gradients, "Refused": Refused}
    exec(compile(source, file, "exec", dont_inherit=True), space)
    found: Callable[..., Iterator[Any]] = space[name]
    return found


def trace(
    probe: dict[str, Any], answer: Any, index: int, forbid: tuple[str, ...] = ()
) -> Trace:
    """What an answer does on the inputs of configuration ``index``.

    Args:
        probe: ``drive`` (function, module, value, or the name of the drive in
            ``source``), ``inputs`` (one dict a configuration) and ``options``.
        answer: what the answer cell has defined.
        index: which configuration, from 0.
        forbid: parts of names of torch functions that the answer may not call.
    """
    inputs = freeze_leaves(probe["inputs"][index])
    seen: Trace = []
    with isolated(forbid):
        try:
            with _ForbidBelow(forbid) if forbid else nullcontext():
                for case in _cases(probe, answer, index, inputs):
                    label, value, *tolerance = case
                    seen.append(Case(label, freeze(value), *tolerance))
        except (Exception, SystemExit) as error:
            error.answer_line = line(error)  # type: ignore[union-attr]
            seen.append(Case("", Raised(error)))
    return seen


def freeze_leaves(value: Any) -> Any:
    """Copies of inputs, with their strides and their wish for a gradient."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if isinstance(value, tuple | list):
        return type(value)(freeze_leaves(item) for item in value)
    if isinstance(value, dict):
        return {name: freeze_leaves(item) for name, item in value.items()}
    return value


def _cases(
    probe: dict[str, Any], answer: Any, index: int, inputs: dict[str, Any]
) -> Iterator[Any]:
    if answer is None or answer is Ellipsis:
        raise Unanswered("put your answer in place of the dots.")
    options = probe["options"]
    if probe["drive"] == "function":
        return drive_function(answer, **inputs, **options)
    if probe["drive"] == "module":
        return drive_module(answer, index, **inputs, **options)
    if probe["drive"] == "value":
        return drive_value(answer)
    return script(probe["source"], probe["drive"])(answer, **inputs)


def is_unwritten(error: BaseException) -> bool:
    """Whether an answer has not been written yet."""
    return isinstance(error, Unanswered) or unwritten(error)


def line(error: BaseException) -> int:
    """The line of the student's cell that an exception went through, 0 if none."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f.lineno or 0 for f in frames if f.filename.startswith(CELL)]
    return lines[-1] if lines else 0


class _ForbidBelow(TorchDispatchMode):
    """Also refuses what is called past torch's own functions, by ``torch.ops``."""

    def __init__(self, parts: tuple[str, ...]) -> None:
        super().__init__()
        self.parts = parts

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch wraps each call below to keep its compiler out: slow

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = func._overloadpacket._qualified_op_name.rpartition("::")[2]
        if "backward" not in name and any(part in name for part in self.parts):
            raise Refused(f"Write it by hand: torch's {name} may not be called here.")
        return func(*args, **(kwargs or {}))
