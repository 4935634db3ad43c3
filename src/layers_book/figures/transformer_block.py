"""The figure of a Transformer layer as a flow of data, with the shapes of each step."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import nn
from traitlets import Bool, Enum, HasTraits, Int

from layers_book.figures.figure import Figure, tokens, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


class Step(NamedTuple):
    """One call inside the layer."""

    name: str  # of the module, "+" of a sum
    code: str
    shape: tuple[int, ...]
    parameters: int


class TransformerBlock(Figure):
    """The steps of an encoder or decoder layer, in the order of torch's ``forward``.

    The reader chooses the kind, where the norms stand and the sizes, and touches a
    step; the figure shows what it computes, its shape and its parameters.

    Args:
        kind: ``encoder`` or ``decoder``.
        norm_first: norms before attention and feed-forward, not after the sums.
        N: batch, 1 to 64.
        L: length of the sequence, 1 to 4,096.
        S: length of the encoder's output, which a decoder attends to, 1 to 4,096.
        d_model: 1 to 4,096, a multiple of ``nhead``; torch refuses others.
        nhead: 1 to 64.
        dim_feedforward: 1 to 16,384.
        activation: ``relu`` or ``gelu``.
        bias: with biases.
        at: the step looked at, 0 for the first.
        layer: your own ``nn.TransformerEncoderLayer``, or ``…DecoderLayer``.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoderLayer.html

    >>> TransformerBlock()
    TransformerBlock: post-norm encoder layer, 3,280 parameters, (2, 6, 16) to itself
    >>> TransformerBlock("decoder", norm_first=True).steps()[3]
    Step(name='+', code='x = x + a', shape=(2, 6, 16), parameters=0)
    """

    by_place = ("kind",)
    others = ("layer",)

    class State(HasTraits):
        kind = Enum(("encoder", "decoder"), "encoder")
        norm_first = Bool(False)
        N = Int(2, min=1, max=64)
        L = Int(6, min=1, max=4096)
        S = Int(8, min=1, max=4096)
        d_model = Int(16, min=1, max=4096)
        nhead = Int(4, min=1, max=64)
        dim_feedforward = Int(64, min=1, max=16384)
        activation = Enum(("relu", "gelu"), "relu")
        bias = Bool(True)
        at = Int(0)

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """The sizes and options of a layer of the reader's own."""
        layer = given.pop("layer", None)
        if layer is None:
            return given
        kinds = {
            nn.TransformerEncoderLayer: "encoder",
            nn.TransformerDecoderLayer: "decoder",
        }
        if type(layer) not in kinds:
            words = " and ".join(f"nn.{kind.__name__}" for kind in kinds)
            raise ValueError(f"layer is a {type(layer).__name__}: allowed are {words}")
        activation = getattr(layer.activation, "__name__", "").lower()
        given["kind"] = kinds[type(layer)]
        given["norm_first"] = layer.norm_first
        given["d_model"], given["nhead"] = (
            layer.norm1.weight.numel(),
            layer.self_attn.num_heads,
        )
        given["dim_feedforward"] = layer.linear1.out_features
        given["activation"] = activation
        given["bias"] = layer.linear1.bias is not None
        return given

    def check(self, given: Mapping[str, Any]) -> None:
        """Heads divide the width, and the step exists."""
        s = self.values
        if s["d_model"] % s["nhead"]:
            raise ValueError(
                f"nhead is {s['nhead']}: it must divide d_model, {s['d_model']}"
            )
        within(0, len(self.steps()) - 1, at=s["at"])

    @property
    def layer(self) -> nn.TransformerEncoderLayer | nn.TransformerDecoderLayer:
        """The layer of ``torch.nn``, batch first."""
        s = self.values
        sizes = s["d_model"], s["nhead"], s["dim_feedforward"]
        options: Any = {"bias": s["bias"], "norm_first": s["norm_first"]}
        options |= {"activation": s["activation"], "batch_first": True}
        if s["kind"] == "decoder":
            return nn.TransformerDecoderLayer(*sizes, **options)
        return nn.TransformerEncoderLayer(*sizes, **options)

    def steps(self) -> list[Step]:
        """What the layer does, step by step."""
        s = self.values
        E, F, first = s["d_model"], s["dim_feedforward"], s["norm_first"]
        x, wide = (s["N"], s["L"], E), (s["N"], s["L"], F)
        bias = int(s["bias"])
        parts = [("self_attn", "self_attn({0}, {0}, {0})[0]", 4 * E * (E + bias))]
        if s["kind"] == "decoder":
            code = "multihead_attn({0}, memory, memory)[0]"
            parts.append(("multihead_attn", code, 4 * E * (E + bias)))
        found = []
        last = len(parts) + 1
        for n in range(1, last + 1):
            norm, z = f"norm{n}", "z" if first else "x"
            if first:
                found.append(Step(norm, f"z = {norm}(x)", x, E * (1 + bias)))
            if n < last:
                name, code, count = parts[n - 1]
                found.append(Step(name, f"a = {code.format(z)}", x, count))
            else:
                h = f"h = linear1({z})"
                found.append(Step("linear1", h, wide, F * (E + bias)))
                act = s["activation"]
                found.append(Step(act, f"h = {act}(h)", wide, 0))
                found.append(Step("dropout", "h = dropout(h)", wide, 0))
                found.append(Step("linear2", "a = linear2(h)", x, E * (F + bias)))
            found.append(Step(f"dropout{n}", f"a = dropout{n}(a)", x, 0))
            found.append(Step("+", "x = x + a", x, 0))
            if not first:
                found.append(Step(norm, f"x = {norm}(x)", x, E * (1 + bias)))
        return found

    def __repr__(self) -> str:
        s, count = self.values, sum(step.parameters for step in self.steps())
        where = "pre" if s["norm_first"] else "post"
        shape = (s["N"], s["L"], s["d_model"])
        return (
            f"TransformerBlock: {where}-norm {s['kind']} layer, {count:,} parameters, "
            f"{shape} to itself"
        )

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        return repr(self).split(": ", 1)[1], [
            (step.code, f"{step.shape}, {step.parameters:,} parameters")
            for step in self.steps()
        ]

    def draw(self, canvas: "Canvas") -> None:
        """Write the steps under each other, those with parameters in their color."""
        ax, color, steps = canvas.subplots(), tokens()["light"], self.steps()
        for i, step in enumerate(steps):
            role = "kernel" if step.parameters else "input"
            weight = "bold" if i == self.values["at"] else "normal"
            words: Any = {"color": color[role], "fontsize": 7, "va": "center"}
            ax.text(0, i, step.code, family="monospace", weight=weight, **words)
            ax.text(0.62, i, str(step.shape), **words)
        ax.set_xlim(0, 1)
        ax.set_ylim(len(steps), -1)
        ax.set_axis_off()
        ax.set_title(repr(self).split(": ", 1)[1], fontsize=9, loc="left")
