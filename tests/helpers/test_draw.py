"""The drawings show the data they are given."""

import matplotlib as mpl
import pytest
import torch
from matplotlib import pyplot as plt
from torch import nn

from helpers import draw_grid, draw_normalized_axes, draw_runs, figures
from helpers._draw import shared_cells
from layers_book.plot_style import ROLES, SERIES, use_book_style


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


@pytest.mark.parametrize(
    ("values", "title"),
    [
        (torch.tensor([[1, 9]]), "x"),
        (torch.tensor([[0.25, -0.0]]), "x"),
        (torch.tensor([[float("nan"), float("-inf")]]), "x"),
        (torch.tensor([[1, -9]]), "x (colors: ±9)"),
    ],
)
def test_grid_states_the_range_of_signed_numbers(values, title):
    assert draw_grid(values, title="x").get_title("left") == title


@pytest.mark.parametrize(
    ("shape", "value", "figsize", "aspect"),
    [
        ((6, 6), 1, (6.4, 2.8), 1),
        ((6, 6), -0.125, (3, 3), 1),  # square, and the numbers small
        ((3, 5), 1, None, 1),
        ((9, 12), -0.98, (8.4, 3.6), "auto"),  # no room in a square
        ((2, 40), 100, None, "auto"),
    ],
)
def test_grid_draws_squares_where_numbers_have_room(shape, value, figsize, aspect):
    ax = figsize and plt.subplots(figsize=figsize)[1]
    ax = draw_grid(torch.full(shape, value), ax)
    assert ax.get_aspect() == aspect
    ax.figure.canvas.draw()
    (left, low), (right, high) = ax.transData.transform([[-0.5, 0], [0.5, 1]])
    assert ax.texts[0].get_window_extent().width < right - left
    assert ax.texts[0].get_window_extent().height < abs(high - low)
    assert ax.texts[0].get_fontsize() <= 10


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (3, 9), (12, 2), (8, 8)])
def test_grid_s_own_figure_fits(shape):
    use_book_style()
    ax = draw_grid(torch.ones(shape), None, "a title of some length", "rows", "columns")
    figure = ax.get_figure()
    figure.canvas.draw()
    width, height = figure.get_size_inches() * figure.dpi
    for text in (ax.xaxis.label, ax.yaxis.label, ax._left_title, *ax.texts):
        box = text.get_window_extent()
        assert 0 <= box.x0 <= box.x1 <= width, text
        assert 0 <= box.y0 <= box.y1 <= height, text
    assert width <= 6.4 * 96
    (left, _), (right, _) = ax.transData.transform([[0, 0], [1, 1]])
    assert right - left >= 24, "a cell is readable"


def test_series_and_roles_have_colors_of_their_own():
    use_book_style()
    light = figures.tokens()["light"]
    cycle = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
    assert cycle == [*(light[role] for role in ROLES), *SERIES]
    ax = None
    for name in "abcde":
        ax = draw_runs([1, 2], torch.ones(2, 2), name, ax)
    means = [line for line in ax.lines if line.get_gid() == "mean"]
    assert [line.get_color() for line in means] == list(SERIES)
    assert len({str(line.get_linestyle()) for line in means}) >= 4
    assert len({line.get_marker() for line in ax.lines} - {"None"}) == 5


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
