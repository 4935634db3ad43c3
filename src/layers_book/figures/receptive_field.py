"""The figure of receptive fields: which input cells one output of a stack reaches."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from traitlets import Bool, HasTraits, Int, List

from layers_book.figures.figure import Figure, inner, tokens, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

KINDS = ("Conv", "MaxPool", "AvgPool")
KEYS = ("kernel_size", "stride", "padding", "dilation")
# what must be as it is in a layer of the reader's own
PLAIN = {"padding_mode": "zeros", "ceil_mode": False, "return_indices": False}
# modules that look at one place only and so do not move the field
POINTWISE = (
    nn.Identity,
    nn.ReLU,
    nn.LeakyReLU,
    nn.PReLU,
    nn.GELU,
    nn.SiLU,
    nn.ELU,
    nn.Tanh,
    nn.Sigmoid,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
)
MOST_LAYERS, MOST_CELLS = 6, 64


def chip(layer: int | nn.Module | Sequence[Any]) -> list[Any]:
    """Kind, kernel size, stride, padding and dilation, as the figure's state has them.

    Args:
        layer: a module; or a dilation, for a convolution of kernel size 3 that keeps
            the size; or a kind with those four numbers in this order.

    Raises:
        ValueError: a kind or a number that the figure does not know.

    >>> chip(2), chip(nn.MaxPool2d(2))
    (['Conv', 3, 1, 2, 2], ['MaxPool', 2, 2, 0, 1])
    """
    if isinstance(layer, nn.Module):
        kind, *values = _from_module(layer)
    elif isinstance(layer, int):
        kind, *values = ["Conv", 3, 1, layer, layer]
    else:
        kind, *values = layer
        values += [1, 0, 1][len(values) - 1 :] if values else []
    if kind not in KINDS:
        raise ValueError(f"layer is {kind!r}: allowed are {', '.join(KINDS)}")
    if len(values) != len(KEYS):
        raise ValueError(f"{kind} takes {', '.join(KEYS)}, not {values}")
    for key, value in zip(KEYS, values, strict=True):
        within(0 if key == "padding" else 1, 32, **{f"{key} of {kind}": value})
    if kind == "AvgPool" and values[3] != 1:
        raise ValueError(f"dilation of AvgPool is {values[3]}: torch knows none")
    return [kind, *values]


def _from_module(layer: nn.Module) -> list[Any]:
    name = type(layer).__name__
    kind = name[:-2]
    if kind not in KINDS or name[-2:] not in ("1d", "2d"):
        words = ", ".join(f"{k}1d, {k}2d" for k in KINDS)
        raise ValueError(f"layer is {name!r}: allowed are {words} and activations")
    for key, plain in PLAIN.items():
        if getattr(layer, key, plain) != plain:
            value = getattr(layer, key)
            raise ValueError(f"{key} of {name} is {value!r}: allowed is {plain!r}")
    found = {key: getattr(layer, key, 1) for key in KEYS}
    for key, value in found.items():
        if isinstance(value, tuple) and len(set(value)) == 1:
            found[key] = value[0]
        elif isinstance(value, tuple):
            raise ValueError(f"{key} of {name} is {value}: allowed is one number")
    if isinstance(found["padding"], str):
        total = found["dilation"] * (found["kernel_size"] - 1)
        if found["padding"] == "same" and total % 2:
            raise ValueError(f"padding of {name} is 'same', and pads {total} unevenly")
        found["padding"] = total // 2 if found["padding"] == "same" else 0
    return [kind, *found.values()]


def _flat(layers: Iterable[Any]) -> Iterable[Any]:
    for layer in layers:
        if isinstance(layer, nn.Sequential):
            yield from _flat(layer)
        elif not isinstance(layer, POINTWISE):
            yield layer


class ReceptiveField(Figure):
    """A stack of convolutions and poolings, and the input cells one output reaches.

    The reader builds the stack and picks an output; the figure shows the paths down to
    the input, the theoretical field with its jump, the cells touched and the holes, and
    how many paths reach each cell: the gradient of such a stack with all weights 1.

    Args:
        layers: your own ``nn.Sequential`` of ``Conv1d``, ``Conv2d`` and poolings (one
            number an axis; activations, dropout and batch normalization in it look at
            one place and are left out); or numbers, dilations of convolutions with
            kernel size 3 that keep the size; or lists such as
            ``["MaxPool", kernel_size, stride, padding, dilation]``. 1 to 6 layers.
        n: cells of the input along each axis, 1 to 64; None is the field and eight
            outputs more.
        dims: 1 or 2 axes; None follows ``layers``, else 2.
        at: the output cell, in two dimensions on the diagonal; None is the middle.
        predict: hide the answer until the reader has guessed.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: Dumoulin and Visin (2016), https://arxiv.org/abs/1603.07285; the recursion
    as in Araujo, Norris and Sim (2019), https://distill.pub/2019/computing-receptive-fields

    >>> ReceptiveField((2, 2, 2))
    ReceptiveField: 3 layers, field 13, jump 1, touches 7 of 13 cells an axis
    >>> ReceptiveField(nn.Sequential(nn.Conv1d(1, 8, 3), nn.ReLU(), nn.MaxPool1d(2)))
    ReceptiveField: 2 layers, field 4, jump 2, touches 4 of 4 cells an axis
    """

    by_place = ("layers", "n")

    class State(HasTraits):
        layers = List(default_value=[["Conv", 3, 1, 2, 2]] * 3).tag(
            link=[
                "list",
                [
                    "row",
                    [
                        ["word", *KINDS],
                        ["int", 1, 32],
                        ["int", 1, 32],
                        ["int", 0, 32],
                        ["int", 1, 32],
                    ],
                ],
                1,
                MOST_LAYERS,
            ]
        )
        n = Int(21, min=1, max=MOST_CELLS)
        dims = Int(2, min=1, max=2)
        at = Int(10)
        sel = inner(Int(0, min=0, max=MOST_LAYERS - 1))
        predict = Bool(False)

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """Chips of the layers; a size and a cell that suit them."""
        found = list(_flat(given.get("layers", self.defaults["layers"])))
        chips = [chip(layer) for layer in found]
        within(1, MOST_LAYERS, **{"number of layers": len(chips)})
        own = {int(type(m).__name__[-2]) for m in found if isinstance(m, nn.Module)}
        if len(own) > 1:
            raise ValueError("layers mixes 1d and 2d: allowed is one of them")
        given.setdefault("dims", next(iter(own), 2))
        given["layers"] = chips
        within(1, 2, dims=given["dims"])
        self.values = {**self.defaults, **given}
        if "n" not in given:
            field, jump, _ = self.theory()
            given["n"] = min(41, field + 8 * jump)
        within(1, MOST_CELLS, n=given["n"])
        self.values["n"] = given["n"]
        given.setdefault("at", self._last() // 2)
        return given

    def check(self, given: Mapping[str, Any]) -> None:
        """The chosen output exists."""
        within(0, self._last(), at=self.values["at"])

    def _last(self) -> int:
        """The last output cell; 0 where torch refuses a layer."""
        sizes, _ = self.sizes()
        return sizes[-1] - 1 if len(sizes) > len(self.values["layers"]) else 0

    def _modules(self) -> list[nn.Module]:
        s = self.values
        made: list[nn.Module] = []
        for kind, k, stride, padding, dilation in s["layers"]:
            given = {"stride": stride, "padding": padding}
            if kind != "AvgPool":
                given["dilation"] = dilation
            channels = {"in_channels": 1, "out_channels": 1, "bias": False}
            given |= channels if kind == "Conv" else {}
            made.append(getattr(nn, f"{kind}{s['dims']}d")(kernel_size=k, **given))
        return made

    @property
    def layer(self) -> nn.Sequential:
        """The figure's ``nn.Sequential``: one channel, weights 1, float64."""
        model = nn.Sequential(*self._modules()).double()
        for weight in model.parameters():
            nn.init.ones_(weight)
        return model

    def theory(self) -> tuple[int, int, int]:
        """Field and jump of an output, and where the field of output 0 starts.

        >>> ReceptiveField((1, 2, 4)).theory()
        (15, 1, -7)
        """
        field, jump, start = 1, 1, 0
        for _, k, stride, padding, dilation in self.values["layers"]:
            field += dilation * (k - 1) * jump
            start -= padding * jump
            jump *= stride
        return field, jump, start

    def sizes(self) -> tuple[list[int], Exception | None]:
        """Cells along an axis, of the input and after each layer, and torch's error."""
        s = self.values
        x = torch.zeros(1, 1, *[s["n"]] * s["dims"])
        found = [s["n"]]
        with torch.no_grad():
            for layer in self._modules():
                try:
                    x = layer(x)
                except RuntimeError as error:
                    return found, error
                found.append(x.shape[-1])
        return found, None

    def paths(self, at: int | None = None) -> Tensor:
        """How many paths lead from an output to each input cell of an axis, ``(n,)``.

        Counted by torch: the gradient of the stack with every layer an all-ones
        convolution. In two dimensions the number is a product, row times column.

        Args:
            at: the output cell; None is the figure's own.

        Raises:
            RuntimeError: torch refuses the stack.
        """
        s = self.values
        sizes, error = self.sizes()
        if error:
            raise error
        cell = min(s["at"], sizes[-1] - 1) if at is None else at
        x = torch.zeros(1, 1, s["n"], dtype=torch.float64, requires_grad=True)
        y: Tensor = x
        for _, k, *rest in s["layers"]:
            ones = torch.ones(1, 1, k, dtype=torch.float64)
            y = F.conv1d(y, ones, None, *rest)
        (counts,) = torch.autograd.grad(y[0, 0, cell], x)
        return counts[0, 0]

    def _inside(self) -> list[int]:
        field, jump, start = self.theory()
        low = start + self.values["at"] * jump
        return [i for i in range(low, low + field) if 0 <= i < self.values["n"]]

    def _found(self) -> str:
        many = len(self.values["layers"])
        words = f"{many} layer{'s' * (many != 1)}"
        sizes, error = self.sizes()
        if error:
            at = len(sizes) - 1
            return f"{words}, torch raises {type(error).__name__} at layer {at}"
        field, jump, _ = self.theory()
        touched, inside = int((self.paths() > 0).sum()), len(self._inside())
        words += f", field {field}, jump {jump}"
        return f"{words}, touches {touched} of {inside} cells an axis"

    def __repr__(self) -> str:
        return f"ReceptiveField: {self._found()}"

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        s = self.values
        sizes, error = self.sizes()
        rows = [("input", f"{s['n']} cells an axis")]
        for i, (kind, *values) in enumerate(s["layers"]):
            words = ", ".join(
                f"{key} {value}" for key, value in zip(KEYS, values, strict=True)
            )
            size = f"{sizes[i + 1]} cells" if i + 1 < len(sizes) else "not reached"
            if i + 1 == len(sizes):
                size = f"torch raises {type(error).__name__}: {error}"
            rows.append((f"{i} {kind}: {words}", size))
        if error is None:
            counts = ", ".join(f"{v:.0f}" for v in self.paths().tolist())
            rows.append((f"paths from output {s['at']}", counts))
        return f"Receptive field: {self._found()}", rows

    def draw(self, canvas: "Canvas") -> None:
        """Draw the paths from the output down to the input, level by level."""
        s, color = self.values, tokens()["light"]
        ax = canvas.subplots()
        sizes, error = self.sizes()
        top = len(sizes) - 1
        levels = [(1, 1, 0)]
        for _, k, stride, padding, dilation in s["layers"][:top]:
            f, j, b = levels[-1]
            levels.append((f + dilation * (k - 1) * j, j * stride, b - padding * j))

        def centre(level: int, i: int) -> float:
            field, jump, start = levels[level]
            return start + i * jump + (field - 1) / 2

        on = {s["at"]} if error is None else set()
        for level in range(top, -1, -1):
            role = "output" if level else "input"
            for filled in (False, True):
                cells = [i for i in range(sizes[level]) if (i in on) == filled]
                fill = color[f"{role}-fill"] if filled else color["bg"]
                edge = color[role] if filled else color["padding"]
                ax.scatter(
                    [centre(level, i) for i in cells],
                    [level] * len(cells),
                    s=min(90, 1500 / s["n"]),
                    marker="o" if level else "s",
                    color=fill,
                    edgecolors=edge,
                    zorder=3,
                )
            if level == 0:
                break
            _, k, stride, padding, dilation = s["layers"][level - 1]
            below = set()
            for i in on:
                for j in range(
                    i * stride - padding, i * stride - padding + k * dilation, dilation
                ):
                    if 0 <= j < sizes[level - 1]:
                        below.add(j)
                        ends = [centre(level, i), centre(level - 1, j)]
                        ax.plot(ends, [level, level - 1], color=color["kernel"], lw=1)
            on = below
        ax.set_xlim(-1.5, s["n"] + 0.5)
        ax.set_yticks(range(top + 1), ["input", *(f"layer {i}" for i in range(top))])
        ax.spines[:].set_visible(False)
        ax.set_title(self._found(), fontsize=9, loc="left")
