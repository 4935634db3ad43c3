"""Exercises of the page convolution/pooling."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    measure_run,
    value_run,
    varied,
)

# kernel_size, stride, padding; the last window of most stops short of the end
WINDOWS = ((3, 2, 1), (2, 2, 0), (4, 3, 2), (3, 1, 1), (2, 3, 1), (5, 4, 0), (4, 1, 1))


def _slid(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """One to three axes as long as a window, padding counted and not."""
    index = generator.initial_seed()
    sizes = [*distinct(generator, index % 3, low=5), 9 + index % 4]
    x = varied(generator, *sizes, axis=0)
    x[..., 1::4] = 0  # a zero of the input is no padding
    x.requires_grad_()
    return (x, *WINDOWS[index % 7], index % 2 == 0), {}


def _average(x: Tensor, k: int, stride: int, padding: int, counted: bool) -> Tensor:
    rows = x.reshape(1, -1, x.shape[-1])
    y = F.avg_pool1d(rows, k, stride, padding, False, counted)
    return y.view(*x.shape[:-1], -1)


AVERAGE = Exercise(
    name="pooling/average",
    solution="""
        def avg_pool(x, kernel_size, stride, padding, count_include_pad):
            def sums(z):
                z = F.pad(z, (padding, padding))
                return z.unfold(-1, kernel_size, stride).sum(-1)

            inside = sums(torch.ones_like(x))
            return sums(x) / (kernel_size if count_include_pad else inside)
    """,
    reference=_average,
    run=function_run(
        _slid, names=("x", "kernel_size", "stride", "padding", "count_include_pad")
    ),
    forbid=("pool",),
    mistakes=[
        (
            "(kernel_size if count_include_pad else inside)",
            "kernel_size",
            "You always divide by kernel_size: with count_include_pad=False only the "
            "cells that lie in the input count.",
        ),
        (
            "(kernel_size if count_include_pad else inside)",
            "inside",
            "You never count the padding: with count_include_pad=True, torch's "
            "default, each window is divided by kernel_size.",
        ),
        (
            "if count_include_pad",
            "if not count_include_pad",
            "Your count_include_pad works the wrong way round: True means that the "
            "zeros of the padding count.",
        ),
        (
            " / (kernel_size if count_include_pad else inside)",
            "",
            "You return the sums: divide each by what its window counts.",
        ),
        (
            "padding))",
            "padding), value=-torch.inf)",
            "sum(-1)",
            "max(-1).values",
            " / (kernel_size if count_include_pad else inside)",
            "",
            "That is max pooling: an average sums its window and divides.",
        ),
        (
            "stride).sum",
            "kernel_size).sum",
            "You step by kernel_size, which is only the default: step by stride.",
        ),
        (
            "kernel_size, stride, padding, count",
            "stride, kernel_size, padding, count",
            "(padding, padding)",
            "[min(padding, kernel_size // 2)] * 2",
            "You have swapped kernel_size and stride: unfold takes the axis, then the "
            "size, then the step.",
        ),
        (
            "F.pad(z, (padding, padding))",
            "z",
            "You pad too little, or not at all: put padding zeros on each side of x "
            "first.",
        ),
        (
            "sum(-1)",
            "sum(-1)[..., :-1]",
            "Your last window is missing: with n + 2 * padding cells there are (n + 2 "
            "* padding - kernel_size) // stride + 1 windows.",
        ),
        (
            "sum(-1)",
            "sum(-1)[..., : x.shape[-1] // stride]",
            "You return n // stride outputs: there are (n + 2 * padding - "
            "kernel_size) // stride + 1.",
        ),
        (
            "(padding, padding)",
            "(padding, 0)",
            "You pad on the left only: F.pad takes (left, right).",
        ),
        (
            "(padding, padding)",
            "(0, padding)",
            "You pad on the right only: F.pad takes (left, right).",
        ),
        (
            """
            def avg_pool(x, kernel_size, stride, padding, count_include_pad):
                def sums(z):
                    return z.unfold(-1, kernel_size, stride).sum(-1)

                n = x.shape[-1]
                inside = sums(F.pad(torch.ones_like(x), (padding, padding)))
                x = x[..., torch.arange(-padding, n + padding).clamp(0, n - 1)]
                return sums(x) / (kernel_size if count_include_pad else inside)
            """,
            "You repeat the border cells: the padding of an average is zero.",
        ),
        (
            "(z):",
            "(z, value=0):",
            "padding))",
            "padding), value=value)",
            "(x) /",
            "(x, -torch.inf) /",
            "You pad with minus infinity, which is for maxima: an average pads with 0.",
        ),
        (
            "torch.ones_like(x)",
            "(x != 0).to(x)",
            "You take every 0 for padding, but the input may hold zeros of its own: "
            "count places, not values.",
        ),
        (
            "(padding, padding)",
            "(padding, padding + stride - 1)",
            "You keep a last window that runs over the end: that is ceil_mode=True, "
            "which this exercise leaves out.",
        ),
        (
            "inside =",
            "x = x.movedim(0, -1)\n    inside =",
            "sums(x) / (kernel_size if count_include_pad else inside)",
            "(sums(x) / (kernel_size if count_include_pad else inside)).movedim(-1, 0)",
            "You pool the first axis; pool the last one.",
        ),
        (
            "sums(x)",
            "sums(x.detach())",
            "The output is right, the gradient is not: compute with x itself, not "
            "with a detached copy.",
        ),
    ],
)


def _texts(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Texts of other lengths, with zeros of their own and filler that is none."""
    index = generator.initial_seed()
    n, channels, most = distinct(generator, 3, low=2)
    most += 3
    x = varied(generator, n, channels, most, axis=0)
    x[..., ::3] = 0  # a zero of a text is no filler
    lengths = torch.randint(1, most + 1, (n,), generator=generator)
    lengths[index % n] = 1 if index % 2 else most
    if index == 4:
        lengths[:] = most
    return (x.requires_grad_(), lengths), {}


SUMMARY = Exercise(
    name="pooling/summary",
    solution="""
        def summary(x, lengths):
            place = torch.arange(x.shape[2], device=x.device)  # (L,)
            inside = place < lengths[:, None]  # (N, L)
            sums = torch.where(inside[:, None], x, 0).sum(2)  # (N, C)
            return sums / lengths[:, None]
    """,
    run=function_run(_texts, names=("x", "lengths")),
    mistakes=[
        (
            """
            def summary(x, lengths):
                return F.adaptive_avg_pool1d(x, 1)[:, :, 0]
            """,
            "The means change with the filler behind a text: average its own steps "
            "alone.",
        ),
        (
            "sums / lengths[:, None]",
            "sums / x.shape[2]",
            "You leave the filler out of the sum, and divide by L all the same: a "
            "short text comes out too small.",
        ),
        (
            "torch.where(inside[:, None], x, 0)",
            "x",
            "You divide by the length of the text, but its filler is in the sum.",
        ),
        (
            "place < lengths[:, None]",
            "place <= lengths[:, None]",
            "You count one step of filler: the text ends before place `lengths[n]`.",
        ),
        (
            "place < lengths[:, None]",
            "place < lengths[:, None] - 1",
            "You leave out the last step of each text.",
        ),
        (
            "sums / lengths[:, None]",
            "sums / (x != 0).sum(2).clamp(min=1)",
            "You count the numbers that are not 0: a text may hold zeros, and filler "
            "other numbers.",
        ),
        (
            "sums / lengths[:, None]",
            "sums",
            "You return sums: divide each by the length of its text.",
        ),
        (
            "0).sum(2)",
            "-torch.inf).amax(2)",
            "sums / lengths[:, None]",
            "sums",
            "That is the maximum of each text; its mean is asked for.",
        ),
        (
            "x, 0)",
            "x.detach(), 0)",
            "The output is right, the gradient is not: do not detach x.",
        ),
    ],
)

# cells and bins: a divisor, ordinary, as many, more bins than cells, one bin
BINS = ((10, 4), (12, 5), (8, 4), (3, 7), (7, 5), (6, 6), (5, 12), (9, 1), (11, 8))


def _bins(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Few different numbers, so that there are ties, and cells that win twice."""
    index = generator.initial_seed()
    n, size = BINS[index % 9]
    sizes = distinct(generator, index % 3, low=3)
    x = torch.randint(-3, 3, (*sizes, n), generator=generator).double()
    return (x, varied(generator, *sizes, size, axis=-1)), {}


def _to_input(x: Tensor, g: Tensor) -> Tensor:
    with torch.enable_grad():
        rows = x.detach().reshape(1, -1, x.shape[-1]).requires_grad_()
        y = F.adaptive_max_pool1d(rows, g.shape[-1])
        (gradient,) = torch.autograd.grad(y, rows, g.reshape(y.shape))
    return gradient.view(x.shape)


TO_INPUT = Exercise(
    name="pooling/to_input",
    solution="""
        def to_input(x, g):
            n, outputs = x.shape[-1], g.shape[-1]
            gradient = torch.zeros_like(x)
            for i in range(outputs):
                start, end = i * n // outputs, -(-(i + 1) * n // outputs)
                winner = start + x[..., start:end].argmax(-1)
                hit = F.one_hot(winner, n).to(x.dtype)
                gradient = gradient + hit * g[..., i, None]
            return gradient
    """,
    reference=_to_input,
    run=function_run(_bins, names=("x", "g"), configurations=18),
    forbid=("pool",),
    mistakes=[
        (
            "hit = F.one_hot(winner, n).to(x.dtype)",
            "part = x[..., start:end]\n"
            "        hit = (part == part.amax(-1, keepdim=True)).to(x.dtype)\n"
            "        hit = F.pad(hit, (start, n - end))",
            "In a tie you give the gradient to every one of the largest cells: the "
            "first gets all of it, the others nothing.",
        ),
        (
            "hit = F.one_hot(winner, n).to(x.dtype)",
            "part = x[..., start:end]\n"
            "        hit = (part == part.amax(-1, keepdim=True)).to(x.dtype)\n"
            "        hit = F.pad(hit / hit.sum(-1, keepdim=True), (start, n - end))",
            "You share the gradient among equal cells, as amax does: torch's layer "
            "gives it to the first of them.",
        ),
        (
            "winner = start + x[..., start:end].argmax(-1)",
            "winner = end - 1 - x[..., start:end].flip(-1).argmax(-1)",
            "In a tie you choose the last of the largest cells: the first gets the "
            "gradient.",
        ),
        (
            "gradient = gradient + hit * g[..., i, None]",
            "gradient = torch.where(hit > 0, g[..., i, None], gradient)",
            "A cell that wins in two bins keeps only what comes from the later one: "
            "add up what arrives.",
        ),
        (
            "start + x",
            "x",
            "Your winners are counted from the start of the bin: add start.",
        ),
        (
            "hit = F.one_hot(winner, n).to(x.dtype)",
            "hit = torch.zeros_like(x)\n"
            "        hit[..., start:end] = 1 / (end - start)",
            "You spread the gradient over the bin, as the average does: a maximum "
            "sends all of it to one cell.",
        ),
        (
            "-(-(i + 1) * n // outputs)",
            "max(i * n // outputs + 1, (i + 1) * n // outputs)",
            "You round the end of a bin down: it is rounded up, so neighbors may "
            "share a cell.",
        ),
        (
            "-(-(i + 1) * n // outputs)",
            "i * n // outputs - (-n // outputs)",
            "Your bins all have ceil(n / outputs) cells; compute the end from i + 1.",
        ),
        (
            "-(-(i + 1) * n // outputs)",
            "(i + 1) * n // outputs + 1",
            "You add 1 to the rounded-down end: where it is a whole number already, "
            "that is a cell too many.",
        ),
        (
            "hit * g[..., i, None]",
            "hit",
            "You count 1 for each win: multiply by the gradient of that output.",
        ),
        (
            "hit * g[..., i, None]",
            "hit * g[..., i, None] * x",
            "You multiply by the value of the cell: the gradient of a maximum is 1 "
            "times what arrives.",
        ),
        (
            ".argmax(-1)",
            ".abs().argmax(-1)",
            "You compare absolute values: a negative number never beats a larger one.",
        ),
    ],
)

GRADIENT = Exercise(
    name="pooling/gradient",
    solution="gradient = [0, 2, 0, 1, 0]",
    run=value_run(),
    mistakes=[
        (
            [0, 1, 0, 2, 0],
            "The second window reads 3, 2, 3, a tie: torch's maximum is the first.",
        ),
        (
            [0, 1.5, 0, 1.5, 0],
            "You share the tie between both cells: torch gives all of it to the first.",
        ),
        (
            [0, 2, 0, 2, 0],
            "You give the tie to both cells: three outputs hand out a sum of 3 only.",
        ),
        (
            [0, 1, 0, 1, 0],
            "A cell that wins in several windows gets the sum of their gradients.",
        ),
        (
            [0, 1, 0, 0, 0],
            "You let the windows step by 3, the default; here the stride is 1, so "
            "there are three windows.",
        ),
        ([0, 3, 0, 0, 0], "The last window reads 2, 3, 0, and cell 1 is not in it."),
        (
            [1, 2, 3, 2, 1],
            "You count the windows over each cell: only the maximum of a window gets "
            "its gradient.",
        ),
        (
            [1 / 3, 2 / 3, 1, 2 / 3, 1 / 3],
            "That is the gradient of average pooling, which spreads it.",
        ),
        (
            [3, 3, 3],
            "That is the output; the gradient has the shape of the input, five cells.",
        ),
        (
            [0, 3, 0, 3, 0],
            "Those are the maxima at their places, as MaxUnpool writes them; the "
            "gradient counts 1 for each output.",
        ),
    ],
)

OVERLAP = Exercise(
    name="pooling/overlap",
    setup="""
        from helpers import digits

        _, _, x_test, _ = digits()
        pictures = F.pad(x_test, (4, 4, 4, 4))


        def change(pool, x):
            y, moved = pool(x), pool(x.roll(1, -1))  # (N, C, H_out, W_out)
            stays, moves = (moved - y).flatten(1), (moved - y.roll(1, -1)).flatten(1)
            least = torch.minimum(stays.norm(dim=1), moves.norm(dim=1))  # (N,)
            return (least / y.flatten(1).norm(dim=1)).mean().item()
    """,
    solution="""
        overlapping, apart = [], []
        for k in range(8):
            x = pictures[70 * k : 70 * k + 70]
            overlapping.append(change(nn.MaxPool2d(3, stride=2, padding=1), x))
            apart.append(change(nn.MaxPool2d(2), x))
        d = torch.tensor(overlapping) - torch.tensor(apart)  # (groups,)
        answer = d.mean().item(), (d.std() / len(d) ** 0.5).item()
    """,
    run=measure_run("overlapping", "apart"),
    mistakes=[
        (
            "stride=2",
            "stride=1",
            "Your overlapping windows step by 1, so that their map moves along with "
            "the picture: take stride=2.",
        ),
        (
            "stride=2, ",
            "",
            "Your windows of 3 lie side by side, since the stride's default is the "
            "kernel's size: take stride=2.",
        ),
        (
            "pictures[",
            "x_test[",
            "You move digits without a frame, so that ink leaves on the right and "
            "comes in on the left: take the groups from pictures.",
        ),
    ],
)

EXERCISES = (GRADIENT, AVERAGE, SUMMARY, TO_INPUT, OVERLAP)
