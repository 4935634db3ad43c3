"""The built site in a real browser, with every other host blocked."""

import gzip
import json
import re
import shutil
from pathlib import Path

import pytest

import pages as tool
from helpers import figures
from site_server import HTML, PAGES, blocked_page, serve, violations

ROOT = Path(__file__).parents[2]
CHAPTER = [page for page in PAGES if page.startswith("notebooks/")]


@pytest.fixture(scope="module")
def opened(request, base, browser):
    """A page in a tab, loaded once for the tests that only look at it."""
    with blocked_page(browser, base) as (tab, seen):
        tab.goto(base + request.param)
        seen.wait(tab)
        yield request.param, tab, seen


@pytest.mark.parametrize("opened", PAGES, indirect=True)
def test_page_stands_alone(opened):
    page, tab, seen = opened
    assert seen.foreign == []
    assert seen.errors == []
    weight = sum(seen.sizes.values())
    assert weight <= 250_000, f"{page} weighs {weight} bytes at first load"
    raw = tab.locator("article").inner_text()
    assert not re.search(r"\\frac|\\sqrt|\\mathrm|\$\$", raw), "TeX shows through"
    assert tab.locator("article img:not([width][height])").count() == 0
    undrawn = "(all) => all.filter((e) => !e.shadowRoot?.childElementCount).length"
    assert tab.locator(".nn-figure").evaluate_all(undrawn) == 0
    tree = tab.locator("body").aria_snapshot()
    control = r"- (?:button|link|slider|spinbutton|radio|checkbox|combobox|grid)"
    nameless = re.findall(rf"^\s*{control}(?: \[[^\]]*\])?:?$", tree, re.MULTILINE)
    assert nameless == [], "every control has a name"


@pytest.mark.parametrize("opened", PAGES, indirect=True)
def test_axe_finds_nothing(opened):
    _, tab, _ = opened
    assert tab.evaluate("document.documentElement.dataset.theme") == "light"
    found = violations(tab)
    assert found == [], json.dumps(found, indent=1)[:3000]


@pytest.mark.parametrize("opened", PAGES, indirect=True)
def test_a_phone_does_not_scroll_sideways(opened):
    page, tab, _ = opened
    tab.set_viewport_size({"width": 360, "height": 740})
    tab.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    wide = tab.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0, f"{page} scrolls sideways by {wide} px on a phone"


# every page in both themes is make site-check's; here the dark colors of two kinds
@pytest.mark.parametrize(
    "page", ["notebooks/normalization/layer_norm.html", "book/index.html"]
)
def test_axe_finds_nothing_in_the_dark(page, base, browser):
    with blocked_page(browser, base, theme="dark") as (tab, _):
        tab.goto(base + page)
        assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
        found = violations(tab)
        assert found == [], json.dumps(found, indent=1)[:3000]


def test_a_figure_lies_on_the_dark_page(base, browser):
    with blocked_page(browser, base, theme="dark") as (tab, seen):
        tab.goto(base + "notebooks/normalization/batch_norm.html")
        ground = tab.locator(".output.text_html").first.evaluate(
            "(e) => getComputedStyle(e).backgroundColor"
        )
        assert ground == "rgba(0, 0, 0, 0)"


def test_chapter_pages_have_their_buttons(base):
    for page in CHAPTER:
        html = (HTML / page).read_text("utf8")
        name = page.removeprefix("notebooks/").removesuffix(".html")
        repository = "github.com/torch-layers-book/torch-layers-book"
        assert f"{repository}/edit/main/book/{name}.md" in html
        assert f"colab.research.google.com/{repository[:6]}" in html
        assert f"blob/main/notebooks/{name}.ipynb" in html
        stored = ROOT / "notebooks" / f"{name}.ipynb"
        offered = HTML / "_sources" / "notebooks" / f"{name}.ipynb"
        assert offered.read_bytes() == stored.read_bytes()
        assert "Run me first" not in html
        assert "importlib.util" not in html, "the install cell is hidden"
        assert f"Outputs computed with torch {tool.locked_torch()}." in html
    orders = [
        re.findall(r'class="(left|right)-(?:prev|next)"', (HTML / p).read_text("utf8"))
        for p in CHAPTER
    ]
    assert all({"left", "right"} <= set(order) for order in orders)


def test_every_link_within_the_book_leads_somewhere():
    for page in PAGES:
        html = (HTML / page).read_text("utf8")
        for target in re.findall(r'(?:href|src)="([^"#?:]+)(?:[#?][^"]*)?"', html):
            if not target.startswith(("http", "mailto", "//")):
                found = ((HTML / page).parent / target).resolve()
                assert found.exists(), f"{page} links to {target}"


def test_the_book_works_below_a_path(browser, tmp_path):
    shutil.copytree(HTML, tmp_path / "project" / "book")
    with serve(tmp_path) as root:
        base = root + "project/book/"
        with blocked_page(browser, base) as (tab, seen):
            tab.goto(base)
            tab.locator("nn-normalized-axes [role=grid]").first.wait_for()
            tab.locator("article a", has_text="Normalization").first.click()
            tab.wait_for_url("**/normalization/index.html")
            assert tab.locator("article h1").count() == 1
            assert (seen.foreign, seen.errors) == ([], [])


def test_without_scripts_the_figures_leave_a_table(base, browser):
    shown = re.compile(r"<(nn-[a-z-]+)[ >].*?</\1>", re.DOTALL)
    for page in PAGES:
        for figure in shown.finditer((HTML / page).read_text("utf8")):
            assert "<table><caption>" in figure[0], f"{page}: nothing without scripts"
    with blocked_page(browser, base, java_script_enabled=False) as (tab, _):
        tab.goto(base + "notebooks/normalization/batch_norm.html")
        assert tab.locator(".nn-figure td").first.is_visible()
    assert figures.NormalizedAxes().fallback() in (ROOT / "book/index.md").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_the_scripts_of_its_figures_once(page):
    html = (HTML / page).read_text("utf8")
    assert "data-nn-figure" not in html
    tags = set(re.findall(r"<(nn-[a-z-]+)[ >]", html))
    names = [n for n, kind in figures.FIGURES.items() if kind.tag in tags]
    loaded = re.findall(r'src="[^"]*_static/figures/(\w+)\.js', html)
    assert loaded == (["core", "links", *names] if names else [])
    code = [(HTML / "_static" / "figures" / f"{n}.js").read_bytes() for n in loaded]
    assert sum(len(gzip.compress(c)) for c in code) <= 16_000


def test_a_hint_opens(base, browser):
    with blocked_page(browser, base) as (tab, _):
        tab.goto(base + "notebooks/normalization/batch_norm.html")
        first = tab.locator("article details", has_text="Hint").first
        first.locator("summary").click()
        assert first.evaluate("e => e.open")


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_trained_model_is_loaded_when_words_ask_for_it(scheme, base, browser):
    where = base if scheme == "http" else f"{HTML.resolve().as_uri()}/"
    with blocked_page(browser, where) as (tab, seen):
        asked = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(f"{where}notebooks/attention/generation.html")
        figure = tab.locator("nn-trained-attention")
        figure.get_by_role("button", name="block 1, head 2").click()
        assert not any(".data.js" in url for url in asked)
        figure.get_by_label("Your words").fill("never seen before")
        claim = figure.locator(".claim")
        claim.filter(has_text="Letter 16, “e”, attends").wait_for()
        assert sum(".data.js" in url for url in asked) == 1
        assert (seen.foreign, seen.errors) == ([], [])
