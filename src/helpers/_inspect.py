"""What a layer does to shapes, and what it learns and stores."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


def output_shape(
    layer: nn.Module,
    *input_shapes: tuple[int, ...],
    dtype: torch.dtype = torch.float32,
) -> Any:
    """Shape of what ``layer`` returns, computed on the meta device.

    No numbers are computed and ``layer`` is left as it is, so this works for every
    layer and any size without formulas to keep right.

    Args:
        layer: any module.
        input_shapes: one tuple of sizes for each positional input.
        dtype: of all inputs; ``torch.long`` for indices.

    Returns:
        A tuple of sizes; where the layer returns a tuple of tensors, a tuple of those.

    Raises:
        TypeError: no input shape, or one that is not a tuple of whole numbers.
        Exception: whatever ``layer`` itself raises for such an input.

    Source: https://docs.pytorch.org/docs/stable/meta.html

    >>> output_shape(nn.BatchNorm2d(3), (8, 3, 32, 32))
    (8, 3, 32, 32)
    >>> output_shape(nn.LSTM(4, 5), (7, 2, 4))
    ((7, 2, 5), ((1, 2, 5), (1, 2, 5)))
    """
    return _shapes(_on_meta(layer, input_shapes, dtype))


def flops(
    layer: nn.Module,
    *input_shapes: tuple[int, ...],
    dtype: torch.dtype = torch.float32,
) -> int:
    """Floating-point operations of one forward pass, by torch's own counter.

    Products and sums of convolutions, matrix products, attention and recurrent layers;
    a multiplication with its addition is two. Biases, normalization, pooling and
    activations count 0. Computed on the meta device, so any size is quick.

    Args:
        layer: any module; it is left as it is.
        input_shapes: one tuple of sizes for each positional input.
        dtype: of all inputs.

    Raises:
        TypeError: ``layer`` is no module, or an input shape is no tuple of sizes.
        Exception: whatever ``layer`` itself raises for such an input.

    Source: https://github.com/pytorch/pytorch/blob/main/torch/utils/flop_counter.py

    >>> flops(nn.Linear(3, 2), (10, 3))
    120
    """
    if not isinstance(layer, nn.Module):
        raise TypeError(f"layer is {layer!r}: it must be an nn.Module")
    from torch.utils.flop_counter import FlopCounterMode  # brings triton, if there

    with FlopCounterMode(display=False) as counter:
        _on_meta(layer, input_shapes, dtype)
    return int(counter.get_total_flops())


def _on_meta(
    layer: nn.Module, input_shapes: tuple[tuple[int, ...], ...], dtype: torch.dtype
) -> Any:
    if not input_shapes:
        raise TypeError("input_shapes is empty: give one tuple of sizes an input")
    for shape in input_shapes:
        if not isinstance(shape, tuple | list) or not all(
            isinstance(size, int) for size in shape
        ):
            raise TypeError(
                f"input_shapes has {shape!r}: each must be a tuple of whole numbers, "
                "such as (8, 3, 32, 32)"
            )
    meta = copy.deepcopy(layer).to("meta")
    inputs = [torch.empty(shape, dtype=dtype, device="meta") for shape in input_shapes]
    with torch.no_grad():
        return meta(*inputs)


def _shapes(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    if isinstance(value, tuple | list):
        return tuple(_shapes(item) for item in value)
    return value


@dataclass(frozen=True)
class ParameterCount:
    """How many numbers a layer learns (``parameters``) and stores (``buffers``)."""

    parameters: Mapping[str, int]
    buffers: Mapping[str, int]

    @property
    def total(self) -> int:
        """Learned numbers in all; a tensor shared by two layers counts once."""
        return sum(self.parameters.values())

    def __repr__(self) -> str:
        learned = " + ".join(f"{name} {n}" for name, n in self.parameters.items())
        text = f"{learned} = {self.total}" if len(self.parameters) > 1 else learned
        stored = ", ".join(f"{name} {n}" for name, n in self.buffers.items())
        return (text or "no parameters") + (f"; buffers: {stored}" if stored else "")


def parameter_count(layer: nn.Module) -> ParameterCount:
    """Count the numbers a layer learns, by parameter, and its buffers apart.

    Args:
        layer: any module; nested names are joined by dots.

    Returns:
        A ``ParameterCount``; ``.total`` is the number of learned numbers.

    Raises:
        TypeError: ``layer`` is not a module.

    >>> parameter_count(nn.Linear(3, 2))
    weight 6 + bias 2 = 8
    >>> parameter_count(nn.BatchNorm1d(4, affine=False))
    no parameters; buffers: running_mean 4, running_var 4, num_batches_tracked 1
    """
    if not isinstance(layer, nn.Module):
        raise TypeError(f"layer is {layer!r}: it must be an nn.Module")
    return ParameterCount(
        {name: p.numel() for name, p in layer.named_parameters()},
        {name: b.numel() for name, b in layer.named_buffers()},
    )
