"""Exercises of the page basic/linear."""

from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    Mistake,
    distinct,
    function_run,
    signed,
    varied,
)


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
            "weight @ x.mT puts the new features on the last axis but one; with "
            "x @ weight.T they come last.",
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
            "if bias is None else y + bias",
            "+ bias if bias else y",
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


def _wrong_count(wrong: str) -> Any:
    def answer(sizes: tuple[int, ...], bias: bool = True) -> int:
        weights = sum(a * b for a, b in pairwise(sizes))
        if wrong == "no bias":
            return weights
        if wrong == "always bias":
            return weights + sum(sizes[1:])
        if wrong == "ends":
            return sizes[0] * sizes[-1] + bias * sizes[-1]
        if wrong == "sums":
            return sum(sizes[:-1]) + sum(sizes[1:]) + bias * sum(sizes[1:])
        biases = {
            "bias of the input": sum(sizes),
            "bias per input": sum(sizes[:-1]),
            "hidden only": sum(sizes[1:-1]),
            "last only": sizes[-1],
            "one each": len(sizes) - 1,
        }
        return weights + bias * biases[wrong]

    return answer


COUNT = Exercise(
    name="linear/count",
    reference=_built,
    run=function_run(_spec, names=("sizes",), float32=False),
    forbid=("empty", "uniform_"),
    mistakes=(
        Mistake(
            _wrong_count("no bias"),
            "You count the weights only: each layer has a bias as well, unless "
            "bias=False.",
        ),
        Mistake(
            _wrong_count("always bias"),
            "You count the biases even where bias=False.",
        ),
        Mistake(
            _wrong_count("bias per input"),
            "A layer has a bias for each output; you count one for each input.",
        ),
        Mistake(
            _wrong_count("bias of the input"),
            "You count biases for the input too: sizes[0] is data and has none.",
        ),
        Mistake(
            _wrong_count("hidden only"),
            "The last layer has a bias too.",
        ),
        Mistake(
            _wrong_count("last only"),
            "Every layer has a bias, and you count that of the last one only.",
        ),
        Mistake(
            _wrong_count("one each"),
            "You count one number for the bias of a layer; it has one for each output.",
        ),
        Mistake(
            _wrong_count("ends"),
            "You count one layer from the first size to the last; count each pair of "
            "neighbors.",
        ),
        Mistake(
            _wrong_count("sums"),
            "A weight has a number for each pair of an input and an output: in times "
            "out, not in plus out.",
        ),
    ),
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


def _wrong_bilinear(wrong: str) -> Any:
    formulas = {
        "swapped": "...j,kij,...i->...k",
        "cross": "ni,kij,mj->nmk",
        "two axes": "ni,kij,nj->nk",
        "output first": "...i,kij,...j->k...",
        "not summed": "...i,kij,...j->...kj",
        "weight last": "...i,ijk,...j->...k",
    }

    def answer(
        x1: Tensor, x2: Tensor, weight: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        if wrong == "detached":
            weight = weight.detach()
        if wrong == "sum of two":
            y = torch.einsum("...i,kij->...k", x1, weight)
            y = y + torch.einsum("kij,...j->...k", weight, x2)
        else:
            formula = formulas.get(wrong, "...i,kij,...j->...k")
            y = torch.einsum(formula, x1, weight, x2)
        if wrong == "no bias":
            return y
        if wrong == "bias needed":
            return y + bias  # type: ignore[operator]
        return y if bias is None else y + bias

    return answer


BILINEAR = Exercise(
    name="linear/bilinear",
    reference=F.bilinear,
    run=function_run(_pair, names=("x1", "x2", "weight", "bias")),
    forbid=("linear",),
    mistakes=(
        Mistake(
            _wrong_bilinear("swapped"),
            "You pair x1 with the last axis of weight and x2 with the middle one; "
            "weight is (out, in1, in2).",
        ),
        Mistake(
            _wrong_bilinear("weight last"),
            "You read weight as (in1, in2, out); it is (out, in1, in2).",
        ),
        Mistake(
            _wrong_bilinear("cross"),
            "You combine each row of x1 with each row of x2; give the leading axes of "
            "both the same letter, or dots.",
        ),
        Mistake(
            _wrong_bilinear("two axes"),
            "Your formula takes inputs with exactly two axes; write dots for any "
            "number of leading ones.",
        ),
        Mistake(
            _wrong_bilinear("output first"),
            "The outputs belong on the last axis: ...k after the arrow.",
        ),
        Mistake(
            _wrong_bilinear("not summed"),
            "The letter of in2 occurs after the arrow, so you do not sum over it.",
        ),
        Mistake(
            _wrong_bilinear("sum of two"),
            "You add what each input gives by itself; Bilinear multiplies the two.",
        ),
        Mistake(
            _wrong_bilinear("no bias"), "You do not add the bias where there is one."
        ),
        Mistake(
            _wrong_bilinear("bias needed"),
            "You add the bias even where it is None: ask whether bias is None.",
        ),
        Mistake(
            _wrong_bilinear("detached"),
            "The output is right, but no gradient reaches the weight: do not use "
            "detach or .data.",
        ),
    ),
)

EXERCISES = (BY_HAND, COUNT, BILINEAR)
