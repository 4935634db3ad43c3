"""Tensors that a module registers when they are assigned to it."""

import torch
from torch import Tensor


class Parameter(Tensor):
    """A tensor that is a parameter of the module it is assigned to."""

    def __init__(self, data=None, requires_grad=True):
        data = torch.empty(0) if data is None else data
        self._t = data.detach()._t
        self.requires_grad_(requires_grad)

    def __repr__(self):
        return "Parameter containing:\n" + Tensor.__repr__(self)

    def __deepcopy__(self, memo):
        new = type(self)(self.data.clone(), self.requires_grad)
        memo[id(self)] = new
        return new


class Buffer(Tensor):
    """A tensor that is a buffer of the module it is assigned to."""

    def __init__(self, data=None, *, persistent=True):
        data = torch.empty(0) if data is None else data
        self._t = data.detach()._t
        self.requires_grad_(data.requires_grad)
        self.persistent = persistent
