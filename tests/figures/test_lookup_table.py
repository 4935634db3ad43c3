"""LookupTable: the JavaScript engine against nn.Embedding, and the figure by hand."""

import random
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn

from helpers import figures

TAG = "nn-lookup-table"
ENGINE = """(list) => {
  const { engine, defaults } = nnFigures.specs["nn-lookup-table"];
  return list.map((given) => {
    const S = { ...defaults, ...given }, error = engine.error(S);
    return error ? { error } : { ...engine.lookup(S), oneHot: engine.oneHot(S) };
  });
}"""
Show = Callable[..., Page]


def settings(count: int) -> list[dict[str, Any]]:
    draw = random.Random(0)
    found = []
    for _ in range(count):
        rows, columns = draw.randint(1, 12), draw.randint(1, 6)
        length, beyond = draw.randint(1, 8), draw.choice([0, 0, 0, 2])
        found.append(
            {
                "num_embeddings": rows,
                "embedding_dim": columns,
                "indices": [draw.randrange(rows + beyond) for _ in range(length)],
                "padding_idx": draw.choice([None, draw.randrange(rows)]),
                "max_norm": draw.choice([None, 0.5, 1.0, 2.0]),
                "weight": draw.choice(
                    [None, [[draw.gauss(0, 1) for _ in range(columns)]] * rows]
                ),
            }
        )
    return found


def golden(s: dict[str, Any], weight: torch.Tensor) -> dict[str, Any]:
    layer = nn.Embedding(
        *weight.shape, padding_idx=s["padding_idx"], max_norm=s["max_norm"]
    ).double()
    layer.weight.data.copy_(weight)
    indices = torch.tensor(s["indices"])
    try:
        output = layer(indices)
    except IndexError as error:
        return {"error": {"type": "IndexError", "text": str(error)}}
    output.sum().backward()
    return {
        "output": output.tolist(),
        "weight": layer.weight.tolist(),
        "gradient": layer.weight.grad[:, 0].tolist(),
        "oneHot": nn.functional.one_hot(indices, weight.shape[0]).tolist(),
    }


def test_engine_is_torchs(evaluate: Callable[..., Any], same_words: bool) -> None:
    configurations = settings(400)
    refused = 0
    for s, got in zip(configurations, evaluate(ENGINE, configurations), strict=True):
        figure = figures.LookupTable.from_state(s)
        wanted = golden(s, figure.weight)
        if "error" in wanted:
            refused += 1
            assert got.keys() == wanted.keys()
            assert got == wanted or not same_words
            continue
        for key, value in wanted.items():
            assert torch.allclose(
                torch.tensor(got[key], dtype=torch.float64),
                torch.tensor(value, dtype=torch.float64),
                atol=1e-9,
            ), (s, key)
        product = (
            torch.tensor(got["oneHot"]).double() @ torch.tensor(got["weight"]).double()
        )
        assert torch.allclose(product, torch.tensor(got["output"]).double())
        output, gradient = figure.looked_up()
        assert output.tolist() == wanted["output"]
        assert gradient[:, 0].tolist() == wanted["gradient"]
    assert 20 < refused < 200


def test_the_code_to_copy_runs(evaluate: Callable[..., Any]) -> None:
    state = figures.LookupTable([0, 2, 2], padding_idx=0, max_norm=1.0).values
    code = evaluate(f"(s) => nnFigures.specs['{TAG}'].engine.codeFull(s)", state)
    space: dict[str, Any] = {"torch": torch, "nn": nn, "print": lambda *_: None}
    exec(code, space)
    assert space["layer"].weight.grad[:, 0].tolist() == [0, 0, 2, 0, 0, 0]


def test_mouse_keyboard_and_torchs_words(show: Show) -> None:
    page = show(figures.LookupTable())
    claim = page.locator(f"{TAG} .claim")
    expect(claim).to_have_text("Index 3 picks row 3")
    page.get_by_role("gridcell", name=re.compile("^row 5")).first.click()
    expect(claim).to_have_text("Index 5 picks row 5")
    page.keyboard.press("ArrowUp")
    expect(claim).to_have_text("Index 4 picks row 4")
    state = page.locator(TAG).evaluate("(e) => e.figure.get().indices")
    assert state == [4, 1, 3, 0]
    position = page.get_by_label("Position", exact=True)
    position.focus()
    page.keyboard.press("ArrowRight")
    expect(claim).to_have_text("Index 1 picks row 1")
    page.get_by_label("Index at this position").focus()
    page.keyboard.press("End")
    expect(page.locator(f"{TAG} .error")).to_have_text(
        "torch raises IndexError: index out of range in self"
    )
    page.keyboard.press("Home")
    page.get_by_role("radio", name="gradient").click()
    expect(claim).to_have_text("3 rows of 6 receive gradient")
    page.get_by_label("padding_idx").select_option(label="0")
    expect(claim).to_have_text("2 rows of 6 receive gradient")
    expect(page.locator(f"{TAG} [aria-live]")).to_contain_text("2 rows of 6")


def test_axe_and_a_phone(phone: Show) -> None:
    page = phone(
        figures.LookupTable(),
        figures.LookupTable(view="one-hot", padding_idx=0, max_norm=1.0),
        figures.LookupTable([6]),
    )
    cut = page.locator(f"{TAG} .block").evaluate_all(
        "(all) => all.filter((e) => e.scrollWidth > e.clientWidth).length"
    )
    assert cut == 0


def test_live_traits_are_the_layer() -> None:
    live = figures.LookupTable().live()
    live.indices, live.padding_idx = [1, 1], 2
    assert live.layer.padding_idx == 2
    assert repr(live).startswith("live LookupTable: indices [1, 1] in 6 rows of 3")


def test_your_own_layer_and_what_is_refused() -> None:
    layer = nn.Embedding(4, 2, padding_idx=1, max_norm=3.0)
    own = figures.LookupTable([3, 0], layer=layer).layer
    assert (own.padding_idx, own.max_norm) == (1, 3.0)
    assert torch.allclose(own.weight.float(), layer.weight, atol=1e-6)
    for given, words in (
        ({"indices": []}, "indices is"),
        ({"num_embeddings": 13}, "num_embeddings is 13: allowed are 1 to 12"),
        ({"embedding_dim": 0}, "embedding_dim is 0"),
        ({"padding_idx": 6}, "padding_idx is 6: allowed are None and 0 to 5"),
        ({"max_norm": 0.0}, "max_norm is 0.0"),
        ({"view": "both"}, "view is 'both'"),
        ({"at": 4}, "at is 4: allowed are 0 to 3"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            figures.LookupTable(**given)
