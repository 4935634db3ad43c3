"""Exercises of the page attention/transformer."""

from typing import Any

import torch
from torch import Generator

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    measure_run,
    value_run,
)


def _targets(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Answers of several lengths between start, 1, and end, 2; filler is 0."""
    n, wide = distinct(generator, 2)
    wide += 2
    tgt = torch.zeros(n, wide, dtype=torch.long)
    for row in range(n):
        size = int(torch.randint(0, wide - 1, (), generator=generator))
        size = wide - 2 if row == 0 else size
        tgt[row, 0], tgt[row, size + 1] = 1, 2
        letters = torch.randint(3, 10, (size,), generator=generator)
        tgt[row, 1 : size + 1] = letters
    return (tgt,), {}


SHIFT = Exercise(
    name="transformer/shift",
    solution="""
        def teacher(tgt):
            labels = tgt[:, 1:]
            return tgt[:, :-1], labels.masked_fill(labels == 0, -100)
    """,
    run=function_run(_targets, names=("tgt",), configurations=4),
    mistakes=[
        (
            "labels = tgt[:, 1:]",
            "labels = tgt[:, :-1]",
            "Your labels are what the decoder is given, so it learns to copy: the "
            "label of a position is the sign after it, tgt[:, 1:].",
        ),
        (
            "tgt[:, :-1], labels.masked_fill(labels == 0, -100)",
            "labels.masked_fill(labels == 0, -100), tgt[:, :-1]",
            "You return the labels first: first comes what the decoder is given.",
        ),
        (
            "labels = tgt[:, 1:]",
            "labels = tgt",
            "return tgt[:, :-1],",
            "return tgt,",
            "You return T + 1 positions, unshifted: the input lacks the last sign, the "
            "labels lack the first.",
        ),
        (
            "labels = tgt[:, 1:]",
            "labels = tgt[:, :-1]",
            "tgt[:, :-1],",
            "tgt[:, 1:],",
            "You shift the wrong way: from each sign your decoder would have to name "
            "the one before it.",
        ),
        (
            "labels.masked_fill(labels == 0, -100)",
            "labels",
            "Your labels still have the filler 0, and the loss would ask for it: put "
            "-100 there.",
        ),
        (
            "return tgt[:, :-1], labels",
            "return tgt.masked_fill(tgt == 0, -100)[:, :-1], labels",
            "You put -100 in the decoder's input, too: an embedding has no row -100; "
            "the input keeps its 0.",
        ),
        (
            "return tgt[:, :-1], labels.masked_fill(labels == 0, -100)",
            "return tgt.masked_fill(tgt == 0, -100)[:, :-1], labels",
            "You put -100 in the decoder's input in place of the labels.",
        ),
        (
            "labels = tgt[:, 1:]",
            "tgt[tgt == 0] = -100\n    labels = tgt[:, 1:]",
            "You write -100 into the tensor you were given, and so into the input as "
            "well: masked_fill makes a new one.",
        ),
        (
            "labels == 0",
            "labels <= 2",
            "You hide the end sign from the loss: then no answer ever learns to end.",
        ),
        (
            "labels == 0",
            "labels > 0",
            "Your mask is the wrong way round: -100 belongs where the label is 0.",
        ),
        (
            "labels.masked_fill(labels == 0, -100)",
            "labels.masked_fill(tgt[:, :-1] == 0, -100)",
            "You put -100 where the input is filler: the labels' filler begins one "
            "place earlier.",
        ),
        (
            "-100",
            "-1",
            "Your filler is -1: F.cross_entropy ignores -100 unless told otherwise.",
        ),
        (
            "tgt[:, :-1], labels",
            "tgt[:, :-1].masked_fill(tgt[:, :-1] == 2, 0), labels",
            "You take the end sign out of the input: leave it; its label is filler, "
            "so it does no harm.",
        ),
        (
            "labels = tgt[:, 1:]",
            "labels = tgt[1:]",
            "tgt[:, :-1],",
            "tgt[:-1],",
            "You drop a sample, not a sign: the signs are on the second axis.",
        ),
        (
            "labels = tgt[:, 1:]",
            "labels = tgt[:, 1:-1]",
            "return tgt[:, :-1],",
            "return tgt[:, :-2],",
            "You drop a sign too many: the last label of the longest answer is its "
            "end.",
        ),
        (
            "return tgt[:, :-1],",
            "return tgt[:, 1:],",
            "You give the decoder the labels themselves: its input starts with the "
            "start sign.",
        ),
        (
            "labels = tgt[:, 1:]",
            "labels = tgt.roll(-1, 1)",
            "return tgt[:, :-1],",
            "return tgt,",
            "roll brings the start sign to the end, where it becomes a label: slice "
            "instead, tgt[:, 1:].",
        ),
        (
            "return tgt[:, :-1], labels.masked_fill(labels == 0, -100)",
            "return labels.masked_fill(labels == 0, -100)",
            "You return the labels alone: return the decoder's input and the labels.",
        ),
    ],
)

TREE = Exercise(
    name="transformer/tree",
    solution="""
        answer = ["ad", "bd", "cd"]
    """,
    run=value_run(),
    mistakes=[
        (
            ["ad", "ad", "ad"],
            "Greedy is right. A beam of 2 continues both a and b, and bd has 0.32 · "
            "0.7, more than ad.",
        ),
        (
            ["cd", "cd", "cd"],
            "cd is the likeliest of all, but greedy has dropped c after the first "
            "letter.",
        ),
        (
            ["ad", "cd", "cd"],
            "A beam of 2 holds a and b after the first letter: c is dropped, and cd "
            "cannot come back.",
        ),
        (
            ["ad", "bd", "bd"],
            "A beam of 3 holds c as well, and cd has 0.28 · 1.",
        ),
        (
            ["ad", "ad", "cd"],
            "Compare the products in the beam of 2: ad has 0.4 · 0.5, bd 0.32 · 0.7.",
        ),
        (
            ["ad", "ad", "bd"],
            "Your beams are one too narrow: 2 holds a and b, 3 holds c as well.",
        ),
        (
            ["bd", "cd", "cd"],
            "Your beams are one too wide: greedy is a beam of 1 and holds a alone.",
        ),
        (
            ["bd", "bd", "cd"],
            "Greedy takes the likeliest first letter, a, whatever follows it.",
        ),
        (
            ["bd", "bd", "bd"],
            "Greedy takes the likeliest first letter, a; and a beam of 3 holds c as "
            "well.",
        ),
        (
            ["cd", "bd", "ad"],
            "Your order is the wrong way round: greedy first, then widths 2 and 3.",
        ),
        (
            ["a", "b", "c"],
            "Those are the first letters: give both letters of each answer.",
        ),
        (
            ["ae", "be", "cd"],
            "After a the letters d and e are not alike: take the likelier one.",
        ),
    ],
)


def _table(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Scores of the next sign; 0 is never the best, and rows end at various times."""
    signs, end = 7, 2
    n = (4, 6, 7, 6)[generator.initial_seed() % 4]
    table = torch.randn(signs, signs, generator=generator, dtype=torch.float64)
    table[:, 0] = -9.0
    order = torch.randperm(4, generator=generator) + 3
    for first, then in zip(order.tolist(), [*order.tolist()[1:], end], strict=True):
        table[first, then] = 5.0
    table[end, 3 + generator.initial_seed() % 4] = 5.0
    table[0, 3 + generator.initial_seed() % 3] = 5.0
    table[1, int(order[0])] = 5.0
    start = torch.tensor([1, *order.tolist()])
    return (table, start, end, n), {}


GREEDY = Exercise(
    name="transformer/greedy",
    solution="""
        def decode(table, start, end, n):
            sign, written = start, []
            done = torch.zeros_like(start, dtype=torch.bool)
            for _ in range(n):
                sign = table[sign].argmax(-1).masked_fill(done, 0)
                done = done | (sign == end)
                written.append(sign)
            return torch.stack(written, 1)
    """,
    run=function_run(
        _table, names=("table", "start", "end", "n"), configurations=4, float32=False
    ),
    mistakes=[
        (
            """
            def decode(table, start, end, n):
                sign, written = start, []
                for _ in range(n):
                    sign = table[sign].argmax(-1)
                    written.append(sign)
                return torch.stack(written, 1)
            """,
            "Your rows write on after their end: from the sign after it on, each must "
            "hold 0.",
        ),
        (
            "sign = table[sign].argmax(-1).masked_fill(done, 0)\n"
            "        done = done | (sign == end)",
            "sign = table[sign].argmax(-1)\n"
            "        done = done | (sign == end)\n"
            "        sign = sign.masked_fill(done, 0)",
            "Your end sign is gone: note who is done after you have filled, so that "
            "the end itself stays.",
        ),
        (
            "done = done | (sign == end)",
            "done = sign == end",
            "Your rows pause for one sign and begin anew: who is done stays done, done "
            "| (sign == end).",
        ),
        (
            "masked_fill(done, 0)",
            "masked_fill(done, end)",
            "You fill with the end sign: after the end come zeros.",
        ),
        (
            "written.append(sign)",
            "written.append(sign)\n        if done.any():\n            break",
            "You stop all rows when the first one ends: the others are not done.",
        ),
        (
            "written.append(sign)",
            "written.append(sign)\n        if done.all():\n            break",
            "You stop when all are done, so your output may be narrower than n: go on, "
            "or fill up with zeros.",
        ),
        (
            "sign, written = start, []",
            "sign, written = start, [start]",
            "Your output begins with the start signs: asked for are the n signs that "
            "follow.",
        ),
        (
            "torch.stack(written, 1)",
            "torch.stack(written)",
            "Your output is (n, N): stack the signs along axis 1.",
        ),
        (
            "torch.stack(written, 1)",
            "torch.stack(written, 1)[:, -1]",
            "You return the last sign alone: return all n.",
        ),
        (
            "table[sign].argmax(-1)",
            "table[:, sign].argmax(0)",
            "You read columns: the row of a sign holds the scores of what follows it.",
        ),
        (
            "table[sign].argmax(-1)",
            "table[start].argmax(-1)",
            "Each of your signs follows the start: continue from the last sign.",
        ),
        (
            "table[sign].argmax(-1)",
            "table[sign].argmin(-1)",
            "All your signs are 0, the least likely one: argmax finds the likeliest, "
            "and no row is done before it has written anything.",
        ),
        (
            "sign == end",
            "sign == start",
            "You wait for the start sign: a row is done once it has written end.",
        ),
    ],
)

_ALPHAS = (0.0, 1.0, 0.5)


def _scores(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Logits, labels of several lengths with filler -100, and an exponent."""
    n, wide, signs = distinct(generator, 3)
    wide += 1
    logits = torch.randn(n, wide, signs, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, signs, (n, wide), generator=generator)
    for row in range(1, n):
        size = int(torch.randint(1, wide, (), generator=generator))
        labels[row, size:] = -100
    alpha = _ALPHAS[generator.initial_seed() % 3]
    return ((2 * logits).requires_grad_(), labels, alpha), {}


SCORE = Exercise(
    name="transformer/score",
    solution="""
        def score(logits, labels, alpha):
            real = labels != -100
            safe = labels.masked_fill(~real, 0)[..., None]
            p = logits.log_softmax(-1).gather(-1, safe)[..., 0]
            return (p * real).sum(1) / real.sum(1) ** alpha
    """,
    run=function_run(_scores, names=("logits", "labels", "alpha"), configurations=4),
    mistakes=[
        (
            "(p * real).sum(1)",
            "p.sum(1)",
            "You count the filler as well: where the label is -100, add nothing.",
        ),
        (
            "real.sum(1) ** alpha",
            "labels.shape[1] ** alpha",
            "You divide by the width of the batch: the length is the number of labels "
            "that are not filler.",
        ),
        (
            " / real.sum(1) ** alpha",
            "",
            "You do not divide by the length to the power alpha.",
        ),
        (
            " ** alpha",
            "",
            "You divide by the length itself: it is the length to the power alpha.",
        ),
        (
            "real.sum(1) ** alpha",
            "(real.sum(1) * alpha)",
            "You multiply the length by alpha: it is a power.",
        ),
        (
            "/ real.sum(1) ** alpha",
            "* real.sum(1) ** alpha",
            "You multiply by the power of the length: divide by it.",
        ),
        (
            "log_softmax",
            "softmax",
            "You add probabilities: the logarithm of a product is the sum of the "
            "logarithms, log_softmax.",
        ),
        (
            "logits.log_softmax(-1)",
            "logits",
            "You add raw logits: log_softmax over the signs makes log-probabilities.",
        ),
        (
            "logits.log_softmax(-1)",
            "logits.log_softmax(1)",
            "Your softmax runs over the positions: it runs over the signs, the last "
            "axis.",
        ),
        (
            "(p * real).sum(1)",
            "-(p * real).sum(1)",
            "Your sign is a loss's: a log-probability is not above 0.",
        ),
        (
            "(p * real).sum(1)",
            "(p * real).sum(1).exp()",
            "You return probabilities: the score stays a logarithm.",
        ),
        (
            "(p * real).sum(1) / real.sum(1) ** alpha",
            "(p * real).sum() / real.sum() ** alpha",
            "You return one number for the batch: each answer has a score of its own.",
        ),
        (
            "logits.log_softmax(-1).gather(-1, safe)[..., 0]",
            "logits.log_softmax(-1).amax(-1)",
            "You score the likeliest sign at each position: score the label.",
        ),
        (
            "sum(1)",
            "sum(0)",
            "You add over the samples: add over the positions, axis 1.",
        ),
        (
            "logits.log_softmax(-1)",
            "logits.detach().log_softmax(-1)",
            "The scores are right, but no gradient comes out of them: do not detach.",
        ),
    ],
)

WIDTH = Exercise(
    name="transformer/width",
    setup="""
        def search(width, seed, signs=8, n=20):
            torch.manual_seed(seed)
            table = torch.randn(signs, signs).log_softmax(-1).tolist()
            kept = [(0.0, 0)]  # score, last sign
            for _ in range(n):
                longer = []
                for score, last in kept:
                    longer += [(score + p, i) for i, p in enumerate(table[last])]
                kept = sorted(longer, reverse=True)[:width]
            return kept[0][0]
    """,
    solution="""
        wide = [search(4, seed) for seed in range(20)]
        greedy = [search(1, seed) for seed in range(20)]
        gain = torch.tensor(wide) - torch.tensor(greedy)
        answer = gain.mean(), gain.std() / 20**0.5
    """,
    run=measure_run("wide", "greedy"),
    mistakes=[
        (
            "search(4, seed) for seed",
            "search(4, seed) / 20 for seed",
            "search(1, seed) for seed",
            "search(1, seed) / 20 for seed",
            "You divide by the twenty signs: the whole answer's score is asked for.",
        ),
        (
            "torch.tensor(wide) - torch.tensor(greedy)",
            "torch.tensor(wide).exp() - torch.tensor(greedy).exp()",
            "You subtract probabilities: subtract the scores, which are logarithms.",
        ),
    ],
)

EXERCISES = (SHIFT, TREE, GREEDY, SCORE, WIDTH)
