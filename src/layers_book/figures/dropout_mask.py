"""The figure of dropout: which values share a coin, and what keeps the mean."""

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from layers_book.figures._figure import Figure, mix, tokens

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

KINDS = (
    *("Dropout", "Dropout1d", "Dropout2d", "Dropout3d"),
    *("AlphaDropout", "FeatureAlphaDropout"),
)
ALPHA = 1.7580993408473766
WORD = 0xFFFFFFFF


def uniform(draw: int, place: int) -> float:
    """A number in [0, 1) that the figure's JavaScript repeats exactly.

    >>> uniform(0, 0) == uniform(0, 0) != uniform(1, 0)
    True
    """
    return mix((draw + 1) * 0x9E3779B9 + (place + 1) * 0x85EBCA6B) / 2**32


class DropoutMask(Figure):
    """A block of values with those that a dropout layer drops.

    The reader moves the kind of layer, ``p``, train or eval, and draws again; the
    figure shows the mask, the rescaling, and mean and mean square before and after.

    Args:
        kind: ``Dropout``, ``Dropout1d``, ``Dropout2d``, ``Dropout3d``,
            ``AlphaDropout`` or ``FeatureAlphaDropout``, or your own layer of one of
            these kinds, whose p and mode are taken over.
        p: the probability of dropping, 0 to 1; above 1 shows torch's error.
        training: False is eval mode.
        draw: which draw of the mask.
        N: samples, 1 to 4.
        C: channels, 1 to 6.
        L: positions, 1 to 8.
        show: ``y``, the output, or ``x``, the input.
        cell: ``(n, c, l)``, the chosen value.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: Srivastava et al., Dropout, 2014,
    https://jmlr.org/papers/v15/srivastava14a.html

    >>> DropoutMask("Dropout2d", 0.5)
    DropoutMask: Dropout2d(p=0.5), train mode, 6 coins, 12 of 24 values dropped
    >>> DropoutMask(nn.AlphaDropout(0.2).eval())
    DropoutMask: AlphaDropout(p=0.2), eval mode, nothing is dropped
    """

    name = "dropout_mask"
    defaults: ClassVar[dict[str, Any]] = {
        "kind": "Dropout",
        "p": 0.5,
        "training": True,
        "draw": 0,
        "N": 2,
        "C": 3,
        "L": 4,
        "show": "y",
        "cell": [0, 0, 0],
    }
    traits = ("kind", "p", "training", "draw", "show", "cell")
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {"kind": KINDS, "show": ("x", "y")}

    def __init__(
        self,
        kind: str | nn.Module = "Dropout",
        p: float = 0.5,
        *,
        training: bool = True,
        draw: int = 0,
        N: int = 2,
        C: int = 3,
        L: int = 4,
        show: str = "y",
        cell: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        if isinstance(kind, nn.Module):
            p, training = float(getattr(kind, "p", p)), kind.training
            kind = type(kind).__name__
        own = {"kind": kind, "p": p, "training": training, "draw": draw, "show": show}
        for key, values in self.allowed.items():
            if own[key] not in values:
                raise ValueError(
                    f"{key} is {own[key]!r}: allowed are {', '.join(values)}"
                )
        if not 0 <= p <= 2:
            raise ValueError(f"p is {p}: allowed are 0 to 1 (above: torch's error)")
        for key, value, most in (("N", N, 4), ("C", C, 6), ("L", L, 8)):
            if not 1 <= value <= most:
                raise ValueError(f"{key} is {value}: allowed are 1 to {most}")
        if len(cell) != 3 or not all(
            0 <= i < size for i, size in zip(cell, (N, C, L), strict=True)
        ):
            raise ValueError(f"cell is {cell}: must lie inside (N, C, L) = {(N, C, L)}")
        super().__init__({**own, "N": N, "C": C, "L": L, "cell": list(cell)})

    @property
    def layer(self) -> nn.Module:
        """The ``torch.nn`` module the figure shows.

        Raises:
            ValueError: torch refuses p; its own words.
        """
        layer: nn.Module = getattr(nn, self._full["kind"])(self._full["p"])
        return layer.train(self._full["training"])

    @property
    def x(self) -> Tensor:
        """The input, ``(N, C, L)``, small whole numbers in float64."""
        n, c, k = torch.meshgrid(
            *(torch.arange(self._full[key]) for key in ("N", "C", "L")), indexing="ij"
        )
        x: Tensor = ((3 * n + 5 * c + 2 * k + c * k) % 5 + 1).double()
        return x

    def _coins(self) -> int:
        """How many coins are tossed: one a value, or one a channel of a sample."""
        s = self._full
        per_channel = s["kind"][-1] == "d" or s["kind"].startswith("Feature")
        return int(s["N"] * s["C"] * (1 if per_channel else s["L"]))

    @property
    def mask(self) -> Tensor:
        """True where a value is kept, ``(N, C, L)``, bool."""
        s = self._full
        shape = (s["N"], s["C"], s["L"])
        if not s["training"]:
            return torch.ones(shape, dtype=torch.bool)
        numbers = (uniform(s["draw"], i) for i in range(self._coins()))
        coins = torch.tensor([number >= s["p"] for number in numbers])
        return coins.reshape(s["N"], s["C"], -1).expand(shape)

    @property
    def y(self) -> Tensor:
        """The output under this mask, ``(N, C, L)``, float64."""
        s, x, mask = self._full, self.x, self.mask
        p = s["p"]
        if not s["training"] or p == 0:
            return x
        if p >= 1:
            return torch.zeros_like(x)
        if "Alpha" not in s["kind"]:
            return torch.where(mask, x / (1 - p), 0.0)
        a = float(((ALPHA**2 * p + 1) * (1 - p)) ** -0.5)
        y: Tensor = a * torch.where(mask, x, -ALPHA) + a * ALPHA * p
        return y

    def __repr__(self) -> str:
        s = self._full
        mode = "train" if s["training"] else "eval"
        head = f"DropoutMask: {s['kind']}(p={s['p']:g}), {mode} mode"
        if not s["training"]:
            return f"{head}, nothing is dropped"
        if s["p"] > 1:
            return f"{head}, torch raises ValueError"
        dropped = int((~self.mask).sum())
        found = f"{dropped} of {self.x.numel()} values dropped"
        return f"{head}, {self._coins()} coins, {found}"

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        caption = f"What dropout drops: {repr(self).split(': ', 1)[1]}"
        try:
            _ = self.layer
        except ValueError as error:
            return caption, [("torch raises", f"ValueError: {error}")]
        rows = [
            (
                f"sample {n}, channel {c}",
                ", ".join(f"{v:.4g}" for v in self.y[n, c].tolist()),
            )
            for n in range(self._full["N"])
            for c in range(self._full["C"])
        ]
        means = f"{self.x.mean():.4g} before, {self.y.mean():.4g} after"
        return caption, [*rows, ("mean", means)]

    def draw(self, canvas: "Canvas") -> None:
        """Draw the block; what is dropped is dashed and unfilled."""
        from matplotlib.patches import Rectangle

        s, color = self._full, tokens()["light"]
        ax = canvas.subplots()
        values = self.y if s["show"] == "y" else self.x
        for n, c, k in torch.cartesian_prod(*map(torch.arange, values.shape)).tolist():
            keep, left = bool(self.mask[n, c, k]), n * (s["L"] + 1) + k
            role = "output" if s["show"] == "y" else "input"
            ax.add_patch(
                Rectangle(
                    (left, c),
                    0.9,
                    0.9,
                    fc=color[f"{role}-fill"] if keep else color["bg"],
                    ec=color[role] if keep else color["padding"],
                    ls="-" if keep else "--",
                )
            )
            number = f"{float(values[n, c, k]):.2g}".replace("-", "\N{MINUS SIGN}")
            at = (left + 0.45, c + 0.45)
            ax.text(*at, number, ha="center", va="center", fontsize=9)
        for n in range(s["N"]):
            ax.text(n * (s["L"] + 1), -0.25, f"sample {n}", color=color["muted"])
        ax.set_xlim(-0.2, s["N"] * (s["L"] + 1) - 0.8)
        ax.set_ylim(s["C"] + 0.1, -0.9)
        ax.set_aspect("equal")
        ax.set_axis_off()
        ax.set_title(repr(self).split(": ", 1)[1], fontsize=9, loc="left")
