"""A known state of torch for an answer, and what it may not call."""

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import nn, overrides
from torch._functorch import eager_transforms
from torch.overrides import TorchFunctionMode
from torch.overrides import _get_current_function_mode_stack as _modes
from torch.utils import _device
from torch.utils._python_dispatch import TorchDispatchMode


class Stopped(BaseException):
    """Ends a check from outside, as a limit of time does."""


class Refused(Exception):
    """An answer that cannot be checked; the text is shown to the reader as it is."""


class _Forbid(TorchFunctionMode):
    """Refuses torch's functions by parts of their names."""

    def __init__(self, parts: tuple[str, ...]) -> None:
        super().__init__()
        self.parts = parts
        self.allowed = 0  # functions that are at work, which may use what they like

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", "")
        _refuse(name, self.parts, f"{getattr(func, '__module__', '')}.{name}")
        self.allowed += 1
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self.allowed -= 1


class _ForbidBelow(TorchDispatchMode):
    """Also refuses what is called past the mode above, such as where it is disabled."""

    def __init__(self, above: _Forbid) -> None:
        super().__init__()
        self.above = above

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch wraps each call below to keep its compiler out: slow

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = func._overloadpacket._qualified_op_name.rpartition("::")[2]
        if not self.above.allowed and "backward" not in name:
            _refuse(name, self.above.parts)
        return func(*args, **(kwargs or {}))


def _refuse(name: str, parts: tuple[str, ...], path: str = "") -> None:
    if name == "_set_grad_enabled":
        return  # of torch.no_grad, which computes nothing
    if any(part in (path if "." in part else name) for part in parts):
        raise Refused(f"Write it by hand: torch's {name} may not be called here.")


def _closed_doors(parts: tuple[str, ...]) -> Iterator[Any]:
    """Refuse what calls torch's functions where no mode sees them."""

    def compiled(*args: Any, **kwargs: Any) -> Any:
        raise Refused("Write it in Python: torch.jit hides what your code calls.")

    for script in (torch.jit.ScriptFunction, torch._C.ScriptMethod):
        yield patch.object(script, "__call__", compiled)

    start_thread, mine = threading.Thread.start, threading.get_ident()

    def started(thread: threading.Thread) -> None:
        if threading.get_ident() == mine:
            raise Refused("Write it without threads: they hide what your code calls.")
        start_thread(thread)

    yield patch.object(threading.Thread, "start", started)

    for name, way in (("grad", "backward"), ("jvp", "forward")):
        if any(part in f"torch.autograd.{way} grad" for part in parts):

            def differentiated(*args: Any, name: str = name) -> Any:
                _refuse(f"func.{name}", ("func",))

            inner = f"{name}_increment_nesting"
            yield patch.object(eager_transforms, inner, differentiated)

    start = nn.Module.__init__

    def built(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        for part in parts:
            if any(part == base.__name__ for base in type(module).__mro__):
                name = type(module).__name__
                raise Refused(f"Write it by hand: {name} may not be built here.")
        start(module, *args, **kwargs)

    if any(part[:1].isupper() for part in parts):
        yield patch.object(nn.Module, "__init__", built)


@contextmanager
def isolated(forbid: tuple[str, ...] = ()) -> Iterator[None]:
    """Run with known global state of torch, and put the old one back.

    Args:
        forbid: what may not be called: parts of names of torch's functions, parts of
            their paths such as ``"autograd."``, and names of module classes such as
            ``"Linear"``, which also forbids what inherits from it.
    """
    dtype, modes, device = torch.get_default_dtype(), _modes(), _device.CURRENT_DEVICE
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    with ExitStack() as stack:
        stack.callback(_put_back, modes, device, context)  # last, whatever ends it
        stack.enter_context(torch.random.fork_rng(devices=[]))
        stack.enter_context(torch.enable_grad())
        _set_modes([])
        if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        if forbid:
            for door in _closed_doors(forbid):
                stack.enter_context(door)
            mode = stack.enter_context(_Forbid(forbid))
            stack.enter_context(_ForbidBelow(mode))
        reset()
        torch.default_generator.manual_seed(0)
        try:
            yield
        finally:
            reset()
            torch.set_default_dtype(dtype)


def reset() -> None:
    """Put back what an answer may have set for all code after it."""
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    if _device.CURRENT_DEVICE is not None:
        others = [m for m in _modes() if not isinstance(m, _device.DeviceContext)]
        _put_back(others, None, None)


def _put_back(modes: list[Any], device: Any, context: Any) -> None:
    """Set the function modes at work, the innermost last, and the default device."""
    _set_modes(modes)
    _device.CURRENT_DEVICE = device
    torch._GLOBAL_DEVICE_CONTEXT.device_context = context


def _set_modes(modes: list[Any]) -> None:
    while _modes():
        overrides._pop_mode()
    for mode in modes:
        overrides._push_mode(mode)
