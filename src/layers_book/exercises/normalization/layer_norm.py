"""Exercises of the page normalization/layer_norm."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    Refused,
    call,
    custom_run,
    distinct,
    function_run,
    measure_run,
    module_run,
    signed,
    varied,
)
from layers_book.exercises.normalization import (
    FORBIDDEN,
    OTHER_DEFAULTS,
    standard_deviations,
)

EPS = (1e-5, 1e-3, 0.1)


def _arguments(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """One to three normalized axes after one or two others."""
    index = generator.initial_seed()
    last = (1, 2, 2, 3, 1, 2)[index % 6]
    leading = 1 + index % 2
    sizes = distinct(generator, leading + last, low=2 if index else 12)
    x = varied(generator, *sizes, axis=0).requires_grad_()
    shape = tuple(sizes[leading:])
    weight = signed(generator, *shape) if index else torch.ones(shape).to(x)
    bias = signed(generator, *shape) if index else torch.zeros(shape).to(x)
    args = (x, shape, weight.requires_grad_(), bias.requires_grad_())
    return args, {"eps": EPS[index % 2 + 1]} if index % 3 else {}


BY_HAND = Exercise(
    name="layer_norm/by_hand",
    solution="""
        def layer_norm(x, normalized_shape, weight, bias, eps=1e-5):
            axes = tuple(range(-len(normalized_shape), 0))
            mean = x.mean(axes, keepdim=True)
            var = x.var(axes, correction=0, keepdim=True)
            return (x - mean) / torch.sqrt(var + eps) * weight + bias
    """,
    reference=F.layer_norm,
    run=function_run(_arguments, names=("x", "normalized_shape", "weight", "bias")),
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
            "Your variance divides by n - 1; LayerNorm normalizes with the biased "
            "variance, 1/n: use var(..., correction=0).",
        ),
        (
            "tuple(range(-len(normalized_shape), 0))",
            "(-1,)",
            "You average over the last axis alone; average over the last "
            "len(normalized_shape) axes.",
        ),
        (
            "range(-len(normalized_shape), 0)",
            "range(x.dim() - len(normalized_shape))",
            "You average over the axes before normalized_shape; it names the last "
            "axes, and those are the ones to average over.",
        ),
        (
            "range(-len(normalized_shape), 0)",
            "range(1, x.dim())",
            "You average over all axes but the first; only the last "
            "len(normalized_shape) axes share a mean, so that tokens stay apart.",
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
            "You leave out eps: a constant token then gives 0 / 0. Divide by "
            "torch.sqrt(var + eps).",
        ),
        ("var + eps", "var + 1e-5", "Your eps is always 1e-5: use the argument eps."),
        (
            "torch.sqrt(var + eps)",
            "(var + eps)",
            "You divide by the variance; divide by its square root.",
        ),
        (
            "(x - mean)",
            "x",
            "You scale x but do not subtract the mean: that is closer to RMSNorm.",
        ),
        (
            " * weight + bias",
            "",
            "You return the normalized x: multiply by weight and add bias.",
        ),
        (" + bias", "", "You multiply by weight but do not add bias."),
        (
            "(x - mean) / torch.sqrt(var + eps) * weight + bias",
            "((x - mean) / torch.sqrt(var + eps) + bias) * weight",
            "You add bias before multiplying by weight: it is weight * x_hat + bias.",
        ),
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


def _batches(generator: Generator) -> tuple[dict[str, Any], list[Tensor], Tensor]:
    index = generator.initial_seed()
    sizes = distinct(generator, 2 + index % 3, low=3)
    batches = [varied(generator, *sizes, axis=0) for _ in range(3)]
    batches[0][(0,) * (len(sizes) - 1)] = 0.0  # a padded token
    kwargs: dict[str, Any] = {"dim": sizes[-1]}
    if index % 3 == 2:
        kwargs["eps"] = EPS[index % 2 + 1]
    return kwargs, batches[:2], batches[2]


class _Reference(nn.RMSNorm):
    def __init__(self, dim: int, eps: float | None = None) -> None:
        super().__init__(dim, eps)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.to(x.dtype)  # torch warns where the two differ
        return F.rms_norm(x, self.normalized_shape, weight, self.eps)


def _half_steps(answer: Any, x: Tensor, weight: Tensor, eps: Any) -> Iterator[Any]:
    """A module in half precision; Llama's order, weight last, is near enough."""
    words = str(x.dtype).removeprefix("torch.")
    yield "configuration", f"eps={eps} and x of {words} and size {x.std().item():.0e}"
    module = call(answer, len(weight), eps).to(x.dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(weight)
        y = call(module, x)
    yield "the data type of the output", str(y.dtype)
    yield f"the output in {words}", y.double().flatten().tolist(), 0.02


def _halves(generator: Generator) -> dict[str, Any]:
    """Sizes whose squares are far below bfloat16's eps, or overflow in float16."""
    index = generator.initial_seed()
    size = (0.01, 300.0, 0.03)[index // 2 % 3]
    dtype = (torch.bfloat16, torch.float16)[index % 2]
    x = size * (0.5 + torch.rand(3, 6, generator=generator))
    weight = signed(generator, 6)
    return {
        "x": x.to(dtype),
        "weight": weight.to(dtype),
        "eps": 1e-5 if index > 3 else None,
    }


RMS_NORM = Exercise(
    name="layer_norm/rms_norm",
    solution="""
        class RMSNorm(nn.Module):
            def __init__(self, dim, eps=None):
                super().__init__()
                self.eps = eps
                self.weight = nn.Parameter(torch.ones(dim))

            def forward(self, x):
                half = x.dtype in (torch.bfloat16, torch.float16)
                z = x.float() if half else x
                eps = torch.finfo(z.dtype).eps if self.eps is None else self.eps
                mean_square = z.square().mean(-1, keepdim=True)
                y = z / torch.sqrt(mean_square + eps) * self.weight
                return y.to(x.dtype)
    """,
    reference=_Reference,
    run=[module_run(_batches), custom_run(_half_steps, _halves, 6)],
    forbid=FORBIDDEN,
    mistakes=[
        (
            "mean_square =",
            "z = z - z.mean(-1, keepdim=True)\n        mean_square =",
            "You subtract the mean: that is LayerNorm. RMSNorm only divides, by the "
            "root of the mean of the squares.",
        ),
        (
            "z.square().mean(-1, keepdim=True)",
            "z.var(-1, correction=0, keepdim=True)",
            "You divide by the standard deviation; RMSNorm divides by the root of the "
            "mean of the squares, with no mean subtracted anywhere.",
        ),
        (
            ".mean(-1,",
            ".sum(-1,",
            "You divide by the length of the vector, the root of the sum of squares; "
            "RMSNorm takes the mean of the squares.",
        ),
        (
            ".mean(-1, keepdim=True)",
            ".mean()",
            "Your mean runs over all axes, so tokens depend on one another: use "
            "mean(-1, keepdim=True).",
        ),
        (
            ".mean(-1,",
            ".mean(0,",
            "Your mean runs over the batch; it belongs to the last axis: use "
            "mean(-1, keepdim=True).",
        ),
        (
            "torch.sqrt(mean_square + eps)",
            "(torch.sqrt(mean_square) + eps)",
            "You add eps to the root; it belongs under the root, added to the mean of "
            "the squares.",
        ),
        (
            "torch.sqrt(mean_square + eps)",
            "(z.norm(dim=-1, keepdim=True) * x.shape[-1] ** -0.5 + eps)",
            "You add eps to what norm gives; it belongs under the root, added to the "
            "mean of the squares.",
        ),
        (
            "z / torch.sqrt(mean_square + eps)",
            "F.normalize(z, dim=-1) * x.shape[-1] ** 0.5",
            "You do not use eps: F.normalize has another guard against 0. RMSNorm adds "
            "eps to the mean of the squares.",
        ),
        (
            "mean_square + eps",
            "mean_square",
            "You leave out eps: a token of zeros then gives 0 / 0.",
        ),
        (
            " if self.eps is None else self.eps",
            "",
            "You use the precision of the data type even where the caller gives eps.",
        ),
        (
            "torch.finfo(z.dtype).eps",
            "1e-5",
            "1e-5 is LayerNorm's default; with eps=None RMSNorm takes "
            "torch.finfo(...).eps of the data type in which it computes.",
        ),
        (
            "torch.finfo(z.dtype).eps",
            "1e-6",
            "1e-6 is Llama's default; with eps=None this layer takes "
            "torch.finfo(...).eps of the data type in which it computes.",
        ),
        (
            "torch.finfo(z.dtype).eps",
            "1e-6",
            "x.float() if half else x",
            "x.float()",
            "You compute in float32 whatever the input and with eps 1e-6, as Llama's "
            "class does: keep float64 as it is, and with eps=None take "
            "torch.finfo(...).eps of the type you compute in.",
        ),
        (
            "torch.finfo(z.dtype).eps",
            "1e-8",
            "With eps=None you add a number of your own, about 1e-8: take "
            "torch.finfo(...).eps of the data type in which you compute.",
        ),
        (
            "torch.finfo(z.dtype)",
            "torch.finfo(torch.float32)",
            "Your eps is the precision of float32 even for float64, which you compute "
            "in float64: decide on eps in forward, by the type you compute in.",
        ),
        (
            "torch.finfo(z.dtype)",
            "torch.finfo(x.dtype)",
            "You compute in float32 but add the eps of the input's type, 0.0078 for "
            "bfloat16, which swamps the squares of small tokens: take the eps of "
            "float32 there.",
        ),
        (
            "x.float() if half else x",
            "x",
            "You compute in bfloat16 or float16 itself, with its coarse eps, and in "
            "float16 the squares of large tokens become inf: convert to float32 first.",
        ),
        (
            "x.float() if half else x",
            "x",
            "torch.finfo(z.dtype)",
            "torch.finfo(torch.float32 if half else x.dtype)",
            "Your eps is right, but you square in the input's own type: in float16 the "
            "squares of large tokens become inf. Convert to float32 first.",
        ),
        (
            "x.float() if half else x",
            "x.float()",
            "You convert float64 to float32 as well, and lose half of its digits: "
            "convert bfloat16 and float16 alone.",
        ),
        (
            "y.to(x.dtype)",
            "y",
            "For bfloat16 and float16 you return float32: round to x.dtype at the end.",
        ),
        (
            "torch.sqrt(mean_square + eps)",
            "(mean_square + eps)",
            "You divide by the mean of the squares; divide by its square root.",
        ),
        (
            "torch.ones(dim))",
            "torch.ones(dim))\n        self.bias = nn.Parameter(torch.zeros(dim))",
            "* self.weight",
            "* self.weight + self.bias",
            "RMSNorm has no bias: its only parameter is weight.",
        ),
        (
            "        self.weight = nn.Parameter(torch.ones(dim))\n",
            "",
            " * self.weight",
            "",
            "The learned weight is missing: "
            "self.weight = nn.Parameter(torch.ones(dim)).",
        ),
        (
            "self.weight = nn.Parameter(torch.ones(dim))",
            'self.register_buffer("weight", torch.ones(dim))',
            "Your weight is stored but not learned: wrap it in nn.Parameter.",
        ),
        (
            "torch.ones(dim)",
            "torch.ones(1)",
            "Your weight is a single number; it has one value for each feature.",
        ),
        (
            "torch.ones(dim)",
            "torch.zeros(dim)",
            "Your weight starts at 0, so the layer answers 0 to everything: start at "
            "1, torch.ones(dim).",
        ),
        (
            "z.square()",
            "z.detach().square()",
            "The output is right, the gradient is not: it must also flow through the "
            "root mean square, so do not detach it.",
        ),
    ],
)


def _twins_steps(answer: Any) -> Iterator[Any]:
    """Whether the two rows are what is asked for; any two such rows will do."""
    try:
        x = torch.as_tensor(answer).detach().double().cpu()
    except (TypeError, ValueError, RuntimeError):
        raise Refused("Give a tensor of numbers of shape (2, 4).") from None
    if x.shape != (2, 4):
        raise Refused(f"Your tensor has shape {tuple(x.shape)}; it must be (2, 4).")
    yield "whether all numbers are finite", bool(x.isfinite().all())
    yield "whether the two rows differ", bool((x[0] - x[1]).abs().max() > 1e-6)
    one, two = F.layer_norm(x, (4,))
    equal = bool((one - two).abs().max() < 1e-3)
    yield "whether LayerNorm makes the two rows equal", equal
    zero = bool(one.abs().max() < 1e-3)
    yield "whether LayerNorm's output is all zeros", zero
    one, two = F.rms_norm(x, (4,), torch.ones(4).double())
    apart = bool((one - two).abs().max() >= 0.1)
    yield "whether RMSNorm keeps the rows apart by 0.1", apart


TWINS = Exercise(
    name="layer_norm/twins",
    solution="""
        answer = torch.tensor([[1.0, 2.0, 3.0, 4.0], [11.0, 12.0, 13.0, 14.0]])
    """,
    run=custom_run(_twins_steps, configurations=1),
    mistakes=[
        (
            "[11.0, 12.0, 13.0, 14.0]",
            "[1.0, 2.0, 3.0, 4.0]",
            "Your two rows are the same: start from them and change the second by "
            "something that LayerNorm takes away.",
        ),
        (
            "[11.0, 12.0, 13.0, 14.0]",
            "[2.0, 4.0, 6.0, 8.0]",
            "RMSNorm sends your rows to nearly the same place too, as it does with "
            "multiples. Find a change that the mean absorbs, and make it large.",
        ),
        (
            "[1.0, 2.0, 3.0, 4.0]",
            "[1.0, 1.0, 1.0, 1.0]",
            "[11.0, 12.0, 13.0, 14.0]",
            "[-5.0, -5.0, -5.0, -5.0]",
            "LayerNorm turns constant rows into zeros: let the features of a row "
            "differ.",
        ),
        (
            "[1.0, 2.0, 3.0, 4.0]",
            "[1.0, 1.0, 1.0, 1.0]",
            "[11.0, 12.0, 13.0, 14.0]",
            "[5.0, 5.0, 5.0, 5.0]",
            "LayerNorm turns constant rows into zeros, and RMSNorm turns these into "
            "ones: let the features of a row differ.",
        ),
        (
            "[11.0, 12.0, 13.0, 14.0]",
            "[4.0, 3.0, 2.0, 1.0]",
            "LayerNorm still tells your rows apart: they differ in more than level "
            "and spread. Add the same number to each feature of the first row.",
        ),
    ],
)


def _images(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    sizes = distinct(generator, 4)
    if index == 1:
        sizes[3] = sizes[2] = sizes[1]
    x = varied(generator, *sizes)
    weight, bias = signed(generator, sizes[1]), signed(generator, sizes[1])
    return (x.requires_grad_(), weight.requires_grad_(), bias.requires_grad_()), {}


CHANNELS = Exercise(
    name="layer_norm/channels",
    solution="""
        def channel_norm(x, weight, bias):
            c = x.shape[1]
            y = x.permute(0, 2, 3, 1)
            y = F.layer_norm(y, (c,), weight, bias)
            return y.permute(0, 3, 1, 2)
    """,
    run=function_run(_images),
    mistakes=[
        (
            "x.permute(0, 2, 3, 1)",
            "x.reshape(len(x), *x.shape[2:], c)",
            "y.permute(0, 3, 1, 2)",
            "y.reshape(x.shape)",
            "reshape keeps the order of the numbers, so what you normalize as a pixel "
            "are neighboring numbers of one channel: exchange the axes by permute.",
        ),
        (
            "y.permute(0, 3, 1, 2)",
            "y.reshape(x.shape)",
            "You normalize the right numbers, but reshape does not carry them back to "
            "their places: bring the last axis back by permute(0, 3, 1, 2).",
        ),
        (
            "x.permute(0, 2, 3, 1)",
            "x.reshape(len(x), *x.shape[2:], c)",
            "Your way back is right, your way there is not: reshape keeps the order "
            "of the numbers. Bring the channels to the end by permute(0, 2, 3, 1).",
        ),
        (
            """
            def channel_norm(x, weight, bias):
                return F.group_norm(x, 1, weight, bias)
            """,
            "You take one mean for the whole image; each pixel has a mean of its own, "
            "over its channels.",
        ),
        (
            """
            def channel_norm(x, weight, bias):
                return F.instance_norm(x, weight=weight, bias=bias)
            """,
            "You take one mean for each channel, over its pixels; each pixel has a "
            "mean of its own, over its channels.",
        ),
        (
            "y.permute(0, 3, 1, 2)",
            "y",
            "You return (N, H, W, C): bring the channels back to the second place.",
        ),
    ],
)

DIMMED = Exercise(
    name="layer_norm/dimmed",
    setup="""
        from helpers import digits


        def error(seed, norm):
            x_train, y_train, x_test, y_test = digits()
            torch.manual_seed(seed)
            net = nn.Sequential(
                nn.Flatten(), norm, nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
            net.double()
            optimizer = torch.optim.SGD(net.parameters(), 0.1)
            for _ in range(150):
                i = torch.randint(0, len(x_train), (32,))
                optimizer.zero_grad()
                F.cross_entropy(net(x_train[i]), y_train[i]).backward()
                optimizer.step()
            wrong = net(0.3 * x_test + 0.5).argmax(1) != y_test
            return 100 * wrong.double().mean().item()  # in %
    """,
    solution="""
        plain = torch.tensor([error(seed, nn.Identity()) for seed in range(8)])
        normed = torch.tensor([error(seed, nn.LayerNorm(64)) for seed in range(8)])
        difference = plain - normed  # (seeds,), in percentage points
        answer = difference.mean().item(), (difference.std() / 8**0.5).item()
    """,
    run=measure_run("plain", "normed"),
    mistakes=[
        (
            "nn.LayerNorm(64)",
            "nn.RMSNorm(64)",
            "You measure RMSNorm: it evens out the contrast of an image, not its "
            "level. The exercise asks for nn.LayerNorm(64).",
        ),
        (
            "nn.Identity()",
            "nn.BatchNorm1d(64)",
            "You compare LayerNorm with BatchNorm, which sees a whole batch of dimmed "
            "images here: the other setting is nn.Identity().",
        ),
    ],
)

EXERCISES = (TWINS, BY_HAND, CHANNELS, RMS_NORM, DIMMED)
