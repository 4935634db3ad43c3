"""Foreign answers to the exercises on what a layer is."""

import numpy as np
import torch
from answers import right, wrong
from torch import nn

right("basic/count")((2080, 0, 512, 170, 2762))
right("basic/count")(torch.tensor([2080, 0, 512, 170, 2762]))
right("basic/count")(np.array([2080.0, 0, 512, 170, 2762]))
wrong("basic/count", "dense", "give 0")(torch.empty(5, device="meta"))
wrong("basic/count", "dense", "give 0")(torch.eye(5).to_sparse())
wrong("basic/count", "number|str", "0 of 5")(["2080", "0", "512", "170", "2762"])
wrong("basic/count", "list")({2080, 0, 512, 170, 2762})
wrong("basic/count", "bias=False")([2080, 0, 528, 170, 2778])
wrong("basic/count", "4 of 5")([10**400, 0, 512, 170, 2762])
wrong("basic/count")({"first": 2080})

right("basic/optimizer")((True, True, True, False, False, False))
right("basic/optimizer")(torch.tensor([1, 1, 1, 0, 0, 0], dtype=torch.bool))
right("basic/optimizer")(np.array([1, 1, 1, 0, 0, 0], dtype=bool))
wrong("basic/optimizer", "True or False|bool", "0 of 6")([1, 1, 1, 0, 0, 0])
wrong("basic/optimizer", "bool|str", "0 of 6")(["True"] * 3 + ["False"] * 3)
wrong("basic/optimizer", "buffer")([True, True, True, False, True, False])


@right("basic/parabola")
class Horner(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.c = nn.Parameter(torch.zeros(features))
        self.b = nn.Parameter(torch.full((features,), 1.0))
        self.a = nn.Parameter(torch.zeros(features))

    def forward(self, x):
        return self.a + x * (self.b + x * self.c)


@right("basic/parabola")
class ByRegistering(nn.Module):
    def __init__(self, features):
        super().__init__()
        for name in "cab":
            start = torch.ones if name == "b" else torch.zeros
            self.register_parameter(name, nn.Parameter(start([features])))

    def forward(self, x):
        p = dict(self.named_parameters())
        return torch.addcmul(p["a"] + p["b"] * x, p["c"], x.square())


@wrong("basic/parabola", r"shape \(1, ")
class OneRow(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.a = nn.Parameter(torch.zeros(1, features))
        self.b = nn.Parameter(torch.ones(1, features))
        self.c = nn.Parameter(torch.zeros(1, features))

    def forward(self, x):
        return self.a + self.b * x + self.c * x**2


@wrong("basic/parabola", "single numbers")
class Scalars(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.a = nn.Parameter(torch.zeros(1))
        self.b = nn.Parameter(torch.ones(1))
        self.c = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return self.a + self.b * x + self.c * x**2


@wrong("basic/parabola", "shape|number")
class NoAxes(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.0))
        self.b = nn.Parameter(torch.tensor(1.0))
        self.c = nn.Parameter(torch.tensor(0.0))

    def forward(self, x):
        return self.a + self.b * x + self.c * x**2


@wrong("basic/parabola", "a, b, c")
class ParameterList(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.p = nn.ParameterList(torch.zeros(features) for _ in range(3))

    def forward(self, x):
        return self.p[0] + self.p[1] * x + self.p[2] * x**2


@wrong("basic/parabola", "start")
class RandomStart(Horner):
    def __init__(self, features):
        super().__init__(features)
        self.b = nn.Parameter(torch.rand(features))


@wrong("basic/parabola", "plain attributes|nn.Parameter")
class RequiresGrad(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.a = torch.zeros(features, requires_grad=True)
        self.b = torch.ones(features, requires_grad=True)
        self.c = torch.zeros(features, requires_grad=True)

    def forward(self, x):
        return self.a + self.b * x + self.c * x**2


@wrong("basic/parabola", "super")
class NoSuper(nn.Module):
    def __init__(self, features):
        self.a = nn.Parameter(torch.zeros(features))

    def forward(self, x):
        return x


@wrong("basic/parabola", "arguments")
def a_function(x):
    return x


@right("basic/fit")
def by_copying(layer, x, target, count, size):
    losses = []
    for _ in range(count):
        loss = torch.nn.functional.mse_loss(layer(x), target)
        found = torch.autograd.grad(loss, list(layer.parameters()))
        for p, g in zip(layer.parameters(), found, strict=True):
            p.data.copy_(p.data - size * g)
        losses.append(loss.item())
    return losses


@right("basic/fit")
def by_optimizer(layer, x, target, count, size):
    optimizer = torch.optim.SGD(layer.parameters(), lr=size)
    losses = torch.zeros(count, dtype=torch.float64)
    for i in range(count):
        optimizer.zero_grad()
        loss = (layer(x) - target).pow(2).mean()
        loss.backward()
        optimizer.step()
        losses[i] = loss.detach()
    return losses.tolist()


@wrong("basic/fit", "never change", "sums of all")
def as_given(layer, x, target, count, size):
    losses = []
    for _ in range(count):
        loss = (layer(x) - target).square().mean()
        loss.backward()
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter = parameter - size * parameter.grad
        losses.append(loss.item())
    return losses


@wrong("basic/fit", "clear them", "never change")
def cleared_once(layer, x, target, count, size):
    layer.zero_grad()
    losses = []
    for _ in range(count):
        loss = (layer(x) - target).square().mean()
        loss.backward()
        for parameter in layer.parameters():
            parameter.data -= size * parameter.grad
        losses.append(loss.item())
    return losses


@wrong("basic/fit", "clear them|NoneType|no gradient")
def cleared_too_late(layer, x, target, count, size):
    losses = []
    for _ in range(count):
        loss = (layer(x) - target).square().mean()
        loss.backward()
        layer.zero_grad()
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter -= size * parameter.grad
        losses.append(loss.item())
    return losses


@wrong("basic/fit", "without calling it|function")
class Fitter:
    pass


TANH, RELU = (
    [0.00934, 0.0271, 0.0771, 0.04, 0.04],
    [0.0051, 0.00059, 0.022, 0.019, 0.00017],
)
D = [a - b for a, b in zip(TANH, RELU, strict=True)]
MEAN, ERROR = float(np.mean(D)), float(np.std(D, ddof=1)) / 5**0.5

right("basic/tanh")((MEAN, ERROR))
right("basic/tanh")(D)
wrong("basic/tanh", "sign")((-MEAN, ERROR))
wrong("basic/tanh", "root|deviation")((MEAN, float(np.std(D, ddof=1))))
wrong("basic/tanh", "two numbers")(MEAN)
