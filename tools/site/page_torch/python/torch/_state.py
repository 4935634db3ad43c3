"""What surrounds a call of torch: what may not be called, who watches, what raised.

A checker sets hooks: `before(name, path)`, which may raise, and `after(name, args,
kwargs, result)`. Both hear of the outermost calls only: a function at work may use what
it likes. Marks of its own it may put on tensors as attributes.
"""

on = False
before = None
after = None
depth = 0
raised = None, ""
pending = []  # what a function of Python has raised that the engine has called


def hooks(before_call=None, after_call=None):
    """Set what hears of each call from now on; without arguments nothing."""
    global on, before, after, depth
    before, after, depth = before_call, after_call, 0
    on = before is not None or after is not None


class NotHere(Exception):
    """What torch can and the page cannot."""


def refuse(what):
    """Raise NotHere for a function, named as a reader writes it."""
    raise NotHere(what + " is not there in the page; open the notebook in Colab.")


def operation(error):
    """The outermost operation of torch that raised an error: "Add", "softmax" ..."""
    return raised[1] if raised[0] is error else ""


def failed(error, name):
    """Keep what raised an error; the outermost call is the last to say so."""
    global raised
    raised = error, name


def watched(name, path, function, args, kwargs, given=None):
    """Call a function within what is set above; `given` is what its caller has given."""
    global depth
    if depth:
        return function(*args, **kwargs)
    if before is not None:
        before(name, path + name)
    depth += 1
    try:
        result = function(*args, **kwargs)
    finally:
        depth -= 1
    if after is not None:
        after(name, args if given is None else given, kwargs, result)
    return result


def called_back(function):
    """A function for the engine to call; what it raises is raised when that returns."""

    def call(*args):
        try:
            return function(*args)
        except BaseException as error:
            pending.append(error)
            raise

    return call


def public(name, path, function):
    """A function as others may call it: heard by the hooks, named by its errors."""

    # not a closure, whose calls with many arguments are slow in MicroPython
    def call(*args, _call=(function, name, path), **kwargs):
        try:
            out = kwargs.get("out")
            if out is not None:  # one without the parameter says so
                kwargs["out"] = None
            if on:
                found = watched(_call[1], _call[2], _call[0], args, kwargs)
            else:
                found = _call[0](*args, **kwargs)
            return found if out is None else given_out(out, found)
        except Exception as error:
            error = worded(error, _call[1])
            failed(error, _call[1])
            raise error

    return call


def given_out(out, found):
    """Results in the tensors that were given for them."""
    from torch._core import into

    if type(out) not in (list, tuple):
        return into(out, found)
    for place, result in zip(out, found):
        into(place, result)
    return found


def worded(error, name):
    """A wrong call's error with the function's name, which MicroPython leaves out."""
    text = str(error)
    if type(error) is TypeError and text.startswith(_WRONG_CALL):
        said = " got an " if text.startswith("unexpected") else ": "
        return TypeError(name + "()" + said + text)
    return error


_WRONG_CALL = ("unexpected keyword argument", "function missing", "function takes")
