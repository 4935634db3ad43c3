"""SlidingWindow: the engine against nn.Conv2d and pooling, and the figure by hand."""

import random
import re
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn
from torch.nn import functional as F

from helpers import figures

TAG = "nn-sliding-window"
ENGINE = f"nnFigures.specs['{TAG}'].engine"
SIZES = f"""(list) => list.map(([kind, n, k, s, p, d]) => {{
  const S = {{ ...nnFigures.specs['{TAG}'].defaults, kind, size: n, kernel_size: k,
    stride: s, padding: p, dilation: d }}, bad = {ENGINE}.error(S);
  return bad ? [bad.type, bad.text] : {ENGINE}.axes(S).map((a) => a.out);
}})"""
RUNS = f"""(list) => list.map((given) => {{
  const S = {{ ...nnFigures.specs['{TAG}'].defaults, ...given }};
  const bad = {ENGINE}.error(S);
  if (bad) return {{ error: [bad.type, bad.text] }};
  const {{ A, x, output, reads }} = {ENGINE}.run(S);
  const padded = [...Array(A[0].padded).keys()].map((r) =>
    [...Array(A[1].padded).keys()].map((c) => {ENGINE}.look(S, A, x, r, c).v));
  const [r, c] = [A[0].padded >> 1, A[1].padded >> 1];
  const readers = {ENGINE}.readers(A, r, c).map((t) => [t.i, t.j, t.u, t.v]);
  return {{ output, reads, padded, place: [r, c], readers }};
}})"""
Show = Callable[..., Page]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using padding='same' with even kernel")
        yield


def raised(call: Callable[[], torch.Tensor]) -> torch.Tensor | list[str]:
    try:
        return call()
    except (RuntimeError, ValueError) as error:
        return [type(error).__name__, str(error)]


def agree(got: Any, wanted: Any, same_words: bool) -> bool:
    """The same error, by its words where this is the torch that the figure quotes."""
    return bool(got == wanted if same_words else got[0] == wanted[0])


def test_sizes_are_torchs(evaluate: Callable[..., Any], same_words: bool) -> None:
    n, k = range(1, 13), range(1, 13)
    grid = [("Conv2d", *s) for s in product(n, k, (1, 2, 3), (0, 1, 3), (1, 2, 3))]
    pools = product(n, k, (1, 3), (0, 1, 2, 4), (1, 2))
    grid += [("MaxPool2d", *s) for s in pools]
    grid += [("AvgPool2d", *s, 1) for s in product(n, k, (1, 3), (0, 1, 2, 4))]
    refused = {kind: 0 for kind, *_ in grid}
    x = {size: torch.zeros(1, 1, size, size) for size in n}
    weight = {size: torch.zeros(1, 1, size, size) for size in k}
    for setting, got in zip(grid, evaluate(SIZES, grid), strict=True):
        kind, size, kernel, s, p, d = setting
        call = {
            "Conv2d": partial(F.conv2d, x[size], weight[kernel], None, s, p, d),
            "MaxPool2d": partial(F.max_pool2d, x[size], kernel, s, p, d),
            "AvgPool2d": partial(F.avg_pool2d, x[size], kernel, s, p),
        }[kind]
        wanted = raised(call)
        if isinstance(wanted, list):
            refused[kind] += 1
            assert agree(got, wanted, same_words), (setting, got, wanted)
        else:
            assert got == list(wanted.shape[2:]), setting
    assert len(grid) > 7_000
    assert min(refused.values()) > 500


def settings(count: int) -> list[dict[str, Any]]:
    draw = random.Random(0)

    def two(*values: int) -> list[int]:
        return [draw.choice(values), draw.choice(values)]

    found = []
    for _ in range(count):
        kind = draw.choice(["Conv2d", "Conv2d", "MaxPool2d", "AvgPool2d"])
        size, kernel = two(*range(1, 9)), two(*range(1, 6))
        own = draw.random() < 0.5
        s: dict[str, Any] = {
            "kind": kind,
            "size": size,
            "kernel_size": kernel,
            "stride": two(1, 1, 2, 3),
            "padding": two(0, 1, 2, 4),
            "dilation": [1, 1] if kind == "AvgPool2d" else two(1, 1, 2, 3),
            "padding_mode": draw.choice(["zeros", "reflect", "replicate", "circular"]),
            "bias": draw.choice([0, 1.5]),
            "x": None,
            "weight": None,
        }
        if kind == "Conv2d" and draw.random() < 0.3:
            s["padding"] = "same"
            s["stride"] = draw.choice([[1, 1], [1, 1], [1, 1], s["stride"]])
        if own:
            s["x"] = [
                [draw.gauss(0, 1) for _ in range(size[1])] for _ in range(size[0])
            ]
            if kind == "Conv2d":
                s["weight"] = [
                    [draw.gauss(0, 1) for _ in range(kernel[1])]
                    for _ in range(kernel[0])
                ]
        found.append(s)
    return found


def padded_by_torch(figure: figures.SlidingWindow) -> torch.Tensor:
    s = figure.values
    if s["padding"] == "same":
        widths = []
        for k, d in zip(s["kernel_size"][::-1], s["dilation"][::-1], strict=True):
            widths += [d * (k - 1) // 2, d * (k - 1) - d * (k - 1) // 2]
    else:
        widths = [p for p in s["padding"][::-1] for _ in range(2)]
    if s["kind"] != "Conv2d":
        value = -torch.inf if s["kind"] == "MaxPool2d" else 0.0
        return F.pad(figure.x, widths, value=value)
    mode = s["padding_mode"].replace("zeros", "constant")
    return F.pad(figure.x, widths, mode)


def test_numbers_and_readers_are_torchs(
    evaluate: Callable[..., Any], same_words: bool
) -> None:
    drawn = settings(500)
    refused: set[str] = set()
    for s, got in zip(drawn, evaluate(RUNS, drawn), strict=True):
        figure = figures.SlidingWindow.from_state(s)
        assert isinstance(figure, figures.SlidingWindow)
        wanted = raised(figure.output)
        if isinstance(wanted, list):
            refused.add(wanted[1][:20])
            assert agree(got["error"], wanted, same_words), (s, got, wanted)
            continue
        assert "error" not in got, (s, got)
        output = torch.tensor(got["output"], dtype=torch.float64)
        assert torch.allclose(output, wanted[0, 0]), s
        # a kernel of ones: the gradient counts how often each cell is read
        ones = {**s, "kind": "Conv2d", "bias": 0}
        ones["weight"] = torch.ones(s["kernel_size"]).tolist()
        if s["kind"] != "Conv2d":
            ones["padding_mode"] = "zeros"
        counter = figures.SlidingWindow.from_state(ones).layer
        x = figure.x.requires_grad_()
        (reads,) = torch.autograd.grad(counter(x).sum(), x)
        assert torch.equal(reads[0, 0], torch.tensor(got["reads"]).double()), s
        # which outputs meet one padded place, and with which entry of the kernel
        framed = padded_by_torch(figure).detach()
        seen = torch.tensor(got["padded"], dtype=torch.float64)
        assert torch.allclose(seen, framed[0, 0], atol=1e-6), s
        code = torch.arange(1.0, 1 + figure.weight.numel(), dtype=torch.float64)
        code = code.view(1, 1, *figure.weight.shape)
        one = torch.zeros_like(framed)
        one[0, 0, got["place"][0], got["place"][1]] = 1
        met = F.conv2d(one, code, None, s["stride"], 0, s["dilation"])[0, 0]
        columns = code.shape[-1]
        readers = [
            [i, j, *divmod(int(met[i, j]) - 1, columns)]
            for i, j in met.nonzero().tolist()
        ]
        assert got["readers"] == readers, s
    assert len(refused) == 8, "each way in which torch refuses"


def test_the_code_to_copy_runs(evaluate: Callable[..., Any]) -> None:
    drawn = [s for s in settings(90) if s["kind"] != "MaxPool2d" or not s["bias"]]
    count = 0
    for s in drawn:
        figure = figures.SlidingWindow.from_state(s)
        assert isinstance(figure, figures.SlidingWindow)
        full = {**figure.values}
        code = evaluate(f"(s) => nnFigures.program({ENGINE}.codeFull(s))", full)
        space: dict[str, Any] = {"print": lambda *_: None}
        wanted = raised(figure.output)
        if isinstance(wanted, list):
            with pytest.raises((RuntimeError, ValueError)) as error:
                exec(code, space)
            assert str(error.value) == wanted[1]
            continue
        count += 1
        exec(code, space)
        assert torch.allclose(space["y"], wanted), code
    assert count > 20


def state(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.locator(TAG).evaluate("(e) => e.figure.get()")
    return found


def test_mouse_keyboard_and_torchs_words(show: Show) -> None:
    page = show(figures.SlidingWindow(stride=2))
    claim, line = page.locator(f"{TAG} .claim"), page.locator(f"{TAG} .line").first
    expect(claim).to_have_text("Never read: row 5 and column 5")
    assert page.locator(f"{TAG} .never").count() == 11
    output = page.get_by_role("grid", name="Output")
    output.get_by_role("gridcell", name=re.compile("^output row 1, column 0")).click()
    expect(line).to_contain_text("output[1, 0] = 4·(−1) + 4·1")
    assert page.locator(f"{TAG} .tap").count() == 9
    page.keyboard.press("ArrowRight")
    expect(line).to_contain_text("output[1, 1]")
    output.get_by_role("gridcell", name=re.compile("^output row 0, column 0")).hover()
    expect(line).to_contain_text("output[0, 0]")
    page.get_by_role("gridcell", name=re.compile("^input row 2, column 2")).click()
    expect(line).to_have_text("x[2, 2] = 4 is read by 4 output cells")
    assert page.locator(f"{TAG} .y.on").count() == 4
    page.get_by_role("gridcell", name=re.compile("^kernel row 0, column 1")).click()
    expect(line).to_have_text(
        "weight[0, 1] = 1 meets 4 cells, one for each output cell"
    )
    page.keyboard.press("ArrowDown")
    expect(line).to_contain_text("weight[1, 1]")
    for label, keys in (("Padding", ["ArrowRight"]), ("Stride", ["Home"])):
        page.get_by_label(label, exact=True).focus()
        for key in keys:
            page.keyboard.press(key)
    expect(claim).to_have_text("The size stays 6 × 6")
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text("Output 6 by 6")
    # with stride 2 the last place of the padded input is left over
    page.get_by_label("Stride", exact=True).press("ArrowRight")
    expect(page.locator(f"{TAG} .line").nth(1)).to_contain_text(
        "floor drops 1 / 2: no window reaches the last cell of the padded input"
    )
    page.get_by_label("Stride", exact=True).press("Home")
    page.get_by_label("Padding", exact=True).press("Home")
    page.get_by_label("Dilation", exact=True).press("End")
    expect(page.locator(f"{TAG} .error")).to_have_text(
        "torch raises RuntimeError: Calculated padded input size per channel: (6 x 6). "
        "Kernel size: (7 x 7). Kernel size can't be greater than actual input size"
    )
    expect(page.locator(f"{TAG} .claim")).to_have_text(
        "The kernel spans 7, the padded input has 6"
    )


def test_what_lies_under_more(show: Show) -> None:
    page = show(figures.SlidingWindow(kernel_size=4))
    claim, line = page.locator(f"{TAG} .claim"), page.locator(f"{TAG} .line").first
    page.get_by_text("More").click()
    page.get_by_role("radio", name='"same"').click()
    expect(claim).to_have_text("The size stays 6 × 6, with more padding at the end")
    assert state(page)["padding"] == "same"
    page.get_by_label("padding_mode").select_option(label="circular")
    page.get_by_role("gridcell", name=re.compile("^padding row -1, column -1")).click()
    expect(line).to_contain_text(
        "padding [−1, −1] = 0, a copy of x[5, 5], is read here by 1 output cell"
    )
    page.get_by_label("Layer").select_option(label="MaxPool2d")
    assert state(page)["padding"] == [0, 0]
    expect(page.get_by_role("grid", name="Kernel")).to_be_hidden()
    page.get_by_role("gridcell", name=re.compile("^output row 0, column 0")).click()
    expect(line).to_contain_text("output[0, 0] = max(0, 3, 1, 4, 2")
    page.get_by_label("Layer").select_option(label="AvgPool2d")
    expect(page.get_by_label("Dilation", exact=True)).to_be_hidden()
    expect(line).to_contain_text("output[0, 0] = (0 + 3 + 1 + 4")
    kernel = page.get_by_role("grid", name="Kernel").locator(".cell")
    assert kernel.all_text_contents() == ["1/16"] * 16
    page.get_by_role("radio", name="columns").click()
    page.get_by_label("Stride", exact=True).press("ArrowRight")
    assert state(page)["stride"] == [1, 2]
    expect(page.locator(f"{TAG} .line").nth(2)).to_contain_text("Columns: ⌊(6")
    page.get_by_text("Guess first").click()
    expect(page.get_by_role("grid", name="Output")).to_be_hidden()
    expect(claim).to_have_text(re.compile("^How many output rows"))
    guess = page.get_by_label("Output rows (0: refused)")
    for _ in range(3):
        guess.press("ArrowRight")
    show_it = page.get_by_role("button", name="Show the answer")
    show_it.press("Enter")
    expect(claim).to_have_text(re.compile("^Right"))
    expect(show_it).to_be_focused()
    page.get_by_role("radio", name="both").click()
    page.get_by_label("Kernel size").press("End")
    expect(claim).to_have_text(re.compile("^How many output rows"))
    page.get_by_role("button", name="Show the answer").click()
    expect(claim).to_have_text(re.compile("^Not 3"))


def test_any_walk_over_the_controls_leaves_a_whole_figure(
    evaluate: Callable[..., Any],
) -> None:
    """Thousands of changes: mend() keeps every chosen cell inside its grid."""
    walk = f"""(steps) => {{
      const spec = nnFigures.specs['{TAG}'], S = {{ ...spec.defaults }}, e = {ENGINE};
      Object.assign(S, e.mend(S, {{}}));
      const wrong = [];
      for (const patch of steps) {{
        Object.assign(S, patch);
        Object.assign(S, e.mend(S, patch));
        const bad = e.error(S), A = e.framed(S, bad || S.predict && !S.shown);
        A.forEach((a, i) => {{
          if (S.cell[i] >= a.padded || S.entry[i] >= a.k || S.at[i] < 0 ||
              S.cell[i] < 0 || !bad && S.at[i] >= a.out) wrong.push(patch);
        }});
        if (!bad) e.run(S);
      }}
      return wrong;
    }}"""
    draw = random.Random(1)
    values: dict[str, list[Any]] = {
        "n": list(range(1, 10)),
        "k": list(range(1, 6)),
        "s": [1, 2, 3, 4],
        "p": [0, 1, 2, 3, 4],
        "d": [1, 2, 3],
        "same": [True, False, False],
        "kind": ["Conv2d", "MaxPool2d", "AvgPool2d"],
        "padding_mode": ["zeros", "reflect", "replicate", "circular"],
        "axis": ["both", "rows", "columns"],
        "predict": [True, False],
        "shown": [True],
        "at": [[8, 8]],
        "cell": [[10, 10]],
        "entry": [[4, 4]],
        "size": [5, [4, 7]],
        "stride": [1, [2, 3]],
        "padding": [1, [0, 2], "same"],
    }
    steps = []
    for _ in range(3000):
        key = draw.choice(list(values))
        steps.append({key: draw.choice(values[key])})
    assert evaluate(walk, steps) == []


def test_axe_and_a_phone(phone: Show) -> None:
    page = phone(
        figures.SlidingWindow(stride=2),
        figures.SlidingWindow(size=7, padding=2, dilation=2, view="input"),
        figures.SlidingWindow(size=2, padding=2, padding_mode="reflect"),
        figures.SlidingWindow(kind="MaxPool2d", padding=1, predict=True),
        figures.SlidingWindow(torch.randn(12, 12), torch.randn(12, 12), padding=5),
    )
    fits = page.locator(TAG).evaluate_all(
        "(all) => all.slice(0, 4).map((e) =>"
        " [...e.shadowRoot.querySelectorAll('.block')]"
        ".every((b) => b.scrollWidth <= b.clientWidth))"
    )
    assert fits == [True] * 4


def test_live_traits_are_the_layer() -> None:
    live = figures.SlidingWindow().live()
    live.stride, live.padding, live.size = 2, "same", [5, 7]
    assert repr(live).endswith("torch raises ValueError")
    live.stride, live.kernel_size = 1, [2, 3]
    assert live.layer.padding == "same"
    assert repr(live) == (
        "live SlidingWindow: Conv2d, kernel 2 x 3, padding same; 5 x 7 becomes 5 x 7"
    )
    live.kind, live.padding = "MaxPool2d", 1
    assert isinstance(live.layer, nn.MaxPool2d)


def test_your_own_layer_and_what_is_refused() -> None:
    conv = nn.Conv2d(1, 1, (2, 3), (1, 2), (0, 1), padding_mode="circular")
    x = torch.randn(5, 6)
    own = figures.SlidingWindow(x, layer=conv)
    assert torch.allclose(own.output().float(), conv(x[None, None]), atol=1e-5)
    for layer in (nn.MaxPool2d(3, 2, 1), nn.AvgPool2d((2, 3))):
        own = figures.SlidingWindow(x, layer=layer)
        assert torch.allclose(own.output().float(), layer(x[None, None]), atol=1e-5)
    assert (
        figures.SlidingWindow(layer=nn.Conv2d(1, 1, 3, bias=False)).values["bias"] == 0
    )
    pool = figures.SlidingWindow(kind="AvgPool2d", kernel_size=(2, 3)).layer
    assert pool.stride == nn.AvgPool2d((2, 3)).stride == (2, 3)
    for given, words in (
        ({"layer": nn.Conv2d(3, 1, 3)}, "in_channels of layer is 3: allowed is 1"),
        ({"layer": nn.MaxPool2d(2, ceil_mode=True)}, "ceil_mode of layer is True"),
        ({"layer": nn.Conv1d(1, 1, 3)}, "kind is 'Conv1d': allowed are Conv2d"),
        ({"weight": torch.ones(2, 1, 3, 3)}, "weight has shape (2, 1, 3, 3): it must"),
        ({"x": torch.ones(13, 2)}, "x has shape (13, 2)"),
        ({"x": [[torch.nan]]}, "x is not finite"),
        ({"kernel_size": 13}, "kernel_size is 13: allowed are 1 to 12"),
        ({"stride": (1, 2, 3)}, "stride is (1, 2, 3): give one number or two"),
        ({"padding": "valid"}, "padding is 'valid'"),
        ({"kind": "MaxPool2d", "padding": "same"}, "padding is 'same'"),
        ({"kind": "AvgPool2d", "dilation": 2}, "dilation is 2: AvgPool2d takes none"),
        ({"padding_mode": "mirror"}, "padding_mode is 'mirror'"),
        ({"view": "both"}, "view is 'both'"),
        ({"at": (-1, 0)}, "at is -1"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.SlidingWindow(**given)


def test_the_still_picture_fills_what_is_read() -> None:
    figure = figures.SlidingWindow(stride=2, padding=1, at=(1, 2))
    read = figure._windowed(figure.output()[0, 0])
    assert read == {(r, c) for r in (1, 2, 3) for c in (3, 4, 5)}
    assert figure._chosen(figure.output()[0, 0]) == (1, 2)
    beyond = figures.SlidingWindow(stride=2, at=(9, 9))
    assert beyond._chosen(beyond.output()[0, 0]) == (1, 1)
    assert len(figures.SlidingWindow(kernel_size=7).png()) > 1000


def test_no_size_where_torch_refuses_for_another_reason(show: Show) -> None:
    strided = figures.SlidingWindow(stride=2, padding="same")
    small = figures.SlidingWindow(size=(2, 6), stride=2)
    for figure, count in ((strided, 0), (small, 2)):
        page = show(figure)
        expect(page.locator(f"{TAG} .error")).to_be_visible()
        rules = page.locator(f"{TAG} .line").filter(has_text="⌊", visible=True)
        expect(rules).to_have_count(count)
    page = show(figures.SlidingWindow(stride=2, padding="same", predict=True))
    rules = page.locator(f"{TAG} .line").filter(has_text="= ?", visible=True)
    expect(rules).to_have_count(1)
