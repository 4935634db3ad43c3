"""Resampling: the JavaScript engine against F.interpolate, and the figure by hand."""

import itertools
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from playwright.sync_api import Page, expect
from torch import nn

from helpers import figures

TAG = "nn-resampling"
ENGINE = """(list) => {
  const { engine, defaults } = nnFigures.specs["nn-resampling"];
  return list.map((given) => {
    const S = { ...defaults, ...given }, error = engine.error(S);
    return error ? { error } : engine.resample(S);
  });
}"""
Show = Callable[..., Page]
State = dict[str, Any]
MODES = figures.Resampling.State.mode.values
FLAGS = ("align_corners", "antialias", "recompute_scale_factor")


def every_size() -> Iterator[State]:
    """Sizes 1 to 12 against 0 to 12, each mode with each pair of its two flags."""
    flags = itertools.product(MODES, (False, True), (False, True))
    for mode, align_corners, antialias in flags:
        state = {"mode": mode, "align_corners": align_corners, "antialias": antialias}
        for n, size in itertools.product(range(1, 13), range(13)):
            yield {**state, "n": n, "size": size}


def every_scale() -> Iterator[State]:
    """Factors that leave part of a pixel over, up to those that change no size."""
    flags = itertools.product(MODES, (False, True), (False, True))
    for mode, antialias, recompute in flags:
        for n, scale in itertools.product(range(1, 13), (0.3, 0.7, 1.01, 1.3, 1.7)):
            yield {
                "n": n,
                "mode": mode,
                "scale_factor": scale,
                "align_corners": False,
                "antialias": antialias,
                "recompute_scale_factor": recompute,
            }


def drawn(count: int) -> Iterator[State]:
    """Random scale factors, flags and numbers of one's own."""
    draw = random.Random(0)
    for _ in range(count):
        n = draw.randint(1, 12)
        scale = draw.choice(
            [0.1, 0.25, 0.5, 0.7, 1.3, 1.5, 1.7, 2.0, draw.random() * 3]
        )
        yield {
            "n": n,
            "mode": draw.choice(MODES),
            "scale_factor": draw.choice([None, scale, scale, scale]),
            "values": draw.choice([None, [draw.gauss(0, 3) for _ in range(n)]]),
            "signal": draw.choice(figures.Resampling.State.signal.values),
            **{flag: draw.random() < 0.3 for flag in FLAGS},
        }


def exact(numbers: list[Any]) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def golden(s: State) -> dict[str, Any]:
    """Weights and gradient by torch alone, one interpolation of an identity matrix."""
    n, mode, scale = s["n"], s["mode"], s.get("scale_factor")
    four = mode != "linear"
    pixels = torch.eye(n).double().view(n, 1, *(1,) * four, n).requires_grad_()
    target: dict[str, Any] = {"size": (1, s["size"]) if four else s["size"]}
    if scale is not None:
        target = {"scale_factor": (1.0, scale) if four else scale}
    try:
        y = F.interpolate(
            pixels,
            mode=mode,
            align_corners=s["align_corners"] or None,
            antialias=s["antialias"],
            recompute_scale_factor=s.get("recompute_scale_factor") or None,
            **target,
        )
    except (ValueError, RuntimeError) as error:
        return {"error": {"type": type(error).__name__, "text": str(error)}}
    weights = y.reshape(n, y.shape[-1]).T  # (W_out, W)
    if not y.numel():
        return {"weights": weights.detach(), "gradient": torch.zeros(n).double()}
    (gradient,) = torch.autograd.grad(y.sum(), pixels)  # of each row alike
    return {"weights": weights.detach(), "gradient": gradient[0].flatten()}


@pytest.mark.parametrize("settings", [every_size, every_scale, lambda: drawn(400)])
def test_engine_is_torchs(
    evaluate: Callable[..., Any], settings: Callable[[], Any], same_words: bool
) -> None:
    states = [{"size": 5, **s} for s in settings()]
    refused, unread = 0, 0
    found_all = evaluate(ENGINE, states)
    for number, (s, got) in enumerate(zip(states, found_all, strict=True)):
        wanted = golden(s)
        if "error" in wanted:
            refused += 1
            assert got.keys() == wanted.keys(), s
            assert got == wanted or not same_words, s
            continue
        assert got.keys() != {"error"}, (s, got)
        shape = wanted["weights"].shape
        found = exact(got["weights"]).reshape(-1, shape[1])
        assert found.shape == shape, s
        assert (found - wanted["weights"]).abs().sum() < 1e-9, s
        gradient = exact(got["gradient"])
        assert torch.allclose(gradient, wanted["gradient"], atol=1e-9), s
        x = exact(got["x"])
        y = exact(got["y"])
        assert torch.allclose(y, wanted["weights"] @ x, atol=1e-9), s
        dead = (wanted["weights"] == 0).all(0).nonzero().flatten().tolist()
        assert got["unread"] == dead, s
        unread += bool(dead)
        if number % 5:  # Python's own side is torch: a sample will do
            continue
        full = {**figures.Resampling.defaults, **s}
        output, weights = figures.Resampling.from_state(full).resampled()
        assert torch.equal(weights, wanted["weights"]), s
        assert torch.allclose(output, y, atol=1e-9), s
    assert refused > 50
    assert unread > 20


def test_the_code_to_copy_runs(evaluate: Callable[..., Any]) -> None:
    for mode in MODES:
        figure = figures.Resampling(7, 4, mode, align_corners="linear" in mode)
        code = evaluate(
            f"(s) => nnFigures.program(nnFigures.specs['{TAG}'].engine.codeFull(s))",
            figure.values,
        )
        space: dict[str, Any] = {"print": lambda *_: None}
        exec(code, space)
        assert torch.allclose(space["y"].flatten(), figure.resampled()[0])
        said = re.search(r"# \(N, C, .*\) = (\(.*\))", code)
        assert said is not None
        assert said[1] == str(tuple(space["y"].shape))


def test_mouse_keyboard_and_torchs_words(show: Show) -> None:
    page = show(figures.Resampling(4, 8))
    claim = page.locator(f"{TAG} .claim")
    line = page.locator(f"{TAG} .line")
    expect(claim).to_have_text(
        "Both rows cover the same stretch: the outer edges are aligned"
    )
    expect(line).to_contain_text("(3 + 0.5) · 4/8 − 0.5 = 1.25")
    corners = page.get_by_role("checkbox", name="align_corners")
    before = page.locator(f"{TAG} u").nth(0).evaluate("(e) => e.style.left")
    corners.check()
    expect(claim).to_have_text(
        "align_corners puts the end samples on the centers of the end pixels"
    )
    expect(line).to_contain_text("3 · 3/7 = 1.286")
    after = page.locator(f"{TAG} u").nth(0).evaluate("(e) => e.style.left")
    assert before != after
    page.get_by_role("gridcell", name=re.compile("^output 3")).focus()
    page.keyboard.press("End")
    expect(line).to_contain_text("y[7] = 1·x[3]")
    page.get_by_label("mode").select_option(label="nearest")
    expect(page.locator(f"{TAG} .error")).to_have_text(
        "torch raises ValueError: align_corners option can only be set with the "
        "interpolating modes: linear | bilinear | bicubic | trilinear"
    )
    corners.uncheck()
    size = page.get_by_label("Output size")
    size.focus()
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    expect(claim).to_have_text("2 of 4 input pixels are never read")
    expect(page.locator(f"{TAG} .dead")).to_have_count(2)
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text("2 of 4 input pixels")
    page.keyboard.press("Home")
    expect(page.locator(f"{TAG} .error")).to_contain_text("greater than 0")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("scale_factor", exact=True).select_option(label="1.7")
    page.get_by_label("mode").select_option(label="bilinear")
    expect(claim).to_have_text(
        "The step is 1/scale_factor: the 6 output pixels cover 3.53 of 4 input pixels"
    )
    page.get_by_label("recompute_scale_factor").check()
    expect(claim).to_contain_text("the outer edges are aligned")
    page.get_by_role("radio", name="gradient").check()
    sums = page.locator(f"{TAG} .in-px").all_inner_texts()
    weights = figures.Resampling(4, 6).resampled()[1]
    assert [float(v) for v in sums] == pytest.approx(weights.sum(0).tolist(), abs=0.05)


def test_what_the_figure_says(show: Show) -> None:
    page = show(figures.Resampling())
    claim, line = (page.locator(f"{TAG} .{name}") for name in ("claim", "line"))
    corners = {"align_corners": True, "antialias": True, "mode": "bicubic"}
    third = {"n": 3, "scale_factor": 1.3, "mode": "bicubic", "show": "gradient"}
    for state, place, words in (
        ({"n": 4, "size": 12, "mode": "nearest", "at": 3}, line, "floor(3 · 4/12)"),
        ({"n": 5, "scale_factor": 1.5, "at": 2}, line, "(2 + 0.5) / 1.5 − 0.5"),
        ({"n": 2, "size": 1, **corners}, claim, "the end samples miss"),
        ({"n": 6, "size": 3, **corners}, claim, "the end samples miss"),
        ({"n": 3, "scale_factor": 0.5, "mode": "bicubic"}, claim, "pixel covers 2 of"),
        (
            {"antialias": True, "recompute_scale_factor": True},
            claim,
            "needs",
        ),
        ({"n": 4, "size": 4}, page.locator(f"{TAG} p.sub"), "1 input pixel from"),
        (third, page.locator(f"{TAG} p.sub"), "not this mode’s transpose"),
    ):
        whole = {**figures.Resampling.defaults, **state}
        page.locator(TAG).evaluate("(e, s) => e.figure.set(s)", whole)
        expect(place).to_contain_text(words)
    page.locator(TAG).evaluate("(e) => e.figure.set({ n: 4, scale_factor: 2 })")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Input size").press("End")  # at most 12 samples come out
    expect(page.locator(f"{TAG} .y .cell:visible")).to_have_count(12)


def test_a_click_on_an_output_pixel_chooses_it(show: Show) -> None:
    page = show(figures.Resampling(4, 8))
    page.locator(f"{TAG} .out-px").nth(6).click()
    expect(page.locator(f"{TAG} .line")).to_contain_text("y[6]")


def test_axe_and_a_phone(phone: Show) -> None:
    page = phone(
        figures.Resampling(),
        figures.Resampling(12, 12, "bicubic", align_corners=True, signal="edge"),
        figures.Resampling(12, 5, antialias=True),
        figures.Resampling(4, 0),
    )
    cut = page.locator(f"{TAG} .block").evaluate_all(
        "(all) => all.filter((e) => e.scrollWidth > e.clientWidth).length"
    )
    assert cut == 0


def test_live_traits_are_the_layer() -> None:
    live = figures.Resampling(4, 8).live()
    live.size, live.align_corners = 12, True
    x = torch.randn(1, 1, 1, 4).double()
    y = F.interpolate(x, (1, 12), mode="bilinear", align_corners=True)
    assert torch.equal(live.layer(x), y)
    assert repr(live) == (
        "live Resampling: bilinear, align_corners, 4 pixels to 12, all are read"
    )


def test_your_own_layer_and_numbers() -> None:
    layer = nn.Upsample(scale_factor=(3.0, 2.5), mode="bicubic", align_corners=True)
    figure = figures.Resampling(torch.tensor([1.0, 3.0]), layer=layer)
    x = torch.tensor([1.0, 3.0]).double().view(1, 1, 1, 2)
    assert torch.equal(figure.layer(x).flatten(), figure.resampled()[0])
    assert figure.layer(x).shape == (1, 1, 1, 5)
    line = nn.Upsample(size=7, mode="linear")
    assert figures.Resampling([0, 1, 0], layer=line).layer.size == (7,)
    assert figures.Resampling(4, 0).rows()[1][0][0] == "torch raises"


def test_what_is_refused() -> None:
    for given, words in (
        ({"x": 13}, "n is 13: allowed are 1 to 12"),
        ({"x": torch.zeros(2, 2)}, "x has shape (2, 2): give one row"),
        ({"x": [0.0, float("nan")]}, "x has shape (2,): give one row of numbers"),
        ({"size": 13}, "size is 13: allowed are 0 to 12"),
        ({"mode": "trilinear"}, "mode is 'trilinear': allowed are nearest,"),
        ({"signal": "noise"}, "signal is 'noise'"),
        ({"show": "weights"}, "show is 'weights'"),
        ({"scale_factor": 0.0}, "scale_factor is 0.0: allowed are None and above 0"),
        ({"scale_factor": 3.5}, "for at most 12 samples"),
        ({"at": -1}, "at is -1"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.Resampling(**given)
    for figure in (figures.Resampling(mode="area"), figures.Resampling(antialias=True)):
        with pytest.raises(ValueError, match=re.escape("use F.interpolate")):
            _ = figure.layer


def test_bins_of_one_pixel_and_of_more(show: Callable[..., Page]) -> None:
    page = show(figures.Resampling(mode="area"), figures.Resampling(4, 2, mode="area"))
    one, two = page.locator(".line").all()[:2]
    expect(one).to_contain_text("bin of pixel 1 alone")
    expect(two).to_contain_text("bin of pixels 2 to 3")
