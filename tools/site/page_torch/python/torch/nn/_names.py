"""Names of torch that are not there in the page, and names of types."""

from torch import Tensor
from torch._state import refuse

_TENSORS = {
    "float64": "Double",
    "float32": "Float",
    "float16": "Half",
    "bfloat16": "BFloat16",
    "int64": "Long",
    "int32": "Int",
    "int16": "Short",
    "int8": "Char",
    "uint8": "Byte",
    "bool": "Bool",
}


def typename(value):
    """What torch calls the type of a value in its messages."""
    if isinstance(value, Tensor):
        return f"torch.{_TENSORS[value.dtype.name]}Tensor"
    return type(value).__name__


def absent(module, names, name):
    """What a module says to a name that it does not have."""
    if name in names.split():
        refuse(f"{module}.{name}")
    raise AttributeError(f"module '{module}' has no attribute '{name}'")
