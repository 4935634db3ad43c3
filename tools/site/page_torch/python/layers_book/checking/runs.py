"""Runs: how an answer is called, and how its inputs are drawn."""

from torch import Generator

from layers_book.checking.isolation import isolated
from layers_book.checking.steps import NAMES, function_steps, module_steps
from layers_book.checking.values import asked, measure_steps, value_steps

CONFIGURATIONS = 12


def _nothing(generator):
    return {}


class Run:
    """One way to call an answer; see the notebook's `layers_book.checking.runs`."""

    def __init__(
        self,
        steps,
        inputs,
        configurations=CONFIGURATIONS,
        options=None,
        tolerance=None,
        source="",
        reference="",
    ):
        self.steps = steps
        self.inputs = inputs
        self.configurations = configurations
        self.options = options or {}
        self.tolerance = tolerance
        self.reference = reference

    def ask(self, answer, index):
        """What the steps yield in a configuration."""
        with isolated():
            inputs = self.inputs(Generator().manual_seed(index))
        return asked(self.steps, answer, inputs, self.options)


def function_run(
    make_args, names=NAMES, float32=True, configurations=CONFIGURATIONS, exact=False
):
    """Call a function: output, inputs after the call, gradients, output in float32."""

    def inputs(generator):
        args, kwargs = make_args(generator)
        return {"args": tuple(args), "kwargs": kwargs}

    options = {"names": list(names), "float32": float32, "exact": exact}
    return Run(function_steps, inputs, configurations, options)


def module_run(
    make,
    ignore=("num_batches_tracked",),
    names=NAMES[:1],
    initial=True,
    configurations=CONFIGURATIONS,
):
    """Take a module class through training, evaluation and training again."""

    def inputs(generator):
        kwargs, training, evaluation = make(generator)
        return {
            "index": generator.initial_seed(),
            "kwargs": kwargs,
            "training": list(training),
            "evaluation": evaluation,
        }

    options = {"ignore": list(ignore), "names": list(names), "initial": initial}
    return Run(module_steps, inputs, configurations, options)


def value_run(tolerance=1e-3):
    """Compare a number, bool, string, tensor, or a list or dict of those."""
    return Run(value_steps, _nothing, 1, tolerance=tolerance)


def measure_run(a, b):
    """Compare the mean over seeds of ``a - b`` and its standard error."""
    return Run(measure_steps, _nothing, 1, reference=f"({a}, {b})")


def custom_run(steps, inputs=_nothing, configurations=CONFIGURATIONS):
    """Ask in steps of an author's own."""
    return Run(steps, inputs, configurations)
