"""The numbers that differ from student to student."""

import random
from typing import Any


def variant(random: random.Random) -> dict[str, Any]:
    """Sizes no two of which agree, such that typical slips give other numbers."""
    h_in, proj, hidden = random.sample(range(3, 9), 3)
    hidden += 8
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
        "layers": random.choice([2, 3]),
        "lengths": lengths,
        "t": t,
        "seed": random.randrange(1000, 10_000),
    }
