"""The page's torch as Python sees it: creation, operators, errors, texts, hooks."""

import random
import re
import types
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

SETTINGS = settings(derandomize=True, deadline=None, max_examples=60)
EXPRESSIONS = Path(__file__).with_name("expressions.txt").read_text("utf8")
# names that only other devices or another kind of program need, or that Python has
UNASKED = {"utils", "random", "special", "linalg", "nn", "optim", "testing", "cuda"}
FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=32)
DTYPES = (torch.float64, torch.float32, torch.float16, torch.int64, torch.bool)


class Raised(NamedTuple):
    """What torch raised."""

    type: str
    text: str


def of_torch(code: str) -> Any:
    """What torch makes of statements whose last one is a value, or its error."""
    before, _, last = code.rpartition("; ")
    torch.manual_seed(0)
    names: dict[str, Any] = {"torch": torch}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(before.replace("; ", "\n"), names)
            return eval(last, names)
        except Exception as error:
            return Raised(type(error).__name__, str(error))
        finally:
            torch.set_default_dtype(torch.float32)
            torch.set_grad_enabled(True)


def of_page(page: Any, code: str) -> Any:
    """The same in the page."""
    before, _, last = code.rpartition("; ")
    return page.run(before.replace("; ", "\n") + f"\nresult = {last}")


def same(found: Any, wanted: Any) -> bool:
    """Whether two results are alike; of long errors the type is enough."""
    if isinstance(wanted, Raised):
        if not hasattr(found, "operation") or found.type != wanted.type:
            return False
        return found.text == wanted.text or "invalid combination" in wanted.text
    if isinstance(wanted, Tensor):
        if not isinstance(found, Tensor) or found.requires_grad != wanted.requires_grad:
            return False
        if (found.dtype, found.shape) != (wanted.dtype, wanted.shape):
            return False
        close = 1e-12 if wanted.dtype == torch.float64 else 1e-6
        pair = found.detach().double(), wanted.detach().double()
        return torch.allclose(*pair, rtol=close, atol=close, equal_nan=True)
    if isinstance(wanted, tuple | list):
        alike = isinstance(found, tuple | list) and len(found) == len(wanted)
        return alike and all(map(same, found, wanted))
    if isinstance(wanted, float):
        return isinstance(found, float) and same(
            torch.tensor(found), torch.tensor(wanted)
        )
    return type(found) is type(wanted) and bool(found == wanted)


def test_expressions(page: Any) -> None:
    """Results and errors are torch's."""
    for code in EXPRESSIONS.splitlines():
        wanted, found = of_torch(code), of_page(page, code)
        assert same(found, wanted), f"{code}\n  page: {found!r}\n  torch: {wanted!r}"


@st.composite
def tensors(draw: Any, most: int = 4) -> Tensor:
    """A tensor of any shape and dtype, nan and infinite numbers among them."""
    shape = draw(st.lists(st.integers(0, most), max_size=3))
    dtype = draw(st.sampled_from(DTYPES))
    count = int(torch.Size(shape).numel())
    if dtype is torch.bool:
        numbers: Any = st.booleans()
    elif dtype is torch.int64:
        numbers = st.integers(-(2**40), 2**40)
    else:
        numbers = st.one_of(FLOATS, st.integers(-9, 9).map(lambda n: n / 4))
    values = draw(st.lists(numbers, min_size=count, max_size=count))
    return torch.tensor(values, dtype=torch.float64).to(dtype).reshape(shape)


@SETTINGS
@given(tensors(), st.booleans())
def test_repr(page: Any, x: Tensor, grad: bool) -> None:
    """A tensor is written as torch writes it."""
    x.requires_grad_(grad and x.is_floating_point())
    assert page.run("result = repr(x), x.__format__('')", x=x) == (repr(x), f"{x}")


@pytest.mark.parametrize(
    "code",
    [
        "torch.arange(2000)",
        "torch.arange(2000.).reshape(40, 50) / 7",
        "torch.ones(3, 20, 20, dtype=torch.float64)",
        "torch.randn(2, 3, 4)",
        "torch.tensor([0.03125, 0.09375, 1.5])",
        "torch.tensor([1e-9, 1.0])",
        "torch.ones(2, requires_grad=True) * 2",
        "torch.nn.Parameter(torch.ones(2))",
        "torch.Size([2, 3])",
        "[torch.float32, torch.device('cpu'), torch.Size([])]",
    ],
)
def test_text(page: Any, code: str) -> None:
    """So are long ones, and those with a history."""
    torch.manual_seed(0)
    assert page.run(f"import torch.nn\nresult = repr({code})") == repr(eval(code))


OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "<", ">=", "==", "!=", "&", "|", "@")


@SETTINGS
@given(st.data())
def test_operators(page: Any, data: Any) -> None:
    """Operators promote, broadcast and refuse as torch's; numbers on either side."""
    sign = data.draw(st.sampled_from(OPERATORS))
    x = data.draw(tensors(3)).nan_to_num(1, 2, 3)
    other = st.one_of(
        tensors(3).map(lambda y: y.nan_to_num(1, 2, 3)),
        st.integers(-3, 5),
        st.sampled_from([-0.5, 0.0, 1.5]),
        st.booleans(),
    )
    y = data.draw(other)
    if not isinstance(y, Tensor) and sign in "<>=" and data.draw(st.booleans()):
        x, y = (x, y)
    # MicroPython turns a bool on the left into an int, and compares one way only
    turned = sign not in ("<", ">=") and not isinstance(y, bool)
    codes = [f"x {sign} y"] + [f"y {sign} x"] * turned
    for code in codes:
        wanted = computed(code, x=x, y=y)
        found = page.run(f"result = {code}", x=x, y=y)
        if isinstance(wanted, Raised) or hasattr(found, "operation"):
            assert hasattr(found, "operation"), (code, wanted)
            assert isinstance(wanted, Raised), (code, found)
            # of two faults each may name another
            kinds = {wanted.type, "NotHere", "NotImplementedError"}
            assert found.type in kinds, (code, found)
        elif wanted.numel() and wanted.dtype == torch.int64:
            assert torch.equal(found, wanted), (code, x, y)
        else:
            assert same(found, wanted), (code, x, y, found, wanted)


def computed(code: str, **names: Any) -> Any:
    """What torch makes of an expression."""
    try:
        return eval(code, {"torch": torch, **names})
    except Exception as error:
        return Raised(type(error).__name__, str(error))


def an_index(chance: random.Random, sizes: list[int]) -> str:
    """An index as one writes it, now and then a wrong one."""

    def item(size: int) -> str:
        a, b = chance.randint(-size - 1, size), chance.randint(-size - 1, size + 1)
        some = [chance.randint(-size, max(size - 1, 0)) for _ in range(2)]
        truths = [i % 2 == 0 for i in range(size)]
        words = f"{a}  {a}:{b}  {a}:  :{b}:2  :  None  ...  {some}".split("  ")
        return chance.choice(
            [*words, f"torch.tensor({some})", f"torch.tensor({truths})"]
        )

    items = [item(size) for size in sizes[: chance.randint(1, 3)]]
    if items.count("...") > 1:
        items = [":" if part == "..." else part for part in items]
    return ", ".join(items)


@SETTINGS
@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(0, 10**6))
def test_indexing(page: Any, sizes: list[int], seed: int) -> None:
    """Reading and writing at an index, and gradients through it."""
    index = an_index(random.Random(seed), sizes)
    code = (
        f"x = torch.arange({torch.Size(sizes).numel()}.).reshape({sizes}); "
        f"w = x.clone().requires_grad_(); y = x.clone(); y[{index}] = -1; "
        f"w[{index}].sum().backward(); (x[{index}], y, w.grad)"
    )
    wanted, found = of_torch(code), of_page(page, code)
    if isinstance(wanted, Raised):
        assert hasattr(found, "operation"), (code, wanted)
        assert found.type == wanted.type, (code, found, wanted)
    else:
        assert same(found, wanted), (code, found, wanted)


def test_what_is_absent_refuses(page: Any) -> None:
    """A name of torch that is not there refuses; a wrong name is an error of Python."""
    for code, what in (
        ("torch.fft", "torch.fft"),
        ("torch.vmap(len)", "torch.vmap"),
        ("torch.compile(len)", "torch.compile"),
        ("torch.ones(2).sparse_mask", "Tensor.sparse_mask"),
        ("torch.linalg.eig", "torch.linalg.eig"),
        ("torch.ones(2, device='cuda')", "The device cuda"),
        ("torch.tensor(1j)", "A complex tensor"),
        ("torch.ones(2).numpy()", "Tensor.numpy"),
    ):
        said = f"{what} is not there in the page; open the notebook in Colab."
        assert page.run(f"result = {code}")[:2] == ("NotHere", said)
    for code in ("torch.softmaxx", "torch.ones(2).sofmax", "torch.linalg.foo"):
        assert (
            page.run(f"import torch.linalg\nresult = {code}").type == "AttributeError"
        )


def test_all_names(page: Any) -> None:
    """Each public name of torch and of its tensors is there or refuses."""

    def names(of: Any) -> list[str]:
        found = []
        for name in set(dir(of)) - UNASKED:
            try:
                value = getattr(of, name)
            except RuntimeError:  # complex numbers only
                continue
            home = getattr(value, "__module__", None) or "torch"
            if isinstance(value, types.ModuleType):
                home = value.__name__.replace("builtins", "of Python")
            if name[0] != "_" and home.startswith(("torch", "builtins")):
                found.append(name)
        return [name for name in found if not name.endswith("Storage")]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asked = {"torch": names(torch), "torch.ones(1, 1)": names(torch.ones(1, 1))}
    for of, wanted in asked.items():
        code = (
            f"of, lost = {of}, []\nfor name in names:\n    try:\n"
            "        getattr(of, name)\n    except AttributeError:\n"
            "        lost.append(name)\n    except Exception:\n        pass\n"
            "result = lost"
        )
        assert page.run(code, names=wanted) == []


HOOKED = """
from torch import _state
seen = []

def before(name, path):
    seen.append(path)
    if "conv" in name:
        raise ValueError(name)

def after(name, args, kwargs, result):
    for x in args:
        if getattr(x, "mark", None):
            result.mark = x.mark

_state.hooks(before, after)
try:
    x = torch.ones(1, 1, 4)
    x.mark = "marked"
    y = (x * 2).exp().reshape(4)[1:]
    z = torch.softmax(input=y, dim=0)
    said = ""
    try:
        torch.nn.functional.conv1d(x, x)
    except ValueError as error:
        said = str(error)
finally:
    _state.hooks()
result = y.mark, said, seen
"""


def test_hooks(page: Any) -> None:
    """A checker hears of each outermost call, may refuse it, and may mark tensors."""
    mark, said, seen = page.run("import torch.nn\n" + HOOKED)
    assert (mark, said) == ("marked", "conv1d")
    assert seen == [
        "torch.ones",
        ".__mul__",
        ".exp",
        ".reshape",
        ".__getitem__",
        "torch.softmax",
        "torch.nn.functional.conv1d",
    ]


@pytest.mark.parametrize(
    ("code", "operation"),
    [
        ("torch.ones(2) + torch.ones(3)", "Add"),
        ("1 - torch.ones(2) @ torch.ones(3)", "MatMult"),
        ("torch.ones(2) / [1]", "Div"),
        ("torch.ones(2)[5]", "Subscript"),
        ("torch.softmax(torch.ones(2), 3)", "softmax"),
        ("torch.ones(2).view(3)", "view"),
        ("torch.cat([torch.ones(2), torch.ones(2, 2)])", "cat"),
        ("torch.isclose(torch.ones(2), torch.ones(3))", "isclose"),
        ("~torch.ones(2)", "Invert"),
        ("[][3]", ""),
    ],
)
def test_operation_that_raised(page: Any, code: str, operation: str) -> None:
    """An error is remembered with the outermost operation that raised it."""
    assert page.run(f"result = {code}").operation == operation


def test_python_conversions(page: Any) -> None:
    """Python's own functions take tensors; numbers on the left stay tensors."""
    found = page.run(
        "x = torch.tensor(2.5)\n"
        "result = [float(x), int(x), isinstance(1.5, float), isinstance(True, int),"
        " isinstance(x.shape, tuple), type(1.0 - x) is torch.Tensor,"
        " min(1.0, x), max(1.0, x), max([x, x * 2]), list(map(float, [x, 1])),"
        " float('inf'), isinstance(3, (float, str))]"
    )
    assert found[:6] == [2.5, 2, True, True, True, True]
    assert found[6] == 1.0
    assert same(found[7:9], [torch.tensor(2.5), torch.tensor(5.0)])
    assert found[9:] == [[2.5, 1.0], float("inf"), False]


def test_function_by_hand(page: Any) -> None:
    """A torch.autograd.Function takes part in gradients."""
    code = (
        "class Cube(torch.autograd.Function):\n"
        "    @staticmethod\n"
        "    def forward(ctx, x):\n"
        "        ctx.save_for_backward(x)\n"
        "        return x ** 3\n"
        "    @staticmethod\n"
        "    def backward(ctx, grad):\n"
        "        (x,) = ctx.saved_tensors\n"
        "        return grad * 5 * x\n"
        "x = torch.tensor([1.0, 2.0], requires_grad=True)\n"
        "y = Cube.apply(x)\n"
        "y.sum().backward()\n"
        "result = [y, x.grad]\n"
    )
    y, slope = page.run(code)
    assert y.tolist() == [1, 8] and y.requires_grad
    assert slope.tolist() == [5, 10]


def test_errors_within_hooks(page: Any) -> None:
    """What a reader's own function raises within a backward pass comes out."""
    code = (
        "def hook(grad):\n    raise KeyError('mine')\n"
        "x = torch.ones(2, requires_grad=True)\nx.register_hook(hook)\n"
        "x.sum().backward()"
    )
    assert page.run(code)[:2] == ("KeyError", "mine")


def test_memory(page: Any) -> None:
    """Too large a tensor, or too many, give an error; views cost nothing."""
    assert page.run("torch.zeros(10**9)").type == "RuntimeError"
    many = "x = torch.zeros(2**22)\nfor i in range({}):\n    y = x{}\nresult = len(y)"
    assert page.run(many.format(1000, "[1:]")) == 2**22 - 1
    assert page.run(many.format(1000, " + 1")).type == "MemoryError"
    assert page.run(many.format(20, " + 1")) == 2**22


def test_no_error_of_the_bridge(page: Any) -> None:
    """What the engine did not foresee is an error of Python as well."""
    for code in ("torch.ones(2).sum(10**12)", "torch.ones(2).roll(None)"):
        error = page.run(f"result = {code}")
        assert hasattr(error, "operation")
        assert not re.search("JsProxy|undefined", error.text), error
