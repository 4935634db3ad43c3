"""Text and notebook are one page, which keeps the rules of CONTRIBUTING's list."""

import re
from pathlib import Path

import nbformat
import pytest

import last
import pages as tool
import references

ROOT = Path(__file__).parents[2]
PAGES = tool.pages()
BANNED = re.compile(r"\b(?:simply|obviously|just)\b", re.IGNORECASE)
MACHINE = re.compile(r"0x[0-9a-f]{6,}|/home/|/root/|/tmp/|site-packages|cuda:\d")
DIRECTIVE = re.compile(r"^```\{(?!code-cell)|^:::")
LONGEST_CELL, WIDEST_LINE, LARGEST = 30, 88, 500_000


@pytest.mark.parametrize("page", PAGES)
def test_both_halves_are_fresh(page):
    found = tool.problems(page)
    assert not found, f"{page}: {'; '.join(found)}"


@pytest.mark.parametrize("page", PAGES)
def test_more_training_was_tried(page):
    found = last.problems(page)
    assert not found, "; ".join(found)


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
    records = set((ROOT / "notebooks").rglob("*.last.json"))
    assert records <= set(map(last.record, PAGES)), "records of more training"
    assert texts == set(PAGES), "pages under book/, and those of _toc.yml"
    assert stored == set(PAGES), "notebooks, and those of _toc.yml"
    toc = (ROOT / "_toc.yml").read_text("utf8")
    prose = {p.stem for p in (ROOT / "book").glob("*.md")}
    assert prose == set(re.findall(r"book/(\S+)", toc)), "prose, and that of _toc.yml"


def test_references_list_the_sources_of_the_pages():
    text = (ROOT / "book/references.md").read_text("utf8")
    assert text == references.page(), "book/references.md: run `make notebooks`"


@pytest.mark.parametrize("page", PAGES)
def test_notebooks_stay_small(page):
    size = (ROOT / "notebooks" / f"{page}.ipynb").stat().st_size
    assert size < LARGEST, f"notebooks/{page}.ipynb: {size} bytes, under {LARGEST}"


def outputs(page):
    """Each stored output of a page with its cell."""
    stored = nbformat.read(ROOT / "notebooks" / f"{page}.ipynb", 4)
    for cell in stored.cells:
        for output in cell.get("outputs", []):
            yield cell, output


@pytest.mark.parametrize("page", PAGES)
def test_outputs_depend_on_no_machine(page):
    for cell, output in outputs(page):
        text = output.get("text", "") + output.get("data", {}).get("text/plain", "")
        leak = MACHINE.search(text)
        assert leak is None, (
            f"{page}, cell [{cell.execution_count}]: an output names an address, a "
            f"folder or a device: {leak and leak[0]!r}"
        )


@pytest.mark.parametrize("page", PAGES)
def test_every_picture_has_words(page):
    for cell, output in outputs(page):
        if "image/png" in output.get("data", {}):
            # where `make notebooks` writes them: a plot's from its cell's mystnb
            alt = output.metadata.get("image/png", {}).get("alt", "")
            assert len(alt) > 20, (
                f"{page}, cell [{cell.execution_count}]: a picture's alternative text "
                f"has over 20 characters, not {alt!r}\n{cell.source}"
            )


@pytest.mark.parametrize("page", PAGES)
def test_house_style(page):
    text = (ROOT / "book" / f"{page}.md").read_text("utf8")
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        place = f"book/{page}.md, line {number}"
        assert not DIRECTIVE.match(line), f"{place}: plain Markdown only: {line}"
        fenced ^= line.startswith("```")
        words = [] if fenced else BANNED.findall(line)
        assert not words, f"{place}: without {', '.join(words)}: {line}"
    for heading in ("Exercise", "Sources"):
        assert re.search(rf"^## .*{heading}", text, re.MULTILINE), (
            f"book/{page}.md: no section with {heading!r} in its title"
        )
    code = [c for c in tool.read(page).cells if c.cell_type == "code"]
    # whose times only such cells print
    clock = re.search("perf_counter|thread_time|process_time", text)
    for count, cell in enumerate(code[1:], 2):  # the first one installs helpers
        place = f"{page}, cell [{count}]"
        lines = cell.source.splitlines()
        if tool.fold_title(cell):  # the line for Colab is nobody's code
            del lines[0]
        widest = max(map(len, lines))
        assert widest <= WIDEST_LINE, (
            f"{place}: a line has at most {WIDEST_LINE} columns, not {widest}\n"
            f"{cell.source}"
        )
        shown = "nbval-ignore-output" in cell.metadata.get("tags", [])
        assert not (clock and shown and "assert" in cell.source), (
            f"{place}: nothing is asserted of a time\n{cell.source}"
        )
        assert len(lines) <= LONGEST_CELL, (
            f"{place}: a cell has at most {LONGEST_CELL} lines, not {len(lines)}\n"
            f"{cell.source}"
        )
