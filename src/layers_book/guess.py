"""Questions whose answer a reader guesses before it is shown."""

import math
import re
from collections.abc import Mapping
from html import escape
from itertools import combinations
from numbers import Real
from typing import Any

# of an answer that is no whole number three digits are shown: so many must be right
CLOSE = 0.01


class Guess:
    """A question's answer and what guesses mean, as a notebook shows them."""

    def __init__(
        self, answer: str, options: Mapping[str, str], tolerance: float | None
    ) -> None:
        self.answer = answer
        self.options = options
        self.tolerance = tolerance

    def __repr__(self) -> str:
        return "\n".join(
            [f"Answer: {self.answer}", *map(": ".join, self.options.items())]
        )

    def _repr_html_(self) -> str:
        # tools/site reads this, and makes a form of it
        rows = "".join(
            f"<dt>{_html(option)}</dt><dd>{_html(sentence)}</dd>"
            for option, sentence in self.options.items()
        )
        kind = "" if self.tolerance is None else f' data-tolerance="{self.tolerance:g}"'
        return (
            f'<div class="guess"{kind}><p>Answer: <b>{_html(self.answer)}</b></p>'
            f"<dl>{rows}</dl></div>"
        )


def guess(
    answer: str | float,
    options: Mapping[str, str] | Mapping[float, str],
    tolerance: float | None = None,
) -> Guess:
    """Let the reader guess before a cell's output: the last line of a question cell.

    The book's page asks, and unfolds the output of the cell before, and the text after,
    once the reader has committed; a notebook shows the answer and the sentences.

    Args:
        answer: computed by the page, never typed. A text: the reader chooses among
            ``options``. A number: the reader enters one. Three digits are shown, of a
            whole number all.
        options: a sentence for each choice, the right one included, or for each
            typical wrong number. Words in backticks are set as code.
        tolerance: how far a right number may lie from ``answer``, relative to it. By
            default 0 for a whole number, else 0.01.

    Raises:
        ValueError: fewer than two choices, or an ``answer`` that is none of them; a
            number that is infinite or NaN, or not told apart from another.
        TypeError: an argument, an option or its sentence is of another type.

    >>> guess(2 + 3, {6: "That is 2 times 3."})
    Answer: 5
    6: That is 2 times 3.
    >>> guess("yes" if 2 < 3 else "no", {"yes": "By 1.", "no": "2 is smaller."})
    Answer: yes
    yes: By 1.
    no: 2 is smaller.
    """
    if not isinstance(options, Mapping):
        raise TypeError(
            f"options={options!r}: give a dict, from what a reader may guess to a "
            "sentence about it"
        )
    for option, sentence in options.items():
        if not isinstance(sentence, str) or not sentence.strip():
            raise TypeError(f"options[{option!r}] is {sentence!r}: give a sentence")
    if isinstance(answer, str):
        if tolerance is not None:
            raise ValueError(
                f"tolerance={tolerance!r}: only a number has one, and answer is "
                f"{answer!r}"
            )
        return Guess(answer, _choices(answer, options), None)
    number = _finite("answer", answer)
    if tolerance is None:
        tolerance = 0 if number.is_integer() else CLOSE
    if not 0 <= _finite("tolerance", tolerance) < 1:
        raise ValueError(f"tolerance={tolerance!r}: give one from 0 to below 1")
    typical = {
        _text(_finite("an option", option)): sentence
        for option, sentence in options.items()
    }
    _tell_apart([number, *map(float, options)], tolerance)
    return Guess(_text(number), typical, float(tolerance))


def _choices(answer: str, options: Mapping[Any, str]) -> dict[str, str]:
    for option in options:
        if not isinstance(option, str) or not option.strip():
            raise TypeError(
                f"an option is {option!r}: give texts, as answer is the text {answer!r}"
            )
    if answer not in options or len(options) < 2:
        raise ValueError(
            f"answer is {answer!r}, options are {list(options)}: give at least two, "
            "the answer among them"
        )
    return {str(option): sentence for option, sentence in options.items()}


def _finite(name: str, value: Any) -> float:
    # numpy's numbers are Real too; a bool is, but means a choice
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(
            f"{name} is {value!r}: give an int or a float (of a tensor its item()), "
            "or texts for a choice"
        )
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}: give a finite number")
    return float(value)


def _tell_apart(numbers: list[float], tolerance: float) -> None:
    """Refuse numbers that a reader's could mean both of: first is the answer."""
    for (i, one), (_, other) in combinations(enumerate(numbers), 2):
        near = abs(one - other) <= tolerance * (abs(one) + abs(other))
        if near or _text(one) == _text(other):
            what = f"the option {_text(one)}" if i else f"the answer {_text(one)}"
            raise ValueError(
                f"the option {_text(other)} is not told apart from {what} with "
                f"tolerance={tolerance:g}: drop it"
            )


def _text(number: float) -> str:
    """All digits of a whole number, three of another."""
    if number.is_integer():
        return f"{int(number):,}"
    return f"{number:.3g}" if abs(number) < 1000 else f"{number:,.0f}"


def _html(text: str) -> str:
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))
