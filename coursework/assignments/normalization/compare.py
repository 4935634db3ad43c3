"""Before, after, or undecided: the confidence interval of paired differences."""

import statistics
from typing import Any

import torch
from torch import Tensor

from helpers.coursework import Question, Wrong, script_probe

SHIFTS = (-3.0, 2.0, -0.1, 0.0, -2.0, 0.5)  # after minus before


def case(generator: torch.Generator) -> dict[str, Any]:
    """Seeds that differ by far more than the two columns do."""
    index = generator.initial_seed()
    n = 5 + index
    noise = torch.randn(2, n, generator=generator, dtype=torch.float64)
    before = 20 + (12 * noise[0]).round() / 4
    spread = (1.0, 0.5, 1.0, 0.0, 0.0, 0.25)[index]
    after = before + SHIFTS[index] + (8 * noise[1]).round() / 4 * spread
    t = (2.776, 2.571, 2.447, 2.365, 2.306, 1.833)[index]
    return {"before": before, "after": after, "t": t}


def drive(answer, before, after, t):
    yield "configuration", f"S={len(before)}, t={t}"
    given = [before.clone(), after.clone()]
    mean, low, high, verdict = call(answer, *given, t)  # noqa: F821
    yield "the mean", float(mean), 1e-6
    yield "the mean: arguments after the call", given
    yield "the interval", [float(low), float(high)], 1e-6
    yield "the verdict", verdict


def reference(variant: dict[str, Any]) -> Any:
    """Python's own statistics."""

    def compare(
        before: Tensor, after: Tensor, t: float
    ) -> tuple[float, float, float, str]:
        pairs = zip(before.tolist(), after.tolist(), strict=True)
        differences = [b - a for a, b in pairs]
        mean = statistics.fmean(differences)
        half = t * (statistics.variance(differences) / len(differences)) ** 0.5
        verdicts = {-1: "after", 0: "undecided", 1: "before"}
        side = (mean - half > 0) - (mean + half < 0)
        return mean, mean - half, mean + half, verdicts[side]

    return compare


HALF = "half = t * differences.std().item() / len(differences) ** 0.5"
VERDICT = '"after" if high < 0 else "before" if low > 0 else "undecided"'
MEAN, INTERVAL, SIDE = "the mean", "the interval", "the verdict"
QUESTION = Question(
    name="compare",
    title="Before, after, or undecided",
    answer="compare",
    reference=reference,
    probes=(script_probe(drive, case),),
    parts={MEAN: 1, INTERVAL: 2, SIDE: 1},
    wrong=(
        Wrong(
            "before minus after",
            "The difference is after minus before.",
            edits=(("after - before", "before - after"),),
            loses=(MEAN, INTERVAL, SIDE),
        ),
        Wrong(
            "biased standard deviation",
            "The sample standard deviation divides by S - 1.",
            edits=(("differences.std()", "differences.std(correction=0)"),),
            loses=(INTERVAL,),
        ),
        Wrong(
            "standard deviation instead of standard error",
            "The mean of S differences scatters less than one of them: divide by the "
            "root of S.",
            edits=((" / len(differences) ** 0.5", ""),),
            loses=(INTERVAL,),
        ),
        Wrong(
            "divided by S",
            "The standard error falls with the root of S, not with S.",
            edits=(("len(differences) ** 0.5", "len(differences)"),),
            loses=(INTERVAL,),
        ),
        Wrong(
            "root of S - 1",
            "Divide by the root of S; the sample standard deviation has the S - 1 in "
            "it already.",
            edits=(("len(differences) ** 0.5", "(len(differences) - 1) ** 0.5"),),
            loses=(INTERVAL,),
        ),
        Wrong(
            "not in pairs",
            "Two runs of a seed belong together: take the spread of the differences, "
            "not that of the two columns.",
            edits=(("differences.std()", "(before.var() + after.var()).sqrt()"),),
            loses=(INTERVAL, SIDE),
        ),
        Wrong(
            "t left out",
            "The interval reaches t standard errors to each side.",
            edits=(("half = t * ", "half = "),),
            loses=(INTERVAL,),
        ),
        Wrong(
            "t always 1.96",
            "With few seeds the quantile is larger than 1.96: use the argument t.",
            edits=(("half = t * ", "half = 1.96 * "),),
            loses=(INTERVAL,),
        ),
        Wrong(
            "half the width",
            "t standard errors to each side, not t in all.",
            edits=(("half = t * ", "half = t / 2 * "),),
            loses=(INTERVAL,),
        ),
        Wrong(
            "verdict turned around",
            "The numbers are errors: a negative difference means that after is better.",
            edits=(
                (
                    VERDICT,
                    '"before" if high < 0 else "after" if low > 0 else "undecided"',
                ),
            ),
            loses=(SIDE,),
        ),
        Wrong(
            "verdict from the mean",
            "The whole interval must lie on one side of 0, not only its middle.",
            edits=(
                ("high < 0 else", "mean < 0 else"),
                ("low > 0 else", "mean > 0 else"),
            ),
            loses=(SIDE,),
        ),
        Wrong(
            "never undecided",
            "Where the interval holds 0, the data do not decide.",
            edits=((VERDICT, '"after" if mean < 0 else "before"'),),
            loses=(SIDE,),
        ),
        Wrong(
            "0 as an end decides",
            "An interval that ends at 0 does not lie entirely on one side.",
            edits=(("high < 0", "high <= 0"), ("low > 0", "low >= 0")),
            loses=(SIDE,),
        ),
        Wrong(
            "ends exchanged",
            "The lower end comes first.",
            edits=(("return mean, low, high", "return mean, high, low"),),
            loses=(INTERVAL,),
        ),
        Wrong(
            "median",
            "The mean is asked for, not the median.",
            edits=(("differences.mean()", "differences.median()"),),
            loses=(MEAN, INTERVAL),
        ),
    ),
)
