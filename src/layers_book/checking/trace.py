"""What a self-check records of an answer, and whether two records agree."""

import math
import re
import traceback
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

CONFIGURATION = "configuration"
# relative to each value, and relative to the largest of the tensor
TOLERANCES = {torch.float64: (1e-6, 1e-8), torch.float32: (1e-4, 1e-4)}


class Case(NamedTuple):
    """One recorded value: what it is, whose, when, and a tolerance if it has one.

    ``kind`` is ``output``, ``inputs`` (after the call), ``gradient``, ``parameters``,
    ``buffers``, ``start`` and ``after`` (values of parameters and buffers), ``graph``
    (whether a buffer carries one), ``value``, ``configuration`` (words for the reader,
    not compared), ``raised``, or ``fact``, which is named by its author.
    """

    kind: str
    name: str
    where: str
    value: Any
    tolerance: float | None = None

    @property
    def label(self) -> str:
        """The case in words."""
        return label(self.kind, self.name, self.where)


LABELS = {
    "output": "the output",
    "inputs": "the inputs after the call",
    "gradient": "the gradient with respect to {}",
    "parameters": "the parameters",
    "buffers": "the buffers",
    "start": "{} at the start",
    "after": "{} after the call",
    "graph": "whether {} carries a graph",
    "value": "the value",
    "configuration": "configuration",
    "raised": "",
    "fact": "{}",
}


def label(kind: str, name: str, where: str) -> str:
    """A case's kind, name and place in words."""
    words = LABELS[kind].format(name)
    return f"{words} {where}" if where else words


def as_case(yielded: Any) -> Case:
    """What an author's own steps yield, as a case."""
    if isinstance(yielded, Case):
        return yielded
    words, *rest = yielded
    if words == CONFIGURATION:
        return Case(CONFIGURATION, "", "", *rest)
    return Case("fact", words, "", *rest)


class Refused(Exception):
    """An answer that cannot be checked; the text is shown to the reader as it is."""


class Unanswered(NotImplementedError):
    """An answer that returns nothing."""


def unwritten(error: BaseException | None) -> bool:
    """Whether an answer raises NotImplementedError itself, as a stub does.

    torch raises it too, where an operation does not exist for a type or device.
    """
    if isinstance(error, Unanswered) or not isinstance(error, NotImplementedError):
        return isinstance(error, Unanswered)
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return True
    torchs = Path(frames[-1].filename).is_relative_to(Path(torch.__file__).parent)
    return not torchs and "raise" in (frames[-1].line or "raise")


@dataclass(frozen=True, eq=False)
class Raised:
    """The exception that ended a trace; equal to another of the same type and text."""

    error: BaseException

    @property
    def text(self) -> str:
        lines = str(self.error).strip().splitlines() or [""]
        return f"{type(self.error).__name__}: {lines[0][:300]}".removesuffix(": ")

    @property
    def key(self) -> str:
        """The text without sizes of the operands, whose order is a matter of taste."""
        return re.sub(r"tensor [ab] \(\d+\)", "tensor", self.text)


Trace = list[Case]


def freeze(value: Any) -> Any:
    """A copy that later writes to the original do not reach."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, tuple | list):
        items = [freeze(item) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        return {name: freeze(item) for name, item in value.items()}
    return value


class _Forbid(TorchFunctionMode):
    def __init__(self, parts: tuple[str, ...]) -> None:
        super().__init__()
        self.parts = parts

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        if any(part in name for part in self.parts):
            raise Refused(f"Write it by hand: torch's {name} may not be called here.")
        return func(*args, **(kwargs or {}))


@contextmanager
def isolated(forbid: tuple[str, ...]) -> Iterator[None]:
    """Run with known global state of torch, and put the old one back."""
    dtype = torch.get_default_dtype()
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(torch.enable_grad())
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if forbid:
            stack.enter_context(_Forbid(forbid))
        torch.default_generator.manual_seed(0)
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


def same(expected: Any, got: Any, tolerance: float | None = None) -> bool:
    """Whether two recorded values agree: type, shape, dtype, device and numbers."""
    if tolerance is not None:
        return _same_value(expected, got, tolerance)
    if isinstance(expected, Raised) or isinstance(got, Raised):
        both = isinstance(expected, Raised) and isinstance(got, Raised)
        return both and expected.key == got.key
    if isinstance(expected, Tensor):
        return isinstance(got, Tensor) and _same_tensor(expected, got)
    if isinstance(expected, tuple | list):
        return (
            isinstance(got, tuple | list)
            and len(expected) == len(got)
            and all(same(e, g) for e, g in zip(expected, got, strict=True))
        )
    if isinstance(expected, dict):
        return (
            isinstance(got, dict)
            and expected.keys() == got.keys()
            and all(same(value, got[key]) for key, value in expected.items())
        )
    if isinstance(expected, float):
        return _is_number(got) and math.isclose(expected, got, rel_tol=1e-6)
    return type(expected) is type(got) and bool(expected == got)


def same_traces(expected: Iterable[Case], got: Iterable[Case]) -> bool:
    """Whether two traces have the same labels and values throughout."""
    return all(
        a is not None
        and b is not None
        and a[:3] == b[:3]
        and (a.kind == CONFIGURATION or same(a.value, b.value, a.tolerance))
        for a, b in _zip_longest(expected, got)
    )


def _zip_longest(
    a: Iterable[Case], b: Iterable[Case]
) -> Iterable[tuple[Case | None, Case | None]]:
    first, second = iter(a), iter(b)
    while True:
        pair = next(first, None), next(second, None)
        if pair == (None, None):
            return
        yield pair


def form(x: Tensor) -> tuple[Any, ...]:
    """All that must agree before numbers are compared."""
    return x.shape, x.dtype, x.device.type, x.layout


def _same_tensor(expected: Tensor, got: Tensor) -> bool:
    if form(expected) != form(got):
        return False
    equal = expected.device.type != "meta" and torch.equal(expected, got)
    if equal or expected.dtype not in TOLERANCES:
        return equal
    relative, absolute = TOLERANCES[expected.dtype]
    finite = expected[expected.isfinite()]
    scale = finite.abs().max().item() if finite.numel() else 0.0
    return torch.allclose(
        got, expected, rtol=relative, atol=1e-10 + absolute * scale, equal_nan=True
    )


def plain(value: Any) -> Any:
    """Tensors, arrays and tuples as lists or numbers without axes of size 1."""
    if isinstance(value, Tensor):
        value = value.detach().cpu().tolist()
    elif type(value).__module__ == "numpy":
        value = value.tolist()
    if isinstance(value, tuple | list):
        items = [plain(item) for item in value]
        return items[0] if len(items) == 1 else items
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return " ".join(value.casefold().split()) if isinstance(value, str) else value


def _same_value(expected: Any, got: Any, tolerance: float) -> bool:
    expected, got = plain(expected), plain(got)
    if isinstance(expected, list):
        return (
            isinstance(got, list)
            and len(expected) == len(got)
            and all(
                _same_value(e, g, tolerance) for e, g in zip(expected, got, strict=True)
            )
        )
    if isinstance(expected, dict):
        return (
            isinstance(got, dict)
            and expected.keys() == got.keys()
            and all(_same_value(expected[k], got[k], tolerance) for k in expected)
        )
    if _is_number(expected) and _is_number(got):
        relative = 0.0 if isinstance(expected, int) else tolerance
        return math.isclose(expected, got, rel_tol=relative, abs_tol=relative / 1e3)
    return type(expected) is type(got) and bool(expected == got)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
