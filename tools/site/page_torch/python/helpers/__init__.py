"""The helpers of the book that exercises use."""

import copy
from collections import namedtuple

import torch
from torch._state import refuse

IMAGES, TRAIN = 1797, 1200
OTHERS = (
    "assert_same assert_shape begin draw_flow draw_grid draw_normalized_axes"
    " draw_runs figures flops guess layer_names parameter_count shows_error table"
    " transposed_count window_count"
).split()
Difference = namedtuple("Difference", ("mean", "error"))


def digits(dtype=torch.float64):
    """Handwritten digits: training images and labels, test images and labels."""
    with open("/digits.bin", "rb") as file:
        data = file.read()
    pixels = torch.tensor(list(data[: IMAGES * 64]), dtype=torch.uint8)
    images = pixels.reshape(IMAGES, 1, 8, 8).to(dtype) / 16
    labels = torch.tensor(list(data[IMAGES * 64 :]), dtype=torch.int64)
    return images[:TRAIN], labels[:TRAIN], images[TRAIN:], labels[TRAIN:]


def paired(a, b):
    """The mean of ``a - b`` over seeds, with its standard error."""
    a, b = [torch.as_tensor(v).detach().double() for v in (a, b)]
    if a.ndim != 1 or tuple(a.shape) != tuple(b.shape) or len(a) < 2:
        raise ValueError(
            f"a and b have shapes {tuple(a.shape)} and {tuple(b.shape)}: give both "
            "one number for each seed, for at least two seeds"
        )
    difference = a - b
    error = difference.std() / len(a) ** 0.5
    return Difference(difference.mean().item(), error.item())


def steps(number):
    """How many steps to train."""
    return number


def output_shape(layer, *input_shapes, dtype=torch.float32):
    """The shape of what a layer gives, tried on zeros with a copy of it."""
    for shape in input_shapes:
        if not isinstance(shape, tuple):
            raise TypeError(f"input_shapes holds {shape!r}: give a tuple of sizes each")
    if not input_shapes:
        raise TypeError("give the shape of the input, such as (8, 3, 32, 32)")
    state = torch.get_rng_state()
    given = [torch.zeros(shape, dtype=dtype) for shape in input_shapes]
    try:
        with torch.no_grad():
            return _shapes(copy.deepcopy(layer)(*given))
    finally:
        torch.set_rng_state(state)


def _shapes(value):
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    return tuple([_shapes(part) for part in value])


def __getattr__(name):
    if name in OTHERS:
        refuse("helpers." + name)
    raise AttributeError("module 'helpers' has no attribute '" + name + "'")
