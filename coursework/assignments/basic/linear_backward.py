"""The backward pass of Linear by hand."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.coursework import Mistake, Question, custom_run, distinct

# leading axes of x: a table, a vector, more axes, none of the rows
LEADING = ((5,), (), (4, 3), (2, 5, 3), (1,), (7,))


def backward_pass(answer, x, weight, upstream):
    """Call the answer on copies, and tell the three results apart."""
    at = f"x {tuple(x.shape)}, weight {tuple(weight.shape)}"
    yield "configuration", at + ("" if x.is_contiguous() else ", x not contiguous")
    copies = [x.clone(), weight.clone(), upstream.clone()]
    with torch.inference_mode():  # no graph, so autograd finds nothing
        gradients = answer(*copies)
    shape = "" if x.dim() == 2 else ", other x"
    labels = ("of x", f"of weight{shape}", "of bias")
    for label, gradient in zip(labels, gradients, strict=False):
        yield f"the gradient {label}", gradient
    yield "the inputs after the call", copies


def _inputs(generator: Generator) -> dict[str, Any]:
    index = generator.initial_seed()
    n_in, n_out = (s + 1 for s in distinct(generator, 2, low=index % 2 + 1))
    leading = LEADING[index]
    x = torch.randn(*leading, n_in, generator=generator, dtype=torch.float64)
    weight = torch.randn(n_out, n_in, generator=generator, dtype=torch.float64)
    upstream = torch.randn(*leading, n_out, generator=generator, dtype=torch.float64)
    if index in (2, 5):
        x, upstream = x.mT.contiguous().mT, upstream.mT.contiguous().mT
    found = {"x": x, "weight": weight, "upstream": upstream}
    return {k: v.float() for k, v in found.items()} if index == 5 else found


def _reference(variant: dict[str, Any]) -> Any:
    @torch.inference_mode(False)
    def linear_backward(x: Tensor, weight: Tensor, upstream: Tensor) -> Any:
        leaves = [x.clone(), weight.clone(), torch.zeros_like(weight[:, 0])]
        for leaf in leaves:
            leaf.requires_grad_()
        return torch.autograd.grad(F.linear(*leaves), leaves, upstream)

    return linear_backward


QUESTION = Question(
    name="linear_backward",
    title="The backward pass of Linear",
    answer="linear_backward",
    reference=_reference,
    run=custom_run(backward_pass, _inputs, configurations=len(LEADING)),
    parts={
        "the gradient of x | the inputs after the call": 1,
        "the gradient of weight": 1,
        "the gradient of weight, other x": 1,
        "the gradient of bias": 1,
    },
    forbid=("backward", "requires_grad_", "vjp", "jac"),
    mistakes=(
        Mistake(
            name="weight gradient transposed",
            hint="Your gradient of weight is (in, out); a gradient has the shape of "
            "what it belongs to.",
            edits=(("ups.T @ rows", "rows.T @ ups"),),
            loses=("the gradient of weight",),
        ),
        Mistake(
            name="mean over the rows",
            hint="You average over the rows. Each row uses the weight and the bias "
            "once, so their gradients add up.",
            edits=(
                ("ups.T @ rows", "ups.T @ rows / len(rows)"),
                ("ups.sum(0)", "ups.mean(0)"),
            ),
            loses=("the gradient of weight", "the gradient of bias"),
        ),
        Mistake(
            name="bias gradient over one axis",
            hint="The bias is added in every row. Sum over all axes but the last, "
            "not only over the first.",
            edits=(("ups.sum(0)", "upstream.sum(0)"),),
            loses=("the gradient of bias",),
        ),
        Mistake(
            name="bias gradient counts rows",
            hint="The gradient of the bias is made of upstream, not of ones.",
            edits=(("ups.sum(0)", "torch.ones_like(ups).sum(0)"),),
            loses=("the gradient of bias",),
        ),
        Mistake(
            name="only tables",
            hint="Your gradient of weight works for x of shape (N, in). With more "
            "axes, or fewer, bring the rows into one list first.",
            answer="""
def linear_backward(x, weight, upstream):
    bias = upstream.reshape(-1, upstream.shape[-1]).sum(0)
    return upstream @ weight, upstream.mT @ x if x.dim() > 1 else None, bias
""",
            loses=("the gradient of weight, other x",),
        ),
        Mistake(
            name="x gradient without upstream",
            hint="Your gradient of x would be right if the loss were the sum of y. "
            "Multiply by the gradient that comes from above.",
            edits=(
                (
                    "upstream @ weight",
                    "weight.sum(0).expand_as(x)",
                ),
            ),
            loses=("the gradient of x",),
        ),
        Mistake(
            name="x gradient as a list of rows",
            hint="Your gradient of x has lost the leading axes of x.",
            edits=(("return upstream @ weight", "return ups @ weight"),),
            loses=("the gradient of x",),
        ),
        Mistake(
            name="order of the results",
            hint="The order is x, weight, bias.",
            edits=(
                (
                    "upstream @ weight, ups.T @ rows, ups.sum(0)",
                    "ups.T @ rows, ups.sum(0), upstream @ weight",
                ),
            ),
            loses=("the gradient of x", "the gradient of weight"),
        ),
        Mistake(
            name="upstream swapped with x",
            hint="The gradient of weight joins upstream and x; you multiply upstream "
            "with itself.",
            edits=(("ups.T @ rows", "(ups.T @ ups)[:, :1] * rows.sum(0)"),),
            loses=("the gradient of weight",),
        ),
        Mistake(
            name="always float64",
            hint="You change the data type: results have that of the input.",
            edits=(
                ("x.reshape", "x.double().reshape"),
                ("upstream.r", "upstream.double().r"),
            ),
        ),
        Mistake(
            name="autograd",
            hint="Write the three products yourself; autograd is not allowed here.",
            answer="""
def linear_backward(x, weight, upstream):
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    bias = torch.zeros(weight.shape[0], dtype=x.dtype, requires_grad=True)
    y = F.linear(x, weight, bias)
    return torch.autograd.grad(y, (x, weight, bias), upstream)
""",
            loses=("the gradient of x", "the gradient of weight"),
        ),
    ),
)
