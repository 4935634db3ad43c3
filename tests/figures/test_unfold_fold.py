"""UnfoldFold: the JavaScript engine against nn.Unfold and nn.Fold, and by hand."""

import itertools
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn
from torch.nn import functional as F

from helpers import figures

TAG = "nn-unfold-fold"
ENGINE = """(list) => {
  const { engine, defaults } = nnFigures.specs["nn-unfold-fold"];
  return list.map((given) => {
    const S = { ...defaults, ...given }, error = engine.error(S);
    if (error) return { error };
    const columns = engine.columns(S), size = engine.shape(S);
    return { columns, ...engine.fold(S), row: engine.kernel(S),
      y: engine.product(engine.kernel(S), columns), blocks: engine.blocks(S, size),
      standing: engine.entries(S, S.cell).length, guesses: engine.guesses(S) };
  });
}"""
ERRORS = """(list) => {
  const { engine, defaults } = nnFigures.specs["nn-unfold-fold"];
  return list.map((given) => {
    const S = { ...defaults, ...given }, error = engine.error(S);
    return error ? error.text : engine.blocks(S, engine.shape(S)).join();
  });
}"""
MEND = """(S) => {
  const { engine, defaults } = nnFigures.specs["nn-unfold-fold"];
  return S.map(([given, patch]) => engine.mend({ ...defaults, ...given }, patch));
}"""
WINDOW = "kernel_size", "stride", "padding", "dilation"
Show = Callable[..., Page]


def words(s: dict[str, Any], out: tuple[int, int]) -> str:
    """What torch says of a plane of ``input_size`` and of the way back to ``out``."""
    window = {key: s[key] for key in WINDOW}
    x = torch.zeros(1, 1, s["input_size"], s["input_size"])
    try:
        columns = nn.Unfold(**window)(x)
        conv = {"stride": s["stride"], "padding": s["padding"]}
        weight = torch.zeros(1, 1, s["kernel_size"], s["kernel_size"])
        y = F.conv2d(x, weight, dilation=s["dilation"], **conv)
        assert columns.shape[2] == y.numel()
        nn.Fold(out, **window)(columns)
    except RuntimeError as error:
        return str(error)
    return ",".join(map(str, y.shape[2:]))


def test_sizes_and_refusals_are_torchs(
    evaluate: Callable[..., Any], same_words: bool
) -> None:
    """Every window up to 12 cells; the way back to the same size and to others."""
    grid = itertools.product(range(1, 13), range(1, 13), (1, 2, 5), (0, 1, 4))
    settings, wanted = [], []
    for n, k, s, p in grid:
        for d in (1, 2, 4):
            out = n + (-1, 0, 1, 2)[(n + k + s + p + d) % 4]
            out = max(out, 1)
            one = {"input_size": n, "kernel_size": k, "stride": s, "padding": p}
            one |= {"dilation": d, "view": "fold back", "output_size": [out, out]}
            settings.append(one)
            wanted.append(words(one, (out, out)))
    got = evaluate(ERRORS, settings)
    refused = [w for w in wanted if w.startswith("Given")]
    assert sum("output_size" in w for w in refused) > 300
    assert sum("spatial size" in w for w in refused) > 1000
    assert len(wanted) - len(refused) > 900
    for s, mine, torchs in zip(settings, got, wanted, strict=True):
        if same_words or not torchs.startswith("Given"):
            assert mine == torchs, s
        else:
            assert mine.startswith("Given"), s


def draws(count: int) -> list[dict[str, Any]]:
    draw = random.Random(0)
    found = []
    for _ in range(count):
        k, n = draw.randint(1, 4), draw.randint(1, 8)
        height, width = draw.randint(1, 8), draw.randint(1, 8)
        plane = [[round(draw.gauss(0, 2), 3) for _ in range(width)]] * height
        weight = [[round(draw.gauss(0, 2), 3) for _ in range(k)] for _ in range(k)]
        own = draw.choice([None, plane])
        rows, columns = (height, width) if own else (n, n)
        grow = draw.choice([None, None, 1, -1])
        p = draw.randint(0, 2)
        found.append(
            {
                "input_size": n,
                "kernel_size": k,
                "stride": draw.randint(1, 4),
                "padding": p,
                "dilation": draw.randint(1, 3),
                "x": own,
                "weight": draw.choice([None, weight]),
                "view": "fold back",
                "output_size": grow and [max(rows + grow, 1), max(columns + grow, 1)],
                "cell": [draw.randrange(-p, rows + p), draw.randrange(-p, columns + p)],
            }
        )
    return found


def close(got: Any, wanted: torch.Tensor) -> bool:
    return torch.allclose(torch.tensor(got).double(), wanted.double(), atol=1e-9)


def test_engine_is_torchs(evaluate: Callable[..., Any]) -> None:
    settings = draws(500)
    seen = 0
    for s, got in zip(settings, evaluate(ENGINE, settings), strict=True):
        figure = figures.UnfoldFold.from_state(s)
        try:
            columns = figure.columns()
            sums, counts = figure.folded()
        except RuntimeError:
            assert got.keys() == {"error"}
            continue
        seen += 1
        assert "error" not in got
        window = {key: s[key] for key in WINDOW}
        size = s["output_size"] or figure.x.shape[2:]
        assert torch.equal(columns, nn.Unfold(**window)(figure.x))
        assert torch.equal(sums, nn.Fold(tuple(size), **window)(columns))
        assert close(got["columns"], columns[0])
        assert close(got["sum"], sums[0, 0])
        assert close(got["count"], counts[0, 0])
        assert close(got["row"], figure.weight.flatten())
        conv = F.conv2d(
            figure.x, figure.weight, None, s["stride"], s["padding"], s["dilation"]
        )
        assert close(got["y"], conv.flatten())
        assert torch.allclose(figure.product(), conv)
        assert tuple(got["blocks"]) == conv.shape[2:] == figure._blocks()
        # in how many columns: the gradient of all of them at the cell, padding included
        p = s["padding"]
        framed = F.pad(figure.x, (p,) * 4).requires_grad_()
        nn.Unfold(s["kernel_size"], s["dilation"], 0, s["stride"])(
            framed
        ).sum().backward()
        row, col = (at + p for at in s["cell"])
        assert got["standing"] == framed.grad[0, 0, row, col].item()
        assert got["standing"] == figure._standing()
        guesses = got["guesses"]
        assert got["standing"] in guesses
        assert guesses == sorted(set(guesses))
    assert 200 < seen < 450


def test_the_code_to_copy_runs(evaluate: Callable[..., Any]) -> None:
    full = f"(s) => nnFigures.specs['{TAG}'].engine.codeFull(s)"
    for view in ("unfold", "times kernel", "fold back"):
        figure = figures.UnfoldFold(
            torch.tensor([[1.5, -2.0, 3.0], [0.0, 4.0, 5.0]]),
            weight=torch.tensor([[1.0, -2.0], [3.0, 0.5]]),
            stride=2,
            padding=1,
            view=view,
        )
        space: dict[str, Any] = {"torch": torch, "nn": nn, "print": lambda *_: None}
        exec(evaluate(full, figure.values), space)
        assert torch.equal(space["columns"].double(), figure.columns())
        if view == "times kernel":
            assert torch.equal(space["y"].double(), figure.product())
        if view == "fold back":
            assert torch.equal(space["back"].double(), figure.folded()[0])


def test_cell_and_column_agree(evaluate: Callable[..., Any]) -> None:
    cases: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
        # a column leads: its first entry is looked at if the cell is not in it
        ({"column": 8, "cell": [1, 1]}, {"column": 8}, {"column": 8, "cell": [2, 2]}),
        ({"column": 0, "cell": [1, 1]}, {"column": 0}, {"column": 0, "cell": [1, 1]}),
        # a cell leads: the first column that holds it
        ({"column": 0, "cell": [4, 4]}, {"cell": [4, 4]}, {"column": 8}),
        # one that no window reads leaves the column alone
        ({"stride": 4, "column": 0, "cell": [4, 4]}, {}, {"cell": [4, 4]}),
        # sizes that shrink keep both inside
        ({"input_size": 3}, {"input_size": 3}, {"column": 0, "cell": [2, 2]}),
        # Fold to the size of x itself is the default
        ({"output_size": [5, 5]}, {}, {"output_size": None}),
        # another kernel_size than the reader's weight drops the weight
        ({"weight": [[1, 2], [3, 4]]}, {"kernel_size": 3}, {"weight": None}),
    ]
    given = [[state, patch] for state, patch, _ in cases]
    for got, (state, _, wanted) in zip(evaluate(MEND, given), cases, strict=True):
        assert {key: got[key] for key in wanted} == wanted, state


def slide(page: Page, label: str, value: int) -> None:
    page.get_by_label(label, exact=True).evaluate(
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }", value
    )


def test_mouse_keyboard_and_torchs_words(show: Show) -> None:
    page = show(figures.UnfoldFold())
    claim, line = page.locator(f"{TAG} .claim"), page.locator(f"{TAG} .line").last
    expect(claim).to_have_text("Column 4 holds rows 1, 2, 3 and columns 1, 2, 3 of x")
    expect(line).to_contain_text("[7, 8, 9, 12, 13, 14, 17, 18, 19]")
    assert page.locator(f"{TAG} .cell.hit").count() == 9
    page.get_by_role("gridcell", name="cell (0, 0): 1").click()
    expect(claim).to_have_text("Column 0 holds rows 0, 1, 2 and columns 0, 1, 2 of x")
    expect(line).to_contain_text("cell (0, 0) stands in 1 column: 0")
    assert page.locator(f"{TAG} .cell.hit").count() == 1
    page.keyboard.press("ArrowRight")
    expect(line).to_contain_text("cell (0, 1) stands in 2 columns: 0, 1")
    page.get_by_role("gridcell", name="row 5, column 6").click()
    expect(line).to_contain_text("cell (3, 2) stands in 6 columns: 3, 4, 5, 6, 7, 8")
    page.keyboard.press("ArrowUp")
    expect(line).to_contain_text("cell (3, 1) stands in 4 columns: 3, 4, 6, 7")
    page.get_by_role("radio", name="times kernel").click()
    expect(claim).to_have_text(
        "The kernel as a row, times column 6, is output [2, 0]: 103"
    )
    page.get_by_role("gridcell", name="output row 1, column 1: 83").click()
    expect(claim).to_have_text(
        "The kernel as a row, times column 4, is output [1, 1]: 83"
    )
    expect(line).to_contain_text("= 83")
    page.get_by_role("radio", name="fold back").click()
    page.get_by_role("gridcell", name="row 2, column 2 came back 9 times").click()
    expect(claim).to_have_text("Fold adds up: cell (2, 2) comes back 9 times")
    expect(line).to_have_text(
        "back[2, 2] = " + " + ".join(["13"] * 9) + " = 9\N{MIDDLE DOT}13 = 117"
    )
    page.locator(f"{TAG} summary").click()
    slide(page, "padding", 1)
    page.get_by_role("gridcell", name="padding (\N{MINUS SIGN}1, 0): 0").click()
    expect(claim).to_contain_text(
        "lies outside of Fold\N{RIGHT SINGLE QUOTATION MARK}s"
    )
    slide(page, "padding", 0)
    page.get_by_label("output_size").select_option(label="7 \N{MULTIPLICATION SIGN} 7")
    expect(page.locator(f"{TAG} .error")).to_have_text(
        "torch raises RuntimeError: Given output_size=(7, 7), kernel_size=(3, 3), "
        "dilation=(1, 1), padding=(0, 0), stride=(1, 1), expected size of input's "
        "dimension 2 to match the calculated number of sliding blocks 5 * 5 = 25, but "
        "got input.size(2)=9."
    )
    slide(page, "dilation", 3)
    expect(claim).to_have_text("No window fits")
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text("shape of the array")
    assert page.locator(f"{TAG} .cell:visible").count() == 25


def test_never_read_and_exact_cases(show: Show) -> None:
    page = show(figures.UnfoldFold(input_size=6, stride=2, view="fold back"))
    claim, sub = page.locator(f"{TAG} .claim"), page.locator(f"{TAG} .sub").first
    expect(sub).to_contain_text("11 cells of x are in no column.")
    assert page.locator(f"{TAG} .cell.un:visible").count() == 3 * 11
    slide(page, "kernel_size", 2)
    expect(claim).to_have_text("Every cell comes back once: here Fold undoes Unfold")
    expect(sub).to_have_text(
        "36 numbers become 9 columns of 4: 36 numbers, as many as before."
    )
    page.locator(f"{TAG} summary").click()
    page.get_by_label("output_size").select_option(label="7 \N{MULTIPLICATION SIGN} 7")
    expect(claim).to_have_text(
        "The columns fit 7 \N{MULTIPLICATION SIGN} 7 as well as "
        "6 \N{MULTIPLICATION SIGN} 6: Fold cannot tell"
    )
    slide(page, "Input size", 2)
    page.get_by_label("output_size").select_option(index=0)
    slide(page, "stride", 3)
    slide(page, "kernel_size", 1)
    expect(sub).to_contain_text("4 numbers become 1 column of 1: 1 number, 0.25 times")
    slide(page, "Input size", 6)
    slide(page, "kernel_size", 2)
    expect(claim).to_have_text("No cell comes back twice, and 20 never: those are lost")
    slide(page, "kernel_size", 4)
    slide(page, "stride", 1)
    slide(page, "dilation", 3)
    expect(claim).to_have_text("No window fits")


def test_predict_hides_the_counts_until_answered(show: Show) -> None:
    page = show(figures.UnfoldFold(view="fold back", predict=True))
    claim = page.locator(f"{TAG} .claim")
    expect(claim).to_have_text("How often does the outlined cell come back?")
    assert page.locator(f"{TAG} .cell.hit, {TAG} .cell.n:visible").count() == 0
    assert "9 times" not in page.locator(TAG).inner_text()
    page.get_by_role("button", name="3", exact=True).click()
    expect(page.locator(f"{TAG} .line").first).to_have_text(
        "Not quite: you said 3; cell (2, 2) stands in 9 columns."
    )
    expect(claim).to_have_text("Fold adds up: cell (2, 2) comes back 9 times")
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text("Not quite")
    focused = f"document.querySelector('{TAG}').shadowRoot.activeElement.ariaLabel"
    assert page.evaluate(focused).startswith("cell (2, 2): 13")
    slide(page, "stride", 2)
    # a refusal must not show what is asked
    page.locator(f"{TAG} summary").click()
    page.get_by_label("output_size").select_option(label="3 \N{MULTIPLICATION SIGN} 3")
    expect(page.locator(f"{TAG} .error")).to_be_visible()
    assert page.locator(f"{TAG} .cell.hit").count() == 0
    page.get_by_label("output_size").select_option(index=0)
    expect(claim).to_have_text("How often does the outlined cell come back?")
    page.get_by_role("button", name="4", exact=True).click()
    expect(page.locator(f"{TAG} .line").first).to_contain_text("Right:")


def test_axe_and_a_phone(phone: Show) -> None:
    page = phone(
        figures.UnfoldFold(),
        figures.UnfoldFold(view="times kernel"),
        figures.UnfoldFold(view="fold back", predict=True),
        figures.UnfoldFold(kernel_size=4, input_size=3),
    )
    cut = page.locator(f"{TAG} .block").evaluate_all(
        "(all) => all.filter((e) => e.scrollWidth > e.clientWidth).length"
    )
    assert cut == 0


def test_a_wide_matrix_scrolls_in_its_block(phone: Show) -> None:
    page = phone(figures.UnfoldFold(padding=1, view="times kernel"))
    chosen = page.locator(f"{TAG} [aria-selected]:visible")
    page.wait_for_timeout(100)
    for cell in chosen.all():
        box = cell.bounding_box()
        assert box is not None
        assert 0 <= box["x"] <= 360 - box["width"]


def test_live_traits_are_the_layer() -> None:
    live = figures.UnfoldFold().live()
    live.stride, live.kernel_size = 2, 2
    assert (live.layer.stride, live.layer.kernel_size) == (2, 2)
    assert repr(live).startswith("live UnfoldFold: 5 x 5, kernel_size 2, stride 2")


def test_your_own_numbers_and_what_is_refused() -> None:
    layer = nn.Unfold((2, 2), padding=1, stride=(3, 3))
    own = figures.UnfoldFold(torch.rand(4, 6), layer=layer)
    assert torch.allclose(own.columns(), layer(own.x))
    weight = torch.randn(1, 1, 4, 4, requires_grad=True)
    assert torch.allclose(
        figures.UnfoldFold(weight=weight).weight.float(), weight, atol=1e-6
    )
    for given, said in (
        ({"kernel_size": 5}, "kernel_size is 5: allowed are 1 to 4"),
        ({"stride": 0}, "stride is 0: allowed are 1 to 4"),
        ({"padding": 3}, "padding is 3: allowed are 0 to 2"),
        ({"dilation": 4}, "dilation is 4"),
        ({"input_size": 9}, "input_size is 9: allowed are 1 to 8"),
        ({"output_size": 13}, "output_size is 13: allowed are 1 to 12"),
        ({"view": "conv"}, "view is 'conv': allowed are unfold, times kernel"),
        ({"column": 9}, "column is 9: allowed are 0 to 8"),
        ({"cell": (2, 5)}, "column of cell is 5: allowed are 0 to 4"),
        ({"x": torch.zeros(9, 2)}, "x has shape (9, 2)"),
        ({"x": torch.zeros(1, 2, 5, 5)}, "x has shape (1, 2, 5, 5)"),
        ({"weight": torch.zeros(2, 3)}, "weight has shape (2, 3): it must be square"),
        ({"layer": nn.Unfold((2, 3))}, "layer.kernel_size is (2, 3)"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            figures.UnfoldFold(**given)


def test_texts_and_stills_follow_the_view() -> None:
    stills = set()
    for view in ("unfold", "times kernel", "fold back"):
        figure = figures.UnfoldFold(view=view)
        stills.add(figure.png())
        rows = dict(figure.rows()[1])
        assert rows["column 4"] == "7, 8, 9, 12, 13, 14, 17, 18, 19"
        assert ("output row 1" in rows) == (view == "times kernel")
        assert ("counts, row 2" in rows) == (view == "fold back")
    assert len(stills) == 3
    assert "counts" not in str(
        figures.UnfoldFold(view="fold back", predict=True).rows()
    )
    bad = figures.UnfoldFold(view="fold back", output_size=7)
    assert bad.rows()[1][0][1].startswith("RuntimeError: Given output_size=(7, 7)")
    assert bad.png()


def test_the_default_cell_is_the_middle_of_its_column() -> None:
    for k, stride, padding, dilation in ((3, 1, 1, 1), (2, 2, 2, 1), (3, 2, 2, 3)):
        figure = figures.UnfoldFold(None, k, stride, padding, dilation, input_size=6)
        row, col = (at + padding for at in figure.values["cell"])
        framed = F.pad(figure.x, (padding,) * 4)
        wanted = figure.columns()[0, k * k // 2, figure.values["column"]]
        assert framed[0, 0, row, col] == wanted != 0
