"""Exercises of the page normalization/instance_norm."""

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

FORBIDDEN = ("layer_norm", "group_norm", "instance_norm", "batch_norm", "rms_norm")
EPS = (1e-5, 1e-3, 0.1)


def _arguments(generator: Generator) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
    index = generator.initial_seed()
    n, c, *rest = distinct(generator, 2 + (2, 1, 3, 2)[index % 4])
    if index == 5:
        n = 1
    x = varied(generator, n, c, *rest).requires_grad_()
    return (x,), {"eps": EPS[index % 2 + 1]} if index % 3 else {}


def _reference(x: Tensor, eps: float = 1e-5) -> Tensor:
    return F.instance_norm(x, eps=eps)


def _by_hand(x: Tensor, eps: float, over: str, wrong: str) -> Tensor:
    """Instance normalization from its formula, with one thing wrong."""
    axes: tuple[int, ...] = {
        "instance": tuple(range(2, x.dim())),
        "batch": (0, *range(2, x.dim())),
        "layer": tuple(range(1, x.dim())),
        "last": (-1,),
        "channels": (1,),
        "all": tuple(range(x.dim())),
        "2d": (2, 3),
    }[over]
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
    if wrong == "in place":
        x -= mean
    return y


def _wrong(wrong: str = "", over: str = "instance") -> Any:
    def answer(x: Tensor, eps: float = 1e-5) -> Tensor:
        return _by_hand(x, eps, over, wrong)

    return answer


BY_HAND = Exercise(
    name="instance_norm/by_hand",
    reference=_reference,
    run=function_run(_arguments),
    forbid=FORBIDDEN,
    mistakes=(
        Mistake(
            _wrong("unbiased"),
            "Your variance divides by n - 1; InstanceNorm normalizes with the biased "
            "variance, 1/n: use var(..., correction=0).",
        ),
        Mistake(
            _wrong(over="batch"),
            "You average over the batch too: that is BatchNorm. Each sample keeps its "
            "own mean: average over the axes after 1 only.",
        ),
        Mistake(
            _wrong(over="layer"),
            "You average over the channels too: that is LayerNorm over all but the "
            "batch. Each channel keeps its own mean: the axes after 1 only.",
        ),
        Mistake(
            _wrong(over="last"),
            "You average over the last axis alone, one mean for each row: average over "
            "all axes after the channels, range(2, x.dim()).",
        ),
        Mistake(
            _wrong(over="2d"),
            "You assume four axes; average over all axes after the channels, however "
            "many there are: range(2, x.dim()).",
        ),
        Mistake(
            _wrong(over="channels"),
            "You average over the channels and keep the pixels apart; it is the other "
            "way round: the axes after 1.",
        ),
        Mistake(
            _wrong(over="all"),
            "You take one mean of the whole block; InstanceNorm takes one for each "
            "channel of each sample.",
        ),
        Mistake(
            _wrong("eps outside"),
            "You add eps to the standard deviation; it belongs under the root, added "
            "to the variance.",
        ),
        Mistake(
            _wrong("no eps"),
            "You leave out eps: a constant channel then gives 0 / 0. Divide by "
            "torch.sqrt(var + eps).",
        ),
        Mistake(
            _wrong("eps 1e-5"),
            "Your eps is always 1e-5: use the argument eps.",
        ),
        Mistake(
            _wrong("var"),
            "You divide by the variance; divide by its square root.",
        ),
        Mistake(
            _wrong("mean kept"),
            "You scale x but do not subtract the mean of its channel.",
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


def _pair(generator: Generator) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
    index = generator.initial_seed()
    n, c, h, w = distinct(generator, 4)
    height, width = (h, w) if index == 0 else (h + 1, w + 2)
    content = varied(generator, n, c, h, w).requires_grad_()
    style = varied(generator, n, c, height, width) * 2 + 1
    args = (content, style.detach().requires_grad_())
    return args, {"eps": EPS[index % 2 + 1]} if index % 3 else {}


def _adain(content: Tensor, style: Tensor, eps: float = 1e-5) -> Tensor:
    var, mean = torch.var_mean(style, (2, 3), correction=0, keepdim=True)
    return F.instance_norm(content, eps=eps) * (var + eps).sqrt() + mean


def _exchange(content: Tensor, style: Tensor, eps: float, wrong: str) -> Tensor:
    """AdaIN from its formula, with one thing wrong."""
    if wrong == "swapped":
        content, style = style, content
    axes = {"batch": (0, 2, 3), "all channels": (1, 2, 3)}.get(wrong, (2, 3))
    correction = int(wrong == "unbiased")

    def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
        var = x.var(axes, correction=correction, keepdim=True)
        added = {"no eps": 0.0, "eps 1e-5": 1e-5}.get(wrong, eps)
        return x.mean(axes, keepdim=True), (var + added).sqrt()

    mean, std = statistics(content)
    new_mean, new_std = statistics(style)
    if wrong == "detached":
        new_mean, new_std = new_mean.detach(), new_std.detach()
    elif wrong == "mean only":
        return content - mean + new_mean
    elif wrong == "content eps only":
        new_std = style.std(axes, correction=0, keepdim=True)
    y = (content - mean) / std
    if wrong == "no mean":
        return y * new_std
    if wrong == "own mean":
        return y * new_std + mean
    if wrong == "variance":
        return y * new_std.square() + new_mean
    if wrong == "not normalized":
        return content * new_std + new_mean
    if wrong == "normalized":
        return y
    return y * new_std + new_mean


def _wrong_adain(wrong: str) -> Any:
    def answer(content: Tensor, style: Tensor, eps: float = 1e-5) -> Tensor:
        return _exchange(content, style, eps, wrong)

    return answer


ADAIN = Exercise(
    name="instance_norm/adain",
    reference=_adain,
    run=function_run(_pair, names=("content", "style")),
    forbid=FORBIDDEN,
    mistakes=(
        Mistake(
            _wrong_adain("swapped"),
            "You give the style the statistics of the content; it is the content that "
            "changes its statistics.",
        ),
        Mistake(
            _wrong_adain("unbiased"),
            "Your variances divide by n - 1: use var(..., correction=0) for both.",
        ),
        Mistake(
            _wrong_adain("no eps"),
            "You leave out eps: a constant channel of the content then gives 0 / 0. "
            "Add it to both variances.",
        ),
        Mistake(
            _wrong_adain("content eps only"),
            "You add eps to the content's variance only; the task asks for "
            "sqrt(var + eps) for both.",
        ),
        Mistake(
            _wrong_adain("eps 1e-5"),
            "Your eps is always 1e-5: use the argument eps.",
        ),
        Mistake(
            _wrong_adain("no mean"),
            "You scale to the style's deviation; add the style's mean as well.",
        ),
        Mistake(
            _wrong_adain("own mean"),
            "You put the content's own mean back: add the style's.",
        ),
        Mistake(
            _wrong_adain("mean only"),
            "You exchange the means only; the standard deviations are exchanged too.",
        ),
        Mistake(
            _wrong_adain("variance"),
            "You multiply by the style's variance: multiply by its square root.",
        ),
        Mistake(
            _wrong_adain("not normalized"),
            "You put the style's statistics in without taking the content's own away "
            "first: subtract its mean and divide by its deviation.",
        ),
        Mistake(
            _wrong_adain("normalized"),
            "You return the normalized content: multiply by the style's deviation and "
            "add the style's mean.",
        ),
        Mistake(
            _wrong_adain("batch"),
            "You average over the batch as well: each pair of content and style has "
            "its own statistics, over axes 2 and 3.",
        ),
        Mistake(
            _wrong_adain("all channels"),
            "You average over the channels as well: each channel has its own "
            "statistics, over axes 2 and 3.",
        ),
        Mistake(
            _wrong_adain("detached"),
            "The output is right; no gradient reaches the style. Its statistics must "
            "not be detached.",
        ),
    ),
)

BLIND = Exercise(
    name="instance_norm/blind",
    reference=[True, True, False, False, True, True, False],
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            [True, True, True, False, True, True, False],
            "Number 3: the standard deviation is positive, so the negative of x comes "
            "out as the negative of y.",
        ),
        Mistake(
            [True, True, False, True, True, True, False],
            "Number 4: every channel is normalized by itself, but stays in its place; "
            "exchange the channels of x, and those of y are exchanged.",
        ),
        Mistake(
            [True, True, False, False, False, True, False],
            "Number 5: each channel has its own mean and variance, so a gain for each "
            "channel is divided out again.",
        ),
        Mistake(
            [True, True, False, False, True, False, False],
            "Number 6: each image has its own mean, so its own brightness is "
            "subtracted again.",
        ),
        Mistake(
            [True, True, False, False, True, True, True],
            "Number 7: the mean removes one number for the whole image; a ramp adds "
            "another number to each column.",
        ),
        Mistake(
            [False, False, True, True, False, False, True],
            "You answer where the output changes; the question is where it stays.",
        ),
        Mistake(
            [True, True, False, False, False, False, False],
            "Numbers 5 and 6: there is one mean and one variance for each channel of "
            "each image, so what is constant on it is removed.",
        ),
    ),
)

EXERCISES = (BY_HAND, ADAIN, BLIND)
