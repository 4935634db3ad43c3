"""An honest notebook of the example assignment, and what can happen to one.

A case of the corpus is a list of steps, each a table with one of the keys below:

====================================  =================================================
``delete = ID``                       the cell is gone
``set = ID, source``                  it holds another text
``replace = ID, old, new``            a part of its text is another
``stub = ID``                         it was never answered
``type = ID, to``                     it is of another type
``forget = ID``                       its metadata are lost; ``"all"``: of all cells
``id = ID, to``                       its nbgrader id is another
``metadata = VALUE``                  that of all cells is this
``named = NAME``                      it says that it is of another assignment
``add = TYPE, source``                a new cell, ``after`` or ``before`` ID, or last
``copy = ID``                         a copy with its metadata, ``after`` ID, or last;
                                      ``source``: with another text, ``plain``: without
                                      metadata
``move = ID``                         it stands elsewhere, ``after`` or ``before`` ID
``order = [ID, ...]``                 only these cells, in this order
``split = ID, at``                    from a line on it is a cell of its own, with the
                                      same metadata; ``plain``: without
``merge = ID, into``                  its text was joined to that of another cell
``reverse = true``                    the last cell is the first
``file = KIND``                       the file itself; see `FILES`
====================================  =================================================
"""

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

import nbformat
from nbformat import v3, v4

from layers_book.coursework import release
from layers_book.coursework.assignment import Assignment

REPORT = (
    "It doubles as well: the squares grow fourfold, so does their mean, and the root of"
    " four is two."
)


def honest(assignment: Assignment) -> Any:
    """The release with the right answers, as Jupyter saves it."""
    notebook = release.student_version(assignment)
    for node in notebook.cells:
        cell = next((c for c in assignment.master if c.grade_id == node.id), None)
        if cell and cell.kind == "answer":
            lines = cell.source.split("\n")
            node.source = "\n".join(line for line in lines if "### " not in line)
        elif cell and cell.kind == "manual":
            node.source = cell.student.replace("YOUR ANSWER HERE", REPORT)
    return json.loads(nbformat.writes(notebook))


def damaged(assignment: Assignment, steps: list[Mapping[str, Any]]) -> bytes:
    """The file that is handed in after these steps."""
    notebook = honest(assignment)
    cells = notebook["cells"]
    for cell in cells:
        cell["source"] = "".join(cell["source"])
    stubs = {c.grade_id: c.student for c in assignment.master}
    for step in steps:
        if "file" in step:
            return FILES[step["file"]](_saved(notebook))
        _damage(notebook, step, stubs)
    return _saved(notebook)


def _saved(notebook: Any) -> bytes:
    notebook["nbformat_minor"] = 4  # without ids of Jupyter's own
    for cell in notebook["cells"]:
        cell.pop("id", None)
        if cell["cell_type"] == "code":
            cell.setdefault("outputs", [])
            cell.setdefault("execution_count", None)
        else:
            cell.pop("outputs", None)
            cell.pop("execution_count", None)
    return json.dumps(notebook, ensure_ascii=False, indent=1).encode()


def _damage(notebook: Any, step: Mapping[str, Any], stubs: Mapping[str, str]) -> None:
    cells = notebook["cells"]
    match step:
        case {"delete": id}:
            cells.remove(_cell(cells, id))
        case {"set": id, "source": source}:
            _cell(cells, id)["source"] = source
        case {"replace": id, "old": old, "new": new}:
            cell = _cell(cells, id)
            assert old in cell["source"], f"{id} does not hold {old!r}"
            cell["source"] = cell["source"].replace(old, new)
        case {"stub": id}:
            _cell(cells, id)["source"] = stubs[id]
        case {"type": id, "to": kind}:
            _cell(cells, id)["cell_type"] = kind
        case {"forget": "all"}:
            notebook["metadata"] = {}
            for cell in cells:
                cell["metadata"] = {}
        case {"forget": id}:
            _cell(cells, id)["metadata"] = {}
        case {"id": id, "to": other}:
            _cell(cells, id)["metadata"]["nbgrader"]["grade_id"] = other
        case {"metadata": value}:
            for cell in cells:
                cell["metadata"] = value
        case {"named": name}:
            notebook["metadata"]["coursework"]["assignment"] = name
        case {"add": kind, "source": source}:
            new = {"cell_type": kind, "metadata": {}, "source": source}
            _put(cells, new, step)
        case {"copy": id}:
            new = copy.deepcopy(_cell(cells, id)) | {"id": ""}
            new["source"] = step.get("source", new["source"])
            if step.get("plain"):
                new["metadata"] = {}
            _put(cells, new, step)
        case {"move": id}:
            cells.remove(cell := _cell(cells, id))
            _put(cells, cell, step)
        case {"order": ids}:
            cells[:] = [_cell(cells, id) for id in ids]
        case {"reverse": True}:
            cells.reverse()
        case {"split": id, "at": line}:
            cell = _cell(cells, id)
            lines = cell["source"].split("\n")
            rest = copy.deepcopy(cell) | {"id": "", "source": "\n".join(lines[line:])}
            if step.get("plain"):
                rest["metadata"] = {}
            cell["source"] = "\n".join(lines[:line])
            cells.insert(cells.index(cell) + 1, rest)
        case {"merge": id, "into": other}:
            cells.remove(cell := _cell(cells, id))
            _cell(cells, other)["source"] += f"\n\n{cell['source']}"
        case _:
            raise AssertionError(f"no such step: {step}")


def _cell(cells: list[Any], id: str) -> Any:
    return next(cell for cell in cells if cell.get("id") == id)


def _put(cells: list[Any], cell: Any, step: Mapping[str, Any]) -> None:
    at = len(cells)
    if "after" in step:
        at = cells.index(_cell(cells, step["after"])) + 1
    elif "before" in step:
        at = cells.index(_cell(cells, step["before"]))
    cells.insert(at, cell)


def _nbformat_3(data: bytes) -> bytes:
    text: str = v3.writes_json(v4.downgrade(nbformat.from_dict(json.loads(data))))
    return text.encode()


def _html(data: bytes) -> bytes:
    return b"<!DOCTYPE html>\n<html><body><pre>" + data[:2000] + b"</pre></body></html>"


FILES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut off": lambda data: data[: len(data) // 2],
    "a web page": _html,
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "with a byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "with the line ends of Windows": lambda data: data.replace(b"\n", b"\r\n"),
    "nbformat 3": _nbformat_3,
    "nbformat 2": lambda data: b'{"nbformat": 2, "worksheets": []}',
    "a script": lambda data: b"import torch\n\ndef scale(x, weight):\n    return x\n",
    "without cells": lambda data: b'{"cells": [], "metadata": {}, "nbformat": 4}',
    "a list of cells": lambda data: json.dumps(json.loads(data)["cells"]).encode(),
    "with marks of a merge": lambda data: data.replace(
        b'"cells": [', b'"cells": [\n<<<<<<< HEAD\n=======\n>>>>>>> mine', 1
    ),
    "a zip": lambda data: b"PK\x03\x04" + data[:100],
    "a shortcut": lambda data: b'{"url": "https://drive.example/open?id=1"}',
}
