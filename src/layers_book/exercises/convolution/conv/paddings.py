"""Exercise: the paddings that give a size."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator

from layers_book.checking import Case, Exercise, Mistake, function_run


def _axis(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Large strides, so that most lists are long and wrong ones seldom alike."""
    index = generator.initial_seed()

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    n, kernel, stride, dilation = draw(2, 12), draw(2, 6), draw(4, 9), draw(1, 4)
    if index % 3 == 2:
        stride, kernel = draw(1, 5), draw(1, 5)
    span = dilation * (kernel - 1) + 1
    padding = draw(max(0, (span - n + 1) // 2), 5 + span)
    out = (n + 2 * padding - span) // stride + 1
    if index % 6 == 5:  # too short for any padding, or an even step that skips it
        out = max(1, (n - span) // stride)
    fixed = {  # in the first, nearly every mistake gives another list
        0: (35, 3, 18, 8, 2),
        4: (2, 1, 5, 4, 2),
        7: (9, 400, 3, 5, 2),
        13: (12, 3000, 4, 7, 1),
    }
    n, out, kernel, stride, dilation = fixed.get(
        index, (n, out, kernel, stride, dilation)
    )
    return (n, out, kernel, stride, dilation), {}


_plain = function_run(
    _axis, names=("n", "out", "kernel", "stride", "dilation"), float32=False
)


def _run(answer: Any, generator: Generator) -> Iterator[Case]:
    """A list may hold whole numbers of numpy's or torch's, too."""
    for label, value, *tolerance in _plain(answer, generator):
        if isinstance(value, list):
            value = [v.item() if hasattr(v, "item") else v for v in value]
        yield Case(label, value, *tolerance)


def _paddings(wrong: str = "") -> Any:
    def fits(n: int, p: int, out: int, kernel: int, stride: int, d: int) -> bool:
        span = d * (kernel - 1) + 1
        if wrong == "no dilation":
            span = kernel
        elif wrong == "dilation times kernel":
            span = d * kernel
        elif wrong == "span":
            span -= 1
        elif wrong == "dilation and kernel":
            span = kernel * (d - 1) + 1
        stride = 1 if wrong == "no stride" else stride
        sides = 1 if wrong == "one side" else 2
        free = n + sides * p - span
        if wrong == "exact":
            return free == (out - 1) * stride
        if wrong == "no one":
            return free >= 0 and free // stride == out
        if wrong == "ceil":
            return free >= 0 and -(-free // stride) + 1 == out
        if wrong == "round":
            return free >= 0 and round(free / stride) + 1 == out
        if wrong == "truncated":
            return int(free / stride) + 1 == out
        return free >= 0 and free // stride + 1 == out

    def answer(n: int, out: int, kernel: int, stride: int, dilation: int) -> Any:
        most = n + dilation * kernel + out * stride  # enough for every wrong rule
        low, high = (-40 if wrong == "negative" else 0), most
        if wrong == "positive":
            low = 1
        elif wrong == "half":
            high = kernel // 2 + 1
        elif wrong == "full":
            high = dilation * (kernel - 1) + 1
        elif wrong == "fixed":
            high = min(most, 60)
        found = [
            p for p in range(low, high) if fits(n, p, out, kernel, stride, dilation)
        ]
        if wrong == "smallest":
            return found[:1]
        if wrong == "last missing":
            return found[:-1]
        if wrong == "end rounded down":
            end = (out * stride + dilation * (kernel - 1) + 1 - n) // 2
            return [p for p in found if p < end]
        if wrong == "number":
            return found[0] if found else 0
        if wrong == "count":
            return len(found)
        if wrong == "descending":
            return found[::-1]
        if wrong == "tensor":
            return torch.tensor(found, dtype=torch.long)
        if wrong == "range":
            return range(found[0], found[-1] + 1) if found else range(0)
        return found

    return answer


PADDINGS_HINTS = {
    "smallest": (
        "You give one padding only; several may fit, since the floor drops a remainder."
    ),
    "last missing": (
        "The last padding of each list is missing; range stops before its end."
    ),
    "end rounded down": (
        "The last padding of some lists is missing: where the bound for p is not a "
        "whole number, the end of a range must be rounded up."
    ),
    "number": (
        "You give a number; a list is asked for, since several paddings may fit, or "
        "none."
    ),
    "count": "You give how many paddings fit; list the paddings.",
    "exact": (
        "You accept a padding only if the stride divides: the division is rounded "
        "down, so remainders up to stride - 1 fit as well."
    ),
    "ceil": "You round up; the size rule rounds down: // in Python.",
    "truncated": (
        "You round toward 0: a kernel that does not fit gives a negative number, "
        "which must round down, to no output."
    ),
    "no one": "You forget the + 1: the first window counts, too.",
    "no dilation": (
        "You do not use dilation: the kernel spans dilation * (kernel - 1) + 1."
    ),
    "dilation times kernel": (
        "Your kernel spans dilation * kernel; behind its last entry there is no "
        "gap: dilation * (kernel - 1) + 1."
    ),
    "span": "Your kernel spans one cell too few: dilation * (kernel - 1) + 1.",
    "one side": "You count the padding once; it stands on both sides: n + 2 * p.",
    "negative": "You list negative paddings; begin with p = 0.",
    "positive": "You begin with p = 1; no padding, p = 0, counts.",
    "half": (
        "You stop at half the kernel: that is pooling's limit, a convolution has none."
    ),
    "full": (
        "You stop where the first window would lie on padding only; torch takes "
        "wider paddings too."
    ),
    "descending": "Your list is in descending order; turn it around.",
    "tensor": "You give a tensor; a Python list is asked for: .tolist().",
    "range": "You give a range; a list is asked for: list(range(...)).",
    "no stride": (
        "You do not use stride: the first window starts at 0, the next at stride."
    ),
    "dilation and kernel": (
        "You mix up kernel and dilation: the span is dilation * (kernel - 1) + 1."
    ),
    "round": (
        "You round to the nearest number; the size rule rounds down: // in Python."
    ),
    "fixed": "You stop at a fixed number; a large output needs a wider padding.",
}

PADDINGS = Exercise(
    name="conv/paddings",
    reference=_paddings(),
    run=_run,
    configurations=36,
    mistakes=tuple(
        Mistake(_paddings(wrong), hint) for wrong, hint in PADDINGS_HINTS.items()
    ),
)
