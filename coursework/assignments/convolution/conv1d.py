"""A one-dimensional convolution by hand, with every option."""

from torch.nn import functional as F

from layers_book.coursework import (
    Mistake,
    Question,
    custom_run,
    distinct,
    function_run,
    signed,
    varied,
)

# length, kernel, then of stride, padding, dilation and groups those that are named
STEPS = ((11, 3, 2, (1, 1)), (10, 4, 3, (0, 2)), (9, 2, 3, (3, 0)), (12, 1, 2, (2, 1)))
HOLES = ((11, 3, 2), (9, 2, 8), (7, 1, 4))
GROUPS = ((2, 3, 2), (3, 1, 2), (5, 1, 1))  # groups, inputs and outputs of each
ALL = (
    (13, 3, 2, (4, 0), 2, 2),
    (16, 2, 3, (0, 1), 4, 3),
    (12, 4, 1, (2, 5), 2, 1),
    (9, 5, 2, (8, 0), 2, 3),
)


def setting(answer, part, x, weight, bias, options):
    shapes = tuple(x.shape), tuple(weight.shape)
    yield "configuration", f"x and weight {shapes}, {options}"
    yield part, call(answer, x, weight, bias, **options)  # noqa: F821


def _tensors(generator, length, kernel, groups=1, inputs=0, outputs=0):
    n, c_in, c_out = distinct(generator, 3)
    c_in, c_out = inputs or c_in, outputs or c_out
    x = varied(generator, n, groups * c_in, length)
    weight = signed(generator, groups * c_out, c_in, kernel)
    return x, weight, signed(generator, groups * c_out)


def _setting(part, tensors, **options):
    x, weight, bias = tensors
    return {"part": part, "x": x, "weight": weight, "bias": bias, "options": options}


def _steps(generator):
    length, kernel, stride, padding = STEPS[generator.initial_seed()]
    tensors = _tensors(generator, length, kernel)
    return _setting("stride and padding", tensors, stride=stride, padding=padding)


def _holes(generator):
    length, kernel, dilation = HOLES[generator.initial_seed()]
    return _setting("dilation", _tensors(generator, length, kernel), dilation=dilation)


def _groups(generator):
    groups, inputs, outputs = GROUPS[generator.initial_seed()]
    tensors = _tensors(generator, 8, 3, groups, inputs, outputs)
    return _setting("groups", tensors, groups=groups)


def _all(generator):
    index = generator.initial_seed()
    length, kernel, stride, padding, dilation, groups = ALL[index]
    x, weight, bias = _tensors(generator, length, kernel, groups)
    x = x[:1] if index == 3 else x
    bias = bias.requires_grad_() if index % 2 else None
    args = x.requires_grad_(), weight.requires_grad_(), bias
    if index == 2:  # by position
        return (*args, stride, padding, dilation, groups), {}
    options = {"stride": stride, "padding": padding}
    return args, options | {"dilation": dilation, "groups": groups}


def _reference(variant):
    def answer(x, weight, bias=None, stride=1, padding=(0, 0), dilation=1, groups=1):
        x = F.pad(x, padding)
        return F.conv1d(x, weight, bias, stride, 0, dilation, groups)

    return answer


NAMES = ("x", "weight", "bias", "stride", "padding", "dilation", "groups")

QUESTION = Question(
    name="conv1d",
    title="A convolution by hand",
    answer="conv1d",
    reference=_reference,
    run=(
        custom_run(setting, _steps, configurations=len(STEPS)),
        custom_run(setting, _holes, configurations=len(HOLES)),
        custom_run(setting, _groups, configurations=len(GROUPS)),
        function_run(_all, NAMES, configurations=len(ALL)),
    ),
    parts={
        "stride and padding": 1.5,
        "dilation": 1,
        "groups": 1.5,
        "the output | the inputs after the call": 1,
        "the gradient with respect to": 1,
    },
    forbid=("conv", "unfold"),
    mistakes=(
        Mistake(
            name="flipped kernel",
            hint="torch does not turn the kernel around: its first entry meets the "
            "first cell of the window.",
            edits=(("weight = weight.reshape", "weight = weight.flip(-1).reshape"),),
            loses=("stride and padding", "dilation", "groups"),
        ),
        Mistake(
            name="sides of the padding swapped",
            hint="padding is (left, right).",
            edits=(("x = F.pad(x, padding)", "x = F.pad(x, padding[::-1])"),),
            loses=("stride and padding",),
        ),
        Mistake(
            name="the left padding at both ends",
            hint="The two ends may have different padding.",
            edits=(("F.pad(x, padding)", "F.pad(x, (padding[0], padding[0]))"),),
            loses=("stride and padding",),
        ),
        Mistake(
            name="no stride",
            hint="The window moves on by `stride` cells; here it moves by one.",
            edits=(("+ 1 : stride]", "+ 1]"), ("// stride * stride", "")),
            loses=("stride and padding",),
        ),
        Mistake(
            name="output one short",
            hint="The last output is missing where the windows fit exactly: how many "
            "windows fit?",
            edits=(("(span - 1)", "span"),),
            loses=("stride and padding", "dilation", "groups"),
        ),
        Mistake(
            name="no dilation",
            hint="The entries of the kernel meet cells that lie `dilation` apart.",
            edits=(("dilation * (k - 1) + 1", "k"), ("u * dilation", "u")),
            loses=("dilation",),
        ),
        Mistake(
            name="stride and dilation swapped",
            hint="Stride is the step from window to window, dilation the one from "
            "entry to entry within a window.",
            edits=(
                ("    n, c_in", "    stride, dilation = dilation, stride\n    n, c_in"),
            ),
            loses=("stride and padding", "dilation"),
        ),
        Mistake(
            name="groups taken in turns",
            hint="A group is a run of neighboring channels, in the output as in the "
            "input; you take every groups-th channel.",
            edits=(
                (
                    "x = x.reshape(n, groups, c_in // groups, -1)",
                    "x = x.reshape(n, c_in // groups, groups, -1).transpose(1, 2)",
                ),
            ),
            loses=("groups",),
        ),
        Mistake(
            name="outputs of the groups taken in turns",
            hint="The outputs of a group are neighbors: first all of group 0, then "
            "all of group 1. Yours take turns.",
            edits=(("y.reshape", "y.transpose(1, 2).reshape"),),
            loses=("groups",),
        ),
        Mistake(
            name="one kernel for all groups",
            hint="Each output channel has its own kernels: those of the other groups "
            "are further down in weight.",
            edits=(
                ("weight[:, :, :, u]", "weight[:1, :, :, u].expand(groups, -1, -1)"),
            ),
            loses=("groups",),
        ),
        Mistake(
            name="the bias for each entry",
            hint="The bias comes once for each output, not once for each entry of the "
            "kernel.",
            edits=(
                ("    if bias is not None", "    y = y\n    if bias is not None"),
                ("y + bias[:, None]", "y + k * bias[:, None]"),
            ),
            loses=("stride and padding", "dilation", "groups"),
        ),
        Mistake(
            name="no bias",
            hint="The bias of the output channel is missing.",
            edits=(("y + bias[:, None]", "y"),),
            loses=("stride and padding", "dilation", "groups"),
        ),
        Mistake(
            name="bias of None fails",
            hint="bias may be None.",
            edits=(("    if bias is not None:\n        y", "    y"),),
            loses=("the output",),
        ),
        Mistake(
            name="detached weight",
            hint="The output is right, but no gradient reaches the weight: use the "
            "tensor itself, not its numbers, its .data or a detached copy.",
            edits=(("weight = weight.reshape", "weight = weight.detach().reshape"),),
            loses=("the gradient with respect to",),
        ),
        Mistake(
            name="detached bias",
            hint="The output is right, but no gradient reaches the bias: use the "
            "tensor itself, not its numbers, its .data or a detached copy.",
            edits=(("bias[:, None]", "bias.detach()[:, None]"),),
            loses=("the gradient with respect to",),
        ),
    ),
)
