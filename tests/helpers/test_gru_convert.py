"""The exercise gru/convert, whose reference is its solution, against other formulas."""

import pytest
import torch
from torch import nn

from layers_book.exercises import exercise

CONVERT = exercise("gru/convert")


def their_step(x, h, w_ih, w_hh, b_ih, b_hh):
    """The other library: rows z, r, n, and z = 1 replaces the state."""
    xz, xr, xn = (x @ w_ih.T + b_ih).chunk(3, -1)
    hz, hr, hn = (h @ w_hh.T + b_hh).chunk(3, -1)
    z = torch.sigmoid(xz + hz)
    n = torch.tanh(xn + torch.sigmoid(xr + hr) * hn)
    return (1 - z) * h + z * n


def agrees(answer):
    torch.manual_seed(0)
    given = [torch.randn(*shape) for shape in ((15, 4), (15, 5), (15,), (15,))]
    x, h = torch.randn(3, 4), torch.randn(3, 5)
    cell = nn.GRUCell(4, 5)
    expected = their_step(x, h, *given)
    with torch.no_grad():
        for parameter, tensor in zip(cell.parameters(), answer(*given), strict=True):
            parameter.copy_(tensor)
    return torch.allclose(cell(x, h), expected, atol=1e-6)


def test_the_solution_makes_their_step_of_torchs():
    assert agrees(CONVERT.reference)


# the last one writes into its arguments, and is right otherwise
@pytest.mark.parametrize("mistake", CONVERT.mistakes[:-1], ids=lambda m: m.hint[:30])
def test_a_mistake_does_not(mistake):
    with pytest.raises((AssertionError, ValueError)):  # some do not even run
        assert agrees(CONVERT.wrong_answer(mistake))
