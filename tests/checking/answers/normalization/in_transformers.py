"""Foreign answers to the exercises on norms in a Transformer."""

import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F


@right("in_transformers/dynamic_tanh")
class AsInThePaper(nn.Module):
    def __init__(self, dim, alpha=0.5):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1) * alpha)
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x):
        return self.weight * (self.alpha * x).tanh() + self.bias


@wrong("in_transformers/dynamic_tanh", "plain number")
class NotLearned(nn.Module):
    def __init__(self, dim, alpha=0.5):
        super().__init__()
        self.a = alpha
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x):
        return torch.tanh(self.a * x) * self.weight + self.bias


right("in_transformers/lid")([64**0.5, 4 * 64**0.5, 2 * 64**0.5])
wrong("in_transformers/lid", "divided by the root")([64.0, 256.0, 128.0])


@right("in_transformers/branch")
def one_line(x, weight, up, down):
    scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
    return F.gelu((x * scale * weight) @ up) @ down + x


@wrong("in_transformers/branch", "normalized x")
def lost(x, weight, up, down):
    h = F.rms_norm(x, (x.shape[-1],), weight, eps=1e-6)
    return h + F.gelu(h @ up) @ down


@right("in_transformers/fold")
def made_anew(norm, linear):
    new = nn.Linear(linear.in_features, linear.out_features).to(linear.weight)
    with torch.no_grad():
        new.weight.copy_(linear.weight @ torch.diag(norm.weight))
        new.bias.copy_(F.linear(norm.bias, linear.weight, linear.bias))
    return new


@wrong("in_transformers/fold", "fold the weight alone")
def weight_alone(norm, linear):
    new = nn.Linear(linear.in_features, linear.out_features).to(linear.weight)
    with torch.no_grad():
        new.weight.copy_(linear.weight * norm.weight)
        new.bias.copy_(0 * new.bias if linear.bias is None else linear.bias)
    return new


right("in_transformers/depth")((1.25, 0.07))
wrong("in_transformers/depth", "sign|turned")((-1.25, 0.07))
