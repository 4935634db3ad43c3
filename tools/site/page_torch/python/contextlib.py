"""The module contextlib."""


class _Context:
    def __init__(self, steps):
        self.steps = steps

    def __enter__(self):
        return next(self.steps)

    def __exit__(self, kind, error, trace):
        if kind is None:
            for _ in self.steps:
                raise RuntimeError("generator didn't stop")
            return False
        try:
            self.steps.throw(error)
        except StopIteration:
            return True
        except BaseException as other:
            if other is error:
                return False
            raise
        return True

    def __call__(self, function):
        def call(*args, **named):
            with self:
                return function(*args, **named)

        return call


def contextmanager(function):
    """What `with` takes, of a generator that yields once."""
    return lambda *args, **named: _Context(function(*args, **named))


class nullcontext:
    """Does nothing."""

    def __init__(self, enter_result=None):
        self.enter_result = enter_result

    def __enter__(self):
        return self.enter_result

    def __exit__(self, *error):
        return False


class suppress:
    """Lets some exceptions end a block quietly."""

    def __init__(self, *kinds):
        self.kinds = kinds

    def __enter__(self):
        return None

    def __exit__(self, kind, error, trace):
        return kind is not None and issubclass(kind, self.kinds)
