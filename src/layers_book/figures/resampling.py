"""The figure of interpolate: where output samples lie on the input, and weights."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from traitlets import Bool, Enum, Float, HasTraits, Int

from layers_book.figures.figure import Figure, draw_cells, own_numbers, tokens

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MODES = ("nearest", "nearest-exact", "linear", "bilinear", "bicubic", "area")
SIGNALS = ("mixed", "stripes", "edge", "ramp")
SHOWN = ("values", "gradient")
MIXED = (1, 4, 2, 5, 5, 0, 0, 3, 3, 1, 4, 2)


class Resampling(Figure):
    """One row of pixels made longer or shorter by ``F.interpolate``.

    The reader moves sizes, mode, ``align_corners``, ``antialias`` and
    ``scale_factor``; the figure shows where each output sample lies on the input, the
    pixels and weights of one of them, and the pixels that are never read.

    Args:
        x: 1 to 12 numbers of your own, or how many the figure takes of its own.
        size: of the output, 0 to 12; 0 shows torch's error.
        mode: one of torch's: ``linear`` takes the row as ``(N, C, L)``, all others as
            an image of height 1, ``(N, C, H, W)``.
        align_corners: end samples on the centers of the end pixels.
        antialias: widen the kernel where the row shrinks.
        scale_factor: instead of ``size``, above 0, for at most 12 samples.
        recompute_scale_factor: take the step from the sizes, not from ``scale_factor``.
        signal: the figure's own values: ``mixed``, ``stripes``, ``edge`` or ``ramp``.
        show: ``values`` or ``gradient`` of the output's sum, in the input's pixels.
        at: the output sample looked at.
        layer: your own ``nn.Upsample``: its width, mode and flags are taken over.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html

    >>> Resampling([0.0, 4.0, 8.0], size=6)
    Resampling: bilinear, 3 pixels to 6, all are read
    >>> Resampling(8, size=2).layer
    Upsample(size=(1, 2), mode='bilinear')
    """

    by_place = ("x", "size", "mode")
    others = ("x", "layer")

    class State(HasTraits):
        n = Int(4, min=1, max=12).tag(inner=True)
        size = Int(8, min=0, max=12)
        mode = Enum(MODES, "bilinear")
        align_corners = Bool(False)
        antialias = Bool(False)
        scale_factor = Float(None, allow_none=True).tag(link=["float", 0.01, 12])
        recompute_scale_factor = Bool(False)
        signal = Enum(SIGNALS, "mixed")
        show = Enum(SHOWN, "values")
        at = Int(3, min=0, max=12)
        values = own_numbers()

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """Settings of an Upsample, and samples, of the reader's own."""
        layer, x = (
            given.pop("layer", None),
            given.pop("x", given.get("n", self.defaults["n"])),
        )
        if layer is not None:
            given["size"] = _last(layer.size, given.get("size", self.defaults["size"]))
            given |= {
                "scale_factor": _last(layer.scale_factor),
                "mode": layer.mode,
                "align_corners": bool(layer.align_corners),
                "recompute_scale_factor": bool(layer.recompute_scale_factor),
            }
        if isinstance(x, int):
            return given | {"n": x}
        numbers = _numbers(x)
        return given | {"n": len(numbers), "values": numbers}

    def check(self, given: Mapping[str, Any]) -> None:
        """At most 12 samples come out, and the chosen one is among them."""
        s, factor = self.values, self.values["scale_factor"]
        out = s["size"] if factor is None else math.floor(s["n"] * factor)
        if factor is not None and not (factor > 0 and out <= 12):
            raise ValueError(
                f"scale_factor is {factor}: allowed are None and above 0, for at "
                "most 12 samples"
            )
        s["at"] = max(0, min(s["at"], out - 1))

    @property
    def x(self) -> Tensor:
        """The input, float64, ``(N, C, L)`` for linear, else ``(N, C, 1, W)``."""
        s = self.values
        signals = {
            "mixed": MIXED,
            "stripes": (0, 4) * 6,
            "edge": (0,) * math.ceil(s["n"] / 2) + (4,) * 12,
            "ramp": range(12),
        }
        row = torch.tensor(s["values"] or list(signals[s["signal"]])[: s["n"]])
        return row.double().view(1, 1, *self._axes(-1))

    def _axes(self, last: Any, first: Any = 1) -> tuple[Any, ...]:
        return (last,) if self.values["mode"] == "linear" else (first, last)

    def _arguments(self) -> dict[str, Any]:
        s = self.values
        target: dict[str, Any] = {"size": self._axes(s["size"])}
        if s["scale_factor"] is not None:
            target = {"scale_factor": self._axes(s["scale_factor"], 1.0)}
        flags = ("align_corners", "recompute_scale_factor")
        return {**target, "mode": s["mode"], **{k: s[k] or None for k in flags}}

    @property
    def layer(self) -> nn.Upsample:
        """The ``nn.Upsample`` the figure shows.

        Raises:
            ValueError: with antialias, which only ``F.interpolate`` has, and for area.
        """
        s = self.values
        if s["antialias"] or s["mode"] == "area":
            given = "antialias=True" if s["antialias"] else "mode='area'"
            raise ValueError(f"{given} is not for nn.Upsample: use F.interpolate")
        return nn.Upsample(**self._arguments())

    def resampled(self) -> tuple[Tensor, Tensor]:
        """Output ``(W_out,)`` and weights ``(W_out, W)``, from torch.

        Raises:
            RuntimeError: an output of size 0; torch's own words.
            ValueError: flags that the mode lacks; torch's own words.
        """
        x, antialias = self.x, self.values["antialias"]
        n = x.shape[-1]
        pixels = torch.eye(n).double().view(n, 1, *self._axes(n))
        rows = torch.cat([x, pixels])  # (1 + W, C, ...)
        found = F.interpolate(rows, antialias=antialias, **self._arguments())
        found = found.reshape(1 + n, found.shape[-1])
        return found[0], found[1:].T

    def __repr__(self) -> str:
        s = self.values
        flags = ("align_corners", "antialias")
        given = "".join(f", {k}" for k in flags if s[k])
        try:
            weights = self.resampled()[1]
        except (RuntimeError, ValueError) as error:
            found = f"torch raises {type(error).__name__}"
            return f"Resampling: {s['mode']}{given}, {found}"
        dead = int((weights == 0).all(0).sum())
        read = f"{dead} never read" if dead else "all are read"
        pixels = f"{s['n']} pixel{'s' * (s['n'] != 1)} to {len(weights)}"
        return f"Resampling: {s['mode']}{given}, {pixels}, {read}"

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        caption = repr(self).split(": ", 1)[1]
        try:
            output, weights = self.resampled()
        except (RuntimeError, ValueError) as error:
            return caption, [("torch raises", f"{type(error).__name__}: {error}")]
        found = [("input", ", ".join(f"{v:.4g}" for v in self.x.flatten().tolist()))]
        for i, (y, row) in enumerate(zip(output.tolist(), weights, strict=True)):
            used = row.nonzero().flatten().tolist()
            terms = " + ".join(f"{row[k]:.3g} x[{k}]" for k in used)
            found.append((f"output {i}", f"{y:.4g} = {terms}"))
        return caption, found

    def draw(self, canvas: "Canvas") -> None:
        """Draw input above output, and the weights of the chosen sample as lines."""
        ax = canvas.subplots()
        color = tokens()["light"]
        x = self.x.flatten()
        try:
            output, weights = self.resampled()
        except (RuntimeError, ValueError):
            output, weights = torch.zeros(0), torch.zeros(0, len(x))
        s, chosen = self.values, self.values["at"]
        used = weights[chosen].nonzero().flatten().tolist() if len(output) else []
        draw_cells(ax, [x.tolist()], 0, 0, "input", {(0, k) for k in used})
        on_corners = s["align_corners"] and not s["antialias"]

        def center(i: int) -> float:
            if on_corners:
                return 0.45 + i * (len(x) - 1) / max(len(output) - 1, 1)
            return (i + 0.5) * len(x) / len(output) - 0.05

        for i, y in enumerate(output.tolist()):
            left = center(i)
            ax.plot(
                left, 3, "o", ms=16, color=color["output"], mfc=color["output-fill"]
            )
            number = f"{y:.2g}".replace("-", "\N{MINUS SIGN}")
            ax.text(left, 3, number, ha="center", va="center", fontsize=8)
        for k in used:
            weight = float(weights[chosen, k])
            ends = (k + 0.45, center(chosen))
            ax.plot(ends, (0.95, 2.75), color=color["kernel"], lw=1 + 4 * abs(weight))
            ground = {"fc": color["bg"], "ec": "none", "pad": 1}
            ax.text(ends[0], 1.3, f"{weight:.2f}", ha="center", fontsize=8, bbox=ground)
        ax.set_xlim(-0.2, len(x) + 0.2)
        ax.set_ylim(3.6, -0.4)
        ax.set_axis_off()
        ax.set_title(repr(self).split(": ", 1)[1], fontsize=9, loc="left")


def _numbers(x: Sequence[float] | Tensor) -> list[float]:
    row = torch.as_tensor(x).detach().double()
    if row.ndim != 1 or not row.isfinite().all():
        raise ValueError(f"x has shape {tuple(row.shape)}: give one row of numbers")
    return [round(v, 6) for v in row.tolist()]


def _last(value: Any, default: Any = None) -> Any:
    """The width's entry of what nn.Upsample keeps for one or all axes."""
    value = value[-1] if isinstance(value, tuple | list) else value
    return default if value is None else value
