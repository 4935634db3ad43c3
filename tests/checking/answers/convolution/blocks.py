"""Foreign answers to the exercises on blocks."""

import numpy as np
import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F

right("blocks/count")([294912, 17408, 135680])
right("blocks/count")(np.array([294912, 17408, 135680]))
wrong("blocks/count", "two, of 3")([147456, 17408, 135680])
wrong("blocks/count", "depthwise")([294912, 17408, 2490368])
wrong("blocks/count")([294912 + 256, 17408 + 192, 135680 + 1152])  # with biases


@right("blocks/squeeze_excite")
def by_pooling(x, down, up):
    mean = F.adaptive_avg_pool2d(x, 1)
    inside = F.relu(F.conv2d(mean, down[:, :, None, None]))
    return F.conv2d(inside, up[:, :, None, None]).sigmoid() * x


@right("blocks/squeeze_excite")
def by_einsum(x, down, up):
    inside = torch.einsum("nchw,dc->nd", x, down) / (x.shape[2] * x.shape[3])
    gate = 1 / (1 + torch.exp(-torch.einsum("nd,cd->nc", inside.clamp(min=0), up)))
    return torch.einsum("nchw,nc->nchw", x, gate)


@wrong("blocks/squeeze_excite", "ReLU belongs between")
def without_relu(x, down, up):
    return x * (x.mean((2, 3)) @ down.T @ up.T).sigmoid()[..., None, None]


@wrong("blocks/squeeze_excite", "sigmoid of its own")
def shares(x, down, up):
    gate = ((x.mean((2, 3)) @ down.T).relu() @ up.T).softmax(1)
    return x * gate[..., None, None]


@right("blocks/shorten")
def by_a_convolution(x, C_out):
    kernel = torch.eye(C_out, x.shape[1], dtype=x.dtype, device=x.device)
    return F.conv2d(x, kernel[:, :, None, None], stride=2)


@right("blocks/shorten")
def by_cat(x, C_out):
    half = F.max_pool2d(x, 1, 2)
    n, c, h, w = half.shape
    return torch.cat([half, half.new_zeros(n, C_out - c, h, w)], 1)


@wrong("blocks/shorten", "average")
def averages(x, C_out):
    half = F.avg_pool2d(x, 2, ceil_mode=True)
    return F.pad(half, (0, 0, 0, 0, 0, C_out - x.shape[1]))


@wrong("blocks/shorten", "behind them")
def zeros_first(x, C_out):
    half = x[..., ::2, ::2]
    return torch.cat(
        [half.new_zeros(len(x), C_out - x.shape[1], *half.shape[2:]), half], 1
    )


@right("blocks/with_shortcut")
def by_dirac(weight):
    return weight + nn.init.dirac_(torch.empty_like(weight))


@right("blocks/with_shortcut")
def by_padding(weight):
    half = weight.shape[-1] // 2
    eye = torch.eye(len(weight), dtype=weight.dtype, device=weight.device)
    return weight + F.pad(eye[:, :, None, None], [half] * 4)


@wrong("blocks/with_shortcut", "sum of all inputs")
def to_all(weight):
    merged = weight.clone()
    middle = weight.shape[-1] // 2
    merged[:, :, middle, middle] += 1
    return merged


@wrong("blocks/with_shortcut", "moves the picture")
def in_the_corner(weight):
    merged = weight.clone()
    for c in range(len(merged)):
        merged[c, c, 0, 0] += 1
    return merged


wrong("blocks/half", "sign|minus")((0.63, 0.012))
wrong("blocks/half")((-0.3, 0.012))
