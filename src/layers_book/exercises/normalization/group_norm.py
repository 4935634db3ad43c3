"""Exercises of the page normalization/group_norm."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from layers_book.checking import (
    CONFIGURATION,
    Case,
    Exercise,
    Mistake,
    Refused,
    call,
    distinct,
    function_run,
    signed,
    value_run,
    varied,
)

FORBIDDEN = ("layer_norm", "group_norm", "instance_norm", "batch_norm", "rms_norm")
EPS = (1e-5, 1e-3, 0.1)
GROUPS = ((3, 6), (2, 8), (1, 4), (5, 5), (2, 6), (4, 12))  # num_groups, num_channels


def _arguments(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    groups, c = GROUPS[index % 6]
    trailing = (2, 1, 3, 2, 0, 2, 2, 0)[index % 8]
    n, *rest = (size + 5 * (size == c) for size in distinct(generator, 1 + trailing))
    x = varied(generator, n, c, *rest, axis=0).requires_grad_()
    weight = signed(generator, c) if index else torch.ones(c).to(x)
    bias = signed(generator, c) if index else torch.zeros(c).to(x)
    args = (x, groups, weight.requires_grad_(), bias.requires_grad_())
    return args, {"eps": EPS[index % 2 + 1]} if index % 3 else {}


def _by_hand(
    x: Tensor, num_groups: int, weight: Tensor, bias: Tensor, eps: float, wrong: str
) -> Tensor:
    """Group normalization from its formula, with one thing wrong."""
    n, c = x.shape[:2]
    if wrong == "two spatial axes":
        n, c, _, _ = x.shape
    if wrong == "interleaved":
        groups = x.reshape(n, c // num_groups, num_groups, -1).transpose(1, 2)
        groups = groups.reshape(n, num_groups, -1)
    elif wrong == "group size":
        groups = x.reshape(n, c // num_groups, -1)
    elif wrong == "one group":
        groups = x.reshape(n, 1, -1)
    elif wrong == "each channel":
        groups = x.reshape(n, c, -1)
    else:
        groups = x.reshape(n, num_groups, -1)
    axes = {"batch": (0, 2), "samples": (0,)}.get(wrong, (2,))
    mean = groups.mean(axes, keepdim=True)
    var = groups.var(axes, keepdim=True, correction=int(wrong == "unbiased"))
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
    y = (groups - mean) / root
    if wrong == "interleaved":
        y = y.view(n, num_groups, c // num_groups, -1).transpose(1, 2)
    y = y.reshape(x.shape)
    shape = (c,) + (1,) * (x.dim() - 2)
    if wrong == "no affine":
        return y
    if wrong == "no bias":
        return y * weight.view(shape)
    if wrong == "bias first":
        return (y + bias.view(shape)) * weight.view(shape)
    if wrong == "first weights":
        weight, bias = (
            p[:num_groups].repeat_interleave(c // num_groups) for p in (weight, bias)
        )
    return y * weight.view(shape) + bias.view(shape)


def _wrong(wrong: str) -> Any:
    def answer(
        x: Tensor, num_groups: int, weight: Tensor, bias: Tensor, eps: float = 1e-5
    ) -> Tensor:
        return _by_hand(x, num_groups, weight, bias, eps, wrong)

    return answer


BY_HAND = Exercise(
    name="group_norm/by_hand",
    reference=F.group_norm,
    run=function_run(_arguments, names=("x", "num_groups", "weight", "bias")),
    forbid=FORBIDDEN,
    mistakes=(
        Mistake(
            _wrong("unbiased"),
            "Your variance divides by n - 1; GroupNorm normalizes with the biased "
            "variance, 1/n: use var(..., correction=0).",
        ),
        Mistake(
            _wrong("interleaved"),
            "Your groups take every num_groups-th channel; a group is a run of "
            "neighboring channels: reshape to (N, num_groups, -1).",
        ),
        Mistake(
            _wrong("group size"),
            "You read num_groups as the number of channels in a group: it is the "
            "number of groups.",
        ),
        Mistake(
            _wrong("one group"),
            "You take one mean for the whole sample, which is right for one group: "
            "there are num_groups means a sample.",
        ),
        Mistake(
            _wrong("each channel"),
            "You take one mean for each channel: that is InstanceNorm. The channels of "
            "a group share theirs.",
        ),
        Mistake(
            _wrong("batch"),
            "You average over the batch too; each sample keeps its own statistics.",
        ),
        Mistake(
            _wrong("samples"),
            "You average over the samples; average over the values of a group instead, "
            "each sample by itself.",
        ),
        Mistake(
            _wrong("two spatial axes"),
            "You assume four axes: take n and c from x.shape[:2], and let reshape "
            "find the rest with -1.",
        ),
        Mistake(
            _wrong("eps outside"),
            "You add eps to the standard deviation; it belongs under the root, added "
            "to the variance.",
        ),
        Mistake(
            _wrong("no eps"),
            "You leave out eps: a constant group then gives 0 / 0. Divide by "
            "torch.sqrt(var + eps).",
        ),
        Mistake(
            _wrong("eps 1e-5"),
            "Your eps is always 1e-5: use the argument eps.",
        ),
        Mistake(
            _wrong("mean kept"),
            "You scale x but do not subtract the mean of its group.",
        ),
        Mistake(
            _wrong("no affine"),
            "You return the normalized x: multiply by weight and add bias, one of each "
            "for every channel.",
        ),
        Mistake(
            _wrong("no bias"),
            "You multiply by weight but do not add bias.",
        ),
        Mistake(
            _wrong("bias first"),
            "You add bias before multiplying by weight: it is weight * x_hat + bias.",
        ),
        Mistake(
            _wrong("first weights"),
            "You use one weight and bias a group; they belong to the channels: undo "
            "the reshape before you apply them.",
        ),
        Mistake(
            _wrong("detached"),
            "The output is right, the gradient is not: it must also flow through mean "
            "and variance, so do not detach them.",
        ),
    ),
)

COUNT = Exercise(
    name="group_norm/count",
    reference=[1568, 392, 12544, 196, 2],
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            [1568, 3136, 12544, 196, 16],
            "GroupNorm does not average over the samples: leave out the factor N.",
        ),
        Mistake(
            [1568, 6272, 12544, 196, 32],
            "GroupNorm(32, 64) has 32 groups, so 64 / 32 = 2 channels in each, not 32.",
        ),
        Mistake(
            [196, 392, 12544, 196, 2],
            "BatchNorm2d averages over the batch as well: N * H * W values.",
        ),
        Mistake(
            [1568, 392, 100352, 196, 2],
            "GroupNorm(1, 64) takes all channels of one sample: C * H * W, without N.",
        ),
        Mistake(
            [1568, 392, 12544, 1568, 2],
            "InstanceNorm2d takes each image by itself: H * W, without N.",
        ),
        Mistake(
            [1568, 392, 12544, 196, 392],
            "The last input has no pixels: a group of 2 channels is 2 values.",
        ),
        Mistake(
            [64, 256, 8, 512, 256],
            "You count the means; the question is how many values stand behind each.",
        ),
    ),
)


def _swap(bn: nn.BatchNorm2d, at_most: int = 32, wrong: str = "") -> nn.GroupNorm:
    """GroupNorm in place of a BatchNorm2d, with one thing wrong."""
    c = bn.num_features
    divisors = [g for g in range(1, c + 1) if c % g == 0 and g <= at_most]
    groups = divisors[-1]
    if wrong == "greatest common divisor":
        groups = math.gcd(c, at_most)
    elif wrong == "at most not allowed":
        groups = max(g for g in divisors if g < at_most or at_most == 1)
    elif wrong == "no limit":
        groups = c
    elif wrong == "one group":
        groups = 1
    elif wrong == "smallest":
        groups = ([g for g in divisors if g > 1] or [1])[0]
    elif wrong == "at_most 32":
        groups = max(g for g in range(1, 33) if c % g == 0)
    elif wrong == "group size":
        groups = c // divisors[-1]
    eps = 1e-5 if wrong == "eps" else bn.eps
    gn = nn.GroupNorm(groups, c, eps=eps)
    with torch.no_grad():
        if wrong != "weight":
            gn.weight.copy_(bn.weight)
        if wrong not in ("weight", "bias"):
            gn.bias.copy_(bn.bias)
    if wrong == "tied":
        gn.weight, gn.bias = bn.weight, bn.bias
    return gn


def _swapped(wrong: str) -> Any:
    return lambda bn, at_most=32: _swap(bn, at_most, wrong)


def _swap_run(answer: Any, generator: Generator) -> Iterator[Case]:
    if not callable(answer) or isinstance(answer, type | nn.Module):
        raise Refused("A function is expected: write its name without calling it.")
    index = generator.initial_seed()
    channels = (64, 48, 6, 7, 20, 96)[index % 6]
    at_most = (32, 32, 4, 5, 8, 16, 32, 10)[index % 8]
    eps = EPS[index % 3]
    bn = nn.BatchNorm2d(channels, eps=eps)
    words = f"BatchNorm2d({channels}, eps={eps}), at_most={at_most}"
    yield Case(CONFIGURATION, words)
    with torch.no_grad():
        for parameter in bn.parameters():
            parameter.copy_(signed(generator, channels))
    weight = bn.weight.detach().clone()
    gn = call(answer, bn, at_most)
    if not isinstance(gn, nn.GroupNorm):
        raise Refused(f"Return an nn.GroupNorm; yours is of type {type(gn).__name__}.")
    yield Case("num_channels", gn.num_channels)
    yield Case("num_groups", gn.num_groups)
    x = torch.randn(2, channels, 3, 2, generator=generator) * 0.1
    yield Case("the output of the new layer", gn(x).detach())
    with torch.no_grad():
        gn.weight.add_(1)
    yield Case(
        "whether training the new layer leaves bn alone", bn.weight.equal(weight)
    )


SWAP = Exercise(
    name="group_norm/swap",
    reference=_swap,
    run=_swap_run,
    mistakes=(
        Mistake(
            _swapped("greatest common divisor"),
            "The greatest common divisor of C and at_most divides both; the groups "
            "need to divide C only: for 48 channels and at most 32 groups, 24.",
        ),
        Mistake(
            _swapped("at most not allowed"),
            "at_most itself is allowed: your range ends one too early.",
        ),
        Mistake(
            _swapped("no limit"),
            "As many groups as channels make an InstanceNorm: respect at_most.",
        ),
        Mistake(
            _swapped("one group"),
            "One group always divides, but the largest number up to at_most is wanted.",
        ),
        Mistake(
            _swapped("smallest"),
            "You return the smallest divisor; the largest up to at_most is wanted.",
        ),
        Mistake(
            _swapped("at_most 32"),
            "You always allow 32 groups: use the argument at_most.",
        ),
        Mistake(
            _swapped("group size"),
            "The first argument of GroupNorm is the number of groups, not of channels "
            "in a group.",
        ),
        Mistake(
            _swapped("eps"),
            "Take over eps from the BatchNorm as well.",
        ),
        Mistake(
            _swapped("weight"),
            "A new layer starts at weight 1 and bias 0: copy both from the BatchNorm.",
        ),
        Mistake(
            _swapped("bias"),
            "You copy the weight but not the bias.",
        ),
        Mistake(
            _swapped("tied"),
            "Both layers share one weight tensor, so training one changes the other: "
            "copy the values.",
        ),
    ),
)

EXERCISES = (BY_HAND, COUNT, SWAP)
