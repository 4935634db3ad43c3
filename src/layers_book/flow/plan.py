"""Where boxes, arrows and words of a diagram lie: from the texts, without a browser."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layers_book.flow.diagram import Arrow, Flow, Node

Point = tuple[float, float]
Area = tuple[float, float, float, float]  # left, top, right, bottom

WIDEST = 400  # a phone shows 328 px, where the smallest text then has 10
MARGIN = 12
NEAR, ACROSS, DOWN = 14, 26, 26  # between boxes: no arrow; one across; one down
CAPTION, EDGE = 26, 12  # a frame's space above, and elsewhere
TITLE, LABEL, SMALL = 15, 13, 12  # sizes of text
LINE, SMALL_LINE, TITLE_LINE = 16, 15, 21
SUBSCRIPT = re.compile(r"([^\W_])_(\w+(?:[+\N{MINUS SIGN}-]\w+)?)")
CODE = re.compile(r"[A-Za-z]\w+(\.\w+)*[,.]?")
NARROW, WIDE = "ijlrft.,:;'|!() []", "mwMW@%√→"


@dataclass
class Box:
    """A node with its place: the middle and half of each side."""

    node: "Node"
    shape: Sequence[str] = ()
    x: float = 0
    y: float = 0
    a: float = 0
    b: float = 0

    @property
    def lines(self) -> list[str]:
        return self.node.label.split("\n")

    @property
    def round(self) -> bool:
        """A sign such as ×, in a circle?"""
        return not self.node.role and not self.shape and len(self.node.label) < 2

    @property
    def area(self) -> Area:
        return self.x - self.a, self.y - self.b, self.x + self.a, self.y + self.b

    @property
    def label_width(self) -> float:
        return max(width(line, LABEL, bool(self.node.role)) for line in self.lines)

    def measure(self, shape: tuple[str, str] | None, room: float) -> None:
        """Set the size; a shape wider than ``room`` stands in two lines."""
        widest = self.label_width
        if shape:
            one_line = tight(" = ".join(shape))
            self.shape = (one_line,) if mono(one_line, SMALL) <= room else shape
            widest = max(widest, *(mono(line, SMALL) for line in self.shape))
        if self.round:
            self.a = self.b = 14
        else:
            self.a = max(math.ceil(widest / 2) + 8, 17)
            self.b = 6 + LINE // 2 * len(self.lines)
            self.b += math.ceil(SMALL_LINE / 2 * len(self.shape))


@dataclass
class Plan:
    """Where everything is."""

    boxes: dict[str, Box]
    xs: list[float]
    ys: list[float]
    title: list[str]
    ways: dict["Arrow", list[Point]] = field(default_factory=dict)
    words: dict["Arrow", tuple[float, float, str]] = field(default_factory=dict)
    frames: dict[str, Area] = field(default_factory=dict)
    captions: dict[str, float] = field(default_factory=dict)  # where each begins

    def areas(self) -> Iterator[Area]:
        """What words must not touch: boxes, arrows, frames and other words."""
        for box in self.boxes.values():
            yield box.area
        for way in self.ways.values():
            yield from _lines_of(way)
        for left, top, right, bottom in self.frames.values():
            yield left, top, right, top + 22  # with its caption
            yield left, bottom - 2, right, bottom + 2
            yield left - 2, top, left + 2, bottom
            yield right - 2, top, right + 2, bottom
        for arrow, place in self.words.items():
            yield written(arrow.label, place)

    @property
    def width(self) -> float:
        title = max(width(line, TITLE, True) for line in self.title)
        return max(self.size[0], math.ceil(title) + 2 * MARGIN)

    @property
    def left(self) -> int:
        """How far all moves to the right, for what reaches into the margin."""
        return max(0, MARGIN - math.floor(min(a[0] for a in self.areas())))

    @property
    def size(self) -> Point:
        """Width and height of what is drawn, margins included."""
        areas = list(self.areas())
        return (
            math.ceil(max(a[2] for a in areas)) + MARGIN + self.left,
            math.ceil(max(a[3] for a in areas)) + MARGIN,
        )


def mono(text: str, size: float) -> float:
    """Width in the system's font of code."""
    return 0.602 * size * len(text)


def width(text: str, size: float, bold: bool = False) -> float:
    """About the width in the widest of the systems' fonts, by kinds of letters."""
    if is_code(text):
        return mono(text, size - 1)
    if found := SUBSCRIPT.fullmatch(text):
        return width(found[1], size, bold) + width(found[2], 0.72 * size, bold)
    per = (0.37 if c in NARROW else 0.97 if c in WIDE else 0.61 for c in text)
    return size * sum(per) * (1.1 if bold else 1)


def tight(shape: str) -> str:
    """A shape without the spaces that align numbers below letters."""
    return re.sub(r" {2,}", " ", shape).replace("( ", "(")


def is_code(text: str) -> bool:
    """A name such as running_mean, which is set as code?"""
    return bool(CODE.fullmatch(text) and "_" in text and not SUBSCRIPT.fullmatch(text))


def plan(flow: "Flow") -> Plan:
    """Place boxes, arrows and words.

    Raises:
        ValueError: the picture is too wide for a phone, or a label has no room.
    """
    for short in (False, True):
        found = _placed(flow, short)
        if found.size[0] <= WIDEST:
            return found
    columns: dict[int, tuple[int, str]] = {}
    for name, (c, _) in flow.cells.items():
        columns[c] = max(
            columns.get(c, (0, "")), (round(2 * found.boxes[name].a), name)
        )
    told = ", ".join(f"{wide} ({name})" for _, (wide, name) in sorted(columns.items()))
    raise ValueError(
        f"the picture is {found.size[0]} wide, a phone shows {WIDEST}: its columns are "
        f"{told}; take fewer, break labels by \\n, or let the arrows go down"
    )


def _placed(flow: "Flow", short: bool) -> Plan:
    boxes = {name: Box(node) for name, node in flow.nodes.items()}
    columns = 1 + max(c for c, _ in flow.cells.values())
    rows = 1 + max(r for _, r in flow.cells.values())
    wide, high = [3.0] * columns, [3.0] * rows  # halves of columns and rows
    tensors, labels = [0.0] * columns, [0.0] * columns  # widths in a column
    for name, (c, _) in flow.cells.items():
        labels[c] = max(labels[c], boxes[name].label_width)
    for name, (c, r) in flow.cells.items():
        box = boxes[name]
        box.measure(flow.shapes.get(name), labels[c] if short else WIDEST)
        wide[c], high[r] = max(wide[c], box.a), max(high[r], box.b)
        if box.node.role:
            tensors[c] = max(tensors[c], box.a)
    title = _wrapped(flow.title)
    gaps_across, gaps_down = _gaps(flow, columns, rows)
    xs = list(_middles(wide, gaps_across, MARGIN))
    ys = list(_middles(high, gaps_down, MARGIN + TITLE_LINE * len(title) + 8))
    for name, (c, r) in flow.cells.items():
        box = boxes[name]
        box.x, box.y = xs[c], ys[r]
        if box.node.role:  # a column's tensors are equally wide
            box.a = tensors[c]
    found = Plan(boxes, xs, ys, title)
    ends: dict[str, tuple[int, int]] = {}  # first and last column
    for caption, names in flow.frames.items():
        (c, r), (d, s) = _corners(flow, caption, names)
        ends[caption] = (c, d)
        left, top = xs[c] - wide[c] - EDGE, ys[r] - high[r] - CAPTION
        right = max(xs[d] + wide[d] + EDGE, left + width(caption, SMALL) + 20)
        found.frames[caption] = (left, top, right, ys[s] + high[s] + EDGE)
    for caption, (left, top, _, bottom) in found.frames.items():  # drawers fit
        alike = [
            f[2] for name, f in found.frames.items() if ends[name] == ends[caption]
        ]
        found.frames[caption] = (left, top, max(alike), bottom)
    for arrow in flow.arrows:
        found.ways[arrow] = _way(flow, found, arrow)
    lines = [area for way in found.ways.values() for area in _lines_of(way)]
    for caption, (left, top, right, _) in found.frames.items():
        wide_caption = math.ceil(width(caption, SMALL))
        first = int(left) + 10
        last = max(first, int(right) - 10 - wide_caption)
        for x in range(first, last + 1, 4):
            area = (x - 3, top + 1, x + wide_caption + 3, top + 22)
            if not any(touch(area, line) for line in lines):
                found.captions[caption] = x
                break
        else:
            raise ValueError(f"frame {caption!r}: an arrow runs through its caption")
    for arrow in flow.arrows:
        if arrow.label:
            found.words[arrow] = _room(found, arrow, _parting(flow, found, arrow))
    return found


def _gaps(flow: "Flow", columns: int, rows: int) -> tuple[list[float], list[float]]:
    """The space before each column and row, and after the last."""
    across, down = [float(NEAR)] * (columns + 1), [float(NEAR)] * (rows + 1)
    across[0] = down[0] = 0
    full_columns = {c for c, _ in flow.cells.values()}
    full_rows = {r for _, r in flow.cells.values()}
    for arrow in flow.arrows:
        way = flow.routes[arrow.source, arrow.target]
        last_turn = len(way) < 3 or way[-3][1] != way[-1][1]
        for (c, r), (d, s) in pairwise(way):
            if c != d and {c, d} <= full_columns:
                beside = arrow.label and last_turn and (d, s) == way[-1]
                room = width(arrow.label, SMALL) + 12 if beside else 0
                across[max(c, d)] = max(across[max(c, d)], ACROSS, math.ceil(room))
            if r != s and {r, s} <= full_rows:
                down[max(r, s)] = max(down[max(r, s)], DOWN)
    for caption, names in flow.frames.items():
        (c, r), (d, s) = _corners(flow, caption, names)
        across[c] += EDGE
        across[d + 1] += EDGE
        down[r] += CAPTION
        down[s + 1] += EDGE
    return across, down


def _corners(
    flow: "Flow", caption: str, names: Sequence[str]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last cell of a frame."""
    inside = [flow.cells[name] for name in names]
    columns, rows = [c for c, _ in inside], [r for _, r in inside]
    first, last = (min(columns), min(rows)), (max(columns), max(rows))
    for name, (c, r) in flow.cells.items():
        within = first[0] <= c <= last[0] and first[1] <= r <= last[1]
        if within and name not in names:
            raise ValueError(
                f"frame {caption!r} would enclose {name!r}: name it too, or move it"
            )
    return first, last


def _middles(
    halves: Sequence[float], gaps: Sequence[float], start: float
) -> Iterator[float]:
    for half, gap in zip(halves, gaps, strict=False):  # the last gap is the margin's
        yield start + gap + half
        start += gap + 2 * half


def _way(flow: "Flow", found: Plan, arrow: "Arrow") -> list[Point]:
    """Corners of an arrow's way, from border to border."""
    cells = flow.routes[arrow.source, arrow.target]
    points = [(found.xs[c], found.ys[r]) for c, r in cells]
    corners = [points[0]]
    for a, b, c in zip(points, points[1:], points[2:], strict=False):
        if (a[0] == b[0]) != (b[0] == c[0]):
            corners.append(b)
    corners.append(points[-1])
    corners[0] = _border(found.boxes[arrow.source], corners[1])
    corners[-1] = _border(found.boxes[arrow.target], corners[-2])
    return corners


def _border(box: Box, towards: Point) -> Point:
    """The middle of a box's side."""
    if box.x != towards[0]:
        return box.x + math.copysign(box.a, towards[0] - box.x), box.y
    return box.x, box.y + math.copysign(box.b, towards[1] - box.y)


def _lines_of(way: Sequence[Point]) -> Iterator[Area]:
    for (x, y), (u, v) in pairwise(way):
        yield min(x, u) - 2, min(y, v) - 2, max(x, u) + 2, max(y, v) + 2


def _parting(flow: "Flow", found: Plan, arrow: "Arrow") -> list[Point]:
    """An arrow's way from where it parts from others of its source."""
    route = flow.routes[arrow.source, arrow.target]
    shared = 0
    for (source, target), other in flow.routes.items():
        if source == arrow.source and target != arrow.target:
            alike = [a == b for a, b in zip(route, other, strict=False)]
            shared = max(shared, [*alike, False].index(False) - 1)
    if not shared:
        return found.ways[arrow]
    c, r = route[shared]
    start, way = (found.xs[c], found.ys[r]), found.ways[arrow]
    for i, ((x, y), (u, v)) in enumerate(pairwise(way)):
        if min(x, u) <= start[0] <= max(x, u) and min(y, v) <= start[1] <= max(y, v):
            first = i
    return [start, *way[first + 1 :]]


def _room(
    found: Plan, arrow: "Arrow", way: Sequence[Point]
) -> tuple[float, float, str]:
    """A place for an arrow's label beside its way: x, baseline, anchor."""
    places: list[tuple[float, float, str]] = []
    for (x, y), (u, v) in pairwise(way):
        if y == v:
            middle = round((x + u) / 2)
            places += [(middle, y - 6, "middle"), (middle, y + 15, "middle")]
        else:
            for at in (0.4, 0.25, 0.6):
                level = round(y + at * (v - y)) + 4
                places += [(x + 7, level, "start"), (x - 7, level, "end")]
    places.sort(key=lambda place: place[2] == "end")
    areas = list(found.areas())
    for place in places:
        area = written(arrow.label, place)
        if not any(touch(area, other) for other in areas):
            return place
    raise ValueError(
        f"label {arrow.label!r} of arrow {arrow.source!r} -> {arrow.target!r} has no "
        "room: shorten it, or leave an empty column beside the arrow"
    )


def written(text: str, place: tuple[float, float, str]) -> Area:
    """The area that an arrow's label covers."""
    x, y, anchor = place
    wide = width(text, SMALL)
    left = x - {"start": 0, "middle": wide / 2, "end": wide}[anchor]
    return left - 3, y - 10, left + wide + 3, y + 4


def touch(a: Area, b: Area) -> bool:
    """Do two areas overlap?"""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _wrapped(text: str) -> list[str]:
    """The title in as few lines as fit, of about equal length."""
    room = WIDEST - 2 * MARGIN
    lines = _lines(text, room)
    while (narrower := _lines(text, room - 8)) and len(narrower) == len(lines):
        lines, room = narrower, room - 8
        if len(lines) == 1:
            break
    return lines


def _lines(text: str, room: float) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if not lines[-1] or width(longer, TITLE, True) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
