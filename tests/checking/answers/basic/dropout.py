"""Foreign answers to the exercises on dropout."""

import math
from fractions import Fraction

import numpy as np
import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F


@wrong("dropout/inverted", "same number")
def exact_share(x, p, training=True):
    if not training:
        return x
    if p == 1:
        return x * 0
    keep = torch.ones(x.numel(), dtype=x.dtype)
    keep[torch.randperm(x.numel())[: round(p * x.numel())]] = 0
    return x * keep.view(x.shape) / (1 - p)


@wrong("dropout/inverted", "same number")
def exact_share_a_sample(x, p, training=True):
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0
    noise = torch.rand(len(x), x[0].numel())
    limit = noise.sort(1).values[:, round(p * noise.shape[1]) - 1, None]
    return x * (noise > limit).view(x.shape) / (1 - p)


@wrong("dropout/inverted", "depend on one another|independent", "same number")
def half_twice(x, p, training=True):
    if not training:
        return x
    if p == 1:
        return x * 0
    half = torch.rand(x.numel() // 2) >= p
    return x * torch.cat([half, half]).view(x.shape) / (1 - p)


@wrong("dropout/inverted", "depend on one another|independent", "same number")
def half_mirrored(x, p, training=True):
    if not training:
        return x
    if p == 1:
        return x * 0
    half = torch.rand(len(x) // 2, *x.shape[1:]) >= p
    return x * torch.cat([half, half.flip(0)]) / (1 - p)


@wrong("dropout/inverted", "number of zeros varies")
def opposite_halves(x, p, training=True):
    if not training:
        return x
    if p == 1:
        return x * 0
    half = torch.rand(len(x) // 2, *x.shape[1:])
    return x * (torch.cat([half, 1 - half]) >= p) / (1 - p)


@wrong("dropout/inverted", "Nothing is set to 0", "share one mask")
def gaussian(x, p, training=True):
    if not training:
        return x
    if p == 1:
        return x * 0
    noise = torch.randn(x.shape, dtype=x.dtype)
    return x * (1 + math.sqrt(p / (1 - p)) * noise)


@wrong("dropout/inverted", "some values are set to 0")
def identity(x, p, training=True):
    return x


@right("dropout/inverted")
def d2l(x, p, training=True):
    if not training:
        return x
    if p == 1:
        return torch.zeros_like(x)
    mask = (torch.rand(x.shape) > p).float()
    return (mask * x / (1.0 - p)).to(x.dtype)


@right("dropout/inverted")
def bernoulli(x, p, training=True):
    if not training or p == 0:
        return x
    keep = torch.empty_like(x).bernoulli_(1 - p)
    return x * keep / max(1 - p, 1e-9)


@right("dropout/inverted")
def filled(x, p, training=True):
    if not training:
        return x
    y = x.masked_fill(torch.rand_like(x) < p, 0)
    return y if p == 1 else y / (1 - p)


@right("dropout/inverted")
def numpys_mask(x, p, training=True):
    if not training or not p:
        return x
    keep = np.random.default_rng().random(x.shape) >= p
    return x * torch.from_numpy(keep) * (1 / (1 - p) if p < 1 else 0)


@right("dropout/inverted")
def distribution(x, p, training=True):
    if training and p == 1.0:
        return 0 * x
    if training:
        keep = torch.distributions.Bernoulli(probs=1 - p).sample(x.shape).to(x)
        return x.mul(keep).div(1 - p)
    return x


@wrong("dropout/inverted", "may not be called")
def by_native(x, p, training=True):
    return torch.native_dropout(x, p, training)[0]


@wrong("dropout/inverted", "may not be called")
def by_layer(x, p, training=True):
    return nn.Dropout(p).train(training)(x)


@wrong("dropout/inverted", "may not be called")
def by_alpha(x, p, training=True):
    return F.feature_alpha_dropout(x, p, training)


@wrong("dropout/inverted", "do not rescale")
def not_scaled(x, p, training=True):
    return x * (torch.rand(x.shape) >= p) if training else x


@wrong("dropout/inverted", "p = 1|0 / 0|finite")
def no_special_case(x, p, training=True):
    return x * (torch.rand(x.shape) >= p) / (1 - p) if training else x


@wrong("dropout/inverted", "eval mode too|training=False")
def always(x, p, training=True):
    return filled(x, p)


@wrong("dropout/inverted", "float64|data type|dtype")
def float64_mask(x, p, training=True):
    if not training:
        return x
    if p == 1:
        return x * 0
    return x * (torch.rand(x.shape) >= p).double() / (1 - p)


@wrong("dropout/inverted", "in place|change")
def in_place(x, p, training=True):
    if not training:
        return x
    x *= torch.rand(x.shape) >= p
    return x if p == 1 else x / (1 - p)


@wrong("dropout/inverted", "function|def", "without calling it")
class AClass(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.p = p


@right("dropout/channels")
def by_view(x, p, training=True):
    if not training:
        return x
    if p == 1:
        return torch.zeros_like(x)
    n, c = x.size()[:2]
    mask = torch.bernoulli(torch.full((n, c), 1 - p, dtype=x.dtype))
    for _ in range(x.dim() - 2):
        mask = mask.unsqueeze(-1)
    return x * mask.expand_as(x) / (1 - p)


@right("dropout/channels")
def by_loop(x, p, training=True):
    if not training:
        return x
    y = torch.zeros_like(x)
    for i in range(x.shape[0]):
        for c in (torch.rand(x.shape[1]) >= p).nonzero().flatten().tolist():
            y[i, c] = x[i, c] / (1 - p)
    return y


@wrong("dropout/channels", "same number")
def exact_channels(x, p, training=True):
    if not training:
        return x
    if p == 1:
        return x * 0
    n = x.shape[0] * x.shape[1]
    keep = torch.ones(n)
    keep[torch.randperm(n)[: int(p * n)]] = 0
    return x * keep.view(*x.shape[:2], *[1] * (x.dim() - 2)).to(x) / (1 - p)


@wrong("dropout/channels", "You delete elements")
def elements(x, p, training=True):
    return d2l(x, p, training)


@wrong("dropout/channels", "same channels")
def same_channels(x, p, training=True):
    if not training:
        return x
    if p == 1:
        return x * 0
    keep = torch.rand(1, x.shape[1], *[1] * (x.dim() - 2)) >= p
    return x * keep / (1 - p)


@wrong("dropout/channels", "may not be called")
def by_dropout2d(x, p, training=True):
    return F.dropout2d(x, p, training)


@wrong("dropout/channels", "axes|any number|unpack")
def four_axes(x, p, training=True):
    n, c, h, w = x.shape
    return by_view(x, p, training)


right("dropout/variance")([2, Fraction(16, 3), 3])
right("dropout/variance")((2.0, 5.333, 3.0))
right("dropout/variance")(torch.tensor([2.0, 16 / 3, 3.0]))
wrong("dropout/variance", "mean 0")([2, 4, 3])
wrong("dropout/variance", "close|digits")([2, 5.3, 3])
wrong("dropout/variance", "of 3")([2, 3 / 0.75 + 1, 3])
wrong("dropout/variance", "number|str")(["2", "16/3", "3"])


class Attend(nn.Module):
    def __init__(self, dim, p):
        super().__init__()
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.drop = nn.Dropout(p)
        self.scale = dim**-0.5

    def weights(self, q, k):
        return (q @ k.mT * self.scale).softmax(-1)


@right("dropout/attention")
class ByHand(Attend):
    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.out(self.drop(self.weights(q, k)) @ v)


@right("dropout/attention")
class ByProduct(Attend):
    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        p = self.drop.p * self.training
        return self.out(F.scaled_dot_product_attention(q, k, v, dropout_p=p))


@wrong("dropout/attention", "drop in eval mode")
class Always(Attend):
    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.out(F.dropout(self.weights(q, k), self.drop.p) @ v)


@wrong("dropout/attention", "Nothing is dropped")
class Never(Attend):
    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.out(F.scaled_dot_product_attention(q, k, v))


@wrong("dropout/attention", "elements of the output")
class Output(Attend):
    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.drop(self.out(F.scaled_dot_product_attention(q, k, v)))


right("dropout/blocks")((-0.105, 0.004))
right("dropout/blocks")((-0.107, 0.003))
wrong("dropout/blocks", "sign")((0.105, 0.004))
wrong("dropout/blocks", "standard deviation")((-0.105, 0.0115))
