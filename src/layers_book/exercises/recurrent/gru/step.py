"""Exercise: one step of torch's GRU."""

from typing import Any

import torch
from torch import Generator, Tensor

from layers_book.checking import Exercise, Mistake, distinct, function_run, signed


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
        if wrong == "interleaved":
            xr, xz, xn = from_x[:, ::3], from_x[:, 1::3], from_x[:, 2::3]
            hr, hz, hn = from_h[:, ::3], from_h[:, 1::3], from_h[:, 2::3]
        else:
            xr, xz, xn = from_x.chunk(3, -1)
            hr, hz, hn = from_h.chunk(3, -1)
        if wrong == "z first":
            xr, xz, hr, hz = xz, xr, hz, hr
        if wrong == "n first":
            xn, xr, xz, hn, hr, hz = xr, xz, xn, hr, hz, hn
        r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
        pre = xn + r * hn
        if wrong in ("reset before", "both of Chung"):
            u = w_hh.chunk(3)[2]
            pre = xn + (r * h) @ u.T
            pre = pre if b_hh is None else pre + b_hh.chunk(3)[2]
        elif wrong == "bias outside" and b_hh is not None:
            b = b_hh.chunk(3)[2]
            pre = xn + r * (hn - b) + b
        elif wrong == "reset all":
            pre = r * (xn + hn)
        elif wrong == "reset x":
            pre = r * xn + hn
        elif wrong == "bias left out" and b_hh is not None:
            pre = xn + r * (hn - b_hh.chunk(3)[2])
        elif wrong == "no reset":
            pre = xn + hn
        elif wrong == "reset turned around":
            pre = xn + (1 - r) * hn
        n = torch.sigmoid(pre) if wrong == "sigmoid" else torch.tanh(pre)
        n = pre if wrong == "no tanh" else n
        if wrong in ("chung", "both of Chung"):
            return (1 - z) * h + z * n
        if wrong == "candidate":
            return n
        if wrong == "mix by r":
            return (1 - r) * n + r * h
        if wrong == "reset state":
            return (1 - z) * n + z * (r * h)
        h_t = n + z * h if wrong == "no mix" else (1 - z) * n + z * h
        return h_t.squeeze() if wrong == "squeezed" else h_t

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
            _step("both of Chung"),
            "You write the GRU of Chung et al.: torch turns z around, (1 - z) * n + "
            "z * h, and applies r after the matrix product.",
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
            _step("reset x"),
            "Your reset gate scales the part from x: it scales the part from h, x_n + "
            "r * h_n.",
        ),
        Mistake(
            _step("bias left out"),
            "Your candidate lacks its share of b_hh: r * (W_hn h + b_hn).",
        ),
        Mistake(
            _step("interleaved"),
            "You take every third row for a gate: the rows of each gate lie side by "
            "side, chunk(3, -1).",
        ),
        Mistake(
            _step("mix by r"),
            "You mix candidate and state by r: that is the task of z.",
        ),
        Mistake(
            _step("squeezed"),
            "squeeze removes every axis of size 1, also that of a batch of one: the "
            "output is (N, H_out).",
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
