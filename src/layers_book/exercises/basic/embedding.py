"""Exercises of the page basic/embedding."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    measure_run,
    value_run,
)


def _lookup_arguments(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Ids of one to three axes, the first of them at least twice, and the options."""
    index = generator.initial_seed()
    sizes = distinct(generator, 1 + index % 3)
    dim, vocabulary = 3 + index % 4, 9 + index
    ids = torch.randint(vocabulary - 1, sizes, generator=generator)
    ids.view(-1)[-1] = ids.view(-1)[0]
    weight, upstream = (
        torch.randn(*shape, dim, generator=generator, dtype=torch.float64)
        for shape in ([vocabulary], sizes)
    )
    options: dict[str, Any] = {}
    if index % 4 in (1, 3):
        ids.view(-1)[1] = options["padding_idx"] = index // 4 % 2 * 3
    if index % 4 in (2, 3):
        options["by_freq"] = True
    return (ids, weight, upstream), options


def _by_autograd(
    ids: Tensor,
    weight: Tensor,
    upstream: Tensor,
    padding_idx: int | None = None,
    by_freq: bool = False,
) -> tuple[Tensor, Tensor]:
    leaf = weight.detach().clone().requires_grad_()
    y = F.embedding(ids, leaf, padding_idx, scale_grad_by_freq=by_freq)
    (gradient,) = torch.autograd.grad(y, leaf, upstream)
    return y.detach(), gradient


LOOKUP = Exercise(
    name="embedding/lookup",
    solution="""
        def lookup(ids, weight, upstream, padding_idx=None, by_freq=False):
            flat = ids.reshape(-1)
            rows = upstream.reshape(-1, weight.shape[1])
            gradient = torch.zeros_like(weight).index_add_(0, flat, rows)
            if by_freq:
                count = torch.bincount(flat, minlength=len(weight)).clamp(min=1)
                gradient = gradient / count[:, None]
            if padding_idx is not None:
                gradient[padding_idx] = 0
            return weight[ids], gradient
    """,
    reference=_by_autograd,
    run=function_run(_lookup_arguments, names=("ids", "weight", "upstream")),
    forbid=("embedding", "backward", "autograd."),
    mistakes=[
        (
            ".index_add_(0, flat, rows)",
            "\n    for i, row in zip(ids.flatten(), rows):\n        gradient[i] = row",
            "Where an id occurs twice, the second row overwrites the first: gradients "
            "add up. gradient[ids] += rows does not add repeated ids either; use "
            "gradient.index_add_(0, ids, rows).",
        ),
        (
            ".index_add_(0, flat, rows)",
            "\n    for i, row in zip(ids, upstream):\n        gradient[i] += row",
            "Your loop runs over the first axis of ids only; ids may have any shape: "
            "loop over ids.reshape(-1) and upstream.reshape(-1, D).",
        ),
        (
            "index_add_(0, flat, rows)",
            "scatter_add_(0, flat.reshape(-1, 1), rows)",
            "scatter_add_ takes an index for each number, and yours has one column, so "
            "only feature 0 is added: use index_add_(0, ids, rows).",
        ),
        (
            "index_add_",
            "index_reduce_",
            ", rows)",
            ', rows, "mean", include_self=False)',
            "You average the rows that belong to the same id; the gradient is their "
            "sum.",
        ),
        (
            "weight[ids], gradient",
            "weight[ids], gradient / ids.numel()",
            "You divide by the number of ids; upstream already holds the derivative of "
            "the loss, so add its rows as they are.",
        ),
        (
            ", rows)",
            ", torch.ones_like(rows))",
            "You count how often each id occurs; add up the rows of upstream instead "
            "of ones.",
        ),
        (
            "upstream.reshape",
            "weight[ids].reshape",
            "You add up rows of the output; it is the rows of upstream that flow back "
            "into the table.",
        ),
        (
            "weight[ids], gradient",
            "weight[ids], rows",
            "Your gradient has a row for each token; it needs a row for each row of "
            "weight, zero where no token asked for it.",
        ),
        (
            "zeros_like(weight)",
            "zeros_like(weight[: ids.max() + 1])",
            "Your gradient ends with the largest id that occurs; it has as many rows "
            "as weight: torch.zeros_like(weight).",
        ),
        (
            "weight[ids]",
            "weight[ids.reshape(-1)]",
            "The output has lost the axes of ids: weight[ids] has the shape "
            "(*ids.shape, D). Flatten for the gradient only.",
        ),
        (
            "weight[ids], gradient",
            "weight[ids], weight - gradient",
            "You return the table after a step; return the gradient itself.",
        ),
        (
            "weight[ids], gradient",
            "gradient, weight[ids]",
            "You return the gradient first: the order is output, gradient.",
        ),
        (
            "weight[ids], gradient",
            "weight[ids]",
            "You return the output alone; return the pair output, gradient.",
        ),
        (
            "weight[ids], gradient",
            "gradient",
            "You return the gradient alone; return the pair output, gradient.",
        ),
        (
            "rows = ",
            "output, rows = weight[ids], ",
            "torch.zeros_like(weight)",
            "weight",
            "return weight[ids]",
            "return output",
            "You add to the caller's weight: start from torch.zeros_like(weight).",
        ),
        (
            "zeros_like(weight)",
            "zeros(weight.shape)",
            "torch.zeros gives float32 whatever weight is: use "
            "torch.zeros_like(weight).",
        ),
        (
            "gradient / count[:, None]",
            "gradient",
            "You do not use by_freq: with it, each row is divided by how often its id "
            "occurs in ids.",
        ),
        (
            "if by_freq:",
            "if True:",
            "You divide by the number of occurrences even where by_freq is False.",
        ),
        (
            ".clamp(min=1)",
            "",
            "A row that no token asked for becomes 0 / 0, which is NaN: divide by at "
            "least 1.",
        ),
        (
            "gradient[padding_idx] = 0",
            "pass",
            "The padding row gets a gradient: set the row padding_idx of the gradient "
            "to 0.",
        ),
        (
            "if padding_idx is not None",
            "if padding_idx",
            "`if padding_idx` is false for the padding id 0: ask whether it is None.",
        ),
        (
            "return weight[ids],",
            "keep = (ids != padding_idx).unsqueeze(-1)\n    return weight[ids] * keep,",
            "You set the output of padding tokens to zero; the layer gives out the "
            "padding row as it stands, and holds back its gradient alone.",
        ),
    ],
)


def _sentences(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Sentences with some padding at the end; now and then one of padding alone."""
    index = generator.initial_seed()
    n, length, dim = distinct(generator, 3)
    length, padding_idx = length + 3, (0, 2, 5)[index % 3]
    ids = torch.randint(6, 12, (n, length), generator=generator)
    for i in range(n):
        ids[i, length - 1 - i % 3 :] = padding_idx
    if index % 4 == 2:
        ids[-1] = padding_idx
    weight = torch.randn(12, dim, generator=generator, dtype=torch.float64) + 0.5
    return (ids, weight.requires_grad_(), padding_idx), {}


SENTENCE = Exercise(
    name="embedding/sentence_mean",
    solution="""
        def sentence_mean(ids, weight, padding_idx):
            real = (ids != padding_idx).unsqueeze(-1)  # (N, L, 1)
            total = (F.embedding(ids, weight) * real).sum(1)
            return total / real.sum(1).clamp(min=1)
    """,
    run=function_run(_sentences, names=("ids", "weight", "padding_idx")),
    mistakes=[
        (
            """
            def sentence_mean(ids, weight, padding_idx):
                return F.embedding(ids, weight, padding_idx=padding_idx).mean(1)
            """,
            "The vectors of the padding are in your mean: padding_idx holds back a "
            "gradient, and changes no output.",
        ),
        (
            "real.sum(1).clamp(min=1)",
            "ids.shape[1]",
            "The padding is out of your sum, but you still divide by the length of the "
            "row: count the real tokens.",
        ),
        (
            " * real).sum(1)",
            ").sum(1)",
            "You count the real tokens only, but the sum still holds the vectors of "
            "the padding.",
        ),
        (
            ".clamp(min=1)",
            "",
            "A sentence of padding alone gives 0 / 0, which is NaN: divide by at least "
            "1.",
        ),
        (
            "!= padding_idx",
            "!= 0",
            "You take 0 for the padding; its id is padding_idx.",
        ),
        (
            "ids != padding_idx",
            "ids == padding_idx",
            "Your mask is the wrong way round: it keeps the padding and drops the "
            "tokens.",
        ),
        (
            "F.embedding(ids, weight)",
            "F.embedding(ids, weight).detach()",
            "The output is right, but no gradient reaches weight: do not detach the "
            "vectors.",
        ),
    ],
)


def _bag_arguments(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Bags of one to four ids and an empty one: inside, at the end or at the start."""
    index = generator.initial_seed()
    sizes = [int(torch.randint(1, 5, (), generator=generator)) for _ in range(4)]
    sizes[0] = 3
    sizes.insert((2, 4, 0)[index % 3], 0)
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    ids = torch.randint(8, (sum(sizes),), generator=generator)
    first = starts[sizes.index(3)]
    ids[first] = ids[first + 1]
    weight = torch.randn(8, 3 + index % 3, generator=generator, dtype=torch.float64)
    return (ids, torch.tensor(starts), weight.requires_grad_()), {}


def _torchs_bags(ids: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    return F.embedding_bag(ids, weight, offsets, mode="mean")


BAG = Exercise(
    name="embedding/bag_mean",
    solution="""
        def bag_mean(ids, offsets, weight):
            starts = offsets.tolist()
            ends = starts[1:] + [len(ids)]
            rows = []
            for start, end in zip(starts, ends):
                total = weight[ids[start:end]].sum(0)
                rows.append(total / max(end - start, 1))
            return torch.stack(rows)
    """,
    reference=_torchs_bags,
    run=function_run(_bag_arguments, names=("ids", "offsets", "weight")),
    forbid=("embedding_bag",),
    mistakes=[
        (
            "max(end - start, 1)",
            "(end - start)",
            "An empty bag gives 0 / 0, which is NaN: EmbeddingBag answers zeros. "
            "Divide the sum by at least 1.",
        ),
        (
            "max(end - start, 1)",
            "(end - start + 1)",
            "You divide by one more than the number of ids, in full bags too: divide "
            "by max(count, 1).",
        ),
        (
            "rows.append",
            "if end > start:\n            rows.append",
            "Empty bags are missing from your output: each gets a row of zeros.",
        ),
        (
            " + [len(ids)]",
            "",
            "The last bag is missing: it runs from the last offset to the end of ids.",
        ),
        (
            "len(ids)",
            "len(ids) - 1",
            "The last bag lacks its last id: its end is len(ids), not len(ids) - 1 or "
            "-1.",
        ),
        (
            "start:end",
            "start : end + 1",
            "end - start",
            "len(ids[start : end + 1])",
            "Each bag takes one id of the next: a bag ends before the next offset, "
            "ids[start:end].",
        ),
        (
            "start:end",
            ":end",
            "end - start",
            "end",
            "Each of your bags begins at 0: it begins at its own offset.",
        ),
        (
            "total / max(end - start, 1)",
            "total",
            "You add up the rows: divide by the number of ids.",
        ),
        (
            "max(end - start, 1)",
            "len(ids)",
            "You divide by the number of all ids: divide by the number in the bag.",
        ),
        (
            "total / max(end - start, 1)",
            "weight[ids[start:end]].amax(0) if end > start else total",
            "You take the maximum: the mean is asked for.",
        ),
        (
            "[start:end]",
            "[start:end].unique()",
            "end - start",
            "len(ids[start:end].unique())",
            "You count an id that a bag holds twice only once: it counts twice.",
        ),
        (
            ".sum(0)",
            ".sum(0).mean().expand(weight.shape[1])",
            "You average over the features as well: use mean(0) or sum(0), which run "
            "over the rows.",
        ),
        (
            "torch.stack(rows)",
            "torch.stack(rows).detach()",
            "The output is right, the gradient is not: the rows must stay connected to "
            "weight, so do not detach them or copy them into a new tensor.",
        ),
    ],
)

CHANGED = Exercise(
    name="embedding/changed_rows",
    solution="""
        rows = {"plain": 3, "decay": 9, "tied": 10}
    """,
    run=value_run(),
    mistakes=[
        (
            '"plain": 3',
            '"plain": 8',
            "plain: you count tokens. An id that occurs twice is one row, and the "
            "padding row gets no gradient.",
        ),
        (
            '"plain": 3',
            '"plain": 5',
            "plain: you count an id as often as it occurs, but it is one row.",
        ),
        (
            '"plain": 3',
            '"plain": 4',
            "plain: the padding row occurs in the batch, but gets no gradient.",
        ),
        (
            '"plain": 3',
            '"plain": 10',
            "plain: a row that no token asks for has gradient 0, and SGD leaves it "
            "where it is.",
        ),
        (
            '"decay": 9',
            '"decay": 3',
            "decay: weight decay pulls at each row, looked up or not.",
        ),
        (
            '"decay": 9',
            '"decay": 10',
            "decay: one row is zero already, so there is nothing to shrink.",
        ),
        (
            '"tied": 10',
            '"tied": 3',
            "tied: the scores use the whole table, so its gradient reaches more than "
            "the rows that were looked up.",
        ),
        (
            '"tied": 10',
            '"tied": 9',
            "tied: padding_idx holds the gradient back in the lookup only. As a class, "
            "the padding row gets one.",
        ),
        (
            '"tied": 10',
            '"tied": 4',
            "tied: the softmax moves the score of each class, whether it occurs in the "
            "batch or not.",
        ),
    ],
)

WEEKDAYS = Exercise(
    name="embedding/weekdays",
    setup="""
        def learn(shifts, seed, number):
            torch.manual_seed(seed)
            net = nn.Sequential(
                nn.Embedding(7, 2), nn.Linear(2, 7, bias=False)
            ).double()
            old = torch.randint(7, (500,))
            shift = shifts[torch.randint(len(shifts), (500,))]
            new = (old + shift) % 7
            optimizer = torch.optim.Adam(net.parameters(), lr=0.1, weight_decay=0.01)
            for _ in range(number):
                optimizer.zero_grad()
                F.cross_entropy(net(old), new).backward()
                optimizer.step()
            return net[0].weight.detach()
    """,
    solution="""
        def ratio(shifts, seed):
            day = learn(torch.tensor(shifts), seed, 150)  # (7, 2)
            return ((day[0] - day[1]).norm() / (day[0] - day[2]).norm()).item()


        near = [ratio([-1, 0, 1], seed) for seed in range(8)]
        shift = [ratio([-1, 1], seed) for seed in range(8)]
        difference = torch.tensor(shift) - torch.tensor(near)
        answer = difference.mean(), difference.std() / 8**0.5
    """,
    run=measure_run("shift", "near"),
    mistakes=[
        (
            "day[0] - day[2]",
            "day[0] - day[3]",
            "You divide by the distance to Thursday: Monday is day[0], so Wednesday is "
            "day[2].",
        ),
        (
            "ratio([-1, 1], seed)",
            "ratio([1], seed)",
            "You train the task next, which always goes one day ahead: shift goes one "
            "day back or ahead, [-1, 1].",
        ),
        (
            ".norm() / (day[0] - day[2]).norm()",
            ".square().sum() / (day[0] - day[2]).square().sum()",
            "You divide squared distances: take the root of both, as norm() does.",
        ),
    ],
)

EXERCISES = (CHANGED, SENTENCE, BAG, LOOKUP, WEEKDAYS)
