"""Exercises of the page normalization/choosing."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from layers_book.checking import (
    Case,
    Exercise,
    call,
    custom_run,
    describe,
    distinct,
    function_run,
    measure_run,
    refuse_no_function,
    signed,
    value_run,
    varied,
)
from layers_book.exercises.normalization import OTHER_DEFAULTS, standard_deviations

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def _parts(generator: torch.Generator) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
    """Two tables with the same columns, on scales of their own, of unequal length."""
    n, rows, c = distinct(generator, 3, low=3)
    scale = 1 + 10 * torch.arange(c).double()
    train = varied(generator, n, c) * scale + signed(generator, c)
    test = varied(generator, rows, c) * scale * 2 + signed(generator, c)
    return (train, test), {}


STANDARDIZE_BOTH = Exercise(
    name="choosing/standardize_both",
    solution="""
        def standardize_both(train, test):
            mean, std = train.mean(0), train.std(0)  # (C,)
            return (train - mean) / std, (test - mean) / std
    """,
    run=function_run(_parts, names=("train", "test")),
    mistakes=[
        (
            "return (train - mean) / std, (test - mean) / std",
            "train = (train - mean) / std\n"
            "    return train, (test - train.mean(0)) / train.std(0)",
            "test comes out on its old scale: when you take the statistics of train "
            "for it, train has been standardized, and they are 0 and 1.",
        ),
        (
            "(test - mean) / std",
            "(test - test.mean(0)) / test.std(0)",
            "You standardize test with its own statistics: a sample would then get "
            "another output in another test set. Use those of train.",
        ),
        (
            "train.mean(0), train.std(0)",
            "torch.cat([train, test]).mean(0), torch.cat([train, test]).std(0)",
            "Your statistics are those of both parts together: test data must not "
            "enter them.",
        ),
        (
            "train.mean(0), train.std(0)",
            "train.mean(), train.std()",
            "You take one mean and one deviation for the whole table: each column has "
            "its own.",
        ),
        (
            "return (train - mean) / std, (test - mean) / std",
            "return tuple((t - t.mean(1, keepdim=True)) / t.std(1, keepdim=True) "
            "for t in (train, test))",
            "You standardize each row, as LayerNorm does: take the statistics of each "
            "column.",
        ),
        (
            "train.std(0)",
            "train.std(0, correction=0)",
            "Your deviation divides by n; torch.std divides by n - 1 if you do not "
            "say otherwise.",
        ),
        (
            "(train - mean) / std, (test - mean) / std",
            "train - mean, test - mean",
            "You subtract the mean but do not divide by the deviation.",
        ),
    ],
)


def _tables(generator: torch.Generator) -> dict[str, Any]:
    """Two tables, without ties in some configurations; no constant column or row."""
    case = generator.initial_seed()
    n, c = distinct(generator, 2, low=4)
    if case == 0:  # no ties: every way to break them agrees
        tables = [torch.randn(n, c, generator=generator) for _ in range(2)]
    else:
        levels = 3 + case % 4
        tables = [
            torch.randint(0, levels, (n, c), generator=generator) for _ in range(2)
        ]
    x, y = (t.double() for t in tables)
    for t in (x, y):
        t[0, :], t[1, :] = -5.0, 9.0
        t[:, 0] += 0.25 * torch.arange(n)
    x[:, 1] = x[:, 1].exp()  # values whose order and size differ
    return {"x": x, "y": y}


def _spearman_steps(answer: Any, x: Tensor, y: Tensor) -> Iterator[Any]:
    """The correlations, of any dtype and in any container, and the tables after it."""
    refuse_no_function(answer)
    yield "configuration", describe({"x": x, "y": y})
    given = {"x": x.clone(), "y": y.clone()}
    yield "the correlation of each feature", call(answer, *given.values()), 1e-3
    yield Case("inputs", "", "", given)


SPEARMAN = Exercise(
    name="choosing/spearman",
    solution="""
        def spearman(x, y):
            def centered_ranks(t):  # (N, C)
                smaller = (t[:, None] > t).sum(1)  # (N, C)
                equal = (t[:, None] == t).sum(1)  # itself included
                rank = smaller + (equal - 1) / 2
                return (rank - rank.mean(0)).to(x.dtype)

            a, b = centered_ranks(x), centered_ranks(y)
            return (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0))
    """,
    run=custom_run(_spearman_steps, _tables),
    mistakes=[
        (
            "smaller + (equal - 1) / 2",
            "t",
            "That is Pearson's correlation of the values: take it of their ranks.",
        ),
        (
            "smaller + (equal - 1) / 2",
            "t.argsort(dim=0, stable=True).argsort(dim=0).double()",
            "Equal values get different ranks, in the order in which they stand: they "
            "must share the mean of these ranks.",
        ),
        (
            "smaller + (equal - 1) / 2",
            "torch.stack([c.unique(return_inverse=True)[1] for c in t.T], 1).double()",
            "Equal values share a rank, but take up one rank only: the next value must "
            "come as many ranks later as there are equal ones.",
        ),
        (
            "smaller + (equal - 1) / 2",
            "smaller.double()",
            "Equal values share the lowest of their ranks; they must share the mean: "
            "add half the number of other equal values.",
        ),
        (
            "smaller + (equal - 1) / 2",
            "(smaller + equal).double()",
            "Equal values share the highest of their ranks; they must share the mean.",
        ),
        (
            "smaller + (equal - 1) / 2",
            "t.argsort(dim=0, stable=True).double()",
            "argsort gives the index of the smallest value, the second smallest, and "
            "so on, not the ranks: apply it twice (and mind the ties).",
        ),
        (
            "ranks(x), centered_ranks(y)",
            "ranks(x.T), centered_ranks(y.T)",
            "You rank along each row: rank each feature, a column, over the samples.",
        ),
        (
            "(rank - rank.mean(0))",
            "rank",
            "Center the ranks before you multiply them: correlation is the cosine of "
            "centered vectors.",
        ),
        (
            "(a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0))",
            "1 - 6 * (a - b).square().sum(0) / (len(x) * (len(x) ** 2 - 1))",
            "The formula 1 - 6 Σd² / (n (n² - 1)) holds without ties only: take "
            "Pearson's correlation of the ranks.",
        ),
        (
            "(a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0))",
            "((a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0))).mean()",
            "You average over the features: return one correlation for each, (C,).",
        ),
        (
            ".sum(0) / (a.norm(dim=0) * b.norm(dim=0))",
            ".mean(0)",
            "That is the covariance of the ranks: divide by both standard deviations.",
        ),
    ],
)


def _sentences(generator: torch.Generator) -> Arguments:
    """Sentences of unequal length; as padding, in turn, numbers, nan, zeros, inf.

    Where the padding is not finite, no gradient is asked for.
    """
    case = generator.initial_seed()
    n, length, c = distinct(generator, 3, low=3)
    lengths = torch.randint(1, length + 1, (n,), generator=generator)
    lengths[0], lengths[1] = length, length - 1
    mask = torch.arange(length) < lengths[:, None]
    if case % 3 == 2:  # padding in front
        mask = mask.flip(1)
    x = torch.randn(n, length, c, generator=generator, dtype=torch.float64)
    x = x * (1 + torch.arange(c)) + signed(generator, c)
    if case % 6 == 3:
        x[..., 0] *= 1e-3
    if case % 6 == 4:
        x[..., 1] = 2.0
    if case % 4:
        x[~mask] = (torch.nan, 0.0, torch.inf)[case % 4 - 1]
    eps = {} if case % 3 == 0 else {"eps": 0.1}
    return (x.requires_grad_(case % 2 == 0), mask), eps


MASKED_BATCH_NORM = Exercise(
    name="choosing/masked_batch_norm",
    solution="""
        def masked_batch_norm(x, mask, eps=1e-5):
            real = x[mask]  # (tokens, C)
            mean, var = real.mean(0), real.var(0, correction=0)  # (C,)
            y = (x - mean) / torch.sqrt(var + eps)  # (N, L, C)
            return torch.where(mask[..., None], y, torch.zeros_like(y))
    """,
    run=function_run(_sentences, names=("x", "mask")),
    mistakes=[
        *OTHER_DEFAULTS,
        *standard_deviations("torch.sqrt(var + eps)", "real.std(0, {})"),
        (
            "var + eps",
            "var",
            "You leave out eps: divide by torch.sqrt(var + eps).",
        ),
        (
            "torch.where(mask[..., None], y, torch.zeros_like(y))",
            "y * mask[..., None]",
            "You multiply by the mask in the end, and what stands in the padding may "
            "be nan or infinite: 0 times nan is nan. Choose with torch.where.",
        ),
        (
            "real = x[mask]  # (tokens, C)\n"
            "    mean, var = real.mean(0), real.var(0, correction=0)  # (C,)",
            "kept = mask[..., None].to(x.dtype)\n"
            "    mean = (x * kept).sum((0, 1)) / kept.sum()\n"
            "    var = ((x - mean) * kept).square().sum((0, 1)) / kept.sum()",
            "In mean and variance you multiply by the mask, and what stands in the "
            "padding may be nan or infinite: 0 times nan is nan. Take x[mask], or "
            "torch.where.",
        ),
        (
            "mean, var = real.mean(0), real.var(0, correction=0)",
            "mean = x.sum((0, 1)) / mask.sum()\n"
            "    var = (real - mean).square().mean(0)",
            "Your mean divides by the number of real tokens, but adds up the padding "
            "too: sum x[mask].",
        ),
        (
            "return torch.where(mask[..., None], y, torch.zeros_like(y))",
            "return y[mask]",
            "You return the real tokens only: the result has the shape of x, with 0 at "
            "the padding.",
        ),
        (
            "x[mask]",
            "x.flatten(0, 1)",
            "torch.where(mask[..., None], y, torch.zeros_like(y))",
            "y",
            "You never use the mask: padding enters mean and variance, and does not "
            "come out as zero.",
        ),
        (
            "x[mask]",
            "x.flatten(0, 1)",
            "The padding is zero, but it entered mean and variance: take them over "
            "x[mask].",
        ),
        (
            "x[mask]",
            "(x * mask[..., None]).flatten(0, 1)",
            "Multiplying x by the mask leaves the zeros in the count: mean and "
            "variance must divide by the number of real tokens, not by N * L.",
        ),
        (
            "mean, var = real.mean(0), real.var(0, correction=0)",
            "mean = real.mean(0)\n"
            "    masked = x * mask[..., None]\n"
            "    var = (masked - mean).square().sum((0, 1)) / mask.sum()",
            "In your variance each padding position still adds (0 - mean)²: mask the "
            "squared deviations, not x.",
        ),
        (
            "torch.where(mask[..., None], y, torch.zeros_like(y))",
            "y",
            "The real tokens are right; the padding must be 0 in the output.",
        ),
        (
            "torch.zeros_like(y)",
            "x",
            "The real tokens are right; the padding keeps what stood in x: return 0.",
        ),
        (
            ", correction=0",
            "",
            "Your variance divides by the number of real tokens minus 1: use "
            "correction=0.",
        ),
        (
            "real = x[mask]",
            "mask = ~mask\n    real = x[mask]",
            "You have the mask the wrong way round: True marks a real token.",
        ),
        (
            "real.mean(0), real.var(0, correction=0)",
            "x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)",
            "You average over the features of each token, as LayerNorm does: average "
            "each feature over all real tokens.",
        ),
        (
            "mean, var = real.mean(0), real.var(0, correction=0)",
            "kept, count = mask[..., None], mask.sum(1)[:, None, None]\n"
            "    mean = (x * kept).sum(1, keepdim=True) / count\n"
            "    var = ((x - mean) ** 2 * kept).sum(1, keepdim=True) / count",
            "You take statistics for each sentence, as InstanceNorm does: take them "
            "over the real tokens of the whole batch.",
        ),
        (
            "torch.sqrt(var + eps)",
            "(torch.sqrt(var) + eps)",
            "You add eps to the standard deviation; it belongs to the variance, "
            "inside the square root.",
        ),
        (
            "var + eps",
            "var + 1e-5",
            "You use 1e-5 whatever the caller asks for: use the argument eps.",
        ),
        (
            "x[mask]",
            "x[mask].detach()",
            "The output is right, but the gradient must also flow through mean and "
            "variance: do not detach them.",
        ),
        (
            "return",
            "x.data[~mask] = 0\n    return",
            "Your function changes x itself: make a new tensor.",
        ),
    ],
)

NARROW_TABLES = Exercise(
    name="choosing/narrow_tables",
    solution="""
        def correlation(c):
            torch.manual_seed(0)
            x = torch.randn(2000, c)  # (N, C)
            y = nn.LayerNorm(c)(x).detach()
            a, b = (t.argsort(0).argsort(0).double() for t in (x, y))  # ranks
            return F.cosine_similarity(a - a.mean(0), b - b.mean(0), dim=0).mean()


        answer = next(c for c in (2, 4, 8, 16, 32, 64) if correlation(c) > 0.9)
    """,
    reference=8,
    run=value_run(),
    mistakes=[
        (4, "With 4 features the mean correlation is about 0.81."),
        (2, "With 2 features LayerNorm leaves -1 and 1, about 0.69."),
        (16, "16 features exceed 0.9, but so does a smaller C of the list."),
        (32, "32 features exceed 0.9, but so does a smaller C of the list."),
        (64, "64 features exceed 0.9, but so does a smaller C of the list."),
        (3, "C is one of 2, 4, 8, 16, 32, 64."),
    ],
)

ANCHORS = Exercise(
    name="choosing/anchors",
    setup="""
        def draw_table(n):
            age = 18 + 62 * torch.rand(n, 1)  # years
            income = 40_000 * torch.randn(n, 1).exp()
            rooms = 6 * torch.rand(n, 1)
            return torch.cat([age, income, rooms], 1).double()  # (N, C)


        def standardize(x, n=None):  # with the statistics of the first n samples
            return (x - x[:n].mean(0)) / x[:n].std(0)


        @torch.no_grad()
        def test_error(net, x, label):
            wrong = net.eval()(x).argmax(1) != label
            net.train()
            return 100 * wrong.double().mean().item()  # in %


        def train(net, optimizer, n, x, label, test_set, tests):
            errors = []
            for step in range(1, max(tests) + 1):
                i = torch.randint(0, len(x), (n,))
                optimizer.zero_grad()
                F.cross_entropy(net(x[i]), label[i]).backward()
                optimizer.step()
                if step in tests:
                    errors.append(test_error(net, *test_set))
            return errors  # one for each number of steps in tests


        def table_errors(standardized, first, hidden, seed, tests):
            torch.manual_seed(seed)  # networks this small train fastest on the CPU
            x = draw_table(4000)  # (N, C), the first 3000 are for training
            label = ((x[:, 0] > 45) ^ (x[:, 2] > 3)).long()  # (N,)
            x = standardize(x, 3000) if standardized else x
            net = nn.Sequential(first(3), nn.Linear(3, 32), hidden(32), nn.ReLU(),
                                nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2)).double()
            test_set = x[3000:], label[3000:]
            optimizer = torch.optim.Adam(net.parameters(), 0.01)
            return train(net, optimizer, 64, x[:3000], label[:3000], test_set, tests)


        nothing = nn.Identity
    """,
    solution="""
        class Anchored(nn.Module):
            def __init__(self, features):
                super().__init__()
                self.norm = nn.LayerNorm(features + 2)

            def forward(self, x):  # (N, C)
                anchors = torch.tensor([3.0, -3.0]).to(x).expand(len(x), 2)
                y = self.norm(torch.cat([x, anchors], 1))  # (N, C + 2)
                return y[:, :-2]


        layer_norm, anchored = [], []
        for seed in range(5):
            layer_norm += table_errors(True, nn.LayerNorm, nothing, seed, [100])
            anchored += table_errors(True, Anchored, nothing, seed, [100])
        d = torch.tensor(layer_norm) - torch.tensor(anchored)  # (seeds,), in points
        answer = d.mean().item(), (d.std() / len(d) ** 0.5).item()
    """,
    run=measure_run("layer_norm", "anchored"),
    mistakes=[
        (
            "y[:, :-2]",
            "y[:, 2:]",
            "You return the last columns, so two features are dropped and the anchors "
            "are kept: return the first ones.",
        ),
        (
            "True, Anchored",
            "False, Anchored",
            "With the anchors the table is not standardized, so they are small beside "
            "an income of thousands: the first argument of table_errors is True in "
            "both cases.",
        ),
    ],
)

EXERCISES = (STANDARDIZE_BOTH, SPEARMAN, MASKED_BATCH_NORM, NARROW_TABLES, ANCHORS)
