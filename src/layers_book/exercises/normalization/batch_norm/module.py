"""The exercise batch_norm/module: BatchNorm2d in training and in eval mode."""

from typing import Any

import torch
from torch import Tensor, nn

from layers_book.checking import Exercise, Mistake, distinct, module_run, varied
from layers_book.exercises.normalization.batch_norm.by_hand import EPS, FORBIDDEN


def _batches(generator: torch.Generator) -> tuple[dict[str, Any], list[Tensor], Tensor]:
    index = generator.initial_seed()
    n, c, h, w = distinct(generator, 4)
    kwargs: dict[str, Any] = {"num_features": c}
    if index:
        kwargs["eps"] = EPS[index % 3]
        kwargs["momentum"] = (0.5, 0.3, 0.9)[index % 3]
    sizes = (2 if index == 3 else n, n + 1)
    batches = [varied(generator, size, c, h, w) for size in sizes]
    return kwargs, batches, varied(generator, 1, c, h, w)


class _Written(nn.Module):
    """BatchNorm2d from its formulas; the mistakes change one method each."""

    correction = 0

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float = 0.1
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight: Any = nn.Parameter(torch.ones(num_features))
        self.bias: Any = nn.Parameter(torch.zeros(num_features))
        self.running_mean: Any
        self.running_var: Any
        self.keep("running_mean", torch.zeros(num_features))
        self.keep("running_var", torch.ones(num_features))

    def keep(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value)

    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.mean((0, 2, 3)), x.var((0, 2, 3), correction=self.correction)

    def running(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.mean((0, 2, 3)), x.var((0, 2, 3))

    def move(self, old: Tensor, new: Tensor) -> None:
        old.mul_(1 - self.momentum).add_(self.momentum * new)

    @torch.no_grad()
    def update(self, x: Tensor) -> None:
        mean, var = self.running(x)
        self.move(self.running_mean, mean)
        self.move(self.running_var, var)

    def choose(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if not self.training:
            return self.running_mean, self.running_var
        statistics = self.statistics(x)
        self.update(x)
        return statistics

    def root(self, var: Tensor) -> Tensor:
        return (var + self.eps).sqrt()

    def affine(self, y: Tensor) -> Tensor:
        weight, bias = (p.view(1, -1, 1, 1) for p in (self.weight, self.bias))
        scaled: Tensor = y * weight + bias
        return scaled

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.choose(x)
        y = (x - mean.view(1, -1, 1, 1)) / self.root(var).view(1, -1, 1, 1)
        return self.affine(y)


class _Unbiased(_Written):
    correction = 1


class _RunningBiased(_Written):
    def running(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)


class _RunningStd(_Written):
    def running(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.mean((0, 2, 3)), x.std((0, 2, 3))


class _MomentumSwapped(_Written):
    def move(self, old: Tensor, new: Tensor) -> None:
        old.mul_(self.momentum).add_((1 - self.momentum) * new)


class _MomentumFixed(_Written):
    def move(self, old: Tensor, new: Tensor) -> None:
        old.mul_(0.9).add_(0.1 * new)


class _Replaced(_Written):
    def move(self, old: Tensor, new: Tensor) -> None:
        old.copy_(new)


class _NeverUpdated(_Written):
    def update(self, x: Tensor) -> None:
        return


class _EpsOutside(_Written):
    def root(self, var: Tensor) -> Tensor:
        return var.sqrt() + self.eps


class _NoEps(_Written):
    def root(self, var: Tensor) -> Tensor:
        return var.sqrt()


class _AlwaysBatch(_Written):
    def choose(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.training:
            self.update(x)
        return self.statistics(x)


class _AlwaysRunning(_Written):
    def choose(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.training:
            self.update(x)
        return self.running_mean, self.running_var


class _UpdateInEval(_Written):
    def choose(self, x: Tensor) -> tuple[Tensor, Tensor]:
        statistics = super().choose(x)
        if not self.training:
            statistics = statistics[0].clone(), statistics[1].clone()
            self.update(x)
        return statistics


class _Detached(_Written):
    @torch.no_grad()
    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return super().statistics(x)


class _GraphKept(_Written):
    def update(self, x: Tensor) -> None:
        mean, var = self.running(x)
        m = self.momentum
        self.running_mean = (1 - m) * self.running_mean + m * mean
        self.running_var = (1 - m) * self.running_var + m * var


class _NoAffine(_Written):
    def affine(self, y: Tensor) -> Tensor:
        return y


class _Plain(_Written):
    def keep(self, name: str, value: Tensor) -> None:
        setattr(self, name, value)


class _NotInStateDict(_Written):
    def keep(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value, persistent=False)


class _AsParameters(_Written):
    def keep(self, name: str, value: Tensor) -> None:
        setattr(self, name, nn.Parameter(value))


class _AffineNotLearned(_Written):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        weight, bias = self.weight.detach(), self.bias.detach()
        del self.weight, self.bias
        self.weight, self.bias = weight, bias


class _VarFromZero(_Written):
    def keep(self, name: str, value: Tensor) -> None:
        super().keep(name, torch.zeros_like(value))


class _PerSample(_Written):
    def statistics(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.mean((0, 2, 3)), x.var((2, 3), correction=0).mean(0)


MODULE = Exercise(
    name="batch_norm/module",
    reference=nn.BatchNorm2d,
    run=module_run(_batches),
    configurations=8,
    forbid=FORBIDDEN,
    mistakes=(
        Mistake(
            _Unbiased,
            "Your module normalizes with the variance over n - 1; in training mode "
            "BatchNorm normalizes with the biased one: var(..., correction=0).",
        ),
        Mistake(
            _RunningBiased,
            "Your running_var collects the biased variance. PyTorch normalizes with "
            "1/n, but keeps the unbiased one, 1/(n - 1), in running_var.",
        ),
        Mistake(
            _RunningStd,
            "Your running_var collects standard deviations: keep the variance, and "
            "take the root when you normalize.",
        ),
        Mistake(
            _MomentumSwapped,
            "Your momentum weighs the old value. In PyTorch it weighs the new one: "
            "running = (1 - momentum) * running + momentum * new.",
        ),
        Mistake(
            _MomentumFixed,
            "Your running statistics always move by 0.1: use the argument momentum.",
        ),
        Mistake(
            _Replaced,
            "Your running statistics are those of the last batch: move them by the "
            "fraction momentum towards it.",
        ),
        Mistake(
            _NeverUpdated,
            "Your running statistics stay at 0 and 1: update them in each call in "
            "training mode.",
        ),
        Mistake(
            _EpsOutside,
            "You add eps to the standard deviation; it belongs under the root: "
            "(var + eps).sqrt().",
        ),
        Mistake(
            _NoEps,
            "You leave out eps, and a constant channel gives 0 / 0: divide by "
            "(var + eps).sqrt().",
        ),
        Mistake(
            _AlwaysBatch,
            "In eval mode your module still uses the statistics of the batch: use "
            "running_mean and running_var when self.training is False.",
        ),
        Mistake(
            _AlwaysRunning,
            "In training mode your module normalizes with the running statistics: use "
            "those of the batch, and only update the running ones.",
        ),
        Mistake(
            _UpdateInEval,
            "Your module updates its running statistics in eval mode: do so only when "
            "self.training is True.",
        ),
        Mistake(
            _Detached,
            "Your output is right and your gradient is not: the batch's mean and "
            "variance depend on x; only the running statistics go without gradient.",
        ),
        Mistake(
            _GraphKept,
            "Your running statistics hold on to the graph of every batch: update them "
            "under torch.no_grad().",
        ),
        Mistake(
            _NoAffine,
            "You return the normalized x: multiply by weight and add bias.",
        ),
        Mistake(
            _Plain,
            "running_mean and running_var are plain attributes, which neither "
            "state_dict nor .to() sees: use register_buffer.",
        ),
        Mistake(
            _NotInStateDict,
            "Your running statistics are missing from state_dict, so a saved model "
            "forgets them: register them as persistent buffers.",
        ),
        Mistake(
            _AsParameters,
            "running_mean and running_var are Parameters, which an optimizer would "
            "train: use register_buffer.",
        ),
        Mistake(
            _AffineNotLearned,
            "weight and bias are plain tensors, which no optimizer sees: wrap them in "
            "nn.Parameter.",
        ),
        Mistake(
            _VarFromZero,
            "Your running_var starts at 0: it starts at 1, so that a new module in "
            "eval mode leaves x nearly as it is.",
        ),
        Mistake(
            _PerSample,
            "You average the variances of the single samples, which leaves out how "
            "much their means differ: take the variance over axes 0, 2 and 3 at once.",
        ),
    ),
)
