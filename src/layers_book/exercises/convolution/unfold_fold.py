"""Exercises of the page convolution/unfold_fold."""

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
    varied,
)

# kernel_size, stride, padding, dilation; the kernel alone: the others as by default
WINDOWS_1D = (
    (3, 2, 2, 1),
    (2, 1, 0, 3),
    (4, 3, 2, 1),
    (3,),
    (2, 3, 1, 2),
    (3, 1, 3, 2),
    (1, 2, 1, 1),
    (4,),
    (3, 2, 1, 1),
    (2, 3, 1, 2),
    (6, 2, 0, 2),
    (3, 1, 0, 1),
)
ORDER_1D = ("x", "kernel_size", "stride", "padding", "dilation")


def _sequences(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    n, channels = distinct(generator, 2)
    # axes of size 1, so that a squeeze shows; configuration 10 has a single window
    n, channels = 1 if index == 4 else n, 1 if index == 5 else channels
    x = varied(generator, n, channels, 9 + index % 4).requires_grad_()
    window = WINDOWS_1D[index]
    if index % 2:  # by position
        return (x, *window), {}
    return (x, window[0]), dict(zip(ORDER_1D[2:], window[1:], strict=False))


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
        elif wrong == "one side":
            right = 0
        if wrong == "detached":
            x = x.detach()
        modes = "replicate", "reflect", "circular"
        before = x.shape[-1]
        x = F.pad(x, (left, right), wrong if wrong in modes else "constant")
        span = dilation * (k - 1)
        length = x.shape[-1] - span - 1
        count = length // stride + 1
        if wrong == "counted before":
            count = max((before - span - 1) // stride + 1, 1)
        if wrong == "rounded up":
            count = -(-length // stride) + 1
            x = F.pad(x, (0, stride))
        if wrong == "one short" or (wrong == "exact" and length % stride == 0):
            count = max(count - 1, 1)
        if wrong == "span":
            count = max((x.shape[-1] - dilation * k) // stride + 1, 1)
        entries = torch.arange(k)[:, None] * dilation
        if wrong == "flipped":
            entries = entries.flip(0)
        if wrong == "centered":
            entries = entries - k // 2 * dilation
        i = (entries + torch.arange(count) * stride).clamp(min=0)
        patches = x[..., i]  # (N, C, k, L_out)
        if wrong == "entry first":
            return patches.transpose(1, 2).flatten(1, 2)
        if wrong == "windows first":
            return patches.flatten(1, 2).mT
        if wrong == "not merged":
            return patches
        if wrong == "reshaped":
            return patches.mT.reshape(x.shape[0], -1, count)
        if wrong == "squeezed":
            return patches.flatten(1, 2).squeeze()
        return patches.flatten(1, 2)

    return answer


def _padding_first(
    x: Tensor, kernel_size: int, padding: int = 0, stride: int = 1, dilation: int = 1
) -> Any:
    return _unfold1d()(x, kernel_size, stride, padding, dilation)


ORDER = "Keep the order of the arguments: kernel_size, stride, padding"
HINTS_1D = {
    "entry first": (
        "Your rows are in the order (kernel entry, channel): all entries of "
        "channel 0 come first, then those of channel 1."
    ),
    "windows first": (
        "You return (N, L_out, C * k): the windows are the last axis, each is a column."
    ),
    "not merged": (
        "You return (N, C, k, L_out): merge channel and kernel entry, .flatten(1, 2)."
    ),
    "reshaped": (
        "The shape is right, the numbers are mixed: you have (N, C, L_out, k) and "
        "reshape it. Move the axes with transpose first: reshape only counts."
    ),
    "swapped": (
        "You have swapped stride and dilation: stride lies between windows, "
        "dilation between the entries of one window."
    ),
    "no stride": "You do not use stride: window w starts at w * stride.",
    "no dilation": (
        "You do not use dilation: entry t lies t * dilation after the start, and a "
        "window spans dilation * (k - 1) + 1 samples."
    ),
    "no padding": "You do not pad: F.pad(x, (padding, padding)) first.",
    "left only": (
        "You pad the left side only: padding is the number of zeros on each side."
    ),
    "in total": (
        "You split padding between the sides: it is the number of zeros on each."
    ),
    "replicate": "You repeat the border samples: the padding is zeros.",
    "one short": (
        "The last window is missing: there are (length - span) // stride + 1."
    ),
    "exact": (
        "Where the windows end exactly at the last sample, you leave the last one "
        "out: mind the end of a range."
    ),
    "span": (
        "A window of k entries spans dilation * (k - 1) + 1 samples, not dilation * k."
    ),
    "flipped": "You read each window from its end: entry 0 is its first sample.",
    "one side": "You pad one side only: F.pad(x, (padding, padding)) pads both.",
    "reflect": "You mirror the sequence at its ends: the padding is zeros.",
    "circular": "You continue at the other end of the sequence: the padding is zeros.",
    "centered": (
        "Your windows have their middle at w * stride: that is where they start."
    ),
    "counted before": (
        "You count the windows of the sequence without its padding: pad first, then "
        "take the length."
    ),
    "rounded up": (
        "You round the number of windows up: a window that would reach beyond the "
        "padded end is left out."
    ),
    "squeezed": (
        "You squeeze the result: with one sample in the batch, one window or one row, "
        "an axis is lost."
    ),
    "detached": (
        "The output is right, the gradient is not: index x itself, not a detached "
        "copy or its data."
    ),
}


UNFOLD1D = Exercise(
    name="unfold_fold/unfold1d",
    reference=_unfold1d(),
    run=function_run(_sequences, names=ORDER_1D),
    forbid=("unfold", "im2col"),
    mistakes=(
        *(Mistake(_unfold1d(wrong), hint) for wrong, hint in HINTS_1D.items()),
        Mistake(_padding_first, f"{ORDER}, dilation."),
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

ORDER_2D = ("columns", "output_size", "kernel_size", "stride", "padding")


def _patches(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    size, k, stride, padding = WINDOWS_2D[index % 6]
    n, channels = distinct(generator, 2)
    # axes of size 1, so that a squeeze shows
    n, channels = 1 if index in (4, 7) else n, 1 if index in (5, 8) else channels
    down, across = ((m + 2 * padding - k) // stride + 1 for m in size)
    columns = signed(generator, n, channels * k * k, down * across) + 0.25
    # zeros among the values: who counts nonzero values is seen
    columns[torch.rand(columns.shape, generator=generator) < 0.2] = 0
    args = columns.requires_grad_(), size, k
    if stride == 1 and not padding:
        return args, {}
    if index < 6:  # then by position
        return args, {"stride": stride, "padding": padding}
    return (*args, stride, padding), {}


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
        if wrong == "no padding":
            dense = F.unfold(torch.ones_like(sums), k, stride=stride)
            counts = F.fold(dense, output_size, k, stride=stride)
        if wrong == "channels":
            counts = counts.sum(1, keepdim=True)
        if wrong == "at least two":
            counts = counts.clamp(min=2)
        if wrong == "squeezed":
            return (sums / counts.clamp(min=1)).squeeze()
        if wrong == "nonzero":
            return sums / fold((columns != 0).to(columns.dtype)).clamp(min=1)
        if wrong == "one for unread":
            return torch.where(counts == 0, 1.0, sums / counts.clamp(min=1))
        if wrong == "last":
            return _overwrite(columns, output_size, k, stride, padding)
        return sums / counts.clamp(min=1)

    return answer


def _padding_before_stride(
    columns: Tensor, size: Any, kernel_size: int, padding: int = 0, stride: int = 1
) -> Any:
    return _merge()(columns, size, kernel_size, stride, padding)


def _overwrite(
    columns: Tensor, size: tuple[int, int], k: int, stride: int, padding: int
) -> Tensor:
    """Patches laid over each other in turn: the last one wins."""
    height, width = (m + 2 * padding for m in size)
    across = (width - k) // stride + 1
    y = columns.new_zeros(len(columns), columns.shape[1] // k**2, height, width)
    for step, flat in enumerate(columns.unbind(-1)):
        top, left = (place * stride for place in divmod(step, across))
        patch = flat.unflatten(1, (-1, k, k))
        y[..., top : top + k, left : left + k] = patch
    return y[..., padding : padding + size[0], padding : padding + size[1]]


HINTS_MERGE = {
    "sum": "You return the sums: divide by how many patches land on each cell.",
    "k * k": (
        "You divide by k * k everywhere: near the border, and with a stride, fewer "
        "patches land on a cell. Fold ones to count them."
    ),
    "windows": (
        "You divide by the number of patches: only those that land on a cell count "
        "for it."
    ),
    "largest count": (
        "You divide by the largest count everywhere: each cell has its own."
    ),
    "nan": (
        "Where no patch lands you divide 0 by 0: clamp the counts from below by 1."
    ),
    "one more": (
        "You add 1 to every count to avoid 0: that makes every mean too small. "
        "clamp(min=1) changes the zeros alone."
    ),
    "small number": (
        "You add a small number to every count: that shifts every mean. "
        "clamp(min=1) changes the zeros alone."
    ),
    "no stride": (
        "You count for stride 1: fold ones with the same stride as the columns."
    ),
    "no padding": (
        "You count without padding: fold ones with the same padding as the columns."
    ),
    "channels": "You add the counts of all channels: each channel has its own mean.",
    "at least two": (
        "You clamp the counts from below by 2: a cell that one patch reaches keeps its "
        "value."
    ),
    "squeezed": (
        "You squeeze the result: with one picture or one channel, an axis is lost."
    ),
    "nonzero": (
        "You count the values that are not 0: a 0 in a patch counts for the mean "
        "as well. Fold ones."
    ),
    "one for unread": "Where no patch lands, the answer is 0.",
    "last": "Each patch overwrites what lies there: add up and count, then divide.",
    "detached": (
        "The output is right, the gradient is not: fold the columns themselves, "
        "not a detached copy."
    ),
}


MERGE = Exercise(
    name="unfold_fold/merge",
    reference=_merge(),
    run=function_run(_patches, names=ORDER_2D),
    mistakes=(
        *(Mistake(_merge(wrong), hint) for wrong, hint in HINTS_MERGE.items()),
        Mistake(_padding_before_stride, f"{ORDER}."),
    ),
)

HINTS_COUNTS = {
    (1, 2, 1, 2, 1, 1): (
        "That is row 0, or the counts along one axis: row 1 is read by two windows of "
        "the other axis."
    ),
    (2, 2, 2, 2, 2, 2): (
        "Row 1 is read by two windows of its axis: multiply by the counts along the "
        "row."
    ),
    (1, 1, 1, 1, 1, 1): (
        "That would be the inverse: Fold adds up, and some pixels are read more than "
        "once."
    ),
    (1, 1, 2, 1, 1, 0): "You leave the padding out: the first window starts at -1.",
    (1, 1, 2, 1, 2, 1): (
        "Your windows start at 0, 2 and 4: those are places of the padded plane. On x "
        "they start at -1, 1 and 3."
    ),
    (2, 2, 4, 2, 4, 2): (
        "You are off by one: windows start at -1, 1 and 3, not at 0, 2 and 4."
    ),
    (6, 9, 9, 9, 9, 6): "Those are the counts for stride 1.",
    (2, 4, 6, 6, 4, 2): "Those are the counts for stride 1 and no padding.",
    (2, 4, 2, 4, 2, 4): (
        "You have one window too many: a window that starts at 5 would end at 7, and "
        "the padded axis ends at 6. The number of windows is rounded down."
    ),
    (2, 4, 2, 4, 4, 2): (
        "The windows start at -1, 1 and 3: no two of them share pixel 4."
    ),
    (2, 4, 2, 4, 2, 1): (
        "The last pixel is read by one window along the row, and by two along the "
        "other axis: multiply."
    ),
    (2, 4, 2, 4, 2, 0): "The window that starts at 3 reads pixel 5 as well.",
    (3, 4, 3, 4, 3, 3): (
        "You add the counts of the two axes: each row window meets each column window, "
        "so multiply them."
    ),
    (4, 4, 4, 4, 4, 4): (
        "The counts differ along the row: with stride 2, only every other pixel is "
        "read twice along an axis."
    ),
    (4, 2, 4, 2, 4, 2): (
        "You are off by one: windows start at -1, 1 and 3, so 1 and 3 are the pixels "
        "that two windows share."
    ),
    (9, 9, 9, 9, 9, 9): (
        "Nine is the count of a pixel inside for stride 1; with stride 2 the windows "
        "overlap by one pixel only."
    ),
}

COUNTS = Exercise(
    name="unfold_fold/counts",
    reference=[2, 4, 2, 4, 2, 2],
    run=value_run(),
    configurations=1,
    mistakes=tuple(Mistake([*row], hint) for row, hint in HINTS_COUNTS.items()),
)

EXERCISES = (UNFOLD1D, MERGE, COUNTS)
