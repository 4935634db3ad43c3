"""Foreign answers to the exercises on modules."""

import copy
import io
import itertools
import math

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


NAMES = ["body.1.bias", "body.1.weight", "heads.age.weight", "scale", "seen"]
right("module/saved")(tuple(NAMES))
wrong("module/saved", "persistent")([*NAMES[:3], "mask", *NAMES[3:]])
wrong("module/saved", "sort")(
    ["scale", "seen", "body.1.weight", "body.1.bias", "heads.age.weight"]
)
wrong("module/saved", "list", "sort")(" ".join(NAMES))
wrong("module/saved", "", "persistent|sort")(["weight", "bias"])


@right("module/keep_best")
def by_clones(net, train, score, rounds):
    def state():
        return {name: value.clone() for name, value in net.state_dict().items()}

    net.eval()
    seen = [(score(net), 0, state())]
    for i in range(rounds):
        net.train()
        train(net)
        net.eval()
        seen.append((score(net), -i - 1, state()))
    top = max(seen, key=lambda entry: entry[0])
    net.load_state_dict(top[2])
    return top[0]


@right("module/keep_best")
def by_file(net, train, score, rounds):
    file, best_score = io.BytesIO(), None
    for i in range(rounds + 1):
        if i:
            train(net.train())
        if best_score is None or score(net.eval()) > best_score:
            best_score = score(net.eval())
            file = io.BytesIO()
            torch.save(net.state_dict(), file)
    file.seek(0)
    net.eval().load_state_dict(torch.load(file, weights_only=True))
    return best_score


@wrong("module/keep_best", "training mode|copies")
def as_given(net, train, score, rounds):
    best, best_score = net.state_dict(), score(net)
    for _ in range(rounds):
        train(net)
        new = score(net)
        if new > best_score:
            best = net.state_dict()
    net.load_state_dict(best)
    return best_score


@wrong("module/keep_best", "last state")
def shallow(net, train, score, rounds):
    best, best_score = dict(net.state_dict()), score(net.eval())
    for _ in range(rounds):
        train(net.train())
        new = score(net.eval())
        if new > best_score:
            best, best_score = dict(net.state_dict()), new
    net.load_state_dict(best)
    return best_score


@wrong("module/keep_best", "last state|load")
def not_loaded(net, train, score, rounds):
    best_score = score(net.eval())
    for _ in range(rounds):
        train(net.train())
        best_score = max(best_score, score(net.eval()))
    return best_score


@wrong("module/keep_best", "the start|as it is given")
def first_round_first(net, train, score, rounds):
    best_score = -math.inf
    for _ in range(rounds):
        train(net.train())
        new = score(net.eval())
        if new > best_score:
            best, best_score = copy.deepcopy(net.state_dict()), new
    net.load_state_dict(best)
    return best_score
