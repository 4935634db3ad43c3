"""The exercises of the book, one module a page, in the book's own folders."""

import importlib
import pkgutil
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from layers_book.checking import Exercise, Verdict, check_exercise


def pages() -> list[str]:
    """The pages that have exercises, such as ``"basic/linear"``."""
    chapters = [m.name for m in pkgutil.iter_modules(__path__) if m.ispkg]
    return sorted(
        f"{chapter}/{module.name}"
        for chapter in chapters
        for module in pkgutil.iter_modules([str(Path(__path__[0], chapter))])
    )


def exercises(page: str) -> tuple[Exercise, ...]:
    """The exercises of one page, which is imported when asked for."""
    module = importlib.import_module(f"{__name__}.{page.replace('/', '.')}")
    found: tuple[Exercise, ...] = module.EXERCISES
    return found


def exercise(name: str) -> Exercise:
    """The exercise that a reader calls ``"linear/by_hand"``.

    Raises:
        ValueError: there is none of this name; the names there are.
    """
    first = name.partition("/")[0] if isinstance(name, str) else ""
    for page in pages():
        if first in prefixes(page):
            for candidate in exercises(page):
                if candidate.name == name:
                    return candidate
    names = [e.name for page in pages() for e in exercises(page)]
    close = get_close_matches(name, names) if isinstance(name, str) else []
    meant = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    raise ValueError(f"name={name!r}: {meant}Allowed are {', '.join(names)}")


def prefixes(page: str) -> tuple[str, ...]:
    """How the names of a page's exercises may begin: an index has its chapter's name.

    >>> prefixes("basic/index"), prefixes("recurrent/case_study")
    (('basic',), ('case_study', 'recurrent_case_study'))
    """
    chapter, name = page.split("/")
    return (chapter,) if name == "index" else (name, f"{chapter}_{name}")


def check(name: str, answer: Any) -> Verdict:
    """Check a reader's answer to an exercise of the book, on the CPU.

    Args:
        name: page and exercise, as ``"batch_norm/by_hand"``.
        answer: what the exercise asks for: a function, a module class, or a value.

    Returns:
        A verdict with ``passed`` and ``message``; a wrong answer raises nothing.

    Raises:
        ValueError: no exercise has this name; the names there are.

    >>> check("batch_norm/by_hand", lambda x, weight, bias, eps=1e-5: ...)
    ○ batch_norm/by_hand: Not answered yet: your code returns Ellipsis; if it is
      complete, add a return.
    """
    return check_exercise(exercise(name), answer)
