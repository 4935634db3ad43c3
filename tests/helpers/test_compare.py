"""The assertions of the pages: silent about nothing, loud about differences."""

import pytest
import torch

from helpers import assert_same, assert_shape


def test_equal_tensors_are_named(capsys):
    assert_same(torch.zeros(2, 3), torch.zeros(2, 3), "two zeros")
    assert capsys.readouterr().out == "same: two zeros, (2, 3) float32\n"


@pytest.mark.parametrize(
    ("other", "word"),
    [
        (torch.ones(2, 3), "not close"),
        (torch.zeros(3, 2), "shape"),
        (torch.zeros(2, 3, dtype=torch.float64), "dtype"),
        (torch.full((2, 3), torch.nan), "not close"),
    ],
)
def test_differences_raise(other, word):
    with pytest.raises(AssertionError, match=word):
        assert_same(torch.zeros(2, 3), other, "what")


def test_rounding_passes_and_more_does_not():
    x = torch.ones(4)
    assert_same(x * (1 + 1e-6), x)
    with pytest.raises(AssertionError):
        assert_same(x * (1 + 1e-4), x)


def test_a_tensor_is_needed():
    with pytest.raises(TypeError, match=r"expected is 1\.0"):
        assert_same(torch.ones(1), 1.0)


def test_axes_get_names():
    x = torch.zeros(8, 3, 5, 5)
    assert assert_shape(x, "N C H W") == {"N": 8, "C": 3, "H": 5, "W": 5}
    assert assert_shape(x, "N C S S")["S"] == 5


@pytest.mark.parametrize(
    ("names", "given", "words"),
    [
        ("N C L", {}, r"4 axes.*names 3"),
        ("N C H W", {"C": 4}, r"axis C .* is 3, not 4"),
        ("N S S W", {}, r"axis S .* is 5, not 3"),
    ],
)
def test_wrong_axes_are_named(names, given, words):
    with pytest.raises(AssertionError, match=words):
        assert_shape(torch.zeros(8, 3, 5, 5), names, **given)


def test_an_unknown_letter_is_an_error_of_the_call():
    with pytest.raises(ValueError, match="K"):
        assert_shape(torch.zeros(2), "N", K=2)
