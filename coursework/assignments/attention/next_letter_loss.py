"""The loss of the next letter: shifted, smoothed, without filler."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from layers_book.coursework import Mistake, Question, custom_run, distinct, signed

WORDS = ("plain", "plain", "smoothed", "smoothed", "filler", "filler", "filler")
WORDS += ("corner cases", "corner cases")
FILLERS = (-1, -100, -1, -1, -1, 0, 2, -1, -1)
SMOOTHING = (0.0, 0.0, 0.1, 0.6, 0.0, 0.2, 0.3, 0.1, 0.2)


def case(generator: torch.Generator) -> dict[str, Any]:
    """Filler behind, in front, of a number that is a letter; none that counts."""
    index = generator.initial_seed()
    n, length, letters = distinct(generator, 3, low=3)
    letters += 3
    logits = 2 * signed(generator, n, length, letters)
    tokens = torch.randint(3, letters, (n, length), generator=generator)
    filler = FILLERS[index]
    if WORDS[index] == "filler":
        tokens[0, -2:] = filler
        tokens[1, :2] = filler  # in front
    if index == 7:
        tokens[:, 1:] = filler
    if index == 8:
        logits = logits * 1e3
    return {
        "words": WORDS[index],
        "logits": logits,
        "tokens": tokens,
        "filler": filler,
        "smoothing": SMOOTHING[index],
    }


def drive(answer, words, logits, tokens, filler, smoothing):
    yield (
        "configuration",
        f"logits {tuple(logits.shape)}, tokens {tokens.tolist()}, {filler=}, "
        f"{smoothing=}",
    )
    logits.requires_grad_()
    given = logits.detach().clone(), tokens.clone()
    loss = call(answer, logits, tokens, filler, smoothing)  # noqa: F821
    yield f"{words}: the loss", loss
    yield f"{words}: arguments after the call", [logits.detach(), tokens, *given]
    (found,) = gradients(loss, [logits])  # noqa: F821
    corner = words == "corner cases"
    yield f"{words}: the gradient" if corner else "the gradient", found


def reference(variant: dict[str, Any]) -> Any:
    """torch's cross-entropy, which gives NaN where no label counts."""

    def next_letter_loss(
        logits: Tensor, tokens: Tensor, filler: int, smoothing: float
    ) -> Tensor:
        labels = tokens[:, 1:].flatten()
        if bool((labels == filler).all()):
            return logits.sum() * 0
        return F.cross_entropy(
            logits[:, :-1].flatten(0, 1),
            labels,
            ignore_index=filler,
            label_smoothing=smoothing,
        )

    return next_letter_loss


PLAIN, SMOOTHED, FILLER = "plain", "smoothed", "filler"
CORNER, GRADIENT = "corner cases", "the gradient"
LOSS = "-(1 - smoothing) * hit - smoothing * log_p.mean(-1)"
MEAN = "(loss * real).sum() / real.sum().clamp(min=1)"
QUESTION = Question(
    name="next_letter_loss",
    title="The loss of the next letter",
    answer="next_letter_loss",
    reference=reference,
    run=custom_run(drive, case, configurations=len(WORDS)),
    parts={PLAIN: 1, SMOOTHED: 1.5, FILLER: 1, GRADIENT: 1, CORNER: 0.5},
    forbid=("cross_entropy", "nll_loss", "kl_div", "CrossEntropyLoss", "NLLLoss"),
    mistakes=(
        Mistake(
            name="no shift",
            hint="The scores at a place are for the letter that follows it.",
            edits=(("tokens[:, 1:]", "tokens"), ("logits[:, :-1]", "logits")),
            loses=(PLAIN, SMOOTHED, FILLER, GRADIENT),
        ),
        Mistake(
            name="shifted the other way",
            hint="The scores at a place are for the letter after it, not before it.",
            edits=(
                ("tokens[:, 1:]", "tokens[:, :-1]"),
                ("logits[:, :-1]", "logits[:, 1:]"),
            ),
            loses=(PLAIN, SMOOTHED, GRADIENT),
        ),
        Mistake(
            name="no logarithm",
            hint="The loss is made of logarithms of probabilities.",
            edits=(("log_softmax", "softmax"),),
            loses=(PLAIN, SMOOTHED),
        ),
        Mistake(
            name="softmax over the places",
            hint="The probabilities of the letters add up to 1 at each place.",
            edits=(("log_softmax(-1)", "log_softmax(1)"),),
            loses=(PLAIN, SMOOTHED),
        ),
        Mistake(
            name="scores as they are",
            hint="Scores become probabilities by a softmax first.",
            edits=((".log_softmax(-1)", ""),),
            loses=(PLAIN, SMOOTHED),
        ),
        Mistake(
            name="sign",
            hint="A loss falls as the letter's probability grows.",
            edits=((LOSS, "(1 - smoothing) * hit + smoothing * log_p.mean(-1)"),),
            loses=(PLAIN, SMOOTHED),
        ),
        Mistake(
            name="no smoothing",
            hint="A share of the label goes to all letters.",
            edits=((LOSS, "-hit"),),
            loses=(SMOOTHED,),
        ),
        Mistake(
            name="the right letter keeps all",
            hint="The label's numbers add up to 1: the right letter gives a share "
            "away.",
            edits=(("-(1 - smoothing) * hit", "-hit"),),
            loses=(SMOOTHED,),
        ),
        Mistake(
            name="smoothing for the other letters only",
            hint="The share is spread over all letters, the right one included.",
            edits=(
                (
                    "smoothing * log_p.mean(-1)",
                    "smoothing * (log_p.sum(-1) - hit) / (log_p.shape[-1] - 1)",
                ),
            ),
            loses=(SMOOTHED,),
        ),
        Mistake(
            name="each letter gets the whole share",
            hint="The letters share it: divide by how many there are.",
            edits=(("log_p.mean(-1)", "log_p.sum(-1)"),),
            loses=(SMOOTHED,),
        ),
        Mistake(
            name="filler counts in the mean",
            hint="Divide by the number of labels that count.",
            edits=(("/ real.sum().clamp(min=1)", "/ real.numel()"),),
            loses=(FILLER,),
        ),
        Mistake(
            name="filler learned",
            hint="A label that is filler adds nothing.",
            edits=(
                ("real = labels != filler", "real = labels == labels"),
                ("masked_fill(~real, 0)", "clamp(min=0)"),
            ),
            loses=(FILLER,),
        ),
        Mistake(
            name="smoothing at filler",
            hint="Filler adds nothing, the smoothed share neither.",
            edits=(
                (
                    MEAN,
                    "(-(1 - smoothing) * hit * real - smoothing * log_p.mean(-1))"
                    ".sum() / real.sum().clamp(min=1)",
                ),
            ),
            loses=(FILLER,),
        ),
        Mistake(
            name="mask of the letter before",
            hint="The label decides whether a place counts, not the letter that is "
            "read.",
            edits=(
                ("real = labels != filler", "real = tokens[:, :-1] != filler"),
                ("masked_fill(~real, 0)", "clamp(min=0)"),
            ),
            loses=(FILLER,),
        ),
        Mistake(
            name="mean by row",
            hint="All labels of the batch count alike: one mean, not a mean of means.",
            edits=((MEAN, "((loss * real).sum(1) / real.sum(1).clamp(min=1)).mean()"),),
            loses=(FILLER,),
        ),
        Mistake(
            name="sum",
            hint="The mean over the labels is asked for.",
            edits=((" / real.sum().clamp(min=1)", ""),),
            loses=(PLAIN, SMOOTHED, GRADIENT),
        ),
        Mistake(
            name="NaN without a label",
            hint="Without a label that counts the loss is 0, not 0 / 0.",
            edits=((".clamp(min=1)", ""),),
            loses=(CORNER,),
        ),
        Mistake(
            name="log of the softmax",
            hint="A small probability is rounded to 0, and its logarithm is infinite: "
            "use log_softmax.",
            edits=(("log_softmax(-1)", "softmax(-1).log()"),),
            loses=(CORNER,),
        ),
        Mistake(
            name="no gradient through the smoothing",
            hint="The smoothed share has a gradient, too.",
            edits=(("log_p.mean(-1)", "log_p.mean(-1).detach()"),),
            loses=(GRADIENT,),
        ),
    ),
)
