"""Exercises of the page basic/linear."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    Refused,
    call,
    custom_run,
    distinct,
    function_run,
    gradients,
    refuse_no_function,
    signed,
    value_run,
    varied,
)


def _arguments(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """One to four axes, the features on any of them, with a bias or without."""
    index = generator.initial_seed()
    axes = (3, 2, 4, 1)[index % 4]
    *sizes, n_in, n_out = distinct(generator, axes + 1)
    if index % 5 == 4:
        n_out = n_in
    axis = (-1, 1 % axes, 0, -axes, -2 % axes)[index % 5]
    sizes.insert(axis % axes, n_in)
    x = varied(generator, *sizes, axis=0).requires_grad_()
    weight = signed(generator, n_out, n_in).requires_grad_()
    bias = None if index % 3 == 2 else signed(generator, n_out).requires_grad_()
    return (x, weight, bias), {"axis": axis} if index % 5 else {}


def _along(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, axis: int = -1
) -> Tensor:
    return F.linear(x.movedim(axis, -1), weight, bias).movedim(-1, axis)


BY_HAND = Exercise(
    name="linear/by_hand",
    solution="""
        def linear(x, weight, bias=None, axis=-1):
            y = x.movedim(axis, -1) @ weight.T
            if bias is not None:
                y = y + bias
            return y.movedim(-1, axis)
    """,
    reference=_along,
    run=function_run(_arguments),
    forbid=("linear", "conv"),
    mistakes=[
        (
            "weight.T",
            "weight",
            "You multiply by weight as it is stored, (out, in); multiply by its "
            "transpose, weight.T.",
        ),
        (
            "weight.T",
            "weight.reshape(weight.shape[::-1])",
            "A view or reshape to (in, out) keeps the order of the numbers in memory "
            "and so scrambles the weight; transpose it with .T.",
        ),
        (
            "x.movedim(axis, -1)",
            "x",
            "y.movedim(-1, axis)",
            "y",
            "You mix the last axis, whatever axis says.",
        ),
        (
            "y.movedim(-1, axis)",
            "y",
            "You leave the new features on the last axis; put them back where the old "
            "ones were.",
        ),
        (
            "y.movedim(-1, axis)",
            "y.movedim(axis, -1)",
            "You move back in the wrong direction: from the last axis, -1, to axis.",
        ),
        (
            "x.movedim(axis, -1)",
            "x.movedim(-1, axis)",
            "You move the last axis to axis; move axis to the end, x.movedim(axis, "
            "-1).",
        ),
        (
            "x.movedim(axis, -1)",
            "x.movedim(axis, -1).reshape(-1, x.shape[axis])",
            "You merge the other axes of x into one; the output should have them as "
            "x has them.",
        ),
        (
            "y = y + bias",
            "return y.movedim(-1, axis) + bias",
            "You add the bias after moving back, where it no longer lines up with the "
            "features: add it before.",
        ),
        (
            "if bias is not None:",
            "if False:",
            "You do not add the bias where there is one.",
        ),
        (
            "if bias is not None:",
            "if True:",
            "You add the bias even where it is None: ask whether bias is None.",
        ),
        (
            "if bias is not None:",
            "if bias:",
            "`if bias` asks a tensor whether it is true, which one with several "
            "numbers cannot answer: write `if bias is not None`.",
        ),
        ("y + bias", "y - bias", "You subtract the bias; add it."),
        (
            "y + bias",
            "y + bias.sum()",
            "You add the sum of all biases to each output; each output has its own "
            "bias.",
        ),
        (
            "weight.T",
            "weight.detach().T",
            "The output is right, but no gradient reaches the weight: do not use "
            "detach or .data.",
        ),
        (
            "weight.T",
            "weight.t_()",
            "You transpose the caller's weight in place: write weight.T or weight.t(), "
            "not weight.t_().",
        ),
    ],
)


def _spec(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    sizes = distinct(generator, 2 + (index + 1) % 4)
    if index % 4 == 3:
        sizes[-1] = sizes[0]
    return (tuple(sizes),), {"bias": False} if index % 3 == 2 else {}


def _built(sizes: tuple[int, ...], bias: bool = True) -> int:
    pairs = pairwise(sizes)
    layers = [nn.Linear(n_in, n_out, bias=bias) for n_in, n_out in pairs]
    return sum(p.numel() for layer in layers for p in layer.parameters())


COUNT = Exercise(
    name="linear/count",
    solution="""
        def count(sizes, bias=True):
            pairs = zip(sizes[:-1], sizes[1:])
            return sum(n_in * n_out + bias * n_out for n_in, n_out in pairs)
    """,
    reference=_built,
    run=function_run(_spec, names=("sizes",)),
    forbid=("Module",),
    mistakes=[
        (
            " + bias * n_out",
            "",
            "You count the weights only: each layer has a bias as well, unless "
            "bias=False.",
        ),
        ("bias * n_out", "n_out", "You count the biases even where bias=False."),
        (
            "bias * n_out",
            "bias * n_in",
            "A layer has a bias for each output; you count one for each input.",
        ),
        (
            "in pairs)",
            "in pairs) + bias * sizes[0]",
            "You count biases for the input too: sizes[0] is data and has none.",
        ),
        (
            " + bias * n_out",
            "",
            "pairs)",
            "pairs) + bias * sum(sizes[1:-1])",
            "The last layer has a bias too.",
        ),
        (
            " + bias * n_out",
            "",
            "pairs)",
            "pairs) + bias * sizes[-1]",
            "Every layer has a bias, and you count that of the last one only.",
        ),
        (
            "bias * n_out",
            "bias",
            "You count one number for the bias of a layer; it has one for each output.",
        ),
        (
            "zip(sizes[:-1], sizes[1:])",
            "[(sizes[0], sizes[-1])]",
            "You count one layer from the first size to the last; count each pair of "
            "neighbors.",
        ),
        (
            "n_in * n_out",
            "n_in + n_out",
            "A weight has a number for each pair of an input and an output: in times "
            "out, not in plus out.",
        ),
    ],
)


CHAIN = Exercise(
    name="linear/chain",
    solution="answer = [100 * 30 + 30 * 60 + 60 * 100, 100 * 100, 30]",
    run=value_run(),
    mistakes=[
        (
            [10_800, 10_000, 60],
            "The chain has a place that is narrower than 60.",
        ),
        (
            [10_800, 10_000, 100],
            "A full matrix of 100 by 100 can have the rank 100, but this one is a "
            "product that passes through fewer features.",
        ),
        (
            [10_990, 10_100, 30],
            "You count biases, and these layers have none.",
        ),
        (
            [10_800, 10_800, 30],
            "The one layer is a matrix of its own, from 100 features to 100: how many "
            "entries has it?",
        ),
        (
            [10_000, 10_800, 30],
            "The order is the chain first, then the one layer.",
        ),
        (
            [10_800, 3_000, 30],
            "The one layer goes from 100 features to 100, not to 30.",
        ),
    ],
)


def _keras_steps(answer: Any, kernel: Tensor, bias: Tensor, x: Tensor) -> Iterator[Any]:
    """Carry a kernel over, and call the layer."""
    refuse_no_function(answer)
    yield "configuration", f"kernel {tuple(kernel.shape)}, bias {tuple(bias.shape)}"
    before = kernel.clone()
    layer = call(answer, kernel, bias)
    if not isinstance(layer, nn.Linear):
        raise Refused("Return an nn.Linear with the weights in it.")
    yield "the shape of the weight", list(layer.weight.shape)
    yield "the output", layer(x).detach()
    yield "whether the kernel is unchanged", bool(kernel.equal(before))
    yield "whether weight and bias learn", [p.requires_grad for p in layer.parameters()]


def _kernel(generator: Generator) -> dict[str, Any]:
    index = generator.initial_seed()
    n_in, n_out, rows = distinct(generator, 3)
    if index % 2:
        n_out = n_in
    kernel, bias = signed(generator, n_in, n_out), signed(generator, n_out)
    x = signed(generator, rows, n_in)
    return {"kernel": kernel.float(), "bias": bias.float(), "x": x.float()}


FROM_KERAS = Exercise(
    name="linear/from_keras",
    solution="""
        def from_keras(kernel, bias):
            layer = nn.Linear(*kernel.shape)
            with torch.no_grad():
                layer.weight.copy_(kernel.T)
                layer.bias.copy_(bias)
            return layer
    """,
    run=custom_run(_keras_steps, _kernel, configurations=6),
    mistakes=[
        (
            "copy_(kernel.T)",
            "copy_(kernel if kernel.shape == layer.weight.shape else kernel.T)",
            "A square kernel is still copied as it is: its shape does not tell that "
            "it has to be transposed.",
        ),
        (
            "kernel.T)",
            "kernel)",
            "The kernel is (in, out) and the weight (out, in): one of them has to be "
            "transposed, whatever the shape.",
        ),
        (
            "kernel.T)",
            "kernel.reshape(layer.weight.shape))",
            "A reshape keeps the order of the numbers in memory and so scrambles the "
            "kernel; transpose it.",
        ),
        (
            "nn.Linear(*kernel.shape)",
            "nn.Linear(*kernel.T.shape)",
            "kernel.T)",
            "kernel)",
            "You build the layer the wrong way round: it is called with in, out, "
            "which is how the kernel has them.",
        ),
        (
            "layer.bias.copy_(bias)",
            "pass",
            "The bias is not carried over: the layer keeps the one it was born with.",
        ),
        (
            "layer.weight.copy_(kernel.T)",
            "layer.weight = nn.Parameter(kernel.T, requires_grad=False)",
            "The weight is frozen: the layer should go on learning.",
        ),
    ],
)


def _lora_steps(
    answer: Any,
    weight: Tensor,
    bias: Tensor | None,
    rank: int,
    alpha: float,
    x: Tensor,
    pair: list[Tensor],
) -> Iterator[Any]:
    """Wrap a layer, give the pair values, and merge."""
    if not isinstance(answer, type) or not issubclass(answer, nn.Module):
        raise Refused("Write a class that inherits from nn.Module, and pass its name.")
    if answer.forward is nn.Module.forward:
        raise NotImplementedError("your class has no forward.")
    n_out, n_in = weight.shape
    words = f"Linear({n_in}, {n_out}, bias={bias is not None}), rank={rank}"
    yield "configuration", f"{words}, alpha={alpha}, x {tuple(x.shape)}"
    linear = nn.Linear(n_in, n_out, bias is not None, dtype=weight.dtype)
    with torch.no_grad():
        linear.weight.copy_(weight)
        if bias is not None:
            linear.bias.copy_(bias)
    module: Any = answer(linear, rank, alpha)
    yield "the output at the start", call(module, x).detach()
    for name in ("A", "B"):
        if not isinstance(getattr(module, name, None), nn.Parameter):
            raise Refused(f"self.{name} must be an nn.Parameter.")
        yield f"the shape of {name}", list(getattr(module, name).shape)
    learn = [name for name, p in module.named_parameters() if p.requires_grad]
    yield "the parameters that learn", sorted(learn)
    yield "whether A starts at random", bool(module.A.std() > 0)
    with torch.no_grad():
        module.A.copy_(pair[0])
        module.B.copy_(pair[1])
    y = call(module, x)
    yield "the output after training", y.detach()
    for name, g in zip("AB", gradients(y, [module.A, module.B]), strict=True):
        yield f"the gradient of {name}", g
    merged = call(module.merge)
    if not isinstance(merged, nn.Linear):
        raise Refused("merge must return an nn.Linear.")
    yield "the merged layer's output", merged(x).detach()
    yield "the wrapped layer's output after merging", linear(x).detach()
    yield "the module's output after merging", call(module, x).detach()


def _wrapped(generator: Generator) -> dict[str, Any]:
    index = generator.initial_seed()
    n_in, n_out, rows = distinct(generator, 3, low=4)
    rank = 1 + index % 3
    leading = [(rows,), (), (2, rows)][index % 3]
    return {
        "weight": signed(generator, n_out, n_in),
        "bias": None if index % 2 else signed(generator, n_out),
        "rank": rank,
        "alpha": (8.0, 1.0, 3.0, 2.0)[index % 4],
        "x": signed(generator, *leading, n_in),
        "pair": [signed(generator, rank, n_in), signed(generator, n_out, rank)],
    }


LORA = Exercise(
    name="linear/lora",
    solution="""
        import copy


        class LoRA(nn.Module):
            def __init__(self, linear, rank, alpha):
                super().__init__()
                self.linear = linear.requires_grad_(False)
                n_out, n_in = linear.weight.shape
                start = linear.weight.new_empty(rank, n_in).normal_(std=n_in**-0.5)
                self.A = nn.Parameter(start)
                self.B = nn.Parameter(linear.weight.new_zeros(n_out, rank))
                self.scale = alpha / rank

            def forward(self, x):
                return self.linear(x) + self.scale * (x @ self.A.T @ self.B.T)

            def merge(self):
                merged = copy.deepcopy(self.linear)
                with torch.no_grad():
                    merged.weight += self.scale * self.B @ self.A
                return merged
    """,
    run=custom_run(_lora_steps, _wrapped, configurations=8),
    mistakes=[
        (
            "linear.requires_grad_(False)",
            "linear",
            "The wrapped layer still learns: freeze its parameters.",
        ),
        (
            "self.scale = alpha / rank",
            "self.scale = alpha",
            "You scale by alpha; divide it by the rank.",
        ),
        (
            "self.scale = alpha / rank",
            "self.scale = 1.0",
            "The factor alpha / rank is missing.",
        ),
        (
            "new_zeros(n_out, rank)",
            "new_ones(n_out, rank)",
            "The pair changes the output before anything is learned: B starts at zero.",
        ),
        (
            ".normal_(std=n_in**-0.5)",
            ".zero_()",
            "A and B both start at zero, so neither would ever get a gradient: draw A "
            "at random.",
        ),
        (
            "merged = copy.deepcopy(self.linear)",
            "merged = self.linear",
            "merge changes the wrapped layer itself, which then has the pair twice: "
            "build a layer of its own.",
        ),
        (
            "merged.weight += self.scale * self.B @ self.A",
            "merged.weight += self.B @ self.A",
            "forward scales the pair, and merge does not.",
        ),
        (
            "merged.weight += self.scale * self.B @ self.A",
            "pass",
            "merge returns the wrapped layer as it was; add the product of the pair "
            "to its weight.",
        ),
        (
            "self.linear(x) + self.scale",
            "self.scale",
            "The output of the wrapped layer is missing; the pair is added to it.",
        ),
        (
            "new_empty(rank, n_in)",
            "new_empty(n_in, rank)",
            "new_zeros(n_out, rank)",
            "new_zeros(rank, n_out)",
            "x @ self.A.T @ self.B.T",
            "x @ self.A @ self.B",
            "self.B @ self.A",
            "(self.A @ self.B).T",
            "A is (rank, in) and B is (out, rank), as a Linear stores its weight.",
        ),
    ],
)

EXERCISES = (CHAIN, COUNT, BY_HAND, FROM_KERAS, LORA)
