"""Exercises of the page normalization/switchable_norm."""

from typing import Any

import torch
from torch import Tensor, nn

from layers_book.checking import (
    Exercise,
    Mistake,
    distinct,
    function_run,
    module_run,
    value_run,
    varied,
)

Pair = tuple[Tensor, Tensor]


def group_statistics(mean_in: Tensor, var_in: Tensor, groups: int) -> Pair:
    """Reference: mean and variance of each group of channels, ``(N, groups)`` each."""
    means = mean_in.unflatten(1, (groups, -1))  # (N, groups, C / groups)
    inside = var_in.unflatten(1, (groups, -1)).mean(-1)
    return means.mean(-1), inside + means.var(-1, correction=0)


def _only_inside(mean_in: Tensor, var_in: Tensor, groups: int) -> Pair:
    mean, _ = group_statistics(mean_in, var_in, groups)
    inside: Tensor = var_in.unflatten(1, (groups, -1)).mean(-1)
    return mean, inside


def _only_between(mean_in: Tensor, var_in: Tensor, groups: int) -> Pair:
    return group_statistics(mean_in, torch.zeros_like(var_in), groups)


def _second_moment(mean_in: Tensor, var_in: Tensor, groups: int) -> Pair:
    mean, var = group_statistics(mean_in, var_in, groups)
    return mean, var + mean.square()


def _unbiased(mean_in: Tensor, var_in: Tensor, groups: int) -> Pair:
    mean, inside = _only_inside(mean_in, var_in, groups)
    n = mean_in.shape[1] // groups
    spread = mean_in.reshape(-1, groups, n).var(-1, correction=0)
    return mean, inside + spread * (n / (n - 1) if n > 1 else torch.nan)


def _interleaved(mean_in: Tensor, var_in: Tensor, groups: int) -> Pair:
    def order(x: Tensor) -> Tensor:
        return x.reshape(len(x), -1, groups).mT.flatten(1)

    return group_statistics(order(mean_in), order(var_in), groups)


def _per_group(mean_in: Tensor, var_in: Tensor, groups: int) -> Pair:
    return group_statistics(mean_in, var_in, mean_in.shape[1] // groups)


def _one_group(mean_in: Tensor, var_in: Tensor, groups: int) -> Pair:
    return group_statistics(mean_in, var_in, 1)


def _over_samples(mean_in: Tensor, var_in: Tensor, groups: int) -> Pair:
    mean = mean_in.mean(0)
    return mean, (var_in + mean_in**2).mean(0) - mean.square()


def _summed(mean_in: Tensor, var_in: Tensor, groups: int) -> Pair:
    size = mean_in.shape[1] // groups
    mean, var = group_statistics(mean_in, var_in, groups)
    return mean * size, var * size


def _deviations(mean_in: Tensor, var_in: Tensor, groups: int) -> Pair:
    return group_statistics(mean_in, var_in.sqrt(), groups)


def _group_arguments(
    generator: torch.Generator,
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Statistics of N samples with C channels, and a divisor of C."""
    groups, size = distinct(generator, 2)
    n = int(torch.randint(2, 6, (), generator=generator))
    case = generator.initial_seed() % 4
    groups, size = {2: (1, size), 3: (groups, 1)}.get(case, (groups, size))
    shape = (n, groups * size)
    mean = torch.randn(shape, generator=generator, dtype=torch.float64) * 2
    var = torch.rand(shape, generator=generator, dtype=torch.float64) * 3 + 0.1
    return (mean.requires_grad_(), var.requires_grad_(), groups), {}


GROUP_STATISTICS = Exercise(
    name="switchable_norm/group_statistics",
    reference=group_statistics,
    run=function_run(_group_arguments, names=("mean_in", "var_in", "groups")),
    mistakes=(
        Mistake(
            _only_inside,
            "Your mean is right; your variance is the mean of the variances, which "
            "leaves out how far the channels' means lie apart: average the second "
            "moment var_in + mean_in**2 and subtract the square of the group's mean.",
        ),
        Mistake(
            _only_between,
            "Your variance sees the channels' means only: the variances inside the "
            "channels, var_in, belong to it too.",
        ),
        Mistake(
            _second_moment,
            "You return the second moment E[x²] in place of the variance: subtract "
            "the square of the group's mean.",
        ),
        Mistake(
            _unbiased,
            "The variance of the channels' means must divide by their number, not by "
            "one less: use correction=0.",
        ),
        Mistake(
            _interleaved,
            "A group is a run of neighboring channels: reshape (N, C) to "
            "(N, groups, C // groups), not to (N, C // groups, groups).",
        ),
        Mistake(
            _per_group,
            "`groups` is the number of groups, not the number of channels in one.",
        ),
        Mistake(
            _one_group,
            "You average over all channels, as LayerNorm does: return one pair for "
            "each of the `groups` groups.",
        ),
        Mistake(
            _over_samples,
            "You average over the samples, as BatchNorm does: a group lies within one "
            "sample.",
        ),
        Mistake(_summed, "You sum over the channels of a group: take the mean."),
        Mistake(_deviations, "You average standard deviations; average variances."),
    ),
)


class SwitchNorm1d(nn.Module):
    """Reference: three statistics of ``(N, C, L)``, mixed; ``running_var`` unbiased."""

    correction = 0
    stored_correction = 1
    batch_in_eval = False
    update_in_eval = False
    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1
    ) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.mean_weight = nn.Parameter(torch.ones(3))
        self.var_weight = nn.Parameter(torch.ones(3))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def share(self, logits: Tensor) -> Tensor:
        return logits.softmax(0)

    def moments(self, x: Tensor, dims: tuple[int, ...]) -> Pair:
        var = x.var(dims, keepdim=True, correction=self.correction)
        return x.mean(dims, keepdim=True), var

    def layer(self, x: Tensor) -> Pair:
        return self.moments(x, (1, 2))

    def follow(self, x: Tensor) -> None:
        with torch.no_grad():
            var = x.var((0, 2), correction=self.stored_correction)
            self.running_mean.lerp_(x.mean((0, 2)), self.momentum)
            self.running_var.lerp_(var, self.momentum)

    def batch(self, x: Tensor) -> Pair:
        if self.training or self.update_in_eval:
            self.follow(x)
        if self.training or self.batch_in_eval:
            return self.moments(x, (0, 2))
        return self.running_mean[:, None], self.running_var[:, None]

    def mix(self, parts: list[Tensor], logits: Tensor) -> Tensor:
        w = self.share(logits)
        return w[0] * parts[0] + w[1] * parts[1] + w[2] * parts[2]

    def mixed(self, x: Tensor, means: list[Tensor], variances: list[Tensor]) -> Tensor:
        var = self.mix(variances, self.var_weight)
        return (x - self.mix(means, self.mean_weight)) / (var + self.eps).sqrt()

    def forward(self, x: Tensor) -> Tensor:
        pairs = self.moments(x, (2,)), self.layer(x), self.batch(x)
        y = self.mixed(x, [mean for mean, _ in pairs], [var for _, var in pairs])
        return y * self.weight[:, None] + self.bias[:, None]


class _BiasedStored(SwitchNorm1d):
    stored_correction = 0


class _UnbiasedEverywhere(SwitchNorm1d):
    correction = 1


class _BatchInEval(SwitchNorm1d):
    batch_in_eval = True


class _UpdateInEval(SwitchNorm1d):
    update_in_eval = True


class _NoSoftmax(SwitchNorm1d):
    def share(self, logits: Tensor) -> Tensor:
        return logits


class _OneSet(SwitchNorm1d):
    def mix(self, parts: list[Tensor], logits: Tensor) -> Tensor:
        return super().mix(parts, self.mean_weight)


class _OtherOrder(SwitchNorm1d):
    def mix(self, parts: list[Tensor], logits: Tensor) -> Tensor:
        return super().mix(parts[::-1], logits)


class _Positions(SwitchNorm1d):
    def layer(self, x: Tensor) -> Pair:
        return self.moments(x, (1,))


class _Momentum(SwitchNorm1d):
    def follow(self, x: Tensor) -> None:
        with torch.no_grad():
            self.running_mean.lerp_(x.mean((0, 2)), 1 - self.momentum)
            self.running_var.lerp_(x.var((0, 2)), 1 - self.momentum)


class _Graph(SwitchNorm1d):
    def follow(self, x: Tensor) -> None:
        self.running_mean = self.running_mean.lerp(x.mean((0, 2)), self.momentum)
        self.running_var = self.running_var.lerp(x.var((0, 2)), self.momentum)


class _Deviations(SwitchNorm1d):
    def mixed(self, x: Tensor, means: list[Tensor], variances: list[Tensor]) -> Tensor:
        roots = [(var + self.eps).sqrt() for var in variances]
        y = x - self.mix(means, self.mean_weight)
        return y / self.mix(roots, self.var_weight)


class _Outputs(SwitchNorm1d):
    def mixed(self, x: Tensor, means: list[Tensor], variances: list[Tensor]) -> Tensor:
        pairs = zip(means, variances, strict=True)
        outputs = [(x - mean) / (var + self.eps).sqrt() for mean, var in pairs]
        return self.mix(outputs, self.mean_weight)


class _EpsOutside(SwitchNorm1d):
    def mixed(self, x: Tensor, means: list[Tensor], variances: list[Tensor]) -> Tensor:
        var = self.mix(variances, self.var_weight)
        return (x - self.mix(means, self.mean_weight)) / (var.sqrt() + self.eps)


def _module_arguments(
    generator: torch.Generator,
) -> tuple[dict[str, Any], list[Tensor], Tensor]:
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
    reference=SwitchNorm1d,
    run=module_run(_module_arguments),
    forbid=("batch_norm", "instance_norm", "group_norm", "layer_norm"),
    mistakes=(
        Mistake(
            _BiasedStored,
            "You store the biased variance, as the page's SwitchNorm2d does; this "
            "exercise asks for nn.BatchNorm1d's running_var, the unbiased one: times "
            "n / (n - 1) with n = N * L.",
        ),
        Mistake(
            _UnbiasedEverywhere,
            "You normalize with variances that divide by n - 1: use correction=0, and "
            "the unbiased one for running_var alone.",
        ),
        Mistake(
            _BatchInEval,
            "In eval mode BN's part must use running_mean and running_var, not the "
            "statistics of the batch.",
        ),
        Mistake(
            _UpdateInEval,
            "The running statistics move in eval mode: update them in training only.",
        ),
        Mistake(
            _NoSoftmax,
            "You use mean_weight and var_weight as they are: take their softmax, so "
            "that the weights are positive and sum to 1.",
        ),
        Mistake(
            _OneSet,
            "You mix the variances with the means' weights: they have their own, "
            "var_weight.",
        ),
        Mistake(
            _OtherOrder,
            "The logits stand in the order IN, LN, BN; you read them the other way.",
        ),
        Mistake(
            _Positions,
            "Your LN averages over the channels at each position; SwitchableNorm's "
            "averages over channels and positions together.",
        ),
        Mistake(
            _Momentum,
            "momentum is the share of the *new* batch: "
            "running = (1 - momentum) * running + momentum * new.",
        ),
        Mistake(
            _Graph,
            "Your running statistics carry a graph: update them in place under "
            "torch.no_grad().",
        ),
        Mistake(
            _Deviations,
            "You mix standard deviations: mix the variances, then add eps and take "
            "the root.",
        ),
        Mistake(
            _Outputs,
            "You mix three normalized outputs: mix the statistics and normalize once.",
        ),
        Mistake(
            _EpsOutside,
            "You add eps to the standard deviation; it belongs to the mixed variance, "
            "inside the square root.",
        ),
    ),
)

BATCH_OF_ONE = Exercise(
    name="switchable_norm/batch_of_one",
    reference=[1.5, 19 / 12, 3.5, 11 / 12],
    run=value_run(5e-3),
    configurations=1,
    mistakes=(
        Mistake(
            [1.5, 2.5 / 3, 3.5, 0.5 / 3],
            "Your LN variance is the mean of the two channels' variances; it must "
            "include how far their means, 1 and 4, lie apart.",
        ),
        Mistake(
            [1.5, 23 / 9, 3.5, 11 / 9],
            "Your variances divide by n - 1: all three are the biased ones.",
        ),
        Mistake(
            [3.5 / 3, 19 / 12, 6.5 / 3, 1.25],
            "You took BN's running statistics, 0 and 1, which belong to eval mode: in "
            "training the batch's own are used, here those of the one sample.",
        ),
        Mistake(
            [1.75, 1.875, 3.25, 1.375],
            "You weigh IN and LN by a half each: BN is there too, and with one sample "
            "its statistics are IN's.",
        ),
    ),
)

EXERCISES = (GROUP_STATISTICS, MODULE, BATCH_OF_ONE)
