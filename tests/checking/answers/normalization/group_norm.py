"""Foreign answers to the exercises on GroupNorm."""

import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F


@wrong("group_norm/by_hand", "eps.*n - 1|n - 1.*eps", "n = 140")
def group_std(x, num_groups, weight, bias, eps=1e-5):
    y = x.reshape(len(x), num_groups, -1)
    y = (y - y.mean(-1, True)) / (y.std(-1, keepdim=True) + eps)
    s = (1, -1) + (1,) * (x.dim() - 2)
    return y.reshape(x.shape) * weight.view(s) + bias.view(s)


@wrong("group_norm/by_hand", "float32 has no digits")
def labml(x, num_groups, weight, bias, eps=1e-5):
    batch_size, channels = x.shape[:2]
    y = x.reshape(batch_size, num_groups, -1)
    mean = y.mean(dim=[-1], keepdim=True)
    mean_x2 = (y**2).mean(dim=[-1], keepdim=True)
    var = mean_x2 - mean**2
    y = ((y - mean) / torch.sqrt(var + eps)).view(batch_size, channels, -1)
    return (weight.view(1, -1, 1) * y + bias.view(1, -1, 1)).view(x.shape)


@right("group_norm/by_hand")
def chunked(x, num_groups, weight, bias, eps=1e-5):
    done = []
    for part in x.chunk(num_groups, dim=1):
        axes = tuple(range(1, x.ndim))
        var, mean = torch.var_mean(part, axes, correction=0, keepdim=True)
        done.append((part - mean) * (var + eps).rsqrt())
    y = torch.cat(done, 1).movedim(1, -1)
    return (y * weight + bias).movedim(-1, 1)


@right("group_norm/by_hand")
def unflattened(x, num_groups, weight, bias, eps=1e-5):
    g = x.unflatten(1, (num_groups, -1))
    d = list(range(2, g.ndim))
    g = g - g.mean(d, keepdim=True)
    g = g / (g.square().mean(d, keepdim=True) + eps).sqrt()
    y = g.flatten(1, 2)
    for _ in range(x.ndim - 2):
        weight, bias = weight.unsqueeze(-1), bias.unsqueeze(-1)
    return weight * y + bias


@wrong("group_norm/by_hand", "axes")
def paper(x, num_groups, weight, bias, eps=1e-5):
    n, c, h, w = x.shape
    x = torch.reshape(x, [n, num_groups, c // num_groups, h, w])
    var, mean = torch.var_mean(x, dim=[2, 3, 4], keepdim=True, unbiased=False)
    x = torch.reshape((x - mean) / torch.sqrt(var + eps), [n, c, h, w])
    return x * weight.view(1, c, 1, 1) + bias.view(1, c, 1, 1)


@wrong("group_norm/by_hand", "default|1e-5")
def default_6(x, num_groups, weight, bias, eps=1e-6):
    return unflattened(x, num_groups, weight, bias, eps)


@wrong("group_norm/by_hand", "one value a channel")
def weight_last(x, num_groups, weight, bias, eps=1e-5):
    y = x.reshape(len(x), num_groups, -1)
    y = (y - y.mean(-1, True)) / (y.var(-1, False, True) + eps).sqrt()
    return y.reshape(x.shape) * weight + bias


@wrong("group_norm/by_hand", "may not be called")
def by_instance(x, num_groups, weight, bias, eps=1e-5):
    y = F.instance_norm(x.reshape(len(x), num_groups, -1), eps=eps).view(x.shape)
    s = (1, -1) + (1,) * (x.dim() - 2)
    return y * weight.view(s) + bias.view(s)


@wrong("group_norm/by_hand", "may not be called")
def by_ops(x, num_groups, weight, bias, eps=1e-5):
    return torch.ops.aten.group_norm(x, num_groups, weight, bias, eps, False)


@wrong("group_norm/by_hand", "keepdim")
def no_keepdim(x, num_groups, weight, bias, eps=1e-5):
    y = x.reshape(len(x), num_groups, -1)
    y = (y - y.mean(-1)) / (y.var(-1, correction=0) + eps).sqrt()
    s = (1, -1) + (1,) * (x.dim() - 2)
    return y.reshape(x.shape) * weight.view(s) + bias.view(s)


right("group_norm/count")((1568.0, 392, 12544, 196, 2))
right("group_norm/count")(torch.tensor([1568, 392, 12544, 196, 2]))
wrong("group_norm/count", "number|str")(["1568", "392", "12544", "196", "2"])
wrong("group_norm/count", "1 of 5|of 5")([64, 64, 8, 196, 32])


@right("group_norm/swap")
def gcd_loop(bn, at_most=32):
    c = bn.weight.shape[0]
    g = min(at_most, c)
    while c % g:
        g -= 1
    new = nn.GroupNorm(g, c, bn.eps)
    new.load_state_dict({"weight": bn.weight, "bias": bn.bias})
    return new


@right("group_norm/swap")
def cloned(bn, at_most=32):
    c = bn.num_features
    divisors = [d for d in range(1, c + 1) if c % d == 0 and d <= at_most]
    new = nn.GroupNorm(divisors[-1], c, eps=bn.eps)
    new.weight = nn.Parameter(bn.weight.detach().clone())
    new.bias = nn.Parameter(bn.bias.detach().clone())
    return new


@wrong("group_norm/swap", "copy|share|tie|changes")
def shares_data(bn, at_most=32):
    new = gcd_loop(bn, at_most)
    new.weight.data = bn.weight.data
    new.bias.data = bn.bias.data
    return new


@wrong("group_norm/swap", "bias|share|copy")
def shares_bias(bn, at_most=32):
    new = gcd_loop(bn, at_most)
    new.bias = bn.bias
    return new


@wrong("group_norm/swap", "no_grad")
def recorded(bn, at_most=32):
    new = nn.GroupNorm(1, bn.num_features, bn.eps)
    new.weight.copy_(bn.weight)
    return new


@wrong("group_norm/swap", "GroupNorm")
def a_function(bn, at_most=32):
    return lambda x: F.group_norm(x, 1, bn.weight, bn.bias)


@wrong("group_norm/swap", "copy both")
def at_most_always(bn, at_most=32):
    return nn.GroupNorm(at_most, bn.num_features, bn.eps)


@wrong("group_norm/swap", "fall back to one")
def at_most_or_one(bn, at_most=32):
    groups = at_most if bn.num_features % at_most == 0 else 1
    new = nn.GroupNorm(groups, bn.num_features, bn.eps)
    new.load_state_dict({"weight": bn.weight, "bias": bn.bias})
    return new


@right("group_norm/tokens")
def as_an_image(x, num_groups, weight, bias):
    y = F.group_norm(x.mT.unsqueeze(-1), num_groups, weight, bias)
    return y.squeeze(-1).permute(0, 2, 1)


@right("group_norm/tokens")
def tokens_by_hand(x, num_groups, weight, bias):
    g = x.unflatten(2, (num_groups, -1))
    var, mean = torch.var_mean(g, (1, 3), correction=0, keepdim=True)
    return ((g - mean) / (var + 1e-5).sqrt()).flatten(2) * weight + bias


@wrong("group_norm/tokens", "each token by itself")
def token_by_token(x, num_groups, weight, bias):
    flat = x.reshape(-1, x.shape[-1])
    return F.group_norm(flat, num_groups, weight, bias).reshape(x.shape)


@wrong("group_norm/tokens", "mix channels with positions")
def viewed(x, num_groups, weight, bias):
    y = F.group_norm(x.view(len(x), -1, x.shape[1]), num_groups, weight, bias)
    return y.view_as(x)


right("group_norm/large_eps")((81.8, 0.9))
wrong("group_norm/large_eps", "sign")((-81.8, 0.9))
wrong("group_norm/large_eps")((20.0, 0.9))
