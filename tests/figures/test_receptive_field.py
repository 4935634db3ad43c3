"""ReceptiveField: the JavaScript engine against torch, and the figure by hand."""

import random
import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn

from helpers import figures

TAG = "nn-receptive-field"
ENGINE = """(list) => list.map((given) => {
  const { engine, defaults } = nnFigures.specs["nn-receptive-field"];
  const S = { ...defaults, ...given }, r = engine.run(S);
  const code = S.layers.map((one) => engine.layerCode(one, S.dims));
  if (r.error) return { ...r, code };
  const { paths, shared, next, lo, hi, touched, inside } = engine.reach(S, r, S.at);
  return { ...r, code, paths, shared, next, lo, hi, touched, inside };
})"""
Show = Callable[..., Page]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small calls cost less on one thread than the meeting of two."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def stack(draw: random.Random) -> dict[str, Any]:
    layers = []
    for _ in range(draw.randint(1, 6)):
        kind = draw.choice(["Conv", "Conv", "MaxPool", "AvgPool"])
        k, d = draw.randint(1, 5), draw.choice([1, 1, 2, 3, 4])
        d = 1 if kind == "AvgPool" else d
        pad = draw.choice([0, 1, d * (k - 1) // 2 if kind == "Conv" else k // 2])
        layers.append([kind, k, draw.choice([1, 1, 1, 2, 3]), pad, d])
    n, dims = draw.randint(1, 64), draw.randint(1, 2)
    return {"layers": layers, "n": n, "dims": dims, "at": draw.random()}


def torchs(s: dict[str, Any]) -> tuple[list[int], dict[str, str] | None]:
    sizes, error = figures.ReceptiveField.from_state(s).sizes()
    return sizes, error and {"type": type(error).__name__, "text": str(error)}


def one_cell(s: dict[str, Any], at: int) -> torch.Tensor:
    """Gradient of one output of torch's own layers with all weights 1, an axis."""
    model = figures.ReceptiveField.from_state({**s, "dims": 1}).layer
    for i, (kind, k, *rest) in enumerate(s["layers"]):
        if kind != "Conv":  # a maximum hides cells, a mean divides
            conv = nn.Conv1d(1, 1, k, *rest, bias=False).double()
            nn.init.ones_(conv.weight)
            model[i] = conv
    x = torch.zeros(1, 1, s["n"], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(model(x)[0, 0, at], x)
    return gradient[0, 0]


@pytest.mark.usefixtures("one_thread")
def test_engine_is_torchs(evaluate: Callable[..., Any], same_words: bool) -> None:
    draw = random.Random(0)
    stacks = [stack(draw) for _ in range(600)]
    goldens = []
    for s in stacks:
        sizes, error = torchs(s)
        s["at"] = 0 if error else int(s["at"] * sizes[-1])
        goldens.append((sizes, error))
    refused = holes = cut = 0
    found = evaluate(ENGINE, stacks)
    for s, (sizes, error), got in zip(stacks, goldens, found, strict=True):
        assert [level["size"] for level in got["levels"]] == sizes, s
        if error:
            refused += 1
            assert got["bad"] == len(sizes) - 1
            assert got["error"] == error or not same_words, s
            continue
        assert got["error"] is None
        paths = one_cell(s, s["at"])
        assert got["paths"] == paths.tolist(), s
        figure = figures.ReceptiveField.from_state(s)
        assert figure.paths().tolist() == got["paths"]
        touched = paths > 0
        assert got["touched"] == int(touched.sum())
        ends = [i for i, on in enumerate(touched.tolist()) if on]
        assert all(got["lo"] <= i <= got["hi"] for i in ends)
        if got["next"] >= 0:
            beside = one_cell(s, got["next"]) > 0
            assert got["shared"] == int((touched & beside).sum())
        cut += got["inside"] < figure.theory()[0]
        holes += got["touched"] < got["inside"]
        made = nn.Sequential(*(eval(c, {"nn": nn}) for c in got["code"]))
        again = figures.ReceptiveField(made, n=s["n"], dims=s["dims"], at=s["at"])
        assert again.values["layers"] == s["layers"]
    assert refused > 60 and holes > 60 and cut > 60, (refused, holes, cut)
    assert len(stacks) - refused > 200


@pytest.mark.usefixtures("one_thread")
def test_field_and_jump_are_torchs(evaluate: Callable[..., Any]) -> None:
    """Ends of the touched cells of an output that no border cuts."""
    draw, met = random.Random(1), 0
    for _ in range(200):
        s = {**stack(draw), "n": 1500, "dims": 1}
        s["layers"] = s["layers"][:4]
        got = evaluate(ENGINE, [{**s, "at": 0}])[0]
        if got["error"]:
            continue
        met += 1
        last = got["levels"][-1]
        at = last["size"] // 2
        ends = [one_cell(s, i).nonzero() for i in (at, at + 1)]
        low, high = int(ends[0].min()), int(ends[0].max())
        assert high - low + 1 == last["field"], s
        assert int(ends[1].min()) - low == last["jump"]
        assert low - at * last["jump"] == last["start"]
        figure = figures.ReceptiveField.from_state(s)
        assert figure.theory() == (last["field"], last["jump"], last["start"])
    assert met > 100, met


@pytest.mark.usefixtures("one_thread")
def test_every_small_layer(evaluate: Callable[..., Any], same_words: bool) -> None:
    settings = [
        {"layers": [[kind, k, s, p, d]], "n": n, "dims": dims, "at": 0}
        for kind, n, k, s, p, d, dims in product(
            ("Conv", "MaxPool", "AvgPool"),
            range(1, 13),
            range(1, 6),
            (1, 3),
            range(4),
            (1, 2, 3),
            (1, 2),
        )
        if kind != "AvgPool" or d == 1
    ]
    refused: set[str] = set()
    for s, got in zip(settings, evaluate(ENGINE, settings), strict=True):
        sizes, error = torchs(s)
        assert [level["size"] for level in got["levels"]] == sizes, s
        assert (got["error"] is None) == (error is None), s
        if error:
            refused.add(error["text"][:14])
            assert got["error"] == error or not same_words, s
    assert len(refused) == 5, refused


def test_a_pooling_touches_what_its_convolution_does() -> None:
    """Over many inputs, each cell of a maximum's window wins once."""
    pool = figures.ReceptiveField([["MaxPool", 3, 2, 1, 2]], n=11, dims=1, at=2)
    x = torch.randn(400, 1, 11, generator=torch.Generator().manual_seed(0))
    x = x.double().requires_grad_()
    pool.layer(x)[:, 0, 2].sum().backward()
    assert x.grad is not None
    assert (x.grad.sum((0, 1)) > 0).tolist() == (pool.paths() > 0).tolist()


def test_the_numbers_of_the_page(evaluate: Callable[..., Any]) -> None:
    """Wang et al. (2018): rates (2, 2, 2) leave holes, (1, 2, 5) and (1, 2, 3) none."""
    wanted = {"2, 2, 2": (13, 7), "1, 2, 3": (13, 13), "1, 2, 5": (17, 17)}
    wanted |= {"1, 2, 9": (25, 21), "4, 4, 4": (25, 7), "1, 3, 9": (27, 27)}
    presets = evaluate(f"() => nnFigures.specs['{TAG}'].engine.PRESETS")
    for name, (field, touched) in wanted.items():
        figure = figures.ReceptiveField(presets[name], n=41)
        assert (figure.theory()[0], int((figure.paths() > 0).sum())) == (field, touched)


@pytest.mark.parametrize("dims", [1, 2])
def test_the_code_to_copy_runs(
    evaluate: Callable[..., Any], capsys: pytest.CaptureFixture[str], dims: int
) -> None:
    figure = figures.ReceptiveField(dims=dims)
    code = evaluate(
        f"(s) => nnFigures.program(nnFigures.specs['{TAG}'].engine.codeFull(s))",
        figure.values,
    )
    exec(code, {})
    shape = (1, 1, *[21] * dims)
    assert capsys.readouterr().out == f"{shape} {7**dims}\n"


def test_mouse_keyboard_and_torchs_words(show: Show) -> None:
    page = show(figures.ReceptiveField())
    claim, error = page.locator(f"{TAG} .claim"), page.locator(f"{TAG} .error")
    live = page.locator(f"{TAG} [aria-live]")
    expect(claim).to_have_text(
        "Output (10, 10) touches 49 of the 169 cells of its field: 29 %"
    )
    expect(page.locator(TAG)).to_contain_text("shares none of them")
    page.get_by_label("Dilations, or a stack").select_option("1, 2, 5")
    expect(claim).to_have_text("Output (12, 12) touches all 289 cells of its field")
    # the table is a radio group; sliders follow the chosen layer
    page.get_by_role("radio", name="0 Conv").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(f"{TAG} tr.on")).to_contain_text("1 Conv")
    dilation = page.get_by_role("slider", name="dilation")
    dilation.press("ArrowRight")
    dilation.press("ArrowRight")
    state = page.locator(TAG).evaluate("(e) => e.figure.get()")
    assert state["layers"][1] == ["Conv", 3, 1, 4, 4]
    assert state["preset"] == ""
    expect(claim).to_have_text(
        "Output (12, 12) touches 361 of the 441 cells of its field: 82 %"
    )
    page.get_by_role("slider", name="stride").press("ArrowRight")
    expect(page.locator(f"{TAG} tr.on")).to_contain_text("1 Conv3244")
    page.get_by_role("slider", name="Output cell").press("Home")
    expect(claim).to_contain_text("of its field inside the input")
    expect(live).to_contain_text("partly over the border")
    # without padding the field outgrows the input
    page.get_by_text("More", exact=True).click()
    padding = page.get_by_role("slider", name="padding")
    padding.press("Home")
    page.get_by_label("Input size").press("Home")
    expect(error).to_have_text(
        "torch raises RuntimeError: Calculated padded input size per channel: "
        "(1 x 1). Kernel size: (9 x 9). Kernel size can't be greater than actual "
        "input size"
    )
    expect(claim).to_have_text("Layer 1 refuses 1 cell")
    page.get_by_role("radio", name="1-D").check(force=True)
    expect(error).to_contain_text("per channel: (1). Kernel size: (9)")
    page.get_by_role("button", name="Remove it").click()
    expect(error).to_be_hidden()
    expect(claim).to_contain_text("touches the 1 cell of its field inside")
    page.get_by_label("Kind of layer").select_option("MaxPool")
    page.get_by_label("Input size").press("End")
    expect(page.locator(TAG)).to_contain_text("A maximum passes on one of its cells")
    page.get_by_label("Kind of layer").select_option("AvgPool")
    expect(page.get_by_role("slider", name="dilation")).to_be_hidden()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("button", name="Remove it")).to_be_disabled()
    for _ in range(5):
        page.get_by_role("button", name="Add a layer").click()
    expect(page.get_by_role("button", name="Add a layer")).to_be_disabled()
    expect(page.get_by_role("button", name="Remove it")).to_be_focused()
    assert page.get_by_role("radio", name=re.compile("Conv|Pool")).count() == 6


def test_a_refusal_names_what_helps(show: Show) -> None:
    page = show(figures.ReceptiveField([["MaxPool", 3, 1, 2, 1]], n=9))
    claim, sub = page.locator(f"{TAG} .claim"), page.locator(f"{TAG} p.sub")
    expect(claim).to_have_text("Layer 0 refuses a padding of 2")
    expect(sub).to_have_text("A pooling pads by half of its kernel at most.")
    page.locator(TAG).evaluate(
        "(e) => e.figure.set({ layers: [['MaxPool', 3, 1, 0, 5]], n: 9 })"
    )
    expect(claim).to_have_text("Layer 0 refuses 9 cells")
    expect(sub).to_contain_text("longer than its padded input")
    page.locator(TAG).evaluate(
        "(e) => e.figure.set({ layers: [['Conv', 9, 1, 0, 1]] })"
    )
    expect(claim).to_have_text("Output (0, 0) touches all 81 cells of its field")
    expect(sub).not_to_contain_text("apart")  # a single output has no neighbor


def test_guess_first(show: Show) -> None:
    page = show(figures.ReceptiveField((1, 2, 9), predict=True))
    claim = page.locator(f"{TAG} .claim")
    expect(claim).to_contain_text("How many input cells")
    assert page.locator(f"{TAG} .tap").get_attribute("d") == "M0 0"
    assert page.get_by_role("cell", name="?", exact=True).count() == 6
    expect(page.locator(f"{TAG} .map")).to_be_hidden()
    page.get_by_role("slider", name="Cells touched").press("End")
    page.get_by_role("button", name="Show the answer").click()
    expect(claim).to_contain_text("touches 441 of the 625 cells of its field: 71 %")
    expect(page.locator(TAG)).to_contain_text("You guessed 33; it is 21.")
    page.get_by_role("slider", name="Output cell").press("ArrowLeft")
    expect(claim).to_contain_text("How many input cells")


def test_what_is_drawn_is_what_is_counted(show: Show) -> None:
    page = show(figures.ReceptiveField((2, 2, 2), dims=1))

    def marks(cls: str) -> int:
        d = page.locator(f"{TAG} .fan .{cls}").get_attribute("d") or ""
        return d.count("M") - d.count("M0 0")

    assert (marks("src"), marks("hole"), marks("bar")) == (7, 6, 7)
    assert marks("tap") == 3 + 3 * 3 + 5 * 3
    label = page.locator(f"{TAG} .fan").get_attribute("aria-label") or ""
    assert label.endswith(
        "cell 4: 1, cell 6: 3, cell 8: 6, cell 10: 7, cell 12: 6, cell 14: 3, "
        "cell 16: 1"
    )
    page.get_by_role("slider", name="Output cell").press("Home")
    assert marks("lost") == 3 and marks("src") == 4


def test_axe_and_a_phone(phone: Show) -> None:
    page = phone(
        figures.ReceptiveField(),
        figures.ReceptiveField([["MaxPool", 2]] * 6, n=64, dims=1),
        figures.ReceptiveField([["Conv", 3, 1, 0, 4], ["MaxPool", 3, 1, 2]], n=11),
        figures.ReceptiveField(predict=True),
        figures.ReceptiveField([["AvgPool", 7, 4, 0, 1]]),
    )
    wide = page.locator(f"{TAG} table").evaluate_all(
        "(all) => all.filter((e) => e.offsetWidth > e.parentElement.clientWidth).length"
    )
    assert wide == 0
    small = page.locator(f"{TAG} table tbody tr, {TAG} button").evaluate_all(
        "(all) => all.filter((e) => e.offsetHeight && e.offsetHeight < 24).length"
    )
    assert small == 0
    print_size = page.locator(f"{TAG} .fan text").first.evaluate(
        "(e) => parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a"
    )
    assert print_size >= 11


def test_live_traits_are_the_layer() -> None:
    live = figures.ReceptiveField().live()
    live.layers, live.dims = [["Conv", 3, 2, 1, 1], ["AvgPool", 2, 2, 0, 1]], 1
    assert [type(m) for m in live.layer] == [nn.Conv1d, nn.AvgPool1d]
    assert repr(live).startswith("live ReceptiveField: 2 layers, field 5, jump 4")


def test_state_from_python_moves_the_page(show: Show) -> None:
    page = show(figures.ReceptiveField())
    page.locator(TAG).evaluate(
        "(e) => e.figure.set({ layers: [['Conv', 5, 1, 0, 1]], n: 9, at: 9 })"
    )
    claim = page.locator(f"{TAG} .claim")
    expect(claim).to_have_text("Output (4, 4) touches all 25 cells of its field")


def test_your_own_model_and_what_is_refused() -> None:
    model = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 8, 3, padding="same", dilation=2), nn.ReLU()),
        nn.MaxPool2d(3, 2, 1),
        nn.BatchNorm2d(8),
        nn.AvgPool2d((2, 2)),
        nn.Conv2d(8, 8, 2, padding="valid"),
    )
    figure = figures.ReceptiveField(model, 32)
    assert figure.values["layers"] == [
        ["Conv", 3, 1, 2, 2],
        ["MaxPool", 3, 2, 1, 1],
        ["AvgPool", 2, 2, 0, 1],
        ["Conv", 2, 1, 0, 1],
    ]
    assert figure.theory() == (13, 4, -3)
    with torch.no_grad():
        assert list(model(torch.zeros(1, 3, 32, 32)).shape[2:]) == [7, 7]
    assert figure.sizes()[0][-1] == 7
    assert figure.png() == figure.png() and len(figure.png()) < 40_000
    broken = figures.ReceptiveField([["Conv", 3, 1, 0, 4]], n=5)
    assert "torch raises RuntimeError at layer 0" in repr(broken)
    assert "Kernel size can't be greater" in broken.fallback().replace("&#x27;", "'")
    with pytest.raises(RuntimeError, match="Kernel size can't be greater"):
        broken.paths()
    assert len(broken.png()) < 40_000
    for layers, words in (
        ([nn.Linear(2, 2)], "layer is 'Linear': allowed are Conv1d, Conv2d"),
        ([nn.Conv3d(1, 1, 3)], "layer is 'Conv3d'"),
        ([nn.ConvTranspose2d(1, 1, 3)], "layer is 'ConvTranspose2d'"),
        ([nn.Conv2d(1, 1, (3, 2))], "kernel_size of Conv2d is (3, 2)"),
        ([nn.Conv1d(1, 1, 4, padding="same")], "'same', and pads 3 unevenly"),
        ([nn.Conv1d(1, 1, 3, padding_mode="circular")], "padding_mode of Conv1d is"),
        ([nn.MaxPool2d(2, ceil_mode=True)], "ceil_mode of MaxPool2d is True"),
        ([nn.Conv1d(1, 1, 3), nn.MaxPool2d(2)], "layers mixes 1d and 2d"),
        ([["Conv", 3, 0]], "stride of Conv is 0: allowed are 1 to 32"),
        ([["Conv"]], "Conv takes kernel_size, stride, padding, dilation, not []"),
        ([["AvgPool", 2, 2, 0, 2]], "dilation of AvgPool is 2"),
        ((1,) * 7, "number of layers is 7: allowed are 1 to 6"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.ReceptiveField(layers)
    for given, words in (
        ({"n": 65}, "n is 65: allowed are 1 to 64"),
        ({"dims": 3}, "dims is 3: allowed are 1 to 2"),
        ({"at": 21}, "at is 21: allowed are 0 to 20"),
        ({"at": -1}, "at is -1: allowed are 0 to 20"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.ReceptiveField(**given)
