"""The way from Python to the engine: dtypes, sizes, arguments, the table's functions.

A function of the table is described by one line, its parameters as torch writes them,
each ``name[=default][:kind]``; ``*`` begins the keyword-only ones. Kinds:

    T tensor (the first parameter's own)   t tensor or None    S tensor or number
    N number   i int   f float   b bool   s text   Z ints   z ints, also one by one
    D dtype    L tensors, passed last      G generator         - accepted, not passed

After ``->`` what comes back: nothing for a tensor, ``*`` a tuple of tensors, ``v`` a
plain value, or the names of a named tuple's fields.
"""

from collections import namedtuple

import _engine
from torch import _builtins, _state
from torch._builtins import real_float as _float
from torch._builtins import real_isinstance as _isinstance
from torch._state import NotHere, refuse

_new = object.__new__
NUMBER = (int, bool, _float)  # here a bool is no int


class _LinAlgError(RuntimeError):
    """A matrix that cannot be decomposed or inverted."""


LinAlgError = _LinAlgError

ERRORS = {
    "RuntimeError": RuntimeError,
    "ValueError": ValueError,
    "TypeError": TypeError,
    "IndexError": IndexError,
    "NotImplementedError": NotImplementedError,
    "MemoryError": MemoryError,
    "NotHere": NotHere,
    "LinAlgError": LinAlgError,
}


def fail():
    """Raise what the engine's last call raised, or what Python raised within it."""
    if _state.pending:
        raise _state.pending.pop()
    kind, text = _engine.failure().split("\n", 1)
    raise ERRORS.get(kind, RuntimeError)(text)


def op(name):
    """A function of the engine; one that is not there refuses."""
    return getattr(_engine, name, None) or (lambda *args: refuse("torch." + name))


class dtype:
    """A type of numbers."""

    def __init__(self, name, itemsize, is_floating_point, is_signed=True):
        self.name = name
        self.itemsize = itemsize
        self.is_floating_point = is_floating_point
        self.is_signed = is_signed
        self.is_complex = False

    def __repr__(self):
        return "torch." + self.name

    def to_real(self):
        """The type itself: none is complex."""
        return self

    def __reduce__(self):
        return self.name

    def __deepcopy__(self, memo):
        return self

    def __copy__(self):
        return self


TYPES = tuple(
    [  # in the order that the bridge counts them
        dtype(name, size, floating, signed)
        for name, size, floating, signed in (
            ("float64", 8, True, True),
            ("float32", 4, True, True),
            ("float16", 2, True, True),
            ("bfloat16", 2, True, True),
            ("int64", 8, False, True),
            ("int32", 4, False, True),
            ("int16", 2, False, True),
            ("int8", 1, False, True),
            ("uint8", 1, False, False),
            ("bool", 1, False, False),
        )
    ]
)
DTYPES = {kind.name: kind for kind in TYPES}
float32, float64, int64, boolean = (
    DTYPES[name] for name in ("float32", "float64", "int64", "bool")
)


class device:
    """Where a tensor lies: on the processor."""

    def __init__(self, type="cpu", index=None):
        name, _, number = str(type).partition(":")
        if name not in ("cpu", "cuda", "mps", "meta", "xpu"):
            _unknown_device(name)
        self.type = name
        self.index = int(number) if number else index

    def __repr__(self):
        if self.index is None:
            return "device(type='" + self.type + "')"
        return "device(type='" + self.type + "', index=" + str(self.index) + ")"

    def __str__(self):
        return self.type if self.index is None else self.type + ":" + str(self.index)

    def __eq__(self, other):
        return _isinstance(other, device) and str(self) == str(other)

    def __hash__(self):
        return hash(str(self))

    def __deepcopy__(self, memo):
        return self


CPU = device()


def on_cpu(given):
    """Refuse any device but the processor."""
    if given is not None and str(given) not in ("cpu", "cpu:0"):
        place = str(given).partition(":")[0]
        if place in ("cuda", "mps", "xpu", "meta"):
            refuse("The device " + place)
        _unknown_device(place)


def _unknown_device(place):
    raise RuntimeError(
        "Expected one of cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, "
        "ve, fpga, maia, xla, lazy, vulkan, mps, meta, hpu, mtia, privateuseone "
        "device type at start of device string: " + place
    )


class Size:
    """A tensor's shape: as a tuple, but for what MicroPython cannot derive from one."""

    def __init__(self, sizes=()):
        self._s = tuple(sizes)

    def numel(self):
        """The number of elements."""
        count = 1
        for size in self._s:
            count *= size
        return count

    def __getitem__(self, index):
        if _isinstance(index, slice):  # a tuple there has no slices with steps
            return Size(list(self._s)[index])
        return self._s[index]

    def __len__(self):
        return len(self._s)

    def __iter__(self):
        return iter(self._s)

    def __contains__(self, size):
        return size in self._s

    def __reversed__(self):
        return reversed(self._s)

    def __hash__(self):
        return hash(self._s)

    def __eq__(self, other):
        return self._s == _plain_tuple(other)

    def __ne__(self, other):
        return self._s != _plain_tuple(other)

    def __lt__(self, other):
        return self._s < _plain_tuple(other)

    def __le__(self, other):
        return self._s <= _plain_tuple(other)

    def __gt__(self, other):
        return self._s > _plain_tuple(other)

    def __ge__(self, other):
        return self._s >= _plain_tuple(other)

    def __add__(self, other):
        return Size(self._s + _only_tuple(other))

    def __radd__(self, other):
        return Size(_only_tuple(other) + self._s)

    def __mul__(self, count):
        return Size(self._s * count)

    __rmul__ = __mul__

    def __repr__(self):
        return "torch.Size([" + ", ".join(map(str, self._s)) + "])"

    def __deepcopy__(self, memo):
        return self

    def index(self, *args):
        """The place of a size."""
        return self._s.index(*args)

    def count(self, size):
        """How often a size is there."""
        return self._s.count(size)


def _plain_tuple(value):
    return value._s if _isinstance(value, Size) else value


def _only_tuple(value):
    value = _plain_tuple(value)
    if not _isinstance(value, tuple):
        found = type(value).__name__
        raise TypeError('can only concatenate tuple (not "' + found + '") to tuple')
    return value


_sizes = {}


def as_size(text):
    """The shape that the engine writes as text; each is made once."""
    found = _sizes.get(text)
    if found is None:
        found = Size(map(int, text.split(",")) if text else ())
        if len(_sizes) < 1000:
            _sizes[text] = found
    return found


# --- values for the engine ---

_scalars = {}, {}
# an int beyond these passes as a float, else the bridge would cut it off; they are the
# bounds of what MicroPython compares fast
LEAST, MOST = -(2**29), 2**29


def number(value):
    """A Python number as the engine takes it without promotion."""
    if type(value) is int and not LEAST < value < MOST:
        return _float(value)
    return value


def scalar(value):
    """A Python number as a tensor that promotes as a number does."""
    kind = type(value)
    if kind is bool:
        return _engine.scalar(value, "bool")
    if kind is not int and kind is not _float:
        value = _unpacked(value)
        kind = type(value)
    known = _scalars[kind is int]
    found = known.get(value) if value else None  # 0.0 is also -0.0
    if found is None:
        found = _engine.scalar(number(value), "int64" if kind is int else "float")
        if found is None:
            fail()
        if value and len(known) < 500:
            known[value] = found
    return found


def _unpacked(value):
    """A number of another class as one of Python's own."""
    if _isinstance(value, bool):
        return bool(value)
    if _isinstance(value, int):
        return int(value)
    if _isinstance(value, _float):
        return _float(value)
    raise TypeError("must be a number, not " + type(value).__name__)


def ints_text(value):
    """Ints, one or many, as the engine takes them."""
    if _isinstance(value, int):
        return str(_int(value))
    return ",".join([str(size if type(size) is int else _int(size)) for size in value])


def _int(value):
    """An int, also of a tensor of one whole number."""
    if _isinstance(value, int):
        return int(value)
    if _isinstance(value, Tensor):
        return value.__index__()
    raise TypeError("must be int, not " + type(value).__name__)


class Misfit(Exception):
    """An argument of a wrong type."""


def _c_tensor(value):
    if _isinstance(value, Tensor):
        return value._t
    raise Misfit("Tensor")


def _c_maybe(value):
    return None if value is None else _c_tensor(value)


def _c_either(value):
    if _isinstance(value, Tensor):
        return value._t
    if _isinstance(value, NUMBER):
        return scalar(value)
    raise Misfit("Tensor")


def _c_maybe_either(value):
    return None if value is None else _c_either(value)


def _c_number(value):
    if _isinstance(value, NUMBER):
        return number(value)
    if _isinstance(value, Tensor):
        return number(value.item())
    if value is None:
        return None
    raise Misfit("Number")


def _c_int(value):
    if value is None:
        return None
    if _isinstance(value, int):
        return number(value)
    if _isinstance(value, Tensor) and not value.dtype.is_floating_point:
        return number(value.item())
    raise Misfit("int")


def _c_float(value):
    if value is None or _isinstance(value, NUMBER):
        return number(value)
    if _isinstance(value, Tensor):
        return value.item()
    raise Misfit("float")


def _c_bool(value):
    if value is None or _isinstance(value, bool):
        return value
    raise Misfit("bool")


def _c_text(value):
    if value is None or _isinstance(value, str):
        return value
    raise Misfit("str")


def _c_ints(value):
    if value is None:
        return None
    if _isinstance(value, (int, tuple, list, Size)):
        try:
            return ints_text(value)
        except TypeError:
            pass
    elif _isinstance(value, Tensor) and not value.dtype.is_floating_point:
        return ints_text(value.tolist())
    raise Misfit("tuple of ints")


def _c_dtype(value):
    if value is None:
        return None
    if _isinstance(value, dtype):
        return value.name
    for kind, name in PYTHON_TYPES:
        if value is kind:
            return name
    raise Misfit("torch.dtype")


PYTHON_TYPES = (
    (bool, "bool"),
    (int, "int64"),
    (_float, "float64"),
    (_builtins.float, "float64"),
)


def _c_tensors(value):
    if not _isinstance(value, (list, tuple)):
        raise Misfit("tuple of Tensors")
    for at, item in enumerate(value):
        if not _isinstance(item, Tensor):
            raise TypeError(
                "expected Tensor as element "
                + str(at)
                + " in argument 0, but got "
                + type(item).__name__
            )
    return [item._t for item in value]


def _c_generator(value):
    return None if value is None else value._g


def _c_raw(value):
    return value


CONVERT = {
    "T": _c_tensor,
    "t": _c_maybe,
    "S": _c_either,
    "M": _c_maybe_either,
    "N": _c_number,
    "i": _c_int,
    "f": _c_float,
    "b": _c_bool,
    "s": _c_text,
    "Z": _c_ints,
    "z": _c_ints,
    "D": _c_dtype,
    "L": _c_tensors,
    "G": _c_generator,
    "R": _c_raw,
    "-": _c_raw,
}
# NumPy's names, which torch takes too
ALIASES = {"axis": "dim", "keepdims": "keepdim", "x": "input", "x1": "input"}
ALIASES["x2"] = "other"
CONSTANTS = {"None": None, "True": True, "False": False}
REQUIRED = object()


def _default(text):
    if text in CONSTANTS:
        return CONSTANTS[text]
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return _float(text)
    except ValueError:
        return text


class Plan:
    """A function of the table; its parameters are read when it is first called."""

    tails = None

    def __init__(self, name, line, engine, path):
        self.name, self.line, self.engine, self.path = name, line, engine, path

    def read(self):
        """Read the line."""
        self.own = int(self.path == ".")  # parameters that errors do not count
        line, _, self.result = (part.strip() for part in self.line.partition("->"))
        self.names, self.kinds, self.defaults = [], [], []
        self.converters = []
        self.positional = None
        for word in line.split():
            if word == "*":
                self.positional = len(self.names)
                continue
            word, _, kind = word.partition(":")
            word, given, default = word.partition("=")
            self.names.append(word)
            self.kinds.append(kind or "T")
            self.converters.append(CONVERT[kind or "T"])
            self.defaults.append(_default(default) if given else REQUIRED)
        if self.positional is None:
            self.positional = len(self.names)
        defaults = tuple(self.defaults)
        self.tails = [defaults[i:] for i in range(len(defaults) + 1)]
        self.places = [i for i, kind in enumerate(self.kinds) if kind != "-"]
        self.gathers = -1  # the parameter that takes ints one by one
        if "z" in self.kinds:
            self.gathers = self.kinds.index("z")
        self.last = self.kinds.index("L") if "L" in self.kinds else -1
        self.make = tuple
        if self.result not in ("", "*", "v"):
            fields = self.result.split()
            made = namedtuple(fields[0], fields[1:])
            self.make = lambda found: made(*found)

    def arguments(self, args, kwargs):
        """What the engine's function is given."""
        if self.tails is None:
            self.read()
        count = len(args)
        if count > self.positional or self.gathers >= 0:
            args = self._gathered(args)
            count = len(args)
        values = args + self.tails[count]
        if kwargs:
            values = list(values)
            for name, value in kwargs.items():
                values[self._place(name, count)] = value
        converters = self.converters
        try:
            found = [converters[i](values[i]) for i in self.places]
        except Misfit as wanted:
            self._misfit(values, wanted, count)
        if self.last >= 0:
            found += found.pop(self.last)
        return found

    def _gathered(self, args):
        place = self.gathers
        if place < 0 or len(args) <= place:
            if len(args) > self.positional:
                self._too_many(args)
            return args
        first = args[place]
        if len(args) > self.positional or (
            place + 1 == self.positional and _isinstance(first, (int, Tensor))
        ):
            if not _isinstance(first, (int, Tensor)):
                self._too_many(args)
            return args[:place] + (args[place:],)
        return args

    def _too_many(self, args):
        most, count = self.positional - self.own, len(args) - self.own
        if not most:
            said = "() takes no arguments (" + str(count) + " given)"
            raise TypeError("TensorBase." + self.name + said)
        raise TypeError(
            self.name
            + "() takes "
            + str(most)
            + " positional argument"
            + ("" if most == 1 else "s")
            + " but "
            + str(count)
            + (" was" if count == 1 else " were")
            + " given"
        )

    def _place(self, name, count):
        if name not in self.names:
            name = ALIASES.get(name, name)
        if name not in self.names:
            said = "() got an unexpected keyword argument '"
            raise TypeError(self.name + said + name + "'")
        place = self.names.index(name)
        if place < count:
            said = "() got multiple values for argument '"
            raise TypeError(self.name + said + name + "'")
        return place

    def _misfit(self, values, wanted, count):
        missing = [
            '"' + name + '"'
            for name, value in zip(self.names, values)
            if value is REQUIRED
        ]
        if missing:
            raise TypeError(
                self.name
                + "() missing "
                + str(len(missing))
                + " required positional arguments: "
                + ", ".join(missing)
            )
        for i in self.places:
            try:
                self.converters[i](values[i])
            except Misfit:
                break
        place = " (position " + str(i + 1 - self.own) + ")" if i < count else ""
        raise TypeError(
            self.name
            + "(): argument '"
            + self.names[i]
            + "'"
            + place
            + " must be "
            + str(wanted)
            + ", not "
            + type(values[i]).__name__
        )


# MicroPython looks for memory where it last found a block for one small object; without
# one now and then each search would go through all that has been used: 10 times slower.
_tick = 0.5


def wrap(t):
    """A tensor of the engine as one of Python."""
    if t is None:
        fail()
    _tick * 2.5
    made = _new(Tensor)
    made._t = t
    return made


def wrap_all(found, make=tuple):
    """Several tensors of the engine."""
    if found is None:
        fail()
    return make([wrap(t) for t in found])


def function(name, line, call=None, path=""):
    """A function of the table."""

    # not a closure, whose calls with many arguments are slow in MicroPython
    def called(
        *args, out=None, _plan=Plan(name, line, op(call or name), path), **kwargs
    ):
        try:
            if _state.on:
                given = _plan, args, out, kwargs
                return _state.watched(_plan.name, _plan.path, run, given, {}, args)
            return run(_plan, args, out, kwargs)
        except Exception as error:
            _state.failed(error, _plan.name)
            raise

    return called


def run(plan, args, out, kwargs):
    """Call the engine for a function of the table."""
    found = plan.engine(*plan.arguments(args, kwargs))
    if found is None:
        fail()
    if not plan.result:
        _tick * 2.5
        made = _new(Tensor)
        made._t = found
        return made if out is None else into(out, made)
    return found if plan.result == "v" else wrap_all(found, plan.make)


def into(out, result):
    """A result in the tensor that was given for it."""
    if result.dtype.is_floating_point and not out.dtype.is_floating_point:
        names = [_engine.type_name(x._t) for x in (result, out)]
        raise RuntimeError(
            "result type "
            + names[0]
            + " can't be cast to the desired output type "
            + names[1]
        )
    if out.shape != result.shape:
        if out.numel():
            refuse("out= with a tensor of another shape")
        out._t = result._t
        return out
    return out.copy_(result)


def inplace(name, line, call=None):
    """The method ``name_`` of a function of the table."""

    def called(self, *args, _plan=Plan(name + "_", line, call or name, "."), **kwargs):
        try:
            if _state.on:
                given = _plan, self, args, kwargs
                all_given = (self,) + args
                return _state.watched(
                    _plan.name, ".", run_inplace, given, {}, all_given
                )
            return run_inplace(_plan, self, args, kwargs)
        except Exception as error:
            _state.failed(error, _plan.name)
            raise

    return called


def run_inplace(plan, self, args, kwargs):
    """Call the engine for a method that changes its tensor."""
    found = plan.arguments((self,) + args, kwargs)
    if _engine.inplace(plan.engine, *found) is None:
        fail()
    _tick * 2.5
    return self


from torch._tensor import Tensor

_builtins.TENSOR += [Tensor, Size]
