"""Foreign answers to the exercises on shapes."""

import math

import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F


@right("flatten_and_shape/flatten")
def by_product(x, start_dim=1, end_dim=-1):
    n = x.ndim
    start = start_dim if start_dim >= 0 else start_dim + n
    end = end_dim if end_dim >= 0 else end_dim + n
    sizes = list(x.shape)
    size = math.prod(sizes[start : end + 1])
    return torch.reshape(x, [*sizes[:start], size, *sizes[end + 1 :]])


@right("flatten_and_shape/flatten")
def view_or_copy(x, start_dim=1, end_dim=-1):
    shape = by_product(torch.empty(x.shape, device="meta"), start_dim, end_dim).shape
    return x.view(shape) if x.is_contiguous() else x.contiguous().view(shape)


@wrong("flatten_and_shape/flatten", "may not be called")
def by_layer(x, start_dim=1, end_dim=-1):
    return nn.Flatten(start_dim, end_dim)(x)


@wrong("flatten_and_shape/flatten", "may not be called")
def by_ops(x, start_dim=1, end_dim=-1):
    return torch.ops.aten.flatten.using_ints(x, start_dim, end_dim)


@wrong("flatten_and_shape/flatten", "view refuses|reshape")
def by_view(x, start_dim=1, end_dim=-1):
    start, end = start_dim % x.dim(), end_dim % x.dim()
    return x.view(*x.shape[:start], -1, *x.shape[end + 1 :])


@wrong("flatten_and_shape/flatten", "end_dim|batch|always")
def batch_only(x, start_dim=1, end_dim=-1):
    return x.reshape(x.shape[0], -1)


@wrong("flatten_and_shape/flatten", "copy")
def always_copied(x, start_dim=1, end_dim=-1):
    return by_product(x, start_dim, end_dim).clone()


@right("flatten_and_shape/pixel_shuffle")
def interleaved(x, r):
    n, c, h, w = x.size()
    y = x.new_empty(n, c // r**2, h * r, w * r)
    for i in range(r):
        for j in range(r):
            y[:, :, i::r, j::r] = x[:, i * r + j :: r * r]
    return y


@right("flatten_and_shape/pixel_shuffle")
def folded(x, r):
    n, _, h, w = x.shape
    return F.fold(x.reshape(n, -1, h * w), (h * r, w * r), r, stride=r)


@right("flatten_and_shape/pixel_shuffle")
def by_einsum(x, r):
    y = x.unflatten(1, (-1, r, r))
    return torch.einsum("ncijhw->nchiwj", y).flatten(4).flatten(2, 3)


@wrong("flatten_and_shape/pixel_shuffle", "swapped")
def swapped(x, r):
    y = x.unflatten(1, (-1, r, r)).permute(0, 1, 4, 3, 5, 2)
    return y.flatten(4).flatten(2, 3)


@wrong("flatten_and_shape/pixel_shuffle", r"\(r, r, C\)")
def tensorflow_order(x, r):
    y = x.unflatten(1, (r, r, -1)).permute(0, 3, 4, 1, 5, 2)
    return y.flatten(4).flatten(2, 3)


@wrong("flatten_and_shape/pixel_shuffle", "may not be called")
def by_pixel_shuffle(x, r):
    return nn.PixelShuffle(r)(x)


@wrong("flatten_and_shape/pixel_shuffle", "scrambled")
def plain_reshape(x, r):
    n, c, h, w = x.shape
    return x.reshape(n, c // r**2, h * r, w * r)


right("flatten_and_shape/in_features")(120.0)
right("flatten_and_shape/in_features")(torch.tensor([120]))
wrong("flatten_and_shape/in_features", "number|str")("120")
wrong("flatten_and_shape/in_features", "batch")(960)
wrong("flatten_and_shape/in_features", "number|list")([8, 120])


@right("flatten_and_shape/patches")
def unfolded(x, p):
    return F.unfold(x, p, stride=p).mT


@right("flatten_and_shape/patches")
def cut_out(x, p):
    found = []
    for top in range(0, x.shape[2], p):
        for left in range(0, x.shape[3], p):
            found.append(x[:, :, top : top + p, left : left + p].flatten(1))
    return torch.stack(found, 1)


@right("flatten_and_shape/patches")
def einsum_patches(x, p):
    y = x.unflatten(3, (-1, p)).unflatten(2, (-1, p))
    return torch.einsum("ncaibj->nabcij", y).flatten(3).flatten(1, 2)


@wrong("flatten_and_shape/patches", "channel is fastest")
def channels_last(x, p):
    y = x.permute(0, 2, 3, 1).unflatten(2, (-1, p)).unflatten(1, (-1, p))
    return y.transpose(2, 3).flatten(3).flatten(1, 2)
