"""Foreign answers to the exercises on Linear."""

import itertools
import math

import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F


@right("linear/by_hand")
def summed(x, weight, bias=None):
    y = (x[..., None, :] * weight).sum(-1)
    if bias is not None:
        y += bias
    return y


@right("linear/by_hand")
def mv(x, weight, bias=None):
    rows = x.reshape(-1, x.shape[-1])
    y = torch.stack([torch.mv(weight, row) for row in rows])
    y = y.reshape(*x.shape[:-1], weight.shape[0])
    return y if bias is None else torch.add(y, bias)


@right("linear/by_hand")
def addmm(x, weight, bias=None):
    rows = x.reshape(-1, weight.size(1))
    if bias is None:
        y = torch.mm(rows, weight.t())
    else:
        y = torch.addmm(bias, rows, weight.t())
    return y.unflatten(0, x.shape[:-1]) if x.dim() > 1 else y[0]


@right("linear/by_hand")
def dotted(x, weight, bias=None):
    y = torch.tensordot(x, weight, dims=([-1], [1]))
    return y + (0 if bias is None else bias)


@wrong("linear/by_hand", "transpose|weight.T|as it is stored")
def untransposed(x, weight, bias=None):
    y = x @ weight
    return y if bias is None else y + bias


@wrong("linear/by_hand", "None")
def no_none(x, weight, bias=None):
    return x @ weight.T + bias


@wrong("linear/by_hand", "may not be called")
def by_layer(x, weight, bias=None):
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None)
    layer.weight = nn.Parameter(weight)
    return layer(x)


@wrong("linear/by_hand", "may not be called")
def by_ops(x, weight, bias=None):
    return torch.ops.aten.linear(x, weight, bias)


@wrong("linear/by_hand", "may not be called")
def by_c(x, weight, bias=None):
    return torch._C._nn.linear(x, weight, bias)


@wrong("linear/by_hand", "may not be called")
def by_convolution(x, weight, bias=None):
    y = x.reshape(-1, x.shape[-1], 1)
    return F.conv1d(y, weight[..., None], bias).reshape(*x.shape[:-1], -1)


@torch.jit.script
def scripted(x: torch.Tensor, weight: torch.Tensor):
    return torch.nn.functional.linear(x, weight)


@wrong("linear/by_hand", "torch.jit hides")
def by_script(x, weight, bias=None):
    y = scripted(x, weight)
    return y if bias is None else y + bias


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


@right("linear/bilinear")
def by_matmul(x1, x2, weight, bias=None):
    left = torch.tensordot(x1, weight, ([-1], [1]))  # (..., out, in2)
    y = (left @ x2[..., None]).squeeze(-1)
    return y if bias is None else y + bias


@right("linear/bilinear")
def by_outer(x1, x2, weight, bias=None):
    outer = x1.unsqueeze(-1) * x2.unsqueeze(-2)
    y = outer.flatten(-2) @ weight.flatten(1).T
    if bias is not None:
        y = y + bias
    return y


@right("linear/bilinear")
def looped(x1, x2, weight, bias=None):
    outs = [((x1 @ w) * x2).sum(-1) for w in weight]
    y = torch.stack(outs, -1)
    return y if bias is None else bias + y


@wrong("linear/bilinear", "may not be called")
def by_bilinear(x1, x2, weight, bias=None):
    return F.bilinear(x1, x2, weight, bias)


@wrong("linear/bilinear", "two axes|leading")
def two_axes(x1, x2, weight, bias=None):
    y = torch.einsum("bi,kij,bj->bk", x1, weight, x2)
    return y if bias is None else y + bias


@wrong("linear/bilinear", "None")
def adds_none(x1, x2, weight, bias=None):
    return torch.einsum("...i,kij,...j->...k", x1, weight, x2) + bias
