"""Gradients that are clipped."""

import torch
from torch import Tensor


def _group_tensors_by_device_and_dtype(tensors):
    """Every function here calls it, as torch's do: who replaces it refuses them all."""


def _gradients(parameters):
    found = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    found = [p.grad for p in found if p.grad is not None]
    _group_tensors_by_device_and_dtype(found)
    return found


def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    _group_tensors_by_device_and_dtype(tensors)
    if not tensors:
        return torch.tensor(0.0)
    norms = [torch.linalg.vector_norm(t.detach(), float(norm_type)) for t in tensors]
    total = torch.linalg.vector_norm(torch.stack(norms), float(norm_type))
    if error_if_nonfinite and not bool(torch.isfinite(total)):
        raise RuntimeError(
            f"The total norm of order {float(norm_type)} for gradients from "
            "`parameters` is non-finite, so it cannot be clipped. To disable this "
            "error and scale the gradients by the non-finite norm anyway, set "
            "`error_if_nonfinite=False`"
        )
    return total


def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    factor = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    with torch.no_grad():
        for grad in _gradients(parameters):
            grad.mul_(factor)


def clip_grad_norm_(
    parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None
):
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_value_(parameters, clip_value, foreach=None):
    with torch.no_grad():
        for grad in _gradients(parameters):
            grad.clamp_(-float(clip_value), float(clip_value))
