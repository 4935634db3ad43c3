"""Exercises of the page basic/flatten_and_shape."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from layers_book.checking import (
    Case,
    Exercise,
    Mistake,
    call,
    distinct,
    function_run,
    value_run,
)

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
RANGES: tuple[tuple[int, dict[str, int]], ...] = (  # number of axes, arguments
    (4, {}),
    (4, {"start_dim": 1, "end_dim": 2}),
    (3, {"start_dim": 0}),
    (5, {"start_dim": 2, "end_dim": -2}),
    (4, {"start_dim": -2}),
    (3, {"start_dim": 0, "end_dim": 1}),
    (4, {"start_dim": 2, "end_dim": 2}),
    (2, {}),
)


def _ranges(generator: Generator) -> Arguments:
    """In every third configuration the last two axes of ``x`` are swapped in memory."""
    index = generator.initial_seed()
    axes, kwargs = RANGES[index % len(RANGES)]
    sizes = distinct(generator, axes)
    x = torch.randn(sizes, generator=generator, dtype=torch.float64)
    if index % 3 == 1:
        x = x.mT.contiguous().mT
    return (x.requires_grad_(),), dict(kwargs)


_flatten_cases = function_run(_ranges)


def _flatten_run(answer: Any, generator: Generator) -> Iterator[Case]:
    for case in _flatten_cases(answer, generator):
        yield Case(*case)
    x = torch.zeros(2, 3, 4)
    y = call(answer, x)
    shared = isinstance(y, Tensor) and y.data_ptr() == x.data_ptr()
    yield Case("whether the output uses the memory of a contiguous input", shared)


def _flatten(x: Tensor, start_dim: int = 1, end_dim: int = -1) -> Tensor:
    y: Tensor = nn.Flatten(start_dim, end_dim)(x)
    return y


def _flatten_wrong(wrong: str) -> Any:
    """Flatten from its rule, with one thing wrong."""

    def answer(x: Tensor, start_dim: int = 1, end_dim: int = -1) -> Tensor:
        start, end = start_dim % x.dim(), end_dim % x.dim()
        if wrong == "batch":
            start, end = 0, x.dim() - 1
        elif wrong == "arguments unused":
            start, end = 1, x.dim() - 1
        elif wrong == "end unused":
            end = x.dim() - 1
        elif wrong == "exclusive":
            end = max(end - 1, start)
        elif wrong == "negative end":
            end = end_dim
        elif wrong == "batch kept":
            start = max(start, 1)
            end = max(start, end)
        sizes = (*x.shape[:start], -1, *x.shape[end + 1 :])
        if wrong == "view":
            return x.view(sizes)
        if wrong == "backwards":
            middle = range(end, start - 1, -1)
            x = x.permute(*range(start), *middle, *range(end + 1, x.dim()))
        elif wrong == "axes left":
            sizes = (*x.shape[:start], -1, *(1,) * (end - start), *x.shape[end + 1 :])
        elif wrong == "copy":
            x = x.clone()
        elif wrong == "detached":
            x = x.detach()
        return x.reshape(sizes)

    return answer


FLATTEN = Exercise(
    name="flatten_and_shape/flatten",
    reference=_flatten,
    run=_flatten_run,
    forbid=("flatten", "ravel"),
    mistakes=(
        Mistake(
            _flatten_wrong("batch"),
            "You flatten the batch as well, into a single row of numbers: keep the "
            "axes before start_dim as they are.",
        ),
        Mistake(
            _flatten_wrong("arguments unused"),
            "You always flatten from axis 1 to the last: use start_dim and end_dim.",
        ),
        Mistake(
            _flatten_wrong("end unused"),
            "You flatten to the last axis whatever end_dim says: keep the axes after "
            "end_dim.",
        ),
        Mistake(
            _flatten_wrong("exclusive"),
            "You stop one axis early: end_dim itself is flattened too, unlike the end "
            "of a Python slice. The axes to keep are x.shape[end_dim + 1:].",
        ),
        Mistake(
            _flatten_wrong("negative end"),
            "A negative end_dim counts from the end: with end_dim = -1, "
            "x.shape[end_dim + 1:] is the whole shape. Take end_dim % x.dim() first.",
        ),
        Mistake(
            _flatten_wrong("batch kept"),
            "You never flatten axis 0; start_dim=0 asks for it.",
        ),
        Mistake(
            _flatten_wrong("view"),
            "view refuses where the numbers do not lie in memory in the order of the "
            "axes; reshape makes the copy that is needed there.",
        ),
        Mistake(
            _flatten_wrong("backwards"),
            "The shape is right, the order is not: the last of the flattened axes must "
            "run fastest. reshape does that without a permute.",
        ),
        Mistake(
            _flatten_wrong("axes left"),
            "The flattened axes must become one; you leave axes of size 1 behind.",
        ),
        Mistake(
            _flatten_wrong("copy"),
            "The values are right, but you copy even a contiguous x: reshape alone "
            "gives a view where it can.",
        ),
        Mistake(
            _flatten_wrong("detached"),
            "The output is right, the gradient is not: do not detach x.",
        ),
    ),
)


def _pictures(generator: Generator) -> Arguments:
    index = generator.initial_seed()
    r = (2, 3, 1, 2, 4, 3)[index % 6]
    n, c, height, width = distinct(generator, 4)
    c = 1 if index % 5 == 4 else c
    shape = (n, c * r * r, height, width)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    if index % 4 == 1:
        x = x.mT.contiguous().mT
    return (x.requires_grad_(), r), {}


def _pixel_shuffle(x: Tensor, r: int) -> Tensor:
    return F.pixel_shuffle(x, r)


# name: the sizes that the channels are split into, then the order of the six axes
# batch 0, channel 1, row offset 2, column offset 3, height 4, width 5
ORDERS = {
    "tiles": ("cij", (0, 1, 2, 4, 3, 5)),
    "swapped": ("cij", (0, 1, 4, 3, 5, 2)),
    "turned": ("cij", (0, 1, 5, 2, 4, 3)),
    "offset first": ("ijc", (0, 3, 4, 1, 5, 2)),
    "no permute": ("cij", (0, 1, 2, 3, 4, 5)),
    "view": ("cij", (0, 1, 4, 2, 5, 3)),
    "detached": ("cij", (0, 1, 4, 2, 5, 3)),
}


def _shuffle_wrong(wrong: str) -> Any:
    """Pixel shuffle by reshape and permute, with one thing wrong."""
    split, order = ORDERS[wrong]

    def answer(x: Tensor, r: int) -> Tensor:
        n, channels, height, width = x.shape
        c = channels // r**2
        axes = (c, r, r) if split == "cij" else (r, r, c)
        if wrong == "detached":
            x = x.detach()
        y = x.reshape(n, *axes, height, width).permute(order)
        if wrong == "turned":
            height, width = width, height
        sizes = (n, c, height * r, width * r)
        return y.view(sizes) if wrong == "view" else y.reshape(sizes)

    return answer


def _channels_kept(x: Tensor, r: int) -> Tensor:
    return x.repeat_interleave(r, dim=2).repeat_interleave(r, dim=3)


PIXEL_SHUFFLE = Exercise(
    name="flatten_and_shape/pixel_shuffle",
    reference=_pixel_shuffle,
    run=function_run(_pictures, names=("x", "r")),
    forbid=("pixel_shuffle", "pixel_unshuffle"),
    mistakes=(
        Mistake(
            _shuffle_wrong("no permute"),
            "The shape is right, the picture is scrambled: reshape moves nothing. "
            "Bring each offset beside its height or width with permute first.",
        ),
        Mistake(
            _shuffle_wrong("tiles"),
            "You put the r * r pictures side by side like tiles; their pixels must "
            "interleave. The offset comes after the height, and after the width: "
            "(N, C, H, r, W, r).",
        ),
        Mistake(
            _shuffle_wrong("swapped"),
            "Row and column offset are swapped: channel 1 goes to the right of channel "
            "0, not below it.",
        ),
        Mistake(
            _shuffle_wrong("turned"),
            "Your picture is turned on its side: the height must stay before the "
            "width.",
        ),
        Mistake(
            _shuffle_wrong("offset first"),
            "You split the channels into (r, r, C); r * r neighboring channels make "
            "one output channel, so it is (C, r, r).",
        ),
        Mistake(
            _shuffle_wrong("view"),
            "After a permute the numbers no longer lie in memory in the order of the "
            "axes, and view refuses: use reshape.",
        ),
        Mistake(
            _channels_kept,
            "You repeat each pixel and keep all channels. PixelShuffle repeats "
            "nothing: it takes the new pixels from the other channels.",
        ),
        Mistake(
            _shuffle_wrong("detached"),
            "The output is right, the gradient is not: do not detach x.",
        ),
    ),
)

IN_FEATURES = Exercise(
    name="flatten_and_shape/in_features",
    reference=120,
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            960,
            "You count the whole batch: Flatten keeps axis 0, so leave out the factor "
            "8.",
        ),
        Mistake(
            6,
            "These are the pixels of one channel: Flatten takes all 20 channels.",
        ),
        Mistake(
            72,
            "You multiply by the channels of the first convolution; the last one gives "
            "20.",
        ),
        Mistake(
            60,
            "You leave out the padding of the first convolution: it adds one row or "
            "column on each side, 48 becomes 48 + 2 - 4 = 46.",
        ),
        Mistake(
            360,
            "You leave out the stride of the second convolution: it takes every second "
            "position.",
        ),
        Mistake(
            1200,
            "You leave out the last MaxPool2d: it divides each side by 3.",
        ),
        Mistake(
            640,
            "MaxPool2d(3) moves by 3, not by 1: its stride is its kernel size unless "
            "you say otherwise.",
        ),
        Mistake(
            160,
            "You round up; pooling rounds down and drops what does not fill a window.",
        ),
        Mistake(
            180,
            "You use the height for both sides: the picture is 48 high and 32 wide.",
        ),
    ),
)

EXERCISES = (FLATTEN, PIXEL_SHUFFLE, IN_FEATURES)
