"""An error shown by its class and the parts of its text that are asserted."""

import warnings

import pytest

from helpers import shows_error

LONG = "size (3) of axis 1\nis not a multiple of groups (2): see the manual"


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ((), "ValueError"),
        (("of axis 1",), "ValueError: of axis 1"),
        (("size (*) of",), "ValueError: size (3) of"),
        (
            ("not a multiple *",),
            "ValueError: not a multiple of groups (2): see the manual",
        ),
        (("size (*)", "groups (*)"), "ValueError: size (3) ... groups (2)"),
    ],
)
def test_only_the_parts_are_shown(parts, shown, capsys):
    with shows_error(ValueError, *parts):
        raise ValueError(LONG)
    assert capsys.readouterr().out == shown + "\n"


def test_a_subclass_is_shown_as_the_class_that_was_named(capsys):
    with shows_error(RuntimeError):
        raise NotImplementedError
    assert capsys.readouterr().out == "RuntimeError\n"


@pytest.mark.parametrize(
    ("kind", "part"),
    [(TypeError, "size"), (ValueError, "gropus"), (ValueError, "axis 1*multiple")],
    ids=["another class", "a missing part", "no part goes over a line's end"],
)
def test_what_differs_is_an_error_that_names_both(kind, part):
    words = rf"expected {kind.__name__} with \['.*'\], got ValueError\('size"
    with pytest.raises(AssertionError, match=words), shows_error(kind, part):
        raise ValueError(LONG)


def test_the_parts_come_in_their_order():
    with pytest.raises(AssertionError), shows_error(ValueError, "groups", "size"):
        raise ValueError(LONG)


def test_nothing_raised_is_an_error():
    words = "expected ValueError, nothing was raised"
    with pytest.raises(AssertionError, match=words), shows_error(ValueError):
        pass


def test_a_warning_counts_where_one_is_named(capsys):
    with shows_error(UserWarning, "of * layers"):
        warnings.warn("dropout of one of two layers", stacklevel=1)
    assert capsys.readouterr().out == "UserWarning: of one of two layers\n"
    with warnings.catch_warnings(record=True) as caught:
        warnings.warn("the filters are as before", stacklevel=1)
    assert len(caught) == 1
