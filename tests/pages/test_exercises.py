"""Every exercise on a page has a starter, hints and a solution that passes."""

import re

import pytest

import conventions
import pages as tool


@pytest.mark.parametrize("page", tool.pages())
def test_solutions_pass_and_starters_do_not(page, monkeypatch):
    monkeypatch.setenv("LAYERS_BOOK_DEVICE", "cpu")
    read, known = conventions.read(page)
    checked = {*re.findall(r"""check\(\s*["'](\S+?)["']""", read.text)}
    assert checked == set(known), f"{page}: the exercises of its module and its text"
    found = list(conventions.faults(read, known))
    assert not found, f"{page}: {'; '.join(found)}"
