"""An LSTM with weights set by hand, whose carry counts."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Generator, nn

from layers_book.checking import (
    CONFIGURATION,
    Case,
    Exercise,
    Mistake,
    Refused,
    call,
)
from layers_book.checking.runs import kind


def _run_counter(answer: Any, generator: Generator) -> Iterator[Case]:
    if not callable(answer) or isinstance(answer, nn.Module | type):
        given = "a layer" if isinstance(answer, nn.Module) else kind(answer)
        raise Refused(
            f"A function is expected, and you pass {given}: write its name without "
            "calling it."
        )
    layer = call(answer)
    if isinstance(layer, nn.Module) and not isinstance(layer, nn.LSTM):
        raise Refused(f"Return an nn.LSTM(2, 1), not {layer}.")
    if not isinstance(layer, nn.LSTM):
        raise Refused(f"Your function returns {kind(layer)}, not an nn.LSTM.")
    sizes = layer.input_size, layer.hidden_size, layer.num_layers, layer.proj_size
    if sizes != (2, 1, 1, 0) or layer.bidirectional:
        raise Refused(f"Return an nn.LSTM(2, 1), not {layer}.")
    if not all(p.isfinite().all() for p in layer.parameters()):
        raise Refused("A parameter of yours is not finite: 20 or 40 is large enough.")
    index = generator.initial_seed()
    length = (25, 40, 60, 300)[index % 4]
    marks = torch.rand(length, generator=generator)
    resets = 0.02 if length == 300 else 0.15
    inputs = torch.stack([marks > 0.7, marks < resets], 1)  # (L, 2), never both
    inputs = inputs.to(next(layer.parameters()).dtype)
    yield Case(CONFIGURATION, f"{length} steps, {int(inputs[:, 1].sum())} resets")
    state: Any = None
    found = []
    ideal: list[float] = []
    with torch.no_grad():
        for x_t in inputs:
            _, state = layer(x_t[None], state)
            found.append(float(state[1]))
            count, reset = map(bool, x_t)
            ideal.append(0.0 if reset else count + (ideal[-1] if ideal else 0.0))
    carry = torch.tensor(found, dtype=torch.float64)
    whole = carry.round()
    error = (carry - torch.tensor(ideal, dtype=torch.float64)).abs()
    if 0.01 <= error.max() < 0.2:
        at = int(error.argmax())
        raise Refused(
            f"Nearly: after step {at} of {length} the carry is {found[at]:.2f} instead "
            f"of {ideal[at]:.0f}. Make each gate open or shut more firmly, by larger "
            "sums, and the candidate nearer to 1."
        )
    close = (carry - whole).abs() < 0.01
    yield Case("the carry after each step", torch.where(close, whole, carry))


def _counter(
    i: tuple[float, float, float] = (40, 0, -20),
    f: tuple[float, float, float] = (0, -40, 20),
    g: tuple[float, float, float] = (0, 0, 20),
) -> Callable[[], nn.LSTM]:
    """A layer from weight of count, weight of reset and bias, for each gate."""

    def answer() -> nn.LSTM:
        layer = nn.LSTM(2, 1)
        rows = torch.tensor([i, f, g, (0.0, 0.0, 0.0)])
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.zero_()
            dict(layer.named_parameters())["weight_ih_l0"].copy_(rows[:, :2])
            dict(layer.named_parameters())["bias_ih_l0"].copy_(rows[:, 2])
        return layer

    return answer


COUNTER = Exercise(
    name="lstm/counter",
    reference=_counter(),
    run=_run_counter,
    mistakes=(
        Mistake(
            _counter(f=(0, 0, 20)),
            "Your counter never resets: the forget gate must be shut, 0, where reset "
            "is 1.",
        ),
        Mistake(
            _counter(i=(0, 0, 20)),
            "Your counter counts every step: the input gate must be shut without a "
            "count.",
        ),
        Mistake(
            _counter(i=(0, -40, 20)),
            "Your counter counts every step that is no reset: the input gate must "
            "open with a count only.",
        ),
        Mistake(
            _counter(f=(0, 40, -20)),
            "Your forget gate is the wrong way round: 1 keeps, 0 erases. It must be 1 "
            "unless there is a reset.",
        ),
        Mistake(
            _counter(f=(0, 0, -20)),
            "Your carry forgets everything at each step: a forget gate of 1 keeps.",
        ),
        Mistake(
            _counter(i=(0, 40, -20), f=(-40, 0, 20)),
            "You have swapped the two inputs: the first is count, the second reset.",
        ),
        Mistake(
            _counter(i=(0, -40, 20), f=(40, 0, -20)),
            "You have swapped the blocks of the gates: the input gate is row 0, the "
            "forget gate row 1.",
        ),
        Mistake(
            _counter(f=(40, -40, -20)),
            "Your forget gate is open with a count only: without any mark the carry "
            "must be kept as well.",
        ),
        Mistake(
            _counter(f=(-40, -40, 20)),
            "Your forget gate shuts with a count too, so each count starts from 0 "
            "again: shut it with a reset only.",
        ),
        Mistake(
            _counter(i=(40, 40, -20)),
            "Your input gate opens with a reset too, so a reset leaves 1: open it with "
            "a count only.",
        ),
        Mistake(
            _counter(i=(14, 0, -7), f=(0, -14, 7), g=(0, 0, 7)),
            "Make each gate open or shut more firmly, by larger sums, and the "
            "candidate nearer to 1.",
        ),
        Mistake(
            _counter(f=(0, 0, 0)),
            "Your forget gate is one half, as a sum of 0 gives: it halves the carry "
            "at each step.",
        ),
        Mistake(
            _counter(g=(0, 0, 0)),
            "Your candidate is 0, so nothing is written: g, the third block, must be "
            "1, by a large bias.",
        ),
        Mistake(
            _counter(g=(0, 0, -20)),
            "Your counter counts downwards: the candidate must be 1, not -1.",
        ),
        Mistake(
            _counter(i=(40, 0, 0)),
            "Your input gate stands at one half without a count: its bias must shut "
            "it, and the count open it.",
        ),
        Mistake(
            _counter(i=(20, 0, 0), f=(0, -20, 0)),
            "A gate with a sum of 0 is one half: add biases so that each gate is "
            "firmly open or shut in all three cases.",
        ),
        Mistake(
            _counter(g=(0, 0, 1)),
            "Your candidate is tanh(1) = 0.76, so each count adds that: make its sum "
            "large.",
        ),
    ),
)
