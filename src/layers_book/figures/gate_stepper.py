"""The figure of gated cells: one step of an LSTM or a GRU with its numbers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from traitlets import Bool, Dict, Enum, Float, HasTraits, Int, List, Unicode

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

GATES = {"LSTM": ("i", "f", "g", "o"), "GRU": ("r", "z", "n")}
KINDS = (nn.LSTMCell, nn.GRUCell, nn.LSTM, nn.GRU)
PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
HELD = 1000.0  # a bias whose sigmoid is exactly 1, or 0 with a minus

# The figure's own cells: unit 0 stores a value when a mark comes, unit 1 leaks.
INPUT = (
    (0.5, 0.0),
    (-0.9, 1.0),
    (0.8, 0.0),
    (-0.6, 0.0),
    (1.0, 0.0),
    (0.4, 1.0),
    (-1.0, 0.0),
    (0.9, 0.0),
)
CELLS: dict[str, dict[str, list[Any]]] = {
    "LSTM": {
        "weight_ih": [
            [0.3, 5],
            [0.5, 0],
            [0, -1.5],
            [0.4, 0],
            [1.2, 0],
            [-0.8, 0.5],
            [0, 0.5],
            [0.6, 0],
        ],
        "weight_hh": [
            [0, 0],
            [0.5, -0.5],
            [0.2, 0],
            [0, 0.6],
            [0, 0.3],
            [1.5, 0],
            [0.5, 0],
            [0, 0.8],
        ],
        "bias_ih": [-3, 0.5, 2.5, 0, 0, 0, 1, 0.5],
        "bias_hh": [0] * 8,
    },
    "GRU": {
        "weight_ih": [[0.5, 1], [0.4, 0], [0, -4], [0.5, 0], [1.2, 0], [-0.8, 0.5]],
        "weight_hh": [
            [0.5, 0],
            [0, -0.6],
            [0.2, 0],
            [0, 0.5],
            [0.8, -0.9],
            [1.5, 0.7],
        ],
        "bias_ih": [0.5, 0, 2.5, 0, 0, 0],
        "bias_hh": [0, 0, 0, 0, 0.3, -0.4],
    },
}


class GateStepper(Figure):
    """One step of a gated cell: what is kept, written and shown, in numbers.

    The reader steps through a sequence, adds to a gate's bias or holds the gate at 0
    or 1, and sees the gates as tanks, the cell state with its numbers, and the
    equation term by term.

    Args:
        cell: ``LSTM`` or ``GRU``; the reader may switch, unless ``layer`` is given.
        x: your own input, ``(L, H_in)``, or ``(L,)`` for one number a step; 1 to 10
            steps.
        t: the step looked at.
        unit: the unit of the state looked at.
        gate: the gate whose controls are shown: i, f, g or o; r, z or n. By default the
            one that keeps, f or z.
        bias: what is added to a gate's bias, in every unit and step: ``{"f": 2.0}``.
        override: gates held at 0 or 1 in every unit and step: ``{"f": 1}``; not the
            candidates g and n.
        reset: where a GRU's reset gate acts, ``after`` the matrix product, as in
            torch, or ``before`` it, as in many textbooks.
        predict: the new cell state (a GRU's state) is hidden until the reader has
            guessed.
        layer: your own ``nn.LSTMCell``, ``nn.GRUCell``, ``nn.LSTM`` or ``nn.GRU`` of
            one layer and direction, with 1 to 8 units and 1 to 4 input features.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTMCell.html,
    https://docs.pytorch.org/docs/stable/generated/torch.nn.GRUCell.html

    >>> GateStepper()
    GateStepper: LSTM, step 3, unit 0, f 0.92 keeps 92 % of -0.57, now -0.55
    >>> GateStepper("GRU", override={"z": 1})
    GateStepper: GRU, step 3, unit 0, z 1.00 keeps 100 % of 0.00, now 0.00
    """

    by_place = ("cell", "x")
    others = ("layer",)

    class State(HasTraits):
        cell = Enum(tuple(GATES), "LSTM")
        t = Int(3)
        unit = Int(0)
        gate = Unicode("f").tag(link=["word", *"ifgorzn"])
        move = unlinked(Float(0))  # what the sliders show of ``gate``
        fix = unlinked(Int(None, allow_none=True))
        bias = Dict({}).tag(link=["map", ["float", -8, 8], *"ifgorzn"])
        override = Dict({}).tag(link=["map", ["int", 0, 1], *"iforz"])
        value = unlinked(Float(-0.6))  # the input at ``t``
        lit = inner(Int(0, min=0, max=3))
        reset = Enum(("after", "before"), "after")
        predict = Bool(False)
        x = List(default_value=None, allow_none=True).tag(
            link=["list", ["list", ["float", -1000, 1000], 1, 8], 1, 10]
        )
        weights = inner(Dict(default_value=None, allow_none=True))

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """Cell and weights of a layer of the reader's own; numbers of the input."""
        layer = given.pop("layer", None)
        if layer is not None:
            given["cell"], given["weights"] = _from_module(layer)
        cell = given.get("cell", self.defaults["cell"])
        if cell not in GATES:
            return given
        given["gate"] = given.get("gate") or GATES[cell][1]
        own = given.get("weights") or CELLS[cell]
        if given.get("x") is not None:
            given["x"] = _sequence(given["x"], len(own["weight_ih"][0]))
        return given

    def check(self, given: Mapping[str, Any]) -> None:
        """Step, unit and gates exist; biases and overrides are numbers that can be."""
        s = self.values
        letters = GATES[s["cell"]]
        own, rows = s["weights"] or CELLS[s["cell"]], s["x"] or INPUT
        within(0, len(rows) - 1, t=s["t"])
        within(0, len(own["weight_hh"][0]) - 1, unit=s["unit"])
        _refuse_unknown("gate", [s["gate"]], letters)
        _refuse_unknown("bias", s["bias"], letters)
        held = [k for k in letters if k not in "gn"]
        _refuse_unknown("override", s["override"], held)
        for key, number in s["bias"].items():
            if not -8 <= number <= 8:
                raise ValueError(f"bias of {key} is {number}: allowed are -8 to 8")
        for key, number in s["override"].items():
            if number not in (0, 1):
                raise ValueError(f"override of {key} is {number}: allowed are 0 and 1")
        s["bias"] = {k: float(v) for k, v in s["bias"].items()}
        s["override"] = {k: int(v) for k, v in s["override"].items()}
        s["move"] = s["bias"].get(s["gate"], 0)
        s["fix"] = s["override"].get(s["gate"])
        s["value"] = rows[s["t"]][0]

    @property
    def x(self) -> Tensor:
        """The input, float64, ``(L, H_in)``."""
        own = self.values["x"]
        return torch.tensor(INPUT if own is None else own, dtype=torch.float64)

    @property
    def layer(self) -> nn.LSTMCell | nn.GRUCell:
        """The cell in float64, bias and override written into its parameters."""
        s = self.values
        own = s["weights"] or CELLS[s["cell"]]
        hidden, inputs = len(own["weight_hh"][0]), len(own["weight_ih"][0])
        kind = nn.LSTMCell if s["cell"] == "LSTM" else nn.GRUCell
        cell = nn.utils.skip_init(kind, inputs, hidden, dtype=torch.float64)
        with torch.no_grad():
            for key in PARAMETERS:
                getattr(cell, key).copy_(torch.tensor(own[key], dtype=torch.float64))
            for place, letter in enumerate(GATES[s["cell"]]):
                rows = slice(place * hidden, (place + 1) * hidden)
                cell.bias_ih[rows] += s["bias"].get(letter, 0)
                if (held := s["override"].get(letter)) is not None:
                    for key in PARAMETERS:
                        getattr(cell, key)[rows] = 0
                    cell.bias_ih[rows] = HELD if held else -HELD
        return cell  # type: ignore[no-any-return]

    def states(self) -> dict[str, Tensor]:
        """Gates and states, a row a step: ``(L, H_out)`` each.

        Returns:
            ``i``, ``f``, ``g``, ``o``, ``c``, ``h`` of an LSTM; ``r``, ``z``, ``n``,
            ``h`` of a GRU. ``c`` and ``h`` come from torch's cell, unless the reset
            gate acts before the matrix product.
        """
        s, cell = self.values, self.layer
        letters, hidden = GATES[s["cell"]], cell.hidden_size
        h = c = torch.zeros(hidden, dtype=torch.float64)
        found: dict[str, list[Tensor]] = {}
        with torch.no_grad():
            for x_t in self.x:
                a = (cell.weight_ih @ x_t + cell.bias_ih).split(hidden)
                b = (cell.weight_hh @ h + cell.bias_hh).split(hidden)
                pairs = zip(letters, a, b, strict=True)
                now = {k: torch.sigmoid(p + q) for k, p, q in pairs}
                if isinstance(cell, nn.LSTMCell):
                    now["g"] = torch.tanh(a[2] + b[2])
                    h, c = cell(x_t, (h, c))
                    now["c"] = c
                else:
                    back = now["r"] * b[2]
                    if s["reset"] == "before":
                        rows = slice(2 * hidden, None)
                        back = cell.weight_hh[rows] @ (now["r"] * h)
                        back = back + cell.bias_hh[rows]
                    now["n"] = torch.tanh(a[2] + back)
                    by_hand = (1 - now["z"]) * now["n"] + now["z"] * h
                    h = cell(x_t, h) if s["reset"] == "after" else by_hand
                now["h"] = h
                for key, value in now.items():
                    found.setdefault(key, []).append(value)
        return {key: torch.stack(values) for key, values in found.items()}

    def _now(self) -> tuple[str, float, float, float]:
        """The gate that keeps, its value, the state before and after the step."""
        s, states = self.values, self.states()
        keeps, state = ("f", "c") if s["cell"] == "LSTM" else ("z", "h")
        t, unit = s["t"], s["unit"]
        before = float(states[state][t - 1, unit]) if t else 0.0
        return (
            keeps,
            float(states[keeps][t, unit]),
            before,
            float(states[state][t, unit]),
        )

    def __repr__(self) -> str:
        s = self.values
        keeps, gate, before, after = self._now()
        found = "predict first" if s["predict"] else f"now {_short(after)}"
        return (
            f"GateStepper: {s['cell']}, step {s['t']}, unit {s['unit']}, "
            f"{keeps} {gate:.2f} keeps {100 * gate:.0f} % of {_short(before)}, {found}"
        )

    def _seen(self) -> dict[str, list[float]]:
        """Gates and states of the unit, up to what a guess may see."""
        s = self.values
        seen = {}
        for key, values in self.states().items():
            end = s["t"] + (key not in "ch") if s["predict"] else len(values)
            seen[key] = [round(v, 2) + 0.0 for v in values[:end, s["unit"]].tolist()]
        return seen

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        s = self.values
        rows = [("x", "; ".join(", ".join(f"{v:g}" for v in r) for r in self.x))]
        for key, values in self._seen().items():
            hidden = ["?"] * (len(self.x) - len(values))
            rows.append((key, ", ".join([*map(_short, values), *hidden])))
        article = "an" if s["cell"] == "LSTM" else "a"
        return f"Unit {s['unit']} of {article} {s['cell']} cell over the steps", rows

    def draw(self, canvas: "Canvas") -> None:
        """Draw input, gates and states as rows over the steps."""
        s, color = self.values, tokens()["light"]
        ax = canvas.subplots()
        top = self.x.shape[1]
        draw_cells(
            ax, self.x.T.tolist(), 0, 0, "input", {(r, s["t"]) for r in range(4)}
        )
        names = [f"x{k}" for k in range(top)]
        for key, numbers in self._seen().items():
            role = {"c": "statistic", "h": "output", "g": "input", "n": "input"}
            place = (len(names), role.get(key, "kernel"))
            draw_cells(ax, [numbers], 0, *place, {(0, s["t"])})
            names.append(key)
        for row, word in enumerate(names):
            ax.text(-0.3, row + 0.45, word, ha="right", va="center")
        ax.text(s["t"] + 0.45, -0.4, f"step {s['t']}", ha="center", color=color["ink"])
        ax.set_xlim(-1, self.x.shape[0] + 0.2)
        ax.set_ylim(len(names) + 0.2, -1)
        ax.set_axis_off()
        ax.set_title(repr(self).split(": ", 1)[1], fontsize=9, loc="left")


def _short(value: float) -> str:
    """Two decimals, without a negative zero."""
    return f"{round(value, 2) + 0.0:.2f}"


def _from_module(layer: nn.Module) -> tuple[str, dict[str, Any]]:
    """Kind and parameters of the reader's own cell, or of a layer of one cell."""
    if not isinstance(layer, KINDS):
        words = ", ".join(f"nn.{kind.__name__}" for kind in KINDS)
        raise ValueError(f"layer is {type(layer).__name__}: allowed are {words}")
    if isinstance(layer, nn.RNNBase) and (
        layer.num_layers > 1 or layer.bidirectional or layer.proj_size
    ):
        raise ValueError(
            f"layer is {layer}: allowed are one layer, one direction, no proj_size"
        )
    within(1, 4, input_size=layer.input_size)
    within(1, 8, hidden_size=layer.hidden_size)
    ending = "_l0" if isinstance(layer, nn.RNNBase) else ""
    found: dict[str, Any] = {}
    for key in PARAMETERS:
        value = getattr(layer, key + ending, None)
        if value is None:  # bias=False
            value = torch.zeros(len(found["weight_ih"]))
        if not bool(value.isfinite().all()):
            raise ValueError(f"{key} of layer is not finite: give numbers")
        found[key] = _numbers(value)
    return "LSTM" if isinstance(layer, nn.LSTMCell | nn.LSTM) else "GRU", found


def _numbers(values: Tensor) -> Any:
    """Nested lists of seven digits, as much as float32 holds."""

    def shorter(value: Any) -> Any:
        if isinstance(value, list):
            return [shorter(v) for v in value]
        return float(f"{value:.7g}")

    return shorter(values.detach().double().cpu().tolist())


def _sequence(x: Tensor, features: int) -> Any:
    values = torch.as_tensor(x).detach().double().cpu()
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or not 1 <= len(values) <= 10 or values.shape[1] != features:
        raise ValueError(
            f"x has shape {tuple(values.shape)}: give (L, {features}), L from 1 to 10"
        )
    if not bool(values.isfinite().all()):
        raise ValueError("x holds values that are not finite: give numbers")
    return _numbers(values)


def _refuse_unknown(name: str, given: Any, known: Any) -> None:
    for key in given:
        if key not in known:
            raise ValueError(f"{name} names {key!r}: allowed are {', '.join(known)}")
