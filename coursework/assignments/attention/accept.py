"""Drafts that hold: speculative sampling with given uniform numbers."""

from typing import Any

import torch
from torch import Tensor

from layers_book.coursework import Mistake, Question, custom_run

ALL, STAYS, NEW = "all hold", "one falls: what stays", "one falls: the new letter"
CORNER = "corner cases"
WORDS = (ALL, ALL, "one falls", "one falls", "one falls", "one falls", CORNER, CORNER)
FALLS = (None, None, 0, 2, 1, 3, 1, None)  # which letter is refused
LETTERS = 7


def case(generator: torch.Generator) -> dict[str, Any]:
    """Uniform numbers such that the wanted letter is the first refused."""
    index = generator.initial_seed()
    k = (3, 1, 2, 4, 3, 5, 3, 2)[index]
    shape = {"generator": generator, "dtype": torch.float64}
    q = (1.5 * torch.randn(k, LETTERS, **shape)).softmax(-1)
    p = (1.5 * torch.randn(k + 1, LETTERS, **shape)).softmax(-1)
    draft = (q / p[:k]).argmax(-1)  # the letters that q overrates most
    if index == 5:  # likelier for the large model, yet not its likeliest
        underrated = (p[0] / q[0]).index_fill(0, p[0].argmax(), 0.0)
        draft[0] = underrated.argmax()
    u = torch.rand(k + 1, **shape)
    ratio = (p[:k] / q).gather(1, draft[:, None])[:, 0].clamp(max=1)
    u[:k] = ratio * (0.3 + 0.6 * u[:k])
    falls = FALLS[index]
    if falls is not None:
        u[falls] = ratio[falls] + (1 - ratio[falls]) * 0.2  # a ratio below 1
        if falls + 1 < k:
            u[falls + 1] = 0.0  # would hold
    u[k] = (0, 0, 0.05, 0.5, 0.8, 0.3, 0, 0)[index]
    if falls is None:  # the second likeliest letter is drawn
        second = int(p[k].topk(2).indices[1])
        u[k] = p[k, :second].sum() + p[k, second] / 2
    if index == 6:  # u of 0: a letter of probability 0 is neither kept nor drawn
        rest = torch.arange(LETTERS) != draft[1]
        p[1] = p[1] * rest / (p[1] * rest).sum()
        p[1, int(draft[1] == 0)] = 0.0
        p[1] = p[1] / p[1].sum()
        u[1] = 0.0
    if index == 7:  # p above q: holds for any u
        p[0] = 0.1 * p[0]
        p[0, draft[0]] += 0.9
        u[0] = 0.999
        q[0] = (q[0] + 0.5).softmax(-1)
        u[1] = 0.5 * ratio[1]
    return {"words": WORDS[index], "draft": draft, "q": q, "p": p, "u": u}


def drive(answer, words, draft, q, p, u):
    yield "configuration", f"draft {draft.tolist()}, p {p.tolist()}, u {u.tolist()}"
    given = [t.clone() for t in (draft, q, p, u)]
    found = call(answer, *given)  # noqa: F821
    if words == "one falls":
        yield f"{words}: what stays", found[:-1]
        yield f"{words}: what stays: dtype", str(found.dtype)
        yield f"{words}: the new letter", found[-1:]
    else:
        yield words, found
        yield f"{words}: dtype", str(found.dtype)
        yield f"{words}: arguments after the call", given


def reference(variant: dict[str, Any]) -> Any:
    """With plain numbers, one letter after the other."""

    def drawn(weights: list[float], u: float) -> int:
        total, reached = sum(weights), 0.0
        for letter, weight in enumerate(weights):
            reached += weight / total
            if reached > u:
                return letter
        raise ValueError("u must be below 1")

    def accept(draft: Tensor, q: Tensor, p: Tensor, u: Tensor) -> Tensor:
        kept: list[int] = []
        small, large = q.tolist(), p.tolist()
        for i, letter in enumerate(draft.tolist()):
            if float(u[i]) * small[i][letter] >= large[i][letter]:
                pairs = zip(large[i], small[i], strict=True)
                rest = [max(a - b, 0.0) for a, b in pairs]
                return torch.tensor([*kept, drawn(rest, float(u[-1]))])
            kept.append(letter)
        return torch.tensor([*kept, drawn(large[-1], float(u[-1]))])

    return accept


RATIO = "u[:-1] * q[i, draft] < p[i, draft]"
REST = "(p[n] - q[n]).clamp(min=0)"
DRAW = "(weights.cumsum(0) / weights.sum() > u[-1]).int().argmax()"
QUESTION = Question(
    name="accept",
    title="Drafts that hold",
    answer="accept",
    reference=reference,
    run=custom_run(drive, case, configurations=len(WORDS)),
    parts={ALL: 1.5, STAYS: 1.5, NEW: 2, CORNER: 1},
    mistakes=(
        Mistake(
            name="ratio turned around",
            hint="A letter holds by what the large model gives it, over what the "
            "small one gave.",
            edits=((RATIO, "u[:-1] * p[i, draft] < q[i, draft]"),),
            loses=(STAYS, CORNER),
        ),
        Mistake(
            name="probability in place of the ratio",
            hint="The number u is compared with the ratio of the two probabilities.",
            edits=((RATIO, "u[:-1] < p[i, draft]"),),
            loses=(ALL,),
        ),
        Mistake(
            name="greedy",
            hint="A letter holds by chance, not only where the large model prefers it.",
            edits=((RATIO, "draft == p[:-1].argmax(-1)"),),
            loses=(ALL,),
        ),
        Mistake(
            name="holds where the large model gives more",
            hint="A letter that the large model likes less holds with the ratio's "
            "probability.",
            edits=((RATIO, "q[i, draft] <= p[i, draft]"),),
            loses=(ALL,),
        ),
        Mistake(
            name="all that hold",
            hint="After the first letter that falls, all others fall with it.",
            edits=(("torch.cat([draft[:n],", "torch.cat([draft[holds],"),),
            loses=(STAYS,),
        ),
        Mistake(
            name="refused letter kept",
            hint="The letter that falls goes as well.",
            edits=(("draft[:n]", "draft[: n + 1]"),),
            loses=(STAYS,),
        ),
        Mistake(
            name="new letter from the large model as it is",
            hint="After a refusal, what the small model had offered already is taken "
            "off: max(p - q, 0).",
            edits=((REST, "p[n]"),),
            loses=(NEW,),
        ),
        Mistake(
            name="only the refused letter taken out",
            hint="max(p - q, 0) takes off all that the small model gives, not the "
            "refused letter only.",
            edits=(
                (
                    REST,
                    "p[n] * (torch.arange(p.shape[1]) != draft[n])",
                ),
            ),
            loses=(NEW,),
        ),
        Mistake(
            name="size of the difference",
            hint="Where the small model gives more there is nothing left: 0, not the "
            "size of the difference.",
            edits=((REST, "(p[n] - q[n]).abs()"),),
            loses=(NEW,),
        ),
        Mistake(
            name="small less large",
            hint="What the large model has more of is left: max(p - q, 0).",
            edits=((REST, "(q[n] - p[n]).clamp(min=0)"),),
            loses=(NEW,),
        ),
        Mistake(
            name="not divided by the sum",
            hint="What is left adds up to less than 1: divide by its sum.",
            edits=((" / weights.sum()", ""),),
            loses=(NEW,),
        ),
        Mistake(
            name="softmax of what is left",
            hint="Probabilities are divided by their sum: a softmax is for scores.",
            edits=(
                ("weights.cumsum(0) / weights.sum()", "weights.softmax(0).cumsum(0)"),
            ),
            loses=(NEW,),
        ),
        Mistake(
            name="likeliest new letter",
            hint="The new letter is drawn with u[-1], it is not the likeliest.",
            edits=((DRAW, "weights.argmax()"),),
            loses=(NEW,),
        ),
        Mistake(
            name="drawn with the refused letter's number",
            hint="The number that refused the letter is used up: the draw takes the "
            "last one.",
            edits=(("> u[-1]", "> u[n]"),),
            loses=(NEW,),
        ),
        Mistake(
            name="one place later",
            hint="The new letter takes the place of the one that fell.",
            edits=(
                (
                    f"weights = {REST} if n < len(draft) else p[n]",
                    "weights = (p[n + 1] - p[n + 1] * 0) if n < len(draft) else p[n]",
                ),
            ),
            loses=(NEW,),
        ),
        Mistake(
            name="no further letter",
            hint="If all hold, the large model's last row gives one letter more.",
            edits=(
                (
                    "torch.cat([draft[:n], letter[None]])",
                    "torch.cat([draft[:n], letter[None]])[: len(draft)]",
                ),
            ),
            loses=(ALL,),
        ),
        Mistake(
            name="further letter from the last draft's row",
            hint="The further letter comes from the row behind the last draft.",
            edits=(("else p[n]", "else p[n - 1]"),),
            loses=(ALL,),
        ),
        Mistake(
            name="u of 0 lets anything hold",
            hint="A letter to which the large model gives 0 never holds: below the "
            "ratio, not at it.",
            edits=((RATIO, RATIO.replace("<", "<=")),),
            loses=(CORNER,),
        ),
        Mistake(
            name="u of 0 draws anything",
            hint="A letter of probability 0 is never drawn: the sum must exceed u.",
            edits=(("weights.sum() > u[-1]", "weights.sum() >= u[-1]"),),
            loses=(CORNER,),
        ),
    ),
)
