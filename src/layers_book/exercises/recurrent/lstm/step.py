"""A step of the LSTM by hand."""

from typing import Any

import torch
from torch import Generator, Tensor

from layers_book.checking import Exercise, Mistake, distinct, function_run, signed

NAMES = ("x", "h", "c", "weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _steps(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Sizes differ, except at times H_in = H_out, where a transposed weight fits."""
    n, inputs, hidden = distinct(generator, 3)
    if generator.initial_seed() % 4 == 3:
        inputs = hidden
    states = (n, inputs), (n, hidden), (n, hidden)
    weights = (4 * hidden, inputs), (4 * hidden, hidden), (4 * hidden,), (4 * hidden,)
    args = [signed(generator, *shape) / 2 for shape in (*states, *weights)]
    return tuple(t.requires_grad_() for t in args), {}


def _reference(*args: Tensor) -> tuple[Tensor, Tensor]:
    x, h, c, *weights = args
    return torch.lstm_cell(x, (h, c), *weights)


def _step(wrong: str = "", order: str = "ifgo") -> Any:
    def answer(
        x: Tensor,
        h: Tensor,
        c: Tensor,
        weight_ih: Tensor,
        weight_hh: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
    ) -> Any:
        if wrong == "detached":
            h, c = h.detach(), c.detach()
        if wrong == "fresh":
            h, c = h * 0, c * 0
        sums = x @ weight_ih.T + (c if wrong == "c in sums" else h) @ weight_hh.T
        if wrong != "no b_ih":
            sums = sums + bias_ih
        if wrong != "no b_hh":
            sums = sums + bias_hh
        part = dict(zip(order, sums.chunk(4, 1), strict=True))
        if wrong == "interleaved":
            part = {k: sums[:, place::4] for place, k in enumerate("ifgo")}
        i, f, o = (part[k].sigmoid() for k in "ifo")
        g = part["g"].sigmoid() if wrong == "sigmoid g" else part["g"].tanh()
        old = c
        if wrong == "raw g":
            g = part["g"]
        if wrong == "no o":
            o = torch.ones_like(o)
        if wrong == "no gates":
            i, f, o = part["i"], part["f"], part["o"]
        if wrong == "forgets":
            f = 1 - f
        if wrong == "coupled":
            i = 1 - f
        c = f * c + i * g
        if wrong == "h for c":
            c = f * h + i * g
        shown = {"no tanh": c, "old carry": old.tanh(), "sigmoid": c.sigmoid()}
        out = o * shown.get(wrong, c.tanh())
        if wrong == "swapped":
            return c, out
        if wrong == "h only":
            return out
        if wrong == "tanh carried":
            return out, c.tanh()
        return out, out if wrong == "h twice" else c

    return answer


STEP = Exercise(
    name="lstm/step",
    reference=_reference,
    run=function_run(_steps, names=NAMES),
    forbid=("lstm",),
    mistakes=(
        Mistake(
            _step(order="ifog"),
            "The order of the four parts is i, f, g, o: the candidate is the third, "
            "the output gate the last.",
        ),
        Mistake(
            _step(order="figo"),
            "You have the first two parts the other way round: the input gate comes "
            "before the forget gate.",
        ),
        Mistake(
            _step(order="fiog"),
            "The order of the four parts is i, f, g, o; you read f, i, o, g.",
        ),
        Mistake(
            _step(order="igfo"),
            "You have the two middle parts the other way round: the forget gate is the "
            "second, the candidate the third.",
        ),
        Mistake(
            _step("fresh"),
            "You start from zeros: use the h and c that your function is given.",
        ),
        Mistake(
            _step("raw g"),
            "Your candidate lacks its tanh: g is tanh of the third part.",
        ),
        Mistake(
            _step("no o"),
            "You leave the output gate out: h = o * tanh(c).",
        ),
        Mistake(
            _step("h twice"),
            "Your second value is h again: return the carry, c.",
        ),
        Mistake(
            _step("coupled"),
            "You write with 1 - f: that couples two gates, and nn.LSTM's input gate "
            "has weights of its own.",
        ),
        Mistake(
            _step("interleaved"),
            "You take every fourth number. The parts are blocks: the first H_out "
            "numbers are the input gate's, chunk(4, dim=1).",
        ),
        Mistake(
            _step("no tanh"),
            "The output lacks a tanh: h = o * tanh(c).",
        ),
        Mistake(
            _step("sigmoid"),
            "The carry goes out through tanh, not through sigmoid.",
        ),
        Mistake(
            _step("sigmoid g"),
            "The candidate g is a tanh; only the three gates are sigmoids.",
        ),
        Mistake(
            _step("no gates"),
            "Your gates are raw sums: a sigmoid brings each between 0 and 1.",
        ),
        Mistake(
            _step("tanh carried"),
            "You return tanh(c): the carry goes on as it is, only the output is "
            "squashed.",
        ),
        Mistake(
            _step("old carry"),
            "Your output shows the old carry: compute c first, then h from the new c.",
        ),
        Mistake(
            _step("h for c"),
            "The forget gate multiplies the old carry c, not the old output h.",
        ),
        Mistake(
            _step("c in sums"),
            "Your gates look at the old carry c: weight_hh meets the old output h.",
        ),
        Mistake(
            _step("forgets"),
            "You keep 1 - f: the forget gate is the share that is kept.",
        ),
        Mistake(
            _step("no b_hh"),
            "You leave bias_hh out: both biases are added.",
        ),
        Mistake(
            _step("no b_ih"),
            "You leave bias_ih out: both biases are added.",
        ),
        Mistake(_step("swapped"), "Return h first, then c."),
        Mistake(_step("h only"), "Return both states, (h, c)."),
        Mistake(
            _step("detached"),
            "The states are right, the gradient is not: do not detach h and c.",
        ),
    ),
)
