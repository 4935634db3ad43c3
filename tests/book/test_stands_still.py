"""A page stands still: what a reader aims at is where it was."""

import os
import re

import pytest

import firefox
from site_server import HTML, PAGES

# one sum of all shifts: stricter than the browsers' own score, which takes the worst
WATCH = """
self.shifted = 0;
new PerformanceObserver((list) => {
  for (const shift of list.getEntries()) self.shifted += shift.value;
}).observe({ type: "layout-shift", buffered: true });
self.frames = async (n) => {
  while (n--) await new Promise(requestAnimationFrame);
};
// neither within 120 px of the top nor, at the page's end, in the window
self.missed = (hash) => {
  const { top } = document.getElementById(hash.slice(1)).getBoundingClientRect();
  const ends = scrollY + innerHeight >= document.documentElement.scrollHeight - 1;
  return top < 0 || top > (ends ? innerHeight : 120);
};
"""
# how far what stands right below the first figure moves once a reader has jumped to it
MOVED = """async () => {
  const figure = document.querySelector(".nn-figure") ?? document.querySelector("h1");
  const below = [...document.querySelectorAll("article :is(summary, h2, p)")].find(
    (e) => figure.compareDocumentPosition(e) === Node.DOCUMENT_POSITION_FOLLOWING,
  );
  below.scrollIntoView({ block: "center", behavior: "instant" });
  const { top } = below.getBoundingClientRect();
  await frames(10);
  return Math.abs(below.getBoundingClientRect().top - top);
}"""
OPENED = "async (hash) => { await frames(2); return hash && missed(hash); }"
CLICKED = """async (hashes) => {
  const wrong = [];
  for (const hash of hashes) {
    const goes = location.hash !== hash;
    const gone = new Promise((done) => { self.onhashchange = done; });
    document.querySelector(`#pst-page-toc-nav a[href="${hash}"]`).click();
    if (goes) await gone; // Firefox goes there some frames later
    await frames(2);
    if (missed(hash)) wrong.push(hash);
  }
  return wrong;
}"""
# the first words in the window, and where they stand
READ = """async () => {
  await frames(2);
  for (const e of document.querySelectorAll("article :is(p, pre, h2, h3, li)")) {
    const { height, top } = e.getBoundingClientRect();
    if (height && top >= 0) return [e.textContent.slice(0, 80), Math.round(top)];
  }
}"""


@pytest.fixture(scope="module")
def tab(browser):
    with browser.new_context() as context:
        context.add_init_script(WATCH)
        yield context.new_page()


@pytest.fixture(scope="module")
def opened(request, base, tab):
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.goto(base + request.param)
    return request.param


def contents(page):
    """The links of a page's contents, from below: the first leads over all of it."""
    html = (HTML / page).read_text("utf8")
    found = re.findall(r'id="pst-page-toc-nav".*?</nav>', html, re.DOTALL)
    return re.findall(r'href="(#[^"]+)"', "".join(found))[::-1]


@pytest.mark.parametrize("opened", PAGES, indirect=True)
def test_what_stands_below_a_figure_stays(opened, tab):
    assert tab.evaluate(MOVED) < 1
    assert tab.evaluate("shifted") < 0.05


@pytest.mark.parametrize("opened", PAGES, indirect=True)
def test_a_link_of_the_contents_lands_at_its_heading(opened, tab):
    assert tab.evaluate(CLICKED, contents(opened)) == []


@pytest.mark.parametrize("opened", PAGES, indirect=True)
def test_a_reload_returns_to_the_same_words(opened, tab):
    tab.evaluate("scrollTo({ top: 9000, behavior: 'instant' })")
    read = tab.evaluate(READ)
    tab.reload()
    assert tab.evaluate(READ) == read


@pytest.mark.parametrize("page", PAGES)
def test_a_phone_opens_a_heading_and_stands_still(page, base, tab):
    tab.set_viewport_size({"width": 390, "height": 844})
    last = next(iter(contents(page)), "")
    tab.goto("about:blank")  # from the page itself a link would only scroll
    tab.goto(base + page + last)
    assert not tab.evaluate(OPENED, last)
    assert tab.evaluate(MOVED) < 1
    assert tab.evaluate("shifted") < 0.05


# Chromium does the same; who may not install a second browser runs the rest
@pytest.mark.skipif(
    firefox.find() is None and "CI" not in os.environ,
    reason="no Firefox here: install one, or name it: FIREFOX=/path/to/firefox",
)
@pytest.mark.browser
def test_alone_firefox_lands_at_each_heading(base):
    wrong = {}
    with firefox.launch() as tab:
        tab.resize(1280, 900)
        for page, links in zip(PAGES, map(contents, PAGES), strict=True):
            last = next(iter(links), "")
            tab.goto("about:blank")  # from the page itself a link would only scroll
            tab.goto(base + page + last)
            tab.evaluate(f"() => {{{WATCH}}}")
            missed = [last] if tab.evaluate(OPENED, last) else []
            if missed := missed + tab.evaluate(CLICKED, links):
                wrong[page] = missed
    assert wrong == {}


def test_a_missing_firefox_can_be_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("FIREFOX", "/no/such")
    with pytest.raises(FileNotFoundError, match="or name it: FIREFOX=/path"):
        firefox.launch().__enter__()
