"""The exercises of the page PAGE."""

from typing import Any

import torch
from torch import Generator
from torch.nn import functional as F

from layers_book.checking import Exercise, function_run, measure_run, value_run


def _inputs(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    shape = torch.randint(2, 6, (3,), generator=generator).tolist()
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    return (x.requires_grad_(),), {}


def _with_number(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    (x,), kwargs = _inputs(generator)
    return (x, torch.rand((), generator=generator).item()), kwargs


CAPPED = Exercise(
    name="PAGE/capped",
    solution="""
        def capped(x, top):
            return x.clamp(min=0, max=top)
    """,
    run=function_run(_with_number, names=("x", "top")),
    forbid=("relu", "hardtanh"),
    mistakes=[
        (", max=top", "", "Numbers above top become top; yours pass unchanged."),
        ("min=0", "min=-top", "Negative inputs become 0; some of yours stay negative."),
    ],
)

COUNT = Exercise(
    name="PAGE/count",
    solution="count = 2",
    run=value_run(),
    mistakes=[
        (3, "Zero is not changed: it was 0 before."),
        (1, "Two numbers lie below 0; count both."),
    ],
)

LEAKY = Exercise(
    name="PAGE/leaky",
    solution="""
        def leaky(x, slope):
            return x.clamp(min=0) + slope * x.clamp(max=0)
    """,
    reference=F.leaky_relu,
    run=function_run(_with_number, names=("x", "slope")),
    mistakes=[
        ("x.clamp(max=0)", "x", "For x = 1 yours is 1 + slope: it should be 1."),
        (
            " + slope * x.clamp(max=0)",
            "",
            "For x = -1 yours is 0: it should be -slope.",
        ),
    ],
)


def _slopes(x: torch.Tensor) -> torch.Tensor:
    z = x.detach().requires_grad_()
    return torch.autograd.grad(F.relu(z).sum(), z)[0]


DERIVATIVE = Exercise(
    name="PAGE/derivative",
    solution="""
        def derivative(x):
            return (x > 0).to(x.dtype)
    """,
    reference=_slopes,
    run=function_run(_inputs),
    mistakes=[
        ("(x > 0)", "x.sign()", "Where x is negative, the derivative is 0, not -1."),
        ("(x > 0)", "x.clamp(min=0)", "You give the output; its slope is asked for."),
    ],
)

SHIFT = Exercise(
    name="PAGE/shift",
    setup="""
        def positive(seed, shift):
            generator = torch.Generator().manual_seed(seed)
            z = torch.randn(1000, generator=generator) + shift
            return 100 * (z > 0).double().mean().item()
    """,
    solution="""
        shifted = [positive(seed, 0.5) for seed in range(8)]
        still = [positive(seed, 0.0) for seed in range(8)]
        difference = torch.tensor(shifted) - torch.tensor(still)
        answer = (difference.mean(), difference.std() / 8**0.5)
    """,
    run=measure_run("shifted", "still"),
    mistakes=[
        ("0.5)", "-0.5)", "Your shift goes down: with 0.5 more numbers are positive."),
        ("0.5)", "1.0)", "You shift by 1: shift by 0.5."),
    ],
)

EXERCISES = (CAPPED, COUNT, LEAKY, DERIVATIVE, SHIFT)
