"""How nbval runs a notebook: where it lies; with `--alone` as a stranger's would.

Alone it runs in an empty folder of an environment that has no helpers. So its first
cell has to fetch them, as in Colab: from the working tree, which git takes for the
public repository. `make test` runs the notebooks so.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from nbval.plugin import IPyNbCell

# a process a core: torch's threads in each would wait for those of the others
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
MADE = shutil.ignore_patterns("__pycache__", "*.egg-info")
# runs among the page's own names, so it leaves none
FAKE = "import sys\nsys.path.append({!r})\nimport fake_gpu\ndel sys, fake_gpu\n"
ENTER = 'cd "$(mktemp -d "$0/XXXXXX")" && exec "$@"'


class Alone(NamedTuple):
    """The Python that runs notebooks alone, and where its packages go."""

    python: Path
    site: Path


ALONE = pytest.StashKey[Alone]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where a notebook runs."""
    say = "run the notebooks in an empty folder of an environment without helpers"
    parser.addoption("--alone", action="store_true", help=say)


def pytest_configure(config: pytest.Config) -> None:
    """Give kernels the fake GPU where it is asked for, and matplotlib a home folder."""
    if config.getoption("alone") and shutil.which("git") is None:
        raise pytest.UsageError(
            "notebooks fetch their helpers by git: install it (apt install git)"
        )
    place = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    config.add_cleanup(place.cleanup)
    if os.environ.get("LAYERS_BOOK_DEVICE") == "fake":
        startup = Path(place.name, "profile_default", "startup")
        startup.mkdir(parents=True)
        (startup / "fake.py").write_text(FAKE.format(str(ROOT / "tests")))
        os.environ |= {"IPYTHONDIR": place.name, "LAYERS_BOOK_DEVICE": "cuda"}
    # without one it would warn in a cell
    if "MPLCONFIGDIR" not in os.environ and not os.access(Path.home(), os.W_OK):
        os.environ["MPLCONFIGDIR"] = place.name


def environment(place: Path) -> Path:
    """Python in an environment that has, by a .pth file, everything but helpers."""
    venv.create(place, symlinks=True)
    (site,) = place.glob("lib/python*/site-packages")
    (site / "everything.pth").write_text(sysconfig.get_path("purelib"))
    python = place / "bin" / "python"
    find = "from importlib.util import find_spec; print(find_spec('helpers'))"
    bare = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    found = subprocess.check_output([python, "-c", find], cwd=place, env=bare)
    assert found == b"None\n"
    return python


def repository(place: Path) -> Path:
    """What pip installs of the working tree, as a repository with the release's tag."""
    shutil.copytree(ROOT / "src", place / "src", ignore=MADE)
    for name in ("pyproject.toml", "README.md", "LICENSE-CODE"):
        shutil.copy(ROOT / name, place)
    for command in (
        ["init", "-q", "-b", "main"],
        ["add", "-A"],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "copy"],
        ["tag", f"v{PROJECT['version']}"],
    ):
        # a user's own settings might ask for a signature, or run hooks
        bare = os.environ | {
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        subprocess.run(["git", *command], cwd=place, env=bare, check=True)
    return place


def kernel(place: Path) -> Alone:
    """Install a kernel `alone` under a folder."""
    python, empty = environment(place / "environment"), place / "empty"
    empty.mkdir()
    run = ["sh", "-c", ENTER, str(empty), str(python)]
    origin = repository(place / "repository")
    variables = {
        "PYTHONPATH": "",
        "PIP_CONSTRAINT": os.devnull,  # a machine's own might forbid the torch here
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{origin.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": PROJECT["urls"]["Repository"],
    }
    spec = {
        "argv": [*run, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "alone",
        "language": "python",
        "env": variables,
    }
    folder = place / "kernels" / "alone"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec))
    (site,) = python.parents[1].glob("lib/python*/site-packages")
    return Alone(python, site)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Make the kernel for all notebooks before the first; say why a kernel dies."""
    if not isinstance(item, IPyNbCell):
        return (yield)
    config = item.config
    if config.getoption("alone") and ALONE not in config.stash:
        place = tempfile.TemporaryDirectory(prefix="alone-", ignore_cleanup_errors=True)
        config.add_cleanup(place.cleanup)
        config.stash[ALONE] = kernel(Path(place.name))
        os.environ["JUPYTER_PATH"] = place.name
        config.option.nbval_current_env = False
        config.option.nbval_kernel_name = "alone"
    try:
        return (yield)
    except RuntimeError as error:
        # nbval throws away what its kernel says: start one once more to hear it
        python = config.stash[ALONE].python if ALONE in config.stash else sys.executable
        start = [python, "-m", "ipykernel_launcher", "--version"]
        said = subprocess.run(start, capture_output=True, text=True).stderr.strip()
        raise RuntimeError(f"{error}\n{' '.join(map(str, start))}\n{said}") from error


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Alone, a notebook has its own helpers after its first cell, the rest stays."""
    yield
    if isinstance(item, IPyNbCell) and ALONE in item.config.stash:
        site = item.config.stash[ALONE].site
        assert (site / "helpers" / "__init__.py").exists(), "no helpers were fetched"
        for kept in ("torch", "numpy", "ipywidgets"):
            assert not (site / kept).exists(), f"the installed {kept} stays"


@pytest.fixture(scope="session")
def bare_environment() -> Callable[[Path], Path]:
    """Makes a Python with everything but helpers in a folder."""
    return environment
