"""Exercises of the page normalization/group_norm."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from layers_book.checking import (
    Case,
    Exercise,
    Refused,
    call,
    custom_run,
    distinct,
    function_run,
    refuse_no_function,
    signed,
    value_run,
    varied,
)
from layers_book.exercises.normalization import (
    FORBIDDEN,
    OTHER_DEFAULTS,
    standard_deviations,
)

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


BY_HAND = Exercise(
    name="group_norm/by_hand",
    solution="""
        def group_norm(x, num_groups, weight, bias, eps=1e-5):
            n, c = x.shape[:2]
            groups = x.reshape(n, num_groups, -1)
            mean = groups.mean(-1, keepdim=True)
            var = groups.var(-1, correction=0, keepdim=True)
            x_hat = ((groups - mean) / torch.sqrt(var + eps)).reshape(x.shape)
            shape = (c,) + (1,) * (x.dim() - 2)
            return x_hat * weight.view(shape) + bias.view(shape)
    """,
    reference=F.group_norm,
    run=function_run(_arguments, names=("x", "num_groups", "weight", "bias")),
    forbid=FORBIDDEN,
    mistakes=[
        *OTHER_DEFAULTS,
        *standard_deviations("torch.sqrt(var + eps)", "groups.std(-1, {}keepdim=True)"),
        (
            "groups.var(-1, correction=0, keepdim=True)",
            "(groups**2).mean(-1, keepdim=True) - mean**2",
            "The mean of squares minus the square of the mean cancels: with values "
            "around 1e4, float32 has no digits left. Average (x - mean) ** 2.",
        ),
        (
            ".view(shape)",
            "",
            "weight and bias line up with the last axis of x; they have one value a "
            "channel: weight.view(1, -1, 1, 1) for (N, C, H, W).",
        ),
        (
            "correction=0, ",
            "",
            "Your variance divides by n - 1; GroupNorm normalizes with the biased "
            "variance, 1/n: use var(..., correction=0).",
        ),
        (
            "(n, num_groups, -1)",
            "(n, c // num_groups, num_groups, -1)",
            "(-1, ",
            "((1, 3), ",
            "Your groups take every num_groups-th channel; a group is a run of "
            "neighboring channels: reshape to (N, num_groups, -1).",
        ),
        (
            "(n, num_groups, -1)",
            "(n, c // num_groups, -1)",
            "You read num_groups as the number of channels in a group: it is the "
            "number of groups.",
        ),
        (
            "(n, num_groups, -1)",
            "(n, 1, -1)",
            "You take one mean for the whole sample, which is right for one group: "
            "there are num_groups means a sample.",
        ),
        (
            "(n, num_groups, -1)",
            "(n, c, -1)",
            "You take one mean for each channel: that is InstanceNorm. The channels of "
            "a group share theirs.",
        ),
        (
            "(-1, ",
            "((0, 2), ",
            "You average over the batch too; each sample keeps its own statistics.",
        ),
        (
            "(-1, ",
            "(0, ",
            "You average over the samples; average over the values of a group instead, "
            "each sample by itself.",
        ),
        (
            "n, c = x.shape[:2]",
            "n, c, h, w = x.shape",
            "You assume four axes: take n and c from x.shape[:2], and let reshape "
            "find the rest with -1.",
        ),
        (
            "torch.sqrt(var + eps)",
            "(torch.sqrt(var) + eps)",
            "You add eps to the standard deviation; it belongs under the root, added "
            "to the variance.",
        ),
        (
            "var + eps",
            "var",
            "You leave out eps: a constant group then gives 0 / 0. Divide by "
            "torch.sqrt(var + eps).",
        ),
        ("var + eps", "var + 1e-5", "Your eps is always 1e-5: use the argument eps."),
        (
            "(groups - mean)",
            "groups",
            "You scale x but do not subtract the mean of its group.",
        ),
        (
            " * weight.view(shape) + bias.view(shape)",
            "",
            "You return the normalized x: multiply by weight and add bias, one of each "
            "for every channel.",
        ),
        (" + bias.view(shape)", "", "You multiply by weight but do not add bias."),
        (
            "x_hat * weight.view(shape) + bias.view(shape)",
            "(x_hat + bias.view(shape)) * weight.view(shape)",
            "You add bias before multiplying by weight: it is weight * x_hat + bias.",
        ),
        (
            "weight.view",
            "weight[:num_groups].repeat_interleave(c // num_groups).view",
            "bias.view",
            "bias[:num_groups].repeat_interleave(c // num_groups).view",
            "You use one weight and bias a group; they belong to the channels: undo "
            "the reshape before you apply them.",
        ),
        (
            "groups.",
            "groups.detach().",
            "The output is right, the gradient is not: it must also flow through mean "
            "and variance, so do not detach them.",
        ),
    ],
)

COUNT = Exercise(
    name="group_norm/count",
    solution="""
        answer = [8 * 14 * 14, 2 * 14 * 14, 64 * 14 * 14, 14 * 14, 2]
    """,
    run=value_run(),
    mistakes=[
        (
            [1568, 3136, 12544, 196, 16],
            "GroupNorm does not average over the samples: leave out the factor N.",
        ),
        (
            [1568, 6272, 12544, 196, 32],
            "GroupNorm(32, 64) has 32 groups, so 64 / 32 = 2 channels in each, not 32.",
        ),
        (
            [196, 392, 12544, 196, 2],
            "BatchNorm2d averages over the batch as well: N * H * W values.",
        ),
        (
            [1568, 392, 100352, 196, 2],
            "GroupNorm(1, 64) takes all channels of one sample: C * H * W, without N.",
        ),
        (
            [1568, 392, 12544, 1568, 2],
            "InstanceNorm2d takes each image by itself: H * W, without N.",
        ),
        (
            [1568, 392, 12544, 196, 392],
            "The last input has no pixels: a group of 2 channels is 2 values.",
        ),
        (
            [64, 256, 8, 512, 256],
            "You count the means; the question is how many values stand behind each.",
        ),
    ],
)


def _swap_inputs(generator: Generator) -> dict[str, Any]:
    """What a BatchNorm2d is made of, the limit of the groups, and an input."""
    index = generator.initial_seed()
    channels = (64, 48, 6, 7, 20, 96)[index % 6]
    return {
        "channels": channels,
        "eps": EPS[index % 3],
        "at_most": (32, 32, 4, 5, 8, 16, 32, 10)[index % 8],
        "weight": signed(generator, channels).float(),
        "bias": signed(generator, channels).float(),
        "x": torch.randn(2, channels, 3, 2, generator=generator) * 0.1,
    }


def _swap_steps(
    answer: Any,
    channels: int,
    eps: float,
    at_most: int,
    weight: Tensor,
    bias: Tensor,
    x: Tensor,
) -> Iterator[Any]:
    """The new layer's sizes and output, and whether it is a layer of its own."""
    refuse_no_function(answer)
    yield "configuration", f"BatchNorm2d({channels}, eps={eps}), at_most={at_most}"
    bn = nn.BatchNorm2d(channels, eps=eps)
    bn.load_state_dict({"weight": weight, "bias": bias}, strict=False)
    gn = call(answer, bn, at_most)
    if not isinstance(gn, nn.GroupNorm):
        raise Refused(f"Return an nn.GroupNorm; yours is of type {type(gn).__name__}.")
    yield "num_channels", gn.num_channels
    yield "num_groups", gn.num_groups
    yield Case("output", "", "of the new layer", gn(x).detach())
    with torch.no_grad():
        gn.weight.add_(1)
        gn.bias.add_(1)
    for name, given in (("weight", weight), ("bias", bias)):
        left = bool(bn.state_dict()[name].equal(given))
        yield f"whether training the new layer leaves bn.{name} alone", left


SWAP = Exercise(
    name="group_norm/swap",
    solution="""
        def swap(bn, at_most=32):
            channels = bn.num_features
            groups = max(g for g in range(1, at_most + 1) if channels % g == 0)
            gn = nn.GroupNorm(groups, channels, eps=bn.eps)
            with torch.no_grad():
                gn.weight.copy_(bn.weight)
                gn.bias.copy_(bn.bias)
            return gn
    """,
    run=custom_run(_swap_steps, _swap_inputs),
    mistakes=[
        (
            "max(g for g in range(1, at_most + 1) if channels % g == 0)",
            "math.gcd(channels, at_most)",
            "The greatest common divisor of C and at_most divides both; the groups "
            "need to divide C only: for 48 channels and at most 32 groups, 24.",
        ),
        (
            "at_most + 1",
            "at_most",
            "at_most itself is allowed: your range ends one too early.",
        ),
        (
            "at_most + 1",
            "channels + 1",
            "As many groups as channels make an InstanceNorm: respect at_most.",
        ),
        (
            "max(",
            "min(",
            "One group always divides, but the largest number up to at_most is wanted.",
        ),
        (
            "max(g for g in range(1, at_most + 1) if channels % g == 0)",
            "next((g for g in range(2, at_most + 1) if channels % g == 0), 1)",
            "You return the smallest divisor; the largest up to at_most is wanted.",
        ),
        (
            "max(g for g in range(1, at_most + 1) if channels % g == 0)",
            "at_most if channels % at_most == 0 else 1",
            "Where at_most does not divide the channels you fall back to one group: a "
            "smaller number of groups may divide them.",
        ),
        ("at_most + 1", "33", "You always allow 32 groups: use the argument at_most."),
        (
            "GroupNorm(groups,",
            "GroupNorm(channels // groups,",
            "The first argument of GroupNorm is the number of groups, not of channels "
            "in a group.",
        ),
        (", eps=bn.eps", "", "Take over eps from the BatchNorm as well."),
        (
            "gn.weight.copy_(bn.weight)\n        gn.bias.copy_(bn.bias)",
            "pass",
            "A new layer starts at weight 1 and bias 0: copy both from the BatchNorm.",
        ),
        (
            "        gn.bias.copy_(bn.bias)\n",
            "",
            "You copy the weight but not the bias.",
        ),
        (
            "gn.weight.copy_(bn.weight)",
            "gn.weight = bn.weight",
            "gn.bias.copy_(bn.bias)",
            "gn.bias = bn.bias",
            "Both layers share weight and bias, so training one changes the other: "
            "copy the values.",
        ),
        (
            "gn.bias.copy_(bn.bias)",
            "gn.bias = bn.bias",
            "You copy the weight, but both layers share one bias: copy its values too.",
        ),
    ],
)

EXERCISES = (BY_HAND, COUNT, SWAP)
