"""What real torch says of each exercise and its known mistakes, frozen for the page.

Kept in `_build/exercises`, by a digest of all that it depends on.
"""

import ast
import inspect
import multiprocessing
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from page_files import digest, keep, kept

from layers_book.checking import Exercise, sketch
from layers_book.checking.check import _expected
from layers_book.exercises import exercise, exercises, pages

PACKAGE = Path(sketch.__file__).parents[1]


def page_of(name: str) -> str:
    """The page whose module has an exercise, as ``"recurrent/gru"``.

    Raises:
        ValueError: no page has it.
    """
    found = exercise(name)
    return next(page for page in pages() if found in exercises(page))


def sources(page: str) -> dict[str, str]:
    """The files of a page's exercises, as Python imports them, and their text."""
    chapter = page.split("/")[0]
    names = [f"exercises/{chapter}/__init__.py", f"exercises/{page}.py"]
    return {f"layers_book/{name}": (PACKAGE / name).read_text("utf8") for name in names}


def frozen(names: Iterable[str], folder: Path) -> dict[str, Any]:
    """What is frozen of each exercise, made anew where it no longer fits.

    Args:
        names: as ``"gru/convert"``.
        folder: where it is kept.
    """
    todo: dict[str, str] = {}
    found = {}
    for name in names:
        old, now = kept(folder / f"{name}.json"), _digest(page_of(name))
        found[name] = old.get("frozen")
        if old.get("digest") != now:
            todo[name] = now
    with ProcessPoolExecutor(
        os.cpu_count(),
        multiprocessing.get_context("spawn"),
        partial(torch.set_num_threads, 1),
    ) as pool:
        for name, made in zip(todo, pool.map(freeze, todo), strict=True):
            found[name] = made
            whole = {"digest": todo[name], "frozen": made}
            keep(folder / f"{name}.json", whole)
    return found


def modules(name: str) -> dict[str, str]:
    """The files that an exercise needs, and their text: a module of its own."""
    (package, text), (_, code) = sources(page_of(name)).items()
    own = package.replace("__init__", name.replace("/", "__"))
    return {package: text, own: alone(code, name)}


def alone(code: str, name: str) -> str:
    """A module of exercises with one of them, and what that uses, in the same words."""
    tree, lines = ast.parse(code), code.splitlines()
    defined: dict[str, ast.stmt] = {}
    wanted = ""
    for node in tree.body:
        bound = _bound(node)
        defined |= dict.fromkeys(bound, node)
        if isinstance(node, ast.Assign) and _named(node.value) == name:
            (wanted,) = bound
    if not wanted:
        return code
    todo, kept = [wanted], set[ast.stmt]()
    while todo:
        node = defined.get(todo.pop(), tree.body[0])
        if node not in kept:
            kept.add(node)
            todo += [n.id for n in ast.walk(node) if isinstance(n, ast.Name)]
    parts = [_source(node, lines) for node in tree.body if node in kept]
    return "\n".join([*parts, f"EXERCISES = ({wanted},)\n"])


def _bound(node: ast.stmt) -> list[str]:
    """The names that a statement of a module defines."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(a.asname or a.name).split(".")[0] for a in node.names]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    places = node.targets if isinstance(node, ast.Assign) else [node]
    return [
        n.id
        for place in places
        for n in ast.walk(place)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    ]


def _named(value: ast.expr) -> str:
    """The name of an exercise that is made here."""
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "Exercise":
        for given in value.keywords:
            if given.arg == "name" and isinstance(given.value, ast.Constant):
                return str(given.value.value)
    return ""


def _source(node: ast.stmt, lines: list[str]) -> str:
    decorators = getattr(node, "decorator_list", [])
    first = min([node, *decorators], key=lambda n: n.lineno).lineno
    return "\n".join(lines[first - 1 : node.end_lineno])


def answered(starter: str, code: str) -> str:
    """A starter's cell with other code above its check.

    >>> answered('answer = ...\\n\\ncheck("a/b", answer)', "answer = 1")
    'answer = 1\\n\\ncheck("a/b", answer)'
    """
    return f"{code}\n\ncheck({starter.rpartition('check(')[2]}"


def _digest(page: str) -> str:
    checking = sorted((PACKAGE / "checking").rglob("*.py"))
    parts = [path.read_text("utf8") for path in checking]
    own = inspect.getsource(freeze)
    return digest([version("torch"), own, *parts, *sources(page).values()])


def freeze(name: str) -> dict[str, Any]:
    """What `layers_book.checking.sketch` keeps of an exercise."""
    found = exercise(name)
    expected = [_expected(found, at) for at in range(len(found.configurations))]
    mistakes = [
        [_expected(found, at, m) for at in range(len(expected))] for m in found.mistakes
    ]
    if whole(found):
        return {
            "whole": True,
            "hints": [mistake.hint for mistake in found.mistakes],
            "right": sketch.packed(expected),
            "mistakes": sketch.packed(mistakes),
        }
    return {
        "whole": False,
        "right": [sketch.prints(record) for record in expected],
        "mistakes": [
            [sketch.sketch(*pair) for pair in zip(expected, records, strict=True)]
            for records in mistakes
        ],
    }


def whole(found: Exercise) -> bool:
    """Whether all that is compared are values that an answer states."""
    steps = {run.steps.__name__ for run in found.runs}
    return steps <= {"value_steps", "measure_steps"}
