"""Exercises of the page basic/linear."""

from itertools import pairwise
from typing import Any

from torch import Generator, nn
from torch.nn import functional as F

from layers_book.checking import Exercise, distinct, function_run, signed, varied


def _arguments(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """None to three axes before the features, with a bias or without."""
    index = generator.initial_seed()
    leading = (2, 1, 3, 0)[index % 4]
    *sizes, n_in, n_out = distinct(generator, leading + 2)
    if index % 5 == 4:
        n_out = n_in
    x = varied(generator, *sizes, n_in, axis=0).requires_grad_()
    weight = signed(generator, n_out, n_in).requires_grad_()
    bias = None if index % 3 == 2 else signed(generator, n_out).requires_grad_()
    return (x, weight, bias), {}


BY_HAND = Exercise(
    name="linear/by_hand",
    solution="""
        def linear(x, weight, bias=None):
            y = x @ weight.T
            return y if bias is None else y + bias
    """,
    reference=F.linear,
    run=function_run(_arguments),
    forbid=("linear", "conv"),
    mistakes=[
        (
            "weight.T",
            "weight",
            "You multiply by weight as it is stored, (out, in); multiply by its "
            "transpose, x @ weight.T.",
        ),
        (
            "weight.T",
            "weight.reshape(weight.shape[::-1])",
            "A view or reshape to (in, out) keeps the order of the numbers in memory "
            "and so scrambles the weight; transpose it with .T.",
        ),
        (
            "x @ weight.T",
            "torch.tensordot(x, weight, ([0], [1]))",
            "You sum over the first axis of x; the features are on its last one.",
        ),
        (
            "x @ weight.T",
            "weight @ x.mT",
            "weight @ x.mT puts the new features on the last axis but one; with x @ "
            "weight.T they come last.",
        ),
        (
            "x @ weight.T",
            'torch.einsum("ni,ki->nk", x, weight)',
            "Your code takes x with exactly two axes; let it have any number: @ does "
            'by itself, einsum with "...i".',
        ),
        (
            "x @",
            "x.reshape(-1, x.shape[-1]) @",
            "You merge the leading axes of x into one; the output should have them as "
            "x has them.",
        ),
        (
            "y if bias is None else y + bias",
            "y",
            "You do not add the bias where there is one.",
        ),
        (
            "y if bias is None else y + bias",
            "y + bias",
            "You add the bias even where it is None: ask whether bias is None.",
        ),
        (
            "y if bias is None else y + bias",
            "y + bias if bias else y",
            "`if bias` asks a tensor whether it is true, which one with several "
            "numbers cannot answer: write `if bias is not None`.",
        ),
        ("+ bias", "- bias", "You subtract the bias; add it."),
        (
            "+ bias",
            "+ bias.sum()",
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


def _pair(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """One to three leading axes; inputs of equal width in the first configuration."""
    index = generator.initial_seed()
    leading = 1 + index % 3
    *sizes, n_out, n1, n2 = distinct(generator, leading + 3)
    if not index:
        n1 = n2
    x1 = varied(generator, *sizes, n1, axis=0).requires_grad_()
    x2 = signed(generator, *sizes, n2).requires_grad_()
    weight = signed(generator, n_out, n1, n2).requires_grad_()
    bias = None if index % 4 == 3 else signed(generator, n_out).requires_grad_()
    return (x1, x2, weight, bias), {}


BILINEAR = Exercise(
    name="linear/bilinear",
    solution="""
        def bilinear(x1, x2, weight, bias=None):
            y = torch.einsum("...i,kij,...j->...k", x1, weight, x2)
            return y if bias is None else y + bias
    """,
    reference=F.bilinear,
    run=function_run(_pair, names=("x1", "x2", "weight", "bias")),
    forbid=("linear",),
    mistakes=[
        (
            "...i,kij,...j",
            "...j,kij,...i",
            "You pair x1 with the last axis of weight and x2 with the middle one; "
            "weight is (out, in1, in2).",
        ),
        ("kij", "ijk", "You read weight as (in1, in2, out); it is (out, in1, in2)."),
        (
            "...i,kij,...j->...k",
            "ni,kij,mj->nmk",
            "You combine each row of x1 with each row of x2; give the leading axes of "
            "both the same letter, or dots.",
        ),
        (
            "...i,kij,...j->...k",
            "ni,kij,nj->nk",
            "Your formula takes inputs with exactly two axes; write dots for any "
            "number of leading ones.",
        ),
        (
            "->...k",
            "->k...",
            "The outputs belong on the last axis: ...k after the arrow.",
        ),
        (
            "->...k",
            "->...kj",
            "The letter of in2 occurs after the arrow, so you do not sum over it.",
        ),
        (
            'torch.einsum("...i,kij,...j->...k", x1, weight, x2)',
            'torch.einsum("...i,kij->...k", x1, weight)'
            ' + torch.einsum("...j,kij->...k", x2, weight)',
            "You add what each input gives by itself; Bilinear multiplies the two.",
        ),
        (
            "y if bias is None else y + bias",
            "y",
            "You do not add the bias where there is one.",
        ),
        (
            "y if bias is None else y + bias",
            "y + bias",
            "You add the bias even where it is None: ask whether bias is None.",
        ),
        (
            "x1, weight, x2",
            "x1, weight.detach(), x2",
            "The output is right, but no gradient reaches the weight: do not use "
            "detach or .data.",
        ),
    ],
)

EXERCISES = (BY_HAND, COUNT, BILINEAR)
