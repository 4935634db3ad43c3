"""Names of torch that are not there in the page."""

from torch._state import refuse


def absent(module, names, name):
    """What a module says to a name that it does not have."""
    if name in names.split():
        refuse(f"{module}.{name}")
    raise AttributeError(f"module '{module}' has no attribute '{name}'")
