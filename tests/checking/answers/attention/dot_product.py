"""Foreign answers to the exercises on dot-product attention."""

import math

import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F


@right("dot_product/sdpa")
def repairs_rows(q, k, v, mask=None):
    s = torch.einsum("...ld,...sd->...ls", q, k) / math.sqrt(k.size(-1))
    if mask is not None:
        if mask.dtype is torch.bool:
            s = torch.where(mask, s, float("-inf"))
        else:
            s = s + mask
        dead = (s == float("-inf")).all(-1, True)
        s = torch.where(dead, torch.zeros_like(s), s)
        return torch.where(dead, 0.0, F.softmax(s, -1)) @ v
    return F.softmax(s, -1) @ v


@right("dot_product/sdpa")
def shifted_exponentials(q, k, v, mask=None):
    s = q.mul(q.size(-1) ** -0.5) @ k.transpose(-2, -1)
    keep = torch.ones_like(s, dtype=torch.bool)
    if mask is not None and mask.dtype == torch.bool:
        keep = keep & mask
    elif mask is not None:
        keep = keep & ~mask.isneginf()
        s = s + mask.masked_fill(mask.isneginf(), 0)
    top = s.masked_fill(~keep, torch.finfo(s.dtype).min).amax(-1, keepdim=True)
    e = torch.exp((s - top).clamp(max=0)) * keep
    return e / e.sum(-1, keepdim=True).clamp_min(1e-30) @ v


@right("dot_product/sdpa")
def finite_minimum(q, k, v, mask=None):
    s = q @ k.mT / q.shape[-1] ** 0.5
    if mask is None:
        return s.softmax(-1) @ v
    keep = mask if mask.dtype == torch.bool else mask > -torch.inf
    if mask.dtype != torch.bool:
        s = s + mask.masked_fill(~keep, 0)
    w = s.masked_fill(~keep, torch.finfo(s.dtype).min).softmax(-1)
    return w * keep.any(-1, keepdim=True) @ v


@wrong("dot_product/sdpa", "float mask|added|-1e9|large negative")
def filled(q, k, v, mask=None):
    s = q @ k.mT / math.sqrt(q.shape[-1])
    s = s if mask is None else s.masked_fill(mask == 0, -1e9)
    return s.softmax(-1) @ v


@wrong("dot_product/sdpa", "float mask|nan|zeros|large negative")
def annotated(query, key, value, mask=None):
    d_k = query.size(-1)
    scores = torch.matmul(query, key.transpose(-2, -1)) / math.sqrt(d_k)
    if mask is not None:
        scores = scores.masked_fill(mask == 0, -1e9)
    p_attn = scores.softmax(dim=-1)
    return torch.matmul(p_attn, value)


@wrong("dot_product/sdpa", "nan|keys")
def of_the_docs(query, key, value, attn_mask=None):
    L, S = query.size(-2), key.size(-2)
    attn_bias = torch.zeros(L, S, dtype=query.dtype)
    if attn_mask is not None:
        if attn_mask.dtype == torch.bool:
            attn_bias = attn_bias.masked_fill(attn_mask.logical_not(), float("-inf"))
        else:
            attn_bias = attn_mask + attn_bias
    w = query @ key.transpose(-2, -1) / math.sqrt(query.size(-1)) + attn_bias
    return torch.softmax(w, dim=-1) @ value


@wrong("dot_product/sdpa", "zeros|alike|large negative")
def adds_a_large_number(q, k, v, mask=None):
    s = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None and mask.dtype == torch.bool:
        s = s + (~mask) * -1e9
    elif mask is not None:
        s = s + mask.clamp(min=-1e9)
    return s.softmax(-1) @ v


@wrong("dot_product/sdpa", "wrong way round|True")
def inverted(q, k, v, mask=None):
    if mask is not None and mask.dtype == torch.bool:
        mask = ~mask
    return repairs_rows(q, k, v, mask)


@wrong("dot_product/sdpa", "may not be")
def flash(q, k, v, mask=None):
    return F.scaled_dot_product_attention(q, k, v, mask)


@wrong("dot_product/sdpa", "may not be")
def below(q, k, v, mask=None):
    return torch._scaled_dot_product_attention_math(q, k, v, mask)[0]


@wrong("dot_product/sdpa", "may not be")
def module(q, k, v, mask=None):
    layer = nn.MultiheadAttention(q.shape[-1], 1)
    return layer(q, k, v)[0]


@wrong("dot_product/sdpa", "axes|any|unpack")
def of_four_axes(q, k, v, mask=None):
    n, h, length, d = q.shape
    return repairs_rows(q, k, v, mask)


@wrong("dot_product/sdpa", "nan")
def nan_to_num(q, k, v, mask=None):
    s = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else s + mask
    return torch.nan_to_num(s.softmax(-1)) @ v


@wrong("dot_product/sdpa", "nan|sum")
def multiplied(q, k, v, mask=None):
    w = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
    return (w if mask is None else w * mask) @ v


@right("dot_product/translate")
def full_size(attn_mask, key_padding_mask):
    allowed = True
    if attn_mask is not None:
        allowed = attn_mask.logical_not()[None, None]
    if key_padding_mask is not None:
        keys = key_padding_mask.logical_not().unsqueeze(1).unsqueeze(2)
        allowed = keys & allowed
    return allowed


@right("dot_product/translate")
def for_each_head(attn_mask, key_padding_mask):
    if key_padding_mask is None:
        return (attn_mask == 0).expand(3, 2, *attn_mask.shape)
    n, s = key_padding_mask.shape
    block = key_padding_mask.view(n, 1, 1, s)
    if attn_mask is not None:
        block = torch.logical_or(block, attn_mask)
    return torch.eq(block, False)


@wrong("dot_product/translate", "None|other")
def no_none(attn_mask, key_padding_mask):
    return ~(attn_mask | key_padding_mask[:, None, None])


@wrong("dot_product/translate", "bool")
def additive(attn_mask, key_padding_mask):
    keep = full_size(attn_mask, key_padding_mask)
    return torch.zeros(keep.shape).masked_fill(~keep, -torch.inf)


@wrong("dot_product/translate", "invert|True")
def not_inverted(attn_mask, key_padding_mask):
    return ~full_size(attn_mask, key_padding_mask)


@wrong("dot_product/translate", "both|joined|one of them")
def blocks_only_both(attn_mask, key_padding_mask):
    if attn_mask is None:
        return ~key_padding_mask[:, None, None]
    if key_padding_mask is None:
        return ~attn_mask
    return ~attn_mask | ~key_padding_mask[:, None, None]


@wrong("dot_product/translate", "heads|broadcast|axis")
def without_heads(attn_mask, key_padding_mask):
    if key_padding_mask is None:
        return ~attn_mask
    block = key_padding_mask[:, None, :]
    return ~block if attn_mask is None else ~(block | attn_mask)


@right("dot_product/cached")
def last_rows(q, k, v):
    S = k.size(2)
    mask = torch.tril(torch.ones(S, S)).bool()[-q.size(2) :]
    return F.scaled_dot_product_attention(q, k, v, mask)


@right("dot_product/cached")
def compared_places(q, k, v):
    L, S = q.size(-2), k.size(-2)
    place = torch.arange(S - L, S)
    future = torch.arange(S)[None, :] > place[:, None]
    s = (q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))).masked_fill(
        future, float("-inf")
    )
    return s.softmax(-1) @ v


@right("dot_product/cached")
def added_triangle(q, k, v):
    L, S = q.size(-2), k.size(-2)
    bias = torch.full((L, S), float("-inf"), dtype=q.dtype).triu(S - L + 1)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)


@wrong("dot_product/cached", "is_causal|first")
def still_causal(q, k, v):
    mask = torch.ones(q.size(-2), k.size(-2)).tril().bool()
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


@wrong("dot_product/cached", "all keys|later")
def no_mask(q, k, v):
    return F.scaled_dot_product_attention(q, k, v, attn_mask=None, is_causal=False)


@wrong("dot_product/cached", "wrong way round|True")
def of_the_module(q, k, v):
    L, S = q.size(-2), k.size(-2)
    blocked = torch.triu(torch.ones(L, S, dtype=torch.bool), diagonal=S - L + 1)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=blocked)


@wrong("dot_product/cached", "future")
def one_too_many(q, k, v):
    L, S = q.size(-2), k.size(-2)
    mask = torch.arange(S) <= torch.arange(L)[:, None] + S - L + 1
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


@right("dot_product/merge")
def shifted(y1, z1, y2, z2):
    top = torch.maximum(z1, z2)
    a, b = torch.exp(z1 - top), torch.exp(z2 - top)
    return (a.unsqueeze(-1) * y1 + b.unsqueeze(-1) * y2) / (a + b).unsqueeze(-1)


@right("dot_product/merge")
def by_softmax(y1, z1, y2, z2):
    w = torch.softmax(torch.stack([z1, z2], dim=-1), dim=-1)
    return w[..., :1] * y1 + w[..., 1:] * y2


@right("dot_product/merge")
def by_logarithms(y1, z1, y2, z2):
    z = torch.logaddexp(z1, z2)
    return (z1 - z).exp()[..., None] * y1 + (z2 - z).exp()[..., None] * y2


@wrong("dot_product/merge", "overflow")
def plain_sums(y1, z1, y2, z2):
    s1, s2 = torch.exp(z1)[..., None], torch.exp(z2)[..., None]
    return (s1 * y1 + s2 * y2) / (s1 + s2)


@wrong("dot_product/merge", "same share")
def averaged(y1, z1, y2, z2):
    return torch.stack([y1, y2]).mean(0)


@wrong("dot_product/merge", "logarithm")
def by_z(y1, z1, y2, z2):
    w = (z1 / (z1 + z2)).unsqueeze(-1)
    return w * y1 + (1 - w) * y2


right("dot_product/weighed")((10, 7.2))
right("dot_product/weighed")(torch.tensor([10.0, 7.2]))
wrong("dot_product/weighed", "after softmax")([10, 6])
wrong("dot_product/weighed", "score")([10, 10.0])
