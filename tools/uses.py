"""What a page's outputs depend on beside its text: helpers, figures, exercises."""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

PACKAGES = ("helpers", "layers_book")
# its words reach a stored page only as "Not answered yet": no reason to execute all
CHECKER = "layers_book/checking"


def uses(page: str, cells: Iterable[str], root: Path) -> dict[str, str]:
    """The files below src/ that a page uses, each with a digest of what it says.

    Comments, docstrings and the format of Python files do not count.

    Raises:
        ValueError: a file is no Python; the file and the line.
    """
    src = root / "src"
    todo = {src / "layers_book" / "exercises" / f"{page}.py"}
    code = ast.Module([], [])
    for cell in cells:
        with suppress(SyntaxError):  # its execution says so
            code.body += ast.parse(cell).body
    todo |= _imported(code, src)
    found: dict[str, str] = {}
    while todo:
        file = todo.pop()
        name = file.relative_to(src).as_posix()
        if name in found or name.startswith(CHECKER) or not file.exists():
            continue
        python = file.suffix == ".py"
        if python:
            todo |= _imported(_tree(file), src)
            script = file.parent / "minified" / f"{file.stem}.js"
            if script.exists():
                todo |= {script, script.with_name("core.js")}
        found[name] = _digest(file.read_bytes(), python)
    return dict(sorted(found.items()))


def _imported(tree: ast.AST, src: Path) -> set[Path]:
    """The files that define what a tree imports from the book's packages."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _ours(node):
            for alias in node.names:
                file = _origin(src, node.module or "", alias.name)
                names[alias.asname or alias.name] = file
    packages = {n: f.parent for n, f in names.items() if f.name == "__init__.py"}
    found = {file for file in names.values() if file.name != "__init__.py"}
    for node in ast.walk(tree):  # figures.LookupTable is in lookup_table.py
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and (folder := packages.get(node.value.id))
        ):
            package = ".".join(folder.relative_to(src).parts)
            found.add(_origin(src, package, node.attr))
    return found


def _ours(node: ast.ImportFrom) -> bool:
    return node.level == 0 and (node.module or "").split(".")[0] in PACKAGES


def _origin(src: Path, module: str, name: str) -> Path:
    """The file that defines a module's name, be it handed on by other modules."""
    place = src.joinpath(*module.split("."))
    if not place.is_dir():
        return place.with_name(f"{place.name}.py")
    for inner in (place / f"{name}.py", place / name / "__init__.py"):
        if inner.exists():
            return inner
    own = place / "__init__.py"
    for node in _tree(own).body if own.exists() else []:
        if isinstance(node, ast.ImportFrom) and _ours(node):
            for alias in node.names:
                if name == (alias.asname or alias.name):
                    return _origin(src, node.module or "", alias.name)
    return own


def _tree(file: Path) -> ast.Module:
    try:
        return _parsed(file.read_bytes())
    except SyntaxError as error:
        raise ValueError(f"{file}, line {error.lineno}: {error.msg}") from error


@cache
def _parsed(text: bytes) -> ast.Module:
    return ast.parse(text)


@cache
def _digest(text: bytes, python: bool) -> str:
    said = repr(list(_said(_parsed(text)))).encode() if python else text
    return hashlib.sha256(said).hexdigest()[:12]


def _said(node: Any) -> Iterator[Any]:
    """A tree without comments and docstrings, alike in every Python."""
    if isinstance(node, list):
        for item in node:
            if not _docstring(item):
                yield list(_said(item))
    elif isinstance(node, ast.AST):
        yield type(node).__name__
        for field, value in ast.iter_fields(node):
            if value not in (None, []):  # some fields are of newer Pythons only
                yield field, list(_said(value))
    else:
        yield node


def _docstring(node: Any) -> bool:
    """Is it a text that stands alone, as docstrings do?"""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
