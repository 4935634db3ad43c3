"""What a self-check says about the first value that differs."""

import math
import re
import sysconfig
import traceback
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from layers_book.checking.runs import kind
from layers_book.checking.trace import (
    TOLERANCES,
    Raised,
    Refused,
    form,
    plain,
    same,
    unwritten,
)

FOREIGN = tuple(
    str(Path(path).resolve())
    for path in (
        Path(torch.__file__).parent,
        Path(__file__).parent,
        sysconfig.get_path("stdlib"),
    )
)
# what helps where a name is missing
REGISTERED = {
    "the parameters": (
        " torch finds what __init__ assigns to self under these names, as nn.Parameter "
        "or as a layer, also in nn.ModuleList: no plain tensors, no Python lists, and "
        "the same layer only once."
    ),
    "the buffers": (
        " torch finds what __init__ registers: self.register_buffer(name, tensor), "
        "without persistent=False."
    ),
}
# what helps with an exception, by the first pattern that its text matches
HELP = {
    "size of tensor|broadcast": (
        "Shapes line up from the right: a tensor of shape (C,) runs along axis 1 "
        "of four as view(1, -1, 1, 1), along axis 0 as view(-1, 1, 1, 1)."
    ),
    "backward through the graph a second time": (
        "A state that you keep holds the graph: update it in torch.no_grad()."
    ),
    "modified by an inplace operation": (
        "An operation such as += or a method whose name ends in _ has overwritten "
        "numbers that the gradient needs: write y = y + 1, not y += 1."
    ),
    "leaf Variable|view of a leaf": (
        "You change a parameter in place in a computation that is recorded: compute a "
        "new tensor from it, as in self.weight * 2."
    ),
    "before Module.__init__": (
        "Call super().__init__() at the start of your __init__."
    ),
    "cannot assign .* as parameter": (
        "This name holds a parameter: assign nn.Parameter(...) in __init__, and only "
        "read it in forward."
    ),
    "cannot assign .* as buffer": (
        "This name holds a buffer: assign a tensor, without .item() or float()."
    ),
    "cannot assign .* as child module": (
        "This name holds a layer: give the tensor another name."
    ),
    "attribute .* already exists": (
        "Do not assign the name before: register_buffer makes the attribute."
    ),
    "list is not a Module subclass": (
        "nn.Sequential takes its modules one by one: nn.Sequential(*layers)."
    ),
    r'Module(List|Dict)\] is missing the required "forward"': (
        "nn.ModuleList and nn.ModuleDict only hold modules: call each of them in "
        "forward."
    ),
    r"must be Tensor, not [A-Z]": (
        "A class such as nn.ReLU makes a layer, which you then call: nn.ReLU()(x), or "
        "torch.relu(x)."
    ),
    "shapes cannot be multiplied": (
        "The last axis of the left factor must be as long as the first axis of the "
        "right one, for nn.Linear as long as in_features."
    ),
    "differentiated Tensors does not require grad": (
        "A parameter of yours is frozen: leave out requires_grad=False."
    ),
    r"numpy\(\) on Tensor that requires grad": (
        "Stay with torch's functions: on the way through NumPy the gradient is lost."
    ),
    "uninitialized parameter": (
        "A lazy layer has no numbers before its first batch: give it its input size."
    ),
    "can require gradients": (
        "Parameters hold floating numbers: torch.ones(n), not whole numbers."
    ),
    "device|CUDA|meta tensor": (
        "The check gives CPU tensors: take the device from x.device."
    ),
    "dtype|same type|Float|not implemented for": (
        "The check uses several dtypes: create tensors with dtype=x.dtype."
    ),
}


def explain(label: str, expected: Any, got: Any, tolerance: float | None) -> str:
    """The difference in one or a few sentences."""
    if isinstance(got, Raised):
        return _exception(label, got)
    if tolerance is not None:
        return f"{label.capitalize()} is not right{_value(plain(expected), plain(got))}"
    if isinstance(expected, bool):
        if match := re.fullmatch("whether (.+) carries a graph(.*)", label):
            return (
                f"{match[1]} holds on to the computation that filled it{match[2]}: "
                "memory grows and a second backward pass fails. Fill it from "
                "x.detach(), or in torch.no_grad()."
            )
        return f"{_start(label)} should be {expected}, and is {got}."
    if isinstance(expected, dict):
        return _entries(label, expected, got)
    if isinstance(expected, tuple | list):
        return _sequence(label, expected, got)
    if isinstance(expected, str) and isinstance(got, str):
        return f"{_start(label)} is {got}, expected {expected}."
    if not isinstance(expected, Tensor):
        return f"{_start(label)} is {got!r}, expected {expected!r}."
    if not isinstance(got, Tensor):
        return f"{_start(label)} is {kind(got)}: it should be a tensor."
    if form(expected) != form(got):
        return _form(label, expected, got)
    return _numbers(label, expected, got)


def _start(label: str) -> str:
    words = label.startswith(("the ", "whether "))
    return label[:1].upper() + label[1:] if words else label


def _exception(label: str, raised: Raised) -> str:
    if isinstance(raised.error, Refused):
        return str(raised.error)
    text = raised.text
    if unwritten(raised.error):
        return f"{_start(label)} is missing: {raised.error}"
    line = _line(raised.error)
    help = next((words for part, words in HELP.items() if re.search(part, text)), "")
    if not line and "argument" in text and isinstance(raised.error, TypeError):
        help = "Give your code the arguments that the exercise names, in this order."
    text = re.split(r" Hint: | Saved intermediate ", text)[0]
    text = f"{text.rstrip('.')}\nwhile computing {label}{line}."
    return f"{text} {help}" if help else text


def _line(error: BaseException) -> str:
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not str(Path(frame.filename).resolve()).startswith(FOREIGN)
        and not frame.filename.startswith("<frozen")
    ]
    if not frames:
        return ""
    text = f": `{frames[-1].line}`" if frames[-1].line else ""
    return f", in line {frames[-1].lineno} of your code{text}"


def _entries(label: str, expected: dict[str, Any], got: Any) -> str:
    if not isinstance(got, dict):
        return f"{_start(label)} should be a dict, and is {kind(got)}."
    missing = [name for name in expected if name not in got]
    more = [name for name in got if name not in expected]
    if missing or more:
        text = f"{_start(label)} should be {', '.join(expected) or 'none'}"
        text += f"; missing: {', '.join(missing)}" if missing else ""
        text += (f"; too many: {', '.join(more)}" if more else "") + "."
        return text + (REGISTERED.get(label, "") if missing else "")
    name = next(n for n in expected if not same(expected[n], got[n]))
    if label.startswith("the inputs after the call"):
        return (
            f"Your code changes {name} in place, and the caller still needs it: write "
            "x = x - mean, not x -= mean, and no method whose name ends in _."
        )
    return f"In {label}, {explain(name, expected[name], got[name], None)}"


def _sequence(label: str, expected: Any, got: Any) -> str:
    if not isinstance(got, tuple | list):
        return f"{_start(label)} is {kind(got)}: {len(expected)} values are expected."
    if len(got) != len(expected):
        return f"{_start(label)} has {len(got)} values, expected {len(expected)}."
    pairs = enumerate(zip(expected, got, strict=True))
    i, (e, g) = next((i, pair) for i, pair in pairs if not same(*pair))
    return explain(f"value {i} of {label}", e, g, None)


def _form(label: str, expected: Tensor, got: Tensor) -> str:
    text = _start(label)
    if got.shape != expected.shape:
        text += f" has shape {tuple(got.shape)}, expected {tuple(expected.shape)}"
        if sorted(got.shape) == sorted(expected.shape):
            return text + ": the same sizes in another order, so axes are swapped."
        squeezed = [s for s in got.shape if s != 1]
        if squeezed == [s for s in expected.shape if s != 1]:
            return text + ": look for a keepdim, unsqueeze or broadcast."
        return text + "."
    if got.dtype != expected.dtype:
        names = [str(x.dtype).removeprefix("torch.") for x in (got, expected)]
        if expected.is_floating_point() and not (
            got.is_floating_point() or got.is_complex()
        ):
            return (
                f"{text} is {names[0]}, expected {names[1]}: fractions are lost with "
                "//, .int(), .long() and in tensors of whole numbers."
            )
        return (
            f"{text} is {names[0]}, expected {names[1]} like the input: do not "
            "convert, and create tensors with dtype=x.dtype."
        )
    if got.device != expected.device:
        return f"{text} is on {got.device}, expected {expected.device}: use x.device."
    return f"{text} is {got.layout}: an ordinary dense tensor is expected."


def _numbers(label: str, expected: Tensor, got: Tensor) -> str:
    text = f"{_start(label)} has the right shape, but wrong values"
    if not expected.is_floating_point():
        return f"{text}. {_example(expected, got)}"
    if (got.isnan() & ~expected.isnan()).any():
        return (
            f"{_start(label)} contains NaN: look for 0 / 0 or the root of a negative "
            "number, as where a variance is zero and eps does not help."
        )
    if (got.isinf() & ~expected.isinf()).any():
        return f"{_start(label)} contains infinity: look for a division by zero."
    if label.startswith("the gradient") and not got.any():
        name = label.removeprefix("the gradient with respect to ")
        return (
            f"No gradient reaches {name}: compute without detach, .data, .item(), "
            "numpy or torch.no_grad() between it and the output."
        )
    facts = list(_facts(expected.double(), got.double()))
    text += f": {facts[0]}." if facts else "."
    if label.startswith("the gradient") and "float32" not in text:
        text += (
            " The output before it is right: a part of the computation is cut off from "
            "the gradient (detach, .data, .item(), torch.no_grad())."
        )
    if label.startswith("the output in eval mode"):
        text += " In training mode it is right: look at what self.training decides."
    elif label.startswith("the output in float32"):
        text += (
            " In float64 it is right: a difference of large numbers, such as mean of "
            "squares minus square of mean, leaves float32 no digits."
        )
    return f"{text} {_example(expected, got)}"


def _facts(expected: Tensor, got: Tensor) -> Iterator[str]:
    """Simple relations between the two that hold everywhere."""
    if not got.any():
        yield "yours is zero everywhere"
        return
    if not expected.any():
        yield "it should be zero everywhere"
        return
    if (got - expected).abs().max() < 1e-6 * expected.abs().max():
        yield "only seven digits are right, as if a part were computed in float32"
        return
    zero = ~(expected.abs() > 1e-9)
    if expected.isfinite().all() and same(expected[~zero], got[~zero]):
        yield "only where 0 is expected"
        return
    if same(-expected, got):
        yield "the sign is the opposite one"
    for axis in (None, *range(expected.dim())):
        where = "everywhere" if axis is None else f"for each index of axis {axis}"
        if axis is not None and expected.numel() <= 2 * expected.shape[axis]:
            continue
        ratio = _constant(got / expected, axis, ~zero)
        if ratio is not None and (got[zero].abs() > 1e-9).any():
            ratio = None  # no multiple of zero
        if ratio is not None and axis is None:
            times = f"yours is {ratio:.7g} times the expected one everywhere"
            yield times + _meaning(ratio, expected.shape)
        elif ratio is not None:
            yield (
                f"yours is a constant multiple of the expected one {where}, as with "
                "another variance, eps or weight"
            )
        offset = _constant(got - expected, axis, expected.isfinite())
        if offset is not None and axis is None:
            yield f"yours is the expected one plus {offset:.4g} everywhere"
        elif offset is not None:
            yield f"yours is the expected one plus a constant {where}"
    if same(expected.square(), got):
        yield "yours is the square of the expected one"
    if same(expected.abs().sqrt(), got):
        yield "yours is the square root of the expected one"
    if same(expected.flatten().sort().values, got.flatten().sort().values):
        yield "the values are right, but in another order"
    yield from _centered(expected, got)


def _meaning(ratio: float, shape: torch.Size) -> str:
    """Where a ratio of biased and unbiased variances or deviations comes from."""
    words = {
        0.5: "the root of (n - 1) / n",
        -0.5: "the root of n / (n - 1)",
        1: "(n - 1) / n",
        -1: "n / (n - 1)",
    }
    known = [
        (abs(ratio - value), abs(value - 1), f"{words[power]} with the n = {n} values")
        for count in range(1, len(shape) + 1)
        for sizes in combinations(shape, count)
        if (n := math.prod(sizes)) > 3
        for power in words
        if (value := ((n - 1) / n) ** power)
    ]
    error, size, text = min(known, default=(1.0, 0.0, ""))
    if error < 0.02 * size:
        return f", {text} that an average may run over: divide by n or by n - 1?"
    return ", so nearly right that eps may be the reason" * (abs(ratio - 1) < 1e-3)


def _constant(x: Tensor, axis: int | None, where: Tensor) -> float | None:
    """The value of the first slice if x, where defined, is constant along the others.

    Returns None if it is not.
    """
    slices = [(x, where)]
    if axis is not None:
        slices = list(zip(x.unbind(axis), where.unbind(axis), strict=True))
    first = None
    for values, defined in slices:
        kept = values[defined]
        if not kept.numel():
            continue
        middle = kept.mean()
        if (kept - middle).abs().max() > 1e-6 * middle.abs().clamp(min=1e-6):
            return None
        first = middle.item() if first is None else first
    return first


def _centered(expected: Tensor, got: Tensor) -> Iterator[str]:
    axes = range(got.dim())
    small = 1e-6 * got.abs().max()
    for count in range(1, got.dim() + 1):
        for over in combinations(axes, count):
            if got.mean(over).abs().max() < small < expected.mean(over).abs().max():
                yield f"the mean of yours over axes {over} is zero; it should not be"
                return


def _example(expected: Tensor, got: Tensor) -> str:
    """The value that is furthest off, and how many are."""
    error = torch.nan_to_num(got.double() - expected.double(), nan=torch.inf).abs()
    relative, absolute = TOLERANCES.get(expected.dtype, (0.0, 0.0))
    size = torch.nan_to_num(expected.double()).abs()
    wrong = error > relative * size + absolute * size.max()
    index = tuple(int(i) for i in torch.unravel_index(error.argmax(), error.shape))
    pair = [f"{x[index].item():.6g}" for x in (got, expected)]
    if pair[0] == pair[1]:
        pair = [f"{x[index].item():.12g}" for x in (got, expected)]
    at = f"At {list(index)} it is" if index else "It is"
    count = f"{int(wrong.sum())} of {wrong.numel()} values differ"
    return f"{at} {pair[0]}, expected {pair[1]} ({count})."


def _value(expected: Any, got: Any) -> str:
    """A difference between values, in words that do not give the answer away."""
    if isinstance(expected, list):
        if not isinstance(got, list):
            return f": {len(expected)} values are expected, and you give one."
        if len(expected) != len(got):
            return f": {len(expected)} values are expected, and you give {len(got)}."
        right = [same(e, g, 1e-3) for e, g in zip(expected, got, strict=True)]
        if all(same(e, g, 0.05) for e, g in zip(expected, got, strict=True)):
            return ", but close: compute exactly, or give more digits."
        if not any(right) and expected and all(map(_is_real, [*expected, *got])):
            if same(sorted(expected), sorted(got), 1e-3):
                return ": the values are right, but in another order."
            if same(expected, [-g for g in got], 1e-3):
                return ": the sign is the opposite one."
        return f": {sum(right)} of {len(right)} values are right."
    if isinstance(expected, dict):
        if not isinstance(got, dict):
            return ": a dict is expected."
        wrong = [str(k) for k in expected if not same(expected[k], got.get(k), 1e-3)]
        return f": look again at {', '.join(wrong) or 'the names'}."
    if type(expected) is not type(got) and not (_is_real(expected) and _is_real(got)):
        return f": {kind(expected)} is expected, and you give {kind(got)}."
    if _is_real(expected) and _is_real(got):
        if same(float(expected), -float(got), 1e-3):
            return ": the sign is the opposite one."
        if same(float(expected), got, 0.05):
            return ", but close: compute exactly, or give more digits."
    return "."


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
