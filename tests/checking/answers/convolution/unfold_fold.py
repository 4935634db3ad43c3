"""Foreign answers to the exercises on unfold and fold."""

import numpy as np
import torch
from answers import FOREIGN, Foreign, right, wrong
from torch import nn
from torch.nn import functional as F


@right("unfold_fold/unfold1d")
def by_slices(x, kernel_size, stride=1, padding=0, dilation=1):
    n, c, length = x.shape
    p = x.new_zeros(n, c, length + 2 * padding)
    p[:, :, padding : padding + length] = x
    span = dilation * (kernel_size - 1) + 1
    last = p.size(2) - span
    rows = [
        p[:, :, t * dilation : t * dilation + last + 1 : stride]
        for t in range(kernel_size)
    ]
    return torch.stack(rows, 2).reshape(n, c * kernel_size, -1)


@right("unfold_fold/unfold1d")
def by_strides(x, kernel_size, stride=1, padding=0, dilation=1):
    x = F.pad(x, (padding, padding)).contiguous()
    n, c, length = x.shape
    out = (length - dilation * (kernel_size - 1) - 1) // stride + 1
    a, b, s = x.stride()
    y = x.as_strided((n, c, kernel_size, out), (a, b, s * dilation, s * stride))
    return y.reshape(n, -1, out)


@right("unfold_fold/unfold1d")
def by_convolution(x, kernel_size, stride=1, padding=0, dilation=1):
    eye = torch.eye(kernel_size, dtype=x.dtype)[:, None]
    eye = eye.repeat(x.shape[1], 1, 1)
    return F.conv1d(x, eye, None, stride, padding, dilation, groups=x.shape[1])


@right("unfold_fold/unfold1d")
def channel_after_channel(x, kernel_size, stride=1, padding=0, dilation=1):
    x = F.pad(x, (padding, padding))
    starts = range(0, x.shape[-1] - dilation * (kernel_size - 1), stride)
    rows = []
    for c in range(x.shape[1]):
        for t in range(kernel_size):
            rows.append(torch.stack([x[:, c, s + t * dilation] for s in starts], -1))
    return torch.stack(rows, 1)


@wrong("unfold_fold/unfold1d", "may not be")
def method(x, kernel_size, stride=1, padding=0, dilation=1):
    y = F.pad(x, (padding, padding)).unfold(-1, kernel_size, stride)
    return y.mT.flatten(1, 2)


@wrong("unfold_fold/unfold1d", "may not be")
def in_two(x, kernel_size, stride=1, padding=0, dilation=1):
    layer = nn.Unfold((1, kernel_size), (1, dilation), (0, padding), (1, stride))
    return layer(x[:, :, None])


@wrong("unfold_fold/unfold1d", "may not be")
def below(x, kernel_size, stride=1, padding=0, dilation=1):
    return torch._C._nn.im2col(
        x[:, :, None], [1, kernel_size], [1, dilation], [0, padding], [1, stride]
    )


@wrong("unfold_fold/unfold1d", "kernel entry, channel")
def entry_first(x, kernel_size, stride=1, padding=0, dilation=1):
    x = F.pad(x, (padding, padding))
    end = x.shape[-1] - dilation * (kernel_size - 1)
    return torch.cat(
        [
            x[..., t * dilation : t * dilation + end : stride]
            for t in range(kernel_size)
        ],
        1,
    )


@wrong("unfold_fold/unfold1d", "order|mixed|transpose")
def view_only(x, kernel_size, stride=1, padding=0, dilation=1):
    x = F.pad(x, (padding, padding))
    starts = range(0, x.shape[-1] - dilation * (kernel_size - 1), stride)
    y = torch.stack(
        [x[..., s : s + dilation * (kernel_size - 1) + 1 : dilation] for s in starts], 2
    )
    return y.reshape(len(x), -1, len(starts))


@wrong("unfold_fold/unfold1d", ":-0")
def minus_zero(x, kernel_size, stride=1, padding=0, dilation=1):
    x = F.pad(x, (padding, padding))
    span = dilation * (kernel_size - 1)
    rows = [
        x[..., t * dilation : -(span - t * dilation) : stride]
        for t in range(kernel_size)
    ]
    return torch.stack(rows, 2).flatten(1, 2)


@right("unfold_fold/merge")
def by_loop(columns, output_size, kernel_size, stride=1, padding=0):
    h, w = output_size
    k = kernel_size
    n = columns.shape[0]
    across = (w + 2 * padding - k) // stride + 1
    p = columns.view(n, -1, k, k, columns.shape[-1])
    y = columns.new_zeros(n, p.shape[1], h + 2 * padding, w + 2 * padding)
    count = torch.zeros_like(y)
    for i in range(p.shape[-1]):
        a, b = i // across * stride, i % across * stride
        y[:, :, a : a + k, b : b + k] += p[..., i]
        count[:, :, a : a + k, b : b + k] += 1
    y, count = (
        z[..., padding : padding + h, padding : padding + w] for z in (y, count)
    )
    return y / torch.where(count > 0, count, 1)


@right("unfold_fold/merge")
def by_where(columns, output_size, kernel_size, stride=1, padding=0):
    fold = nn.Fold(output_size, kernel_size, padding=padding, stride=stride)
    sums, counts = fold(columns), fold(torch.ones_like(columns))
    return torch.where(
        counts == 0, torch.zeros_like(sums), sums / (counts + (counts == 0))
    )


@right("unfold_fold/merge")
def one_channel(columns, output_size, kernel_size, stride=1, padding=0):
    fold = nn.Fold(output_size, kernel_size, padding=padding, stride=stride)
    ones = torch.ones(1, kernel_size**2, columns.shape[-1], dtype=columns.dtype)
    return fold(columns) / fold(ones).clamp_min(1)


@wrong("unfold_fold/merge", "0 by 0")
def divides(columns, output_size, kernel_size, stride=1, padding=0):
    fold = nn.Fold(output_size, kernel_size, padding=padding, stride=stride)
    return fold(columns) / fold(torch.ones_like(columns))


@right("unfold_fold/merge")
def replaces_nan(columns, output_size, kernel_size, stride=1, padding=0):
    fold = nn.Fold(output_size, kernel_size, padding=padding, stride=stride)
    y = fold(columns) / fold(torch.ones_like(columns))
    return torch.where(y.isnan(), 0.0, y)


@right("unfold_fold/merge")
def nan_to_num(columns, output_size, kernel_size, stride=1, padding=0):
    fold = nn.Fold(output_size, kernel_size, padding=padding, stride=stride)
    return (fold(columns) / fold(torch.ones_like(columns))).nan_to_num(0)


@right("unfold_fold/merge")
def small_added(columns, output_size, kernel_size, stride=1, padding=0):
    fold = nn.Fold(output_size, kernel_size, padding=padding, stride=stride)
    return fold(columns) / (fold(torch.ones_like(columns)) + 1e-8)


@wrong("unfold_fold/merge", "small|every")
def small_added_more(columns, output_size, kernel_size, stride=1, padding=0):
    fold = nn.Fold(output_size, kernel_size, padding=padding, stride=stride)
    return fold(columns) / (fold(torch.ones_like(columns)) + 1e-5)


@wrong("unfold_fold/merge", "stride|padding")
def ignores_stride(columns, output_size, kernel_size, stride=1, padding=0):
    sums = F.fold(columns, output_size, kernel_size, stride=stride, padding=padding)
    ones = F.unfold(torch.ones_like(sums), kernel_size)
    return sums / F.fold(ones, output_size, kernel_size).clamp(min=1)


FOREIGN.extend(
    Foreign("unfold_fold/counts", *case)
    for case in (
        ((2, 4, 2, 4, 2, 2), True),
        (torch.tensor([2.0, 4, 2, 4, 2, 2]), True),
        (np.array([[2, 4, 2, 4, 2, 2]]), True),
        ([[2], [4], [2], [4], [2], [2]], True),
        ([1, 2, 1, 2, 1, 1], False, "row 0"),
        ([2, 2, 4, 2, 4, 2], False, "off by one"),
        ("242422", False, "list"),
        (242422, False, "list"),
    )
)
