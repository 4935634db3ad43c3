"""Exercises of the page basic/padding."""

from typing import Any

from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    measure_run,
    signed,
    value_run,
    varied,
)

WIDTHS = ((2, 1), (1, 3), (3, 0), (0, 2), (0, 0), (4, 2))


def _strips(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """One to three axes; in turn reflect and replicate, with different widths."""
    index = generator.initial_seed()
    sizes = [*distinct(generator, index % 3), 5 + index % 4]
    x = varied(generator, *sizes, axis=0).requires_grad_()
    mode = ("reflect", "replicate")[(index + index // 6) % 2]
    return (x, *WIDTHS[index % 6], mode), {}


def _torchs_pad(x: Tensor, left: int, right: int, mode: str) -> Tensor:
    """Padding of the last axis, from torch, for any number of axes."""
    y = x.reshape(1, -1, x.shape[-1])
    return F.pad(y, (left, right), mode).view(*x.shape[:-1], -1)


MIRROR = "n - 1 - (n - 1 - i.abs()).abs()"
BRANCH = f'    if mode == "reflect":\n        i = {MIRROR}\n'

REFLECT_REPLICATE = Exercise(
    name="padding/reflect_replicate",
    solution="""
        def pad(x, left, right, mode):
            n = x.shape[-1]
            i = torch.arange(-left, n + right, device=x.device)
            if mode == "reflect":
                i = n - 1 - (n - 1 - i.abs()).abs()
            return x[..., i.clamp(0, n - 1)]
    """,
    reference=_torchs_pad,
    run=function_run(_strips, names=("x", "left", "right", "mode")),
    forbid=("pad",),
    mistakes=[
        (
            MIRROR,
            "torch.where(i < 0, -1 - i, torch.where(i >= n, 2 * n - 1 - i, i))",
            "Your reflection repeats the border pixel: the border is the mirror, so "
            "position -1 is pixel 1, not pixel 0.",
        ),
        (
            MIRROR,
            "torch.where(i < 0, 1 - i, torch.where(i >= n, 2 * n - 3 - i, i))",
            "Your reflection starts one pixel too far inside: position -1 is pixel 1, "
            "and position n is pixel n - 2.",
        ),
        (
            MIRROR,
            "torch.where(i < 0, i + left + 1, torch.where(i >= n, i - right - 1, i))",
            "You copy the right pixels for the reflection, but in their old order: a "
            "mirror turns them around, flip(-1).",
        ),
        (
            MIRROR,
            "i.abs()",
            "Your reflection works on the left only; on the right, distances from n - "
            "1 must change their sign as well.",
        ),
        (
            "-left, n + right,",
            "-right, n + left,",
            "You have swapped the sides: the first width belongs to the left, before "
            "index 0.",
        ),
        (
            "n + right",
            "n + left",
            "You pad both sides by left: the other side has its own width, right.",
        ),
        (
            '"reflect"',
            '"replicate"',
            "You have swapped the modes: replicate repeats the border pixel, reflect "
            "walks back into the strip.",
        ),
        (BRANCH, "", "You replicate whatever the mode: look at the argument mode."),
        (
            BRANCH,
            "",
            "i.clamp(0, n - 1)",
            "i % n",
            "You continue on the other side, which is circular padding. A negative "
            "index counts from the end in Python, so it raises no error.",
        ),
        (
            BRANCH,
            "",
            "clamp(0, n - 1)]",
            "clamp(0, n - 1)] * ((i >= 0) & (i < n))",
            "You pad with zeros: both modes copy pixels of the strip.",
        ),
        (
            "n + right",
            "n + right + 1",
            "Your result is one too long: the last position is n + right - 1, and "
            "torch.arange(-left, n + right) leaves its end out already.",
        ),
        (
            "x.shape[-1]",
            "len(x)",
            "x[..., ",
            "x[",
            "You pad the first axis; pad the last one: n = x.shape[-1] and x[..., i].",
        ),
        (
            "x[",
            "x.detach()[",
            "The output is right, the gradient is not: index x itself, not a detached "
            "copy or its data.",
        ),
    ],
)


def _signals(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    n, channels, outputs = distinct(generator, 3)
    k, dilation = (3, 2, 4, 1)[index % 4], (1, 2, 3)[index % 3]
    x = signed(generator, n, channels, 9 + index).requires_grad_()
    weight = signed(generator, outputs, channels, k).requires_grad_()
    bias = signed(generator, outputs).requires_grad_()
    return (x, weight, bias), {"dilation": dilation} if index % 3 else {}


CAUSAL = Exercise(
    name="padding/causal",
    solution="""
        def causal_conv(x, weight, bias, dilation=1):
            left = (weight.shape[-1] - 1) * dilation
            return F.conv1d(F.pad(x, (left, 0)), weight, bias, dilation=dilation)
    """,
    run=function_run(_signals),
    mistakes=[
        (
            "(left, 0)",
            "(left // 2, left - left // 2)",
            "You pad both sides, so half of the kernel lies in the future: put all of "
            "the padding on the left.",
        ),
        (
            "(left, 0)",
            "(0, left)",
            "Your output sees only the present and the future: pad on the left, "
            "F.pad(x, (left, 0)). If you pad both sides, keep the first L outputs.",
        ),
        (
            "(left, 0)",
            "(left, left)",
            "Your output is too long: pad on the left only, or cut the end off.",
        ),
        (
            "return F.conv1d(F.pad(x, (left, 0)), weight, bias, dilation=dilation)",
            "y = F.conv1d(x, weight, bias, padding=left, dilation=dilation)\n"
            "    return y[..., :-left]",
            "With a kernel of size 1 there is nothing to cut off, and y[..., :-0] is "
            "empty: cut with y[..., : x.shape[-1]].",
        ),
        (
            "(weight.shape[-1] - 1)",
            "weight.shape[-1]",
            "You pad too much: a kernel of k entries needs (k - 1) * dilation zeros.",
        ),
        (
            " * dilation",
            "",
            "Your width forgets the dilation: it is (k - 1) * dilation.",
        ),
        (
            " * dilation",
            "",
            ", dilation=dilation",
            "",
            "You do not use dilation: both the width and F.conv1d need it.",
        ),
        (
            ", dilation=dilation",
            "",
            "Your width knows the dilation, F.conv1d does not: pass dilation=dilation.",
        ),
        (
            "F.pad(x, (left, 0))",
            "F.pad(x[..., :-1], (left + 1, 0))",
            "Your output lags by one step: time t itself may be seen.",
        ),
        (
            "(left, 0)",
            '(left, 0), "replicate"',
            "You repeat the first sample; what lies before the start counts as 0.",
        ),
        (
            ")), weight",
            ")), weight.flip(-1)",
            "You flip the kernel: torch's convolutions do not, the last entry of "
            "weight meets the present as it is.",
        ),
        ("bias, dilation=dilation", "dilation=dilation", "You do not add bias."),
        (
            "F.pad(x, (left, 0))",
            "x",
            "You do not pad, so the output is too short: put (k - 1) * dilation zeros "
            "on the left.",
        ),
        (
            "F.pad(x",
            "F.pad(x.detach()",
            "The output is right, the gradient is not: do not detach x.",
        ),
    ],
)

CORNER = Exercise(
    name="padding/corner",
    solution="""
        first_row = [6, 5, 4, 5, 6]
    """,
    run=value_run(),
    mistakes=[
        (
            [2, 1, 1, 2, 3],
            "You repeat the border, in the row and in the column: in a reflection the "
            "border is the mirror and appears once.",
        ),
        (
            [1, 1, 1, 2, 3],
            "That is ReplicationPad2d: a reflection walks back into the picture.",
        ),
        ([8, 9, 7, 8, 9], "That is CircularPad2d: a reflection stays on its own side."),
        ([0, 0, 0, 0, 0], "That is ZeroPad2d: a reflection copies pixels."),
        (
            [8, 7, 8, 9],
            "You read the tuple from the first axis: it starts with the last one, left "
            "and right, and only then come top and bottom.",
        ),
        (
            [3, 2, 1, 2, 3],
            "That is the second row of the output: there is one more row on top.",
        ),
        (
            [4, 5, 6, 5, 4],
            "You pad on the right: the first number of the tuple is the left side.",
        ),
        (
            [5, 4, 4, 5, 6],
            "The row is the right one, but on the left you repeat its border pixel 4.",
        ),
        ([4, 5, 6], "The row is the right one; it still needs two pixels on the left."),
    ],
)


def _photographs(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    n, channels, height, width = distinct(generator, 4)
    x = varied(generator, n, channels, height + 1, width + 2, axis=0) + 1
    return (x.requires_grad_(),), {}


BLUR = Exercise(
    name="padding/blur",
    solution="""
        def blur(x):
            total = F.avg_pool2d(x, 3, stride=1, padding=1)
            there = F.avg_pool2d(torch.ones_like(x), 3, stride=1, padding=1)
            return total / there
    """,
    run=function_run(_photographs, names=("x",)),
    mistakes=[
        (
            "total / there",
            "total",
            "The edges are too dark: you divide by nine everywhere, and count the "
            "zeros of the frame as pixels.",
        ),
        (
            """
            def blur(x):
                x = F.pad(x, (1, 1, 1, 1), "replicate")
                return F.avg_pool2d(x, 3, stride=1)
            """,
            "You repeat the border, so its pixels count twice and more: divide by the "
            "number of pixels that exist.",
        ),
        (
            """
            def blur(x):
                x = F.pad(x, (1, 1, 1, 1), "reflect")
                return F.avg_pool2d(x, 3, stride=1)
            """,
            "You mirror the picture, so the pixels beside the border count twice: "
            "divide by the number of pixels that exist.",
        ),
        (
            "total / there",
            "total * there",
            "You multiply by the share of pixels that exist, which makes the edges "
            "darker still: divide by it.",
        ),
        (
            """
            def blur(x):
                return F.avg_pool2d(x, 3, stride=1)
            """,
            "Your output has lost its border: it is as large as the input.",
        ),
        (
            "total / there",
            "9 * total",
            "You do not divide at all: each output is a mean.",
        ),
        (
            "total / there",
            "(total / there).detach()",
            "The output is right, the gradient is not: do not detach it.",
        ),
    ],
)

INVERTED = Exercise(
    name="padding/inverted",
    setup="""
        from helpers import digits

        images = torch.cat(digits()[::2])
        box = torch.full((1, 1, 3, 3), 1 / 9).double()


        def world(name, seed):
            generator = torch.Generator().manual_seed(seed)
            if name == "digits":
                return images[torch.randperm(len(images), generator=generator)[:300]]
            x = torch.randn(300, 1, 16, 16, generator=generator, dtype=torch.float64)
            for _ in range(0 if name == "noise" else 4):
                x = F.conv2d(F.pad(x, (1,) * 4, "circular"), box)
            return (
                F.pad(x, (1,) * 4, "circular") if name == "tiles" else x[..., :12, :12]
            )


        def border_error(full, mode):
            truth = F.conv2d(full, box)
            guessed = F.conv2d(F.pad(full[..., 1:-1, 1:-1], (1, 1, 1, 1), mode), box)
            border = torch.ones(truth.shape, dtype=torch.bool)
            border[..., 1:-1, 1:-1] = False
            off = (guessed - truth)[border]
            return (off.square().mean().sqrt() / truth[border].std()).item()
    """,
    solution="""
        inverted, plain = [], []
        for seed in range(8):
            full = world("digits", seed)
            inverted.append(border_error(1 - full, "constant"))
            plain.append(border_error(full, "constant"))
        difference = torch.tensor(inverted) - torch.tensor(plain)
        answer = difference.mean(), difference.std() / 8**0.5
    """,
    run=measure_run("inverted", "plain"),
    mistakes=[
        (
            'border_error(full, "constant")',
            'border_error(full, "replicate")',
            "You compare two modes: the frame is one of zeros, the mode constant, for "
            "both.",
        ),
        (
            "1 - full",
            "-full",
            "You turn the sign, and black stays 0: inverted is 1 - full.",
        ),
    ],
)

EXERCISES = (CORNER, REFLECT_REPLICATE, BLUR, CAUSAL, INVERTED)
