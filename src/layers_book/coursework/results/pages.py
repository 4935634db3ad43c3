"""What is written for people to open: pages that run nothing, tables, whole files."""

import contextlib
import csv
import io
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from layers_book.figures import tokens

LIMIT = 20_000  # characters of one text on a page
LINES = 1_000
MARKS = 4  # combining marks on one character: no script needs more

# joiners are invisible but harmless, and Persian and many emoji need them
_HARMLESS = {"\n", "\t", "\u200c", "\u200d"}
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_FORMULA = re.compile(r'(^|[;,|])(?=[\s"]*[=+\-@＝＋－＠])')


def visible(text: str, limit: int = LIMIT) -> str:
    """Text in which nothing hides, safe to encode, cut with a note.

    Control characters, overrides of the writing direction, invisible characters and
    lone surrogates are written as ``⟨U+202E⟩``; of the combining marks on one
    character, four are kept.

    Args:
        text: from anybody.
        limit: in characters, at least 1; the lines are limited to 1,000.

    >>> visible("total = 6 \\N{RIGHT-TO-LEFT OVERRIDE}# 6 latot")
    'total = 6 ⟨U+202E⟩# 6 latot'
    >>> visible("a" * 30, limit=10)
    'aaaaaaaaaa… [cut: 20 more characters]'
    """
    text = text.replace("\r\n", "\n")
    kept = "\n".join(text[:limit].split("\n", LINES)[:LINES])
    out: list[str] = []
    marks = 0
    for character in kept:
        category = unicodedata.category(character)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if character not in _HARMLESS and category in _HIDDEN:
            out.append(f"⟨U+{ord(character):04X}⟩")
        elif marks <= MARKS:
            out.append(character)
    if len(kept) < len(text):
        out.append(f"… [cut: {len(text) - len(kept):,} more characters]")
    return "".join(out)


def number(value: float | None) -> str:
    """Points for people: at most two decimals; empty if there are none.

    >>> number(4.0), number(10 / 3), number(None)
    ('4', '3.33', '')
    """
    return "" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


def percent(value: float | None) -> str:
    """A share as a whole percentage; empty if there is none.

    >>> percent(0.128), percent(None)
    ('13 %', '')
    """
    return "" if value is None else f"{100 * value:.0f} %"


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
    text = " ".join(visible(str(value)).split())
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
    return write_text(path, ("\ufeff" if bom else "") + text.getvalue())


def write_text(path: Path, text: str) -> Path:
    """Write a file whole: a reader sees the old one or the new one.

    Raises:
        OSError: the disk is full, the folder not writable.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with open(handle, "w", encoding="utf8", newline="") as file:  # noqa: PTH123
            file.write(text)
        Path(name).chmod(0o644)
        os.replace(name, path)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    return path


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


def render(template: str, **values: Any) -> str:
    """A page from a template, in which every text is visible and escaped."""
    return _environment().get_template(template).render(**values)


def _shown(value: object) -> object:
    return visible(value) if type(value) is str else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("layers_book.coursework.results"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(cut=visible, number=number, percent=percent)
    environment.globals["colors"] = _colors()
    return environment


def _colors() -> Markup:
    """The book's colors as CSS variables; dark where the system is."""
    light, dark = (
        "".join(f"--{role}:{color};" for role, color in tokens()[theme].items())
        for theme in ("light", "dark")
    )
    return Markup(
        f":root{{{light}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    )
