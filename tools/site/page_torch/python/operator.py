"""The module operator."""

add = lambda a, b: a + b
sub = lambda a, b: a - b
mul = lambda a, b: a * b
truediv = lambda a, b: a / b
floordiv = lambda a, b: a // b
mod = lambda a, b: a % b
matmul = lambda a, b: a @ b
pow = lambda a, b: a**b
and_ = lambda a, b: a & b
or_ = lambda a, b: a | b
xor = lambda a, b: a ^ b
lshift = lambda a, b: a << b
rshift = lambda a, b: a >> b
lt = lambda a, b: a < b
le = lambda a, b: a <= b
gt = lambda a, b: a > b
ge = lambda a, b: a >= b
eq = lambda a, b: a == b
ne = lambda a, b: a != b
neg = lambda a: -a
pos = lambda a: +a
invert = lambda a: ~a
not_ = lambda a: not a
truth = bool
is_ = lambda a, b: a is b
contains = lambda a, b: b in a
getitem = lambda a, b: a[b]


def itemgetter(*items):
    """What takes items out of a thing."""
    if len(items) == 1:
        return lambda a: a[items[0]]
    return lambda a: tuple([a[item] for item in items])


def attrgetter(*names):
    """What takes attributes of a thing."""

    def get(a, name):
        for part in name.split("."):
            a = getattr(a, part)
        return a

    if len(names) == 1:
        return lambda a: get(a, names[0])
    return lambda a: tuple([get(a, name) for name in names])


def methodcaller(name, *args, **named):
    """What calls a method of a thing."""
    return lambda a: getattr(a, name)(*args, **named)
