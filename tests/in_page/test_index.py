"""The page's indexing, gathering, scattering, joining and repeating against torch's."""

from typing import Any

import pytest
import torch
from calls import SETTINGS, compare
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

FLOAT = (torch.float64,)
TYPES = (torch.float64, torch.float32, torch.int64, torch.bool)


def drawn(draw: Any, shape: tuple[int, ...], dtypes: Any = FLOAT) -> Tensor:
    """A tensor of a shape, most of which want a gradient."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    x = torch.randn(shape, generator=generator, dtype=torch.float64) * 2
    x = x.to(draw(st.sampled_from(dtypes)))
    return x.requires_grad_(x.is_floating_point() and draw(st.integers(0, 3)) > 0)


def places(draw: Any, shape: tuple[int, ...], size: int, least: int = 0) -> Tensor:
    """Whole numbers from ``least`` to below ``size``, now and then too large."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**20)))
    found = torch.randint(least, max(size, least + 1), shape, generator=generator)
    return found + (size if draw(st.integers(0, 15)) == 0 else 0)


@st.composite
def subscripts(draw: Any, shape: tuple[int, ...]) -> tuple[str, dict[str, Tensor]]:
    """What stands in brackets after a tensor, and the index tensors in it."""
    words: list[str] = []
    tensors: dict[str, Tensor] = {}
    together = draw(st.sampled_from(((2,), (3,), (2, 2), (1,))))
    dim = 0
    while dim < len(shape) and draw(st.integers(0, 6)):
        n = shape[dim]
        kind = draw(st.sampled_from("isssnbe" + "ttttm"))
        bound = st.one_of(st.none(), st.integers(-n - 1, n + 1))
        if kind == "i":
            words.append(str(draw(st.integers(-n, max(n - 1, 0)))))
        elif kind == "s":
            start, end = draw(bound), draw(bound)
            step = draw(st.sampled_from(("", ":1", ":2")))
            words.append(f"{'' if start is None else start}:{end or ''}{step}")
        elif kind in "nb":
            flag = str(draw(st.booleans()))
            words.append("None" if kind == "n" else flag)
            continue
        elif kind == "e":
            if "..." not in words:
                words.append("...")
            continue
        else:
            name = f"i{len(tensors)}"
            mask = drawn(draw, (n,), (torch.bool,))
            tensors[name] = places(draw, together, n, -n) if kind == "t" else mask
            words.append(name)
        dim += 1
    return ", ".join(words) or "...", tensors


SHAPES = st.sampled_from(((4,), (2, 3), (3, 2, 4), (2, 3, 2, 2), (0, 3), (1, 4)))


@given(data=st.data())
@settings(SETTINGS, max_examples=60)
def test_getting(page: Any, data: st.DataObject) -> None:
    """Ints, slices, None, ellipses, masks and tensors, mixed, also on views."""
    x = drawn(data.draw, data.draw(SHAPES), TYPES)
    view = data.draw(st.sampled_from(("x", "x", "x.transpose(0, -1)", "x[..., ::2]")))
    shape = tuple(eval(view, {"x": x}).shape)
    inside, tensors = data.draw(subscripts(shape))
    compare(page, f"{view}[{inside}]", twice=True, x=x, **tensors)


@given(data=st.data())
@settings(SETTINGS, max_examples=60)
def test_setting(page: Any, data: st.DataObject) -> None:
    """Numbers and tensors written at indices, with gradients of both."""
    x = drawn(data.draw, data.draw(SHAPES), (torch.float64, torch.int64))
    inside, tensors = data.draw(subscripts(tuple(x.shape)))
    try:
        shape = tuple(eval(f"x[{inside}]", {"x": x, **tensors}).shape)
    except Exception:
        shape = (1,)
    keep = data.draw(st.lists(st.booleans(), min_size=len(shape), max_size=len(shape)))
    less = tuple(n if keep[d] else 1 for d, n in enumerate(shape))
    fits = data.draw(st.sampled_from((shape, less, shape[1:], (), (1, *shape), (7,))))
    v = drawn(data.draw, fits, (x.dtype,))
    value = data.draw(st.sampled_from(("v", "v", "2.5", "True")))
    before = f"y = x.clone()\ny[{inside}] = {value}"
    compare(page, "y", before=before, text="expand" not in before, x=x, v=v, **tensors)
    before = f"y = x * 1\ny[{inside}] += {value}"
    if value != "2.5" or x.is_floating_point():
        compare(page, "y", before=before, text=False, x=x, v=v, **tensors)


@given(data=st.data())
@settings(SETTINGS, max_examples=25)
def test_along_a_dim(page: Any, data: st.DataObject) -> None:
    """gather, scatter and their relatives."""
    shape = data.draw(st.sampled_from(((4,), (2, 3), (3, 2, 4))))
    x = drawn(data.draw, shape, (torch.float64, torch.float32, torch.int64))
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    sizes = [data.draw(st.integers(1, n)) for n in shape]
    sizes[dim] = data.draw(st.integers(1, 5))
    i = places(data.draw, tuple(sizes), shape[dim])
    s = drawn(data.draw, tuple(sizes), (x.dtype,))
    reduce = data.draw(st.sampled_from(("sum", "mean", "amax", "amin", "prod")))
    own = data.draw(st.booleans())
    compare(page, f"x.gather({dim}, i)", twice=True, x=x, i=i)
    compare(page, f"x.scatter_add({dim}, i, s)", twice=True, x=x, i=i, s=s)
    compare(page, f"(x * 1).scatter_({dim}, i, s)", x=x, i=i, s=s)
    more = f"x.scatter_reduce({dim}, i, s, '{reduce}', include_self={own})"
    compare(page, more, x=x, i=i, s=s)


@given(data=st.data())
@settings(SETTINGS, max_examples=25)
def test_rows(page: Any, data: st.DataObject) -> None:
    """index_select, index_add, index_copy, index_fill, index_reduce."""
    shape = data.draw(st.sampled_from(((4,), (2, 3), (3, 2, 4))))
    x = drawn(data.draw, shape, (torch.float64, torch.float32, torch.int64))
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    count = data.draw(st.integers(0, 4))
    i = places(data.draw, (count,), shape[dim])
    sizes = list(shape)
    sizes[dim] = count
    s = drawn(data.draw, tuple(sizes), (x.dtype,))
    reduce = data.draw(st.sampled_from(("mean", "amax", "amin", "prod")))
    compare(page, f"x.index_select({dim}, i)", text=False, x=x, i=i)
    if i.numel() and int(i.max()) >= shape[dim]:
        return
    compare(page, f"x.index_add({dim}, i, s, alpha=2)", twice=True, x=x, i=i, s=s)
    compare(page, f"(x * 1).index_copy_({dim}, i, s)", x=x, i=i, s=s)
    compare(page, f"x.index_fill({dim}, i, 2)", x=x, i=i)
    compare(page, f"x.index_reduce({dim}, i, s, '{reduce}')", x=x, i=i, s=s)


@given(data=st.data())
@settings(SETTINGS, max_examples=20)
def test_masks(page: Any, data: st.DataObject) -> None:
    """Filled, selected and scattered by a mask."""
    shape = data.draw(st.sampled_from(((4,), (2, 3), (3, 2, 4), ())))
    x = drawn(data.draw, shape, TYPES[:3])
    small = data.draw(st.sampled_from((shape, shape[1:], (1, *shape), (2, 1, 1))))
    m = drawn(data.draw, small, (torch.bool,))
    v = drawn(data.draw, (), (x.dtype,))
    s = drawn(data.draw, (30,), (x.dtype,))
    value = data.draw(st.sampled_from(("v", "2", "-0.5")))
    compare(page, f"x.masked_fill(m, {value})", twice=True, x=x, m=m, v=v)
    compare(page, "x.masked_select(m), x.nonzero()", x=x, m=m)
    compare(page, "x.nonzero(as_tuple=True)", x=x)
    compare(page, "x.masked_scatter(m, s)", x=x, m=m, s=s)


JOINS = (
    "torch.cat((x, y, x), {dim})",
    "torch.stack((x, y), {dim})",
    "torch.hstack((x, y)), torch.vstack((x, y)), torch.column_stack((x, y))",
    "torch.dstack((x, y)), torch.cat((x, x.long(), y[:0]))",
    "torch.block_diag(x, y[:0], y.flatten()[0])",
)
MOVES = (
    "x.flip({dim}), x.flip(0, -1), x.fliplr(), x.flipud()",
    "x.roll({k}, {dim}), x.roll({k}), x.roll((1, {k}), (0, 1)), x.rot90({k})",
    "x.repeat(2, {n}, 1, 1), x.repeat(1, {n}, 2), x.tile(2), x.tile({n}, 2)",
    "x.repeat_interleave(2, {dim}), x.repeat_interleave({n})",
    "x.take(torch.tensor([[0, -1], [{n}, 3]])), x.take_along_dim(x.argsort(-1), -1)",
    "x.repeat_interleave(torch.arange(x.shape[{dim}]), {dim})",
)


@pytest.mark.parametrize("call", JOINS + MOVES)
@given(data=st.data())
@settings(SETTINGS, max_examples=6)
def test_joining_and_moving(page: Any, call: str, data: st.DataObject) -> None:
    """Tensors joined, turned and repeated."""
    shape = data.draw(st.sampled_from(((2, 3), (3, 2, 4), (2, 1), (2, 3))))
    x = drawn(data.draw, shape, TYPES[:3])
    y = drawn(data.draw, data.draw(st.sampled_from((shape, shape, (3, 3)))), TYPES[:3])
    numbers = {
        "dim": data.draw(st.integers(-len(shape), len(shape) - 1)),
        "k": data.draw(st.integers(-5, 5)),
        "n": data.draw(st.integers(0, 3)),
    }
    if "dstack" in call:
        x, y = x.detach(), y.detach()
    names = {"x": x, "y": y} if "y" in call else {"x": x}
    compare(page, call.format(**numbers), twice=True, **names)


@given(data=st.data())
@settings(SETTINGS, max_examples=10)
def test_one_hot(page: Any, data: st.DataObject) -> None:
    """Classes as rows, and lists of pairs."""
    i = places(data.draw, data.draw(st.sampled_from(((3,), (2, 2), ()))), 4)
    classes = data.draw(st.sampled_from((-1, 5, 3)))
    compare(page, f"F.one_hot(i, {classes})", i=i)
    j = i.reshape(-1)
    compare(page, "torch.combinations(j), torch.cartesian_prod(j, j)", j=j)
    compare(page, "torch.meshgrid(j, j[:2], indexing='xy')", j=j)


@pytest.mark.parametrize(
    "call",
    (
        "x[5]",
        "x[-3]",
        "x[0, 0, 0]",
        "x[[5]]",
        "x[:, [5]]",
        "x[::-1]",
        "x[[0, 1], [0, 1, 2]]",
        "x[torch.tensor([True, False, True])]",
        "x[torch.ones(2, 2).bool()]",
        "x[torch.ones(2, 3, 1).bool()]",
        "x[torch.tensor([0.5])]",
        "x[0.5]",
        "x[0, 0][0]",
        "x[0, 0][:]",
        "x[0].__setitem__(0, x)",
        "x.__setitem__(0, torch.ones(4))",
        "x.__setitem__([0], torch.ones(4))",
        "x.__setitem__(x > 0, torch.ones(5))",
        "x.__setitem__([0], torch.ones(3).double())",
        "x.clone().requires_grad_().__setitem__(0, 1)",
        "x.gather(0, torch.zeros(2).long())",
        "x.gather(0, torch.zeros(2, 4).long())",
        "x.gather(0, torch.zeros(3, 3).long() + 2)",
        "x.gather(0, x)",
        "x.scatter(0, x.long(), x[:, :2])",
        "x.scatter(0, x.long() + 5, x)",
        "x.index_select(0, x.long())",
        "x.index_add(0, torch.tensor([0, 1, 1]), x)",
        "x.index_copy(0, torch.tensor([0, 5]), x)",
        "x.masked_fill(x, 1)",
        "x.masked_fill(x > 0, x[0])",
        "x.masked_select(torch.ones(2, 2).bool())",
        "x.take(torch.tensor([7]))",
        "torch.cat([])",
        "torch.cat([x, x[0]])",
        "torch.cat([x, x[:, :2]])",
        "torch.cat([x, x], 2)",
        "torch.cat([x, x[0, 0]])",
        "torch.stack([])",
        "torch.stack([x, x[0]])",
        "torch.stack([x, x], 3)",
        "x.flip(2)",
        "x.roll((1, 2), 0)",
        "x.repeat(2)",
        "x.repeat_interleave(-1)",
        "x.repeat_interleave(torch.tensor([1, 2]))",
        "F.one_hot(x)",
        "F.one_hot(torch.tensor([3]), 2)",
        "F.one_hot(torch.tensor([-1]))",
    ),
)
def test_errors(page: Any, call: str) -> None:
    """Errors have torch's type and text."""
    compare(page, call, x=torch.ones(2, 3))
