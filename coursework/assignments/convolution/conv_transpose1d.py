"""A transposed convolution by hand, for a wanted output size."""

import torch
from torch import nn

from layers_book.coursework import (
    Mistake,
    Question,
    custom_run,
    distinct,
    function_run,
    signed,
    varied,
)

# length, kernel, cells beyond the least size, then the options that are named
STEPS = ((5, 3, 0, 2, 1), (4, 4, 1, 3, 2), (6, 2, 2, 4, 0))
HOLES = ((5, 3, 0, 2), (4, 2, 0, 5))
GROUPS = ((2, 3, 2), (3, 1, 2))  # groups, inputs and outputs of each
ALL = (
    (4, 3, 2, 3, 2, 2, 2),
    (5, 2, 0, 2, 0, 3, 3),
    (3, 4, 1, 2, 3, 1, 2),
    (1, 3, 1, 2, 0, 2, 2),
)
REFUSALS = ((5, 3, 4, 1, 2), (4, 2, 1, 1, 1), (3, 2, 2, 0, 3))


def setting(answer, part, x, weight, bias, size, options):
    shapes = tuple(x.shape), tuple(weight.shape)
    yield "configuration", f"x and weight {shapes}, size {size}, {options}"
    yield part, call(answer, x, weight, bias, size, **options)  # noqa: F821


def refusals(answer, x, weight, sizes, options):
    both = tuple(x.shape), tuple(weight.shape)
    yield "configuration", f"x and weight {both}, {options}"
    shapes = {}
    for size in sizes:
        try:
            y = call(answer, x, weight, None, size, **options)  # noqa: F821
            shapes[size] = list(y.shape)
        except ValueError:
            shapes[size] = "ValueError"
        except RuntimeError:
            shapes[size] = "another error"
    yield "sizes out of reach", shapes


def _least(length, kernel, stride=1, padding=0, dilation=1):
    layer = nn.ConvTranspose1d(1, 1, kernel, stride, padding, dilation=dilation)
    return layer(torch.zeros(1, 1, length)).shape[-1]


def _tensors(generator, length, kernel, groups=1, inputs=0, outputs=0):
    n, c_in, c_out = distinct(generator, 3)
    c_in, c_out = inputs or c_in, outputs or c_out
    x = varied(generator, n, groups * c_in, length)
    weight = signed(generator, groups * c_in, c_out, kernel)
    return x, weight, signed(generator, groups * c_out)


def _setting(part, tensors, size, **options):
    x, weight, bias = tensors
    given = {"x": x, "weight": weight, "bias": bias, "size": size}
    return {"part": part, **given, "options": options}


def _steps(generator):
    length, kernel, more, stride, padding = STEPS[generator.initial_seed()]
    size = _least(length, kernel, stride, padding) + more
    tensors = _tensors(generator, length, kernel)
    return _setting("stride and padding", tensors, size, stride=stride, padding=padding)


def _holes(generator):
    length, kernel, more, dilation = HOLES[generator.initial_seed()]
    size = _least(length, kernel, dilation=dilation) + more
    tensors = _tensors(generator, length, kernel)
    return _setting("dilation", tensors, size, dilation=dilation)


def _groups(generator):
    groups, inputs, outputs = GROUPS[generator.initial_seed()]
    tensors = _tensors(generator, 4, 3, groups, inputs, outputs)
    return _setting("groups", tensors, 6, groups=groups)


def _all(generator):
    index = generator.initial_seed()
    length, kernel, more, stride, padding, dilation, groups = ALL[index]
    x, weight, bias = _tensors(generator, length, kernel, groups)
    x = x[:1] if index == 1 else x
    size = _least(length, kernel, stride, padding, dilation) + more
    bias = None if index % 2 else bias.requires_grad_()
    args = x.requires_grad_(), weight.requires_grad_(), bias, size
    if index == 2:  # by position
        return (*args, stride, padding, dilation, groups), {}
    options = {"stride": stride, "padding": padding}
    return args, options | {"dilation": dilation, "groups": groups}


def _refusals(generator):
    length, kernel, stride, padding, dilation = REFUSALS[generator.initial_seed()]
    x, weight, _ = _tensors(generator, length, kernel)
    least = _least(length, kernel, stride, padding, dilation)
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    sizes = [least - 1, least, least + stride - 1, least + stride]
    return {"x": x, "weight": weight, "sizes": sizes, "options": options}


def _reference(variant):
    def answer(x, weight, bias, size, stride=1, padding=0, dilation=1, groups=1):
        channels = x.shape[1], groups * weight.shape[1]
        settings = {"stride": stride, "padding": padding, "dilation": dilation}
        layer = nn.ConvTranspose1d(
            *(*channels, weight.shape[2]),
            **(settings | {"groups": groups, "bias": bias is not None}),
        )
        given = {"weight": weight} | ({} if bias is None else {"bias": bias})
        wanted = {"output_size": [size]}
        return torch.func.functional_call(layer, given, (x,), wanted)

    return answer


NAMES = ("x", "weight", "bias", "size", "stride", "padding", "dilation", "groups")

QUESTION = Question(
    name="conv_transpose1d",
    title="A transposed convolution of a wanted size",
    answer="conv_transpose1d",
    reference=_reference,
    run=(
        custom_run(setting, _steps, configurations=len(STEPS)),
        custom_run(setting, _holes, configurations=len(HOLES)),
        custom_run(setting, _groups, configurations=len(GROUPS)),
        custom_run(refusals, _refusals, configurations=len(REFUSALS)),
        function_run(_all, NAMES, configurations=len(ALL)),
    ),
    parts={
        "stride and padding": 1.5,
        "dilation": 0.5,
        "groups": 1.5,
        "sizes out of reach": 1,
        "the output | the inputs after the call": 0.5,
        "the gradient with respect to": 1,
    },
    forbid=("conv", "fold", "col2im"),
    mistakes=(
        Mistake(
            name="kernel flipped",
            hint="The stamp of a cell is the kernel as it stands: nothing is turned "
            "around.",
            edits=(("weight[..., u]", "weight[..., k - 1 - u]"),),
            loses=("stride and padding", "groups"),
        ),
        Mistake(
            name="stamps overwrite",
            hint="Where stamps overlap they add up; in yours the last one wins.",
            edits=((" += stamps", " = stamps"),),
            loses=("stride and padding",),
        ),
        Mistake(
            name="no stride",
            hint="The stamp of the next cell begins `stride` cells further on.",
            edits=(
                (
                    "u * dilation + (length - 1) * stride + 1, stride",
                    "u * dilation + length",
                ),
            ),
            loses=("stride and padding",),
        ),
        Mistake(
            name="no dilation",
            hint="The entries of a stamp lie `dilation` cells apart.",
            edits=(("u * dilation", "u"),),
            loses=("dilation",),
        ),
        Mistake(
            name="padding cut at the end only",
            hint="padding cuts cells off both ends, at the start as well.",
            edits=(("padding : padding + size", ":size"),),
            loses=("stride and padding",),
        ),
        Mistake(
            name="zeros at the end",
            hint="Cells beyond the least size are not filled up with zeros: stamps "
            "reach there, and less of the canvas is cut off.",
            edits=(
                (
                    "    y = canvas[..., padding : padding + size]",
                    "    y = F.pad(canvas[..., padding : padding + least], "
                    "(0, size - least))",
                ),
            ),
            loses=("stride and padding",),
        ),
        Mistake(
            name="no bias beyond the stamps",
            hint="The bias is added everywhere, also to cells that no stamp reaches.",
            edits=(
                (
                    "y = y + bias[:, None]",
                    "y = y + bias[:, None] * (torch.arange(padding, padding + size) "
                    "< (length - 1) * stride + dilation * (k - 1) + 1)",
                ),
            ),
            loses=("stride and padding",),
        ),
        Mistake(
            name="outputs of the groups taken in turns",
            hint="The outputs of a group are neighbors: first all of group 0, then "
            "all of group 1. Yours take turns.",
            edits=(("gio->ngol", "gio->nogl"),),
            loses=("groups",),
        ),
        Mistake(
            name="inputs of the groups taken in turns",
            hint="A group is a run of neighboring input channels; you take every "
            "groups-th.",
            edits=(
                (
                    "x = x.reshape(n, groups, -1, length)",
                    "x = x.reshape(n, -1, groups, length).transpose(1, 2)",
                ),
            ),
            loses=("groups",),
        ),
        Mistake(
            name="only the least size",
            hint="The least size is not the only one: up to stride - 1 cells more "
            "can be had.",
            edits=(("<= size < least + stride", "<= size < least + 1"),),
            loses=("sizes out of reach", "stride and padding"),
        ),
        Mistake(
            name="nothing refused",
            hint="A size that no output_padding gives must raise a ValueError.",
            edits=(("if not least <= size < least + stride", "if False"),),
            loses=("sizes out of reach",),
        ),
        Mistake(
            name="stride more allowed",
            hint="With `stride` cells more the size would be that of one more input "
            "cell: at most stride - 1 more can be had.",
            edits=(("< least + stride", "<= least + stride"),),
            loses=("sizes out of reach",),
        ),
        Mistake(
            name="smaller sizes allowed",
            hint="Sizes below the least one must be refused, too.",
            edits=(("least <= size < least + stride", "size < least + stride"),),
            loses=("sizes out of reach",),
        ),
        Mistake(
            name="detached",
            hint="The output is right, but no gradient reaches the weight: use the "
            "tensor itself, not its numbers, its .data or a detached copy.",
            edits=(("weight = weight.reshape", "weight = weight.detach().reshape"),),
            loses=("the gradient with respect to",),
        ),
    ),
)
