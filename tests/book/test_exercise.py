"""An exercise is written, run and checked in its page: `exercise.js`.

The editor is tried with a worker that says what the code asks it to say; the last tests
run Python.
"""

import gzip
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from site_server import HTML, ROOT, blocked_page, violations

STATIC = ROOT / "tools" / "site" / "static"
PAGE = "notebooks/normalization/instance_norm.html"
KEY = "pytorch-layers 1"
PHONE = {"width": 390, "has_touch": True, "is_mobile": True}
STARTER = """def instance_norm(x, eps=1e-5):
    ...  # your code here


check("instance_norm/by_hand", instance_norm)"""
PRETENDED = """self.bookEngine = { started: 0, async start() {
  this.started++;
  return new Worker(URL.createObjectURL(new Blob([String.raw`
    postMessage({ ready: true });
    onmessage = ({ data: { check, text } }) => {
      if (!check) return;
      if (text.includes("while True")) for (;;);
      const [, said] = text.match(/print[(](.*)[)]/) ?? [];
      if (said) postMessage({ printed: said.repeat(text.includes("flood") ? 1e4 : 1) });
      const found = text.match(/#! (\\w+) (.*)/) ?? ["", "unanswered", "Nothing."];
      const [, state, message] = found;
      const line = Number(message.match(/line (\\d+)/)?.[1] ?? 0);
      postMessage({ verdict: { state, message, line, dead: message === "Dead." } });
    };`])));
} };"""
WATCH = """
self.shifted = 0;
new PerformanceObserver((list) => {
  const article = document.querySelector("article");
  for (const { value, sources, hadRecentInput } of list.getEntries())
    if (!hadRecentInput && sources.some(({ node }) => article.contains(node)))
      self.shifted += value;
}).observe({ type: "layout-shift", buffered: true });
"""


class Exercise:
    """One exercise of a page and, once it is opened, its editor."""

    def __init__(self, tab, number=2):
        self.tab = tab
        self.section = tab.locator(f"section[id^=exercise-{number}-]")
        self.starter = self.section.locator(".runs-here")
        self.all = self.section.locator("book-exercise")
        self.code = self.all.get_by_label("your code")
        self.verdict = self.all.locator(".verdict")
        self.note = self.all.locator(".note")
        self.printed = self.all.locator(".printed")

    def open(self):
        self.starter.locator(".write-here").click()
        expect(self.code).to_be_focused()
        return self

    def press(self, button):
        self.all.get_by_role("button", name=button).click()

    def check(self, code):
        self.code.fill(code)
        self.press("Check")

    @property
    def text(self):
        return self.code.input_value()

    def lines_up(self):
        """What is seen is what was typed, letter on letter."""
        colors = self.all.locator(".colors")
        assert colors.text_content() == f"{self.text}\n"
        look = """(e) => {
          const { x, y, height } = e.getBoundingClientRect();
          const { font, paddingLeft, paddingTop, tabSize } = getComputedStyle(e);
          return [x, y, height, font, paddingLeft, paddingTop, tabSize];
        }"""
        assert self.code.evaluate(look) == colors.evaluate(look)
        still = "(e) => e.scrollTop + e.scrollLeft + (e.scrollWidth > e.clientWidth)"
        assert self.code.evaluate(still) == 0


@pytest.fixture
def open_page(browser, base):
    """Opens the page in a tab of its own, with a worker that runs nothing."""
    contexts = []

    def open_(page=PAGE, where=base, script="", pretended=True, **options):
        manager = blocked_page(browser, where, **options)
        tab, seen = manager.__enter__()
        contexts.append(manager)
        tab.set_default_timeout(10_000)
        tab.add_init_script(WATCH + script)
        if pretended:
            tab.context.route(
                "**/_static/engine.js*", lambda route: route.fulfill(body=PRETENDED)
            )
        tab.goto(where + page)
        tab.seen = seen
        return tab

    yield open_
    for manager in contexts:
        manager.__exit__(None, None, None)


@pytest.fixture
def exercise(open_page):
    return Exercise(open_page())


def kept(tab):
    return json.loads(tab.evaluate("(key) => localStorage[key]", KEY))


def test_the_editor_is_small():
    names = ("exercise.js", "exercise.css")
    total = sum(len(gzip.compress((STATIC / n).read_bytes())) for n in names)
    assert total <= 9_000, f"{names}: {total} bytes gzip"


def test_it_opens_in_the_starters_place(exercise):
    tab = exercise.tab
    asked = [url for url in tab.seen.sizes if "exercise" in url or "engine" in url]
    assert asked == []
    button = exercise.starter.locator(".write-here")
    button.scroll_into_view_if_needed()
    before = exercise.starter.bounding_box()
    button.press("Enter")
    expect(exercise.code).to_be_focused()
    assert not exercise.starter.is_visible()
    after = exercise.all.bounding_box()
    assert [after[side] for side in "xy"] == [before[side] for side in "xy"]
    assert exercise.text == STARTER
    exercise.lines_up()
    tab.keyboard.type("return x")  # in place of the dots
    assert exercise.text == STARTER.replace("...", "return x")
    assert tab.evaluate("shifted") == 0
    classes = exercise.all.locator(".colors span").evaluate_all(
        "all => Object.fromEntries(all.map((e) => [e.textContent, e.className]))"
    )
    assert classes == {
        "def": "k",
        "instance_norm": "nf",
        "1e-5": "mi",
        "return": "k",
        "# your code here": "c1",
        '"instance_norm/by_hand"': "s2",
    }
    assert tab.seen.errors == []


def test_code_is_typed(exercise):
    exercise.open()
    keys, code = exercise.tab.keyboard, exercise.code
    code.fill("")
    keys.type("def f(x, y=[1]):")
    keys.press("Enter")
    keys.type('if x["a"] > 0:  # more: or less')
    keys.press("Enter")
    keys.type("return '<b>' + \"it's\"")
    assert exercise.text == (
        "def f(x, y=[1]):\n"
        '    if x["a"] > 0:  # more: or less\n'
        "        return '<b>' + \"it's\""
    )
    keys.press("Enter")
    keys.press("Backspace")
    keys.type("# a word: here")
    keys.press("Enter")
    keys.type("x")
    assert exercise.text.endswith("    # a word: here\n    x")
    exercise.lines_up()
    typed = exercise.text
    keys.press("ControlOrMeta+a")
    keys.press("Tab")
    assert exercise.text == "\n".join(f"    {line}" for line in typed.split("\n"))
    keys.press("Shift+Tab")
    assert exercise.text == typed
    keys.press("ControlOrMeta+z")
    keys.press("ControlOrMeta+z")
    assert exercise.text == typed
    keys.press("ControlOrMeta+z")
    assert exercise.text != typed, "the browser's own undo"
    code.fill("x")
    keys.press("End")
    keys.press("Tab")
    assert exercise.text == "x   "
    keys.press("Shift+Tab")
    keys.type("(")
    assert exercise.text == "x   ()"
    keys.press("Backspace")
    keys.type('"')
    keys.type("a long string" * 20)
    exercise.lines_up()
    # a phone types quotes that Python does not read
    code.fill("")
    for quote in "“a” ‘b’":
        keys.insert_text(quote)
    assert exercise.text == "\"a\" 'b'"
    # the keyboard's user gets out
    keys.press("Escape")
    keys.press("Tab")
    expect(exercise.all.get_by_role("button", name="Check")).to_be_focused()
    assert "Esc, then Tab" in exercise.all.locator(".help").inner_text()
    expect(code).to_have_accessible_description(re.compile("Esc, then Tab leaves"))


def test_a_verdict_is_told_once(exercise):
    tab = exercise.open().tab
    tab.evaluate(
        """() => {
          self.told = [];
          const status = document.querySelector("book-exercise .verdict");
          const tell = () => status.textContent && told.push(status.textContent);
          new MutationObserver(tell).observe(status, { childList: true });
        }"""
    )
    tick = tab.locator("#pst-primary-sidebar .current > book-tick").last
    expect(tick).to_be_empty()
    exercise.check("print(7)\n#! wrong It differs.")
    expect(exercise.verdict).to_have_text("✗ instance_norm/by_hand\nIt differs.")
    expect(exercise.verdict).to_be_in_viewport()
    expect(exercise.verdict).to_have_role("status")
    expect(exercise.printed).to_have_text("7")
    assert exercise.printed.bounding_box()["y"] < exercise.verdict.bounding_box()["y"]
    solved = exercise.section.get_by_role("checkbox", name="Solved")
    expect(solved).not_to_be_checked()
    exercise.code.fill("#! right It is.")
    exercise.code.press("Control+Enter")
    expect(exercise.verdict).to_have_text("✓ instance_norm/by_hand\nIt is.")
    expect(exercise.printed).to_be_hidden()
    expect(exercise.code).to_be_focused()
    expect(solved).to_be_checked()
    expect(tick).not_to_be_empty()
    assert len(tab.evaluate("told")) == 2
    exercise.code.fill("#! wrong It was.")
    exercise.code.press("Meta+Enter")
    expect(exercise.verdict).to_contain_text("It was.")
    expect(solved).to_be_checked()
    assert tab.evaluate("bookEngine.started") == 1
    # a line of the code, to go there
    exercise.check("a = 1\nb = 2\n#! error A name is missing: line 2, it seems.")
    exercise.verdict.get_by_role("button", name="line 2").click()
    expect(exercise.code).to_be_focused()
    chosen = "(e) => e.value.slice(e.selectionStart, e.selectionEnd)"
    assert exercise.code.evaluate(chosen) == "b = 2"
    exercise.check("#! missing torch.fft is not there in the page.")
    colab = exercise.verdict.get_by_role("link", name="Open in Colab")
    expect(colab).to_have_attribute("href", re.compile(r"instance_norm\.ipynb$"))
    expect(exercise.all.locator(".buttons a")).to_have_attribute(
        "href", colab.get_attribute("href")
    )
    assert tab.seen.errors == []


def test_what_never_ends_is_stopped(open_page):
    tab = open_page()
    tab.clock.install()
    exercise = Exercise(tab).open()
    exercise.check("while True: pass")
    running = exercise.all.locator(".running")
    expect(running).to_contain_text("Running …")
    tab.clock.run_for(3_000)
    expect(running).to_contain_text(re.compile(r"Running … [34] s"))
    exercise.press("Stop")
    expect(exercise.verdict).to_contain_text("Stopped.")
    expect(running).to_be_hidden()
    expect(exercise.all.get_by_role("button", name="Check")).to_be_focused()
    exercise.press("Check")
    expect(exercise.verdict).to_be_empty()
    tab.wait_for_function("bookEngine.started === 2")
    expect(exercise.verdict).to_be_empty()
    # the limit begins once the worker is there
    expect(running).to_contain_text("Running …")
    tab.clock.run_for(11_000)
    expect(exercise.verdict).to_contain_text(
        "Stopped after 10 s: is there a loop that never ends, or a very large tensor?"
    )
    assert exercise.text == "while True: pass"
    # the next check has a worker of its own, and one check ends another
    exercise.press("Check")
    expect(running).to_contain_text("Running …")
    other = Exercise(tab, 3).open()
    other.check("#! right It is.")
    expect(other.verdict).to_contain_text("It is.")
    expect(exercise.verdict).to_contain_text("Stopped, since another check began.")
    other.check("print(flood )")
    expect(other.printed).to_contain_text("flood")
    assert other.printed.bounding_box()["height"] < 500
    # so has the next after a worker that has come to its end
    started = tab.evaluate("bookEngine.started")
    other.check("#! error Dead.")
    expect(other.verdict).to_contain_text("Dead.")
    other.check("#! right It is.")
    expect(other.verdict).to_contain_text("It is.")
    assert tab.evaluate("bookEngine.started") == started + 1


def test_the_readers_code_is_kept(exercise):
    tab = exercise.open().tab
    exercise.code.fill("mine = 1")
    exercise.code.blur()
    assert kept(tab)["texts"]["instance_norm/by_hand"]["text"] == "mine = 1"
    tab.reload()
    expect(exercise.starter.locator(".write-here")).to_have_text("Continue here")
    assert tab.evaluate("shifted") == 0
    assert exercise.open().text == "mine = 1"
    exercise.check("print(7)\nmine = 1" + " " * 200)
    expect(exercise.printed).to_be_visible()
    exercise.press("Reset")
    assert exercise.text == STARTER
    assert exercise.all.locator(".code").evaluate("(e) => e.scrollLeft") == 0
    expect(exercise.printed).to_be_hidden()
    expect(exercise.verdict).to_be_empty()
    assert kept(tab)["texts"] == {}
    exercise.press("Undo")
    assert exercise.text.strip() == "print(7)\nmine = 1"
    exercise.code.fill("mine = 1")
    expect(exercise.note).to_be_empty()
    # another tab writes, and the newer stays
    other = Exercise(tab.context.new_page())
    other.tab.goto(tab.url)
    other.open()
    other.code.fill("mine = 2")
    expect(exercise.code).to_have_value("mine = 2")
    expect(exercise.note).to_contain_text("from another tab")
    exercise.press("Undo")
    assert exercise.text == "mine = 1"
    expect(other.code).to_have_value("mine = 1")
    # what is too long stays in the editor
    exercise.code.fill("#" * 100_001)
    exercise.code.blur()
    expect(exercise.note).to_contain_text("too long to be kept")
    assert kept(tab)["texts"]["instance_norm/by_hand"]["text"] == "mine = 1"
    assert len(exercise.text) == 100_001
    # many lines come at once
    exercise.code.evaluate("(e) => { e.value = 'x = 1\\n'.repeat(2000); e.oninput(); }")
    exercise.press("Reset")
    exercise.press("Undo")
    assert exercise.text == "x = 1\n" * 2000


def test_progress_has_the_code(exercise, open_page, tmp_path):
    tab = exercise.open().tab
    exercise.code.fill("mine = 1")
    exercise.code.blur()
    tab.goto(tab.url.partition("notebooks/")[0] + "book/progress.html")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Save to a file").click()
    saved = tmp_path / "saved.json"
    download.value.save_as(saved)
    found = json.loads(saved.read_text())
    assert found["texts"]["instance_norm/by_hand"]["text"] == "mine = 1"
    new = open_page("book/progress.html")
    old = tmp_path / "old.json"
    old.write_text(json.dumps({k: v for k, v in found.items() if k != "texts"}))
    for file in (old, saved):
        with new.expect_file_chooser() as chooser:
            new.get_by_role("button", name="Load from a file").click()
        chooser.value.set_files(file)
        status = new.locator("book-progress [role=status]")
        expect(status).to_contain_text(f"{file.name} is added")
    assert kept(new)["texts"] == found["texts"]
    new.once("dialog", lambda dialog: dialog.accept())
    new.get_by_role("button", name="Forget everything").click()
    assert new.evaluate("memory.read().texts") == {}


def test_a_link_carries_the_code(exercise, open_page):
    tab = exercise.open().tab
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    code = 'given = "<b> ∂y/∂x"\n' + "x = 1\n" * 200
    exercise.code.fill(code)
    exercise.press("Copy link")
    expect(exercise.note).to_contain_text("copied")
    link = tab.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{tab.url}#write~instance_norm/by_hand~")
    assert len(link) < 300
    for given, said in {
        "": "no code yet",
        "#" * 100_001: "too long for a link",
    }.items():
        exercise.code.fill(given)
        exercise.press("Copy link")
        expect(exercise.note).to_contain_text(said)
    # to a reader without code of his own it becomes his
    fragment = "#" + link.partition("#")[2]
    new = Exercise(open_page(PAGE + fragment))
    expect(new.code).to_have_value(code)
    expect(new.all).to_be_in_viewport()
    expect(new.note).to_have_text("This code came with the link.")
    assert kept(new.tab)["texts"]["instance_norm/by_hand"]["text"] == code
    # beside his own it is shown until he decides
    new.code.fill("mine = 2")
    new.code.blur()
    new.tab.goto("about:blank")
    new.tab.goto(link)
    expect(new.code).to_have_value(code)
    new.code.press("Control+End")
    new.code.press_sequentially("# and more")
    new.code.blur()
    assert kept(new.tab)["texts"]["instance_norm/by_hand"]["text"] == "mine = 2"
    new.press("Back to your own code")
    assert new.text == "mine = 2"
    assert "#write" not in new.tab.url
    new.tab.evaluate("(hash) => (location.hash = hash)", fragment)
    expect(new.code).to_have_value(code)
    new.press("Keep this code instead")
    assert kept(new.tab)["texts"]["instance_norm/by_hand"]["text"] == code
    new.press("Undo")
    assert kept(new.tab)["texts"]["instance_norm/by_hand"]["text"] == "mine = 2"
    for damage in (fragment[:-9], fragment[:-9] + "!", fragment.rpartition("~")[0]):
        new.tab.evaluate("(hash) => (location.hash = hash)", damage)
        expect(new.note).to_contain_text("The link is damaged")
        assert new.text == "mine = 2"
        new.note.evaluate("(e) => { e.textContent = ''; }")
    assert new.tab.seen.errors == []


def test_a_file_has_the_code_and_the_solution_opens(exercise):
    tab = exercise.open().tab
    exercise.code.fill("mine = 1")
    with tab.expect_download() as download:
        exercise.press("Save file")
    assert download.value.suggested_filename == "instance_norm_by_hand.py"
    assert Path(download.value.path()).read_text("utf8") == "mine = 1\n"
    exercise.press("Show solution")
    solution = exercise.section.locator("details", has_text="Solution").last
    expect(solution).to_have_attribute("open", "")
    expect(solution.locator("summary")).to_be_focused()
    expect(solution.locator("summary")).to_be_in_viewport()


def test_a_phone_has_a_bar_of_keys(open_page):
    tab = open_page(**PHONE)
    exercise = Exercise(tab)
    exercise.starter.locator(".write-here").tap()
    expect(exercise.code).to_be_visible()
    exercise.code.fill("")
    keys = exercise.all.get_by_role("toolbar").get_by_role("button")
    for key in keys.all():
        box = key.bounding_box()
        assert min(box["width"], box["height"]) >= 44
    names = ("Indent", "(", "[", "_", "]", ")", "Take back", "Outdent")
    for name in names:
        keys.get_by_text(name, exact=True).or_(
            exercise.all.get_by_role("button", name=name, exact=True)
        ).first.tap()
        expect(exercise.code).to_be_focused()
    assert exercise.text == "([_]"
    size = exercise.code.evaluate("(e) => parseFloat(getComputedStyle(e).fontSize)")
    assert size >= 16, "else iOS zooms"
    exercise.code.fill("")
    tab.keyboard.type("f('(")
    assert exercise.text == "f('("
    # above the phone's own keyboard
    exercise.code.fill("x = 1\n" * 60)
    tab.evaluate(
        """() => {
          Object.defineProperty(visualViewport, "height", { get: () => 400 });
          visualViewport.dispatchEvent(new Event("resize"));
        }"""
    )
    bar = exercise.all.locator(".keys").bounding_box()
    assert bar["y"] + bar["height"] == pytest.approx(400, abs=1)
    tab.set_viewport_size({"width": 360, "height": 740})
    root = "document.documentElement"
    assert tab.evaluate(f"{root}.scrollWidth <= {root}.clientWidth")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_page, theme):
    exercise = Exercise(open_page(theme=theme)).open()
    code = "# a word\n@torch.no_grad()\ndef f(x=1):\n    return sum('a', None)\n"
    exercise.check(code + "print(it)\n#! wrong It differs in line 2.")
    expect(exercise.verdict).to_contain_text("It differs")
    exercise.press("Reset")
    exercise.press("Undo")
    exercise.press("Check")
    expect(exercise.verdict).to_contain_text("It differs")
    found = violations(exercise.tab)
    assert found == [], json.dumps(found, indent=1)[:3000]


def test_paper_has_the_code_and_the_verdict(exercise):
    tab = exercise.open().tab
    exercise.check("mine = 1\n#! wrong It differs.")
    expect(exercise.verdict).to_contain_text("It differs")
    tab.emulate_media(media="print")
    for shown in (exercise.all.locator(".colors"), exercise.verdict):
        expect(shown).to_be_visible()
    for hidden in exercise.all.locator("button, a, textarea, .help, .numbers").all():
        expect(hidden).to_be_hidden()


@pytest.mark.parametrize("lacks", ["WebAssembly", "DecompressionStream"])
def test_an_older_browser_says_so(open_page, lacks):
    exercise = Exercise(open_page(script=f"delete self.{lacks};")).open()
    expect(exercise.verdict).to_contain_text("This browser")
    expect(exercise.verdict.get_by_role("link", name="Open in Colab")).to_be_visible()
    exercise.code.fill("mine = 1")
    exercise.press("Check")
    expect(exercise.verdict).to_contain_text("This browser lacks")
    assert exercise.text == "mine = 1"


def test_what_does_not_load_says_so_and_may_be_tried_again(open_page):
    tab = open_page()
    tab.context.route("**/_static/engine.js*", lambda route: route.abort())
    exercise = Exercise(tab).open()
    exercise.check("#! right It is.")
    expect(exercise.verdict).to_contain_text("Python did not load")
    tab.context.route(
        "**/_static/engine.js*", lambda route: route.fulfill(body=PRETENDED)
    )
    exercise.press("Check")
    expect(exercise.verdict).to_contain_text("It is.")


def solution(exercise):
    """The printed solution, in place of the starter's code."""
    printed = exercise.section.locator("details pre").last.text_content()
    return printed + exercise.text.splitlines()[-1]


SLOW = 30_000  # milliseconds, on a busy machine


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_python_checks_an_answer(open_page, base, scheme):
    where = base if scheme == "http" else f"{HTML.resolve().as_uri()}/"
    tab = open_page(where=where, pretended=False)
    # numbers, then a function
    for number in (1, 2):
        exercise = Exercise(tab, number).open()
        exercise.press("Check")
        expect(exercise.verdict).to_contain_text("Not answered yet", timeout=SLOW)
        right = solution(exercise)
        exercise.check(right)
        expect(exercise.verdict).to_contain_text("✓", timeout=SLOW)
    exercise.check("x = 1\nx +=")
    expect(exercise.verdict).to_contain_text("SyntaxError", timeout=SLOW)
    expect(exercise.verdict.get_by_role("button", name="line 2")).to_be_visible()
    for word in ("one", "other"):
        exercise.check(f"print('{word}', end='')")
        expect(exercise.printed).to_have_text(word, timeout=SLOW)
    exercise.check("while True: print(1)")
    expect(exercise.printed).to_contain_text("1", timeout=SLOW)
    expect(exercise.verdict).to_contain_text("stopped", timeout=SLOW, ignore_case=True)
    exercise.check("while True: pass")
    expect(exercise.all.locator(".running")).to_contain_text("Running …", timeout=SLOW)
    exercise.press("Stop")
    for code, said in {
        "check(1)": "TypeError",
        "print(“a”)": "straight",
        "import js\njs.fetch('https://example.com/')": "js.fetch is not there",
        "import _source\n_source.plainer.constructor": "no attribute 'constructor'",
        "open('data.txt')": "no files",
        "def f(a, a): pass": "argument name reused\nin line 1 of your code: "
        "`def f(a, a): pass`.",
        "torch.Tensor.mean = None": "Nothing has been checked",
        right: "This exercise cannot be checked",
    }.items():
        exercise.check(code)
        expect(exercise.verdict).to_contain_text(said, timeout=SLOW)
    exercise.press("Check")  # what an answer has changed lasts no longer
    expect(exercise.verdict).to_contain_text("✓", timeout=SLOW)
    assert tab.seen.foreign == []
    assert tab.seen.errors == []
