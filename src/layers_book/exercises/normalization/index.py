"""Exercises of the page normalization/index."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from layers_book.checking import (
    Exercise,
    Refused,
    call,
    custom_run,
    distinct,
    function_run,
    refuse_no_function,
    value_run,
    varied,
)
from layers_book.exercises.normalization import FORBIDDEN, OTHER_DEFAULTS


def _arguments(
    generator: torch.Generator,
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A block of two to five axes, some of them to be averaged over."""

    def integer(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    axes = integer(2, 5)
    x = varied(generator, *distinct(generator, axes)).requires_grad_()
    order = torch.randperm(axes, generator=generator).tolist()
    dims = tuple(sorted(order[: integer(1, axes)]))
    if integer(0, 2) == 0:
        dims = tuple(d - axes for d in dims)  # counted from the end
    eps = {} if integer(0, 2) == 0 else {"eps": (1e-3, 0.1, 0.5)[integer(0, 2)]}
    return (x, dims), eps


NORMALIZE = Exercise(
    name="normalization/normalize",
    solution="""
        def normalize(x, dims, eps=1e-5):
            mean = x.mean(dims, keepdim=True)
            var = x.var(dims, keepdim=True, correction=0)
            return (x - mean) / torch.sqrt(var + eps)
    """,
    run=function_run(_arguments, names=("x", "dims")),
    forbid=FORBIDDEN,
    mistakes=[
        *OTHER_DEFAULTS,
        (
            "torch.sqrt(var + eps)",
            "(x.std(dims, keepdim=True) + eps)",
            "x.std divides by n - 1, and eps belongs inside the square root: compute "
            "torch.sqrt(x.var(..., correction=0) + eps).",
        ),
        (
            "x.var(dims, keepdim=True, correction=0)",
            "(x**2).mean(dims, keepdim=True) - mean**2",
            "The mean of squares minus the square of the mean cancels: with values "
            "around 1e4, float32 has no digits left. Average (x - mean) ** 2.",
        ),
        (
            "dims, keepdim",
            "dims[0], keepdim",
            "You average over the first of `dims` only: average over all of them.",
        ),
        (
            "    mean = x.mean(dims, keepdim=True)\n"
            "    var = x.var(dims, keepdim=True, correction=0)\n"
            "    return (x - mean) / torch.sqrt(var + eps)",
            "    for d in dims:\n"
            "        mean = x.mean(d, True)\n"
            "        var = x.var(d, keepdim=True, correction=0)\n"
            "        x = (x - mean) / torch.sqrt(var + eps)\n"
            "    return x",
            "You normalize along one axis after another: take one mean and one "
            "variance over all of `dims` at once.",
        ),
        (
            ", correction=0",
            "",
            "Your variance divides by n - 1; the layers normalize with the biased "
            "variance, 1/n: use var(..., correction=0).",
        ),
        (
            "torch.sqrt(var + eps)",
            "(torch.sqrt(var) + eps)",
            "You add eps to the standard deviation; it belongs to the variance, "
            "inside the square root.",
        ),
        (
            "var + eps",
            "var",
            "You leave eps out: add it to the variance before taking the square root.",
        ),
        (
            "var + eps",
            "var + 1e-5",
            "You use 1e-5 whatever the caller asks for: use the argument eps.",
        ),
        (
            "torch.sqrt(var + eps)",
            "(var + eps)",
            "You divide by the variance; divide by its square root.",
        ),
        (
            " / torch.sqrt(var + eps)",
            "",
            "You subtract the mean but do not divide: the variance of the result must "
            "be close to 1.",
        ),
        (
            "dims, keepdim",
            "tuple(range(x.ndim)), keepdim",
            "You average over all axes: average over `dims` only.",
        ),
        (
            "mean = x",
            "inside = [d % x.ndim for d in dims]\n"
            "    dims = [d for d in range(x.ndim) if d not in inside] or None\n"
            "    mean = x",
            "You average over the axes that are not in `dims`: `dims` names those to "
            "average over.",
        ),
        (
            ", keepdim=True",
            "",
            "mean and var drop the averaged axes, so they no longer line up with x: "
            "pass keepdim=True.",
        ),
        (
            "x.mean(",
            "x.detach().mean(",
            "x.var(",
            "x.detach().var(",
            "The output is right, but the gradient must also flow through mean and "
            "variance: do not detach them or compute them under no_grad.",
        ),
        (
            "return (x - mean) / torch.sqrt(var + eps)",
            "y = (x - mean) / torch.sqrt(var + eps)\n    x.data -= mean\n    return y",
            "Your function changes x itself: make a new tensor instead of x -= ... .",
        ),
    ],
)

COUNT = Exercise(
    name="normalization/count",
    solution="answer = [6, 8, 8 * 6, 8 * 3, 8 * 6 * 5]",
    run=value_run(),
    mistakes=[
        (
            [8, 6, 48, 24, 240],
            "BatchNorm and LayerNorm are swapped: BatchNorm averages over the samples, "
            "so one pair a channel remains.",
        ),
        (
            [6, 8, 6, 24, 240],
            "InstanceNorm does not average over samples: one pair for each channel of "
            "each sample, N times C.",
        ),
        (
            [6, 8, 48, 3, 240],
            "GroupNorm does not average over samples: one pair for each group of each "
            "sample, N times G.",
        ),
        (
            [6, 8, 48, 16, 240],
            "GroupNorm(3, 6) has three groups (of two channels each): N times 3 pairs.",
        ),
        (
            [6, 8, 48, 24, 8],
            "LayerNorm(5) averages over the last axis alone, W: every row of every "
            "channel of every sample keeps its own pair.",
        ),
        (
            [6, 8, 48, 24, 40],
            "LayerNorm(5) averages over the last axis alone, W; the channels keep "
            "their own pairs too: N times C times H.",
        ),
        (
            [6, 8, 48, 24, 5],
            "LayerNorm(5) averages over an axis of size 5; count the pairs that stay, "
            "one for each index of the other axes.",
        ),
        ([12, 16, 96, 48, 480], "Count pairs: a mean and a variance together are one."),
        (
            [1200, 1200, 1200, 1200, 1200],
            "All cells of x are normalized, but many share one pair: count the pairs.",
        ),
    ],
)


def _layers(generator: torch.Generator) -> dict[str, Any]:
    """The number of a layer, and a batch for it."""
    index = generator.initial_seed()
    x = torch.randn(4, 6, 3, 2, generator=generator, dtype=torch.float64)
    return {"number": index, "x": x}


def _looks_steps(answer: Any, number: int, x: Tensor) -> Iterator[Any]:
    """What the answer says of a layer, and whether all else stays as it is."""
    refuse_no_function(answer)
    kind, training, options = (
        ("BatchNorm2d", True, {}),
        ("BatchNorm2d", False, {}),
        ("GroupNorm", True, {}),
        ("InstanceNorm2d", True, {}),
        ("BatchNorm2d", False, {"track_running_stats": False}),
        ("InstanceNorm2d", False, {"track_running_stats": True}),
    )[number]
    sizes = (3, 6) if kind == "GroupNorm" else (6,)
    layer = getattr(nn, kind)(*sizes, **options).double().train(training)
    words = ", ".join(map(str, [*sizes, *(f"{k}={v}" for k, v in options.items())]))
    mode = "training" if training else "eval"
    yield "configuration", f"{kind}({words}) in {mode} mode, x {tuple(x.shape)}"
    given = x.clone()
    said = call(answer, layer, given)
    yield "whether the batch matters", bool(said) if isinstance(said, Tensor) else said
    yield "whether x is as before", torch.equal(given, x)
    if layer.training != training:
        raise Refused("You change the mode of layer: leave it as it is.")


LOOKS = Exercise(
    name="normalization/looks",
    solution="""
        def looks_at_the_batch(layer, x):
            other = x.clone()
            other[1:] += 3
            return not torch.equal(layer(x)[0], layer(other)[0])
    """,
    run=custom_run(_looks_steps, _layers, configurations=6),
    mistakes=[
        (
            "x.clone()",
            "x",
            "other is x itself under a second name, so you compare an output with "
            "itself, and change the caller's data: make a copy, x.clone().",
        ),
        (
            "+= 3",
            "+= 0",
            "The other samples are the same in both calls: change them.",
        ),
        (
            "other[1:]",
            "other[:1]",
            "You change sample 0 itself, whose output moves in every layer: change the "
            "others, and compare the output for sample 0.",
        ),
        (
            "return not torch.equal(layer(x)[0], layer(other)[0])",
            "return isinstance(layer, nn.BatchNorm2d)",
            "You ask for the class, but BatchNorm with buffers does not look at the "
            "batch in eval mode: compare outputs.",
        ),
        (
            "return not torch.equal(layer(x)[0], layer(other)[0])",
            "return isinstance(layer, nn.BatchNorm2d) and layer.training",
            "You ask for the mode, but a BatchNorm without buffers looks at the batch "
            "in eval mode as well: compare outputs.",
        ),
    ],
)

EXERCISES = (COUNT, NORMALIZE, LOOKS)
