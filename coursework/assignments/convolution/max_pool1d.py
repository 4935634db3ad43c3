"""Max pooling with everything torch's has: ties, indices, ceil_mode, the gradient."""

import torch
from torch.nn import functional as F

from layers_book.coursework import Mistake, Question, custom_run, distinct

FLOOR = (  # length, kernel, stride, padding, dilation
    (9, 3, 2, 0, 1),
    (10, 4, 3, 2, 1),
    (12, 3, 2, 1, 3),
    (7, 2, 1, 1, 2),
    (8, 3, 4, 1, 1),
)
CEIL = (
    (10, 3, 2, 0, 1),  # one window more
    (10, 2, 3, 1, 1),  # it would start behind the padding: not one more
    (10, 4, 2, 0, 1),  # nothing left over
    (9, 3, 3, 1, 1),  # one more, which starts at the last cell
    (8, 2, 3, 1, 1),  # it would start in the padding: not one more
    (13, 4, 3, 2, 2),
)


def pooled(answer, part, x, settings):
    kernel, stride, padding, dilation, ceil = settings
    yield "configuration", f"x {tuple(x.shape)}, {settings}"
    copy = x.clone()
    found = call(answer, copy, kernel, stride, padding, dilation, ceil)  # noqa: F821
    is_pair = isinstance(found, (tuple, list)) and len(found) == 2
    values, indices = found if is_pair else (found, None)
    yield f"the values with {part}", values
    yield f"the values with {part}: x after the call", copy
    yield f"the indices with {part}", indices
    (gradient,) = gradients(values, [x])  # noqa: F821
    yield f"the gradient with {part}", gradient


def _case(generator, part, length, *settings):
    index = generator.initial_seed()
    n, c = distinct(generator, 2)
    x = torch.randn(n, c, length, generator=generator, dtype=torch.float64)
    if index == 1:
        x = x - 9  # a frame of zeros would win
    elif index == 2:
        x = (2 * x).round()  # ties
    elif index == 3:  # masked cells, up to whole windows
        x[0, 0], x[1, 1, : length // 2 + 2] = -torch.inf, -torch.inf
    elif index == 4:
        x = x.float().mT.contiguous().mT
    return {"part": part, "x": x.requires_grad_(), "settings": settings}


def _floor(generator):
    return _case(generator, "rounding down", *FLOOR[generator.initial_seed()], False)


def _ceil(generator):
    return _case(generator, "ceil_mode", *CEIL[generator.initial_seed()], True)


def _reference(variant):
    def answer(x, kernel_size, stride, padding=0, dilation=1, ceil_mode=False):
        return F.max_pool1d(
            *(x, kernel_size, stride, padding, dilation, ceil_mode),
            return_indices=True,
        )

    return answer


QUESTION = Question(
    name="max_pool1d",
    title="Max pooling to the last cell",
    answer="max_pool1d",
    reference=_reference,
    run=(
        custom_run(pooled, _floor, configurations=len(FLOOR)),
        custom_run(pooled, _ceil, configurations=len(CEIL)),
    ),
    parts={
        "the values with rounding down": 1.5,
        "the values with ceil_mode": 1,
        "the indices": 1.5,
        "the gradient": 1,
    },
    forbid=("pool",),
    mistakes=(
        Mistake(
            name="padded with zeros",
            hint="Where all numbers of a window are negative, your frame of zeros "
            "wins: padding must never be the maximum.",
            edits=(("value=-torch.inf", "value=0.0"),),
            loses=("the values with rounding down",),
        ),
        Mistake(
            name="last of equal cells",
            hint="Of several equal cells torch takes the first, and you take a later "
            "one.",
            edits=(
                (
                    "inside.double().argmax(-1, keepdim=True)",
                    "(inside * torch.arange(1, kernel_size + 1))"
                    ".argmax(-1, keepdim=True)",
                ),
            ),
            loses=("the indices", "the gradient"),
        ),
        Mistake(
            name="padding may win against -inf",
            hint="Where all cells of a window are -inf, your index is that of a cell "
            "of the padding: it must be the first cell of x in the window.",
            edits=((" & real", ""),),
            loses=("the indices",),
        ),
        Mistake(
            name="indices count the padding",
            hint="The indices must count the cells of x, without the padding in front.",
            edits=(("cells - padding", "cells"),),
            loses=("the indices",),
        ),
        Mistake(
            name="indices within the window",
            hint="You give the place within the window: give the place in x.",
            edits=(("return values, indices", "return values, place[..., 0]"),),
            loses=("the indices",),
        ),
        Mistake(
            name="no dilation in the indices",
            hint="Entry j of a window lies j * dilation cells after its start.",
            edits=(
                (
                    "cells - padding",
                    "starts[:, None] + torch.arange(kernel_size) - padding",
                ),
            ),
            loses=("the indices",),
        ),
        Mistake(
            name="no dilation",
            hint="The cells of a window lie `dilation` apart, and it spans dilation * "
            "(kernel_size - 1) + 1.",
            edits=(("    span =", "    dilation = 1\n    span ="),),
            loses=("the values with rounding down",),
        ),
        Mistake(
            name="ceil_mode ignored",
            hint="With ceil_mode a last window may run over the end.",
            edits=(("if ceil_mode:", "if False:"),),
            loses=("the values with ceil_mode",),
        ),
        Mistake(
            name="always one more with ceil_mode",
            hint="Where nothing is left over, ceil_mode adds no window: rounding up "
            "leaves a whole number as it is.",
            edits=(("-(-left // stride)", "left // stride + 1"),),
            loses=("the values with ceil_mode",),
        ),
        Mistake(
            name="window behind the end",
            hint="With ceil_mode the last window must start inside x or in the "
            "padding on the left; yours starts behind the last cell.",
            edits=(("            count -= 1\n", "            pass\n"),),
            loses=("the values with ceil_mode",),
        ),
        Mistake(
            name="shared gradient",
            hint="Where cells tie, the gradient goes to the first of them alone; amax "
            "shares it among all.",
            edits=(
                (
                    "values = windows.gather(-1, place)[..., 0]",
                    "values = windows.amax(-1)",
                ),
            ),
            loses=("the gradient",),
        ),
        Mistake(
            name="detached",
            hint="No gradient reaches x: take the values out of x itself.",
            edits=(("F.pad(x,", "F.pad(x.detach(),"),),
            loses=("the gradient",),
        ),
    ),
)
