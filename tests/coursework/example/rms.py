"""The root of the mean square over the last axis."""

import torch

from layers_book.coursework import Mistake, Question, distinct, function_run, varied


def _arguments(generator):
    return (varied(generator, *distinct(generator, 2)).requires_grad_(),), {}


def _reference(variant):
    return lambda x: torch.linalg.vector_norm(x, dim=-1) / x.shape[-1] ** 0.5


QUESTION = Question(
    name="rms",
    title="Root of the mean square",
    answer="rms",
    reference=_reference,
    run=function_run(_arguments, configurations=6),
    parts={
        "the output | the inputs after": 2,
        "the gradient with respect to": 2,
    },
    forbid=("norm",),
    mistakes=(
        Mistake(
            name="the sum",
            hint="You take the sum of the squares: divide it by the number of "
            "features.",
            edits=((".mean(-1)", ".sum(-1)"),),
        ),
        Mistake(
            name="over all axes",
            hint="You average over all axes and give one number; there is one for "
            "each row.",
            edits=((".mean(-1)", ".mean()"),),
        ),
        Mistake(
            name="no root",
            hint="You give the mean of the squares itself: its root is asked for.",
            edits=((".sqrt()", ""),),
        ),
    ),
)
