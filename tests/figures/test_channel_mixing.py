"""ChannelMixing: the JavaScript engine against nn.Conv2d, and the figure by hand."""

import random
import re
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn

from helpers import figures, flops

TAG = "nn-channel-mixing"
ENGINE = """(list) => {
  const { engine, defaults } = nnFigures.specs["nn-channel-mixing"];
  return list.map((given) => {
    const S = { ...defaults, ...given }, error = engine.error(S);
    return error ? { error } : { code: engine.layerCode(S), wiring: engine.wiring(S),
      reach: engine.reach(S), shapes: engine.shapes(S), cost: engine.cost(S),
      guesses: engine.guesses(S) };
  });
}"""
Show = Callable[..., Page]


def settings() -> list[dict[str, Any]]:
    """All channels up to 12 with each kind of groups, and 300 with everything drawn.

    Every legal number of groups is there; of the refused ones, all where the channels
    are at most 4, and a third of the others.
    """
    found = []
    for i, (c, out, g) in enumerate(product(range(1, 13), range(1, 13), range(-1, 13))):
        legal = g > 0 and c % g == out % g == 0
        if not legal and max(c, out) > 4 and i % 3:
            continue
        more = {"kernel_size": 1 + i % 4, "bias": i % 3 > 0, "size": 1 + i % 5}
        found.append({"in_channels": c, "out_channels": out, "groups": g, **more})
    draw = random.Random(0)
    for _ in range(300):
        c, g = draw.randint(1, 12), draw.randint(1, 12)
        found.append(
            {
                "in_channels": c,
                "out_channels": g * draw.randint(1, 2),
                "groups": draw.choice([g, 1]),
                "kernel_size": draw.randint(1, 5),
                "bias": draw.random() < 0.5,
                "depthwise": draw.random() < 0.5,
                "multiplier": draw.randint(1, 3),
                "pointwise": draw.choice([0, draw.randint(1, 12)]),
                "pointwise_bias": draw.random() < 0.5,
                "size": draw.randint(1, 6),
            }
        )
    return found


def jacobian(layer: nn.Module, x: torch.Tensor) -> list[list[bool]]:
    """Which input channel moves which output channel, at one position."""
    found = torch.autograd.functional.jacobian(lambda z: layer(z)[0, :, 0, 0], x)
    reached: list[list[bool]] = (found[:, 0].abs().sum((2, 3)) > 0).tolist()
    return reached


def golden(s: dict[str, Any], costs: bool = True) -> dict[str, Any]:
    """From modules made here, not by the figure: torch's shapes, reach and costs."""
    c, k, size = s["in_channels"], s["kernel_size"], s["size"]
    out, g, more = s["out_channels"], s["groups"], s.get("pointwise", 0)
    if s.get("depthwise"):
        out, g = c * s["multiplier"], c
    try:
        conv = nn.Conv2d(c, out, k, groups=g, bias=s["bias"]).double()
    except ValueError as error:
        return {"error": {"type": "ValueError", "text": str(error)}}
    bias = s["pointwise_bias"] if more else s["bias"]
    stack = nn.Sequential(conv)
    if more:
        stack.append(nn.Conv2d(out, more, 1, bias=bias).double())
    whole = nn.Sequential(nn.Conv2d(c, more or out, k, bias=bias).double())
    x = torch.randn(1, c, size + k - 1, size + k - 1, dtype=torch.float64)

    def cost(layers: nn.Sequential) -> dict[str, int]:
        parameters = sum(p.numel() for p in layers.parameters())
        moved, y = parameters, x
        for layer in layers:
            moved += y.numel()
            y = layer(y)
            moved += y.numel()
        assert y.shape[-2:] == (size, size)
        macs = flops(layers, tuple(x.shape), dtype=torch.float64) // 2
        return {"parameters": parameters, "macs": macs, "moved": moved}

    wiring = jacobian(conv, x)
    found = {
        "wiring": wiring,
        "reach": jacobian(stack, x) if more else wiring,
        "shapes": [list(p.shape) for p in stack.parameters()],
    }
    if costs:
        found["cost"] = {"here": cost(stack), "full": cost(whole)}
    return found


def test_engine_is_torchs(evaluate: Callable[..., Any], same_words: bool) -> None:
    torch.manual_seed(0)
    configurations = settings()
    refused = []
    everything = zip(configurations, evaluate(ENGINE, configurations), strict=True)
    for i, (s, got) in enumerate(everything):
        wanted = golden(s, costs=i % 3 == 0)  # torch's counter is slow
        if "error" in wanted:
            refused.append(wanted["error"]["text"])
            assert got["error"]["type"] == "ValueError", s
            assert got["error"] == wanted["error"] or not same_words, s
            continue
        assert {key: got[key] for key in wanted} == wanted, s
        kernels = wanted["shapes"][0][0] * wanted["shapes"][0][1]
        assert kernels in got["guesses"] and len(got["guesses"]) <= 5
        assert sum(map(sum, got["wiring"])) == kernels
        if i % 3 != 1:
            continue
        made = eval(got["code"], {"nn": nn})
        assert [list(p.shape) for p in made.parameters()] == wanted["shapes"]
        figure = figures.ChannelMixing.from_state(s)
        assert str(figure.layer) == str(made)
        assert figure.wiring().tolist() == wanted["reach"]
    assert len(set(refused)) == 3
    assert 400 < len(refused) < len(configurations) - 400


def test_the_code_to_copy_runs(
    evaluate: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    for figure, said in (
        (
            figures.ChannelMixing(groups=2),
            "[(6, 3, 3, 3), (6,)]\noutput 3 reads [3, 4, 5]",
        ),
        (
            figures.ChannelMixing(
                nn.Sequential(
                    nn.Conv2d(2, 4, 3, groups=2, bias=False), nn.Conv2d(4, 5, 1)
                )
            ),
            "[(4, 1, 3, 3), (5, 4, 1, 1), (5,)]\noutput 3 reads [0, 1]",
        ),
    ):
        exec(
            evaluate(
                "(s) => nnFigures.program("
                f"nnFigures.specs['{TAG}'].engine.codeFull(s))",
                figure.values,
            ),
            {},
        )
        assert capsys.readouterr().out.strip() == said


def test_claims_are_true(evaluate: Callable[..., Any]) -> None:
    claim = f"""(list) => list.map((s) => {{
      const {{ engine, defaults }} = nnFigures.specs["{TAG}"];
      return engine.claim({{ ...defaults, ...s }}); }})"""
    states = [
        {},
        {"groups": 1},
        {"groups": 6},
        {"groups": 4},
        {"groups": 3, "out_channels": 4},
        {"in_channels": 1, "groups": 1},
        {"depthwise": True, "in_channels": 1, "multiplier": 4},
        {"pointwise": 2},
        {"groups": 1, "pointwise": 2},
        {"groups": 0},
    ]
    assert evaluate(claim, states) == [
        "3 groups: each output reads 2 of 6 inputs",
        "One group: every output reads all 6 inputs",
        "Depthwise: each output reads one input, by a kernel of its own",
        "6 input channels cannot be split into 4 equal groups",
        "4 output channels cannot be split into 3 equal groups",
        "There is one input, and every output reads it",
        "There is one input, and every output reads it",
        "The 1 × 1 opens all 6 inputs to every output again",
        "One group: every output reads all 6 inputs",
        "0 groups are none",
    ]


def test_mouse_keyboard_and_torchs_words(show: Show) -> None:
    page = show(figures.ChannelMixing())
    claim, line = page.locator(f"{TAG} .claim"), page.locator(f"{TAG} .line").last
    live = page.locator(f"{TAG} [aria-live]")
    expect(claim).to_have_text("3 groups: each output reads 2 of 6 inputs")
    expect(line).to_contain_text("output 3 reads inputs 2, 3")
    page.get_by_role("gridcell", name="output 5, input 4: kernel weight[5, 0]").click()
    expect(line).to_have_text(
        "output 5 reads inputs 4, 5; input 4 through weight[5, 0]"
    )
    page.keyboard.press("ArrowLeft")
    expect(line).to_contain_text("input 3 is in another group")
    expect(live).to_contain_text("output 5 reads inputs 4, 5")
    expect(page.get_by_role("gridcell", name=re.compile("never"))).to_have_count(4)
    groups = page.get_by_role("slider", name="groups")
    groups.press("ArrowRight")
    expect(claim).to_have_text("6 input channels cannot be split into 4 equal groups")
    expect(page.locator(f"{TAG} .error")).to_have_text(
        "torch raises ValueError: in_channels must be divisible by groups"
    )
    groups.press("Home")
    expect(line).to_contain_text("output 5 reads inputs 0 to 5")
    # depthwise decides groups and outputs, and gives them back
    page.get_by_role("radio", name="depthwise").check()
    expect(groups).to_be_hidden()
    expect(page.locator(f"{TAG} code")).to_contain_text("nn.Conv2d(6, 6, 3, groups=6)")
    page.get_by_role("slider", name="in_channels").press("ArrowLeft")
    page.get_by_role("slider", name="multiplier").press("End")
    expect(page.locator(f"{TAG} code")).to_contain_text("nn.Conv2d(5, 10, 3, groups=5)")
    pointwise = page.get_by_role("slider", name="1 × 1 outputs")
    for _ in range(2):
        pointwise.press("ArrowRight")
    expect(line).to_contain_text(
        "output 0 reads channels 0 to 9 between, and through them inputs 0 to 4"
    )
    page.get_by_role("gridcell", name="channel 7, input 3: kernel").click()
    expect(line).to_contain_text("Channel 7 alone reads input 3")
    page.get_by_role("gridcell", name="output 0, channel 4: one number").click()
    expect(line).to_contain_text("output 0 reads channels 0 to 9")
    expect(line).to_contain_text("Channel 4 alone reads input 2")
    page.get_by_role("radio", name="groups").check()
    expect(groups).to_have_value("5")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("bias", exact=True).uncheck()
    page.get_by_role("slider", name="kernel_size").press("End")
    expect(page.locator(f"{TAG} code")).to_contain_text(
        "nn.Conv2d(5, 10, 7, groups=5, bias=False), nn.Conv2d(10, 2, 1)"
    )


def test_guess_first(show: Show) -> None:
    page = show(figures.ChannelMixing(groups=2, predict=True))
    claim, bars = page.locator(f"{TAG} .claim"), page.get_by_role("table")
    expect(claim).to_have_text("How many 3 × 3 kernels are there in all?")
    expect(bars).to_be_hidden()
    expect(page.get_by_role("gridcell", name=re.compile("kernel"))).to_have_count(0)
    page.get_by_role("button", name="6", exact=True).click()
    verdict = page.locator(f"{TAG} .line").first
    expect(verdict).to_have_text("Not quite: you said 6, it is 18.")
    expect(claim).to_have_text("2 groups: each output reads 3 of 6 inputs")
    expect(page.get_by_role("gridcell", name="output 3, input 2")).to_be_focused()
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text("it is 18. 2 groups")
    expect(bars).to_be_visible()
    page.get_by_role("slider", name="groups").press("ArrowRight")
    expect(claim).to_have_text("How many 3 × 3 kernels are there in all?")
    page.get_by_role("button", name="12", exact=True).click()
    expect(verdict).to_have_text("Right: 12 kernels.")


def test_axe_and_a_phone(phone: Show) -> None:
    page = phone(
        figures.ChannelMixing(),
        figures.ChannelMixing(in_channels=10, out_channels=10, groups=5, pointwise=10),
        figures.ChannelMixing(groups=4),
        figures.ChannelMixing(predict=True),
    )
    cut = page.locator(f"{TAG} .block").evaluate_all(
        "(all) => all.filter((e) => e.scrollWidth > e.clientWidth).length"
    )
    assert cut == 0


def test_live_traits_are_the_layer() -> None:
    live = figures.ChannelMixing().live()
    live.in_channels, live.depthwise, live.multiplier, live.pointwise = 4, True, 2, 3
    layer = live.layer
    assert [tuple(p.shape) for p in layer.parameters()] == [
        (8, 1, 3, 3),
        (8,),
        (3, 8, 1, 1),
        (3,),
    ]
    assert "output 2 reads [0, 1, 2, 3]" in repr(figures.ChannelMixing(layer, at=2)), (
        repr(live)
    )


def test_your_own_layer_and_what_is_refused() -> None:
    for layer in (
        nn.Conv2d(16, 8, 5, groups=4, bias=False),
        nn.Conv2d(3, 12, 1, groups=3),
        nn.Sequential(nn.Conv2d(4, 4, 3, groups=4, bias=False), nn.Conv2d(4, 6, 1)),
    ):
        assert str(figures.ChannelMixing(layer).layer) == str(layer)
    padded = figures.ChannelMixing(nn.Conv2d(4, 4, 3, 2, padding=1)).layer
    assert str(padded) == str(nn.Conv2d(4, 4, 3))
    conv = nn.Conv2d(4, 4, 3)
    for given, words in (
        ({"in_channels": 17}, "in_channels is 17: allowed are 1 to 16"),
        ({"out_channels": 0}, "out_channels is 0"),
        ({"kernel_size": 12}, "kernel_size is 12: allowed are 1 to 11"),
        ({"groups": 2.0}, "groups is 2.0: it must be a whole number"),
        ({"pointwise": -1}, "pointwise is -1"),
        ({"size": 65}, "size is 65"),
        ({"at": 6}, "at is 6: allowed are 0 to 5"),
        ({"at": 2, "pointwise": 2}, "at is 2: allowed are 0 to 1"),
        ({"input": 6}, "input is 6"),
        ({"between": 9}, "between is 9: allowed are 0 to 5"),
        ({"depthwise": True, "multiplier": 3}, "multiplier is 3: allowed are 1 to 2"),
        ({"layer": nn.Conv2d(64, 4, 3)}, "in_channels is 64"),
        ({"layer": nn.Conv2d(4, 4, (3, 5))}, "kernel_size is (3, 5)"),
        ({"layer": nn.Conv1d(4, 4, 3)}, "layer has Conv1d: allowed are a Conv2d"),
        ({"layer": nn.Sequential(conv, conv)}, "the second layer is Conv2d(4, 4"),
        (
            {"layer": nn.Sequential(conv, nn.Conv2d(8, 4, 1))},
            "the second layer reads 8 channels: the first one gives 4",
        ),
        ({"layer": nn.Sequential()}, "layer has nothing"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.ChannelMixing(**given)


def test_showing_a_figure_draws_no_random_numbers() -> None:
    before = torch.random.get_rng_state()
    figures.ChannelMixing(groups=2, pointwise=3)._repr_mimebundle_()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_an_update_is_quick(show: Show) -> None:
    page = show(figures.ChannelMixing(in_channels=10, out_channels=10, pointwise=10))
    spent = page.evaluate(
        """(tag) => { const e = document.querySelector(tag), all = [];
        for (let i = 0; i < 40; i++) { const t = performance.now();
          e.figure.set({ groups: [1, 2, 5, 10][i % 4], at: i % 10 });
          all.push(performance.now() - t); }
        return all.sort((a, b) => a - b)[20]; }""",
        TAG,
    )
    assert spent < 16 * 6  # a shared core against an idle desktop's, as test_browser's
