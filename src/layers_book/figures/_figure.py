"""What every interactive figure shares on Python's side: state, MIME bundle, script."""

import base64
import html
import io
import json
from collections.abc import Collection, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar

from torch import nn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

ELEMENTS = {
    "attention_weights": "nn-attention-weights",
    "channel_mixing": "nn-channel-mixing",
    "dropout_mask": "nn-dropout-mask",
    "gate_stepper": "nn-gate-stepper",
    "gradient_through_time": "nn-gradient-through-time",
    "lookup_table": "nn-lookup-table",
    "normalized_axes": "nn-normalized-axes",
    "pooling_bins": "nn-pooling-bins",
    "receptive_field": "nn-receptive-field",
    "resampling": "nn-resampling",
    "running_statistics": "nn-running-statistics",
    "sequence_shapes": "nn-sequence-shapes",
    "shape_pipe": "nn-shape-pipe",
    "signal_depth": "nn-signal-depth",
    "sliding_window": "nn-sliding-window",
    "transposed_convolution": "nn-transposed-convolution",
    "unfold_fold": "nn-unfold-fold",
}


@cache
def tokens() -> dict[str, dict[str, str]]:
    """The colors by theme (``light``, ``dark``) and role, shared with the JS.

    >>> tokens()["light"]["input"]
    '#1c3f7c'
    """
    text = (files("layers_book") / "figures" / "tokens.json").read_text("utf8")
    colors: dict[str, dict[str, str]] = json.loads(text)
    return colors


@cache
def script(name: str | None = None) -> str:
    """The JavaScript of one figure with the shared core, or of all figures.

    It is a classic script without dependencies; loading it twice does no harm.

    Args:
        name: a key of ``ELEMENTS``, or None for every figure.

    Raises:
        ValueError: no figure has that name.

    >>> len(script("normalized_axes")) < len(script())
    True
    """
    if name is not None and name not in ELEMENTS:
        raise ValueError(f"name is {name!r}: allowed are {', '.join(ELEMENTS)}, None")
    return "".join(map(script_part, ["core", *([name] if name else ELEMENTS)]))


@cache
def script_part(name: str) -> str:
    """One file of the figures' JavaScript, without comment lines and indents.

    Args:
        name: ``core``, which comes first on a page, or a key of ``ELEMENTS``.
    """
    text = (files("layers_book") / "figures" / f"{name}.js").read_text("utf8")
    lines = (line.strip() for line in text.splitlines())
    text = "\n".join(s for s in lines if s and not s.startswith("//"))
    colors = ",".join(
        f'{theme}:"{"".join(f"--{k}:{v};" for k, v in roles.items())}"'
        for theme, roles in tokens().items()
    )
    return text.replace("/*TOKENS*/ {}", f"{{{colors}}}") + "\n"


def mix(s: int) -> int:
    """32 well mixed bits of a whole number, which the figures' JavaScript repeats.

    Source: Appleby, MurmurHash3, https://github.com/aappleby/smhasher (its finalizer).

    >>> mix(1), mix(2)
    (1364076727, 821347078)
    """
    word = 0xFFFFFFFF
    s &= word
    s = ((s ^ (s >> 16)) * 0x85EBCA6B) & word
    s = ((s ^ (s >> 13)) * 0xC2B2AE35) & word
    return s ^ (s >> 16)


def within(low: int, high: int, **values: int) -> None:
    """Refuse a whole number outside of what a figure can show.

    Raises:
        ValueError: names the argument, its value and what is allowed.

    >>> within(1, 12, kernel_size=13)
    Traceback (most recent call last):
    ValueError: kernel_size is 13: allowed are 1 to 12
    """
    for key, value in values.items():
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or not (low <= value <= high)
        ):
            raise ValueError(f"{key} is {value!r}: allowed are {low} to {high}")


def draw_cells(
    ax: "Axes",
    values: Sequence[Sequence[float]],
    left: float,
    top: float,
    role: str,
    filled: Collection[tuple[int, int]] = (),
) -> None:
    """Draw a matrix as cells with numbers in the color of a role.

    Args:
        ax: a cell is one unit; the vertical axis must grow downwards.
        values: rows of numbers.
        left: of the first column.
        top: of the first row.
        role: a role of the color file, such as ``input``.
        filled: the ``(row, column)`` that stand out.
    """
    from matplotlib.patches import Rectangle

    color = tokens()["light"]
    for r, row in enumerate(values):
        for c, value in enumerate(row):
            fill = color[f"{role}-fill"] if (r, c) in filled else color["bg"]
            place = (left + c, top + r)
            ax.add_patch(Rectangle(place, 0.9, 0.9, fc=fill, ec=color[role]))
            number = f"{value:.2g}".replace("-", "\N{MINUS SIGN}")
            at = (left + c + 0.45, top + r + 0.45)
            ax.text(*at, number, ha="center", va="center", fontsize=9)


class Figure:
    """An interactive figure: shown when it is a cell's last expression.

    ``state`` is what travels to the page, as JSON; what equals the figure's default
    is left out.
    """

    name: ClassVar[str]
    defaults: ClassVar[dict[str, Any]]
    traits: ClassVar[tuple[str, ...]]
    allowed: ClassVar[dict[str, tuple[str, ...]]] = {}

    def __init__(self, state: dict[str, Any]) -> None:
        self._full = {**self.defaults, **state}

    @property
    def state(self) -> dict[str, Any]:
        """What differs from the figure's defaults."""
        return {k: v for k, v in self._full.items() if v != self.defaults[k]}

    @property
    def layer(self) -> nn.Module:
        """The ``torch.nn`` module the figure shows now."""
        raise NotImplementedError

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Figure":
        """The figure of a state as the page sends it."""
        figure = cls.__new__(cls)
        Figure.__init__(figure, state)
        return figure

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        raise NotImplementedError

    def draw(self, canvas: "Canvas") -> None:
        """Draw this very state with matplotlib."""
        raise NotImplementedError

    def fallback(self) -> str:
        """A readable HTML table: GitHub's preview, a blocked script, a printer."""
        caption, rows = self.rows()
        body = "".join(
            f'<tr><th scope="row">{html.escape(a)}</th><td>{html.escape(b)}</td></tr>'
            for a, b in rows
        )
        return f"<table><caption>{html.escape(caption)}</caption>{body}</table>"

    def png(self) -> bytes:
        """This state as a small PNG, the same bytes on each call."""
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Canvas

        with mpl.rc_context():
            mpl.rcdefaults()
            canvas = Canvas(figsize=(6.4, 3.2), dpi=80, layout="constrained")
            FigureCanvasAgg(canvas)
            self.draw(canvas)
            buffer = io.BytesIO()
            canvas.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()

    def element(self) -> str:
        """The custom element with its state and, inside, the fallback table."""
        state = json.dumps(self.state, separators=(",", ":"), ensure_ascii=False)
        for raw, safe in (("&", "&amp;"), ("'", "&#39;"), ("<", "&lt;")):
            state = state.replace(raw, safe)
        tag = ELEMENTS[self.name]
        return f"<{tag} state='{state}'>{self.fallback()}</{tag}>"

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> dict[str, str]:
        code = f"<script data-nn-figure>{script(self.name)}</script>"
        return {
            "text/plain": repr(self),
            "text/html": f"{self.element()}\n{code}",
            "image/png": base64.b64encode(self.png()).decode(),
        }

    def live(self) -> Any:
        """The figure as an anywidget: its traits move the picture, and back.

        Returns:
            A widget with one trait for each of ``traits`` and with ``layer``.

        Raises:
            ImportError: anywidget is not installed.
        """
        from layers_book.figures._live import live

        return live(self)
