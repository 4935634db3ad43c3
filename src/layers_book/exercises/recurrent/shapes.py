"""Exercises of the page recurrent/shapes."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn

from layers_book.checking import (
    Case,
    Exercise,
    call,
    custom_run,
    distinct,
    function_run,
    function_steps,
    gradients,
    measure_run,
    signed,
    value_run,
)

FLIPPED = (False, True)

SHAPES = Exercise(
    name="shapes/shapes",
    solution="""
        answer = [4, 7, 2 * 8, 3 * 2, 4, 8]
    """,
    run=value_run(),
    mistakes=[
        (
            [4, 7, 16, 4, 6, 8],
            "The batch comes first in h_n: batch_first moves input and output only.",
        ),
        (
            [7, 4, 16, 6, 4, 8],
            "The steps come first in output: with batch_first=True the batch does.",
        ),
        (
            [7, 4, 16, 4, 6, 8],
            "The batch is in the wrong place in both: batch_first=True brings it to "
            "the front of output, and leaves h_n alone.",
        ),
        (
            [4, 7, 8, 6, 4, 8],
            "output has one direction only: both stand side by side on its last axis.",
        ),
        (
            [4, 7, 16, 3, 4, 8],
            "h_n has a state for each layer, but each direction has one of its own.",
        ),
        (
            [4, 7, 16, 3, 4, 16],
            "h_n has its directions side by side, as in output: there they stand one "
            "after the other on axis 0.",
        ),
        (
            [4, 7, 16, 2, 4, 8],
            "h_n has the states of the last layer only: every layer hands out its own.",
        ),
        (
            [4, 7, 16, 6, 4, 16],
            "A state in h_n is that of one direction: it has 8 numbers.",
        ),
        (
            [4, 7, 48, 6, 4, 8],
            "output has all layers side by side: only the last one is in it.",
        ),
        (
            [4, 7, 10, 6, 4, 8],
            "output has as many numbers at each step as x: those of the states are "
            "wanted.",
        ),
    ],
)


def _outputs(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Outputs of both layouts; in turn one sample, one step, one number a state."""
    index = generator.initial_seed()
    n, steps, size = distinct(generator, 3, low=2)
    n, steps, size = (
        1 if index % 6 == k else s for k, s in ((3, n), (4, steps), (5, size))
    )
    first = FLIPPED[(index + index // 6) % 2]
    shape = (n, steps) if first else (steps, n)
    return (signed(generator, *shape, 2 * size).requires_grad_(), first), {}


SUMMARY = Exercise(
    name="shapes/summary",
    solution="""
        def summary(output, batch_first):
            if batch_first:
                output = output.transpose(0, 1)  # (L, N, 2 * H_out)
            forward, backward = output.chunk(2, dim=-1)
            return torch.cat([forward[-1], backward[0]], dim=-1)
    """,
    run=function_run(_outputs, names=("output", "batch_first")),
    mistakes=[
        (
            "torch.cat([forward[-1], backward[0]], dim=-1)",
            "output[-1]",
            "You take the last step for both halves; there the backward direction has "
            "read one step only. It ends at step 0.",
        ),
        (
            "torch.cat([forward[-1], backward[0]], dim=-1)",
            "output[0]",
            "You take step 0 for both halves; there the forward direction has read "
            "one step only. It ends at the last one.",
        ),
        (
            "def summary(output, batch_first):\n    return output[:, -1]",
            "output[:, -1] is the last step only with batch_first, and there only the "
            "forward half has read all steps: the backward half ends at step 0.",
        ),
        (
            "def summary(output, batch_first):\n    return output[-1]",
            "output[-1] is the last step only without batch_first, and there only the "
            "forward half has read all steps: the backward half ends at step 0.",
        ),
        (
            "output.transpose(0, 1)",
            "output.reshape(output.shape[1], output.shape[0], -1)",
            "With batch_first you reshape, which mixes the samples: transpose(0, 1) "
            "exchanges the axes.",
        ),
        (
            "forward[-1], backward[0]",
            "output[-1], output[0]",
            "You join both steps whole: of the last one take the first half of the "
            "numbers, of step 0 the second half.",
        ),
        (
            "backward[0]",
            "forward[0]",
            "You take the first half of the numbers, the forward one, at both ends: "
            "at step 0 the second half is wanted.",
        ),
        (
            "forward[-1]",
            "backward[-1]",
            "You take the second half of the numbers, the backward one, at both ends: "
            "at the last step the first half is wanted.",
        ),
        (
            "forward, backward =",
            "backward, forward =",
            "The steps are right, the halves are exchanged: the first half of the "
            "numbers is forward, and belongs to the last step.",
        ),
        (
            "forward[-1], backward[0]",
            "forward[0], backward[-1]",
            "You take each direction where it starts: forward ends at the last step, "
            "backward at step 0.",
        ),
        (
            "forward[-1], backward[0]",
            "backward[0], forward[-1]",
            "Both states are right, their order is not: forward comes first.",
        ),
        (
            "    if batch_first:\n"
            "        output = output.transpose(0, 1)  # (L, N, 2 * H_out)\n",
            "",
            "You take time for axis 0 in any case: with batch_first it is axis 1.",
        ),
        (
            "    if batch_first:\n    ",
            "",
            "You take time for axis 1 in any case: without batch_first it is axis 0.",
        ),
        (
            "if batch_first",
            "if not batch_first",
            "You have exchanged the two layouts: with batch_first, time is axis 1.",
        ),
        (
            "output.chunk(2, dim=-1)",
            "output[..., ::2], output[..., 1::2]",
            "The directions do not alternate number by number: the first half of the "
            "last axis is forward, the second half backward.",
        ),
        (
            "torch.cat([forward[-1], backward[0]], dim=-1)",
            "forward[-1] + backward[0]",
            "You add the two states; put one after the other with torch.cat.",
        ),
        (
            "torch.cat([forward[-1], backward[0]], dim=-1)",
            "torch.stack([forward[-1], backward[0]], dim=1)",
            "You give the directions an axis of their own: torch.cat along the last "
            "axis, not torch.stack.",
        ),
        (
            "backward[0]], dim=-1)",
            "backward[0]], dim=0)",
            "You join the states along the samples: torch.cat(..., dim=-1).",
        ),
        (
            "torch.cat([forward[-1], backward[0]], dim=-1)",
            "output.mean(0)",
            "You average over time; the summary is one state of each direction.",
        ),
        (
            "torch.cat([forward[-1], backward[0]], dim=-1)",
            "forward[-1]",
            "You return the forward state alone: the backward one belongs after it.",
        ),
        (
            "torch.cat([forward[-1], backward[0]], dim=-1)",
            "backward[0]",
            "You return the backward state alone: the forward one belongs before it.",
        ),
        (
            "backward[0]], dim=-1)",
            "backward[0]], dim=-1)[0]",
            "You return the first sample only: keep the axis of the batch.",
        ),
        (
            "output.chunk",
            "output.detach().chunk",
            "The output is right, the gradient is not: use output itself, not a "
            "detached copy or its data.",
        ),
        (
            "forward[-1]",
            "forward[-1].detach()",
            "The output is right, but its forward half carries no gradient: use "
            "output itself for both halves.",
        ),
        (
            "backward[0]",
            "backward[0].detach()",
            "The output is right, but its backward half carries no gradient: use "
            "output itself for both halves.",
        ),
    ],
)


def _ends(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """One to three layers, one or two directions; sizes that differ from them."""
    index = generator.initial_seed()
    layers, directions = (2, 3, 1)[index % 3], 2 - (index // 3) % 2
    n, size = distinct(generator, 2, low=5)
    n = 1 if index == 7 else n
    h_n = signed(generator, layers * directions, n, size).requires_grad_()
    return (h_n, layers), {}


BY_LAYER = Exercise(
    name="shapes/by_layer",
    solution="""
        def by_layer(h_n, num_layers):
            _, N, H_out = h_n.shape
            x = h_n.reshape(num_layers, -1, N, H_out)  # (num_layers, D, N, H_out)
            return x.transpose(1, 2).reshape(num_layers, N, -1)
    """,
    run=function_run(_ends, names=("h_n", "num_layers")),
    mistakes=[
        (
            "x.transpose(1, 2)",
            "h_n",
            "The shape is right, but the samples are mixed: between direction and "
            "features stands the batch, so move an axis before you join them.",
        ),
        (
            "h_n.reshape(num_layers, -1, N, H_out)",
            "h_n.reshape(-1, num_layers, N, H_out).transpose(0, 1)",
            "You read all layers of one direction first; in h_n the directions "
            "alternate within the layers: view(num_layers, D, N, H_out).",
        ),
        (
            "return x",
            "return x.flip(1)",
            "Within a layer, the forward state comes first.",
        ),
        (
            "return x",
            "return x.flip(0)",
            "Your layers run from the last to the first: h_n begins with layer 0.",
        ),
        (
            "-1, N, H_out",
            "2, N, H_out",
            "You take D for 2 in any case: let reshape find it, with -1.",
        ),
        (
            "x.transpose(1, 2).reshape(num_layers, N, -1)",
            "torch.cat([h_n[::2], h_n[1::2]], dim=-1)",
            "You join two rows in any case: with one direction, D = 1, each row is a "
            "layer of its own.",
        ),
        (
            "x.transpose(1, 2).reshape(num_layers, N, -1)",
            "h_n",
            "You return h_n as it is: the states of a layer's directions belong side "
            "by side, on the last axis.",
        ),
        (
            "x.transpose(1, 2).reshape(num_layers, N, -1)",
            "x.flatten(1, 2)",
            "You join the directions along the samples: they belong side by side, on "
            "the last axis.",
        ),
        (
            ".transpose(1, 2).reshape(num_layers, N, -1)",
            "",
            "Layers and directions have their axes; now join the directions with the "
            "features: transpose(1, 2), then reshape.",
        ),
        (
            ".reshape(num_layers, N, -1)",
            "",
            "The axes are in the right order; the last two are still to be joined: "
            "reshape(num_layers, N, -1).",
        ),
        (
            "x.transpose(1, 2).reshape(num_layers, N, -1)",
            "x.sum(1)",
            "You add the directions; put one after the other.",
        ),
        (
            "x.transpose(1, 2).reshape(num_layers, N, -1)",
            "x[:, 0]",
            "You keep the forward direction only: the backward state follows it.",
        ),
        (
            "x.transpose(1, 2).reshape(num_layers, N, -1)",
            "x.mean(1)",
            "You average over the directions; put one after the other.",
        ),
        (
            "x.transpose(1, 2).reshape(num_layers, N, -1)",
            "x[:, -1]",
            "You keep the backward direction only: the forward state comes before it.",
        ),
        (
            "x.transpose(1, 2)",
            "x.permute(0, 2, 3, 1)",
            "Your directions alternate number by number: all of the forward state "
            "comes first, so directions must stand before features.",
        ),
        (
            "x.transpose(1, 2).reshape(num_layers, N, -1)",
            "x.permute(2, 0, 1, 3).reshape(N, num_layers, -1)",
            "The layers belong on axis 0, the batch on axis 1.",
        ),
        (
            "N, -1)",
            "N, -1)[-1]",
            "You return the last layer only: every layer is wanted.",
        ),
        (
            "h_n.reshape",
            "h_n.detach().reshape",
            "The output is right, the gradient is not: use h_n itself, not a detached "
            "copy or its data.",
        ),
        (
            "return x",
            "return torch.cat([x[:, :1].detach(), x[:, 1:]], dim=1)",
            "The output is right, but its forward half carries no gradient: use h_n "
            "itself for both halves.",
        ),
        (
            "return x",
            "return torch.cat([x[:, :-1], x[:, -1:].detach()], dim=1)",
            "The output is right, but its backward half carries no gradient: use h_n "
            "itself for both halves.",
        ),
    ],
)


# steps and k; in the first ones, k windows and windows of k - 1, k, k + 1 steps differ
SIZES = ((13, 3), (11, 2), (9, 3), (8, 4), (7, 2), (5, 4), (3, 5), (6, 1))


def _windows(generator: Generator) -> dict[str, Any]:
    """GRU and LSTM in turn, one and two layers; windows that fit and that do not."""
    index = generator.initial_seed()
    kind = ("GRU", "LSTM")[index % 2]
    steps, k = SIZES[index]
    num_layers = 1 + (index // 2) % 2
    layer = getattr(nn, kind)(3, 4, num_layers, batch_first=True)
    n = 1 if index == 4 else 2 + index % 2
    return {
        "kind": kind,
        "num_layers": num_layers,
        "weights": {
            name: signed(generator, *weight.shape) * 0.6
            for name, weight in layer.named_parameters()
        },
        "x": signed(generator, n, steps, 3).requires_grad_(),
        "k": k,
    }


def _truncated_steps(
    answer: Any,
    kind: str,
    num_layers: int,
    weights: dict[str, Tensor],
    x: Tensor,
    k: int,
) -> Iterator[Any]:
    """As of a function, with the reach of the gradient, and the layer's gradients."""

    def new_layer() -> Any:
        layer = getattr(nn, kind)(3, 4, num_layers, batch_first=True).double()
        layer.load_state_dict(weights)
        return layer

    def reach() -> Iterator[Any]:
        """Whether backward was called; the steps that each gradient arrives at."""
        layer = new_layer()
        y = call(answer, layer, x, k)
        used = any(weight.grad is not None for weight in layer.parameters())
        yield "whether the layer's parameters have a grad after the call", used
        if not isinstance(y, torch.Tensor) or y.dim() < 2:
            return  # told with the output, which comes before
        found = {}
        for t in range(y.shape[1] if y.requires_grad else 0):
            (gradient,) = torch.autograd.grad(
                y[:, t].sum(), [x], retain_graph=True, materialize_grads=True
            )
            steps = (gradient != 0).any(-1).any(0).nonzero().flatten().tolist()
            found[f"output[:, {t}]"] = f"connected to steps {steps} of x"
        yield "the reach of the gradient", found

    names = ("layer", "x", "k")
    for case in function_steps(answer, (new_layer(), x, k), {}, names, float32=False):
        yield case
        if case.kind == "output":
            yield from reach()
    layer = new_layer()
    named = dict(layer.named_parameters())
    found = gradients(call(answer, layer, x, k), list(named.values()))
    for name, gradient in zip(named, found, strict=True):
        yield Case("gradient", f"the layer's {name}", "", gradient)


TRUNCATED = Exercise(
    name="shapes/truncated",
    solution="""
        def truncated(layer, x, k):
            state, outputs = None, []
            for window in x.split(k, dim=1):
                output, state = layer(window, state)
                if isinstance(state, tuple):
                    state = tuple(s.detach() for s in state)
                else:
                    state = state.detach()
                outputs.append(output)
            return torch.cat(outputs, dim=1)
    """,
    run=custom_run(_truncated_steps, _windows, configurations=8),
    mistakes=[
        (
            ".detach()",
            "",
            "The output is right, but the gradient flows through the whole sequence: "
            "cut x along time, axis 1, and detach the state between two windows.",
        ),
        (
            "layer(window, state)",
            "layer(window)",
            "Each of your windows starts from zeros: hand it the state of the one "
            "before.",
        ),
        (
            "tuple(s.detach() for s in state)",
            "state[0].detach(), state[1]",
            "You detach the LSTM's h, and its c still carries the graph: detach both.",
        ),
        (
            "tuple(s.detach() for s in state)",
            "state[0], state[1].detach()",
            "You detach the LSTM's c, and its h still carries the graph: detach both.",
        ),
        (
            "tuple(s.detach() for s in state)",
            "state[0].detach(), torch.zeros_like(state[1])",
            "You hand over the LSTM's h only: c belongs to the state as well.",
        ),
        (
            "tuple(s.detach() for s in state)",
            "state",
            "You detach a GRU's state, and an LSTM's still carries the graph: it is a "
            "tuple of two tensors; detach both.",
        ),
        (
            "state.detach()",
            "state",
            "You detach an LSTM's state, and a GRU's still carries the graph: it is "
            "one tensor, not a tuple.",
        ),
        (
            "if isinstance(state, tuple)",
            "if outputs:\n            pass\n        elif isinstance(state, tuple)",
            "You detach the state after the first window only; do it after every one.",
        ),
        (
            "if isinstance(state, tuple)",
            "if len(outputs) % 2:\n"
            "            pass\n"
            "        elif isinstance(state, tuple)",
            "You detach the state after every other window; do it after every one.",
        ),
        (
            "s.detach() for s",
            "torch.cat([s[:1].detach(), s[1:]]) for s",
            "state.detach()",
            "torch.cat([state[:1].detach(), state[1:]])",
            "You detach the state of one layer only: all layers hand over theirs.",
        ),
        (
            "tuple(s.detach() for s in state)",
            "state.detach()",
            "A GRU's state is one tensor, an LSTM's is a tuple of two: detach each.",
        ),
        (
            "state = state.detach()",
            "h, c = state\n            state = h.detach(), c.detach()",
            "An LSTM's state is a tuple of two tensors, a GRU's is one tensor: look "
            "at what the layer has returned.",
        ),
        (
            "outputs.append",
            "output.sum().backward(retain_graph=True)\n        outputs.append",
            "You call backward inside: return the output, the caller has the loss.",
        ),
        (
            "x.split(k,",
            "x.split(max(1, k - 1),",
            "Your windows have k - 1 steps, so the gradient stops one step early.",
        ),
        (
            "x.split(k,",
            "x.split(1,",
            "You cut the gradient after every step: it flows within a window of k.",
        ),
        (
            "x.split(k,",
            "x.split(k + 1,",
            "Your windows have k + 1 steps, so the gradient goes one step too far.",
        ),
        (
            "x.split(",
            "x.chunk(",
            "You make k windows; wanted are windows of k steps: split, not chunk.",
        ),
        (
            "x.split(k, dim=1)",
            "x.split(k, dim=1)[: max(1, x.shape[1] // k)]",
            "You lose the steps after the last full window: the last one may be "
            "shorter.",
        ),
        (
            "layer(window,",
            "layer(window.detach(),",
            "The output is right, but x receives no gradient: detach the state only.",
        ),
        (
            "append(output)",
            "append(output.detach())",
            "The output is right, but it carries no gradient: detach the state only, "
            "and do not use torch.no_grad().",
        ),
        (
            "torch.cat(outputs, dim=1)",
            "outputs",
            "You return a list of windows: join them with torch.cat(outputs, dim=1).",
        ),
        (
            "outputs, dim=1",
            "outputs, dim=0",
            "You join the windows along the batch; time is axis 1.",
        ),
        (
            "torch.cat(outputs, dim=1)",
            "torch.cat(outputs, dim=1), state",
            "You return the state as well; only the output is asked for.",
        ),
        (
            "torch.cat(outputs, dim=1)",
            "outputs[-1]",
            "You return the last window only: collect the outputs of all of them.",
        ),
        (
            "torch.cat(outputs, dim=1)",
            "torch.cat(outputs, dim=1)[:, -1]",
            "You return the last step only: the output of all L steps is wanted.",
        ),
    ],
)

MEAN = Exercise(
    name="shapes/mean",
    setup="""
        def learn(summary, number):
            net = nn.RNN(4, 12, bidirectional=True, batch_first=True).double()
            read, right = nn.Linear(24, 4).double(), []
            optimizer = torch.optim.Adam([*net.parameters(), *read.parameters()], 0.02)
            for _ in range(number):
                symbols = torch.randint(4, (16, 10))
                scores = read(summary(net(F.one_hot(symbols, 4).double())[0]))
                right.append((scores.argmax(1) == symbols[:, 0]).double().mean())
                optimizer.zero_grad()
                F.cross_entropy(scores, symbols[:, 0]).backward()
                optimizer.step()
            return 100 * torch.stack(right)
    """,
    solution="""
        def over_steps(output):
            return output.mean(1)


        def ends(output):
            return torch.cat([output[:, -1, :12], output[:, 0, 12:]], dim=-1)


        mean, both = [], []
        for seed in range(5):
            torch.manual_seed(seed)
            mean.append(learn(over_steps, 20)[-10:].mean())
            torch.manual_seed(seed)
            both.append(learn(ends, 20)[-10:].mean())
        d = torch.tensor(mean) - torch.tensor(both)  # (seeds,)
        answer = d.mean().item(), (d.std() / len(d) ** 0.5).item()
    """,
    run=measure_run("mean", "both"),
    mistakes=[
        (
            "torch.cat([output[:, -1, :12], output[:, 0, 12:]], dim=-1)",
            "output[:, -1]",
            "You compare with output[:, -1], of which the backward half has read one "
            "step: take the backward half at step 0.",
        ),
        (
            "over_steps, 20)[-10:]",
            "over_steps, 20)",
            "ends, 20)[-10:]",
            "ends, 20)",
            "You average over the whole run: the last ten of its 20 steps are wanted.",
        ),
        (
            "over_steps, 20)[-10:]",
            "over_steps, 20)[:10]",
            "ends, 20)[-10:]",
            "ends, 20)[:10]",
            "You average the first ten steps, where neither has learned much: the last "
            "ten are wanted.",
        ),
    ],
)

EXERCISES = (SHAPES, BY_LAYER, SUMMARY, TRUNCATED, MEAN)
