"""Exercises of the page basic/index."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn

from layers_book.checking import (
    Exercise,
    call,
    custom_run,
    distinct,
    measure_run,
    module_run,
    refuse_no_function,
    value_run,
    varied,
)

COUNT = Exercise(
    name="basic/count",
    solution="""
answer = [64 * 32 + 32, 0, 32 * 16, 16 * 10 + 10, 64 * 32 + 32 + 32 * 16 + 16 * 10 + 10]
    """,
    reference=[2080, 0, 512, 170, 2762],
    run=value_run(),
    mistakes=[
        (
            [2048, 0, 512, 160, 2720],
            "You leave out the biases: Linear(64, 32) has 32, Linear(16, 10) has 10.",
        ),
        (
            [2112, 0, 512, 176, 2800],
            "You count a bias for each input feature; there is one for each output "
            "feature.",
        ),
        (
            [2049, 0, 512, 161, 2722],
            "You count one bias a layer; there is one for each output feature.",
        ),
        (
            [2080, 0, 528, 170, 2778],
            "head[0] is made with bias=False: it has weights only.",
        ),
        (
            [2080, 32, 512, 170, 2794],
            "You give the ReLU parameters; it sets negative numbers to 0 and learns "
            "nothing.",
        ),
        (
            [2080, 0, 512, 170, 2592],
            "The sum lacks the last Linear: head[2] is part of the model too.",
        ),
        (
            [2080, 0, 512, 170, 2080],
            "The sum stops at the first layer; head is a layer with parts, and they "
            "count.",
        ),
        (
            [96, 0, 48, 26, 170],
            "You add the sizes: a weight joins each input feature to each output "
            "feature, so multiply them.",
        ),
    ],
)


def _batches(generator: Generator) -> tuple[dict[str, Any], list[Tensor], Tensor]:
    sizes = distinct(generator, 2 + generator.initial_seed() % 3)
    batches = [varied(generator, *sizes, axis=0).clamp(-20, 20) for _ in range(3)]
    return {"features": sizes[-1]}, batches[:2], batches[2]


PARABOLA = Exercise(
    name="basic/parabola",
    solution="""
        class Parabola(nn.Module):
            def __init__(self, features):
                super().__init__()
                self.a = nn.Parameter(torch.zeros(features))
                self.b = nn.Parameter(torch.ones(features))
                self.c = nn.Parameter(torch.zeros(features))

            def forward(self, x):
                return self.a + self.b * x + self.c * x**2
    """,
    run=module_run(_batches),
    mistakes=[
        (
            "nn.Parameter",
            "",
            "Your tensors are plain attributes, so the optimizer never hears of them: "
            "wrap each in nn.Parameter.",
        ),
        (
            "self.a = nn.Parameter(",
            'self.register_buffer("a", ',
            "self.b = nn.Parameter(",
            'self.register_buffer("b", ',
            "self.c = nn.Parameter(",
            'self.register_buffer("c", ',
            "Your tensors are stored but not learned: use nn.Parameter in place of "
            "register_buffer.",
        ),
        (
            "self.c = nn.Parameter(",
            'self.register_buffer("c", ',
            "c is stored but not learned: wrap it in nn.Parameter, like a and b.",
        ),
        (
            "(features))",
            "(1))",
            "Your a, b and c are single numbers; each has one value for each feature.",
        ),
        (
            "        self.c = nn.Parameter(torch.zeros(features))\n",
            "",
            " + self.c * x**2",
            "",
            "c is missing: self.c = nn.Parameter(torch.zeros(features)).",
        ),
        (
            "torch.ones",
            "torch.zeros",
            "b starts at 0, so a fresh layer answers 0: start it at 1.",
        ),
        (
            "self.c = nn.Parameter(torch.zeros",
            "self.c = nn.Parameter(torch.ones",
            "c starts at 1, so a fresh layer adds the square: start it at 0.",
        ),
        ("x**2", "x**3", "You take the third power of x: the square is x**2."),
        (
            "self.a + self.b * x + self.c",
            "self.c + self.b * x + self.a",
            "a and c have changed places: a stands alone, c multiplies the square.",
        ),
        (
            "self.c * x**2",
            "(self.c * x) ** 2",
            "You square c as well: only x is squared, c * x**2.",
        ),
        ("self.a + ", "", "You never add a."),
        (
            "self.a +",
            "self.a.detach() +",
            "self.b *",
            "self.b.detach() *",
            "self.c *",
            "self.c.detach() *",
            "The output is right, the gradient is not: do not detach the parameters.",
        ),
        (
            "return self",
            "y = self",
            "x**2",
            "x**2\n        x.data.mul_(2)\n        return y",
            "You change the caller's x: make a new tensor for the result.",
        ),
    ],
)

OPTIMIZER = Exercise(
    name="basic/optimizer",
    solution="""
        answer = [True, True, True, False, False, False]
    """,
    run=value_run(),
    mistakes=[
        (
            [True, True, True, True, False, False],
            "shift is a plain tensor: it is not in parameters(), so the optimizer "
            "never gets it.",
        ),
        (
            [True, True, True, False, True, False],
            "seen is a buffer: stored with the layer, and not in parameters().",
        ),
        (
            [True, True, True, True, True, False],
            "Being an attribute is not enough: only what is wrapped in nn.Parameter is "
            "in parameters().",
        ),
        (
            [False, False, True, False, False, False],
            "parameters() goes into the parts as well: the Linear inside the "
            "Sequential is found.",
        ),
        ([True, False, True, False, False, False], "A Linear learns its bias too."),
        (
            [True, True, False, False, False, False],
            "factor is an nn.Parameter of the net itself, so the optimizer gets it.",
        ),
        (
            [True, True, True, False, False, True],
            "The output of a layer is a result, computed anew at each call; the "
            "optimizer changes parameters only.",
        ),
        (
            [True, True, True, True, True, True],
            "Three of the six are not in parameters(): print named_parameters().",
        ),
    ],
)


def _data(generator: Generator) -> dict[str, Any]:
    index = generator.initial_seed()
    features, hidden, out, count = distinct(generator, 4)
    sizes = [features, hidden, out] if index % 2 else [features, out]
    return {
        "sizes": sizes,
        "weights": torch.randn(100, generator=generator, dtype=torch.float64) / 3,
        "x": torch.randn(12, features, generator=generator, dtype=torch.float64),
        "target": torch.randn(12, out, generator=generator, dtype=torch.float64),
        "count": count,
        "size": 0.05 * (1 + index % 3),
    }


def _fitted(
    answer: Any,
    sizes: list[int],
    weights: Tensor,
    x: Tensor,
    target: Tensor,
    count: int,
    size: float,
) -> Iterator[Any]:
    refuse_no_function(answer)
    layer: nn.Module = nn.Linear(sizes[0], sizes[1])
    if len(sizes) > 2:
        layer = nn.Sequential(layer, nn.Tanh(), nn.Linear(sizes[1], sizes[2]))
    layer = layer.double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(weights[: parameter.numel()].view_as(parameter))
    names = " and ".join(["Linear"] * (len(sizes) - 1))
    yield "configuration", f"{names}, count={count}, size={size:.2f}"
    losses = call(answer, layer, x, target, count, size)
    yield "the losses", losses, 1e-6
    for name, parameter in layer.named_parameters():
        yield f"{name} after the last step", parameter.detach(), 1e-6


FIT = Exercise(
    name="basic/fit",
    solution="""
        def fit(layer, x, target, count, size):
            losses = []
            for _ in range(count):
                loss = (layer(x) - target).square().mean()
                layer.zero_grad()
                loss.backward()
                with torch.no_grad():
                    for parameter in layer.parameters():
                        parameter -= size * parameter.grad
                losses.append(loss.item())
            return losses
    """,
    run=custom_run(_fitted, _data),
    mistakes=[
        (
            "parameter -= size * parameter.grad",
            "parameter = parameter - size * parameter.grad",
            "The layer's parameters never change: parameter = ... gives the name to a "
            "new tensor. Change the old one in place, with -=.",
        ),
        (
            "        layer.zero_grad()\n",
            "",
            "From the second step on your gradients are sums of all gradients so far: "
            "clear them before backward, layer.zero_grad().",
        ),
        (
            "-=",
            "+=",
            "You step up the gradient, so the loss rises: subtract, -=.",
        ),
        (
            "size * parameter.grad",
            "parameter.grad",
            "Your steps do not depend on size: subtract size * parameter.grad.",
        ),
        (
            "losses.append(loss.item())",
            "losses.append((layer(x) - target).square().mean().item())",
            "You note the loss after each step: the loss before it is asked for.",
        ),
        (
            "mean()",
            "sum()",
            "You add up the squared errors: their mean is asked for.",
        ),
        (
            "range(count)",
            "range(count - 1)",
            "You take one step less than count.",
        ),
        (
            "square()",
            "abs()",
            "You take absolute errors: squared errors are asked for.",
        ),
        (
            "return losses",
            "return losses[-1]",
            "You return the last loss: give the list of all.",
        ),
    ],
)

SETUP = """
from helpers import paired

points = torch.linspace(-1, 1, 41, dtype=torch.float64)[:, None]


def train(middle, seed, count):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(1, 16), middle, nn.Linear(16, 1)).double()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(count):
        loss = (net(points) - points.abs()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return net, losses
"""

TANH = Exercise(
    name="basic/tanh",
    solution="""
        tanh = [train(nn.Tanh(), seed, 100)[1][-1] for seed in range(8)]
        relu = [train(nn.ReLU(), seed, 100)[1][-1] for seed in range(8)]
        answer = paired(tanh, relu)
    """,
    run=measure_run("tanh", "relu"),
    setup=SETUP,
    mistakes=[
        (
            "[-1]",
            "[0]",
            "You compare the first losses, before any step: take the last, losses[-1].",
        ),
        (
            "nn.ReLU()",
            "nn.Identity()",
            "You compare with Identity: the other network has a ReLU in the middle.",
        ),
    ],
)

EXERCISES = (COUNT, PARABOLA, OPTIMIZER, FIT, TANH)
