"""The module random, but for a seed: its numbers would not be Python's."""

from math import cos, log, pi, sqrt

from urandom import getrandbits

from layers_book.missing import refuse


def seed(a=None, version=2):
    """Only by chance."""
    if a is not None:
        refuse("random.seed")


def random():
    """A number in [0, 1)."""
    return (getrandbits(26) * 2**27 + getrandbits(27)) / 2**53


def uniform(a, b):
    """A number between two others."""
    return a + (b - a) * random()


def randrange(start, stop=None, step=1):
    """One of a range."""
    if stop is None:
        start, stop = 0, start
    return choice(range(start, stop, step))


def randint(a, b):
    """A whole number, both ends included."""
    return a + int(random() * (b - a + 1))


def choice(seq):
    """One of several."""
    return seq[int(random() * len(seq))]


def choices(population, weights=None, *, cum_weights=None, k=1):
    """Several, which may be the same."""
    if weights is not None or cum_weights is not None:
        refuse("random.choices with weights")
    return [choice(population) for _ in range(k)]


def shuffle(x):
    """Put a list into another order."""
    for i in range(len(x) - 1, 0, -1):
        j = randint(0, i)
        x[i], x[j] = x[j], x[i]


def sample(population, k):
    """Several different ones."""
    kept = list(population)
    shuffle(kept)
    return kept[:k]


def gauss(mu=0.0, sigma=1.0):
    """A normal number."""
    return mu + sigma * sqrt(-2 * log(1 - random())) * cos(2 * pi * random())


normalvariate = gauss
