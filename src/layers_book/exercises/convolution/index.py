"""Exercises of the page convolution/index."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    Refused,
    call,
    custom_run,
    function_run,
    refuse_no_function,
    signed,
    value_run,
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

RING = {"padding": 1, "padding_mode": "circular"}
Layer = tuple[str, tuple[Any, ...], dict[str, Any], str]
# one a configuration: a layer, its sizes and options, what is special; the first two
# tell apart who compares with the wrong output
LAYERS: tuple[Layer, ...] = (
    ("Linear", (6, 6), {}, "the columns of its weight alike"),  # y stays, and varies
    ("Conv2d", (3, 2, 3), RING, "every other column of x alike"),  # left is right
    ("Conv2d", (3, 2, 3), RING, ""),
    ("Conv2d", (3, 2, 3), {"padding": 1}, ""),
    ("Conv2d", (3, 2, 3), {**RING, "stride": 2}, ""),
    ("Conv2d", (3, 2, (3, 1)), {"padding": (1, 0)}, ""),
    ("Conv2d", (3, 2, (1, 3)), {"padding": (0, 1)}, ""),
    ("ReLU", (), {}, ""),
    ("AdaptiveMaxPool2d", (1,), {}, ""),
    ("Linear", (6, 6), {}, ""),
    ("Linear", (6, 6), {}, "the rows of its weight and bias alike"),  # y is constant
)


def _pictures(generator: Generator) -> dict[str, Any]:
    """The number of a layer, numbers for its weight and bias, and a batch."""
    number = generator.initial_seed()
    name, sizes, options, special = LAYERS[number]
    shapes = [p.shape for p in getattr(nn, name)(*sizes, **options).parameters()]
    parameters = [signed(generator, *shape) for shape in shapes]
    x = signed(generator, 2, 3, 4, 6)
    if "columns of its weight" in special:
        parameters[0] = parameters[0][:, :1].expand(6, 6).clone()
    if "rows of its weight" in special:
        parameters = [p[:1].expand_as(p).clone() for p in parameters]
    if "of x" in special:
        x = x[..., :2].repeat(1, 1, 1, 3)
    return {"number": number, "parameters": parameters, "x": x}


def _moves_steps(
    answer: Any, number: int, parameters: list[Tensor], x: Tensor
) -> Iterator[Any]:
    """What the answer says of a layer, and whether x stays as it is."""
    refuse_no_function(answer)
    name, sizes, options, special = LAYERS[number]
    layer = getattr(nn, name)(*sizes, **options).to(x.dtype)
    with torch.no_grad():
        for p, value in zip(layer.parameters(), parameters, strict=True):
            p.copy_(value)
    words = ", ".join(map(str, [*sizes, *(f"{k}={v!r}" for k, v in options.items())]))
    special = special and f", {special}"
    yield "configuration", f"{name}({words}), x {tuple(x.shape)}{special}"
    given = x.clone()
    said = call(answer, layer, given)
    if isinstance(said, Tensor) and said.numel() != 1:
        raise Refused("Return one truth value, such as torch.allclose gives.")
    if isinstance(said, Tensor):
        said = bool(said)
    yield "whether the output moves along", said
    yield "whether x is as before", torch.equal(given, x)


MOVES_ALONG = Exercise(
    name="convolution/moves_along",
    solution="""
        def moves_along(layer, x):
            moved = x.roll(1, dims=-1)
            return torch.allclose(layer(moved), layer(x).roll(1, dims=-1))
    """,
    run=custom_run(_moves_steps, _pictures, configurations=len(LAYERS)),
    mistakes=[
        (
            "layer(x).roll(1, dims=-1)",
            "layer(x)",
            "You compare with the output as it was, and so ask whether it stays: it "
            "should have moved along with the picture.",
        ),
        (
            "layer(x).roll(1",
            "layer(x).roll(-1",
            "Your output moves to the left while the picture moves to the right.",
        ),
        (
            "x.roll(1, dims=-1)",
            "x.roll(1, dims=-2)",
            "layer(x).roll(1, dims=-1)",
            "layer(x).roll(1, dims=-2)",
            "You move the picture down: to the right means along the last axis.",
        ),
        (
            "layer(moved), layer(x).roll(1, dims=-1)",
            "layer(moved), layer(moved).roll(1, dims=-1)",
            "You compare an output with itself, moved, for one and the same picture: "
            "one of the two must be the layer's output for the other picture.",
        ),
        (
            "return torch.allclose(layer(moved), layer(x).roll(1, dims=-1))",
            'return isinstance(layer, nn.Conv2d) and layer.padding_mode == "circular"',
            "You ask for the class and how it pads, but a stride of 2 breaks the rule, "
            "and other layers keep it: compare outputs.",
        ),
        (
            "return torch.allclose(layer(moved), layer(x).roll(1, dims=-1))",
            "return isinstance(layer, nn.Conv2d)",
            "You ask whether the layer is a convolution, but zeros around the picture "
            "or a stride of 2 break the rule: compare outputs.",
        ),
        (
            "return torch.allclose(layer(moved), layer(x).roll(1, dims=-1))",
            "return layer(moved).shape == layer(x).shape",
            "You compare shapes, which are equal for every layer: compare numbers.",
        ),
    ],
)

EXERCISES = (COUNT, TOUCHED, MOVES_ALONG)
