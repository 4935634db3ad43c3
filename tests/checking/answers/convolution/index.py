"""Foreign answers to the exercises on what a convolution is."""

import numpy as np
import torch
from answers import FOREIGN, Foreign, right, wrong
from torch import nn
from torch.nn import functional as F


@right("convolution/matrix")
def padded(weight, height, width):
    a, b = weight.shape
    return torch.stack(
        [
            F.pad(weight, (j, width - b - j, i, height - a - i)).flatten()
            for i in range(height - a + 1)
            for j in range(width - b + 1)
        ]
    )


@right("convolution/matrix")
def by_scatter(weight, height, width):
    a, b = weight.shape
    place = torch.arange(height * width).view(height, width)
    windows = place.unfold(0, a, 1).unfold(1, b, 1).reshape(-1, a * b)
    m = torch.zeros(len(windows), height * width).to(weight)
    return m.scatter(1, windows, weight.reshape(1, -1).expand(len(windows), -1))


@right("convolution/matrix")
def toeplitz(weight, height, width):
    a, b = weight.shape
    down, across = height - a + 1, width - b + 1
    m = weight.new_zeros(down * across, height * width)
    for r in range(down * across):
        i, j = divmod(r, across)
        for u in range(a):
            start = (i + u) * width + j
            m[r, start : start + b] = weight[u]
    return m


@wrong("convolution/matrix", "square|rows|columns")
def square(weight, height, width):
    k = weight.shape[0]
    m = weight.new_zeros((height - k + 1) * (width - k + 1), height, width)
    for i in range(height - k + 1):
        for j in range(width - k + 1):
            m[i * (width - k + 1) + j, i : i + k, j : j + k] = weight
    return m.flatten(1)


@wrong("convolution/matrix", "may not be")
def by_gradient(weight, height, width):
    x = torch.eye(height * width, dtype=weight.dtype).view(-1, 1, height, width)
    return F.conv2d(x, weight[None, None]).flatten(1).T


@wrong("convolution/matrix", "may not be")
def by_layer(weight, height, width):
    conv = nn.Conv2d(1, 1, tuple(weight.shape), bias=False)
    conv.weight.data = weight[None, None]
    return conv(torch.eye(height * width).view(-1, 1, height, width)).flatten(1).T


@wrong("convolution/matrix", "gradient|numbers")
def new_tensor(weight, height, width):
    a, b = weight.shape
    m = np.zeros(((height - a + 1) * (width - b + 1), height * width))
    w = weight.detach().numpy()
    for r in range(len(m)):
        i, j = divmod(r, width - b + 1)
        m[r].reshape(height, width)[i : i + a, j : j + b] = w
    return torch.from_numpy(m)


@wrong("convolution/matrix", "dtype|float32")
def single(weight, height, width):
    a, b = weight.shape
    m = torch.zeros(height - a + 1, width - b + 1, height, width)
    for i in range(height - a + 1):
        for j in range(width - b + 1):
            m[i, j, i : i + a, j : j + b] = weight
    return m.view(-1, height * width)


@right("convolution/touched")
def as_range(i, n, kernel, stride=1, padding=0):
    p = i + padding
    last = min(p // stride, (n + 2 * padding - kernel) // stride)
    return range(max(0, -((kernel - 1 - p) // stride)), last + 1)


@right("convolution/touched")
def as_tensor(i, n, kernel, stride=1, padding=0):
    starts = torch.arange(0, n + 2 * padding - kernel + 1, stride) - padding
    return ((starts <= i) & (i < starts + kernel)).nonzero().squeeze(1)


@right("convolution/touched")
def as_array(i, n, kernel, stride=1, padding=0):
    starts = np.arange(0, n + 2 * padding - kernel + 1, stride) - padding
    return np.flatnonzero((starts <= i) & (i < starts + kernel))


@right("convolution/touched")
def by_sets(i, n, kernel, stride=1, padding=0):
    cells = list(range(-padding, n + padding))
    return tuple(
        j
        for j, start in enumerate(range(0, len(cells) - kernel + 1, stride))
        if i in cells[start : start + kernel]
    )


@right("convolution/touched")
def generates(i, n, kernel, stride=1, padding=0):
    for j in range((n + 2 * padding - kernel) // stride + 1):
        if j * stride - padding <= i <= j * stride - padding + kernel - 1:
            yield j


@wrong("convolution/touched", "may not be")
def runs_one(i, n, kernel, stride=1, padding=0):
    x = torch.zeros(1, 1, n)
    x[..., i] = 1
    y = F.conv1d(x, torch.ones(1, 1, kernel), stride=stride, padding=padding)
    return y.flatten().nonzero().flatten().tolist()


@wrong("convolution/touched", "list|set")
def as_set(i, n, kernel, stride=1, padding=0):
    return set(generates(i, n, kernel, stride, padding))


@wrong("convolution/touched", "start|center|centre")
def centered(i, n, kernel, stride=1, padding=0):
    r = kernel // 2
    outputs = (n + 2 * padding - kernel) // stride + 1
    return [j for j in range(outputs) if abs(j * stride - i) <= r]


@wrong("convolution/touched", "stride")
def forgets_stride(i, n, kernel, stride=1, padding=0):
    first = max(0, i + padding - kernel + 1)
    return list(range(first, min(i + padding, n + 2 * padding - kernel) + 1))


@wrong("convolution/touched", "padding")
def forgets_padding(i, n, kernel, stride=1, padding=0):
    return list(generates(i, n, kernel, stride))


FOREIGN.extend(
    Foreign("convolution/count", *case)
    for case in (
        ((44251200, 403200, 448), True),
        (torch.tensor([44251200, 403200, 448]), True),
        ([44251200.0, 403200.0, 448.0], True),
        ([448, 403200, 44251200], False, "order"),
        ([44236800, 388800, 432], False, "bias"),
        ([44251200, 403200], False, "3 values"),
        ({"linear": 44251200}, False, "list"),
        (["44251200", "403200", "448"], False, "number"),
    )
)
