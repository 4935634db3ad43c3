"""The figure of the transposed convolution: stamps, the same gathered, the matrix."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from traitlets import Bool, Enum, Float, HasTraits, Int, List

from layers_book.figures.figure import Figure, draw_cells, tokens

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

VIEWS = ("scatter", "overlap", "gather", "matrix")
SETTINGS = ("stride", "padding", "output_padding", "dilation")
MOST = 24  # cells along an axis, so that a page can draw them


class TransposedConvolution(Figure):
    """One channel through ``nn.ConvTranspose2d``: stamps that add up.

    The reader moves kernel, stride, padding and output_padding, and picks an input or
    an output cell; the figure shows the stamps, how many cover each output cell, the
    same numbers by a convolution over the stuffed input, and the transposed matrix.

    Args:
        n: rows and columns of the input, 1 to 12.
        kernel_size: rows and columns of the kernel, 1 to 7.
        stride: 1 to 6.
        padding: 0 to 12.
        output_padding: 0 to 6; where torch refuses it, its words are shown.
        dilation: 1 to 4.
        view: ``scatter``, ``overlap``, ``gather`` or ``matrix``.
        at: the input cell looked at, row and column.
        to: the output cell looked at.
        predict: hide the output until its size is guessed.
        x: your own input, a matrix of at most 12 rows and columns.
        weight: your own kernel, a square matrix.
        bias: added to each output cell.
        layer: your own ``nn.ConvTranspose2d`` of one channel with the same settings
            along both axes: settings, weight and bias are taken over.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: Dumoulin and Visin (2016), https://arxiv.org/abs/1603.07285;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html

    >>> TransposedConvolution()
    TransposedConvolution: kernel 3, stride 2, (3, 3) becomes (7, 7)
    >>> TransposedConvolution(output_padding=2)
    TransposedConvolution: kernel 3, stride 2, output_padding 2, torch raises \
RuntimeError
    >>> TransposedConvolution(kernel_size=4, padding=1).layer
    ConvTranspose2d(1, 1, kernel_size=(4, 4), stride=(2, 2), padding=(1, 1))
    """

    by_place = ("n", "kernel_size", *SETTINGS)
    others = ("layer",)

    class State(HasTraits):
        n = Int(3, min=1, max=12)
        kernel_size = Int(3, min=1, max=7)
        stride = Int(2, min=1, max=6)
        padding = Int(0, min=0, max=12)
        output_padding = Int(0, min=0, max=6)
        dilation = Int(1, min=1, max=4)
        view = Enum(VIEWS, "scatter")
        at = List(Int(), [1, 1])
        to = List(Int(), [2, 2])
        predict = Bool(False)
        x = List(default_value=None, allow_none=True).tag(once=True)
        weight = List(default_value=None, allow_none=True).tag(once=True)
        bias = Float(0).tag(once=True)

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """Settings and numbers of a layer and tensors of the reader's own."""
        layer = given.pop("layer", None)
        if layer is not None:
            bias = 0 if layer.bias is None else round(layer.bias.item(), 6)
            given |= {**_settings(layer), "weight": layer.weight[0, 0], "bias": bias}
        weight, x = given.get("weight"), given.get("x")
        if weight is not None:
            if weight.ndim != 2 or weight.shape[0] != weight.shape[1]:
                shape = tuple(weight.shape)
                raise ValueError(f"weight has shape {shape}: allowed is (k, k)")
            given |= {"kernel_size": len(weight), "weight": _rows(weight)}
        if x is not None:
            if x.ndim != 2 or not all(1 <= size <= 12 for size in x.shape):
                shape = tuple(x.shape)
                raise ValueError(f"x has shape {shape}: allowed is up to (12, 12)")
            given |= {"n": len(x), "x": _rows(x)}
        return given

    def check(self, given: Mapping[str, Any]) -> None:
        """The padded input is not too large; chosen cells are two numbers."""
        s = self.values
        for key in ("at", "to"):
            if len(s[key]) != 2 or min(s[key]) < 0:
                raise ValueError(f"{key} is {tuple(s[key])}: allowed is (row, column)")
        longest = max(s["n"], len(s["x"][0])) if s["x"] else s["n"]
        reach = s["dilation"] * (s["kernel_size"] - 1)
        side = (longest - 1) * s["stride"] + 2 * reach + 1
        if side > MOST:
            raise ValueError(
                f"the padded input has {side} cells a side: allowed are at most {MOST}"
            )

    @property
    def x(self) -> Tensor:
        """The input, float64, ``(H, W)``."""
        s = self.values
        if s["x"] is not None:
            return torch.tensor(s["x"], dtype=torch.float64)
        i = torch.arange(s["n"])[:, None]
        j = torch.arange(s["n"])
        return ((3 * i + 5 * j + i * j) % 4 + 1).double()

    @property
    def weight(self) -> Tensor:
        """The kernel, float64, ``(kernel_size, kernel_size)``."""
        s = self.values
        if s["weight"] is not None and len(s["weight"]) == s["kernel_size"]:
            return torch.tensor(s["weight"], dtype=torch.float64)
        u = torch.arange(s["kernel_size"])[:, None]
        v = torch.arange(s["kernel_size"])
        return ((2 * u + 3 * v + u * v) % 5 - 1).double()

    @property
    def layer(self) -> nn.ConvTranspose2d:
        """The ``nn.ConvTranspose2d`` the figure shows, in float64."""
        s = self.values
        layer = nn.ConvTranspose2d(
            1, 1, s["kernel_size"], **{key: s[key] for key in SETTINGS}
        ).double()
        layer.weight.data[0, 0] = self.weight
        nn.init.constant_(cast(Tensor, layer.bias), s["bias"])
        return layer

    def output(self) -> Tensor:
        """The output, float64, ``(H_out, W_out)``.

        Raises:
            RuntimeError: torch refuses the settings; its own words.
        """
        with torch.no_grad():
            y: Tensor = self.layer(self.x[None, None])
        return y[0, 0]

    def counts(self) -> Tensor:
        """How many stamps cover each output cell, ``(H_out, W_out)``, whole numbers.

        Raises:
            RuntimeError: torch refuses the settings; its own words.
        """
        s = self.values
        ones = torch.ones_like(self.weight)[None, None]
        settings = {key: s[key] for key in SETTINGS}
        x = torch.ones_like(self.x)[None, None]
        return F.conv_transpose2d(x, ones, **settings)[0, 0].round().long()

    def _words(self) -> str:
        s = self.values
        usual = {"padding": 0, "output_padding": 0, "dilation": 1}
        more = "".join(f", {k} {s[k]}" for k, v in usual.items() if s[k] != v)
        return f"kernel {s['kernel_size']}, stride {s['stride']}{more}"

    def __repr__(self) -> str:
        try:
            shape = tuple(self.output().shape)
            found = f"{tuple(self.x.shape)} becomes {shape}"
        except RuntimeError:
            found = "torch raises RuntimeError"
        return f"TransposedConvolution: {self._words()}, {found}"

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        caption = f"Transposed convolution: {repr(self).split(': ', 1)[1]}"
        try:
            y, counts = self.output(), self.counts()
        except RuntimeError as error:
            return caption, [("torch raises", f"RuntimeError: {error}")]
        parts = {"input": self.x, "kernel": self.weight, "output": y, "stamps": counts}
        return caption, [
            (f"{name}, row {i}", ", ".join(f"{v:.4g}" for v in row))
            for name, values in parts.items()
            for i, row in enumerate(values.tolist())
        ]

    def draw(self, canvas: "Canvas") -> None:
        """Draw input, kernel and output; the stamp of the chosen cell is filled."""
        s = self.values
        ax = canvas.subplots()
        x, w = self.x, self.weight
        parts = [("input", x, 0.0), ("kernel", w, x.shape[1] + 1.0)]
        right = x.shape[1] + w.shape[1] + 2.0
        try:
            parts.append(("output", self.output(), right))
        except RuntimeError as error:
            ax.text(right, 1, str(error), color=tokens()["light"]["error"], wrap=True)
        r, c = (min(i, size - 1) for i, size in zip(s["at"], self.x.shape, strict=True))
        filled = {"input": {(r, c)}, "kernel": set(), "output": set()}
        for u in range(len(w)):
            for v in range(len(w)):
                places = (r, u), (c, v)
                i, j = (
                    a * s["stride"] + b * s["dilation"] - s["padding"]
                    for a, b in places
                )
                filled["output"].add((i, j))
                filled["kernel"].add((u, v))
        for role, values, left in parts:
            draw_cells(ax, values.tolist(), left, 0, role, filled[role])
            ax.text(left, -0.25, role, color=tokens()["light"]["muted"])
        last = parts[-1]
        ax.set_xlim(-0.2, max(right + 4, last[2] + last[1].shape[1] + 0.2))
        ax.set_ylim(max(len(p[1]) for p in parts) + 0.1, -0.9)
        ax.set_aspect("equal")
        ax.set_axis_off()
        ax.set_title(repr(self).split(": ", 1)[1], fontsize=9, loc="left")


def _rows(values: Tensor | None) -> list[list[float]] | None:
    """A matrix as lists, six decimals."""
    if values is None:
        return None
    return [[round(v, 6) for v in row] for row in values.detach().double().tolist()]


def _settings(layer: nn.ConvTranspose2d) -> dict[str, int]:
    """What the figure needs of a layer; one number for both axes."""
    for key in ("in_channels", "out_channels"):
        if getattr(layer, key) != 1:
            raise ValueError(
                f"{key} of layer is {getattr(layer, key)}: allowed is 1; pass one "
                "kernel of yours as weight=layer.weight[0, 0]"
            )
    found = {}
    for key in ("kernel_size", *SETTINGS):
        pair = getattr(layer, key)
        if pair[0] != pair[1]:
            raise ValueError(f"{key} of layer is {pair}: allowed are two equal numbers")
        found[key] = pair[0]
    return found
