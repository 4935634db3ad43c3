"""The exercises of the page PAGE."""

from typing import Any

import torch
from torch import Generator
from torch.nn import functional as F

from layers_book.checking import Exercise, function_run, value_run


def _inputs(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    shape = torch.randint(1, 6, (3,), generator=generator).tolist()
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    return (x.requires_grad_(),), {}


EXERCISES = (
    Exercise(
        name="PAGE/by_hand",
        solution="""
            def answer(x):
                return x.clamp(min=0)
        """,
        reference=F.relu,
        run=function_run(_inputs),
        mistakes=[
            ("clamp(min=0)", "abs()", "Negative inputs become 0; yours are positive."),
            (".clamp(min=0)", "", "Negative inputs become 0; yours pass unchanged."),
        ],
    ),
    Exercise(
        name="PAGE/count",
        solution="count = 2",
        run=value_run(),
        mistakes=[
            (3, "Zero is not changed: it was 0 before."),
            (1, "Two numbers lie below 0; count both."),
        ],
    ),
)
