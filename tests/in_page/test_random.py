"""The page's generator draws torch's numbers, one by one."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

SETTINGS = settings(derandomize=True, deadline=None, max_examples=25)
SEEDS = st.one_of(
    st.integers(0, 10), st.integers(0, 2**32), st.integers(-(2**63), 2**64 - 1)
)
SIZES = st.integers(0, 100)
FLOATS = st.sampled_from(["float64", "float32", "bfloat16", "float16"])


def same(found: Any, wanted: Any) -> None:
    """Assert equality: exact, but for the last bits of a logarithm or cosine."""
    if isinstance(wanted, torch.Tensor):
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        close = {torch.float64: 1e-14, torch.float32: 1e-6}.get(wanted.dtype, 0.01)
        close = close if wanted.is_floating_point() else 0
        torch.testing.assert_close(found, wanted, rtol=close, atol=close)
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for a, b in zip(found, wanted, strict=True):
            same(a, b)
    else:
        assert found == wanted


def both(page: Any, code: str, **given: Any) -> None:
    """Run code in the page and here, and compare the variable ``result``."""
    found = page.run(code, **given)
    assert page.error is None, page.error
    names: dict[str, Any] = {"torch": torch, **given}
    exec(code, names)
    same(found, names["result"])


DRAWS = """
g = torch.Generator().manual_seed(seed)
dtype = getattr(torch, name)
empty = torch.empty(n, dtype=dtype)
result = [
    torch.randn(n, generator=g, dtype=dtype),
    torch.rand(n, generator=g, dtype=dtype),
    empty.clone().uniform_(-0.3, 0.7, generator=g),
    empty.clone().normal_(1.5, 2.5, generator=g),
    torch.randn(3, 5, generator=g, dtype=dtype),
    torch.empty(6, 4, dtype=dtype).t().normal_(generator=g).contiguous(),
    torch.randint(-3, 50, (n,), generator=g),
    torch.randint(2**30, (n,), generator=g),
    torch.randperm(n, generator=g),
    empty.clone().exponential_(1.3, generator=g),
    torch.bernoulli(torch.linspace(0, 1, n, dtype=dtype), generator=g),
    torch.normal(empty.fill_(2.0), 0.5, generator=g),
    torch.normal(1.0, 2.0, (n,), generator=g),
    torch.randint(0, 2, (n,), generator=g, dtype=torch.bool),
    torch.randn(2, generator=g),
    g.initial_seed(),
]
"""


@SETTINGS
@given(seed=SEEDS, n=SIZES, name=FLOATS)
def test_draws(page: Any, seed: int, n: int, name: str) -> None:
    both(page, DRAWS, seed=seed, n=n, name=name)


def test_many(page: Any) -> None:
    code = """
torch.manual_seed(4)
result = [torch.randn(4096), torch.rand(4096), torch.randperm(4096)]
"""
    both(page, code)


@SETTINGS
@given(
    seed=SEEDS, replacement=st.booleans(), name=st.sampled_from(["float32", "float64"])
)
def test_multinomial(page: Any, seed: int, replacement: bool, name: str) -> None:
    code = """
torch.manual_seed(seed)
p = torch.rand(4, 7, dtype=getattr(torch, name))
result = [
    torch.multinomial(p, 3, replacement=replacement),
    torch.multinomial(p[0], 1, replacement),
    torch.rand(3),
]
"""
    both(page, code, seed=seed, replacement=replacement, name=name)


def test_state_goes_on(page: Any) -> None:
    code = """
torch.manual_seed(3)
torch.randn(5)
state = torch.get_rng_state()
first = torch.randn(5)
torch.set_rng_state(state)
again = torch.randn(5)
torch.set_rng_state(state)
result = [state.long(), torch.equal(first, again), torch.initial_seed()]
result.append(torch.rand(700))
"""
    both(page, code)


def test_state_of_torch(page: Any) -> None:
    g = torch.Generator().manual_seed(9)
    torch.rand(1000, generator=g)
    torch.randn(3, generator=g)
    code = """
g = torch.Generator()
g.set_state(state)
result = torch.randn(7, generator=g)
"""
    both(page, code, state=g.get_state())


def test_default_seed_and_dropout_by_default_generator(page: Any) -> None:
    code = """
g = torch.Generator()
torch.manual_seed(1)
x = torch.ones(4, 6)
result = [torch.rand(3, generator=g), torch.rand(2), torch.randn_like(x), torch.rand(1)]
result += [torch.randn(2, 3), torch.randint_like(x, 9)]
result += [torch.trunc(torch.empty(3).cauchy_()), torch.empty(4).log_normal_()]
result += [torch.empty(4).geometric_(0.3)]
"""
    both(page, code)


ERRORS = [
    "torch.randint(5, 3, (2,))",
    "torch.randint(0, 300, (2,), dtype=torch.uint8)",
    "torch.zeros(3).normal_(0, -1)",
    "torch.zeros(3).uniform_(2, 1)",
    "torch.zeros(3).bernoulli_(2)",
    "torch.bernoulli(torch.tensor([2.0]))",
    "torch.zeros(3).exponential_(0)",
    "torch.zeros(3).long().uniform_()",
    "torch.rand(2, dtype=torch.long)",
    "torch.randperm(-2)",
    "torch.multinomial(torch.ones(3), 4)",
    "torch.multinomial(torch.zeros(3), 1)",
    "torch.multinomial(-torch.ones(3), 1)",
    "torch.zeros(3, requires_grad=True).uniform_()",
    "torch.set_rng_state(torch.zeros(3, dtype=torch.uint8))",
]


@pytest.mark.parametrize("code", ERRORS)
def test_errors(page: Any, code: str) -> None:
    with pytest.raises(Exception) as wanted:
        eval(code)
    page.run(code)
    assert page.error is not None
    assert page.error.type == wanted.type.__name__
    assert page.error.text == str(wanted.value).split("\n")[0]
