"""Exercises of the page normalization/choosing."""

from typing import Any

import torch
from torch import Tensor

from layers_book.checking import (
    Exercise,
    Mistake,
    distinct,
    function_run,
    signed,
    value_run,
)

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def _correlation(a: Tensor, b: Tensor, dim: int = 0) -> Tensor:
    """Pearson's, along ``dim``."""
    a, b = a - a.mean(dim, keepdim=True), b - b.mean(dim, keepdim=True)
    return (a * b).sum(dim) / (a.square().sum(dim) * b.square().sum(dim)).sqrt()


def _ranks(x: Tensor) -> Tensor:
    """Ranks from 0 down each column of ``(N, C)``; equal values share their mean."""
    smaller, equal = (x[:, None] > x).sum(1), (x[:, None] == x).sum(1)
    return (smaller + (equal - 1) / 2).to(x.dtype)


def _ordered(x: Tensor) -> Tensor:
    return x.argsort(dim=0, stable=True).argsort(dim=0).to(x.dtype)


def spearman(x: Tensor, y: Tensor) -> Tensor:
    """Reference: rank correlation of each feature of two tables ``(N, C)``."""
    return _correlation(_ranks(x), _ranks(y))


def _pearson(x: Tensor, y: Tensor) -> Tensor:
    return _correlation(x, y)


def _ties_in_order(x: Tensor, y: Tensor) -> Tensor:
    return _correlation(_ordered(x), _ordered(y))


def _lowest_rank(x: Tensor, y: Tensor) -> Tensor:
    def lowest(t: Tensor) -> Tensor:
        return (t[:, None] > t).sum(1).to(t.dtype)

    return _correlation(lowest(x), lowest(y))


def _half_of_all(x: Tensor, y: Tensor) -> Tensor:
    def highest(t: Tensor) -> Tensor:
        return (t[:, None] >= t).sum(1).to(t.dtype)

    return _correlation(highest(x), highest(y))


def _sorting_order(x: Tensor, y: Tensor) -> Tensor:
    a, b = x.argsort(dim=0, stable=True), y.argsort(dim=0, stable=True)
    return _correlation(a.to(x.dtype), b.to(x.dtype))


def _along_rows(x: Tensor, y: Tensor) -> Tensor:
    return _correlation(_ranks(x.T).T, _ranks(y.T).T, dim=1)


def _not_centered(x: Tensor, y: Tensor) -> Tensor:
    a, b = _ranks(x), _ranks(y)
    return (a * b).sum(0) / (a.square().sum(0) * b.square().sum(0)).sqrt()


def _squares_of_differences(x: Tensor, y: Tensor) -> Tensor:
    n = len(x)
    return 1 - 6 * (_ranks(x) - _ranks(y)).square().sum(0) / (n * (n**2 - 1))


def _one_number(x: Tensor, y: Tensor) -> Tensor:
    return spearman(x, y).mean()


def _covariance(x: Tensor, y: Tensor) -> Tensor:
    a, b = _ranks(x), _ranks(y)
    return ((a - a.mean(0)) * (b - b.mean(0))).mean(0)


def _tables(generator: torch.Generator) -> Arguments:
    """Two tables, without ties in some configurations; no constant column or row."""
    case = generator.initial_seed()
    n, c = distinct(generator, 2, low=4)
    if case == 0:  # no ties: every way to break them agrees
        tables = [torch.randn(n, c, generator=generator) for _ in range(2)]
    else:
        levels = 3 + case % 4
        tables = [
            torch.randint(0, levels, (n, c), generator=generator) for _ in range(2)
        ]
    x, y = (t.double() for t in tables)
    for t in (x, y):
        t[0, :], t[1, :] = -5.0, 9.0
        t[:, 0] += 0.25 * torch.arange(n)
    x[:, 1] = x[:, 1].exp()  # values whose order and size differ
    return (x, y), {}


SPEARMAN = Exercise(
    name="choosing/spearman",
    reference=spearman,
    run=function_run(_tables, names=("x", "y")),
    mistakes=(
        Mistake(
            _pearson,
            "That is Pearson's correlation of the values: take it of their ranks.",
        ),
        Mistake(
            _ties_in_order,
            "Equal values get different ranks, in the order in which they stand: they "
            "must share the mean of these ranks.",
        ),
        Mistake(
            _lowest_rank,
            "Equal values share the lowest of their ranks; they must share the mean: "
            "add half the number of other equal values.",
        ),
        Mistake(
            _half_of_all,
            "Equal values share the highest of their ranks; they must share the mean.",
        ),
        Mistake(
            _sorting_order,
            "argsort gives the index of the smallest value, the second smallest, and "
            "so on, not the ranks: apply it twice (and mind the ties).",
        ),
        Mistake(
            _along_rows,
            "You rank along each row: rank each feature, a column, over the samples.",
        ),
        Mistake(
            _not_centered,
            "Center the ranks before you multiply them: correlation is the cosine of "
            "centered vectors.",
        ),
        Mistake(
            _squares_of_differences,
            "The formula 1 - 6 Σd² / (n (n² - 1)) holds without ties only: take "
            "Pearson's correlation of the ranks.",
        ),
        Mistake(
            _one_number,
            "You average over the features: return one correlation for each, (C,).",
        ),
        Mistake(
            _covariance,
            "That is the covariance of the ranks: divide by both standard deviations.",
        ),
    ),
)


def masked_batch_norm(x: Tensor, mask: Tensor, eps: float = 1e-5) -> Tensor:
    """Reference: ``(N, L, C)`` normalized over the real tokens, zero elsewhere."""
    return _masked(x, mask, *_moments(x[mask]), eps)


def _moments(tokens: Tensor, correction: int = 0) -> tuple[Tensor, Tensor]:
    return tokens.mean(0), tokens.var(0, correction=correction)


def _masked(x: Tensor, mask: Tensor, mean: Tensor, var: Tensor, eps: float) -> Tensor:
    return torch.where(mask[..., None], (x - mean) / (var + eps).sqrt(), 0.0)


def _unmasked(x: Tensor, mask: Tensor, eps: float = 1e-5) -> Tensor:
    mean, var = _moments(x.flatten(0, 1))
    return (x - mean) / (var + eps).sqrt()


def _masked_after(x: Tensor, mask: Tensor, eps: float = 1e-5) -> Tensor:
    return _masked(x, mask, *_moments(x.flatten(0, 1)), eps)


def _zeros_counted(x: Tensor, mask: Tensor, eps: float = 1e-5) -> Tensor:
    return _masked(x, mask, *_moments((x * mask[..., None]).flatten(0, 1)), eps)


def _zeros_in_variance(x: Tensor, mask: Tensor, eps: float = 1e-5) -> Tensor:
    mean = x[mask].mean(0)
    var = (x * mask[..., None] - mean).square().sum((0, 1)) / mask.sum()
    return _masked(x, mask, mean, var, eps)


def _padding_normalized(x: Tensor, mask: Tensor, eps: float = 1e-5) -> Tensor:
    mean, var = _moments(x[mask])
    return (x - mean) / (var + eps).sqrt()


def _padding_kept(x: Tensor, mask: Tensor, eps: float = 1e-5) -> Tensor:
    return torch.where(mask[..., None], masked_batch_norm(x, mask, eps), x)


def _unbiased(x: Tensor, mask: Tensor, eps: float = 1e-5) -> Tensor:
    return _masked(x, mask, *_moments(x[mask], correction=1), eps)


def _inverted(x: Tensor, mask: Tensor, eps: float = 1e-5) -> Tensor:
    return masked_batch_norm(x, ~mask, eps)


def _per_token(x: Tensor, mask: Tensor, eps: float = 1e-5) -> Tensor:
    mean = x.mean(-1, keepdim=True)
    var = x.var(-1, keepdim=True, correction=0)
    return _masked(x, mask, mean, var, eps)


def _per_sentence(x: Tensor, mask: Tensor, eps: float = 1e-5) -> Tensor:
    kept, count = mask[..., None].to(x.dtype), mask.sum(1).view(-1, 1, 1)
    mean = (x * kept).sum(1, keepdim=True) / count
    var = ((x - mean).square() * kept).sum(1, keepdim=True) / count
    return _masked(x, mask, mean, var, eps)


def _eps_outside(x: Tensor, mask: Tensor, eps: float = 1e-5) -> Tensor:
    mean, var = _moments(x[mask])
    return torch.where(mask[..., None], (x - mean) / (var.sqrt() + eps), 0.0)


def _fixed_eps(x: Tensor, mask: Tensor, eps: float = 1e-5) -> Tensor:
    return masked_batch_norm(x, mask)


def _detached(x: Tensor, mask: Tensor, eps: float = 1e-5) -> Tensor:
    return _masked(x, mask, *_moments(x[mask].detach()), eps)


def _in_place(x: Tensor, mask: Tensor, eps: float = 1e-5) -> Tensor:
    y = masked_batch_norm(x, mask, eps)
    x.data[~mask] = 0
    return y


def _sentences(generator: torch.Generator) -> Arguments:
    """Sentences of unequal length, with zeros or other numbers as padding."""
    case = generator.initial_seed()
    n, length, c = distinct(generator, 3, low=3)
    lengths = torch.randint(1, length + 1, (n,), generator=generator)
    lengths[0], lengths[1] = length, length - 1
    mask = torch.arange(length) < lengths[:, None]
    if case % 3 == 2:  # padding in front
        mask = mask.flip(1)
    x = torch.randn(n, length, c, generator=generator, dtype=torch.float64)
    x = x * (1 + torch.arange(c)) + signed(generator, c)
    if case % 2 == 0:
        x[~mask] = 0
    eps = {} if case % 3 == 0 else {"eps": 0.1}
    return (x.requires_grad_(), mask), eps


MASKED_BATCH_NORM = Exercise(
    name="choosing/masked_batch_norm",
    reference=masked_batch_norm,
    run=function_run(_sentences, names=("x", "mask")),
    mistakes=(
        Mistake(
            _unmasked,
            "You never use the mask: padding enters mean and variance, and does not "
            "come out as zero.",
        ),
        Mistake(
            _masked_after,
            "The padding is zero, but it entered mean and variance: take them over "
            "x[mask].",
        ),
        Mistake(
            _zeros_counted,
            "Multiplying x by the mask leaves the zeros in the count: mean and "
            "variance must divide by the number of real tokens, not by N * L.",
        ),
        Mistake(
            _zeros_in_variance,
            "In your variance each padding position still adds (0 - mean)²: mask the "
            "squared deviations, not x.",
        ),
        Mistake(
            _padding_normalized,
            "The real tokens are right; the padding must be 0 in the output.",
        ),
        Mistake(
            _padding_kept,
            "The real tokens are right; the padding keeps what stood in x: return 0.",
        ),
        Mistake(
            _unbiased,
            "Your variance divides by the number of real tokens minus 1: use "
            "correction=0.",
        ),
        Mistake(
            _inverted,
            "You have the mask the wrong way round: True marks a real token.",
        ),
        Mistake(
            _per_token,
            "You average over the features of each token, as LayerNorm does: average "
            "each feature over all real tokens.",
        ),
        Mistake(
            _per_sentence,
            "You take statistics for each sentence, as InstanceNorm does: take them "
            "over the real tokens of the whole batch.",
        ),
        Mistake(
            _eps_outside,
            "You add eps to the standard deviation; it belongs to the variance, "
            "inside the square root.",
        ),
        Mistake(
            _fixed_eps,
            "You use 1e-5 whatever the caller asks for: use the argument eps.",
        ),
        Mistake(
            _detached,
            "The output is right, but the gradient must also flow through mean and "
            "variance: do not detach them.",
        ),
        Mistake(
            _in_place,
            "Your function changes x itself: make a new tensor.",
        ),
    ),
)

NARROW_TABLES = Exercise(
    name="choosing/narrow_tables",
    reference=8,
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(4, "With 4 features the mean correlation is about 0.81."),
        Mistake(2, "With 2 features LayerNorm leaves -1 and 1, about 0.69."),
        Mistake(16, "16 features exceed 0.9, but so does a smaller C of the list."),
        Mistake(32, "32 features exceed 0.9, but so does a smaller C of the list."),
        Mistake(64, "64 features exceed 0.9, but so does a smaller C of the list."),
        Mistake(3, "C is one of 2, 4, 8, 16, 32, 64."),
    ),
)

EXERCISES = (SPEARMAN, MASKED_BATCH_NORM, NARROW_TABLES)
