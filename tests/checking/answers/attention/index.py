"""Foreign answers to the exercises of the chapter's first page."""

import torch
from answers import right, wrong
from torch.nn import functional as F

right("attention/mean")(13)
right("attention/mean")(
    torch.tensor([0.0, 0.0, 0.693147]).softmax(0) @ torch.tensor([4.0, 8, 20])
)
wrong("attention/mean", "plain mean")(32 / 3)
wrong("attention/mean", "best key alone")(20)
wrong("attention/mean", "divided by")(52)


@right("attention/many")
def by_cdist(queries, keys, values):
    return F.softmax(-torch.cdist(queries, keys).square(), dim=-1) @ values


@right("attention/many")
def one_by_one(queries, keys, values):
    rows = []
    for q in queries:
        e = torch.exp(-((keys - q) ** 2).sum(-1))
        rows.append((e[:, None] * values).sum(0) / e.sum())
    return torch.stack(rows)


@wrong("attention/many", "sum to 1")
def unnormalized(queries, keys, values):
    return torch.exp(-((keys - queries[:, None]) ** 2).sum(-1)) @ values


@wrong("attention/many", "Far keys|minus")
def prefers_far(queries, keys, values):
    return ((keys - queries[:, None]) ** 2).sum(-1).softmax(-1) @ values


@right("attention/stream")
def largest_first(query, keys, values):
    top = max(k @ query for k in keys)
    total, mix = 0, 0
    for key, value in zip(keys, values, strict=True):
        w = torch.exp(key @ query - top)
        total, mix = total + w, mix + w * value
    return mix / total


@right("attention/stream")
def running_mean(query, keys, values):
    log, mean = None, None
    for key, value in zip(keys, values, strict=True):
        s = key.dot(query)
        if log is None:
            log, mean = s, value
            continue
        share = torch.sigmoid(s - log)
        mean = mean + share * (value - mean)
        log = torch.logaddexp(log, s)
    return mean


@wrong("attention/stream", "may not be")
def softmax(query, keys, values):
    return torch.softmax(keys @ query, 0) @ values


@wrong("attention/stream", "overflow")
def plain(query, keys, values):
    e = torch.exp(keys @ query)
    return (e / e.sum()) @ values
