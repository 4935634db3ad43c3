"""Exercise: read a prompt, then feed what comes out back in."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from layers_book.checking import Exercise, Mistake, distinct, function_run, signed


class _Map:
    """The sum of some tensors, each times a weight of its own; tanh of it or not."""

    def __init__(self, name: str, weights: Sequence[Tensor], squash: bool) -> None:
        self.name, self.weights, self.squash = name, weights, squash

    def __call__(self, *tensors: Tensor) -> Tensor:
        pairs = zip(tensors, self.weights, strict=True)
        y = torch.stack([x @ weight.to(x.dtype) for x, weight in pairs]).sum(0)
        return y.tanh() if self.squash else y

    def __repr__(self) -> str:
        return self.name


def _prompts(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    sizes = distinct(generator, 4)
    if index % 4 == 3:
        sizes[index // 4] = 1  # where a squeeze shows
    length, n, inputs, hidden = sizes
    shapes = (inputs, hidden), (hidden, hidden), (hidden, inputs)
    u, w, v = (signed(generator, *shape) / 3 for shape in shapes)
    step = _Map(f"a cell({inputs}, {hidden})", (u, w), True)
    read = _Map(f"a layer({hidden}, {inputs})", (v,), False)
    prompt = signed(generator, length, n, inputs).requires_grad_()
    h_0 = signed(generator, n, hidden).requires_grad_()
    return (step, read, prompt, h_0, (3, 1, 4, 2, 6)[index % 5]), {}


def _write(wrong: str = "") -> Any:
    def answer(step: Any, read: Any, prompt: Tensor, h_0: Tensor, length: int) -> Any:
        h = torch.zeros_like(h_0) if wrong == "zeros" else h_0
        inputs = {
            "prompt ignored": prompt[:0],
            "last only": prompt[-1:],
            "last unread": prompt[:-1],
            "last twice": torch.cat([prompt, prompt[-1:]]),
            "first only": prompt[:1],
            "first unread": prompt[1:],
            "all at once": prompt[None],
            "backwards": prompt.flip(0),
            "detached prompt": prompt.detach(),
        }.get(wrong, prompt)
        read_before: list[Tensor] = []
        for x in inputs:
            if wrong == "arguments swapped":
                h = step(h, x)
            h = step(x, h_0 if wrong == "last only" else h)
            read_before.append(read(h))
        start, y = h, read(h)
        written, states = [y], [h]
        if wrong == "last prompt entry first":
            written = [prompt[-1]]
        for k in range(1, length + (wrong in ("one more", "one late"))):
            y = {
                "detached": y.detach(),
                "zero inputs": torch.zeros_like(y),
                "same input": prompt[-1],
                "first entry again": written[0],
                "prompt again": prompt[k % len(prompt)],
                "squashed": y.tanh(),
            }.get(wrong, y)
            if wrong == "state kept":
                h = start
            elif wrong == "state reset" and k == 1:
                h = h_0
            elif wrong == "state zero" and k == 1:
                h = torch.zeros_like(h)
            h = step(y, h)
            y = read(h)
            written.append(y)
            states.append(h)
        found: dict[str, Any] = {
            "states": lambda: torch.stack(states),
            "with prompt": lambda: torch.cat([prompt, torch.stack(written)]),
            "one fewer": lambda: torch.stack(written)[: length - 1],
            "one late": lambda: torch.stack(written)[1:],
            "batch first": lambda: torch.stack(written, 1),
            "joined": lambda: torch.cat(written),
            "last": lambda: written[-1],
            "list": lambda: written,
            "reversed": lambda: torch.stack(written[::-1]),
            "while reading": lambda: torch.stack(read_before[:-1] + written),
            "squeezed": lambda: torch.stack(written).squeeze(),
            "pair": lambda: (torch.stack(written), h),
            "output detached": lambda: torch.stack(written).detach(),
            "all the first": lambda: torch.stack([written[0]] * length),
        }
        return found.get(wrong, lambda: torch.stack(written))()

    return answer


HINTS = {
    "zeros": "You do not use h_0: the prompt is read from it.",
    "prompt ignored": "You do not read the prompt: take a step for each of its entries "
    "first.",
    "last only": "Only the last entry of your prompt reaches the state: take a step "
    "for each entry, and hand the state on, h = step(x_t, h).",
    "first only": "You read the first entry of the prompt only: take a step for each.",
    "first unread": "You leave out the first entry of the prompt.",
    "all at once": "You give the whole prompt to step: it takes one entry, of shape "
    "(N, H_in), at a time.",
    "arguments swapped": "You give step the state first: it takes the input and then "
    "the state, step(x_t, h).",
    "last unread": "You begin to write one step early, before the last entry of the "
    "prompt.",
    "last twice": "You read the last entry of the prompt twice: after the prompt the "
    "next input is the first entry you have written.",
    "backwards": "You read the prompt from its end.",
    "state reset": "You go back to h_0 when you begin to write: go on from the state "
    "after the prompt.",
    "state zero": "You begin to write from a state of zeros: go on from the state "
    "after the prompt.",
    "state kept": "While writing you start each step from the state after the prompt: "
    "hand the state on, h = step(y, h).",
    "zero inputs": "Your inputs are zeros while you write: each entry goes in again.",
    "same input": "Your input stays the last entry of the prompt: each entry that you "
    "write is the next input.",
    "first entry again": "Your input stays the first entry that you wrote: each new "
    "entry is the input of the next step.",
    "prompt again": "You feed the prompt once more while you write: each new entry is "
    "the input of the next step.",
    "last prompt entry first": "Your result begins with the last entry of the prompt: "
    "the first new entry is read(h) after the prompt.",
    "with prompt": "You return the prompt as well: only the new entries are asked for.",
    "states": "You return states: return read(h) for each of them.",
    "one more": "You write one entry too many: the first costs no step, so length - 1 "
    "steps follow.",
    "one fewer": "You write one entry too few: the first is read right after the "
    "prompt.",
    "one late": "You leave out the first entry, the one read right after the prompt.",
    "batch first": "You stack along the batch: the steps are axis 0.",
    "joined": "You join the entries along the batch: torch.stack makes an axis for the "
    "steps.",
    "last": "You return the last entry only: keep them all.",
    "list": "Your entries are in a list: torch.stack(written) makes a tensor of it.",
    "reversed": "You return the entries in reverse: the first is the first written.",
    "pair": "You return the state as well: only the new entries are asked for.",
    "detached": "The numbers are right, the gradient is not: do not detach an entry "
    "before it goes in again.",
    "detached prompt": "The numbers are right, the gradient is not: do not detach the "
    "prompt.",
    "while reading": "You also return what is read before the prompt ends: only the "
    "length entries after it are asked for.",
    "squeezed": "You squeeze the result: an axis of size 1 is lost, such as a single "
    "new entry.",
    "output detached": "The numbers are right, the gradient is not: none passes from "
    "the prompt to your result. Look for a detach, .data, numpy or torch.no_grad().",
    "squashed": "You change the entries before they go in again: step takes what read "
    "returns.",
    "all the first": "You write the same entry again and again: take a step between "
    "two entries.",
}

WRITE_ON = Exercise(
    name="recurrent/write_on",
    reference=_write(),
    run=function_run(_prompts, names=("step", "read", "prompt", "h_0", "length")),
    mistakes=tuple(Mistake(_write(w), hint) for w, hint in HINTS.items()),
)
