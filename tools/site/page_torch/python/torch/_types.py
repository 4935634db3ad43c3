"""What the types of numbers can hold."""

from torch._builtins import real_float
from torch._core import DTYPES, dtype
from torch._make import get_default_dtype

# mantissa's bits, smallest and largest exponent
_FLOATS = {
    "float64": (52, -1022, 1023),
    "float32": (23, -126, 127),
    "float16": (10, -14, 15),
    "bfloat16": (7, -126, 127),
}


class finfo:
    """The limits of a dtype of numbers with a point."""

    def __init__(self, type=None):
        kind = get_default_dtype() if type is None else type
        if kind.name not in _FLOATS:
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to "
                "handle '" + repr(kind) + "'"
            )
        bits, least, most = _FLOATS[kind.name]
        self.dtype = kind.name
        self.bits = kind.itemsize * 8
        self.eps = 2.0**-bits
        self.max = (2.0 - 2.0**-bits) * 2.0**most
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0**least
        self.resolution = 10.0 ** -int(bits * 0.30103)

    def __repr__(self):
        return (
            "finfo(resolution={}, min={}, max={}, eps={}, smallest_normal={}, tiny={}, "
            "dtype={})"
        ).format(
            *[
                f"{x:g}"
                for x in (
                    self.resolution,
                    self.min,
                    self.max,
                    self.eps,
                    self.tiny,
                    self.tiny,
                )
            ],
            self.dtype,
        )


class iinfo:
    """The limits of a dtype of whole numbers."""

    def __init__(self, type):
        if type.is_floating_point:
            raise TypeError(
                "torch.iinfo() requires an integer input type. Use torch.finfo to handle '"
                + repr(type)
                + "'"
            )
        self.dtype = type.name
        self.bits = type.itemsize * 8
        self.max = 2 ** (self.bits - type.is_signed) - 1
        self.min = -(2 ** (self.bits - 1)) if type.is_signed else 0

    def __repr__(self):
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
