"""Foreign answers to the exercises on the GRU."""

import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F

right("gru/held_gate")((0.2, 0.36, 0.488))
right("gru/held_gate")(1 - torch.tensor([0.8, 0.64, 0.512], dtype=torch.float64))
wrong("gru/held_gate", "Chung")([0.8, 0.96, 0.992])
wrong("gru/held_gate", "still missing")([0.8, 0.64, 0.512])
wrong("gru/held_gate", "before the first step")([0, 0.2, 0.36])


@right("gru/convert")
def by_roll(w_ih, w_hh, b_ih, b_hh):
    out = []
    for p in (w_ih, w_hh, b_ih, b_hh):
        n = len(p) // 3
        index = torch.cat(
            [torch.arange(n, 2 * n), torch.arange(n), torch.arange(2 * n, 3 * n)]
        )
        sign = torch.ones(3 * n, dtype=p.dtype)
        sign[n : 2 * n] = -1
        out.append(p[index] * sign.view(-1, *[1] * (p.dim() - 1)))
    return out


@right("gru/convert")
def biases_together(w_ih, w_hh, b_ih, b_hh):
    def f(p):
        z, r, n = p.unflatten(0, (3, -1))
        return torch.cat((r, z.neg(), n))

    b, c = f(b_ih), f(b_hh)
    k = len(b) // 3 * 2  # the sums of r and z may be moved to one bias
    b, c = torch.cat([b[:k] + c[:k], b[k:]]), torch.cat([0 * c[:k], c[k:]])
    return f(w_ih), f(w_hh), b, c


@right("gru/convert")
def as_parameters(w_ih, w_hh, b_ih, b_hh):
    with torch.no_grad():
        return tuple(nn.Parameter(p) for p in by_roll(w_ih, w_hh, b_ih, b_hh))


@wrong("gru/convert", "float32|dtype")
def in_float32(w_ih, w_hh, b_ih, b_hh):
    return tuple(p.float() for p in by_roll(w_ih, w_hh, b_ih, b_hh))


@wrong("gru/convert", "overwrit")
def in_place(w_ih, w_hh, b_ih, b_hh):
    for p in (w_ih, w_hh, b_ih, b_hh):
        n = len(p) // 3
        p[: 2 * n] = torch.cat([p[n : 2 * n], -p[:n]])
    return w_ih, w_hh, b_ih, b_hh


@wrong("gru/convert", "class|function|four tensors|GRUCell|tuple")
def a_cell(w_ih, w_hh, b_ih, b_hh):
    return nn.GRUCell(w_ih.shape[1], w_hh.shape[1])


@wrong("gru/convert", "dict|tuple|order")
def a_dict(w_ih, w_hh, b_ih, b_hh):
    names = "weight_ih", "weight_hh", "bias_ih", "bias_hh"
    return dict(zip(names, by_roll(w_ih, w_hh, b_ih, b_hh), strict=True))


@wrong("gru/convert", "axis|bias|block")
def along_axis_1(w_ih, w_hh, b_ih, b_hh):
    def f(p):
        z, r, n = p.chunk(3, -1)
        return torch.cat([r, -z, n], -1)

    return f(w_ih), f(w_hh), f(b_ih), f(b_hh)


@right("gru/minimal")
def inputs_first(x, h, w, u, b):
    n = h.shape[-1]
    a = F.linear(x, w, b)
    out = x.new_empty(len(x), *h.shape)
    for t in range(x.size(0)):
        f = torch.sigmoid(a[t, :, :n] + h @ u[:n].T)
        new = torch.tanh(a[t, :, n:] + (f * h) @ u[n:].T)
        h = torch.lerp(h, new, f)
        out[t] = h
    return out


@right("gru/minimal")
def recursive(x, h, w, u, b):
    if not len(x):
        return h.new_zeros(0, *h.shape)
    n = len(b) // 2
    f = 1 / (1 + (-(x[0] @ w[:n].mT + h @ u[:n].mT + b[:n])).exp())
    new = (x[0] @ w[n:].mT + (h * f) @ u[n:].mT + b[n:]).tanh()
    h = h - f * h + f * new
    return torch.cat([h[None], recursive(x[1:], h, w, u, b)])


@wrong("gru/minimal", "before|matrix")
def after_the_matrix(x, h, w, u, b):
    (wf, wh), (uf, uh), (bf, bh) = w.chunk(2), u.chunk(2), b.chunk(2)
    out = []
    for t in x:
        f = (t @ wf.T + h @ uf.T + bf).sigmoid()
        h = (1 - f) * h + f * (t @ wh.T + f * (h @ uh.T) + bh).tanh()
        out.append(h)
    return torch.stack(out)


@wrong("gru/minimal", "last state|all steps|values|two")
def both(x, h, w, u, b):
    y = inputs_first(x, h, w, u, b)
    return y, y[-1]


@wrong("gru/minimal", "samples|first axis")
def batch_first(x, h, w, u, b):
    return inputs_first(x.transpose(0, 1), h, w, u, b).transpose(0, 1)


@wrong("gru/minimal", "list|tensor|stack")
def a_list(x, h, w, u, b):
    return list(inputs_first(x, h, w, u, b))


@right("gru/latch")
def by_rows():
    layer = nn.GRU(2, 1, batch_first=True)
    for p in layer.parameters():
        nn.init.zeros_(p)
    layer.weight_ih_l0.data = torch.tensor([[3.0, 1], [0, -60], [1, 0]])
    layer.bias_hh_l0.data = torch.tensor([1.0, 30, 0])
    return layer


@right("gru/latch")
def in_double():
    layer = nn.GRU(2, 1, dtype=torch.float64)
    weights = {
        "weight_ih_l0": torch.tensor([[0.0, -50], [0, -50], [1, 0]]),
        "weight_hh_l0": torch.tensor([[0.0], [0], [1]]),  # reset by the mark
        "bias_ih_l0": torch.tensor([25.0, 25, 0]),
        "bias_hh_l0": torch.zeros(3),
    }
    layer.load_state_dict(weights)
    return layer


@wrong("gru/latch", "share that is kept")
def of_chung():
    layer = by_rows()
    layer.weight_ih_l0.data[1], layer.bias_hh_l0.data[1] = torch.tensor([0.0, 60]), -30
    return layer


@wrong("gru/latch", "close")
def soft():
    layer = by_rows()
    layer.weight_ih_l0.data[1], layer.bias_hh_l0.data[1] = torch.tensor([0.0, -12]), 8
    return layer


@wrong("gru/latch", "nn.GRU\\(2, 1\\)")
def a_latch_cell():
    return nn.GRUCell(2, 1)


@wrong("gru/latch", "no biases")
def without_biases():
    return nn.GRU(2, 1, bias=False)


@wrong("gru/latch", "states after the marks")
def untouched():
    torch.manual_seed(0)
    return nn.GRU(2, 1)


right("gru/reach")((3.2, 0.06))
wrong("gru/reach", "sign|turned")((-3.2, 0.06))
wrong("gru/reach", "not right|natural")((7.4, 0.14))
