"""A gradient is called cut off only where it is, and by the way that did it."""

import numpy as np
import pytest
import torch

from layers_book.checking import Exercise, check_exercise, function_run
from layers_book.checking.recording import plain


def _inputs(generator):
    x = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    return (x.requires_grad_(), x.detach().abs().add(1).requires_grad_()), {}


SCALE = Exercise(
    "page/scale",
    "def scale(x, w):\n    return x * w.square().sum()",
    function_run(_inputs, names=("x", "w")),
)


def _detach(x, w):
    return x * w.square().sum().detach()


def _data(x, w):
    return x * w.data.square().sum() + 0 * w.sum()


def _no_grad(x, w):
    with torch.no_grad():
        factor = w.square().sum()
    return x * factor + 0 * w.sum()


def _item(x, w):
    return x * w.square().sum().item() + 0 * w.sum()


def _float(x, w):
    return x * float(w.square().sum()) + 0 * w.sum()


def _copied(x, w):
    return x * torch.tensor(w.tolist(), dtype=w.dtype).square().sum()


@pytest.mark.parametrize(
    ("answer", "way"),
    [
        (_detach, r".detach()"),
        (_data, ".data"),
        (_no_grad, "torch.no_grad()"),
        (_item, ".item()"),
        (_float, "float(...)"),
        (_copied, ".tolist()"),
    ],
)
def test_the_way_is_named(answer, way):
    message = check_exercise(SCALE, answer).message
    assert way in message, message
    assert "cut off" in message or "No gradient reaches" in message


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w.square().sum()

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g * w.square().sum(), 4 * w * (g * x).sum()


def test_what_is_not_cut_off_is_not_called_so():
    message = check_exercise(SCALE, Twice.apply).message
    assert "gradient with respect to w" in message
    assert "cut off" not in message
    assert "detach" not in message


def test_an_index_of_whole_numbers_reaches_nothing():
    e = Exercise(
        "page/round",
        "def f(x, w):\n    return x.round() + 0 * w + (x - x.detach())",
        function_run(_inputs, names=("x", "w")),
    )
    message = check_exercise(e, lambda x, w: x.round() + 0 * w).message
    assert "No gradient reaches x" in message
    assert "rounding" in message


def test_marks_stay_on_no_input():
    generator = torch.Generator().manual_seed(0)
    (x, w), _ = _inputs(generator)
    check_exercise(SCALE, _detach)
    assert "cut" not in plain(x)
    assert not hasattr(w, "cut_by")
    assert np.isfinite(w.detach().numpy()).all()
