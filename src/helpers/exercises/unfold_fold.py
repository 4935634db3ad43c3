"""Exercises of the page convolution/unfold_fold."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from helpers._check import (
    Exercise,
    Mistake,
    distinct,
    function_run,
    signed,
    value_run,
    varied,
)

# kernel_size, stride, padding, dilation
WINDOWS_1D = ((3, 2, 1, 1), (2, 1, 0, 3), (4, 3, 2, 1), (3, 1, 3, 2), (2, 3, 1, 2))


def _sequences(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    n, channels = distinct(generator, 2)
    k, stride, padding, dilation = WINDOWS_1D[index % 5]
    if index % 4 == 3:
        k, stride, padding, dilation = 3, 1, 0, 1
    x = varied(generator, n, channels, 9 + index % 4).requires_grad_()
    given = {"stride": stride, "padding": padding, "dilation": dilation}
    return (x, k), {} if index % 4 == 3 else given


def _unfold1d(wrong: str = "") -> Any:
    def answer(
        x: Tensor,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
    ) -> Tensor:
        k, left, right = kernel_size, padding, padding
        if wrong == "swapped":
            stride, dilation = dilation, stride
        elif wrong == "no stride":
            stride = 1
        elif wrong == "no dilation":
            dilation = 1
        elif wrong == "no padding":
            left = right = 0
        elif wrong == "in total":
            left, right = padding // 2, padding - padding // 2
        elif wrong == "left only":
            left, right = 2 * padding, 0
        if wrong == "detached":
            x = x.detach()
        mode = "replicate" if wrong == "replicate" else "constant"
        x = F.pad(x, (left, right), mode)
        span = dilation * (k - 1)
        length = x.shape[-1] - span - 1
        count = length // stride + 1
        if wrong == "one short" or (wrong == "exact" and length % stride == 0):
            count = max(count - 1, 1)
        if wrong == "span":
            count = max((x.shape[-1] - dilation * k) // stride + 1, 1)
        i = torch.arange(k)[:, None] * dilation + torch.arange(count) * stride
        if wrong == "flipped":
            i = i.flip(0)
        patches = x[..., i]  # (N, C, k, L_out)
        if wrong == "entry first":
            return patches.transpose(1, 2).flatten(1, 2)
        if wrong == "windows first":
            return patches.flatten(1, 2).mT
        if wrong == "not merged":
            return patches
        if wrong == "reshaped":
            return patches.mT.reshape(x.shape[0], -1, count)
        return patches.flatten(1, 2)

    return answer


UNFOLD1D = Exercise(
    name="unfold_fold/unfold1d",
    reference=_unfold1d(),
    run=function_run(_sequences, names=("x", "kernel_size")),
    forbid=("unfold", "im2col"),
    mistakes=(
        Mistake(
            _unfold1d("entry first"),
            "Your rows are in the order (kernel entry, channel): all entries of "
            "channel 0 come first, then those of channel 1.",
        ),
        Mistake(
            _unfold1d("windows first"),
            "You return (N, L_out, C * k): the windows are the last axis, each is a "
            "column.",
        ),
        Mistake(
            _unfold1d("not merged"),
            "You return (N, C, k, L_out): merge channel and kernel entry, "
            ".flatten(1, 2).",
        ),
        Mistake(
            _unfold1d("reshaped"),
            "The shape is right, the numbers are mixed: you have (N, C, L_out, k) and "
            "reshape it. Move the axes with transpose first: reshape only counts.",
        ),
        Mistake(
            _unfold1d("swapped"),
            "You have swapped stride and dilation: stride lies between windows, "
            "dilation between the entries of one window.",
        ),
        Mistake(
            _unfold1d("no stride"),
            "You do not use stride: window w starts at w * stride.",
        ),
        Mistake(
            _unfold1d("no dilation"),
            "You do not use dilation: entry t lies t * dilation after the start, and a "
            "window spans dilation * (k - 1) + 1 samples.",
        ),
        Mistake(
            _unfold1d("no padding"),
            "You do not pad: F.pad(x, (padding, padding)) first.",
        ),
        Mistake(
            _unfold1d("left only"),
            "You pad the left side only: padding is the number of zeros on each side.",
        ),
        Mistake(
            _unfold1d("in total"),
            "You split padding between the sides: it is the number of zeros on each.",
        ),
        Mistake(
            _unfold1d("replicate"),
            "You repeat the border samples: the padding is zeros.",
        ),
        Mistake(
            _unfold1d("one short"),
            "The last window is missing: there are (length - span) // stride + 1.",
        ),
        Mistake(
            _unfold1d("exact"),
            "Where the windows end exactly at the last sample, you leave the last one "
            "out: mind the end of a range.",
        ),
        Mistake(
            _unfold1d("span"),
            "A window of k entries spans dilation * (k - 1) + 1 samples, not "
            "dilation * k.",
        ),
        Mistake(
            _unfold1d("flipped"),
            "You read each window from its end: entry 0 is its first sample.",
        ),
        Mistake(
            _unfold1d("detached"),
            "The output is right, the gradient is not: index x itself, not a detached "
            "copy or its data.",
        ),
    ),
)

# output_size, kernel_size, stride, padding: overlaps, exact ones, and cells never read
WINDOWS_2D = (
    ((5, 7), 3, 1, 0),
    ((8, 6), 3, 2, 1),
    ((7, 9), 2, 3, 0),
    ((4, 6), 2, 2, 0),
    ((6, 5), 4, 2, 2),
    ((8, 7), 3, 3, 0),
)


def _patches(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    size, k, stride, padding = WINDOWS_2D[index % 6]
    n, channels = distinct(generator, 2)
    down, across = ((m + 2 * padding - k) // stride + 1 for m in size)
    columns = signed(generator, n, channels * k * k, down * across) + 0.25
    # zeros among the values: who counts nonzero values is seen
    columns[torch.rand(columns.shape, generator=generator) < 0.2] = 0
    given = {"stride": stride, "padding": padding}
    if stride == 1 and not padding:
        given = {}
    return (columns.requires_grad_(), size, k), given


def _merge(wrong: str = "") -> Any:
    def answer(
        columns: Tensor,
        output_size: tuple[int, int],
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
    ) -> Tensor:
        k = kernel_size
        if wrong == "detached":
            columns = columns.detach()

        def fold(values: Tensor) -> Tensor:
            return F.fold(values, output_size, k, stride=stride, padding=padding)

        ones = torch.ones_like(columns)
        sums, counts = fold(columns), fold(ones)
        if wrong == "sum":
            return sums
        if wrong == "k * k":
            return sums / k**2
        if wrong == "windows":
            return sums / columns.shape[-1]
        if wrong == "largest count":
            return sums / counts.max()
        if wrong == "nan":
            return sums / counts
        if wrong == "one more":
            return sums / (counts + 1)
        if wrong == "small number":
            return sums / (counts + 1e-2)
        if wrong == "no stride":
            dense = F.unfold(torch.ones_like(sums), k, padding=padding)
            counts = F.fold(dense, output_size, k, padding=padding)
            return sums / counts
        if wrong == "nonzero":
            return sums / fold((columns != 0).to(columns.dtype)).clamp(min=1)
        if wrong == "root":
            return sums / counts.clamp(min=1).sqrt()
        if wrong == "one for unread":
            return torch.where(counts == 0, 1.0, sums / counts.clamp(min=1))
        if wrong == "mean for unread":
            mean = sums / counts.clamp(min=1)
            return torch.where(counts == 0, mean.mean(), mean)
        if wrong == "last":
            return _overwrite(columns, output_size, k, stride, padding)
        if wrong == "first patch":
            order = columns.flip(-1), output_size, k, stride, padding
            return _overwrite(*order, backward=True)
        return sums / counts.clamp(min=1)

    return answer


def _overwrite(
    columns: Tensor,
    size: tuple[int, int],
    k: int,
    stride: int,
    padding: int,
    backward: bool = False,
) -> Tensor:
    """Patches laid over each other in turn: the last one wins, or the first one."""
    height, width = (m + 2 * padding for m in size)
    across = (width - k) // stride + 1
    y = columns.new_zeros(len(columns), columns.shape[1] // k**2, height, width)
    count = columns.shape[-1]
    for step in range(count):
        at = count - 1 - step if backward else step
        top, left = (place * stride for place in divmod(at, across))
        patch = columns[..., step].unflatten(1, (-1, k, k))
        y[..., top : top + k, left : left + k] = patch
    return y[..., padding : padding + size[0], padding : padding + size[1]]


MERGE = Exercise(
    name="unfold_fold/merge",
    reference=_merge(),
    run=function_run(_patches, names=("columns", "output_size", "kernel_size")),
    mistakes=(
        Mistake(
            _merge("sum"),
            "You return the sums: divide by how many patches land on each cell.",
        ),
        Mistake(
            _merge("k * k"),
            "You divide by k * k everywhere: near the border, and with a stride, fewer "
            "patches land on a cell. Fold ones to count them.",
        ),
        Mistake(
            _merge("windows"),
            "You divide by the number of patches: only those that land on a cell count "
            "for it.",
        ),
        Mistake(
            _merge("largest count"),
            "You divide by the largest count everywhere: each cell has its own.",
        ),
        Mistake(
            _merge("nan"),
            "Where no patch lands you divide 0 by 0: clamp the counts from below by 1.",
        ),
        Mistake(
            _merge("one more"),
            "You add 1 to every count to avoid 0: that makes every mean too small. "
            "clamp(min=1) changes the zeros alone.",
        ),
        Mistake(
            _merge("small number"),
            "You add a small number to every count: that shifts every mean. "
            "clamp(min=1) changes the zeros alone.",
        ),
        Mistake(
            _merge("no stride"),
            "You count for stride 1: fold ones with the same stride as the columns.",
        ),
        Mistake(
            _merge("nonzero"),
            "You count the values that are not 0: a 0 in a patch counts for the mean "
            "as well. Fold ones.",
        ),
        Mistake(
            _merge("root"),
            "You divide by the root of the counts: the mean needs the counts.",
        ),
        Mistake(
            _merge("one for unread"),
            "Where no patch lands, the answer is 0.",
        ),
        Mistake(
            _merge("mean for unread"),
            "Where no patch lands you write the mean of the others; the answer is 0.",
        ),
        Mistake(
            _merge("last"),
            "Each patch overwrites what lies there: add up and count, then divide.",
        ),
        Mistake(
            _merge("first patch"),
            "The first patch on a cell wins: add up and count, then divide.",
        ),
        Mistake(
            _merge("detached"),
            "The output is right, the gradient is not: fold the columns themselves, "
            "not a detached copy.",
        ),
    ),
)

COUNTS = Exercise(
    name="unfold_fold/counts",
    reference=[2, 4, 2, 4, 2, 2],
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            [1, 2, 1, 2, 1, 1],
            "That is row 0, or the counts along one axis: row 1 is read by two windows "
            "of the other axis.",
        ),
        Mistake(
            [1, 1, 1, 1, 1, 1],
            "That would be the inverse: Fold adds up, and some pixels are read more "
            "than once.",
        ),
        Mistake(
            [1, 1, 2, 1, 1, 0],
            "You leave the padding out: the first window starts at -1.",
        ),
        Mistake(
            [6, 9, 9, 9, 9, 6],
            "Those are the counts for stride 1.",
        ),
        Mistake(
            [2, 4, 2, 4, 2, 4],
            "You have one window too many: a window that starts at 5 would end at 7, "
            "and the padded axis ends at 6. The number of windows is rounded down.",
        ),
        Mistake(
            [3, 4, 3, 4, 3, 3],
            "You add the counts of the two axes: each row window meets each column "
            "window, so multiply them.",
        ),
        Mistake(
            [4, 4, 4, 4, 4, 4],
            "The counts differ along the row: with stride 2, only every other pixel is "
            "read twice along an axis.",
        ),
        Mistake(
            [4, 2, 4, 2, 4, 2],
            "You are off by one: windows start at -1, 1 and 3, so 1 and 3 are the "
            "pixels that two windows share.",
        ),
        Mistake(
            [2, 2, 4, 2, 4, 2],
            "You are off by one: windows start at -1, 1 and 3, not at 0, 2 and 4.",
        ),
        Mistake(
            [9, 9, 9, 9, 9, 9],
            "Nine is the count of a pixel inside for stride 1; with stride 2 the "
            "windows overlap by one pixel only.",
        ),
    ),
)

EXERCISES = (UNFOLD1D, MERGE, COUNTS)
