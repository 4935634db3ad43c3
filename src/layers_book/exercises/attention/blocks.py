"""Exercises of the page attention/blocks."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, nn

from layers_book.checking import (
    Case,
    Exercise,
    call,
    custom_run,
    distinct,
    function_run,
    measure_run,
    refuse_no_function,
    value_run,
)

DROPOUTS = Exercise(
    name="attention_blocks/dropouts",
    solution="answer = [6 * 4 + 6 * 6, 12 * 4, 6 * 2 + 6 * 3 + 2]",
    run=value_run(),
    mistakes=[
        (
            [30, 24, 32],
            "You count one dropout a sublayer: its branch has another one inside, on "
            "the attention's weights or behind the activation.",
        ),
        (
            [42, 36, 32],
            "You leave out the dropout on the attention's weights, which is a number "
            "of the attention and no layer of its own: two a sublayer.",
        ),
        (
            [30, 24, 30],
            "You count one dropout a sublayer, where each branch has another one "
            "inside; and either stack of nn.Transformer ends in one norm more.",
        ),
        (
            [48, 48, 26],
            "A decoder layer has three sublayers, two of them attentions: yours has "
            "two.",
        ),
        (
            [60, 48, 30],
            "Either stack of nn.Transformer ends in one norm more.",
        ),
        (
            [60, 24, 32],
            "Twelve encoder layers draw twice as many as six.",
        ),
        (
            [60, 72, 32],
            "An nn.TransformerEncoder has encoder layers alone, of two sublayers each.",
        ),
    ],
)


def _encoder_args(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Small layers, with biases or without."""
    index = generator.initial_seed()
    a, b, c, _ = distinct(generator, 4)
    heads, size, layers = a, b, c
    feed = (2048, 16, 24, 40)[index % 4]
    bias = index % 3 != 0  # weights first: their faults look like those of biases
    return (heads * size, heads, layers, feed, bias), {}


def _encoder(d: int, heads: int, layers: int, feed: int, bias: bool) -> int:
    """Counted on torch's own encoder, on the meta device."""
    with torch.device("meta"):
        layer = torch.nn.TransformerEncoderLayer(d, heads, feed, bias=bias)
        encoder = torch.nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
    return sum(p.numel() for p in encoder.parameters())


PARAMETERS = Exercise(
    name="attention_blocks/parameters",
    solution="""
        def count(d_model, nhead, num_layers, dim_feedforward, bias):
            weights = 4 * d_model**2 + 2 * d_model * dim_feedforward + 2 * d_model
            biases = 4 * d_model + dim_feedforward + d_model + 2 * d_model
            return num_layers * (weights + (biases if bias else 0))
    """,
    reference=_encoder,
    run=function_run(
        _encoder_args,
        names=("d_model", "nhead", "num_layers", "dim_feedforward", "bias"),
    ),
    forbid=("Module",),
    mistakes=[
        ("num_layers * (", "(", "You count one layer: there are num_layers."),
        (
            "4 * d_model**2",
            "(3 * nhead + 1) * d_model**2",
            "4 * d_model +",
            "(3 * nhead + 1) * d_model +",
            "You give each head projections of full width: the heads share d_model, so "
            "their number does not count.",
        ),
        (
            "4 * d_model**2",
            "4 * d_model**2 // nhead",
            "4 * d_model +",
            "4 * d_model // nhead +",
            "You count one head: all of them together have four d_model by d_model "
            "matrices.",
        ),
        ("4 *", "3 *", "You count three projections: out_proj is the fourth."),
        (
            "4 * d_model +",
            "d_model +",
            "The attention has four biases: in_proj_bias holds three of them.",
        ),
        (
            "4 * d_model +",
            "3 * d_model +",
            "You miss d_model biases a layer: in_proj_bias holds three times as many, "
            "out_proj has more, and so has the second Linear.",
        ),
        (
            "4 * d_model +",
            "",
            "With bias=True the attention has biases too: in_proj_bias and that of "
            "out_proj.",
        ),
        (
            "dim_feedforward + d_model + 2 * d_model",
            "2 * d_model",
            "With bias=True the two Linear layers have biases too: one for each of "
            "their outputs.",
        ),
        (
            "dim_feedforward + d_model + 2 * d_model",
            "d_model + 2 * d_model",
            "You miss the bias of the first Linear, which has dim_feedforward outputs.",
        ),
        (
            "dim_feedforward + d_model + 2 * d_model",
            "dim_feedforward + d_model",
            "With bias=True each LayerNorm has a bias besides its weight.",
        ),
        ("(biases if bias else 0)", "biases", "You ignore bias=False."),
        (
            "dim_feedforward + d_model + 2 * d_model",
            "dim_feedforward + d_model",
            "dim_feedforward + 2 * d_model",
            "dim_feedforward + 4 * d_model",
            "With bias=False the two LayerNorms lose their bias as well.",
        ),
        (
            "weights + (biases if bias else 0)",
            "weights",
            "You count no biases, or only the weights, where bias is True.",
        ),
        ("+ 2 * d_model\n", "+ d_model\n", "An encoder layer has two LayerNorms."),
        (
            " + 2 * d_model\n",
            "\n",
            "The two LayerNorms have parameters too: a weight and a bias each.",
        ),
        (
            "return",
            "return d_model + d_model * bias +",
            "You count a final LayerNorm: an encoder has none unless norm= is passed.",
        ),
        (
            "* dim_feedforward",
            "* 2048",
            "+ dim_feedforward",
            "+ 2048",
            "2048 is the default of dim_feedforward: use the argument.",
        ),
        (
            "* dim_feedforward",
            "* 4 * d_model",
            "+ dim_feedforward",
            "+ 4 * d_model",
            "The inner width is dim_feedforward, not four times d_model.",
        ),
        (
            "2 * d_model * dim_feedforward",
            "d_model * dim_feedforward",
            "dim_feedforward + d_model + 2 * d_model",
            "dim_feedforward + 2 * d_model",
            "There are two Linear layers, up to dim_feedforward and back.",
        ),
        (
            "dim_feedforward + d_model + 2 * d_model",
            "2 * dim_feedforward + 2 * d_model",
            "The second Linear has d_model outputs, and as many biases.",
        ),
    ],
)


def _decode_inputs(generator: Generator) -> dict[str, Any]:
    """Other lengths of x and memory, and other sizes of the layer."""
    index = generator.initial_seed()
    N, L, S = 1 + index % 2, 3 + index % 3, 2 + index % 2
    sizes = ((4, 2, 6), (6, 3, 5))[index % 2]
    x = torch.randn(N, L, sizes[0], generator=generator, dtype=torch.float64)
    memory = torch.randn(N, S, sizes[0], generator=generator, dtype=torch.float64)
    return {"x": x, "memory": 2 * memory + 1, "sizes": sizes}


def _decode_steps(answer: Any, x: Any, memory: Any, sizes: Any) -> Iterator[Any]:
    """The output, of a layer whose numbers follow from their places."""
    refuse_no_function(answer)
    E, heads, inner = sizes
    yield (
        "configuration",
        f"nn.TransformerDecoderLayer({E}, {heads}, {inner}), x {tuple(x.shape)}, "
        f"memory {tuple(memory.shape)}",
    )
    layer = nn.TransformerDecoderLayer(
        E, heads, inner, 0.0, batch_first=True, norm_first=True
    ).double()
    with torch.no_grad():
        for i, p in enumerate(layer.parameters()):
            p.copy_(torch.sin(torch.arange(p.numel()) * (1.7 + i) + i).view(p.shape))
    y = call(answer, x, memory, layer)
    yield Case("output", "", "", y.detach() if isinstance(y, torch.Tensor) else y)


DECODE = Exercise(
    name="attention_blocks/decode",
    solution="""
        def decode(x, memory, layer):  # (N, L, E), (N, S, E)
            L = x.shape[1]
            later = torch.ones(L, L, dtype=torch.bool).triu(1)  # True: block
            z = layer.norm1(x)
            x = x + layer.self_attn(z, z, z, attn_mask=later)[0]
            z = layer.norm2(x)
            x = x + layer.multihead_attn(z, memory, memory)[0]
            z = layer.norm3(x)
            return x + layer.linear2(layer.linear1(z).relu())
    """,
    run=custom_run(_decode_steps, _decode_inputs, configurations=4),
    mistakes=[
        (
            "z = layer.norm2(x)",
            "z, seen = layer.norm2(x), layer.norm2(memory)",
            "(z, memory, memory)",
            "(z, seen, seen)",
            "You normalize the memory: it goes into the attention as it comes, and "
            "norm2 is for the tokens that ask.",
        ),
        (
            ", attn_mask=later",
            "",
            "Your tokens see the future: the self-attention needs the causal mask.",
        ),
        (
            "triu(1)",
            "tril(-1)",
            "Your mask blocks the past and leaves the future: True blocks, and what "
            "lies above the diagonal is later.",
        ),
        (
            "triu(1)",
            "tril()",
            "Your mask is the wrong way round: for this module True means block.",
        ),
        (
            "triu(1)",
            "triu()",
            "Your mask blocks each token from itself as well: begin one above the "
            "diagonal.",
        ),
        (
            "(z, memory, memory)",
            "(z, z, z)",
            "Your output does not depend on the memory: the second attention takes "
            "keys and values from it.",
        ),
        (
            "layer.multihead_attn",
            "layer.self_attn",
            "You use self_attn twice: the memory has an attention of its own, "
            "multihead_attn.",
        ),
        (
            "(z, memory, memory)",
            "(x, memory, memory)",
            "The queries go into the second attention without their norm: norm2 "
            "comes first.",
        ),
        (
            "x = x + layer.multihead_attn(z, memory, memory)[0]",
            "x = z + layer.multihead_attn(z, memory, memory)[0]",
            "Your second sum adds to the normalized tokens: the stream goes on "
            "without its norm.",
        ),
        (
            "x = x + layer.self_attn(z, z, z, attn_mask=later)[0]",
            "x = z + layer.self_attn(z, z, z, attn_mask=later)[0]",
            "Your first sum adds to the normalized tokens: the stream goes on "
            "as it was.",
        ),
        (
            "return x + layer",
            "return z + layer",
            "Your third sum adds to the normalized tokens: the stream goes on "
            "without its norm, and norm3 is for the feed-forward network.",
        ),
        (
            "(z, memory, memory)",
            "(z, memory, memory, attn_mask=later[:, : memory.shape[1]])",
            "Your mask also hides parts of the memory: it is known in full, and only "
            "the self-attention is causal.",
        ),
        (
            "layer.linear1(z)",
            "layer.linear1(x)",
            "The feed-forward network gets the stream without norm3.",
        ),
        (
            ".relu()",
            "",
            "The ReLU between the two Linear layers is missing.",
        ),
        (
            "return x + ",
            "return ",
            "You return the last branch alone: add it to x.",
        ),
        (
            """
            def decode(x, memory, layer):
                L = x.shape[1]
                later = torch.ones(L, L, dtype=torch.bool).triu(1)
                x = layer.norm1(x + layer.self_attn(x, x, x, attn_mask=later)[0])
                x = layer.norm2(x + layer.multihead_attn(x, memory, memory)[0])
                return layer.norm3(x + layer.linear2(layer.linear1(x).relu()))
            """,
            "That is the layer with its norms last: with norm_first each norm stands "
            "at the start of its branch.",
        ),
    ],
)


def _stack(generator: Generator) -> dict[str, Any]:
    """Sizes: E, dim_feedforward, and how many layers."""
    index = generator.initial_seed()
    return {"sizes": ((8, 12, 3), (12, 8, 2), (10, 16, 3))[index % 3]}


def _renew_steps(answer: Any, sizes: Any) -> Iterator[Any]:
    """What the stack's parameters are afterwards, in words that chance leaves alone."""
    refuse_no_function(answer)
    E, inner, depth = sizes
    yield "configuration", f"{depth} layers, TransformerEncoderLayer({E}, 2, {inner})"
    layer = nn.TransformerEncoderLayer(E, 2, inner, batch_first=True, norm_first=True)
    encoder = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
    with torch.no_grad():
        for one in encoder.layers:
            one.self_attn.in_proj_bias.fill_(0.5)
    before = [p.detach().clone() for p in encoder.parameters()]
    renewed = call(answer, encoder)
    yield "whether the encoder given is returned", renewed is encoder
    names, after = [], []
    for name, p in encoder.named_parameters():
        names.append(name)
        after.append(p.detach())
    kept = 0
    for now, old in zip(after, before, strict=True):
        if now.dim() > 1 and bool((now == old).all()):
            kept += 1
    yield "how many matrices are as they were", kept
    same = 0
    for name, now in zip(names, after, strict=True):
        if name.startswith("layers.0.") and now.dim() > 1:
            other = after[names.index("layers.1." + name[9:])]
            same += bool((now == other).all())
    yield "how many matrices the first two layers share", same
    pairs = list(zip(names, after, strict=True))
    zeros = [not now.any() for n, now in pairs if n[-4:] == "bias"]
    yield "how many biases are 0", sum(zeros)
    ones = [
        bool((now == 1).all()) for n, now in pairs if "norm" in n and n[-6:] == "weight"
    ]
    yield "how many norms have the weight 1", sum(ones)
    reach = []
    for now in after:
        if now.dim() > 1:
            bound = (6 / (now.shape[0] + now.shape[1])) ** 0.5
            largest = now.abs().max().item() / bound
            reach.append("beyond" if largest > 1 else "at" if largest > 0.9 else "far")
    yield "the largest numbers, beside the bound of xavier_uniform_", reach


RENEW = Exercise(
    name="attention_blocks/renew",
    solution="""
        def renew(encoder):
            for name, p in encoder.named_parameters():
                if p.dim() > 1:
                    nn.init.xavier_uniform_(p)
                elif name.endswith("bias"):
                    nn.init.zeros_(p)
            return encoder
    """,
    run=custom_run(_renew_steps, _stack, configurations=3),
    mistakes=[
        (
            "encoder.named_parameters()",
            "encoder.layers[0].named_parameters()",
            "You renew the first layer alone: run over all of them.",
        ),
        (
            "encoder.named_parameters()",
            "encoder.layers[-1].named_parameters()",
            "You renew the last layer alone: run over all of them.",
        ),
        (
            """
            def renew(encoder):
                for name, p in encoder.layers[0].named_parameters():
                    if p.dim() > 1:
                        nn.init.xavier_uniform_(p)
                    elif name.endswith("bias"):
                        nn.init.zeros_(p)
                for layer in encoder.layers:
                    layer.load_state_dict(encoder.layers[0].state_dict())
                return encoder
            """,
            "You copy one layer's numbers to the others, or set the seed before each: "
            "then they start alike again.",
        ),
        (
            'elif name.endswith("bias")',
            "else",
            "The weights of your norms are 0: they have one axis, as the biases have, "
            "and must stay at 1.",
        ),
        (
            """
            def renew(encoder):
                for p in encoder.parameters():
                    if p.dim() > 1:
                        nn.init.xavier_uniform_(p)
                return encoder
            """,
            "Your biases are as they were: set them to 0.",
        ),
        (
            """
            def renew(encoder):
                for module in encoder.modules():
                    if isinstance(module, nn.Linear):
                        nn.init.xavier_uniform_(module.weight)
                        nn.init.zeros_(module.bias)
                return encoder
            """,
            "in_proj_weight and in_proj_bias are as they were: they are parameters of "
            "the attention itself, which no nn.Linear holds.",
        ),
        (
            """
            import copy


            def renew(encoder):
                encoder = copy.deepcopy(encoder)
                for name, p in encoder.named_parameters():
                    if p.dim() > 1:
                        nn.init.xavier_uniform_(p)
                    elif name.endswith("bias"):
                        nn.init.zeros_(p)
                return encoder
            """,
            "You renew a copy: change the encoder that is given, and return it.",
        ),
        (
            "xavier_uniform_",
            "xavier_normal_",
            "Some of your numbers lie beyond the bound of xavier_uniform_: you draw "
            "normal ones.",
        ),
        (
            "nn.init.xavier_uniform_(p)",
            "nn.init.kaiming_uniform_(p, a=5**0.5)",
            "Your matrices are drawn as nn.Linear draws them, within another bound: "
            "call xavier_uniform_.",
        ),
    ],
)

ALIKE = Exercise(
    name="attention_blocks/alike",
    setup="""
        def stream(alike, depth, seed):
            torch.manual_seed(seed)
            layers = []
            for _ in range(depth):
                layer = nn.TransformerEncoderLayer(
                    32, 4, 64, 0.0, batch_first=True, norm_first=True
                )
                layers.append(layer.double())
            x = torch.randn(4, 10, 32).double()
            with torch.no_grad():
                for layer in layers:
                    x = (layers[0] if alike else layer)(x)
            return x.square().mean().sqrt().item()
    """,
    solution="""
        copies = torch.tensor([stream(True, 12, seed) for seed in range(8)]).log2()
        drawn = torch.tensor([stream(False, 12, seed) for seed in range(8)]).log2()
        difference = copies - drawn  # (seeds,)
        answer = difference.mean(), difference.std() / 8**0.5
    """,
    run=measure_run("copies", "drawn"),
    mistakes=[
        (
            ".log2()",
            "",
            "You subtract the sizes themselves: take their base-2 logarithms first.",
        ),
        (
            ", 12, seed",
            ", 24, seed",
            "Your stacks have 24 layers: 12 are asked for.",
        ),
    ],
)

EXERCISES = (DROPOUTS, PARAMETERS, DECODE, RENEW, ALIKE)
