"""Exercises of the page recurrent/case_study."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from layers_book.checking import (
    Case,
    Exercise,
    Refused,
    call,
    custom_run,
    distinct,
    function_run,
    refuse_no_function,
    signed,
    value_run,
)

TEMPERATURE = Exercise(
    name="recurrent_case_study/temperature",
    solution="""
        answer = math.exp((2 - 1) / 0.5)
    """,
    run=value_run(tolerance=0.01),
    mistakes=[
        (
            2.718282,
            "That is the ratio at temperature 1: divide the scores by 0.5 first.",
        ),
        (
            1.648721,
            "You multiply the scores by the temperature: divide them by it.",
        ),
        (
            2,
            "That is the ratio of the scores: softmax makes e to the power of each.",
        ),
        (
            0.135335,
            "That is how many times as often as a the letter b is drawn: the reverse "
            "is asked for.",
        ),
        (
            0.878785,
            "That is the share of a among all draws: compare it with the share of b.",
        ),
        (
            403.428793,
            "That compares a with c: it is b that a is compared with.",
        ),
        (
            54.59815,
            "That is e to the power of 2 / 0.5, of the letter a alone: divide by that "
            "of b.",
        ),
    ],
)


def _presses(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    k = (generator.initial_seed() + 4) % 10 + 1  # from 5: many rules agree at 1
    return (k,), {}


def _all_evenings(k: int) -> float:
    """By going through all evenings: the best guess for each count, then its hits."""
    hits: dict[int, list[int]] = {}
    for buttons in product((0, 1), repeat=k):
        hits.setdefault(sum(buttons), [0, 0])[buttons[-1]] += 1
    return sum(max(pair) for pair in hits.values()) / float(2**k)


SHARE = "max(a, k - a) / k"

BAG = Exercise(
    name="recurrent_case_study/bag",
    solution="""
        from math import comb


        def bag(k):
            return sum(comb(k, a) * max(a, k - a) / k for a in range(k + 1)) / 2**k
    """,
    reference=_all_evenings,
    run=function_run(_presses, names=("k",), configurations=10),
    mistakes=[
        (
            SHARE,
            "(0.5 if 2 * a == k else 1)",
            "The button pressed more often need not be the last one: with a of k "
            "presses on it, it is the last in a of k orders.",
        ),
        (
            SHARE,
            f"(0 if 2 * a == k else {SHARE})",
            "At a tie the guesser still throws a coin, and is right half of the time.",
        ),
        (
            SHARE,
            f"(1 if 2 * a == k else {SHARE})",
            "At a tie the guesser cannot know: it is right half of the time.",
        ),
        (
            SHARE,
            "(1 if a in (0, k) else 0.5)",
            "Two of one button and one of the other are no coin: the more frequent one "
            "is the last in 2 of 3 orders.",
        ),
        (
            "comb(k, a) * ",
            "",
            "2**k",
            "(k + 1)",
            "You give each count the same weight: of the 2 ** k equally likely "
            "evenings, comb(k, a) have a presses of on.",
        ),
        (
            "max(a, k - a)",
            "a",
            "That is 1/2, a coin: let the guesser name the more frequent button, which "
            "is pressed max(a, k - a) times.",
        ),
        (
            "max",
            "min",
            "Your guesser names the rarer button: the more frequent one is the better "
            "guess.",
        ),
        (
            SHARE,
            "(max(a, k - a) // k)",
            "You divide with //, which drops the fraction: use /.",
        ),
        (
            "def bag",
            "def exactly",
            "2**k",
            "2**k\n\n\ndef bag(k):\n"
            "    return sum(exactly(j) for j in range(1, k + 1)) / k",
            "You average over evenings of 1 to k presses: here there are exactly k.",
        ),
        ("return ", "return 100 * ", "Give a share between 0 and 1, not percent."),
        (
            " / 2**k",
            "",
            "That counts evenings: divide by the number of all evenings, 2 ** k.",
        ),
        (
            "range(k + 1)",
            "range(k)",
            "One evening is missing, with k presses of one button: a runs from 0 to k, "
            "range(k + 1).",
        ),
        (
            " / k for",
            " for",
            "The last press is the more frequent button in max(a, k - a) of k orders: "
            "divide by k.",
        ),
    ],
)


def _beginning(generator: Generator) -> dict[str, Any]:
    """The weights of a GRU and its head, and one to five letters that it reads."""
    index = generator.initial_seed()
    size = (6, 7, 5)[index % 3]
    shapes = [(24, size), (24, 8), (24,), (24,), (size, 8), (size,)]
    n = (5, 3, 1, 4, 2)[index % 5]
    return {
        "weights": [
            1.5 * torch.randn(s, generator=generator, dtype=torch.float64)
            for s in shapes
        ],
        "letters": torch.randint(size, (n,), generator=generator),
        "n": (12, 9, 1)[index % 3] if index else 12,
    }


def _continued_steps(
    answer: Any, weights: list[Tensor], letters: Tensor, n: int
) -> Iterator[Any]:
    """Let the answer write with a GRU of these weights."""
    refuse_no_function(answer)
    yield "configuration", f"letters {letters.tolist()}, n = {n}"
    size = len(weights[-1])
    layer = nn.GRU(size, 8, batch_first=True).double()
    head = nn.Linear(8, size).double()
    parameters = [*layer.parameters(), *head.parameters()]
    for parameter, weight in zip(parameters, weights, strict=True):
        parameter.data.copy_(weight)
    new = call(answer, layer, head, letters, n)
    if isinstance(new, list | tuple) and new:
        new = torch.tensor([int(letter) for letter in new])
    yield Case("output", "", "", new)


X_NEXT = "x = F.one_hot(letter, layer.input_size)[None, None]"

CONTINUED = Exercise(
    name="recurrent_case_study/continued",
    solution="""
        def continued(layer, head, letters, n):
            x, h, new = F.one_hot(letters, layer.input_size)[None], None, []
            for _ in range(n):
                output, h = layer(x.to(head.weight.dtype), h)
                letter = head(output[0, -1]).argmax()
                new.append(letter)
                x = F.one_hot(letter, layer.input_size)[None, None]
            return torch.stack(new)
    """,
    run=custom_run(_continued_steps, _beginning, configurations=10),
    mistakes=[
        (
            "dtype), h)",
            "dtype))",
            "Each new letter is written from the one before alone: hand the layer the "
            "state that it returned with the letter before.",
        ),
        (
            "one_hot(letters, ",
            "one_hot(letters[-1:], ",
            "You read the last of the letters only: the state after all of them is "
            "where the writing begins.",
        ),
        (
            f"\n        {X_NEXT}",
            "",
            "You read the same letters again in every round: after the first one, the "
            "input is the new letter.",
        ),
        (
            "output, h =",
            "output, after =",
            "letter = head",
            "h = after if h is None else h\n        letter = head",
            "You hand on the state after the letters that were given, again and again: "
            "hand on the newest one.",
        ),
        (
            "argmax",
            "argmin",
            "You take the letter of the smallest score: the largest is wanted.",
        ),
        (
            "head(output[0, -1])",
            "output[0, -1]",
            "You take the largest entry of the state: the head turns a state into "
            "the scores of the letters.",
        ),
        (
            "output[0, -1]",
            "output[0, 0]",
            "Your first letter is guessed after the first of the letters: all of them "
            "are to be read, so take the last step of output.",
        ),
        (
            "torch.stack(new)",
            "torch.cat([letters, torch.stack(new)])",
            "You return the given letters as well: only the new ones are wanted.",
        ),
        (
            "range(n)",
            "range(n + 1)",
            "You write one letter too many: n are wanted.",
        ),
        (
            "torch.stack(new)",
            "torch.stack(new)[None]",
            "Your answer has an axis too many: the shape is (n,).",
        ),
    ],
)

SHAPES = {"weight_ih": (4, 3), "weight_hh": (4, 1), "bias_ih": (4,), "bias_hh": (4,)}


def _logs(generator: Generator) -> dict[str, Any]:
    """8 logs of 500 minutes, ``(L, N)``: 0 is off, 1 is on, 2 is wind."""
    index = generator.initial_seed()
    rate = (0.3, 0.02, 0.004)[index % 3]
    pressed = torch.rand(500, 8, generator=generator) < rate
    pressed[0] = True
    buttons = torch.randint(0, 2, pressed.shape, generator=generator)
    if not index:
        buttons[:, 0] = torch.arange(500) % 2
    return {"log": torch.where(pressed, buttons, 2), "rate": rate}


def _latch_steps(answer: Any, log: Tensor, rate: float) -> Iterator[Any]:
    """Let a cell with the answer's weights read the logs."""
    refuse_no_function(answer)
    yield "configuration", f"8 logs of 500 minutes, a press in {rate:.1%} of them"
    layer = nn.LSTM(3, 1).double()  # all the steps of a cell in one call
    _fill(layer, call(answer))
    with torch.no_grad():
        h = layer(F.one_hot(log, 3).double())[0][..., 0]  # (L, N)
    where = "(1 above 0.5, -1 below -0.5, 0 between; minute, log)"
    yield Case("output", "", where, (h > 0.5).long() - (h < -0.5).long())


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
        if not value.isfinite().all():
            raise Refused(f"{name} is not finite: 20 or 40 is large enough.")
        getattr(layer, f"{name}_l0").data.copy_(value)


# rows of the solution: input gate, forget gate, candidate, output gate
ROW_I, ROW_F = "[20.0, 20.0, -20.0]", "[-20.0, -20.0, 20.0]"
ROW_G, ROW_O = "[-20.0, 20.0, 0.0]", "[20.0, 20.0, 20.0]"

LATCH = Exercise(
    name="recurrent_case_study/latch",
    solution="""
        def latch():
            weight_ih = torch.tensor([  # off, on, wind
                [20.0, 20.0, -20.0],  # i: write at a press
                [-20.0, -20.0, 20.0],  # f: keep at wind
                [-20.0, 20.0, 0.0],  # g: what to write
                [20.0, 20.0, 20.0],  # o: always open
            ])
            return weight_ih, torch.zeros(4, 1), torch.zeros(4), torch.zeros(4)
    """,
    run=custom_run(_latch_steps, _logs, configurations=6),
    mistakes=[
        (
            ROW_F,
            "[20.0, 20.0, 20.0]",
            "Your cell adds up: after on, on, off it still says on. A press must "
            "replace the old content, so its word must shut the forget gate.",
        ),
        (
            ROW_F,
            "[-20.0, -20.0, 3.0]",
            "Your cell leaks: a forget gate of 0.95 leaves nothing after 500 minutes. "
            "At wind, its preactivation must be much larger than 3.",
        ),
        (
            "20.0",
            "5.0",
            "Nearly: sigmoid(5) = 0.993 a minute is 0.03 after 500 minutes. Make the "
            "preactivation of the forget gate at wind larger.",
        ),
        (
            ROW_F,
            "[-20.0, -20.0, -20.0]",
            "At wind your state falls to 0.5 or less: there the forget gate must be "
            "open, and open means keep; the output gate too. sigmoid(0) is half open.",
        ),
        (
            ROW_G,
            "[20.0, -20.0, 0.0]",
            "Your state has the opposite sign: the words come in the order off, on, "
            "wind, and on is the positive one.",
        ),
        (
            ROW_G,
            "[0.0, 20.0, 0.0]",
            "After off your state is not below -0.5: there the input gate must be "
            "open, and the candidate g needs a negative preactivation.",
        ),
        (
            ROW_G,
            "[-20.0, 0.0, 0.0]",
            "After on your state is not above 0.5: there the input gate must be open, "
            "and the candidate g needs a positive preactivation.",
        ),
        (
            ROW_F,
            "[-20.0, -20.0, -20.0]",
            ROW_G,
            "[-20.0, 20.0, -20.0]",
            ROW_I,
            "[20.0, 20.0, 20.0]",
            "Wind acts as the button off: at wind the input gate must be shut and the "
            "forget gate open.",
        ),
        (
            ROW_O,
            "[0.0, 0.0, 0.0]",
            "Your state is never beyond 0.5. At a press, input and output gate must be "
            "open and the candidate near 1 or -1: a half-open output gate alone leaves "
            "h = 0.38.",
        ),
        (
            ROW_F,
            "[0.0, 0.0, 20.0]",
            "At a press your cell keeps half of the old content: sigmoid(0) is 1/2. "
            "Shut the forget gate there.",
        ),
        (
            "return weight_ih",
            "return weight_ih[[0, 1, 3, 2]]",
            "torch's order of the gates is i, f, g, o: you have swapped the candidate "
            "and the output gate.",
        ),
        (
            "return weight_ih",
            "return weight_ih[:, [1, 2, 0]]",
            "The columns are in another order: weight_ih has one column a word, off, "
            "on, wind.",
        ),
    ],
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


WEIGHT_AND_BIAS = "solution[:-1], solution[-1]"

PROBE = Exercise(
    name="recurrent_case_study/probe",
    solution="""
        def probe(h, on):
            a = torch.cat([h, torch.ones_like(h[:, :1])], 1)  # (N, H + 1)
            target = (2 * on - 1).to(h.dtype)[:, None]  # (N, 1)
            solution = torch.linalg.lstsq(a, target).solution[:, 0]
            return solution[:-1], solution[-1]
    """,
    run=function_run(_states, names=("h", "on"), float32=False),
    mistakes=[
        (
            "(a, target)",
            "(h, target)",
            WEIGHT_AND_BIAS,
            "solution, h.new_zeros(())",
            "Your probe has no bias: give h one more column, of ones, and the last "
            "entry of the solution is the bias.",
        ),
        (
            "(2 * on - 1)",
            "on",
            "You fit 0 and 1: the targets are -1 and 1, 2 * on - 1, so that the sign "
            "is the answer.",
        ),
        (
            "2 * on - 1",
            "1 - 2 * on",
            "The sign is the opposite one: on is the target 1.",
        ),
        (
            WEIGHT_AND_BIAS,
            "h[on == 1].mean(0) - h[on == 0].mean(0), target.mean()",
            "You take the difference of the two means: units that vary together share "
            "the weight in a least-squares fit.",
        ),
        (
            f"return {WEIGHT_AND_BIAS}",
            "x, y = h - h.mean(0), target - target.mean()\n"
            "    return (x * y).sum(0) / x.square().sum(0), target.mean()",
            "You fit each unit by itself: fit all of them in one system.",
        ),
        (
            WEIGHT_AND_BIAS,
            "solution[:-1], target.mean()",
            "That is the bias for centered states: take h.mean(0) @ weight off.",
        ),
        (
            WEIGHT_AND_BIAS,
            "solution[:-1], -(h @ solution[:-1]).mean()",
            "Your bias puts the mean answer at 0: the least-squares one puts it at the "
            "mean of the targets.",
        ),
        (
            WEIGHT_AND_BIAS,
            "solution[-1], solution[:-1]",
            "You return bias, weight: weight comes first.",
        ),
        (
            WEIGHT_AND_BIAS,
            "a @ solution",
            "You return what the probe says: return its weight and its bias.",
        ),
        (
            "[h, torch.ones_like(h[:, :1])]",
            "[torch.ones_like(h[:, :1]), h]",
            "Your column of ones comes first, so the bias is the first entry of the "
            "solution, not the last.",
        ),
        (
            "    a =",
            "    h = (h - h.mean(0)) / h.std(0)\n    a =",
            "Your weight and bias are for standardized states: they must fit h as it "
            "is.",
        ),
    ],
)

EXERCISES = (TEMPERATURE, BAG, CONTINUED, LATCH, PROBE)
