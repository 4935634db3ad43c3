"""Each student's own numbers."""

import random


def variant(random: random.Random) -> dict[str, object]:
    """The activation and the sizes of question 8 and of the investigation."""
    return {
        "activation": random.choice(["GELU", "SiLU", "Mish", "ELU"]),
        "rms": random.randrange(60, 81) / 100,
        "width": random.randrange(96, 130, 4),
        "depth": random.randrange(16, 25),
        "seed": random.randrange(1000),
    }
