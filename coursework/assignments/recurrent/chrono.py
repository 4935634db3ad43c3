"""Chrono: the biases of an LSTM set for memories of given lengths."""

from typing import Any

import torch
from torch import Tensor, nn

from layers_book.coursework import Mistake, Question, custom_run, distinct

KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"num_layers": 2},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "proj_size": 2},
)


def case(generator: torch.Generator) -> dict[str, Any]:
    """LSTMs of four kinds, and times below and above 1."""
    h_in, hidden = distinct(generator, 2, low=3)
    times = torch.rand(hidden, generator=generator, dtype=torch.float64) * 50 + 0.3
    times[0] = 0.5
    return {"kind": KINDS[generator.initial_seed()], "h_in": h_in, "times": times}


def drive(answer, kind, h_in, times):
    yield "configuration", f"nn.LSTM({h_in}, {len(times)}, **{kind})"
    torch.manual_seed(0)
    lstm = nn.LSTM(h_in, len(times), **kind).double()
    before = dict(lstm.named_parameters())
    given = times.clone()
    found = answer(lstm, times)
    sums = {
        name: (lstm.get_parameter(name) + lstm.get_parameter(name.replace("ih", "hh")))
        for name in before
        if name.startswith("bias_ih")
    }
    i, f, g, o = sums.pop("bias_ih_l0").chunk(4)
    yield "the forget gate", f
    yield "the input gate", i
    yield "candidate and output gate", [g, o]
    for name, value in sums.items():
        yield f"other layers and directions: {name}", value
    if not sums:
        yield "other layers and directions: nothing but the first", [f, i]
    after = dict(lstm.named_parameters())
    weights = [p for name, p in after.items() if "weight" in name]
    flags = [
        (p is before[name], p.requires_grad, p.is_leaf) for name, p in after.items()
    ]
    yield "all else", [weights, flags, found is lstm, given, times, f]
    lstm(torch.ones(2, 3, h_in, dtype=torch.float64))[0].sum().backward()
    yield "all else: trains", [p.grad is not None for p in lstm.parameters()]


def reference(variant: dict[str, Any]) -> Any:
    """All of it in one of the two vectors, through the state_dict."""

    def chrono(lstm: nn.LSTM, times: Tensor) -> nn.LSTM:
        state = lstm.state_dict()
        rest = torch.zeros(2 * len(times), dtype=times.dtype)
        for name in state:
            if name.startswith("bias_ih"):
                state[name] = torch.zeros_like(state[name])
            elif name.startswith("bias_hh"):
                state[name] = torch.cat([times.reciprocal().log(), times.log(), rest])
        lstm.load_state_dict(state)
        return lstm

    return chrono


FORGET, INPUT, REST = "the forget gate", "the input gate", "candidate and output gate"
OTHERS, ELSE = "other layers and directions", "all else"
VALUES = "[-times.log(), times.log(), rest, rest]"
QUESTION = Question(
    name="chrono",
    title="Biases for long memories",
    answer="chrono",
    reference=reference,
    run=custom_run(drive, case, configurations=len(KINDS)),
    parts={FORGET: 1, INPUT: 1, REST: 1, OTHERS: 1, ELSE: 1},
    mistakes=(
        Mistake(
            name="both vectors get the value",
            hint="The two vectors of biases add up: between them they have the value "
            "once.",
            edits=(("parameter.zero_()", "parameter.copy_(value)"),),
            loses=(FORGET, INPUT),
        ),
        Mistake(
            name="second vector left",
            hint="The other vector of biases holds random numbers that are added.",
            edits=(("parameter.zero_()", "pass"),),
            loses=(FORGET, INPUT, REST),
        ),
        Mistake(
            name="forget gate first",
            hint="torch's order of the blocks is input gate, forget gate, candidate, "
            "output gate.",
            edits=((VALUES, "[times.log(), -times.log(), rest, rest]"),),
            loses=(FORGET, INPUT),
        ),
        Mistake(
            name="order of another library",
            hint="torch's order of the blocks is input gate, forget gate, candidate, "
            "output gate.",
            edits=((VALUES, "[-times.log(), rest, times.log(), rest]"),),
            loses=(FORGET,),
        ),
        Mistake(
            name="the time itself",
            hint="A gate is a sigmoid of its bias: the logarithm of the time is "
            "asked for.",
            edits=((VALUES, "[-times, times, rest, rest]"),),
            loses=(FORGET, INPUT),
        ),
        Mistake(
            name="input gate not turned around",
            hint="What the input gate lets in must shrink as the memory grows: minus.",
            edits=((VALUES, "[times.log(), times.log(), rest, rest]"),),
            loses=(INPUT,),
        ),
        Mistake(
            name="input gate at 0",
            hint="The input gate gets a bias as well.",
            edits=((VALUES, "[rest, times.log(), rest, rest]"),),
            loses=(INPUT,),
        ),
        Mistake(
            name="log(1 + times)",
            hint="The logarithm of the time as it is; times below 1 give negative "
            "biases.",
            edits=((VALUES, "[-times.log1p(), times.log1p(), rest, rest]"),),
            loses=(FORGET, INPUT),
        ),
        Mistake(
            name="one time for all units",
            hint="Each unit has a time of its own.",
            edits=((VALUES, "[t.mean().expand_as(t) for t in " + VALUES + "]"),),
            loses=(FORGET, INPUT),
        ),
        Mistake(
            name="first layer only",
            hint="Each layer has biases of its own.",
            edits=(
                (
                    "in lstm.named_parameters():",
                    "in lstm.named_parameters():\n"
                    "            if '_l0' not in name: continue",
                ),
            ),
            loses=(OTHERS,),
        ),
        Mistake(
            name="forward direction only",
            hint="The backward direction has biases of its own, with names in "
            "_reverse.",
            edits=(
                (
                    "in lstm.named_parameters():",
                    "in lstm.named_parameters():\n"
                    "            if name.endswith('reverse'): continue",
                ),
            ),
            loses=(OTHERS,),
        ),
        Mistake(
            name="weights at 0 as well",
            hint="Only the biases change.",
            edits=(('"bias_hh" in name', '"bias_ih" not in name'),),
            loses=(ELSE,),
        ),
        Mistake(
            name="new parameters",
            hint="An optimizer may hold the parameters already: change them in place.",
            edits=(
                ("parameter.copy_(value)", "setattr(lstm, name, nn.Parameter(value))"),
            ),
            loses=(ELSE,),
        ),
        Mistake(
            name="no longer trainable",
            hint="The biases are only started at these values; they go on to learn.",
            edits=(("parameter.zero_()", "parameter.zero_().requires_grad_(False)"),),
            loses=(ELSE,),
        ),
        Mistake(
            name="nothing returned",
            hint="Return the layer.",
            edits=(("return lstm", "return None"),),
            loses=(ELSE,),
        ),
    ),
)
