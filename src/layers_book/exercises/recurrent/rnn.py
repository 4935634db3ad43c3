"""Exercises of the page recurrent/rnn."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn

from layers_book.checking import (
    Exercise,
    Refused,
    custom_run,
    distinct,
    function_run,
    function_steps,
    measure_run,
    signed,
    value_run,
)


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
    )
    scales = 1.0, 0.5, 0.4, 0.4, 0.3
    values = [
        (signed(generator, *shape) * scale).requires_grad_()
        for shape, scale in zip(shapes, scales, strict=True)
    ]
    return (*values, (0.3, 0.8, 1.0, 0.6)[index % 4]), {}


LEAKY = Exercise(
    name="rnn/leaky",
    solution="""
        def leaky(x, h_0, W_ih, W_hh, b, a):
            h, states = h_0, []
            for x_t in x:
                g = torch.tanh(x_t @ W_ih.T + h @ W_hh.T + b)
                h = (1 - a) * h + a * g
                states.append(h)
            return torch.stack(states)
    """,
    run=function_run(_sequences, names=("x", "h_0", "W_ih", "W_hh", "b", "a")),
    mistakes=[
        (
            "h, states = h_0",
            "h, states = torch.zeros_like(h_0)",
            "You start from zeros: the first step's old state is h_0.",
        ),
        (
            "h @",
            "h_0 @",
            "(1 - a) * h ",
            "(1 - a) * h_0 ",
            "Every step of yours starts from h_0: assign the new state to h, so that "
            "the next step finds it.",
        ),
        (
            "W_hh.T",
            "W_hh",
            "You multiply by W_hh itself: torch stores (H_out, H_in), so it is h @ "
            "W_hh.T.",
        ),
        (" + b)", ")", "b is missing."),
        (
            "(1 - a) * h + a * g",
            "g",
            "Your state is the candidate alone, as in a plain RNN: the share 1 - a of "
            "the old state stays.",
        ),
        (
            "(1 - a) * h + a * g",
            "a * h + (1 - a) * g",
            "You have the shares the other way round: a belongs to the candidate.",
        ),
        (
            "(1 - a) * h + a * g",
            "h + a * g",
            "You keep the whole old state: only the share 1 - a of it stays.",
        ),
        (
            "(1 - a) * h + a * g",
            "torch.tanh((1 - a) * h + a * g)",
            "You apply tanh to the new state as well: it acts on the candidate only.",
        ),
        (
            "x_t @ W_ih.T + h @ W_hh.T + b",
            "x_t @ W_ih.T + ((1 - a) * h) @ W_hh.T + b",
            "Your candidate is made of a state that has been scaled already: compute "
            "it first, from all of h_(t-1).",
        ),
        (
            "torch.tanh(",
            "(",
            "The tanh around the candidate is missing.",
        ),
        (
            "torch.tanh(x_t @ W_ih.T + h @ W_hh.T + b)",
            "torch.tanh(x_t @ W_ih.T + b) + torch.tanh(h @ W_hh.T)",
            "You apply tanh to the input's part and to the state's part: it acts once, "
            "on their sum.",
        ),
        (
            "h @",
            "h.detach() @",
            "The output is right, the gradient is not: your state is cut off from its "
            "past by detach (or .data), so nothing flows back through the candidates.",
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
            "stack(states)",
            "stack(states, 1)",
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
            "torch.stack(states)",
            "h",
            "You return the last state only: return all of them, (L, N, H_out).",
        ),
        (
            "torch.stack(states)",
            "torch.stack(states), h",
            "Return one tensor, all the states, without the last one beside it.",
        ),
        (
            "torch.stack(states)",
            "torch.stack(states).detach()",
            "The output is right, but no gradient comes out of it: compute without "
            "detach, .data, numpy or torch.no_grad().",
        ),
        (
            "append(h)",
            "append(g)",
            "You return the candidates: append the state h.",
        ),
        (
            "stack(states)",
            "stack([h_0, *states[:-1]])",
            "Your output has the states before the steps, h_0 first: append h after "
            "you have computed it.",
        ),
        (
            "h_0, []",
            "h_0, [h_0]",
            "Your output has a state too many: h_0 is no step's result.",
        ),
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
            "One is wrong. In (c) the powers of 0.5 win in the end: see the hint.",
        ),
        (
            [V, V, V, V, V],
            "Not all vanish: the slope of tanh is below 1 everywhere but at 0, and "
            "here all states are 0.",
        ),
    ],
)


def _gradients(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Tensors of unlike sizes and norms; in turn the whole is within the limit."""
    index = generator.initial_seed()
    high, wide = distinct(generator, 2)
    shapes = ((high, wide), (high, high), (high,))[: 3 - (index == 6)]
    scales = (3.0, 0.5, 1.5), (0.2, 4.0, 1.0), (2.0, 2.0, 2.0)
    found = [
        signed(generator, *shape) * scale
        for shape, scale in zip(shapes, scales[index % 3], strict=False)
    ]
    total = torch.cat([g.flatten() for g in found]).norm().item()
    most = max(g.norm().item() for g in found)
    limits = (0.2 * total, (most + total) / 2, 0.5 * total, 2.5 * total)
    return (found, limits[index % 4]), {}


def _clip_steps(
    answer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[Any]:
    """As of a function; torch's clipping is refused, with ``foreach=False``, too."""

    def refuse(*_: Any) -> None:
        raise Refused("Write it by hand: torch's own clipping may not be called here.")

    module, inner = nn.utils.clip_grad, "_group_tensors_by_device_and_dtype"
    before = getattr(module, inner, None)  # which every function there calls
    setattr(module, inner, refuse)
    try:
        yield from function_steps(answer, args, kwargs, ("gradients", "max_norm"))
    finally:
        setattr(module, inner, before)


def _clip_inputs(generator: Generator) -> dict[str, Any]:
    args, kwargs = _gradients(generator)
    return {"args": args, "kwargs": kwargs}


CLIP = Exercise(
    name="rnn/clip",
    solution="""
        def clip(gradients, max_norm):
            total = torch.stack([g.norm() for g in gradients]).norm()
            factor = max_norm / total.clamp(min=max_norm)
            return [factor * g for g in gradients]
    """,
    run=custom_run(_clip_steps, _clip_inputs),
    forbid=("clip_grad", "_foreach"),  # the first by the steps: torch's modes miss it
    mistakes=[
        (
            "factor * g for",
            "g * max_norm / g.norm().clamp(min=max_norm) for",
            "You compare each tensor's own norm with max_norm, and scale it by a "
            "factor of its own: the norm of all together decides, and one factor "
            "scales them all.",
        ),
        (
            "factor * g for",
            "g.clamp(-max_norm, max_norm) for",
            "You cut off the numbers one by one, which turns the gradient: scale all "
            "of them by one factor.",
        ),
        (
            ".clamp(min=max_norm)",
            "",
            "You scale small gradients up to max_norm: what is within the limit stays "
            "as it is.",
        ),
        (
            "]).norm()",
            "]).sum()",
            "You add up the tensors' norms: the norm of all together is the root of "
            "the sum of their squares.",
        ),
        (
            "]).norm()",
            "]).max()",
            "You take the largest of the tensors' norms: the norm of all together is "
            "the root of the sum of their squares.",
        ),
        (
            "]).norm()",
            "]).mean()",
            "You take the mean of the tensors' norms: the norm of all together is the "
            "root of the sum of their squares.",
        ),
        (
            "]).norm()",
            "]).square().sum()",
            "You forget the root: the norm of all together is the root of the sum of "
            "their squares.",
        ),
        (
            "gradients]).norm()",
            "gradients[:1]]).norm()",
            "You look at the norm of the first tensor only: all of them count.",
        ),
        (
            "max_norm / total.clamp(min=max_norm)",
            "1 / total.clamp(min=max_norm)",
            "The norm of your result is not max_norm: the factor is max_norm divided "
            "by the norm of all.",
        ),
        (
            "max_norm / total.clamp(min=max_norm)",
            "max_norm if total > max_norm else 1",
            "You multiply by max_norm itself: the factor is max_norm divided by the "
            "norm of all.",
        ),
        (
            "max_norm / total.clamp(min=max_norm)",
            "1 / total",
            "You bring every gradient to the norm 1, whatever max_norm says.",
        ),
        (
            "max_norm / total.clamp(min=max_norm)",
            "(total > max_norm).logical_not()",
            "You throw large gradients away: scale them down to max_norm.",
        ),
    ],
)


def _histories(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    hidden, length = (3, 4, 5, 2)[index % 4], 6 + index % 3
    a = (0.4, 0.7, 0.25)[index % 3]
    W_hh = signed(generator, hidden, hidden) * 0.6
    inputs = torch.randn(length, hidden, generator=generator, dtype=torch.float64)
    h, candidates = torch.zeros(hidden, dtype=torch.float64), []
    for x_t in inputs:
        g = torch.tanh(x_t + W_hh @ h)
        h = (1 - a) * h + a * g
        candidates.append(g)
    k = (1, 2, 3, 0, 4, 5)[index % 6]
    return (torch.stack(candidates), W_hh, a, k), {}


def _by_autograd(candidates: Tensor, W_hh: Tensor, a: float, k: int) -> Tensor:
    """The inputs follow from the candidates, so the steps can be taken again."""
    states = [torch.zeros_like(candidates[0])]  # before the first step: h_0 = 0
    for g in candidates:
        states.append((1 - a) * states[-1] + a * g)
    inputs = [
        torch.atanh(g) - W_hh @ h for g, h in zip(candidates, states[:-1], strict=True)
    ]
    start = len(candidates) - k
    before = states[start].clone().requires_grad_()
    h = before
    for x_t in inputs[start:]:
        h = (1 - a) * h + a * torch.tanh(x_t + W_hh @ h)
    rows = [torch.autograd.grad(v, before, retain_graph=True)[0] for v in h]
    return torch.stack(rows)


STEP = "((1 - a) * one + a * slopes[:, None] * W_hh)"

JACOBIAN = Exercise(
    name="rnn/jacobian",
    solution="""
        def jacobian(candidates, W_hh, a, k):
            one = torch.eye(len(W_hh), dtype=W_hh.dtype)
            J = one
            for t in range(1, k + 1):
                slopes = 1 - candidates[-t] ** 2
                J = J @ ((1 - a) * one + a * slopes[:, None] * W_hh)
            return J
    """,
    reference=_by_autograd,
    run=function_run(_histories, names=("candidates", "W_hh", "a", "k")),
    mistakes=[
        (
            f"J @ {STEP}",
            f"{STEP} @ J",
            "Your factors stand in the wrong order: the last step's is leftmost, each "
            "step back multiplies from the right.",
        ),
        (
            "candidates[-t]",
            "candidates[-t - 1]",
            "Your slopes come one step too early: the step to h_T has the slope 1 - "
            "g_T^2, of the candidate it makes.",
        ),
        (
            "slopes[:, None]",
            "slopes",
            "You scale the columns of W_hh: the slope belongs to the unit that the "
            "step makes, which is W_hh's row, slopes[:, None] * W_hh.",
        ),
        (
            "a * slopes[:, None] * W_hh",
            "a * W_hh",
            "You multiply W_hh only: each step also has the slopes of tanh.",
        ),
        (
            "(1 - a) * one + a",
            "a",
            "You leave out the way past tanh: the share 1 - a of each unit of the old "
            "state reaches the new one directly.",
        ),
        (
            "(1 - a) * one + a",
            "(1 - a) + a",
            "You add 1 - a to every entry: a unit's own state stays with it, so it "
            "belongs on the diagonal.",
        ),
        (
            "(1 - a) * one + a",
            "one + a",
            "You keep the whole old state: its share is 1 - a.",
        ),
        (
            "(1 - a) * one + a",
            "a * one + (1 - a)",
            "You have the shares the other way round: a belongs to the candidate.",
        ),
        (
            "(1 - a) * one + a * slopes",
            "(1 - a) * one + slopes",
            "The candidate enters with the share a, and its slope, too.",
        ),
        (" ** 2", "", "The slope of tanh in terms of its value g is 1 - g^2."),
        (
            "candidates[-t]",
            "torch.tanh(candidates[-t])",
            "You apply tanh to candidates that are its values already: the slope is 1 "
            "- candidates^2.",
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
            "range(1, (k or len(candidates)) + 1)",
            "For k = 0 you take all the steps, as a slice candidates[-0:] does: none "
            "is to be taken, and the matrix is the identity.",
        ),
        (
            "candidates[-t]",
            "candidates[t - 1]",
            "You take the slopes of the first candidates: the steps back start at "
            "candidates[-1].",
        ),
        (
            "J @",
            "J *",
            "The factors are multiplied as matrices, with @, not entry by entry.",
        ),
        (
            "candidates[-t]",
            "candidates[-1]",
            "You use the slopes of the last candidate at every step: each step has "
            "those of its own.",
        ),
        ("1 - candid", "1 + candid", "The sign is wrong: tanh's slope is 1 - g^2."),
        (
            "1 - candidates[-t] ** 2",
            "candidates[-t] * (1 - candidates[-t])",
            "g (1 - g) is the slope of the sigmoid: tanh's is 1 - g^2.",
        ),
        ("k + 1", "max(k, 1) + 1", "k = 0 takes no step: the identity."),
    ],
)

LARGE_INPUTS = Exercise(
    name="rnn/large_inputs",
    setup="""
        def by_lag(score, x):  # x: (L, N, H_in)
            (g,) = torch.autograd.grad(score, x)
            size = g.norm(dim=-1).mean(1).flip(0)  # (L,), entry k is k steps back
            return size / size[0]
    """,
    solution="""
        def factor(seed, times):
            torch.manual_seed(seed)
            rnn = nn.RNN(8, 32).double()
            x = (times * torch.randn(21, 16, 8).double()).requires_grad_()
            return by_lag(rnn(x)[0][-1].sum(), x)[20].item() ** (1 / 20)


        large = [factor(seed, 10) for seed in range(8)]
        plain = [factor(seed, 1) for seed in range(8)]
        d = torch.tensor(large) - torch.tensor(plain)  # (seeds,)
        answer = d.mean().item(), (d.std() / len(d) ** 0.5).item()
    """,
    run=measure_run("large", "plain"),
    mistakes=[
        (
            " ** (1 / 20)",
            "",
            "You compare the sizes at lag 20, both nearly 0: take the 20th root of "
            "each, the factor per step.",
        ),
        (
            "[20].item()",
            "[10].item()",
            "You take the 20th root of the size at lag 10: take the size at lag 20.",
        ),
        (
            "factor(seed, 10)",
            "factor(seed, 2)",
            "Your inputs are too small: multiply them by 10.",
        ),
        (
            "factor(seed, 10)",
            "factor(seed, 100)",
            "Your inputs are too large: multiply them by 10.",
        ),
    ],
)

EXERCISES = (LEAKY, FATES, CLIP, JACOBIAN, LARGE_INPUTS)
