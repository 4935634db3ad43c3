"""Exercises of the page recurrent/beyond."""

from typing import Any

import torch
from torch import Generator

from layers_book.checking import Exercise, Mistake, distinct, function_run
from layers_book.exercises.recurrent.beyond.sdpa import SDPA
from layers_book.exercises.recurrent.beyond.translate import TRANSLATE


def _encoder_args(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    a, b, c, _ = distinct(generator, 4)
    heads, size, layers = a, b, c
    feed = (2048, 16, 24, 40)[index % 4]
    bias = index % 3 != 0  # weights first: their faults look like those of biases
    return (heads * size, heads, layers, feed, bias), {}


def _encoder(d: int, heads: int, layers: int, feed: int, bias: bool) -> int:
    """Counted on torch's own encoder, on the meta device."""
    with torch.device("meta"):
        layer = torch.nn.TransformerEncoderLayer(d, heads, feed, bias=bias)
        encoder = torch.nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
    return sum(p.numel() for p in encoder.parameters())


def _count(wrong: str = "") -> Any:
    def answer(d: int, heads: int, layers: int, feed: int, bias: bool) -> Any:
        b = int(bias)
        attention, linear = 4 * d * d + 4 * d * b, 2 * d * feed + (feed + d) * b
        norms = 2 * (d + d * b)
        if wrong == "always bias":
            attention, linear, norms = 4 * d * d + 4 * d, 2 * d * feed + feed + d, 4 * d
        elif wrong == "norm bias":
            norms = 4 * d
        elif wrong == "no bias":
            attention, linear, norms = 4 * d * d, 2 * d * feed, 2 * d
        elif wrong == "heads":
            attention = heads * 3 * (d * d + d * b) + d * d + d * b
        elif wrong == "no out_proj":
            attention = 3 * (d * d + d * b)
        elif wrong == "small heads":
            attention = 4 * (d * d // heads + d // heads * b)
        elif wrong == "one bias":
            attention = 4 * d * d + d * b
        elif wrong == "three biases":
            attention = 4 * d * d + 3 * d * b
        elif wrong == "no attention bias":
            attention = 4 * d * d
        elif wrong == "no linear bias":
            linear = 2 * d * feed
        elif wrong == "second linear bias":
            linear = 2 * d * feed + d * b
        elif wrong == "no norm bias":
            norms = 2 * d
        elif wrong == "one norm":
            norms //= 2
        elif wrong == "no norm":
            norms = 0
        elif wrong == "2048":
            linear = 2 * d * 2048 + (2048 + d) * b
        elif wrong == "4 d":
            linear = 2 * d * 4 * d + (4 * d + d) * b
        elif wrong == "one linear":
            linear = d * feed + feed * b
        elif wrong == "same biases":
            linear = 2 * d * feed + 2 * feed * b
        total = attention + linear + norms
        if wrong == "one layer":
            return total
        if wrong == "final norm":
            return layers * total + d + d * b
        return float(layers * total) if wrong == "float" else layers * total

    return answer


PARAMETERS = Exercise(
    name="beyond/parameters",
    reference=_encoder,
    run=function_run(
        _encoder_args,
        names=("d_model", "nhead", "num_layers", "dim_feedforward", "bias"),
        float32=False,
    ),
    forbid=("numel",),
    mistakes=(
        Mistake(_count("one layer"), "You count one layer: there are num_layers."),
        Mistake(
            _count("heads"),
            "You give each head projections of full width: the heads share d_model, so "
            "their number does not count.",
        ),
        Mistake(
            _count("small heads"),
            "You count one head: all of them together have four d_model by d_model "
            "matrices.",
        ),
        Mistake(
            _count("no out_proj"),
            "You count three projections: out_proj is the fourth.",
        ),
        Mistake(
            _count("one bias"),
            "The attention has four biases: in_proj_bias holds three of them.",
        ),
        Mistake(
            _count("three biases"),
            "You miss d_model biases a layer: in_proj_bias holds three times as many, "
            "out_proj has more, and so has the second Linear.",
        ),
        Mistake(
            _count("no attention bias"),
            "With bias=True the attention has biases too: in_proj_bias and that of "
            "out_proj.",
        ),
        Mistake(
            _count("no linear bias"),
            "With bias=True the two Linear layers have biases too: one for each of "
            "their outputs.",
        ),
        Mistake(
            _count("second linear bias"),
            "You miss the bias of the first Linear, which has dim_feedforward outputs.",
        ),
        Mistake(
            _count("no norm bias"),
            "With bias=True each LayerNorm has a bias besides its weight.",
        ),
        Mistake(
            _count("always bias"),
            "You ignore bias=False.",
        ),
        Mistake(
            _count("norm bias"),
            "With bias=False the two LayerNorms lose their bias as well.",
        ),
        Mistake(
            _count("no bias"),
            "You count no biases, or only the weights, where bias is True.",
        ),
        Mistake(_count("one norm"), "An encoder layer has two LayerNorms."),
        Mistake(
            _count("no norm"),
            "The two LayerNorms have parameters too: a weight and a bias each.",
        ),
        Mistake(
            _count("final norm"),
            "You count a final LayerNorm: an encoder has none unless norm= is passed.",
        ),
        Mistake(
            _count("2048"),
            "2048 is the default of dim_feedforward: use the argument.",
        ),
        Mistake(
            _count("4 d"),
            "The inner width is dim_feedforward, not four times d_model.",
        ),
        Mistake(
            _count("one linear"),
            "There are two Linear layers, up to dim_feedforward and back.",
        ),
        Mistake(
            _count("same biases"),
            "The second Linear has d_model outputs, and as many biases.",
        ),
        Mistake(_count("float"), "Right, but a float: count with // or * only."),
    ),
)

EXERCISES = (SDPA, TRANSLATE, PARAMETERS)
