"""What real torch says of each exercise and its known mistakes, frozen for the page.

Kept in `_build/exercises`, by a digest of all that it depends on.
"""

import hashlib
import json
import multiprocessing
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

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
    todo, found = [], {}
    for name in names:
        path, digest = folder / f"{name}.json", _digest(page_of(name))
        kept = json.loads(path.read_text("utf8")) if path.exists() else {}
        found[name] = kept.get("frozen")
        if kept.get("digest") != digest:
            todo.append((name, path, digest))
    with ProcessPoolExecutor(
        os.cpu_count(),
        multiprocessing.get_context("spawn"),
        partial(torch.set_num_threads, 1),
    ) as pool:
        made = pool.map(freeze, [name for name, _, _ in todo])
        for (name, path, digest), each in zip(todo, made, strict=True):
            found[name] = each
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"digest": digest, "frozen": each}), "utf8")
    return found


def answered(starter: str, code: str) -> str:
    """A starter's cell with other code above its check.

    >>> answered('answer = ...\\n\\ncheck("a/b", answer)', "answer = 1")
    'answer = 1\\n\\ncheck("a/b", answer)'
    """
    return f"{code}\n\ncheck({starter.rpartition('check(')[2]}"


def _digest(page: str) -> str:
    checking = sorted((PACKAGE / "checking").rglob("*.py"))
    parts = [version("torch"), Path(__file__).read_text("utf8")]
    parts += [path.read_text("utf8") for path in checking]
    parts += sources(page).values()
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


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
