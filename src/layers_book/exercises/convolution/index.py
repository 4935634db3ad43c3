"""Exercises of the page convolution/index."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import Exercise, distinct, function_run, signed, value_run


def _kernels(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    low = 1 + (generator.initial_seed() % 3 == 0)  # some kernels of one row
    rows, columns, height, width = distinct(generator, 4, low)
    weight = signed(generator, rows, columns).requires_grad_()
    fits = max(rows, columns)  # who swaps the sides gets numbers, not an error
    return (weight, fits + height, fits + width), {}


def _matrix(weight: Tensor, height: int, width: int) -> Tensor:
    """Column by column: what torch's convolution makes of each single bright pixel."""
    pictures = torch.eye(height * width, dtype=weight.dtype)
    pictures = pictures.view(-1, 1, height, width)
    return F.conv2d(pictures, weight[None, None]).flatten(1).T


MATRIX = Exercise(
    name="convolution/matrix",
    solution="""
        def conv_matrix(weight, height, width):
            rows, columns = weight.shape
            down, right = height - rows + 1, width - columns + 1
            matrix = torch.zeros(down, right, height, width, dtype=weight.dtype)
            for i in range(down):
                for j in range(right):
                    matrix[i, j, i : i + rows, j : j + columns] = weight
            return matrix.flatten(2).flatten(0, 1)
    """,
    reference=_matrix,
    run=function_run(_kernels, names=("weight", "height", "width")),
    forbid=("conv",),
    mistakes=[
        (
            "flatten(0, 1)",
            "flatten(0, 1).T",
            "Your matrix is transposed: a row for each output cell, a column for each "
            "pixel.",
        ),
        (
            "] = weight",
            "] = weight.flip(0, 1)",
            "You flip the kernel: torch's convolution does not, weight[0, 0] meets "
            "the upper left pixel of the window.",
        ),
        (
            "height, width, dtype",
            "height * width, dtype",
            "matrix[i, j, i : i + rows, j : j + columns] = weight",
            "matrix[i, j, i * width + j :][: rows * columns] = weight.flatten()",
            "Your windows are a run of neighbors in the flat picture: one pixel down "
            "is width places on, so entry (a, b) meets pixel (i + a) * width + j + b.",
        ),
        (
            "matrix.flatten(2)",
            "matrix.mT.flatten(2)",
            "You number the pixels column by column; flatten() goes row by row, and "
            "pixel (i, j) has the number i * width + j.",
        ),
        (
            """
            def conv_matrix(weight, height, width):
                rows, columns = weight.shape
                down, right = height - rows + 1, width - columns + 1
                matrix = torch.zeros(down, right, height * width, dtype=weight.dtype)
                for i in range(down):
                    for j in range(right):
                        for a in range(rows):
                            for b in range(columns):
                                place = (i + a) * height + j + b
                                matrix[i, j, place % (height * width)] = weight[a, b]
                return matrix.flatten(0, 1)
            """,
            "You multiply the row number by height: a row of the picture is width "
            "pixels long.",
        ),
        (
            "flatten(2)",
            "flatten(2).transpose(0, 1)",
            "You number the output cells column by column; flatten() goes row by row.",
        ),
        (
            "weight, height, width)",
            "weight, width, height)",
            "You have swapped height and width: the picture has height rows.",
        ),
        (
            "= weight.shape",
            "= weight.shape[::-1]",
            "] = weight",
            "] = weight.reshape(rows, columns)",
            "You have swapped the sides of the kernel: weight.shape is (rows, "
            "columns), and weight[a, b] lies in row a.",
        ),
        (
            " + 1",
            "",
            "Your output lacks its last row and column: there are height - rows + 1 "
            "places down and width - columns + 1 across.",
        ),
        (
            "zeros(down, right,",
            "zeros(height, width,",
            "Your output is as large as the picture: without padding a window fits at "
            "height - rows + 1 times width - columns + 1 places only.",
        ),
        (
            "height - rows + 1, width - columns + 1",
            "height // rows, width // columns",
            "i : i + rows, j : j + columns",
            "i * rows : (i + 1) * rows, j * columns : (j + 1) * columns",
            "Your windows lie side by side: with stride 1 the next one starts one "
            "pixel further.",
        ),
        (
            "i : i + rows",
            ":rows",
            "All your windows start in the first row of the picture: the window of "
            "output (i, j) starts in row i.",
        ),
        (
            ".flatten(2).flatten(0, 1)",
            "",
            "The numbers are right, but a matrix has two axes: reshape to (outputs, "
            "pixels).",
        ),
        (
            ", dtype=weight.dtype",
            "",
            "Your matrix is float32 whatever weight is: torch.zeros(..., "
            "dtype=weight.dtype).",
        ),
        (
            "] = weight",
            "] = weight.detach()",
            "The matrix is right, the gradient is not: copy entries of weight itself, "
            "not numbers from .item(), .tolist() or .detach().",
        ),
        (
            "] = weight",
            "] = weight.flip(1)",
            "You flip one axis of the kernel: torch's convolution flips none, "
            "weight[0, 0] meets the upper left pixel of the window.",
        ),
        (
            "rows, columns =",
            "weight = weight[:, : len(weight)]\n    rows, columns =",
            "You take the kernel for a square: weight.shape gives its rows and its "
            "columns.",
        ),
        (
            "matrix.flatten(2).flatten(0, 1)",
            "torch.stack([matrix[0, 0].flatten().roll(i) "
            "for i in range(down * right)])",
            "Your rows are the first one moved on by one place each: at the end of a "
            "row of the picture the window must go down to the next row.",
        ),
        (
            "rows, columns = weight.shape",
            "rows = columns = weight.shape[0]",
            "You use the kernel's number of rows for both of its axes: weight.shape "
            "gives rows and columns.",
        ),
        (
            "return matrix",
            "return matrix[::2, ::2]",
            "Your windows start two pixels apart: with stride 1 the next one starts "
            "one pixel further.",
        ),
    ],
)

SETTINGS = (  # one a configuration: i, n, kernel, stride, padding
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


TOUCHED = Exercise(
    name="convolution/touched",
    solution="""
        def touched(i, n, kernel, stride=1, padding=0):
            outputs = (n + 2 * padding - kernel) // stride + 1
            return [j for j in range(outputs) if 0 <= i + padding - j * stride < kernel]
    """,
    reference=_touched,
    run=function_run(_pixels, names=("i", "n", "kernel")),
    forbid=("conv",),
    mistakes=[
        (
            "i + padding",
            "i",
            "You leave the padding out: pixel i stands at place i + padding of the "
            "padded strip.",
        ),
        (
            "i + padding",
            "i - padding",
            "You subtract the padding: the cells in front move pixel i to the right, "
            "to i + padding.",
        ),
        (
            " + 2 * padding",
            "",
            "i + padding",
            "i",
            "You do not use padding: it moves pixel i to place i + padding, and there "
            "are (n + 2 * padding - kernel) // stride + 1 outputs.",
        ),
        (
            " // stride",
            "",
            " * stride",
            "",
            "You leave the stride out: the window of output j starts at j * stride, "
            "and there are fewer outputs.",
        ),
        (
            "< kernel",
            "<= kernel",
            "Your windows are one too long: they hold kernel cells, so the last "
            "offset is kernel - 1.",
        ),
        (
            "< kernel",
            "< kernel - 1",
            "Your windows are one too short: the offsets go from 0 to kernel - 1.",
        ),
        (
            "0 <= i + padding - j * stride < kernel",
            "abs(j * stride - i) <= kernel // 2",
            "You take output j for the center of its window; it starts at j * stride "
            "- padding, whatever the padding.",
        ),
        (
            "[j for j in range(outputs) if 0 <= i + padding - j * stride < kernel]",
            "[i]",
            "One pixel lies in several windows as a rule: give all of them.",
        ),
        (
            "range(outputs)",
            "range(n + 2 * padding)",
            "You name outputs that do not exist: there are (n + 2 * padding - kernel) "
            "// stride + 1.",
        ),
        (
            "range(outputs)",
            "range(-kernel, outputs)",
            "You name negative outputs: the first one is output 0.",
        ),
        (
            "i + padding - j * stride",
            "j * stride - i - padding",
            "You look at windows that start after the pixel: a window that holds it "
            "starts at it or before it.",
        ),
        (
            "[j for",
            "[j * stride for",
            "You give the places where the windows start; give the outputs' own "
            "numbers, j and not j * stride.",
        ),
        (
            "[j for",
            "[j + 1 for",
            "You count the outputs from 1: the first one is output 0.",
        ),
        (
            " if 0 <= i + padding - j * stride < kernel",
            "",
            "You name every output: only those change whose window holds the pixel.",
        ),
        (
            """
            def touched(i, n, kernel, stride=1, padding=0):
                first = max(0, (i + padding - kernel) // stride + 1)
                return list(range(first, first + kernel))
            """,
            "You always name kernel outputs: with a stride or near the ends there are "
            "fewer, sometimes none.",
        ),
        (
            "kernel]",
            "kernel][::-1]",
            "The outputs are right; give them in ascending order.",
        ),
        (
            "[j for",
            "len([j for",
            "kernel]",
            "kernel])",
            "You give how many outputs change: give the list of their numbers.",
        ),
        (
            "[j for j in range(outputs) if ",
            "[",
            "kernel]",
            "kernel for j in range(outputs)]",
            "You give True or False for each output: give the numbers of the outputs.",
        ),
        (
            "2 * padding",
            "padding",
            "You count the padding at one end only: n + 2 * padding cells lie on the "
            "padded strip.",
        ),
        (
            " + 2 * padding",
            "",
            "You place the pixel right, but the padding adds outputs too: there are "
            "(n + 2 * padding - kernel) // stride + 1.",
        ),
        (
            " // stride",
            "",
            "You leave the stride out of the number of outputs: there are (n + 2 * "
            "padding - kernel) // stride + 1.",
        ),
        (
            "// stride + 1",
            "// stride",
            "You leave out the last output: there are (n + 2 * padding - kernel) // "
            "stride + 1, and range needs the + 1 too.",
        ),
        (
            "(n + 2 * padding - kernel) // stride",
            "-(-(n + 2 * padding - kernel) // stride)",
            "You round the number of outputs up: a window that does not fit is left "
            "out, so it is // and then + 1.",
        ),
        (
            "0 <=",
            "0 <",
            "Your windows lack their first cell: the offset 0 counts as well.",
        ),
        (
            "0 <=",
            "0 <",
            "< kernel",
            "<= kernel",
            "Your offsets run from 1 to kernel: they run from 0 to kernel - 1.",
        ),
        (
            """
            def touched(i, n, kernel, stride=1, padding=0):
                outputs = (n + 2 * padding - kernel) // stride + 1
                first = max(0, (i + padding - kernel + 1) // stride)
                return list(range(first, min((i + padding) // stride + 1, outputs)))
            """,
            "You round the first output down: the window before may end ahead of the "
            "pixel, so round up there.",
        ),
        (
            "kernel]",
            "kernel][:-1]",
            "You drop the last output that changes: range ends before its second "
            "argument.",
        ),
        (
            "j * stride",
            "j",
            "You use the stride for the number of outputs only: the window of output "
            "j starts at j * stride.",
        ),
        (
            """
            def touched(i, n, kernel, stride=1, padding=0):
                start = i * stride - padding
                return [k for k in range(start, start + kernel) if 0 <= k < n]
            """,
            "You name the pixels that output i reads: asked is the other way, the "
            "outputs that read pixel i.",
        ),
        (
            "return [",
            "found = [",
            "kernel]",
            "kernel]\n    return [found[0], found[-1]] if found else []",
            "You give the first and the last output: give all of them.",
        ),
        (
            "[j for",
            "{j for",
            "kernel]",
            "kernel}",
            "The numbers are right; give them as a list, in ascending order.",
        ),
    ],
)

COUNT = Exercise(
    name="convolution/count",
    solution="""
outputs = 16 * 30 * 30
answer = [(3 * 32 * 32 + 1) * outputs, (3 * 3 * 3 + 1) * outputs, (3 * 3 * 3 + 1) * 16]
    """,
    run=value_run(),
    mistakes=[
        (
            [44_236_800, 388_800, 432],
            "You leave the biases out: one for each output number, or in the "
            "convolution one for each output channel.",
        ),
        (
            [44_251_200, 403_200, 441],
            "You give the convolution a bias for each entry of the kernel; it has one "
            "for each output channel.",
        ),
        (
            [44_251_200, 403_200, 433],
            "You give the convolution a single bias; it has one for each output "
            "channel.",
        ),
        (
            [44_251_200, 403_200, 435],
            "You give the convolution a bias for each input channel; it has one for "
            "each output channel.",
        ),
        (
            [44_251_200, 403_200, 160],
            "Each of the 16 kernels goes through all three input channels: it has 3 * "
            "3 * 3 entries.",
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
            "A convolution shares its bias as well: one for each output channel, not "
            "for each output number.",
        ),
        (
            [44_251_200, 388_816, 448],
            "In the locally connected layer nothing is shared: each of the 16 * 30 * "
            "30 outputs has a bias of its own.",
        ),
        (
            [44_236_816, 388_816, 448],
            "Only the convolution has one bias a channel; the other two have one for "
            "each of the 16 * 30 * 30 outputs.",
        ),
        (
            [50_348_032, 458_752, 448],
            "There is no padding: the output has 30 rows and columns.",
        ),
        (
            [44_251_200, 25_200, 448],
            "Each of the 16 output channels has weights of its own: 16 * 30 * 30 "
            "outputs.",
        ),
        (
            [44_251_200, 403_200, 28],
            "Each of the 16 output channels has a kernel of its own.",
        ),
        (
            [44_236_800, 403_200, 448],
            "You leave the biases of the Linear layer out: one for each of the 16 * "
            "30 * 30 outputs.",
        ),
        (
            [44_251_200, 388_800, 448],
            "You leave the biases of the locally connected layer out: one for each of "
            "the 16 * 30 * 30 outputs.",
        ),
        (
            [44_251_200, 403_200, 432],
            "You leave the biases of the convolution out: one for each output channel.",
        ),
        (
            [44_236_800, 388_800, 448],
            "You leave the biases of the first two layers out: one for each of the 16 "
            "* 30 * 30 outputs.",
        ),
        (
            [49_168, 403_200, 448],
            "A Linear layer has a row of weights and a bias for each output number, "
            "16 * 30 * 30 of them, not for each channel.",
        ),
        (
            [49_168, 25_200, 448],
            "The first two layers have weights and a bias of their own for each of "
            "the 16 * 30 * 30 outputs.",
        ),
        (
            [14_760_000, 144_000, 160],
            "Each layer reads all three input channels: 3 * 32 * 32 pixels, or 3 * 3 "
            "* 3 in a window.",
        ),
        (
            [44_251_200, 403_200, 144],
            "Each of the 16 kernels goes through all three input channels and has a "
            "bias: 3 * 3 * 3 + 1 numbers.",
        ),
        (
            [44_251_200, 403_200, 403_200],
            "A convolution shares its weights: 16 kernels with a bias each, used at "
            "every place.",
        ),
        (
            [448, 403_200, 44_251_200],
            "The numbers are right; the order asked for is Linear, locally connected, "
            "convolution.",
        ),
    ],
)

EXERCISES = (MATRIX, TOUCHED, COUNT)
