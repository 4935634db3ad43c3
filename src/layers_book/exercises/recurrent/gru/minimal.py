"""Exercise: the minimal gated unit, from its equations."""

from typing import Any

import torch
from torch import Generator, Tensor

from layers_book.checking import Exercise, Mistake, distinct, function_run, signed


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


def _minimal(wrong: str = "") -> Any:
    def answer(x: Tensor, h: Tensor, w: Tensor, u: Tensor, b: Tensor) -> Tensor:
        (w_f, w_h), (u_f, u_h), (b_f, b_h) = w.chunk(2), u.chunk(2), b.chunk(2)
        if wrong == "swapped":
            w_f, w_h, u_f, u_h, b_f, b_h = w_h, w_f, u_h, u_f, b_h, b_f
        start, states = h, []
        h = torch.zeros_like(h) if wrong == "from zero" else h
        for x_t in x.transpose(0, 1) if wrong == "batch first" else x:
            old = start if wrong == "no carry" else h
            old = old.detach() if wrong == "detached" else old
            f = torch.sigmoid(x_t @ w_f.T + old @ u_f.T + b_f)
            pre = x_t @ w_h.T + (f * old) @ u_h.T
            if wrong in ("after", "both of torch"):
                pre = x_t @ w_h.T + f * (old @ u_h.T)
            elif wrong == "after with bias":
                pre = x_t @ w_h.T + f * (old @ u_h.T + b_h) - b_h
            elif wrong == "all scaled":
                pre = f * (x_t @ w_h.T + old @ u_h.T)
            elif wrong == "not reset":
                pre = x_t @ w_h.T + old @ u_h.T
            elif wrong == "reset turned around":
                pre = x_t @ w_h.T + ((1 - f) * old) @ u_h.T
            n = torch.tanh(pre if wrong == "no bias" else pre + b_h)
            n = torch.sigmoid(pre + b_h) if wrong == "sigmoid" else n
            h = (1 - f) * old + f * n
            if wrong in ("torch", "both of torch"):
                h = f * old + (1 - f) * n
            elif wrong == "reset state":
                h = (1 - f) * (f * old) + f * n
            elif wrong == "added":
                h = old + f * n
            states.append(n if wrong == "candidates" else h)
        if wrong == "last":
            return states[-1]
        if wrong == "start too":
            states = [start, *states]
        if wrong == "start not end":
            states = [start, *states[:-1]]
        if wrong == "squeezed":
            return torch.stack(states).squeeze()
        return torch.stack(states, 1 if wrong in ("axis", "batch first") else 0)

    return answer


MINIMAL = Exercise(
    name="gru/minimal",
    reference=_minimal(),
    run=function_run(_sequences, names=("x", "h", "w", "u", "b")),
    mistakes=(
        Mistake(
            _minimal("torch"),
            "You mix as torch does; here f is the share of the candidate: "
            "(1 - f) * h + f * candidate.",
        ),
        Mistake(
            _minimal("after"),
            "You multiply by f after the matrix, as torch's reset gate does; here it "
            "comes before: (f * h) @ u_h.T.",
        ),
        Mistake(
            _minimal("after with bias"),
            "You multiply product and bias by f; here f meets the state, before the "
            "matrix, and the bias not at all.",
        ),
        Mistake(
            _minimal("both of torch"),
            "You write it as torch would: here f is the share of the candidate, and "
            "it meets the state before the matrix, (f * h) @ u_h.T.",
        ),
        Mistake(
            _minimal("all scaled"),
            "You multiply the part from x by f as well: only the state is reset.",
        ),
        Mistake(
            _minimal("reset state"),
            "You mix with the reset state: 1 - f multiplies h itself.",
        ),
        Mistake(
            _minimal("added"),
            "You add to the whole old state: its share is 1 - f.",
        ),
        Mistake(
            _minimal("from zero"),
            "You start from zeros: the state before the first step is given, h.",
        ),
        Mistake(
            _minimal("squeezed"),
            "squeeze removes every axis of size 1, also that of a single step or "
            "sample: the output is (L, N, H_out).",
        ),
        Mistake(
            _minimal("not reset"),
            "Your candidate sees the whole old state: it is multiplied by f first.",
        ),
        Mistake(
            _minimal("reset turned around"),
            "Your candidate sees (1 - f) * h: the equations have f * h there.",
        ),
        Mistake(
            _minimal("swapped"),
            "You have swapped the blocks: the first H_out rows belong to f.",
        ),
        Mistake(
            _minimal("no carry"),
            "Each of your steps starts from the first state: assign the new one to h.",
        ),
        Mistake(
            _minimal("candidates"),
            "You collect the candidates: collect the states, after the mix.",
        ),
        Mistake(
            _minimal("sigmoid"),
            "Your candidate goes through a sigmoid: the equations have tanh there.",
        ),
        Mistake(_minimal("no bias"), "Your candidate lacks its bias b_h."),
        Mistake(
            _minimal("last"),
            "You return the last state: return those of all steps, (L, N, H_out).",
        ),
        Mistake(
            _minimal("start too"),
            "Your output has L + 1 steps: the state you start from is not part of it.",
        ),
        Mistake(
            _minimal("start not end"),
            "Your output lags by one step: append the state after it is updated.",
        ),
        Mistake(
            _minimal("axis"),
            "You stack the steps along the wrong axis: the output is (L, N, H_out), "
            "torch.stack(states).",
        ),
        Mistake(
            _minimal("batch first"),
            "You loop over the samples: the steps are on the first axis of x.",
        ),
        Mistake(
            _minimal("detached"),
            "The output is right, but the gradient ends after one step: do not detach "
            "the state.",
        ),
    ),
)
