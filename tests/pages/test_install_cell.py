"""The first cell of every notebook; `conftest.py` runs each of them alone."""

import importlib.metadata
import os
import re
import subprocess
import tomllib
import venv
from pathlib import Path

import pytest

import pages as tool

ROOT = Path(__file__).parents[2]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]


def run(python, folder, **variables):
    """What the cell says on stderr, run in a folder."""
    cell = folder / "cell.py"
    cell.write_text(tool.install_cell())
    environment = os.environ | variables
    done = subprocess.run(
        [python, cell], cwd=folder, env=environment, capture_output=True, text=True
    )
    return done.stderr.strip()


@pytest.mark.parametrize("where", ["module", "package"])
def test_another_helpers_is_reported_in_one_sentence(where, bare_environment, tmp_path):
    python = bare_environment(tmp_path / "environment")
    if where == "module":
        (tmp_path / "helpers.py").write_text("x = 1\n")
    else:
        (tmp_path / "helpers").mkdir()
        (tmp_path / "helpers" / "__init__.py").write_text("")
    last = run(python, tmp_path).splitlines()[-1]
    assert last.startswith("ImportError: The `helpers` that Python finds, ")
    assert str(tmp_path) in last
    assert "not this book's: rename or uninstall it" in last


def test_pip_is_told_to_keep_what_is_installed(tmp_path, bare_environment):
    """torch, NumPy and ipywidgets are named to pip as they are here."""
    python = bare_environment(tmp_path / "environment")
    ask = tmp_path / "pip" / "__main__.py"
    ask.parent.mkdir()
    (ask.parent / "__init__.py").write_text("")
    ask.write_text(
        "import pathlib, sys; sys.exit(pathlib.Path(sys.argv[-2]).read_text())"
    )
    said = run(python, tmp_path).splitlines()
    for name in ("torch", "numpy", "ipywidgets"):
        assert f"{name}=={importlib.metadata.version(name)}" in said


@pytest.mark.parametrize(
    ("there", "last"),
    [
        (["git"], r"ImportError: No pip here: run `\S+ -m ensurepip` first\."),
        (["uv"], r"ImportError: No git here: install it, and run this cell again\."),
        (["git", "uv"], r"ImportError: .* could not be installed: there is no network"),
    ],
    ids=["no pip", "no git", "no network"],
)
def test_what_is_missing_is_said_in_one_sentence(there, last, tmp_path):
    """uv stands in for pip where it made the environment; here it finds no network."""
    venv.create(tmp_path / "environment", symlinks=True)
    (tmp_path / "bin").mkdir()
    for name in there:
        file = tmp_path / "bin" / name
        file.write_text("#!/bin/sh\necho 'Could not resolve host: x' >&2; exit 1\n")
        file.chmod(0o755)
    python = tmp_path / "environment" / "bin" / "python"
    said = run(python, tmp_path, PATH=str(tmp_path / "bin"))
    assert re.fullmatch(last, said.splitlines()[-1])


def test_url_and_tag_come_from_the_configuration():
    cell = tool.install_cell()
    assert f"git+{PROJECT['urls']['Repository']}" in cell
    assert f"@v{PROJECT['version']}" in cell
    config = (ROOT / "_config.yml").read_text("utf8")
    assert f"url: {PROJECT['urls']['Repository']}\n" in config
