"""A known state of torch for an answer, and what it may not call."""

import torch
from torch import _state, nn


class Refused(Exception):
    """An answer that cannot be checked; the text is shown to the reader as it is."""


class isolated:
    """Run with known global state of torch, and put the old one back.

    Args:
        forbid: parts of names of torch's functions, parts of their paths such as
            ``"autograd."``, and names of module classes.
        watch: hears of each call after it.
    """

    def __init__(self, forbid=(), watch=None):
        self.forbid, self.watch = forbid, watch

    def __enter__(self):
        self.random = torch.get_rng_state()
        self.build = nn.Module.__init__
        if any([part[:1].isupper() for part in self.forbid]):
            nn.Module.__init__ = _builder(self.build, self.forbid)
        reset()
        torch.manual_seed(0)
        before = _refusing(self.forbid) if self.forbid else None
        _state.hooks(before, self.watch and self.watch.after)

    def __exit__(self, *error):
        _state.hooks()
        nn.Module.__init__ = self.build
        torch.set_rng_state(self.random)
        reset()


def reset():
    """Put back what an answer may have set for all code after it."""
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)


def _refusing(parts):
    def before(name, path):
        if any([part in (path if "." in part else name) for part in parts]):
            raise Refused(f"Write it by hand: torch's {name} may not be called here.")

    return before


def _builder(build, parts):
    def built(module, *args, **kwargs):
        names = [base.__name__ for base in _bases(type(module))]
        if any([part in names for part in parts]):
            raise Refused(f"Write it by hand: {names[0]} may not be built here.")
        return build(module, *args, **kwargs)

    return built


def _bases(kind):
    """A class and all that it inherits from."""
    found = [kind]
    for base in getattr(kind, "__bases__", ()):
        found += _bases(base)
    return found
