"""The exercise shapes/truncated: chunks whose state is carried and cut."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn

from layers_book.checking import (
    Case,
    Exercise,
    Mistake,
    call,
    function_run,
    gradients,
    signed,
)

# steps and k; in the first ones, k chunks and chunks of k - 1, k, k + 1 steps differ
SIZES = ((13, 3), (11, 2), (9, 3), (8, 4), (7, 2), (5, 4), (3, 5), (6, 1))


def _runs(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """GRU and LSTM in turn, one and two layers; chunks that fit and that do not."""
    index = generator.initial_seed()
    kind = (nn.GRU, nn.LSTM)[index % 2]
    steps, k = SIZES[index]
    layer = kind(3, 4, 1 + (index // 2) % 2, batch_first=True).double()
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(signed(generator, *weight.shape) * 0.6)
    n = 1 if index == 4 else 2 + index % 2
    return (layer, signed(generator, n, steps, 3).requires_grad_(), k), {}


def _run(answer: Any, generator: Generator) -> Iterator[tuple[Any, ...]]:
    """As of a function, with the reach of the gradient, and the layer's gradients."""
    run = function_run(_runs, names=("layer", "x", "k"), float32=False)
    for case in run(answer, generator):
        yield case
        if case[0] == "the output":
            yield from _reach(answer, generator)
    (layer, x, k), _ = _again(generator)
    named = dict(layer.named_parameters())
    found = gradients(call(answer, layer, x, k), list(named.values()))
    for name, gradient in zip(named, found, strict=True):
        yield Case(f"the gradient with respect to the layer's {name}", gradient)


def _again(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return _runs(Generator().manual_seed(generator.initial_seed()))


def _reach(answer: Any, generator: Generator) -> Iterator[tuple[Any, ...]]:
    """Whether backward was called; the steps that each step's gradient arrives at."""
    (layer, x, k), _ = _again(generator)
    y = call(answer, layer, x, k)
    used = any(weight.grad is not None for weight in layer.parameters())
    yield Case("whether the layer's parameters have a grad after the call", used)
    if not isinstance(y, Tensor) or y.dim() < 2:
        return  # told with the output, which comes before
    found = {}
    for t in range(y.shape[1] if y.requires_grad else 0):
        (gradient,) = torch.autograd.grad(
            y[:, t].sum(), [x], retain_graph=True, materialize_grads=True
        )
        steps = (gradient != 0).any(-1).any(0).nonzero().flatten().tolist()
        found[f"output[:, {t}]"] = f"connected to steps {steps} of x"
    yield Case("the reach of the gradient", found)


def _cut(state: Any, wrong: str, number: int) -> Any:
    """The state that chunk ``number`` hands over."""
    if wrong == ("LSTM kept" if isinstance(state, tuple) else "GRU kept"):
        return state
    if wrong == "kept" or (wrong == "first cut" and number):
        return state
    if wrong == "every other" and number % 2:
        return state
    if wrong == "not carried":
        return None
    if wrong == "tensor only":
        return state.detach()
    if wrong == "tuple only":
        h, c = state
        return h.detach(), c.detach()
    tensors = list(state) if isinstance(state, tuple) else [state]
    cut = [s.detach() for s in tensors]
    if wrong == "layer 0":
        cut = [torch.cat([s[:1].detach(), s[1:]]) for s in tensors]
    if len(cut) == 1:
        return cut[0]
    if wrong == "c lost":
        return cut[0], torch.zeros_like(cut[1])
    kept = {"h kept": 0, "c kept": 1}.get(wrong)
    return tuple(tensors[i] if i == kept else cut[i] for i in range(2))


def _truncated(wrong: str = "") -> Any:
    def answer(layer: Any, x: Tensor, k: int) -> Any:
        state: Any = None
        outputs = []
        size = {"every step": 1, "one more": k + 1, "one fewer": max(1, k - 1)}
        chunks = x.split(size.get(wrong, k), 1)
        if wrong == "number":
            chunks = x.chunk(k, 1)
        if wrong == "rest dropped":
            chunks = chunks[: max(1, x.shape[1] // k)]
        for number, chunk in enumerate(chunks):
            given = chunk.detach() if wrong == "x detached" else chunk
            output, state = layer(given, state)
            if wrong == "backward":
                output.sum().backward(retain_graph=True)
            state = _cut(state, wrong, number)
            outputs.append(output.detach() if wrong == "y detached" else output)
        if wrong == "list":
            return outputs
        y = torch.cat(outputs, 0 if wrong == "samples" else 1)
        if wrong == "tuple":
            return y, state
        if wrong == "last chunk":
            return outputs[-1]
        return y[:, -1] if wrong == "last step" else y

    return answer


TRUNCATED = Exercise(
    name="shapes/truncated",
    reference=_truncated(),
    run=_run,
    configurations=8,
    mistakes=(
        Mistake(
            _truncated("kept"),
            "The output is right, but the gradient flows through the whole sequence: "
            "cut x along time, axis 1, and detach the state between two chunks.",
        ),
        Mistake(
            _truncated("not carried"),
            "Each of your chunks starts from zeros: hand it the state of the chunk "
            "before.",
        ),
        Mistake(
            _truncated("c kept"),
            "You detach the LSTM's h, and its c still carries the graph: detach both.",
        ),
        Mistake(
            _truncated("h kept"),
            "You detach the LSTM's c, and its h still carries the graph: detach both.",
        ),
        Mistake(
            _truncated("c lost"),
            "You hand over the LSTM's h only: c belongs to the state as well.",
        ),
        Mistake(
            _truncated("LSTM kept"),
            "You detach a GRU's state, and an LSTM's still carries the graph: it is a "
            "tuple of two tensors; detach both.",
        ),
        Mistake(
            _truncated("GRU kept"),
            "You detach an LSTM's state, and a GRU's still carries the graph: it is "
            "one tensor, not a tuple.",
        ),
        Mistake(
            _truncated("first cut"),
            "You detach the state after the first chunk only; do it after every one.",
        ),
        Mistake(
            _truncated("every other"),
            "You detach the state after every other chunk; do it after every one.",
        ),
        Mistake(
            _truncated("layer 0"),
            "You detach the state of one layer only: all layers hand over theirs.",
        ),
        Mistake(
            _truncated("tensor only"),
            "A GRU's state is one tensor, an LSTM's is a tuple of two: detach each.",
        ),
        Mistake(
            _truncated("tuple only"),
            "An LSTM's state is a tuple of two tensors, a GRU's is one tensor: look "
            "at what the layer has returned.",
        ),
        Mistake(
            _truncated("backward"),
            "You call backward inside: return the output, the caller has the loss.",
        ),
        Mistake(
            _truncated("one fewer"),
            "Your chunks have k - 1 steps, so the gradient stops one step early.",
        ),
        Mistake(
            _truncated("every step"),
            "You cut the gradient after every step: it flows within a chunk of k.",
        ),
        Mistake(
            _truncated("one more"),
            "Your chunks have k + 1 steps, so the gradient goes one step too far.",
        ),
        Mistake(
            _truncated("number"),
            "You make k chunks; wanted are chunks of k steps: split, not chunk.",
        ),
        Mistake(
            _truncated("rest dropped"),
            "You lose the steps after the last full chunk: the last one may be "
            "shorter.",
        ),
        Mistake(
            _truncated("x detached"),
            "The output is right, but x receives no gradient: detach the state only.",
        ),
        Mistake(
            _truncated("y detached"),
            "The output is right, but it carries no gradient: detach the state only, "
            "and do not use torch.no_grad().",
        ),
        Mistake(
            _truncated("list"),
            "You return a list of chunks: join them with torch.cat(outputs, dim=1).",
        ),
        Mistake(
            _truncated("samples"),
            "You join the chunks along the batch; time is axis 1.",
        ),
        Mistake(
            _truncated("tuple"),
            "You return the state as well; only the output is asked for.",
        ),
        Mistake(
            _truncated("last chunk"),
            "You return the last chunk only: collect the outputs of all of them.",
        ),
        Mistake(
            _truncated("last step"),
            "You return the last step only: the output of all L steps is wanted.",
        ),
    ),
)
