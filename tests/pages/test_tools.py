"""make notebooks, make new and make check, tried on a copy."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter

import check_page
import pages as tool
from helpers import figures

ROOT = Path(__file__).parents[2]

# the smallest picture there is
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9"
    "awAAAABJRU5ErkJggg=="
)
HEAD = (ROOT / "tools" / "template" / "page.md").read_text("utf8").split("# TITLE")[0]


@pytest.fixture
def copy(tmp_path):
    """A repository with one page of its own."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
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


def run(root, script, *arguments):
    """Run one of the copy's tools, with the copy's helpers if it has some."""
    command = [sys.executable, root / "tools" / script, *arguments]
    own = (
        {"PYTHONPATH": str(root / "src")}
        if (root / "src/helpers/__init__.py").exists()
        else {}
    )
    return subprocess.run(command, env=os.environ | own, capture_output=True, text=True)


def notebooks(root, *arguments):
    return run(root, "pages.py", *arguments)


def test_pictures_have_their_words_wherever_a_notebook_goes():
    new, figure = nbformat.v4.new_output, figures.LookupTable()
    plain = {"image/png": PIXEL, "text/plain": "<Figure size 640x480 with 1 Axes>"}
    said = {"mystnb": {"image": {"alt": "A dot & nothing <else>"}}}
    cells = [
        nbformat.v4.new_code_cell(outputs=[new("display_data", plain)], metadata=said),
        nbformat.v4.new_code_cell(
            outputs=[new("display_data", figure._repr_mimebundle_())]
        ),
    ]
    notebook = tool._settle(nbformat.v4.new_notebook(cells=cells), "page")
    (words,) = notebook.cells[1].outputs[0].metadata["image/png"].values()
    assert words == repr(figure)
    page, _ = HTMLExporter(template_name="classic").from_notebook_node(notebook)
    assert 'alt="A dot &amp; nothing &lt;else&gt;"' in page


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


@pytest.mark.parametrize("script", ["pages.py", "check_page.py"])
def test_an_unknown_page_is_named(copy, script):
    result = run(copy, script, "a/won")
    assert result.returncode == 2
    assert result.stderr == ("page='a/won' is not in _toc.yml: did you mean a/one?\n")
    assert "pages are ['a/one']" in run(copy, script, "xyz").stderr


@pytest.mark.parametrize("script", ["pages.py", "check_page.py"])
def test_a_page_without_its_text_is_named(copy, script):
    (copy / "book" / "a" / "one.md").unlink()
    result = run(copy, script, "a/one")
    assert result.returncode == 1
    words = "book/a/one.md is missing, but _toc.yml names its notebook"
    assert words in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_a_page_is_executed_again_when_a_helper_changed(copy):
    stored = copy / "notebooks" / "a" / "one.ipynb"
    package = copy / "src" / "helpers"
    (package / "__init__.py").write_text(
        "# torch-layers-book\nfrom helpers._answer import answer\n"
    )
    (package / "_answer.py").write_text("answer = 42\n")
    write(copy, "from helpers import answer\n\nprint(answer)")
    assert notebooks(copy).returncode == 0
    assert '"42\\n"' in stored.read_text("utf8")
    assert "fresh" in notebooks(copy).stdout
    (package / "_answer.py").write_text("answer = 43\n")
    assert tool.problems("a/one", copy) == [
        "changed since: helpers/_answer.py: run `make notebooks`"
    ]
    assert notebooks(copy).returncode == 0
    assert '"43\\n"' in stored.read_text("utf8")
    (package / "_answer.py").write_text("answer = (\n")
    broken = notebooks(copy)
    assert broken.returncode == 1
    assert "_answer.py, line 1: '(' was never closed" in broken.stdout


def test_check_chooses_one_page_s_tests():
    page = "basic/embedding"
    command = [*check_page.command(page), "--collect-only", "-n", "0"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    chosen = [line for line in listed.splitlines() if "::" in line]
    for wanted in (
        f"notebooks/{page}.ipynb::Cell 0",
        f"tests/pages/test_freshness.py::test_both_halves_are_fresh[{page}]",
        f"tests/pages/test_conventions.py::test_a_page_keeps_the_conventions[{page}]",
        f"tests/pages/test_exercises.py::test_solutions_pass_and_starters_do_not[{page}]",
        f"tests/helpers/test_exercises.py::test_reference_passes[{page}:embedding/lookup]",
    ):
        assert wanted in chosen
    assert any(
        line.startswith("tests/figures/test_lookup_table.py::") for line in chosen
    )
    others = [line for line in chosen if "[" in line and f"[{page}" not in line]
    assert all(line.startswith("tests/figures/") for line in others), others


def new(root, page):
    return run(root, "new_page.py", page)


def test_new_page_has_text_exercises_and_a_place(copy):
    assert new(copy, "a/dropout_mask").returncode == 0
    assert tool.pages(copy) == ["a/one", "a/dropout_mask"]
    text = (copy / "book" / "a" / "dropout_mask.md").read_text("utf8")
    assert "# DropoutMask" in text
    assert 'check("dropout_mask/capped", capped)' in text
    exercises = copy / "src" / "layers_book" / "exercises" / "a" / "dropout_mask.py"
    assert "dropout_mask/capped" in exercises.read_text("utf8")


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
