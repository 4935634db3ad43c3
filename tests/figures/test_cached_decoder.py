"""CachedDecoder: the JavaScript engine against torch, and the figure by hand."""

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from playwright.sync_api import Page, expect

from helpers import figures

TAG = "nn-cached-decoder"
ENGINE = f"""(list) => list.map((s) => {{
  const {{ engine }} = nnFigures.specs["{TAG}"];
  return {{ ...engine.run(s), work: engine.work(s, s.step) }};
}})"""
Show = Callable[..., Page]


def shown() -> list[figures.CachedDecoder]:
    options = itertools.product((1, 2, 5, 8), (1, 3, 4), (True, False))
    found = [
        figures.CachedDecoder(step, d=d, cache=cache) for step, d, cache in options
    ]
    return [*found, figures.CachedDecoder(x=torch.randn(6, 4), step=4)]


def test_engine_is_torchs(evaluate: Callable[..., Any]) -> None:
    all_shown = shown()
    states = [figure.values for figure in all_shown]
    for figure, got in zip(all_shown, evaluate(ENGINE, states), strict=True):
        q, k, v, output, weights = figure.attended()
        for name, wanted in {"q": q, "k": k, "v": v, "output": output}.items():
            mine = torch.tensor(got[name], dtype=torch.float64)
            torch.testing.assert_close(mine, wanted, atol=1e-12, rtol=0)
        for i, row in enumerate(got["weights"]):
            mine = torch.tensor(row, dtype=torch.float64)
            torch.testing.assert_close(mine, weights[i, : i + 1], atol=1e-12, rtol=0)
        assert got["work"] == figure.work()._asdict()
        x = figure.tokens()[: figure.values["step"]]
        again = F.scaled_dot_product_attention(
            q[None], k[None], v[None], is_causal=True
        )
        torch.testing.assert_close(again[0], output, atol=1e-12, rtol=0)
        assert len(x) == len(k)


def test_the_work_is_what_torch_counts() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    for figure in shown():
        s, (q, k, v, *_) = figure.values, figure.attended()
        x, weight = figure.tokens()[: s["step"]], figure.layer.in_proj_weight
        new = slice(-1 if s["cache"] else 0, None)
        with FlopCounterMode(display=False) as counter:
            _ = x[new] @ weight.T
        assert counter.get_total_flops() == 2 * figure.work().project
        with FlopCounterMode(display=False) as counter:
            _ = (q[new] @ k.T).softmax(-1) @ v
        assert counter.get_total_flops() == 2 * figure.work().attend
        assert figure.work().kept == (k.numel() + v.numel() if s["cache"] else 0)


def test_the_code_to_copy_runs(evaluate: Callable[..., Any]) -> None:
    for cache in (True, False):
        figure = figures.CachedDecoder(6, cache=cache)
        code = evaluate(
            f"(s) => nnFigures.specs['{TAG}'].engine.codeFull(s)", figure.values
        )
        printed: list[torch.Tensor] = []
        exec(code, {"torch": torch, "F": F, "print": printed.append})
        torch.testing.assert_close(printed[0], figure.attended()[3][-1])


def test_mouse_and_keyboard(show: Show) -> None:
    page = show(figures.CachedDecoder())
    claim = page.locator(f"{TAG} .claim")
    expect(claim).to_have_text("Token 3: one new key and value, 51 multiplications")
    page.get_by_role("button", name="Next token").click()
    expect(claim).to_have_text("Token 4: one new key and value, 57 multiplications")
    page.get_by_role("radio", name="computed anew").click()
    expect(claim).to_have_text("Token 4: 5 keys and 5 values anew, 285 multiplications")
    page.get_by_role("gridcell", name=re.compile("^key of token 0")).first.click()
    page.keyboard.press("ArrowDown")
    expect(page.locator(f"{TAG} .line").first).to_contain_text("key 1")
    page.get_by_label("Tokens", exact=True).focus()
    page.keyboard.press("End")
    expect(page.get_by_role("button", name="Next token")).to_be_disabled()
    page.keyboard.press("Home")
    expect(claim).to_contain_text("Token 0: 1 key and 1 value anew")
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text("Token 0")


def test_axe_and_a_phone(phone: Show) -> None:
    phone(figures.CachedDecoder(), figures.CachedDecoder(8, cache=False, d=4))


def test_live_your_own_and_what_is_refused() -> None:
    live = figures.CachedDecoder().live()
    live.step, live.cache = 2, False
    assert repr(live).startswith("live CachedDecoder: step 2 with no cache")
    assert figures.CachedDecoder(x=torch.ones(3, 2)).values["step"] == 3
    for given, words in (
        ({"step": 9}, "step is 9: allowed are 1 to 8"),
        ({"step": 5, "length": 4}, "step is 5: allowed are 1 to 4"),
        ({"at": 4}, "at is 4: allowed are 0 to 3"),
        ({"d": 5}, "d is 5"),
        ({"x": torch.ones(9, 2)}, "x has shape (9, 2): allowed are 2 to 8 rows"),
        ({"x": torch.full((2, 2), torch.nan)}, "x has values that are not finite"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.CachedDecoder(**given)
