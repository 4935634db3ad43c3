"""Every exercise: its reference passes, each mistake gets its hint, a stub none."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

import layers_book
from layers_book.checking import Exercise, check_exercise
from layers_book.exercises import exercise, exercises, pages


def readable(page: str) -> tuple[Exercise, ...]:
    """A page's exercises, none where `test_a_page_has_exercises` says why."""
    try:
        return exercises(page)
    except ImportError:
        return ()


# `make check` chooses by the page, which comes first in an id
ALL = [
    pytest.param(e, id=f"{page}:{e.name}") for page in pages() for e in readable(page)
]
FREE = [pytest.param(replace(p.values[0], forbid=()), id=p.id) for p in ALL]
MISTAKES = [
    pytest.param(p.values[0], number, id=f"{p.id}-{number}")
    for p in FREE
    for number in range(len(p.values[0].mistakes))
]


class Empty(nn.Module):
    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, *args): ...


class Bare(nn.Module): ...


def raises(*args, **kwargs):
    raise NotImplementedError


def stubs(e):
    if isinstance(e.reference, type):
        return [..., None, Empty, Bare]
    if callable(e.reference):
        return [..., None, lambda *a, **k: ..., lambda *a, **k: None, raises]
    return [..., None]


@pytest.mark.parametrize("e", FREE)
def test_reference_passes(e):
    verdict = check_exercise(e, e.reference)
    assert verdict.passed, verdict.message


@pytest.mark.parametrize(("e", "number"), MISTAKES)
def test_mistake_gets_its_own_hint(e, number):
    mistake = e.mistakes[number]
    which = f"{e.name}: mistake {number} (hint {mistake.hint!r})"
    answer = e.wrong_answer(mistake)
    verdict = check_exercise(e, answer)
    assert not verdict.passed, f"{which} acts like the reference: {verdict.message}"
    given = [m.hint for m in e.mistakes if m.hint in verdict.message]
    assert given == [mistake.hint], f"{which} gets {given or verdict.message!r}"
    assert "Something else differs" not in verdict.message, which
    if number == 0:
        assert check_exercise(e, answer) == verdict


@pytest.mark.parametrize("e", ALL)
def test_stub_is_not_answered_yet(e):
    for stub in stubs(e):
        verdict = check_exercise(e, stub)
        assert not verdict.passed
        assert not verdict.answered
        assert verdict.message.startswith("Not answered yet: "), (stub, verdict.message)


@pytest.mark.parametrize("page", pages())
def test_a_page_has_exercises(page):
    found = exercises(page)
    assert len(found) >= 2, f"{page} has {len(found)} exercises: at least two"
    for e in found:
        assert exercise(e.name) is e, f"{page}: another page has {e.name!r} too"
        hints = [m.hint for m in e.mistakes]
        assert len(hints) >= 2, f"{e.name} has {len(hints)} mistakes: at least two"
        twice = {hint for hint in hints if hints.count(hint) > 1}
        assert not twice, f"{e.name}: mistakes share a hint: {twice}"
        cut = [hint for hint in hints if not hint.endswith((".", ")", "?"))]
        assert not cut, f"{e.name}: a hint is a sentence, with its full stop: {cut}"


BREAK = {
    "basic/linear": "EXERCISES = (\n    1,\n    2 3,\n)\n",
    "basic/dropout": "\nEXERCISES = (1 / 0,)\n",
    "basic/module": "EXERCISE = ()\n",
    "basic/padding": "from layers_book.exercises.basic.index import EXERCISES\n",
}
TRY = """
import json, sys
from layers_book.exercises import check
said = {}
for name in sys.argv[1:]:
    try:
        check(name, ...)
        said[name] = ""
    except Exception as error:
        said[name] = str(error)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What check says in a copy of the book in which four pages are broken."""
    copy = tmp_path_factory.mktemp("broken") / "src"
    here = Path(layers_book.__path__[0]).parent
    shutil.copytree(here, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for page, text in BREAK.items():
        (copy / "layers_book" / "exercises" / f"{page}.py").write_text(text)
    names = [f"{page.split('/')[1]}/x" for page in BREAK]
    names += ["no/such", "embeding/lookup"]
    run = subprocess.check_output(
        [sys.executable, "-c", TRY, *names],
        env=os.environ | {"PYTHONPATH": str(copy)},
        text=True,
    )
    return json.loads(run)


def test_a_broken_page_is_named_with_file_and_line(said):
    place = "layers_book/exercises/basic"
    assert said["linear/x"].startswith(f"{place}/linear.py, line 3: SyntaxError: ")
    assert said["dropout/x"].startswith(
        f"{place}/dropout.py, line 2: ZeroDivisionError: "
    )
    assert said["module/x"] == (
        f"{place}/module.py: EXERCISES must be a tuple of Exercise, there is EXERCISE"
    )
    assert said["padding/x"].startswith(
        f"{place}/padding.py: a name must begin with 'padding/' or 'basic_padding/', "
        "unlike 'basic/"
    )


def test_an_unknown_name_is_answered_in_spite_of_broken_pages(said):
    assert said["no/such"].startswith("name='no/such': allowed are ")
    assert f"\nNot readable: {said['linear/x']}\n" in said["no/such"]
    first = said["embeding/lookup"].splitlines()[0]
    assert "did you mean 'embedding/lookup'" in first
    assert "allowed are" not in first, "a close match is enough"
    assert len(first) < 200
