"""The drawings show the data they are given."""

import pytest
import torch
from matplotlib import pyplot as plt
from torch import nn

from helpers import draw_grid, draw_normalized_axes, draw_runs
from helpers._draw import shared_cells


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_grid_shows_every_number():
    ax = draw_grid(torch.tensor([[1.0, -2.5], [0.0, 4.0]]), title="x")
    texts = [t.get_text() for t in ax.texts]
    assert texts == ["1", "\N{MINUS SIGN}2.5", "0", "4"]
    assert "±4" in ax.get_title("left")
    image = ax.images[0]
    assert image.get_clim() == (-4, 4)


def test_grid_takes_what_readers_have():
    draw_grid(torch.zeros(2, 2))
    draw_grid(torch.tensor([[float("nan"), 1.0]]))
    draw_grid(torch.ones(2, 3, requires_grad=True))
    with pytest.raises(ValueError, match=r"values has shape \(3,\)"):
        draw_grid(torch.ones(3))


def test_runs_show_each_seed_and_the_mean():
    runs = torch.tensor([[1.0, 2.0], [3.0, 6.0], [5.0, 1.0]])
    ax = draw_runs([2, 4], runs, "BatchNorm", log=True)
    drawn = [line.get_ydata().tolist() for line in ax.lines]
    assert drawn == [*runs.tolist(), [3.0, 3.0]]
    assert [t.get_text() for t in ax.texts] == ["BatchNorm"]
    assert ax.get_xscale() == "log"


def test_runs_name_the_bad_argument():
    ax = None
    for _ in range(5):
        ax = draw_runs([1], torch.ones(1, 1), "x", ax)
    with pytest.raises(ValueError, match="5 series already"):
        draw_runs([1], torch.ones(1, 1), "x", ax)
    with pytest.raises(ValueError, match=r"\(seeds, 2\)"):
        draw_runs([1, 2], torch.ones(2, 3), "x")


@pytest.mark.parametrize(
    ("layer", "count"),
    [
        (nn.BatchNorm1d(4), 3 * 5),
        (nn.LayerNorm((4, 5)), 4 * 5),
        (nn.InstanceNorm1d(4), 5),
        (nn.GroupNorm(2, 4), 2 * 5),
        (nn.LayerNorm(5), 5),
    ],
)
def test_shared_cells_are_the_paper_s(layer, count):
    mask = shared_cells(layer, (3, 4, 5), (1, 2, 3))
    assert mask[1, 2, 3]
    assert int(mask.sum()) == count
    ax = draw_normalized_axes(layer, (3, 4, 5), (1, 2, 3))
    assert f"{count} cells" in ax.get_title("left")
    assert len(ax.patches) == 60


def test_a_cell_outside_is_named():
    with pytest.raises(ValueError, match=r"cell \(0, 4, 0\) lies outside"):
        draw_normalized_axes(nn.BatchNorm1d(4), (3, 4, 5), (0, 4, 0))


def test_drawing_leaves_the_layer_alone():
    layer = nn.BatchNorm1d(4).eval()
    draw_normalized_axes(layer, (3, 4, 5))
    assert not layer.training
    assert layer.running_mean.eq(0).all()
    assert layer.weight.dtype == torch.float32
