"""Exercises of the page normalization/index."""

from typing import Any

import torch

from layers_book.checking import (
    Exercise,
    Mistake,
    distinct,
    function_run,
    value_run,
    varied,
)


def normalize(
    x: torch.Tensor, dims: tuple[int, ...], eps: float = 1e-5
) -> torch.Tensor:
    """Reference: zero mean and unit biased variance over ``dims``."""
    return x.sub(x.mean(dims, keepdim=True)).div(_spread(x, dims, eps))


def _spread(
    x: torch.Tensor, dims: tuple[int, ...], eps: float, correction: int = 0
) -> torch.Tensor:
    return (x.var(dims, keepdim=True, correction=correction) + eps).sqrt()


def _centered(x: torch.Tensor, dims: tuple[int, ...]) -> torch.Tensor:
    return x - x.mean(dims, keepdim=True)


def _unbiased(
    x: torch.Tensor, dims: tuple[int, ...], eps: float = 1e-5
) -> torch.Tensor:
    return _centered(x, dims) / _spread(x, dims, eps, correction=1)


def _eps_outside(
    x: torch.Tensor, dims: tuple[int, ...], eps: float = 1e-5
) -> torch.Tensor:
    return _centered(x, dims) / (_spread(x, dims, 0.0) + eps)


def _unbiased_eps_outside(
    x: torch.Tensor, dims: tuple[int, ...], eps: float = 1e-5
) -> torch.Tensor:
    return _centered(x, dims) / (x.std(dims, keepdim=True) + eps)


def _no_eps(x: torch.Tensor, dims: tuple[int, ...], eps: float = 1e-5) -> torch.Tensor:
    return _centered(x, dims) / _spread(x, dims, 0.0)


def _fixed_eps(
    x: torch.Tensor, dims: tuple[int, ...], eps: float = 1e-5
) -> torch.Tensor:
    return _centered(x, dims) / _spread(x, dims, 1e-5)


def _no_root(x: torch.Tensor, dims: tuple[int, ...], eps: float = 1e-5) -> torch.Tensor:
    return _centered(x, dims) / _spread(x, dims, eps) ** 2


def _only_centered(
    x: torch.Tensor, dims: tuple[int, ...], eps: float = 1e-5
) -> torch.Tensor:
    return _centered(x, dims)


def _all_axes(
    x: torch.Tensor, dims: tuple[int, ...], eps: float = 1e-5
) -> torch.Tensor:
    return normalize(x, tuple(range(x.ndim)), eps)


def _other_axes(
    x: torch.Tensor, dims: tuple[int, ...], eps: float = 1e-5
) -> torch.Tensor:
    inside = {d % x.ndim for d in dims}
    outside = tuple(d for d in range(x.ndim) if d not in inside)
    return normalize(x, outside or tuple(range(x.ndim)), eps)


def _no_keepdim(
    x: torch.Tensor, dims: tuple[int, ...], eps: float = 1e-5
) -> torch.Tensor:
    return (x - x.mean(dims)) / (x.var(dims, correction=0) + eps).sqrt()


def _detached(
    x: torch.Tensor, dims: tuple[int, ...], eps: float = 1e-5
) -> torch.Tensor:
    mean = x.mean(dims, keepdim=True).detach()
    return (x - mean) / _spread(x, dims, eps).detach()


def _in_place(
    x: torch.Tensor, dims: tuple[int, ...], eps: float = 1e-5
) -> torch.Tensor:
    y = normalize(x, dims, eps)
    x.data -= x.data.mean(dims, keepdim=True)
    return y


def _arguments(
    generator: torch.Generator,
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A block of two to five axes, some of them to be averaged over."""

    def integer(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    axes = integer(2, 5)
    x = varied(generator, *distinct(generator, axes)).requires_grad_()
    order = torch.randperm(axes, generator=generator).tolist()
    dims = tuple(sorted(order[: integer(1, axes)]))
    if integer(0, 2) == 0:
        dims = tuple(d - axes for d in dims)  # counted from the end
    eps = {} if integer(0, 2) == 0 else {"eps": (1e-3, 0.1, 0.5)[integer(0, 2)]}
    return (x, dims), eps


NORMALIZE = Exercise(
    name="normalization/normalize",
    reference=normalize,
    run=function_run(_arguments, names=("x", "dims")),
    forbid=("batch_norm", "instance_norm", "group_norm", "layer_norm", "rms_norm"),
    mistakes=(
        Mistake(
            _unbiased,
            "Your variance divides by n - 1; the layers normalize with the biased "
            "variance, 1/n: use var(..., correction=0).",
        ),
        Mistake(
            _eps_outside,
            "You add eps to the standard deviation; it belongs to the variance, "
            "inside the square root.",
        ),
        Mistake(
            _unbiased_eps_outside,
            "x.std divides by n - 1, and eps belongs inside the square root: compute "
            "torch.sqrt(x.var(..., correction=0) + eps).",
        ),
        Mistake(
            _no_eps,
            "You leave eps out: add it to the variance before taking the square root.",
        ),
        Mistake(
            _fixed_eps,
            "You use 1e-5 whatever the caller asks for: use the argument eps.",
        ),
        Mistake(
            _no_root,
            "You divide by the variance; divide by its square root.",
        ),
        Mistake(
            _only_centered,
            "You subtract the mean but do not divide: the variance of the result must "
            "be close to 1.",
        ),
        Mistake(
            _all_axes,
            "You average over all axes: average over `dims` only.",
        ),
        Mistake(
            _other_axes,
            "You average over the axes that are not in `dims`: `dims` names those to "
            "average over.",
        ),
        Mistake(
            _no_keepdim,
            "mean and var drop the averaged axes, so they no longer line up with x: "
            "pass keepdim=True.",
        ),
        Mistake(
            _detached,
            "The output is right, but the gradient must also flow through mean and "
            "variance: do not detach them or compute them under no_grad.",
        ),
        Mistake(
            _in_place,
            "Your function changes x itself: make a new tensor instead of x -= ... .",
        ),
    ),
)

COUNT = Exercise(
    name="normalization/count",
    reference=[6, 8, 48, 24, 240],
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            [8, 6, 48, 24, 240],
            "BatchNorm and LayerNorm are swapped: BatchNorm averages over the samples, "
            "so one pair a channel remains.",
        ),
        Mistake(
            [6, 8, 6, 24, 240],
            "InstanceNorm does not average over samples: one pair for each channel of "
            "each sample, N times C.",
        ),
        Mistake(
            [6, 8, 48, 3, 240],
            "GroupNorm does not average over samples: one pair for each group of each "
            "sample, N times G.",
        ),
        Mistake(
            [6, 8, 48, 16, 240],
            "GroupNorm(3, 6) has three groups (of two channels each): N times 3 pairs.",
        ),
        Mistake(
            [6, 8, 48, 24, 8],
            "LayerNorm(5) averages over the last axis alone, W: every row of every "
            "channel of every sample keeps its own pair.",
        ),
        Mistake(
            [6, 8, 48, 24, 40],
            "LayerNorm(5) averages over the last axis alone, W; the channels keep "
            "their own pairs too: N times C times H.",
        ),
        Mistake(
            [6, 8, 48, 24, 5],
            "LayerNorm(5) averages over an axis of size 5; count the pairs that stay, "
            "one for each index of the other axes.",
        ),
        Mistake(
            [12, 16, 96, 48, 480],
            "Count pairs: a mean and a variance together are one.",
        ),
        Mistake(
            [1200, 1200, 1200, 1200, 1200],
            "All cells of x are normalized, but many share one pair: count the pairs.",
        ),
    ),
)

EXERCISES = (NORMALIZE, COUNT)
