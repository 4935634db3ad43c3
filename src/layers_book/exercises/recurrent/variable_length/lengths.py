"""Lengths that the exercises of this page share."""

import torch
from torch import Generator, Tensor

# with ties, sorted either way, a batch of one, all equal, more than a swap from sorted
LENGTHS = (
    (2, 5, 3, 3),
    (3, 1, 5, 2, 5),
    (4, 2, 6),
    (4,),
    (1, 2, 4),
    (3, 3, 3, 3),
    (6, 4, 4, 2, 1),
    (2, 6, 2, 4, 1, 6),
)


def draw_lengths(generator: Generator) -> tuple[Tensor, int]:
    """Lengths, and a length of the tensor that may be larger than all of them."""
    index = generator.initial_seed()
    lengths = torch.tensor(LENGTHS[index % len(LENGTHS)])
    return lengths, int(lengths.max()) + (0, 0, 2)[index % 3]


def real_steps(lengths: Tensor, length: int) -> Tensor:
    return torch.arange(length) < lengths[:, None]
