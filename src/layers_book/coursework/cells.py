"""The cells of an assignment's master: what each is for, checked one by one."""

import re
import textwrap
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["setup", "variant", "answer", "check", "manual", "text", "code"]

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
CODE_STUB = ("# YOUR CODE HERE", "raise NotImplementedError()")
TEXT_STUB = ("YOUR ANSWER HERE",)
RESERVED = ("install", "header")  # cells that the release adds
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
NAME_RULE = "a letter, then at most 39 letters, digits, _ or -"
DELIMITERS = re.compile(r"(?:BEGIN|END) (?:SOLUTION|HIDDEN TESTS|MARK SCHEME)")

_KINDS: dict[str, Kind] = {
    "setup": "setup",
    "variant": "variant",
    "question": "answer",
    "check": "check",
    "manual": "manual",
}
_OPTIONS = {*_KINDS, "points", "tags"}
_OF_EDITORS = {
    "base_uri",
    "collapsed",
    "colab",
    "colab_type",
    "deletable",
    "editable",
    "execution",
    "executionInfo",
    "id",
    "jupyter",
    "lines_to_next",
    "outputId",
    "scrolled",
    "slideshow",
    "trusted",
    "vscode",
}


class AssignmentError(ValueError):
    """An assignment is not written as it must be: file, cell, what, what is allowed."""


@dataclass(frozen=True)
class Cell:
    """One cell of the master.

    Args:
        number: its place in the master, from 1.
        type: ``"code"`` or ``"markdown"``.
        kind: what it is for.
        grade_id: nbgrader's id; also those without nbgrader metadata have one.
        question: the autograded question that an answer or a check belongs to.
        points: of a hand-marked cell; an autograded question knows its own.
        source: as the author wrote it, with the solution and its delimiters.
        solution: what stands between the delimiters, dedented; a guide for who marks
            by hand.
        student: what students get, with a stub in the place of each solution.
        tags: Jupyter's cell tags.
        attachments: images by name, each as nbformat stores it.
    """

    number: int
    type: Literal["code", "markdown"]
    kind: Kind
    grade_id: str
    question: str
    points: float | None
    source: str
    solution: str
    student: str
    tags: tuple[str, ...] = ()
    attachments: dict[str, dict[str, str]] = field(default_factory=dict)


def parse(text: str, where: str, names: Collection[str]) -> tuple[Cell, ...]:
    """The cells of a master.

    Args:
        text: MyST text, or a notebook's JSON.
        where: the master's file, for errors.
        names: the questions there are files of.

    Raises:
        AssignmentError: the master is not written as it must be.
    """
    cells: list[Cell] = []
    counts = {"text": 0, "code": 0}
    for number, node in enumerate(_read(text, where), 1):
        try:
            cells.append(_cell(node, number, counts))
        except AssignmentError as error:
            raise AssignmentError(f"{where}, cell {number}: {error}") from None
    for place, problem in _problems(cells, names):
        raise AssignmentError(f"{where}{place}: {problem}")
    return tuple(cells)


def _read(text: str, where: str) -> list[Any]:
    import jupytext  # seconds, which a process that is sent the cells need not spend
    import nbformat

    try:
        if text.lstrip().startswith("{"):
            cells = nbformat.reads(text, 4).cells
        else:
            cells = jupytext.reads(text, "md:myst").cells
    except Exception as error:
        what = " ".join(str(error).split())
        raise AssignmentError(f"{where} cannot be read: {what:.300}") from error
    return list(cells)


def _cell(node: Any, number: int, counts: dict[str, int]) -> Cell:
    if node.cell_type not in ("code", "markdown"):
        raise AssignmentError(f"a {node.cell_type} cell: allowed are code and markdown")
    options = {k: v for k, v in node.metadata.items() if k not in _OF_EDITORS}
    if unknown := options.keys() - _OPTIONS:
        raise AssignmentError(
            f"unknown option {', '.join(sorted(unknown))}: "
            f"allowed are {', '.join(sorted(_OPTIONS))}"
        )
    kind, name = _purpose(node, options)
    if not name:
        counts[kind] += 1
        name = f"{kind}-{counts[kind]}"
    solution, student = "", node.source
    if kind in ("answer", "manual"):
        solution, student = _split(node.source, node.cell_type == "code")
    elif found := DELIMITERS.search(node.source):
        raise AssignmentError(
            f"{found[0]!r}: only cells with `question` or `manual` have a solution; "
            "hidden tests belong in the question's file"
        )
    return Cell(
        number,
        node.cell_type,
        kind,
        f"{name}-check" if kind == "check" else name,
        name if kind in ("answer", "check") else "",
        _points(options, kind),
        node.source,
        solution,
        student,
        tuple(options.get("tags", ())),
        {k: dict(v) for k, v in node.get("attachments", {}).items()},
    )


def _purpose(node: Any, options: dict[str, Any]) -> tuple[Kind, str]:
    """What the cell is for, and the name it gives; empty for text and example code."""
    purposes = sorted(_KINDS.keys() & options.keys())
    if not purposes:
        return ("code" if node.cell_type == "code" else "text"), ""
    if len(purposes) > 1:
        raise AssignmentError(f"{' and '.join(purposes)}: a cell has one of them")
    (purpose,) = purposes
    if node.cell_type != "code" and purpose != "manual":
        raise AssignmentError(f"`{purpose}` on a markdown cell: it must be a code cell")
    value = options[purpose]
    if purpose in ("setup", "variant"):
        if value is not True:
            raise AssignmentError(f"{purpose}: {value!r}: only true is allowed")
        return _KINDS[purpose], purpose
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise AssignmentError(f"{purpose}: {value!r} is no name, {NAME_RULE}")
    if value in RESERVED:
        raise AssignmentError(f"{purpose}: {value!r} is taken by a cell of the release")
    return _KINDS[purpose], value


def _points(options: dict[str, Any], kind: Kind) -> float | None:
    points = options.get("points")
    if kind != "manual":
        if points is not None:
            raise AssignmentError(
                f"points: {points!r}: only a cell with `manual` has them; "
                "those of a question are the sum of its parts"
            )
        return None
    number = isinstance(points, int | float) and not isinstance(points, bool)
    if not number or not 0 < points < 1000:  # type: ignore[operator]
        said = "no points" if points is None else f"points: {points!r}"
        raise AssignmentError(f"{said}: a number above 0 and below 1000 is needed")
    return points


def _split(source: str, code: bool) -> tuple[str, str]:
    """The solution, dedented, and what students get; regions as nbgrader sees them."""
    student: list[str] = []
    regions: list[list[str]] = []
    inside = False
    for line in source.split("\n"):
        delimiter = line.strip()
        if delimiter in (BEGIN, END):
            if (delimiter == BEGIN) == inside:
                said = "a second BEGIN" if inside else "an END without a BEGIN"
                raise AssignmentError(f"{said}: each {BEGIN} needs one {END} after it")
            inside = not inside
            if inside:
                regions.append([])
                indent = line[: len(line) - len(line.lstrip())]
                stub = CODE_STUB if code else TEXT_STUB
                student += [indent + stub_line for stub_line in stub]
        elif DELIMITERS.search(line):
            raise AssignmentError(
                f"{delimiter!r}: delimiters are whole lines, {BEGIN} and {END}; "
                "hidden tests belong in the question's file"
            )
        else:
            (regions[-1] if inside else student).append(line)
    if inside or not regions:
        said = f"no {END} after the last {BEGIN}" if inside else "no solution"
        raise AssignmentError(f"{said}: put it between {BEGIN} and {END}")
    solution = "\n".join(textwrap.dedent("\n".join(lines)) for lines in regions)
    return solution, "\n".join(student)


def _problems(cells: list[Cell], names: Collection[str]) -> Iterator[tuple[str, str]]:
    """Where and how the cells do not go together."""
    seen: dict[str, Cell] = {}
    for cell in cells:
        at = f", cell {cell.number}"
        if first := seen.get(cell.grade_id):
            yield at, f"the id {cell.grade_id!r} is that of cell {first.number} already"
        if cell.question and cell.question not in names:
            known = ", ".join(sorted(names)) or "none"
            yield (
                at,
                f"there is no {cell.question}.py; questions with a file: {known}",
            )
        if cell.kind == "check" and cell.question not in seen:
            yield at, f"the check of {cell.question!r} must come after its answer cell"
        if cell.kind in ("setup", "variant"):
            for earlier in seen.values():
                if earlier.kind in ("answer", "check", "manual"):
                    yield at, f"{cell.kind} must come before cell {earlier.number}"
        seen[cell.grade_id] = cell
    for name in sorted(names):
        if name not in seen or seen[name].kind != "answer":
            yield "", f"no cell has `question: {name}`, but there is {name}.py"
