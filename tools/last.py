"""Do the results last? `make last factor=10`: ten times the training, every assertion.

Executes each page that calls `steps(...)` with its number of steps multiplied. What a
cell prints then, where it differs, is kept beside the notebook in X.last.json, which
the book shows under the cell.
"""

import ast
import json
import sys
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat

import pages

LEAST = 10  # times the training, for what is kept


def record(page: str, root: Path = pages.ROOT) -> Path:
    """Where it is kept what a page printed after more training."""
    return pages.halves(page, root)[1].with_suffix(".last.json")


def trained(notebook: Any) -> list[str]:
    """The ids of the cells that call `steps(...)`, sorted."""
    return sorted(
        c.id for c in notebook.cells if c.cell_type == "code" and _calls(c.source)
    )


def _calls(code: str) -> bool:
    with suppress(SyntaxError):  # its execution says so
        nodes = ast.walk(ast.parse(code))
        names = [n.func for n in nodes if isinstance(n, ast.Call)]
        return any(isinstance(n, ast.Name) and n.id == "steps" for n in names)
    return False


def printed(notebook: Any) -> dict[str, str]:
    """What each code cell shows as plain text, by its id; clocks' cells aside."""
    return {
        c.id: "".join(map(_plain, c.outputs))
        for c in notebook.cells
        if c.cell_type == "code"
        and "nbval-ignore-output" not in c.metadata.get("tags", [])
    }


def _plain(output: Any) -> str:
    if output.output_type == "stream":
        return str(output.text) if output.name == "stdout" else ""
    data = output.get("data", {})
    # a table's text stands in columns; a picture's or a figure's says nothing
    is_table = data.get("text/html", "").startswith('<table class="rows">')
    told = set(data) == {"text/plain"} or is_table
    return f"{data['text/plain']}\n" if told else ""


def execute(page: str, factor: int, root: Path = pages.ROOT) -> None:
    """Execute a page at so many times the training; keep what it prints otherwise."""
    fresh, (_, path) = pages.read(page, root), pages.halves(page, root)
    stored = nbformat.read(path, 4) if path.exists() else None
    if stored is None or pages.sources(stored) != pages.sources(fresh):
        raise ValueError("text and notebook differ: run `make notebooks` before")
    pages.run(fresh, path.parent, factor)
    if factor < LEAST:
        return
    before, after = printed(stored), printed(fresh)
    kept = {
        "factor": factor,
        "torch": version("torch").partition("+")[0],
        "trained": trained(fresh),
        "cells": {i: {"text": t} for i, t in after.items() if t != before[i]},
    }
    text = json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False)
    record(page, root).write_text(f"{text}\n", "utf8")


def problems(page: str, root: Path = pages.ROOT) -> list[str]:
    """Why the record is not what `make last` makes; empty when fresh."""
    ids, path = trained(pages.read(page, root)), record(page, root)
    name = path.relative_to(root)
    if not ids:
        unused = f"{name} is kept, but no cell calls steps(...): remove it"
        return [unused] if path.exists() else []
    if not path.exists():
        return [f"{name} is missing: run `make last page={page}`"]
    kept = json.loads(path.read_text("utf8"))
    stored = {c.id for c in nbformat.read(pages.halves(page, root)[1], 4).cells}
    found = []
    if kept["factor"] < LEAST:
        found.append(f"made at {kept['factor']} times the training, not {LEAST}")
    if kept["torch"] != (locked := pages.locked_torch(root)):
        found.append(f"made with torch {kept['torch']}, the lock has {locked}")
    if kept["trained"] != ids:
        found.append(f"the cells that train are {ids}, it has {kept['trained']}")
    if gone := sorted(kept["cells"].keys() - stored):
        found.append(f"the notebook has no cells {gone}")
    return [f"{name}: {words}: run `make last page={page}`" for words in found]


def main(given: str = "", *chosen: str) -> int:
    factor = int(given) if given.isascii() and given.isdecimal() else 0
    if factor < 2:
        print(f"factor={given!r}: give a whole number from 2 on", file=sys.stderr)
        return 2
    if wrong := list(filter(None, map(pages.unknown, chosen))):
        print(*wrong, sep="\n", file=sys.stderr)
        return 2
    todo = []
    for page in chosen or pages.pages():
        text = pages.halves(page)[0]
        if text.exists() and not trained(pages.read(page)):
            print(f"{page}: skipped, no cell calls steps(...)")
            record(page).unlink(missing_ok=True)
        else:
            todo.append(page)
    failed = 0
    for done, (page, error) in enumerate(
        pages.each(partial(execute, factor=factor), todo), 1
    ):
        failed += bool(error)
        print(f"[{done}/{len(todo)}]", error or _lasts(page, factor), flush=True)
    return 1 if failed else 0


def _lasts(page: str, factor: int) -> str:
    words = f"{page}: lasts at {factor} times the training"
    if factor < LEAST:
        return f"{words} (kept from {LEAST} times on)"
    cells = json.loads(record(page).read_text("utf8"))["cells"]
    return f"{words}, {len(cells)} outputs differ"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
