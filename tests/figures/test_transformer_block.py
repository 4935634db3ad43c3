"""TransformerBlock: its steps are those of torch's layers, and the figure by hand."""

import itertools
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn

from helpers import figures

TAG = "nn-transformer-block"
STEPS = f"(list) => list.map((s) => nnFigures.specs['{TAG}'].engine.steps(s))"
Show = Callable[..., Page]


def settings() -> list[dict[str, Any]]:
    options = itertools.product(
        ("encoder", "decoder"), (False, True), ("relu", "gelu"), (True, False)
    )
    sizes = itertools.cycle(
        [(2, 5, 7, 12, 3, 9), (1, 1, 4, 6, 6, 2), (3, 4, 2, 8, 1, 5)]
    )
    names = ("N", "L", "S", "d_model", "nhead", "dim_feedforward")
    return [
        dict(kind=kind, norm_first=first, activation=activation, bias=bias, at=0)
        | dict(zip(names, next(sizes), strict=True))
        for kind, first, activation, bias in options
    ]


def test_the_steps_are_torchs(evaluate: Callable[..., Any]) -> None:
    given = settings()
    for s, found in zip(given, evaluate(STEPS, given), strict=True):
        figure = figures.TransformerBlock(**s)
        mine = [
            (step["name"], step["code"], tuple(step["shape"]), step["parameters"])
            for step in found
        ]
        assert mine == [tuple(step) for step in figure.steps()]
        layer = figure.layer.double()
        x = torch.randn(s["N"], s["L"], s["d_model"], dtype=torch.float64)
        memory = torch.randn(s["N"], s["S"], s["d_model"], dtype=torch.float64)
        inputs = (x, memory) if s["kind"] == "decoder" else (x,)
        # in training mode torch calls the modules one by one: the order, and the shapes
        called: list[Any] = []
        for name, module in layer.named_children():
            module.register_forward_hook(
                lambda m, _, out, name=name, called=called: called.append(
                    (name, tuple((out[0] if isinstance(out, tuple) else out).shape))
                )
            )
        layer(*inputs)
        modules = dict(layer.named_children())
        assert called == [(n, shape) for n, _, shape, _ in mine if n in modules]
        # each line runs, and the last x is what the layer returns
        space = {**modules, "memory": memory, "x": x, s["activation"]: layer.activation}
        layer.eval()
        for step in found:
            exec(step["code"], space)
            of = modules.get(step["name"])
            if of is not None:
                assert step["parameters"] == sum(p.numel() for p in of.parameters())
        torch.testing.assert_close(space["x"], layer(*inputs), rtol=0, atol=1e-12)


def test_heads_that_do_not_fit_get_torchs_words(evaluate: Callable[..., Any]) -> None:
    state = {**figures.TransformerBlock().values, "nhead": 3}
    error = evaluate(f"(s) => nnFigures.specs['{TAG}'].engine.error(s)", state)
    with pytest.raises(AssertionError) as caught:
        nn.TransformerEncoderLayer(16, 3)
    assert error == {"type": "AssertionError", "text": str(caught.value)}


def test_the_code_to_copy_runs(evaluate: Callable[..., Any]) -> None:
    for kind in ("encoder", "decoder"):
        figure = figures.TransformerBlock(kind, norm_first=True, bias=False, nhead=2)
        code = evaluate(
            f"(s) => nnFigures.specs['{TAG}'].engine.codeFull(s)", figure.values
        )
        printed: list[Any] = []
        exec(
            code, {"torch": torch, "nn": nn, "print": lambda *a, p=printed: p.extend(a)}
        )
        total = sum(step.parameters for step in figure.steps())
        assert printed == [(2, 6, 16), total]


def test_mouse_keyboard_and_torchs_words(show: Show) -> None:
    page = show(figures.TransformerBlock())
    claim = page.locator(f"{TAG} .claim")
    expect(claim).to_have_text("self_attn: (2, 6, 16), 1,088 parameters")
    page.get_by_role("option", name=re.compile("linear1")).click()
    expect(claim).to_have_text("linear1: (2, 6, 64), 1,088 parameters")
    page.keyboard.press("ArrowDown")
    expect(claim).to_have_text("relu: (2, 6, 64), 0 parameters")
    page.keyboard.press("End")
    expect(claim).to_have_text("norm2: (2, 6, 16), 32 parameters")
    page.get_by_role("radio", name="first", exact=True).click()
    expect(page.locator(f"{TAG} .sub")).to_contain_text("Pre-norm encoder layer")
    expect(claim).to_have_text("The sum: (2, 6, 16), 0 parameters")
    page.get_by_role("radio", name="decoder").click()
    expect(page.locator(f"{TAG} .branch")).to_have_count(3)
    page.get_by_label("nhead").select_option(label="3")
    expect(page.locator(f"{TAG} .error")).to_have_text(
        "torch raises AssertionError: embed_dim must be divisible by num_heads"
    )
    page.get_by_label("nhead").select_option(label="8")
    expect(page.locator(f"{TAG} .error")).to_be_hidden()
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text("parameters")


def test_axe_and_a_phone(phone: Show) -> None:
    phone(
        figures.TransformerBlock(),
        figures.TransformerBlock("decoder", norm_first=True, L=4096, d_model=512),
    )


def test_live_your_own_layer_and_what_is_refused() -> None:
    live = figures.TransformerBlock().live()
    live.kind, live.bias = "decoder", False
    assert isinstance(live.layer, nn.TransformerDecoderLayer)
    own = nn.TransformerDecoderLayer(8, 2, 24, activation="gelu", norm_first=True)
    figure = figures.TransformerBlock(layer=own)
    total = sum(step.parameters for step in figure.steps())
    assert total == sum(p.numel() for p in own.parameters())
    for given, words in (
        ({"nhead": 3}, "nhead is 3: it must divide d_model, 16"),
        ({"layer": nn.Linear(2, 2)}, "layer is a Linear: allowed are nn.Transformer"),
        ({"at": 11}, "at is 11: allowed are 0 to 10"),
        ({"activation": "tanh"}, "activation is 'tanh': allowed are relu, gelu"),
        ({"L": 0}, "L is 0"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.TransformerBlock(**given)
