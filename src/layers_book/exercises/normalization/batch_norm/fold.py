"""The exercise batch_norm/fold: a convolution and a BatchNorm2d as one convolution."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from layers_book.checking import (
    CONFIGURATION,
    Case,
    Exercise,
    Mistake,
    Refused,
    call,
    signed,
)


def _fold(conv: nn.Conv2d, bn: nn.BatchNorm2d, wrong: str = "") -> nn.Conv2d:
    """One convolution that equals both in eval mode, with one thing wrong."""
    folded = conv if wrong == "in place" else copy.deepcopy(conv)
    mean: Any = bn.running_mean
    var: Any = bn.running_var
    eps = 1e-5 if wrong == "eps" else bn.eps
    scale = bn.weight / (var + eps).sqrt()
    if wrong == "no weight":
        scale = 1 / (var + eps).sqrt()
    elif wrong == "var":
        scale = bn.weight / (var + eps)
    elif wrong == "eps outside":
        scale = bn.weight / (var.sqrt() + eps)
    old = torch.zeros_like(bn.bias) if conv.bias is None else conv.bias
    shift = bn.bias + (old - mean) * scale
    if wrong == "old bias unscaled":
        shift = old + bn.bias - mean * scale
    elif wrong == "no old bias":
        shift = bn.bias - mean * scale
    elif wrong == "mean unscaled":
        shift = bn.bias + old * scale - mean
    elif wrong == "mean added":
        shift = bn.bias + (old + mean) * scale
    elif wrong == "no shift":
        shift = old * scale
    if wrong == "input channels":
        weight = conv.weight * scale.view(1, -1, 1, 1)
    elif wrong == "kernel":
        weight = conv.weight * scale
    else:
        weight = conv.weight * scale.view(-1, 1, 1, 1)
    folded.weight = nn.Parameter(weight.detach())
    if wrong == "no bias" and conv.bias is None:
        return folded
    folded.bias = nn.Parameter(shift.detach())
    return folded


def _folded(wrong: str) -> Any:
    return lambda conv, bn: _fold(conv, bn, wrong)


def _new_convolution(conv: Any, bn: Any, *skip: str) -> nn.Conv2d:
    folded = _fold(conv, bn)
    options = {"stride", "padding", "dilation", "groups"} - set(skip)
    settings = {name: getattr(conv, name) for name in options}
    if "dtype" not in skip:
        settings["dtype"] = conv.weight.dtype
    new = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, **settings)
    new.load_state_dict(folded.state_dict())
    return new


def _without(*skip: str) -> Any:
    return lambda conv, bn: _new_convolution(conv, bn, *skip)


def _fold_run(answer: Any, generator: torch.Generator) -> Iterator[Case]:
    if not callable(answer) or isinstance(answer, type | nn.Module):
        raise Refused("A function is expected: write its name without calling it.")
    index = generator.initial_seed()
    groups = (1, 1, 2, 1, 3, 1)[index % 6]
    c_in, c_out, side = 2 * groups, 4 * groups, 9
    settings: dict[str, Any] = {
        "kernel_size": (3, 2) if index % 4 == 1 else 3,
        "stride": 1 + (index % 5 == 1),
        "padding": (0, 1, 2)[index % 3],
        "dilation": 1 + (index % 7 == 3),
        "groups": groups,
        "bias": index % 3 != 1,
    }
    conv = nn.Conv2d(c_in, c_out, **settings)
    eps = (1e-5, 1e-3, 0.1)[index % 3]
    bn = nn.BatchNorm2d(c_out, eps=eps)
    words = ", ".join(f"{name}={value}" for name, value in settings.items())
    dtype = torch.float64 if index % 2 else torch.float32
    words = f"Conv2d({c_in}, {c_out}, {words}), BatchNorm2d({c_out}, eps={eps})"
    yield Case(CONFIGURATION, f"{words}, {dtype}")
    with torch.no_grad():
        for value in (*conv.parameters(), *bn.parameters()):
            value.copy_(signed(generator, *value.shape))
        bn.get_buffer("running_mean").copy_(signed(generator, c_out))
        bn.get_buffer("running_var").copy_(signed(generator, c_out).abs() ** 3)
    conv, bn = conv.to(dtype).eval(), bn.to(dtype).eval()
    before = [copy.deepcopy(layer.state_dict()) for layer in (conv, bn)]
    x = torch.randn(2, c_in, side, side + 1, generator=generator, dtype=dtype)
    folded = call(answer, conv, bn)
    if isinstance(folded, nn.Module) and type(folded) is not nn.Conv2d:
        raise Refused(f"You return a {type(folded).__name__}: make one nn.Conv2d.")
    if not isinstance(folded, nn.Module):
        raise Refused("Return the new layer, an nn.Conv2d, not what it computes.")
    yield Case("the output of the folded layer", folded(x).detach())
    for name, layer, old in zip(("conv", "bn"), (conv, bn), before, strict=True):
        new = layer.state_dict()
        kept = new.keys() == old.keys() and all(
            torch.equal(old[key], new[key]) for key in old
        )
        if not kept:
            raise Refused(f"You change {name}: the layers given stay as they are.")
    yield Case("whether a new layer is returned", folded is not conv)


FOLD = Exercise(
    name="batch_norm/fold",
    reference=_fold,
    run=_fold_run,
    mistakes=(
        Mistake(
            _folded("no weight"),
            "Your factor leaves out bn.weight: it is bn.weight / "
            "(running_var + eps).sqrt().",
        ),
        Mistake(
            _folded("var"),
            "You divide by running_var + eps: divide by its root.",
        ),
        Mistake(
            _folded("eps"),
            "Your eps is always 1e-5: use bn.eps.",
        ),
        Mistake(
            _folded("eps outside"),
            "You add eps to the standard deviation: it belongs under the root.",
        ),
        Mistake(
            _folded("old bias unscaled"),
            "The bias of conv passes through bn too: subtract running_mean from it and "
            "multiply by the factor.",
        ),
        Mistake(
            _folded("no old bias"),
            "The bias of conv is lost: bn sees conv.bias - running_mean, times the "
            "factor.",
        ),
        Mistake(
            _folded("mean unscaled"),
            "Multiply running_mean by the factor before you subtract it from the bias.",
        ),
        Mistake(
            _folded("mean added"),
            "You add running_mean: bn subtracts it.",
        ),
        Mistake(
            _folded("no shift"),
            "You fold the factor only: the shift of bn, bias - running_mean * factor, "
            "goes into the bias of the new layer.",
        ),
        Mistake(
            _folded("no bias"),
            "A convolution without bias needs one after folding: bn shifts its output.",
        ),
        Mistake(
            _folded("input channels"),
            "Your factor runs along the input channels of conv.weight; it belongs to "
            "the output channels, axis 0: factor.view(-1, 1, 1, 1).",
        ),
        Mistake(
            _folded("kernel"),
            "Your factor lines up with the last axis of conv.weight, the kernel's "
            "width; it belongs to axis 0: factor.view(-1, 1, 1, 1).",
        ),
        Mistake(
            _folded("in place"),
            "You change conv itself: work on a copy, copy.deepcopy(conv).",
        ),
        Mistake(
            _without("stride"),
            "The new convolution has stride 1: pass on conv.stride.",
        ),
        Mistake(
            _without("padding"),
            "The new convolution has padding 0: pass on conv.padding.",
        ),
        Mistake(
            _without("dilation"),
            "The new convolution has dilation 1: pass on conv.dilation.",
        ),
        Mistake(
            _without("groups"),
            "The new convolution has one group: pass on conv.groups.",
        ),
        Mistake(
            _without("dtype"),
            "The new convolution has torch's default dtype: pass on conv.weight.dtype.",
        ),
        Mistake(
            lambda conv, bn: conv,
            "You return conv unchanged: scale its weight and shift its bias.",
        ),
    ),
)
