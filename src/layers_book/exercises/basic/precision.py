"""Exercises of the page basic/precision."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor

from layers_book.checking import (
    Exercise,
    Refused,
    call,
    custom_run,
    function_run,
    measure_run,
    refuse_no_function,
    value_run,
)

HALVES = (torch.float16, torch.bfloat16)

COUNTER = Exercise(
    name="precision/counter",
    solution="""
        answer = 2048
    """,
    run=value_run(),
    mistakes=[
        (
            1024,
            "That is 2 to the number of stored fraction bits; the leading 1, which is "
            "not stored, is one bit more.",
        ),
        (
            256,
            "256 is where bfloat16 stops, with 7 fraction bits; float16 has 10.",
        ),
        (
            65504,
            "65504 is the largest float16. The counter stops long before, where the "
            "gap to the next number is 2.",
        ),
        (
            2047,
            "2047 is not the last: 2048 is a float16 too, and 2047 + 1 gives it.",
        ),
        (
            2049,
            "2049 is no float16: from 2048 on, neighbors lie 2 apart.",
        ),
        (
            4096,
            "Between 2048 and 4096 the neighbors lie 2 apart already, so adding 1 no "
            "longer helps there.",
        ),
    ],
)


def _sized(generator: Generator) -> dict[str, Any]:
    """Numbers whose squares leave float16, on either side, and harmless ones."""
    index = generator.initial_seed()
    size = (1.0, 300.0, 1e-4, 30.0)[index % 4]
    shape = ((6,), (3, 5), (2, 3, 4))[index % 3]
    x = size * (0.5 + torch.rand(shape, generator=generator, dtype=torch.float64))
    sign = torch.rand(shape, generator=generator) < 0.5
    dtype = (*HALVES, torch.float32, torch.float16)[index // 3 % 4]
    return {"x": torch.where(sign, -x, x).to(dtype), "size": size}


def _size_steps(answer: Any, x: Tensor, size: float) -> Iterator[Any]:
    refuse_no_function(answer)
    words = str(x.dtype).removeprefix("torch.")
    yield "configuration", f"x of shape {tuple(x.shape)}, {words}, of size {size:g}"
    y = call(answer, x)
    if not isinstance(y, Tensor):
        raise Refused("Return a tensor.")
    yield "the shape of the output", list(y.shape)
    yield "the data type of the output", str(y.dtype)
    yield f"the output in {words}", y.double().flatten().tolist(), 0.02


RMS = Exercise(
    name="precision/rms",
    solution="""
        def rms(x):
            z = x.double()
            return z.square().mean(-1).sqrt().to(x.dtype)
    """,
    run=custom_run(_size_steps, _sized),
    mistakes=[
        (
            "x.double()",
            "x",
            "The squares are still of the type of x: in float16, those above 65504 are "
            "inf, and those of 0.0001 are 0. Convert before you square.",
        ),
        (
            ".to(x.dtype)",
            "",
            "You return another type than that of x: round back at the end.",
        ),
        (
            ".sqrt()",
            "",
            "You return the mean square: take its root.",
        ),
        (
            ".mean(-1)",
            ".sum(-1)",
            "You take the length of the vector, the root of the sum of the squares; "
            "asked is the root of their mean.",
        ),
        (
            ".mean(-1)",
            ".mean(-1, keepdim=True)",
            "You keep the last axis with size 1: the output has one axis less than x.",
        ),
        (
            ".mean(-1)",
            ".mean()",
            "You average over all axes: use mean(-1).",
        ),
        (
            "z.square().mean(-1).sqrt()",
            "z.std(-1)",
            "You take the standard deviation, which subtracts the mean first.",
        ),
    ],
)


def _scaled(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A float16 gradient of a scaled loss: short, long, tiny, or with an inf."""
    index = generator.initial_seed()
    scale = (1.0, 1024.0, 65536.0)[index % 3]
    size = (1e-3, 0.4, 3e-6, 0.1)[index % 4]
    weight = torch.randn(5, generator=generator)
    gradient = size * scale * torch.randn(5, generator=generator)
    gradient = gradient.clamp(-6e4, 6e4).to(torch.float16)
    if index in (4, 9):
        gradient[index % 5] = float("inf") if index == 4 else -float("inf")
    return (weight, gradient, scale), {
        "lr": 0.3 / size,
        "most": 0.3 if index != 8 else 1e-7,
    }


STEP = Exercise(
    name="precision/step",
    solution="""
        def step(weight, gradient, scale, lr, most):
            g = gradient.float() / scale
            norm = g.norm()
            if not norm.isfinite():
                return weight
            g = g * (most / norm).clamp(max=1.0)
            return weight - lr * g
    """,
    run=function_run(_scaled, names=("weight", "gradient", "scale"), float32=False),
    mistakes=[
        (
            "gradient.float() / scale",
            "gradient.float()",
            "lr * g",
            "lr * g / scale",
            "You clip the scaled gradient, whose norm is scale times too large, so "
            "after unscaling the step is far too short: divide by scale first.",
        ),
        (
            "gradient.float() / scale",
            "(gradient / scale).float()",
            "You divide by scale in float16, where small gradients underflow again: "
            "convert to float32 first.",
        ),
        (
            "gradient.float() / scale",
            "gradient.float()",
            "You never divide by scale, so the steps depend on it.",
        ),
        (
            "if not norm.isfinite():\n        return weight\n    ",
            "",
            "You no longer skip the step where the gradient holds inf or nan, and the "
            "weights become nan.",
        ),
        (
            "    g = g * (most / norm).clamp(max=1.0)\n",
            "",
            "A long gradient is not clipped: where the norm of the unscaled gradient "
            "is above most, it must be shortened to most.",
        ),
        (
            ".clamp(max=1.0)",
            "",
            "You bring every gradient to the norm most, short ones too: the factor is "
            "at most 1.",
        ),
        (
            "return weight - lr * g",
            "return weight + lr * g",
            "You add the gradient: a step goes against it.",
        ),
    ],
)

VANISHING = Exercise(
    name="precision/vanishing",
    setup="""
        def distance(seed, dtype):
            torch.manual_seed(seed)
            rule = torch.randn(16)
            weight = torch.zeros(16, dtype=dtype)
            for _ in range(400):
                x = torch.randn(32, 16)  # (N, C)
                error = x @ (weight.float() - rule)  # (N,)
                gradient = 2 * x.T @ error / 32
                weight -= (0.01 * gradient).to(dtype)
            return (weight.float() - rule).norm().item()
    """,
    solution="""
        coarse = torch.tensor([distance(seed, torch.bfloat16) for seed in range(8)])
        fine = torch.tensor([distance(seed, torch.float32) for seed in range(8)])
        difference = coarse - fine  # (seeds,)
        answer = difference.mean().item(), (difference.std() / 8**0.5).item()
    """,
    run=measure_run("coarse", "fine"),
    mistakes=[
        (
            "torch.bfloat16",
            "torch.float16",
            "You measure float16, whose neighbors lie eight times closer: the first "
            "setting is torch.bfloat16.",
        ),
        (
            "torch.bfloat16",
            "torch.float64",
            "You compare float64 with float32, which both arrive: the first setting is "
            "torch.bfloat16.",
        ),
    ],
)


def _weights(generator: Generator) -> dict[str, Any]:
    index = generator.initial_seed()
    dtype = HALVES[index % 2]
    weight = 1 + torch.rand(4, generator=generator)
    step = torch.rand(4, generator=generator) * (2e-3, 2e-4)[index % 2]
    return {"weight": weight.to(dtype), "step": (step * (-1) ** index).to(dtype)}


def _weight_steps(answer: Any, weight: Tensor, step: Tensor) -> Iterator[Any]:
    """Hundreds of updates; the weight may be one neighbor off."""
    refuse_no_function(answer)
    words = str(weight.dtype).removeprefix("torch.")
    yield "configuration", f"steps of {step[0].item():.0e}, {words}"
    lost = torch.zeros_like(weight)
    for number in range(1, 301):
        pair = call(answer, weight, lost, step)
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise Refused("Return two tensors: the new weight and the new lost.")
        weight, lost = pair
        if not isinstance(weight, Tensor) or not isinstance(lost, Tensor):
            raise Refused("Return two tensors: the new weight and the new lost.")
        if number in (1, 2, 300):
            when = f"after {number} update{'s' * (number > 1)}"
            yield f"the data types {when}", f"{weight.dtype}, {lost.dtype}"
            yield f"the weight {when}", weight.double().tolist(), 0.008
            total = weight.double() + lost.double()
            yield f"weight plus lost {when}", total.tolist(), 2e-4 * number**0.5


UPDATE = Exercise(
    name="precision/update",
    solution="""
        def update(weight, lost, step):
            change = lost + step
            new = weight + change
            return new, change - (new - weight)
    """,
    run=custom_run(_weight_steps, _weights, 4),
    mistakes=[
        (
            "lost + step",
            "step",
            "You do not add the old lost, so what is lost is replaced, not carried on.",
        ),
        (
            "change - (new - weight)",
            "lost",
            "Your lost stays 0, so each rounding is forgotten: it has to become what "
            "is missing to the exact sum.",
        ),
        (
            "change - (new - weight)",
            "(new - weight) - change",
            "Your lost has the wrong sign: it is what is missing, what should have "
            "arrived minus what has arrived.",
        ),
        (
            "change - (new - weight)",
            "change",
            "You keep the whole change as lost, also the part that has arrived: "
            "subtract new - weight.",
        ),
        (
            "weight + change",
            "weight.float() + change.float()",
            "Your new weight is float32: it has to stay in the 16-bit type of weight.",
        ),
    ],
)

EXERCISES = (COUNTER, RMS, STEP, VANISHING, UPDATE)
