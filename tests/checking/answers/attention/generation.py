"""Foreign answers to the exercises on generation."""

import math

import torch
from answers import right, wrong
from torch.nn import functional as F

right("generation/nucleus")((16 / 25, 9 / 25, 0.0, 0.0))
right("generation/nucleus")(torch.tensor([0.64, 0.36, 0, 0], dtype=torch.float64))
wrong("generation/nucleus", "add up to 0.83")([0.5333, 0.3, 0, 0])
wrong("generation/nucleus", "temperature")([0.4444, 0.3333, 0.2222, 0])
wrong("generation/nucleus", "four")([0.64, 0.36])

right("generation/bytes")(393_216_000)
wrong("generation/bytes", "half")(196_608_000)
wrong("generation/bytes", "12 heads")(1_179_648_000)


@right("generation/cached_attention")
def by_hand(q, k, v, kept_k, kept_v):
    k, v = torch.cat((kept_k, k), dim=-2), torch.cat((kept_v, v), dim=-2)
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    new, all_ = scores.shape[-2:]
    late = torch.arange(all_) > torch.arange(all_ - new, all_)[:, None]
    return scores.masked_fill(late, -torch.inf).softmax(-1) @ v, k, v


@right("generation/cached_attention")
def one_query_at_a_time(q, k, v, kept_k, kept_v):
    outputs = []
    for i in range(q.shape[2]):
        kept_k = torch.cat([kept_k, k[:, :, i : i + 1]], 2)
        kept_v = torch.cat([kept_v, v[:, :, i : i + 1]], 2)
        query = q[:, :, i : i + 1]
        outputs.append(F.scaled_dot_product_attention(query, kept_k, kept_v))
    return torch.cat(outputs, 2), kept_k, kept_v


@wrong("generation/cached_attention", "later ones")
def unmasked(q, k, v, kept_k, kept_v):
    k, v = torch.cat([kept_k, k], 2), torch.cat([kept_v, v], 2)
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v, k, v


@right("generation/min_p")
def by_scores(scores, share):
    below = (scores - scores.amax(-1, keepdim=True)).exp() < share
    return scores.masked_fill(below, -torch.inf).softmax(-1)


@wrong("generation/min_p", "add up to 1|sum")
def not_divided(scores, share):
    p = F.softmax(scores, dim=1)
    return torch.where(p >= share * p.max(1, keepdim=True).values, p, 0.0)


@right("generation/surprise")
def letter_by_letter(net, prompt, text):
    bits, x = [], prompt
    for letter in text:
        p = net(x[None])[0, -1].softmax(-1)
        bits.append(-p[letter].log2())
        x = torch.cat([x, letter[None]])
    return sum(bits) / len(bits)


@wrong("generation/surprise", "nats")
def in_nats(net, prompt, text):
    scores = net(torch.cat([prompt, text])[None])[0, len(prompt) - 1 : -1]
    return F.nll_loss(scores.log_softmax(-1), text)


@wrong("generation/surprise", "own place")
def shifted(net, prompt, text):
    scores = net(torch.cat([prompt, text])[None])[0, len(prompt) :]
    return F.cross_entropy(scores, text) / math.log(2)
