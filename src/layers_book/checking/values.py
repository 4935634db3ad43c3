"""Steps that ask a value of an answer, and what calls any answer.

MicroPython runs this file too; it needs no torch.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from layers_book.checking.recording import Case, Unanswered

Steps = Callable[..., Iterable[Any]]


def value_steps(answer: Any) -> Iterator[Case]:
    """Record a value as it is."""
    if unanswered(answer):
        raise Unanswered("put your value in place of the dots.")
    yield Case("value", "", "", answer)


def measure_steps(answer: Any) -> Iterator[Case]:
    """Record a measurement, or that of a function without arguments."""
    if callable(answer):
        answer = call(answer)
    if unanswered(answer):
        raise Unanswered("put your mean and its standard error in place of the dots.")
    yield Case("measurement", "", "", answer)


def asked(
    steps: Steps, answer: Any, inputs: Mapping[str, Any], options: Mapping[str, Any]
) -> Iterator[Any]:
    """What steps yield; an answer still in dots is refused before."""
    if answer is None or answer is Ellipsis:
        raise Unanswered("put your answer in place of the dots.")
    yield from steps(answer, **inputs, **options)


def call(answer: Any, *args: Any, **kwargs: Any) -> Any:
    """Call an answer; one that returns None or ``...`` counts as unanswered."""
    value = answer(*args, **kwargs)
    if isinstance(value, (tuple, list)) and unanswered(value):
        at = next(i for i, part in enumerate(value) if unanswered(part))
        raise Unanswered(f"value {at} of your result is, or holds, a None or `...`.")
    if unanswered(value):
        raise Unanswered(f"your code returns {value}; if it is complete, add a return.")
    return value


def unanswered(value: Any) -> bool:
    """Whether a value is, or holds, what stands for a missing one."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return any(map(unanswered, value))
    return value is None or value is Ellipsis
