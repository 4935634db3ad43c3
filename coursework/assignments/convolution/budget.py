"""Sizes, parameters, products, field and output_padding of a small network."""

from itertools import product

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from layers_book.coursework import Mistake, Question, custom_run


def items(answer):
    names = "sizes", "parameters", "products", "field", "output_padding"
    given = answer if isinstance(answer, dict) else {}
    values = [given.get(name) for name in names]
    if all(value is None or value is ... for value in values):
        call(lambda: None)  # noqa: F821  not answered
    for name, value in zip(names, values, strict=True):
        yield name, value, 1e-9


def _network(v):
    c, wide = v["channels"], v["channels"] * v["multiplier"]
    k, d = v["kernel"], v["dilation"]
    return nn.Sequential(
        nn.Conv2d(3, c, k, stride=v["stride"], padding=k // 2),
        nn.Conv2d(c, wide, 3, padding=d, dilation=d, groups=c),
        nn.Conv2d(wide, 2 * c, 1, groups=2, bias=False),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.ConvTranspose2d(2 * c, c, 3, stride=2, padding=1, groups=2),
    ).double()


def _field(layers, height):
    """Rows from the first to the last that reach one cell, by the gradient."""
    x = torch.rand(1, 3, 3 * height, 3 * height, dtype=torch.float64).requires_grad_()
    average = nn.AvgPool2d(3, stride=2, padding=1)  # where a maximum reads one cell
    y = nn.Sequential(*layers[:3], average)(x)
    middle = y.shape[2] // 2
    (gradient,) = torch.autograd.grad(y[0, 0, middle, middle], x)
    rows = gradient.abs().sum((0, 1, 3)).nonzero()
    return int(rows.max() - rows.min()) + 1


def _reference(variant):
    layers = _network(variant)
    x = torch.zeros(1, 3, variant["height"], variant["width"], dtype=torch.float64)
    sizes, products, wanted = [], [], None
    with torch.no_grad():
        for layer in layers:
            with FlopCounterMode(display=False) as counter:
                x = layer(x)
            sizes.append(list(x.shape[2:]))
            products.append(counter.get_total_flops() // 2)
    for more in product(range(2), repeat=2):
        layers[4].output_padding = more
        x = torch.zeros(1, 2 * variant["channels"], *sizes[3], dtype=torch.float64)
        if list(layers[4](x).shape[2:]) == sizes[2]:
            wanted = list(more)
    return {
        "sizes": sizes[:4],
        "parameters": [sum(p.numel() for p in layer.parameters()) for layer in layers],
        "products": [products[i] for i in (0, 1, 2, 4)],
        "field": _field(layers, variant["height"]),
        "output_padding": wanted,
    }


QUESTION = Question(
    name="budget",
    title="What a network costs",
    answer="budget",
    reference=_reference,
    run=custom_run(items, configurations=1),
    parts={
        "sizes": 1,
        "parameters": 1.5,
        "products": 1.5,
        "field": 1,
        "output_padding": 1,
    },
    mistakes=(
        Mistake(
            name="rounded up",
            hint="The number of windows is rounded down: one that does not fit is "
            "left out.",
            edits=(
                (
                    "(n + 2 * p - d * (k - 1) - 1) // s + 1",
                    "-((d * (k - 1) + 1 - n - 2 * p) // s) + 1",
                ),
            ),
            loses=("sizes",),
        ),
        Mistake(
            name="no padding",
            hint="The padding adds cells at both ends of each axis.",
            edits=(("n + 2 * p - d", "n - d"),),
            loses=("sizes",),
        ),
        Mistake(
            name="width before height",
            hint="The height comes first, as in (N, C, H, W).",
            edits=(('(v["height"], v["width"])', '(v["width"], v["height"])'),),
            loses=("sizes", "output_padding"),
        ),
        Mistake(
            name="no biases",
            hint="The biases are missing: one for each output channel, unless "
            "bias=False.",
            edits=(("biases = [C, wide, 0, 0, C]", "biases = [0] * 5"),),
            loses=("parameters",),
        ),
        Mistake(
            name="a bias too many",
            hint="One of the layers has bias=False.",
            edits=(("biases = [C, wide, 0, 0, C]", "biases = [C, wide, 2 * C, 0, C]"),),
            loses=("parameters",),
        ),
        Mistake(
            name="depthwise not by groups",
            hint="In the second layer each output reads one input channel: with "
            "groups, an output's kernels are C_in / groups in number.",
            edits=(("9 * wide,", "9 * wide * C,"),),
            loses=("parameters", "products"),
        ),
        Mistake(
            name="one kernel a channel",
            hint="The second layer has a kernel for each of its outputs, "
            "`multiplier` times as many as input channels.",
            edits=(("9 * wide,", "9 * C,"),),
            loses=("parameters", "products"),
        ),
        Mistake(
            name="groups of the 1 x 1 layer ignored",
            hint="The 1 x 1 layer has two groups: an output reads half of the "
            "channels.",
            edits=(("wide * 2 * C // 2", "wide * 2 * C"),),
            loses=("parameters", "products"),
        ),
        Mistake(
            name="groups of the transposed layer ignored",
            hint="The transposed layer has two groups: an input cell stamps onto "
            "half of the output channels.",
            edits=(("9 * 2 * C * C // 2", "9 * 2 * C * C"),),
            loses=("parameters", "products"),
        ),
        Mistake(
            name="products without places",
            hint="Each weight is used again at every place: multiply by the number of "
            "places.",
            edits=(("areas = [a, a, a, b]", "areas = [1, 1, 1, 1]"),),
            loses=("products",),
        ),
        Mistake(
            name="transposed layer at its output's places",
            hint="A transposed convolution stamps its kernel once for each *input* "
            "cell.",
            edits=(("areas = [a, a, a, b]", "areas = [a, a, a, a]"),),
            loses=("products",),
        ),
        Mistake(
            name="convolutions at their input's places",
            hint="A convolution is computed once for each *output* cell: a stride "
            "saves work.",
            edits=(("areas = [a,", 'areas = [v["height"] * v["width"],'),),
            loses=("products",),
        ),
        Mistake(
            name="field without strides",
            hint="After a layer with a stride, one step is several cells of the "
            "picture.",
            edits=(("field = k + 2 * d * s + 2 * s", "field = k + 2 * d + 2"),),
            loses=("field",),
        ),
        Mistake(
            name="own stride counted",
            hint="A layer's own stride does not widen its field; it counts for the "
            "layers that come after it.",
            edits=(
                (
                    "field = k + 2 * d * s + 2 * s",
                    "field = 1 + (k - 1) * s + 2 * d * s + 4 * s",
                ),
            ),
            loses=("field",),
        ),
        Mistake(
            name="field without dilation",
            hint="A dilated kernel reaches further: dilation * (k - 1) cells.",
            edits=(("field = k + 2 * d * s", "field = k + 2 * s"),),
            loses=("field",),
        ),
        Mistake(
            name="field without the pooling",
            hint="The pooling reads a window, too.",
            edits=(("field = k + 2 * d * s + 2 * s", "field = k + 2 * d * s"),),
            loses=("field",),
        ),
        Mistake(
            name="output_padding the wrong way round",
            hint="An even size needs output_padding 1 here, an odd one 0: from n odd "
            "cells the pooling makes (n + 1) / 2, and 2 * (n + 1) / 2 - 1 is n.",
            edits=(("1 - n % 2", "n % 2"),),
            loses=("output_padding",),
        ),
        Mistake(
            name="one output_padding for both axes",
            hint="The two axes need different output_padding.",
            edits=(("[1 - n % 2 for n in first]", "[1 - first[0] % 2] * 2"),),
            loses=("output_padding",),
        ),
    ),
)
