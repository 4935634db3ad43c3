"""SequenceShapes: the index map against torch and a stack of cells, and by hand."""

import itertools
import random
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import Tensor, nn

from helpers import figures

TAG = "nn-sequence-shapes"
ENGINE = """(list) => list.map((given) => {
  const { engine, defaults } = nnFigures.specs["nn-sequence-shapes"];
  const S = { ...defaults, ...given }, error = engine.error(S);
  if (error) return { error };
  const nodes = [...engine.inputs(S), ...engine.states(S)];
  const names = (node) => ({ feeds: [...engine.feeds(S, node)],
    reached: [...engine.reached(S, node)] });
  return { shapes: engine.shapes(S), code: engine.layerCode(S),
    nodes: nodes.map((node) => ({ node, ...engine.where(S, node), ...names(node) })) };
})"""
Show = Callable[..., Page]
Node = tuple[int, int, int]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small calls cost less on one thread, and a projected LSTM warns on the CPU."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "LSTM with projections is not supported")
        yield
    torch.set_num_threads(threads)


def settings() -> list[dict[str, Any]]:
    """Every kind, depth, direction and layout; sizes drawn, samples 0, 1 or 3."""
    draw = random.Random(0)
    found = []
    for kind, layers, both, first in itertools.product(
        ("RNN", "GRU", "LSTM", "projected"), (1, 2, 3), (False, True), (False, True)
    ):
        for count in (0, 1, 3):
            found.append(
                {
                    "kind": "LSTM" if kind == "projected" else kind,
                    "num_layers": layers,
                    "bidirectional": both,
                    "batch_first": first,
                    "L": draw.choice([1, 2, 3, 4]),
                    "N": count,
                    "n": draw.randrange(max(count, 1)),
                    "input_size": draw.randint(1, 4),
                    "hidden_size": 3,
                    "proj_size": 2 if kind == "projected" else 0,
                }
            )
    return found


def one_by_one(layer: Any, x: Tensor) -> dict[Node, tuple[Tensor, Tensor]]:
    """The states of a layer for x ``(L, N, H_in)``: cell after cell, no layer of torch.

    Each node has its hidden and its cell state; those of an RNN and a GRU are the same.
    """
    below: list[Tensor] = list(x)
    found: dict[Node, tuple[Tensor, Tensor]] = {}
    steps, batch = x.shape[:2]
    size = layer.proj_size or layer.hidden_size
    for k in range(layer.num_layers):
        for d in range(2 if layer.bidirectional else 1):
            tail = f"l{k}{'_reverse' * d}"
            weights = [
                getattr(layer, f"{w}_{tail}") for w in ("weight_ih", "weight_hh")
            ]
            biases = [getattr(layer, f"{b}_{tail}") for b in ("bias_ih", "bias_hh")]
            h = x.new_zeros(batch, size)
            c = x.new_zeros(batch, layer.hidden_size)
            for t in reversed(range(steps)) if d else range(steps):
                a = below[t] @ weights[0].T + biases[0]
                b = h @ weights[1].T + biases[1]
                if isinstance(layer, nn.LSTM):
                    i, f, g, o = (a + b).chunk(4, -1)
                    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
                    h = o.sigmoid() * c.tanh()
                    if layer.proj_size:
                        h = h @ getattr(layer, f"weight_hr_{tail}").T
                elif isinstance(layer, nn.GRU):
                    (r, z, n), (u, v, w) = a.chunk(3, -1), b.chunk(3, -1)
                    gate = (z + v).sigmoid()
                    h = (1 - gate) * (n + (r + u).sigmoid() * w).tanh() + gate * h
                else:
                    h = (a + b).tanh()
                found[k, d, t] = h, c if isinstance(layer, nn.LSTM) else h
        ways = 2 if layer.bidirectional else 1
        below = [
            torch.cat([found[k, d, t][0] for d in range(ways)], -1)
            for t in range(steps)
        ]
    return found


def run(s: dict[str, Any]) -> tuple[dict[str, Tensor], dict[Node, Any], Tensor]:
    """torch's tensors by name, all states by hand, and the input they come from."""
    torch.manual_seed(s["L"] + s["N"])
    layer = figures.SequenceShapes.from_state(s).layer.double()
    x = torch.randn(s["L"], max(s["N"], 1), s["input_size"]).double().requires_grad_()
    given = x.transpose(0, 1) if s["batch_first"] else x
    given = given if s["N"] else x[:, 0]
    output, ends = layer(given)
    ends = ends if isinstance(ends, tuple) else (ends,)
    named = zip(("input", "output", "h_n", "c_n"), (given, output, *ends), strict=False)
    return dict(named), one_by_one(layer, x), x


def holds(tensor: Tensor, vector: Tensor) -> bool:
    """Whether the vector stands anywhere along the last axis, at any start."""
    size = len(vector)
    if tensor.shape[-1] < size:
        return False
    parts = tensor.unfold(-1, size, size).reshape(-1, size)
    return bool(torch.isclose(parts, vector, atol=1e-9).all(1).any())


def test_every_state_stands_where_the_index_says(evaluate: Callable[..., Any]) -> None:
    configurations = settings()
    seen = {"both": 0, "output": 0, "h_n": 0, "neither": 0}
    for s, got in zip(configurations, evaluate(ENGINE, configurations), strict=True):
        tensors, states, x = run(s)
        shapes = {name: list(value.shape) for name, value in tensors.items()}
        assert {k: v for k, v in got["shapes"].items() if v} == shapes, s
        if s["N"] == 1:
            figure = figures.SequenceShapes.from_state(s)
            assert repr(eval(got["code"], {"nn": nn})) == repr(figure.layer)
            returned = figure.returned()
            assert {k: list(v) for k, v in returned.items()}.items() <= shapes.items()
        for entry in got["nodes"]:
            k, d, t = entry["node"]
            if k < 0:
                assert torch.equal(eval(entry["input"], tensors), x[t, s["n"]])
                assert not entry["output"] and not entry["h_n"] and not entry["c_n"]
                continue
            assert entry["input"] is None
            hidden, cell = (value[s["n"]] for value in states[k, d, t])
            for name, value in (("output", hidden), ("h_n", hidden), ("c_n", cell)):
                if name not in tensors:
                    assert entry[name] is None
                elif entry[name]:
                    torch.testing.assert_close(eval(entry[name], tensors), value)
                else:
                    assert not holds(tensors[name], value), (s, name, entry)
            kept = [name for name in ("output", "h_n") if entry[name]]
            seen["both" if len(kept) == 2 else (*kept, "neither")[0]] += 1
    assert min(seen.values()) > 80, seen


def test_what_feeds_a_state_and_what_it_reaches(evaluate: Callable[..., Any]) -> None:
    chosen = [s for s in settings() if s["kind"] == "RNN" and s["N"] == 1]
    chosen = [{**s, "L": 4, "batch_first": False} for s in chosen]
    pairs = 0
    for s, got in zip(chosen, evaluate(ENGINE, chosen), strict=True):
        _, states, x = run(s)
        steps = list(x)  # as the loop does it: each step a tensor of its own
        layer = figures.SequenceShapes.from_state(s).layer.double()
        nodes: dict[Node, Tensor] = {(-1, 0, t): step for t, step in enumerate(steps)}
        states = one_by_one(layer, torch.stack(steps))
        nodes |= {node: value[0] for node, value in states.items()}
        feeding: dict[str, set[str]] = {}
        for node, value in nodes.items():
            found = torch.autograd.grad(
                value.sum(), list(nodes.values()), retain_graph=True, allow_unused=True
            )
            feeding[",".join(map(str, node))] = {
                ",".join(map(str, other))
                for other, g in zip(nodes, found, strict=True)
                if g is not None and g.abs().sum() > 0 and other != node
            }
        for entry in got["nodes"]:
            name = ",".join(map(str, entry["node"]))
            assert set(entry["feeds"]) == feeding[name], (s, name)
            later = {other for other, before in feeding.items() if name in before}
            assert set(entry["reached"]) == later, (s, name)
            pairs += len(later)
    assert pairs > 1000


def test_torch_refuses_the_same(evaluate: Callable[..., Any], same_words: bool) -> None:
    draw = random.Random(1)
    configurations = [
        {
            **draw.choice(settings()),
            "proj_size": draw.choice([0, 0, 0, 2, 3, 4]),
            "h_0": draw.choice(["none", "right", "batch first", "one row"]),
        }
        for _ in range(400)
    ]
    begun = set()
    for s, got in zip(configurations, evaluate(ENGINE, configurations), strict=True):
        try:
            figures.SequenceShapes.from_state(s).returned()
            wanted = None
        except (ValueError, RuntimeError) as error:
            wanted = {"type": type(error).__name__, "text": str(error)}
            begun.add(re.sub(r"\d", "", str(error))[:52])
        found = (
            {key: got["error"][key] for key in ("type", "text")}
            if "error" in got
            else None
        )
        assert bool(found) == bool(wanted), s
        assert found == wanted or not same_words, s
    assert len(begun) >= 6, begun


def test_the_code_to_copy_runs(evaluate: Callable[..., Any]) -> None:
    full = f"nnFigures.specs['{TAG}'].engine.codeFull"
    codes = f"(list) => list.map((s) => nnFigures.program({full}(s)))"
    draw = random.Random(2)
    states = [
        {
            **figures.SequenceShapes.defaults,
            **s,
            "at": [s["num_layers"] - 1, int(s["bidirectional"]), 0],
            "h_0": draw.choice(["none", "right"]),
        }
        for s in draw.sample(settings(), 24)
    ]
    for s, code in zip(states, evaluate(codes, states), strict=True):
        told: dict[str, Any] = {}
        space: dict[str, Any] = {"print": told.__setitem__}
        exec(code, space)
        shapes = figures.SequenceShapes.from_state(s).returned()
        assert {name: told[name] for name in shapes} == shapes
        (place,) = (name for name in told if name.startswith("output["))
        ends = [name for name in told if name.startswith("h_n[")]
        assert len(ends) == int(s["bidirectional"] or s["L"] == 1)
        for name in ends:
            assert torch.equal(told[name], told[place]), code


def test_mouse_keyboard_and_torchs_words(show: Show) -> None:
    page = show(figures.SequenceShapes())
    claim = page.locator(f"{TAG} .claim")
    sub = page.locator(f"{TAG} .sub").first
    line = page.locator(f"{TAG} .line").nth(1)
    expect(claim).to_have_text("Layer 1, backward, step 0: in output and in h_n")
    expect(line).to_contain_text("is output[0, 0, 3:] and also h_n[3, 0]")
    graph = page.get_by_role("grid", name="Unrolled: layers by steps")
    graph.get_by_role("gridcell", name="layer 0, forward, step 2").click()
    expect(claim).to_have_text("Layer 0, forward, step 2: in neither output nor h_n")
    page.keyboard.press("End")
    expect(claim).to_have_text("Layer 0, forward, step 4: in h_n, not in output")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(claim).to_have_text("Input of step 4 reaches 10 of 10 vectors in output")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(f"{TAG} .line").nth(2)).to_have_text(
        "It depends on the input of steps 3 and 4; it reaches output[..., :3] at all "
        "5 steps and output[..., 3:] at steps 0 to 3."
    )
    page.keyboard.press("Control+Home")
    expect(claim).to_have_text("Layer 1, forward, step 0: in output, not in h_n")
    # a click in a tensor picks the state that stands there, and its sample
    h_n = page.get_by_role("grid", name="h_n", exact=True)
    h_n.get_by_role("gridcell", name="h_n[1, 1]: layer 0, backward, step 0").click()
    expect(line).to_have_text(
        "Layer 0, backward, step 0, sample 1, is h_n[1, 1]. output holds layer 1 only."
    )
    output = page.get_by_role("grid", name="output", exact=True)
    expect(output.locator("[aria-selected=true]")).to_have_count(0)
    page.get_by_role("checkbox", name="batch_first").check()
    expect(sub).to_contain_text("input (2, 5, 4), output (2, 5, 6), h_n (4, 2, 3).")
    output.get_by_role("gridcell", name=re.compile(r"^output\[1, 4, :3\]")).click()
    page.keyboard.press("PageDown")
    expect(line).to_contain_text(
        "Layer 1, backward, step 4, sample 1, is output[1, 4, 3:]"
    )
    page.get_by_role("checkbox", name="bidirectional").uncheck()
    expect(line).to_contain_text("is output[1, 4] and also h_n[1, 1]")
    page.get_by_role("radio", name="LSTM").check(force=True)
    expect(line).to_contain_text("Its cell state is c_n[1, 1].")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("proj_size").focus()
    page.keyboard.press("End")
    error = page.locator(f"{TAG} .error")
    expect(error).to_have_text(
        "torch raises ValueError: proj_size has to be smaller than hidden_size"
    )
    page.keyboard.press("Home")
    page.get_by_label("h_0 passed").select_option(label="batch first")
    page.get_by_label("num_layers").press("ArrowRight")
    expect(error).to_have_text(
        "torch raises RuntimeError: Expected hidden[0] size (3, 2, 3), got [2, 3, 3]"
    )
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text(
        "torch raises RuntimeError"
    )
    page.get_by_label("num_layers").press("ArrowLeft")
    expect(claim).to_have_text(
        "A batch-first h_0 fits by chance: no error, mixed-up samples"
    )
    page.get_by_label("Batch N").press("Home")
    expect(error).to_contain_text("got (3-D, 3-D) tensors")
    page.get_by_label("h_0 passed").select_option(label="none")
    expect(sub).to_contain_text("input (5, 4), output (5, 3), h_n (2, 3)")
    expect(line).to_contain_text("Layer 1, step 4, is output[4] and also h_n[1]")


def test_guess_first(show: Show) -> None:
    page = show(figures.SequenceShapes(predict=True))
    claim = page.locator(f"{TAG} .claim")
    verdict = page.locator(f"{TAG} .line").first
    question = "Layer 1, backward, step 0: which slice of output is it?"
    expect(claim).to_have_text(question)
    for hidden in (".side", ".code"):
        expect(page.locator(f"{TAG} {hidden}")).to_be_hidden()
    told = page.locator(f"{TAG}").evaluate(
        "(e) => e.shadowRoot.querySelector('.graph').innerText"
    )
    assert "o" not in told and "h" not in told
    page.get_by_role("button", name="output[4, 0, 3:]").click()
    expect(verdict).to_have_text(
        "Not quite: you said output[4, 0, 3:]; it is output[0, 0, 3:]."
    )
    expect(claim).to_have_text("Layer 1, backward, step 0: in output and in h_n")
    page.keyboard.press("ArrowDown")
    expect(claim).to_have_text("Layer 0, forward, step 0: which slice of output is it?")
    expect(verdict).to_be_hidden()
    page.get_by_role("button", name="not in output").click()
    expect(verdict).to_have_text("Right: it is not in output.")
    # the tensor that was clicked is hidden again, and the focus stays in the figure
    h_n = page.get_by_role("grid", name="h_n", exact=True)
    h_n.get_by_role("gridcell", name=re.compile(r"^h_n\[0, 1\]")).click()
    expect(claim).to_have_text("Layer 0, forward, step 4: which slice of output is it?")
    expect(page.locator(f"{TAG} .graph [aria-selected=true]")).to_be_focused()


def test_axe_and_a_phone(phone: Show) -> None:
    page = phone(
        figures.SequenceShapes(),
        figures.SequenceShapes(
            "LSTM", 8, 3, num_layers=3, proj_size=2, batch_first=True, at=[-1, 0, 3]
        ),
        figures.SequenceShapes(predict=True),
        figures.SequenceShapes(h_0="one row"),
    )
    cut = page.locator(f"{TAG} .block").evaluate_all(
        "(all) => all.filter((e) => e.scrollWidth > e.clientWidth).length"
    )
    assert cut == 0


def test_live_traits_are_the_layer() -> None:
    live = figures.SequenceShapes().live()
    live.num_layers, live.kind, live.proj_size = 3, "LSTM", 2
    assert (live.layer.num_layers, live.layer.proj_size) == (3, 2)
    assert repr(live).startswith("live SequenceShapes: LSTM(4, 3, num_layers=3")


def test_your_own_layer_and_what_is_refused() -> None:
    layers = [
        nn.RNN(5, 6, nonlinearity="relu", bias=False),
        nn.GRU(5, 6, 3, batch_first=True, dropout=0.3),
        nn.LSTM(5, 6, bidirectional=True, proj_size=4),
    ]
    for layer in layers:
        own = figures.SequenceShapes(layer=layer)
        assert repr(own.layer) == repr(layer)
        assert own.layer.mode == layer.mode
    for given, words in (
        ({"kind": "LSTMCell"}, "kind is 'LSTMCell': allowed are RNN, GRU, LSTM"),
        ({"layer": nn.GRUCell(4, 3)}, "layer is GRUCell: allowed are RNN, GRU, LSTM"),
        ({"L": 9}, "L is 9: allowed are 1 to 8"),
        ({"N": -1}, "N is -1: allowed are 0 to 3"),
        ({"num_layers": 4}, "num_layers is 4"),
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"h_0": "zeros"}, "h_0 is 'zeros'"),
        ({"n": 2}, "n is 2: allowed are 0 to 1"),
        ({"at": [1, 0]}, "at is [1, 0]"),
        ({"at": [2, 0, 0]}, "layer is 2: allowed are -1 to 1"),
        ({"at": [0, 1, 0], "bidirectional": False}, "direction is 1"),
        ({"at": [0, 0, 5]}, "step is 5: allowed are 0 to 4"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.SequenceShapes(**given)
