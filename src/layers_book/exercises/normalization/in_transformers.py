"""Exercises of the page normalization/in_transformers."""

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


def _batches(generator: Generator) -> tuple[dict[str, Any], list[Tensor], Tensor]:
    """Constructor arguments and batches, small enough for tanh to vary."""
    n, length, dim = distinct(generator, 3)
    kwargs: dict[str, Any] = {"dim": dim}
    if generator.initial_seed() % 3:
        kwargs["alpha"] = (0.8, 0.2)[generator.initial_seed() % 2]

    def batch(n: int) -> Tensor:
        return torch.randn(n, length, dim, generator=generator, dtype=torch.float64)

    return kwargs, [batch(n), batch(n + 1)], batch(n)


DYNAMIC_TANH = Exercise(
    name="in_transformers/dynamic_tanh",
    solution="""
        class DynamicTanh(nn.Module):
            def __init__(self, dim, alpha=0.5):
                super().__init__()
                self.alpha = nn.Parameter(torch.full((1,), alpha))
                self.weight = nn.Parameter(torch.ones(dim))
                self.bias = nn.Parameter(torch.zeros(dim))

            def forward(self, x):
                return torch.tanh(self.alpha * x) * self.weight + self.bias
    """,
    run=module_run(_batches),
    mistakes=[
        (
            "nn.Parameter(torch.full((1,), alpha))",
            "alpha",
            "Your alpha is a plain number, which no optimizer sees: make it an "
            "nn.Parameter of shape (1,).",
        ),
        (
            "torch.full((1,), alpha)",
            "torch.full((dim,), alpha)",
            "You have an alpha for each feature: the module has one, of shape (1,).",
        ),
        (
            "torch.full((1,), alpha)",
            "torch.full((1,), 0.5)",
            "Your alpha always starts at 0.5: start it at the argument alpha.",
        ),
        (
            "alpha=0.5",
            "alpha=1.0",
            "Where the caller gives no alpha, yours starts at 1: the default is 0.5.",
        ),
        (
            "torch.tanh(self.alpha * x)",
            "self.alpha * torch.tanh(x)",
            "You multiply tanh(x) by alpha: alpha multiplies x, inside the tanh.",
        ),
        (
            "torch.tanh(self.alpha * x) * self.weight + self.bias",
            "torch.tanh(self.alpha * (x * self.weight + self.bias))",
            "Your weight and bias act before the tanh: they belong after it.",
        ),
        (" + self.bias", "", "Your output lacks the bias."),
    ],
)

LID = Exercise(
    name="in_transformers/lid",
    solution="answer = [8 * 8 / 8, (2 * 8) * (2 * 8) / 8, 8 - (-8)]",
    run=value_run(),
    mistakes=[
        (
            [64, 256, 128],
            "Your numbers are the products of q and k: the logits are divided by the "
            "root of 64.",
        ),
        (
            [8, 16, 16],
            "Both weights are 2 in the second number, that of q and that of k: the "
            "product grows by 4.",
        ),
        (
            [8, 32, 8],
            "The smallest logit is not 0: q and k can point in opposite directions.",
        ),
        (
            [0.125, 0.5, 0.25],
            "You took vectors of length 1, as F.normalize makes them: after RMSNorm "
            "the 64 squares have mean 1, so the length is 8.",
        ),
    ],
)


def _branch_inputs(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A stream of varied size, and the weights of a norm and an MLP."""
    n, length, d, h = distinct(generator, 4)
    x = varied(generator, n, length, d) + 0.1
    weight = signed(generator, d)
    up, down = signed(generator, d, h), signed(generator, h, d)
    tensors = (x, weight, up, down)
    return tuple(t.detach().requires_grad_() for t in tensors), {}


BRANCH = Exercise(
    name="in_transformers/branch",
    solution="""
        def branch(x, weight, up, down):  # (..., d), (d,), (d, h), (h, d)
            normed = F.rms_norm(x, weight.shape, weight, eps=1e-6)
            return x + F.gelu(normed @ up) @ down
    """,
    run=function_run(_branch_inputs, names=("x", "weight", "up", "down")),
    mistakes=[
        (
            "normed = F",
            "normed = x = F",
            "Your skip adds the normalized x, so that the stream's size is lost in "
            "each block: keep x as it came, and give the norm's output another name.",
        ),
        (
            "normed @ up",
            "x @ up",
            "Your MLP gets the stream as it is: normalize what goes into the branch.",
        ),
        (
            "return x + ",
            "return ",
            "Your output is the branch alone: add x to it.",
        ),
        (
            "return x + F.gelu(normed @ up) @ down",
            "y = x + F.gelu(x @ up) @ down\n"
            "    return F.rms_norm(y, weight.shape, weight, eps=1e-6)",
            "That is post-norm, which normalizes the sum: pre-norm normalizes what "
            "goes into the branch.",
        ),
        (
            "return x + F.gelu(normed @ up) @ down",
            "y = F.gelu(x @ up) @ down\n"
            "    return x + F.rms_norm(y, weight.shape, weight, eps=1e-6)",
            "You normalize the branch's output: in pre-norm the norm comes first.",
        ),
    ],
)


def _fold_inputs(generator: Generator) -> dict[str, Any]:
    """What a LayerNorm and a Linear are made of, and an input."""
    index = generator.initial_seed()
    n, d, out = distinct(generator, 3)
    out = d if index % 4 == 3 else out
    dtype = torch.float64 if index % 2 else torch.float32
    norm = {name: signed(generator, d).to(dtype) for name in ("weight", "bias")}
    linear = {"weight": signed(generator, out, d).to(dtype)}
    if index % 3 != 1:
        linear["bias"] = signed(generator, out).to(dtype)
    x = torch.randn(n, 3, d, generator=generator, dtype=dtype) * 2 + 1
    return {"norm_state": norm, "linear_state": linear, "x": x}


def _fold_steps(
    answer: Any,
    norm_state: dict[str, Tensor],
    linear_state: dict[str, Tensor],
    x: Tensor,
) -> Iterator[Any]:
    """The output behind a norm without weight, and whether the layers stay."""
    refuse_no_function(answer)
    out, d = linear_state["weight"].shape
    bias = "bias" in linear_state
    words = f"LayerNorm({d}), Linear({d}, {out}, bias={bias})"
    yield "configuration", f"{words}, {x.dtype}"
    norm = nn.LayerNorm(d).to(x.dtype)
    linear = nn.Linear(d, out, bias=bias).to(x.dtype)
    norm.load_state_dict(norm_state)
    linear.load_state_dict(linear_state)
    folded = call(answer, norm, linear)
    if isinstance(folded, nn.Module) and type(folded) is not nn.Linear:
        raise Refused(f"You return a {type(folded).__name__}: make one nn.Linear.")
    if not isinstance(folded, nn.Module):
        raise Refused("Return the new layer, an nn.Linear, not what it computes.")
    y = folded(F.layer_norm(x, (d,)))
    yield Case("output", "", "of the folded layer", y.detach())
    layers = (("norm", norm, norm_state), ("linear", linear, linear_state))
    for name, layer, old in layers:
        new = layer.state_dict()
        kept = new.keys() == old.keys() and all(
            torch.equal(old[key], new[key]) for key in old
        )
        if not kept:
            raise Refused(f"You change {name}: the layers given stay as they are.")
    yield "whether a new layer is returned", folded is not linear


FOLD = Exercise(
    name="in_transformers/fold",
    solution="""
        import copy


        def fold(norm, linear):
            folded = copy.deepcopy(linear)
            bias = linear.weight @ norm.bias  # (out,)
            if linear.bias is not None:
                bias = bias + linear.bias
            folded.weight = nn.Parameter((linear.weight * norm.weight).detach())
            folded.bias = nn.Parameter(bias.detach())
            return folded
    """,
    run=custom_run(_fold_steps, _fold_inputs),
    mistakes=[
        (
            "bias = linear.weight @ norm.bias",
            "bias = torch.zeros_like(linear.weight[:, 0])",
            "You fold the weight alone: the norm's bias passes through the matrix, "
            "and W @ beta goes into the new bias.",
        ),
        (
            "linear.weight @ norm.bias",
            "(linear.weight * norm.weight) @ norm.bias",
            "The norm's bias is added after its weight: it meets the matrix as it "
            "was, W @ beta, without gamma.",
        ),
        (
            "            bias = bias + linear.bias\n".removeprefix("    "),
            "        pass\n",
            "The Linear's own bias is lost: add it to W @ beta.",
        ),
        (
            "folded.bias =",
            "if linear.bias is not None:\n        folded.bias =",
            "A Linear without a bias needs one after folding: the norm's bias shifts "
            "its output.",
        ),
        (
            "(linear.weight * norm.weight)",
            "linear.weight",
            "Your matrix is the old one: multiply its columns by the norm's weight.",
        ),
        (
            "copy.deepcopy(linear)",
            "linear",
            "You change linear itself: work on a copy, copy.deepcopy(linear).",
        ),
    ],
)

DEPTH = Exercise(
    name="in_transformers/depth",
    setup="""
        def attend(x, layer):
            return layer.self_attn(x, x, x, need_weights=False)[0]


        def feed_forward(x, layer):
            return layer.linear2(layer.linear1(x).relu())


        def post_norm(x, layer):
            x = layer.norm1(x + attend(x, layer))
            return layer.norm2(x + feed_forward(x, layer))


        def pre_norm(x, layer):
            x = x + attend(layer.norm1(x), layer)
            return x + feed_forward(layer.norm2(x), layer)


        def fresh_layers(depth, seed):
            torch.manual_seed(seed)
            layers = nn.ModuleList()
            for _ in range(depth):
                layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True)
                for p in layer.parameters():
                    if p.dim() > 1:
                        nn.init.xavier_uniform_(p)
                layers.append(layer)
            return layers.double()


        def gradients(block, depth, seed):
            layers = fresh_layers(depth, seed)
            x = torch.randn(4, 10, 32, dtype=torch.float64)
            for layer in layers:
                x = block(x, layer)
            y = F.layer_norm(x, (32,))
            (y * torch.randn(4, 10, 32)).sum().backward()
            return [layer.linear1.weight.grad.norm().item() for layer in layers]
    """,
    solution="""
        shallow = torch.tensor([gradients(pre_norm, 4, seed)[-1] for seed in range(8)]).log2()
        deep = torch.tensor([gradients(pre_norm, 24, seed)[-1] for seed in range(8)]).log2()
        difference = shallow - deep  # (seeds,)
        answer = (difference.mean(), difference.std() / 8**0.5)
    """,  # noqa: E501
    run=measure_run("shallow", "deep"),
    mistakes=[
        (
            "pre_norm, ",
            "post_norm, ",
            "Your difference is near 0: those are post-norm's gradients, which do not "
            "fall with depth. Call gradients(pre_norm, ...).",
        ),
        (
            "[-1]",
            "[0]",
            "You measure the first block, whose gradient falls less: take the last "
            "one's, gradients(...)[-1].",
        ),
        (
            ".log2()",
            "",
            "You subtract the gradients themselves: take their base-2 logarithms "
            "first.",
        ),
    ],
)

EXERCISES = (DYNAMIC_TANH, LID, BRANCH, FOLD, DEPTH)
