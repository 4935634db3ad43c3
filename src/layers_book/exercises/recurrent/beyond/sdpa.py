"""Attention by hand, for a query that may attend to nothing as well."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import Exercise, Mistake, distinct, function_run, signed

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


def _attention(wrong: str = "") -> Any:
    def answer(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Any:
        floating = mask is not None and mask.dtype != torch.bool
        if wrong == "detached":
            q, k = q.detach(), k.detach()
        scale = q.shape[-1] ** 0.5
        scale = {
            "no scale": 1.0,
            "d": float(q.shape[-1]),
            "number of keys": k.shape[-2] ** 0.5,
            "width of v": v.shape[-1] ** 0.5,
        }.get(wrong, scale)
        scores: Tensor = q @ k.mT / scale
        keep = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool)
        if mask is not None and mask.dtype == torch.bool:
            keep = mask if wrong != "polarity" else ~mask
        elif mask is not None:
            keep = mask > -torch.inf
            if wrong == "float before scale":
                scores = scores + mask / scale
            elif wrong not in ("float ignored", "no mask"):
                scores = scores + mask
        if wrong == "mask ignored" or wrong == "no mask":
            keep = torch.ones_like(keep)
        if wrong == "bool added" and mask is not None:
            return (scores if floating else scores + mask).softmax(-1) @ v
        if wrong == "zero score":
            return scores.where(keep, 0.0).softmax(-1) @ v
        if wrong == "after softmax":
            finite = scores.where(scores > -torch.inf, 0.0)
            return (finite.softmax(-1) * keep) @ v
        if wrong == "wrong axis":
            return scores.masked_fill(~keep, -1e9).softmax(-2) @ v
        if not floating or wrong == "float ignored":
            scores = scores.masked_fill(~keep, -torch.inf)
        if wrong == "nan" or (wrong == "finite bool" and floating):
            return scores.softmax(-1) @ v
        if wrong == "nan_to_num":
            return scores.softmax(-1).nan_to_num(0.0) @ v
        if wrong == "nan_to_num output":
            return (scores.softmax(-1) @ v).nan_to_num(0.0)
        if wrong == "finite" or (wrong == "finite bool" and not floating):
            return scores.clamp(min=-1e9).softmax(-1) @ v
        if wrong == "exp":
            e = scores.exp()
            return e / e.sum(-1, keepdim=True).clamp(min=1e-12) @ v
        empty = ~keep.any(-1, keepdim=True)
        weights = scores.masked_fill(empty, 0.0).softmax(-1)
        return weights.masked_fill(empty, 0.0) @ v

    return answer


SDPA = Exercise(
    name="beyond/sdpa",
    reference=lambda q, k, v, mask=None: F.scaled_dot_product_attention(
        q, k, v, attn_mask=mask
    ),
    run=function_run(_attention_args, names=("q", "k", "v", "mask")),
    forbid=("scaled_dot_product", "multi_head_attention"),
    mistakes=(
        Mistake(
            _attention("nan"),
            "A query without keys gives nan: softmax of nothing but -inf is 0 / 0. Its "
            "output must be zeros.",
        ),
        Mistake(
            _attention("nan_to_num"),
            "Your output is right, but with a float mask the gradient is nan: "
            "nan_to_num repairs the numbers after softmax, and the gradient still runs "
            "through its 0 / 0. Give such a row other scores before softmax, say zeros "
            "by masked_fill.",
        ),
        Mistake(
            _attention("nan_to_num output"),
            "Your output is right, but the gradient is nan: nan_to_num repairs the "
            "output, and the gradient still runs through the 0 / 0 of softmax. Give "
            "such a row other scores before softmax, say zeros by masked_fill.",
        ),
        Mistake(
            _attention("finite bool"),
            "A query without keys must give zeros. With a float mask yours gives nan; "
            "with a bool mask a large negative number makes it attend to all keys "
            "alike.",
        ),
        Mistake(
            _attention("finite"),
            "With a large negative number in place of -inf, a query without keys "
            "attends to all of them alike: its output must be zeros.",
        ),
        Mistake(
            _attention("polarity"),
            "Your bool mask is the wrong way round: True means may attend, as in "
            "scaled_dot_product_attention.",
        ),
        Mistake(
            _attention("mask ignored"),
            "You do not use a bool mask: fill the scores with -inf where it is False.",
        ),
        Mistake(_attention("no mask"), "You do not use mask."),
        Mistake(
            _attention("bool added"),
            "You add the bool mask, and True counts as 1: fill the scores with -inf "
            "where it is False.",
        ),
        Mistake(
            _attention("exp"),
            "exp of a large score overflows: subtract the row's maximum first, or call "
            "softmax, which does.",
        ),
        Mistake(
            _attention("float ignored"),
            "A float mask must be added to the scores; you only look where it is -inf "
            "or leave it out.",
        ),
        Mistake(
            _attention("float before scale"),
            "You add the float mask before dividing by the root of d: it is added to "
            "the divided scores.",
        ),
        Mistake(
            _attention("zero score"),
            "You set masked scores to 0, and softmax turns 0 into a weight of its own: "
            "the score must be -inf.",
        ),
        Mistake(
            _attention("after softmax"),
            "You mask after softmax, so the remaining weights no longer sum to 1: mask "
            "the scores before it.",
        ),
        Mistake(
            _attention("no scale"),
            "You do not divide the scores by the root of d.",
        ),
        Mistake(
            _attention("d"),
            "You divide by d; it is the root of d.",
        ),
        Mistake(
            _attention("number of keys"),
            "You divide by the root of the number of keys: d is the last axis of q.",
        ),
        Mistake(
            _attention("width of v"),
            "You divide by the root of the width of v: d is the last axis of q.",
        ),
        Mistake(
            _attention("wrong axis"),
            "Your softmax runs over the queries: each query's weights over its keys "
            "sum to 1, softmax(-1).",
        ),
        Mistake(
            _attention("detached"),
            "The output is right, the gradient is not: do not detach q and k.",
        ),
    ),
)
