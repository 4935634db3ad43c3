"""Sees where an answer takes a value out of the computation that torch records."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from layers_book.checking.ways import FILLS, LEFT, WRITTEN


def tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in a value, however deep in its lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors(item)
    elif isinstance(value, Mapping):
        yield from tensors(list(value.values()))


class Watch(TorchFunctionMode):
    """Follows what has been cut off from the gradient to the result.

    A value is marked by the way that cut it off, and so is what is computed from it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.left: list[str] = []

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if name == "__get__":
            name = getattr(func.__self__, "__name__", "")
        given = list(tensors((args, kwargs)))
        recorded = any(x.requires_grad for x in given)
        marks = {mark for x in given for mark in _marks(x)}
        if name in LEFT and (recorded or marks):
            self.left += [LEFT[name], *marks]
        if recorded and name in WRITTEN:
            marks.add(WRITTEN[name])
        elif recorded and not torch.is_grad_enabled() and name not in FILLS:
            marks.add("torch.no_grad()")
        for x in tensors(result) if marks else ():
            if x.is_floating_point():
                vars(x).update(cut_by=marks, cut_here=not x.requires_grad)
        return result

    def of(self, value: Any) -> list[str]:
        """By what ways a result has been cut off, as a reader writes them."""
        marks = {*self.left, *(m for x in tensors(value) for m in _marks(x))}
        self.left.clear()
        return sorted(marks)


def forget(values: Iterable[Tensor]) -> None:
    """Take the marks off values that an earlier call has filled."""
    for value in values:
        vars(value).pop("cut_by", None)


def _marks(x: Tensor) -> Iterable[str]:
    found: Iterable[str] = vars(x).get("cut_by", ())
    if found and vars(x)["cut_here"] and x.grad_fn is not None:
        return ()  # made within a torch.autograd.Function, which records it as one step
    return found
