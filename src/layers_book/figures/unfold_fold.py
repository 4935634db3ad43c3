"""The figure of Unfold and Fold: patches as columns, convolution, and the way back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from traitlets import Bool, Enum, HasTraits, Int, List

from layers_book.figures.figure import Figure, draw_cells, tokens, within
from layers_book.figures.windows import window_count

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

VIEWS = ("unfold", "times kernel", "fold back")


class UnfoldFold(Figure):
    """A plane whose windows become columns, times a kernel, and folded back.

    The reader moves the window's sizes and chooses a cell or a column; the figure shows
    the patch that is the column, the row of the kernel times the columns, which is the
    convolution, and what ``nn.Fold`` makes of the columns: sums and counts.

    Args:
        x: your own plane, ``(H, W)`` or ``(1, 1, H, W)``, 1 to 8 cells an axis; by
            default the numbers from 1.
        kernel_size: rows and columns of the window, 1 to 4.
        stride: 1 to 4.
        padding: 0 to 2.
        dilation: 1 to 3.
        input_size: rows and columns of the default plane, 1 to 8.
        weight: your own kernel, ``(k, k)`` or ``(1, 1, k, k)``; it sets
            ``kernel_size``.
        output_size: of ``nn.Fold``, one number or two, 1 to 12; by default that of x.
        view: ``unfold``, ``times kernel`` or ``fold back``.
        column: the column looked at, the middle one by default.
        cell: row and column of the cell looked at, below 0 in the padding; by default
            the middle of the patch that is the column.
        predict: ask in how many columns the cell stands before it is shown.
        layer: your own ``nn.Unfold`` with square windows: sizes are taken over.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Unfold.html

    >>> UnfoldFold()
    UnfoldFold: 5 x 5, kernel_size 3, 9 columns of 9, cell (2, 2) in 9
    >>> UnfoldFold(padding=1, stride=2).layer
    Unfold(kernel_size=3, dilation=1, padding=1, stride=2)
    """

    by_place = ("x", "kernel_size", "stride", "padding", "dilation")
    others = ("layer",)

    class State(HasTraits):
        input_size = Int(5, min=1, max=8)
        kernel_size = Int(3, min=1, max=4)
        stride = Int(1, min=1, max=4)
        padding = Int(0, min=0, max=2)
        dilation = Int(1, min=1, max=3)
        output_size = List(
            Int(), default_value=None, minlen=2, maxlen=2, allow_none=True
        )
        view = Enum(VIEWS, "unfold")
        column = Int(4)
        cell = List(Int(), [2, 2], minlen=2, maxlen=2)
        predict = Bool(False)
        x = List(default_value=None, allow_none=True).tag(once=True)
        weight = List(default_value=None, allow_none=True).tag(once=True)

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """Settings and numbers of a layer and tensors of the reader's own."""
        layer, weight = given.pop("layer", None), given.get("weight")
        if layer is not None:
            for key in ("kernel_size", "stride", "padding", "dilation"):
                given[key] = _square(key, getattr(layer, key))
        if weight is not None:
            given["weight"] = _plane("weight", weight, 4)
            given["kernel_size"] = len(given["weight"])
            if len(given["weight"][0]) != given["kernel_size"]:
                raise ValueError(
                    f"weight has shape {tuple(weight.shape)}: it must be square"
                )
        if "x" in given:
            given["x"] = _plane("x", given["x"], 8)
        output_size = given.get("output_size")
        if output_size is not None:
            pair = (output_size,) * 2 if isinstance(output_size, int) else output_size
            given["output_size"] = [int(n) for n in pair]
            for n in given["output_size"]:
                within(1, 12, output_size=n)
        return given

    def check(self, given: Mapping[str, Any]) -> None:
        """The chosen column and cell exist; the middle ones are the usual."""
        s = self.values
        down, across = self._blocks()
        count = max(0, down) * max(0, across)
        if "column" not in given:
            s["column"] = max(0, (down - 1) // 2 * across + (across - 1) // 2)
        within(0, max(0, count - 1), column=s["column"])
        if "cell" not in given:
            entry = s["kernel_size"] ** 2 // 2
            s["cell"] = list(self._place(entry, s["column"])) if count else [0, 0]
        sizes = self.x.shape[2:]
        for axis, (at, size) in enumerate(zip(s["cell"], sizes, strict=True)):
            name = ("row of cell", "column of cell")[axis]
            within(-s["padding"], size + s["padding"] - 1, **{name: at})

    def _blocks(self) -> tuple[int, int]:
        """Windows down and across; torch refuses where one is below 1."""
        s = self.values
        sizes = (s["kernel_size"], s["stride"], s["padding"], s["dilation"])
        down, across = (
            1 + (n + 2 * sizes[2] - sizes[3] * (sizes[0] - 1) - 1) // sizes[1]
            for n in self.x.shape[2:]
        )
        return down, across

    def _place(self, entry: int, column: int) -> tuple[int, int]:
        """The cell that an entry of a column holds, below 0 in the padding."""
        s = self.values
        starts = divmod(column, self._blocks()[1])
        taps = divmod(entry, s["kernel_size"])
        row, col = (
            start * s["stride"] - s["padding"] + tap * s["dilation"]
            for start, tap in zip(starts, taps, strict=True)
        )
        return row, col

    @property
    def x(self) -> Tensor:
        """The plane, float64, ``(1, 1, H, W)``."""
        s = self.values
        if s["x"] is not None:
            return torch.tensor(s["x"], dtype=torch.float64)[None, None]
        n = s["input_size"]
        return torch.arange(1.0, n * n + 1, dtype=torch.float64).view(1, 1, n, n)

    @property
    def weight(self) -> Tensor:
        """The kernel, float64, ``(1, 1, k, k)``."""
        s = self.values
        if s["weight"] is not None:
            return torch.tensor(s["weight"], dtype=torch.float64)[None, None]
        r = torch.arange(s["kernel_size"])[:, None]
        c = torch.arange(s["kernel_size"])
        return ((3 * r + 2 * c + r * c) % 4 - 1).double()[None, None]

    @property
    def layer(self) -> nn.Unfold:
        """The ``nn.Unfold`` the figure shows."""
        s = self.values
        keys = ("kernel_size", "dilation", "padding", "stride")
        return nn.Unfold(**{key: s[key] for key in keys})

    def columns(self) -> Tensor:
        """The patches, one a column, ``(1, k * k, L)``.

        Raises:
            RuntimeError: no window fits; torch's own words.
        """
        columns: Tensor = self.layer(self.x)
        return columns

    def folded(self) -> tuple[Tensor, Tensor]:
        """Sums and counts that ``nn.Fold`` gives, ``(1, 1, H, W)`` each.

        Raises:
            RuntimeError: torch refuses the sizes; its own words.
        """
        s = self.values
        size = s["output_size"] or list(self.x.shape[2:])
        keys = ("kernel_size", "dilation", "padding", "stride")
        fold = nn.Fold(tuple(size), **{key: s[key] for key in keys})
        columns = self.columns()
        return fold(columns), fold(torch.ones_like(columns))

    def product(self) -> Tensor:
        """The kernel as a row times the columns: the convolution, ``(1, 1, H, W)``."""
        flat = self.weight.view(1, -1) @ self.columns()
        s = self.values
        sizes = (s["kernel_size"], s["stride"], s["padding"], s["dilation"])
        return flat.view(1, 1, *(window_count(n, *sizes) for n in self.x.shape[2:]))

    def _standing(self) -> int:
        """In how many columns the chosen cell stands."""
        s = self.values
        row, col = (at + s["padding"] for at in s["cell"])
        marked = F.pad(torch.zeros_like(self.x), (s["padding"],) * 4)
        marked[..., row, col] = 1
        unfold = nn.Unfold(s["kernel_size"], s["dilation"], 0, s["stride"])
        return int(unfold(marked).sum())

    def _settings(self) -> str:
        s = self.values
        more = "".join(
            f", {key} {s[key]}"
            for key in ("stride", "padding", "dilation")
            if s[key] != self.defaults[key]
        )
        height, width = self.x.shape[2:]
        return f"{height} x {width}, kernel_size {s['kernel_size']}{more}"

    def __repr__(self) -> str:
        try:
            _, rows, count = self.columns().shape
        except RuntimeError:
            return f"UnfoldFold: {self._settings()}, torch raises RuntimeError"
        row, col = self.values["cell"]
        found = "predict first" if self.values["predict"] else f"in {self._standing()}"
        return (
            f"UnfoldFold: {self._settings()}, {count} columns of {rows}, "
            f"cell ({row}, {col}) {found}"
        )

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        s = self.values
        caption = f"Windows as columns: {self._settings()}"
        try:
            columns = self.columns()
            sums, counts = self.folded() if s["view"] == "fold back" else (None, None)
        except RuntimeError as error:
            return caption, [("torch raises", f"RuntimeError: {error}")]

        def row(values: Tensor) -> str:
            return ", ".join(f"{v:.4g}" for v in values.tolist())

        rows = [(f"column {s['column']}", row(columns[0, :, s["column"]]))]
        if s["view"] == "times kernel":
            rows += [("weight", row(self.weight.flatten()))]
            rows += [
                (f"output row {i}", row(y)) for i, y in enumerate(self.product()[0, 0])
            ]
        if sums is not None and counts is not None and not s["predict"]:
            rows += [(f"sums, row {i}", row(y)) for i, y in enumerate(sums[0, 0])]
            rows += [(f"counts, row {i}", row(y)) for i, y in enumerate(counts[0, 0])]
        return caption, rows

    def draw(self, canvas: "Canvas") -> None:
        """Draw the plane, the columns, and what the view makes of them."""
        s = self.values
        ax = canvas.subplots()
        plane = self.x[0, 0]
        blocks: list[tuple[str, Tensor, str, set[tuple[int, int]]]] = []
        lit: set[tuple[int, int]] = set()
        try:
            columns = self.columns()[0]
            count = s["kernel_size"] ** 2
            lit = {self._place(entry, s["column"]) for entry in range(count)}
            chosen = {(entry, s["column"]) for entry in range(count)}
            blocks = [("columns", columns, "input", chosen)]
            if s["view"] == "times kernel":
                y = self.product()[0, 0]
                here = divmod(s["column"], y.shape[1])
                blocks += [("weight", self.weight.view(-1, 1), "kernel", set())]
                blocks += [("output", y, "output", {here})]
            elif s["view"] == "fold back" and not s["predict"]:
                sums, counts = self.folded()
                at = {(s["cell"][0], s["cell"][1])}
                blocks += [("sums", sums[0, 0], "output", at)]
                blocks += [("counts", counts[0, 0], "statistic", at)]
        except RuntimeError:
            pass
        left, bottom = 0, 0
        for title, values, role, filled in [("x", plane, "input", lit), *blocks]:
            draw_cells(ax, values.tolist(), left, 0, role, filled)
            ax.text(left, -0.25, title, color=tokens()["light"]["muted"])
            left += values.shape[1] + 1
            bottom = max(bottom, values.shape[0])
        ax.set_xlim(-0.2, left - 0.8)
        ax.set_ylim(bottom + 0.1, -0.9)
        ax.set_aspect("equal")
        ax.set_axis_off()
        ax.set_title(repr(self).split(": ", 1)[1], fontsize=9, loc="left")


def _square(key: str, value: int | tuple[int, ...]) -> int:
    """The one number of a layer's square argument."""
    pair = (value, value) if isinstance(value, int) else value
    if len(set(pair)) != 1:
        raise ValueError(f"layer.{key} is {value}: only square windows are shown")
    return pair[0]


def _plane(key: str, value: Tensor, most: int) -> list[list[float]]:
    """A reader's tensor as rows of numbers."""
    plane = value.detach().cpu().double()
    while plane.ndim > 2 and plane.shape[0] == 1:
        plane = plane[0]
    if plane.ndim != 2 or not all(1 <= n <= most for n in plane.shape):
        raise ValueError(
            f"{key} has shape {tuple(value.shape)}: allowed are (H, W) and "
            f"(1, 1, H, W), 1 to {most} cells an axis"
        )
    return [[round(v, 6) for v in row] for row in plane.tolist()]
