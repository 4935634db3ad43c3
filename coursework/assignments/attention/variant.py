"""The numbers that differ from student to student."""

import random
from typing import Any


def variant(random: random.Random) -> dict[str, Any]:
    """Sizes such that typical slips give other numbers."""
    key_heads, share = random.choice([2, 3, 4]), random.choice([3, 4, 5])
    size = random.choice([16, 24, 32])
    heads = key_heads * share
    return {
        "heads": heads,
        "key_heads": key_heads,
        "size": size,
        "inner": heads * size * 2 + random.randrange(3, 40),
        "blocks": random.choice([5, 6, 7]),
        "letters": random.randrange(150, 400),
        "prompt": random.randrange(20, 60),
        "new": random.randrange(5, 15),
        "seed": random.randrange(1000, 10_000),
    }
