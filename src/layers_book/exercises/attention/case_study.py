"""Exercises of the page attention/case_study."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor

from layers_book.checking import (
    Case,
    Exercise,
    Refused,
    call,
    custom_run,
    function_run,
    measure_run,
    refuse_no_function,
    value_run,
)

MEMORY = Exercise(
    name="attention_case_study/memory",
    solution="""
        answer = 16 * 4 * 1000 * 1000 * 4 / 1_000_000
    """,
    run=value_run(),
    mistakes=[
        (64, "You count the weights, in millions: each takes 4 bytes."),
        (
            16,
            "That is one sequence of the batch: 16 of them are read.",
        ),
        (
            4,
            "That is one head of one sequence: there are 4 heads and 16 sequences.",
        ),
        (
            512,
            "You give each number 8 bytes, as in float64: a float32 has 4.",
        ),
        (
            128,
            "That is half: 2 bytes a number are float16, and a causal mask saves "
            "nothing in a stored square.",
        ),
        (
            0.256,
            "Your answer grows with L, not with its square, or it is in gigabytes: "
            "each word has a weight for each word, and megabytes are asked for.",
        ),
        (
            256_000_000,
            "That is in bytes: megabytes are asked for.",
        ),
        (
            244.140625,
            "You divide by 1024 * 1024: a megabyte has 1,000,000 bytes here.",
        ),
        (
            0.256 * 1.000001 * 1000 * 8,
            "You count bits: 4 bytes are 32 of them.",
        ),
    ],
)


def _budgets(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A budget that H units have exactly, or H + 1 units exceed by so many.

    In this order each mistake is the first to err, as those before it have erred.
    """
    blocks, n_in, n_out, H, excess = (
        (4, 11, 1, 12, 0),  # exactly: <, and one too many
        (3, 5, 7, 20, 140),  # the head
        (3, 5, 7, 20, 100),  # all biases
        (3, 5, 7, 20, 80),  # the biases of all blocks but one
        (3, 5, 7, 20, 68),  # the closest
        (3, 5, 7, 20, 30),  # one of two biases
        (3, 5, 7, 20, 3),  # the head's biases
        (1, 2, 3, 7, 0),
        (1, 7, 2, 15, 1),
        (4, 5, 1, 9, 10),
    )[generator.initial_seed() % 10]
    H += excess > 0
    count = blocks * (H * n_in + H * H + 2 * H) + n_out * H + n_out
    return (count - excess, blocks, n_in, n_out), {}


UNITS = Exercise(
    name="attention_case_study/units",
    solution="""
        def units(budget, blocks, n_in, n_out):
            def count(H):
                return blocks * (H * n_in + H * H + 2 * H) + n_out * H + n_out

            H = 0
            while count(H + 1) <= budget:
                H = H + 1
            return H
    """,
    run=function_run(
        _budgets, names=("budget", "blocks", "n_in", "n_out"), configurations=10
    ),
    mistakes=[
        (
            "<= budget",
            "< budget",
            "A layer that has exactly the budget fits as well: compare with <=.",
        ),
        (
            "return H",
            "return H + 1",
            "You return the first number of units that is too large: one less.",
        ),
        (
            "+ 2 * H)",
            "+ H)",
            "Each block has two biases in torch, 2 * H numbers.",
        ),
        (
            "+ n_out * H + n_out",
            "",
            "You leave the head out: it has n_out * H weights and n_out biases.",
        ),
        (
            "blocks * (H",
            "(H",
            "You count one block: a GRU has three of them, an LSTM four.",
        ),
        (
            "+ H * H",
            "",
            "You leave the weights of the state out, H * H in each block.",
        ),
        (
            "H * n_in + H * H",
            "H * n_in + blocks * H * H",
            "You multiply the weights of the state by the blocks twice: all blocks "
            "are multiplied once, outside.",
        ),
        (
            "+ n_out * H + n_out",
            "+ n_out * H",
            "You leave the head's biases out: it has n_out of them.",
        ),
        (
            "+ 2 * H)",
            ")",
            "You leave the biases of the layer out: each block has two of them, in "
            "torch.",
        ),
        (
            "+ H * H + 2 * H)",
            "+ H * H) + 2 * H",
            "You count the biases once: each of the blocks has its own two.",
        ),
        (
            "(H * n_in +",
            "(n_in +",
            "You count one row of the weights of the input: each block has H * n_in.",
        ),
        (
            "return H",
            "return H + (budget - count(H) > count(H + 1) - budget)",
            "You return the number that comes closest, which may exceed the budget: "
            "no more than the budget is allowed.",
        ),
    ],
)


def _costs(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    lengths = torch.arange(1, 6, dtype=torch.float64)
    a, b = 1 + torch.rand(2, generator=generator, dtype=torch.float64)
    noise = torch.randn(5, generator=generator, dtype=torch.float64)
    return (lengths, a * lengths + b * lengths**2 + 0.3 * noise), {}


FIT = Exercise(
    name="attention_case_study/fit",
    solution="""
        def fit_cost(lengths, cost):
            basis = torch.stack([lengths, lengths**2], 1)
            return torch.linalg.lstsq(basis, cost[:, None]).solution[:, 0]
    """,
    run=function_run(_costs, names=("lengths", "cost"), float32=False),
    mistakes=[
        (
            "[lengths, lengths**2]",
            "[torch.ones_like(lengths), lengths]",
            "You fit a straight line, a + b L: asked for is a L + b L².",
        ),
        (
            "[lengths, lengths**2]",
            "[lengths**2, lengths]",
            "You return b and a: a, the factor of L, comes first.",
        ),
        (
            "[lengths, lengths**2]",
            "[torch.ones_like(lengths), lengths**2]",
            "You fit a + b L²: the first column must be the lengths, not ones.",
        ),
        (
            "[lengths, lengths**2]",
            "[lengths, 2 * lengths]",
            "Your second column is twice the first: it must be the squares of the "
            "lengths.",
        ),
        (
            "[lengths, lengths**2]",
            "[torch.ones_like(lengths), lengths, lengths**2]",
            "You fit three numbers: there is no constant in a L + b L².",
        ),
        (
            "(basis, cost[:, None])",
            "(basis / lengths[:, None], (cost / lengths)[:, None])",
            "You fit the cost a word: then long sequences weigh less. Fit the costs "
            "as they are.",
        ),
        (
            ".solution[:, 0]",
            ".solution",
            "Your answer has an axis too many: the shape is (2,).",
        ),
        (
            "[lengths, lengths**2]",
            "[lengths, lengths**3]",
            "You fit a L + b L³: the second column must be the squares.",
        ),
    ],
)

DILUTION = Exercise(
    name="attention_case_study/dilution",
    setup="""
        def share(L, seed):
            torch.manual_seed(seed)
            q, k = torch.randn(50, 1, 8), torch.randn(50, L, 8)  # (N, 1, E), (N, L, E)
            weights = (q @ k.mT / 8**0.5).softmax(-1)  # (N, 1, L)
            return weights[..., :6].sum(-1).mean().item()
    """,
    solution="""
        short = [share(11, seed) for seed in range(8)]
        long = [share(26, seed) for seed in range(8)]
        difference = torch.tensor(short) - torch.tensor(long)
        answer = difference.mean(), difference.std() / 8**0.5
    """,
    run=measure_run("short", "long"),
    mistakes=[
        (
            "share(26",
            "share(20",
            "You compare with 20 words: the longer sequence has 26.",
        ),
        (
            "share(11",
            "share(5",
            "You compare with 5 words, all of them among the first 6: the shorter "
            "sequence has 11.",
        ),
        (
            "share(26",
            "share(206",
            "You compare with 206 words: the longer sequence has 26.",
        ),
        (
            "share(26",
            "share(15",
            "You compare with 15 words, by which the lengths differ: the longer "
            "sequence has 26.",
        ),
        (
            "share(11",
            "share(17",
            "share(26",
            "share(32",
            "You add the first 6 words to the lengths: they are among the 11 and 26.",
        ),
        (
            "torch.tensor(short) - torch.tensor(long)",
            "torch.tensor(short) / torch.tensor(long)",
            "You divide one share by the other: the difference is asked for.",
        ),
        (
            "torch.tensor(short) - torch.tensor(long)",
            "1 - torch.tensor(long) / torch.tensor(short)",
            "You divide the difference by the larger share: give it as it is.",
        ),
        (
            "torch.tensor(short) - torch.tensor(long)",
            "torch.tensor(short).log() - torch.tensor(long).log()",
            "You subtract logarithms: subtract the shares themselves.",
        ),
        (
            "torch.tensor(short) - torch.tensor(long)",
            "(torch.tensor(short) - torch.tensor(long)) / 6",
            "That is for one of the first words: take the share of all 6 together.",
        ),
    ],
)


def _logs(generator: Generator) -> dict[str, Any]:
    index = generator.initial_seed()
    length = (300, 12, 60)[index % 3]
    log = torch.randint(2, 5, (4, length), generator=generator)
    for row in range(4):
        at = int(torch.randint(1, length, (), generator=generator))
        log[row, at - 1 : at + 1] = torch.randint(0, 2, (2,), generator=generator)
    log[0, 1:] = torch.where(log[0, 1:] < 2, 2, log[0, 1:])
    log[0, 0] = 1  # one press, at the far end
    log[1, -1] = 0  # and one in the last minute
    return {"log": log}


def _weights_steps(answer: Any, log: Tensor) -> Iterator[Any]:
    """Which minutes get more than 0.99 of the answer's weights, and their sum."""
    refuse_no_function(answer)
    yield "configuration", f"4 logs of {log.shape[1]} minutes"
    weights = call(answer, log.clone())
    if not isinstance(weights, Tensor) or weights.shape != log.shape:
        shape = tuple(weights.shape) if isinstance(weights, Tensor) else weights
        raise Refused(f"Return a tensor {tuple(log.shape)}, (N, L): got {shape}.")
    sums = weights.double().sum(1)
    yield Case(
        "fact", "the sum", "of the weights of a log", (sums * 1000).round() / 1000
    )
    yield Case("output", "", "(1 above 0.99; log, minute)", (weights > 0.99).long())


LAST_PRESS = Exercise(
    name="attention_case_study/last_press",
    solution="""
        def last_press(log):
            press = (log < 2).double()
            place = torch.arange(log.shape[1]).double()
            scores = 10 * place + 10_000 * press
            return scores.softmax(-1)
    """,
    run=custom_run(_weights_steps, _logs, configurations=6),
    mistakes=[
        (
            "10 * place + ",
            "",
            "Two presses share the weight: a later one must have a larger score.",
        ),
        (
            " + 10_000 * press",
            "",
            "You look at the last minute, whatever it holds: a press must score more "
            "than any other word.",
        ),
        (
            "10 * place",
            "place",
            "Of two neighbors that are presses, the later one gets only 0.73: a step "
            "of 1 in the score is too little.",
        ),
        (
            "10_000",
            "100",
            "A late word outweighs an early press: what a press is worth must exceed "
            "the places of 300 minutes.",
        ),
        (
            "10 * place",
            "-10 * place",
            "You look at the first press: the later one must have the larger score.",
        ),
        (
            "log < 2",
            "log == 1",
            "You look for on alone: off, word 0, is a press as well.",
        ),
        (
            "log < 2",
            "log == 0",
            "You look for off alone: on, word 1, is a press as well.",
        ),
        (
            "log < 2",
            "log >= 2",
            "You look at the words that are no presses: those are 2 to 4.",
        ),
        (
            "softmax(-1)",
            "softmax(0)",
            "Your softmax runs over the logs: the weights of each log sum to 1, along "
            "the last axis.",
        ),
        (
            "scores.softmax(-1)",
            "scores",
            "You return the scores: softmax makes weights of them.",
        ),
        (
            "scores.softmax(-1)",
            "scores.argmax(-1)",
            "You return the minute itself: the weights (N, L) are wanted.",
        ),
    ],
)

EXERCISES = (MEMORY, UNITS, FIT, DILUTION, LAST_PRESS)
