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


@right("pooling/summary")
def by_loop(x, lengths):
    means = [row[:, :n].mean(1) for row, n in zip(x, lengths.tolist(), strict=True)]
    return torch.stack(means)


@right("pooling/summary")
def by_weights(x, lengths):
    mask = torch.stack([torch.arange(x.shape[-1]) < n for n in lengths]).to(x.dtype)
    return torch.einsum("ncl,nl->nc", x, mask / mask.sum(1, keepdim=True))


@right("pooling/summary")
def by_nanmean(x, lengths):
    place = torch.arange(x.shape[2]).expand(len(x), 1, -1)
    return x.masked_fill(place >= lengths[:, None, None], float("nan")).nanmean(2)


@right("pooling/summary")
def by_layer(x, lengths):
    rows = [F.adaptive_avg_pool1d(x[i, :, : lengths[i]], 1) for i in range(len(x))]
    return torch.stack(rows)[..., 0]


@wrong("pooling/summary", "filler")
def of_all(x, lengths):
    return x.mean(2)


@wrong("pooling/summary", "divide by L")
def by_mask_and_mean(x, lengths):
    mask = torch.arange(x.shape[2]) < lengths[:, None]
    return (x * mask[:, None]).mean(2)


@wrong("pooling/summary", "filler is in the sum")
def by_rescaling(x, lengths):
    return F.adaptive_avg_pool1d(x, 1)[:, :, 0] * x.shape[2] / lengths[:, None]


@wrong("pooling/summary", "last step")
def without_the_last(x, lengths):
    mask = torch.arange(x.shape[2]) < lengths[:, None] - 1
    return (x * mask[:, None]).sum(2) / lengths[:, None]


@right("pooling/to_input")
def by_autograd(x, g):
    n, o = x.shape[-1], g.shape[-1]
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        y = torch.stack(
            [x[..., i * n // o : -(-(i + 1) * n // o)].max(-1)[0] for i in range(o)], -1
        )
        return torch.autograd.grad(y, x, g)[0]


@right("pooling/to_input")
def by_scatter(x, g):
    n, o = x.shape[-1], g.shape[-1]
    where = []
    for i in range(o):
        a, b = int(np.floor(i * n / o)), int(np.ceil((i + 1) * n / o))
        where.append(a + x[..., a:b].argmax(-1))
    return torch.zeros_like(x).scatter_add_(-1, torch.stack(where, -1), g)


@right("pooling/to_input")
def by_rows(x, g):
    rows, grads = x.reshape(-1, x.shape[-1]), g.reshape(-1, g.shape[-1])
    dx = torch.zeros_like(rows)
    n, o = rows.shape[1], grads.shape[1]
    for r in range(len(rows)):
        for i in range(o):
            start, best = i * n // o, i * n // o
            for k in range(start, ((i + 1) * n + o - 1) // o):
                if rows[r, k] > rows[r, best]:
                    best = k
            dx[r, best] += grads[r, i]
    return dx.view(x.shape)


@wrong("pooling/to_input", "may not be")
def by_layer_and_autograd(x, g):
    with torch.enable_grad():
        rows = x.detach().reshape(1, -1, x.shape[-1]).requires_grad_()
        y = nn.AdaptiveMaxPool1d(g.shape[-1])(rows)
        return torch.autograd.grad(y, rows, g.reshape(y.shape))[0].view(x.shape)


@wrong("pooling/to_input", "share")
def by_amax(x, g):
    n, o = x.shape[-1], g.shape[-1]
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        bins = [x[..., i * n // o : -(-(i + 1) * n // o)] for i in range(o)]
        y = torch.stack([b.amax(-1) for b in bins], -1)
        return torch.autograd.grad(y, x, g)[0]


@wrong("pooling/to_input", "add up")
def by_assignment(x, g):
    n, o = x.shape[-1], g.shape[-1]
    dx = torch.zeros_like(x)
    for i in range(o):
        start = i * n // o
        at = start + x[..., start : -(-(i + 1) * n // o)].argmax(-1, keepdim=True)
        dx.scatter_(-1, at, g[..., i : i + 1])
    return dx


def _differences(stride=2, padding=1, framed=True):
    """The exercise's paired differences, by another formula of the change."""
    from helpers import digits

    x = digits()[2]
    x = F.pad(x, (4,) * 4) if framed else x

    def changes(pool):
        y, moved = pool(x), pool(torch.cat([x[..., -1:], x[..., :-1]], -1))
        on = torch.cat([y[..., -1:], y[..., :-1]], -1)
        gaps = [(moved - z).square().sum((1, 2, 3)) for z in (y, on)]
        return (torch.minimum(*gaps) / y.square().sum((1, 2, 3))).sqrt()

    d = changes(nn.MaxPool2d(3, stride, padding)) - changes(nn.MaxPool2d(2))
    return d[:560].view(8, 70).mean(1)


right("pooling/overlap")(_differences)
right("pooling/overlap")(lambda: (_differences().mean(), _differences().std() / 8**0.5))
right("pooling/overlap")(lambda: _differences(padding=0))  # the frame is wide enough
wrong("pooling/overlap", "sign|minus")(lambda: -_differences())
wrong("pooling/overlap", "stride")(lambda: _differences(stride=1))
wrong("pooling/overlap", "frame")(lambda: _differences(framed=False))
wrong("pooling/overlap", "root|deviation")(
    lambda: (_differences().mean(), _differences().std())
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
