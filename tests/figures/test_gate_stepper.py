"""GateStepper: the JavaScript engine against torch's cells, and the figure by hand."""

import random
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn

from helpers import figures

TAG = "nn-gate-stepper"
ENGINE = """(list) => {
  const { engine, defaults } = nnFigures.specs["nn-gate-stepper"];
  return list.map((given) => engine.run({ ...defaults, ...given }));
}"""
ROWS = {"LSTM": "ifgo", "GRU": "rzn"}
Show = Callable[..., Page]


def configuration(draw: random.Random, kind: str) -> tuple[dict[str, Any], nn.Module]:
    """A random cell with a random sequence, at times with changed gates.

    Numbers are multiples of 1/64: the figure's seven digits hold them exactly.
    """
    features, hidden = draw.randint(1, 4), draw.randint(1, 8)
    torch.manual_seed(seed := draw.randrange(10**6))
    layer = getattr(nn, f"{kind}Cell")(features, hidden, bias=bool(seed % 5)).double()
    unit = draw.choice([16, 32, 64])
    with torch.no_grad():
        for value in layer.parameters():
            value.copy_(torch.randint(-96, 97, value.shape) / unit)
    x = torch.randint(-128, 129, (draw.randint(1, 10), features)).double() / 64
    letters = [k for k in ROWS[kind] if draw.random() < 0.3]
    bias = {k: draw.choice([-2.5, 0.5, 3.0]) for k in letters}
    held = [k for k in ROWS[kind] if k not in "gn" and draw.random() < 0.15]
    override = {k: draw.randint(0, 1) for k in held}
    own = {"bias": bias, "override": override, "t": draw.randrange(len(x))}
    return {**own, "x": x, "unit": draw.randrange(hidden)}, layer


def golden(
    s: dict[str, Any], layer: Any, reset: str = "after"
) -> dict[str, list[list[float]]]:
    """The states by torch's own cells, with bias and override in their weights."""
    kind = type(layer).__name__.removesuffix("Cell")
    hidden = layer.hidden_size
    zero = torch.zeros(len(ROWS[kind]) * hidden, dtype=torch.float64)
    b_ih = (zero if layer.bias_ih is None else layer.bias_ih).detach().clone()
    b_hh = (zero if layer.bias_hh is None else layer.bias_hh).detach().clone()
    w_ih, w_hh = layer.weight_ih.detach().clone(), layer.weight_hh.detach().clone()
    for k, letter in enumerate(ROWS[kind]):
        rows = slice(k * hidden, (k + 1) * hidden)
        b_ih[rows] += s["bias"].get(letter, 0)
        if letter in s["override"]:
            for value in (w_ih, w_hh, b_hh):
                value[rows] = 0
            b_ih[rows] = torch.inf if s["override"][letter] else -torch.inf
    call = torch.lstm_cell if kind == "LSTM" else torch.gru_cell
    h = c = torch.zeros(1, hidden, dtype=torch.float64)
    found: dict[str, list[list[float]]] = {"h": [], "c": []}
    for x_t in s["x"]:
        arguments = (w_ih, w_hh, b_ih, b_hh)
        if kind == "LSTM":
            h, c = call(x_t[None], (h, c), *arguments)
            found["c"].append(c[0].tolist())
        elif reset == "after":
            h = call(x_t[None], h, *arguments)
        else:
            r, z = (
                ((x_t @ w_ih.T + b_ih) + (h @ w_hh.T + b_hh))
                .sigmoid()[:, : 2 * hidden]
                .chunk(2, 1)
            )
            rows = slice(2 * hidden, None)
            inner = (r * h) @ w_hh[rows].T + b_hh[rows]
            n = (x_t @ w_ih[rows].T + b_ih[rows] + inner).tanh()
            h = (1 - z) * n + z * h
        found["h"].append(h[0].tolist())
    return found


def close(got: Any, wanted: Any) -> bool:
    pair = (torch.tensor(v, dtype=torch.float64) for v in (got, wanted))
    return torch.allclose(*pair, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_engine_is_torchs(evaluate: Callable[..., Any], kind: str) -> None:
    draw = random.Random(kind)
    cases = [configuration(draw, kind) for _ in range(500)]
    shown = [figures.GateStepper(layer=layer, **s) for s, layer in cases]
    states = [figure.values for figure in shown]
    moved = 0
    for (s, layer), figure, steps in zip(
        cases, shown, evaluate(ENGINE, states), strict=True
    ):
        wanted = golden(s, layer)
        for key in ("h", "c") if kind == "LSTM" else ("h",):
            assert close([step[key] for step in steps], wanted[key]), (s, key)
        for key, values in figure.states().items() if s["unit"] == 0 else ():
            assert close([step[key] for step in steps], values.tolist()), (s, key)
        moved += bool(s["bias"]) + bool(s["override"])
    assert moved > 300


def test_the_reset_gate_before_the_product(evaluate: Callable[..., Any]) -> None:
    draw = random.Random(1)
    cases = [configuration(draw, "GRU") for _ in range(100)]
    shown = [figures.GateStepper(layer=c, reset="before", **s) for s, c in cases]
    differ = 0
    for (s, layer), figure, steps in zip(
        cases, shown, evaluate(ENGINE, [f.values for f in shown]), strict=True
    ):
        got = [step["h"] for step in steps]
        assert close(got, golden(s, layer, "before")["h"])
        assert close(got, figure.states()["h"].tolist())
        differ += not close(got, golden(s, layer)["h"])
    assert differ > 60


def test_the_figures_own_cells_are_one_in_both_languages(
    evaluate: Callable[..., Any],
) -> None:
    for kind in ("LSTM", "GRU"):
        figure = figures.GateStepper(kind)
        (steps,) = evaluate(ENGINE, [{"cell": kind}])
        for key, values in figure.states().items():
            assert close([step[key] for step in steps], values.tolist()), key
    # the layer given back is a cell like any other, bias and override included
    figure = figures.GateStepper(bias={"f": 2.0}, override={"i": 1, "o": 0})
    h, c = figure.layer(figure.x[0])
    assert torch.equal(h, figure.states()["h"][0])
    assert torch.equal(h, torch.zeros(2).double()) and c.abs().min() > 0.1


@pytest.mark.parametrize(
    "figure",
    [
        figures.GateStepper(bias={"f": 2.0}, override={"i": 1}, t=4),
        figures.GateStepper("GRU", t=7, bias={"n": -1.0}),
        figures.GateStepper("GRU", t=5, reset="before", override={"r": 0}),
    ],
)
def test_the_code_to_copy_runs(
    evaluate: Callable[..., Any], figure: figures.GateStepper
) -> None:
    code = evaluate(
        f"(s) => nnFigures.specs['{TAG}'].engine.codeFull(s)", figure.values
    )
    space: dict[str, Any] = {"torch": torch, "nn": nn, "print": lambda *_: None}
    exec(code, space)
    for key in {"h", "c"} & figure.states().keys():
        assert torch.allclose(space[key], figure.states()[key][figure.values["t"]])


def test_what_becomes_of_the_state(evaluate: Callable[..., Any]) -> None:
    fate = f"(s) => nnFigures.specs['{TAG}'].engine.fate(s)"
    for kind, key in (("LSTM", "c"), ("GRU", "h")):
        for t in range(8):
            figure = figures.GateStepper(kind, t=t)
            track = [0.0, *figure.states()[key][:, 0].tolist()]
            change = track[t + 1] - track[t]
            word = "rises" if change > 0.1 else "falls" if change < -0.1 else "stays"
            assert evaluate(fate, figure.values) == word
    half = f"(f) => nnFigures.specs['{TAG}'].engine.halfLife(f)"
    for f in (0.5, 0.7311, 0.95):
        assert abs(f ** evaluate(half, f) - 0.5) < 1e-12
    assert evaluate(half, 0) == 0 and evaluate(half, 1) == float("inf")


def test_mouse_keyboard_and_terms(show: Show) -> None:
    page = show(figures.GateStepper())
    claim, sub = page.locator(f"{TAG} .claim"), page.locator(f"{TAG} .claim + .sub")
    expect(claim).to_have_text(
        "Forget 0.92 keeps 92 % of −0.57; the cell state is now −0.55"
    )
    terms = page.locator(f"{TAG} .terms li")
    expect(terms.first).to_have_text("keep: f · c₂ = 0.92 · (−0.57) = −0.52")
    page.get_by_role("button", name="Next step").click()
    expect(sub).to_contain_text("Step 4")
    page.get_by_role("button", name="Next term").click()
    expect(page.locator(f"{TAG} .terms .lit")).to_contain_text("keep: f · c₃")
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text("keep: f · c₃")
    for _ in range(3):
        page.get_by_role("button", name="Next term").click()
    expect(sub).to_contain_text("Step 5")
    # a term that is lit leaves the words of its tank thin
    strokes = page.locator(f"{TAG} .scene text").evaluate_all(
        "(all) => all.map((e) => getComputedStyle(e).stroke)"
    )
    assert set(strokes) == {"none"}
    page.get_by_role("radio", name="1", exact=True).click()
    expect(claim).to_contain_text("Forget 1 keeps 100 % of")
    expect(sub).to_contain_text("In every step: f held at 1.")
    page.get_by_role("radio", name="free").click()
    slider = page.get_by_label("Its bias, plus")
    slider.focus()
    page.keyboard.press("Home")
    expect(claim).to_contain_text("Forget 0 keeps 0 % of")
    state = page.locator(TAG).evaluate("(e) => e.figure.get()")
    assert state["bias"] == {"f": -8} and state["override"] == {}
    page.get_by_role("gridcell", name="output at step 2").click()
    page.keyboard.press("ArrowLeft")
    assert page.locator(TAG).evaluate(
        "(e) => [e.figure.get().t, e.figure.get().gate]"
    ) == [*(1, "o")]
    page.get_by_role("radio", name="GRU").click()
    expect(claim).to_contain_text("Update")
    expect(page.get_by_label("Gate", exact=True)).to_have_value('"z"')
    page.get_by_text("More", exact=True).click()
    note = page.locator(f"{TAG} .scene .sub")
    expect(note).to_contain_text("With the reset after the matmul n = ")
    page.get_by_role("radio", name="before it (textbook)").click()
    expect(page.locator(f"{TAG} code")).to_contain_text("the textbook's")
    page.get_by_label("First input at this step").focus()
    page.keyboard.press("End")
    assert page.locator(TAG).evaluate("(e) => e.figure.get().x[1]") == [2, 1]
    page.get_by_label("Unit", exact=True).focus()
    page.keyboard.press("End")
    expect(sub).to_contain_text("unit 1 of 2 units")
    # at either end the button is disabled, and the focus stays in the figure
    for button, end in (("Back", "0"), ("Next step", "7")):
        while page.get_by_role("button", name=button).is_enabled():
            page.get_by_role("button", name=button).press("Enter")
        focused = f"(e) => e.shadowRoot.activeElement.ariaLabel.includes('step {end}:')"
        assert page.locator(TAG).evaluate(focused)


def test_a_guess_hides_the_state(show: Show) -> None:
    page = show(figures.GateStepper(predict=True))
    claim, box = page.locator(f"{TAG} .claim"), page.locator(TAG)
    expect(claim).to_have_text("Step 3: where does the cell state go from −0.57?")
    seen = box.evaluate(
        "(e) => { const all = e.shadowRoot.querySelector('.fig').cloneNode(true);"
        "all.querySelectorAll('style').forEach((s) => s.remove());"
        "return all.outerHTML; }"
    )
    # neither the new cell state, nor the output, nor what the next gates would tell
    for secret in ("−0.55", "−0.5<", "−0.45", "−0.52", "−0.29"):
        assert secret not in seen, secret
    page.get_by_role("button", name="falls by more than 0.1").click()
    expect(page.locator(f"{TAG} .line").first).to_be_hidden()
    expect(page.get_by_text("Not quite: the cell state stays.")).to_be_visible()
    expect(claim).to_contain_text("the cell state is now −0.55")
    page.get_by_role("button", name="Next step").click()
    expect(claim).to_have_text("Step 4: where does the cell state go from −0.55?")


def test_without_scripts_a_guess_hides_it_too() -> None:
    shown, asked = (figures.GateStepper(t=3, predict=p) for p in (False, True))
    caption, rows = asked.rows()
    assert caption == "Unit 0 of an LSTM cell over the steps"
    assert dict(rows)["c"] == "0.03, -0.67, -0.57, ?, ?, ?, ?, ?"
    assert dict(rows)["f"] == "0.92, 0.73, 0.92, 0.92, ?, ?, ?, ?"
    assert dict(shown.rows()[1])["h"].endswith("-0.29, -0.02, -0.04, 0.00")
    assert repr(asked).endswith("of -0.57, predict first")
    assert asked.png() != shown.png()
    assert figures.GateStepper("GRU").rows()[0].startswith("Unit 0 of a GRU cell")


def test_axe_and_a_phone(phone: Show) -> None:
    layer = nn.LSTM(4, 8)
    page = phone(
        figures.GateStepper(),
        figures.GateStepper("GRU", predict=True),
        figures.GateStepper(x=torch.randn(10, 4), layer=layer, override={"o": 0}),
    )
    cut = page.locator(f"{TAG} .block").evaluate_all(
        "(all) => all.filter((e) => e.scrollWidth > e.clientWidth).length"
    )
    assert cut == 0


def test_live_traits_are_the_cell() -> None:
    live = figures.GateStepper().live()
    live.override, live.bias = {"f": 1}, {"i": 2.0}
    f = torch.sigmoid(live.layer.bias_ih)[2:4]
    assert f.tolist() == [1, 1] and live.layer.bias_ih[0] == -1
    live.cell = "GRU"
    assert isinstance(live.layer, nn.GRUCell)
    assert repr(live).startswith("live GateStepper: GRU, step 3, unit 0, z 0.92")


def test_your_own_layer_and_what_is_refused() -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(3, 5)
    x = torch.randn(6, 3)
    output, (_, c_n) = layer(x)
    states = figures.GateStepper(x=x, layer=layer, t=5).states()
    assert torch.allclose(states["h"].float(), output, atol=1e-5)
    assert torch.allclose(states["c"][-1:].float(), c_n, atol=1e-5)
    gru = nn.GRU(1, 2, bias=False)
    own = figures.GateStepper(x=x[:, 0], layer=gru)
    assert torch.allclose(own.states()["h"].float(), gru(x[:, :1])[0], atol=1e-5)
    wide: Any = nn.LSTM(3, 5, num_layers=2)
    lost = nn.GRUCell(2, 2)
    lost.weight_hh.data[0, 0] = torch.inf
    for given, words in (
        ({"cell": "RNN"}, "cell is 'RNN': allowed are LSTM, GRU"),
        ({"reset": "never"}, "reset is 'never'"),
        ({"t": 8}, "t is 8: allowed are 0 to 7"),
        ({"unit": 2}, "unit is 2: allowed are 0 to 1"),
        ({"gate": "z"}, "gate names 'z': allowed are i, f, g, o"),
        ({"bias": {"z": 1.0}}, "bias names 'z'"),
        ({"bias": {"f": 9.0}}, "bias of f is 9.0: allowed are -8 to 8"),
        ({"override": {"g": 1}}, "override names 'g': allowed are i, f, o"),
        ({"override": {"f": 0.5}}, "override of f is 0.5: allowed are 0 and 1"),
        ({"x": torch.zeros(11, 2)}, "x has shape (11, 2): give (L, 2)"),
        ({"x": torch.zeros(3)}, "x has shape (3, 1): give (L, 2)"),
        ({"x": torch.full((3, 2), torch.nan)}, "x holds values that are not finite"),
        ({"layer": nn.RNN(2, 2)}, "layer is RNN: allowed are nn.LSTMCell"),
        ({"layer": wide}, "allowed are one layer"),
        ({"layer": lost}, "weight_hh of layer is not finite"),
        ({"layer": nn.LSTMCell(5, 2)}, "input_size is 5: allowed are 1 to 4"),
        ({"layer": nn.GRUCell(2, 9)}, "hidden_size is 9: allowed are 1 to 8"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.GateStepper(**given)
