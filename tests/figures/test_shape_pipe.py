"""ShapePipe: the JavaScript engine against torch, and the figure by hand."""

import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn

from helpers import figures

TAG = "nn-shape-pipe"
ENGINE = """(list) => list.map((given) => {
  const { engine, defaults } = nnFigures.specs["nn-shape-pipe"];
  const S = { ...defaults, ...given };
  return { ...engine.run(S), full: S.layers.map(engine.full),
    code: S.layers.map((one) => engine.layerCode(engine.full(one))) };
})"""
Show = Callable[..., Page]
KINDS = ["Conv2d", "MaxPool2d", "ReLU", "Dropout", "AdaptiveAvgPool2d"]


def stack(draw: random.Random) -> dict[str, Any]:
    """A stack most of whose layers fit what arrives, so that it gets far."""
    sizes = {key: draw.randint(1, 4) for key in "NC"}
    sizes |= {key: draw.randint(1, 16) for key in "HW"}
    layers: list[list[Any]] = []
    shape: tuple[int, ...] = tuple(sizes.values())
    for _ in range(draw.randint(1, 7)):
        kinds = KINDS if len(shape) > 2 else ["Linear", "ReLU"]
        wild = draw.random() < 0.15
        kind = draw.choice(
            [*KINDS, "Linear", "Flatten"] if wild else [*kinds, "Flatten"]
        )
        off = draw.choice([0, 0, 0, 1])
        kernel, width = draw.randint(1, 4), draw.randint(1, 9)
        channels = shape[-3] if len(shape) > 2 else 3
        pad = draw.randint(0, 2)
        layers.append(
            {
                "Conv2d": [channels + off, width, kernel, draw.randint(1, 3), pad],
                "MaxPool2d": [kernel, draw.randint(1, 3), min(pad, kernel // 2 + off)],
                "AdaptiveAvgPool2d": [draw.randint(1, 7)],
                "Flatten": [draw.choice([1, 1, 1, 0, 2, 3])],
                "Linear": [shape[-1] + off, width, draw.random() < 0.8],
                "Dropout": [draw.choice([0.0, 0.5, 1])],
            }.get(kind, [])
        )
        layers[-1].insert(0, kind)
        if kind in ("ReLU", "Dropout"):
            continue
        made = figures.ShapePipe([layers[-1]]).layer.to_empty(device="meta")
        try:
            shape = tuple(made(torch.empty(shape, device="meta")).shape)
        except (RuntimeError, IndexError):
            break
    return {**sizes, "layers": layers}


def golden(s: dict[str, Any]) -> dict[str, Any]:
    """What torch itself does, on the CPU: shapes, counts, its error."""
    figure = figures.ShapePipe.from_state(s)
    model = figure.layer
    x = torch.zeros(s["N"], s["C"], s["H"], s["W"])
    params = [sum(p.numel() for p in layer.parameters()) for layer in model]
    shapes, error, bad = [list(x.shape)], None, -1
    with torch.no_grad():
        for i, layer in enumerate(model):
            try:
                x = layer(x)
            except (RuntimeError, IndexError) as raised:
                error = {"type": type(raised).__name__, "text": str(raised)}
                bad = i
                break
            shapes.append(list(x.shape))
    return {"shapes": shapes, "params": params, "error": error, "bad": bad}


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small calls cost less on one thread than the meeting of two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_engine_is_torchs(evaluate: Callable[..., Any], same_words: bool) -> None:
    draw = random.Random(0)
    stacks = [stack(draw) for _ in range(1000)]
    begun = set()
    refused = 0
    for s, got in zip(stacks, evaluate(ENGINE, stacks), strict=True):
        wanted = golden(s)
        if wanted["error"]:
            refused += 1
            begun.add(wanted["error"]["text"][:12])
            if not same_words:
                assert bool(got["error"])
                got["error"] = wanted["error"]
        assert {key: got[key] for key in wanted} == wanted, s
        if draw.random() < 0.9:
            continue  # the rest is slow
        meta, error = figures.ShapePipe.from_state(s).shapes()
        assert [list(shape) for shape in meta] == wanted["shapes"]
        assert (error and str(error)) == (wanted["error"] and wanted["error"]["text"])
        made = [eval(f"nn.{code}", {"nn": nn}) for code in got["code"]]
        again = figures.ShapePipe(nn.Sequential(*made))
        assert again.values["layers"] == got["full"]
        if got["fit"] is not None:
            bad = got["bad"]
            got["full"][bad][1] = got["fit"]
            mended = figures.ShapePipe.from_state({**s, "layers": got["full"]})
            error = mended.shapes()[1]
            later = len(mended.shapes()[0]) - 1 > bad
            assert error is None or later or "channels" not in str(error)
    assert 100 < refused < 800
    assert len(begun) >= 7, begun


def test_the_famous_errors(evaluate: Callable[..., Any], same_words: bool) -> None:
    linear = [["Flatten"], ["Linear", 400, 120]]
    famous = [
        {"H": 16, "W": 16, "layers": linear},
        {"layers": [["Conv2d", 3, 6, 5]]},
        {"H": 4, "W": 4, "layers": [["Conv2d", 1, 6, 5]]},
        {"H": 1, "W": 1, "layers": [["MaxPool2d", 2]]},
    ]
    texts = [found["error"]["text"] for found in evaluate(ENGINE, famous)]
    assert texts == [
        "mat1 and mat2 shapes cannot be multiplied (4x256 and 400x120)",
        "Given groups=1, weight of size [6, 3, 5, 5], expected input[4, 1, 32, 32] "
        "to have 3 channels, but got 1 channels instead",
        "Calculated padded input size per channel: (4 x 4). Kernel size: (5 x 5). "
        "Kernel size can't be greater than actual input size",
        "Given input size: (1x1x1). Calculated output size: (1x0x0). "
        "Output size is too small",
    ]
    if same_words:
        raised = [figures.ShapePipe(**given).shapes()[1] for given in famous]
        assert list(map(str, raised)) == texts


def test_the_code_to_copy_runs(
    evaluate: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    code = evaluate(
        f"(s) => nnFigures.program(nnFigures.specs['{TAG}'].engine.codeFull(s))",
        figures.ShapePipe().values,
    )
    exec(code, {})
    assert capsys.readouterr().out.splitlines()[-1].endswith("(4, 10)")


def test_mouse_keyboard_and_torchs_words(show: Show) -> None:
    page = show(figures.ShapePipe())
    claim = page.locator(f"{TAG} .claim")
    live = page.locator(f"{TAG} [aria-live]")
    flat = "Flatten makes 16 · 5 · 5 = 400 features a sample"
    expect(claim).to_have_text(flat)
    page.get_by_role("radio", name="input").check()
    page.get_by_label("H", exact=True).focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    expect(page.locator(f"{TAG} .error")).to_have_text(
        "torch raises RuntimeError: mat1 and mat2 shapes cannot be multiplied "
        "(4x320 and 400x120)"
    )
    expect(claim).to_have_text("Layer 7, Linear, refuses (4, 320)")
    expect(live).to_contain_text("torch raises RuntimeError at layer 7: mat1")
    page.get_by_role("button", name="Make the failing layer fit").click()
    expect(page.locator(f"{TAG} .error")).to_be_hidden()
    expect(page.get_by_role("radio", name="Linear(320, 120)")).to_be_checked()
    # arrows move in the list, sliders follow the layer
    page.get_by_role("radio", name="Linear(320, 120)").focus()
    page.keyboard.press("ArrowUp")
    page.get_by_role("slider", name="start_dim").press("ArrowLeft")
    expect(claim).to_have_text("Layer 7, Linear, refuses (1280,)")
    page.get_by_role("slider", name="start_dim").press("ArrowRight")
    # move, remove, add
    page.get_by_role("button", name="Move down").click()
    expect(claim).to_have_text("Layer 6, Linear, refuses (4, 16, 4, 5)")
    page.get_by_role("button", name="Move up").click()
    page.get_by_role("button", name="Remove").click()
    expect(claim).to_contain_text("refuses (4, 16, 4, 5)")
    page.get_by_role("radio", name=re.compile("^5")).check(force=True)
    page.get_by_role("button", name="+ Flatten").click()
    expect(claim).to_contain_text("16 · 4 · 5 = 320 features a sample")
    page.get_by_role("button", name="+ Linear").click()
    page.get_by_label("out_features").press("ArrowRight")
    state = page.locator(TAG).evaluate("(e) => e.figure.get().layers[7]")
    assert state == ["Linear", 320, 11, True]
    page.get_by_role("group", name="bias").get_by_text("False").click()
    expect(page.locator(f"{TAG} tr.on")).to_contain_text("3,520")
    for _ in range(3):
        page.get_by_role("button", name="+ Dropout").click()
    expect(page.get_by_role("button", name="+ ReLU")).to_be_disabled()


def test_guess_first(show: Show) -> None:
    page = show(figures.ShapePipe(at=-1, predict=True))
    claim = page.locator(f"{TAG} .claim")
    expect(claim).to_have_text("What shape does layer 0, Conv2d, give?")
    assert page.get_by_role("cell", name="?", exact=True).count() == 12
    page.get_by_role("radio", name="input").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("cell", name="(4, 6, 28, 28)")).to_be_visible()
    assert page.get_by_role("cell", name="?", exact=True).count() == 11
    page.get_by_role("checkbox").uncheck()
    assert page.get_by_role("cell", name="?", exact=True).count() == 0


def test_axe_and_a_phone(phone: Show) -> None:
    page = phone(
        figures.ShapePipe(),
        figures.ShapePipe(H=28, W=28, at=3),
        figures.ShapePipe([]),
    )
    wide = page.locator(f"{TAG} .pipe").evaluate_all(
        "(all) => all.filter((e) => e.offsetWidth > e.parentElement.clientWidth).length"
    )
    assert wide == 0
    small = page.locator(f"{TAG} .pipe tbody tr, {TAG} button").evaluate_all(
        "(all) => all.filter((e) => e.offsetHeight < 24).length"
    )
    assert small == 0


def test_live_traits_are_the_layer() -> None:
    live = figures.ShapePipe().live()
    live.layers, live.H, live.at = [["Flatten"], ["Linear", 32, 3]], 8, 1
    assert [type(layer) for layer in live.layer] == [nn.Flatten, nn.Linear]
    assert repr(live).startswith("live ShapePipe: 2 layers, torch raises RuntimeError")
    live.W = 4
    assert repr(live).endswith("(4, 1, 8, 4) becomes (4, 3), 99 parameters")


def test_state_from_python_moves_the_page(show: Show) -> None:
    page = show(figures.ShapePipe())
    page.locator(TAG).evaluate(
        "(e) => e.figure.set({ layers: [['MaxPool2d', 2], ['Flatten', 2]], at: 5 })"
    )
    claim = page.locator(f"{TAG} .claim")
    expect(claim).to_have_text("Flatten makes 16 · 16 = 256 features")
    state = page.locator(TAG).evaluate("(e) => e.figure.get()")
    assert state["layers"] == [["MaxPool2d", 2, 2, 0], ["Flatten", 2]]
    assert state["at"] == 1


def test_your_own_model_and_what_is_refused() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.AdaptiveAvgPool2d((2, 2)),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(32, 5),
    )
    figure = figures.ShapePipe(model, C=3)
    sizes = [tuple(p.shape) for p in model.parameters()]
    assert [tuple(p.shape) for p in figure.layer.parameters()] == sizes
    assert str(figure.layer[:3]) == str(model[:3])
    assert figure.shapes()[0][-1] == (4, 5)
    assert figure.png() == figure.png() and len(figure.png()) < 40_000
    for layers, words in (
        ([nn.Tanh()], "layer is 'Tanh': allowed are Conv2d, ReLU"),
        ([nn.Conv2d(1, 1, 3, groups=1, dilation=2)], "dilation of Conv2d is (2, 2)"),
        ([nn.Conv2d(1, 1, (3, 2))], "kernel_size of Conv2d is (3, 2)"),
        ([nn.Flatten(1, 2)], "end_dim of Flatten is 2"),
        ([("Linear", 4)], "out_features of Linear is None"),
        ([("ReLU", 1)], "ReLU takes at most 0 arguments"),
        ([("Dropout", 2.0)], "p of Dropout is 2.0"),
        ([("ReLU",)] * 17, "layers has 17: allowed are at most 16"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.ShapePipe(layers)
    for given, words in (
        ({"N": 0}, "N is 0: allowed are 1 to 1048576"),
        ({"at": 12}, "at is 12: allowed are -1 to 11"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.ShapePipe(**given)
