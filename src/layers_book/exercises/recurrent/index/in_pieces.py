"""Exercise: a long sequence, a few steps at once."""

from typing import Any

import torch
from torch import Generator, Tensor, nn

from layers_book.checking import Exercise, Mistake, distinct, function_run, signed


class _Loop(nn.Module):
    """A recurrent layer that refuses more than ``size`` steps at once."""

    def __init__(self, loop: nn.RNNBase, size: int, generator: Generator) -> None:
        super().__init__()
        self._loop, self._most = loop.double(), size
        self.text = repr(loop)
        with torch.no_grad():
            for weight in loop.parameters():
                weight.copy_(signed(generator, *weight.shape) / 3)
            weight.requires_grad_(False)

    def forward(self, x: Tensor, h_0: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if not 1 <= len(x) <= self._most:
            raise ValueError(
                f"this layer takes 1 to {self._most} steps at once, not {len(x)}"
            )
        self._loop.to(x.dtype)
        output, h_n = self._loop(x, h_0)
        return output, h_n

    def __repr__(self) -> str:
        return self.text


PIECES = (  # L, size
    (7, 3),
    (6, 2),
    (5, 4),
    (9, 4),
    (4, 4),
    (8, 3),
    (3, 5),
    (10, 4),
    (6, 3),
    (7, 6),
    (5, 1),
    (11, 5),
)


def _long(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    length, size = PIECES[index]
    sizes = distinct(generator, 3)
    if index % 4 == 3:
        sizes[index // 4] = 1  # where a squeeze shows
    n, inputs, hidden = sizes
    layers = 1 + index % 3 // 2
    kind = (nn.GRU, nn.RNN)[index % 2]
    layer = _Loop(kind(inputs, hidden, layers), size, generator)
    x = signed(generator, length, n, inputs).requires_grad_()
    h_0 = signed(generator, layers, n, hidden).requires_grad_()
    return (layer, x, h_0, size), {}


def _pieces(wrong: str = "") -> Any:
    def answer(layer: Any, x: Tensor, h_0: Tensor, size: int) -> Any:
        parts: tuple[Tensor, ...]
        if wrong == "whole":
            parts = (x,)
        elif wrong == "chunk":
            parts = x.chunk(size)
        elif wrong == "rest dropped":
            parts = x[: max(len(x) // size, 1) * size].split(size)
        elif wrong == "rest padded":
            rest = x.new_zeros(-len(x) % size, *x.shape[1:])
            parts = torch.cat([x, rest]).split(size)
        elif wrong == "first dropped" and len(x) > size:
            parts = x.split(size)[1:]
        elif wrong == "overlap" and 1 < size < len(x):
            parts = tuple(x[i : i + size] for i in range(0, len(x), size - 1))
        elif wrong == "backwards":
            parts = x.split(size)[::-1]
        elif wrong == "first piece":
            parts = (x[:size],)
        elif wrong == "two pieces":
            parts = x.split(size)[:2]
        else:
            parts = x.split(size)
        outputs: list[Tensor] = []
        ends: list[Tensor] = []
        h = torch.zeros_like(h_0) if wrong == "zeros" else h_0
        for k, part in enumerate(parts):
            if wrong == "fresh":
                h = h_0
            elif wrong == "zeros later" and k:
                h = torch.zeros_like(h_0)
            elif wrong == "detached":
                h = h.detach()
            elif wrong == "last output":
                h = outputs[-1][-1].expand_as(h_0) if k else h_0
            output, end = layer(part, h)
            h = h_0 if wrong == "never handed on" else end
            outputs.append(output)
            ends.append(end)
        joined = torch.cat(outputs)
        found: dict[str, Any] = {
            "stacked": lambda: (torch.stack(outputs), h),
            "list": lambda: (outputs, h),
            "last steps": lambda: (torch.stack([y[-1] for y in outputs]), h),
            "last piece": lambda: (outputs[-1], h),
            "swapped": lambda: (h, joined),
            "output only": lambda: joined,
            "batch joined": lambda: (torch.cat(outputs, 1), h),
            "all ends": lambda: (joined, torch.cat(ends)),
            "first end": lambda: (joined, ends[0]),
            "h_0": lambda: (joined, h_0),
            "no layer axis": lambda: (joined, h[-1]),
            "all states": lambda: (joined, joined),
            "top state": lambda: (joined, joined[-1:]),
            "squeezed": lambda: (joined.squeeze(), h),
            "output detached": lambda: (joined.detach(), h),
            "h_n detached": lambda: (joined, h.detach()),
            "never handed on": lambda: (joined, ends[-1]),
        }
        return found.get(wrong, lambda: (joined, h))()

    return answer


HINTS = {
    "fresh": "Every piece of yours starts from h_0: hand the h_n of one piece to the "
    "next.",
    "zeros later": "Your second piece starts from zeros: it must start from the h_n of "
    "the first.",
    "zeros": "You do not use h_0: the first piece starts from it.",
    "detached": "The numbers are right, the gradient is not: do not detach the state "
    "between two pieces.",
    "last output": "You hand on the last output, which is the state of the top layer "
    "only: with more layers you need h_n.",
    "rest dropped": "You leave out the steps that do not fill a piece: the last piece "
    "may be shorter.",
    "rest padded": "You fill up the last piece with zeros, and the layer takes them "
    "for steps: let the last piece be shorter.",
    "overlap": "Your pieces overlap: the next one starts size steps after the last.",
    "backwards": "You go through the pieces from the end: the state passes from the "
    "past to the future.",
    "first dropped": "You leave out the first piece.",
    "first piece": "You run the first piece only: go on until the sequence ends.",
    "two pieces": "You run two pieces at most: go on until the sequence ends.",
    "whole": "More than size steps reach the layer at once: cut x along its steps, "
    "axis 0.",
    "chunk": "x.chunk(size) makes size pieces; x.split(size) makes pieces of size "
    "steps.",
    "last steps": "You keep the last step of each piece only: join whole pieces.",
    "stacked": "You stack the pieces, which makes a new axis: join them along the "
    "steps, torch.cat(outputs).",
    "list": "Your output is a list of pieces: join them along the steps, "
    "torch.cat(outputs).",
    "last piece": "You return the output of the last piece only: keep them all.",
    "batch joined": "You join the pieces along the batch: the steps are axis 0.",
    "swapped": "You return h_n first: output comes first, as in torch.",
    "output only": "You return output alone: return output, h_n.",
    "all ends": "You return the states after all pieces: h_n is the one after the last "
    "step.",
    "first end": "Your h_n is the state after the first piece: return the last one.",
    "h_0": "You return h_0 in place of h_n: the state after the last step is asked "
    "for.",
    "no layer axis": "Your h_n lacks its first axis, the layers: return what the layer "
    "returns for the last piece.",
    "all states": "You return output twice: h_n is the state after the last step.",
    "top state": "Your h_n is the last step of output, the state of the top layer "
    "only: with more layers h_n has one for each.",
    "squeezed": "You squeeze output: an axis of size 1 is lost, such as a batch of one "
    "sequence.",
    "output detached": "The numbers are right, the gradient is not: none passes "
    "through your output (detach, .data, numpy).",
    "h_n detached": "The numbers are right, the gradient is not: none passes through "
    "your h_n (detach, .data, numpy).",
}

IN_PIECES = Exercise(
    name="recurrent/in_pieces",
    reference=_pieces(),
    run=function_run(_long, names=("layer", "x", "h_0", "size")),
    mistakes=tuple(Mistake(_pieces(w), hint) for w, hint in HINTS.items()),
)
