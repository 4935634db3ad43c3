"""TrainedAttention: the JavaScript engine against torch, and the figure by hand."""

import random
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect

from helpers import alice, figures

TAG = "nn-trained-attention"
ENGINE = f"""(list) => {{
  const {{ engine }} = nnFigures.specs["{TAG}"];
  const model = engine.unpack(nnFigures.data["{TAG}"]);
  return list.map((words) => engine.run(model, words));
}}"""
Show = Callable[..., Page]


def texts(count: int) -> list[str]:
    draw, words = random.Random(0), re.findall("[a-z]+", alice()[1])
    found = ["ab", "a.-b", figures.TrainedAttention.defaults["text"]]
    while len(found) < count:
        text = " ".join(draw.choice(words) for _ in range(draw.randint(1, 9)))[:48]
        if len(text.strip()) > 1:
            found.append(text.strip())
    return found


def square(rows: list[list[float]]) -> torch.Tensor:
    full = torch.zeros(len(rows), len(rows), dtype=torch.float64)
    for i, row in enumerate(rows):
        full[i, : i + 1] = torch.tensor(row, dtype=torch.float64)
    return full


def test_engine_is_torchs(evaluate: Callable[..., Any]) -> None:
    given = texts(30)
    for text, got in zip(given, evaluate(ENGINE, given), strict=True):
        weights, following = figures.TrainedAttention(text).attended()
        mine = torch.stack([square(rows) for rows in got["weights"]])
        torch.testing.assert_close(mine, weights.flatten(0, 1), atol=1e-5, rtol=0)
        for row, guesses in zip(following, got["guesses"], strict=True):
            shares = torch.tensor([share for _, share in guesses], dtype=torch.float64)
            torch.testing.assert_close(shares, row.topk(3).values, atol=1e-5, rtol=0)


def test_what_the_page_shows_without_the_model(evaluate: Callable[..., Any]) -> None:
    figure = figures.TrainedAttention("the hare twice the hare")
    got = evaluate(
        f"(s) => nnFigures.specs['{TAG}'].engine.thaw(s.frozen, s.text,"
        f"nnFigures.data['{TAG}'].letters, 8)",
        figure.values,
    )
    weights, following = figure.attended()
    mine = torch.stack([square(rows) for rows in got["weights"]])
    torch.testing.assert_close(mine, weights.flatten(0, 1), atol=0.5 / 255, rtol=0)
    letters = figures.trained_attention.stored()["letters"]
    best = [letters[i] for i in following.argmax(1).tolist()]
    assert [guesses[0][0] for guesses in got["guesses"]] == best


def test_the_model_is_small_and_apart() -> None:
    data = figures.TrainedAttention.data()
    assert data in figures.script("trained_attention")
    assert data not in figures.script_part("trained_attention")


def test_the_code_to_copy_runs(evaluate: Callable[..., Any]) -> None:
    figure = figures.TrainedAttention("a hat for the hatter", block=2, head=3)
    code = evaluate(
        f"(s) => nnFigures.specs['{TAG}'].engine.codeFull(s)", figure.values
    )
    printed: list[torch.Tensor] = []
    exec(code, {"torch": torch, "nn": torch.nn, "print": printed.append})
    wanted = figure.attended()[0][1, 2, figure.values["at"]]
    assert torch.equal(printed[0], wanted)


def test_mouse_keyboard_and_own_words(show: Show) -> None:
    page = show(figures.TrainedAttention())
    claim = page.locator(f"{TAG} .claim")
    expect(claim).to_contain_text("Letter 30, “r”, attends")
    page.get_by_role("gridcell", name=re.compile("^letter 6, space")).click()
    expect(claim).to_contain_text("Letter 6, “␣”, attends")
    page.keyboard.press("ArrowRight")
    expect(claim).to_contain_text("Letter 7, “d”, attends")
    page.get_by_role("button", name="block 1, head 2").click()
    expect(page.locator(f"{TAG} .sub")).to_contain_text("Block 1, head 2.")
    words = page.get_by_label("Your words")
    words.fill("Mad  Hatter & mad h")
    expect(claim).to_contain_text("Letter 15, “h”, attends")
    state = page.locator(TAG).evaluate("(e) => e.figure.get()")
    assert state["text"] == "mad hatter mad h"
    page.get_by_label("Letter that asks").focus()
    page.keyboard.press("Home")
    expect(claim).to_contain_text("Letter 0, “m”, attends 100 % to itself")
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text("attends 100 %")
    # what no model reads gives way to the page's own words
    page.locator(TAG).evaluate("(e) => e.figure.set({ text: 'Q' }, {})")
    state = page.locator(TAG).evaluate("(e) => e.figure.get()")
    assert state["text"] == figures.TrainedAttention.defaults["text"]


def test_words_without_the_model_are_told(show: Show) -> None:
    parts = [figures.script_part(part) for part in ("core", "trained_attention")]
    page = show(figures.TrainedAttention(), script="".join(parts))
    claim = page.locator(f"{TAG} .claim")
    expect(claim).to_contain_text("attends")
    page.get_by_label("Your words").fill("other words")
    expect(claim).to_have_text("The model could not be loaded")
    page.get_by_label("Your words").fill(figures.TrainedAttention.defaults["text"])
    expect(claim).to_contain_text("attends")


def test_axe_and_a_phone(phone: Show) -> None:
    phone(figures.TrainedAttention(), figures.TrainedAttention("ab"))


def test_live_traits_and_what_is_refused() -> None:
    live = figures.TrainedAttention().live()
    live.text, live.at = "who are you", 10
    assert repr(live).startswith("live TrainedAttention: block 2, head ")
    for given, words in (
        ({"text": "a"}, "text is 'a': allowed are 2 to 48 of a to z"),
        ({"text": "Alice"}, "text is 'Alice'"),
        ({"text": "a  b"}, "no two spaces"),
        ({"text": "ab", "at": 2}, "at is 2: allowed are 0 to 1"),
        ({"block": 3}, "block is 3: allowed are 1 to 2"),
        ({"head": 0}, "head is 0"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.TrainedAttention(**given)
