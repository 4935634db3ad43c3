"""Exercises of the page basic/activations."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import Exercise, distinct, function_run, module_run, signed


def _thresholds(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Halves, so that some values meet the threshold exactly, in float32 as well."""
    index = generator.initial_seed()
    sizes = distinct(generator, 1 + index % 3, low=4)
    x = torch.randint(-6, 7, sizes, generator=generator).double() / 2
    threshold = (1.0, -1.5, 0.0, 2.0)[index % 4]
    value = (-9.0, 20.0, 0.5)[index % 3]
    x.view(-1)[:2] = torch.tensor([threshold, -threshold]).to(x)
    if index % 3 == 2:
        x.view(-1)[-1] = -torch.inf
    return (x.requires_grad_(), threshold, value), {}


THRESHOLD = Exercise(
    name="activations/threshold",
    solution="""
        def threshold(x, threshold, value):
            return torch.where(x > threshold, x, value)
    """,
    reference=F.threshold,
    run=function_run(_thresholds, names=("x", "threshold", "value")),
    forbid=("threshold",),
    mistakes=[
        (
            "x > threshold",
            "x >= threshold",
            "Look at x == threshold: torch keeps x only where x > threshold, so the "
            "boundary itself is replaced.",
        ),
        (
            "torch.where(x > threshold, x, value)",
            "x.clamp(min=threshold)",
            "You clip: what is too small becomes threshold. This layer replaces it by "
            "value, whatever value is.",
        ),
        (
            "torch.where(x > threshold, x, value)",
            "x.clamp(min(threshold, value), max(threshold, value))",
            "You clip to the range between threshold and value; that is Hardtanh. "
            "value is no bound, it is what the small ones are replaced by.",
        ),
        (
            "x > threshold",
            "x.abs() > abs(threshold)",
            "You compare the size of x: Threshold has one side only, and a large "
            "negative x is replaced.",
        ),
        (
            "x > threshold",
            "x < threshold",
            "You keep what lies below the threshold; keep what lies above it.",
        ),
        (
            "x, value)",
            "x, 0.0)",
            "You put 0 where x is not above the threshold; put value there.",
        ),
        (
            "x > threshold",
            "x > 0",
            "You compare with 0, as ReLU does; compare with threshold.",
        ),
        (
            "x, value)",
            "x, x + value)",
            "You add value to the small ones; they are replaced, nothing of x is left.",
        ),
        (
            "torch.where(x > threshold, x, value)",
            "x * (x > threshold) + value * (x <= threshold)",
            "You multiply by a mask, and -inf times 0 is nan: choose with torch.where.",
        ),
        (
            "x, value)",
            "x.detach(), value)",
            "The output is right, the gradient is not: it must flow where x is kept, "
            "so do not detach x.",
        ),
        (
            "x, value)",
            "threshold, torch.full_like(x, value))",
            "You return threshold where x is above it; return x itself there.",
        ),
        (
            "return torch.where(x > threshold, x, value)",
            "x[x <= threshold] = value\n    return x",
            "You change the caller's x: build a new tensor with torch.where.",
        ),
    ],
)


def _logits(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Shifted, spread and masked scores; softmax over any axis, counted either way."""
    index = generator.initial_seed()
    axes = (2, 3, 1, 2, 4, 3)[index % 6]
    sizes = distinct(generator, axes)
    dim = int(torch.randint(axes, (), generator=generator)) if index else 0
    x = torch.randn(*sizes, generator=generator, dtype=torch.float64)
    if index % 4 == 1:
        x = x + 2000 * signed(
            generator, *(s if a != dim else 1 for a, s in enumerate(sizes))
        )
    elif index % 4 == 2:
        x = x * 400
    elif index % 4 == 3:
        x.select(dim, 0).fill_(-torch.inf)
    return (x.requires_grad_(), dim - axes if index % 2 else dim), {}


SOFTMAX = Exercise(
    name="activations/softmax",
    solution="""
        def softmax(x, dim):
            e = torch.exp(x - x.amax(dim, keepdim=True))
            return e / e.sum(dim, keepdim=True)
    """,
    reference=F.softmax,
    run=function_run(_logits, names=("x", "dim")),
    forbid=(
        "softmax",
        "softmin",
        "logsumexp",
        "logcumsumexp",
        "cross_entropy",
        "scaled_dot_product",
    ),
    mistakes=[
        (
            " - x.amax(dim, keepdim=True)",
            "",
            "exp overflows for large scores: subtract the largest one along dim first, "
            "which changes nothing else.",
        ),
        (
            "(dim, keepdim",
            "(-1, keepdim",
            "You always use the last axis; use dim in each step.",
        ),
        (
            "(dim, keepdim",
            "(0, keepdim",
            "You always use the first axis; use dim in each step.",
        ),
        (
            "x.amax(dim, keepdim=True)",
            "x.max()",
            "e.sum(dim, keepdim=True)",
            "e.sum()",
            "You take maximum and sum over the whole tensor: take both along dim, with "
            "keepdim=True.",
        ),
        (
            "x.amax(dim, keepdim=True)",
            "x.max()",
            "You subtract one maximum from everything. A row far below it becomes all "
            "zeros, and 0 / 0 is nan: take the maximum along dim.",
        ),
        (
            "x.amax",
            "x.mean",
            "You subtract the mean; what lies far above it still overflows. Subtract "
            "the maximum along dim.",
        ),
        (
            "x.amax",
            "x.amin",
            "You subtract the minimum, which makes all exponents positive, where exp "
            "overflows; subtract the maximum.",
        ),
        (
            "x - x.amax(dim, keepdim=True)",
            "x.clamp(-80, 80)",
            "You clamp the scores: no overflow, but all scores beyond the bound become "
            "equal. Subtract the maximum instead.",
        ),
        (
            "torch.exp",
            "",
            "The exponential is missing: divide exp(x - maximum) by its sum.",
        ),
        (
            " / e.sum(dim, keepdim=True)",
            "",
            "The values do not sum to 1 along dim yet: divide by their sum.",
        ),
        (
            "e.sum(dim, keepdim=True)",
            "e.sum()",
            "Your sum runs over all axes: use sum(dim, keepdim=True), so that each "
            "slice along dim sums to 1.",
        ),
        (
            "e.sum(dim, keepdim=True)",
            "(e.sum(dim, keepdim=True) + 1e-3)",
            "No eps is needed: the largest term is exp(0) = 1, so the sum is at least "
            "1.",
        ),
        (
            "e / e.sum(dim, keepdim=True)",
            "(e / e.sum(dim, keepdim=True)).log()",
            "You return the logarithm; return the probabilities themselves.",
        ),
        (
            "e / e.sum(dim, keepdim=True)",
            "(e / e.sum(dim, keepdim=True)).detach()",
            "The output is right, but no gradient flows: do not detach it.",
        ),
        (
            "e = torch.exp(x - x.amax(dim, keepdim=True))",
            "x -= x.detach().amax(dim, keepdim=True)\n    e = torch.exp(x)",
            "You change the caller's x: write x - maximum, not x -= maximum.",
        ),
    ],
)


def _batches(generator: Generator) -> tuple[dict[str, Any], list[Tensor], Tensor]:
    index = generator.initial_seed()
    dim, hidden, *sizes = distinct(generator, 3 + index % 2)
    batches = [
        2 * torch.randn(*sizes, dim, generator=generator, dtype=torch.float64)
        for _ in range(3)
    ]
    return {"dim": dim, "hidden": hidden}, batches[:2], batches[2]


SWIGLU = Exercise(
    name="activations/swiglu",
    solution="""
        class SwiGLU(nn.Module):
            def __init__(self, dim, hidden):
                super().__init__()
                self.gate = nn.Linear(dim, hidden, bias=False)
                self.up = nn.Linear(dim, hidden, bias=False)
                self.down = nn.Linear(hidden, dim, bias=False)

            def forward(self, x):
                return self.down(F.silu(self.gate(x)) * self.up(x))
    """,
    # layers may be made in any order, which the initial values would show
    run=module_run(_batches, initial=False),
    mistakes=[
        (
            "F.silu",
            "torch.sigmoid",
            "Your gate is a sigmoid: that is GLU. SwiGLU has SiLU there, z * "
            "sigmoid(z).",
        ),
        ("F.silu", "F.gelu", "Your gate is a GELU: that is GEGLU; use F.silu."),
        ("F.silu", "F.relu", "Your gate is a ReLU: that is ReGLU; use F.silu."),
        (
            "F.silu(self.gate(x)) * self.up(x)",
            "self.gate(x) * F.silu(self.up(x))",
            "You put the SiLU on up(x); it belongs on gate(x).",
        ),
        (
            "self.up(x)",
            "F.silu(self.up(x))",
            "Only gate(x) goes through the SiLU; up(x) stays linear.",
        ),
        (
            "F.silu(self.gate(x))",
            "self.gate(x)",
            "The SiLU is missing: without it the block is a product of two linear "
            "maps.",
        ),
        (
            "F.silu(self.gate(x)) * self.up(x)",
            "F.silu(self.gate(x) * self.up(x))",
            "You multiply first and apply the SiLU to the product; apply it to gate(x) "
            "and multiply afterwards.",
        ),
        (" * ", " + ", "You add the two branches; multiply them."),
        (", bias=False", "", "Here no Linear has a bias: bias=False."),
        (
            "        self.up = nn.Linear(dim, hidden, bias=False)\n",
            "",
            "self.up(x)",
            "self.gate(x)",
            "gate and up are two Linear layers, each with its own weight.",
        ),
        (
            "self.gate = nn.Linear(dim, hidden",
            "self.gate = nn.Linear(dim, 1",
            "Your gate is one number for all features: self.gate = nn.Linear(dim, "
            "hidden, bias=False).",
        ),
        (
            "        self.down = nn.Linear(hidden, dim, bias=False)\n",
            "",
            "self.down(",
            "(",
            "The way back is missing: self.down = nn.Linear(hidden, dim, bias=False).",
        ),
        (
            "self.down(F",
            "x + self.down(F",
            "You add x to the result: the skip connection is not part of this block.",
        ),
    ],
)

EXERCISES = (THRESHOLD, SOFTMAX, SWIGLU)
