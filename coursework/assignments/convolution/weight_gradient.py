"""The gradient of a convolution's weight and bias, without autograd."""

import torch
from torch.nn import grad as torchs

from layers_book.coursework import (
    Mistake,
    Question,
    custom_run,
    distinct,
    signed,
    varied,
)

STEPS = ((3, 2), (1, 4), (2, 2))  # kernel, at stride 1
ALL = (  # height, width, kernel, stride, padding, dilation
    (8, 9, (3, 2), 2, 1, 1),
    (9, 7, (2, 3), 3, 0, 1),  # rows and columns at the end that no window reads
    (7, 10, (3, 3), 1, 2, 2),
    (11, 9, (2, 3), 2, 3, 3),
    (10, 8, (4, 1), 3, 2, 2),
)


def gradient(answer, part, x, grad, kernel_size, options):
    yield "configuration", f"x {tuple(x.shape)}, kernel {kernel_size}, {options}"
    with torch.inference_mode():
        found = call(answer, x, grad, kernel_size, **options)  # noqa: F821
    is_pair = isinstance(found, (tuple, list)) and len(found) == 2
    weight, bias = found if is_pair else (found, None)
    yield f"{part}: the weight", weight
    yield f"the bias, {part}", bias
    yield f"{part}: x and grad after the call", (x, grad)


def _case(generator, part, height, width, kernel, **options):
    n, c_in, c_out = distinct(generator, 3)
    x = varied(generator, n, c_in, height, width)
    x = x.float() if height == 8 else x
    weight = torch.zeros(c_out, c_in, *kernel, dtype=x.dtype)
    shape = torch.nn.functional.conv2d(x, weight, None, **options).shape
    return {
        "part": part,
        "x": x,
        "grad": signed(generator, *shape).to(x.dtype),
        "kernel_size": kernel,
        "options": options,
    }


def _plain(generator):
    index = generator.initial_seed()
    return _case(generator, "stride 1", 6 + index, 5, STEPS[index])


def _all(generator):
    height, width, kernel, stride, padding, dilation = ALL[generator.initial_seed()]
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    return _case(generator, "with options", height, width, kernel, **options)


def _reference(variant):
    def answer(x, grad, kernel_size, stride=1, padding=0, dilation=1):
        shape = (grad.shape[1], x.shape[1], *kernel_size)
        weight = torchs.conv2d_weight(x, shape, grad, stride, padding, dilation)
        return weight, grad.sum((0, 2, 3))

    return answer


QUESTION = Question(
    name="weight_gradient",
    title="The gradient of the weight",
    answer="weight_gradient",
    reference=_reference,
    run=(
        custom_run(gradient, _plain, configurations=len(STEPS)),
        custom_run(gradient, _all, configurations=len(ALL)),
    ),
    parts={"stride 1": 1.5, "with options": 2, "the bias": 0.5},
    forbid=("conv", "unfold"),
    mistakes=(
        Mistake(
            name="mean over the batch",
            hint="You average over the batch: the weight is used once by each "
            "sample, and the gradients of all uses add up.",
            edits=(("dw[:, :, u, v] = ", "dw[:, :, u, v] = 1 / len(x) * "),),
            loses=("stride 1", "with options"),
        ),
        Mistake(
            name="mean over the places",
            hint="You average over the places: the weight is used once at each "
            "place, and the gradients of all uses add up.",
            edits=(
                ("dw[:, :, u, v] = ", "dw[:, :, u, v] = 1 / grad[0, 0].numel() * "),
            ),
            loses=("stride 1", "with options"),
        ),
        Mistake(
            name="channels swapped",
            hint="The weight has the shape (C_out, C_in, k_H, k_W); yours has the "
            "channels the other way round.",
            edits=(("return dw,", "return dw.transpose(0, 1),"),),
            loses=("stride 1", "with options"),
        ),
        Mistake(
            name="kernel flipped",
            hint="Your gradient is turned around: entry (u, v) has met the cells "
            "that start at row u and column v, in the order of the picture.",
            edits=(("return dw,", "return dw.flip(2, 3),"),),
            loses=("stride 1", "with options"),
        ),
        Mistake(
            name="padding left out",
            hint="The windows read the padded picture: rows and columns are missing.",
            edits=(("[padding] * 4", "[0] * 4"),),
            loses=("with options",),
        ),
        Mistake(
            name="padding at the end only",
            hint="The padding stands at both ends of each axis, so the first window "
            "starts in it.",
            edits=(("[padding] * 4", "[0, 2 * padding] * 2"),),
            loses=("with options",),
        ),
        Mistake(
            name="no dilation",
            hint="Entry (u, v) of the kernel lies u * dilation rows and v * dilation "
            "columns from the first.",
            edits=(("u * dilation", "u"), ("v * dilation", "v")),
            loses=("with options",),
        ),
        Mistake(
            name="stride and dilation swapped",
            hint="The dilation says how far the entries of the kernel lie apart, the "
            "stride how far the windows do.",
            edits=(
                (
                    "    k_h, k_w =",
                    "    stride, dilation = dilation, stride\n    k_h, k_w =",
                ),
                ("dw = x", "x = F.pad(x, [0, 9] * 2)\n    dw = x"),
            ),
            loses=("with options",),
        ),
        Mistake(
            name="windows counted from the end",
            hint="Where the stride leaves rows or columns over, they are the last "
            "ones: the first window starts at the first cell.",
            edits=(
                (
                    "    k_h, k_w =",
                    "    k_h, k_w = kernel_size\n"
                    "    top = x.shape[2] - dilation * (k_h - 1) - 1\n"
                    "    left = x.shape[3] - dilation * (k_w - 1) - 1\n"
                    "    x = x[:, :, top % stride :, left % stride :]\n"
                    "    k_h, k_w =",
                ),
            ),
            loses=("with options",),
        ),
        Mistake(
            name="mean for the bias",
            hint="The bias is added at each place of each sample: its gradient is "
            "the sum over all of them, not the mean.",
            edits=(("grad.sum((0, 2, 3))", "grad.mean((0, 2, 3))"),),
            loses=("the bias",),
        ),
        Mistake(
            name="a bias for each sample",
            hint="The bias serves all samples of the batch: sum over them as well.",
            edits=(("grad.sum((0, 2, 3))", "grad.sum((2, 3))"),),
            loses=("the bias",),
        ),
    ),
)
