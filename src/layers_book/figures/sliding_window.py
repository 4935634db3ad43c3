"""The figure of convolution and pooling: a window that walks over a padded input."""

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from traitlets import Bool, Enum, Float, HasTraits, Int, List, Unicode, Union

from layers_book.figures.figure import (
    Figure,
    draw_cells,
    inner,
    tokens,
    unlinked,
    within,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

KINDS = ("Conv2d", "MaxPool2d", "AvgPool2d")
MODES = ("zeros", "reflect", "replicate", "circular")
VIEWS = ("output", "input", "kernel")
# what a layer of the reader's must have, since the figure shows nothing else
PLAIN = {
    "in_channels": 1,
    "out_channels": 1,
    "ceil_mode": False,
    "return_indices": False,
    "count_include_pad": True,
    "divisor_override": None,
}
MOST = 12
Pair = int | Sequence[int]


def _pair(value: Pair) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _two(value: Pair) -> tuple[int, int]:
    first, second = _pair(value)
    return first, second


def _checked(low: int, high: int, name: str, value: Pair) -> list[int]:
    pair = _pair(value)
    if len(pair) != 2:
        raise ValueError(f"{name} is {value!r}: give one number or two, rows first")
    for number in pair:
        within(low, high, **{name: number})
    return pair


def _matrix(name: str, value: Tensor | Sequence[Sequence[float]]) -> list[list[float]]:
    """Rows of numbers of a matrix, or of a tensor whose first axes have size 1."""
    x = torch.as_tensor(value).detach().double().cpu()
    while x.ndim > 2 and x.shape[0] == 1:
        x = x[0]
    if x.ndim != 2 or not all(1 <= n <= MOST for n in x.shape):
        raise ValueError(
            f"{name} has shape {tuple(x.shape)}: it must be one matrix of 1 to {MOST} "
            "rows and columns; of a layer with channels give one, such as weight[0, 0]"
        )
    if not x.isfinite().all():
        raise ValueError(f"{name} is not finite: allowed are finite numbers")
    return [[round(v, 6) for v in row] for row in x.tolist()]


RANGES = {
    "size": (1, MOST),
    "kernel_size": (1, MOST),
    "stride": (1, MOST),
    "padding": (0, MOST),
    "dilation": (1, 4),
    "at": (0, 4 * MOST),
}


def _both(key: str, default: list[int], *words: str) -> Any:
    """A number for rows and one for columns; the padding may be ``same``."""
    form = ["pair", *RANGES[key], *words]
    return Union([List(Int()), Int(), Unicode()], default_value=default).tag(link=form)


class SlidingWindow(Figure):
    """A window of a convolution or pooling that walks over an input with padding.

    The reader moves the sizes and the output cell; the figure shows the input cells
    read, the sum written out, the size rule with its floor, and the cells never read.

    Args:
        x: your own input, ``(H, W)`` or with leading axes of size 1, at most 12 x 12.
        weight: your own kernel, ``(k_H, k_W)``, at most 12 x 12.
        bias: added to each output of a convolution.
        kind: ``Conv2d``, ``MaxPool2d`` or ``AvgPool2d``, each with one channel.
        size: rows and columns of the input, 1 to 12; one number stands for both, as
            in the arguments below, which are named as in torch.nn.
        kernel_size: 1 to 12.
        stride: 1 to 12; None is torch's default, 1 for a convolution and
            ``kernel_size`` for pooling.
        padding: 0 to 12, or ``"same"`` for a convolution.
        dilation: 1 to 4.
        padding_mode: of a convolution, ``zeros``, ``reflect``, ``replicate`` or
            ``circular``.
        view: which chosen cell is explained, of ``output``, ``input`` or ``kernel``.
        at: row and column of the output cell.
        predict: ask for the number of output rows first.
        layer: your own ``nn.Conv2d``, ``nn.MaxPool2d`` or ``nn.AvgPool2d``: kind,
            sizes, weight and bias are taken over.

    Raises:
        ValueError: an argument is not among what is allowed. Sizes that torch refuses
            raise nothing: the figure shows torch's error.

    Source: Dumoulin and Visin (2016), https://arxiv.org/abs/1603.07285

    >>> SlidingWindow(stride=2)
    SlidingWindow: Conv2d, kernel 3 x 3, stride 2; 6 x 6 becomes 2 x 2
    >>> SlidingWindow(kernel_size=7)
    SlidingWindow: Conv2d, kernel 7 x 7; torch raises RuntimeError
    >>> SlidingWindow(kind="MaxPool2d", kernel_size=2).layer
    MaxPool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0), dilation=(1, 1), \
ceil_mode=False)
    """

    by_place = ("x", "weight", "bias")
    others = ("layer",)

    class State(HasTraits):
        kind = Enum(KINDS, "Conv2d")
        size = _both("size", [6, 6])
        kernel_size = _both("kernel_size", [3, 3])
        stride = _both("stride", [1, 1])
        padding = _both("padding", [0, 0], "same")
        dilation = _both("dilation", [1, 1])
        padding_mode = Enum(MODES, "zeros")
        view = Enum(VIEWS, "output")
        at = _both("at", [0, 0])
        predict = Bool(False)
        x = List(default_value=None, allow_none=True).tag(once=True)
        weight = List(default_value=None, allow_none=True).tag(once=True)
        bias = Float(0).tag(once=True)
        cell = inner(_both("at", [0, 0]))  # of the input, where ``view`` is input
        entry = inner(_both("at", [0, 0]))  # of the kernel, where ``view`` is kernel
        guess = inner(Int(0, min=0, max=4 * MOST))
        p = unlinked(Int(0))  # what the sliders show of ``axis``
        axis = inner(Enum(("both", "rows", "columns"), "both"))

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """Settings and numbers of a layer and matrices of the reader's own."""
        layer = given.pop("layer", None)
        if layer is not None:
            given["kind"] = type(layer).__name__
            if given["kind"] not in KINDS:
                return given
            for key, plain in PLAIN.items():
                if getattr(layer, key, plain) != plain:
                    raise ValueError(
                        f"{key} of layer is {getattr(layer, key)!r}: allowed is {plain}"
                    )
            for key in ("kernel_size", "stride", "padding", "dilation", "padding_mode"):
                given[key] = getattr(layer, key, self.defaults[key])
            if isinstance(layer, nn.Conv2d):
                given["weight"] = layer.weight
                given["bias"] = 0 if layer.bias is None else layer.bias.item()
        for key, size in (("x", "size"), ("weight", "kernel_size")):
            if key in given:
                given[key] = _matrix(key, given[key])
                given[size] = [len(given[key]), len(given[key][0])]
        s = {**self.defaults, **given}
        if "stride" not in given and s["kind"] != "Conv2d":
            given["stride"] = s["kernel_size"]
        given["bias"] = round(float(s["bias"]), 6)
        for key, (low, high) in RANGES.items():
            if key in given and not isinstance(given[key], str):
                given[key] = _checked(low, high, key, given[key])
        return given

    def check(self, given: Mapping[str, Any]) -> None:
        """What one kind of layer takes."""
        s = self.values
        if isinstance(s["padding"], str) and (
            s["padding"] != "same" or s["kind"] != "Conv2d"
        ):
            raise ValueError(
                f"padding is {s['padding']!r}: allowed are numbers, and 'same'"
            )
        if s["kind"] == "AvgPool2d" and s["dilation"] != [1, 1]:
            raise ValueError(f"dilation is {given['dilation']}: AvgPool2d takes none")

    @property
    def x(self) -> Tensor:
        """The input, float64, ``(N, C, H, W)`` with N = C = 1."""
        s = self.values
        if s["x"] is not None:
            return torch.tensor(s["x"], dtype=torch.float64)[None, None]
        n_h, n_w = _pair(s["size"])
        r, c = torch.arange(n_h)[:, None], torch.arange(n_w)
        return ((2 * r + 3 * c + r * c) % 5).double()[None, None]

    @property
    def weight(self) -> Tensor:
        """The kernel of the convolution, float64, ``(k_H, k_W)``."""
        s = self.values
        if s["weight"] is not None:
            return torch.tensor(s["weight"], dtype=torch.float64)
        k_h, k_w = _pair(s["kernel_size"])
        u, v = torch.arange(k_h)[:, None], torch.arange(k_w)
        return ((u + 2 * v + u * v) % 4 - 1).double()

    @property
    def layer(self) -> nn.Module:
        """The ``torch.nn`` layer the figure shows, in float64.

        Raises:
            ValueError: ``padding="same"`` with a stride; torch's own words.
        """
        s = self.values
        rows, columns = self.weight.shape
        kernel, padding = (rows, columns), s["padding"]
        stride, dilation = _two(s["stride"]), _two(s["dilation"])
        if padding != "same":
            padding = _two(padding)
        if s["kind"] == "AvgPool2d":
            return nn.AvgPool2d(kernel, stride, padding)
        if s["kind"] == "MaxPool2d":
            return nn.MaxPool2d(kernel, stride, padding, dilation)
        layer = nn.Conv2d(
            1,
            1,
            kernel,
            stride,
            padding,
            dilation,
            bias=s["bias"] != 0,
            padding_mode=s["padding_mode"],
            dtype=torch.float64,
        )
        layer.weight.data[0, 0] = self.weight
        if layer.bias is not None:
            layer.bias.data.fill_(s["bias"])
        return layer

    def output(self) -> Tensor:
        """What the layer makes of ``x``, ``(N, C, H_out, W_out)``.

        Raises:
            RuntimeError: torch refuses the sizes; torch's own words.
            ValueError: ``padding="same"`` with a stride.
        """
        with warnings.catch_warnings(), torch.no_grad():
            warnings.filterwarnings("ignore", "Using padding='same' with even kernel")
            y: Tensor = self.layer(self.x)
        return y

    def _settings(self) -> str:
        s = self.values
        words = [f"kernel {' x '.join(map(str, self.weight.shape))}"]
        for key, usual in (("stride", 1), ("padding", 0), ("dilation", 1)):
            if s[key] == "same":
                words.append("padding same")
                continue
            pair = _pair(s[key])
            if pair != [usual, usual]:
                one = pair[0] == pair[1]
                words.append(f"{key} {pair[0] if one else tuple(pair)}")
        if s["kind"] == "Conv2d" and s["padding_mode"] != "zeros":
            words.append(s["padding_mode"])
        return f"{s['kind']}, {', '.join(words)}"

    def __repr__(self) -> str:
        before = " x ".join(map(str, self.x.shape[2:]))
        try:
            after = " x ".join(map(str, self.output().shape[2:]))
            found = f"{before} becomes {after}"
        except (RuntimeError, ValueError) as error:
            found = f"torch raises {type(error).__name__}"
        return f"SlidingWindow: {self._settings()}; {found}"

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""

        def told(values: Tensor) -> str:
            lines = (", ".join(f"{v:.4g}" for v in row) for row in values.tolist())
            return "; ".join(lines)

        caption = f"A sliding window: {self._settings()}"
        rows = [("input", told(self.x[0, 0]))]
        if self.values["kind"] == "Conv2d":
            rows.append(("kernel", told(self.weight)))
        try:
            return caption, [*rows, ("output", told(self.output()[0, 0]))]
        except (RuntimeError, ValueError) as error:
            words = f"{type(error).__name__}: {error}".splitlines()[0]
            return caption, [*rows, ("torch raises", words)]

    def _chosen(self, y: Tensor) -> tuple[int, int]:
        """The chosen output cell, kept inside, as the script keeps it."""
        i, j = (min(a, n - 1) for a, n in zip(self.values["at"], y.shape, strict=True))
        return i, j

    def _windowed(self, y: Tensor) -> set[tuple[int, int]]:
        """Cells of the input that the chosen output cell reads, by torch's gradient."""
        ones = torch.ones_like(self.weight).tolist()
        state = {**self.values, "kind": "Conv2d", "weight": ones, "bias": 0}
        window = self.from_state(state)
        assert isinstance(window, SlidingWindow)
        x = self.x.requires_grad_()
        i, j = self._chosen(y)
        (gradient,) = torch.autograd.grad(window.layer(x)[0, 0, i, j], x)
        return {(r, c) for r, c in gradient[0, 0].nonzero().tolist()}

    def draw(self, canvas: "Canvas") -> None:
        """Draw input, kernel and output side by side; the cells read are filled."""
        s = self.values
        ax = canvas.subplots()
        read: set[tuple[int, int]] = set()
        chosen: set[tuple[int, int]] = set()
        try:
            output = self.output()[0, 0]
            read, chosen = self._windowed(output), {self._chosen(output)}
        except (RuntimeError, ValueError):
            output = torch.zeros(0, 0)
        blocks = [("input", self.x[0, 0], read)]
        if s["kind"] == "Conv2d":
            every = {(u, v) for u in range(MOST) for v in range(MOST)}
            blocks.append(("kernel", self.weight, every))
        blocks.append(("output", output, chosen))
        left, height = 0, 1
        for role, values, filled in blocks:
            draw_cells(ax, values.tolist(), left, 0, role, filled)
            ax.text(left, -0.25, role, color=tokens()["light"]["muted"])
            left += max(values.shape[-1], 2) + 1
            height = max(height, len(values))
        ax.set_xlim(-0.2, left - 0.8)
        ax.set_ylim(height + 0.1, -0.9)
        ax.set_aspect("equal")
        ax.set_axis_off()
        ax.set_title(repr(self).split(": ", 1)[1], fontsize=9, loc="left")
