"""Exercises of the page convolution/conv."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    signed,
    varied,
)

KERNELS = ((3, 2), (2, 3), (1, 4), (3, 3), (4, 1), (2, 2))


def _pictures(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Neither kernels nor pictures are square, and strides do not always divide.

    At the end come a batch of 1, one channel, and a single row of windows.
    """
    index = generator.initial_seed()
    n, channels, outputs = distinct(generator, 3)
    n, channels, outputs = {
        8: (1, channels, outputs),
        9: (n, 1, outputs),
        10: (n, channels, 1),
    }.get(index, (n, channels, outputs))
    height, width = 7 + index % 2, 9 + index % 3
    if index % 4 == 1:
        height, width = width, height
    if index == 8:
        height = KERNELS[2][0]
    x = varied(generator, n, channels, height, width)
    weight = signed(generator, outputs, channels, *KERNELS[index % 6])
    bias = signed(generator, outputs)
    args = tuple(t.requires_grad_() for t in (x, weight, bias))
    how = ({}, {"stride": 2}, {"padding": 1}, {"stride": 3, "padding": 2})[index % 4]
    return args, dict(how)


BY_HAND = Exercise(
    name="conv/by_hand",
    solution="""
        def conv2d(x, weight, bias, stride=1, padding=0):
            x = F.pad(x, [padding] * 4)
            k_h, k_w = weight.shape[2:]
            h_end = (x.shape[2] - k_h) // stride * stride + 1
            w_end = (x.shape[3] - k_w) // stride * stride + 1
            y = bias.view(1, -1, 1, 1)
            for u in range(k_h):
                for v in range(k_w):
                    part = x[:, :, u : u + h_end : stride, v : v + w_end : stride]
                    y = y + torch.einsum("nchw,oc->nohw", part, weight[:, :, u, v])
            return y
    """,
    reference=F.conv2d,
    run=function_run(_pictures),
    forbid=("conv",),
    mistakes=[
        (
            "[:, :, u, v]",
            "[:, :, -1 - u, -1 - v]",
            "You flip the kernel: torch's sum is x[i + u] * weight[u], with a plus, "
            "and nothing is turned around.",
        ),
        (
            "part,",
            "part.flip(1),",
            "You meet the input channels in the wrong order: channel c of x belongs "
            "to weight[:, c].",
        ),
        (
            "x = F.pad(x, [padding] * 4)",
            "",
            "You do not use padding: put that many zeros on all four sides first.",
        ),
        (
            "[padding] * 4",
            "[padding, 0] * 2",
            "You pad the left and the top only; padding counts for all four sides.",
        ),
        (
            "[padding] * 4",
            "[padding] * 2",
            "You pad the last axis only; F.pad needs four numbers for two axes.",
        ),
        (
            "[padding] * 4",
            "[0, 0, padding, padding]",
            "You pad the rows only; F.pad takes the last axis first, and needs four "
            "numbers.",
        ),
        (
            "[padding] * 4",
            '[padding] * 4, "replicate"',
            "You repeat the border; the default padding_mode is zeros.",
        ),
        (
            "[padding] * 4",
            '[padding] * 4, "reflect"',
            "You mirror the picture at its border; the default padding_mode is zeros.",
        ),
        (
            "[padding] * 4",
            '[padding] * 4, "circular"',
            "You continue the picture from its other side; the default padding_mode "
            "is zeros.",
        ),
        (
            " // stride * stride",
            "",
            " : stride",
            "",
            "You do not use stride: the window for output i starts at row i * stride.",
        ),
        (
            "k_w) // stride * stride",
            "k_w)",
            "w_end : stride",
            "w_end",
            "You stride along the rows only; the columns need it too.",
        ),
        (
            "k_h) // stride * stride",
            "k_h)",
            "h_end : stride",
            "h_end",
            "You stride along the columns only; the rows need it too.",
        ),
        (
            "[padding] * 4)",
            "[padding] * 4)[:, :, stride - 1 :, stride - 1 :]",
            "Your first window starts at stride - 1; it starts at 0.",
        ),
        (
            " + 1",
            "",
            "You leave out the last window of each axis: there are (H - k_H) // "
            "stride + 1 of them, the + 1 included.",
        ),
        ("bias.view(1, -1, 1, 1)", "0", "You do not add bias."),
        (
            "y = bias",
            "y = x.shape[1] * bias",
            "You add bias once for each input channel: it is added once to the sum.",
        ),
        (
            "bias.view(1, -1, 1, 1)",
            "0",
            "v])",
            "v]) + bias.view(1, -1, 1, 1)",
            "You add bias once for each entry of the kernel: it is added once to the "
            "sum.",
        ),
        (
            "y = bias",
            "y = weight[0].numel() * bias",
            "You add bias to every product: it is added once, to their sum.",
        ),
        (
            "u, v])",
            "u, v]) / weight[0].numel()",
            "You take the mean over the window: a convolution adds the products.",
        ),
        (
            "u, v])",
            "u, v]) / x.shape[1]",
            "You average over the input channels: they are added up.",
        ),
        (
            '"nchw,oc->nohw", part, weight[:, :, u, v]',
            '"nhw,o->nohw", part[:, 0], weight[:, 0, u, v]',
            "You use the first input channel only: all of them are added up.",
        ),
        (
            '"nchw,oc->nohw", part, weight[:, :, u, v]',
            '"nchw,o->nohw", part, weight[:, 0, u, v]',
            "You use weight[:, 0] for every input channel: each has numbers of its "
            "own.",
        ),
        (
            "F.pad(x,",
            "F.pad(x.detach(),",
            "The output is right, the gradient of x is not: do not detach x.",
        ),
        (
            "u, v])",
            "u, v].detach())",
            "The output is right, the gradient of weight is not: use weight itself, "
            "not weight.data, weight.detach() or numbers taken out of it.",
        ),
    ],
)


def _axis(generator: Generator) -> tuple[Sequence[int], dict[str, Any]]:
    """Large strides, so that most lists are long and wrong ones seldom alike."""
    index = generator.initial_seed()

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    n, kernel, stride, dilation = draw(2, 12), draw(2, 6), draw(4, 9), draw(1, 4)
    if index % 3 == 2:
        stride, kernel = draw(1, 5), draw(1, 5)
    span = dilation * (kernel - 1) + 1
    padding = draw(max(0, (span - n + 1) // 2), 5 + span)
    out = (n + 2 * padding - span) // stride + 1
    if index % 6 == 5:  # too short for any padding, or an even step that skips it
        out = max(1, (n - span) // stride)
    fixed = {  # in the first, nearly every mistake gives another list
        0: (35, 3, 18, 8, 2),
        4: (2, 1, 5, 4, 2),
        7: (9, 400, 3, 5, 2),
        13: (12, 3000, 4, 7, 1),
    }
    return fixed.get(index, (n, out, kernel, stride, dilation)), {}


PADDINGS = Exercise(
    name="conv/paddings",
    solution="""
        def paddings(n, out, kernel, stride, dilation):
            span = dilation * (kernel - 1) + 1
            most = span + out * stride  # beyond it, every output is too long
            return [p for p in range(most)
                    if n + 2 * p >= span and (n + 2 * p - span) // stride + 1 == out]
    """,
    run=function_run(
        _axis, ("n", "out", "kernel", "stride", "dilation"), configurations=36
    ),
    mistakes=[
        (
            "out]",
            "out][:1]",
            "You give one padding only; several may fit, since the floor drops a "
            "remainder.",
        ),
        (
            "out]",
            "out][:-1]",
            "The last padding of each list is missing; range stops before its end.",
        ),
        (
            "range(most)",
            "range((out * stride + span - n) // 2)",
            "The last padding of some lists is missing: where the bound for p is not "
            "a whole number, the end of a range must be rounded up.",
        ),
        (
            "[p for",
            "next((p for",
            "out]",
            "out), 0)",
            "You give a number; a list is asked for, since several paddings may fit, "
            "or none.",
        ),
        (
            "[p for",
            "len([p for",
            "out]",
            "out])",
            "You give how many paddings fit; list the paddings.",
        ),
        (
            "// stride",
            "/ stride",
            "You accept a padding only if the stride divides: the division is rounded "
            "down, so remainders up to stride - 1 fit as well.",
        ),
        (
            "(n + 2 * p - span) // stride",
            "-(-(n + 2 * p - span) // stride)",
            "You round up; the size rule rounds down: // in Python.",
        ),
        (
            "n + 2 * p >= span and ",
            "",
            "(n + 2 * p - span) // stride",
            "int((n + 2 * p - span) / stride)",
            "You round toward 0: a kernel that does not fit gives a negative number, "
            "which must round down, to no output.",
        ),
        ("+ 1 == out", "== out", "You forget the + 1: the first window counts, too."),
        (
            "dilation * (kernel - 1) + 1",
            "kernel",
            "You do not use dilation: the kernel spans dilation * (kernel - 1) + 1.",
        ),
        (
            "dilation * (kernel - 1) + 1",
            "dilation * kernel",
            "Your kernel spans dilation * kernel; behind its last entry there is no "
            "gap: dilation * (kernel - 1) + 1.",
        ),
        (
            "(kernel - 1) + 1",
            "(kernel - 1)",
            "Your kernel spans one cell too few: dilation * (kernel - 1) + 1.",
        ),
        (
            "2 * p",
            "p",
            "You count the padding once; it stands on both sides: n + 2 * p.",
        ),
        (
            "range(most)",
            "range(-40, most)",
            "You list negative paddings; begin with p = 0.",
        ),
        (
            "range(most)",
            "range(1, most)",
            "You begin with p = 1; no padding, p = 0, counts.",
        ),
        (
            "range(most)",
            "range(kernel // 2 + 1)",
            "You stop at half the kernel: that is pooling's limit, a convolution has "
            "none.",
        ),
        (
            "range(most)",
            "range(span)",
            "You stop where the first window would lie on padding only; torch takes "
            "wider paddings too.",
        ),
        ("out]", "out][::-1]", "Your list is in descending order; turn it around."),
        (
            " // stride",
            "",
            "You do not use stride: the first window starts at 0, the next at stride.",
        ),
        (
            "dilation * (kernel - 1)",
            "kernel * (dilation - 1)",
            "You mix up kernel and dilation: the span is dilation * (kernel - 1) + 1.",
        ),
        (
            "(n + 2 * p - span) // stride",
            "round((n + 2 * p - span) / stride)",
            "You round to the nearest number; the size rule rounds down: // in Python.",
        ),
        (
            "range(most)",
            "range(60)",
            "You stop at a fixed number; a large output needs a wider padding.",
        ),
    ],
)


def _kernels(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    weight = signed(generator, *KERNELS[index % 6]).requires_grad_()
    sizes = (5 + index % 2, 7 + index % 3) if index % 2 else (8, 5 + index % 3)
    stride = (1, 2, 3)[index % 3]
    return (weight, *sizes), {"stride": stride} if index % 3 else {}


def _matrix(weight: Tensor, height: int, width: int, stride: int = 1) -> Tensor:
    """Column by column: what torch's convolution makes of each single bright pixel."""
    units = torch.eye(height * width, dtype=weight.dtype)
    pictures = units.view(-1, 1, height, width)
    return F.conv2d(pictures, weight[None, None], stride=stride).flatten(1).T


MATRIX = Exercise(
    name="conv/matrix",
    solution="""
        def matrix(weight, height, width, stride=1):
            k_h, k_w = weight.shape
            rows = []
            for i in range(0, height - k_h + 1, stride):
                for j in range(0, width - k_w + 1, stride):
                    row = weight.new_zeros(height, width)
                    row[i : i + k_h, j : j + k_w] = weight
                    rows.append(row.flatten())
            return torch.stack(rows)
    """,
    reference=_matrix,
    run=function_run(_kernels, names=("weight", "height", "width")),
    forbid=("conv",),
    mistakes=[
        (
            "torch.stack(rows)",
            "torch.stack(rows, 1)",
            "Your matrix is the transpose: a row belongs to an output cell, a column "
            "to an input cell.",
        ),
        (
            "] = weight",
            "] = weight.flip(0, 1)",
            "You flip the kernel: weight[0, 0] meets the first cell of the window.",
        ),
        (
            "weight.shape",
            "weight.T.shape",
            "] = weight",
            "] = weight.T",
            "You turn rows and columns of the kernel around: weight has shape (k_H, "
            "k_W).",
        ),
        (
            "k_h, k_w = weight.shape",
            "k_h = k_w = weight.shape[0]",
            "You take the kernel for a square: weight.shape gives k_H and k_W.",
        ),
        (
            "1, stride)",
            "1)",
            "You do not use stride: the windows start at multiples of it.",
        ),
        (
            "k_w + 1, stride",
            "k_w + 1",
            "You stride along the rows only; the columns need it too.",
        ),
        (
            "k_h + 1, stride",
            "k_h + 1",
            "You stride along the columns only; the rows need it too.",
        ),
        (
            "range(0,",
            "range(stride - 1,",
            "Your first window starts at stride - 1; it starts at 0.",
        ),
        (
            "stack(rows)",
            "stack([rows[0].roll(i) for i in range(len(rows))])",
            "You move the first row by one cell for each output. At the end of a row "
            "of outputs the window jumps to the next picture row, and with a stride "
            "by more than one cell.",
        ),
        (
            "row.flatten()",
            "row.T.flatten()",
            "You flatten the input column by column: cell (r, c) is number r * width "
            "+ c.",
        ),
        (
            "height, width, stride",
            "width, height, stride",
            "You take height for width: the picture has height rows and width columns.",
        ),
        (
            "(rows)",
            "(rows).unflatten(0, (-1, (width - k_w) // stride + 1))"
            ".transpose(0, 1).flatten(0, 1)",
            "You go through the outputs column by column: let j run faster than i.",
        ),
        (
            "row.flatten()",
            "row",
            "(rows)",
            "(rows).unflatten(0, (-1, (width - k_w) // stride + 1))",
            "Your entries are right, the shape is not: flatten the outputs into rows "
            "and the inputs into columns.",
        ),
        (
            "(rows)",
            "(rows[:-1])",
            "The last row is missing: the window at the very end counts.",
        ),
        (
            "] = weight",
            "] = weight.detach()",
            "The matrix is right, but no gradient reaches weight: copy the tensor, "
            "not its numbers (no .item(), .data or torch.tensor).",
        ),
    ],
)

EXERCISES = (BY_HAND, PADDINGS, MATRIX)
