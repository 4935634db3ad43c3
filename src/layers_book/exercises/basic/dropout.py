"""Exercises of the page basic/dropout."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from layers_book.checking import (
    Case,
    Exercise,
    Refused,
    Unanswered,
    call,
    custom_run,
    describe,
    distinct,
    kind,
    measure_run,
    refuse_no_function,
    signed,
    value_run,
)

RATES = (0.3, 0.2, 0.8, 0.5, 1.0, 0.0)
CHANCE = 5  # standard errors that a share may be off
CALLS = 100  # on a small input, to see how masks vary


def _elements(generator: Generator) -> dict[str, Any]:
    """``(N, C, *)`` without zeros, with 1,200 channels and up to three axes more."""
    index = generator.initial_seed()
    x = signed(generator, 60, 20, *distinct(generator, (index + 1) % 4))
    return {"x": x.requires_grad_(), "p": RATES[index % len(RATES)]}


def _channels(generator: Generator) -> dict[str, Any]:
    return {**_elements(generator), "channels": True}


def _steps(answer: Any, x: Tensor, p: float, channels: bool = False) -> Iterator[Any]:
    """What a dropout has to keep to, whatever its random numbers.

    Args:
        channels: whole channels are deleted, not elements.
    """
    refuse_no_function(answer)
    yield "configuration", describe({"x": x, "p": p})
    y = call(answer, x.clone(), p, False)
    yield Case("output", "", "for training=False", y)
    given = x.clone()
    y = call(answer, given, p)
    shape = str(tuple(y.shape)) if isinstance(y, Tensor) else kind(y)
    yield "the shape of the output in training", shape
    if shape != str(tuple(x.shape)):
        return
    yield Case("inputs", "", "", {"x": given})
    yield "whether all values are finite", bool(y.isfinite().all())
    yield from _mask_steps(x, y.detach(), p, channels)
    if 0 < p < 1:
        small = x.detach()[:4, :6].contiguous()
        masks = torch.stack([call(answer, small, p) == 0 for _ in range(CALLS)])
        if channels:  # one decision for all that follows the second axis
            masks = masks.flatten(3)[..., 0] if masks.dim() > 3 else masks
        yield from _chance_steps(masks, p)
    again = bool((call(answer, x.clone(), p) != y).any())
    yield "whether a second call draws another mask", again
    gradient = torch.zeros_like(x)
    if y.requires_grad:
        (gradient,) = torch.autograd.grad(y.sum(), x)
    right = bool((gradient - y / x).abs().max() < 1e-9)
    yield "whether the gradient is the mask times the factor", right
    dtype = call(answer, x.detach().float(), p).dtype
    yield "the data type of the output for float32", str(dtype)


def _mask_steps(x: Tensor, y: Tensor, p: float, channels: bool) -> Iterator[Any]:
    zero = y == 0
    if channels:
        flat = zero.reshape(*zero.shape[:2], -1)  # (N, C, positions)
        whole = bool((flat == flat[:, :, :1]).all())
        yield "whether channels are deleted or kept as a whole", whole
    if 0 < p < 1:
        yield "whether some values are set to 0", bool(zero.any())
        if not zero.any():
            return
    independent = True
    for axis in range(2 if channels else x.dim()):
        differs = bool((zero != zero.narrow(axis, 0, 1)).any())
        yield f"whether the mask differs along axis {axis}", differs
        independent = independent and differs
    if not independent and 0 < p < 1:
        return  # a share of so few draws would be a matter of luck
    off = abs(zero.double().mean().item() - p)
    units = x.shape[0] * x.shape[1]
    right = off <= CHANCE * (p * (1 - p) / units) ** 0.5 + 1e-9
    yield "whether the share of zeros is p, up to chance", right
    factors = (y / x.detach())[~zero & y.isfinite()]
    factor = factors.median().item() if len(factors) else 0.0
    yield "the factor on what is kept", factor
    same = bool(((factors - factor).abs() < 1e-6).all())
    yield "whether all that is kept has the same factor", same


def _chance_steps(masks: Tensor, p: float) -> Iterator[Any]:
    """Whether the positions of the masks of many calls are drawn one by one."""
    masks = masks.flatten(1)  # (calls, positions)
    counts = masks.sum(1).double()
    yield (
        "whether the number of zeros varies from call to call",
        bool((counts != counts[0]).any()),
    )
    first = masks ^ masks[0]  # the same for a mask and its opposite
    distinct_positions = len(first.T.unique(dim=0)) == masks.shape[1]
    usual = p * (1 - p) * masks.shape[1]
    off = abs(counts.var().item() / usual - 1)
    independent = distinct_positions and off < CHANCE * (2 / CALLS) ** 0.5
    yield "whether each decision is drawn independently of the others", independent


EVAL = "    if not training:\n        return x\n"
AT_ONE = "    if p == 1:\n        return x * 0\n"
# what can go wrong with any dropout
COMMON = [
    (" / (1 - p)", "", "You delete, but do not rescale: divide what is kept by 1 - p."),
    (
        "/ (1 - p)",
        "/ p",
        "You divide by p; what is kept has probability 1 - p: divide by that.",
    ),
    (
        "/ (1 - p)",
        "* (1 - p)",
        "You multiply by 1 - p; to keep the mean, divide by it.",
    ),
    (
        " / (1 - p)",
        "",
        "return x\n",
        "return x * (1 - p)\n",
        "You multiply by 1 - p in eval mode, as the paper of 2014 does. Torch "
        "divides by 1 - p in training, and eval mode returns x.",
    ),
    (
        "return x\n",
        "return x / (1 - p) if p < 1 else x\n",
        "You rescale in eval mode too, where nothing has been deleted: return x as "
        "it is if training is False.",
    ),
    (
        EVAL,
        "",
        ") >= p",
        ", dtype=x.dtype) >= p",
        "You delete in eval mode too: return x if training is False.",
    ),
    (
        ">= p",
        "< p",
        "x * 0",
        "x",
        "You keep with probability p; p is the probability to be deleted.",
    ),
    (
        ">= p",
        "< p",
        "/ (1 - p)",
        "/ p",
        AT_ONE,
        "",
        "You take p for the probability to be kept, as the paper of 2014 does; in "
        "torch it is the probability to be deleted.",
    ),
    (AT_ONE, "", "At p = 1 you compute 0 / 0: return zeros there."),
    (
        "return x * keep / (1 - p)",
        "return x * (1 + (p / (1 - p)) ** 0.5 * torch.randn(x.shape, dtype=x.dtype))",
        "Nothing is set to 0: with probability p an element, or channel, is deleted, "
        "and what is kept is divided by 1 - p.",
    ),
    (
        "keep = torch.rand(SHAPE, device=x.device) >= p",
        "draws = torch.rand(SHAPE)\n"
        "    order = draws.flatten().argsort().argsort().view_as(draws)\n"
        "    keep = order >= p * order.numel()",
        "In each call you delete the same number of them: decide each by itself with "
        "probability p, so that the number varies.",
    ),
    (
        "keep = torch.rand(SHAPE, device=x.device) >= p",
        "draws = torch.rand(SHAPE)\n"
        "    half = draws.flatten()[: draws.numel() // 2]\n"
        "    keep = torch.cat([half, half]).view_as(draws) >= p",
        "Your decisions depend on one another, as where a part of the mask is used "
        "twice: draw a random number of its own for each.",
    ),
    (
        "keep =",
        "torch.manual_seed(0)\n    keep =",
        "Each call uses the same mask: draw a new one, and leave the seed alone.",
    ),
    (
        "return x * keep / (1 - p)",
        "y = x * keep / (1 - p)\n    x *= 0\n    return y",
        "You change the caller's x: compute a new tensor.",
    ),
    (
        "x * keep",
        "x.detach() * keep",
        "The output is right, the gradient is not: do not detach.",
    ),
]


def _common(shape: str) -> list[tuple[str, ...]]:
    """The mistakes of any dropout, for one whose mask has this shape."""
    return [tuple(text.replace("SHAPE", shape) for text in m) for m in COMMON]


def _drop_channels(x: Tensor, p: float, training: bool = True) -> Tensor:
    ones = torch.ones(*x.shape[:2], *[1] * (x.dim() - 2), dtype=x.dtype)
    return x * F.dropout(ones, p, training)


INVERTED = Exercise(
    name="dropout/inverted",
    solution="""
        def dropout(x, p, training=True):
            if not training:
                return x
            if p == 1:
                return x * 0
            keep = torch.rand(x.shape, device=x.device) >= p
            return x * keep / (1 - p)
    """,
    reference=F.dropout,
    run=custom_run(_steps, _elements, configurations=len(RATES)),
    forbid=("dropout",),
    mistakes=[
        *_common("x.shape"),
        (
            "x.shape",
            "x.shape[1:]",
            "All samples share one mask: draw a random number for each element, "
            "torch.rand(x.shape).",
        ),
        (
            "x.shape",
            "len(x), *[1] * (x.dim() - 1)",
            "You delete whole samples: draw a random number for each element, not for "
            "each sample.",
        ),
        (
            "x.shape",
            "x.shape[-1], dtype=x.dtype",
            "You draw a mask for the last axis alone, and it repeats along all others: "
            "use torch.rand(x.shape).",
        ),
    ],
)

CHANNELS = Exercise(
    name="dropout/channels",
    solution="""
        def drop_channels(x, p, training=True):
            if not training:
                return x
            if p == 1:
                return x * 0
            shape = *x.shape[:2], *[1] * (x.dim() - 2)
            keep = torch.rand(shape, device=x.device) >= p
            return x * keep / (1 - p)
    """,
    reference=_drop_channels,
    run=custom_run(_steps, _channels, configurations=len(RATES)),
    forbid=("dropout",),
    mistakes=[
        *_common("shape"),
        (
            "*x.shape[:2], *[1] * (x.dim() - 2)",
            "x.shape",
            "You delete elements: draw one number for each channel of each sample.",
        ),
        (
            "*x.shape[:2]",
            "x.shape[1]",
            "All samples lose the same channels: draw a number for each channel of "
            "each sample, N * C in all.",
        ),
        (
            "*x.shape[:2]",
            "len(x), 1",
            "You delete whole samples: each channel has a draw of its own.",
        ),
        (
            "*x.shape[:2], *[1] * (x.dim() - 2)",
            "len(x), 1, *x.shape[2:]",
            "You delete positions, in all channels at once: the mask must differ along "
            "axes 0 and 1 and repeat along the rest.",
        ),
    ],
)


def _sequences(generator: Generator) -> dict[str, Any]:
    index = generator.initial_seed()
    dim, length, count = distinct(generator, 3, low=3)
    x = signed(generator, count, length, dim)
    return {"x": x, "dim": dim, "p": (0.5, 0.2, 0.8)[index % 3]}


def _attention_steps(answer: Any, x: Tensor, dim: int, p: float) -> Iterator[Any]:
    """The output in eval mode, and what training mode must differ in."""
    if not isinstance(answer, type) or not issubclass(answer, nn.Module):
        raise Refused("A class is expected: pass the name of your module's class.")
    if answer.forward is nn.Module.forward:
        raise Unanswered("write __init__ and forward of your class.")
    yield "configuration", describe({"dim": dim, "p": p, "x": x})
    module = answer(dim, p).double()
    generator = torch.Generator().manual_seed(1)
    named = sorted(module.named_parameters())
    for _, parameter in named:
        drawn = torch.randn(parameter.shape, generator=generator).double()
        parameter.data.copy_(drawn / dim**0.5)
    words = ", ".join(f"{name} {tuple(value.shape)}" for name, value in named)
    yield "the parameters", words
    module.eval()
    first = call(module, x.clone())
    agree = isinstance(first, Tensor) and torch.equal(first, call(module, x.clone()))
    yield "whether two calls in eval mode give the same", agree
    yield Case("output", "", "in eval mode", first)
    module.train()
    trained = [call(module, x.clone()) for _ in range(20)]
    differs = any(not torch.equal(trained[0], y) for y in trained)
    yield "whether calls in training mode differ", differs
    zeros = any(bool((y == 0).any()) for y in trained)
    yield "whether elements of the output itself are 0 in training", zeros


ATTENTION = Exercise(
    name="dropout/attention",
    solution="""
        class Attention(nn.Module):
            def __init__(self, dim, p):
                super().__init__()
                self.qkv = nn.Linear(dim, 3 * dim)
                self.out = nn.Linear(dim, dim)
                self.p = p

            def forward(self, x):
                q, k, v = self.qkv(x).chunk(3, dim=-1)
                p = self.p if self.training else 0.0
                return self.out(F.scaled_dot_product_attention(q, k, v, dropout_p=p))
    """,
    run=custom_run(_attention_steps, _sequences, configurations=6),
    mistakes=[
        (
            "p = self.p if self.training else 0.0",
            "p = self.p",
            "You still drop in eval mode: the function does not know the mode, so pass "
            "0.0 unless self.training is True.",
        ),
        (
            "p = self.p if self.training else 0.0",
            "p = 0.0",
            "Nothing is dropped in training any more: pass self.p while self.training "
            "is True.",
        ),
        (
            "p = self.p if self.training else 0.0",
            "p = 0.0 if self.training else self.p",
            "You have the two modes the wrong way round: self.training is True in "
            "training mode.",
        ),
        (
            "p = self.p if self.training else 0.0",
            "p = 0.0",
            "return self.out(F.scaled_dot_product_attention(q, k, v, dropout_p=p))",
            "y = self.out(F.scaled_dot_product_attention(q, k, v, dropout_p=p))\n"
            "        return F.dropout(y, self.p, self.training)",
            "You drop elements of the output. Here the attention weights are dropped: "
            "leave that to dropout_p.",
        ),
    ],
)

VARIANCE = Exercise(
    name="dropout/variance",
    solution="""
        p, mean, square = 0.25, 2.0, 3.0 + 2.0**2
        answer = [mean, square / (1 - p) - mean**2, 3.0]
    """,
    reference=[2.0, 16 / 3, 3.0],
    run=value_run(),
    mistakes=[
        (
            [2.0, 4.0, 3.0],
            "Your variance grows by 1 / (1 - p), which is right for mean 0. A mean "
            "other than 0 is torn apart as well, into 0 and mean / (1 - p).",
        ),
        ([2.0, 3.0, 3.0], "You keep the variance in training; only the mean is kept."),
        (
            [1.5, 3.0, 3.0],
            "That is deletion without the factor: torch divides by 1 - p in training.",
        ),
        (
            [2.0, 28 / 3, 3.0],
            "That is the mean of the squares: subtract the square of the mean.",
        ),
        (
            [2.0, 24.0, 3.0],
            "You have p and 1 - p the wrong way round: p = 0.25 is the probability to "
            "be deleted.",
        ),
        (
            [2.0, 16 / 3, 16 / 3],
            "The first two are right. In eval mode nothing is deleted.",
        ),
        (
            [2.0, 16 / 3, 4.0],
            "The first two are right. In eval mode there is no factor either.",
        ),
    ],
)

BLOCKS = Exercise(
    name="dropout/blocks",
    solution="""
        x_train, _, x_test, _ = digits()
        rest = x_test - x_train.mean(0)  # (N, 1, 8, 8)


        def agreement(keep):
            kept = F.avg_pool2d(keep, 3, 1, 1).clamp(min=1e-9)
            filled = F.avg_pool2d(rest * keep, 3, 1, 1) / kept
            pairs = torch.stack([filled[keep == 0], rest[keep == 0]])
            return torch.corrcoef(pairs)[0, 1].item()


        single, blocks = [], []
        for seed in range(8):
            torch.manual_seed(seed)
            keep = torch.rand(len(rest), 1, 8, 8) >= 0.5
            single.append(agreement(keep.double()))
            torch.manual_seed(seed)
            keep = torch.rand(len(rest), 1, 4, 4) >= 0.5
            blocks.append(agreement(F.interpolate(keep.double(), scale_factor=2)))
        answer = paired(blocks, single)
    """,
    setup="from helpers import digits, paired",
    run=measure_run("blocks", "single"),
    mistakes=[
        (
            "len(rest), 1, 4, 4",
            "len(rest), 1, 2, 2",
            "scale_factor=2",
            "scale_factor=4",
            "Your blocks are 4 x 4 pixels: draw (N, 1, 4, 4) numbers and enlarge them "
            "by 2.",
        ),
        (
            "keep == 0",
            "keep == 1",
            "You compare the pixels that are kept; the deleted ones are to be filled.",
        ),
    ],
)

EXERCISES = (VARIANCE, INVERTED, CHANNELS, ATTENTION, BLOCKS)
