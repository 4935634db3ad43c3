"""AttentionWeights: the JavaScript engine against torch, and the figure by hand."""

import random
import re
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure as Canvas
from playwright.sync_api import Page, expect
from torch import Tensor, nn
from torch.nn import functional as F

from helpers import figures

TAG = "nn-attention-weights"
ENGINE = """(list) => {
  const { engine, defaults } = nnFigures.specs["nn-attention-weights"];
  return list.map((given) => {
    const S = { ...defaults, ...given }, r = engine.run(S);
    return { mask: r.m, scores: r.scores, weights: r.weights, output: r.output,
      entropy: r.entropy, best: r.weights.map((_, i) => engine.best(r, i)),
      tensors: engine.tensors(S) };
  });
}"""
Show = Callable[..., Page]


def small() -> list[dict[str, Any]]:
    """Every mask of 2 x 2 and of 2 x 3 through both, and every third of 3 x 3."""
    draw = torch.Generator().manual_seed(0)
    found = []
    for rows, columns, step in ((2, 2, 1), (2, 3, 1), (3, 3, 3)):
        q, k, v = (
            torch.randn(1, n, 3, generator=draw).double().tolist()
            for n in (rows, columns, columns)
        )
        masks = list(product([False, True], repeat=rows * columns))
        for cells in masks[::step]:
            own = [list(cells[i * columns :][:columns]) for i in range(rows)]
            for api in ("SDPA", "MHA"):
                found.append({"q": q, "k": k, "v": v, "mask": "own", "own": own})
                found[-1]["api"] = api
    return found


def drawn(count: int) -> list[dict[str, Any]]:
    draw, numbers = random.Random(0), torch.Generator().manual_seed(1)
    found = []
    for _ in range(count):
        api = draw.choice(["SDPA", "MHA"])
        s: dict[str, Any] = {
            "length": draw.randint(2, 8),
            "d": draw.choice([2, 4, 8, 16, 32, 64]),
            "seed": draw.randrange(2**31),
            "mask": draw.choice(["none", "causal", "padding", "own"]),
            "inverted": draw.random() < 0.5,
            "api": api,
            "scaled": api == "MHA" or draw.random() < 0.5,
        }
        rows = columns = s["length"]
        if draw.random() < 0.5:
            heads, rows, columns = (draw.randint(1, n) for n in (3, 8, 8))
            d = draw.randint(1, 12)
            shapes = ("q", rows, d), ("k", columns, d), ("v", columns, min(d, 5))
            for key, *shape in shapes:
                values = torch.randn(heads, *shape, generator=numbers) * 3
                s[key] = values.double().tolist()
            s["head"] = draw.randrange(heads)
        s["padded"] = draw.randint(0, columns)
        if s["mask"] == "own":
            s["own"] = [[draw.random() < 0.5] * columns for _ in range(rows)]
            for row in s["own"]:
                row[draw.randrange(columns)] ^= draw.random() < 0.7
        found.append(s)
    return found


def golden(s: dict[str, Any], q: Tensor, k: Tensor, v: Tensor) -> dict[str, Tensor]:
    """From torch, with a mask made here from torch's own parts."""
    rows, columns, d = len(q), len(k), q.shape[1]
    mask = {
        "causal": lambda: ~torch.ones(rows, columns).triu(1).bool(),
        "padding": lambda: torch.cat(
            [
                torch.ones(rows, columns - s["padded"], dtype=torch.bool),
                torch.zeros(rows, s["padded"], dtype=torch.bool),
            ],
            1,
        ),
        "own": lambda: torch.tensor(s["own"]),
        "none": lambda: None,
    }[s["mask"]]()
    if mask is not None and s.get("inverted"):
        mask = mask.logical_not()
    scores = q @ k.T
    if s.get("scaled", True):
        scores = scores / torch.tensor(d).double().sqrt()
    found = {"scores": scores} | ({} if mask is None else {"mask": mask})
    if s["api"] == "SDPA":
        scale = None if s.get("scaled", True) else 1.0
        found["output"] = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, scale=scale
        )
        bias = torch.zeros(rows, columns).double()
        if mask is not None:
            bias = bias.masked_fill(~mask, -torch.inf)
        found["weights"] = (scores + bias).softmax(-1).nan_to_num(0.0)
        return found
    mha = nn.MultiheadAttention(d, 1, bias=False).double()
    mha.in_proj_weight.data = torch.eye(d).double().repeat(3, 1)
    mha.out_proj.weight.data = torch.eye(d).double()
    wide = torch.cat([v, torch.zeros(columns, d - v.shape[1])], 1)
    output, found["weights"] = mha(q, k, wide, attn_mask=mask)
    found["output"] = output[:, : v.shape[1]]
    return found


def close(got: Any, wanted: Tensor) -> bool:
    numbers = torch.tensor(got, dtype=torch.float64)
    return torch.allclose(
        numbers, wanted.detach().double(), rtol=1e-9, atol=1e-9, equal_nan=True
    )


def test_engine_is_torchs(evaluate: Callable[..., Any]) -> None:
    configurations = [*small(), *drawn(400)]
    empty = {"SDPA": 0, "MHA": 0}
    everything = zip(configurations, evaluate(ENGINE, configurations), strict=True)
    for s, got in everything:
        figure = figures.AttentionWeights.from_state(s)
        q, k, v = figure.tensors()
        for key, value in zip("qkv", (q, k, v), strict=True):
            assert got["tensors"][key] == value.tolist(), s  # bit by bit
        wanted = golden(s, q, k, v)
        for key, value in wanted.items():
            assert close(got[key], value), (s, key)
        assert (got["mask"] is None) == ("mask" not in wanted)
        weights = wanted["weights"].detach()
        bits = torch.special.entr(weights).nansum(1) / torch.tensor(2.0).log()
        assert torch.allclose(torch.tensor(got["entropy"]).double(), bits, atol=1e-6)
        for row, keys in zip(weights, got["best"], strict=True):
            if row.nansum() == 0:
                empty[s["api"]] += 1
                assert keys == []
            else:
                assert row[keys].min() >= row.max() - 1e-12
        output, shown = figure.attended()
        assert close(output.tolist(), wanted["output"])
        assert close(shown.tolist(), weights)
    assert min(empty.values()) > 100


def test_the_code_to_copy_runs(evaluate: Callable[..., Any]) -> None:
    own = torch.tensor([[True, False, True], [False, False, False]])
    q, k, v = (torch.randn(n, 4) for n in (2, 3, 3))
    for figure in (
        figures.AttentionWeights(),
        figures.AttentionWeights(scaled=False, mask="causal", d=4),
        figures.AttentionWeights(mask="padding", api="MHA", inverted=True),
        figures.AttentionWeights(mask="causal", api="MHA"),
        figures.AttentionWeights(q, k, v, attn_mask=own),
        figures.AttentionWeights(q, k, v[:, :2], attn_mask=own, api="MHA"),
        figures.AttentionWeights(
            layer=nn.MultiheadAttention(6, 3), x=torch.randn(5, 6), head=2
        ),
    ):
        code = evaluate(
            f"(s) => nnFigures.program(nnFigures.specs['{TAG}'].engine.codeFull(s))",
            figure.values,
        )
        space: dict[str, Any] = {"print": lambda *_: None}
        exec(code, space)
        output = figure.attended()[0]
        got = space["y"].detach()[..., : output.shape[1]].view_as(output)
        torch.testing.assert_close(got, output, equal_nan=True)
        if "mask" in space:
            assert torch.equal(space["mask"], figure.attn_mask)


def test_mouse_keyboard_and_polarity(show: Show) -> None:
    page = show(figures.AttentionWeights())
    claim, line = page.locator(f"{TAG} .claim"), page.locator(f"{TAG} .line")
    live = page.locator(f"{TAG} [aria-live]")
    expect(claim).to_have_text("Token 3 attends 48 % to token 1")
    page.get_by_role("gridcell", name="Token 4 attends", exact=False).first.click()
    expect(claim).to_contain_text("Token 4 attends")
    page.keyboard.press("ArrowUp")
    expect(claim).to_have_text("Token 3 attends 48 % to token 1")
    expect(line.nth(1)).to_contain_text("score[3, 0] = q[3]·k[0] / √8")
    page.get_by_role("radio", name="causal").click()
    expect(claim).to_have_text("Token 3 attends 63 % to token 1")
    expect(page.locator(f"{TAG} .sub").first).to_contain_text(
        "For SDPA, True means attend: 15 of 36 pairs are blocked"
    )
    # the same boolean, passed to the module, blocks what it allowed
    page.get_by_role("radio", name="MultiheadAttention").click()
    expect(page.locator(f"{TAG} .sub").first).to_contain_text(
        "For MultiheadAttention, True means block: 21 of 36 pairs are blocked"
    )
    expect(page.get_by_role("radio", name="yes")).to_be_hidden()
    page.get_by_role("gridcell", name=re.compile("^Token 5 attends NaN")).first.click()
    expect(claim).to_have_text(
        "Token 5 may attend to nothing: MultiheadAttention gives NaN"
    )
    expect(line.nth(3)).to_contain_text("[NaN, NaN]")
    page.get_by_role("button", name="Invert mask").click()
    expect(claim).to_contain_text("Token 5 attends")
    expect(page.locator(f"{TAG} code")).to_contain_text("mask = ~torch.ones(6, 6")
    expect(live).to_contain_text("Token 5 attends")
    # own cells: a click and Space turn one, arrows only move
    page.get_by_role("gridcell", name="token 5, token 5: False, attends").click()
    expect(page.get_by_role("radio", name="own")).to_be_checked()
    cell = page.get_by_role("gridcell", name="token 5, token 5: True, blocked")
    expect(cell).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    expect(
        page.get_by_role("gridcell", name="token 5, token 4: True, blocked")
    ).to_be_focused()
    state = page.locator(TAG).evaluate("(e) => e.figure.get()")
    assert state["own"][5] == [False] * 4 + [True] * 2
    assert (state["mask"], state["inverted"]) == ("own", False)
    page.locator(TAG).evaluate(
        "(e, own) => e.figure.set({ own })",
        [[i == j == 0 for j in range(6)] for i in range(6)],
    )
    expect(page.locator(f"{TAG} .sub").first).to_contain_text(
        "1 of 36 pairs is blocked"
    )
    page.get_by_text("More", exact=True).click()
    page.get_by_role("slider", name="Tokens").press("End")
    page.get_by_role("radio", name="SDPA").click()
    page.get_by_role("gridcell", name=re.compile("^output of token 7")).first.click()
    expect(claim).to_contain_text("Token 7")
    page.get_by_label("d of q and k").select_option(label="64")
    page.get_by_role("radio", name="none").click()
    page.get_by_role("radio", name="no", exact=True).click()
    expect(page.locator(f"{TAG} .sub").first).to_contain_text("undivided")
    expect(page.locator(f"{TAG} code")).to_contain_text("scale=1.0")


def test_guess_first(show: Show) -> None:
    page = show(figures.AttentionWeights(mask="causal", api="MHA", predict=True))
    claim = page.locator(f"{TAG} .claim")
    verdict = page.locator(f"{TAG} .line").first
    expect(claim).to_have_text("Which token will token 3 attend to most, or none?")
    hidden = re.compile("attends|blocked|becomes|attend to nothing|%$")
    expect(page.get_by_role("gridcell", name=hidden)).to_have_count(0)
    expect(page.locator(f"{TAG} .never")).to_have_count(0)
    expect(page.locator(f"{TAG} code")).not_to_contain_text("True: ")
    page.get_by_role("button", name="1", exact=True).click()
    weights = page.evaluate(
        f"() => document.querySelector('{TAG}').figure.get().at.join()"
    )
    assert weights == "3,1"
    wanted = figures.AttentionWeights(mask="causal", api="MHA").attended()[1][3]
    expect(verdict).to_have_text(
        f"Not quite: you said 1, it is {int(wanted.argmax())}."
    )
    expect(claim).to_contain_text(f"to token {int(wanted.argmax())}")
    expect(
        page.get_by_role("gridcell", name="Token 3 attends 0 % to token 1")
    ).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(claim).to_have_text("Which token will token 5 attend to most, or none?")
    page.get_by_role("button", name="none").last.click()
    expect(verdict).to_have_text("Right: none.")


def test_claims_are_true_for_every_row(show: Show) -> None:
    page = show(figures.AttentionWeights())
    for mask, api, inverted in product(
        ("none", "causal", "padding"), ("SDPA", "MHA"), (False, True)
    ):
        made = figures.AttentionWeights(mask=mask, api=api, inverted=inverted)
        for i, row in enumerate(made.attended()[1]):
            said = page.evaluate(
                """([tag, s]) => { const e = document.querySelector(tag);
                e.figure.set(s); return e.shadowRoot.querySelector(".claim").innerText;
                }""",
                [TAG, {**made.values, "at": [i, 0]}],
            )
            share = 100 * row.max()
            if share > 0:
                to = int(row.argmax())
                assert said == f"Token {i} attends {share:.0f} % to token {to}"
            else:
                gives = "MultiheadAttention gives NaN" if api == "MHA" else "SDPA gives"
                assert said.startswith(f"Token {i} may attend to nothing: {gives}")


def test_axe_and_a_phone(phone: Show) -> None:
    page = phone(
        figures.AttentionWeights(),
        figures.AttentionWeights(length=8, mask="causal", api="MHA", at=(7, 0)),
        figures.AttentionWeights(length=8, mask="padding", padded=8),
        figures.AttentionWeights(predict=True),
        figures.AttentionWeights(
            layer=nn.MultiheadAttention(8, 2), x=torch.randn(8, 8)
        ),
    )
    cut = page.locator(f"{TAG} .block").evaluate_all(
        "(all) => all.filter((e) => e.scrollWidth > e.clientWidth).length"
    )
    assert cut == 0
    first = page.locator(TAG).first
    for stage in ("scores", "mask", "weights", "output"):
        first.get_by_role("radio", name=stage).click()
        assert first.locator(".stage:visible").count() == 1 + (stage == "output")
    first.get_by_role("radio", name="mask").click()
    first.get_by_role("gridcell", name="token 0, token 0: no mask, attends").click()
    expect(first.locator(".claim")).to_contain_text("Token 0 attends")
    expect(
        first.get_by_role("gridcell", name="token 0, token 0: False, blocked")
    ).to_be_visible()


def test_live_traits_are_torchs() -> None:
    live = figures.AttentionWeights().live()
    live.mask, live.api, live.at = "causal", "MHA", [5, 2]
    assert repr(live).endswith("query 5 attends to nothing: nan")
    q, k, v = figures.AttentionWeights().tensors()
    causal = torch.ones(6, 6).tril().bool()
    weights = live.layer(q, k, v, attn_mask=~causal)[1]
    wanted = F.scaled_dot_product_attention(
        q, k, torch.eye(6).double(), attn_mask=causal
    )
    torch.testing.assert_close(weights, wanted)


def test_your_own_layer_and_what_is_refused() -> None:
    torch.manual_seed(0)
    for heads in (1, 2, 4):
        layer, x = nn.MultiheadAttention(8, heads), torch.randn(5, 8)
        nn.init.normal_(layer.in_proj_bias)
        later = torch.ones(5, 5).triu(1).bool()
        wanted = layer(x, x, x, attn_mask=later, average_attn_weights=False)[1]
        for head in range(heads):
            figure = figures.AttentionWeights(
                layer=layer, x=x, head=head, attn_mask=later
            )
            weights = figure.attended()[1]
            torch.testing.assert_close(
                weights, wanted[head].double(), atol=1e-4, rtol=0
            )  # the state keeps five decimals
    q = torch.randn(3, 4)
    for given, words in (
        ({"length": 9}, "length is 9: allowed are 2 to 8"),
        ({"d": 1}, "d is 1: allowed are 2 to 64"),
        ({"mask": "own"}, "mask is 'own': allowed are none, causal, padding, or give"),
        ({"api": "MHA", "scaled": False}, "scaled is False: MHA always divides"),
        ({"api": "Flash"}, "api is 'Flash': allowed are SDPA, MHA"),
        ({"padded": 7}, "padded is 7: allowed are 0 to 6"),
        ({"at": (6, 0)}, "at[0] is 6: allowed are 0 to 5"),
        ({"head": 1}, "head is 1: allowed are 0 to 0"),
        ({"attn_mask": torch.zeros(6, 6)}, "attn_mask is (6, 6) of torch.float32"),
        ({"attn_mask": torch.zeros(5, 6).bool()}, "it must be (6, 6) of torch.bool"),
        ({"q": torch.randn(9, 4)}, "q has shape (9, 4): allowed are 1 to 8 rows"),
        ({"q": q, "k": q[:, :3]}, "q and k need the same width"),
        ({"q": q, "v": q[:2]}, "k and v the same length"),
        ({"q": q, "v": torch.randn(3, 5)}, "columns of v is 5: allowed are 1 to 4"),
        ({"q": q / 0}, "q has values that are not finite"),
        ({"k": q}, "k and v need q"),
        ({"layer": nn.MultiheadAttention(4, 2)}, "layer needs x"),
        (
            {"layer": nn.MultiheadAttention(4, 2), "x": torch.randn(3, 6)},
            "x has width 6: the layer's is 4",
        ),
        (
            {"layer": nn.MultiheadAttention(4, 2, kdim=3), "x": q},
            "allowed is one without kdim",
        ),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.AttentionWeights(**given)


def test_an_update_is_quick(show: Show) -> None:
    page = show(figures.AttentionWeights(length=8, d=64))
    spent = page.evaluate(
        """(tag) => { const e = document.querySelector(tag), all = [];
        for (let i = 0; i < 40; i++) { const t = performance.now();
          e.figure.set({ at: [i % 8, i % 7], mask: i % 2 ? "causal" : "padding" });
          all.push(performance.now() - t); }
        return all.sort((a, b) => a - b)[20]; }""",
        TAG,
    )
    assert spent < 16 * 6  # a shared core against an idle desktop's, as test_browser's


def test_the_static_picture_writes_100_percent_in_digits():
    canvas = Canvas()
    figures.AttentionWeights(mask="causal").draw(canvas)
    words = [text.get_text() for text in canvas.axes[0].texts]
    assert "100" in words
    assert not [word for word in words if "e" in word and word[0].isdigit()]
