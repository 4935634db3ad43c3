"""The exercises of the book, one module a page, in the book's own folders."""

import importlib
import pkgutil
import traceback
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from layers_book.checking import Exercise, Verdict, check_exercise

FOLDER = Path(__file__).parent


def pages() -> list[str]:
    """The pages that have exercises, such as ``"basic/linear"``."""
    chapters = [m.name for m in pkgutil.iter_modules(__path__) if m.ispkg]
    return sorted(
        f"{chapter}/{module.name}"
        for chapter in chapters
        for module in pkgutil.iter_modules([str(Path(__path__[0], chapter))])
    )


def exercises(page: str) -> tuple[Exercise, ...]:
    """The exercises of one page, which is imported when asked for.

    Raises:
        ImportError: the page's module cannot be read, or holds no exercises, or one
            that does not begin with the page's name; the file, and the line if known.
    """
    try:
        module = importlib.import_module(f"{__name__}.{page.replace('/', '.')}")
    except Exception as error:
        raise ImportError(_told(page, error)) from error
    found = getattr(module, "EXERCISES", None)
    if not isinstance(found, tuple) or not all(isinstance(e, Exercise) for e in found):
        similar = get_close_matches("EXERCISES", vars(module))
        raise ImportError(
            f"{_short(module.__file__)}: EXERCISES must be a tuple of Exercise"
            + (f", there is {similar[0]}" if similar else "")
        )
    first = tuple(f"{prefix}/" for prefix in prefixes(page))
    if wrong := [e.name for e in found if not e.name.startswith(first)]:
        raise ImportError(
            f"{_short(module.__file__)}: a name must begin with "
            f"{' or '.join(map(repr, first))}, unlike {', '.join(map(repr, wrong))}"
        )
    return found


def _told(page: str, error: Exception) -> str:
    """What went wrong where in the exercises of a page."""
    calls = traceback.extract_tb(error.__traceback__)
    places = [(call.filename, call.lineno) for call in calls]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno))
    ours = [p for p in places if Path(p[0]).is_relative_to(FOLDER) and p[0] != __file__]
    place = f"{_short(ours[-1][0])}, line {ours[-1][1]}" if ours else page
    words = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{place}: {type(error).__name__}: {words}"


def _short(file: str | None) -> str:
    """A file of this package, as in layers_book/exercises/basic/linear.py."""
    return Path(file or "").relative_to(FOLDER.parents[1]).as_posix()


def exercise(name: str) -> Exercise:
    """The exercise that a reader calls ``"linear/by_hand"``.

    Raises:
        ValueError: there is none of this name; those with a similar name, or all.
        ImportError: the page's exercises cannot be read.
    """
    first = name.partition("/")[0] if isinstance(name, str) else ""
    for page in pages():
        if first in prefixes(page):
            for candidate in exercises(page):
                if candidate.name == name:
                    return candidate
    names: list[str] = []
    broken = ""
    for page in pages():
        try:
            names += [e.name for e in exercises(page)]
        except ImportError as error:
            broken += f"\nNot readable: {error}"
    close = get_close_matches(name, names) if isinstance(name, str) else []
    meant = f"did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise ValueError(
        f"name={name!r}: {meant or 'allowed are ' + ', '.join(names)}{broken}"
    )


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
