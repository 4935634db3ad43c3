"""The page's reductions, scans, sorting and counting against torch's."""

import math
from typing import Any

import pytest
import torch
from calls import SETTINGS, compare
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

# Each line is tried as one: what it gives, and the gradient of all of it.
SMOOTH = (
    "x.sum({dims}, {keep}), x.mean({dims}, {keep}), x.sum(), x.mean(), x.nansum({dim})",
    "x.std({dim}), x.var({dims}, correction=0, keepdim={keep}), x.std(unbiased=False)",
    "x.logsumexp({dims}, {keep}), x.softmax({dim}), x.log_softmax({dim}), x.var()",
    "x.cumsum({dim}), x.square().cumsum({dim}), x.diff(dim={dim}), F.softmin(x, {dim})",
    "x.norm(), x.norm(dim={dims}, keepdim={keep}), x.norm(1, {dim}), x.norm(3, {dim})",
    "x.cov(), x.corrcoef()",
)
CHOOSING = (
    "x.amax({dims}, {keep}), x.amin({dims}, {keep}), x.max(), x.min(), x.all({dims})",
    "*x.max({dim}, {keep}), *x.min({dim}, {keep}), *x.median({dim}, {keep}), x.any()",
    "x.argmax(), x.argmin({dim}, {keep}), x.argmax({dim}), x.any({dims}, {keep})",
    "*x.nanmedian({dim}), *x.mode({dim}), *x.sort({dim}), x.argsort({dim})",
    "*x.sort({dim}, descending=True), *x.cummax({dim}), *x.cummin({dim}), x.all()",
    "*x.topk(2, {dim}), *x.topk(1, {dim}, largest=False), *x.kthvalue(2, {dim})",
    "*x.aminmax(dim={dim}, keepdim={keep}), x.count_nonzero({dims}), x.count_nonzero()",
    "x.prod(), x.prod({dim}, {keep}), x.cumprod({dim})",
    "x.double().norm(math.inf, {dim}), x.double().norm(0, {dim})",
    "x.double().nanmean({dim}), x.double().logcumsumexp({dim})",
)
APART = (
    "*torch.var_mean(x, {dims}, correction=0), *torch.std_mean(x, {dim})",
    "torch.linalg.vector_norm(x, {p}, {dims}, {keep})",
    "torch.linalg.norm(x), torch.linalg.matrix_norm(x), x.norm(1, (0, 1))",
    "torch.quantile(x, 0.3, {dim}, {keep}), x.quantile(0.5, interpolation='nearest')",
    "torch.nanquantile(x, x.new_tensor([0.0, 0.7]), {dim})",
    "F.softmax(x, {dim}, dtype=torch.float64), x.sum({dim}, dtype=torch.float64)",
)
ALL = (
    "import math\n"
    "def together(x, *v):\n"
    "    kind = x.dtype if x.is_floating_point() else torch.float64\n"
    "    floats = [t.to(kind).flatten() for t in v if t.is_floating_point()]\n"
    "    return (torch.cat(floats),) + v if floats else v\n"
)


def numbers(draw: Any, shape: list[int], dtype: torch.dtype, kind: str) -> Tensor:
    """Random numbers: of any size, with many equal ones, or with nan and inf."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    x = torch.randn(shape, generator=generator, dtype=torch.float64) * 2
    if kind == "equal" or not dtype.is_floating_point:
        x = x.round()
    if kind == "holes" and dtype.is_floating_point:
        hole = torch.tensor([math.nan, math.inf, -math.inf]).double()
        place = torch.randint(12, shape, generator=generator)
        x = torch.where(place < 3, hole[place.clamp(max=2)], x)
    if dtype is torch.uint8:
        x = x.abs()
    return x.to(dtype)


@st.composite
def tensors(
    draw: Any,
    dtypes: tuple[torch.dtype, ...] = (torch.float64, torch.float32),
    kinds: tuple[str, ...] = ("any", "equal"),
    most: int = 3,
    least: int = 1,
) -> Tensor:
    """A tensor of up to ``most`` dims, most of which want a gradient."""
    size = st.integers(least, 4)
    shape = draw(st.lists(size, max_size=most))
    dtype = draw(st.sampled_from(dtypes))
    x = numbers(draw, shape, dtype, draw(st.sampled_from(kinds)))
    wants = dtype.is_floating_point and draw(st.integers(0, 3)) > 0
    return x.requires_grad_(wants)


def filled(draw: Any, call: str, dims: int) -> str:
    """A call with its dims and flags, of x or of a view of it."""
    n = max(dims, 1)
    places = list(range(n))
    some = tuple(draw(st.lists(st.sampled_from(places), unique=True, min_size=1)))
    made = call.format(
        dim=draw(st.sampled_from([*places, -n, -1])),
        dims=some if dims else 0,
        keep=draw(st.booleans()),
        p=draw(st.sampled_from(("2", "1", "3", "0.5", "math.inf", "0"))),
    )
    views = ["x", "x", "x.transpose(0, -1)", "x[..., ::2]", "x.unsqueeze(0)[0]"]
    view = draw(st.sampled_from(views if dims else ["x"]))
    return f"(lambda x: together(x, {made}))({view})"


@pytest.mark.parametrize("call", SMOOTH)
@given(data=st.data())
@settings(SETTINGS, max_examples=6)
def test_smooth(page: Any, call: str, data: st.DataObject) -> None:
    """Values, gradients and gradients of gradients."""
    x = data.draw(tensors(least=2))
    compare(page, filled(data.draw, call, x.dim()), before=ALL, twice=True, x=x)


@pytest.mark.parametrize("call", CHOOSING)
@given(data=st.data())
@settings(SETTINGS, max_examples=8)
def test_choosing(page: Any, call: str, data: st.DataObject) -> None:
    """Equal numbers, nan, empty tensors, whole numbers."""
    types = (torch.float64, torch.float32, torch.int64, torch.int32, torch.uint8)
    kinds = ("any",) if "prod" in call else ("any", "equal", "holes")
    x = data.draw(tensors(types, kinds, least=data.draw(st.sampled_from((1, 1, 0)))))
    call = filled(data.draw, call, x.dim())
    compare(page, call, before=ALL, text=x.numel() > 0, x=x)


@pytest.mark.parametrize("call", APART)
@given(data=st.data())
@settings(SETTINGS, max_examples=5)
def test_functions(page: Any, call: str, data: st.DataObject) -> None:
    """Functions that are no methods, or whose arguments need care."""
    x = data.draw(tensors(kinds=("any",)))
    compare(page, filled(data.draw, call, x.dim()), before=ALL, x=x)


@given(data=st.data())
@settings(SETTINGS, max_examples=20)
def test_among_equal_numbers(page: Any, data: st.DataObject) -> None:
    """Which of equal numbers is taken is as torch has it."""
    n = data.draw(st.integers(3, 40))
    x = numbers(data.draw, [2, n], torch.float64, "equal")
    k = data.draw(st.integers(1, n))
    calls = f"*x.topk({k}), *x.kthvalue({k}), *x.median(1), *x.mode(1)"
    compare(page, f"together(x, {calls})", before=ALL, x=x)


@pytest.mark.parametrize(
    "call",
    (
        "x.unique(return_inverse=True, return_counts=True)",
        "x.unique(dim=0, return_inverse=True, return_counts=True)",
        "torch.unique_consecutive(x, return_inverse=True, return_counts=True)",
        "x.flatten().bincount(minlength=3)",
        "x.flatten().bincount(x.flatten() * 0.5)",
        "x.double().histc(4)",
        "x.double().histc(5, -1, 3)",
        "torch.isin(x, torch.tensor([0, 2]))",
        "torch.searchsorted(torch.tensor([0, 1, 1, 3]), x)",
        "torch.bucketize(x, torch.tensor([0, 1, 1, 3]), right=True)",
        "x.sum(0), x.prod(0), x.cumsum(0), x.cumprod(0), x.diff(dim=0)",
        "x.bool().sum(), x.bool().any(0), x.bool().all(), x.bool().cumsum(0)",
    ),
)
@given(data=st.data())
@settings(SETTINGS, max_examples=4)
def test_whole_numbers(page: Any, call: str, data: st.DataObject) -> None:
    """Counting, searching and sums of whole numbers."""
    types = (torch.int64, torch.int32, torch.uint8)
    x = data.draw(tensors(types, ("equal",)))
    compare(page, call, x=x.abs() if "bincount" in call else x)


@pytest.mark.parametrize(
    "call",
    (
        "x.sum(2)",
        "x.sum((0, 0))",
        "x.long().mean()",
        "x.long().std()",
        "x.long().softmax(0)",
        "x.long().norm()",
        "x[:0].max()",
        "x[:0].max(0)",
        "x[:0].argmax()",
        "x[:0].amax(0)",
        "x.topk(4)",
        "x.kthvalue(0)",
        "x.long().quantile(0.5)",
        "x.quantile(1.5)",
        "x.bool().argmax()",
        "x.bincount()",
        "torch.tensor([-1]).bincount()",
        "torch.linalg.norm(x, 'fro', dim=1)",
        "torch.linalg.matrix_norm(x[0])",
        "x.unique().sum().backward()",
        "x.diff(-1)",
        "torch.bucketize(x, x)",
    ),
)
def test_errors(page: Any, call: str) -> None:
    """Errors have torch's type and text."""
    compare(page, call, x=torch.ones(2, 3).requires_grad_("unique" in call))
