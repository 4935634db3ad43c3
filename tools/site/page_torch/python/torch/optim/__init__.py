"""Optimizers: they change parameters along their gradients."""

import math

import torch
from torch import Tensor
from torch.nn._names import absent, typename
from torch.optim import lr_scheduler

_MISSING = (
    "ASGD Adadelta Adafactor Adamax LBFGS Muon NAdam RAdam Rprop SparseAdam swa_utils"
)


def __getattr__(name):
    return absent("torch.optim", _MISSING, name)


def _checked(name, value, most=None):
    if value is not None and (value < 0.0 or (most is not None and value >= most)):
        raise ValueError(f"Invalid {name}: {value}")


class Optimizer:
    """What all optimizers share: groups of parameters, state, zero_grad."""

    def __init__(self, params, defaults):
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of "
                f"Tensors or dicts, but got {typename(params)}"
            )
        self.defaults = defaults
        self._by_id = {}
        self.param_groups = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(dict(group))

    @property
    def state(self):
        return _States(self)

    def add_param_group(self, group):
        params = group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        if params and isinstance(params[0], tuple):
            params = [param for _, param in params]
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(
                    f"optimizer can only optimize Tensors, but one of the params is "
                    f"{typename(param)}"
                )
            if not param.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")
        known = [id(p) for other in self.param_groups for p in other["params"]]
        if [p for p in params if id(p) in known]:
            raise ValueError("some parameters appear in more than one parameter group")
        group["params"] = params
        for name, value in self.defaults.items():
            group.setdefault(name, value)
        self.param_groups.append(group)

    def zero_grad(self, set_to_none=True):
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    if set_to_none:
                        param.grad = None
                    else:
                        param.grad = torch.zeros_like(param.grad)

    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.no_grad():
            for group in self.param_groups:
                for param in group["params"]:
                    if param.grad is not None:
                        state = self._by_id.get(id(param), {})
                        grad = -param.grad if group.get("maximize") else param.grad
                        self._update(param, grad, group, state)
                        if state:
                            self._by_id[id(param)] = state
        return loss

    def _all(self):
        return [param for group in self.param_groups for param in group["params"]]

    def state_dict(self):
        params = self._all()
        places = {id(param): place for place, param in enumerate(params)}
        groups = []
        for group in self.param_groups:
            packed = dict(group)
            packed["params"] = [places[id(param)] for param in group["params"]]
            groups.append(packed)
        state = {places[key]: value for key, value in self._by_id.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict):
        groups = state_dict["param_groups"]
        if len(groups) != len(self.param_groups):
            raise ValueError(
                "loaded state dict has a different number of parameter groups"
            )
        for group, given in zip(self.param_groups, groups):
            if len(group["params"]) != len(given["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match "
                    "the size of optimizer's group"
                )
            for name, value in given.items():
                if name != "params":
                    group[name] = value
        params = self._all()
        self._by_id = {}
        for place, values in state_dict["state"].items():
            copied = {}
            for name, value in values.items():
                copied[name] = value.clone() if isinstance(value, Tensor) else value
            self._by_id[id(params[place])] = copied

    def __repr__(self):
        text = type(self).__name__ + " ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            for name in sorted(group):
                if name != "params":
                    text += f"    {name}: {group[name]}\n"
        return text + ")"


class _States:
    """The state of each parameter, looked up by the parameter."""

    def __init__(self, optimizer):
        self._optimizer = optimizer

    def __getitem__(self, param):
        return self._optimizer._by_id.setdefault(id(param), {})

    def __contains__(self, param):
        return id(param) in self._optimizer._by_id

    def __len__(self):
        return len(self._optimizer._by_id)

    def keys(self):
        known = self._optimizer._by_id
        return [param for param in self._optimizer._all() if id(param) in known]

    def __iter__(self):
        return iter(self.keys())

    def values(self):
        return [self[param] for param in self.keys()]

    def items(self):
        return [(param, self[param]) for param in self.keys()]


class SGD(Optimizer):
    def __init__(
        self,
        params,
        lr=1e-3,
        momentum=0,
        dampening=0,
        weight_decay=0,
        nesterov=False,
        *,
        maximize=False,
        foreach=None,
        differentiable=False,
        fused=None,
    ):
        _checked("learning rate", lr)
        _checked("momentum value", momentum)
        _checked("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, defaults)

    def _update(self, param, grad, group, state):
        momentum = group["momentum"]
        if group["weight_decay"]:
            grad = grad.add(param, alpha=group["weight_decay"])
        if momentum:
            kept = state.get("momentum_buffer")
            if kept is None:
                kept = state["momentum_buffer"] = grad.detach().clone()
            else:
                kept.mul_(momentum).add_(grad, alpha=1 - group["dampening"])
            grad = grad.add(kept, alpha=momentum) if group["nesterov"] else kept
        param.add_(grad, alpha=-group["lr"])


class Adam(Optimizer):
    _decoupled = False

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        amsgrad=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
        fused=None,
        decoupled_weight_decay=False,
    ):
        _checked("learning rate", lr)
        _checked("epsilon value", eps)
        _checked("beta parameter at index 0", betas[0], 1.0)
        _checked("beta parameter at index 1", betas[1], 1.0)
        _checked("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay or self._decoupled,
        }
        super().__init__(params, defaults)

    def _update(self, param, grad, group, state):
        lr, (beta1, beta2), eps = group["lr"], group["betas"], group["eps"]
        if "step" not in state:
            state["step"] = torch.tensor(0.0)
            state["exp_avg"] = torch.zeros_like(param)
            state["exp_avg_sq"] = torch.zeros_like(param)
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = torch.zeros_like(param)
        state["step"] += 1
        step = state["step"].item()
        if group["weight_decay"]:
            if group["decoupled_weight_decay"]:
                param.mul_(1 - lr * group["weight_decay"])
            else:
                grad = grad.add(param, alpha=group["weight_decay"])
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        if group["amsgrad"]:
            square = torch.maximum(state["max_exp_avg_sq"], square)
            state["max_exp_avg_sq"] = square
        scale = math.sqrt(1 - beta2**step)
        denominator = (square.sqrt() / scale).add_(eps)
        param.addcdiv_(mean, denominator, value=-lr / (1 - beta1**step))


class AdamW(Adam):
    _decoupled = True

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=1e-2,
        amsgrad=False,
        **kwargs,
    ):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, **kwargs)


class RMSprop(Optimizer):
    def __init__(
        self,
        params,
        lr=1e-2,
        alpha=0.99,
        eps=1e-8,
        weight_decay=0,
        momentum=0,
        centered=False,
        capturable=False,
        foreach=None,
        maximize=False,
        differentiable=False,
    ):
        _checked("learning rate", lr)
        _checked("epsilon value", eps)
        _checked("momentum value", momentum)
        _checked("weight_decay value", weight_decay)
        _checked("alpha value", alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _update(self, param, grad, group, state):
        alpha = group["alpha"]
        if "step" not in state:
            state["step"] = torch.tensor(0.0)
            state["square_avg"] = torch.zeros_like(param)
            if group["momentum"] > 0:
                state["momentum_buffer"] = torch.zeros_like(param)
            if group["centered"]:
                state["grad_avg"] = torch.zeros_like(param)
        state["step"] += 1
        if group["weight_decay"]:
            grad = grad.add(param, alpha=group["weight_decay"])
        square = state["square_avg"]
        square.mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
        if group["centered"]:
            mean = state["grad_avg"]
            mean.lerp_(grad, 1 - alpha)
            size = square.addcmul(mean, mean, value=-1).sqrt_()
        else:
            size = square.sqrt()
        size = size.add_(group["eps"])
        if group["momentum"] > 0:
            kept = state["momentum_buffer"]
            kept.mul_(group["momentum"]).addcdiv_(grad, size)
            param.add_(kept, alpha=-group["lr"])
        else:
            param.addcdiv_(grad, size, value=-group["lr"])


class Adagrad(Optimizer):
    def __init__(
        self,
        params,
        lr=1e-2,
        lr_decay=0,
        weight_decay=0,
        initial_accumulator_value=0,
        eps=1e-10,
        foreach=None,
        *,
        maximize=False,
        differentiable=False,
        fused=None,
    ):
        _checked("learning rate", lr)
        _checked("lr_decay value", lr_decay)
        _checked("weight_decay value", weight_decay)
        _checked("epsilon value", eps)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for param in group["params"]:
                first = torch.full_like(param.detach(), initial_accumulator_value)
                self._by_id[id(param)] = {"step": torch.tensor(0.0), "sum": first}

    def _update(self, param, grad, group, state):
        state["step"] += 1
        if group["weight_decay"]:
            grad = grad.add(param, alpha=group["weight_decay"])
        lr = group["lr"] / (1 + (state["step"].item() - 1) * group["lr_decay"])
        state["sum"].addcmul_(grad, grad, value=1)
        param.addcdiv_(grad, state["sum"].sqrt().add_(group["eps"]), value=-lr)
