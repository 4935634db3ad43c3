"""Exercises of the page attention/index."""

from typing import Any

from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import Exercise, distinct, function_run, signed, value_run

MEAN = Exercise(
    name="attention/mean",
    solution="""
        answer = (1 * 4 + 1 * 8 + 2 * 20) / (1 + 1 + 2)
    """,
    run=value_run(),
    mistakes=[
        (
            "(1 + 1 + 2)",
            "3",
            "You divide by the number of keys: divide by the sum of 1, 1 and 2, so "
            "that the weights sum to 1.",
        ),
        (
            " / (1 + 1 + 2)",
            "",
            "Your weights are e to the scores, 1, 1 and 2; they must be divided by "
            "their sum.",
        ),
        (
            "2 * 20) / (1 + 1 + 2)",
            "1 * 20) / 3",
            "That is the plain mean: the third key scores more than the others.",
        ),
        (
            "1 * 4 + 1 * 8 + 2 * 20",
            "20 * 4",
            "That is the value of the best key alone: the others keep some weight.",
        ),
        (
            "(1 * 4 + 1 * 8 + 2 * 20) / (1 + 1 + 2)",
            "(4 + 8 + 2**0.693147 * 20) / (2 + 2**0.693147)",
            "You raise 2 to the scores: softmax raises e to them.",
        ),
        (
            "(1 * 4 + 1 * 8 + 2 * 20) / (1 + 1 + 2)",
            "0.693147 * 20",
            "You multiply the values by the scores: first softmax makes weights of "
            "them.",
        ),
        (
            "1 * 4 + 1 * 8 + 2 * 20",
            "2 * 4 + 1 * 8 + 1 * 20",
            "You give the first value the large weight: the third key scores most.",
        ),
        (
            "answer = (1 * 4 + 1 * 8 + 2 * 20) / (1 + 1 + 2)",
            "answer = [0.25, 0.25, 0.5]",
            "Those are the weights: the answer is the mean of the values by them.",
        ),
    ],
)


def _pairs(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Queries, keys and values, all of different sizes."""
    length, size, d, wide = distinct(generator, 4)
    index = generator.initial_seed()
    q = signed(generator, length, d) / (1, 2)[index % 2]
    k = signed(generator, size, d) / (1, 2)[index % 2]
    v = signed(generator, size, wide)
    return (q.requires_grad_(), k.requires_grad_(), v.requires_grad_()), {}


def _near(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """By torch's attention: a length of the key, added, makes distances of products."""
    bias = -keys.square().sum(-1)  # (S,); the length of the query cancels
    return F.scaled_dot_product_attention(
        queries[None, None],
        2 * keys[None, None],
        values[None, None],
        attn_mask=bias.expand(len(queries), -1)[None, None],
        scale=1.0,
    )[0, 0]


NEAREST = Exercise(
    name="attention/many",
    solution="""
        def many(queries, keys, values):
            gaps = queries[:, None] - keys
            scores = -gaps.square().sum(2)
            return scores.softmax(1) @ values
    """,
    reference=_near,
    run=function_run(_pairs, names=("queries", "keys", "values")),
    mistakes=[
        (
            "softmax(1)",
            "softmax(0)",
            "Your weights of a key over all queries sum to 1: those of a query over "
            "its keys must.",
        ),
        (
            "-gaps",
            "gaps",
            "Far keys score high: the score is minus the squared distance.",
        ),
        (
            "square()",
            "abs()",
            "You add up the gaps' sizes: square them, then add.",
        ),
        (
            "sum(2)",
            "mean(2)",
            "You take the mean over the d numbers of a gap: the squared distance is "
            "their sum.",
        ),
        (
            "gaps.square().sum(2)",
            "gaps.square().sum(2).sqrt()",
            "You take the distance: its square is asked for.",
        ),
        (
            "scores.softmax(1)",
            "scores.exp()",
            "Your weights do not sum to 1: divide by their sum, as softmax does.",
        ),
        (
            "scores.softmax(1) @ values",
            "values[scores.argmax(1)]",
            "You give the value of the nearest key alone, as a hard lookup does.",
        ),
        (
            "gaps = queries[:, None] - keys\n    scores = -gaps.square().sum(2)",
            "scores = queries @ keys.T",
            "You take the dot product for a score. Here the keys differ in length, so "
            "this is not the same as minus the squared distance.",
        ),
        (
            "scores.softmax(1)",
            "scores.detach().softmax(1)",
            "The output is right, the gradient is not: do not detach the scores.",
        ),
        (
            "scores.softmax(1)",
            "(scores / keys.shape[1] ** 0.5).softmax(1)",
            "You divide by the root of d: nothing of the kind is asked for here.",
        ),
        (
            "-gaps.square().sum(2)",
            "-gaps.square().sum(2) / 2",
            "You halve the squared distance: the score is minus all of it.",
        ),
    ],
)


def _stream_args(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Scores that rise or fall on the way; some overflow in float32."""
    size, d, wide = distinct(generator, 3)
    index = generator.initial_seed()
    q, k = signed(generator, d), signed(generator, size, d)
    v = signed(generator, size, wide)
    if index % 4 == 1:  # exp overflows in float32
        q[0], k[:, 0] = 10.0, 15.0
    if index % 4 == 3:  # and one key, somewhere, scores most by far
        q[0], k[size // 2, 0] = 10.0, 12.0
    return (q.requires_grad_(), k.requires_grad_(), v.requires_grad_()), {}


def _whole(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return (keys @ query).softmax(0) @ values


STREAM = Exercise(
    name="attention/stream",
    solution="""
        def stream(query, keys, values):
            top, total, mix = keys[0] @ query, 1.0, values[0]
            for i in range(1, len(keys)):
                score = keys[i] @ query
                new = torch.maximum(top, score)
                old, now = (top - new).exp(), (score - new).exp()
                total = old * total + now
                mix = old * mix + now * values[i]
                top = new
            return mix / total
    """,
    reference=_whole,
    run=function_run(_stream_args, names=("query", "keys", "values")),
    forbid=("softmax", "softmin", "logsumexp", "logcumsumexp", "attention"),
    mistakes=[
        (
            "            top = new\n".replace("            ", "        "),
            "",
            "Your largest score is never moved on, so later scores are compared with "
            "the first one.",
        ),
        (
            "old * total",
            "total",
            "When a larger score comes, the old sum of weights must shrink as well.",
        ),
        (
            "old * mix",
            "mix",
            "When a larger score comes, the old sum of values must shrink as well.",
        ),
        (
            "old * total",
            "total",
            "old * mix",
            "mix",
            "You take off the largest score so far, which changes on the way: shrink "
            "what you have whenever it does.",
        ),
        (
            """
            def stream(query, keys, values):
                total, mix = 0.0, 0.0
                for i in range(len(keys)):
                    now = (keys[i] @ query).exp()
                    total = total + now
                    mix = mix + now * values[i]
                return mix / total
            """,
            "exp of a large score overflows: take off the largest score so far.",
        ),
        (
            "torch.maximum(top, score)",
            "top",
            "You do not take off the largest score so far: a later one may be so much "
            "larger than yours that its exp overflows.",
        ),
        (
            "return mix / total",
            "return mix",
            "You do not divide by the sum of the weights.",
        ),
        (
            "return mix / total",
            "return mix / len(keys)",
            "You divide by the number of keys: divide by the sum of the weights.",
        ),
        (
            "total, mix = keys[0] @ query, 1.0, values[0]",
            "total, mix = keys[0] @ query, 0.0, 0.0 * values[0]",
            "You leave the first pair out.",
        ),
        (
            "range(1, len(keys))",
            "range(1, len(keys) - 1)",
            "You leave the last pair out.",
        ),
        (
            "+ now * values[i]",
            "+ values[i]",
            "You add the values without their weights.",
        ),
        (
            "    top, total",
            "    query = query / len(query) ** 0.5\n    top, total",
            "You divide by the root of d: nothing of the kind is asked for here.",
        ),
        (
            "score = keys[i] @ query",
            "score = keys[i].detach() @ query.detach()",
            "The output is right, the gradient is not: do not detach query and keys.",
        ),
    ],
)

EXERCISES = (MEAN, NEAREST, STREAM)
