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


@right("conv/find")
def by_slices(text, word):
    k = len(word)
    return [i for i in range(len(text) - k + 1) if text[i : i + k] == word]


@right("conv/find")
def by_find(text, word):
    places, at = [], text.find(word)
    while at >= 0:
        places.append(at)
        at = text.find(word, at + 1)
    return places


@right("conv/find")
def by_codes(text, word):
    x = torch.tensor(list(text.encode()))
    w = torch.tensor(list(word.encode()))
    return torch.where((x.unfold(0, len(w), 1) == w).all(1))[0]


@right("conv/find")
def shifted_back(text, word):
    x = F.one_hot(torch.tensor(list(text.encode())), 128).T.double()
    w = F.one_hot(torch.tensor(list(word.encode())), 128).T.double()
    y = F.conv1d(x[None], w[None], padding="same")[0, 0]
    return ((y == len(word)).nonzero().flatten() - (len(word) - 1) // 2).numpy()


@wrong("conv/find", "before the text|too large")
def same_again(text, word):
    x = F.one_hot(torch.tensor(list(text.encode())), 128).T.double()
    w = F.one_hot(torch.tensor(list(word.encode())), 128).T.double()
    y = F.conv1d(x[None], w[None], padding="same")[0, 0]
    return [i for i, v in enumerate(y) if v == len(word)]


@wrong("conv/find", "overlap")
def by_splitting(text, word):
    places, at = [], 0
    for part in text.split(word)[:-1]:
        places.append(at + len(part))
        at += len(part) + len(word)
    return places


@wrong("conv/find", "first place only|list all")
def by_index(text, word):
    return [text.index(word)] if word in text else []


@wrong("conv/find", "nowhere")
def of_most(text, word):
    x = F.one_hot(torch.tensor(list(text.encode())), 128).T.double()
    w = F.one_hot(torch.tensor(list(word.encode())), 128).T.double()
    y = F.conv1d(x[None], w[None])[0, 0]
    return (y == y.max()).nonzero().flatten().tolist()


def _errors(pictures=5, steps=30):
    """The errors of exercise 5, by another formula of the convolution."""
    from helpers import digits

    x_train, _, x_test, _ = digits()
    weight = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]).double()

    def wanted(x):
        windows = x[:, 0].unfold(1, 3, 1).unfold(2, 3, 1)
        return (windows * weight).sum((3, 4))[:, None]

    differences = []
    for seed in range(5):
        x, found = x_train[pictures * seed :][:pictures], []
        for name in ("linear", "conv"):
            torch.manual_seed(seed)
            layer = nn.Conv2d(1, 1, 3)
            if name == "linear":
                torch.manual_seed(seed)
                parts = nn.Linear(64, 36), nn.Unflatten(1, (1, 6, 6))
                layer = nn.Sequential(nn.Flatten(), *parts)
            optimizer = torch.optim.Adam(layer.double().parameters(), 0.1)
            for _ in range(steps):
                loss = (layer(x) - wanted(x)).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            gap = layer(x_test) - wanted(x_test)
            found.append(gap.square().mean().sqrt().item())
        differences.append(found[0] - found[1])
    return differences


right("conv/five_pictures")(_errors)
wrong("conv/five_pictures", "more pictures")(lambda: _errors(pictures=50))
wrong("conv/five_pictures", "sign|minus")(lambda: [-d for d in _errors()])

right("conv/shape")((8, 16, 13, 16, 720))
right("conv/shape")(torch.tensor([8, 16, 13, 16, 720]))
wrong("conv/shape", "bias")([8, 16, 13, 16, 736])
wrong("conv/shape", "rounds down")([8, 16, 14, 16, 720])
wrong("conv/shape")([8, 16, 13.5, 16, 720])
