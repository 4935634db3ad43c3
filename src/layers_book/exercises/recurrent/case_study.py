"""Exercises of the page recurrent/case_study."""

from collections.abc import Iterator
from itertools import product
from math import comb
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from layers_book.checking import (
    CONFIGURATION,
    Case,
    Exercise,
    Mistake,
    Refused,
    call,
    distinct,
    function_run,
    signed,
)


def _presses(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    k = (generator.initial_seed() + 4) % 10 + 1  # from 5: many rules agree at 1
    return (k,), {}


def _bag(k: int) -> float:
    """By going through all evenings: the best guess for each count, then its hits."""
    hits: dict[int, list[int]] = {}
    for buttons in product((0, 1), repeat=k):
        hits.setdefault(sum(buttons), [0, 0])[buttons[-1]] += 1
    return sum(max(pair) for pair in hits.values()) / float(2**k)


def _wrong_bag(wrong: str) -> Any:
    def answer(k: int) -> float:
        total = 0.0
        for a in range(k + 1):
            share = max(a, k - a) / k
            if wrong == "majority is right":
                share = 0.5 if 2 * a == k else 1.0
            elif wrong == "tie is lost":
                share = 0.0 if 2 * a == k else share
            elif wrong == "tie is won":
                share = 1.0 if 2 * a == k else share
            elif wrong == "mixed is a coin":
                share = 1.0 if a in (0, k) else 0.5
            elif wrong == "on only":
                share = a / k
            elif wrong == "minority":
                share = min(a, k - a) / k
            elif wrong == "whole":
                share = float(max(a, k - a) // k)
            total += (
                share / (k + 1)
                if wrong == "counts alike"
                else (share * comb(k, a) / 2**k)
            )
        if wrong == "up to k":
            return sum(_bag(j) for j in range(1, k + 1)) / k
        if wrong == "percent":
            return 100 * total
        if wrong == "sum":
            return float(2**k) * total
        if wrong == "all alike":
            return total - 1 / float(2**k)
        if wrong == "times":
            return k * total
        return total

    return answer


BAG = Exercise(
    name="recurrent_case_study/bag",
    reference=_bag,
    run=function_run(_presses, names=("k",), float32=False),
    configurations=10,
    mistakes=(
        Mistake(
            _wrong_bag("majority is right"),
            "The button pressed more often need not be the last one: with a of k "
            "presses on it, it is the last in a of k orders.",
        ),
        Mistake(
            _wrong_bag("tie is lost"),
            "At a tie the guesser still throws a coin, and is right half of the time.",
        ),
        Mistake(
            _wrong_bag("tie is won"),
            "At a tie the guesser cannot know: it is right half of the time.",
        ),
        Mistake(
            _wrong_bag("mixed is a coin"),
            "Two of one button and one of the other are no coin: the more frequent one "
            "is the last in 2 of 3 orders.",
        ),
        Mistake(
            _wrong_bag("counts alike"),
            "You give each count the same weight: of the 2 ** k equally likely "
            "evenings, comb(k, a) have a presses of on.",
        ),
        Mistake(
            _wrong_bag("on only"),
            "That is 1/2, a coin: let the guesser name the more frequent button, which "
            "is pressed max(a, k - a) times.",
        ),
        Mistake(
            _wrong_bag("minority"),
            "Your guesser names the rarer button: the more frequent one is the better "
            "guess.",
        ),
        Mistake(
            _wrong_bag("whole"),
            "You divide with //, which drops the fraction: use /.",
        ),
        Mistake(
            _wrong_bag("up to k"),
            "You average over evenings of 1 to k presses: here there are exactly k.",
        ),
        Mistake(_wrong_bag("percent"), "Give a share between 0 and 1, not percent."),
        Mistake(
            _wrong_bag("sum"),
            "That counts evenings: divide by the number of all evenings, 2 ** k.",
        ),
        Mistake(
            _wrong_bag("all alike"),
            "One evening is missing, with k presses of one button: a runs from 0 to k, "
            "range(k + 1).",
        ),
        Mistake(
            _wrong_bag("times"),
            "The last press is the more frequent button in max(a, k - a) of k orders: "
            "divide by k.",
        ),
    ),
)

SHAPES = {"weight_ih": (4, 3), "weight_hh": (4, 1), "bias_ih": (4,), "bias_hh": (4,)}


def _latch_run(answer: Any, generator: Generator) -> Iterator[Case]:
    """Let a cell with the answer's weights read logs of 500 minutes."""
    if not callable(answer) or isinstance(answer, type | nn.Module):
        raise Refused("A function is expected: write its name without calling it.")
    index = generator.initial_seed()
    rate = (0.3, 0.02, 0.004)[index % 3]
    pressed = torch.rand(500, 8, generator=generator) < rate
    pressed[0] = True
    buttons = torch.randint(0, 2, pressed.shape, generator=generator)
    if not index:
        buttons[:, 0] = torch.arange(500) % 2
    log = torch.where(pressed, buttons, 2)  # (L, N)
    yield Case(CONFIGURATION, f"8 logs of 500 minutes, a press in {rate:.1%} of them")
    layer = nn.LSTM(3, 1).double()  # all the steps of a cell in one call
    _fill(layer, call(answer))
    with torch.no_grad():
        h = layer(F.one_hot(log, 3).double())[0][..., 0]  # (L, N)
    label = "the output (1 above 0.5, -1 below -0.5, 0 between; minute, log)"
    yield Case(label, (h > 0.5).long() - (h < -0.5).long())


def _fill(layer: nn.LSTM, weights: Any) -> None:
    if not isinstance(weights, tuple | list) or len(weights) != 4:
        raise Refused(f"Return four tensors: {', '.join(SHAPES)}.")
    for (name, shape), value in zip(SHAPES.items(), weights, strict=True):
        if not isinstance(value, Tensor):
            raise Refused(f"{name} should be a tensor: torch.tensor(...).")
        if tuple(value.shape) != shape:
            raise Refused(
                f"{name} has shape {tuple(value.shape)}, expected {shape}: rows are "
                "the gates i, f, g, o, columns the words off, on, wind."
            )
        getattr(layer, f"{name}_l0").data.copy_(value)


def _latch(wrong: str = "") -> Any:
    """Rows i, f, g, o; columns off, on, wind."""

    def answer() -> tuple[Tensor, ...]:
        i, f, g = [20.0, 20, -20], [-20.0, -20, 20], [-20.0, 20, 0]
        o = [20.0, 20, 20]
        if wrong == "counter":
            f = [20.0, 20, 20]
        elif wrong == "leak":
            f = [-20.0, -20, 3]
        elif wrong == "fives":
            i, f, g, o = ([value / 4 for value in row] for row in (i, f, g, o))
        elif wrong == "forgets":
            f = [-20.0, -20, -20]
        elif wrong == "swapped buttons":
            g = [20.0, -20, 0]
        elif wrong == "off is zero":
            g = [0.0, 20, 0]
        elif wrong == "on is zero":
            g = [-20.0, 0, 0]
        elif wrong == "wind is off":
            i, f, g = [20.0, 20, 20], [-20.0, -20, -20], [-20.0, 20, -20]
        elif wrong == "half output":
            o = [0.0, 0, 0]
        elif wrong == "half kept":
            f = [0.0, 0, 20]
        elif wrong == "gate order":
            g, o = o, g
        elif wrong == "columns":
            i, f, g = [[r[1], r[2], r[0]] for r in (i, f, g)]
        rows = [i, f, g, o]
        return torch.tensor(rows), torch.zeros(4, 1), torch.zeros(4), torch.zeros(4)

    return answer


LATCH = Exercise(
    name="recurrent_case_study/latch",
    reference=_latch(),
    run=_latch_run,
    configurations=6,
    mistakes=(
        Mistake(
            _latch("counter"),
            "Your cell adds up: after on, on, off it still says on. A press must "
            "replace the old content, so its word must shut the forget gate.",
        ),
        Mistake(
            _latch("leak"),
            "Your cell leaks: a forget gate of 0.95 leaves nothing after 500 minutes. "
            "At wind, its preactivation must be much larger than 3.",
        ),
        Mistake(
            _latch("fives"),
            "Nearly: sigmoid(5) = 0.993 a minute is 0.03 after 500 minutes. Make the "
            "preactivation of the forget gate at wind larger.",
        ),
        Mistake(
            _latch("forgets"),
            "At wind your state falls to 0.5 or less: there the forget gate must be "
            "open, and open means keep; the output gate too. sigmoid(0) is half open.",
        ),
        Mistake(
            _latch("swapped buttons"),
            "Your state has the opposite sign: the words come in the order off, on, "
            "wind, and on is the positive one.",
        ),
        Mistake(
            _latch("off is zero"),
            "After off your state is not below -0.5: there the input gate must be "
            "open, and the candidate g needs a negative preactivation.",
        ),
        Mistake(
            _latch("on is zero"),
            "After on your state is not above 0.5: there the input gate must be "
            "open, and the candidate g needs a positive preactivation.",
        ),
        Mistake(
            _latch("wind is off"),
            "Wind acts as the button off: at wind the input gate must be shut and the "
            "forget gate open.",
        ),
        Mistake(
            _latch("half output"),
            "Your state is never beyond 0.5. At a press, input and output gate must be "
            "open and the candidate near 1 or -1: a half-open output gate alone "
            "leaves h = 0.38.",
        ),
        Mistake(
            _latch("half kept"),
            "At a press your cell keeps half of the old content: sigmoid(0) is 1/2. "
            "Shut the forget gate there.",
        ),
        Mistake(
            _latch("gate order"),
            "torch's order of the gates is i, f, g, o: you have swapped the candidate "
            "and the output gate.",
        ),
        Mistake(
            _latch("columns"),
            "The columns are in another order: weight_ih has one column a word, off, "
            "on, wind.",
        ),
    ),
)


def _states(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """States of unequal scale and mean, and a bit that they know in part."""
    n, hidden = (size + 2 for size in distinct(generator, 2))
    n = 4 * hidden + n
    scale = signed(generator, hidden)
    on = (torch.rand(n, generator=generator) < 0.3).long()
    on[:2] = torch.tensor([0, 1])
    h = torch.randn(n, hidden, generator=generator, dtype=torch.float64) * scale
    return (h + on[:, None] * signed(generator, hidden) + scale * 2, on), {}


def _fit(h: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    whole = torch.cat([h, torch.ones_like(h[:, :1])], 1)
    solution = torch.linalg.lstsq(whole, target.to(h.dtype)[:, None]).solution[:, 0]
    return solution[:-1], solution[-1]


def _probe(h: Tensor, on: Tensor) -> tuple[Tensor, Tensor]:
    return _fit(h, 2 * on - 1)


def _wrong_probe(wrong: str) -> Any:
    def answer(h: Tensor, on: Tensor) -> Any:
        y = (2 * on - 1).to(h.dtype)
        weight, bias = _fit(h, y)
        if wrong == "no bias":
            return torch.linalg.lstsq(h, y[:, None]).solution[:, 0], y.new_zeros(())
        if wrong == "zero and one":
            return _fit(h, on)
        if wrong == "opposite":
            return -weight, -bias
        if wrong == "means":
            return h[on == 1].mean(0) - h[on == 0].mean(0), y.mean()
        if wrong == "one by one":
            x, z = h - h.mean(0), y - y.mean()
            return (x * z[:, None]).sum(0) / x.square().sum(0), y.mean()
        if wrong == "bias of centered":
            return weight, y.mean()
        if wrong == "threshold":
            return weight, -(h @ weight).mean()
        if wrong == "order":
            return bias, weight
        if wrong == "said":
            return h @ weight + bias
        if wrong == "ones first":
            both = torch.cat([bias[None], weight])
            return both[:-1], both[-1]
        if wrong == "standardized":
            return _fit((h - h.mean(0)) / h.std(0), y)
        return weight, bias

    return answer


PROBE = Exercise(
    name="recurrent_case_study/probe",
    reference=_probe,
    run=function_run(_states, names=("h", "on"), float32=False),
    mistakes=(
        Mistake(
            _wrong_probe("no bias"),
            "Your probe has no bias: give h one more column, of ones, and the last "
            "entry of the solution is the bias.",
        ),
        Mistake(
            _wrong_probe("zero and one"),
            "You fit 0 and 1: the targets are -1 and 1, 2 * on - 1, so that the sign "
            "is the answer.",
        ),
        Mistake(
            _wrong_probe("opposite"),
            "The sign is the opposite one: on is the target 1.",
        ),
        Mistake(
            _wrong_probe("means"),
            "You take the difference of the two means: units that vary together share "
            "the weight in a least-squares fit.",
        ),
        Mistake(
            _wrong_probe("one by one"),
            "You fit each unit by itself: fit all of them in one system.",
        ),
        Mistake(
            _wrong_probe("bias of centered"),
            "That is the bias for centered states: take h.mean(0) @ weight off.",
        ),
        Mistake(
            _wrong_probe("threshold"),
            "Your bias puts the mean answer at 0: the least-squares one puts it at the "
            "mean of the targets.",
        ),
        Mistake(
            _wrong_probe("order"),
            "You return bias, weight: weight comes first.",
        ),
        Mistake(
            _wrong_probe("said"),
            "You return what the probe says: return its weight and its bias.",
        ),
        Mistake(
            _wrong_probe("ones first"),
            "Your column of ones comes first, so the bias is the first entry of the "
            "solution, not the last.",
        ),
        Mistake(
            _wrong_probe("standardized"),
            "Your weight and bias are for standardized states: they must fit h as it "
            "is.",
        ),
    ),
)

EXERCISES = (BAG, LATCH, PROBE)
