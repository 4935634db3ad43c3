"""What differs from student to student."""


def variant(random):
    stride = random.choice([2, 3])
    even, odd = random.choice([18, 22, 26]), random.choice([21, 23, 25, 27])
    rows, columns = random.sample([even, odd], 2)  # what a stride leaves
    return {
        "height": rows * stride - random.randrange(stride),
        "width": columns * stride - random.randrange(stride),
        "channels": random.choice([4, 6, 8]),
        "kernel": random.choice([5, 7]),
        "stride": stride,
        "multiplier": random.choice([3, 5]),
        "dilation": random.choice([4, 6]),
        "seed": random.randrange(1000),
    }
