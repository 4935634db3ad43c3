"""Exercises of the page convolution/conv_transpose."""

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

STAMPS = Exercise(
    name="conv_transpose/stamps",
    solution="output = [1, 1, 2, 2, 1, 2, 2, 1, 1, 1]",
    run=value_run(),
    mistakes=[
        (
            [1, 1, 2, 2, 1, 2, 2, 1, 1],
            "The last cell is missing: output_padding=1 keeps one more at the end, so "
            "only the first is cut off.",
        ),
        (
            [1, 1, 2, 2, 1, 2, 2, 1, 1, 0],
            "The last cell is not a padded zero: padding had cut a cell off that the "
            "last stamp reaches, and output_padding keeps it.",
        ),
        (
            [1, 1, 1, 2, 2, 1, 2, 2, 1, 1, 1],
            "You leave padding out: it cuts a cell off each side, and output_padding "
            "brings back the one at the end.",
        ),
        (
            [1, 1, 1, 2, 2, 1, 2, 2, 1, 1, 1, 0],
            "You cut nothing off: padding takes a cell off each side, and "
            "output_padding shows one of them again instead of adding a zero.",
        ),
        (
            [0, 1, 1, 1, 2, 2, 1, 2, 2, 1, 1, 1, 0],
            "You add the padding: here it is cut off, on each side.",
        ),
        (
            [0, 1, 1, 1, 2, 2, 1, 2, 2, 1, 1, 1, 0, 0],
            "You add the padding and a zero: both arguments cut here, padding a cell "
            "on each side, output_padding one cell less at the end.",
        ),
        (
            [1, 1, 1, 2, 2, 1, 2, 2, 1, 1],
            "You cut the end off and keep the start: output_padding acts at the end.",
        ),
        ([1, 2, 3, 3, 3, 2], "Your stamps lie one cell apart: the stride is 3."),
        (
            [1, 1, 1, 1, 1, 1, 1, 1],
            "Your stamps do not overlap: each covers 5 cells, and the next one starts "
            "3 cells further on.",
        ),
        (
            [1, 0, 0, 1, 0, 0, 1],
            "That is the stuffed input; each of its ones stamps 5 cells.",
        ),
        (10, "That is the length of the output: list the number in each of its cells."),
    ],
)


def _stuffable(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Pictures and kernels whose axes all differ, for several strides."""
    index = generator.initial_seed()
    n, c_in, c_out = distinct(generator, 3)
    if index % 4 == 3:  # where a weight of swapped channels is not refused
        c_out = c_in
    kernel = ((3, 2), (2, 4), (4, 3), (1, 3))[index % 4]
    x = signed(generator, n, c_in, 3 + index % 2, 4 + index % 3).requires_grad_()
    weight = signed(generator, c_in, c_out, *kernel).requires_grad_()
    return (x, weight, (2, 3, 1, 4)[index % 4]), {}


def _stamped(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    return F.conv_transpose2d(x, weight, stride=stride)


GATHER = Exercise(
    name="conv_transpose/gather",
    solution="""
        def gather2d(x, weight, stride):
            n, c, height, width = x.shape
            k_h, k_w = weight.shape[2:]
            size = (height - 1) * stride + 1, (width - 1) * stride + 1
            stuffed = x.new_zeros(n, c, *size)
            stuffed[:, :, ::stride, ::stride] = x
            flipped = weight.transpose(0, 1).flip(2, 3)
            return F.conv2d(stuffed, flipped, padding=(k_h - 1, k_w - 1))
    """,
    reference=_stamped,
    run=function_run(_stuffable, names=("x", "weight", "stride")),
    forbid=("conv_transpose",),
    mistakes=[
        (
            ".flip(2, 3)",
            ".flip(3)",
            "A single 1 comes out as the kernel upside down: its columns are flipped, "
            "its rows are not.",
        ),
        (
            ".flip(2, 3)",
            ".flip(2)",
            "A single 1 comes out as the kernel with left and right swapped: its rows "
            "are flipped, its columns are not.",
        ),
        (
            ".flip(2, 3)",
            "",
            "A single 1 comes out as the kernel turned by 180 degrees: flip it along "
            "both of its axes.",
        ),
        (
            ".transpose(0, 1).flip(2, 3)",
            ".transpose(0, 1).flip(0, 1, 2, 3)",
            "You flip the channels as well: only the kernel's rows and columns are "
            "turned around.",
        ),
        (
            "weight.transpose(0, 1).flip(2, 3)",
            "weight.flip(2, 3)",
            "The channel axes are in the transposed layer's order, (C_in, C_out, k, "
            "k): F.conv2d reads (C_out, C_in, k, k).",
        ),
        (
            "weight.transpose(0, 1).flip(2, 3)",
            "weight.transpose(0, 1).transpose(2, 3)",
            "You swap the kernel's rows and columns instead of turning them around.",
        ),
        (
            "padding=(k_h - 1, k_w - 1)",
            "padding=(k_w - 1, k_h - 1)",
            "Your padding has rows and columns swapped: the kernel need not be square.",
        ),
        (
            "padding=(k_h - 1, k_w - 1)",
            "padding=k_h - 1",
            "You pad both axes by the kernel's rows; each needs one less than its own "
            "k.",
        ),
        (
            "(height - 1) * stride + 1, (width - 1) * stride + 1",
            "height * stride, width * stride",
            "Your output is longer by stride - 1 at the far ends: zeros stand between "
            "the cells, none behind the last.",
        ),
        (
            "stuffed[:, :, ::stride, ::stride] = x",
            "stuffed[:, :, ::stride, ::stride] = x.detach()",
            "The values are right, but no gradient reaches x: do not detach it.",
        ),
        (
            "flipped = weight",
            "flipped = weight.detach()",
            "The values are right, but no gradient reaches weight: do not detach it.",
        ),
    ],
)


def _convolutions(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Gradients at the output of a convolution; the rest differs along the axes."""
    index = generator.initial_seed()
    n, c_out, c_in = distinct(generator, 3)
    stride, padding = (3, 2, 1, 4)[index % 4], (1, 0, 2)[index % 3]
    dilation = 2 if index % 4 == 1 or index % 5 == 4 else 1
    kernel = ((3, 2), (2, 3), (4, 3))[(index + 1) % 3]
    shape = (7 + index % 5, 9 + (index // 2) % 4)
    if index == 0:  # each wrong remainder gives another size here
        stride, dilation, shape = 5, 2, (12, 11)
    n, c_in = 1 if index == 7 else n, 1 if index == 9 else c_in
    out = [
        (size + 2 * padding - dilation * (k - 1) - 1) // stride + 1
        for size, k in zip(shape, kernel, strict=True)
    ]
    grad = signed(generator, n, c_out, *out).requires_grad_()
    weight = signed(generator, c_out, c_in, *kernel).requires_grad_()
    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    usual = {"stride": 1, "padding": 0, "dilation": 1}
    given = {key: v for key, v in settings.items() if v != usual[key]}
    return (grad, weight, shape), given


def _input_gradient(
    grad: Tensor,
    weight: Tensor,
    shape: tuple[int, int],
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
) -> Tensor:
    """What autograd finds, as a function that can be differentiated again."""
    x = torch.zeros(
        len(grad), weight.shape[1], *shape, dtype=grad.dtype, requires_grad=True
    )
    y = F.conv2d(x, weight, stride=stride, padding=padding, dilation=dilation)
    found: Tensor
    (found,) = torch.autograd.grad(y, x, grad, create_graph=True)
    return found


INPUT_GRADIENT = Exercise(
    name="conv_transpose/input_gradient",
    solution="""
        def input_gradient(grad, weight, shape, stride=1, padding=0, dilation=1):
            rest = [
                (size + 2 * padding - dilation * (k - 1) - 1) % stride
                for size, k in zip(shape, weight.shape[2:])
            ]
            return F.conv_transpose2d(
                grad, weight, None, stride, padding, rest, dilation=dilation
            )
    """,
    reference=_input_gradient,
    run=function_run(_convolutions, names=("grad", "weight", "shape")),
    forbid=("conv1d", "conv2d", "conv3d", "convolution"),
    mistakes=[
        (
            "padding, rest",
            "padding",
            "Your gradient is smaller than shape wherever the convolution rounded "
            "down: output_padding is the remainder of that division, for each axis.",
        ),
        (
            "return F",
            "y = F",
            "rest, dilation=dilation\n    )",
            "dilation=dilation\n    )\n    return F.pad(y, (0, rest[1], 0, rest[0]))",
            "You fill the missing rows instead of computing them, and the kernel has "
            "reached some of them: let output_padding keep them.",
        ),
        (
            "padding, rest",
            "padding, stride - 1",
            "You always take the largest output_padding: it is the remainder of (size "
            "+ 2*padding - dilation*(k - 1) - 1) / stride.",
        ),
        (
            "padding, rest",
            "padding, rest[::-1]",
            "You have swapped the two axes of output_padding: rows come first.",
        ),
        (
            "(size +",
            "(shape[0] +",
            "You use the number of rows for both axes: shape and kernel need not be "
            "square, so compute output_padding for each axis.",
        ),
        (
            "(k - 1)",
            "(weight.shape[2] - 1)",
            "You use weight.shape[2] for both axes: the kernel need not be square, so "
            "compute output_padding for each axis with its own k.",
        ),
        (
            "zip(shape,",
            "zip(shape[::-1],",
            "You have swapped the two sizes of shape: rows come first, then columns.",
        ),
        (
            "(size + 2 * padding - dilation * (k - 1) - 1)",
            "size",
            "Your remainder is that of the size alone: the first window already spans "
            "dilation*(k - 1) + 1 cells, and padding adds cells on both sides.",
        ),
        (
            "size + 2 * padding",
            "size",
            "Your remainder forgets the padding: the convolution slides over size + "
            "2*padding cells.",
        ),
        (
            "dilation * (k - 1)",
            "(k - 1)",
            "Your remainder forgets the dilation: a kernel of k entries spans "
            "dilation*(k - 1) + 1 cells.",
        ),
        (
            "(k - 1) - 1",
            "(k - 1)",
            "Your remainder is off by one: a kernel spans dilation*(k - 1) + 1 cells, "
            "and that is what the size is compared with.",
        ),
        (
            "weight, None",
            "weight.transpose(0, 1), None",
            "Swapped channel axes: the convolution's (C_out, C_in, k, k) is the "
            "transposed one's (C_in, C_out, k, k) as it is.",
        ),
        (
            "weight, None",
            "weight.flip(2, 3), None",
            "You flip the kernel: the stamps are the kernel as it is; the flip "
            "belongs to the convolution over the stuffed input.",
        ),
        (
            "stride, padding, rest",
            "1, padding",
            "You do not pass the stride: stamps lie stride cells apart.",
        ),
        (
            "stride, padding, rest",
            "stride, 0, rest",
            "You do not pass the padding: what lies in the frame belongs to no input.",
        ),
        (
            ", dilation=dilation",
            "",
            "You do not pass the dilation: it spreads each stamp.",
        ),
        (
            "grad, weight, None",
            "grad / len(grad), weight, None",
            "You divide by the batch size: grad is the gradient already, and each "
            "sample has its own.",
        ),
        (
            "grad, weight, None",
            "grad.detach(), weight, None",
            "The values are right, but no gradient reaches grad: do not detach it.",
        ),
        (
            "weight, None",
            "weight.detach(), None",
            "The values are right, but no gradient reaches weight: do not detach it, "
            "and do not wrap it in a new nn.Parameter.",
        ),
        (
            "grad, weight, None",
            "grad.detach(), weight.detach(), None",
            "The values are right, but no gradient reaches grad and weight: stay with "
            "torch's functions, without detach, .data, numpy or torch.no_grad().",
        ),
        (
            "dilation=dilation\n    )",
            "dilation=dilation\n    ).squeeze()",
            "Your squeeze also removes a batch or channel axis of size 1: leave it "
            "out.",
        ),
    ],
)


def _scales(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    scales = 4, 3, 2, 5, 6, 7, 8, 1  # 4 and 3 first: at 2 many tents look alike
    return (scales[generator.initial_seed()],), {}


def _bilinear_kernel(scale: int) -> Tensor:
    """What bilinear resizing makes of a single bright pixel, without the zeros."""
    dot = torch.zeros(1, 1, 5, 5)
    dot[..., 2, 2] = 1
    y = F.interpolate(dot, scale_factor=scale, mode="bilinear", align_corners=False)
    k = 2 * scale - scale % 2
    start = 2 * scale - (k - scale) // 2
    return y[0, 0, start : start + k, start : start + k]


BILINEAR_KERNEL = Exercise(
    name="conv_transpose/bilinear_kernel",
    solution="""
        def bilinear_kernel(scale):
            k = 2 * scale - scale % 2
            tent = 1 - (torch.arange(k) - (k - 1) / 2).abs() / scale
            return torch.outer(tent, tent)
    """,
    reference=_bilinear_kernel,
    run=function_run(_scales, names=("scale",), configurations=8, exact=True),
    forbid=("interpolate", "upsample"),
    mistakes=[
        (
            "2 * scale - scale % 2",
            "2 * scale",
            "For an odd scale the kernel has 2 * scale - 1 entries: the one in the "
            "middle lies on an output pixel.",
        ),
        (
            "2 * scale - scale % 2",
            "2 * scale - 1",
            "For an even scale the kernel has 2 * scale entries: its middle lies "
            "between two output pixels.",
        ),
        (
            "(k - 1) / 2",
            "k / 2",
            "Your middle is half a cell too far right: entries 0 to k - 1 have their "
            "middle at (k - 1) / 2.",
        ),
        (
            "(k - 1) / 2",
            "k // 2",
            "Your middle is a whole number: for an even kernel it lies between two "
            "entries, at (k - 1) / 2.",
        ),
        (
            "/ scale",
            "/ k",
            "Your tent is too flat: one input pixel further on, scale output pixels "
            "away, the weight must have reached 0.",
        ),
        (
            "/ scale",
            "/ (k / 2)",
            "For an odd scale your tent is too steep: divide the distance by scale, "
            "not by k / 2.",
        ),
        (
            "/ scale",
            "/ ((k - 1) / 2)",
            "Your tent reaches 0 at its outermost entries: divide the distance by "
            "scale; the 0 lies outside of the kernel or half a cell further out.",
        ),
        (
            "1 - (",
            "(",
            "/ scale",
            "< scale / 2",
            "(tent, tent)",
            "(tent.float(), tent.float())",
            "That is nearest-neighbor resizing: the weight falls linearly with the "
            "distance.",
        ),
        (
            "/ scale",
            ".long() // scale",
            "You divide with //, which leaves whole numbers: the weights are "
            "fractions.",
        ),
        (
            """
            def bilinear_kernel(scale):
                k = 2 * scale - scale % 2
                ramp = torch.linspace(0, 1, (k + 1) // 2)
                tent = torch.cat([ramp, ramp.flip(0)[k % 2 :]])
                return torch.outer(tent, tent)
            """,
            "Your tent starts at 0: its outermost entries lie inside, and the weight "
            "is 1 - distance / scale.",
        ),
        (
            "return",
            "tent = tent * tent * (3 - 2 * tent)\n    return",
            "Your weight falls along a curve: bilinear means linear along each axis.",
        ),
        (
            "torch.outer(tent, tent)",
            "tent",
            "That is the kernel of one axis: multiply it with itself, torch.outer.",
        ),
        (
            "torch.outer(tent, tent)",
            "torch.minimum(tent[:, None], tent)",
            "You take the smaller of the two axes' weights: bilinear is their product.",
        ),
        (
            "torch.outer(tent, tent)",
            "(tent[:, None] + tent) / 2",
            "You average the two axes' weights: bilinear is their product.",
        ),
        (
            "(tent, tent)",
            "(tent, tent) / tent.sum() ** 2",
            "Your kernel sums to 1. Each output pixel sees only one entry in scale "
            "along each axis, and those must sum to 1: do not normalize.",
        ),
        (
            "(tent, tent)",
            "(tent, tent) / tent.max() ** 2",
            "You set the largest entry to 1. For an even scale no output pixel lies "
            "on an input pixel, so no weight is 1: do not normalize.",
        ),
        (
            "(tent, tent)",
            "(tent, tent)[None, None]",
            "The kernel is right, its shape is not: return (k, k); the channel axes "
            "are added by the caller.",
        ),
        (
            "(tent, tent)",
            "(tent, tent).double()",
            "The numbers are right, but in float64: return float32.",
        ),
    ],
)

AVERAGE = Exercise(
    name="conv_transpose/average",
    setup="""
        def pattern(y):  # (N, C, H, W): a share for each channel, far from the border
            inside = y[..., 6:-6, 6:-6]
            square = inside.square().mean((0, 2, 3))
            return inside.std((0, 2, 3), correction=0) / square.sqrt()


        flat = torch.ones(1, 8, 12, 12).double()
    """,
    solution="""
        without, averaged = [], []
        for seed in range(8):
            torch.manual_seed(seed)
            layer = nn.ConvTranspose2d(8, 1, 4, stride=2, bias=False).double()
            y = layer(flat)
            without.append(pattern(y).item())
            averaged.append(pattern(F.avg_pool2d(y, 2, stride=1)).item())
        d = torch.tensor(without) - torch.tensor(averaged)  # (seeds,)
        answer = d.mean().item(), (d.std() / len(d) ** 0.5).item()
    """,
    run=measure_run("without", "averaged"),
    mistakes=[
        (
            "pattern(F.avg_pool2d(y, 2, stride=1))",
            "pattern(F.avg_pool2d(y, 3, stride=1))",
            "A window of 3 x 3 holds more of one filter than of another, and leaves "
            "part of the pattern: take 2 x 2.",
        ),
        (
            "F.avg_pool2d(y, 2, stride=1)",
            "layer(F.avg_pool2d(flat, 2, stride=1))",
            "You average before the layer, where all is flat already: average what "
            "comes out of it.",
        ),
        (
            "pattern(y)",
            "(y.std() / y.square().mean().sqrt())",
            "pattern(F.avg_pool2d(y, 2, stride=1))",
            "((z := F.avg_pool2d(y, 2, stride=1)).std() / z.square().mean().sqrt())",
            "You measure up to the border, where stamps are missing: pattern cuts six "
            "cells off each side.",
        ),
    ],
)

EXERCISES = (STAMPS, GATHER, INPUT_GRADIENT, BILINEAR_KERNEL, AVERAGE)
