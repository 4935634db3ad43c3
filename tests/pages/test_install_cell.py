"""The first cell of every notebook; `conftest.py` runs each of them alone."""

import subprocess
import tomllib
from pathlib import Path

import pytest

import pages as tool

ROOT = Path(__file__).parents[2]

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]


@pytest.mark.parametrize("where", ["module", "package"])
def test_another_helpers_is_reported_in_one_sentence(where, bare_environment, tmp_path):
    python = bare_environment(tmp_path / "environment")
    if where == "module":
        (tmp_path / "helpers.py").write_text("x = 1\n")
    else:
        (tmp_path / "helpers").mkdir()
        (tmp_path / "helpers" / "__init__.py").write_text("")
    cell = tmp_path / "cell.py"
    cell.write_text(tool.install_cell())
    result = subprocess.run(
        [python, cell], cwd=tmp_path, capture_output=True, text=True
    )
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: The `helpers` that Python finds, ")
    assert str(tmp_path) in last
    assert "not this book's: rename or uninstall it" in last


def test_url_and_tag_come_from_the_configuration():
    cell = tool.install_cell()
    assert f"git+{PROJECT['urls']['Repository']}" in cell
    assert f"@v{PROJECT['version']}" in cell
    config = (ROOT / "_config.yml").read_text("utf8")
    assert f"url: {PROJECT['urls']['Repository']}\n" in config
