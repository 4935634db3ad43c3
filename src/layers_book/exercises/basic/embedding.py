"""Exercises of the page basic/embedding."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import Exercise, distinct, function_run, value_run


def _lookup_arguments(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Ids of one to three axes, the first of them at least twice."""
    index = generator.initial_seed()
    sizes = distinct(generator, 1 + index % 3)
    dim, vocabulary = 3 + index % 4, 9 + index
    ids = torch.randint(vocabulary - 1, sizes, generator=generator)
    ids.view(-1)[-1] = ids.view(-1)[0]
    weight, upstream = (
        torch.randn(*shape, dim, generator=generator, dtype=torch.float64)
        for shape in ([vocabulary], sizes)
    )
    return (ids, weight, upstream), {}


def _by_autograd(
    ids: Tensor, weight: Tensor, upstream: Tensor
) -> tuple[Tensor, Tensor]:
    leaf = weight.detach().clone().requires_grad_()
    y = F.embedding(ids, leaf)
    (gradient,) = torch.autograd.grad(y, leaf, upstream)
    return y.detach(), gradient


LOOKUP = Exercise(
    name="embedding/lookup",
    solution="""
        def lookup(ids, weight, upstream):
            rows = upstream.reshape(-1, weight.shape[1])
            gradient = torch.zeros_like(weight).index_add_(0, ids.reshape(-1), rows)
            return weight[ids], gradient
    """,
    reference=_by_autograd,
    run=function_run(_lookup_arguments, names=("ids", "weight", "upstream")),
    forbid=("embedding", "backward", "autograd."),
    mistakes=[
        (
            ".index_add_(0, ids.reshape(-1), rows)",
            "\n    for i, row in zip(ids.flatten(), rows):\n        gradient[i] = row",
            "Where an id occurs twice, the second row overwrites the first: gradients "
            "add up. gradient[ids] += rows does not add repeated ids either; use "
            "gradient.index_add_(0, ids, rows).",
        ),
        (
            ".index_add_(0, ids.reshape(-1), rows)",
            "\n    for i, row in zip(ids, upstream):\n        gradient[i] += row",
            "Your loop runs over the first axis of ids only; ids may have any shape: "
            "loop over ids.reshape(-1) and upstream.reshape(-1, D).",
        ),
        (
            "index_add_(0, ids.reshape(-1), rows)",
            "scatter_add_(0, ids.reshape(-1, 1), rows)",
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

EXERCISES = (LOOKUP, BAG, CHANGED)
