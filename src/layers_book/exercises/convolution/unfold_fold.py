"""Exercises of the page convolution/unfold_fold."""

from typing import Any

import torch
from torch import Generator

from layers_book.checking import (
    Exercise,
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


UNFOLD1D = Exercise(
    name="unfold_fold/unfold1d",
    solution="""
        def unfold1d(x, kernel_size, stride=1, padding=0, dilation=1):
            x = F.pad(x, (padding, padding))
            count = (x.shape[-1] - dilation * (kernel_size - 1) - 1) // stride + 1
            entries = torch.arange(kernel_size)[:, None] * dilation
            i = entries + torch.arange(count) * stride  # (k, L_out)
            return x[..., i].flatten(1, 2)
    """,
    run=function_run(_sequences, names=ORDER_1D),
    forbid=("unfold", "im2col"),
    mistakes=[
        (
            ".flatten",
            ".transpose(1, 2).flatten",
            "Your rows are in the order (kernel entry, channel): all entries of "
            "channel 0 come first, then those of channel 1.",
        ),
        (
            ".flatten(1, 2)",
            ".flatten(1, 2).mT",
            "You return (N, L_out, C * k): the windows are the last axis, each is a "
            "column.",
        ),
        (
            ".flatten(1, 2)",
            "",
            "You return (N, C, k, L_out): merge channel and kernel entry, .flatten(1, "
            "2).",
        ),
        (
            ".flatten(1, 2)",
            ".mT.reshape(len(x), -1, count)",
            "The shape is right, the numbers are mixed: you have (N, C, L_out, k) and "
            "reshape it. Move the axes with transpose first: reshape only counts.",
        ),
        (
            "x = F",
            "stride, dilation = dilation, stride\n    x = F",
            "You have swapped stride and dilation: stride lies between windows, "
            "dilation between the entries of one window.",
        ),
        (
            " // stride",
            "",
            " * stride",
            "",
            "You do not use stride: window w starts at w * stride.",
        ),
        (
            "dilation * ",
            "",
            " * dilation",
            "",
            "You do not use dilation: entry t lies t * dilation after the start, and "
            "a window spans dilation * (k - 1) + 1 samples.",
        ),
        (
            "x = F.pad(x, (padding, padding))",
            "",
            "You do not pad: F.pad(x, (padding, padding)) first.",
        ),
        (
            "(padding, padding)",
            "(2 * padding, 0)",
            "You pad the left side only: padding is the number of zeros on each side.",
        ),
        (
            "(padding, padding)",
            "(padding // 2, padding - padding // 2)",
            "You split padding between the sides: it is the number of zeros on each.",
        ),
        (
            "padding))",
            'padding), "replicate")',
            "You repeat the border samples: the padding is zeros.",
        ),
        (
            "// stride + 1",
            "// stride",
            "The last window is missing: there are (length - span) // stride + 1.",
        ),
        (
            "count = (",
            "count = len(range(0, ",
            ") // stride + 1",
            ", stride))",
            "Where the windows end exactly at the last sample, you leave the last one "
            "out: mind the end of a range.",
        ),
        (
            "dilation * (kernel_size - 1) - 1",
            "dilation * kernel_size",
            "A window of k entries spans dilation * (k - 1) + 1 samples, not dilation "
            "* k.",
        ),
        (
            "(kernel_size)[",
            "(kernel_size).flip(0)[",
            "You read each window from its end: entry 0 is its first sample.",
        ),
        (
            "(padding, padding)",
            "(padding, 0)",
            "You pad one side only: F.pad(x, (padding, padding)) pads both.",
        ),
        (
            "padding))",
            'padding), "reflect")',
            "You mirror the sequence at its ends: the padding is zeros.",
        ),
        (
            "padding))",
            'padding), "circular")',
            "You continue at the other end of the sequence: the padding is zeros.",
        ),
        (
            "i = entries",
            "i = entries - kernel_size // 2 * dilation",
            "[..., i]",
            "[..., i.clamp(min=0)]",
            "Your windows have their middle at w * stride: that is where they start.",
        ),
        (
            "x.shape[-1]",
            "x.shape[-1] - 2 * padding",
            "You count the windows of the sequence without its padding: pad first, "
            "then take the length.",
        ),
        (
            "count = (",
            "count = -(-(",
            "// stride",
            "// stride)",
            "x[..., i]",
            "F.pad(x, (0, stride))[..., i]",
            "You round the number of windows up: a window that would reach beyond the "
            "padded end is left out.",
        ),
        (
            ".flatten(1, 2)",
            ".flatten(1, 2).squeeze()",
            "You squeeze the result: with one sample in the batch, one window or one "
            "row, an axis is lost.",
        ),
        (
            "F.pad(x,",
            "F.pad(x.detach(),",
            "The output is right, the gradient is not: index x itself, not a detached "
            "copy or its data.",
        ),
        (
            "stride=1, padding=0",
            "padding=0, stride=1",
            "Keep the order of the arguments: kernel_size, stride, padding, dilation.",
        ),
    ],
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


MERGE = Exercise(
    name="unfold_fold/merge",
    solution="""
        def merge(columns, output_size, kernel_size, stride=1, padding=0):
            window = {"kernel_size": kernel_size, "stride": stride, "padding": padding}
            sums = F.fold(columns, output_size, **window)
            counts = F.fold(torch.ones_like(columns), output_size, **window)
            return sums / counts.clamp(min=1)
    """,
    run=function_run(_patches, names=ORDER_2D),
    mistakes=[
        (
            " / counts.clamp(min=1)",
            "",
            "You return the sums: divide by how many patches land on each cell.",
        ),
        (
            "counts.clamp(min=1)",
            "kernel_size**2",
            "You divide by k * k everywhere: near the border, and with a stride, "
            "fewer patches land on a cell. Fold ones to count them.",
        ),
        (
            "counts.clamp(min=1)",
            "columns.shape[-1]",
            "You divide by the number of patches: only those that land on a cell "
            "count for it.",
        ),
        (
            "counts.clamp(min=1)",
            "counts.max()",
            "You divide by the largest count everywhere: each cell has its own.",
        ),
        (
            ".clamp(min=1)",
            "",
            "Where no patch lands you divide 0 by 0: clamp the counts from below by 1.",
        ),
        (
            "counts.clamp(min=1)",
            "(counts + 1)",
            "You add 1 to every count to avoid 0: that makes every mean too small. "
            "clamp(min=1) changes the zeros alone.",
        ),
        (
            "counts.clamp(min=1)",
            "(counts + 1e-5)",
            "You add a small number to every count: that shifts every mean. "
            "clamp(min=1) changes the zeros alone.",
        ),
        (
            "torch.ones_like(columns), output_size, **window",
            "F.unfold(torch.ones_like(sums), kernel_size, padding=padding), "
            "output_size, kernel_size, padding=padding",
            "You count for stride 1: fold ones with the same stride as the columns.",
        ),
        (
            "torch.ones_like(columns), output_size, **window",
            "F.unfold(torch.ones_like(sums), kernel_size, stride=stride), "
            "output_size, kernel_size, stride=stride",
            "You count without padding: fold ones with the same padding as the "
            "columns.",
        ),
        (
            "torch.ones_like(columns), output_size, **window",
            "F.unfold(torch.ones_like(sums), kernel_size), output_size, kernel_size",
            "You count with stride 1 and no padding: fold ones with the stride and "
            "padding of the columns.",
        ),
        (
            "counts.clamp",
            "counts.sum(1, keepdim=True).clamp",
            "You add the counts of all channels: each channel has its own mean.",
        ),
        (
            "min=1",
            "min=2",
            "You clamp the counts from below by 2: a cell that one patch reaches "
            "keeps its value.",
        ),
        (
            "sums / counts.clamp(min=1)",
            "(sums / counts.clamp(min=1)).squeeze()",
            "You squeeze the result: with one picture or one channel, an axis is lost.",
        ),
        (
            "torch.ones_like(columns)",
            "(columns != 0).to(columns)",
            "You count the values that are not 0: a 0 in a patch counts for the mean "
            "as well. Fold ones.",
        ),
        (
            "sums / counts.clamp(min=1)",
            "torch.where(counts == 0, 1.0, sums / counts.clamp(min=1))",
            "Where no patch lands, the answer is 0.",
        ),
        (
            """
            def merge(columns, output_size, kernel_size, stride=1, padding=0):
                height, width = (n + 2 * padding for n in output_size)
                across = (width - kernel_size) // stride + 1
                patches = columns.unflatten(1, (-1, kernel_size, kernel_size))
                y = columns.new_zeros(*patches.shape[:2], height, width)
                for place, patch in enumerate(patches.unbind(-1)):
                    i, j = place // across * stride, place % across * stride
                    y[..., i : i + kernel_size, j : j + kernel_size] = patch
                return y[..., padding : height - padding, padding : width - padding]
            """,
            "Each patch overwrites what lies there: add up and count, then divide.",
        ),
        (
            "fold(columns,",
            "fold(columns.detach(),",
            "The output is right, the gradient is not: fold the columns themselves, "
            "not a detached copy.",
        ),
        (
            "stride=1, padding=0",
            "padding=0, stride=1",
            "Keep the order of the arguments: kernel_size, stride, padding.",
        ),
    ],
)

COUNTS = Exercise(
    name="unfold_fold/counts",
    solution="row_1 = [2, 4, 2, 4, 2, 2]",
    run=value_run(),
    mistakes=[
        (
            [1, 2, 1, 2, 1, 1],
            "That is row 0, or the counts along one axis: row 1 is read by two "
            "windows of the other axis.",
        ),
        (
            [2, 2, 2, 2, 2, 2],
            "Row 1 is read by two windows of its axis: multiply by the counts along "
            "the row.",
        ),
        (
            [1, 1, 1, 1, 1, 1],
            "That would be the inverse: Fold adds up, and some pixels are read more "
            "than once.",
        ),
        (
            [1, 1, 2, 1, 1, 0],
            "You leave the padding out: the first window starts at -1.",
        ),
        (
            [1, 1, 2, 1, 2, 1],
            "Your windows start at 0, 2 and 4: those are places of the padded plane. "
            "On x they start at -1, 1 and 3.",
        ),
        (
            [2, 2, 4, 2, 4, 2],
            "You are off by one: windows start at -1, 1 and 3, not at 0, 2 and 4.",
        ),
        ([6, 9, 9, 9, 9, 6], "Those are the counts for stride 1."),
        ([2, 4, 6, 6, 4, 2], "Those are the counts for stride 1 and no padding."),
        (
            [2, 4, 2, 4, 2, 4],
            "You have one window too many: a window that starts at 5 would end at 7, "
            "and the padded axis ends at 6. The number of windows is rounded down.",
        ),
        (
            [2, 4, 2, 4, 4, 2],
            "The windows start at -1, 1 and 3: no two of them share pixel 4.",
        ),
        (
            [2, 4, 2, 4, 2, 1],
            "The last pixel is read by one window along the row, and by two along the "
            "other axis: multiply.",
        ),
        ([2, 4, 2, 4, 2, 0], "The window that starts at 3 reads pixel 5 as well."),
        (
            [3, 4, 3, 4, 3, 3],
            "You add the counts of the two axes: each row window meets each column "
            "window, so multiply them.",
        ),
        (
            [4, 4, 4, 4, 4, 4],
            "The counts differ along the row: with stride 2, only every other pixel "
            "is read twice along an axis.",
        ),
        (
            [4, 2, 4, 2, 4, 2],
            "You are off by one: windows start at -1, 1 and 3, so 1 and 3 are the "
            "pixels that two windows share.",
        ),
        (
            [9, 9, 9, 9, 9, 9],
            "Nine is the count of a pixel inside for stride 1; with stride 2 the "
            "windows overlap by one pixel only.",
        ),
    ],
)

EXERCISES = (UNFOLD1D, MERGE, COUNTS)
