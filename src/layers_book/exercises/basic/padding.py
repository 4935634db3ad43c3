"""Exercises of the page basic/padding."""

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

WIDTHS = ((2, 1), (1, 3), (3, 0), (0, 2), (0, 0), (4, 2))


def _strips(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """One to three axes; in turn reflect and replicate, with different widths."""
    index = generator.initial_seed()
    sizes = [*distinct(generator, index % 3), 5 + index % 4]
    x = varied(generator, *sizes, axis=0).requires_grad_()
    mode = ("reflect", "replicate")[(index + index // 6) % 2]
    return (x, *WIDTHS[index % 6], mode), {}


def _indices(left: int, right: int, n: int, mode: str) -> Tensor:
    i = torch.arange(-left, n + right)
    if mode == "reflect":
        i = n - 1 - (n - 1 - i.abs()).abs()
    return i.clamp(0, n - 1)


def _pad(x: Tensor, left: int, right: int, mode: str) -> Tensor:
    """Padding of the last axis, from torch, for any number of axes."""
    y = x.reshape(1, -1, x.shape[-1])
    return F.pad(y, (left, right), mode).view(*x.shape[:-1], -1)


def _wrong_pad(wrong: str) -> Any:
    def answer(x: Tensor, left: int, right: int, mode: str) -> Tensor:
        n = x.shape[-1]
        i = torch.arange(-left, n + right)
        outside = (i < 0) | (i >= n)
        reflect = mode == "reflect"
        if wrong == "sides":
            return x[..., _indices(right, left, n, mode)]
        if wrong == "left twice":
            return x[..., _indices(left, left, n, mode)]
        if wrong == "modes":
            other = "replicate" if reflect else "reflect"
            return x[..., _indices(left, right, n, other)]
        if wrong == "replicate only":
            return x[..., i.clamp(0, n - 1)]
        if wrong == "circular":
            return x[..., i % n]
        if wrong == "detached":
            return x.detach()[..., _indices(left, right, n, mode)]
        if wrong == "zeros":
            return x[..., i.clamp(0, n - 1)] * ~outside
        if wrong == "border repeated" and reflect:
            mirrored = torch.where(i < 0, -1 - i, i)
            return x[..., torch.where(i >= n, 2 * n - 1 - i, mirrored)]
        if wrong == "not reversed" and reflect:
            ahead = torch.where(i < 0, i + left + 1, i)
            return x[..., torch.where(i >= n, i - right - 1, ahead)]
        if wrong == "one side" and reflect:
            return x[..., i.abs().clamp(0, n - 1)]
        if wrong == "one too far" and reflect:
            far = torch.where(i < 0, (1 - i).clamp(max=n - 1), i)
            return x[..., torch.where(i >= n, (2 * n - 3 - i).clamp(min=0), far)]
        if wrong == "one too many":
            return x[..., _indices(left, right + 1, n, mode)]
        if wrong == "first axis":
            first = x.shape[0]
            return x[_indices(left, right, first, mode) % first]
        return x[..., _indices(left, right, n, mode)]

    return answer


REFLECT_REPLICATE = Exercise(
    name="padding/reflect_replicate",
    reference=_pad,
    run=function_run(_strips, names=("x", "left", "right", "mode")),
    forbid=("pad",),
    mistakes=(
        Mistake(
            _wrong_pad("border repeated"),
            "Your reflection repeats the border pixel: the border is the mirror, so "
            "position -1 is pixel 1, not pixel 0.",
        ),
        Mistake(
            _wrong_pad("one too far"),
            "Your reflection starts one pixel too far inside: position -1 is pixel 1, "
            "and position n is pixel n - 2.",
        ),
        Mistake(
            _wrong_pad("not reversed"),
            "You copy the right pixels for the reflection, but in their old order: a "
            "mirror turns them around, flip(-1).",
        ),
        Mistake(
            _wrong_pad("one side"),
            "Your reflection works on the left only; on the right, distances from "
            "n - 1 must change their sign as well.",
        ),
        Mistake(
            _wrong_pad("sides"),
            "You have swapped the sides: the first width belongs to the left, before "
            "index 0.",
        ),
        Mistake(
            _wrong_pad("left twice"),
            "You pad both sides by left: the other side has its own width, right.",
        ),
        Mistake(
            _wrong_pad("modes"),
            "You have swapped the modes: replicate repeats the border pixel, reflect "
            "walks back into the strip.",
        ),
        Mistake(
            _wrong_pad("replicate only"),
            "You replicate whatever the mode: look at the argument mode.",
        ),
        Mistake(
            _wrong_pad("circular"),
            "You continue on the other side, which is circular padding. A negative "
            "index counts from the end in Python, so it raises no error.",
        ),
        Mistake(
            _wrong_pad("zeros"),
            "You pad with zeros: both modes copy pixels of the strip.",
        ),
        Mistake(
            _wrong_pad("one too many"),
            "Your result is one too long: the last position is n + right - 1, and "
            "torch.arange(-left, n + right) leaves its end out already.",
        ),
        Mistake(
            _wrong_pad("first axis"),
            "You pad the first axis; pad the last one: n = x.shape[-1] and x[..., i].",
        ),
        Mistake(
            _wrong_pad("detached"),
            "The output is right, the gradient is not: index x itself, not a detached "
            "copy or its data.",
        ),
    ),
)


def _signals(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    n, channels, outputs = distinct(generator, 3)
    k, dilation = (3, 2, 4, 1)[index % 4], (1, 2, 3)[index % 3]
    x = signed(generator, n, channels, 9 + index).requires_grad_()
    weight = signed(generator, outputs, channels, k).requires_grad_()
    bias = signed(generator, outputs).requires_grad_()
    return (x, weight, bias), {"dilation": dilation} if index % 3 else {}


def _causal(wrong: str = "") -> Any:
    def answer(x: Tensor, weight: Tensor, bias: Tensor, dilation: int = 1) -> Tensor:
        k = weight.shape[-1]
        left, right, mode = (k - 1) * dilation, 0, "constant"
        b: Tensor | None = bias
        if wrong == "right":
            left, right = 0, left
        elif wrong == "same":
            left, right = left // 2, left - left // 2
        elif wrong == "both":
            right = left
        elif wrong == "k":
            left = k * dilation
        elif wrong == "no dilation in width":
            left = k - 1
        elif wrong == "dilation unused":
            left, dilation = k - 1, 1
        elif wrong == "conv without dilation":
            dilation = 1
        elif wrong == "strictly past":
            x = F.pad(x[..., :-1], (1, 0))
        elif wrong == "replicate":
            mode = "replicate"
        elif wrong == "flipped":
            weight = weight.flip(-1)
        elif wrong == "no bias":
            b = None
        elif wrong == "no padding":
            left = 0
        elif wrong == "detached":
            x = x.detach()
        x = F.pad(x, (left, right), mode)
        return F.conv1d(x, weight, b, dilation=dilation)

    return answer


CAUSAL = Exercise(
    name="padding/causal",
    reference=_causal(),
    run=function_run(_signals),
    mistakes=(
        Mistake(
            _causal("same"),
            "You pad both sides, so half of the kernel lies in the future: put all of "
            "the padding on the left.",
        ),
        Mistake(
            _causal("right"),
            "Your output sees only the present and the future: pad on the left, "
            "F.pad(x, (left, 0)). If you pad both sides, keep the first L outputs.",
        ),
        Mistake(
            _causal("both"),
            "Your output is too long: pad on the left only, or cut the end off.",
        ),
        Mistake(
            _causal("k"),
            "You pad too much: a kernel of k entries needs (k - 1) * dilation zeros.",
        ),
        Mistake(
            _causal("no dilation in width"),
            "Your width forgets the dilation: it is (k - 1) * dilation.",
        ),
        Mistake(
            _causal("dilation unused"),
            "You do not use dilation: both the width and F.conv1d need it.",
        ),
        Mistake(
            _causal("conv without dilation"),
            "Your width knows the dilation, F.conv1d does not: pass dilation=dilation.",
        ),
        Mistake(
            _causal("strictly past"),
            "Your output lags by one step: time t itself may be seen.",
        ),
        Mistake(
            _causal("replicate"),
            "You repeat the first sample; what lies before the start counts as 0.",
        ),
        Mistake(
            _causal("flipped"),
            "You flip the kernel: torch's convolutions do not, the last entry of "
            "weight meets the present as it is.",
        ),
        Mistake(_causal("no bias"), "You do not add bias."),
        Mistake(
            _causal("no padding"),
            "You do not pad, so the output is too short: put (k - 1) * dilation zeros "
            "on the left.",
        ),
        Mistake(
            _causal("detached"),
            "The output is right, the gradient is not: do not detach x.",
        ),
    ),
)


CORNER = Exercise(
    name="padding/corner",
    reference=[6, 5, 4, 5, 6],
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            [2, 1, 1, 2, 3],
            "You repeat the border, in the row and in the column: in a reflection the "
            "border is the mirror and appears once.",
        ),
        Mistake(
            [1, 1, 1, 2, 3],
            "That is ReplicationPad2d: a reflection walks back into the picture.",
        ),
        Mistake(
            [8, 9, 7, 8, 9],
            "That is CircularPad2d: a reflection stays on its own side.",
        ),
        Mistake(
            [0, 0, 0, 0, 0],
            "That is ZeroPad2d: a reflection copies pixels.",
        ),
        Mistake(
            [8, 7, 8, 9],
            "You read the tuple from the first axis: it starts with the last one, left "
            "and right, and only then come top and bottom.",
        ),
        Mistake(
            [3, 2, 1, 2, 3],
            "That is the second row of the output: there is one more row on top.",
        ),
        Mistake(
            [4, 5, 6, 5, 4],
            "You pad on the right: the first number of the tuple is the left side.",
        ),
        Mistake(
            [5, 4, 4, 5, 6],
            "The row is the right one, but on the left you repeat its border pixel 4.",
        ),
        Mistake(
            [4, 5, 6],
            "The row is the right one; it still needs two pixels on the left.",
        ),
    ),
)

EXERCISES = (REFLECT_REPLICATE, CAUSAL, CORNER)
