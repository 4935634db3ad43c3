"""Where an exception comes from, and what is said of it."""

import numpy as np
import pytest
import torch

from layers_book.checking import Exercise, check_exercise, function_run

CENTER = "def center(x):\n    return x - x.mean(-1, keepdim=True)"


def _inputs(generator):
    return (torch.randn(4, 3, 5, generator=generator, dtype=torch.float64),), {}


E = Exercise("page/center", CENTER, function_run(_inputs))


def message(answer):
    return check_exercise(E, answer).message


def test_the_axis_is_named_and_the_lost_one():
    def center(x):
        mean = x.mean(-1)
        return x - mean

    said = message(center)
    assert "Along axis 2 one has 5 entries and the other 3" in said
    assert "keepdim=True" in said
    assert "view" not in said, "no parameter is there to give axes to"
    assert "`return x - mean`" in said


@pytest.mark.parametrize(
    "center",
    [
        lambda x: x - x.mean(-1),
        lambda x: x.sub(x.mean(-1)),
        lambda x: torch.sub(x, torch.mean(x, dim=-1)),
        lambda x: (
            x
            - x.mean(
                -1,
            )
        ),
    ],
)
def test_a_lost_axis_is_seen_in_any_form(center):
    assert "loses its axes" in message(center)


def test_sizes_that_no_reduction_explains():
    said = message(lambda x: x - torch.ones(3, dtype=x.dtype))
    assert "Along axis 2 one has 5 entries and the other 3" in said
    assert "loses its axes" not in said


def test_the_place_is_the_readers_own():
    def center(x):
        return x - np.mean(x, axis=-1, keepdims=True)

    said = message(center)
    assert "`return x - np.mean(x, axis=-1, keepdims=True)`" in said
    assert "dim and keepdim" in said
    assert "create tensors" not in said


class SpeechlessError(Exception):
    def __str__(self):
        raise ValueError


class Unprintable:
    def __repr__(self):
        raise ValueError


def _raises(error):
    def center(x):
        raise error

    return center


def _endless():
    items = []
    items += [items] * 30
    return items


@pytest.mark.parametrize(
    "answer",
    [
        _raises(SpeechlessError()),
        _raises(BaseException("no Exception")),
        _raises(GeneratorExit()),
        _raises(SystemExit(3)),
        _raises(ValueError("\ud800")),
        lambda x: Unprintable(),
        lambda x: {Unprintable(): x},
        lambda x: _endless(),
        lambda x: 10**400,
        lambda x: torch.nested.nested_tensor(list(x)),
        lambda x: x.to_sparse(),
        lambda x: x.to("meta"),
        lambda x: torch.quantize_per_tensor(x.float(), 0.1, 0, torch.qint8),
        lambda x: iter(x),
        lambda x: center_of_center(x),
    ],
)
def test_nothing_crashes_the_check(answer):
    verdict = check_exercise(E, answer)
    assert not verdict
    assert repr(verdict).encode()


def center_of_center(x):
    return center_of_center(x)
