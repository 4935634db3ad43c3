"""Runs an answer and writes down, as plain data, what it does.

The records are those of the notebook's `layers_book.checking.recording`.
"""

import math
import sys

from layers_book.checking.judging.words import CONFIGURATION, article
from layers_book.reading import lacking, place, told

DEPTH = 30
NUMBERS = 2**21  # of a tensor
TEXT = 100_000  # characters
ITEMS = 2**16  # of lists and dicts in one value, however deep
ITERATORS = ("generator", "map", "zip", "filter", "enumerate", "reversed", "range")
ITERATORS += ("iterator", "dict_keys", "dict_values", "dict_items", "dict_view")
BY_TEXT = ("dtype", "device", "complex", "bytes", "slice", "set", "frozenset")


class Case:
    """One recorded value: what it is, whose, when, and a tolerance if it has one."""

    def __init__(self, kind, name, where, value, tolerance=None):
        self.kind = kind
        self.name = name
        self.where = where
        self.value = value
        self.tolerance = tolerance

    def _replace(self, **changes):
        own = ("kind", "name", "where", "value", "tolerance")
        return Case(*[changes.get(name, getattr(self, name)) for name in own])


class Unanswered(NotImplementedError):
    """An answer that returns nothing."""


def unwritten(error):
    """Whether an answer raises NotImplementedError itself, as a stub does."""
    if isinstance(error, Unanswered):
        return True
    files = [file for file, _ in place(error)]
    torchs = files and files[-1].startswith("torch/")
    return isinstance(error, NotImplementedError) and not torchs


def record(steps, forbid=(), tolerance=None, watch=None, lenient=False):
    """Go through the steps of a run, in a known state of torch, and write down.

    Args:
        steps: see the notebook's.
        forbid: the same.
        tolerance: the same.
        watch: the same.
        lenient: write down, too, that the page lacks something.
    """
    found, cut = [], []
    isolation = _isolation()
    with isolation.isolated(forbid, watch) if isolation else _Nothing():
        try:
            for yielded in steps:
                kind, name, where, value, own = as_case(yielded)
                own = own if tolerance is None else tolerance
                if watch and kind not in ("inputs", "gradient"):
                    cut = watch.of(value)
                written = plain(value)
                if kind == "gradient" and cut:
                    written["cut"] = cut
                found.append((kind, name, where, written, own)[: 4 + (own is not None)])
                if isolation:
                    isolation.reset()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if _is_missing(error) and not lenient:
                raise
            found.append(("raised", "", "", raised(error)))
    return found


class _Nothing:
    def __enter__(self):
        pass

    def __exit__(self, *error):
        pass


def _isolation():
    """What keeps torch's state, where torch is there at all."""
    if "torch" not in sys.modules:
        return None
    from layers_book.checking import isolation

    return isolation


def _is_missing(error):
    """Whether the page itself lacks or stops something, no fault of the answer."""
    if isinstance(error, (MemoryError, ImportError)):
        return True
    if type(error).__name__ in ("NotHere", "Stopped"):
        return True
    return isinstance(error, AttributeError) and bool(lacking(str(error)))


def as_case(yielded):
    """What steps yield, as a case."""
    if isinstance(yielded, Case):
        tolerance = yielded.tolerance
        return yielded.kind, yielded.name, yielded.where, yielded.value, tolerance
    words, value = yielded[:2]
    tolerance = yielded[2] if len(yielded) > 2 else None
    if words == CONFIGURATION:
        return CONFIGURATION, "", "", value, tolerance
    return "fact", words, "", value, tolerance


def plain(value):
    """A value as plain data, which later writes to the original do not reach."""
    return _plain(value, DEPTH, [ITEMS])


def _plain(value, depth, left):
    if depth == 0:
        return {"object": "deeper nesting"}
    if value is None or value is True or value is False:
        return value
    torch = sys.modules.get("torch")
    if torch and isinstance(value, torch.Tensor):
        return _tensor(value)
    if torch and isinstance(value, torch.Size):
        value = tuple(value)
    if isinstance(value, str):
        return value[:TEXT]
    if isinstance(value, (int, float)):
        if isinstance(value, int) and abs(value) >= 2**63:
            return float(value)
        return value
    if type(value).__name__ == "_Set":
        value = set(value)
    name = type(value).__name__
    if name == "Fraction":
        whole = value.denominator == 1
        return value.numerator if whole else value.numerator / value.denominator
    if name in BY_TEXT:
        return {"object": kind(value), "text": _written(value)[:TEXT]}

    def items(values):
        kept = []
        for item in values:
            if left[0] <= 0:
                break
            left[0] -= 1
            kept.append(_plain(item, depth - 1, left))
        return kept

    if isinstance(value, dict):
        return {"dict": [list(pair) for pair in items(value.items())]}
    if isinstance(value, tuple):
        return tuple(items(value))
    if isinstance(value, list) or name in ITERATORS:
        return items(value)
    return {"object": kind(value)}


def _written(value):
    """What `repr` says; a set of whole numbers in the order that Python has them in."""
    if type(value) is not set or not all([isinstance(n, int) for n in value]):
        return repr(value)
    slots = 8
    for count in range(1, len(value) + 1):
        if 5 * count >= 3 * (slots - 1):
            while slots <= 4 * count:
                slots *= 2
    ordered = sorted([(n % slots, n) for n in value])
    return "{" + ", ".join([repr(n) for _, n in ordered]) + "}" if value else "set()"


def _tensor(x):
    size = 1
    for n in x.shape:
        size *= max(n, 1)
    if size > NUMBERS:
        return {"object": f"a tensor of shape {tuple(x.shape)}"[:100]}
    return {
        "tensor": str(x.dtype)[len("torch.") :],
        "shape": list(x.shape),
        "data": _numbers(x),
    }


def raised(error):
    """An exception as plain data, worded as the notebook's Python words it."""
    kind, text, line, code, operation, reduced = told(error)
    refused = kind == "Refused"
    lines = text.strip().split("\n")
    state = "refused" if refused else "error"
    return {
        "type": kind,
        "text": text[:TEXT] if refused else lines[0][:300],
        "state": "unanswered" if unwritten(error) else state,
        "line": line,
        "code": code,
        "operation": operation,
        "reduced": reduced,
    }


def kind(value):
    """What a value is, in words."""
    if isinstance(value, type):
        return f"the class {value.__name__[:100]}"
    name = type(value).__name__[:100]
    return article({"OrderedDict": "dict", "closure": "function"}.get(name, name))


def _numbers(x):
    from torch._tensor import numbers

    found = list(numbers(x.detach()._t))
    dtype = str(x.dtype)
    if dtype == "torch.bool":
        return [v != 0 for v in found]
    return found if "float" in dtype else [int(v) for v in found]
