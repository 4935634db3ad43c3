"""Gradients of convolutions with respect to input and weight."""

import torch
from torch.nn import functional


def _gradient(n, name):
    def of_input(
        input_size, weight, grad_output, stride=1, padding=0, dilation=1, groups=1
    ):
        input = torch.zeros(input_size, dtype=weight.dtype)
        return _through(
            input, input, weight, grad_output, stride, padding, dilation, groups
        )

    def of_weight(
        input, weight_size, grad_output, stride=1, padding=0, dilation=1, groups=1
    ):
        weight = torch.zeros(weight_size, dtype=input.dtype)
        return _through(
            weight, input, weight, grad_output, stride, padding, dilation, groups
        )

    def _through(wanted, input, weight, grad_output, *sizes):
        create = torch.is_grad_enabled()
        with torch.enable_grad():
            wanted.requires_grad_()
            out = getattr(functional, f"conv{n}d")(input, weight, None, *sizes)
            return torch.autograd.grad(out, wanted, grad_output, create_graph=create)[0]

    globals()[f"conv{n}d_{name}"] = of_input if name == "input" else of_weight


for _n in (1, 2, 3):
    _gradient(_n, "input")
    _gradient(_n, "weight")
