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


@right("unfold_fold/tokens")
def by_views(x, k):
    n, c, h, w = x.shape
    x = x.reshape(n, c, h // k, k, w // k, k)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(n, -1, k * k * c)


@right("unfold_fold/tokens")
def by_view_of_windows(x, k):
    windows = x.unfold(2, k, k).unfold(3, k, k)  # (N, C, H / k, W / k, k, k)
    return windows.movedim(1, -1).flatten(1, 2).flatten(2)


@right("unfold_fold/tokens")
def patch_after_patch(x, k):
    rows = []
    for i in range(0, x.shape[2], k):
        for j in range(0, x.shape[3], k):
            rows.append(x[:, :, i : i + k, j : j + k].permute(0, 2, 3, 1).flatten(1))
    return torch.stack(rows, 1)


@right("unfold_fold/tokens")
def channels_last_first(x, k):
    y = F.unfold(x, k, stride=k).mT.unflatten(2, (x.size(1), -1))
    return y.mT.reshape(y.size(0), y.size(1), -1)


@wrong("unfold_fold/tokens", "mix numbers")
def by_view_alone(x, k):
    y = F.unfold(x, k, stride=k)
    return y.reshape(y.size(0), y.size(2), y.size(1))


@wrong("unfold_fold/tokens", "channel after channel", never="mix numbers")
def transposed_only(x, k):
    return nn.Unfold(k, stride=k)(x).transpose(1, 2)


@wrong("unfold_fold/tokens", "rows")
def as_columns(x, k):
    return by_views(x, k).mT


@wrong("unfold_fold/tokens", "overlap")
def all_windows(x, k):
    y = F.unfold(x, k).unflatten(1, (x.size(1), k * k))
    return y.permute(0, 3, 2, 1).flatten(2)


@right("unfold_fold/blend")
def by_loop(columns, weight, output_size, stride):
    h, w = output_size
    k = len(weight)
    n = columns.shape[0]
    across = (w - k) // stride + 1
    p = columns.view(n, -1, k, k, columns.shape[-1])
    y = columns.new_zeros(n, p.shape[1], h, w)
    total = torch.zeros_like(y)
    for i in range(p.shape[-1]):
        a, b = i // across * stride, i % across * stride
        y[:, :, a : a + k, b : b + k] += weight * p[..., i]
        total[:, :, a : a + k, b : b + k] += weight
    return y / torch.where(total > 0, total, 1)


@right("unfold_fold/blend")
def tiled(columns, weight, output_size, stride):
    fold = nn.Fold(output_size, len(weight), stride=stride)
    w = weight.reshape(1, -1, 1).tile(1, columns.size(1) // weight.numel(), 1)
    sums, total = fold(columns * w), fold(torch.ones_like(columns) * w)
    return torch.where(
        total == 0, torch.zeros_like(sums), sums / (total + (total == 0))
    )


@right("unfold_fold/blend")
def channels_as_samples(columns, weight, output_size, stride):
    n, rows, count = columns.shape
    each = columns.reshape(-1, weight.numel(), count)
    w = weight.flatten()[:, None].repeat(1, count)[None]
    sums = F.fold(w * each, output_size, len(weight), stride=stride)
    total = F.fold(w, output_size, len(weight), stride=stride)
    return (sums / total.clamp_min(1e-12)).view(n, -1, *output_size)


@right("unfold_fold/blend")
def divides_each_tile(columns, weight, output_size, stride):
    k, channels = len(weight), columns.size(1) // weight.numel()
    w = weight.flatten()[:, None].expand(-1, columns.size(2))[None]
    total = F.fold(w, output_size, k, stride=stride)
    share = w / F.unfold(total, k, stride=stride)
    return F.fold(share.repeat(1, channels, 1) * columns, output_size, k, stride=stride)


@wrong("unfold_fold/blend", "0 by 0")
def divides(columns, weight, output_size, stride):
    fold = nn.Fold(output_size, len(weight), stride=stride)
    w = weight.reshape(1, -1, 1).tile(1, columns.size(1) // weight.numel(), 1)
    return fold(columns * w) / fold(torch.ones_like(columns) * w)


@wrong("unfold_fold/blend", "number of tiles|sum of their weights")
def by_counts(columns, weight, output_size, stride):
    fold = nn.Fold(output_size, len(weight), stride=stride)
    w = weight.reshape(1, -1, 1).tile(1, columns.size(1) // weight.numel(), 1)
    return fold(columns * w) / fold(torch.ones_like(columns)).clamp(min=1)


@wrong("unfold_fold/blend", "less than 1")
def clamped(columns, weight, output_size, stride):
    fold = nn.Fold(output_size, len(weight), stride=stride)
    w = weight.reshape(1, -1, 1).tile(1, columns.size(1) // weight.numel(), 1)
    return fold(columns * w) / fold(torch.ones_like(columns) * w).clamp(min=1)


@wrong("unfold_fold/blend", "small number")
def small_added(columns, weight, output_size, stride):
    fold = nn.Fold(output_size, len(weight), stride=stride)
    w = weight.reshape(1, -1, 1).tile(1, columns.size(1) // weight.numel(), 1)
    return fold(columns * w) / (fold(torch.ones_like(columns) * w) + 1e-5)


@right("unfold_fold/attend")
def by_torchs_attention(query, key, value):
    n, c, h, w = query.shape
    outside = 1 - F.unfold(query.new_ones(1, 1, h, w), 3, padding=1)[0].T  # (L, 9)
    bias = torch.where(outside == 1, -torch.inf, 0.0).to(query.dtype)[:, None]
    q = query.flatten(2).mT[:, :, None]  # (N, L, 1, C)
    k, v = (
        F.unfold(t, 3, padding=1).unflatten(1, (-1, 9)).permute(0, 3, 2, 1)
        for t in (key, value)
    )
    y = F.scaled_dot_product_attention(q, k, v, bias, scale=1.0)  # (N, L, 1, C_v)
    return y[:, :, 0].mT.unflatten(2, (h, w))


@right("unfold_fold/attend")
def pixel_after_pixel(query, key, value):
    n, c, h, w = query.shape
    rows = []
    for i in range(h):
        for j in range(w):
            near = (
                slice(None),
                slice(None),
                slice(max(i - 1, 0), i + 2),
                slice(max(j - 1, 0), j + 2),
            )
            k, v = key[near].flatten(2), value[near].flatten(2)
            weights = (query[:, :, i, j, None] * k).sum(1).softmax(-1)
            rows.append((weights[:, None] * v).sum(-1))
    return torch.stack(rows, -1).view(n, -1, h, w)


@right("unfold_fold/attend")
def rescaled(query, key, value):
    n, c, h, w = query.shape
    k, v = (F.unfold(t, 3, padding=1).view(n, -1, 9, h * w) for t in (key, value))
    inside = F.unfold(query.new_ones(1, 1, h, w), 3, padding=1)
    weights = torch.einsum("ncl,ncpl->npl", query.flatten(2), k).softmax(1) * inside
    weights = weights / weights.sum(1, keepdim=True)
    return torch.einsum("npl,ncpl->ncl", weights, v).view(n, -1, h, w)


@right("unfold_fold/attend")
def padded_by_nan(query, key, value):
    n, c, h, w = query.shape
    windows = F.pad(key, (1,) * 4, value=torch.nan).unfold(2, 3, 1).unfold(3, 3, 1)
    outside = windows.isnan()
    k = torch.where(outside, 0.0, windows)
    v = F.pad(value, (1,) * 4).unfold(2, 3, 1).unfold(3, 3, 1)
    alike = torch.einsum("nchw,nchwij->nhwij", query, k)
    alike = alike.masked_fill(outside[:, 0], -1e9).flatten(3)
    weights = alike.softmax(-1).unflatten(-1, (3, 3))
    return torch.einsum("nhwij,nchwij->nchw", weights, v)


def _attend(query, key, value, after):
    n, c, h, w = query.shape
    k, v = (F.unfold(t, 3, padding=1).view(n, -1, 9, h * w) for t in (key, value))
    inside = F.unfold(query.new_ones(1, 1, h, w), 3, padding=1)
    weights = after(torch.einsum("ncl,ncpl->npl", query.flatten(2), k), inside)
    return torch.einsum("npl,ncpl->ncl", weights, v).view(n, -1, h, w)


@wrong("unfold_fold/attend", "less than 1")
def zero_after(query, key, value):
    return _attend(query, key, value, lambda a, inside: a.softmax(1) * inside)


@wrong("unfold_fold/attend", "less than 1")
def likeness_zero(query, key, value):
    return _attend(query, key, value, lambda a, inside: (a * inside).softmax(1))


@wrong("unfold_fold/attend", "all 0|part of the")
def zeros_are_outside(query, key, value):
    n, c, h, w = query.shape
    k = F.unfold(key, 3, padding=1).view(n, -1, 9, h * w)
    outside = (k == 0).all(1)
    return _attend(
        query, key, value, lambda a, _: a.masked_fill(outside, -torch.inf).softmax(1)
    )


@wrong("unfold_fold/attend", "root of C")
def scaled(query, key, value):
    root = query.shape[1] ** 0.5
    return _attend(
        query,
        key,
        value,
        lambda a, i: (a / root).masked_fill(i == 0, -torch.inf).softmax(1),
    )


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
