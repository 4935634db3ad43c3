"""Exercise: a convolution by hand."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    Mistake,
    distinct,
    function_run,
    signed,
    varied,
)

KERNELS = ((3, 2), (2, 3), (1, 4), (3, 3), (4, 1), (2, 2))


def _pictures(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Neither kernels nor pictures are square, and strides do not always divide.

    At the end come a batch of 1, one channel, and a single row of windows.
    """
    index = generator.initial_seed()
    n, channels, outputs = distinct(generator, 3)
    n, channels, outputs = {
        8: (1, channels, outputs),
        9: (n, 1, outputs),
        10: (n, channels, 1),
    }.get(index, (n, channels, outputs))
    height, width = 7 + index % 2, 9 + index % 3
    if index % 4 == 1:
        height, width = width, height
    if index == 8:
        height = KERNELS[2][0]
    x = varied(generator, n, channels, height, width)
    weight = signed(generator, outputs, channels, *KERNELS[index % 6])
    bias = signed(generator, outputs)
    args = tuple(t.requires_grad_() for t in (x, weight, bias))
    how = ({}, {"stride": 2}, {"padding": 1}, {"stride": 3, "padding": 2})[index % 4]
    return args, dict(how)


def _conv(wrong: str = "") -> Any:
    def answer(
        x: Tensor, weight: Tensor, bias: Tensor, stride: int = 1, padding: int = 0
    ) -> Tensor:
        frame, mode, steps = [padding] * 4, "constant", (stride, stride)
        if wrong == "flipped":
            weight = weight.flip(2, 3)
        elif wrong == "channels flipped":
            weight = weight.flip(1)
        elif wrong == "no padding":
            frame = [0] * 4
        elif wrong == "one side":
            frame = [padding, 0] * 2
        elif wrong == "columns only":
            frame = [padding] * 2 + [0] * 2
        elif wrong == "rows padded":
            frame = [0] * 2 + [padding] * 2
        elif wrong in ("replicate", "reflect", "circular"):
            mode = wrong if padding else mode
        elif wrong == "no stride":
            steps = (1, 1)
        elif wrong == "rows only":
            steps = (stride, 1)
        elif wrong == "columns strided":
            steps = (1, stride)
        elif wrong == "detached":
            x = x.detach()
        elif wrong == "detached weight":
            weight = weight.detach()
        elif wrong == "no bias":
            bias = torch.zeros_like(bias)
        elif wrong == "bias for each channel":
            bias = bias * x.shape[1]
        elif wrong == "bias for each entry":
            bias = bias * weight[0, 0].numel()
        elif wrong == "bias for each product":
            bias = bias * weight[0].numel()
        elif wrong == "first channel":
            x, weight = x[:, :1], weight[:, :1]
        elif wrong == "one kernel":
            weight = weight[:, :1].expand_as(weight)
        elif wrong == "mean":
            weight = weight / weight[0].numel()
        elif wrong == "mean over channels":
            weight = weight / weight.shape[1]
        x = F.pad(x, frame, mode)
        if wrong == "late start":
            x = x[:, :, stride - 1 :, stride - 1 :]
        if wrong == "one too few":
            k_h, k_w = weight.shape[2:]
            h, w = (n - stride for n in x.shape[2:])
            x = x[:, :, : max(h, k_h), : max(w, k_w)]
        return F.conv2d(x, weight, bias, steps)

    return answer


BY_HAND_HINTS = {
    "flipped": (
        "You flip the kernel: torch's sum is x[i + u] * weight[u], with a plus, and "
        "nothing is turned around."
    ),
    "channels flipped": (
        "You meet the input channels in the wrong order: channel c of x belongs to "
        "weight[:, c]."
    ),
    "no padding": (
        "You do not use padding: put that many zeros on all four sides first."
    ),
    "one side": "You pad the left and the top only; padding counts for all four sides.",
    "columns only": (
        "You pad the last axis only; F.pad needs four numbers for two axes."
    ),
    "rows padded": (
        "You pad the rows only; F.pad takes the last axis first, and needs four "
        "numbers."
    ),
    "replicate": "You repeat the border; the default padding_mode is zeros.",
    "reflect": (
        "You mirror the picture at its border; the default padding_mode is zeros."
    ),
    "circular": (
        "You continue the picture from its other side; the default padding_mode is "
        "zeros."
    ),
    "no stride": (
        "You do not use stride: the window for output i starts at row i * stride."
    ),
    "rows only": "You stride along the rows only; the columns need it too.",
    "columns strided": "You stride along the columns only; the rows need it too.",
    "late start": "Your first window starts at stride - 1; it starts at 0.",
    "one too few": (
        "You leave out the last window of each axis: there are (H - k_H) // stride "
        "+ 1 of them, the + 1 included."
    ),
    "no bias": "You do not add bias.",
    "bias for each channel": (
        "You add bias once for each input channel: it is added once to the sum."
    ),
    "bias for each entry": (
        "You add bias once for each entry of the kernel: it is added once to the sum."
    ),
    "bias for each product": (
        "You add bias to every product: it is added once, to their sum."
    ),
    "mean": "You take the mean over the window: a convolution adds the products.",
    "mean over channels": "You average over the input channels: they are added up.",
    "first channel": "You use the first input channel only: all of them are added up.",
    "one kernel": (
        "You use weight[:, 0] for every input channel: each has numbers of its own."
    ),
    "detached": "The output is right, the gradient of x is not: do not detach x.",
    "detached weight": (
        "The output is right, the gradient of weight is not: use weight itself, not "
        "weight.data, weight.detach() or numbers taken out of it."
    ),
}

BY_HAND = Exercise(
    name="conv/by_hand",
    reference=_conv(),
    run=function_run(_pictures),
    forbid=("conv",),
    mistakes=tuple(
        Mistake(_conv(wrong), hint) for wrong, hint in BY_HAND_HINTS.items()
    ),
)
