"""The figure of two positions: what their distance does to an attention score."""

from collections.abc import Mapping
from math import cos, sin
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from traitlets import Bool, Enum, HasTraits, Int

from layers_book.figures.figure import Figure, own_numbers, tokens, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

LENGTH = 64


class PositionScores(Figure):
    """A query at position m, a key at n: their score, divided by the root of d.

    ``rotary`` turns each pair of features (2i, 2i + 1) by m or n times the pair's
    angle; ``sinusoidal`` adds the sines and cosines of these angles. The reader moves
    the positions, alone or together, and sees which scores depend on the distance only.

    Args:
        method: ``rotary`` or ``sinusoidal``.
        m: the query's position, 0 to 63.
        n: the key's position, 0 to 63.
        d: features, 2 to 16, even.
        base: of the angles ``base ** (-2 * i / d)``, 2 to 100,000; 10,000 in
            the papers.
        content: False takes the words away: ``rotary`` then turns the vectors (1, 0,
            1, 0, ...), ``sinusoidal`` has nothing but the positions.
        q: your own query before its position, ``(d,)``.
        k: your own key, ``(d,)``.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: J. Su and others (2021), RoFormer, https://arxiv.org/abs/2104.09864;
    A. Vaswani and others (2017), https://arxiv.org/abs/1706.03762 (section 3.5).

    >>> PositionScores()
    PositionScores: rotary, query at 12, key at 7: score 0.63, at every shift
    >>> [round(score, 2) for score in PositionScores("sinusoidal").spread()]
    [-0.14, 2.98]
    """

    by_place = ("method",)
    others = ("q", "k")

    class State(HasTraits):
        method = Enum(("rotary", "sinusoidal"), "rotary")
        m = Int(12, min=0, max=LENGTH - 1)
        n = Int(7, min=0, max=LENGTH - 1)
        d = Int(8, min=2, max=16)
        base = Int(100, min=2, max=100_000)
        content = Bool(True)
        q = own_numbers()
        k = own_numbers()

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """A query and a key of the reader's own."""
        own = [given.get("q"), given.get("k")]
        if own == [None, None] or isinstance(own[0], list):
            return given
        for name, value in zip("qk", own, strict=True):
            if value is None or value.dim() != 1 or not value.isfinite().all():
                raise ValueError(
                    f"{name} is {value}: give q and k, both (d,), of finite numbers"
                )
            given[name] = [round(v, 5) for v in value.detach().double().tolist()]
        if len(given["q"]) != len(given["k"]):
            raise ValueError(
                f"q has {len(given['q'])} features, k {len(given['k'])}: give as many"
            )
        return given | {"d": len(given["q"])}

    def check(self, given: Mapping[str, Any]) -> None:
        """Features come in pairs."""
        s = self.values
        if s["d"] % 2:
            raise ValueError(f"d is {s['d']}: allowed are even numbers from 2 to 16")
        within(2, 16, d=s["d"])

    def vectors(self) -> tuple[Tensor, Tensor]:
        """Query and key before their positions, ``(d,)`` each."""
        s, d = self.values, self.values["d"]
        if not s["content"]:
            word = [1.0, 0.0] * (d // 2) if s["method"] == "rotary" else [0.0] * d
            q = k = word
        elif s["q"] is not None:
            q, k = s["q"], s["k"]
        else:
            q = [v for i in range(d // 2) for v in _tenths(i)]
            k = [v for i in range(d // 2) for v in _tenths(i + 0.9 / (i + 1))]
        return (
            torch.tensor(q, dtype=torch.float64),
            torch.tensor(k, dtype=torch.float64),
        )

    def scores(self) -> Tensor:
        """The score of each query position with each key position, ``(64, 64)``."""
        s, (q, k) = self.values, self.vectors()
        pairs = torch.arange(0, s["d"], 2).double()
        angles = torch.arange(LENGTH).double()[:, None] * s["base"] ** (-pairs / s["d"])
        turn = torch.polar(torch.ones_like(angles), angles)  # (64, d / 2)
        if s["method"] == "rotary":
            found = [
                torch.view_as_real(torch.view_as_complex(x.view(-1, 2)) * turn)
                for x in (q, k)
            ]
        else:
            table = torch.stack([turn.imag, turn.real], -1)  # sine first
            found = [x.view(-1, 2) + table for x in (q, k)]
        a, b = (x.flatten(1) for x in found)
        scores: Tensor = a @ b.T / s["d"] ** 0.5
        return scores

    def spread(self) -> tuple[float, float]:
        """The smallest and the largest score of all pairs at this distance."""
        same = self.scores().diagonal(self.values["n"] - self.values["m"])
        return same.min().item(), same.max().item()

    @property
    def layer(self) -> Any:
        """There is none: torch.nn ships neither of the two."""
        raise AttributeError("torch.nn has no layer of positions of this kind")

    def __repr__(self) -> str:
        s = self.values
        score = self.scores()[s["m"], s["n"]].item()
        low, high = self.spread()
        where = "at every shift"
        if high - low > 1e-9:
            where = f"elsewhere {low:.2f} to {high:.2f}"
        return (
            f"PositionScores: {s['method']}, query at {s['m']}, key at {s['n']}: score "
            f"{score:.2f}, {where}"
        )

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        s, scores = self.values, self.scores()
        shift = range(0, LENGTH - max(s["m"], s["n"]), 10)
        return repr(self).split(": ", 1)[1], [
            (
                f"query at {s['m'] + by}, key at {s['n'] + by}",
                f"{scores[s['m'] + by, s['n'] + by]:.2f}",
            )
            for by in shift
        ]

    def draw(self, canvas: "Canvas") -> None:
        """Draw the score over the key's position."""
        ax, s, color = canvas.subplots(), self.values, tokens()["light"]
        row = self.scores()[s["m"]]
        ax.plot(row, color=color["output"])
        ax.plot(s["n"], row[s["n"]], "o", color=color["kernel"])
        ax.axvline(s["m"], color=color["input"], lw=1)
        ax.set(xlabel="position of the key", ylabel="score")
        ax.set_title(repr(self).split(": ", 1)[1], fontsize=9, loc="left")


def _tenths(turn: float) -> tuple[float, float]:
    """A vector of length 1, nearly: the same in the figure's JavaScript."""
    return round(10 * cos(turn)) / 10, round(10 * sin(turn)) / 10
