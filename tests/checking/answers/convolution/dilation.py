"""Foreign answers to the exercises on dilation."""

import numpy as np
import torch
from answers import FOREIGN, Foreign, right, wrong
from torch import nn
from torch.nn import functional as F


@right("dilation/by_hand")
def by_index(x, weight, bias, dilation):
    (a, b), (k, m) = dilation, weight.shape[2:]
    h, w = x.shape[2] - a * (k - 1), x.shape[3] - b * (m - 1)
    i = torch.arange(h)[:, None] + a * torch.arange(k)
    j = torch.arange(w)[:, None] + b * torch.arange(m)
    windows = x[:, :, i[:, None, :, None], j[None, :, None, :]]
    return torch.einsum("nchwij,ocij->nohw", windows, weight) + bias.view(-1, 1, 1)


@right("dilation/by_hand")
def by_stride_of_memory(x, weight, bias, dilation):
    x = x.contiguous()
    (a, b), (k, m) = dilation, weight.shape[2:]
    n, c, h, w = x.shape
    s = x.stride()
    size = n, c, h - a * (k - 1), w - b * (m - 1), k, m
    windows = x.as_strided(size, (*s, a * s[2], b * s[3]))
    return torch.tensordot(windows, weight, ([1, 4, 5], [1, 2, 3])).movedim(
        3, 1
    ) + bias.reshape(-1, 1, 1)


@right("dilation/by_hand")
def pixel_after_pixel(x, weight, bias, dilation):
    (a, b), (k, m) = dilation, weight.shape[2:]
    h, w = x.shape[2] - a * (k - 1), x.shape[3] - b * (m - 1)
    rows = []
    for i in range(h):
        row = []
        for j in range(w):
            part = x[:, :, i : i + a * (k - 1) + 1 : a, j : j + b * (m - 1) + 1 : b]
            row.append(torch.einsum("ncij,ocij->no", part, weight) + bias)
        rows.append(torch.stack(row, 2))
    return torch.stack(rows, 2)


@wrong("dilation/by_hand", "may not be")
def windows(x, weight, bias, dilation):
    y = x.unfold(2, 3, 1)
    return y


@wrong("dilation/by_hand", "may not be")
def layer(x, weight, bias, dilation):
    o, c, *k = weight.shape
    return nn.Conv2d(c, o, k, dilation=dilation)(x)


@wrong("dilation/by_hand", "may not be")
def below(x, weight, bias, dilation):
    y = torch.ops.aten.im2col(x, weight.shape[2:], dilation, [0, 0], [1, 1])
    y = weight.flatten(1) @ y + bias[:, None]
    return y.view(
        len(x), len(weight), x.shape[2] - dilation[0] * (weight.shape[2] - 1), -1
    )


@wrong("dilation/by_hand", "first rate|swapped|columns")
def one_rate(x, weight, bias, dilation):
    return by_index(x, weight, bias, (dilation[0], dilation[0]))


@right("dilation/touched")
def by_list(dilations, kernel_size):
    reach = [0]
    for d in dilations:
        reach = sorted({r + i * d for r in reach for i in range(kernel_size)})
    return [len(reach), reach[-1] + 1]


@right("dilation/touched")
def by_polynomial(dilations, kernel_size):
    p = np.array([1])
    for d in dilations:
        step = np.zeros(d * (kernel_size - 1) + 1, dtype=int)
        step[::d] = 1
        p = np.convolve(p, step)
    return np.count_nonzero(p), p.size


@right("dilation/touched")
def as_tensors(dilations, kernel_size):
    reach = torch.zeros(1, dtype=torch.long)
    for d in dilations:
        reach = (reach[:, None] + d * torch.arange(kernel_size)).unique()
    return torch.tensor([len(reach), reach.max() + 1])


@right("dilation/touched")
def of_bits(dilations, kernel_size):
    bits = 1
    for d in dilations:
        new = 0
        for i in range(kernel_size):
            new |= bits << i * d
        bits = new
    return bits.bit_count(), bits.bit_length()


@wrong("dilation/touched", "paths")
def paths(dilations, kernel_size):
    return kernel_size ** len(dilations), 1 + (kernel_size - 1) * sum(dilations)


@wrong("dilation/touched", "may not be")
def by_gradient(dilations, kernel_size):
    n = 1 + (kernel_size - 1) * sum(dilations)
    x = torch.ones(1, 1, n, requires_grad=True)
    y = x
    for d in dilations:
        y = y.unfold(-1, (kernel_size - 1) * d + 1, 1)[..., ::d].sum(-1)
    y.sum().backward()
    return int((x.grad != 0).sum()), n


@wrong("dilation/touched", "may not be")
def by_convolution(dilations, kernel_size):
    n = 1 + (kernel_size - 1) * sum(dilations)
    found = 0
    for i in range(n):
        x = torch.eye(n)[i].view(1, 1, n)
        for d in dilations:
            x = F.conv1d(x, torch.ones(1, 1, kernel_size), dilation=d)
        found += int(x.item() > 0)
    return found, n


@wrong("dilation/touched", "pair|two|values")
def only_touched(dilations, kernel_size):
    return by_list(dilations, kernel_size)[0]


FOREIGN.extend(
    Foreign("dilation/three_rates", *case)
    for case in (
        ([1, 3, 9], True),
        ((9, 3, 1), True),
        ([3, 1, 9], True),
        (torch.tensor([1, 3, 9]), True),
        (np.array([9, 1, 3]), True),
        ({1, 3, 9}, True),
        ([1.0, 3.0, 9.0], True),
        ([np.int64(1), torch.tensor(3), 9], True),
        ([1, 3], False, "three"),
        ([1, 3, 0], False, "above 0"),
        ([1, 3, -9], False, "above 0"),
        ([1, "3", 9], False, "whole numbers"),
        ("139", False, "list"),
        ([1, 3, 9, 27], False, "three"),
        ([[1], [3], [9]], False, "whole numbers"),
        (lambda: 1, False, "list"),
        ([1, 3, 10**400], False),
        ([1, 3, float("nan")], False, "whole numbers"),
        ([1, 3, float("inf")], False, "whole numbers"),
        ([True, 3, 9], False),
        ([2, 3, 4], False, "1"),
    )
)
