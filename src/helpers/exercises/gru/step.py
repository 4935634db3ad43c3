"""Exercise: one step of torch's GRU."""

from typing import Any

import torch
from torch import Generator, Tensor

from helpers._check import Exercise, Mistake, distinct, function_run, signed


def _step_arguments(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """With biases or without; in turn H_in = H_out, N = H_out, and no two alike."""
    index = generator.initial_seed()
    n, n_in, n_out = distinct(generator, 3)
    if index % 4 == 1:
        n_in = n_out
    if index % 4 == 3:
        n = n_out
    shapes: list[tuple[int, ...]] = [(n, n_in), (n, n_out)]
    shapes += [(3 * n_out, n_in), (3 * n_out, n_out)]
    if index % 3 != 2:
        shapes += [(3 * n_out,), (3 * n_out,)]
    # small enough that no gate is shut and no tanh at its end
    tensors = [signed(generator, *s) * 0.5 for s in shapes]
    return tuple(t.requires_grad_() for t in tensors), {}


def _torch_step(
    x: Tensor,
    h: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    return torch.gru_cell(x, h, w_ih, w_hh, b_ih, b_hh)


def _step(wrong: str) -> Any:
    def answer(
        x: Tensor,
        h: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
    ) -> Tensor:
        if wrong == "detached":
            h = h.detach()
        from_x, from_h = x @ w_ih.T, h @ w_hh.T
        if b_ih is not None and b_hh is not None and wrong != "no biases":
            from_x = from_x + b_ih
            from_h = from_h if wrong == "one bias" else from_h + b_hh
        xr, xz, xn = from_x.chunk(3, -1)
        hr, hz, hn = from_h.chunk(3, -1)
        if wrong == "z first":
            xr, xz, hr, hz = xz, xr, hz, hr
        if wrong == "n first":
            xn, xr, xz, hn, hr, hz = xr, xz, xn, hr, hz, hn
        r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
        pre = xn + r * hn
        if wrong == "reset before":
            u = w_hh.chunk(3)[2]
            pre = xn + (r * h) @ u.T
            pre = pre if b_hh is None else pre + b_hh.chunk(3)[2]
        elif wrong == "bias outside" and b_hh is not None:
            b = b_hh.chunk(3)[2]
            pre = xn + r * (hn - b) + b
        elif wrong == "reset all":
            pre = r * (xn + hn)
        elif wrong == "no reset":
            pre = xn + hn
        elif wrong == "reset turned around":
            pre = xn + (1 - r) * hn
        n = torch.sigmoid(pre) if wrong == "sigmoid" else torch.tanh(pre)
        n = pre if wrong == "no tanh" else n
        if wrong == "chung":
            return (1 - z) * h + z * n
        if wrong == "candidate":
            return n
        if wrong == "reset state":
            return (1 - z) * n + z * (r * h)
        return n + z * h if wrong == "no mix" else (1 - z) * n + z * h

    return answer


STEP = Exercise(
    name="gru/step",
    reference=_torch_step,
    run=function_run(_step_arguments, names=("x", "h", "w_ih", "w_hh", "b_ih", "b_hh")),
    forbid=("gru",),
    mistakes=(
        Mistake(
            _step("chung"),
            "Your z is Chung's: in torch it says how much of the old state stays, "
            "(1 - z) * n + z * h.",
        ),
        Mistake(
            _step("reset before"),
            "You reset the state before the matrix product, as the papers do; torch "
            "multiplies r with the product, bias included.",
        ),
        Mistake(
            _step("bias outside"),
            "b_hh of the candidate stands inside the bracket: r * (W_hn h + b_hn).",
        ),
        Mistake(
            _step("z first"),
            "You have swapped the gates: torch stacks the rows in the order r, z, n.",
        ),
        Mistake(
            _step("n first"),
            "You take the candidate from the first rows; torch stacks them in the "
            "order r, z, n.",
        ),
        Mistake(
            _step("reset all"),
            "Your reset gate scales the part from x too: only the part from h is "
            "reset, x_n + r * h_n.",
        ),
        Mistake(
            _step("no reset"),
            "You do not use the reset gate: r scales the candidate's part from h.",
        ),
        Mistake(
            _step("reset turned around"),
            "Your reset gate is turned around: r = 1 lets all of the old state in.",
        ),
        Mistake(
            _step("sigmoid"),
            "Your candidate goes through a sigmoid: the gates do, the candidate goes "
            "through tanh.",
        ),
        Mistake(
            _step("no tanh"),
            "Your candidate goes through no function: it needs tanh, which keeps the "
            "state between -1 and 1.",
        ),
        Mistake(
            _step("no mix"),
            "You add the whole candidate to what stays: its share is 1 - z.",
        ),
        Mistake(
            _step("candidate"),
            "You return the candidate: the new state is its mix with the old one, "
            "(1 - z) * n + z * h.",
        ),
        Mistake(
            _step("reset state"),
            "You mix with the reset state: z multiplies h itself.",
        ),
        Mistake(
            _step("one bias"),
            "You add one bias only: there are two, b_ih and b_hh.",
        ),
        Mistake(_step("no biases"), "You do not add the biases where there are some."),
        Mistake(
            _step("detached"),
            "The output is right, but no gradient reaches h: do not detach it.",
        ),
    ),
)
