"""The figure of BatchNorm's running statistics: what it keeps, what eval mode uses."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from traitlets import Bool, Float, HasTraits, Int, List

from layers_book.figures.figure import (
    Figure,
    mix,
    own_numbers,
    tokens,
    unlinked,
    within,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

LIMIT = 200
WORD = 0xFFFFFFFF


def standard(seed: int, step: int, count: int) -> list[float]:
    """Numbers of one batch: mean about 0, deviation about 1, nearly normal.

    An integer generator that the figure's JavaScript repeats exactly: murmur3's
    finalizer over seed and step, then a linear congruence, four draws a number.

    Args:
        seed: any whole number.
        step: which batch, from 0.
        count: how many numbers; a longer batch begins with the shorter one.

    Source: Appleby, MurmurHash3, https://github.com/aappleby/smhasher; multiplier and
    increment from Press et al., Numerical Recipes.

    >>> standard(0, 0, 2) == standard(0, 0, 3)[:2]
    True
    """
    s = mix(seed + (step + 1) * 0x9E3779B9)
    values = []
    for _ in range(count):
        total = 0
        for _ in range(4):
            s = (s * 1664525 + 1013904223) & WORD
            total += s >> 16
        values.append((total - 131070) / 37837)
    return values


class RunningStatistics(Figure):
    """BatchNorm over one feature, batch by batch: what it stores, what eval mode uses.

    The reader draws batches (Step, Step 10), moves the batch size, the momentum and
    the mean of the data, and switches between train and eval. The figure shows each
    batch's mean and variance, the running ones, and what a fixed sample becomes in
    train mode (with its batch around it) and in eval mode.

    Args:
        batch_size: samples a batch, 1 to 32; 1 shows torch's error in training.
        momentum: the share of the new batch, 0 to 1; None averages all batches.
        shift: mean of the data.
        scale: standard deviation of the data, above 0.
        training: the mode shown; the steps at the start are always training steps.
        steps: batches already drawn, 0 to 200.
        sample: the fixed sample whose output is followed.
        layer: your own ``nn.BatchNorm1d(1)``: its momentum, eps and running statistics
            are the start; weight and bias stay 1 and 0.
        data: your own numbers, any shape; batches take them in turn, times ``scale``
            (then 1 by default) plus ``shift`` (then 0 by default).
        seed: of the generated data.

    Raises:
        ValueError: an argument is not among what is allowed, or torch refuses.

    Source: Ioffe and Szegedy, Batch Normalization, 2015,
    https://arxiv.org/abs/1502.03167, algorithm 2.

    >>> RunningStatistics(steps=20)
    RunningStatistics: 20 steps, running mean 2.70, running variance 4.09, train mode
    >>> RunningStatistics(steps=20).step(10, shift=8.0).state["log"]
    [[20, 8, 0.1, 3.0, 2.0, 1], [10, 8, 0.1, 8.0, 2.0, 1]]
    """

    by_place = ("batch_size", "momentum", "shift", "scale")
    others = ("layer", "data", "steps")
    actions = ("step",)

    class State(HasTraits):
        batch_size = Int(8, min=1, max=32)
        momentum = Float(0.1, min=0, max=1, allow_none=True).tag(
            allowed="0 to 1, or None"
        )
        shift = Float(3.0).tag(link=["float", -1000, 1000])
        scale = Float(2.0).tag(link=["float", 0.001, 1000])
        training = Bool(True)
        sample = Float(4.0).tag(link=["float", -1000, 1000])
        log = List().tag(
            inner=True,
            link=[
                "list",
                [
                    "row",
                    [
                        ["int", 1, LIMIT],
                        ["int", 1, 32],
                        ["null", ["float", 0, 1]],
                        ["float", -1000, 1000],
                        ["float", 0.001, 1000],
                        ["int", 0, 1],
                    ],
                ],
                0,
                LIMIT,
            ],
        )
        seed = Int(0).tag(once=True, link=["int", 0, WORD])
        eps = unlinked(Float(1e-5))
        running_mean = unlinked(Float(0.0))
        running_var = unlinked(Float(1.0))
        num_batches_tracked = unlinked(Int(0))
        values = own_numbers()

    def __init__(
        self, *by_place: Any, training: bool = True, steps: int = 15, **given: Any
    ) -> None:
        super().__init__(*by_place, **given)
        within(0, LIMIT, steps=steps)
        self.step(steps)
        self.values["training"] = bool(training)

    def take(self, given: dict[str, Any]) -> dict[str, Any]:
        """Statistics of a layer, and data, of the reader's own; the first steps."""
        layer, data = given.pop("layer", None), given.pop("data", None)
        if data is not None:
            given = {"shift": 0.0, "scale": 1.0, **given, "values": _values(data)}
        if "seed" in given:
            given["seed"] = int(given["seed"]) & WORD
        return ({} if layer is None else _from_module(layer)) | given

    def check(self, given: Mapping[str, Any]) -> None:
        """The data's deviation is one."""
        if not self.values["scale"] > 0:
            raise ValueError(f"scale is {self.values['scale']}: it must be above 0")
        done = sum(entry[0] for entry in self.values["log"])
        if done > LIMIT:
            raise ValueError(f"log has {done} steps: allowed are 0 to {LIMIT}")

    def step(self, count: int = 1, **changes: Any) -> "RunningStatistics":
        """Draw more batches, from here on with other settings where given.

        Args:
            count: how many; 200 in all.
            **changes: new ``batch_size``, ``momentum``, ``shift``, ``scale`` or
                ``training``.

        Returns:
            The figure itself.

        Raises:
            ValueError: an unknown setting, more than 200 steps, or torch refuses a
                training batch of one value; its own words.
        """
        known = ("batch_size", "momentum", "shift", "scale", "training")
        for key in changes:
            if key not in known:
                raise ValueError(f"setting {key!r}: allowed are {', '.join(known)}")
        full = self.values
        full |= self._allowed(changes)
        self.check(changes)
        done = sum(entry[0] for entry in full["log"])
        if count < 0 or done + count > LIMIT:
            raise ValueError(
                f"count is {count} after {done} steps: allowed are 0 to {LIMIT - done}"
            )
        if not count:
            return self
        if full["training"] and full["batch_size"] == 1:
            self.layer(torch.zeros(1, 1, dtype=torch.float64))
        entry = [*(full[key] for key in known[:4]), int(full["training"])]
        log = [list(old) for old in full["log"]]
        if log and log[-1][1:] == entry:
            log[-1][0] += count
        else:
            log.append([count, *entry])
        full["log"] = log
        return self

    def batches(self) -> Iterator[tuple[Tensor, float | None, bool]]:
        """Each step's batch ``(batch_size, 1)``, momentum and mode."""
        full, index, offset = self.values, 0, 0
        for count, size, momentum, shift, scale, training in full["log"]:
            for _ in range(count):
                if full["values"]:
                    own = full["values"]
                    z = [own[(offset + i) % len(own)] for i in range(size)]
                else:
                    z = standard(full["seed"], index, size)
                index, offset = index + 1, offset + size
                x = torch.tensor([shift + scale * v for v in z], dtype=torch.float64)
                yield x[:, None], momentum, bool(training)

    def tracks(self) -> dict[str, list[float]]:
        """What the figure draws, a value a step, computed by ``nn.BatchNorm1d``.

        Returns:
            ``mean``, ``var`` (of the batch, divided by n - 1), ``running_mean``,
            ``running_var``, ``train`` and ``eval`` (the fixed sample's outputs).
        """
        return self._simulate()[1]

    def _simulate(self) -> tuple[nn.BatchNorm1d, dict[str, list[float]]]:
        full = self.values
        bn = nn.BatchNorm1d(1, eps=full["eps"], momentum=full["momentum"]).double()
        with torch.no_grad():
            for key in ("running_mean", "running_var"):
                getattr(bn, key).fill_(full[key])
            assert bn.num_batches_tracked is not None
            bn.num_batches_tracked.fill_(full["num_batches_tracked"])
            names = ("mean", "var", "running_mean", "running_var", "train", "eval")
            out: dict[str, list[float]] = {name: [] for name in names}
            for x, momentum, training in self.batches():
                bn.momentum = momentum
                bn.train(training)(x)
                probe = x.clone()
                probe[0] = full["sample"]
                now = [x.mean(), x.var(), bn.running_mean, bn.running_var]
                trained = torch.nan * probe
                if len(x) > 1:
                    trained = nn.functional.batch_norm(
                        probe,
                        None,
                        None,
                        bn.weight,
                        bn.bias,
                        True,
                        eps=bn.eps,
                    )
                now += [trained[0], bn.eval()(probe)[0]]
                for name, value in zip(names, now, strict=True):
                    out[name].append(float(value if value is not None else 0))
        bn.momentum = full["momentum"]
        return bn.train(full["training"]), out

    @property
    def layer(self) -> nn.BatchNorm1d:
        """The ``nn.BatchNorm1d(1)`` after these steps, in float64."""
        return self._simulate()[0]

    def _now(self) -> tuple[float, float, float]:
        bn = self.layer.eval()
        assert bn.running_mean is not None and bn.running_var is not None
        with torch.no_grad():
            x = torch.tensor([[self.values["sample"]]], dtype=torch.float64)
            return float(bn.running_mean), float(bn.running_var), float(bn(x))

    def __repr__(self) -> str:
        mean, var, _ = self._now()
        steps = sum(entry[0] for entry in self.values["log"])
        mode = "train" if self.values["training"] else "eval"
        return (
            f"RunningStatistics: {steps} steps, running mean {mean:.2f}, "
            f"running variance {var:.2f}, {mode} mode"
        )

    def rows(self) -> tuple[str, list[tuple[str, str]]]:
        """Caption and rows of the table shown where scripts do not run."""
        full, tracks = self.values, self.tracks()
        mean, var, output = self._now()
        rows = [
            ("steps", str(len(tracks["mean"]))),
            ("batch size", str(full["batch_size"])),
            ("momentum", str(full["momentum"])),
            ("mean of the data", f"{full['shift']:.4g}"),
            ("running mean", f"{mean:.4g}"),
            ("running variance", f"{var:.4g}"),
            (f"eval output for x = {full['sample']:.4g}", f"{output:.4g}"),
        ]
        if tracks["mean"]:
            rows.insert(4, ("mean of the last batch", f"{tracks['mean'][-1]:.4g}"))
            trained = f"{tracks['train'][-1]:.4g}"
            rows.append((f"train output for x = {full['sample']:.4g}", trained))
        if full["training"] and full["batch_size"] == 1:
            try:
                self.layer(torch.zeros(1, 1, dtype=torch.float64))
            except ValueError as error:
                rows.append(("torch raises", f"ValueError: {error}"))
        return "Batch statistics and running statistics", rows

    def draw(self, canvas: "Canvas") -> None:
        """Draw the mean's tracks and the fixed sample's outputs."""
        color, tracks, full = tokens()["light"], self.tracks(), self.values
        steps = range(1, len(tracks["mean"]) + 1)
        left, right = canvas.subplots(1, 2)
        start = full["running_mean"]
        for ax, dots, kept, roles, words in (
            (
                left,
                "mean",
                "running_mean",
                ("input", "statistic"),
                ("batch", "running"),
            ),
            (right, "train", "eval", ("output", "output"), ("train", "eval")),
        ):
            line = [start, *tracks[kept]] if ax is left else tracks[kept]
            first = 0 if ax is left else 1
            ax.plot(steps, tracks[dots], "o", ms=4, color=color[roles[0]])
            ax.plot(range(first, first + len(line)), line, lw=2, color=color[roles[1]])
            ends = [track[-1] if track else torch.nan for track in (tracks[dots], line)]
            lower = ends[0] < ends[1]
            for track, role, word, shift in zip(
                (tracks[dots], line),
                roles,
                words,
                (-9, 3) if lower else (3, -9),
                strict=True,
            ):
                if track and track[-1] == track[-1]:
                    ax.annotate(
                        word,
                        (len(tracks["mean"]), track[-1]),
                        xytext=(6, shift),
                        textcoords="offset points",
                        color=color[role],
                        annotation_clip=False,
                    )
            ax.spines[["top", "right"]].set_visible(False)
            ax.set_xlabel("step")
        targets = [e[3] for e in full["log"] for _ in range(e[0])]
        if full["values"] is None:
            left.step(steps, targets, "--", where="mid", lw=1, color=color["muted"])
        left.set_title("mean (dashed: the data's)", fontsize=10, loc="left")
        title = f"output for x = {full['sample']:.3g}"
        right.set_title(title, fontsize=10, loc="left")


def _from_module(layer: nn.Module) -> dict[str, Any]:
    """State of the reader's own ``nn.BatchNorm1d(1)``."""
    if not isinstance(layer, nn.BatchNorm1d) or layer.num_features != 1:
        raise ValueError(f"layer is {layer}: allowed is an nn.BatchNorm1d(1)")
    if layer.running_mean is None:
        raise ValueError("layer has track_running_stats=False: there is nothing to see")
    state: dict[str, Any] = {"momentum": layer.momentum, "eps": layer.eps}
    for key in ("running_mean", "running_var"):
        state[key] = float(getattr(layer, key))
    assert layer.num_batches_tracked is not None
    state["num_batches_tracked"] = int(layer.num_batches_tracked)
    return state


def _values(data: Tensor) -> list[float]:
    values = torch.as_tensor(data).detach().double().flatten().tolist()
    if not 2 <= len(values) <= 512 or not all(abs(v) < 1e9 for v in values):
        raise ValueError(f"data has {len(values)} values: give 2 to 512 finite numbers")
    return [float(f"{v:.7g}") for v in values]
