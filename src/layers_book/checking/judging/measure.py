"""Judges the mean of paired differences and its standard error, with room for chance.

Values come as `compare.loose` makes them: numbers, lists and dicts.
"""

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REACH = 4.0  # standard errors between two right means
ROUNDED = 0.01  # relative; numbers may be typed with few digits
SAME = 0.02  # standard errors between two means that are of the same seeds
SIMILAR = 0.1  # between those that may be, as far as words go
EQUAL = 0.04  # relative, between two errors of the same seeds

FORM = (
    "Give two numbers: the mean of the paired differences and its standard error, "
    "(mean, error)."
)
FINITE = "One of your numbers is infinite or NaN: look at each seed's difference."
SIGN = (
    "The sign of your mean is the opposite one: look at which of the two is subtracted."
)
SWAPPED = "Your numbers are in the other order: the mean comes first, then its error."
FRACTION = (
    "Your mean is a hundredth of the expected one, as if you gave a fraction where "
    "percent is asked for."
)
PERCENT = (
    "Your mean is a hundred times the expected one, as if you gave percent where a "
    "fraction is asked for."
)
NEGATIVE = "Your standard error is negative: a root has no sign."
SUM = "Your mean is the sum of the differences: divide it by the number of seeds."
SETTING = (
    "Your mean is that of one of the two settings: subtract the other's result, seed "
    "by seed, and take the mean of the differences."
)
MEAN = (
    "The mean of the paired differences is another one: chance does not explain how "
    "far off yours is. Look at which runs you compare, with which seeds, and after how "
    "many steps."
)
DEVIATION = (
    "The mean is right. Your error is as large as the standard deviation of the "
    "differences: divide that by the root of the number of seeds."
)
VARIANCE = (
    "The mean is right. Your error is as large as a variance: take its root, the "
    "standard deviation, and divide by the root of the number of seeds."
)
COUNT = (
    "The mean is right. Your error is the standard deviation divided by the number of "
    "seeds: divide by the root of that number."
)
UNPAIRED = (
    "The mean is right. Your error is that of two independent groups, which counts the "
    "spread that the seeds share: take the difference for each seed first, then the "
    "standard error of the differences."
)
SINGLE = (
    "The mean is right. Your error comes from the results of one setting alone: take "
    "the difference for each seed first."
)
ERROR = (
    "The mean is right, but its error is too {}. The standard error is the standard "
    "deviation of the paired differences, divided by the root of the number of seeds."
)


def agree(expected: "Any", got: "Any") -> bool:
    """Whether a measurement is right, or the same as a known one.

    Args:
        expected: both settings' results by seed: then there is room for other seeds
            and rounding. Anything else is compared as a measurement of the same seeds.
        got: the other.
    """
    right, other = figures(expected), figures(got)
    if right is None or other is None:
        return False
    if right[3]:
        return not fault(expected, got)
    mean, error = right[:2]
    near = abs(other[0] - mean) <= SIMILAR * abs(error) + ROUNDED * abs(mean) / 2
    return bool(near and _equal(error, other[1]))


def figures(value: "Any") -> "tuple[float, float, int, Any, Any] | None":
    """Mean, standard error, number of seeds (0: not known) and both settings' results.

    Args:
        value: the mean and its error, differences (three or more), or two lists of
            results.

    Returns:
        None if the value is none of these.
    """
    if isinstance(value, dict) and len(value.get("dict", ())) == 2:
        (key, mean), (other, error) = value["dict"]
        value = [error, mean] if other == "mean" else [mean, error]
        if "mean" not in (key, other):
            return None
    if not isinstance(value, list):
        return None
    if _numbers(value) and len(value) == 2:
        return value[0], value[1], 0, (), ()
    if _numbers(value) and len(value) > 2:
        return (
            _mean(value),
            _deviation(value) / math.sqrt(len(value)),
            len(value),
            (),
            (),
        )
    if len(value) == 2 and all([isinstance(v, list) and _numbers(v) for v in value]):
        a, b = value
        if len(a) == len(b) > 2:
            differences = [x - y for x, y in zip(a, b)]
            error = _deviation(differences) / math.sqrt(len(a))
            return _mean(differences), error, len(a), a, b
    return None


def fault(expected: "Any", got: "Any") -> str:
    """What is wrong with a measurement, in words; empty if it is right.

    Args:
        expected: both settings' results by seed.
        got: the answer.
    """
    right, other = figures(expected), figures(got)
    if right is None or other is None or not right[3]:
        return FORM
    return _fault(right, other)


def _fault(right: "Any", other: "Any") -> str:
    mean, error, seeds, a, b = right
    m, e, count = other[:3]
    if not (math.isfinite(m) and math.isfinite(e)):
        return FINITE
    room = REACH * math.sqrt(2.0) * error + 1e-9

    def near(value: float, wanted: float = mean) -> bool:
        return bool(abs(value - wanted) <= max(room, ROUNDED * abs(wanted)))

    if near(m) and e >= 0:
        return _of_error(right, e, count, abs(m - mean) / (error + 1e-9))
    if not _of_error(right, m, 0, REACH) and near(e):
        return SWAPPED
    if near(-m):
        return SIGN
    if near(100 * m):
        return FRACTION
    if near(m / 100):
        return PERCENT
    if _equal(m, seeds * mean):
        return SUM
    if _equal(m, _mean(a)) or _equal(m, _mean(b)):
        return SETTING
    return MEAN if e >= 0 else NEGATIVE


def _of_error(right: "Any", e: float, count: int, off: float) -> str:
    """What is wrong with the error of a right mean; empty if it is right.

    By chance an error is larger or smaller with other seeds, and smaller with more. If
    the seeds are the same, it equals the right one or shows where it comes from.

    Args:
        right: what `figures` gives.
        e: the error to be judged.
        count: its number of seeds, 0 if not known.
        off: standard errors between its mean and the right one.
    """
    error, seeds, a, b = right[1:]
    if count:
        error *= math.sqrt(seeds / count)
    if _equal(e, error) or _equal(e, error * math.sqrt((seeds - 1) / seeds)):
        return ""
    factor = 1 + REACH / math.sqrt(seeds)
    fits = error / (factor if count else 2 * factor) <= e <= error * factor
    found = {words for value, words in _sources(a, b) if _equal(e, value)}
    if off > (SAME if fits else SIMILAR):
        found = set()
    if fits and not found:
        return ""
    if len(found) == 1:
        return found.pop()
    return ERROR.replace("{}", "large" if e > error else "small")


def _sources(a: "Any", b: "Any") -> "list[tuple[float, str]]":
    """What may be taken for the standard error, with the words that say so."""
    n = len(a)
    found = []
    for divisor in (n - 1, n):
        scale = math.sqrt((n - 1) / divisor)
        deviation = scale * _deviation([x - y for x, y in zip(a, b)])
        alone = [scale * _deviation(a), scale * _deviation(b)]
        both = math.sqrt(alone[0] ** 2 + alone[1] ** 2)
        found += [
            (deviation, DEVIATION),
            (deviation**2, VARIANCE),
            (deviation**2 / n, VARIANCE),
            (deviation / n, COUNT),
            (both / math.sqrt(n), UNPAIRED),
        ]
        found += [(value / math.sqrt(n), SINGLE) for value in alone]
    return found


def _equal(x: float, y: float) -> bool:
    return abs(x - y) <= EQUAL * max(abs(x), abs(y)) + 1e-12


def _numbers(values: "Any") -> bool:
    return all(
        [isinstance(v, (int, float)) and not isinstance(v, bool) for v in values]
    )


def _mean(values: "Any") -> float:
    return float(sum(values)) / len(values)


def _deviation(values: "Any") -> float:
    mean = _mean(values)
    return math.sqrt(sum([(v - mean) ** 2 for v in values]) / (len(values) - 1))
