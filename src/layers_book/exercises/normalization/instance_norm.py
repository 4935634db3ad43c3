"""Exercises of the page normalization/instance_norm."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    measure_run,
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
    n, c, *rest = distinct(generator, 2 + (2, 1, 3, 2)[index % 4])
    if index == 5:
        n = 1
    x = varied(generator, n, c, *rest).requires_grad_()
    return (x,), {"eps": EPS[index % 2 + 1]} if index % 3 else {}


BY_HAND = Exercise(
    name="instance_norm/by_hand",
    solution="""
        def instance_norm(x, eps=1e-5):
            axes = tuple(range(2, x.dim()))
            mean = x.mean(axes, keepdim=True)
            var = x.var(axes, correction=0, keepdim=True)
            return (x - mean) / torch.sqrt(var + eps)
    """,
    reference=lambda x, eps=1e-5: F.instance_norm(x, eps=eps),
    run=function_run(_arguments),
    forbid=FORBIDDEN,
    mistakes=[
        *OTHER_DEFAULTS,
        *standard_deviations("torch.sqrt(var + eps)", "x.std(axes, {}keepdim=True)"),
        (
            "x.var(axes, correction=0, keepdim=True)",
            "(x**2).mean(axes, keepdim=True) - mean**2",
            "The mean of squares minus the square of the mean cancels: with values "
            "around 1e4, float32 has no digits left. Average (x - mean) ** 2.",
        ),
        (
            "correction=0, ",
            "",
            "Your variance divides by n - 1; InstanceNorm normalizes with the biased "
            "variance, 1/n: use var(..., correction=0).",
        ),
        (
            "tuple(range(2, x.dim()))",
            "(0, *range(2, x.dim()))",
            "You average over the batch too: that is BatchNorm. Each sample keeps its "
            "own mean: average over the axes after 1 only.",
        ),
        (
            "range(2, x.dim())",
            "range(1, x.dim())",
            "You average over the channels too: that is LayerNorm over all but the "
            "batch. Each channel keeps its own mean: the axes after 1 only.",
        ),
        (
            "tuple(range(2, x.dim()))",
            "(-1,)",
            "You average over the last axis alone, one mean for each row: average over "
            "all axes after the channels, range(2, x.dim()).",
        ),
        (
            "tuple(range(2, x.dim()))",
            "(2, 3)",
            "You assume four axes; average over all axes after the channels, however "
            "many there are: range(2, x.dim()).",
        ),
        (
            "tuple(range(2, x.dim()))",
            "(1,)",
            "You average over the channels and keep the pixels apart; it is the other "
            "way round: the axes after 1.",
        ),
        (
            "range(2, x.dim())",
            "range(x.dim())",
            "You take one mean of the whole block; InstanceNorm takes one for each "
            "channel of each sample.",
        ),
        (
            "torch.sqrt(var + eps)",
            "(torch.sqrt(var) + eps)",
            "You add eps to the standard deviation; it belongs under the root, added "
            "to the variance.",
        ),
        (
            "var + eps",
            "var",
            "You leave out eps: a constant channel then gives 0 / 0. Divide by "
            "torch.sqrt(var + eps).",
        ),
        ("var + eps", "var + 1e-5", "Your eps is always 1e-5: use the argument eps."),
        (
            "torch.sqrt(var + eps)",
            "(var + eps)",
            "You divide by the variance; divide by its square root.",
        ),
        ("(x - mean)", "x", "You scale x but do not subtract the mean of its channel."),
        (
            "x.mean(",
            "x.detach().mean(",
            "x.var(",
            "x.detach().var(",
            "The output is right, the gradient is not: it must also flow through mean "
            "and variance, so do not detach them.",
        ),
        (
            "return (x - mean)",
            "x -= mean\n    return x",
            "You change the caller's x: write x - mean, not x -= mean.",
        ),
    ],
)


def _photos(generator: Generator) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
    n, c, h, w = distinct(generator, 4)
    if generator.initial_seed() == 1:
        n = 1
    x = varied(generator, n, c, h, w).requires_grad_()
    weight, bias = signed(generator, c), signed(generator, c)
    return (x, weight.requires_grad_(), bias.requires_grad_()), {}


PHOTO_NORM = Exercise(
    name="instance_norm/photo_norm",
    solution="""
        def photo_norm(x, weight, bias):
            n, c, h, w = x.shape
            y = F.batch_norm(x.reshape(1, n * c, h, w), None, None,
                             weight.repeat(n), bias.repeat(n), True)
            return y.view(n, c, h, w)
    """,
    reference=lambda x, weight, bias: F.instance_norm(x, weight=weight, bias=bias),
    run=function_run(_photos, names=("x", "weight", "bias")),
    mistakes=[
        (
            "weight.repeat(n), bias.repeat(n)",
            "weight.repeat_interleave(n), bias.repeat_interleave(n)",
            "A channel gets the weight and bias of another where there are several "
            "photos: the reshape lists all channels of photo 0 first, so the weights "
            "must be repeated as a whole.",
        ),
        (
            "weight.repeat(n)",
            "weight.repeat_interleave(n)",
            "The biases are in the right order now, the weights are not yet.",
        ),
        (
            "bias.repeat(n)",
            "bias.repeat_interleave(n)",
            "The weights are in the right order now, the biases are not yet.",
        ),
        (
            "x.reshape(1, n * c, h, w), None, None,\n"
            "                     weight.repeat(n), bias.repeat(n), True",
            "x, None, None, weight, bias, True",
            "You give BatchNorm the photos as a batch, so they share their mean and "
            "variance: each photo needs channels of its own.",
        ),
        (
            "weight.repeat(n), bias.repeat(n)",
            "None, None",
            "Your output is normalized, but weight and bias are missing.",
        ),
    ],
)


def _pair(generator: Generator) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
    index = generator.initial_seed()
    n, c, h, w = distinct(generator, 4)
    height, width = (h, w) if index == 0 else (h + 1, w + 2)
    content = varied(generator, n, c, h, w).requires_grad_()
    style = varied(generator, n, c, height, width) * 2 + 1
    args = (content, style.detach().requires_grad_())
    return args, {"eps": EPS[index % 2 + 1]} if index % 3 else {}


def _reference(content: Tensor, style: Tensor, eps: float = 1e-5) -> Tensor:
    var, mean = torch.var_mean(style, (2, 3), correction=0, keepdim=True)
    return F.instance_norm(content, eps=eps) * (var + eps).sqrt() + mean


ADAIN = Exercise(
    name="instance_norm/adain",
    solution="""
        def adain(content, style, eps=1e-5):
            def statistics(x):
                var = x.var((2, 3), correction=0, keepdim=True)
                return x.mean((2, 3), keepdim=True), torch.sqrt(var + eps)

            mean, std = statistics(content)
            new_mean, new_std = statistics(style)
            return (content - mean) / std * new_std + new_mean
    """,
    reference=_reference,
    run=function_run(_pair, names=("content", "style")),
    forbid=FORBIDDEN,
    mistakes=[
        *OTHER_DEFAULTS,
        *standard_deviations("torch.sqrt(var + eps)", "x.std((2, 3), {}keepdim=True)"),
        (
            "(content - mean) / std * new_std + new_mean",
            "(style - new_mean) / new_std * std + mean",
            "You give the style the statistics of the content; it is the content that "
            "changes its statistics.",
        ),
        (
            "correction=0, ",
            "",
            "Your variances divide by n - 1: use var(..., correction=0) for both.",
        ),
        (
            "var + eps",
            "var",
            "You leave out eps: a constant channel of the content then gives 0 / 0. "
            "Add it to both variances.",
        ),
        (
            "* new_std",
            "* style.std((2, 3), correction=0, keepdim=True)",
            "You add eps to the content's variance only; the task asks for "
            "sqrt(var + eps) for both.",
        ),
        ("var + eps", "var + 1e-5", "Your eps is always 1e-5: use the argument eps."),
        (
            " + new_mean",
            "",
            "You scale to the style's deviation; add the style's mean as well.",
        ),
        (
            "+ new_mean",
            "+ mean",
            "You put the content's own mean back: add the style's.",
        ),
        (
            " / std * new_std",
            "",
            "You exchange the means only; the standard deviations are exchanged too.",
        ),
        (
            "* new_std",
            "* new_std**2",
            "You multiply by the style's variance: multiply by its square root.",
        ),
        (
            "(content - mean) / std",
            "content",
            "You put the style's statistics in without taking the content's own away "
            "first: subtract its mean and divide by its deviation.",
        ),
        (
            " * new_std + new_mean",
            "",
            "You return the normalized content: multiply by the style's deviation and "
            "add the style's mean.",
        ),
        (
            "(2, 3)",
            "(0, 2, 3)",
            "You average over the batch as well: each pair of content and style has "
            "its own statistics, over axes 2 and 3.",
        ),
        (
            "(2, 3)",
            "(1, 2, 3)",
            "You average over the channels as well: each channel has its own "
            "statistics, over axes 2 and 3.",
        ),
        (
            "statistics(style)",
            "statistics(style.detach())",
            "The output is right; no gradient reaches the style. Its statistics must "
            "not be detached.",
        ),
    ],
)

BLIND = Exercise(
    name="instance_norm/blind",
    solution="answer = [True, True, False, False, True, True, False]",
    run=value_run(),
    mistakes=[
        (
            [True, True, True, False, True, True, False],
            "Number 3: the standard deviation is positive, so the negative of x comes "
            "out as the negative of y.",
        ),
        (
            [True, True, False, True, True, True, False],
            "Number 4: every channel is normalized by itself, but stays in its place; "
            "exchange the channels of x, and those of y are exchanged.",
        ),
        (
            [True, True, False, False, False, True, False],
            "Number 5: each channel has its own mean and variance, so a gain for each "
            "channel is divided out again.",
        ),
        (
            [True, True, False, False, True, False, False],
            "Number 6: each image has its own mean, so its own brightness is "
            "subtracted again.",
        ),
        (
            [True, True, False, False, True, True, True],
            "Number 7: the mean removes one number for the whole image; a ramp adds "
            "another number to each column.",
        ),
        (
            [False, False, True, True, False, False, True],
            "You answer where the output changes; the question is where it stays.",
        ),
        (
            [True, True, False, False, False, False, False],
            "Numbers 5 and 6: there is one mean and one variance for each channel of "
            "each image, so what is constant on it is removed.",
        ),
    ],
)

RULER = Exercise(
    name="instance_norm/ruler",
    setup="""
        from helpers import digits

        x_train, y_train, x_test, y_test = digits()


        def small_net(norm, padding=0, mode="zeros"):
            first = nn.Conv2d(1, 8, 3, padding=padding, padding_mode=mode, bias=False)
            return nn.Sequential(
                first, norm(8), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(),
                nn.Flatten(), nn.Linear(8 * (2 + padding) ** 2, 10)).double()


        def train(net, x, label, test_sets, tests):
            optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
            errors = []
            for step in range(1, max(tests) + 1):
                i = torch.randint(0, len(x), (32,))
                optimizer.zero_grad()
                F.cross_entropy(net(x[i]), label[i]).backward()
                optimizer.step()
                if step in tests:
                    errors.append([test_error(net, *given) for given in test_sets])
            return errors  # in %, (len(tests), len(test_sets))


        @torch.no_grad()
        def test_error(net, x, label):
            wrong = net.eval()(x).argmax(1) != label
            net.train()
            return 100 * wrong.double().mean().item()


        def day(x, y):
            return x + y


        def relabeled(change):
            generator = torch.Generator().manual_seed(0)
            sets = []
            for x in (x_train, x_test):
                y = torch.randint(0, 2, (len(x),), generator=generator)  # at random
                sets.append((change(x, y.view(-1, 1, 1, 1)), y))
            return *sets[0], sets[1:]  # images, labels, test sets


        def runs_of(norm, task, tests, **convolution):
            runs = []
            for seed in range(5):
                torch.manual_seed(seed)  # networks this small train fastest on the CPU
                runs.append(train(small_net(norm, **convolution), *task, tests))
            return torch.tensor(runs)  # (seeds, len(tests), test sets)
    """,
    solution="""
        task, norm = relabeled(day), nn.InstanceNorm2d
        replicate = runs_of(norm, task, [60], padding=1, mode="replicate").flatten()
        zeros = runs_of(norm, task, [60], padding=1, mode="zeros").flatten()
        d = replicate - zeros  # (seeds,), in points
        answer = d.mean().item(), (d.std() / len(d) ** 0.5).item()
    """,
    run=measure_run("replicate", "zeros"),
    mistakes=[
        (
            'mode="replicate"',
            'mode="zeros"',
            "Both of your settings pad with zeros, so nothing differs: the first one "
            'takes mode="replicate".',
        ),
        (
            'padding=1, mode="zeros"',
            "padding=0",
            "Your second setting does not pad at all, so there is no ruler in it "
            "either: it takes padding=1.",
        ),
    ],
)

EXERCISES = (BLIND, BY_HAND, PHOTO_NORM, ADAIN, RULER)
