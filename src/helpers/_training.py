"""Training as the pages do it: for how long, and what is said about the results."""

import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch

FACTOR = "LAYERS_BOOK_FACTOR"


def steps(number: int) -> int:
    """How many steps to train until converged: ``number``, times `make last`'s factor.

    What happens early is measured at a plain number of steps, whatever the factor.

    Args:
        number: of steps, as the page stores its results.

    Raises:
        ValueError: ``number``, or the factor in ``LAYERS_BOOK_FACTOR``, is below 1.

    >>> steps(600)
    600
    """
    text = os.environ.get(FACTOR, "1")
    factor = int(text) if text.isdecimal() else 0
    if factor < 1:
        raise ValueError(f"{FACTOR} is {text!r}: give a whole number from 1 on")
    if number < 1:
        raise ValueError(f"number is {number}: train for at least 1 step")
    return number * factor


class Difference(NamedTuple):
    """A mean over seeds and its standard error; formats as ``mean ± error``."""

    mean: float
    error: float

    def __format__(self, spec: str) -> str:
        return f"{self.mean:z{spec}} ± {self.error:{spec}}"


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
    """Print rows under their columns' names; numbers stand to the right.

    Args:
        columns: the names, one for each entry of a row.
        rows: texts and numbers; a float is printed with three digits. Give a text
            where another format is wanted.

    Raises:
        ValueError: a row with more or fewer entries than columns.

    >>> table(["layer", "error"], [["BatchNorm", 4.25], ["none", 12]])
    layer      error
    BatchNorm   4.25
    none          12
    """
    rows = [list(row) for row in rows]
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"row {row} has {len(row)} entries, not {len(columns)}")
    texts = [
        [f"{v:z.3g}" if isinstance(v, float) else str(v) for v in row] for row in rows
    ]
    left = [all(isinstance(row[i], str) for row in rows) for i in range(len(columns))]
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    for line in [columns, *texts]:
        cells = zip(line, widths, left, strict=True)
        print(
            "  ".join(f"{t:<{w}}" if s else f"{t:>{w}}" for t, w, s in cells).rstrip()
        )
