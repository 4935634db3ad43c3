"""Notebooks from an assignment: nbgrader's master, and what students get."""

import copy
import importlib.metadata
import importlib.resources
import json
import pprint
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

from layers_book.coursework.assignment import (
    Assignment,
    AssignmentError,
    variant_values,
)
from layers_book.coursework.cells import Cell
from layers_book.coursework.files import write
from layers_book.coursework.leaks import Leak, check_leaks

__all__ = [
    "Leak",
    "as_bytes",
    "install_cell",
    "release",
    "released_values",
    "source_version",
    "student_version",
]

DISTRIBUTION = "torch-layers-book"
SALT_LENGTH = 8
PUBLIC_SALT = "a secret of this course"  # once the guide's example
HIDDEN_TESTS = """\
### BEGIN HIDDEN TESTS
from layers_book.coursework import score
score({assignment!r}, {question!r}, globals())
### END HIDDEN TESTS"""


def release(
    assignment: Assignment,
    course: Path,
    students: Iterable[str] | None = None,
    due: datetime | None = None,
    salt: str = "",
    force: bool = False,
) -> list[Path]:
    """Write nbgrader's master and the student version into a course's folders.

    Args:
        assignment: what to release.
        course: the course's folder; ``source/`` and ``release/`` are made there.
        students: nbgrader's student ids; each gets a version with values of its own,
            beside the common one.
        due: with a time zone; shown at the top.
        salt: the course's secret, from which the values are drawn.
        force: replace an earlier release that differs.

    Returns:
        The notebooks: the master, the common version, those of the students.

    Raises:
        AssignmentError: the assignment is not as it must be, or has no variants.
        Leak: a version would show what students must not see; nothing is written.
        FileExistsError: an earlier release differs; nothing is written.
        ValueError: a student id that is no folder name, a due date without time zone,
            or a salt that can be guessed.
    """
    if salt == PUBLIC_SALT:
        raise ValueError(
            f"salt: {salt!r} has stood in the guide, so everyone can draw everyone's "
            "numbers: take the line out of coursework.toml, and release --variants "
            "writes a secret of your own there"
        )
    if 0 < len(salt) < SALT_LENGTH:
        raise ValueError(
            f"salt: it has {len(salt)} characters: at least {SALT_LENGTH} are needed"
        )
    drawn: dict[str, dict[str, Any]] = {}
    for student in students or ():
        _check_student(student, assignment)
        drawn[student] = assignment.values(student, salt)
    paths: list[Path] = []
    differing: list[str] = []
    for path, notebook in _versions(assignment, course, drawn, due):
        if paths:
            check_leaks(notebook, assignment, salt)
        paths.append(path)
        if path.exists() and path.read_bytes() != as_bytes(notebook):
            differing.append(str(path))
    if differing and not force:
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise FileExistsError(
            f"{', '.join(differing[:3])}{more}: released before with another content, "
            "and students may have it; --force replaces it"
        )
    for path, notebook in _versions(assignment, course, drawn, due):
        write(path, as_bytes(notebook))
    return paths


def _versions(
    assignment: Assignment,
    course: Path,
    drawn: Mapping[str, Mapping[str, Any]],
    due: datetime | None,
) -> Iterator[tuple[Path, Any]]:
    """The notebooks and where they go, the master first; valid until the next one."""
    name = assignment.name
    file = f"{name}.ipynb"
    yield course / "source" / name / file, source_version(assignment)
    notebook = student_version(assignment, due=due)
    yield course / "release" / name / file, notebook
    for student, values in drawn.items():
        _fill(notebook, values)
        yield course / "release" / student / name / file, notebook


def student_version(
    assignment: Assignment,
    values: Mapping[str, Any] | None = None,
    due: datetime | None = None,
) -> Any:
    """What students get: no solutions, no hidden tests, no outputs.

    Args:
        assignment: what to release.
        values: for the variant cell; without any it stays as in the master.
        due: with a time zone; shown at the top.

    Returns:
        A notebook as nbformat holds it, as ``nbgrader generate_assignment`` would make
        it from the master. Each answer cell holds its ``Cell.student``.
    """
    from nbgrader.utils import compute_checksum, is_locked, is_solution

    notebook = _notebook(assignment, due)
    cells = {cell.grade_id: cell for cell in assignment.master}
    for node in notebook.cells:
        cell = cells.get(node.id)
        if cell and cell.kind in ("answer", "manual"):
            node.source = cell.student
        if cell and cell.attachments:
            _keep_attachments(node, cell)
        if is_solution(node) or is_locked(node):
            node.metadata.deletable = False
            node.metadata.nbgrader.cell_type = node.cell_type
            node.metadata.nbgrader.checksum = compute_checksum(node)
        if is_locked(node):
            node.metadata.editable = False
    if values:
        _fill(notebook, values)
    nbformat.validate(notebook)
    return notebook


def released_values(assignment: Assignment, path: Path) -> dict[str, Any]:
    """The values in a student's own version, by which the student is graded.

    Args:
        assignment: what was released.
        path: the student's notebook in ``release/``.

    Raises:
        AssignmentError: it is no such notebook, or has other names than the master.
    """
    wanted = assignment.values().keys()
    try:
        cells = json.loads(path.read_text("utf8"))["cells"]
        source = next(cell["source"] for cell in cells if cell["id"] == "variant")
        values = variant_values("".join(source))
    except (ValueError, LookupError, TypeError, StopIteration) as error:
        raise AssignmentError(f"{path} has no variant cell: {error}") from None
    if values.keys() != wanted:
        raise AssignmentError(
            f"{path} gives {sorted(values)}, the master {sorted(wanted)}: what "
            "students have is of another master"
        )
    return values


def source_version(assignment: Assignment) -> Any:
    """nbgrader's master: solutions in place, hidden tests in the check cells.

    Raises:
        AssignmentError: the assignment is not as it must be.
    """
    notebook = _notebook(assignment)
    for node in notebook.cells:
        meta = node.metadata.get("nbgrader", {})
        if meta.get("grade") and not meta["solution"]:
            question = meta["grade_id"].removesuffix("-check")
            hidden = HIDDEN_TESTS.format(assignment=assignment.name, question=question)
            node.source += f"\n{hidden}"
    nbformat.validate(notebook)
    return notebook


@cache
def install_cell() -> str:
    """The first cell of every notebook of the book; it makes ``helpers`` importable."""
    file = importlib.resources.files("layers_book").joinpath("_install_cell.py")
    about = importlib.metadata.metadata(DISTRIBUTION)
    urls = dict(url.split(", ", 1) for url in about.get_all("Project-URL", []))
    text = file.read_text("utf8").replace("URL", urls["Repository"])
    text = text.replace("TAG", f"v{about['Version']}")
    return text.split('"""\n', 1)[1].strip()


def _notebook(assignment: Assignment, due: datetime | None = None) -> Any:
    """All cells, with the solutions, without the hidden tests."""
    if due is not None and due.tzinfo is None:
        raise ValueError(f"due={due!s}: a time zone is needed, as in {due!s}Z")
    cells = assignment.master
    checked = {cell.question for cell in cells if cell.kind == "check"}
    points = {name: q.points for name, q in assignment.questions.items()}
    points |= {c.grade_id: c.points for c in cells if c.points is not None}
    nodes = [
        _node("code", "install", install_cell(), _nbgrader("install")),
        _node("markdown", "header", _header(cells, points, due), {}),
    ]
    nodes[0].metadata.tags = ["remove-cell"]
    for cell in cells:
        nodes.append(_from_master(cell, points, bool(assignment.variant)))
        if cell.kind == "answer" and cell.question not in checked:
            nodes.append(_check(cell.question, "", points[cell.question]))
    notebook = nbformat.v4.new_notebook(cells=nodes)
    notebook.metadata.kernelspec = {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    notebook.metadata.coursework = {"assignment": assignment.name}
    if due is not None:
        notebook.metadata.coursework.due = due.isoformat()
    return notebook


def _from_master(cell: Cell, points: Mapping[str, float], varies: bool) -> Any:
    meta: dict[str, Any] = {}
    if cell.kind == "check":
        node = _check(cell.question, cell.source, points[cell.question])
    else:
        if cell.kind == "answer":
            meta = _nbgrader(cell.grade_id, solution=True, locked=False)
        elif cell.kind == "manual":
            worth = points[cell.grade_id]
            meta = _nbgrader(cell.grade_id, worth, solution=True, locked=False)
        elif cell.type == "code":
            # nbgrader's autograde puts the master's text into every locked cell
            own = cell.kind == "variant" and varies
            meta = _nbgrader(cell.grade_id, locked=not own)
        node = _node(cell.type, cell.grade_id, cell.source, meta)
        if cell.kind == "variant":
            node.metadata |= {"deletable": False, "editable": False}
    if cell.tags:
        node.metadata.tags = list(cell.tags)
    if cell.attachments:
        node.attachments = nbformat.from_dict(copy.deepcopy(cell.attachments))
    return node


def _check(question: str, source: str, points: float) -> Any:
    """The cell of a question's points, which nbgrader wants after the answer."""
    later = "more is tested when it is graded" if source else "tested when it is graded"
    first = "run this cell to test your answer; " if source else ""
    text = f"# {question}, {_worth(points)}: {first}{later}\n{source}".strip()
    grade_id = f"{question}-check"
    return _node("code", grade_id, text, _nbgrader(grade_id, points))


def _nbgrader(
    grade_id: str,
    points: float | None = None,
    solution: bool = False,
    locked: bool = True,
) -> dict[str, Any]:
    meta = {
        "grade": points is not None,
        "grade_id": grade_id,
        "locked": locked,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    if points is not None:
        meta["points"] = int(points) if points == int(points) else points
    return meta


def _node(type: str, id: str, source: str, nbgrader: Mapping[str, Any]) -> Any:
    make = (
        nbformat.v4.new_code_cell if type == "code" else nbformat.v4.new_markdown_cell
    )
    node = make(source, id=id)
    if nbgrader:
        node.metadata.nbgrader = nbformat.from_dict(dict(nbgrader))
    return node


def _header(
    cells: Iterable[Cell], points: Mapping[str, float], due: datetime | None
) -> str:
    lines = []
    if due is not None:
        lines.append(f"**Due:** {due.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
    listed = [
        f"{c.grade_id} {points[c.grade_id]:g}"
        + (" (marked by hand)" if c.kind == "manual" else "")
        for c in cells
        if c.kind in ("answer", "manual")
    ]
    total = _worth(sum(points.values()))
    lines.append(f"**Points:** {', '.join(listed)}; {total} in all")
    return "\n\n".join(lines)


def _worth(points: float) -> str:
    return f"{points:g} point{'' if points == 1 else 's'}"


def _fill(notebook: Any, values: Mapping[str, Any]) -> None:
    for node in notebook.cells:
        if node.id == "variant":
            text = pprint.pformat(dict(values), width=76, sort_dicts=False)
            node.source = f"VARIANT = {text}"


def _keep_attachments(node: Any, cell: Cell) -> None:
    """Without the images that only the solution shows."""
    for name in cell.attachments:
        if f"attachment:{name}" not in node.source:
            del node.attachments[name]


def _check_student(student: str, assignment: Assignment) -> None:
    if not assignment.variant:
        raise AssignmentError(
            f"{assignment.name} has no variant.py: all students get the same version, "
            "so leave out students"
        )
    if (
        not student.strip()
        or student.startswith(".")
        or any(c in '/\\:*?"<>|' or not c.isprintable() for c in student)
        or student == assignment.name
    ):
        raise ValueError(
            f'student {student!r}: an id names a folder, so it has no / \\ : * ? " < > '
            "|, does not begin with a dot and is no assignment's name"
        )


def as_bytes(notebook: Any) -> bytes:
    """A notebook as its file has it."""
    return f"{nbformat.writes(notebook)}\n".encode()
