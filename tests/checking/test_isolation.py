"""The state of torch around an answer, and the doors that a prompt closes."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from layers_book.checking import Exercise, check_exercise, function_run
from layers_book.checking.isolation import isolated


def _is_cpu() -> bool:
    return torch.get_default_device().type == torch.zeros(1).device.type == "cpu"


@pytest.mark.parametrize("forbid", [(), ("softmax",)])
def test_the_readers_default_device_is_put_aside_and_back(forbid):
    with torch.device("meta"):
        with isolated(forbid):
            assert _is_cpu()
        assert torch.zeros(1).is_meta
    assert _is_cpu()
    torch.set_default_device("meta")
    try:
        with isolated(forbid):
            assert _is_cpu()
        assert torch.zeros(1).is_meta
    finally:
        torch.set_default_device(None)
    assert _is_cpu()


@pytest.mark.parametrize("forbid", [(), ("softmax",)])
@pytest.mark.parametrize(
    "set_state",
    [
        lambda: torch.set_default_device("meta"),
        lambda: torch.device("meta").__enter__(),
        lambda: torch.set_default_dtype(torch.float64),
        lambda: torch.set_grad_enabled(False),
        lambda: torch.manual_seed(5),
    ],
)
def test_what_an_answer_sets_ends_with_it(forbid, set_state):
    random = torch.random.get_rng_state()
    with isolated(forbid):
        set_state()
    assert _is_cpu()
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    assert torch.equal(torch.random.get_rng_state(), random)


def _by_function(x):
    return F.softmax(x, -1)


def _by_method(x):
    return x.softmax(-1)


def _by_layer(x):
    return nn.Softmax(-1)(x)


def _by_ops(x):
    return torch.ops.aten.softmax(x, -1)


def _by_c(x):
    return torch._C._VariableFunctions.softmax(x, -1)


def _where_no_mode_sees(x):
    with torch._C.DisableTorchFunction():
        return torch.softmax(x, -1)


@torch.jit.script
def _scripted(x: torch.Tensor) -> torch.Tensor:
    return torch.softmax(x, -1)


def _by_script(x):
    return _scripted(x)


def _compiled(x):
    return torch.compile(_by_function)(x)


DOORS = [_by_function, _by_method, _by_layer, _by_ops, _by_c, _where_no_mode_sees]


def _asks(forbid):
    def inputs(generator):
        x = torch.randn(3, 4, generator=generator, dtype=torch.float64)
        return (x.requires_grad_(),), {}

    softmax = "def softmax(x):\n    e = x.exp()\n    return e / e.sum(-1, keepdim=True)"
    return Exercise("page/softmax", softmax, function_run(inputs), forbid=forbid)


@pytest.mark.parametrize("answer", [*DOORS, _by_script, _compiled])
def test_a_forbidden_function_is_refused_by_any_door(answer):
    verdict = check_exercise(_asks(("softmax",)), answer)
    assert not verdict
    assert "Write it" in verdict.message
    assert check_exercise(_asks(()), answer), "it is right where nothing is forbidden"


def _backward(x):
    x = x.detach().requires_grad_()
    x.exp().sum().backward()
    return x.grad


def _autograd(x):
    x = x.detach().requires_grad_()
    return torch.autograd.grad(x.exp().sum(), x)[0]


def _vjp(x):
    return torch.func.vjp(torch.exp, x)[1](torch.ones_like(x))[0]


def _jacobian(x):
    return torch.autograd.functional.jacobian(lambda t: t.exp().sum(), x)


def _func(x):
    return torch.func.grad(lambda t: t.exp().sum())(x)


def _forward_mode(x):
    return torch.func.jvp(torch.exp, (x,), (torch.ones_like(x),))[1]


@pytest.mark.parametrize(
    "answer", [_backward, _autograd, _vjp, _jacobian, _func, _forward_mode]
)
def test_a_gradient_is_refused_by_any_door(answer):
    def inputs(generator):
        return (torch.randn(3, generator=generator, dtype=torch.float64),), {}

    e = Exercise(
        "page/slope", "def slope(x):\n    return x.exp()", function_run(inputs)
    )
    assert check_exercise(e, answer)
    e = Exercise(
        "page/slope",
        "def slope(x):\n    with torch.no_grad():\n        return x.exp()",
        function_run(inputs),
        forbid=("backward", "autograd."),
    )
    assert check_exercise(e, e.reference), "torch.no_grad computes nothing"
    assert "Write it by hand" in check_exercise(e, answer).message


class Own(nn.Linear):
    pass


@pytest.mark.parametrize("layer", [nn.Linear, Own, nn.LazyLinear])
def test_a_forbidden_class_may_not_be_built(layer):
    def count(x):
        return sum(p.numel() for p in layer(3, 4).parameters()) + 0 * x

    def inputs(generator):
        return (1,), {}

    e = Exercise(
        "page/count",
        "def count(x):\n    return 16",
        function_run(inputs),
        forbid=("Linear",),
    )
    assert f"{layer.__name__} may not be built" in check_exercise(e, count).message


@pytest.mark.parametrize("forbid", [(), ("softmax",)])
def test_the_readers_state_is_put_back_where_a_check_is_stopped(forbid):
    with torch.device("meta"):
        with pytest.raises(KeyboardInterrupt), isolated(forbid):
            raise KeyboardInterrupt
        assert torch.zeros(1).is_meta
    assert _is_cpu()
