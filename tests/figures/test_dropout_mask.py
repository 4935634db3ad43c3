"""DropoutMask: coins, rescaling and moments against torch, and the figure by hand."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import Tensor, nn

from helpers import figures
from layers_book.figures.dropout_mask import KINDS

TAG = "nn-dropout-mask"
ENGINE = """(list) => {
  const { engine, defaults } = nnFigures.specs["nn-dropout-mask"];
  return list.map((given) => {
    const S = { ...defaults, ...given }, error = engine.error(S), all = engine.cells(S);
    if (error) return { error };
    const of = (name) => all.map((at) => engine[name](S, ...at));
    const x = all.map((at) => engine.value(...at));
    const made = (keep) => x.map((v) => engine.becomes(S, v, keep));
    return { x, coin: of("coin"), kept: of("kept"), keep: made(true),
      drop: made(false), coins: engine.coins(S), moments: engine.moments(S) };
  });
}"""
Show = Callable[..., Page]


def many(s: dict[str, Any], x: list[float], draws: int) -> Tensor:
    """Outputs of torch's layer over many draws, ``(draws, N * C * L)``, float64."""
    rank = int((re.findall(r"\d", s["kind"]) or ["1"])[0])
    shape = (s["N"], s["C"], *(1,) * (rank - 1), s["L"])
    block = torch.tensor(x, dtype=torch.float64).reshape(shape)
    layer = getattr(nn, s["kind"])(s["p"]).train(s["training"])
    whole = block.repeat(draws, *(1,) * (block.dim() - 1))
    return layer(whole).reshape(draws, -1)


@pytest.mark.parametrize("kind", KINDS)
def test_engine_is_torchs(evaluate: Callable[..., Any], kind: str) -> None:
    torch.manual_seed(0)
    settings = [
        {"kind": kind, "p": p, "training": training, "N": N, "C": C, "L": L, "draw": p}
        for p in (0.0, 0.1, 0.3, 0.5, 0.9, 1.0)
        for training in (True, False)
        for N, C, L in ((2, 3, 4), (1, 2, 3), (3, 1, 2))
    ]
    for draw, s in enumerate(settings):
        s["draw"] = draw
    for s, got in zip(settings, evaluate(ENGINE, settings), strict=True):
        y = many(s, got["x"], 4000)
        keep = torch.tensor(got["keep"], dtype=torch.float64)
        drop = torch.tensor(got["drop"], dtype=torch.float64)
        kept, dropped = torch.isclose(y, keep), torch.isclose(y, drop)
        assert (kept | dropped).all(), s
        coin = torch.tensor(got["coin"])
        assert got["coins"] == len(coin.unique())
        if s["training"] and 0 < s["p"] < 1:
            alike = (kept[:, :, None] == kept[:, None, :]).all(0)
            assert torch.equal(alike, coin[:, None] == coin[None, :]), s
            assert kept.double().mean() == pytest.approx(1 - s["p"], abs=0.02)
        spread = y.square().std().item() / len(y) ** 0.5 + 1e-6
        moments = got["moments"]
        assert moments["mean"] == pytest.approx(y.mean().item(), abs=4 * spread)
        wanted = pytest.approx(y.square().mean().item(), abs=4 * spread)
        assert moments["meanSquare"] == wanted, s
        figure = figures.DropoutMask.from_state({**figures.DropoutMask.defaults, **s})
        assert figure.mask.flatten().tolist() == got["kept"]
        own = torch.where(torch.tensor(got["kept"]), keep, drop)
        assert torch.allclose(figure.y.flatten(), own)
        assert figure.x.flatten().tolist() == got["x"]


def test_alpha_keeps_mean_0_and_square_1() -> None:
    torch.manual_seed(0)
    y = nn.AlphaDropout(0.3)(torch.randn(400_000, dtype=torch.float64))
    assert abs(y.mean()) < 0.01 and abs(y.square().mean() - 1) < 0.01


def test_torchs_refusal(evaluate: Callable[..., Any]) -> None:
    (got,) = evaluate(ENGINE, [{"p": 1.1}])
    with pytest.raises(ValueError, match="dropout probability") as refusal:
        _ = figures.DropoutMask(p=1.1).layer
    assert got["error"] == {"type": "ValueError", "text": str(refusal.value)}


def test_the_code_to_copy_runs(evaluate: Callable[..., Any]) -> None:
    for kind in KINDS:
        state = {**figures.DropoutMask.defaults, "kind": kind, "training": False}
        code = evaluate(f"(s) => nnFigures.specs['{TAG}'].engine.codeFull(s)", state)
        space: dict[str, Any] = {"torch": torch, "nn": nn, "print": lambda *_: None}
        exec(code, space)
        assert torch.equal(space["y"], space["x"])


def test_mouse_keyboard_and_speech(show: Show) -> None:
    page = show(figures.DropoutMask())
    claim = page.locator(f"{TAG} .claim")
    expect(claim).to_have_text(
        "Dropout tosses one coin a value: 14 of 24 values dropped"
    )
    assert page.locator(f"{TAG} .cell.drop").count() == 14
    page.get_by_role("button", name="Draw again").press("Enter")
    assert page.locator(TAG).evaluate("(e) => e.figure.get().draw") == 1
    page.get_by_label("Layer").select_option(label="Dropout2d")
    expect(claim).to_contain_text("one coin a channel of each sample")
    page.get_by_role(
        "gridcell", name=re.compile("sample 0, channel 0, pos")
    ).first.click()
    page.keyboard.press("Control+End")
    expect(page.locator(f"{TAG} p.line")).to_contain_text("y[1, 2, 3]")
    page.get_by_role("radio", name="eval").click()
    expect(claim).to_have_text("In eval mode Dropout2d returns its input")
    expect(page.get_by_role("button", name="Draw again")).to_be_disabled()
    assert page.locator(f"{TAG} .cell.drop").count() == 0
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text("In eval mode Dropout2d")
    page.get_by_label("Probability p").focus()
    page.keyboard.press("End")
    expect(page.locator(f"{TAG} .error")).to_contain_text(
        "ValueError: dropout probability has to be between 0 and 1, but got 1.1"
    )


def test_axe_and_a_phone(phone: Show) -> None:
    phone(
        figures.DropoutMask(),
        figures.DropoutMask("FeatureAlphaDropout", 0.3, L=8),
        figures.DropoutMask(p=1.1),
    )


def test_live_your_own_layer_and_what_is_refused() -> None:
    live = figures.DropoutMask(nn.Dropout2d(0.25).eval()).live()
    assert isinstance(live.layer, nn.Dropout2d)
    assert (live.layer.p, live.layer.training) == (0.25, False)
    live.p, live.kind = 0.5, "AlphaDropout"
    assert isinstance(live.layer, nn.AlphaDropout) and live.layer.p == 0.5
    for given, words in (
        ({"kind": "Dropout4d"}, "kind is 'Dropout4d': allowed are Dropout,"),
        ({"p": -0.1}, "p is -0.1"),
        ({"N": 5}, "N is 5: allowed are 1 to 4"),
        ({"show": "z"}, "show is 'z': allowed are x, y"),
        ({"cell": (2, 0, 0)}, "cell is (2, 0, 0)"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.DropoutMask(**given)
