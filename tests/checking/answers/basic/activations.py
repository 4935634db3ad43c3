"""Foreign answers to the exercises on activations."""

import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F

right("activations/edges")((-1, 1, 6, 1.5, 0))
right("activations/edges")(torch.tensor([-1.0, 1.0, 6.0, 1.5, -0.0]))
wrong("activations/edges", "equals the threshold")([0.5, 1, 6, 1.5, 0])
wrong("activations/edges", "Hardshrink")([-1, 1, 6, 2, 0])
wrong("activations/edges")([-1, 1, 6, 1.5])


@right("activations/softplus")
def by_size(z):
    return z.clamp(min=0) + torch.log1p(torch.exp(-z.abs()))


@right("activations/softplus")
def by_logaddexp(z):
    return torch.logaddexp(z, torch.zeros_like(z))


@right("activations/softplus")
def by_mask(z):
    y = z.clone()
    small = z < 30
    y[small] = torch.log1p(torch.exp(z[small]))
    return y


@wrong("activations/softplus", "nan")
def as_given(z):
    return torch.where(z > 20, z, torch.log(1 + torch.exp(z)))


@wrong("activations/softplus", "nan|gradient")
def patched(z):
    return torch.nan_to_num(torch.log1p(torch.exp(z)), posinf=0) + z * (z > 700)


@wrong("activations/softplus", "may not be called")
def softplus_by_torch(z):
    return nn.Softplus()(z)


@wrong("activations/softplus", "may not be called")
def by_logsigmoid(z):
    return -F.logsigmoid(-z)


right("activations/centered")((-14.6, 0.96))
right("activations/centered")(
    [float(n) for n in (-12, -14, -14, -13, -14, -10, -16, -19, -14, -20)]
)
wrong("activations/centered", "sign")((14.6, 0.96))
wrong("activations/centered", "standard deviation")((-14.6, 3.03))


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
