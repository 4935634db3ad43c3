"""There is no GPU in the page: torch.cuda."""

from torch._state import refuse


def is_available():
    """Never."""
    return False


def device_count():
    """None."""
    return 0


def manual_seed(seed):
    """Nothing to seed."""


manual_seed_all = manual_seed


def synchronize(device=None):
    """Nothing to wait for."""


def __getattr__(name):
    from torch._names import CUDA

    if " " + name + " " in CUDA:
        refuse("torch.cuda." + name)
    raise AttributeError("module 'torch.cuda' has no attribute '" + name + "'")
