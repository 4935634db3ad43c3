"""Bilinear sampling at any place: what F.grid_sample does."""

import torch
from torch.nn import functional as F

from layers_book.coursework import (
    Mistake,
    Question,
    custom_run,
    distinct,
    function_run,
    varied,
)


def sampled(answer, part, x, places, options):
    shapes = tuple(x.shape), tuple(places.shape)
    yield "configuration", f"x and places {shapes}, {options}"
    yield part, call(answer, x, places, **options)  # noqa: F821


def _case(generator, reach):
    """A picture and random places, up to ``reach`` from its middle along each axis."""
    n, c, height, width, rows, columns = distinct(generator, 6)
    if generator.initial_seed() == 1:
        width = 1
    x = varied(generator, n, c, height, width)
    draw = torch.rand(n, rows, columns, 2, generator=generator, dtype=x.dtype)
    limit = torch.tensor(reach(width, height), dtype=x.dtype)
    return x, (2 * draw - 1) * limit


def _aligned(generator):
    x, places = _case(generator, lambda *sizes: (1, 1))
    if not generator.initial_seed():
        places[0, :2, :2] = torch.tensor([[[-1.0, -1], [1, -1]], [[-1, 1], [1, 1]]])
        places[1, 0, 0] = 0
    options = {"align_corners": True}
    return {"part": "align_corners=True", "x": x, "places": places, "options": options}


def _default(generator):
    x, places = _case(generator, lambda *sizes: [1 - 1 / size for size in sizes])
    part = "align_corners=False"
    options = {"align_corners": False} if generator.initial_seed() else {}
    return {"part": part, "x": x, "places": places, "options": options}


def _outside(generator):
    index = generator.initial_seed()
    reach = (2.5, 1.1) if index else (1, 2.5)
    x, places = _case(generator, lambda *sizes: reach)
    options = {"align_corners": index == 1}
    return {"part": "outside", "x": x, "places": places, "options": options}


def _all(generator):
    index = generator.initial_seed()
    x, places = _case(generator, lambda *sizes: (1.3, 1.2))
    args = x.requires_grad_(), places.requires_grad_()
    return ((*args, True), {}) if index == 1 else (args, {"align_corners": index > 1})


def _reference(variant):
    def answer(x, places, align_corners=False):
        return F.grid_sample(x, places, align_corners=align_corners)

    return answer


QUESTION = Question(
    name="sample",
    title="A picture between its pixels",
    answer="sample",
    reference=_reference,
    run=(
        custom_run(sampled, _aligned, configurations=2),
        custom_run(sampled, _default, configurations=2),
        custom_run(sampled, _outside, configurations=2),
        function_run(_all, ("x", "places", "align_corners"), configurations=3),
    ),
    parts={
        "align_corners=True": 1.5,
        "align_corners=False": 1,
        "outside": 1.5,
        "the output | the inputs after the call": 0.5,
        "the gradient with respect to x": 0.5,
        "the gradient with respect to places": 1,
    },
    forbid=("grid_sampl", "affine_grid", "interpolate", "upsample"),
    mistakes=(
        Mistake(
            name="axes swapped",
            hint="The first number of a place goes along the row, so it belongs to the "
            "width; the second goes down.",
            edits=(
                ("pixel(places[..., 0], width)", "pixel(places[..., 1], width)"),
                ("pixel(places[..., 1], height)", "pixel(places[..., 0], height)"),
            ),
            loses=("align_corners=True", "align_corners=False", "outside"),
        ),
        Mistake(
            name="width and height swapped",
            hint="-1 and 1 are the ends of the axis that the number belongs to: the "
            "width for the first number, the height for the second.",
            edits=(
                ("pixel(places[..., 0], width)", "pixel(places[..., 0], height)"),
                ("pixel(places[..., 1], height)", "pixel(places[..., 1], width)"),
            ),
            loses=("align_corners=True", "align_corners=False", "outside"),
        ),
        Mistake(
            name="the two rules swapped",
            hint="With align_corners=True, -1 and 1 are the centers of the corner "
            "pixels; without, the outer edges of the picture.",
            edits=(("if align_corners:", "if not align_corners:"),),
            loses=("align_corners=True", "align_corners=False"),
        ),
        Mistake(
            name="one rule only",
            hint="align_corners changes nothing in your function.",
            edits=(("if align_corners:", "if True:"),),
            loses=("align_corners=False",),
        ),
        Mistake(
            name="half a pixel off",
            hint="Without align_corners, -1 is the edge of the picture, and the "
            "center of pixel 0 lies half a pixel further in.",
            edits=(("((g + 1) * size - 1) / 2", "(g + 1) * size / 2"),),
            loses=("align_corners=False",),
        ),
        Mistake(
            name="border instead of zeros",
            hint="Outside of the picture there are zeros; you read the nearest pixel "
            "of the border.",
            edits=(("(weight * inside)", "weight"),),
            loses=("outside",),
        ),
        Mistake(
            name="all zero near the border",
            hint="A place between a border pixel and the outside reads both: the "
            "pixel with its weight, and zero with the other.",
            edits=(
                (
                    "    return y",
                    "    inner = (0 <= px) & (px <= width - 1) & (0 <= py)\n"
                    "    return y * (inner & (py <= height - 1))[:, None]",
                ),
            ),
            loses=("outside",),
        ),
        Mistake(
            name="cut off toward zero",
            hint="The pixel to the left of -0.3 is -1: rounding toward zero is not "
            "floor.",
            edits=(("px.floor(), py.floor()", "px.trunc(), py.trunc()"),),
            loses=("outside",),
        ),
        Mistake(
            name="weights swapped",
            hint="The nearer pixel has the larger weight; in yours it has the smaller.",
            edits=(
                (
                    "(1 - (px - column).abs()) * (1 - (py - row).abs())",
                    "(px - column).abs() * (py - row).abs()",
                ),
            ),
            loses=("align_corners=True", "align_corners=False"),
        ),
        Mistake(
            name="the nearest pixel",
            hint="You read the nearest pixel alone: mix the four around the place.",
            edits=(
                (
                    "(1 - (px - column).abs()) * (1 - (py - row).abs())",
                    "((px - column).abs() < 0.5) * ((py - row).abs() < 0.5)",
                ),
            ),
            loses=("align_corners=True", "align_corners=False"),
        ),
        Mistake(
            name="no gradient for the places",
            hint="The output is right, but no gradient reaches the places: the "
            "weights must be computed from them, and not be detached.",
            edits=(
                (
                    "    left, top",
                    "    px, py = px.detach(), py.detach()\n    left, top",
                ),
            ),
            loses=("the gradient with respect to places",),
        ),
    ),
)
