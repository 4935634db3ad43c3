"""Static drawings in the book's style; each returns its matplotlib ``Axes``."""

import copy

import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import nn

from layers_book.figures import tokens

# series are no tensors: shades, markers and dashes, none of a role's colors
SERIES = tuple(
    zip(
        ("#1b1f24", "#7a4fa3", "#6f7b87", "#a0683c", "#3b7f8c"),
        "osD^v",
        ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1))),
        strict=True,
    )
)


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

    Args:
        values: ``(rows, columns)``, any real dtype; the color is centered at zero and
            its range is stated in the title.
        ax: where to draw; a new figure by default.
        title: above the grid.
        rows: what a row is, such as ``"sample"``.
        columns: what a column is.

    Returns:
        The ``Axes``.

    Raises:
        ValueError: ``values`` has not two axes.

    >>> draw_grid(torch.eye(2), title="identity").get_title("left")
    'identity (colors: ±1)'
    """
    if values.ndim != 2:
        raise ValueError(f"values has shape {tuple(values.shape)}: give a matrix")
    ax = _axes(ax)
    table = values.detach().double().cpu()
    finite = table[table.isfinite()]
    limit = float(finite.abs().max()) if finite.numel() and finite.any() else 1.0
    ax.imshow(table.numpy(), cmap="PuOr_r", vmin=-limit, vmax=limit, aspect="auto")
    for i, row in enumerate(table.tolist()):
        for j, value in enumerate(row):
            dark = abs(value) > 0.6 * limit
            text = f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
            ax.text(j, i, text, ha="center", va="center", color="w" if dark else "k")
    ax.set_xticks(range(table.shape[1]))
    ax.set_yticks(range(table.shape[0]))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlabel=columns, ylabel=rows)
    ax.set_title(f"{title} (colors: ±{limit:.3g})".strip(), loc="left")
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
    color, marker, dashes = SERIES[drawn]
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
    for n in range(n_samples):
        left = n * (length + 1)
        for c in range(channels):
            for position in range(length):
                shared = bool(mask[n, c, position])
                chosen = (n, c, position) == cell
                style = "statistic" if shared else "input"
                ax.add_patch(
                    Rectangle(
                        (left + position + 0.06, c + 0.06),
                        0.88,
                        0.88,
                        facecolor=color[f"{style}-fill"] if shared else color["bg"],
                        edgecolor=color[style] if shared else color["line"],
                        linewidth=3 if chosen else 1.4 if shared else 0.8,
                    )
                )
                if shared:
                    ax.plot(
                        left + position + 0.5, c + 0.5, ".", ms=4, color=color["ink"]
                    )
        ax.text(left + length / 2, -0.35, f"sample {n}", ha="center", fontsize=9)
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
