"""Groups of any kind: GroupNorm whose groups are told by labels."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from layers_book.coursework import Mistake, Question, custom_run, distinct, signed

GROUPS = (  # of the channels, one row a configuration
    (0, 1, 0, 2, 1, 2, 0),
    (2, 0, 0, 1, 2, 1),
    (0, 0, 5, 5, 2, 2, 2, 2),
    (1, 0, 1, 1, 2),
    (1, 0, 2, 1, 2),
    (2, 0, 1, 1, 0),
)
AXES = (1, 0, 3, 2, 1, 2)  # after the channels


def case(generator: torch.Generator) -> dict[str, Any]:
    """No two axes of one size; eps is next to nothing until it is the point."""
    index = generator.initial_seed()
    group = torch.tensor(GROUPS[index])
    sizes = [n for n in distinct(generator, 4) if n != len(group)]
    n, *rest = [*sizes, 2][: 1 + AXES[index]]
    x = torch.randn(n, len(group), *rest, generator=generator, dtype=torch.float64)
    words, eps = "", {"eps": 1e-14}
    if index == 1:
        x = (x * signed(generator, len(group)) + 3).mT.contiguous().mT
    if index in (3, 4):
        words, eps = "where eps counts: ", {"eps": 0.3} if index == 3 else {}
        x *= 0.01 if index == 4 else 1
        x[:, group == 1] = 2.0  # a constant group
    if index == 5:
        words, x = "in float32: ", x + 300
    dtype = torch.float32 if index == 5 else torch.float64
    weight, bias = signed(generator, len(group)), signed(generator, len(group))
    return {
        "leaves": [t.to(dtype) for t in (x, weight, bias)],
        "group": group,
        "eps": eps,
        "words": words,
    }


def drive(answer, leaves, group, eps, words):
    shape = tuple(leaves[0].shape)
    yield "configuration", f"x {shape}, group {group.tolist()}, {eps or 'default eps'}"
    leaves = [t.requires_grad_() for t in leaves]
    x, weight, bias = given = [t.clone() for t in leaves]
    labels = group.clone()
    value = call(answer, x, labels, weight, bias, **eps)  # noqa: F821
    yield f"{words}the output", value
    yield f"{words}the output: arguments after the call", [*given, labels]
    if value.dtype == torch.float64:
        found = gradients(value, leaves)  # noqa: F821
        for name, gradient in zip(("x", "weight", "bias"), found, strict=True):
            yield f"{words}the gradient with respect to {name}", gradient


def reference(variant: dict[str, Any]) -> Any:
    """Each group as a LayerNorm over all its values, put back by the inverse order."""

    def group_norm_by(
        x: Tensor, group: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5
    ) -> Tensor:
        order = group.argsort(stable=True)
        sizes = group.unique(return_counts=True)[1].tolist()
        parts = x[:, order].split(sizes, dim=1)
        done = torch.cat([F.layer_norm(p, p.shape[1:], eps=eps) for p in parts], 1)
        y = done[:, order.argsort()].movedim(1, -1)
        return torch.addcmul(bias, y, weight).movedim(-1, 1)

    return group_norm_by


MEAN = "mean = part.mean(dims, keepdim=True)"
VAR = "var = part.var(dims, keepdim=True, correction=0)"
QUESTION = Question(
    name="grouping",
    title="Groups of any kind",
    answer="group_norm_by",
    reference=reference,
    run=custom_run(drive, case, configurations=6),
    parts={
        "the output": 1.5,
        "the gradient": 1.5,
        "where eps counts": 1,
        "in float32": 1,
    },
    forbid=("group_norm", "layer_norm", "instance_norm", "batch_norm", "rms_norm"),
    mistakes=(
        Mistake(
            name="groups of neighbors",
            hint="The labels decide who belongs together, not the number of the "
            "channel.",
            edits=(
                ("in group.unique()", "in (group := group.sort().values).unique()"),
            ),
        ),
        Mistake(
            name="labels 0, 1, 2, ...",
            hint="The labels may leave out numbers: go through those that occur.",
            edits=(("in group.unique()", "in range(len(group.unique()))"),),
        ),
        Mistake(
            name="each channel alone",
            hint="All channels of a group share one mean and one variance.",
            edits=(("tuple(range(1, x.dim()))", "tuple(range(2, x.dim())) or (2,)"),),
        ),
        Mistake(
            name="all channels together",
            hint="One mean for each group, not one for the sample.",
            edits=(
                (MEAN, "mean = x.mean(dims, keepdim=True)"),
                (VAR, "var = x.var(dims, keepdim=True, correction=0)"),
            ),
        ),
        Mistake(
            name="over the batch as well",
            hint="No sample knows of another: leave the batch axis out of the mean.",
            edits=(("tuple(range(1, x.dim()))", "(0, *range(1, x.dim()))"),),
        ),
        Mistake(
            name="each position alone",
            hint="A group shares one mean over its channels and all positions.",
            edits=(("tuple(range(1, x.dim()))", "(1,)"),),
        ),
        Mistake(
            name="mean of the channels' variances",
            hint="The variance of a group is taken around the mean of the group; the "
            "mean of its channels' variances leaves out how far the channels lie "
            "apart.",
            edits=(
                (
                    VAR,
                    "own = part.mean(dims[1:], keepdim=True) if dims[1:] else part\n"
                    "        var = (part - own).square().mean(dims, keepdim=True)",
                ),
            ),
        ),
        Mistake(
            name="unbiased variance",
            hint="nn.GroupNorm normalizes with the biased variance: divide by the "
            "count.",
            edits=((VAR, "var = part.var(dims, keepdim=True)"),),
        ),
        Mistake(
            name="eps outside the root",
            hint="eps is added to the variance, under the root.",
            edits=(("torch.sqrt(var + eps)", "(torch.sqrt(var) + eps)"),),
            loses=("where eps counts",),
        ),
        Mistake(
            name="eps left out",
            hint="Without eps a constant group divides by zero.",
            edits=(("var + eps", "var"),),
            loses=("where eps counts",),
        ),
        Mistake(
            name="eps fixed",
            hint="Use the argument eps, whatever its value.",
            edits=(("var + eps", "var + 1e-5"),),
            loses=("where eps counts",),
        ),
        Mistake(
            name="weight of the group",
            hint="weight and bias belong to a channel: there are C of each, not one "
            "for each group.",
            edits=(
                ("weight.view(shape)", "weight[group].view(shape)"),
                ("bias.view(shape)", "bias[group].view(shape)"),
            ),
        ),
        Mistake(
            name="weight on the last axis",
            hint="weight has to line up with axis 1: give it one axis of size 1 for "
            "each axis behind the channels.",
            edits=(("weight.view(shape)", "weight"), ("bias.view(shape)", "bias")),
        ),
        Mistake(
            name="one axis behind the channels",
            hint="x may have any number of axes after the channels, none included.",
            edits=(("(-1,) + (1,) * (x.dim() - 2)", "(-1, 1)"),),
        ),
        Mistake(
            name="two axes behind the channels",
            hint="Not only images: x may have any number of axes after the channels.",
            edits=(("(-1,) + (1,) * (x.dim() - 2)", "(-1, 1, 1)"),),
        ),
        Mistake(
            name="no gradient through the statistics",
            hint="Mean and variance depend on x, and the gradient must flow through "
            "them.",
            edits=(
                ("mean = part.mean", "mean = part.detach().mean"),
                ("var = part.var", "var = part.detach().var"),
            ),
            loses=("the gradient",),
        ),
        Mistake(
            name="mean of the squares minus square of the mean",
            hint="For values far from 0, the difference of two large numbers loses its "
            "digits in float32: subtract the mean first, then square.",
            edits=((VAR, "var = part.square().mean(dims, keepdim=True) - mean**2"),),
            loses=("in float32",),
        ),
        Mistake(
            name="writes into x",
            hint="The arguments must stay as they are: put the result in a new tensor.",
            edits=(("torch.empty_like(x)", "x"),),
            loses=("the output",),
        ),
    ),
)
