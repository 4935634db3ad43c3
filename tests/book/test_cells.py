"""Question cells ask before they answer, folded cells are one line: `asking.md`."""

import gzip
import json
import re

import pytest
from playwright.sync_api import expect

from site_server import ROOT, blocked_page, violations

STATIC = ROOT / "tools" / "site" / "static"
SHIFTS = """
self.shifted = 0;
new PerformanceObserver((list) => {
  const article = document.querySelector("article");
  for (const { value, sources } of list.getEntries())
    if (sources.some(({ node }) => article.contains(node))) self.shifted += value;
}).observe({ type: "layout-shift", buffered: true });
"""
REFUSED = """Object.defineProperty(self, "localStorage", {
  get() { throw new DOMException("no", "SecurityError"); } });"""
VISIBLE = "(e) => e.checkVisibility({ contentVisibilityAuto: true })"


def visible(locator):
    """Whether it is drawn; playwright takes a box that the browser skips for seen."""
    return locator.evaluate(VISIBLE)


class Question:
    """One of a page's questions."""

    def __init__(self, tab, number):
        self.tab = tab
        self.all = tab.locator("book-question").nth(number)
        self.asked = self.all.locator(".asked")
        self.form = self.asked.locator("form")
        self.verdict = self.asked.get_by_role("status")
        self.answer = self.all.locator("book-answer > *").last
        self.meanings = self.asked.locator("dl")

    def press(self, button):
        self.asked.get_by_role("button", name=button).click()

    def guess(self, number):
        self.form.get_by_label("Your guess").fill(number)
        self.press("Check")

    def choose(self, option):
        self.form.get_by_label(option).check()
        self.press("Check")

    def asks(self):
        """Whether the form is there, and nothing that tells."""
        told = [self.meanings, *self.all.locator("book-answer > *").all()]
        seen = [visible(e) for e in told]
        again = self.asked.get_by_text("Guess again").is_visible()
        assert visible(self.form) != any(seen) == all(seen) == again
        return visible(self.form)


@pytest.fixture
def open_page(browser, small):
    """Opens the page in a tab of its own, with the browser's options."""
    contexts = []

    def open_(hash="", script=SHIFTS, **options):
        manager = blocked_page(browser, small.partition("notebooks/")[0], **options)
        tab, seen = manager.__enter__()
        contexts.append(manager)
        tab.set_default_timeout(10_000)
        tab.add_init_script(script)
        tab.goto(small + hash)
        if options.get("java_script_enabled", True):
            seen.wait(tab)
        return tab, seen

    yield open_
    for manager in contexts:
        manager.__exit__(None, None, None)


@pytest.fixture
def tab(open_page):
    return open_page()[0]


def test_the_scripts_of_questions_are_small():
    names = ("guess.js", "guess.css")
    total = sum(len(gzip.compress((STATIC / n).read_bytes())) for n in names)
    assert total <= 2_000, f"{names}: {total} bytes gzip"


def test_nothing_tells_before_a_guess(open_page):
    tab, seen = open_page()
    for number in range(3):
        assert Question(tab, number).asks()
    assert visible(tab.get_by_text("This paragraph shows at once."))
    for told in ("Checked: the mean is 3.33", "more than two"):
        assert not visible(tab.get_by_text(told))
    assert tab.evaluate("shifted") == 0
    assert (seen.errors, seen.foreign) == ([], [])
    # an outsider's script holds nothing up: the page's own comes before the question
    before = tab.content().partition("<book-question")[0]
    assert re.search(r'<script src="[^"]*guess\.js[^"]*"></script>$', before)


@pytest.mark.parametrize(
    ("number", "guess", "words"),
    [
        (0, "650", "Right: 650."),
        (0, "650.0", "Right: 650."),
        (0, "74", "Wrong: 74. That is 64 + 10, & too <few>. The answer is 650."),
        (0, "6.4e2", "Wrong: 640. Without the bias. The answer is 650."),
        (0, "651", "Wrong: 651. The answer is 650."),
        (0, "-0.5", "Wrong: -0.5. The answer is 650."),
        (0, "0", "Wrong: 0. The answer is 650."),
        (2, "3.3", "Right: 3.33."),
        (2, "3.6", "Right: 3.33."),
        (2, "3.7", "Wrong: 3.7. The answer is 3.33."),
        (2, "2.1", "Wrong: 2. That is the median. The answer is 3.33."),
    ],
)
def test_a_number_is_judged(tab, number, guess, words):
    question = Question(tab, number)
    question.guess(guess)
    expect(question.verdict).to_have_text(words)
    expect(question.verdict).to_be_focused()
    assert not question.asks()
    others = [Question(tab, n) for n in range(3) if n != number]
    assert all(other.asks() for other in others)


@pytest.mark.parametrize(
    ("option", "words", "other"),
    [
        ("no", "Right: no. It has its height.", "yes, it does"),
        (
            "yes, it does",
            "Wrong: yes, it does. It draws when shown. The answer is no.",
            "no",
        ),
    ],
)
def test_a_choice_is_judged(tab, option, words, other):
    question = Question(tab, 1)
    question.choose(option)
    expect(question.verdict).to_have_text(words)
    shown = question.meanings.locator("dt:visible")
    expect(shown).to_have_text([other])


def test_no_guess_is_no_answer(tab):
    for number in range(2):
        question = Question(tab, number)
        question.press("Check")
        assert question.asks()
        expect(question.verdict).to_be_empty()


def test_a_guess_is_kept_until_it_is_taken_back(tab):
    first, second, third = (Question(tab, n) for n in range(3))
    first.guess("74")
    second.press("Show the answer")
    expect(second.verdict).to_have_text("The answer is no.")
    third.guess("2")
    words = [q.verdict.inner_text() for q in (first, second, third)]
    tab.reload()
    assert [q.asks() for q in (first, second, third)] == [False] * 3
    assert [q.verdict.inner_text() for q in (first, second, third)] == words
    assert tab.evaluate("shifted") == 0
    kept = tab.evaluate("Object.keys(memory.read().answers)")
    assert len(kept) == 3
    assert all(re.fullmatch(r"notebooks/a/asking#\w{8}", key) for key in kept)
    first.press("Guess again")
    expect(first.form.get_by_label("Your guess")).to_be_focused()
    expect(first.form.get_by_label("Your guess")).to_have_value("")
    assert first.asks()
    tab.reload()
    assert [q.asks() for q in (first, second, third)] == [True, False, False]
    first.guess("650")
    expect(first.verdict).to_have_text("Right: 650.")


def test_a_choice_that_is_gone_shows_the_answer(tab):
    question = Question(tab, 1)
    question.choose("no")
    key = "pytorch-layers 1"
    kept = tab.evaluate("(key) => localStorage[key]", key)
    gone = kept.replace('"guess":"no"', '"guess":"perhaps"')
    assert gone != kept
    tab.evaluate("([key, text]) => (localStorage[key] = text)", [key, gone])
    tab.reload()
    expect(question.verdict).to_have_text("The answer is no.")


def test_a_browser_may_refuse_to_keep_a_guess(open_page):
    tab, _ = open_page(script=REFUSED)
    question = Question(tab, 0)
    assert question.asks()
    question.guess("74")
    expect(question.verdict).to_contain_text("Wrong: 74.")
    question.press("Guess again")
    assert question.asks()


def test_a_figure_unfolds_as_it_is(tab):
    question = Question(tab, 1)
    figure = tab.locator("nn-normalized-axes")
    question.press("Show the answer")
    figure.get_by_role("grid").first.wait_for()
    figure.get_by_role("gridcell").nth(3).click()
    box = figure.bounding_box()
    assert box["height"] > 300
    tab.reload()
    again = figure.bounding_box()
    assert (again["width"], again["height"]) == (box["width"], box["height"])


@pytest.mark.parametrize("until_found", [True, False])
def test_a_link_into_an_answer_unfolds_it(open_page, until_found):
    older = "delete HTMLElement.prototype.onbeforematch;"
    tab, _ = open_page("#hidden-place", script="" if until_found else older)
    place, question = tab.locator("#hidden-place"), Question(tab, 0)
    expect(place).to_be_in_viewport()
    assert not question.asks()
    expect(question.verdict).to_have_text("The answer is 650.")
    question.press("Guess again")
    assert question.asks()
    shut = {"until-found"} if until_found else {""}
    hidden = tab.locator("book-answer").evaluate_all("(a) => a.map((e) => e.hidden)")
    assert shut == {{True: ""}.get(h, h) for h in hidden}
    tab.evaluate("location.hash = '#a-number'")
    assert question.asks()
    tab.evaluate("location.hash = '#hidden-place'")
    expect(place).to_be_in_viewport()
    assert not question.asks()


def test_what_a_browser_finds_in_an_answer_unfolds_it(tab):
    # no search of a browser without a window unfolds anything: its event, by hand
    answer = tab.locator("book-answer").first
    assert answer.evaluate("(e) => e.hidden") == "until-found"
    answer.evaluate("(e) => e.dispatchEvent(new Event('beforematch'))")
    assert not Question(tab, 0).asks()
    assert Question(tab, 1).asks()


def everything_shows(tab):
    for text in ("quasicrystal", "It stays,", "It is more than the median."):
        assert visible(tab.get_by_text(text))
    for output in tab.locator(".cell_output").all():
        assert visible(output)
    answers = tab.locator(".asked .answer")
    assert [visible(answer) for answer in answers.all()] == [True] * 3
    expect(answers).to_have_text(["Answer: 650", "Answer: no", "Answer: 3.33"])
    assert [visible(dl) for dl in tab.locator(".asked dl").all()] == [True] * 3
    for control in tab.locator(".asked :is(form, button)").all():
        assert not visible(control)


def test_without_scripts_everything_shows(open_page):
    everything_shows(open_page(script="", java_script_enabled=False)[0])


def test_a_print_shows_everything(tab):
    tab.emulate_media(media="print")
    everything_shows(tab)
    tab.emulate_media(media="screen")
    Question(tab, 0).guess("74")
    tab.emulate_media(media="print")
    everything_shows(tab)
    # of folded cells only what was checked, a sentence by itself
    for summary in tab.locator("details.hide > summary").all():
        assert visible(summary) == summary.inner_text().startswith("✓ Checked:")
        assert not visible(summary.locator("~ *"))


def test_by_keyboard_alone(tab):
    number, choice, _ = (Question(tab, n) for n in range(3))
    keys = tab.keyboard

    def tab_to(target):
        for _ in range(60):
            keys.press("Tab")
            if target.evaluate("(e) => e.matches(':focus-visible')"):
                return
        raise AssertionError(f"Tab never reaches {target}")

    tab_to(number.form.get_by_label("Your guess"))
    keys.type("640")
    keys.press("Enter")
    expect(number.verdict).to_contain_text("Without the bias.")
    keys.press("Tab")
    keys.press("Enter")
    assert number.asks()
    keys.type("65")
    keys.type("0")
    keys.press("Tab")
    keys.press("Space")
    expect(number.verdict).to_have_text("Right: 650.")
    tab_to(choice.form.get_by_label("yes, it does"))
    keys.press("ArrowDown")
    keys.press("Tab")
    keys.press("Tab")
    expect(choice.asked.get_by_text("Show the answer")).to_be_focused()
    keys.press("Shift+Tab")
    keys.press("Enter")
    expect(choice.verdict).to_have_text("Right: no. It has its height.")
    fold = tab.locator("details.hide").nth(2)  # the one before is hidden with an answer
    tab_to(fold.locator("summary"))
    keys.press("Enter")
    assert fold.evaluate("(e) => e.open")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_and_a_phone_does_not_scroll(open_page, theme):
    tab, _ = open_page(theme=theme)
    for told in (False, True):
        if told:
            Question(tab, 0).guess("74")
            Question(tab, 1).choose("no")
            Question(tab, 2).press("Show the answer")
        found = violations(tab)
        assert found == [], json.dumps(found, indent=1)[:3000]
        roles = tab.locator("article").aria_snapshot()
        assert not re.search(r"- (?:button|spinbutton|radio|group)$", roles, re.M)
        tab.set_viewport_size({"width": 360, "height": 740})
        root = "document.documentElement"
        assert tab.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")
        tab.set_viewport_size({"width": 1280, "height": 900})


def test_a_folded_cell_is_one_line(tab):
    Question(tab, 2).press("Show the answer")
    lines = tab.locator("details.hide > summary").all_inner_texts()
    assert lines == [
        "Setup: imports",
        "✓ Checked: the mean is 3.33",
        "Show the code that draws the line",
        "✓ Checked: output and gradients equal torch's in 24 settings",
        "Show the code",
    ]
    names = tab.locator("article").aria_snapshot()
    assert "Checked: output and gradients equal torch's in 24 settings" in names
    assert "✓" not in names
    assert "@title" not in tab.content()
    fold = tab.locator("details.hide").nth(3)
    assert not visible(fold.locator("pre"))
    fold.locator("summary").click()
    assert visible(fold.locator("pre"))
    expect(fold.locator("pre")).to_have_text(re.compile("^for setting in range"))
    assert visible(tab.get_by_alt_text("A line that rises"))


def test_the_setup_folds(tab):
    cell = tab.locator("article .cell").first
    assert not visible(cell.locator("pre"))
    cell.get_by_text("Setup: imports").click()
    expect(cell.locator("pre")).to_have_text(re.compile("^from torch import nn"))
    assert visible(cell.locator("pre"))


IS_CUT = "(e) => e.scrollWidth > e.clientWidth"
EDGES = "(e) => getComputedStyle(e).backgroundAttachment"


def test_a_phone_wraps_sentences_and_shadows_what_is_cut(open_page):
    tab, _ = open_page(width=390, has_touch=True, is_mobile=True)
    sentence = tab.locator("pre", has_text="A sentence of more").last
    assert not sentence.evaluate(IS_CUT)
    assert sentence.bounding_box()["height"] > 60, "in two lines"
    for wide in (
        tab.locator("pre", has_text="0.0  0.1").last,
        tab.locator("table.rows"),
    ):
        expect(wide).to_have_attribute("tabindex", "0")
        assert wide.evaluate(IS_CUT)
        assert wide.evaluate(EDGES).split(", ")[:3] == ["local", "local", "scroll"]
        tab.set_viewport_size({"width": 1280, "height": 900})
        expect(wide).not_to_have_attribute("tabindex", "0")
        tab.set_viewport_size({"width": 390, "height": 844})


def test_a_table_has_its_words_left_and_its_numbers_right(tab):
    side = "(cells) => cells.map((e) => getComputedStyle(e).textAlign)"
    table = tab.locator("table.rows")
    assert table.locator("th").evaluate_all(side) == ["left"] + ["right"] * 6
    assert table.locator("td").evaluate_all(side) == ["left"] + ["right"] * 6
