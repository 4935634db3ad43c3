"""The exercises of the page PAGE."""

import torch
from torch.nn import functional as F

from layers_book.checking import Exercise, Mistake, function_run, value_run


def _inputs(
    generator: torch.Generator,
) -> tuple[tuple[torch.Tensor, ...], dict[str, object]]:
    shape = torch.randint(1, 6, (3,), generator=generator).tolist()
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    return (x.requires_grad_(),), {}


EXERCISES = (
    Exercise(
        name="PAGE/by_hand",
        reference=F.relu,
        run=function_run(_inputs),
        mistakes=(
            Mistake(torch.abs, "Negative inputs become 0; yours become positive."),
            Mistake(lambda x: x, "Negative inputs become 0; yours pass unchanged."),
        ),
    ),
    Exercise(
        name="PAGE/count",
        reference=2,
        run=value_run(),
        configurations=1,
        mistakes=(
            Mistake(3, "Zero is not changed: it was 0 before."),
            Mistake(1, "Two numbers lie below 0; count both."),
        ),
    ),
)
