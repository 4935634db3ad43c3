"""Plain data as bytes and back: a format that cannot carry code.

Numbers, text, bytes, lists, tuples, dicts, tensors (raw bytes with shape and dtype) and
the name of an exception. What comes back from a student's process is built anew from
checked parts; anything else arrives as `Opaque`, of which only the type's name is kept.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgpack
import torch
from torch import Tensor

from layers_book.checking.trace import Raised, Refused, Unanswered, unwritten

TENSOR_BYTES = 16 * 2**20  # of one value
STRUCTURE_BYTES = 2**20  # all that is not a tensor
DEPTH = 30
ITEMS = 200_000
ENTRIES = 1_000  # of a dict: keys may be chosen to collide
TEXT = 2**20  # characters
DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
        *(torch.complex64, torch.complex128, torch.bool),
        *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    )
}


class Malformed(ValueError):
    """Bytes that are not in this format, or too much of it."""


@dataclass(frozen=True)
class Opaque:
    """A value that is no plain data; equal to none of the right ones."""

    type: str


@dataclass(frozen=True, eq=False)
class RaisedThere(Raised):
    """An exception of the other process: type and text as that process gave them."""

    type: str = ""
    said: str = ""
    refused: bool = False
    unwritten: bool = False
    line: int = 0

    @property
    def text(self) -> str:
        return f"{self.type}: {self.said}".removesuffix(": ")


def encode(value: Any) -> bytes:
    """Bytes of a value; whatever is not plain becomes the name of its type.

    Two parts, so that a reader can bound the first, of which each byte can become an
    object: the structure (msgpack), and the tensors' numbers.
    """
    writer = _Writer()
    structure = msgpack.packb(writer.plain(value, DEPTH), use_bin_type=True)
    return b"".join((len(structure).to_bytes(4, "big"), structure, *writer.numbers))


def decode(
    data: bytes, structure_bytes: int = STRUCTURE_BYTES, items: int = ITEMS
) -> Any:
    """The value of `encode`'s bytes, from a writer who is not trusted.

    Args:
        data: the bytes.
        structure_bytes: at most, of all that is no tensor.
        items: values at most.

    Raises:
        Malformed: other bytes, or more nesting or items than allowed.
    """
    try:
        length = int.from_bytes(data[:4], "big")
        if not 0 < length <= min(structure_bytes, len(data) - 4):
            raise Malformed(f"a structure of {length} bytes")
        view = memoryview(data)
        raw = msgpack.unpackb(view[4 : 4 + length], raw=False, strict_map_key=True)
        return _Reader(view[4 + length :], items).value(raw, DEPTH)
    except Malformed:
        raise
    except Exception as error:  # msgpack has a dozen kinds
        raise Malformed(f"{type(error).__name__}: {error!s:.100}") from None


class _Writer:
    """Turns a value into what msgpack knows, and keeps tensors' bytes apart."""

    def __init__(self) -> None:
        self.numbers: list[bytes] = []

    def plain(self, x: Any, depth: int) -> Any:
        kind = type(x)
        if depth == 0:
            return {"!": "other", "type": "deeper nesting"}
        if x is None or kind in (bool, float):
            return x
        if kind is bytes:
            self.numbers.append(x)
            return {"!": "bytes", "bytes": len(x)}
        if kind is int:
            return x if -(2**63) <= x < 2**63 else {"!": "int", "v": hex(x)[:1000]}
        if kind is str:
            return x[:TEXT].encode("utf-8", "replace").decode()
        if kind is list:
            return [self.plain(item, depth - 1) for item in x]
        if kind is tuple or kind is torch.Size or _is_named_tuple(x):
            return {"!": "tuple", "v": [self.plain(item, depth - 1) for item in x]}
        if isinstance(x, dict) and len(x) > ENTRIES:
            return {"!": "other", "type": f"dict of {len(x)} entries"}
        if isinstance(x, dict):
            items = [
                [self.plain(part, depth - 1) for part in pair] for pair in x.items()
            ]
            return {"!": "dict", "v": items}
        if isinstance(x, Raised):
            return self.raised(x)
        if isinstance(x, Tensor):
            return self.tensor(x)
        if kind is torch.dtype:
            return {"!": "dtype", "v": str(x)}
        if kind.__module__ == "numpy":
            return self.plain(x.tolist(), depth - 1)
        return {"!": "other", "type": kind.__name__[:100]}

    def raised(self, x: Raised) -> dict[str, Any]:
        error = x.error
        return {
            "!": "raised",
            "type": type(error).__name__[:100],
            "said": x.text.partition(": ")[2],
            "refused": isinstance(error, Refused),
            "unwritten": isinstance(error, Unanswered) or unwritten(error),
            "line": getattr(error, "answer_line", 0),
        }

    def tensor(self, x: Tensor) -> dict[str, Any]:
        name = str(x.dtype).removeprefix("torch.")
        strided = x.layout is torch.strided and x.device.type == "cpu"
        if name not in DTYPES or not strided:
            return {"!": "other", "type": f"tensor of {name} on {x.device.type}"[:100]}
        if _slots(x.shape) * x.element_size() > TENSOR_BYTES:
            return {"!": "other", "type": f"tensor of shape {tuple(x.shape)}"[:100]}
        with torch._C.DisableTorchFunctionSubclass():
            plain = x.detach().resolve_conj().resolve_neg().contiguous()
            data = plain.reshape(-1).view(torch.uint8).numpy().tobytes()
        self.numbers.append(data)
        packed: dict[str, Any] = {"!": "tensor", "dtype": name, "bytes": len(data)}
        packed["shape"] = list(x.shape)
        if not x.is_contiguous() and all(x.stride()):
            packed["stride"] = list(x.stride())
        if x.requires_grad:
            packed["grad"] = True
        return packed


def _slots(shape: Sequence[int]) -> int:
    """The elements of a tensor, an axis of size 0 counted as 1.

    Else one of shape (2**40, 0) is no bytes, but endless work as a list.
    """
    return math.prod(max(n, 1) for n in shape)


def _is_named_tuple(x: Any) -> bool:
    return isinstance(x, tuple) and type(x).__module__.startswith("torch.")


class _Reader:
    """Counts what it builds, so that a small message cannot become a huge value."""

    def __init__(self, numbers: memoryview, items: int) -> None:
        self.left, self.numbers = items, numbers

    def value(self, raw: Any, depth: int) -> Any:
        self.left -= 1
        if depth == 0 or self.left < 0:
            raise Malformed("too many values, or nested too deeply")
        if isinstance(raw, list):
            return [self.value(item, depth - 1) for item in raw]
        if not isinstance(raw, dict):
            return raw
        kind = raw.get("!")
        if kind == "tuple":
            return tuple(self.value(item, depth - 1) for item in raw["v"])
        if kind == "dict":
            if len(raw["v"]) > ENTRIES:
                raise Malformed(f"a dict of {len(raw['v'])} entries")
            return {
                self.key(key, depth - 1): self.value(item, depth - 1)
                for key, item in raw["v"]
            }
        if kind in ("tensor", "bytes"):
            count = raw["bytes"]
            if type(count) is not int or not 0 <= count <= len(self.numbers):
                raise Malformed(f"a {kind} of {count!r:.30} bytes")
            data, self.numbers = self.numbers[:count], self.numbers[count:]
            return bytes(data) if kind == "bytes" else _read_tensor(raw, data)
        if kind == "int":
            return int(raw["v"][:1000], 16)
        if kind == "dtype":
            return DTYPES.get(raw["v"].removeprefix("torch."), Opaque(str(raw["v"])))
        if kind == "raised":
            return _read_raised(raw)
        if kind == "other":
            return Opaque(str(raw["type"])[:100])
        raise Malformed(f"unknown kind {kind!r:.50}")

    def key(self, raw: Any, depth: int) -> Any:
        key = self.value(raw, depth)
        if not isinstance(key, str | int | float | bool | tuple | None):
            raise Malformed("a key of a dict must be a number or text")
        return key


def _read_raised(raw: dict[str, Any]) -> RaisedThere:
    line = raw["line"]
    return RaisedThere(
        Exception(),
        type=str(raw["type"])[:100],
        said=str(raw["said"])[:TEXT],
        refused=raw["refused"] is True,
        unwritten=raw["unwritten"] is True,
        line=line if type(line) is int and 0 <= line < 10**6 else 0,
    )


def _read_tensor(raw: dict[str, Any], data: memoryview) -> Tensor:
    dtype, shape = DTYPES[raw["dtype"]], raw["shape"]
    if len(shape) > 16 or not all(type(n) is int and 0 <= n < 2**40 for n in shape):
        raise Malformed(f"shape {shape!r:.60}")
    if _slots(shape) * dtype.itemsize > TENSOR_BYTES:
        raise Malformed(f"shape {shape!r:.60}")
    if math.prod(shape) * dtype.itemsize != len(data):
        raise Malformed(f"{len(data)} bytes for shape {shape!r:.60}")
    flat = torch.frombuffer(bytearray(data), dtype=dtype) if data else None
    x = torch.empty(0, dtype=dtype) if flat is None else flat
    x = x.reshape(shape)
    if stride := raw.get("stride"):
        if len(stride) != len(shape) or _span(shape, stride) > 4 * len(data) + 64:
            raise Malformed(f"stride {stride!r:.60}")
        x = torch.empty_strided(shape, stride, dtype=dtype).copy_(x)
    return x.requires_grad_() if raw.get("grad") is True else x


def _span(shape: list[int], stride: list[int]) -> int:
    if not all(type(step) is int and 0 < step < 2**40 for step in stride):
        raise Malformed(f"stride {stride!r:.60}")
    return sum((n - 1) * step for n, step in zip(shape, stride, strict=True)) + 1
