"""Every exercise: its reference passes, each mistake gets its hint, a stub none."""

from dataclasses import replace

import pytest
from torch import nn

from layers_book.checking import check_exercise
from layers_book.exercises import exercise, exercises, pages, prefixes

ALL = [e for page in pages() for e in exercises(page)]
FREE = [replace(e, forbid=()) for e in ALL]
MISTAKES = [
    pytest.param(e, m, id=f"{e.name}-{i}")
    for e in FREE
    for i, m in enumerate(e.mistakes)
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


@pytest.mark.parametrize("e", FREE, ids=lambda e: e.name)
def test_reference_passes(e):
    verdict = check_exercise(e, e.reference)
    assert verdict.passed, verdict.message


@pytest.mark.parametrize(("e", "mistake"), MISTAKES)
def test_mistake_gets_its_own_hint(e, mistake):
    verdict = check_exercise(e, mistake.answer)
    assert not verdict.passed
    assert [m.hint for m in e.mistakes if m.hint in verdict.message] == [mistake.hint]
    assert "Something else differs" not in verdict.message
    if mistake is e.mistakes[0]:
        assert check_exercise(e, mistake.answer) == verdict


@pytest.mark.parametrize("e", ALL, ids=lambda e: e.name)
def test_stub_is_not_answered_yet(e):
    for stub in stubs(e):
        verdict = check_exercise(e, stub)
        assert not verdict.passed
        assert not verdict.answered
        assert verdict.message.startswith("Not answered yet: "), (stub, verdict.message)


def test_names():
    names = [e.name for e in ALL]
    assert len(set(names)) == len(names)
    for page in pages():
        first = prefixes(page)
        assert all(e.name.split("/")[0] in first for e in exercises(page))
        assert all(exercise(e.name) is e for e in exercises(page))
        assert len(exercises(page)) >= 2


def test_hints_are_sentences():
    for e in ALL:
        assert len(e.mistakes) >= 2, e.name
        assert len({m.hint for m in e.mistakes}) == len(e.mistakes), e.name
        for mistake in e.mistakes:
            assert mistake.hint.endswith((".", ")", "?")), (e.name, mistake.hint)
