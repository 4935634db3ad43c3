"""Sees where an answer takes a value out of the computation that torch records."""

import torch
from torch import Tensor

from layers_book.checking.ways import FILLS, LEFT, WRITTEN


def tensors(value):
    """The tensors in a value, however deep in its lists and dicts."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    found = []
    if isinstance(value, (tuple, list)):
        for item in value:
            found += tensors(item)
    return found


class Watch:
    """Follows what has been cut off from the gradient to the result."""

    def __init__(self):
        self.left = []

    def after(self, name, args, kwargs, result):
        """Mark what a call gives by the ways that cut off what it was given."""
        given = tensors((args, kwargs))
        recorded = any([x.requires_grad for x in given])
        marks = set()
        for x in given:
            marks |= _marks(x)
        if name in LEFT and (recorded or marks):
            self.left += [LEFT[name]] + list(marks)
        if recorded and name in WRITTEN:
            marks.add(WRITTEN[name])
        elif recorded and not torch.is_grad_enabled() and name not in FILLS:
            marks.add("torch.no_grad()")
        for x in tensors(result) if marks else ():
            if x.is_floating_point():
                x.cut_by, x.cut_here = marks, not x.requires_grad

    def of(self, value):
        """By what ways a result has been cut off, as a reader writes them."""
        marks = set(self.left)
        for x in tensors(value):
            marks |= _marks(x)
        self.left = []
        return sorted(marks)


def forget(values):
    """Take the marks off values that an earlier call has filled."""
    for value in values:
        value.cut_by = set()


def _marks(x):
    found = getattr(x, "cut_by", None)
    if not found or (x.cut_here and x.grad_fn is not None):
        return set()
    return found
