"""Exercises of the page attention/multihead."""

from typing import Any

from torch import Generator

from layers_book.checking import (
    Exercise,
    function_run,
    measure_run,
    signed,
    value_run,
)

# heads, d, samples, queries, keys, key heads
_SIZES = (
    (2, 3, 2, 4, 5, 1),
    (4, 2, 2, 3, 4, 2),
    (1, 4, 3, 2, 3, 1),
    (3, 2, 1, 4, 3, 3),
    (6, 1, 2, 3, 4, 2),
    (4, 3, 1, 3, 2, 2),
)


def _sizes(generator: Generator) -> tuple[int, ...]:
    return _SIZES[generator.initial_seed() % len(_SIZES)]


COUNT = Exercise(
    name="multihead/count",
    solution="""
        E = 32
        plain = 4 * E * E + 4 * E
        answer = [plain, plain, E * (2 * E + 10 + 6) + 4 * E, plain + 2 * E]
    """,
    run=value_run(),
    mistakes=[
        (
            "[plain, plain,",
            "[plain, 2 * plain,",
            "You double the count with the number of heads: the heads share the E "
            "features, and the matrices stay as they are.",
        ),
        (
            "[plain, plain,",
            "[plain, plain / 2,",
            "You halve the count with twice the heads: each head is thinner, and there "
            "are more of them.",
        ),
        (
            "plain = 4 * E * E + 4 * E",
            "plain = 4 * E * E",
            "+ 10 + 6) + 4 * E",
            "+ 10 + 6)",
            "You count no biases: three times E in in_proj_bias, and E behind the "
            "heads.",
        ),
        (
            "plain = 4 * E * E + 4 * E",
            "plain = 3 * E * E + 3 * E",
            "E * (2 * E + 10 + 6) + 4 * E",
            "E * (E + 10 + 6) + 3 * E",
            "You count three matrices: out_proj, which mixes the heads, is the fourth.",
        ),
        (
            "plain = 4 * E * E + 4 * E",
            "plain = 4 * E * E + E",
            "+ 10 + 6) + 4 * E",
            "+ 10 + 6) + E",
            "You count one bias: in_proj_bias holds three, out_proj has another.",
        ),
        (
            "plain = 4 * E * E + 4 * E",
            "plain = 4 * E * E + 3 * E",
            "+ 10 + 6) + 4 * E",
            "+ 10 + 6) + 3 * E",
            "You miss E biases: besides in_proj_bias, out_proj has its own.",
        ),
        (
            "E * (2 * E + 10 + 6) + 4 * E, plain + 2 * E",
            "plain, plain",
            "You count the same for all four: the number of heads changes nothing, but "
            "kdim, vdim and add_bias_kv do.",
        ),
        (
            "E * (2 * E + 10 + 6) + 4 * E",
            "2 * E * E + 10 * 10 + 6 * 6 + 4 * E",
            "Your matrices of keys and values are square: each has E rows, and a "
            "column for each feature that comes in.",
        ),
        (
            "E * (2 * E + 10 + 6) + 4 * E",
            "plain",
            "You ignore kdim and vdim: the matrix of the keys is E × kdim, that of the "
            "values E × vdim.",
        ),
        (
            "E * (2 * E + 10 + 6) + 4 * E",
            "E * (2 * E + 10 + 6) + 2 * E + 10 + 6",
            "Your biases of keys and values are as long as the inputs: a bias has an "
            "entry for each output, E in all four.",
        ),
        (
            "E * (2 * E + 10 + 6) + 4 * E",
            "E * (E + 10 + 6 + 6) + 4 * E",
            "You give out_proj the width of the values: it takes the E features of the "
            "heads.",
        ),
        (
            "plain + 2 * E",
            "plain + E",
            "You add one vector: add_bias_kv learns a key and a value of E each.",
        ),
        (
            "plain + 2 * E",
            "plain",
            "You ignore add_bias_kv: it learns a key and a value.",
        ),
        (
            "plain + 2 * E",
            "plain + 2 * E * E",
            "You add matrices: add_bias_kv learns one key and one value, vectors of E.",
        ),
        (
            "plain + 2 * E",
            "plain + 2 * E // 4",
            "Your extra key is as long as one head: it has all E features, a slice for "
            "each head.",
        ),
    ],
)


def _self_attention(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    heads, d, n, length, _, _ = _sizes(generator)
    width = heads * d
    x = signed(generator, n, length, width)
    w_in = signed(generator, 3 * width, width) * 0.5
    w_out = signed(generator, width, width) * 0.5
    return (*(t.requires_grad_() for t in (x, w_in, w_out)), heads), {}


SELF_ATTENTION = Exercise(
    name="multihead/self_attention",
    solution="""
        def self_attention(x, w_in, w_out, heads):
            N, L, E = x.shape
            q, k, v = (x @ w_in.T).chunk(3, -1)
            q, k, v = (t.reshape(N, L, heads, E // heads).transpose(1, 2) for t in """
    """(q, k, v))
            scores = q @ k.transpose(2, 3) / (E // heads) ** 0.5
            y = scores.softmax(-1) @ v
            return y.transpose(1, 2).reshape(N, L, E) @ w_out.T
    """,
    run=function_run(
        _self_attention, names=("x", "w_in", "w_out", "heads"), configurations=6
    ),
    mistakes=[
        (
            "t.reshape(N, L, heads, E // heads).transpose(1, 2)",
            "t.reshape(N, heads, L, E // heads)",
            "You cut q, k and v straight into (N, heads, L, d), which mixes tokens and "
            "heads: cut the last axis, (N, L, heads, d), then swap two axes.",
        ),
        (
            "t.reshape(N, L, heads, E // heads).transpose(1, 2)",
            "t.reshape(N, heads, L, E // heads)",
            "y.transpose(1, 2).reshape(N, L, E)",
            "y.reshape(N, L, E)",
            "You cut and join without swapping axes, so both mix tokens and heads: "
            "(N, L, heads, d) and a transpose before, a transpose after.",
        ),
        (
            "y.transpose(1, 2).reshape(N, L, E)",
            "y.reshape(N, L, E)",
            "You split rightly, but join (N, heads, L, d) without swapping: bring the "
            "heads beside d first.",
        ),
        (
            "t.reshape(N, L, heads, E // heads).transpose(1, 2)",
            "t.reshape(N, L, E // heads, heads).permute(0, 3, 1, 2)",
            "Your heads take every other feature: head 0 has the first d of them, so "
            "the axes are (heads, d), not (d, heads).",
        ),
        (
            "t.reshape(N, L, heads, E // heads).transpose(1, 2)",
            "t.reshape(N, L, E // heads, heads).permute(0, 3, 1, 2)",
            "y.transpose(1, 2).reshape(N, L, E)",
            "y.permute(0, 2, 3, 1).reshape(N, L, E)",
            "You deal the features out to the heads in turn, and collect them so: in "
            "torch head 0 has the first d features, head 1 the next.",
        ),
        (
            "(x @ w_in.T).chunk(3, -1)",
            "(x @ w_in.T).unflatten(-1, (heads, 3, -1)).transpose(-3, -2)"
            ".flatten(-2).unbind(-2)",
            "You read w_in head by head: its first E rows are all of q, then k, then "
            "v.",
        ),
        (
            "q, k, v = (x",
            "k, q, v = (x",
            "You have swapped queries and keys: the first E rows of w_in are those of "
            "q.",
        ),
        (
            "(E // heads) ** 0.5",
            "E ** 0.5",
            "You divide by the root of E: a head's queries have d = E / heads entries.",
        ),
        (
            " / (E // heads) ** 0.5",
            "",
            "You do not divide the scores by the root of d.",
        ),
        (
            "(E // heads) ** 0.5",
            "(E // heads)",
            "You divide by d: it is the root of d.",
        ),
        (
            "softmax(-1)",
            "softmax(-2)",
            "Your softmax runs over the queries: a query's weights over the keys sum "
            "to 1.",
        ),
        (
            "softmax(-1)",
            "softmax(1)",
            "Your softmax runs over the heads: it runs over the keys, the last axis.",
        ),
        (
            " @ w_out.T",
            "",
            "You return the heads side by side: w_out comes after that.",
        ),
        (
            "@ w_out.T",
            "@ w_out",
            "You have turned w_out: as in nn.Linear, its rows are outputs, so "
            "y @ w_out.T.",
        ),
        (
            "scores.softmax(-1) @ v",
            "scores.softmax(-1) @ q",
            "You mix the queries: the weights belong to the values.",
        ),
        (
            "scores.softmax(-1) @ v",
            "scores.softmax(-1) @ k",
            "You mix the keys: the weights belong to the values.",
        ),
    ],
)


def _by_head(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    heads, d, *_ = _sizes(generator)
    width = heads * d
    weight = signed(generator, 3 * width, width)
    return (weight, signed(generator, 3 * width), heads), {}


CONVERT = Exercise(
    name="multihead/convert",
    solution="""
        def to_torch(weight, bias, heads):
            weight = weight.unflatten(0, (heads, 3, -1)).transpose(0, 1).flatten(0, 2)
            bias = bias.unflatten(0, (heads, 3, -1)).transpose(0, 1).flatten()
            return weight, bias
    """,
    run=function_run(_by_head, names=("weight", "bias", "heads"), configurations=6),
    mistakes=[
        (
            """
            def to_torch(weight, bias, heads):
                return weight.clone(), bias.clone()
            """,
            "You return the rows in the order they came: bring those of q of all heads "
            "together, then k, then v.",
        ),
        (
            "bias = bias.unflatten(0, (heads, 3, -1)).transpose(0, 1).flatten()\n",
            "bias = bias.clone()\n",
            "The weights are right, the biases as you got them: they need the same "
            "order.",
        ),
        (
            "weight = weight.unflatten(0, (heads, 3, -1)).transpose(0, 1)"
            ".flatten(0, 2)\n",
            "weight = weight.clone()\n",
            "The biases are right, the weights as you got them: they need the same "
            "order.",
        ),
        (
            "(heads, 3, -1)",
            "(3, heads, -1)",
            "You read the rows as (3, heads, d), which is torch's order: the other "
            "library's is (heads, 3, d).",
        ),
        (
            "(heads, 3, -1)).transpose(0, 1)",
            "(heads, -1, 3)).permute(2, 0, 1)",
            "weight.unflatten(0, (heads, -1, 3)).permute(2, 0, 1)",
            "weight.unflatten(0, (heads, -1, 3)).permute(2, 0, 1, 3)",
            "You read the rows as (heads, d, 3), as if q, k and v took turns row by "
            "row: within a head come d rows of q, then of k, then of v.",
        ),
        (
            "(heads, 3, -1)).transpose(0, 1)",
            "(-1, heads, 3)).permute(2, 1, 0)",
            "weight.unflatten(0, (-1, heads, 3)).permute(2, 1, 0)",
            "weight.unflatten(0, (-1, heads, 3)).permute(2, 1, 0, 3)",
            "You read the rows as (d, heads, 3): the head changes most slowly, then q, "
            "k and v, then the d rows.",
        ),
        (
            "return weight, bias",
            "return weight.T, bias",
            "You return the weights turned: in_proj_weight is (3E, E), rows are "
            "outputs.",
        ),
        (
            "return weight, bias",
            "return weight",
            "You return the weights alone: return both, weight and bias.",
        ),
        (
            "return weight, bias",
            "return bias, weight",
            "You return the bias first: return weight, bias.",
        ),
        (
            "return weight, bias",
            "q, k, v = weight.chunk(3)\n    weight = torch.cat([k, q, v])\n"
            "    return weight, bias",
            "Your blocks come in the order k, q, v: torch's is q, k, v.",
        ),
    ],
)


def _groups(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    heads, d, n, queries, keys, shared = _sizes(generator)
    q = signed(generator, n, heads, queries, d)
    k, v = signed(generator, n, shared, keys, d), signed(generator, n, shared, keys, d)
    return tuple(t.requires_grad_() for t in (q, k, v)), {}


SHARE = Exercise(
    name="multihead/share",
    solution="""
        def share(q, k, v):
            q = q.unflatten(1, (k.shape[1], -1))  # (N, key heads, group, L, d)
            scores = q @ k[:, :, None].transpose(-2, -1) / q.shape[-1] ** 0.5
            y = scores.softmax(-1) @ v[:, :, None]
            return y.flatten(1, 2)
    """,
    run=function_run(_groups, names=("q", "k", "v"), configurations=6),
    forbid=("repeat", "scaled_dot_product", "multi_head_attention"),
    mistakes=[
        (
            "(k.shape[1], -1))",
            "(-1, k.shape[1])).transpose(1, 2)",
            "return y.flatten(1, 2)",
            "return y.transpose(1, 2).flatten(1, 2)",
            "Your query heads take the key heads in turn: neighbors share one, so the "
            "axes of q are (key heads, group).",
        ),
        (
            "return y.flatten(1, 2)",
            "return y.transpose(1, 2).flatten(1, 2)",
            "You put the query heads together in another order: join (key heads, "
            "group) as they stand.",
        ),
        (
            "return y.flatten(1, 2)",
            "return y",
            "Your output still has the axis of the group: join it with that of the key "
            "heads.",
        ),
        (
            "return y.flatten(1, 2)",
            "return y.mean(2)",
            "You take the mean over the group: each query head has an output of its "
            "own.",
        ),
        (
            "k[:, :, None]",
            "k[:, :1, None]",
            "v[:, :, None]",
            "v[:, :1, None]",
            "All your query heads use the first key head: each group has its own.",
        ),
        (
            "v[:, :, None]",
            "v[:, :1, None]",
            "Your keys are right, but all groups take the values of the first key "
            "head.",
        ),
        (
            "q = q.unflatten",
            "k, v = k.mean(1, keepdim=True), v.mean(1, keepdim=True)\n"
            "    q = q.unflatten",
            "You average the key heads: each group uses the one it is given.",
        ),
        (
            " / q.shape[-1] ** 0.5",
            "",
            "You do not divide the scores by the root of d.",
        ),
        (
            "q.shape[-1] ** 0.5",
            "q.shape[-1]",
            "You divide by d: it is the root of d.",
        ),
        (
            "q.shape[-1] ** 0.5",
            "k.shape[2] ** 0.5",
            "You divide by the root of the number of keys: it is the root of d.",
        ),
        (
            "q.shape[-1] ** 0.5",
            "(q.shape[-1] * q.shape[2]) ** 0.5",
            "You divide by the root of d times the group: a query has d entries.",
        ),
        (
            "softmax(-1)",
            "softmax(-2)",
            "Your softmax runs over the queries: a query's weights over the keys sum "
            "to 1.",
        ),
        (
            "softmax(-1)",
            "softmax(2)",
            "Your softmax runs over the group: it runs over the keys, the last axis.",
        ),
        (
            "@ v[:, :, None]",
            "@ k[:, :, None]",
            "You mix the keys: the weights belong to the values.",
        ),
        (
            "scores = q @",
            "scores = q.detach() @",
            "The output is right, the gradient is not: do not detach q.",
        ),
    ],
)


def _in_proj(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    heads, d, _, _, _, shared = _sizes(generator)
    return (signed(generator, 3 * heads * d, heads * d), heads, shared), {}


POOL = Exercise(
    name="multihead/pool",
    solution="""
        def pool(weight, heads, key_heads):
            q, k, v = weight.chunk(3)
            d = len(q) // heads
            k = k.reshape(key_heads, -1, d, len(q)).mean(1).reshape(-1, len(q))
            v = v.reshape(key_heads, -1, d, len(q)).mean(1).reshape(-1, len(q))
            return torch.cat([q, k, v])
    """,
    run=function_run(
        _in_proj, names=("weight", "heads", "key_heads"), configurations=6
    ),
    mistakes=[
        (
            "key_heads, -1, d, len(q)).mean(1)",
            "-1, key_heads, d, len(q)).mean(0)",
            "You average heads that lie apart: neighbors form a group, so the rows are "
            "(key heads, group, d).",
        ),
        (
            "key_heads, -1, d, len(q)).mean(1)",
            "key_heads, -1, d, len(q)).sum(1)",
            "You add the heads of a group: the mean is asked for.",
        ),
        (
            "key_heads, -1, d, len(q)).mean(1)",
            "key_heads, -1, d, len(q))[:, 0]",
            "You keep the first head of each group: take the mean of all of them.",
        ),
        (
            "key_heads, -1, d, len(q)).mean(1)",
            "key_heads, d, -1, len(q)).mean(2)",
            "You average neighboring rows: a head's d rows stay apart, and the mean is "
            "over the heads of a group.",
        ),
        (
            "v = v.reshape(key_heads, -1, d, len(q)).mean(1).reshape(-1, len(q))",
            "v = v + 0",
            "You pool the keys alone: the values of a group become one as well.",
        ),
        (
            "k = k.reshape(key_heads, -1, d, len(q)).mean(1).reshape(-1, len(q))",
            "k = k + 0",
            "You pool the values alone: the keys of a group become one as well.",
        ),
        (
            "torch.cat([q, k, v])",
            "torch.cat([q.reshape(key_heads, -1, d, len(q)).mean(1)"
            ".reshape(-1, len(q)), k, v])",
            "You pool the queries as well: each query head keeps its own rows.",
        ),
        (
            "torch.cat([q, k, v])",
            "torch.cat([k, q, v])",
            "Your blocks come in the order k, q, v: q is first.",
        ),
        (
            "torch.cat([q, k, v])",
            "torch.cat([q, v, k])",
            "Your blocks come in the order q, v, k: k is before v.",
        ),
        (
            "weight.chunk(3)",
            "weight.unflatten(0, (heads, 3, -1)).transpose(0, 1).flatten(1, 2)",
            "You read the rows head by head, as in exercise 3: here the first "
            "E are all of q, the next all of k, the last all of v.",
        ),
        (
            "torch.cat([q, k, v])",
            "(q, k, v)",
            "You return three tensors: join them, with torch.cat.",
        ),
        (
            "torch.cat([q, k, v])",
            "torch.cat([q, k, v]).T",
            "You return the matrix turned: rows are outputs, as in in_proj_weight.",
        ),
    ],
)

FAVORITES = Exercise(
    name="multihead/favorites",
    setup="""
        def favorites(d, seed):
            torch.manual_seed(seed)
            keys, queries = torch.randn(16, d), torch.randn(500, d)
            best = (queries @ keys.mT).argmax(1)  # (500,)
            return int(F.one_hot(best, 16).amax(0).sum())
    """,
    solution="""
        wide = [float(favorites(8, seed)) for seed in range(8)]
        thin = [float(favorites(2, seed)) for seed in range(8)]
        difference = torch.tensor(wide) - torch.tensor(thin)
        answer = difference.mean(), difference.std() / 8**0.5
    """,
    run=measure_run("wide", "thin"),
    mistakes=[
        (
            "favorites(2,",
            "favorites(1,",
            "You compare with d = 1, where queries prefer no more than two keys: d = 2 "
            "is asked for.",
        ),
        (
            "favorites(8,",
            "favorites(4,",
            "You take d = 4: the prompt asks for d = 8.",
        ),
        (
            "favorites(2,",
            "favorites(4,",
            "You compare with d = 4: the prompt asks for d = 2.",
        ),
        (
            "favorites(8, seed))",
            "favorites(8, seed)) / 16",
            "favorites(2, seed))",
            "favorites(2, seed)) / 16",
            "You give shares of the 16 keys: a number of keys is asked for.",
        ),
    ],
)

EXERCISES = (COUNT, SELF_ATTENTION, CONVERT, SHARE, POOL, FAVORITES)
