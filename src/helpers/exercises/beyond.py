"""Exercises of the page recurrent/beyond."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from helpers._check import (
    CONFIGURATION,
    Case,
    Exercise,
    Mistake,
    Refused,
    call,
    describe,
    distinct,
    function_run,
    signed,
)


def _attention_args(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """In turn no mask, bool and float ones; a row of some may attend to nothing."""
    index = generator.initial_seed()
    n, heads, queries, keys, d, wide = distinct(generator, 6)
    batch = ((n, heads), (n,), ())[index % 3]
    q = signed(generator, *batch, queries, d).requires_grad_()
    k = signed(generator, *batch, keys, d).requires_grad_()
    if index % 4 == 1:  # scores so large that exp overflows in float32
        for x in (q, k):
            x.detach()[..., 0] = (150 * d**0.5) ** 0.5
    v = signed(generator, *batch, keys, wide).requires_grad_()
    kind = ("bool", "float", "none", "bool", "float", "float")[index % 6]
    if kind == "none":
        return (q, k, v), {}
    per_sample = (n, 1) if index >= 6 and index % 3 == 0 else ()
    keep = torch.rand(*per_sample, queries, keys, generator=generator) < 0.6
    keep[..., 0, 0], keep[..., -1, -1] = True, False
    if index % 2:
        keep[..., 1, :] = False
    if kind == "bool":
        return (q, k, v, keep), {}
    bias = torch.randn(keep.shape, generator=generator, dtype=q.dtype)
    return (q, k, v, bias.masked_fill(~keep, -torch.inf)), {}


def _attention(wrong: str = "") -> Any:
    def answer(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Any:
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
            if wrong == "float as bool":
                scores = scores.masked_fill(~keep, -torch.inf)
            elif wrong == "float before scale":
                scores = scores + mask / scale
            elif wrong not in ("float ignored", "no mask"):
                scores = scores + mask
        if wrong == "mask ignored" or wrong == "no mask":
            keep = torch.ones_like(keep)
        if wrong == "zero score":
            return scores.where(keep, 0.0).softmax(-1) @ v
        if wrong == "after softmax":
            finite = scores.where(scores > -torch.inf, 0.0)
            return (finite.softmax(-1) * keep) @ v
        if wrong == "wrong axis":
            return scores.masked_fill(~keep, -1e9).softmax(-2) @ v
        if wrong != "nan_to_num" or (mask is not None and mask.dtype == torch.bool):
            scores = scores.masked_fill(~keep, -torch.inf)
        if wrong == "nan":
            return scores.softmax(-1) @ v
        if wrong == "nan_to_num":
            return scores.softmax(-1).nan_to_num(0.0) @ v
        if wrong == "finite":
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


def _masks(generator: Generator) -> tuple[Tensor | None, Tensor | None]:
    """Masks of MultiheadAttention for 3 samples; one of the two may be missing."""
    index = generator.initial_seed()
    queries = 4 + index % 3
    keys = queries + (0, 2, -1)[index % 3]
    block = torch.rand(queries, keys, generator=generator) < 0.4
    block[1], block[0, 0], block[0, -1] = index % 2 == 0, True, False
    lengths = torch.tensor([keys, max(1, keys - 2), 0 if index % 4 == 1 else 1])
    ignore = torch.arange(keys) >= lengths[:, None]
    which = index % 4
    return None if which == 2 else block, None if which == 3 else ignore


def _translate_run(answer: Any, generator: Generator) -> Iterator[Case]:
    """The mask as attention sees it: for 3 samples and 2 heads, whatever broadcasts."""
    if not callable(answer) or isinstance(answer, type):
        raise Refused("A function is expected: write its name without calling it.")
    attn_mask, padding = _masks(generator)
    named: dict[str, Tensor | None] = {
        "attn_mask": attn_mask,
        "key_padding_mask": padding,
    }
    yield Case(CONFIGURATION, describe(named))
    queries = 5 if attn_mask is None else attn_mask.shape[0]
    keys = padding.shape[1] if attn_mask is None and padding is not None else 0
    keys = keys or (attn_mask.shape[1] if attn_mask is not None else 0)
    given = {k: None if m is None else m.clone() for k, m in named.items()}
    mask = call(answer, *given.values())
    if not isinstance(mask, Tensor):
        raise Refused("Your function must return a tensor.")
    yield Case("the dtype of the mask", str(mask.dtype))
    yield Case("the mask", mask.expand(3, 2, queries, keys))
    yield Case("the inputs after the call", given)


def _translate(wrong: str = "") -> Any:
    def answer(attn_mask: Tensor | None, key_padding_mask: Tensor | None) -> Any:
        a, p = attn_mask, key_padding_mask
        if wrong == "padding ignored" and a is not None:
            p = None
        if wrong == "attn_mask ignored" and p is not None:
            a = None
        if wrong == "transposed" and a is not None:
            a = a.mT if a.shape[0] == a.shape[1] else a.flip(0, 1)
        block = torch.tensor(False)
        if a is not None:
            block = block | a
        if p is not None:
            place = {
                "rows": p[:, None, :, None],
                "no head": p[:, None],
                "first axis": p[None, :, None],
                "bare": p,
            }
            p = place.get(wrong, p[:, None, None])
            if wrong == "and" and a is not None:
                block = block & p
            elif wrong == "not inverted padding" and a is not None:
                return ~block & p
            elif wrong == "xor":
                block = block ^ p
            else:
                block = block | p
        keep = ~block
        if wrong == "polarity":
            return block
        if wrong == "float":
            return torch.zeros(keep.shape).masked_fill(block, -torch.inf)
        if wrong == "number":
            return keep.double()
        if wrong == "rescued":
            return keep | ~keep.any(-1, keepdim=True)
        if wrong == "in place" and attn_mask is not None:
            attn_mask.logical_not_()
        return keep

    return answer


TRANSLATE = Exercise(
    name="beyond/translate",
    reference=_translate(),
    run=_translate_run,
    mistakes=(
        Mistake(
            _translate("polarity"),
            "Your mask is still the module's: for the function True means attend, so "
            "invert it.",
        ),
        Mistake(
            _translate("and"),
            "You block a pair only if both masks do: one of them is enough, so join "
            "them by | before inverting, or by & after it.",
        ),
        Mistake(
            _translate("not inverted padding"),
            "You invert attn_mask but not key_padding_mask: True means block in both.",
        ),
        Mistake(
            _translate("xor"),
            "A pair that both masks block must stay blocked: join them by |.",
        ),
        Mistake(
            _translate("rows"),
            "You spread the padding over the queries: its axis of keys must come last, "
            "key_padding_mask[:, None, None, :].",
        ),
        Mistake(
            _translate("no head"),
            "Your mask lacks the axis of heads: (N, L, S) lines up as (heads, L, S). "
            "Make the padding (N, 1, 1, S).",
        ),
        Mistake(
            _translate("first axis"),
            "Samples and heads have changed places: the padding is (N, 1, 1, S).",
        ),
        Mistake(
            _translate("bare"),
            "key_padding_mask is (N, S) and lines up as (L, S): make it (N, 1, 1, S).",
        ),
        Mistake(
            _translate("padding ignored"),
            "You ignore key_padding_mask where there is an attn_mask: both block.",
        ),
        Mistake(
            _translate("attn_mask ignored"),
            "You ignore attn_mask where there is a key_padding_mask: both block.",
        ),
        Mistake(
            _translate("transposed"),
            "You have turned attn_mask: rows are queries in the function as well.",
        ),
        Mistake(
            _translate("float"),
            "That mask is right as numbers to add; a bool mask is asked for.",
        ),
        Mistake(
            _translate("number"),
            "Your mask holds numbers 0 and 1, which the function would add to the "
            "scores: return a bool tensor.",
        ),
        Mistake(
            _translate("rescued"),
            "You let a query without keys attend to all of them: its row must stay "
            "False throughout.",
        ),
        Mistake(
            _translate("in place"),
            "You change the reader's attn_mask in place: make a new tensor.",
        ),
    ),
)


def _encoder_args(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    a, b, c, _ = distinct(generator, 4)
    heads, size, layers = a, b, c
    feed = (2048, 16, 24, 40)[index % 4]
    bias = index % 3 != 1
    return (heads * size, heads, layers, feed, bias), {}


def _encoder(d: int, heads: int, layers: int, feed: int, bias: bool) -> int:
    """Counted on torch's own encoder, on the meta device."""
    with torch.device("meta"):
        layer = torch.nn.TransformerEncoderLayer(d, heads, feed, bias=bias)
        encoder = torch.nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
    return sum(p.numel() for p in encoder.parameters())


def _count(wrong: str = "") -> Any:
    def answer(d: int, heads: int, layers: int, feed: int, bias: bool) -> Any:
        b = int(bias)
        attention, linear = 4 * d * d + 4 * d * b, 2 * d * feed + (feed + d) * b
        norms = 2 * (d + d * b)
        if wrong == "always bias":
            attention, linear, norms = 4 * d * d + 4 * d, 2 * d * feed + feed + d, 4 * d
        elif wrong == "norm bias":
            norms = 4 * d
        elif wrong == "no bias":
            attention, linear, norms = 4 * d * d, 2 * d * feed, 2 * d
        elif wrong == "heads":
            attention = heads * 3 * (d * d + d * b) + d * d + d * b
        elif wrong == "no out_proj":
            attention = 3 * (d * d + d * b)
        elif wrong == "small heads":
            attention = 4 * (d * d // heads + d // heads * b)
        elif wrong == "one bias":
            attention = 4 * d * d + d * b
        elif wrong == "one norm":
            norms //= 2
        elif wrong == "no norm":
            norms = 0
        elif wrong == "2048":
            linear = 2 * d * 2048 + (2048 + d) * b
        elif wrong == "4 d":
            linear = 2 * d * 4 * d + (4 * d + d) * b
        elif wrong == "one linear":
            linear = d * feed + feed * b
        elif wrong == "same biases":
            linear = 2 * d * feed + 2 * feed * b
        total = attention + linear + norms
        if wrong == "one layer":
            return total
        if wrong == "final norm":
            return layers * total + d + d * b
        return float(layers * total) if wrong == "float" else layers * total

    return answer


PARAMETERS = Exercise(
    name="beyond/parameters",
    reference=_encoder,
    run=function_run(
        _encoder_args,
        names=("d_model", "nhead", "num_layers", "dim_feedforward", "bias"),
        float32=False,
    ),
    forbid=("numel",),
    mistakes=(
        Mistake(_count("one layer"), "You count one layer: there are num_layers."),
        Mistake(
            _count("heads"),
            "You give each head projections of full width: the heads share d_model, so "
            "their number does not count.",
        ),
        Mistake(
            _count("small heads"),
            "You count one head: all of them together have four d_model by d_model "
            "matrices.",
        ),
        Mistake(
            _count("no out_proj"),
            "You count three projections: out_proj is the fourth.",
        ),
        Mistake(
            _count("one bias"),
            "The attention has four biases: in_proj_bias holds three of them.",
        ),
        Mistake(
            _count("always bias"),
            "You ignore bias=False.",
        ),
        Mistake(
            _count("norm bias"),
            "With bias=False the two LayerNorms lose their bias as well.",
        ),
        Mistake(
            _count("no bias"),
            "You count no biases, or only the weights, where bias is True.",
        ),
        Mistake(_count("one norm"), "An encoder layer has two LayerNorms."),
        Mistake(
            _count("no norm"),
            "The two LayerNorms have parameters too: a weight and a bias each.",
        ),
        Mistake(
            _count("final norm"),
            "You count a final LayerNorm: an encoder has none unless norm= is passed.",
        ),
        Mistake(
            _count("2048"),
            "2048 is the default of dim_feedforward: use the argument.",
        ),
        Mistake(
            _count("4 d"),
            "The inner width is dim_feedforward, not four times d_model.",
        ),
        Mistake(
            _count("one linear"),
            "There are two Linear layers, up to dim_feedforward and back.",
        ),
        Mistake(
            _count("same biases"),
            "The second Linear has d_model outputs, and as many biases.",
        ),
        Mistake(_count("float"), "Right, but a float: count with // or * only."),
    ),
)

EXERCISES = (SDPA, TRANSLATE, PARAMETERS)
