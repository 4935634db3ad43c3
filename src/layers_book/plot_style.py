"""The book's style of matplotlib's drawings."""

import matplotlib as mpl
from cycler import cycler

from layers_book.figures import tokens

ROLES = ("input", "kernel", "output", "gradient")  # matplotlib's C0 to C3: tensors
# C4 to C8: series, which are no tensors. Far from every role's color, and from each
# other in lightness too, so in gray and for every eye.
SERIES = ("#0a0c10", "#4f7396", "#753e27", "#3d2f46", "#260b60")


def use_book_style() -> None:
    """Set matplotlib's defaults to the book's."""
    color = tokens()["light"]
    mpl.rcParams.update(
        {
            "figure.figsize": (6.4, 2.8),
            "figure.dpi": 96,
            "figure.constrained_layout.use": True,
            "savefig.facecolor": color["bg"],
            "figure.facecolor": color["bg"],
            "axes.facecolor": color["bg"],
            "axes.edgecolor": color["muted"],
            "axes.labelcolor": color["ink"],
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 11,
            "axes.titlelocation": "left",
            "axes.prop_cycle": cycler(
                color=[*(color[role] for role in ROLES), *SERIES]
            ),
            "text.color": color["ink"],
            "xtick.color": color["muted"],
            "ytick.color": color["muted"],
            "xtick.labelcolor": color["ink"],
            "ytick.labelcolor": color["ink"],
            "font.size": 10,
            "lines.linewidth": 1.8,
            "legend.frameon": False,
        }
    )
