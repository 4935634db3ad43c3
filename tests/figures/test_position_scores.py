"""PositionScores: the JavaScript engine against torch, and the figure by hand."""

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect

from helpers import figures

TAG = "nn-position-scores"
ENGINE = f"""(list) => list.map((s) => {{
  const {{ engine }} = nnFigures.specs["{TAG}"];
  return {{ row: engine.row(s), spread: engine.spread(s) }};
}})"""
Show = Callable[..., Page]


def settings() -> list[dict[str, Any]]:
    found = []
    options = itertools.product(
        ("rotary", "sinusoidal"), (2, 6, 16), (2, 10_000), (True, False)
    )
    for i, (method, d, base, content) in enumerate(options):
        places = {"m": 7 * i % 64, "n": 11 * i % 64}
        found.append(
            {"method": method, "d": d, "base": base, "content": content, **places}
        )
    return found


def test_engine_is_torchs(evaluate: Callable[..., Any]) -> None:
    shown = [figures.PositionScores(**s) for s in settings()]
    shown += [
        figures.PositionScores(method, q=torch.randn(6), k=torch.randn(6))
        for method in ("rotary", "sinusoidal")
    ]
    states = [figure.values for figure in shown]
    for figure, got in zip(shown, evaluate(ENGINE, states), strict=True):
        row = torch.tensor(got["row"], dtype=torch.float64)
        torch.testing.assert_close(
            row, figure.scores()[figure.values["m"]], atol=1e-9, rtol=0
        )
        assert got["spread"] == pytest.approx(figure.spread(), abs=1e-9)


def test_rotary_knows_the_distance_only_and_sums_do_not() -> None:
    for d, base in itertools.product((2, 8, 16), (10, 10_000)):
        for m, n in ((12, 7), (0, 40), (63, 0)):
            low, high = figures.PositionScores(d=d, base=base, m=m, n=n).spread()
            assert high - low < 1e-9
    low, high = figures.PositionScores("sinusoidal").spread()
    assert high - low > 0.1
    low, high = figures.PositionScores("sinusoidal", content=False).spread()
    assert high - low < 1e-9


def test_the_code_to_copy_runs(evaluate: Callable[..., Any]) -> None:
    for method in ("rotary", "sinusoidal"):
        figure = figures.PositionScores(method, m=30, n=3, d=6)
        code = evaluate(
            f"(s) => nnFigures.specs['{TAG}'].engine.codeFull(s)", figure.values
        )
        printed: list[torch.Tensor] = []
        exec(code, {"torch": torch, "print": printed.append})
        assert printed[0].item() == pytest.approx(
            figure.scores()[30, 3].item(), abs=1e-9
        )


def test_mouse_and_keyboard(show: Show) -> None:
    page = show(figures.PositionScores())
    claim = page.locator(f"{TAG} .claim")
    expect(claim).to_contain_text("5 apart: score 0.")
    before = claim.text_content()
    page.get_by_role("button", name="Both on 5").click()
    expect(claim).to_have_text(before or "")
    expect(page.locator(f"{TAG} .line").first).to_contain_text("query at 17, key at 12")
    page.get_by_label("n, the key’s").focus()
    page.keyboard.press("Home")
    expect(claim).to_contain_text("17 apart")
    expect(page.get_by_role("button", name="Both back 5")).to_be_disabled()
    page.get_by_role("radio", name="sinusoidal").click()
    expect(claim).to_contain_text("elsewhere")
    page.get_by_text("More").click()
    page.get_by_label("With words").uncheck()
    expect(claim).to_contain_text("wherever the two stand")
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text("wherever")


def test_axe_and_a_phone(phone: Show) -> None:
    phone(figures.PositionScores(), figures.PositionScores("sinusoidal", d=16))


def test_live_your_own_and_what_is_refused() -> None:
    live = figures.PositionScores().live()
    live.m, live.d = 3, 4
    assert repr(live).startswith("live PositionScores: rotary, query at 3, key at 7")
    own = figures.PositionScores(q=torch.ones(4), k=torch.ones(4))
    assert own.values["d"] == 4
    for given, words in (
        ({"d": 7}, "d is 7: allowed are even numbers from 2 to 16"),
        ({"m": 64}, "m is 64: allowed are 0 to 63"),
        ({"method": "learned"}, "method is 'learned': allowed are rotary, sinusoidal"),
        ({"q": torch.ones(4)}, "k is None: give q and k"),
        ({"q": torch.ones(4), "k": torch.ones(2)}, "q has 4 features, k 2"),
        ({"q": torch.ones(3), "k": torch.ones(3)}, "d is 3"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.PositionScores(**given)
