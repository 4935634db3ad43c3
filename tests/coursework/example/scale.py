"""Each feature times its weight."""

from layers_book.coursework import (
    Mistake,
    Question,
    distinct,
    function_run,
    signed,
    varied,
)


def _arguments(generator):
    n, c = distinct(generator, 2)
    x = varied(generator, n, c).requires_grad_()
    return (x, signed(generator, c).requires_grad_()), {}


def _reference(variant):
    return lambda x, weight: (x.mT * weight[:, None]).mT


QUESTION = Question(
    name="scale",
    title="Scale",
    answer="scale",
    reference=_reference,
    run=function_run(_arguments, names=("x", "weight"), configurations=6),
    parts={
        "the output | the inputs after": 2,
        "the gradient with respect to": 1,
    },
    mistakes=(
        Mistake(
            name="adds instead",
            hint="You add the weight to each feature; multiply each feature by it.",
            edits=(("x * weight", "x + weight"),),
        ),
        Mistake(
            name="in place",
            hint="You change x itself, which the caller still needs: make a new "
            "tensor.",
            edits=(("x * weight", "x.data.mul_(weight)"),),
        ),
        Mistake(
            name="detached",
            hint="The gradient must reach the weight, too: do not detach it from the "
            "graph.",
            edits=(("x * weight", "x * weight.detach()"),),
            loses=("the gradient with respect to",),
        ),
    ),
)
