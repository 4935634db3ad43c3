"""Foreign answers to the exercises on attention."""

import math

import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F


@right("beyond/sdpa")
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


@right("beyond/sdpa")
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


@right("beyond/sdpa")
def finite_minimum(q, k, v, mask=None):
    s = q @ k.mT / q.shape[-1] ** 0.5
    if mask is None:
        return s.softmax(-1) @ v
    keep = mask if mask.dtype == torch.bool else mask > -torch.inf
    if mask.dtype != torch.bool:
        s = s + mask.masked_fill(~keep, 0)
    w = s.masked_fill(~keep, torch.finfo(s.dtype).min).softmax(-1)
    return w * keep.any(-1, keepdim=True) @ v


@wrong("beyond/sdpa", "float mask|added|-1e9|large negative")
def filled(q, k, v, mask=None):
    s = q @ k.mT / math.sqrt(q.shape[-1])
    s = s if mask is None else s.masked_fill(mask == 0, -1e9)
    return s.softmax(-1) @ v


@wrong("beyond/sdpa", "float mask|nan|zeros|large negative")
def annotated(query, key, value, mask=None):
    d_k = query.size(-1)
    scores = torch.matmul(query, key.transpose(-2, -1)) / math.sqrt(d_k)
    if mask is not None:
        scores = scores.masked_fill(mask == 0, -1e9)
    p_attn = scores.softmax(dim=-1)
    return torch.matmul(p_attn, value)


@wrong("beyond/sdpa", "nan|keys")
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


@wrong("beyond/sdpa", "zeros|alike|large negative")
def adds_a_large_number(q, k, v, mask=None):
    s = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None and mask.dtype == torch.bool:
        s = s + (~mask) * -1e9
    elif mask is not None:
        s = s + mask.clamp(min=-1e9)
    return s.softmax(-1) @ v


@wrong("beyond/sdpa", "wrong way round|True")
def inverted(q, k, v, mask=None):
    if mask is not None and mask.dtype == torch.bool:
        mask = ~mask
    return repairs_rows(q, k, v, mask)


@wrong("beyond/sdpa", "may not be")
def flash(q, k, v, mask=None):
    return F.scaled_dot_product_attention(q, k, v, mask)


@wrong("beyond/sdpa", "may not be")
def below(q, k, v, mask=None):
    return torch._scaled_dot_product_attention_math(q, k, v, mask)[0]


@wrong("beyond/sdpa", "may not be")
def module(q, k, v, mask=None):
    layer = nn.MultiheadAttention(q.shape[-1], 1)
    return layer(q, k, v)[0]


@wrong("beyond/sdpa", "axes|any|unpack")
def of_four_axes(q, k, v, mask=None):
    n, h, length, d = q.shape
    return repairs_rows(q, k, v, mask)


@wrong("beyond/sdpa", "nan")
def nan_to_num(q, k, v, mask=None):
    s = q @ k.mT / math.sqrt(q.shape[-1])
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else s + mask
    return torch.nan_to_num(s.softmax(-1)) @ v


@wrong("beyond/sdpa", "nan|sum")
def multiplied(q, k, v, mask=None):
    w = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1)
    return (w if mask is None else w * mask) @ v


@right("beyond/translate")
def full_size(attn_mask, key_padding_mask):
    allowed = True
    if attn_mask is not None:
        allowed = attn_mask.logical_not()[None, None]
    if key_padding_mask is not None:
        keys = key_padding_mask.logical_not().unsqueeze(1).unsqueeze(2)
        allowed = keys & allowed
    return allowed


@right("beyond/translate")
def for_each_head(attn_mask, key_padding_mask):
    if key_padding_mask is None:
        return (attn_mask == 0).expand(3, 2, *attn_mask.shape)
    n, s = key_padding_mask.shape
    block = key_padding_mask.view(n, 1, 1, s)
    if attn_mask is not None:
        block = torch.logical_or(block, attn_mask)
    return torch.eq(block, False)


@wrong("beyond/translate", "None|other")
def no_none(attn_mask, key_padding_mask):
    return ~(attn_mask | key_padding_mask[:, None, None])


@wrong("beyond/translate", "bool")
def additive(attn_mask, key_padding_mask):
    keep = full_size(attn_mask, key_padding_mask)
    return torch.zeros(keep.shape).masked_fill(~keep, -torch.inf)


@wrong("beyond/translate", "invert|True")
def not_inverted(attn_mask, key_padding_mask):
    return ~full_size(attn_mask, key_padding_mask)


@wrong("beyond/translate", "both|joined|one of them")
def blocks_only_both(attn_mask, key_padding_mask):
    if attn_mask is None:
        return ~key_padding_mask[:, None, None]
    if key_padding_mask is None:
        return ~attn_mask
    return ~attn_mask | ~key_padding_mask[:, None, None]


@wrong("beyond/translate", "heads|broadcast|axis")
def without_heads(attn_mask, key_padding_mask):
    if key_padding_mask is None:
        return ~attn_mask
    block = key_padding_mask[:, None, :]
    return ~block if attn_mask is None else ~(block | attn_mask)


@right("beyond/parameters")
def by_parts(d_model, nhead, num_layers, dim_feedforward, bias):
    attention = 3 * d_model * d_model + d_model * d_model + bias * 4 * d_model
    feed = 2 * d_model * dim_feedforward + bias * (d_model + dim_feedforward)
    norms = 2 * (1 + bias) * d_model
    return torch.tensor((attention + feed + norms) * num_layers)


@right("beyond/parameters")
def as_float(d_model, nhead, num_layers, dim_feedforward, bias):
    return float(by_parts(d_model, nhead, num_layers, dim_feedforward, bias))


@wrong("beyond/parameters", "may not be")
def builds(d_model, nhead, num_layers, dim_feedforward, bias):
    layer = nn.TransformerEncoderLayer(d_model, nhead, dim_feedforward, bias=bias)
    net = nn.TransformerEncoder(layer, num_layers)
    return sum(math.prod(p.shape) for p in net.parameters())


@wrong("beyond/parameters", "may not be")
def builds_on_meta(d_model, nhead, num_layers, dim_feedforward, bias):
    with torch.device("meta"):
        layer = nn.TransformerEncoderLayer(d_model, nhead, dim_feedforward, bias=bias)
    return num_layers * sum(p.numel() for p in layer.parameters())


@wrong("beyond/parameters", "may not be")
def builds_linear(d_model, nhead, num_layers, dim_feedforward, bias):
    up = nn.Linear(d_model, dim_feedforward, bias)
    return sum(p.numel() for p in up.parameters())


@wrong("beyond/parameters", "bias=False|ignore bias")
def ignores_bias(d_model, nhead, num_layers, dim_feedforward, bias):
    return by_parts(d_model, nhead, num_layers, dim_feedforward, True)


@wrong("beyond/parameters", "heads")
def by_head(d_model, nhead, num_layers, dim_feedforward, bias):
    more = 3 * (nhead - 1) * (d_model**2 + bias * d_model) * num_layers
    return by_parts(d_model, nhead, num_layers, dim_feedforward, bias) + more
