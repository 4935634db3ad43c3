"""The window rules against torch's layers, and the errors in our words."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from helpers import flops, transposed_count, window_count

SIZE, KERNEL = st.integers(1, 12), st.integers(1, 5)
STEP, PAD = st.integers(1, 4), st.integers(0, 4)


def shape_or_none(layer: nn.Module, n: int) -> int | None:
    try:  # on the CPU: the meta device lets an output_padding pass that no other does
        return layer(torch.zeros(1, 1, n)).shape[-1]
    except (RuntimeError, ValueError):
        return None


def ours_or_none(rule, *args, **more) -> int | None:
    try:
        return rule(*args, **more)
    except ValueError:
        return None


@given(SIZE, KERNEL, STEP, PAD, STEP)
@settings(max_examples=300, deadline=None)
def test_convolution(n, k, s, p, d):
    layer = nn.Conv1d(1, 1, k, s, p, d)
    assert ours_or_none(window_count, n, k, s, p, d) == shape_or_none(layer, n)


@given(SIZE, KERNEL, STEP, PAD, STEP, st.booleans())
@settings(max_examples=300, deadline=None)
def test_pooling(n, k, s, p, d, ceil_mode):
    if p > k // 2:  # torch refuses such a padding of pooling, whatever the size
        p = k // 2
    layer = nn.MaxPool1d(k, s, p, d, ceil_mode=ceil_mode)
    ours = ours_or_none(window_count, n, k, s, p, d, ceil_mode)
    torchs = shape_or_none(layer, n)
    if ours is None and ceil_mode:  # torch then also takes a window that is cut off
        assert torchs in (None, 1)
    else:
        assert ours == torchs


@given(SIZE, KERNEL, STEP, PAD, PAD, STEP)
@settings(max_examples=300, deadline=None)
def test_transposed(n, k, s, p, extra, d):
    try:
        layer = nn.ConvTranspose1d(1, 1, k, s, p, extra, dilation=d)
    except ValueError:
        layer = None
    expected = shape_or_none(layer, n) if layer else None
    assert ours_or_none(transposed_count, n, k, s, p, extra, d) == expected


# Dumoulin and Visin (2016): i, k, s, p -> o of the figures of chapters 2 and 4
PUBLISHED = [(4, 3, 1, 0, 2), (5, 4, 1, 2, 6), (5, 3, 1, 1, 5), (5, 3, 1, 2, 7)]
PUBLISHED += [(5, 3, 2, 0, 2), (5, 3, 2, 1, 3), (6, 3, 2, 1, 3)]


@pytest.mark.parametrize(("i", "k", "s", "p", "o"), PUBLISHED)
def test_published_arithmetic(i, k, s, p, o):
    assert window_count(i, k, s, p) == o
    lost = (i + 2 * p - k) % s  # the a of relationship 14
    assert transposed_count(o, k, s, p, lost) == i


def test_published_dilation():
    assert window_count(7, 3, dilation=2) == 3


@pytest.mark.parametrize(
    ("rule", "arguments", "words"),
    [
        (window_count, (5, 7), "spans 7 > n 5 .*use padding >= 1"),
        (window_count, (5, 3, 0), "stride is 0: allowed are 1 and above"),
        (window_count, (5, 3, 1, -1), "padding is -1: allowed are 0 and above"),
        (transposed_count, (1, 1, 1, 1), "padding 1 leaves -1 cells of 1.*<= 0"),
        (transposed_count, (3, 3, 2, 0, 2), "output_padding is 2: .*stride 2 or"),
    ],
)
def test_errors(rule, arguments, words):
    with pytest.raises(ValueError, match=words):
        rule(*arguments)


def test_the_padding_that_is_advised_is_the_least():
    for n in range(1, 6):
        for k in range(n + 1, 9):
            with pytest.raises(ValueError, match="use padding") as caught:
                window_count(n, k)
            padding = int(str(caught.value).split(">= ")[1].split()[0])
            assert window_count(n, k, padding=padding) >= 1
            assert ours_or_none(window_count, n, k, 1, padding - 1) is None


def test_fractions_are_refused():
    with pytest.raises(TypeError, match=r"n is 5.0: it must be a whole number"):
        window_count(5.0, 3)


@given(SIZE, KERNEL, st.integers(1, 3), st.sampled_from([1, 2]))
@settings(max_examples=50, deadline=None)
def test_flops_of_convolution(n, k, multiple, groups):
    size = n + k
    c_in, c_out = 2 * multiple, 4 * multiple
    layer = nn.Conv2d(c_in, c_out, k, groups=groups)
    products = c_out * window_count(size, k) ** 2 * c_in // groups * k * k
    assert flops(layer, (3, c_in, size, size)) == 2 * 3 * products


def test_flops_says_what_it_does_not_count():
    assert flops(nn.MaxPool2d(2), (1, 1, 8, 8)) == 0
    with pytest.raises(TypeError, match="layer is 3"):
        flops(3, (1, 2))
