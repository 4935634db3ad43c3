"""One notebook file that a stranger made, read into plain cells or refused."""

import codecs
import errno
import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from layers_book.coursework.files import sha256_of

__all__ = [
    "LIMIT",
    "Submission",
    "SubmittedCell",
    "TooLarge",
    "Unreadable",
    "file_bytes",
    "read",
]

LIMIT = 10 * 2**20  # bytes
CELLS = 2_000
NOTES = 20

CellType = Literal["code", "markdown", "raw"]

# an id of nbgrader's own schema; any other matches no cell of any assignment
GRADE_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
SURROGATES = re.compile("[\ud800-\udfff]")
# UTF-32 before UTF-16, with whose bytes it begins
ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
    b"{\0": "UTF-16",
    b"\0{": "UTF-16",
}
SIGNATURES = {
    b"PK": "a zip archive",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip archive",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"<": "a web page",
}
# the keys of nbformat 3 for what nbformat 4 calls code, markdown and raw
OLD_TYPES: dict[str, CellType] = {
    "code": "code",
    "markdown": "markdown",
    "html": "markdown",
    "heading": "markdown",
    "raw": "raw",
}


class Unreadable(Exception):
    """A file is no notebook that can be graded; its text says why, for people."""


class TooLarge(Unreadable):
    """A file has more bytes than are read."""


@dataclass(frozen=True)
class SubmittedCell:
    """One cell; of its metadata, only nbgrader's id is believed, or ``""``."""

    type: CellType
    source: str
    grade_id: str


@dataclass(frozen=True)
class Submission:
    """One notebook as plain data.

    Args:
        sha256: of the file's bytes, in hexadecimal.
        cells: in order; copies of a cell have its ``grade_id``, too.
        notes: what was odd about it, a sentence each.
        assignment: the one that the notebook says it is of, or ``""``.
    """

    sha256: str
    cells: tuple[SubmittedCell, ...]
    notes: tuple[str, ...]
    assignment: str = ""


def read(source: str | Path | bytes) -> Submission:
    """Read a notebook that may be anything, without running or believing any of it.

    Args:
        source: the path of the file, or its bytes.

    Returns:
        Its cells. Points, locks, outputs and attachments are left out.

    Raises:
        Unreadable: it is no regular file of at most 10 MB, no UTF-8 text, no JSON, or
            no notebook of nbformat 4 or 3.
    """
    data = source if isinstance(source, bytes) else file_bytes(source)
    if len(data) > LIMIT:
        raise TooLarge(f"the file is larger than {LIMIT >> 20} MB")
    notes: list[str] = []
    notebook = _json(_text(data))
    cells = _cells(_notebook(notebook), notes)
    if len(notes) > NOTES:
        notes[NOTES:] = [f"{len(notes) - NOTES} more oddities are not listed"]
    return Submission(
        sha256_of(data), tuple(cells), tuple(notes), _assignment(notebook)
    )


def file_bytes(path: str | Path, limit: int = LIMIT) -> bytes:
    """The bytes of a regular file; no link is followed, nothing is waited for.

    Args:
        path: of the file.
        limit: the most bytes it may have.

    Raises:
        Unreadable: it is something else, larger, or cannot be opened.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        handle = os.open(path, flags)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise Unreadable("the file is no regular file, but a folder or device")
            with open(handle, "rb", closefd=False) as file:
                data = file.read(limit + 1)
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.ELOOP:
            raise Unreadable("the file is a symbolic link: not followed") from None
        text = getattr(error, "strerror", None) or str(error)
        raise Unreadable(f"the file cannot be opened: {text}") from None
    if len(data) > limit:
        raise TooLarge(f"the file is larger than {limit / 2**20:.3g} MB")
    return data


def _text(data: bytes) -> str:
    start = data[:100].removeprefix(codecs.BOM_UTF8).lstrip()
    if not data.removeprefix(codecs.BOM_UTF8).strip():
        raise Unreadable("the file is empty")
    for first, name in ENCODINGS.items():
        if data.startswith(first):
            raise Unreadable(f"the file is {name} text: save it as UTF-8")
    for signature, kind in SIGNATURES.items():
        if start.startswith(signature):
            raise Unreadable(
                f"the file is {kind}, whatever its name: hand in the .ipynb itself"
            )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(
            f"the file is not UTF-8 text (byte 0x{data[error.start]:02X} in line"
            f" {line}; perhaps Windows-1252): save it as UTF-8"
        ) from None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"the file is damaged or no notebook: not JSON in line {error.lineno},"
            f" column {error.colno} ({error.msg})"
        ) from None
    except RecursionError:
        raise Unreadable("the file is nested too deeply to be a notebook") from None
    except ValueError:  # Python's bound on the digits of an int
        raise Unreadable("the file holds a number of too many digits") from None
    except MemoryError:
        raise Unreadable("the file takes too much memory to read") from None


def _notebook(data: Any) -> list[Any]:
    """The cells as they stand; those of nbformat 3 under the names of nbformat 4."""
    if not isinstance(data, dict) or "nbformat" not in data:
        raise Unreadable("the file is JSON, but no notebook")
    version = data["nbformat"]
    if type(version) is not int:
        raise Unreadable("the notebook's nbformat is no number")
    if version not in (3, 4):
        raise Unreadable(
            f"the notebook is of nbformat {version!s:.30}: 4 is needed, save it with a"
            " current Jupyter"
        )
    cells = data.get("cells") if version == 4 else _old_cells(data)
    if not isinstance(cells, list):
        raise Unreadable("the notebook has no list of cells")
    if len(cells) > CELLS:
        raise Unreadable(f"the notebook has {len(cells)} cells: at most {CELLS}")
    return cells


def _old_cells(data: dict[str, Any]) -> list[Any] | None:
    worksheets = data.get("worksheets")
    if not isinstance(worksheets, list):
        return None
    cells: list[Any] = []
    for worksheet in worksheets:
        found = worksheet.get("cells") if isinstance(worksheet, dict) else None
        if not isinstance(found, list):
            return None
        cells += [_modern(cell) for cell in found]
    return cells


def _modern(cell: Any) -> Any:
    if not isinstance(cell, dict):
        return cell
    old = cell.get("cell_type")
    source = cell.get("input" if old == "code" else "source", "")
    if old == "heading" and (text := _source(source)) is not None:
        level = cell.get("level", 1)
        signs = "#" * (level if type(level) is int and 1 <= level <= 6 else 1)
        source = f"{signs} {text}"
    kind = OLD_TYPES.get(old) if isinstance(old, str) else None
    return {"cell_type": kind, "source": source, "metadata": cell.get("metadata", {})}


def _cells(found: list[Any], notes: list[str]) -> list[SubmittedCell]:
    cells = []
    for number, cell in enumerate(found, 1):
        kind = cell.get("cell_type") if isinstance(cell, dict) else None
        if kind not in ("code", "markdown", "raw"):
            notes.append(f"cell {number} is no cell of a notebook: it is left out")
            continue
        source = _source(cell.get("source"))
        if source is None:
            notes.append(f"the source of cell {number} is no text: it counts as empty")
        grade_id = _grade_id(cell.get("metadata"))
        if grade_id is None:
            notes.append(
                f"the metadata of cell {number} is damaged: it counts as a cell"
                " without an id"
            )
        cells.append(SubmittedCell(cast(CellType, kind), source or "", grade_id or ""))
    return cells


def _source(source: Any) -> str | None:
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    text = source.replace("\r\n", "\n").replace("\r", "\n")
    # half a pair cannot be written to any file later
    return SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def _grade_id(metadata: Any) -> str | None:
    """nbgrader's id, ``""`` if there is none, ``None`` if what is there is damaged."""
    if not isinstance(metadata, dict):
        return None
    nbgrader = metadata.get("nbgrader", {})
    if not isinstance(nbgrader, dict):
        return None
    grade_id = nbgrader.get("grade_id", "")
    if not isinstance(grade_id, str):
        return None
    return grade_id if grade_id == "" or GRADE_ID.fullmatch(grade_id) else None


def _assignment(notebook: dict[str, Any]) -> str:
    """What a release writes into a notebook's own metadata."""
    metadata = notebook.get("metadata")
    ours = metadata.get("coursework") if isinstance(metadata, dict) else None
    name = ours.get("assignment") if isinstance(ours, dict) else None
    return name if isinstance(name, str) and GRADE_ID.fullmatch(name) else ""
