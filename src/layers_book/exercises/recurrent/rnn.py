"""Exercises of the page recurrent/rnn."""

from typing import Any

import torch
from torch import Generator, Tensor, nn

from layers_book.checking import Exercise, distinct, function_run, signed, value_run

NAMES = ("x", "h_0", "W_ih", "W_hh", "b_ih", "b_hh", "nonlinearity")


def _sequences(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Small weights, so that tanh does not saturate; a sequence of one step in turn."""
    index = generator.initial_seed()
    n, size, hidden, length = distinct(generator, 4)
    if index % 4 == 3:
        length = 1
    if index % 5 == 4:
        n = 1
    shapes = (
        (length, n, size),
        (n, hidden),
        (hidden, size),
        (hidden, hidden),
        (hidden,),
        (hidden,),
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
    nonlinearity: Any,
) -> tuple[Tensor, Tensor]:
    size = W_ih.shape[1], W_ih.shape[0]
    layer = nn.RNN(*size, nonlinearity=nonlinearity, dtype=x.dtype)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    values = dict(zip(names, (W_ih, W_hh, b_ih, b_hh), strict=True))
    output, h_n = torch.func.functional_call(layer, values, (x, h_0[None]))
    return output, h_n[0]


BY_HAND = Exercise(
    name="rnn/by_hand",
    solution="""
        def rnn(x, h_0, W_ih, W_hh, b_ih, b_hh, nonlinearity):
            act = torch.tanh if nonlinearity == "tanh" else torch.relu
            h, output = h_0, []
            for x_t in x:
                h = act(x_t @ W_ih.T + b_ih + h @ W_hh.T + b_hh)
                output.append(h)
            return torch.stack(output), h
    """,
    reference=_torchs,
    run=function_run(_sequences, names=NAMES),
    forbid=("rnn", "RNN", "lstm", "gru"),
    mistakes=[
        (
            "h, output = h_0",
            "h, output = torch.zeros_like(h_0)",
            "You start from zeros: the first step's old state is h_0.",
        ),
        (
            "h @",
            "h_0 @",
            "Every step of yours starts from h_0: assign the new state to h, so that "
            "the next step finds it.",
        ),
        (
            "W_hh.T",
            "W_hh",
            "You multiply by W_hh itself: torch stores (H_out, H_in), so it is h @ "
            "W_hh.T.",
        ),
        (" + b_hh", "", "b_hh is missing: both biases are added."),
        (
            ' if nonlinearity == "tanh" else torch.relu',
            "",
            "You use tanh whatever nonlinearity says.",
        ),
        (
            "b_ih + h",
            "b_ih) + act(h",
            "You apply the nonlinearity to the input's part and to the state's part: "
            "it acts once, on their sum.",
        ),
        ("h = act", "h = ", "The nonlinearity is missing."),
        (
            "h = act",
            "h = ",
            "append(h)",
            "append(act(h))",
            "(output), h",
            "(output), act(h)",
            "You carry the sum before the nonlinearity to the next step: the state is "
            "what comes out of the nonlinearity.",
        ),
        (
            "h = act",
            "h = h + act",
            "You add the old state to the new one: h_t replaces h_(t-1).",
        ),
        (
            "h @",
            "h.detach() @",
            "The output is right, the gradient is not: your state is cut off from its "
            "past by detach (or .data), so nothing flows back through time.",
        ),
        (
            "x_t @",
            "x_t.detach() @",
            "The output is right, the gradient with respect to x is not: do not detach "
            "x.",
        ),
        (
            "in x:",
            "in x.flip(0):",
            "You read the sequence from its end: the first step takes x[0].",
        ),
        (
            "stack(output)",
            "stack(output, 1)",
            "Your output has the batch first: stack the steps along axis 0, (L, N, "
            "H_out).",
        ),
        (
            "torch.stack",
            "torch.cat",
            "You concatenate the steps along the batch: torch.stack makes the new axis "
            "of length L.",
        ),
        (
            "(output), h",
            "(output), h[None]",
            "The last state is asked for as (N, H_out), without the first axis that "
            "nn.RNN's h_n has.",
        ),
        (
            "(output), h",
            "(output), output[0]",
            "You return the first state: the last one is output[-1].",
        ),
        (
            "(output), h",
            "(output)",
            "Return two tensors, all states and the last one: return output, h.",
        ),
        (
            "(output), h",
            "(output).detach(), h.detach()",
            "The output is right, but no gradient comes out of it: compute without "
            "detach, .data, numpy or torch.no_grad().",
        ),
        (" + b_ih", "", "b_ih is missing: both biases are added."),
        (" + b_ih", "", " + b_hh", "", "Both biases are missing, b_ih and b_hh."),
        (
            'torch.tanh if nonlinearity == "tanh" else torch.relu',
            "torch.relu",
            "You use relu where nonlinearity says tanh.",
        ),
        (
            "stack(output)",
            "stack([h_0, *output[:-1]])",
            "Your output has the states before the steps, h_0 first: append h after "
            "you have computed it.",
        ),
        (
            "torch.stack(output), h",
            "h, torch.stack(output)",
            "You return the last state first: return output, h.",
        ),
        (
            "h_0, []",
            "h_0, [h_0]",
            "Your output has a state too many: h_0 is no step's result.",
        ),
    ],
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


STEP = "((1 - states[-t] ** 2)[:, None] * W_hh)"

JACOBIAN = Exercise(
    name="rnn/jacobian",
    solution="""
        def jacobian(states, W_hh, k):
            J = torch.eye(len(W_hh), dtype=W_hh.dtype)
            for t in range(1, k + 1):
                J = J @ ((1 - states[-t] ** 2)[:, None] * W_hh)
            return J
    """,
    reference=_by_autograd,
    run=function_run(_histories, names=("states", "W_hh", "k")),
    mistakes=[
        (
            f"J @ {STEP}",
            f"{STEP} @ J",
            "Your factors stand in the wrong order: the last step's is leftmost, each "
            "step back multiplies from the right.",
        ),
        (
            "states[-t]",
            "states[-t - 1]",
            "Your slopes come one step too early: the step to h_T has the slope 1 - "
            "h_T^2, of the state it makes, not of the one it starts from.",
        ),
        (
            "[:, None]",
            "",
            "You scale the columns of W_hh: the slope belongs to the unit that the "
            "step makes, which is W_hh's row, slope[:, None] * W_hh.",
        ),
        (
            STEP,
            "W_hh",
            "You multiply W_hh only: each step also has the slopes of tanh.",
        ),
        (" ** 2", "", "The slope of tanh in terms of its value h is 1 - h^2."),
        (
            "states[-t]",
            "torch.tanh(states[-t])",
            "You apply tanh to states that are its values already: the slope is 1 - "
            "states^2.",
        ),
        (
            "return J",
            "return J.T",
            "That is the transpose: row i belongs to unit i of the last state.",
        ),
        (
            "* W_hh",
            "* W_hh.T",
            "You use W_hh.T: h @ W_hh.T for rows means W_hh @ h for one state, whose "
            "derivative is W_hh.",
        ),
        (
            "k + 1",
            "k + 2",
            "You take a step too many: k steps back are k factors, and none for k = 0.",
        ),
        ("k + 1", "k", "You take a step too few: k steps back are k factors."),
        (
            "range(1, k + 1)",
            "range(1, (k or len(states)) + 1)",
            "For k = 0 you take all the steps, as a slice states[-0:] does: none is to "
            "be taken, and the matrix is the identity.",
        ),
        (
            "states[-t]",
            "states[t - 1]",
            "You take the slopes of the first states: the steps back start at "
            "states[-1].",
        ),
        (
            "J @",
            "J *",
            "The factors are multiplied as matrices, with @, not entry by entry.",
        ),
        (
            "states[-t]",
            "states[-1]",
            "You use the slopes of the last state at every step: each step has those "
            "of the state it makes.",
        ),
        (
            STEP,
            f"({STEP} if t == 1 else W_hh)",
            "You use slopes in one step only: each of the k steps has its own.",
        ),
        (
            "[:, None] * W_hh",
            " * W_hh.T",
            "Each of your factors is transposed: (1 - h^2) * W_hh.T scales the "
            "columns, slope[:, None] * W_hh the rows of W_hh.",
        ),
        ("1 - states", "1 + states", "The sign is wrong: tanh's slope is 1 - h^2."),
        (
            "1 - states[-t] ** 2",
            "states[-t] * (1 - states[-t])",
            "h (1 - h) is the slope of the sigmoid: tanh's is 1 - h^2.",
        ),
        ("k + 1", "max(k, 1) + 1", "k = 0 takes no step: the identity."),
    ],
)

V, E, N = "vanishes", "explodes", "neither"
FATES = Exercise(
    name="rnn/fates",
    solution="""
        fates = ["vanishes", "neither", "vanishes", "explodes", "vanishes"]
    """,
    run=value_run(),
    mistakes=[
        (
            [V, N, V, E, E],
            "One is wrong. Look at relu in (e): torch's slope of relu at 0 is 0.",
        ),
        (
            [V, N, V, E, N],
            "One is wrong: with slope 0 at every step, what is left of (e)?",
        ),
        (
            [V, N, E, E, V],
            "One is wrong. In (c) the 1000 enters once, the 0.5 a hundred times: the "
            "radius decides in the end.",
        ),
        (
            [V, N, E, E, E],
            "Two are wrong: the large entry of (c) is not its radius, and relu's slope "
            "at 0 is 0.",
        ),
        (
            [V, V, V, E, V],
            "One is wrong. A rotation keeps every length, and tanh's slope at 0 is 1.",
        ),
        (
            [N, N, V, E, V],
            "One is wrong. An orthogonal matrix keeps lengths, but (a) takes 0.9 of it "
            "at each of 100 steps.",
        ),
        (
            [V, N, V, N, V],
            "One is wrong. tanh bounds the state of (d), not its gradient: at 0 the "
            "slope is 1.",
        ),
        (
            [V, N, V, V, V],
            "One is wrong. In (d) the state stays at 0, where tanh does not saturate.",
        ),
        (
            [V, E, V, E, V],
            "One is wrong. A rotation has radius 1 and norm 1: nothing in (b) grows.",
        ),
        (
            [E, N, V, E, V],
            "One is wrong. Nothing in (a) grows: each step takes 0.9 of every length.",
        ),
        (
            [V, N, N, E, V],
            "One is wrong. In (c) the powers of 0.5 win in the end: see hint 2.",
        ),
        (
            [V, V, V, V, V],
            "Not all vanish: the slope of tanh is below 1 everywhere but at 0, and "
            "here all states are 0.",
        ),
    ],
)

EXERCISES = (BY_HAND, JACOBIAN, FATES)
