"""Foreign answers to the exercises on InstanceNorm."""

import numpy as np
import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F


@wrong("instance_norm/by_hand", "default|1e-5", "leave out eps")
def other_default(x, eps=1e-8):
    d = tuple(range(2, x.dim()))
    z = x - x.mean(d, True)
    return z * torch.rsqrt((z * z).mean(d, True) + eps)


@wrong("instance_norm/by_hand", "default|1e-5", "leave out eps")
def other_default_6(x, eps=1e-6):
    return other_default(x, eps)


@wrong("instance_norm/by_hand", "1e-3.*def line", "leave out eps")
def other_default_3(x, eps=1e-3):
    return other_default(x, eps)


@wrong("instance_norm/by_hand", "eps is not given|no eps", "leave out eps")
def always_tiny(x, eps=1e-5):
    return other_default(x, 1e-8)


@wrong("instance_norm/by_hand", "leave out eps")
def eps_left_out(x, eps=1e-5):
    d = tuple(range(2, x.dim()))
    return (x - x.mean(d, True)) / x.var(d, False, True) ** 0.5


@wrong("instance_norm/by_hand", "eps.*n - 1|n - 1.*eps")
def std_eps(x, eps=1e-5):
    d = tuple(range(2, x.dim()))
    return (x - x.mean(d, True)) / (x.std(d, keepdim=True) + eps)


@wrong("instance_norm/by_hand", "what std gives", "something else")
def biased_std_eps(x, eps=1e-5):
    d = tuple(range(2, x.dim()))
    return (x - x.mean(d, True)) / (x.std(d, correction=0, keepdim=True) + eps)


@right("instance_norm/by_hand")
def flattened(x, eps=1e-5):
    flat = x.flatten(2)
    var, mean = torch.var_mean(flat, 2, keepdim=True, unbiased=False)
    return ((flat - mean) / (var + eps) ** 0.5).reshape_as(x)


@right("instance_norm/by_hand")
def looped(x, eps=1e-5):
    out = torch.empty_like(x)
    for i, sample in enumerate(x):
        for j, m in enumerate(sample):
            out[i, j] = (m - m.mean()) / torch.sqrt(m.var(correction=0) + eps)
    return out


@wrong("instance_norm/by_hand", "axes|any number")
def unpacked(x, eps=1e-5):
    n, c, h, w = x.shape
    y = x.view(n, c, h * w)
    y = (y - y.mean(2, keepdim=True)) / (y.var(2, False, True) + eps).sqrt()
    return y.view(n, c, h, w)


@wrong("instance_norm/by_hand", "may not be called")
def as_batch(x, eps=1e-5):
    y = x.reshape(1, -1, *x.shape[2:])
    return F.batch_norm(y, None, None, training=True, eps=eps).view_as(x)


@wrong("instance_norm/by_hand", "may not be called|may not be built")
def by_layer(x, eps=1e-5):
    layer = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)[x.dim() - 3]
    return layer(x.shape[1], eps=eps)(x)


@wrong("instance_norm/by_hand", "keepdim", "weight")
def no_keepdim(x, eps=1e-5):
    d = tuple(range(2, x.dim()))
    return (x - x.mean(d)) / torch.sqrt(x.var(d, correction=0) + eps)


@right("instance_norm/adain")
def huang(content, style, eps=1e-5):
    def calc_mean_std(feat):
        n, c = feat.size()[:2]
        var = feat.view(n, c, -1).var(dim=2, unbiased=False) + eps
        mean = feat.view(n, c, -1).mean(dim=2)
        return mean.view(n, c, 1, 1), var.sqrt().view(n, c, 1, 1)

    style_mean, style_std = calc_mean_std(style.contiguous())
    content_mean, content_std = calc_mean_std(content.contiguous())
    y = (content - content_mean.expand_as(content)) / content_std.expand_as(content)
    return y * style_std.expand_as(content) + style_mean.expand_as(content)


@wrong("instance_norm/adain", "n - 1")
def naoto(content, style, eps=1e-5):
    def calc_mean_std(feat):
        n, c = feat.size()[:2]
        std = (feat.flatten(2).var(dim=2) + eps).sqrt().view(n, c, 1, 1)
        return feat.flatten(2).mean(dim=2).view(n, c, 1, 1), std

    style_mean, style_std = calc_mean_std(style)
    content_mean, content_std = calc_mean_std(content)
    return (content - content_mean) / content_std * style_std + style_mean


@wrong("instance_norm/adain", "eps.*n - 1|n - 1.*eps")
def std_eps_both(content, style, eps=1e-5):
    def mean_std(t):
        return t.mean((2, 3), True), t.std((2, 3), keepdim=True) + eps

    (a, b), (c, d) = mean_std(content), mean_std(style)
    return (content - a) / b * d + c


@wrong("instance_norm/adain", "default|1e-5|eps")
def adain_default(content, style, eps=1e-8):
    return huang(content, style, eps)


@wrong("instance_norm/adain", "may not be called")
def adain_forbidden(content, style, eps=1e-5):
    std = (style.var((2, 3), False, True) + eps).sqrt()
    return F.instance_norm(content, eps=eps) * std + style.mean((2, 3), True)


right("instance_norm/blind")((True, True, False, False, True, True, False))
right("instance_norm/blind")(torch.tensor([1, 1, 0, 0, 1, 1, 0]).bool())
right("instance_norm/blind")(np.array([1, 1, 0, 0, 1, 1, 0]) == 1)
wrong("instance_norm/blind", "bool", "0 of 7")([1, 1, 0, 0, 1, 1, 0])
wrong("instance_norm/blind", "7 values")([True, True])
wrong("instance_norm/blind", "bool|str")(["yes"] * 7)


@right("instance_norm/photo_norm")
def by_functional(x, weight, bias):
    return F.instance_norm(x, weight=weight, bias=bias)


@right("instance_norm/photo_norm")
def affine_afterwards(x, weight, bias):
    n, c, h, w = x.shape
    y = F.batch_norm(x.reshape(1, n * c, h, w), None, None, training=True)
    return y.view_as(x) * weight[:, None, None] + bias[:, None, None]


@wrong("instance_norm/photo_norm", "repeated as a whole")
def interleaved(x, weight, bias):
    n, c, h, w = x.shape
    weights = [t.repeat_interleave(n) for t in (weight, bias)]
    y = F.batch_norm(x.reshape(1, n * c, h, w), None, None, *weights, training=True)
    return y.view_as(x)


@wrong("instance_norm/photo_norm", "share their mean")
def one_batch(x, weight, bias):
    return F.batch_norm(x, None, None, weight, bias, training=True)


right("instance_norm/ruler")((49.3, 1.2))
wrong("instance_norm/ruler", "sign")((-49.3, 1.2))
wrong("instance_norm/ruler")((5.0, 1.0))
