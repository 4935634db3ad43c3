"""Foreign answers to the exercises on recurrent layers at large."""

import torch
from answers import FOREIGN, Foreign, right, wrong
from torch import nn


@right("recurrent/in_pieces")
def by_slices(layer, x, h_0, size):
    out, start = [], 0
    while start < x.shape[0]:
        y, h_0 = layer(x[start : start + size], h_0)
        out += list(y)
        start += size
    return torch.stack(out), h_0


@right("recurrent/in_pieces")
def one_step_each(layer, x, h_0, size):
    out = []
    for t in range(len(x)):
        y, h_0 = layer(x[t : t + 1], h_0)
        out.append(y[0])
    return [torch.stack(out), h_0]


@right("recurrent/in_pieces")
def recursive(layer, x, h_0, size):
    y, h = layer(x[:size], h_0)
    if len(x) <= size:
        return y, h
    rest, h = recursive(layer, x[size:], h, size)
    return torch.vstack([y, rest]), h


@wrong("recurrent/in_pieces", "h_0|hand the h_n")
def from_the_start(layer, x, h_0, size):
    parts = [layer(piece, h_0) for piece in x.split(size)]
    return torch.cat([p[0] for p in parts]), parts[-1][1]


@wrong("recurrent/in_pieces", "detach|gradient")
def cut(layer, x, h_0, size):
    out, h = [], h_0
    for piece in x.split(size):
        y, h = layer(piece, h)
        h = h.data
        out.append(y)
    return torch.cat(out), h


@wrong("recurrent/in_pieces", "at once")
def whole(layer, x, h_0, size):
    return layer(x, h_0)


@wrong("recurrent/in_pieces", "last piece|fill")
def only_full(layer, x, h_0, size):
    out, h = [], h_0
    for i in range(len(x) // size):
        y, h = layer(x[i * size : (i + 1) * size], h)
        out.append(y)
    return torch.cat(out), h


@wrong("recurrent/in_pieces", "_loop|layer|attribute|Right|at once|steps")
def peeks(layer, x, h_0, size):
    return layer._loop(x.double(), h_0)


@right("recurrent/write_on")
def one_loop(step, read, prompt, h_0, length):
    out = []
    for t in range(len(prompt) + length - 1):
        x = prompt[t] if t < len(prompt) else out[-1]
        h_0 = step(x, h_0)
        if t >= len(prompt) - 1:
            out.append(read(h_0))
    return torch.stack(out)


@right("recurrent/write_on")
def by_reduce(step, read, prompt, h_0, length):
    from functools import reduce

    h = reduce(lambda h, x: step(x, h), prompt, h_0)
    y = read(h)
    new = torch.empty(length, *y.shape, dtype=y.dtype)
    for i in range(length):
        new[i] = y
        h = step(y, h)
        y = read(h)
    return new


@right("recurrent/write_on")
def concatenated(step, read, prompt, h_0, length):
    h = h_0
    for x in prompt.unbind():
        h = step(x, h)
    y = read(h)[None]
    for _ in range(1, length):
        h = step(y[-1], h)
        y = torch.cat([y, read(h)[None]], 0)
    return y


@wrong("recurrent/write_on", "too many|length - 1|early|first")
def one_step_more(step, read, prompt, h_0, length):
    h = h_0
    for x in prompt:
        h = step(x, h)
    x, out = prompt[-1], []
    for _ in range(length):
        h = step(x, h)
        x = read(h)
        out.append(x)
    return torch.stack(out)


@wrong("recurrent/write_on", "list|stack")
def a_list(step, read, prompt, h_0, length):
    return list(one_loop(step, read, prompt, h_0, length))


@wrong("recurrent/write_on", "prompt")
def with_the_prompt(step, read, prompt, h_0, length):
    return torch.cat([prompt, one_loop(step, read, prompt, h_0, length)])


@wrong("recurrent/write_on", "h_0")
def forgets_h_0(step, read, prompt, h_0, length):
    return one_loop(step, read, prompt, torch.zeros_like(h_0), length)


@right("recurrent/count")
def closed_form(blocks, H_in, H_out, num_layers=1, D=1, bias=True):
    first = H_in + H_out + (2 if bias else 0)
    upper = D * H_out + H_out + (2 if bias else 0)
    return blocks * H_out * D * (first + (num_layers - 1) * upper)


@right("recurrent/count")
def by_shapes(blocks, H_in, H_out, num_layers=1, D=1, bias=True):
    shapes = []
    for k in range(num_layers):
        for _ in range(D):
            shapes += [(blocks * H_out, D * H_out if k else H_in)]
            shapes += [(blocks * H_out, H_out)] + [(blocks * H_out,)] * 2 * bias
    return sum(torch.Size(s).numel() for s in shapes)


@right("recurrent/count")
def as_tensor(blocks, H_in, H_out, num_layers=1, D=1, bias=True):
    return torch.tensor([closed_form(blocks, H_in, H_out, num_layers, D, bias)]).sum()


@wrong("recurrent/count", "may not be")
def builds(blocks, H_in, H_out, num_layers=1, D=1, bias=True):
    kind = {1: nn.RNN, 3: nn.GRU, 4: nn.LSTM}[blocks]
    layer = kind(H_in, H_out, num_layers, bias=bias, bidirectional=D == 2)
    return sum(p.numel() for p in layer.parameters())


@wrong("recurrent/count", "may not be")
def builds_cells(blocks, H_in, H_out, num_layers=1, D=1, bias=True):
    kind = {1: nn.RNNCell, 3: nn.GRUCell, 4: nn.LSTMCell}[blocks]
    cells = [kind(H_in, H_out, bias)] + [kind(D * H_out, H_out, bias)] * (
        num_layers - 1
    )
    return D * sum(p.numel() for cell in cells for p in cell.parameters())


@wrong("recurrent/count", "one bias|two")
def one_bias(blocks, H_in, H_out, num_layers=1, D=1, bias=True):
    first = H_in + H_out + bias
    return blocks * H_out * D * (first + (num_layers - 1) * (D * H_out + H_out + bias))


@wrong("recurrent/count", "D \\* H_out")
def upper_reads_one(blocks, H_in, H_out, num_layers=1, D=1, bias=True):
    first = H_in + H_out + 2 * bias
    return blocks * H_out * D * (first + (num_layers - 1) * (2 * H_out + 2 * bias))


FOREIGN.extend(
    Foreign("recurrent/fading", *case)
    for case in (
        ((5, 4, 7, 6, 5, 5), True),
        (torch.tensor([5, 4, 7, 6, 5, 5]), True),
        ([5.0, 4.0, 7.0, 6.0, 5.0, 5.0], True),
        ([5, 5, 7, 7, 7, 7], False, "fade"),
        ([5, 4, 7, 6, 3, 5], False, "day before"),
        ([0, 5, 4, 7, 6, 5], False, "h_0"),
        ([0, 5, 4, 7, 6, 5, 5], False, "6 values"),
        (5, False, "list"),
        (["5", "4", "7", "6", "5", "5"], False, "number"),
    )
)


@right("recurrent/in_pieces")
def state_in_a_list(layer, x, h_0, size):
    states, outputs = [h_0], []
    for start in range(0, len(x), size):
        output, h = layer(x[start : start + size], states[-1])
        states.append(h)
        outputs.append(output)
    return torch.cat(outputs, dim=0), states.pop()


@wrong("recurrent/in_pieces", "h_0|hand the h_n")
def two_starts(layer, x, h_0, size):
    outputs, h = [], h_0
    for piece in x.split(size):
        output, h = layer(piece, h_0)
        outputs.append(output)
    return torch.cat(outputs), h
