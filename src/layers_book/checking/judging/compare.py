"""Whether two recorded values agree, told from plain data alone."""

import math

from .measure import agree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UNSAVED = " (not in state_dict)"  # ends the name of such a buffer
# by dtype: relative to each value, and relative to the largest of the tensor
TOLERANCES = {"float64": (1e-6, 1e-8), "float32": (1e-4, 1e-4)}


def same(expected: "Any", got: "Any", tolerance: "float | None" = None) -> bool:
    """Whether two values agree: type, shape, dtype, device and numbers.

    Args:
        expected: the right value.
        got: the other.
        tolerance: compare loosely instead: numbers up to this relative error, whatever
            holds them, without axes of size 1; text without regard to case and blanks.
    """
    if tolerance is not None:
        return _same_loosely(loose(expected), loose(got), tolerance)
    if not is_tensor(expected):
        got = as_number(got)
    if is_tensor(expected):
        return is_tensor(got) and _same_tensor(expected, got)
    if is_list(expected):
        return (
            is_list(got)
            and len(expected) == len(got)
            and all(same(e, g) for e, g in zip(expected, got))
        )
    if is_dict(expected):
        return is_dict(got) and _same_items(expected, got, None)
    if is_object(expected):
        return is_object(got) and "text" in expected and expected == got
    if is_number(expected):
        exact = isinstance(expected, int)
        return is_number(got) and close(expected, got, 0.0 if exact else 1e-6)
    return type(expected) is type(got) and bool(expected == got)


def same_case(expected: "Any", got: "Any") -> bool:
    """Whether two cases are the same one, with values that agree."""
    kind, name, where, value = expected[:4]
    if kind != got[0] or name != got[1] or where != got[2]:
        return False
    if kind == "configuration":
        return True
    if kind == "raised":
        return raised_key(value) == raised_key(got[3])
    other = got[3]
    if kind == "measurement":
        return agree(loose(value), loose(other))
    if kind == "result":
        other = conformed(value, other)
    elif kind == "buffers" and is_dict(other):
        wanted = keys(value)
        pairs = other["dict"]
        other = {"dict": [p for p in pairs if p[0] in wanted or not helper(p[0])]}
    return same(value, other, expected[4] if len(expected) > 4 else None)


def helper(name: str) -> bool:
    """Whether a buffer is one of the answer's own that is not saved."""
    return name.endswith(UNSAVED)


def raised_key(value: "Any") -> "tuple[Any, ...]":
    """What two exceptions share that come from the same mistake.

    The sizes of two operands are sorted, since their order is a matter of taste.
    """
    text = value["text"]
    sizes = []
    for letter in "ab":
        before, found, after = text.partition("tensor " + letter + " (")
        if found and ")" in after:
            size, _, rest = after.partition(")")
            sizes.append(size)
            text = before + "tensor" + rest
    return value["type"], text, sorted(sizes), value["operation"]


def as_number(value: "Any") -> "Any":
    """What a NumPy value holds, and the number of a tensor without axes."""
    if is_numpy(value):
        return value["data"]
    if is_tensor(value) and not value["shape"] and len(value["data"]) == 1:
        return value["data"][0]
    return value


def conformed(expected: "Any", got: "Any") -> "Any":
    """A result in the container and dtype of the right one, where it holds its numbers.

    That is for results of whole numbers, of which no dtype follows.
    """
    if is_tensor(expected):
        numbers = _flat(got)
        truths = expected["tensor"] == "bool"
        fitting = all([isinstance(v, bool) == truths for v in numbers])
        fitting = fitting and all([isinstance(v, (int, float)) for v in numbers])
        shape = list(expected["shape"])
        same_size = _lengths(got) == shape and len(numbers) == len(expected["data"])
        if fitting and same_size:
            return {"tensor": expected["tensor"], "shape": shape, "data": numbers}
        return got
    if is_list(expected) and (is_tensor(got) or is_numpy(got)):
        return nested(got) if is_tensor(got) else got["data"]
    if is_list(expected) and is_list(got) and len(got) == len(expected):
        return [conformed(e, g) for e, g in zip(expected, got)]
    return got


def _lengths(value: "Any") -> "list[int]":
    """The shape of numbers in any container."""
    if is_tensor(value):
        return list(value["shape"])
    value = as_number(value)
    if not is_list(value):
        return []
    return [len(value)] + (_lengths(value[0]) if len(value) else [])


def _flat(value: "Any") -> "list[Any]":
    """The numbers in any container in a row."""
    if is_tensor(value):
        return list(value["data"])
    value = as_number(value)
    if not is_list(value):
        return [value]
    found: list[Any] = []
    for item in value:
        found.extend(_flat(item))
    return found


def is_tensor(value: "Any") -> bool:
    """Whether plain data is a tensor."""
    return isinstance(value, dict) and "tensor" in value


def is_dict(value: "Any") -> bool:
    """Whether plain data is a dict."""
    return isinstance(value, dict) and "dict" in value


def is_numpy(value: "Any") -> bool:
    """Whether plain data is a NumPy array or number."""
    return isinstance(value, dict) and "numpy" in value


def is_object(value: "Any") -> bool:
    """Whether plain data is something else, of which only words are kept."""
    return isinstance(value, dict) and "object" in value


def is_list(value: "Any") -> bool:
    """Whether plain data is a list or tuple."""
    return isinstance(value, (list, tuple))


def is_number(value: "Any") -> bool:
    """Whether plain data is an int or float."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_floating(x: "Any") -> bool:
    """Whether a tensor holds floating numbers."""
    return "float" in x["tensor"]


def form(x: "Any") -> "tuple[Any, ...]":
    """All that must agree before numbers are compared."""
    return list(x["shape"]), x["tensor"], device(x), layout(x)


def device(x: "Any") -> "Any":
    """Where a tensor lies."""
    return x.get("device", "cpu")


def layout(x: "Any") -> "Any":
    """How a tensor is stored."""
    return x.get("layout", "torch.strided")


def close(a: "Any", b: "Any", relative: float, absolute: float = 0.0) -> bool:
    """Whether two numbers are equal up to an error relative to the larger."""
    if a == b or (a != a and b != b):
        return True
    if not (math.isfinite(a) and math.isfinite(b)):
        return False
    size: float = max(abs(a), abs(b))
    return bool(abs(a - b) <= max(relative * size, absolute))


def _same_tensor(expected: "Any", got: "Any") -> bool:
    if form(expected) != form(got) or device(expected) == "meta":
        return False
    if layout(expected) != "torch.strided":
        return False
    numbers, others = expected["data"], got["data"]
    equal = list(numbers) == list(others)
    if equal or expected["tensor"] not in TOLERANCES:
        return equal
    relative, absolute = TOLERANCES[expected["tensor"]]
    absolute = 1e-10 + absolute * largest(numbers)
    for e, g in zip(numbers, others):
        if e == g or (math.isnan(e) and math.isnan(g)):
            continue
        if not (math.isfinite(e) and math.isfinite(g)):
            return False
        if abs(e - g) > relative * abs(e) + absolute:
            return False
    return len(numbers) == len(others)


def largest(numbers: "Any") -> float:
    """The size of the largest finite number, 0 without one."""
    return max((abs(v) for v in numbers if math.isfinite(v)), default=0.0)


def loose(value: "Any") -> "Any":
    """Tensors, arrays and tuples as lists or numbers without axes of size 1."""
    if is_tensor(value):
        value = nested(value)
    elif is_numpy(value):
        value = value["data"]
    if is_list(value):
        items = [loose(item) for item in value]
        return items[0] if len(items) == 1 else items
    if is_dict(value):
        return {"dict": [[key, loose(item)] for key, item in value["dict"]]}
    return " ".join(value.lower().split()) if isinstance(value, str) else value


def nested(x: "Any") -> "Any":
    """A tensor's numbers as lists in lists."""
    values = list(x["data"])
    for size in reversed(x["shape"]):
        if not size:
            return []
        values = [values[i : i + size] for i in range(0, len(values), size)]
    return values[0] if values else []


def item(pairs: "Any", key: "Any", default: "Any" = None) -> "Any":
    """The value of a key in a dict's pairs."""
    for name, value in pairs:
        if type(name) is type(key) and name == key:
            return value
    return default


def keys(value: "Any") -> "list[Any]":
    """The keys of a dict."""
    return [key for key, _ in value["dict"]]


def _same_items(expected: "Any", got: "Any", tolerance: "float | None") -> bool:
    if len(expected["dict"]) != len(got["dict"]):
        return False
    missing: list[int] = []
    for key, value in expected["dict"]:
        other = item(got["dict"], key, missing)
        if other is missing:
            return False
        if tolerance is None:
            if not same(value, other):
                return False
        elif not _same_loosely(value, other, tolerance):
            return False
    return True


def _same_loosely(expected: "Any", got: "Any", tolerance: float) -> bool:
    if isinstance(expected, list):
        return (
            isinstance(got, list)
            and len(expected) == len(got)
            and all(_same_loosely(e, g, tolerance) for e, g in zip(expected, got))
        )
    if is_dict(expected):
        return is_dict(got) and _same_items(expected, got, tolerance)
    if is_number(expected) and is_number(got):
        relative = 0.0 if isinstance(expected, int) else tolerance
        return close(expected, got, relative, relative / 1e3)
    if is_object(expected):
        return same(expected, got)
    return type(expected) is type(got) and bool(expected == got)
