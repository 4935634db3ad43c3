"""One mean from many devices: statistics of the whole from those of its parts."""

from typing import Any

import torch
from torch import Tensor

from layers_book.coursework import Mistake, Question, custom_run, distinct


def devices(generator: torch.Generator) -> dict[str, Any]:
    """Counts, means and variances of data that is drawn on some devices."""
    index = generator.initial_seed()
    d, c = distinct(generator, 2, low=2 + (index == 1))
    counts = (torch.randperm(9, generator=generator)[:d] + 2).tolist()
    words = ""
    if index == 1:
        counts = [4] * d
    if index in (2, 3):
        counts[index - 2] = 0
        words = "with an idle device: "
    if index == 5:
        words = "in float32: "
    dtype = torch.float64
    parts = [
        torch.randn(n, c, generator=generator, dtype=dtype) * (k + 1) ** 0.5
        for k, n in enumerate(counts)
    ]
    means = torch.stack([part.mean(0) for part in parts])  # of no values: nan
    if words:  # equal means, so that this part does not hang on the others
        means += 2e3 - means if index == 5 else 1.5 - means
    else:
        means += 2 * torch.randn(d, c, generator=generator, dtype=dtype)
    variances = torch.stack([part.var(0, correction=0) for part in parts])
    if index == 2:  # what an empty device sends may as well be numbers
        means, variances = means.nan_to_num(7.0), variances.nan_to_num(5.0)
    if index == 5:
        means, variances = means.float(), variances.float()
    return {
        "counts": torch.tensor(counts),
        "means": means,
        "variances": variances,
        "words": words,
    }


def drive(answer, counts, means, variances, words):
    yield "configuration", f"counts {counts.tolist()}, means {tuple(means.shape)}"
    given = [counts.clone(), means.clone(), variances.clone()]
    value = call(answer, *given)  # noqa: F821
    names = "mean", "biased variance", "unbiased variance"
    for name, part in zip(names, value, strict=True):
        if words and name == "unbiased variance":
            continue  # so that these parts do not hang on it
        yield f"{words}the {name}", part
    yield f"{words}the mean: arguments after the call", given


def reference(variant: dict[str, Any]) -> Any:
    """Two values a device with the right mean and variance, weighted by its count."""

    def combine(counts: Tensor, means: Tensor, variances: Tensor) -> tuple[Tensor, ...]:
        at = counts.nonzero().flatten()
        middle, sd = means[at].double(), variances[at].double().sqrt()
        weights = counts[at].repeat(2)
        values = torch.cat([middle - sd, middle + sd])  # (2 D, C)
        n = counts.sum().item()
        mean = [
            torch.sum(column * weights) / weights.sum() for column in values.unbind(1)
        ]
        biased = [
            torch.cov(column, correction=0, fweights=weights)
            for column in values.unbind(1)
        ]
        var = torch.stack(biased)
        found = torch.stack(mean), var, var * n / (n - 1)
        return tuple(value.to(means.dtype) for value in found)

    return combine


MEAN = "mean = (n * means).sum(0) / n.sum()"
SQUARES = "squares = (n * (variances + (means - mean).square())).sum(0)"
QUESTION = Question(
    name="combine",
    title="One mean from many devices",
    answer="combine",
    reference=reference,
    run=custom_run(drive, devices, configurations=6),
    parts={
        "the mean": 1,
        "the biased variance": 1.5,
        "the unbiased variance": 0.5,
        "with an idle device": 1,
        "in float32": 1,
    },
    forbid=("batch_norm",),
    mistakes=(
        Mistake(
            name="plain mean of the means",
            hint="A device that has seen more values counts for more.",
            edits=((MEAN, "mean = means.mean(0)"),),
            loses=("the mean",),
        ),
        Mistake(
            name="weighted mean of the variances only",
            hint="The devices' means differ, and that is variance too: a variance "
            "around the common mean is larger than one around the device's own.",
            edits=(("(variances + (means - mean).square())", "variances"),),
            loses=("the biased variance", "the unbiased variance"),
        ),
        Mistake(
            name="variance of the means only",
            hint="The values of a device spread around its mean: that part is missing.",
            edits=(
                ("(variances + (means - mean).square())", "(means - mean).square()"),
            ),
            loses=("the biased variance",),
        ),
        Mistake(
            name="spread of the means unweighted",
            hint="Weight the distance of a device's mean by its count as well.",
            edits=(
                (
                    SQUARES,
                    "squares = (n * variances).sum(0)"
                    " + n.sum() * means.var(0, correction=0)",
                ),
            ),
            loses=("the biased variance",),
        ),
        Mistake(
            name="spread of the means not multiplied by the counts",
            hint="Each of a device's values lies off by the distance of the means: "
            "count that square once for each value.",
            edits=(
                (
                    SQUARES,
                    "squares = (n * variances + (means - mean).square()).sum(0)",
                ),
            ),
            loses=("the biased variance",),
        ),
        Mistake(
            name="plain mean of the variances",
            hint="Weight the devices by their counts, in the variance too.",
            edits=(
                (
                    SQUARES,
                    "squares = n.sum() * (variances + (means - mean).square()).mean(0)",
                ),
            ),
            loses=("the biased variance",),
        ),
        Mistake(
            name="given variances taken as unbiased",
            hint="The variances that arrive are biased: they were divided by the "
            "count.",
            edits=((".square())).sum(0)", ".square()) - variances).sum(0)"),),
        ),
        Mistake(
            name="one less for each device",
            hint="Only one mean is estimated from all values: divide by their number "
            "less one, however many devices there are.",
            edits=(("(n.sum() - 1)", "(n - 1).sum()"),),
            loses=("the unbiased variance",),
        ),
        Mistake(
            name="number of devices less one",
            hint="The number of values counts, not the number of devices.",
            edits=(("(n.sum() - 1)", "(len(n) - 1) / n.sum() * len(n)"),),
            loses=("the unbiased variance",),
        ),
        Mistake(
            name="variances in the wrong order",
            hint="First the biased variance, then the unbiased one.",
            edits=(
                (
                    "squares / n.sum(), squares / (n.sum() - 1)",
                    "squares / (n.sum() - 1), squares / n.sum()",
                ),
            ),
            loses=("the biased variance", "the unbiased variance"),
        ),
        Mistake(
            name="idle device not left out",
            hint="0 * nan is nan: take out the devices that have seen nothing before "
            "you add up.",
            edits=(
                ("counts[seen, None]", "counts[:, None]"),
                ("means, variances = means[seen], variances[seen]", "pass"),
            ),
            loses=("with an idle device",),
        ),
        Mistake(
            name="mean of the squares minus square of the mean",
            hint="Where the means are large, the difference of two large numbers "
            "loses its digits in float32: add up squared distances from the common "
            "mean.",
            edits=(
                (
                    SQUARES,
                    "squares = (n * (variances + means**2)).sum(0) - n.sum() * mean**2",
                ),
            ),
            loses=("in float32",),
        ),
        Mistake(
            name="writes into the arguments",
            hint="The arguments must stay as they are.",
            edits=(
                (
                    "n = counts[seen, None]",
                    "means[~seen] = 0\n    variances[~seen] = 0\n"
                    "    n = counts[seen, None]",
                ),
            ),
            loses=("with an idle device",),
        ),
    ),
)
