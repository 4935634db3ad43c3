"""A figure's state as the fragment of an address: `#sliding-window~1~stride:3`.

The name is the figure's anchor, `~1` the version; then come keys of its State with
their values: numbers, words, ``true``, ``false``, ``null``, lists as ``3,4``, rows as
``(Conv,3,1,2,2)``, and ``f=2,i=-1`` where a name has a number. The site's ``links.js``
reads the same.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import unquote

from layers_book.figures.figure import FIGURES, Figure, Form

VERSION = "1"
LONGEST = 4000

_TEXT = re.compile(r"[\w.+\-(),= ]*", re.ASCII)
_PAIR = re.compile(r"(\w+)=([\w.+-]+)", re.ASCII)
_WORD = re.compile(r"[\w.+-]+(?: [\w.+-]+)*", re.ASCII)
_PLAIN = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|true|false|null", re.ASCII)


def anchor(kind: type[Figure], number: int = 1) -> str:
    """The id of a figure on its page; of one kind the second is ``number`` 2.

    >>> anchor(FIGURES["sliding_window"]), anchor(FIGURES["sliding_window"], 2)
    ('sliding-window', 'sliding-window-2')
    """
    name = kind.tag.removeprefix("nn-")
    return name if number == 1 else f"{name}-{number}"


def linked(fragment: str, page: Mapping[str, Any] | None = None) -> Figure:
    """The figure whose state a link says.

    Args:
        fragment: such as ``#sliding-window~1~stride:3``, with or without ``#``.
        page: the state of the figure on its page, which the link changes; the usual
            one if left out.

    Raises:
        ValueError: names what cannot be read, and what is allowed.

    >>> linked("#sliding-window~1~stride:2")
    SlidingWindow: Conv2d, kernel 3 x 3, stride 2; 6 x 6 becomes 2 x 2
    >>> linked("#sliding-window~1~stride:99")
    Traceback (most recent call last):
    ValueError: stride is 99: allowed are 1 to 12, one or two
    """
    kind, _, given = parsed(fragment)
    figure = kind.__new__(kind)
    figure.change(given, page or {})
    return figure


def parsed(fragment: str) -> tuple[type[Figure], int, dict[str, Any]]:
    """Kind, number on the page, and the part of the state that a link says.

    Raises:
        ValueError: names what cannot be read, and what is allowed.

    >>> kind, number, state = parsed("#pooling-bins-2~1~n:8~stride:null")
    >>> kind.__name__, number, state
    ('PoolingBins', 2, {'n': 8, 'stride': None})
    """
    if len(fragment) > LONGEST:
        raise ValueError(f"a link of {len(fragment)} characters: allowed are {LONGEST}")
    name, *parts = unquote(fragment.removeprefix("#")).split("~")
    found = re.fullmatch(r"([a-z-]+?)(?:-([2-9]))?", name)
    anchors = {anchor(kind): kind for kind in FIGURES.values()}
    if not found or found[1] not in anchors:
        raise ValueError(f"figure {name!r}: allowed are {', '.join(anchors)}")
    kind = anchors[found[1]]
    version = parts[0] if parts else ""
    if version != VERSION:
        raise ValueError(f"version {version!r} of a link: allowed is {VERSION}")
    allowed, state = kind.forms, dict[str, Any]()
    for part in parts[1:]:
        key, colon, text = part.partition(":")
        if not colon or key not in allowed or key in state:
            raise ValueError(
                f"{part!r} in a link to {name}: allowed are {', '.join(allowed)}, each "
                "once, as key:value"
            )
        state[key] = _read(key, text, allowed[key])
    return kind, int(found[2] or 1), state


def _read(key: str, text: str, form: Form) -> Any:
    """The value that a text says, if it has this form."""

    def quoted(word: re.Match[str]) -> str:
        return word[0] if _PLAIN.fullmatch(word[0]) else f'"{word[0]}"'

    try:
        if not _TEXT.fullmatch(text):
            raise ValueError
        items = json.loads(f"[{_WORD.sub(quoted, _brackets(text))}]")
        return _fit(form, items)
    except (ValueError, TypeError, RecursionError):
        raise ValueError(f"{key} is {text}: allowed are {_words(form)}") from None


def _brackets(text: str) -> str:
    text = _PAIR.sub(r"(\1,\2)", text)
    return text.replace("(", "[").replace(")", "]")


def _fit(form: Form, items: list[Any]) -> Any:
    """What a list of items means in this form; raises where it does not fit."""
    kind, *rest = form
    if kind == "null":
        return None if items == [None] else _fit(rest[0], items)
    if kind in ("list", "map", "row"):
        return _fit_many(kind, rest, items)
    if kind == "pair" and len(items) == 2:
        return [_fit(["int", *rest[:2]], [item]) for item in items]
    (value,) = items
    if kind == "text":
        if value is None or isinstance(value, bool):  # words all the same
            value = json.dumps(value)
        fits = isinstance(value, str) and len(value) <= rest[0]
    elif kind == "bool":
        fits = isinstance(value, bool)
    elif kind == "word":
        fits = isinstance(value, str) and value in rest
    elif kind == "pair" and isinstance(value, str):
        fits = value in rest[2:]
    else:
        if kind != "float" and isinstance(value, float) and value.is_integer():
            value = int(value)
        number = isinstance(value, int) or (
            kind == "float" and isinstance(value, float)
        )
        fits = number and not isinstance(value, bool) and rest[0] <= value <= rest[1]
    if not fits:
        _refuse()
    return [value, value] if kind == "pair" and isinstance(value, int) else value


def _fit_many(kind: str, rest: list[Any], items: list[Any]) -> Any:
    def inside(item: Any) -> list[Any]:
        return item if isinstance(item, list) else [item]

    if kind == "list":
        item, low, high = rest
        fits = low <= len(items) <= high
        return [_fit(item, inside(i)) for i in items] if fits else _refuse()
    if kind == "map":
        item, *keys = rest
        names = [name for name, _ in items]
        fits = len({*names}) == len(names) and {*names} <= {*keys}
        return {n: _fit(item, [v]) for n, v in items} if fits else _refuse()
    for row in rest:  # the rows that may be here
        if len(row) == len(items):
            try:
                return [_fit(f, [i]) for f, i in zip(row, items, strict=True)]
            except ValueError:
                continue
    return _refuse()


def _refuse() -> NoReturn:
    raise ValueError


def _words(form: Form) -> str:
    """What a form allows, in words."""
    kind, *rest = form
    if kind == "null":
        return f"null, {_words(rest[0])}"
    if kind == "bool":
        return "true, false"
    if kind == "word":
        return ", ".join(map(str, rest))
    if kind == "text":
        return f"words of up to {rest[0]} characters"
    if kind == "pair":
        return ", ".join([f"{rest[0]} to {rest[1]}, one or two", *rest[2:]])
    if kind == "list":
        count = f"{rest[1]} to {rest[2]}" if rest[1] < rest[2] else str(rest[1])
        return f"{count} of ({_words(rest[0])})"
    if kind == "map":
        return f"{_words(rest[0])} for {', '.join(rest[1:])}, as name=number"
    if kind == "row":
        return " or ".join("; ".join(map(_words, row)) for row in rest)
    return f"{'whole numbers ' if kind == 'int' else ''}{rest[0]:g} to {rest[1]:g}"
