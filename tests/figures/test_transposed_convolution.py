"""TransposedConvolution: the engine against torch, and the figure by hand."""

import json
import random
import re
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn
from torch.nn import functional as F

from helpers import figures

TAG = "nn-transposed-convolution"
# as text: Playwright walks through each number of an object
ENGINE = """(text) => {
  const { engine, defaults } = nnFigures.specs["nn-transposed-convolution"];
  return JSON.stringify(JSON.parse(text).map((given) => {
    const S = { ...defaults, ...given }, error = engine.error(S);
    if (error) return { error };
    return { size: engine.size(S), output: engine.scatter(S), counts: engine.counts(S),
      gathered: engine.gathered(S), stuffed: engine.stuffed(S),
      block: given.rows ? engine.block(S, ...given.rows) : null,
      origins: engine.origins(S, engine.input(S).length), guesses: engine.guesses(S) };
  }));
}"""
SIZES = """(text) => {
  const { engine, defaults } = nnFigures.specs["nn-transposed-convolution"];
  const [names, every] = JSON.parse(text);
  return JSON.stringify(every.map((values) => {
    const given = Object.fromEntries(names.map((k, i) => [k, values[i]]));
    const S = { ...defaults, ...given };
    return engine.error(S) || engine.size(S);
  }));
}"""
# of n, kernel_size, stride, padding and dilation
SPANS = (1, 13), (1, 8), (1, 7), (0, 7), (1, 5)
Show = Callable[..., Page]
KEYS = ("stride", "padding", "output_padding", "dilation")


def engine(evaluate: Callable[..., Any], settings: list[dict[str, Any]]) -> Any:
    return json.loads(evaluate(ENGINE, json.dumps(settings)))


def counted() -> list[dict[str, Any]]:
    """Small settings with outputs up to 12, and what torch refuses among them."""
    found = []
    for n, k, s, p, op, d in product(
        range(1, 7), range(1, 6), range(1, 5), range(4), range(5), range(1, 4)
    ):
        if (n - 1) * s - 2 * p + d * (k - 1) + op + 1 <= 12:
            settings = dict(zip(KEYS, (s, p, op, d), strict=True))
            found.append({"n": n, "kernel_size": k, **settings})
    return found


def drawn(count: int) -> list[dict[str, Any]]:
    """The reader's own numbers, rectangular inputs, a bias."""
    draw = random.Random(0)

    def matrix(rows: int, columns: int) -> list[list[float]]:
        return [[draw.gauss(0, 1) for _ in range(columns)] for _ in range(rows)]

    found = []
    for _ in range(count):
        k, height = draw.randint(1, 4), draw.randint(1, 5)
        found.append(
            {
                "n": height,
                "kernel_size": k,
                "stride": draw.randint(1, 3),
                "padding": draw.randint(0, 2),
                "output_padding": draw.randint(0, 2),
                "dilation": draw.randint(1, 2),
                "x": matrix(height, draw.randint(1, 5)),
                "weight": matrix(k, k),
                "bias": draw.gauss(0, 1),
            }
        )
    return found


def matrix_of(figure: figures.TransposedConvolution, size: torch.Size) -> torch.Tensor:
    """The convolution with the figure's settings as a matrix, from torch."""
    s = {key: figure.values[key] for key in KEYS if key != "output_padding"}
    basis = torch.eye(size.numel(), dtype=torch.float64).view(-1, 1, *size)
    return F.conv2d(basis, figure.weight[None, None], **s).flatten(1).mT


def test_engine_is_torchs(evaluate: Callable[..., Any], same_words: bool) -> None:
    configurations = counted()[::4] + drawn(300)
    refused = 0
    for s, got in zip(configurations, engine(evaluate, configurations), strict=True):
        figure = figures.TransposedConvolution.from_state(s)
        settings, x, w = {k: s[k] for k in KEYS}, figure.x, figure.weight
        bias = torch.tensor([figure.values["bias"]], dtype=torch.float64)
        try:
            y = F.conv_transpose2d(x[None, None], w[None, None], bias, **settings)[0, 0]
        except RuntimeError as error:
            refused += 1
            assert got.keys() == {"error"}, s
            words = {"type": "RuntimeError", "text": str(error)}
            assert got["error"] == words or not same_words, s
            continue
        assert got["size"] == list(y.shape), s
        for way in ("output", "gathered"):
            there = torch.tensor(got[way], dtype=torch.float64)
            assert torch.allclose(there, y, atol=1e-9), (s, way)
        assert y.shape[0] in got["guesses"], s
        assert torch.equal(figure.output(), y), s
        assert got["counts"] == figure.counts().tolist(), s
        stuffed = torch.tensor(got["stuffed"], dtype=torch.float64)[None, None]
        flipped = w.flip(0, 1)[None, None]
        plain = F.conv2d(stuffed, flipped, bias, dilation=s["dilation"])[0, 0]
        assert torch.allclose(plain, y, atol=1e-9), s
    assert len(configurations) > 1400
    assert 300 < refused < len(configurations) - 500


def test_every_size_up_to_12(evaluate: Callable[..., Any], same_words: bool) -> None:
    """Input and output up to 12: all legal settings, and torch's words for others.

    In float64: in float32 oneDNN returns an empty output where torch would refuse.
    """
    names = ("n", "kernel_size", *KEYS)
    every = [
        (n, k, s, p, op, d)
        for n, k, s, p, d in product(*(range(a, b) for a, b in SPANS))
        for op in range(max(s, d) + 1)
        if (n - 1) * s - 2 * p + d * (k - 1) + op + 1 <= 12
    ]
    found = json.loads(evaluate(SIZES, json.dumps([names, every])))
    refused = 0
    for values, got in zip(every, found, strict=True):
        n, k, *rest = values
        settings = dict(zip(KEYS, rest, strict=True))
        x, weight = (torch.zeros(1, 1, m, m, dtype=torch.float64) for m in (n, k))
        try:
            wanted: Any = list(F.conv_transpose2d(x, weight, **settings).shape[2:])
        except RuntimeError as error:
            refused += 1
            assert "text" in got, values
            wanted = {"type": "RuntimeError", "text": str(error)}
            if not same_words:
                continue
        assert got == wanted, values
    assert refused > 5000 and len(every) - refused > 5000


def test_the_adjoint_the_matrix_and_the_sizes(evaluate: Callable[..., Any]) -> None:
    """<Cx, y> = <x, C'y>; the blocks of C'; the sizes that a convolution takes to n."""
    draw = random.Random(2)
    chosen = []
    for s in counted():
        fits = s["output_padding"] < s["stride"] and s["n"] <= 4
        rest = s["stride"] * (s["n"] - 1) + s["dilation"] * (s["kernel_size"] - 1) + 1
        if fits and rest - 2 * s["padding"] + s["output_padding"] >= 1:
            s["rows"] = [draw.randrange(s["n"]), 0]
            chosen.append(s)
    chosen = chosen[::5]
    assert len(chosen) > 200
    for s, got in zip(chosen, engine(evaluate, chosen), strict=True):
        figure = figures.TransposedConvolution.from_state(s)
        size = torch.Size(got["size"])
        conv = matrix_of(figure, size)
        y = figure.x
        x = torch.randn(size, generator=torch.Generator().manual_seed(0)).double()
        there = torch.tensor(got["output"], dtype=torch.float64)
        one, two = (conv @ x.flatten()) @ y.flatten(), (x * there).sum()
        assert torch.allclose(one, two), s
        r, row = s["rows"]
        block = conv.mT.view(*size, *y.shape)[row, :, r]
        assert got["block"] == block.tolist(), s
        sizes = range(1, 30)
        reach = s["dilation"] * (s["kernel_size"] - 1)
        to_n = [
            m
            for m in sizes
            if m + 2 * s["padding"] > reach
            and F.conv2d(
                torch.empty(1, 1, m, m, device="meta"),
                torch.empty(1, 1, *figure.weight.shape, device="meta"),
                **{key: s[key] for key in KEYS if key != "output_padding"},
            ).shape[-1]
            == s["n"]
        ]
        assert got["origins"] == to_n, s


def test_the_pattern_far_inside(evaluate: Callable[..., Any]) -> None:
    settings = [
        {"kernel_size": k, "stride": s, "dilation": d}
        for k, s, d in product(range(1, 6), range(1, 5), range(1, 4))
    ]
    pattern = f"nnFigures.specs['{TAG}'].engine.pattern"
    found = evaluate(f"(all) => all.map({pattern})", settings)
    for s, got in zip(settings, found, strict=True):
        k, stride, dilation = s.values()
        ones = torch.ones(1, 1, 30, 30)
        kernel = torch.ones(1, 1, k, k)
        full = F.conv_transpose2d(ones, kernel, stride=stride, dilation=dilation)
        edge = dilation * (k - 1)
        inside = full[0, 0, edge : -edge or None, edge : -edge or None]
        assert got == inside.unique().int().tolist(), s


def test_the_code_to_copy_runs(evaluate: Callable[..., Any]) -> None:
    figure = figures.TransposedConvolution(3, 4, padding=1, bias=0.5)
    code = evaluate(
        f"(s) => nnFigures.specs['{TAG}'].engine.codeFull(s)", figure.values
    )
    space: dict[str, Any] = {"torch": torch, "nn": nn, "print": lambda *_: None}
    exec(code, space)
    assert torch.allclose(space["y"][0, 0].double(), figure.output(), atol=1e-5)


def slide(page: Page, label: str, value: int) -> None:
    page.get_by_label(label, exact=True).evaluate(
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", value
    )


def test_mouse_keyboard_and_the_views(show: Show) -> None:
    page = show(figures.TransposedConvolution())
    claim = page.locator(f"{TAG} .claim")
    rings = page.get_by_role("grid", name="Output").locator(".ring")
    expect(claim).to_contain_text("2 cells from the next: stamps overlap and add up")
    assert rings.count() == 9
    expect(page.locator(f"{TAG} .line").filter(has_text="rows:")).to_contain_text(
        "(3 − 1)·2 − 2·0 + 1·(3 − 1) + 0 + 1 = 7"
    )
    page.get_by_role("gridcell", name=re.compile("^output row 2, column 2:")).click()
    chosen = page.locator(f"{TAG} .line").filter(has_text="y[2, 2]")
    expect(chosen).to_contain_text("4 stamps of 9 input cells")
    page.keyboard.press("ArrowRight")
    expect(page.locator(f"{TAG} .line").first).to_be_hidden()
    expect(page.locator(f"{TAG} .line").filter(has_text="y[2, 3]")).to_contain_text(
        "2 stamps"
    )
    page.get_by_role("radio", name="overlap").click()
    expect(claim).to_have_text(
        "Uneven: inside a large output, cells get 1, 2 or 4 stamps"
    )
    slide(page, "kernel_size", 4)
    expect(claim).to_have_text("Even: inside a large output, every cell gets 4 stamps")
    slide(page, "kernel_size", 3)
    page.get_by_role("radio", name="gather").click()
    expect(claim).to_contain_text("Output (2, 3): 9 products, 7 of them with")
    assert page.get_by_role("grid", name="Input").locator(".ring").count() == 9
    assert page.get_by_role("grid", name="Input").locator(".x").count() == 9
    page.get_by_role("radio", name="matrix").click()
    expect(claim).to_have_text("Input row 1 reaches output row 2 through kernel row 0")
    page.get_by_role("gridcell", name="output column 4, input column 2: weight").click()
    state = page.locator(TAG).evaluate("(e) => e.figure.get()")
    assert (state["at"], state["to"]) == ([1, 2], [2, 4])
    page.get_by_role("gridcell", name=re.compile("^output row 6, column 4")).click()
    expect(claim).to_contain_text("does not reach output row 6")
    assert page.get_by_role("grid", name="Kernel").locator(".w").count() == 0
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text("Output 7 × 7")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"n": 3, "kernel_size": 3, "dilation": 3}, "stamps leave gaps"),
        ({"n": 4, "kernel_size": 3, "dilation": 3}, "stamps overlap and add up"),
        ({"n": 3, "kernel_size": 2}, "stamps meet without overlap"),
        ({"n": 1}, "The only input cell stamps the 3 × 3 kernel once"),
        (
            {"view": "gather", "kernel_size": 1, "to": (1, 0)},
            "with a stuffed or padded",
        ),
        ({"view": "gather", "stride": 1}, "9 products, none of them with a stuffed"),
    ],
)
def test_the_claim_is_about_this_state(
    show: Show, state: dict[str, Any], words: str
) -> None:
    page = show(figures.TransposedConvolution(**state))
    expect(page.locator(f"{TAG} .claim")).to_contain_text(words)


def test_padding_crops_and_output_padding_adds_rows(show: Show) -> None:
    page = show(figures.TransposedConvolution(padding=1))
    out = page.get_by_role("grid", name="Output")
    cropped = out.locator(".crop")
    assert cropped.count() == 49 - 25
    slide(page, "output_padding", 1)
    assert cropped.count() == 49 - 36
    sub = page.locator(f"{TAG} .sub").first
    expect(sub).to_contain_text("which padding had cut")
    slide(page, "padding", 0)
    expect(sub).to_contain_text("beyond every stamp")
    assert out.locator(".none").count() == 15
    slide(page, "output_padding", 2)
    error = page.locator(f"{TAG} .error")
    expect(error).to_contain_text("output padding must be smaller than either stride")
    expect(out).to_be_hidden()
    slide(page, "output_padding", 0)
    slide(page, "padding", 4)
    expect(error).to_contain_text("Calculated output size per channel: (-1 x -1)")
    slide(page, "padding", 0)
    expect(error).to_be_hidden()
    expect(sub).to_contain_text("makes 3 × 3 of 7 × 7 and of 8 × 8")


def test_predict_then_reveal(show: Show) -> None:
    page = show(figures.TransposedConvolution(padding=1, predict=True))
    out = page.get_by_role("grid", name="Output")
    expect(out).to_be_hidden()
    text = page.locator(TAG).evaluate(
        "(e) => e.shadowRoot.querySelector('code').textContent"
    )
    assert "->" not in text
    page.locator(f"{TAG} .ask").get_by_role("button", name="7", exact=True).click()
    expect(page.get_by_text("you said 7, it is 5.")).to_be_visible()
    focused = "(e) => e.shadowRoot.activeElement.textContent"
    assert "you said 7" in page.locator(TAG).evaluate(focused)
    expect(out).to_be_visible()
    slide(page, "stride", 1)
    expect(out).to_be_hidden()
    page.locator(f"{TAG} .ask").get_by_role("button", name="3", exact=True).click()
    expect(page.get_by_text("Right: 3 rows.")).to_be_visible()


def test_own_numbers_go_when_their_size_is_moved(show: Show) -> None:
    own = figures.TransposedConvolution(
        x=torch.full((2, 3), 7.0), weight=torch.full((2, 2), 5.0), bias=1.0
    )
    page = show(own)
    expect(page.locator(f"{TAG} .line").filter(has_text="y[")).to_contain_text(
        "7·5 + bias 1 = 36"
    )
    slide(page, "kernel_size", 3)
    state = page.locator(TAG).evaluate("(e) => e.figure.get()")
    assert state["weight"] is None and state["x"] is not None
    page.locator(f"{TAG} summary").click()
    slide(page, "Input rows and columns", 3)
    assert page.locator(TAG).evaluate("(e) => e.figure.get().x") is None


def test_axe_and_a_phone(phone: Show) -> None:
    page = phone(
        figures.TransposedConvolution(),
        figures.TransposedConvolution(view="overlap", output_padding=1),
        figures.TransposedConvolution(view="gather"),
        figures.TransposedConvolution(view="matrix"),
        figures.TransposedConvolution(output_padding=2),
        figures.TransposedConvolution(predict=True),
    )
    cut = page.locator(f"{TAG} .block").evaluate_all(
        "(all) => all.filter((e) => e.scrollWidth > e.clientWidth).length"
    )
    assert cut == 0


def test_live_traits_are_the_layer() -> None:
    live = figures.TransposedConvolution().live()
    live.stride, live.output_padding = 3, 2
    assert live.layer.stride == (3, 3)
    assert repr(live).endswith("stride 3, output_padding 2, (3, 3) becomes (11, 11)")


def test_your_own_layer_and_what_is_refused() -> None:
    layer = nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, output_padding=1)
    figure = figures.TransposedConvolution(layer=layer, x=torch.eye(4))
    with torch.no_grad():
        wanted = layer(torch.eye(4)[None, None])[0, 0]
    assert torch.allclose(figure.output().float(), wanted, atol=1e-5)
    assert figure.layer.output_padding == (1, 1)
    for given, words in (
        ({"n": 0}, "n is 0: allowed are 1 to 12"),
        ({"kernel_size": 8}, "kernel_size is 8: allowed are 1 to 7"),
        ({"stride": 0}, "stride is 0"),
        ({"padding": -1}, "padding is -1"),
        ({"output_padding": 7}, "output_padding is 7"),
        ({"dilation": 5}, "dilation is 5"),
        ({"n": 12, "stride": 3}, "the padded input has 38 cells a side"),
        ({"view": "both"}, "view is 'both'"),
        ({"at": (1,)}, "at is (1,): allowed is (row, column)"),
        ({"x": torch.ones(1, 13)}, "x has shape (1, 13)"),
        ({"weight": torch.ones(2, 3)}, "weight has shape (2, 3): allowed is (k, k)"),
        ({"layer": nn.ConvTranspose2d(2, 1, 3)}, "in_channels of layer is 2"),
        ({"layer": nn.ConvTranspose2d(1, 1, (2, 3))}, "kernel_size of layer is (2, 3)"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.TransposedConvolution(**given)


def test_the_control_in_use_stays_in_place(show: Show) -> None:
    page = show(figures.TransposedConvolution(), viewport={"width": 360, "height": 740})
    slider = page.get_by_label("output_padding", exact=True)
    slider.focus()
    page.evaluate("scrollTo(0, 120)")
    claim, top = page.locator(f"{TAG} .claim"), "e => e.getBoundingClientRect().top"
    height = claim.bounding_box()
    before = slider.evaluate(top)
    page.keyboard.press("End")
    expect(claim).to_contain_text("torch refuses it")
    expect(page.locator(f"{TAG} .sub").first).not_to_contain_text("float64")
    assert claim.bounding_box() != height
    assert abs(slider.evaluate(top) - before) < 1
    page.keyboard.press("Home")
    assert abs(slider.evaluate(top) - before) < 1
    assert slider.evaluate("e => e.getRootNode().activeElement === e")


def test_whose_words_an_empty_output_gets(show: Show) -> None:
    page = show(figures.TransposedConvolution(padding=4))
    expect(page.locator(f"{TAG} .error")).to_contain_text("Output size is too small")
    expect(page.locator(f"{TAG} .sub").first).to_contain_text(
        "stride 2. torch’s words below are those in float64"
    )
