"""Exercises of the page basic/embedding."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import Exercise, Mistake, distinct, function_run, value_run


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


def _lookup_reference(
    ids: Tensor, weight: Tensor, upstream: Tensor
) -> tuple[Tensor, Tensor]:
    leaf = weight.detach().clone().requires_grad_()
    y = F.embedding(ids, leaf)
    (gradient,) = torch.autograd.grad(y, leaf, upstream)
    return y.detach(), gradient


def _lookup(wrong: str) -> Callable[[Tensor, Tensor, Tensor], Any]:
    """The lookup and its gradient with one thing wrong."""

    def answer(ids: Tensor, weight: Tensor, upstream: Tensor) -> Any:
        y = weight[ids]
        rows, flat = upstream.reshape(-1, weight.shape[1]), ids.reshape(-1)
        gradient = torch.zeros_like(weight)
        if wrong == "dtype":
            gradient = torch.zeros(weight.shape)
        elif wrong == "short":
            gradient = gradient[: int(ids.max()) + 1]
        elif wrong == "in place":
            gradient = weight
        elif wrong == "ones":
            rows = torch.ones_like(rows)
        elif wrong == "outputs":
            rows = y.reshape(rows.shape)
        if wrong == "overwrite":
            for i, row in zip(flat.tolist(), rows, strict=True):
                gradient[i] = row
        else:
            gradient.index_add_(0, flat, rows)
        if wrong == "mean":
            count = flat.bincount(minlength=len(weight)).clamp(min=1)
            gradient = gradient / count[:, None]
        elif wrong == "divided":
            gradient = gradient / len(flat)
        elif wrong == "tokens":
            gradient = rows
        elif wrong == "flat":
            y = y.reshape(rows.shape)
        elif wrong == "step":
            gradient = weight - gradient
        if wrong == "swapped":
            return gradient, y
        if wrong == "output only":
            return y
        return gradient if wrong == "gradient only" else (y, gradient)

    return answer


LOOKUP = Exercise(
    name="embedding/lookup",
    reference=_lookup_reference,
    run=function_run(_lookup_arguments, names=("ids", "weight", "upstream")),
    forbid=("embedding", "backward"),
    mistakes=(
        Mistake(
            _lookup("overwrite"),
            "Where an id occurs twice, the second row overwrites the first: gradients "
            "add up. gradient[ids] += rows does not add repeated ids either; use "
            "gradient.index_add_(0, ids, rows).",
        ),
        Mistake(
            _lookup("mean"),
            "You average the rows that belong to the same id; the gradient is their "
            "sum.",
        ),
        Mistake(
            _lookup("divided"),
            "You divide by the number of ids; upstream already holds the derivative "
            "of the loss, so add its rows as they are.",
        ),
        Mistake(
            _lookup("ones"),
            "You count how often each id occurs; add up the rows of upstream instead "
            "of ones.",
        ),
        Mistake(
            _lookup("outputs"),
            "You add up rows of the output; it is the rows of upstream that flow back "
            "into the table.",
        ),
        Mistake(
            _lookup("tokens"),
            "Your gradient has a row for each token; it needs a row for each row of "
            "weight, zero where no token asked for it.",
        ),
        Mistake(
            _lookup("short"),
            "Your gradient ends with the largest id that occurs; it has as many rows "
            "as weight: torch.zeros_like(weight).",
        ),
        Mistake(
            _lookup("flat"),
            "The output has lost the axes of ids: weight[ids] has the shape "
            "(*ids.shape, D). Flatten for the gradient only.",
        ),
        Mistake(
            _lookup("step"),
            "You return the table after a step; return the gradient itself.",
        ),
        Mistake(
            _lookup("swapped"),
            "You return the gradient first: the order is output, gradient.",
        ),
        Mistake(
            _lookup("output only"),
            "You return the output alone; return the pair output, gradient.",
        ),
        Mistake(
            _lookup("gradient only"),
            "You return the gradient alone; return the pair output, gradient.",
        ),
        Mistake(
            _lookup("in place"),
            "You add to the caller's weight: start from torch.zeros_like(weight).",
        ),
        Mistake(
            _lookup("dtype"),
            "torch.zeros gives float32 whatever weight is: use "
            "torch.zeros_like(weight).",
        ),
    ),
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


def _bag_reference(ids: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    return F.embedding_bag(ids, weight, offsets, mode="mean")


def _mean(rows: Tensor, wrong: str) -> Tensor:
    """The mean of a bag's rows, with one thing wrong."""
    if wrong == "nan":
        return rows.mean(0)
    if wrong == "sum":
        return rows.sum(0)
    if wrong == "plus one":
        return rows.sum(0) / (len(rows) + 1)
    if wrong == "one value":
        return rows.mean().nan_to_num().expand(rows.shape[1])
    if wrong == "max" and len(rows):
        return rows.amax(0)
    return rows.sum(0) / max(len(rows), 1)


def _bags(wrong: str) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    def answer(ids: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
        starts = offsets.tolist()
        ends = [*starts[1:], len(ids)]
        if wrong == "last lost":
            starts, ends = starts[:-1], ends[:-1]
        elif wrong == "last id lost":
            ends[-1] -= int(ends[-1] > starts[-1])
        elif wrong == "one more":
            ends = [end + 1 for end in ends]
        elif wrong == "from 0":
            starts = [0] * len(starts)
        bags = [ids[a:b] for a, b in zip(starts, ends, strict=True)]
        if wrong == "unique":
            bags = [bag.unique() for bag in bags]
        elif wrong == "no empty":
            bags = [bag for bag in bags if len(bag)]
        rows = [_mean(weight[bag], wrong) for bag in bags]
        y = torch.stack(rows)
        if wrong == "all ids":
            y = torch.stack([weight[bag].sum(0) for bag in bags]) / len(ids)
        return y.detach() if wrong == "detached" else y

    return answer


BAG = Exercise(
    name="embedding/bag_mean",
    reference=_bag_reference,
    run=function_run(_bag_arguments, names=("ids", "offsets", "weight")),
    forbid=("embedding_bag",),
    mistakes=(
        Mistake(
            _bags("nan"),
            "An empty bag gives 0 / 0, which is NaN: EmbeddingBag answers zeros. "
            "Divide the sum by at least 1.",
        ),
        Mistake(
            _bags("plus one"),
            "You divide by one more than the number of ids, in full bags too: divide "
            "by max(count, 1).",
        ),
        Mistake(
            _bags("no empty"),
            "Empty bags are missing from your output: each gets a row of zeros.",
        ),
        Mistake(
            _bags("last lost"),
            "The last bag is missing: it runs from the last offset to the end of ids.",
        ),
        Mistake(
            _bags("last id lost"),
            "The last bag lacks its last id: its end is len(ids), not len(ids) - 1 "
            "or -1.",
        ),
        Mistake(
            _bags("one more"),
            "Each bag takes one id of the next: a bag ends before the next offset, "
            "ids[start:end].",
        ),
        Mistake(
            _bags("from 0"),
            "Each of your bags begins at 0: it begins at its own offset.",
        ),
        Mistake(_bags("sum"), "You add up the rows: divide by the number of ids."),
        Mistake(
            _bags("all ids"),
            "You divide by the number of all ids: divide by the number in the bag.",
        ),
        Mistake(_bags("max"), "You take the maximum: the mean is asked for."),
        Mistake(
            _bags("unique"),
            "You count an id that a bag holds twice only once: it counts twice.",
        ),
        Mistake(
            _bags("one value"),
            "You average over the features as well: use mean(0) or sum(0), which run "
            "over the rows.",
        ),
        Mistake(
            _bags("detached"),
            "The output is right, the gradient is not: the rows must stay connected "
            "to weight, so do not detach them or copy them into a new tensor.",
        ),
    ),
)


def _rows(plain: int, decay: int, tied: int) -> dict[str, int]:
    return {"plain": plain, "decay": decay, "tied": tied}


CHANGED = Exercise(
    name="embedding/changed_rows",
    reference=_rows(3, 9, 10),
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            _rows(8, 9, 10),
            "plain: you count tokens. An id that occurs twice is one row, and the "
            "padding row gets no gradient.",
        ),
        Mistake(
            _rows(5, 9, 10),
            "plain: you count an id as often as it occurs, but it is one row.",
        ),
        Mistake(
            _rows(4, 9, 10),
            "plain: the padding row occurs in the batch, but gets no gradient.",
        ),
        Mistake(
            _rows(10, 9, 10),
            "plain: a row that no token asks for has gradient 0, and SGD leaves it "
            "where it is.",
        ),
        Mistake(
            _rows(3, 3, 10),
            "decay: weight decay pulls at each row, looked up or not.",
        ),
        Mistake(
            _rows(3, 10, 10),
            "decay: one row is zero already, so there is nothing to shrink.",
        ),
        Mistake(
            _rows(3, 9, 3),
            "tied: the scores use the whole table, so its gradient reaches more than "
            "the rows that were looked up.",
        ),
        Mistake(
            _rows(3, 9, 9),
            "tied: padding_idx holds the gradient back in the lookup only. As a "
            "class, the padding row gets one.",
        ),
        Mistake(
            _rows(3, 9, 4),
            "tied: the softmax moves the score of each class, whether it occurs in "
            "the batch or not.",
        ),
    ),
)

EXERCISES = (LOOKUP, BAG, CHANGED)
