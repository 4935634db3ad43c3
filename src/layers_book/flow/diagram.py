"""The description of a diagram: what stands where, and what goes where."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from layers_book.flow.picture import svg
from layers_book.flow.plan import tight
from layers_book.flow.routes import Cell, routes
from layers_book.shapes import assert_shape

ROLES = {  # one, several
    "": ("", ""),
    "input": ("an input", "inputs"),
    "kernel": ("a weight", "weights"),
    "output": ("an output", "outputs"),
    "gradient": ("a gradient", "gradients"),
    "statistic": ("a statistic", "statistics"),
    "padding": ("padding", "padding"),
    "error": ("an error", "errors"),
}
ARROW = re.compile(r"\s*(->|\.\.>)\s*")


@dataclass(frozen=True)
class Node:
    """A box of a diagram: a tensor, or an operation.

    Args:
        role: ``input``, ``kernel``, ``output``, ``gradient``, ``statistic``,
            ``padding``, ``error``; empty for an operation. It gives color and border.
        tensor: the page's own, or its shape, for the box to name its shape.
        axes: a letter an axis, as in ``assert_shape``: ``"N C H W"``.
        label: the text; by default the name that the layout gives.
    """

    role: str = ""
    tensor: torch.Tensor | Sequence[int] | None = None
    axes: str = ""
    label: str = ""


@dataclass(frozen=True)
class Arrow:
    """From one node to another; dashed where something is stored or updated."""

    source: str
    target: str
    dashed: bool = False
    label: str = ""


class Flow:
    """A diagram as a notebook shows it: an SVG, or its sentences."""

    def __init__(
        self,
        title: str,
        cells: Mapping[str, Cell],
        nodes: Mapping[str, Node],
        arrows: Sequence[Arrow],
        frames: Mapping[str, Sequence[str]],
    ) -> None:
        self.title = title
        self.cells = cells
        self.nodes = nodes
        self.arrows = arrows
        self.frames = frames
        self.shapes = shapes(nodes)  # letters, numbers
        self.routes = routes(cells, [(a.source, a.target) for a in arrows])
        self.picture = svg(self)

    def sentences(self) -> list[str]:
        """What the picture says, in words."""
        said = []
        kinds: dict[tuple[str, str], list[str]] = {}
        for name, node in self.nodes.items():
            shape = tight(" = ".join(self.shapes.get(name, ())))
            kinds.setdefault((node.role, shape), []).append(self.spoken(name))
        for (role, shape), names in kinds.items():
            several = len(names) > 1
            what = [ROLES[role][several], f"of shape {shape}" if shape else ""]
            if any(what):
                verb = "are" if several else "is"
                words = " ".join(filter(None, what))
                said.append(f"{_listed(names)} {verb} {words}.")
        for name in self.nodes:
            for dashed, verb in ((False, "goes to"), (True, "updates")):
                to = [
                    self.spoken(a.target) + (f" ({a.label})" if a.label else "")
                    for a in self.arrows
                    if a.source == name and a.dashed == dashed
                ]
                if to:
                    said.append(f"{self.spoken(name)} {verb} {_listed(to)}.")
        for frame, inside in self.frames.items():
            said.append(f"Inside {frame}: {_listed([*map(self.spoken, inside)])}.")
        return said

    def spoken(self, name: str) -> str:
        """A node's label; with what its name adds, where two have the same."""
        label = self.nodes[name].label
        twice = sum(n.label == label for n in self.nodes.values()) > 1
        _, _, which = name.partition("#")
        words = " ".join(label.split())
        if " " in words:
            words = (
                f"\N{LEFT DOUBLE QUOTATION MARK}{words}\N{RIGHT DOUBLE QUOTATION MARK}"
            )
        return f"{words} ({which})" if which and twice else words

    def __repr__(self) -> str:
        return "\n".join([self.title, *self.sentences()])

    def _repr_html_(self) -> str:
        return self.picture


def draw_flow(
    title: str,
    layout: str,
    arrows: str,
    nodes: Mapping[str, Node] | None = None,
    frames: Mapping[str, str] | None = None,
) -> Flow:
    """Draw what goes where: boxes on a grid and arrows between them.

    Args:
        title: the picture's claim, drawn above it.
        layout: a line a row, a word a cell, ``.`` for an empty cell, where arrows may
            pass. ``×#keep`` is a node that shows ``×``.
        arrows: a line a chain: ``x -> mean, var -> norm``; ``..>`` is dashed, for what
            is stored or updated; ``mean ..> running_mean: momentum`` has a label.
        nodes: the tensors by name. Other names of the layout are operations.
        frames: what stands together, by the frame's caption: ``{"cell": "x mean"}``.

    Returns:
        A ``Flow``, shown when it is a cell's last expression.

    Raises:
        AssertionError: a tensor does not fit its axes, or a letter has two sizes.
        ValueError: a node without a cell, a cell used twice, an arrow to a node that
            is not there or without a way, an unknown role, a picture too wide.

    >>> weight = torch.zeros(4, 3)
    >>> draw_flow(
    ...     "A linear layer",
    ...     "x multiply y \\n . weight .",
    ...     "x -> multiply -> y \\n weight -> multiply",
    ...     {"x": Node("input", (2, 3), "N C_in"), "weight": Node("kernel", weight,
    ...      "C_out C_in"), "y": Node("output", (2, 4), "N C_out")},
    ... )
    A linear layer
    x is an input of shape (N, C_in) = (2, 3).
    y is an output of shape (N, C_out) = (2, 4).
    weight is a weight of shape (C_out, C_in) = (4, 3).
    x goes to multiply.
    multiply goes to y.
    weight goes to multiply.
    """
    cells = _cells(layout)
    given = dict(nodes or {})
    for name in given:
        if name not in cells:
            raise ValueError(
                f"nodes has {name!r}, which the layout lacks: it has {', '.join(cells)}"
            )
    placed = {name: _labelled(name, given.get(name, Node())) for name in cells}
    found = {}
    for caption, words in (frames or {}).items():
        found[caption] = words.split()
        _known(found[caption], cells, f"frame {caption!r}")
    return Flow(title, cells, placed, _arrows(arrows, cells), found)


def shapes(nodes: Mapping[str, Node]) -> dict[str, tuple[str, str]]:
    """Each tensor's shape in letters and in numbers, once they are known to fit."""
    told: dict[str, tuple[str, str]] = {}
    sizes: dict[str, int] = {}
    first: dict[str, str] = {}  # the node that gave a letter its size
    for _ in range(2):  # 4H is known once H is
        for name, node in nodes.items():
            if node.tensor is None:
                if node.axes:
                    raise ValueError(
                        f"axes of {name!r} are {node.axes!r}: give its tensor too"
                    )
                continue
            shape = tuple(getattr(node.tensor, "shape", node.tensor))
            axes = node.axes.split()
            known = {a: s for a in axes if (s := _size(a, sizes)) is not None}
            tensor = torch.empty(shape, device="meta")
            try:
                found = assert_shape(tensor, node.axes, **known)
            except AssertionError as error:
                words = re.sub(r"\bx\b", name, str(error), count=1)
                axis = re.match(r"axis (\S+) of", words)
                if axis and axis[1] in first:
                    words += f" as in {first[axis[1]]}"
                raise AssertionError(f"node {name!r}: {words}") from None
            sizes |= found
            first = dict.fromkeys(found, name) | first
            told[name] = _aligned(axes, [str(size) for size in shape])
    return told


def _aligned(axes: Sequence[str], numbers: Sequence[str]) -> tuple[str, str]:
    """Letters and numbers in parentheses, of equal length."""
    wide = [max(map(len, pair)) for pair in zip(axes, numbers, strict=True)]
    comma = "," if len(wide) == 1 else ""
    above, below = (
        ", ".join(word.rjust(w) for word, w in zip(words, wide, strict=True))
        for words in (axes, numbers)
    )
    return f"({above}{comma})", f"({below}{comma})"


def _size(axis: str, sizes: Mapping[str, int]) -> int | None:
    """What an axis must be: 4H is four times H."""
    times, letter = re.fullmatch(r"(\d*)\*?(.*)", axis).groups()  # type: ignore[union-attr]
    if not letter:
        return int(times)
    if times and letter in sizes:
        return int(times) * sizes[letter]
    return sizes.get(axis)


def _cells(layout: str) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    rows = [line.split() for line in layout.split("\n") if line.strip()]
    for r, row in enumerate(rows):
        for c, name in enumerate(row):
            if name in cells:
                raise ValueError(
                    f"layout has {name!r} twice: call the second {name}#2, which shows "
                    f"{name!r} too"
                )
            if name != ".":
                cells[name] = (c, r)
    if not cells:
        raise ValueError(f"layout is {layout!r}: give at least one node")
    return cells


def _labelled(name: str, node: Node) -> Node:
    if not isinstance(node, Node):
        raise ValueError(f"node {name!r} is {node!r}: give a Node(role, tensor, axes)")
    if node.role not in ROLES:
        allowed = ", ".join(role or "'' (an operation)" for role in ROLES)
        raise ValueError(f"role of {name!r} is {node.role!r}: allowed are {allowed}")
    plain = name.partition("#")[0] or name
    index = "_" in plain[:2]  # h_t
    label = node.label or (plain if node.role or index else plain.replace("_", " "))
    return Node(node.role, node.tensor, node.axes, label)


def _arrows(text: str, cells: Mapping[str, Cell]) -> list[Arrow]:
    arrows: list[Arrow] = []
    for line in filter(None, map(str.strip, text.split("\n"))):
        chain, _, label = line.partition(":")
        parts = ARROW.split(chain.strip())
        if len(parts) < 3:
            raise ValueError(f"arrows has {line!r}: write 'x -> y' or 'x ..> y'")
        groups = [[name.strip() for name in part.split(",")] for part in parts[::2]]
        for i, kind in enumerate(parts[1::2]):
            _known([*groups[i], *groups[i + 1]], cells, f"arrow {line!r}")
            for a in groups[i]:
                for b in groups[i + 1]:
                    last = i == len(groups) - 2
                    if a == b or any((a, b) == (o.source, o.target) for o in arrows):
                        raise ValueError(f"arrow {a!r} -> {b!r}: only one, to another")
                    words = label.strip() if last else ""
                    arrows.append(Arrow(a, b, kind == "..>", words))
    return arrows


def _known(names: Sequence[str], cells: Mapping[str, Cell], where: str) -> None:
    for name in names:
        if name not in cells:
            raise ValueError(
                f"{where} names {name!r}, which the layout lacks: it has "
                f"{', '.join(cells)}"
            )


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
