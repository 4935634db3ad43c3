"""The search: what readers ask, and the section that they see first."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from site_server import HTML, ROOT, blocked_page, violations

LINES = Path(__file__).with_name("queries.txt").read_text("utf8").splitlines()
QUERIES = [line.split("\t") for line in LINES]
PAGE = "notebooks/basic/padding.html"
FIRST = """(queries) => ready.then(() =>
  queries.map((query) => bookSearch.find(query)[0]?.url ?? "nothing"))"""
UNMET = """() => ready.then(() => Object.values(bookSearch.index.aliases).flat()
  .filter((meaning) => !library.search(words(meaning).join(" ")).length))"""


@contextmanager
def searching(
    base: str, browser: Browser, old: str = "", new: str = "", query: str = ""
) -> Iterator[Page]:
    """The page `search.html`, its script changed in one place."""
    code = (HTML / "_static" / "search.js").read_text("utf8")
    assert old in code
    with blocked_page(browser, base) as (tab, seen):
        changed = code.replace(old, new, 1)
        tab.route("**/search.js", lambda route: route.fulfill(body=changed))
        tab.goto(f"{base}search.html?q={query}")
        tab.wait_for_function("typeof ready === 'object'")
        yield tab
        assert (seen.foreign, seen.errors) == ([], [])


def misses(tab: Page) -> list[str]:
    """The queries that show another page first, or another section where one is set."""
    found = tab.evaluate(FIRST, [query for query, _ in QUERIES])
    return [
        f"{query}: {first}, not {wanted}"
        for (query, wanted), first in zip(QUERIES, found, strict=True)
        if wanted not in (first.replace(".html", ""), first.partition(".html")[0])
    ]


def test_every_query_names_a_section_that_exists():
    assert len({query for query, _ in QUERIES}) == len(QUERIES) >= 60
    for _, wanted in QUERIES:
        page, _, anchor = wanted.partition("#")
        assert (
            f'id="{anchor}"' in (HTML / f"{page}.html").read_text("utf8") or not anchor
        )


def test_19_of_20_queries_show_their_page_first(base, browser):
    with searching(base, browser) as tab:
        missed = misses(tab)
    print("\n".join(missed))
    assert len(missed) <= 0.05 * len(QUERIES), missed


@pytest.mark.parametrize(
    "old, new",
    [
        ("term.length < 5 ? 0", "term.length < 99 ? 0"),
        ("[plain(name), meant]", "[plain(name), ['none']]"),
        ("page: 2.5, heading: 2", "page: 0.01, heading: 0.01"),
    ],
    ids=["typing errors", "aliases", "headings"],
)
def test_the_queries_need(old, new, base, browser):
    with searching(base, browser, old, new) as tab:
        assert len(misses(tab)) > 0.05 * len(QUERIES)


def test_no_other_word_stands_for_one_that_the_book_lacks(base, browser):
    lacking = ["unsqueeze", "xyzzy", "lots"]
    with searching(base, browser) as tab:
        words = tab.evaluate(
            "(all) => ready.then(() => all.map((word) => spelled(word, 0, word)))",
            lacking,
        )
    assert words == lacking


def test_a_snippet_shows_no_answer(base, browser):
    answer = "Threshold: farther out than it was"
    with searching(base, browser, query=answer) as tab:
        hit = tab.locator("main .search-hits a").first
        assert "Threshold replaces" in hit.inner_text()
        assert "farther" not in hit.inner_text()


def test_the_book_has_what_an_alias_stands_for(base, browser):
    with searching(base, browser) as tab:
        assert tab.evaluate(UNMET) == []


def test_a_line_that_is_no_alias_is_named(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools" / "site")
    import book_search

    path = tmp_path / "aliases.txt"
    path.write_text("# names\n\nBN, 批归一化 = BatchNorm\nupconv = ConvTranspose, Up\n")
    assert book_search.aliases(path) == {
        "bn": ["BatchNorm"],
        "批归一化": ["BatchNorm"],
        "upconv": ["ConvTranspose", "Up"],
    }
    for line in ("BN BatchNorm", "BN =", "= BatchNorm", "BN, bn = BatchNorm"):
        path.write_text(line)
        with pytest.raises(ValueError, match=f"aliases.txt, line 1: '{line}' must be"):
            book_search.aliases(path)


def test_the_index_holds_what_is_read_and_torch_s_names():
    text = (HTML / "_static" / "search-index.js").read_text("utf8")
    index = json.loads(text.removeprefix("bookSearch.index = ").removesuffix(";\n"))
    code = " ".join(section[4] for section in index["sections"])
    assert {"nn.Conv2d", "padding_mode", "F.pad"} <= set(code.split())
    for helper in ("assert_same", "draw_flow", "helpers", "check(", "import "):
        assert helper not in code
    shown = {section[2] for section in index["sections"]}
    assert "Sources" not in shown and "Learn a kernel" in shown


def test_sphinx_s_own_search_is_gone():
    own = ("genindex.html", "searchindex.js", "_static/searchtools.js")
    assert not [name for name in own if (HTML / name).exists()]
    for page in (PAGE, "search.html"):
        html = (HTML / page).read_text("utf8")
        assert "searchtools" not in html and "genindex" not in html


def test_a_reader_searches_by_keyboard(base, browser):
    with blocked_page(browser, base) as (tab, seen):
        tab.goto(base + PAGE)
        seen.wait(tab)
        assert not [url for url in seen.sizes if "search" in url], "loaded before use"
        tab.keyboard.press("/")
        field = tab.locator("#pst-search-dialog input")
        tab.keyboard.type("nagative crops")
        hit = tab.locator(".search-hits a").first
        hit.wait_for()
        assert "section" in tab.locator(".search-hits [role=status]").inner_text()
        assert hit.locator("mark").all_inner_texts()[0] == "Negative"
        tab.keyboard.press("ArrowDown")
        assert hit.evaluate("e => e === document.activeElement")
        tab.keyboard.press("ArrowUp")
        assert field.evaluate("e => e === document.activeElement")
        tab.keyboard.press("Enter")
        tab.wait_for_url(f"**/{PAGE}#negative-padding-crops")
        field.wait_for(state="hidden")
        tab.keyboard.press("Control+k")
        field.wait_for()
        tab.keyboard.press("Escape")
        field.wait_for(state="hidden")
        assert (seen.foreign, seen.errors) == ([], [])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_the_search(theme, base, browser):
    with blocked_page(browser, base, theme=theme) as (tab, _):
        tab.goto(base + PAGE)
        tab.keyboard.press("Control+k")
        tab.keyboard.type("padding_mode")
        tab.locator(".search-hits a").first.wait_for()
        assert violations(tab) == []


def test_a_word_does_not_lie_under_the_magnifier(base, browser):
    with searching(base, browser, query="momentum") as tab:
        icon = tab.locator("main .bd-search i").bounding_box()
        field = tab.locator("main .bd-search input")
        begin = field.evaluate(
            "e => e.getBoundingClientRect().x + parseFloat(getComputedStyle(e).paddingLeft)"
        )
        assert icon["x"] + icon["width"] <= begin


def test_search_works_from_a_file(browser):
    base = HTML.as_uri()
    with blocked_page(browser, base) as (tab, seen):
        tab.goto(f"{base}/search.html?q=momentun")
        hit = tab.locator(".search-hits a").first
        hit.wait_for()
        assert "BatchNorm" in hit.inner_text()
        hit.click()
        tab.wait_for_url("**/batch_norm.html#*")
        assert (seen.foreign, seen.errors) == ([], [])


def test_a_phone_s_contents_have_the_search(base, browser):
    with blocked_page(browser, base, width=390) as (tab, _):
        tab.goto(base + PAGE)
        tab.locator(".primary-toggle").click()
        tab.locator("#pst-primary-sidebar-modal .search-button-field").click()
        tab.keyboard.type("padding")
        tab.locator("#pst-search-dialog .search-hits a").first.click()
        assert tab.locator("dialog[open]").count() == 0
