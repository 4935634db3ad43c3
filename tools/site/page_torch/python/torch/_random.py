"""Random numbers: torch's own, number by number."""

import _engine
from torch import _state
from torch._core import (
    CPU,
    NUMBER,
    _isinstance,
    int64,
    number,
    on_cpu,
    wrap,
)
from torch._functions import checked, free, method, need_tensor, operand
from torch._make import _default, as_dtype, finish, sizes_of
from torch._tensor import Tensor


class Generator:
    """A source of random numbers with a state of its own."""

    def __init__(self, device="cpu"):
        on_cpu(device)
        self._g = _engine.generator()

    device = CPU

    def manual_seed(self, seed):
        """Start anew at a seed."""
        checked(_engine.manual_seed(_seed(seed), self._g))
        return self

    def initial_seed(self):
        """The seed it started from."""
        return int(_engine.initial_seed(self._g))

    def seed(self):
        """Start anew at a seed by chance."""
        return int(_engine.seed(self._g))

    def get_state(self):
        """Its state as a tensor of bytes."""
        return wrap(_engine.get_rng_state(self._g))

    def set_state(self, new_state):
        """Go on from a state."""
        checked(_engine.set_rng_state(new_state._t, self._g))
        return self

    def clone_state(self):
        """Another that goes on from the same state."""
        return Generator().set_state(self.get_state())


def _seed(seed):
    if _isinstance(seed, Tensor):
        seed = seed.item()
    if not _isinstance(seed, NUMBER):
        raise TypeError("manual_seed expected a long, but got " + type(seed).__name__)
    return str(int(seed))


class _Default(Generator):
    def __init__(self):
        self._g = None


default_generator = _Default()


def manual_seed(seed):
    """Start the default generator anew."""
    return default_generator.manual_seed(seed)


def initial_seed():
    """The seed of the default generator."""
    return default_generator.initial_seed()


def seed():
    """Seed the default generator by chance."""
    return default_generator.seed()


def get_rng_state():
    """The state of the default generator."""
    return default_generator.get_state()


def set_rng_state(new_state):
    """Set the state of the default generator."""
    default_generator.set_state(new_state)


class fork_rng:
    """Puts the default generator's state back at the end of a block."""

    def __init__(self, devices=None, enabled=True):
        self.enabled = enabled

    def __enter__(self):
        self.state = get_rng_state()

    def __exit__(self, *error):
        if self.enabled:
            set_rng_state(self.state)


def _of(generator):
    if generator is None:
        return None
    if not _isinstance(generator, Generator):
        raise TypeError(
            "argument 'generator' must be torch.Generator, not "
            + type(generator).__name__
        )
    return generator._g


def _drawn(name):
    engine = getattr(_engine, name)

    def call(
        *size,
        generator=None,
        dtype=None,
        device=None,
        requires_grad=False,
        out=None,
        layout=None,
        pin_memory=False,
        names=None,
        **other,
    ):
        size = (other.pop("size"),) if "size" in other else size
        kind = as_dtype(dtype) or _default[0]
        t = engine(sizes_of(size, name), kind.name, _of(generator))
        return finish(t, requires_grad, device)

    def like(
        input,
        *,
        dtype=None,
        device=None,
        requires_grad=False,
        layout=None,
        memory_format=None,
        generator=None,
    ):
        need_tensor(input, name + "_like")
        return call(
            input.shape,
            dtype=dtype or input.dtype,
            generator=generator,
            requires_grad=requires_grad,
            device=device,
        )

    free(name, call)
    free(name + "_like", like)


_drawn("rand")
_drawn("randn")


def _randint(
    *args,
    low=None,
    high=None,
    size=None,
    generator=None,
    dtype=None,
    device=None,
    requires_grad=False,
    out=None,
    layout=None,
    pin_memory=False,
):
    args = list(args)
    if args and size is None:
        size = args.pop()
    if args and high is None:
        high = args.pop()
    if args and low is None:
        low = args.pop()
    if size is None or high is None or args or _isinstance(size, int):
        raise TypeError(
            "randint() received an invalid combination of arguments, but expected one "
            "of: (int high, tuple of ints size), (int low, int high, tuple of ints size)"
        )
    kind = as_dtype(dtype) or int64
    bounds = [
        number(x.item() if _isinstance(x, Tensor) else x) for x in (low or 0, high)
    ]
    t = _engine.randint(
        *bounds, sizes_of((size,), "randint"), kind.name, _of(generator)
    )
    return finish(t, requires_grad, device)


free("randint", _randint)
free(
    "randint_like",
    lambda input, *args, dtype=None, **kwargs: _randint(
        *args, input.shape, dtype=dtype or input.dtype, **kwargs
    ),
)


def _randperm(
    n,
    *,
    generator=None,
    out=None,
    dtype=None,
    device=None,
    layout=None,
    requires_grad=False,
    pin_memory=False,
):
    kind = as_dtype(dtype) or int64
    return finish(_engine.randperm(n, kind.name, _of(generator)), requires_grad, device)


free("randperm", _randperm)


def _normal(
    mean=0.0,
    std=1.0,
    size=None,
    *,
    generator=None,
    out=None,
    dtype=None,
    device=None,
    requires_grad=False,
):
    kind = as_dtype(dtype) or _default[0]
    given = [x._t if _isinstance(x, Tensor) else number(x) for x in (mean, std)]
    if size is None and not any(_isinstance(x, Tensor) for x in (mean, std)):
        raise TypeError(
            "normal() received an invalid combination of arguments, but expected one "
            "of: (Tensor mean, Tensor std), (float mean, float std, tuple of ints size)"
        )
    sizes = None if size is None else sizes_of((size,), "normal")
    t = _engine.normal(*given, sizes, kind.name, _of(generator))
    return finish(t, requires_grad, device)


free("normal", _normal)


def _bernoulli(input, p=None, *, generator=None, out=None):
    if p is not None:
        return input.clone().bernoulli_(p, generator=generator)
    return wrap(_engine.bernoulli(need_tensor(input, "bernoulli"), _of(generator)))


free("bernoulli", _bernoulli)
method("bernoulli", _bernoulli)


def _multinomial(input, num_samples, replacement=False, *, generator=None, out=None):
    t = need_tensor(input, "multinomial")
    return wrap(_engine.multinomial(t, num_samples, bool(replacement), _of(generator)))


free("multinomial", _multinomial)
method("multinomial", _multinomial)


def _filling(name, first, second):
    """A method that draws into a tensor; parameters as (name, default) or None."""
    parameters = [x for x in (first, second) if x is not None]

    def call(self, *args, generator=None, **kwargs):
        values = list(args) + [default for _, default in parameters[len(args) :]]
        for at, (key, _) in enumerate(parameters):
            for word in (key, key.rstrip("_"), key + "_"):
                if word in kwargs:
                    values[at] = kwargs.pop(word)
        if kwargs or len(values) > len(parameters):
            raise TypeError(name + "() got an unexpected argument")
        found = [x._t if _isinstance(x, Tensor) else number(x) for x in values]
        checked(getattr(_engine, name)(self._t, *found, _of(generator)))
        return self

    method(name, call)


_filling("uniform_", ("from", 0.0), ("to", 1.0))
_filling("normal_", ("mean", 0.0), ("std", 1.0))
_filling("bernoulli_", ("p", 0.5), None)
_filling("exponential_", ("lambd", 1.0), None)
_filling("log_normal_", ("mean", 1.0), ("std", 2.0))
_filling("geometric_", ("p", None), None)
_filling("cauchy_", ("median", 0.0), ("sigma", 1.0))


def _random_(self, *bounds, generator=None):
    low, high = (None, None) if not bounds else (0, bounds[0])
    if len(bounds) == 2:
        low, high = bounds
    checked(_engine.random_(self._t, low, high, _of(generator)))
    return self


method("random_", _random_)


def _dropout(name):
    def call(input, p, train):
        return wrap(
            getattr(_engine, name)(need_tensor(input, name), number(p), bool(train))
        )

    def call_(self, p, train):
        return self.copy_(call(self, p, train))

    free(name, call)
    free(name + "_", call_)


for _name in ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout"):
    _dropout(_name)
