"""Convolution, sliding blocks and pooling in the page against torch."""

from typing import Any

import pytest
import torch
from calls import SETTINGS, compare
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

Draw = st.DrawFn
FLOATS = st.sampled_from([torch.float64, torch.float64, torch.float32])


def sizes(n: int, least: int, most: int) -> st.SearchStrategy[object]:
    """A number for all dims, or one for each."""
    one = st.integers(least, most)
    return one | st.tuples(*[one] * n)


def tensor(draw: Draw, shape: list[int], dtype: torch.dtype, grad: bool) -> Tensor:
    """Numbers of a seed, some of them equal to others."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 9)))
    numbers = torch.randn(shape, generator=generator, dtype=torch.float64)
    if draw(st.integers(0, 3)) == 0:
        numbers = numbers.round()
    return numbers.to(dtype).requires_grad_(grad)


def image(draw: Draw, n: int, channels: int, most: int, dtype: torch.dtype) -> Tensor:
    """An input of n spatial dims, with or without a batch."""
    batch = draw(st.sampled_from([[], [1], [2]]))
    spatial = [draw(st.integers(1, most)) for _ in range(n)]
    return tensor(draw, [*batch, channels, *spatial], dtype, draw(st.booleans()))


@given(st.data())
@SETTINGS
def test_convolution(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    n = draw(st.integers(1, 3))
    dtype = draw(FLOATS)
    groups = draw(st.sampled_from([1, 1, 2]))
    ins, outs = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    x = image(draw, n, ins * groups, 6, dtype)
    kernel = [draw(st.integers(1, 3)) for _ in range(n)]
    w = tensor(draw, [outs * groups, ins, *kernel], dtype, draw(st.booleans()))
    b = tensor(draw, [outs * groups], dtype, True)
    padding = draw(sizes(n, 0, 2) | st.sampled_from(["'same'", "'valid'"]))
    compare(
        page,
        f"F.conv{n}d(x, w, {draw(st.sampled_from(['b', 'None']))}, "
        f"{draw(sizes(n, 1, 3))}, {padding}, {draw(sizes(n, 1, 2))}, {groups})",
        twice=draw(st.booleans()),
        x=x,
        w=w,
        b=b,
    )


@given(st.data())
@SETTINGS
def test_transposed_convolution(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    n = draw(st.integers(1, 3))
    dtype = draw(FLOATS)
    groups = draw(st.sampled_from([1, 1, 2]))
    ins, outs = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    x = image(draw, n, ins * groups, 4, dtype)
    kernel = [draw(st.integers(1, 3)) for _ in range(n)]
    w = tensor(draw, [ins * groups, outs, *kernel], dtype, draw(st.booleans()))
    b = tensor(draw, [outs * groups], dtype, True)
    compare(
        page,
        f"F.conv_transpose{n}d(x, w, {draw(st.sampled_from(['b', 'None']))}, "
        f"{draw(sizes(n, 1, 3))}, {draw(sizes(n, 0, 1))}, {draw(sizes(n, 0, 1))}, "
        f"{groups}, {draw(sizes(n, 1, 2))})",
        twice=draw(st.booleans()),
        # oneDNN words a size below zero in several ways.
        text=False,
        x=x,
        w=w,
        b=b,
    )


@given(st.data())
@SETTINGS
def test_sliding_blocks(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    options = ", ".join(
        f"{name}={draw(sizes(2, least, most))}"
        for name, least, most in [
            ("kernel_size", 1, 3),
            ("dilation", 1, 2),
            ("padding", 0, 2),
            ("stride", 1, 3),
        ]
    )
    x = image(draw, 2, 2, 6, draw(FLOATS))
    compare(page, f"F.unfold(x, {options})", twice=True, x=x)
    again = f"F.fold(F.unfold(x, {options}), {tuple(x.shape[-2:])}, {options})"
    compare(page, again, twice=True, x=x)


@given(st.data())
@SETTINGS
def test_pooling(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    n = draw(st.integers(1, 3))
    x = image(draw, n, 2, 7, draw(FLOATS))
    kernel = draw(sizes(n, 1, 3))
    stride = draw(st.none() | sizes(n, 1, 3))
    padding = draw(sizes(n, 0, 1))
    ceil = draw(st.booleans())
    more = draw(st.sampled_from(["", ", divisor_override=3"])) if n > 1 else ""
    compare(
        page,
        f"F.avg_pool{n}d(x, {kernel}, {stride}, {padding}, {ceil}, "
        f"{draw(st.booleans())}{more})",
        twice=True,
        x=x,
    )
    compare(
        page,
        f"F.max_pool{n}d(x, {kernel}, {stride}, {padding}, ceil_mode={ceil}, "
        f"return_indices={draw(st.booleans())})",
        text=n > 1,
        x=x,
    )
    compare(page, f"F.max_pool{n}d(x, 2, 1, 0, 2)", text=n > 1, x=x)


@given(st.data())
@SETTINGS
def test_adaptive_and_other_pooling(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    n = draw(st.integers(1, 3))
    x = image(draw, n, 2, 6, draw(FLOATS))
    output = draw(sizes(n, 1, 5))
    compare(page, f"F.adaptive_avg_pool{n}d(x, {output})", twice=True, x=x)
    compare(page, f"F.adaptive_max_pool{n}d(x, {output}, True)", x=x)
    compare(page, f"F.lp_pool{n}d(x, 2, 2, ceil_mode=True)", x=x)
    pooled = f"*F.max_pool{n}d(x, 2, return_indices=True)"
    # Of several places that are too large, torch names any.
    compare(page, f"F.max_unpool{n}d({pooled}, 2)", text=False, x=x)


@pytest.mark.parametrize(
    "call",
    [
        "F.conv2d(x, w)",
        "F.conv2d(y, torch.ones(3, 2, 3, 3))",
        "F.conv2d(y, torch.ones(4, 2, 3, 3), groups=3)",
        "F.conv2d(y, torch.ones(4, 4, 3, 3), groups=2)",
        "F.conv2d(y[0, 0], w)",
        "F.conv2d(y, torch.ones(3, 4, 7, 7))",
        "F.conv2d(y, w, torch.ones(2))",
        "F.conv2d(y, w.double())",
        "F.conv2d(y, w, torch.ones(3).double())",
        "F.conv2d(y, w, stride=2, padding='same')",
        "F.conv2d(y, w, padding='full')",
        "F.conv2d(y, w, stride=0)",
        "F.conv2d(y, w, padding=-1)",
        "F.conv2d(y, w, stride=(1, 2, 3))",
        "F.conv1d(y, torch.ones(3, 4, 3))",
        "F.conv3d(y[0], torch.ones(3, 4, 3, 3, 3))",
        "F.conv2d(y.long(), w.long())",
        "F.conv_transpose2d(y, w)",
        "F.conv_transpose2d(y, torch.ones(4, 2, 3, 3), torch.ones(4))",
        "F.conv_transpose2d(y, torch.ones(4, 2, 3, 3), stride=2, output_padding=2)",
        "F.unfold(y[0, 0], 2)",
        "F.unfold(y, 9)",
        "F.unfold(y, (2, 2, 2))",
        "F.unfold(y.long(), 2)",
        "F.fold(y[0], (4, 4), 2)",
        "F.fold(torch.ones(1, 8, 5), (4, 4), 2, stride=2)",
        "F.max_pool2d(y, 2, padding=2)",
        "F.max_pool2d(y, 9)",
        "F.max_pool2d(y[0, 0], 2)",
        "F.max_pool2d(y.long(), 2)",
        "F.max_pool2d(y, (2, 2, 2))",
        "F.avg_pool2d(y, 9)",
        "F.avg_pool2d(y, 2, divisor_override=0)",
        "F.avg_pool1d(y[0], 9)",
        "F.adaptive_avg_pool2d(y, (None, 2))",
        "F.adaptive_avg_pool2d(y, -1)",
        "F.adaptive_avg_pool2d(y[0, 0], 2)",
        "F.adaptive_avg_pool2d(y.long(), 2)",
    ],
)
def test_errors_and_rare_arguments(page: Any, call: str) -> None:
    x = torch.linspace(-1, 1, 75).reshape(1, 3, 5, 5)
    y = torch.linspace(-1, 1, 100).reshape(1, 4, 5, 5)
    w = torch.linspace(-1, 1, 108).reshape(3, 4, 3, 3)
    compare(page, call, x=x, y=y, w=w)


def test_outputs_share_no_memory_with_what_gradients_need(page: Any) -> None:
    x = torch.linspace(-1, 1, 32, dtype=torch.float64).reshape(1, 2, 4, 4)
    x.requires_grad_()
    compare(page, "F.max_pool2d(x * 2, 2).mul_(3)", x=x)
    compare(page, "F.conv2d(x * 2, x.detach()).relu_()", x=x)
    compare(page, "F.unfold(x * 2, 1).mul_(0)", x=x)
