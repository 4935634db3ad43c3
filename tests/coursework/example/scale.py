"""Each feature times its weight."""

from layers_book.coursework import (
    Question,
    Wrong,
    distinct,
    function_probe,
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
    probes=(function_probe(_arguments, names=("x", "weight")),),
    parts={
        "the output | the inputs after": 2,
        "the gradient with respect to": 1,
    },
    wrong=(
        Wrong(
            "adds instead",
            "You add the weight to each feature; multiply each feature by it.",
            edits=(("x * weight", "x + weight"),),
        ),
        Wrong(
            "in place",
            "You change x itself, which the caller still needs: make a new tensor.",
            edits=(("x * weight", "x.data.mul_(weight)"),),
        ),
        Wrong(
            "detached",
            "The gradient must reach the weight, too: do not detach it from the graph.",
            edits=(("x * weight", "x * weight.detach()"),),
            loses=("the gradient with respect to",),
        ),
    ),
)
