"""Exercises of the page convolution/conv_transpose."""

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
)

STAMPS = Exercise(
    name="conv_transpose/stamps",
    reference=[1, 1, 2, 2, 1, 2, 2, 1, 1, 1],
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            [1, 1, 2, 2, 1, 2, 2, 1, 1],
            "The last cell is missing: output_padding=1 keeps one more at the end, so "
            "only the first is cut off.",
        ),
        Mistake(
            [1, 1, 2, 2, 1, 2, 2, 1, 1, 0],
            "The last cell is not a padded zero: padding had cut a cell off that the "
            "last stamp reaches, and output_padding keeps it.",
        ),
        Mistake(
            [1, 1, 1, 2, 2, 1, 2, 2, 1, 1, 1],
            "You leave padding out: it cuts a cell off each side, and output_padding "
            "brings back the one at the end.",
        ),
        Mistake(
            [1, 1, 1, 2, 2, 1, 2, 2, 1, 1, 1, 0],
            "You cut nothing off: padding takes a cell off each side, and "
            "output_padding shows one of them again instead of adding a zero.",
        ),
        Mistake(
            [0, 1, 1, 1, 2, 2, 1, 2, 2, 1, 1, 1, 0],
            "You add the padding: here it is cut off, on each side.",
        ),
        Mistake(
            [0, 1, 1, 1, 2, 2, 1, 2, 2, 1, 1, 1, 0, 0],
            "You add the padding and a zero: both arguments cut here, padding a cell "
            "on each side, output_padding one cell less at the end.",
        ),
        Mistake(
            [1, 1, 1, 2, 2, 1, 2, 2, 1, 1],
            "You cut the end off and keep the start: output_padding acts at the end.",
        ),
        Mistake(
            [1, 2, 3, 3, 3, 2],
            "Your stamps lie one cell apart: the stride is 3.",
        ),
        Mistake(
            [1, 1, 1, 1, 1, 1, 1, 1],
            "Your stamps do not overlap: each covers 5 cells, and the next one starts "
            "3 cells further on.",
        ),
        Mistake(
            [1, 0, 0, 1, 0, 0, 1],
            "That is the stuffed input; each of its ones stamps 5 cells.",
        ),
        Mistake(
            10,
            "That is the length of the output: list the number in each of its cells.",
        ),
    ),
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


def _wrong_gradient(wrong: str) -> Any:
    def answer(
        grad: Tensor,
        weight: Tensor,
        shape: tuple[int, int],
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
    ) -> Tensor:
        used = 0 if wrong == "rest without padding" else padding
        spread = 1 if wrong == "rest without dilation" else dilation
        sizes = {"square": shape[:1] * 2, "shape swapped": shape[::-1]}.get(
            wrong, shape
        )
        rest = [
            size % stride
            if wrong == "size"
            else (size + 2 * used - spread * (k - 1) - (wrong != "no 1")) % stride
            for size, k in zip(
                sizes,
                weight.shape[2:3] * 2 if wrong == "square kernel" else weight.shape[2:],
                strict=True,
            )
        ]
        short = rest
        if wrong in ("none", "zeros"):
            rest = [0, 0]
        elif wrong == "largest":
            rest = [stride - 1] * 2
        elif wrong == "swapped":
            rest = rest[::-1]
        elif wrong == "axes":
            weight = weight.transpose(0, 1)
        elif wrong == "flipped":
            weight = weight.flip(2, 3)
        if wrong in ("detached", "detached grad"):
            grad = grad.detach()
        if wrong in ("detached", "detached weight"):
            weight = weight.detach()
        if wrong == "mean":
            grad = grad / len(grad)
        y = F.conv_transpose2d(
            grad,
            weight,
            None,
            1 if wrong == "no stride" else stride,
            0 if wrong == "no padding" else padding,
            0 if wrong == "no stride" else rest,
            dilation=1 if wrong == "no dilation" else dilation,
        )
        if wrong == "zeros":
            y = F.pad(y, (0, short[1], 0, short[0]))
        return y.squeeze() if wrong == "squeezed" else y

    return answer


GRADIENT_HINTS = {
    "none": (
        "Your gradient is smaller than shape wherever the convolution rounded down: "
        "output_padding is the remainder of that division, for each axis."
    ),
    "zeros": (
        "You fill the missing rows instead of computing them, and the kernel has "
        "reached some of them: let output_padding keep them."
    ),
    "largest": (
        "You always take the largest output_padding: it is the remainder of (size + "
        "2*padding - dilation*(k - 1) - 1) / stride."
    ),
    "swapped": "You have swapped the two axes of output_padding: rows come first.",
    "square": (
        "You use the number of rows for both axes: shape and kernel need not be "
        "square, so compute output_padding for each axis."
    ),
    "square kernel": (
        "You use weight.shape[2] for both axes: the kernel need not be square, so "
        "compute output_padding for each axis with its own k."
    ),
    "shape swapped": (
        "You have swapped the two sizes of shape: rows come first, then columns."
    ),
    "size": (
        "Your remainder is that of the size alone: the first window already spans "
        "dilation*(k - 1) + 1 cells, and padding adds cells on both sides."
    ),
    "rest without padding": (
        "Your remainder forgets the padding: the convolution slides over size + "
        "2*padding cells."
    ),
    "rest without dilation": (
        "Your remainder forgets the dilation: a kernel of k entries spans dilation*(k "
        "- 1) + 1 cells."
    ),
    "no 1": (
        "Your remainder is off by one: a kernel spans dilation*(k - 1) + 1 cells, and "
        "that is what the size is compared with."
    ),
    "axes": (
        "Swapped channel axes: the convolution's (C_out, C_in, k, k) is the "
        "transposed one's (C_in, C_out, k, k) as it is."
    ),
    "flipped": (
        "You flip the kernel: the stamps are the kernel as it is; the flip belongs to "
        "the convolution over the stuffed input."
    ),
    "no stride": "You do not pass the stride: stamps lie stride cells apart.",
    "no padding": (
        "You do not pass the padding: what lies in the frame belongs to no input."
    ),
    "no dilation": "You do not pass the dilation: it spreads each stamp.",
    "mean": (
        "You divide by the batch size: grad is the gradient already, and each sample "
        "has its own."
    ),
    "detached grad": (
        "The values are right, but no gradient reaches grad: do not detach it."
    ),
    "detached weight": (
        "The values are right, but no gradient reaches weight: do not detach it, and "
        "do not wrap it in a new nn.Parameter."
    ),
    "detached": (
        "The values are right, but no gradient reaches grad and weight: stay with "
        "torch's functions, without detach, .data, numpy or torch.no_grad()."
    ),
    "squeezed": (
        "Your squeeze also removes a batch or channel axis of size 1: leave it out."
    ),
}

INPUT_GRADIENT = Exercise(
    name="conv_transpose/input_gradient",
    reference=_input_gradient,
    run=function_run(_convolutions, names=("grad", "weight", "shape")),
    forbid=("conv1d", "conv2d", "conv3d", "convolution"),
    mistakes=tuple(
        Mistake(_wrong_gradient(k), hint) for k, hint in GRADIENT_HINTS.items()
    ),
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


def _tent(wrong: str = "") -> Any:
    def answer(scale: int) -> Tensor:
        k = 2 * scale - scale % 2
        if wrong == "always 2 * scale":
            k = 2 * scale
        if wrong == "always odd":
            k = 2 * scale - 1
        center = (k - 1) / 2
        if wrong == "center k / 2":
            center = k / 2
        if wrong == "center k // 2":
            center = k // 2
        slope = {"by k": k, "by half": k / 2, "by k - 1": (k - 1) / 2}.get(wrong, scale)
        distance = (torch.arange(k) - center).abs()
        side = 1 - distance / slope
        if wrong == "nearest":
            side = (distance < scale / 2).float()
        if wrong == "whole":
            side = 1 - distance // slope
        if wrong == "ramp":
            ramp = torch.linspace(0, 1, (k + 1) // 2)
            side = torch.cat([ramp, ramp.flip(0)[k % 2 :]])
        if wrong == "cubic":
            side = side * side * (3 - 2 * side)
        if wrong == "one axis":
            return side
        if wrong == "minimum":
            return torch.minimum(side[:, None], side)
        if wrong == "mean":
            return (side[:, None] + side) / 2
        kernel = torch.outer(side, side)
        if wrong == "sum 1":
            return kernel / kernel.sum()
        if wrong == "peak 1":
            return kernel / kernel.max()
        if wrong == "four axes":
            return kernel[None, None]
        if wrong == "double":
            return kernel.double()
        if wrong == "whole":
            return kernel.long()
        return kernel

    return answer


TENT_HINTS = {
    "always 2 * scale": (
        "For an odd scale the kernel has 2 * scale - 1 entries: the one in the middle "
        "lies on an output pixel."
    ),
    "always odd": (
        "For an even scale the kernel has 2 * scale entries: its middle lies between "
        "two output pixels."
    ),
    "center k / 2": (
        "Your middle is half a cell too far right: entries 0 to k - 1 have their "
        "middle at (k - 1) / 2."
    ),
    "center k // 2": (
        "Your middle is a whole number: for an even kernel it lies between two "
        "entries, at (k - 1) / 2."
    ),
    "by k": (
        "Your tent is too flat: one input pixel further on, scale output pixels away, "
        "the weight must have reached 0."
    ),
    "by half": (
        "For an odd scale your tent is too steep: divide the distance by scale, not "
        "by k / 2."
    ),
    "by k - 1": (
        "Your tent reaches 0 at its outermost entries: divide the distance by scale; "
        "the 0 lies outside of the kernel or half a cell further out."
    ),
    "nearest": (
        "That is nearest-neighbor resizing: the weight falls linearly with the "
        "distance."
    ),
    "whole": (
        "You divide with //, which leaves whole numbers: the weights are fractions."
    ),
    "ramp": (
        "Your tent starts at 0: its outermost entries lie inside, and the weight is 1 "
        "- distance / scale."
    ),
    "cubic": "Your weight falls along a curve: bilinear means linear along each axis.",
    "one axis": "That is the kernel of one axis: multiply it with itself, torch.outer.",
    "minimum": (
        "You take the smaller of the two axes' weights: bilinear is their product."
    ),
    "mean": "You average the two axes' weights: bilinear is their product.",
    "sum 1": (
        "Your kernel sums to 1. Each output pixel sees only one entry in scale along "
        "each axis, and those must sum to 1: do not normalize."
    ),
    "peak 1": (
        "You set the largest entry to 1. For an even scale no output pixel lies on an "
        "input pixel, so no weight is 1: do not normalize."
    ),
    "four axes": (
        "The kernel is right, its shape is not: return (k, k); the channel axes are "
        "added by the caller."
    ),
    "double": "The numbers are right, but in float64: return float32.",
}

BILINEAR_KERNEL = Exercise(
    name="conv_transpose/bilinear_kernel",
    reference=_bilinear_kernel,
    run=function_run(_scales, names=("scale",), float32=False),
    forbid=("interpolate", "upsample"),
    configurations=8,
    mistakes=tuple(Mistake(_tent(k), hint) for k, hint in TENT_HINTS.items()),
)

EXERCISES = (STAMPS, INPUT_GRADIENT, BILINEAR_KERNEL)
