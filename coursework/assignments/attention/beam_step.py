"""A step of beam search for a batch, with finished texts that stay."""

from typing import Any

import torch
from torch import Tensor

from layers_book.coursework import Mistake, Question, custom_run, distinct

END = 1
WORDS = ("", "", "", "finished: ", "finished: ", "finished: ")


def case(generator: torch.Generator) -> dict[str, Any]:
    """The first step, later ones, and texts that have ended."""
    index = generator.initial_seed()
    n, width = distinct(generator, 2)
    letters = n + width + 1
    length = 1 if index == 0 else 4
    draw: dict[str, Any] = {"generator": generator, "dtype": torch.float64}
    texts = torch.randint(2, letters, (n, width, length), generator=generator)
    if index == 2:
        texts[0, 0, 1] = END  # not the last letter
    scores = -3 - torch.rand(n, width, **draw)
    log_p = (2 * torch.randn(n, width, letters, **draw)).log_softmax(-1)
    if index == 0:
        texts[:] = 0
        scores[:, 1:] = -torch.inf
        scores[:, 0] = 0
    if WORDS[index]:
        texts[:, 1, -2:] = END
        texts[0, 0, -1] = END
        scores[0, 0] = -20  # finished, and nothing worth
        if index > 3:
            log_p[:, 1] = torch.nan
        log_p[0, 0] = 0
    if index == 5:
        texts[..., -1] = END
        log_p = log_p * 0
    return {"words": WORDS[index], "texts": texts, "scores": scores, "log_p": log_p}


def drive(answer, words, texts, scores, log_p):
    yield (
        "configuration",
        f"texts {texts.tolist()}, scores {scores.tolist()}, "
        f"log_p {tuple(log_p.shape)}, end=1",
    )
    given = [t.clone() for t in (texts, scores, log_p)]
    found = call(answer, *given, 1)  # noqa: F821
    names = "the texts", "the scores", "where they come from"
    for name, value in zip(names, found, strict=True):
        yield f"{words}{name}", value
        yield f"{words}{name}: dtype", str(value.dtype)
    after = given[2].nan_to_num(7.0), log_p.nan_to_num(7.0)
    yield f"{words}the scores: arguments after the call", [texts, scores, *after]
    yield f"{words}the scores: arguments as given", given[:2]


def reference(variant: dict[str, Any]) -> Any:
    """Row by row, with lists."""

    def beam_step(
        texts: Tensor, scores: Tensor, log_p: Tensor, end: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        rows = []
        for row, totals, more in zip(
            texts.tolist(), scores.tolist(), log_p.tolist(), strict=True
        ):
            found = []
            for i, (text, total) in enumerate(zip(row, totals, strict=True)):
                if text[-1] == end:
                    found.append((total, [*text, end], i))
                    continue
                for letter, value in enumerate(more[i]):
                    found.append((total + value, [*text, letter], i))
            rows.append(sorted(found, reverse=True)[: len(row)])
        longer, values, parents = (
            [[one[part] for one in row] for row in rows] for part in (1, 0, 2)
        )
        total = torch.tensor(values, dtype=scores.dtype)
        return torch.tensor(longer), total, torch.tensor(parents)

    return beam_step


TEXTS, SCORES, PARENTS = "the texts", "the scores", "where they come from"
FINISHED = "finished"
FREE = "free[end] = 0"
QUESTION = Question(
    name="beam_step",
    title="A step of a beam search",
    answer="beam_step",
    reference=reference,
    run=custom_run(drive, case, configurations=len(WORDS)),
    parts={TEXTS: 1.5, SCORES: 1.5, PARENTS: 1, FINISHED: 2},
    mistakes=(
        Mistake(
            name="scores of one step",
            hint="A text's score is the sum over all its letters.",
            edits=(("scores[..., None] + log_p", "log_p"),),
            loses=(TEXTS, SCORES),
        ),
        Mistake(
            name="product of logarithms",
            hint="Logarithms of probabilities are added.",
            edits=(("scores[..., None] + log_p", "scores[..., None] * log_p"),),
            loses=(SCORES,),
        ),
        Mistake(
            name="each beam its own best",
            hint="All continuations of one sample compete: one beam may give several, "
            "another none.",
            edits=(
                (
                    "scores, best = total.topk(B)",
                    "scores, letter = total.view(N, B, V).max(-1)\n"
                    "    best = letter + torch.arange(B) * V",
                ),
            ),
            loses=(TEXTS, SCORES),
        ),
        Mistake(
            name="samples compete",
            hint="Each sample of the batch has a beam of its own.",
            edits=(
                (
                    "scores, best = total.topk(B)",
                    "scores, best = total.flatten().topk(N * B)\n"
                    "    scores, best = scores.view(N, B), best.view(N, B) % (B * V)",
                ),
            ),
            loses=(TEXTS, SCORES),
        ),
        Mistake(
            name="worst first",
            hint="The best text stands first.",
            edits=(
                (
                    "scores, best = total.topk(B)",
                    "scores, best = (t.flip(1) for t in total.topk(B))",
                ),
            ),
            loses=(TEXTS, SCORES, PARENTS),
        ),
        Mistake(
            name="the least likely",
            hint="The largest sums stay.",
            edits=(("topk(B)", "topk(B, largest=False)"),),
            loses=(TEXTS, SCORES),
        ),
        Mistake(
            name="parent and letter exchanged",
            hint="Of a flat number, the whole part by V is the beam, the rest the "
            "letter.",
            edits=(("best // V, best % V", "(best % V).clamp(max=B - 1), best // V"),),
            loses=(TEXTS, PARENTS),
        ),
        Mistake(
            name="divided by the width",
            hint="A beam has V continuations, not B.",
            edits=(("best // V, best % V", "(best // B).clamp(max=B - 1), best % B"),),
            loses=(TEXTS, PARENTS),
        ),
        Mistake(
            name="texts not reordered",
            hint="A letter belongs behind the text it continues.",
            edits=(("texts.gather(1, parent[..., None].expand(-1, -1, T))", "texts"),),
            loses=(TEXTS,),
        ),
        Mistake(
            name="texts of the first sample",
            hint="Each sample takes from its own texts.",
            edits=(
                (
                    "texts.gather(1, parent[..., None].expand(-1, -1, T))",
                    "texts[0][parent]",
                ),
            ),
            loses=(TEXTS,),
        ),
        Mistake(
            name="texts without the letter",
            hint="The texts grow by one letter.",
            edits=(("torch.cat([kept, letter[..., None]], 2)", "kept"),),
            loses=(TEXTS,),
        ),
        Mistake(
            name="letter in front",
            hint="The new letter stands last.",
            edits=(("[kept, letter[..., None]]", "[letter[..., None], kept]"),),
            loses=(TEXTS,),
        ),
        Mistake(
            name="finished texts go on",
            hint="A finished text is not continued: it stays, with its score.",
            edits=(("texts[..., -1] == end", "texts[..., -1] == end - 10**6"),),
            loses=(FINISHED,),
        ),
        Mistake(
            name="finished texts dropped",
            hint="A finished text stays in the race, with its score.",
            edits=((FREE, "pass"),),
            loses=(FINISHED,),
        ),
        Mistake(
            name="end costs its log-probability",
            hint="What a finished text adds is free: its score stays, whatever log_p "
            "says.",
            edits=(
                (
                    "torch.where(done[..., None], free, log_p)",
                    "torch.where(done[..., None], free + log_p[..., end, None], log_p)",
                ),
            ),
            loses=(FINISHED,),
        ),
        Mistake(
            name="finished texts several times",
            hint="A finished text has one continuation, `end`, not one for each "
            "letter.",
            edits=((FREE, "free[:] = 0"),),
            loses=(FINISHED,),
        ),
        Mistake(
            name="filled up with 0",
            hint="A finished text gets `end` once more, no other letter.",
            edits=((FREE, "free[0] = 0"),),
            loses=(FINISHED,),
        ),
        Mistake(
            name="end anywhere",
            hint="A text is finished if its last letter is `end`.",
            edits=(("texts[..., -1] == end", "(texts == end).any(-1)"),),
            loses=(TEXTS, SCORES),
        ),
        Mistake(
            name="NaN taken along",
            hint="0 times NaN is NaN: choose, do not multiply.",
            edits=(
                (
                    "torch.where(done[..., None], free, log_p)",
                    "log_p * ~done[..., None] + free.where(done[..., None], 0 * free"
                    ".nan_to_num())",
                ),
            ),
            loses=(FINISHED,),
        ),
        Mistake(
            name="log_p changed",
            hint="Arguments stay as they are.",
            edits=(
                (
                    "log_p = torch.where(done[..., None], free, log_p)",
                    "log_p[done] = free",
                ),
            ),
            loses=(FINISHED,),
        ),
    ),
)
