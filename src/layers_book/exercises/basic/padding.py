"""Exercises of the page basic/padding."""

from typing import Any

from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
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
            i = torch.arange(-left, n + right)
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
            "-left, n + right",
            "-right, n + left",
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

EXERCISES = (REFLECT_REPLICATE, CAUSAL, CORNER)
