"""Several texts in one row: a mask and places that keep them apart."""

from typing import Any

import torch
from torch import Tensor

from layers_book.coursework import Mistake, Question, custom_run

# texts of each row as (number, length of its prompt, length of the rest)
ROWS: tuple[tuple[tuple[tuple[int, int, int], ...], ...], ...] = (
    (((0, 0, 3), (1, 0, 4)), ((4, 0, 7),), ((2, 0, 1), (1, 0, 5), (6, 0, 1))),
    (((7, 0, 2), (3, 0, 3)), ((1, 0, 1), (5, 0, 4))),
    (((0, 3, 2), (1, 2, 1)), ((3, 0, 3), (2, 4, 1))),
    (((1, 2, 3),), ((0, 3, 0), (9, 1, 1)), ((6, 2, 0), (5, 3, 0))),
    (((0, 0, 2), (1, 0, 1), (-1, 0, 3)), ((1, 0, 6),)),
    (((-1, 0, 2), (8, 2, 2), (-1, 0, 1)), ((-1, 0, 7),)),
)
WORDS = ("the mask", "the mask", "prompts", "prompts", "filler", "filler")


def case(generator: torch.Generator) -> dict[str, Any]:
    """Rows of texts without prompts, with them, and with filler."""
    index = generator.initial_seed()
    text = [[n for n, a, b in row for _ in range(a + b)] for row in ROWS[index]]
    prompt = [
        [flag for _, a, b in row for flag in [True] * a + [False] * b]
        for row in ROWS[index]
    ]
    return {
        "words": WORDS[index],
        "text": torch.tensor(text),
        "prompt": torch.tensor(prompt),
        "dtype": ("float64", "float32")[index % 2],
    }


def drive(answer, words, text, prompt, dtype):
    yield "configuration", f"text {text.tolist()}, prompt {prompt.tolist()}, {dtype}"
    given = text.clone(), prompt.clone()
    mask, places = call(answer, text, prompt, getattr(torch, dtype))  # noqa: F821
    yield words, mask
    yield f"{words}: dtype", str(mask.dtype)
    yield f"{words}: arguments after the call", [text, prompt, *given]
    yield "the places", places
    yield "the places: dtype", str(places.dtype)


def reference(variant: dict[str, Any]) -> Any:
    """Text by text: a block of the row's square for each."""

    def packed_mask(
        text: Tensor, prompt: Tensor, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        masks, places = [], []
        for row, asks in zip(text, prompt, strict=True):
            numbers, lengths = torch.unique_consecutive(row, return_counts=True)
            blocks, place = [], []
            for number, length, ask in zip(
                numbers.tolist(),
                lengths.tolist(),
                asks.split(lengths.tolist()),
                strict=True,
            ):
                block = torch.ones(length, length).tril()
                block[: int(ask.sum()), : int(ask.sum())] = 1
                own = torch.arange(length)
                blocks.append(block if number >= 0 else torch.eye(length))
                place.append(own if number >= 0 else own * 0)
            masks.append(torch.block_diag(*blocks).to(dtype).log())
            places.append(torch.cat(place))
        return torch.stack(masks)[:, None], torch.stack(places)

    return packed_mask


MASK, PROMPTS, FILLER, PLACES = "the mask", "prompts", "filler", "the places"
EYE = "seen = seen | torch.eye(L, dtype=torch.bool)"
QUESTION = Question(
    name="packed_mask",
    title="Several texts in one row",
    answer="packed_mask",
    reference=reference,
    run=custom_run(drive, case, configurations=len(ROWS)),
    parts={MASK: 1.5, PROMPTS: 1, FILLER: 0.5, PLACES: 1},
    mistakes=(
        Mistake(
            name="texts see each other",
            hint="A token sees no token of another text.",
            edits=(("seen = same & (earlier | both)", "seen = earlier | both"),),
            loses=(MASK, PROMPTS),
        ),
        Mistake(
            name="no causal mask",
            hint="Within a text a token sees nothing later, prompts apart.",
            edits=(("same & (earlier | both)", "same"),),
            loses=(MASK,),
        ),
        Mistake(
            name="only the future",
            hint="Which of the last two axes are the queries?",
            edits=(("t[:, None] >= t", "t[:, None] <= t"),),
            loses=(MASK,),
        ),
        Mistake(
            name="own token not seen",
            hint="A token sees itself.",
            edits=(
                ("t[:, None] >= t", "t[:, None] > t"),
                (EYE, "seen = seen | (torch.eye(L).bool() & filler[:, :, None])"),
            ),
            loses=(MASK,),
        ),
        Mistake(
            name="prompts causal as well",
            hint="The tokens of a prompt see one another, later ones too.",
            edits=(("(earlier | both)", "earlier"),),
            loses=(PROMPTS,),
        ),
        Mistake(
            name="prompt sees the rest of its text",
            hint="A prompt sees only what is prompt itself.",
            edits=(("prompt[:, :, None] & prompt[:, None, :]", "prompt[:, :, None]"),),
            loses=(PROMPTS,),
        ),
        Mistake(
            name="prompts see nothing earlier but prompts",
            hint="What is no prompt sees the prompt before it.",
            edits=(
                (
                    "earlier | both",
                    "torch.where(prompt[:, None, :] | prompt[:, :, None], both, "
                    "earlier)",
                ),
            ),
            loses=(PROMPTS,),
        ),
        Mistake(
            name="prompts of other texts seen",
            hint="A prompt sees no other text's prompt.",
            edits=(("same & (earlier | both)", "same & earlier | both"),),
            loses=(PROMPTS,),
        ),
        Mistake(
            name="empty rows",
            hint="A row of minus infinity alone becomes NaN in the softmax: filler "
            "sees itself.",
            edits=((EYE, "pass"),),
            loses=(FILLER,),
        ),
        Mistake(
            name="filler as a text",
            hint="A token of filler sees itself alone.",
            edits=(("seen = seen & ~filler[:, None, :]", "pass"),),
            loses=(FILLER,),
        ),
        Mistake(
            name="filler sees all",
            hint="A token of filler sees itself alone.",
            edits=((EYE, "seen = seen | filler[:, :, None]"),),
            loses=(FILLER,),
        ),
        Mistake(
            name="the other way round",
            hint="0 is added where a token may look, minus infinity elsewhere.",
            edits=(("masked_fill(~seen", "masked_fill(seen"),),
            loses=(MASK, PROMPTS),
        ),
        Mistake(
            name="a large number for infinity",
            hint="Scores may be large: only minus infinity hides for sure.",
            edits=(("-torch.inf", "-1e9"),),
            loses=(MASK, PROMPTS),
        ),
        Mistake(
            name="True and False",
            hint="A mask is asked for that is added to the scores.",
            edits=(("return mask[:, None]", "return seen[:, None]"),),
            loses=(MASK,),
        ),
        Mistake(
            name="no axis for the heads",
            hint="The mask has the shape (N, 1, L, L).",
            edits=(("mask[:, None], places", "mask, places"),),
            loses=(MASK, PROMPTS, FILLER),
        ),
        Mistake(
            name="always float32",
            hint="The mask has the dtype that is asked for.",
            edits=(("seen.shape, dtype=dtype", "seen.shape"),),
            loses=(MASK, PROMPTS),
        ),
        Mistake(
            name="places of the row",
            hint="Each text begins at place 0.",
            edits=(("(same & (t[:, None] > t)).sum(-1)", "t.expand(text.shape)"),),
            loses=(PLACES,),
        ),
        Mistake(
            name="places from 1",
            hint="The first place is 0.",
            edits=(("(t[:, None] > t)", "(t[:, None] >= t)"),),
            loses=(PLACES,),
        ),
        Mistake(
            name="places of filler",
            hint="The place of filler is 0.",
            edits=((".masked_fill(filler, 0)", ""),),
            loses=(PLACES,),
        ),
        Mistake(
            name="places from what is seen",
            hint="In a prompt a token sees more than what stands before it: count "
            "places, not keys.",
            edits=(("(same & (t[:, None] > t)).sum(-1)", "(seen.sum(-1) - 1)"),),
            loses=(PLACES,),
        ),
    ),
)
