"""The search of a student version for what students must not see.

A line counts if it tells something: not an import or a signature, at least 20
characters without spaces, and a call, an operator or four words. Such a line of a
solution, of a wrong answer or of a question's file may stand in the master's locked
code, which the author gave to students as code, but nowhere else; hints and marking
guides stand nowhere. Nor may all lines of a solution together be read anywhere.
"""

import ast
import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from helpers.coursework.assignment import Assignment, master, questions
from helpers.coursework.cells import MARKS

__all__ = ["Leak", "check_leaks"]

LENGTH, WORDS = 20, 4
GIVEN = {"setup", "variant", "code", "check"}
HIDDEN = ("helpers.coursework",)
_TRIVIAL = re.compile(
    r"(?:import|from|def|class|async def|else|try|finally)\b|@|super\(\)\.__init__\(\)$"
    r"|raise NotImplementedError"
)
_TARGET = re.compile(r"(?:return|yield)\b|[\w.,\[\] ]+?\s*[-+*/@]?=(?!=)")


class Leak(ValueError):
    """A student version shows what students must not see."""


@dataclass(frozen=True)
class _Secret:
    """Lines of one text; ``code`` may be repeated in locked code, ``whole`` never."""

    whose: str
    lines: tuple[str, ...]
    code: bool = True
    whole: bool = False


def check_leaks(notebook: Any, assignment: Assignment, salt: str = "") -> None:
    """See that a student version gives nothing away.

    Args:
        notebook: what students are to get, as nbformat holds it.
        assignment: what it was made from.
        salt: the course's secret for variants.

    Raises:
        Leak: it does: the cell, whose line, and the line.
    """
    cells = {cell.grade_id: cell for cell in master(assignment)}
    shown = [("the notebook's metadata", False, "\n".join(_texts(notebook.metadata)))]
    for number, node in enumerate(notebook.cells, 1):
        cell = cells.get(node.id)
        place = f"cell {cell.number}" if cell else f"cell {number} of the release"
        if node.get("outputs") or node.get("execution_count"):
            raise Leak(f"{assignment.name}, {place} ({node.id}): it has outputs")
        given = cell.kind in GIVEN if cell else False
        shown.append((f"{place} ({node.id})", given, "\n".join(_texts(node))))
    for place, given, text in shown:
        line = _marked(text, salt) or _told(text, given, _secrets(assignment))
        if line:
            raise Leak(f"{assignment.name}, {place} shows {line}")
    everything = _squeeze("\n".join(text for _, _, text in shown))
    for secret in _secrets(assignment):
        if secret.whole and _all_in(secret.lines, everything):
            raise Leak(
                f"{assignment.name} shows {secret.whose} line by line, such as "
                f"{next(filter(_tells, secret.lines)).strip()!r}"
            )


def _marked(text: str, salt: str) -> str:
    if salt and salt in text:
        return "the salt"
    for line in text.splitlines():
        if MARKS.search(line) or any(part in line for part in HIDDEN):
            return repr(line.strip())
    return ""


def _told(text: str, given: bool, secrets: tuple[_Secret, ...]) -> str:
    squeezed = _squeeze(text)
    for secret in secrets:
        if secret.code and given:
            continue
        for line in secret.lines:
            if _tells(line) and _squeeze(_core(line)) in squeezed:
                return f"a line of {secret.whose}: {line.strip()!r}"
    return ""


def _all_in(lines: tuple[str, ...], everything: str) -> bool:
    telling = [_squeeze(_core(line)) for line in lines if _core(line)]
    return any(map(_tells, lines)) and all(line in everything for line in telling)


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
    return _TARGET.sub("", line, count=1) if _TARGET.match(line) else line


def _squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)


@cache
def _secrets(assignment: Assignment) -> tuple[_Secret, ...]:
    found: list[_Secret] = []
    for cell in master(assignment):
        if cell.solution:
            code = cell.type == "code"
            whose = f"the {'solution' if code else 'marking guide'} of {cell.grade_id}"
            lines = _pieces(cell.solution) if code else cell.solution.splitlines()
            found.append(_Secret(whose, tuple(lines), code, whole=True))
    for name, question in questions(assignment).items():
        for wrong in question.wrong:
            whose = f"the wrong answer {wrong.name!r} to {name}"
            texts = (wrong.code, *(new for _, new in wrong.edits))
            lines = [line for text in texts for line in _pieces(text)]
            found.append(_Secret(whose, tuple(lines)))
            hint = tuple(wrong.hint.splitlines())
            found.append(_Secret(f"the hint of {whose}", hint, code=False))
        lines = _code(assignment.files[name])
        found.append(_Secret(f"{name}.py", tuple(lines)))
    return tuple(found)


def _pieces(code: str) -> list[str]:
    """Lines of code, and comments at their ends by themselves."""
    return [piece for line in code.splitlines() for piece in re.split(r"\s#\s", line)]


def _code(text: str) -> list[str]:
    """The lines of a file's functions: reference, inputs, judges."""
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Lambda)
    segments = (
        ast.get_source_segment(text, node) or ""
        for node in ast.walk(ast.parse(text))
        if isinstance(node, kinds)
    )
    return [piece for segment in segments for piece in _pieces(segment)]


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
