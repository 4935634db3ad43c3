"""What stands around a page's text: head, header, sidebar, buttons, skip links."""

import re

import pytest
from playwright.sync_api import expect

from site_server import HTML, PAGES, blocked_page

PAGE = "notebooks/normalization/batch_norm.html"
PHONE = {"width": 390, "has_touch": True, "is_mobile": True}
THEME = "document.documentElement.dataset.theme"


@pytest.fixture
def open_page(base, browser):
    """Opens the page in a tab of its own, with the browser's options."""
    contexts = []

    def open_(**options):
        manager = blocked_page(browser, base, **options)
        tab, seen = manager.__enter__()
        contexts.append(manager)
        tab.set_default_timeout(10_000)
        tab.goto(base + PAGE)
        if options.get("java_script_enabled", True):
            seen.wait(tab)
        return tab

    yield open_
    for manager in contexts:
        manager.__exit__(None, None, None)


def test_every_page_has_one_width_and_links_that_skip():
    for page in PAGES:
        html = (HTML / page).read_text("utf8")
        assert len(re.findall('<meta name="viewport"', html)) == 1, page
        head = html.partition("</head>")[0]
        assert '<meta name="viewport"' in head, page
        assert 'data-theme="light"' in head.partition("<head>")[0], page
        skips = re.search(r'<div id="pst-skip-link".*?</div>', html, re.DOTALL)[0]
        to = re.findall(r'href="#([^"]+)"', skips)
        assert all(f'id="{id}"' in html for id in to), f"{page}: {to}"
        figures = re.findall(r'<(nn-[a-z-]+) class="nn-figure" id="([^"]+)"', html)
        assert [kind for kind, _ in figures] == re.findall("<(nn-[a-z-]+)[ >]", html)
        assert len({id for _, id in figures}) == len(figures), page
        assert to[0] == "main-content"
        assert ("exercises" in to) == ('<section id="exercises">' in html), page
        assert [id for id in to if id in dict(map(reversed, figures))] == [
            id for _, id in figures[:1]
        ]


@pytest.mark.parametrize("page", [p for p in PAGES if p.startswith("notebooks/")])
def test_every_chapter_page_folds_its_setup(page):
    assert (HTML / page).read_text("utf8").count("<summary>Setup: imports<") == 1


def test_by_keyboard_a_figure_is_two_stops_away(open_page):
    tab = open_page()
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    expect(tab.locator(":focus")).to_have_text("Skip to the figure")
    tab.keyboard.press("Enter")
    expect(tab.locator("nn-running-statistics")).to_be_in_viewport()
    tab.keyboard.press("Tab")
    inside = "document.activeElement.matches('nn-running-statistics')"
    assert tab.evaluate(inside)


def test_without_scripts_a_dark_system_can_read(open_page):
    tab = open_page(theme="dark", java_script_enabled=False)
    ground = "(e) => getComputedStyle(e).backgroundColor"
    assert tab.locator("body").evaluate(ground) == "rgb(255, 255, 255)"
    assert tab.locator(".cell_input pre").first.evaluate(ground) == "rgb(243, 244, 245)"
    # what would do nothing is not there
    assert (
        tab.locator(":is(header, nav, .bd-header-article) button:visible").count() == 0
    )
    assert tab.locator(".search-button-field:visible").count() == 0


@pytest.mark.parametrize("system", ["light", "dark"])
@pytest.mark.parametrize("kept", ["auto", "light", "dark"])
def test_each_press_changes_the_colors_and_says_which_are_on(open_page, system, kept):
    tab = open_page(theme=system)
    tab.evaluate("(mode) => localStorage.setItem('mode', mode)", kept)
    tab.reload()
    button = tab.locator(".theme-switch-button")
    words = {"auto": "as your system", "light": "light", "dark": "dark"}
    expect(button).to_have_accessible_name(f"Colors: {words[kept]}")
    shown = tab.evaluate(THEME)
    for _ in range(3):
        button.click()
        shown = "light" if shown == "dark" else "dark"
        assert tab.evaluate(THEME) == shown
        word = "as your system" if shown == system else shown
        expect(tab.get_by_role("status").get_by_text(f"Colors: {word}")).to_be_visible()
        expect(button).to_have_accessible_name(f"Colors: {word}")


def test_a_phone_has_the_books_name_and_few_buttons(open_page):
    tab = open_page(**PHONE)
    header = tab.locator(".bd-header-article")
    expect(header.get_by_role("link", name="PyTorch Layers")).to_be_visible()
    assert header.locator("button:visible").count() == 5
    header.locator(".primary-toggle").click()
    side = tab.locator("#pst-primary-sidebar-modal")
    expect(side.get_by_role("button", name="Search")).to_be_visible()
    expect(side.get_by_text("Search", exact=True)).to_be_visible()
    wide = open_page()
    expect(wide.locator(".bd-header-article .navbar-brand")).to_be_hidden()
    assert wide.locator(".bd-header-article .fa-rocket").is_visible()


def test_by_touch_the_copy_buttons_are_seen(open_page):
    button = open_page(**PHONE).locator("button.copybtn").nth(1)
    button.scroll_into_view_if_needed()
    expect(button).to_have_css("opacity", "1")
    box = button.bounding_box()
    assert min(box["width"], box["height"]) >= 36


def test_a_line_says_how_far_the_page_is_read(open_page):
    tab = open_page()
    line = """() => {
      const header = document.querySelector(".bd-header-article");
      return new DOMMatrix(getComputedStyle(header, "::after").transform).a;
    }"""
    assert tab.evaluate(line) == 0
    root = "document.documentElement"
    for part in (0.5, 1):
        to = f"({root}.scrollHeight - innerHeight) * {part}"
        tab.evaluate(f"scrollTo({{ top: {to}, behavior: 'instant' }})")
        tab.wait_for_function(f"Math.abs(({line})() - {part}) < 0.02")
    tab.emulate_media(media="print")
    assert not tab.locator(".bd-header-article").is_visible()
