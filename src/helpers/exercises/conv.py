"""Exercises of the page convolution/conv."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from helpers._check import Exercise, Mistake, distinct, function_run, signed, varied

KERNELS = ((3, 2), (2, 3), (1, 4), (3, 3), (4, 1), (2, 2))


def _pictures(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Neither kernels nor pictures are square, and strides do not always divide."""
    index = generator.initial_seed()
    n, channels, outputs = distinct(generator, 3)
    x = varied(generator, n, channels, 7 + index % 2, 9 + index % 3)
    weight = signed(generator, outputs, channels, *KERNELS[index % 6])
    bias = signed(generator, outputs)
    args = tuple(t.requires_grad_() for t in (x, weight, bias))
    how = ({}, {"stride": 2}, {"padding": 1}, {"stride": 3, "padding": 2})[index % 4]
    return args, dict(how)


def _conv(wrong: str = "") -> Any:
    def answer(
        x: Tensor, weight: Tensor, bias: Tensor, stride: int = 1, padding: int = 0
    ) -> Tensor:
        frame, mode, steps = [padding] * 4, "constant", (stride, stride)
        if wrong == "flipped":
            weight = weight.flip(2, 3)
        elif wrong == "channels flipped":
            weight = weight.flip(1)
        elif wrong == "no padding":
            frame = [0] * 4
        elif wrong == "one side":
            frame = [padding, 0] * 2
        elif wrong == "columns only":
            frame = [padding] * 2 + [0] * 2
        elif wrong == "replicate":
            mode = "replicate"
        elif wrong == "no stride":
            steps = (1, 1)
        elif wrong == "rows only":
            steps = (stride, 1)
        elif wrong == "detached":
            x = x.detach()
        elif wrong == "detached weight":
            weight = weight.detach()
        elif wrong == "no bias":
            bias = torch.zeros_like(bias)
        elif wrong == "bias for each channel":
            bias = bias * x.shape[1]
        elif wrong == "mean":
            weight = weight / weight[0].numel()
        elif wrong == "mean over channels":
            weight = weight / weight.shape[1]
        x = F.pad(x, frame, mode)
        if wrong == "late start":
            x = x[:, :, stride - 1 :, stride - 1 :]
        if wrong == "one too few":
            k_h, k_w = weight.shape[2:]
            h, w = (n - stride for n in x.shape[2:])
            x = x[:, :, : max(h, k_h), : max(w, k_w)]
        return F.conv2d(x, weight, bias, steps)

    return answer


BY_HAND = Exercise(
    name="conv/by_hand",
    reference=_conv(),
    run=function_run(_pictures),
    forbid=("conv",),
    mistakes=(
        Mistake(
            _conv("flipped"),
            "You flip the kernel: torch's sum is x[i + u] * weight[u], with a plus, "
            "and nothing is turned around.",
        ),
        Mistake(
            _conv("channels flipped"),
            "You meet the input channels in the wrong order: channel c of x belongs to "
            "weight[:, c].",
        ),
        Mistake(
            _conv("no padding"),
            "You do not use padding: put that many zeros on all four sides first.",
        ),
        Mistake(
            _conv("one side"),
            "You pad the left and the top only; padding counts for all four sides.",
        ),
        Mistake(
            _conv("columns only"),
            "You pad the last axis only; F.pad needs four numbers for two axes.",
        ),
        Mistake(
            _conv("replicate"),
            "You repeat the border; the default padding_mode is zeros.",
        ),
        Mistake(
            _conv("no stride"),
            "You do not use stride: the window for output i starts at row i * stride.",
        ),
        Mistake(
            _conv("rows only"),
            "You stride along the rows only; the columns need it too.",
        ),
        Mistake(
            _conv("late start"),
            "Your first window starts at stride - 1; it starts at 0.",
        ),
        Mistake(
            _conv("one too few"),
            "You leave out the last window of each axis: there are "
            "(H - k_H) // stride + 1 of them, the + 1 included.",
        ),
        Mistake(_conv("no bias"), "You do not add bias."),
        Mistake(
            _conv("bias for each channel"),
            "You add bias once for each input channel: it is added once to the sum.",
        ),
        Mistake(
            _conv("mean"),
            "You take the mean over the window: a convolution adds the products.",
        ),
        Mistake(
            _conv("mean over channels"),
            "You average over the input channels: they are added up.",
        ),
        Mistake(
            _conv("detached"),
            "The output is right, the gradient of x is not: do not detach x.",
        ),
        Mistake(
            _conv("detached weight"),
            "The output is right, the gradient of weight is not: use weight itself, "
            "not weight.data, weight.detach() or numbers taken out of it.",
        ),
    ),
)


def _axis(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Sizes with none, one and several paddings; the kernel may exceed the axis."""
    index = generator.initial_seed()

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    n, kernel, stride, dilation = draw(2, 12), draw(1, 5), draw(1, 5), draw(1, 3)
    if index % 3 == 0:
        stride = draw(3, 5)
    span = dilation * (kernel - 1) + 1
    padding = draw(max(0, (span - n + 1) // 2), 5 + span)
    out = (n + 2 * padding - span) // stride + 1
    if index % 6 == 5:  # too short for any padding, or an even step that skips it
        out = max(1, (n - span) // stride)
    if index % 12 == 4:
        n, kernel, stride, dilation, out = 2, 5, 4, 2, 1
    return (n, out, kernel, stride, dilation), {}


def _paddings(wrong: str = "") -> Any:
    def fits(n: int, p: int, out: int, kernel: int, stride: int, d: int) -> bool:
        span = d * (kernel - 1) + 1
        if wrong == "no dilation":
            span = kernel
        elif wrong == "dilation times kernel":
            span = d * kernel
        elif wrong == "span":
            span -= 1
        sides = 1 if wrong == "one side" else 2
        free = n + sides * p - span
        if wrong == "exact":
            return free == (out - 1) * stride
        if wrong == "no one":
            return free >= 0 and free // stride == out
        if wrong == "ceil":
            return free >= 0 and -(-free // stride) + 1 == out
        if wrong == "truncated":
            return int(free / stride) + 1 == out
        return free >= 0 and free // stride + 1 == out

    def answer(n: int, out: int, kernel: int, stride: int, dilation: int) -> Any:
        low, high = (-40 if wrong == "negative" else 0), 120
        if wrong == "positive":
            low = 1
        elif wrong == "half":
            high = kernel // 2 + 1
        elif wrong == "full":
            high = dilation * (kernel - 1) + 1
        found = [
            p for p in range(low, high) if fits(n, p, out, kernel, stride, dilation)
        ]
        if wrong == "smallest":
            return found[:1]
        if wrong == "number":
            return found[0] if found else None or 0
        if wrong == "count":
            return len(found)
        if wrong == "descending":
            return found[::-1]
        return found

    return answer


PADDINGS = Exercise(
    name="conv/paddings",
    reference=_paddings(),
    run=function_run(
        _axis, names=("n", "out", "kernel", "stride", "dilation"), float32=False
    ),
    configurations=36,
    mistakes=(
        Mistake(
            _paddings("smallest"),
            "You give one padding only; several may fit, since the floor drops a "
            "remainder.",
        ),
        Mistake(
            _paddings("number"),
            "You give a number; a list is asked for, since several paddings may fit, "
            "or none.",
        ),
        Mistake(
            _paddings("count"), "You give how many paddings fit; list the paddings."
        ),
        Mistake(
            _paddings("exact"),
            "You accept a padding only if the stride divides: the division is rounded "
            "down, so remainders up to stride - 1 fit as well.",
        ),
        Mistake(
            _paddings("ceil"), "You round up; the size rule rounds down: // in Python."
        ),
        Mistake(
            _paddings("truncated"),
            "You round toward 0: a kernel that does not fit gives a negative number, "
            "which must round down, to no output.",
        ),
        Mistake(
            _paddings("no one"),
            "You forget the + 1: the first window counts, too.",
        ),
        Mistake(
            _paddings("no dilation"),
            "You do not use dilation: the kernel spans dilation * (kernel - 1) + 1.",
        ),
        Mistake(
            _paddings("dilation times kernel"),
            "Your kernel spans dilation * kernel; behind its last entry there is no "
            "gap: dilation * (kernel - 1) + 1.",
        ),
        Mistake(
            _paddings("span"),
            "Your kernel spans one cell too few: dilation * (kernel - 1) + 1.",
        ),
        Mistake(
            _paddings("one side"),
            "You count the padding once; it stands on both sides: n + 2 * p.",
        ),
        Mistake(_paddings("negative"), "You list negative paddings; begin with p = 0."),
        Mistake(
            _paddings("positive"), "You begin with p = 1; no padding, p = 0, counts."
        ),
        Mistake(
            _paddings("half"),
            "You stop at half the kernel: that is pooling's limit, a convolution has "
            "none.",
        ),
        Mistake(
            _paddings("full"),
            "You stop where the first window would lie on padding only; torch takes "
            "wider paddings too.",
        ),
        Mistake(
            _paddings("descending"), "Your list is in descending order; turn it around."
        ),
    ),
)


def _kernels(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    weight = signed(generator, *KERNELS[index % 6]).requires_grad_()
    sizes = (5 + index % 2, 7 + index % 3) if index % 2 else (8, 5 + index % 3)
    stride = (1, 2, 3)[index % 3]
    return (weight, *sizes), {"stride": stride} if index % 3 else {}


def _matrix(wrong: str = "") -> Any:
    def answer(weight: Tensor, height: int, width: int, stride: int = 1) -> Tensor:
        steps = (stride, stride)
        if wrong == "flipped":
            weight = weight.flip(0, 1)
        elif wrong == "no stride":
            steps = (1, 1)
        elif wrong == "rows only":
            steps = (stride, 1)
        elif wrong == "detached":
            weight = weight.detach()
        units = torch.eye(height * width, dtype=weight.dtype)
        pictures = units.view(-1, 1, height, width)
        if wrong == "column by column":
            pictures = units.view(-1, 1, width, height).mT
        if wrong == "late start":
            pictures = pictures[:, :, stride - 1 :, stride - 1 :]
        y = F.conv2d(pictures, weight[None, None], None, steps)[:, 0]
        if wrong == "output by column":
            y = y.mT
        made = y.flatten(1).T
        if wrong == "transposed":
            return made.T
        if wrong == "not flattened":
            return made.reshape(*y.shape[1:], height, width)
        if wrong == "first row":
            return torch.stack(
                [made[0].roll(i) for i in range(len(made))]
            )  # one cell further from row to row, over the ends of picture rows
        if wrong == "one too few":
            return made[:-1]
        return made

    return answer


MATRIX = Exercise(
    name="conv/matrix",
    reference=_matrix(),
    run=function_run(_kernels, names=("weight", "height", "width")),
    forbid=("conv",),
    mistakes=(
        Mistake(
            _matrix("transposed"),
            "Your matrix is the transpose: a row belongs to an output cell, a column "
            "to an input cell.",
        ),
        Mistake(
            _matrix("flipped"),
            "You flip the kernel: weight[0, 0] meets the first cell of the window.",
        ),
        Mistake(
            _matrix("no stride"),
            "You do not use stride: the windows start at multiples of it.",
        ),
        Mistake(
            _matrix("rows only"),
            "You stride along the rows only; the columns need it too.",
        ),
        Mistake(
            _matrix("late start"),
            "Your first window starts at stride - 1; it starts at 0.",
        ),
        Mistake(
            _matrix("first row"),
            "You move the first row by one cell for each output. At the end of a row "
            "of outputs the window jumps to the next picture row, and with a stride "
            "by more than one cell.",
        ),
        Mistake(
            _matrix("column by column"),
            "You flatten the input column by column: cell (r, c) is number "
            "r * width + c.",
        ),
        Mistake(
            _matrix("output by column"),
            "You go through the outputs column by column: let j run faster than i.",
        ),
        Mistake(
            _matrix("not flattened"),
            "Your entries are right, the shape is not: flatten the outputs into rows "
            "and the inputs into columns.",
        ),
        Mistake(
            _matrix("one too few"),
            "The last row is missing: the window at the very end counts.",
        ),
        Mistake(
            _matrix("detached"),
            "The matrix is right, but no gradient reaches weight: copy the tensor, not "
            "its numbers (no .item(), .data or torch.tensor).",
        ),
    ),
)

EXERCISES = (BY_HAND, PADDINGS, MATRIX)
