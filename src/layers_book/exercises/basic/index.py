"""Exercises of the page basic/index."""

from typing import Any

import torch
from torch import Generator, Tensor, nn

from layers_book.checking import (
    Exercise,
    Mistake,
    distinct,
    module_run,
    value_run,
    varied,
)

COUNT = Exercise(
    name="basic/count",
    reference=[2080, 0, 512, 170, 2762],
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            [2048, 0, 512, 160, 2720],
            "You leave out the biases: Linear(64, 32) has 32, Linear(16, 10) has 10.",
        ),
        Mistake(
            [2112, 0, 512, 176, 2800],
            "You count a bias for each input feature; there is one for each output "
            "feature.",
        ),
        Mistake(
            [2049, 0, 512, 161, 2722],
            "You count one bias a layer; there is one for each output feature.",
        ),
        Mistake(
            [2080, 0, 528, 170, 2778],
            "head[0] is made with bias=False: it has weights only.",
        ),
        Mistake(
            [2080, 32, 512, 170, 2794],
            "You give the ReLU parameters; it sets negative numbers to 0 and learns "
            "nothing.",
        ),
        Mistake(
            [2080, 0, 512, 170, 2592],
            "The sum lacks the last Linear: head[2] is part of the model too.",
        ),
        Mistake(
            [2080, 0, 512, 170, 2080],
            "The sum stops at the first layer; head is a layer with parts, and they "
            "count.",
        ),
        Mistake(
            [96, 0, 48, 26, 170],
            "You add the sizes: a weight joins each input feature to each output "
            "feature, so multiply them.",
        ),
    ),
)


def _batches(generator: Generator) -> tuple[dict[str, Any], list[Tensor], Tensor]:
    sizes = distinct(generator, 2 + generator.initial_seed() % 3)
    batches = [varied(generator, *sizes, axis=0).clamp(-20, 20) for _ in range(3)]
    return {"features": sizes[-1]}, batches[:2], batches[2]


class _Parabola(nn.Module):
    """``a + b x + c x**2`` by feature; the mistakes change one thing each."""

    wrong = ""
    a: Any
    b: Any
    c: Any

    def __init__(self, features: int) -> None:
        super().__init__()
        size = 1 if self.wrong == "one number" else features
        self._hold("a", torch.zeros(size))
        self._hold("b", torch.ones(size))
        if self.wrong != "no c":
            self._hold("c", torch.zeros(size))
        if self.wrong == "b zero":
            nn.init.zeros_(self.b)
        elif self.wrong == "c one":
            nn.init.ones_(self.c)

    def _hold(self, name: str, value: Tensor) -> None:
        if self.wrong == "plain":
            setattr(self, name, value)
        elif self.wrong in ("buffer", f"{name} not learned"):
            self.register_buffer(name, value)
        else:
            setattr(self, name, nn.Parameter(value))

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.a, self.b
        c: Any = 0.0 if self.wrong == "no c" else self.c
        if self.wrong == "detached":
            a, b, c = a.detach(), b.detach(), c.detach()
        elif self.wrong == "swapped":
            a, c = c, a
        elif self.wrong == "no a":
            a = 0.0
        power = 3 if self.wrong == "cube" else 2
        y: Tensor = a + b * x + c * x**power
        if self.wrong == "inner square":
            y = a + b * x + (c * x) ** 2
        elif self.wrong == "in place":
            x.data.mul_(2)
        return y


def _wrong(wrong: str) -> Any:
    return type("Parabola", (_Parabola,), {"wrong": wrong})


PARABOLA = Exercise(
    name="basic/parabola",
    reference=_Parabola,
    run=module_run(_batches),
    mistakes=(
        Mistake(
            _wrong("plain"),
            "Your tensors are plain attributes, so the optimizer never hears of them: "
            "wrap each in nn.Parameter.",
        ),
        Mistake(
            _wrong("buffer"),
            "Your tensors are stored but not learned: use nn.Parameter in place of "
            "register_buffer.",
        ),
        Mistake(
            _wrong("c not learned"),
            "c is stored but not learned: wrap it in nn.Parameter, like a and b.",
        ),
        Mistake(
            _wrong("one number"),
            "Your a, b and c are single numbers; each has one value for each feature.",
        ),
        Mistake(
            _wrong("no c"),
            "c is missing: self.c = nn.Parameter(torch.zeros(features)).",
        ),
        Mistake(
            _wrong("b zero"),
            "b starts at 0, so a fresh layer answers 0: start it at 1.",
        ),
        Mistake(
            _wrong("c one"),
            "c starts at 1, so a fresh layer adds the square: start it at 0.",
        ),
        Mistake(_wrong("cube"), "You take the third power of x: the square is x**2."),
        Mistake(
            _wrong("swapped"),
            "a and c have changed places: a stands alone, c multiplies the square.",
        ),
        Mistake(
            _wrong("inner square"),
            "You square c as well: only x is squared, c * x**2.",
        ),
        Mistake(_wrong("no a"), "You never add a."),
        Mistake(
            _wrong("detached"),
            "The output is right, the gradient is not: do not detach the parameters.",
        ),
        Mistake(
            _wrong("in place"),
            "You change the caller's x: make a new tensor for the result.",
        ),
    ),
)

OPTIMIZER = Exercise(
    name="basic/optimizer",
    reference=[True, True, True, False, False, False],
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            [True, True, True, True, False, False],
            "shift is a plain tensor: it is not in parameters(), so the optimizer "
            "never gets it.",
        ),
        Mistake(
            [True, True, True, False, True, False],
            "seen is a buffer: stored with the layer, and not in parameters().",
        ),
        Mistake(
            [True, True, True, True, True, False],
            "Being an attribute is not enough: only what is wrapped in nn.Parameter "
            "is in parameters().",
        ),
        Mistake(
            [False, False, True, False, False, False],
            "parameters() goes into the parts as well: the Linear inside the "
            "Sequential is found.",
        ),
        Mistake(
            [True, False, True, False, False, False],
            "A Linear learns its bias too.",
        ),
        Mistake(
            [True, True, False, False, False, False],
            "factor is an nn.Parameter of the net itself, so the optimizer gets it.",
        ),
        Mistake(
            [True, True, True, False, False, True],
            "The output of a layer is a result, computed anew at each call; the "
            "optimizer changes parameters only.",
        ),
        Mistake(
            [True, True, True, True, True, True],
            "Three of the six are not in parameters(): print named_parameters().",
        ),
    ),
)

EXERCISES = (COUNT, PARABOLA, OPTIMIZER)
