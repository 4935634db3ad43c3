"""Exercises of the page recurrent/lstm."""

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import torch
from torch import Generator, Tensor, nn

from layers_book.checking import (
    Exercise,
    Refused,
    Unanswered,
    call,
    custom_run,
    describe,
    distinct,
    function_run,
    measure_run,
    refuse_no_function,
    signed,
    value_run,
)
from layers_book.exercises.recurrent import one_unit

NAMES = ("x", "h", "c", "weight_ih", "weight_hh", "bias_ih", "bias_hh")


FADE = Exercise(
    name="lstm/fade",
    solution="""
        f = 1 / (1 + math.exp(-4))
        answer = math.ceil(math.log(0.01) / math.log(f))
    """,
    run=value_run(),
    mistakes=[
        (
            "math.exp(-4)",
            "1",
            "Your gate stands at one half, as with a bias of 0; here it is the sigmoid "
            "of 4.",
        ),
        (
            "math.log(0.01)",
            "math.log(0.5)",
            "After so many steps half of it is left; go on until less than 1 % is.",
        ),
        (
            "math.log(f)",
            "math.log(1 - f)",
            "You let the forget gate forget the share f: f is the share that it keeps.",
        ),
        (
            "math.ceil",
            "math.floor",
            "After your number of steps a little more than 1 % is left: round up.",
        ),
        (
            "math.log(0.01)",
            "math.log(0.1)",
            "After so many steps a tenth is left; go on until less than 1 % is.",
        ),
        (
            "math.log(0.01)",
            "math.log(0.99)",
            "After so many steps 1 % has been lost; less than 1 % should be left.",
        ),
        (
            "math.ceil(math.log(0.01) / math.log(f))",
            "math.log(0.01) / math.log(f)",
            "Steps are whole numbers: give the first after which less than 1 % is "
            "left.",
        ),
    ],
)


def _states(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Sizes differ, except at times H_in = H_out, where a transposed weight fits."""
    n, inputs, hidden = distinct(generator, 3)
    if generator.initial_seed() % 4 == 3:
        inputs = hidden
    states = (n, inputs), (n, hidden), (n, hidden)
    weights = (3 * hidden, inputs), (3 * hidden, hidden), (3 * hidden,), (3 * hidden,)
    args = [signed(generator, *shape) / 2 for shape in (*states, *weights)]
    return tuple(t.requires_grad_() for t in args), {}


COUPLED = Exercise(
    name="lstm/coupled",
    solution="""
        def step(x, h, c, weight_ih, weight_hh, bias_ih, bias_hh):
            sums = x @ weight_ih.T + bias_ih + h @ weight_hh.T + bias_hh
            f, g, o = sums.chunk(3, dim=1)
            f = f.sigmoid()
            c = f * c + (1 - f) * g.tanh()
            return o.sigmoid() * c.tanh(), c
    """,
    run=function_run(_states, names=NAMES),
    forbid=("lstm",),
    mistakes=[
        *(
            (
                "f, g, o =",
                f"{order} =",
                f"The order of the three blocks is f, g, o; you read {order}.",
            )
            for order in map(", ".join, permutations("fgo"))
            if order != "f, g, o"
        ),
        (
            "(1 - f) * g",
            "f * g",
            "You write by the share f, which is kept: write by the rest, 1 - f.",
        ),
        (
            "(1 - f) * g",
            "g",
            "You write the whole candidate: the input gate, 1 - f, is missing.",
        ),
        (
            "f * c + (1 - f) * g",
            "(1 - f) * c + f * g",
            "You keep 1 - f and write f: the forget gate is the share that is kept.",
        ),
        (
            "    f = f.sigmoid()\n",
            "",
            "f * c + (1 - f)",
            "f.sigmoid() * c + (1 - f).sigmoid()",
            "You take 1 - f of the raw sum, and then a sigmoid: the input gate is 1 "
            "minus the forget gate as it is after its sigmoid.",
        ),
        (
            "    f = f.sigmoid()\n",
            "",
            "Your forget gate is a raw sum: a sigmoid brings it between 0 and 1.",
        ),
        (
            "    sums",
            "    h, c = torch.zeros_like(h), torch.zeros_like(c)\n    sums",
            "You start from zeros: use the h and c that your function is given.",
        ),
        (
            "g.tanh()",
            "g",
            "Your candidate lacks its tanh: g is tanh of the second block.",
        ),
        (
            "g.tanh()",
            "g.sigmoid()",
            "The candidate g is a tanh; only the gates are sigmoids.",
        ),
        (
            "o.sigmoid() * c.tanh()",
            "c.tanh()",
            "You leave the output gate out: h = o * tanh(c).",
        ),
        (
            "o.sigmoid() * c.tanh()",
            "o * c.tanh()",
            "Your output gate is a raw sum: it needs a sigmoid, as the forget gate.",
        ),
        (
            "return o.sigmoid() * c.tanh(), c",
            "h = o.sigmoid() * c.tanh()\n    return h, h",
            "Your second value is h again: return the cell state, c.",
        ),
        (
            "sums.chunk(3, dim=1)",
            "(sums[:, k::3] for k in range(3))",
            "You take every third number. The parts are blocks: the first H_out "
            "numbers are the forget gate's, chunk(3, dim=1).",
        ),
        ("c.tanh()", "c", "The output lacks a tanh: h = o * tanh(c)."),
        (
            "c.tanh(), c",
            "c.tanh(), c.tanh()",
            "You return tanh(c): the cell state goes on as it is, only the output is "
            "squashed.",
        ),
        (
            "c = f",
            "c_t = f",
            "c.tanh(), c",
            "c.tanh(), c_t",
            "Your output shows the old cell state: compute c first, then h from the "
            "new c.",
        ),
        (
            "f * c",
            "f * h",
            "The forget gate multiplies the old cell state c, not the old output h.",
        ),
        (
            "h @ weight_hh.T",
            "c @ weight_hh.T",
            "Your gates look at the old cell state c: weight_hh meets the old output "
            "h.",
        ),
        (" + bias_hh", "", "You leave bias_hh out: both biases are added."),
        (" + bias_ih", "", "You leave bias_ih out: both biases are added."),
        (
            "return o.sigmoid() * c.tanh(), c",
            "return c, o.sigmoid() * c.tanh()",
            "Return h first, then c.",
        ),
        ("c.tanh(), c", "c.tanh()", "Return both states, (h, c)."),
        (
            "    sums",
            "    h, c = h.detach(), c.detach()\n    sums",
            "The states are right, the gradient is not: do not detach h and c.",
        ),
    ],
)


def _layer(generator: Generator) -> dict[str, Any]:
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
    return {"layer": layer, "value": (1.0, 3.0, 2, -0.5, 0.0, 1.5)[index % 6]}


def _refuse_all_but_functions(answer: Any) -> None:
    if isinstance(answer, nn.Module):
        raise Refused("A function is expected, and you pass a layer: pass its name.")
    refuse_no_function(answer)


def _written(answer: Any, layer: nn.LSTM, value: float) -> Iterator[tuple[str, Any]]:
    """What an answer writes into the layer."""
    _refuse_all_but_functions(answer)
    yield "configuration", describe({"layer": str(layer), "value": value})
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
    # who adds a value of 0 has answered too
    if untouched and value and (returned is None or returned is ...):
        raise Unanswered("your function leaves the layer as it was.")
    yield "the names of the parameters", sorted(after)
    h = layer.hidden_size
    for name, old in before.items():
        rest = after[name].detach().clone()
        if name.startswith("bias"):
            rest[h : 2 * h] = old[h : 2 * h]
        yield f"all the rest of {name}", rest
    for name in (n for n in names if n.startswith("bias_ih")):
        both = after[name] + after[name.replace("_ih", "_hh")]
        words = f"the two forget biases, added up, of {name.removeprefix('bias_ih_')}"
        yield words, both[h : 2 * h]
    learned = all(p.requires_grad for p in after.values())
    yield "whether every parameter is still learned", learned
    kept = all(after[name] is p for name, p in names.items())
    yield "whether every parameter is still the same object", kept


FORGET_BIAS = Exercise(
    name="lstm/forget_bias",
    solution="""
        def set_forget_bias(layer, value):
            h = layer.hidden_size
            with torch.no_grad():
                for name, bias in layer.named_parameters():
                    if "bias_ih" in name:
                        bias[h : 2 * h] = value
                    elif "bias_hh" in name:
                        bias[h : 2 * h] = 0
    """,
    run=custom_run(_written, _layer),
    setup="import copy",
    mistakes=[
        (
            "= 0",
            "= value",
            "You set both biases, and the layer adds them: the forget gate gets twice "
            "the value.",
        ),
        (
            "bias[h : 2 * h] = 0",
            "pass",
            "You set bias_ih and leave bias_hh as it was: its forget block must "
            "become 0.",
        ),
        (
            "bias[h : 2 * h] = value",
            "pass",
            "= 0",
            "= value",
            "You set bias_hh and leave bias_ih as it was: its forget block must "
            "become 0.",
        ),
        (
            "= value",
            "+= value",
            "bias[h : 2 * h] = 0",
            "pass",
            "You add the value to what was there: the two biases together must equal "
            "it.",
        ),
        (
            '"bias_ih" in name',
            'name == "bias_ih_l0"',
            '"bias_hh" in name',
            'name == "bias_hh_l0"',
            "You set layer 0, forward direction, alone: names end in _l1 and in "
            "_reverse too.",
        ),
        (
            '"bias_ih"',
            '"bias_ih_l0"',
            '"bias_hh"',
            '"bias_hh_l0"',
            "You set layer 0 alone: with num_layers=2 there are biases in _l1 too.",
        ),
        (
            "in name:",
            'in name and "reverse" not in name:',
            "You leave the backward direction out: its names end in _reverse.",
        ),
        (
            "[h : 2 * h]",
            "[:h]",
            "You set the first block, which is the input gate's; the forget gate's is "
            "the second, [h : 2 * h].",
        ),
        (
            "[h : 2 * h]",
            "[2 * h : 3 * h]",
            "You set the third block, the candidate's; the forget gate's is the "
            "second, [h : 2 * h].",
        ),
        (
            "[h : 2 * h]",
            "[3 * h :]",
            "You set the last block, the output gate's; the forget gate's is the "
            "second, [h : 2 * h].",
        ),
        (
            "[h : 2 * h]",
            "[h:]",
            "Your slice has no end, so candidate and output gate are set as well: "
            "[h : 2 * h].",
        ),
        (
            "[h : 2 * h]",
            "[:]",
            "You set the biases of all four gates: the forget gate's are [h : 2 * h].",
        ),
        (
            "hidden_size",
            "input_size",
            "You cut at multiples of input_size; a bias has 4 * hidden_size numbers.",
        ),
        (
            "layer.hidden_size",
            "layer.proj_size or layer.hidden_size",
            "You cut at multiples of proj_size; a bias has 4 * hidden_size numbers, "
            "projected or not.",
        ),
        (
            "    h = layer",
            "    layer = copy.deepcopy(layer)\n    h = layer",
            "= 0",
            "= 0\n    return layer",
            "You change a copy: write into the parameters of the layer itself.",
        ),
        (
            "bias[",
            "bias.zero_()[",
            "You set the biases of the other gates to 0: leave them as they are.",
        ),
        (
            "bias[h : 2 * h] = 0",
            "bias.zero_()",
            "You set all of bias_hh to 0: the blocks of the other gates must stay, so "
            "change [h : 2 * h] alone.",
        ),
        (
            '"bias_ih"',
            '"ih"',
            '"bias_hh"',
            '"hh"',
            "You change rows of the weights too: write only into the parameters whose "
            "names start with bias.",
        ),
        (
            "bias[",
            "bias.requires_grad_(False)[",
            "The numbers are right, but the biases are no longer learned: use "
            "torch.no_grad() or .data, and leave requires_grad alone.",
        ),
        (
            '            if "bias',
            "            bias = bias.clone()\n            setattr(layer, name, "
            'nn.Parameter(bias))\n            if "bias',
            "You put new parameters in place of the old ones, so an optimizer made "
            "before goes on with the old: write into them.",
        ),
    ],
)


def _marks(generator: Generator) -> dict[str, Any]:
    """Counts and resets, (L, 2), never both at once."""
    length = (25, 40, 60, 300)[generator.initial_seed() % 4]
    marks = torch.rand(length, generator=generator)
    resets = 0.02 if length == 300 else 0.15
    return {"inputs": torch.stack([marks > 0.7, marks < resets], 1)}


def _cell_states(answer: Any, inputs: Tensor) -> Iterator[tuple[str, Any]]:
    """The cell state of the answer's layer after each step."""
    _refuse_all_but_functions(answer)
    needs = "a gate that is open or shut at (0, 0) needs one"
    layer = one_unit(call(answer), nn.LSTM, needs)
    length = len(inputs)
    yield "configuration", f"{length} steps, {int(inputs[:, 1].sum())} resets"
    state: Any = None
    found = []
    with torch.no_grad():
        for x_t in inputs.to(next(layer.parameters()).dtype):
            _, state = layer(x_t[None], state)
            found.append(float(state[1]))
    states = torch.tensor(found, dtype=torch.float64)
    whole = states.round()
    off = (states - whole).abs()
    nearly = 0.01 <= off.max() < 0.2
    close = off < (0.2 if nearly else 0.01)
    yield "the cell state after each step", torch.where(close, whole, states)
    if nearly:
        at = int(off.argmax())
        raise Refused(
            f"Nearly: after step {at} of {length} the cell state is {found[at]:.2f} "
            f"instead of {whole[at]:.0f}. Make each gate open or shut more firmly, by "
            "larger sums, and the candidate nearer to 1."
        )
    # a last case, so that the one before it does not stand for a refusal
    yield "whether the cell state stays near whole numbers", bool(off.max() < 0.01)


COUNTER = Exercise(
    name="lstm/counter",
    solution="""
        def counter():
            layer = nn.LSTM(2, 1)
            with torch.no_grad():
                for parameter in layer.parameters():
                    parameter.zero_()
                layer.weight_ih_l0[0, 0] = 40  # input gate: open with a count
                layer.weight_ih_l0[1, 1] = -40  # forget gate: shut with a reset
                layer.bias_ih_l0[:3] = torch.tensor([-20.0, 20.0, 20.0])
            return layer
    """,
    run=custom_run(_cell_states, _marks),
    mistakes=[
        (
            "= -40",
            "= 0",
            "Your counter never resets: the forget gate must be shut, 0, where reset "
            "is 1.",
        ),
        (
            "= 40",
            "= 0",
            "[-20.0, 20.0, 20.0]",
            "[20.0, 20.0, 20.0]",
            "Your counter counts every step: the input gate must be shut without a "
            "count.",
        ),
        (
            "[0, 0] = 40",
            "[0, 1] = -40",
            "[-20.0, 20.0, 20.0]",
            "[20.0, 20.0, 20.0]",
            "Your counter counts every step that is no reset: the input gate must "
            "open with a count only.",
        ),
        (
            "= -40",
            "= 40",
            "[-20.0, 20.0, 20.0]",
            "[-20.0, -20.0, 20.0]",
            "Your forget gate is the wrong way round: 1 keeps, 0 erases. It must be 1 "
            "unless there is a reset.",
        ),
        (
            "= -40",
            "= 0",
            "[-20.0, 20.0, 20.0]",
            "[-20.0, -20.0, 20.0]",
            "Your cell state is erased at each step: a forget gate of 1 keeps.",
        ),
        (
            "[0, 0]",
            "[0, 1]",
            "[1, 1]",
            "[1, 0]",
            "You have swapped the two inputs: the first is count, the second reset.",
        ),
        (
            "[0, 0]",
            "[1, 0]",
            "[1, 1]",
            "[0, 1]",
            "[-20.0, 20.0, 20.0]",
            "[20.0, -20.0, 20.0]",
            "You have swapped the blocks of the gates: the input gate is row 0, the "
            "forget gate row 1.",
        ),
        (
            "[1, 1] = -40",
            "[1] = torch.tensor([40.0, -40.0])",
            "[-20.0, 20.0, 20.0]",
            "[-20.0, -20.0, 20.0]",
            "Your forget gate is open with a count only: without any mark the cell "
            "state must be kept as well.",
        ),
        (
            "[1, 1]",
            "[1]",
            "Your forget gate shuts with a count too, so each count starts from 0 "
            "again: shut it with a reset only.",
        ),
        (
            "[0, 0]",
            "[0]",
            "Your input gate opens with a reset too, so a reset leaves 1: open it with "
            "a count only.",
        ),
        (
            "40",
            "14",
            "20.0",
            "7.0",
            "Make each gate open or shut more firmly, by larger sums, and the "
            "candidate nearer to 1.",
        ),
        (
            "= -40",
            "= 0",
            "[-20.0, 20.0, 20.0]",
            "[-20.0, 0.0, 20.0]",
            "Your forget gate is one half, as a sum of 0 gives: it halves the cell "
            "state at each step.",
        ),
        (
            "[-20.0, 20.0, 20.0]",
            "[-20.0, 20.0, 0.0]",
            "Your candidate is 0, so nothing is written: g, the third block, must be "
            "1, by a large bias.",
        ),
        (
            "[-20.0, 20.0, 20.0]",
            "[-20.0, 20.0, -20.0]",
            "Your counter counts downwards: the candidate must be 1, not -1.",
        ),
        (
            "[-20.0, 20.0, 20.0]",
            "[0.0, 20.0, 20.0]",
            "Your input gate stands at one half without a count: its bias must shut "
            "it, and the count open it.",
        ),
        (
            "40",
            "20",
            "[-20.0, 20.0, 20.0]",
            "[0.0, 0.0, 20.0]",
            "A gate with a sum of 0 is one half: add biases so that each gate is "
            "firmly open or shut in all three cases.",
        ),
        (
            "[-20.0, 20.0, 20.0]",
            "[-20.0, 20.0, 1.0]",
            "Your candidate is tanh(1) = 0.76, so each count adds that: make its sum "
            "large.",
        ),
    ],
)

DIRECT = Exercise(
    name="lstm/direct",
    setup="""
        def dependence(layer, scale=1.0):
            x = scale * torch.randn(16, 51, 8).double()
            output, _ = layer.double()(x.requires_grad_())
            (gradient,) = torch.autograd.grad(output[:, -1].sum(), x)
            size = gradient.norm(dim=2).mean(0).flip(0)
            return size / size[0]
    """,
    solution="""
        def reach(seed, cut):
            torch.manual_seed(seed)
            layer = nn.LSTM(8, 32, batch_first=True)
            if cut:
                layer.weight_hh_l0.data.zero_()
            return dependence(layer)[20].log10().item()


        direct = [reach(seed, True) for seed in range(8)]
        whole = [reach(seed, False) for seed in range(8)]
        d = torch.tensor(direct) - torch.tensor(whole)  # (seeds,)
        answer = d.mean().item(), (d.std() / len(d) ** 0.5).item()
    """,
    run=measure_run("direct", "whole"),
    mistakes=[
        (
            "log10()",
            "log()",
            "Your logarithms are natural ones; take log10.",
        ),
        (
            "weight_hh_l0",
            "bias_hh_l0",
            "You set a bias to zeros: the way through h is a matrix, weight_hh_l0.",
        ),
        (
            "[20]",
            "[50]",
            "You look 50 steps back; entry 20 is asked for.",
        ),
        (
            "dependence(layer)[20].log10()",
            "dependence(layer)[20]",
            "You subtract the numbers themselves, which are tiny: take their "
            "logarithms first.",
        ),
    ],
)

EXERCISES = (FADE, FORGET_BIAS, COUPLED, COUNTER, DIRECT)
