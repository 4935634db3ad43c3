"""Exercises of the page normalization/switchable_norm."""

from typing import Any

import torch
from torch import Generator, Tensor

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    measure_run,
    module_run,
    value_run,
    varied,
)
from layers_book.exercises.normalization import FORBIDDEN, OTHER_DEFAULTS


def _arguments(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Statistics of N samples with C channels, and a divisor of C."""
    groups, size = distinct(generator, 2)
    n = int(torch.randint(2, 6, (), generator=generator))
    case = generator.initial_seed() % 4
    groups, size = {2: (1, size), 3: (groups, 1)}.get(case, (groups, size))
    shape = (n, groups * size)
    mean = torch.randn(shape, generator=generator, dtype=torch.float64) * 2
    var = torch.rand(shape, generator=generator, dtype=torch.float64) * 3 + 0.1
    return (mean.requires_grad_(), var.requires_grad_(), groups), {}


def _reference(mean_in: Tensor, var_in: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """The mean of the variances, and the variance of the means."""
    means = mean_in.unflatten(1, (groups, -1))  # (N, groups, C / groups)
    inside = var_in.unflatten(1, (groups, -1)).mean(-1)
    return means.mean(-1), inside + means.var(-1, correction=0)


GROUP_STATISTICS = Exercise(
    name="switchable_norm/group_statistics",
    solution="""
        def group_statistics(mean_in, var_in, groups):
            means = mean_in.unflatten(1, (groups, -1))  # (N, groups, C // groups)
            second = (var_in + mean_in**2).unflatten(1, (groups, -1))
            mean = means.mean(-1)  # (N, groups)
            return mean, second.mean(-1) - mean**2
    """,
    reference=_reference,
    run=function_run(_arguments, names=("mean_in", "var_in", "groups")),
    mistakes=[
        (
            "(var_in + mean_in**2)",
            "var_in",
            " - mean**2",
            "",
            "Your mean is right; your variance is the mean of the variances, which "
            "leaves out how far the channels' means lie apart: average the second "
            "moment var_in + mean_in**2 and subtract the square of the group's mean.",
        ),
        (
            "var_in + mean_in**2",
            "mean_in**2",
            "Your variance sees the channels' means only: the variances inside the "
            "channels, var_in, belong to it too.",
        ),
        (
            " - mean**2",
            "",
            "You return the second moment E[x²] in place of the variance: subtract "
            "the square of the group's mean.",
        ),
        (
            "second.mean(-1) - mean**2",
            "var_in.unflatten(1, (groups, -1)).mean(-1) + means.var(-1)",
            "The variance of the channels' means must divide by their number, not by "
            "one less: use correction=0.",
        ),
        (
            "(groups, -1)",
            "(-1, groups)",
            ".mean(-1)",
            ".mean(1)",
            "A group is a run of neighboring channels: reshape (N, C) to "
            "(N, groups, C // groups), not to (N, C // groups, groups).",
        ),
        (
            "(groups, -1)",
            "(-1, groups)",
            "`groups` is the number of groups, not the number of channels in one.",
        ),
        (
            "(groups, -1)",
            "(1, -1)",
            "You average over all channels, as LayerNorm does: return one pair for "
            "each of the `groups` groups.",
        ),
        (
            ".unflatten(1, (groups, -1))",
            "",
            ".mean(-1)",
            ".mean(0)",
            "You average over the samples, as BatchNorm does: a group lies within one "
            "sample.",
        ),
        (
            "return mean, second.mean(-1) - mean**2",
            "return second.mean(-1) - mean**2, mean",
            "You return the variance first: the order is mean, variance.",
        ),
        (
            "second.mean(-1) - mean**2",
            "(second.mean(-1) - mean**2).sqrt()",
            "You return the standard deviation: return the variance, without the root.",
        ),
        (
            "mean, second.mean(-1) - mean**2",
            "means.sum(-1), (second - mean[..., None] ** 2).sum(-1)",
            "You sum over the channels of a group: take the mean.",
        ),
        (
            "var_in + mean_in**2",
            "var_in.sqrt() + mean_in**2",
            "You average standard deviations; average variances.",
        ),
    ],
)


def _batches(generator: Generator) -> tuple[dict[str, Any], list[Tensor], Tensor]:
    """Constructor arguments and batches, none with a mean far beyond its spread.

    There the page's one-look formula loses digits that the three-look one keeps.
    """
    n, c, length = distinct(generator, 3)
    far = generator.initial_seed() % 6 == 4

    def batch(n: int) -> Tensor:
        x = varied(generator, n, c, length)
        return (x - 1e4) / 30 + 1 if far else x

    kwargs: dict[str, Any] = {"num_features": c}
    if generator.initial_seed() % 3:
        eps = (1e-3, 0.1)[int(torch.randint(0, 2, (), generator=generator))]
        kwargs |= {"eps": eps, "momentum": 0.3}
    return kwargs, [batch(n), batch(n + 1), batch(n)], batch(n)


MODULE = Exercise(
    name="switchable_norm/module",
    solution="""
        def mix(parts, logits):
            return sum(w * part for w, part in zip(logits.softmax(0), parts, strict=True))


        class SwitchNorm1d(nn.Module):
            def __init__(self, num_features, eps=1e-5, momentum=0.1):
                super().__init__()
                self.eps, self.momentum = eps, momentum
                self.weight = nn.Parameter(torch.ones(num_features))
                self.bias = nn.Parameter(torch.zeros(num_features))
                self.mean_weight = nn.Parameter(torch.ones(3))
                self.var_weight = nn.Parameter(torch.ones(3))
                self.register_buffer("running_mean", torch.zeros(num_features))
                self.register_buffer("running_var", torch.ones(num_features))

            def forward(self, x):  # (N, C, L)
                axes = (2,), (1, 2), (0, 2)  # IN, LN, BN
                means = [x.mean(dims, keepdim=True) for dims in axes]
                variances = [x.var(dims, keepdim=True, correction=0) for dims in axes]
                if self.training:
                    with torch.no_grad():
                        unbiased = x.var((0, 2), correction=1)  # (C,)
                        self.running_mean.lerp_(x.mean((0, 2)), self.momentum)
                        self.running_var.lerp_(unbiased, self.momentum)
                else:
                    means[2] = self.running_mean[:, None]
                    variances[2] = self.running_var[:, None]
                mean, var = mix(means, self.mean_weight), mix(variances, self.var_weight)
                y = (x - mean) / torch.sqrt(var + self.eps)
                return y * self.weight[:, None] + self.bias[:, None]
    """,  # noqa: E501
    run=module_run(_batches),
    forbid=FORBIDDEN,
    mistakes=[
        *OTHER_DEFAULTS,
        (
            "momentum=0.1",
            "momentum=0.9",
            "Where the caller gives no momentum, yours is 0.9: as in torch, it is the "
            "share of the new batch, and the default is 0.1.",
        ),
        (
            "variances = [x.var(dims, keepdim=True, correction=0) for dims in axes]",
            "second = x.var(2, keepdim=True) + means[0] ** 2\n"
            "        variances = [second - means[0] ** 2]\n"
            "        for axis in (1, 0):\n"
            "            mean = second.mean(axis, keepdim=True)\n"
            "            variances.append(mean - means[2 - axis] ** 2)",
            "IN's variance divides by n - 1 here, as in the paper's code, and so LN's "
            "and BN's, made from it, are wrong too: use correction=0.",
        ),
        (
            "correction=1",
            "correction=0",
            "You store the biased variance, as the page's SwitchNorm2d does; this "
            "exercise asks for nn.BatchNorm1d's running_var, the unbiased one: times "
            "n / (n - 1) with n = N * L.",
        ),
        (
            "correction=0",
            "correction=1",
            "You normalize with variances that divide by n - 1: use correction=0, and "
            "the unbiased one for running_var alone.",
        ),
        (
            "        else:\n"
            "            means[2] = self.running_mean[:, None]\n"
            "            variances[2] = self.running_var[:, None]\n",
            "",
            "In eval mode BN's part must use running_mean and running_var, not the "
            "statistics of the batch.",
        ),
        (
            "        if self.training:\n            with",
            "        with",
            "        else:",
            "        if not self.training:",
            "The running statistics move in eval mode: update them in training only.",
        ),
        (
            "logits.softmax(0)",
            "logits",
            "You use mean_weight and var_weight as they are: take their softmax, so "
            "that the weights are positive and sum to 1.",
        ),
        (
            "mix(variances, self.var_weight)",
            "mix(variances, self.mean_weight)",
            "You mix the variances with the means' weights: they have their own, "
            "var_weight.",
        ),
        (
            ", parts, strict",
            ", parts[::-1], strict",
            "The logits stand in the order IN, LN, BN; you read them the other way.",
        ),
        (
            "(1, 2)",
            "(1,)",
            "Your LN averages over the channels at each position; SwitchableNorm's "
            "averages over channels and positions together.",
        ),
        (
            ", self.momentum)",
            ", 1 - self.momentum)",
            "momentum is the share of the *new* batch: "
            "running = (1 - momentum) * running + momentum * new.",
        ),
        (
            "            with torch.no_grad():\n",
            "",
            "Your running statistics carry a graph: update them in place under "
            "torch.no_grad().",
        ),
        (
            "mix(variances, self.var_weight)",
            "mix([torch.sqrt(v + self.eps) for v in variances], self.var_weight)",
            "torch.sqrt(var + self.eps)",
            "var",
            "You mix standard deviations: mix the variances, then add eps and take "
            "the root.",
        ),
        (
            "y = (x - mean) / torch.sqrt(var + self.eps)",
            "pairs = zip(means, variances, strict=True)\n"
            "        outputs = [(x - m) / torch.sqrt(v + self.eps) for m, v in pairs]\n"
            "        y = mix(outputs, self.mean_weight)",
            "You mix three normalized outputs: mix the statistics and normalize once.",
        ),
        (
            "torch.sqrt(var + self.eps)",
            "(torch.sqrt(var) + self.eps)",
            "You add eps to the standard deviation; it belongs to the mixed variance, "
            "inside the square root.",
        ),
    ],
)

BATCH_OF_ONE = Exercise(
    name="switchable_norm/batch_of_one",
    solution="""
        answer = [
            (1 + 2.5 + 1) / 3, (1 + 2.75 + 1) / 3,  # channel 0: 1.5 and 1.5833
            (4 + 2.5 + 4) / 3, (0 + 2.75 + 0) / 3,  # channel 1: 3.5 and 0.9167
        ]
    """,
    run=value_run(5e-3),
    mistakes=[
        (
            [1.5, 2.5 / 3, 3.5, 0.5 / 3],
            "Your LN variance is the mean of the two channels' variances; it must "
            "include how far their means, 1 and 4, lie apart.",
        ),
        (
            [1.5, 23 / 9, 3.5, 11 / 9],
            "Your variances divide by n - 1: all three are the biased ones.",
        ),
        (
            [3.5 / 3, 19 / 12, 6.5 / 3, 1.25],
            "You took BN's running statistics, 0 and 1, which belong to eval mode: in "
            "training the batch's own are used, here those of the one sample.",
        ),
        (
            [1.75, 1.875, 3.25, 1.375],
            "You weigh IN and LN by a half each: BN is there too, and with one sample "
            "its statistics are IN's.",
        ),
    ],
)


def _logits(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Signals whose channels and samples differ in spread, and two sets of logits."""
    n, c, length = distinct(generator, 3)
    x = torch.randn(n, c, length, generator=generator, dtype=torch.float64)
    size = torch.rand(n, c, 1, generator=generator, dtype=torch.float64) * 4 + 0.2
    x = x * size + torch.randn(n, c, 1, generator=generator, dtype=torch.float64)
    logits = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    kwargs = {"eps": 0.1} if generator.initial_seed() % 3 else {}
    tensors = (x, *logits)
    return tuple(t.detach().requires_grad_() for t in tensors), kwargs


REPAIR = Exercise(
    name="switchable_norm/repair",
    solution="""
        def switch_norm_1d(x, mean_logits, var_logits, eps=1e-5):  # (N, C, L), (3,), (3,)
            axes = (2,), (1, 2), (0, 2)  # IN, LN, BN
            means = [x.mean(dims, keepdim=True) for dims in axes]
            variances = [x.var(dims, keepdim=True, correction=0) for dims in axes]
            mean = sum(w * m for w, m in zip(mean_logits.softmax(0), means, strict=True))
            var = sum(w * v for w, v in zip(var_logits.softmax(0), variances, strict=True))
            return (x - mean) / torch.sqrt(var + eps)
    """,  # noqa: E501
    run=function_run(_logits, names=("x", "mean_logits", "var_logits")),
    mistakes=[
        (
            "x.var(",
            "x.std(",
            "(var + eps)",
            "(var**2 + eps)",
            "You mix standard deviations and square their mean, which is smaller than "
            "the mean of the variances: mix variances.",
        ),
        (
            "x.var(",
            "x.std(",
            "torch.sqrt(var + eps)",
            "(var + eps)",
            "You mix standard deviations, and add eps to them: mix variances, add eps, "
            "then take the root.",
        ),
        (
            "var_logits.softmax",
            "mean_logits.softmax",
            "You mix the variances with the means' weights: they have their own, "
            "var_logits.",
        ),
        (
            "correction=0",
            "correction=1",
            "Your variances divide by n - 1: all three are the biased ones.",
        ),
        (
            ".softmax(0)",
            "",
            "You use the logits as weights: take their softmax, so that the weights "
            "are positive and sum to 1.",
        ),
    ],
)

CHANGE = Exercise(
    name="switchable_norm/change",
    setup="""
        def three_statistics(x):
            axes = (2, 3), (1, 2, 3), (0, 2, 3)
            means = [x.mean(dims, keepdim=True) for dims in axes]
            variances = [x.var(dims, keepdim=True, correction=0) for dims in axes]
            return means, variances


        def mix(parts, logits):
            instance, layer, batch = logits.softmax(0)
            return instance * parts[0] + layer * parts[1] + batch * parts[2]


        class SwitchNorm2d(nn.Module):
            def __init__(self, num_features, eps=1e-5, momentum=0.1):
                super().__init__()
                self.eps, self.momentum = eps, momentum
                self.weight = nn.Parameter(torch.ones(num_features))
                self.bias = nn.Parameter(torch.zeros(num_features))
                self.mean_weight = nn.Parameter(torch.ones(3))
                self.var_weight = nn.Parameter(torch.ones(3))
                self.register_buffer("running_mean", torch.zeros(num_features, 1, 1))
                self.register_buffer("running_var", torch.ones(num_features, 1, 1))

            def forward(self, x):
                means, variances = three_statistics(x)
                if self.training:
                    with torch.no_grad():
                        self.running_mean.lerp_(means[2][0], self.momentum)
                        self.running_var.lerp_(variances[2][0], self.momentum)
                else:
                    means[2], variances[2] = self.running_mean, self.running_var
                mean, var = mix(means, self.mean_weight), mix(variances, self.var_weight)
                x_hat = (x - mean) / torch.sqrt(var + self.eps)
                return x_hat * self.weight[:, None, None] + self.bias[:, None, None]


        def change(norm, seed):
            torch.manual_seed(seed)
            sample, old, new = torch.randn(7, 6, 5, 5).double().split([1, 3, 3])
            before, after = norm(torch.cat([sample, old])), norm(torch.cat([sample, new]))
            return (after[0] - before[0]).square().mean().sqrt().item()
    """,  # noqa: E501
    solution="""
        batch_norm = nn.BatchNorm2d(6).double()
        switch_norm = SwitchNorm2d(6).double()
        alone = torch.tensor([change(batch_norm, seed) for seed in range(8)])
        mixed = torch.tensor([change(switch_norm, seed) for seed in range(8)])
        difference = alone - mixed  # (seeds,)
        answer = (difference.mean(), difference.std() / 8**0.5)
    """,
    run=measure_run("alone", "mixed"),
    mistakes=[
        (
            "nn.BatchNorm2d(6)",
            "nn.InstanceNorm2d(6)",
            "Your first norm does not look at other samples at all: take "
            "nn.BatchNorm2d(6), in training mode.",
        ),
        (
            "switch_norm = SwitchNorm2d(6).double()",
            "switch_norm = SwitchNorm2d(6).double().eval()",
            "Your SwitchNorm2d is in eval mode, where no other sample counts: leave it "
            "in training mode.",
        ),
    ],
)

EXERCISES = (BATCH_OF_ONE, REPAIR, GROUP_STATISTICS, MODULE, CHANGE)
