"""Exercises of the page basic/flatten_and_shape."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    call,
    custom_run,
    distinct,
    function_run,
    function_steps,
    measure_run,
    value_run,
)

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


def _ranges(generator: Generator) -> dict[str, Any]:
    """In every third configuration the last two axes of ``x`` are swapped in memory."""
    index = generator.initial_seed()
    axes, kwargs = RANGES[index % len(RANGES)]
    sizes = distinct(generator, axes)
    x = torch.randn(sizes, generator=generator, dtype=torch.float64)
    if index % 3 == 1:
        x = x.mT.contiguous().mT
    return {
        "args": (x.requires_grad_(),),
        "kwargs": dict(kwargs),
        "contiguous": torch.zeros(2, 3, 4),
    }


def _flatten_steps(
    answer: Any, args: Any, kwargs: dict[str, Any], contiguous: Tensor
) -> Iterator[Any]:
    yield from function_steps(answer, args, kwargs)
    y = call(answer, contiguous)
    shared = isinstance(y, Tensor) and y.data_ptr() == contiguous.data_ptr()
    yield "whether the output uses the memory of a contiguous input", shared


def _layer(x: Tensor, start_dim: int = 1, end_dim: int = -1) -> Any:
    return nn.Flatten(start_dim, end_dim)(x)


FLATTEN = Exercise(
    name="flatten_and_shape/flatten",
    solution="""
        def flatten(x, start_dim=1, end_dim=-1):
            start, end = start_dim % x.dim(), end_dim % x.dim()
            return x.reshape(*x.shape[:start], -1, *x.shape[end + 1 :])
    """,
    reference=_layer,
    run=custom_run(_flatten_steps, _ranges),
    forbid=("flatten", "ravel"),
    mistakes=[
        (
            "x.reshape(*x.shape[:start], -1, *x.shape[end + 1 :])",
            "x.reshape(-1)",
            "You flatten the batch as well, into a single row of numbers: keep the "
            "axes before start_dim as they are.",
        ),
        (
            "start_dim % x.dim(), end_dim % x.dim()",
            "1, x.dim() - 1",
            "You always flatten from axis 1 to the last: use start_dim and end_dim.",
        ),
        (
            ", *x.shape[end + 1 :]",
            "",
            "You flatten to the last axis whatever end_dim says: keep the axes after "
            "end_dim.",
        ),
        (
            "end + 1 :",
            "max(end, start + 1) :",
            "You stop one axis early: end_dim itself is flattened too, unlike the end "
            "of a Python slice. The axes to keep are x.shape[end_dim + 1:].",
        ),
        (
            "end_dim % x.dim()",
            "end_dim",
            "A negative end_dim counts from the end: with end_dim = -1, "
            "x.shape[end_dim + 1:] is the whole shape. Take end_dim % x.dim() first.",
        ),
        (
            "start_dim % x.dim()",
            "max(start_dim % x.dim(), 1)",
            "You never flatten axis 0; start_dim=0 asks for it.",
        ),
        (
            "reshape",
            "view",
            "view refuses where the numbers do not lie in memory in the order of the "
            "axes; reshape makes the copy that is needed there.",
        ),
        (
            "    return x",
            "    middle = range(end, start - 1, -1)\n"
            "    x = x.permute(*range(start), *middle, *range(end + 1, x.dim()))\n"
            "    return x",
            "The shape is right, the order is not: the last of the flattened axes must "
            "run fastest. reshape does that without a permute.",
        ),
        (
            "-1, *",
            "-1, *[1] * (end - start), *",
            "The flattened axes must become one; you leave axes of size 1 behind.",
        ),
        (
            "x.reshape",
            "x.clone().reshape",
            "The values are right, but you copy even a contiguous x: reshape alone "
            "gives a view where it can.",
        ),
        (
            "x.reshape",
            "x.detach().reshape",
            "The output is right, the gradient is not: do not detach x.",
        ),
    ],
)


def _pictures(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    r = (2, 3, 1, 2, 4, 3)[index % 6]
    n, c, height, width = distinct(generator, 4)
    c = 1 if index % 5 == 4 else c
    shape = (n, c * r * r, height, width)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    if index % 4 == 1:
        x = x.mT.contiguous().mT
    return (x.requires_grad_(), r), {}


PIXEL_SHUFFLE = Exercise(
    name="flatten_and_shape/pixel_shuffle",
    solution="""
        def pixel_shuffle(x, r):
            n, channels, height, width = x.shape
            c = channels // r**2
            x = x.reshape(n, c, r, r, height, width)  # (N, C, i, j, H, W)
            x = x.permute(0, 1, 4, 2, 5, 3)  # (N, C, H, i, W, j)
            return x.reshape(n, c, height * r, width * r)
    """,
    reference=F.pixel_shuffle,
    run=function_run(_pictures, names=("x", "r")),
    forbid=("pixel_shuffle", "pixel_unshuffle"),
    mistakes=[
        (
            "permute(0, 1, 4, 2, 5, 3)",
            "permute(0, 1, 2, 3, 4, 5)",
            "The shape is right, the picture is scrambled: reshape moves nothing. "
            "Bring each offset beside its height or width with permute first.",
        ),
        (
            "permute(0, 1, 4, 2, 5, 3)",
            "permute(0, 1, 2, 4, 3, 5)",
            "You put the r * r pictures side by side like tiles; their pixels must "
            "interleave. The offset comes after the height, and after the width: (N, "
            "C, H, r, W, r).",
        ),
        (
            "permute(0, 1, 4, 2, 5, 3)",
            "permute(0, 1, 4, 3, 5, 2)",
            "Row and column offset are swapped: channel 1 goes to the right of channel "
            "0, not below it.",
        ),
        (
            "permute(0, 1, 4, 2, 5, 3)",
            "permute(0, 1, 5, 2, 4, 3)",
            "height * r, width * r",
            "width * r, height * r",
            "Your picture is turned on its side: the height must stay before the "
            "width.",
        ),
        (
            "c, r, r,",
            "r, r, c,",
            "permute(0, 1, 4, 2, 5, 3)",
            "permute(0, 3, 4, 1, 5, 2)",
            "You split the channels into (r, r, C); r * r neighboring channels make "
            "one output channel, so it is (C, r, r).",
        ),
        (
            "return x.reshape",
            "return x.view",
            "After a permute the numbers no longer lie in memory in the order of the "
            "axes, and view refuses: use reshape.",
        ),
        (
            """
            def pixel_shuffle(x, r):
                return x.repeat_interleave(r, dim=2).repeat_interleave(r, dim=3)
            """,
            "You repeat each pixel and keep all channels. PixelShuffle repeats "
            "nothing: it takes the new pixels from the other channels.",
        ),
        (
            "return x.",
            "return x.detach().",
            "The output is right, the gradient is not: do not detach x.",
        ),
    ],
)

IN_FEATURES = Exercise(
    name="flatten_and_shape/in_features",
    solution="""
        stack = nn.Sequential(
            nn.Conv2d(3, 12, 5, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 20, 5, stride=2), nn.ReLU(), nn.MaxPool2d(3), nn.Flatten(),
        )
        in_features = output_shape(stack, (8, 3, 48, 32))[1]
    """,
    setup="from helpers import output_shape",
    reference=120,
    run=value_run(),
    mistakes=[
        (
            960,
            "You count the whole batch: Flatten keeps axis 0, so leave out the factor "
            "8.",
        ),
        (6, "These are the pixels of one channel: Flatten takes all 20 channels."),
        (
            72,
            "You multiply by the channels of the first convolution; the last one gives "
            "20.",
        ),
        (
            60,
            "You leave out the padding of the first convolution: it adds one row or "
            "column on each side, 48 becomes 48 + 2 - 4 = 46.",
        ),
        (
            360,
            "You leave out the stride of the second convolution: it takes every second "
            "position.",
        ),
        (1200, "You leave out the last MaxPool2d: it divides each side by 3."),
        (
            640,
            "MaxPool2d(3) moves by 3, not by 1: its stride is its kernel size unless "
            "you say otherwise.",
        ),
        (
            160,
            "You round up; pooling rounds down and drops what does not fill a window.",
        ),
        (180, "You use the height for both sides: the picture is 48 high and 32 wide."),
    ],
)


def _photographs(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    p = (2, 3, 4, 2, 1)[index % 5]
    n, c, down, across = distinct(generator, 4)
    shape = (n, c, down * p, across * p)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    if index % 4 == 1:
        x = x.mT.contiguous().mT
    return (x.requires_grad_(), p), {}


PATCHES = Exercise(
    name="flatten_and_shape/patches",
    solution="""
        def patches(x, p):  # (N, C, H, W) -> (N, patches, C * p * p)
            n, c, height, width = x.shape
            x = x.reshape(n, c, height // p, p, width // p, p)  # (N, C, a, i, b, j)
            x = x.permute(0, 2, 4, 1, 3, 5)  # (N, a, b, C, i, j)
            return x.reshape(n, height // p * (width // p), c * p * p)
    """,
    run=function_run(_photographs, names=("x", "p")),
    mistakes=[
        (
            "    x = x.permute(0, 2, 4, 1, 3, 5)  # (N, a, b, C, i, j)\n",
            "",
            "The shape is right, but your patches are strips of pixels in the order of "
            "memory: split H and W first, then permute, then merge.",
        ),
        (
            "permute(0, 2, 4, 1, 3, 5)",
            "permute(0, 4, 2, 1, 3, 5)",
            "Your patches come column by column; they come row by row, so a is slower "
            "than b.",
        ),
        (
            "permute(0, 2, 4, 1, 3, 5)",
            "permute(0, 2, 4, 3, 5, 1)",
            "In your patches the channel is fastest; it is slowest here: (C, i, j).",
        ),
        (
            "permute(0, 2, 4, 1, 3, 5)",
            "permute(0, 2, 4, 1, 5, 3)",
            "Each of your patches is turned on its side: i comes before j.",
        ),
        (
            "permute(0, 2, 4, 1, 3, 5)",
            "permute(0, 3, 5, 1, 2, 4)",
            "You take every p-th pixel of the whole picture: a patch keeps i and j, "
            "the places within it, together.",
        ),
        (
            "    return x.reshape",
            "    return x.detach().reshape",
            "The output is right, the gradient is not: do not detach x.",
        ),
    ],
)

SHIFTED = Exercise(
    name="flatten_and_shape/shifted",
    setup="""
        from helpers import digits

        x_train, y_train, x_test, y_test = digits()


        def flat_first():
            return nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).double()


        def train(net, optimizer, x, y, number):
            for _ in range(number):
                i = torch.randint(len(x), (100,))
                optimizer.zero_grad()
                F.cross_entropy(net(x[i]), y[i]).backward()
                optimizer.step()
    """,
    solution="""
        shifted, plain = [], []
        for seed in range(8):
            torch.manual_seed(seed)
            net = flat_first()
            optimizer = torch.optim.Adam(net.parameters(), 0.01)
            train(net, optimizer, x_train, y_train, 50)
            for x, found in ((x_test.roll(1, 3), shifted), (x_test, plain)):
                right = net(x).argmax(1) == y_test
                found.append(100 * right.double().mean().item())
        difference = torch.tensor(shifted) - torch.tensor(plain)
        answer = difference.mean(), difference.std() / 8**0.5
    """,
    run=measure_run("shifted", "plain"),
    mistakes=[
        (
            "roll(1, 3)",
            "roll(1, 2)",
            "You move the pictures down; to the right is along the width, axis 3.",
        ),
        (
            "roll(1, 3)",
            "roll(-1, 3)",
            "You move the pictures to the left: roll(1, 3) moves them to the right.",
        ),
        (
            "train(net, optimizer, x_train, y_train, 50)",
            "train(net, optimizer, x_train.roll(1, 3), y_train, 50)",
            "You train on moved pictures too: train on x_train as it is.",
        ),
    ],
)

EXERCISES = (IN_FEATURES, FLATTEN, PATCHES, PIXEL_SHUFFLE, SHIFTED)
