"""The module copy."""

from collections import OrderedDict

ATOMS = (int, float, str, bytes, bool, type, type(None), type(...), range, complex)
FUNCTIONS = (
    type(lambda: None),
    type(len),
    type(ATOMS.count),
    type((lambda x: lambda: x)(0)),
)


class Error(Exception):
    """What cannot be copied."""


def copy(x):
    """A copy that holds the same things."""
    if isinstance(x, ATOMS + FUNCTIONS + (tuple, frozenset)):
        return x
    if hasattr(x, "__copy__"):
        return x.__copy__()
    if type(x) in (list, dict, set, OrderedDict):
        return x.copy()
    if isinstance(x, dict):
        return _like(x, [(key, x[key]) for key in x])
    found = object.__new__(type(x))
    for name, value in _own(x):
        setattr(found, name, value)
    return found


def deepcopy(x, memo=None):
    """A copy of a thing and of all that it holds."""
    memo = {} if memo is None else memo
    if isinstance(x, ATOMS + FUNCTIONS):
        return x
    if id(x) in memo:
        return memo[id(x)]
    if hasattr(x, "__deepcopy__"):
        found = x.__deepcopy__(memo)
        memo[id(x)] = found
        return found
    kind = type(x)
    if kind is tuple:
        found = tuple([deepcopy(item, memo) for item in x])
    elif kind in (set, frozenset):
        found = kind([deepcopy(item, memo) for item in x])
    elif isinstance(x, list):
        found = memo[id(x)] = []
        for item in x:
            found.append(deepcopy(item, memo))
    elif isinstance(x, dict):
        found = memo[id(x)] = kind()
        for key in x:
            found[deepcopy(key, memo)] = deepcopy(x[key], memo)
    else:
        found = memo[id(x)] = object.__new__(kind)
        for name, value in _own(x):
            setattr(found, name, deepcopy(value, memo))
    memo[id(x)] = found
    return found


def _like(x, pairs):
    found = type(x)()
    for key, value in pairs:
        found[key] = value
    return found


def _own(x):
    if not hasattr(x, "__dict__"):
        raise Error(f"un(deep)copyable object of type {type(x)}")
    return list(x.__dict__.items())
