"""Schedules of the learning rate."""

import math

from torch.nn._names import absent

_MISSING = (
    "ChainedScheduler ConstantLR CosineAnnealingWarmRestarts CyclicLR LinearLR "
    "MultiplicativeLR OneCycleLR PolynomialLR ReduceLROnPlateau SequentialLR"
)


def __getattr__(name):
    return absent("torch.optim.lr_scheduler", _MISSING, name)


class LRScheduler:
    """Sets each group's learning rate, from its first one and the number of steps."""

    def __init__(self, optimizer, last_epoch=-1):
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.step()

    def step(self, epoch=None):
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        rates = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, rates):
            group["lr"] = rate

    def _rates(self):
        return [group["lr"] for group in self.optimizer.param_groups]

    def get_last_lr(self):
        return self._rates()

    def state_dict(self):
        return {k: v for k, v in self.__dict__.items() if k != "optimizer"}

    def load_state_dict(self, state_dict):
        for name, value in state_dict.items():
            setattr(self, name, value)


class StepLR(LRScheduler):
    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1):
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        turns = self.last_epoch and self.last_epoch % self.step_size == 0
        return [rate * self.gamma if turns else rate for rate in self._rates()]


class MultiStepLR(LRScheduler):
    def __init__(self, optimizer, milestones, gamma=0.1, last_epoch=-1):
        self.milestones = list(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        factor = self.gamma ** self.milestones.count(self.last_epoch)
        return [rate * factor for rate in self._rates()]


class ExponentialLR(LRScheduler):
    def __init__(self, optimizer, gamma, last_epoch=-1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        factor = self.gamma if self.last_epoch else 1
        return [rate * factor for rate in self._rates()]


class LambdaLR(LRScheduler):
    def __init__(self, optimizer, lr_lambda, last_epoch=-1):
        many = isinstance(lr_lambda, (list, tuple))
        groups = len(optimizer.param_groups)
        self.lr_lambdas = list(lr_lambda) if many else [lr_lambda] * groups
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        pairs = zip(self.base_lrs, self.lr_lambdas)
        return [rate * factor(self.last_epoch) for rate, factor in pairs]


class CosineAnnealingLR(LRScheduler):
    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        last, most, least = self.last_epoch, self.T_max, self.eta_min
        rates = self._rates()
        if last == 0:
            return rates
        if (last - 1 - most) % (2 * most) == 0:
            turn = (1 - math.cos(math.pi / most)) / 2
            pairs = zip(self.base_lrs, rates)
            return [rate + (base - least) * turn for base, rate in pairs]
        ratio = (1 + math.cos(math.pi * last / most)) / (
            1 + math.cos(math.pi * (last - 1) / most)
        )
        return [ratio * (rate - least) + least for rate in rates]
