"""The numbers that differ from student to student."""

import random
from typing import Any


def variant(random: random.Random) -> dict[str, Any]:
    """Sizes no two of which agree, such that typical slips give other numbers."""
    while True:
        h_in, proj, hidden = random.sample(range(3, 9), 3)
        hidden, layers = hidden + 8, random.choice([3, 4])
        deeper = layers - 1
        lost = {  # parameters that a slip misses, in one direction, over hidden
            4 * layers,
            layers * proj,
            4 * deeper * proj,
            4 * deeper * (2 * proj - h_in),
            h_in + 2 * deeper * proj + layers * (proj + 2),
        }
        if len(lost) == 5 and 0 not in lost and hidden not in (2 * proj, layers * proj):
            break
    while True:
        lengths = [random.randint(2, 12) for _ in range(random.randint(6, 8))]
        t = random.randint(3, 8)
        running = [
            sum(length > step for length in lengths) for step in (t - 1, t, t + 1)
        ]
        if len({*running, lengths[t % len(lengths)]}) == 4 and running[2] > 0:
            break
    return {
        "H_in": h_in,
        "hidden": hidden,
        "proj": proj,
        "layers": layers,
        "lengths": lengths,
        "t": t,
        "seed": random.randrange(1000, 10_000),
    }
