"""Records made small enough to travel with a page, and told by them again.

Plain Python that CPython and MicroPython run: the book's build writes, the page reads.
An exercise's file is JSON; what is under ``"frozen"`` is made by real torch:

- ``"whole"``: whether records are kept as they are (`packed`), as those of values and
  measurements; then ``"hints"`` lists the mistakes' sentences, and nothing but the
  judging is needed. Else each record is kept as below;
- ``"right"``: of each configuration, the right record: `prints`;
- ``"mistakes"``: of each mistake, of each configuration, its record: `sketch`.

A case is kept by its fingerprint: a number made of its words, of its whole numbers and
of where it is not finite, and the sum of its other numbers with weights that depend on
their places. A mistake's case is one of

- ``0``: the right one;
- ``s``: as the right one, but for numbers whose differences from it have this sum;
- ``[w, s]``: what it is made of differs as well;
- ``"?"``: any other tensor of the right one's form, where float32 alone shows the
  mistake: it has no digits left there, so that its numbers are chance;
- ``{"raised": [type, text, operation]}``;
- ``{"value": value}``: a short one, packed.

Read the JSON with Python's own module: 1.0 is no whole number.
"""

import binascii
import math

from layers_book.checking.judging.compare import (
    TOLERANCES,
    as_number,
    conformed,
    form,
    helper,
    is_dict,
    is_list,
    is_number,
    is_numpy,
    is_object,
    is_tensor,
    item,
    keys,
    loose,
    same_case,
)
from layers_book.checking.judging.words import CONFIGURATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Record = list[tuple[Any, ...]]

WEIGHTS = 1009  # a prime; how many different weights there are, plus one
WORDS = 1 << 20  # different numbers made of words
DIGITS = 8  # of a right record's sum
LESS_DIGITS = 5  # of a mistake's
SHORT = 24  # characters of a value that is kept whole
HALVES = {"float16": (2e-3, 0.0), "bfloat16": (2e-2, 0.0)}
ROOM = 4.0  # how far a right sum may be off, in deviations of independent errors
LESS = 0.02  # the same for a mistake's in float64, since other mistakes may be near
ROUGH = 1e-4  # relative: what is less exact is taken as it comes
NOTHING = ("nothing", "", "", None)  # a case that no other is the same as


def packed(value: "Any") -> "Any":
    """A plain value as JSON holds it."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if is_list(value):
        return [packed(v) for v in value]
    if isinstance(value, dict):
        return {key: packed(v) for key, v in value.items()}
    return value


def unpacked(value: "Any") -> "Any":
    """A plain value from what `packed` gives, with lists for tuples."""
    if is_list(value):
        return [unpacked(v) for v in value]
    if isinstance(value, dict):
        if "float" in value:
            return float(value["float"])
        return {key: unpacked(v) for key, v in value.items()}
    return value


def prints(record: "Record") -> "list[list[Any]]":
    """The fingerprints of a right record's cases."""
    return [_rounded(_fingerprint(case, case), DIGITS) for case in record]


def fits(kept: "list[list[Any]]", record: "Record") -> bool:
    """Whether a record is the one whose fingerprints have been kept."""
    if len(kept) != len(record):
        return False
    for (words, total), case in zip(kept, record):
        shape, numbers = _made(case, case)
        if _hashed(shape) != words:
            return False
        if not _near(total, _total(numbers), numbers, DIGITS, ROOM):
            return False
    return True


def sketch(expected: "Record", mistake: "Record") -> "list[Any]":
    """What is kept of a mistake's record.

    Args:
        expected: the right record.
        mistake: that of the mistake.
    """
    found = [
        _sketched(expected[at] if at < len(expected) else None, case)
        for at, case in enumerate(mistake)
    ]
    for kept, right, case in zip(found, expected, mistake):
        if kept != 0 and not _rough(right, case):
            return found
    return ["?" if kept != 0 else 0 for kept in found]


def rebuilt(
    kept: "list[Any]", expected: "Record", got: "Record", told: "dict[int, Any]"
) -> "Record":
    """A mistake's record, as far as it can be told from an answer's.

    Args:
        kept: what `sketch` gives.
        expected: the right record.
        got: that of the answer.
        told: empty at first, the same for each mistake: what is known of ``got``.
    """
    found = []
    for at, case in enumerate(kept):
        right = expected[at] if at < len(expected) else None
        if isinstance(case, dict):
            found.append(_whole(case, right))
        elif case == 0:
            found.append(right)
        elif at >= len(got):
            found.append(NOTHING)
        else:
            if at not in told:
                told[at] = _Told(right, got[at])
            found.append(got[at] if told[at].fits(case) else NOTHING)
    return found


def _rough(right: "Any", case: "Any") -> bool:
    """Whether a case is a tensor of float32 of the right one's form."""
    value = case[3]
    named = list(case[:3]) == list(right[:3]) and "float32" in case[2]
    if not named or not is_tensor(value) or not is_tensor(right[3]):
        return False
    return bool(form(right[3]) == form(value))


def _whole(kept: "Any", right: "Any") -> "Any":
    if "raised" in kept:
        kind, text, operation = kept["raised"]
        value = {"type": kind, "text": text, "operation": operation}
        return ("raised", "", "", value)
    case = list(right)
    case[3] = unpacked(kept["value"])
    return case


class _Told:
    """What tells an answer's case from others, given the right one in its place."""

    def __init__(self, right: "Any", got: "Any") -> None:
        self.words = self.others = None
        self.rough = right is not None and got[0] == right[0] and _rough(right, got)
        self.differs = True
        if got[0] == "raised" or (right is not None and same_case(right, got)):
            self.differs = False
            return
        words, self.numbers = _made(got, right or got)
        self.words, self.total = _hashed(words), _total(self.numbers)
        wanted, others = _made(right, right) if right is not None else ("", [])
        if words == wanted:
            self.others = others
            self.apart = _total(_differences(self.numbers, others))

    def fits(self, kept: "Any") -> bool:
        """Whether it is as a mistake's case that is not the right one."""
        if not self.differs:
            return False
        if kept == "?":
            return self.rough
        if isinstance(kept, list):
            return kept[0] == self.words and _near(
                kept[1], self.total, self.numbers, LESS_DIGITS, LESS
            )
        if self.others is None:
            return False
        return _near(kept, self.apart, self.others, LESS_DIGITS, LESS)


def _sketched(right: "Any", case: "Any") -> "Any":
    kind, value = case[0], case[3]
    if kind == "raised":
        return {"raised": [value["type"], value["text"], value["operation"]]}
    if right is None:
        return _rounded(_fingerprint(case, case), LESS_DIGITS)
    if same_case(right, case):
        return 0
    short = packed(value)
    named = list(case[:3]) == list(right[:3])
    if named and not is_tensor(value) and len(repr(short)) <= SHORT:
        return {"value": short}
    shape, numbers = _made(case, right)
    wanted, others = _made(right, right)
    if shape != wanted:
        return _rounded([_hashed(shape), _total(numbers)], LESS_DIGITS)
    total = _total(_differences(numbers, others))
    return _rounded([0, total], LESS_DIGITS)[1] or 1e-300  # 0 means the right one


def _rounded(pair: "list[Any]", digits: int) -> "list[Any]":
    total = float(f"{pair[1]:.{digits - 1}e}")
    return [pair[0], int(total) if total == int(total) else total]


def _fingerprint(case: "Any", right: "Any") -> "list[Any]":
    shape, numbers = _made(case, right)
    return [_hashed(shape), _total(numbers)]


def _hashed(words: str) -> int:
    return binascii.crc32(words.encode()) % WORDS


def _made(case: "Any", right: "Any") -> "tuple[str, list[Any]]":
    """What a case is made of in words, and its floating numbers with tolerances."""
    kind, name, where, value = case[:4]
    words = [kind, name, where]
    numbers: list[Any] = []
    expected = right[3]
    tolerance = right[4] if len(right) > 4 else None
    if kind == CONFIGURATION:
        return kind, numbers
    if kind == "raised":
        return "raised", numbers
    if tolerance is not None or kind == "measurement":
        value, expected = loose(value), loose(expected)
    elif kind == "result" and right[0] == kind:
        value = conformed(expected, value)
    elif kind == "buffers" and is_dict(value) and is_dict(expected):
        wanted = keys(expected)
        pairs = [p for p in value["dict"] if p[0] in wanted or not helper(p[0])]
        value = {"dict": pairs}
    _collect(value, expected, tolerance or 1e-6, words, numbers)
    return "|".join(words), numbers


def _collect(
    value: "Any",
    right: "Any",
    relative: float,
    words: "list[str]",
    numbers: "list[Any]",
) -> None:
    """Add what a value is made of, given the right one in its place."""
    if not is_tensor(right):
        value = as_number(value)
    if is_tensor(value):
        words.append(
            f"{value['tensor']} {list(value['shape'])} {value.get('device', '')}"
            f" {value.get('layout', '')}"
        )
        if "float" in value["tensor"]:
            dtype = value["tensor"]
            tolerances = TOLERANCES.get(dtype) or HALVES.get(dtype, (1e-6, 0.0))
            _add(value["data"], tolerances, words, numbers)
        else:
            words.append(str(list(value["data"])))
    elif is_list(value):
        words.append(f"[{len(value)}")
        for at, part in enumerate(value):
            inside = is_list(right) and at < len(right)
            _collect(part, right[at] if inside else None, relative, words, numbers)
    elif is_dict(value):
        words.append("{" + str(len(value["dict"])))
        pairs = [(type(key).__name__ + str(key), key, v) for key, v in value["dict"]]
        for named, key, part in sorted(pairs, key=lambda pair: pair[0]):
            words.append(named)
            other = item(right["dict"], key) if is_dict(right) else None
            _collect(part, other, relative, words, numbers)
    elif is_number(value):
        words.append("number")
        _add([float(value)], (relative, 0.0), words, numbers)
    elif is_object(value) or is_numpy(value):
        words.append(str(value.get("object")) + str(value.get("text")))
    else:
        words.append(type(value).__name__ + str(value))


def _add(
    values: "Any",
    tolerances: "tuple[float, float]",
    words: "list[str]",
    numbers: "list[Any]",
) -> None:
    """Add floating numbers; where they are not finite is part of the words."""
    total = sum(values)
    if total - total != 0:
        places = [(i, str(v)) for i, v in enumerate(values) if v - v != 0]
        # in few digits it is chance which numbers are
        words.append(str(places) if tolerances[0] < ROUGH else "not finite")
        values = [v if v - v == 0 else 0.0 for v in values]
    numbers.append((values, tolerances))


def _differences(numbers: "list[Any]", others: "list[Any]") -> "list[Any]":
    return [
        ([x - y for x, y in zip(values, right)], tolerances)
        for (values, _), (right, tolerances) in zip(numbers, others)
    ]


def _made_weights() -> "list[float]":
    """Numbers of size 0.5 to 1.5 and either sign that look random."""
    found, state = [], 1
    for _ in range(WEIGHTS - 1):
        state = state * 11 % WEIGHTS
        size = 0.5 + state / WEIGHTS
        found.append(size if state % 2 else -size)
    return found


_WEIGHTS = _made_weights()


def _total(numbers: "list[Any]") -> float:
    """The sum with weights."""
    total, chunk, size = 0.0, 0, WEIGHTS - 1
    for values, _ in numbers:
        for start in range(0, len(values), size):
            part = values[start : start + size]
            factor = 1.0 + chunk * 7 % 97 / 97
            total += factor * sum([x * w for x, w in zip(part, _WEIGHTS)])
            chunk += 1
    return total


def _near(
    kept: float, total: float, numbers: "list[Any]", digits: int, room: float
) -> bool:
    """Whether a sum is the one that was kept, as far as its numbers may be off."""
    off = abs(kept - total) - abs(kept) * 10.0 ** (1 - digits)
    if off <= 0:
        return True
    squares = 0.0
    for values, (relative, absolute) in numbers:
        largest = max([abs(v) for v in values]) if values else 0.0
        absolute = absolute * largest + 1e-10
        wide = max(room, 1.0) if relative >= ROUGH else room
        squares += (wide * relative) ** 2 * sum([v * v for v in values])
        squares += (wide * absolute) ** 2 * len(values)
    return off <= math.sqrt(2.0 * squares)
