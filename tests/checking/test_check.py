"""The engine of the self-checks: nothing wrong passes, everything right does."""

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from helpers import check
from layers_book import exercises
from layers_book.checking import (
    Case,
    Exercise,
    Mistake,
    Verdict,
    check_exercise,
    custom_run,
    function_run,
    value_run,
    varied,
)
from layers_book.checking.judging.compare import same
from layers_book.checking.judging.words import explain
from layers_book.checking.recording import plain

BY_HAND, MODULE, FOLD = "batch_norm/by_hand", "batch_norm/module", "batch_norm/fold"


def axes(x):
    return (0, *range(2, x.dim()))


def per_channel(t, x):
    return t.view(1, -1, *[1] * (x.dim() - 2))


def right(x, weight, bias, eps=1e-5):
    mean = x.mean(axes(x), keepdim=True)
    var = ((x - mean) ** 2).mean(axes(x), keepdim=True)
    y = (x - mean) * torch.rsqrt(var + eps)
    return y * per_channel(weight, x) + per_channel(bias, x)


# right answers, written otherwise than the reference and the mistakes


def flattened(x, weight, bias, eps=1e-5):
    rows = x.transpose(0, 1).reshape(x.shape[1], -1)
    rows = rows - rows.mean(1, keepdim=True)
    rows = rows / torch.sqrt(rows.var(1, correction=0, keepdim=True) + eps)
    rows = rows * weight[:, None] + bias[:, None]
    return rows.view(x.shape[1], x.shape[0], *x.shape[2:]).transpose(0, 1)


def channel_by_channel(x, weight, bias, eps=1e-5):
    out = []
    for c in range(x.shape[1]):
        values = x[:, c]
        centered = values - values.sum() / values.numel()
        var = (centered**2).sum() / values.numel()
        out.append(weight[c] * centered / (var + eps) ** 0.5 + bias[c])
    return torch.stack(out, 1)


def moved_last(x, weight, bias, eps=1e-5):
    x = x.movedim(1, -1)
    over = tuple(range(x.dim() - 1))
    mean, var = x.mean(over), x.var(over, unbiased=False)
    return ((x - mean) / (var + eps).sqrt() * weight + bias).movedim(-1, 1)


@pytest.mark.parametrize("answer", [right, flattened, channel_by_channel, moved_last])
def test_right_functions_pass(answer):
    verdict = check(BY_HAND, answer)
    assert verdict, verdict.message
    assert verdict.message.startswith("Right in 12 configurations")


class Right(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        if self.training:
            mean = x.mean((0, 2, 3))
            var = x.var((0, 2, 3), correction=0)
            n = x.numel() / x.shape[1]
            m = self.momentum
            self.running_mean = (1 - m) * self.running_mean + m * mean.detach()
            self.running_var += m * (var.detach() * n / (n - 1) - self.running_var)
        else:
            mean, var = self.running_mean, self.running_var
        x = (x - mean[:, None, None]) / (var[:, None, None] + self.eps).sqrt()
        return x * self.weight[:, None, None] + self.bias[:, None, None]


class Counting(Right):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.register_buffer("num_batches_tracked", torch.tensor(0))


@pytest.mark.parametrize("answer", [Right, Counting])
def test_right_modules_pass(answer):
    verdict = check(MODULE, answer)
    assert verdict, verdict.message


def new_layer(conv, bn):
    factor = bn.weight / torch.sqrt(bn.running_var + bn.eps)
    folded = nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        conv.stride,
        conv.padding,
        conv.dilation,
        conv.groups,
        dtype=conv.weight.dtype,
    )
    bias = 0 if conv.bias is None else conv.bias
    with torch.no_grad():
        folded.weight.copy_(conv.weight * factor[:, None, None, None])
        folded.bias.copy_((bias - bn.running_mean) * factor + bn.bias)
    return folded


def test_right_fold_passes():
    assert check(FOLD, new_layer)
    assert check(FOLD, torch.nn.utils.fusion.fuse_conv_bn_eval)


# wrong answers that no list of mistakes holds, and a word that their message needs


def special_shape(x, weight, bias, eps=1e-5):
    return right(x, weight, bias, eps) if x.dim() == 4 else x


def small_only(x, weight, bias, eps=1e-5):
    return right(x, weight, bias, eps) if x.numel() < 1000 else x * 1.0


class Memory:
    """Keeps the statistics of the first batch of each number of channels."""

    def __init__(self):
        self.known = {}

    def __call__(self, x, weight, bias, eps=1e-5):
        first = x.mean(axes(x), keepdim=True), x.var(axes(x), keepdim=True)
        mean, var = self.known.setdefault((x.shape[1], x.dim()), first)
        y = (x - mean) / (var + eps).sqrt()
        return y * per_channel(weight, x) + per_channel(bias, x)


def detached_mean(x, weight, bias, eps=1e-5):
    mean = x.mean(axes(x), keepdim=True).detach()
    var = ((x - mean) ** 2).mean(axes(x), keepdim=True)
    return (x - mean) / (var + eps).sqrt() * per_channel(weight, x) + per_channel(
        bias, x
    )


def data_of_weight(x, weight, bias, eps=1e-5):
    return right(x, weight.data, bias, eps)


def everything_without_grad(x, weight, bias, eps=1e-5):
    with torch.no_grad():
        return right(x, weight, bias, eps)


def via_numpy(x, weight, bias, eps=1e-5):
    return right(x, weight, bias, eps).detach().numpy()


def as_list(x, weight, bias, eps=1e-5):
    return right(x, weight, bias, eps).tolist()


def in_float32(x, weight, bias, eps=1e-5):
    return right(x.float(), weight.float(), bias.float(), eps).to(x.dtype)


def in_float64(x, weight, bias, eps=1e-5):
    return right(x.double(), weight.double(), bias.double(), eps)


def complex_output(x, weight, bias, eps=1e-5):
    return right(x, weight, bias, eps).to(torch.complex128)


def unbiased_and_eps_outside(x, weight, bias, eps=1e-5):
    mean, std = x.mean(axes(x), keepdim=True), x.std(axes(x), keepdim=True)
    return (x - mean) / (std + eps) * per_channel(weight, x) + per_channel(bias, x)


def unbiased_and_less_eps_outside(x, weight, bias, eps=1e-5):
    return unbiased_and_eps_outside(x, weight, bias, 0.7 * eps)


def larger_eps(x, weight, bias, eps=1e-3):
    return right(x, weight, bias, eps)


def ten_times_eps(x, weight, bias, eps=1e-5):
    return right(x, weight, bias, 10 * eps)


def clamped(x, weight, bias, eps=1e-5):
    mean = x.mean(axes(x), keepdim=True)
    var = x.var(axes(x), keepdim=True, correction=0).clamp(min=eps)
    return (x - mean) / var.sqrt() * per_channel(weight, x) + per_channel(bias, x)


def absolute_weight(x, weight, bias, eps=1e-5):
    return right(x, weight.abs(), bias, eps)


def transposed(x, weight, bias, eps=1e-5):
    return right(x, weight, bias, eps).transpose(0, 1)


def flat(x, weight, bias, eps=1e-5):
    return right(x, weight, bias, eps).flatten(1)


def negative(x, weight, bias, eps=1e-5):
    return -right(x, weight, bias, eps)


def twice(x, weight, bias, eps=1e-5):
    return 2 * right(x, weight, bias, eps)


def shifted(x, weight, bias, eps=1e-5):
    return right(x, weight, bias, eps) + 0.25


def writes_weight(x, weight, bias, eps=1e-5):
    y = right(x, weight, bias, eps)
    weight.data.mul_(2)
    return y


def pair(x, weight, bias, eps=1e-5):
    return right(x, weight, bias, eps), x.mean()


def undefined_name(x, weight, bias, eps=1e-5):
    return (x - undefined) / weight  # noqa: F821


def no_eps_argument(x, weight, bias):
    return right(x, weight, bias)


def forgot_view(x, weight, bias, eps=1e-5):
    return right(x, torch.ones_like(weight), bias) * weight


def calls_torch(x, weight, bias, eps=1e-5):
    return F.batch_norm(x, None, None, weight, bias, True, eps=eps)


def calls_aten(x, weight, bias, eps=1e-5):
    return torch.native_batch_norm(x, weight, bias, None, None, True, 0.1, eps)[0]


def calls_a_layer(x, weight, bias, eps=1e-5):
    layer = nn.BatchNorm2d(x.shape[1], eps=eps).double()
    return layer(x) * per_channel(weight, x) + per_channel(bias, x)


def calls_an_operator(x, weight, bias, eps=1e-5):
    normalize = torch.ops.aten.native_batch_norm
    return normalize(x, weight, bias, None, None, True, 0.1, eps)[0]


def calls_an_alias(x, weight, bias, eps=1e-5):
    return torch.instance_norm(
        x.transpose(0, 1)[None].flatten(2), None, None, None, None, True, 0, eps, False
    )


def one_value_off(x, weight, bias, eps=1e-5):
    off = torch.ones_like(x)
    off.view(-1)[-1] += 1e-5
    return right(x, weight, bias, eps) * off


def one_batch_size(x, weight, bias, eps=1e-5):
    return right(x, weight, bias, eps) if len(x) != 2 else x - x.mean(axes(x), True)


def leaves(x, weight, bias, eps=1e-5):
    raise SystemExit


WRONG_FUNCTIONS = [
    (special_shape, "configuration 3 of 12"),
    (small_only, "values differ"),
    (Memory(), "the root of (n - 1) / n with the n = 210 values"),
    (detached_mean, "gradient"),
    (data_of_weight, "No gradient reaches weight"),
    (everything_without_grad, "No gradient reaches x"),
    (via_numpy, "a NumPy array: it should be a tensor"),
    (as_list, "a list: it should be a tensor"),
    (in_float32, "as if a part were computed in float32"),
    (in_float64, "float64, expected float32"),
    (complex_output, "complex128"),
    (unbiased_and_eps_outside, "std divides by n - 1, and eps belongs under the root"),
    (unbiased_and_less_eps_outside, "(n - 1) / n with the n = 210 values"),
    (larger_eps, "eps"),
    (ten_times_eps, "eps"),
    (clamped, "eps"),
    (absolute_weight, "wrong values"),
    (transposed, "axes are swapped"),
    (flat, "has shape"),
    (negative, "sign is the opposite"),
    (twice, "2 times the expected one everywhere."),
    (shifted, "plus 0.25 everywhere"),
    (writes_weight, "changes weight in place"),
    (pair, "a tuple: it should be a tensor"),
    (undefined_name, "name 'undefined' is not defined"),
    (undefined_name, "return (x - undefined) / weight"),
    (no_eps_argument, "unexpected keyword argument 'eps'"),
    (forgot_view, "line up from the right"),
    (calls_torch, "Write it by hand: torch's batch_norm"),
    (calls_aten, "Write it by hand: torch's native_batch_norm"),
    (calls_a_layer, "Write it by hand"),
    (calls_an_operator, "Write it by hand: torch's native_batch_norm"),
    (calls_an_alias, "Write it by hand: torch's instance_norm"),
    (one_value_off, "1 of 420 values differ"),
    (one_batch_size, "x (2, "),
    (leaves, "SystemExit"),
    (nn.BatchNorm2d, "write a function with def"),
    (torch.ones(2), "pass the function's name, without calling it"),
    (3, "an int"),
]


@pytest.mark.parametrize(("answer", "word"), WRONG_FUNCTIONS)
def test_wrong_functions_do_not_pass(answer, word):
    verdict = check(BY_HAND, answer)
    assert not verdict
    assert verdict.answered
    assert word in verdict.message, verdict.message


class OnlyTraining(Right):
    def forward(self, x):
        return super().forward(x) if self.training else x


class UnbiasedAndSwapped(Right):
    def forward(self, x):
        if not self.training:
            return super().forward(x)
        with torch.no_grad():
            self.running_mean.mul_(self.momentum)
            self.running_mean.add_((1 - self.momentum) * x.mean((0, 2, 3)))
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
        y = (x - mean[:, None, None]) / (var[:, None, None] + self.eps).sqrt()
        return y * self.weight[:, None, None] + self.bias[:, None, None]


class SampleCount(Right):
    """Corrects running_var with the number of samples, not of values."""

    def forward(self, x):
        old = self.running_var.clone()
        y = super().forward(x)
        if self.training:
            new = x.detach().var((0, 2, 3), correction=0) * len(x) / (len(x) - 1)
            self.running_var = (1 - self.momentum) * old + self.momentum * new
        return y


class Hidden(Right):
    """Evaluates from copies that state_dict does not hold."""

    def forward(self, x):
        if self.training:
            y = super().forward(x)
            self.copies = self.running_mean.clone(), self.running_var.clone()
            return y
        if hasattr(self, "copies"):
            self.running_mean, self.running_var = self.copies
            return super().forward(x)
        return x * 0


class ForgetsMode(Right):
    """Never goes back to training mode."""

    def forward(self, x):
        self.seen = getattr(self, "seen", False) or not self.training
        if self.seen:
            self.training = False
        return super().forward(x)


class OtherNames(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(num_features))
        self.beta = nn.Parameter(torch.zeros(num_features))

    def forward(self, x):
        return x * self.gamma[:, None, None] + self.beta[:, None, None]


class NoSuper(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        self.eps = eps

    def forward(self, x):
        return x


class NotAModule:
    def __init__(self, num_features, eps=1e-5, momentum=0.1): ...


class Inherits(nn.BatchNorm2d):
    pass


class SmallMomentum(Right):
    def __init__(self, num_features, eps=1e-5, momentum=0.01):
        super().__init__(num_features, eps, momentum)


class NoReturnInEval(Right):
    def forward(self, x):
        if self.training:
            return super().forward(x)


class MakesParameters(Right):
    def forward(self, x):
        self.weight = nn.Parameter(torch.ones(x.shape[1], dtype=x.dtype))
        return super().forward(x)


class OnlyInForward(Right):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        del self.bias

    def forward(self, x):
        self.bias = nn.Parameter(torch.zeros(x.shape[1], dtype=x.dtype))
        return super().forward(x)


class OverwritesSaved(Right):
    def forward(self, x):
        y = super().forward(x)
        half = torch.sigmoid(y * 0)
        half *= 2
        return y * half


class OverwritesWeight(Right):
    def forward(self, x):
        self.weight *= 1
        return super().forward(x)


class KeepsGraph(Right):
    def forward(self, x):
        y = super().forward(x)
        self.running_var = self.running_var + 0 * x.mean((0, 2, 3))
        return y


class CallsList(Right):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        self.parts = nn.ModuleList([nn.ReLU()])

    def forward(self, x):
        return self.parts(x)


class CopiesMeta(Right):
    def forward(self, x):
        return super().forward(x) + torch.zeros(1, device="meta").to(x)


class OtherDevice(Right):
    def forward(self, x):
        return super().forward(x) + torch.zeros(x.shape[-1], device="meta")


class OtherType(Right):
    def forward(self, x):
        return super().forward(x) @ torch.eye(x.shape[-1])


class Frozen(Right):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        self.bias.requires_grad_(False)


class InList(Right):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        self.both = [self.weight, self.bias]
        del self.weight, self.bias

    def forward(self, x):
        return x * self.both[0][:, None, None] + self.both[1][:, None, None]


class NoBias(Right):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        self.shift = self.bias
        del self.bias

    def forward(self, x):
        return x * self.weight[:, None, None] + self.shift[:, None, None]


class PlainOverParameter(Right):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        self.weight = torch.ones(num_features)


class Lazy(Right):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        self.extra = nn.LazyLinear(3)


class NumberAsBuffer(Right):
    def forward(self, x):
        self.running_mean = x.detach().mean().item()
        return x


class OtherArguments(Right):
    def __init__(self, channels):
        super().__init__(channels)


class MakesLayerOfTensor(Right):
    def forward(self, x):
        return torch.relu(nn.ReLU(super().forward(x)))


class TwoDimensional(Right):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__(num_features, eps, momentum)
        self.weight = nn.Parameter(torch.ones(1, num_features, 1, 1))


WRONG_MODULES = [
    (OnlyTraining, "what self.training decides"),
    (UnbiasedAndSwapped, "n - 1"),
    (UnbiasedAndSwapped, "Something else differs"),
    (SampleCount, "running_var after the call"),
    (Hidden, "with this state_dict"),
    (ForgetsMode, "in training mode after eval mode"),
    (OtherNames, "missing: bias, weight"),
    (NoSuper, "super().__init__()"),
    (NotAModule, "not an nn.Module"),
    (nn.BatchNorm2d, "Write it by hand"),
    (Inherits, "Write it by hand"),
    (nn.BatchNorm2d(3), "without parentheses"),
    (SmallMomentum, "running_mean after the call"),
    (NoReturnInEval, "the output in eval mode"),
    (NoReturnInEval, "add a return"),
    (MakesParameters, "Your forward sets weight"),
    (OnlyInForward, "Your forward sets bias"),
    (OverwritesSaved, "write y = y + 1"),
    (OverwritesWeight, "You change a parameter in place"),
    (KeepsGraph, "running_var holds on to the computation"),
    (CallsList, "only hold modules"),
    (CopiesMeta, "take the device from x.device"),
    (OtherDevice, "take the device from x.device"),
    (OtherType, "create tensors with dtype=x.dtype"),
    (Frozen, "A parameter of yours is frozen"),
    (InList, "self.both is a Python list"),
    (NoBias, "no Python lists"),
    (PlainOverParameter, "This name holds a parameter"),
    (Lazy, "A lazy layer has no numbers"),
    (NumberAsBuffer, "This name holds a buffer"),
    (OtherArguments, "the arguments that the exercise names"),
    (MakesLayerOfTensor, "nn.ReLU()(x)"),
    (TwoDimensional, "weight is of shape (1, 2, 1, 1), expected of shape (2,)"),
]


@pytest.mark.parametrize(("answer", "word"), WRONG_MODULES)
def test_wrong_modules_do_not_pass(answer, word):
    verdict = check(MODULE, answer)
    assert not verdict
    assert verdict.answered
    assert word in verdict.message, verdict.message


def only_factor_of_mean(conv, bn):
    folded = new_layer(conv, bn)
    folded.bias.data.mul_(2)
    return folded


def sequential(conv, bn):
    return nn.Sequential(conv, bn)


def applied(conv, bn):
    return bn.bias


def trains_bn(conv, bn):
    folded = new_layer(conv, bn)
    bn.train()(torch.zeros(2, bn.num_features, 2, 2, dtype=bn.weight.dtype))
    return folded


WRONG_FOLDS = [
    (only_factor_of_mean, "folded layer has the right shape"),
    (sequential, "a Sequential"),
    (applied, "not what it computes"),
    (trains_bn, "You change bn"),
    (lambda conv, bn: new_layer(conv, bn).float(), "dtype"),
]


@pytest.mark.parametrize(("answer", "word"), WRONG_FOLDS)
def test_wrong_folds_do_not_pass(answer, word):
    verdict = check(FOLD, answer)
    assert not verdict
    assert word in verdict.message, verdict.message


# values


@pytest.mark.parametrize(
    "answer",
    [
        (-0.7071, 0.7071),
        [-(0.5**0.5), 0.5**0.5],
        torch.tensor([[-0.7071], [0.7071]]),
        np.array([-0.70711, 0.70711]),
        [torch.tensor(-0.7071), 0.7071],
    ],
)
def test_right_values_pass(answer):
    verdict = check("batch_norm/eval_output", answer)
    assert verdict.message == "Right."


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ((-0.7, 0.7), "close"),
        ((0.3, 0.4), "0 of 2"),
        ((0.7071, 0.7071), "1 of 2"),
        ((-0.7071, 0.7071, 0.0), "2 values are expected, and you give 3"),
        ("half", "a list of 2 values, in order, is expected, and you give a str"),
        ((-0.7071, float("nan")), "1 of 2"),
        (torch.ones(2, 2), "not right"),
        ((-0.7071, True), "a number is expected, and one that you give is a bool"),
        ({"a": 1}, "2 values"),
        ({-0.7071, 0.7071}, "in order, is expected, and you give a set"),
        (0.5, "you give a float"),
        (lambda: 1, "not right"),
    ],
)
def test_wrong_values_do_not_pass(answer, word):
    verdict = check("batch_norm/eval_output", answer)
    assert not verdict
    assert word in verdict.message, verdict.message


@pytest.mark.parametrize("nested", [(..., 1.0), [None, 2], {"a": ...}, ((1, ...), 2)])
def test_partly_filled_values_are_not_answered(nested):
    assert not check("batch_norm/eval_output", nested).answered


@pytest.mark.parametrize(
    ("reference", "good", "bad", "word"),
    [
        (
            True,
            [True, torch.tensor(True), np.bool_(True)],
            [False, 1, "True"],
            "not right",
        ),
        (64, [64, 64.0, torch.tensor(64)], [65, 64.01, True, "64"], "."),
        (2.5, [2.5, 2.501], [2.6, -2.5, "2.5", 2], "."),
        ("Layer Norm", ["layer norm", " Layer  norm "], ["layernorm", 3], "."),
        (
            {"weight": 4, "bias": 0.5},
            [{"bias": 0.5, "weight": 4}],
            [{"weight": 4}, {"weight": 5, "bias": 0.5}, 4, [4, 0.5]],
            ".",
        ),
        ((2, 3), [(2, 3), torch.Size([2, 3])], [(3, 2), (2,), 2, (2, 4)], "2 values"),
    ],
)
def test_value_run(reference, good, bad, word):
    e = Exercise("page/value", "", value_run(), reference=reference)
    for answer in good:
        assert check_exercise(e, answer), answer
    for answer in bad:
        verdict = check_exercise(e, answer)
        assert not verdict
        assert verdict.answered
        assert repr(reference) not in verdict.message


@pytest.mark.parametrize(
    ("answer", "word"),
    [(-2.5, "opposite"), (2.55, "close"), ("2.5", "a number is expected")],
)
def test_value_hints(answer, word):
    e = Exercise("page/value", "2.5", value_run())
    assert word in check_exercise(e, answer).message


def test_order_and_sign_of_several_values():
    e = Exercise("page/value", "(1.0, 2.0, 4.0)", value_run())
    assert "another order" in check_exercise(e, (4.0, 1.0, 2.0)).message
    assert "opposite" in check_exercise(e, (-1.0, -2.0, -4.0)).message


# the engine


def test_unknown_names():
    with pytest.raises(ValueError, match="did you mean 'batch_norm/by_hand'"):
        check("batchnorm/by_hand", right)
    with pytest.raises(ValueError, match="batch_norm/fold"):
        check("nothing", right)
    with pytest.raises(ValueError, match="allowed are"):
        check(right, BY_HAND)
    assert exercises.check is check


def test_message_names_the_configuration():
    message = check(BY_HAND, twice).message
    assert "Seen in the output, configuration 1 of 12: x (" in message
    assert check(BY_HAND, data_of_weight).message.endswith(".")
    assert "Right before it: the output." in check(BY_HAND, data_of_weight).message


def test_line_of_the_error_without_source():
    space = {}
    exec("def f(x, weight, bias, eps=1e-5):\n    y = x\n    return y / 0 @ 1", space)
    message = check(BY_HAND, space["f"]).message
    assert "in line 3 of your code" in message


def test_line_of_the_error_is_the_readers():
    def fails(x, weight, bias, eps=1e-5):
        return F.linear(x, weight[:, None, None])

    message = check(BY_HAND, fails).message
    assert "of your code: `return F.linear(x, weight[:, None, None])" in message


def test_global_state_is_restored():
    def careless(x, weight, bias, eps=1e-5):
        torch.manual_seed(7)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        return right(x, weight, bias, eps)

    torch.manual_seed(3)
    before = torch.get_rng_state()
    assert not check(BY_HAND, careless)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    with torch.no_grad():
        assert check(BY_HAND, right)
        assert not torch.is_grad_enabled()


def test_check_leaves_the_random_numbers_of_the_page_alone():
    state = torch.get_rng_state(), random.getstate()
    assert check(BY_HAND, right)
    assert check(MODULE, Right)
    assert torch.equal(state[0], torch.get_rng_state())
    assert random.getstate() == state[1]


def test_random_answers_are_refused_the_same_way_each_time():
    def noisy(x, weight, bias, eps=1e-5):
        return right(x, weight, bias, eps) + torch.rand(())

    first = check(BY_HAND, noisy)
    torch.manual_seed(99)
    assert check(BY_HAND, noisy) == first


def test_configurations_are_those_that_matter():
    kinds = [varied(torch.Generator().manual_seed(i), 3, 4, 5) for i in range(6)]
    assert not kinds[1].is_contiguous()
    assert kinds[2].transpose(0, 1).flatten(1).std(1)[0] == 0
    assert kinds[3].abs().max() < 0.01
    assert abs(kinds[4].mean() - 1e4) < 100
    assert kinds[5].mean((0, 2)).std() > 1


def test_a_mistake_met_with_another_is_named_and_more_announced():
    e = Exercise(
        "page/two",
        "def two(x):\n    return torch.stack([x, x])",
        function_run(lambda g: ((torch.rand(3, generator=g),), {})),
        [("x]", "x + 1]", "One too much.")],
    )
    assert check_exercise(e, e.reference)
    verdict = check_exercise(e, e.wrong_answer(e.mistakes[0]))
    assert verdict.message.startswith("One too much.\nSeen in the output")


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (torch.ones(2), torch.ones(2, dtype=torch.float64)),
        (torch.ones(2), torch.ones(2, 1)),
        (torch.ones(2), torch.ones(2, device="meta")),
        (torch.ones(2), torch.ones(2).to_sparse()),
        (torch.ones(2), torch.full((2,), float("nan"))),
        (torch.ones(2), torch.full((2,), 1.001)),
        (torch.ones(2, dtype=torch.float64), torch.full((2,), 1 + 1e-5).double()),
        (torch.arange(2), torch.arange(2) + 1),
        (torch.ones(2), np.ones(2)),
        ((torch.ones(2),), (torch.ones(2), torch.ones(2))),
        ({"a": 1}, {"b": 1}),
        (1, True),
        (0.5, "0.5"),
        ("a", None),
    ],
)
def test_different_things_are_not_the_same(expected, got):
    assert same(plain(expected), plain(expected))
    assert not same(plain(expected), plain(got))


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (lambda x: x.new_full(x.shape, torch.nan), "NaN"),
        (lambda x: x / 0, "infinity"),
        (lambda x: x * 0, "zero everywhere"),
        (lambda x: (x + 1) ** 2, "square of the expected"),
        (lambda x: (x + 1).sqrt(), "square root of the expected"),
        (lambda x: (x + 1).flip(0), "another order"),
        (lambda x: (x + 1).sum(0, keepdim=True), "expected (3, 4)"),
        (lambda x: (x + 1)[:, None], "keepdim"),
        (lambda x: (x - x.mean(0)) / x.std(0), "mean of yours over axes (0,)"),
        (lambda x: (x + 1) * torch.tensor([1, 2, 3, 4]), "for each index of axis 1"),
        (lambda x: (x + 1).to("meta"), "on meta, expected cpu"),
        (lambda x: (x + 1).to_sparse(), "dense tensor"),
        (lambda x: x.double() + 1, "float64, expected float32"),
        (lambda x, y: x, "missing 1 required positional argument"),
    ],
)
def test_facts(answer, word):
    e = Exercise(
        "page/facts",
        "lambda x: x + 1",
        function_run(lambda g: ((torch.rand(3, 4, generator=g),), {}), float32=False),
    )
    verdict = check_exercise(e, answer)
    assert not verdict
    assert word in verdict.message, verdict.message


def test_another_number_for_zero_is_no_multiple():
    zeros = Exercise(
        "page/zeros",
        "lambda x: torch.where(x > 0.5, x, 0.0)",
        function_run(lambda g: ((torch.rand(3, 4, generator=g),), {}), float32=False),
    )
    said = check_exercise(zeros, lambda x: torch.where(x > 0.5, x, 1.0)).message
    assert "wrong values: only where 0 is expected. At" in said


def test_custom_run_may_yield_plain_pairs():
    def steps(answer):
        yield Case("output", "", "", answer(2))
        yield "the second", (answer(3), {"four": answer(4)})

    e = Exercise("page/custom", "lambda x: x * x", custom_run(steps))
    assert check_exercise(e, lambda x: x**2).message == "Right."
    assert "value 0" in check_exercise(e, lambda x: x**2 + (x == 3)).message
    assert "four" in check_exercise(e, lambda x: x**2 + (x == 4)).message
    assert (
        "while computing the second"
        in check_exercise(e, lambda x: x**2 if x < 3 else 1 / 0).message
    )


def test_verdict_as_text_and_html():
    verdict = Verdict("page/one", False, "a < b " * 30 + "\nsecond <line>")
    lines = repr(verdict).split("\n")
    assert lines[0].startswith("✗ page/one: a < b")
    assert lines[-1] == "second <line>"
    assert max(map(len, lines)) <= 80
    box = verdict._repr_html_()
    assert 'role="status"' in box
    assert "✗" in box
    assert "second &lt;line&gt;" in box
    assert repr(Verdict("page/one", True, "Right.")) == "✓ page/one: Right."
    assert repr(check(BY_HAND, ...)).startswith(
        "○ batch_norm/by_hand: Not answered yet: "
    )


def said(expected, got):
    """What is said of an output."""
    return explain(*[("output", "", "", plain(x)) for x in (expected, got)])


def test_a_value_where_zero_is_expected_is_no_scale():
    expected = torch.tensor([0.0, 1, 2, 0], dtype=torch.float64)
    start = "The output has the right shape, but wrong values"
    scaled = torch.tensor([1.0, 2, 4, 0], dtype=torch.float64)
    assert said(expected, scaled).startswith(f"{start}. At")
    assert "2 times" in said(expected, 2 * expected)


def test_whole_numbers_where_fractions_are_expected():
    words = said(torch.tensor([0.5]), torch.tensor([1]))
    assert words.startswith("The output is int64, expected float32: fractions are lost")


def test_a_reference_that_raises_stops_the_check(monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("pad is broken")

    e = Exercise(
        "page/pad",
        "def padded(x):\n    return F.pad(x, (1, 1))",
        function_run(lambda g: ((torch.rand(2, 3, generator=g),), {})),
    )
    monkeypatch.setattr(F, "pad", broken)
    with pytest.raises(RuntimeError, match=r"page/pad cannot be checked .*is broken"):
        check_exercise(e, e.reference)


def test_an_edit_that_no_longer_applies_names_exercise_and_text():
    with pytest.raises(ValueError, match=r"page/two: .* has no 'x - 1' \(hint: No\.\)"):
        Exercise("page/two", "x = 2", value_run(), [("x - 1", "x", "No.")])


def test_mistakes_may_be_edits_whole_code_or_values():
    mistakes = [
        ("2", "3", "One edit."),
        ("x", "y", "2", "4", "Two edits."),
        ("5", "Code."),
        (6, "A value."),
        Mistake("Named.", answer=7, name="seven"),
    ]
    e = Exercise("page/x", "x = 2", value_run(), mistakes)
    assert [e.wrong_answer(m) for m in e.mistakes] == [3, 4, 5, 6, 7]
    assert [m.hint for m in e.mistakes][2:4] == ["Code.", "A value."]
    for mistake in e.mistakes:
        assert check_exercise(e, e.wrong_answer(mistake)).message == mistake.hint


def test_a_part_left_open_is_named_and_the_rest_not_printed():
    verdict = check(
        "shapes/by_layer", lambda *args, **kwargs: (torch.ones(99, 9), None)
    )
    assert "Not answered yet: value 1 of your result is, or holds," in verdict.message
    assert "tensor(" not in verdict.message
