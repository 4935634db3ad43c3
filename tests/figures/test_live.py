"""The figures as widgets: traits in Python, and both ways in Chromium."""

import builtins
from collections.abc import Callable
from typing import Any

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn
from traitlets import TraitError

from helpers import figures
from layers_book.figures.figure import _widget_class

MOUNT = """([tag, state]) => {
  const listeners = {}, saved = [];
  window.model = {
    get: (key) => state[key],
    set: (key, value) => {
      if (JSON.stringify(state[key]) === JSON.stringify(value)) return;
      state[key] = value;
      (listeners["change:" + key] || []).forEach((act) => act());
    },
    on: (name, act) => (listeners[name] = [...(listeners[name] || []), act]),
    save_changes: () => saved.push(structuredClone(state)),
  };
  window.saved = saved;
  const el = document.createElement("div");
  el.id = "widget";
  document.querySelector("main").append(el);
  window.leave = nnFigures.render(tag)({ model: window.model, el });
}"""


def test_axes_traits_are_the_layer() -> None:
    live = figures.NormalizedAxes("GroupNorm", "text").live()
    assert repr(live) == (
        "live NormalizedAxes: GroupNorm(2 groups), text (N, L, C) = (3, 4, 4): "
        "8 cells share"
    )
    live.num_groups, live.C, live.eps = 3, 6, 0.5
    assert isinstance(live.layer, nn.GroupNorm)
    assert (live.layer.num_groups, live.layer.num_channels) == (3, 6)
    assert live.layer.eps == 0.5
    live.norm, live.data = "LayerNorm", "image"
    assert live.layer.normalized_shape == (6, 2, 2)
    live.num_groups, live.norm = 4, "GroupNorm"
    with pytest.raises(ValueError, match="must be divisible by num_groups"):
        _ = live.layer
    with pytest.raises(TraitError, match="GroupNorm"):
        live.norm = "Group"
    state = {key: getattr(live, key) for key in figures.NormalizedAxes.traits}
    again = figures.NormalizedAxes.from_state(state)
    assert f"live {again!r}" == repr(live)


def test_running_traits_are_the_layer() -> None:
    live = figures.RunningStatistics(steps=0).live()
    assert live.step(5).step(5, momentum=None, shift=8.0) is live
    assert live.log == [[5, 8, 0.1, 3.0, 2.0, 1], [5, 8, None, 8.0, 2.0, 1]]
    layer = live.layer
    assert layer.momentum is None and layer.num_batches_tracked == 10
    same = figures.RunningStatistics(steps=5).step(5, momentum=None, shift=8.0).layer
    torch.testing.assert_close(layer.state_dict(), same.state_dict())
    with pytest.raises(TraitError):
        live.batch_size = "eight"


def test_traits_carry_the_whole_state() -> None:
    for figure in (figures.NormalizedAxes(), figures.RunningStatistics()):
        live = figure.live()
        assert set(figure.traits) <= set(live.keys)
        assert figure.defaults.keys() <= set(live.keys)
        tag = figure.tag
        assert f'nnFigures.render("{tag}") }};' in live._esm.splitlines()[-1]


def test_missing_anywidget_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "anywidget":
            raise ModuleNotFoundError("No module named 'anywidget'", name="anywidget")
        return real(name, *rest)

    _widget_class.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="needs the package 'anywidget': pip install"):
        figures.NormalizedAxes().live()


@pytest.mark.parametrize("figure", [figures.NormalizedAxes, figures.RunningStatistics])
def test_widget_both_ways(
    figure: type[figures.NormalizedAxes] | type[figures.RunningStatistics],
    show: Callable[..., Page],
) -> None:
    axes = figure is figures.NormalizedAxes
    page = show()
    live = figure().live()
    state = {key: getattr(live, key) for key in figure.defaults}
    page.evaluate(MOUNT, [figure.tag, state])
    claim = page.locator("#widget .claim")
    if axes:  # from Python
        page.evaluate("model.set('norm', 'InstanceNorm')")
        expect(claim).to_contain_text("InstanceNorm stays")
    else:
        page.evaluate("model.set('training', false)")
        expect(claim).to_contain_text("In eval mode")
    assert page.evaluate("saved.length") == 0
    if axes:  # from the page
        page.get_by_role("radio", name="GroupNorm").click()
        page.get_by_label("num_groups").press("ArrowRight")
    else:
        page.get_by_role("radio", name="train").click()
        page.get_by_role("button", name="Step 10").click()
    found = page.evaluate("saved.at(-1)")
    for key in figure.traits:
        setattr(live, key, found[key])
    if axes:
        assert found["num_groups"] == 3 and found["norm"] == "GroupNorm"
        assert live.num_groups == 3
    else:
        assert live.layer.num_batches_tracked == 25
        assert live.layer.training
    page.evaluate("leave()")
