"""GradientThroughTime: the JavaScript engine against nn.RNN's autograd, and by hand."""

import gzip
import itertools
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn

from helpers import figures
from layers_book.figures.gradient_through_time import KINDS, NONLINEARITIES, uniform

TAG = "nn-gradient-through-time"
ENGINE = """(list) => {
  const { engine, defaults } = nnFigures.specs["nn-gradient-through-time"];
  return list.map((given) => {
    const S = { ...defaults, ...given }, r = engine.run(S);
    return { sizes: r.sizes, h: r.hs.at(-1), W: r.W, W_ih: r.W_ih, x: r.x, eig: r.eig,
      slopes: r.slopes.slice(1).flat(), fate: engine.fate(r.sizes.at(-1)),
      claim: engine.claim(S, r.sizes[S.back]) };
  });
}"""
Show = Callable[..., Page]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices of 8 x 8 gain nothing from threads, which wait for shared cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def drawn(count: int) -> list[figures.GradientThroughTime]:
    """Every kind, nonlinearity and size, with random numbers; a third of them own."""
    draw, found = random.Random(0), []
    torch.manual_seed(0)
    for i in range(count):
        kind = KINDS[i % 5]
        length = draw.randint(1, 40)
        given: dict[str, Any] = {
            "radius": draw.choice([0.0, 0.3, 0.6, 0.9, 1.0, 1.1, 1.5, 2.0]),
            "length": length,
            "back": draw.randint(0, length),
            "nonlinearity": draw.choice(NONLINEARITIES),
            "input_scale": draw.choice([0.0, 0.25, 1.0, 4.0]),
            "seed": draw.choice([0, 1, draw.randrange(2**32)]),
        }
        if kind == "own" and i % 2:
            size, hidden = draw.randint(1, 4), draw.randint(1, 12)
            given["layer"] = nn.RNN(size, hidden, bias=draw.random() < 0.7)
            given["x"] = torch.randn(length, size)
        elif kind == "own":
            hidden = draw.randint(1, 12)
            given["weight_hh"] = torch.randn(hidden, hidden)
        else:
            given["kind"] = kind
        found.append(figures.GradientThroughTime(**given))
    return found


def torchs(figure: figures.GradientThroughTime, back: int) -> torch.Tensor:
    """dh_T / dh_(T-back) of the figure's nn.RNN itself."""
    layer, x = figure.layer, figure.x
    start = torch.zeros(1, layer.hidden_size, dtype=torch.float64)
    cut = len(x) - back
    if cut:
        _, start = layer(x[:cut])
    start = start.detach().requires_grad_()
    end = layer(x[cut:], start)[1] if back else start
    rows = [torch.autograd.grad(v, start, retain_graph=True)[0] for v in end[0]]
    return torch.cat(rows)


def test_engine_is_torchs(evaluate: Callable[..., Any]) -> None:
    shown = drawn(150)
    own, fates = 0, set()
    for figure, got in zip(
        shown, evaluate(ENGINE, [f.values for f in shown]), strict=True
    ):
        s, want = figure.values, figure.sizes()
        np.testing.assert_allclose(got["W"], figure.weight_hh, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(got["W_ih"], figure.weight_ih, rtol=1e-12)
        np.testing.assert_allclose(got["x"], figure.x, rtol=1e-12)
        # chaotic settings double a rounding error at each of up to 40 steps
        rtol = 1e-7 if s["radius"] < 1.4 else 1e-4
        np.testing.assert_allclose(got["sizes"], want, rtol=rtol, err_msg=str(s))
        end = figure.states()[-1][0].detach()
        np.testing.assert_allclose(
            got["h"], end, rtol=rtol, atol=rtol * max(1.0, float(end.abs().max()))
        )
        fates.add(got["fate"])
        assert got["fate"] == (
            "vanishes"
            if want[-1] < 0.01
            else "explodes"
            if want[-1] > 100
            else "neither"
        )
        if s["nonlinearity"] == "none":
            assert min(got["slopes"]) == 1
            continue
        own += s["kind"] == "own"
        n = len(figure.weight_hh)
        back = s["back"]
        size = float(torchs(figure, back).norm()) / n**0.5
        assert got["sizes"][back] == pytest.approx(size, rel=rtol), s
        assert torch.allclose(figure.layer(figure.x)[1][0], end)
    assert own > 20 and fates == {"vanishes", "explodes", "neither"}


def test_eigenvalues_are_torchs(evaluate: Callable[..., Any]) -> None:
    settings = [
        figures.GradientThroughTime(kind, 1.0, seed=seed)
        for kind in ("default", "orthogonal")
        for seed in range(40)
    ]
    settings += [figures.GradientThroughTime(k, 0.7) for k in KINDS[2:4]]
    found = evaluate(ENGINE, [f.values for f in settings])
    for figure, got in zip(settings, found, strict=True):
        wanted = torch.linalg.eigvals(figure.weight_hh).tolist()
        mine = [complex(*pair) for pair in got["eig"]]
        for value in wanted:
            nearest = min(mine, key=lambda z, v=value: abs(z - v))
            assert abs(nearest - value) < 1e-7, figure
            mine.remove(nearest)


def test_the_default_is_drawn_as_torch_draws_it(evaluate: Callable[..., Any]) -> None:
    keys = list(itertools.product((0, 1, 2**32 - 1), (0, 1, 2), (64, 7)))
    found = evaluate(
        f"""(keys) => keys.map((key) =>
          nnFigures.specs["{TAG}"].engine.uniform(...key))""",
        keys,
    )
    assert found == [list(uniform(*key)) for key in keys]
    torch.manual_seed(0)
    weights = [nn.RNN(8, 8).weight_hh_l0.detach() for _ in range(200)]
    theirs = torch.stack(weights)
    mine = torch.tensor([uniform(seed, 0, 64) for seed in range(200)]) / 8**0.5
    assert float(mine.std()) == pytest.approx(float(theirs.std()), rel=0.02)
    assert float(mine.abs().max()) == pytest.approx(float(theirs.abs().max()), rel=0.01)
    radii = [torch.linalg.eigvals(w).abs().max().item() for w in weights]
    own = [torch.linalg.eigvals(m.view(8, 8)).abs().max().item() for m in mine]
    assert np.mean(own) == pytest.approx(np.mean(radii), rel=0.03)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nonlinearity", NONLINEARITIES)
def test_the_code_to_copy_runs(
    evaluate: Callable[..., Any], kind: str, nonlinearity: str
) -> None:
    torch.manual_seed(0)
    given: dict[str, Any] = {"kind": kind, "radius": 0.9}
    if kind == "own":
        given = {"layer": nn.RNN(2, 3), "x": torch.randn(10, 2), "radius": 0.9}
    figure = figures.GradientThroughTime(nonlinearity=nonlinearity, length=10, **given)
    code = evaluate(
        f"(s) => nnFigures.specs['{TAG}'].engine.codeFull(s)", figure.values
    )
    got: list[float] = []
    space: dict[str, Any] = {"torch": torch, "nn": nn}
    space["print"] = lambda _, size: got.append(size)
    exec(code, space)
    want = figure.sizes()
    assert len(got) == 11 and got[0] == 1
    if (
        kind in ("identity", "non-normal", "own") and nonlinearity == "none"
    ) or kind == "own":
        np.testing.assert_allclose(got, want, rtol=1e-5)
    elif nonlinearity != "relu":
        assert 0.05 < got[10] / want[10] < 20, "another draw, the same story"
    short = evaluate(
        f"(s) => nnFigures.specs['{TAG}'].engine.codeShort(s)", figure.values
    )
    if kind != "own":
        exec(short, space)
        found = torch.linalg.eigvals(space["W"]).abs().max().item()
        assert found == pytest.approx(0.9, rel=1e-4)


def test_what_the_spectrum_does() -> None:
    """Analytic values: powers of one number, and the binomials of a Jordan block."""

    def size(*given: Any, **more: Any) -> float:
        figure = figures.GradientThroughTime(*given, **more)
        return figure.sizes()[figure.values["back"]]

    for kind in ("identity", "orthogonal"):
        assert size(kind, 0.9, 40, "none", 40) == pytest.approx(0.9**40)
    first, seventh = (size("non-normal", 0.6, 30, "none", k) for k in (1, 7))
    assert first == pytest.approx(0.6 * (15 / 8) ** 0.5)
    assert seventh > 1 > size("non-normal", 0.6, 40, "none", 40)
    assert size("identity", 1.0, 30, "relu", 30, 0.0) == 0
    assert size("identity", 1.0, 30, "tanh", 30, 0.0) == 1


def test_the_claim_is_true(evaluate: Callable[..., Any]) -> None:
    shown = drawn(60)
    seen = set()
    for figure, got in zip(
        shown, evaluate(ENGINE, [f.values for f in shown]), strict=True
    ):
        back, v = figure.values["back"], figure.sizes()[figure.values["back"]]
        words = got["claim"]
        if not back:
            assert (
                words
                == f"At h{figure.values['length']} the gradient starts with size 1"
            )
            continue
        assert words.startswith(f"{back} steps" if back > 1 else "One step")
        if v == 0:
            kind = "exactly zero"
        elif 0.95 < v < 1.05:
            kind = "kept its size"
        else:
            kind = "shrunk to" if v < 1 else "grown to"
            number = words.split(" to ")[1].split(" times")[0].replace("\u2212", "-")
            parts = number.split("/")
            said = 1 / float(parts[1]) if len(parts) == 2 else float(number)
            assert said == pytest.approx(v, rel=0.06)
        seen.add(kind)
        assert kind in words
    assert len(seen) >= 3


def test_mouse_keyboard_and_speech(show: Show) -> None:
    page = show(figures.GradientThroughTime())
    claim = page.locator(f"{TAG} .claim")
    expect(claim).to_contain_text("10 steps back the gradient has shrunk to 1/")
    back = page.get_by_label("Steps back", exact=True)
    back.focus()
    page.keyboard.press("Home")
    expect(claim).to_have_text("At h30 the gradient starts with size 1")
    page.keyboard.press("ArrowRight")
    expect(claim).to_contain_text("One step back")
    page.locator(f"{TAG} .time").click(position={"x": 60, "y": 60})
    assert page.locator(TAG).evaluate("(e) => e.figure.get().back") > 20
    page.get_by_label("W_hh", exact=True).select_option(label="orthogonal")
    page.get_by_role("radio", name="none").click()
    radius = page.get_by_label("Spectral radius")
    radius.focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    expect(claim).to_contain_text("has kept its size")
    expect(page.locator(f"{TAG} .sub").first).to_contain_text("spectral radius 1;")
    page.keyboard.press("End")
    expect(claim).to_contain_text("has grown to")
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text("has grown to")
    length = page.get_by_label("Steps T")
    length.focus()
    page.keyboard.press("Home")
    assert page.locator(TAG).evaluate("(e) => e.figure.get().back") == 1
    page.keyboard.press("End")
    assert page.get_by_role("img").count() == 2
    expect(page.get_by_role("img").first).to_have_accessible_name(
        re.compile("Gradient size by step: 1 at h40; .* at h0")
    )
    expect(page.get_by_role("img").last).to_have_accessible_name(
        re.compile("8 eigenvalues of W_hh, the largest of absolute value 2; a step")
    )
    page.get_by_text("More").click()
    page.get_by_label("Input scale").focus()
    page.keyboard.press("Home")
    page.get_by_role("radio", name="relu").click()
    expect(claim).to_have_text("One step back the gradient is exactly zero")
    page.get_by_role("radio", name="tanh").click()
    page.get_by_role("button", name="Draw again").click()
    assert page.locator(TAG).evaluate("(e) => e.figure.get().seed") == 1
    for kind, act in itertools.product(KINDS[:4], NONLINEARITIES):
        page.get_by_label("W_hh", exact=True).select_option(value=f'"{kind}"')
        page.get_by_role("radio", name=act).click()
        for steps in ("Home", "End"):
            length.focus()
            page.keyboard.press(steps)
            words = page.locator(TAG).evaluate("(e) => e.shadowRoot.textContent")
            assert not re.search("NaN|Infinity|undefined|null", words)


def test_a_kind_that_the_readers_inputs_do_not_fit(show: Show) -> None:
    torch.manual_seed(0)
    own = figures.GradientThroughTime(layer=nn.RNN(3, 5), x=torch.randn(6, 3))
    page = show(own)
    page.get_by_label("W_hh", exact=True).select_option(label="default")
    page.get_by_label("Steps T").focus()
    page.keyboard.press("End")
    state = page.locator(TAG).evaluate("(e) => e.figure.get()")
    assert state["length"] == 40
    shown = figures.GradientThroughTime.from_state({**own.values, **state})
    size = shown.sizes()[state["back"]]
    claim = page.locator(f"{TAG} .claim").text_content() or ""
    assert float(claim.split("1/")[1]) == pytest.approx(1 / size, rel=0.06)
    assert "NaN" not in page.locator(TAG).evaluate("(e) => e.shadowRoot.textContent")
    page.get_by_label("W_hh", exact=True).select_option(label="your own")
    assert page.locator(TAG).evaluate("(e) => e.figure.get().length") == 6


def test_predict_hides_until_answered(show: Show) -> None:
    page = show(figures.GradientThroughTime("identity", 1.0, predict=True))
    claim = page.locator(f"{TAG} .claim")
    expect(claim).to_have_text(
        "What becomes of the gradient on its way from h30 to h0?"
    )
    expect(page.get_by_role("table")).to_be_hidden()
    expect(page.locator(f"{TAG} .time")).to_be_hidden()
    hidden = page.locator(TAG).evaluate("(e) => e.shadowRoot.textContent")
    assert "shrunk" not in hidden and "a step:" not in hidden
    want = figures.GradientThroughTime("identity", 1.0).sizes()[-1]
    right = "vanishes" if want < 0.01 else "neither"
    page.get_by_role("button", name=right).click()
    expect(page.locator(f"{TAG} .line").first).to_contain_text("Right: ")
    expect(claim).to_contain_text("30 steps back the gradient")
    page.get_by_label("Spectral radius").focus()
    page.keyboard.press("End")
    expect(claim).to_contain_text("What becomes of the gradient")
    page.get_by_role("button", name="neither").click()
    expect(page.locator(f"{TAG} .line").first).to_contain_text("Not quite: ")


def test_axe_and_a_phone(phone: Show) -> None:
    phone(
        figures.GradientThroughTime(),
        figures.GradientThroughTime("non-normal", 0.8, 40, "none"),
        figures.GradientThroughTime("orthogonal", 1.0, predict=True),
        figures.GradientThroughTime(weight_hh=torch.tensor([[0.5, 4.0], [0.0, 0.5]])),
    )


def test_png_fallback_and_size() -> None:
    for figure in (
        figures.GradientThroughTime(),
        figures.GradientThroughTime("identity", nonlinearity="relu", input_scale=0.0),
    ):
        assert figure.png() == figure.png() and len(figure.png()) < 40_000
        assert len(figure.element()) < 1500
        again = figures.GradientThroughTime.from_state(figure.state)
        assert repr(again) == repr(figure)
        assert "10 steps back" in figure.fallback()
    code = figures.script_part("gradient_through_time").encode()
    assert len(gzip.compress(code, 9)) < 6500


def test_live_your_own_layer_and_what_is_refused() -> None:
    live = figures.GradientThroughTime("identity", 0.5).live()
    assert torch.equal(live.layer.weight_hh_l0, 0.5 * torch.eye(8).double())
    live.radius, live.nonlinearity = 1.5, "relu"
    assert live.layer.nonlinearity == "relu"
    assert live.layer.weight_hh_l0[0, 0].tolist() == 1.5
    assert repr(live).startswith("live GradientThroughTime: identity, radius 1.5, relu")
    live.nonlinearity = "none"
    with pytest.raises(ValueError, match="Unknown nonlinearity 'none'"):
        _ = live.layer
    torch.manual_seed(0)
    layer, x = nn.RNN(3, 5, nonlinearity="relu"), torch.randn(6, 3)
    own = figures.GradientThroughTime(layer=layer, x=x)
    assert own.values["nonlinearity"] == "relu" and own.values["length"] == 6
    assert torch.allclose(own.layer(own.x)[0].float(), layer(x)[0], atol=1e-4)
    shift = torch.ones(3).diag(1)
    delay = figures.GradientThroughTime(weight_hh=shift, nonlinearity="none")
    assert delay.sizes()[3] > 0 == delay.sizes()[4]
    deep: Any = nn.RNN(2, 2, num_layers=2)
    for given, words in (
        ({"kind": "zeros"}, "kind is 'zeros': allowed are default, orthogonal"),
        ({"kind": "own"}, "kind is 'own': give weight_hh or layer"),
        ({"nonlinearity": "gelu"}, "nonlinearity is 'gelu': allowed are none, tanh"),
        ({"radius": 2.5}, "radius is 2.5: allowed are 0 to 2"),
        ({"length": 41}, "length is 41: allowed are 1 to 40"),
        ({"length": 5, "back": 6}, "back is 6: allowed are 0 to 5"),
        ({"seed": -1}, "seed is -1"),
        ({"input_scale": 5.0}, "input_scale is 5.0: allowed are 0 to 4"),
        ({"weight_hh": torch.ones(2, 3)}, "weight_hh has shape (2, 3)"),
        ({"weight_hh": torch.full((2, 2), torch.nan)}, "values that are not finite"),
        ({"layer": deep}, "allowed is an nn.RNN of one layer"),
        ({"layer": nn.RNN(13, 2)}, "input_size is 13: allowed are 1 to 12"),
        ({"weight_hh": torch.eye(2), "radius": -1.0}, "radius is -1.0: allowed are 0"),
        ({"weight_hh": 5 * torch.eye(2), "radius": 6.0}, "allowed are 0 to 5"),
        ({"weight_hh": torch.eye(2), "layer": nn.RNN(2, 2)}, "allowed is one"),
        ({"x": torch.full((4, 8), torch.inf)}, "x has values that are not finite"),
        ({"x": torch.ones(4, 3)}, "x has shape (4, 3): allowed is (L, 8)"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.GradientThroughTime(**given)
