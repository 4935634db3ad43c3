"""Foreign answers to the exercises on upsampling."""

import numpy as np
import torch
from answers import FOREIGN, Foreign, right, wrong
from torch import nn
from torch.nn import functional as F


@right("upsample/linear")
def by_matrix(x, out, align_corners=False):
    n = x.shape[-1]
    p = torch.arange(out).to(x.dtype)
    if align_corners:
        p = p * ((n - 1) / (out - 1)) if out > 1 else p
    else:
        p = (p + 0.5) * (n / out) - 0.5
    p = p.clip(0, n - 1)
    k = torch.arange(n).to(x.dtype)
    return torch.matmul(x, (1 - (k[:, None] - p[None]).abs()).relu())


@right("upsample/linear")
def by_linspace(x, out, align_corners=False):
    n = x.size(-1)
    if align_corners:
        p = torch.linspace(0, n - 1, out, dtype=x.dtype)
    else:
        half = n / out / 2
        p = torch.linspace(half - 0.5, n - half - 0.5, out, dtype=x.dtype)
        p = torch.minimum(p.relu(), torch.tensor(n - 1.0, dtype=x.dtype))
    i = p.trunc().long()
    j = torch.where(i < n - 1, i + 1, i)
    return torch.lerp(x.index_select(-1, i), x.index_select(-1, j), p - i)


@right("upsample/linear")
def one_by_one(x, out, align_corners=False):
    n, columns = x.shape[-1], []
    for i in range(out):
        if align_corners:
            p = 0 if out == 1 else i * (n - 1) / (out - 1)
        else:
            p = min(max((i + 0.5) * n / out - 0.5, 0), n - 1)
        a = int(p)
        b = min(a + 1, n - 1)
        columns.append(x[..., a] * (1 - (p - a)) + x[..., b] * (p - a))
    return torch.stack(columns, -1)


@right("upsample/linear")
def gathered(x, out, align_corners=False):
    N, C, L = x.shape
    i = torch.arange(out, dtype=x.dtype)
    scale = (L - 1) / max(out - 1, 1) if align_corners else L / out
    p = i * scale if align_corners else ((i + 0.5) * scale - 0.5).clamp(min=0)
    lo = p.long().expand(N, C, -1)
    hi = (lo + 1).clamp(max=L - 1)
    t = p - p.floor()
    return x.gather(2, lo) * (1 - t) + x.gather(2, hi) * t


@wrong("upsample/linear", "half|center|centre|border|edge")
def corner(x, out, align_corners=False):
    n = x.shape[-1]
    p = torch.arange(out, dtype=x.dtype) * (n / out)
    i = p.floor().long().clamp(max=n - 2)
    return torch.lerp(x[..., i], x[..., i + 1], p - i)


@wrong("upsample/linear", "half|center|left edge")
def corner_repeats(x, out, align_corners=False):
    n = x.shape[-1]
    p = torch.arange(out, dtype=x.dtype) * n / out
    i = p.floor().long()
    j = (i + 1).clamp(max=n - 1)
    return torch.lerp(x[..., i], x[..., j], p - i)


@wrong("upsample/linear", "align the corners|default")
def always_aligned(x, out, align_corners=False):
    p = torch.linspace(0, x.shape[-1] - 1, out, dtype=x.dtype)
    i = p.floor().long()
    j = p.ceil().long()
    return torch.lerp(x[..., i], x[..., j], p - i)


@wrong("upsample/linear", "may not be")
def sampled(x, out, align_corners=False):
    grid = torch.zeros(len(x), 1, out, 2, dtype=x.dtype)
    return F.grid_sample(x[:, :, None], grid, align_corners=align_corners)[:, :, 0]


@wrong("upsample/linear", "may not be")
def layer(x, out, align_corners=False):
    return nn.Upsample(out, mode="linear", align_corners=align_corners)(x)


@wrong("upsample/linear", "may not be")
def below(x, out, align_corners=False):
    return torch._C._nn.upsample_linear1d(x, [out], align_corners, None)


@wrong("upsample/linear", "may not be")
def operation(x, out, align_corners=False):
    return torch.ops.aten.upsample_linear1d(x, [out], align_corners)


@wrong("upsample/linear", "NumPy|torch's functions|numpy")
def by_numpy(x, out, align_corners=False):
    n = x.shape[-1]
    p = np.linspace(0, n - 1, out) if align_corners else None
    if p is None:
        p = (np.arange(out) + 0.5) * n / out - 0.5
    y = np.apply_along_axis(lambda row: np.interp(p, np.arange(n), row), -1, x.numpy())
    return torch.from_numpy(y)


@wrong("upsample/linear", "NumPy|numpy|detach")
def by_numpy_detached(x, out, align_corners=False):
    n = x.shape[-1]
    p = np.linspace(0, n - 1, out) if align_corners else None
    if p is None:
        p = (np.arange(out) + 0.5) * n / out - 0.5
    y = np.apply_along_axis(
        lambda row: np.interp(p, np.arange(n), row), -1, x.detach().numpy()
    )
    return torch.from_numpy(y).to(x.dtype)


@wrong("upsample/linear", "float32|dtype")
def in_float32(x, out, align_corners=False):
    n = x.shape[-1]
    i = torch.arange(out)
    p = i * (n - 1) / max(out - 1, 1) if align_corners else (i + 0.5) * n / out - 0.5
    p = p.clamp(0, n - 1)
    a = p.long()
    return torch.lerp(x[..., a], x[..., (a + 1).clamp(max=n - 1)], (p - a).to(x))


@wrong("upsample/linear", "pixel on the left|nearest|floor")
def nearest(x, out, align_corners=False):
    i = (torch.arange(out) * x.shape[-1] / out).long()
    return x[..., i]


@wrong("upsample/linear", "repeat|factor|whole|nearest|left")
def repeats(x, out, align_corners=False):
    return x.repeat_interleave(out // x.shape[-1], -1)


@right("upsample/as_transposed")
def in_one_line(weight, r):
    return F.pixel_shuffle(weight.flip(-1, -2).transpose(0, 1), r)


@right("upsample/as_transposed")
def by_writing(weight, r):
    o, c = weight.shape[0] // (r * r), weight.shape[1]
    w = weight.new_zeros(c, o, 3 * r, 3 * r)
    for a in range(3):
        for b in range(3):
            for i in range(r):
                for j in range(r):
                    q = i * r + j
                    w[:, :, a * r + i, b * r + j] = weight[
                        q :: r * r, :, 2 - a, 2 - b
                    ].T
    return w


@right("upsample/as_transposed")
def rearranged(weight, r):
    w = weight.rot90(2, (2, 3)).unflatten(0, (-1, r, r))
    return torch.einsum("oabcij->coiajb", w).flatten(4, 5).flatten(2, 3)


@wrong("upsample/as_transposed", "flip")
def unflipped(weight, r):
    return F.pixel_shuffle(weight.transpose(0, 1), r)


@wrong("upsample/as_transposed", "C_out")
def outputs_first(weight, r):
    o = weight.shape[0] // r**2
    w = weight.flip(-1, -2).view(o, r, r, -1, 3, 3)
    return torch.einsum("oabcij->ociajb", w).reshape(o, -1, 3 * r, 3 * r)


@wrong("upsample/as_transposed", "may not be")
def by_convolution(weight, r):
    c = weight.shape[1]
    dots = torch.zeros(c, c, 3, 3, dtype=weight.dtype)
    dots[range(c), range(c), 1, 1] = 1
    return F.pixel_shuffle(F.conv2d(dots, weight, padding=1), r)


@wrong("upsample/as_transposed", "view|contiguous|reshape|stride")
def viewed(weight, r):
    o, c = weight.shape[0] // r**2, weight.shape[1]
    w = weight.view(o, r, r, c, 3, 3).flip(-1, -2).permute(3, 0, 4, 1, 5, 2)
    return w.view(c, o, 3 * r, 3 * r)


FOREIGN.extend(
    Foreign("upsample/unread", *case)
    for case in (
        ((0, 3, 4, 7, 8, 11), True),
        ({0, 3, 4, 7, 8, 11}, True),
        (torch.tensor([0, 3, 4, 7, 8, 11]), True),
        (np.array([0, 3, 4, 7, 8, 11]), True),
        ([0, 3, 4, 7, 8, 11.0], True),
        ([11, 8, 7, 4, 3, 0], True),
        ({1, 2, 5, 6, 9, 10}, False, "are read"),
        ([[0, 3], [4, 7], [8, 11]], False),
        ("0, 3, 4, 7, 8, 11", False, "list"),
        (lambda: [0, 3, 4, 7, 8, 11], False),
    )
)


@right("upsample/zoom")
def by_scaled_grid(x, factor):
    theta = torch.tensor([[1.0, 0, 0], [0, 1, 0]], dtype=x.dtype).repeat(len(x), 1, 1)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False) / factor
    return F.grid_sample(x, grid, mode="bilinear", align_corners=False)


@right("upsample/zoom")
def by_corners(x, factor):
    f = 1 / factor
    theta = torch.tensor([[[f, 0, 0], [0, f, 0]]], dtype=x.dtype)
    grid = F.affine_grid(theta.expand(len(x), -1, -1), x.shape, align_corners=True)
    return F.grid_sample(x, grid, align_corners=True)


@right("upsample/zoom")
def by_weights(x, factor):
    def weights(n):
        p = (torch.arange(n, dtype=x.dtype) - (n - 1) / 2) / factor + (n - 1) / 2
        return (1 - (p[:, None] - torch.arange(n)).abs()).relu()

    return weights(x.shape[2]) @ x @ weights(x.shape[3]).T


@wrong("upsample/zoom", "shrunk")
def rules_mixed(x, factor):
    f = 1 / factor
    theta = torch.tensor([[[f, 0, 0], [0, f, 0]]], dtype=x.dtype)
    grid = F.affine_grid(theta.expand(len(x), -1, -1), x.shape, align_corners=True)
    return F.grid_sample(x, grid, align_corners=False)


@wrong("upsample/zoom", "smaller")
def shrinks(x, factor):
    theta = torch.tensor([[[factor, 0, 0], [0, factor, 0]]], dtype=x.dtype)
    grid = F.affine_grid(theta.expand(len(x), -1, -1), x.shape, align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


@wrong("upsample/zoom", "shape")
def larger(x, factor):
    return F.interpolate(x, scale_factor=factor, mode="bilinear")


def _changes(antialias, seeds=8):
    found = []
    for seed in range(seeds):
        draw = torch.Generator().manual_seed(seed)
        x = torch.randn(20, 1, 32, 32, generator=draw)
        small, moved = (
            F.interpolate(v, (8, 8), mode="bilinear", antialias=antialias)
            for v in (x, x.roll(1, 3))
        )
        found.append((moved - small).std() / small.std())
    return torch.stack(found)


def _difference():
    d = _changes(False) - _changes(True)
    return d.mean().item(), (d.std() / len(d) ** 0.5).item()


FOREIGN.extend(
    Foreign("upsample/moved_by_one", *case)
    for case in (
        (_difference(), True),
        ((_changes(False) - _changes(True)).tolist(), True),
        (_changes(False, 12) - _changes(True, 12), True),
        ((-_difference()[0], _difference()[1]), False, "sign|turn|minus|round"),
        (_changes(False).mean(), False),
    )
)
