"""Foreign answers to the exercises on the RNN."""

import math

import numpy as np
import torch
from answers import FOREIGN, Foreign, right, wrong
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_


@right("rnn/leaky")
def all_inputs_first(x, h_0, W_ih, W_hh, b, a):
    from_x = F.linear(x, W_ih, b)
    states = [h_0]
    for t in range(x.shape[0]):
        g = torch.tanh(from_x[t] + F.linear(states[-1], W_hh))
        states.append(states[-1] + a * (g - states[-1]))
    return torch.stack(states[1:], dim=0)


@right("rnn/leaky")
def one_matrix(x, h_0, W_ih, W_hh, b, a):
    W = torch.cat([W_ih, W_hh], 1)
    h, out = h_0, torch.empty(len(x), *h_0.shape, dtype=x.dtype)
    for t in range(len(x)):
        h = h.lerp(torch.tanh(torch.cat([x[t], h], -1) @ W.mT + b), a)
        out[t] = h
    return out


@right("rnn/leaky")
def by_einsum(x, h_0, W_ih, W_hh, b, a):
    outputs = []
    for x_t in x.unbind(0):
        s = torch.einsum("ni,hi->nh", x_t, W_ih) + torch.einsum("nj,hj->nh", h_0, W_hh)
        h_0 = a * (s + b).tanh() + (1 - a) * h_0
        outputs.append(h_0.unsqueeze(0))
    return torch.cat(outputs)


@right("rnn/leaky")
def by_the_cell(x, h_0, W_ih, W_hh, b, a):
    h, out = h_0, []
    for x_t in x:
        g = torch.rnn_tanh_cell(x_t, h, W_ih, W_hh, b, torch.zeros_like(b))
        h = torch.lerp(h, g, a)
        out.append(h)
    return torch.stack(out)


@wrong("rnn/leaky", r"\.T\b|transpose")
def untransposed(x, h_0, W_ih, W_hh, b, a):
    h, out = h_0, []
    for t in x:
        h = (1 - a) * h + a * torch.tanh(t @ W_ih + h @ W_hh + b)
        out.append(h)
    return torch.stack(out)


@wrong("rnn/leaky", r"W_hh\.T|transpose")
def state_untransposed(x, h_0, W_ih, W_hh, b, a):
    h, out = h_0, []
    for t in x:
        h = (1 - a) * h + a * torch.tanh(t @ W_ih.T + h @ W_hh + b)
        out.append(h)
    return torch.stack(out)


@wrong("rnn/leaky", "plain RNN|share")
def plain(x, h_0, W_ih, W_hh, b, a):
    h, out = h_0, []
    for t in x:
        h = torch.tanh(t @ W_ih.T + h @ W_hh.T + b)
        out.append(h)
    return torch.stack(out)


@wrong("rnn/leaky", "other way round")
def shares_swapped(x, h_0, W_ih, W_hh, b, a):
    h, out = h_0, []
    for t in x:
        h = torch.tanh(t @ W_ih.T + h @ W_hh.T + b).lerp(h, a)
        out.append(h)
    return torch.stack(out)


@wrong("rnn/leaky", "tensor")
def list_of_states(x, h_0, W_ih, W_hh, b, a):
    return list(all_inputs_first(x, h_0, W_ih, W_hh, b, a))


@wrong("rnn/leaky", "one tensor|beside")
def two_results(x, h_0, W_ih, W_hh, b, a):
    out = all_inputs_first(x, h_0, W_ih, W_hh, b, a)
    return out, out[-1]


@wrong("rnn/leaky", "dtype|float32|Float")
def float_states(x, h_0, W_ih, W_hh, b, a):
    out = torch.zeros(len(x), *h_0.shape)
    for t, h in enumerate(all_inputs_first(x, h_0, W_ih, W_hh, b, a)):
        out[t] = h
    return out


@right("rnn/clip")
def by_cat(gradients, max_norm):
    total = torch.cat([g.reshape(-1) for g in gradients]).norm()
    return [g * (max_norm / total) if total > max_norm else g for g in gradients]


@right("rnn/clip")
def with_eps(gradients, max_norm):
    total = math.sqrt(sum(g.square().sum().item() for g in gradients))
    factor = min(1.0, max_norm / (total + 1e-6))
    return tuple(g * factor for g in gradients)


@right("rnn/clip")
def in_place(gradients, max_norm):
    total = sum((g**2).sum() for g in gradients) ** 0.5
    if total > max_norm:
        gradients = [g.clone().mul_(max_norm / total) for g in gradients]
    return gradients


@wrong("rnn/clip", "one by one")
def by_value(gradients, max_norm):
    return [g.clip(-max_norm, max_norm) for g in gradients]


@wrong("rnn/clip", "one factor|together")
def each_alone(gradients, max_norm):
    return [F.normalize(g, dim=None) * min(g.norm(), max_norm) for g in gradients]


@wrong("rnn/clip", "may not be")
def torchs(gradients, max_norm):
    ps = [nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for p, g in zip(ps, gradients, strict=True):
        p.grad = g.clone()
    nn.utils.clip_grad_norm_(ps, max_norm)
    return [p.grad for p in ps]


@wrong("rnn/clip", "may not be")
def torchs_one_by_one(gradients, max_norm):
    ps = [nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for p, g in zip(ps, gradients, strict=True):
        p.grad = g.clone()
    clip_grad_norm_(ps, max_norm, foreach=False)
    return [p.grad for p in ps]


@wrong("rnn/clip", "up to max_norm|within the limit")
def always(gradients, max_norm):
    total = torch.cat([g.reshape(-1) for g in gradients]).norm()
    return [g * max_norm / total for g in gradients]


def factors(candidates, W_hh, a):
    """Of each step, the first first."""
    direct = (1 - a) * torch.eye(len(W_hh), dtype=W_hh.dtype)
    return [direct + a * torch.diag(1 - g.square()) @ W_hh for g in candidates]


@right("rnn/jacobian")
def by_diag(candidates, W_hh, a, k):
    J = torch.eye(W_hh.shape[0]).to(W_hh)
    for step in factors(candidates, W_hh, a)[len(candidates) - k :]:
        J = step @ J
    return J


@right("rnn/jacobian")
def by_multi_dot(candidates, W_hh, a, k):
    steps = factors(candidates, W_hh, a)[::-1][:k]
    if k > 1:
        return torch.linalg.multi_dot(steps)
    return steps[0] if steps else torch.eye(len(W_hh), dtype=W_hh.dtype)


@right("rnn/jacobian")
def by_columns(candidates, W_hh, a, k):
    columns = torch.eye(len(W_hh), dtype=W_hh.dtype).unbind(1)
    for g in candidates[len(candidates) - k :]:
        columns = [(1 - a) * v + a * (1 - g**2) * (W_hh @ v) for v in columns]
    return torch.stack(list(columns), 1)


@right("rnn/jacobian")
def by_numpy(candidates, W_hh, a, k):
    J = np.eye(len(W_hh))
    for t in range(1, k + 1):
        slopes = np.diag(1 - candidates[-t].numpy() ** 2)
        J = J @ ((1 - a) * np.eye(len(W_hh)) + a * slopes @ W_hh.numpy())
    return torch.from_numpy(J).to(W_hh.dtype)


@wrong("rnn/jacobian", "k = 0")
def minus_zero(candidates, W_hh, a, k):
    J = torch.eye(len(W_hh), dtype=W_hh.dtype)
    for step in factors(candidates, W_hh, a)[-k:]:
        J = step @ J
    return J


@wrong("rnn/jacobian", "dtype|float32|Float")
def float_eye(candidates, W_hh, a, k):
    return by_diag(candidates, W_hh, a, k).float()


@wrong("rnn/jacobian", "order|leftmost|right")
def wrong_order(candidates, W_hh, a, k):
    J = torch.eye(len(W_hh), dtype=W_hh.dtype)
    for step in factors(candidates, W_hh, a)[len(candidates) - k :]:
        J = J @ step
    return J


@wrong("rnn/jacobian", "first candidates|start at|last|begin")
def first_candidates(candidates, W_hh, a, k):
    J = torch.eye(len(W_hh), dtype=W_hh.dtype)
    for step in factors(candidates, W_hh, a)[:k]:
        J = step @ J
    return J


@wrong("rnn/jacobian", "slopes of the last candidate")
def by_power(candidates, W_hh, a, k):
    return torch.linalg.matrix_power(factors(candidates, W_hh, a)[-1], k)


@wrong("rnn/jacobian", "past tanh|directly")
def of_a_plain_rnn(candidates, W_hh, a, k):
    J = torch.eye(len(W_hh), dtype=W_hh.dtype)
    for g in candidates[len(candidates) - k :]:
        J = a * torch.diag(1 - g**2) @ W_hh @ J
    return J


WORDS = ["vanishes", "neither", "vanishes", "explodes", "vanishes"]
FOREIGN.extend(
    Foreign("rnn/fates", *case)
    for case in (
        (tuple(WORDS), True),
        ([w.upper() for w in WORDS], True),
        ([w + " " for w in WORDS], True),
        (np.array(WORDS), True),
        (dict(zip("abcde", WORDS, strict=True)), False, "list"),
        (set(WORDS), False, "list"),
        (WORDS[:4], False, "5 values"),
        ([0, 1, 0, 2, 0], False, "str|word|text"),
        (["vanish", "neither", "vanish", "explode", "vanish"], False),
        ([math.nan] * 5, False, "str|word|text"),
        (", ".join(WORDS), False, "list"),
    )
)
FOREIGN.extend(
    Foreign("rnn/large_inputs", *case)
    for case in (
        ((-0.28, 0.006), True),
        (torch.tensor([-0.283, 0.0061]), True),
        ((0.283, 0.006), False),
        ((0.006, -0.283), False),
        ((-0.479, 0.005), False),
        (-0.283, False),
    )
)
