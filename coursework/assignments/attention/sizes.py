"""Sizes: what a decoder holds and computes, found without running it."""

from typing import Any

import torch
from torch import nn

from layers_book.coursework import Mistake, Question, custom_run

NAMES = {
    "parameters": "the parameters",
    "products": "the products for one letter",
    "cache": "the numbers in the cache",
    "scores": "the scores",
    "letters": "the letters without a cache",
}


def reference(variant: dict[str, Any]) -> dict[str, int]:
    """Make the layers, and write letter by letter."""
    v = variant
    heads, key_heads, size = v["heads"], v["key_heads"], v["size"]
    width, inner = heads * size, v["inner"]
    maps = [(width, width), *[(width, key_heads * size)] * 2, (width, width)]
    maps += [(width, inner), (width, inner), (inner, width)]
    with torch.device("meta"):
        layers = [nn.Linear(*sizes, bias=False) for sizes in maps * v["blocks"]] + [
            nn.RMSNorm(width) for _ in range(2 * v["blocks"] + 1)
        ]
        net = nn.ModuleList([nn.Embedding(v["letters"], width), *layers])
    kept = scores = again = 0
    for step in range(v["new"]):
        for _ in range(1 if step else v["prompt"]):
            kept += 1  # a letter's keys and values, in each block
            scores += kept
        again += v["prompt"] + step
    return {
        "parameters": sum(p.numel() for p in net.parameters()),
        "products": sum(p.numel() for p in net.parameters() if p.dim() == 2),
        "cache": kept * torch.zeros(v["blocks"], 2, key_heads, size).numel(),
        "scores": scores * v["blocks"] * heads,
        "letters": again,
    }


def look(answer, names):
    if answer is None or all(answer[name] is ... for name in answer):
        call(lambda: None)  # noqa: F821
    for name, words in names.items():
        value = answer.get(name)
        value = value.item() if isinstance(value, torch.Tensor) else value
        is_number = isinstance(value, int | float)
        yield words, float(value) if is_number else value, 1e-9


PARAMETERS, PRODUCTS, CACHE, SCORES, LETTERS = NAMES.values()
SUM = "T * (T + 1) // 2"
QUESTION = Question(
    name="sizes",
    title="What a decoder holds",
    answer="sizes",
    reference=reference,
    run=custom_run(look, lambda _: {"names": NAMES}, configurations=1),
    parts={PARAMETERS: 1, PRODUCTS: 1, CACHE: 1, SCORES: 0.5, LETTERS: 0.5},
    mistakes=(
        Mistake(
            name="keys and values of full width",
            hint="There are fewer heads of keys and values than of queries: their "
            "matrices are smaller.",
            edits=(("2 * E * narrow", "2 * E * E"),),
            loses=(PARAMETERS, PRODUCTS),
        ),
        Mistake(
            name="no output projection",
            hint="The heads' outputs go through a matrix as well.",
            edits=(("2 * E * E +", "E * E +"),),
            loses=(PARAMETERS, PRODUCTS),
        ),
        Mistake(
            name="two matrices in the feed-forward",
            hint="The gate of the feed-forward part is a third matrix.",
            edits=(("3 * E * inner", "2 * E * inner"),),
            loses=(PARAMETERS, PRODUCTS),
        ),
        Mistake(
            name="one block",
            hint="Each block has matrices of its own.",
            edits=(("blocks * matrices", "matrices"),),
            loses=(PARAMETERS, PRODUCTS),
        ),
        Mistake(
            name="a matrix of its own at the end",
            hint="The table at the end is the one at the beginning: its numbers are "
            "counted once.",
            edits=(('"parameters": M * E', '"parameters": 2 * M * E'),),
            loses=(PARAMETERS,),
        ),
        Mistake(
            name="norms with a bias",
            hint="An RMSNorm has a weight and no bias.",
            edits=(("(2 * blocks + 1) * E", "2 * (2 * blocks + 1) * E"),),
            loses=(PARAMETERS,),
        ),
        Mistake(
            name="last norm left out",
            hint="One more norm stands behind the last block.",
            edits=(("(2 * blocks + 1) * E", "2 * blocks * E"),),
            loses=(PARAMETERS,),
        ),
        Mistake(
            name="table at the end left out of the products",
            hint="The scores of all letters are products with the table.",
            edits=(('"products": M * E + ', '"products": '),),
            loses=(PRODUCTS,),
        ),
        Mistake(
            name="look-up as products",
            hint="To look a row up takes no multiplication: the table counts once.",
            edits=(('"products": M * E', '"products": 2 * M * E'),),
            loses=(PRODUCTS,),
        ),
        Mistake(
            name="newest letter in the cache",
            hint="The letter written last has not gone through the blocks.",
            edits=(('"cache": T *', '"cache": (T + 1) *'),),
            loses=(CACHE,),
        ),
        Mistake(
            name="keys only",
            hint="The cache holds keys and values.",
            edits=(("T * blocks * 2 * narrow", "T * blocks * narrow"),),
            loses=(CACHE,),
        ),
        Mistake(
            name="cache of all heads",
            hint="Query heads that share a key share its place in the cache.",
            edits=(("T * blocks * 2 * narrow", "T * blocks * 2 * E"),),
            loses=(CACHE,),
        ),
        Mistake(
            name="scores of key heads only",
            hint="Each query head has scores of its own, with shared keys too.",
            edits=(('v["heads"] * blocks * T', 'v["key_heads"] * blocks * T'),),
            loses=(SCORES,),
        ),
        Mistake(
            name="a full square of scores",
            hint="No letter meets a later one: count the keys of each query.",
            edits=((SUM, "T * T"),),
            loses=(SCORES,),
        ),
        Mistake(
            name="own key left out",
            hint="A letter meets its own key, too.",
            edits=((SUM, "T * (T - 1) // 2"),),
            loses=(SCORES,),
        ),
        Mistake(
            name="first letter written counts itself",
            hint="The first new letter is made of the prompt alone.",
            edits=(("range(new)", "range(1, new + 1)"),),
            loses=(LETTERS,),
        ),
        Mistake(
            name="new letters only",
            hint="Without a cache the prompt runs again for each new letter.",
            edits=(("sum(P + i for i in range(new))", "P + new - 1"),),
            loses=(LETTERS,),
        ),
    ),
)
