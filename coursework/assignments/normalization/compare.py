"""Before, after, or undecided: the confidence interval of paired differences."""

import statistics
from typing import Any

import torch
from torch import Tensor

from layers_book.coursework import Mistake, Question, custom_run

CASES: tuple[tuple[float, list[float]], ...] = (  # t, and after minus before by seed
    (2.571, [-3, -2.5, -4, 0.25, -3.5, -2]),  # decided, though not by every seed
    (2.776, [1.5, 2, 2.25, 1.75, 2.5]),
    (2.776, [0.25, 0.5, 0.25, 1.5, 2.5]),  # undecided: 2.2 errors, and all of one sign
    (2.365, [-0.5, -0.25, 4, -0.5, -0.75, 3, -0.5, -0.25]),
    (2.447, [0.0] * 7),
    (2.447, [-2.0] * 7),
    (1.833, [0.5, 1, 0.25, 0, 0.5, 1.25, -0.25, 0.75, 0.5, 0.25]),
)


def case(generator: torch.Generator) -> dict[str, Any]:
    """Seeds that differ by far more than the two columns do."""
    t, differences = CASES[generator.initial_seed()]
    noise = torch.randn(len(differences), generator=generator, dtype=torch.float64)
    before = 20 + (12 * noise).round() / 4
    after = before + torch.tensor(differences, dtype=torch.float64)
    return {"before": before, "after": after, "t": t}


def drive(answer, before, after, t):
    yield "configuration", f"S={len(before)}, t={t}"
    given = [before.clone(), after.clone()]
    mean, low, high, verdict = call(answer, *given, t)  # noqa: F821
    yield "the mean", float(mean), 1e-6
    yield "the mean: arguments after the call", given
    yield "the interval", [float(low), float(high)], 1e-3
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
    run=custom_run(drive, case, configurations=len(CASES)),
    parts={MEAN: 1, INTERVAL: 2, SIDE: 1},
    mistakes=(
        Mistake(
            name="before minus after",
            hint="The difference is after minus before.",
            edits=(("after - before", "before - after"),),
            loses=(MEAN, INTERVAL, SIDE),
        ),
        Mistake(
            name="biased standard deviation",
            hint="The sample standard deviation divides by S - 1.",
            edits=(("differences.std()", "differences.std(correction=0)"),),
            loses=(INTERVAL,),
        ),
        Mistake(
            name="standard deviation instead of standard error",
            hint="The mean of S differences scatters less than one of them: divide "
            "by the root of S.",
            edits=((" / len(differences) ** 0.5", ""),),
            loses=(INTERVAL,),
        ),
        Mistake(
            name="divided by S",
            hint="The standard error falls with the root of S, not with S.",
            edits=(("len(differences) ** 0.5", "len(differences)"),),
            loses=(INTERVAL,),
        ),
        Mistake(
            name="root of S - 1",
            hint="Divide by the root of S; the sample standard deviation has the S - "
            "1 in it already.",
            edits=(("len(differences) ** 0.5", "(len(differences) - 1) ** 0.5"),),
            loses=(INTERVAL,),
        ),
        Mistake(
            name="not in pairs",
            hint="Two runs of a seed belong together: take the spread of the "
            "differences, not that of the two columns.",
            edits=(("differences.std()", "(before.var() + after.var()).sqrt()"),),
            loses=(INTERVAL, SIDE),
        ),
        Mistake(
            name="t left out",
            hint="The interval reaches t standard errors to each side.",
            edits=(("half = t * ", "half = "),),
            loses=(INTERVAL,),
        ),
        Mistake(
            name="t always 1.96",
            hint="With few seeds the quantile is larger than 1.96: use the argument t.",
            edits=(("half = t * ", "half = 1.96 * "),),
            loses=(INTERVAL,),
        ),
        Mistake(
            name="half the width",
            hint="t standard errors to each side, not t in all.",
            edits=(("half = t * ", "half = t / 2 * "),),
            loses=(INTERVAL,),
        ),
        Mistake(
            name="verdict turned around",
            hint="The numbers are errors: a negative difference means that after is "
            "better.",
            edits=(
                (
                    VERDICT,
                    '"before" if high < 0 else "after" if low > 0 else "undecided"',
                ),
            ),
            loses=(SIDE,),
        ),
        Mistake(
            name="verdict from the mean",
            hint="The whole interval must lie on one side of 0, not only its middle.",
            edits=(
                ("high < 0 else", "mean < 0 else"),
                ("low > 0 else", "mean > 0 else"),
            ),
            loses=(SIDE,),
        ),
        Mistake(
            name="never undecided",
            hint="Where the interval holds 0, the data do not decide.",
            edits=((VERDICT, '"after" if mean < 0 else "before"'),),
            loses=(SIDE,),
        ),
        Mistake(
            name="verdict by the seeds' signs",
            hint="One seed of the other sign does not make the interval reach over "
            "0, and seeds of one sign do not keep it away from 0.",
            edits=(
                ("high < 0 else", "(differences < 0).all() else"),
                ("low > 0 else", "(differences > 0).all() else"),
            ),
            loses=(SIDE,),
        ),
        Mistake(
            name="0 as an end decides",
            hint="An interval that ends at 0 does not lie entirely on one side.",
            edits=(("high < 0", "high <= 0"), ("low > 0", "low >= 0")),
            loses=(SIDE,),
        ),
        Mistake(
            name="ends exchanged",
            hint="The lower end comes first.",
            edits=(("return mean, low, high", "return mean, high, low"),),
            loses=(INTERVAL,),
        ),
        Mistake(
            name="median",
            hint="The mean is asked for, not the median.",
            edits=(("differences.mean()", "differences.median()"),),
            loses=(MEAN, INTERVAL),
        ),
    ),
)
