"""Foreign answers to the exercises on the convolution."""

import numpy as np
import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F


@right("conv/by_hand")
def of_unfold(x, weight, bias, stride=1, padding=0):
    o, _, h, w = weight.shape
    y = F.unfold(x, (h, w), padding=padding, stride=stride)
    y = weight.flatten(1) @ y + bias[:, None]
    rows = (x.shape[2] + 2 * padding - h) // stride + 1
    return y.view(len(x), o, rows, -1)


@right("conv/by_hand")
def of_windows(x, weight, bias, stride=1, padding=0):
    x = torch.nn.ZeroPad2d(padding)(x)
    k = weight.shape[2:]
    windows = x.unfold(2, k[0], stride).unfold(3, k[1], stride)
    y = torch.tensordot(windows, weight, ([1, 4, 5], [1, 2, 3])) + bias
    return y.permute(0, 3, 1, 2)


@right("conv/by_hand")
def window_after_window(x, weight, bias, stride=1, padding=0):
    n, c, h, w = x.shape
    padded = x.new_zeros(n, c, h + 2 * padding, w + 2 * padding)
    padded[:, :, padding : padding + h, padding : padding + w] = x
    k_h, k_w = weight.shape[2:]
    rows = []
    for i in range(0, padded.shape[2] - k_h + 1, stride):
        row = []
        for j in range(0, padded.shape[3] - k_w + 1, stride):
            window = padded[:, None, :, i : i + k_h, j : j + k_w]
            row.append((window * weight).sum((2, 3, 4)) + bias)
        rows.append(torch.stack(row, -1))
    return torch.stack(rows, -2)


@right("conv/by_hand")
def as_strided(x, weight, bias, stride=1, padding=0):
    x = F.pad(x, (padding,) * 4)
    n, c, h, w = x.shape
    _, _, a, b = weight.shape
    s = x.stride()
    size = (n, c, (h - a) // stride + 1, (w - b) // stride + 1, a, b)
    steps = (s[0], s[1], s[2] * stride, s[3] * stride, s[2], s[3])
    y = torch.einsum("nchwij,ocij->nohw", x.as_strided(size, steps), weight)
    return y + bias[None, :, None, None]


@right("conv/by_hand")
def by_fourier(x, weight, bias, stride=1, padding=0):
    x = F.pad(x, [padding] * 4)
    size = x.shape[2:]
    a = torch.fft.rfft2(x)
    b = torch.fft.rfft2(weight, s=size).conj()
    y = torch.fft.irfft2(torch.einsum("nchw,ochw->nohw", a, b), s=size)
    k = weight.shape[2:]
    y = y[:, :, : size[0] - k[0] + 1 : stride, : size[1] - k[1] + 1 : stride]
    return y + bias.view(-1, 1, 1)


@wrong("conv/by_hand", "may not be")
def layer(x, weight, bias, stride=1, padding=0):
    o, c, *k = weight.shape
    conv = nn.Conv2d(c, o, k, stride, padding)
    conv.weight, conv.bias = nn.Parameter(weight), nn.Parameter(bias)
    return conv(x)


@wrong("conv/by_hand", "may not be")
def lower(x, weight, bias, stride=1, padding=0):
    return torch.convolution(
        x, weight, bias, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1
    )


@wrong("conv/by_hand", "may not be")
def in_three(x, weight, bias, stride=1, padding=0):
    y = F.conv3d(
        x[:, :, None],
        weight[:, :, None],
        bias,
        (1, stride, stride),
        (0, padding, padding),
    )
    return y[:, :, 0]


@wrong("conv/by_hand", "may not be")
def onednn(x, weight, bias, stride=1, padding=0):
    return torch.mkldnn_convolution(
        x, weight, bias, [padding] * 2, [stride] * 2, [1, 1], 1
    )


@wrong("conv/by_hand", "may not be")
def compiled(x, weight, bias, stride=1, padding=0):
    run = torch.func.vmap(lambda a: F.conv2d(a[None], weight, bias, stride, padding)[0])
    return run(x)


@wrong("conv/by_hand", "in place|caller")
def in_place(x, weight, bias, stride=1, padding=0):
    with torch.no_grad():
        weight.mul_(1)
        x.mul_(2)
    return of_windows(x / 2, weight, bias, stride, padding)


@wrong("conv/by_hand", "flip")
def true_convolution(x, weight, bias, stride=1, padding=0):
    return of_windows(x, weight.flip(2, 3), bias, stride, padding)


@wrong("conv/by_hand", "mean|adds")
def averages(x, weight, bias, stride=1, padding=0):
    x = F.pad(x, [padding] * 4)
    k = weight.shape[2:]
    windows = x.unfold(2, k[0], stride).unfold(3, k[1], stride)
    y = (windows[:, None] * weight[:, :, None, None]).mean((2, 5, 6))
    return y + bias.view(-1, 1, 1)


@wrong("conv/by_hand")
def square(x, weight, bias, stride=1, padding=0):
    k = weight.shape[-1]
    x = F.pad(x, [padding] * 4)
    windows = x.unfold(2, k, stride).unfold(3, k, stride)
    return torch.einsum("nchwij,ocij->nohw", windows, weight) + bias.view(-1, 1, 1)


@wrong("conv/by_hand", "dtype")
def of_zeros(x, weight, bias, stride=1, padding=0):
    n, c, h, w = x.shape
    padded = torch.zeros(n, c, h + 2 * padding, w + 2 * padding)
    padded[:, :, padding : padding + h, padding : padding + w] = x
    return of_windows(padded, weight, bias, stride)


@wrong("conv/by_hand", "gradient|cut|tensor\\(")
def by_numbers(x, weight, bias, stride=1, padding=0):
    x = F.pad(x, [padding] * 4)
    o, _, a, b = weight.shape
    h, w = (x.shape[2] - a) // stride + 1, (x.shape[3] - b) // stride + 1
    y = torch.zeros(len(x), o, h, w, dtype=x.dtype)
    for m in range(o):
        for i in range(h):
            for j in range(w):
                part = x[:, :, i * stride : i * stride + a, j * stride : j * stride + b]
                y[:, m, i, j] = (part * weight[m]).sum((1, 2, 3)).data + bias[m].item()
    return y


@right("conv/paddings")
def by_bound(n, out, kernel, stride, dilation):
    span = dilation * (kernel - 1) + 1
    low, high = (out - 1) * stride + span - n, out * stride + span - n
    return list(range(max(0, -(-low // 2)), max(0, -(-high // 2))))


@right("conv/paddings")
def while_small(n, out, kernel, stride, dilation):
    found, p = [], 0
    while True:
        y = (n + 2 * p - dilation * (kernel - 1) - 1) // stride + 1
        if y > out:
            return tuple(found)
        if y == out:
            found.append(p)
        p += 1


@right("conv/paddings")
def as_range(n, out, kernel, stride, dilation):
    found = by_bound(n, out, kernel, stride, dilation)
    return range(found[0], found[-1] + 1) if found else range(0)


@right("conv/paddings")
def as_tensor(n, out, kernel, stride, dilation):
    p = torch.arange(100_000)
    size = n + 2 * p - dilation * (kernel - 1) - 1
    return p[size.div(stride, rounding_mode="floor") + 1 == out]


@right("conv/paddings")
def as_array(n, out, kernel, stride, dilation):
    p = np.arange(20_000)
    return p[(n + 2 * p - dilation * (kernel - 1) - 1) // stride + 1 == out]


@right("conv/paddings")
def generates(n, out, kernel, stride, dilation):
    yield from by_bound(n, out, kernel, stride, dilation)


@wrong("conv/paddings", "fixed number|out may be large|large output")
def up_to_a_hundred(n, out, kernel, stride, dilation):
    span = dilation * (kernel - 1) + 1
    return [p for p in range(100) if (n + 2 * p - span) // stride + 1 == out]


@wrong("conv/paddings")
def one_number(n, out, kernel, stride, dilation):
    return ((out - 1) * stride + dilation * (kernel - 1) + 1 - n) // 2


@wrong("conv/paddings", "list|set|order")
def as_set(n, out, kernel, stride, dilation):
    return set(by_bound(n, out, kernel, stride, dilation))


@wrong("conv/paddings", "half the kernel")
def of_same(n, out, kernel, stride, dilation):
    span = dilation * (kernel - 1) + 1
    return [
        p for p in range(kernel // 2 + 1) if (n + 2 * p - span) // stride + 1 == out
    ]


@wrong("conv/paddings", "rounds? down|remainder")
def exact_only(n, out, kernel, stride, dilation):
    twice = (out - 1) * stride + dilation * (kernel - 1) + 1 - n
    return [twice // 2] if twice >= 0 and twice % 2 == 0 else []


@right("conv/matrix")
def of_diagonals(weight, height, width, stride=1):
    k_h, k_w = weight.shape
    h, w = (height - k_h) // stride + 1, (width - k_w) // stride + 1
    m = weight.new_zeros(h, w, height, width)
    i, j = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    for u in range(k_h):
        for v in range(k_w):
            m[i, j, i * stride + u, j * stride + v] = weight[u, v]
    return m.view(h * w, -1)


@right("conv/matrix")
def of_kron(weight, height, width, stride=1):
    k_h, k_w = weight.shape
    total = 0
    for u in range(k_h):
        rows = torch.eye(height, dtype=weight.dtype)[u : height - k_h + u + 1 : stride]
        for v in range(k_w):
            columns = torch.eye(width, dtype=weight.dtype)
            columns = columns[v : width - k_w + v + 1 : stride]
            total = total + weight[u, v] * torch.kron(rows, columns)
    return total


@right("conv/matrix")
def of_unit_windows(weight, height, width, stride=1):
    units = torch.eye(height * width, dtype=weight.dtype).view(-1, 1, height, width)
    return (
        weight.reshape(1, -1) @ F.unfold(units, tuple(weight.shape), stride=stride)
    )[:, 0].T


@right("conv/matrix")
def padded_rows(weight, height, width, stride=1):
    a, b = weight.shape
    rows = [
        F.pad(weight, (j, width - b - j, i, height - a - i)).reshape(-1)
        for i in range(0, height - a + 1, stride)
        for j in range(0, width - b + 1, stride)
    ]
    return torch.vstack(rows)


@wrong("conv/matrix", "detach|item|torch.tensor")
def by_items(weight, height, width, stride=1):
    a, b = weight.shape
    rows = []
    for i in range(0, height - a + 1, stride):
        for j in range(0, width - b + 1, stride):
            row = [0.0] * (height * width)
            for u in range(a):
                for v in range(b):
                    row[(i + u) * width + j + v] = weight[u, v].item()
            rows.append(row)
    return torch.tensor(rows, dtype=weight.dtype)


@wrong("conv/matrix", "dtype|float32")
def in_float32(weight, height, width, stride=1):
    return of_diagonals(weight.float(), height, width, stride)


@wrong("conv/matrix", "stride")
def ignores_stride(weight, height, width, stride=1):
    return of_diagonals(weight, height, width)


@wrong("conv/matrix", "may not be")
def of_unit_pictures(weight, height, width, stride=1):
    units = torch.eye(height * width, dtype=weight.dtype).view(-1, 1, height, width)
    return F.conv2d(units, weight[None, None], stride=stride).flatten(1).T


@wrong("conv/matrix", "transpose")
def transposed(weight, height, width, stride=1):
    return padded_rows(weight, height, width, stride).T


@wrong("conv/matrix", "square|rows|columns")
def square_kernel(weight, height, width, stride=1):
    k = weight.shape[0]
    rows = []
    for i in range(0, height - k + 1, stride):
        for j in range(0, width - k + 1, stride):
            row = weight.new_zeros(height, width)
            row[i : i + k, j : j + k] = weight
            rows.append(row.flatten())
    return torch.stack(rows)
