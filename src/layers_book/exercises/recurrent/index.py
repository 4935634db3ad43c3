"""Exercises of the page recurrent/index."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    signed,
    value_run,
)


class _Loop(nn.Module):
    """A recurrent layer that refuses more than ``size`` steps at once."""

    def __init__(self, loop: nn.RNNBase, size: int, generator: Generator) -> None:
        super().__init__()
        self._loop, self._most = loop.double(), size
        self.text = repr(loop)
        with torch.no_grad():
            for weight in loop.parameters():
                weight.copy_(signed(generator, *weight.shape) / 3)
        loop.requires_grad_(False)

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


IN_PIECES = Exercise(
    name="recurrent/in_pieces",
    solution="""
        def in_pieces(layer, x, h_0, size):
            outputs, h = [], h_0
            for piece in x.split(size):
                output, h = layer(piece, h)
                outputs.append(output)
            return torch.cat(outputs), h
    """,
    run=function_run(_long, names=("layer", "x", "h_0", "size")),
    mistakes=[
        (
            "layer(piece, h)",
            "layer(piece, h_0)",
            "Every piece of yours starts from h_0: hand the h_n of one piece to the "
            "next.",
        ),
        (
            "layer(piece, h)",
            "layer(piece, torch.zeros_like(h) if outputs else h)",
            "Your second piece starts from zeros: it must start from the h_n of the "
            "first.",
        ),
        (
            "[], h_0",
            "[], torch.zeros_like(h_0)",
            "You do not use h_0: the first piece starts from it.",
        ),
        (
            "layer(piece, h)",
            "layer(piece, h.detach())",
            "The numbers are right, the gradient is not: do not detach the state "
            "between two pieces.",
        ),
        (
            "layer(piece, h)",
            "layer(piece, outputs[-1][-1].expand_as(h) if outputs else h)",
            "You hand on the last output, which is the state of the top layer only: "
            "with more layers you need h_n.",
        ),
        (
            "x.split",
            "x[: max(len(x) // size, 1) * size].split",
            "You leave out the steps that do not fill a piece: the last piece may be "
            "shorter.",
        ),
        (
            "x.split",
            "F.pad(x, (0, 0, 0, 0, 0, -len(x) % size)).split",
            "You fill up the last piece with zeros, and the layer takes them for "
            "steps: let the last piece be shorter.",
        ),
        (
            "x.split(size)",
            "[x[i : i + size] for i in range(0, len(x), size - 1)]",
            "Your pieces overlap: the next one starts size steps after the last.",
        ),
        (
            "x.split(size)",
            "reversed(x.split(size))",
            "You go through the pieces from the end: the state passes from the past "
            "to the future.",
        ),
        ("x.split(size)", "x.split(size)[1:] or [x]", "You leave out the first piece."),
        (
            "x.split(size)",
            "[x[:size]]",
            "You run the first piece only: go on until the sequence ends.",
        ),
        (
            "x.split(size)",
            "x.split(size)[:2]",
            "You run two pieces at most: go on until the sequence ends.",
        ),
        (
            "x.split(size)",
            "[x]",
            "More than size steps reach the layer at once: cut x along its steps, "
            "axis 0.",
        ),
        (
            "split",
            "chunk",
            "x.chunk(size) makes size pieces; x.split(size) makes pieces of size "
            "steps.",
        ),
        (
            "append(output)",
            "append(output[-1:])",
            "You keep the last step of each piece only: join whole pieces.",
        ),
        (
            "torch.cat",
            "torch.stack",
            "You stack the pieces, which makes a new axis: join them along the steps, "
            "torch.cat(outputs).",
        ),
        (
            "torch.cat(outputs)",
            "outputs",
            "Your output is a list of pieces: join them along the steps, "
            "torch.cat(outputs).",
        ),
        (
            "torch.cat(outputs)",
            "output",
            "You return the output of the last piece only: keep them all.",
        ),
        (
            "torch.cat(outputs)",
            "torch.cat(outputs, 1)",
            "You join the pieces along the batch: the steps are axis 0.",
        ),
        (
            "torch.cat(outputs), h",
            "h, torch.cat(outputs)",
            "You return h_n first: output comes first, as in torch.",
        ),
        (
            "torch.cat(outputs), h",
            "torch.cat(outputs)",
            "You return output alone: return output, h_n.",
        ),
        (
            "outputs, h = [], h_0",
            "outputs, ends, h = [], [], h_0",
            "append(output)",
            "append(output)\n        ends.append(h)",
            "torch.cat(outputs), h",
            "torch.cat(outputs), torch.cat(ends)",
            "You return the states after all pieces: h_n is the one after the last "
            "step.",
        ),
        (
            "torch.cat(outputs), h",
            "torch.cat(outputs), layer(x[:size], h_0)[1]",
            "Your h_n is the state after the first piece: return the last one.",
        ),
        (
            "torch.cat(outputs), h",
            "torch.cat(outputs), h_0",
            "You return h_0 in place of h_n: the state after the last step is asked "
            "for.",
        ),
        (
            "torch.cat(outputs), h",
            "torch.cat(outputs), h[-1]",
            "Your h_n lacks its first axis, the layers: return what the layer returns "
            "for the last piece.",
        ),
        (
            "torch.cat(outputs), h",
            "torch.cat(outputs), torch.cat(outputs)",
            "You return output twice: h_n is the state after the last step.",
        ),
        (
            "torch.cat(outputs), h",
            "torch.cat(outputs), output[-1:]",
            "Your h_n is the last step of output, the state of the top layer only: "
            "with more layers h_n has one for each.",
        ),
        (
            "torch.cat(outputs)",
            "torch.cat(outputs).squeeze()",
            "You squeeze output: an axis of size 1 is lost, such as a batch of one "
            "sequence.",
        ),
        (
            "torch.cat(outputs)",
            "torch.cat(outputs).detach()",
            "The numbers are right, the gradient is not: none passes through your "
            "output (detach, .data, numpy).",
        ),
        (
            "torch.cat(outputs), h",
            "torch.cat(outputs), h.detach()",
            "The numbers are right, the gradient is not: none passes through your h_n "
            "(detach, .data, numpy).",
        ),
    ],
)


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


WRITE_ON = Exercise(
    name="recurrent/write_on",
    solution="""
        def write_on(step, read, prompt, h_0, length):
            h = h_0
            for x_t in prompt:
                h = step(x_t, h)
            written = [read(h)]
            while len(written) < length:
                h = step(written[-1], h)
                written.append(read(h))
            return torch.stack(written)
    """,
    run=function_run(_prompts, names=("step", "read", "prompt", "h_0", "length")),
    mistakes=[
        (
            "h = h_0",
            "h = torch.zeros_like(h_0)",
            "You do not use h_0: the prompt is read from it.",
        ),
        (
            "h = step(x_t, h)",
            "pass",
            "You do not read the prompt: take a step for each of its entries first.",
        ),
        (
            "step(x_t, h)",
            "step(x_t, h_0)",
            "Only the last entry of your prompt reaches the state: take a step for "
            "each entry, and hand the state on, h = step(x_t, h).",
        ),
        (
            "in prompt",
            "in prompt[:1]",
            "You read the first entry of the prompt only: take a step for each.",
        ),
        ("in prompt", "in prompt[1:]", "You leave out the first entry of the prompt."),
        (
            "in prompt",
            "in [prompt]",
            "You give the whole prompt to step: it takes one entry, of shape (N, "
            "H_in), at a time.",
        ),
        (
            "step(x_t, h)",
            "step(h, x_t)",
            "You give step the state first: it takes the input and then the state, "
            "step(x_t, h).",
        ),
        (
            "in prompt",
            "in prompt[:-1]",
            "You begin to write one step early, before the last entry of the prompt.",
        ),
        (
            "in prompt",
            "in [*prompt, prompt[-1]]",
            "You read the last entry of the prompt twice: after the prompt the next "
            "input is the first entry you have written.",
        ),
        ("in prompt", "in prompt.flip(0)", "You read the prompt from its end."),
        (
            "written = [read(h)]",
            "written, h = [read(h)], h_0",
            "You go back to h_0 when you begin to write: go on from the state after "
            "the prompt.",
        ),
        (
            "written = [read(h)]",
            "written, h = [read(h)], torch.zeros_like(h)",
            "You begin to write from a state of zeros: go on from the state after the "
            "prompt.",
        ),
        (
            "h = step(written[-1], h)",
            "h_t = step(written[-1], h)",
            "append(read(h))",
            "append(read(h_t))",
            "While writing you start each step from the state after the prompt: hand "
            "the state on, h = step(y, h).",
        ),
        (
            "step(written[-1], h)",
            "step(torch.zeros_like(written[-1]), h)",
            "Your inputs are zeros while you write: each entry goes in again.",
        ),
        (
            "written[-1]",
            "prompt[-1]",
            "Your input stays the last entry of the prompt: each entry that you write "
            "is the next input.",
        ),
        (
            "written[-1]",
            "written[0]",
            "Your input stays the first entry that you wrote: each new entry is the "
            "input of the next step.",
        ),
        (
            "written[-1]",
            "prompt[len(written) % len(prompt)]",
            "You feed the prompt once more while you write: each new entry is the "
            "input of the next step.",
        ),
        (
            "torch.stack(written)",
            "torch.stack([prompt[-1], *written[1:]])",
            "Your result begins with the last entry of the prompt: the first new "
            "entry is read(h) after the prompt.",
        ),
        (
            "torch.stack(written)",
            "torch.stack([*prompt, *written])",
            "You return the prompt as well: only the new entries are asked for.",
        ),
        (
            "[read(h)]",
            "[h]",
            "append(read(h))",
            "append(h)",
            "written[-1]",
            "read(h)",
            "You return states: return read(h) for each of them.",
        ),
        (
            "< length",
            "<= length",
            "You write one entry too many: the first costs no step, so length - 1 "
            "steps follow.",
        ),
        (
            "torch.stack(written)",
            "torch.stack(written)[:-1]",
            "You write one entry too few: the first is read right after the prompt.",
        ),
        (
            "< length",
            "<= length",
            "torch.stack(written)",
            "torch.stack(written[1:])",
            "You leave out the first entry, the one read right after the prompt.",
        ),
        (
            "torch.stack(written)",
            "torch.stack(written, 1)",
            "You stack along the batch: the steps are axis 0.",
        ),
        (
            "torch.stack",
            "torch.cat",
            "You join the entries along the batch: torch.stack makes an axis for the "
            "steps.",
        ),
        (
            "torch.stack(written)",
            "written[-1]",
            "You return the last entry only: keep them all.",
        ),
        (
            "torch.stack(written)",
            "written",
            "Your entries are in a list: torch.stack(written) makes a tensor of it.",
        ),
        (
            "torch.stack(written)",
            "torch.stack(written[::-1])",
            "You return the entries in reverse: the first is the first written.",
        ),
        (
            "torch.stack(written)",
            "torch.stack(written), h",
            "You return the state as well: only the new entries are asked for.",
        ),
        (
            "step(written[-1], h)",
            "step(written[-1].detach(), h)",
            "The numbers are right, the gradient is not: do not detach an entry "
            "before it goes in again.",
        ),
        (
            "in prompt",
            "in prompt.detach()",
            "The numbers are right, the gradient is not: do not detach the prompt.",
        ),
        (
            """
            def write_on(step, read, prompt, h_0, length):
                h, written = h_0, []
                for x_t in prompt:
                    h = step(x_t, h)
                    written.append(read(h))
                for _ in range(length - 1):
                    h = step(written[-1], h)
                    written.append(read(h))
                return torch.stack(written)
            """,
            "You also return what is read before the prompt ends: only the length "
            "entries after it are asked for.",
        ),
        (
            "torch.stack(written)",
            "torch.stack(written).squeeze()",
            "You squeeze the result: an axis of size 1 is lost, such as a single new "
            "entry.",
        ),
        (
            "torch.stack(written)",
            "torch.stack(written).detach()",
            "The numbers are right, the gradient is not: none passes from the prompt "
            "to your result. Look for a detach, .data, numpy or torch.no_grad().",
        ),
        (
            "step(written[-1], h)",
            "step(written[-1].tanh(), h)",
            "You change the entries before they go in again: step takes what read "
            "returns.",
        ),
        (
            "torch.stack(written)",
            "torch.stack([written[0]] * length)",
            "You write the same entry again and again: take a step between two "
            "entries.",
        ),
    ],
)


def _settings(generator: Generator) -> tuple[Sequence[int], dict[str, Any]]:
    index = generator.initial_seed()
    inputs, hidden = (int(i) for i in torch.randint(1, 40, (2,), generator=generator))
    kwargs: dict[str, Any] = {
        "num_layers": (1, 2, 3, 1, 4, 2)[index % 6],
        "D": (1, 2)[index // 2 % 2],
        "bias": index % 3 != 2,
    }
    if not index:
        kwargs = {}  # the defaults
    args = (1, 3, 4)[(index + index // 3) % 3], inputs, hidden + 40
    return args, kwargs


def _total(
    blocks: int,
    H_in: int,
    H_out: int,
    num_layers: int = 1,
    D: int = 1,
    bias: bool = True,
) -> int:
    kind = {1: nn.RNN, 3: nn.GRU, 4: nn.LSTM}[blocks]
    loop = kind(H_in, H_out, num_layers, bias=bias, bidirectional=D == 2)
    return sum(weight.numel() for weight in loop.parameters())


COUNT = Exercise(
    name="recurrent/count",
    solution="""
        def count(blocks, H_in, H_out, num_layers=1, D=1, bias=True):
            total = 0
            for layer in range(num_layers):
                inputs = H_in if layer == 0 else D * H_out
                total += D * blocks * H_out * (inputs + H_out + 2 * bias)
            return total
    """,
    reference=_total,
    run=function_run(_settings, ("blocks", "H_in", "H_out")),
    forbid=("Module",),
    mistakes=[
        (
            "H_in, H_out,",
            "H_out, H_in,",
            "You have swapped H_in and H_out: a block maps to H_out numbers.",
        ),
        (
            "H_in if layer == 0 else D * H_out",
            "H_in",
            "Your upper layers read H_in numbers: they read the outputs of the layer "
            "below.",
        ),
        (
            "else D * H_out",
            "else H_out",
            "Your upper layers read H_out numbers: with two directions the layer "
            "below gives D * H_out.",
        ),
        ("D * blocks", "blocks", "You count one cell a layer: there are D of them."),
        (
            "D * blocks",
            "(1 if layer else D) * blocks",
            "You count one cell in each upper layer: there are D of them as well.",
        ),
        (
            "D * ",
            "",
            "You do not use D: with two directions there are two cells a layer, and "
            "the upper ones read D * H_out numbers.",
        ),
        ("range(num_layers)", "range(1)", "You do not use num_layers."),
        (
            "range(num_layers)",
            "range(min(num_layers, 2))",
            "You count two layers at most: each upper layer adds its cells.",
        ),
        (
            "range(num_layers)",
            "range(num_layers + 1)",
            "You count one layer too many: num_layers includes the first.",
        ),
        (
            "2 * bias",
            "bias",
            "You count one bias vector a block: torch has two, b_ih and b_hh.",
        ),
        (
            " + 2 * bias",
            "",
            "You count no biases: with bias=True there are two vectors a block.",
        ),
        ("2 * bias", "2", "You count biases with bias=False, too."),
        (
            "blocks * H_out * (inputs + H_out + 2 * bias)",
            "H_out * (blocks * (inputs + H_out) + 2 * bias)",
            "Your biases are not multiplied by blocks: each block has its own two.",
        ),
        (
            "total = 0",
            "total = D * 2 * bias",
            " + 2 * bias)",
            ")",
            "You count two biases in all: each block of each cell has two vectors of "
            "H_out numbers.",
        ),
        (
            "blocks * H_out * (inputs + H_out + 2 * bias)",
            "blocks * (H_out * (inputs + H_out) + 2 * bias)",
            "You count a bias as one number: it is a vector of H_out.",
        ),
        (
            "D * blocks",
            "D * max(blocks - 1, 1)",
            "You count the gates without the candidate for the new state: multiply by "
            "blocks as it is.",
        ),
        ("blocks * H_out", "H_out", "You do not use blocks."),
        (
            "blocks * H_out * (inputs",
            "H_out * (blocks * inputs",
            "You multiply W_ih by blocks and W_hh not: each block has both.",
        ),
        (
            "inputs + H_out",
            "inputs + D * H_out",
            "Your W_hh reads D * H_out numbers: a direction reads its own state only, "
            "H_out numbers.",
        ),
        (
            "inputs + H_out",
            "inputs + (H_out if layer else H_in)",
            "Your W_hh reads H_in numbers: it reads the state, H_out numbers.",
        ),
        (
            "inputs + H_out",
            "inputs",
            "You leave out W_hh, the weights that read the state.",
        ),
        (
            "inputs + H_out",
            "H_out",
            "You leave out W_ih, the weights that read the input.",
        ),
    ],
)

FADING = Exercise(
    name="recurrent/fading",
    solution="""
        x, h, states = [5, 3, 7, 4, 2, 5], 0, []
        for x_t in x:
            h = max(x_t, h - 1)
            states.append(h)
        answer = states
    """,
    run=value_run(),
    mistakes=[
        (
            "h - 1",
            "h",
            "Your record does not fade: before a day is compared with it, it loses "
            "one degree.",
        ),
        (
            [5, 4, 7, 6, 3, 5],
            "You compare a day with the day before, less one degree; compare it with "
            "the state, which may be older.",
        ),
        (
            [5, 4, 7, 6, 6, 6],
            "Your record loses one degree in all; it loses another one each day, until "
            "a day beats it.",
        ),
        (
            "max(x_t, h - 1)",
            "max(x_t, h) - 1",
            "You take a degree off the new day, too: only the old state, h - 1, has "
            "lost one.",
        ),
        (
            [0, 5, 4, 7, 6, 5],
            "Your list begins with h_0: the first state asked for is h_1, after day 1.",
        ),
        (
            "max(",
            "min(",
            "You take the smaller of the two: a record is the larger one.",
        ),
        (
            [5, 3, 7, 4, 2, 5],
            "Those are the days themselves: where the old state, less one degree, is "
            "higher, it stays.",
        ),
        (
            "max(x_t, h - 1)",
            "max(x_t, h + 1)",
            "Your record grows by one degree a day: it loses one.",
        ),
        (
            "max(x_t, h - 1)",
            "max(x_t, h - 2)",
            "Your record loses two degrees a day: it loses one.",
        ),
        (
            [5, 4, 7, 6, 5, 4],
            "On day 6 the record has come down to 4, which 5 degrees beat.",
        ),
    ],
)

EXERCISES = (FADING, IN_PIECES, COUNT, WRITE_ON)
