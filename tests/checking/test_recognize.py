"""A hint is given only to an answer that it is true of; told from plain records."""

import pytest

from layers_book.checking.judging.verdict import recognize

COUNT = 3


def _output(*numbers):
    value = {"tensor": "float64", "shape": [len(numbers)], "data": list(numbers)}
    return ("output", "", "", value)


def _raised(operation="Sub", sizes=(5, 2), text=""):
    text = text or (
        f"The size of tensor a ({sizes[0]}) must match the size of tensor b "
        f"({sizes[1]}) at non-singleton dimension 3"
    )
    value = {"type": "RuntimeError", "text": text, "state": "error"}
    return ("raised", "", "", value | {"operation": operation})


RIGHT = [[_output(1.0)], [_output(2.0)], [_output(3.0)]]


def _found(answer, *mistakes, right=None):
    records = [list(m) for m in mistakes]
    return recognize(
        COUNT,
        answer.__getitem__,
        (right or RIGHT).__getitem__,
        [m.__getitem__ for m in records],
    )


def test_a_mistake_that_acts_alike_is_found():
    wrong = [[_output(1.0)], [_output(2.5)], [_output(3.5)]]
    other = [[_output(1.5)], [_output(2.5)], [_output(3.5)]]
    assert _found(wrong, other, wrong) == (1, True)


def test_the_first_wrong_configuration_alone_is_enough_if_nothing_speaks_against_it():
    """As of an answer that makes a second mistake, which shows later."""
    answer = [[_output(1.5)], [_output(2.5)], [_output(9.0)]]
    mistake = [[_output(1.5)], [_output(2.5)], [_output(3.5)]]
    assert _found(answer, mistake) == (0, False)


def test_an_answer_that_is_right_where_the_mistake_is_not_makes_another():
    """As eps=1e-8: without eps a constant channel would give nan, and it gives none."""
    answer = [[_output(1.5)], [_output(2.5)], [_output(3.0)]]
    mistake = [[_output(1.5)], [_output(2.5)], [_output(float("nan"))]]
    assert _found(answer, mistake) == (None, False)


def _fact(value):
    return ("fact", "whether the mask differs along axis 0", "", value)


def test_a_yes_or_no_tells_too_little_by_itself():
    """As of noise without any mask: its mask does not differ either."""
    right = [[_fact(True), _output(1.0)]] * COUNT
    answer = [[_fact(False), _output(7.0)]] * COUNT
    mistake = [[_fact(False), _output(2.0)]] * COUNT
    assert _found(answer, mistake, right=right) == (None, False)
    assert _found(mistake, mistake, right=right) == (0, True)


@pytest.mark.parametrize(
    ("mistake", "alike"),
    [
        (_raised(), True),
        (_raised(sizes=(2, 5)), True),
        (_raised(sizes=(5, 3)), False),
        (_raised(operation="Mult"), False),
        (_raised(text="a leaf Variable is written to"), False),
    ],
)
def test_an_exception_is_the_same_if_the_same_operation_raised_it(mistake, alike):
    found, whole = _found([[_raised()]] * COUNT, [[mistake]] * COUNT)
    assert (found == 0, whole) == (alike, alike)
