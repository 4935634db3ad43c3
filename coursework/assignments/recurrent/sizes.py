"""Sizes: what an LSTM holds and gives, found without running it."""

from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from layers_book.coursework import Mistake, Question, custom_run

NAMES = {
    "output": "the features of output",
    "carry": "the numbers in c_n",
    "parameters": "the parameters",
    "data": "the rows of data",
    "running": "the entry of batch_sizes",
}


def reference(variant: dict[str, Any]) -> dict[str, int]:
    """Make the layer, run it, and measure."""
    layer = nn.LSTM(
        variant["H_in"],
        variant["hidden"],
        num_layers=variant["layers"],
        bidirectional=True,
        proj_size=variant["proj"],
    )
    inputs = [torch.zeros(length, variant["H_in"]) for length in variant["lengths"]]
    packed = pack_sequence(inputs, enforce_sorted=False)
    output, (_, c_n) = layer(packed)
    return {
        "output": output.data.shape[-1],
        "carry": c_n.numel(),
        "parameters": sum(p.numel() for p in layer.parameters()),
        "data": len(packed.data),
        "running": int(packed.batch_sizes[variant["t"]]),
    }


def look(answer, names):
    if answer is None or all(answer[name] is ... for name in answer):
        call(lambda: None)  # noqa: F821
    for name, words in names.items():
        value = answer.get(name)
        value = value.item() if isinstance(value, torch.Tensor) else value
        is_number = isinstance(value, int | float)
        yield words, float(value) if is_number else value, 1e-9


OUTPUT, CARRY, PARAMETERS, DATA, RUNNING = NAMES.values()
QUESTION = Question(
    name="sizes",
    title="Sizes without a run",
    answer="sizes",
    reference=reference,
    run=custom_run(look, lambda _: {"names": NAMES}, configurations=1),
    parts={OUTPUT: 0.5, CARRY: 1, PARAMETERS: 2, DATA: 0.5, RUNNING: 1},
    mistakes=(
        Mistake(
            name="output as wide as the carry",
            hint="With proj_size, each direction puts out proj_size numbers a step.",
            edits=(('"output": 2 * proj', '"output": 2 * hidden'),),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="one direction in output",
            hint="The states of both directions stand side by side in output.",
            edits=(('"output": 2 * proj', '"output": proj'),),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="projected carry",
            hint="The projection makes h smaller. Which of the two states does it "
            "leave alone?",
            edits=(("N * hidden", "N * proj"),),
            loses=(CARRY,),
        ),
        Mistake(
            name="carry of the last layer only",
            hint="c_n holds the carry of every layer and direction.",
            edits=(("2 * layers * N", "2 * N"),),
            loses=(CARRY,),
        ),
        Mistake(
            name="carry of one direction",
            hint="c_n holds the carry of every layer and direction.",
            edits=(("2 * layers * N", "layers * N"),),
            loses=(CARRY,),
        ),
        Mistake(
            name="carry of one sequence",
            hint="Every sequence of the batch has a carry of its own.",
            edits=(("2 * layers * N", "2 * layers"),),
            loses=(CARRY,),
        ),
        Mistake(
            name="one bias vector",
            hint="torch's layers hold two vectors of biases in each layer and "
            "direction.",
            edits=(("2 * rows", "rows"),),
            loses=(PARAMETERS,),
        ),
        Mistake(
            name="projection forgotten",
            hint="In each layer and direction one more matrix brings hidden numbers to "
            "proj_size numbers.",
            edits=((" + proj * hidden", ""),),
            loses=(PARAMETERS,),
        ),
        Mistake(
            name="recurrent weights as wide as the carry",
            hint="What comes back to the layer is h, after the projection.",
            edits=(("+ proj) * rows", "+ hidden) * rows"),),
            loses=(PARAMETERS,),
        ),
        Mistake(
            name="deeper layers read one direction",
            hint="A deeper layer reads the output of the layer below: both directions.",
            edits=(("else 2 * proj", "else proj"),),
            loses=(PARAMETERS,),
        ),
        Mistake(
            name="all layers read x",
            hint="Only the first layer reads x; a deeper one reads the output below.",
            edits=(("H_in if layer == 0 else 2 * proj", "H_in"),),
            loses=(PARAMETERS,),
        ),
        Mistake(
            name="parameters of one direction",
            hint="Each direction has weights of its own.",
            edits=(("parameters += 2 * (", "parameters += ("),),
            loses=(PARAMETERS,),
        ),
        Mistake(
            name="three gates",
            hint="An LSTM has four blocks: three gates and the candidate.",
            edits=(("4 * hidden", "3 * hidden"),),
            loses=(PARAMETERS,),
        ),
        Mistake(
            name="pad steps packed",
            hint="A packed batch has no pad steps.",
            edits=(("sum(lengths)", "N * max(lengths)"),),
            loses=(DATA,),
        ),
        Mistake(
            name="one step too early",
            hint="Steps are counted from 0: a sequence has a step t if its length is "
            "larger than t.",
            edits=(("length > ", "length >= "),),
            loses=(RUNNING,),
        ),
        Mistake(
            name="a length instead of a count",
            hint="batch_sizes is indexed by step and counts sequences.",
            edits=(
                (
                    'sum(length > VARIANT["t"] for length in lengths)',
                    'lengths[VARIANT["t"] % N]',
                ),
            ),
            loses=(RUNNING,),
        ),
    ),
)
