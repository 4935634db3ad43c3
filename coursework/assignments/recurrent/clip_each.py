"""Clip each: gradients held to a share of the size of their own parameter."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from layers_book.coursework import Mistake, Question, custom_run, distinct, signed

WORDS = ("", "", "", "corner cases: ", "corner cases: ", "corner cases: ")


def case(generator: torch.Generator) -> dict[str, Any]:
    """Gradients of which some are too long; later ones with zeros and gaps."""
    index = generator.initial_seed()
    a, b, c = distinct(generator, 3)
    shapes = (a, b), (c,), (b, c, a), (a,), (c, b)
    weights = [signed(generator, *shape) for shape in shapes]
    sizes = torch.tensor([0.02, 3.0, 0.3, 0.04, 5.0]).roll(index)
    gradients: list[Tensor | None] = []
    for weight, size in zip(weights, sizes.tolist(), strict=True):
        gradient = signed(generator, *weight.shape)
        gradient *= size * weight.norm() / gradient.norm()
        gradients.append(gradient)
    gradients[0] = gradients[0].mT.contiguous().mT
    kwargs: dict[str, float] = {}
    if index == 3:  # a layer that was not used, and a gradient of zeros
        gradients[1] = None
        gradients[2] = torch.zeros(shapes[2], dtype=torch.float64)
    if index == 4:  # parameters at 0 and close to it
        weights[1] *= 0
        weights[3] *= 1e-4
        gradients[3] = signed(generator, *shapes[3]) * 1e-5
    if index == 5:
        kwargs = {"eps": 4.0}
    return {
        "words": WORDS[index],
        "weights": weights,
        "given": gradients,
        "ratio": (0.1, 0.5, 1.5, 0.1, 0.1, 0.2)[index],
        "kwargs": kwargs,
    }


def drive(answer, words, weights, given, ratio, kwargs):
    yield "configuration", f"{words}ratio={ratio}, {kwargs or 'default eps'}"
    parameters = [nn.Parameter(weight.clone()) for weight in weights]
    for parameter, gradient in zip(parameters, given, strict=True):
        parameter.grad = gradient
    count = answer(iter(parameters), ratio, **kwargs)
    for i, (parameter, gradient) in enumerate(zip(parameters, given, strict=True)):
        same = parameter.grad is gradient
        yield f"{words}the gradients, number {i}", [parameter.grad, same]
        yield f"{words}the gradients: parameter {i}", parameter
    yield "the count", count


def reference(variant: dict[str, Any]) -> Any:
    """By way of F.normalize."""

    def clip_each(
        parameters: Iterable[nn.Parameter], ratio: float, eps: float = 1e-3
    ) -> int:
        count = 0
        for parameter in parameters:
            if parameter.grad is not None:
                size = torch.linalg.vector_norm(parameter.detach()).clamp(min=eps)
                length = torch.linalg.vector_norm(parameter.grad)
                if length > ratio * size:
                    unit = F.normalize(parameter.grad.flatten(), dim=0, eps=1e-30)
                    parameter.grad.copy_(ratio * size * unit.view_as(parameter.grad))
                    count += 1
        return count

    return clip_each


GRADIENTS, CORNER, COUNT = "the gradients", "corner cases", "the count"
QUESTION = Question(
    name="clip_each",
    title="Clip each",
    answer="clip_each",
    reference=reference,
    run=custom_run(drive, case, configurations=6),
    parts={GRADIENTS: 2, CORNER: 1, COUNT: 1},
    forbid=("clip_grad", "renorm"),
    mistakes=(
        Mistake(
            name="an absolute limit",
            hint="The limit of each gradient depends on the norm of its own parameter.",
            edits=(("limit = ratio * max(p.norm().item(), eps)", "limit = ratio"),),
            loses=(GRADIENTS,),
        ),
        Mistake(
            name="every gradient scaled",
            hint="A gradient that is short enough stays as it is.",
            edits=(("if norm > limit:", "if norm > 0:"),),
            loses=(GRADIENTS, COUNT),
        ),
        Mistake(
            name="clipped number by number",
            hint="One factor for all numbers of a gradient keeps its direction.",
            edits=(("p.grad.mul_(limit / norm)", "p.grad.clamp_(-limit, limit)"),),
            loses=(GRADIENTS,),
        ),
        Mistake(
            name="not in place",
            hint="The tensor in p.grad itself must change: others may hold it.",
            edits=(("p.grad.mul_(limit / norm)", "p.grad = p.grad * (limit / norm)"),),
            loses=(GRADIENTS,),
        ),
        Mistake(
            name="eps left out",
            hint="A parameter at 0 would never get a gradient: its norm counts as "
            "eps at least.",
            edits=(("max(p.norm().item(), eps)", "p.norm().item()"),),
            loses=(CORNER,),
        ),
        Mistake(
            name="eps added",
            hint="The larger of norm and eps is asked for, not their sum.",
            edits=(("max(p.norm().item(), eps)", "(p.norm().item() + eps)"),),
            loses=(CORNER,),
        ),
        Mistake(
            name="eps outside the ratio",
            hint="eps stands for the norm of the parameter: the ratio multiplies it "
            "too.",
            edits=(
                ("ratio * max(p.norm().item(), eps)", "max(ratio * p.norm(), eps)"),
            ),
            loses=(CORNER,),
        ),
        Mistake(
            name="no gradient at all",
            hint="The grad of a parameter that took no part is None.",
            edits=(("if p.grad is None:\n                continue", "pass"),),
            loses=(CORNER,),
        ),
        Mistake(
            name="stops at a gap",
            hint="After a parameter without a gradient others may follow.",
            edits=(("continue", "break"),),
            loses=(CORNER,),
        ),
        Mistake(
            name="scaled to the ratio",
            hint="A gradient that is too long gets the limit as its norm, not the "
            "ratio.",
            edits=(("limit / norm", "ratio / norm"),),
            loses=(GRADIENTS,),
        ),
        Mistake(
            name="the largest number for the norm",
            hint="The norm is the root of the sum of squares.",
            edits=(("p.grad.norm()", "p.grad.abs().max()"),),
            loses=(GRADIENTS,),
        ),
        Mistake(
            name="norms row by row",
            hint="One norm for the whole tensor, whatever its shape.",
            edits=(("p.norm().item()", "p[0].norm().item()"),),
            loses=(GRADIENTS,),
        ),
        Mistake(
            name="counts all gradients",
            hint="Only the gradients that were changed are counted.",
            edits=(
                ("                clipped += 1", "                pass"),
                (
                    "            norm = p.grad",
                    "            clipped += 1\n            norm = p.grad",
                ),
            ),
            loses=(COUNT,),
        ),
        Mistake(
            name="gives the norm",
            hint="The number of clipped gradients is asked for.",
            edits=(("return clipped", "return norm"),),
            loses=(COUNT,),
        ),
    ),
)
