"""Training as the pages do it: for how long, and what is said about the results."""

import os
import re
from collections.abc import Iterable, Sequence
from html import escape
from itertools import chain, repeat
from typing import Any, NamedTuple

import torch

FACTOR = "LAYERS_BOOK_FACTOR"
# a text that is a number: 1,204 or 71 % or -0.4 ± 0.2
NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]\d+)?( ± [\d.,]+)?( ?[%x])?|nan|-?inf|-?")


def steps(number: int) -> int:
    """How many steps to train until converged: ``number``, times `make last`'s factor.

    What happens early is measured at a plain number of steps, whatever the factor.

    Args:
        number: of steps, as the page stores its results.

    Raises:
        ValueError: ``number``, or the factor in ``LAYERS_BOOK_FACTOR``, is no whole
            number from 1 on.

    >>> steps(600)
    600
    """
    text = os.environ.get(FACTOR, "1")
    factor = int(text) if text.isdecimal() else 0
    if factor < 1:
        raise ValueError(f"{FACTOR} is {text!r}: give a whole number from 1 on")
    if type(number) is not int or number < 1:
        raise ValueError(f"number is {number!r}: give a whole number from 1 on")
    return number * factor


class Difference(NamedTuple):
    """A mean over seeds and its standard error; ``.1f``, ``+.1f`` format them both."""

    mean: float
    error: float

    def __format__(self, spec: str) -> str:
        parts = re.fullmatch(r"([+ ]?)((?:\.\d+)?[efg%]?)", spec)
        if not parts:
            raise ValueError(f"the format is {spec!r}: give one such as .1f or +.1f")
        return f"{self.mean:{parts[1]}z{parts[2]}} ± {self.error:{parts[2]}}"


def paired(
    a: Sequence[float] | torch.Tensor, b: Sequence[float] | torch.Tensor
) -> Difference:
    """The mean of ``a - b`` over seeds, with its standard error.

    Args:
        a: ``(seeds,)``, what each seed's run measured.
        b: ``(seeds,)``, the same seeds' runs of what it is compared with.

    Returns:
        Mean and standard error: the standard deviation of the differences (n - 1)
        divided by the root of the number of seeds.

    Raises:
        ValueError: not one number for each seed, or fewer than two seeds.

    >>> print(f"{paired([7.0, 8.0, 9.0], [6.0, 6.0, 6.0]):.1f}")
    2.0 ± 0.6
    """
    a, b = (torch.as_tensor(v).detach().double().cpu() for v in (a, b))
    if a.ndim != 1 or a.shape != b.shape or len(a) < 2:
        raise ValueError(
            f"a and b have shapes {tuple(a.shape)} and {tuple(b.shape)}: give both "
            "one number for each seed, for at least two seeds"
        )
    difference = a - b
    error = difference.std() / len(a) ** 0.5
    return Difference(difference.mean().item(), error.item())


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Show rows under their columns' names; numbers stand to the right.

    A notebook shows a table of its own, elsewhere it is printed.

    Args:
        columns: the names, one for each entry of a row.
        rows: texts and numbers; a float, or a tensor of one, is shown with three
            digits. Give a text where another format is wanted.

    Raises:
        ValueError: a row with more or fewer entries than columns.

    >>> table(["layer", "error"], [["BatchNorm", 4.25], ["none", 12]])
    layer      error
    BatchNorm   4.25
    none          12
    """
    from IPython.display import display  # slow, and a notebook has it already

    rows, texts = [list(row) for row in rows], [list(columns)]
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"row {row} has {len(row)} entries, not {len(columns)}")
        row = [v.item() if isinstance(v, torch.Tensor) else v for v in row]
        texts.append([f"{v:z.3g}" if isinstance(v, float) else str(v) for v in row])
    words = [all(isinstance(row[i], str) for row in rows) for i in range(len(columns))]
    display(_Table(texts, words))


class _Table(NamedTuple):
    """Lines of texts, the names first, and which columns hold nothing but texts."""

    texts: list[list[str]]
    words: list[bool]

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self.texts, strict=True)]
        lines = (zip(line, self.words, widths, strict=True) for line in self.texts)
        return "\n".join(
            "  ".join(f"{t:{'<>'[not s]}{w}}" for t, s, w in line).rstrip()
            for line in lines
        )

    def _repr_html_(self) -> str:
        columns = zip(zip(*self.texts, strict=True), self.words, strict=True)
        sides = [
            "left" if words and not all(map(NUMBER.fullmatch, column[1:])) else "right"
            for column, words in columns
        ]
        head, *body = (
            "".join(
                # a column without a name has no heading
                f'<{tag if text else "td"} style="text-align: {side}">{escape(text)}'
                f"</{tag if text else 'td'}>"
                for text, side in zip(line, sides, strict=True)
            )
            for tag, line in zip(chain(["th"], repeat("td")), self.texts, strict=False)
        )
        return (
            f'<table class="rows">\n<thead><tr>{head}</tr></thead>\n<tbody>'
            + "\n".join(f"<tr>{line}</tr>" for line in body)
            + "</tbody>\n</table>"
        )
