"""Exercises of the page recurrent/beyond."""

from typing import Any

from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    measure_run,
    signed,
    value_run,
)

SHARE = Exercise(
    name="beyond/share",
    solution="""
        answer = [1 / 10, 1 / 50, 3 / 52]
    """,
    run=value_run(),
    mistakes=[
        (
            "3 / 52",
            "3 / 50",
            "In the third case the weights must sum to 1: 49 steps count once, one "
            "counts three times.",
        ),
        (
            "3 / 52",
            "3 / 53",
            "In the third case 49 other steps count once each, not 50.",
        ),
        (
            "3 / 52",
            "1 / 52",
            "In the third case you give the share of one of the others: the wanted "
            "step counts three times.",
        ),
        (
            "[1 / 10, 1 / 50, 3 / 52]",
            "[1, 1, 3]",
            "Your numbers are no shares: divide each by the sum over all steps.",
        ),
        (
            "[1 / 10, 1 / 50, 3 / 52]",
            "[1 / 9, 1 / 49, 3 / 51]",
            "You leave the asking step out: it is among the steps that are looked at.",
        ),
        (
            "[1 / 10, 1 / 50, 3 / 52]",
            "[10, 2, 300 / 52]",
            "Those are percentages: give numbers between 0 and 1.",
        ),
        (
            "3 / 52",
            "2.718281828**3 / (49 + 2.718281828**3)",
            "Your step scores 3 more, which makes e to the 3; e to its score is three "
            "times the others'.",
        ),
    ],
)


_WAYS = (  # one a configuration: kind, steps back, kernel
    ("recurrent", 1, 3),
    ("convolution", 49, 5),
    ("attention", 49, 3),
    ("recurrent", 49, 3),
    ("convolution", 12, 4),
    ("attention", 1, 3),
    ("recurrent", 7, 2),
    ("convolution", 20, 5),
    ("attention", 10, 4),
    ("recurrent", 30, 5),
    ("convolution", 7, 2),
    ("convolution", 5, 8),
)


def _path_args(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return _WAYS[generator.initial_seed()], {}


def _path(kind: str, back: int, kernel: int) -> int:
    """Counted by taking the way, hop by hop."""
    hops, reached = 0, 0
    while reached < back:
        hops += 1
        if kind == "attention":
            reached = back
        else:
            reached += 1 if kind == "recurrent" else kernel - 1
    return hops


PATH = Exercise(
    name="beyond/path",
    solution="""
        def path(kind, back, kernel):
            if kind == "attention":
                return 1
            if kind == "recurrent":
                return back
            return -(-back // (kernel - 1))
    """,
    reference=_path,
    run=function_run(_path_args, names=("kind", "back", "kernel"), float32=False),
    mistakes=[
        (
            "-(-back // (kernel - 1))",
            "-(-back // kernel)",
            "A window of kernel steps ends at its own step, so it reaches kernel - 1 "
            "steps back.",
        ),
        (
            "-(-back // (kernel - 1))",
            "back // (kernel - 1)",
            "You round down: if a window does not get all the way, one more layer is "
            "needed.",
        ),
        (
            "-(-back // (kernel - 1))",
            "back // (kernel - 1) + 1",
            "You count a layer too many where the windows fit exactly: round up.",
        ),
        (
            "-(-back // (kernel - 1))",
            "-(-back // (kernel // 2))",
            "You center the window: here it looks back only, kernel - 1 steps.",
        ),
        (
            "-(-back // (kernel - 1))",
            "back - kernel + 2",
            "Each layer goes another kernel - 1 steps back: divide, do not subtract.",
        ),
        (
            "return 1\n",
            "return back\n",
            "Attention looks at each step directly: a single hop.",
        ),
        (
            "return 1\n",
            "return 0\n",
            "Attention takes one hop, not none: the last step looks at the other.",
        ),
        (
            "return back\n",
            "return back + 1\n",
            "A recurrent layer hands its state on once for each step back: back times, "
            "from that step's state to the last.",
        ),
        (
            "return back\n",
            "return 1\n",
            "A recurrent layer hands its state from step to step: no hop is left out.",
        ),
        (
            "return -(-back // (kernel - 1))",
            "return 1",
            "A window of kernel steps reaches kernel - 1 steps back: for more, layers "
            "must be stacked.",
        ),
        (
            "return -(-back // (kernel - 1))",
            "return back",
            "A layer of a convolution goes kernel - 1 steps back, not one.",
        ),
    ],
)


def _mean_args(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    size, d, wide = distinct(generator, 3)
    q, k = signed(generator, d), signed(generator, size, d)
    v = signed(generator, size, wide)
    if generator.initial_seed() % 3 == 2:  # exp overflows in float32
        q[0], k[:, 0] = 10.0, 15.0
    return (q.requires_grad_(), k.requires_grad_(), v.requires_grad_()), {}


def _weighted(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    y = F.scaled_dot_product_attention(
        query[None, None, None], keys[None, None], values[None, None], scale=1.0
    )
    return y[0, 0, 0]


SOFT = Exercise(
    name="beyond/soft_lookup",
    solution="""
        def soft_lookup(query, keys, values):
            scores = keys @ query
            return scores.softmax(0) @ values
    """,
    reference=_weighted,
    run=function_run(_mean_args, names=("query", "keys", "values")),
    forbid=("attention",),
    mistakes=[
        (
            "scores.softmax(0) @ values",
            "scores @ values / len(keys)",
            "Your weights are the scores, divided by the number of keys: they can be "
            "negative, and do not sum to 1.",
        ),
        (
            "scores.softmax(0) @ values",
            "scores @ values / scores.sum()",
            "You divide the scores by their sum, which may be near 0 or negative: "
            "weights are positive, as softmax makes them.",
        ),
        (
            "scores.softmax(0) @ values",
            "scores.exp() @ values / scores.exp().sum()",
            "exp of a large score overflows: softmax takes the largest score off "
            "first.",
        ),
        (
            "scores.softmax(0) @ values",
            "scores @ values",
            "Your weights are the scores themselves: softmax makes weights of them.",
        ),
        (
            "scores.softmax(0) @ values",
            "scores.sigmoid() @ values",
            "Your weights are positive, but do not sum to 1.",
        ),
        (
            "scores.softmax(0) @ values",
            "values[scores.argmax()]",
            "You give the value of the best key alone: the others count as well.",
        ),
        (
            "scores.softmax(0) @ values",
            "(scores.softmax(0) @ values) / len(keys)",
            "You divide by the number of keys once more: the weights sum to 1 already.",
        ),
        (
            "scores = keys @ query",
            "scores = keys @ query / len(query) ** 0.5",
            "You divide by the root of d: here the score is the dot product itself.",
        ),
        (
            "scores.softmax(0)",
            "(-scores).softmax(0)",
            "You prefer the keys that are least like the query.",
        ),
        (
            "scores.softmax(0)",
            "scores.detach().softmax(0)",
            "The output is right, the gradient is not: do not detach the scores.",
        ),
        (
            "scores.softmax(0) @ values",
            "values.mean(0)",
            "You give the plain mean, whatever is asked for.",
        ),
    ],
)


def _cost_args(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    heads, L, S, _ = distinct(generator, 4)
    return (L + 3, S, 4 * heads), {}


def _counted(L: int, S: int, d: int) -> int:
    """Product by product, as flops counts them: (a, b) times (b, c) takes 2abc."""
    made = [(L, d, d), (S, d, d), (S, d, d), (L, d, d)]  # q, k, v and the output
    return sum(2 * a * b * c for a, b, c in [*made, (L, d, S), (L, S, d)])


COST = Exercise(
    name="beyond/cost",
    solution="""
        def cost(L, S, d):
            return 4 * L * d**2 + 4 * S * d**2 + 4 * L * S * d
    """,
    reference=_counted,
    run=function_run(_cost_args, names=("L", "S", "d"), float32=False),
    forbid=("Module",),
    mistakes=[
        (
            "4 * L * d**2 + 4 * S * d**2",
            "8 * L * d**2",
            "You make keys and values for L steps: there are S of them.",
        ),
        (
            "4 * L * d**2 + 4 * S * d**2",
            "8 * S * d**2",
            "You make queries and outputs for S steps: there are L of them.",
        ),
        (
            "4 * L * d**2",
            "2 * L * d**2",
            "Queries and outputs are made by a matrix each: two products for each of "
            "the L steps.",
        ),
        (
            "4 * S * d**2",
            "2 * S * d**2",
            "Keys and values are made by a matrix each: two products for each of the S "
            "steps.",
        ),
        (
            "4 * L * S * d",
            "2 * L * S * d",
            "The L x S weights take part in two products: scores, and the mean of the "
            "values.",
        ),
        (
            "4 * L * S * d",
            "4 * L * S",
            "A score is a dot product of d numbers, not one operation.",
        ),
        (
            "4 * L * d**2 + 4 * S * d**2 + 4 * L * S * d",
            "2 * L * d**2 + 2 * S * d**2 + 2 * L * S * d",
            "You count a multiplication with its addition as one operation: they are "
            "two.",
        ),
        (
            "4 * L * S * d",
            "4 * L * L * d",
            "The queries look at S steps, not at L.",
        ),
        (
            " + 4 * L * S * d",
            "",
            "You count the four projections, not the L x S scores and the mean.",
        ),
        (
            "4 * L * d**2 + 4 * S * d**2 + ",
            "",
            "You leave out the four projections: queries, keys, values and outputs.",
        ),
        (
            "4 * L * d**2 + 4 * S * d**2",
            "4 * S * d**2 + 2 * L * d**2 + 2 * S * d**2",
            "The output is mixed for each of the L queries, not for the S keys.",
        ),
        (
            "4 * L * d**2 + 4 * S * d**2",
            "4 * L * d + 4 * S * d",
            "A matrix of d by d takes d**2 multiplications for each step.",
        ),
    ],
)

FADING = Exercise(
    name="beyond/fading",
    setup="""
        def fade(kind, seed, L=50, d=32):
            torch.manual_seed(seed)
            x = torch.randn(16, L, d).double().requires_grad_()  # (N, L, d)
            if kind is nn.MultiheadAttention:
                layer = kind(d, 4, batch_first=True).double()
                output = layer(x, x, x)[0]  # (N, L, d)
            else:
                layer = kind(d, d, batch_first=True).double()
                output = layer(x)[0]  # (N, L, d)
            (grad,) = torch.autograd.grad(output[:, -1].sum(), x)  # (N, L, d)
            size = grad.norm(dim=-1).mean(0).flip(0)  # (L,), the last step first
            return size / size[0]
    """,
    solution="""
        lstm = [fade(nn.LSTM, seed, 21)[20].log10() for seed in range(8)]
        rnn = [fade(nn.RNN, seed, 21)[20].log10() for seed in range(8)]
        difference = torch.tensor(lstm) - torch.tensor(rnn)
        answer = difference.mean(), difference.std() / 8**0.5
    """,
    run=measure_run("lstm", "rnn"),
    mistakes=[
        (
            "log10() for seed in range(8)]\nrnn",
            "log() for seed in range(8)]\nrnn",
            "[20].log10() for seed in range(8)]\ndiff",
            "[20].log() for seed in range(8)]\ndiff",
            "Your logarithm is the natural one: powers of ten are counted by log10.",
        ),
        (
            "fade(nn.LSTM, seed, 21)[20].log10()",
            "fade(nn.LSTM, seed, 21)[20]",
            "fade(nn.RNN, seed, 21)[20].log10()",
            "fade(nn.RNN, seed, 21)[20]",
            "You subtract the shares themselves: take log10 of each before.",
        ),
        (
            "nn.LSTM",
            "nn.MultiheadAttention",
            "You compare attention with the RNN: the LSTM is asked for.",
        ),
        (
            "fade(nn.LSTM, seed, 21)[20]",
            "fade(nn.LSTM, seed, 21)[10]",
            "fade(nn.RNN, seed, 21)[20]",
            "fade(nn.RNN, seed, 21)[10]",
            "You look 10 steps back: entry 20 is asked for.",
        ),
    ],
)

EXERCISES = (SHARE, PATH, SOFT, COST, FADING)
