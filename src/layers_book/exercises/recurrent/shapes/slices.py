"""The exercises that find a state: shapes/summary and shapes/by_layer."""

from typing import Any

import torch
from torch import Generator, Tensor

from layers_book.checking import Exercise, Mistake, distinct, function_run, signed

FLIPPED = (False, True)


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


def _summary(wrong: str = "") -> Any:
    def answer(output: Tensor, batch_first: bool) -> Tensor:
        if wrong == "inverted":
            batch_first = not batch_first
        elif wrong in ("always time", "always batch"):
            batch_first = wrong == "always batch"
        if wrong == "detached":
            output = output.detach()
        if wrong == "axis 1":
            return output[:, -1]
        if wrong == "axis 0":
            return output[-1]
        if wrong == "reshaped" and batch_first:
            n, steps, _ = output.shape
            output = output.reshape(steps, n, -1).transpose(0, 1)
        y = output.transpose(0, 1) if batch_first else output  # (L, N, 2 * H_out)
        forward, backward = y.chunk(2, -1)
        if wrong == "forward detached":
            forward = forward.detach()
        if wrong == "backward detached":
            backward = backward.detach()
        if wrong == "interleaved":
            forward, backward = y[..., ::2], y[..., 1::2]
        if wrong == "last step":
            return y[-1]
        if wrong == "first step":
            return y[0]
        if wrong == "both whole":
            return torch.cat([y[-1], y[0]], -1)
        if wrong == "forward twice":
            backward = forward
        if wrong == "backward twice":
            forward = backward
        if wrong == "halves swapped":
            forward, backward = backward, forward
        if wrong == "wrong ends":
            return torch.cat([forward[0], backward[-1]], -1)
        if wrong == "backward first":
            return torch.cat([backward[0], forward[-1]], -1)
        if wrong == "sum":
            return forward[-1] + backward[0]
        if wrong == "stacked":
            return torch.stack([forward[-1], backward[0]], 1)
        if wrong == "samples":
            return torch.cat([forward[-1], backward[0]], 0)
        if wrong == "mean":
            return y.mean(0)
        if wrong == "forward only":
            return forward[-1]
        if wrong == "backward only":
            return backward[0]
        if wrong == "one sample":
            return torch.cat([forward[-1], backward[0]], -1)[0]
        return torch.cat([forward[-1], backward[0]], -1)

    return answer


SUMMARY = Exercise(
    name="shapes/summary",
    reference=_summary(),
    run=function_run(_outputs, names=("output", "batch_first")),
    mistakes=(
        Mistake(
            _summary("last step"),
            "You take the last step for both halves; there the backward direction has "
            "read one step only. It ends at step 0.",
        ),
        Mistake(
            _summary("first step"),
            "You take step 0 for both halves; there the forward direction has read "
            "one step only. It ends at the last one.",
        ),
        Mistake(
            _summary("axis 1"),
            "output[:, -1] is the last step only with batch_first, and there only the "
            "forward half has read all steps: the backward half ends at step 0.",
        ),
        Mistake(
            _summary("axis 0"),
            "output[-1] is the last step only without batch_first, and there only the "
            "forward half has read all steps: the backward half ends at step 0.",
        ),
        Mistake(
            _summary("reshaped"),
            "With batch_first you reshape, which mixes the samples: transpose(0, 1) "
            "exchanges the axes.",
        ),
        Mistake(
            _summary("both whole"),
            "You join both steps whole: of the last one take the first half of the "
            "numbers, of step 0 the second half.",
        ),
        Mistake(
            _summary("forward twice"),
            "You take the first half of the numbers, the forward one, at both ends: "
            "at step 0 the second half is wanted.",
        ),
        Mistake(
            _summary("backward twice"),
            "You take the second half of the numbers, the backward one, at both ends: "
            "at the last step the first half is wanted.",
        ),
        Mistake(
            _summary("halves swapped"),
            "The steps are right, the halves are exchanged: the first half of the "
            "numbers is forward, and belongs to the last step.",
        ),
        Mistake(
            _summary("wrong ends"),
            "You take each direction where it starts: forward ends at the last step, "
            "backward at step 0.",
        ),
        Mistake(
            _summary("backward first"),
            "Both states are right, their order is not: forward comes first.",
        ),
        Mistake(
            _summary("always time"),
            "You take time for axis 0 in any case: with batch_first it is axis 1.",
        ),
        Mistake(
            _summary("always batch"),
            "You take time for axis 1 in any case: without batch_first it is axis 0.",
        ),
        Mistake(
            _summary("inverted"),
            "You have exchanged the two layouts: with batch_first, time is axis 1.",
        ),
        Mistake(
            _summary("interleaved"),
            "The directions do not alternate number by number: the first half of the "
            "last axis is forward, the second half backward.",
        ),
        Mistake(
            _summary("sum"),
            "You add the two states; put one after the other with torch.cat.",
        ),
        Mistake(
            _summary("stacked"),
            "You give the directions an axis of their own: torch.cat along the last "
            "axis, not torch.stack.",
        ),
        Mistake(
            _summary("samples"),
            "You join the states along the samples: torch.cat(..., dim=-1).",
        ),
        Mistake(
            _summary("mean"),
            "You average over time; the summary is one state of each direction.",
        ),
        Mistake(
            _summary("forward only"),
            "You return the forward state alone: the backward one belongs after it.",
        ),
        Mistake(
            _summary("backward only"),
            "You return the backward state alone: the forward one belongs before it.",
        ),
        Mistake(
            _summary("one sample"),
            "You return the first sample only: keep the axis of the batch.",
        ),
        Mistake(
            _summary("detached"),
            "The output is right, the gradient is not: use output itself, not a "
            "detached copy or its data.",
        ),
        Mistake(
            _summary("forward detached"),
            "The output is right, but its forward half carries no gradient: use "
            "output itself for both halves.",
        ),
        Mistake(
            _summary("backward detached"),
            "The output is right, but its backward half carries no gradient: use "
            "output itself for both halves.",
        ),
    ),
)


def _ends(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """One to three layers, one or two directions; sizes that differ from them."""
    index = generator.initial_seed()
    layers, directions = (2, 3, 1)[index % 3], 2 - (index // 3) % 2
    n, size = distinct(generator, 2, low=5)
    n = 1 if index == 7 else n
    h_n = signed(generator, layers * directions, n, size).requires_grad_()
    return (h_n, layers), {}


def _by_layer(wrong: str = "") -> Any:
    def answer(h_n: Tensor, num_layers: int) -> Tensor:
        _, n, size = h_n.shape
        if wrong == "detached":
            h_n = h_n.detach()
        if wrong == "as it is":
            return h_n
        if wrong == "pairs":
            return torch.cat([h_n[::2], h_n[1::2]], -1)
        if wrong == "one reshape":
            return h_n.reshape(num_layers, n, -1)
        if wrong == "two directions":
            x = h_n.reshape(num_layers, 2, n, size)
        elif wrong == "directions outside":
            x = h_n.reshape(-1, num_layers, n, size).transpose(0, 1)
        else:
            x = h_n.reshape(num_layers, -1, n, size)
        if wrong == "backward first":
            x = x.flip(1)
        if wrong == "layers reversed":
            x = x.flip(0)
        if wrong == "not joined":
            return x
        if wrong == "samples":
            return x.flatten(1, 2)
        if wrong == "axis left":
            return x.transpose(1, 2)
        if wrong == "sum":
            return x.sum(1)
        if wrong == "mean":
            return x.mean(1)
        if wrong == "forward only":
            return x[:, 0]
        if wrong == "backward only":
            return x[:, -1]
        if wrong in ("forward detached", "backward detached"):
            way = 0 if wrong == "forward detached" else x.shape[1] - 1
            cut = [x[:, d].detach() if d == way else x[:, d] for d in range(x.shape[1])]
            x = torch.stack(cut, 1)
        if wrong == "interleaved":
            return x.permute(0, 2, 3, 1).reshape(num_layers, n, -1)
        if wrong == "batch first":
            return x.permute(2, 0, 1, 3).reshape(n, num_layers, -1)
        y = x.transpose(1, 2).reshape(num_layers, n, -1)
        return y[-1] if wrong == "last layer" else y

    return answer


BY_LAYER = Exercise(
    name="shapes/by_layer",
    reference=_by_layer(),
    run=function_run(_ends, names=("h_n", "num_layers")),
    mistakes=(
        Mistake(
            _by_layer("one reshape"),
            "The shape is right, but the samples are mixed: between direction and "
            "features stands the batch, so move an axis before you join them.",
        ),
        Mistake(
            _by_layer("directions outside"),
            "You read all layers of one direction first; in h_n the directions "
            "alternate within the layers: view(num_layers, D, N, H_out).",
        ),
        Mistake(
            _by_layer("backward first"),
            "Within a layer, the forward state comes first.",
        ),
        Mistake(
            _by_layer("layers reversed"),
            "Your layers run from the last to the first: h_n begins with layer 0.",
        ),
        Mistake(
            _by_layer("two directions"),
            "You take D for 2 in any case: let reshape find it, with -1.",
        ),
        Mistake(
            _by_layer("pairs"),
            "You join two rows in any case: with one direction, D = 1, each row is a "
            "layer of its own.",
        ),
        Mistake(
            _by_layer("as it is"),
            "You return h_n as it is: the states of a layer's directions belong side "
            "by side, on the last axis.",
        ),
        Mistake(
            _by_layer("samples"),
            "You join the directions along the samples: they belong side by side, on "
            "the last axis.",
        ),
        Mistake(
            _by_layer("not joined"),
            "Layers and directions have their axes; now join the directions with the "
            "features: transpose(1, 2), then reshape.",
        ),
        Mistake(
            _by_layer("axis left"),
            "The axes are in the right order; the last two are still to be joined: "
            "reshape(num_layers, N, -1).",
        ),
        Mistake(
            _by_layer("sum"),
            "You add the directions; put one after the other.",
        ),
        Mistake(
            _by_layer("forward only"),
            "You keep the forward direction only: the backward state follows it.",
        ),
        Mistake(
            _by_layer("mean"),
            "You average over the directions; put one after the other.",
        ),
        Mistake(
            _by_layer("backward only"),
            "You keep the backward direction only: the forward state comes before it.",
        ),
        Mistake(
            _by_layer("interleaved"),
            "Your directions alternate number by number: all of the forward state "
            "comes first, so directions must stand before features.",
        ),
        Mistake(
            _by_layer("batch first"),
            "The layers belong on axis 0, the batch on axis 1.",
        ),
        Mistake(
            _by_layer("last layer"),
            "You return the last layer only: every layer is wanted.",
        ),
        Mistake(
            _by_layer("detached"),
            "The output is right, the gradient is not: use h_n itself, not a detached "
            "copy or its data.",
        ),
        Mistake(
            _by_layer("forward detached"),
            "The output is right, but its forward half carries no gradient: use h_n "
            "itself for both halves.",
        ),
        Mistake(
            _by_layer("backward detached"),
            "The output is right, but its backward half carries no gradient: use h_n "
            "itself for both halves.",
        ),
    ),
)
