"""`make serve`: a saved text shows in the page, whatever folder the book lies in."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from sphinx_autobuild.filter import IgnoreFilter

import serve

ROOT = Path(__file__).parents[2]
HEAD = (ROOT / "tools/template/page.md").read_text("utf8").split("# TITLE")[0]
TOC = "format: jb-book\nroot: book/how-to-use\nchapters:\n  - file: notebooks/a/one\n"


@pytest.fixture
def copy(tmp_path):
    """The book with two pages, in a folder whose name would trip a pattern."""
    root = tmp_path / "src" / "my (book)" / "notebooks"
    root.mkdir(parents=True)
    for name in ("pyproject.toml", "requirements.lock", "_config.yml"):
        shutil.copy(ROOT / name, root)
    for name in ("tools", "src"):
        ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, root / name, ignore=ignore)
    (root / "_toc.yml").write_text(TOC)
    (root / "book" / "a").mkdir(parents=True)
    shutil.copy(ROOT / "book" / "how-to-use.md", root / "book")
    (root / "book" / "a" / "one.md").write_text(f"{HEAD}# One\n")
    return root


@pytest.fixture
def port():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


def shows(url, words, said):
    """Wait until the page has the words; give up where a build failed."""
    while "exit code" not in said.read_text():
        with suppress(OSError), urllib.request.urlopen(url) as answer:
            if words in answer.read().decode():
                return
        time.sleep(0.2)
    raise AssertionError(said.read_text())


def test_a_saved_text_is_executed_and_shown_after_one_build(copy, port):
    said, one = copy / "said", copy / "book" / "a" / "one.md"
    command = [sys.executable, copy / "tools" / "serve.py", str(port), "--no-browser"]
    with said.open("w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, start_new_session=True
        )
    try:
        site = f"http://127.0.0.1:{port}"
        shows(f"{site}/book/how-to-use.html", "</html>", said)
        one.write_text(one.read_text() + "\n```{code-cell}\nprint(12345 * 6)\n```\n")
        shows(f"{site}/notebooks/a/one.html", "74070", said)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
    assert said.read_text().count("Rebuilding") == 1, said.read_text()


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("book/basic/linear.md", True),
        ("src/helpers/_draw.py", True),
        ("_toc.yml", True),
        ("_config.yml", True),
        ("notebooks/basic/linear.ipynb", False),
        ("notebooks/basic/linear.partial", False),
        ("_build/html/book/index.html", False),
        ("conf.py", False),
        ("src/helpers/__pycache__/_draw.cpython-311.pyc", False),
        ("book/basic/.linear.md.swp", False),
        ("book/basic/linear.md~", False),
        ("tests/book/test_site.py", False),
    ],
)
def test_sources_alone_count_as_a_change(name, counts, monkeypatch):
    root = Path("/home/me/src/my (book)/notebooks")
    monkeypatch.setattr(serve, "ROOT", root)
    assert IgnoreFilter([], serve.ignored())(str(root / name)) != counts


def test_a_port_in_use_is_said_before_anything_is_built(port):
    with socket.socket() as door:
        door.bind(("127.0.0.1", port))
        door.listen()
        command = [sys.executable, ROOT / "tools" / "serve.py", str(port)]
        result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert re.fullmatch(
        rf"port={port}: .*in use; try make serve port=\d+\n", result.stdout
    )
