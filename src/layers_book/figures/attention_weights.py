"""The figure of attention: scores, mask, softmax and the mix of values."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from traitlets import Bool, Enum, HasTraits, Int, List

from layers_book.figures.figure import (
    Figure,
    draw_cells,
    inner,
    mix,
    own_numbers,
    tokens,
    within,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

APIS = ("SDPA", "MHA")
MASKS = ("none", "causal", "padding", "own")
NAMES = {"SDPA": "scaled_dot_product_attention", "MHA": "MultiheadAttention"}


class AttentionWeights(Figure):
    """Attention of a few queries to a few keys: a row of each matrix is a query.

    The reader chooses the mask, a cell of it, the function it is passed to, the width
    of queries and keys, and whether scores are divided by its root; the figure shows
    scores, mask, weights, values and outputs, and says whom a query attends to.

    Args:
        q: your own queries, ``(L, d)``; L from 1 to 8, d from 1 to 64.
        k: keys ``(S, d)``, with S from 1 to 8; ``q`` if left out.
        v: values ``(S, d_v)`` with d_v from 1 to d; ``k`` if left out.
        layer: your own ``nn.MultiheadAttention``, with ``x``: what each of its heads
            makes of ``x`` before ``out_proj``, projected here by torch.
        x: the sequence that attends to itself, ``(L, E)``.
        head: which head of ``layer`` is looked at.
        length: 2 to 8 tokens, without tensors of your own.
        d: width of a query, 2 to 64, without tensors of your own.
        scaled: divide by the root of d; ``MHA`` always does.
        mask: ``none``, ``causal`` (True where the key is not later than the query),
            ``padding`` (True for all but the last ``padded`` keys) or ``own``.
        padded: 0 to S.
        inverted: pass ``~mask``.
        attn_mask: your own boolean mask, ``(L, S)``, as you would pass it.
        api: ``SDPA``, where True means attend, or ``MHA``, where it means block.
        at: the query and the key looked at.
        predict: ask for the most attended key before the weights are shown.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html

    >>> AttentionWeights(mask="causal")
    AttentionWeights: causal mask in SDPA, query 3 attends 63 % to key 1
    >>> AttentionWeights(mask="causal", api="MHA", at=(5, 0))
    AttentionWeights: causal mask in MHA, query 5 attends to nothing: nan
    """

    by_place = ("q", "k", "v")
    others = ("q", "k", "v", "layer", "x", "attn_mask")

    class State(HasTraits):
        length = Int(6, min=2, max=8)
        d = Int(8, min=2, max=64)
        scaled = Bool(True)
        mask = Enum(MASKS, "none").tag(
            allowed=f"{', '.join(MASKS[:3])}, or give attn_mask"
        )
        padded = Int(2)
        inverted = Bool(False)
        own = List(default_value=None, allow_none=True).tag(
            inner=True, link=["list", ["list", ["bool"], 1, 8], 1, 8]
        )
        api = Enum(APIS, "SDPA")
        at = List(Int(), [3, 1], minlen=2, maxlen=2)
        head = Int(0)
        predict = Bool(False)
        stage = inner(Enum(("scores", "mask", "weights", "output"), "weights"))
        seed = inner(Int(1))
        q = own_numbers()
        k = own_numbers()
        v = own_numbers()

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """Heads of a layer, tensors and a mask of the reader's own."""
        layer, x, q, k, v = (
            given.pop(key, None) for key in ("layer", "x", "q", "k", "v")
        )
        if layer is not None:
            if q is not None or x is None:
                raise ValueError("layer needs x, the sequence, and no q, k or v")
            given.setdefault("api", "MHA")
            q, k, v = _heads(layer, x)
        elif q is not None:
            k = q if k is None else k
            v = k if v is None else v
            q, k, v = (_matrix(n, t)[None] for n, t in (("q", q), ("k", k), ("v", v)))
        elif x is not None or k is not None or v is not None:
            raise ValueError("x needs a layer, k and v need q")
        if q is not None:
            if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
                shapes = ", ".join(str(tuple(t.shape[1:])) for t in (q, k, v))
                raise ValueError(
                    f"q, k, v are {shapes}: q and k need the same width, k and v the "
                    "same length"
                )
            within(1, q.shape[-1], **{"columns of v": v.shape[-1]})
            given |= {n: _rounded(t) for n, t in (("q", q), ("k", k), ("v", v))}
        sizes = self._sizes(given)
        attn_mask = given.pop("attn_mask", None)
        if attn_mask is not None:
            if attn_mask.dtype != torch.bool or tuple(attn_mask.shape) != sizes:
                raise ValueError(
                    f"attn_mask is {tuple(attn_mask.shape)} of {attn_mask.dtype}: it "
                    f"must be {sizes} of torch.bool"
                )
            given |= {"mask": "own", "own": attn_mask.tolist()}
        elif given.get("mask") == "own" and not given.get("own"):
            words = ", ".join(MASKS[:3])
            raise ValueError(f"mask is 'own': allowed are {words}, or give attn_mask")
        if "at" not in given:
            places = zip(self.defaults["at"], sizes, strict=True)
            given["at"] = [min(i, size - 1) for i, size in places]
        return given

    def _sizes(self, given: dict[str, Any]) -> tuple[int, int]:
        """How many queries and keys."""
        if given.get("q") is not None:
            return len(given["q"][0]), len(given["k"][0])
        length = given.get("length", self.defaults["length"])
        return length, length

    def check(self, given: Mapping[str, Any]) -> None:
        """Head, padding and the chosen pair exist; an API does what it can."""
        s = self.values
        rows, columns = self._sizes(s)
        within(0, len(s["q"] or [0]) - 1, head=s["head"])
        within(0, columns, padded=s["padded"])
        if s["api"] == "MHA" and not s["scaled"]:
            raise ValueError("scaled is False: MHA always divides by the root of d")
        within(0, rows - 1, **{"at[0]": s["at"][0]})
        within(0, columns - 1, **{"at[1]": s["at"][1]})
        if s["own"] is not None and {len(row) for row in s["own"]} != {columns}:
            raise ValueError(f"own has rows of other than {columns} values")
        s["inverted"] = s["inverted"] and s["mask"] != "none"

    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Queries ``(L, d)``, keys ``(S, d)``, values ``(S, d_v)`` of the head."""
        s = self.values
        if s["q"] is not None:
            q, k, v = (
                torch.tensor(s[key][s["head"]], dtype=torch.float64) for key in "qkv"
            )
            return q, k, v

        def rows(first: int, width: int) -> Tensor:
            return torch.tensor(
                [_normal(s["seed"], first + i, width) for i in range(s["length"])],
                dtype=torch.float64,
            )

        return rows(0, s["d"]), rows(100, s["d"]), rows(200, 2)

    @property
    def attn_mask(self) -> Tensor | None:
        """The boolean mask ``(L, S)`` as it is passed, or None."""
        s = self.values
        q, k, _ = self.tensors()
        shape = len(q), len(k)
        if s["mask"] == "none":
            return None
        if s["mask"] == "causal":
            made = torch.ones(shape, dtype=torch.bool).tril()
        elif s["mask"] == "padding":
            made = (torch.arange(shape[1]) < shape[1] - s["padded"]).expand(shape)
        else:
            made = torch.tensor(s["own"])
        return ~made if s["inverted"] else made

    @property
    def layer(self) -> nn.MultiheadAttention:
        """A ``nn.MultiheadAttention`` of one head that projects nothing, in float64.

        Given the figure's q, k, v and the mask it shows as ``MHA``, it gives what the
        figure shows; its output has zeros after the columns of v.
        """
        q, k, v = self.tensors()
        d = q.shape[1]
        layer = nn.MultiheadAttention(
            d, 1, bias=False, kdim=k.shape[1], vdim=v.shape[1], dtype=torch.float64
        )
        for parameter in layer.parameters():
            nn.init.eye_(parameter)
        if v.shape[1] == d:  # then torch keeps the three projections in one
            layer.in_proj_weight.data.copy_(torch.eye(d).repeat(3, 1))
        return layer

    def attended(self) -> tuple[Tensor, Tensor]:
        """Outputs ``(L, d_v)`` and weights ``(L, S)``, computed by torch."""
        (q, k, v), mask = self.tensors(), self.attn_mask
        if self.values["api"] == "MHA":
            layer = self.layer.requires_grad_(False)
            output, weights = layer(q, k, v, attn_mask=mask)
            return output[:, : v.shape[1]], weights
        scale = None if self.values["scaled"] else 1.0
        values = torch.cat([v, torch.eye(len(k), dtype=v.dtype)], 1)
        mixed = F.scaled_dot_product_attention(
            q[None], k[None], values[None], attn_mask=mask, scale=scale
        )[0]
        # the mix of unit vectors is the weights
        return mixed[:, : v.shape[1]], mixed[:, v.shape[1] :]

    def _settings(self) -> str:
        s = self.values
        mask = "no mask" if s["mask"] == "none" else f"{s['mask']} mask"
        more = ", inverted," if s["inverted"] else ""
        more += "" if s["scaled"] else ", undivided"
        return f"{mask}{more} in {s['api']}"

    def __repr__(self) -> str:
        row = self.values["at"][0]
        output, weights = self.attended()
        best = weights[row].max(0)
        if self.values["predict"]:
            found = f"query {row}: guess first"
        elif best.values > 0:
            share = f"{100 * best.values:.0f} %"
            found = f"query {row} attends {share} to key {int(best.indices)}"
        else:
            found = f"query {row} attends to nothing: {output[row, 0]:.0f}"
        return f"AttentionWeights: {self._settings()}, {found}"

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        caption = f"Attention weights in percent: {self._settings()}"
        if self.values["predict"]:
            return caption, [("whom does each query attend to", "guess first")]
        weights = self.attended()[1]
        return caption, [
            (f"query {i}", ", ".join(f"{100 * w:.0f}" for w in row))
            for i, row in enumerate(weights.tolist())
        ]

    def draw(self, canvas: "Canvas") -> None:
        """Draw scores, weights and outputs side by side, the chosen query filled."""
        ax, ink = canvas.subplots(), tokens()["light"]["muted"]
        s, (q, k, _) = self.values, self.tensors()
        output, weights = self.attended()
        scores = q @ k.T / (q.shape[1] ** 0.5 if s["scaled"] else 1.0)
        columns, left = len(k), 0.0
        for values, role, name in (
            (scores, "input", "scores"),
            (100 * weights, "kernel", "weights in %"),
            (output[:, :2], "output", "output"),
        ):
            width = values.shape[1]
            on = {(s["at"][0], c) for c in range(width)}
            if not (s["predict"] and role != "input"):
                shown = values.round(decimals=0 if role == "kernel" else 1) + 0.0
                draw_cells(ax, shown.tolist(), left, 0, role, on)
                ax.text(left, -0.25, name, color=ink)
            left += width + 1
        for i in range(len(q)):
            ax.text(-0.2, i + 0.45, str(i), ha="right", va="center", color=ink)
        ax.set_xlim(-1, 2 * columns + 5)
        ax.set_ylim(len(q) + 0.1, -0.9)
        ax.set_aspect("equal")
        ax.set_axis_off()
        ax.set_title(repr(self).split(": ", 1)[1], fontsize=9, loc="left")


def _normal(seed: int, row: int, count: int) -> list[float]:
    """Nearly normal numbers of one decimal, the same as the figure's JavaScript."""
    word = 0xFFFFFFFF
    s = mix(seed + (((row + 1) * 0x9E3779B9) & word))
    found = []
    for _ in range(count):
        total = 0
        for _ in range(4):
            s = (s * 1664525 + 1013904223) & word
            total += s >> 16
        found.append(int((total - 131070) / 3783.7 + 0.5 + 100) / 10 - 10)
    return [round(value, 1) for value in found]


def _rounded(t: Tensor) -> list[Any]:
    values: list[Any] = (t.detach().double() * 1e5).round().div(1e5).tolist()
    return values


def _matrix(name: str, t: Tensor) -> Tensor:
    if t.dim() != 2 or not 1 <= len(t) <= 8 or not 1 <= t.shape[1] <= 64:
        raise ValueError(
            f"{name} has shape {tuple(t.shape)}: allowed are 1 to 8 rows of 1 to 64"
        )
    if not t.isfinite().all():
        raise ValueError(f"{name} has values that are not finite")
    return t


def _heads(layer: nn.MultiheadAttention, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values of each head, ``(heads, L, d)``."""
    weight = layer.in_proj_weight
    if weight is None or layer.bias_k is not None or layer.add_zero_attn:
        raise ValueError(
            f"layer is {layer}: allowed is one without kdim, vdim, add_bias_kv and "
            "add_zero_attn"
        )
    x = _matrix("x", x)
    if x.shape[1] != layer.embed_dim:
        raise ValueError(f"x has width {x.shape[1]}: the layer's is {layer.embed_dim}")
    projected = F.linear(x.to(weight), weight, layer.in_proj_bias)
    parts = projected.view(len(x), 3, layer.num_heads, -1).permute(1, 2, 0, 3)
    q, k, v = parts
    return q, k, v
