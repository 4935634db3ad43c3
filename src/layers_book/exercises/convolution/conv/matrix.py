"""Exercise: the matrix of a convolution."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import Exercise, Mistake, function_run, signed
from layers_book.exercises.convolution.conv.by_hand import KERNELS


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
        elif wrong == "columns only":
            steps = (1, stride)
        elif wrong == "kernel transposed":
            weight = weight.mT
        elif wrong == "sizes swapped":
            height, width = width, height
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


MATRIX_HINTS = {
    "transposed": (
        "Your matrix is the transpose: a row belongs to an output cell, a column to "
        "an input cell."
    ),
    "flipped": "You flip the kernel: weight[0, 0] meets the first cell of the window.",
    "kernel transposed": (
        "You turn rows and columns of the kernel around: weight has shape (k_H, k_W)."
    ),
    "no stride": "You do not use stride: the windows start at multiples of it.",
    "rows only": "You stride along the rows only; the columns need it too.",
    "columns only": "You stride along the columns only; the rows need it too.",
    "late start": "Your first window starts at stride - 1; it starts at 0.",
    "first row": (
        "You move the first row by one cell for each output. At the end of a row of "
        "outputs the window jumps to the next picture row, and with a stride by "
        "more than one cell."
    ),
    "column by column": (
        "You flatten the input column by column: cell (r, c) is number r * width + c."
    ),
    "sizes swapped": (
        "You take height for width: the picture has height rows and width columns."
    ),
    "output by column": (
        "You go through the outputs column by column: let j run faster than i."
    ),
    "not flattened": (
        "Your entries are right, the shape is not: flatten the outputs into rows "
        "and the inputs into columns."
    ),
    "one too few": "The last row is missing: the window at the very end counts.",
    "detached": (
        "The matrix is right, but no gradient reaches weight: copy the tensor, not "
        "its numbers (no .item(), .data or torch.tensor)."
    ),
}

MATRIX = Exercise(
    name="conv/matrix",
    reference=_matrix(),
    run=function_run(_kernels, names=("weight", "height", "width")),
    forbid=("conv",),
    mistakes=tuple(
        Mistake(_matrix(wrong), hint) for wrong, hint in MATRIX_HINTS.items()
    ),
)
