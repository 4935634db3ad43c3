"""A small text, and the decoder that tools/train_decoder.py trained on it."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor

ZERO = 80  # a stored number is the character so many places after it, up to 45 away


def alice() -> tuple[str, str]:
    """A short book in 36 characters, to train on and to test with.

    Returns:
        Chapters 1 to 10 and chapters 11 and 12, in lower case: letters, spaces, a line
        end after each paragraph, and ``!',-.:;?``.

    Source: L. Carroll (1865), Alice's Adventures in Wonderland, by Project Gutenberg,
    https://www.gutenberg.org/ebooks/11 (in the public domain).

    >>> train, test = alice()
    >>> train[:32], len(train), len(test), len(set(train + test))
    ('alice was beginning to get very ', 119938, 21692, 36)
    """
    text = (files("layers_book") / "alice.txt").read_text("utf8").strip()
    *chapters, one, two = text.split("\n\n")
    return "\n".join(chapters), f"{one}\n{two}"


@cache
def stored() -> dict[str, Any]:
    """The file: ``letters``, ``heads``, then ``shapes`` and ``scales`` by name.

    ``numbers`` is one text, a character for each number, in the order of the names. A
    matrix has a scale for each row.
    """
    text = (files("layers_book") / "decoder.json").read_text("utf8")
    found: dict[str, Any] = json.loads(text)
    return found


def trained_decoder() -> dict[str, Tensor]:
    """The parameters of a decoder that was trained for minutes, not seconds.

    Returns:
        The ``state_dict`` of the page *Generation*'s class ``Decoder``, float32: 36
        letters, ``E`` 48, 4 heads, 2 layers, 96 positions. It was trained on the first
        ten chapters of ``alice()`` and on made-up words that come again; then each
        number was rounded to one of 91 levels.

    >>> sum(p.numel() for p in trained_decoder().values())
    62976
    """
    file = stored()
    numbers = torch.tensor([ord(letter) - ZERO for letter in file["numbers"]])
    sizes = [torch.Size(shape).numel() for shape in file["shapes"].values()]
    parts = zip(file["shapes"].items(), numbers.split(sizes), strict=True)
    return {
        name: torch.tensor(file["scales"][name])
        .unsqueeze(1)
        .mul(part.view(len(file["scales"][name]), -1))
        .view(shape)
        for (name, shape), part in parts
    }
