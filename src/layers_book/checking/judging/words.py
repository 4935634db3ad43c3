"""What is said about the first value that differs, from plain data alone."""

import math
import re

from .compare import (
    TOLERANCES,
    as_number,
    close,
    conformed,
    device,
    form,
    helper,
    is_dict,
    is_floating,
    is_list,
    is_number,
    is_numpy,
    is_object,
    is_tensor,
    item,
    keys,
    largest,
    layout,
    loose,
    same,
)
from .measure import fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONFIGURATION = "configuration"
# what a case is, by its kind; {} stands for its name
LABELS = {
    "output": "the output",
    "result": "the output",
    "inputs": "the inputs after the call",
    "gradient": "the gradient with respect to {}",
    "parameters": "the parameters",
    "buffers": "the buffers",
    "start": "{} at the start",
    "after": "{} after the call",
    "graph": "whether {} carries a graph",
    "value": "the value",
    "measurement": "the measurement",
    "fact": "{}",
    CONFIGURATION: "configuration",
    "raised": "the code",
}
# what helps where a name is missing
REGISTERED = {
    "parameters": (
        " torch finds what __init__ assigns to self under these names, as nn.Parameter "
        "or as a layer, also in nn.ModuleList: no plain tensors, no Python lists, and "
        "the same layer only once."
    ),
    "buffers": (
        " torch finds what __init__ registers: self.register_buffer(name, tensor), "
        "without persistent=False; a helper of your own takes persistent=False."
    ),
}
# what helps with an exception, by the first patterns of which its text matches one
HELP = (
    (
        ("keepdims", "axis="),
        "keepdims and axis are NumPy's words: torch's functions take dim and keepdim,"
        " as in x.mean(dim, keepdim=True).",
    ),
    (
        ("backward through the graph a second time",),
        "A state that you keep holds the graph: update it in torch.no_grad().",
    ),
    (
        ("modified by an inplace operation",),
        "An operation such as += or a method whose name ends in _ has overwritten "
        "numbers that the gradient needs: write y = y + 1, not y += 1.",
    ),
    (
        ("leaf Variable", "view of a leaf"),
        "You change a parameter in place in a computation that is recorded. To fill "
        "it with new numbers, do so in torch.no_grad(); to compute with it, make a "
        "new tensor, as in weight * 2.",
    ),
    (
        ("before Module.__init__",),
        "Call super().__init__() at the start of your __init__.",
    ),
    (
        ("cannot assign .* as parameter",),
        "This name holds a parameter: assign nn.Parameter(...) in __init__, and only "
        "read it in forward.",
    ),
    (
        ("cannot assign .* as buffer",),
        "This name holds a buffer: assign a tensor, without .item() or float().",
    ),
    (
        ("cannot assign .* as child module",),
        "This name holds a layer: give the tensor another name.",
    ),
    (
        ("attribute .* already exists",),
        "Do not assign the name before: register_buffer makes the attribute.",
    ),
    (
        ("list is not a Module subclass",),
        "nn.Sequential takes its modules one by one: nn.Sequential(*layers).",
    ),
    (
        (
            r'ModuleList\] is missing the required "forward"',
            r'ModuleDict\] is missing the required "forward"',
        ),
        "nn.ModuleList and nn.ModuleDict only hold modules: call each of them in "
        "forward.",
    ),
    (
        ("must be Tensor, not [A-Z]",),
        "A class such as nn.ReLU makes a layer, which you then call: nn.ReLU()(x), or"
        " torch.relu(x).",
    ),
    (
        (r"values to unpack \(expected",),
        "You unpack a certain number of values: do not rely on how many axes there "
        "are where the exercise allows any number, and count what a function returns.",
    ),
    (
        (r"dimension \d+ is 0 but", r"[^0-9]0\] at entry"),
        "One of the tensors has no entries along an axis: a slice such as x[:-0] is "
        "empty.",
    ),
    (
        ("shapes cannot be multiplied",),
        "The last axis of the left factor must be as long as the first axis of the "
        "right one: look for a transpose that is missing or one too many. torch stores "
        "weights as (out, in), for x @ weight.T or F.linear(x, weight).",
    ),
    (
        ("Boolean value of Tensor",),
        "`if`, `and`, `or` and `not` ask a tensor whether it is true, which one with "
        "several numbers cannot answer: ask whether it is None, or take .any() or "
        ".all().",
    ),
    (
        ("'str' object is not callable",),
        "You call a text, which is no function: compare it, or take getattr(torch, "
        "name).",
    ),
    (
        ("unsupported operand .*NoneType", "NoneType.* has no attribute"),
        "Something is None here, such as a bias that was not given: ask whether it is"
        " None before you use it.",
    ),
    (
        ("differentiated Tensors does not require grad",),
        "A parameter of yours is frozen: leave out requires_grad=False.",
    ),
    (
        (r"numpy\(\) on Tensor that requires grad",),
        "Stay with torch's functions: on the way through NumPy the gradient is lost.",
    ),
    (
        ("uninitialized parameter",),
        "A lazy layer has no numbers before its first batch: give it its input size.",
    ),
    (
        ("can require gradients",),
        "Parameters hold floating numbers: torch.ones(n), not whole numbers.",
    ),
    (
        (
            "same device",
            "expected device",
            "with CUDA enabled",
            "CUDA driver",
            "NVIDIA",
            "meta tensor",
        ),
        "The check gives CPU tensors: take the device from x.device.",
    ),
    (
        (
            "same d?type",
            "same data type",
            "scalar type",
            "dtypes match",
            "type .* should be the same",
            "can't be cast",
            "not implemented for '",
        ),
        "The check uses several dtypes: create tensors with dtype=x.dtype.",
    ),
)
SIZES = (
    r"tensor a \((\d+)\) must match the size of tensor b \((\d+)\) .*dimension (\d+)"
)


def label(case: "Any") -> str:
    """A case's kind, name and place in words."""
    kind, name, where = case[:3]
    words = LABELS[kind].replace("{}", name)
    return words + " " + where if where else words


def article(noun: str) -> str:
    """A noun with its article."""
    return ("an " if noun[:1].lower() in "aeiou" else "a ") + noun


def kind_of(value: "Any") -> str:
    """What recorded data is, in words."""
    if is_tensor(value):
        return "a Tensor"
    if is_dict(value):
        return "a dict"
    if is_numpy(value):
        return str(value["numpy"])
    if is_object(value):
        return str(value["object"])
    return article(type(value).__name__)


def asked_for(value: "Any") -> str:
    """The kind of a value that is compared loosely, as one asks for it."""
    if isinstance(value, bool):
        return "a bool"
    return "a number" if is_number(value) else kind_of(value)


def explain(case: "Any", got: "Any") -> str:
    """The difference in one or a few sentences.

    Args:
        case: the case as it should be.
        got: the answer's case in its place, or None if it has none.
    """
    if got is not None and got[0] == "raised":
        return _exception(case, got[3])
    value = got[3] if got is not None else None
    if case[0] == "measurement":
        return fault(loose(case[3]), loose(value))
    if case[0] == "result":
        value = conformed(case[3], value)
    if len(case) > 4 and case[4] is not None:
        return _first_up(label(case)) + " is not right" + _value(case[3], value)
    if case[0] == "graph":
        return (
            f"{case[1]} holds on to the computation that filled it {case[2]}: memory "
            "grows and a second backward pass fails. Fill it from x.detach(), or in "
            "torch.no_grad()."
        )
    return _difference(label(case), case, case[3], value)


def _difference(words: str, case: "Any", expected: "Any", got: "Any") -> str:
    """What differs between two values.

    Args:
        words: what the values are.
        case: the case that they belong to.
        expected: the right value.
        got: the other.
    """
    if isinstance(expected, bool):
        return f"{_start(words)} should be {expected}, and is {_shown(got)}."
    if is_dict(expected):
        return _entries(words, case, expected, got)
    if is_list(expected):
        return _sequence(words, case, expected, got)
    if isinstance(expected, str) and isinstance(got, str):
        return f"{_start(words)} is {got}, expected {expected}."
    if not is_tensor(expected):
        given = _shown(as_number(got))
        return f"{_start(words)} is {given}, expected {_shown(expected)}."
    if not is_tensor(got):
        return f"{_start(words)} is {kind_of(got)}: it should be a tensor."
    if form(expected) != form(got):
        return _form(words, expected, got)
    whole = expected is case[3]
    return _numbers(words, case[0] if whole else "", case, expected, got)


def _shown(value: "Any") -> str:
    if is_object(value):
        return str(value.get("text", value["object"]))
    return kind_of(value) if isinstance(value, dict) else repr(value)


def _start(words: str) -> str:
    """A sentence's beginning; a name, such as weight, stays as it is."""
    return _first_up(words) if words.startswith(("the ", "whether ")) else words


def _first_up(words: str) -> str:
    return words[:1].upper() + words[1:]


def _exception(case: "Any", value: "Any") -> str:
    if value["state"] == "refused":
        return str(value["text"])
    words = label(case)
    if value["state"] == "unanswered":
        return f"{_start(words)} is missing: {value['text']}"
    text = value["type"] + (": " + value["text"] if value["text"] else "")
    line = ""
    if value["line"]:
        line = f", in line {value['line']} of your code"
        line += f": `{value['code']}`" if value["code"] else ""
    help = _sizes(text, value["reduced"])
    for patterns, sentence in HELP:
        if not help and any([re.search(p, text) for p in patterns]):
            help = " " + sentence
    if not line and "argument" in text and value["type"] == "TypeError":
        help = " Give your code the arguments that the exercise names, in this order."
    for more in (" Hint: ", " Saved intermediate "):
        text = text.split(more)[0]
    return f"{text.rstrip('.')}\nwhile computing {words}{line}.{help}"


def _sizes(text: str, reduced: bool) -> str:
    """What helps where two shapes do not fit, and the axis where they do not."""
    found = re.search(SIZES, text)
    if not found:
        return ""
    a, b, axis = found.group(1), found.group(2), found.group(3)
    said = f" Along axis {axis} one has {a} entries and the other {b}: "
    said += "shapes line up from the right."
    if reduced:
        return said + (
            " A mean, sum or the like loses its axes: keep them with keepdim=True."
        )
    return said + (
        " If one of them lacks axes, give it some of size 1: keepdim=True in what "
        "averages or sums, view or unsqueeze for a parameter."
    )


def _entries(words: str, case: "Any", expected: "Any", got: "Any") -> str:
    if not is_dict(got):
        return f"{_start(words)} should be a dict, and is {kind_of(got)}."
    wanted, given = keys(expected), keys(got)
    missing = [str(name) for name in wanted if name not in given]
    more = [name for name in given if name not in wanted]
    more = [str(n) for n in more if case[0] != "buffers" or not helper(n)]
    if missing or more:
        listed = ", ".join([str(name) for name in wanted]) or "none"
        text = f"{_start(words)} should be {listed}"
        text += "; missing: " + ", ".join(missing) if missing else ""
        text += ("; too many: " + ", ".join(more) if more else "") + "."
        return text + (REGISTERED.get(case[0], "") if missing else "")
    for name, value in expected["dict"]:
        other = item(got["dict"], name)
        if not same(value, other):
            break
    if case[0] == "inputs":
        return (
            f"Your code changes {name} in place, and the caller still needs it: write "
            "x = x - mean, not x -= mean, and no method whose name ends in _."
        )
    return f"In {words}, {_difference(str(name), case, value, other)}"


def _sequence(words: str, case: "Any", expected: "Any", got: "Any") -> str:
    count = len(expected)
    if not is_list(got):
        several = f"a list or tuple of {count} values is expected."
        return f"{_start(words)} is {kind_of(got)}: {several}"
    if len(got) != count:
        return f"{_start(words)} has {len(got)} values, expected {count}."
    at = 0
    while same(expected[at], got[at]):
        at += 1
    return _difference(f"value {at} of {words}", case, expected[at], got[at])


def _form(words: str, expected: "Any", got: "Any") -> str:
    text = _start(words)
    shape, other = list(expected["shape"]), list(got["shape"])
    if other != shape:
        text += f" has shape {tuple(other)}, expected {tuple(shape)}"
        if sorted(other) == sorted(shape):
            return text + ": the same sizes in another order, so axes are swapped."
        if [n for n in other if n != 1] == [n for n in shape if n != 1]:
            return text + ": look for a keepdim, unsqueeze or broadcast."
        return text + "."
    if got["tensor"] != expected["tensor"]:
        text += f" is {got['tensor']}, expected {expected['tensor']}"
        fractions = is_floating(got) or "complex" in got["tensor"]
        if is_floating(expected) and not fractions:
            return (
                f"{text}: fractions are lost with //, .int(), .long() and in tensors "
                "of whole numbers."
            )
        return (
            f"{text} like the input: do not convert, and create tensors with "
            "dtype=x.dtype."
        )
    if device(got) != device(expected):
        return f"{text} is on {device(got)}, expected {device(expected)}: use x.device."
    return f"{text} is {layout(got)}: an ordinary dense tensor is expected."


def _numbers(words: str, kind: str, case: "Any", expected: "Any", got: "Any") -> str:
    """What differs between the numbers of two tensors of one form.

    Args:
        words: what the tensors are.
        kind: that of the case, or nothing for a part of its value.
        case: the case.
        expected: the right tensor.
        got: the other.
    """
    start, where = _start(words), case[2]
    text = start + " has the right shape, but wrong values"
    if not is_floating(expected):
        return f"{text}. {_example(expected, got)}"
    right, numbers = expected["data"], got["data"]
    pairs = list(zip(right, numbers))
    if any([math.isnan(g) and not math.isnan(e) for e, g in pairs]):
        return (
            f"{start} contains NaN: look for 0 / 0, as where a variance is zero and "
            "eps does not help, for the root of a negative number, and for infinity or "
            "NaN that you compute with."
        )
    if any([math.isinf(g) and not math.isinf(e) for e, g in pairs]):
        return (
            f"{start} contains infinity: look for a division by zero, the logarithm of "
            "0 or exp of a large number."
        )
    cut = " and ".join(got.get("cut", []))
    if kind == "gradient" and not any(numbers):
        text = f"No gradient reaches {case[1]}{' ' * bool(where)}{where}: "
        if cut:
            return f"{text}compute without {cut} between it and the output."
        return text + (
            "the output does not use it, or by a step that has no gradient, such as a "
            "comparison, rounding, whole numbers, or a new nn.Parameter made of it."
        )
    fact = _fact(list(expected["shape"]), right, numbers)
    text += f": {fact}." if fact else "."
    if kind == "gradient" and "float32" not in text and cut:
        text += (
            " The output before it is right: a part of the computation is cut off from "
            f"the gradient by {cut}."
        )
    elif kind == "gradient" and "float32" not in text:
        text += (
            " The output before it is right, but another formula leads there: where "
            "they differ, as at a root of 0, a tie of a maximum or in what is masked "
            "out, so do the gradients."
        )
    if kind == "output" and where.startswith("in eval mode"):
        text += " In training mode it is right: look at what self.training decides."
    elif kind == "output" and where.startswith("in float32"):
        text += (
            " In float64 it is right: a difference of large numbers, such as mean of "
            "squares minus square of mean, leaves float32 no digits."
        )
    return f"{text} {_example(expected, got)}"


def _fact(shape: "list[int]", right: "Any", got: "Any") -> str:
    """A simple relation between the two that holds everywhere, or nothing."""
    if not any(got):
        return "yours is zero everywhere"
    if not any(right):
        return "it should be zero everywhere"
    off = max([abs(g - e) for e, g in zip(right, got)])
    if off < 1e-6 * max([abs(e) for e in right]):
        return "only seven digits are right, as if a part were computed in float32"
    zero = [not abs(e) > 1e-9 for e in right]
    finite = all([math.isfinite(e) for e in right])
    if finite and _equal(
        [e for e, z in zip(right, zero) if not z],
        [g for g, z in zip(got, zero) if not z],
    ):
        return "only where 0 is expected"
    if _equal([-e for e in right], got):
        return "the sign is the opposite one"
    found = _scale_or_offset(shape, right, got, zero)
    if found:
        return found
    if _equal([e * e for e in right], got):
        return "yours is the square of the expected one"
    if _equal([math.sqrt(abs(e)) for e in right], got):
        return "yours is the square root of the expected one"
    if _equal(sorted(right), sorted(got)):
        return "the values are right, but in another order"
    return _centered(shape, right, got)


def _equal(right: "Any", got: "Any") -> bool:
    """Whether numbers agree as float64 tensors do."""
    x = {"tensor": "float64", "shape": [len(right)], "data": right}
    y = {"tensor": "float64", "shape": [len(got)], "data": got}
    return same(x, y)


def _scale_or_offset(shape: "list[int]", right: "Any", got: "Any", zero: "Any") -> str:
    """A factor or summand that is the same everywhere or along an axis."""
    nowhere = [i for i in range(len(right)) if not zero[i]]
    no_multiple = any([abs(got[i]) > 1e-9 for i in range(len(right)) if zero[i]])
    finite = [i for i in range(len(right)) if math.isfinite(right[i])]
    ratios = [got[i] / right[i] if not zero[i] else 0.0 for i in range(len(right))]
    offsets = [g - e for e, g in zip(right, got)]
    for axis in range(-1, len(shape)):
        where = "everywhere" if axis < 0 else f"for each index of axis {axis}"
        if axis >= 0 and len(right) <= 2 * shape[axis]:
            continue
        ratio = None if no_multiple else _constant(ratios, shape, axis, nowhere)
        if ratio is not None and axis < 0:
            meaning = _meaning(ratio, shape)
            return f"yours is {ratio:.7g} times the expected one everywhere{meaning}"
        if ratio is not None and all([abs(ratios[i] - 1) < 0.05 for i in nowhere]):
            return (
                f"yours is nearly the expected one, times a constant {where}, as where "
                "eps is another, or an average divides by n - 1"
            )
        if ratio is not None:
            return (
                f"yours is a constant multiple of the expected one {where}: look at "
                "what you divide or multiply by, and over which axes you sum or average"
            )
        offset = _constant(offsets, shape, axis, finite)
        if offset is not None and axis < 0:
            return f"yours is the expected one plus {offset:.4g} everywhere"
        if offset is not None:
            return f"yours is the expected one plus a constant {where}"
    return ""


def _meaning(ratio: float, shape: "list[int]") -> str:
    """Where a ratio of biased and unbiased variances or deviations comes from."""
    powers = (
        (0.5, "the root of (n - 1) / n"),
        (-0.5, "the root of n / (n - 1)"),
        (1, "(n - 1) / n"),
        (-1, "n / (n - 1)"),
    )
    best = (1.0, 0.0, "")
    for axes in _subsets(len(shape)):
        n = 1
        for axis in axes:
            n *= shape[axis]
        for power, words in powers:
            if n > 3:
                value = ((n - 1) / n) ** power
                text = f"{words} with the n = {n} values"
                best = min(best, (abs(ratio - value), abs(value - 1), text))
    error, size, text = best
    if error < 0.003 * size:
        return f", {text} that an average may run over, so look at what var divides by"
    return ", so nearly right that eps may be the reason" * (abs(ratio - 1) < 1e-3)


def _subsets(count: int) -> "list[tuple[int, ...]]":
    """The non-empty sets of axes, small ones first."""
    found = []
    for bits in range(1, 2**count):
        found.append(tuple([i for i in range(count) if bits >> i & 1]))
    return sorted(found, key=lambda axes: (len(axes), axes))


def _index(flat: int, shape: "list[int]") -> "list[int]":
    """The index of an element by its place in the row of all."""
    found = []
    for size in reversed(shape):
        found.append(flat % size)
        flat //= size
    return found[::-1]


def _constant(
    x: "Any", shape: "list[int]", axis: int, places: "list[int]"
) -> "float | None":
    """The value of the first slice if x is constant within each slice.

    Args:
        x: numbers in a row.
        shape: their axes.
        axis: what the slices are indices of; -1: all is one slice.
        places: which numbers count.
    """
    slices: dict[int, list[float]] = {}
    for at in places:
        key = _index(at, shape)[axis] if axis >= 0 else 0
        slices.setdefault(key, []).append(x[at])
    first = None
    for key in sorted(slices):
        kept = slices[key]
        middle = sum(kept) / len(kept)
        if not max([abs(v - middle) for v in kept]) <= 1e-6 * max(abs(middle), 1e-6):
            return None
        first = middle if first is None else first
    return first


def _centered(shape: "list[int]", right: "Any", got: "Any") -> str:
    """The axes over which the mean of got is zero, and that of right is not."""
    small = 1e-6 * max([abs(v) for v in got])
    for axes in _subsets(len(shape)):
        if _largest_mean(got, shape, axes) < small < _largest_mean(right, shape, axes):
            return f"the mean of yours over axes {axes} is zero; it should not be"
    return ""


def _largest_mean(x: "Any", shape: "list[int]", axes: "tuple[int, ...]") -> float:
    sums: dict[str, float] = {}
    for at, value in enumerate(x):
        index = _index(at, shape)
        key = str([i for axis, i in enumerate(index) if axis not in axes])
        sums[key] = sums.get(key, 0.0) + value
    count = 1
    for axis in axes:
        count *= shape[axis]
    return max([abs(total) for total in sums.values()]) / count


def _example(expected: "Any", got: "Any") -> str:
    """The value that is furthest off, and how many are."""
    right, numbers = expected["data"], got["data"]
    relative, absolute = TOLERANCES.get(expected["tensor"], (0.0, 0.0))
    bound = absolute * largest(right)
    worst, at, count = -1.0, 0, 0
    for i, (e, g) in enumerate(zip(right, numbers)):
        error = abs(g - e) if e != g else 0.0
        if math.isnan(error):
            error = math.inf
        size = abs(e) if math.isfinite(e) else 0.0
        count += error > relative * size + bound
        if error > worst:
            worst, at = error, i
    pair = [f"{x:.6g}" for x in (numbers[at], right[at])]
    if pair[0] == pair[1]:
        pair = [f"{x:.12g}" for x in (numbers[at], right[at])]
    index = _index(at, expected["shape"])
    place = f"At {index} it is" if index else "It is"
    differ = f"{count} of {len(right)} values differ"
    return f"{place} {pair[0]}, expected {pair[1]} ({differ})."


def _value(expected: "Any", got: "Any") -> str:
    """A difference between values, in words that do not give the answer away."""
    if is_tensor(got) and (device(got) == "meta" or layout(got) != "torch.strided"):
        return ": give numbers, or an ordinary dense tensor that holds them."
    expected, got = loose(expected), loose(got)
    if isinstance(expected, list):
        return _values(expected, got)
    if is_dict(expected):
        if not is_dict(got):
            return ": a dict is expected."
        wrong = [
            str(key)
            for key, value in expected["dict"]
            if not same(value, item(got["dict"], key), 1e-3)
        ]
        return f": look again at {', '.join(wrong) or 'the names'}."
    numbers = is_number(expected) and is_number(got)
    if asked_for(expected) != asked_for(got):
        return f": {asked_for(expected)} is expected, and you give {kind_of(got)}."
    if numbers and close(expected, -got, 1e-3):
        return ": the sign is the opposite one."
    if numbers and close(expected, got, 0.05):
        return ", but close: compute exactly, or give more digits."
    return "."


def _values(expected: "list[Any]", got: "Any") -> str:
    count = len(expected)
    if not isinstance(got, list):
        said = f"a list of {count} values, in order, is expected"
        return f": {said}, and you give {kind_of(got)}."
    if any(map(is_list, got)) and not any(map(is_list, expected)):
        return f": {count} values in one list are expected, and yours holds lists."
    if count != len(got):
        return f": {count} values are expected, and you give {len(got)}."
    for e, g in zip(expected, got):
        if asked_for(e) != asked_for(g):
            given = f"one that you give is {kind_of(g)}"
            return f": of these values, {asked_for(e)} is expected, and {given}."
    right = [same(e, g, 1e-3) for e, g in zip(expected, got)]
    if all([same(e, g, 0.05) for e, g in zip(expected, got)]):
        return ", but close: compute exactly, or give more digits."
    if not any(right) and expected and all([is_number(v) for v in expected + got]):
        if same(sorted(expected), sorted(got), 1e-3):
            return ": the values are right, but in another order."
        if same(expected, [-g for g in got], 1e-3):
            return ": the sign is the opposite one."
    return f": {sum(right)} of {count} values are right."
