"""One call in the page and in torch: results, gradients, gradients of these, errors."""

from typing import Any

import torch
from hypothesis import settings
from torch import Tensor

SETTINGS = settings(derandomize=True, deadline=None, max_examples=40)
TOLERANCE = {torch.float64: 1e-10, torch.float32: 2e-5}

RUN = """
import torch
from torch.nn import functional as F

{before}
found = {call}
outs = list(found) if isinstance(found, tuple) else [found]
leaves = [x for x in [{names}] if x.requires_grad]

def drawn(shape, dtype):
    count = 1
    for size in shape:
        count *= size
    return torch.arange(count).double().mul(2.4).cos().to(dtype).reshape(shape)

def slopes(outputs, inputs, again):
    whole = [t for t in outputs if t is not None and t.requires_grad]
    if not whole or not inputs:
        return []
    total = sum([(t * drawn(t.shape, t.dtype)).sum() for t in whole])
    return torch.autograd.grad(total, inputs, create_graph=again, allow_unused=True)

first = slopes(outs[:1], leaves, {twice})
second = slopes(first, leaves, False) if {twice} else []

def filled(grads):
    found = list(grads) or [None for x in leaves]
    return [x.detach() * 0 if g is None else g.detach() for x, g in zip(leaves, found)]

result = [[t.detach() for t in outs], [x.detach() for x in [{names}]]]
result = result + [filled(first), filled(second)]
"""


def same(found: Tensor, wanted: Tensor) -> None:
    """Assert equality, of floats within what their precision allows."""
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    if wanted.numel():
        close = TOLERANCE.get(wanted.dtype, 0)
        size = float(wanted.double().abs().nan_to_num(0, 0, 0).max())
        torch.testing.assert_close(
            found, wanted, rtol=close, atol=close * (1 + size), equal_nan=True
        )


def compare(
    page: Any,
    call: str,
    *,
    before: str = "",
    twice: bool = False,
    text: bool = True,
    **given: Tensor,
) -> None:
    """Run a call on both sides, ``twice`` with gradients of gradients, and compare.

    ``before`` runs before the call. If torch raises, the page must raise the same type,
    with the same ``text``.
    """
    code = RUN.format(before=before, call=call, names=", ".join(given), twice=twice)
    names: dict[str, Any] = {k: v.detach().clone() for k, v in given.items()}
    for name, value in given.items():
        names[name].requires_grad_(value.requires_grad)
    try:
        exec(code, names)
    except Exception as error:
        page.run(code, **given)
        assert page.error is not None, f"{call}: torch says {error}"
        wanted = (type(error).__name__, str(error).split("\n")[0])
        found = (page.error.type, page.error.text)
        assert found == wanted if text else found[0] == wanted[0], call
        return
    answer = page.run(code, **given)
    assert page.error is None, f"{call}: {page.error}"
    for ours, theirs in zip(answer, names["result"], strict=True):
        for a, b in zip(ours, theirs, strict=True):
            same(a, b)
