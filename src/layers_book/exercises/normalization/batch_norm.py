"""Exercises of the page normalization/batch_norm."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from layers_book.checking import (
    Case,
    Exercise,
    Refused,
    call,
    custom_run,
    distinct,
    function_run,
    measure_run,
    module_run,
    refuse_no_function,
    signed,
    value_run,
    varied,
)
from layers_book.exercises.normalization import (
    FORBIDDEN,
    OTHER_DEFAULTS,
    standard_deviations,
)

EPS = (1e-5, 1e-3, 0.1)


def _arguments(generator: Generator) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
    index = generator.initial_seed()
    trailing = (2, 2, 3, 2, 1, 2, 0)[index % 7]
    n, c, *rest = distinct(generator, 2 + trailing)
    if index in (3, 8):
        n = 2
    elif index == 9:
        n = 40
    x = varied(generator, n, c, *rest).requires_grad_()
    weight = torch.ones(c).to(x) if index == 0 else signed(generator, c)
    bias = torch.zeros(c).to(x) if index == 0 else signed(generator, c)
    args = (x, weight.requires_grad_(), bias.requires_grad_())
    return args, {"eps": EPS[index % 2 + 1]} if index % 3 else {}


def _reference(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    return F.batch_norm(x, None, None, weight, bias, training=True, eps=eps)


BY_HAND = Exercise(
    name="batch_norm/by_hand",
    solution="""
        def batch_norm(x, weight, bias, eps=1e-5):
            dims = [d for d in range(x.ndim) if d != 1]
            mean = x.mean(dims, keepdim=True)
            var = x.var(dims, keepdim=True, correction=0)
            shape = [-1] + [1] * (x.ndim - 2)  # (C, 1, ..., 1)
            x_hat = (x - mean) / torch.sqrt(var + eps)
            return x_hat * weight.view(shape) + bias.view(shape)
    """,
    reference=_reference,
    run=function_run(_arguments),
    forbid=FORBIDDEN,
    mistakes=[
        *OTHER_DEFAULTS,
        *standard_deviations("torch.sqrt(var + eps)", "x.std(dims, {}keepdim=True)"),
        (
            ", correction=0",
            "",
            "Your variance divides by n - 1; BatchNorm normalizes with the biased "
            "variance, 1/n: use var(..., correction=0).",
        ),
        (
            "torch.sqrt(var + eps)",
            "(torch.sqrt(var) + eps)",
            "You add eps to the standard deviation; it belongs under the root, added "
            "to the variance: (x - mean) / (var + eps).sqrt().",
        ),
        (
            "var + eps",
            "var",
            "You leave out eps: a channel with variance 0 then gives 0 / 0. Divide by "
            "(var + eps).sqrt().",
        ),
        ("var + eps", "var + 1e-5", "Your eps is always 1e-5: use the argument eps."),
        (
            "torch.sqrt(var + eps)",
            "(var + eps)",
            "You divide by the variance; divide by its root, the standard deviation.",
        ),
        ("(x - mean)", "x", "You scale x but do not subtract the mean of its channel."),
        (
            "d != 1",
            "d != 0",
            "You average over all axes but the batch, one mean a sample: that is "
            "LayerNorm. BatchNorm has one mean a channel: over every axis but 1.",
        ),
        (
            "d != 1",
            "d > 1",
            "You average over the trailing axes only, one mean for each sample and "
            "channel: that is InstanceNorm. BatchNorm averages over the batch as well.",
        ),
        (
            "d != 1",
            "d == 0",
            "You average over the batch axis only, one mean a pixel. BatchNorm also "
            "averages over all trailing axes: for (N, C, H, W) over 0, 2 and 3.",
        ),
        (
            " * weight.view(shape) + bias.view(shape)",
            "",
            "You return the normalized x: multiply by weight and add bias.",
        ),
        (" + bias.view(shape)", "", "You multiply by weight, but do not add bias."),
        (
            "x_hat * weight.view(shape) + bias.view(shape)",
            "(x_hat + bias.view(shape)) * weight.view(shape)",
            "You add bias before multiplying by weight: it is weight * y + bias.",
        ),
        (
            ".view(shape)",
            "",
            "Your weight runs along the last axis; it has one value a channel: "
            "weight.view(1, -1, 1, 1) for (N, C, H, W).",
        ),
        (
            "x.mean(",
            "x.detach().mean(",
            "x.var(",
            "x.detach().var(",
            "Your output is right and your gradient is not: mean and variance depend "
            "on x, so they must not be detached or computed without gradient.",
        ),
        (
            "x.var(dims, keepdim=True, correction=0)",
            "(x**2).mean(dims, keepdim=True) - mean**2",
            "The mean of squares minus the square of the mean cancels: with values "
            "around 1e4, float32 has no digits left. Average (x - mean) ** 2.",
        ),
        (
            "x_hat = (x - mean)",
            "x -= mean\n    x_hat = x",
            "You change the caller's x: write x - mean, not x -= mean.",
        ),
        (
            "x_hat * weight.view(shape) + bias.view(shape)",
            "(x_hat * weight.view(shape) + bias.view(shape)).float()",
            "You turn the result into float32: keep the dtype of x.",
        ),
        (
            "[d for d in range(x.ndim) if d != 1]",
            "(0, 2, 3)",
            "[-1] + [1] * (x.ndim - 2)",
            "(1, -1, 1, 1)",
            "You assume four axes; the channels are axis 1 whatever follows: average "
            "over 0 and range(2, x.dim()).",
        ),
    ],
)


def _batches(generator: Generator) -> tuple[dict[str, Any], list[Tensor], Tensor]:
    index = generator.initial_seed()
    n, c, h, w = distinct(generator, 4)
    kwargs: dict[str, Any] = {"num_features": c}
    if index:
        kwargs["eps"] = EPS[index % 3]
        kwargs["momentum"] = (0.5, 0.3, 0.9)[index % 3]
    sizes = (2 if index == 3 else n, n + 1)
    batches = [varied(generator, size, c, h, w) for size in sizes]
    return kwargs, batches, varied(generator, 1, c, h, w)


MODULE = Exercise(
    name="batch_norm/module",
    solution="""
        class BatchNorm2d(nn.Module):
            def __init__(self, num_features, eps=1e-5, momentum=0.1):
                super().__init__()
                self.eps, self.momentum = eps, momentum
                self.weight = nn.Parameter(torch.ones(num_features))
                self.bias = nn.Parameter(torch.zeros(num_features))
                self.register_buffer("running_mean", torch.zeros(num_features))
                self.register_buffer("running_var", torch.ones(num_features))
                self.register_buffer("num_batches_tracked", torch.tensor(0))

            def forward(self, x):
                if self.training:
                    mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
                    with torch.no_grad():
                        self.running_mean.lerp_(mean, self.momentum)
                        self.running_var.lerp_(x.var((0, 2, 3)), self.momentum)
                        self.num_batches_tracked += 1
                else:
                    mean, var = self.running_mean, self.running_var
                std = torch.sqrt(var + self.eps)  # (C,)
                x_hat = (x - mean[:, None, None]) / std[:, None, None]  # (N, C, H, W)
                return x_hat * self.weight[:, None, None] + self.bias[:, None, None]
    """,
    reference=nn.BatchNorm2d,
    run=module_run(_batches, configurations=8),
    forbid=FORBIDDEN,
    mistakes=[
        *OTHER_DEFAULTS,
        (
            "momentum=0.1",
            "momentum=0.9",
            "Where the caller gives no momentum, yours is 0.9: in torch it is the "
            "share of the new batch, and the default is 0.1.",
        ),
        (
            "torch.sqrt(var + self.eps)",
            "((x.std((0, 2, 3)) if self.training else torch.sqrt(var)) + self.eps)",
            "std divides by n - 1, and eps belongs under the root, next to the "
            "variance: torch.sqrt(var + eps), with correction=0 in var.",
        ),
        (
            "x.var((0, 2, 3), correction=0)",
            "x.var((0, 2, 3))",
            "Your module normalizes with the variance over n - 1; in training mode "
            "BatchNorm normalizes with the biased one: var(..., correction=0).",
        ),
        (
            "lerp_(x.var((0, 2, 3)),",
            "lerp_(var,",
            "Your running_var collects the biased variance. PyTorch normalizes with "
            "1/n, but keeps the unbiased one, 1/(n - 1), in running_var.",
        ),
        (
            "lerp_(x.var((0, 2, 3)),",
            "lerp_(x.std((0, 2, 3)),",
            "Your running_var collects standard deviations: keep the variance, and "
            "take the root when you normalize.",
        ),
        (
            ", self.momentum)",
            ", 1 - self.momentum)",
            "Your momentum weighs the old value. In PyTorch it weighs the new one: "
            "running = (1 - momentum) * running + momentum * new.",
        ),
        (
            ", self.momentum)",
            ", 0.1)",
            "Your running statistics always move by 0.1: use the argument momentum.",
        ),
        (
            ", self.momentum)",
            ", 1.0)",
            "Your running statistics are those of the last batch: move them by the "
            "fraction momentum towards it.",
        ),
        (
            "lerp_(",
            "lerp(",
            "Your running statistics stay at 0 and 1: update them in each call in "
            "training mode.",
        ),
        (
            "torch.sqrt(var + self.eps)",
            "(torch.sqrt(var) + self.eps)",
            "You add eps to the standard deviation; it belongs under the root: "
            "(var + eps).sqrt().",
        ),
        (
            "var + self.eps",
            "var",
            "You leave out eps, and a constant channel gives 0 / 0: divide by "
            "(var + eps).sqrt().",
        ),
        (
            "self.running_mean, self.running_var\n",
            "x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)\n",
            "In eval mode your module still uses the statistics of the batch: use "
            "running_mean and running_var when self.training is False.",
        ),
        (
            "        else:\n            mean,",
            "        mean,",
            "In training mode your module normalizes with the running statistics: use "
            "those of the batch, and only update the running ones.",
        ),
        (
            "mean, var = self.running_mean, self.running_var",
            "mean, var = self.running_mean.clone(), self.running_var.clone()\n"
            "            new = x.detach()\n"
            "            self.running_mean.lerp_(new.mean((0, 2, 3)), self.momentum)\n"
            "            self.running_var.lerp_(new.var((0, 2, 3)), self.momentum)",
            "Your module updates its running statistics in eval mode: do so only when "
            "self.training is True.",
        ),
        (
            "x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)",
            "x.detach().mean((0, 2, 3)), x.detach().var((0, 2, 3), correction=0)",
            "Your output is right and your gradient is not: the batch's mean and "
            "variance depend on x; only the running statistics go without gradient.",
        ),
        (
            "            with torch.no_grad():\n",
            "",
            " " * 16,
            " " * 12,
            "Your running statistics hold on to the graph of every batch: update them "
            "under torch.no_grad().",
        ),
        (
            " * self.weight[:, None, None] + self.bias[:, None, None]",
            "",
            "You return the normalized x: multiply by weight and add bias.",
        ),
        (
            'register_buffer("running_mean", torch.zeros(num_features))',
            "running_mean = torch.zeros(num_features)",
            'register_buffer("running_var", torch.ones(num_features))',
            "running_var = torch.ones(num_features)",
            "lerp_(mean, self.momentum)",
            "mul_(1 - self.momentum).add_(self.momentum * mean)",
            "lerp_(x.var((0, 2, 3)), self.momentum)",
            "mul_(1 - self.momentum).add_(self.momentum * x.var((0, 2, 3)))",
            "running_mean and running_var are plain attributes, which neither "
            "state_dict nor .to() sees: use register_buffer.",
        ),
        (
            '"running_mean", torch.zeros(num_features)',
            '"running_mean", torch.zeros(num_features), persistent=False',
            '"running_var", torch.ones(num_features)',
            '"running_var", torch.ones(num_features), persistent=False',
            "Your running statistics are missing from state_dict, so a saved model "
            "forgets them: register them as persistent buffers.",
        ),
        (
            'register_buffer("running_mean", torch.zeros(num_features))',
            "running_mean = nn.Parameter(torch.zeros(num_features))",
            'register_buffer("running_var", torch.ones(num_features))',
            "running_var = nn.Parameter(torch.ones(num_features))",
            "running_mean and running_var are Parameters, which an optimizer would "
            "train: use register_buffer.",
        ),
        (
            "nn.Parameter",
            "",
            "weight and bias are plain tensors, which no optimizer sees: wrap them in "
            "nn.Parameter.",
        ),
        (
            '"running_var", torch.ones',
            '"running_var", torch.zeros',
            "Your running_var starts at 0: it starts at 1, so that a new module in "
            "eval mode leaves x nearly as it is.",
        ),
        (
            "x.var((0, 2, 3), correction=0)",
            "x.var((2, 3), correction=0).mean(0)",
            "You average the variances of the single samples, which leaves out how "
            "much their means differ: take the variance over axes 0, 2 and 3 at once.",
        ),
    ],
)


def _two_point_output() -> Tensor:
    layer = nn.BatchNorm1d(1, momentum=1.0)
    x = torch.tensor([[0.0], [2.0]])
    layer(x)
    output: Tensor = layer.eval()(x)
    return output.detach()


EVAL_OUTPUT = Exercise(
    name="batch_norm/eval_output",
    solution="answer = [-(0.5**0.5), 0.5**0.5]  # -0.7071 and 0.7071",
    reference=_two_point_output(),
    run=value_run(),
    mistakes=[
        (
            [-1.0, 1.0],
            "That is the output in training mode, with the biased variance 1. In eval "
            "mode running_var counts, which collects the unbiased variance.",
        ),
        (
            [0.0, 2.0],
            "That is the output of a new layer in eval mode, with mean 0 and variance "
            "1. One batch with momentum=1 has replaced both.",
        ),
        ([-0.5, 0.5], "You divide by running_var: divide by its root."),
        (
            [0.7071, -0.7071],
            "The size is right. The smaller input lies below the mean: its output is "
            "negative, and comes first.",
        ),
        (
            [0.0, 1.4142],
            "The root of running_var is right, but running_mean has moved as well: "
            "subtract it.",
        ),
        (0.7071, "The size is right: give both outputs, for the inputs 0 and 2."),
        (
            [0.0, 0.0],
            "With momentum=1 the running statistics are those of the batch. Its two "
            "points lie on either side of the mean, so neither output is 0.",
        ),
    ],
)


def _fold_inputs(generator: Generator) -> dict[str, Any]:
    """What a convolution and a BatchNorm2d are made of, and an input."""
    index = generator.initial_seed()
    groups = (1, 1, 2, 1, 3, 1)[index % 6]
    c_in, c_out, side = 2 * groups, 4 * groups, 9
    dtype = torch.float64 if index % 2 else torch.float32
    settings: dict[str, Any] = {
        "kernel_size": (3, 2) if index % 4 == 1 else 3,
        "stride": 1 + (index % 5 == 1),
        "padding": (0, 1, 2)[index % 3],
        "dilation": 1 + (index % 7 == 3),
        "groups": groups,
        "bias": index % 3 != 1,
    }
    conv = nn.Conv2d(c_in, c_out, **settings).state_dict()
    for name, value in conv.items():
        conv[name] = signed(generator, *value.shape).to(dtype)
    names = ("weight", "bias", "running_mean", "running_var")
    bn = {name: signed(generator, c_out).to(dtype) for name in names}
    bn["running_var"] = bn["running_var"].abs() ** 3
    bn["num_batches_tracked"] = torch.tensor(0)
    return {
        "channels": (c_in, c_out),
        "settings": settings,
        "eps": (1e-5, 1e-3, 0.1)[index % 3],
        "conv_state": dict(conv),
        "bn_state": bn,
        "x": torch.randn(2, c_in, side, side + 1, generator=generator, dtype=dtype),
    }


def _fold_steps(
    answer: Any,
    channels: tuple[int, int],
    settings: dict[str, Any],
    eps: float,
    conv_state: dict[str, Tensor],
    bn_state: dict[str, Tensor],
    x: Tensor,
) -> Iterator[Any]:
    """The output of the folded layer, and whether the layers given stay as they are."""
    refuse_no_function(answer)
    c_in, c_out = channels
    words = ", ".join(f"{name}={value}" for name, value in settings.items())
    words = f"Conv2d({c_in}, {c_out}, {words}), BatchNorm2d({c_out}, eps={eps})"
    yield "configuration", f"{words}, {x.dtype}"
    conv = nn.Conv2d(c_in, c_out, **settings).to(x.dtype).eval()
    bn = nn.BatchNorm2d(c_out, eps=eps).to(x.dtype).eval()
    conv.load_state_dict(conv_state)
    bn.load_state_dict(bn_state)
    folded = call(answer, conv, bn)
    if isinstance(folded, nn.Module) and type(folded) is not nn.Conv2d:
        raise Refused(f"You return a {type(folded).__name__}: make one nn.Conv2d.")
    if not isinstance(folded, nn.Module):
        raise Refused("Return the new layer, an nn.Conv2d, not what it computes.")
    yield Case("output", "", "of the folded layer", folded(x).detach())
    for name, layer, old in (("conv", conv, conv_state), ("bn", bn, bn_state)):
        new = layer.state_dict()
        kept = new.keys() == old.keys() and all(
            torch.equal(old[key], new[key]) for key in old
        )
        if not kept:
            raise Refused(f"You change {name}: the layers given stay as they are.")
    yield "whether a new layer is returned", folded is not conv


NEW_LAYER = """
    def fold(conv, bn):
        scale = bn.weight / torch.sqrt(bn.running_var + bn.eps)
        old = torch.zeros_like(scale) if conv.bias is None else conv.bias
        folded = nn.Conv2d(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            stride=conv.stride,
            padding=conv.padding,
            dilation=conv.dilation,
            groups=conv.groups,
            dtype=conv.weight.dtype,
        )
        weight = conv.weight * scale[:, None, None, None]
        bias = (old - bn.running_mean) * scale + bn.bias
        folded.load_state_dict({"weight": weight, "bias": bias})
        return folded
"""

FOLD = Exercise(
    name="batch_norm/fold",
    solution="""
        import copy


        def fold(conv, bn):
            scale = bn.weight / torch.sqrt(bn.running_var + bn.eps)  # (C_out,)
            bias = torch.zeros_like(bn.running_mean) if conv.bias is None else conv.bias
            folded = copy.deepcopy(conv)
            folded.weight = nn.Parameter((conv.weight * scale[:, None, None, None]).detach())
            folded.bias = nn.Parameter(((bias - bn.running_mean) * scale + bn.bias).detach())
            return folded
    """,  # noqa: E501
    run=custom_run(_fold_steps, _fold_inputs),
    mistakes=[
        (
            "bn.weight /",
            "1 /",
            "Your factor leaves out bn.weight: it is bn.weight / "
            "(running_var + eps).sqrt().",
        ),
        (
            "torch.sqrt(bn.running_var + bn.eps)",
            "(bn.running_var + bn.eps)",
            "You divide by running_var + eps: divide by its root.",
        ),
        ("bn.eps", "1e-5", "Your eps is always 1e-5: use bn.eps."),
        (" + bn.eps", "", "You leave out bn.eps: add it to running_var."),
        (
            "torch.sqrt(bn.running_var + bn.eps)",
            "(torch.sqrt(bn.running_var) + bn.eps)",
            "You add eps to the standard deviation: it belongs under the root.",
        ),
        (
            "(bias - bn.running_mean) * scale",
            "bias - bn.running_mean * scale",
            "The bias of conv passes through bn too: subtract running_mean from it and "
            "multiply by the factor.",
        ),
        (
            "(bias - bn.running_mean)",
            "-bn.running_mean",
            "The bias of conv is lost: bn sees conv.bias - running_mean, times the "
            "factor.",
        ),
        (
            "(bias - bn.running_mean) * scale",
            "bias * scale - bn.running_mean",
            "Multiply running_mean by the factor before you subtract it from the bias.",
        ),
        (
            "bias - bn.running_mean",
            "bias + bn.running_mean",
            "You add running_mean: bn subtracts it.",
        ),
        (
            "(bias - bn.running_mean) * scale + bn.bias",
            "bias * scale",
            "You fold the factor only: the shift of bn, bias - running_mean * factor, "
            "goes into the bias of the new layer.",
        ),
        (
            "folded.bias =",
            "if conv.bias is not None:\n        folded.bias =",
            "A convolution without bias needs one after folding: bn shifts its output.",
        ),
        (
            "[:, None, None, None]",
            "[:, None, None]",
            "Your factor runs along the input channels of conv.weight; it belongs to "
            "the output channels, axis 0: factor.view(-1, 1, 1, 1).",
        ),
        (
            "scale[:, None, None, None]",
            "scale",
            "Your factor lines up with the last axis of conv.weight, the kernel's "
            "width; it belongs to axis 0: factor.view(-1, 1, 1, 1).",
        ),
        (
            "copy.deepcopy(conv)",
            "conv",
            "You change conv itself: work on a copy, copy.deepcopy(conv).",
        ),
        (
            NEW_LAYER.replace("stride=conv.stride,", ""),
            "The new convolution has stride 1: pass on conv.stride.",
        ),
        (
            NEW_LAYER.replace("padding=conv.padding,", ""),
            "The new convolution has padding 0: pass on conv.padding.",
        ),
        (
            NEW_LAYER.replace("dilation=conv.dilation,", ""),
            "The new convolution has dilation 1: pass on conv.dilation.",
        ),
        (
            NEW_LAYER.replace("groups=conv.groups,", ""),
            "The new convolution has one group: pass on conv.groups.",
        ),
        (
            NEW_LAYER.replace("dtype=conv.weight.dtype,", ""),
            "The new convolution has torch's default dtype: pass on conv.weight.dtype.",
        ),
        (
            "return folded",
            "return conv",
            "You return conv unchanged: scale its weight and shift its bias.",
        ),
    ],
)


def _average_inputs(generator: Generator) -> dict[str, Any]:
    """States of a net with one BatchNorm: the average's own, then the net's."""
    index = generator.initial_seed()
    shapes = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).state_dict()
    states = []
    for step in range(2 + index % 3):
        state = {n: signed(generator, *v.shape) for n, v in shapes.items() if v.dim()}
        state["1.running_var"] = state["1.running_var"].abs()
        state["1.num_batches_tracked"] = torch.tensor(7 * step + index)
        states.append(state)
    return {"states": states, "decay": (0.9, 0.75, 0.99)[index % 3]}


def _average_steps(
    answer: Any, states: list[dict[str, Tensor]], decay: float
) -> Iterator[Any]:
    """The average's parameters and buffers after one to three updates."""
    refuse_no_function(answer)
    updates = len(states) - 1
    yield "configuration", f"Linear(3, 4), BatchNorm1d(4), {decay=}, {updates=}"
    average = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).double()
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).double()
    average.load_state_dict(states[0])
    for state in states[1:]:
        net.load_state_dict(state)
        if call(answer, average, net, decay) is not average:
            raise Refused("Change average in place, and return it itself.")
        for name, value in net.state_dict().items():
            if not torch.equal(value, state[name]):
                raise Refused(f"You change {name} of net: only average may change.")
    for name, value in average.state_dict().items():
        yield f"{name} of the average", value.clone()


AVERAGE = Exercise(
    name="batch_norm/average",
    solution="""
        @torch.no_grad()
        def update_average(average, net, decay):
            for a, p in zip(average.parameters(), net.parameters(), strict=True):
                a.lerp_(p, 1 - decay)
            for a, b in zip(average.buffers(), net.buffers(), strict=True):
                a.copy_(b)
            return average
    """,
    run=custom_run(_average_steps, _average_inputs, configurations=6),
    mistakes=[
        (
            "    for a, b in zip(average.buffers(), net.buffers(), strict=True):\n"
            "        a.copy_(b)\n",
            "",
            "The buffers of average stay as they were at its start, and in eval mode "
            "BatchNorm divides by them: copy the buffers of net as well.",
        ),
        (
            "1 - decay",
            "decay",
            "Your average takes the share decay of net: it keeps the share decay of "
            "itself, and takes 1 - decay of net.",
        ),
        (
            "a.lerp_(p, 1 - decay)",
            "a.copy_(p)",
            "Your average forgets all that was before: it has the parameters of net "
            "alone.",
        ),
        (
            "lerp_",
            "lerp",
            "The parameters of average stay as they were: lerp makes a new tensor, "
            "lerp_ writes into a.",
        ),
        (
            "        a.copy_(b)",
            "        if b.is_floating_point():\n            a.copy_(b)",
            "num_batches_tracked is a buffer too, though of whole numbers: copy all "
            "buffers of net.",
        ),
        (
            "        a.copy_(b)",
            "        if b.is_floating_point():\n"
            "            a.lerp_(b, 1 - decay)\n"
            "        else:\n"
            "            a.copy_(b)",
            "You average the running statistics, which are averages already: the "
            "exercise asks for copies of the buffers of net.",
        ),
    ],
)

FORGOTTEN = Exercise(
    name="batch_norm/forgotten_eval",
    setup="from helpers import digits",
    solution="""
        x_train, y_train, x_test, y_test = digits()


        def trained(seed):
            torch.manual_seed(seed)
            net = nn.Sequential(
                nn.Flatten(), nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(),
                nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10),
            ).double()
            optimizer = torch.optim.SGD(net.parameters(), 0.1)
            for _ in range(60):
                i = torch.randint(0, len(x_train), (32,))
                optimizer.zero_grad()
                F.cross_entropy(net(x_train[i]), y_train[i]).backward()
                optimizer.step()
            return net


        @torch.no_grad()
        def test_error(net):
            pairs = x_test[:-1].split(2)  # batches of two images
            answers = torch.cat([net(x).argmax(1) for x in pairs])
            return 100 * (answers != y_test[:-1]).double().mean().item()


        evaluated, forgotten = [], []
        for seed in range(5):
            net = trained(seed)
            evaluated.append(test_error(net.eval()))  # first: it moves no buffer
            forgotten.append(test_error(net.train()))
        d = torch.tensor(forgotten) - torch.tensor(evaluated)  # (seeds,), in points
        answer = d.mean().item(), (d.std() / len(d) ** 0.5).item()
    """,
    run=measure_run("forgotten", "evaluated"),
    mistakes=[
        (
            "x_test[:-1].split(2)",
            "x_test[:-1].split(596)",
            "Your test batches are larger than two images, so that their statistics "
            "are nearly those of the data: split the images into pairs.",
        ),
        (
            "range(60)",
            "range(0)",
            "Your nets guess in both modes, since they have not been trained: take 60 "
            "steps before you test them.",
        ),
    ],
)

EXERCISES = (EVAL_OUTPUT, BY_HAND, AVERAGE, FOLD, MODULE, FORGOTTEN)
