"""Static drawings in the book's style; each returns its matplotlib ``Axes``."""

import copy

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import nn

from layers_book.figures import tokens
from layers_book.plot_style import SERIES

DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))


def _axes(ax: Axes | None) -> Axes:
    return plt.subplots()[1] if ax is None else ax


def draw_grid(
    values: torch.Tensor,
    ax: Axes | None = None,
    title: str = "",
    rows: str = "",
    columns: str = "",
) -> Axes:
    """Draw a matrix as a grid of cells with their numbers.

    A cell is a square where its number has room in one. Negative numbers have colors of
    their own, and the title states the range.

    Args:
        values: ``(rows, columns)``, any real dtype; the color is centered at zero.
        ax: where to draw; by default a new figure, as large as the matrix asks.
        title: above the grid.
        rows: what a row is, such as ``"sample"``.
        columns: what a column is.

    Returns:
        The ``Axes``.

    Raises:
        ValueError: ``values`` has not two axes.

    >>> draw_grid(-torch.eye(2), title="turned").get_title("left")
    'turned (colors: ±1)'
    """
    if values.ndim != 2:
        raise ValueError(f"values has shape {tuple(values.shape)}: give a matrix")
    table = values.detach().double().cpu()
    finite = table[table.isfinite()]
    limit = float(finite.abs().max()) if finite.numel() and finite.any() else 1.0
    if (finite < 0).any():
        title = f"{title} (colors: ±{limit:.3g})".strip()
    texts = [
        [f"{v:z.3g}".replace("-", "\N{MINUS SIGN}") for v in row]
        for row in table.tolist()
    ]
    height, width = table.shape
    longest = max((len(text) for row in texts for text in row), default=1)
    if ax is None:
        high = wide = max(0.3, 0.1 * longest)  # of a cell, in inches
        size = max(width * wide, 0.09 * max(len(title), len(columns))) + 0.7
        figsize = min(size, 6.4), max(height * high, 0.09 * len(rows)) + 0.9
        ax = plt.subplots(figsize=figsize)[1]
        ax.set_anchor("W")
        wide = min(wide, 5.7 / width)
    else:
        dpi = ax.figure.dpi
        wide, high = ax.bbox.width / dpi / width, ax.bbox.height / dpi / height
    square = height == width or 100 * min(wide, high) / longest >= 7  # points
    font = min(10.0, 100 * (min(wide, high) if square else wide) / longest)
    ax.imshow(table.numpy(), cmap="PuOr_r", vmin=-limit, vmax=limit)
    ax.set_aspect("equal" if square else "auto")
    for i, row in enumerate(texts):
        for j, text in enumerate(row):
            ink = "w" if abs(table[i, j]) > 0.6 * limit else "k"
            ax.text(j, i, text, ha="center", va="center", color=ink, fontsize=font)
    ax.set_xticks(range(width))
    ax.set_yticks(range(height))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlabel=columns, ylabel=rows)
    ax.set_title(title, loc="left")
    return ax


def draw_runs(
    x: list[float] | torch.Tensor,
    runs: torch.Tensor,
    label: str,
    ax: Axes | None = None,
    log: bool = False,
) -> Axes:
    """Draw an experiment over several seeds: a dot a run, a line through the means.

    Args:
        x: ``(points,)``, the setting that was varied.
        runs: ``(seeds, points)``, what each run measured.
        label: written beside the line's right end.
        ax: where to draw; a new figure by default.
        log: logarithmic horizontal axis with a tick at each ``x``.

    Returns:
        The ``Axes``.

    Raises:
        ValueError: shapes that do not fit, or a sixth series.

    >>> runs = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> draw_runs([10, 20], runs, "BatchNorm").lines[-1].get_ydata().tolist()
    [2.0, 3.0]
    """
    runs = torch.as_tensor(runs).detach().double().cpu()
    points = torch.as_tensor(x).double().cpu()
    if runs.ndim != 2 or runs.shape[1] != len(points):
        raise ValueError(
            f"runs has shape {tuple(runs.shape)}: it must be (seeds, {len(points)}), "
            f"a column for each of the {len(points)} values of x"
        )
    ax = _axes(ax)
    drawn = sum(line.get_gid() == "mean" for line in ax.lines)
    if drawn == len(SERIES):
        raise ValueError(f"ax has {drawn} series already: draw the others on another")
    color, marker, dashes = SERIES[drawn], "osD^v"[drawn], DASHES[drawn]
    for run in runs:
        ax.plot(points, run, marker, color=color, alpha=0.35, ms=4, mew=0)
    mean = runs.mean(0)
    ax.plot(points, mean, color=color, linestyle=dashes, gid="mean")
    ax.annotate(
        label,
        (float(points[-1]), float(mean[-1])),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        color=color,
        annotation_clip=False,
    )
    if log:
        ax.set_xscale("log")
        ax.set_xticks(points.tolist(), [f"{p:g}" for p in points.tolist()])
        ax.minorticks_off()
    return ax


def shared_cells(
    layer: nn.Module, shape: tuple[int, ...], cell: tuple[int, ...]
) -> torch.Tensor:
    """The cells whose mean and variance ``layer`` uses at ``cell``: a mask.

    Read off torch itself: with affine parameters, running statistics and the like
    aside, an output depends on exactly the inputs it shares statistics with.

    Args:
        layer: a normalization layer, in training mode.
        shape: of the input.
        cell: index of one output value.

    Returns:
        ``shape``, bool.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(layer.double()(x)[cell], x)
    return gradient != 0


def draw_normalized_axes(
    layer: nn.Module,
    shape: tuple[int, int, int] = (3, 4, 6),
    cell: tuple[int, int, int] = (0, 0, 0),
    ax: Axes | None = None,
    title: str = "",
) -> Axes:
    """Draw which cells of a block share the statistics of one cell.

    The block is unfolded: one slice a sample, one row a channel, one column a position.
    The marked cells are found by torch's own gradients, not by a rule.

    Args:
        layer: a normalization layer for inputs ``(N, C, L)``; it is not changed.
        shape: ``(N, C, L)``, of the block.
        cell: ``(n, c, l)``, the chosen cell.
        ax: where to draw; a new figure by default.
        title: above the block; the layer by default.

    Returns:
        The ``Axes``.

    Raises:
        ValueError: ``shape`` or ``cell`` has not three numbers, or the cell is outside.

    >>> ax = draw_normalized_axes(nn.InstanceNorm1d(4), (2, 4, 3))
    >>> ax.get_title("left")
    'InstanceNorm1d: 3 cells share'
    """
    if len(shape) != 3 or len(cell) != 3:
        raise ValueError(f"shape {shape} and cell {cell} need three numbers each")
    if not all(0 <= i < size for i, size in zip(cell, shape, strict=True)):
        raise ValueError(f"cell {cell} lies outside the block of shape {shape}")
    ax = _axes(ax)
    color = tokens()["light"]
    mask = shared_cells(copy.deepcopy(layer).train(), shape, cell)
    n_samples, channels, length = shape
    for n, c, position in np.ndindex(shape):
        x, shared = n * (length + 1) + position, bool(mask[n, c, position])
        chosen = (n, c, position) == cell
        ax.add_patch(
            Rectangle(
                (x + 0.06, c + 0.06),
                0.88,
                0.88,
                facecolor=color["statistic-fill" if shared else "bg"],
                edgecolor=color["statistic" if shared else "line"],
                linewidth=3 if chosen else 1.4 if shared else 0.8,
            )
        )
        if shared:
            ax.plot(x + 0.5, c + 0.5, ".", ms=4, color=color["ink"])
    for n in range(n_samples):
        place = n * (length + 1) + length / 2
        ax.text(place, -0.35, f"sample {n}", ha="center", fontsize=9)
    ax.set_xlim(-0.2, n_samples * (length + 1) - 0.8)
    ax.set_ylim(channels + 0.1, -0.9)
    ax.set_aspect("equal")
    ax.set_yticks([c + 0.5 for c in range(channels)], [f"{c}" for c in range(channels)])
    ax.set_xticks([])
    ax.set_ylabel("channel")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    name = title or type(layer).__name__
    ax.set_title(f"{name}: {int(mask.sum())} cells share", loc="left")
    return ax
