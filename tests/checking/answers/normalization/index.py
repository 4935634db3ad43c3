"""Foreign answers to the exercises on normalization as a family."""

import numpy as np
import torch
from answers import right, wrong
from torch.nn import functional as F


@wrong(
    "normalization/normalize",
    "numpy|torch's functions",
    r"line \d{3,} of your code|dtype=x\.dtype",
)
def numpy_mean(x, dims, eps=1e-5):
    y = x - np.mean(x, axis=dims, keepdims=True)
    return y / np.sqrt(np.var(x, axis=dims, keepdims=True) + eps)


@right("normalization/normalize")
def moved(x, dims, eps=1e-5):
    dims = [d % x.dim() for d in dims]
    kept = [d for d in range(x.dim()) if d not in dims]
    y = x.permute(*kept, *dims)
    rows = y.reshape(*[x.shape[d] for d in kept], -1)
    rows = rows - rows.mean(-1, keepdim=True)
    rows = rows / (rows.square().mean(-1, keepdim=True) + eps).sqrt()
    back = torch.tensor([*kept, *dims]).argsort().tolist()
    return rows.reshape(y.shape).permute(*back)


@right("normalization/normalize")
def summed(x, dims, eps=1e-5):
    count = 1
    for d in dims:
        count *= x.shape[d]
    z = x - torch.sum(x, dims, keepdim=True) / count
    return z * torch.rsqrt(torch.sum(z * z, dims, keepdim=True) / count + eps)


@wrong("normalization/normalize", "n - 1.*eps|eps.*n - 1")
def std_eps(x, dims, eps=1e-5):
    return (x - x.mean(dims, True)) / (x.std(dims, keepdim=True) + eps)


@wrong("normalization/normalize", "default|1e-5")
def other_default(x, dims, eps=1e-6):
    return summed(x, dims, eps)


@wrong("normalization/normalize", "default|1e-5")
def tiny_default(x, dims, eps=1e-12):
    return summed(x, dims, eps)


@wrong("normalization/normalize", "leave eps out")
def without(x, dims, eps=1e-5):
    return summed(x, dims, 0)


@wrong("normalization/normalize", "keepdim")
def no_keepdim(x, dims, eps=1e-5):
    return (x - x.mean(dims)) / torch.sqrt(x.var(dims, correction=0) + eps)


@wrong("normalization/normalize", "standard deviation|square root", "something else")
def biased_std_eps(x, dims, eps=1e-5):
    return (x - x.mean(dims, True)) / (x.std(dims, correction=0, keepdim=True) + eps)


@wrong("normalization/normalize", "may not be called")
def by_layer_norm(x, dims, eps=1e-5):
    dims = [d % x.dim() for d in dims]
    order = [d for d in range(x.dim()) if d not in dims] + dims
    y = x.permute(order)
    y = F.layer_norm(y, y.shape[len(order) - len(dims) :], eps=eps)
    return y.permute(torch.tensor(order).argsort().tolist())


@wrong("normalization/normalize", "first of `dims`")
def one_axis(x, dims, eps=1e-5):
    mean = x.mean(dims[0], keepdim=True)
    var = x.var(dims[0], keepdim=True, correction=0)
    return (x - mean) / torch.sqrt(var + eps)


@wrong("normalization/normalize", "one axis after another")
def one_after_another(x, dims, eps=1e-5):
    for d in dims:
        mean, var = x.mean(d, True), x.var(d, keepdim=True, correction=0)
        x = (x - mean) / torch.sqrt(var + eps)
    return x


right("normalization/count")((6, 8, 48, 24, 240))
right("normalization/count")(np.array([6, 8, 48, 24, 240]))
wrong("normalization/count", "number|str")(["6", "8", "48", "24", "240"])
wrong("normalization/count", "list")({6, 8, 48, 24, 240})
wrong("normalization/count", "")([6, 8, 48, 24, 30])


# does the batch matter?


@right("normalization/looks")
def by_gradient(layer, x):
    x = x.clone().requires_grad_()
    weight = torch.randn_like(x[0])
    (gradient,) = torch.autograd.grad((layer(x)[0] * weight).sum(), x)
    return bool(gradient[1:].abs().max() > 0)


@right("normalization/looks")
def in_other_company(layer, x):
    other = torch.cat([x[:1], -2 * x[1:]])
    return not torch.allclose(layer(other)[0], layer(x)[0])


@wrong("normalization/looks", "second name|copy")
def aliased(layer, x):
    other = x
    other[1:] *= 2
    return not torch.allclose(layer(other)[0], layer(x)[0])


@wrong("normalization/looks", "compare outputs")
def by_mode(layer, x):
    return layer.training and "BatchNorm" in type(layer).__name__


@wrong("normalization/looks", "mode")
def in_training(layer, x):
    layer.train()
    return in_other_company(layer, x)
