"""Exercises of the page recurrent/rnn."""

from typing import Any

import torch
from torch import Generator, Tensor, nn

from layers_book.checking import (
    Exercise,
    Mistake,
    distinct,
    function_run,
    signed,
    value_run,
)

PARAMETERS = ("W_ih", "W_hh", "b_ih", "b_hh")


def _sequences(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Small weights, so that tanh does not saturate; a sequence of one step in turn."""
    index = generator.initial_seed()
    n, size, hidden, length = distinct(generator, 4)
    if index % 4 == 3:
        length = 1
    if index % 5 == 4:
        n = 1
    shapes = (
        *((length, n, size), (n, hidden)),
        *((hidden, size), (hidden, hidden), (hidden,), (hidden,)),
    )
    scales = 1.0, 0.5, 0.4, 0.4, 0.3, 0.3
    values = [
        (signed(generator, *shape) * scale).requires_grad_()
        for shape, scale in zip(shapes, scales, strict=True)
    ]
    kind = ("tanh", "relu")[(index + index // 4) % 2]
    return (*values, kind), {}


def _torchs(
    x: Tensor,
    h_0: Tensor,
    W_ih: Tensor,
    W_hh: Tensor,
    b_ih: Tensor,
    b_hh: Tensor,
    nonlinearity: str,
) -> tuple[Tensor, Tensor]:
    kind: Any = nonlinearity
    size = W_ih.shape[1], W_ih.shape[0]
    layer = nn.RNN(*size, nonlinearity=kind, dtype=x.dtype)
    given = zip(PARAMETERS, (W_ih, W_hh, b_ih, b_hh), strict=True)
    names = {
        name.replace("W", "weight").replace("b_", "bias_") + "_l0": value
        for name, value in given
    }
    output, h_n = torch.func.functional_call(layer, names, (x, h_0[None]))
    return output, h_n[0]


def _mistakes(make: Any, hints: dict[str, str]) -> tuple[Mistake, ...]:
    return tuple(Mistake(make(wrong), hint) for wrong, hint in hints.items())


def _rnn(wrong: str = "") -> Any:
    def answer(
        x: Tensor,
        h_0: Tensor,
        W_ih: Tensor,
        W_hh: Tensor,
        b_ih: Tensor,
        b_hh: Tensor,
        nonlinearity: str,
    ) -> Any:
        act = torch.tanh if nonlinearity == "tanh" else torch.relu
        h, output = h_0, []
        if wrong.startswith("always"):
            act = torch.tanh if wrong == "always tanh" else torch.relu
        elif wrong == "no h_0":
            h = torch.zeros_like(h_0)
        elif wrong == "detached input":
            x = x.detach()
        elif wrong == "backwards":
            x = x.flip(0)
        for x_t in x:
            kept = {"one bias": (1, 0), "no b_ih": (0, 1), "no bias": (0, 0)}
            first, second = kept.get(wrong, (1, 1))
            b = first * b_ih + second * b_hh
            back = h_0 if wrong == "no recurrence" else h
            if wrong == "truncated":
                back = back.detach()
            w = W_hh if wrong == "not transposed" else W_hh.T
            z = x_t @ W_ih.T + back @ w + b
            if wrong == "tanh of the parts":
                h = act(x_t @ W_ih.T + b_ih) + act(back @ w + b_hh)
            elif wrong in ("linear", "carried before"):
                h = z
            elif wrong == "leaky":
                h = back + act(z)
            else:
                h = act(z)
            output.append(act(h) if wrong == "carried before" else h)
        stacked = torch.stack(output, 1 if wrong == "batch first" else 0)
        if wrong == "concatenated":
            stacked = torch.cat(output)
        if wrong == "no gradient":
            return stacked.detach(), h.detach()
        if wrong == "late":
            return torch.stack([h_0, *output[:-1]]), h
        if wrong == "with h_0":
            return torch.stack([h_0, *output]), h
        if wrong == "swapped":
            return h, stacked
        if wrong == "axis":
            return stacked, h[None]
        if wrong == "first":
            return stacked, output[0]
        if wrong == "only output":
            return stacked
        return stacked, (act(h) if wrong == "carried before" else h)

    return answer


BY_HAND = Exercise(
    name="rnn/by_hand",
    reference=_torchs,
    run=function_run(_sequences, names=("x", "h_0", *PARAMETERS, "nonlinearity")),
    forbid=("rnn", "RNN", "lstm", "gru"),
    mistakes=_mistakes(
        _rnn,
        {
            "no h_0": "You start from zeros: the first step's old state is h_0.",
            "no recurrence": (
                "Every step of yours starts from h_0: assign the new state to h, so "
                "that the next step finds it."
            ),
            "not transposed": (
                "You multiply by W_hh itself: torch stores (H_out, H_in), so it is h @ "
                "W_hh.T."
            ),
            "one bias": "b_hh is missing: both biases are added.",
            "always tanh": "You use tanh whatever nonlinearity says.",
            "tanh of the parts": (
                "You apply the nonlinearity to the input's part and to the state's "
                "part: it acts once, on their sum."
            ),
            "linear": "The nonlinearity is missing.",
            "carried before": (
                "You carry the sum before the nonlinearity to the next step: the state "
                "is what comes out of the nonlinearity."
            ),
            "leaky": "You add the old state to the new one: h_t replaces h_(t-1).",
            "truncated": (
                "The output is right, the gradient is not: your state is cut off from "
                "its past by detach (or .data), so nothing flows back through time."
            ),
            "detached input": (
                "The output is right, the gradient with respect to x is not: do not "
                "detach x."
            ),
            "backwards": (
                "You read the sequence from its end: the first step takes x[0]."
            ),
            "batch first": (
                "Your output has the batch first: stack the steps along axis 0, (L, N, "
                "H_out)."
            ),
            "concatenated": (
                "You concatenate the steps along the batch: torch.stack makes the new "
                "axis of length L."
            ),
            "axis": (
                "The last state is asked for as (N, H_out), without the first axis "
                "that nn.RNN's h_n has."
            ),
            "first": "You return the first state: the last one is output[-1].",
            "only output": (
                "Return two tensors, all states and the last one: return output, h."
            ),
            "no gradient": (
                "The output is right, but no gradient comes out of it: compute without "
                "detach, .data, numpy or torch.no_grad()."
            ),
            "no b_ih": "b_ih is missing: both biases are added.",
            "no bias": "Both biases are missing, b_ih and b_hh.",
            "always relu": "You use relu where nonlinearity says tanh.",
            "late": (
                "Your output has the states before the steps, h_0 first: append h "
                "after you have computed it."
            ),
            "swapped": "You return the last state first: return output, h.",
            "with h_0": "Your output has a state too many: h_0 is no step's result.",
        },
    ),
)


def _histories(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    hidden, length = (3, 4, 5, 2)[index % 4], 6 + index % 3
    W_hh = signed(generator, hidden, hidden) * 0.6
    inputs = torch.randn(length, hidden, generator=generator, dtype=torch.float64)
    h, states = torch.zeros(hidden, dtype=torch.float64), []
    for x_t in inputs:
        h = torch.tanh(x_t + W_hh @ h)
        states.append(h)
    k = (1, 2, 3, 0, 4, 5)[index % 6]
    return (torch.stack(states), W_hh, k), {}


def _by_autograd(states: Tensor, W_hh: Tensor, k: int) -> Tensor:
    """The inputs follow from the states, so the steps can be taken again."""
    end = len(states) - 1
    before = states[end - k].clone().requires_grad_()
    h, old = before, states[end - k]
    for state in states[end - k + 1 :]:
        pushed = torch.atanh(state) - W_hh @ old
        h, old = torch.tanh(pushed + W_hh @ h), state
    rows = [torch.autograd.grad(v, before, retain_graph=True)[0] for v in h]
    return torch.stack(rows)


def _jacobian(wrong: str = "") -> Any:
    def answer(states: Tensor, W_hh: Tensor, k: int) -> Tensor:
        J = torch.eye(len(W_hh), dtype=W_hh.dtype)
        counts = {"one more": k + 1, "one less": max(k - 1, 0)}
        count = {**counts, "at least one": max(k, 1)}.get(wrong, k)
        for t in range(1, count + 1):
            h = states[-t]
            if wrong == "late":
                h = states[-t - 1]
            elif wrong == "from the start":
                h = states[t - 1]
            elif wrong == "last slope":
                h = states[-1]
            slope = 1 - h**2
            if wrong == "of h":
                slope = 1 - torch.tanh(h) ** 2
            elif wrong == "no square":
                slope = 1 - h
            elif wrong == "plus":
                slope = 1 + h**2
            elif wrong == "sigmoid":
                slope = h * (1 - h)
            elif wrong == "no slope" or (wrong == "slope once" and t > 1):
                slope = torch.ones_like(h)
            step = slope[:, None] * W_hh
            if wrong == "columns":
                step = W_hh * slope
            elif wrong == "transposed W":
                step = slope[:, None] * W_hh.T
            elif wrong == "each transposed":
                step = slope * W_hh.T
            J = step @ J if wrong == "order" else J @ step
            if wrong == "elementwise":
                J = step if t == 1 else J * step
        return J.T if wrong == "transposed" else J

    return answer


JACOBIAN = Exercise(
    name="rnn/jacobian",
    reference=_by_autograd,
    run=function_run(_histories, names=("states", "W_hh", "k")),
    mistakes=_mistakes(
        _jacobian,
        {
            "order": (
                "Your factors stand in the wrong order: the last step's is leftmost, "
                "each step back multiplies from the right."
            ),
            "late": (
                "Your slopes come one step too early: the step to h_T has the slope 1 "
                "- h_T^2, of the state it makes, not of the one it starts from."
            ),
            "columns": (
                "You scale the columns of W_hh: the slope belongs to the unit that the "
                "step makes, which is W_hh's row, slope[:, None] * W_hh."
            ),
            "no slope": (
                "You multiply W_hh only: each step also has the slopes of tanh."
            ),
            "no square": "The slope of tanh in terms of its value h is 1 - h^2.",
            "of h": (
                "You apply tanh to states that are its values already: the slope is 1 "
                "- states^2."
            ),
            "transposed": (
                "That is the transpose: row i belongs to unit i of the last state."
            ),
            "transposed W": (
                "You use W_hh.T: h @ W_hh.T for rows means W_hh @ h for one state, "
                "whose derivative is W_hh."
            ),
            "one more": (
                "You take a step too many: k steps back are k factors, and none for k "
                "= 0."
            ),
            "one less": "You take a step too few: k steps back are k factors.",
            "from the start": (
                "You take the slopes of the first states: the steps back start at "
                "states[-1]."
            ),
            "elementwise": (
                "The factors are multiplied as matrices, with @, not entry by entry."
            ),
            "last slope": (
                "You use the slopes of the last state at every step: each step has "
                "those of the state it makes."
            ),
            "slope once": (
                "You use slopes in one step only: each of the k steps has its own."
            ),
            "each transposed": (
                "Each of your factors is transposed: (1 - h^2) * W_hh.T scales the "
                "columns, slope[:, None] * W_hh the rows of W_hh."
            ),
            "plus": "The sign is wrong: tanh's slope is 1 - h^2.",
            "sigmoid": "h (1 - h) is the slope of the sigmoid: tanh's is 1 - h^2.",
            "at least one": "k = 0 takes no step: the identity.",
        },
    ),
)

V, E, N = "vanishes", "explodes", "neither"
FATES = Exercise(
    name="rnn/fates",
    reference=[V, N, V, E, V],
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            [V, N, V, E, E],
            "One is wrong. Look at relu in (e): torch's slope of relu at 0 is 0.",
        ),
        Mistake(
            [V, N, V, E, N],
            "One is wrong: with slope 0 at every step, what is left of (e)?",
        ),
        Mistake(
            [V, N, E, E, V],
            "One is wrong. In (c) the 1000 enters once, the 0.5 a hundred times: the "
            "radius decides in the end.",
        ),
        Mistake(
            [V, N, E, E, E],
            "Two are wrong: the large entry of (c) is not its radius, and relu's slope "
            "at 0 is 0.",
        ),
        Mistake(
            [V, V, V, E, V],
            "One is wrong. A rotation keeps every length, and tanh's slope at 0 is 1.",
        ),
        Mistake(
            [N, N, V, E, V],
            "One is wrong. An orthogonal matrix keeps lengths, but (a) takes 0.9 of it "
            "at each of 100 steps.",
        ),
        Mistake(
            [V, N, V, N, V],
            "One is wrong. tanh bounds the state of (d), not its gradient: at 0 the "
            "slope is 1.",
        ),
        Mistake(
            [V, N, V, V, V],
            "One is wrong. In (d) the state stays at 0, where tanh does not saturate.",
        ),
        Mistake(
            [V, E, V, E, V],
            "One is wrong. A rotation has radius 1 and norm 1: nothing in (b) grows.",
        ),
        Mistake(
            [E, N, V, E, V],
            "One is wrong. Nothing in (a) grows: each step takes 0.9 of every length.",
        ),
        Mistake(
            [V, N, N, E, V],
            "One is wrong. In (c) the powers of 0.5 win in the end: see hint 2.",
        ),
        Mistake(
            [V, V, V, V, V],
            "Not all vanish: the slope of tanh is below 1 everywhere but at 0, and "
            "here all states are 0.",
        ),
    ),
)

EXERCISES = (BY_HAND, JACOBIAN, FATES)
