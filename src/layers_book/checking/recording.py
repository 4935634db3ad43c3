"""Runs an answer and writes down, as plain data, what it does.

A record is a list of cases ``(kind, name, where, value)``, some with a tolerance.
Values are None, bool, int, float, str, lists and tuples of values, and dicts of one of
these forms, so that they can be sent anywhere and judged without torch:

- ``{"tensor": "float64", "shape": [2, 3], "data": [...]}``, the numbers in a row; what
  is complex gives two each; ``"device"`` and ``"layout"`` where unusual; ``"cut"``: how
  the answer took a value out of the computation that torch records;
- ``{"dict": [[key, value], ...]}``;
- ``{"numpy": words, "data": value}``;
- ``{"object": words, "text": ...}``: anything else, equal to another of the same text;
  without text to nothing.

The last case of a record may be of kind ``raised``, its value what `raised` gives.
"""

import ast
import inspect
import math
import site
import sysconfig
import textwrap
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from decimal import Decimal
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from layers_book.checking.cuts import Watch
from layers_book.checking.isolation import Refused, Stopped, isolated, reset
from layers_book.checking.judging.words import CONFIGURATION, article

Record = list[tuple[Any, ...]]
DEPTH = 30
NUMBERS = 2**21  # of a tensor
TEXT = 100_000  # characters
ITEMS = 2**16  # of lists and dicts in one value, however deep
STEPS_FILE = "<steps "  # begins the file name of steps that run from their text
# where no reader's code lies
FOREIGN = tuple(
    f"{Path(path).resolve()}/"
    for path in (
        str(Path(torch.__file__).parent),
        str(Path(__file__).parents[1]),
        site.getusersitepackages(),
        *map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib")),
    )
)
REDUCING = {"mean", "sum", "var", "std", "amax", "amin", "max", "min", "norm"}
REDUCING |= {"vector_norm", "prod", "logsumexp", "median"}
VIEWS = ("dict_keys", "dict_values", "dict_items")
COMPARED_BY_TEXT = (
    torch.dtype,
    torch.device,
    torch.layout,
    torch.memory_format,
    complex,
    bytes,
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
    watch: Watch | None = None,
) -> Record:
    """Go through the steps of a run, in a known state of torch, and write down.

    Args:
        steps: yields cases, or what `as_case` makes cases of.
        forbid: what may not be called; see `isolated`.
        tolerance: of every case.
        watch: also writes down with a gradient what has cut off the output before it.
    """
    found: Record = []
    cut: list[str] = []
    with isolated(forbid), watch or nullcontext():
        try:
            for yielded in steps:
                kind, name, where, value, *own = as_case(yielded)
                own = own if tolerance is None else [tolerance]
                if watch and kind not in ("inputs", "gradient"):
                    cut = watch.of(value)
                written = plain(value)
                if kind == "gradient" and cut:
                    written["cut"] = cut
                found.append((kind, name, where, written, *own))
                reset()
        except (KeyboardInterrupt, Stopped):
            raise
        except BaseException as error:  # whatever an answer may raise
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


def plain(value: Any) -> Any:
    """A value as plain data, which later writes to the original do not reach."""
    return _plain(value, DEPTH, iter(range(ITEMS)))


def _plain(value: Any, depth: int, left: Iterator[int]) -> Any:
    """A value as plain data.

    Args:
        value: anything.
        depth: how deep lists in it may still be nested.
        left: an item for each that the lists may still hold.
    """
    if depth == 0:
        return {"object": "deeper nesting"}
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Tensor):
        return _tensor(value)
    if isinstance(value, str):
        return value[:TEXT].encode("utf-8", "replace").decode()
    if isinstance(value, Real | Decimal):
        return _number(value)
    if type(value).__module__ == "numpy":
        return {"numpy": kind(value), "data": _plain(value.tolist(), depth - 1, left)}
    if isinstance(value, COMPARED_BY_TEXT):
        return {"object": kind(value), "text": repr(value)[:TEXT]}

    def items(values: Iterable[Any]) -> Iterator[Any]:
        kept = zip(values, left, strict=False)  # no more than are left
        return (_plain(item, depth - 1, left) for item, _ in kept)

    if isinstance(value, Mapping):
        return {"dict": [list(pair) for pair in items(value.items())]}
    if isinstance(value, tuple):
        return tuple(items(value))
    if isinstance(value, Sequence | Iterator) or type(value).__name__ in VIEWS:
        return list(items(value))
    return {"object": kind(value)}


def _number(value: Any) -> int | float:
    """An int or float, whatever class of number the value has."""
    try:
        whole = int(value)
        if not isinstance(value, float) and value == whole and abs(whole) < 2**63:
            return whole
        return float(value)
    except ValueError:  # nan
        return math.nan
    except OverflowError:  # infinity, or more digits than a float holds
        return math.inf if value > 0 else -math.inf


def _tensor(x: Tensor) -> dict[str, Any]:
    if x.is_nested:
        return {"object": "a nested tensor"}
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
    with torch._C.DisableTorchFunction():
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
        or ``error``), ``line`` and ``code`` of the reader's answer, 0 if unknown,
        ``operation`` that raised there, and whether an operand was ``reduced`` without
        keepdim.
    """
    try:
        text = str(error)
    except BaseException:  # the text of a reader's own exception may raise
        text = ""
    state = "refused" if isinstance(error, Refused) else "error"
    text = text.encode("utf-8", "replace").decode()
    lines = text.strip().splitlines() or [""]
    found = {
        "type": type(error).__name__[:100],
        "text": text[:TEXT] if state == "refused" else lines[0][:300],
        "state": "unanswered" if unwritten(error) else state,
    }
    return found | _place(error)


def _place(error: BaseException) -> dict[str, Any]:
    """The line of the reader's code that an exception came from, and what failed."""
    found = {"line": 0, "code": "", "operation": "", "reduced": False}
    tracebacks = [error.__traceback__]
    while tracebacks[-1] is not None:
        tracebacks.append(tracebacks[-1].tb_next)
    frames = traceback.extract_tb(error.__traceback__)
    for frame, at in reversed(list(zip(frames, tracebacks, strict=False))):
        ours = frame.filename.startswith(("<frozen", STEPS_FILE))
        if ours or str(Path(frame.filename).resolve()).startswith(FOREIGN):
            continue
        found |= {"line": frame.lineno or 0, "code": frame.line or ""}
        with suppress(Exception):  # the text of the code may be elsewhere by now
            assert at is not None
            found |= _operation(frame, at.tb_frame.f_code)
        break
    return found


def _operation(frame: traceback.FrameSummary, code: Any) -> dict[str, Any]:
    """The operation that raised, and whether an operand was reduced without keepdim."""
    lines, first = inspect.getsourcelines(code)
    text = textwrap.dedent("".join(lines))
    tree = ast.parse(text)
    indent = len(lines[0]) - len(text.splitlines(True)[0])
    above = max(first, 1) - 1
    place = (
        (frame.lineno or 0) - above,
        (frame.end_lineno or 0) - above,
        (frame.colno or 0) - indent,
        (frame.end_colno or 0) - indent,
    )
    for node in ast.walk(tree):
        if not isinstance(node, ast.expr | ast.AugAssign):
            continue
        ends = node.end_lineno, node.col_offset, node.end_col_offset
        if (node.lineno, *ends) == place:
            names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            made = [node, *(n for n in ast.walk(tree) if _assigns(n, names))]
            return {"operation": _name(node), "reduced": any(map(_reduces, made))}
    return {}


def _name(node: ast.AST) -> str:
    """What an expression does: the name of an operator or of the function called."""
    if isinstance(node, ast.BinOp | ast.AugAssign | ast.UnaryOp):
        return type(node.op).__name__
    if isinstance(node, ast.Call):
        return ast.unparse(node.func).rpartition(".")[2]
    return type(node).__name__


def _assigns(node: ast.AST, names: set[str]) -> bool:
    """Whether a statement gives one of the names its value."""
    return isinstance(node, ast.Assign) and any(
        isinstance(n, ast.Name) and n.id in names
        for target in node.targets
        for n in ast.walk(target)
    )


def _reduces(node: ast.AST) -> bool:
    """Whether an axis is lost in an expression: a mean or the like without keepdim."""
    return any(
        isinstance(call, ast.Call)
        and _name(call) in REDUCING
        and bool(call.args or call.keywords)
        and not any(k.arg in ("keepdim", "keepdims") for k in call.keywords)
        and not any(isinstance(a, ast.Constant) and a.value is True for a in call.args)
        for call in ast.walk(node)
    )


def kind(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, type):
        return f"the class {value.__name__[:100]}"
    return article(type(value).__name__[:100].replace("ndarray", "NumPy array"))
