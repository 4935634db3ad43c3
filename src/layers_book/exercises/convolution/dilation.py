"""Exercises of the page convolution/dilation."""

from collections.abc import Iterator
from math import gcd, prod
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Case,
    Exercise,
    Mistake,
    Refused,
    Unanswered,
    distinct,
    function_run,
    signed,
)

# (k_h, k_w) and (d_h, d_w); a kernel of one entry and unequal dilations among them
KERNELS = ((3, 3), (3, 2), (2, 3), (1, 3), (4, 2), (2, 1))
DILATIONS = ((2, 2), (1, 3), (3, 1), (2, 4), (1, 1), (4, 2))


def _images(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    kernel, dilation = KERNELS[index % 6], DILATIONS[(index + index // 6) % 6]
    n, channels, outputs = distinct(generator, 3)
    room = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    x = signed(generator, n, channels, room[0] + 3, room[1] + 5).requires_grad_()
    weight = signed(generator, outputs, channels, *kernel).requires_grad_()
    bias = signed(generator, outputs).requires_grad_()
    return (x, weight, bias, dilation), {}


def _conv(wrong: str = "") -> Any:
    def answer(
        x: Tensor, weight: Tensor, bias: Tensor, dilation: tuple[int, int]
    ) -> Tensor:
        d_h, d_w = dilation
        (k_h, k_w), (h, w) = weight.shape[2:], x.shape[2:]
        stride = 1
        b: Tensor | None = bias
        if wrong == "swapped":
            d_h, d_w = d_w, d_h
        elif wrong == "one rate":
            d_w = d_h
        elif wrong == "undilated":
            d_h = d_w = 1
        elif wrong == "stride":
            d_h = d_w = 1
            return F.conv2d(x, weight, b, stride=dilation)
        elif wrong == "zeros counted":  # dilation taken for the number of zeros
            d_h, d_w = d_h + 1, d_w + 1
        elif wrong == "flipped":
            weight = weight.flip(-2, -1)
        elif wrong == "transposed kernel" and k_h == k_w:
            weight = weight.mT
        elif wrong == "no bias":
            b = None
        elif wrong == "bias per entry" and b is not None:
            b = b * k_h * k_w
        elif wrong == "one channel":
            x, weight = x[:, :1], weight[:, :1]
        elif wrong == "mean":
            return F.conv2d(x, weight / (k_h * k_w), b, stride, 0, (d_h, d_w))
        elif wrong == "same":
            x = F.pad(x, (0, d_w * (k_w - 1), 0, d_h * (k_h - 1)))
        elif wrong == "no gradient":
            x, weight, b = x.detach(), weight.detach(), bias.detach()
        elif wrong == "holes taken":  # dilation less one
            d_h, d_w = max(1, d_h - 1), max(1, d_w - 1)
        elif wrong == "k not k - 1":
            x = x[..., : h - d_h, : w - d_w]
        elif wrong == "last entry":
            i, j = d_h * (k_h - 1), d_w * (k_w - 1)
            y = torch.einsum("nchw,oc->nohw", x[..., i:, j:], weight[..., -1, -1])
            return y + bias[:, None, None]
        elif wrong == "detached":
            x = x.detach()
        elif wrong == "detached weight":
            weight = weight.detach()
        elif wrong == "short":
            x = x[..., : h - 1 if k_h > 1 else h, : w - 1 if k_w > 1 else w]
        elif wrong == "subsampled":
            return F.conv2d(x[..., ::d_h, ::d_w], weight, b)
        return F.conv2d(x, weight, b, stride, 0, (d_h, d_w))

    return answer


DILATED = Exercise(
    name="dilation/by_hand",
    reference=_conv(),
    run=function_run(_images, names=("x", "weight", "bias", "dilation")),
    forbid=("conv", "unfold"),
    mistakes=(
        Mistake(
            _conv("swapped"),
            "You have swapped the two rates: the first is for the rows, axis 2.",
        ),
        Mistake(
            _conv("one rate"),
            "You use the first rate on both axes: the columns have their own.",
        ),
        Mistake(
            _conv("undilated"),
            "You do not use dilation: entry (i, j) of the kernel reads the pixel "
            "i * d_h rows and j * d_w columns further.",
        ),
        Mistake(
            _conv("zeros counted"),
            "Your entries lie too far apart: dilation is the step from one entry to "
            "the next, so 1 leaves no hole and 2 leaves one.",
        ),
        Mistake(
            _conv("holes taken"),
            "Your entries lie one pixel too close: dilation is the step from one entry "
            "to the next, not the number of holes between them.",
        ),
        Mistake(
            _conv("k not k - 1"),
            "Your output is too small: k entries have k - 1 steps between them, so H "
            "loses d_h * (k_h - 1) rows.",
        ),
        Mistake(
            _conv("last entry"),
            "Your output holds the product of the last entry only: add all of them up.",
        ),
        Mistake(
            _conv("stride"),
            "You move the kernel by the rate, which is a stride. Dilation moves the "
            "kernel's entries apart; the kernel itself moves by 1.",
        ),
        Mistake(
            _conv("subsampled"),
            "You convolve one subsampled picture, and lose the outputs in between: "
            "every pixel that has room for the kernel gets an output.",
        ),
        Mistake(
            _conv("flipped"),
            "You flip the kernel: entry (0, 0) of weight meets the upper left pixel.",
        ),
        Mistake(
            _conv("transposed kernel"),
            "You have swapped rows and columns of the kernel: weight[:, :, i, j] goes "
            "with i rows down and j columns right.",
        ),
        Mistake(_conv("no bias"), "You do not add bias."),
        Mistake(
            _conv("bias per entry"),
            "You add the bias once for each entry of the kernel: once an output is "
            "right, after the loop.",
        ),
        Mistake(
            _conv("one channel"),
            "You read the first channel only: sum over all channels of x.",
        ),
        Mistake(
            _conv("mean"),
            "You divide by the number of entries: a convolution is a sum, not a mean.",
        ),
        Mistake(
            _conv("same"),
            "Your output is as large as the input: without padding it loses "
            "d * (k - 1) on each axis.",
        ),
        Mistake(
            _conv("short"),
            "Your output lacks its last row and column: it has H - d_h * (k_h - 1) "
            "rows.",
        ),
        Mistake(
            _conv("no gradient"),
            "The output is right, but it carries no gradient: compute without detach, "
            ".data and NumPy.",
        ),
        Mistake(
            _conv("detached"),
            "The output is right, the gradient is not: do not detach x.",
        ),
        Mistake(
            _conv("detached weight"),
            "The output is right, the gradient is not: do not detach weight.",
        ),
    ),
)

STACKS: tuple[tuple[int, ...], ...] = (
    (1, 2, 9),  # first: no two of the wrong rules give one number here
    (1, 2, 5),
    (2, 2, 2),
    (4,),
    (3, 5),
    (1, 2, 4, 8),
    (2, 4, 8),
)
STACKS += ((5, 1), (1, 1, 1, 1), (3, 6), (7, 2, 3), (1, 3, 9))


def _rates(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    kernel = (3, 2, 3, 4, 5, 2, 3, 3, 3, 1, 2, 3)[index]
    return (STACKS[index], kernel), {}


def _touched(dilations: tuple[int, ...], kernel_size: int) -> tuple[int, int]:
    """From torch's gradient of a stack of all-ones convolutions."""
    n = (kernel_size - 1) * sum(dilations) + 1
    x = torch.zeros(1, 1, n, dtype=torch.float64, requires_grad=True)
    y: Tensor = x
    for d in dilations:
        ones = torch.ones(1, 1, kernel_size, dtype=torch.float64)
        y = F.conv1d(y, ones, dilation=d)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    return int((gradient > 0).sum()), n


def _wrong_touched(wrong: str) -> Any:
    def answer(dilations: tuple[int, ...], kernel_size: int) -> Any:
        k, count = kernel_size, len(dilations)
        touched, field = _touched(tuple(dilations), k)
        if wrong == "sum of kernels":
            field = k * count
        elif wrong == "sum of spans":
            field = sum(d * (k - 1) + 1 for d in dilations)
        elif wrong == "k not k - 1":
            field = 1 + k * sum(dilations)
        elif wrong == "without 1":
            field -= 1
        elif wrong == "no dilation":
            field = 1 + (k - 1) * count
            touched = min(touched, field)
        elif wrong == "sum of rates":
            field = 1 + sum(dilations)
        elif wrong == "product of rates":
            field = 1 + (k - 1) * prod(dilations)
        elif wrong == "smaller":
            touched = min(k**count, field)
        elif wrong == "divisor":
            touched = (k - 1) * sum(dilations) // gcd(*dilations) + 1
        elif wrong == "all touched":
            touched = field
        elif wrong == "paths":
            touched = k**count
        elif wrong == "last layer":
            touched = k
        elif wrong == "by hand 3":
            touched, field = _touched(tuple(dilations), 3)
        elif wrong == "two dimensions":
            touched, field = touched**2, field**2
        elif wrong == "swapped":
            touched, field = field, touched
        elif wrong == "share":
            return touched / field
        elif wrong == "holes":
            touched = field - touched
        return touched, field

    return answer


def _plain(value: Any) -> Any:
    """Tensors and arrays as Python numbers, alone or within a list or tuple."""
    if isinstance(value, list | tuple | range):
        return [_plain(v) for v in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    whole = isinstance(value, float) and value.is_integer()
    return int(value) if whole else value


def _pair_run(answer: Any, generator: Generator) -> Iterator[Case]:
    """The function's pair as a tuple of numbers, in whatever form it is given."""

    def pair(dilations: tuple[int, ...], kernel_size: int) -> Any:
        value = _plain(answer(dilations, kernel_size))
        return tuple(value) if isinstance(value, list) else value

    if not callable(answer) or isinstance(answer, type):
        pair = answer
    run = function_run(_rates, names=("dilations", "kernel_size"), float32=False)
    yield from run(pair, generator)  # type: ignore[misc]


TOUCHED = Exercise(
    name="dilation/touched",
    reference=_touched,
    run=_pair_run,
    forbid=("grad", "backward", "conv"),
    mistakes=(
        Mistake(
            _wrong_touched("sum of kernels"),
            "Your field is the sum of the kernel sizes: a layer adds "
            "d * (kernel_size - 1) to it, and the first cell counts once.",
        ),
        Mistake(
            _wrong_touched("sum of spans"),
            "Your field adds up the spans: neighboring spans share one cell, so a "
            "layer adds d * (kernel_size - 1), one less.",
        ),
        Mistake(
            _wrong_touched("k not k - 1"),
            "Your field counts one step too many in each layer: k entries have k - 1 "
            "steps between them.",
        ),
        Mistake(
            _wrong_touched("without 1"),
            "Your field is one too small: n steps join n + 1 cells.",
        ),
        Mistake(
            _wrong_touched("no dilation"),
            "Your field forgets the dilation: a step is d cells long.",
        ),
        Mistake(
            _wrong_touched("sum of rates"),
            "Your field counts one step of d cells a layer: there are kernel_size - 1.",
        ),
        Mistake(
            _wrong_touched("product of rates"),
            "You multiply the rates: they would multiply if they were strides. Steps "
            "of the layers add up.",
        ),
        Mistake(
            _wrong_touched("smaller"),
            "You take the smaller of paths and field; paths may share a cell while "
            "other cells stay empty: collect the places in a set.",
        ),
        Mistake(
            _wrong_touched("divisor"),
            "You count each place that the common divisor of the rates allows; holes "
            "remain without a common divisor too: collect the places in a set.",
        ),
        Mistake(
            _wrong_touched("all touched"),
            "You count the whole field as touched: collect the sums of one offset a "
            "layer, and count the different ones.",
        ),
        Mistake(
            _wrong_touched("paths"),
            "You count paths, kernel_size ** layers of them; several paths may end "
            "in one cell: a set keeps each cell once.",
        ),
        Mistake(
            _wrong_touched("last layer"),
            "You count the cells of one layer: each of them reads kernel_size cells "
            "of the layer below.",
        ),
        Mistake(
            _wrong_touched("by hand 3"),
            "You take every kernel for one of size 3: use kernel_size.",
        ),
        Mistake(
            _wrong_touched("two dimensions"),
            "That is the number in two dimensions: give one axis.",
        ),
        Mistake(
            _wrong_touched("swapped"),
            "You have swapped the pair: touched first, then the field.",
        ),
        Mistake(
            _wrong_touched("share"),
            "You return the share: return the pair (touched, field).",
        ),
        Mistake(
            _wrong_touched("holes"),
            "You count the holes: count the cells that are touched.",
        ),
    ),
)


def _three(answer: Any, generator: Generator) -> Iterator[Case]:
    """Three rates in any order; what they reach is measured, as a probe would."""
    answer = _plain(answer)
    if not isinstance(answer, list):
        raise Refused("A list of three whole numbers is expected, such as [2, 2, 2].")
    if any(rate is None or rate is Ellipsis for rate in answer):
        raise Unanswered("put your value in place of the dots.")
    whole = all(type(rate) is int and rate > 0 for rate in answer)
    if len(answer) != 3 or not whole:
        raise Refused(
            f"Three whole numbers above 0 are expected, and you give {answer}."
        )
    if sum(answer) > 1000:
        raise Refused("Rates that large leave holes: the field has at most 27 cells.")
    yield Case("the largest number that divides all three rates", gcd(*answer))
    touched, field = _touched(tuple(answer), 3)
    yield Case("whether a rate is 1", 1 in answer)
    yield Case("the number of holes", field - touched)
    yield Case("the field", field)


THREE = Exercise(
    name="dilation/three_rates",
    reference=[1, 3, 9],
    run=_three,
    configurations=1,
    mistakes=(
        Mistake(
            [1, 2, 5],
            "No holes, but a field of 17 is not the largest: look how many paths reach "
            "the same cell.",
        ),
        Mistake(
            [1, 2, 4],
            "No holes, but a field of 15 is not the largest: with three entries, the "
            "copies that a layer makes can lie further apart.",
        ),
        Mistake(
            [1, 2, 3],
            "No holes, but a field of 13 is not the largest: 27 paths end in 13 cells.",
        ),
        Mistake([1, 1, 1], "No holes, and the smallest field there is: 7."),
        Mistake(
            [1, 2, 9],
            "Four holes: a layer puts copies of a row of cells further apart than the "
            "row is long.",
        ),
        Mistake(
            [1, 3, 10],
            "Two holes: a layer puts copies of a row of cells further apart than the "
            "row is long.",
        ),
        Mistake(
            [2, 3, 9],
            "No rate is 1, so the second cell of the field is a hole: every other path "
            "is at least two cells away from the outermost one.",
        ),
        Mistake(
            [3, 9, 27],
            "All rates share the factor 3, so only every third cell is touched.",
        ),
        Mistake(
            [2, 2, 2],
            "All rates are even, so an output never reads a cell at an odd distance.",
        ),
        Mistake(
            [1, 3, 7],
            "No holes, and a field of 23. There is still some overlap: can one of the "
            "rates be larger?",
        ),
        Mistake(
            [1, 3, 8],
            "No holes, and a field of 25. One step more is possible.",
        ),
        Mistake(
            [1, 4, 16],
            "Sixteen holes: a layer puts copies of a row of cells much further apart "
            "than the row is long.",
        ),
    ),
)

EXERCISES = (DILATED, TOUCHED, THREE)
