"""Exercises of the page recurrent/gru."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn

from layers_book.checking import (
    Exercise,
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

HELD_GATE = Exercise(
    name="gru/held_gate",
    solution="""
        answer = [1 - 0.8, 1 - 0.8**2, 1 - 0.8**3]
    """,
    run=value_run(),
    mistakes=[
        (
            "[1 - 0.8, 1 - 0.8**2, 1 - 0.8**3]",
            "[1 - 0.2, 1 - 0.2**2, 1 - 0.2**3]",
            "Your unit takes four fifths of the candidate at each step, as with "
            "Chung's z; torch's z is the share of the old state.",
        ),
        (
            "[1 - 0.8, 1 - 0.8**2, 1 - 0.8**3]",
            "[0.8, 0.8**2, 0.8**3]",
            "Your state falls from step to step: those are the shares still missing to "
            "the candidate, 1.",
        ),
        (
            "[1 - 0.8, 1 - 0.8**2, 1 - 0.8**3]",
            "[0.2, 0.4, 0.6]",
            "You add a fifth of the candidate and keep all of the old state: of that, "
            "z keeps four fifths.",
        ),
        (
            "[1 - 0.8, 1 - 0.8**2, 1 - 0.8**3]",
            "[0.2, 0.2, 0.2]",
            "Each of your steps starts at 0: the second starts where the first has "
            "ended.",
        ),
        (
            "[1 - 0.8, 1 - 0.8**2, 1 - 0.8**3]",
            "[0.0, 0.2, 0.36]",
            "Your list begins with the state before the first step: give those after "
            "each of the three.",
        ),
        (
            "[1 - 0.8, 1 - 0.8**2, 1 - 0.8**3]",
            "1 - 0.8**3",
            "You give one state: give the three, in a list.",
        ),
    ],
)


def _theirs(generator: Generator) -> dict[str, Any]:
    """Weights of the other library, an input and a state."""
    n, n_in, n_out = distinct(generator, 3)
    rows = 3 * n_out
    shapes = {"w_ih": (rows, n_in), "w_hh": (rows, n_out), "b_ih": (rows,)}
    shapes["b_hh"] = (rows,)
    given = {name: signed(generator, *s) * 0.5 for name, s in shapes.items()}
    x, h = signed(generator, n, n_in), signed(generator, n, n_out) * 0.5
    return {"given": given, "x": x, "h": h}


def _converted(
    answer: Any, given: dict[str, Tensor], x: Tensor, h: Tensor
) -> Iterator[tuple[str, Any]]:
    """Run nn.GRUCell on converted weights: different ones may compute the same."""
    refuse_no_function(answer)
    yield "configuration", describe(given)
    copies = {name: t.clone() for name, t in given.items()}
    value = call(answer, *copies.values())
    yield "the result", _words(value, [tuple(t.shape) for t in given.values()])
    changed = [k for k, t in given.items() if not torch.equal(t, copies[k])]
    yield (
        "what your code leaves of the given tensors",
        f"not {', '.join(changed)}, which it overwrites" if changed else "all of them",
    )
    cell = nn.GRUCell(x.shape[1], h.shape[1]).double()
    with torch.no_grad():
        for parameter, tensor in zip(cell.parameters(), value, strict=True):
            parameter.copy_(tensor)
    yield "the output of nn.GRUCell with your tensors", cell(x, h)


def _words(value: Any, shapes: list[tuple[int, ...]]) -> str:
    if not isinstance(value, tuple | list):
        return f"a {type(value).__name__}"
    if not all(isinstance(t, Tensor) for t in value):
        return "a tuple that holds other things than tensors"
    if [tuple(t.shape) for t in value] != shapes:
        return f"tensors of the shapes {', '.join(str(tuple(t.shape)) for t in value)}"
    others = [str(t.dtype) for t in value if t.dtype != torch.float64]
    if others:
        return f"not all in the dtype given, but {others[0]}"
    return "four tensors of the shapes and the dtype given"


CONVERT = Exercise(
    name="gru/convert",
    solution="""
        def to_torch(w_ih, w_hh, b_ih, b_hh):
            def convert(p):
                z, r, n = p.chunk(3)
                return torch.cat([r, -z, n])

            return tuple(convert(p) for p in (w_ih, w_hh, b_ih, b_hh))
    """,
    run=custom_run(_converted, _theirs),
    mistakes=[
        (
            "torch.cat([r, -z, n])",
            "p",
            "You return the tensors as they are: reorder their blocks, and flip the "
            "signs of one.",
        ),
        (
            "-z",
            "z",
            "The order of the blocks is right; z still means what it did. Flip the "
            "sign of its block: sigmoid(-a) = 1 - sigmoid(a).",
        ),
        (
            "p.chunk(3)",
            "p.chunk(3, -1)",
            "[r, -z, n]",
            "[r, -z, n], -1",
            "You cut the weights along their last axis: the blocks are rows, along "
            "axis 0.",
        ),
        (
            "[r, -z, n]",
            "[-z, r, n]",
            "You flip the right block, but leave the order z, r, n: r comes first in "
            "torch.",
        ),
        (
            "-z",
            "z if p.dim() == 1 else -z",
            "You flip the weights of z, not its biases: everything inside the sigmoid "
            "must change its sign.",
        ),
        (
            "tuple(convert(p) for p in (w_ih, w_hh, b_ih, b_hh))",
            "convert(w_ih), convert(w_hh), b_ih, b_hh",
            "The weights are right, the biases as you got them: reorder their blocks "
            "too, and flip the sign of z's.",
        ),
        (
            "-z",
            "-z if p.dim() == 1 else z",
            "You flip the biases of z, not its weights: everything inside the sigmoid "
            "must change its sign.",
        ),
        (
            "-z",
            "z if p is b_hh else -z",
            "You flip b_ih of z, not b_hh: everything inside the sigmoid must change "
            "its sign.",
        ),
        (
            "-z",
            "z if p is b_ih else -z",
            "You flip b_hh of z, not b_ih: everything inside the sigmoid must change "
            "its sign.",
        ),
        (
            "tuple(convert(p) for p in (w_ih, w_hh, b_ih, b_hh))",
            "convert(w_ih), convert(w_hh), 0 * b_ih, 0 * b_hh",
            "The weights are right, but your biases are zero: convert those given.",
        ),
        (
            "[r, -z, n]",
            "[n, -z, r]",
            "You return the order n, z, r: torch's is r, z, n.",
        ),
        (
            "-z",
            "1 / z",
            "1 / z is no change from z to 1 - z: sigmoid(-a) = 1 - sigmoid(a), so the "
            "block changes its sign.",
        ),
        (
            "torch.cat([r, -z, n])",
            "p.flip(0)",
            "You reverse the single rows: move whole blocks, p.chunk(3), and keep the "
            "order in each.",
        ),
        (
            "-z",
            "-z if p is w_ih or p is b_ih else z",
            "You flip what comes from x only: the part from h, w_hh and b_hh, must "
            "change its sign too.",
        ),
        (
            "-z",
            "-z if p is w_hh or p is b_hh else z",
            "You flip what comes from h only: the part from x, w_ih and b_ih, must "
            "change its sign too.",
        ),
        (
            "[r, -z, n]",
            "[-r, z, n]",
            "You flip the block of r: in what you are given, z comes first.",
        ),
        (
            "[r, -z, n]",
            "[-r, -z, n]",
            "You flip both gates: r means the same in both libraries.",
        ),
        (
            "[r, -z, n]",
            "[-r, -z, -n]",
            "You flip all blocks: only z has another meaning.",
        ),
        (
            "[r, -z, n]",
            "[r, -z, -n]",
            "You flip the candidate as well: only z has another meaning.",
        ),
        (
            "-z",
            "1 - z",
            "1 - z holds for the gate, after the sigmoid; its weights and biases "
            "change their sign, -z.",
        ),
        (
            "[r, -z, n]",
            "[r, n, -z]",
            "You return the order r, n, z: torch's is r, z, n.",
        ),
        (
            "torch.cat([r, -z, n])",
            "p.copy_(torch.cat([r, -z, n]))",
            "You overwrite the tensors you were given: build new ones, with torch.cat.",
        ),
    ],
)


def _sequences(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    length, n, n_in, n_out = distinct(generator, 4)
    if index % 3 == 2:
        length = n
    if index % 6 == 3:
        length = 1
    if index % 6 == 4:
        n = 1
    shapes: list[tuple[int, ...]] = [(length, n, n_in), (n, n_out)]
    shapes += [(2 * n_out, n_in), (2 * n_out, n_out), (2 * n_out,)]
    return tuple((signed(generator, *s) * 0.5).requires_grad_() for s in shapes), {}


MINIMAL = Exercise(
    name="gru/minimal",
    solution="""
        def mgu(x, h, w, u, b):
            (w_f, w_h), (u_f, u_h), (b_f, b_h) = w.chunk(2), u.chunk(2), b.chunk(2)
            states = []
            for x_t in x:
                f = torch.sigmoid(x_t @ w_f.T + h @ u_f.T + b_f)
                candidate = torch.tanh(x_t @ w_h.T + (f * h) @ u_h.T + b_h)
                h = (1 - f) * h + f * candidate
                states.append(h)
            return torch.stack(states)
    """,
    run=function_run(_sequences, names=("x", "h", "w", "u", "b")),
    mistakes=[
        (
            "(1 - f) * h + f * candidate",
            "f * h + (1 - f) * candidate",
            "You mix as torch does; here f is the share of the candidate: "
            "(1 - f) * h + f * candidate.",
        ),
        (
            "(f * h) @ u_h.T",
            "f * (h @ u_h.T)",
            "You multiply by f after the matrix, as torch's reset gate does; here it "
            "comes before: (f * h) @ u_h.T.",
        ),
        (
            "(f * h) @ u_h.T + b_h",
            "f * (h @ u_h.T + b_h)",
            "You multiply product and bias by f; here f meets the state, before the "
            "matrix, and the bias not at all.",
        ),
        (
            "(f * h) @ u_h.T",
            "f * (h @ u_h.T)",
            "(1 - f) * h + f * candidate",
            "f * h + (1 - f) * candidate",
            "You write it as torch would: here f is the share of the candidate, and "
            "it meets the state before the matrix, (f * h) @ u_h.T.",
        ),
        (
            "x_t @ w_h.T + (f * h) @ u_h.T",
            "f * (x_t @ w_h.T + h @ u_h.T)",
            "You multiply the part from x by f as well: only the state is reset.",
        ),
        (
            "(1 - f) * h",
            "(1 - f) * (f * h)",
            "You mix with the reset state: 1 - f multiplies h itself.",
        ),
        ("(1 - f) * h", "h", "You add to the whole old state: its share is 1 - f."),
        (
            "states = []",
            "states, h = [], torch.zeros_like(h)",
            "You start from zeros: the state before the first step is given, h.",
        ),
        (
            "torch.stack(states)",
            "torch.stack(states).squeeze()",
            "squeeze removes every axis of size 1, also that of a single step or "
            "sample: the output is (L, N, H_out).",
        ),
        (
            "(f * h)",
            "h",
            "Your candidate sees the whole old state: it is multiplied by f first.",
        ),
        (
            "(f * h)",
            "((1 - f) * h)",
            "Your candidate sees (1 - f) * h: the equations have f * h there.",
        ),
        (
            "(w_f, w_h), (u_f, u_h), (b_f, b_h)",
            "(w_h, w_f), (u_h, u_f), (b_h, b_f)",
            "You have swapped the blocks: the first H_out rows belong to f.",
        ),
        (
            "h = (1 - f)",
            "h_t = (1 - f)",
            "append(h)",
            "append(h_t)",
            "Each of your steps starts from the first state: assign the new one to h.",
        ),
        (
            "append(h)",
            "append(candidate)",
            "You collect the candidates: collect the states, after the mix.",
        ),
        (
            "torch.tanh",
            "torch.sigmoid",
            "Your candidate goes through a sigmoid: the equations have tanh there.",
        ),
        ("u_h.T + b_h", "u_h.T", "Your candidate lacks its bias b_h."),
        (
            "torch.stack(states)",
            "torch.stack(states), h",
            "You return two values: asked for are the states of all steps, in one "
            "tensor.",
        ),
        (
            "torch.stack(states)",
            "h",
            "You return the last state: return those of all steps, (L, N, H_out).",
        ),
        (
            "states = []",
            "states = [h]",
            "Your output has L + 1 steps: the state you start from is not part of it.",
        ),
        (
            "states = []",
            "states = [h]",
            "torch.stack(states)",
            "torch.stack(states[:-1])",
            "Your output lags by one step: append the state after it is updated.",
        ),
        (
            "torch.stack(states)",
            "torch.stack(states, 1)",
            "You stack the steps along the wrong axis: the output is (L, N, H_out), "
            "torch.stack(states).",
        ),
        (
            "in x:",
            "in x.transpose(0, 1):",
            "torch.stack(states)",
            "torch.stack(states, 1)",
            "You loop over the samples: the steps are on the first axis of x.",
        ),
        (
            "for x_t in x:",
            "for x_t in x:\n        h = h.detach()",
            "The output is right, but the gradient ends after one step: do not detach "
            "the state.",
        ),
    ],
)


def _values(generator: Generator) -> dict[str, Any]:
    """Values and marks of many steps; the first step has a mark, few others do."""
    index = generator.initial_seed()
    length = 300 if index % 2 else 40
    inputs = torch.zeros(length, 2)
    sizes = 0.5 + torch.rand(length, generator=generator)
    inputs[:, 0] = sizes * (1 - 2 * torch.randint(2, (length,), generator=generator))
    inputs[:, 1] = (torch.rand(length, generator=generator) < 4 / length).float()
    inputs[0, 1] = 1
    return {"inputs": inputs}


def _held(answer: Any, inputs: Tensor) -> Iterator[tuple[Any, ...]]:
    """The state of the answer's layer after each step."""
    refuse_no_function(answer)
    layer = one_unit(call(answer), nn.GRU, "z must be open at (0, 0)")
    yield "configuration", f"{len(inputs)} steps, {int(inputs[:, 1].sum())} marks"
    with torch.no_grad():
        state: Any = None
        found = []
        for x_t in inputs.to(next(layer.parameters()).dtype):
            _, state = layer(x_t[None], state)
            found.append(float(state))
    marks = inputs[:, 1].nonzero().flatten().tolist()
    before = [*(at - 1 for at in marks[1:]), len(inputs) - 1]
    yield "the list of states after the marks", [found[at] for at in marks], 0.02
    yield "the list of states before the next marks", [found[at] for at in before], 0.02


LATCH = Exercise(
    name="gru/latch",
    solution="""
        def latch():
            layer = nn.GRU(2, 1)
            with torch.no_grad():
                for parameter in layer.parameters():
                    parameter.zero_()
                layer.weight_ih_l0[1, 1] = -40  # update gate: 0 with a mark
                layer.bias_ih_l0[1] = 20  # update gate: 1 without one
                layer.weight_ih_l0[2, 0] = 1  # candidate: tanh(value)
            return layer
    """,
    run=custom_run(_held, _values),
    mistakes=[
        (
            "= -40",
            "= 40",
            "= 20",
            "= -20",
            "Your state changes where there is no mark, and stays where there is one: "
            "torch's z is the share that is kept.",
        ),
        (
            "= 20",
            "= 0",
            "Without a mark your update gate stands at one half, so half of the state "
            "goes at each step: its bias must open it.",
        ),
        (
            "= -40",
            "= 0",
            "Your state never moves: a mark must shut the update gate.",
        ),
        (
            "= -40",
            "= -20",
            "With a mark your update gate stands at one half: the mark's weight must "
            "outweigh the bias.",
        ),
        (
            "[1, 1]",
            "[0, 1]",
            "l0[1]",
            "l0[0]",
            "You open and shut the reset gate: the rows are r, z, n, so the update "
            "gate has row 1.",
        ),
        (
            "[1, 1]",
            "[1, 0]",
            "[2, 0]",
            "[2, 1]",
            "You have swapped the two inputs: the first is the value, the second the "
            "mark.",
        ),
        (
            "[2, 0] = 1",
            "[2, 1] = 1",
            "Your candidate reads the mark: it must read the value, input 0.",
        ),
        (
            "[2, 0] = 1",
            "[2, 0] = 2",
            "Your candidate is tanh(2 · value): give the value the weight 1.",
        ),
        (
            "[2, 0] = 1",
            "[2, 0] = 40",
            "Your candidate is 1 or −1, whatever the value: its weight is too large.",
        ),
        (
            "[2, 0] = 1",
            "[2] = 1",
            "Your candidate adds the mark to the value, so that the state becomes "
            "tanh(value + 1).",
        ),
        (
            "= -40",
            "= -10",
            "= 20",
            "= 5",
            "At a bias of 5 the update gate is 0.993, and in 300 steps little is left: "
            "make both numbers larger.",
        ),
        (
            "[2, 0] = 1",
            "[2, 0] = layer.weight_hh_l0[2, 0] = 1",
            "Your candidate contains the old state as well: a mark must replace it.",
        ),
    ],
)

REACH = Exercise(
    name="gru/reach",
    setup="""
        def sensitivity(bias, seed, length=60, hidden=64):
            torch.manual_seed(seed)
            layer = nn.GRU(8, hidden).double()
            with torch.no_grad():
                layer.bias_hh_l0[hidden : 2 * hidden] += bias
            x = torch.randn(length, 16, 8).double().requires_grad_()  # (L, N, H_in)
            (g,) = torch.autograd.grad(layer(x)[0][-1].sum(), x)
            size = g.norm(dim=-1).mean(1).flip(0)  # (L,), by distance from the end
            return size / size[0]
    """,
    solution="""
        opened = [sensitivity(2, seed)[20].log10() for seed in range(8)]
        fresh = [sensitivity(0, seed)[20].log10() for seed in range(8)]
        difference = torch.tensor(opened) - torch.tensor(fresh)
        answer = difference.mean(), difference.std() / 8**0.5
    """,
    run=measure_run("opened", "fresh"),
    mistakes=[
        (
            "log10() for seed in range(8)]\nfresh",
            "log() for seed in range(8)]\nfresh",
            "[20].log10() for seed in range(8)]\ndiff",
            "[20].log() for seed in range(8)]\ndiff",
            "Your logarithm is the natural one: powers of ten are counted by log10.",
        ),
        (
            "sensitivity(2",
            "sensitivity(1",
            "You open the gate by 1: the prompt asks for a bias of 2.",
        ),
        (
            "sensitivity(2",
            "sensitivity(3",
            "You open the gate by 3: the prompt asks for a bias of 2.",
        ),
        (
            "sensitivity(2, seed)[20]",
            "sensitivity(2, seed)[50]",
            "sensitivity(0, seed)[20]",
            "sensitivity(0, seed)[50]",
            "You read the curves at lag 50: lag 20 is asked for.",
        ),
        (
            "sensitivity(2, seed)[20].log10()",
            "sensitivity(2, seed)[20]",
            "sensitivity(0, seed)[20].log10()",
            "sensitivity(0, seed)[20]",
            "You subtract the shares themselves: take log10 of each before.",
        ),
    ],
)

EXERCISES = (HELD_GATE, CONVERT, MINIMAL, LATCH, REACH)
