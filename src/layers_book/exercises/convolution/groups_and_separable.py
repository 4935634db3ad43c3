"""Exercises of the page convolution/groups_and_separable."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    Mistake,
    distinct,
    function_run,
    signed,
    value_run,
)

GROUPS = (2, 3, 1, 4, 2, 3)
KERNELS = ((3, 2), (1, 3), (2, 4), (3, 3), (4, 1), (2, 3))


def _pictures(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Neither picture nor kernel square but once, and no two sizes a group alike."""
    index = generator.initial_seed()
    groups, kernel = GROUPS[index % 6], KERNELS[(index + index // 6) % 6]
    n, c_in, c_out = distinct(generator, 3)
    x = signed(generator, n, groups * c_in, 5 + index % 3, 8).requires_grad_()
    weight = signed(generator, groups * c_out, c_in, *kernel).requires_grad_()
    bias = signed(generator, groups * c_out).requires_grad_()
    return (x, weight, bias, groups), {}


def _grouped(x: Tensor, weight: Tensor, bias: Tensor, groups: int) -> Tensor:
    return F.conv2d(x, weight, bias, groups=groups)


def _dealt(x: Tensor, count: int) -> Tensor:
    """Channels dealt out to ``count`` piles in turn instead of cut into runs."""
    n, c, h, w = x.shape
    return x.reshape(n, -1, count, h, w).transpose(1, 2).reshape(n, c, h, w)


def _wrong_grouped(wrong: str) -> Any:
    def answer(x: Tensor, weight: Tensor, bias: Tensor, groups: int) -> Tensor:
        n, c_in = weight.shape[:2]
        each = n // groups
        if wrong == "dealt in":
            x = _dealt(x, groups)
        elif wrong == "first inputs":
            x = x[:, :c_in].repeat(1, groups, 1, 1)
        elif wrong == "first kernels":
            weight = weight[:each].repeat(groups, 1, 1, 1)
        elif wrong == "average":
            weight = weight / c_in
        elif wrong == "flipped":
            weight = weight.flip(2, 3)
        elif wrong == "reversed groups":
            x = x.unflatten(1, (groups, -1)).flip(1).flatten(1, 2)
        elif wrong == "detached":
            x = x.detach()
        elif wrong == "bias a group":
            bias = bias[::each].repeat_interleave(each)
        y = F.conv2d(x, weight, None if wrong == "no bias" else bias, groups=groups)
        if wrong == "dealt out":
            bare = y - bias.view(-1, 1, 1)
            y = _dealt(bare, each) + bias.view(-1, 1, 1)
        elif wrong == "height and width":
            y = y.reshape(*y.shape[:2], y.shape[3], y.shape[2])
        elif wrong == "columns":
            y = y.flatten(2)
        elif wrong == "group axis":
            y = y.unflatten(1, (groups, each))
        elif wrong == "summed":
            y = y.unflatten(1, (groups, each)).sum(1)
        return y

    return answer


BY_HAND = Exercise(
    name="groups_and_separable/by_hand",
    reference=_grouped,
    run=function_run(_pictures, names=("x", "weight", "bias", "groups")),
    forbid=("conv",),
    mistakes=(
        Mistake(
            _wrong_grouped("dealt in"),
            "You deal the input channels out to the groups in turn. A group is a run "
            "of neighbors: view(n, groups, ...), the groups before their channels.",
        ),
        Mistake(
            _wrong_grouped("dealt out"),
            "Your output channels alternate between the groups: all outputs of group 0 "
            "come first. Keep the axis of the groups before that of their outputs when "
            "you join the two.",
        ),
        Mistake(
            _wrong_grouped("first inputs"),
            "All your groups read the inputs of group 0: group i reads its own run.",
        ),
        Mistake(
            _wrong_grouped("first kernels"),
            "All your groups use the kernels of group 0: the kernels of group i are a "
            "run of weight along its first axis.",
        ),
        Mistake(
            _wrong_grouped("reversed groups"),
            "Your groups read in reverse order: the first outputs read the first "
            "inputs.",
        ),
        Mistake(
            _wrong_grouped("average"),
            "You average over the channels of a group: a convolution adds them up.",
        ),
        Mistake(
            _wrong_grouped("summed"),
            "You add the groups up: their outputs stand side by side, C_out in all.",
        ),
        Mistake(
            _wrong_grouped("flipped"),
            "You flip the kernel: torch's convolutions do not.",
        ),
        Mistake(_wrong_grouped("no bias"), "You do not add bias."),
        Mistake(
            _wrong_grouped("bias a group"),
            "You use one bias a group: there is one an output channel, whatever the "
            "groups.",
        ),
        Mistake(
            _wrong_grouped("height and width"),
            "You have swapped height and width at the end: the places of F.unfold go "
            "row by row, so the shape is (N, C_out, H_out, W_out).",
        ),
        Mistake(
            _wrong_grouped("columns"),
            "The numbers are right, in columns: give the places their two axes back, "
            "H - k_h + 1 and W - k_w + 1.",
        ),
        Mistake(
            _wrong_grouped("group axis"),
            "The numbers are right; join the axis of the groups and that of their "
            "outputs into one, C_out.",
        ),
        Mistake(
            _wrong_grouped("detached"),
            "The output is right, the gradient is not: do not detach x.",
        ),
    ),
)


def _pairs(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    c, n = distinct(generator, 2)
    multiplier, k = (2, 3, 1, 4)[index % 4], (3, 2, 1)[index % 3]
    middle = c * multiplier
    depthwise = signed(generator, middle, 1, k, k).requires_grad_()
    depthwise_bias = signed(generator, middle).requires_grad_()
    pointwise = signed(generator, n, middle, 1, 1).requires_grad_()
    bias = signed(generator, n).requires_grad_()
    return (depthwise, depthwise_bias, pointwise, bias, multiplier), {}


def _merged(
    depthwise: Tensor, depthwise_bias: Tensor, pointwise: Tensor, bias: Tensor, K: int
) -> tuple[Tensor, Tensor]:
    """The kernel from torch itself: what the two layers make of single pixels."""
    c, k = len(depthwise) // K, depthwise.shape[-1]
    eye = torch.eye(c * k * k, dtype=depthwise.dtype).view(-1, c, k, k)
    middle = F.conv2d(eye, depthwise, groups=c)
    answer = F.conv2d(middle, pointwise).flatten(1)  # (C * k * k, n)
    total = F.conv2d(depthwise_bias.view(1, -1, 1, 1), pointwise, bias)
    return answer.T.reshape(-1, c, k, k), total.flatten()


def _wrong_merged(wrong: str) -> Any:
    def answer(
        depthwise: Tensor,
        depthwise_bias: Tensor,
        pointwise: Tensor,
        bias: Tensor,
        K: int,
    ) -> tuple[Tensor, Tensor]:
        patterns = depthwise.reshape(-1, K, *depthwise.shape[2:])
        amounts = pointwise.reshape(len(pointwise), -1, K)
        if wrong == "order":
            patterns = depthwise.reshape(K, -1, *depthwise.shape[2:]).transpose(0, 1)
            amounts = pointwise.reshape(len(pointwise), K, -1).transpose(1, 2)
        elif wrong == "patterns":
            patterns = depthwise.reshape(K, -1, *depthwise.shape[2:]).transpose(0, 1)
        elif wrong == "amounts":
            amounts = pointwise.reshape(len(pointwise), K, -1).transpose(1, 2)
        elif wrong == "first path":
            patterns, amounts = patterns[:, :1], amounts[..., :1]
        elif wrong == "apart":
            patterns = patterns.sum(1, keepdim=True)
            amounts = amounts.sum(2, keepdim=True)
        elif wrong == "flipped":
            patterns = patterns.flip(2, 3)
        elif wrong == "transposed pattern":
            patterns = patterns.transpose(2, 3)
        elif wrong == "mean":
            amounts = amounts / K
        elif wrong == "detached":
            amounts = amounts.detach()
        weight = torch.einsum("ocq,cqij->ocij", amounts, patterns)
        through = pointwise[:, :, 0, 0] @ depthwise_bias
        if wrong == "no middle bias":
            return weight, bias.clone()
        if wrong == "unweighted":
            return weight, bias + depthwise_bias.sum()
        if wrong == "no last bias":
            return weight, through
        if wrong == "in and out":
            return weight.transpose(0, 1), bias + through
        if wrong == "middle":
            wide = pointwise * depthwise.transpose(0, 1)
            return wide, bias + through
        if wrong == "swapped":
            return bias + through, weight
        if wrong == "shape of bias":
            return weight, (bias + through).view(-1, 1)
        return weight, bias + through

    return answer


MERGE = Exercise(
    name="groups_and_separable/merge",
    reference=_merged,
    run=function_run(
        _pairs, names=("depthwise", "depthwise_bias", "pointwise", "bias", "K")
    ),
    mistakes=(
        Mistake(
            _wrong_merged("order"),
            "You take the middle channels in another order: the K outputs of an input "
            "are neighbors, channel c * K + q belongs to input c.",
        ),
        Mistake(
            _wrong_merged("patterns"),
            "You split the axis of depthwise into (K, C): it is (C, K), the K kernels "
            "of an input side by side.",
        ),
        Mistake(
            _wrong_merged("amounts"),
            "You split the axis of pointwise into (K, C): it is (C, K), as that of "
            "depthwise.",
        ),
        Mistake(
            _wrong_merged("middle"),
            "Your weight has a kernel for each channel in the middle: add up the K "
            "that belong to one input, to (n, C, k, k).",
        ),
        Mistake(
            _wrong_merged("first path"),
            "You follow one way from input to output; there are K, and they add up.",
        ),
        Mistake(
            _wrong_merged("mean"),
            "You average the K ways from input to output: they add up.",
        ),
        Mistake(
            _wrong_merged("apart"),
            "You add up the K patterns and the K amounts first, and multiply then: "
            "multiply each pattern by its own amount before you add.",
        ),
        Mistake(
            _wrong_merged("no middle bias"),
            "You drop the depthwise layer's bias: it passes through the 1 x 1 layer.",
        ),
        Mistake(
            _wrong_merged("unweighted"),
            "The middle bias arrives unchanged in your answer: output o gets it "
            "multiplied by pointwise[o].",
        ),
        Mistake(
            _wrong_merged("no last bias"),
            "You drop the bias of the 1 x 1 layer.",
        ),
        Mistake(
            _wrong_merged("in and out"),
            "Your weight has inputs first: the shape is (n, C, k, k), outputs first.",
        ),
        Mistake(
            _wrong_merged("flipped"),
            "You flip the kernels: both layers take them as they are.",
        ),
        Mistake(
            _wrong_merged("transposed pattern"),
            "You exchange rows and columns of the kernels.",
        ),
        Mistake(
            _wrong_merged("swapped"),
            "You return the two in the other order: weight, then bias.",
        ),
        Mistake(
            _wrong_merged("shape of bias"),
            "The bias is right, its shape is not: (n,).",
        ),
        Mistake(
            _wrong_merged("detached"),
            "The result is right, the gradient is not: do not detach the weights.",
        ),
    ),
)


SHUFFLE = Exercise(
    name="groups_and_separable/shuffle",
    reference=[4, 5, 6, 7],
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            [2, 3],
            "That would be right without the shuffle: the places 2 and 3 hold other "
            "channels after it.",
        ),
        Mistake(
            [0, 1, 2, 3, 4, 5, 6, 7],
            "One shuffle does not reach everything here: each group holds two "
            "channels, so it receives from two groups only.",
        ),
        Mistake(
            [4, 6],
            "Those are the channels between the layers: each of them reads two inputs "
            "of the first layer.",
        ),
        Mistake(
            [0, 1, 4, 5],
            "You deal from two piles of four: ChannelShuffle(4) cuts the eight "
            "channels into four piles of two.",
        ),
        Mistake(
            [0, 1, 2, 3],
            "That holds for outputs 0 and 1: output 2 lies in the second group.",
        ),
        Mistake(
            [0, 2],
            "Those are the first two places after the shuffle: output 2 lies in the "
            "second group, which reads places 2 and 3.",
        ),
        Mistake(
            [4, 5],
            "Output 2 reads two places of the shuffled channels; you followed one.",
        ),
        Mistake(
            [6, 7],
            "Output 2 reads two places of the shuffled channels; you followed only the "
            "second.",
        ),
        Mistake(
            [2],
            "With groups=4 of 8 channels a group has two inputs: groups=8 would be "
            "depthwise.",
        ),
        Mistake(
            [5, 6, 7, 8],
            "Count the channels from 0.",
        ),
        Mistake(
            [4, 6, 5, 7],
            "Those are the channels; give them in rising order.",
        ),
    ),
)

EXERCISES = (BY_HAND, MERGE, SHUFFLE)
