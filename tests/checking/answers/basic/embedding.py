"""Foreign answers to the exercises on embeddings."""

import numpy as np
import torch
from answers import right, wrong
from torch.nn import functional as F


@wrong("embedding/lookup", "may not be called")
def by_autograd(ids, weight, upstream):
    table = weight.detach().requires_grad_()
    rows = table[ids]
    return rows.detach(), torch.autograd.grad(rows, table, upstream)[0]


@wrong("embedding/lookup", "may not be called")
def by_backward(ids, weight, upstream):
    table = weight.clone().requires_grad_()
    rows = table[ids]
    rows.backward(upstream)
    return rows.detach(), table.grad


@wrong("embedding/lookup", "may not be called")
def by_vjp(ids, weight, upstream):
    rows, back = torch.func.vjp(lambda w: w[ids], weight)
    return rows, back(upstream)[0]


@wrong("embedding/lookup", "may not be called")
def by_functional(ids, weight, upstream):
    return torch.autograd.functional.vjp(lambda w: w[ids], weight, upstream)


@wrong("embedding/lookup", "may not be called")
def by_jacrev(ids, weight, upstream):
    def loss(w):
        return (w[ids] * upstream).sum()

    return weight[ids], torch.func.grad(loss)(weight)


@wrong("embedding/lookup", "may not be called")
def by_dense_backward(ids, weight, upstream):
    op = torch.ops.aten.embedding_dense_backward
    return weight[ids], op(upstream, ids, len(weight), -1, False)


@wrong("embedding/lookup", "may not be called")
def by_f_embedding(ids, weight, upstream):
    y = F.embedding(ids, weight)
    return y, torch.zeros_like(weight)


@wrong("embedding/lookup", r"any shape|axes|reshape")
def loop_one_axis(ids, weight, upstream):
    g = torch.zeros_like(weight)
    for i, row in zip(ids, upstream, strict=True):
        g[i] += row
    return weight[ids], g


@right("embedding/lookup")
def one_hot(ids, weight, upstream):
    hot = F.one_hot(ids.flatten(), len(weight)).to(weight.dtype)
    y = (hot @ weight).view(*ids.shape, -1)
    return y, hot.T @ upstream.flatten(0, -2)


@right("embedding/lookup")
def accumulated(ids, weight, upstream):
    g = torch.zeros(weight.shape, dtype=weight.dtype)
    g.index_put_((ids,), upstream, accumulate=True)
    return [weight.index_select(0, ids.reshape(-1)).reshape(*ids.shape, -1), g]


@right("embedding/lookup")
def looped(ids, weight, upstream):
    g = torch.zeros_like(weight)
    for place in np.ndindex(*ids.shape):
        g[ids[place]] += upstream[place]
    return weight[ids].clone(), g


@right("embedding/lookup")
def masked(ids, weight, upstream):
    rows = [upstream[ids == i].sum(0) for i in range(len(weight))]
    return torch.take_along_dim(
        weight, ids.reshape(-1, 1).expand(-1, weight.shape[1]), 0
    ).view(upstream.shape), torch.stack(rows)


@wrong("embedding/lookup", "second row overwrites|gradients add up")
def plus_equals(ids, weight, upstream):
    g = torch.zeros_like(weight)
    g[ids] += upstream
    return weight[ids], g


@wrong("embedding/lookup", "only feature 0")
def scattered_wrong(ids, weight, upstream):
    g = torch.zeros_like(weight)
    g.scatter_add_(0, ids.view(-1, 1), upstream.flatten(0, -2))
    return weight[ids], g


@right("embedding/bag_mean")
def by_index_add(ids, offsets, weight):
    counts = torch.diff(torch.cat([offsets, torch.tensor([len(ids)])]))
    bag = torch.repeat_interleave(torch.arange(len(offsets)), counts)
    total = weight.new_zeros(len(offsets), weight.shape[1])
    total = total.index_add(0, bag, weight[ids])
    return total / counts.clamp(min=1)[:, None]


@right("embedding/bag_mean")
def by_split(ids, offsets, weight):
    sizes = torch.diff(offsets, append=torch.tensor([len(ids)])).tolist()
    zero = torch.zeros(weight.shape[1], dtype=weight.dtype)
    parts = F.embedding(ids, weight).split(sizes)
    return torch.stack([p.mean(0) if len(p) else zero for p in parts])


@right("embedding/bag_mean")
def by_matrix(ids, offsets, weight):
    place = torch.arange(len(ids))
    ends = torch.cat([offsets[1:], torch.tensor([len(ids)])])
    inside = (place >= offsets[:, None]) & (place < ends[:, None])
    m = inside.to(weight.dtype)
    return (m @ weight[ids]) / m.sum(1, keepdim=True).clamp_min(1)


@wrong("embedding/bag_mean", "NaN|empty bag")
def plain_mean(ids, offsets, weight):
    ends = [*offsets.tolist()[1:], len(ids)]
    pairs = zip(offsets.tolist(), ends, strict=True)
    return torch.stack([weight[ids[a:b]].mean(0) for a, b in pairs])


@wrong("embedding/bag_mean", "may not be called")
def by_bag(ids, offsets, weight):
    return F.embedding_bag(ids, weight, offsets)


@wrong("embedding/bag_mean", "last bag")
def minus_one(ids, offsets, weight):
    ends = [*offsets.tolist()[1:], -1]
    rows = []
    for a, b in zip(offsets.tolist(), ends, strict=True):
        part = weight[ids[a:b]]
        rows.append(part.sum(0) / max(len(part), 1))
    return torch.stack(rows)


@wrong("embedding/bag_mean", "gradient|torch.tensor")
def new_tensor(ids, offsets, weight):
    rows = by_split(ids, offsets, weight).tolist()
    return torch.tensor(rows, dtype=weight.dtype)


@wrong("embedding/bag_mean", "tensor")
def a_list(ids, offsets, weight):
    return list(by_split(ids, offsets, weight))


right("embedding/changed_rows")({"tied": 10, "plain": 3, "decay": 9})
right("embedding/changed_rows")({"plain": 3.0, "decay": torch.tensor(9), "tied": 10})
wrong("embedding/changed_rows", "dict")([3, 9, 10])
wrong("embedding/changed_rows", "tied")({"plain": 3, "decay": 9})
wrong("embedding/changed_rows", "names|plain")({"Plain": 3, "decay": 9, "tied": 10})
wrong("embedding/changed_rows", "decay")({"plain": 3, "decay": "9", "tied": 10})
