"""What `make` says where no environment, or nothing in it, can be made."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]
NOBODY = 65534


@pytest.fixture
def copy(tmp_path):
    """A checkout that asks for no package, in a folder with a blank in its name."""
    root = tmp_path / "my books"
    root.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, root)
    shutil.copytree(ROOT / "tools", root / "tools")
    (root / "requirements.txt").write_text("")
    for name in ("book", "notebooks", "src"):
        (root / name).mkdir()
    return root


def make(root, *words, **variables):
    command = ["make", "-s", *words]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    return subprocess.run(
        command, cwd=root, env=environment | variables, capture_output=True, text=True
    )


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "test $1 = -V && echo Python 3.10.4",
            r"is Python 3\.10\.4, the book needs >=3\.11",
        ),
        (
            "test $1 = -V && echo Python 2.7.18 >&2",
            r"is Python 2\.7\.18, the book needs",
        ),
        ("echo no such command >&2; exit 127", r"does not run, no such command"),
        (
            f'case $* in *ensurepip*) exit 1;; *) exec "{sys.executable}" "$@";; esac',
            r"lacks venv: apt install python3-venv",
        ),
    ],
    ids=["old", "very old", "none", "without venv"],
)
def test_an_unfit_python_is_named_before_anything_is_made(copy, tmp_path, text, words):
    python = script(tmp_path / "python", text)
    done = make(copy, ".venv/.ready", f"PYTHON={python}")
    assert done.returncode == 2
    assert re.search(rf"PYTHON={python} {words}.* make PYTHON=/path", done.stderr)
    assert not (copy / ".venv").exists()


def test_a_half_made_environment_is_made_anew_and_a_whole_one_kept(copy):
    script(copy / ".venv" / "bin" / "python", "exit 1")
    assert make(copy, ".venv/.ready", f"PYTHON={sys.executable}").returncode == 0
    run = [copy / ".venv" / "bin" / "python", "-c", "import pip"]
    assert subprocess.run(run).returncode == 0
    mark = copy / ".venv" / "mark"
    mark.touch()
    os.utime(copy / "requirements.txt", (2**31, 2**31))
    assert make(copy, ".venv/.ready", f"PYTHON={sys.executable}").returncode == 0
    assert mark.exists(), "what a changed requirement asks for is added"
    moved = copy.rename(copy.with_name("moved"))
    assert make(moved, ".venv/.ready", f"PYTHON={sys.executable}").returncode == 0
    assert not (moved / ".venv" / "mark").exists(), "its scripts name the old folder"


@pytest.mark.parametrize("torch", ["2.15.0", "lowest", "newest"])
def test_another_torch_has_an_environment_beside_ours(copy, torch):
    folder = f".venv-torch-{torch}-py{sys.version_info[0]}.{sys.version_info[1]}"
    words = [f"{folder}/.ready", f"torch={torch}", f"PYTHON={sys.executable}"]
    assert make(copy, *words).returncode == 0
    pins = (copy / folder / "constraints.txt").read_text().split("\n")[:-1]
    locked = (ROOT / "requirements.lock").read_text("utf8").split("\n")[:-1]
    bounds = [b.replace(">=", "==") for b in PROJECT["dependencies"]]
    others = [line for line in locked if not line.startswith("torch==")]
    wanted = {"lowest": bounds, "newest": [], "2.15.0": [*others, "torch==2.15.0"]}
    assert pins == wanted[torch]
    assert not (copy / ".venv").exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("cat /dev/zero > /dev/full", "The disk is full: free some space"),
        (
            f'"{sys.executable}" -m pip install -q --retries 1 -i https://x.invalid/ x',
            "The package index cannot be reached: check the network",
        ),
        (
            "touch /dev/null/x; echo Permission denied; exit 1",
            "You may not write there",
        ),
        ("echo a warning; echo; echo its end; exit 1", "a warning\n\nits end"),
        ("echo fine; echo 'x.md: WARNING: no such page'; exit 1", "x.md: WARNING: no"),
    ],
    ids=["disk", "network", "permission", "another", "sphinx"],
)
def test_a_failing_step_ends_in_what_to_do(command, words):
    run = ["sh", ROOT / "tools" / "quietly.sh", "sh", "-c", command]
    bare = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    done = subprocess.run(run, env=bare, capture_output=True, text=True)
    assert done.returncode
    assert words in done.stderr and "fine" not in done.stderr
    assert not done.stdout


def test_a_step_that_works_says_nothing():
    run = ["sh", ROOT / "tools" / "quietly.sh", "sh", "-c", "echo WARNING; echo x >&2"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_git_the_tests_say_so_before_they_start():
    run = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--alone", "notebooks"]
    bare = os.environ | {"PATH": ""}
    done = subprocess.run(run, cwd=ROOT, env=bare, capture_output=True, text=True)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr == (
        "ERROR: notebooks fetch their helpers by git: install it (apt install git)\n\n"
    )


def test_somebody_else_s_folder_is_named():
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        shutil.copy(ROOT / "Makefile", root)
        root.chmod(0o555)
        user = {"user": NOBODY} if os.geteuid() == 0 else {}
        run = ["make", "-s", "-C", root, "book"]
        done = subprocess.run(run, capture_output=True, text=True, **user)
        root.chmod(0o755)
    assert done.returncode == 2
    words = rf"You may not write in {name}, which belongs to \w+: clone the book into"
    assert re.search(words, done.stderr)


@pytest.mark.parametrize("home", ["/nonexistent", ""])
def test_without_a_home_there_is_one_in_build(copy, home):
    show = "--eval=show: ; @echo $$HOME"
    done = make(copy, show, "show", HOME=home)
    assert done.stdout == f"{copy}/_build/home\n"
    assert make(copy, show, "show", HOME=str(copy)).stdout == f"{copy}\n"
