"""Foreign answers to the exercises on pooling."""

import numpy as np
import torch
from answers import FOREIGN, Foreign, right, wrong
from torch import nn
from torch.nn import functional as F


@right("pooling/average")
def by_windows(x, kernel_size, stride, padding, count_include_pad):
    n = x.shape[-1]
    means = []
    for start in range(-padding, n + padding - kernel_size + 1, stride):
        part = x[..., max(start, 0) : min(start + kernel_size, n)]
        count = kernel_size if count_include_pad else part.shape[-1]
        means.append(part.sum(-1) / count)
    return torch.stack(means, -1)


@right("pooling/average")
def by_sums(x, kernel_size, stride, padding, count_include_pad):
    n = x.shape[-1]
    start = torch.arange(0, n + 2 * padding - kernel_size + 1, stride) - padding
    place = torch.arange(n)[:, None]
    inside = (place >= start) & (place < start + kernel_size)
    y = x @ inside.to(x.dtype)
    return y / (kernel_size if count_include_pad else inside.sum(0))


@right("pooling/average")
def by_nan(x, kernel_size, stride, padding, count_include_pad):
    fill = 0 if count_include_pad else float("nan")
    return (
        F.pad(x, (padding,) * 2, value=fill).unfold(-1, kernel_size, stride).nanmean(-1)
    )


@right("pooling/average")
def by_convolution(x, kernel_size, stride, padding, count_include_pad):
    k = torch.full((1, 1, kernel_size), 1 / kernel_size, dtype=x.dtype)
    rows = x.reshape(-1, 1, x.shape[-1])
    y = F.conv1d(rows, k, stride=stride, padding=padding)
    if not count_include_pad:
        y = y / F.conv1d(torch.ones_like(rows), k, stride=stride, padding=padding)
    return y.reshape(*x.shape[:-1], -1)


@wrong("pooling/average", "may not be")
def layer(x, kernel_size, stride, padding, count_include_pad):
    return nn.AvgPool1d(kernel_size, stride, padding, False, count_include_pad)(x)


@wrong("pooling/average", "may not be")
def lp(x, kernel_size, stride, padding, count_include_pad):
    y = F.pad(x, (padding, padding)).view(-1, 1, x.shape[-1] + 2 * padding)
    return F.lp_pool1d(y, 1, kernel_size, stride) / kernel_size


@wrong("pooling/average", "may not be")
def below(x, kernel_size, stride, padding, count_include_pad):
    return torch.ops.aten.avg_pool1d(
        x, [kernel_size], [stride], [padding], False, count_include_pad
    )


@wrong("pooling/average", "axes|any number|shape")
def of_three_axes(x, kernel_size, stride, padding, count_include_pad):
    n, c, _ = x.shape
    y = F.pad(x, (padding, padding)).unfold(2, kernel_size, stride)
    return y.mean(-1)


@wrong("pooling/average", "kernel_size")
def mean_always(x, kernel_size, stride, padding, count_include_pad):
    return F.pad(x, (padding, padding)).unfold(-1, kernel_size, stride).mean(-1)


@wrong("pooling/average", "zero|places|0")
def counts_nonzero(x, kernel_size, stride, padding, count_include_pad):
    w = F.pad(x, (padding, padding)).unfold(-1, kernel_size, stride)
    return w.sum(-1) / (kernel_size if count_include_pad else (w != 0).sum(-1))


@wrong("pooling/average", ":-0")
def removes_ends(x, kernel_size, stride, padding, count_include_pad):
    ones = F.pad(torch.ones_like(x), (padding, padding))
    ones = ones[..., padding:-padding]
    w = F.pad(x, (padding, padding)).unfold(-1, kernel_size, stride)
    n = F.pad(ones, (padding, padding)).unfold(-1, kernel_size, stride).sum(-1)
    return w.sum(-1) / (kernel_size if count_include_pad else n)


@right("pooling/adaptive")
def by_matrix(x, output_size):
    n = x.shape[-1]
    i = torch.arange(output_size)
    start = (i * n).div(output_size, rounding_mode="floor")
    end = ((i + 1) * n + output_size - 1).div(output_size, rounding_mode="floor")
    k = torch.arange(n)[:, None]
    inside = ((k >= start) & (k < end)).to(x.dtype)
    return x @ (inside / inside.sum(0))


@right("pooling/adaptive")
def by_ceil(x, output_size):
    n = x.size(-1)
    out = x.new_empty(*x.shape[:-1], output_size)
    for i in range(output_size):
        a = int(np.floor(i * n / output_size))
        b = int(np.ceil((i + 1) * n / output_size))
        out[..., i] = x[..., a:b].sum(-1) / (b - a)
    return out


@right("pooling/adaptive")
def by_cumsum(x, output_size):
    n = x.shape[-1]
    s = F.pad(x, (1, 0)).cumsum(-1)
    a = [i * n // output_size for i in range(output_size)]
    b = [((i + 1) * n - 1) // output_size + 1 for i in range(output_size)]
    count = torch.tensor(b) - torch.tensor(a)
    return (s[..., b] - s[..., a]) / count


@wrong("pooling/adaptive", "may not be")
def adaptive_layer(x, output_size):
    return nn.AdaptiveAvgPool1d(output_size)(x)


@wrong("pooling/adaptive", "may not be")
def area(x, output_size):
    return F.interpolate(x.reshape(1, -1, x.shape[-1]), output_size, mode="area").view(
        *x.shape[:-1], -1
    )


@wrong("pooling/adaptive", "formula|kernel and one stride")
def by_formula(x, output_size):
    n = x.shape[-1]
    stride = n // output_size
    kernel = n - (output_size - 1) * stride
    return x.unfold(-1, kernel, stride).mean(-1)


@wrong("pooling/adaptive", "share|overlap|parts|bins")
def by_array_split(x, output_size):
    return torch.stack([p.mean(-1) for p in x.tensor_split(output_size, -1)], -1)


@wrong("pooling/adaptive", "rounded")
def by_chunks(x, output_size):
    n = x.shape[-1]
    means = []
    for i in range(output_size):
        a, b = int(i * n / output_size), int((i + 1) * n / output_size)
        means.append(x[..., a : max(b, a + 1)].mean(-1))
    return torch.stack(means, -1)


@wrong("pooling/adaptive", "last|axis")
def on_first_axis(x, output_size):
    n = x.shape[0]
    return torch.stack(
        [
            x[i * n // output_size : -(-(i + 1) * n // output_size)].mean(0)
            for i in range(output_size)
        ]
    )


FOREIGN.extend(
    Foreign("pooling/plain", *case)
    for case in (
        ((3, 2, 1), True),
        (torch.tensor([3, 2, 1]), True),
        ([3.0, 2.0, 1.0], True),
        ({"kernel_size": 3, "stride": 2, "padding": 1}, False, "list"),
        ([1, 2, 3], False, "order"),
        ([4, 2, 1], False),
        ([3, 2], False, "3 values"),
        ("3, 2, 1", False, "list"),
    )
)
FOREIGN.extend(
    Foreign("pooling/gradient", *case)
    for case in (
        ((0, 2, 0, 1, 0), True),
        (torch.tensor([[[0.0, 2, 0, 1, 0]]]), True),
        (np.array([0, 2, 0, 1, 0]), True),
        ([0, 1, 0, 2, 0], False, "tie"),
        ([0, True, 0, True, 0], False),
        ([False, True, False, True, False], False, "number"),
        ([1, 3], False, "5 values"),
        (3, False, "list"),
    )
)
