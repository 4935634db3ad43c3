"""Runs: how an answer is called, and how its inputs are drawn."""

import __future__

import inspect
import linecache
import textwrap
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Generator, nn
from torch.nn import functional as F

from layers_book.checking.isolation import Refused, isolated
from layers_book.checking.recording import STEPS_FILE, Case
from layers_book.checking.steps import (
    NAMES,
    STEPS,
    describe,
    function_steps,
    gradients,
    module_steps,
    refuse_no_function,
)
from layers_book.checking.values import (
    Steps,
    asked,
    call,
    measure_steps,
    value_steps,
)

Arguments = tuple[Sequence[Any], dict[str, Any]]
Kinds = tuple[dict[str, Any], Sequence[Any], Any]
CONFIGURATIONS = 12


@dataclass(frozen=True, eq=False)
class Run:
    """One way to call an answer; made by the five functions below.

    Args:
        steps: called with the answer and the inputs, yields what is recorded.
        inputs: draws keyword arguments of ``steps`` from a CPU generator, whose
            ``initial_seed()`` is the configuration's number, from 0.
        configurations: how many are drawn.
        options: more keyword arguments, the same in each configuration.
        tolerance: relative, where values instead of tensors are compared.
        source: the text of an author's own steps where they run from it; see `alone`.
        reference: the expression that gives, once the solution has run, what answers
            are compared with; if empty, the solution's own answer.
    """

    steps: Steps
    inputs: Callable[[Generator], dict[str, Any]]
    configurations: int = CONFIGURATIONS
    options: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float | None = None
    source: str = ""
    reference: str = ""

    def draw(self, index: int) -> dict[str, Any]:
        """The inputs of a configuration."""
        with isolated(), warnings.catch_warnings(action="ignore"):
            return self.inputs(Generator().manual_seed(index))

    def ask(self, answer: Any, index: int) -> Iterator[Any]:
        """What the steps yield in a configuration."""
        return asked(self.steps, answer, self.draw(index), self.options)

    def alone(self) -> "Run":
        """This run with its author's own steps made from their text, for a sandbox."""
        if self.source or self.steps in STEPS.values():
            return self
        source = textwrap.dedent(inspect.getsource(self.steps))
        name = self.steps.__name__
        return replace(self, steps=steps_from(source, name), source=source)

    def message(self) -> dict[str, Any]:
        """What a sandbox needs in order to ask; see `asked` and `steps_from`."""
        return {
            "steps": self.steps.__name__,
            "source": self.source,
            "inputs": [self.draw(index) for index in range(self.configurations)],
            "options": dict(self.options),
            "tolerance": self.tolerance,
        }


def function_run(
    make_args: Callable[[Generator], Arguments],
    names: Sequence[str] = NAMES,
    float32: bool = True,
    configurations: int = CONFIGURATIONS,
    exact: bool = False,
) -> Run:
    """Call a function: output, inputs after the call, gradients, output in float32.

    What is computed from whole numbers alone may come in any container and dtype.

    Args:
        make_args: draws ``(args, kwargs)``. Gradients are taken with respect to the
            tensors that require one.
        names: words for the positional arguments.
        float32: also call with all floating tensors rounded to float32.
        configurations: how many are drawn.
        exact: container and dtype count in any case, since the exercise names them.
    """

    def inputs(generator: Generator) -> dict[str, Any]:
        args, kwargs = make_args(generator)
        return {"args": tuple(args), "kwargs": kwargs}

    options = {"names": list(names), "float32": float32, "exact": exact}
    return Run(function_steps, inputs, configurations, options)


def module_run(
    make: Callable[[Generator], Kinds],
    ignore: Sequence[str] = ("num_batches_tracked",),
    names: Sequence[str] = NAMES[:1],
    initial: bool = True,
    configurations: int = CONFIGURATIONS,
) -> Run:
    """Take a module class through training, evaluation and training again.

    Recorded are the names and shapes of parameters and buffers, their initial values,
    and, a batch at a time, output, inputs after the call, gradients and buffers.
    Parameters have random values that depend on their name only, except in the first
    configuration if initial values are compared. All runs in the dtype of the first
    batch, the end in float32.

    Args:
        make: draws ``(constructor kwargs, training batches, evaluation batch)``; a
            batch is a tensor or a tuple of arguments.
        ignore: buffers that an answer may have or not.
        names: words for the arguments of ``forward``.
        initial: compare the initial values of the parameters.
        configurations: how many are drawn.
    """

    def inputs(generator: Generator) -> dict[str, Any]:
        kwargs, training, evaluation = make(generator)
        return {
            "index": generator.initial_seed(),
            "kwargs": kwargs,
            "training": list(training),
            "evaluation": evaluation,
        }

    options = {"ignore": list(ignore), "names": list(names), "initial": initial}
    return Run(module_steps, inputs, configurations, options)


def value_run(tolerance: float = 1e-3) -> Run:
    """Compare a number, bool, string, tensor, or a list or dict of those.

    Args:
        tolerance: relative, for floating numbers; whole numbers must be exact.
    """
    return Run(value_steps, lambda generator: {}, 1, tolerance=tolerance)


def measure_run(a: str, b: str) -> Run:
    """Compare the mean over seeds of ``a - b`` and its standard error.

    The answer is ``(mean, error)``, or the list of paired differences. It is right for
    other seeds or more, and on another machine: the mean may be four standard errors
    off, the error a factor that depends on the number of seeds. A wrong sign, unit,
    order or formula of the error is told to the reader; other mistakes, such as
    too few steps, are the exercise's own. The solution is run at the first check, and
    once for each mistake that is compared: let it take at most two seconds.

    Args:
        a: the name, in the solution, of what one setting's runs gave, a number for each
            seed; at least five.
        b: the same for the setting that it is compared with.
    """
    return Run(measure_steps, lambda generator: {}, 1, reference=f"({a}, {b})")


def custom_run(
    steps: Steps,
    inputs: Callable[[Generator], dict[str, Any]] = lambda generator: {},
    configurations: int = CONFIGURATIONS,
) -> Run:
    """Ask in steps of your own.

    Args:
        steps: ``steps(answer, **inputs)`` yields ``(words, value)``, or ``(words,
            value, tolerance)``, or a `Case`; ``("configuration", words)`` is shown to
            the reader and not compared. It judges nothing and holds no right value.
        inputs: draws the keyword arguments.
        configurations: how many are drawn.
    """
    return Run(steps, inputs, configurations)


def steps_from(source: str, name: str) -> Steps:
    """Steps by name: those above, or an author's own from their text.

    The text may use its arguments, builtins, ``torch``, ``nn``, ``F``, ``Case``,
    ``Refused``, ``call``, ``describe``, ``gradients``, ``refuse_no_function`` and the
    steps above.
    """
    if not source:
        return STEPS[name]
    file = f"{STEPS_FILE}{name} {zlib.crc32(source.encode()):08x}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    space: dict[str, Any] = {"torch": torch, "nn": nn, "F": F, **STEPS}
    shared = (Case, Refused, call, describe, gradients, refuse_no_function)
    space |= {f.__name__: f for f in shared}
    flags = __future__.annotations.compiler_flag  # their names are not there
    exec(compile(source, file, "exec", flags, dont_inherit=True), space)
    found: Steps = space[name]
    return found
