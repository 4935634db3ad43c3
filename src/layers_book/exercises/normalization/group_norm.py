"""Exercises of the page normalization/group_norm."""

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
GROUPS = ((3, 6), (2, 8), (1, 4), (5, 5), (2, 6), (4, 12))  # num_groups, num_channels


def _arguments(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    groups, c = GROUPS[index % 6]
    trailing = (2, 1, 3, 2, 0, 2, 2, 0)[index % 8]
    n, *rest = (size + 5 * (size == c) for size in distinct(generator, 1 + trailing))
    x = varied(generator, n, c, *rest, axis=0).requires_grad_()
    weight = signed(generator, c) if index else torch.ones(c).to(x)
    bias = signed(generator, c) if index else torch.zeros(c).to(x)
    args = (x, groups, weight.requires_grad_(), bias.requires_grad_())
    return args, {"eps": EPS[index % 2 + 1]} if index % 3 else {}


BY_HAND = Exercise(
    name="group_norm/by_hand",
    solution="""
        def group_norm(x, num_groups, weight, bias, eps=1e-5):
            n, c = x.shape[:2]
            groups = x.reshape(n, num_groups, -1)
            mean = groups.mean(-1, keepdim=True)
            var = groups.var(-1, correction=0, keepdim=True)
            x_hat = ((groups - mean) / torch.sqrt(var + eps)).reshape(x.shape)
            shape = (c,) + (1,) * (x.dim() - 2)
            return x_hat * weight.view(shape) + bias.view(shape)
    """,
    reference=F.group_norm,
    run=function_run(_arguments, names=("x", "num_groups", "weight", "bias")),
    forbid=FORBIDDEN,
    mistakes=[
        *OTHER_DEFAULTS,
        *standard_deviations("torch.sqrt(var + eps)", "groups.std(-1, {}keepdim=True)"),
        (
            "groups.var(-1, correction=0, keepdim=True)",
            "(groups**2).mean(-1, keepdim=True) - mean**2",
            "The mean of squares minus the square of the mean cancels: with values "
            "around 1e4, float32 has no digits left. Average (x - mean) ** 2.",
        ),
        (
            ".view(shape)",
            "",
            "weight and bias line up with the last axis of x; they have one value a "
            "channel: weight.view(1, -1, 1, 1) for (N, C, H, W).",
        ),
        (
            "correction=0, ",
            "",
            "Your variance divides by n - 1; GroupNorm normalizes with the biased "
            "variance, 1/n: use var(..., correction=0).",
        ),
        (
            "(n, num_groups, -1)",
            "(n, c // num_groups, num_groups, -1)",
            "(-1, ",
            "((1, 3), ",
            "Your groups take every num_groups-th channel; a group is a run of "
            "neighboring channels: reshape to (N, num_groups, -1).",
        ),
        (
            "(n, num_groups, -1)",
            "(n, c // num_groups, -1)",
            "You read num_groups as the number of channels in a group: it is the "
            "number of groups.",
        ),
        (
            "(n, num_groups, -1)",
            "(n, 1, -1)",
            "You take one mean for the whole sample, which is right for one group: "
            "there are num_groups means a sample.",
        ),
        (
            "(n, num_groups, -1)",
            "(n, c, -1)",
            "You take one mean for each channel: that is InstanceNorm. The channels of "
            "a group share theirs.",
        ),
        (
            "(-1, ",
            "((0, 2), ",
            "You average over the batch too; each sample keeps its own statistics.",
        ),
        (
            "(-1, ",
            "(0, ",
            "You average over the samples; average over the values of a group instead, "
            "each sample by itself.",
        ),
        (
            "n, c = x.shape[:2]",
            "n, c, h, w = x.shape",
            "You assume four axes: take n and c from x.shape[:2], and let reshape "
            "find the rest with -1.",
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
            "You leave out eps: a constant group then gives 0 / 0. Divide by "
            "torch.sqrt(var + eps).",
        ),
        ("var + eps", "var + 1e-5", "Your eps is always 1e-5: use the argument eps."),
        (
            "(groups - mean)",
            "groups",
            "You scale x but do not subtract the mean of its group.",
        ),
        (
            " * weight.view(shape) + bias.view(shape)",
            "",
            "You return the normalized x: multiply by weight and add bias, one of each "
            "for every channel.",
        ),
        (" + bias.view(shape)", "", "You multiply by weight but do not add bias."),
        (
            "x_hat * weight.view(shape) + bias.view(shape)",
            "(x_hat + bias.view(shape)) * weight.view(shape)",
            "You add bias before multiplying by weight: it is weight * x_hat + bias.",
        ),
        (
            "weight.view",
            "weight[:num_groups].repeat_interleave(c // num_groups).view",
            "bias.view",
            "bias[:num_groups].repeat_interleave(c // num_groups).view",
            "You use one weight and bias a group; they belong to the channels: undo "
            "the reshape before you apply them.",
        ),
        (
            "groups.",
            "groups.detach().",
            "The output is right, the gradient is not: it must also flow through mean "
            "and variance, so do not detach them.",
        ),
    ],
)

COUNT = Exercise(
    name="group_norm/count",
    solution="""
        answer = [8 * 14 * 14, 2 * 14 * 14, 64 * 14 * 14, 14 * 14, 2]
    """,
    run=value_run(),
    mistakes=[
        (
            [1568, 3136, 12544, 196, 16],
            "GroupNorm does not average over the samples: leave out the factor N.",
        ),
        (
            [1568, 6272, 12544, 196, 32],
            "GroupNorm(32, 64) has 32 groups, so 64 / 32 = 2 channels in each, not 32.",
        ),
        (
            [196, 392, 12544, 196, 2],
            "BatchNorm2d averages over the batch as well: N * H * W values.",
        ),
        (
            [1568, 392, 100352, 196, 2],
            "GroupNorm(1, 64) takes all channels of one sample: C * H * W, without N.",
        ),
        (
            [1568, 392, 12544, 1568, 2],
            "InstanceNorm2d takes each image by itself: H * W, without N.",
        ),
        (
            [1568, 392, 12544, 196, 392],
            "The last input has no pixels: a group of 2 channels is 2 values.",
        ),
        (
            [64, 256, 8, 512, 256],
            "You count the means; the question is how many values stand behind each.",
        ),
    ],
)


def _tokens(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Tokens (N, L, C), all sizes different, C a multiple of the groups."""
    groups, c = GROUPS[generator.initial_seed() % 6]
    n, length = (size + 7 * (size == c) for size in distinct(generator, 2))
    x = varied(generator, n, length, c).requires_grad_()
    weight = signed(generator, c).requires_grad_()
    return (x, groups, weight, signed(generator, c).requires_grad_()), {}


TOKENS = Exercise(
    name="group_norm/tokens",
    solution="""
        def token_group_norm(x, num_groups, weight, bias):
            y = F.group_norm(x.transpose(1, 2), num_groups, weight, bias)  # (N, C, L)
            return y.transpose(1, 2)
    """,
    run=function_run(_tokens, names=("x", "num_groups", "weight", "bias")),
    mistakes=[
        (
            "x.transpose(1, 2)",
            "x.reshape(len(x), x.shape[2], x.shape[1])",
            "y.transpose(1, 2)",
            "y.reshape(x.shape)",
            "Your groups mix channels with positions: reshape leaves the numbers in "
            "their order in memory and names them anew. Exchange the axes instead.",
        ),
        (
            "y.transpose(1, 2)",
            "y.reshape(x.shape)",
            "The way in is right, the way back is a reshape: it does not put the "
            "channels last, but cuts the same row of numbers elsewhere.",
        ),
        (
            "x.transpose(1, 2)",
            "x.reshape(len(x), x.shape[2], x.shape[1])",
            "The way back is right, the way in is a reshape: what it calls a channel "
            "is a piece of several tokens.",
        ),
        (
            "F.group_norm(x.transpose(1, 2), num_groups, weight, bias)  # (N, C, L)\n"
            "    return y.transpose(1, 2)",
            "F.group_norm(x.flatten(0, 1), num_groups, weight, bias)\n"
            "    return y.view(x.shape)",
            "You normalize each token by itself: the statistics of a group run over "
            "all positions of a sample.",
        ),
        (
            "F.group_norm(x.transpose(1, 2), num_groups, weight, bias)",
            "F.group_norm(x.transpose(1, 2), num_groups, weight)",
            "Your output lacks the bias: add it, one number for each channel.",
        ),
    ],
)


def _swap_inputs(generator: Generator) -> dict[str, Any]:
    """What a BatchNorm2d is made of, the limit of the groups, and an input."""
    index = generator.initial_seed()
    channels = (64, 48, 6, 7, 20, 96)[index % 6]
    return {
        "channels": channels,
        "eps": EPS[index % 3],
        "at_most": (32, 32, 4, 5, 8, 16, 32, 10)[index % 8],
        "weight": signed(generator, channels).float(),
        "bias": signed(generator, channels).float(),
        "x": torch.randn(2, channels, 3, 2, generator=generator) * 0.1,
    }


def _swap_steps(
    answer: Any,
    channels: int,
    eps: float,
    at_most: int,
    weight: Tensor,
    bias: Tensor,
    x: Tensor,
) -> Iterator[Any]:
    """The new layer's sizes and output, and whether it is a layer of its own."""
    refuse_no_function(answer)
    yield "configuration", f"BatchNorm2d({channels}, eps={eps}), at_most={at_most}"
    bn = nn.BatchNorm2d(channels, eps=eps)
    bn.load_state_dict({"weight": weight, "bias": bias}, strict=False)
    gn = call(answer, bn, at_most)
    if not isinstance(gn, nn.GroupNorm):
        raise Refused(f"Return an nn.GroupNorm; yours is of type {type(gn).__name__}.")
    yield "num_channels", gn.num_channels
    yield "num_groups", gn.num_groups
    yield Case("output", "", "of the new layer", gn(x).detach())
    with torch.no_grad():
        gn.weight.add_(1)
        gn.bias.add_(1)
    for name, given in (("weight", weight), ("bias", bias)):
        left = bool(bn.state_dict()[name].equal(given))
        yield f"whether training the new layer leaves bn.{name} alone", left


SWAP = Exercise(
    name="group_norm/swap",
    solution="""
        def swap(bn, at_most=32):
            channels = bn.num_features
            groups = max(g for g in range(1, at_most + 1) if channels % g == 0)
            gn = nn.GroupNorm(groups, channels, eps=bn.eps)
            with torch.no_grad():
                gn.weight.copy_(bn.weight)
                gn.bias.copy_(bn.bias)
            return gn
    """,
    run=custom_run(_swap_steps, _swap_inputs),
    mistakes=[
        (
            "max(g for g in range(1, at_most + 1) if channels % g == 0)",
            "math.gcd(channels, at_most)",
            "The greatest common divisor of C and at_most divides both; the groups "
            "need to divide C only: for 48 channels and at most 32 groups, 24.",
        ),
        (
            "at_most + 1",
            "at_most",
            "at_most itself is allowed: your range ends one too early.",
        ),
        (
            "at_most + 1",
            "channels + 1",
            "As many groups as channels make an InstanceNorm: respect at_most.",
        ),
        (
            "max(",
            "min(",
            "One group always divides, but the largest number up to at_most is wanted.",
        ),
        (
            "max(g for g in range(1, at_most + 1) if channels % g == 0)",
            "next((g for g in range(2, at_most + 1) if channels % g == 0), 1)",
            "You return the smallest divisor; the largest up to at_most is wanted.",
        ),
        (
            "max(g for g in range(1, at_most + 1) if channels % g == 0)",
            "at_most if channels % at_most == 0 else 1",
            "Where at_most does not divide the channels you fall back to one group: a "
            "smaller number of groups may divide them.",
        ),
        ("at_most + 1", "33", "You always allow 32 groups: use the argument at_most."),
        (
            "GroupNorm(groups,",
            "GroupNorm(channels // groups,",
            "The first argument of GroupNorm is the number of groups, not of channels "
            "in a group.",
        ),
        (", eps=bn.eps", "", "Take over eps from the BatchNorm as well."),
        (
            "gn.weight.copy_(bn.weight)\n        gn.bias.copy_(bn.bias)",
            "pass",
            "A new layer starts at weight 1 and bias 0: copy both from the BatchNorm.",
        ),
        (
            "        gn.bias.copy_(bn.bias)\n",
            "",
            "You copy the weight but not the bias.",
        ),
        (
            "gn.weight.copy_(bn.weight)",
            "gn.weight = bn.weight",
            "gn.bias.copy_(bn.bias)",
            "gn.bias = bn.bias",
            "Both layers share weight and bias, so training one changes the other: "
            "copy the values.",
        ),
        (
            "gn.bias.copy_(bn.bias)",
            "gn.bias = bn.bias",
            "You copy the weight, but both layers share one bias: copy its values too.",
        ),
    ],
)

LARGE_EPS = Exercise(
    name="group_norm/large_eps",
    setup="""
        from helpers import digits

        x_train, y_train, x_test, y_test = digits()


        @torch.no_grad()
        def test_error(net):
            wrong = net.eval()(x_test).argmax(1) != y_test
            net.train()
            return 100 * wrong.double().mean().item()  # in %


        def train(net, lr, n, tests):
            optimizer = torch.optim.SGD(net.parameters(), lr, momentum=0.9)
            errors = []
            for step in range(1, max(tests) + 1):
                i = torch.randint(0, len(x_train), (n,))
                optimizer.zero_grad()
                F.cross_entropy(net(x_train[i]), y_train[i]).backward()
                optimizer.step()
                if step in tests:
                    errors.append(test_error(net))
            return errors  # one for each number of steps in tests


        def runs_of(layers, norm, lr, n, tests):
            runs = []
            for seed in range(5):
                torch.manual_seed(seed)  # networks this small train fastest on the CPU
                net = nn.Sequential(*layers(norm)).double()
                runs.append(train(net, lr, n, tests))
            return torch.tensor(runs)  # (seeds, 2)


        def perceptron(norm):
            return [nn.Flatten(), nn.Linear(64, 64), norm(64), nn.ReLU(),
                    nn.Linear(64, 64), norm(64), nn.ReLU(), nn.Linear(64, 10)]


        def pairs(channels):
            return nn.GroupNorm(channels // 2, channels)
    """,
    solution="""
        def soft_pairs(channels):
            return nn.GroupNorm(channels // 2, channels, eps=0.1)


        default = runs_of(perceptron, pairs, 0.05, 32, [100])[:, 0]
        larger = runs_of(perceptron, soft_pairs, 0.05, 32, [100])[:, 0]
        d = default - larger  # (seeds,), in points
        answer = d.mean().item(), (d.std() / len(d) ** 0.5).item()
    """,
    run=measure_run("default", "larger"),
    mistakes=[
        (
            "eps=0.1",
            "eps=1.0",
            "Your second network learns more slowly than it should: is its eps 0.1?",
        ),
        (
            "soft_pairs, 0.05, 32, [100]",
            "soft_pairs, 0.05, 32, [10]",
            "Your second network has been stopped early: both train for 100 steps.",
        ),
    ],
)

EXERCISES = (COUNT, BY_HAND, TOKENS, SWAP, LARGE_EPS)
