"""Exercise: the parameters of a recurrent layer."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, nn

from layers_book.checking import Exercise, Mistake, Refused, function_run

KINDS = {1: nn.RNN, 3: nn.GRU, 4: nn.LSTM}


def _settings(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    inputs, hidden = (int(i) for i in torch.randint(1, 40, (2,), generator=generator))
    kwargs: dict[str, Any] = {
        "num_layers": (1, 2, 3, 1, 4, 2)[index % 6],
        "D": (1, 2)[index // 2 % 2],
        "bias": index % 3 != 2,
    }
    if not index:
        kwargs = {}  # the defaults
    return ((1, 3, 4)[(index + index // 3) % 3], inputs, hidden + 40), kwargs


def _total(
    blocks: int,
    H_in: int,
    H_out: int,
    num_layers: int = 1,
    D: int = 1,
    bias: bool = True,
) -> int:
    loop = KINDS[blocks](H_in, H_out, num_layers, bias=bias, bidirectional=D == 2)
    return sum(weight.numel() for weight in loop.parameters())


def _count(wrong: str) -> Any:
    def answer(
        blocks: int,
        H_in: int,
        H_out: int,
        num_layers: int = 1,
        D: int = 1,
        bias: bool = True,
    ) -> Any:
        if wrong == "swapped":
            H_in, H_out = H_out, H_in
        elif wrong == "bias always":
            bias = True
        elif wrong == "no bias":
            bias = False
        elif wrong == "gates only":
            blocks = {1: 1, 3: 2, 4: 3}[blocks]
        elif wrong == "one block":
            blocks = 1
        elif wrong == "one layer":
            num_layers = 1
        elif wrong == "one direction":
            D = 1
        elif wrong == "a layer more":
            num_layers += 1
        biases = 1 if wrong == "one bias" else 2
        total = 0
        for layer in range(min(num_layers, 2) if wrong == "two layers" else num_layers):
            above = H_out if wrong == "above without D" else D * H_out
            inputs = H_in if layer == 0 or wrong == "H_in above" else above
            back = D * H_out if wrong == "D in W_hh" else H_out
            if wrong == "H_in in W_hh" and layer == 0:
                back = H_in
            one = blocks * H_out * (inputs + back + biases * bias)
            if wrong == "bias not in blocks":
                one = H_out * (blocks * (inputs + back) + biases * bias)
            elif wrong == "blocks in W_ih only":
                one = H_out * (blocks * inputs + back + biases * bias)
            elif wrong == "bias one number":
                one = blocks * (H_out * (inputs + back) + biases * bias)
            elif wrong == "bias once":
                one = blocks * H_out * (inputs + back) + biases * bias * (layer == 0)
            elif wrong == "no W_hh":
                one = blocks * H_out * (inputs + biases * bias)
            elif wrong == "no W_ih":
                one = blocks * H_out * (back + biases * bias)
            single = wrong == "cells without D" or (wrong == "one above" and layer)
            total += one if single else D * one
        if wrong == "tensor":
            return torch.tensor(total)
        return float(total) if wrong == "float" else total

    return answer


HINTS = {
    "swapped": "You have swapped H_in and H_out: a block maps to H_out numbers.",
    "H_in above": "Your upper layers read H_in numbers: they read the outputs of the "
    "layer below.",
    "above without D": "Your upper layers read H_out numbers: with two directions the "
    "layer below gives D * H_out.",
    "cells without D": "You count one cell a layer: there are D of them.",
    "one above": "You count one cell in each upper layer: there are D of them as well.",
    "one direction": "You do not use D: with two directions there are two cells a "
    "layer, and the upper ones read D * H_out numbers.",
    "one layer": "You do not use num_layers.",
    "two layers": "You count two layers at most: each upper layer adds its cells.",
    "a layer more": "You count one layer too many: num_layers includes the first.",
    "one bias": "You count one bias vector a block: torch has two, b_ih and b_hh.",
    "no bias": "You count no biases: with bias=True there are two vectors a block.",
    "bias always": "You count biases with bias=False, too.",
    "bias not in blocks": "Your biases are not multiplied by blocks: each block has "
    "its own two.",
    "bias once": "You count two biases in all: each block of each cell has two vectors "
    "of H_out numbers.",
    "bias one number": "You count a bias as one number: it is a vector of H_out.",
    "gates only": "You count the gates without the proposal for the new state: "
    "multiply by blocks as it is.",
    "one block": "You do not use blocks.",
    "blocks in W_ih only": "You multiply W_ih by blocks and W_hh not: each block has "
    "both.",
    "D in W_hh": "Your W_hh reads D * H_out numbers: a direction reads its own state "
    "only, H_out numbers.",
    "H_in in W_hh": "Your W_hh reads H_in numbers: it reads the state, H_out numbers.",
    "no W_hh": "You leave out W_hh, the weights that read the state.",
    "no W_ih": "You leave out W_ih, the weights that read the input.",
    "float": "The number is right, its type is not: a count is a whole number; divide "
    "with // if you must.",
    "tensor": "The number is right, its type is not: return an int, not a tensor.",
}

_run = function_run(_settings, names=("blocks", "H_in", "H_out"), float32=False)


def _by_rule(answer: Any, generator: Generator) -> Iterator[tuple[Any, ...]]:
    try:
        yield from _run(answer, generator)
    except Refused as error:
        if "uniform_" not in str(error):
            raise
        raise Refused(
            "Your code makes a layer: find the rule, and compute with the six numbers."
        ) from error


COUNT = Exercise(
    name="recurrent/count",
    reference=_total,
    run=_by_rule,
    forbid=("uniform_",),  # with which a layer draws its weights
    mistakes=tuple(Mistake(_count(w), hint) for w, hint in HINTS.items()),
)
