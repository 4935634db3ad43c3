"""Ghost batches: a BatchNorm module whose statistics come from parts of the batch."""

from typing import Any

import torch
from torch import Tensor, nn

from layers_book.coursework import (
    Mistake,
    Question,
    custom_run,
    distinct,
    module_run,
    varied,
)


def module_case(
    generator: torch.Generator,
) -> tuple[dict[str, Any], list[Tensor], Tensor]:
    """A batch for training, of two ghost batches or one, and another for eval mode."""
    c, length = distinct(generator, 2, low=3)
    if generator.initial_seed() == 0:
        x = [varied(generator, n, c, length) for n in (5, 4)]
        return {"num_features": c, "ghost_size": 3}, x[:1], x[1]
    x = [3 * varied(generator, n, c) + 2 for n in (4, 1)]
    kwargs = {"num_features": c, "ghost_size": 6, "eps": 0.1, "momentum": 0.3}
    return kwargs, x[:1], x[1]


def images(generator: torch.Generator) -> dict[str, Any]:
    """Maps of which one channel is constant, with the channels last in memory."""
    c, h, w = distinct(generator, 3, low=4)
    x = torch.randn(5, h, w, c, generator=generator, dtype=torch.float64)
    x[..., 0] = 3.0
    return {"size": 2, "x": x.movedim(3, 1)}


def forward(answer, size, x):
    yield "configuration", f"x {tuple(x.shape)}, ghost_size={size}"
    module = answer(x.shape[1], size).double().train()
    x.requires_grad_()
    y = call(module, x)  # noqa: F821
    yield "the output in training mode, images", y
    leaves = {"x": x, "weight": module.weight, "bias": module.bias}
    found = gradients(y, list(leaves.values()))  # noqa: F821
    for name, gradient in zip(leaves, found, strict=True):
        yield f"the gradient with respect to {name}, images", gradient
    for name in ("running_mean", "running_var"):
        yield f"{name}, images", getattr(module, name)


def cumulative_case(generator: torch.Generator) -> dict[str, Any]:
    """Batches that hold different numbers of ghost batches."""
    c = 3 + generator.initial_seed()
    batches = [varied(generator, n, c) + 2 for n in (4, 2, 5)]
    return {"c": c, "batches": batches}


def cumulative(answer, c, batches):
    *early, late = batches
    module = answer(c, ghost_size=2, momentum=None).double()
    module.train()
    for batch in early:
        call(module, batch)  # noqa: F821
    stored = ("running_mean", "running_var")
    for name in stored:
        yield f"momentum=None: {name}", getattr(module, name)
    module.eval()
    yield "momentum=None: the output in eval mode", call(module, late)  # noqa: F821
    other = answer(c, ghost_size=3, momentum=None).double()
    other.load_state_dict(module.state_dict())
    call(other.train(), late)  # noqa: F821
    for name in stored:
        yield f"momentum=None: {name} of a new module", getattr(other, name)


def reference(variant: dict[str, Any]) -> Any:
    """torch's own BatchNorm, called on one ghost batch after the other."""
    norm = nn.modules.batchnorm._BatchNorm

    class GhostBatchNorm(norm):  # type: ignore[misc, valid-type]
        def __init__(
            self,
            num_features: int,
            ghost_size: int,
            eps: float = 1e-5,
            momentum: float | None = 0.1,
        ) -> None:
            super().__init__(num_features, eps, momentum)
            self.ghost_size = ghost_size

        def _check_input_dim(self, input: Tensor) -> None:
            pass

        def forward(self, input: Tensor) -> Tensor:
            step = self.ghost_size if self.training else len(input)
            parts = input.split(step)
            return torch.cat([norm.forward(self, part) for part in parts])

    return GhostBatchNorm


STORED = "the buffers"
CUMULATIVE = "momentum=None"
OUTPUT, EVAL = "the output in training mode", "the output in eval mode"
GRADIENT = "the gradient"
QUESTION = Question(
    name="ghost",
    title="Ghost batches",
    answer="GhostBatchNorm",
    reference=reference,
    run=(
        module_run(module_case, configurations=2),
        custom_run(forward, images, configurations=1),
        custom_run(cumulative, cumulative_case, configurations=1),
    ),
    parts={
        f"{OUTPUT} | the inputs after the call | the parameters | weight | bias"
        " | the output in float32 in train": 2,
        GRADIENT: 2,
        f"{STORED} | running_ | whether running_": 2,
        f"{EVAL} | the output in float32 in eval"
        " | the gradient with respect to x in eval"
        " | the gradient with respect to weight in eval"
        " | the gradient with respect to bias in eval": 1,
        CUMULATIVE: 1,
    },
    forbid=("batch_norm", "instance_norm", "layer_norm", "group_norm"),
    mistakes=(
        Mistake(
            name="one batch",
            hint="The statistics come from ghost_size samples each, not from the whole "
            "batch.",
            edits=(("x.split(self.ghost_size)", "[x]"),),
            loses=(OUTPUT, GRADIENT, STORED),
        ),
        Mistake(
            name="ghost_size as a number of parts",
            hint="ghost_size counts samples: the first ghost batch are samples 0 to "
            "ghost_size - 1.",
            edits=(("x.split(self.ghost_size)", "x.chunk(self.ghost_size)"),),
            loses=(OUTPUT, STORED),
        ),
        Mistake(
            name="last samples dropped",
            hint="The last ghost batch may be smaller, but belongs to the output.",
            edits=(
                (
                    "x.split(self.ghost_size)",
                    "x[: max(len(x) // self.ghost_size, 1) * self.ghost_size]"
                    ".split(self.ghost_size)",
                ),
            ),
            loses=(OUTPUT, STORED),
        ),
        Mistake(
            name="buffers from the whole batch",
            hint="Each ghost batch updates the buffers, one after the other, with "
            "its own statistics.",
            edits=(
                (
                    "        for ghost in x.split(self.ghost_size):\n",
                    "        for ghost in x.split(self.ghost_size):\n"
                    "            first = not outputs\n",
                ),
                (
                    "                self.num_batches_tracked += 1\n",
                    "                if not first:\n"
                    "                    continue\n"
                    "                mean, ghost = x.mean(dims), x\n"
                    "                self.num_batches_tracked += 1\n",
                ),
            ),
            loses=(STORED, CUMULATIVE),
        ),
        Mistake(
            name="biased running variance",
            hint="The biased variance normalizes, the unbiased one goes into the "
            "buffer.",
            edits=(("lerp_(ghost.var(dims), share)", "lerp_(var, share)"),),
            loses=(STORED, EVAL),
        ),
        Mistake(
            name="normalized with the unbiased variance",
            hint="The biased variance normalizes, the unbiased one goes into the "
            "buffer.",
            edits=(("ghost.var(dims, correction=0)", "ghost.var(dims)"),),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="momentum the wrong way round",
            hint="momentum is the share of the new statistics, not of the old ones.",
            edits=(
                (
                    "share = self.momentum\n",
                    "share = None if self.momentum is None else 1 - self.momentum\n",
                ),
            ),
            loses=(STORED, EVAL),
        ),
        Mistake(
            name="batch statistics in eval mode",
            hint="In eval mode the buffers normalize; self.training tells the mode.",
            edits=(("if not self.training:", "if False:"),),
            loses=(EVAL,),
        ),
        Mistake(
            name="buffers in training mode",
            hint="In training mode each ghost batch is normalized with its own "
            "statistics; the buffers are for eval mode.",
            edits=(
                (
                    "self.scale(ghost, mean, var)",
                    "self.scale(ghost, self.running_mean.clone(), "
                    "self.running_var.clone())",
                ),
            ),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="detached statistics",
            hint="Mean and variance depend on x, and the gradient must flow through "
            "them; only the buffers carry no graph.",
            edits=(
                (
                    "mean, var = ghost.mean(dims), ghost.var(dims, correction=0)",
                    "mean = ghost.mean(dims).detach()\n"
                    "            var = ghost.var(dims, correction=0).detach()",
                ),
            ),
            loses=(GRADIENT,),
        ),
        Mistake(
            name="graph in the buffers",
            hint="Update the buffers under torch.no_grad(), or each batch drags the "
            "graphs of all before it along.",
            edits=(
                ("with torch.no_grad():", "if True:"),
                (
                    "self.running_mean.lerp_(mean, share)",
                    "self.running_mean = self.running_mean.lerp(mean, share)",
                ),
                (
                    "self.running_var.lerp_(ghost.var(dims), share)",
                    "self.running_var = self.running_var.lerp(ghost.var(dims), share)",
                ),
            ),
            loses=(STORED,),
        ),
        Mistake(
            name="statistics in plain attributes",
            hint="A plain attribute is missing from the state_dict and stays behind at "
            ".to(): use register_buffer.",
            edits=(
                (
                    'self.register_buffer("running_mean", torch.zeros(num_features))',
                    "self.running_mean = torch.zeros(num_features)",
                ),
                (
                    'self.register_buffer("running_var", torch.ones(num_features))',
                    "self.running_var = torch.ones(num_features)",
                ),
                (
                    "with torch.no_grad():\n",
                    "with torch.no_grad():\n"
                    "                self.running_mean = self.running_mean.to(x)\n"
                    "                self.running_var = self.running_var.to(x)\n",
                ),
            ),
            loses=(STORED,),
        ),
        Mistake(
            name="statistics in parameters",
            hint="An optimizer would train these: statistics belong in buffers.",
            edits=(
                (
                    'self.register_buffer("running_mean", torch.zeros(num_features))',
                    "self.running_mean = nn.Parameter(torch.zeros(num_features))",
                ),
                (
                    'self.register_buffer("running_var", torch.ones(num_features))',
                    "self.running_var = nn.Parameter(torch.ones(num_features))",
                ),
            ),
        ),
        Mistake(
            name="running variance starts at 0",
            hint="running_var starts at 1, so that a fresh layer in eval mode changes "
            "nothing.",
            edits=(
                (
                    '("running_var", torch.ones(num_features))',
                    '("running_var", torch.zeros(num_features))',
                ),
            ),
            loses=(STORED, EVAL),
        ),
        Mistake(
            name="eps outside the root",
            hint="eps is added to the variance, under the root.",
            edits=(
                (
                    "torch.sqrt(var.view(shape) + self.eps)",
                    "(torch.sqrt(var.view(shape)) + self.eps)",
                ),
            ),
            loses=(OUTPUT, EVAL),
        ),
        Mistake(
            name="no weight and bias",
            hint="weight and bias are learned: an nn.Parameter each, applied in both "
            "modes.",
            edits=(
                ("x_hat * self.weight.view(shape) + self.bias.view(shape)", "x_hat"),
            ),
            loses=(OUTPUT, GRADIENT, EVAL),
        ),
        Mistake(
            name="vectors only",
            hint="Behind the channels there may be axes: they belong to the "
            "statistics, and weight must line up with axis 1.",
            edits=(("[d for d in range(x.dim()) if d != 1]", "[0]"),),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="momentum=None as 0.1",
            hint="With momentum=None each ghost batch so far has the same weight: "
            "the share of the newest is one over their number.",
            edits=(("share = 1 / self.num_batches_tracked.item()", "share = 0.1"),),
            loses=(CUMULATIVE,),
        ),
        Mistake(
            name="count in a plain attribute",
            hint="The count must travel with the state_dict: keep it in a buffer.",
            edits=(
                (
                    'self.register_buffer("num_batches_tracked", torch.tensor(0))',
                    "self.num_batches_tracked = torch.tensor(0)",
                ),
            ),
            loses=(CUMULATIVE,),
        ),
        Mistake(
            name="batches counted instead of ghost batches",
            hint="Count every ghost batch, not every call of forward.",
            edits=(
                ("                self.num_batches_tracked += 1\n", ""),
                (
                    "        outputs = []\n",
                    "        outputs = []\n        self.num_batches_tracked += 1\n",
                ),
            ),
            loses=(CUMULATIVE,),
        ),
        Mistake(
            name="counted after the update",
            hint="The share of the newest is one over the number so far, itself "
            "included: the first one replaces the start.",
            edits=(
                (
                    "1 / self.num_batches_tracked.item()",
                    "1 / (self.num_batches_tracked.item() + 1)",
                ),
            ),
            loses=(CUMULATIVE,),
        ),
    ),
)
