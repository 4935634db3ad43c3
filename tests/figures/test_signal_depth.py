"""SignalDepth: forward and backward of the JavaScript engine against torch's layers."""

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn

from helpers import figures
from layers_book.figures.signal_depth import ACTIVATIONS, INITS, numbers

TAG = "nn-signal-depth"
ENGINE = """(list) => {
  const { engine, defaults } = nnFigures.specs["nn-signal-depth"];
  return list.map((given) => {
    const S = { ...defaults, ...given }, error = engine.error(S);
    if (error) return { error };
    const r = engine.run(S), of = (key) => r.map((l) => l[key]);
    return { rms: of("rms"), spread: of("spread"), back: of("back"), std: engine.std(S),
      flat: of("flat").slice(1), dead: of("dead").slice(1), last: [...r.at(-1).a],
      ...engine.histogram(r[S.at].a) };
  });
}"""
Show = Callable[..., Page]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Blocks of 32 x 32 gain nothing from threads, which wait for shared cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_engine_is_torchs(
    evaluate: Callable[..., Any], same_words: bool, activation: str
) -> None:
    settings = [
        {"activation": activation, "init": init, "depth": depth, "at": at, "seed": seed}
        for seed, init in enumerate(INITS)
        for depth, at in ((30, 17), (1, 0), (8, 8))
    ]
    for s, got in zip(settings, evaluate(ENGINE, settings), strict=True):
        figure = figures.SignalDepth(**s)
        try:
            want = figure.tracks()
        except ValueError as error:
            assert got.keys() == {"error"} and s["init"] == "gain"
            wanted = {"type": "ValueError", "text": str(error)}
            assert got["error"] == wanted or not same_words
            continue
        for key, track in want.items():
            # Samples that became equal differ by rounding alone.
            atol = 1e-12 if key == "spread" else 0
            np.testing.assert_allclose(
                got[key], track, rtol=1e-9, atol=atol, err_msg=f"{key} {s}"
            )
        outputs = figure.activations()
        last = outputs[-1].detach().flatten().numpy()
        np.testing.assert_allclose(
            got["last"], last, rtol=0, atol=1e-9 * max(np.abs(last).max(), 1e-300)
        )
        chosen = outputs[s["at"]].detach().numpy()
        most = np.abs(chosen).max()
        assert got["most"] == pytest.approx(most, rel=1e-9)
        counts, _ = np.histogram(chosen, 21, (-most, most))
        assert sum(got["counts"]) == 1024
        assert np.abs(counts - got["counts"]).max() <= 2


def test_weights_are_spread_as_torch_spreads_them(
    evaluate: Callable[..., Any],
) -> None:
    initialize: dict[str, Callable[[nn.Linear], Any]] = {
        "default": lambda layer: layer.reset_parameters(),
        "xavier_normal": lambda layer: nn.init.xavier_normal_(layer.weight),
        "kaiming_normal": lambda layer: nn.init.kaiming_normal_(
            layer.weight, nonlinearity="relu"
        ),
        "gain": lambda layer: nn.init.xavier_normal_(
            layer.weight, nn.init.calculate_gain("tanh")
        ),
        "small": lambda layer: nn.init.normal_(layer.weight, std=0.05),
        "large": lambda layer: nn.init.normal_(layer.weight, std=0.5),
    }
    torch.manual_seed(0)
    found = evaluate(
        ENGINE,
        [{"activation": "Tanh", "init": init, "depth": 1, "at": 0} for init in INITS],
    )
    for init, got in zip(INITS, found, strict=True):
        layer = nn.Linear(32, 32, bias=False)
        blocks = []
        for _ in range(60):
            initialize[init](layer)
            blocks.append(layer.weight.detach().clone())
        assert float(torch.stack(blocks).std()) == pytest.approx(got["std"], rel=0.02)
        weights = [
            figures.SignalDepth("Tanh", init, 30, seed=seed).layer[::2]
            for seed in range(2)
        ]
        own = torch.stack([f.weight.detach() for stack in weights for f in stack])
        assert float(own.std()) == pytest.approx(got["std"], rel=0.02)
        if init == "default":
            torchs = torch.stack(blocks)
            assert float(own.abs().max()) == pytest.approx(
                float(torchs.abs().max()), rel=0.01
            )


def test_generator_is_the_same_in_both_languages(evaluate: Callable[..., Any]) -> None:
    keys = list(itertools.product((0, 1, 2**32 - 1), (0, 1, 31), (1, 4)))
    found = evaluate(
        """(keys) => keys.map((key) =>
          [...nnFigures.specs["nn-signal-depth"].engine.numbers(...key)])""",
        keys,
    )
    assert found == [list(numbers(*key)) for key in keys]
    for terms in (1, 4):
        many = torch.tensor([numbers(3, step, terms) for step in range(60)])
        assert abs(many.mean()) < 0.02 and abs(many.std() - 1) < 0.02


@pytest.mark.parametrize("init", INITS)
def test_the_code_to_copy_runs(evaluate: Callable[..., Any], init: str) -> None:
    state = {**figures.SignalDepth.defaults, "activation": "LeakyReLU", "init": init}
    code = evaluate(f"(s) => nnFigures.specs['{TAG}'].engine.codeFull(s)", state)
    space: dict[str, Any] = {"torch": torch, "nn": nn, "print": lambda *_: None}
    exec(code, space)
    track = figures.SignalDepth("LeakyReLU", init).tracks()
    torchs = [float(a.detach().square().mean().sqrt()) for a in space["outputs"]]
    ratio = torchs[-1] / torchs[0] / (track["rms"][-1] / track["rms"][0])
    assert 0.1 < ratio < 10, "another draw, the same story"


def test_the_readers_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    figures.SignalDepth("Tanh").fallback()
    assert torch.equal(torch.get_rng_state(), before)


def test_what_depth_does() -> None:
    def ends(*given: str) -> tuple[float, float]:
        t = figures.SignalDepth(*given).tracks()
        return t["rms"][-1] / t["rms"][0], t["back"][0] / t["back"][-1]

    assert max(ends("ReLU")) < 1e-5
    assert all(0.1 < v < 10 for v in ends("ReLU", "kaiming_normal"))
    assert max(ends("ReLU", "xavier_normal")) < 0.1
    assert all(0.1 < v < 10 for v in ends("Tanh", "gain"))
    ahead, back = ends("Sigmoid", "xavier_normal")
    assert ahead > 0.1 and back < 1e-9


def test_mouse_keyboard_and_speech(show: Show) -> None:
    page = show(figures.SignalDepth())
    claim = page.locator(f"{TAG} .claim")
    expect(claim).to_have_text("ReLU, 20 layers: activations vanish, gradients vanish")
    page.get_by_label("Initialization").select_option(label="Kaiming for relu")
    expect(claim).to_have_text("ReLU, 20 layers: activations hold, gradients hold")
    page.get_by_label("Layers").focus()
    page.keyboard.press("Home")
    assert page.locator(TAG).evaluate("(e) => e.figure.get().at") == 1
    page.keyboard.press("End")
    expect(claim).to_contain_text("30 layers")
    page.get_by_label("Look at layer").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(f"{TAG} thead th").nth(2)).to_have_text("2")
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text("At layer 2, ")
    before = page.locator(f"{TAG} .bars").get_attribute("d")
    page.get_by_role("button", name="Draw again").click()
    assert page.locator(f"{TAG} .bars").get_attribute("d") != before
    assert page.get_by_role("img").count() == 3
    expect(page.get_by_role("img").first).to_have_accessible_name(
        re.compile("RMS on a log scale: activations reach .* at layer 30")
    )
    page.get_by_label("Initialization").select_option(label="Xavier normal")
    page.get_by_label("Activation", exact=True).select_option(label="Sigmoid")
    expect(page.locator(f"{TAG} .sub").first).to_contain_text("all samples look nearly")
    for name in ACTIVATIONS:
        page.get_by_label("Activation", exact=True).select_option(value=f'"{name}"')
        for init in INITS:
            page.get_by_label("Initialization").select_option(value=f'"{init}"')
            words = page.locator(TAG).evaluate("(e) => e.shadowRoot.textContent")
            assert not re.search("NaN|Infinity|undefined", words)
    page.get_by_label("Activation", exact=True).select_option(label="GELU")
    page.get_by_label("Initialization").select_option(label="Xavier with gain")
    expect(page.locator(f"{TAG} .error")).to_have_text(
        "torch raises ValueError: Unsupported nonlinearity gelu"
    )
    expect(page.get_by_role("img")).to_have_count(1)
    page.get_by_label("Activation", exact=True).select_option(label="Tanh")
    expect(claim).to_have_text("Tanh, 30 layers: activations hold, gradients grow")


def test_axe_and_a_phone(phone: Show) -> None:
    phone(
        figures.SignalDepth(),
        figures.SignalDepth("Tanh", "large", 30, at=30),
        figures.SignalDepth("SiLU", "gain"),
    )


def test_png_and_fallback() -> None:
    for figure in (figures.SignalDepth(), figures.SignalDepth("GELU", "gain")):
        assert figure.png() == figure.png() and len(figure.png()) < 40_000
        assert len(figure.element()) < 1500
        again = figures.SignalDepth.from_state(figure.state)
        assert repr(again) == repr(figure)
    assert "ValueError: Unsupported nonlinearity gelu" in figure.fallback()


def test_live_your_own_activation_and_what_is_refused() -> None:
    live = figures.SignalDepth(nn.Tanh(), "xavier_normal", 5).live()
    assert len(live.layer) == 10 and isinstance(live.layer[1], nn.Tanh)
    live.depth, live.activation = 2, "GELU"
    assert [type(m) for m in live.layer] == [nn.Linear, nn.GELU] * 2
    assert repr(live).startswith("live SignalDepth: GELU, xavier_normal, 2 layers")
    for given, words in (
        ({"activation": "Softmax"}, "activation is 'Softmax': allowed are Identity,"),
        ({"activation": nn.PReLU()}, "activation is 'PReLU'"),
        ({"init": "zeros"}, "init is 'zeros': allowed are default, xavier_normal"),
        ({"depth": 31}, "depth is 31: allowed are 1 to 30"),
        ({"at": 21}, "at is 21: allowed are 0 to 20"),
        ({"seed": -1}, "seed is -1"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.SignalDepth(**given)
