"""Exercises of the page normalization/layer_norm."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from layers_book.checking import (
    Case,
    Exercise,
    Mistake,
    Refused,
    Unanswered,
    distinct,
    function_run,
    module_run,
    signed,
    varied,
)

FORBIDDEN = ("layer_norm", "group_norm", "instance_norm", "batch_norm", "rms_norm")
EPS = (1e-5, 1e-3, 0.1)


def _arguments(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """One to three normalized axes after one or two others."""
    index = generator.initial_seed()
    last = (1, 2, 2, 3, 1, 2)[index % 6]
    leading = 1 + index % 2
    sizes = distinct(generator, leading + last)
    x = varied(generator, *sizes, axis=0).requires_grad_()
    shape = tuple(sizes[leading:])
    weight = signed(generator, *shape) if index else torch.ones(shape).to(x)
    bias = signed(generator, *shape) if index else torch.zeros(shape).to(x)
    args = (x, shape, weight.requires_grad_(), bias.requires_grad_())
    return args, {"eps": EPS[index % 2 + 1]} if index % 3 else {}


def _by_hand(
    x: Tensor,
    shape: tuple[int, ...],
    weight: Tensor,
    bias: Tensor,
    eps: float,
    wrong: str = "",
) -> Tensor:
    """Layer normalization from its formula, with one thing wrong."""
    axes = tuple(range(-len(shape), 0))
    if wrong == "last axis":
        axes = (-1,)
    elif wrong == "leading axes":
        axes = tuple(range(x.dim() - len(shape)))
    elif wrong == "all but batch":
        axes = tuple(range(1, x.dim()))
    mean = x.mean(axes, keepdim=True)
    var = x.var(axes, keepdim=True, correction=int(wrong == "unbiased"))
    if wrong == "detached":
        mean, var = mean.detach(), var.detach()
    elif wrong == "mean kept":
        mean = mean * 0
    elif wrong == "eps 1e-5":
        eps = 1e-5
    root = (var + eps).sqrt()
    if wrong == "eps outside":
        root = var.sqrt() + eps
    elif wrong == "no eps":
        root = var.sqrt()
    elif wrong == "var":
        root = var + eps
    y = (x - mean) / root
    if wrong == "no affine":
        return y
    if wrong == "bias first":
        return (y + bias) * weight
    if wrong == "no bias":
        return y * weight
    if wrong == "in place":
        x -= mean
    return y * weight + bias


def _wrong(wrong: str) -> Any:
    def answer(
        x: Tensor,
        normalized_shape: tuple[int, ...],
        weight: Tensor,
        bias: Tensor,
        eps: float = 1e-5,
    ) -> Tensor:
        return _by_hand(x, normalized_shape, weight, bias, eps, wrong)

    return answer


BY_HAND = Exercise(
    name="layer_norm/by_hand",
    reference=F.layer_norm,
    run=function_run(_arguments, names=("x", "normalized_shape", "weight", "bias")),
    forbid=FORBIDDEN,
    mistakes=(
        Mistake(
            _wrong("unbiased"),
            "Your variance divides by n - 1; LayerNorm normalizes with the biased "
            "variance, 1/n: use var(..., correction=0).",
        ),
        Mistake(
            _wrong("last axis"),
            "You average over the last axis alone; average over the last "
            "len(normalized_shape) axes.",
        ),
        Mistake(
            _wrong("leading axes"),
            "You average over the axes before normalized_shape; it names the last "
            "axes, and those are the ones to average over.",
        ),
        Mistake(
            _wrong("all but batch"),
            "You average over all axes but the first; only the last "
            "len(normalized_shape) axes share a mean, so that tokens stay apart.",
        ),
        Mistake(
            _wrong("eps outside"),
            "You add eps to the standard deviation; it belongs under the root, added "
            "to the variance.",
        ),
        Mistake(
            _wrong("no eps"),
            "You leave out eps: a constant token then gives 0 / 0. Divide by "
            "torch.sqrt(var + eps).",
        ),
        Mistake(_wrong("eps 1e-5"), "Your eps is always 1e-5: use the argument eps."),
        Mistake(
            _wrong("var"),
            "You divide by the variance; divide by its square root.",
        ),
        Mistake(
            _wrong("mean kept"),
            "You scale x but do not subtract the mean: that is closer to RMSNorm.",
        ),
        Mistake(
            _wrong("no affine"),
            "You return the normalized x: multiply by weight and add bias.",
        ),
        Mistake(_wrong("no bias"), "You multiply by weight but do not add bias."),
        Mistake(
            _wrong("bias first"),
            "You add bias before multiplying by weight: it is weight * x_hat + bias.",
        ),
        Mistake(
            _wrong("detached"),
            "The output is right, the gradient is not: it must also flow through mean "
            "and variance, so do not detach them.",
        ),
        Mistake(
            _wrong("in place"),
            "You change the caller's x: write x - mean, not x -= mean.",
        ),
    ),
)


def _batches(generator: Generator) -> tuple[dict[str, Any], list[Tensor], Tensor]:
    index = generator.initial_seed()
    sizes = distinct(generator, 2 + index % 3)
    batches = [varied(generator, *sizes, axis=0) for _ in range(3)]
    batches[0][(0,) * (len(sizes) - 1)] = 0.0  # a padded token
    kwargs: dict[str, Any] = {"dim": sizes[-1]}
    if index % 3 == 2:
        kwargs["eps"] = EPS[index % 2 + 1]
    return kwargs, batches[:2], batches[2]


class _Reference(nn.RMSNorm):
    def __init__(self, dim: int, eps: float | None = None) -> None:
        super().__init__(dim, eps)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.to(x.dtype)  # torch warns where the two differ
        return F.rms_norm(x, self.normalized_shape, weight, self.eps)


class _Written(nn.Module):
    """RMSNorm from its formula; the mistakes change one thing each."""

    wrong = ""

    def __init__(self, dim: int, eps: float | None = None) -> None:
        super().__init__()
        self.eps = eps
        self.weight: Any = nn.Parameter(torch.ones(dim))
        if self.wrong == "zeros":
            nn.init.zeros_(self.weight)
        elif self.wrong == "bias":
            self.bias = nn.Parameter(torch.zeros(dim))
        elif self.wrong in ("buffer", "no weight"):
            del self.weight
        if self.wrong == "buffer":
            self.register_buffer("weight", torch.ones(dim))
        elif self.wrong == "one number":
            self.weight = nn.Parameter(torch.ones(1))

    def _eps(self, x: Tensor) -> float:
        if self.wrong == "1e-5" and self.eps is None:
            return 1e-5
        if self.wrong == "float32" and self.eps is None:
            return torch.finfo(torch.float32).eps
        if self.eps is None or self.wrong == "eps unused":
            return torch.finfo(x.dtype).eps
        return self.eps

    def forward(self, x: Tensor) -> Tensor:
        eps, square = self._eps(x), x.square().mean(-1, keepdim=True)
        if self.wrong == "centered":
            x = x - x.mean(-1, keepdim=True)
            square = x.square().mean(-1, keepdim=True)
        elif self.wrong == "sum":
            square = x.square().sum(-1, keepdim=True)
        elif self.wrong == "variance":
            square = x.var(-1, keepdim=True, correction=0)
        elif self.wrong == "all axes":
            square = x.square().mean()
        elif self.wrong == "first axis":
            square = x.square().mean(0, keepdim=True)
        root = (square + eps).sqrt()
        if self.wrong == "eps outside":
            root = square.sqrt() + eps
        elif self.wrong == "no eps":
            root = square.sqrt()
        elif self.wrong == "no root":
            root = square + eps
        elif self.wrong == "detached":
            root = root.detach()
        y: Tensor = x / root
        if self.wrong != "no weight":
            y = y * self.weight
        return y + self.bias if self.wrong == "bias" else y


def _module(wrong: str) -> Any:
    return type("RMSNorm", (_Written,), {"wrong": wrong})


RMS_NORM = Exercise(
    name="layer_norm/rms_norm",
    reference=_Reference,
    run=module_run(_batches),
    forbid=FORBIDDEN,
    mistakes=(
        Mistake(
            _module("centered"),
            "You subtract the mean: that is LayerNorm. RMSNorm only divides, by the "
            "root of the mean of the squares.",
        ),
        Mistake(
            _module("variance"),
            "You divide by the standard deviation; RMSNorm divides by the root of the "
            "mean of the squares, with no mean subtracted anywhere.",
        ),
        Mistake(
            _module("sum"),
            "You divide by the length of the vector, the root of the sum of squares; "
            "RMSNorm takes the mean of the squares.",
        ),
        Mistake(
            _module("all axes"),
            "Your mean runs over all axes, so tokens depend on one another: use "
            "mean(-1, keepdim=True).",
        ),
        Mistake(
            _module("first axis"),
            "Your mean runs over the batch; it belongs to the last axis: use "
            "mean(-1, keepdim=True).",
        ),
        Mistake(
            _module("eps outside"),
            "You add eps to the root; it belongs under the root, added to the mean of "
            "the squares.",
        ),
        Mistake(
            _module("no eps"),
            "You leave out eps: a token of zeros then gives 0 / 0.",
        ),
        Mistake(
            _module("eps unused"),
            "You use the precision of the data type even where the caller gives eps.",
        ),
        Mistake(
            _module("1e-5"),
            "1e-5 is LayerNorm's default; with eps=None RMSNorm uses the precision of "
            "the input's data type, torch.finfo(x.dtype).eps.",
        ),
        Mistake(
            _module("float32"),
            "Your eps is the precision of float32 whatever the input: use "
            "torch.finfo(x.dtype).eps in forward.",
        ),
        Mistake(
            _module("no root"),
            "You divide by the mean of the squares; divide by its square root.",
        ),
        Mistake(
            _module("bias"),
            "RMSNorm has no bias: its only parameter is weight.",
        ),
        Mistake(
            _module("no weight"),
            "The learned weight is missing: "
            "self.weight = nn.Parameter(torch.ones(dim)).",
        ),
        Mistake(
            _module("buffer"),
            "Your weight is stored but not learned: wrap it in nn.Parameter.",
        ),
        Mistake(
            _module("one number"),
            "Your weight is a single number; it has one value for each feature.",
        ),
        Mistake(
            _module("zeros"),
            "Your weight starts at 0, so the layer answers 0 to everything: start at "
            "1, torch.ones(dim).",
        ),
        Mistake(
            _module("detached"),
            "The output is right, the gradient is not: it must also flow through the "
            "root mean square, so do not detach it.",
        ),
    ),
)


def _twins(answer: Any, generator: Generator) -> Iterator[Case]:
    if answer is ...:
        raise Unanswered("put your tensor in place of the dots.")
    try:
        x = torch.as_tensor(answer).detach().double().cpu()
    except (TypeError, ValueError, RuntimeError):
        raise Refused("Give a tensor of numbers of shape (2, 4).") from None
    if x.shape != (2, 4):
        raise Refused(f"Your tensor has shape {tuple(x.shape)}; it must be (2, 4).")
    yield Case("whether all numbers are finite", bool(x.isfinite().all()))
    yield Case("whether the two rows differ", bool((x[0] - x[1]).abs().max() > 1e-6))
    one, two = F.layer_norm(x, (4,))
    equal = bool((one - two).abs().max() < 1e-3)
    yield Case("whether LayerNorm makes the two rows equal", equal)
    zero = bool(one.abs().max() < 1e-3)
    yield Case("whether LayerNorm's output is all zeros", zero)
    one, two = F.rms_norm(x, (4,), torch.ones(4).double())
    apart = bool((one - two).abs().max() >= 0.1)
    yield Case("whether RMSNorm keeps the rows apart by 0.1", apart)


def _rows(first: list[float], second: list[float]) -> Tensor:
    return torch.tensor([first, second])


TWINS = Exercise(
    name="layer_norm/twins",
    reference=_rows([1.0, 2.0, 3.0, 4.0], [11.0, 12.0, 13.0, 14.0]),
    run=_twins,
    configurations=1,
    mistakes=(
        Mistake(
            _rows([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]),
            "Your two rows are the same: start from them and change the second by "
            "something that LayerNorm takes away.",
        ),
        Mistake(
            _rows([1.0, 2.0, 3.0, 4.0], [2.0, 4.0, 6.0, 8.0]),
            "RMSNorm sends your rows to nearly the same place too, as it does with "
            "multiples. Find a change that the mean absorbs, and make it large.",
        ),
        Mistake(
            _rows([1.0, 1.0, 1.0, 1.0], [-5.0, -5.0, -5.0, -5.0]),
            "LayerNorm turns constant rows into zeros: let the features of a row "
            "differ.",
        ),
        Mistake(
            _rows([1.0, 1.0, 1.0, 1.0], [5.0, 5.0, 5.0, 5.0]),
            "LayerNorm turns constant rows into zeros, and RMSNorm turns these into "
            "ones: let the features of a row differ.",
        ),
        Mistake(
            _rows([1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]),
            "LayerNorm still tells your rows apart: they differ in more than level "
            "and spread. Add the same number to each feature of the first row.",
        ),
    ),
)

EXERCISES = (BY_HAND, RMS_NORM, TWINS)
