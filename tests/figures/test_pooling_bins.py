"""PoolingBins: the JavaScript engine against torch's, and the figure by hand."""

import random
import re
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn

from helpers import figures

TAG = "nn-pooling-bins"
ENGINE = """(list) => {
  const { engine, defaults } = nnFigures.specs["nn-pooling-bins"];
  return list.map((given) => {
    const S = { ...defaults, ...given }, error = engine.error(S);
    if (error) return { error };
    const { outputs, gradient } = engine.pool(S);
    return { value: outputs.map((o) => o.value), reads: outputs.map((o) => o.inside), gradient };
  });
}"""  # noqa: E501
PLAIN = """(list) => {
  const { engine, defaults } = nnFigures.specs["nn-pooling-bins"];
  return list.map((given) => engine.plain({ ...defaults, ...given }));
}"""
Show = Callable[..., Page]


def windows() -> list[dict[str, Any]]:
    """Legal and illegal: a fifth of all sizes up to 12, so that each meets each."""
    grid = product(range(1, 13), range(1, 13), (None, 1, 2, 3, 5), range(5), (1, 2, 3))
    found = []
    for i, (n, k, stride, padding, dilation) in enumerate(grid):
        if i % 5:
            continue
        s = {"n": n, "kernel_size": k, "stride": stride, "padding": padding}
        s |= {"dilation": dilation, "ceil_mode": i % 2 == 0}
        if dilation == 1:
            counted = i % 4 < 2
            found.append({**s, "kind": "AvgPool1d", "count_include_pad": counted})
        found.append({**s, "kind": "MaxPool1d"})
    return found


def binned() -> list[dict[str, Any]]:
    """Every adaptive size up to 12, and fractional ones with given numbers."""
    found: list[dict[str, Any]] = [
        {"kind": f"Adaptive{what}Pool1d", "n": n, "output_size": size}
        for what, n, size in product(("Max", "Avg"), range(1, 13), range(1, 13))
    ]
    for n, k, size, u in product(
        range(1, 13), range(1, 5), range(1, 13), (0.0, 0.3, 0.85)
    ):
        s = {"kind": "FractionalMaxPool2d", "n": n, "kernel_size": k}
        found.append({**s, "output_size": size, "sample": u})
    return found


def own_numbers(count: int) -> list[dict[str, Any]]:
    draw = random.Random(0)
    found = []
    for _ in range(count):
        # small whole numbers, so that maxima are often tied
        x: list[float] = [
            draw.choice((-2, -1, 0, 1)) for _ in range(draw.randint(1, 24))
        ]
        if draw.random() < 0.5:
            x = [draw.gauss(0, 3) for _ in x]
        s = {"kind": draw.choice(KINDS), "x": x, "n": len(x)}
        s |= {"kernel_size": draw.randint(1, 6), "stride": draw.choice((None, 1, 2, 7))}
        s |= {"padding": draw.randint(0, 3), "dilation": draw.randint(1, 3)}
        s |= {"ceil_mode": draw.random() < 0.5, "sample": draw.random()}
        s |= {"count_include_pad": draw.random() < 0.5}
        found.append({**s, "output_size": draw.randint(1, 24)})
    return found


KINDS = figures.PoolingBins.State.kind.values


def close(got: list[float], wanted: torch.Tensor) -> bool:
    given = torch.tensor(got, dtype=torch.float64)
    return given.shape == wanted.shape and torch.allclose(given, wanted, atol=1e-12)


@pytest.mark.parametrize("make", [windows, binned, lambda: own_numbers(400)])
def test_engine_is_torchs(
    make: Callable[[], list[dict[str, Any]]],
    evaluate: Callable[..., Any],
    same_words: bool,
) -> None:
    configurations = make()
    refused = 0
    for i, (s, got) in enumerate(
        zip(configurations, evaluate(ENGINE, configurations), strict=True)
    ):
        figure = figures.PoolingBins.from_state(s)
        try:
            output, gradient = figure.pooled()
        except RuntimeError as error:
            refused += 1
            assert got.keys() == {"error"}, s
            words = {"type": "RuntimeError", "text": str(error)}
            assert got["error"] == words or not same_words, s
            continue
        assert "error" not in got, (s, got)
        assert close(got["value"], output), s
        assert close(got["gradient"], gradient), s
        if i % 5 == 0:
            assert got["reads"] == figure.reads(), s
    assert 50 < refused < len(configurations) - 200


def test_plain_poolings_are_found_where_there_are_any(
    evaluate: Callable[..., Any],
) -> None:
    sizes = list(product(range(1, 13), range(1, 13)))
    states = [
        {"kind": "AdaptiveMaxPool1d", "n": n, "output_size": size} for n, size in sizes
    ]
    found = dict(zip(sizes, evaluate(PLAIN, states), strict=True))
    x = torch.randn(64, 1, 12, generator=torch.Generator().manual_seed(0)).double()
    for (n, size), same in found.items():
        wanted = nn.AdaptiveMaxPool1d(size)(x[..., :n])
        if same:
            assert torch.equal(nn.MaxPool1d(*same)(x[..., :n]), wanted)
        else:
            assert n % size
    assert found[5, 3] == [3, 2, 1]
    for n, size in ((6, 4), (10, 4)):  # none; torch itself tries them all
        wanted = nn.AdaptiveMaxPool1d(size)(x[..., :n])
        assert found[n, size] is None
        for k, s in product(range(1, n + 1), range(1, n + 1)):
            for p, ceil in product(range(k // 2 + 1), (False, True)):
                y = nn.MaxPool1d(k, s, p, ceil_mode=ceil)
                try:
                    assert not torch.equal(y(x[..., :n]), wanted)
                except RuntimeError:
                    continue


@pytest.mark.parametrize(
    "figure",
    [
        figures.PoolingBins("AvgPool1d", 7, stride=2, padding=1, ceil_mode=True),
        figures.PoolingBins("AvgPool1d", padding=1, count_include_pad=False),
        figures.PoolingBins("MaxPool1d", 9, padding=1, dilation=2),
        figures.PoolingBins("AdaptiveMaxPool1d", x=[0.5, -1.5, 2.0], output_size=7),
        figures.PoolingBins("FractionalMaxPool2d", 8, kernel_size=2, output_size=5),
    ],
    ids=repr,
)
def test_the_code_to_copy_runs(
    figure: figures.PoolingBins, evaluate: Callable[..., Any]
) -> None:
    code = evaluate(
        f"(s) => nnFigures.specs['{TAG}'].engine.codeFull(s)", figure.values
    )
    space: dict[str, Any] = {"torch": torch, "nn": nn, "print": lambda *_: None}
    exec(code, space)
    output, gradient = figure.pooled()
    assert torch.equal(space["y"].flatten(), output)
    assert torch.equal(space["x"].grad.flatten(), gradient)


def test_mouse_keyboard_and_torchs_words(show: Show) -> None:
    page = show(figures.PoolingBins())
    claim, line = page.locator(f"{TAG} .claim"), page.locator(f"{TAG} .line").last
    expect(claim).to_have_text(
        "10 to 4: no kernel, stride and padding gives these bins"
    )
    expect(line).to_contain_text("bin 1 = [floor(1·10/4), ceil(2·10/4)) = cells 2 to 4")
    expect(line).to_contain_text("(4 + 1 − 3) / 3 = 0.67")
    page.get_by_role("gridcell", name="output 3: 0.33").click()
    expect(line).to_contain_text("cells 7 to 9; y[3] = (5 − 4 + 0) / 3 = 0.33")


def test_controls(show: Show) -> None:
    page = show(figures.PoolingBins())
    claim, line = page.locator(f"{TAG} .claim"), page.locator(f"{TAG} .line").last
    page.get_by_role("gridcell", name=re.compile("^output 0: ")).click()
    page.keyboard.press("ArrowDown")
    expect(line).to_contain_text("bin 1 = ")
    page.get_by_role("gridcell", name=re.compile("^output 3 reads cell 7")).focus()
    page.keyboard.press("ArrowUp")
    expect(line).to_contain_text("bin 2 = ")
    page.get_by_role("gridcell", name=re.compile("^input cell 2: ")).click()
    expect(line).to_have_text(
        "x[2] = 4 is read by outputs 0 and 1; gradient of y.sum(): 1/3 + 1/3 = 0.67"
    )
    page.get_by_label("output_size").focus()
    page.keyboard.press("ArrowRight")
    expect(claim).to_have_text("10 to 5: the bins of AvgPool1d(2, 2)")
    page.get_by_label("Layer").select_option(label="MaxPool1d")
    expect(claim).to_have_text("3 windows of 3 cells: cell 9 is never read")
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text("cell 9 is never read")
    page.get_by_label("stride").select_option(label="2")
    page.get_by_label("padding").focus()
    page.keyboard.press("End")
    expect(page.locator(f"{TAG} .error")).to_have_text(
        "torch raises RuntimeError: max_pool1d() padding should be at most half of "
        "kernel size, but got padding=3 and kernel_size=3"
    )
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.locator(f"{TAG} .sub").first).to_have_text(
        "floor((10 + 2·1 − 3) / 2) + 1 = 5 outputs."
    )
    first = page.get_by_role("gridcell", name=re.compile("^output 0: "))
    first.click()
    expect(line).to_contain_text("y[0] = max(−∞, −2, −1) = −1")
    page.get_by_text("More", exact=True).click()
    page.get_by_role("group", name="ceil_mode").get_by_text("True").click()
    expect(page.locator(f"{TAG} .sub").first).to_have_text(
        "ceil((10 + 2·1 − 3) / 2) + 1 = 6 outputs."
    )
    expect(claim).to_have_text("6 windows of 3 cells: the last runs over the end")
    page.get_by_label("Layer").select_option(label="FractionalMaxPool2d")
    expect(claim).to_contain_text("Windows start at 0, 2, 4, 6 and 7; ")
    expect(line).to_contain_text("starts at floor((0 + 0.5)·7/4) − floor(0.5·7/4) = 0")
    page.get_by_label("Random number u").focus()
    page.keyboard.press("Home")
    expect(claim).to_contain_text("Windows start at 0, 1, 3, 5 and 7; ")
    page.get_by_label("output_size").focus()
    page.keyboard.press("Home")
    expect(claim).to_have_text("The window starts at 7; cells 0 to 6 are never read")


def test_predict_then_reveal(show: Show) -> None:
    page = show(figures.PoolingBins(predict=True))
    claim = page.locator(f"{TAG} .claim")
    expect(claim).to_have_text("AdaptiveAvgPool1d: which cells does output 1 read?")
    expect(page.get_by_role("gridcell", name=re.compile("^output"))).to_have_count(0)
    assert "no kernel" not in page.locator(TAG).inner_text()
    page.get_by_role("button", name="cells 2 and 3").click()
    expect(page.locator(f"{TAG} .line").first).to_have_text(
        "Not quite: you said cells 2 and 3; it is cells 2 to 4."
    )
    expect(claim).to_contain_text("no kernel, stride and padding")
    page.get_by_label("Input cells").focus()
    page.keyboard.press("ArrowLeft")
    expect(claim).to_contain_text("which cells does output 1 read?")
    page.get_by_role("button", name="cells 2 to 4", exact=True).click()
    expect(page.locator(f"{TAG} .line").first).to_have_text("Right: cells 2 to 4.")
    # the reveal is of all outputs: the arrows go on from the one that was asked
    expect(page.locator(f"{TAG} .cell:focus")).to_have_attribute(
        "aria-label", "output 1: 0.67"
    )
    page.keyboard.press("ArrowDown")
    line = page.locator(f"{TAG} .line:visible")
    expect(line).to_have_count(1)
    expect(line).to_contain_text("bin 2 = [floor(2·9/4), ceil(3·9/4)) = cells 4 to 6")
    page.keyboard.press("Home")
    expect(page.locator(f"{TAG} .cell:focus")).to_have_attribute("tabindex", "0")


def test_the_right_cells_are_among_the_guesses(evaluate: Callable[..., Any]) -> None:
    ask = """(list) => {
      const { engine, defaults } = nnFigures.specs["nn-pooling-bins"];
      return list.map(([given, i]) => engine.guesses({ ...defaults, ...given }, i));
    }"""
    asked = []
    for s in own_numbers(300):
        try:
            reads = figures.PoolingBins.from_state(s).reads()
        except RuntimeError:
            continue
        asked += [(s, i, cells) for i, cells in enumerate(reads) if cells][:3]
    options = evaluate(ask, [[s, i] for s, i, _ in asked])
    assert len(asked) > 300
    for (s, _, cells), found in zip(asked, options, strict=True):
        assert found.count(cells) == 1, (s, cells, found)
        assert len(found) == len({str(c) for c in found})


def test_axe_and_a_phone(phone: Show) -> None:
    page = phone(
        figures.PoolingBins(),
        figures.PoolingBins("MaxPool1d", 8, padding=1, stride=2),
        figures.PoolingBins("AvgPool1d", 7, stride=2, padding=1),
        figures.PoolingBins("FractionalMaxPool2d", 8, kernel_size=2, output_size=5),
        figures.PoolingBins("MaxPool1d", padding=2),
        figures.PoolingBins("AdaptiveMaxPool1d", 3, output_size=10),
        figures.PoolingBins(predict=True),
    )
    cut = page.locator(f"{TAG} .block").evaluate_all(
        "(all) => all.filter((e) => e.scrollWidth > e.clientWidth).length"
    )
    assert cut == 0


def test_live_traits_are_the_layer() -> None:
    live = figures.PoolingBins("MaxPool1d").live()
    live.stride, live.padding = 2, 1
    layer = live.layer
    assert (layer.kernel_size, layer.stride, layer.padding) == (3, 2, 1)
    live.kind = "AdaptiveMaxPool1d"
    assert live.layer.output_size == 4
    assert repr(live).startswith("live PoolingBins: AdaptiveMaxPool1d(4) on 10 cells")


def test_your_own_layer_and_what_is_refused() -> None:
    own = figures.PoolingBins(nn.AvgPool2d((3, 2), (2, 1), 1, True, False), n=9)
    assert isinstance(own.layer, nn.AvgPool1d)
    sizes = own.layer.kernel_size, own.layer.stride, own.layer.padding
    assert [int(torch.tensor(v)) for v in sizes] == [3, 2, 1]
    assert own.layer.ceil_mode and not own.layer.count_include_pad
    ratio = figures.PoolingBins(nn.FractionalMaxPool2d(2, output_ratio=0.7), n=8)
    assert ratio.layer.output_size == (5, 1)
    every = figures.PoolingBins(nn.AdaptiveAvgPool2d((None, 3)), n=6)
    assert every.reads() == [[0], [1], [2], [3], [4], [5]]
    assert figures.PoolingBins(x=torch.tensor([3.0, 1.0]), at=0).state["x"] == [3, 1]
    for args, given, words in (
        (("MinPool1d",), {}, "layer is 'MinPool1d': allowed are MaxPool1d"),
        ((nn.LPPool1d(2, 3),), {}, "layer is LPPool1d: allowed are max, average"),
        ((nn.AvgPool2d(2, divisor_override=1),), {}, "divisor_override is set"),
        ((), {"n": 25}, "n is 25: allowed are 1 to 24"),
        ((), {"output_size": 0}, "output_size is 0: allowed are 1 to 24"),
        ((), {"kernel_size": 13}, "kernel_size is 13"),
        ((), {"padding": -1}, "padding is -1: allowed are 0 to 6"),
        ((), {"stride": 0}, "stride is 0"),
        ((), {"sample": 1.0}, "sample is 1.0: allowed are 0 to below 1"),
        ((), {"at": 4}, "at is 4: allowed are 0 to 3"),
        ((), {"x": [[1.0]]}, "x has shape (1, 1): give one axis"),
        ((), {"x": [float("nan")]}, "x has shape (1,): give one axis of finite"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.PoolingBins(*args, **given)


def test_bundle_is_stable_and_small() -> None:
    figure = figures.PoolingBins("AvgPool1d", stride=2, padding=1)
    assert figure._repr_mimebundle_() == figure._repr_mimebundle_()
    assert "reads 0, 1" in figure.element()
    assert type(figure).from_state(figure.state).state == figure.state
    assert len(figure.png()) < 40_000


def test_ten_cells_and_their_outputs_fit_a_phone(show: Callable[..., Page]) -> None:
    page = show(figures.PoolingBins(), viewport={"width": 328, "height": 740})
    fits = page.locator(".block").first.evaluate("e => e.scrollWidth - e.clientWidth")
    assert page.locator(".in").evaluate("e => e.clientWidth") < 282
    assert fits <= 0
