"""Functions and methods of torch: those of the table, and those by hand."""

import _engine
from torch import _state
from torch._core import (
    DTYPES,
    REQUIRED,
    Misfit,
    Size,
    _float,
    _isinstance,
    as_size,
    boolean,
    device,
    dtype,
    fail,
    float32,
    float64,
    function,
    inplace,
    int64,
    into,
    ints_text,
    namedtuple,
    number,
    on_cpu,
    op,
    scalar,
    wrap,
    wrap_all,
)
from torch._make import as_dtype, sizes_of, tensor, tolist
from torch._state import called_back, public, refuse
from torch._table import TABLE
from torch._tensor import Tensor, operand

FUNCTIONS = {}


def read(table):
    """Make what the table describes."""
    for row in table.strip().split("\n"):
        where, line, names = row.split("|")
        for word in names.split():
            name, _, other = word.partition("=")
            call = other or name
            if "f" in where:
                FUNCTIONS[name] = function(name, line, call, "torch.")
            if "m" in where:
                setattr(Tensor, name, function(name, line, call, "."))
            if "i" in where:
                setattr(Tensor, name + "_", inplace(name, line, call))


read(TABLE)


def both(name, call, path="torch."):
    """A function by hand, as function and as method."""
    FUNCTIONS[name] = public(name, path, call)
    setattr(Tensor, name, public(name, ".", call))


def method(name, call):
    """A method by hand."""
    setattr(Tensor, name, public(name, ".", call))


def free(name, call):
    """A function by hand that is no method."""
    FUNCTIONS[name] = public(name, "torch.", call)


def need_tensor(value, name, what="input"):
    """The engine's tensor of an argument."""
    if not _isinstance(value, Tensor):
        raise TypeError(
            name
            + "(): argument '"
            + what
            + "' (position 1) must be Tensor, not "
            + type(value).__name__
        )
    return value._t


def need_tensors(values, name):
    """The engine's tensors of a list."""
    if not _isinstance(values, (list, tuple)):
        raise TypeError(
            name
            + "(): argument 'tensors' (position 1) must be tuple of Tensors, not "
            + type(values).__name__
        )
    for at, value in enumerate(values):
        if not _isinstance(value, Tensor):
            raise TypeError(
                "expected Tensor as element "
                + str(at)
                + " in argument 0, but got "
                + type(value).__name__
            )
    return [value._t for value in values]


def checked(found):
    """A result of the engine that is not None."""
    if found is None:
        fail()
    return found


# --- several forms under one name ---

RETURN = {
    name: namedtuple(name, ("values", "indices"))
    for name in ("max", "min", "median", "nanmedian", "sort")
}


def _extreme(name):
    engine = op(name)
    pair = {"max": "maximum", "min": "minimum"}.get(name)

    def call(
        input,
        dim=None,
        keepdim=False,
        *,
        other=None,
        axis=None,
        keepdims=None,
        out=None,
    ):
        t = need_tensor(input, name)
        dim = axis if axis is not None else dim
        keepdim = keepdim if keepdims is None else keepdims
        other = dim if _isinstance(dim, Tensor) else other
        if pair and other is not None:
            return wrap(op(pair)(t, need_tensor(other, name, "other")))
        if dim is None:
            return wrap(engine(t))
        if not _isinstance(dim, int):
            raise TypeError(
                name
                + "() received an invalid combination of arguments - got (Tensor, "
                + type(dim).__name__
                + "), but expected one of: (Tensor input), (Tensor "
                "input, int dim, bool keepdim = False)"
            )
        return RETURN[name](*wrap_all(engine(t, dim, bool(keepdim))))

    both(name, call)


for _name in ("max", "min", "median", "nanmedian"):
    _extreme(_name)


def _spread(name):
    engine = op(name)
    pair = name.endswith("_mean")

    def call(
        input,
        dim=None,
        unbiased=True,
        keepdim=False,
        *,
        correction=1,
        axis=None,
        keepdims=None,
        out=None,
    ):
        t = need_tensor(input, name)
        dim = axis if axis is not None else dim
        if _isinstance(dim, bool):
            dim, unbiased = None, dim
        if not unbiased:
            correction = 0
        keepdim = keepdim if keepdims is None else keepdims
        dims = None if dim is None else ints_text(dim)
        found = engine(t, dims, 1 if correction is None else correction, bool(keepdim))
        return wrap_all(found) if pair else wrap(found)

    both(name, call)


for _name in ("var", "std", "var_mean", "std_mean"):
    _spread(_name)


def _norm(input, p="fro", dim=None, keepdim=False, dtype=None, out=None):
    dims = None if dim is None else ints_text(dim)
    kind = as_dtype(dtype)
    t = need_tensor(input, "norm")
    return wrap(
        _engine.norm(
            t,
            p if p is None or _isinstance(p, str) else number(p),
            dims,
            keepdim,
            kind and kind.name,
        )
    )


both("norm", _norm)


def _sort(input, dim=-1, descending=False, *, stable=False, out=None):
    found = _engine.sort(need_tensor(input, "sort"), dim, bool(descending))
    return RETURN["sort"](*wrap_all(found))


def _argsort(input, dim=-1, descending=False, stable=False):
    return wrap(_engine.argsort(need_tensor(input, "argsort"), dim, bool(descending)))


both("sort", _sort)
both("argsort", _argsort)


def _quantile(name):
    engine = op(name)

    def call(input, q, dim=None, keepdim=False, *, interpolation="linear", out=None):
        if not _isinstance(q, (Tensor, int, _float)):
            given = type(q).__name__
            raise TypeError(
                name + "(): argument 'q' must be float or Tensor, not " + given
            )
        q = q._t if _isinstance(q, Tensor) else number(q)
        t = need_tensor(input, name)
        return wrap(engine(t, q, dim, bool(keepdim), interpolation))

    both(name, call)


_quantile("quantile")
_quantile("nanquantile")


def _unique(name, with_sort):
    engine = op(name)

    def call(input, *args, **kwargs):
        if with_sort and args:
            args = args[1:]
        kwargs.pop("sorted", None)
        return found(input, *args, **kwargs)

    def found(input, return_inverse=False, return_counts=False, dim=None):
        values, inverse, counts = wrap_all(engine(need_tensor(input, name), dim))
        more = (inverse,) if return_inverse else ()
        more += (counts,) if return_counts else ()
        return (values,) + more if more else values

    both(name, call)


_unique("unique", True)
_unique("unique_consecutive", False)


def _where(condition, input=None, other=None, *, self=None, out=None):
    input = self if input is None else input
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    sides = operand(input), operand(other)
    if None in sides or not _isinstance(condition, Tensor):
        found = [type(x).__name__ for x in (condition, input, other)]
        raise TypeError(
            "where() received an invalid combination of arguments - got ("
            + ", ".join(found)
            + "), but expected (Tensor condition, Tensor input, "
            "Tensor other)"
        )
    return wrap(_engine.where(condition._t, *sides))


free("where", _where)
method("where", lambda self, condition, other: _where(condition, self, other))


def _nonzero(input, *, as_tuple=False, out=None):
    found = wrap(_engine.nonzero(need_tensor(input, "nonzero")))
    if not as_tuple:
        return found
    if not input.dim():
        return (found.reshape(-1).new_zeros(len(found), dtype=int64),)
    return found.unbind(1)


both("nonzero", _nonzero)


def _cat(tensors, dim=0, *, axis=None, out=None):
    found = need_tensors(tensors, "cat")
    if not found:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    made = wrap(_engine.cat(dim if axis is None else axis, *found))
    return made if out is None else into(out, made)


for _name in ("cat", "concat", "concatenate"):
    free(_name, _cat)


def _split(tensor, split_size_or_sections, dim=0):
    sizes = split_size_or_sections
    if not _isinstance(sizes, int):
        sizes = ints_text(sizes)
    return wrap_all(_engine.split(need_tensor(tensor, "split"), sizes, dim))


free("split", _split)
method("split", lambda self, split_size, dim=0: _split(self, split_size, dim))
free("split_with_sizes", _split)
method(
    "split_with_sizes", lambda self, split_sizes, dim=0: _split(self, split_sizes, dim)
)


def _tensor_split(input, indices_or_sections, dim=0):
    where = indices_or_sections
    if _isinstance(where, Tensor):
        where = where.tolist()
    if not _isinstance(where, int):
        where = ints_text(where)
    return wrap_all(
        _engine.tensor_split(need_tensor(input, "tensor_split"), where, dim)
    )


both("tensor_split", _tensor_split)


def _repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    if repeats is None:
        input, repeats = tensor(range(len(input))), input
    if not _isinstance(repeats, (int, Tensor)):
        raise TypeError(
            "repeat_interleave(): argument 'repeats' must be int or Tensor, not "
            + type(repeats).__name__
        )
    if _isinstance(repeats, Tensor):
        repeats = repeats._t
    return wrap(
        _engine.repeat_interleave(need_tensor(input, "repeat_interleave"), repeats, dim)
    )


both("repeat_interleave", _repeat_interleave)


def _swapped(t, name, *given):
    return (name, t) + given


def _scatter(name):
    def arguments(self, dim, index, src, value, reduce):
        src = src if value is None else value
        given = operand(src)
        if given is None:
            raise TypeError(name + "(): argument 'src' must be Tensor or Number")
        if reduce is None:
            return name, dim, index._t, given
        if reduce not in ("add", "multiply"):
            raise RuntimeError("reduce argument must be either add or multiply.")
        if not _isinstance(src, Tensor):
            given = self.new_full(index.shape, src)._t
        way = "sum" if reduce == "add" else "prod"
        return "scatter_reduce", dim, index._t, given, way, True

    def call(input, dim, index, src=None, *, value=None, reduce=None, out=None):
        t = need_tensor(input, name)
        used, *given = arguments(input, dim, index, src, value, reduce)
        return wrap(op(used)(t, *given))

    def call_(self, dim, index, src=None, *, value=None, reduce=None):
        checked(
            _engine.inplace(
                *_swapped(self._t, *arguments(self, dim, index, src, value, reduce))
            )
        )
        return self

    both(name, call)
    method(name + "_", call_)


_scatter("scatter")


def _reducing(name, parts):
    def call(
        input,
        dim,
        index,
        source=None,
        reduce=None,
        *,
        include_self=True,
        src=None,
        out=None,
    ):
        source = src if source is None else source
        return wrap(
            op(name)(
                need_tensor(input, name), dim, index._t, source._t, reduce, include_self
            )
        )

    def call_(
        self, dim, index, source=None, reduce=None, *, include_self=True, src=None
    ):
        source = src if source is None else source
        given = (dim, index._t, source._t, reduce, include_self)
        checked(_engine.inplace(name, self._t, *given))
        return self

    both(name, call)
    method(name + "_", call_)


_reducing("scatter_reduce", 5)
_reducing("index_reduce", 5)


def _index_put_(self, indices, values, accumulate=False):
    found = [index._t for index in indices]
    spec = ";".join(["t"] * len(found))
    checked(_engine.index_put_(self._t, operand(values), accumulate, spec, *found))
    return self


method("index_put_", _index_put_)
both(
    "index_put",
    lambda input, indices, values, accumulate=False: _index_put_(
        input.clone(), indices, values, accumulate
    ),
)


def _einsum(equation, *operands):
    if not _isinstance(equation, str):
        refuse("torch.einsum with lists of numbers")
    if len(operands) == 1 and _isinstance(operands[0], (list, tuple)):
        operands = operands[0]
    return wrap(_engine.einsum(equation, *need_tensors(operands, "einsum")))


free("einsum", _einsum)


def _tensordot(a, b, dims=2, out=None):
    if _isinstance(dims, int):
        return wrap(_engine.tensordot(a._t, b._t, dims))
    if _isinstance(dims, Tensor):
        dims = dims.tolist()
    first, second = dims
    return wrap(_engine.tensordot(a._t, b._t, ints_text(first), ints_text(second)))


free("tensordot", _tensordot)


def _cdist(x1, x2, p=2.0, compute_mode=None):
    return wrap(_engine.cdist(x1._t, x2._t, number(p)))


free("cdist", _cdist)


def _view(self, *shape, dtype=None, size=None):
    shape = shape or (size if size is not None else dtype,)
    if _isinstance(shape[0], globals()["dtype"]):
        if shape[0] is self.dtype:
            return self.alias()
        refuse("Tensor.view with a dtype")
    if shape[0] is None or _isinstance(shape[0], _float):
        raise TypeError("view() received an invalid combination of arguments")
    return wrap(_engine.view(self._t, sizes_of(shape, "view", -1)))


method("view", _view)


def _broadcast_tensors(*tensors):
    if len(tensors) == 1 and _isinstance(tensors[0], (list, tuple)):
        tensors = tensors[0]
    found = need_tensors(tensors, "broadcast_tensors")
    return wrap_all(_engine.broadcast_tensors(*found))


free("broadcast_tensors", _broadcast_tensors)


def _many(name):
    engine = getattr(_engine, name)
    free(name, lambda *tensors: wrap(engine(*need_tensors(tensors, name))))


_many("block_diag")
_many("chain_matmul")


def _broadcast_shapes(*shapes):
    shapes = [(s,) if _isinstance(s, int) else s for s in shapes]
    text = _engine.broadcast_shapes(*[ints_text(shape) for shape in shapes])
    return as_size(checked(text))


free("broadcast_shapes", _broadcast_shapes)


def _meshgrid(*tensors, indexing="ij"):
    if len(tensors) == 1 and _isinstance(tensors[0], (list, tuple)):
        tensors = tensors[0]
    if len(set([x.dtype for x in tensors])) > 1:
        raise RuntimeError("meshgrid expects all tensors to have the same dtype")
    tensors = [x.reshape(-1) for x in tensors]
    if indexing == "xy" and len(tensors) > 1:
        tensors[0], tensors[1] = tensors[1], tensors[0]
    sizes = [len(x) for x in tensors]
    found = []
    for at, x in enumerate(tensors):
        shape = [1] * len(sizes)
        shape[at] = -1
        found.append(x.reshape(shape).expand(sizes))
    if indexing == "xy" and len(tensors) > 1:
        found[0], found[1] = found[1], found[0]
    return tuple(found)


free("meshgrid", _meshgrid)


def _cartesian_prod(*tensors):
    if len(tensors) == 1:
        return tensors[0].alias()
    return FUNCTIONS["stack"]([x.reshape(-1) for x in _meshgrid(*tensors)], 1)


free("cartesian_prod", _cartesian_prod)


def _combinations(input, r=2, with_replacement=False):
    n, rows = len(input), []

    def grow(chosen, start):
        if len(chosen) == r:
            rows.append(chosen)
            return
        for i in range(start, n):
            grow(chosen + [i], i if with_replacement else i + 1)

    grow([], 0)
    if not rows:
        return input.new_empty((0, r))
    return input[tensor(rows)]


free("combinations", _combinations)


def _searchsorted(
    sorted_sequence,
    input,
    *,
    out_int32=False,
    right=False,
    side=None,
    sorter=None,
    out=None,
):
    if sorter is not None:
        refuse("torch.searchsorted with sorter=")
    right = right if side is None else side == "right"
    t = operand(input)
    return wrap(_engine.searchsorted(sorted_sequence._t, t, right, out_int32))


def _bucketize(input, boundaries, *, out_int32=False, right=False, out=None):
    return wrap(_engine.bucketize(operand(input), boundaries._t, right, out_int32))


free("searchsorted", _searchsorted)
free("bucketize", _bucketize)
free(
    "isin",
    lambda elements, test_elements, *, assume_unique=False, invert=False: wrap(
        _engine.isin(operand(elements), operand(test_elements), invert)
    ),
)


def _trapezoid(y, x=None, *, dx=1.0, dim=-1):
    width = dx if x is None else x.diff(dim=-1)
    n = y.shape[dim]
    both_sides = y.narrow(dim, 0, n - 1) + y.narrow(dim, 1, n - 1)
    return (both_sides * width / 2).sum(dim)


free("trapezoid", _trapezoid)
free("trapz", _trapezoid)


# --- comparing ---


def _equal(input, other):
    a, b = need_tensor(input, "equal"), need_tensor(other, "equal", "other")
    if input.shape != other.shape:
        return False
    return bool(wrap(_engine.eq(a, b)).all())


both("equal", _equal)


def _isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    need_tensor(input, "isclose"), need_tensor(other, "isclose", "other")
    return wrap(_engine.isclose(input._t, other._t, rtol, atol, equal_nan))


both("isclose", _isclose)
both(
    "allclose",
    lambda input, other, rtol=1e-05, atol=1e-08, equal_nan=False: bool(
        _isclose(input, other, rtol, atol, equal_nan).all()
    ),
)


# --- dtypes ---


def promote_types(type1, type2):
    """The dtype that holds both."""
    return DTYPES[_engine.promoted(type1.name, type2.name)]


def result_type(tensor1, tensor2):
    """The dtype that an operation of two would give."""
    return DTYPES[checked(_engine.result_name(operand(tensor1), operand(tensor2)))]


def can_cast(from_, to):
    """Whether torch casts without being told to."""
    rank = {False: 1, True: 2}
    ranks = [0 if d is boolean else rank[d.is_floating_point] for d in (from_, to)]
    return ranks[0] <= ranks[1]


free("promote_types", promote_types)
free("result_type", result_type)
free("can_cast", can_cast)


def _to(
    self,
    *args,
    dtype=None,
    device=None,
    non_blocking=False,
    copy=False,
    memory_format=None,
    other=None,
):
    for arg in args + (() if other is None else (other,)):
        if _isinstance(arg, Tensor):
            dtype = arg.dtype
        elif _isinstance(arg, str) or _isinstance(arg, globals()["device"]):
            device = arg
        elif _isinstance(arg, bool):
            copy = arg if arg is args[-1] and len(args) > 2 else copy
        elif arg is not None:
            dtype = arg
    on_cpu(device)
    kind = as_dtype(dtype)
    if (kind is None or kind is self.dtype) and not copy:
        return self
    if kind is None or kind is self.dtype:
        return self.clone()
    return wrap(_engine.to(self._t, kind.name))


def _converts(kind):
    return lambda self, *, memory_format=None: _to(self, kind)


method("to", _to)
for _name, _kind in (
    ("float", "float32"),
    ("double", "float64"),
    ("half", "float16"),
    ("long", "int64"),
    ("bfloat16", "bfloat16"),
    ("int", "int32"),
    ("short", "int16"),
    ("char", "int8"),
    ("byte", "uint8"),
    ("bool", "bool"),
):
    method(_name, _converts(DTYPES[_kind]))

TYPE_NAMES = {
    "Float": "float32",
    "Double": "float64",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
}


def _contiguous(self, memory_format=None):
    return self if _engine.is_contiguous(self._t) else wrap(_engine.contiguous(self._t))


def _type(self, dtype=None, non_blocking=False):
    if dtype is None:
        return "torch." + _engine.type_name(self._t) + "Tensor"
    if _isinstance(dtype, str):
        name = dtype.replace("torch.", "").replace("Tensor", "")
        if name not in TYPE_NAMES:
            raise ValueError("invalid type: '" + dtype + "'")
        dtype = DTYPES[TYPE_NAMES[name]]
    elif not _isinstance(dtype, type(self.dtype)):
        raise ValueError("invalid type: '" + str(dtype) + "'")
    return _to(self, dtype)


method("contiguous", _contiguous)
method("type", _type)
method("type_as", lambda self, other: _to(self, other.dtype))
method("cpu", lambda self, memory_format=None: self)


# --- shape and numbers ---


def _size(self, dim=None):
    shape = self.shape
    if dim is None:
        return shape
    if not -max(1, len(shape)) <= dim < max(1, len(shape)):
        n = max(1, len(shape))
        raise IndexError(
            "Dimension out of range (expected to be in range of ["
            + str(-n)
            + ", "
            + str(n - 1)
            + "], but got "
            + str(dim)
            + ")"
        )
    return shape[dim]


def _stride(self, dim=None):
    found = tuple(as_size(_engine.strides(self._t)))
    return found if dim is None else found[dim]


def _item(self):
    return self._single()


def _tolist(self):
    return tolist(self._t, self.shape, self.dtype)


def _numpy(self, *args, **kwargs):
    if self.requires_grad:
        raise RuntimeError(
            "Can't call numpy() on Tensor that requires grad. Use "
            "tensor.detach().numpy() instead."
        )
    refuse("Tensor.numpy")


method("size", _size)
method("stride", _stride)
method("item", _item)
method("tolist", _tolist)
method("numpy", _numpy)
Tensor.dim = Tensor.ndimension = lambda self: len(self.shape)
Tensor.numel = Tensor.nelement = lambda self: self.shape.numel()
Tensor.element_size = lambda self: self.dtype.itemsize
Tensor.is_floating_point = lambda self: self.dtype.is_floating_point
Tensor.is_complex = lambda self: False
Tensor.is_signed = lambda self: self.dtype.is_signed
Tensor.is_contiguous = lambda self, memory_format=None: _engine.is_contiguous(self._t)
Tensor.storage_offset = lambda self: self._t.offset
Tensor.data_ptr = lambda self: _engine.pointer(self._t)
Tensor.get_device = lambda self: -1
Tensor.is_same_size = lambda self, other: self.shape == other.shape
Tensor.__array__ = _numpy
FUNCTIONS["numel"] = lambda input: input.numel()
FUNCTIONS["is_tensor"] = lambda obj: _isinstance(obj, Tensor)
FUNCTIONS["is_floating_point"] = lambda input: input.dtype.is_floating_point
FUNCTIONS["is_complex"] = lambda input: False
FUNCTIONS["is_nonzero"] = lambda input: bool(input)


def _is_set_to(self, tensor):
    return _engine.pointer(self._t) == _engine.pointer(tensor._t)


method("is_set_to", _is_set_to)


# --- new tensors like this one ---


def _new(name, fill):
    def call(
        self,
        *size,
        dtype=None,
        device=None,
        requires_grad=False,
        layout=None,
        pin_memory=False,
        **other,
    ):
        size = (other.pop("size"),) if "size" in other else size
        on_cpu(device)
        kind = as_dtype(dtype) or self.dtype
        made = wrap(_engine.full(sizes_of(size, name), fill, kind.name))
        return made.requires_grad_() if requires_grad else made

    method(name, call)


_new("new_zeros", 0)
_new("new_ones", 1)
_new("new_empty", 0)


def _filling(t, value):
    checked(_engine.fits(number(value), t))
    checked(_engine.copy_(t, operand(value)))
    return wrap(t)


def _new_full(
    self,
    size,
    fill_value,
    *,
    dtype=None,
    device=None,
    requires_grad=False,
    layout=None,
    pin_memory=False,
):
    kind = as_dtype(dtype) or self.dtype
    value = fill_value.item() if _isinstance(fill_value, Tensor) else fill_value
    made = _filling(_engine.full(sizes_of((size,), "new_full"), 0, kind.name), value)
    return made.requires_grad_() if requires_grad else made


def _new_tensor(self, data, *, dtype=None, device=None, requires_grad=False):
    return tensor(data, dtype=dtype or self.dtype, requires_grad=requires_grad)


method("new_full", _new_full)
method("new_tensor", _new_tensor)


# --- memory ---


def _clone(input, *, memory_format=None):
    return wrap(_engine.clone(need_tensor(input, "clone")))


def _detach(input):
    return wrap(_engine.detach(need_tensor(input, "detach")))


def _detach_(self):
    checked(_engine.detach_(self._t))
    return self


both("clone", _clone)
both("detach", _detach)
both("detach_", _detach_)


def _copy_(self, src, non_blocking=False):
    given = operand(src)
    if given is None:
        raise TypeError(
            "copy_(): argument 'other' (position 1) must be Tensor, not "
            + type(src).__name__
        )
    checked(_engine.copy_(self._t, given))
    return self


def _fill_(self, value):
    given = operand(value)
    if given is None:
        raise TypeError("fill_(): argument 'value' must be Number or Tensor")
    if _isinstance(value, Tensor) and value.dim():
        raise RuntimeError(
            "fill_ only supports 0-dimension value tensor but got tensor with "
            + str(value.dim())
            + " dimensions."
        )
    if not _isinstance(value, Tensor):
        checked(_engine.fits(number(value), self._t))
    target = self
    for dim, step in enumerate(self.stride()):
        if not step and self.shape[dim] > 1:  # one element that is seen many times
            target = target.narrow(dim, 0, 1)
    checked(_engine.copy_(target._t, given))
    return self


method("copy_", _copy_)
method("fill_", _fill_)
method("zero_", lambda self: _fill_(self, 0))
FUNCTIONS["fill_"] = Tensor.fill_
FUNCTIONS["fill"] = lambda input, value: input.clone().fill_(value)


def _fill_diagonal_(self, fill_value, wrap=False):
    sizes = self.shape
    if len(sizes) < 2:
        raise RuntimeError("dimensions must larger than 1")
    if len(sizes) > 2 and min(sizes) != max(sizes):
        raise RuntimeError("all dimensions of input must be of equal length")
    if wrap and sizes[0] > sizes[1] + 1:
        refuse("Tensor.fill_diagonal_ with wrap=True of a tall matrix")
    step = sum(self.stride())
    self.as_strided((min(sizes),), (step,), self.storage_offset()).fill_(fill_value)
    return self


method("fill_diagonal_", _fill_diagonal_)


def _becoming(name):
    def call(self, *args):
        checked(_engine.becoming(name, self._t, *args))
        return self

    method(name + "_", call)


for _name in ("t", "transpose", "squeeze", "unsqueeze", "swapaxes", "swapdims"):
    _becoming(_name)


def _resize_(self, *sizes, memory_format=None):
    refuse("Tensor.resize_")


# --- gradients ---


def _requires_grad_(self, requires_grad=True):
    checked(_engine.requires_grad_(self._t, bool(requires_grad)))
    return self


def _retain_grad(self):
    checked(_engine.retain_grad(self._t))


def _backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    if inputs is not None and _isinstance(inputs, Tensor):
        inputs = (inputs,)
    if inputs is not None and not len(inputs):
        raise RuntimeError("'inputs' argument to backward() cannot be empty.")
    given = None if gradient is None else need_tensor(gradient, "backward", "gradient")
    found = [x._t for x in inputs or ()]
    checked(_engine.backward(self._t, given, retain_graph, create_graph, *found))


def _register_hook(self, hook):
    def call(t):
        found = hook(wrap(t))
        if found is None or _isinstance(found, Tensor):
            return None if found is None else found._t
        name = type(found).__name__
        raise TypeError("expected Variable, but hook returned '" + name + "'")

    return checked(_engine.register_hook(self._t, called_back(call)))


method("requires_grad_", _requires_grad_)
method("retain_grad", _retain_grad)
Tensor.backward = public("backward", "torch._tensor.", _backward)
method("register_hook", _register_hook)


def apply_(self, function):
    """Set each element to what a function of Python makes of it."""
    values = [function(x) for x in self.reshape(-1).tolist()]
    return self.copy_(tensor(values, dtype=self.dtype).reshape(self.shape))


method("apply_", apply_)


# --- put together from others ---


def _ravel(input):
    return input.reshape(-1)


def _adjoint(input):
    return input.mT


def _dist(input, other, p=2):
    return FUNCTIONS["norm"](input - other, p)


def _sum_to_size(self, *size):
    return wrap(_engine.sumTo(self._t, _engine.ints(sizes_of(size, "sum_to_size"))))


def _split_along(name, dim):
    def call(input, indices_or_sections):
        at = 0 if dim and name == "hsplit" and input.dim() == 1 else dim
        return _tensor_split(input, indices_or_sections, at)

    both(name, call)


for _name, _dim in (("vsplit", 0), ("hsplit", 1), ("dsplit", 2)):
    _split_along(_name, _dim)


def _at_least(dims):
    def call(*tensors):
        if len(tensors) == 1 and _isinstance(tensors[0], (list, tuple)):
            tensors = tensors[0]
        found = []
        for x in tensors:
            while x.dim() < dims:
                x = x.unsqueeze(0 if x.dim() < 2 else -1)
            found.append(x)
        return found[0] if len(found) == 1 else tuple(found)

    free("atleast_" + str(dims) + "d", call)


for _dim in (1, 2, 3):
    _at_least(_dim)

both("ravel", _ravel)
both("adjoint", _adjoint)
both("dist", _dist)
method("sum_to_size", _sum_to_size)
