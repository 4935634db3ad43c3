"""The exercise batch_norm/by_hand: the formula, for any number of trailing axes."""

from typing import Any

from torch import Generator, Tensor, ones, zeros
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    Mistake,
    distinct,
    function_run,
    signed,
    varied,
)

FORBIDDEN = ("batch_norm", "instance_norm", "group_norm", "layer_norm")
EPS = (1e-5, 1e-3, 0.1)


def _arguments(generator: Generator) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
    index = generator.initial_seed()
    trailing = (2, 2, 3, 2, 1, 2, 0)[index % 7]
    n, c, *rest = distinct(generator, 2 + trailing)
    if index in (3, 8):
        n = 2
    elif index == 9:
        n = 40
    x = varied(generator, n, c, *rest).requires_grad_()
    weight = ones(c, dtype=x.dtype) if index == 0 else signed(generator, c)
    bias = zeros(c, dtype=x.dtype) if index == 0 else signed(generator, c)
    args = (x, weight.requires_grad_(), bias.requires_grad_())
    return args, {"eps": EPS[index % 2 + 1]} if index % 3 else {}


def _reference(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    return F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)


def _by_hand(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    eps: float = 1e-5,
    *,
    over: str = "batch",
    correction: int = 0,
    wrong: str = "",
) -> Tensor:
    """Normalization from its formula, with one thing wrong."""
    trailing = tuple(range(2, x.dim()))
    axes = {
        "batch": (0, *trailing),
        "sample": (1, *trailing),
        "channel": trailing or (0,),
        "first": (0,),
    }[over]
    mean = x.mean(axes, keepdim=True)
    var = x.var(axes, keepdim=True, correction=correction)
    if wrong == "detached":
        mean, var = mean.detach(), var.detach()
    elif wrong == "cancels":
        var = x.square().mean(axes, keepdim=True) - mean.square()
    elif wrong == "eps 1e-5":
        eps = 1e-5
    root = (var + eps).sqrt()
    if wrong == "eps outside":
        root = var.sqrt() + eps
    elif wrong == "no eps":
        root = var.sqrt()
    elif wrong == "var":
        root = var + eps
    shape = (1, -1, *(1 for _ in trailing))
    if wrong == "last axis":
        shape = (-1,)
    if wrong == "mean kept":
        mean = mean * 0
    if wrong == "in place":
        x -= mean
        mean = mean * 0
    y = (x - mean) / root
    if wrong == "no affine":
        return y
    if wrong == "bias first":
        return (y + bias.view(shape)) * weight.view(shape)
    if wrong == "scale":
        return y * weight.view(shape)
    y = y * weight.view(shape) + bias.view(shape)
    return y.float() if wrong == "float32" else y


def _wrong(**options: Any) -> Any:
    def answer(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
        return _by_hand(x, weight, bias, eps, **options)

    return answer


def _four_axes(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    mean = x.mean((0, 2, 3), keepdim=True)
    var = x.var((0, 2, 3), keepdim=True, correction=0)
    y = (x - mean) / (var + eps).sqrt()
    return y * weight.view(1, -1, 1, 1) + bias.view(1, -1, 1, 1)


BY_HAND = Exercise(
    name="batch_norm/by_hand",
    reference=_reference,
    run=function_run(_arguments),
    forbid=FORBIDDEN,
    mistakes=(
        Mistake(
            _wrong(correction=1),
            "Your variance divides by n - 1; BatchNorm normalizes with the biased "
            "variance, 1/n: use var(..., correction=0).",
        ),
        Mistake(
            _wrong(wrong="eps outside"),
            "You add eps to the standard deviation; it belongs under the root, added "
            "to the variance: (x - mean) / (var + eps).sqrt().",
        ),
        Mistake(
            _wrong(wrong="no eps"),
            "You leave out eps: a channel with variance 0 then gives 0 / 0. Divide by "
            "(var + eps).sqrt().",
        ),
        Mistake(
            _wrong(wrong="eps 1e-5"),
            "Your eps is always 1e-5: use the argument eps.",
        ),
        Mistake(
            _wrong(wrong="var"),
            "You divide by the variance; divide by its root, the standard deviation.",
        ),
        Mistake(
            _wrong(wrong="mean kept"),
            "You scale x but do not subtract the mean of its channel.",
        ),
        Mistake(
            _wrong(over="sample"),
            "You average over all axes but the batch, one mean a sample: that is "
            "LayerNorm. BatchNorm has one mean a channel: over every axis but 1.",
        ),
        Mistake(
            _wrong(over="channel"),
            "You average over the trailing axes only, one mean for each sample and "
            "channel: that is InstanceNorm. BatchNorm averages over the batch as well.",
        ),
        Mistake(
            _wrong(over="first"),
            "You average over the batch axis only, one mean a pixel. BatchNorm also "
            "averages over all trailing axes: for (N, C, H, W) over 0, 2 and 3.",
        ),
        Mistake(
            _wrong(wrong="no affine"),
            "You return the normalized x: multiply by weight and add bias.",
        ),
        Mistake(
            _wrong(wrong="scale"),
            "You multiply by weight, but do not add bias.",
        ),
        Mistake(
            _wrong(wrong="bias first"),
            "You add bias before multiplying by weight: it is weight * y + bias.",
        ),
        Mistake(
            _wrong(wrong="last axis"),
            "Your weight runs along the last axis; it has one value a channel: "
            "weight.view(1, -1, 1, 1) for (N, C, H, W).",
        ),
        Mistake(
            _wrong(wrong="detached"),
            "Your output is right and your gradient is not: mean and variance depend "
            "on x, so they must not be detached or computed without gradient.",
        ),
        Mistake(
            _wrong(wrong="cancels"),
            "The mean of squares minus the square of the mean cancels: with values "
            "around 1e4, float32 has no digits left. Average (x - mean) ** 2.",
        ),
        Mistake(
            _wrong(wrong="in place"),
            "You change the caller's x: write x - mean, not x -= mean.",
        ),
        Mistake(
            _wrong(wrong="float32"),
            "You turn the result into float32: keep the dtype of x.",
        ),
        Mistake(
            _four_axes,
            "You assume four axes; the channels are axis 1 whatever follows: average "
            "over 0 and range(2, x.dim()).",
        ),
    ),
)
