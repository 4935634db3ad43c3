"""The exercises of the page batch_norm."""

import torch
from torch import Tensor, nn

from layers_book.checking import Exercise, Mistake, value_run
from layers_book.exercises.normalization.batch_norm.by_hand import BY_HAND
from layers_book.exercises.normalization.batch_norm.fold import FOLD
from layers_book.exercises.normalization.batch_norm.module import MODULE


def _two_point_output() -> Tensor:
    layer = nn.BatchNorm1d(1, momentum=1.0)
    x = torch.tensor([[0.0], [2.0]])
    layer(x)
    output: Tensor = layer.eval()(x)
    return output.detach()


EVAL_OUTPUT = Exercise(
    name="batch_norm/eval_output",
    reference=_two_point_output(),
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            (-1.0, 1.0),
            "That is the output in training mode, with the biased variance 1. In eval "
            "mode running_var counts, which collects the unbiased variance.",
        ),
        Mistake(
            (0.0, 2.0),
            "That is the output of a new layer in eval mode, with mean 0 and variance "
            "1. One batch with momentum=1 has replaced both.",
        ),
        Mistake(
            (-0.5, 0.5),
            "You divide by running_var: divide by its root.",
        ),
        Mistake(
            (0.7071, -0.7071),
            "The size is right. The smaller input lies below the mean: its output is "
            "negative, and comes first.",
        ),
        Mistake(
            (0.0, 1.4142),
            "The root of running_var is right, but running_mean has moved as well: "
            "subtract it.",
        ),
        Mistake(
            0.7071,
            "The size is right: give both outputs, for the inputs 0 and 2.",
        ),
        Mistake(
            (0.0, 0.0),
            "With momentum=1 the running statistics are those of the batch. Its two "
            "points lie on either side of the mean, so neither output is 0.",
        ),
    ),
)


EXERCISES = (BY_HAND, MODULE, EVAL_OUTPUT, FOLD)
