"""Foreign answers to the exercises on activations."""

import numpy as np
import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F

CUT = "cut off from the gradient"


@right("activations/threshold")
def filled(x, threshold, value):
    return x.masked_fill(x <= threshold, value)


@right("activations/threshold")
def assigned(x, threshold, value):
    y = x.clone()
    y[~(y > threshold)] = value
    return y


@right("activations/threshold")
def torch_where(x, threshold, value):
    return torch.where(x <= threshold, torch.full_like(x, value), x)


@wrong("activations/threshold", "may not be called")
def by_layer(x, threshold, value):
    return nn.Threshold(threshold, value)(x)


@wrong("activations/threshold", "may not be called")
def by_ops(x, threshold, value):
    return torch.ops.aten.threshold(x, threshold, value)


@wrong("activations/threshold", "may not be called")
def by_private(x, threshold, value):
    return torch._C._nn.threshold(x, threshold, value) if 0 else F.threshold(x, 0, 0)


@wrong("activations/threshold", "change the caller", "something else")
def in_place(x, threshold, value):
    x[x <= threshold] = value
    return x


@wrong("activations/threshold", "nan|-inf")
def arithmetic(x, threshold, value):
    keep = (x > threshold).to(x.dtype)
    return keep * x + (1 - keep) * value


@wrong("activations/threshold", "boundary")
def clamp_first(x, threshold, value):
    return torch.where(x < threshold, value, x)


@wrong("activations/threshold", "You clip")
def by_max(x, threshold, value):
    return torch.maximum(x, torch.tensor(threshold, dtype=x.dtype))


@wrong("activations/threshold", "numpy|gradient")
def numpys(x, threshold, value):
    y = x.detach().numpy()
    return torch.from_numpy(np.where(y > threshold, y, value))


@wrong("activations/threshold", "float32|dtype")
def built_anew(x, threshold, value):
    flat = [v if v > threshold else value for v in x.flatten().tolist()]
    return torch.tensor(flat).view(x.shape)


@wrong("activations/softmax", "whole tensor", "variance|eps")
def whole_tensor(x, dim):
    e = (x - x.max()).exp()
    return e / e.sum()


@wrong("activations/softmax", "keepdim", r"shape \(C,\)")
def no_keepdim(x, dim):
    e = (x - x.amax(dim)).exp()
    return e / e.sum(dim)


@wrong("activations/softmax", "whole tensor|one maximum|far below")
def one_maximum(x, dim):
    e = (x - x.max()).exp()
    return e / e.sum(dim, keepdim=True)


@wrong("activations/softmax", "overflow")
def d2l(x, dim):
    e = torch.exp(x)
    return e / e.sum(dim, keepdim=True)


@right("activations/softmax")
def with_values(x, dim):
    top = torch.max(x, dim=dim, keepdim=True).values
    e = torch.e ** (x - top)
    return torch.div(e, torch.sum(e, dim, keepdim=True))


@right("activations/softmax")
def unbound(x, dim):
    slices = x.unbind(dim)
    top = slices[0]
    for s in slices[1:]:
        top = torch.maximum(top, s)
    top = top.detach()
    e = [(s - top).exp() for s in slices]
    total = sum(e)
    return torch.stack([v / total for v in e], dim)


@right("activations/softmax")
def moved(x, dim):
    y = x.movedim(dim, -1)
    y = (y - y.max(-1, keepdim=True)[0]).exp()
    return (y / y.sum(-1)[..., None]).movedim(-1, dim)


@right("activations/softmax")
def normalized(x, dim):
    return F.normalize((x - x.amax(dim, True)).exp(), p=1, dim=dim)


@wrong("activations/softmax", "may not be called")
def by_cross_entropy(x, dim):
    y = x.movedim(dim, 0).reshape(x.shape[dim], -1).T
    parts = [
        -F.cross_entropy(y, torch.full((len(y),), c), reduction="none")
        for c in range(y.shape[1])
    ]
    y = torch.stack(parts).exp()
    return y.view(x.movedim(dim, 0).shape).movedim(0, dim)


@wrong("activations/softmax", "may not be called")
def by_logcumsumexp(x, dim):
    top = torch.logcumsumexp(x, dim).select(dim, -1).unsqueeze(dim)
    return (x - top).exp()


@wrong("activations/softmax", "may not be called")
def by_attention(x, dim):
    y = x.movedim(dim, -1)
    flat = y.reshape(1, -1, y.shape[-1])
    eye = torch.eye(y.shape[-1], dtype=x.dtype)[None]
    out = F.scaled_dot_product_attention(flat, eye, eye, scale=1.0)
    return out.view(y.shape).movedim(-1, dim)


@wrong("activations/softmax", "may not be called")
def by_log_softmax(x, dim):
    return torch.special.log_softmax(x, dim).exp()


@wrong("activations/softmax", "may not be called")
def softmax_by_ops(x, dim):
    return torch.ops.aten._softmax(x, dim, False)


@wrong("activations/softmax", "may not be called")
def softmax_by_layer(x, dim):
    return nn.Softmax(dim)(x)


@wrong("activations/softmax", "last axis")
def last_axis(x, dim):
    e = (x - x.max(-1, keepdim=True).values).exp()
    return e / e.sum(-1, keepdim=True)


@wrong("activations/softmax", "gradient")
def with_eps(x, dim):
    e = (x - x.amax(dim, True)).exp()
    return e / (e.sum(dim, True) + 1e-6)


@right("activations/swiglu")
class UpFirst(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.up = nn.Linear(dim, hidden, bias=False)
        self.gate = nn.Linear(dim, hidden, bias=False)
        self.down = nn.Linear(hidden, dim, bias=False)

    def forward(self, x):
        return self.down(self.up(x) * F.silu(self.gate(x)))


@right("activations/swiglu")
class WithLayer(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.down = nn.Linear(hidden, dim, bias=False)
        for name in ("gate", "up"):
            setattr(self, name, nn.Linear(dim, hidden, False))
        self.act = nn.SiLU()

    def forward(self, x):
        g = self.gate(x)
        return self.down(self.act(g) * self.up(x))


@right("activations/swiglu")
class BySigmoid(UpFirst):
    def forward(self, x):
        g = x @ self.gate.weight.T
        return ((g * torch.sigmoid(g)) * (x @ self.up.weight.T)) @ self.down.weight.T


@wrong("activations/swiglu", "gate|missing")
class Llama(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.w1 = nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)
        self.w3 = nn.Linear(dim, hidden, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


@wrong("activations/swiglu", "SiLU on up")
class Swapped(UpFirst):
    def forward(self, x):
        return self.down(F.silu(self.up(x)) * self.gate(x))


@wrong("activations/swiglu", "bias")
class WithBias(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.gate = nn.Linear(dim, hidden)
        self.up = nn.Linear(dim, hidden)
        self.down = nn.Linear(hidden, dim)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


@wrong("activations/swiglu", "wrong values")
class HardSwish(UpFirst):
    def forward(self, x):
        return self.down(F.hardswish(self.gate(x)) * self.up(x))


@wrong("activations/swiglu", "gate|up")
class OneLinear(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.gate_up = nn.Linear(dim, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, dim, bias=False)

    def forward(self, x):
        g, u = self.gate_up(x).chunk(2, -1)
        return self.down(F.silu(g) * u)
