"""The regression net catches: each mutation of a page turns the suite red."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import pages as tool

ROOT = Path(__file__).parents[2]

PAGE = "normalization/layer_norm"


@pytest.fixture
def copy(tmp_path):
    """A copy of the parts of the repository that a page is made of."""
    package = ("pyproject.toml", "requirements.lock", "README.md", "LICENSE-CODE")
    for name in ("_toc.yml", "conftest.py", *package):
        shutil.copy(ROOT / name, tmp_path)
    for half, path in zip(tool.halves(PAGE), tool.halves(PAGE, tmp_path), strict=True):
        path.parent.mkdir(parents=True)
        shutil.copy(half, path)
    shutil.copytree(ROOT / "src", tmp_path / "src")
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "nbval_sanitize.cfg", tmp_path / "tests")
    return tmp_path


def nbval(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the page under nbval with the helpers of this copy."""
    page = tool.halves(PAGE, root)[1]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", page, "-n", "0", *options],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
    )


def first_output(notebook, kind):
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if kind in output or kind in output.get("data", {}):
                return cell, output
    raise LookupError(kind)


def store(root, notebook):
    """Write it with a digest that fits, as a careless tool would."""
    notebook.metadata.layers_book["digest"] = tool.digest(notebook)
    nbformat.write(notebook, tool.halves(PAGE, root)[1])


def test_changed_number_and_removed_output(copy):
    assert tool.problems(PAGE, copy) == []
    path = tool.halves(PAGE, copy)[1]
    stored = nbformat.read(path, 4)
    digits = [
        (cell, output)
        for cell in stored.cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream" and any(c.isdigit() for c in output.text)
    ]
    changed, output = digits[0]
    place = next(i for i, c in enumerate(output.text) if c.isdigit())
    other = str((int(output.text[place]) + 1) % 10)
    output["text"] = output.text[:place] + other + output.text[place + 1 :]
    emptied = digits[-1][0]
    assert emptied is not changed
    emptied.outputs = []
    nbformat.write(stored, path)
    assert any("edited by hand" in p for p in tool.problems(PAGE, copy))
    store(copy, stored)  # even where the digest fits, nbval must see both
    run = nbval(copy)
    assert run.returncode == 1
    others = sum(cell.cell_type == "code" for cell in stored.cells) - 2
    assert f"2 failed, {others} passed" in run.stdout, run.stdout[-3000:]


def test_changed_helper_formula(copy):
    source = copy / "src" / "helpers" / "_inspect.py"
    text = source.read_text("utf8")
    assert "p.numel() for name" in text
    source.write_text(text.replace("p.numel() for name", "p.numel() + 1 for name"))
    # by way of the last cell: the notebook is alone, with helpers that pip installed
    path = tool.halves(PAGE, copy)[1]
    stored = nbformat.read(path, 4)
    alone = "import os, helpers\n(os.listdir(), 'site-packages' in helpers.__file__)"
    cell = nbformat.v4.new_code_cell(alone, execution_count=99)
    data = {"text/plain": "([], True)"}
    cell.outputs = [nbformat.v4.new_output("execute_result", data, execution_count=99)]
    stored.cells.append(cell)
    nbformat.write(stored, path)
    run = nbval(copy, "--alone", "-rA")
    assert run.returncode == 1
    counts = [
        number
        for number, cell in enumerate(c for c in stored.cells if c.cell_type == "code")
        if "parameter_count(" in cell.source
    ]
    (line,) = [s for s in run.stdout.splitlines() if " failed, " in s]
    assert line.startswith(f"{len(counts)} failed, "), run.stdout[-3000:]
    assert all(f"FAILED notebooks/{PAGE}.ipynb::Cell {n}" in run.stdout for n in counts)


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("helpers/_inspect.py", "p.numel() for", "p.numel() + 1 for", True),
        ("helpers/_inspect.py", "import", "# why\nimport", False),
        (
            "layers_book/exercises/normalization/layer_norm.py",
            "\nEXERCISES",
            "\nX = 1\nEXERCISES",
            True,
        ),
        (
            "layers_book/exercises/normalization/group_norm.py",
            "\nEXERCISES",
            "\nX = 1\nEXERCISES",
            False,
        ),
        ("layers_book/figures/minified/normalized_axes.js", "=", "= ", True),
        ("layers_book/figures/minified/core.js", "=", "= ", True),
        ("layers_book/figures/minified/lookup_table.js", "=", "= ", False),
        ("layers_book/checking/check.py", "return", "return ", False),
    ],
)
def test_what_a_page_uses_changed(copy, file, old, new, told):
    source = copy / "src" / file
    text = source.read_text("utf8")
    assert old in text
    source.write_text(text.replace(old, new, 1))
    wanted = [f"changed since: {file}: run `make notebooks`"] if told else []
    assert tool.problems(PAGE, copy) == wanted


def test_an_exercise_that_is_no_python(copy):
    name = "layers_book/exercises/normalization/layer_norm.py"
    source = copy / "src" / name
    source.write_text("x = (1,\n     2 3)\n")
    (said,) = tool.problems(PAGE, copy)
    assert said.startswith(f"{source}, line 2: ")


def test_a_kernel_that_dies_says_why(copy):
    broken = copy / "src" / "ipykernel_launcher.py"
    broken.write_text("raise ImportError('no kernel today')\n")
    run = nbval(copy, "-k", "Cell and 0")
    assert run.returncode == 1
    assert "ImportError: no kernel today" in run.stdout, run.stdout[-3000:]


def test_removed_picture(copy):
    path = tool.halves(PAGE, copy)[1]
    stored = nbformat.read(path, 4)
    cell, output = first_output(stored, "image/png")
    cell.outputs.remove(output)
    nbformat.write(stored, path)
    assert any("edited by hand" in p for p in tool.problems(PAGE, copy))


def test_stripped_notebook(copy):
    path = tool.halves(PAGE, copy)[1]
    stored = nbformat.read(path, 4)
    for cell in stored.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    store(copy, stored)
    assert any("stripped" in p for p in tool.problems(PAGE, copy))


def test_executed_out_of_order(copy):
    path = tool.halves(PAGE, copy)[1]
    stored = nbformat.read(path, 4)
    code = [c for c in stored.cells if c.cell_type == "code"]
    code[1].execution_count, code[2].execution_count = 3, 2
    store(copy, stored)
    assert any("out of order" in p for p in tool.problems(PAGE, copy))


@pytest.mark.parametrize("half", ["text", "notebook"])
def test_code_edited_without_execution(copy, half):
    text, path = tool.halves(PAGE, copy)
    if half == "text":
        text.write_text(text.read_text("utf8").replace("begin()", "begin(1)"))
    else:
        stored = nbformat.read(path, 4)
        stored.cells[-1].source += "\nOne more sentence."
        store(copy, stored)
    assert any("differ" in p for p in tool.problems(PAGE, copy))


def test_missing_half(copy):
    tool.halves(PAGE, copy)[1].unlink()
    assert tool.problems(PAGE, copy) == [f"missing: notebooks/{PAGE}.ipynb"]


def test_a_stored_error_or_warning(copy):
    path = tool.halves(PAGE, copy)[1]
    for output, word in (
        (nbformat.v4.new_output("error", ename="ValueError", traceback=[]), "stores V"),
        (nbformat.v4.new_output("stream", name="stderr", text="old"), "warning"),
    ):
        stored = nbformat.read(path, 4)
        [c for c in stored.cells if c.cell_type == "code"][2].outputs.append(output)
        store(copy, stored)
        assert any(word in p for p in tool.problems(PAGE, copy))
    json.loads(path.read_text("utf8"))
