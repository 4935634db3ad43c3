"""The module math, with what MicroPython's lacks."""

from math import *


def _open(function):
    """A function of numbers that takes tensors of one number, too."""

    def call(*args):
        try:
            return function(*args)
        except TypeError:
            return function(*[float(x) for x in args])

    return call


NUMBERS = (
    "acos acosh asin asinh atan atan2 atanh ceil copysign cos cosh degrees erf erfc exp"
    " expm1 fabs floor fmod gamma isclose isfinite isinf isnan lgamma log log10 log2"
    " pow radians sin sinh sqrt tan tanh trunc"
)
for _name in NUMBERS.split():
    globals()[_name] = _open(globals()[_name])


def prod(numbers, *, start=1):
    """The product of numbers."""
    for number in numbers:
        start = start * number
    return start


def comb(n, k):
    """How many ways there are to take k of n."""
    if k > n:
        return 0
    found = 1
    for i in range(min(k, n - k)):
        found = found * (n - i) // (i + 1)
    return found


def perm(n, k=None):
    """How many ways there are to line up k of n."""
    return prod(range(n - (n if k is None else k) + 1, n + 1))


def gcd(*numbers):
    """The greatest common divisor."""
    found = 0
    for number in numbers:
        while number:
            found, number = number, found % number
    return abs(found)


def lcm(*numbers):
    """The least common multiple."""
    found = 1
    for number in numbers:
        found = abs(found * number) // gcd(found, number) if number else 0
    return found


def isqrt(n):
    """The whole part of a root."""
    found = int(sqrt(n))
    while found * found > n:
        found -= 1
    while (found + 1) * (found + 1) <= n:
        found += 1
    return found


def hypot(*numbers):
    """The length of a vector."""
    return sqrt(sum([x * x for x in numbers]))


def dist(p, q):
    """How far two points are apart."""
    return hypot(*[x - y for x, y in zip(p, q)])


def fsum(numbers):
    """The sum, without the errors of rounding on the way."""
    parts = []
    for x in numbers:
        i = 0
        for y in parts:
            if abs(x) < abs(y):
                x, y = y, x
            high = x + y
            low = y - (high - x)
            if low:
                parts[i] = low
                i += 1
            x = high
        parts[i:] = [x]
    return sum(parts)


def exp2(x):
    """A power of two."""
    return 2.0**x


def cbrt(x):
    """The third root."""
    return copysign(abs(x) ** (1 / 3), x)


def log1p(x):
    """log(1 + x), exact for small x."""
    y = 1.0 + x
    return x if y == 1.0 else log(y) * x / (y - 1.0)
