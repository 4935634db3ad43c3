"""Exercises of the page convolution/upsample."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    Mistake,
    distinct,
    function_run,
    signed,
    value_run,
    varied,
)

# in and out; as many, one pixel, one sample, odd and whole factors, far apart
SIZES = ((4, 8), (7, 3), (5, 9), (6, 6), (3, 11), (9, 2), (1, 4), (8, 1), (12, 3))


def _rows(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    n, out = SIZES[index % len(SIZES)]
    x = varied(generator, *distinct(generator, 2), n).requires_grad_()
    return (x, out), {"align_corners": index % 2 == 1} if index else {}


def _linear(wrong: str = "") -> Any:
    def answer(x: Tensor, out: int, align_corners: bool = False) -> Tensor:
        if wrong == "first axis":
            rows = x.movedim(0, -1)
            y = F.interpolate(rows, out, mode="linear", align_corners=align_corners)
            return y.movedim(-1, 0)
        n = x.shape[-1]
        i = torch.arange(out, dtype=None if wrong == "float32" else x.dtype)
        corners = {"never": False, "always": True, "swapped": not align_corners}
        if corners.get(wrong, align_corners):
            p = i * (n - 1) / max(out - 1, 1)
            if wrong == "n over out on corners":
                p = i * n / out
            elif wrong == "out instead of out - 1":
                p = i * (n - 1) / out
            elif wrong == "one in the middle" and out == 1:
                p = i + (n - 1) / 2
            elif wrong == "0 / 0":
                p = i * (n - 1) / (out - 1)
        else:
            p = (i + 0.5) * n / out - 0.5
            if wrong == "left edge":
                p = i * n / out
            elif wrong == "no half back":
                p = (i + 0.5) * n / out
            elif wrong == "no half at i":
                p = i * n / out - 0.5
            elif wrong == "whole step":
                p = (i + 0.5) * (n // out or 1) - 0.5
            elif wrong == "inverse step":
                p = (i + 0.5) * out / n - 0.5
        if wrong == "not clamped":
            left = p.floor()
            t = (p - left).where(p >= 0, p)  # weights outside 0 to 1: extrapolates
            first = left.long().clamp(0, n - 1)
            return (1 - t) * x[..., first] + t * x[..., (first + 1).clamp(max=n - 1)]
        if wrong == "blocks" and n > out and n % out == 0 and not align_corners:
            return x.reshape(*x.shape[:-1], out, -1).mean(-1)
        if wrong in ("zeros", "zeros on the right"):
            p = p.clamp(min=0) if wrong == "zeros on the right" else p
            k = torch.arange(n, dtype=x.dtype)
            return x @ (1 - (k[:, None] - p).abs()).clamp(min=0)
        p = p.clamp(0, n - 1)
        left = p.floor().long()
        right = (left + 1).clamp(max=n - 1)
        t = (p - left).to(x)
        if wrong == "weights swapped":
            t = 1 - t
        elif wrong == "floor only":
            t = torch.zeros_like(t)
        elif wrong == "rounded":
            t = (t >= 0.5).to(t)
        elif wrong == "means":
            t = torch.where(t > 0, 0.5, 0.0).to(t)
        elif wrong == "wraps":
            right = (left + 1) % n
            outside = (i + 0.5) * n / out - 0.5 < 0
            if not align_corners:
                left, t = left.where(~outside, n - 1), t.where(~outside, 0.75)
                right = right.where(~outside, 0)
        elif wrong == "detached":
            x = x.detach()
        return (1 - t) * x[..., left] + t * x[..., right]

    return answer


LINEAR = Exercise(
    name="upsample/linear",
    reference=lambda x, out, align_corners=False: F.interpolate(
        x, out, mode="linear", align_corners=align_corners
    ),
    run=function_run(_rows, names=("x", "out")),
    configurations=18,
    forbid=("interpolate", "upsample", "grid_sample", "adaptive"),
    mistakes=(
        Mistake(
            _linear("left edge"),
            "Without align_corners you sample at i * L / out, the left edge of each "
            "new pixel: its center lies at (i + 0.5) * L / out - 0.5.",
        ),
        Mistake(
            _linear("no half back"),
            "Your positions are half a pixel too far to the right: subtract 0.5.",
        ),
        Mistake(
            _linear("whole step"),
            "Your step is a whole number: it is L / out, which // cuts off.",
        ),
        Mistake(
            _linear("inverse step"),
            "Your step is out / L; from one sample to the next it is L / out pixels.",
        ),
        Mistake(
            _linear("never"),
            "You do not use align_corners: with it the positions are "
            "i * (L - 1) / (out - 1).",
        ),
        Mistake(
            _linear("always"),
            "You always align the corners; the default is "
            "(i + 0.5) * L / out - 0.5, clamped.",
        ),
        Mistake(
            _linear("swapped"),
            "You have swapped the rules of align_corners True and False.",
        ),
        Mistake(
            _linear("out instead of out - 1"),
            "With align_corners your last sample misses the last pixel: between out "
            "samples lie out - 1 steps.",
        ),
        Mistake(
            _linear("n over out on corners"),
            "With align_corners the step is (L - 1) / (out - 1), not L / out.",
        ),
        Mistake(
            _linear("not clamped"),
            "Beyond the border you continue the line; torch repeats the border pixel: "
            "clamp the positions to 0 and L - 1 first.",
        ),
        Mistake(
            _linear("no half at i"),
            "You sample half a pixel to the left of each new pixel's left edge: its "
            "center lies at i + 0.5, not at i.",
        ),
        Mistake(
            _linear("one in the middle"),
            "With align_corners and out = 1, torch puts the one sample on the first "
            "pixel, not in the middle.",
        ),
        Mistake(
            _linear("0 / 0"),
            "For out = 1 you divide by out - 1 = 0: torch puts the one sample on "
            "pixel 0, as max(out - 1, 1) does.",
        ),
        Mistake(
            _linear("zeros"),
            "Beyond the border you count zeros: torch repeats the border pixel, so "
            "that the weights always sum to 1.",
        ),
        Mistake(
            _linear("zeros on the right"),
            "Right of the last pixel you count zeros: torch repeats the border pixel, "
            "so clamp the positions to L - 1 as well.",
        ),
        Mistake(
            _linear("blocks"),
            "You average whole blocks where L is a multiple of out: linear mode reads "
            "two pixels a sample, whatever the factor.",
        ),
        Mistake(
            _linear("float32"),
            "Your positions are float32: give torch.arange dtype=x.dtype.",
        ),
        Mistake(
            _linear("wraps"),
            "At the border you take the pixel from the other end; torch repeats the "
            "border pixel. A negative index counts from the end in Python.",
        ),
        Mistake(
            _linear("weights swapped"),
            "You have swapped the weights: the nearer pixel counts more.",
        ),
        Mistake(
            _linear("floor only"),
            "You take the pixel on the left alone: add the one on the right, with the "
            "weight that the floor cut off.",
        ),
        Mistake(
            _linear("rounded"),
            "You take the nearest pixel: linear mode mixes the two neighbors.",
        ),
        Mistake(
            _linear("means"),
            "You give both neighbors one half: the nearer one counts more.",
        ),
        Mistake(
            _linear("first axis"),
            "You resize the first axis; resize the last one, L.",
        ),
        Mistake(
            _linear("detached"),
            "The output is right, the gradient is not: do not detach x.",
        ),
    ),
)


def _kernels(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    r = (2, 3, 1, 4)[index % 4]
    outputs, channels = distinct(generator, 2)
    weight = signed(generator, outputs * r * r, channels, 3, 3).requires_grad_()
    return (weight, r), {}


def _transposed(wrong: str = "") -> Any:
    def answer(weight: Tensor, r: int) -> Tensor:
        outputs, channels = weight.shape[0] // r**2, weight.shape[1]
        if wrong == "detached":
            weight = weight.detach()
        w = weight.reshape(outputs, r, r, channels, 3, 3)
        if wrong == "channels inside":
            w = weight.reshape(r, r, outputs, channels, 3, 3).movedim(2, 0)
        if wrong == "places swapped":
            w = w.transpose(1, 2)
        if wrong == "one flip":
            w = w.flip(-1)
        elif wrong == "other flip":
            w = w.flip(-2)
        elif wrong != "not flipped":
            w = w.flip(-1, -2)
        order = (3, 0, 4, 1, 5, 2)
        if wrong == "place slow":
            order = (3, 0, 1, 4, 2, 5)
        elif wrong == "out first":
            order = (0, 3, 4, 1, 5, 2)
        w = w.permute(order).reshape(*(w.shape[k] for k in order[:2]), 3 * r, 3 * r)
        if wrong == "all flipped":
            w = weight.reshape(outputs, r, r, channels, 3, 3)
            w = w.permute(3, 0, 4, 1, 5, 2).reshape(channels, outputs, 3 * r, 3 * r)
            return w.flip(-1, -2)
        if wrong == "axes swapped":
            return w.mT
        if wrong == "no reshape":
            return weight.flip(-1, -2).reshape(channels, outputs, 3 * r, 3 * r)
        return w

    return answer


def _shuffled(weight: Tensor, r: int) -> Tensor:
    """What each pixel of a large enough picture writes: the transposed kernel."""
    channels = weight.shape[1]
    pixels = torch.zeros(channels, channels, 3, 3, dtype=weight.dtype)
    pixels[range(channels), range(channels), 1, 1] = 1
    return F.pixel_shuffle(F.conv2d(pixels, weight, padding=1), r)


AS_TRANSPOSED = Exercise(
    name="upsample/as_transposed",
    reference=_shuffled,
    run=function_run(_kernels, names=("weight", "r")),
    forbid=("conv",),
    mistakes=(
        Mistake(
            _transposed("not flipped"),
            "You do not flip the taps: a convolution's first tap reads the left "
            "neighbor, a transposed convolution's first entries write to the left.",
        ),
        Mistake(
            _transposed("one flip"),
            "You flip the taps along the width only: flip both axes.",
        ),
        Mistake(
            _transposed("other flip"),
            "You flip the taps along the height only: flip both axes.",
        ),
        Mistake(
            _transposed("axes swapped"),
            "You have swapped the height and the width of the kernel.",
        ),
        Mistake(
            _transposed("all flipped"),
            "You flip after the merge, which turns the places within a block around "
            "as well: flip the 3 x 3 taps before it.",
        ),
        Mistake(
            _transposed("place slow"),
            "You merge in the other order: an index of 3r is tap * r + place, so the "
            "place within the block comes after the tap.",
        ),
        Mistake(
            _transposed("out first"),
            "Your first two axes are (C_out, C): a transposed convolution stores "
            "(C, C_out).",
        ),
        Mistake(
            _transposed("channels inside"),
            "You split the first axis as (r, r, C_out): PixelShuffle reads it as "
            "(C_out, r, r), so that the r * r channels of an output are neighbors.",
        ),
        Mistake(
            _transposed("places swapped"),
            "You have swapped row and column within a block: after C_out comes the "
            "row, then the column.",
        ),
        Mistake(
            _transposed("no reshape"),
            "The shape is right, the order is not: a reshape alone does not move "
            "axes; split, permute, then merge.",
        ),
        Mistake(
            _transposed("detached"),
            "The values are right, the gradient is not: do not detach weight.",
        ),
    ),
)


def _listed(answer: Any, generator: Generator) -> Iterable[tuple[Any, ...]]:
    """A set or a range holds the numbers as well as a list does."""
    collected = isinstance(answer, set | frozenset | range)
    return value_run()(sorted(answer) if collected else answer, generator)


UNREAD = Exercise(
    name="upsample/unread",
    reference=[0, 3, 4, 7, 8, 11],
    run=_listed,
    configurations=1,
    mistakes=(
        Mistake(
            [1, 2, 5, 6, 9, 10],
            "Those are the pixels that are read; the others are asked for.",
        ),
        Mistake(
            [],
            "Linear mode does not average over what it skips: each sample reads the "
            "two pixels around it, whatever the factor.",
        ),
        Mistake(
            [1, 2, 3, 5, 6, 7, 9, 10, 11],
            "That is mode nearest, which reads pixels 0, 4 and 8.",
        ),
        Mistake(
            [0, 1, 3, 4, 5, 7, 8, 9, 11],
            "Samples on pixels 2, 6 and 10 are those of mode nearest-exact, or of a "
            "forgotten - 0.5: linear mode's lie between two pixels and read both.",
        ),
        Mistake(
            [1, 2, 3, 4, 7, 8, 9, 10],
            "That is align_corners=True, whose samples lie at 0, 5.5 and 11.",
        ),
        Mistake(
            [2, 3, 6, 7, 10, 11],
            "Your samples lie at the left of each block: the default puts them at the "
            "center, at 1.5, 5.5 and 9.5.",
        ),
        Mistake(
            [0, 1, 4, 5, 8, 9],
            "Your samples lie half a pixel or more too far to the right: "
            "(i + 0.5) * 4 - 0.5 gives 1.5, 5.5 and 9.5.",
        ),
        Mistake(
            [1, 4, 5, 8, 9, 12],
            "You count from 1; pixels are counted from 0.",
        ),
        Mistake(
            [0, 3, 4, 7, 8],
            "Almost: look at the right end of the row too.",
        ),
        Mistake(
            [3, 4, 7, 8, 11],
            "Almost: look at the left end of the row as well.",
        ),
        Mistake(
            [3, 4, 7, 8],
            "Look at both ends of the row as well.",
        ),
        Mistake(
            6,
            "Right as a count; give the pixels' numbers as a list.",
        ),
    ),
)

EXERCISES = (LINEAR, AS_TRANSPOSED, UNREAD)
