"""Foreign answers to the exercises on the LSTM."""

import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F


@right("lstm/coupled")
def of_linear(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    gates = F.linear(x, weight_ih, bias_ih) + F.linear(h, weight_hh, bias_hh)
    forgetgate, cellgate, outgate = gates.chunk(3, 1)
    cy = torch.lerp(torch.tanh(cellgate), c, torch.sigmoid(forgetgate))
    return torch.sigmoid(outgate) * torch.tanh(cy), cy


@right("lstm/coupled")
def block_after_block(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    n = h.shape[1]

    def part(k):
        rows = slice(k * n, (k + 1) * n)
        y = x @ weight_ih[rows].mT + h @ weight_hh[rows].mT
        return y + bias_ih[rows] + bias_hh[rows]

    f, o = (1 / (1 + torch.exp(-part(k))) for k in (0, 2))
    c = torch.addcmul(f * c, 1 - f, part(1).tanh())
    return [o * c.tanh(), c]


@right("lstm/coupled")
def sigmoid_of_minus(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    """1 - sigmoid(s) is sigmoid(-s)."""
    w = torch.cat([weight_ih, weight_hh], 1).unflatten(0, (3, -1))
    b = (bias_ih + bias_hh).view(3, 1, -1)
    f, g, o = torch.einsum("ni,ghi->gnh", torch.cat([x, h], -1), w) + b
    c = f.sigmoid().mul(c).add((-f).sigmoid().mul(g.tanh()))
    return o.sigmoid().mul(c.tanh()), c


@wrong("lstm/coupled", "order of the three blocks")
def order_of_torch(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    sums = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    o, f, g = sums.chunk(3, 1)
    f = f.sigmoid()
    c = f * c + (1 - f) * g.tanh()
    return o.sigmoid() * c.tanh(), c


@wrong("lstm/coupled", "may not be")
def by_four(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    def four(w):  # sigmoid(-f) as input gate: right, but of torch
        f, g, o = w.chunk(3)
        return torch.cat([-f, f, g, o])

    weights = map(four, (weight_ih, weight_hh, bias_ih, bias_hh))
    return torch.lstm_cell(x, (h, c), *weights)


@wrong("lstm/coupled", "may not be")
def module(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    one = nn.LSTMCell(x.shape[1], h.shape[1])
    names = "weight_ih", "weight_hh", "bias_ih", "bias_hh"
    given = dict(zip(names, (weight_ih, weight_hh, bias_ih, bias_hh), strict=True))
    return torch.func.functional_call(one, given, (x, (h, c)))


@wrong("lstm/coupled")
def of_four_blocks(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    sums = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    i, f, g, o = sums.chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


@wrong("lstm/coupled", r"\.T\b|transpose")
def untransposed(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    sums = x @ weight_ih + bias_ih + h @ weight_hh + bias_hh
    f, g, o = sums.chunk(3, 1)
    f = f.sigmoid()
    c = f * c + (1 - f) * g.tanh()
    return o.sigmoid() * c.tanh(), c


@wrong("lstm/coupled", "in place")
def in_place(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    sums = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    f, g, o = sums.chunk(3, 1)
    f = f.sigmoid()
    c *= f
    c += (1 - f) * g.tanh()
    return o.sigmoid() * c.tanh(), c


@wrong("lstm/coupled", "axis|dim|chunk|rows|batch")
def along_the_batch(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
    sums = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
    f, g, o = sums.chunk(3)
    f = f.sigmoid()
    c = f * c + (1 - f) * g.tanh()
    return o.sigmoid() * c.tanh(), c


@right("lstm/forget_bias")
def by_data(layer, value):
    h = layer.hidden_size
    for names in layer._all_weights:
        for name in names:
            if name.startswith("bias"):
                getattr(layer, name).data[h : 2 * h].fill_(value / 2)


@right("lstm/forget_bias")
def adds_the_rest(layer, value):
    with torch.no_grad():
        for name, p in layer.named_parameters():
            if name.startswith("bias_ih"):
                h = p.numel() // 4
                other = layer.get_parameter(name.replace("ih", "hh", 1))
                p.data[h : 2 * h] = value - other[h : 2 * h]
    return layer


@right("lstm/forget_bias")
def by_chunks(layer, value):
    for name, p in layer.named_parameters():
        if "bias" in name:
            f = p.detach().chunk(4)[1]
            f.fill_(value if "ih" in name else 0)


@right("lstm/forget_bias")
def by_state_dict(layer, value):
    state = layer.state_dict()
    n = layer.hidden_size
    for name in state:
        if name.startswith("bias_ih"):
            state[name][n : n + n] = value
        if name.startswith("bias_hh"):
            state[name][n : n + n] = 0
    layer.load_state_dict(state)


@right("lstm/forget_bias")
def by_init(layer, value):
    h = layer.hidden_size
    for name, p in layer.named_parameters():
        if "bias_ih" in name:
            nn.init.constant_(p[h : 2 * h], value)
        elif "bias_hh" in name:
            nn.init.zeros_(p[h : 2 * h])


@wrong("lstm/forget_bias", "twice")
def sets_both(layer, value):  # the often copied snippet
    for names in layer._all_weights:
        for name in filter(lambda n: "bias" in n, names):
            bias = getattr(layer, name)
            n = bias.size(0)
            bias.data[n // 4 : n // 2].fill_(value)


@wrong("lstm/forget_bias", "no_grad|data")
def recorded(layer, value):
    h = layer.hidden_size
    for name, p in layer.named_parameters():
        if "bias_ih" in name:
            p[h : 2 * h] = value


@wrong("lstm/forget_bias", "no longer learned|learned")
def frozen(layer, value):
    h = layer.hidden_size
    layer.requires_grad_(False)
    for name, p in layer.named_parameters():
        if "bias" in name:
            p[h : 2 * h] = value / 2


@wrong("lstm/forget_bias", "layer 0|_l1")
def first_layer(layer, value):
    h = layer.hidden_size
    with torch.no_grad():
        layer.bias_ih_l0[h : 2 * h] = value
        layer.bias_hh_l0[h : 2 * h] = 0


@wrong("lstm/forget_bias", "rest|other|0")
def all_to_zero(layer, value):
    h = layer.hidden_size
    for name, p in layer.named_parameters():
        if "bias" in name:
            nn.init.zeros_(p)
            p.data[h : 2 * h] = value / 2


@right("lstm/counter")
def by_rows():
    layer = nn.LSTM(2, 1, batch_first=True)
    for p in layer.parameters():
        nn.init.zeros_(p)
    layer.weight_ih_l0.data = torch.tensor([[60.0, 0], [0, -60], [0, 0], [0, 0]])
    layer.bias_hh_l0.data = torch.tensor([-30.0, 30, 30, 5])
    return layer


@right("lstm/counter")
def in_double():
    layer = nn.LSTM(2, 1, bias=True, dtype=torch.float64)
    weights = {
        "weight_ih_l0": torch.tensor([[50.0, -50], [0, -50], [50, 0], [0, 0]]),
        "weight_hh_l0": torch.zeros(4, 1),
        "bias_ih_l0": torch.tensor([-25.0, 25, 0, 0]),
        "bias_hh_l0": torch.zeros(4),
    }
    layer.load_state_dict(weights)
    return layer


@right("lstm/counter")
def writes_its_own_zero():
    layer = nn.LSTM(2, 1)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.tensor([[40.0, 0], [0, -40], [0, 0], [9, 9]]))
        layer.weight_hh_l0.zero_()
        layer.bias_ih_l0.copy_(torch.tensor([-20.0, 20, 20, 0]))
        layer.bias_hh_l0.zero_()
    return layer


@right("lstm/counter")
def without_biases():
    """Impossible with bias=False; here by the second bias alone."""
    layer = by_rows()
    layer.bias_ih_l0.data.zero_()
    return layer


@wrong("lstm/counter", "Nearly|firmly")
def soft():
    layer = by_rows()
    for p in layer.parameters():
        p.data /= 5
    return layer


@wrong("lstm/counter", "nn.LSTM\\(2, 1\\)")
def a_cell():
    return nn.LSTMCell(2, 1)


@wrong("lstm/counter", "nn.LSTM\\(2, 1\\)")
def two_units():
    return nn.LSTM(2, 2)


@wrong("lstm/counter", "finite|large enough")
def infinite():
    layer = by_rows()
    layer.bias_hh_l0.data[2] = torch.inf
    return layer


@wrong("lstm/counter")
def untouched():
    return nn.LSTM(2, 1)


@wrong("lstm/counter", "bias")
def no_bias():
    return nn.LSTM(2, 1, bias=False)


right("lstm/fade")(254)
right("lstm/fade")(torch.tensor(254))
wrong("lstm/fade", "round up")(253)
wrong("lstm/fade", "one half")(7)
wrong("lstm/fade", "half of it|half")(39)
wrong("lstm/fade", "whole numbers")(253.73)
wrong("lstm/fade")(255)


def _reach(seed, cut, lag=20):
    torch.manual_seed(seed)
    layer = nn.LSTM(8, 32, batch_first=True)
    if cut:
        nn.init.zeros_(layer.weight_hh_l0)
    x = torch.randn(16, 51, 8).double().requires_grad_()
    output, _ = layer.double()(x)
    output[:, -1].sum().backward()
    size = x.grad.norm(dim=2).mean(0).flip(0)
    return float(torch.log10(size[lag] / size[0]))


def _differences(seeds=range(8), lag=20):
    return [_reach(seed, True, lag) - _reach(seed, False, lag) for seed in seeds]


right("lstm/direct")(_differences)
right("lstm/direct")(lambda: _differences(range(100, 120)))
wrong("lstm/direct", "sign|minus")(lambda: [-d for d in _differences()])
wrong("lstm/direct", "50 steps")(lambda: _differences(lag=50))
