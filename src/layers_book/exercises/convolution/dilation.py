"""Exercises of the page convolution/dilation."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Case,
    Exercise,
    Refused,
    custom_run,
    distinct,
    function_run,
    function_steps,
    signed,
    value_run,
    value_steps,
)

STACK = Exercise(
    name="dilation/stack",
    solution="answer = [1 + 6 * 1 + 2 * 2 + 8 * 4, 2 * 2]",
    run=value_run(),
    mistakes=[
        (
            [19, 4],
            "Your receptive field leaves out the dilation: entries 4 apart reach 8 "
            "cells further, not 2.",
        ),
        (
            [17, 4],
            "Your receptive field counts steps of one sample in all layers: above a "
            "stride of 2 each step is two samples long.",
        ),
        (
            [13, 4],
            "Your receptive field is the sum of the kernel sizes: strides and dilation "
            "make the steps longer, and windows overlap.",
        ),
        (
            [53, 4],
            "Your receptive field lets a stride lengthen the steps of its own kernel: "
            "it counts from the next layer on.",
        ),
        (
            [49, 4],
            "Your receptive field adds up spans: a layer adds d * (k - 1) steps, one "
            "fewer than it spans cells.",
        ),
        (
            [42, 4],
            "Your receptive field is one too small: the first sample counts as well.",
        ),
        (
            [43, 2],
            "Your jump is that of one stride: the jump is the product of all of them.",
        ),
        (
            [43, 1],
            "Your jump is the stride of the last layer alone: multiply those of all.",
        ),
        (
            [43, 16],
            "Your jump counts the dilation, which moves a kernel's entries apart, not "
            "the kernel.",
        ),
        ([4, 43], "You have swapped the numbers: the receptive field comes first."),
    ],
)

STACKS: tuple[tuple[tuple[int, ...], int], ...] = (
    ((1, 2, 9), 3),  # first: no two of the wrong rules give one number here
    ((1, 2, 5), 2),
    ((2, 2, 2), 3),
    ((4,), 4),
    ((3, 5), 5),
    ((1, 2, 4, 8), 2),
    ((2, 4, 8), 3),
    ((5, 1), 3),
    ((1, 1, 1, 1), 3),
    ((3, 6), 1),
    ((7, 2, 3), 2),
    ((1, 3, 9), 3),
)


def _rates(generator: Generator) -> dict[str, Any]:
    return {"args": STACKS[generator.initial_seed()]}


def _pair(answer: Any, args: Sequence[Any]) -> Iterator[Case]:
    """The pair as a tuple of numbers, in whatever form it is given."""

    def plain(value: Any) -> Any:
        value = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(value, (list, tuple, range)):
            return tuple(plain(v) for v in value)
        whole = isinstance(value, float) and value.is_integer()
        return int(value) if whole else value

    names = ("dilations", "kernel_size")
    for case in function_steps(answer, args, {}, names, float32=False):
        value = plain(case.value) if case.kind == "output" else case.value
        yield Case(case.kind, case.name, case.where, value)


def _touched(dilations: Sequence[int], kernel_size: int) -> tuple[int, int]:
    """From torch's gradient of a stack of all-ones convolutions."""
    n = (kernel_size - 1) * sum(dilations) + 1
    x = torch.zeros(1, 1, n, dtype=torch.float64, requires_grad=True)
    y: Tensor = x
    for d in dilations:
        ones = torch.ones(1, 1, kernel_size, dtype=torch.float64)
        y = F.conv1d(y, ones, dilation=d)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    return int((gradient > 0).sum()), n


TOUCHED = Exercise(
    name="dilation/touched",
    solution="""
        def touched(dilations, kernel_size):
            places = {0}
            for d in dilations:
                places = {p + d * i for p in places for i in range(kernel_size)}
            return len(places), max(places) + 1
    """,
    reference=_touched,
    run=custom_run(_pair, _rates),
    forbid=("autograd.", "backward", "conv"),
    mistakes=[
        (
            "max(places) + 1",
            "kernel_size * len(dilations)",
            "Your receptive field is the sum of the kernel sizes: a layer adds d * "
            "(kernel_size - 1) to it, and the first cell counts once.",
        ),
        (
            "max(places) + 1",
            "sum(d * (kernel_size - 1) + 1 for d in dilations)",
            "Your receptive field adds up the spans: neighboring spans share one cell, "
            "so a layer adds d * (kernel_size - 1), one less.",
        ),
        (
            "max(places) + 1",
            "1 + kernel_size * sum(dilations)",
            "Your receptive field counts one step too many in each layer: k entries "
            "have k - 1 steps between them.",
        ),
        (
            "max(places) + 1",
            "max(places)",
            "Your receptive field is one too small: n steps join n + 1 cells.",
        ),
        (
            "d * i",
            "i",
            "Your receptive field forgets the dilation: a step is d cells long.",
        ),
        (
            "max(places) + 1",
            "1 + sum(dilations)",
            "Your receptive field counts one step of d cells for each layer: there are "
            "kernel_size - 1.",
        ),
        (
            "max(places)",
            "(kernel_size - 1) * math.prod(dilations)",
            "You multiply the rates: they would multiply if they were strides. Steps "
            "of the layers add up.",
        ),
        (
            "len(places)",
            "min(kernel_size ** len(dilations), max(places) + 1)",
            "You take the smaller of paths and receptive field; paths may share a cell "
            "while other cells stay empty: collect the places in a set.",
        ),
        (
            "len(places)",
            "max(places) // math.gcd(*dilations) + 1",
            "You count each place that the common divisor of the rates allows; holes "
            "remain without a common divisor too: collect the places in a set.",
        ),
        (
            "len(places)",
            "max(places) + 1",
            "You count the whole receptive field as touched: collect the sums of one "
            "offset per layer, and count the different ones.",
        ),
        (
            "{",
            "[",
            "}",
            "]",
            "You count paths, kernel_size ** layers of them; several paths may end in "
            "one cell: a set keeps each cell once.",
        ),
        (
            "len(places)",
            "kernel_size",
            "You count the cells of one layer: each of them reads kernel_size cells "
            "of the layer below.",
        ),
        (
            "range(kernel_size)",
            "range(3)",
            "You take every kernel for one of size 3: use kernel_size.",
        ),
        (
            "len(places), max(places) + 1",
            "len(places) ** 2, (max(places) + 1) ** 2",
            "That is the number in two dimensions: give one axis.",
        ),
        (
            "len(places), max(places) + 1",
            "max(places) + 1, len(places)",
            "You have swapped the pair: touched first, then the receptive field.",
        ),
        (
            "len(places), max(places) + 1",
            "len(places) / (max(places) + 1)",
            "You return the share: return the pair (touched, receptive field).",
        ),
        (
            "len(places)",
            "max(places) + 1 - len(places)",
            "You count the holes: count the cells that are touched.",
        ),
    ],
)


def _three(answer: Any) -> Iterator[tuple[str, Any]]:
    """Three rates of kernels of 5, 3 and 2; what they reach is counted."""

    def plain(value: Any) -> Any:
        value = value.tolist() if hasattr(value, "tolist") else value
        whole = isinstance(value, float) and value.is_integer()
        return int(value) if whole else value

    answer = plain(answer)
    if not isinstance(answer, (list, tuple, range)):
        raise Refused("A list of three whole numbers is expected, such as [2, 2, 2].")
    (case,) = value_steps(answer)  # refuses dots
    rates = [plain(rate) for rate in case.value]
    if len(rates) != 3 or not all(type(rate) is int and rate > 0 for rate in rates):
        raise Refused(
            f"Three whole numbers above 0 are expected, and you give {rates}."
        )
    if sum(rates) > 1000:
        raise Refused("Rates that large leave holes: there are 30 paths at most.")
    divisors = range(1, max(rates) + 1)
    common = [d for d in divisors if all(rate % d == 0 for rate in rates)]
    yield "the largest number that divides all three rates", max(common)
    yield "whether a rate is 1", 1 in rates
    reached = {0}
    for rate, entries in zip(rates, (5, 3, 2), strict=True):
        reached = {place + rate * i for place in reached for i in range(entries)}
    yield "the number of holes", max(reached) + 1 - len(reached)
    yield "the receptive field", max(reached) + 1


THREE = Exercise(
    name="dilation/three_rates",
    solution="rates = [1, 5, 15]",
    run=custom_run(_three, configurations=1),
    mistakes=[
        (
            [1, 3, 9],
            "No holes, but a receptive field of 20 is not the largest: these rates "
            "suit three kernels of 3.",
        ),
        (
            [1, 2, 4],
            "No holes, but a receptive field of 13 is not the largest: the copies that "
            "a layer makes can lie further apart.",
        ),
        ([1, 1, 1], "No holes, and the smallest receptive field there is: 8."),
        (
            [1, 2, 3],
            "No holes, but a receptive field of 12 is not the largest: 30 paths end "
            "in 12 cells.",
        ),
        (
            [1, 5, 10],
            "No holes, and a receptive field of 25. There is still some overlap: can "
            "one of the rates be larger?",
        ),
        (
            [1, 5, 25],
            "Ten holes: the last kernel's second copy lies further away than the "
            "row of cells below is long.",
        ),
        (
            [1, 5, 16],
            "One hole: the second copy lies one cell too far.",
        ),
        (
            [15, 5, 1],
            "Your rates have holes because they go with the kernels from the input "
            "up: the first is for the kernel of 5.",
        ),
        (
            [5, 15, 30],
            "All rates share the factor 5, so only every fifth cell is touched.",
        ),
        (
            [2, 2, 2],
            "All rates are even, so an output never reads a cell at an odd distance.",
        ),
        (
            [2, 5, 15],
            "No rate is 1, so the second cell of the receptive field is a hole: every "
            "other path is at least two cells away from the outermost one.",
        ),
        (
            [1, 5, 14],
            "No holes, and a receptive field of 29. One step more is possible.",
        ),
    ],
)


def _strided(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Stacks with strides below, between and above; one without, one of one layer."""
    index = generator.initial_seed()

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    fixed = {
        0: [(7, 2, 1), (3, 3, 2), (5, 1, 3), (3, 2, 1)],
        1: [(3, 1, 1), (3, 1, 2)],
        2: [(3, 4, 2)],
        3: [(3, 2, 1), (3, 2, 1), (3, 2, 1)],
    }
    layers = [(draw(1, 5), draw(1, 3), draw(1, 4)) for _ in range(draw(2, 5))]
    return (fixed.get(index, layers),), {}


DENSE = Exercise(
    name="dilation/dense",
    solution="""
        def dense(layers):
            rate, result = 1, []
            for kernel_size, stride, dilation in layers:
                result.append((kernel_size, 1, dilation * rate))
                rate *= stride
            return result
    """,
    run=function_run(_strided, names=("layers",)),
    mistakes=[
        (
            "        result.append((kernel_size, 1, dilation * rate))\n"
            "        rate *= stride",
            "        rate *= stride\n"
            "        result.append((kernel_size, 1, dilation * rate))",
            "A layer with a stride gets a larger dilation itself: it still stands on "
            "the cells it stood on, only the layers after it do not.",
        ),
        (
            "dilation * rate",
            "rate",
            "Your dilations forget those that the layers had: multiply them.",
        ),
        (
            "dilation * rate",
            "dilation",
            "Your dilations stay as they were: without the strides, the cells that a "
            "later kernel read lie further apart.",
        ),
        (
            "rate *= stride",
            "rate = stride",
            "Your dilations know the stride of the layer before only: the strides of "
            "all layers before multiply.",
        ),
        (
            "rate *= stride",
            "rate += stride",
            "Your dilations grow by the strides: they are multiplied by them.",
        ),
        (
            "dilation * rate",
            "dilation + rate - 1",
            "You add the jump to the dilation: each step becomes jump times as long.",
        ),
        (
            "rate *= stride",
            "rate *= stride * dilation",
            "Your dilations multiply from layer to layer: only strides do that.",
        ),
        (
            "kernel_size, 1,",
            "kernel_size, stride,",
            "Your layers keep their strides: all of them must be 1.",
        ),
        (
            "kernel_size, 1, dilation * rate",
            "kernel_size, dilation * rate, 1",
            "You have swapped stride and dilation: the order is (kernel_size, stride, "
            "dilation).",
        ),
        (
            "(kernel_size, 1, dilation * rate)",
            "(rate * (kernel_size - 1) + 1, 1, dilation)",
            "You make the kernels longer: they must keep their weights, so their size "
            "stays.",
        ),
        (
            "in layers",
            "in layers[::-1]",
            "return result",
            "return result[::-1]",
            "You walk from the output down: a stride counts for the layers after it.",
        ),
    ],
)


def _live(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Kernels of 2 to 4 entries, at dilations 1 to 4; batches and channels differ."""
    index = generator.initial_seed()
    n, channels, outputs = distinct(generator, 3)
    k, dilation = ((3, 2), (2, 4), (4, 3), (2, 1), (2, 3), (3, 1))[index % 6]
    x_t = signed(generator, n, channels).requires_grad_()
    past = signed(generator, n, channels, (k - 1) * dilation).requires_grad_()
    weight = signed(generator, outputs, channels, k).requires_grad_()
    return (x_t, past, weight, dilation), {}


def _step(
    x_t: Tensor, past: Tensor, weight: Tensor, dilation: int
) -> tuple[Tensor, Tensor]:
    """From torch's convolution of all samples that are known."""
    known = torch.cat([past, x_t.unsqueeze(-1)], -1)
    return F.conv1d(known, weight, dilation=dilation)[..., -1], known[..., 1:]


STREAM = Exercise(
    name="dilation/stream",
    solution="""
        def step(x_t, past, weight, dilation):
            window = torch.cat([past, x_t[:, :, None]], 2)  # (N, C, span)
            y_t = torch.einsum("nck,ock->no", window[:, :, ::dilation], weight)
            return y_t, window[:, :, 1:]
    """,
    reference=_step,
    run=function_run(_live, names=("x_t", "past", "weight", "dilation")),
    forbid=("conv",),
    mistakes=[
        (
            "window[:, :, ::dilation]",
            "window[:, :, -weight.shape[2] :]",
            "Your y_t reads the latest samples in a row: the kernel's entries are "
            "dilation samples apart.",
        ),
        (
            ", weight)",
            ", weight.flip(2))",
            "Your y_t meets the kernel the wrong way round: its last entry is for x_t.",
        ),
        (
            "window[:, :, ::dilation]",
            "window.flip(2)[:, :, ::dilation]",
            "return y_t, window[:, :, 1:]",
            "return y_t, window[:, :, 1:].flip(2)",
            "You take past for the newest first: it holds the oldest sample first.",
        ),
        (
            "[past, x_t[:, :, None]]",
            "[x_t[:, :, None], past]",
            "You put x_t before the past: it is the latest sample, the last in line.",
        ),
        (
            "window[:, :, 1:]",
            "past",
            "You return the past as it was: it loses its oldest sample and gains x_t.",
        ),
        (
            "window[:, :, 1:]",
            "window",
            "Your past grows with every call: the oldest sample is not needed again.",
        ),
        (
            "return y_t, window[:, :, 1:]",
            "return y_t",
            "You return y_t alone: return the pair, with the past for the next call.",
        ),
        (
            "return y_t, window[:, :, 1:]",
            "return window[:, :, 1:], y_t",
            "You have swapped the pair: y_t comes first.",
        ),
        (
            ", weight)",
            ", weight) / weight.shape[2]",
            "You divide by the kernel's size: a convolution is a sum, not a mean.",
        ),
        (
            '"nck,ock->no", window[:, :, ::dilation], weight',
            '"nk,ok->no", window[:, 0, ::dilation], weight[:, 0]',
            "Your y_t reads the first channel only: add up all of them.",
        ),
        (
            "window[:, :, 1:]",
            "window[:, :, 1:].detach()",
            "The numbers are right, but no gradient comes through the past you return: "
            "do not detach it.",
        ),
        (
            "::dilation], weight)",
            "::dilation].detach(), weight)",
            "The numbers are right, but no gradient reaches the samples through y_t: "
            "do not detach them.",
        ),
    ],
)

EXERCISES = (STACK, TOUCHED, DENSE, THREE, STREAM)
