"""Foreign answers to the exercises on BatchNorm."""

import numpy as np
import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F

CUT = "cut off from the gradient"


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


@wrong("batch_norm/by_hand", "nested tensor")
def nested(x, weight, bias, eps=1e-5):
    return torch.nested.nested_tensor(list(x.detach()))


@wrong("batch_norm/by_hand", "function|def", "without calling it")
class AClass(nn.Module):
    def forward(self, x, weight, bias, eps=1e-5):
        return x


@wrong("batch_norm/by_hand", r"eps.*n - 1|n - 1.*eps")
def std_eps(x, weight, bias, eps=1e-5):
    a = [0, *range(2, x.dim())]
    s = [1, -1] + [1] * (x.dim() - 2)
    y = (x - x.mean(a, True)) / (x.std(a, keepdim=True) + eps)
    return y * weight.view(s) + bias.view(s)


@wrong("batch_norm/by_hand", "four axes|any number")
def four_unpacked(x, weight, bias, eps=1e-5):
    n, c, h, w = x.shape
    y = x.permute(0, 2, 3, 1).reshape(-1, c)
    y = (y - y.mean(0)) / (y.var(0, correction=0) + eps).sqrt() * weight + bias
    return y.view(n, h, w, c).permute(0, 3, 1, 2)


@wrong("batch_norm/by_hand", "yours is 1e-3")
def other_default(x, weight, bias, eps=1e-3):
    a = [0, *range(2, x.dim())]
    s = [1, -1] + [1] * (x.dim() - 2)
    y = (x - x.mean(a, True)) / (x.var(a, correction=0, keepdim=True) + eps).sqrt()
    return y * weight.view(s) + bias.view(s)


@wrong("batch_norm/by_hand", "smaller than 1e-5", "leave out eps")
def tiny_default(x, weight, bias, eps=1e-8):
    return other_default(x, weight, bias, eps)


@right("batch_norm/by_hand")
def moved_last(x, weight, bias, eps=1e-5):
    y = x.movedim(1, -1)
    flat = y.reshape(-1, y.shape[-1])
    mean = flat.sum(0) / len(flat)
    var = ((flat - mean) ** 2).sum(0) / len(flat)
    return ((y - mean) * torch.rsqrt(var + eps) * weight + bias).movedim(-1, 1)


@right("batch_norm/by_hand")
def channel_by_channel(x, weight, bias, eps=1e-5):
    channels = []
    for c in range(x.shape[1]):
        v = x[:, c]
        var, mean = torch.var_mean(v, unbiased=False)
        channels.append((v - mean) / (var + eps) ** 0.5 * weight[c] + bias[c])
    return torch.stack(channels, 1)


@right("batch_norm/by_hand")
def transposed(x, weight, bias, eps=1e-5):
    rows = x.transpose(0, 1).flatten(1)
    rows = rows - rows.mean(1, keepdim=True)
    rows = rows / torch.sqrt(rows.pow(2).mean(1, keepdim=True) + eps)
    rows = weight[:, None] * rows + bias[:, None]
    return rows.unflatten(1, (len(x), *x.shape[2:])).transpose(0, 1)


@wrong("batch_norm/by_hand", "may not be called")
def by_native(x, weight, bias, eps=1e-5):
    return torch.native_batch_norm(x, weight, bias, None, None, True, 0.1, eps)[0]


@wrong("batch_norm/by_hand", "may not be called")
def by_ops(x, weight, bias, eps=1e-5):
    op = torch.ops.aten.native_batch_norm.default
    return op(x, weight, bias, None, None, True, 0.1, eps)[0]


@wrong("batch_norm/by_hand", "may not be called")
def by_layer(x, weight, bias, eps=1e-5):
    layer = nn.LazyBatchNorm1d(affine=False, eps=eps)
    y = layer(x.flatten(2) if x.dim() > 2 else x).reshape(x.shape)
    s = [1, -1] + [1] * (x.dim() - 2)
    return y * weight.view(s) + bias.view(s)


@wrong("batch_norm/by_hand", "may not be called")
def by_group_norm(x, weight, bias, eps=1e-5):
    y = x.transpose(0, 1).reshape(1, x.shape[1], -1)
    y = F.group_norm(y, x.shape[1], weight, bias, eps)
    return y.reshape(x.shape[1], len(x), *x.shape[2:]).transpose(0, 1)


@wrong("batch_norm/by_hand", "may not be called")
def by_rms_norm(x, weight, bias, eps=1e-5):
    rows = x.transpose(0, 1).flatten(1)
    rows = F.rms_norm(rows - rows.mean(1, True), rows.shape[1:], eps=eps)
    rows = weight[:, None] * rows + bias[:, None]
    return rows.unflatten(1, (len(x), *x.shape[2:])).transpose(0, 1)


@wrong("batch_norm/by_hand", "add the bias|bias")
def weight_alone(x, weight, bias, eps=1e-5):
    s = [1, -1] + [1] * (x.dim() - 2)
    a = [0, *range(2, x.dim())]
    return weight.view(s) * (x - x.mean(a, True)) / (x.var(a, False, True) + eps).sqrt()


@wrong("batch_norm/by_hand", "eps.*under the root", "something else")
def biased_std_eps(x, weight, bias, eps=1e-5):
    s = [1, -1] + [1] * (x.dim() - 2)
    a = [0, *range(2, x.dim())]
    y = (x - x.mean(a, True)) / (x.std(a, correction=0, keepdim=True) + eps)
    return y * weight.view(s) + bias.view(s)


@wrong("batch_norm/by_hand", "n - 1", "eps may")
def unbiased(x, weight, bias, eps=1e-5):
    s = [1, -1] + [1] * (x.dim() - 2)
    a = [0, *range(2, x.dim())]
    y = (x - x.mean(a, True)) * torch.rsqrt(x.var(a, keepdim=True) + eps)
    return y * weight.view(s) + bias.view(s)


@wrong("batch_norm/by_hand", "float32|dtype")
def in_float32(x, weight, bias, eps=1e-5):
    s = [1, -1] + [1] * (x.dim() - 2)
    a = [0, *range(2, x.dim())]
    y = x.float()
    y = (y - y.mean(a, True)) * torch.rsqrt(y.var(a, False, True) + eps)
    return y.to(x.dtype) * weight.view(s) + bias.view(s)


@wrong("batch_norm/by_hand", "grad|detach")
def statistics_without_grad(x, weight, bias, eps=1e-5):
    s = [1, -1] + [1] * (x.dim() - 2)
    a = [0, *range(2, x.dim())]
    with torch.no_grad():
        mean, std = x.mean(a, True), (x.var(a, False, True) + eps).sqrt()
    return (x - mean) / std * weight.view(s) + bias.view(s)


@wrong("batch_norm/by_hand", "numpy")
def numpys(x, weight, bias, eps=1e-5):
    a = (0, *range(2, x.dim()))
    y = x.detach().numpy()
    y = (y - y.mean(a, keepdims=True)) / np.sqrt(y.var(a, keepdims=True) + eps)
    s = [1, -1] + [1] * (x.dim() - 2)
    return torch.from_numpy(y) * weight.view(s) + bias.view(s)


# the module


@right("batch_norm/module")
class Subclassed(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(num_features))
        self.bias = nn.Parameter(torch.empty(num_features))
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("axes", torch.tensor([0, 2, 3]), persistent=False)

    def forward(self, x):
        mean, var = self.running_mean, self.running_var
        if self.training:
            n = x.numel() / x.size(1)
            var, mean = torch.var_mean(x, self.axes.tolist(), correction=0)
            m = self.momentum
            old = (1 - m) * self.running_mean
            self.running_mean = (old + m * mean).detach()
            old = (1 - m) * self.running_var
            self.running_var = (old + m * var * n / (n - 1)).detach()
        x = (x - mean[None, :, None, None]) * (var + self.eps).rsqrt().view(1, -1, 1, 1)
        return torch.addcmul(self.bias.view(-1, 1, 1), x, self.weight.view(-1, 1, 1))


@wrong("batch_norm/module", "four|gamma|weight")
class D2l(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(1, num_features, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, num_features, 1, 1))
        self.register_buffer("running_mean", torch.zeros(1, num_features, 1, 1))
        self.register_buffer("running_var", torch.ones(1, num_features, 1, 1))

    def forward(self, x):
        return x


@wrong("batch_norm/module", r"shape \(1, 6, 1, 1\)|shape", "")
class FourAxes(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        s = (1, num_features, 1, 1)
        self.weight = nn.Parameter(torch.ones(s))
        self.bias = nn.Parameter(torch.zeros(s))
        self.register_buffer("running_mean", torch.zeros(s))
        self.register_buffer("running_var", torch.ones(s))

    def forward(self, x):
        return x


@wrong("batch_norm/module", "may not be built|may not be called")
class Wrapped(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.inner = nn.BatchNorm2d(num_features, eps, momentum)

    def forward(self, x):
        return self.inner(x)


@wrong("batch_norm/module", "may not be built|may not be called")
class Inherited(nn.BatchNorm2d):
    pass


@wrong("batch_norm/module", "n - 1.*running|running_var.*unbiased|unbiased", CUT)
class BiasedBuffer(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        if self.training:
            mean = x.mean(dim=(0, 2, 3))
            var = ((x - mean[None, :, None, None]) ** 2).mean(dim=(0, 2, 3))
            keep = 1 - self.momentum
            self.running_mean = (keep * self.running_mean + self.momentum * mean).data
            self.running_var = (keep * self.running_var + self.momentum * var).data
        else:
            mean, var = self.running_mean, self.running_var
        x = (x - mean[:, None, None]) / torch.sqrt(var[:, None, None] + self.eps)
        return x * self.weight[:, None, None] + self.bias[:, None, None]


# prediction


right("batch_norm/eval_output")((-0.707, 0.707))
right("batch_norm/eval_output")(np.array([[-0.70711], [0.70711]]))
right("batch_norm/eval_output")(torch.tensor([-1, 1]) / 2**0.5)
wrong("batch_norm/eval_output", "close|digits")([-0.7, 0.7])
wrong("batch_norm/eval_output", "number|str")(["-0.7071", "0.7071"])
wrong("batch_norm/eval_output", "running_var|biased")([-1, 1])
wrong("batch_norm/eval_output", "list")({-0.7071, 0.7071})


# folding


@wrong("batch_norm/fold", "no_grad", r"self\.weight \* 2")
def fold_recorded(conv, bn):
    z = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        conv.groups,
    )
    scale = bn.weight / (bn.running_var + bn.eps).sqrt()
    z.weight.copy_(conv.weight * scale.view(-1, 1, 1, 1))
    return z


@right("batch_norm/fold")
def torchs_own(conv, bn):
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    return fuse_conv_bn_eval(conv, bn)


@right("batch_norm/fold")
def yolo(conv, bn):
    fused = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        kernel_size=conv.kernel_size,
        stride=conv.stride,
        padding=conv.padding,
        dilation=conv.dilation,
        groups=conv.groups,
        bias=True,
    )
    fused = fused.requires_grad_(False).to(conv.weight.dtype)
    w_conv = conv.weight.clone().view(conv.out_channels, -1)
    w_bn = torch.diag(bn.weight.div(torch.sqrt(bn.eps + bn.running_var)))
    fused.weight.copy_(torch.mm(w_bn, w_conv).view(fused.weight.shape))
    zeros = torch.zeros_like(bn.bias)
    b_conv = zeros if conv.bias is None else conv.bias
    b_bn = bn.bias - bn.weight.mul(bn.running_mean).div(
        torch.sqrt(bn.running_var + bn.eps)
    )
    fused.bias.copy_(torch.mm(w_bn, b_conv.reshape(-1, 1)).reshape(-1) + b_bn)
    return fused


@wrong("batch_norm/fold", "one nn.Conv2d")
def both(conv, bn):
    return nn.Sequential(conv, bn)


@wrong("batch_norm/fold", "None")
def no_none(conv, bn):
    import copy

    z = copy.deepcopy(conv)
    scale = bn.weight / (bn.running_var + bn.eps).sqrt()
    with torch.no_grad():
        z.weight.mul_(scale.view(-1, 1, 1, 1))
        z.bias.copy_((conv.bias - bn.running_mean) * scale + bn.bias)
    return z


@wrong("batch_norm/fold", "nn.Parameter")
def plain_tensor(conv, bn):
    import copy

    z = copy.deepcopy(conv)
    scale = bn.weight / (bn.running_var + bn.eps).sqrt()
    z.weight = conv.weight * scale.view(-1, 1, 1, 1)
    return z


@wrong("batch_norm/fold", "leave out bn.eps")
def without_eps(conv, bn):
    import copy

    z = copy.deepcopy(conv)
    bias = 0 if conv.bias is None else conv.bias
    scale = bn.weight / bn.running_var.sqrt()
    z.weight = nn.Parameter(conv.weight * scale.view(-1, 1, 1, 1))
    z.bias = nn.Parameter((bias - bn.running_mean) * scale + bn.bias)
    return z


# an average of weights


@right("batch_norm/average")
def by_state_dict(average, net, decay):
    new = net.state_dict()
    parameters = dict(average.named_parameters())
    for name, value in average.state_dict().items():
        if name in parameters:
            value.mul_(decay).add_(new[name], alpha=1 - decay)
        else:
            value.copy_(new[name])
    return average


@right("batch_norm/average")
def by_data(average, net, decay):
    for a, p in zip(average.parameters(), net.parameters(), strict=True):
        a.data = decay * a.data + (1 - decay) * p.data
    for a, b in zip(average.buffers(), net.buffers(), strict=True):
        a.data = b.data.clone()
    return average


@wrong("batch_norm/average", "copy the buffers of net")
@torch.no_grad()
def parameters_only(average, net, decay):
    for a, p in zip(average.parameters(), net.parameters(), strict=True):
        a.copy_(decay * a + (1 - decay) * p)
    return average


@wrong("batch_norm/average", "no_grad")
def recorded(average, net, decay):
    for a, p in zip(average.parameters(), net.parameters(), strict=True):
        a.lerp_(p, 1 - decay)
    return average


@wrong("batch_norm/average", "return it itself|return average")
@torch.no_grad()
def returns_net(average, net, decay):
    parameters_only(average, net, decay)
    return net


@wrong("batch_norm/average", "only average may change")
@torch.no_grad()
def other_way_round(average, net, decay):
    for a, p in zip(average.parameters(), net.parameters(), strict=True):
        p.lerp_(a, 1 - decay)
    return average


# a forgotten eval


right("batch_norm/forgotten_eval")((49.3, 1.0))
right("batch_norm/forgotten_eval")([51.0, 48.5, 49.0, 51.8, 46.1])
wrong("batch_norm/forgotten_eval", "sign")((-49.3, 1.0))
wrong("batch_norm/forgotten_eval", "mean")((5.0, 0.5))
wrong("batch_norm/forgotten_eval", "two numbers")(30.0)
