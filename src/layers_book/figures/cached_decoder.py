"""The figure of a causal layer that keeps keys and values, step by step."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from traitlets import Bool, HasTraits, Int

from layers_book.figures.figure import Figure, draw_cells, own_numbers, tokens, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


class Work(NamedTuple):
    """What a step does: multiplications, and numbers kept for the next one."""

    project: int  # tokens to queries, keys and values
    attend: int  # scores, and the mix of values
    kept: int


class CachedDecoder(Figure):
    """One causal head that writes token after token, with its cache or without.

    The reader goes on step by step, and switches the cache; the figure shows the keys
    and values that are there, the newest query's weights and output, and the work.

    Args:
        step: how many tokens there are, 1 to ``length``.
        cache: keep keys and values; False computes all of them anew at each step.
        length: of the text at its end, 2 to 8.
        d: features of a token, of a query, key and value, 1 to 4.
        x: your own tokens ``(length, d)``.
        at: the key looked at.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: N. Shazeer (2019), Fast Transformer Decoding, https://arxiv.org/abs/1911.02150

    >>> CachedDecoder(step=5)
    CachedDecoder: step 5 with a cache: 57 multiplications, 30 numbers kept
    >>> CachedDecoder(step=5, cache=False)
    CachedDecoder: step 5 with no cache: 285 multiplications, 0 numbers kept
    """

    by_place = ("step",)
    others = ("x",)

    class State(HasTraits):
        step = Int(4, min=1, max=8)
        cache = Bool(True)
        length = Int(8, min=2, max=8)
        d = Int(3, min=1, max=4)
        at = Int(0)
        x = own_numbers()

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """The reader's own tokens."""
        x = given.get("x")
        if not isinstance(x, Tensor):
            return given
        if x.dim() != 2 or not 2 <= len(x) <= 8 or not 1 <= x.shape[1] <= 4:
            raise ValueError(
                f"x has shape {tuple(x.shape)}: allowed are 2 to 8 rows of 1 to 4"
            )
        if not x.isfinite().all():
            raise ValueError("x has values that are not finite")
        rows = (x.detach().double() * 1e5).round().div(1e5).tolist()
        return {"step": len(x)} | given | {"x": rows, "length": len(x), "d": x.shape[1]}

    def check(self, given: Mapping[str, Any]) -> None:
        """The step and the key exist."""
        s = self.values
        within(1, s["length"], step=s["step"])
        within(0, s["step"] - 1, at=s["at"])

    def tokens(self) -> Tensor:
        """All tokens ``(length, d)``."""
        s = self.values
        rows = s["x"] or [_number(0, s["d"], i) for i in range(s["length"])]
        return torch.tensor(rows, dtype=torch.float64)

    @property
    def layer(self) -> nn.MultiheadAttention:
        """A head of torch's without biases and output projection, in float64."""
        d = self.values["d"]
        layer = nn.MultiheadAttention(d, 1, bias=False, dtype=torch.float64)
        rows = [_number(part, d, i) for part in (1, 2, 3) for i in range(d)]
        layer.in_proj_weight.data.copy_(torch.tensor(rows))
        nn.init.eye_(layer.out_proj.weight)
        return layer

    def attended(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """q, k, v and output ``(step, d)`` and weights ``(step, step)``, by torch."""
        x, layer = (
            self.tokens()[: self.values["step"]],
            self.layer.requires_grad_(False),
        )
        q, k, v = F.linear(x, layer.in_proj_weight).chunk(3, 1)
        late = torch.ones(len(x), len(x), dtype=torch.bool).triu(1)
        output, weights = layer(x, x, x, attn_mask=late)
        return q, k, v, output, weights

    def work(self, step: int | None = None) -> Work:
        """What the step asks for, or another one."""
        s, d = self.values, self.values["d"]
        t = step or s["step"]
        rows = 1 if s["cache"] else t
        # a score and a share for each pair that is computed
        return Work(3 * rows * d * d, 2 * rows * t * d, 2 * t * d * s["cache"])

    def __repr__(self) -> str:
        s, work = self.values, self.work()
        cache = "a cache" if s["cache"] else "no cache"
        return (
            f"CachedDecoder: step {s['step']} with {cache}: "
            f"{work.project + work.attend} multiplications, {work.kept} numbers kept"
        )

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        rows = []
        for step in range(1, self.values["length"] + 1):
            work = self.work(step)
            done = work.project + work.attend
            rows.append((f"step {step}", f"{done} multiplications, {work.kept} kept"))
        cache = "keys and values kept" if self.values["cache"] else "all computed anew"
        return f"A causal head, token after token: {cache}", rows

    def draw(self, canvas: "Canvas") -> None:
        """Draw keys, values, the last query's weights and its output."""
        ax, s = canvas.subplots(), self.values
        _, k, v, output, weights = self.attended()
        left, new = 0.0, {(s["step"] - 1, c) for c in range(s["d"])}
        filled = (
            new if s["cache"] else {(r, c) for r in range(s["step"]) for _, c in new}
        )
        for name, values, role in (
            ("keys", k, "kernel"),
            ("values", v, "input"),
            ("weights", weights[-1:].T, "statistic"),
            ("output", output[-1:], "output"),
        ):
            shown = values.round(decimals=1) + 0.0
            draw_cells(ax, shown.tolist(), left, 0, role, filled)
            ax.text(left, -0.25, name, color=tokens()["light"]["muted"])
            left += values.shape[1] + 1
        ax.set_xlim(-0.5, left)
        ax.set_ylim(s["length"] + 0.1, -0.9)
        ax.set_aspect("equal")
        ax.set_axis_off()
        ax.set_title(repr(self).split(": ", 1)[1], fontsize=9, loc="left")


def _number(part: int, count: int, row: int) -> list[float]:
    """Small numbers, of tokens or weights, the same in the figure's JavaScript."""
    parts = 4 if part else 2
    found = range(count)
    return [((7 * part + 5 * row + 3 * i + row * i) % 9 - 4) / parts for i in found]
