"""Ways of the arrows over the grid: straight where they can, never through a box."""

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from itertools import pairwise

Cell = tuple[int, int]  # column, row
TURNS = ((1, 0), (0, 1), (-1, 0), (0, -1))
BEND, CROSSING, JOIN = 3, 6, 5  # in cells


def routes(
    cells: Mapping[str, Cell], arrows: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], list[Cell]]:
    """The cells that each arrow passes, its two ends included.

    Arrows of one source may share their beginning, those of one target their end; all
    others at most cross, in an empty cell.

    Args:
        cells: of each node.
        arrows: source and target of each.

    Raises:
        ValueError: an arrow finds no way.

    >>> routes({"x": (0, 0), "y": (2, 1)}, [("x", "y")])
    {('x', 'y'): [(0, 0), (1, 0), (2, 0), (2, 1)]}
    """
    grid = (max(c for c, _ in cells.values()), max(r for _, r in cells.values()))
    found: dict[tuple[str, str], list[Cell]] = {}

    def length(arrow: tuple[str, str]) -> tuple[bool, int]:
        (a, b), (c, d) = cells[arrow[0]], cells[arrow[1]]
        return a != c and b != d, abs(a - c) + abs(b - d)

    for arrow in sorted(arrows, key=length):  # the easy ones first
        way = _route(cells, grid, arrow, found)
        if way is None:
            raise ValueError(
                f"arrow {arrow[0]!r} -> {arrow[1]!r} finds no way: leave an empty "
                "cell, a dot in the layout, where it may pass"
            )
        found[arrow] = way
    return found


def _route(
    cells: Mapping[str, Cell],
    grid: Cell,
    arrow: tuple[str, str],
    others: Mapping[tuple[str, str], list[Cell]],
) -> list[Cell] | None:
    """The way of fewest bends and crossings, then of least length."""
    full = set(cells.values())
    start, end = cells[arrow[0]], cells[arrow[1]]
    strangers: list[list[Cell]] = []
    kin: list[list[Cell]] = []
    for other, way in others.items():
        alike = other[0] == arrow[0] or other[1] == arrow[1]
        (kin if alike else strangers).append(way)
    taken = {e for way in strangers for e in _steps(way)}
    taken |= {(b, a) for a, b in taken}
    taken |= {(b, a) for way in kin for a, b in _steps(way)}
    ends = {e for o, way in others.items() if o[1] == arrow[1] for e in _steps(way)}
    passed: dict[Cell, set[int]] = {}  # 0: across, 1: up or down, 2: a bend
    for way in strangers:
        for a, b, c in zip(way, way[1:], way[2:], strict=False):
            passed.setdefault(b, set()).add(_kind(_turn(a, b), _turn(b, c)))
    queue = [(0, 0, start, -1, [start])]
    best: dict[tuple[Cell, int], int] = {}
    count = 0
    while queue:
        cost, _, at, came, way = heappop(queue)
        if at == end:
            return way
        if best.get((at, came), cost + 1) <= cost:
            continue
        best[at, came] = cost
        for turn, (dc, dr) in enumerate(TURNS):
            to = (at[0] + dc, at[1] + dr)
            inside = 0 <= to[0] <= grid[0] and 0 <= to[1] <= grid[1]
            if not inside or (to in full and to != end) or (at, to) in taken:
                continue
            price = 1 + JOIN * ((at, to) in ends)
            if came >= 0:
                kind = _kind(came, turn)
                here = passed.get(at, set())
                if here and (kind == 2 or here != {1 - kind}):
                    continue
                price += BEND * (kind == 2) + CROSSING * bool(here)
            count += 1
            heappush(queue, (cost + price, count, to, turn, [*way, to]))
    return None


def _steps(way: list[Cell]) -> list[tuple[Cell, Cell]]:
    return list(pairwise(way))


def _turn(a: Cell, b: Cell) -> int:
    return TURNS.index((b[0] - a[0], b[1] - a[1]))


def _kind(came: int, turn: int) -> int:
    return turn % 2 if came == turn else 2
