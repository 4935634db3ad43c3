"""From the masks of MultiheadAttention to one of scaled_dot_product_attention."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor

from layers_book.checking import (
    CONFIGURATION,
    Case,
    Exercise,
    Mistake,
    Refused,
    call,
    describe,
)


def _masks(generator: Generator) -> tuple[Tensor | None, Tensor | None]:
    """Masks of MultiheadAttention for 3 samples; one of the two may be missing."""
    index = generator.initial_seed()
    queries = 4 + index % 3
    keys = queries + (0, 2, -1)[index % 3]
    block = torch.rand(queries, keys, generator=generator) < 0.4
    block[1], block[0, 0], block[0, -1] = index % 2 == 0, True, False
    lengths = torch.tensor([keys, max(1, keys - 2), 0 if index % 4 == 1 else 1])
    ignore = torch.arange(keys) >= lengths[:, None]
    which = index % 4
    return None if which == 2 else block, None if which == 3 else ignore


def _translate_run(answer: Any, generator: Generator) -> Iterator[Case]:
    """The mask as attention sees it: for 3 samples and 2 heads, whatever broadcasts."""
    if not callable(answer) or isinstance(answer, type):
        raise Refused("A function is expected: write its name without calling it.")
    attn_mask, padding = _masks(generator)
    named: dict[str, Tensor | None] = {
        "attn_mask": attn_mask,
        "key_padding_mask": padding,
    }
    yield Case(CONFIGURATION, describe(named))
    queries = 5 if attn_mask is None else attn_mask.shape[0]
    keys = padding.shape[1] if attn_mask is None and padding is not None else 0
    keys = keys or (attn_mask.shape[1] if attn_mask is not None else 0)
    given = {k: None if m is None else m.clone() for k, m in named.items()}
    mask = call(answer, *given.values())
    if not isinstance(mask, Tensor):
        raise Refused("Your function must return a tensor.")
    yield Case("the dtype of the mask", str(mask.dtype))
    try:
        seen = mask.expand(3, 2, queries, keys)
    except RuntimeError:
        raise Refused(
            f"Your mask has shape {tuple(mask.shape)}, which does not broadcast to (N, "
            f"heads, L, S) = {(3, 2, queries, keys)}."
        ) from None
    yield Case("the mask", seen)
    yield Case("the inputs after the call", given)


def _translate(wrong: str = "") -> Any:
    def answer(attn_mask: Tensor | None, key_padding_mask: Tensor | None) -> Any:
        a, p = attn_mask, key_padding_mask
        if wrong == "padding ignored" and a is not None:
            p = None
        if wrong == "attn_mask ignored" and p is not None:
            a = None
        if wrong == "transposed" and a is not None:
            a = a.mT if a.shape[0] == a.shape[1] else a.flip(0, 1)
        if wrong == "never None":
            return ~(a | p[:, None, None])  # type: ignore[index, operator]
        if wrong == "rescued sample" and p is not None:
            p = p & ~p.all(-1, keepdim=True)
        block = torch.tensor(False)
        if a is not None:
            block = block | a
        if p is not None:
            place = {
                "rows": p[:, None, :, None],
                "no head": p[:, None],
                "first axis": p[None, :, None],
                "bare": p,
            }
            p = place.get(wrong, p[:, None, None])
            if wrong == "and" and a is not None:
                block = block & p
            elif wrong == "not inverted padding" and a is not None:
                return ~block & p
            elif wrong == "xor":
                block = block ^ p
            else:
                block = block | p
        keep = ~block
        if wrong == "polarity":
            return block
        if wrong == "float":
            return torch.zeros(keep.shape).masked_fill(block, -torch.inf)
        if wrong == "number":
            return keep.double()
        if wrong == "rescued":
            return keep | ~keep.any(-1, keepdim=True)
        if wrong == "in place" and attn_mask is not None:
            attn_mask.logical_not_()
        return keep

    return answer


TRANSLATE = Exercise(
    name="beyond/translate",
    reference=_translate(),
    run=_translate_run,
    mistakes=(
        Mistake(
            _translate("polarity"),
            "Your mask is still the module's: for the function True means attend, so "
            "invert it.",
        ),
        Mistake(
            _translate("and"),
            "You block a pair only if both masks do: one of them is enough, so join "
            "them by | before inverting, or by & after it.",
        ),
        Mistake(
            _translate("not inverted padding"),
            "You invert attn_mask but not key_padding_mask: True means block in both.",
        ),
        Mistake(
            _translate("xor"),
            "A pair that both masks block must stay blocked: join them by |.",
        ),
        Mistake(
            _translate("rows"),
            "You spread the padding over the queries: its axis of keys must come last, "
            "key_padding_mask[:, None, None, :].",
        ),
        Mistake(
            _translate("no head"),
            "Your mask lacks the axis of heads: (N, L, S) lines up as (heads, L, S). "
            "Make the padding (N, 1, 1, S).",
        ),
        Mistake(
            _translate("first axis"),
            "Samples and heads have changed places: the padding is (N, 1, 1, S).",
        ),
        Mistake(
            _translate("bare"),
            "key_padding_mask is (N, S) and lines up as (L, S): make it (N, 1, 1, S).",
        ),
        Mistake(
            _translate("padding ignored"),
            "You ignore key_padding_mask where there is an attn_mask: both block.",
        ),
        Mistake(
            _translate("attn_mask ignored"),
            "You ignore attn_mask where there is a key_padding_mask: both block.",
        ),
        Mistake(
            _translate("transposed"),
            "You have turned attn_mask: rows are queries in the function as well.",
        ),
        Mistake(
            _translate("float"),
            "That mask is right as numbers to add; a bool mask is asked for.",
        ),
        Mistake(
            _translate("number"),
            "Your mask holds numbers 0 and 1, which the function would add to the "
            "scores: return a bool tensor.",
        ),
        Mistake(
            _translate("rescued"),
            "You let a query without keys attend to all of them: its row must stay "
            "False throughout.",
        ),
        Mistake(
            _translate("rescued sample"),
            "You let a sample that is all padding attend after all: its rows must stay "
            "False throughout.",
        ),
        Mistake(
            _translate("never None"),
            "Either mask may be None: then only the other one blocks.",
        ),
        Mistake(
            _translate("in place"),
            "You change the reader's attn_mask in place: make a new tensor.",
        ),
    ),
)
