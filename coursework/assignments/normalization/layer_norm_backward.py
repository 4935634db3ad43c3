"""LayerNorm backward by hand: three gradients without autograd."""

from typing import Any

import torch
from torch import Tensor

from layers_book.coursework import Mistake, Question, custom_run, distinct, signed


def case(generator: torch.Generator) -> dict[str, Any]:
    """No two axes of one size; eps is next to nothing until it is the point."""
    index = generator.initial_seed()
    shape = distinct(generator, 5, low=3)[: (2, 3, 2, 4, 2, 2)[index]]
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    words, eps = "", {"eps": 1e-14}
    if index == 1:
        x = (x * signed(generator, shape[-1]) + 3).mT.contiguous().mT
    if index == 2:
        x = x * 30 + 1e4
    if index in (4, 5):
        words, eps = "where eps counts: ", {"eps": 0.2} if index == 4 else {}
        x *= 0.01 if index == 5 else 1
        x[0] = 2.0  # constant rows
    upstream = torch.randn(shape, generator=generator, dtype=torch.float64)
    return {
        "args": [upstream, x, signed(generator, shape[-1])],
        "eps": eps,
        "words": words,
    }


def drive(answer, args, eps, words):
    class NoAutograd(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            value = func(*args, **(kwargs or {}))
            if isinstance(value, torch.Tensor) and (
                value.requires_grad or torch._C._functorch.is_gradtrackingtensor(value)
            ):
                raise Refused("Autograd is out of use here.")  # noqa: F821
            return value

    yield "configuration", f"x {tuple(args[1].shape)}, {eps or 'default eps'}"
    given = [t.clone() for t in args]
    with torch.inference_mode(), NoAutograd():
        value = call(answer, *given, **eps)  # noqa: F821
    for name, gradient in zip(("x", "weight", "bias"), value, strict=True):
        if not words or name != "bias":
            yield f"{words}the gradient with respect to {name}", gradient.clone()
    yield f"{words}the gradient with respect to x: arguments after the call", given


def reference(variant: dict[str, Any]) -> Any:
    """torch's own backward of nn.LayerNorm."""

    def layer_norm_backward(
        grad_output: Tensor, x: Tensor, weight: Tensor, eps: float = 1e-5
    ) -> tuple[Tensor, ...]:
        args = x.contiguous(), weight.shape
        ends = weight, torch.zeros_like(weight)
        _, *statistics = torch.native_layer_norm(*args, *ends, eps)
        found: tuple[Tensor, ...] = torch.ops.aten.native_layer_norm_backward(
            grad_output, *args, *statistics, *ends, [True] * 3
        )
        return found

    return layer_norm_backward


X, WEIGHT, BIAS = (
    f"the gradient with respect to {name}" for name in ("x", "weight", "bias")
)
QUESTION = Question(
    name="layer_norm_backward",
    title="LayerNorm backward by hand",
    answer="layer_norm_backward",
    reference=reference,
    run=custom_run(drive, case, configurations=6),
    parts={X: 3, WEIGHT: 1.5, BIAS: 0.5, "where eps counts": 1},
    forbid=("layer_norm", "batch_norm", "group_norm", "instance_norm", "rms_norm"),
    mistakes=(
        Mistake(
            name="statistics taken as constants",
            hint="Mean and variance depend on x: two more terms belong to the "
            "gradient.",
            edits=(("rstd * (g - by_mean - by_var)", "rstd * g"),),
            loses=(X,),
        ),
        Mistake(
            name="variance taken as a constant",
            hint="The variance depends on x as well: a term with x_hat is missing.",
            edits=(("(g - by_mean - by_var)", "(g - by_mean)"),),
            loses=(X,),
        ),
        Mistake(
            name="mean taken as a constant",
            hint="Shifting a row changes no output, so each row of the gradient must "
            "sum to 0: a term is missing.",
            edits=(("(g - by_mean - by_var)", "(g - by_var)"),),
            loses=(X,),
        ),
        Mistake(
            name="weight forgotten",
            hint="The gradient at x_hat is grad_output times weight.",
            edits=(("g = grad_output * weight", "g = grad_output"),),
            loses=(X,),
        ),
        Mistake(
            name="weight multiplied at the end",
            hint="weight differs from feature to feature, so it cannot be pulled out "
            "of the means: multiply by it first.",
            edits=(
                ("g = grad_output * weight", "g = grad_output"),
                ("rstd * (", "weight * rstd * ("),
            ),
            loses=(X,),
        ),
        Mistake(
            name="axes of BatchNorm",
            hint="In LayerNorm every row has its own statistics: the two means run "
            "over the last axis.",
            edits=(
                ("g.mean(-1, keepdim=True)", "g.mean(0, keepdim=True)"),
                (
                    "(g * x_hat).mean(-1, keepdim=True)",
                    "(g * x_hat).mean(0, keepdim=True)",
                ),
            ),
            loses=(X,),
        ),
        Mistake(
            name="sums instead of means",
            hint="Each feature has a share of 1/C in the mean and in the variance.",
            edits=(
                ("g.mean(-1, keepdim=True)", "g.sum(-1, keepdim=True)"),
                (
                    "(g * x_hat).mean(-1, keepdim=True)",
                    "(g * x_hat).sum(-1, keepdim=True)",
                ),
            ),
            loses=(X,),
        ),
        Mistake(
            name="rstd left out",
            hint="x_hat is x divided by sqrt(var + eps): that factor stays in the "
            "gradient.",
            edits=(("rstd * (g", "(g"),),
            loses=(X,),
        ),
        Mistake(
            name="sign of the variance's term",
            hint="Look at the sign of the derivative of 1/sqrt(var).",
            edits=(("- by_mean - by_var", "- by_mean + by_var"),),
            loses=(X,),
        ),
        Mistake(
            name="unbiased variance",
            hint="nn.LayerNorm normalizes with the biased variance.",
            edits=((", correction=0", ""),),
            loses=(X, WEIGHT),
        ),
        Mistake(
            name="eps outside the root",
            hint="eps is added to the variance, under the root.",
            edits=(
                (
                    "torch.rsqrt(x.var(-1, keepdim=True, correction=0) + eps)",
                    "1 / (x.std(-1, keepdim=True, correction=0) + eps)",
                ),
            ),
            loses=("where eps counts",),
        ),
        Mistake(
            name="eps left out",
            hint="Without eps a constant row divides by zero.",
            edits=(("correction=0) + eps)", "correction=0))"),),
            loses=("where eps counts",),
        ),
        Mistake(
            name="gradient of weight from x",
            hint="weight multiplies x_hat, not x.",
            edits=(("(grad_output * x_hat).sum", "(grad_output * x).sum"),),
            loses=(WEIGHT,),
        ),
        Mistake(
            name="gradient of weight with weight",
            hint="The derivative of x_hat * weight with respect to weight is x_hat: "
            "weight itself is no factor.",
            edits=(("(grad_output * x_hat).sum", "(g * x_hat).sum"),),
            loses=(WEIGHT,),
        ),
        Mistake(
            name="summed over the first axis only",
            hint="x may have several axes before the last: weight and bias are "
            "shared along all of them.",
            edits=(("tuple(range(x.dim() - 1))", "0"),),
            loses=(WEIGHT, BIAS),
        ),
        Mistake(
            name="averaged over the rows",
            hint="weight and bias act in every row, and their gradients add up: a "
            "sum, not a mean.",
            edits=((".sum(rows)", ".mean(rows)"),),
            loses=(WEIGHT, BIAS),
        ),
        Mistake(
            name="autograd",
            hint="Autograd is out of use here: write the formula down and compute it.",
            answer="""\
def layer_norm_backward(grad_output, x, weight, eps=1e-5):
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    bias = torch.zeros_like(weight).requires_grad_()
    mean = x.mean(-1, keepdim=True)
    var = x.var(-1, keepdim=True, correction=0)
    y = (x - mean) / torch.sqrt(var + eps) * weight + bias
    return torch.autograd.grad(y, (x, weight, bias), grad_output)
""",
        ),
    ),
)
