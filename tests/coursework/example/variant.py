"""What differs from student to student."""


def variant(random):
    return {"n": random.choice([3, 4, 5]), "seed": random.randrange(1000)}
