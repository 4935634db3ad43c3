"""Foreign answers to the exercises of the bridge to attention."""

import math

import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F

right("beyond/share")((0.1, 0.02, 0.0577))
right("beyond/share")(torch.tensor([1 / 10, 1 / 50, 3 / 52]))
wrong("beyond/share", "sum to 1")([0.1, 0.02, 0.06])
wrong("beyond/share", "percentages")([10, 2, 5.769])
wrong("beyond/share", "asking step")([1 / 9, 1 / 49, 3 / 51])


@right("beyond/path")
def by_ceil(kind, back, kernel):
    hops = {"recurrent": back, "attention": 1}
    return hops.get(kind, math.ceil(back / (kernel - 1)))


@right("beyond/path")
def by_walking(kind, back, kernel):
    far, hops = {"recurrent": 1, "attention": back, "convolution": kernel - 1}[kind], 0
    while back > 0:
        back, hops = back - far, hops + 1
    return torch.tensor(hops)


@wrong("beyond/path", "kernel - 1")
def whole_windows(kind, back, kernel):
    return {"recurrent": back, "attention": 1}.get(kind, math.ceil(back / kernel))


@wrong("beyond/path", "round")
def rounds_to_nearest(kind, back, kernel):
    return {"recurrent": back, "attention": 1}.get(kind, back // (kernel - 1))


@right("beyond/soft_lookup")
def by_logsumexp(query, keys, values):
    scores = torch.einsum("sd,d->s", keys, query)
    return torch.einsum("s,sv->v", (scores - scores.logsumexp(0)).exp(), values)


@right("beyond/soft_lookup")
def loop(query, keys, values):
    weights = F.softmax(torch.stack([key.dot(query) for key in keys]), dim=-1)
    return sum(w * value for w, value in zip(weights, values, strict=True))


@wrong("beyond/soft_lookup", "may not be")
def sdpa(query, keys, values):
    return F.scaled_dot_product_attention(query[None], keys, values)[0]


@wrong("beyond/soft_lookup", "root of d")
def divided(query, keys, values):
    return (keys @ query / math.sqrt(query.numel())).softmax(0) @ values


@wrong("beyond/soft_lookup", "overflow")
def unshifted(query, keys, values):
    e = torch.exp(keys @ query)
    return (e / e.sum()) @ values


@right("beyond/cost")
def by_products(L, S, d):
    return 2 * (2 * L * d * d) + 2 * (2 * S * d * d) + 2 * (2 * L * S * d)


@wrong("beyond/cost", "may not be")
def builds(L, S, d):
    layer = nn.MultiheadAttention(d, 1)
    return 2 * (L + S) * layer.in_proj_weight.numel() // 3 * 2 + 4 * L * S * d


@wrong("beyond/cost", "L steps|S of them|for each")
def for_itself(L, S, d):
    return 8 * L * d**2 + 4 * L * S * d


@wrong("beyond/cost", "two")
def halves(L, S, d):
    return by_products(L, S, d) // 2


right("beyond/fading")((2.15, 0.17))
right("beyond/fading")(torch.tensor([2.0, 0.15]))
wrong("beyond/fading", "not right|natural")((4.96, 0.38))
