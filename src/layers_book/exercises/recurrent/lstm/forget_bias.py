"""The forget bias of every layer and direction, set in place."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, nn

from layers_book.checking import (
    CONFIGURATION,
    Case,
    Exercise,
    Mistake,
    Refused,
    Unanswered,
    describe,
    distinct,
    signed,
)
from layers_book.checking.runs import kind


def _layer(generator: Generator) -> nn.LSTM:
    """Layers, directions and projection vary; all numbers are random."""
    index = generator.initial_seed()
    inputs, hidden = distinct(generator, 2, 3)
    layer = nn.LSTM(
        hidden if index % 5 == 4 else inputs,
        hidden,
        num_layers=1 + index % 3,
        bidirectional=bool(index // 2 % 2),
        proj_size=2 if index % 4 == 3 else 0,
        dtype=torch.float64,
    )
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(signed(generator, *parameter.shape))
    return layer


def _run_forget_bias(answer: Any, generator: Generator) -> Iterator[Case]:
    if not callable(answer) or isinstance(answer, nn.Module | type):
        given = "a layer" if isinstance(answer, nn.Module) else kind(answer)
        raise Refused(
            f"A function is expected, and you pass {given}: write its name without "
            "calling it."
        )
    layer = _layer(generator)
    value = (1.0, 3.0, 2, -0.5, 0.0, 1.5)[generator.initial_seed() % 6]
    yield Case(CONFIGURATION, describe({"layer": str(layer), "value": value}))
    names = dict(layer.named_parameters())
    before = {name: p.detach().clone() for name, p in names.items()}
    try:
        returned = answer(layer, value)
    except RuntimeError as error:
        if "a leaf Variable" not in str(error):
            raise
        raise Refused(
            "torch refuses to change a parameter in place while gradients are "
            "recorded: write under torch.no_grad(), or into bias.data."
        ) from error
    after = dict(layer.named_parameters())
    untouched = after.keys() == before.keys() and all(
        torch.equal(after[name], old) for name, old in before.items()
    )
    if untouched and (returned is None or returned is ...):
        raise Unanswered("your function leaves the layer as it was.")
    yield Case("the names of the parameters", sorted(after))
    h = layer.hidden_size
    for name, old in before.items():
        rest = after[name].detach().clone()
        if name.startswith("bias"):
            rest[h : 2 * h] = old[h : 2 * h]
        yield Case(f"all the rest of {name}", rest)
    for name in (n for n in names if n.startswith("bias_ih")):
        both = after[name] + after[name.replace("_ih", "_hh")]
        words = f"the two forget biases, added up, of {name.removeprefix('bias_ih_')}"
        yield Case(words, both[h : 2 * h])
    learned = all(p.requires_grad for p in after.values())
    yield Case("whether every parameter is still learned", learned)
    kept = all(after[name] is p for name, p in names.items())
    yield Case("whether every parameter is still the same object", kept)


def _forget_bias(wrong: str = "") -> Any:
    def answer(layer: nn.LSTM, value: float) -> Any:
        h = layer.hidden_size
        if wrong == "copy":
            layer = copy.deepcopy(layer)
        if wrong == "proj_size" and layer.proj_size:
            h = layer.proj_size
        block = slice(h, 2 * h)
        if wrong in ("input gate", "candidate", "output gate"):
            start = {"input gate": 0, "candidate": 2 * h, "output gate": 3 * h}[wrong]
            block = slice(start, start + h)
        elif wrong == "all gates":
            block = slice(None)
        elif wrong == "input_size":
            block = slice(layer.input_size, 2 * layer.input_size)
        elif wrong == "half":
            block = slice(h, None)
        for name, bias in list(layer.named_parameters()):
            if "bias" not in name and wrong != "weights":
                continue
            if wrong == "first layer" and "_l0" not in name:
                continue
            if wrong == "l0 only" and not name.endswith("_l0"):
                continue
            if wrong == "forward only" and "reverse" in name:
                continue
            ih = "_ih" in name
            if wrong == "new":
                made = bias.detach().clone()
                made[block] = value if ih else 0
                setattr(layer, name, nn.Parameter(made))
            elif wrong == "frozen":
                bias.requires_grad_(False)[block] = value if ih else 0
            elif wrong == "ih alone":
                bias.data[block] = value if ih else bias.data[block]
            elif wrong == "hh alone":
                bias.data[block] = bias.data[block] if ih else value
            elif wrong == "added":
                bias.data[block] += value if ih else 0
            elif wrong == "zeroed" or (wrong == "hh zeroed" and not ih):
                bias.data.zero_()
                bias.data[block] = value if ih else 0
            else:
                bias.data[block] = value if ih or wrong == "twice" else 0

        return layer

    return answer


FORGET_BIAS = Exercise(
    name="lstm/forget_bias",
    reference=_forget_bias(),
    run=_run_forget_bias,
    mistakes=(
        Mistake(
            _forget_bias("twice"),
            "You set both biases, and the layer adds them: the forget gate gets twice "
            "the value.",
        ),
        Mistake(
            _forget_bias("ih alone"),
            "You set bias_ih and leave bias_hh as it was: its forget block must "
            "become 0.",
        ),
        Mistake(
            _forget_bias("hh alone"),
            "You set bias_hh and leave bias_ih as it was: its forget block must "
            "become 0.",
        ),
        Mistake(
            _forget_bias("added"),
            "You add the value to what was there: the two biases together must equal "
            "it.",
        ),
        Mistake(
            _forget_bias("l0 only"),
            "You set layer 0, forward direction, alone: names end in _l1 and in "
            "_reverse too.",
        ),
        Mistake(
            _forget_bias("first layer"),
            "You set layer 0 alone: with num_layers=2 there are biases in _l1 too.",
        ),
        Mistake(
            _forget_bias("forward only"),
            "You leave the backward direction out: its names end in _reverse.",
        ),
        Mistake(
            _forget_bias("input gate"),
            "You set the first block, which is the input gate's; the forget gate's is "
            "the second, [h : 2 * h].",
        ),
        Mistake(
            _forget_bias("candidate"),
            "You set the third block, the candidate's; the forget gate's is the "
            "second, [h : 2 * h].",
        ),
        Mistake(
            _forget_bias("output gate"),
            "You set the last block, the output gate's; the forget gate's is the "
            "second, [h : 2 * h].",
        ),
        Mistake(
            _forget_bias("half"),
            "Your slice has no end, so candidate and output gate are set as well: "
            "[h : 2 * h].",
        ),
        Mistake(
            _forget_bias("all gates"),
            "You set the biases of all four gates: the forget gate's are [h : 2 * h].",
        ),
        Mistake(
            _forget_bias("input_size"),
            "You cut at multiples of input_size; a bias has 4 * hidden_size numbers.",
        ),
        Mistake(
            _forget_bias("proj_size"),
            "You cut at multiples of proj_size; a bias has 4 * hidden_size numbers, "
            "projected or not.",
        ),
        Mistake(
            _forget_bias("copy"),
            "You change a copy: write into the parameters of the layer itself.",
        ),
        Mistake(
            _forget_bias("zeroed"),
            "You set the biases of the other gates to 0: leave them as they are.",
        ),
        Mistake(
            _forget_bias("hh zeroed"),
            "You set all of bias_hh to 0: the blocks of the other gates must stay, so "
            "change [h : 2 * h] alone.",
        ),
        Mistake(
            _forget_bias("weights"),
            "You change rows of the weights too: write only into the parameters whose "
            "names start with bias.",
        ),
        Mistake(
            _forget_bias("frozen"),
            "The numbers are right, but the biases are no longer learned: use "
            "torch.no_grad() or .data, and leave requires_grad alone.",
        ),
        Mistake(
            _forget_bias("new"),
            "You put new parameters in place of the old ones, so an optimizer made "
            "before goes on with the old: write into them.",
        ),
    ),
)
