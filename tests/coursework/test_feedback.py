"""The feedback page: what it says, how it looks, and that nothing in it acts."""

import copy
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from records import ANSWERS, ada, question, record

from layers_book.coursework import files
from layers_book.coursework.results import feedback
from layers_book.coursework.results.grades import grade_of
from site_server import AXE

RUNS = (
    "</style></title></pre></bdi><script>document.title='ran'</script>"
    "\"'><img src=x onerror=\"document.title='ran'\"><svg onload=document.title='ran'>"
    "<a href=javascript:document.title='ran'>x</a><!--<base href=//evil.example>"
    "{{ 7*7 }}{% raw %}\N{RIGHT-TO-LEFT OVERRIDE}\x00\x1b[31m\ud800]]>&lt;b&gt;"
)
MANUAL: dict[str, Any] = {"report": (4.5, "Say what happens\nin evaluation mode.")}


class Text(HTMLParser):
    """Tags with the names of their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))
        self.text += " "

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] != "style":
            self.text += data


def words(page: str) -> str:
    return " ".join(Text(page).text.split())


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open a page from a file; it must run nothing, ask for nothing, say nothing."""
    contexts, seen = [], []

    def show(text: str, **options: Any) -> Page:
        file = files.write(tmp_path / "page.html", text)
        context = browser.new_context(**options)
        contexts.append(context)
        tab = context.new_page()
        for event in ("dialog", "pageerror", "popup", "download"):
            tab.on(event, lambda e: seen.append(str(e)))
        tab.on("console", lambda message: seen.append(message.text))
        tab.on("request", lambda request: seen.append(request.url))
        tab.goto(file.as_uri())
        assert seen.pop(0) == file.as_uri()
        return tab

    yield show
    for context in contexts:
        context.close()
    assert not seen


def test_what_a_page_says() -> None:
    said = words(feedback.page(ada(), ANSWERS, MANUAL, title="Normalization"))
    assert "11.5 of 25 points" in said
    assert "✓ passed the output 4 of 4" in said
    assert "✗ failed the gradient with respect to x 0 of 2" in said
    assert "◐ partly right" in said
    assert "Hint: detached statistics The gradient must also flow" in said
    assert "Seen with x (5, 3, 4), eps=0.1" in said
    assert "Your code raised RuntimeError in line 3 of your cell" in said
    assert "Why took longer than 10 s" in said
    assert "✓ right" in said and "○ not answered" in said
    assert "● marked by hand" in said and "Say what happens in evaluation" in said
    assert "mean = x.mean((0, 2), keepdim=True).detach() # (1, C, 1)" in said
    assert "explore ended with an error: NameError: name 'y'" in said
    assert "appears twice" in said and "a" * 64 in said
    assert "ended with an error" in said and "setup" not in said


def test_what_waits_for_a_person_is_no_zero() -> None:
    lost = question(
        "scale", None, 3.0, state="waiting", reason="its cell defines no scale"
    )
    waits = record("bob", question("rms", 4.0, 4.0), lost)
    said = words(feedback.page(waits, {"scale": "def Scale(x): ..."}))
    assert "4 of the 4 points marked so far" in said
    assert "○ to be looked at No points yet, which is not a mark of 0" in said
    assert "Why its cell defines no scale" in said and "— of 3" in said
    assert "0 of 3" not in said and "failed" not in said
    settled = words(feedback.page(waits, {}, {"scale-check": (2, "A typo.")}))
    assert "6 of 7 points" in settled and "● marked by hand" in settled
    assert "to be looked at" not in settled and "A typo." in settled


def test_what_is_not_marked_yet_is_no_zero() -> None:
    said = words(feedback.page(ada(), ANSWERS, {"report": (None, "soon")}))
    assert "7 of the 20 points marked so far" in said
    assert "Not final: 1 of 7 questions is not marked yet." in said
    assert "— of 5" in said and "0 of 5" not in said and "soon" in said


def test_a_mark_by_hand_replaces_the_machines() -> None:
    said = words(feedback.page(ada(), {}, MANUAL | {"running-check": (2.5, "")}))
    assert "14 of 25 points" in said and "replace the automatic ones" in said


def test_lateness() -> None:
    options: dict[str, Any] = {"penalty": 2.3, "late": "2 days late."}
    said = words(feedback.page(ada(), {}, MANUAL, **options))
    assert "9.2 of 25 points" in said
    assert "2 days late. 11.5 points before, 2.3 taken off" in said
    assert "late" not in words(feedback.page(ada(), {}, MANUAL))
    assert grade_of(ada(), MANUAL, penalty=100).total == 0
    with pytest.raises(ValueError, match="penalty=-1"):
        feedback.page(ada(), {}, penalty=-1)


@pytest.mark.parametrize("listed", [True, False])
def test_what_could_not_be_graded_is_no_zero(listed: bool) -> None:
    questions = [question("batch_norm", None, 6.0)] if listed else []
    lost = record("bob", *questions, state="could not grade", reason="not JSON")
    said = words(feedback.page(lost, {}, received="2026-12-02 09:14 UTC"))
    assert "Why not JSON" in said and "hand it in again" in said
    assert "Received: 2026-12-02 09:14 UTC" in said
    assert "not a mark of 0" in said
    assert not re.search(r"\b0 (of|points)", said)
    by_hand = grade_of(lost, {"batch_norm": (5, "")})
    assert by_hand.total == (5 if listed else None)


def hostile(value: Any, name: str = "") -> Any:
    """The same data with the payload in every text and every key that is free."""
    if isinstance(value, dict):
        free = {"python", "torch", "helpers"}
        return {
            RUNS + k if k in free else k: hostile(v, k) for k, v in value.items()
        } | ({} if free & value.keys() else {RUNS: RUNS})
    if isinstance(value, list):
        return [hostile(item, name) for item in value]
    return f"{value}{RUNS}" if isinstance(value, str) and name != "state" else value


def hostile_page() -> str:
    data = hostile(ada())
    answers = {q["name"]: RUNS for q in data["questions"]} | {RUNS: RUNS}
    manual: dict[str, Any] = {data["questions"][-1]["name"]: (1, RUNS), RUNS: (1, RUNS)}
    return feedback.page(
        data,
        answers,
        manual,
        title=RUNS,
        student_name=RUNS,
        late=RUNS,
        received=RUNS,
    )


def test_a_submission_plants_nothing(opened: Callable[..., Page]) -> None:
    every = {q["name"]: "x" for q in ada()["questions"]}
    plain = ada()
    for q in plain["questions"]:
        q.update({k: "x" for k in ("mistake", "hint", "seen", "error", "reason")})
    for q in plain["questions"][1:]:
        del q["parts"][:]
    expected = Text(
        feedback.page(plain, every, {"report": (1, "x")}, late="x", received="x")
    ).tags

    filled = hostile_page()
    # hostile() leaves empty texts hostile too, so the page has every optional part
    assert Text(filled).tags == expected
    assert {tag for tag, *_ in expected}.isdisjoint({"script", "img", "svg", "base"})
    assert not any(n.startswith("on") for _, *names in expected for n in names)

    tab = opened(filled)
    assert tab.title().startswith("Feedback: </style></title>")
    inside = tab.evaluate("document.querySelectorAll('*').length")
    assert inside == len(expected)
    links = tab.locator("a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    assert links == [f"#q{i + 1}" for i in range(7)]
    shown = tab.locator("body").inner_text()
    assert "<script>document.title='ran'</script>" in shown
    assert "{{ 7*7 }}" in shown and "⟨U+202E⟩⟨U+0000⟩⟨U+001B⟩[31m⟨U+D800⟩" in shown
    assert not re.search("[\u202e\x00\x1b\ud800]", filled)


def test_even_a_planted_script_would_not_run(browser: Browser, tmp_path: Path) -> None:
    planted = "<main><script>document.title='ran'</script><img src=x onerror='throw 1'>"
    text = feedback.page(ada(), ANSWERS).replace("<main>", planted)
    file = files.write(tmp_path / "planted.html", text)
    tab = browser.new_page()
    refused: list[str] = []
    tab.on("console", lambda message: refused.append(message.text))
    tab.goto(file.as_uri())
    assert tab.title() == "Feedback: normalization"
    assert sum("Content Security Policy" in text for text in refused) >= 2
    tab.close()


def test_long_text_is_cut_with_a_note() -> None:
    page = feedback.page(ada(), {"batch_norm": "x" * 3_000_000, "running": "\n" * 5000})
    assert "… [cut: 2,980,000 more characters]" in page
    assert "… [cut: 4,001 more characters]" in page
    assert len(page) < 60_000
    many = ada() | {"notes": ["n"] * 900, "cells": ada()["cells"] * 900}
    said = words(feedback.page(many, {}))
    assert "… and 850 more." in said and len(said) < 20_000


def test_visible() -> None:
    assert files.visible("a\r\nb\tc\u2066d\u00ade") == "a\nb\tc⟨U+2066⟩d⟨U+00AD⟩e"
    assert files.visible("Zoë 名前 می\u200cخواهم 👩\u200d🔬") == (
        "Zoë 名前 می\u200cخواهم 👩\u200d🔬"
    )
    assert files.visible("Z" + "\u0301" * 500) == "Z" + "\u0301" * 4


@pytest.mark.parametrize(
    ("which", "width", "theme"),
    [
        ("graded", 1280, "light"),
        ("graded", 360, "dark"),
        ("lost", 360, "light"),
        ("lost", 1280, "dark"),
        ("hostile", 360, "light"),
        ("hostile", 360, "dark"),
    ],
)
def test_axe_and_a_phone(
    opened: Callable[..., Page], which: str, width: int, theme: str
) -> None:
    pages = {
        "graded": lambda: feedback.page(ada(), ANSWERS, MANUAL, late="1 day late."),
        "lost": lambda: feedback.page(record("bob", state="could not grade"), {}),
        "hostile": hostile_page,
    }
    size = {"width": width, "height": 800}
    # axe itself is a script: only the policy of the page keeps it out
    tab = opened(pages[which](), viewport=size, color_scheme=theme, bypass_csp=True)
    root = "document.documentElement"
    assert tab.evaluate(f"{root}.scrollWidth - {root}.clientWidth") <= 0
    tab.evaluate(AXE.read_text("utf8"))
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert found["violations"] == []
    dark = tab.evaluate(f"getComputedStyle({root}).backgroundColor")
    assert dark == ("rgb(255, 255, 255)" if theme == "light" else "rgb(18, 20, 23)")


def test_write(tmp_path: Path) -> None:
    def write(record: Any, answers: Any = ANSWERS) -> Path:
        return feedback.write(tmp_path, record, feedback.page(record, answers))

    file = write(ada())
    assert file == tmp_path / "ada" / "normalization" / "normalization.html"
    first = file.read_text("utf8")
    changed = copy.deepcopy(ada())
    changed["questions"][0]["points"] = 6.0
    assert write(changed) == file
    assert file.read_text("utf8") != first
    assert list(file.parent.iterdir()) == [file]  # no half-written file is left
    for student in ("../eve", "", ".hidden", "a/b", "a\\b", "a\x00"):
        with pytest.raises(ValueError, match="student="):
            write(ada() | {"student": student}, {})
