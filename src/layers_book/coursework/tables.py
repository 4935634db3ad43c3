"""CSV tables as people save them: from Excel, with any delimiter, with blank lines."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

__all__ = ["Row", "read_table"]

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """A line of a table: ``row["name"]`` is its text in that column, or empty."""

    file: str
    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    def error(self, column: str, message: str) -> ValueError:
        """What is wrong in a column of this line."""
        where = f"{self.file} line {self.line}, column {column}"
        return ValueError(f"{where}: {self[column]!r:.80}: {message}")

    def parse(self, column: str, read: Callable[[str], T]) -> T:
        """A column's text as ``read`` takes it; its ``ValueError`` gets the place."""
        try:
            return read(self[column])
        except ValueError as error:
            where = f"{self.file} line {self.line}, column {column}"
            raise ValueError(f"{where}: {error}") from None


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
