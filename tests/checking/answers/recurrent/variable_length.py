"""Foreign answers to the exercises on sequences of several lengths."""

import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence


@right("variable_length/summary")
def by_gather(output, lengths):
    n, _, h2 = output.shape
    h = h2 // 2
    last = (lengths - 1).view(n, 1, 1).expand(n, 1, h)
    forward = output[..., :h].gather(1, last).squeeze(1)
    return torch.cat((forward, output[:, 0, h:]), dim=-1)


@right("variable_length/summary")
def by_loop(output, lengths):
    h = output.shape[-1] // 2
    pairs = zip(output, lengths.tolist(), strict=True)
    return torch.stack([torch.cat([y[n - 1, :h], y[0, h:]]) for y, n in pairs])


@right("variable_length/summary")
def by_mask(output, lengths):
    f, b = output.chunk(2, -1)
    at = F.one_hot(lengths - 1, output.size(1)).to(output.dtype)
    return torch.hstack([torch.einsum("nl,nlh->nh", at, f), b[:, 0]])


@wrong("variable_length/summary", "end of the tensor|pads|first step")
def last_of_tensor(output, lengths):
    return output[:, -1]


@wrong("variable_length/summary", "forward half is right|backward")
def both_at_the_end(output, lengths):
    return output[range(len(output)), lengths - 1]


@wrong("variable_length/summary", "lengths is the one after")
def one_late(output, lengths):
    h = output.shape[-1] // 2
    return torch.cat(
        [output[torch.arange(len(output)), lengths, :h], output[:, 0, h:]], 1
    )


@wrong("variable_length/summary", "pair them")
def all_pairs(output, lengths):
    h = output.shape[-1] // 2
    return torch.cat([output[:, lengths - 1, :h], output[:, 0, h:]], 1)


@right("variable_length/pack")
def by_python(x, lengths):
    n = lengths.tolist()
    order = sorted(range(len(n)), key=lambda i: -n[i])
    sizes = [sum(m > t for m in n) for t in range(max(n))]
    data = torch.stack([x[order[i], t] for t, b in enumerate(sizes) for i in range(b)])
    back = [order.index(i) for i in range(len(n))]
    return data, *map(torch.tensor, (sizes, order, back))


@right("variable_length/pack")
def by_mask_of_steps(x, lengths):
    order = torch.argsort(-lengths, stable=True)
    mask = torch.arange(max(lengths)) < lengths[order, None]
    data = x[order][:, : mask.shape[1]].transpose(0, 1)[mask.T]
    back = torch.empty_like(order)
    back[order] = torch.arange(len(order))
    return [data, mask.sum(0), order, back]


@wrong("variable_length/pack", "may not be")
def of_torch(x, lengths):
    return tuple(pack_padded_sequence(x, lengths, True, enforce_sorted=False))


@wrong("variable_length/pack", "may not be")
def below(x, lengths):
    order = lengths.argsort(descending=True, stable=True)
    data, sizes = torch._VF._pack_padded_sequence(x[order], lengths[order], True)
    return data, sizes, order, order.argsort()


@wrong("variable_length/pack", "equal length|reverse")
def flipped(x, lengths):
    order = lengths.argsort(stable=True).flip(0)
    mask = torch.arange(int(lengths.max())) < lengths[order, None]
    data = x[order][:, : mask.shape[1]].transpose(0, 1)[mask.T]
    return data, mask.sum(0), order, order.argsort()


@wrong("variable_length/pack", "one sequence after the other")
def sequence_by_sequence(x, lengths):
    order = lengths.argsort(descending=True, stable=True)
    mask = torch.arange(int(lengths.max())) < lengths[order, None]
    data = x[order][:, : mask.shape[1]][mask]
    return data, mask.sum(0), order, order.argsort()


@right("variable_length/pack")
def lists_of_counts(x, lengths):
    data, sizes, order, back = by_mask_of_steps(x, lengths)
    return data, sizes.clone(), order.contiguous(), back


@right("variable_length/masked_loss")
def ignores(logits, target, lengths):
    steps = torch.arange(target.shape[1])
    target = torch.where(steps < lengths[:, None], target, -100)
    return F.cross_entropy(logits.transpose(1, 2), target)


@right("variable_length/masked_loss")
def joins_sequences(logits, target, lengths):
    pairs = list(zip(logits, target, lengths.tolist(), strict=True))
    x = torch.cat([y[:n] for y, _, n in pairs])
    return F.cross_entropy(x, torch.cat([t[:n] for _, t, n in pairs]))


@right("variable_length/masked_loss")
def by_log_softmax(logits, target, lengths):
    mask = torch.arange(target.shape[1]).expand_as(target) < lengths.unsqueeze(1)
    p = logits[mask].log_softmax(-1)
    return -p.gather(1, target[mask][:, None]).mean()


@right("variable_length/masked_loss")
def by_where(logits, target, lengths):
    mask = torch.arange(target.shape[1]) < lengths[:, None]
    loss = F.cross_entropy(logits.mT, target, reduction="none")
    return torch.where(mask, loss, 0.0).sum() / mask.sum()


@right("variable_length/masked_loss")
def fills_losses(logits, target, lengths):
    mask = torch.arange(target.shape[1]) >= lengths[:, None]
    loss = F.cross_entropy(logits.permute(0, 2, 1), target, reduction="none")
    return loss.masked_fill(mask, 0).sum() / lengths.sum()


@right("variable_length/masked_loss")
def selects_losses(logits, target, lengths):
    mask = torch.arange(target.shape[1]) < lengths[:, None]
    return F.cross_entropy(logits.mT, target, reduction="none")[mask].mean()


@wrong("variable_length/masked_loss", "nan|multipl|select")
def times_mask(logits, target, lengths):
    mask = (torch.arange(target.shape[1]) < lengths[:, None]).to(logits)
    loss = F.cross_entropy(logits.mT, target, reduction="none")
    return (loss * mask).sum() / mask.sum()


@wrong("variable_length/masked_loss", "axis 1|logits.mT|mask\\]")
def classes_last(logits, target, lengths):
    return F.cross_entropy(logits, target)


@wrong("variable_length/masked_loss", "axis 1|logits.mT|mask\\]")
def classes_last_each(logits, target, lengths):
    mask = torch.arange(target.shape[1]) < lengths[:, None]
    loss = F.cross_entropy(logits, target, reduction="none")
    return loss[mask].mean()


@wrong("variable_length/masked_loss", "each sequence first|mean of|weighs more")
def mean_of_means(logits, target, lengths):
    mask = torch.arange(target.shape[1]) < lengths[:, None]
    loss = F.cross_entropy(logits.mT, target, reduction="none")
    loss = loss.masked_fill(~mask, 0)
    return (loss.sum(1) / lengths).mean()


@wrong("variable_length/masked_loss", "N \\* L|real steps|divide")
def of_d2l(logits, target, lengths):
    mask = torch.arange(target.shape[1]) < lengths[:, None]
    loss = F.cross_entropy(logits.mT, target, reduction="none")
    return torch.where(mask, loss, 0).mean(1).mean()


@wrong("variable_length/masked_loss", "ignore_index=0|class 0")
def ignores_zero(logits, target, lengths):
    return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=0)


@wrong("variable_length/masked_loss", "caller|in place|copy")
def writes_target(logits, target, lengths):
    for row, n in zip(target, lengths, strict=True):
        row[n:] = -100
    return F.cross_entropy(logits.mT, target)


right("variable_length/fields")((4, 4, 4, 3, 1, 1, 11))
right("variable_length/fields")(torch.tensor([4, 4, 4, 3, 1, 1, 11]))
wrong("variable_length/fields", "counted from 0")([4, 4, 4, 3, 1, 1, 12])
wrong("variable_length/fields", "step by step")([4, 4, 4, 3, 1, 1, 16])
wrong("variable_length/fields")([4, 6, 4, 3, 11])


def _differences(many=20, one=1, kind=nn.GRU, seeds=8):
    """The differences of exercise 5, step by step in a cell."""
    found = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        layer = kind(8, 16).double()
        x = torch.randn(1, 6, 8).double()[0]
        cell = {nn.GRU: nn.GRUCell, nn.RNN: nn.RNNCell}[kind](8, 16).double()
        weights = layer.state_dict()
        cell.load_state_dict(
            {name: weights[f"{name}_l0"] for name in cell.state_dict()}
        )
        h = torch.zeros(16).double()
        for x_t in x:
            h = cell(x_t, h)
        end, errors = h, []
        for pad in range(1, many + 1):
            h = cell(torch.zeros(8).double(), h)
            if pad in (one, many):
                errors.append((h - end).pow(2).mean().item() ** 0.5)
        found.append(errors[-1] - errors[0])
    return found


right("variable_length/pads")(_differences)
right("variable_length/pads")(lambda: _differences(seeds=20))
wrong("variable_length/pads", "sign|minus")(lambda: [-d for d in _differences()])
wrong("variable_length/pads", "nn.RNN")(lambda: _differences(kind=nn.RNN))
