"""The exercises of the book, one module a page, found by the page's name."""

import importlib
import pkgutil
from difflib import get_close_matches

from helpers._check import Exercise


def pages() -> list[str]:
    """The names of the pages that have exercises."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def exercises(page: str) -> tuple[Exercise, ...]:
    """The exercises of one page, which is imported when asked for."""
    found: tuple[Exercise, ...] = importlib.import_module(
        f"{__name__}.{page}"
    ).EXERCISES
    return found


def exercise(name: str) -> Exercise:
    """The exercise called ``"page/exercise"``.

    Raises:
        ValueError: there is none of this name; the names there are.
    """
    page = name.partition("/")[0] if isinstance(name, str) else ""
    if page in pages():
        for candidate in exercises(page):
            if candidate.name == name:
                return candidate
    names = [e.name for p in pages() for e in exercises(p)]
    close = get_close_matches(name, names) if isinstance(name, str) else []
    meant = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    raise ValueError(f"name={name!r}: {meant}Allowed are {', '.join(names)}")
