"""Foreign answers to the exercises on padding."""

import numpy as np
import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F


@right("padding/reflect_replicate")
def flipped(x, left, right, mode):
    n = x.shape[-1]
    if mode == "reflect":
        before = x[..., 1 : left + 1].flip(-1)
        after = x[..., n - right - 1 : n - 1].flip(-1)
    else:
        before = x[..., :1].expand(*x.shape[:-1], left)
        after = x[..., -1:].expand(*x.shape[:-1], right)
    return torch.cat([before, x, after], -1)


@right("padding/reflect_replicate")
def by_lists(x, left, right, mode):
    n = x.size(-1)
    places = range(-left, n + right)
    if mode == "replicate":
        index = [min(max(i, 0), n - 1) for i in places]
    else:
        index = [-i if i < 0 else 2 * (n - 1) - i if i >= n else i for i in places]
    return torch.stack([x.select(-1, i) for i in index], dim=-1)


@right("padding/reflect_replicate")
def gathered(x, left, right, mode):
    how = {"reflect": "reflect", "replicate": "edge"}[mode]
    index = torch.from_numpy(np.pad(np.arange(x.shape[-1]), (left, right), how))
    return torch.index_select(x, x.dim() - 1, index)


@wrong("padding/reflect_replicate", "empty|-0|width|shape")
def minus_zero(x, left, right, mode):
    if mode == "reflect":
        before, after = x[..., 1 : left + 1], x[..., -right - 1 : -1]
        return torch.cat([before.flip(-1), x, after.flip(-1)], -1)
    before = x[..., :1].repeat_interleave(left, -1)
    return torch.cat([before, x, x[..., -right:]], -1)


@wrong("padding/reflect_replicate", "repeats the border")
def symmetric(x, left, right, mode):
    if mode == "replicate":
        return flipped(x, left, right, mode)
    n = x.shape[-1]
    before, after = x[..., :left].flip(-1), x[..., n - right :].flip(-1)
    return torch.cat([before, x, after], -1)


@wrong("padding/reflect_replicate", "may not be called")
def by_layer(x, left, right, mode):
    layers = {"reflect": nn.ReflectionPad1d, "replicate": nn.ReplicationPad1d}
    y = x.reshape(1, -1, x.shape[-1])
    return layers[mode]((left, right))(y).reshape(*x.shape[:-1], -1)


@wrong("padding/reflect_replicate", "may not be called")
def by_ops(x, left, right, mode):
    y = x.reshape(1, -1, x.shape[-1])
    y = torch.ops.aten.reflection_pad1d(y, [left, right])
    return y.reshape(*x.shape[:-1], -1)


@wrong("padding/causal", r":-0|kernel of (size )?1|cut")
def chomp(x, weight, bias, dilation=1):
    p = (weight.shape[2] - 1) * dilation
    return F.conv1d(x, weight, bias, padding=p, dilation=dilation)[..., :-p]


@right("padding/causal")
def cut_by_length(x, weight, bias, dilation=1):
    p = (weight.shape[2] - 1) * dilation
    y = F.conv1d(x, weight, bias, padding=p, dilation=dilation)
    return y[..., : x.shape[-1]]


@right("padding/causal")
def by_taps(x, weight, bias, dilation=1):
    k, length = weight.shape[-1], x.shape[-1]
    y = bias[None, :, None].expand(len(x), -1, length)
    for j in range(k):
        shift = (k - 1 - j) * dilation
        past = F.pad(x, (shift, 0))[..., :length]
        y = y + torch.einsum("oc,ncl->nol", weight[..., j], past)
    return y


@right("padding/causal")
def by_layer_of_torch(x, weight, bias, dilation=1):
    zeros = x.new_zeros(*x.shape[:2], (weight.shape[-1] - 1) * dilation)
    return torch.conv1d(torch.cat([zeros, x], -1), weight, bias, 1, 0, dilation)


@right("padding/causal")
def unfolded(x, weight, bias, dilation=1):
    k = weight.shape[-1]
    span = (k - 1) * dilation
    y = nn.ConstantPad1d((span, 0), 0.0)(x).unfold(2, span + 1, 1)[..., ::dilation]
    return torch.tensordot(y, weight, ([1, 3], [1, 2])).mT + bias[:, None]


@wrong("padding/causal", "both sides|future")
def same(x, weight, bias, dilation=1):
    return F.conv1d(x, weight, bias, padding="same", dilation=dilation)


@wrong("padding/causal", "dilation")
def no_dilation(x, weight, bias, dilation=1):
    return F.conv1d(F.pad(x, (weight.shape[-1] - 1, 0)), weight, bias)


@wrong("padding/causal", "shape")
def kernel_of_three(x, weight, bias, dilation=1):
    return F.conv1d(F.pad(x, (2 * dilation, 0)), weight, bias, dilation=dilation)


right("padding/corner")((6, 5, 4, 5, 6))
right("padding/corner")(torch.tensor([[6.0, 5, 4, 5, 6]]))
right("padding/corner")(np.array([6, 5, 4, 5, 6]))
wrong("padding/corner", "list")("65456")
wrong("padding/corner", "5 values")([6, 5, 4, 5])
wrong("padding/corner", "on the left you repeat")([5, 4, 4, 5, 6])
wrong("padding/corner")([[6, 5, 4, 5, 6], [3, 2, 1, 2, 3]])


@right("padding/blur")
def without_padding_counted(x):
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


@right("padding/blur")
def pixel_by_pixel(x):
    rows = []
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            near = x[..., max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2]
            rows.append(near.mean((2, 3)))
    return torch.stack(rows, -1).view(x.shape)


@right("padding/blur")
def two_convolutions(x):
    channels = x.shape[1]
    box = torch.ones(channels, 1, 3, 3, dtype=x.dtype)
    total = F.conv2d(x, box, padding=1, groups=channels)
    count = F.conv2d(torch.ones_like(x), box, padding=1, groups=channels)
    return total / count


@wrong("padding/blur", "count twice")
def replicated(x):
    return F.avg_pool2d(nn.ReplicationPad2d(1)(x), 3, 1)


@wrong("padding/blur", "too dark")
def nine_everywhere(x):
    padded = F.pad(x, (1, 1, 1, 1))
    return padded.unfold(2, 3, 1).unfold(3, 3, 1).mean((-1, -2))
