"""Tensors made from Python's values and by rules."""

from array import array

import _engine
from torch import _state
from torch._core import (
    DTYPES,
    NUMBER,
    Misfit,
    Size,
    _c_dtype,
    _float,
    _isinstance,
    boolean,
    dtype,
    fail,
    float32,
    int64,
    ints_text,
    number,
    on_cpu,
    wrap,
)
from torch._state import refuse
from torch._tensor import Tensor, as_kind, from_numbers

_default = [float32]


def get_default_dtype():
    """The dtype of numbers with a point."""
    return _default[0]


def set_default_dtype(d):
    """Set the dtype of numbers with a point."""
    if not _isinstance(d, dtype):
        raise TypeError("invalid dtype object: " + str(d))
    if _engine.set_default_dtype(d.name) is None and not d.is_floating_point:
        fail()
    _default[0] = d


def as_dtype(value):
    """A dtype or Python's own type, as a dtype; None stays None."""
    try:
        name = _c_dtype(value)
    except Misfit:
        raise TypeError(
            "argument 'dtype' must be torch.dtype, not " + type(value).__name__
        )
    return None if name is None else DTYPES[name]


def finish(t, requires_grad, device=None):
    """An engine's new tensor as Python's."""
    on_cpu(device)
    made = wrap(t)
    if requires_grad and not made.dtype.is_floating_point:
        raise RuntimeError(
            "Only Tensors of floating point and complex dtype can require gradients"
        )
    return made.requires_grad_() if requires_grad else made


def _is_list(value):
    return _isinstance(value, (list, tuple, Size, range))


def _sizes(data):
    found = []
    while _is_list(data) or (_isinstance(data, str) and found):
        if _isinstance(data, str):
            raise ValueError("too many dimensions 'str'")
        found.append(len(data))
        if not found[-1] or len(found) > 64:
            break
        data = data[0]
    return found


def _flat(data, sizes):
    level = [data]
    for dim, size in enumerate(sizes):
        below = []
        for row in level:
            if not _is_list(row):
                raise TypeError("not a sequence")
            if len(row) != size:
                raise ValueError(
                    "expected sequence of length "
                    + str(size)
                    + " at dim "
                    + str(dim)
                    + " (got "
                    + str(len(row))
                    + ")"
                )
            below.extend(row)
        level = below
    return level


def _inferred(kinds, values):
    """The dtype of Python's values, as torch infers it."""
    from torch._functions import promote_types

    found = None
    for kind in kinds:
        if kind is _float:
            one = _default[0]
        elif kind is bool:
            one = boolean
        elif kind is int:
            one = int64
        else:
            continue
        found = one if found is None else promote_types(found, one)
    for value in values:
        if _isinstance(value, Tensor):
            found = value.dtype if found is None else promote_types(found, value.dtype)
    return found


def _unknown(value, wanted):
    name = type(value).__name__
    if _is_list(value):
        raise TypeError("'" + name + "' object cannot be interpreted as an integer")
    if _isinstance(value, complex):
        refuse("A complex tensor")
    if wanted is not None:
        raise TypeError("must be real number, not " + name)
    if _isinstance(value, str):
        raise TypeError("new(): invalid data type 'str'")
    raise RuntimeError("Could not infer dtype of " + name)


def _one(value, wanted):
    """A value that is no plain number, as one."""
    if _isinstance(value, Tensor):
        if value.numel() != 1:
            raise ValueError(
                "only one element tensors can be converted to Python scalars"
            )
        return value.item()
    if _isinstance(value, NUMBER):
        return value
    _unknown(value, wanted)


def engine_tensor(data, wanted=None):
    """Python's values as a tensor of the engine."""
    sizes = _sizes(data)
    values = _flat(data, sizes) if sizes else [data]
    kinds = set(map(type, values))
    found = wanted or _inferred(kinds, values if Tensor in kinds else ())
    if not kinds <= PLAIN:
        values = [x if type(x) in PLAIN else _one(x, wanted) for x in values]
        found = found or _inferred(set(map(type, values)), ())
    found = found or _default[0]
    if not found.is_floating_point and found is not boolean:
        _check_range(values, found)
    return from_numbers(array("d", values), ints_text(sizes), found.name)


def _check_range(values, kind):
    bits = 8 * kind.itemsize
    least = 1 - 2**bits if kind.name == "uint8" else -(2 ** (bits - 1))
    most = 2 ** (bits - kind.is_signed) - 1
    for value in values:
        if type(value) is int and not -(2**63) <= value < 2**63:
            raise ValueError("Overflow when unpacking long long")
        if not least <= value <= most:
            said = "value cannot be converted to type " + kind.name
            raise RuntimeError(said + " without overflow")


PLAIN = {bool, int, _float}


def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """A new tensor of Python's numbers, or a copy of another without its history."""
    wanted = as_dtype(dtype)
    if _isinstance(data, Tensor):
        t = _engine.clone(_engine.detach(data._t))
        if wanted is not None:
            t = _engine.to(t, wanted.name)
        return finish(t, requires_grad, device)
    return finish(engine_tensor(data, wanted), requires_grad, device)


def as_tensor(data, dtype=None, device=None):
    """A tensor of the values; a tensor of that dtype is itself."""
    on_cpu(device)
    if _isinstance(data, Tensor):
        wanted = as_dtype(dtype)
        return data if wanted in (None, data.dtype) else data.to(wanted)
    return tensor(data, dtype=dtype)


def legacy(data):
    """What the class Tensor itself makes: of sizes, or of values as the default dtype."""
    if len(data) == 1 and _isinstance(data[0], Tensor):
        return _engine.detach(_engine.to(data[0]._t, _default[0].name))
    if len(data) == 1 and _isinstance(data[0], Size):
        data = tuple(data[0])
    if len(data) == 1 and _is_list(data[0]):
        return engine_tensor(data[0], _default[0])
    for size in data:
        if not _isinstance(size, int):
            raise TypeError(
                "new(): data must be a sequence (got " + type(size).__name__ + ")"
            )
    return _engine.full(ints_text(data or (0,)), 0, _default[0].name)


def sizes_of(size, name, least=0):
    """Sizes that are given one by one or as one sequence."""
    if len(size) == 1 and not _isinstance(size[0], int):
        size = size[0]
        if _isinstance(size, Tensor):
            size = size.tolist()
            size = size if _isinstance(size, list) else (size,)
        if not _is_list(size):
            raise TypeError(
                name
                + "(): argument 'size' (position 1) must be tuple of ints, not "
                + type(size).__name__
            )
    for at, one in enumerate(size):
        if not _isinstance(one, (int, Tensor)):
            raise TypeError(
                name
                + "(): argument 'size' (position 1) must be tuple of ints, but found "
                "element of type " + type(one).__name__ + " at pos " + str(at)
            )
        if _isinstance(one, int) and one < least:
            raise RuntimeError(name + ": Dimension size must be non-negative.")
    return ints_text(size)


def _filled(name, fill):
    def make(
        *args,
        size=None,
        out=None,
        dtype=None,
        layout=None,
        device=None,
        pin_memory=False,
        requires_grad=False,
        memory_format=None,
    ):
        if size is not None:
            args = (size,)
        elif not args:
            raise TypeError(name + '() missing 1 required positional arguments: "size"')
        kind = as_dtype(dtype) or _default[0]
        made = finish(
            _engine.full(sizes_of(args, name), fill, kind.name), requires_grad, device
        )
        return made if out is None else _into(out, made)

    return _state.public(name, "torch.", make)


def _into(out, made):
    from torch._core import into

    return into(out, made)


zeros = _filled("zeros", 0)
ones = _filled("ones", 1)
empty = _filled("empty", 0)  # what lies there is not said; here zeros


def full(
    size,
    fill_value,
    *,
    out=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
):
    """A tensor of one value."""
    if _isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    kind = as_dtype(dtype) or _kind_of(fill_value)
    if _isinstance(size, int):
        raise TypeError(
            "full(): argument 'size' (position 1) must be tuple of ints, not int"
        )
    t = _engine.full(sizes_of((size,), "full"), _fill(fill_value, kind), kind.name)
    return finish(t, requires_grad, device)


def _fill(value, kind):
    if not _isinstance(value, NUMBER):
        raise TypeError(
            "full(): argument 'fill_value' (position 2) must be Number, not "
            + type(value).__name__
        )
    if _engine.fits(number(value), kind.name) is None:
        fail()
    return number(value)


def _kind_of(value):
    if _isinstance(value, bool):
        return boolean
    return int64 if _isinstance(value, int) else _default[0]


def _alike(name, fill):
    def make(
        input,
        *,
        dtype=None,
        layout=None,
        device=None,
        requires_grad=False,
        memory_format=None,
        pin_memory=False,
    ):
        if not _isinstance(input, Tensor):
            raise TypeError(
                name
                + "(): argument 'input' (position 1) must be Tensor, not "
                + type(input).__name__
            )
        kind = as_dtype(dtype) or input.dtype
        return finish(
            _engine.full_like(input._t, fill, kind.name), requires_grad, device
        )

    return _state.public(name, "torch.", make)


zeros_like = _alike("zeros_like", 0)
ones_like = _alike("ones_like", 1)
empty_like = _alike("empty_like", 0)


def full_like(
    input,
    fill_value,
    *,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    memory_format=None,
    pin_memory=False,
):
    """A tensor like another, of one value."""
    if _isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    kind = as_dtype(dtype) or input.dtype
    t = _engine.full_like(input._t, _fill(fill_value, kind), kind.name)
    return finish(t, requires_grad, device)


def _plain_number(value):
    return value.item() if _isinstance(value, Tensor) else value


def arange(
    *args,
    start=None,
    end=None,
    step=None,
    out=None,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
):
    """Numbers from start to before end."""
    args = list(args)
    if end is None:
        if not args:
            raise TypeError('arange() missing 1 required positional arguments: "end"')
        if len(args) == 1:
            end = args.pop()
        else:
            start, end = args.pop(0), args.pop(0)
    elif args:
        start = args.pop(0)
    if args:
        step = args.pop(0)
    if args:
        raise TypeError("arange() takes at most 3 positional arguments")
    found = [
        _plain_number(x)
        for x in (0 if start is None else start, end, 1 if step is None else step)
    ]
    for value in found:
        if not _isinstance(value, NUMBER):
            raise TypeError(
                "arange(): argument 'end' (position 1) must be Number, not "
                + type(value).__name__
            )
    kind = as_dtype(dtype)
    if kind is None:
        kind = _default[0] if any(_isinstance(x, _float) for x in found) else int64
    made = _engine.arange(*[number(+x) for x in found], kind.name)
    return finish(made, requires_grad, device)


def linspace(
    start,
    end,
    steps,
    *,
    out=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
):
    """Numbers at even distances, both ends among them."""
    kind = as_dtype(dtype) or _default[0]
    ends = number(_plain_number(start)), number(_plain_number(end))
    for value, wanted in (ends[0], NUMBER), (ends[1], NUMBER), (steps, int):
        if not _isinstance(value, wanted):
            raise TypeError(
                "linspace() received an invalid combination of arguments - got "
                + type(value).__name__
            )
    return finish(_engine.linspace(*ends, steps, kind.name), requires_grad, device)


def logspace(
    start,
    end,
    steps,
    base=10.0,
    *,
    out=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
):
    """Powers of a base at even distances of the exponent."""
    kind = as_dtype(dtype) or _default[0]
    ends = number(_plain_number(start)), number(_plain_number(end))
    t = _engine.logspace(*ends, steps, number(base), kind.name)
    return finish(t, requires_grad, device)


def eye(
    n, m=None, *, out=None, dtype=None, layout=None, device=None, requires_grad=False
):
    """Ones on the diagonal."""
    kind = as_dtype(dtype) or _default[0]
    if not _isinstance(n, int):
        said = "eye(): argument 'n' (position 1) must be int, not "
        raise TypeError(said + type(n).__name__)
    return finish(_engine.eye(n, m, kind.name), requires_grad, device)


def tril_indices(row, col, offset=0, *, dtype=None, device=None, layout=None):
    """The places of a lower triangle."""
    return finish(_engine.tri_indices(row, col, offset, False), False, device)


def triu_indices(row, col, offset=0, *, dtype=None, device=None, layout=None):
    """The places of an upper triangle."""
    return finish(_engine.tri_indices(row, col, offset, True), False, device)


def tolist(t, shape, kind):
    """The numbers of an engine's tensor as nested lists."""
    from torch._tensor import numbers

    values = list(numbers(t))
    if not kind.is_floating_point:
        values = [as_kind(x, kind) for x in values]
    if not len(shape):
        return values[0]
    for size in reversed(tuple(shape)[1:]):
        count = len(values) // size if size else _count(shape)
        values = [values[i * size : (i + 1) * size] for i in range(count)]
    return values


def _count(shape):
    count = 1
    for size in tuple(shape)[:-1]:
        count *= size
    return count


for _name in (
    "tensor as_tensor full full_like arange linspace logspace eye tril_indices "
    "triu_indices"
).split():
    globals()[_name] = _state.public(_name, "torch.", globals()[_name])
