"""The page's torch: the part of PyTorch that a page of the book needs.

Its tensors live in an engine of JavaScript. What is not there raises NotHere.
"""

import _engine
from torch import _builtins, _core
from torch._core import DTYPES, LinAlgError, Size, device, dtype
from torch._state import NotHere, refuse
from torch._tensor import Tensor
from torch._functions import FUNCTIONS
from torch import _random
from torch._random import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from torch._make import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    full,
    full_like,
    get_default_dtype,
    linspace,
    logspace,
    ones,
    ones_like,
    set_default_dtype,
    tensor,
    tril_indices,
    triu_indices,
    zeros,
    zeros_like,
)
from torch import autograd
from torch.autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from torch._types import finfo, iinfo

__version__ = "2.13.0+page"
inf, nan, pi, e = float("inf"), float("nan"), 3.141592653589793, 2.718281828459045
newaxis = None
strided = "torch.strided"
contiguous_format = preserve_format = channels_last = None
globals().update(DTYPES)
float, double, half = DTYPES["float32"], DTYPES["float64"], DTYPES["float16"]
long, int, short = DTYPES["int64"], DTYPES["int32"], DTYPES["int16"]
globals().update(FUNCTIONS)
asarray = as_tensor
from torch._repr import set_printoptions


class _Flags:
    """Settings that are accepted and change nothing here."""

    enabled = deterministic = benchmark = allow_tf32 = False

    def is_available(self):
        """No such hardware is there."""
        return False


class _Backends:
    cudnn, mps, mkldnn, cuda, mkl = (_Flags() for _ in range(5))


backends = _Backends()
mps = _Flags()


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Accepted: all functions are deterministic here."""


def are_deterministic_algorithms_enabled():
    """They always are."""
    return True


def set_num_threads(count):
    """Accepted: there is one."""


def get_num_threads():
    """There is one."""
    return 1


def set_default_device(device):
    """Refuse all but the processor."""
    _core.on_cpu(device)


def set_float32_matmul_precision(precision):
    """Accepted: products are as exact as they can be."""


def is_storage(obj):
    """There are none to be seen."""
    return False


def _legacy(kind):
    def make(*data):
        return Tensor(*data).to(kind)

    return make


for _name, _kind in (
    ("Float", "float32"),
    ("Double", "float64"),
    ("Half", "float16"),
    ("Long", "int64"),
    ("Int", "int32"),
    ("Short", "int16"),
    ("Byte", "uint8"),
    ("Bool", "bool"),
):
    globals()[_name + "Tensor"] = _legacy(DTYPES[_kind])

_LATER = ("linalg", "special", "random", "testing", "cuda", "nn", "optim")


# torch has these of torch.nn.functional too
_IN_FUNCTIONAL = (
    "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d bilinear "
    "avg_pool1d max_pool1d max_pool2d max_pool3d adaptive_avg_pool1d celu prelu rrelu "
    "hardshrink threshold layer_norm rms_norm pixel_shuffle pixel_unshuffle "
    "cosine_similarity pairwise_distance channel_shuffle relu_ celu_ selu_"
).split()


def __getattr__(name):
    if name in _LATER:
        __import__("torch." + name)
        return globals()[name]
    if name in _IN_FUNCTIONAL:
        from torch.nn import functional

        return getattr(functional, name)
    from torch._names import NAMES

    if " " + name + " " in NAMES:
        refuse("torch." + name)
    raise AttributeError("module 'torch' has no attribute '" + name + "'")
