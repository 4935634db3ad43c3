"""The module itertools."""

_NONE = []


def count(start=0, step=1):
    """Numbers without end."""
    while True:
        yield start
        start += step


def cycle(items):
    """Items over and over."""
    kept = list(items)
    while kept:
        yield from kept


def repeat(item, times=None):
    """An item over and over."""
    while times is None or times > 0:
        yield item
        times = None if times is None else times - 1


def _chained(parts):
    for part in parts:
        yield from part


class _Chain:
    """The items of one part after the other."""

    def __call__(self, *parts):
        return _chained(parts)

    def from_iterable(self, parts):
        """The same of parts in a list."""
        return _chained(parts)


chain = _Chain()


def accumulate(items, func=None, *, initial=None):
    """Sums up to each item."""
    items = iter(items)
    if initial is None:
        try:
            initial = next(items)
        except StopIteration:
            return
    total = initial
    yield total
    for item in items:
        total = total + item if func is None else func(total, item)
        yield total


def pairwise(items):
    """Neighbors."""
    before = _NONE
    for item in items:
        if before is not _NONE:
            yield before, item
        before = item


def product(*parts, repeat=1):
    """All ways to take an item of each part."""
    found = [()]
    for part in [list(part) for part in parts] * repeat:
        found = [row + (item,) for row in found for item in part]
    return iter(found)


def permutations(items, r=None):
    """All ways to line up r items."""
    items = list(items)
    r = len(items) if r is None else r
    for places in product(range(len(items)), repeat=r):
        if len(set(places)) == r:
            yield tuple([items[i] for i in places])


def combinations(items, r):
    """All ways to choose r items."""
    items = list(items)
    for places in product(range(len(items)), repeat=r):
        if all([a < b for a, b in pairwise(places)]):
            yield tuple([items[i] for i in places])


def combinations_with_replacement(items, r):
    """The same where an item may be taken again."""
    items = list(items)
    for places in product(range(len(items)), repeat=r):
        if all([a <= b for a, b in pairwise(places)]):
            yield tuple([items[i] for i in places])


def zip_longest(*parts, fillvalue=None):
    """Items side by side, to the end of the longest part."""
    rows = [iter(part) for part in parts]
    while rows:
        found = [next(row, _NONE) for row in rows]
        if all([item is _NONE for item in found]):
            return
        yield tuple([fillvalue if item is _NONE else item for item in found])


def islice(items, *ends):
    """A part of the items."""
    start, stop, step = 0, None, 1
    if len(ends) == 1:
        stop = ends[0]
    elif len(ends) == 2:
        start, stop = ends
    else:
        start, stop, step = ends
    start, step = start or 0, step or 1
    if stop is not None and stop <= start:
        return
    for at, item in enumerate(items):
        if at >= start and (at - start) % step == 0:
            yield item
        if stop is not None and at + 1 >= stop:
            return


def takewhile(predicate, items):
    """Items up to the first that does not fit."""
    for item in items:
        if not predicate(item):
            return
        yield item


def dropwhile(predicate, items):
    """Items from the first that does not fit."""
    dropping = True
    for item in items:
        dropping = dropping and predicate(item)
        if not dropping:
            yield item


def starmap(function, rows):
    """What a function gives of each row."""
    for row in rows:
        yield function(*row)


def filterfalse(predicate, items):
    """Items that do not fit."""
    for item in items:
        if not (predicate(item) if predicate else item):
            yield item


def compress(items, selectors):
    """Items that are selected."""
    for item, selected in zip(items, selectors):
        if selected:
            yield item


def groupby(items, key=None):
    """Neighbors of the same key."""
    group, before = [], _NONE
    for item in items:
        now = key(item) if key else item
        if group and now != before:
            yield before, iter(group)
            group = []
        before = now
        group.append(item)
    if group:
        yield before, iter(group)


def tee(items, n=2):
    """Several that go through the same items."""
    kept = list(items)
    return tuple([iter(kept) for _ in range(n)])
