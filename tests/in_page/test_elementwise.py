"""Element-wise functions and activations in the page against torch."""

import math
from typing import Any

import pytest
import torch
from calls import SETTINGS, compare
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

Draw = st.DrawFn
FLOATS = ["float64", "float64", "float32"]
ALL = [*FLOATS, "float64", "int64", "int32", "uint8", "bool"]


def words(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


def calls(text: str) -> list[str]:
    """The calls of a text, parted by ; or by lines."""
    return [call.strip() for call in text.strip().replace("\n", ";").split(";")]


ONE = words("""
    neg abs sign exp exp2 expm1 log log2 log10 log1p sqrt rsqrt square reciprocal
    sin cos tan asin acos atan sinh cosh tanh sigmoid erf erfc floor ceil trunc frac
    round isnan isinf isfinite logical_not bitwise_not nan_to_num sgn signbit
""")
TWO = words("""
    add sub mul div floor_divide remainder fmod pow maximum minimum fmax fmin eq ne
    lt le gt ge atan2 hypot xlogy copysign logaddexp logical_and logical_or
    logical_xor bitwise_and bitwise_or bitwise_xor bitwise_left_shift
    bitwise_right_shift
""")
OPERATORS = words("+ - * / // % ** == != < <= > >= & | ^ << >>")
# Their second derivatives in torch are its own at 0 and at infinity.
UNEVEN = ["pow", "atan2", "hypot", "xlogy", "logaddexp", "copysign"]
ACTIVATIONS = calls("""
    relu(x); relu6(x); leaky_relu(x, 0.2); elu(x); elu(x, 1.5); selu(x)
    celu(x, 2.0); gelu(x); gelu(x, approximate='tanh'); silu(x); softplus(x)
    softplus(x, 2, 3); hardtanh(x); hardtanh(x, -2, 0.5); hardswish(x); mish(x)
    softsign(x); tanhshrink(x); logsigmoid(x); hardshrink(x); softshrink(x, 0.3)
    threshold(x, 0.5, 2)
""")
THREE = calls("""
    where(condition, x, y); clamp(x, y, z); clamp(x, min=y); clamp(x, max=y)
    lerp(x, y, z); clamp(x, -1, 1.5); clamp(x, 0); clamp(x, max=2)
    lerp(x, y, 0.25); lerp(x, y, 0.75); addcmul(x, y, z, value=2)
    add(x, y, alpha=2); sub(x, y, alpha=3); div(x, y, rounding_mode='trunc')
    div(x, y, rounding_mode='floor'); where(condition, x, 0)
    where(condition, 1.5, y); nan_to_num(x, 1, 2, 3); round(x, decimals=1)
    logit(x, 0.1)
""")
IN_PLACE = calls("""
    add_(y); sub_(y); mul_(y); div_(y); pow_(y); add_(1.5); mul_(2); copy_(y)
    fill_(2); zero_(); exp_(); neg_(); sqrt_(); clamp_(0, 1); relu_(); eq_(y)
    floor_(); sigmoid_(); lerp_(y, 0.5)
""")
ERRORS = calls("""
    torch.ones(2) + torch.ones(3); torch.ones(2, 3) * torch.ones(3, 2)
    -torch.ones(2, dtype=torch.bool); torch.ones(2, dtype=torch.bool) - True
    torch.arange(3) // 0; torch.arange(3) % 0; torch.arange(3) ** -1
    ~torch.ones(2); torch.arange(3).add_(0.5); torch.arange(3).div_(2)
    torch.clamp(torch.ones(2)); torch.ones(2).add_(torch.ones(3, 2))
    torch.where(torch.ones(2), 1, 2); torch.ones(2) & torch.ones(2)
    torch.ones(2) << 1; F.gelu(torch.arange(3))
    F.gelu(torch.ones(2), approximate='x')
    torch.add(torch.arange(3), 1, alpha=0.5)
    torch.div(torch.ones(2), 2, rounding_mode='x')
    torch.isclose(torch.ones(1), torch.arange(1))
    torch.lerp(torch.ones(2), torch.ones(2).double(), 0.5)
""")


def numbers(draw: Draw, dtype: str, count: int) -> list[float]:
    """Numbers with ties, zeros of both signs, the largest ones and nan."""
    if dtype == "bool":
        return draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
    if not dtype.startswith("float"):
        low = 0 if dtype == "uint8" else -4
        return draw(st.lists(st.integers(low, 5), min_size=count, max_size=count))
    whole = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.5, math.inf, math.nan, 40.0])
    part = st.floats(-3, 3, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3)
    return draw(st.lists(part | part | whole, min_size=count, max_size=count))


def tensor(draw: Draw, shape: list[int], dtypes: list[str]) -> Tensor:
    """A tensor of the shape, which may require gradients."""
    dtype = draw(st.sampled_from(dtypes))
    values = numbers(draw, dtype, math.prod(shape))
    found = torch.tensor(values, dtype=torch.float64).reshape(shape)
    found = found.to(getattr(torch, dtype))
    return found.requires_grad_(found.is_floating_point() and draw(st.booleans()))


def shapes(draw: Draw, count: int) -> list[list[int]]:
    """Shapes that go together, and now and then do not."""
    whole = draw(st.lists(st.integers(0, 3), max_size=3))
    found = []
    for _ in range(count):
        ones = draw(st.lists(st.integers(0, 7), min_size=3, max_size=3))
        kept = [1 if one == 0 else size for size, one in zip(whole, ones, strict=False)]
        found.append(kept[draw(st.sampled_from([0, 0, 1, 3])) :])
    if draw(st.integers(0, 19)) == 0:
        found[0] = [*found[0], 4]
    return found


def seen(draw: Draw, name: str, x: Tensor) -> str:
    """The tensor, or a view of it of the same shape that is not contiguous."""
    if x.dim() > 1 and draw(st.integers(0, 2)) == 0:
        return f"{name}.transpose(0, 1).contiguous().transpose(0, 1)"
    return name


def many(test: Any) -> Any:
    """A test over more examples, since one function is drawn for each."""
    return settings(derandomize=True, deadline=None, max_examples=150)(test)


@given(st.data())
@many
def test_one(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    x = tensor(draw, shapes(draw, 1)[0], ALL)
    name = draw(st.sampled_from(ONE))
    compare(page, f"torch.{name}({seen(draw, 'x', x)})", twice=True, x=x)


@given(st.data())
@many
def test_two(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    first, second = shapes(draw, 2)
    x, y = tensor(draw, first, ALL), tensor(draw, second, ALL)
    name = draw(st.sampled_from(TWO))
    call = f"torch.{name}({seen(draw, 'x', x)}, {seen(draw, 'y', y)})"
    compare(page, call, twice=name not in UNEVEN, x=x, y=y)


@given(st.data())
@many
def test_with_a_number(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    x = tensor(draw, shapes(draw, 1)[0], ALL)
    number = draw(st.sampled_from(["2", "0", "-1", "0.5", "-1.5", "True", "2.0"]))
    sign = draw(st.sampled_from(OPERATORS))
    # MicroPython asks a number alone about < and says of True that it is 1.
    can_be_first = sign not in ("<", "<=", ">", ">=") and number != "True"
    first = can_be_first and draw(st.booleans())
    compare(page, f"{number}{sign}x" if first else f"x{sign}{number}", x=x)


@given(st.data())
@SETTINGS
def test_activations(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    x = tensor(draw, shapes(draw, 1)[0], [*FLOATS, "int64"])
    # torch's own vectorized functions disagree with themselves about nan and inf.
    x = x.detach().nan_to_num(0.25, 3, -3).requires_grad_(x.requires_grad)
    call = f"F.{draw(st.sampled_from(ACTIVATIONS))}"
    compare(page, call, twice=x.dtype == torch.float64 and "hard" not in call, x=x)


@given(st.data())
@many
def test_three(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    dtype = [draw(st.sampled_from(ALL[:5]))]
    x, y, z = (tensor(draw, shape, dtype) for shape in shapes(draw, 3))
    condition = tensor(draw, shapes(draw, 1)[0], ["bool"])
    call = draw(st.sampled_from(THREE))
    compare(page, f"torch.{call}", x=x, y=y, z=z, condition=condition)


@given(st.data())
@SETTINGS
def test_in_place(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    first, second = shapes(draw, 2)
    x, y = tensor(draw, first, ALL), tensor(draw, second, ALL)
    y = y.detach().nan_to_num(1, 2, -2)
    call = draw(st.sampled_from(IN_PLACE))
    # clamp_ alone names types as C++ does.
    compare(page, f"x.detach().{call}", text="clamp" not in call, x=x, y=y)


@given(st.data())
@SETTINGS
def test_closeness(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    shape, _ = shapes(draw, 2)
    x, y = tensor(draw, shape, ALL), tensor(draw, shape, ALL)
    for call in ["allclose(x, y)", "allclose(x, x, equal_nan=True)", "equal(x, y)"]:
        compare(page, f"torch.tensor(torch.{call})", x=x, y=y)
    compare(page, "torch.isclose(x, y, 0.3, 0.1)", x=x, y=y)


@pytest.mark.parametrize("call", ERRORS)
def test_errors(page: Any, call: str) -> None:
    compare(page, call)


@pytest.mark.parametrize("call", ["a / 2", "2 / a", "a / b", "a % b"])
def test_what_no_gradient_needs_may_change(page: Any, call: str) -> None:
    code = f"a, b = x * 1, 2 * x.detach()\ny = {call}\na += 1\n"
    code += "result = torch.autograd.grad(y.sum(), x)[0]"
    x = torch.linspace(1, 2, 4, dtype=torch.float64)
    page_s = page.run("x = x.requires_grad_()\n" + code, x=x)
    names = {"torch": torch, "x": x.clone().requires_grad_()}
    exec(code, names)
    assert page_s is not None, page.error
    torch.testing.assert_close(page_s, names["result"])
