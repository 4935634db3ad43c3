"""Gradients that are clipped, and all parameters in one vector."""

import torch
from torch import Tensor
from torch.nn._names import absent, typename
from torch.nn.utils import clip_grad, rnn
from torch.nn.utils.clip_grad import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
)

_MISSING = (
    "convert_conv2d_weight_memory_format convert_conv3d_weight_memory_format "
    "fuse_conv_bn_eval fuse_conv_bn_weights fuse_linear_bn_eval fuse_linear_bn_weights "
    "fusion init parametrizations parametrize prune remove_spectral_norm "
    "remove_weight_norm skip_init spectral_norm stateless weight_norm"
)


def __getattr__(name):
    return absent("torch.nn.utils", _MISSING, name)


def parameters_to_vector(parameters):
    return torch.cat([p.view(-1) for p in parameters])


def vector_to_parameters(vec, parameters):
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {typename(vec)}")
    start = 0
    for p in parameters:
        p.data = vec[start : start + p.numel()].view_as(p).data
        start += p.numel()
