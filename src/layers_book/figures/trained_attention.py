"""The figure of a trained decoder's heads, on words of the reader's own."""

import base64
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from traitlets import HasTraits, Int, Unicode

from layers_book.decoder import stored, trained_decoder
from layers_book.figures.figure import Figure, inner, within

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

LONGEST = 48
WORDS = "vorkel dulpin vorkel dulpin vorkel"


class TrainedAttention(Figure):
    """Whom each head of a trained decoder attends to, on a text of the reader's.

    The model reads letter by letter and guesses the next one. The reader writes a text,
    picks a letter and a head; the figure shows that head's weights on the letters up to
    it, all heads side by side, and the model's guess.

    Args:
        text: 2 to 48 letters from a to z, spaces, full stops and hyphens.
        block: 1 or 2, the layer whose heads they are.
        head: 1 to 4.
        at: the letter that asks, 0 for the first.

    Raises:
        ValueError: an argument is not among what is allowed.

    >>> TrainedAttention()
    TrainedAttention: block 2, head 3; letter 30, 'r', attends 65 % to letter 17

    Source: C. Olsson and others (2022), In-context Learning and Induction Heads,
    https://arxiv.org/abs/2209.11895
    """

    by_place = ("text",)

    class State(HasTraits):
        text = Unicode(WORDS).tag(
            link=["text", LONGEST],
            allowed=f"2 to {LONGEST} of a to z, space, full stop and hyphen",
        )
        block = Int(2, min=1, max=2)
        head = Int(3, min=1, max=4)
        at = Int(30)
        frozen = inner(Unicode("")).tag(link=None)

    @classmethod
    def data(cls) -> str:
        """The model's parameters, which the page loads when they are asked for."""
        words = json.dumps(stored(), separators=(",", ":"))
        return f"(nnFigures.data??={{}})['{cls.tag}']={words};\n"

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """Without an ``at`` the last letter asks."""
        if "text" in given and "at" not in given:
            given["at"] = max(0, len(given["text"]) - 1)
        return given

    def check(self, given: Mapping[str, Any]) -> None:
        """The model has the letters, and the text the letter that asks."""
        s = self.values
        if not re.fullmatch(r"(?=.{2})[a-z.-]+(?: [a-z.-]+)*", s["text"]) or (
            len(s["text"]) > LONGEST
        ):
            allowed = self.State.text.metadata["allowed"]
            raise ValueError(
                f"text is {s['text']!r}: allowed are {allowed}, no two spaces side by "
                "side, none at an end"
            )
        within(0, len(s["text"]) - 1, at=s["at"])
        s["frozen"] = _frozen(s["text"])

    @property
    def layer(self) -> nn.TransformerEncoderLayer:
        """The layer whose head is shown, with the trained parameters."""
        block: nn.TransformerEncoderLayer = _blocks()[self.values["block"] - 1]
        return block

    def attended(self) -> tuple[Tensor, Tensor]:
        """Weights ``(layers, heads, L, L)`` and what comes next ``(L, letters)``."""
        return _run(self.values["text"])

    def _favorite(self) -> tuple[int, float]:
        s = self.values
        weights = self.attended()[0][s["block"] - 1, s["head"] - 1, s["at"]]
        best = int(weights.argmax())
        return best, float(weights[best])

    def __repr__(self) -> str:
        s = self.values
        place, share = self._favorite()
        return (
            f"TrainedAttention: block {s['block']}, head {s['head']}; letter "
            f"{s['at']}, {s['text'][s['at']]!r}, attends {100 * share:.0f} % to letter "
            f"{place}"
        )

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        s = self.values
        weights = self.attended()[0][:, :, s["at"]]
        caption = (
            f"Letters that “{s['text'][s['at']]}”, letter {s['at']} of "
            f"“{s['text']}”, attends to most"
        )
        rows = []
        for block, heads in enumerate(weights, 1):
            for head, row in enumerate(heads, 1):
                best = row.argsort(descending=True)[:3].tolist()
                words = ", ".join(
                    f"{i} “{s['text'][i]}” {100 * row[i]:.0f} %" for i in best
                )
                rows.append((f"block {block}, head {head}", words))
        return caption, rows

    def draw(self, canvas: "Canvas") -> None:
        """Draw the head's weights: a row is the letter that asks."""
        s, ax = self.values, canvas.subplots()
        weights = self.attended()[0][s["block"] - 1, s["head"] - 1]
        ax.imshow(weights, cmap="Purples", vmin=0, vmax=1)
        ticks = range(len(s["text"]))
        ax.set_xticks(ticks, s["text"], fontsize=5)
        ax.set_yticks(ticks, s["text"], fontsize=5)
        ax.axhline(s["at"], lw=0.5)
        ax.set_title(f"block {s['block']}, head {s['head']}", fontsize=9, loc="left")


@cache
def _blocks() -> list[nn.TransformerEncoderLayer]:
    """The decoder's layers in float64; nothing learns any more."""
    state = trained_decoder()
    width = state["embed.weight"].shape[1]
    count = 1 + max(int(n.split(".")[2]) for n in state if n.startswith("blocks.l"))
    layers = []
    sizes = width, stored()["heads"], 4 * width, 0.0, "gelu"
    for i in range(count):
        layer = nn.TransformerEncoderLayer(*sizes, batch_first=True, norm_first=True)
        prefix = f"blocks.layers.{i}."
        layer.load_state_dict(
            {n.removeprefix(prefix): p for n, p in state.items() if prefix in n}
        )
        layers.append(layer.double().eval().requires_grad_(False))
    return layers


@cache
def _run(text: str) -> tuple[Tensor, Tensor]:
    state = {name: p.double() for name, p in trained_decoder().items()}
    x = torch.tensor([stored()["letters"].index(letter) for letter in text])
    h = (state["embed.weight"][x] + state["place.weight"][: len(x)])[None]  # (1, L, E)
    late = torch.ones(len(x), len(x), dtype=torch.bool).triu(1)
    found = []
    for layer in _blocks():
        z = layer.norm1(h)
        a, weights = layer.self_attn(
            z, z, z, attn_mask=late, average_attn_weights=False
        )
        found.append(weights[0])
        h = h + a
        h = h + layer.linear2(F.gelu(layer.linear1(layer.norm2(h))))
    norm = state["blocks.norm.weight"], state["blocks.norm.bias"]
    h = F.layer_norm(h, h.shape[-1:], *norm)
    return torch.stack(found), (h @ state["embed.weight"].T).softmax(-1)[0]


@cache
def _frozen(text: str) -> str:
    """The text, all heads' weights in 255ths, each row up to its letter, and guesses.

    So a page shows its first text without the model: for each letter the three
    likeliest next ones, and their shares.
    """
    weights, following = _run(text)
    rows = [
        row[: i + 1] for head in weights.flatten(0, 1) for i, row in enumerate(head)
    ]
    best = following.topk(3)
    shares = (255 * torch.cat(rows)).round().to(torch.uint8)
    guesses = torch.stack([best.indices, (255 * best.values).round()], -1)
    numbers = torch.cat([shares, guesses.flatten().to(torch.uint8)])
    return f"{text}|{base64.b64encode(bytes(numbers.tolist())).decode()}"
