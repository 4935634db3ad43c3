"""The module collections, with what MicroPython's lacks."""

from ucollections import OrderedDict, deque, namedtuple


class defaultdict(OrderedDict):
    """A dict that makes what it lacks."""

    def __init__(self, default_factory=None, *given, **named):
        super().__init__()
        self.default_factory = default_factory
        for part in given:
            self.update(part)
        for key, value in named.items():
            self[key] = value

    def __getitem__(self, key):
        if key not in self and self.default_factory is not None:
            self[key] = self.default_factory()
        return super().__getitem__(key)


class Counter(OrderedDict):
    """How often items occur."""

    def __init__(self, given=()):
        super().__init__()
        self.update(given)

    def update(self, given):
        """Count more items."""
        if hasattr(given, "items"):
            for key, number in given.items():
                self[key] = self[key] + number
            return
        for item in given:
            self[item] = self[item] + 1

    def __getitem__(self, key):
        return self.get(key, 0)

    def most_common(self, n=None):
        """Items with their numbers, the most frequent first."""
        pairs = sorted(self.items(), key=lambda pair: -pair[1])
        return pairs if n is None else pairs[:n]

    def elements(self):
        """Each item as often as it occurs."""
        for key, number in self.items():
            for _ in range(number):
                yield key

    def total(self):
        """How many items there are."""
        return sum(self.values())
