"""Foreign answers to the exercises of the case study on state and attention."""

import math

import numpy as np
import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F

right("attention_case_study/memory")(256)
right("attention_case_study/memory")(torch.tensor(256.0))
right("attention_case_study/memory")(16 * 4 * 1000**2 * 32 / 8 / 1e6)
wrong("attention_case_study/memory", "bytes")(64)
wrong("attention_case_study/memory", "heads")(4)
wrong("attention_case_study/memory", never="one head")(244.14)  # of 1,048,576 bytes


@right("attention_case_study/units")
def by_the_root(budget, blocks, n_in, n_out):
    b = blocks * (n_in + 2) + n_out  # blocks H² + b H + n_out <= budget
    return int((math.isqrt(b * b + 4 * blocks * (budget - n_out)) - b) // (2 * blocks))


@right("attention_case_study/units")
def by_search(budget, blocks, n_in, n_out):
    fits = [
        H for H in range(100) if blocks * H * (n_in + H + 2) + n_out * (H + 1) <= budget
    ]
    return max(fits)


@right("attention_case_study/units")
def by_shapes(budget, blocks, n_in, n_out):
    H = 0
    while True:
        rows = blocks * (H + 1)
        layer = [(rows, n_in), (rows, H + 1), (rows, 1), (rows, 1)]
        if sum(map(math.prod, [*layer, (n_out, H + 1), (n_out, 1)])) > budget:
            return H
        H += 1


@wrong("attention_case_study/units", "exceed|no more")
def closest(budget, blocks, n_in, n_out):
    def off(H):
        return abs(blocks * H * (n_in + H + 2) + n_out * (H + 1) - budget)

    return min(range(100), key=off)


@wrong("attention_case_study/units", "two biases")
def one_bias(budget, blocks, n_in, n_out):
    H = 0
    while blocks * (H + 1) * (n_in + H + 2) + n_out * (H + 2) <= budget:
        H += 1
    return H


@right("attention_case_study/fit")
def by_normal_equations(lengths, cost):
    A = torch.stack((lengths, lengths.square())).T
    return torch.linalg.solve(A.T @ A, A.T @ cost)


@right("attention_case_study/fit")
def by_the_inverse(lengths, cost):
    return torch.linalg.pinv(torch.stack([lengths, lengths**2], dim=1)) @ cost


@right("attention_case_study/fit")
def as_numpy(lengths, cost):
    n = lengths.numpy()
    found, *_ = np.linalg.lstsq(np.stack([n, n**2], 1), cost.numpy(), rcond=None)
    return torch.tensor(found)


@wrong("attention_case_study/fit", "three")
def by_polyfit(lengths, cost):
    return torch.tensor(np.polyfit(lengths.numpy(), cost.numpy(), 2)[::-1].copy())


@wrong("attention_case_study/fit", "a word")
def per_word(lengths, cost):
    basis = torch.stack([torch.ones_like(lengths), lengths], 1)
    return torch.linalg.lstsq(basis, (cost / lengths)[:, None]).solution[:, 0]


def _share(length, seed):
    torch.manual_seed(seed)
    q, k = torch.randn(50, 1, 8), torch.randn(50, length, 8)
    return F.softmax(q @ k.mT / math.sqrt(8), -1)[..., :6].sum(-1).mean().item()


_gaps = torch.tensor([_share(11, seed) - _share(26, seed) for seed in range(100, 112)])
right("attention_case_study/dilution")(_gaps.tolist())
right("attention_case_study/dilution")((_gaps.mean(), _gaps.std() / len(_gaps) ** 0.5))
wrong("attention_case_study/dilution", "sign|minus|reverse")((-_gaps).tolist())
wrong("attention_case_study/dilution", never="206")((_gaps.mean(), _gaps.std()))


@right("attention_case_study/last_press")
def one_hot(log):
    minutes = torch.arange(log.shape[1])
    last = torch.where(log < 2, minutes, -1).argmax(1)
    return F.one_hot(last, log.shape[1]).double().mul(1e3).softmax(-1)


@right("attention_case_study/last_press")
def masked(log):
    scores = torch.linspace(0, 1, log.shape[1]) * log.shape[1] * 8
    return scores.expand(log.shape).masked_fill(log > 1, -torch.inf).softmax(-1)


@right("attention_case_study/last_press")
def counted(log):
    press = log.le(1).long()
    later = press.flip(1).cumsum(1).flip(1)  # presses from here on
    return torch.where((press == 1) & (later == 1), 50.0, 0.0).softmax(1)


@wrong("attention_case_study/last_press", "0.73|neighbors|too little")
def too_soft(log):
    scores = torch.arange(log.shape[1]).double().expand(log.shape)
    return scores.masked_fill(log > 1, -torch.inf).softmax(-1)


@wrong("attention_case_study/last_press", "share|later")
def by_the_word(log):
    embed = nn.Embedding.from_pretrained(torch.tensor([[50.0], [50.0], [0], [0], [0]]))
    return embed(log)[..., 0].softmax(-1)
