"""The module fractions."""

from math import gcd


class Fraction:
    """A number as two whole ones."""

    def __init__(self, numerator=0, denominator=1):
        if not isinstance(numerator, int):
            numerator, denominator = _parts(numerator, denominator)
        if denominator == 0:
            raise ZeroDivisionError(f"Fraction({numerator}, 0)")
        shared = gcd(numerator, denominator) * (1 if denominator > 0 else -1)
        self.numerator = numerator // shared
        self.denominator = denominator // shared

    def __float__(self):
        return self.numerator / self.denominator

    def __int__(self):
        return int(self.numerator / self.denominator)

    def __repr__(self):
        return f"Fraction({self.numerator}, {self.denominator})"

    def __str__(self):
        whole = self.denominator == 1
        return f"{self.numerator}" + ("" if whole else f"/{self.denominator}")

    def __hash__(self):
        return hash((self.numerator, self.denominator))

    def __add__(self, other):
        if isinstance(other, float):
            return float(self) + other
        a, b, c, d = _both(self, other)
        return Fraction(a * d + c * b, b * d)

    def __sub__(self, other):
        return self + -other

    def __mul__(self, other):
        if isinstance(other, float):
            return float(self) * other
        a, b, c, d = _both(self, other)
        return Fraction(a * c, b * d)

    def __truediv__(self, other):
        if isinstance(other, float):
            return float(self) / other
        a, b, c, d = _both(self, other)
        return Fraction(a * d, b * c)

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return Fraction(self.denominator, self.numerator) * other

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return Fraction(-self.numerator, self.denominator)

    def __abs__(self):
        return Fraction(abs(self.numerator), self.denominator)

    def __pow__(self, power):
        if not isinstance(power, int):
            return float(self) ** power
        if power < 0:
            return Fraction(self.denominator**-power, self.numerator**-power)
        return Fraction(self.numerator**power, self.denominator**power)

    def __eq__(self, other):
        return float(self) == float(other)

    def __lt__(self, other):
        return float(self) < float(other)

    def __le__(self, other):
        return float(self) <= float(other)

    def __gt__(self, other):
        return float(self) > float(other)

    def __ge__(self, other):
        return float(self) >= float(other)


def _both(x, y):
    """The numbers of two fractions."""
    y = y if isinstance(y, Fraction) else Fraction(y)
    return x.numerator, x.denominator, y.numerator, y.denominator


def _parts(numerator, denominator):
    """The two numbers of a text, a fraction or a number with a point."""
    if isinstance(numerator, str):
        above, _, below = numerator.partition("/")
        return int(above), int(below or 1)
    if isinstance(numerator, Fraction):
        other = Fraction(denominator)
        above = numerator.numerator * other.denominator
        return above, numerator.denominator * other.numerator
    below = 1
    while numerator != int(numerator):
        numerator, below = numerator * 2, below * 2
    return int(numerator), below
