"""Foreign answers to the exercises on groups and separable convolutions."""

from concurrent.futures import ThreadPoolExecutor

import torch
from answers import FOREIGN, Foreign, right, wrong
from torch import nn
from torch.nn import functional as F


@right("groups_and_separable/by_hand")
def of_windows(x, weight, bias, groups):
    k_h, k_w = weight.shape[-2:]
    w = weight.unflatten(0, (groups, -1))
    windows = x.unfold(2, k_h, 1).unfold(3, k_w, 1).unflatten(1, (groups, -1))
    y = torch.einsum("ngihwkl,goikl->ngohw", windows, w)
    return y.flatten(1, 2) + bias[:, None, None]


@right("groups_and_separable/by_hand")
def block_diagonal(x, weight, bias, groups):
    n, c, h, w = x.shape
    o, _, k_h, k_w = weight.shape
    blocks = torch.block_diag(*weight.flatten(1).chunk(groups))
    y = blocks @ F.unfold(x, (k_h, k_w)) + bias[:, None]
    return y.reshape(n, o, h - k_h + 1, w - k_w + 1)


@right("groups_and_separable/by_hand")
def shifted_copies(x, weight, bias, groups):
    o, i, k_h, k_w = weight.shape
    h, w = x.shape[2] - k_h + 1, x.shape[3] - k_w + 1
    x = x.view(len(x), groups, 1, i, *x.shape[2:])
    kernels = weight.view(groups, o // groups, i, k_h, k_w, 1, 1)
    y = 0
    for u in range(k_h):
        for v in range(k_w):
            y = y + x[..., u : u + h, v : v + w] * kernels[..., u, v, :, :]
    return y.sum(3).flatten(1, 2) + bias.reshape(1, -1, 1, 1)


@right("groups_and_separable/by_hand")
def group_after_group(x, weight, bias, groups):
    k = weight.shape[2:]
    size = x.shape[2] - k[0] + 1, x.shape[3] - k[1] + 1
    parts = zip(x.chunk(groups, 1), weight.chunk(groups), strict=True)
    y = [w.flatten(1) @ F.unfold(p, tuple(k)) for p, w in parts]
    return torch.cat(y, 1).unflatten(2, size) + bias.view(-1, 1, 1)


@wrong("groups_and_separable/by_hand", "may not be|hides")
def by_module(x, weight, bias, groups):
    o, i, *k = weight.shape
    layer = nn.Conv2d(i * groups, o, k, groups=groups)
    return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, x)


@wrong("groups_and_separable/by_hand", "may not be")
def below(x, weight, bias, groups):
    return torch.ops.aten.convolution(
        x, weight, bias, [1, 1], [0, 0], [1, 1], False, [0, 0], groups
    )


@wrong("groups_and_separable/by_hand", "may not be")
def transposed(x, weight, bias, groups):
    k = weight.shape[2:]
    w = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1).flip(2, 3)
    p = [s - 1 for s in k]
    return F.conv_transpose2d(x, w, bias, padding=p, groups=groups)


@wrong("groups_and_separable/by_hand", "may not be|torch.jit")
def traced(x, weight, bias, groups):
    return torch.jit.trace(
        lambda a, b, c: F.conv2d(a, b, c, groups=groups), (x, weight, bias)
    )(x, weight, bias)


@wrong("groups_and_separable/by_hand", "threads")
def in_a_thread(x, weight, bias, groups):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(F.conv2d, x, weight, bias, groups=groups).result()


@wrong("groups_and_separable/by_hand", "may not be")
def as_function(x, weight, bias, groups):
    class Grouped(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *args):
            return F.conv2d(*args, groups=groups)

    return Grouped.apply(x, weight, bias)


@wrong("groups_and_separable/by_hand", "flip")
def flipped(x, weight, bias, groups):
    k_h, k_w = weight.shape[-2:]
    w = weight.flip(-1, -2).unflatten(0, (groups, -1))
    windows = x.unfold(2, k_h, 1).unfold(3, k_w, 1).unflatten(1, (groups, -1))
    y = torch.einsum("ngihwkl,goikl->ngohw", windows, w)
    return y.flatten(1, 2) + bias[:, None, None]


@wrong("groups_and_separable/by_hand")
def square_kernel(x, weight, bias, groups):
    k = weight.shape[-1]
    y = F.unfold(x, k).unflatten(1, (groups, -1))
    y = torch.einsum("ngpl,gop->ngol", y, weight.view(groups, -1, y.shape[2]))
    size = x.shape[2] - k + 1, x.shape[3] - k + 1
    return y.flatten(1, 2).unflatten(2, size) + bias.view(-1, 1, 1)


@wrong("groups_and_separable/by_hand", "square|rows|unfold|axis|size")
def square_picture(x, weight, bias, groups):
    n, _, h, _ = x.shape
    o, _, k_h, k_w = weight.shape
    y = F.unfold(x, (k_h, k_w)).unflatten(1, (groups, -1))
    y = torch.einsum("ngpl,gop->ngol", y, weight.reshape(groups, o // groups, -1))
    return y.reshape(n, o, h - k_h + 1, h - k_h + 1) + bias.view(-1, 1, 1)


@wrong("groups_and_separable/by_hand", "axes|size 1|axis")
def bias_last(x, weight, bias, groups):
    k_h, k_w = weight.shape[-2:]
    w = weight.unflatten(0, (groups, -1))
    windows = x.unfold(2, k_h, 1).unfold(3, k_w, 1).unflatten(1, (groups, -1))
    y = torch.einsum("ngihwkl,goikl->ngohw", windows, w)
    return y.flatten(1, 2) + bias


@right("groups_and_separable/merge")
def by_conv(depthwise, depthwise_bias, pointwise, bias, K):
    k = depthwise.shape[-1]
    c = depthwise.shape[0] // K
    full = torch.zeros(c * K, c, k, k, dtype=depthwise.dtype)
    full[torch.arange(c * K), torch.arange(c * K) // K] = depthwise[:, 0]
    w = torch.einsum("om,mcij->ocij", pointwise[..., 0, 0], full)
    return w, bias + (pointwise[..., 0, 0] * depthwise_bias).sum(1)


@right("groups_and_separable/merge")
def by_reshape(depthwise, depthwise_bias, pointwise, bias, K):
    w = pointwise * depthwise.transpose(0, 1)
    w = w.reshape(w.shape[0], -1, K, *w.shape[2:]).sum(2)
    return [w, F.linear(depthwise_bias, pointwise.flatten(1), bias)]


@right("groups_and_separable/merge")
def by_loops(depthwise, depthwise_bias, pointwise, bias, K):
    rows = []
    for p in pointwise[:, :, 0, 0]:
        cells = [p[m] * depthwise[m, 0] for m in range(len(depthwise))]
        rows.append(
            torch.stack([sum(cells[c : c + K]) for c in range(0, len(cells), K)])
        )
    return torch.stack(rows), bias + pointwise.squeeze(-1).squeeze(-1) @ depthwise_bias


@wrong("groups_and_separable/merge", "squeeze|axis of size 1|weight|shape")
def squeezes_all(depthwise, depthwise_bias, pointwise, bias, K):
    p = pointwise.squeeze()
    d = depthwise.squeeze().reshape(-1, K, *depthwise.squeeze().shape[1:])
    w = torch.einsum("ocq,cq...->oc...", p.reshape(len(p), -1, K), d)
    return w, bias + p @ depthwise_bias


@wrong("groups_and_separable/merge", "gradient")
def no_grad(depthwise, depthwise_bias, pointwise, bias, K):
    with torch.no_grad():
        w = pointwise * depthwise.transpose(0, 1)
        w = w.reshape(w.shape[0], -1, K, *w.shape[2:]).sum(2)
        return w, F.linear(depthwise_bias, pointwise.flatten(1), bias)


@wrong("groups_and_separable/merge", "bias")
def only_weight(depthwise, depthwise_bias, pointwise, bias, K):
    w = pointwise * depthwise.transpose(0, 1)
    return w.reshape(w.shape[0], -1, K, *w.shape[2:]).sum(2)


FOREIGN.extend(
    Foreign("groups_and_separable/shuffle", *case)
    for case in (
        ((4, 5, 6, 7), True),
        (torch.arange(4, 8), True),
        (range(4, 8), True),
        ({4, 5, 6, 7}, False, "list", "you give one"),
        ([7, 6, 5, 4], False, "order"),
        ([5, 4, 7, 6], False, "order"),
        (["4", "5", "6", "7"], False, "number"),
        ([4, 5], False, "two places|followed"),
        ([4.5, 5, 6, 7], False),
        ("4, 5, 6, 7", False, "list"),
        ([[4, 5], [6, 7]], False, "list"),
    )
)


LEFT = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])


@right("groups_and_separable/edges")
def channels_as_samples(x):
    n, c, h, w = x.shape
    kernels = torch.stack([LEFT, LEFT.T])[:, None].to(x)
    y = F.conv2d(x.reshape(n * c, 1, h, w), kernels)
    return y.norm(dim=1).view(n, c, h - 2, w - 2)


@right("groups_and_separable/edges")
def two_depthwise_layers(x):
    c, squares = x.shape[1], 0
    for kernel in (LEFT, LEFT.T):
        weight = kernel.to(x).expand(c, 1, 3, 3)
        squares = squares + F.conv2d(x, weight, groups=c).square()
    return squares**0.5


@right("groups_and_separable/edges")
def channel_after_channel(x):
    parts = []
    for c in range(x.shape[1]):
        windows = x[:, c].unfold(1, 3, 1).unfold(2, 3, 1)
        across, down = ((windows * k.to(x)).sum((3, 4)) for k in (LEFT, LEFT.T))
        parts.append(torch.hypot(across, down))
    return torch.stack(parts, 1)


@right("groups_and_separable/edges")
def pairs_on_an_axis(x):
    kernels = torch.stack([LEFT, LEFT.T])[:, None].to(x)
    y = F.conv2d(x, kernels.repeat(x.shape[1], 1, 1, 1), groups=x.shape[1])
    return y.unflatten(1, (-1, 2)).norm(dim=2)


@wrong("groups_and_separable/edges", "different channels")
def split_the_wrong_way(x):
    kernels = torch.stack([LEFT, LEFT.T])[:, None].to(x)
    y = F.conv2d(x, kernels.repeat(x.shape[1], 1, 1, 1), groups=x.shape[1])
    return y.unflatten(1, (2, -1)).norm(dim=1)


@wrong("groups_and_separable/edges", "same kernel twice")
def neighbors_alike(x):
    kernels = torch.stack([LEFT, LEFT.T])[:, None].to(x)
    c = x.shape[1]
    y = F.conv2d(x, kernels.repeat_interleave(c, 0), groups=c)
    return y.unflatten(1, (-1, 2)).norm(dim=2)


@wrong("groups_and_separable/edges", "as large as the picture")
def padded(x):
    y = 0
    for kernel in (LEFT, LEFT.T):
        weight = kernel.to(x).expand(x.shape[1], 1, 3, 3)
        y = y + F.conv2d(x, weight, groups=x.shape[1], padding="same") ** 2
    return y.sqrt()


@wrong("groups_and_separable/edges", "root")
def squares_only(x):
    kernels = torch.stack([LEFT, LEFT.T])[:, None].to(x)
    y = F.conv2d(x, kernels.repeat(x.shape[1], 1, 1, 1), groups=x.shape[1])
    return y.unflatten(1, (-1, 2)).square().sum(2)


def _product(channel=7, steps=100):
    """The differences of exercise 5, the shuffle by hand."""
    differences = []
    for seed in range(5):
        found = []
        for shuffle in (False, True):
            torch.manual_seed(seed)
            first = nn.Conv2d(8, 8, 1, groups=2).double()
            second = nn.Conv2d(8, 8, 1, groups=2).double()
            last = nn.Conv2d(8, 1, 1).double()
            layers = nn.ModuleList([first, second, last])

            def net(x, shuffle=shuffle, first=first, second=second, last=last):
                h = first(x).tanh()
                if shuffle:
                    h = h.unflatten(1, (2, 4)).transpose(1, 2).flatten(1, 2)
                return last(second(h).tanh())

            optimizer = torch.optim.Adam(layers.parameters(), lr=0.05)
            pictures = [torch.randn(1, 8, 24, 24).double() for _ in range(2)]
            products = [x[:, :1] * x[:, channel : channel + 1] for x in pictures]
            for _ in range(steps):
                loss = F.mse_loss(net(pictures[0]), products[0])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            found.append(F.mse_loss(net(pictures[1]), products[1]).item())
        differences.append(found[0] - found[1])
    return differences


right("groups_and_separable/product")(_product)
wrong("groups_and_separable/product", "one group")(lambda: _product(channel=3))
wrong("groups_and_separable/product", "hardly been trained")(lambda: _product(steps=10))
wrong("groups_and_separable/product", "sign|minus")(lambda: [-d for d in _product()])
