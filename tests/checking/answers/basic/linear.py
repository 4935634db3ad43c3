"""Foreign answers to the exercises on Linear."""

import itertools
import math

import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F


@right("linear/by_hand")
def transposed(x, weight, bias=None, axis=-1):
    y = torch.matmul(x.transpose(axis, -1), weight.t())
    if bias is not None:
        y += bias
    return y.transpose(axis, -1)


@right("linear/by_hand")
def summed(x, weight, bias=None, axis=-1):
    x = torch.movedim(x, axis, -1)
    y = (x[..., None, :] * weight).sum(-1)
    return torch.movedim(y if bias is None else y + bias, -1, axis)


@right("linear/by_hand")
def mv(x, weight, bias=None, axis=-1):
    x = x.movedim(axis, -1)
    rows = x.reshape(-1, x.shape[-1])
    y = torch.stack([torch.mv(weight, row) for row in rows])
    y = y.reshape(*x.shape[:-1], weight.shape[0])
    y = y if bias is None else torch.add(y, bias)
    return y.movedim(-1, axis)


@right("linear/by_hand")
def addmm(x, weight, bias=None, axis=-1):
    x = x.movedim(axis, -1)
    rows = x.reshape(-1, weight.size(1))
    if bias is None:
        y = torch.mm(rows, weight.t())
    else:
        y = torch.addmm(bias, rows, weight.t())
    y = y.unflatten(0, x.shape[:-1]) if x.dim() > 1 else y[0]
    return y.movedim(-1, axis)


@right("linear/by_hand")
def dotted(x, weight, bias=None, axis=-1):
    y = torch.tensordot(x, weight, dims=([axis], [1]))
    return (y + (0 if bias is None else bias)).movedim(-1, axis)


@wrong("linear/by_hand", "whatever axis says")
def last_axis(x, weight, bias=None, axis=-1):
    y = x @ weight.T
    return y if bias is None else y + bias


@wrong("linear/by_hand", "transpose|weight.T|as it is stored")
def untransposed(x, weight, bias=None, axis=-1):
    y = x.movedim(axis, -1) @ weight
    return (y if bias is None else y + bias).movedim(-1, axis)


@wrong("linear/by_hand", "None")
def no_none(x, weight, bias=None, axis=-1):
    return (x.movedim(axis, -1) @ weight.T + bias).movedim(-1, axis)


@wrong("linear/by_hand", "leave the new features on the last axis")
def stays_last(x, weight, bias=None, axis=-1):
    y = torch.tensordot(x, weight, ([axis], [1]))
    return y if bias is None else y + bias


@wrong("linear/by_hand", "may not be called")
def by_layer(x, weight, bias=None, axis=-1):
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None)
    layer.weight = nn.Parameter(weight)
    return layer(x)


@wrong("linear/by_hand", "may not be called")
def by_ops(x, weight, bias=None, axis=-1):
    return torch.ops.aten.linear(x.movedim(axis, -1), weight, bias).movedim(-1, axis)


@wrong("linear/by_hand", "may not be called")
def by_c(x, weight, bias=None, axis=-1):
    return torch._C._nn.linear(x.movedim(axis, -1), weight, bias).movedim(-1, axis)


@wrong("linear/by_hand", "may not be called")
def by_convolution(x, weight, bias=None, axis=-1):
    y = x.movedim(axis, -1).reshape(-1, x.shape[axis], 1)
    return F.conv1d(y, weight[..., None], bias)


@torch.jit.script
def scripted(x: torch.Tensor, weight: torch.Tensor):
    return torch.nn.functional.linear(x, weight)


@wrong("linear/by_hand", "torch.jit hides")
def by_script(x, weight, bias=None, axis=-1):
    y = scripted(x.movedim(axis, -1), weight)
    return (y if bias is None else y + bias).movedim(-1, axis)


@right("linear/count")
def loop(sizes, bias=True):
    total = 0
    for i in range(1, len(sizes)):
        total += (sizes[i - 1] + (1 if bias else 0)) * sizes[i]
    return float(total)


@right("linear/count")
def dotted_count(sizes, bias=True):
    s = torch.tensor(sizes)
    return (s[:-1] * s[1:]).sum() + int(bias) * s[1:].sum()


@wrong("linear/count", "may not be built")
def builds(sizes, bias=True):
    pairs = itertools.pairwise(sizes)
    layers = [nn.Linear(a, b, bias) for a, b in pairs]
    return sum(math.prod(p.shape) for layer in layers for p in layer.parameters())


@wrong("linear/count", "bias=False")
def always_bias(sizes, bias=True):
    return sum((a + 1) * b for a, b in itertools.pairwise(sizes))


@wrong("linear/count", "of shape|number|list|expected")
def each(sizes, bias=True):
    return [(a + bias) * b for a, b in itertools.pairwise(sizes)]


right("linear/chain")((10800, 10000, 30))
right("linear/chain")(torch.tensor([10800, 10000, 30]))
wrong("linear/chain", "narrower than 60")([10800, 10000, 60])
wrong("linear/chain")([10800, 10000])


@right("linear/from_keras")
def by_state(kernel, bias):
    layer = nn.Linear(kernel.shape[0], kernel.shape[1])
    layer.load_state_dict({"weight": kernel.T, "bias": bias})
    return layer


@right("linear/from_keras")
def by_parameters(kernel, bias):
    layer = nn.Linear(*kernel.size(), dtype=kernel.dtype)
    layer.weight = nn.Parameter(kernel.t().contiguous())
    layer.bias = nn.Parameter(bias.clone())
    return layer


@wrong("linear/from_keras", "square kernel is still copied")
def as_given(kernel, bias):
    layer = nn.Linear(*kernel.shape)
    if kernel.shape != layer.weight.shape:
        kernel = kernel.T
    with torch.no_grad():
        layer.weight.copy_(kernel)
        layer.bias.copy_(bias)
    return layer


@wrong("linear/from_keras", "Return an nn.Linear")
def only_weights(kernel, bias):
    return kernel.T, bias


@right("linear/lora")
class Adapter(nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.linear = linear
        for parameter in linear.parameters():
            parameter.requires_grad = False
        like = {"dtype": linear.weight.dtype, "device": linear.weight.device}
        self.A = nn.Parameter(torch.empty(rank, linear.in_features, **like))
        self.B = nn.Parameter(torch.zeros(linear.out_features, rank, **like))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))
        self.factor = alpha / rank

    def delta(self):
        return self.factor * (self.B @ self.A)

    def forward(self, x):
        return F.linear(x, self.linear.weight + self.delta(), self.linear.bias)

    @torch.no_grad()
    def merge(self):
        old = self.linear
        new = nn.Linear(old.in_features, old.out_features, bias=old.bias is not None)
        new = new.to(old.weight)
        new.weight.copy_(old.weight + self.delta())
        if old.bias is not None:
            new.bias.copy_(old.bias)
        return new


@wrong("linear/lora", "divide it by the rank")
class Unscaled(Adapter):
    def __init__(self, linear, rank, alpha):
        super().__init__(linear, rank, alpha)
        self.factor = alpha


@wrong("linear/lora", "freeze")
class Warm(Adapter):
    def __init__(self, linear, rank, alpha):
        super().__init__(linear, rank, alpha)
        linear.requires_grad_(True)


@wrong("linear/lora", "float|dtype")
class Single(Adapter):
    def __init__(self, linear, rank, alpha):
        super().__init__(linear, rank, alpha)
        self.A = nn.Parameter(torch.randn(rank, linear.in_features))


@wrong("linear/lora", "wrapped layer itself")
class InPlace(Adapter):
    @torch.no_grad()
    def merge(self):
        self.linear.weight += self.delta()
        return self.linear
