"""Read the buffers: what running statistics tell about a batch that is gone."""

from typing import Any

import torch
from torch import nn

from layers_book.coursework import Mistake, Question, custom_run

NAMES = {
    "mean": "the mean of the batch",
    "var": "the biased variance",
    "training": "the output in training mode",
    "eval": "the output in eval mode",
    "batches": "the number of batches",
}


def reference(variant: dict[str, Any]) -> dict[str, Any]:
    """Find a batch that does it by asking nn.BatchNorm1d: buffers are linear in it."""
    n, x = variant["N"], torch.tensor([[variant["x"]]], dtype=torch.float64)

    def after(batch: torch.Tensor) -> nn.BatchNorm1d:
        momentum = variant["momentum"]
        bn = nn.BatchNorm1d(1, eps=1e-30, momentum=momentum, dtype=torch.float64)
        nn.init.constant_(bn.running_mean, variant["mean_before"])
        nn.init.constant_(bn.running_var, variant["var_before"])
        bn(batch)
        return bn

    unit = torch.zeros(n, 1, dtype=torch.float64)  # (N, C), mean 0
    unit[0], unit[1] = 1.0, -1.0
    zero, shifted, doubled = after(unit), after(unit + 1), after(2 * unit)
    to_go = variant["mean_after"] - zero.running_mean
    mean = to_go / (shifted.running_mean - zero.running_mean)
    to_go = variant["var_after"] - zero.running_var
    size = 1 + 3 * to_go / (doubled.running_var - zero.running_var)
    batch = unit * size.sqrt() + mean
    bn = after(batch)
    evaluated = bn.eval()(x).item()
    start, count = (bn.train().running_mean - mean).abs().item(), 0
    while (bn.running_mean - mean).abs().item() > variant["left"] * start:
        bn(batch)
        count += 1
    var = batch.var(0, correction=0)
    return {
        "mean": mean.item(),
        "var": var.item(),
        "training": nn.functional.batch_norm(x, mean, var, eps=0.0).item(),
        "eval": evaluated,
        "batches": count,
    }


def look(answer, names):
    if answer is None or all(answer[name] is ... for name in answer):
        call(lambda: None)  # noqa: F821
    for name, words in names.items():
        yield words, answer.get(name), 2e-3


MEAN_AFTER = '(VARIANT["mean_after"] - (1 - m) * VARIANT["mean_before"]) / m'
VAR_AFTER = '(VARIANT["var_after"] - (1 - m) * VARIANT["var_before"]) / m'
IN_TRAINING = "(x - mean) / var**0.5"
IN_EVAL = '(x - VARIANT["mean_after"]) / VARIANT["var_after"] ** 0.5'
QUESTION = Question(
    name="buffers",
    title="Read the buffers",
    answer="buffers",
    reference=reference,
    run=custom_run(look, lambda _: {"names": NAMES}, configurations=1),
    parts=dict.fromkeys(NAMES.values(), 1),
    mistakes=(
        Mistake(
            name="momentum of an optimizer",
            hint="In torch's BatchNorm, momentum is the weight of the new batch, not "
            "of the old buffer.",
            edits=(('x = VARIANT["momentum"]', 'x = 1 - VARIANT["momentum"]'),),
            loses=(NAMES["mean"], NAMES["var"], NAMES["batches"]),
        ),
        Mistake(
            name="running_var taken as biased",
            hint="The batch is normalized with one variance, and another one goes "
            "into the buffer: they differ by a factor that depends on N.",
            edits=(("unbiased * (N - 1) / N", "unbiased"),),
            loses=(NAMES["var"], NAMES["training"]),
        ),
        Mistake(
            name="correction the wrong way",
            hint="Which of the two variances is the larger one, the biased or the "
            "unbiased?",
            edits=(("unbiased * (N - 1) / N", "unbiased * N / (N - 1)"),),
            loses=(NAMES["var"], NAMES["training"]),
        ),
        Mistake(
            name="buffers taken for the batch",
            hint="The buffers mix the batch with what they held before: take the old "
            "part out first.",
            edits=(
                (MEAN_AFTER, 'VARIANT["mean_after"]'),
                (VAR_AFTER, 'VARIANT["var_after"]'),
            ),
            loses=(NAMES["mean"], NAMES["var"]),
        ),
        Mistake(
            name="old value not added back",
            hint="The change of a buffer is momentum times the distance from the old "
            "value to that of the batch: add the old value to what you found.",
            edits=(
                (MEAN_AFTER, MEAN_AFTER.replace("(1 - m) * ", "")),
                (VAR_AFTER, VAR_AFTER.replace("(1 - m) * ", "")),
            ),
            loses=(NAMES["mean"], NAMES["var"]),
        ),
        Mistake(
            name="batch statistics in eval mode",
            hint="In eval mode the layer knows no batch: it uses its buffers.",
            edits=((IN_EVAL, IN_TRAINING),),
            loses=(NAMES["eval"],),
        ),
        Mistake(
            name="eval mode with the old buffers",
            hint="The batch has already moved the buffers when the mode changes.",
            edits=((IN_EVAL, IN_EVAL.replace("after", "before")),),
            loses=(NAMES["eval"],),
        ),
        Mistake(
            name="eval mode corrects the variance",
            hint="Eval mode takes running_var as it is, without a correction.",
            edits=(
                (
                    'VARIANT["var_after"] ** 0.5',
                    '(VARIANT["var_after"] * (N - 1) / N) ** 0.5',
                ),
            ),
            loses=(NAMES["eval"],),
        ),
        Mistake(
            name="buffers in training mode",
            hint="In training mode the batch is normalized with its own mean and "
            "variance.",
            edits=((IN_TRAINING, IN_EVAL),),
            loses=(NAMES["training"],),
        ),
        Mistake(
            name="unbiased variance in training mode",
            hint="Training mode normalizes with the biased variance.",
            edits=((IN_TRAINING, "(x - mean) / unbiased**0.5"),),
            loses=(NAMES["training"],),
        ),
        Mistake(
            name="divided by the variance",
            hint="Normalizing divides by the standard deviation, not by the variance.",
            edits=(
                ("var**0.5", "var"),
                ('VARIANT["var_after"] ** 0.5', 'VARIANT["var_after"]'),
            ),
            loses=(NAMES["training"], NAMES["eval"]),
        ),
        Mistake(
            name="one batch too few",
            hint="After this many batches the distance is still above the limit: one "
            "more is needed.",
            edits=(("batches += 1", "batches += 1\nbatches -= 1"),),
            loses=(NAMES["batches"],),
        ),
        Mistake(
            name="one batch too many",
            hint="Measure from where running_mean is now, after the batch, and count "
            "only the batches still to come.",
            edits=(("batches += 1", "batches += 1\nbatches += 1"),),
            loses=(NAMES["batches"],),
        ),
    ),
)
