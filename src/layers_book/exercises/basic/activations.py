"""Exercises of the page basic/activations."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    measure_run,
    module_run,
    signed,
    value_run,
)

EDGES = Exercise(
    name="activations/edges",
    solution="""
        answer = [-1.0, 1.0, 6.0, 1.5, 0.0]
    """,
    run=value_run(),
    mistakes=[
        (
            [0.5, 1.0, 6.0, 1.5, 0.0],
            "Look at Threshold: what equals the threshold does not pass, and is "
            "replaced by the value.",
        ),
        (
            [0.0, 1.0, 6.0, 1.5, 0.0],
            "Look at Threshold: what does not pass becomes the value, not 0.",
        ),
        (
            [-1.0, 3.0, 6.0, 1.5, 0.0],
            "Look at Hardtanh: it cuts off on both sides.",
        ),
        (
            [-1.0, 1.0, 7.0, 1.5, 0.0],
            "Look at ReLU6: the 6 in its name is a bound.",
        ),
        (
            [-1.0, 1.0, 6.0, 2.0, 0.0],
            "Look at Softshrink: what is far from 0 is moved toward it as well. "
            "Hardshrink would leave 2 alone.",
        ),
        (
            [-1.0, 1.0, 6.0, 1.5, -3.0],
            "Look at Hardswish: it is z times Hardsigmoid, and that is 0 at -3.",
        ),
    ],
)


def _logits(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Shifted, spread and masked scores; softmax over any axis, counted either way."""
    index = generator.initial_seed()
    axes = (2, 3, 1, 2, 4, 3)[index % 6]
    sizes = distinct(generator, axes)
    dim = int(torch.randint(axes, (), generator=generator)) if index else 0
    x = torch.randn(*sizes, generator=generator, dtype=torch.float64)
    if index % 4 == 1:
        x = x + 2000 * signed(
            generator, *(s if a != dim else 1 for a, s in enumerate(sizes))
        )
    elif index % 4 == 2:
        x = x * 400
    elif index % 4 == 3:
        x.select(dim, 0).fill_(-torch.inf)
    return (x.requires_grad_(), dim - axes if index % 2 else dim), {}


SOFTMAX = Exercise(
    name="activations/softmax",
    solution="""
        def softmax(x, dim):
            e = torch.exp(x - x.amax(dim, keepdim=True))
            return e / e.sum(dim, keepdim=True)
    """,
    reference=F.softmax,
    run=function_run(_logits, names=("x", "dim")),
    forbid=(
        "softmax",
        "softmin",
        "logsumexp",
        "logcumsumexp",
        "cross_entropy",
        "scaled_dot_product",
    ),
    mistakes=[
        (
            " - x.amax(dim, keepdim=True)",
            "",
            "exp overflows for large scores: subtract the largest one along dim first, "
            "which changes nothing else.",
        ),
        (
            "(dim, keepdim",
            "(-1, keepdim",
            "You always use the last axis; use dim in each step.",
        ),
        (
            "(dim, keepdim",
            "(0, keepdim",
            "You always use the first axis; use dim in each step.",
        ),
        (
            "x.amax(dim, keepdim=True)",
            "x.max()",
            "e.sum(dim, keepdim=True)",
            "e.sum()",
            "You take maximum and sum over the whole tensor: take both along dim, with "
            "keepdim=True.",
        ),
        (
            "x.amax(dim, keepdim=True)",
            "x.max()",
            "You subtract one maximum from everything. A row far below it becomes all "
            "zeros, and 0 / 0 is nan: take the maximum along dim.",
        ),
        (
            "x.amax",
            "x.mean",
            "You subtract the mean; what lies far above it still overflows. Subtract "
            "the maximum along dim.",
        ),
        (
            "x.amax",
            "x.amin",
            "You subtract the minimum, which makes all exponents positive, where exp "
            "overflows; subtract the maximum.",
        ),
        (
            "x - x.amax(dim, keepdim=True)",
            "x.clamp(-80, 80)",
            "You clamp the scores: no overflow, but all scores beyond the bound become "
            "equal. Subtract the maximum instead.",
        ),
        (
            "torch.exp",
            "",
            "The exponential is missing: divide exp(x - maximum) by its sum.",
        ),
        (
            " / e.sum(dim, keepdim=True)",
            "",
            "The values do not sum to 1 along dim yet: divide by their sum.",
        ),
        (
            "e.sum(dim, keepdim=True)",
            "e.sum()",
            "Your sum runs over all axes: use sum(dim, keepdim=True), so that each "
            "slice along dim sums to 1.",
        ),
        (
            "e.sum(dim, keepdim=True)",
            "(e.sum(dim, keepdim=True) + 1e-3)",
            "No eps is needed: the largest term is exp(0) = 1, so the sum is at least "
            "1.",
        ),
        (
            "e / e.sum(dim, keepdim=True)",
            "(e / e.sum(dim, keepdim=True)).log()",
            "You return the logarithm; return the probabilities themselves.",
        ),
        (
            "e / e.sum(dim, keepdim=True)",
            "(e / e.sum(dim, keepdim=True)).detach()",
            "The output is right, but no gradient flows: do not detach it.",
        ),
        (
            "e = torch.exp(x - x.amax(dim, keepdim=True))",
            "x -= x.detach().amax(dim, keepdim=True)\n    e = torch.exp(x)",
            "You change the caller's x: write x - maximum, not x -= maximum.",
        ),
    ],
)


def _batches(generator: Generator) -> tuple[dict[str, Any], list[Tensor], Tensor]:
    index = generator.initial_seed()
    dim, hidden, *sizes = distinct(generator, 3 + index % 2)
    batches = [
        2 * torch.randn(*sizes, dim, generator=generator, dtype=torch.float64)
        for _ in range(3)
    ]
    return {"dim": dim, "hidden": hidden}, batches[:2], batches[2]


SWIGLU = Exercise(
    name="activations/swiglu",
    solution="""
        class SwiGLU(nn.Module):
            def __init__(self, dim, hidden):
                super().__init__()
                self.gate = nn.Linear(dim, hidden, bias=False)
                self.up = nn.Linear(dim, hidden, bias=False)
                self.down = nn.Linear(hidden, dim, bias=False)

            def forward(self, x):
                return self.down(F.silu(self.gate(x)) * self.up(x))
    """,
    # layers may be made in any order, which the initial values would show
    run=module_run(_batches, initial=False),
    mistakes=[
        (
            "F.silu",
            "torch.sigmoid",
            "Your gate is a sigmoid: that is GLU. SwiGLU has SiLU there, z * "
            "sigmoid(z).",
        ),
        ("F.silu", "F.gelu", "Your gate is a GELU: that is GEGLU; use F.silu."),
        ("F.silu", "F.relu", "Your gate is a ReLU: that is ReGLU; use F.silu."),
        (
            "F.silu(self.gate(x)) * self.up(x)",
            "self.gate(x) * F.silu(self.up(x))",
            "You put the SiLU on up(x); it belongs on gate(x).",
        ),
        (
            "self.up(x)",
            "F.silu(self.up(x))",
            "Only gate(x) goes through the SiLU; up(x) stays linear.",
        ),
        (
            "F.silu(self.gate(x))",
            "self.gate(x)",
            "The SiLU is missing: without it the block is a product of two linear "
            "maps.",
        ),
        (
            "F.silu(self.gate(x)) * self.up(x)",
            "F.silu(self.gate(x) * self.up(x))",
            "You multiply first and apply the SiLU to the product; apply it to gate(x) "
            "and multiply afterwards.",
        ),
        (" * ", " + ", "You add the two branches; multiply them."),
        (", bias=False", "", "Here no Linear has a bias: bias=False."),
        (
            "        self.up = nn.Linear(dim, hidden, bias=False)\n",
            "",
            "self.up(x)",
            "self.gate(x)",
            "gate and up are two Linear layers, each with its own weight.",
        ),
        (
            "self.gate = nn.Linear(dim, hidden",
            "self.gate = nn.Linear(dim, 1",
            "Your gate is one number for all features: self.gate = nn.Linear(dim, "
            "hidden, bias=False).",
        ),
        (
            "        self.down = nn.Linear(hidden, dim, bias=False)\n",
            "",
            "self.down(",
            "(",
            "The way back is missing: self.down = nn.Linear(hidden, dim, bias=False).",
        ),
        (
            "self.down(F",
            "x + self.down(F",
            "You add x to the result: the skip connection is not part of this block.",
        ),
    ],
)


def _wide(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Values of usual size, and some for which exp is too large or too small."""
    index = generator.initial_seed()
    sizes = distinct(generator, 1 + index % 3, low=4)
    z = 6 * torch.randn(*sizes, generator=generator, dtype=torch.float64)
    if index:
        far = torch.tensor([900.0, -900.0, 95.0, -60.0], dtype=torch.float64)
        z.view(-1)[:4] = far * (1 + index / 10)
    return (z.requires_grad_(),), {}


SOFTPLUS = Exercise(
    name="activations/softplus",
    solution="""
        def softplus(z):
            small = z.clamp(max=20)
            return torch.where(z > 20, z, torch.log1p(torch.exp(small)))
    """,
    reference=F.softplus,
    run=function_run(_wide, names=("z",)),
    forbid=("softplus", "logsigmoid", "log_sigmoid"),
    mistakes=[
        (
            "torch.exp(small)",
            "torch.exp(z)",
            "The output is right, the gradient is nan: where() multiplies the branch "
            "it does not take by 0, and 0 times infinity is nan. Keep what goes into "
            "exp small as well.",
        ),
        (
            "torch.where(z > 20, z, torch.log1p(torch.exp(small)))",
            "torch.log1p(torch.exp(z))",
            "exp overflows for large z: there the function is z itself.",
        ),
        (
            "torch.where(z > 20, z, torch.log1p(torch.exp(small)))",
            "torch.log1p(torch.exp(small))",
            "Your function stops growing at 20: where z is larger, return z.",
        ),
        (
            "torch.where(z > 20, z, torch.log1p(torch.exp(small)))",
            "z.clamp(min=0)",
            "That is a ReLU: near 0 the function is log(1 + exp(z)).",
        ),
        (
            "torch.exp(small)",
            "torch.exp(small.detach())",
            "The output is right, but no gradient flows below 20: do not detach.",
        ),
        (
            "small = z.clamp(max=20)",
            "small = z.clamp_(max=20)",
            "You change the caller's z: write clamp without the underscore.",
        ),
    ],
)

CENTERED = Exercise(
    name="activations/centered",
    solution="""
        images, labels = digits()[:2]
        images = images.flatten(1)  # (N, 64)


        def silent_units(x, seed):
            torch.manual_seed(seed)
            parts = nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)
            net = nn.Sequential(*parts).double()
            optimizer = torch.optim.SGD(net.parameters(), 2.0)
            for _ in range(10):
                batch = torch.randint(len(x), (100,))
                optimizer.zero_grad()
                F.cross_entropy(net(x[batch]), labels[batch]).backward()
                optimizer.step()
            return (net[0](x) <= 0).all(0).sum().item()


        plain = [silent_units(images, seed) for seed in range(10)]
        centered = [silent_units(images - images.mean(0), seed) for seed in range(10)]
        answer = paired(centered, plain)
    """,
    setup="from helpers import digits, paired",
    run=measure_run("centered", "plain"),
    mistakes=[
        (
            "parameters(), 2.0)",
            "parameters(), 0.1)",
            "At your rate hardly any unit falls silent, with either kind of images: "
            "take the ten steps at 2.0.",
        ),
        (
            ".all(0)",
            ".any(0)",
            "You count units that are at or below 0 for some image; a silent unit is "
            "so for all of them.",
        ),
    ],
)

EXERCISES = (EDGES, SOFTMAX, SWIGLU, SOFTPLUS, CENTERED)
