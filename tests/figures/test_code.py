"""*Copy code*: what each figure's button copies is a whole program."""

import io
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout

import pytest
from playwright.sync_api import Page
from traitlets import Enum

from helpers import figures

COPIED = """() => {
  const copied = [];
  navigator.clipboard.writeText = async (text) => copied.push(text);
  for (const figure of document.querySelectorAll("main > *"))
    figure.shadowRoot?.querySelector(".code button").click();
  return copied;
}"""


def shown(kind: type[figures.Figure]) -> Iterator[figures.Figure]:
    """The figure as it is, and with each other word of each of its choices."""
    yield kind()
    for key, trait in kind.State().traits().items():
        if isinstance(trait, Enum):
            for word in trait.values:
                figure = kind.__new__(kind)
                try:
                    figure.change({key: word}, {})
                except ValueError:  # needs more than the word
                    continue
                if figure.state:
                    yield figure


def test_what_is_copied_runs_alone(show: Callable[..., Page]) -> None:
    shown_now = [f for kind in figures.FIGURES.values() for f in shown(kind)]
    assert len(shown_now) > 60
    copied = show(*shown_now).evaluate(COPIED)
    for figure, code in zip(shown_now, copied, strict=True):
        said = io.StringIO()
        with redirect_stdout(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if "torch raises" in repr(figure):
                with pytest.raises((RuntimeError, ValueError)):
                    exec(code, {})
                continue
            exec(code, {"__name__": "__main__"})
        assert said.getvalue().strip(), f"{figure!r} prints nothing:\n{code}"
    python = [sys.executable, "-I", "-c", copied[0]]
    done = subprocess.run(python, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tensor(")
