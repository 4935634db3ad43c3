"""The figure of pooling: which cells each output reads, and where the gradient goes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from traitlets import Bool, Enum, Float, HasTraits, Int, List

from layers_book.figures.figure import Figure, draw_cells, tokens, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

KINDS = (
    "MaxPool1d",
    "AvgPool1d",
    "AdaptiveMaxPool1d",
    "AdaptiveAvgPool1d",
    "FractionalMaxPool2d",
)
VALUES = (-2, -1, 4, 1, -3, 2, 2, 5, -4, 0, 3, 1)
MOST = 24


class PoolingBins(Figure):
    """The windows or bins of a pooling along one axis.

    The reader moves the sizes and flags; the figure shows the cells each output reads,
    its value, and the gradient that comes back to each cell.

    Args:
        layer: a layer's name, or your own pooling module, whose settings are taken
            over: max, average and adaptive pooling (1d, or the first axis of 2d), and
            ``nn.FractionalMaxPool2d``.
        n: cells of the input, 1 to 24.
        output_size: outputs of the adaptive and the fractional kinds, 1 to 24.
        kernel_size: cells of a window, 1 to 12.
        stride: from one window to the next; None for ``kernel_size``.
        padding: cells added on each side; more than torch allows shows its error.
        dilation: of max pooling.
        ceil_mode: also a last window that runs over the end.
        count_include_pad: whether an average counts the padding as zeros.
        sample: the random number of fractional pooling, 0 to below 1.
        at: the output looked at.
        predict: the bins stay hidden until the reader has chosen.
        x: your own numbers, ``(n,)``.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: https://docs.pytorch.org/docs/stable/nn.html#pooling-layers

    >>> PoolingBins("AdaptiveAvgPool1d", 10, output_size=4)
    PoolingBins: AdaptiveAvgPool1d(4) on 10 cells, 4 outputs read 3, 3, 3, 3 cells
    >>> PoolingBins(nn.MaxPool2d(3, stride=2, padding=1), n=7).layer
    MaxPool1d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=False)
    """

    by_place = ("layer", "n")
    others = ("layer",)

    class State(HasTraits):
        kind = Enum(KINDS, "AdaptiveAvgPool1d").tag(inner=True, label="layer")
        n = Int(10, min=1, max=MOST)
        output_size = Int(4, min=1, max=MOST)
        kernel_size = Int(3, min=1, max=12)
        stride = Int(None, min=1, max=MOST, allow_none=True)
        padding = Int(0, min=0, max=6)
        dilation = Int(1, min=1, max=12)
        ceil_mode = Bool(False)
        count_include_pad = Bool(True)
        sample = Float(0.5, min=0, max=1).tag(
            allowed="0 to below 1", link=["float", 0, 0.9999]
        )
        at = Int(1)
        predict = Bool(False)
        x = List(default_value=None, allow_none=True).tag(once=True)

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """Settings of a pooling module, and numbers, of the reader's own."""
        if "x" in given:
            numbers = torch.as_tensor(given["x"]).detach().double()
            if numbers.ndim != 1 or not bool(numbers.isfinite().all()):
                raise ValueError(
                    f"x has shape {tuple(numbers.shape)}: give one axis of finite "
                    "numbers"
                )
            given["n"] = len(numbers)
            given["x"] = [round(v, 6) for v in numbers.tolist()]
        layer = given.pop("layer", given.get("kind", self.defaults["kind"]))
        if isinstance(layer, nn.Module):
            return given | _settings_of(layer, given.get("n", self.defaults["n"]))
        return given | {"kind": layer}

    def check(self, given: Mapping[str, Any]) -> None:
        """The chosen output exists; the usual one gives way."""
        s = self.values
        if s["sample"] == 1:
            raise ValueError("sample is 1.0: allowed are 0 to below 1")
        try:
            outputs = len(self.pooled()[0])
        except RuntimeError:
            outputs = MOST
        if s["at"] == self.defaults["at"]:
            s["at"] = min(s["at"], outputs - 1)
        within(0, outputs - 1, at=s["at"])

    @property
    def x(self) -> Tensor:
        """The input, float64, ``(n,)``."""
        s = self.values
        own = s["x"] or [VALUES[i % len(VALUES)] for i in range(s["n"])]
        return torch.tensor(own, dtype=torch.float64)

    @property
    def layer(self) -> nn.Module:
        """The pooling module the figure shows; a fractional one with its number."""
        s = self.values
        kind, windows = s["kind"], (s["kernel_size"], s["stride"], s["padding"])
        if kind == "MaxPool1d":
            return nn.MaxPool1d(*windows, s["dilation"], ceil_mode=s["ceil_mode"])
        if kind == "AvgPool1d":
            return nn.AvgPool1d(*windows, s["ceil_mode"], s["count_include_pad"])
        if kind == "FractionalMaxPool2d":
            samples = torch.tensor([[[0.0, s["sample"]]]], dtype=torch.float64)
            sizes = (s["kernel_size"], 1), (s["output_size"], 1)
            return nn.FractionalMaxPool2d(*sizes, _random_samples=samples)
        module: nn.Module = getattr(nn, kind)(s["output_size"])
        return module

    def pooled(self) -> tuple[Tensor, Tensor]:
        """Output ``(outputs,)`` and the gradient of its sum at the input, ``(n,)``.

        Raises:
            RuntimeError: torch refuses the setting; its own words.
        """
        x = self.x.requires_grad_()
        output = self._apply(x)
        (gradient,) = torch.autograd.grad(output.sum(), x)
        return output.detach(), gradient

    def reads(self) -> list[list[int]]:
        """The cells each output reads, found by torch: a single 1 moves its readers."""
        cells = torch.eye(self.values["n"], dtype=torch.float64)
        moved = torch.stack([self._apply(cell) > 0 for cell in cells])
        return [column.nonzero().flatten().tolist() for column in moved.T]

    def _apply(self, x: Tensor) -> Tensor:
        axes = (1, 1, -1, 1) if "Fractional" in self.values["kind"] else (1, 1, -1)
        output: Tensor = self.layer(x.view(axes))
        return output.flatten()

    def _settings(self) -> str:
        s = self.values
        kind = s["kind"]
        if kind.startswith("Adaptive"):
            text = f"{s['output_size']}"
        elif kind.startswith("Fractional"):
            text = f"{s['kernel_size']}, {s['output_size']}, sample={s['sample']}"
        else:
            text = f"{s['kernel_size']}"
            for key in ("stride", "padding", "dilation", "ceil_mode"):
                if s[key] != self.defaults[key] and (key, kind) != (
                    "dilation",
                    "AvgPool1d",
                ):
                    text += f", {key}={s[key]}"
            if kind == "AvgPool1d" and not s["count_include_pad"]:
                text += ", count_include_pad=False"
        return f"{kind}({text}) on {s['n']} cell{'s' * (s['n'] != 1)}"

    def __repr__(self) -> str:
        try:
            sizes = [len(cells) for cells in self.reads()]
        except RuntimeError:
            return f"PoolingBins: {self._settings()}, torch raises RuntimeError"
        outputs = f"{len(sizes)} output{'s' * (len(sizes) != 1)}"
        verb = "read" if len(sizes) != 1 else "reads"
        cells = ", ".join(map(str, sizes))
        return f"PoolingBins: {self._settings()}, {outputs} {verb} {cells} cells"

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        caption = f"The cells each output reads: {self._settings()}"
        try:
            output, gradient = self.pooled()
        except RuntimeError as error:
            return caption, [("torch raises", f"RuntimeError: {error}")]
        rows = [
            (
                f"output {i}: {value:.4g}",
                f"reads {', '.join(map(str, cells)) or 'none'}",
            )
            for i, (value, cells) in enumerate(
                zip(output.tolist(), self.reads(), strict=True)
            )
        ]
        paid = ", ".join(f"{v:.3g}" for v in gradient.tolist())
        return caption, [*rows, ("gradient of each cell, for the sum", paid)]

    def draw(self, canvas: "Canvas") -> None:
        """Draw the input, under it a row for each output, and the gradient."""
        ax = canvas.subplots()
        color = tokens()["light"]
        n = self.values["n"]
        try:
            output, gradient = self.pooled()
            reads = self.reads()
        except RuntimeError:
            output, gradient, reads = torch.zeros(0), torch.zeros(n), []
        used = {(0, cell) for cells in reads for cell in cells}
        draw_cells(ax, [self.x.tolist()], 0, 0, "input", used)
        for i, cells in enumerate(reads):
            for cell in cells:
                number = [[self.x[cell].item()]]
                draw_cells(ax, number, cell, i + 1.2, "kernel", {(0, 0)})
            draw_cells(ax, [[output[i].item()]], n + 1, i + 1.2, "output", {(0, 0)})
        bottom = len(reads) + 1.4
        draw_cells(ax, [gradient.tolist()], 0, bottom, "gradient")
        for place, word in ((0.45, "x"), (bottom + 0.45, "gradient")):
            ax.text(-0.3, place, word, ha="right", va="center", color=color["muted"])
        ax.text(n + 1, 0.8, "y", color=color["muted"])
        ax.set_xlim(-3, n + 2.2)
        ax.set_ylim(bottom + 1.2, -0.3)
        ax.set_aspect("equal")
        ax.set_axis_off()
        ax.set_title(self._settings(), fontsize=9, loc="left")


def _settings_of(layer: nn.Module, n: int) -> dict[str, Any]:
    """What a figure needs to know of a pooling module, along its first axis."""
    name = type(layer).__name__

    def first(value: Any) -> Any:
        return value[0] if isinstance(value, tuple | list) else value

    if name == "FractionalMaxPool2d":
        ratio = first(getattr(layer, "output_ratio", None))
        size = first(getattr(layer, "output_size", None))
        found = {"output_size": size if ratio is None else int(n * ratio)}
        return {"kind": name, **found, "kernel_size": first(layer.kernel_size)}
    kind = name.replace("2d", "1d")
    if kind not in KINDS:
        raise ValueError(
            f"layer is {name}: allowed are max, average and adaptive pooling in 1d and "
            "2d, and FractionalMaxPool2d"
        )
    if kind.startswith("Adaptive"):
        size = first(layer.output_size)
        return {"kind": kind, "output_size": n if size is None else size}
    if getattr(layer, "divisor_override", None) is not None:
        raise ValueError("divisor_override is set: the figure shows a true mean")
    keys = ["kernel_size", "stride", "padding", "ceil_mode"]
    keys.append("dilation" if kind == "MaxPool1d" else "count_include_pad")
    return {"kind": kind, **{key: first(getattr(layer, key)) for key in keys}}
