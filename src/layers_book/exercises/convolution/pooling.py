"""Exercises of the page convolution/pooling."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    Mistake,
    distinct,
    function_run,
    value_run,
    varied,
)

# kernel_size, stride, padding; the last window of most stops short of the end
WINDOWS = ((3, 2, 1), (2, 2, 0), (4, 3, 2), (3, 1, 1), (2, 3, 1), (5, 4, 0), (4, 1, 1))


def _slid(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """One to three axes, each window in turn, padding counted and not."""
    index = generator.initial_seed()
    sizes = [*distinct(generator, index % 3), 9 + index % 4]
    x = varied(generator, *sizes, axis=0)
    x[..., 1::4] = 0  # a zero of the input is no padding
    x.requires_grad_()
    return (x, *WINDOWS[index % 7], index % 2 == 0), {}


def _rows(x: Tensor, pooled: Any) -> Tensor:
    """A pooling of the last axis, from torch, for any number of axes."""
    y: Tensor = pooled(x.reshape(1, -1, x.shape[-1]))
    return y.view(*x.shape[:-1], -1)


def _average(x: Tensor, k: int, stride: int, padding: int, counted: bool) -> Tensor:
    return _rows(x, lambda y: F.avg_pool1d(y, k, stride, padding, False, counted))


def _wrong_average(wrong: str) -> Any:
    def answer(x: Tensor, k: int, stride: int, padding: int, counted: bool) -> Tensor:
        if wrong == "detached":
            return _average(x.detach(), k, stride, padding, counted)
        if wrong == "first axis":
            flipped = x.movedim(0, -1)
            if flipped.shape[-1] + 2 * padding < k:
                return flipped
            return _average(flipped, k, stride, padding, counted).movedim(-1, 0)
        if wrong == "flag inverted":
            return _average(x, k, stride, padding, not counted)
        if wrong in ("always", "never"):
            return _average(x, k, stride, padding, wrong == "always")
        if wrong == "stride is kernel":
            return _average(x, k, k, padding, counted)
        if wrong == "swapped":
            return _average(x, stride, k, min(padding, stride // 2), counted)
        if wrong == "no padding":
            return _average(x, k, stride, 0, counted)
        if wrong == "one too few":
            return _average(x, k, stride, padding, counted)[..., :-1]
        if wrong == "stride starts":
            size = max(1, x.shape[-1] // stride)
            return _average(x, k, stride, padding, counted)[..., :size]
        if wrong == "max":
            return _rows(x, lambda y: F.max_pool1d(y, k, stride, padding))
        left, right = (padding, padding)
        if wrong == "left only":
            right = 0
        elif wrong == "right only":
            left = 0
        elif wrong == "ceil":
            right += stride - 1
        inside = F.pad(torch.ones_like(x), (left, right)).unfold(-1, k, stride)
        if wrong == "replicate":
            filled = _rows(x, lambda y: F.pad(y, (left, right), "replicate"))
        else:
            value = -torch.inf if wrong == "infinite" else 0.0
            filled = F.pad(x, (left, right), value=value)
        sums = filled.unfold(-1, k, stride).sum(-1)
        if wrong == "sum":
            return sums
        if wrong == "zeros":
            inside = (filled != 0).unfold(-1, k, stride)
        return sums / k if counted else sums / inside.sum(-1)

    return answer


AVERAGE_HINTS = {
    "always": (
        "You always divide by kernel_size: with count_include_pad=False only the "
        "cells that lie in the input count."
    ),
    "never": (
        "You never count the padding: with count_include_pad=True, torch's "
        "default, each window is divided by kernel_size."
    ),
    "flag inverted": (
        "Your count_include_pad works the wrong way round: True means that the "
        "zeros of the padding count."
    ),
    "sum": "You return the sums: divide each by what its window counts.",
    "max": "That is max pooling: an average sums its window and divides.",
    "stride is kernel": (
        "You step by kernel_size, which is only the default: step by stride."
    ),
    "swapped": (
        "You have swapped kernel_size and stride: unfold takes the axis, then the "
        "size, then the step."
    ),
    "no padding": (
        "You pad too little, or not at all: put padding zeros on each side of x first."
    ),
    "one too few": (
        "Your last window is missing: with n + 2 * padding cells there are "
        "(n + 2 * padding - kernel_size) // stride + 1 windows."
    ),
    "stride starts": (
        "You return n // stride outputs: there are "
        "(n + 2 * padding - kernel_size) // stride + 1."
    ),
    "left only": "You pad on the left only: F.pad takes (left, right).",
    "right only": "You pad on the right only: F.pad takes (left, right).",
    "replicate": "You repeat the border cells: the padding of an average is zero.",
    "infinite": (
        "You pad with minus infinity, which is for maxima: an average pads with 0."
    ),
    "zeros": (
        "You take every 0 for padding, but the input may hold zeros of its own: "
        "count places, not values."
    ),
    "ceil": (
        "You keep a last window that runs over the end: that is ceil_mode=True, "
        "which this exercise leaves out."
    ),
    "first axis": "You pool the first axis; pool the last one.",
    "detached": (
        "The output is right, the gradient is not: compute with x itself, not with "
        "a detached copy."
    ),
}

AVERAGE = Exercise(
    name="pooling/average",
    reference=_average,
    run=function_run(
        _slid, names=("x", "kernel_size", "stride", "padding", "count_include_pad")
    ),
    forbid=("pool",),
    mistakes=tuple(
        Mistake(_wrong_average(wrong), hint) for wrong, hint in AVERAGE_HINTS.items()
    ),
)

# cells and bins: a divisor, ordinary, as many, more bins than cells, one bin
BINS = ((10, 4), (12, 5), (8, 4), (3, 7), (7, 5), (6, 6), (5, 12), (9, 1), (11, 8))


def _axis(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    n, size = BINS[index % 9]
    sizes = [*distinct(generator, index % 3, low=4), n]
    return (varied(generator, *sizes, axis=0).requires_grad_(), size), {}


def _adaptive(x: Tensor, size: int) -> Tensor:
    return _rows(x, lambda y: F.adaptive_avg_pool1d(y, size))


def _edges(wrong: str, n: int, size: int) -> list[tuple[int, int]]:
    """First cell and end of each bin; a wrong one is still a bin of some cells."""
    step = max(1, n // size)
    found = []
    for i in range(size):
        start, end = i * n // size, -(-(i + 1) * n // size)
        if wrong == "floor end":
            end = max(start + 1, (i + 1) * n // size)
        elif wrong == "floor plus one":
            end = min((i + 1) * n // size + 1, n)
        elif wrong == "rounded":
            start = min(round(i * n / size), n - 1)
            end = max(round((i + 1) * n / size), start + 1)
        elif wrong == "ceil start":
            start = min(-(-i * n // size), n - 1)
            end = max(end, start + 1)
        elif wrong == "fixed":
            start = min(i * step, n - 1)
            end = min(max(start + n - (size - 1) * step, start + 1), n)
        elif wrong == "equal":
            start = min(i * step, n - 1)
            end = min(start + step, n)
        elif wrong == "ceil kernel":
            end = min(start - (-n // size), n)
        elif wrong == "one too far":
            end = min(end + 1, n)
        elif wrong == "nearest":
            end = start + 1
        elif wrong == "split":
            long = n % size
            start = min(i * (n // size) + min(i, long), n - 1)
            end = min(start + max(1, n // size + (i < long)), n)
        found.append((start, end))
    return found


def _wrong_adaptive(wrong: str) -> Any:
    def answer(x: Tensor, size: int) -> Tensor:
        n = x.shape[-1]
        if wrong == "detached":
            return _adaptive(x.detach(), size)
        if wrong == "max":
            return _rows(x, lambda y: F.adaptive_max_pool1d(y, size))
        if wrong == "linear":
            return _rows(x, lambda y: F.interpolate(y, size=size, mode="linear"))
        if wrong == "first axis":
            return _adaptive(x.movedim(0, -1), size).movedim(-1, 0)
        if wrong == "stacked":
            bins = [x[..., a:b].mean(-1) for a, b in _edges("", n, size)]
            return torch.stack(bins)
        bins = [x[..., a:b] for a, b in _edges(wrong, n, size)]
        if wrong == "mean length":
            return torch.stack([part.sum(-1) * size / n for part in bins], -1)
        if wrong == "sum":
            return torch.stack([part.sum(-1) for part in bins], -1)
        return torch.stack([part.mean(-1) for part in bins], -1)

    return answer


ADAPTIVE_HINTS = {
    "floor end": (
        "You round the end of a bin down: it is rounded up, so that neighbors may "
        "share a cell."
    ),
    "floor plus one": (
        "You add 1 to the floor in order to round up: where (i + 1) * n / "
        "output_size is a whole number, that is a cell too many."
    ),
    "rounded": (
        "You round the edges of a bin to the nearest cell: the start is rounded "
        "down and the end up."
    ),
    "mean length": (
        "You divide every sum by n / output_size: divide each by the number of "
        "cells in its own bin."
    ),
    "ceil start": "You round the start of a bin up: it is rounded down.",
    "fixed": (
        "You use one kernel and one stride for all bins, as a formula that goes "
        "around has it: each bin has its own start and end."
    ),
    "equal": (
        "You cut bins of n // output_size cells, so the rest of the axis is never read."
    ),
    "ceil kernel": (
        "Your bins all have ceil(n / output_size) cells; some have one more or "
        "fewer: compute the end from i + 1."
    ),
    "split": (
        "You split the axis into parts that share no cell, the longer ones first: "
        "adaptive bins may overlap."
    ),
    "one too far": (
        "Your bins are one cell too long: ceil((i + 1) * n / output_size) is the "
        "first cell that is left out."
    ),
    "nearest": "You pick the first cell of each bin: average the whole bin.",
    "linear": "You interpolate between cells: an adaptive average takes whole cells.",
    "max": "That is the adaptive maximum: average each bin.",
    "sum": "You return the sums: divide each by the length of its own bin.",
    "first axis": "You pool the first axis; pool the last one.",
    "stacked": "Your bins stand on the first axis: stack them along the last, dim=-1.",
    "detached": (
        "The output is right, the gradient is not: compute with x itself, not with "
        "a detached copy."
    ),
}

ADAPTIVE = Exercise(
    name="pooling/adaptive",
    reference=_adaptive,
    run=function_run(_axis, names=("x", "output_size")),
    configurations=18,
    forbid=("pool", "interpolate"),
    mistakes=tuple(
        Mistake(_wrong_adaptive(wrong), hint) for wrong, hint in ADAPTIVE_HINTS.items()
    ),
)

PLAIN = Exercise(
    name="pooling/plain",
    reference=[3, 2, 1],
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            [3, 1, 0],
            "That is the formula that goes around, stride 5 // 3 and kernel "
            "5 - 2 * stride: its bins 0 to 2, 1 to 3, 2 to 4 are all of three cells.",
        ),
        Mistake(
            [3, 2, 0],
            "Without padding only two such windows fit into five cells.",
        ),
        Mistake(
            [2, 2, 0],
            "Only two such windows fit, and no cell is in two of them; the bins here "
            "share cells 1 and 3.",
        ),
        Mistake(
            [2, 2, 1],
            "Three windows, but the first reads cell 0 only: with padding 1 on the "
            "left, a kernel of 2 has one cell left.",
        ),
        Mistake(
            [2, 1, 0],
            "That gives four outputs, 5 - 2 + 1.",
        ),
        Mistake(
            [5, 2, 2],
            "Three windows at the right places, but too long: the first one reads "
            "cells 0 to 2.",
        ),
        Mistake(
            [2, 3, 1],
            "The order is kernel_size, stride, padding: are the first two swapped?",
        ),
    ),
)

GRADIENT = Exercise(
    name="pooling/gradient",
    reference=[0, 2, 0, 1, 0],
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            [0, 1, 0, 2, 0],
            "The second window reads 3, 2, 3, a tie: torch's maximum is the first.",
        ),
        Mistake(
            [0, 1.5, 0, 1.5, 0],
            "You share the tie between both cells: torch gives all of it to the first.",
        ),
        Mistake(
            [0, 2, 0, 2, 0],
            "You give the tie to both cells: three outputs hand out a sum of 3 only.",
        ),
        Mistake(
            [0, 1, 0, 1, 0],
            "A cell that wins in several windows gets the sum of their gradients.",
        ),
        Mistake(
            [0, 1, 0, 0, 0],
            "You let the windows step by 3, the default; here the stride is 1, so "
            "there are three windows.",
        ),
        Mistake(
            [0, 3, 0, 0, 0],
            "The last window reads 2, 3, 0, and cell 1 is not in it.",
        ),
        Mistake(
            [1, 2, 3, 2, 1],
            "You count the windows over each cell: only the maximum of a window gets "
            "its gradient.",
        ),
        Mistake(
            [1 / 3, 2 / 3, 1, 2 / 3, 1 / 3],
            "That is the gradient of average pooling, which spreads it.",
        ),
        Mistake(
            [3, 3, 3],
            "That is the output; the gradient has the shape of the input, five cells.",
        ),
        Mistake(
            [0, 3, 0, 3, 0],
            "Those are the maxima at their places, as MaxUnpool writes them; the "
            "gradient counts 1 for each output.",
        ),
    ),
)

EXERCISES = (AVERAGE, ADAPTIVE, PLAIN, GRADIENT)
