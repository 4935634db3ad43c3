"""The class Tensor: operators, indexing, attributes; the rest comes from the table."""

from array import array
from uctypes import addressof

import _engine
from torch import _state
from torch._core import (
    CPU,
    NUMBER,
    TYPES,
    _isinstance,
    as_size,
    boolean,
    fail,
    number,
    on_cpu,
    scalar,
    wrap,
)
from torch._core import op as engine_op
from torch._state import failed, refuse

_cell = array("d", (0.0,))
_at = addressof(_cell)
_device = open("/dev/engine", "r+b", buffering=0)


def numbers(t):
    """All elements of an engine's tensor, as an array of doubles."""
    count = _engine.send(t)
    if count is None:
        fail()
    found = array("d", bytes(8 * count))
    if count:
        _device.readinto(found)
    return found


def from_numbers(values, shape, dtype_name):
    """An engine's tensor from an array of doubles."""
    _engine.receive(len(values))
    if len(values):
        _device.write(values)
    found = _engine.made(shape, dtype_name)
    if found is None:
        fail()
    return found


def one_number(t, kind):
    """The element of an engine's tensor that has only one."""
    if _engine.number(t, _at) is None:
        fail()
    return as_kind(_cell[0], kind)


def as_kind(value, kind):
    """A double as Python's kind of number for a dtype."""
    if kind.is_floating_point:
        return value
    return value != 0 if kind is boolean else int(value)


def matrix(value):
    """The other side of @ for the engine; None if it cannot be one."""
    return value._t if _isinstance(value, Tensor) else None


def operand(value):
    """The other side of an operator for the engine; None if it cannot be one."""
    if _isinstance(value, Tensor):
        return value._t
    return scalar(value) if _isinstance(value, NUMBER) else None


def _unsupported(sign, left, right):
    found = type(left).__name__, type(right).__name__
    said = "unsupported operand type(s) for " + sign
    raise TypeError(said + ": '" + found[0] + "' and '" + found[1] + "'")


class _Operator:
    """What an operator calls, and what it is called."""

    def __init__(self, op, name, label, sign, operand):
        self.engine = engine_op(op)
        self.op, self.name, self.label, self.sign = op, name, label, sign
        self.operand = operand

    def forward(self, left, right):
        """The tensor stands on the left."""
        other = self.operand(right)
        if other is None:
            self.unfit(left, right)
        return wrap(self.engine(left._t, other))

    def reflected(self, right, left):
        """The tensor stands on the right."""
        other = self.operand(left)
        if other is None:
            self.unfit(left, right)
        return wrap(self.engine(other, right._t))

    def in_place(self, left, right):
        """The tensor itself changes."""
        other = self.operand(right)
        if other is None:
            self.unfit(left, right)
        if _engine.inplace(self.op, left._t, other) is None:
            fail()
        return left

    def compared(self, left, right):
        """Equality, which any object may be asked for."""
        other = self.operand(right)
        if other is not None:
            return wrap(self.engine(left._t, other))
        if self.op in ("eq", "ne"):
            return self.op == "ne"
        raise TypeError(
            "'"
            + self.sign
            + "' not supported between instances of '"
            + type(left).__name__
            + "' and '"
            + type(right).__name__
            + "'"
        )

    def unary(self, value):
        """One tensor."""
        if self.sign == "~" and value.dtype.is_floating_point:
            raise TypeError(
                "~ (operator.invert) is only implemented on integer and Boolean-type "
                "tensors"
            )
        return wrap(self.engine(value._t))

    def unfit(self, left, right):
        """Raise what Python raises for objects that do not go together."""
        raise TypeError(
            "unsupported operand type(s) for "
            + self.sign
            + ": '"
            + type(left).__name__
            + "' and '"
            + type(right).__name__
            + "'"
        )


def _operator(op, name, label, sign="", way="forward", operand=operand):
    made = _Operator(op, name, label, sign, operand)

    # not a closure: those are slow in MicroPython
    def call(self, other, _run=getattr(made, way), _of=made):
        try:
            if _state.on:
                return _state.watched(_of.name, ".", _run, (self, other), {})
            return _run(self, other)
        except Exception as error:
            failed(error, _of.label)
            raise

    return call


def _reflected(op, name, label, sign, operand=operand):
    return _operator(op, name, label, sign, "reflected", operand)


def _in_place(op, name, label, sign):
    return _operator(op, name, label, sign, "in_place")


def _comparison(op, name, sign):
    return _operator(op, name, "Compare", sign, "compared")


def _unary(op, name, label, sign=""):
    made = _Operator(op, name, label, sign, None)

    def call(self, _run=made.unary, _of=made):
        try:
            if _state.on:
                return _state.watched(_of.name, ".", _run, (self,), {})
            return _run(self)
        except Exception as error:
            failed(error, _of.label)
            raise

    return call


def _part(index):
    """An index for the engine: its text, and the tensors in it."""
    words, tensors = [], []
    if (
        _isinstance(index, list) and len(index) < 32
    ):  # as torch still takes lists of these
        parts = (list, tuple, range, Tensor)
        if any([x is None or x is ... or _isinstance(x, parts) for x in index]):
            index = tuple(index)
    for item in index if _isinstance(index, tuple) else (index,):
        words.append(_word(item, tensors))
    return ";".join(words), tensors


def _word(item, tensors):
    kind = type(item)
    if kind is int:
        return "i" + str(item)
    if kind is slice:
        return "s" + ":".join([_bound(x) for x in (item.start, item.stop, item.step)])
    if item is None:
        return "n"
    if item is ...:
        return "e"
    if kind is bool:
        return "b1" if item else "b0"
    if _isinstance(item, (list, tuple, range)):
        from torch._make import tensor

        found = tensor(list(item))
        if not found.numel():
            found = found.long()
        tensors.append(found._t)
        return "t"
    if _isinstance(item, Tensor):
        if not item.dim() and not item.dtype.is_floating_point:
            value = item.item()
            return (
                ("b1" if value else "b0")
                if value in (True, False) and (item.dtype is boolean)
                else "i" + str(value)
            )
        tensors.append(item._t)
        return "t"
    if _isinstance(item, int):
        return "i" + str(int(item))
    if _isinstance(item, str):
        raise TypeError("new(): invalid data type 'str'")
    raise IndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables "
        "are valid indices (got " + kind.__name__ + ")"
    )


def _bound(value):
    if value is None:
        return ""
    if _isinstance(value, int):
        return str(int(value))
    if _isinstance(value, Tensor):
        return str(value.__index__())
    raise TypeError(
        "slice indices must be integers or None or have an __index__ method"
    )


class GradFn:
    """The step that made a tensor; it has only a name."""

    def __init__(self, name):
        self._name = name

    def name(self):
        """What torch calls the step."""
        return self._name

    def __repr__(self):
        return "<" + self._name + " object>"


class Tensor:
    """A tensor, which lies in the engine as ``_t``."""

    def __init__(self, *data, device=None):
        from torch._make import legacy

        on_cpu(device)
        self._t = legacy(data)

    # --- what it is ---

    @property
    def shape(self):
        """The sizes of its dimensions."""
        return as_size(_engine.shape(self._t))

    @property
    def dtype(self):
        """The type of its numbers."""
        return TYPES[_engine.type(self._t)]

    @property
    def device(self):
        """Where it lies."""
        return CPU

    @property
    def ndim(self):
        """How many dimensions it has."""
        return len(self.shape)

    @property
    def itemsize(self):
        """Bytes of an element."""
        return self.dtype.itemsize

    @property
    def nbytes(self):
        """Bytes of all elements."""
        return self.dtype.itemsize * self.numel()

    @property
    def requires_grad(self):
        """Whether gradients are recorded for it."""
        return _engine.requires(self._t)

    @requires_grad.setter
    def requires_grad(self, flag):
        self.requires_grad_(flag)

    @property
    def is_leaf(self):
        """Whether no recorded step has made it."""
        return self._t.is_leaf

    @property
    def grad_fn(self):
        """The recorded step that has made it, or None."""
        name = _engine.made_by(self._t)
        return GradFn(name) if name else None

    @property
    def grad(self):
        """The gradient that backward passes have gathered, or None."""
        found = self._t.grad
        if found is None:
            return None
        known = self.__dict__.get("_grad")
        if known is None or known._t is not found:
            known = wrap(found)
            self._grad = known
        return known

    @grad.setter
    def grad(self, value):
        if value is None:
            self._t.grad = None
            return
        if not _isinstance(value, Tensor):
            raise TypeError(
                "assigned grad expected to be a Tensor or None but got grad "
                "of type " + type(value).__name__
            )
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad")
        if _engine.set_grad(self._t, value._t) is None:
            fail()
        self._grad = value

    @grad.deleter
    def grad(self):
        self._t.grad = None

    @property
    def data(self):
        """Its numbers without their history; changes are not seen by gradients."""
        return _watched_get("data", self, _data)

    @data.setter
    def data(self, value):
        if _engine.set_data(self._t, value._t) is None:
            fail()

    @property
    def T(self):
        """The transposed matrix."""
        return _watched_get("T", self, _transposed)

    @property
    def mT(self):
        """The last two dimensions swapped."""
        return _watched_get("mT", self, _matrices_transposed)

    mH = mT

    @property
    def H(self):
        """The transposed matrix."""
        if self.dim() not in (0, 2):
            raise RuntimeError(
                "tensor.H is only supported on matrices (2-D tensors). Got "
                + str(self.dim())
                + "-D tensor."
                + " For batches of matrices, consider using tensor.mH"
                * (self.dim() > 2)
            )
        return self.T

    @property
    def real(self):
        """The tensor itself: it is not complex."""
        return self

    is_cuda = is_sparse = is_quantized = is_meta = is_nested = is_mps = False
    is_cpu = True
    layout = "torch.strided"
    name = None
    names = None
    output_nr = 0

    @property
    def _version(self):
        return self._t.version

    @property
    def _base(self):
        base = self._t.base
        return None if base is None else wrap(base)

    # --- numbers for Python ---

    def _single(self):
        if self.numel() != 1:
            raise RuntimeError(
                "a Tensor with "
                + str(self.numel())
                + " elements cannot be converted to Scalar"
            )
        return one_number(self._t, self.dtype)

    def __bool__(self):
        return _left("__bool__", self, _truth)

    def __int__(self):
        return int(self.as_number("__int__"))

    def as_number(self, name):
        """The only element, for Python's conversions."""
        return _left(name, self, _only)

    def __index__(self):
        return _left("__index__", self, _index)

    def __len__(self):
        shape = self.shape
        if not len(shape):
            raise TypeError("len() of a 0-d tensor")
        return shape[0]

    def __iter__(self):
        if not self.dim():
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    def __reversed__(self):
        return self.flip(0) if self.dim() else self

    def __contains__(self, element):
        if operand(element) is None:
            raise RuntimeError(
                "Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
                + str(type(element))
                + "."
            )
        return bool((self == element).any())

    def __hash__(self):
        return id(self)

    def __repr__(self):
        from torch._repr import text

        return text(self)

    def __format__(self, spec):
        if not self.dim():
            return ("{:" + spec + "}").format(self.item())
        if spec:
            raise TypeError("unsupported format string passed to Tensor.__format__")
        return repr(self)

    # --- operators ---

    __add__ = _operator("add", "__add__", "Add", "+")
    __sub__ = _operator("sub", "__sub__", "Sub", "-")
    __mul__ = _operator("mul", "__mul__", "Mult", "*")
    __truediv__ = _operator("div", "__truediv__", "Div", "/")
    __floordiv__ = _operator("floor_divide", "__floordiv__", "FloorDiv", "//")
    __mod__ = _operator("remainder", "__mod__", "Mod", "%")
    __pow__ = _operator("pow", "__pow__", "Pow", "** or pow()")
    __matmul__ = _operator("matmul", "__matmul__", "MatMult", "@", operand=matrix)
    __and__ = _operator("bitwise_and", "__and__", "BitAnd", "&")
    __or__ = _operator("bitwise_or", "__or__", "BitOr", "|")
    __xor__ = _operator("bitwise_xor", "__xor__", "BitXor", "^")
    __lshift__ = _operator("bitwise_left_shift", "__lshift__", "LShift", "<<")
    __rshift__ = _operator("bitwise_right_shift", "__rshift__", "RShift", ">>")

    __radd__ = _reflected("add", "__radd__", "Add", "+")
    __rsub__ = _reflected("sub", "__rsub__", "Sub", "-")
    __rmul__ = _reflected("mul", "__rmul__", "Mult", "*")
    __rtruediv__ = _reflected("rdiv", "__rtruediv__", "Div", "/")
    __rfloordiv__ = _reflected("floor_divide", "__rfloordiv__", "FloorDiv", "//")
    __rmod__ = _reflected("remainder", "__rmod__", "Mod", "%")
    __rpow__ = _reflected("pow", "__rpow__", "Pow", "** or pow()")
    __rmatmul__ = _reflected("matmul", "__rmatmul__", "MatMult", "@", operand=matrix)
    __rand__ = _reflected("bitwise_and", "__rand__", "BitAnd", "&")
    __ror__ = _reflected("bitwise_or", "__ror__", "BitOr", "|")
    __rxor__ = _reflected("bitwise_xor", "__rxor__", "BitXor", "^")
    __rlshift__ = _reflected("bitwise_left_shift", "__rlshift__", "LShift", "<<")
    __rrshift__ = _reflected("bitwise_right_shift", "__rrshift__", "RShift", ">>")

    __iadd__ = _in_place("add", "__iadd__", "Add", "+")
    __isub__ = _in_place("sub", "__isub__", "Sub", "-")
    __imul__ = _in_place("mul", "__imul__", "Mult", "*")
    __itruediv__ = _in_place("div", "__itruediv__", "Div", "/")
    __ifloordiv__ = _in_place("floor_divide", "__ifloordiv__", "FloorDiv", "//")
    __imod__ = _in_place("remainder", "__imod__", "Mod", "%")
    __ipow__ = _in_place("pow", "__ipow__", "Pow", "**")
    __iand__ = _in_place("bitwise_and", "__iand__", "BitAnd", "&")
    __ior__ = _in_place("bitwise_or", "__ior__", "BitOr", "|")
    __ixor__ = _in_place("bitwise_xor", "__ixor__", "BitXor", "^")
    __ilshift__ = _in_place("bitwise_left_shift", "__ilshift__", "LShift", "<<")
    __irshift__ = _in_place("bitwise_right_shift", "__irshift__", "RShift", ">>")

    __neg__ = _unary("neg", "__neg__", "USub")
    __pos__ = _unary("positive", "__pos__", "UAdd")
    __invert__ = _unary("bitwise_not", "__invert__", "Invert", "~")
    __abs__ = _unary("abs", "__abs__", "abs")

    __eq__ = _comparison("eq", "__eq__", "==")
    __ne__ = _comparison("ne", "__ne__", "!=")
    __lt__ = _comparison("lt", "__lt__", "<")
    __le__ = _comparison("le", "__le__", "<=")
    __gt__ = _comparison("gt", "__gt__", ">")
    __ge__ = _comparison("ge", "__ge__", ">=")

    # --- indexing ---

    def __getitem__(self, index):
        try:
            if _state.on:
                return _state.watched("__getitem__", ".", _get, (self, index), {})
            return _get(self, index)
        except Exception as error:
            failed(error, "Subscript")
            raise

    def __setitem__(self, index, value):
        try:
            if _state.on:
                _state.watched("__setitem__", ".", _set, (self, index, value), {})
            else:
                _set(self, index, value)
        except Exception as error:
            failed(error, "Subscript")
            raise

    # --- copies ---

    def __deepcopy__(self, memo):
        if not self.is_leaf:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the "
                "deepcopy protocol at the moment.  If you were attempting to deepcopy a "
                "module, this may be because of a torch.nn.utils.weight_norm usage, see "
                "https://github.com/pytorch/pytorch/pull/103001"
            )
        if id(self) in memo:
            return memo[id(self)]
        made = self._alike(_engine.clone(_engine.detach(self._t)))
        if self.requires_grad:
            made.requires_grad_()
        if self.grad is not None:
            made.grad = self.grad.__deepcopy__(memo)
        memo[id(self)] = made
        return made

    def __copy__(self):
        made = self._alike(_engine.detach(self._t))
        if self.requires_grad and self.is_leaf:
            made.requires_grad_()
        return made

    def _alike(self, t):
        """An engine's tensor in an object of the same class."""
        made = wrap(t)
        if type(self) is not Tensor:
            kept = object.__new__(type(self))
            kept._t = t
            return kept
        return made

    def __getattr__(self, name):
        from torch._names import METHODS

        if name in METHODS:
            refuse("Tensor." + name)
        found = type(self).__name__
        raise AttributeError("'" + found + "' object has no attribute '" + name + "'")


def _watched_get(name, self, get):
    if _state.on:
        return _state.watched(name, ".", get, (self,), {})
    return get(self)


def _data(self):
    return wrap(_engine.data(self._t))


def _transposed(self):
    return wrap(_engine.T(self._t))


def _matrices_transposed(self):
    return wrap(_engine.mT(self._t))


_left = _watched_get


def _truth(self):
    count = self.numel()
    if count != 1:
        many = "more than one value" if count else "no values"
        raise RuntimeError("Boolean value of Tensor with " + many + " is ambiguous")
    return one_number(self._t, self.dtype) != 0


def _only(self):
    if self.numel() != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    return one_number(self._t, self.dtype)


def _index(self):
    if self.numel() != 1 or self.dtype.is_floating_point:
        raise TypeError(
            "only integer tensors of a single element can be converted to an index"
        )
    return int(one_number(self._t, self.dtype))


def _get(self, index):
    spec, tensors = _part(index)
    return wrap(_engine.index(self._t, spec, *tensors))


def _set(self, index, value):
    given = operand(value)
    if given is None:
        raise TypeError(
            "can't assign a "
            + type(value).__name__
            + " to a torch."
            + _engine.type_name(self._t)
            + "Tensor"
        )
    if not _isinstance(value, Tensor) and _engine.fits(number(value), self._t) is None:
        fail()
    spec, tensors = _part(index)
    if _engine.index_put_(self._t, given, False, spec, *tensors) is None:
        fail()
