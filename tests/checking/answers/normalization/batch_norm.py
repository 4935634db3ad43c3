"""Foreign answers to the exercises on BatchNorm."""

import torch
from answers import right, wrong
from torch import nn


@right("batch_norm/module")
class BiasFirst(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.weight = nn.Parameter(torch.ones(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))

    def forward(self, x):
        s = (1, -1, 1, 1)
        if self.training:
            m, v = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
            with torch.no_grad():
                self.running_mean.lerp_(m, self.momentum)
                self.running_var.lerp_(x.var((0, 2, 3)), self.momentum)
        else:
            m, v = self.running_mean, self.running_var
        y = (x - m.view(s)) / (v.view(s) + self.eps).sqrt()
        return y * self.weight.view(s) + self.bias.view(s)


@wrong("batch_norm/by_hand", says="SpeechlessError|raise")
def speechless(x, weight, bias, eps=1e-5):
    class SpeechlessError(Exception):
        def __str__(self):
            raise ValueError

    raise SpeechlessError


@wrong("batch_norm/by_hand")
def device_inside(x, weight, bias, eps=1e-5):
    torch.set_default_device("meta")
    return x


@wrong("batch_norm/by_hand", "axis 3.*keepdim", "weight runs along")
def no_keepdim(x, weight, bias, eps=1e-5):
    axes = [0, *range(2, x.dim())]
    s = [1, -1] + [1] * (x.dim() - 2)
    y = (x - x.mean(axes)) / (x.var(axes, correction=0) + eps).sqrt()
    return y * weight.view(s) + bias.view(s)
