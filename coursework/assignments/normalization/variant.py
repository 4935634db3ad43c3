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
        var = sum((x - mean) ** 2 for x in batch) / n
        old_mean, old_var = random.randint(-40, 40) / 10, random.randint(5, 60) / 10
        new_mean = (1 - momentum) * old_mean + momentum * mean
        new_var = (1 - momentum) * old_var + momentum * var * n / (n - 1)
        x = random.choice(batch)
        pairs = (old_mean, old_var), (new_mean, new_var), (mean, var)
        outputs = [0.0, *((x - m) / (v or 1) ** 0.5 for m, v in pairs)]
        apart = [abs(a - b) for i, a in enumerate(outputs) for b in outputs[:i]]
        apart += [abs(mean) / 5, abs(old_mean) / 5, abs(mean - old_mean) / 10]
        if min(apart) >= 0.1 and abs(var - old_var) >= 1 and var >= 2:
            break
    return {
        "momentum": momentum,
        "N": n,
        "mean_before": old_mean,
        "var_before": old_var,
        "mean_after": round(new_mean, 8),
        "var_after": round(new_var, 8),
        "x": x,
        "left": left,
        "seed": random.randrange(1000, 10_000),
    }
