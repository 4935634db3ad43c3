"""Sees where an answer takes a value out of the computation that torch records."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

# what gives a value without its history, and how a reader writes it
WRITTEN = {
    "detach": ".detach()",
    "detach_": ".detach_()",
    "data": ".data",
    "tensor": "torch.tensor(...)",
}
# what leaves torch, so that the value cannot be followed
LEFT = {
    "item": ".item()",
    "tolist": ".tolist()",
    "numpy": ".numpy()",
    "__array__": "NumPy",
    "__float__": "float(...)",
}


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
        given = list(_tensors([*args, *kwargs.values()]))
        recorded = any(x.is_leaf is False or x.requires_grad for x in given)
        marks = {mark for x in given for mark in _marks(x)}
        if name in LEFT and (recorded or marks):
            self.left += [LEFT[name], *marks]
        if recorded and name in WRITTEN:
            marks.add(WRITTEN[name])
        elif recorded and not torch.is_grad_enabled():
            marks.add("torch.no_grad()")
        for x in _tensors([result]) if marks else ():
            if x.is_floating_point():
                x.cut_by = marks  # type: ignore[attr-defined]
        return result

    def of(self, value: Any) -> list[str]:
        """By what ways a result has been cut off, as a reader writes them."""
        return sorted({*self.left, *(m for x in _tensors([value]) for m in _marks(x))})


def forget(values: Iterable[Tensor]) -> None:
    """Take the marks off values that an earlier call has filled."""
    for value in values:
        vars(value).pop("cut_by", None)


def _marks(x: Tensor) -> Iterable[str]:
    found: Iterable[str] = getattr(x, "cut_by", ())
    return found


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors(value)
        elif isinstance(value, Mapping):
            yield from _tensors(value.values())
