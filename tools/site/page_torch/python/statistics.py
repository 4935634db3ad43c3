"""The module statistics."""

from math import sqrt


class StatisticsError(ValueError):
    """Too few numbers."""


def mean(data):
    """The mean."""
    data = list(data)
    if not data:
        raise StatisticsError("mean requires at least one data point")
    return sum(data) / len(data)


fmean = mean


def _squares(data, least):
    data = list(data)
    if len(data) < least:
        raise StatisticsError(f"variance requires at least {least} data points")
    middle = mean(data)
    return sum([(x - middle) ** 2 for x in data]), len(data)


def variance(data, xbar=None):
    """The variance, divided by n - 1."""
    total, count = _squares(data, 2)
    return total / (count - 1)


def pvariance(data, mu=None):
    """The variance, divided by n."""
    total, count = _squares(data, 1)
    return total / count


def stdev(data, xbar=None):
    """The standard deviation, by n - 1."""
    return sqrt(variance(data))


def pstdev(data, mu=None):
    """The standard deviation, by n."""
    return sqrt(pvariance(data))


def median(data):
    """The number in the middle."""
    data = sorted(data)
    if not data:
        raise StatisticsError("no median for empty data")
    half = len(data) // 2
    return data[half] if len(data) % 2 else (data[half - 1] + data[half]) / 2
