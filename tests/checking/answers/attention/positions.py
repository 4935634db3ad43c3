"""Foreign answers to the exercises on positions."""

import math

import torch
from answers import right, wrong
from torch.nn import functional as F

right("positions/turned")([math.cos(math.pi / 6 * d) for d in (0, 2, 3, 6)])
right("positions/turned")(torch.tensor([1.0, 0.5, 0.0, -1.0]))
wrong("positions/turned", "sine of the angle")([0, 0.866, 1, 0])
wrong("positions/turned", "opposite")([1, 0.5, 0, 1])
wrong("positions/turned", "degrees")([0, 60, 90, 180])


@right("positions/cached")
def complex_numbers(x, start):
    length, width = x.shape[-2:]
    place = torch.arange(start, start + length, dtype=x.dtype)
    rate = torch.exp(-math.log(10_000) * torch.arange(0, width, 2).to(x.dtype) / width)
    angle = torch.outer(place, rate)
    turn = torch.polar(torch.ones_like(angle), angle)
    z = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(z * turn).flatten(-2)


@wrong("positions/cached", "pair feature|neighbors")
def the_other_pairing(x, start):
    length, width = x.shape[-2:]
    rate = 10_000 ** (-torch.arange(0, width, 2).to(x.dtype) / width)
    angle = torch.outer(torch.arange(length).to(x.dtype) + start, rate)
    angle = torch.cat([angle, angle], -1)
    a, b = x.chunk(2, -1)
    return x * angle.cos() + torch.cat([-b, a], -1) * angle.sin()


@wrong("positions/cached", "begins at place 0|start")
def from_zero(x, start):
    return complex_numbers(x, 0)


@right("positions/relative")
def by_embedding(table, L):
    reach = (len(table) - 1) // 2
    rows = [
        [min(max(j - i, -reach), reach) + reach for j in range(L)] for i in range(L)
    ]
    return F.embedding(torch.tensor(rows), table).movedim(-1, 0)


@wrong("positions/relative", "last axis|heads")
def heads_last(table, L):
    return by_embedding(table, L).movedim(0, -1)


@wrong("positions/relative", "turned the distances")
def the_other_way(table, L):
    return by_embedding(table, L).mT


@right("positions/shift")
def by_blocks(k, E):
    squares = []
    for i in range(E // 2):
        a = k / 10_000 ** (2 * i / E)
        square = [[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]]
        squares.append(torch.tensor(square, dtype=torch.float64))
    return torch.block_diag(*squares)


@wrong("positions/shift", "places back")
def transposed(k, E):
    return by_blocks(k, E).T
