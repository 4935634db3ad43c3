"""The figure of Embedding: rows of a table, one-hot times weight, and the gradient."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from traitlets import Enum, Float, HasTraits, Int, List

from layers_book.figures.figure import (
    Figure,
    draw_cells,
    own_numbers,
    tokens,
    unlinked,
    within,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


class LookupTable(Figure):
    """An embedding's weight whose rows are picked by indices.

    The reader moves the indices, ``padding_idx`` and ``max_norm``; the figure shows the
    rows picked, the same as one-hot times weight, and which rows receive gradient.

    Args:
        indices: 1 to 8 whole numbers from 0; one that the table lacks shows torch's
            error.
        num_embeddings: rows of the table, 1 to 12.
        embedding_dim: columns of the table, 1 to 6.
        padding_idx: a row that receives no gradient and starts at 0.
        max_norm: rows picked with a larger norm are shrunk to it by the call.
        view: ``lookup``, ``one-hot`` or ``gradient``.
        at: the position looked at.
        layer: your own ``nn.Embedding``: sizes, weight, padding_idx and max_norm are
            taken over.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html

    >>> LookupTable([3, 1, 3])
    LookupTable: indices [3, 1, 3] in 6 rows of 3, 2 rows receive gradient
    >>> LookupTable([0, 1], padding_idx=0, max_norm=1.0).layer
    Embedding(6, 3, padding_idx=0, max_norm=1.0)
    """

    by_place = ("indices", "num_embeddings", "embedding_dim")
    others = ("layer",)

    class State(HasTraits):
        indices = List(Int(min=0, max=99), [3, 1, 3, 0], minlen=1, maxlen=8).tag(
            allowed="1 to 8 numbers, 0 to 99"
        )
        num_embeddings = Int(6, min=1, max=12).tag(once=True)
        embedding_dim = Int(3, min=1, max=6).tag(once=True)
        padding_idx = Int(None, allow_none=True).tag(link=["int", 0, 11])
        max_norm = Float(None, allow_none=True).tag(link=["float", 0.01, 100])
        view = Enum(("lookup", "one-hot", "gradient"), "lookup")
        at = Int(0)
        index = unlinked(Int(3))  # the one at ``at``
        weight = own_numbers()

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """Whole numbers of the indices, and what a layer of the reader's own says."""
        if "indices" in given:
            given["indices"] = [int(i) for i in given["indices"]]
        layer = given.pop("layer", None)
        if layer is not None:
            given["num_embeddings"], given["embedding_dim"] = layer.weight.shape
            given |= {"padding_idx": layer.padding_idx, "max_norm": layer.max_norm}
            weight = layer.weight.detach().double()
            given["weight"] = [[round(v, 6) for v in row] for row in weight.tolist()]
        return given

    def check(self, given: Mapping[str, Any]) -> None:
        """The positions exist; the row of the padding, too."""
        s = self.values
        within(0, len(s["indices"]) - 1, at=s["at"])
        last, limit = s["num_embeddings"] - 1, s["max_norm"]
        if s["padding_idx"] is not None and not 0 <= s["padding_idx"] <= last:
            raise ValueError(
                f"padding_idx is {s['padding_idx']}: allowed are None and 0 to {last}"
            )
        if limit is not None and limit <= 0:
            raise ValueError(f"max_norm is {limit}: allowed are None and above 0")
        s["index"] = s["indices"][s["at"]]

    @property
    def weight(self) -> Tensor:
        """The table before the call, float64, ``(num_embeddings, embedding_dim)``."""
        s = self.values
        if s["weight"] is not None:
            return torch.tensor(s["weight"], dtype=torch.float64)
        i = torch.arange(s["num_embeddings"])[:, None]
        j = torch.arange(s["embedding_dim"])
        weight = ((7 * i + 5 * j + 3 * i * j) % 9 - 4).double() / 2
        if s["padding_idx"] is not None:
            weight[s["padding_idx"]] = 0
        return weight

    @property
    def layer(self) -> nn.Embedding:
        """The ``nn.Embedding`` the figure shows, in float64."""
        s = self.values
        layer = nn.Embedding(
            s["num_embeddings"],
            s["embedding_dim"],
            padding_idx=s["padding_idx"],
            max_norm=s["max_norm"],
        ).double()
        layer.weight.data.copy_(self.weight)
        return layer

    def looked_up(self) -> tuple[Tensor, Tensor]:
        """Output ``(L, embedding_dim)`` and the weight's gradient of its sum.

        Raises:
            IndexError: the table lacks a row; torch's own words.
        """
        layer = self.layer
        output = layer(torch.tensor(self.values["indices"]))
        (gradient,) = torch.autograd.grad(output.sum(), layer.weight)
        return output.detach(), gradient

    def _settings(self) -> str:
        s = self.values
        more = "".join(
            f", {key} {s[key]}"
            for key in ("padding_idx", "max_norm")
            if s[key] is not None
        )
        size = f"{s['num_embeddings']} rows of {s['embedding_dim']}"
        return f"indices {s['indices']} in {size}{more}"

    def __repr__(self) -> str:
        try:
            rows = int((self.looked_up()[1] != 0).any(1).sum())
            found = f"{rows} row{'s' * (rows != 1)} receive{'s' * (rows == 1)} gradient"
        except IndexError:
            found = "torch raises IndexError"
        return f"LookupTable: {self._settings()}, {found}"

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        caption = f"Rows of a table: {self._settings()}"
        try:
            output, gradient = self.looked_up()
        except IndexError as error:
            return caption, [("torch raises", f"IndexError: {error}")]
        rows = [
            (f"index {i}", ", ".join(f"{v:.4g}" for v in row))
            for i, row in zip(self.values["indices"], output.tolist(), strict=True)
        ]
        counts = ", ".join(f"{v:.0f}" for v in gradient[:, 0].tolist())
        return caption, [*rows, ("gradient of each row, for the sum", counts)]

    def draw(self, canvas: "Canvas") -> None:
        """Draw indices, weight and output side by side; picked rows are filled."""
        s = self.values
        ax = canvas.subplots()
        try:
            output = self.looked_up()[0]
        except IndexError:
            output = torch.zeros(0, s["embedding_dim"])

        def block(values: Tensor, left: float, role: str, filled: set[int]) -> None:
            cells = {(r, c) for r in filled for c in range(values.shape[1])}
            draw_cells(ax, values.tolist(), left, 0, role, cells)

        indices = torch.tensor(s["indices"])[:, None]
        block(indices, 0, "input", set(range(len(indices))))
        block(self.weight, 2, "kernel", set(s["indices"]))
        right = 3 + s["embedding_dim"]
        block(output, right, "output", set(range(len(output))))
        for left, name in ((0, "indices"), (2, "weight"), (right, "output")):
            ax.text(left, -0.25, name, color=tokens()["light"]["muted"])
        ax.set_xlim(-0.2, right + s["embedding_dim"] + 0.2)
        ax.set_ylim(max(s["num_embeddings"], len(indices)) + 0.1, -0.9)
        ax.set_aspect("equal")
        ax.set_axis_off()
        ax.set_title(repr(self).split(": ", 1)[1], fontsize=9, loc="left")
