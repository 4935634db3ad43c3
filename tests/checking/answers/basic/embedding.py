"""Foreign answers to the exercises on embeddings."""

import numpy as np
import torch
from answers import right, wrong
from torch.nn import functional as F


def with_options(g, ids, padding_idx, by_freq):
    count = torch.tensor([max(int((ids == i).sum()), 1) for i in range(len(g))])
    g = g / count.unsqueeze(1) if by_freq else g
    if padding_idx is None:
        return g
    return g * (torch.arange(len(g)) != padding_idx).unsqueeze(1)


@wrong("embedding/lookup", "may not be called")
def by_autograd(ids, weight, upstream, padding_idx=None, by_freq=False):
    table = weight.detach().requires_grad_()
    rows = table[ids]
    return rows.detach(), torch.autograd.grad(rows, table, upstream)[0]


@wrong("embedding/lookup", "may not be called")
def by_backward(ids, weight, upstream, padding_idx=None, by_freq=False):
    table = weight.clone().requires_grad_()
    rows = table[ids]
    rows.backward(upstream)
    return rows.detach(), table.grad


@wrong("embedding/lookup", "may not be called")
def by_vjp(ids, weight, upstream, padding_idx=None, by_freq=False):
    rows, back = torch.func.vjp(lambda w: w[ids], weight)
    return rows, back(upstream)[0]


@wrong("embedding/lookup", "may not be called")
def by_functional(ids, weight, upstream, padding_idx=None, by_freq=False):
    return torch.autograd.functional.vjp(lambda w: w[ids], weight, upstream)


@wrong("embedding/lookup", "may not be called")
def by_jacrev(ids, weight, upstream, padding_idx=None, by_freq=False):
    def loss(w):
        return (w[ids] * upstream).sum()

    return weight[ids], torch.func.grad(loss)(weight)


@wrong("embedding/lookup", "may not be called")
def by_dense_backward(ids, weight, upstream, padding_idx=None, by_freq=False):
    op = torch.ops.aten.embedding_dense_backward
    return weight[ids], op(upstream, ids, len(weight), -1, False)


@wrong("embedding/lookup", "may not be called")
def by_f_embedding(ids, weight, upstream, padding_idx=None, by_freq=False):
    y = F.embedding(ids, weight)
    return y, torch.zeros_like(weight)


@wrong("embedding/lookup", r"any shape|axes|reshape")
def loop_one_axis(ids, weight, upstream, padding_idx=None, by_freq=False):
    g = torch.zeros_like(weight)
    for i, row in zip(ids, upstream, strict=True):
        g[i] += row
    return weight[ids], with_options(g, ids, padding_idx, by_freq)


@right("embedding/lookup")
def one_hot(ids, weight, upstream, padding_idx=None, by_freq=False):
    hot = F.one_hot(ids.flatten(), len(weight)).to(weight.dtype)
    y = (hot @ weight).view(*ids.shape, -1)
    g = hot.T @ upstream.flatten(0, -2)
    return y, with_options(g, ids, padding_idx, by_freq)


@right("embedding/lookup")
def accumulated(ids, weight, upstream, padding_idx=None, by_freq=False):
    g = torch.zeros(weight.shape, dtype=weight.dtype)
    g.index_put_((ids,), upstream, accumulate=True)
    g = with_options(g, ids, padding_idx, by_freq)
    return [weight.index_select(0, ids.reshape(-1)).reshape(*ids.shape, -1), g]


@right("embedding/lookup")
def looped(ids, weight, upstream, padding_idx=None, by_freq=False):
    g = torch.zeros_like(weight)
    for place in np.ndindex(*ids.shape):
        g[ids[place]] += upstream[place]
    return weight[ids].clone(), with_options(g, ids, padding_idx, by_freq)


@right("embedding/lookup")
def masked(ids, weight, upstream, padding_idx=None, by_freq=False):
    rows = [upstream[ids == i].sum(0) for i in range(len(weight))]
    return torch.take_along_dim(
        weight, ids.reshape(-1, 1).expand(-1, weight.shape[1]), 0
    ).view(upstream.shape), with_options(torch.stack(rows), ids, padding_idx, by_freq)


@wrong("embedding/lookup", "second row overwrites|gradients add up")
def plus_equals(ids, weight, upstream, padding_idx=None, by_freq=False):
    g = torch.zeros_like(weight)
    g[ids] += upstream
    return weight[ids], g


@wrong("embedding/lookup", "only feature 0")
def scattered_wrong(ids, weight, upstream, padding_idx=None, by_freq=False):
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


@right("embedding/sentence_mean")
def by_torchs_bag(ids, weight, padding_idx):
    return F.embedding_bag(ids, weight, mode="mean", padding_idx=padding_idx)


@right("embedding/sentence_mean")
def sentence_by_sentence(ids, weight, padding_idx):
    rows = []
    for sentence in ids:
        real = sentence[sentence != padding_idx]
        rows.append(weight[real].sum(0) / max(len(real), 1))
    return torch.stack(rows)


@right("embedding/sentence_mean")
def zeroed_row(ids, weight, padding_idx):
    keep = torch.ones(len(weight), 1, dtype=weight.dtype)
    keep[padding_idx] = 0
    count = keep[ids].sum(1)
    return (weight * keep)[ids].sum(1) / torch.where(count > 0, count, 1.0)


@wrong("embedding/sentence_mean", "length of the row")
def zeros_counted(ids, weight, padding_idx):
    vectors = weight[ids].masked_fill((ids == padding_idx)[..., None], 0.0)
    return vectors.mean(dim=1)


@wrong("embedding/sentence_mean", "padding alone")
def masked_mean(ids, weight, padding_idx):
    return torch.stack([weight[row[row != padding_idx]].mean(0) for row in ids])


right("embedding/weekdays")((1.75, 0.055))
wrong("embedding/weekdays", "other way|sign|turned")((-1.75, 0.055))
wrong("embedding/weekdays", "mean")((2.27, 0.05))
