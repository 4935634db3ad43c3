"""Exercises of the page convolution/index."""

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


def _matrix(weight: Tensor, height: int, width: int) -> Tensor:
    """Column by column: what torch's convolution makes of each single bright pixel."""
    pictures = torch.eye(height * width, dtype=weight.dtype)
    pictures = pictures.view(-1, 1, height, width)
    return F.conv2d(pictures, weight[None, None]).flatten(1).T


def _kernels(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    low = 1 + (generator.initial_seed() % 3 == 0)  # some kernels of one row
    rows, columns, height, width = distinct(generator, 4, low)
    weight = signed(generator, rows, columns).requires_grad_()
    return (weight, rows + height, columns + width), {}


def _wrong_matrix(wrong: str) -> Any:
    def answer(weight: Tensor, height: int, width: int) -> Tensor:
        if wrong == "flipped":
            weight = weight.flip(0, 1)
        elif wrong == "one axis flipped":
            weight = weight.flip(1)
        elif wrong == "detached":
            weight = weight.detach()
        elif wrong == "float32":
            return _matrix(weight, height, width).float()
        elif wrong == "transposed":
            return _matrix(weight, height, width).T
        elif wrong == "size swapped":
            height, width = width, height
        elif wrong == "kernel swapped":
            weight = weight.reshape(weight.shape[::-1])
        elif wrong == "shifted on":
            first = _matrix(weight, height, width)
            return torch.stack([first[0].roll(i) for i in range(len(first))])
        elif wrong == "stride 2":
            pixels = torch.eye(height * width, dtype=weight.dtype)
            pixels = pixels.view(-1, 1, height, width)
            return F.conv2d(pixels, weight[None, None], stride=2).flatten(1).T
        elif wrong == "square":
            weight = weight[:, : len(weight)]
        rows, columns = weight.shape
        down, right, step = height - rows + 1, width - columns + 1, 1
        if wrong == "one short":
            down, right = down - 1, right - 1
        elif wrong == "tiles":
            down, right, step = height // rows, width // columns, rows
        matrix = weight.new_zeros(down * right, height * width)
        for i in range(down):
            for j in range(right):
                row, top, left = i * right + j, i * step, j * step
                if wrong == "tiles":
                    left = j * columns
                elif wrong == "first row" and i:
                    top = 0
                for a in range(rows):
                    for b in range(columns):
                        place = (top + a) * width + left + b
                        if wrong == "contiguous":
                            place = top * width + left + a * columns + b
                        elif wrong == "by column":
                            place = (left + b) * height + top + a
                        elif wrong == "height for width":
                            place = ((top + a) * height + left + b) % (height * width)
                        elif wrong == "places swapped":
                            row = j * down + i
                        matrix[row, place] = weight[a, b]
        if wrong == "same size":
            full = matrix.new_zeros(height, width, height * width)
            full[:down, :right] = matrix.view(down, right, -1)
            return full.flatten(0, 1)
        if wrong == "not flat":
            return matrix.view(down, right, height, width)
        return matrix

    return answer


MATRIX_HINTS = {
    "transposed": "Your matrix is transposed: a row for each output cell, a column for "
    "each pixel.",
    "flipped": "You flip the kernel: torch's convolution does not, weight[0, 0] meets "
    "the upper left pixel of the window.",
    "contiguous": "Your windows are a run of neighbors in the flat picture: one pixel "
    "down is width places on, so entry (a, b) meets pixel (i + a) * width + j + b.",
    "by column": "You number the pixels column by column; flatten() goes row by row, "
    "and pixel (i, j) has the number i * width + j.",
    "height for width": "You multiply the row number by height: a row of the picture "
    "is width pixels long.",
    "places swapped": "You number the output cells column by column; flatten() goes "
    "row by row.",
    "size swapped": "You have swapped height and width: the picture has height rows.",
    "kernel swapped": "You have swapped the sides of the kernel: weight.shape is "
    "(rows, columns), and weight[a, b] lies in row a.",
    "one short": "Your output lacks its last row and column: there are height - rows + "
    "1 places down and width - columns + 1 across.",
    "same size": "Your output is as large as the picture: without padding a window "
    "fits at height - rows + 1 times width - columns + 1 places only.",
    "tiles": "Your windows lie side by side: with stride 1 the next one starts one "
    "pixel further.",
    "first row": "All your windows start in the first row of the picture: the window "
    "of output (i, j) starts in row i.",
    "not flat": "The numbers are right, but a matrix has two axes: reshape to "
    "(outputs, pixels).",
    "float32": "Your matrix is float32 whatever weight is: torch.zeros(..., "
    "dtype=weight.dtype).",
    "detached": "The matrix is right, the gradient is not: copy entries of weight "
    "itself, not numbers from .item(), .tolist() or .detach().",
    "one axis flipped": "You flip one axis of the kernel: torch's convolution flips "
    "none, weight[0, 0] meets the upper left pixel of the window.",
    "square": "You take the kernel for a square: weight.shape gives its rows and its "
    "columns.",
    "shifted on": "Your rows are the first one moved on by one place each: at the end "
    "of a row of the picture the window must go down to the next row.",
    "stride 2": "Your windows start two pixels apart: with stride 1 the next one "
    "starts one pixel further.",
}

MATRIX = Exercise(
    name="convolution/matrix",
    reference=_matrix,
    run=function_run(_kernels, names=("weight", "height", "width")),
    forbid=("conv",),
    mistakes=tuple(Mistake(_wrong_matrix(w), hint) for w, hint in MATRIX_HINTS.items()),
)

SETTINGS = (  # i, n, kernel, stride, padding
    (5, 6, 4, 1, 3),
    (0, 7, 3, 1, 1),
    (7, 8, 4, 1, 0),
    (4, 10, 3, 2, 1),
    (8, 9, 5, 2, 2),
    (9, 10, 3, 2, 0),
    (2, 8, 2, 3, 0),
    (5, 11, 5, 3, 1),
    (0, 6, 4, 2, 3),
    (3, 9, 3, 1, 0),
    (1, 5, 1, 2, 0),
    (6, 12, 7, 2, 3),
)


def _pixels(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    i, n, kernel, stride, padding = SETTINGS[generator.initial_seed()]
    return (i, n, kernel), {"stride": stride, "padding": padding}


def _touched(i: int, n: int, kernel: int, stride: int = 1, padding: int = 0) -> Any:
    """The outputs that torch's convolution moves when one pixel lights up."""
    pixel = torch.eye(n)[i].view(1, 1, n)
    y = F.conv1d(pixel, torch.ones(1, 1, kernel), stride=stride, padding=padding)
    return y[0, 0].nonzero().flatten().tolist()


def _wrong_touched(wrong: str) -> Any:
    def answer(i: int, n: int, kernel: int, stride: int = 1, padding: int = 0) -> Any:
        right = _touched(i, n, kernel, stride, padding)
        count = (n + 2 * padding - kernel) // stride + 1
        if wrong == "no padding":
            padding = 0
        elif wrong == "padding subtracted":
            padding = -padding
        elif wrong == "no stride":
            count = n + 2 * padding - kernel + 1
            stride = 1
        elif wrong == "stride only counted":
            stride = 1
        elif wrong == "padding once":
            count = (n + padding - kernel) // stride + 1
        elif wrong == "padding not counted":
            count = (n - kernel) // stride + 1
        elif wrong == "stride not counted":
            count = n + 2 * padding - kernel + 1
        elif wrong == "no last output":
            count -= 1
        elif wrong == "rounded up":
            count = -((kernel - n - 2 * padding) // stride) + 1
        elif wrong == "not the first cell":
            return [j for j in range(count) if 0 < i + padding - j * stride < kernel]
        elif wrong == "offsets from one":
            return [j for j in range(count) if 0 < i + padding - j * stride <= kernel]
        elif wrong == "rounded down":
            first = max(0, (i + padding - kernel + 1) // stride)
            return list(range(first, min((i + padding) // stride + 1, count)))
        elif wrong == "without the last":
            return right[:-1]
        elif wrong == "pixels":
            start = i * stride - padding
            return [k for k in range(start, start + kernel) if 0 <= k < n]
        elif wrong == "ends":
            return [right[0], right[-1]] if right else []
        elif wrong == "set":
            return set(right)
        elif wrong == "items":
            return list(torch.tensor(right, dtype=torch.long))
        elif wrong == "one more":
            kernel += 1
        elif wrong == "one less":
            kernel -= 1
        elif wrong == "centered":
            half = kernel // 2
            return [j for j in range(count) if abs(j * stride - i) <= half]
        elif wrong == "same index":
            return [i]
        elif wrong == "past the end":
            count = n + 2 * padding
        elif wrong == "before the start":
            return [
                j
                for j in range(-kernel, count)
                if 0 <= i + padding - j * stride < kernel
            ]
        elif wrong == "forward":
            return [j for j in range(count) if 0 <= j * stride - i - padding < kernel]
        elif wrong == "starts":
            return [j * stride for j in right]
        elif wrong == "from one":
            return [j + 1 for j in right]
        elif wrong == "all":
            return list(range(count))
        elif wrong == "backwards":
            return right[::-1]
        elif wrong == "count":
            return len(right)
        elif wrong == "tensor":
            return torch.tensor(right, dtype=torch.long)
        elif wrong == "mask":
            return [j in right for j in range(count)]
        elif wrong == "always kernel many":
            first = max(0, (i + padding - kernel) // stride + 1)
            return list(range(first, first + kernel))
        return [j for j in range(count) if 0 <= i + padding - j * stride < kernel]

    return answer


TOUCHED_HINTS = {
    "no padding": "You leave the padding out: pixel i stands at place i + padding of "
    "the padded strip.",
    "padding subtracted": "You subtract the padding: the cells in front move pixel i "
    "to the right, to i + padding.",
    "no stride": "You leave the stride out: the window of output j starts at j * "
    "stride, and there are fewer outputs.",
    "one more": "Your windows are one too long: they hold kernel cells, so the last "
    "offset is kernel - 1.",
    "one less": "Your windows are one too short: the offsets go from 0 to kernel - 1.",
    "centered": "You take output j for the center of its window; it starts at j * "
    "stride - padding, whatever the padding.",
    "same index": "One pixel lies in several windows as a rule: give all of them.",
    "past the end": "You name outputs that do not exist: there are (n + 2 * padding - "
    "kernel) // stride + 1.",
    "before the start": "You name negative outputs: the first one is output 0.",
    "forward": "You look at windows that start after the pixel: a window that holds it "
    "starts at it or before it.",
    "starts": "You give the places where the windows start; give the outputs' own "
    "numbers, j and not j * stride.",
    "from one": "You count the outputs from 1: the first one is output 0.",
    "all": "You name every output: only those change whose window holds the pixel.",
    "always kernel many": "You always name kernel outputs: with a stride or near the "
    "ends there are fewer, sometimes none.",
    "backwards": "The outputs are right; give them in ascending order.",
    "count": "You give how many outputs change: give the list of their numbers.",
    "tensor": "The numbers are right; give a Python list of them, with .tolist().",
    "mask": "You give True or False for each output: give the numbers of the outputs.",
    "padding once": "You count the padding at one end only: n + 2 * padding cells lie "
    "on the padded strip.",
    "padding not counted": "You place the pixel right, but the padding adds outputs "
    "too: there are (n + 2 * padding - kernel) // stride + 1.",
    "stride not counted": "You leave the stride out of the number of outputs: there "
    "are (n + 2 * padding - kernel) // stride + 1.",
    "no last output": "You leave out the last output: there are (n + 2 * padding - "
    "kernel) // stride + 1, and range needs the + 1 too.",
    "rounded up": "You round the number of outputs up: a window that does not fit is "
    "left out, so it is // and then + 1.",
    "not the first cell": "Your windows lack their first cell: the offset 0 counts as "
    "well.",
    "offsets from one": "Your offsets run from 1 to kernel: they run from 0 to kernel "
    "- 1.",
    "rounded down": "You round the first output down: the window before may end ahead "
    "of the pixel, so round up there.",
    "without the last": "You drop the last output that changes: range ends before its "
    "second argument.",
    "stride only counted": "You use the stride for the number of outputs only: the "
    "window of output j starts at j * stride.",
    "pixels": "You name the pixels that output i reads: asked is the other way, the "
    "outputs that read pixel i.",
    "ends": "You give the first and the last output: give all of them.",
    "set": "The numbers are right; give them as a list, in ascending order.",
    "items": "The numbers are right, but each is a tensor: make whole numbers of them, "
    "with .tolist().",
}

TOUCHED = Exercise(
    name="convolution/touched",
    reference=_touched,
    run=function_run(_pixels, names=("i", "n", "kernel"), float32=False),
    configurations=len(SETTINGS),
    forbid=("conv",),
    mistakes=tuple(
        Mistake(_wrong_touched(w), hint) for w, hint in TOUCHED_HINTS.items()
    ),
)

COUNT_HINTS = (
    (
        [44_236_800, 388_800, 432],
        "You leave the biases out: one for each output number, or in the convolution "
        "one for each output channel.",
    ),
    (
        [44_251_200, 403_200, 441],
        "You give the convolution a bias for each entry of the kernel; it has one for"
        " each output channel.",
    ),
    (
        [44_251_200, 403_200, 433],
        "You give the convolution a single bias; it has one for each output channel.",
    ),
    (
        [44_251_200, 403_200, 435],
        "You give the convolution a bias for each input channel; it has one for each "
        "output channel.",
    ),
    (
        [44_251_200, 403_200, 160],
        "Each of the 16 kernels goes through all three input channels: it has 3 * 3 *"
        " 3 entries.",
    ),
    (
        [44_251_200, 144_000, 448],
        "The window of the locally connected layer goes through all three input "
        "channels: 27 numbers.",
    ),
    (
        [44_251_200, 144_000, 160],
        "A window goes through all three input channels: 27 numbers, not 9.",
    ),
    (
        [44_251_200, 403_200, 14_832],
        "A convolution shares its bias as well: one for each output channel, not for "
        "each output number.",
    ),
    (
        [44_251_200, 388_816, 448],
        "In the locally connected layer nothing is shared: each of the 16 * 30 * 30 "
        "outputs has a bias of its own.",
    ),
    (
        [44_236_816, 388_816, 448],
        "Only the convolution has one bias a channel; the other two have one for each"
        " of the 16 * 30 * 30 outputs.",
    ),
    (
        [50_348_032, 458_752, 448],
        "There is no padding: the output has 30 rows and columns.",
    ),
    (
        [44_251_200, 25_200, 448],
        "Each of the 16 output channels has weights of its own: 16 * 30 * 30 outputs.",
    ),
    (
        [44_251_200, 403_200, 28],
        "Each of the 16 output channels has a kernel of its own.",
    ),
    (
        [44_236_800, 403_200, 448],
        "You leave the biases of the Linear layer out: one for each of the 16 * 30 * "
        "30 outputs.",
    ),
    (
        [44_251_200, 388_800, 448],
        "You leave the biases of the locally connected layer out: one for each of the"
        " 16 * 30 * 30 outputs.",
    ),
    (
        [44_251_200, 403_200, 432],
        "You leave the biases of the convolution out: one for each output channel.",
    ),
    (
        [44_236_800, 388_800, 448],
        "You leave the biases of the first two layers out: one for each of the 16 * "
        "30 * 30 outputs.",
    ),
    (
        [49_168, 403_200, 448],
        "A Linear layer has a row of weights and a bias for each output number, 16 * "
        "30 * 30 of them, not for each channel.",
    ),
    (
        [49_168, 25_200, 448],
        "The first two layers have weights and a bias of their own for each of the 16"
        " * 30 * 30 outputs.",
    ),
    (
        [14_760_000, 144_000, 160],
        "Each layer reads all three input channels: 3 * 32 * 32 pixels, or 3 * 3 * 3 "
        "in a window.",
    ),
    (
        [44_251_200, 403_200, 144],
        "Each of the 16 kernels goes through all three input channels and has a bias:"
        " 3 * 3 * 3 + 1 numbers.",
    ),
    (
        [44_251_200, 403_200, 403_200],
        "A convolution shares its weights: 16 kernels with a bias each, used at every"
        " place.",
    ),
    (
        [448, 403_200, 44_251_200],
        "The numbers are right; the order asked for is Linear, locally connected, "
        "convolution.",
    ),
)

COUNT = Exercise(
    name="convolution/count",
    reference=[44_251_200, 403_200, 448],
    run=value_run(),
    configurations=1,
    mistakes=tuple(Mistake(wrong, hint) for wrong, hint in COUNT_HINTS),
)

EXERCISES = (MATRIX, TOUCHED, COUNT)
