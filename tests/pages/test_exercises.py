"""Every exercise on a page has a starter, hints and a solution that passes."""

import re
from pathlib import Path

import pytest
import torch

import conventions
import pages as tool
from helpers import check

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", tool.pages())
def test_solutions_pass_and_starters_do_not(page, monkeypatch):
    monkeypatch.setenv("LAYERS_BOOK_DEVICE", "cpu")
    read, known = conventions.read(page)
    checked = {*re.findall(r"""check\(\s*["'](\S+?)["']""", read.text)}
    assert checked == set(known), f"{page}: the exercises of its module and its text"
    found = list(conventions.faults(read, known))
    assert not found, f"{page}: {'; '.join(found)}"


def test_the_session_in_how_to_use_is_what_check_says():
    text = (ROOT / "book/how-to-use.md").read_text("utf8")
    tries = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL)
    assert len(tries) == 3
    for code, said in tries:
        answer, call = code.rsplit("\n\n\n", 1)
        space: dict = {"torch": torch, "check": check}
        exec(answer, space)
        assert str(eval(call, space)) == said.strip()
