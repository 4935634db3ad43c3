"""The numbers that differ from student to student."""

import random
from typing import Any


def variant(random: random.Random) -> dict[str, Any]:
    """Numbers of one student, such that no two ways to read the buffers agree."""
    momentum = random.choice([0.15, 0.2, 0.25, 0.3, 0.35])
    left = random.choice([0.01, 0.02, 0.03, 0.05])
    while True:
        n = random.randint(4, 8)
        batch = [random.randint(-12, 12) / 2 for _ in range(n)]
        mean = sum(batch) / n
        squares = sum((x - mean) ** 2 for x in batch)
        mean_before = random.randint(-40, 40) / 10
        var_before = random.randint(5, 60) / 10
        x = random.choice(batch)
        apart = abs(mean - mean_before), abs(squares / n - var_before), abs(x - mean)
        if min(apart) >= 1 and squares / n >= 2 and abs(mean) >= 0.5:
            break
    return {
        "momentum": momentum,
        "N": n,
        "mean_before": mean_before,
        "var_before": var_before,
        "mean_after": round((1 - momentum) * mean_before + momentum * mean, 8),
        "var_after": round(
            (1 - momentum) * var_before + momentum * squares / (n - 1), 8
        ),
        "x": x,
        "left": left,
        "seed": random.randrange(1000, 10_000),
    }
