"""A softplus that is right for every finite input."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.coursework import Mistake, Question, custom_run

BETAS = (1.0, 0.5, 3.0, 0.25, 2.0)
SHAPES = ((4, 3), (9,), (2, 3, 2), (), (5, 2))


def softplus_values(answer, near, far, low, beta):
    """Call the answer near 0, then on all kinds of values, and differentiate it."""
    options = {} if beta == 1 else {"beta": beta}
    yield "configuration", f"shape {tuple(near.shape)}, {near.dtype}, beta={beta}"
    copy = near.clone()
    yield "the output near 0", answer(copy, **options)
    yield "the inputs after the call", copy
    leaf = torch.cat([far, low, near.reshape(-1), near.new_zeros(2)]).requires_grad_()
    sizes = [len(far), len(low), near.numel(), 2]
    y = answer(leaf.clone(), **options)
    large, small, *_ = y.split(sizes)
    yield "the output for large x", large
    yield "the output for very negative x", small
    slopes = torch.autograd.grad(y.sum(), leaf)[0].split(sizes)
    words = (", large x", ", very negative x", ", x near 0", " at 0")
    for word, slope in zip(words, slopes, strict=True):
        yield f"the gradient{word}", slope


def _inputs(generator: Generator) -> dict[str, Any]:
    index = generator.initial_seed()
    beta, shape = BETAS[index], SHAPES[index]
    double: dict[str, Any] = {"generator": generator, "dtype": torch.float64}
    near = torch.randn(shape, **double) * 4 / beta
    far = torch.tensor([15.0, 31.0, 88.5, 120.0, 720.0, 1e4, 1e30], dtype=torch.float64)
    low = -torch.tensor([18.0, 25.0, 38.0, 60.0, 85.0, 300.0], dtype=torch.float64)
    mixed = torch.cat([far, -far, near.reshape(-1)[:2]])
    found = {"near": near, "far": mixed / beta, "low": low / beta}
    if index == 1:
        found["near"] = near.flip(0)[::2]
    if index == 4:
        found = {name: x.float() for name, x in found.items()}
        found["low"] = found["low"][:-1]  # exp(-300) is 0 in float32
        found["near"] = found["near"].mT
    return found | {"beta": beta}


def _reference(variant: dict[str, Any]) -> Any:
    def softplus(x: Tensor, beta: float = 1.0) -> Tensor:
        return F.softplus(x, beta, threshold=40)

    return softplus


def _relative(expected: Any, got: Any) -> bool:
    """No absolute tolerance: the values themselves are tiny."""
    relative = 1e-4 if expected.dtype == torch.float32 else 1e-6
    form = got.shape, got.dtype
    return form == (expected.shape, expected.dtype) and bool(
        torch.allclose(got, expected, rtol=relative, atol=0.0)
    )


QUESTION = Question(
    name="softplus",
    title="A softplus that never overflows",
    answer="softplus",
    reference=_reference,
    run=custom_run(softplus_values, _inputs, configurations=len(BETAS)),
    parts={
        "the output near 0 | the inputs after the call": 1,
        "the output for large x": 1,
        "the output for very negative x": 1,
        "the gradient,": 1,
        "the gradient at 0": 1,
    },
    forbid=(
        "softplus",
        "logsigmoid",
        "log_sigmoid",
        "logaddexp",
        "logsumexp",
        "log_softmax",
        "cross_entropy",
        "mish",
        "soft_margin",
    ),
    judge={
        "the output for very negative x": _relative,
        "the gradient, very negative x": _relative,
    },
    mistakes=(
        Mistake(
            name="the formula as it stands",
            hint="exp overflows for large x, and 1 + exp(x) is 1 for very negative "
            "x. Which exponent is never above 0? And look up torch.log1p.",
            answer="""
def softplus(x, beta=1.0):
    return torch.log(1 + torch.exp(beta * x)) / beta
""",
            loses=("the output for large x", "the output for very negative x"),
        ),
        Mistake(
            name="log1p alone",
            hint="log1p keeps the digits of small numbers. For large x, exp still "
            "overflows.",
            answer="""
def softplus(x, beta=1.0):
    return torch.log1p(torch.exp(beta * x)) / beta
""",
            loses=("the output for large x", "the gradient,"),
        ),
        Mistake(
            name="NaN in the gradient",
            hint="torch.where picks the right value, but the branch that is not "
            "picked is differentiated too: 0 times infinity is NaN. Keep the "
            "argument of exp small in both branches.",
            answer="""
def softplus(x, beta=1.0):
    z = beta * x
    return torch.where(z > 30, x, torch.log1p(torch.exp(z)) / beta)
""",
            loses=("the gradient,",),
        ),
        Mistake(
            name="gradient of the clamp at 0",
            hint="At 0 you add the derivatives of two kinks, and they do not sum up "
            "to 1/2: clamp passes the whole gradient at its bound. Look for a "
            "maximum that shares it.",
            edits=(
                (
                    "torch.maximum(z, torch.zeros_like(z))",
                    "z.clamp(min=0)",
                ),
            ),
            loses=("the gradient at 0",),
        ),
        Mistake(
            name="gradient of relu at 0",
            hint="At 0 the derivative of softplus is 1/2; relu and abs both give 0 "
            "there.",
            edits=(("torch.maximum(z, torch.zeros_like(z))", "torch.relu(z)"),),
            loses=("the gradient at 0",),
        ),
        Mistake(
            name="saturates",
            hint="Your softplus stops growing: a large x must come out as x.",
            answer="""
def softplus(x, beta=1.0):
    return torch.log1p(torch.exp((beta * x).clamp(max=30))) / beta
""",
            loses=("the output for large x",),
        ),
        Mistake(
            name="digits lost below",
            hint="You subtract the maximum, which takes care of large x. For very "
            "negative x, 1 + exp(x) rounds to 1 and its logarithm to 0: use log1p.",
            edits=(
                (
                    "torch.log1p(torch.exp(-z.abs()))",
                    "torch.log(1 + torch.exp(-z.abs()))",
                ),
            ),
            loses=("the output for very negative x",),
        ),
        Mistake(
            name="one maximum for all",
            hint="You subtract one maximum from the whole tensor; values far below "
            "it lose all their digits. Each value needs its own.",
            answer="""
def softplus(x, beta=1.0):
    z = beta * x
    m = z.max().clamp(min=0)
    return (m + torch.log(torch.exp(-m) + torch.exp(z - m))) / beta
""",
        ),
        Mistake(
            name="not divided by beta",
            hint="Divide by beta at the end.",
            edits=((") / beta", ")"),),
            loses=("the output near 0",),
        ),
        Mistake(
            name="beta ignored",
            hint="beta multiplies x inside the exponential, and divides the result.",
            edits=(("z = beta * x", "z, beta = x, 1.0"),),
            loses=("the output near 0",),
        ),
        Mistake(
            name="detached",
            hint="The values are right, and no gradient reaches x.",
            edits=(("beta * x", "beta * x.detach()"),),
            loses=("the gradient,", "the gradient at 0"),
        ),
        Mistake(
            name="in place",
            hint="You write into the tensor that you are given.",
            edits=(("beta * x", "x.mul_(beta)"),),
        ),
        Mistake(
            name="torch's own",
            hint="Write it by exp, log1p and the like.",
            answer="""
def softplus(x, beta=1.0):
    return F.softplus(x, beta)
""",
            loses=("the output near 0",),
        ),
    ),
)
