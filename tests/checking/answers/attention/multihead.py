"""Foreign answers to the exercises on multi-head attention."""

import torch
from answers import right, wrong
from torch.nn import functional as F

right("multihead/count")((4224, 4224, 2688, 4288))
right("multihead/count")(torch.tensor([4224, 4224, 2688, 4288]))
wrong("multihead/count", "biases")([4096, 4096, 2560, 4160])
wrong("multihead/count", "kdim")([4224, 4224, 4224, 4288])
wrong("multihead/count", "add_bias_kv")([4224, 4224, 2688, 4224])


@right("multihead/self_attention")
def by_einsum(x, w_in, w_out, heads):
    w_q, w_k, w_v = w_in.view(3, heads, -1, x.shape[-1])
    q, k, v = (torch.einsum("nle,hde->nhld", x, w) for w in (w_q, w_k, w_v))
    weights = (torch.einsum("nhld,nhsd->nhls", q, k) / q.shape[-1] ** 0.5).softmax(-1)
    y = torch.einsum("nhls,nhsd->nlhd", weights, v)
    return F.linear(y.flatten(2), w_out)


@right("multihead/self_attention")
def head_by_head(x, w_in, w_out, heads):
    q, k, v = F.linear(x, w_in).chunk(3, -1)
    outputs = []
    for a, b, c in zip(*(t.chunk(heads, -1) for t in (q, k, v)), strict=True):
        outputs.append(torch.softmax(a @ b.mT / a.shape[-1] ** 0.5, -1) @ c)
    return torch.cat(outputs, -1) @ w_out.mT


@wrong("multihead/self_attention", "mixes tokens|swapping")
def viewed(x, w_in, w_out, heads):
    n, length, width = x.shape
    q, k, v = (t.contiguous() for t in (x @ w_in.T).chunk(3, -1))
    q, k, v = (t.view(n, heads, length, width // heads) for t in (q, k, v))
    y = (q @ k.mT / (width // heads) ** 0.5).softmax(-1) @ v
    return y.transpose(1, 2).flatten(2) @ w_out.T


@right("multihead/convert")
def by_index(weight, bias, heads):
    d = len(weight) // (3 * heads)
    rows = [
        h * 3 * d + part * d + i
        for part in range(3)
        for h in range(heads)
        for i in range(d)
    ]
    return weight[rows], bias[rows]


@right("multihead/convert")
def by_chunks(weight, bias, heads):
    def moved(p):
        blocks = p.chunk(3 * heads)
        return torch.cat([b for part in range(3) for b in blocks[part::3]])

    return moved(weight), moved(bias)


@wrong("multihead/convert", "order")
def as_it_came(weight, bias, heads):
    return weight.clone(), bias.clone()


@right("multihead/share")
def group_by_group(q, k, v):
    group = q.shape[1] // k.shape[1]
    outputs = []
    for h in range(q.shape[1]):
        key, value = k[:, h // group], v[:, h // group]
        scores = q[:, h] @ key.mT / q.shape[-1] ** 0.5
        outputs.append(scores.softmax(-1) @ value)
    return torch.stack(outputs, 1)


@wrong("multihead/share", "in turn|neighbors")
def in_turn(q, k, v):
    outputs = []
    for h in range(q.shape[1]):
        key, value = k[:, h % k.shape[1]], v[:, h % k.shape[1]]
        outputs.append((q[:, h] @ key.mT / q.shape[-1] ** 0.5).softmax(-1) @ value)
    return torch.stack(outputs, 1)


@right("multihead/pool")
def by_loops(weight, heads, key_heads):
    q, k, v = weight.chunk(3)
    group = heads // key_heads
    parts = [q]
    for block in (k, v):
        each = block.chunk(heads)
        for h in range(key_heads):
            parts.append(sum(each[h * group : (h + 1) * group]) / group)
    return torch.cat(parts)


@wrong("multihead/pool", "mean|add")
def added(weight, heads, key_heads):
    q, k, v = weight.chunk(3)
    k, v = (t.unflatten(0, (key_heads, heads // key_heads, -1)).sum(1) for t in (k, v))
    return torch.cat([q, k.flatten(0, 1), v.flatten(0, 1)])
