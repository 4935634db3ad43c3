"""Gradients: torch.autograd, and the blocks that switch recording off and on."""

import _engine
from torch import _state
from torch._core import _isinstance, wrap
from torch._functions import checked
from torch._state import refuse
from torch._tensor import Tensor


class _Mode:
    """A block, or a function's decorator, with recording off or on."""

    flag = False

    def __enter__(self):
        self._before = _engine.set_grad_enabled(self.flag)
        return self

    def __exit__(self, *error):
        _engine.set_grad_enabled(self._before)

    def __call__(self, function):
        made = type(self)

        def call(*args, **kwargs):
            with _again(made, self.flag):
                return function(*args, **kwargs)

        return call


def _again(made, flag):
    block = object.__new__(made)
    block.flag = flag
    return block


class no_grad(_Mode):
    """Without recording."""

    def __new__(cls, function=None):
        made = object.__new__(cls)
        return made if function is None else made(function)


class enable_grad(_Mode):
    """With recording."""

    flag = True

    def __new__(cls, function=None):
        made = object.__new__(cls)
        return made if function is None else made(function)


class inference_mode(_Mode):
    """Without recording, as no_grad."""

    def __new__(cls, mode=True):
        made = object.__new__(cls)
        if callable(mode):
            return made(mode)
        made.flag = not mode
        return made


class set_grad_enabled(_Mode):
    """Recording off or on, at once; as a block until its end."""

    def __init__(self, mode):
        self.flag = bool(mode)
        self._before = _engine.set_grad_enabled(self.flag)

    def __enter__(self):
        return self

    def __call__(self, function):
        _engine.set_grad_enabled(self._before)

        def call(*args, **kwargs):
            with set_grad_enabled(self.flag):
                return function(*args, **kwargs)

        return call


def is_grad_enabled():
    """Whether steps are recorded."""
    return _engine.is_grad_enabled()


class set_detect_anomaly:
    """Accepted: an error names its step here anyway."""

    def __init__(self, mode=True, check_nan=True):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


detect_anomaly = set_detect_anomaly


def _list(value):
    return [value] if _isinstance(value, Tensor) else list(value)


def _grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    allow_unused=None,
    is_grads_batched=False,
    materialize_grads=False,
):
    if is_grads_batched:
        refuse("torch.autograd.grad with is_grads_batched")
    outputs, inputs = _list(outputs), _list(inputs)
    given = [None] * len(outputs) if grad_outputs is None else _list(grad_outputs)
    if len(given) != len(outputs):
        raise RuntimeError(
            "got "
            + str(len(outputs))
            + " tensors and "
            + str(len(given))
            + " gradients"
        )
    if not inputs:
        raise ValueError("grad requires non-empty inputs.")
    tensors = [x._t for x in outputs + inputs]
    tensors += [None if g is None else g._t for g in given]
    found = checked(
        _engine.gradients(
            len(outputs),
            len(inputs),
            retain_graph,
            bool(create_graph),
            bool(allow_unused or materialize_grads),
            *tensors,
        )
    )
    grads = tuple([None if t is None else wrap(t) for t in found])
    if materialize_grads:
        grads = tuple(
            [x.new_zeros(x.shape) if g is None else g for x, g in zip(inputs, grads)]
        )
    return grads


grad = _state.public("grad", "torch.autograd.", _grad)


def _backward(
    tensors,
    grad_tensors=None,
    retain_graph=None,
    create_graph=False,
    grad_variables=None,
    inputs=None,
):
    tensors = _list(tensors)
    given = [None] * len(tensors) if grad_tensors is None else _list(grad_tensors)
    for at, (x, g) in enumerate(zip(tensors, given)):
        keep = retain_graph or at + 1 < len(tensors)
        x.backward(g, keep, create_graph, inputs)


backward = _state.public("backward", "torch.autograd.", _backward)


class _Context:
    """What forward keeps for backward."""

    def __init__(self, needs):
        self.saved_tensors = ()
        self.needs_input_grad = needs
        self.materialize_grads = True

    def save_for_backward(self, *tensors):
        """Keep tensors."""
        self.saved_tensors = tensors

    def mark_dirty(self, *tensors):
        """Accepted."""

    def mark_non_differentiable(self, *tensors):
        """Name results without a gradient."""
        self.without = tensors

    def set_materialize_grads(self, value):
        """Whether missing gradients come as zeros."""
        self.materialize_grads = value


class Function:
    """A step with a gradient written by hand; apply calls it."""

    @classmethod
    def apply(cls, *args):
        """Call forward, and record backward as one step."""
        tensors = [x for x in args if _isinstance(x, Tensor)]
        needs = tuple([_isinstance(x, Tensor) and x.requires_grad for x in args])
        context = _Context(needs)
        with no_grad():
            if hasattr(cls, "setup_context"):
                found = cls.forward(*args)
                cls.setup_context(context, args, found)
            else:
                found = cls.forward(context, *args)
        if not is_grad_enabled() or not any(needs):
            return found
        if not _isinstance(found, Tensor):
            refuse("torch.autograd.Function with several results")
        places = [at for at, x in enumerate(args) if _isinstance(x, Tensor)]

        def back(t):
            grads = cls.backward(context, wrap(t))
            grads = grads if _isinstance(grads, (tuple, list)) else (grads,)
            if len(grads) != len(args):
                raise RuntimeError(
                    "function "
                    + cls.__name__
                    + "Backward returned an incorrect number "
                    "of gradients (expected "
                    + str(len(args))
                    + ", got "
                    + str(len(grads))
                    + ")"
                )
            for grad in grads:
                if grad is not None and not _isinstance(grad, Tensor):
                    found = type(grad).__name__
                    raise RuntimeError("expected Variable or None (got " + found + ")")
            found = [None if grads[at] is None else grads[at]._t for at in places]
            return _engine.listed(*found)

        given = [x._t for x in tensors]
        back = _state.called_back(back)
        t = _engine.recorded(cls.__name__ + "Backward", back, found._t, *given)
        return wrap(checked(t))


def __getattr__(name):
    if name in (
        "functional",
        "profiler",
        "graph",
        "gradcheck",
        "gradgradcheck",
        "forward_ad",
        "Variable",
        "profile",
    ):
        refuse("torch.autograd." + name)
    raise AttributeError("module 'torch.autograd' has no attribute '" + name + "'")
