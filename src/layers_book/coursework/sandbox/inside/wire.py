"""Plain data as bytes and back: a format that cannot carry code.

msgpack's structure, and behind it the numbers of tensors, which extension types take
from there in order: so a reader can bound the structure, of which each byte can become
an object. Into the sandbox go inputs, with tensors; out come records, which hold none.
"""

import array
import math
from typing import TYPE_CHECKING, Any

import msgpack

if TYPE_CHECKING:
    from torch import Tensor

STRUCTURE_BYTES = 2**20
NUMBER_BYTES = 32 * 2**20
TENSOR, NUMBERS, TUPLE = 1, 2, 3  # extension types
DTYPES = (
    *("float64", "float32", "float16", "bfloat16", "complex64", "complex128"),
    *("bool", "uint8", "int8", "int16", "int32", "int64"),
)


class Malformed(ValueError):
    """Bytes that are not in this format, or too much of it."""


def encode(value: Any) -> bytes:
    """Bytes of plain data: None, numbers, text, bytes, lists, tuples, dicts, tensors.

    Raises:
        TypeError: there is something else in it.
    """
    numbers: list[bytes] = []

    def extended(x: Any) -> msgpack.ExtType:
        if type(x) is tuple:
            return msgpack.ExtType(TUPLE, pack(list(x)))
        if isinstance(x, array.array):
            numbers.append(x.tobytes())
            return msgpack.ExtType(NUMBERS, pack([x.typecode, len(numbers[-1])]))
        import torch  # only where there is a tensor: it takes seconds

        if isinstance(x, torch.Tensor):
            return msgpack.ExtType(TENSOR, pack(_described(x, numbers)))
        raise TypeError(
            f"{type(x).__name__} cannot be sent: only plain data and tensors"
        )

    def pack(x: Any) -> bytes:
        packed: bytes = msgpack.packb(x, default=extended, strict_types=True)
        return packed

    structure = pack(value)
    return b"".join((len(structure).to_bytes(4, "big"), structure, *numbers))


def decode(
    data: bytes, structure_bytes: int = STRUCTURE_BYTES, trusted: bool = False
) -> Any:
    """The value of `encode`'s bytes.

    Args:
        data: the bytes.
        structure_bytes: at most, of all that is no number of a tensor.
        trusted: they are our own, so of any length, and keys of dicts may be numbers.

    Raises:
        Malformed: other bytes, or more than allowed.
    """
    length = int.from_bytes(data[:4], "big")
    most = len(data) if trusted else structure_bytes
    if not 0 < length <= min(most, len(data) - 4):
        raise Malformed(f"a structure of {length} bytes")
    numbers = memoryview(data)[4 + length :]

    def take(count: Any) -> memoryview:
        nonlocal numbers
        if type(count) is not int or not 0 <= count <= len(numbers):
            raise Malformed(f"{count!r:.30} bytes of numbers")
        taken, numbers = numbers[:count], numbers[count:]
        return taken

    def extended(code: int, packed: bytes) -> Any:
        parts = unpack(packed)
        if code == TUPLE:
            return tuple(parts)
        if code == TENSOR:
            name, shape, stride, grad, count = parts
            return _tensor(name, shape, stride, grad, take(count))
        if code == NUMBERS and parts[0] == "B":
            return bytes(take(parts[1]))
        if code == NUMBERS and parts[0] in ("d", "q"):
            found = array.array(parts[0])
            found.frombytes(take(parts[1]))
            return found.tolist()
        raise Malformed(f"extension type {code}")

    def unpack(packed: Any) -> Any:
        return msgpack.unpackb(packed, ext_hook=extended, strict_map_key=not trusted)

    try:
        return unpack(memoryview(data)[4 : 4 + length])
    except Malformed:
        raise
    except Exception as error:  # msgpack has a dozen kinds
        raise Malformed(f"{type(error).__name__}: {error!s:.100}") from None


def packed_numbers(value: Any) -> Any:
    """A record with its tensors' numbers as arrays, which go behind the structure."""
    if isinstance(value, list | tuple):
        return [packed_numbers(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value and all(type(v) in (float, int, bool) for v in value["data"]):
        whole = not any(type(v) is float for v in value["data"])
        return value | {"data": array.array("q" if whole else "d", value["data"])}
    return {key: packed_numbers(item) for key, item in value.items()}


def _described(x: "Tensor", numbers: list[bytes]) -> list[Any]:
    """Data type, shape, strides, wish for a gradient, and how many bytes of numbers."""
    import torch

    plain = x.detach().resolve_conj().resolve_neg().contiguous()
    numbers.append(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    stride = list(x.stride()) if all(x.stride()) and not x.is_contiguous() else None
    name = str(x.dtype).removeprefix("torch.")
    return [name, list(x.shape), stride, x.requires_grad, len(numbers[-1])]


def _tensor(
    name: str, shape: list[int], stride: list[int] | None, grad: bool, data: memoryview
) -> "Tensor":
    import torch

    if name not in DTYPES:
        raise Malformed(f"data type {name!r:.30}")
    dtype = getattr(torch, name)
    if math.prod(max(n, 1) for n in shape) * dtype.itemsize > NUMBER_BYTES:
        raise Malformed(f"shape {shape!r:.60}")  # an empty one could be endless
    flat = torch.frombuffer(bytearray(data), dtype=dtype) if data else None
    x = (torch.empty(0, dtype=dtype) if flat is None else flat).reshape(shape)
    if stride:
        span = sum((n - 1) * step for n, step in zip(shape, stride, strict=True)) + 1
        if span > 4 * x.numel() + 64:
            raise Malformed(f"stride {stride!r:.60}")
        x = torch.empty_strided(shape, stride, dtype=dtype).copy_(x)
    return x.requires_grad_() if grad else x
