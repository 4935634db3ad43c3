"""Exercises of the page basic/activations."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from layers_book.checking import (
    Case,
    Exercise,
    Mistake,
    distinct,
    function_run,
    module_run,
    signed,
)


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


def _threshold(wrong: str) -> Any:
    def answer(x: Tensor, threshold: float, value: float) -> Tensor:
        other = torch.full_like(x, value)
        if wrong == "at least":
            return torch.where(x >= threshold, x, other)
        if wrong == "clip below":
            return x.clamp(min=threshold)
        if wrong == "clip range":
            low, high = sorted((threshold, value))
            return x.clamp(low, high)
        if wrong == "two-sided":
            return torch.where(x.abs() > abs(threshold), x, other)
        if wrong == "flipped":
            return torch.where(x < threshold, x, other)
        if wrong == "zero":
            return torch.where(x > threshold, x, 0.0)
        if wrong == "at zero":
            return torch.where(x > 0, x, other)
        if wrong == "added":
            return torch.where(x > threshold, x, x + value)
        if wrong == "mask times x":
            return x * (x > threshold) + value * (x <= threshold)
        if wrong == "detached":
            return torch.where(x > threshold, x.detach(), other)
        if wrong == "constant":
            return torch.where(x > threshold, threshold, other)
        with torch.no_grad():
            x[x <= threshold] = value
        return x * 1

    return answer


THRESHOLD = Exercise(
    name="activations/threshold",
    reference=F.threshold,
    run=function_run(_thresholds, names=("x", "threshold", "value")),
    forbid=("threshold",),
    mistakes=(
        Mistake(
            _threshold("at least"),
            "Look at x == threshold: torch keeps x only where x > threshold, so the "
            "boundary itself is replaced.",
        ),
        Mistake(
            _threshold("clip below"),
            "You clip: what is too small becomes threshold. This layer replaces it by "
            "value, whatever value is.",
        ),
        Mistake(
            _threshold("clip range"),
            "You clip to the range between threshold and value; that is Hardtanh. "
            "value is no bound, it is what the small ones are replaced by.",
        ),
        Mistake(
            _threshold("two-sided"),
            "You compare the size of x: Threshold has one side only, and a large "
            "negative x is replaced.",
        ),
        Mistake(
            _threshold("flipped"),
            "You keep what lies below the threshold; keep what lies above it.",
        ),
        Mistake(
            _threshold("zero"),
            "You put 0 where x is not above the threshold; put value there.",
        ),
        Mistake(
            _threshold("at zero"),
            "You compare with 0, as ReLU does; compare with threshold.",
        ),
        Mistake(
            _threshold("added"),
            "You add value to the small ones; they are replaced, nothing of x is left.",
        ),
        Mistake(
            _threshold("mask times x"),
            "You multiply by a mask, and -inf times 0 is nan: choose with torch.where.",
        ),
        Mistake(
            _threshold("detached"),
            "The output is right, the gradient is not: it must flow where x is kept, "
            "so do not detach x.",
        ),
        Mistake(
            _threshold("constant"),
            "You return threshold where x is above it; return x itself there.",
        ),
        Mistake(
            _threshold("in place"),
            "You change the caller's x: build a new tensor with torch.where.",
        ),
    ),
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


def _softmax(wrong: str) -> Any:
    def answer(x: Tensor, dim: int) -> Tensor:
        if wrong == "last axis":
            dim = -1
        elif wrong == "first axis":
            dim = 0
        if wrong == "in place":
            with torch.no_grad():
                x -= x.amax(dim, keepdim=True)
        shift = x.amax(dim, keepdim=True)
        if wrong == "no shift":
            shift = torch.zeros_like(shift)
        elif wrong == "one maximum":
            shift = x.max()
        elif wrong == "mean":
            shift = x.mean(dim, keepdim=True)
        elif wrong == "minimum":
            shift = x.amin(dim, keepdim=True)
        e = torch.exp(x - shift)
        if wrong == "clamped":
            e = torch.exp(x.clamp(-80, 80))
        elif wrong == "shift alone":
            e = x - shift
        if wrong == "not divided":
            return e
        if wrong == "all axes":
            return e / e.sum()
        if wrong == "eps":
            return e / (e.sum(dim, keepdim=True) + 1e-3)
        p: Tensor = e / e.sum(dim, keepdim=True)
        if wrong == "log":
            return p.log()
        return p.detach() if wrong == "detached" else p

    return answer


SOFTMAX = Exercise(
    name="activations/softmax",
    reference=lambda x, dim: F.softmax(x, dim),
    run=function_run(_logits, names=("x", "dim")),
    forbid=("softmax", "softmin", "logsumexp"),
    mistakes=(
        Mistake(
            _softmax("no shift"),
            "exp overflows for large scores: subtract the largest one along dim first, "
            "which changes nothing else.",
        ),
        Mistake(
            _softmax("last axis"),
            "You always use the last axis; use dim in each step.",
        ),
        Mistake(
            _softmax("first axis"),
            "You always use the first axis; use dim in each step.",
        ),
        Mistake(
            _softmax("one maximum"),
            "You subtract one maximum from everything. A row far below it becomes all "
            "zeros, and 0 / 0 is nan: take the maximum along dim.",
        ),
        Mistake(
            _softmax("mean"),
            "You subtract the mean; what lies far above it still overflows. Subtract "
            "the maximum along dim.",
        ),
        Mistake(
            _softmax("minimum"),
            "You subtract the minimum, which makes all exponents positive, where exp "
            "overflows; subtract the maximum.",
        ),
        Mistake(
            _softmax("clamped"),
            "You clamp the scores: no overflow, but all scores beyond the bound become "
            "equal. Subtract the maximum instead.",
        ),
        Mistake(
            _softmax("shift alone"),
            "The exponential is missing: divide exp(x - maximum) by its sum.",
        ),
        Mistake(
            _softmax("not divided"),
            "The values do not sum to 1 along dim yet: divide by their sum.",
        ),
        Mistake(
            _softmax("all axes"),
            "Your sum runs over all axes: use sum(dim, keepdim=True), so that each "
            "slice along dim sums to 1.",
        ),
        Mistake(
            _softmax("eps"),
            "No eps is needed: the largest term is exp(0) = 1, so the sum is at least "
            "1.",
        ),
        Mistake(
            _softmax("log"),
            "You return the logarithm; return the probabilities themselves.",
        ),
        Mistake(
            _softmax("detached"),
            "The output is right, but no gradient flows: do not detach it.",
        ),
        Mistake(
            _softmax("in place"),
            "You change the caller's x: write x - maximum, not x -= maximum.",
        ),
    ),
)


def _batches(generator: Generator) -> tuple[dict[str, Any], list[Tensor], Tensor]:
    index = generator.initial_seed()
    dim, hidden, *sizes = distinct(generator, 3 + index % 2)
    batches = [
        2 * torch.randn(*sizes, dim, generator=generator, dtype=torch.float64)
        for _ in range(3)
    ]
    return {"dim": dim, "hidden": hidden}, batches[:2], batches[2]


_MODULE_RUN = module_run(_batches, initial=False)


def _any_order(answer: Any, generator: Generator) -> Iterator[Case]:
    """The order in which the layers are made must not matter: never the drawn start."""
    later = torch.Generator().manual_seed(generator.initial_seed() + 1)
    for case in _MODULE_RUN(answer, later):
        yield Case(*case)


class _SwiGLU(nn.Module):
    """The block from its formula; the mistakes change one thing each."""

    wrong = ""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        bias = self.wrong == "bias"
        width = 1 if self.wrong == "one gate" else hidden
        self.gate = nn.Linear(dim, width, bias=bias)
        if self.wrong != "one matrix":
            self.up = nn.Linear(dim, hidden, bias=bias)
        if self.wrong != "no way back":
            self.down = nn.Linear(hidden, dim, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.gate(x)
        up = gate if self.wrong == "one matrix" else self.up(x)
        if self.wrong == "sigmoid":
            h = torch.sigmoid(gate) * up
        elif self.wrong == "gelu":
            h = F.gelu(gate) * up
        elif self.wrong == "relu":
            h = F.relu(gate) * up
        elif self.wrong == "swapped":
            h = gate * F.silu(up)
        elif self.wrong == "both":
            h = F.silu(gate) * F.silu(up)
        elif self.wrong == "bilinear":
            h = gate * up
        elif self.wrong == "after":
            h = F.silu(gate * up)
        elif self.wrong == "sum":
            h = F.silu(gate) + up
        else:
            h = F.silu(gate) * up
        if self.wrong == "no way back":
            return h
        y: Tensor = self.down(h)
        return x + y if self.wrong == "skip" else y


def _block(wrong: str) -> Any:
    return type("SwiGLU", (_SwiGLU,), {"wrong": wrong})


SWIGLU = Exercise(
    name="activations/swiglu",
    reference=_SwiGLU,
    run=_any_order,
    mistakes=(
        Mistake(
            _block("sigmoid"),
            "Your gate is a sigmoid: that is GLU. SwiGLU has SiLU there, z * "
            "sigmoid(z).",
        ),
        Mistake(_block("gelu"), "Your gate is a GELU: that is GEGLU; use F.silu."),
        Mistake(_block("relu"), "Your gate is a ReLU: that is ReGLU; use F.silu."),
        Mistake(
            _block("swapped"),
            "You put the SiLU on up(x); it belongs on gate(x).",
        ),
        Mistake(
            _block("both"),
            "Only gate(x) goes through the SiLU; up(x) stays linear.",
        ),
        Mistake(
            _block("bilinear"),
            "The SiLU is missing: without it the block is a product of two linear "
            "maps.",
        ),
        Mistake(
            _block("after"),
            "You multiply first and apply the SiLU to the product; apply it to gate(x) "
            "and multiply afterwards.",
        ),
        Mistake(_block("sum"), "You add the two branches; multiply them."),
        Mistake(_block("bias"), "Here no Linear has a bias: bias=False."),
        Mistake(
            _block("one matrix"),
            "gate and up are two Linear layers, each with its own weight.",
        ),
        Mistake(
            _block("one gate"),
            "Your gate is one number for all features: self.gate = nn.Linear(dim, "
            "hidden, bias=False).",
        ),
        Mistake(
            _block("no way back"),
            "The way back is missing: self.down = nn.Linear(hidden, dim, bias=False).",
        ),
        Mistake(
            _block("skip"),
            "You add x to the result: the skip connection is not part of this block.",
        ),
    ),
)

EXERCISES = (THRESHOLD, SOFTMAX, SWIGLU)
