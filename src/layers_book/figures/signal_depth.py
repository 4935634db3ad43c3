"""The figure of depth: how activations and gradients grow or shrink layer by layer."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from traitlets import Enum, HasTraits, Int

from layers_book.figures.figure import Figure, mix, tokens, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

WIDTH = 32
WORD = 0xFFFFFFFF
ACTIVATIONS = (
    "Identity",
    "ReLU",
    "LeakyReLU",
    "Tanh",
    "Sigmoid",
    "GELU",
    "SiLU",
    "SELU",
)
INITS = ("default", "xavier_normal", "kaiming_normal", "gain", "small", "large")
FLAT = 0.01


@cache
def numbers(seed: int, step: int, terms: int) -> tuple[float, ...]:
    """1024 numbers of mean 0 and deviation 1 that the figure's JavaScript repeats.

    Args:
        seed: any whole number from 0.
        step: which block of numbers, from 0.
        terms: draws a number: 4 is nearly normal, 1 uniform.

    Source: Appleby, MurmurHash3, https://github.com/aappleby/smhasher; multiplier and
    increment from Press et al., Numerical Recipes.

    >>> len(numbers(0, 0, 4)), max(numbers(0, 0, 1)) < 3**0.5 + 1e-4
    (1024, True)
    """
    s = mix(seed + (step + 1) * 0x9E3779B9)
    factor, summand = _jumps()[:, : WIDTH * WIDTH * terms]
    draws = ((factor * s + summand) & WORD) >> 16
    total = draws.reshape(-1, terms).sum(1).double() - 32767.5 * terms
    values: list[float] = (total / 18918.5 / terms**0.5).tolist()
    return tuple(values)


@cache
def _jumps() -> Tensor:
    """Factor and summand of 1, 2, ... steps of the linear congruence, at once."""
    pair, pairs = (1, 0), []
    for _ in range(WIDTH * WIDTH * 4):
        pair = (pair[0] * 1664525 & WORD, (pair[1] * 1664525 + 1013904223) & WORD)
        pairs.append(pair)
    return torch.tensor(pairs).T


def _block(seed: int, step: int, terms: int = 4) -> Tensor:
    values = torch.tensor(numbers(seed, step, terms), dtype=torch.float64)
    return values.reshape(WIDTH, WIDTH)


class SignalDepth(Figure):
    """A stack of 32-wide layers: the size of activations and gradients in each.

    The reader moves the activation, the initialization and the depth; the figure
    shows the RMS of activations (forward) and of gradients (backward) by layer, a
    histogram at one layer, and how many units are flat or dead there.

    Args:
        activation: ``Identity``, ``ReLU``, ``LeakyReLU``, ``Tanh``, ``Sigmoid``,
            ``GELU``, ``SiLU`` or ``SELU``, or your own module of one of these kinds
            (its usual settings are shown).
        init: ``default`` (nn.Linear's own), ``xavier_normal``, ``kaiming_normal``
            (for relu), ``gain`` (Xavier with ``nn.init.calculate_gain`` of the
            activation), ``small`` (std 0.05) or ``large`` (std 0.5).
        depth: layers, 1 to 30; each is a Linear without bias and the activation.
        at: the layer looked at, 0 (the input) to ``depth``; by default the middle.
        seed: of the input, the weights and the gradient at the output.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: Glorot and Bengio, 2010,
    https://proceedings.mlr.press/v9/glorot10a.html; He et al., 2015,
    https://arxiv.org/abs/1502.01852

    >>> SignalDepth("ReLU", "kaiming_normal", depth=10)
    SignalDepth: ReLU, kaiming_normal, 10 layers, RMS x 0.78, gradient x 1.1
    >>> SignalDepth("GELU", "gain")
    SignalDepth: GELU, gain, 20 layers, torch raises ValueError
    """

    by_place = ("activation", "init", "depth", "at", "seed")

    class State(HasTraits):
        activation = Enum(ACTIVATIONS, "ReLU")
        init = Enum(INITS, "default")
        depth = Int(20, min=1, max=30)
        at = Int(10)
        seed = Int(0, min=0, max=WORD)

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """The name of a module of the reader's own; the middle is looked at."""
        if isinstance(given.get("activation"), nn.Module):
            given["activation"] = type(given["activation"]).__name__
        depth = given.get("depth", self.defaults["depth"])
        if isinstance(depth, int):
            given.setdefault("at", depth // 2)
        return given

    def check(self, given: Mapping[str, Any]) -> None:
        """The chosen layer exists."""
        within(0, self.values["depth"], at=self.values["at"])

    @property
    def layer(self) -> nn.Sequential:
        """The stack in float64, with the figure's weights.

        Raises:
            ValueError: torch knows no gain for the activation; its own words.
        """
        s = self.values
        linears = [  # without touching the reader's generator
            nn.utils.skip_init(nn.Linear, WIDTH, WIDTH, bias=False, dtype=torch.float64)
            for _ in range(s["depth"])
        ]
        activation = getattr(nn, s["activation"])
        std, terms = self._std(), 1 if s["init"] == "default" else 4
        with torch.no_grad():
            for k, linear in enumerate(linears):
                linear.weight.copy_(std * _block(s["seed"], k + 2, terms))
        return nn.Sequential(*(m for f in linears for m in (f, activation())))

    def _std(self) -> float:
        """The standard deviation of the weights that torch's initialization aims at."""
        s = self.values
        root: float = WIDTH**-0.5
        if s["init"] == "gain":
            named = {"Identity": "linear", "LeakyReLU": "leaky_relu"}
            word: Any = named.get(s["activation"], s["activation"].lower())
            return root * float(nn.init.calculate_gain(word))
        known: dict[str, float] = {
            "default": (3 * WIDTH) ** -0.5,
            "xavier_normal": root,
            "kaiming_normal": root * 2**0.5,
            "small": 0.05,
            "large": 0.5,
        }
        return known[s["init"]]

    def activations(self) -> list[Tensor]:
        """The input and each layer's output, ``(32, 32)``, with ``.grad`` filled in."""
        return self._passed()[0]

    def _passed(self) -> tuple[list[Tensor], list[Tensor]]:
        """Activations with their gradients, and the slope at each unit's sum."""
        seed, net = self.values["seed"], self.layer
        a = _block(seed, 0).requires_grad_()
        outputs, slopes = [a], []
        for linear, activation in zip(list(net)[::2], list(net)[1::2], strict=True):
            z = linear(a)
            probe = z.detach().requires_grad_()
            slopes += torch.autograd.grad(activation(probe).sum(), probe)
            a = activation(z)
            a.retain_grad()
            outputs.append(a)
        a.backward(_block(seed, 1))
        return outputs, slopes

    def tracks(self) -> dict[str, list[float]]:
        """What the figure draws, a value a layer, computed by torch.

        Returns:
            ``rms`` (of activations), ``spread`` (their deviation over the samples),
            ``back`` (RMS of gradients), from layer 0, and from layer 1 ``flat`` (the
            share of slopes under 0.01) and ``dead`` (units flat in all samples).

        Raises:
            ValueError: torch knows no gain for the activation; its own words.
        """
        outputs, slopes = self._passed()
        out: dict[str, list[float]] = {"rms": [], "spread": [], "back": []}
        for a in outputs:
            assert a.grad is not None
            value = a.detach()
            for key, block in (
                ("rms", value),
                ("spread", value - value.mean(0)),
                ("back", a.grad),
            ):
                out[key].append(float(block.square().mean().sqrt()))
        flat = [slope.abs() < FLAT for slope in slopes]
        out["flat"] = [float(f.double().mean()) for f in flat]
        out["dead"] = [int(f.all(0).sum()) for f in flat]
        return out

    def __repr__(self) -> str:
        s = self.values
        head = f"SignalDepth: {s['activation']}, {s['init']}, {s['depth']} layers"
        try:
            t = self.tracks()
        except ValueError:
            return f"{head}, torch raises ValueError"
        ahead, back = t["rms"][-1] / t["rms"][0], t["back"][0] / t["back"][-1]
        return f"{head}, RMS x {ahead:.2g}, gradient x {back:.2g}"

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        s = self.values
        caption = f"{s['activation']}, {s['init']}, {s['depth']} layers"
        try:
            t = self.tracks()
        except ValueError as error:
            return caption, [("torch raises", f"ValueError: {error}")]
        depth = s["depth"]
        shown = {0, depth // 4, depth // 2, 3 * depth // 4, min(s["at"], depth), depth}
        rows = []
        for k in sorted(shown):
            words = f"RMS {t['rms'][k]:.2g}, gradient {t['back'][k]:.2g}"
            if k:
                dead = int(t["dead"][k - 1])
                words += f", flat {t['flat'][k - 1]:.0%}, dead {dead} of {WIDTH}"
            rows.append((f"layer {k}" if k else "input", words))
        return caption, rows

    def draw(self, canvas: "Canvas") -> None:
        """Draw the RMS by layer and the histogram at the chosen layer."""
        s, color = self.values, tokens()["light"]
        left, right = canvas.subplots(1, 2, width_ratios=(3, 2))
        try:
            outputs, t = self.activations(), self.tracks()
        except ValueError as error:
            left.text(0, 0.5, f"ValueError: {error}", color=color["error"])
            left.set_axis_off()
            right.set_axis_off()
            return
        ahead = [v / t["rms"][0] for v in t["rms"]]
        back = [v / t["back"][-1] for v in t["back"]]
        at = min(s["at"], s["depth"])
        left.semilogy(ahead, lw=2, color=color["output"])
        left.semilogy(back, "--", lw=2, color=color["gradient"])
        left.axhline(1, color=color["muted"], lw=0.8, ls=":")
        left.axvline(at, color=color["line"], lw=1)
        left.set_title("RMS: activations (line), gradients (dashed)", fontsize=9)
        left.set_xlabel("layer")
        values = outputs[at].detach().flatten()
        most = float(values.abs().max()) or 1.0
        right.hist(
            values.numpy(),
            bins=21,
            range=(-most, most),
            color=color["output-fill"],
            ec=color["output"],
        )
        ticks = (-most, 0, most)
        right.set_xticks(
            ticks, [f"{v:.2g}".replace("-", "\N{MINUS SIGN}") for v in ticks]
        )
        right.set_title(f"activations at layer {at}", fontsize=9)
        for ax in (left, right):
            ax.spines[["top", "right"]].set_visible(False)
