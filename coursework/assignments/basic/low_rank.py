"""A frozen Linear layer beside a narrow pair of matrices that learns."""

from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from layers_book.coursework import Mistake, Question, custom_run, distinct

# leading axes of x, bias, scale (None: leave it out), data type
SETTINGS = (
    ((6,), True, None, torch.float64),
    ((4, 3), False, 0.5, torch.float64),
    ((), True, 3.0, torch.float64),
    ((2, 3, 2), True, -2.0, torch.float32),
)


def adapting(answer, weight, bias, rank, options, down, up, x):
    """Take the adapter from its start to its merged layer."""
    sizes = (weight.shape[1], weight.shape[0], bias is not None)
    words = f"in={sizes[0]}, out={sizes[1]}, bias={sizes[2]}, rank={rank}"
    yield "configuration", f"{words}, {options}, x {tuple(x.shape)} {x.dtype}"
    given = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    linear = nn.Linear(*sizes, dtype=weight.dtype)
    linear.load_state_dict(given)
    layer = answer(linear, rank, **options)
    yield (
        "the parameters",
        {
            name: (list(p.shape), str(p.dtype), p.requires_grad)
            for name, p in layer.named_parameters()
        },
    )
    yield "the parameters: state_dict", sorted(layer.state_dict())
    yield "the parameters: linear is the given layer", layer.linear is linear
    layer = layer.to(weight.dtype)
    yield "the start: the output", layer(x.clone())
    yield "the start: up", layer.up
    yield "the start: down", layer.down
    yield "the start: linear", dict(linear.state_dict())
    with torch.no_grad():
        layer.down.copy_(down)
        layer.up.copy_(up)
    leaf = x.clone().requires_grad_()
    copy = leaf.clone()
    y = layer(copy)
    yield "the output", y
    yield "the output: the inputs after the call", copy
    other = answer(nn.Linear(*sizes), rank, **options).to(weight.dtype)
    other.load_state_dict(layer.state_dict())
    yield "the output with this state_dict", other(x.clone())
    named = {"x": leaf, "down": layer.down, "up": layer.up}
    loss = (
        (y * y).sum() if y.requires_grad else sum(v.sum() * 0 for v in named.values())
    )
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    for name, gradient in zip(named, found, strict=True):
        yield f"the gradients: {name}", gradient
    merged = layer.merged()
    yield "merged: its kind", type(merged).__name__
    yield "merged: the output", merged(x.clone())
    yield "merged: bias", merged.bias is not None
    yield "merged: what it holds", sorted(merged.state_dict())
    yield "merged: the adapter afterwards", layer(x.clone())
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(1)
    yield "merged: the output after the adapter changed", merged(x.clone())


def _inputs(generator: Generator) -> dict[str, Any]:
    index = generator.initial_seed()
    leading, biased, scale, dtype = SETTINGS[index]
    n_in, n_out, rank = distinct(generator, 3)
    draw: dict[str, Any] = {"generator": generator, "dtype": torch.float64}
    found: dict[str, Any] = {
        "weight": torch.randn(n_out, n_in, **draw),
        "bias": torch.randn(n_out, **draw) if biased else None,
        "down": torch.randn(rank, n_in, **draw),
        "up": torch.randn(n_out, rank, **draw),
        "x": torch.randn(*leading, n_in, **draw),
    }
    if index == 1:
        found["x"] = found["x"].mT.contiguous().mT
    found = {k: None if v is None else v.to(dtype) for k, v in found.items()}
    return found | {"rank": rank, "options": {} if scale is None else {"scale": scale}}


def _reference(variant: dict[str, Any]) -> Any:
    class LowRank(nn.Module):
        """Adds the product to the weight first, and is one F.linear then."""

        def __init__(self, linear: nn.Linear, rank: int, scale: float = 1.0) -> None:
            super().__init__()
            for parameter in linear.parameters():
                parameter.requires_grad = False
            self.linear, self.scale = linear, scale
            pair = nn.Sequential(
                nn.Linear(linear.in_features, rank, bias=False),
                nn.Linear(rank, linear.out_features, bias=False),
            ).to(linear.weight.dtype)
            self.down, self.up = pair[0].weight, pair[1].weight
            nn.init.zeros_(self.up)

        def weight(self) -> Tensor:
            return torch.addmm(self.linear.weight, self.up, self.down, alpha=self.scale)

        def forward(self, x: Tensor) -> Tensor:
            return F.linear(x, self.weight(), self.linear.bias)

        def merged(self) -> nn.Linear:
            out, n = self.linear.weight.shape
            one = nn.Linear(n, out, self.linear.bias is not None)
            one.to(self.linear.weight.dtype).load_state_dict(
                self.linear.state_dict() | {"weight": self.weight().detach()}
            )
            return one

    return LowRank


def _random(expected: Any, got: Any) -> bool:
    """Random numbers of any kind, no two rows of which are alike."""
    if (got.shape, got.dtype) != (expected.shape, expected.dtype):
        return False
    return bool(got.isfinite().all()) and len(got.unique()) > 0.9 * got.numel()


PARAMETERS, START, OUTPUT = "the parameters", "the start", "the output"
GRADIENTS, MERGED = "the gradients", "merged"

QUESTION = Question(
    name="low_rank",
    title="A low-rank adapter",
    answer="LowRank",
    reference=_reference,
    run=custom_run(adapting, _inputs, configurations=len(SETTINGS)),
    parts={PARAMETERS: 2, START: 1, OUTPUT: 1, GRADIENTS: 1, MERGED: 2},
    judge={f"{START}: down": _random},
    mistakes=(
        Mistake(
            name="linear not frozen",
            hint="The parameters of linear still learn: set their requires_grad to "
            "False.",
            edits=((".requires_grad_(False)", ""),),
            loses=(PARAMETERS,),
        ),
        Mistake(
            name="up is random too",
            hint="A fresh adapter must compute what linear computes: start up at 0.",
            edits=(("torch.zeros(linear", "torch.randn(linear"),),
            loses=(START,),
        ),
        Mistake(
            name="both start at 0",
            hint="With down and up both at 0, each gets the gradient 0 and neither "
            "ever moves: start down at random numbers.",
            edits=(("torch.randn(rank", "torch.zeros(rank"),),
            loses=(START,),
        ),
        Mistake(
            name="plain tensors",
            hint="down and up are plain tensors: wrap them in nn.Parameter, or no "
            "optimizer finds them.",
            edits=(
                ("nn.Parameter(down)", "down.requires_grad_()"),
                ("nn.Parameter(torch", "(torch"),
            ),
            loses=(PARAMETERS,),
        ),
        Mistake(
            name="layers in place of matrices",
            hint="down and up are parameters of the adapter itself, not nn.Linear "
            "layers with a weight inside.",
            edits=(
                (
                    "self.down = nn.Parameter(down)",
                    "self.down = nn.Linear(linear.in_features, rank, False, **like)",
                ),
            ),
            loses=(PARAMETERS,),
        ),
        Mistake(
            name="shapes turned around",
            hint="down is (rank, in) and up is (out, rank): output first, as in "
            "nn.Linear.",
            edits=(
                (
                    "torch.randn(rank, linear.in_features",
                    "torch.randn(linear.in_features, rank",
                ),
                (
                    "torch.zeros(linear.out_features, rank",
                    "torch.zeros(rank, linear.out_features",
                ),
                ("self.down.T @ self.up.T", "self.down @ self.up"),
                ("self.up @ self.down", "(self.down @ self.up).T"),
            ),
            loses=(PARAMETERS,),
        ),
        Mistake(
            name="always float32",
            hint="Your parameters have torch's default data type; take that of "
            "linear.weight.",
            edits=(
                (
                    "like = {",
                    "like = {} and {",
                ),
            ),
            loses=(PARAMETERS,),
        ),
        Mistake(
            name="scale forgotten",
            hint="Multiply the narrow pair by scale.",
            edits=(("self.scale * (x", "(x"),),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="x gets no gradient",
            hint="You run linear under no_grad or detach x: its parameters are "
            "frozen, but the gradient must still flow through it to x.",
            edits=(("self.linear(x)", "self.linear(x.detach())"),),
            loses=(GRADIENTS,),
        ),
        Mistake(
            name="pair gets no gradient",
            hint="Your matrices are detached in forward, so they never learn.",
            edits=(
                (
                    "self.down.T @ self.up.T",
                    "self.down.detach().T @ self.up.detach().T",
                ),
            ),
            loses=(GRADIENTS,),
        ),
        Mistake(
            name="merged into linear itself",
            hint="merged() changes self.linear. Make a new layer, and leave the old "
            "one alone.",
            edits=(
                (
                    "one = nn.Linear(n, out, bias=self.linear.bias is not None)",
                    "one = self.linear",
                ),
                ("one = one.to(self.linear.weight)", "one = one"),
                ("one.load_state_dict(self.linear.state_dict())", "one = one"),
            ),
            loses=(MERGED,),
        ),
        Mistake(
            name="merged without scale",
            hint="The merged weight needs scale too.",
            edits=(("+= self.scale * (", "+= ("),),
            loses=(MERGED,),
        ),
        Mistake(
            name="merged with a bias of its own",
            hint="merged() must have a bias exactly if linear has one, and the same.",
            edits=(
                ("bias=self.linear.bias is not None", "bias=True"),
                (
                    "one.load_state_dict(self.linear.state_dict())",
                    "one.load_state_dict(self.linear.state_dict(), strict=False)",
                ),
            ),
            loses=(MERGED,),
        ),
        Mistake(
            name="merged lost the bias",
            hint="The new nn.Linear starts with a random bias: copy that of linear.",
            edits=(
                (
                    "one.load_state_dict(self.linear.state_dict())",
                    "one.weight.data.copy_(self.linear.weight)",
                ),
            ),
            loses=(MERGED,),
        ),
        Mistake(
            name="merged shares the bias",
            hint="The merged layer and the adapter hold the same bias tensor, so a "
            "change of one changes the other: copy the numbers.",
            edits=(
                (
                    "return one",
                    "one.bias = self.linear.bias\n        return one",
                ),
            ),
            loses=(MERGED,),
        ),
    ),
)
