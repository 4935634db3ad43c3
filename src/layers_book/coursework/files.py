"""Files of a course: written whole, read with care, safe to open for whoever gets them.

Text here may come from anybody; what is written is read by people, spreadsheets and
this package again.
"""

import csv
import hashlib
import io
import json
import os
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

__all__ = [
    "Row",
    "append_rows",
    "beside",
    "cell",
    "digest",
    "folder_name",
    "mend",
    "own_rows",
    "printable",
    "read_header",
    "read_table",
    "sha256_of",
    "visible",
    "write",
    "write_new",
    "write_table",
]

T = TypeVar("T")

LIMIT = 20_000  # characters of one text on a page
LINES = 1_000
COMBINING = 4  # combining characters on another one: no script needs more

# joiners are invisible but harmless, and Persian and many emoji need them
_HARMLESS = {"\n", "\t", "\u200c", "\u200d"}
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_FORMULA = re.compile(r"(^|[;,|])(?=[\s\"']*[=+\-@＝＋－＠])")
_MARKED = re.compile(r"(^|[;,|])'(?=[\s\"']*[=+\-@＝＋－＠])")


def sha256_of(data: bytes) -> str:
    """SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest(*parts: Any) -> str:
    """SHA-256 of plain values, in hexadecimal."""
    return sha256_of(json.dumps(parts).encode())


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A new name beside a file, whose folder is made; nothing stays under it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def write(path: Path, content: str | bytes) -> Path:
    """Write a file whole: a reader sees the old one or the new one.

    Args:
        path: of the file; its folder is made. One with this content stays as it is.
        content: bytes, or text for UTF-8.

    Returns:
        The path.

    Raises:
        OSError: the disk is full, the folder not writable.
    """
    data = content.encode() if isinstance(content, str) else content
    if not (path.is_file() and path.read_bytes() == data):
        with beside(path) as part:
            part.write_bytes(data)
            part.replace(path)
    return path


def write_new(path: Path, data: bytes, durable: bool = False) -> bool:
    """Write a file whole that is not there yet; whether it has these bytes now.

    Args:
        path: of the file; its folder is made.
        data: its bytes.
        durable: wait until the disk has them, which takes some milliseconds.
    """
    with beside(path) as part:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        try:
            os.link(part, path)
        except FileExistsError:
            return path.read_bytes() == data
        except OSError:  # a file system without links
            if path.exists():
                return path.read_bytes() == data
            part.rename(path)
    return True


def folder_name(argument: str, name: str) -> str:
    """A name that can be a folder, given back.

    Raises:
        ValueError: it is empty, hidden, or would lead elsewhere.

    >>> folder_name("student", "../ada")
    Traceback (most recent call last):
    ValueError: student='../ada': it must be the name of a folder, without / or \\
    """
    if not name or name.startswith(".") or re.search(r"[/\\\x00-\x1f]", name):
        raise ValueError(
            f"{argument}={name!r:.80}: it must be the name of a folder, without / or \\"
        )
    return name


def visible(text: str, limit: int = LIMIT, lines: int = LINES) -> str:
    """Text in which nothing hides, safe to encode, cut with a note.

    Control characters, overrides of the writing direction, invisible characters and
    lone surrogates are written as ``⟨U+202E⟩``; of the combining characters on one
    character, four are kept.

    Args:
        text: from anybody.
        limit: in characters, at least 1.
        lines: at most.

    >>> visible("total = 6 \\N{RIGHT-TO-LEFT OVERRIDE}# 6 latot")
    'total = 6 ⟨U+202E⟩# 6 latot'
    >>> visible("a" * 30, limit=10)
    'aaaaaaaaaa… [cut: 20 more characters]'
    """
    text = text.replace("\r\n", "\n")
    kept = "\n".join(text[:limit].split("\n", lines)[:lines])
    out: list[str] = []
    combining = 0
    for character in kept:
        category = unicodedata.category(character)
        combining = combining + 1 if category in ("Mn", "Me") else 0
        if character not in _HARMLESS and category in _HIDDEN:
            out.append(f"⟨U+{ord(character):04X}⟩")
        elif combining <= COMBINING:
            out.append(character)
    if len(kept) < len(text):
        out.append(f"… [cut: {len(text) - len(kept):,} more characters]")
    return "".join(out)


def printable(path: str) -> str:
    """A path without control characters, accents in one form on each system."""
    return "".join(
        c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}"
        for c in unicodedata.normalize("NFC", path)
    )


def cell(value: object) -> str:
    """A table's cell that no spreadsheet takes for a formula.

    Text that begins with ``= + - @`` (or their full-width forms), or in which one
    follows a comma, semicolon or bar, gets an apostrophe before it, as OWASP advises;
    tabs and line ends become spaces. Numbers stay numbers, rounded to four decimals.

    >>> cell("=1+1"), cell(-0.5), cell("Ada"), cell(None)
    ("'=1+1", '-0.5', 'Ada', '')
    """
    if value is None:
        return ""
    if isinstance(value, int | float):
        return repr(round(value, 4)).removesuffix(".0")
    return _no_formula(" ".join(visible(str(value)).split()))


def _no_formula(text: str) -> str:
    return _FORMULA.sub(r"\1'", text)


def write_table(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], bom: bool
) -> Path:
    """Write a CSV file (comma, UTF-8) whole.

    Args:
        path: of the file; its folder is made.
        header: the columns' names.
        rows: text or numbers; ``None`` is an empty cell.
        bom: begin with a byte order mark, without which Excel misreads every letter
            beyond ASCII; for people, not for programs that import the file.

    Returns:
        The path.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    for row in (header, *rows):
        writer.writerow([cell(value) for value in row])
    return write(path, ("\ufeff" if bom else "") + text.getvalue())


def append_rows(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Add lines to a table of our own, which gets its header with the first.

    What a spreadsheet would take for a formula is marked as `cell` does it, which
    `own_rows` takes away again.
    """
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not file.tell():
            writer.writerow(header)
        for row in rows:
            writer.writerow([_no_formula(str(value)) for value in row])


def own_rows(path: Path) -> list[dict[str, str]]:
    """The lines that `append_rows` has written; none if there is no file."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace").replace("\0", "")
    return [
        {k: _MARKED.sub(r"\1", value or "") for k, value in row.items() if k}
        for row in csv.DictReader(text.split("\n"))
    ]


def mend(path: Path) -> None:
    """End the last line of a table that a killed run has left without an end."""
    if path.exists() and path.stat().st_size:
        with path.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


@dataclass(frozen=True)
class Row:
    """A line of a table: ``row["name"]`` is its text in that column, or empty."""

    file: str
    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    def where(self, column: str) -> str:
        """The place of a column's text, for people."""
        return f"{self.file} line {self.line}, column {column}"

    def error(self, column: str, message: str) -> ValueError:
        """What is wrong in a column of this line."""
        return ValueError(f"{self.where(column)}: {self[column]!r:.80}: {message}")

    def parse(self, column: str, read: Callable[[str], T]) -> T:
        """A column's text as ``read`` takes it; its ``ValueError`` gets the place."""
        try:
            return read(self[column])
        except ValueError as error:
            raise ValueError(f"{self.where(column)}: {error}") from None


def read_table(
    path: Path, needed: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Iterator[Row]:
    """The lines of a table that are not blank; none where there is no file.

    The file is UTF-8 with or without a byte-order mark, its cells parted by commas,
    semicolons or tabs, its first line the names of the columns. Others are ignored.

    Raises:
        ValueError: it is not such a file; says which line.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    lines = csv.reader(
        io.StringIO(_text(path.name, data), newline=""),
        delimiter=_delimiter(data),
        strict=True,
    )
    header: list[str] = []
    try:
        for line in lines:
            cells = [cell.strip() for cell in line]
            if not any(cells):
                continue
            if header:
                yield _row(path.name, lines.line_num, header, cells)
            else:
                header = [cell.lower() for cell in cells]
                _check_header(path.name, header, needed, optional)
    except csv.Error as error:
        raise ValueError(f"{path.name} line {lines.line_num}: {error}") from None


def read_header(path: Path) -> list[str]:
    """The names of a table's columns, small; none where there is no such table."""
    try:
        data = path.read_bytes()
        text = _text(path.name, data).lstrip("\r\n;,\t ")
        first = next(csv.reader(io.StringIO(text), delimiter=_delimiter(data)), [])
    except (FileNotFoundError, ValueError, csv.Error):
        return []
    return [cell.strip().lower() for cell in first]


def _text(file: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{file} line {line}: not UTF-8: save it as 'CSV UTF-8' in Excel"
        ) from None


def _delimiter(data: bytes) -> str:
    """The one that occurs most in the first line that is not blank."""
    first = data.lstrip(b"\xef\xbb\xbf\r\n;,\t ").split(b"\n", 1)[0]
    return max(",;\t", key=lambda mark: first.count(mark.encode()))


def _check_header(
    file: str, header: list[str], needed: tuple[str, ...], optional: tuple[str, ...]
) -> None:
    known = (*needed, *optional)
    for column in needed:
        if column not in header:
            raise ValueError(
                f"{file} line 1: the column {column} is missing; the columns are"
                f" {', '.join(known)}, not {', '.join(header)!r:.200}"
            )
    for column in known:
        if header.count(column) > 1:
            raise ValueError(f"{file} line 1: the column {column} is there twice")


def _row(file: str, line: int, header: list[str], cells: list[str]) -> Row:
    if any(cells[len(header) :]):
        extra = cells[len(header)]
        raise ValueError(
            f"{file} line {line}: {extra!r:.80} is in no column: put a text that holds"
            " the delimiter in double quotes"
        )
    return Row(file, line, dict(zip(header, cells, strict=False)))
