"""Text and notebook are two halves of one page, and _toc.yml knows both."""

import re
from pathlib import Path

import nbformat
import pytest

import pages as tool

ROOT = Path(__file__).parents[2]

PAGES = tool.pages()


@pytest.mark.parametrize("page", PAGES)
def test_both_halves_are_fresh(page):
    assert tool.problems(page) == []


def test_every_half_is_in_the_table_of_contents():
    texts = {
        str(p.relative_to(ROOT / "book").with_suffix(""))
        for p in (ROOT / "book").rglob("*.md")
        if "code-cell" in p.read_text("utf8")
    }
    stored = {
        str(p.relative_to(ROOT / "notebooks").with_suffix(""))
        for p in (ROOT / "notebooks").rglob("*.ipynb")
        if ".ipynb_checkpoints" not in p.parts
    }
    assert texts == set(PAGES)
    assert stored == set(PAGES)
    toc = (ROOT / "_toc.yml").read_text("utf8")
    prose = {p.stem for p in (ROOT / "book").glob("*.md")}
    assert prose == set(re.findall(r"book/(\S+)", toc))


@pytest.mark.parametrize("page", PAGES)
def test_notebooks_stay_small(page):
    assert (ROOT / "notebooks" / f"{page}.ipynb").stat().st_size < 500_000


@pytest.mark.parametrize("page", PAGES)
def test_outputs_depend_on_no_machine(page):
    stored = nbformat.read(ROOT / "notebooks" / f"{page}.ipynb", 4)
    for cell in stored.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            text = output.get("text", "") + data.get("text/plain", "")
            leak = re.search(
                r"0x[0-9a-f]{6,}|/home/|/root/|/tmp/|site-packages|cuda:\d", text
            )
            assert leak is None, f"{page} stores {leak and leak[0]!r}"


@pytest.mark.parametrize("page", PAGES)
def test_every_picture_has_words(page):
    stored = nbformat.read(ROOT / "notebooks" / f"{page}.ipynb", 4)
    for cell in stored.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data and "text/html" not in data:
                alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
                assert len(alt) > 20, f"{page}: no alternative text in\n{cell.source}"


@pytest.mark.parametrize("page", PAGES)
def test_house_style(page):
    text = (ROOT / "book" / f"{page}.md").read_text("utf8")
    for number, line in enumerate(text.splitlines(), 1):
        assert not re.match(r"^```\{(?!code-cell)|^:::", line), f"{page}:{number}"
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    found = re.findall(r"\b(?:simply|obviously|just)\b", prose, re.IGNORECASE)
    assert not found, f"{page} says {found}"
    cells = [c for c in tool.read(page).cells if c.cell_type == "code"][1:]
    for cell in cells:
        lines = cell.source.splitlines()
        assert max(map(len, lines)) <= 88, f"{page}: long line in\n{cell.source}"
        assert len(lines) <= 30, f"{page}: a cell of {len(lines)} lines\n{cell.source}"
    assert re.search(r"^## .*Exercise", text, re.MULTILINE), f"{page}: no exercises"
    assert re.search(r"^## Sources", text, re.MULTILINE), f"{page}: no sources"
