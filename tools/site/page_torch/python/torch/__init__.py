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
