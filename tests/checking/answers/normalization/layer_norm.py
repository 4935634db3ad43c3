"""Foreign answers to the exercises on LayerNorm and RMSNorm."""

import numpy as np
import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F

CUT = "cut off from the gradient"


@wrong("layer_norm/by_hand", "eps.*n - 1|n - 1.*eps")
def annotated(x, normalized_shape, weight, bias, eps=1e-5):
    a = tuple(range(-len(normalized_shape), 0))
    y = (x - x.mean(a, True)) / (x.std(a, keepdim=True) + eps)
    return weight * y + bias


@wrong("layer_norm/by_hand", "default|1e-5")
def annotated_default(x, normalized_shape, weight, bias, eps=1e-6):
    a = tuple(range(-len(normalized_shape), 0))
    mean, var = x.mean(a, True), x.var(a, correction=0, keepdim=True)
    return weight * (x - mean) / (var + eps).sqrt() + bias


@wrong("layer_norm/by_hand", "default|1e-5")
def bert_default(x, normalized_shape, weight, bias, eps=1e-12):
    return annotated_default(x, normalized_shape, weight, bias, eps)


@right("layer_norm/by_hand")
def labml(x, normalized_shape, weight, bias, eps=1e-5):
    dims = [-(i + 1) for i in range(len(normalized_shape))]
    mean = x.mean(dim=dims, keepdim=True)
    mean_x2 = ((x - mean) ** 2).mean(dim=dims, keepdim=True)
    return weight * ((x - mean) / torch.sqrt(mean_x2 + eps)) + bias


@right("layer_norm/by_hand")
def flat(x, normalized_shape, weight, bias, eps=1e-5):
    y = x.flatten(-len(normalized_shape))
    var, mean = torch.var_mean(y, -1, keepdim=True, correction=0)
    y = torch.mul(y - mean, torch.rsqrt(var + eps))
    return torch.addcmul(bias, y.reshape(x.shape), weight)


@right("layer_norm/by_hand")
def row_by_row(x, normalized_shape, weight, bias, eps=1e-5):
    rows = x.reshape(-1, *normalized_shape)
    done = [(r - r.mean()) / (r.var(unbiased=False) + eps) ** 0.5 for r in rows]
    return torch.stack(done).view_as(x) * weight + bias


@wrong("layer_norm/by_hand", "last axis|len\\(normalized_shape\\)")
def last_axis(x, normalized_shape, weight, bias, eps=1e-5):
    var, mean = torch.var_mean(x, -1, keepdim=True, correction=0)
    return (x - mean) / (var + eps).sqrt() * weight + bias


@wrong("layer_norm/by_hand", "keepdim")
def no_keepdim(x, normalized_shape, weight, bias, eps=1e-5):
    a = tuple(range(-len(normalized_shape), 0))
    mean, var = x.mean(a), x.var(a, correction=0)
    return (x - mean) / torch.sqrt(var + eps) * weight + bias


@wrong("layer_norm/by_hand", "eps")
def without_eps(x, normalized_shape, weight, bias, eps=1e-5):
    a = tuple(range(-len(normalized_shape), 0))
    return (x - x.mean(a, True)) / x.std(a, False, True) * weight + bias


@wrong("layer_norm/by_hand", "may not be called")
def by_ops(x, normalized_shape, weight, bias, eps=1e-5):
    return torch.ops.aten.layer_norm(x, list(normalized_shape), weight, bias, eps)


@wrong("layer_norm/by_hand", "may not be called")
def by_native(x, normalized_shape, weight, bias, eps=1e-5):
    return torch.native_layer_norm(x, normalized_shape, weight, bias, eps)[0]


@wrong("layer_norm/by_hand", "may not be called|may not be built")
def by_layer(x, normalized_shape, weight, bias, eps=1e-5):
    layer = nn.LayerNorm(normalized_shape, eps, elementwise_affine=False)
    return layer(x) * weight + bias


@wrong("layer_norm/rms_norm", "eps", CUT)
class NoEps(nn.Module):
    def __init__(self, dim, eps=None):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return F.normalize(x, dim=-1) * x.shape[-1] ** 0.5 * self.weight


@wrong("layer_norm/rms_norm", "finfo|precision|1e-6")
class LlamaEps(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, True) + self.eps) * self.weight


@wrong("layer_norm/rms_norm", "float32|finfo|1e-6")
class Llama(nn.Module):
    def __init__(self, dim: int, eps: float = 1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def _norm(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)

    def forward(self, x):
        output = self._norm(x.float()).type_as(x)
        return output * self.weight


@wrong("layer_norm/rms_norm", "scale|weight", CUT)
class OtherName(nn.Module):
    def __init__(self, dim, eps=None):
        super().__init__()
        self.eps = eps
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        eps = self.eps or torch.finfo(x.dtype).eps
        return x / (x.square().mean(-1, True) + eps) ** 0.5 * self.scale


@wrong("layer_norm/rms_norm", "float32")
class ByNorm(nn.Module):
    def __init__(self, dim, eps=None):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps, self.dim = eps, dim

    def forward(self, x):
        eps = self.eps
        if eps is None:
            eps = torch.finfo(x.dtype).eps
        square = torch.einsum("...i,...i->...", x, x)[..., None] / self.dim
        return self.weight * x * (square + eps).rsqrt()


@right("layer_norm/rms_norm")
class Promoted(nn.Module):
    def __init__(self, dim, eps=None):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps, self.dim = eps, dim

    def forward(self, x):
        z = x.to(torch.promote_types(x.dtype, torch.float32))
        eps = self.eps
        if eps is None:
            eps = torch.finfo(z.dtype).eps
        square = torch.einsum("...i,...i->...", z, z)[..., None] / self.dim
        return (self.weight * z * (square + eps).rsqrt()).type_as(x)


@right("layer_norm/rms_norm")
class WeightLast(nn.Module):
    def __init__(self, dim, eps=None):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x):
        z = x if x.dtype == torch.float64 else x.float()
        eps = torch.finfo(z.dtype).eps if self.eps is None else self.eps
        return (z * (z.pow(2).mean(-1, True) + eps).rsqrt()).to(x.dtype) * self.weight


@wrong("layer_norm/rms_norm", "under the root|inside|eps")
class NormPlusEps(nn.Module):
    def __init__(self, dim, eps=None):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        eps = torch.finfo(x.dtype).eps if self.eps is None else self.eps
        rms = x.norm(2, dim=-1, keepdim=True) * x.shape[-1] ** -0.5
        return self.weight * x / (rms + eps)


@wrong("layer_norm/rms_norm", "dim|may not be called")
class Inherited(nn.RMSNorm):
    pass


@wrong("layer_norm/rms_norm", "None|eps")
class NoNone(nn.Module):
    def __init__(self, dim, eps=None):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return x / torch.sqrt(x.square().mean(-1, True) + self.eps) * self.weight


@wrong("layer_norm/rms_norm", "default|in forward|finfo|float32")
class EpsInInit(nn.Module):
    def __init__(self, dim, eps=None):
        super().__init__()
        self.eps = torch.finfo(torch.get_default_dtype()).eps if eps is None else eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return x / torch.sqrt(x.square().mean(-1, True) + self.eps) * self.weight


@right("layer_norm/channels")
def transposed(x, weight, bias):
    y = F.layer_norm(x.transpose(1, 3), weight.shape, weight, bias)
    return y.transpose(1, 3)


@right("layer_norm/channels")
def channels_by_hand(x, weight, bias):
    var, mean = torch.var_mean(x, 1, correction=0, keepdim=True)
    y = (x - mean) / (var + 1e-5).sqrt()
    return y * weight[:, None, None] + bias[:, None, None]


@wrong("layer_norm/channels", "permute|reshape")
def viewed(x, weight, bias):
    y = x.contiguous().view(len(x), -1, x.shape[1])
    return F.layer_norm(y, weight.shape, weight, bias).view(x.shape)


wrong("layer_norm/dimmed")((0.0, 1.0))
wrong("layer_norm/dimmed", "sign|turn")((-53.7, 5.6))
right("layer_norm/dimmed")((53.0, 5.0))
right("layer_norm/twins")([[0, 1, 2, 3], [5, 6, 7, 8]])
right("layer_norm/twins")(np.array([[0.0, 1, 0, 1], [10, 11, 10, 11]]))
right("layer_norm/twins")(([0, 1, 2, 4], [-3, -2, -1, 1]))
right("layer_norm/twins")(torch.tensor([[1, 2, 3, 4], [2, 3, 4, 5]]))
right("layer_norm/twins")(
    nn.Parameter(torch.tensor([[1.0, 2, 3, 4], [-9, -8, -7, -6]]))
)
wrong("layer_norm/twins", r"\(2, 4\)")(torch.rand(2, 3))
wrong("layer_norm/twins", "apart|RMSNorm")(
    torch.tensor([[1.0, 2, 3, 4], [10, 20, 30, 40]])
)
wrong("layer_norm/twins", "apart|LayerNorm")(
    torch.tensor([[1.0, 2, 3, 4], [-1, -2, -3, -4]])
)
wrong("layer_norm/twins", r"\(2, 4\)")("1 2 3 4")
wrong("layer_norm/twins", "finite")(torch.full((2, 4), torch.nan))
wrong("layer_norm/twins", r"numbers|\(2, 4\)")({1, 2})
wrong("layer_norm/twins", "zeros")(torch.tensor([[1.0] * 4, [3.0] * 4]))
wrong("layer_norm/twins")(nn.LayerNorm(4))
