"""The figure of time: what a recurrent layer's gradient becomes on its way back."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from traitlets import Bool, Enum, Float, HasTraits, Int

from layers_book.figures.figure import Figure, mix, own_numbers, tokens, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

HIDDEN = 8
MOST = 12
WORD = 0xFFFFFFFF
KINDS = ("default", "orthogonal", "identity", "non-normal", "own")
NONLINEARITIES = ("none", "tanh", "relu")


@cache
def uniform(seed: int, block: int, count: int) -> tuple[float, ...]:
    """Numbers spread evenly from -1 to 1, which the figure's JavaScript repeats.

    Args:
        seed: any whole number from 0.
        block: which numbers of this seed, from 0.
        count: how many.

    Source: Appleby, MurmurHash3, https://github.com/aappleby/smhasher; multiplier and
    increment from Press et al., Numerical Recipes.

    >>> len(uniform(0, 0, 64)), max(map(abs, uniform(0, 0, 64))) <= 1
    (64, True)
    """
    s, values = mix(seed + (block + 1) * 0x9E3779B9), []
    for _ in range(count):
        s = (s * 1664525 + 1013904223) & WORD
        values.append((s >> 16) / 32767.5 - 1)
    return tuple(values)


def _drawn(seed: int, block: int) -> Tensor:
    values = torch.tensor(uniform(seed, block, HIDDEN**2), dtype=torch.float64)
    scaled: Tensor = values.view(HIDDEN, HIDDEN) / HIDDEN**0.5
    return scaled


def _rows(x: Tensor) -> list[list[float]]:
    return [[round(v, 6) for v in row] for row in x.detach().double().tolist()]


class GradientThroughTime(Figure):
    """The size of the gradient, step by step, on its way back through ``nn.RNN``.

    The reader moves the kind of ``W_hh``, its spectral radius, the nonlinearity, the
    number of steps; the figure shows the size of dh_T / dh_(T-k) for every lag k, and
    the eigenvalues of ``W_hh`` around the unit circle.

    The size is the Frobenius norm over the root of ``hidden_size``: by how much a
    random direction is stretched in the root mean square. It is 1 at lag 0.

    Args:
        kind: ``default`` (uniform entries, as torch draws them), ``orthogonal``,
            ``identity``, ``non-normal`` (ones on the diagonal and above it), or
            ``own``, where a matrix of yours is given.
        radius: the spectral radius that ``W_hh`` is scaled to, 0 to 2; yours keeps its
            own by default.
        length: steps T, 1 to 40.
        nonlinearity: ``none``, ``tanh`` or ``relu``.
        back: the lag looked at, 0 to ``length``.
        input_scale: standard deviation of the inputs, 0 to 4; it multiplies ``x``.
        seed: of the matrices and the inputs.
        predict: hide the answer until the reader has chosen one.
        weight_hh: your own matrix, square, 1 to 12 rows.
        layer: your own ``nn.RNN`` of one layer and direction, 1 to 12 wide.
        x: your own inputs, ``(L, H_in)``.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: Pascanu, Mikolov and Bengio, 2013, https://arxiv.org/abs/1211.5063

    >>> GradientThroughTime("identity", 0.5, nonlinearity="none", back=3)
    GradientThroughTime: identity, radius 0.5, none, 30 steps, 3 back gradient x 0.12
    >>> W = torch.tensor([[0.5, 4.0], [0.0, 0.5]])
    >>> GradientThroughTime(weight_hh=W, nonlinearity="none", back=1)
    GradientThroughTime: own, radius 0.5, none, 30 steps, 1 back gradient x 2.9
    """

    by_place = (
        "kind",
        "radius",
        "length",
        "nonlinearity",
        "back",
        "input_scale",
        "seed",
    )
    others = ("weight_hh", "layer", "x")

    class State(HasTraits):
        kind = Enum(KINDS, "default")
        radius = Float(0.6).tag(link=["float", 0, 2])
        length = Int(30)
        nonlinearity = Enum(NONLINEARITIES, "tanh")
        back = Int(10)
        input_scale = Float(1.0, min=0, max=4)
        seed = Int(0, min=0, max=WORD)
        predict = Bool(False)
        weight_hh = own_numbers()
        weight_ih = own_numbers()
        bias = own_numbers()
        eigenvalues = own_numbers()
        x = own_numbers()

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """Weights and their eigenvalues of a layer or matrix of the reader's own."""
        layer, weight_hh = given.pop("layer", None), given.pop("weight_hh", None)
        x = given.pop("x", None)
        own: dict[str, Any] = {}
        if layer is not None and weight_hh is not None:
            raise ValueError("layer and weight_hh are both given: allowed is one")
        if layer is not None:
            own = _taken(layer)
            given.setdefault("nonlinearity", layer.nonlinearity)
        elif weight_hh is not None:
            own = {"weight_hh": _square(weight_hh)}
        if own:
            found = torch.linalg.eigvals(
                torch.tensor(own["weight_hh"], dtype=torch.float64)
            )
            own["eigenvalues"] = [[v.real, v.imag] for v in found.tolist()]
            given.setdefault("kind", "own")
            given.setdefault("radius", _largest(own["eigenvalues"]))
        if x is not None:
            own["x"] = _inputs(x, own)
            given.setdefault("length", len(own["x"]))
        length = given.get("length", self.defaults["length"])
        given.setdefault("back", min(self.defaults["back"], length))
        return given | own

    def check(self, given: Mapping[str, Any]) -> None:
        """The reader's own weights are there, and sizes fit them and the input."""
        s = self.values
        if s["kind"] == "own" and s["weight_hh"] is None:
            raise ValueError("kind is 'own': give weight_hh or layer with it")
        most = max(2, _largest(s["eigenvalues"] or []))
        if not 0 <= s["radius"] <= most:
            raise ValueError(f"radius is {s['radius']}: allowed are 0 to {most:g}")
        within(1, len(s["x"]) if s["x"] else 40, length=s["length"])
        within(0, s["length"], back=s["back"])

    @property
    def weight_hh(self) -> Tensor:
        """The recurrent matrix as the figure uses it, float64, scaled to its radius."""
        s = self.values
        kind, n = s["kind"], HIDDEN
        if kind == "own":
            weight = torch.tensor(s["weight_hh"], dtype=torch.float64)
        elif kind in ("default", "orthogonal"):
            weight = _drawn(s["seed"], 0)
        else:
            weight = torch.eye(n, dtype=torch.float64)
        if kind == "orthogonal":
            weight, upper = torch.linalg.qr(weight)
            weight = weight * upper.diag().sign()
        if kind == "non-normal":
            weight = weight + torch.ones(n - 1, dtype=torch.float64).diag(1)
        radius = float(torch.linalg.eigvals(weight).abs().max())
        return weight * (s["radius"] / radius if radius else 1.0)

    @property
    def weight_ih(self) -> Tensor:
        """The matrix of the inputs, float64, ``(H, H_in)``."""
        s = self.values
        if s["kind"] == "own" and s["weight_ih"]:
            return torch.tensor(s["weight_ih"], dtype=torch.float64)
        n = len(self.weight_hh)
        if n == HIDDEN:
            return _drawn(s["seed"], 1)
        return torch.eye(n, dtype=torch.float64)

    @property
    def x(self) -> Tensor:
        """The inputs, float64, ``(T, H_in)``."""
        s, size = self.values, self.weight_ih.shape[1]
        if s["x"] and len(s["x"][0]) == size:  # another kind may need other inputs
            x = torch.tensor(s["x"], dtype=torch.float64)[: s["length"]]
        else:
            values = uniform(s["seed"], 2, s["length"] * size)
            x = 3**0.5 * torch.tensor(values, dtype=torch.float64).view(-1, size)
        scaled: Tensor = s["input_scale"] * x
        return scaled

    @property
    def layer(self) -> nn.RNN:
        """The ``nn.RNN`` the figure shows, in float64; ``b_hh`` is zero.

        Raises:
            ValueError: the nonlinearity is ``none``; torch's own words.
        """
        s, weights = self.values, (self.weight_ih, self.weight_hh)
        size = weights[0].shape[1], len(weights[1])
        kind: Any = s["nonlinearity"]
        # without touching the reader's generator
        layer = nn.RNN(*size, nonlinearity=kind, device="meta", dtype=torch.float64)
        layer = layer.to_empty(device="cpu")
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.zero_()
            values = [*weights]
            if s["kind"] == "own" and s["bias"]:
                values.append(torch.tensor(s["bias"], dtype=torch.float64))
            for parameter, value in zip(layer.parameters(), values, strict=False):
                parameter.copy_(value)
        return layer

    def states(self, copies: int = 1) -> list[Tensor]:
        """h_0 to h_T with the graph between them, each ``(copies, H)``, all alike."""
        s, weight = self.values, self.weight_hh
        act: dict[str, Any] = {
            "none": lambda z: z,
            "tanh": torch.tanh,
            "relu": torch.relu,
        }
        bias = s["bias"] if s["kind"] == "own" and s["bias"] else [0.0]
        b = torch.tensor(bias, dtype=torch.float64)
        h = torch.zeros(copies, len(weight), dtype=torch.float64, requires_grad=True)
        found = [h]
        for u in self.x @ self.weight_ih.T + b:
            h = act[s["nonlinearity"]](u + h @ weight.T)
            found.append(h)
        return found

    def sizes(self) -> list[float]:
        """Of dh_T / dh_(T-k) for k = 0 to T, by autograd; what the figure draws."""
        n = len(self.weight_hh)
        found = self.states(n)[::-1]
        # unit i of copy i: one backward pass gives all rows of every Jacobian
        jacobians = torch.autograd.grad(found[0].diagonal().sum(), found)
        return [float(J.norm()) / n**0.5 for J in jacobians]

    def _settings(self) -> str:
        s = self.values
        radius = f"{s['radius']:.2f}".rstrip("0").rstrip(".")
        return f"{s['kind']}, radius {radius}, {s['nonlinearity']}, {s['length']} steps"

    def __repr__(self) -> str:
        back = self.values["back"]
        size = f"{back} back gradient x {self.sizes()[back]:.2g}"
        return f"GradientThroughTime: {self._settings()}, {size}"

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        s, sizes = self.values, self.sizes()
        lags = {0, 1, s["length"] // 2, s["back"], s["length"]}
        rows = [(f"{k} steps back", f"{sizes[k]:.2g}") for k in sorted(lags)]
        return f"Size of the gradient: {self._settings()}", rows

    def draw(self, canvas: "Canvas") -> None:
        """Draw the sizes on a log scale and the eigenvalues of ``W_hh``."""
        s, color, sizes = self.values, tokens()["light"], self.sizes()
        left, right = canvas.subplots(1, 2, width_ratios=(5, 3))
        shown = [v if v > 0 else float("nan") for v in sizes]
        left.semilogy(range(len(sizes)), shown, "--v", color=color["gradient"], ms=4)
        left.axhline(1, color=color["muted"], lw=0.8, ls=":")
        left.invert_xaxis()
        left.set_xlabel("steps back")
        left.set_title(f"gradient size: {self._settings()}", fontsize=9)
        angle = torch.linspace(0, 6.2832, 200)
        right.plot(angle.cos(), angle.sin(), color=color["muted"], lw=1)
        found = torch.linalg.eigvals(self.weight_hh)
        right.plot(found.real, found.imag, "D", color=color["kernel"], ms=5)
        most = max(1.15, 1.1 * s["radius"])
        right.set(xlim=(-most, most), ylim=(-most, most), aspect="equal")
        right.set_title("eigenvalues of W_hh", fontsize=9)
        for ax in (left, right):
            ax.spines[["top", "right"]].set_visible(False)


def _square(weight: Tensor) -> list[list[float]]:
    """A reader's matrix as numbers.

    Raises:
        ValueError: it is not square, too large or not finite.
    """
    shape = tuple(weight.shape)
    if len(shape) != 2 or shape[0] != shape[1] or not 1 <= shape[0] <= MOST:
        raise ValueError(f"weight_hh has shape {shape}: allowed is square, 1 to {MOST}")
    if not weight.isfinite().all():
        raise ValueError("weight_hh has values that are not finite")
    return _rows(weight)


def _largest(eigenvalues: list[list[float]]) -> float:
    """The spectral radius; 0 of none."""
    return max((abs(complex(*pair)) for pair in eigenvalues), default=0.0)


def _taken(layer: Any) -> dict[str, Any]:
    """The numbers of a reader's layer.

    Raises:
        ValueError: it is no ``nn.RNN`` of one layer and direction, or too wide.
    """
    plain = isinstance(layer, nn.RNN)
    if not plain or layer.num_layers > 1 or layer.bidirectional:
        raise ValueError(
            f"layer is {layer}: allowed is an nn.RNN of one layer and one direction"
        )
    within(1, MOST, input_size=layer.input_size)
    bias = None
    if layer.bias:
        both = layer.bias_ih_l0 + layer.bias_hh_l0
        bias = _rows(both[None])[0]
    return {
        "weight_hh": _square(layer.weight_hh_l0),
        "weight_ih": _rows(layer.weight_ih_l0),
        "bias": bias,
    }


def _inputs(x: Tensor, own: dict[str, Any]) -> list[list[float]]:
    """A reader's inputs as numbers.

    Raises:
        ValueError: the shape does not fit the matrix, or a value is not finite.
    """
    size = HIDDEN
    if own:
        size = len((own.get("weight_ih") or own["weight_hh"])[0])
    if x.ndim != 2 or x.shape[1] != size or not 1 <= len(x) <= 40:
        raise ValueError(
            f"x has shape {tuple(x.shape)}: allowed is (L, {size}), L from 1 to 40"
        )
    if not x.isfinite().all():
        raise ValueError("x has values that are not finite")
    return _rows(x)
