"""The figure of what a normalization layer shares: one mean, one variance."""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from traitlets import Bool, Enum, Float, HasTraits, Int, List

from layers_book.figures.figure import Figure, own_numbers, tokens, unlinked
from layers_book.figures.norm_layers import (
    KINDS,
    LETTERS,
    NORMS,
    USUAL,
    check_lengths,
    check_sizes,
    from_module,
    height_of,
    kind_of,
    unfold,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


class NormalizedAxes(Figure):
    """A block of values in which the cells that share one mean and variance are marked.

    The reader moves the layer, the kind of data, the groups, train or eval, the sizes
    and one chosen cell; the figure shows the shared cells, their mean and variance,
    what the layer makes of the chosen cell, and how many statistics and parameters
    there are.

    Args:
        layer: a name (``BatchNorm``, ``LayerNorm``, ``InstanceNorm``, ``GroupNorm``,
            ``RMSNorm``) or your own ``torch.nn`` module of one of these kinds, whose
            sizes, eps, mode and running statistics are taken over; weight and bias
            count, but stay 1 and 0 in the numbers shown, so that these are normalized.
        data: ``table`` (N, C), ``signal`` (N, C, L), ``image`` (N, C, H, W) or ``text``
            (N, L, C) with padding; found from ``x`` and ``layer`` where left out.
        N: samples, 1 to 8.
        C: channels (of text: features), 1 to 16.
        L: positions: length, height times width, or tokens, 1 to 16.
        num_groups: of GroupNorm; one that does not divide C shows torch's error.
        training: False is eval mode.
        cell: ``(n, c, l)``, the chosen cell.
        x: your own numbers, shaped as ``data`` says; small integers by default.
        lengths: tokens of each sample of a text, without its padding.
        dims: how many trailing axes LayerNorm and RMSNorm normalize; 0 is the usual
            choice: all but the samples', and for text the features only.
        show: numbers in the cells: ``x``, the input, or ``y``, the layer's output.
        predict: ask the reader to predict the number of cells before it is shown.

    Raises:
        ValueError: an argument is not among what is allowed.

    Source: Wu and He, Group Normalization, 2018, https://arxiv.org/abs/1803.08494,
    figure 2, whose four cubes these are.

    >>> NormalizedAxes("GroupNorm", "table", num_groups=2)
    NormalizedAxes: GroupNorm(2 groups), table (N, C) = (3, 4): 2 cells share
    >>> NormalizedAxes(nn.LayerNorm(5), x=torch.zeros(2, 3, 5))
    NormalizedAxes: LayerNorm, text (N, L, C) = (2, 3, 5): 5 cells share
    """

    by_place = ("layer", "data")
    others = ("layer", "x")

    class State(HasTraits):
        norm = Enum(NORMS, "BatchNorm").tag(inner=True, label="layer")
        data = Enum(KINDS, "image")
        N = Int(3, min=1, max=8)
        C = Int(4, min=1, max=16)
        L = Int(4, min=1, max=16)
        H = unlinked(Int(0))
        num_groups = Int(2).tag(link=["int", 1, 16])
        dims = Int(0).tag(link=["int", 0, 3])
        training = Bool(True)
        cell = List(Int(), [0, 1, 2])
        show = Enum(("x", "y"), "x")
        predict = Bool(False)
        x = own_numbers()
        lengths = List(default_value=None, allow_none=True).tag(once=True)
        eps = unlinked(Float(None, allow_none=True))
        affine = unlinked(Bool(None, allow_none=True))
        has_bias = unlinked(Bool(None, allow_none=True))
        track = unlinked(Bool(None, allow_none=True))
        running_mean = own_numbers()
        running_var = own_numbers()

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """Sizes, mode and numbers of a module and a tensor of the reader's own."""
        layer, x = given.pop("layer", self.defaults["norm"]), given.pop("x", None)
        own = from_module(layer) if isinstance(layer, nn.Module) else {"norm": layer}
        own |= given
        kind = own.setdefault("data", kind_of(own, x, given.get("lengths")))
        if x is not None and kind in KINDS:
            numbers = unfold(x, kind)
            for key in own.keys() & {"N", "C", "L"}:
                if own[key] != numbers[key]:
                    raise ValueError(
                        f"{key} is {own[key]}, but x of shape {tuple(x.shape)}, "
                        f"read as ({LETTERS[kind]}), has {key} = {numbers[key]}"
                    )
            own |= numbers
        shape = own.pop("normalized_shape", None)
        self.values = {**self.defaults, **own}
        if shape is not None:
            self._take_shape(shape, fixed=x is not None)
        if "cell" not in given:
            usual = zip(self.defaults["cell"], self._extent(), strict=True)
            self.values["cell"] = [max(0, min(i, size - 1)) for i, size in usual]
        return self.values

    def check(self, given: Mapping[str, Any]) -> None:
        """Groups, axes and lengths fit the sizes; the chosen cell lies inside."""
        full = self.values
        check_sizes(full)
        if full["lengths"] is not None:
            full["lengths"] = check_lengths(full["lengths"], full)
        cell, sizes = full["cell"], self._extent()
        inside = zip(cell, sizes, strict=False)
        if len(cell) != 3 or not all(0 <= i < size for i, size in inside):
            raise ValueError(
                f"cell is {tuple(cell)}: (n, c, l) must lie inside (N, C, L) = {sizes}"
            )

    def _extent(self) -> tuple[int, int, int]:
        """N, C and L; a table has one position."""
        full = self.values
        return full["N"], full["C"], 1 if full["data"] == "table" else full["L"]

    def _take_shape(self, shape: tuple[int, ...], fixed: bool) -> None:
        """Fit sizes to the normalized_shape of the reader's LayerNorm or RMSNorm."""
        full = self.values
        if not fixed:
            if len(shape) == 1:
                full["C"] = shape[0]
            elif full["data"] == "signal":
                full["C"], full["L"] = shape
            elif full["data"] == "image" and len(shape) == 3:
                full |= {"C": shape[0], "H": shape[1], "L": shape[1] * shape[2]}
        tail = tuple(self.shape[-len(shape) :])
        if tail != shape:
            raise ValueError(
                f"layer normalizes the last axes {shape}, but the input's shape "
                f"({LETTERS[full['data']]}) is {self.shape}"
            )
        full["dims"] = 0 if len(shape) == USUAL[full["data"]] else len(shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """The input's shape as torch sees it."""
        s = self.values
        n, c, length = s["N"], s["C"], s["L"]
        height = s["H"] if s["H"] and length % s["H"] == 0 else height_of(length)
        return {
            "table": (n, c),
            "signal": (n, c, length),
            "image": (n, c, height, length // height),
            "text": (n, length, c),
        }[s["data"]]

    @property
    def x(self) -> Tensor:
        """The numbers in the cells, in torch's order of axes, float64."""
        s = self.values
        n, c = s["N"], s["C"]
        length = 1 if s["data"] == "table" else s["L"]
        if s["x"] is not None and len(s["x"]) == n * c * length:
            block = torch.tensor(s["x"], dtype=torch.float64).reshape(n, c, length)
        else:
            i, j, k = torch.meshgrid(
                torch.arange(n), torch.arange(c), torch.arange(length), indexing="ij"
            )
            block = i + 7 * j + 4 * k * k + 5 * j * k + 5 * i * j * (k + 1)
            block = (block % 10).double().masked_fill(self._padding(), 0)
        if s["data"] == "text":
            block = block.transpose(1, 2)
        return block.reshape(self.shape)

    def _padding(self) -> Tensor:
        s = self.values
        if s["data"] != "text":
            length = 1 if s["data"] == "table" else s["L"]
            return torch.zeros(s["N"], s["C"], length, dtype=torch.bool)
        lengths = s["lengths"] or [max(1, s["L"] - n) for n in range(s["N"])]
        late = torch.arange(s["L"]) >= torch.tensor(lengths)[:, None]
        return late[:, None].expand(s["N"], s["C"], s["L"])

    @property
    def layer(self) -> nn.Module:
        """The ``torch.nn`` module the figure shows, in float64, weight 1 and bias 0.

        Raises:
            ValueError: torch refuses the settings; its own words.
        """
        s = self.values
        norm, affine, eps = s["norm"], s["affine"], s["eps"]
        options: dict[str, Any] = {} if eps is None else {"eps": eps}
        wise = norm in ("LayerNorm", "RMSNorm")
        if norm == "RMSNorm" and eps is None:
            options["eps"] = torch.finfo(torch.float32).eps
        if affine is not None:
            options["elementwise_affine" if wise else "affine"] = affine
        if wise:
            tail = self.shape[-(s["dims"] or USUAL[s["data"]]) :]
            if norm == "LayerNorm" and s["has_bias"] is False:
                options["bias"] = False
            layer: nn.Module = getattr(nn, norm)(tail, **options)
        elif norm == "GroupNorm":
            layer = nn.GroupNorm(s["num_groups"], s["C"], **options)
        else:
            if s["track"] is not None:
                options["track_running_stats"] = s["track"]
            rank = "2d" if s["data"] == "image" else "1d"
            layer = getattr(nn, norm + rank)(s["C"], **options)
        for key in ("running_mean", "running_var"):
            here = getattr(layer, key, None)
            if here is not None and s[key] and len(s[key]) == here.numel():
                here.copy_(torch.tensor(s[key]))
        return layer.double().train(s["training"])

    def _apply(self, x: Tensor) -> Tensor:
        s = self.values
        if s["data"] == "text" and s["norm"] not in ("LayerNorm", "RMSNorm"):
            out: Tensor = self.layer(x.transpose(1, 2)).transpose(1, 2)
            return out
        with warnings.catch_warnings():  # InstanceNorm1d of a table: N is not C
            warnings.simplefilter("ignore", UserWarning)
            out = self.layer(x)
        return out

    def _index(self) -> tuple[int, ...]:
        n, c, at = self.values["cell"]
        kind = self.values["data"]
        if kind == "image":
            width = self.shape[3]
            return (n, c, at // width, at % width)
        return {"table": (n, c), "signal": (n, c, at), "text": (n, at, c)}[kind]

    def shared(self) -> Tensor:
        """The cells whose mean and variance the chosen cell uses, by torch's gradient.

        Returns:
            ``(N, C, L)``, bool.

        Raises:
            ValueError: torch refuses the settings; its own words.
        """
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(self.shape, generator=generator, dtype=torch.float64)
        x.requires_grad_()
        (gradient,) = torch.autograd.grad(self._apply(x)[self._index()], x)
        return self._block(gradient != 0)

    def _block(self, values: Tensor) -> Tensor:
        if self.values["data"] == "text":
            values = values.transpose(1, 2)
        return values.reshape(self.values["N"], self.values["C"], -1)

    def _settings(self) -> str:
        s = self.values
        groups = f"({s['num_groups']} groups)" if s["norm"] == "GroupNorm" else ""
        mode = "" if s["training"] else ", eval mode"
        letters = LETTERS[s["data"]]
        return f"{s['norm']}{groups}, {s['data']} ({letters}) = {self.shape}{mode}"

    def __repr__(self) -> str:
        try:
            found = f"{int(self.shared().sum())} cells share"
        except (ValueError, RuntimeError) as error:
            found = f"torch raises {type(error).__name__}"
        if not self.values["training"]:
            found = found.replace("1 cells share", "no cell is shared")
        if self.values["predict"]:
            found = "predict first"
        return f"NormalizedAxes: {self._settings()}: {found}"

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        caption = f"Which cells share statistics: {self._settings()}"
        cell = "sample {}, channel {}, position {}".format(*self.values["cell"])
        try:
            mask = self.shared()
            output = self._apply(self.x)[self._index()].item()
            layer = self.layer
        except (ValueError, RuntimeError) as error:
            return caption, [("torch raises", f"{type(error).__name__}: {error}")]
        parameters = [f"{k} {tuple(p.shape)}" for k, p in layer.named_parameters()]
        rows = [("chosen cell", cell)]
        if not self.values["predict"]:
            values = self._block(self.x)[mask].tolist()
            shown = ", ".join(f"{v:.4g}" for v in values)
            rows += [
                ("cells that share its statistics", f"{len(values)}: {shown}"),
                ("what the layer makes of it", f"{output:.4g}"),
            ]
        return caption, [*rows, ("parameters", " + ".join(parameters) or "none")]

    def draw(self, canvas: "Canvas") -> None:
        """Draw the unfolded block; what shares is filled and has a double outline."""
        from matplotlib.patches import Rectangle

        s, color = self.values, tokens()["light"]
        try:
            mask, trouble = self.shared(), ""
        except (ValueError, RuntimeError) as error:
            mask = torch.zeros_like(self._padding())
            trouble = f"{type(error).__name__}: {error}"
        if s["predict"]:
            mask = torch.zeros_like(mask)
        block, padding = self._block(self.x), self._padding()
        columns = block.shape[2]
        ax = canvas.subplots()
        for n, c, k in torch.cartesian_prod(*map(torch.arange, block.shape)).tolist():
            share, left = bool(mask[n, c, k]), n * (columns + 1)
            edge = color["statistic" if share else "line"]
            fill = color["statistic-fill" if share else "bg"]
            style = "--" if padding[n, c, k] else "-"
            for inset in (0.06, 0.16) if share else (0.06,):
                side = 1 - 2 * inset
                place = (left + k + inset, c + inset)
                ax.add_patch(
                    Rectangle(place, side, side, fc=fill, ec=edge, ls=style, lw=0.9)
                )
            if [n, c, k] == s["cell"]:
                ax.add_patch(
                    Rectangle((left + k, c), 1, 1, fill=False, ec=color["ink"], lw=2.4)
                )
            number = f"{float(block[n, c, k]):.2g}".replace("-", "\N{MINUS SIGN}")
            weight = "bold" if share else "normal"
            at = (left + k + 0.5, c + 0.5)
            ax.text(*at, number, ha="center", va="center", fontsize=9, weight=weight)
        for n in range(block.shape[0]):
            middle = n * (columns + 1) + columns / 2
            ax.text(middle, -0.3, f"sample {n}", ha="center", color=color["muted"])
        ax.set_xlim(-0.2, block.shape[0] * (columns + 1) - 0.8)
        ax.set_ylim(block.shape[1] + 0.1, -0.9)
        ax.set_aspect("equal")
        ax.set_axis_off()
        ax.set_title(trouble or repr(self).split(": ", 1)[1], fontsize=9, loc="left")
