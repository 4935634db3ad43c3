"""The figure of dropout: which values share a coin, and what keeps the mean."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from traitlets import Bool, Enum, Float, HasTraits, Int, List

from layers_book.figures.figure import Figure, mix, tokens

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

KINDS = (
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "AlphaDropout",
    "FeatureAlphaDropout",
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

    by_place = ("kind", "p")

    class State(HasTraits):
        kind = Enum(KINDS, "Dropout")
        p = Float(0.5, min=0, max=2).tag(allowed="0 to 1 (above: torch's error)")
        training = Bool(True)
        draw = Int(0)
        N = Int(2, min=1, max=4).tag(once=True)
        C = Int(3, min=1, max=6).tag(once=True)
        L = Int(4, min=1, max=8).tag(once=True)
        show = Enum(("x", "y"), "y")
        cell = List(Int(), [0, 0, 0])

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """Kind, p and mode of a layer of the reader's own."""
        layer = given.get("kind")
        if isinstance(layer, nn.Module):
            given |= {"kind": type(layer).__name__, "training": layer.training}
            given["p"] = float(getattr(layer, "p", self.defaults["p"]))
        return given

    def check(self, given: Mapping[str, Any]) -> None:
        """The chosen cell lies inside the block."""
        cell, sizes = self.values["cell"], tuple(self.values[k] for k in "NCL")
        inside = zip(cell, sizes, strict=False)
        if len(cell) != 3 or not all(0 <= i < size for i, size in inside):
            raise ValueError(
                f"cell is {tuple(cell)}: must lie inside (N, C, L) = {sizes}"
            )

    @property
    def layer(self) -> nn.Module:
        """The ``torch.nn`` module the figure shows.

        Raises:
            ValueError: torch refuses p; its own words.
        """
        layer: nn.Module = getattr(nn, self.values["kind"])(self.values["p"])
        return layer.train(self.values["training"])

    @property
    def x(self) -> Tensor:
        """The input, ``(N, C, L)``, small whole numbers in float64."""
        n, c, k = torch.meshgrid(
            *(torch.arange(self.values[key]) for key in ("N", "C", "L")), indexing="ij"
        )
        x: Tensor = ((3 * n + 5 * c + 2 * k + c * k) % 5 + 1).double()
        return x

    def _coins(self) -> int:
        """How many coins are tossed: one a value, or one a channel of a sample."""
        s = self.values
        per_channel = s["kind"][-1] == "d" or s["kind"].startswith("Feature")
        return int(s["N"] * s["C"] * (1 if per_channel else s["L"]))

    @property
    def mask(self) -> Tensor:
        """True where a value is kept, ``(N, C, L)``, bool."""
        s = self.values
        shape = (s["N"], s["C"], s["L"])
        if not s["training"]:
            return torch.ones(shape, dtype=torch.bool)
        numbers = (uniform(s["draw"], i) for i in range(self._coins()))
        coins = torch.tensor([number >= s["p"] for number in numbers])
        return coins.reshape(s["N"], s["C"], -1).expand(shape)

    @property
    def y(self) -> Tensor:
        """The output under this mask, ``(N, C, L)``, float64."""
        s, x, mask = self.values, self.x, self.mask
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
        s = self.values
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
            for n in range(self.values["N"])
            for c in range(self.values["C"])
        ]
        means = f"{self.x.mean():.4g} before, {self.y.mean():.4g} after"
        return caption, [*rows, ("mean", means)]

    def draw(self, canvas: "Canvas") -> None:
        """Draw the block; what is dropped is dashed and unfilled."""
        from matplotlib.patches import Rectangle

        s, color = self.values, tokens()["light"]
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
