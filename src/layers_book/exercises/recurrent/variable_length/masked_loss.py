"""A mean over real steps."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import Exercise, Mistake, function_run, signed
from layers_book.exercises.recurrent.variable_length.lengths import (
    draw_lengths,
    real_steps,
)


def _tagged(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    lengths, length = draw_lengths(generator)
    index = generator.initial_seed()
    size, classes = (len(lengths), length), 2 + index % 4
    logits = signed(generator, *size, classes) * 2
    target = torch.randint(0, classes, size, generator=generator)
    if index % 2:  # as a label tensor padded with 0
        target = target * real_steps(lengths, length)
    return (logits.requires_grad_(), target, lengths), {}


def _loss_reference(logits: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
    ignored = target.masked_fill(~real_steps(lengths, target.shape[1]), -100)
    return F.cross_entropy(logits.flatten(0, 1), ignored.flatten())


def _wrong_loss(wrong: str) -> Any:
    def answer(logits: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
        n, length = target.shape
        mask = real_steps(lengths, length)
        if wrong == "detached":
            logits = logits.detach()
        if wrong == "zero logits":
            logits = logits * mask[..., None]
        loss = F.cross_entropy(logits.mT, target, reduction="none")
        if wrong in ("plain", "zero logits"):
            return loss.mean()
        if wrong == "pads in count":
            return (loss * mask).mean()
        if wrong == "per sequence":
            return ((loss * mask).sum(1) / lengths).mean()
        if wrong == "sum":
            return loss[mask].sum()
        if wrong == "per batch":
            return loss[mask].sum() / n
        if wrong == "longest":
            return loss[mask].sum() / (n * lengths.max())
        if wrong == "inverted":
            return loss[~mask].mean() if (~mask).any() else loss.sum() * 0
        if wrong == "one more":
            return loss[real_steps(lengths + 1, length)].mean()
        if wrong == "one fewer":
            return loss[real_steps(lengths - 1, length)].mean()
        if wrong == "class 0":
            return F.cross_entropy(logits.mT, target, ignore_index=0)
        if wrong == "cut to the longest":
            return loss[:, : int(lengths.max())].mean()
        if wrong == "not reduced":
            return loss[mask]
        if wrong == "per step":
            real = mask[:, : int(lengths.max())]
            return ((loss * mask).sum(0)[: real.shape[1]] / real.sum(0)).mean()
        if wrong == "last steps":
            return loss[torch.arange(n), lengths - 1].mean()
        if wrong == "left":
            return loss[mask.flip(1)].mean()
        if wrong == "first steps":
            return loss[:, 0].mean()
        if wrong == "shortest":
            return loss[:, : int(lengths.min())].mean()
        if wrong == "first sequence":
            return loss[0, : int(lengths[0])].mean()
        if wrong == "sum of means":
            return ((loss * mask).sum(1) / lengths).sum()
        if wrong == "mean length":
            return loss[mask].sum() / lengths.double().mean().to(loss)
        if wrong == "classes":
            return loss[mask].mean() / logits.shape[-1]
        if wrong == "softmax":
            return F.cross_entropy(logits.softmax(-1)[mask], target[mask])
        if wrong == "no softmax":
            return F.nll_loss(logits[mask], target[mask])
        if wrong == "over steps":
            return F.nll_loss(logits.log_softmax(1)[mask], target[mask])
        if wrong == "written":
            target[~mask] = -100
            return F.cross_entropy(logits.mT, target)
        if wrong == "sign":
            return -loss[mask].mean()
        if wrong == "target 0":
            return F.cross_entropy(logits.mT, target * mask)
        if wrong == "infinite":
            return F.cross_entropy(
                logits.masked_fill(~mask[..., None], -torch.inf).mT, target
            )
        if wrong == "reshaped":
            mixed = logits.reshape(n, -1, length)
            return F.cross_entropy(mixed, target, reduction="none")[mask].mean()
        if wrong == "reshaped, all":
            return F.cross_entropy(logits.reshape(n, -1, length), target)
        return loss[mask].mean()

    return answer


MASKED_LOSS = Exercise(
    name="variable_length/masked_loss",
    reference=_loss_reference,
    run=function_run(_tagged, names=("logits", "target", "lengths")),
    mistakes=(
        Mistake(
            _wrong_loss("plain"),
            "You average over all steps, pads included: they have no right answer.",
        ),
        Mistake(
            _wrong_loss("pads in count"),
            "The pads add nothing, but still count: divide by the number of real "
            "steps, mask.sum(), not by N * L.",
        ),
        Mistake(
            _wrong_loss("per sequence"),
            "You average each sequence first, so a step of a short one weighs more: "
            "take one mean over all real steps.",
        ),
        Mistake(
            _wrong_loss("per step"),
            "You average each step first, so a late step, which few sequences have, "
            "weighs more: take one mean over all real steps.",
        ),
        Mistake(
            _wrong_loss("last steps"),
            "You take the last real step only: every real step has a loss.",
        ),
        Mistake(_wrong_loss("sum"), "You add the real steps up: take their mean."),
        Mistake(
            _wrong_loss("per batch"),
            "You divide by the number of sequences: divide by that of real steps, "
            "lengths.sum().",
        ),
        Mistake(
            _wrong_loss("longest"),
            "You divide by N times the longest length, which counts pads: divide by "
            "lengths.sum().",
        ),
        Mistake(
            _wrong_loss("inverted"),
            "You average over the pads: real is torch.arange(L) < lengths[:, None].",
        ),
        Mistake(
            _wrong_loss("one more"),
            "You count one pad of each sequence: real steps are 0 to lengths - 1, so "
            "compare by <, not <=.",
        ),
        Mistake(
            _wrong_loss("one fewer"),
            "You leave out the last real step: real are the steps t < lengths.",
        ),
        Mistake(
            _wrong_loss("zero logits"),
            "Logits of 0 are no missing answer, they cost log C each: select the real "
            "steps before the mean.",
        ),
        Mistake(
            _wrong_loss("class 0"),
            "ignore_index=0, or target != 0, leaves out every real step of class 0 as "
            "well: the mask comes from lengths, not from target.",
        ),
        Mistake(
            _wrong_loss("cut to the longest"),
            "You cut at the longest length only: each sequence ends at its own.",
        ),
        Mistake(
            _wrong_loss("left"),
            "You take the last steps of the tensor: the pads stand at the end.",
        ),
        Mistake(
            _wrong_loss("first steps"),
            "You take the first step only: every real step has a loss.",
        ),
        Mistake(
            _wrong_loss("shortest"),
            "You cut all sequences to the shortest: each ends at its own length.",
        ),
        Mistake(
            _wrong_loss("first sequence"),
            "You take the first sequence only: average over all of the batch.",
        ),
        Mistake(
            _wrong_loss("sum of means"),
            "You add the means of the sequences up: take one mean over all real steps.",
        ),
        Mistake(
            _wrong_loss("mean length"),
            "You divide by the mean length: divide by the number of real steps, "
            "lengths.sum().",
        ),
        Mistake(
            _wrong_loss("classes"),
            "You divide by the number of classes as well: a step has one loss, not C.",
        ),
        Mistake(
            _wrong_loss("softmax"),
            "You apply softmax first: F.cross_entropy takes logits and does that "
            "itself.",
        ),
        Mistake(
            _wrong_loss("no softmax"),
            "F.nll_loss takes logarithms of probabilities: apply log_softmax first, or "
            "use F.cross_entropy.",
        ),
        Mistake(
            _wrong_loss("over steps"),
            "Your softmax runs over the steps: it belongs to the classes, the last "
            "axis.",
        ),
        Mistake(
            _wrong_loss("written"),
            "The value is right, but you write -100 into the caller's target: take "
            "target.masked_fill(~mask, -100), which makes a copy.",
        ),
        Mistake(
            _wrong_loss("sign"),
            "The sign is the opposite one: a loss is minus the logarithm.",
        ),
        Mistake(
            _wrong_loss("target 0"),
            "You give the pads class 0, and they still count: leave them out of the "
            "mean.",
        ),
        Mistake(
            _wrong_loss("infinite"),
            "Logits of -inf on the pads make the loss there infinite or NaN: select "
            "the real steps instead.",
        ),
        Mistake(
            _wrong_loss("reshaped"),
            "reshape mixes steps and classes: to bring C to axis 1, transpose, "
            "logits.mT.",
        ),
        Mistake(
            _wrong_loss("reshaped, all"),
            "You average over the pads as well, and reshape mixes steps and classes: "
            "transpose by logits.mT, and select the real steps.",
        ),
        Mistake(
            _wrong_loss("not reduced"),
            "You return a loss for each real step: take their mean.",
        ),
        Mistake(
            _wrong_loss("detached"),
            "The value is right, the gradient is not: do not detach logits.",
        ),
    ),
)
