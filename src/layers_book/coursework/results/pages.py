"""Pages for people to open: every text in them is visible and escaped, nothing acts."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from layers_book.coursework.files import visible
from layers_book.figures import tokens


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
