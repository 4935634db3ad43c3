"""Exercises of the page basic/dropout."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    CONFIGURATION,
    Case,
    Exercise,
    Mistake,
    Refused,
    call,
    describe,
    distinct,
    signed,
    value_run,
)
from layers_book.checking.runs import kind

RATES = (0.3, 0.2, 0.8, 0.5, 1.0, 0.0)
CHANCE = 5  # standard errors that a share may be off


def _input(generator: Generator) -> Tensor:
    """``(N, C, *)`` without zeros, with 1,200 channels and up to three axes more."""
    rest = distinct(generator, (generator.initial_seed() + 1) % 4)
    return signed(generator, 60, 20, *rest)


def _random_run(channels: bool) -> Callable[[Any, Generator], Iterator[Case]]:
    """Trace what a dropout has to keep to, whatever its random numbers.

    Args:
        channels: whole channels are deleted, not elements.
    """

    def run(answer: Any, generator: Generator) -> Iterator[Case]:
        if not callable(answer) or isinstance(answer, type):
            raise Refused("A function is expected: write its name without calling it.")
        p = RATES[generator.initial_seed() % len(RATES)]
        x = _input(generator).requires_grad_()
        yield Case(CONFIGURATION, describe({"x": x, "p": p}))
        yield Case("the output for training=False", call(answer, x.clone(), p, False))
        given = x.clone()
        y = call(answer, given, p)
        shape = str(tuple(y.shape)) if isinstance(y, Tensor) else kind(y)
        yield Case("the shape of the output in training", shape)
        if shape != str(tuple(x.shape)):
            return
        yield Case("the input after the call", given)
        yield Case("whether all values are finite", bool(y.isfinite().all()))
        yield from _mask_cases(x, y.detach(), p, channels)
        again = bool((call(answer, x.clone(), p) != y).any())
        yield Case("whether a second call draws another mask", again)
        gradient = torch.zeros_like(x)
        if y.requires_grad:
            (gradient,) = torch.autograd.grad(y.sum(), x)
        right = bool((gradient - y / x).abs().max() < 1e-9)
        yield Case("whether the gradient is the mask times the factor", right)
        dtype = call(answer, x.detach().float(), p).dtype
        yield Case("the data type of the output for float32", str(dtype))

    return run


def _mask_cases(x: Tensor, y: Tensor, p: float, channels: bool) -> Iterator[Case]:
    zero = y == 0
    if channels:
        flat = zero.reshape(*zero.shape[:2], -1)  # (N, C, positions)
        whole = bool((flat == flat[:, :, :1]).all())
        yield Case("whether channels are deleted or kept as a whole", whole)
    independent = True
    for axis in range(2 if channels else x.dim()):
        differs = bool((zero != zero.narrow(axis, 0, 1)).any())
        yield Case(f"whether the mask differs along axis {axis}", differs)
        independent = independent and differs
    if not independent and 0 < p < 1:
        return  # a share of so few draws would be a matter of luck
    off = abs(zero.double().mean().item() - p)
    units = x.shape[0] * x.shape[1]
    right = off <= CHANCE * (p * (1 - p) / units) ** 0.5 + 1e-9
    yield Case("whether the share of zeros is p, up to chance", right)
    factors = (y / x.detach())[~zero & y.isfinite()]
    factor = factors.median().item() if len(factors) else 0.0
    yield Case("the factor on what is kept", factor)
    same = bool(((factors - factor).abs() < 1e-6).all())
    yield Case("whether all that is kept has the same factor", same)


def _shaped(x: Tensor, *axes: int) -> list[int]:
    """The shape of a mask that differs along these axes of x only."""
    return [n if i in axes else 1 for i, n in enumerate(x.shape)]


def _with_mask(axes: Callable[[Tensor], tuple[int, ...]], wrong: str = "") -> Any:
    """A dropout whose mask differs along some axes, with one thing wrong."""

    def answer(x: Tensor, p: float, training: bool = True) -> Tensor:
        if not training and wrong != "eval deletes":
            if wrong == "paper":
                return x * (1 - p)
            return x / (1 - p) if wrong == "eval scales" and p < 1 else x
        if wrong == "one mask":
            torch.manual_seed(0)
        draw = torch.rand(_shaped(x, *axes(x)), dtype=x.dtype)
        keep = (draw < p if wrong.startswith("keeps p") else draw >= p).to(x.dtype)
        if wrong in ("no factor", "paper"):
            return x * keep
        if wrong == "times":
            return x * keep * (1 - p)
        if wrong in ("by p", "keeps p, by p"):
            return x * keep / p
        if p == 1 and wrong != "nan":
            return x * keep
        y = x * keep / (1 - p)
        if wrong == "in place":
            x *= 0
        return y.detach() if wrong == "detached" else y

    return answer


def _everywhere(x: Tensor) -> tuple[int, ...]:
    return tuple(range(x.dim()))


def _within_samples(x: Tensor) -> tuple[int, ...]:
    return tuple(range(1, x.dim()))


def _channels(x: Tensor) -> tuple[int, ...]:
    return (0, 1)


def _mistakes(axes: Callable[[Tensor], tuple[int, ...]]) -> tuple[Mistake, ...]:
    """What can go wrong with any dropout."""
    hints = {
        "no factor": "You delete, but do not rescale: divide what is kept by 1 - p.",
        "by p": "You divide by p; what is kept has probability 1 - p: divide by that.",
        "times": "You multiply by 1 - p; to keep the mean, divide by it.",
        "paper": "You multiply by 1 - p in eval mode, as the paper of 2014 does. "
        "Torch divides by 1 - p in training, and eval mode returns x.",
        "eval scales": "You rescale in eval mode too, where nothing has been deleted: "
        "return x as it is if training is False.",
        "eval deletes": "You delete in eval mode too: return x if training is False.",
        "keeps p": "You keep with probability p; p is the probability to be deleted.",
        "keeps p, by p": "You take p for the probability to be kept, as the paper of "
        "2014 does; in torch it is the probability to be deleted.",
        "nan": "At p = 1 you compute 0 / 0: return zeros there.",
        "one mask": "Each call uses the same mask: draw a new one, and leave the seed "
        "alone.",
        "in place": "You change the caller's x: compute a new tensor.",
        "detached": "The output is right, the gradient is not: do not detach.",
    }
    return tuple(Mistake(_with_mask(axes, wrong), hints[wrong]) for wrong in hints)


def _dropout(x: Tensor, p: float, training: bool = True) -> Tensor:
    return F.dropout(x, p, training)


def _drop_channels(x: Tensor, p: float, training: bool = True) -> Tensor:
    ones = torch.ones(_shaped(x, 0, 1), dtype=x.dtype)
    return x * F.dropout(ones, p, training)


INVERTED = Exercise(
    name="dropout/inverted",
    reference=_dropout,
    run=_random_run(channels=False),
    configurations=len(RATES),
    forbid=("dropout",),
    mistakes=(
        *_mistakes(_everywhere),
        Mistake(
            _with_mask(_within_samples),
            "All samples share one mask: draw a random number for each element, "
            "torch.rand(x.shape).",
        ),
        Mistake(
            _with_mask(lambda x: (0,)),
            "You delete whole samples: draw a random number for each element, not for "
            "each sample.",
        ),
        Mistake(
            _with_mask(lambda x: (x.dim() - 1,)),
            "You draw a mask for the last axis alone, and it repeats along all others: "
            "use torch.rand(x.shape).",
        ),
    ),
)

CHANNELS = Exercise(
    name="dropout/channels",
    reference=_drop_channels,
    run=_random_run(channels=True),
    configurations=len(RATES),
    forbid=("dropout",),
    mistakes=(
        *_mistakes(_channels),
        Mistake(
            _with_mask(_everywhere),
            "You delete elements: draw one number for each channel of each sample.",
        ),
        Mistake(
            _with_mask(lambda x: (1,)),
            "All samples lose the same channels: draw a number for each channel of "
            "each sample, N * C in all.",
        ),
        Mistake(
            _with_mask(lambda x: (0,)),
            "You delete whole samples: each channel has a draw of its own.",
        ),
        Mistake(
            _with_mask(lambda x: (0, *range(2, x.dim()))),
            "You delete positions, in all channels at once: the mask must differ along "
            "axes 0 and 1 and repeat along the rest.",
        ),
    ),
)

VARIANCE = Exercise(
    name="dropout/variance",
    reference=[2.0, 16 / 3, 3.0],
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            [2.0, 4.0, 3.0],
            "Your variance grows by 1 / (1 - p), which is right for mean 0. A mean "
            "other than 0 is torn apart as well, into 0 and mean / (1 - p).",
        ),
        Mistake(
            [2.0, 3.0, 3.0],
            "You keep the variance in training; only the mean is kept.",
        ),
        Mistake(
            [1.5, 3.0, 3.0],
            "That is deletion without the factor: torch divides by 1 - p in training.",
        ),
        Mistake(
            [2.0, 28 / 3, 3.0],
            "That is the mean of the squares: subtract the square of the mean.",
        ),
        Mistake(
            [2.0, 24.0, 3.0],
            "You have p and 1 - p the wrong way round: p = 0.25 is the probability to "
            "be deleted.",
        ),
        Mistake(
            [2.0, 16 / 3, 16 / 3],
            "The first two are right. In eval mode nothing is deleted.",
        ),
        Mistake(
            [2.0, 16 / 3, 4.0],
            "The first two are right. In eval mode there is no factor either.",
        ),
    ),
)

EXERCISES = (INVERTED, CHANNELS, VARIANCE)
