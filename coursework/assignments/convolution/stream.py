"""A causal convolution over a stream that arrives in chunks."""

import torch
from torch import nn
from torch.nn import functional as F

from layers_book.coursework import (
    Mistake,
    Question,
    custom_run,
    distinct,
    signed,
    varied,
)

LAYERS = ((3, 1), (2, 3), (4, 2), (1, 2), (3, 4))  # kernel, dilation
CHUNKS = ((5, 4, 6), (3, 1, 2, 7), (1, 1, 1, 9, 2), (4, 2), (2, 8, 1, 3))


def stream(answer, chunks, others, sizes, weight, bias):
    lengths = [chunk.shape[-1] for chunk in chunks]
    yield "configuration", f"(c_in, c_out, kernel_size, dilation) {sizes}, {lengths=}"
    if not isinstance(answer, type):
        raise Refused("A module class is expected.")  # noqa: F821
    module = call(answer, *sizes).double()  # noqa: F821
    with torch.no_grad():
        module.conv.weight.copy_(weight)
        module.conv.bias.copy_(bias)
    chunks = [chunk.requires_grad_() for chunk in chunks]
    for i, chunk in enumerate(chunks, 1):
        sent = chunk.clone()
        y = call(module, sent)  # noqa: F821
        yield f"chunk {i}" if i > 1 else "the first chunk", y
        if i < len(chunks):  # a caller may fill the same tensor anew
            with torch.no_grad():
                sent.zero_()
    wanted = {"x": chunks[-1], "the chunk before": chunks[-2]}
    wanted["weight"] = module.conv.weight
    found = gradients(y, list(wanted.values()))  # noqa: F821
    for name, gradient in zip(wanted, found, strict=True):
        yield f"the gradient with respect to {name}", gradient
    yield "the state: parameters", sorted(dict(module.named_parameters()))
    yield "the state: state_dict", sorted(module.state_dict())
    kept = vars(module).items()
    held = [v for name, v in kept if name not in ("_parameters", "_modules")]
    numbers = 0
    while held:
        value = held.pop()
        if isinstance(value, torch.Tensor):
            numbers += value.numel()
        elif isinstance(value, dict):
            held += value.values()
        elif isinstance(value, (list, tuple)) or type(value).__name__ == "deque":
            held += value
    yield "the state: samples remembered", numbers / chunks[0][..., 0].numel()
    module.eval().reset()
    for i, chunk in enumerate(others, 1):
        yield f"after reset: chunk {i}", call(module, chunk)  # noqa: F821
    second = call(answer, *sizes).double()  # noqa: F821
    second.load_state_dict(module.state_dict(), strict=False)
    y = call(second, others[0])  # noqa: F821
    yield "after reset: chunk 1 of another stream", y
    second.reset()
    second = second.float()
    ys = [call(second, chunk.float()) for chunk in others]  # noqa: F821
    yield "after reset: another stream in float32", ys


def _case(generator):
    index = generator.initial_seed()
    n, c_in, c_out, other = distinct(generator, 4)
    kernel, dilation = LAYERS[index]
    return {
        "chunks": [varied(generator, n, c_in, length) for length in CHUNKS[index]],
        "others": [varied(generator, other, c_in, length) for length in (4, 1, 3)],
        "sizes": (c_in, c_out, kernel, dilation),
        "weight": signed(generator, c_out, c_in, kernel),
        "bias": signed(generator, c_out),
    }


class _Whole(nn.Module):
    """Convolves what it has seen anew at each call, and keeps the end of the output."""

    def __init__(self, *sizes):
        super().__init__()
        *channels, kernel, dilation = sizes
        self.conv = nn.Conv1d(*channels, kernel, dilation=dilation)
        self.reach = dilation * (kernel - 1)
        self.reset()

    def reset(self):
        self.seen = []

    def forward(self, chunk):
        whole = torch.cat([*self.seen, chunk], -1)
        last = min(self.reach, whole.shape[-1])
        self.seen = [whole.detach().narrow(-1, whole.shape[-1] - last, last).clone()]
        return self.conv(F.pad(whole, (self.reach, 0)))[..., -chunk.shape[-1] :]


def _reference(variant):
    return _Whole


def _few(expected, got):
    """Whether not much more is remembered than needed; one way needs a sample more."""
    return isinstance(got, float) and got <= 2 * expected + 2


QUESTION = Question(
    name="stream",
    title="A convolution over a stream",
    answer="Stream",
    reference=_reference,
    run=custom_run(stream, _case, configurations=len(LAYERS)),
    parts={
        "the first chunk": 1,
        "chunk": 2,
        "the gradient with respect to": 1,
        "the state": 0.5,
        "after reset": 1.5,
    },
    judge={"the state: samples remembered": _few},
    mistakes=(
        Mistake(
            name="zeros before each chunk",
            hint="Zeros stand before the first chunk only: before a later one stands "
            "the end of the chunk before.",
            edits=(("if self.memory is None:", "if True:"),),
            loses=("chunk",),
        ),
        Mistake(
            name="only the last chunk remembered",
            hint="A chunk may be shorter than the memory: a part of what was "
            "remembered before must then stay.",
            edits=(
                (
                    "self.memory = x[..., x.shape[-1] - self.reach :]",
                    "x_ = F.pad(chunk, (self.reach, 0))\n"
                    "        self.memory = x_[..., chunk.shape[-1] :]",
                ),
            ),
            loses=("chunk",),
        ),
        Mistake(
            name="memory of kernel_size - 1",
            hint="A dilated kernel reaches dilation * (kernel_size - 1) samples "
            "back, not kernel_size - 1.",
            edits=(("dilation * (kernel_size - 1)", "kernel_size - 1"),),
            loses=("the first chunk",),
        ),
        Mistake(
            name="memory of dilation * kernel_size",
            hint="You remember more samples than the kernel reaches back, and your "
            "output is longer than the chunk: from its first to its last entry a "
            "kernel makes kernel_size - 1 steps.",
            edits=(("dilation * (kernel_size - 1)", "dilation * kernel_size"),),
            loses=("the first chunk",),
        ),
        Mistake(
            name="fails for a kernel of one",
            hint="With kernel_size=1 nothing is to be remembered, and x[..., -0:] is "
            "all of x.",
            edits=(("x[..., x.shape[-1] - self.reach :]", "x[..., -self.reach :]"),),
            loses=("chunk",),
        ),
        Mistake(
            name="reads the future",
            hint="An output may read the present and the past: all the zeros stand "
            "before the first chunk.",
            edits=(
                (
                    "return self.conv(x)",
                    "half = self.reach // 2\n"
                    "        return self.conv(F.pad(x[..., half:], (0, half)))",
                ),
            ),
            loses=("the first chunk",),
        ),
        Mistake(
            name="gradient into the past",
            hint="The gradient must end at the chunk: detach what you remember, or the "
            "graph grows with the stream.",
            edits=((".detach().clone()", ".clone()"),),
            loses=("the gradient with respect to",),
        ),
        Mistake(
            name="chunk detached",
            hint="No gradient reaches the chunk: detach what you remember, not what "
            "you convolve.",
            edits=(("[self.memory, chunk]", "[self.memory, chunk.detach()]"),),
            loses=("the gradient with respect to",),
        ),
        Mistake(
            name="memory in state_dict",
            hint="The memory belongs to one stream and not to the layer: a buffer with "
            "persistent=False, or a plain attribute, stays out of state_dict.",
            edits=(
                (
                    "        self.reset()\n",
                    "        self.register_buffer('memory', None)\n"
                    "        self.reset()\n",
                ),
            ),
            loses=("the state",),
        ),
        Mistake(
            name="remembers everything",
            hint="Your memory grows with the stream: keep the samples that a later "
            "output reads, and drop the others.",
            edits=(
                ("x[..., x.shape[-1] - self.reach :]", "x"),
                ("return self.conv(x)", "return self.conv(x)[..., -chunk.shape[-1] :]"),
            ),
            loses=("the state",),
        ),
        Mistake(
            name="reset does nothing",
            hint="After reset() the next chunk is the first of a new stream.",
            edits=(
                ("        self.memory = None", "        pass"),
                ("        self.reset()\n", "        self.memory = None\n"),
            ),
            loses=("after reset",),
        ),
        Mistake(
            name="view of the caller's tensor",
            hint="You remember a view of the chunk, and the caller may write new "
            "samples into the same tensor: clone what you keep.",
            edits=(
                (
                    "        return self.conv(x)",
                    "        if chunk.shape[-1] >= self.reach:\n"
                    "            after = chunk.shape[-1] - self.reach\n"
                    "            self.memory = chunk.detach()[..., after:]\n"
                    "        return self.conv(x)",
                ),
            ),
            loses=("chunk",),
        ),
        Mistake(
            name="one memory for all",
            hint="All modules of your class share one memory: it belongs to the "
            "instance, self.",
            edits=(
                ("        self.reset()\n", ""),
                ("self.memory", "type(self).memory"),
                ("(nn.Module):\n", "(nn.Module):\n    memory = None\n"),
            ),
            loses=("after reset",),
        ),
    ),
)
