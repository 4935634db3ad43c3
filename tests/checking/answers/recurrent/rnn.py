"""Foreign answers to the exercises on the RNN."""

import math

import numpy as np
import torch
from answers import FOREIGN, Foreign, right, wrong
from torch import nn
from torch.nn import functional as F


@right("rnn/by_hand")
def all_inputs_first(x, h_0, W_ih, W_hh, b_ih, b_hh, nonlinearity):
    from_x = F.linear(x, W_ih, b_ih + b_hh)
    states = [h_0]
    for t in range(x.shape[0]):
        states.append(
            getattr(torch, nonlinearity)(from_x[t] + F.linear(states[-1], W_hh))
        )
    return torch.stack(states[1:], dim=0), states[-1]


@right("rnn/by_hand")
def one_matrix(x, h_0, W_ih, W_hh, b_ih, b_hh, nonlinearity):
    W, b = torch.cat([W_ih, W_hh], 1), b_ih + b_hh
    act = {"tanh": nn.Tanh(), "relu": nn.ReLU()}[nonlinearity]
    h, out = h_0, torch.empty(len(x), *h_0.shape, dtype=x.dtype)
    for t in range(len(x)):
        h = act(torch.cat([x[t], h], -1) @ W.mT + b)
        out[t] = h
    return [out, h]


@right("rnn/by_hand")
def by_einsum(x, h_0, W_ih, W_hh, b_ih, b_hh, nonlinearity):
    outputs = []
    for x_t in x.unbind(0):
        s = torch.einsum("ni,hi->nh", x_t, W_ih) + torch.einsum("nj,hj->nh", h_0, W_hh)
        s = s + b_ih + b_hh
        h_0 = s.tanh() if nonlinearity == "tanh" else s.clamp(min=0)
        outputs.append(h_0.unsqueeze(0))
    return torch.cat(outputs), outputs[-1].squeeze(0)


@wrong("rnn/by_hand", r"\.T\b|transpose")
def untransposed(x, h_0, W_ih, W_hh, b_ih, b_hh, nonlinearity):
    h, out = h_0, []
    for t in x:
        h = getattr(torch, nonlinearity)(t @ W_ih + b_ih + h @ W_hh + b_hh)
        out.append(h)
    return torch.stack(out), h


@wrong("rnn/by_hand", r"W_hh\.T|transpose")
def state_untransposed(x, h_0, W_ih, W_hh, b_ih, b_hh, nonlinearity):
    h, out = h_0, []
    for t in x:
        h = getattr(torch, nonlinearity)(t @ W_ih.T + b_ih + h @ W_hh + b_hh)
        out.append(h)
    return torch.stack(out), h


@wrong("rnn/by_hand", "may not be")
def layer(x, h_0, W_ih, W_hh, b_ih, b_hh, nonlinearity):
    rnn = nn.RNN(x.shape[-1], h_0.shape[-1], nonlinearity=nonlinearity)
    return rnn(x.float(), h_0[None].float())


@wrong("rnn/by_hand", "may not be")
def cell(x, h_0, W_ih, W_hh, b_ih, b_hh, nonlinearity):
    one = {"tanh": torch.rnn_tanh_cell, "relu": torch.rnn_relu_cell}[nonlinearity]
    out = []
    for t in x:
        h_0 = one(t, h_0, W_ih, W_hh, b_ih, b_hh)
        out.append(h_0)
    return torch.stack(out), h_0


@wrong("rnn/by_hand", "may not be")
def below(x, h_0, W_ih, W_hh, b_ih, b_hh, nonlinearity):
    run = getattr(torch._VF, f"rnn_{nonlinearity}")
    out, h = run(
        x, h_0[None], [W_ih, W_hh, b_ih, b_hh], True, 1, 0.0, True, False, False
    )
    return out, h[0]


@wrong("rnn/by_hand", "tanh whatever")
def ignores_nonlinearity(x, h_0, W_ih, W_hh, b_ih, b_hh, nonlinearity):
    return all_inputs_first(x, h_0, W_ih, W_hh, b_ih, b_hh, "tanh")


@wrong("rnn/by_hand", "function|call")
def passes_a_name(x, h_0, W_ih, W_hh, b_ih, b_hh, nonlinearity):
    h, out = h_0, []
    for t in x:
        h = nonlinearity(t @ W_ih.T + b_ih + h @ W_hh.T + b_hh)
        out.append(h)
    return torch.stack(out), h


@wrong("rnn/by_hand", "tensor")
def list_of_states(x, h_0, W_ih, W_hh, b_ih, b_hh, nonlinearity):
    out, h = all_inputs_first(x, h_0, W_ih, W_hh, b_ih, b_hh, nonlinearity)
    return list(out), h


@wrong("rnn/by_hand", "dtype|float32|Float")
def float_states(x, h_0, W_ih, W_hh, b_ih, b_hh, nonlinearity):
    out = torch.zeros(len(x), *h_0.shape)
    h = h_0
    for t, x_t in enumerate(x):
        h = getattr(torch, nonlinearity)(x_t @ W_ih.T + b_ih + h @ W_hh.T + b_hh)
        out[t] = h
    return out, h


@right("rnn/jacobian")
def by_diag(states, W_hh, k):
    J = torch.eye(W_hh.shape[0]).to(W_hh)
    for h in states[len(states) - k :]:
        J = torch.diag(1 - h.square()) @ W_hh @ J
    return J


@right("rnn/jacobian")
def by_multi_dot(states, W_hh, k):
    steps = [(1 - s * s).unsqueeze(1) * W_hh for s in states.flip(0)[:k]]
    if k > 1:
        return torch.linalg.multi_dot(steps)
    return steps[0] if steps else torch.eye(len(W_hh), dtype=W_hh.dtype)


@right("rnn/jacobian")
def by_cosh(states, W_hh, k):
    J = torch.diag(torch.ones(len(W_hh), dtype=states.dtype))
    for t in range(1, k + 1):
        J = J.matmul(torch.atanh(states[-t]).cosh().pow(-2)[:, None] * W_hh)
    return J


@right("rnn/jacobian")
def by_numpy(states, W_hh, k):
    J = np.eye(len(W_hh))
    for t in range(1, k + 1):
        J = J @ np.diag(1 - states[-t].numpy() ** 2) @ W_hh.numpy()
    return torch.from_numpy(J).to(W_hh.dtype)


@wrong("rnn/jacobian", "k = 0")
def minus_zero(states, W_hh, k):
    J = torch.eye(len(W_hh), dtype=W_hh.dtype)
    for h in states[-k:]:
        J = torch.diag(1 - h**2) @ W_hh @ J
    return J


@wrong("rnn/jacobian", "dtype|float32|Float")
def float_eye(states, W_hh, k):
    J = torch.eye(len(W_hh))
    for t in range(1, k + 1):
        J = J @ ((1 - states[-t] ** 2)[:, None] * W_hh)
    return J


@wrong("rnn/jacobian", "order|leftmost|right")
def wrong_order(states, W_hh, k):
    J = torch.eye(len(W_hh), dtype=W_hh.dtype)
    for h in states[len(states) - k :]:
        J = J @ torch.diag(1 - h**2) @ W_hh
    return J


@wrong("rnn/jacobian", "first states|start at|last state|begin")
def first_states(states, W_hh, k):
    J = torch.eye(len(W_hh), dtype=W_hh.dtype)
    for h in states[:k]:
        J = torch.diag(1 - h**2) @ W_hh @ J
    return J


@wrong("rnn/jacobian", "slopes of the last state")
def by_power(states, W_hh, k):
    return torch.linalg.matrix_power(torch.diag(1 - states[-1] ** 2) @ W_hh, k)


@wrong("rnn/jacobian", "slope")
def power_of_matrix(states, W_hh, k):
    return torch.linalg.matrix_power(W_hh, k)


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
