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
    refuse_no_function,
    signed,
)


def _step_arguments(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """With biases or without; sizes distinct, H_in = H_out, N = 1, N = H_out."""
    index = generator.initial_seed()
    n, n_in, n_out = distinct(generator, 3)
    if index % 4 == 1:
        n_in = n_out
    if index % 4 == 2:
        n = 1
    if index % 4 == 3:
        n = n_out
    if index == 8:
        n_out = 1
    shapes: list[tuple[int, ...]] = [(n, n_in), (n, n_out)]
    shapes += [(3 * n_out, n_in), (3 * n_out, n_out)]
    if index % 3 != 2:
        shapes += [(3 * n_out,), (3 * n_out,)]
    # small enough that no gate is shut and no tanh at its end
    tensors = [signed(generator, *s) * 0.5 for s in shapes]
    return tuple(t.requires_grad_() for t in tensors), {}


STEP = Exercise(
    name="gru/step",
    solution="""
        def gru_step(x, h, w_ih, w_hh, b_ih=None, b_hh=None):
            from_x, from_h = x @ w_ih.T, h @ w_hh.T
            if b_ih is not None:
                from_x, from_h = from_x + b_ih, from_h + b_hh
            xr, xz, xn = from_x.chunk(3, -1)
            hr, hz, hn = from_h.chunk(3, -1)
            r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
            n = torch.tanh(xn + r * hn)
            return (1 - z) * n + z * h
    """,
    reference=torch.gru_cell,
    run=function_run(_step_arguments, names=("x", "h", "w_ih", "w_hh", "b_ih", "b_hh")),
    forbid=("gru",),
    mistakes=[
        (
            "(1 - z) * n + z * h",
            "(1 - z) * h + z * n",
            "Your z is Chung's: in torch it says how much of the old state stays, "
            "(1 - z) * n + z * h.",
        ),
        (
            "from_x + b_ih, from_h + b_hh",
            "from_x + b_ih + b_hh, from_h",
            "r * hn",
            "(r * h) @ w_hh.chunk(3)[2].T",
            "You reset the state before the matrix product, as the papers do; torch "
            "multiplies r with the product, bias included.",
        ),
        (
            "from_x + b_ih, from_h + b_hh",
            "from_x + b_ih + b_hh, from_h",
            "r * hn",
            "(r * h) @ w_hh.chunk(3)[2].T",
            "(1 - z) * n + z * h",
            "(1 - z) * h + z * n",
            "You write the GRU of Chung et al.: torch turns z around, (1 - z) * n + "
            "z * h, and applies r after the matrix product.",
        ),
        (
            "from_x + b_ih, from_h + b_hh",
            "from_x + b_ih + b_hh, from_h",
            "b_hh of the candidate stands inside the bracket: r * (W_hn h + b_hn).",
        ),
        (
            "xr, xz, xn",
            "xz, xr, xn",
            "hr, hz, hn",
            "hz, hr, hn",
            "You have swapped the gates: torch stacks the rows in the order r, z, n.",
        ),
        (
            "xr, xz, xn",
            "xn, xr, xz",
            "hr, hz, hn",
            "hn, hr, hz",
            "You take the candidate from the first rows; torch stacks them in the "
            "order r, z, n.",
        ),
        *(
            (
                "xr, xz, xn",
                f"x{a}, x{b}, x{c}",
                "hr, hz, hn",
                f"h{a}, h{b}, h{c}",
                f"You read the rows in the order {a}, {b}, {c}; torch stacks them in "
                "the order r, z, n.",
            )
            for a, b, c in ("rnz", "znr", "nzr")
        ),
        (
            "xn + r * hn",
            "r * (xn + hn)",
            "Your reset gate scales the part from x too: only the part from h is "
            "reset, x_n + r * h_n.",
        ),
        (
            "xn + r * hn",
            "r * xn + hn",
            "Your reset gate scales the part from x: it scales the part from h, x_n + "
            "r * h_n.",
        ),
        (
            "r * hn",
            "r * (h @ w_hh.chunk(3)[2].T)",
            "Your candidate lacks its share of b_hh: r * (W_hn h + b_hn).",
        ),
        (
            "from_x.chunk(3, -1)",
            "(from_x[:, k::3] for k in range(3))",
            "from_h.chunk(3, -1)",
            "(from_h[:, k::3] for k in range(3))",
            "You take every third row for a gate: the rows of each gate lie side by "
            "side, chunk(3, -1).",
        ),
        (
            "(1 - z) * n + z * h",
            "(1 - r) * n + r * h",
            "You mix candidate and state by r: that is the task of z.",
        ),
        (
            "(1 - z) * n + z * h",
            "((1 - z) * n + z * h).squeeze()",
            "squeeze removes every axis of size 1, also that of a batch of one: the "
            "output is (N, H_out).",
        ),
        (
            "r * hn",
            "hn",
            "You do not use the reset gate: r scales the candidate's part from h.",
        ),
        (
            "r * hn",
            "(1 - r) * hn",
            "Your reset gate is turned around: r = 1 lets all of the old state in.",
        ),
        (
            "tanh",
            "sigmoid",
            "Your candidate goes through a sigmoid: the gates do, the candidate goes "
            "through tanh.",
        ),
        (
            "torch.tanh(xn + r * hn)",
            "xn + r * hn",
            "Your candidate goes through no function: it needs tanh, which keeps the "
            "state between -1 and 1.",
        ),
        (
            "(1 - z) * n",
            "n",
            "You add the whole candidate to what stays: its share is 1 - z.",
        ),
        (
            "(1 - z) * n + z * h",
            "n",
            "You return the candidate: the new state is its mix with the old one, "
            "(1 - z) * n + z * h.",
        ),
        (
            "z * h",
            "z * (r * h)",
            "You mix with the reset state: z multiplies h itself.",
        ),
        (
            "from_h + b_hh",
            "from_h",
            "You add one bias only: there are two, b_ih and b_hh.",
        ),
        (
            "from_x + b_ih, from_h + b_hh",
            "from_x, from_h",
            "You do not add the biases where there are some.",
        ),
        (
            "h @ w_hh.T",
            "h.detach() @ w_hh.T",
            "z * h",
            "z * h.detach()",
            "The output is right, but no gradient reaches h: do not detach it.",
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

EXERCISES = (STEP, CONVERT, MINIMAL)
