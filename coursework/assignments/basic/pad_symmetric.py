"""Padding by mirrors outside of the border, of any width."""

from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from layers_book.coursework import Mistake, Question, custom_run

# shape of x, widths
SETTINGS = (
    ((5,), (3, 2)),
    ((1, 3, 6), (0, 4)),
    ((4, 5), (1, 3, 2, 0)),
    ((2, 3, 4, 5), (2, 1, 0, 3, 1, 2)),
    ((3, 4), (11, 9)),
    ((2, 1, 3), (4, 0, 2, 3, 0, 5)),
)


def padding(answer, x, widths, words):
    """Call the answer on a copy, and differentiate what comes out."""
    yield "configuration", f"x {tuple(x.shape)}, widths={widths}"
    leaf = x.clone().requires_grad_()
    copy = leaf.clone()
    y = answer(copy, widths)
    yield f"the output, {words}", y
    yield f"the output, {words}: the inputs after the call", copy
    slope = torch.autograd.grad((y * y).sum(), leaf)[0]
    yield "the gradient", {"x": x, "y": y, "slope": slope}


def _inputs(generator: Generator) -> dict[str, Any]:
    index = generator.initial_seed()
    shape, widths = SETTINGS[index]
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    if index == 1:
        x = x.mT.contiguous().mT
    if index == 2:
        x = x.float()
    words = ("one axis", "several axes", "beyond the size")[index // 2]
    return {"x": x, "widths": widths, "words": words}


def _reference(variant: dict[str, Any]) -> Any:
    """NumPy's mode symmetric, applied to the places in memory."""

    def pad_symmetric(x: Tensor, widths: tuple[int, ...]) -> Tensor:
        pairs = list(zip(widths[::2], widths[1::2], strict=True))[::-1]
        pairs = [(0, 0)] * (x.dim() - len(pairs)) + pairs
        places = np.arange(x.numel()).reshape(x.shape)
        return x.reshape(-1)[torch.from_numpy(np.pad(places, pairs, "symmetric"))]

    return pad_symmetric


def _gradient(expected: Any, got: Any) -> bool:
    """As often as a pixel is shown, so often 2 x flows back to it."""
    x, y, slope = expected["x"], got["y"], got["slope"]
    if y.shape != expected["y"].shape or slope.shape != x.shape:
        return False
    shown = (y.reshape(-1, 1) == x.reshape(-1)).sum(0)
    return torch.allclose(slope, 2 * x * shown.reshape(x.shape), rtol=1e-4)


ONE, MORE, FAR = (
    f"the output, {words}" for words in ("one axis", "several axes", "beyond the size")
)

QUESTION = Question(
    name="pad_symmetric",
    title="Symmetric padding",
    answer="pad_symmetric",
    reference=_reference,
    run=custom_run(padding, _inputs, configurations=len(SETTINGS)),
    parts={
        ONE: 1,
        MORE: 1,
        FAR: 2,
        "the gradient": 1,
    },
    forbid=("pad",),
    judge={"the gradient": _gradient},
    mistakes=(
        Mistake(
            name="reflect",
            hint="The border pixel is not repeated: that is torch's reflect. Here the "
            "mirror stands outside of the border, so places -1 and 0 show the same.",
            edits=(
                ("% (2 * n)", "% max(2 * n - 2, 1)"),
                ("2 * n - 1 - place", "2 * n - 2 - place"),
            ),
            loses=(ONE, MORE),
        ),
        Mistake(
            name="replicate",
            hint="You repeat the border pixel all the way; behind it the picture "
            "goes back.",
            edits=(
                (" % (2 * n)", ""),
                ("torch.minimum(place, 2 * n - 1 - place)", "place.clamp(0, n - 1)"),
            ),
            loses=(ONE, MORE, FAR),
        ),
        Mistake(
            name="circular",
            hint="You continue at the other end, as on a ring; a mirror turns around.",
            edits=(
                ("% (2 * n)", "% n"),
                ("torch.minimum(place, 2 * n - 1 - place)", "place"),
            ),
            loses=(ONE, MORE, FAR),
        ),
        Mistake(
            name="one mirror on each side",
            hint="Your widths end at the size of the axis. Behind a second mirror the "
            "picture comes again; after how many places does it repeat?",
            edits=(
                (" % (2 * n)", ""),
                (
                    "torch.minimum(place, 2 * n - 1 - place)",
                    "torch.minimum(torch.where(place < 0, -1 - place, place), "
                    "2 * n - 1 - place)",
                ),
            ),
            loses=(FAR,),
        ),
        Mistake(
            name="clamped behind the mirror",
            hint="Beyond the size of the axis you stop at a pixel; the picture goes "
            "on to the next mirror.",
            edits=(
                (" % (2 * n)", ""),
                (
                    "torch.minimum(place, 2 * n - 1 - place)",
                    "torch.minimum(torch.where(place < 0, -1 - place, place), "
                    "2 * n - 1 - place).clamp(0, n - 1)",
                ),
            ),
            loses=(FAR,),
        ),
        Mistake(
            name="first axis first",
            hint="widths begin with the last axis, as those of F.pad do.",
            edits=(("x.dim() - 1 - pair", "x.dim() - len(widths) // 2 + pair"),),
            loses=(MORE,),
        ),
        Mistake(
            name="left and right swapped",
            hint="The first number of a pair is the left one.",
            edits=(("left, right =", "right, left ="),),
            loses=(ONE,),
        ),
        Mistake(
            name="one axis only",
            hint="You pad the last axis only; each further pair belongs to one more "
            "axis.",
            edits=(("range(len(widths) // 2)", "range(1)"),),
            loses=(MORE,),
        ),
        Mistake(
            name="off by one on the left",
            hint="On the left your mirror stands on the border pixel, on the right "
            "outside of it.",
            edits=((" % (2 * n)", ".abs() % (2 * n)"),),
            loses=(ONE,),
        ),
        Mistake(
            name="period of reflect",
            hint="The picture and its mirror image together have 2 n places; yours "
            "repeats too early.",
            edits=(("% (2 * n)", "% (2 * n - 1)"),),
            loses=(ONE,),
        ),
        Mistake(
            name="detached",
            hint="The values are right, and no gradient reaches x.",
            edits=(("    return x", "    return x.detach().requires_grad_()"),),
            loses=("the gradient",),
        ),
        Mistake(
            name="torch's own",
            hint="Compute which pixel stands where, and pick it by its index.",
            answer="""
def pad_symmetric(x, widths):
    return F.pad(x[None, None], widths, "reflect")[0, 0]
""",
            loses=(ONE,),
        ),
    ),
)
