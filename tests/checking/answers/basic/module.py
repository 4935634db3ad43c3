"""Foreign answers to the exercises on modules."""

import itertools

import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F

CUT = "cut off from the gradient"


@right("module/scale")
class PeakFirst(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.register_buffer("peak", torch.zeros(dim))
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        if not self.training:
            limited = torch.minimum(torch.maximum(x, -self.peak), self.peak)
            return limited * self.weight
        with torch.no_grad():
            top = x.abs().reshape(-1, x.shape[-1]).max(0).values
            self.peak.copy_(torch.max(self.peak, top))
        return self.weight * x


@right("module/scale")
class InData(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.register_buffer("peak", torch.zeros(dim))

    def forward(self, x):
        if self.training:
            for row in x.detach().view(-1, x.size(-1)):
                self.peak = torch.where(row.abs() > self.peak, row.abs(), self.peak)
            return x * self.weight
        return self.weight * x.clip(-self.peak, self.peak)


@wrong("module/scale", "batch axis|axes|any number|shape", CUT)
class FirstAxis(PeakFirst):
    def forward(self, x):
        if self.training:
            top = x.detach().abs().amax(0)
            self.peak = torch.maximum(self.peak, top)
        else:
            x = x.clamp(-self.peak, self.peak)
        return x * self.weight


@wrong("module/scale", "detach|holds on", CUT)
class Attached(PeakFirst):
    def forward(self, x):
        if self.training:
            self.peak = torch.maximum(self.peak, x.abs().flatten(0, -2).amax(0))
        else:
            x = x.clamp(-self.peak, self.peak)
        return x * self.weight


@wrong("module/scale", r"shape \(\)")
class OneNumber(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.register_buffer("peak", torch.tensor(0.0))

    def forward(self, x):
        return x * self.weight


@wrong("module/scale", "cannot assign|buffer")
class AsNumber(PeakFirst):
    def forward(self, x):
        if self.training:
            self.peak = x.abs().max().item()
        return x * self.weight


@right("module/mlp")
class Enumerated(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.layers = nn.ModuleList()
        for i in range(len(sizes) - 1):
            self.layers.append(nn.Linear(sizes[i], sizes[i + 1]))

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i < len(self.layers) - 1:
                x = F.relu(x)
        return x


@right("module/mlp")
class InSequential(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        pairs = itertools.pairwise(sizes)
        self.layers = nn.Sequential(*[nn.Linear(a, b) for a, b in pairs])
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        *hidden, last = self.layers
        for layer in hidden:
            x = self.act(layer(x))
        return last(x)


@wrong("module/mlp", "places of their own")
class OneSequential(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        layers = []
        for a, b in itertools.pairwise(sizes):
            layers += [nn.Linear(a, b), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x):
        return self.layers(x)


@wrong("module/mlp", "Python list|ModuleList")
class InList(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        pairs = itertools.pairwise(sizes)
        self.layers = [nn.Linear(a, b) for a, b in pairs]

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = layer(x).relu()
        return self.layers[-1](x)


@wrong("module/mlp", "ReLU after the last")
class ReluEverywhere(Enumerated):
    def forward(self, x):
        for layer in self.layers:
            x = layer(x).clamp(min=0)
        return x


@wrong("module/mlp", "gelu|wrong values", CUT)
class Gelu(Enumerated):
    def forward(self, x):
        for layer in self.layers[:-1]:
            x = F.gelu(layer(x))
        return self.layers[-1](x)


@wrong("module/mlp", "hidden|missing")
class Named(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        pairs = itertools.pairwise(sizes)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairs)

    def forward(self, x):
        for layer in self.hidden[:-1]:
            x = layer(x).relu()
        return self.hidden[-1](x)


@wrong("module/mlp", "the same layer")
class Repeated(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(sizes[0], sizes[1])] * (len(sizes) - 1))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


@right("module/count_parameters")
def by_ids(module):
    found = {id(p): p for m in module.modules() for p in m._parameters.values()}
    learned = [p for p in found.values() if p is not None and p.requires_grad]
    return sum(torch.numel(p) for p in learned)


@right("module/count_parameters")
def as_tensor(module):
    total = torch.tensor(0)
    for p in set(module.parameters()):
        if p.requires_grad:
            total += p.nelement()
    return total


@right("module/count_parameters")
def by_names(module):
    count = 0
    for _, p in module.named_parameters():
        count += p.flatten().shape[0] * p.requires_grad
    return count


@wrong("module/count_parameters", "frozen")
def all_parameters(module):
    return sum(p.numel() for p in module.parameters())


@wrong("module/count_parameters", "tensors")
def tensors(module):
    return len([p for p in module.parameters() if p.requires_grad])


@wrong("module/count_parameters", "number|str")
def in_words(module):
    return str(by_ids(module))


@wrong("module/count_parameters", "function|def", "without calling it")
class Counter:
    pass


wrong("module/count_parameters", "function")(42)
