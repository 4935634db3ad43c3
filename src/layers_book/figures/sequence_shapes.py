"""The figure of recurrent layers' shapes: which state stands in which tensor."""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from traitlets import Bool, Dict, Enum, HasTraits, Int, List

from layers_book.figures.figure import Figure, draw_cells, inner, tokens, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

KINDS = ("RNN", "GRU", "LSTM")
GIVEN = ("none", "right", "batch first", "one row")


class SequenceShapes(Figure):
    """An unrolled recurrent layer and the tensors it returns.

    The reader chooses a layer, a direction and a step; the figure shows what this state
    depends on, what depends on it, and where it stands in ``output``, ``h_n``, ``c_n``.

    Args:
        kind: ``RNN``, ``GRU`` or ``LSTM``.
        L: steps, 1 to 8.
        N: samples, 1 to 3, or 0 for an input without a batch axis.
        num_layers: 1 to 3.
        bidirectional: whether each layer has a backward direction too.
        batch_first: whether the batch is axis 0 of input and output.
        input_size: numbers a step.
        hidden_size: numbers a state.
        proj_size: numbers of a projected state, 0 for none; what torch refuses shows
            torch's error.
        h_0: the initial state passed: ``none``, one of the ``right`` shape,
            ``batch first`` (without a batch: with one of 1), or ``one row`` for all
            layers and directions.
        at: the layer, direction and step looked at; ``[-1, 0, t]`` is the input.
        n: the sample looked at.
        predict: ask for the slice before it is shown.
        layer: your own ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM``, taken over.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html

    >>> SequenceShapes("LSTM", L=4, N=3)
    SequenceShapes: LSTM(4, 3, num_layers=2, bidirectional=True), output (4, 3, 6)
    >>> SequenceShapes(batch_first=True).layer
    GRU(4, 3, num_layers=2, batch_first=True, bidirectional=True)
    """

    by_place = ("kind", "L", "N")
    others = ("layer",)

    class State(HasTraits):
        kind = Enum(KINDS, "GRU")
        L = Int(5, min=1, max=8)
        N = Int(2, min=0, max=3)
        num_layers = Int(2, min=1, max=3)
        bidirectional = Bool(True)
        batch_first = Bool(False)
        input_size = Int(4, min=1, max=99_999)
        hidden_size = Int(3, min=1, max=99_999)
        proj_size = Int(0, min=0, max=99_999)
        h_0 = Enum(GIVEN, "none")
        at = List(default_value=[1, 1, 0]).tag(link=["list", ["int", -1, 7], 3, 3])
        n = Int(0)
        predict = Bool(False)
        keywords = inner(Dict({}))

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """Sizes and flags of a layer of the reader's own; the last state by default."""
        layer = given.pop("layer", None)
        if layer is not None:
            kind = type(layer).__name__
            if kind not in KINDS:
                raise ValueError(f"layer is {kind}: allowed are {', '.join(KINDS)}")
            sizes = ("input_size", "hidden_size", "proj_size")
            for key in ("num_layers", "bidirectional", "batch_first", *sizes):
                given[key] = getattr(layer, key)
            usual = {"bias": True, "dropout": 0.0, "nonlinearity": "tanh"}
            own = {key: getattr(layer, key, value) for key, value in usual.items()}
            keywords = {key: value for key, value in own.items() if value != usual[key]}
            given |= {"kind": kind, "keywords": keywords}
        s = {**self.defaults, **given}
        given.setdefault("at", [s["num_layers"] - 1, int(s["bidirectional"]), 0])
        given["at"] = list(given["at"])
        return given

    def check(self, given: Mapping[str, Any]) -> None:
        """The chosen state and sample exist."""
        s = self.values
        within(0, max(s["N"], 1) - 1, n=s["n"])
        if len(s["at"]) != 3:
            raise ValueError(f"at is {s['at']}: a layer, a direction, a step")
        layer, direction, step = s["at"]
        within(-1, s["num_layers"] - 1, layer=layer)
        within(0, int(s["bidirectional"] and layer >= 0), direction=direction)
        within(0, s["L"] - 1, step=step)

    @property
    def layer(self) -> Any:
        """The layer the figure shows, untrained.

        Raises:
            ValueError: torch refuses it; torch's own words.
        """
        s = self.values
        flags = {key: s[key] for key in ("num_layers", "bidirectional", "batch_first")}
        more = dict(s["keywords"])
        if s["kind"] != "RNN":
            more.pop("nonlinearity", None)
        if s["proj_size"]:
            more["proj_size"] = s["proj_size"]
        with warnings.catch_warnings():  # of a dropout that one layer does not use
            warnings.simplefilter("ignore")
            make = getattr(nn, s["kind"])
            return make(s["input_size"], s["hidden_size"], **flags, **more)

    def returned(self) -> dict[str, tuple[int, ...]]:
        """The shapes of ``output``, ``h_n`` and, of an LSTM, ``c_n``, from torch.

        Raises:
            ValueError: torch refuses the layer; torch's own words.
            RuntimeError: torch refuses ``h_0``; torch's own words.
        """
        quiet = warnings.catch_warnings(action="ignore")  # of a projection on the CPU
        with torch.no_grad(), torch.random.fork_rng(devices=[]), quiet:
            return self._returned()

    def _returned(self) -> dict[str, tuple[int, ...]]:
        s = self.values
        # meta allocates nothing, but its first call takes a second
        large = max(s["input_size"], s["hidden_size"]) > 64
        with torch.device("meta" if large else "cpu"):
            layer = self.layer
        batch = [s["N"]] if s["N"] else []
        rows = s["num_layers"] * (2 if s["bidirectional"] else 1)
        steps = [*batch, s["L"]] if s["batch_first"] else [s["L"], *batch]
        x = torch.zeros(*steps, s["input_size"], device=next(layer.parameters()).device)
        shape = {
            "right": [rows, *batch],
            "batch first": [s["N"] or 1, rows],
            "one row": [1, *batch],
        }.get(s["h_0"])
        state: Any = None
        if shape:
            h_0 = x.new_zeros(*shape, s["proj_size"] or s["hidden_size"])
            c_0 = x.new_zeros(*shape, s["hidden_size"])
            state = (h_0, c_0) if s["kind"] == "LSTM" else h_0
        output, ends = layer(x, state)
        ends = ends if isinstance(ends, tuple) else (ends,)
        named = zip(("output", "h_n", "c_n"), (output, *ends), strict=False)
        return {name: tuple(value.shape) for name, value in named}

    def _words(self) -> str:
        """The layer in torch's words, in the order of the code to copy."""
        s = self.values
        usual = {"num_layers": 1, "bidirectional": False}
        usual |= {"batch_first": False, "proj_size": 0}
        sizes = [str(s["input_size"]), str(s["hidden_size"])]
        words = [f"{k}={s[k]}" for k, v in usual.items() if s[k] != v]
        return f"{s['kind']}({', '.join(sizes + words)})"

    def __repr__(self) -> str:
        try:
            found = f"output {self.returned()['output']}"
        except (ValueError, RuntimeError) as error:
            found = f"torch raises {type(error).__name__}"
        return f"SequenceShapes: {self._words()}, {found}"

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        caption = f"Shapes of {self._words()}"
        try:
            shapes = self.returned()
        except (ValueError, RuntimeError) as error:
            return caption, [("torch raises", f"{type(error).__name__}: {error}")]
        return caption, [(name, str(shape)) for name, shape in shapes.items()]

    def draw(self, canvas: "Canvas") -> None:
        """Draw the unrolled layer; states in output are filled, those in h_n ringed."""
        from matplotlib.patches import Circle

        s, ax = self.values, canvas.subplots()
        directions = 2 if s["bidirectional"] else 1
        count, color = s["num_layers"] * directions, tokens()["light"]
        cells = [[t for t in range(s["L"])] for _ in range(count)]
        top = {(r, t) for r in range(directions) for t in range(s["L"])}
        draw_cells(ax, cells, 0, 0, "output", top)
        draw_cells(ax, cells[:1], 0, count + 0.3, "input")
        for r in range(count):
            layer, way = s["num_layers"] - 1 - r // directions, r % directions
            arrow = "\N{LEFTWARDS ARROW}" if way else "\N{RIGHTWARDS ARROW}"
            words = f"layer {layer} {arrow}"
            ax.text(-0.2, r + 0.45, words, ha="right", va="center", fontsize=9)
            end = 0 if way else s["L"] - 1
            ring = Circle((end + 0.45, r + 0.45), 0.36, fill=False, ec=color["ink"])
            ax.add_patch(ring)
        ax.text(-0.2, count + 0.75, "input", ha="right", va="center", fontsize=9)
        ax.set_xlim(-2, s["L"] + 0.2)
        ax.set_ylim(count + 1.4, -0.3)
        ax.set_aspect("equal")
        ax.set_axis_off()
        told = repr(self).split(": ", 1)[1]
        ax.set_title(f"{told}\nfilled: in output; ring: in h_n", fontsize=9, loc="left")
