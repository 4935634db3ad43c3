"""The search of a student version for what students must not see.

A line counts if it tells something: not an import or a signature, at least 16
characters without spaces, and a call, an operator or four words. Such a line of a
solution may stand in the master's locked code, which the author gave to students as
code, but nowhere else, and never together with all other lines of that solution. One
of a wrong answer or of a question's file may also stand in what is given of an answer
cell. Hints and marking guides stand nowhere.
"""

import ast
import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from layers_book.coursework.assignment import Assignment
from layers_book.coursework.cells import DELIMITERS

__all__ = ["Leak", "check_leaks"]

LENGTH, WORDS = 16, 4
LOCKED = frozenset({"setup", "variant", "code", "check"})
HIDDEN = ("layers_book.coursework",)
_TRIVIAL = re.compile(
    r"(?:import|from|def|class|async def|else|try|finally)\b|@|super\(\)\.__init__\(\)$"
    r"|raise NotImplementedError|VARIANT\[.\w+.\]$"
)
_NAMES = re.compile(r"\(?\w+(?:, ?\w+)*\)?")  # what a function returns, a shape
_LEAD = re.compile(
    r"(?:(?:return|yield)\b|[\w.,\[\] ]+?\s*[-+*/@]?=(?!=))?\s*(?:lambda[^:]*:\s*)*"
)


class Leak(ValueError):
    """A student version shows what students must not see."""


@dataclass(frozen=True)
class _Secret:
    """Lines of one text; cells of the kinds ``given`` may have some, never ``all``."""

    whose: str
    lines: tuple[str, ...]
    given: frozenset[str] = frozenset()
    all: tuple[str, ...] = ()


def check_leaks(notebook: Any, assignment: Assignment, salt: str = "") -> None:
    """See that a student version gives nothing away.

    Args:
        notebook: what students are to get, as nbformat holds it.
        assignment: what it was made from.
        salt: the course's secret for variants.

    Raises:
        Leak: it does: the cell, whose line, and the line.
    """
    cells = {cell.grade_id: cell for cell in assignment.master}
    shown = [("the notebook's metadata", "", "\n".join(_texts(notebook.metadata)))]
    for number, node in enumerate(notebook.cells, 1):
        cell = cells.get(node.id)
        place = f"cell {cell.number}" if cell else f"cell {number} of the release"
        if node.get("outputs") or node.get("execution_count"):
            raise Leak(f"{assignment.name}, {place} ({node.id}): it has outputs")
        kind: str = cell.kind if cell else ""
        shown.append((f"{place} ({node.id})", kind, "\n".join(_texts(node))))
    for place, kind, text in shown:
        line = _marked(text, salt) or _told(text, kind, _secrets(assignment))
        if line:
            raise Leak(f"{assignment.name}, {place} shows {line}")
    everything = _squeeze("\n".join(text for _, _, text in shown))
    for secret in _secrets(assignment):
        telling = [line for line in secret.all if _tells(line)]
        if telling and all(_squeeze(_core(s)) in everything for s in secret.all):
            raise Leak(
                f"{assignment.name} shows {secret.whose} line by line, such as "
                f"{telling[0].strip()!r}"
            )


def _marked(text: str, salt: str) -> str:
    if salt and salt in text:
        return "the salt"
    for line in text.splitlines():
        if DELIMITERS.search(line) or any(part in line for part in HIDDEN):
            return repr(line.strip())
    return ""


def _told(text: str, kind: str, secrets: tuple[_Secret, ...]) -> str:
    squeezed = _squeeze(text)
    for secret in secrets:
        if kind in secret.given:
            continue
        for line in secret.lines:
            if _tells(line) and _squeeze(_core(line)) in squeezed:
                return f"a line of {secret.whose}: {line.strip()!r}"
    return ""


def _tells(line: str) -> bool:
    core = _core(line)
    words = len(re.findall(r"[^\W\d]\w*", core))
    return len(_squeeze(core)) >= LENGTH and (
        words >= WORDS or re.search(r"[-+*/@(\[=<>]", core) is not None
    )


def _core(line: str) -> str:
    """What a line computes or says; nothing for an import or a signature."""
    line = line.strip().lstrip("#").strip()
    if _TRIVIAL.match(line):
        return ""
    lead = _LEAD.match(line)
    rest = line[lead.end() :] if lead else line
    return "" if _NAMES.fullmatch(rest) else rest


def _squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)


@cache
def _secrets(assignment: Assignment) -> tuple[_Secret, ...]:
    found: list[_Secret] = []
    for cell in assignment.master:
        lines = cell.solution.splitlines()
        if cell.type == "code":
            whole = [line for line in lines if not line.lstrip().startswith("#")]
            found.append(
                _Secret(
                    f"the solution of {cell.grade_id}",
                    _pieces(cell.solution),
                    LOCKED,
                    tuple(_pieces(line)[0] for line in whole if line),
                )
            )
        else:
            whose = f"the marking guide of {cell.grade_id}"
            found.append(_Secret(whose, tuple(lines)))
    given = LOCKED | {"answer"}
    for name, question in assignment.questions.items():
        for wrong in question.mistakes:
            whose = f"the wrong answer {wrong.name!r} to {name}"
            text = "\n".join([wrong.answer or "", *(new for _, new in wrong.edits)])
            found.append(_Secret(whose, _pieces(text), given))
            found.append(_Secret(f"the hint of {whose}", (wrong.hint,)))
        found.append(_Secret(f"{name}.py", _code(assignment.files[name]), given))
    return tuple(found)


def _pieces(code: str) -> tuple[str, ...]:
    """Lines of code, and comments at their ends by themselves."""
    lines = code.splitlines()
    return tuple(piece for line in lines for piece in re.split(r"\s#\s", line))


def _code(text: str) -> tuple[str, ...]:
    """The lines of a file's functions: reference, inputs, judges."""
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Lambda)
    segments = (
        ast.get_source_segment(text, node) or ""
        for node in ast.walk(ast.parse(text))
        if isinstance(node, kinds)
    )
    return _pieces("\n".join(segments))


def _texts(value: Any) -> Iterator[str]:
    """All text in a value, names included; that of images too, as far as it is text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from (
                map(_decoded, _texts(item)) if key == "attachments" else _texts(item)
            )
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return text
