"""Exercises of the page convolution/dilation."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Case,
    Exercise,
    Refused,
    custom_run,
    distinct,
    function_run,
    function_steps,
    signed,
    value_steps,
)

# (k_h, k_w) and (d_h, d_w); a kernel of one entry and unequal dilations among them
KERNELS = ((3, 3), (3, 2), (2, 3), (1, 3), (4, 2), (2, 1))
DILATIONS = ((2, 2), (1, 3), (3, 1), (2, 4), (1, 1), (4, 2))


def _images(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Room for the kernel, also where the two rates are swapped."""
    index = generator.initial_seed()
    kernel, dilation = KERNELS[index % 6], DILATIONS[(index + index // 6) % 6]
    n, channels, outputs = distinct(generator, 3)
    room = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    x = signed(generator, n, channels, room[0] + 4, room[1] + 5).requires_grad_()
    weight = signed(generator, outputs, channels, *kernel).requires_grad_()
    bias = signed(generator, outputs).requires_grad_()
    return (x, weight, bias, dilation), {}


def _dilated(
    x: Tensor, weight: Tensor, bias: Tensor, dilation: tuple[int, int]
) -> Tensor:
    return F.conv2d(x, weight, bias, dilation=dilation)


DILATED = Exercise(
    name="dilation/by_hand",
    solution="""
        def dilated(x, weight, bias, dilation):
            (d_h, d_w), (k_h, k_w) = dilation, weight.shape[2:]
            h, w = x.shape[2] - d_h * (k_h - 1), x.shape[3] - d_w * (k_w - 1)
            y = bias[:, None, None]
            for i in range(k_h):
                for j in range(k_w):
                    copy = x[:, :, i * d_h : i * d_h + h, j * d_w : j * d_w + w]
                    y = y + torch.einsum("nchw,oc->nohw", copy, weight[:, :, i, j])
            return y
    """,
    reference=_dilated,
    run=function_run(_images, names=("x", "weight", "bias", "dilation")),
    forbid=("conv", "unfold", "im2col"),
    mistakes=[
        (
            "(d_h, d_w)",
            "(d_w, d_h)",
            "You have swapped the two rates: the first is for the rows, axis 2.",
        ),
        (
            "j * d_w",
            "j * d_h",
            "d_w * (",
            "d_h * (",
            "You use the first rate on both axes: the columns have their own.",
        ),
        (
            "dilation, weight",
            "(1, 1), weight",
            "You do not use dilation: entry (i, j) of the kernel reads the pixel i * "
            "d_h rows and j * d_w columns further.",
        ),
        (
            "dilation, weight",
            "(d + 1 for d in dilation), weight",
            "Your entries lie too far apart: dilation is the step from one entry to "
            "the next, so 1 leaves no hole and 2 leaves one.",
        ),
        (
            "dilation, weight",
            "(max(1, d - 1) for d in dilation), weight",
            "Your entries lie one pixel too close: dilation is the step from one "
            "entry to the next, not the number of holes between them.",
        ),
        (
            "(k_h - 1)",
            "k_h",
            "(k_w - 1)",
            "k_w",
            "Your output is too small: k entries have k - 1 steps between them, so H "
            "loses d_h * (k_h - 1) rows.",
        ),
        (
            "y = y +",
            "y = bias[:, None, None] +",
            "Your output holds the product of the last entry only: add all of them up.",
        ),
        (
            "x.shape[2] - d_h * (k_h - 1), x.shape[3] - d_w * (k_w - 1)",
            "x.shape[2] - k_h + 1, x.shape[3] - k_w + 1",
            "i * d_h : i * d_h + h, j * d_w : j * d_w + w",
            "i : i + h : d_h, j : j + w : d_w",
            "You move the kernel by the rate, which is a stride. Dilation moves the "
            "kernel's entries apart; the kernel itself moves by 1.",
        ),
        (
            "h, w = x.shape[2] - d_h * (k_h - 1), x.shape[3] - d_w * (k_w - 1)",
            "x = x[:, :, ::d_h, ::d_w]\n"
            "    h, w = x.shape[2] - k_h + 1, x.shape[3] - k_w + 1",
            "i * d_h : i * d_h + h, j * d_w : j * d_w + w",
            "i : i + h, j : j + w",
            "You convolve one subsampled picture, and lose the outputs in between: "
            "every pixel that has room for the kernel gets an output.",
        ),
        (
            "[:, :, i, j]",
            "[:, :, -1 - i, -1 - j]",
            "You flip the kernel: entry (0, 0) of weight meets the upper left pixel.",
        ),
        (
            "copy, weight[:, :, i, j]",
            "copy, (weight.mT if k_h == k_w else weight)[:, :, i, j]",
            "You have swapped rows and columns of the kernel: weight[:, :, i, j] goes "
            "with i rows down and j columns right.",
        ),
        ("bias[:, None, None]", "0", "You do not add bias."),
        (
            "bias[:, None, None]",
            "0",
            "y = y +",
            "y = y + bias[:, None, None] +",
            "You add the bias once for each entry of the kernel: once an output is "
            "right, after the loop.",
        ),
        (
            '"nchw,oc->nohw", copy, weight[:, :, i, j]',
            '"nhw,o->nohw", copy[:, 0], weight[:, 0, i, j]',
            "You read the first channel only: sum over all channels of x.",
        ),
        (
            "i, j])",
            "i, j]) / (k_h * k_w)",
            "You divide by the number of entries: a convolution is a sum, not a mean.",
        ),
        (
            "x.shape[2] - d_h * (k_h - 1), x.shape[3] - d_w * (k_w - 1)",
            "x.shape[2:]\n    x = F.pad(x, (0, d_w * (k_w - 1), 0, d_h * (k_h - 1)))",
            "Your output is as large as the input: without padding it loses d * (k - "
            "1) on each axis.",
        ),
        (
            "(k_h - 1)",
            "(k_h - 1) - (k_h > 1)",
            "(k_w - 1)",
            "(k_w - 1) - (k_w > 1)",
            "Your output lacks its last row and column: it has H - d_h * (k_h - 1) "
            "rows.",
        ),
        (
            "return y",
            "return y.detach()",
            "The output is right, but it carries no gradient: compute without detach, "
            ".data and NumPy.",
        ),
        (
            "copy = x[",
            "copy = x.detach()[",
            "The output is right, the gradient is not: do not detach x.",
        ),
        (
            "i, j])",
            "i, j].detach())",
            "The output is right, the gradient is not: do not detach weight.",
        ),
    ],
)

STACKS: tuple[tuple[tuple[int, ...], int], ...] = (
    ((1, 2, 9), 3),  # first: no two of the wrong rules give one number here
    ((1, 2, 5), 2),
    ((2, 2, 2), 3),
    ((4,), 4),
    ((3, 5), 5),
    ((1, 2, 4, 8), 2),
    ((2, 4, 8), 3),
    ((5, 1), 3),
    ((1, 1, 1, 1), 3),
    ((3, 6), 1),
    ((7, 2, 3), 2),
    ((1, 3, 9), 3),
)


def _rates(generator: Generator) -> dict[str, Any]:
    return {"args": STACKS[generator.initial_seed()]}


def _pair(answer: Any, args: Sequence[Any]) -> Iterator[Case]:
    """The pair as a tuple of numbers, in whatever form it is given."""

    def plain(value: Any) -> Any:
        value = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(value, (list, tuple, range)):
            return tuple(plain(v) for v in value)
        whole = isinstance(value, float) and value.is_integer()
        return int(value) if whole else value

    names = ("dilations", "kernel_size")
    for case in function_steps(answer, args, {}, names, float32=False):
        value = plain(case.value) if case.kind == "output" else case.value
        yield Case(case.kind, case.name, case.where, value)


def _touched(dilations: Sequence[int], kernel_size: int) -> tuple[int, int]:
    """From torch's gradient of a stack of all-ones convolutions."""
    n = (kernel_size - 1) * sum(dilations) + 1
    x = torch.zeros(1, 1, n, dtype=torch.float64, requires_grad=True)
    y: Tensor = x
    for d in dilations:
        ones = torch.ones(1, 1, kernel_size, dtype=torch.float64)
        y = F.conv1d(y, ones, dilation=d)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    return int((gradient > 0).sum()), n


TOUCHED = Exercise(
    name="dilation/touched",
    solution="""
        def touched(dilations, kernel_size):
            places = {0}
            for d in dilations:
                places = {p + d * i for p in places for i in range(kernel_size)}
            return len(places), max(places) + 1
    """,
    reference=_touched,
    run=custom_run(_pair, _rates),
    forbid=("autograd.", "backward", "conv"),
    mistakes=[
        (
            "max(places) + 1",
            "kernel_size * len(dilations)",
            "Your field is the sum of the kernel sizes: a layer adds d * (kernel_size "
            "- 1) to it, and the first cell counts once.",
        ),
        (
            "max(places) + 1",
            "sum(d * (kernel_size - 1) + 1 for d in dilations)",
            "Your field adds up the spans: neighboring spans share one cell, so a "
            "layer adds d * (kernel_size - 1), one less.",
        ),
        (
            "max(places) + 1",
            "1 + kernel_size * sum(dilations)",
            "Your field counts one step too many in each layer: k entries have k - 1 "
            "steps between them.",
        ),
        (
            "max(places) + 1",
            "max(places)",
            "Your field is one too small: n steps join n + 1 cells.",
        ),
        ("d * i", "i", "Your field forgets the dilation: a step is d cells long."),
        (
            "max(places) + 1",
            "1 + sum(dilations)",
            "Your field counts one step of d cells a layer: there are kernel_size - 1.",
        ),
        (
            "max(places)",
            "(kernel_size - 1) * math.prod(dilations)",
            "You multiply the rates: they would multiply if they were strides. Steps "
            "of the layers add up.",
        ),
        (
            "len(places)",
            "min(kernel_size ** len(dilations), max(places) + 1)",
            "You take the smaller of paths and field; paths may share a cell while "
            "other cells stay empty: collect the places in a set.",
        ),
        (
            "len(places)",
            "max(places) // math.gcd(*dilations) + 1",
            "You count each place that the common divisor of the rates allows; holes "
            "remain without a common divisor too: collect the places in a set.",
        ),
        (
            "len(places)",
            "max(places) + 1",
            "You count the whole field as touched: collect the sums of one offset a "
            "layer, and count the different ones.",
        ),
        (
            "{",
            "[",
            "}",
            "]",
            "You count paths, kernel_size ** layers of them; several paths may end in "
            "one cell: a set keeps each cell once.",
        ),
        (
            "len(places)",
            "kernel_size",
            "You count the cells of one layer: each of them reads kernel_size cells "
            "of the layer below.",
        ),
        (
            "range(kernel_size)",
            "range(3)",
            "You take every kernel for one of size 3: use kernel_size.",
        ),
        (
            "len(places), max(places) + 1",
            "len(places) ** 2, (max(places) + 1) ** 2",
            "That is the number in two dimensions: give one axis.",
        ),
        (
            "len(places), max(places) + 1",
            "max(places) + 1, len(places)",
            "You have swapped the pair: touched first, then the field.",
        ),
        (
            "len(places), max(places) + 1",
            "len(places) / (max(places) + 1)",
            "You return the share: return the pair (touched, field).",
        ),
        (
            "len(places)",
            "max(places) + 1 - len(places)",
            "You count the holes: count the cells that are touched.",
        ),
    ],
)


def _three(answer: Any) -> Iterator[tuple[str, Any]]:
    """Three rates in any order; what they reach is measured, as a probe would."""

    def plain(value: Any) -> Any:
        value = value.tolist() if hasattr(value, "tolist") else value
        whole = isinstance(value, float) and value.is_integer()
        return int(value) if whole else value

    answer = plain(answer)
    if isinstance(answer, (set, frozenset)):
        answer = list(answer)
    if not isinstance(answer, (list, tuple, range)):
        raise Refused("A list of three whole numbers is expected, such as [2, 2, 2].")
    (case,) = value_steps(answer)  # refuses dots
    rates = [plain(rate) for rate in case.value]
    if len(rates) != 3 or not all(type(rate) is int and rate > 0 for rate in rates):
        raise Refused(
            f"Three whole numbers above 0 are expected, and you give {rates}."
        )
    if sum(rates) > 1000:
        raise Refused("Rates that large leave holes: the field has at most 27 cells.")
    divisors = range(1, max(rates) + 1)
    common = [d for d in divisors if all(rate % d == 0 for rate in rates)]
    yield "the largest number that divides all three rates", max(common)
    yield "whether a rate is 1", 1 in rates
    reached = {0}
    for rate in rates:
        reached = {place + rate * i for place in reached for i in range(3)}
    yield "the number of holes", max(reached) + 1 - len(reached)
    yield "the field", max(reached) + 1


THREE = Exercise(
    name="dilation/three_rates",
    solution="rates = [1, 3, 9]",
    run=custom_run(_three, configurations=1),
    mistakes=[
        (
            [1, 2, 5],
            "No holes, but a field of 17 is not the largest: look how many paths "
            "reach the same cell.",
        ),
        (
            [1, 2, 4],
            "No holes, but a field of 15 is not the largest: with three entries, the "
            "copies that a layer makes can lie further apart.",
        ),
        (
            [1, 2, 3],
            "No holes, but a field of 13 is not the largest: 27 paths end in 13 cells.",
        ),
        ([1, 1, 1], "No holes, and the smallest field there is: 7."),
        (
            [1, 2, 9],
            "Four holes: a layer puts copies of a row of cells further apart than the "
            "row is long.",
        ),
        (
            [1, 3, 10],
            "Two holes: a layer puts copies of a row of cells further apart than the "
            "row is long.",
        ),
        (
            [2, 3, 9],
            "No rate is 1, so the second cell of the field is a hole: every other "
            "path is at least two cells away from the outermost one.",
        ),
        (
            [3, 9, 27],
            "All rates share the factor 3, so only every third cell is touched.",
        ),
        (
            [2, 2, 2],
            "All rates are even, so an output never reads a cell at an odd distance.",
        ),
        (
            [1, 3, 7],
            "No holes, and a field of 23. There is still some overlap: can one of the "
            "rates be larger?",
        ),
        ([1, 3, 8], "No holes, and a field of 25. One step more is possible."),
        (
            [1, 4, 16],
            "Sixteen holes: a layer puts copies of a row of cells much further apart "
            "than the row is long.",
        ),
    ],
)

EXERCISES = (DILATED, TOUCHED, THREE)
