"""Foreign answers to the exercises on nn.Transformer."""

import torch
from answers import right, wrong
from torch.nn import functional as F


@right("transformer/shift")
def by_where(tgt):
    given, labels = tgt[..., :-1].clone(), tgt[..., 1:]
    return given, torch.where(labels == 0, torch.full_like(labels, -100), labels)


@right("transformer/shift")
def in_a_list(tgt):
    labels = tgt[:, 1:].clone()
    labels[labels == 0] = -100
    return [tgt[:, :-1], labels]


@wrong("transformer/shift", "copy|unshifted")
def both_whole(tgt):
    return tgt, tgt.masked_fill(tgt == 0, -100)


@right("transformer/greedy")
def row_by_row(table, start, end, n):
    rows = []
    for first in start.tolist():
        row, sign = [], first
        while len(row) < n:
            sign = int(table[sign].argmax())
            row.append(sign)
            if sign == end:
                row += [0] * (n - len(row))
        rows.append(row)
    return torch.tensor(rows)


@right("transformer/greedy")
def cut_afterwards(table, start, end, n):
    following = table.argmax(1)
    out = torch.zeros(len(start), n, dtype=torch.long)
    sign = start
    for step in range(n):
        sign = following[sign]
        out[:, step] = sign
    ended = (out == end).cumsum(1) - (out == end).long()
    return out * (ended == 0)


@wrong("transformer/greedy", "end")
def without_end(table, start, end, n):
    out = row_by_row(table, start, end, n)
    return out.masked_fill(out == end, 0)


@right("transformer/score")
def by_cross_entropy(logits, labels, alpha):
    nll = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
    return -nll.sum(-1) / (labels >= 0).sum(-1).to(logits.dtype).pow(alpha)


@wrong("transformer/score", "loss|above 0")
def a_loss(logits, labels, alpha):
    return -by_cross_entropy(logits, labels, alpha)
