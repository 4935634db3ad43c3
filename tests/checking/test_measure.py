"""Measurements: right with other seeds, and a hint for each classic mistake."""

import statistics

import numpy as np
import pytest
import torch

from helpers import paired
from layers_book.checking import Exercise, Mistake, check_exercise, measure_run
from layers_book.checking.judging import measure

SETUP = """
def error(seed, setting, steps=100):
    draw = torch.Generator().manual_seed(seed)
    shared, own, other = torch.randn(3, generator=draw).tolist()
    return 30 + 4 * shared + (12 + own if setting == "without" else other) - steps / 9
"""
MISTAKE = Mistake("You stop too early.", edits=(('"without"', '"without", 40'),))
SPACE: dict = {}
exec("import torch" + SETUP, SPACE)


def exercise(n=8):
    """The paired differences of n seeds are 12, give or take 1.4."""
    solution = f"""
        without = [error(seed, "without") for seed in range({n})]
        with_ = [error(seed, "with") for seed in range({n})]
        difference = torch.tensor(without) - torch.tensor(with_)
        answer = difference.mean(), difference.std() / {n} ** 0.5
    """
    run = measure_run("without", "with_")
    return Exercise("page/measure", solution, run, [MISTAKE], setup=SETUP)


def results(seeds, steps=100):
    return [[SPACE["error"](s, w, steps) for s in seeds] for w in ("without", "with")]


EIGHT = exercise()
A, B = results(range(8))
D = [a - b for a, b in zip(A, B, strict=True)]
MEAN, ERROR = paired(A, B)


@pytest.mark.parametrize(
    "answer",
    [
        (MEAN, ERROR),
        [MEAN, ERROR],
        paired(A, B),
        torch.tensor([MEAN, ERROR], requires_grad=True),
        (torch.tensor(MEAN), np.float64(ERROR)),
        np.array([[MEAN, ERROR]]),
        {"mean": MEAN, "error": ERROR},
        {"standard error": ERROR, "mean": MEAN},
        D,
        torch.tensor(D),
        (A, B),
        lambda: (MEAN, ERROR),
        (round(MEAN, 1), round(ERROR, 2)),
        (MEAN, statistics.pstdev(D) / 8**0.5),
    ],
)
def test_right_in_any_container(answer):
    verdict = check_exercise(EIGHT, answer)
    assert verdict, verdict.message


@pytest.mark.parametrize("n", [5, 8, 10, 20])
def test_right_with_other_seeds_and_more(n):
    e = exercise(n)
    found = [
        bool(check_exercise(e, paired(*results(range(start, start + count)))))
        for start in range(100, 2100, 40)
        for count in (n, 2 * n)
    ]
    assert sum(found) >= 0.98 * len(found)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((-MEAN, ERROR), measure.SIGN),
        ([-d for d in D], measure.SIGN),
        ((B, A), measure.SIGN),
        ((ERROR, MEAN), measure.SWAPPED),
        ((MEAN / 100, ERROR / 100), measure.FRACTION),
        ([d / 100 for d in D], measure.FRACTION),
        ((MEAN * 100, ERROR * 100), measure.PERCENT),
        ((sum(D), ERROR), measure.SUM),
        ((statistics.mean(A), ERROR), measure.SETTING),
        ((statistics.mean(B), ERROR), measure.SETTING),
        ((MEAN, statistics.stdev(D)), measure.DEVIATION),
        ((MEAN, statistics.pstdev(D)), measure.DEVIATION),
        ((MEAN, statistics.variance(D)), measure.VARIANCE),
        ((MEAN, ERROR**2), measure.VARIANCE),
        ((MEAN, statistics.stdev(D) / 8), measure.COUNT),
        (
            (MEAN, ((statistics.variance(A) + statistics.variance(B)) / 8) ** 0.5),
            measure.UNPAIRED,
        ),
        ((MEAN, statistics.stdev(B) / 8**0.5), measure.SINGLE),
        ((MEAN, 10 * ERROR), measure.ERROR.replace("{}", "large")),
        ((MEAN, 0), measure.ERROR.replace("{}", "small")),
        ((MEAN, -ERROR), measure.NEGATIVE),
        ((3 * MEAN, ERROR), measure.MEAN),
        ((MEAN, float("nan")), measure.FINITE),
        (MEAN, measure.FORM),
        (f"{paired(A, B):.1f}", measure.FORM),
        ({"a": 1, "b": 2}, measure.FORM),
        ((True, ERROR), measure.FORM),
    ],
)
def test_the_mistake_is_named(answer, words):
    verdict = check_exercise(exercise(), answer)
    assert (verdict.passed, verdict.answered) == (False, True)
    assert verdict.message == words
    assert f"{MEAN:.1f}" not in verdict.message


@pytest.mark.parametrize("n", [5, 8, 20])
def test_a_deviation_of_the_same_seeds_never_passes(n):
    a, b = results(range(n))
    mean, error = paired(a, b)
    assert not check_exercise(exercise(n), (mean, error * n**0.5))


def test_the_exercises_own_mistake_is_recognized_by_close_numbers_alone():
    a, b = results(range(8), 40)[0], B
    assert check_exercise(EIGHT, paired(a, b)).message == MISTAKE.hint
    near = paired([x + 1 for x in a], b)
    assert check_exercise(EIGHT, near).message == measure.MEAN


def test_two_explanations_are_none():
    """A deviation of 1 is a variance of 1, so nobody can tell which was given."""
    differences = [-0.6325, 1, 0, 0, 0.6325]
    scale = 1 / statistics.stdev(differences)
    a = [0.0] * 5
    b = [-d * scale for d in differences]
    e = Exercise("page/one", f"a, b = {a}, {b}\nanswer = 1", measure_run("a", "b"))
    verdict = check_exercise(e, (-statistics.mean(b), 1.0))
    assert verdict.message == measure.ERROR.replace("{}", "large")


@pytest.mark.parametrize("answer", [..., None, (..., ...), (MEAN, ...), lambda: ...])
def test_not_answered(answer):
    assert not check_exercise(EIGHT, answer).answered


def test_nothing_is_measured_before_somebody_asks():
    run = measure_run("a", "b")
    e = Exercise("page/late", "a = b = undefined\nanswer = a", run)
    with pytest.raises(NameError):
        e.reference()


def test_differences_say_how_many_seeds_they_are_of():
    many = [a - b for a, b in zip(*results(range(64)), strict=True)]
    assert check_exercise(EIGHT, many)


def test_what_may_be_right_is_right():
    """The error of independent groups is also that of the pairs, divided by n."""
    a = [float(v) for v in (3, 1, 4, 1, 5, 9, 2, 6)]
    b = [-0.0718 * v for v in a]
    e = Exercise("page/two", f"a, b = {a}, {b}\nanswer = 1", measure_run("a", "b"))
    differences = [x - y for x, y in zip(a, b, strict=True)]
    unpaired = ((statistics.variance(a) + statistics.variance(b)) / 8) ** 0.5
    pairs = statistics.pstdev(differences) / 8**0.5
    assert unpaired == pytest.approx(pairs, rel=0.01)
    assert check_exercise(e, (statistics.mean(differences), pairs))
