"""Exercise: weights of another convention for nn.GRUCell."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn

from layers_book.checking import (
    CONFIGURATION,
    Case,
    Exercise,
    Mistake,
    Refused,
    call,
    describe,
    distinct,
    signed,
)

NAMES = ("w_ih", "w_hh", "b_ih", "b_hh")
GOOD = "four tensors of the shapes and the dtype given"


def _their_step(x: Tensor, h: Tensor, weights: list[Tensor]) -> Tensor:
    """The other library: rows z, r, n, and z = 1 replaces the state."""
    w_ih, w_hh, b_ih, b_hh = weights
    xz, xr, xn = (x @ w_ih.T + b_ih).chunk(3, -1)
    hz, hr, hn = (h @ w_hh.T + b_hh).chunk(3, -1)
    z = torch.sigmoid(xz + hz)
    n = torch.tanh(xn + torch.sigmoid(xr + hr) * hn)
    return (1 - z) * h + z * n


def _convert_run(answer: Any, generator: Generator) -> Iterator[Case]:
    """Run nn.GRUCell on converted weights; the wanted output is the other library's.

    Two sets of weights that compute the same are both right, so outputs are compared.
    """
    if not callable(answer) or isinstance(answer, type):
        raise Refused("A function is expected: write its name without calling it.")
    n, n_in, n_out = distinct(generator, 3)
    shapes = [(3 * n_out, n_in), (3 * n_out, n_out), (3 * n_out,), (3 * n_out,)]
    given = [signed(generator, *shape) * 0.5 for shape in shapes]
    yield Case(CONFIGURATION, describe(dict(zip(NAMES, given, strict=True))))
    x, h = signed(generator, n, n_in), signed(generator, n, n_out) * 0.5
    if answer is _their_step:  # the reference: what is wanted, with nothing converted
        yield Case("the result", GOOD)
        yield Case("what your code leaves of the given tensors", "all of them")
        yield Case(
            "the output of nn.GRUCell with your tensors", _their_step(x, h, given)
        )
        return
    copies = [t.clone() for t in given]
    value = call(answer, *copies)
    yield Case("the result", _words(value, shapes))
    changed = [
        name
        for name, before, after in zip(NAMES, given, copies, strict=True)
        if not torch.equal(before, after)
    ]
    yield Case(
        "what your code leaves of the given tensors",
        f"not {', '.join(changed)}, which it overwrites" if changed else "all of them",
    )
    cell = nn.GRUCell(n_in, n_out).double()
    with torch.no_grad():
        for parameter, tensor in zip(cell.parameters(), value, strict=True):
            parameter.copy_(tensor)
    yield Case("the output of nn.GRUCell with your tensors", cell(x, h))


def _words(value: Any, shapes: list[tuple[int, ...]]) -> str:
    if not isinstance(value, tuple | list):
        return f"a {type(value).__name__}"
    if not all(isinstance(t, Tensor) for t in value):
        return "a tuple that holds other things than tensors"
    if [tuple(t.shape) for t in value] == shapes:
        others = [str(t.dtype) for t in value if t.dtype != torch.float64]
        return f"not all in the dtype given, but {others[0]}" if others else GOOD
    return f"tensors of the shapes {', '.join(str(tuple(t.shape)) for t in value)}"


def _convert(wrong: str) -> Any:
    def convert(p: Tensor) -> Tensor:
        z, r, n = p.chunk(3)
        if wrong == "order kept":
            return torch.cat([-z, r, n])
        if wrong == "wrong rows" or (wrong == "biases kept" and p.dim() == 1):
            return torch.cat([r, z, n])
        if wrong == "r flipped":
            return torch.cat([-r, z, n])
        if wrong == "both flipped":
            return torch.cat([-r, -z, n])
        if wrong == "all flipped":
            return -torch.cat([r, z, n])
        if wrong == "n flipped":
            return torch.cat([r, -z, -n])
        if wrong == "one minus":
            return torch.cat([r, 1 - z, n])
        if wrong == "rotated":
            return torch.cat([r, n, -z])
        if wrong == "candidate first":
            return torch.cat([n, -z, r])
        if wrong == "inverse":
            return torch.cat([r, 1 / z, n])
        if wrong == "rows reversed":
            return p.flip(0)
        return torch.cat([r, -z, n])

    def answer(w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor) -> Any:
        four = (w_ih, w_hh, b_ih, b_hh)
        if wrong == "unchanged":
            return four
        if wrong == "in place":
            for p in four:
                p.copy_(convert(p))
            return four
        done = tuple(convert(p) for p in four)
        plain = [torch.cat([r, z, n]) for z, r, n in (p.chunk(3) for p in four)]
        if wrong == "input only":
            return done[0], plain[1], done[2], plain[3]
        if wrong == "state only":
            return plain[0], done[1], plain[2], done[3]
        if wrong == "biases as given":
            return done[0], done[1], b_ih, b_hh
        if wrong == "biases only":
            return plain[0], plain[1], done[2], done[3]
        if wrong == "b_ih only":
            return done[0], done[1], done[2], plain[3]
        if wrong == "b_hh only":
            return done[0], done[1], plain[2], done[3]
        if wrong == "zeros":
            return done[0], done[1], 0 * b_ih, 0 * b_hh
        return done

    return answer


CONVERT = Exercise(
    name="gru/convert",
    reference=_their_step,
    run=_convert_run,
    mistakes=(
        Mistake(
            _convert("unchanged"),
            "You return the tensors as they are: reorder their blocks, and flip the "
            "signs of one.",
        ),
        Mistake(
            _convert("wrong rows"),
            "The order of the blocks is right; z still means what it did. Flip the "
            "sign of its block: sigmoid(-a) = 1 - sigmoid(a).",
        ),
        Mistake(
            _convert("order kept"),
            "You flip the right block, but leave the order z, r, n: r comes first in "
            "torch.",
        ),
        Mistake(
            _convert("biases kept"),
            "You flip the weights of z, not its biases: everything inside the sigmoid "
            "must change its sign.",
        ),
        Mistake(
            _convert("biases as given"),
            "The weights are right, the biases as you got them: reorder their blocks "
            "too, and flip the sign of z's.",
        ),
        Mistake(
            _convert("biases only"),
            "You flip the biases of z, not its weights: everything inside the sigmoid "
            "must change its sign.",
        ),
        Mistake(
            _convert("b_ih only"),
            "You flip b_ih of z, not b_hh: everything inside the sigmoid must change "
            "its sign.",
        ),
        Mistake(
            _convert("b_hh only"),
            "You flip b_hh of z, not b_ih: everything inside the sigmoid must change "
            "its sign.",
        ),
        Mistake(
            _convert("zeros"),
            "The weights are right, but your biases are zero: convert those given.",
        ),
        Mistake(
            _convert("candidate first"),
            "You return the order n, z, r: torch's is r, z, n.",
        ),
        Mistake(
            _convert("inverse"),
            "1 / z is no change from z to 1 - z: sigmoid(-a) = 1 - sigmoid(a), so the "
            "block changes its sign.",
        ),
        Mistake(
            _convert("rows reversed"),
            "You reverse the single rows: move whole blocks, p.chunk(3), and keep the "
            "order in each.",
        ),
        Mistake(
            _convert("input only"),
            "You flip what comes from x only: the part from h, w_hh and b_hh, must "
            "change its sign too.",
        ),
        Mistake(
            _convert("state only"),
            "You flip what comes from h only: the part from x, w_ih and b_ih, must "
            "change its sign too.",
        ),
        Mistake(
            _convert("r flipped"),
            "You flip the block of r: in what you are given, z comes first.",
        ),
        Mistake(
            _convert("both flipped"),
            "You flip both gates: r means the same in both libraries.",
        ),
        Mistake(
            _convert("all flipped"),
            "You flip all blocks: only z has another meaning.",
        ),
        Mistake(
            _convert("n flipped"),
            "You flip the candidate as well: only z has another meaning.",
        ),
        Mistake(
            _convert("one minus"),
            "1 - z holds for the gate, after the sigmoid; its weights and biases "
            "change their sign, -z.",
        ),
        Mistake(
            _convert("rotated"),
            "You return the order r, n, z: torch's is r, z, n.",
        ),
        Mistake(
            _convert("in place"),
            "You overwrite the tensors you were given: build new ones, with torch.cat.",
        ),
    ),
)
