"""Exercises of the page convolution/upsample."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Case,
    Exercise,
    custom_run,
    distinct,
    function_run,
    measure_run,
    signed,
    value_steps,
    varied,
)

# in and out; as many, one pixel, one sample, odd and whole factors, far apart
SIZES = ((4, 8), (7, 3), (5, 9), (6, 6), (3, 11), (9, 2), (1, 4), (8, 1), (12, 3))


def _rows(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    n, out = SIZES[index % len(SIZES)]
    x = varied(generator, *distinct(generator, 2), n).requires_grad_()
    return (x, out), {"align_corners": index % 2 == 1} if index else {}


def _linear(x: Tensor, out: int, align_corners: bool = False) -> Tensor:
    return F.interpolate(x, out, mode="linear", align_corners=align_corners)


LINEAR = Exercise(
    name="upsample/linear",
    solution="""
        def resize(x, out, align_corners=False):
            n = x.shape[-1]
            i = torch.arange(out, dtype=x.dtype, device=x.device)
            if align_corners:
                p = i * (n - 1) / max(out - 1, 1)
            else:
                p = ((i + 0.5) * n / out - 0.5).clamp(0, n - 1)
            left = p.floor().long().clamp(max=n - 1)
            right = (left + 1).clamp(max=n - 1)
            t = p - left
            return (1 - t) * x[..., left] + t * x[..., right]
    """,
    reference=_linear,
    run=function_run(_rows, names=("x", "out"), configurations=18),
    forbid=("interpolate", "upsample", "grid_sample"),
    mistakes=[
        (
            "(i + 0.5) * n / out - 0.5",
            "i * n / out",
            "Without align_corners you sample at i * L / out, the left edge of each "
            "new pixel: its center lies at (i + 0.5) * L / out - 0.5.",
        ),
        (
            "/ out - 0.5",
            "/ out",
            "Your positions are half a pixel too far to the right: subtract 0.5.",
        ),
        (
            "if align_corners",
            "if False",
            "((i + 0.5) * n / out - 0.5).clamp(0, n - 1)",
            "i * n / out",
            "left = p.floor().long().clamp(max=n - 1)",
            "left = p.floor().long().clamp(max=n - 2)",
            "right = (left + 1).clamp(max=n - 1)",
            "right = left + 1",
            "You sample at i * L / out, the left edge of each new pixel, and continue "
            "the line beyond the last pixel. Without align_corners the positions are "
            "the centers, (i + 0.5) * L / out - 0.5, clamped to 0 and L - 1.",
        ),
        (
            "* n / out",
            "* (n // out or 1)",
            "Your step is a whole number: it is L / out, which // cuts off.",
        ),
        (
            "* n / out",
            "* out / n",
            "Your step is out / L; from one sample to the next it is L / out pixels.",
        ),
        (
            "if align_corners",
            "if False",
            "You do not use align_corners: with it the positions are i * (L - 1) / "
            "(out - 1).",
        ),
        (
            "if align_corners",
            "if True",
            "You always align the corners; the default is (i + 0.5) * L / out - 0.5, "
            "clamped.",
        ),
        (
            "if align_corners",
            "if not align_corners",
            "You have swapped the rules of align_corners True and False.",
        ),
        (
            "max(out - 1, 1)",
            "out",
            "With align_corners your last sample misses the last pixel: between out "
            "samples lie out - 1 steps.",
        ),
        (
            "(n - 1) / max(out - 1, 1)",
            "n / out",
            "With align_corners the step is (L - 1) / (out - 1), not L / out.",
        ),
        (
            ".clamp(0, n - 1)",
            "",
            ".long().clamp(max=",
            ".long().clamp(0, ",
            "Beyond the border you continue the line; torch repeats the border pixel: "
            "clamp the positions to 0 and L - 1 first.",
        ),
        (
            "(i + 0.5)",
            "i",
            "You sample half a pixel to the left of each new pixel's left edge: its "
            "center lies at i + 0.5, not at i.",
        ),
        (
            "/ max(out - 1, 1)",
            "/ (out - 1) if out > 1 else i + (n - 1) / 2",
            "With align_corners and out = 1, torch puts the one sample on the first "
            "pixel, not in the middle.",
        ),
        (
            "max(out - 1, 1)",
            "(out - 1)",
            "For out = 1 you divide by out - 1 = 0: torch puts the one sample on "
            "pixel 0, as max(out - 1, 1) does.",
        ),
        (
            ".clamp(0, n - 1)",
            "",
            "return (1 - t) * x[..., left] + t * x[..., right]",
            "k = torch.arange(n, dtype=x.dtype)[:, None]\n"
            "    return x @ (1 - (k - p).abs()).clamp(min=0)",
            "Beyond the border you count zeros: torch repeats the border pixel, so "
            "that the weights always sum to 1.",
        ),
        (
            ".clamp(0, n - 1)",
            ".clamp(min=0)",
            "return (1 - t) * x[..., left] + t * x[..., right]",
            "k = torch.arange(n, dtype=x.dtype)[:, None]\n"
            "    return x @ (1 - (k - p).abs()).clamp(min=0)",
            "Right of the last pixel you count zeros: torch repeats the border pixel, "
            "so clamp the positions to L - 1 as well.",
        ),
        (
            "    if align_corners:",
            "    if n > out and n % out == 0 and not align_corners:\n"
            "        return x.unflatten(-1, (out, -1)).mean(-1)\n"
            "    if align_corners:",
            "You average whole blocks where L is a multiple of out: linear mode reads "
            "two pixels a sample, whatever the factor.",
        ),
        (
            ", dtype=x.dtype",
            "",
            "Your positions are float32: give torch.arange dtype=x.dtype.",
        ),
        (
            ".clamp(0, n - 1)",
            ".clamp(max=n - 1)",
            "At the border you take the pixel from the other end; torch repeats the "
            "border pixel. A negative index counts from the end in Python.",
        ),
        (
            "(1 - t) * x[..., left] + t *",
            "t * x[..., left] + (1 - t) *",
            "You have swapped the weights: the nearer pixel counts more.",
        ),
        (
            "(1 - t) * x[..., left] + t * x[..., right]",
            "x[..., left]",
            "You take the pixel on the left alone: add the one on the right, with the "
            "weight that the floor cut off.",
        ),
        (
            "t = p - left",
            "t = (p - left >= 0.5).to(x)",
            "You take the nearest pixel: linear mode mixes the two neighbors.",
        ),
        (
            "t = p - left",
            "t = 0.5 * (p > left)",
            "You give both neighbors one half: the nearer one counts more.",
        ),
        (
            "n = x.shape[-1]",
            "x = x.movedim(0, -1)\n    n = x.shape[-1]",
            "(1 - t) * x[..., left] + t * x[..., right]",
            "((1 - t) * x[..., left] + t * x[..., right]).movedim(-1, 0)",
            "You resize the first axis; resize the last one, L.",
        ),
        (
            "x[...",
            "x.detach()[...",
            "The output is right, the gradient is not: do not detach x.",
        ),
    ],
)


def _kernels(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    r = (2, 3, 1, 4)[index % 4]
    outputs, channels = distinct(generator, 2)
    weight = signed(generator, outputs * r * r, channels, 3, 3).requires_grad_()
    return (weight, r), {}


def _shuffled(weight: Tensor, r: int) -> Tensor:
    """What each pixel of a large enough picture writes: the transposed kernel."""
    channels = weight.shape[1]
    pixels = torch.zeros(channels, channels, 3, 3, dtype=weight.dtype)
    pixels[range(channels), range(channels), 1, 1] = 1
    return F.pixel_shuffle(F.conv2d(pixels, weight, padding=1), r)


AS_TRANSPOSED = Exercise(
    name="upsample/as_transposed",
    solution="""
        def as_transposed(weight, r):
            C_out, C = weight.shape[0] // r**2, weight.shape[1]
            w = weight.view(C_out, r, r, C, 3, 3).flip(-1, -2)
            w = w.permute(3, 0, 4, 1, 5, 2)  # (C, C_out, entry, place, entry, place)
            return w.reshape(C, C_out, 3 * r, 3 * r)
    """,
    reference=_shuffled,
    run=function_run(_kernels, names=("weight", "r")),
    forbid=("conv",),
    mistakes=[
        (
            ".flip(-1, -2)",
            "",
            "You do not flip the kernel: a convolution's first entry reads on the "
            "left, a transposed convolution's first entry writes on the left.",
        ),
        (
            ".flip(-1, -2)",
            ".flip(-1)",
            "You flip the kernel along the width only: flip both axes.",
        ),
        (
            ".flip(-1, -2)",
            ".flip(-2)",
            "You flip the kernel along the height only: flip both axes.",
        ),
        (
            "3 * r)",
            "3 * r).mT",
            "You have swapped the height and the width of the kernel.",
        ),
        (
            ".flip(-1, -2)",
            "",
            "3 * r)",
            "3 * r).flip(-1, -2)",
            "You flip after the merge, which turns the places within a block around "
            "as well: flip the 3 x 3 entries before it.",
        ),
        (
            "3, 0, 4, 1, 5, 2",
            "3, 0, 1, 4, 2, 5",
            "You merge in the other order: an index of 3r is entry * r + place, so the "
            "place within the block comes after the entry.",
        ),
        (
            "(3, 0,",
            "(0, 3,",
            "(C, C_out, 3",
            "(C_out, C, 3",
            "Your first two axes are (C_out, C): a transposed convolution stores (C, "
            "C_out).",
        ),
        (
            "C_out, r, r, C",
            "r, r, C_out, C",
            "3, 0, 4, 1, 5, 2",
            "3, 2, 4, 0, 5, 1",
            "You split the first axis as (r, r, C_out): PixelShuffle reads it as "
            "(C_out, r, r), so that the r * r channels of an output are neighbors.",
        ),
        (
            "3, 0, 4, 1, 5, 2",
            "3, 0, 4, 2, 5, 1",
            "You have swapped row and column within a block: after C_out comes the "
            "row, then the column.",
        ),
        (
            "return w",
            "return weight.flip(-1, -2)",
            "The shape is right, the order is not: a reshape alone does not move "
            "axes; split, permute, then merge.",
        ),
        (
            "weight.view",
            "weight.detach().view",
            "The values are right, the gradient is not: do not detach weight.",
        ),
    ],
)


def _numbers(answer: Any) -> Iterator[Case]:
    """The order is free, and a set or a range holds numbers as well as a list does."""
    answer = answer.tolist() if hasattr(answer, "tolist") else answer
    several = isinstance(answer, (list, tuple, set, frozenset, range))
    if several and all(isinstance(n, (int, float)) for n in answer):
        answer = sorted(answer)
    for case in value_steps(answer):
        yield Case(case.kind, case.name, case.where, case.value, 1e-3)


UNREAD = Exercise(
    name="upsample/unread",
    solution="unread = [0, 3, 4, 7, 8, 11]",
    run=custom_run(_numbers, configurations=1),
    mistakes=[
        (
            [1, 2, 5, 6, 9, 10],
            "Those are the pixels that are read; the others are asked for.",
        ),
        (
            [],
            "Linear mode does not average over what it skips: each sample reads the "
            "two pixels around it, whatever the factor.",
        ),
        (
            [1, 2, 3, 5, 6, 7, 9, 10, 11],
            "That is mode nearest, which reads pixels 0, 4 and 8.",
        ),
        (
            [0, 1, 3, 4, 5, 7, 8, 9, 11],
            "Samples on pixels 2, 6 and 10 are those of mode nearest-exact, or of a "
            "forgotten - 0.5: linear mode's lie between two pixels and read both.",
        ),
        (
            [1, 2, 3, 4, 7, 8, 9, 10],
            "That is align_corners=True, whose samples lie at 0, 5.5 and 11.",
        ),
        (
            [2, 3, 6, 7, 10, 11],
            "Your samples lie at the left of each block: the default puts them at the "
            "center, at 1.5, 5.5 and 9.5.",
        ),
        (
            [0, 1, 4, 5, 8, 9],
            "Your samples lie half a pixel or more too far to the right: (i + 0.5) * "
            "4 - 0.5 gives 1.5, 5.5 and 9.5.",
        ),
        ([1, 4, 5, 8, 9, 12], "You count from 1; pixels are counted from 0."),
        ([0, 3, 4, 7, 8], "Almost: look at the right end of the row too."),
        ([3, 4, 7, 8, 11], "Almost: look at the left end of the row as well."),
        ([3, 4, 7, 8], "Look at both ends of the row as well."),
        (6, "Right as a count; give the pixels' numbers as a list."),
    ],
)

FACTORS = (1.5, 1.0, 3.0, 2.0, 1.25, 4.0)


def _pictures(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    n, c, h, w = distinct(generator, 4, 3)
    n, c = 1 if index == 4 else n, 1 if index == 5 else c
    x = varied(generator, n, c, h, w).requires_grad_()
    return (x, FACTORS[index % len(FACTORS)]), {}


ZOOM = Exercise(
    name="upsample/zoom",
    solution="""
        def zoom(x, factor):
            theta = torch.eye(2, 3).to(x) / factor
            theta = theta.expand(len(x), 2, 3)  # (N, 2, 3)
            grid = F.affine_grid(theta, x.shape, align_corners=False)
            return F.grid_sample(x, grid, align_corners=False)
    """,
    run=function_run(_pictures, names=("x", "factor"), configurations=12),
    mistakes=[
        (
            "x.shape, align_corners=False",
            "x.shape, align_corners=True",
            "At factor 1 the picture comes back a little shrunk, darker at its border: "
            "the places are made by one rule and read by the other. Give both calls "
            "the same align_corners.",
        ),
        (
            "grid, align_corners=False",
            "grid, align_corners=True",
            "At factor 1 the picture comes back a little enlarged: grid_sample takes "
            "-1 and 1 for the centers of the corner pixels, affine_grid for the "
            "picture's edges.",
        ),
        (
            "/ factor",
            "* factor",
            "Your picture becomes smaller: theta leads from new places to old ones, so "
            "that a larger picture takes 1 / factor.",
        ),
        (
            "/ factor",
            "/ torch.tensor([[factor], [1.0]]).to(x)",
            "You enlarge along the width only; the second row of theta is the height.",
        ),
        (
            "/ factor",
            "/ torch.tensor([[1.0], [factor]]).to(x)",
            "You enlarge along the height only; the first row of theta is the width.",
        ),
        (
            "theta = theta.expand",
            "theta[:, 2] = 1 / factor - 1\n    theta = theta.expand",
            "You enlarge the upper left corner; the middle stays in its place where "
            "the last column of theta is 0.",
        ),
        (
            "F.grid_sample(x, grid,",
            "F.grid_sample(x, grid, mode='nearest',",
            "You take the nearest pixel of each place; mix its four neighbors, as the "
            "default mode, bilinear, does.",
        ),
        (
            "F.grid_sample(x, grid,",
            "F.grid_sample(x, grid, mode='bicubic',",
            "You mix sixteen pixels, by cubic weights; the default mode, bilinear, is "
            "asked for.",
        ),
        (
            "/ factor",
            "/ factor**2",
            "You enlarge by the square of factor: each axis grows by factor.",
        ),
        (
            "F.grid_sample(x,",
            "F.grid_sample(x.detach(),",
            "The picture is right, its gradient is not: do not detach x.",
        ),
    ],
)

MOVED = Exercise(
    name="upsample/moved_by_one",
    setup="""
        def change(small, moved):  # relative to the spread of the small pictures
            return ((moved - small).std() / small.std()).item()
    """,
    solution="""
        def of_seed(seed, antialias):
            draw = torch.Generator().manual_seed(seed)
            x = torch.randn(20, 1, 32, 32, generator=draw)
            flags = {"mode": "bilinear", "antialias": antialias}
            small = F.interpolate(x, (8, 8), **flags)
            return change(small, F.interpolate(x.roll(1, 3), (8, 8), **flags))


        plain = [of_seed(seed, False) for seed in range(8)]
        smooth = [of_seed(seed, True) for seed in range(8)]
        d = torch.tensor(plain) - torch.tensor(smooth)  # (seeds,)
        answer = d.mean().item(), (d.std() / len(d) ** 0.5).item()
    """,
    run=measure_run("plain", "smooth"),
    mistakes=[
        (
            "x.roll(1, 3)",
            "x.roll(4, 3)",
            "You move the large pictures by four pixels, which is a whole pixel of the "
            "small ones: move them by one.",
        ),
        (
            "x.roll(1, 3)",
            "x.roll(1, 0)",
            "You move the pictures along the batch, so that others are compared; "
            "columns are axis 3.",
        ),
        (
            "(8, 8)",
            "(16, 16)",
            "Your small pictures are half as high and wide as the large ones; make "
            "them a quarter, 8 x 8.",
        ),
        (
            "return change(small, F.interpolate(x.roll(1, 3), (8, 8), **flags))",
            "return change(small, small.roll(1, 3))",
            "You move the small pictures; move the large ones, then shrink them again.",
        ),
        (
            '"bilinear"',
            '"bicubic"',
            "You shrink by bicubic; take bilinear, without and with antialias.",
        ),
    ],
)

EXERCISES = (UNREAD, ZOOM, LINEAR, MOVED, AS_TRANSPOSED)
