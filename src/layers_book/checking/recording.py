"""Runs an answer and writes down, as plain data, what it does.

A record is a list of cases ``(kind, name, where, value)``, some with a tolerance.
Values are None, bool, int, float, str, lists and tuples of values, and dicts of one of
these forms, so that they can be sent anywhere and judged without torch:

- ``{"tensor": "float64", "shape": [2, 3], "data": [...]}``, the numbers in a row; what
  is complex gives two each; ``"device"`` and ``"layout"`` where unusual;
- ``{"dict": [[key, value], ...]}``;
- ``{"numpy": words, "data": value}``;
- ``{"object": words, "text": ...}``: anything else, equal to another of the same text;
  without text to nothing.

The last case of a record may be of kind ``raised``, its value what `raised` gives.
"""

import math
import sysconfig
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from layers_book.checking.judging.words import CONFIGURATION, article

Record = list[tuple[Any, ...]]
DEPTH = 30
NUMBERS = 2**21  # of a tensor
TEXT = 100_000  # characters
STEPS_FILE = "<steps "  # begins the file name of steps that run from their text
FOREIGN = tuple(
    str(Path(path).resolve())
    for path in (
        Path(torch.__file__).parent,
        Path(__file__).parents[1],
        sysconfig.get_path("stdlib"),
    )
)
COMPARED_BY_TEXT = (
    torch.dtype,
    torch.device,
    torch.layout,
    torch.memory_format,
    complex,
    bytes,
    range,
    slice,
    set,
    frozenset,
)


class Case(NamedTuple):
    """One recorded value: what it is, whose, when, and a tolerance if it has one.

    ``kind`` is a key of `layers_book.checking.judging.words.LABELS`; a ``fact`` has the
    words of its author for a name.
    """

    kind: str
    name: str
    where: str
    value: Any
    tolerance: float | None = None


class Refused(Exception):
    """An answer that cannot be checked; the text is shown to the reader as it is."""


class Unanswered(NotImplementedError):
    """An answer that returns nothing."""


def unwritten(error: BaseException) -> bool:
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


def record(
    steps: Iterable[Any],
    forbid: tuple[str, ...] = (),
    tolerance: float | None = None,
    deep: bool = False,
) -> Record:
    """Go through the steps of a run, in a known state of torch, and write down.

    Args:
        steps: yields cases, or what `as_case` makes cases of.
        forbid: parts of names of torch functions that may not be called.
        tolerance: of every case.
        deep: also forbid what is called past torch's own functions, by ``torch.ops``.
    """
    found: Record = []
    with isolated(forbid, deep):
        try:
            for yielded in steps:
                kind, name, where, value, *own = as_case(yielded)
                own = own if tolerance is None else [tolerance]
                found.append((kind, name, where, plain(value), *own))
        except (Exception, SystemExit) as error:
            found.append(("raised", "", "", raised(error)))
    return found


def as_case(yielded: Any) -> tuple[Any, ...]:
    """What an author's own steps yield, as a case without its missing tolerance."""
    if isinstance(yielded, Case):
        return yielded if yielded.tolerance is not None else yielded[:4]
    words, *rest = yielded
    if words == CONFIGURATION:
        return (CONFIGURATION, "", "", *rest)
    return ("fact", words, "", *rest)


def plain(value: Any, depth: int = DEPTH) -> Any:
    """A value as plain data, which later writes to the original do not reach."""
    if depth == 0:
        return {"object": "deeper nesting"}
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Tensor):
        return _tensor(value)
    if isinstance(value, int):
        small = -(2**63) <= value < 2**63
        return int(value) if small else {"object": "an int", "text": hex(value)[:1000]}
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return value[:TEXT].encode("utf-8", "replace").decode()
    if isinstance(value, tuple):
        return tuple(plain(item, depth - 1) for item in value)
    if isinstance(value, list):
        return [plain(item, depth - 1) for item in value]
    if isinstance(value, dict):
        pairs = value.items()
        return {"dict": [[plain(k, depth - 1), plain(v, depth - 1)] for k, v in pairs]}
    if type(value).__module__ == "numpy":
        return {"numpy": kind(value), "data": plain(value.tolist(), depth - 1)}
    if isinstance(value, COMPARED_BY_TEXT):
        return {"object": kind(value), "text": repr(value)[:TEXT]}
    return {"object": kind(value)}


def _tensor(x: Tensor) -> dict[str, Any]:
    found: dict[str, Any] = {
        "tensor": str(x.dtype).removeprefix("torch."),
        "shape": list(x.shape),
    }
    if _slots(x.shape) > NUMBERS:
        return {"object": f"a tensor of shape {tuple(x.shape)}"[:100]}
    if x.device.type != "cpu":
        found["device"] = x.device.type
    if x.layout is not torch.strided:
        found["layout"] = str(x.layout)
    if x.is_meta or x.layout is not torch.strided:
        return found | {"data": []}
    with torch._C.DisableTorchFunctionSubclass():
        flat = x.detach().cpu().resolve_conj().resolve_neg().reshape(-1)
        if flat.is_complex():
            flat = torch.view_as_real(flat).reshape(-1)
        return found | {"data": flat.tolist()}


def _slots(shape: Sequence[int]) -> int:
    """The elements of a tensor, an axis of size 0 counted as 1.

    Else one of shape (2**40, 0) holds nothing, but is endless work as a list.
    """
    return math.prod(max(n, 1) for n in shape)


def restored(value: Any) -> Any:
    """A value from plain data, but for what only words are kept of, which is None.

    Raises:
        ValueError: a tensor that is too large, or not as it says.
    """
    if isinstance(value, list | tuple):
        return type(value)(restored(item) for item in value)
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        if _slots(value["shape"]) > NUMBERS:
            raise ValueError(f"a tensor of shape {value['shape']!r:.60}")
        dtype = getattr(torch, value["tensor"])
        if dtype.is_complex:
            pairs = torch.tensor(value["data"], dtype=torch.float64).reshape(-1, 2)
            return torch.view_as_complex(pairs).to(dtype).reshape(value["shape"])
        return torch.tensor(value["data"], dtype=dtype).reshape(value["shape"])
    if "dict" in value:
        return {restored(key): restored(item) for key, item in value["dict"]}
    return restored(value.get("data"))


def raised(error: BaseException) -> dict[str, Any]:
    """An exception as plain data.

    Returns:
        ``type`` and ``text`` (its first line), ``state`` (``unanswered``, ``refused``
        or ``error``), and ``line`` and ``code`` of the reader's answer, 0 if unknown.
    """
    state = "refused" if isinstance(error, Refused) else "error"
    lines = str(error).strip().splitlines() or [""]
    line, code = _place(error)
    return {
        "type": type(error).__name__[:100],
        "text": str(error) if state == "refused" else lines[0][:300],
        "state": "unanswered" if unwritten(error) else state,
        "line": line,
        "code": code,
    }


def _place(error: BaseException) -> tuple[int, str]:
    """Number and text of the line of the reader's code that an exception came from."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        ours = frame.filename.startswith(("<frozen", STEPS_FILE))
        if not ours and not str(Path(frame.filename).resolve()).startswith(FOREIGN):
            return frame.lineno or 0, frame.line or ""
    return 0, ""


def kind(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, type):
        return f"the class {value.__name__[:100]}"
    return article(type(value).__name__[:100].replace("ndarray", "NumPy array"))


class _Forbid(TorchFunctionMode):
    """Refuses torch's functions by parts of their names."""

    def __init__(self, parts: tuple[str, ...]) -> None:
        super().__init__()
        self.parts = parts

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        _refuse(getattr(func, "__name__", ""), self.parts)
        return func(*args, **(kwargs or {}))


class _ForbidBelow(TorchDispatchMode):
    """Also refuses what is called past torch's own functions, by ``torch.ops``."""

    def __init__(self, parts: tuple[str, ...]) -> None:
        super().__init__()
        self.parts = parts

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch wraps each call below to keep its compiler out: slow

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = func._overloadpacket._qualified_op_name.rpartition("::")[2]
        if "backward" not in name:
            _refuse(name, self.parts)
        return func(*args, **(kwargs or {}))


def _refuse(name: str, parts: tuple[str, ...]) -> None:
    if any(part in name for part in parts):
        raise Refused(f"Write it by hand: torch's {name} may not be called here.")


@contextmanager
def isolated(forbid: tuple[str, ...] = (), deep: bool = False) -> Iterator[None]:
    """Run with known global state of torch, and put the old one back."""
    dtype = torch.get_default_dtype()
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(torch.enable_grad())
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if forbid:
            stack.enter_context(_Forbid(forbid))
        if forbid and deep:
            stack.enter_context(_ForbidBelow(forbid))
        torch.default_generator.manual_seed(0)
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
