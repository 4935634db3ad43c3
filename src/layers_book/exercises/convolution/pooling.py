"""Exercises of the page convolution/pooling."""

from typing import Any

from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import Exercise, distinct, function_run, value_run, varied

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

# cells and bins: a divisor, ordinary, as many, more bins than cells, one bin
BINS = ((10, 4), (12, 5), (8, 4), (3, 7), (7, 5), (6, 6), (5, 12), (9, 1), (11, 8))


def _axis(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    n, size = BINS[index % 9]
    sizes = [*distinct(generator, index % 3, low=4), n]
    return (varied(generator, *sizes, axis=0).requires_grad_(), size), {}


def _adaptive(x: Tensor, size: int) -> Tensor:
    y = F.adaptive_avg_pool1d(x.reshape(1, -1, x.shape[-1]), size)
    return y.view(*x.shape[:-1], -1)


ADAPTIVE = Exercise(
    name="pooling/adaptive",
    solution="""
        def adaptive(x, output_size):
            n = x.shape[-1]
            means = []
            for i in range(output_size):
                start = i * n // output_size
                end = -(-(i + 1) * n // output_size)
                means.append(x[..., start:end].mean(-1))
            return torch.stack(means, -1)
    """,
    reference=_adaptive,
    run=function_run(_axis, names=("x", "output_size"), configurations=18),
    forbid=("pool", "interpolate"),
    mistakes=[
        (
            "-(-(i + 1) * n // output_size)",
            "max(start + 1, (i + 1) * n // output_size)",
            "You round the end of a bin down: it is rounded up, so that neighbors may "
            "share a cell.",
        ),
        (
            "-(-(i + 1) * n // output_size)",
            "(i + 1) * n // output_size + 1",
            "You add 1 to the floor in order to round up: where (i + 1) * n / "
            "output_size is a whole number, that is a cell too many.",
        ),
        (
            "i * n // output_size",
            "min(round(i * n / output_size), n - 1)",
            "-(-(i + 1) * n // output_size)",
            "max(start + 1, round((i + 1) * n / output_size))",
            "You round the edges of a bin to the nearest cell: the start is rounded "
            "down and the end up.",
        ),
        (
            "mean(-1)",
            "sum(-1) / (n / output_size)",
            "You divide every sum by n / output_size: divide each by the number of "
            "cells in its own bin.",
        ),
        (
            "i * n // output_size",
            "min(-(-i * n // output_size), n - 1)",
            "-(-(i + 1) * n // output_size)",
            "max(start + 1, -(-(i + 1) * n // output_size))",
            "You round the start of a bin up: it is rounded down.",
        ),
        (
            """
            def adaptive(x, output_size):
                n = x.shape[-1]
                stride = max(1, n // output_size)
                kernel = max(1, n - (output_size - 1) * stride)
                means = []
                for i in range(output_size):
                    start = min(i * stride, n - 1)
                    means.append(x[..., start : start + kernel].mean(-1))
                return torch.stack(means, -1)
            """,
            "You use one kernel and one stride for all bins, as a formula that goes "
            "around has it: each bin has its own start and end.",
        ),
        (
            "i * n // output_size",
            "min(i * max(1, n // output_size), n - 1)",
            "-(-(i + 1) * n // output_size)",
            "start + max(1, n // output_size)",
            "You cut bins of n // output_size cells, so the rest of the axis is never "
            "read.",
        ),
        (
            "-(-(i + 1) * n // output_size)",
            "start - (-n // output_size)",
            "Your bins all have ceil(n / output_size) cells; some have one more or "
            "fewer: compute the end from i + 1.",
        ),
        (
            "i * n // output_size",
            "min(i * (n // output_size) + min(i, n % output_size), n - 1)",
            "-(-(i + 1) * n // output_size)",
            "start + max(1, n // output_size + (i < n % output_size))",
            "You split the axis into parts that share no cell, the longer ones first: "
            "adaptive bins may overlap.",
        ),
        (
            "start:end",
            "start : end + 1",
            "Your bins are one cell too long: ceil((i + 1) * n / output_size) is the "
            "first cell that is left out.",
        ),
        (
            "start:end].mean(-1)",
            "start]",
            "You pick the first cell of each bin: average the whole bin.",
        ),
        (
            """
            def adaptive(x, output_size):
                rows = x.reshape(1, -1, x.shape[-1])
                y = F.interpolate(rows, output_size, mode="linear")
                return y.view(*x.shape[:-1], -1)
            """,
            "You interpolate between cells: an adaptive average takes whole cells.",
        ),
        (
            "mean(-1)",
            "max(-1).values",
            "That is the adaptive maximum: average each bin.",
        ),
        (
            "mean(-1)",
            "sum(-1)",
            "You return the sums: divide each by the length of its own bin.",
        ),
        (
            "x.shape[-1]",
            "len(x)",
            "x[..., start:end].mean(-1)",
            "x[start:end].mean(0)",
            "means, -1",
            "means",
            "You pool the first axis; pool the last one.",
        ),
        (
            "means, -1",
            "means",
            "Your bins stand on the first axis: stack them along the last, dim=-1.",
        ),
        (
            ".mean",
            ".detach().mean",
            "The output is right, the gradient is not: compute with x itself, not "
            "with a detached copy.",
        ),
    ],
)

PLAIN = Exercise(
    name="pooling/plain",
    solution="sizes = [3, 2, 1]",
    run=value_run(),
    mistakes=[
        (
            [3, 1, 0],
            "That is the formula that goes around, stride 5 // 3 and kernel 5 - 2 * "
            "stride: its bins 0 to 2, 1 to 3, 2 to 4 are all of three cells.",
        ),
        ([3, 2, 0], "Without padding only two such windows fit into five cells."),
        (
            [2, 2, 0],
            "Only two such windows fit, and no cell is in two of them; the bins here "
            "share cells 1 and 3.",
        ),
        (
            [2, 2, 1],
            "Three windows, but the first reads cell 0 only: with padding 1 on the "
            "left, a kernel of 2 has one cell left.",
        ),
        ([2, 1, 0], "That gives four outputs, 5 - 2 + 1."),
        (
            [5, 2, 2],
            "Three windows at the right places, but too long: the first one reads "
            "cells 0 to 2.",
        ),
        (
            [1, 2, 3],
            "The order is kernel_size, stride, padding: yours runs the other way.",
        ),
        (
            [2, 3, 1],
            "The order is kernel_size, stride, padding: are the first two swapped?",
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

EXERCISES = (AVERAGE, ADAPTIVE, PLAIN, GRADIENT)
