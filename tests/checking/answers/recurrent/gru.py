"""Foreign answers to the exercises on the GRU."""

import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F


@right("gru/step")
def of_linear(x, h, w_ih, w_hh, b_ih=None, b_hh=None):
    i_r, i_z, i_n = F.linear(x, w_ih, b_ih).chunk(3, 1)
    h_r, h_z, h_n = F.linear(h, w_hh, b_hh).chunk(3, 1)
    r, z = (i_r + h_r).sigmoid(), (i_z + h_z).sigmoid()
    return torch.lerp((i_n + r * h_n).tanh(), h, z)


@right("gru/step")
def newgate(x, h, w_ih, w_hh, b_ih=None, b_hh=None):
    gi, gh = torch.mm(x, w_ih.t()), torch.mm(h, w_hh.t())
    if b_ih is not None:
        gi, gh = b_ih + gi, b_hh + gh
    n = h.size(1)
    rz = torch.sigmoid(gi[:, : 2 * n] + gh[:, : 2 * n])
    new = torch.tanh(gi[:, 2 * n :] + rz[:, :n] * gh[:, 2 * n :])
    return new + rz[:, n:] * (h - new)


@right("gru/step")
def zeros_for_none(x, h, w_ih, w_hh, b_ih=None, b_hh=None):
    b_ih = torch.zeros(len(w_ih), dtype=x.dtype) if b_ih is None else b_ih
    b_hh = torch.zeros(len(w_hh), dtype=x.dtype) if b_hh is None else b_hh
    wr, wz, wn = w_ih.view(3, -1, x.shape[1])
    ur, uz, un = w_hh.view(3, -1, h.shape[1])
    (br, bz, bn), (cr, cz, cn) = b_ih.view(3, -1), b_hh.view(3, -1)
    r = torch.sigmoid(x @ wr.T + br + h @ ur.T + cr)
    z = torch.sigmoid(x @ wz.T + bz + h @ uz.T + cz)
    n = torch.tanh(x @ wn.T + bn + r * (h @ un.T + cn))
    return (1 - z).mul(n).add(z.mul(h))


@wrong("gru/step", "is (not )?None|not at all|without biases")
def no_none(x, h, w_ih, w_hh, b_ih=None, b_hh=None):
    a, b = (x @ w_ih.T + b_ih).chunk(3, 1), (h @ w_hh.T + b_hh).chunk(3, 1)
    r, z = (a[0] + b[0]).sigmoid(), (a[1] + b[1]).sigmoid()
    n = (a[2] + r * b[2]).tanh()
    return (1 - z) * n + z * h


@wrong("gru/step", "is (not )?None|several|ask")
def truth_of_bias(x, h, w_ih, w_hh, b_ih=None, b_hh=None):
    return of_linear(x, h, w_ih, w_hh, b_ih if b_ih else None, b_hh if b_hh else None)


@wrong("gru/step", "r, z, n")
def order_znr(x, h, w_ih, w_hh, b_ih=None, b_hh=None):
    i_z, i_n, i_r = F.linear(x, w_ih, b_ih).chunk(3, 1)
    h_z, h_n, h_r = F.linear(h, w_hh, b_hh).chunk(3, 1)
    r, z = (i_r + h_r).sigmoid(), (i_z + h_z).sigmoid()
    n = (i_n + r * h_n).tanh()
    return (1 - z) * n + z * h


@wrong("gru/step", "r, z, n")
def order_rnz(x, h, w_ih, w_hh, b_ih=None, b_hh=None):
    i_r, i_n, i_z = F.linear(x, w_ih, b_ih).chunk(3, 1)
    h_r, h_n, h_z = F.linear(h, w_hh, b_hh).chunk(3, 1)
    r, z = (i_r + h_r).sigmoid(), (i_z + h_z).sigmoid()
    n = (i_n + r * h_n).tanh()
    return (1 - z) * n + z * h


@wrong("gru/step", "Chung|papers")
def of_cho(x, h, w_ih, w_hh, b_ih=None, b_hh=None):
    b = 0 if b_ih is None else b_ih + b_hh
    (a_r, a_z, a_n) = (x @ w_ih.T + b).chunk(3, 1)
    u_r, u_z, u_n = w_hh.chunk(3)
    r, z = (a_r + h @ u_r.T).sigmoid(), (a_z + h @ u_z.T).sigmoid()
    n = (a_n + (r * h) @ u_n.T).tanh()
    return z * h + (1 - z) * n


@wrong("gru/step", "may not be")
def cell(x, h, w_ih, w_hh, b_ih=None, b_hh=None):
    return torch.gru_cell(x, h, w_ih, w_hh, b_ih, b_hh)


@wrong("gru/step", "may not be")
def module(x, h, w_ih, w_hh, b_ih=None, b_hh=None):
    one = nn.GRUCell(x.shape[1], h.shape[1], bias=b_ih is not None)
    names = "weight_ih", "weight_hh", "bias_ih", "bias_hh"
    given = {
        k: v
        for k, v in zip(names, (w_ih, w_hh, b_ih, b_hh), strict=True)
        if v is not None
    }
    return torch.func.functional_call(one, given, (x, h))


@wrong("gru/step", r"\.T\b|transpose")
def untransposed(x, h, w_ih, w_hh, b_ih=None, b_hh=None):
    return of_linear(x, h, w_ih.T, w_hh.T, b_ih, b_hh)


@wrong("gru/step", "pair|state|h|tuple|tensor")
def a_pair(x, h, w_ih, w_hh, b_ih=None, b_hh=None):
    y = of_linear(x, h, w_ih, w_hh, b_ih, b_hh)
    return y, y


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
