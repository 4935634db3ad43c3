"""The figure of grouped and separable convolutions: which channel feeds which."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from traitlets import Bool, HasTraits, Int

from layers_book.figures.figure import Figure, draw_cells, tokens, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST = 16


class ChannelMixing(Figure):
    """Which input channel of a convolution feeds which output channel, and the cost.

    The reader moves the channels, the groups, a depthwise layer's multiplier and a
    1 x 1 convolution after it, and picks a channel; the figure shows the kernels as a
    matrix, and counts parameters, multiply-adds and numbers moved beside those of the
    full convolution.

    Args:
        layer: your own ``nn.Conv2d`` with a square kernel, or an ``nn.Sequential`` of
            one and a 1 x 1 convolution without groups: channels, groups, kernel size
            and biases are taken over. Stride, padding and dilation change neither
            wiring nor parameters and are left out.
        in_channels: 1 to 16.
        out_channels: 1 to 16, of the first convolution.
        groups: of the first convolution; a number that does not divide the channels
            shows torch's error.
        kernel_size: 1 to 11.
        bias: whether the first convolution has one.
        depthwise: a group for each input channel, ``multiplier`` outputs each.
        multiplier: of depthwise; at most 16 channels in all.
        pointwise: outputs of a 1 x 1 convolution after it, 1 to 16; 0 for none.
        pointwise_bias: whether that one has a bias.
        size: height and width of the output, 1 to 64, for the costs.
        at: the output channel chosen.
        between: the channel chosen between the two convolutions.
        input: the input channel chosen.
        predict: ask for the number of kernels before the wiring is shown.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html

    >>> ChannelMixing(groups=2)
    ChannelMixing: 6 to 6 channels in 2 groups, output 3 reads [3, 4, 5], 168 parameters
    >>> ChannelMixing(groups=4)
    ChannelMixing: 6 to 6 channels in 4 groups, torch raises ValueError
    >>> ChannelMixing(depthwise=True, multiplier=2, in_channels=3).layer
    Conv2d(3, 6, kernel_size=(3, 3), stride=(1, 1), groups=3)
    """

    by_place = ("layer",)
    others = ("layer",)

    class State(HasTraits):
        in_channels = Int(6, min=1, max=MOST)
        out_channels = Int(6, min=1, max=MOST)
        groups = Int(3).tag(says="it must be a whole number")
        kernel_size = Int(3, min=1, max=11)
        bias = Bool(True)
        depthwise = Bool(False)
        multiplier = Int(1, min=1, max=MOST)
        pointwise = Int(0, min=0, max=MOST)
        pointwise_bias = Bool(True)
        size = Int(32, min=1, max=64)
        at = Int(3)
        between = Int(0)
        input = Int(2)
        predict = Bool(False)

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """What a layer of the reader's own says; the chosen channels exist."""
        layer = given.pop("layer", None)
        if layer is not None:
            given |= _from_module(layer)
        s = {**self.defaults, **given}
        if s["depthwise"]:
            given["groups"] = s["in_channels"]
            given["out_channels"] = s["in_channels"] * s["multiplier"]
            if given["out_channels"] > MOST:
                most = MOST // s["in_channels"]
                raise ValueError(
                    f"multiplier is {s['multiplier']}: allowed are 1 to {most}, "
                    f"for at most {MOST} channels"
                )
        s |= given
        last = s["pointwise"] or s["out_channels"]
        given.setdefault("at", min(self.defaults["at"], last - 1))
        given.setdefault("input", min(self.defaults["input"], s["in_channels"] - 1))
        return given

    def check(self, given: Mapping[str, Any]) -> None:
        """The chosen channels exist."""
        s = self.values
        within(0, (s["pointwise"] or s["out_channels"]) - 1, at=s["at"])
        within(0, s["in_channels"] - 1, input=s["input"])
        within(0, s["out_channels"] - 1, between=s["between"])

    def _sizes(self) -> tuple[int, int, int]:
        """Input channels, output channels and groups of the first convolution."""
        s = self.values
        channels = s["in_channels"]
        if s["depthwise"]:
            return channels, channels * s["multiplier"], channels
        return channels, s["out_channels"], s["groups"]

    @property
    def layer(self) -> nn.Module:
        """The convolution the figure shows, or two in an ``nn.Sequential``.

        Raises:
            ValueError: torch refuses the groups; its own words.
        """
        s = self.values
        channels, out, groups = self._sizes()
        kernel, bias = s["kernel_size"], s["bias"]
        conv = nn.Conv2d(channels, out, kernel, groups=groups, bias=bias)
        if not s["pointwise"]:
            return conv
        bias = s["pointwise_bias"]
        return nn.Sequential(conv, nn.Conv2d(out, s["pointwise"], 1, bias=bias))

    def wiring(self) -> Tensor:
        """Which input reaches which output of the layer, by torch's gradient.

        Returns:
            ``(C_out, C_in)``, bool.

        Raises:
            ValueError: torch refuses the groups; its own words.
        """
        with torch.random.fork_rng(devices=[]):  # showing a figure draws no numbers
            layer, kernel = self.layer.double(), self.values["kernel_size"]
        for parameter in layer.parameters():
            nn.init.ones_(parameter)  # no gradient may vanish by accident
        shape = (self.values["in_channels"], kernel, kernel)
        x = torch.ones(1, *shape, dtype=torch.float64, requires_grad=True)
        outputs = layer(x).flatten()
        rows = [torch.autograd.grad(y, x, retain_graph=True)[0][0] for y in outputs]
        return torch.stack([row[:, 0, 0] != 0 for row in rows])

    def _settings(self) -> str:
        channels, out, groups = self._sizes()
        more = self.values["pointwise"]
        text = f"{channels} to {out} channels in {groups} group{'s' * (groups != 1)}"
        return text + (f", 1 x 1 to {more}" if more else "")

    def __repr__(self) -> str:
        try:
            wiring, at = self.wiring(), self.values["at"]
            with torch.device("meta"):
                count = sum(p.numel() for p in self.layer.parameters())
            found = f"output {at} reads {_found(wiring[at])}, {count} parameters"
        except ValueError as error:
            found = f"torch raises {type(error).__name__}"
        if self.values["predict"]:
            found = "guess first"
        return f"ChannelMixing: {self._settings()}, {found}"

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        caption = f"Which channel feeds which: {self._settings()}"
        try:
            wiring = self.wiring()
            with torch.device("meta"):
                layer = self.layer
        except ValueError as error:
            return caption, [("torch raises", f"ValueError: {error}")]
        if self.values["predict"]:
            return caption, [("how many kernels", "guess first")]
        rows = [
            (f"output {o} reads", ", ".join(f"input {i}" for i in _found(row)))
            for o, row in enumerate(wiring)
        ]
        shapes = [f"{key} {tuple(p.shape)}" for key, p in layer.named_parameters()]
        return caption, [*rows, ("parameters", " + ".join(shapes))]

    def draw(self, canvas: "Canvas") -> None:
        """Draw the wiring as a matrix; what is read is filled."""
        ax, ink = canvas.subplots(), tokens()["light"]["muted"]
        try:
            wiring, title = self.wiring().int(), repr(self).split(": ", 1)[1]
        except ValueError as error:
            _, out, _ = self._sizes()
            wiring = torch.zeros(out, self.values["in_channels"], dtype=torch.int)
            title = f"{type(error).__name__}: {error}"
        if self.values["predict"]:
            wiring = torch.zeros_like(wiring)
        filled = {(o, i) for o, i in wiring.nonzero().tolist()}
        draw_cells(ax, wiring.tolist(), 0, 0, "kernel", filled)
        rows, columns = wiring.shape
        for o in range(rows):
            ax.text(-0.2, o + 0.45, str(o), ha="right", va="center", color=ink)
        for i in range(columns):
            ax.text(i + 0.45, -0.25, str(i), ha="center", color=ink)
        ax.text(columns + 0.2, -0.25, "input channel", color=ink)
        ax.text(columns + 0.2, rows - 0.55, "rows: output channel", color=ink)
        ax.set_xlim(-1, columns + 6)
        ax.set_ylim(rows + 0.1, -0.9)
        ax.set_aspect("equal")
        ax.set_axis_off()
        ax.set_title(title, fontsize=9, loc="left")


def _found(row: Tensor) -> list[int]:
    found: list[int] = row.nonzero().flatten().tolist()
    return found


def _from_module(layer: nn.Module) -> dict[str, Any]:
    """The figure's state of the reader's own convolutions."""
    convs: list[Any] = list(layer) if isinstance(layer, nn.Sequential) else [layer]
    kinds = [type(conv).__name__ for conv in convs]
    if kinds not in (["Conv2d"], ["Conv2d", "Conv2d"]):
        raise ValueError(
            f"layer has {', '.join(kinds) or 'nothing'}: allowed are a Conv2d, or a "
            "Sequential of a Conv2d and a 1 x 1 Conv2d"
        )
    first, *rest = convs
    height, width = first.kernel_size
    if height != width:
        raise ValueError(
            f"kernel_size is {first.kernel_size}: allowed is a square one, 1 to 11"
        )
    depthwise = first.groups == first.in_channels > 1
    own: dict[str, Any] = {
        "in_channels": first.in_channels,
        "out_channels": first.out_channels,
        "groups": first.groups,
        "kernel_size": height,
        "bias": first.bias is not None,
        "depthwise": depthwise,
        "multiplier": first.out_channels // first.in_channels if depthwise else 1,
        "pointwise": 0,
    }
    for conv in rest:
        if conv.kernel_size != (1, 1) or conv.groups != 1:
            raise ValueError(
                f"the second layer is {conv}: allowed is a 1 x 1 convolution without "
                "groups"
            )
        if conv.in_channels != first.out_channels:
            raise ValueError(
                f"the second layer reads {conv.in_channels} channels: the first one "
                f"gives {first.out_channels}"
            )
        own |= {"pointwise": conv.out_channels, "pointwise_bias": conv.bias is not None}
    return own
