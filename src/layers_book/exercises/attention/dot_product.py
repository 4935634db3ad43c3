"""Exercises of the page attention/dot_product."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Case,
    Exercise,
    Refused,
    call,
    custom_run,
    describe,
    distinct,
    function_run,
    measure_run,
    refuse_no_function,
    signed,
    value_run,
)

WEIGHED = Exercise(
    name="dot_product/weighed",
    solution="""
        answer = [(4 * 6 + 12 + 24) / 6, (4 * 6 + 12) / 5]
    """,
    run=value_run(),
    mistakes=[
        (
            [10.0, 6.0],
            "You mask after softmax: the two weights that are left sum to 5/6. Without "
            "the third key softmax divides by 4 + 1.",
        ),
        (
            [10.0, 10.0],
            "You set the masked score to 0, and e to the 0 is 1: the third key keeps "
            "its weight. Its score must be -inf.",
        ),
        (
            [14.0, 9.0],
            "You give plain means of the values: weigh them by e to the score, 4 to 1 "
            "to 1.",
        ),
        (
            [10.0, 9.0],
            "With the mask you give the plain mean of two values: their weights are "
            "still 4 to 1.",
        ),
        (
            [20.0, 18.0],
            "You divide by the number of keys: divide by the sum of the weights, which "
            "are e to the scores.",
        ),
        (
            [6.0, 6.0],
            "You give the value of the best key: attention mixes, it does not choose.",
        ),
        (
            [60.0, 36.0],
            "You add the weighed values without dividing: the weights must sum to 1.",
        ),
        (
            [7.2, 10.0],
            "You have the two in the other order: without the mask first.",
        ),
        (
            10.0,
            "That is the output without the mask; the one with it is asked for, too.",
        ),
        (
            [10.0, 16.0],
            "You leave the first key out: in a causal mask the second query sees the "
            "first two.",
        ),
        (
            [[4 / 6, 1 / 6, 1 / 6], [4 / 5, 1 / 5, 0]],
            "Those are the weights, and they are right: give the outputs, the values "
            "weighed by them.",
        ),
    ],
)

# For each configuration: the kind of mask, q's axes before L, the mask's axes before S
# (n samples, h heads, L queries), whether queries without keys, and large scores.
_KINDS = (
    ("bool", "nh", "L", False, False),
    ("float", "n", "L", True, True),
    ("none", "", "", False, False),
    ("bool", "nh", "L", True, False),
    ("float", "n", "nL", False, False),
    ("float", "", "L", True, True),
    ("bool", "nh", "n1L", False, False),
    ("float", "nh", "n1L", True, False),
    ("none", "n", "", False, True),
    ("bool", "nh", "n11", True, False),
    ("float", "nh", "1", False, False),
    ("bool", "nh", "nhL", True, True),
)


def _attention_args(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Kinds of mask in turn; a query attends to nothing only where asked for."""
    kind, before, axes, empty, large = _KINDS[generator.initial_seed() % len(_KINDS)]
    n, heads, queries, keys, d, wide = distinct(generator, 6)
    size = {"n": n, "h": heads, "L": queries, "1": 1}
    batch = [size[axis] for axis in before]
    q = signed(generator, *batch, queries, d).requires_grad_()
    k = signed(generator, *batch, keys, d).requires_grad_()
    if large:  # exp overflows in float32, or leaves nothing
        for x in (q, k):
            x.detach()[..., 0] = (150 * d**0.5) ** 0.5
        k.detach()[..., 1::2, 0] *= -1
    v = signed(generator, *batch, keys, wide).requires_grad_()
    if kind == "none":
        return (q, k, v), {}
    shape = [size[axis] for axis in axes]
    keep = torch.rand(*shape, keys, generator=generator) < 0.6
    row = torch.arange(shape[-1])
    keep[..., row, row % keys], keep[..., row, (row + 1) % keys] = True, False
    if empty:
        keep.view(-1, keys)[1::3] = False
    if kind == "bool":
        return (q, k, v, keep), {}
    bias = torch.randn(keep.shape, generator=generator, dtype=q.dtype)
    return (q, k, v, bias.masked_fill(~keep, -torch.inf)), {}


def masked(*end: str, fill: str = "-torch.inf") -> str:
    """An attention that only masks its scores, and how it goes on."""
    start = f"""
def attention(q, k, v, mask=None):
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None and mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask, {fill})
    elif mask is not None:
        scores = scores + mask
"""
    return start + "".join(f"    {line}\n" for line in end)


SDPA = Exercise(
    name="dot_product/sdpa",
    solution="""
    def attention(q, k, v, mask=None):
        scores = q @ k.mT / q.shape[-1] ** 0.5
        if mask is None:
            return scores.softmax(-1) @ v
        if mask.dtype == torch.bool:
            mask = torch.zeros_like(mask, dtype=q.dtype).masked_fill(~mask, -torch.inf)
        empty = (mask == -torch.inf).all(-1, keepdim=True)
        weights = (scores + mask).masked_fill(empty, 0.0).softmax(-1)
        return weights.masked_fill(empty, 0.0) @ v
    """,
    reference=lambda q, k, v, mask=None: F.scaled_dot_product_attention(
        q, k, v, attn_mask=mask
    ),
    run=function_run(_attention_args, names=("q", "k", "v", "mask")),
    forbid=("scaled_dot_product", "multi_head_attention"),
    mistakes=[
        (
            masked("return scores.softmax(-1) @ v"),
            "A query without keys gives nan: softmax of nothing but -inf is 0 / 0. Its "
            "output must be zeros.",
        ),
        (
            masked("return scores.softmax(-1).nan_to_num(0.0) @ v"),
            "Your output is right, but with a float mask the gradient is nan: "
            "nan_to_num repairs the numbers after softmax, and the gradient still runs "
            "through its 0 / 0. Give such a row other scores before softmax, say zeros "
            "by masked_fill.",
        ),
        (
            masked("return (scores.softmax(-1) @ v).nan_to_num(0.0)"),
            "Your output is right, but the gradient is nan: nan_to_num repairs the "
            "output, and the gradient still runs through the 0 / 0 of softmax. Give "
            "such a row other scores before softmax, say zeros by masked_fill.",
        ),
        (
            masked("return scores.softmax(-1) @ v", fill="-1e9"),
            "A query without keys must give zeros. With a float mask yours gives nan; "
            "with a bool mask a large negative number makes it attend to all keys "
            "alike.",
        ),
        (
            "(scores + mask).masked_fill(empty, 0.0)",
            "(scores + mask).clamp(min=-1e9)",
            "weights.masked_fill(empty, 0.0)",
            "weights",
            "With a large negative number in place of -inf, a query without keys "
            "attends to all of them alike: its output must be zeros.",
        ),
        (
            """
            def attention(q, k, v, mask=None):
                scores = q @ k.mT / q.shape[-1] ** 0.5
                if mask is not None:
                    scores = scores.masked_fill(mask == 0, -1e9)
                return scores.softmax(-1) @ v
            """,
            "You take a float mask for one of 0 and 1: it is added to the divided "
            "scores. And with a large negative number, a query without keys attends to "
            "all of them alike: its output must be zeros.",
        ),
        (
            "(scores + mask).masked_fill(empty, 0.0)",
            "(scores + mask.clamp(min=-1e9))",
            "weights.masked_fill(empty, 0.0)",
            "weights",
            "You add a large negative number in place of -inf, so a query without keys "
            "still attends to them: its output must be zeros.",
        ),
        (
            "~mask",
            "mask",
            "Your bool mask is the wrong way round: True means may attend, as in "
            "scaled_dot_product_attention.",
        ),
        (
            ".masked_fill(~mask, -torch.inf)",
            "",
            ".masked_fill(empty, 0.0)",
            "",
            "You do not use a bool mask: fill the scores with -inf where it is False.",
        ),
        (
            """
            def attention(q, k, v, mask=None):
                return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v
            """,
            "You do not use mask.",
        ),
        (
            """
            def attention(q, k, v, mask=None):
                scores = q @ k.mT / q.shape[-1] ** 0.5
                return (scores if mask is None else scores + mask).softmax(-1) @ v
            """,
            "You add the bool mask, and True counts as 1: fill the scores with -inf "
            "where it is False.",
        ),
        (
            masked(
                "e = scores.exp()",
                "return e / e.sum(-1, keepdim=True).clamp(min=1e-12) @ v",
            ),
            "exp of a large score overflows: subtract the row's maximum first, or call "
            "softmax, which does.",
        ),
        (
            "(scores + mask)",
            "scores.masked_fill(mask == -torch.inf, -torch.inf)",
            "A float mask must be added to the scores; you only look where it is -inf "
            "or leave it out.",
        ),
        (
            "scores + mask",
            "scores + mask / q.shape[-1] ** 0.5",
            "You add the float mask before dividing by the root of d: it is added to "
            "the divided scores.",
        ),
        (
            "fill(empty, 0.0).softmax",
            "fill(mask == -torch.inf, 0.0).softmax",
            "weights.masked_fill(empty, 0.0)",
            "weights",
            "You set masked scores to 0, and softmax turns 0 into a weight of its own: "
            "the score must be -inf.",
        ),
        (
            "mask = torch.zeros_like(mask, dtype=q.dtype).masked_fill(~mask, "
            "-torch.inf)",
            "return scores.softmax(-1) * mask @ v",
            "fill(empty, 0.0).softmax",
            "fill(mask == -torch.inf, 0.0).softmax",
            "weights.masked_fill(empty, 0.0)",
            "weights * (mask > -torch.inf)",
            "You mask after softmax, so the remaining weights no longer sum to 1: mask "
            "the scores before it.",
        ),
        (" / q.shape[-1] ** 0.5", "", "You do not divide the scores by the root of d."),
        (" ** 0.5", "", "You divide by d; it is the root of d."),
        (
            "q.shape[-1]",
            "k.shape[-2]",
            "You divide by the root of the number of keys: d is the last axis of q.",
        ),
        (
            "q.shape[-1]",
            "v.shape[-1]",
            "You divide by the root of the width of v: d is the last axis of q.",
        ),
        (
            "fill(empty, 0.0).softmax",
            "fill(mask == -torch.inf, -1e9).softmax",
            "weights.masked_fill(empty, 0.0)",
            "weights",
            "softmax(-1)",
            "softmax(-2)",
            "Your softmax runs over the queries: each query's weights over its keys "
            "sum to 1, softmax(-1).",
        ),
        (
            "q @ k.mT",
            "q.detach() @ k.detach().mT",
            "The output is right, the gradient is not: do not detach q and k.",
        ),
    ],
)


def _masks(generator: Generator) -> dict[str, Any]:
    """Masks of MultiheadAttention for 3 samples; one of the two may be missing."""
    index = generator.initial_seed()
    queries = 4 + index % 3
    keys = queries + (0, 2, -1)[index % 3]
    block = torch.rand(queries, keys, generator=generator) < 0.4
    block[1], block[0, 0], block[0, -1] = index % 2 == 0, True, False
    lengths = torch.tensor([keys, max(1, keys - 2), 0 if index % 4 == 1 else 1])
    ignore = torch.arange(keys) >= lengths[:, None]
    which = index % 4
    return {
        "attn_mask": None if which == 2 else block,
        "key_padding_mask": None if which == 3 else ignore,
    }


def _seen(answer: Any, **masks: Tensor | None) -> Iterator[Case | tuple[str, Any]]:
    """The mask as attention sees it: for 3 samples and 2 heads, whatever broadcasts."""
    refuse_no_function(answer)
    # in a page they may come in another order
    masks = {name: masks[name] for name in ("attn_mask", "key_padding_mask")}
    yield "configuration", describe(masks)
    given = {name: None if m is None else m.clone() for name, m in masks.items()}
    mask = call(answer, *given.values())
    if not isinstance(mask, Tensor):
        raise Refused("Your function must return a tensor.")
    yield "the dtype of the mask", str(mask.dtype)
    queries = 5 if masks["attn_mask"] is None else masks["attn_mask"].shape[0]
    keys = next(m.shape[-1] for m in masks.values() if m is not None)
    try:
        seen = mask.expand(3, 2, queries, keys)
    except RuntimeError:
        raise Refused(
            f"Your mask has shape {tuple(mask.shape)}, which does not broadcast to (N, "
            f"heads, L, S) = {(3, 2, queries, keys)}."
        ) from None
    yield "the mask", seen
    yield Case("inputs", "", "", given)


TRANSLATE = Exercise(
    name="dot_product/translate",
    solution="""
        def translate(attn_mask, key_padding_mask):
            if key_padding_mask is None:
                return ~attn_mask
            block = key_padding_mask[:, None, None, :]
            return ~block if attn_mask is None else ~(block | attn_mask)
    """,
    run=custom_run(_seen, _masks),
    mistakes=[
        (
            "~",
            "",
            "Your mask is still the module's: for the function True means attend, so "
            "invert it.",
        ),
        (
            "|",
            "&",
            "You block a pair only if both masks do: one of them is enough, so join "
            "them by | before inverting, or by & after it.",
        ),
        (
            "~(block | attn_mask)",
            "block & ~attn_mask",
            "You invert attn_mask but not key_padding_mask: True means block in both.",
        ),
        ("|", "^", "A pair that both masks block must stay blocked: join them by |."),
        (
            "[:, None, None, :]",
            "[:, None, :, None]",
            "You spread the padding over the queries: its axis of keys must come last, "
            "key_padding_mask[:, None, None, :].",
        ),
        (
            "[:, None, None, :]",
            "[:, None, :]",
            "Your mask lacks the axis of heads: (N, L, S) lines up as (heads, L, S). "
            "Make the padding (N, 1, 1, S).",
        ),
        (
            "[:, None, None, :]",
            "[None, :, None, :]",
            "Samples and heads have changed places: the padding is (N, 1, 1, S).",
        ),
        (
            "[:, None, None, :]",
            "",
            "key_padding_mask is (N, S) and lines up as (L, S): make it (N, 1, 1, S).",
        ),
        (
            "~(block | attn_mask)",
            "~attn_mask",
            "You ignore key_padding_mask where there is an attn_mask: both block.",
        ),
        (
            "~block if attn_mask is None else ~(block | attn_mask)",
            "~block",
            "You ignore attn_mask where there is a key_padding_mask: both block.",
        ),
        (
            "~attn_mask",
            "~attn_mask.mT",
            "| attn_mask",
            "| attn_mask.mT",
            "You have turned attn_mask: rows are queries in the function as well.",
        ),
        (
            "~attn_mask",
            "torch.where(attn_mask, -torch.inf, 0.0)",
            "~block",
            "torch.where(block, -torch.inf, 0.0)",
            "~(block | attn_mask)",
            "torch.where(block | attn_mask, -torch.inf, 0.0)",
            "That mask is right as numbers to add; a bool mask is asked for.",
        ),
        (
            "~attn_mask",
            "(~attn_mask).double()",
            "~block",
            "(~block).double()",
            "~(block | attn_mask)",
            "(~(block | attn_mask)).double()",
            "Your mask holds numbers 0 and 1, which the function would add to the "
            "scores: return a bool tensor.",
        ),
        (
            """
            def translate(attn_mask, key_padding_mask):
                block = torch.tensor(False)
                if attn_mask is not None:
                    block = block | attn_mask
                if key_padding_mask is not None:
                    block = block | key_padding_mask[:, None, None, :]
                return ~block | block.all(-1, keepdim=True)
            """,
            "You let a query without keys attend to all of them: its row must stay "
            "False throughout.",
        ),
        (
            "    block",
            "    some = ~key_padding_mask.all(-1, keepdim=True)\n    block",
            "[:, None, None, :]",
            "[:, None, None, :] & some[:, None, None, :]",
            "You let a sample that is all padding attend after all: its rows must stay "
            "False throughout.",
        ),
        (
            """
            def translate(attn_mask, key_padding_mask):
                return ~(attn_mask | key_padding_mask[:, None, None, :])
            """,
            "Either mask may be None: then only the other one blocks.",
        ),
        (
            "~(block | attn_mask)",
            "~block & ~attn_mask",
            "~attn_mask",
            "attn_mask.logical_not_()",
            "You change the reader's attn_mask in place: make a new tensor.",
        ),
    ],
)


def _cached(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The last L of S queries; all of them, and a single one, now and then."""
    index = generator.initial_seed()
    n, queries, more, d = distinct(generator, 4)
    queries = (queries, 1, queries)[index % 3]
    keys = queries + (more, more, 0)[index % 3]
    shapes = [(n, 2, queries, d), (n, 2, keys, d), (n, 2, keys, d)]
    return tuple(signed(generator, *s).requires_grad_() for s in shapes), {}


CACHED = Exercise(
    name="dot_product/cached",
    solution="""
        def attend_last(q, k, v):
            L, S = q.shape[-2], k.shape[-2]
            keep = torch.ones(L, S, dtype=torch.bool).tril(S - L)
            return F.scaled_dot_product_attention(q, k, v, attn_mask=keep)
    """,
    run=function_run(_cached, names=("q", "k", "v"), configurations=6),
    mistakes=[
        (
            "attn_mask=keep",
            "is_causal=True",
            "Your first query sees the first key alone, your second the first two: "
            "is_causal counts queries and keys from the start. These queries are the "
            "last: build a mask whose triangle ends in the last corner.",
        ),
        (
            ", attn_mask=keep",
            "",
            "All your queries see all keys: right for the last one only; those before "
            "it must not see what comes later.",
        ),
        (
            "S - L)",
            "S - L - 1)",
            "Your queries do not see their own key, the one at the same place: the "
            "diagonal belongs to the mask.",
        ),
        (
            "S - L)",
            "S - L + 1)",
            "Each of your queries sees one key of the future: the triangle lies one "
            "diagonal too high.",
        ),
        (
            "S - L)",
            "L - S)",
            "Your triangle is moved down instead of up: its first queries see nothing.",
        ),
        (
            "attn_mask=keep",
            "attn_mask=~keep",
            "Your mask is the wrong way round: for this function True means may "
            "attend.",
        ),
        (
            "attn_mask=keep",
            "attn_mask=keep.to(q.dtype)",
            "Your mask holds the numbers 0 and 1, which are added to the scores: keep "
            "it bool, or use 0 and -inf.",
        ),
        (
            "tril(S - L)",
            "triu(S - L)",
            "Your queries see their own key and what comes later: the past is the "
            "lower triangle, tril.",
        ),
        (
            "q, k, v, attn_mask=keep",
            "q, k[..., -L:, :], v[..., -L:, :], is_causal=True",
            "You throw the older keys away: a query may see all that came before it.",
        ),
        (
            "torch.ones(L, S, dtype=torch.bool).tril(S - L)",
            "(torch.arange(S) <= S - L).expand(L, S)",
            "All your queries see the keys that the first may see: each next one sees "
            "one more.",
        ),
    ],
)

SCALE = Exercise(
    name="dot_product/scale",
    setup="""
        def scores(d, scale, seed):
            torch.manual_seed(seed)
            q = torch.randn(200, 1, d).double()  # 200 queries, each with 16 keys
            k = torch.randn(200, 16, d).double()
            return (q @ k.mT)[:, 0] / scale  # (200, 16)
    """,
    solution="""
        def favorite(d, scale, seed):
            return scores(d, scale, seed).softmax(-1).amax(-1).mean()

        raw = [favorite(64, 1, seed) for seed in range(8)]
        divided = [favorite(64, 8, seed) for seed in range(8)]
        difference = torch.tensor(raw) - torch.tensor(divided)
        answer = difference.mean(), difference.std() / 8**0.5
    """,
    run=measure_run("raw", "divided"),
    mistakes=[
        (
            "favorite(64, 8",
            "favorite(64, 64",
            "You divide by d: by its root, 8, is asked for.",
        ),
        (
            "favorite(64, 1",
            "favorite(16, 1",
            "favorite(64, 8",
            "favorite(16, 4",
            "You have taken d = 16: 64 is asked for.",
        ),
        (
            ".amax(-1).mean()",
            ".amax()",
            "You take the largest weight of all 200 queries: take each query's largest "
            "and their mean.",
        ),
        (
            ".softmax(-1).amax(-1)",
            ".amax(-1)",
            "You compare scores: take softmax of them first.",
        ),
        (
            ".softmax(-1).amax(-1)",
            ".softmax(0).amax(0)",
            "Your softmax runs over the queries: each query's weights over its keys "
            "sum to 1, softmax(-1).",
        ),
        (
            ".amax(-1).mean()",
            ".std()",
            "You measure how far the weights spread: each query's largest weight is "
            "asked for.",
        ),
    ],
)


def _halves(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Two halves' outputs and logarithms: large ones, and halves without a key."""
    index = generator.initial_seed()
    n, queries, d, _ = distinct(generator, 4)
    size = queries if index % 2 else d  # sometimes square, so that axes are told apart
    y1, y2 = (signed(generator, n, queries, size) for _ in range(2))
    z1, z2 = (signed(generator, n, queries) for _ in range(2))
    if index % 3 == 1:
        z1, z2 = z1 + 800.0, z2 + 800.0
    if index % 3 == 2:
        z1[0, 0], z2[0, 1] = -torch.inf, -torch.inf
        y1[0, 0], y2[0, 1] = 0.0, 0.0
    return (y1, z1, y2, z2), {}


MERGE = Exercise(
    name="dot_product/merge",
    solution="""
        def merge(y1, z1, y2, z2):
            share = torch.sigmoid(z1 - z2)[..., None]
            return share * y1 + (1 - share) * y2
    """,
    run=function_run(_halves, names=("y1", "z1", "y2", "z2"), configurations=6),
    mistakes=[
        (
            "share * y1 + (1 - share) * y2",
            "(y1 + y2) / 2",
            "You give both halves the same share: the half whose scores are larger "
            "counts more.",
        ),
        (
            "share * y1 + (1 - share) * y2",
            "y1 + y2",
            "You add two means: the shares of the halves must sum to 1.",
        ),
        (
            "torch.sigmoid(z1 - z2)[..., None]",
            "(z1 / (z1 + z2))[..., None]",
            "You take z for the sum: it is the sum's logarithm, so compare e to the z.",
        ),
        (
            "z1 - z2",
            "z2 - z1",
            "You give each half the other's share: the larger z1 is, the more y1 "
            "counts.",
        ),
        (
            "share * y1 + (1 - share) * y2",
            "torch.where(share > 0.5, y1, y2)",
            "You keep the larger half alone: both count, by their shares.",
        ),
        (
            "torch.sigmoid(z1 - z2)[..., None]",
            "(z1.exp() / (z1.exp() + z2.exp()))[..., None]",
            "exp of a large logarithm overflows: only z1 - z2 counts, take the larger "
            "one off both, or use sigmoid.",
        ),
        (
            "torch.sigmoid(z1 - z2)[..., None]",
            "torch.stack([z1, z2]).softmax(-1)[0][..., None]",
            "Your softmax runs over the queries: each query compares its own two "
            "halves, softmax(0).",
        ),
        (
            "return share * y1 + (1 - share) * y2",
            "w1, w2 = z1.exp()[..., None], z2.exp()[..., None]\n"
            "    return w1 * y1 + w2 * y2",
            "You weigh by the sums and do not divide: the shares must sum to 1.",
        ),
        (
            "torch.sigmoid(z1 - z2)[..., None]",
            "torch.sigmoid(z1 - z2)[..., None, :]",
            "Your shares lie along the features: each query has one share, so add an "
            "axis at the end, [..., None].",
        ),
    ],
)

EXERCISES = (WEIGHED, TRANSLATE, CACHED, SCALE, SDPA, MERGE)
