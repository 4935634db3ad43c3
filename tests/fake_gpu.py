"""A GPU that is none: tensors that say "cuda" and compute on the CPU.

The kernels of `make test device=fake` begin with it. It refuses what a GPU refuses: two
devices in one operation, NumPy's view of a tensor there; a printed tensor names the
device. What it cannot tell is another order of summation, or a missing kernel.
"""

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.parameter import Parameter, is_lazy
from torch.overrides import TorchFunctionMode

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
MOVES = {"to", "cpu", "cuda"}
PACKS = {"_pack_padded_sequence", "_pad_packed_sequence"}
# take tensors of both: an index, a value to copy, the batch sizes of a packed sequence
BOTH = {"__getitem__", "__setitem__", "copy_", "__set__", "lstm", "gru", "rnn_tanh"}
BOTH |= PACKS | {"rnn_relu", "_has_compatible_shallow_copy_type"}


def tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from tensors(item)
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))


def there(x: Tensor) -> bool:
    return "on_gpu" in x.__dict__


def placed(value: Any) -> Any:
    for x in tensors(value):
        x.__dict__["on_gpu"] = True
    return value


def device_of(value: Any) -> torch.device | None:
    """The device that an argument names, or is on."""
    if isinstance(value, Tensor):
        return GPU if there(value) else CPU
    if isinstance(value, torch.device):
        return value
    if isinstance(value, str):
        return torch.device(value)
    return None


class FakeGpu(TorchFunctionMode):
    """Marks tensors that are moved, and what is computed from them."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name == "__get__" and args and isinstance(args[0], Tensor):
            return self.attribute(func, args)
        if name in MOVES and isinstance(args[0], Tensor):
            return self.move(func, name, args, kwargs)
        asked = kwargs.get("device")
        if asked is not None and torch.device(asked).type == "cuda":
            return placed(func(*args, **kwargs | {"device": "cpu"}))
        found = list(tensors([args, kwargs]))
        if not any(map(there, found)):
            return func(*args, **kwargs)
        if name in ("numpy", "__array__"):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        if name in ("__repr__", "__format__") and found[0].ndim:
            return func(*args, **kwargs).replace("tensor(", "tensor(cuda:0, ")
        if name not in BOTH and any(x.ndim and not there(x) for x in found):
            raise RuntimeError(
                f"{name}: Expected all tensors to be on the same device, but found at "
                "least two devices, cuda:0 and cpu!"
            )
        if name in PACKS:  # sizes and lengths stay on the CPU
            if there(args[1]):
                raise RuntimeError("'lengths' argument should be a 1D CPU int64 tensor")
            first, sizes = func(*args, **kwargs)
            return placed(first), sizes
        if name == "__set__":  # what is assigned to .data, .grad
            moved = found[1:] and there(found[1])
            if func.__self__ is Tensor.data and not moved:
                args[0].__dict__.pop("on_gpu", None)
            return func(*map(placed, args)) if moved else func(*args)
        out = func(*args, **kwargs)
        written = name == "__setitem__" or re.search(r"[^_]_$", name)
        return out if written and not there(found[0]) else placed(out)

    def attribute(self, func: Any, args: Any) -> Any:
        x = args[0]
        if not there(x):
            return func(*args)
        if func.__self__ is Tensor.device:
            return GPU
        if func.__self__ is Tensor.is_cuda:
            return True
        if func.__self__ is Tensor.is_cpu:
            return False
        return placed(func(*args))

    def move(self, func: Any, name: str, args: Any, kwargs: Any) -> Any:
        x = args[0]
        named = [device_of(value) for value in [*args[1:], *kwargs.values()]]
        wanted = {"cpu": CPU, "cuda": GPU}.get(name) or next(
            (device for device in named if device is not None), device_of(x)
        )
        if wanted.type == "meta":
            return func(*args, **kwargs)

        def here(value: Any) -> Any:
            if isinstance(value, Tensor):
                return value.dtype
            return CPU if device_of(value) else value

        moved = x
        if name == "to":
            kwargs = {key: here(value) for key, value in kwargs.items()}
            moved = func(x, *map(here, args[1:]), **kwargs)
        if wanted.type == device_of(x).type:
            return placed(moved) if there(x) else moved
        if moved is x and not is_lazy(x):
            moved = x.clone()
        moved.__dict__.pop("on_gpu", None)
        return placed(moved) if wanted.type == "cuda" else moved


def parameter(
    cls: type, *args: Any, made: Any = Parameter.__new__, **kwargs: Any
) -> Any:
    """A parameter is where its values are."""
    new = made(cls, *args, **kwargs)
    return placed(new) if any(map(there, tensors(args))) else new


def parse_to(*args: Any, parse: Any = torch._C._nn._parse_to, **kwargs: Any) -> Any:
    """`module.to(tensor)` takes the tensor's device."""
    device, *rest = parse(*args, **kwargs)
    return GPU if any(map(there, tensors([args, kwargs]))) else device, *rest


torch._C._nn._parse_to = parse_to
Parameter.__new__ = parameter
# attention and Transformer layers would leave their fast path
torch.overrides.has_torch_function = lambda values: False
torch.cuda.is_available = lambda: True
torch.backends.cudnn.is_acceptable = lambda tensor: False
FakeGpu().__enter__()
