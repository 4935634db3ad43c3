"""A diagram as an SVG: sizes from the texts, then boxes, arrows and words."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from layers_book.figures import tokens

if TYPE_CHECKING:
    from layers_book.flow.diagram import Arrow, Flow, Node

WIDEST = 400  # a phone shows 328 px, where the smallest text then has about 10
SCALE = 1.15  # on a page
MARGIN, NEAR, ACROSS, DOWN = 12, 14, 26, 26  # between boxes: none, arrows pass
TITLE, LABEL, STEP, SHAPE, WORDS = 15, 14, 13, 12, 12  # sizes of text
HEAD = 8  # length of an arrow's head
SUBSCRIPT = re.compile(r"([^\W_])_(\w+(?:[+\N{MINUS SIGN}-]\w+)?)")
CODE = re.compile(r"[A-Za-z]\w+(\.\w+)*,?")
NARROW, WIDE = "ijlft.,:;'|!() []r", "mwMW@%√→"


@dataclass
class Box:
    """A node with its place: the middle and half of each side."""

    node: "Node"
    shape: list[str]
    x: float = 0.0
    y: float = 0.0
    a: float = 0.0
    b: float = 0.0

    @property
    def lines(self) -> list[str]:
        return self.node.label.split("\n")

    @property
    def round(self) -> bool:
        """A sign such as ×, in a circle?"""
        return not self.node.role and not self.shape and len(self.node.label) < 2

    def wide(self, line: str) -> float:
        tensor = bool(self.node.role)
        return width(line, LABEL if tensor else STEP, tensor)

    def measure(self) -> None:
        wide = max(
            *(self.wide(line) for line in self.lines),
            *(mono(line, SHAPE) for line in self.shape),
            0,
        )
        self.a = 14 if self.round else max(wide / 2 + 8, 20)
        self.b = 14 if self.round else (13 + 17 * len(self.lines)) / 2
        if not self.round:
            self.b += 16 * len(self.shape) / 2


@dataclass
class Plan:
    """Where everything is."""

    boxes: dict[str, Box]
    xs: list[float]
    ys: list[float]
    width: float
    height: float
    ways: dict["Arrow", list[tuple[float, float]]] = field(default_factory=dict)
    words: dict["Arrow", tuple[float, float, str]] = field(default_factory=dict)
    frames: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)


def mono(text: str, size: float) -> float:
    return 0.602 * size * len(text)


def width(text: str, size: float, bold: bool = False) -> float:
    """At most this wide in any system's font, by kinds of letters."""
    if CODE.fullmatch(text) and "_" in text:
        return mono(text, size - 1)
    if found := SUBSCRIPT.fullmatch(text):
        return width(found[1], size) + width(found[2], 0.72 * size) + 1
    per = (0.36 if c in NARROW else 0.95 if c in WIDE else 0.6 for c in text)
    return size * sum(per) * (1.1 if bold else 1)


def plan(flow: "Flow") -> Plan:
    """Place boxes, arrows and words.

    Raises:
        ValueError: the picture is too wide for a phone, or a label has no room.
    """
    for joint in (" = ", "\n"):
        found = _placed(flow, joint)
        if found.width <= WIDEST or not flow.shapes:
            break
    if found.width > WIDEST:
        wide = max(found.boxes, key=lambda name: found.boxes[name].a)
        raise ValueError(
            f"the picture is {found.width:.0f} wide, a phone shows {WIDEST}: use fewer "
            f"columns, or shorter labels ({wide!r} is the widest), or go downwards"
        )
    return found


def _placed(flow: "Flow", joint: str) -> Plan:
    from layers_book.flow.diagram import told_shape

    boxes = {}
    for name, node in flow.nodes.items():
        box = Box(node, [])
        if name in flow.shapes:
            line = told_shape(node)
            if joint == "\n" and mono(line, SHAPE) > max(map(box.wide, box.lines)):
                line = told_shape(node, joint)
            box.shape = line.split("\n")
        boxes[name] = box
        boxes[name].measure()
    columns = 1 + max(c for c, _ in flow.cells.values())
    rows = 1 + max(r for _, r in flow.cells.values())
    half_w, half_h = [3.0] * columns, [3.0] * rows
    for name, (c, r) in flow.cells.items():
        half_w[c] = max(half_w[c], boxes[name].a)
        half_h[r] = max(half_h[r], boxes[name].b)
    for name, (c, _) in flow.cells.items():  # a column's tensors are alike
        if boxes[name].node.role:
            boxes[name].a = max(
                boxes[n].a
                for n in boxes
                if flow.cells[n][0] == c and boxes[n].node.role
            )
    before_w, before_h = _gaps(flow, columns, rows)
    top = MARGIN + 22 * len(_wrapped(flow.title, WIDEST - 2 * MARGIN)) + 8
    xs = list(_middles(half_w, before_w, MARGIN))
    ys = list(_middles(half_h, before_h, top))
    for name, (c, r) in flow.cells.items():
        boxes[name].x, boxes[name].y = xs[c], ys[r]
    found = Plan(boxes, xs, ys, 0, 0)
    for arrow in flow.arrows:
        found.ways[arrow] = _line(flow, found, arrow)
    for caption, names in flow.frames.items():
        found.frames[caption] = _frame(flow, found, caption, names, half_w, half_h)
    for arrow in flow.arrows:
        if arrow.label:
            found.words[arrow] = _room(found, arrow)
    right = [b.x + b.a for b in boxes.values()]
    right += [
        x + width(a.label, WORDS) * (at == "start")
        for a, (x, _, at) in found.words.items()
    ]
    right += [x + w for x, _, w, _ in found.frames.values()] + [
        x for w in found.ways.values() for x, _ in w
    ]
    bottom = [b.y + b.b for b in boxes.values()]
    bottom += [y + h for _, y, _, h in found.frames.values()] + [
        y for w in found.ways.values() for _, y in w
    ]
    found.width = max(right) + MARGIN
    found.height = max(bottom) + MARGIN
    return found


def _gaps(flow: "Flow", columns: int, rows: int) -> tuple[list[float], list[float]]:
    """The space before each column and row, and after the last."""
    wide, high = [float(NEAR)] * (columns + 1), [float(NEAR)] * (rows + 1)
    wide[0] = high[0] = 0
    full_c = {c for c, _ in flow.cells.values()}
    full_r = {r for _, r in flow.cells.values()}
    for arrow in flow.arrows:
        way = flow.routes[arrow.source, arrow.target]
        for (c, r), (d, s) in zip(way, way[1:], strict=False):
            i, j = max(c, d), max(r, s)
            if c != d and {c, d} <= full_c:
                wide[i] = max(wide[i], ACROSS)
                if arrow.label and len(way) == 2:
                    wide[i] = max(wide[i], width(arrow.label, WORDS) + 14)
            if r != s and {r, s} <= full_r:
                high[j] = max(high[j], DOWN)
    for caption, names in flow.frames.items():
        (c, r), (d, s) = _corners(flow, caption, names)
        wide[c] += 12
        wide[d + 1] += 12
        high[r] += 28
        high[s + 1] += 12
    return wide, high


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
    halves: Sequence[float], before: Sequence[float], start: float
) -> Iterator[float]:
    for half, gap in zip(halves, before, strict=False):
        yield (start := start + gap + half)
        start += half


def _frame(
    flow: "Flow",
    found: Plan,
    caption: str,
    names: Sequence[str],
    half_w: Sequence[float],
    half_h: Sequence[float],
) -> tuple[float, float, float, float]:
    (c, r), (d, s) = _corners(flow, caption, names)
    left, right = found.xs[c] - half_w[c] - 12, found.xs[d] + half_w[d] + 12
    top, bottom = found.ys[r] - half_h[r] - 28, found.ys[s] + half_h[s] + 12
    right = max(right, left + width(caption, WORDS) + 20)
    return left, top, right - left, bottom - top


def _line(flow: "Flow", found: Plan, arrow: "Arrow") -> list[tuple[float, float]]:
    """Corners of an arrow's way, from border to border."""
    points = [
        (found.xs[c], found.ys[r]) for c, r in flow.routes[arrow.source, arrow.target]
    ]
    corners = [points[0]]
    for a, b, c in zip(points, points[1:], points[2:], strict=False):
        if (a[0] == b[0]) != (b[0] == c[0]):
            corners.append(b)
    corners.append(points[-1])
    source, target = found.boxes[arrow.source], found.boxes[arrow.target]
    corners[0] = _border(source, corners[0], corners[1])
    corners[-1] = _border(target, corners[-1], corners[-2])
    return corners


def _border(
    box: Box, middle: tuple[float, float], towards: tuple[float, float]
) -> tuple[float, float]:
    (x, y), (u, v) = middle, towards
    if x != u:
        return x + (box.a if u > x else -box.a), y
    return x, y + (box.b if v > y else -box.b)


def _room(found: Plan, arrow: "Arrow") -> tuple[float, float, str]:
    """A place for an arrow's label beside its way: x, baseline, anchor."""
    wide = width(arrow.label, WORDS)
    way = found.ways[arrow]
    places = []
    for (x, y), (u, v) in zip(way, way[1:], strict=False):
        middle = (x + u) / 2
        if y == v:
            places += [(middle, y - 6, "middle"), (middle, y + 16, "middle")]
        else:
            for at in (0.5, 0.3, 0.7):
                level = y + at * (v - y) + (-2 if v > y else 8)
                places += [(x + 7, level, "start"), (x - 7, level, "end")]
    places.sort(key=lambda p: p[2] == "end")
    for x, y, anchor in places:
        left = x - {"start": 0, "middle": wide / 2, "end": wide}[anchor]
        area = (left, y - 10, left + wide, y + 4)
        if left >= 4 and not any(_touch(area, other) for other in _areas(found, arrow)):
            return x, y, anchor
    raise ValueError(
        f"label {arrow.label!r} of arrow {arrow.source!r} -> {arrow.target!r} has no "
        "room: shorten it, or leave an empty column beside the arrow"
    )


def _areas(found: Plan, arrow: "Arrow") -> Iterator[tuple[float, float, float, float]]:
    """What words must not touch: boxes, arrows and other words."""
    for b in found.boxes.values():
        yield b.x - b.a, b.y - b.b, b.x + b.a, b.y + b.b
    for way in found.ways.values():
        for (x, y), (u, v) in zip(way, way[1:], strict=False):
            yield min(x, u) - 2, min(y, v) - 2, max(x, u) + 2, max(y, v) + 2
    for x, y, w, h in found.frames.values():
        yield x, y, x + w, y + 22  # with its caption
        yield x, y + h - 2, x + w, y + h + 2
        yield x - 2, y, x + 2, y + h
        yield x + w - 2, y, x + w + 2, y + h
    for other, (x, y, anchor) in found.words.items():
        wide = width(other.label, WORDS)
        left = x - {"start": 0, "middle": wide / 2, "end": wide}[anchor]
        yield left, y - 10, left + wide, y + 4


def _touch(
    a: tuple[float, float, float, float], b: tuple[float, float, float, float]
) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _wrapped(text: str, wide: float) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if width(longer, TITLE, True) <= wide or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


# ------------------------------------------------------------------ the text


def svg(flow: "Flow") -> str:
    """The diagram as one element, which brings its style along."""
    found = plan(flow)
    wide = max(
        found.width,
        min(WIDEST, 2 * MARGIN + width(flow.title, TITLE, True)),
    )
    shift = (wide - found.width) / 2
    words = " ".join(flow.sentences())
    key = "f" + hashlib.sha256((flow.title + words).encode()).hexdigest()[:8]
    body = [
        _text(line, MARGIN, MARGIN + 14 + 22 * i, "title")
        for i, line in enumerate(_wrapped(flow.title, WIDEST - 2 * MARGIN))
    ]
    inner = [*map(_drawn_frame, found.frames.items())]
    inner += _drawn_ways(flow, found)
    inner += [_drawn_box(box) for box in found.boxes.values()]
    inner += [
        _text(arrow.label, x, y, "note", anchor)
        for arrow, (x, y, anchor) in found.words.items()
    ]
    moved = f'<g transform="translate({_n(shift)})">' if shift else "<g>"
    roles = sorted({box.node.role for box in found.boxes.values()} - {""})
    return (
        f'<svg class="nn-flow" role="img" aria-labelledby="{key} {key}d" '
        f'viewBox="0 0 {_n(wide)} {_n(found.height)}" width="{_n(wide * SCALE)}">'
        f'<title id="{key}">{escape(flow.title)}</title>'
        f'<desc id="{key}d">{escape(words)}</desc>'
        f"<style>{_style(roles)}</style>"
        f"{''.join(body)}{moved}{''.join(inner)}</g></svg>"
    )


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _drawn_frame(item: tuple[str, tuple[float, float, float, float]]) -> str:
    caption, (x, y, w, h) = item
    return (
        f'<rect class="frame" x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" '
        f'height="{_n(h)}" rx="8"/>{_text(caption, x + 10, y + 17, "note", "start")}'
    )


def _drawn_ways(flow: "Flow", found: Plan) -> Iterator[str]:
    dots = {p for name in found.boxes for p in _forks(flow, found, name)}
    for arrow, way in found.ways.items():
        (x, y), (u, v) = way[-2:]
        dx, dy = (u > x) - (u < x), (v > y) - (v < y)
        back = (u - dx * HEAD, v - dy * HEAD)
        kind = "way" + " stored" * arrow.dashed
        if found.boxes[arrow.source].node.role == "gradient":
            kind += " back"
        path = _rounded([*way[:-1], (u - dx * (HEAD - 1), v - dy * (HEAD - 1))])
        head = (
            f"M{_n(u)} {_n(v)}L{_n(back[0] + 4 * dy)} {_n(back[1] + 4 * dx)}"
            f"L{_n(back[0] - 4 * dy)} {_n(back[1] - 4 * dx)}z"
        )
        yield f'<path class="{kind}" d="{path}"/><path class="head" d="{head}"/>'
    for x, y in sorted(dots):
        yield f'<circle class="head" cx="{_n(x)}" cy="{_n(y)}" r="3"/>'


def _forks(flow: "Flow", found: Plan, name: str) -> set[tuple[float, float]]:
    """Where arrows of one node part, in an empty cell."""
    after: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for (source, _), way in flow.routes.items():
        if source == name:
            for a, b in zip(way[1:], way[2:], strict=False):
                after.setdefault(a, set()).add(b)
    return {(found.xs[c], found.ys[r]) for (c, r), to in after.items() if len(to) > 1}


def _rounded(way: Sequence[tuple[float, float]], radius: float = 8) -> str:
    """A path with round corners."""
    path = f"M{_n(way[0][0])} {_n(way[0][1])}"
    for a, b, c in zip(way, way[1:], way[2:], strict=False):
        points = []
        for end in (a, c):
            span = abs(end[0] - b[0]) + abs(end[1] - b[1])
            part = min(radius, span / 2) / span if span else 0
            points.append([b[i] + part * (end[i] - b[i]) for i in (0, 1)])
        (x, y), (u, v) = points
        path += f"L{_n(x)} {_n(y)}Q{_n(b[0])} {_n(b[1])} {_n(u)} {_n(v)}"
    return f"{path}L{_n(way[-1][0])} {_n(way[-1][1])}"


def _drawn_box(box: Box) -> str:
    role = box.node.role or "step"
    if box.round:
        return (
            f'<g class="step"><circle cx="{_n(box.x)}" cy="{_n(box.y)}" '
            f'r="{_n(box.a)}"/>{_text(box.node.label, box.x, box.y + 5, "label")}</g>'
        )
    corner = {"input": 0, "kernel": 3, "output": 10, "step": min(box.b, 14)}.get(
        role, 2
    )
    parts = [_rect(box, 0, corner)]
    if role == "statistic":
        parts.append(_rect(box, 3, 0))
    y = box.y - (17 * len(box.lines) + 16 * len(box.shape)) / 2 + 13
    for line in box.lines:
        parts.append(_text(line, box.x, y, "label"))
        y += 17
    for line in box.shape:
        parts.append(_text(line, box.x, y - 1, "shape"))
        y += 16
    return f'<g class="{role}">{"".join(parts)}</g>'


def _rect(box: Box, inset: float, corner: float) -> str:
    round_ = f' rx="{_n(corner)}"' if corner else ""
    return (
        f'<rect x="{_n(box.x - box.a + inset)}" y="{_n(box.y - box.b + inset)}" '
        f'width="{_n(2 * (box.a - inset))}" height="{_n(2 * (box.b - inset))}"{round_}/>'
    )


def _text(text: str, x: float, y: float, kind: str, anchor: str = "") -> str:
    """Words in the picture; one letter with an index is set as in a formula."""
    inner = escape(text)
    if kind == "label" and CODE.fullmatch(text) and "_" in text and text[1] != "_":
        kind += " code"
    elif kind == "label" and (found := SUBSCRIPT.fullmatch(text)):
        low = escape(found[2].replace("-", "\N{MINUS SIGN}"))
        inner = f'<tspan class="i">{found[1]}</tspan><tspan dy="3" class="low">{low}</tspan>'
    where = f' text-anchor="{anchor}"' if anchor in ("middle", "end") else ""
    return f'<text class="{kind}" x="{_n(x)}" y="{_n(y)}"{where}>{inner}</text>'


def _style(roles: Sequence[str]) -> str:
    """Colors of both themes, and a border for each role.

    ``--l`` and ``--d`` are switches: one is empty, with the other the color falls back
    to what stands after its comma.
    """
    light, dark = tokens()["light"], tokens()["dark"]

    def color(name: str) -> str:
        return f"var(--l,{light[name]})var(--d,{dark[name]})"

    def rule(where: str, **what: str) -> str:
        pairs = (f"{k.replace('_', '-')}:{v}" for k, v in what.items())
        return f"{where}{{{';'.join(pairs)}}}"

    me = ".nn-flow"
    named = "[data-theme=dark],[theme=dark],[data-jp-theme-light=false]"
    named += ",[data-vscode-theme-kind$=dark],[data-vscode-theme-kind$=contrast]"
    unnamed = "html:not([data-theme],[theme]) body:not([data-jp-theme-light],[data-vscode-theme-kind])"
    night = "--d:initial;--l: "
    rules = [
        rule(
            me,
            __l="initial",
            __d=" ",
            ink=color("ink"),
        ).replace("ink:", "--ink:"),
        f":is({named}) {me}{{{night}}}",
        f"@media(prefers-color-scheme:dark){{{unnamed} {me}{{{night}}}}}",
        f"@media print{{{me}{{--l:initial!important;--d: !important}}}}",
        rule(
            me,
            display="block",
            max_width="100%",
            height="auto",
            box_sizing="border-box",
            background=color("bg"),
            border=f"1px solid {color('line')}",
            border_radius="10px",
            font=f"{LABEL}px system-ui,sans-serif",
            fill="var(--ink)",
        ),
        rule(f"{me} .title", font_size=f"{TITLE}px", font_weight="650"),
        rule(f"{me} :is(.label,.shape)", text_anchor="middle"),
        rule(f"{me} .label", font_weight="600"),
        rule(
            f"{me} :is(.shape,.code)",
            font_family="ui-monospace,Menlo,Consolas,monospace",
            white_space="pre",
        ),
        rule(f"{me} .shape", font_size=f"{SHAPE}px"),
        rule(f"{me} .code", font_size=f"{LABEL - 1}px"),
        rule(f"{me} .i", font_style="italic"),
        rule(f"{me} .low", font_size="72%"),
        rule(f"{me} .note", font_size=f"{WORDS}px", fill=color("muted")),
        rule(f"{me} .way", fill="none", stroke="var(--ink)", stroke_width="1.5"),
        rule(f"{me} .stored", stroke_dasharray="5 4"),
        rule(
            f"{me} .frame", fill="none", stroke=color("muted"), stroke_dasharray="2 4"
        ),
        rule(
            f"{me} .step :is(rect,circle)", fill=color("surface"), stroke=color("muted")
        ),
        rule(f"{me} .step .label", font_size=f"{STEP}px", font_weight="400"),
    ]
    for role in roles:
        extra: Mapping[str, str] = {
            "kernel": {"stroke_width": "3"},
            "gradient": {"stroke_dasharray": "6 3"},
            "padding": {"stroke_dasharray": "3 3"},
        }.get(role, {})
        fill = "none" if role == "padding" else color(f"{role}-fill")
        rules.append(rule(f"{me} .{role} rect", fill=fill, stroke=color(role), **extra))
    return "".join(rules)
