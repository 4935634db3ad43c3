"""Foreign answers to the exercises on the shapes of recurrent layers."""

import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F


@right("shapes/summary")
def by_view(output, batch_first):
    if not batch_first:
        output = output.permute(1, 0, 2)
    n, length, width = output.shape
    y = output.reshape(n, length, 2, width // 2)
    return torch.cat((y[:, length - 1, 0], y[:, 0, 1]), dim=1)


@right("shapes/summary")
def by_slices(output, batch_first):
    h = output.size(-1) // 2
    if batch_first:
        return torch.hstack((output[:, -1, :h], output[:, 0, h:]))
    return torch.hstack((output[-1, :, :h], output[0, :, h:]))


@right("shapes/summary")
def by_select(output, batch_first):
    time = int(batch_first)
    ends = output.select(time, -1), output.select(time, 0)
    mask = torch.arange(output.shape[-1]) < output.shape[-1] // 2
    return torch.where(mask, *ends)


@wrong("shapes/summary", "one step only|backward")
def last_step(output, batch_first):
    return output[:, -1] if batch_first else output[-1]


@wrong("shapes/summary", "samples|transpose")
def viewed(output, batch_first):
    if batch_first:
        output = output.reshape(output.shape[1], output.shape[0], -1)
    f, b = output.chunk(2, -1)
    return torch.cat([f[-1], b[0]], -1)


@wrong("shapes/summary", "joined|along|samples")
def joined_on_batch(output, batch_first):
    return torch.cat(by_slices(output, batch_first).chunk(2, -1))


@wrong("shapes/summary", "axis of the batch|squeeze|size 1|first sample")
def squeezed(output, batch_first):
    return by_slices(output, batch_first).squeeze()


@right("shapes/by_layer")
def by_steps(h_n, num_layers):
    d = len(h_n) // num_layers
    rows = [
        torch.cat([h_n[i * d + j] for j in range(d)], -1) for i in range(num_layers)
    ]
    return torch.stack(rows)


@right("shapes/by_layer")
def by_unflatten(h_n, num_layers):
    return h_n.unflatten(0, (num_layers, -1)).movedim(1, 2).flatten(2)


@right("shapes/by_layer")
def by_strides(h_n, num_layers):
    d = h_n.size(0) // num_layers
    return torch.cat([h_n[i::d] for i in range(d)], dim=2)


@right("shapes/by_layer")
def by_einsum(h_n, num_layers):
    y = torch.einsum("ldnh->lndh", h_n.view(num_layers, -1, *h_n.shape[1:]))
    return y.reshape(num_layers, h_n.size(1), -1)


@wrong("shapes/by_layer", "samples are mixed")
def only_reshape(h_n, num_layers):
    return h_n.reshape(num_layers, h_n.shape[1], -1)


@wrong("shapes/by_layer", "D for 2|two rows|D = 1")
def always_two(h_n, num_layers):
    return torch.cat([h_n[0::2], h_n[1::2]], dim=-1)


@wrong("shapes/by_layer", "size|same order|view|contiguous")
def viewed_after(h_n, num_layers):
    x = h_n.view(num_layers, -1, *h_n.shape[1:]).transpose(1, 2)
    return x.view(num_layers, h_n.shape[1], -1)


@right("shapes/truncated")
def by_slices_of_time(layer, x, k):
    parts, state = [], None
    for start in range(0, x.shape[1], k):
        y, state = layer(x[:, start : start + k], state)
        parts.append(y)
        state = (
            [s.detach() for s in state]
            if isinstance(state, (tuple, list))
            else state.detach()
        )
        state = tuple(state) if isinstance(state, list) else state
    return torch.cat(parts, 1)


@right("shapes/truncated")
def with_repackage(layer, x, k):  # as in PyTorch's word language model
    def repackage(h):
        if h is None:
            return None
        if isinstance(h, torch.Tensor):
            return h.detach()
        return tuple(repackage(v) for v in h)

    hidden, out = None, []
    for piece in torch.split(x, k, 1):
        y, hidden = layer(piece, repackage(hidden))
        out.append(y)
    return torch.hstack(out)


@right("shapes/truncated")
def by_data(layer, x, k):
    out, state = x.new_empty(*x.shape[:2], layer.hidden_size), None
    for t in range(0, x.shape[1], k):
        y, state = layer(x[:, t : t + k], state)
        out[:, t : t + k] = y
        state = state.data if torch.is_tensor(state) else (state[0].data, state[1].data)
    return out


@right("shapes/truncated")
def step_after_step(layer, x, k):
    out, state = [], None
    for t in range(x.shape[1]):
        if t and t % k == 0:
            state = (
                state.detach()
                if torch.is_tensor(state)
                else tuple(s.detach() for s in state)
            )
        y, state = layer(x[:, t : t + 1], state)
        out.append(y)
    return torch.cat(out, 1)


@wrong("shapes/truncated", "whole sequence|between two windows")
def never_detached(layer, x, k):
    return layer(x)[0]


@wrong("shapes/truncated", "tuple")
def of_gru_only(layer, x, k):
    out, state = [], None
    for piece in x.split(k, 1):
        y, state = layer(piece, state)
        state = state.detach()
        out.append(y)
    return torch.cat(out, 1)


@wrong("shapes/truncated", "carries no gradient|no_grad")
def no_gradient(layer, x, k):
    with torch.no_grad():
        return layer(x)[0]


@wrong("shapes/truncated", "zeros")
def starts_again(layer, x, k):
    return torch.cat([layer(piece)[0] for piece in x.split(k, 1)], 1)


@wrong("shapes/truncated", "windows of k steps")
def chunked(layer, x, k):
    out, state = [], None
    for piece in x.chunk(k, 1):
        y, state = layer(piece, state)
        out.append(y)
        state = (
            state.detach()
            if torch.is_tensor(state)
            else tuple(s.detach() for s in state)
        )
    return torch.cat(out, 1)


@wrong("shapes/truncated", "backward|grad")
def calls_backward(layer, x, k):
    y = by_slices_of_time(layer, x, k)
    y.sum().backward(retain_graph=True)
    return y


@wrong("shapes/truncated", "axis|time|batch")
def along_the_batch(layer, x, k):
    out, state = [], None
    for piece in x.split(k):
        y, state = layer(piece, state)
        out.append(y)
        state = None
    return torch.cat(out)


right("shapes/shapes")((4, 7, 16, 6, 4, 8))
right("shapes/shapes")(torch.tensor([4, 7, 16, 6, 4, 8]))
wrong("shapes/shapes", "batch comes first in h_n")([4, 7, 16, 4, 6, 8])
wrong("shapes/shapes", "each direction")([4, 7, 16, 3, 4, 8])
wrong("shapes/shapes", "one direction only")([4, 7, 8, 6, 4, 8])
wrong("shapes/shapes")([4, 7, 16, 5, 4, 8])


@right("shapes/by_layer")
def by_split(h_n, num_layers):
    layers = h_n.tensor_split(num_layers)  # (D, N, H_out) each
    return torch.stack([torch.hstack(list(states)) for states in layers])


@wrong("shapes/by_layer", "directions alternate")
def by_halves(h_n, num_layers):
    return torch.cat(h_n.split(num_layers), dim=-1)


def _learn(summary, number):
    net = nn.RNN(4, 12, bidirectional=True, batch_first=True).double()
    read, right = nn.Linear(24, 4).double(), []
    optimizer = torch.optim.Adam([*net.parameters(), *read.parameters()], 0.02)
    for _ in range(number):
        symbols = torch.randint(4, (16, 10))
        scores = read(summary(net(F.one_hot(symbols, 4).double())[0]))
        right.append((scores.argmax(1) == symbols[:, 0]).double().mean())
        optimizer.zero_grad()
        F.cross_entropy(scores, symbols[:, 0]).backward()
        optimizer.step()
    return 100 * torch.stack(right)


def _ends(output):
    forward, backward = output.chunk(2, -1)
    return torch.hstack([forward[:, -1], backward[:, 0]])


def _differences(other=_ends, seeds=range(5)):
    found = []
    for seed in seeds:
        pair = []
        for summary in (lambda y: y.sum(1) / y.shape[1], other):
            torch.manual_seed(seed)
            pair.append(_learn(summary, 20)[10:].mean().item())
        found.append(pair[0] - pair[1])
    return found


right("shapes/mean")(_differences)
wrong("shapes/mean", "sign|minus")(lambda: [-d for d in _differences()])
wrong("shapes/mean", "one step")(lambda: _differences(lambda y: y[:, -1]))
