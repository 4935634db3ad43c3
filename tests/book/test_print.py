"""Every page on paper, as A4 is printed: from a dark screen, nothing cut."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from site_server import PAGES, blocked_page

WIDTH = 665  # A4 without the margins of print.css, in CSS pixels
# within the page, as print() does: what is cut, dark, shut or open, and then put back
MEASURE = """() => {
  const all = (s) => [...document.querySelectorAll(s)];
  const before = document.body.innerHTML;
  const marks = () => JSON.stringify({ ...document.documentElement.dataset });
  const theme = marks();
  dispatchEvent(new Event("beforeprint"));
  const article = document.querySelector("article");
  const shown = (e) => e.checkVisibility();
  const wide = article.getBoundingClientRect().right + 1;
  const right = (e) => e.getBoundingClientRect().right;
  const cut = all("article :is(pre, table, img, .katex-display, .nn-figure)")
    .filter(shown)
    .filter((e) => e.scrollWidth > e.clientWidth + 1 || right(e) > wide);
  const light = (e, name) => {
    const parts = getComputedStyle(e)[name].match(/[\\d.]+/g).map(Number);
    const [r, g, b, alpha = 1] = parts;
    return alpha === 0 || (r + g + b) / 3 > 200;
  };
  const grounds = all("body, article :is(pre, .output, .asked, details, blockquote)");
  const figures = all(".nn-figure").map((e) => e.shadowRoot.querySelector(".fig"));
  const answers = "article details:not(.hide, .last, .cell_output details)";
  const found = {
    cut: cut.map((e) => e.outerHTML.slice(0, 200)),
    dark: [...grounds, ...figures].filter(shown)
      .filter((e) => !light(e, "backgroundColor")).map((e) => e.outerHTML.slice(0, 99)),
    ink: all("article p").filter(shown).filter((e) => light(e, "color")).length,
    chrome: all("header, footer, nav, aside, button, .headerlink").filter(shown).length,
    stubs: all("article summary").filter(shown).filter((e) => e.parentElement.matches(
      ".hide:not([open]):not(:has(.checked))")).length,
    answers: all(answers).length,
    inPlace: all(answers).filter((e) => shown(e) && !e.closest(".answers")).length,
    atEnd: all(".answers details").filter(shown).length,
    last: article.lastElementChild.matches(".answers"),
  };
  dispatchEvent(new Event("afterprint"));
  found.same = before === document.body.innerHTML && theme === marks();
  return found;
}"""


@pytest.fixture(scope="module")
def tab(base: str, browser: Browser) -> Iterator[Page]:
    with blocked_page(browser, base, "dark", WIDTH) as (tab, _):
        tab.emulate_media(media="print")
        yield tab


@pytest.mark.browser
def test_every_page_prints_whole_light_and_with_its_answers_at_the_end(
    tab: Page, base: str
) -> None:
    wrong: dict[str, Any] = {}
    answers = 0
    for page in PAGES:
        tab.goto(base + page, wait_until="domcontentloaded")
        tab.evaluate("document.fonts.ready")
        found = tab.evaluate(MEASURE)
        total, end, last = (found.pop(name) for name in ("answers", "atEnd", "last"))
        # each is there twice: hidden in its place, shown at the end
        if end * 2 != total or last != bool(end):
            wrong[page] = f"{total} answers, {end} at the end, {last}"
        answers += end
        assert found.pop("same"), f"{page} is not as before printing"
        if any(found.values()):
            wrong[page] = found
    assert not wrong
    assert answers > 100


@pytest.mark.browser
@pytest.mark.parametrize(("choice", "seen"), [("shown", True), ("hidden", False)])
def test_the_reader_chooses_where_answers_print(
    tab: Page, base: str, choice: str, seen: bool
) -> None:
    tab.emulate_media(media="screen")
    tab.goto(f"{base}notebooks/basic/linear.html")
    tab.evaluate("window.print = () => { window.printed = true }; 0")
    tab.locator("[onclick='window.print()']").dispatch_event("click")
    assert tab.evaluate("document.activeElement.value") == "end"
    tab.locator(f"dialog [value={choice}]").check()
    tab.locator("dialog [value=print]").click()
    assert tab.evaluate("window.printed")
    tab.emulate_media(media="print")
    found = tab.evaluate(MEASURE)
    assert found["atEnd"] == 0 and not found["last"]
    assert found["inPlace"] == (found["answers"] if seen else 0)
    tab.evaluate("sessionStorage.clear()")


@pytest.mark.browser
def test_escape_closes_the_dialog_and_prints_nothing(tab: Page, base: str) -> None:
    tab.emulate_media(media="screen")
    tab.goto(f"{base}notebooks/basic/linear.html")
    tab.evaluate("window.print = () => { window.printed = true }; 0")
    tab.locator("[onclick='window.print()']").dispatch_event("click")
    tab.keyboard.press("Escape")
    assert tab.locator("dialog.print-dialog").count() == 0
    assert tab.evaluate("window.printed") is None
