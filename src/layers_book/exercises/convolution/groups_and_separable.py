"""Exercises of the page convolution/groups_and_separable."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    measure_run,
    signed,
    value_run,
)

GROUPS = (2, 3, 1, 4, 2, 3)
KERNELS = ((3, 2), (1, 3), (2, 4), (3, 3), (4, 1), (2, 3))


def _colors(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """One channel to five; with one, the channels cannot be mixed up."""
    index = generator.initial_seed()
    channels, n = (3, 2, 1, 4, 5)[index % 5], (2, 1, 3)[index % 3]
    height, width = 5 + index % 3, 9 - index % 2
    return (signed(generator, n, channels, height, width).requires_grad_(),), {}


EDGES = Exercise(
    name="groups_and_separable/edges",
    solution="""
        def edges(x):
            left = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]).to(x)
            channels = x.shape[1]
            weight = torch.stack([left, left.T])[:, None].repeat(channels, 1, 1, 1)
            y = F.conv2d(x, weight, groups=channels)  # (N, 2 * C, H_out, W_out)
            across, down = y[:, ::2], y[:, 1::2]
            return (across**2 + down**2).sqrt()
    """,
    run=function_run(_colors, names=("x",)),
    mistakes=[
        (
            "y[:, ::2], y[:, 1::2]",
            "y.chunk(2, 1)",
            "With more than one channel you add up squares that belong to different "
            "channels. Which two of the outputs come from channel 0?",
        ),
        (
            ".repeat(channels, 1, 1, 1)",
            ".repeat_interleave(channels, 0)",
            "With more than one channel, some channels meet the same kernel twice: "
            "repeat the pair, left then left.T, once for each channel.",
        ),
        (
            ".repeat(channels, 1, 1, 1)",
            ".repeat_interleave(channels, 0)",
            "y[:, ::2], y[:, 1::2]",
            "y.chunk(2, 1)",
            "You split kernels and outputs in halves, but the two outputs of a channel "
            "are neighbors: output o reads channel o // 2.",
        ),
        (
            "F.conv2d(x, weight, groups=channels)",
            "F.conv2d(x.sum(1, keepdim=True).expand_as(x), weight, groups=channels)",
            "Each of your channels sees the edges of all of them: they are not to be "
            "added up.",
        ),
        (
            "(across**2 + down**2).sqrt()",
            "across**2 + down**2",
            "You give the sum of the squares; take its root.",
        ),
        (
            "(across**2 + down**2).sqrt()",
            "across.abs() + down.abs()",
            "You add the sizes of the two answers; add their squares, and take the "
            "root.",
        ),
        (
            "(across**2 + down**2).sqrt()",
            "((across**2 + down**2) / 2).sqrt()",
            "You take the mean of the two squares; take their sum.",
        ),
        (
            "across**2 + down**2",
            "across**2",
            "You leave out the edges that left.T finds.",
        ),
        (
            "across**2 + down**2",
            "down**2",
            "You leave out the edges that left finds.",
        ),
        (
            "groups=channels)",
            "groups=channels, padding=1)",
            "Your result is as large as the picture; without padding it has two rows "
            "and two columns less.",
        ),
    ],
)


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


BY_HAND = Exercise(
    name="groups_and_separable/by_hand",
    solution="""
        def grouped_conv(x, weight, bias, groups):
            n, _, h, w = x.shape
            c_out, _, k_h, k_w = weight.shape
            patches = F.unfold(x, (k_h, k_w))  # (N, C_in * k_h * k_w, L)
            patches = patches.view(n, groups, -1, patches.shape[-1])
            kernels = weight.reshape(groups, c_out // groups, -1)
            y = torch.einsum("ngpl,gop->ngol", patches, kernels)
            y = y.reshape(n, c_out, h - k_h + 1, w - k_w + 1)
            return y + bias.view(-1, 1, 1)
    """,
    reference=_grouped,
    run=function_run(_pictures, names=("x", "weight", "bias", "groups")),
    forbid=("conv",),
    mistakes=[
        (
            "F.unfold(x,",
            "F.unfold(x.unflatten(1, (-1, groups)).transpose(1, 2).flatten(1, 2),",
            "You deal the input channels out to the groups in turn. A group is a run "
            "of neighbors: view(n, groups, ...), the groups before their channels.",
        ),
        (
            "->ngol",
            "->nogl",
            "Your output channels alternate between the groups: all outputs of group "
            "0 come first. Keep the axis of the groups before that of their outputs "
            "when you join the two.",
        ),
        (
            '"ngpl,gop->ngol", patches',
            '"npl,gop->ngol", patches[:, 0]',
            "All your groups read the inputs of group 0: group i reads its own run.",
        ),
        (
            "ngpl,gop->ngol",
            "ngpl,op->ngol",
            "kernels)",
            "kernels[0])",
            "All your groups use the kernels of group 0: the kernels of group i are a "
            "run of weight along its first axis.",
        ),
        (
            "patches, kernels",
            "patches.flip(1), kernels",
            "Your groups read in reverse order: the first outputs read the first "
            "inputs.",
        ),
        (
            "patches, kernels)",
            "patches, kernels) / weight.shape[1]",
            "You average over the channels of a group: a convolution adds them up.",
        ),
        (
            "y + bias.view(-1, 1, 1)",
            "(y + bias.view(-1, 1, 1)).unflatten(1, (groups, -1)).sum(1)",
            "You add the groups up: their outputs stand side by side, C_out in all.",
        ),
        (
            "weight.reshape",
            "weight.flip(2, 3).reshape",
            "You flip the kernel: torch's convolutions do not.",
        ),
        (" + bias.view(-1, 1, 1)", "", "You do not add bias."),
        (
            "bias.view",
            "bias[:: c_out // groups].repeat_interleave(c_out // groups).view",
            "You use one bias a group: there is one an output channel, whatever the "
            "groups.",
        ),
        (
            "h - k_h + 1, w - k_w + 1",
            "w - k_w + 1, h - k_h + 1",
            "You have swapped height and width at the end: the places of F.unfold go "
            "row by row, so the shape is (N, C_out, H_out, W_out).",
        ),
        (
            "h - k_h + 1, w - k_w + 1",
            "-1",
            "(-1, 1, 1)",
            "(-1, 1)",
            "The numbers are right, in columns: give the places their two axes back, "
            "H - k_h + 1 and W - k_w + 1.",
        ),
        (
            "y + bias.view(-1, 1, 1)",
            "(y + bias.view(-1, 1, 1)).unflatten(1, (groups, -1))",
            "The numbers are right; join the axis of the groups and that of their "
            "outputs into one, C_out.",
        ),
        (
            "F.unfold(x,",
            "F.unfold(x.detach(),",
            "The output is right, the gradient is not: do not detach x.",
        ),
    ],
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


MERGE = Exercise(
    name="groups_and_separable/merge",
    solution="""
        def merge(depthwise, depthwise_bias, pointwise, bias, K):
            patterns = depthwise.reshape(-1, K, *depthwise.shape[2:])  # (C, K, k, k)
            amounts = pointwise.reshape(len(pointwise), -1, K)  # (n, C, K)
            weight = torch.einsum("ocq,cqij->ocij", amounts, patterns)
            return weight, bias + pointwise[:, :, 0, 0] @ depthwise_bias
    """,
    reference=_merged,
    run=function_run(
        _pairs, names=("depthwise", "depthwise_bias", "pointwise", "bias", "K")
    ),
    mistakes=[
        (
            "(-1, K,",
            "(K, -1,",
            "-1, K)",
            "K, -1)",
            "ocq,cqij",
            "oqc,qcij",
            "You take the middle channels in another order: the K outputs of an input "
            "are neighbors, channel c * K + q belongs to input c.",
        ),
        (
            "(-1, K,",
            "(K, -1,",
            "cqij",
            "qcij",
            "You split the axis of depthwise into (K, C): it is (C, K), the K kernels "
            "of an input side by side.",
        ),
        (
            "-1, K)",
            "K, -1)",
            "ocq,",
            "oqc,",
            "You split the axis of pointwise into (K, C): it is (C, K), as that of "
            "depthwise.",
        ),
        (
            'torch.einsum("ocq,cqij->ocij", amounts, patterns)',
            "pointwise * depthwise.transpose(0, 1)",
            "Your weight has a kernel for each channel in the middle: add up the K "
            "that belong to one input, to (n, C, k, k).",
        ),
        (
            "amounts, patterns",
            "amounts[..., :1], patterns[:, :1]",
            "You follow one way from input to output; there are K, and they add up.",
        ),
        (
            "amounts, patterns)",
            "amounts, patterns) / K",
            "You average the K ways from input to output: they add up.",
        ),
        (
            "ocq,cqij",
            "ocq,crij",
            "You add up the K patterns and the K amounts first, and multiply then: "
            "multiply each pattern by its own amount before you add.",
        ),
        (
            " + pointwise[:, :, 0, 0] @ depthwise_bias",
            "",
            "You drop the depthwise layer's bias: it passes through the 1 x 1 layer.",
        ),
        (
            "pointwise[:, :, 0, 0] @ depthwise_bias",
            "depthwise_bias.sum()",
            "The middle bias arrives unchanged in your answer: output o gets it "
            "multiplied by pointwise[o].",
        ),
        ("bias + pointwise", "pointwise", "You drop the bias of the 1 x 1 layer."),
        (
            "return weight",
            "return weight.transpose(0, 1)",
            "Your weight has inputs first: the shape is (n, C, k, k), outputs first.",
        ),
        (
            "amounts, patterns",
            "amounts, patterns.flip(2, 3)",
            "You flip the kernels: both layers take them as they are.",
        ),
        ("cqij", "cqji", "You exchange rows and columns of the kernels."),
        (
            "weight, bias + pointwise[:, :, 0, 0] @ depthwise_bias",
            "bias + pointwise[:, :, 0, 0] @ depthwise_bias, weight",
            "You return the two in the other order: weight, then bias.",
        ),
        (
            "bias + pointwise[:, :, 0, 0] @ depthwise_bias",
            "(bias + pointwise[:, :, 0, 0] @ depthwise_bias)[:, None]",
            "The bias is right, its shape is not: (n,).",
        ),
        (
            "amounts, patterns",
            "amounts.detach(), patterns",
            "The result is right, the gradient is not: do not detach the weights.",
        ),
    ],
)


SHUFFLE = Exercise(
    name="groups_and_separable/shuffle",
    solution="inputs = [4, 5, 6, 7]",
    run=value_run(),
    mistakes=[
        (
            [2, 3],
            "That would be right without the shuffle: the places 2 and 3 hold other "
            "channels after it.",
        ),
        (
            [0, 1, 2, 3, 4, 5, 6, 7],
            "One shuffle does not reach everything here: each group holds two "
            "channels, so it receives from two groups only.",
        ),
        (
            [4, 6],
            "Those are the channels between the layers: each of them reads two inputs "
            "of the first layer.",
        ),
        (
            [0, 1, 4, 5],
            "You deal from two piles of four: ChannelShuffle(4) cuts the eight "
            "channels into four piles of two.",
        ),
        (
            [0, 1, 2, 3],
            "That holds for outputs 0 and 1: output 2 lies in the second group.",
        ),
        (
            [0, 2],
            "Those are the first two places after the shuffle: output 2 lies in the "
            "second group, which reads places 2 and 3.",
        ),
        (
            [4, 5],
            "Output 2 reads two places of the shuffled channels; you followed one.",
        ),
        (
            [6, 7],
            "Output 2 reads two places of the shuffled channels; you followed only "
            "the second.",
        ),
        (
            [2],
            "With groups=4 of 8 channels a group has two inputs: groups=8 would be "
            "depthwise.",
        ),
        ([5, 6, 7, 8], "Count the channels from 0."),
        ([4, 6, 5, 7], "Those are the channels; give them in ascending order."),
    ],
)

PRODUCT = Exercise(
    name="groups_and_separable/product",
    solution="""
        def error(shuffle, seed):
            torch.manual_seed(seed)
            net = nn.Sequential(
                nn.Conv2d(8, 8, 1, groups=2), nn.Tanh(),
                nn.ChannelShuffle(2) if shuffle else nn.Identity(),
                nn.Conv2d(8, 8, 1, groups=2), nn.Tanh(), nn.Conv2d(8, 1, 1)).double()
            optimizer = torch.optim.Adam(net.parameters(), 0.05)
            x = torch.randn(1, 8, 24, 24).double()  # (N, C, H, W)
            for _ in range(100):
                optimizer.zero_grad()
                (net(x) - x[:, :1] * x[:, 7:]).square().mean().backward()
                optimizer.step()
            x = torch.randn(1, 8, 24, 24).double()
            with torch.no_grad():
                return (net(x) - x[:, :1] * x[:, 7:]).square().mean().item()


        without = [error(False, seed) for seed in range(5)]
        shuffled = [error(True, seed) for seed in range(5)]
        d = torch.tensor(without) - torch.tensor(shuffled)  # (seeds,)
        answer = d.mean().item(), (d.std() / len(d) ** 0.5).item()
    """,
    run=measure_run("without", "shuffled"),
    mistakes=[
        (
            "    x = torch.randn(1, 8, 24, 24).double()\n    with",
            "    with",
            "You measure on the picture that the networks have learned; draw a second "
            "one for the test.",
        ),
        (
            "range(100)",
            "range(10)",
            "Your networks have hardly been trained: take 100 steps.",
        ),
        (
            "x[:, 7:]).square().mean().backward()",
            "x[:, 3:4]).square().mean().backward()",
            "x[:, 7:]).square().mean().item()",
            "x[:, 3:4]).square().mean().item()",
            "Your two channels lie in one group, where no shuffle is needed; take "
            "channels 0 and 7.",
        ),
        (
            "x[:, 7:]).square().mean().item()",
            "x[:, 7:]).square().mean().sqrt().item()",
            "You take the root of each error; the mean square is asked for.",
        ),
    ],
)

EXERCISES = (EDGES, SHUFFLE, BY_HAND, MERGE, PRODUCT)
