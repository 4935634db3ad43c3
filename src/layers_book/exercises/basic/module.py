"""Exercises of the page basic/module."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator, Tensor, nn

from layers_book.checking import (
    Exercise,
    call,
    custom_run,
    distinct,
    module_run,
    refuse_no_function,
    signed,
    value_run,
)

SAVED = Exercise(
    name="module/saved",
    solution="""
        answer = ["body.1.bias", "body.1.weight", "heads.age.weight", "scale", "seen"]
    """,
    run=value_run(),
    mistakes=[
        (
            [
                *("body.1.bias", "body.1.weight", "heads.age.weight"),
                *("mask", "scale", "seen"),
            ],
            "mask is a buffer with persistent=False: it moves with the net and is not "
            "saved.",
        ),
        (
            ["body.1.bias", "body.1.weight", "heads.age.weight", "scale"],
            "A buffer is saved too: seen is missing.",
        ),
        (
            [
                *("body.1.bias", "body.1.weight", "heads.age.weight"),
                *("scale", "seen", "spare.0.bias", "spare.0.weight"),
            ],
            "spare is a Python list: torch does not look inside.",
        ),
        (
            ["body.0.bias", "body.0.weight", "heads.age.weight", "scale", "seen"],
            "Flatten has no parameters, and yet it takes place 0 of the Sequential.",
        ),
        (
            [
                *("body.1.bias", "body.1.weight", "heads.age.bias"),
                *("heads.age.weight", "scale", "seen"),
            ],
            "The head is made with bias=False: it has a weight only.",
        ),
        (
            ["body.1.bias", "body.1.weight", "heads.weight", "scale", "seen"],
            "The name in a ModuleDict is the key: heads.age.",
        ),
        (
            ["scale", "seen", "body.1.weight", "body.1.bias", "heads.age.weight"],
            "The names are right, in the order of state_dict: sort them.",
        ),
        (
            ["body", "heads", "scale", "seen"],
            "state_dict lists tensors, not modules: go on to each weight and bias.",
        ),
    ],
)


def _ranges(generator: Generator) -> tuple[dict[str, Any], list[Tensor], Tensor]:
    """Batches of another range each, so that the first holds the peak of some."""
    index = generator.initial_seed()
    sizes = distinct(generator, 2 + index % 3)
    batches = []
    for size in (1.0, 0.8, 2.0):
        spread = signed(generator, sizes[-1])
        x = torch.randn(*sizes, generator=generator, dtype=torch.float64)
        batches.append(size * spread * x - 0.2 * size)
    return {"dim": sizes[-1]}, batches[:2], batches[2]


SCALE = Exercise(
    name="module/scale",
    solution="""
        class Scale(nn.Module):
            def __init__(self, dim):
                super().__init__()
                self.weight = nn.Parameter(torch.ones(dim))
                self.register_buffer("peak", torch.zeros(dim))

            def forward(self, x):
                if self.training:
                    largest = x.detach().abs().flatten(0, -2).amax(0)
                    self.peak = torch.maximum(self.peak, largest)
                else:
                    x = x.clamp(-self.peak, self.peak)
                return x * self.weight
    """,
    run=module_run(_ranges),
    mistakes=[
        (
            "        super().__init__()\n",
            "",
            "Call super().__init__() first: it makes the drawers that parameters and "
            "buffers go into.",
        ),
        (
            "nn.Parameter(torch.ones(dim))",
            "torch.ones(dim)",
            "No optimizer finds your weight: __init__ must assign it as self.weight = "
            "nn.Parameter(torch.ones(dim)), with nothing around nn.Parameter.",
        ),
        (
            "self.weight = nn.Parameter(",
            'self.register_buffer("weight", ',
            "Your weight is a buffer, stored but not learned: make it an nn.Parameter.",
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
            'self.register_buffer("peak", torch.zeros(dim))',
            "self.peak = torch.zeros(dim)",
            "Your peak is a plain tensor: it is not saved and does not move with the "
            'layer. Use self.register_buffer("peak", ...).',
        ),
        (
            'self.register_buffer("peak", torch.zeros(dim))',
            "self.peak = nn.Parameter(torch.zeros(dim))",
            "self.peak = torch.maximum",
            "self.peak.data = torch.maximum",
            "Your peak is a parameter, so an optimizer would change it: use "
            'self.register_buffer("peak", ...).',
        ),
        (
            "torch.zeros(dim)",
            "torch.zeros(dim), persistent=False",
            "Your peak is not saved: leave out persistent=False, since it cannot be "
            "computed anew.",
        ),
        (
            "torch.zeros(dim)",
            "torch.ones(dim)",
            "Your peak starts at 1, as if a value of 1 had been met: start at 0, "
            "torch.zeros(dim).",
        ),
        (
            "        if self.training:\n            largest",
            "        largest",
            "            self.peak =",
            "        self.peak =",
            "else:",
            "if not self.training:",
            "Your peak grows in evaluation mode too: update it only where "
            "self.training is true.",
        ),
        (
            "            self.peak = torch.maximum(self.peak, largest)\n",
            "",
            "Your peak never changes: in training mode it becomes the larger one of "
            "itself and the batch's largest absolute value, feature by feature.",
        ),
        (
            "torch.maximum(self.peak, largest)",
            "largest",
            "Your peak forgets earlier batches: take torch.maximum(self.peak, ...).",
        ),
        (
            "torch.maximum(self.peak, largest)",
            "self.peak + largest",
            "You add to the peak; it is the larger one of old and new: "
            "torch.maximum(self.peak, ...).",
        ),
        (
            "amax",
            "mean",
            "You remember the mean absolute value; the largest is asked for: amax.",
        ),
        (
            ".abs()",
            "",
            "You remember the largest value; the largest absolute value is asked for: "
            "x.abs() first.",
        ),
        (
            ".flatten(0, -2).amax(0)",
            ".max()",
            "Your peak is the same for all features: take the largest value over all "
            "axes but the last.",
        ),
        (
            "if self.training",
            "x = x.clamp(-self.peak, self.peak)\n        if self.training",
            "You limit x in training mode too, by a peak that does not know the batch "
            "yet: do it only where self.training is false.",
        ),
        (
            "        else:\n            x = x.clamp(-self.peak, self.peak)\n",
            "",
            "You do not limit x in evaluation mode: x.clamp(-self.peak, self.peak).",
        ),
        (
            "-self.peak, self.peak",
            "max=self.peak",
            "You limit x from above only: x.clamp(-self.peak, self.peak).",
        ),
        (
            "x = x.clamp(",
            "return (x * self.weight).clamp(",
            "You multiply by the weight before you limit: peak is about the input, so "
            "limit x first.",
        ),
        (
            ".detach()",
            "",
            "Your peak holds on to the computation that filled it: detach x before you "
            "take its largest value.",
        ),
        (
            "x.clamp",
            "x.clamp_",
            "You change the caller's x: write x.clamp, not x.clamp_.",
        ),
        (
            "torch.maximum(self.peak, largest)",
            "torch.maximum(self.peak, largest).float()",
            "You turn the peak into float32, whatever the layer's data type: leave out "
            "the conversion.",
        ),
        (
            "x * self.weight",
            "x * self.weight.detach()",
            "The output is right, but weight gets no gradient: do not detach it.",
        ),
    ],
)

SIZES = (
    [3, 8, 8, 1],
    [4, 2],
    [2, 5, 3],
    [5, 4, 3, 2, 6],
    [1, 7, 1],
    [6, 6, 6, 6],
)


def _networks(generator: Generator) -> tuple[dict[str, Any], list[Tensor], Tensor]:
    index = generator.initial_seed()
    sizes = SIZES[index % len(SIZES)]
    leading = distinct(generator, 1 + index % 2)
    batches = [
        torch.randn(*leading, sizes[0], generator=generator, dtype=torch.float64)
        for _ in range(2)
    ]
    return {"sizes": list(sizes)}, batches[:1], batches[1]


MLP = Exercise(
    name="module/mlp",
    solution="""
class Mlp(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        pairs = zip(sizes, sizes[1:])
        self.layers = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in pairs)

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)
    """,
    run=module_run(_networks, initial=False),
    mistakes=[
        (
            "nn.ModuleList",
            "list",
            "Your layers are in a Python list, where no optimizer finds them: put them "
            "into an nn.ModuleList.",
        ),
        (
            """
            class Mlp(nn.Module):
                def __init__(self, sizes):
                    super().__init__()
                    self.sizes = sizes

                def forward(self, x):
                    pairs = zip(self.sizes, self.sizes[1:])
                    layers = [nn.Linear(n_in, n_out) for n_in, n_out in pairs]
                    for layer in layers[:-1]:
                        x = torch.relu(layer(x))
                    return layers[-1](x)
            """,
            "Your forward makes new layers at each call, so nothing learned stays: "
            "make them once, in __init__.",
        ),
        (
            "        super().__init__()\n",
            "",
            "Call super().__init__() first: it makes the drawers that submodules go "
            "into.",
        ),
        (
            "self.layers[-1](x)",
            "torch.relu(self.layers[-1](x))",
            "You apply ReLU after the last layer too, so no output can be negative: "
            "leave it out there.",
        ),
        (
            "torch.relu(layer(x))",
            "layer(x)",
            "There is no ReLU between your layers: without it they amount to a single "
            "linear layer.",
        ),
        (
            "for layer",
            "x = torch.relu(x)\n        for layer",
            "You apply ReLU to the input as well: it comes after a layer, not before "
            "the first.",
        ),
        ("torch.relu", "torch.tanh", "You apply tanh; a ReLU is asked for."),
        (
            "sizes[1:]",
            "sizes[1:-1]",
            "self.layers[-1](x)",
            "self.layers[-1](x) if self.layers else x",
            "One layer is missing: n sizes make n - 1 layers, and zip(sizes, "
            "sizes[1:]) gives all pairs.",
        ),
        (
            "nn.Linear(n_in, n_out)",
            "nn.Linear(n_out, n_in)",
            "You swap the two sizes of a layer: nn.Linear(n_in, n_out).",
        ),
        (
            "pairs =",
            "sizes = sizes[::-1]\n        pairs =",
            "You build the layers from the last size to the first: sizes[0] is the "
            "number of input features.",
        ),
        (
            "nn.Linear(n_in, n_out)",
            "nn.Linear(n_in, n_out, bias=False)",
            "Your layers have no bias: leave out bias=False.",
        ),
        (
            """
            class Mlp(nn.Module):
                def __init__(self, sizes):
                    super().__init__()
                    layers = []
                    for n_in, n_out in zip(sizes, sizes[1:]):
                        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
                    self.layers = nn.Sequential(*layers[:-1])

                def forward(self, x):
                    return self.layers(x)
            """,
            "The ReLUs take places of their own in your nn.Sequential, so the linear "
            "layers are named layers.0, layers.2, ...: hold the linear layers alone in "
            "an nn.ModuleList and apply ReLU in forward.",
        ),
        (
            "nn.ModuleList",
            "list",
            "in pairs)",
            "in pairs)\n        for i, layer in enumerate(self.layers):\n"
            '            setattr(self, f"layer{i}", layer)',
            "Your layers are registered one by one under names of their own: put them "
            "into one nn.ModuleList called self.layers.",
        ),
        (
            "for layer",
            "x = x.flatten(0, -2)\n        for layer",
            "You flatten the leading axes: nn.Linear works on the last axis and keeps "
            "all others.",
        ),
        (
            "for layer",
            "seen = []\n        for layer",
            "(layer(x))",
            "(layer(x))\n            seen.append(x)",
            "self.layers[-1](x)",
            "[*seen, self.layers[-1](x)]",
            "You return the outputs of all layers: return that of the last one.",
        ),
        (
            """
            class Mlp(nn.Module):
                def __init__(self, sizes):
                    super().__init__()
                    pairs = zip(sizes, sizes[1:])
                    layers = [nn.Linear(n_in, n_out) for n_in, n_out in pairs]
                    self.layers = nn.ModuleList(layers)

                def forward(self, x):
                    x = self.layers[0](x).detach()
                    for layer in self.layers[1:]:
                        x = layer(torch.relu(x))
                    return x
            """,
            "The output is right, but the first layer gets no gradient: do not detach "
            "anything.",
        ),
    ],
)


class _Tied(nn.Module):
    def __init__(self, words: int, dim: int, bias: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, dim)
        self.output = nn.Linear(dim, words, bias=bias)
        self.output.weight = self.embedding.weight


class _Own(nn.Module):
    """A parameter of its own, some in a list, and a submodule."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.tables = nn.ParameterList(torch.ones(dim, 3) for _ in range(2))
        self.register_buffer("mask", torch.ones(dim, dim))
        self.inner = nn.Sequential(nn.Sequential(nn.Linear(dim, 2)))


def _modules(dims: list[int]) -> dict[str, nn.Module]:
    a, b, c = dims
    shared = nn.Linear(a, a)
    frozen = nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Linear(b, c))
    frozen[0].requires_grad_(False)
    return {
        "a linear layer": nn.Linear(a, b),
        "a convolution without bias": nn.Conv2d(a, b, c, bias=False),
        "BatchNorm, which has buffers": nn.BatchNorm2d(a),
        "two linear layers of the same size": nn.Sequential(
            nn.Linear(b, b), nn.Linear(b, b)
        ),
        "a tree of modules": _Own(a),
        "a module that holds the same layer twice": nn.Sequential(
            shared, nn.ReLU(), shared
        ),
        "an embedding and an output that share a weight": _Tied(a + 20, b, bias=False),
        "this pair and a bias": _Tied(a + 20, b, bias=True),
        "a network whose first layer is frozen": frozen,
        "a layer without parameters": nn.ReLU(),
    }


def _dims(generator: Generator) -> dict[str, Any]:
    return {"dims": distinct(generator, 3)}


def _counts(answer: Any, dims: list[int]) -> Iterator[Any]:
    refuse_no_function(answer)
    for name, module in _modules(dims).items():
        yield f"the number for {name}", call(answer, module), 0.0


COUNT = Exercise(
    name="module/count_parameters",
    solution="""
        def count_parameters(module):
            return sum(p.numel() for p in module.parameters() if p.requires_grad)
    """,
    run=custom_run(_counts, _dims, configurations=4),
    mistakes=[
        (
            " if p.requires_grad",
            "",
            "You count frozen parameters too: keep those with p.requires_grad.",
        ),
        (
            "parameters() if p.requires_grad",
            "state_dict().values()",
            "You count all that state_dict lists: buffers, frozen parameters, and a "
            "shared tensor once for each name. Use module.parameters().",
        ),
        (
            "module.parameters() if p.requires_grad",
            "[*module.parameters(), *module.buffers()]",
            "You count buffers, which training does not change with gradients, and "
            "frozen parameters.",
        ),
        (
            "p in module.parameters()",
            "_, p in module.named_parameters(remove_duplicate=False)",
            "You count a shared tensor once for each of its names: use "
            "module.parameters(), or leave remove_duplicate as it is.",
        ),
        (
            "for p in module.parameters()",
            "for m in module.modules() for p in m.parameters(recurse=False)",
            "You count a weight that two layers share twice: module.parameters() walks "
            "through all submodules and yields each tensor once.",
        ),
        (
            "p.numel()",
            "1",
            "You count tensors: add up p.numel(), the number of values in each.",
        ),
        (
            "p.numel()",
            "len(p)",
            "p.requires_grad",
            "p.requires_grad and p.dim()",
            "You add up the first sizes only: p.numel() is the product of all sizes.",
        ),
        (
            "parameters()",
            "parameters(recurse=False)",
            "You count the module's own parameters only: leave out recurse=False, so "
            "that submodules count.",
        ),
        (
            "p in module.parameters() if",
            'n, p in module.named_parameters() if n.endswith("weight") and',
            "You count what is called weight: biases and parameters of other names are "
            "learned too.",
        ),
        (
            "p.numel()",
            "{p.shape: p.numel()",
            "requires_grad)",
            "requires_grad}.values())",
            "You take two tensors of the same shape for one: whether a tensor is "
            "shared, id(p) tells, and module.parameters() minds it for you.",
        ),
        (
            "p.requires_grad",
            "p.grad is not None",
            "You count parameters that have a gradient by now: before the first "
            "backward pass none has. Ask p.requires_grad.",
        ),
    ],
)


def _rounds(generator: Generator) -> dict[str, Any]:
    index = generator.initial_seed()
    features, count = distinct(generator, 2)
    count += 2
    scores = torch.randperm(count, generator=generator).tolist()
    # the best in the middle, in the end, at the start, anywhere
    where = (count // 2, count - 1, 0, scores.index(max(scores)))[index % 4]
    best = scores.index(max(scores))
    scores[best], scores[where] = scores[where], scores[best]
    x = torch.randn(7, features, generator=generator, dtype=torch.float64)
    return {"x": x, "scores": scores}


def _kept(answer: Any, x: Tensor, scores: list[int]) -> Iterator[Any]:
    refuse_no_function(answer)
    size = x.shape[1]
    first = nn.Linear(size, size)
    net = nn.Sequential(first, nn.BatchNorm1d(size), nn.Dropout()).double()
    with torch.no_grad():
        first.weight.fill_(1.0)
        first.bias.zero_()
    at_train: list[bool] = []
    at_score: list[bool] = []

    def train(net: nn.Module) -> None:
        at_train.append(all(m.training for m in net.modules()))
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(1)
        net(x)

    def score(net: Any) -> int:
        at_score.append(any(m.training for m in net.modules()))
        return scores[round(float(net[0].bias[0].item())) % len(scores)]

    rounds = len(scores) - 1
    best = scores.index(max(scores))
    yield "configuration", f"rounds={rounds}, the best after {best} of them"
    found = call(answer, net, train, score, rounds)
    yield "how often train is called", len(at_train)
    yield "whether train always gets the net in training mode", all(at_train)
    yield "whether score ever gets the net in training mode", any(at_score)
    yield "the score it returns", found, 0.0
    for name, value in net.state_dict().items():
        yield f"{name} in the end", value
    yield "whether the net is in training mode in the end", net.training


BEST = Exercise(
    name="module/keep_best",
    solution="""
        def keep_best(net, train, score, rounds):
            best_score = score(net.eval())
            best = copy.deepcopy(net.state_dict())
            for _ in range(rounds):
                train(net.train())
                new = score(net.eval())
                if new > best_score:
                    best_score = new
                    best = copy.deepcopy(net.state_dict())
            net.load_state_dict(best)
            return best_score
    """,
    run=custom_run(_kept, _rounds),
    setup="import copy",
    mistakes=[
        (
            "copy.deepcopy(net.state_dict())",
            "net.state_dict()",
            "Your net ends in its last state: the tensors of a state_dict are those of "
            "the net. Keep copies, copy.deepcopy(net.state_dict()), and load them in "
            "the end.",
        ),
        (
            "net.eval()",
            "net",
            "net.train()",
            "net",
            "copy.deepcopy(net.state_dict())",
            "net.state_dict()",
            "            best_score = new\n",
            "",
            "Three things are wrong. Begin with the mode: you score the net in "
            "training mode, and score(net.eval()) would not.",
        ),
        (
            "score(net.eval())",
            "score(net)",
            "You score the net in training mode: score(net.eval()).",
        ),
        (
            "train(net.train())",
            "train(net)",
            "From the second round on you train the net in evaluation mode, in which "
            "score left it: train(net.train()).",
        ),
        (
            "            best_score = new\n",
            "",
            "You keep the best state and forget its score, so any later round that "
            "beats the first state replaces it: set best_score too.",
        ),
        (
            "copy.deepcopy(net.state_dict())",
            "{n: p.detach().clone() for n, p in net.named_parameters()}",
            "load_state_dict(best)",
            "load_state_dict(best, strict=False)",
            "You keep the parameters alone: BatchNorm's buffers are part of the state "
            "too.",
        ),
        (
            "best_score = score(net.eval())",
            'best_score = float("-inf")',
            "The net as it is given counts too: score it before the first round.",
        ),
        (
            "new > best_score",
            "new < best_score",
            "You keep the worst state: more is better.",
        ),
        (
            "return best_score",
            "return new",
            "You return the score of the last round: the best one is asked for.",
        ),
        (
            "range(rounds)",
            "range(rounds - 1)",
            "You train one round too few.",
        ),
        (
            "    return best_score",
            "    net.train()\n    return best_score",
            "You leave the net in training mode: evaluation mode is asked for.",
        ),
    ],
)

EXERCISES = (SAVED, COUNT, SCALE, MLP, BEST)
