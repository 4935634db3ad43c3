"""Exercises of the page basic/initialization."""

from collections.abc import Iterator
from typing import Any

from torch import Generator, Tensor, nn

from layers_book.checking import (
    Exercise,
    Refused,
    call,
    custom_run,
    distinct,
    function_run,
    measure_run,
    value_run,
)

FOUR = Exercise(
    name="initialization/four_layers",
    solution="size = math.sqrt((1600 * 0.02**2 / 2) ** 4)",
    run=value_run(0.05),
    mistakes=[
        (
            "/ 2) ** 4",
            ") ** 4",
            "That would be the size without ReLUs: each of them sets half of the mean "
            "square to zero.",
        ),
        (
            "math.sqrt((1600 * 0.02**2 / 2) ** 4)",
            "(1600 * 0.02**2 / 2) ** 4",
            "That is the mean square; the RMS is its root.",
        ),
        (
            "** 4",
            "** 1",
            "That is what one layer leaves; there are four in a row.",
        ),
        (
            "** 4",
            "** 3",
            "You count three layers; there are four, and each has its ReLU.",
        ),
        (
            "0.02**2",
            "0.02",
            "0.02 is the weights' standard deviation; the variance is its square.",
        ),
        (
            "1600 * ",
            "",
            "An output is a sum over 1600 inputs, so the mean square of the weights "
            "counts 1600 times.",
        ),
        (
            "1600 * 0.02**2",
            "1 / 3",
            "That is for the weights that torch draws by default; these have a "
            "standard deviation of 0.02.",
        ),
    ],
)


def _shape(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A weight of a Linear or a convolution, with slope or without."""
    index = generator.initial_seed()
    shape = tuple(distinct(generator, 2 + (index + 1) % 4))
    slope = (0.0, 0.2, 5**0.5)[index % 3]
    return (shape,), {"slope": slope} if index % 3 else {}


STD = Exercise(
    name="initialization/std",
    solution="""
        def std(shape, slope=0.0):
            n_out, n_in, *kernel = shape
            fan_in = n_in * math.prod(kernel)
            return math.sqrt(2 / (1 + slope**2) / fan_in)
    """,
    run=function_run(_shape, names=("shape",)),
    mistakes=[
        (
            "n_in * math",
            "n_out * math",
            "You take the outputs; fan-in counts the inputs, the second number of the "
            "shape.",
        ),
        (
            "n_in * math.prod(kernel)",
            "n_in",
            "You leave out the kernel: an output of a convolution sums over every "
            "cell of it.",
        ),
        (
            "n_in * math.prod(kernel)",
            "n_in * sum(kernel or [1])",
            "You add the sides of the kernel; the number of its cells is their "
            "product.",
        ),
        (
            "math.sqrt(2 / (1 + slope**2) / fan_in)",
            "2 / (1 + slope**2) / fan_in",
            "That is the variance; the standard deviation is its root.",
        ),
        (
            "2 / (1 + slope**2)",
            "2",
            "The slope changes nothing in your formula: it lets a part of the "
            "negative half through.",
        ),
        (
            "slope**2",
            "slope",
            "Sizes are multiplied by slope, and mean squares by its square.",
        ),
        (
            "2 / (1 + slope**2)",
            "2 * (1 + slope**2)",
            "You multiply by 1 + slope²: the more comes through, the smaller the "
            "weights may be, so divide.",
        ),
        (
            "2 / (1 + slope**2)",
            "1 / (1 + slope**2)",
            "You have forgotten the half that ReLU sets to zero: 2 in place of 1.",
        ),
        (
            "2 / (1 + slope**2) / fan_in",
            "6 / (1 + slope**2) / fan_in",
            "That is the bound of the uniform distribution, which is √3 times its "
            "standard deviation.",
        ),
    ],
)


def _reach_steps(answer: Any, sizes: list[int]) -> Iterator[Any]:
    """Start a nested net, and read what its layers hold then."""
    a, b = sizes
    block = nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Sequential(nn.Linear(b, a)))
    net = nn.Sequential(nn.Linear(a, a), block, nn.LayerNorm(a), nn.Linear(a, b))
    before = {name: module for name, module in net.named_modules()}
    yield "configuration", f"a net with Linear layers at {', '.join(_linears(net))}"
    found = call(answer, net)
    if found is not net:
        raise Refused("Return the net itself, whose layers your function has changed.")
    yield "whether the net has the same modules", before == dict(net.named_modules())
    for name in _linears(net):
        layer = before[name]
        size = (layer.weight.detach().var() * layer.in_features / 2) ** 0.5
        words = f"the deviation of the weight of layer {name}, relative to Kaiming's"
        yield words, size.item(), 0.04
        yield f"whether the bias of layer {name} is zero", not layer.bias.any().item()
    norm = before["2"]
    ones = bool((norm.weight == 1).all() and not norm.bias.any())
    yield "whether the norm is as it was", ones


def _linears(net: nn.Module) -> list[str]:
    return [n for n, layer in net.named_modules() if isinstance(layer, nn.Linear)]


def _wide(generator: Generator) -> dict[str, Any]:
    return {"sizes": [(128, 192), (256, 160)][generator.initial_seed() % 2]}


REACH = Exercise(
    name="initialization/reach",
    solution="""
        def start(net):
            for layer in net.modules():
                if isinstance(layer, nn.Linear):
                    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                    nn.init.zeros_(layer.bias)
            return net
    """,
    run=custom_run(_reach_steps, _wide, configurations=2),
    mistakes=[
        (
            "net.modules()",
            "net.children()",
            "The loop still visits the layers at the top only: children() does not "
            "look inside a block.",
        ),
        (
            "net.modules()",
            "[*net.children(), *(c for b in net.children() for c in b.children())]",
            "You look one level deeper, and the net has a block in a block.",
        ),
        (
            "net.modules()",
            "[c for b in net.children() for c in b.modules() if c is not b]",
            "You look inside the blocks, and no longer at the layers on top.",
        ),
        (
            'kaiming_normal_(layer.weight, nonlinearity="relu")',
            "xavier_normal_(layer.weight)",
            "That is Xavier's rule, too small in front of a ReLU.",
        ),
        (
            'nonlinearity="relu"',
            'nonlinearity="linear"',
            "That is Kaiming's rule without an activation; name the ReLU.",
        ),
        (
            'nonlinearity="relu"',
            'nonlinearity="relu", mode="fan_out"',
            "You count the outputs (fan_out); the rule asks for the inputs.",
        ),
        (
            "layer.weight,",
            "layer.weight.clone(),",
            "You fill a copy of the weight; the layer keeps what it had.",
        ),
        (
            "nn.init.zeros_(layer.bias)",
            "pass",
            "The biases are as torch has drawn them; they are to be zero.",
        ),
        (
            "if isinstance(layer, nn.Linear):",
            "if isinstance(layer, nn.Linear | nn.LayerNorm):",
            'kaiming_normal_(layer.weight, nonlinearity="relu")',
            "normal_(layer.weight, std=(2 / layer.weight.shape[-1]) ** 0.5)",
            "You change the norm as well; only Linear layers were asked for.",
        ),
    ],
)


def _transformer_steps(answer: Any, blocks: int, width: int) -> Iterator[Any]:
    """Start a model with the layers of a Transformer, and read what they hold."""

    def branch(first: str, wide: int, bias: bool) -> nn.ModuleDict:
        parts = {first: nn.Linear(width, wide), "proj": nn.Linear(wide, width, bias)}
        return nn.ModuleDict(parts)

    def block() -> nn.ModuleDict:
        parts = {
            "norm": nn.LayerNorm(width),
            "attention": branch("qkv", 3 * width, True),
            "mlp": branch("up", 2 * width, False),
        }
        return nn.ModuleDict(parts)

    model = nn.ModuleDict(
        {
            "embedding": nn.Embedding(200, width),
            "blocks": nn.ModuleList([block() for _ in range(blocks)]),
            "projection": nn.Linear(width, 200, bias=False),
        }
    )
    yield "configuration", f"blocks={blocks}, {width} features"
    found = call(answer, model, blocks)
    if found is not model:
        raise Refused("Return the model itself, whose layers you have changed.")
    for path, layer in model.named_modules():
        if isinstance(layer, nn.LayerNorm):
            ones = bool(layer.weight.eq(1).all()) and not layer.bias.any()
            yield f"whether {path} is as it was", ones
        elif isinstance(layer, nn.Linear | nn.Embedding):
            size = layer.weight.detach().std().item()
            yield f"the deviation of {path}.weight", size, 0.05
            extreme = layer.weight.detach().abs().max().item() > 3 * size
            yield f"whether {path}.weight is normal, not uniform", extreme
            if isinstance(bias := getattr(layer, "bias", None), Tensor):
                yield f"whether {path}.bias is zero", not bias.any().item()


def _model(generator: Generator) -> dict[str, Any]:
    index = generator.initial_seed()
    return {"blocks": (3, 1, 6)[index % 3], "width": (64, 96, 48)[index % 3]}


TRANSFORMER = Exercise(
    name="initialization/transformer",
    solution="""
        def start(model, blocks):
            for path, layer in model.named_modules():
                if isinstance(layer, nn.Linear | nn.Embedding):
                    ends = path.split(".")[-1] == "proj"
                    std = 0.02 / math.sqrt(2 * blocks) if ends else 0.02
                    nn.init.normal_(layer.weight, std=std)
                if isinstance(layer, nn.Linear) and layer.bias is not None:
                    nn.init.zeros_(layer.bias)
            return model
    """,
    run=custom_run(_transformer_steps, _model, configurations=3),
    mistakes=[
        (
            "math.sqrt(2 * blocks)",
            "math.sqrt(blocks)",
            "You divide by √blocks; each block has two branches, so there are "
            "2 · blocks of them.",
        ),
        (
            "math.sqrt(2 * blocks)",
            "(2 * blocks)",
            "You divide by the number of branches; divide by its root.",
        ),
        (
            "0.02 / math.sqrt(2 * blocks) if ends else 0.02",
            "0.02",
            "The ends of the branches are as large as the rest; divide theirs. A path "
            "has its blocks in front, as in blocks.0.mlp.proj.",
        ),
        (
            "0.02 / math.sqrt(2 * blocks) if ends else 0.02",
            "0.02 / math.sqrt(2 * blocks)",
            "You divide for every layer; only the layers named proj end a branch.",
        ),
        (
            'path.split(".")[-1] == "proj"',
            '"proj" in path',
            "The layer named projection ends no branch: compare the last part of the "
            "path as a whole.",
        ),
        (
            'path.split(".")[-1] == "proj"',
            'path.endswith("mlp.proj")',
            "The attention ends in a layer named proj as well.",
        ),
        (
            "if isinstance(layer, nn.Linear | nn.Embedding)",
            "if isinstance(layer, nn.Linear)",
            "The embedding is as torch has drawn it, with a deviation of 1.",
        ),
        (
            " and layer.bias is not None",
            "",
            "A Linear with bias=False has None for a bias: ask before you fill it.",
        ),
        (
            "nn.init.zeros_(layer.bias)",
            "pass",
            "The biases are as torch has drawn them; they are to be zero.",
        ),
        (
            "named_modules",
            "named_children",
            "You look at the top of the model only: named_modules() goes down to "
            "every layer.",
        ),
    ],
)


ZERO_HEAD = Exercise(
    name="initialization/zero_head",
    setup="""
        def loss(zero, seed, updates=20):
            torch.manual_seed(seed)
            x = torch.randn(200, 16, dtype=torch.float64)  # (N, C)
            y = x[:, :4].argmax(1)  # which of four numbers is the largest
            net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4)).double()
            if zero:
                nn.init.zeros_(net[2].weight)
            optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
            for _ in range(updates):
                optimizer.zero_grad()
                F.cross_entropy(net(x), y).backward()
                optimizer.step()
            return F.cross_entropy(net(x), y).item()
    """,
    solution="""
        zero = [loss(True, seed) for seed in range(8)]
        usual = [loss(False, seed) for seed in range(8)]
        difference = torch.tensor(zero) - torch.tensor(usual)
        answer = difference.mean(), difference.std() / 8**0.5
    """,
    run=measure_run("zero", "usual"),
    mistakes=[
        (
            "True, seed)",
            "True, seed, 0)",
            "False, seed)",
            "False, seed, 0)",
            "Your losses are those before the first step: without updates=0, loss "
            "trains for 20 steps.",
        ),
        (
            "True, seed)",
            "True, seed, 200)",
            "False, seed)",
            "False, seed, 200)",
            "Your losses are those after 200 steps, when the two starts have nearly "
            "met: give those after 20.",
        ),
        (
            "loss(False, seed) for seed in range(8)",
            "loss(False, seed) for seed in range(8, 16)",
            "The two starts have different seeds: with the same ones, both see the "
            "same data, and much of the chance cancels.",
        ),
    ],
)

EXERCISES = (FOUR, STD, REACH, TRANSFORMER, ZERO_HEAD)
