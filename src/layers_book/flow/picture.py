"""A diagram as one SVG, which brings its colors and borders along."""

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from layers_book.figures import tokens
from layers_book.flow.plan import (
    LABEL,
    LINE,
    MARGIN,
    SMALL,
    SMALL_LINE,
    SUBSCRIPT,
    TITLE,
    TITLE_LINE,
    Box,
    Plan,
    Point,
    is_code,
    plan,
)

if TYPE_CHECKING:
    from layers_book.flow.diagram import Flow

CLASSES = re.compile(r'class="([^"]+)"')
SCALE = 1.2  # on a page
HEAD = 8  # length of an arrow's head
CORNER = {"input": 0, "kernel": 3, "output": 10}  # radius; an operation's: its half
# the system's wish counts where no theme is named, as in core.js
DARK = (
    ":is([data-theme=dark],[theme=dark],[data-jp-theme-light=false],"
    "[data-vscode-theme-kind$=dark],[data-vscode-theme-kind$=contrast])"
)
UNNAMED = (
    "html:not([data-theme],[theme]) "
    "body:not([data-jp-theme-light],[data-vscode-theme-kind])"
)


def svg(flow: "Flow") -> str:
    """The diagram as one element."""
    found = plan(flow)
    wide, high = found.width, found.size[1]
    words = " ".join(flow.sentences())
    key = "flow" + hashlib.sha256(f"{flow.title} {words}".encode()).hexdigest()[:8]
    title = "".join(
        _text(line, MARGIN, MARGIN + 14 + TITLE_LINE * i, "title")
        for i, line in enumerate(found.title)
    )
    parts = [
        *_drawn_frames(found),
        *_drawn_ways(flow, found),
        *map(_drawn_box, found.boxes.values()),
    ]
    for arrow, (x, y, anchor) in found.words.items():
        parts.append(_text(arrow.label, x, y, f"note {anchor}".replace(" middle", "")))
    shift = found.left + round((wide - found.size[0]) / 2)
    move = f' transform="translate({shift})"' if shift else ""
    body = f"{title}<g{move}>{''.join(parts)}</g>"
    used = {word for said in CLASSES.findall(body) for word in said.split()}
    return (
        f'<svg class="nn-flow" role="img" aria-labelledby="{key} {key}d" '
        f'viewBox="0 0 {_n(wide)} {_n(high)}" width="{_n(wide * SCALE)}">'
        f'<title id="{key}">{escape(flow.title)}</title>'
        f'<desc id="{key}d">{escape(words)}</desc>'
        f"<style>{_style(frozenset(used))}</style>"
        f"{body}</svg>"
    )


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _drawn_frames(found: Plan) -> Iterable[str]:
    for caption, (left, top, right, bottom) in found.frames.items():
        yield (
            f'<rect class="frame" x="{_n(left)}" y="{_n(top)}" '
            f'width="{_n(right - left)}" height="{_n(bottom - top)}" rx="8"/>'
            + _text(caption, found.captions[caption], top + 17, "note start")
        )


def _drawn_ways(flow: "Flow", found: Plan) -> Iterable[str]:
    """The arrows of a kind as one path, then their heads, and dots where they part."""
    lines: dict[str, str] = {}
    heads: dict[str, str] = {}
    forks = {p for name in found.boxes for p in _forks(flow, found, name)}
    for arrow, way in found.ways.items():
        roles = {flow.nodes[name].role for name in (arrow.source, arrow.target)}
        back = " back" if "gradient" in roles else ""
        kind = f"way{' stored' if arrow.dashed else ''}{back}"
        (x, y), (u, v) = way[-2:]
        dx, dy = (u > x) - (u < x), (v > y) - (v < y)
        line = [*way[:-1], (u - dx * (HEAD - 1), v - dy * (HEAD - 1))]
        lines[kind] = lines.get(kind, "") + _path(line, forks)
        p, q = u - dx * HEAD, v - dy * HEAD
        head = f"M{_n(u)} {_n(v)}L{_n(p + 4 * dy)} {_n(q + 4 * dx)}"
        head += f"{'V' if dx else 'H'}{_n(q - 4 * dx if dx else p - 4 * dy)}z"
        heads[back] = heads.get(back, "") + head
    for x, y in sorted(forks):
        heads[""] = (
            heads.get("", "") + f"M{_n(x - 3)} {_n(y)}a3 3 0 1 0 6 0a3 3 0 1 0-6 0"
        )
    for kind in sorted(lines, key=lambda kind: "stored" not in kind):
        yield f'<path class="{kind}" d="{lines[kind]}"/>'
    for back, head in heads.items():
        yield f'<path class="head{back}" d="{head}"/>'


def _forks(flow: "Flow", found: Plan, name: str) -> set[Point]:
    """Where arrows of one node part, in an empty cell."""
    after: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for (source, _), way in flow.routes.items():
        if source == name:
            for a, b in pairwise(way[1:]):
                after.setdefault(a, set()).add(b)
    return {(found.xs[c], found.ys[r]) for (c, r), to in after.items() if len(to) > 1}


def _path(way: Sequence[Point], sharp: Collection[Point] = (), radius: int = 8) -> str:
    """A path with round corners, but where a dot is."""
    path = f"M{_n(way[0][0])} {_n(way[0][1])}"
    for a, b, c in zip(way, way[1:], way[2:], strict=False):
        (x, y), (u, v) = _towards(b, a, radius), _towards(b, c, radius)
        if b in sharp:
            (x, y), (u, v) = b, b
        path += f"V{_n(y)}" if a[0] == b[0] else f"H{_n(x)}"
        if b not in sharp:
            path += f"Q{_n(b[0])} {_n(b[1])} {_n(u)} {_n(v)}"
    (x, y), (u, v) = way[-2:]
    return path + (f"V{_n(v)}" if x == u else f"H{_n(u)}")


def _towards(a: Point, b: Point, far: float) -> Point:
    """The point ``far`` from a towards b, at most half the way."""
    part = min(far / max(abs(b[0] - a[0]) + abs(b[1] - a[1]), 1), 0.5)
    return a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])


def _drawn_box(box: Box) -> str:
    """A node around its own middle."""
    role = box.node.role or "step"
    corner = CORNER.get(role, min(box.b, 14) if role == "step" else 2)
    parts = ['<circle r="14"/>' if box.round else _rect(box.a, box.b, corner)]
    if role == "statistic":
        parts.append(_rect(box.a - 3, box.b - 3, 0))
    y = LINE - 4 - (LINE * len(box.lines) + SMALL_LINE * len(box.shape)) / 2
    for line in box.lines:
        parts.append(_text(line, 0, y, "code" if is_code(line) else ""))
        y += LINE
    for line in box.shape:
        parts.append(_text(line, 0, y - 1, "shape"))
        y += SMALL_LINE
    return f'<g class="{role}" transform="translate({_n(box.x)} {_n(box.y)})">' + (
        f"{''.join(parts)}</g>"
    )


def _rect(a: float, b: float, corner: float) -> str:
    rounded = f' rx="{_n(corner)}"' if corner else ""
    return (
        f'<rect x="{_n(-a)}" y="{_n(-b)}" width="{_n(2 * a)}" height="{_n(2 * b)}"'
        f"{rounded}/>"
    )


def _text(text: str, x: float, y: float, kind: str) -> str:
    """Words in the picture; one letter with an index is set as in a formula."""
    inner = escape(text, quote=False)
    if not kind and (found := SUBSCRIPT.fullmatch(text)):
        low = escape(found[2].replace("-", "\N{MINUS SIGN}"))
        inner = f'<tspan class="i">{found[1]}</tspan><tspan dy="3" class="low">{low}'
        inner += "</tspan>"
    what = f' class="{kind}"' if kind else ""
    at = f' x="{_n(x)}"' if x else ""
    return f'<text{what}{at} y="{_n(y)}">{inner}</text>'


@cache
def _style(used: frozenset[str]) -> str:
    """Colors of both themes, and a border for each role: the rules of used classes.

    ``--l`` and ``--d`` are switches: where one is empty, a color falls back to what
    stands after the other's comma.
    """
    light, dark = tokens()["light"], tokens()["dark"]

    def color(name: str) -> str:
        return f"var(--l,{light[name]})var(--d,{dark[name]})"

    me, night = ".nn-flow", "{--l: ;--d:initial}"
    code = "font-family:ui-monospace,Menlo,Consolas,monospace;white-space:pre"
    rules: dict[str, str] = {
        "": "--l:initial;--d: ;display:block;box-sizing:border-box;max-width:100%;"
        f"height:auto;border:1px solid {color('line')};border-radius:10px;"
        f"--ink:{color('ink')};--muted:{color('muted')};background:{color('bg')};"
        f"fill:var(--ink);font:600 {LABEL}px system-ui,sans-serif;text-anchor:middle",
        " .title": f"font-size:{TITLE}px;text-anchor:start",
        " .code": f"font-size:{LABEL - 1}px;{code}",
        " .shape": f"font-size:{SMALL}px;font-weight:400;{code}",
        " .note": f"font-size:{SMALL}px;font-weight:400;fill:var(--muted)",
        " .start": "text-anchor:start",
        " .end": "text-anchor:end",
        " .i": "font-style:italic",
        " .low": "font-size:72%",
        " .way": "fill:none;stroke:var(--ink);stroke-width:1.5",
        " .stored": "stroke-dasharray:5 4",
        " .frame": "fill:none;stroke:var(--muted);stroke-dasharray:2 4",
        " .step": "font-weight:400",
        " .step :is(rect,circle)": f"fill:{color('surface')};stroke:var(--muted)",
    }
    border = {
        "kernel": ";stroke-width:3",
        "gradient": ";stroke-dasharray:6 3",
        "padding": ";stroke-dasharray:3 3",
    }
    for role in (
        "input",
        "kernel",
        "output",
        "gradient",
        "statistic",
        "padding",
        "error",
    ):
        fill = "none" if role == "padding" else color(f"{role}-fill")
        line = f"stroke:{color(role)}{border.get(role, '')}"
        rules[f" .{role} rect"] = f"fill:{fill};{line}"
    rules[" .way.back"] = f"stroke:{color('gradient')}"
    rules[" .head.back"] = f"fill:{color('gradient')}"
    rules = {
        where: what
        for where, what in rules.items()
        if used.issuperset(re.findall(r"\.([a-z]+)", where))
    }
    return (
        "".join(f"{me}{where}{{{what}}}" for where, what in rules.items())
        + f"{DARK} {me}{night}"
        f"@media(prefers-color-scheme:dark){{{UNNAMED} {me}{night}}}"
        f"@media print{{{me}{{--l:initial!important;--d: !important}}}}"
    )
