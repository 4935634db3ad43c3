"""make notebooks and make new, tried on a copy."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pages as tool

ROOT = Path(__file__).parents[2]

HEAD = (ROOT / "tools" / "template" / "page.md").read_text("utf8").split("# TITLE")[0]


@pytest.fixture
def copy(tmp_path):
    """A repository with one page of its own."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "book" / "a").mkdir(parents=True)
    (tmp_path / "src" / "helpers").mkdir(parents=True)
    (tmp_path / "src" / "layers_book" / "exercises" / "a").mkdir(parents=True)
    shutil.copy(
        ROOT / "src/layers_book/_install_cell.py", tmp_path / "src" / "layers_book"
    )
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n  - file: notebooks/a/one\n"
    )
    write(tmp_path, "print(1 + 1)")
    return tmp_path


def write(root, code, page="a/one"):
    text = f"{HEAD}# Page\n\n```{{code-cell}} python\n{code}\n```\n"
    (root / "book" / f"{page}.md").write_text(text)


def notebooks(root, *arguments):
    command = [sys.executable, root / "tools" / "pages.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_only_changed_pages_are_executed_and_give_the_same_bytes(copy):
    stored = copy / "notebooks" / "a" / "one.ipynb"
    write(
        copy,
        "import ipywidgets, matplotlib.pyplot as plt\n"
        "print(1 + 1)\nplt.plot([1, 2]); plt.show()\nipywidgets.IntSlider()",
    )
    assert notebooks(copy).returncode == 0
    first = stored.read_bytes()
    assert b'"2\\n"' in first
    assert b"image/png" in first
    assert b"one-0000" in first, "a widget's id is its page and number"
    assert "fresh" in notebooks(copy).stdout
    again = notebooks(copy, "--all")
    assert "[1/1] notebooks/a/one.ipynb" in again.stdout
    assert stored.read_bytes() == first, "an unchanged page gives the same bytes"
    write(copy, "print(2 + 2)")
    assert tool.problems("a/one", copy)
    assert notebooks(copy).returncode == 0
    assert '"4\\n"' in stored.read_text("utf8")
    assert tool.problems("a/one", copy) == []


def test_a_raising_page_leaves_the_stored_notebook(copy):
    stored = copy / "notebooks" / "a" / "one.ipynb"
    notebooks(copy)
    first = stored.read_bytes()
    write(copy, "limit = 3\nraise ValueError('above the limit')")
    result = notebooks(copy)
    assert result.returncode == 1
    assert "a/one" in result.stdout
    assert "ValueError: above the limit" in result.stdout
    assert "limit = 3" in result.stdout, "the cell is shown"
    assert stored.read_bytes() == first
    assert [p.name for p in stored.parent.iterdir()] == ["one.ipynb"]


def test_an_unknown_page_is_named(copy):
    result = notebooks(copy, "a/two")
    assert result.returncode == 2
    assert "a/two" in result.stderr


def new(root, page):
    command = [sys.executable, root / "tools" / "new_page.py", page]
    return subprocess.run(command, capture_output=True, text=True)


def test_new_page_has_text_exercises_and_a_place(copy):
    assert new(copy, "a/dropout_mask").returncode == 0
    assert tool.pages(copy) == ["a/one", "a/dropout_mask"]
    text = (copy / "book" / "a" / "dropout_mask.md").read_text("utf8")
    assert "# DropoutMask" in text
    assert 'check("dropout_mask/by_hand", answer)' in text
    exercises = copy / "src" / "layers_book" / "exercises" / "a" / "dropout_mask.py"
    assert "dropout_mask/by_hand" in exercises.read_text("utf8")


@pytest.mark.parametrize("page", ["", "foo", "a/Foo", "../b", "b/foo", "a/one"])
def test_new_page_refuses_and_changes_nothing(copy, page):
    before = sorted(p for p in copy.rglob("*") if "__pycache__" not in p.parts)
    toc = (copy / "_toc.yml").read_text()
    result = new(copy, page)
    assert result.returncode != 0
    assert result.stdout + result.stderr
    assert (copy / "_toc.yml").read_text() == toc
    after = sorted(p for p in copy.rglob("*") if "__pycache__" not in p.parts)
    assert after == before
