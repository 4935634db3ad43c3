"""make last: pages at ten times the training, and what is kept of it and shown."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import last
from helpers import _training

ROOT = Path(__file__).parents[2]
HEAD = (ROOT / "tools" / "template" / "page.md").read_text("utf8").split("# TITLE")[0]
# as helpers.steps, without torch, which takes its time
IMPORT = "import os\nsteps = lambda n: n * int(os.environ['LAYERS_BOOK_FACTOR'])"
TRAINS = "total = 0\nfor step in range(steps(3)):\n    total += step\nprint(total)"
SAME = "print('early', 2)"
CLOCK = "# -\n---\ntags: [nbval-ignore-output]\n---\nprint(total)"


@pytest.fixture
def copy(tmp_path):
    """A repository of two pages: one trains, one does not."""
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    install = "src/layers_book/_install_cell.py"
    (tmp_path / install).parent.mkdir(parents=True)
    shutil.copy(ROOT / install, tmp_path / install)
    (tmp_path / "book" / "a").mkdir(parents=True)
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\n"
        "chapters:\n  - file: notebooks/a/one\n  - file: notebooks/a/two\n"
    )
    write(tmp_path, IMPORT, TRAINS, SAME, CLOCK.partition("-\n")[2])
    write(tmp_path, "draw_steps = print\ndraw_steps(3)  # no steps(3)", page="two")
    return tmp_path


def write(root, *cells, page="one"):
    code = "".join(f"\n```{{code-cell}} python\n{c}\n```\n" for c in cells)
    (root / "book" / "a" / f"{page}.md").write_text(f"{HEAD}# Page\n{code}")


def run(root, script, *arguments):
    command = [sys.executable, root / "tools" / script, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def stored(root):
    return nbformat.read(root / "notebooks" / "a" / "one.ipynb", 4)


def test_what_differs_at_ten_times_is_kept(copy):
    assert run(copy, "pages.py").returncode == 0
    before = (copy / "notebooks" / "a" / "one.ipynb").read_bytes()
    (missing,) = last.problems("a/one", copy)
    assert missing == (
        "notebooks/a/one.last.json is missing: run `make last page=a/one`"
    )
    result = run(copy, "last.py", "10")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout == (
        "a/two: skipped, no cell calls steps(...)\n"
        "[1/1] a/one: lasts at 10 times the training, 1 outputs differ\n"
    )
    path = copy / "notebooks" / "a" / "one.last.json"
    assert path == last.record("a/one", copy)
    text = path.read_text("utf8")
    (trains,) = [c.id for c in stored(copy).cells if "steps(3)" in c.source]
    assert json.loads(text) == {
        "factor": 10,
        "torch": stored(copy).metadata.layers_book.torch,
        "trained": [trains],
        "cells": {trains: {"text": "435\n"}},
    }
    assert text.endswith("}\n")
    assert last.problems("a/one", copy) == last.problems("a/two", copy) == []
    assert (copy / "notebooks" / "a" / "one.ipynb").read_bytes() == before
    names = sorted(p.name for p in path.parent.iterdir())
    assert names == ["one.ipynb", "one.last.json", "two.ipynb"]
    assert run(copy, "last.py", "3", "a/one").returncode == 0
    assert path.read_text("utf8") == text, "less than ten times is not kept"


def test_a_claim_that_does_not_last_is_named(copy):
    write(copy, IMPORT, TRAINS, "assert total < 400, 'it grew'")
    write(copy, f"{IMPORT}\nprint(steps(2))", page="two")
    assert run(copy, "pages.py").returncode == 0
    result = run(copy, "last.py", "10")
    assert result.returncode == 1
    assert "a/one: a cell raised" in result.stdout
    assert "assert total < 400, 'it grew'" in result.stdout, "the cell is shown"
    assert "AssertionError: it grew" in result.stdout
    assert "a/two: lasts at 10 times the training, 1 outputs" in result.stdout
    assert not last.record("a/one", copy).exists()
    assert last.record("a/two", copy).exists()


def test_a_stale_notebook_is_not_compared(copy):
    with pytest.raises(ValueError, match="differ: run `make notebooks` before"):
        last.execute("a/one", 10, copy)
    (copy / "book" / "a" / "one.md").unlink()
    result = run(copy, "last.py", "10", "a/one")
    assert result.returncode == 1
    assert "[1/1] a/one: " in result.stdout
    assert "one.md" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.parametrize("factor", ["", "0", "1", "-10", "2.5", "ten", "١٠"])
def test_a_bad_factor_is_named(factor, capsys):
    assert last.main(factor) == 2
    said = f"factor={factor!r}: give a whole number from 2 on\n"
    assert capsys.readouterr() == ("", said)


def test_an_unknown_page_is_named(capsys):
    assert last.main("10", "basic/linaer") == 2
    said = "page='basic/linaer' is not in _toc.yml: did you mean basic/linear"
    assert capsys.readouterr().err.startswith(said)


def test_one_variable_for_pages_and_helpers():
    assert last.pages.FACTOR == _training.FACTOR


def test_notebooks_are_stored_as_trained_once(copy, monkeypatch):
    monkeypatch.setenv("LAYERS_BOOK_FACTOR", "10")
    assert run(copy, "pages.py").returncode == 0
    shown = last.printed(stored(copy))
    assert [text for text in shown.values() if text] == ["3\n", "early 2\n"]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("factor", 9, "made at 9 times the training, not 10"),
        ("torch", "2.0.0", "made with torch 2.0.0, the lock has"),
        ("trained", [], "the cells that train are ["),
        ("cells", {"0-1": {"text": ""}}, "the notebook has no cells ['0-1']"),
    ],
)
def test_a_stale_record_is_named(copy, name, value, told):
    notebook = last.pages.read("a/one", copy)
    path = last.record("a/one", copy)
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path.parent / "one.ipynb")
    kept = {
        "factor": 10,
        "torch": last.pages.locked_torch(),
        "trained": last.trained(notebook),
        "cells": {},
    }
    path.write_text(json.dumps(kept))
    assert last.problems("a/one", copy) == []
    path.write_text(json.dumps(kept | {name: value}))
    (said,) = last.problems("a/one", copy)
    assert told in said
    assert said.endswith("run `make last page=a/one`")


def test_a_page_that_trains_no_more_keeps_no_record(copy):
    assert run(copy, "pages.py", "a/two").returncode == 0
    path = last.record("a/two", copy)
    path.write_text("{}\n")
    (said,) = last.problems("a/two", copy)
    assert said.endswith("no cell calls steps(...): remove it")
    assert run(copy, "last.py", "10", "a/two").returncode == 0
    assert last.problems("a/two", copy) == []


@pytest.mark.parametrize(
    ("code", "trains"),
    [
        ("run(steps(3))", True),
        ("def train():\n    return steps(3)", True),
        ("draw_steps(3)", False),
        ("self.steps(3)", False),
        ("print('steps(3)')  # steps(3)", False),
        ("from helpers import steps", False),
        ("steps(3", False),
    ],
)
def test_which_cells_train(code, trains):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    assert bool(last.trained(notebook)) == trains
    assert last.trained(notebook) in ([], [notebook.cells[0].id])


def test_only_plain_text_is_compared():
    new = nbformat.v4.new_output
    picture = {"image/png": "iVBO", "text/plain": "<Figure>"}
    table = _training._Table([["e", "f"], ["1", "2"]], [False, False])._repr_html_()
    cell = nbformat.v4.new_code_cell(
        outputs=[
            new("stream", text="a\n"),
            new("stream", name="stderr", text="b\n"),
            new("display_data", picture),
            new("display_data", {"text/html": "<p>c</p>", "text/plain": "c"}),
            new("execute_result", {"text/plain": "d"}),
            new("display_data", {"text/html": table, "text/plain": "e  f\n1  2"}),
        ]
    )
    clock = nbformat.v4.new_code_cell(metadata={"tags": ["nbval-ignore-output"]})
    notebook = nbformat.v4.new_notebook(cells=[cell, clock])
    assert last.printed(notebook) == {cell.id: "a\nd\ne  f\n1  2\n"}


def test_the_book_shows_it_under_the_cell(tmp_path):
    new = nbformat.v4.new_output
    cells = [nbformat.v4.new_markdown_cell("# Page")]
    for number in range(3):
        output = [new("stream", text=f"once {number}\n")] if number < 2 else []
        code = f"print({number})"
        cells.append(
            nbformat.v4.new_code_cell(code, outputs=output, execution_count=number + 1)
        )
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, tmp_path / "index.ipynb")
    more = {cells[i].id: {"text": f"<b> & {i}\n"} for i in (2, 3)}
    kept = {"factor": 10, "cells": more | {cells[1].id: {"text": ""}}}
    (tmp_path / "index.last.json").write_text(json.dumps(kept))
    (tmp_path / "conf.py").write_text(
        f"import sys\nsys.path.append({str(ROOT / 'tools' / 'site')!r})\n"
        "extensions = ['myst_nb', 'more_training']\nnb_execution_mode = 'off'\n"
    )
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", ".", "out"]
    built = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    page = (tmp_path / "out" / "index.html").read_text("utf8")
    box = (
        '<details class="last prose"><summary>With ten times the training</summary>'
        "<pre>&lt;b&gt; &amp; 2\n</pre></details>"
    )
    assert page.count("<details") == 1
    before, _, after = page.partition(box)
    assert before.rindex("once 1") > before.rindex("<pre>"), "under the cell's output"
    assert "cell_output" not in after
