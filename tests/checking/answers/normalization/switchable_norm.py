"""Foreign answers to the exercises on SwitchableNorm."""

import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F

CUT = "cut off from the gradient"


@right("switchable_norm/group_statistics")
def chunks(mean_in, var_in, groups):
    means, variances = [], []
    for m, v in zip(mean_in.chunk(groups, 1), var_in.chunk(groups, 1), strict=True):
        mean = m.mean(1)
        means.append(mean)
        variances.append((v + (m - mean[:, None]) ** 2).mean(1))
    return torch.stack(means, 1), torch.stack(variances, 1)


@right("switchable_norm/group_statistics")
def listed(mean_in, var_in, groups):
    m = mean_in.view(len(mean_in), groups, -1)
    v = var_in.view(len(var_in), groups, -1)
    return [m.mean(2), v.mean(2) + m.var(2, unbiased=False)]


@wrong("switchable_norm/group_statistics", "mean of the variances|leaves out")
def mean_of_variances(mean_in, var_in, groups):
    m = mean_in.view(len(mean_in), groups, -1)
    return m.mean(2), var_in.view_as(m).mean(2)


@wrong("switchable_norm/group_statistics", "correction=0|one less")
def unbiased(mean_in, var_in, groups):
    m = mean_in.view(len(mean_in), groups, -1)
    return m.mean(2), var_in.view_as(m).mean(2) + m.var(2)


@wrong("switchable_norm/group_statistics", "shape")
def kept(mean_in, var_in, groups):
    m = mean_in.view(len(mean_in), groups, -1)
    mean = m.mean(2, keepdim=True)
    return mean, (var_in.view_as(m) + m**2).mean(2, keepdim=True) - mean**2


@wrong("switchable_norm/group_statistics", "order is mean, variance")
def swapped(mean_in, var_in, groups):
    return chunks(mean_in, var_in, groups)[::-1]


@wrong("switchable_norm/group_statistics", "standard deviation")
def deviations(mean_in, var_in, groups):
    mean, var = chunks(mean_in, var_in, groups)
    return mean, var.sqrt()


@right("switchable_norm/module")
class Official(nn.Module):
    """As in the paper's code, with biased variances."""

    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.var_weight = nn.Parameter(torch.ones(3))
        self.mean_weight = nn.Parameter(torch.ones(3))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.weight = nn.Parameter(torch.ones(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))

    def forward(self, x):
        n, c, length = x.size()
        mean_in = x.mean(-1, keepdim=True)
        var_in = x.var(-1, keepdim=True, unbiased=False)
        mean_ln = mean_in.mean(1, keepdim=True)
        temp = var_in + mean_in**2
        var_ln = temp.mean(1, keepdim=True) - mean_ln**2
        if self.training:
            mean_bn = mean_in.mean(0, keepdim=True)
            var_bn = temp.mean(0, keepdim=True) - mean_bn**2
            with torch.no_grad():
                unbiased = var_bn.flatten() * (n * length / (n * length - 1))
                self.running_mean.mul_(1 - self.momentum)
                self.running_mean.add_(self.momentum * mean_bn.flatten())
                self.running_var.mul_(1 - self.momentum)
                self.running_var.add_(self.momentum * unbiased)
        else:
            mean_bn = self.running_mean.view(1, c, 1)
            var_bn = self.running_var.view(1, c, 1)
        a, b = F.softmax(self.mean_weight, 0), F.softmax(self.var_weight, 0)
        mean = a[0] * mean_in + a[1] * mean_ln + a[2] * mean_bn
        var = b[0] * var_in + b[1] * var_ln + b[2] * var_bn
        x = (x - mean) / (var + self.eps).sqrt()
        return x * self.weight.view(1, c, 1) + self.bias.view(1, c, 1)


@wrong("switchable_norm/module", "paper.s code", CUT)
class PapersUnbiased(Official):
    def forward(self, x):
        n, c, length = x.size()
        mean_in = x.mean(-1, keepdim=True)
        var_in = x.var(-1, keepdim=True)
        mean_ln = mean_in.mean(1, keepdim=True)
        temp = var_in + mean_in**2
        var_ln = temp.mean(1, keepdim=True) - mean_ln**2
        if self.training:
            mean_bn = mean_in.mean(0, keepdim=True)
            var_bn = temp.mean(0, keepdim=True) - mean_bn**2
            with torch.no_grad():
                self.running_mean.lerp_(mean_bn.flatten(), self.momentum)
                self.running_var.lerp_(var_bn.flatten(), self.momentum)
        else:
            mean_bn = self.running_mean.view(1, c, 1)
            var_bn = self.running_var.view(1, c, 1)
        a, b = F.softmax(self.mean_weight, 0), F.softmax(self.var_weight, 0)
        mean = a[0] * mean_in + a[1] * mean_ln + a[2] * mean_bn
        var = b[0] * var_in + b[1] * var_ln + b[2] * var_bn
        x = (x - mean) / (var + self.eps).sqrt()
        return x * self.weight.view(1, c, 1) + self.bias.view(1, c, 1)


@wrong("switchable_norm/module", r"shape \(1, \d, 1\)")
class ThreeAxes(Official):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        self.weight = nn.Parameter(torch.ones(1, num_features, 1))


@wrong("switchable_norm/module", "running_mean")
class NoBuffers(Official):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        del self.running_mean, self.running_var
        self.running_mean = torch.zeros(num_features)
        self.running_var = torch.ones(num_features)


@wrong("switchable_norm/module", "1e-5")
class OtherDefault(Official):
    def __init__(self, num_features, eps=1e-6, momentum=0.1):
        super().__init__(num_features, eps, momentum)


@wrong("switchable_norm/module", "no momentum")
class OtherMomentum(Official):
    def __init__(self, num_features, eps=1e-5, momentum=0.9):
        super().__init__(num_features, eps, momentum)


right("switchable_norm/batch_of_one")([1.5, 1.583, 3.5, 0.917])
right("switchable_norm/batch_of_one")(torch.tensor([3 / 2, 19 / 12, 7 / 2, 11 / 12]))
wrong("switchable_norm/batch_of_one", "order|1 of 4|0 of 4|2 of 4")(
    [1.5, 3.5, 1.5833, 0.9167]
)
wrong("switchable_norm/batch_of_one", "number|str")(["3/2", "19/12", "7/2", "11/12"])


@right("switchable_norm/repair")
def three_terms(x, mean_logits, var_logits, eps=1e-5):
    m, v = mean_logits.softmax(0), var_logits.softmax(0)
    mean = m[0] * x.mean(2, True) + m[1] * x.mean((1, 2), True)
    mean = mean + m[2] * x.mean((0, 2), True)
    var = v[0] * x.var(2, False, True) + v[1] * x.var((1, 2), False, True)
    var = var + v[2] * x.var((0, 2), False, True)
    return (x - mean) * torch.rsqrt(var + eps)


@wrong("switchable_norm/repair", "divide by n - 1")
def unbiased_variances(x, mean_logits, var_logits, eps=1e-5):
    m, v = mean_logits.softmax(0), var_logits.softmax(0)
    axes = ((2,), (1, 2), (0, 2))
    mean = sum(m[k] * x.mean(axes[k], True) for k in range(3))
    var = sum(v[k] * x.var(axes[k], keepdim=True) for k in range(3))
    return (x - mean) / (var + eps).sqrt()
