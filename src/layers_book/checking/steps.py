"""Steps: what a run yields of an answer, and varied inputs for it.

MicroPython runs this file too, over the torch of a reader's page.
"""

import copy
from binascii import crc32
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from layers_book.checking.cuts import forget, tensors
from layers_book.checking.isolation import Refused
from layers_book.checking.judging.compare import UNSAVED
from layers_book.checking.recording import Case, Unanswered, kind, unwritten
from layers_book.checking.values import Steps, call, measure_steps, value_steps

NAMES = ("x", "weight", "bias")


def function_steps(
    answer: Any,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    names: Sequence[str] = NAMES,
    float32: bool = True,
    exact: bool = False,
) -> Iterator[Case]:
    """Record a function on the inputs of one configuration; see `function_run`."""
    refuse_no_function(answer)
    named = dict(zip(names, args))
    named.update(kwargs)
    yield Case("configuration", "", "", describe(named))
    numbers = any(x.is_floating_point() for x in tensors((args, kwargs)))
    name = "output" if numbers or exact else "result"
    yield from _differentiated(answer, args, kwargs, named, "", kind=name)
    if float32 and numbers:
        args, kwargs = _cast(args), _cast(kwargs)
        yield Case("output", "", "in float32", call(answer, *args, **kwargs))


def module_steps(
    answer: Any,
    index: int,
    kwargs: dict[str, Any],
    training: Sequence[Any],
    evaluation: Any,
    ignore: Sequence[str] = ("num_batches_tracked",),
    names: Sequence[str] = NAMES[:1],
    initial: bool = True,
) -> Iterator[Case]:
    """Record a module class on configuration ``index``; see `module_run`."""
    _refuse_no_class(answer)
    batches = [
        b if isinstance(b, tuple) else (b,) for b in list(training) + [evaluation]
    ]
    named = dict(kwargs)
    named.update(zip(names, batches[0]))
    yield Case("configuration", "", "", describe(named))
    dtype = batches[0][0].dtype
    module = _build(answer, kwargs)
    if not index:
        _probe(module, _cast(batches[0]))
    if "_modules" not in vars(module):
        raise Refused("Call super().__init__() at the start of your __init__.")
    _refuse_hidden(module)
    module = module.to(dtype)
    yield Case("parameters", "", "", _shapes(module.named_parameters()))
    yield Case("buffers", "", "", _shapes(_buffers(module, ignore)))
    if initial:
        yield from _values(module.named_parameters())
    yield from _values(_saved(module, ignore))
    if index or not initial:
        _randomize(module, index)
    for i, batch in enumerate(batches[:-1], 1):
        mode = f"in training mode, batch {i}"
        yield from _step(module.train(), batch, names, mode, ignore)
    yield from _step(module.eval(), batches[-1], names, "in eval mode", ignore)
    saved = _build(answer, kwargs).to(dtype)
    saved.load_state_dict(module.state_dict())
    value = call(saved.eval(), *batches[-1])
    yield Case("output", "", "in eval mode of a new module with this state_dict", value)
    mode = "in training mode after eval mode"
    yield from _step(module.train(), batches[0], names, mode, ignore)
    module = module.to(torch.float32)
    for mode in ("train", "eval"):
        value = call(module.train(mode == "train"), *_cast(batches[0]))
        yield Case("output", "", f"in float32 in {mode} mode", value)


STEPS: dict[str, Steps] = {
    steps.__name__: steps
    for steps in (function_steps, module_steps, value_steps, measure_steps)
}


def gradients(value: Any, inputs: Sequence[Tensor]) -> list[Tensor]:
    """Of a fixed random weighting of all outputs; zeros where no gradient arrives."""
    outputs = value if isinstance(value, (tuple, list)) else (value,)
    outputs = [y for y in outputs if isinstance(y, Tensor) and y.requires_grad]
    if not outputs or not inputs:
        return [torch.zeros_like(x) for x in inputs]
    weights = Generator().manual_seed(1)
    loss = sum(
        (y * torch.randn(y.shape, generator=weights, dtype=y.dtype)).sum()
        for y in outputs
    )
    found = torch.autograd.grad(loss, inputs, allow_unused=True, retain_graph=False)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, found)]


def distinct(generator: Generator, count: int, low: int = 2) -> list[int]:
    """Random sizes, no two equal, so that a mix-up of axes shows."""
    order = torch.randperm(count + 3, generator=generator)[:count]
    return [int(i) + low for i in order]


def varied(generator: Generator, *shape: int, axis: int = 1) -> Tensor:
    """Normal float64 values of a kind that changes with the configuration.

    The kinds, in turn: standard; not contiguous; constant along all axes but ``axis``
    for its first index; of size 1e-3; around 1e4; with a random mean and spread for
    each index of ``axis``.
    """
    which = generator.initial_seed() % 6
    x = torch.randn(*shape, generator=generator, dtype=torch.float64)
    if which == 1:
        return x.mT.contiguous().mT if x.dim() > 1 else x
    if which == 2:
        x.select(axis, 0).fill_(3.0)
    elif which == 3:
        x *= 1e-3
    elif which == 4:
        x = x * 30 + 1e4
    elif which == 5:
        per_index = [1] * x.dim()
        per_index[axis] = shape[axis]
        spread = torch.rand(per_index, generator=generator, dtype=x.dtype) * 3 + 0.5
        x = x * spread + signed(generator, *per_index) * 3
    return x


def signed(generator: Generator, *shape: int) -> Tensor:
    """Random float64 values of size 0.5 to 2 and either sign, for weight and bias."""
    size = torch.rand(*shape, generator=generator, dtype=torch.float64) * 1.5 + 0.5
    sign = torch.randint(0, 2, shape, generator=generator) * 2 - 1
    return size * sign


def describe(named: dict[str, Any]) -> str:
    """Arguments in words: shapes of tensors, with what is special about them."""
    return ", ".join(
        f"{name} {_tensor_words(value)}"
        if isinstance(value, Tensor)
        else f"{name}={value:.4g}"
        if isinstance(value, float)
        else f"{name}={value!r}"
        for name, value in named.items()
    )


def refuse_no_function(answer: Any) -> None:
    """Refuse what is no function, and say what to do."""
    if isinstance(answer, type):
        say = "write a function with def, and pass its name."
    elif not callable(answer):
        say = "pass the function's name, without calling it."
    else:
        return
    raise Refused(f"A function is expected, and you pass {kind(answer)}: {say}")


def _refuse_no_class(answer: Any) -> None:
    """The same where a module class is asked for, or what makes a module."""
    if isinstance(answer, nn.Module):
        say = "write the name of the class without parentheses."
    elif not callable(answer):
        say = "write a class that inherits from nn.Module, and pass its name."
    else:
        return
    raise Refused(f"A module class is expected, and you pass {kind(answer)}: {say}")


def _tensor_words(x: Tensor) -> str:
    words = [str(tuple(x.shape))]
    if not x.is_contiguous():
        words.append("not contiguous")
    if x.is_floating_point() and x.dim() > 1:
        mean, spread = x.mean().abs().item(), x.std().item()
        if x.transpose(0, 1).reshape(x.shape[1], -1).std(1, correction=0).min() == 0:
            words.append("with a constant channel")
        if mean > 100 * spread:
            words.append(f"with values around {mean:.0e}")
        elif spread < 0.01:
            words.append(f"with values of size {spread:.0e}")
    return " ".join(words)


def _cast(args: Any) -> Any:
    if isinstance(args, dict):
        return {name: _cast(value) for name, value in args.items()}
    if isinstance(args, (tuple, list)):
        return tuple(_cast(value) for value in args)
    if isinstance(args, Tensor) and args.is_floating_point():
        return args.detach().float()
    return args


def _differentiated(
    answer: Any,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    named: dict[str, Any],
    where: str,
    parameters: Sequence[tuple[str, Tensor]] = (),
    kind: str = "output",
) -> Iterator[Case]:
    """Call with copies that may be written to, so that such an answer is seen."""
    copies: dict[int, Tensor] = {}

    def writable(value: Any) -> Any:
        if isinstance(value, Tensor):
            return copies.setdefault(id(value), value.clone())
        return value

    value = call(
        answer, *map(writable, args), **{k: writable(v) for k, v in kwargs.items()}
    )
    yield Case(kind, "", where, value)
    tensors = {name: v for name, v in named.items() if isinstance(v, Tensor)}
    after = {name: copies[id(v)] for name, v in tensors.items() if id(v) in copies}
    yield Case("inputs", "", where, after)
    wanted = {name: v for name, v in tensors.items() if v.requires_grad}
    wanted.update(parameters)
    found = gradients(value, list(wanted.values()))
    for name, gradient in zip(wanted, found):
        yield Case("gradient", name, where, gradient)


def _build(answer: Any, kwargs: dict[str, Any]) -> nn.Module:
    if getattr(answer, "forward", None) is nn.Module.forward:
        raise Unanswered("your class has no forward.")
    module = call(answer, **kwargs)
    if not isinstance(module, nn.Module):
        raise Refused(f"Calling your class gives {kind(module)}, not an nn.Module.")
    return module


def _probe(module: nn.Module, batch: Sequence[Any]) -> None:
    """Let an unwritten forward show before missing parameters do."""
    try:
        _keeping_parameters(copy.deepcopy(module))(*batch)
    except Exception as error:  # others come again, in their place in the trace
        if isinstance(error, Refused) or unwritten(error):
            raise


def _keeping_parameters(module: nn.Module) -> Callable[..., Any]:
    """A call of the module that refuses a forward that makes parameters."""

    def called(*args: Any) -> Any:
        before = dict(module.named_parameters())
        value = call(module, *args)
        for name, parameter in module.named_parameters():
            if parameter is not before.get(name):
                raise Refused(
                    f"Your forward sets {name} to another parameter, so nothing "
                    "learned stays: create parameters and layers in __init__, and "
                    "only use them in forward."
                )
        return value

    return called


def _refuse_hidden(module: nn.Module) -> None:
    """Refuse parameters and layers in a list or dict, where torch does not look."""
    known = {id(x) for x in list(module.modules()) + list(module.parameters())}
    for part in module.modules():
        for name, value in vars(part).items():
            if name.startswith("_") or not isinstance(value, (list, tuple, dict)):
                continue
            items = value.values() if isinstance(value, dict) else value
            for item in items:
                if (
                    isinstance(item, (nn.Module, nn.Parameter))
                    and id(item) not in known
                ):
                    what = "Parameter" if isinstance(item, nn.Parameter) else "Module"
                    use = "Dict" if isinstance(value, dict) else "List"
                    raise Refused(
                        f"self.{name} is a Python {type(value).__name__}, and torch "
                        f"does not look inside: nothing in it is learned or saved. Use "
                        f"nn.{what}{use}."
                    )


def _shapes(named: Iterable[tuple[str, Tensor]]) -> dict[str, str]:
    return {name: f"of shape {tuple(value.shape)}" for name, value in sorted(named)}


def _buffers(module: nn.Module, ignore: Sequence[str]) -> list[tuple[str, Tensor]]:
    kept = set(module.state_dict())
    return [
        (name if name in kept else name + UNSAVED, value)
        for name, value in module.named_buffers()
        if name.rsplit(".")[-1] not in ignore
    ]


def _saved(module: nn.Module, ignore: Sequence[str]) -> list[tuple[str, Tensor]]:
    """The buffers that state_dict holds; others are the answer's own affair."""
    return [pair for pair in _buffers(module, ignore) if not pair[0].endswith(UNSAVED)]


def _values(named: Iterable[tuple[str, Tensor]]) -> Iterator[Case]:
    for name, value in sorted(named):
        yield Case("start", name, "", value)


def _randomize(module: nn.Module, seed: int) -> None:
    with torch.no_grad():
        for name, value in module.named_parameters():
            generator = Generator().manual_seed(crc32(name.encode()) + seed)
            value.copy_(signed(generator, *value.shape))


def _step(
    module: nn.Module,
    batch: Sequence[Any],
    names: Sequence[str],
    mode: str,
    ignore: Sequence[str],
) -> Iterator[Case]:
    inputs = [
        x.detach().requires_grad_()
        if isinstance(x, Tensor) and x.is_floating_point()
        else x
        for x in batch
    ]
    named = dict(zip(names, inputs))
    parameters = sorted(module.named_parameters())
    forget(module.buffers())
    run = _keeping_parameters(module)
    yield from _differentiated(run, inputs, {}, named, mode, parameters)
    for name, value in sorted(_saved(module, ignore)):
        yield Case("after", name, mode, value)
        yield Case("graph", name, mode, value.requires_grad)
