"""Both ways: two cells over padded sequences, one from each end."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from layers_book.coursework import Mistake, Question, custom_run, distinct

LENGTHS = ((2, 1, 3), (3, 1, 3, 2), (1, 3), (2, 4, 3))
MORE = (0, 0, 2, 1)  # pad steps behind the longest sequence


def case(generator: torch.Generator) -> dict[str, Any]:
    """Lengths in no order; pad steps hold what must not be seen."""
    index = generator.initial_seed()
    lengths = torch.tensor(LENGTHS[index])
    h_in, hidden = distinct(generator, 2)
    steps = int(lengths.max()) + MORE[index]
    x = torch.randn(len(lengths), steps, h_in, generator=generator, dtype=torch.float64)
    if index == 3:
        x = x.transpose(0, 1).contiguous().transpose(0, 1)
    return {"which": index, "hidden": hidden, "x": x, "lengths": lengths}


def drive(answer, which, hidden, x, lengths):
    name = ("GRUCell", "RNNCell", "GRUCell", "RNNCell")[which]
    options = ({}, {}, {"bias": False}, {"nonlinearity": "relu"})[which]
    yield "configuration", f"x {tuple(x.shape)}, lengths {lengths.tolist()}, nn.{name}"
    torch.manual_seed(which)
    cells = [
        getattr(nn, name)(x.shape[2], hidden, **options).double() for _ in range(2)
    ]
    x.requires_grad_()
    given = x.detach().clone(), lengths.clone()
    y, last = call(answer, x, lengths, *cells)  # noqa: F821
    yield "the output", y
    yield "the output: arguments after the call", [x.detach(), lengths, *given]
    yield "the last states", last
    leaves = [x, *cells[0].parameters(), *cells[1].parameters()]
    total = (y.sin() * torch.arange(1, y.shape[1] + 1)[:, None]).sum()
    found = gradients(torch.stack([total, last.cos().sum()]), leaves)  # noqa: F821
    yield "the gradients: with respect to x", found[0]
    yield "the gradients: with respect to the cells", list(found[1:])


def reference(variant: dict[str, Any]) -> Any:
    """A bidirectional layer of torch with the cells' parameters, on a packed batch."""

    def both_ways(
        x: Tensor, lengths: Tensor, forward: nn.RNNCellBase, backward: nn.RNNCellBase
    ) -> tuple[Tensor, Tensor]:
        options = {"bias": forward.bias, "bidirectional": True, "batch_first": True}
        sizes = forward.input_size, forward.hidden_size
        layer: nn.RNNBase = nn.GRU(*sizes, **options)
        if isinstance(forward, nn.RNNCell):
            layer = nn.RNN(*sizes, nonlinearity=forward.nonlinearity, **options)
        named = {f"{name}_l0": p for name, p in forward.named_parameters()}
        named |= {f"{name}_l0_reverse": p for name, p in backward.named_parameters()}
        packed = pack_padded_sequence(x, lengths, True, enforce_sorted=False)
        output, h_n = torch.func.functional_call(layer, named, (packed,))
        padded, _ = pad_packed_sequence(output, True, total_length=x.shape[1])
        return padded, torch.cat([h_n[0], h_n[1]], 1)

    return both_ways


OUTPUT, LAST, GRADIENTS = "the output", "the last states", "the gradients"
STEP = "h = torch.where(here, cell(x[:, t], h), h)"
QUESTION = Question(
    name="both_ways",
    title="Both ways over padded sequences",
    answer="both_ways",
    reference=reference,
    run=custom_run(drive, case, configurations=len(LENGTHS)),
    parts={OUTPUT: 3, LAST: 2, GRADIENTS: 2},
    forbid=("pack_padded", "pack_sequence"),
    mistakes=(
        Mistake(
            name="pad steps not at 0",
            hint="Behind the end of a sequence the output is 0.",
            edits=(("torch.where(here, h, 0.0)", "h"),),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="pad steps read by both",
            hint="A step behind the end of a sequence must not change its state.",
            edits=((STEP, "h = cell(x[:, t], h)"),),
            loses=(OUTPUT, LAST),
        ),
        Mistake(
            name="backward starts in the padding",
            hint="The backward cell starts at the last real step of each sequence, "
            "with a state of zeros.",
            edits=((STEP, STEP.replace("(here,", "(here | (cell is backward),")),),
            loses=(OUTPUT, LAST),
        ),
        Mistake(
            name="forward runs on",
            hint="The forward state stays as it is after the last real step.",
            edits=((STEP, STEP.replace("(here,", "(here | (cell is forward),")),),
            loses=(LAST,),
        ),
        Mistake(
            name="backward outputs in their own order",
            hint="At step t stand the states of both cells for step t: what the "
            "backward cell makes first belongs to the end.",
            edits=(
                (
                    "stack(states, 1)",
                    "stack(states[:: 1 if cell is forward else -1], 1)",
                ),
            ),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="last column for the last state",
            hint="The last column is padding for the shorter sequences, and the "
            "backward cell ends at step 0.",
            edits=(("ends.append(h)", "ends.append(states[-1])"),),
            loses=(LAST,),
        ),
        Mistake(
            name="both states at the last real step",
            hint="At the last real step the backward cell has seen one step only; it "
            "ends at step 0.",
            edits=(
                (
                    "ends.append(h)",
                    "ends.append(outputs[-1][torch.arange(N), lengths - 1])",
                ),
            ),
            loses=(LAST,),
        ),
        Mistake(
            name="both states at step 0",
            hint="Step 0 is where the backward cell ends; the forward cell has just "
            "begun.",
            edits=(("ends.append(h)", "ends.append(states[0])"),),
            loses=(LAST,),
        ),
        Mistake(
            name="one cell for both",
            hint="Each direction has a cell of its own.",
            edits=(("(backward, range(", "(forward, range("),),
            loses=(OUTPUT, LAST),
        ),
        Mistake(
            name="both from the front",
            hint="The backward cell goes from the end to the beginning.",
            edits=(("range(L - 1, -1, -1)", "range(L)"),),
            loses=(OUTPUT, LAST),
        ),
        Mistake(
            name="one step too many",
            hint="The steps of a sequence are 0 to length - 1.",
            edits=(("< lengths", "<= lengths"),),
            loses=(OUTPUT, LAST),
        ),
        Mistake(
            name="backward misses step 0",
            hint="range(a, b, -1) ends before b.",
            edits=(
                ("range(L - 1, -1, -1)", "range(L - 1, 0, -1)"),
                ("[None] * L", "[x.new_zeros(N, cell.hidden_size)] * L"),
            ),
            loses=(OUTPUT, LAST),
        ),
        Mistake(
            name="backward goes on from the forward state",
            hint="Both cells start from a state of zeros.",
            edits=(("h = x.new_zeros(", "h = h if outputs else x.new_zeros("),),
            loses=(OUTPUT, LAST),
        ),
        Mistake(
            name="directions exchanged",
            hint="The forward states come first.",
            edits=(("torch.cat(outputs, 2)", "torch.cat(outputs[::-1], 2)"),),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="state detached",
            hint="The gradient goes back through all steps.",
            edits=(("cell(x[:, t], h)", "cell(x[:, t], h.detach())"),),
            loses=(GRADIENTS,),
        ),
    ),
)
