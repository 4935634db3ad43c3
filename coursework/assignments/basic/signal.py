"""The gain that keeps a signal through a layer, and what it does to the gradient."""

import math
from typing import Any

import torch
from torch import nn

from layers_book.coursework import Mistake, Question, custom_run

# evenly spread ranks of a standard normal variable
NORMAL = torch.distributions.Normal(0.0, 1.0).icdf(
    (torch.arange(40_000, dtype=torch.float64) + 0.5) / 40_000
)


def two_numbers(answer):
    """Take the two numbers out of the dict; the rest stands in the right answer."""
    yield "the gain", answer.get("gain"), 0.01
    names = ("gain", "gradient", "activation", "rms")
    yield "the gradient", {name: answer.get(name) for name in names}


def _reference(variant: dict[str, Any]) -> dict[str, Any]:
    f, rms = getattr(nn, variant["activation"])(), variant["rms"]

    def off(gain: float) -> float:
        return (f(gain * rms * NORMAL).square().mean() / rms**2).log().item()

    last, gain = 1.0, 1.5
    while abs(gain - last) > 1e-9:  # secants
        slope = (off(gain) - off(last)) / (gain - last)
        last, gain = gain, gain - off(gain) / slope
    right = {"activation": variant["activation"], "rms": rms, "gain": gain}
    return right | {"gradient": _way_back(right, gain)}


def _way_back(right: dict[str, Any], gain: float) -> float:
    f = getattr(nn, right["activation"])()
    slopes = torch.func.vmap(torch.func.grad(f))(gain * right["rms"] * NORMAL)
    return gain**2 * slopes.square().mean().item()


def _follows(expected: dict[str, Any], got: dict[str, Any]) -> bool:
    """Right for the gain that is given, if that is not far from the right one."""
    gain, gradient = (torch.as_tensor(got[n]).item() for n in ("gain", "gradient"))
    near = math.isclose(gain, expected["gain"], rel_tol=0.2)
    return near and math.isclose(gradient, _way_back(expected, gain), rel_tol=0.01)


QUESTION = Question(
    name="signal",
    title="The gain that keeps a signal",
    answer="signal",
    reference=_reference,
    run=custom_run(two_numbers, configurations=1),
    parts={"the gain": 2, "the gradient": 2},
    judge={"the gradient": _follows},
    mistakes=(
        Mistake(
            name="the gain of ReLU",
            hint="The square root of 2 is right for ReLU. Your activation lets "
            "something through for negative numbers, so it needs another gain.",
            answer='signal = {"gain": 2**0.5, "gradient": 1.0}',
            loses=("the gain", "the gradient"),
        ),
        Mistake(
            name="one step in place of a solution",
            hint="You computed by how much the activation shrinks a signal of this "
            "size, and divided. But the gain also changes the size of what goes into "
            "the activation: search for the gain at which the equation holds.",
            edits=(
                (
                    "before = (gain",
                    "gain = rms / (share * f(rms * z) ** 2).sum().sqrt().item()\n"
                    "before = (gain",
                ),
            ),
            loses=("the gain",),
        ),
        Mistake(
            name="a signal of size 1",
            hint="Your gain keeps a signal of size 1. For a curved activation the gain "
            "depends on the size: use VARIANT's rms.",
            edits=(('rms = VARIANT["rms"]', "rms = 1.0"),),
            loses=("the gain",),
        ),
        Mistake(
            name="output of size 1",
            hint="Your gain turns a signal of size rms into one of size 1; it has to "
            "keep its size.",
            edits=(("< rms**2", "< 1"),),
            loses=("the gain",),
        ),
        Mistake(
            name="variance in place of mean square",
            hint="You keep the variance of the output. The next layer sums up "
            "squares, so it is the mean square that counts; the mean is not 0.",
            edits=(
                (
                    "too_small = (share * f(gain * rms * z) ** 2).sum()",
                    "too_small = (share * f(gain * rms * z) ** 2).sum() - "
                    "(share * f(gain * rms * z)).sum() ** 2",
                ),
            ),
            loses=("the gain",),
        ),
        Mistake(
            name="square of the gain",
            hint="You give the square of the gain, the variance; the gain belongs to "
            "the standard deviation.",
            edits=(('"gain": gain,', '"gain": gain**2,'),),
            loses=("the gain",),
        ),
        Mistake(
            name="square of the mean slope",
            hint="You average the slopes and square then. A mean square needs the "
            "squares first.",
            edits=(("(share * slope**2).sum()", "((share * slope).sum() ** 2)"),),
            loses=("the gradient",),
        ),
        Mistake(
            name="the weights left out",
            hint="On its way back a gradient passes the weights too: they bring in the "
            "square of the gain.",
            edits=(('"gradient": gain**2 *', '"gradient":'),),
            loses=("the gradient",),
        ),
        Mistake(
            name="factor of the root mean square",
            hint="You give the factor for the root mean square; asked is that of the "
            "mean square.",
            edits=(("slope**2).sum().item()", "slope**2).sum().sqrt().item()"),),
            loses=("the gradient",),
        ),
        Mistake(
            name="slope at the size of the input",
            hint="The slope is taken before the activation, where the standard "
            "deviation is gain times rms.",
            edits=(("before = (gain * rms * z)", "before = (rms * z)"),),
            loses=("the gradient",),
        ),
    ),
)
