"""The module functools."""


def partial(function, *given, **named):
    """A function with some of its arguments."""

    def call(*args, **more):
        both = dict(named)
        both.update(more)
        return function(*given, *args, **both)

    return call


def reduce(function, items, *start):
    """Put a function between all items."""
    items = iter(items)
    if start:
        found = start[0]
    else:
        try:
            found = next(items)
        except StopIteration:
            raise TypeError(
                "reduce() of empty iterable with no initial value"
            ) from None
    for item in items:
        found = function(found, item)
    return found


def cache(function):
    """A function that remembers."""
    kept = {}

    def call(*args, **named):
        key = (args, tuple(sorted(named.items())))
        if key not in kept:
            kept[key] = function(*args, **named)
        return kept[key]

    return call


def lru_cache(maxsize=128, typed=False):
    """The same, with a size that changes nothing here."""
    return cache(maxsize) if callable(maxsize) else cache


def wraps(function, *_, **__):
    """The wrapper itself."""
    return lambda wrapper: wrapper


def cmp_to_key(compare):
    """A key for sorting made of a comparison."""

    class Key:
        def __init__(self, value):
            self.value = value

        def __lt__(self, other):
            return compare(self.value, other.value) < 0

    return Key


cached_property = property
