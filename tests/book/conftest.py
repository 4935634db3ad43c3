"""The built book, served on this machine."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pages as tool
from site_server import HTML, ROOT, serve


@pytest.fixture(scope="session")
def base() -> Iterator[str]:
    assert (HTML / "index.html").exists(), "build the book first: make book"
    with serve(HTML) as address:
        yield address


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page `asking.md` and those that show what is kept, built as the book is."""
    root = tmp_path_factory.mktemp("small")
    for name in ("_config.yml", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, root)
    shutil.copytree(ROOT / "tools" / "site", root / "tools" / "site")
    (root / "src").symlink_to(ROOT / "src")
    frozen = ROOT / "_build" / "exercises"  # what took long is made once
    frozen.mkdir(parents=True, exist_ok=True)
    (root / "_build").mkdir()
    (root / "_build" / "exercises").symlink_to(frozen)
    (root / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters:\n  - file: notebooks/a/asking\n"
        "  - file: book/review\n  - file: book/progress\n"
    )
    (root / "book" / "a").mkdir(parents=True)
    continued = "<book-continue>\n</book-continue>"
    (root / "book" / "index.md").write_text(f"# Small\n\nA book.\n\n{continued}\n")
    for page in ("review", "progress"):
        shutil.copy(ROOT / "book" / f"{page}.md", root / "book")
    shutil.copy(ROOT / "tests/book/asking.md", root / "book" / "a")
    tool.execute("a/asking", root)
    book = Path(sys.executable).with_name("jupyter-book")
    build = [book, "build", ".", "-n", "-W", "-q"]
    done = subprocess.run(build, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    with serve(root / "_build" / "html") as address:
        yield f"{address}notebooks/a/asking.html"
