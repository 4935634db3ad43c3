"""All input lengths from which a stack of convolutions makes a given length."""

import torch
from torch.nn import functional as F

from layers_book.coursework import Mistake, Question, custom_run

SINGLE = (  # out, then (kernel, stride, padding, dilation)
    (4, (3, 1, 0, 1)),
    (6, (4, 3, 2, 1)),
    (1, (5, 4, 3, 2)),
    (9, (3, 2, 0, 4)),
    (1, (3, 1, 3, 1)),  # too much padding: none
    (1, (3, 4, 2, 1)),  # -1 to 2, of which 1 and 2 are lengths
    (500, (7, 3, 1, 2)),
)
STACKS = (
    (3, ((3, 2, 1, 1), (5, 3, 0, 2))),
    (2, ((2, 3, 0, 1), (3, 1, 2, 1), (3, 2, 0, 3))),
    (1, ((5, 1, 0, 1), (2, 1, 2, 1))),  # the second would take 0 cells or fewer
    (2, ((4, 2, 3, 2), (4, 2, 3, 2))),
    (11, ((3, 2, 1, 1), (3, 2, 1, 1), (2, 2, 0, 1), (3, 1, 2, 2))),
    (3, ((7, 4, 1, 1), (3, 1, 1, 1), (2, 3, 1, 2))),
    (1, ((3, 2, 1, 1), (1, 1, 2, 1))),  # none
)


def sizes(answer, label, out, layers):
    yield "configuration", f"out={out}, layers={layers}"
    yield label, call(answer, out, [tuple(layer) for layer in layers])  # noqa: F821


def _single(generator):
    out, layer = SINGLE[generator.initial_seed()]
    return {"label": "one layer", "out": out, "layers": [layer]}


def _stack(generator):
    out, layers = STACKS[generator.initial_seed()]
    return {"label": "a stack", "out": out, "layers": list(layers)}


def _reference(variant):
    def length(n, layers):
        x = torch.zeros(1, 1, n)
        for kernel, stride, padding, dilation in layers:
            weight = torch.zeros(1, 1, kernel)
            try:
                x = F.conv1d(x, weight, None, stride, padding, dilation)
            except RuntimeError:  # the kernel is longer than what it reads
                return 0
        return x.shape[-1]

    def answer(out, layers):
        found, n = [], 1
        while (now := length(n, layers)) <= out:
            found += [n] * (now == out)
            n += 1
        return found

    return answer


QUESTION = Question(
    name="input_sizes",
    title="Which inputs fit?",
    answer="input_sizes",
    reference=_reference,
    run=(
        custom_run(sizes, _single, configurations=len(SINGLE)),
        custom_run(sizes, _stack, configurations=len(STACKS)),
    ),
    parts={"one layer": 2, "a stack": 2},
    forbid=("conv", "pool"),
    mistakes=(
        Mistake(
            name="only the smallest",
            hint="Several lengths can give the same output, since the division is "
            "rounded down: which is the next one, and when does another output cell "
            "appear?",
            edits=(("lengths = [low + r for r in range(stride)]", "lengths = [low]"),),
            loses=("one layer", "a stack"),
        ),
        Mistake(
            name="one length too many",
            hint="The largest length in your list gives one cell more than asked: "
            "how many cells can be left over before another window fits?",
            edits=(("in range(stride)]", "in range(stride + 1)]"),),
            loses=("one layer", "a stack"),
        ),
        Mistake(
            name="the largest is missing",
            hint="Your list ends too early: up to stride - 1 cells may be left over "
            "at the end.",
            edits=(("in range(stride)]", "in range(max(stride - 1, 1))]"),),
        ),
        Mistake(
            name="padding at one end",
            hint="The padding stands at both ends of the axis.",
            edits=(("2 * padding", "padding"),),
            loses=("one layer", "a stack"),
        ),
        Mistake(
            name="no dilation",
            hint="A dilated kernel spans more than `kernel` cells: count its holes.",
            edits=(("dilation * (kernel - 1) + 1", "kernel"),),
            loses=("one layer", "a stack"),
        ),
        Mistake(
            name="dilation times kernel",
            hint="From the first to the last entry of a kernel there are kernel - 1 "
            "steps.",
            edits=(("dilation * (kernel - 1) + 1", "dilation * kernel"),),
            loses=("one layer", "a stack"),
        ),
        Mistake(
            name="first layer first",
            hint="You know the length at the end of the stack: which layer made it?",
            edits=(("reversed(layers)", "layers"),),
            loses=("a stack",),
        ),
        Mistake(
            name="one length between the layers",
            hint="Several lengths between two layers can lead to the same output: "
            "follow all of them back, not the first alone.",
            edits=(("for m in sizes", "for m in sizes[:1]"),),
            loses=("a stack",),
        ),
        Mistake(
            name="lengths below 1",
            hint="An axis has at least one cell.",
            edits=((" if n >= 1", ""),),
            loses=("one layer",),
        ),
        Mistake(
            name="no cells between the layers",
            hint="You look for lengths below 1 at the end only: between two layers "
            "there must be at least one cell as well, or torch refuses the stack.",
            edits=(
                (" if n >= 1", ""),
                ("return sizes", "return [n for n in sizes if n >= 1]"),
            ),
            loses=("a stack",),
        ),
        Mistake(
            name="smallest and largest",
            hint="You give the smallest and the largest length: give all of them.",
            edits=(("return sizes", "return sizes[:1] + sizes[-1:]"),),
            loses=("one layer", "a stack"),
        ),
    ),
)
