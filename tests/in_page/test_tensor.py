"""Views, in-place changes and gradients in the page against torch."""

import math
from typing import Any

import pytest
import torch
from calls import compare, same
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

Draw = st.DrawFn

# Runs lines, each after an error of the one before too, and tells all about `v`.
PROGRAM = """
import torch

v = [x.detach().clone().requires_grad_(x.requires_grad) for x in [{names}]]
said = []
for line in {lines}:
    count = len(v)
    try:
        exec(line)
        said.append(None)
    except Exception as error:
        v = v[:count]
        said.append(type(error).__name__ + ": " + str(error).split(chr(10))[0])

def facts(x):
    strides = [s for s, size in zip(x.stride(), x.shape) if size > 1]
    try:
        flags = [x.requires_grad, x.is_leaf]
    except RuntimeError:
        flags = []
    return flags + [x._version] + (strides if x.numel() > 1 else [])

passed = not any([s and "backward" in line for s, line in zip(said, {lines})])
result = [said, [facts(x) for x in v], [x.detach() for x in v]]
grads = [x.grad for x in v if passed and x.grad is not None]
result = result + [[g.detach() for g in grads]]
"""
ONE = ["exp", "sin", "sqrt", "square", "neg", "relu", "sigmoid", "tanh", "reciprocal"]
TWO = ["add", "sub", "mul", "div"]
VIEW_ERRORS = [
    "torch.ones(2, 3).view(4)",
    "torch.ones(2, 3).t().view(6)",
    "torch.ones(2, 3).view(-1, -1)",
    "torch.ones(2, 3).view(4, -1)",
    "torch.ones(2, 3).reshape(-2)",
    "torch.ones(0).view(-1, 0)",
    "torch.ones(2, 3).permute(0)",
    "torch.ones(2, 3).permute(0, 0)",
    "torch.ones(2, 3).transpose(0, 2)",
    "torch.ones(2, 3).expand(3)",
    "torch.ones(2, 3).expand(2, 4)",
    "torch.ones(3).expand(-1, 3)",
    "torch.ones(2, 3).select(0, 5)",
    "torch.ones(2, 3).narrow(1, 2, 3)",
    "torch.ones(2, 3).narrow(1, 5, 1)",
    "torch.ones(5).split([2, 2])",
    "torch.ones(5).chunk(0)",
    "torch.tensor(1.0).unbind()",
    "torch.ones(2, 3).flatten(1, 0)",
    "torch.ones(2, 6).unflatten(1, (4, 2))",
    "torch.ones(2, 3).movedim((0, 1), (0,))",
    "torch.ones(3).mT",
    "torch.ones(2, 3, 4).t()",
    "torch.ones(3).unfold(0, 4, 1)",
    "torch.ones(3)[::-1]",
    "torch.ones(3).squeeze(2)",
    "torch.ones(3).unsqueeze(3)",
    "torch.ones(2, 3).item()",
    "torch.tensor([bool(torch.ones(2))])",
]
GRADIENT_ERRORS = [
    "torch.ones(2).sum().backward()",
    "torch.ones(2, requires_grad=True).mul(2).backward()",
    "torch.arange(3).requires_grad_()",
    "torch.ones(2, requires_grad=True).add_(1)",
    "torch.ones(2, requires_grad=True)[0].zero_()",
    "torch.ones(2, requires_grad=True).mul(2).backward(torch.ones(3))",
    "torch.ones(2, requires_grad=True).mul(2).requires_grad_(False)",
    "torch.autograd.grad(torch.ones(2, requires_grad=True).sum(), torch.ones(2))",
    "torch.ones(2).retain_grad()",
    "torch.ones(3).expand(2, 3).add_(1)",
    "(lambda x: x[1:].add_(x[:-1]))(torch.ones(3))",
    "(lambda x: x.add_(x.t()))(torch.ones(2, 2))",
    "torch.ones(2, requires_grad=True).mul(2).unbind()[0].add_(1)",
    "torch.tensor(torch.ones(2, requires_grad=True).numpy())",
]


def some_view(draw: Draw, shape: list[int]) -> str:
    """A view (or, for some methods, a copy) of a tensor of a shape."""
    n, count = len(shape), math.prod(shape)

    def pick(*options: Any) -> Any:
        return draw(st.sampled_from(options))

    dim = draw(st.integers(-n, n - 1)) if n else 0
    kinds = ["flat", "clone()", "unsqueeze", "squeeze", "expand", "detach()"]
    if n:
        kinds += [
            "permute",
            "transpose",
            "slice",
            "slice",
            "select",
            "narrow",
            "unfold",
        ]
        kinds += ["movedim", "split", "chunk", "unbind", "mT", "flatten", "diagonal"]
    kind = pick(*kinds)
    if kind == "flat":
        sizes = pick([count], [-1], [1, count], [2, count // 2], [count, 1])
        return f".{pick('view', 'reshape')}({sizes})"
    if kind == "slice":
        part = f"{pick('', 1, -2)}:{pick('', 3, -1)}:{pick('', 2)}"
        return "[" + ":, " * (dim % n) + part + "]"
    arguments = {
        "unsqueeze": str(draw(st.integers(-n - 1, n))),
        "squeeze": str(pick("", dim)),
        "expand": str([2, *[2 if size == 1 else -1 for size in shape]]),
        "permute": str(list(draw(st.permutations(range(n))))),
        "transpose": f"{dim}, {draw(st.integers(0, max(n - 1, 0)))}",
        "movedim": f"{dim}, {draw(st.integers(0, max(n - 1, 0)))}",
        "select": f"{dim}, {pick(0, -1, 1)}",
        "narrow": f"{dim}, {pick(0, 1)}, {pick(1, 2)}",
        "unfold": f"{dim}, {pick(1, 2)}, {pick(1, 2)}",
        "split": f"{pick(1, 2)}, {dim}",
        "chunk": f"{pick(1, 2)}, {dim}",
        "unbind": str(dim),
        "flatten": f"{draw(st.integers(0, dim % n if n else 0))}, {dim}",
        "diagonal": str(pick(0, 1, -1)),
    }
    call = f".{kind}({arguments[kind]})" if kind in arguments else f".{kind}"
    return call + (f"[{pick(0, -1)}]" if kind in ("split", "chunk", "unbind") else "")


def apart(x: Tensor, y: Tensor) -> bool:
    """Whether two tensors lie in different memory."""
    return x.untyped_storage().data_ptr() != y.untyped_storage().data_ptr()


def some_line(draw: Draw, v: list[Tensor]) -> str:
    """A line that looks at tensors of `v`, changes them or asks for gradients."""
    places = st.integers(0, len(v) - 1) | st.just(len(v) - 1)
    i, j = draw(places), draw(places)
    one, two = draw(st.sampled_from(ONE)), draw(st.sampled_from(TWO))
    number = draw(st.sampled_from(["2.0", "0.5"]))
    view = f"v.append(v[{i}]{some_view(draw, list(v[i].shape))})"
    # What torch does to a tensor by a part of itself depends on the order it goes in.
    other = f"v[{j}]" if apart(v[i], v[j]) else f"v[{j}].clone()"
    lines = [view] * 6 + [
        f"v.append(v[{i}].{one}())",
        f"v.append(v[{i}].{two}(v[{j}]))",
        f"v[{i}].{one}_()",
        f"v[{i}].{two}_({other})",
        f"v[{i}].{two}_({other})",
        f"v[{i}].{two}_({number})",
        f"v[{i}].{two}_({number})",
        f"v[{i}].copy_({other})",
        f"v[{i}].zero_()",
        f"v[{i}][0] = {number}",
        f"v[{i}] += {other}",
        f"with torch.no_grad(): v[{i}].{two}_({number})",
        f"with torch.no_grad(): {view}",
        f"v[{i}].retain_grad()",
        f"(v[{i}] * v[{j}]).sum().backward(retain_graph={draw(st.booleans())})",
        f"v[{i}].sum().backward()",
        f"v += torch.autograd.grad(v[{i}].square().sum(), v[{j}], create_graph=True)",
    ]
    return draw(st.sampled_from(lines))


@given(st.data())
@settings(derandomize=True, deadline=None, max_examples=250)
def test_programs(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    first = {}
    for name in ["a", "b"][: draw(st.integers(1, 2))]:
        shape = draw(st.lists(st.integers(1, 3), max_size=3))
        generator = torch.Generator().manual_seed(draw(st.integers(0, 9)))
        numbers = torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5
        first[name] = numbers.requires_grad_(draw(st.booleans()))
    v = [x.detach().clone().requires_grad_(x.requires_grad) for x in first.values()]
    lines: list[str] = []
    for _ in range(draw(st.integers(2, 8))):
        lines.append(some_line(draw, v))
        count = len(v)
        try:
            exec(lines[-1])
        except Exception:
            v = v[:count]
        if sum(x.numel() for x in v) > 500:
            break
    lines.append("sum([(x * x).sum() for x in v]).backward()")
    code = PROGRAM.format(names=", ".join(first), lines=lines)
    wanted: dict[str, Any] = dict(first)
    exec(code, wanted)
    found = page.run(code, **first)
    assert page.error is None, page.error
    for ours, theirs in zip(found, wanted["result"], strict=True):
        assert len(ours) == len(theirs), lines
        for a, b in zip(ours, theirs, strict=True):
            same(a, b) if isinstance(b, Tensor) else check(a, b, lines)


def check(found: Any, wanted: Any, lines: list[str]) -> None:
    """Assert equality, and show the program if there is none."""
    assert found == wanted, "\n".join(lines)


@given(st.data())
@settings(derandomize=True, deadline=None, max_examples=60)
def test_types(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    types = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16"]
    types += ["int8", "uint8", "bool"]
    kinds = [
        f"torch.ones({draw(st.sampled_from(['()', '2']))}, dtype=torch.{kind})"
        for kind in draw(st.lists(st.sampled_from(types), min_size=2, max_size=2))
    ]
    number = draw(st.sampled_from(["True", "2", "2.5"]))
    compare(page, f"{kinds[0]} * {kinds[1]}")
    compare(page, f"{kinds[0]} * {number}")
    compare(page, f"{kinds[0]} / {kinds[1]}")
    values = draw(st.lists(st.floats(-100, 100), min_size=1, max_size=4))
    kind = f"torch.{draw(st.sampled_from(types[:8]))}"
    compare(page, f"torch.tensor({values}, dtype=torch.float64).to({kind})")
    compare(
        page, f"torch.tensor({values}, dtype=torch.float64).to({kind}).double() / 3"
    )


@pytest.mark.parametrize("call", VIEW_ERRORS + GRADIENT_ERRORS)
def test_errors(page: Any, call: str) -> None:
    compare(page, call)


def test_a_changed_tensor_is_found(page: Any) -> None:
    before = "x = torch.ones(2, requires_grad=True); y = x.{}(); y.add_(1)"
    for name in ["exp", "sigmoid", "sqrt", "tanh", "relu"]:
        compare(page, "y.sum().backward()", before=before.format(name))
    for name in ["abs", "sin", "neg", "clone"]:
        compare(page, "y.sum().backward() or x.grad", before=before.format(name))


def test_a_graph_is_freed(page: Any) -> None:
    before = "x = torch.ones(2, requires_grad=True); y = ({}).sum(); y.backward()"
    for expression in ["x * x", "x + 1", "x.exp()", "x / 2", "x.view(2, 1)", "x.sin()"]:
        compare(page, "y.backward() or x.grad", before=before.format(expression))


def test_hooks(page: Any) -> None:
    before = (
        "x = torch.ones(2, requires_grad=True); y = x * 3; seen = []\n"
        "a = y.register_hook(lambda g: g * 10)\n"
        "x.register_hook(lambda g: seen.append(g))\n"
        "(y * y).sum().backward(); a.remove()\n"
        "z = x * 2; z.retain_grad(); z.sum().backward()"
    )
    compare(page, "torch.stack([x.grad] + seen + [z.grad])", before=before)


RARE_ARGUMENTS = [
    "torch.ones(2, 3).sort('a')",
    "torch.ones(2, 3).sum(0, 1)",
    "torch.ones(2, 3).quantile([0.5])",
    "torch.ones(2, 3).repeat_interleave(1.5)",
    "torch.cat([torch.ones(2)], 0.5)",
    "torch.linspace(0, 1, 2.5)",
    "torch.linspace('a', 1, 5)",
    "torch.arange(True)",
    "torch.full(2, 3)",
    "torch.full((2,), 'a')",
    "torch.full((2,), 300, dtype=torch.uint8)",
    "torch.full_like(torch.ones(2, dtype=torch.int8), float('nan'))",
    "torch.ones(2, dtype=torch.uint8).fill_(-256)",
    "torch.ones(2, dtype=torch.uint8).fill_(-1)",
    "torch.ones(2, dtype=torch.int32).masked_fill(torch.tensor([True, False]), 2**40)",
    "torch.ones(2).fill_(1e39)",
    "torch.ones(2).addcmul(i.byte() + 99, i.byte() + 99)",
    "torch.ones(3).expand(2, 3).fill_(2)",
    "torch.ones(2, dtype=torch.uint8).__setitem__(0, 300)",
    "torch.meshgrid(torch.ones(2), torch.arange(2), indexing='ij')",
    "torch.ones(2, 2, 2).H",
    "torch.ones(3).broadcast_to(2, 3)",
    "torch.zeros(3, 3, 3).fill_diagonal_(1)",
    "torch.zeros(4, 3).fill_diagonal_(1)",
    "torch.zeros(2, 3, 4).fill_diagonal_(1)",
    "torch.arange(6.).view(2, 3)[[[0, 1], [1, 0]]]",
    "torch.arange(6.).view(2, 3)[[None, slice_]]",
    "torch.ones(2, 3).scatter(1, torch.tensor([[0], [2]]), 2.0, reduce='add')",
    "torch.ones(2, 3).scatter_(1, torch.tensor([[0]]), value=3, reduce='multiply')",
    "torch.ones(2, 3).scatter_(1, torch.tensor([[0]]), 3, reduce='mean')",
    "torch.ones(2, 3).nonzero(as_tuple=True)[1].view(2, 3)",
    "torch.ones(2, 3).nonzero().view(-1)",
    "torch.sigmoid(torch.ones(2), out=torch.ones(2, dtype=torch.int64))",
    "torch.max(x, 1, out=(o[0], i)) and [o, i]",
    "torch.var(x, 1, out=o[0]) is None or o",
    "torch.arange(2, out=o[1]) is None or o",
    "torch.where(x > 1, x, x, out=w) is None or w",
    "x.requires_grad_().register_hook(lambda g: 3) and x.sum().backward()",
    "Twice.apply(x.requires_grad_(), torch.ones(3)).sum().backward()",
    "Twice.apply(x.requires_grad_(), 3).sum().backward()",
    "Twice.apply(x.requires_grad_(), torch.ones(4, 2, 3)).sum().backward() or x.grad",
]
BEFORE_RARE = """
x, slice_ = torch.arange(6.).view(2, 3), torch.arange(2)
o, w, i = torch.zeros(2, 2), torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64)

class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, slope):
        ctx.slope = slope
        return x * 2

    @staticmethod
    def backward(ctx, g):
        return ctx.slope, None
"""


@pytest.mark.parametrize("call", RARE_ARGUMENTS)
def test_rare_arguments(page: Any, call: str) -> None:
    compare(page, call, before=BEFORE_RARE, text=False)
