"""A notebook alone in an empty folder, as in Colab: its first cell fetches helpers."""

import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import notebooks as tool  # noqa: E402

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
PACKAGE = ("src", "pyproject.toml", "README.md", "LICENSE-CODE")


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The working tree as a repository that has the release's tag."""
    copy = tmp_path_factory.mktemp("origin") / "repository"
    files = subprocess.check_output(
        [
            "git",
            "ls-files",
            "-coz",
            "--exclude-standard",
            "src",
            "pyproject.toml",
            "*E*",
        ],
        cwd=ROOT,
    )
    for name in filter(None, files.decode().split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    for command in (
        ["init", "-q", "-b", "main"],
        ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "copy"],
        ["tag", f"v{PROJECT['version']}"],
    ):
        subprocess.run(["git", *command], cwd=copy, check=True)
    return copy


def environment(place):
    """An environment with everything but helpers, which is installed by a .pth file."""
    venv.create(place, symlinks=True)
    (site,) = place.glob("lib/python*/site-packages")
    (site / "everything.pth").write_text(sysconfig.get_path("purelib"))
    interpreter = place / "bin" / "python"
    assert found(interpreter, "helpers", place) == "None"
    return interpreter


def found(python, module, folder):
    """Where an interpreter finds a module, without importing it."""
    code = (
        "from importlib.util import find_spec\n"
        f"print(getattr(find_spec({module!r}), 'origin', None))"
    )
    return subprocess.check_output([python, "-c", code], cwd=folder, text=True).strip()


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """One for all pages: the first cell of the first page installs helpers into it."""
    return environment(tmp_path_factory.mktemp("alone") / "environment")


def run(page, python, folder, monkeypatch, repository=None):
    """Execute the stored notebook alone in a folder and return it."""
    notebook = nbformat.read(tool.halves(page)[1], 4)
    spec = folder / "kernels" / "alone"
    spec.mkdir(parents=True)
    argv = f'["{python}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"]'
    (spec / "kernel.json").write_text(f'{{"argv": {argv}, "display_name": "alone"}}')
    monkeypatch.setenv("JUPYTER_PATH", str(folder))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if repository is not None:
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{repository}.insteadOf")
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", PROJECT["urls"]["Repository"])
    empty = folder / "empty"
    empty.mkdir(exist_ok=True)
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="alone",
        coalesce_streams=True,
        resources={"metadata": {"path": str(empty)}},
    ).execute()
    return notebook


def texts(notebook):
    """What each code cell after the first says, but for those that nbval ignores."""
    return [
        [
            output.get("text") or output.get("data", {}).get("text/plain")
            for output in cell.outputs
        ]
        for cell in notebook.cells
        if cell.cell_type == "code"
        and "nbval-ignore-output" not in cell.metadata.get("tags", [])
    ][1:]


@pytest.mark.parametrize("page", tool.pages())
def test_alone_in_an_empty_folder(page, python, repository, tmp_path, monkeypatch):
    alone = run(page, python, tmp_path, monkeypatch, repository)
    assert texts(alone) == texts(nbformat.read(tool.halves(page)[1], 4))
    place = str(python.parents[1])
    ours = found(python, "helpers", tmp_path)
    assert ours.startswith(place), "helpers came from the repository"
    torch = found(python, "torch", tmp_path)
    assert not torch.startswith(place), "the installed torch stays"


@pytest.mark.parametrize("where", ["module", "package"])
def test_another_helpers_is_reported_in_one_sentence(where, tmp_path):
    python = environment(tmp_path / "environment")
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
