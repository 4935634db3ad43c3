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


def _grids(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Pictures of whole patches, more across than down or the other way around."""
    index = generator.initial_seed()
    n, channels, k = distinct(generator, 3)
    # axes of size 1, so that a squeeze shows
    n, channels = {4: (1, channels), 5: (n, 1), 7: (1, 1)}.get(index, (n, channels))
    down, across = (2, 3) if index % 2 else (3, 2)
    x = varied(generator, n, channels, down * k, across * k)
    return (x.requires_grad_(), k), {}


TOKENS = Exercise(
    name="unfold_fold/tokens",
    solution="""
        def tokens(x, k):
            patches = F.unfold(x, k, stride=k)  # (N, C * k * k, L)
            patches = patches.unflatten(1, (x.shape[1], k * k))  # (N, C, k * k, L)
            return patches.permute(0, 3, 2, 1).flatten(2)  # (N, L, k * k * C)
    """,
    run=function_run(_grids, names=("x", "k")),
    mistakes=[
        (
            """
            def tokens(x, k):
                patches = F.unfold(x, k, stride=k)
                return patches.reshape(len(x), -1, k * k * x.shape[1])
            """,
            "Your rows mix numbers of several patches: the axes have to change places, "
            "and reshape only cuts what lies in memory into new rows.",
        ),
        (
            "permute(0, 3, 2, 1)",
            "permute(0, 3, 1, 2)",
            "Each row is one patch, but channel after channel: the channels of a pixel "
            "belong side by side.",
        ),
        (
            "permute(0, 3, 2, 1).flatten(2)",
            "permute(0, 2, 1, 3).flatten(1, 2)",
            "You return (N, k * k * C, L), a column for each patch: the patches are "
            "rows.",
        ),
        (
            "permute(0, 3, 2, 1).flatten(2)",
            "permute(0, 3, 2, 1)",
            "You return (N, L, k * k, C): merge the last two axes, .flatten(2).",
        ),
        (
            "F.unfold(x, k",
            "F.unfold(x.mT, k",
            "You go down the picture's columns: patches, and the pixels of each, come "
            "row by row, from left to right.",
        ),
        (
            "permute(0, 3, 2, 1)",
            "unflatten(2, (k, k)).transpose(2, 3).flatten(2, 3).permute(0, 3, 2, 1)",
            "The patches are right, but you go down the columns of each: its pixels "
            "come row by row.",
        ),
        (
            "stride=k",
            "stride=1",
            "Your patches overlap: those that lie side by side have stride k.",
        ),
        (
            ".flatten(2)",
            ".flatten(2).squeeze()",
            "You squeeze the result: with a single picture, an axis is lost.",
        ),
        (
            "F.unfold(x, k",
            "F.unfold(x.detach(), k",
            "The numbers are right, the gradient is not: cut x itself, not a detached "
            "copy.",
        ),
    ],
)

# output_size, kernel_size, stride: overlaps, exact ones, and cells never read
TILES = (
    ((5, 7), 3, 1),
    ((8, 6), 3, 2),
    ((7, 9), 2, 3),
    ((4, 6), 2, 2),
    ((6, 5), 4, 2),
    ((8, 7), 3, 3),
)


def _tiles(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    size, k, stride = TILES[index % 6]
    n, channels = distinct(generator, 2)
    # axes of size 1, so that a squeeze shows
    n, channels = 1 if index in (4, 7) else n, 1 if index in (5, 8) else channels
    down, across = ((m - k) // stride + 1 for m in size)
    columns = signed(generator, n, channels * k * k, down * across) + 0.25
    # zeros among the values: who counts nonzero values is seen
    columns[torch.rand(columns.shape, generator=generator) < 0.2] = 0
    # small weights, so that their sums may be less than 1
    weight = 0.05 + torch.rand(k, k, generator=generator, dtype=torch.float64)
    return (columns.requires_grad_(), weight.requires_grad_(), size, stride), {}


BLEND = Exercise(
    name="unfold_fold/blend",
    solution="""
        def blend(columns, weight, output_size, stride):
            k = weight.shape[-1]
            channels = columns.shape[1] // k**2
            each = weight.flatten().repeat(channels)[:, None].expand_as(columns)
            sums = F.fold(each * columns, output_size, k, stride=stride)
            total = F.fold(each, output_size, k, stride=stride)
            return sums / torch.where(total > 0, total, 1)
    """,
    run=function_run(_tiles, names=("columns", "weight", "output_size", "stride")),
    mistakes=[
        (
            " / torch.where(total > 0, total, 1)",
            "",
            "You return the weighted sums: divide by the sum of the weights that land "
            "on each pixel.",
        ),
        (
            "F.fold(each, output",
            "F.fold(torch.ones_like(columns), output",
            "You divide by the number of tiles: divide by the sum of their weights.",
        ),
        (
            "each * columns",
            "columns",
            "F.fold(each, output",
            "F.fold(torch.ones_like(columns), output",
            "You return the plain mean: the weights are not used.",
        ),
        (
            "torch.where(total > 0, total, 1)",
            "weight.sum()",
            "You divide by the sum of one tile's weights everywhere: fold the weights, "
            "and each pixel has its own sum.",
        ),
        (
            "torch.where(total > 0, total, 1)",
            "total",
            "Where nothing lands you divide 0 by 0: put another number into the "
            "divisor there.",
        ),
        (
            "torch.where(total > 0, total, 1)",
            "total.clamp(min=1)",
            "Where the weights add up to less than 1, your mean is too small: "
            "clamp(min=1) is right for counts, which are whole numbers.",
        ),
        (
            "torch.where(total > 0, total, 1)",
            "(total + 1e-5)",
            "You add a small number to every divisor: that shifts every mean. Change "
            "the zeros alone.",
        ),
        (
            "weight.flatten().repeat(channels)",
            "weight.flatten().repeat_interleave(channels)",
            "You repeat each weight for all channels before the next: the rows of "
            "columns go channel by channel, each with all entries of the kernel.",
        ),
        (
            "weight.flatten()",
            "weight.T.flatten()",
            "You have rows and columns of weight exchanged.",
        ),
        (
            "weight.flatten()",
            "weight.flatten().softmax(0)",
            "You take the weights through a softmax: they are weights already.",
        ),
        (
            "sums = F.fold(each * columns, output_size, k, stride=stride)",
            "sums = F.fold(each**2 * columns, output_size, k, stride=stride)",
            "You multiply by the weights twice.",
        ),
        (
            "F.fold(each, output",
            "F.fold(each * (columns != 0), output",
            "You leave out values that are 0: a 0 in a tile counts for the mean as "
            "well.",
        ),
        (
            "sums / torch.where(total > 0, total, 1)",
            "torch.where(total > 0, sums / torch.where(total > 0, total, 1), 1)",
            "Where nothing lands, the answer is 0.",
        ),
        (
            "sums / torch.where(total > 0, total, 1)",
            "(sums / torch.where(total > 0, total, 1)).squeeze()",
            "You squeeze the result: with one picture or one channel, an axis is lost.",
        ),
        (
            """
            def blend(columns, weight, output_size, stride):
                k, (height, width) = weight.shape[-1], output_size
                across = (width - k) // stride + 1
                patches = columns.unflatten(1, (-1, k, k))
                y = columns.new_zeros(*patches.shape[:2], height, width)
                for place, patch in enumerate(patches.unbind(-1)):
                    i, j = place // across * stride, place % across * stride
                    y[..., i : i + k, j : j + k] = patch
                return y
            """,
            "Each tile overwrites what lies there: add up the weighted tiles, then "
            "divide.",
        ),
        (
            "each * columns",
            "each * columns.detach()",
            "The output is right, the gradient of columns is not: fold the columns "
            "themselves, not a detached copy.",
        ),
        (
            "weight.flatten()",
            "weight.detach().flatten()",
            "The output is right, the gradient of weight is not: use weight itself, "
            "not a detached copy.",
        ),
    ],
)


def _attended(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Small likenesses, so that no softmax is all or nothing; pixels that are 0."""
    index = generator.initial_seed()
    n, channels, out, height, width = distinct(generator, 5)
    # axes of size 1, so that a squeeze shows
    n = 1 if index == 4 else n
    channels, out = {5: (1, out), 6: (channels, 1), 7: (2, 2)}.get(
        index, (channels, out)
    )
    query, key = (signed(generator, n, channels, height, width) * 0.7 for _ in "qk")
    value = signed(generator, n, out, height, width) + 1
    key[:, :, 1, 1] = 0  # whoever takes such a pixel for the padding is seen
    return tuple(t.requires_grad_() for t in (query, key, value)), {}


ATTEND = Exercise(
    name="unfold_fold/attend",
    solution="""
        def attend(query, key, value):
            keys = F.unfold(key, 3, padding=1).unflatten(1, (-1, 9))
            values = F.unfold(value, 3, padding=1).unflatten(1, (-1, 9))
            inside = F.unfold(torch.ones_like(key[:, :1]), 3, padding=1)  # (N, 9, L)
            alike = (query.flatten(2)[:, :, None] * keys).sum(1, keepdim=True)
            alike = alike.masked_fill(inside[:, None] == 0, -torch.inf)
            weights = alike.softmax(2)  # (N, 1, 9, L)
            return (weights * values).sum(2).unflatten(2, query.shape[2:])
    """,
    run=function_run(_attended, names=("query", "key", "value")),
    mistakes=[
        (
            "alike = alike.masked_fill(inside[:, None] == 0, -torch.inf)\n    ",
            "",
            "At the border, the weights of the picture's pixels add up to less than 1: "
            "the zeros of the padding take a share. Set the likeness of what lies "
            "outside to -torch.inf, before the softmax.",
        ),
        (
            "inside[:, None] == 0",
            "keys.abs().sum(1, keepdim=True) == 0",
            "You leave out each pixel whose channels are all 0: it is part of the "
            "picture. Unfold ones to see what lies outside.",
        ),
        (
            "softmax(2)",
            "softmax(3)",
            "Your weights add up to 1 over the places: they do so over the nine of "
            "each window.",
        ),
        (
            "alike = (query.flatten(2)[:, :, None] * keys).sum(1, keepdim=True)",
            "alike = (query.flatten(2)[:, :, None] * keys).mean(1, keepdim=True)",
            "You take the mean over the channels: a dot product is the sum.",
        ),
        (
            "softmax(2)",
            "div(query.shape[1] ** 0.5).softmax(2)",
            "You divide the likeness by the root of C: here it is the plain dot "
            "product.",
        ),
        (
            "weights = alike.softmax(2)",
            "weights = alike.masked_fill(inside[:, None] == 0, 0)",
            "You weigh by the dot products themselves: a softmax makes weights of them "
            "that add up to 1.",
        ),
        (
            "weights = alike.softmax(2)",
            "weights = inside[:, None] / inside[:, None].sum(2, keepdim=True)",
            "You return the plain mean of each window: the likeness is not used.",
        ),
        (
            "(query.flatten(2)[:, :, None] * keys)",
            "(F.unfold(query, 3, padding=1).unflatten(1, (-1, 9)) * keys)",
            "You compare each pixel of the query's window with its own place: the "
            "pixel in the middle asks all nine.",
        ),
        (
            "F.unfold(key, 3, padding=1)",
            'F.unfold(F.pad(key, (1,) * 4, "replicate"), 3)',
            "F.unfold(value, 3, padding=1)",
            'F.unfold(F.pad(value, (1,) * 4, "replicate"), 3)',
            "alike = alike.masked_fill(inside[:, None] == 0, -torch.inf)\n    ",
            "",
            "You repeat the border: those pixels then count twice. What lies outside "
            "takes no part.",
        ),
        (
            "query.shape[2:])",
            "query.shape[2:]).squeeze()",
            "You squeeze the result: with a single picture or channel, an axis is "
            "lost.",
        ),
        (
            "F.unfold(key,",
            "F.unfold(key.detach(),",
            "The output is right, the gradient of key is not: unfold key itself, not a "
            "detached copy.",
        ),
        (
            "weights = alike.softmax(2)",
            "weights = alike.softmax(2).detach()",
            "The output is right, the gradients of query and key are not: do not "
            "detach the weights.",
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

EXERCISES = (COUNTS, TOKENS, UNFOLD1D, BLEND, ATTEND)
