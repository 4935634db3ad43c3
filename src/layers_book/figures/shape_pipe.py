"""The figure of shapes through an ``nn.Sequential``, layer by layer."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from traitlets import Bool, HasTraits, Int, List

from layers_book.figures.figure import Figure, tokens, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

# kind -> its arguments with what stands for one left out (None: must be given)
KINDS: dict[str, dict[str, Any]] = {
    "Conv2d": {
        **{"in_channels": None, "out_channels": None, "kernel_size": None},
        **{"stride": 1, "padding": 0, "bias": True},
    },
    "ReLU": {},
    "MaxPool2d": {"kernel_size": None, "stride": None, "padding": 0},
    "AdaptiveAvgPool2d": {"output_size": None},
    "Flatten": {"start_dim": 1},
    "Linear": {"in_features": None, "out_features": None, "bias": True},
    "Dropout": {"p": 0.5},
}
# what a layer of the reader's own must have left as it is
PLAIN: dict[str, dict[str, Any]] = {
    "Conv2d": {"dilation": 1, "groups": 1, "padding_mode": "zeros"},
    "MaxPool2d": {"dilation": 1, "ceil_mode": False, "return_indices": False},
    "Flatten": {"end_dim": -1},
}
LENET: list[list[Any]] = [
    ["Conv2d", 1, 6, 5, 1, 0, True],
    ["ReLU"],
    ["MaxPool2d", 2, 2, 0],
    ["Conv2d", 6, 16, 5, 1, 0, True],
    ["ReLU"],
    ["MaxPool2d", 2, 2, 0],
    ["Flatten", 1],
    ["Linear", 400, 120, True],
    ["ReLU"],
    ["Linear", 120, 84, True],
    ["ReLU"],
    ["Linear", 84, 10, True],
]
MOST_LAYERS, MOST = 16, 2**20


def _row(kind: str) -> list[list[Any]]:
    """What a link may hold of a layer."""
    odd: dict[str, list[Any]] = {"bias": ["bool"], "p": ["float", 0, 1]}
    odd |= {key: ["int", 0, MOST] for key in ("padding", "start_dim")}
    arguments = (odd.get(key, ["int", 1, MOST]) for key in KINDS[kind])
    return [["word", kind], *arguments]


def chip(layer: nn.Module | Sequence[Any]) -> list[Any]:
    """The kind of a layer and its arguments, as the figure's state keeps them.

    Args:
        layer: a module, or its kind with arguments in torch's order.

    Raises:
        ValueError: a kind or an argument that the figure does not know.

    >>> chip(nn.Conv2d(3, 8, 3, padding=1))
    ['Conv2d', 3, 8, 3, 1, 1, True]
    >>> chip(("MaxPool2d", 2))
    ['MaxPool2d', 2, 2, 0]
    """
    if isinstance(layer, nn.Module):
        return _from_module(layer)
    kind, *given = layer
    if kind not in KINDS:
        raise ValueError(f"layer is {kind!r}: allowed are {', '.join(KINDS)}")
    wanted = KINDS[kind]
    if len(given) > len(wanted):
        raise ValueError(f"{kind} takes at most {len(wanted)} arguments, not {given}")
    values = [*given, *list(wanted.values())[len(given) :]]
    for i, (key, value) in enumerate(zip(wanted, values, strict=True)):
        if kind == "MaxPool2d" and key == "stride" and value is None:
            value = values[0]
        if key == "bias":
            fine = value in (True, False)
            value = bool(value)
        elif key == "p":
            fine = isinstance(value, int | float) and 0 <= value <= 1
        else:
            low = 0 if key in ("padding", "start_dim") else 1
            fine = isinstance(value, int) and low <= value <= MOST
        if not fine:
            raise ValueError(
                f"{key} of {kind} is {value!r}: allowed are one number of 0 to 1"
                if key == "p"
                else f"{key} of {kind} is {value!r}: allowed is one whole number "
                f"up to {MOST}"
            )
        values[i] = value
    return [kind, *values]


def _from_module(layer: nn.Module) -> list[Any]:
    kind = type(layer).__name__
    for key, plain in PLAIN.get(kind, {}).items():
        value = getattr(layer, key)
        if value not in (plain, (plain, plain)):
            raise ValueError(f"{key} of {kind} is {value!r}: allowed is {plain!r}")
    values = []
    for key in KINDS.get(kind, {}):
        value = getattr(layer, key)
        if key == "bias":
            value = value is not None
        elif isinstance(value, tuple) and len(set(value)) == 1:
            value = value[0]
        values.append(value)
    return chip([kind, *values])


def _made(layer: Sequence[Any]) -> nn.Module:
    kind, *values = layer
    arguments = dict(zip(KINDS[kind], values, strict=True))
    module: nn.Module = getattr(nn, kind)(**arguments)
    return module


class ShapePipe(Figure):
    """An ``nn.Sequential``, the shape after each layer, and torch's error if one fails.

    The reader adds, moves and removes layers and changes their sizes and the input's;
    the figure shows shapes and parameter counts, up to the layer that torch refuses.

    Args:
        layers: your own ``nn.Sequential`` of Conv2d, ReLU, MaxPool2d,
            AdaptiveAvgPool2d, Flatten, Linear and Dropout (square sizes, no dilation
            or groups), or a list such as ``[("Flatten",), ("Linear", 400, 120)]``;
            at most 16 layers. None is a stack like LeNet's.
        N: samples of the input, 1 to 1,048,576, as are
        C: its channels,
        H: its rows and
        W: its columns.
        at: the layer chosen, counted from 0; -1 is the input; None is the first
            Flatten, or the input.
        predict: hide the shapes below the chosen row, to be guessed first.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: LeCun et al., Gradient-based learning applied to document recognition,
    1998, https://doi.org/10.1109/5.726791 (the stack shown first)

    >>> ShapePipe()
    ShapePipe: 12 layers, (4, 1, 32, 32) becomes (4, 10), 61706 parameters
    >>> ShapePipe([("Flatten",), ("Linear", 400, 120)], H=28, W=28)
    ShapePipe: 2 layers, torch raises RuntimeError at layer 1, 48120 parameters
    >>> ShapePipe(nn.Sequential(nn.Linear(32, 3))).shapes()[0]
    [(4, 1, 32, 32), (4, 1, 32, 3)]
    """

    by_place = ("layers",)

    class State(HasTraits):
        layers = List(default_value=LENET).tag(
            link=["list", ["row", *map(_row, KINDS)], 0, MOST_LAYERS]
        )
        N = Int(4, min=1, max=MOST)
        C = Int(1, min=1, max=MOST)
        H = Int(32, min=1, max=MOST)
        W = Int(32, min=1, max=MOST)
        at = Int(6)
        predict = Bool(False)

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """Chips of the layers; the first Flatten is looked at, or the input."""
        chips = [chip(layer) for layer in given.get("layers", LENET)]
        if len(chips) > MOST_LAYERS:
            raise ValueError(
                f"layers has {len(chips)}: allowed are at most {MOST_LAYERS}"
            )
        kinds = [layer[0] for layer in chips]
        at = kinds.index("Flatten") if "Flatten" in kinds else -1
        return {"at": at, **given, "layers": chips}

    def check(self, given: Mapping[str, Any]) -> None:
        """The chosen layer exists."""
        within(-1, len(self.values["layers"]) - 1, at=self.values["at"])

    @property
    def layer(self) -> nn.Sequential:
        """The ``nn.Sequential`` the figure shows, with fresh parameters."""
        return nn.Sequential(*(_made(chip(c)) for c in self.values["layers"]))

    def shapes(self) -> tuple[list[tuple[int, ...]], Exception | None]:
        """Shape of the input and after each layer, and torch's error if one fails.

        Nothing is computed: the layers run on the meta device.
        """
        s = self.values
        with torch.device("meta"):
            layers = self.layer
        found: list[tuple[int, ...]] = [(s["N"], s["C"], s["H"], s["W"])]
        for layer in layers:
            shape = found[-1]
            # by rule: the first such call on the meta device imports for seconds
            if isinstance(layer, nn.ReLU | nn.Dropout):
                found.append(shape)
                continue
            if isinstance(layer, nn.Linear):
                if shape[-1] != layer.in_features:
                    return found, self._words(layer, shape)
                found.append((*shape[:-1], layer.out_features))
                continue
            try:
                y: Tensor = layer(torch.empty(shape, device="meta"))
            except (RuntimeError, IndexError):
                return found, self._words(layer, shape)
            found.append(tuple(y.shape))
        return found, None

    @staticmethod
    def _words(layer: nn.Module, shape: tuple[int, ...]) -> Exception | None:
        """torch's error on the CPU, whose words differ from the meta device's."""
        try:
            with torch.no_grad():
                layer.to_empty(device="cpu")(torch.zeros(()).expand(shape))
        except (RuntimeError, IndexError) as error:
            return error
        return None

    def _counts(self) -> list[int]:
        with torch.device("meta"):
            return [sum(p.numel() for p in layer.parameters()) for layer in self.layer]

    def __repr__(self) -> str:
        shapes, error = self.shapes()
        at = len(shapes) - 1
        found = (
            f"torch raises {type(error).__name__} at layer {at}"
            if error
            else f"{shapes[0]} becomes {shapes[-1]}"
        )
        many = len(self.values["layers"])
        layers = f"{many} layer{'s' * (many != 1)}"
        return f"ShapePipe: {layers}, {found}, {sum(self._counts())} parameters"

    def _names(self) -> list[str]:
        names = []
        for i, (kind, *values) in enumerate(chip(c) for c in self.values["layers"]):
            least = sum(v is None for v in KINDS[kind].values())
            least -= kind == "MaxPool2d"
            short = list(values)
            while len(short) > least and chip([kind, *short[:-1]])[1:] == values:
                short.pop()
            names.append(f"{i} {kind}({', '.join(map(str, short))})")
        return names

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        caption = f"Shape after each layer: {repr(self).split(': ', 1)[1]}"
        shapes, error = self.shapes()
        rows = [("input", str(shapes[0]))]
        for i, (name, n) in enumerate(zip(self._names(), self._counts(), strict=True)):
            if i + 1 < len(shapes):
                rows.append((name, f"{shapes[i + 1]}, {n} parameters"))
            elif i + 1 == len(shapes):
                words = f"torch raises {type(error).__name__}: {error}"
                rows.append((name, words.splitlines()[0]))
            else:
                rows.append((name, "not reached"))
        return caption, rows

    def draw(self, canvas: "Canvas") -> None:
        """Draw the layers as a list: name, shape after it, parameters."""
        from matplotlib.patches import Rectangle

        s, color = self.values, tokens()["light"]
        ax = canvas.subplots()
        shapes, error = self.shapes()
        names, counts = ["input", *self._names()], ["", *map(str, self._counts())]
        for i, (name, count) in enumerate(zip(names, counts, strict=True)):
            role, words = "output", "not reached"
            if i < len(shapes):
                words = str(shapes[i])
            elif i == len(shapes):
                role, words = "error", type(error).__name__
            if i == s["at"] + 1:
                fill, edge = color["kernel-fill"], color["kernel"]
                ax.add_patch(Rectangle((0, i - 0.5), 10, 1, fc=fill, ec=edge))
            size = min(9.0, 130 / len(names))
            ink = color["muted"] if i > len(shapes) else color[role]
            ax.text(0.1, i, name, va="center", fontsize=size, color=color["ink"])
            ax.text(7.6, i, words, ha="right", va="center", fontsize=size, color=ink)
            ax.text(9.9, i, count, ha="right", va="center", fontsize=size)
        ax.set_xlim(0, 10)
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.set_axis_off()
        ax.set_title(repr(self).split(": ", 1)[1], fontsize=9, loc="left")
