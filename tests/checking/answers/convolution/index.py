"""Foreign answers to the exercises on what a convolution is."""

import numpy as np
import torch
from answers import FOREIGN, Foreign, right, wrong
from torch.nn import functional as F


@right("convolution/moves_along")
def by_slices(layer, x):
    def right(t):
        return torch.cat([t[..., -1:], t[..., :-1]], dim=-1)

    with torch.no_grad():
        return bool((right(layer(x)) - layer(right(x))).abs().max() < 1e-6)


@right("convolution/moves_along")
def back_again(layer, x):
    wanted = layer(x).detach().numpy()
    y = layer(torch.roll(x, 1, -1)).detach().numpy()
    return np.allclose(np.roll(y, -1, axis=-1), wanted)


@right("convolution/moves_along")
def every_step(layer, x):
    y = layer(x)
    return all(
        torch.allclose(layer(x.roll(n, 3)), y.roll(n, 3)) for n in range(1, x.shape[3])
    )


@right("convolution/moves_along")
def as_tensor_of_one(layer, x):
    y, z = layer(x.roll(1, 3)), layer(x).roll(1, 3)
    return torch.isclose(y, z).all()


@wrong("convolution/moves_along", "stays")
def asks_for_invariance(layer, x):
    return torch.allclose(layer(torch.roll(x, 1, 3)), layer(x))


@wrong("convolution/moves_along", "last axis")
def downward(layer, x):
    return torch.allclose(layer(x.roll(1, 2)), layer(x).roll(1, 2))


@wrong("convolution/moves_along", "left")
def other_way(layer, x):
    return torch.allclose(layer(x.roll(-1, 3)), layer(x).roll(1, 3))


@wrong("convolution/moves_along", "itself")
def one_picture(layer, x):
    y = layer(x)
    return torch.equal(y, y.roll(1, 3))


@wrong("convolution/moves_along", "class|convolution")
def by_class(layer, x):
    return type(layer).__name__ == "Conv2d"


@wrong("convolution/moves_along", "one truth value")
def cell_by_cell(layer, x):
    return layer(x.roll(1, 3)).isclose(layer(x).roll(1, 3))


@wrong("convolution/moves_along", "before|x itself|change")
def in_place(layer, x):
    y = layer(x).roll(1, 3)
    x.copy_(x.roll(1, 3))
    return torch.allclose(layer(x), y)


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
