"""What Python has and MicroPython has not, put in its place when a page starts.

The names between underscores stand in code that source.js has made plainer.
"""

import builtins
import sys
from collections import OrderedDict

import _math


def _dict(*given, **named):
    """A dict that keeps the order, of mappings and pairs."""
    found = OrderedDict()
    for part in given:
        pairs = part.items() if hasattr(part, "items") else part
        for key, value in pairs:
            found[key] = value
    for key, value in named.items():
        found[key] = value
    return found


def _list(*items):
    return list(items)


def _tuple(*items):
    return items


def _set(*items):
    return set(items)


class dict_keys:
    """The keys of a dict, which compare as sets do."""

    def __init__(self, of):
        self._of = of

    def __iter__(self):
        return iter(self._of)

    def __len__(self):
        return len(self._of)

    def __contains__(self, key):
        return key in self._of

    def __eq__(self, other):
        return set(self) == set(other)

    def __ne__(self, other):
        return set(self) != set(other)

    def __le__(self, other):
        return set(self) <= set(other)

    def __ge__(self, other):
        return set(self) >= set(other)

    def __sub__(self, other):
        return set(self) - set(other)

    def __and__(self, other):
        return set(self) & set(other)

    def __or__(self, other):
        return set(self) | set(other)

    def __xor__(self, other):
        return set(self) ^ set(other)

    def __repr__(self):
        return f"dict_keys({list(self)!r})"


def _inplace(name, a, b):
    """What an operator such as *= gives, in place where Python works so."""
    change = getattr(a, "__i" + name + "__", None)
    if change is not None:
        found = change(b)
        if found is not NotImplemented:
            return found
    found = OPERATORS[name](a, b)
    if type(a) is list:
        a[:] = found
        return a
    if isinstance(a, (set, dict)) and name == "or":
        a.update(b)
        return a
    return found


OPERATORS = {
    "mul": lambda a, b: a * b,
    "truediv": lambda a, b: a / b,
    "floordiv": lambda a, b: a // b,
    "mod": lambda a, b: a % b,
    "matmul": lambda a, b: a @ b,
    "pow": lambda a, b: a**b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "lshift": lambda a, b: a << b,
    "rshift": lambda a, b: a >> b,
}


def _number(value):
    """What % and format take: of a tensor without axes its number."""
    return value.item() if hasattr(value, "_t") and not value.dim() else value


class _Text:
    """A text on the left of %."""

    def __init__(self, text):
        self.text = text

    def __mod__(self, values):
        if type(values) is tuple:
            return self.text % tuple([_number(value) for value in values])
        return self.text % _number(values)


def _format(text, *values, **named):
    for name in named:
        named[name] = _number(named[name])
    return text.format(*[_number(value) for value in values], **named)


def _range(*ends):
    """Whole numbers, also up to one in a tensor."""
    return range(
        *[
            end if isinstance(end, int) or not hasattr(end, "_t") else int(end)
            for end in ends
        ]
    )


class _Number:
    """A number on the left of a comparison, which lets a tensor on the right decide."""

    def __init__(self, value):
        self.value = value

    def __lt__(self, other):
        return other > self.value if hasattr(other, "_t") else self.value < other

    def __le__(self, other):
        return other >= self.value if hasattr(other, "_t") else self.value <= other

    def __gt__(self, other):
        return other < self.value if hasattr(other, "_t") else self.value > other

    def __ge__(self, other):
        return other <= self.value if hasattr(other, "_t") else self.value >= other


def _left(value):
    return _Number(value) if type(value) in _NUMBERS else value


_NUMBERS = (int, float)


class _Part:
    """Gives the slice or index in its square brackets: `slice` makes none there."""

    def __getitem__(self, index):
        return index


def made_slice(*ends):
    """What `slice(...)` gives in Python."""
    if len(ends) == 1:
        return _PART[: ends[0]]
    return (
        _PART[ends[0] : ends[1]]
        if len(ends) == 2
        else _PART[ends[0] : ends[1] : ends[2]]
    )


_PART = _Part()


def _step(value, index):
    """A part of something; a tuple or text of MicroPython has no slices with steps."""
    if type(value) is tuple:
        return tuple(list(value)[index])
    if type(value) is str:
        return "".join(list(value)[index])
    return value[index]


def _set_of(items=()):
    """A set; one that holds tensors, or may come to, tells them apart by themselves."""
    items = list(items)
    if items and not any([hasattr(item, "_t") for item in items]):
        return set(items)
    return _Set(items)


def _key(item):
    return ("tensor", id(item)) if hasattr(item, "_t") else item


class _Set:
    """A set in which tensors may be: there a set compares its items by ==."""

    def __init__(self, items=()):
        self._items = OrderedDict()
        self.update(items)

    def update(self, *others):
        """Take in more."""
        for items in others:
            for item in items:
                self.add(item)

    def add(self, item):
        """Take in one more."""
        self._items[_key(item)] = item

    def discard(self, item):
        """Take one out, if it is in."""
        self._items.pop(_key(item), None)

    def remove(self, item):
        """Take one out."""
        del self._items[_key(item)]

    def pop(self):
        """Take out any."""
        for key in self._items:
            return self._items.pop(key)
        raise KeyError("pop from an empty set")

    def clear(self):
        """Take out all."""
        self._items.clear()

    def copy(self):
        """Another with the same items."""
        return _Set(self)

    def __contains__(self, item):
        return _key(item) in self._items

    def __iter__(self):
        return iter(list(self._items.values()))

    def __len__(self):
        return len(self._items)

    def __or__(self, other):
        found = _Set(self)
        found.update(other)
        return found

    def __and__(self, other):
        other = _Set(other)
        return _Set([item for item in self if item in other])

    def __sub__(self, other):
        other = _Set(other)
        return _Set([item for item in self if item not in other])

    def __xor__(self, other):
        return (self - other) | (_Set(other) - self)

    def __le__(self, other):
        other = _Set(other)
        return all([item in other for item in self])

    def __ge__(self, other):
        return all([item in self for item in other])

    def __eq__(self, other):
        return len(self) == len(other) and self <= other

    def __ne__(self, other):
        return not self == other

    def __lt__(self, other):
        return self <= other and len(self) < len(other)

    def __gt__(self, other):
        return self >= other and len(self) > len(other)

    def __repr__(self):
        inside = ", ".join([represented(item) for item in self])
        return "{" + inside + "}" if inside else "set()"

    union, intersection, difference = __or__, __and__, __sub__
    issubset, issuperset, __ror__ = __le__, __ge__, __or__
    __rand__ = __and__


def _method(value, name):
    """A method, also one that a class of MicroPython lacks."""
    if name == "keys" and isinstance(value, dict):
        return lambda: dict_keys(value)
    if name == "format" and type(value) is str:
        return lambda *args, **named: _format(value, *args, **named)
    if name == "sort" and type(value) is list:
        return lambda **named: _sort(value, **named)
    if name not in METHODS or hasattr(value, name):
        return getattr(value, name)
    return lambda *args, **named: METHODS[name](value, *args, **named)


def _padded(text, width, fill, left):
    more = fill * (width - len(text))
    return more + text if left else text + more


def _zfill(text, width):
    sign = text[:1] if text[:1] in ("+", "-") else ""
    return sign + _padded(text[len(sign) :], width - len(sign), "0", True)


def _title(text):
    found = ""
    for letter in text:
        after = found[-1:].isalpha() if found else False
        found += letter.lower() if after else letter.upper()
    return found


def _bits(number):
    return len(bin(abs(number))) - 2 if number else 0


METHODS = {
    "removeprefix": lambda text, p: text[len(p) :] if text.startswith(p) else text,
    "removesuffix": lambda text, s: (
        text[: len(text) - len(s)] if s and text.endswith(s) else text
    ),
    "ljust": lambda text, width, fill=" ": _padded(text, width, fill, False),
    "rjust": lambda text, width, fill=" ": _padded(text, width, fill, True),
    "zfill": _zfill,
    "title": _title,
    "capitalize": lambda text: text[:1].upper() + text[1:].lower(),
    "casefold": lambda text: text.lower(),
    "swapcase": lambda text: "".join(
        [c.lower() if c.isupper() else c.upper() for c in text]
    ),
    "isalnum": lambda text: (
        bool(text) and all([c.isalpha() or c.isdigit() for c in text])
    ),
    "isdecimal": lambda text: text.isdigit(),
    "isnumeric": lambda text: text.isdigit(),
    "isascii": lambda text: all([ord(c) < 128 for c in text]),
    "bit_length": _bits,
    "bit_count": lambda number: bin(abs(number)).count("1"),
    "is_integer": lambda number: number == int(number),
}

print = builtins.print
_zip = builtins.zip


def zip(*given, strict=False):
    """Items side by side."""
    return _strictly(given) if strict else _zip(*given)


def _strictly(given):
    rows = [iter(part) for part in given]
    while rows:
        items = []
        ended = 0
        for row in rows:
            try:
                items.append(next(row))
            except StopIteration:
                ended += 1
                if ended != len(items) + ended and items:
                    break
        if ended and items:
            at = len(items) + 1
            raise ValueError(f"zip() argument {at} is shorter than argument {at - 1}")
        if ended:
            return
        yield tuple(items)


def sorted(values, *, key=None, reverse=False):
    """Values in order; equal ones keep theirs, as Python has it."""
    values = list(values)
    sign = -1 if reverse else 1
    marked = [
        (value if key is None else key(value), sign * i)
        for i, value in enumerate(values)
    ]
    marked.sort(reverse=reverse)
    return [values[sign * i] for _, i in marked]


def _sort(values, *, key=None, reverse=False):
    values[:] = sorted(values, key=key, reverse=reverse)


def format(value, spec=""):
    """A value as a text, as an f-string writes it."""
    value = _number(value)
    if hasattr(value, "__format__"):
        return value.__format__(spec)
    if isinstance(value, dict) or not spec:
        return shown(value)
    if "," in spec and isinstance(value, (int, float)):
        return _thousands(value, spec)
    return ("{:" + spec + "}").format(value)


def _thousands(value, spec):
    """A number with a comma after each three digits."""
    before, after = spec.split(",")
    width = before.lstrip("<>=^+-")
    sign = before[: len(before) - len(width)]
    text = ("{:" + ("+" if "+" in sign else "") + after + "}").format(value)
    start = 1 if text[:1] in "+-" else 0
    whole = text[start:].split(".")[0]
    digits = whole
    while len(digits.split(",")[0]) > 3:
        first = digits.split(",")[0]
        digits = first[:-3] + "," + digits[len(first) - 3 :]
    text = text[:start] + digits + text[start + len(whole) :]
    return ("{:" + (sign.strip("+-") or ">") + width + "}").format(text)


def _formatted(conversion, value, spec=""):
    """The same with what stands before a colon, such as r in {x!r}."""
    if conversion:
        value = shown(value) if conversion == "s" else represented(value)
    return format(value, spec)


def shown(value):
    """A value as Python prints it: a dict that keeps its order is no other there."""
    return value if isinstance(value, str) else represented(value, str)


def represented(value, other=repr):
    """The same as `repr` writes it."""
    if isinstance(value, dict):
        pairs = [f"{represented(k)}: {represented(v)}" for k, v in value.items()]
        return "{" + ", ".join(pairs) + "}"
    if type(value) is list:
        return "[" + ", ".join([represented(item) for item in value]) + "]"
    if type(value) is tuple:
        inside = ", ".join([represented(item) for item in value])
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    return other(value)


def vars(value):
    """What an object holds."""
    return value.__dict__


def _no_input(prompt=""):
    raise RuntimeError("input() is not there in the page: write the value in the code.")


class RecursionError(RuntimeError):
    """A function that calls itself too often."""


class ModuleNotFoundError(ImportError):
    """A module that is not there."""


class UnboundLocalError(NameError):
    """A name that a function uses before it has a value."""


class FloatingPointError(ArithmeticError):
    """Never raised here."""


class Warning(Exception):
    """What warns."""


class UserWarning(Warning):
    """What warns a reader."""


class DeprecationWarning(Warning):
    """What warns of an old way."""


class RuntimeWarning(Warning):
    """What warns of a doubtful number."""


class FutureWarning(Warning):
    """What warns of a change."""


class TimeoutError(OSError):
    """Never raised here."""


def _set_all():
    for kind in (
        RecursionError,
        ModuleNotFoundError,
        UnboundLocalError,
        FloatingPointError,
        Warning,
        UserWarning,
        DeprecationWarning,
        RuntimeWarning,
        FutureWarning,
        TimeoutError,
    ):
        setattr(builtins, kind.__name__, kind)
    builtins.zip = zip
    builtins.sorted = sorted
    builtins.vars = vars
    builtins.input = _no_input
    builtins.format = format
    for name, made in (
        ("dict", _dict),
        ("list", _list),
        ("tuple", _tuple),
        ("set", _set),
        ("method", _method),
        ("step", _step),
        ("set_of", _set_of),
        ("part", _PART),
        ("left", _left),
        ("range", _range),
        ("format", _formatted),
        ("joined", lambda *texts: "".join(texts)),
        ("text", _Text),
        ("inplace", _inplace),
    ):
        setattr(builtins, f"_{name}_", made)
    sys.modules["math"] = _math


_set_all()
