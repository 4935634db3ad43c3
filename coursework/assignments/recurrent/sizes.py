"""Sizes: what an LSTM holds and gives, found without running it."""

from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from layers_book.coursework import Question, Wrong, script_probe

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
    probes=(script_probe(look, lambda _: {"names": NAMES}, configurations=1),),
    parts={OUTPUT: 0.5, CARRY: 1, PARAMETERS: 2, DATA: 0.5, RUNNING: 1},
    wrong=(
        Wrong(
            "output as wide as the carry",
            "With proj_size, each direction puts out proj_size numbers a step.",
            edits=(('"output": 2 * proj', '"output": 2 * hidden'),),
            loses=(OUTPUT,),
        ),
        Wrong(
            "one direction in output",
            "The states of both directions stand side by side in output.",
            edits=(('"output": 2 * proj', '"output": proj'),),
            loses=(OUTPUT,),
        ),
        Wrong(
            "projected carry",
            "The projection makes h smaller. Which of the two states does it leave "
            "alone?",
            edits=(("N * hidden", "N * proj"),),
            loses=(CARRY,),
        ),
        Wrong(
            "carry of the last layer only",
            "c_n holds the carry of every layer and direction.",
            edits=(("2 * layers * N", "2 * N"),),
            loses=(CARRY,),
        ),
        Wrong(
            "carry of one direction",
            "c_n holds the carry of every layer and direction.",
            edits=(("2 * layers * N", "layers * N"),),
            loses=(CARRY,),
        ),
        Wrong(
            "carry of one sequence",
            "Every sequence of the batch has a carry of its own.",
            edits=(("2 * layers * N", "2 * layers"),),
            loses=(CARRY,),
        ),
        Wrong(
            "one bias vector",
            "torch's layers hold two vectors of biases in each layer and direction.",
            edits=(("2 * rows", "rows"),),
            loses=(PARAMETERS,),
        ),
        Wrong(
            "projection forgotten",
            "In each layer and direction one more matrix brings hidden numbers to "
            "proj_size numbers.",
            edits=((" + proj * hidden", ""),),
            loses=(PARAMETERS,),
        ),
        Wrong(
            "recurrent weights as wide as the carry",
            "What comes back to the layer is h, after the projection.",
            edits=(("+ proj) * rows", "+ hidden) * rows"),),
            loses=(PARAMETERS,),
        ),
        Wrong(
            "deeper layers read one direction",
            "A deeper layer reads the output of the layer below: both directions.",
            edits=(("else 2 * proj", "else proj"),),
            loses=(PARAMETERS,),
        ),
        Wrong(
            "all layers read x",
            "Only the first layer reads x; a deeper one reads the output below.",
            edits=(("H_in if layer == 0 else 2 * proj", "H_in"),),
            loses=(PARAMETERS,),
        ),
        Wrong(
            "parameters of one direction",
            "Each direction has weights of its own.",
            edits=(("parameters += 2 * (", "parameters += ("),),
            loses=(PARAMETERS,),
        ),
        Wrong(
            "three gates",
            "An LSTM has four blocks: three gates and the candidate.",
            edits=(("4 * hidden", "3 * hidden"),),
            loses=(PARAMETERS,),
        ),
        Wrong(
            "pad steps packed",
            "A packed batch has no pad steps.",
            edits=(("sum(lengths)", "N * max(lengths)"),),
            loses=(DATA,),
        ),
        Wrong(
            "one step too early",
            "Steps are counted from 0: a sequence has a step t if its length is larger "
            "than t.",
            edits=(("length > ", "length >= "),),
            loses=(RUNNING,),
        ),
        Wrong(
            "a length instead of a count",
            "batch_sizes is indexed by step and counts sequences.",
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
