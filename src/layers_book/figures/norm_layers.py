"""What NormalizedAxes reads off the reader's own layer and tensor."""

import math
from typing import Any

from torch import Tensor, nn

NORMS = ("BatchNorm", "LayerNorm", "InstanceNorm", "GroupNorm", "RMSNorm")
KINDS = ("table", "signal", "image", "text")
LETTERS = {
    "table": "N, C",
    "signal": "N, C, L",
    "image": "N, C, H, W",
    "text": "N, L, C",
}
USUAL = {"table": 1, "signal": 2, "image": 3, "text": 1}
MODULES = (
    (nn.modules.batchnorm._BatchNorm, "BatchNorm"),
    (nn.modules.instancenorm._InstanceNorm, "InstanceNorm"),
    (nn.GroupNorm, "GroupNorm"),
    (nn.LayerNorm, "LayerNorm"),
    (nn.RMSNorm, "RMSNorm"),
)


def height_of(length: int) -> int:
    """Rows of the squarest image of ``length`` pixels."""
    return max(i for i in range(1, math.isqrt(length) + 1) if length % i == 0)


def from_module(layer: nn.Module) -> dict[str, Any]:
    """State of the reader's own module: sizes, mode, numbers."""
    norm = next((name for kind, name in MODULES if isinstance(layer, kind)), None)
    if norm is None:
        raise ValueError(
            f"layer is {type(layer).__name__}: allowed are the torch.nn modules of "
            f"the kinds {', '.join(NORMS)}"
        )
    state: dict[str, Any] = {"norm": norm, "training": layer.training}
    eps = layer.eps
    if eps is not None and eps != 1e-5:
        state["eps"] = eps
    affine = layer.weight is not None
    if affine != (norm != "InstanceNorm"):
        state["affine"] = affine
    if affine and norm != "RMSNorm" and layer.bias is None:
        state["has_bias"] = False
    if norm in ("LayerNorm", "RMSNorm"):
        state["normalized_shape"] = tuple(layer.normalized_shape)  # type: ignore[arg-type]
    elif norm == "GroupNorm":
        state |= {"C": layer.num_channels, "num_groups": layer.num_groups}
    else:
        state["C"] = layer.num_features
        if layer.track_running_stats != (norm == "BatchNorm"):
            state["track"] = bool(layer.track_running_stats)
    for key, usual in (("running_mean", 0), ("running_var", 1)):
        values = getattr(layer, key, None)
        if values is not None and bool((values != usual).any()):
            state[key] = _floats(values)
    return state


def _floats(values: Tensor) -> list[float]:
    return [float(f"{v:.7g}") for v in values.detach().double().flatten().tolist()]


def kind_of(own: dict[str, Any], x: Tensor | None, lengths: list[int] | None) -> str:
    """The kind of data, where the reader does not say it."""
    if lengths is not None:
        return "text"
    rank = x.ndim if x is not None else 0
    wise = len(own.get("normalized_shape", ()))
    if rank == 3:
        named = own["norm"] in ("LayerNorm", "RMSNorm")
        return "text" if wise == 1 or (named and not wise) else "signal"
    if rank:
        return {2: "table", 4: "image"}.get(rank, "image")
    return {1: "text", 2: "signal"}.get(wise, "image")


def unfold(x: Tensor, kind: str) -> dict[str, Any]:
    """Sizes and values of the reader's own tensor, unfolded to (N, C, L)."""
    rank = LETTERS[kind].count(",") + 1
    if x.ndim != rank:
        raise ValueError(
            f"x has shape {tuple(x.shape)}: data={kind!r} takes ({LETTERS[kind]})"
        )
    block = x.detach().double().cpu()
    if not bool(block.isfinite().all()):
        raise ValueError("x holds values that are not finite: give numbers")
    if kind == "text":
        block = block.transpose(1, 2)
    state: dict[str, Any] = {"N": block.shape[0], "C": block.shape[1]}
    state["L"] = math.prod(block.shape[2:])
    if kind == "image":
        state["H"] = block.shape[2]
    return state | {"x": _floats(block)}


def check_sizes(full: dict[str, Any]) -> None:
    """Raise ValueError where num_groups or dims cannot be."""
    if full["num_groups"] < 1:
        raise ValueError(f"num_groups is {full['num_groups']}: give 1 or more")
    ranks = LETTERS[full["data"]].count(",")
    if not 0 <= full["dims"] <= ranks:
        raise ValueError(f"dims is {full['dims']}: allowed are 0 to {ranks}")


def check_lengths(lengths: list[int], full: dict[str, Any]) -> list[int]:
    """The lengths, or ValueError where they do not fit the text."""
    whole = [int(n) for n in lengths]
    if full["data"] != "text":
        raise ValueError(f"lengths belong to data='text', not to {full['data']!r}")
    if len(whole) != full["N"] or not all(1 <= n <= full["L"] for n in whole):
        raise ValueError(
            f"lengths is {whole}: give {full['N']} numbers, each 1 to {full['L']}"
        )
    return whole
