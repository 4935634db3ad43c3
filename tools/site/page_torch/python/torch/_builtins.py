"""Builtins that MicroPython cannot teach about tensors, replaced when torch comes in.

A class with ``__float__`` would make ``1.0 - x`` a plain number there, so that Tensor
has none, and ``float(x)`` asks the tensor itself. A shape is no tuple there.
"""

import builtins

real_float, real_isinstance = builtins.float, builtins.isinstance
real_min, real_max = builtins.min, builtins.max
TENSOR = []  # the classes Tensor and Size, once they are there


def float(value=0.0):
    """A number or a text as a number with a point."""
    if real_isinstance(value, TENSOR[0]):
        return real_float(value.as_number("__float__"))
    return real_float(value)


def isinstance(value, classes):
    """Whether a value is of one of the classes."""
    if real_isinstance(classes, tuple):
        return any([isinstance(value, one) for one in classes])
    if classes is float:
        return real_isinstance(value, real_float)
    if classes is int:  # there a bool is no int
        return real_isinstance(value, (int, bool))
    if classes is tuple and real_isinstance(value, TENSOR[1]):
        return True
    return real_isinstance(value, classes)


def _extreme(real, better):
    def extreme(*values, key=None, **more):
        if key is not None:
            return real(*values, key=key, **more)
        if len(values) == 1:
            values = list(values[0])
        if not any([real_isinstance(x, TENSOR[0]) for x in values]):
            return real(values, **more)
        best = values[0]
        for value in values[1:]:
            if better(value, best):
                best = value
        return best

    return extreme


def _less(a, b):
    # the tensor stands on the left: MicroPython does not turn comparisons around
    return a < b if real_isinstance(a, TENSOR[0]) else b > a


def vars(holder):
    """What a thing holds under names."""
    return holder.__dict__


builtins.float = float
builtins.isinstance = isinstance
builtins.vars = vars
builtins.min = _extreme(real_min, _less)
builtins.max = _extreme(real_max, lambda a, b: _less(b, a))
