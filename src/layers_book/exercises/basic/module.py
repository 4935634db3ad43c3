"""Exercises of the page basic/module."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn

from layers_book.checking import (
    Case,
    Exercise,
    Mistake,
    Refused,
    call,
    distinct,
    module_run,
    signed,
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


class _Scale(nn.Module):
    """Scale as asked for; the mistakes change one thing each."""

    wrong = ""
    peak: Any

    def __init__(self, dim: int) -> None:
        if self.wrong != "no super":
            super().__init__()
        wrong = self.wrong
        ones, zeros = torch.ones(dim), torch.zeros(dim)
        if wrong == "plain weight":
            self.weight: Any = ones
        elif wrong == "weight buffer":
            self.register_buffer("weight", ones)
        elif wrong == "one weight":
            self.weight = nn.Parameter(torch.ones(1))
        else:
            self.weight = nn.Parameter(zeros if wrong == "weight zero" else ones)
        if wrong == "plain peak":
            self.peak = zeros
        elif wrong == "peak parameter":
            self.peak = nn.Parameter(zeros)
        else:
            start = ones if wrong == "peak one" else zeros
            self.register_buffer("peak", start, persistent=wrong != "passing")

    def forward(self, x: Tensor) -> Any:
        wrong = self.wrong
        if wrong == "limits":
            x = x.clamp(-self.peak, self.peak)
        if (self.training or wrong == "always") and wrong != "never":
            self._remember(x)
        if wrong == "in place" and not self.training:
            return x.clamp_(-self.peak, self.peak) * self.weight
        if wrong == "upper":
            limited = x if self.training else x.clamp(max=self.peak)
        elif not self.training and wrong != "no limit":
            limited = x.clamp(-self.peak, self.peak)
        else:
            limited = x
        if wrong == "weight first" and not self.training:
            return (x * self.weight).clamp(-self.peak, self.peak)
        if wrong == "detached":
            return limited * self.weight.detach()
        return limited * self.weight

    def _remember(self, x: Tensor) -> None:
        wrong = self.wrong
        x = x if wrong == "graph" else x.detach()
        size = (x if wrong == "signed" else x.abs()).flatten(0, -2)
        largest = size.mean(0) if wrong == "mean" else size.amax(0)
        if wrong == "one peak":
            largest = largest.max().expand_as(largest)
        if wrong == "last":
            new = largest
        elif wrong == "sum":
            new = self.peak + largest
        else:
            new = torch.maximum(self.peak, largest)
        if wrong == "float32":
            new = new.float()
        if wrong == "peak parameter":
            self.peak.data = new
        else:
            self.peak = new


def _scale(wrong: str) -> Any:
    return type("Scale", (_Scale,), {"wrong": wrong})


SCALE = Exercise(
    name="module/scale",
    reference=_Scale,
    run=module_run(_ranges),
    mistakes=(
        Mistake(
            _scale("no super"),
            "Call super().__init__() first: it makes the drawers that parameters and "
            "buffers go into.",
        ),
        Mistake(
            _scale("plain weight"),
            "No optimizer finds your weight: __init__ must assign it as self.weight = "
            "nn.Parameter(torch.ones(dim)), with nothing around nn.Parameter.",
        ),
        Mistake(
            _scale("weight buffer"),
            "Your weight is a buffer, stored but not learned: make it an nn.Parameter.",
        ),
        Mistake(
            _scale("one weight"),
            "Your weight is a single number; it has one value for each feature.",
        ),
        Mistake(
            _scale("weight zero"),
            "Your weight starts at 0, so the layer answers 0 to everything: start at "
            "1, torch.ones(dim).",
        ),
        Mistake(
            _scale("plain peak"),
            "Your peak is a plain tensor: it is not saved and does not move with the "
            'layer. Use self.register_buffer("peak", ...).',
        ),
        Mistake(
            _scale("peak parameter"),
            "Your peak is a parameter, so an optimizer would change it: use "
            'self.register_buffer("peak", ...).',
        ),
        Mistake(
            _scale("passing"),
            "Your peak is not saved: leave out persistent=False, since it cannot be "
            "computed anew.",
        ),
        Mistake(
            _scale("peak one"),
            "Your peak starts at 1, as if a value of 1 had been met: start at 0, "
            "torch.zeros(dim).",
        ),
        Mistake(
            _scale("always"),
            "Your peak grows in evaluation mode too: update it only where "
            "self.training is true.",
        ),
        Mistake(
            _scale("never"),
            "Your peak never changes: in training mode it becomes the larger one of "
            "itself and the batch's largest absolute value, feature by feature.",
        ),
        Mistake(
            _scale("last"),
            "Your peak forgets earlier batches: take torch.maximum(self.peak, ...).",
        ),
        Mistake(
            _scale("sum"),
            "You add to the peak; it is the larger one of old and new: "
            "torch.maximum(self.peak, ...).",
        ),
        Mistake(
            _scale("mean"),
            "You remember the mean absolute value; the largest is asked for: amax.",
        ),
        Mistake(
            _scale("signed"),
            "You remember the largest value; the largest absolute value is asked "
            "for: x.abs() first.",
        ),
        Mistake(
            _scale("one peak"),
            "Your peak is the same for all features: take the largest value over all "
            "axes but the last.",
        ),
        Mistake(
            _scale("limits"),
            "You limit x in training mode too, by a peak that does not know the batch "
            "yet: do it only where self.training is false.",
        ),
        Mistake(
            _scale("no limit"),
            "You do not limit x in evaluation mode: x.clamp(-self.peak, self.peak).",
        ),
        Mistake(
            _scale("upper"),
            "You limit x from above only: x.clamp(-self.peak, self.peak).",
        ),
        Mistake(
            _scale("weight first"),
            "You multiply by the weight before you limit: peak is about the input, so "
            "limit x first.",
        ),
        Mistake(
            _scale("graph"),
            "Your peak holds on to the computation that filled it: detach x before "
            "you take its largest value.",
        ),
        Mistake(
            _scale("in place"),
            "You change the caller's x: write x.clamp, not x.clamp_.",
        ),
        Mistake(
            _scale("float32"),
            "You turn the peak into float32, whatever the layer's data type: leave "
            "out the conversion.",
        ),
        Mistake(
            _scale("detached"),
            "The output is right, but weight gets no gradient: do not detach it.",
        ),
    ),
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


class _Mlp(nn.Module):
    """Mlp as asked for; the mistakes change one thing each."""

    wrong = ""

    def __init__(self, sizes: Sequence[int]) -> None:
        if self.wrong != "no super":
            super().__init__()
        wrong = self.wrong
        sizes = list(reversed(sizes)) if wrong == "reversed" else sizes
        pairs = list(pairwise(sizes))
        pairs = pairs[:-1] if wrong == "one less" else pairs
        bias = wrong != "no bias"
        if wrong == "swapped":
            pairs = [(n_out, n_in) for n_in, n_out in pairs]
        layers: list[nn.Module] = [nn.Linear(*pair, bias=bias) for pair in pairs]
        if wrong == "in forward":
            self.pairs = pairs
        elif wrong == "list":
            self.layers: Any = layers
        elif wrong == "sequential":
            both = [m for layer in layers for m in (layer, nn.ReLU())]
            self.layers = nn.Sequential(*both[:-1])
        elif wrong == "attributes":
            for i, layer in enumerate(layers):
                setattr(self, f"layer{i}", layer)
            self.layers = layers
        else:
            self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Any:
        wrong = self.wrong
        if wrong == "sequential":
            return self.layers(x)
        if wrong == "flat":
            x = x.flatten(0, -2)
        if wrong == "relu first":
            x = x.relu()
        seen, layers = [], self.layers if wrong != "in forward" else self._make(x)
        last = len(layers) - 1
        for i, layer in enumerate(layers):
            x = layer(x)
            if wrong == "detached" and i == 0:
                x = x.detach()
            if (i < last or wrong == "relu last") and wrong != "no relu":
                x = x.tanh() if wrong == "tanh" else x.relu()
            seen.append(x)
        return seen if wrong == "all" else x

    def _make(self, x: Tensor) -> list[nn.Module]:
        return [nn.Linear(*pair, dtype=x.dtype) for pair in self.pairs]


def _mlp(wrong: str) -> Any:
    return type("Mlp", (_Mlp,), {"wrong": wrong})


MLP = Exercise(
    name="module/mlp",
    reference=_Mlp,
    run=module_run(_networks, initial=False),
    mistakes=(
        Mistake(
            _mlp("list"),
            "Your layers are in a Python list, where no optimizer finds them: put "
            "them into an nn.ModuleList.",
        ),
        Mistake(
            _mlp("in forward"),
            "Your forward makes new layers at each call, so nothing learned stays: "
            "make them once, in __init__.",
        ),
        Mistake(
            _mlp("no super"),
            "Call super().__init__() first: it makes the drawers that submodules go "
            "into.",
        ),
        Mistake(
            _mlp("relu last"),
            "You apply ReLU after the last layer too, so no output can be negative: "
            "leave it out there.",
        ),
        Mistake(
            _mlp("no relu"),
            "There is no ReLU between your layers: without it they amount to a single "
            "linear layer.",
        ),
        Mistake(
            _mlp("relu first"),
            "You apply ReLU to the input as well: it comes after a layer, not before "
            "the first.",
        ),
        Mistake(_mlp("tanh"), "You apply tanh; a ReLU is asked for."),
        Mistake(
            _mlp("one less"),
            "One layer is missing: n sizes make n - 1 layers, and zip(sizes, "
            "sizes[1:]) gives all pairs.",
        ),
        Mistake(
            _mlp("swapped"),
            "You swap the two sizes of a layer: nn.Linear(n_in, n_out).",
        ),
        Mistake(
            _mlp("reversed"),
            "You build the layers from the last size to the first: sizes[0] is the "
            "number of input features.",
        ),
        Mistake(_mlp("no bias"), "Your layers have no bias: leave out bias=False."),
        Mistake(
            _mlp("sequential"),
            "The ReLUs take places of their own in your nn.Sequential, so the linear "
            "layers are named layers.0, layers.2, ...: hold the linear layers alone "
            "in an nn.ModuleList and apply ReLU in forward.",
        ),
        Mistake(
            _mlp("attributes"),
            "Your layers are registered one by one under names of their own: put them "
            "into one nn.ModuleList called self.layers.",
        ),
        Mistake(
            _mlp("flat"),
            "You flatten the leading axes: nn.Linear works on the last axis and keeps "
            "all others.",
        ),
        Mistake(
            _mlp("all"),
            "You return the outputs of all layers: return that of the last one.",
        ),
        Mistake(
            _mlp("detached"),
            "The output is right, but the first layer gets no gradient: do not detach "
            "anything.",
        ),
    ),
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


def _counted(answer: Any, generator: Generator) -> Iterator[Case]:
    if not callable(answer) or isinstance(answer, type | nn.Module):
        raise Refused("A function is expected: write its name without calling it.")
    for name, module in _modules(distinct(generator, 3)).items():
        yield Case(f"the number for {name}", call(answer, module), 0.0)


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def _twice(module: nn.Module) -> int:
    named = module.named_parameters(remove_duplicate=False)
    return sum(p.numel() for _, p in named if p.requires_grad)


def _modules_once(module: nn.Module) -> int:
    """Each module once, but a weight that two modules share twice."""
    return sum(
        p.numel()
        for m in module.modules()
        for p in m.parameters(recurse=False)
        if p.requires_grad
    )


COUNT = Exercise(
    name="module/count_parameters",
    reference=_count,
    run=_counted,
    configurations=4,
    mistakes=(
        Mistake(
            lambda m: sum(p.numel() for p in m.parameters()),
            "You count frozen parameters too: keep those with p.requires_grad.",
        ),
        Mistake(
            lambda m: sum(t.numel() for t in m.state_dict().values()),
            "You count all that state_dict lists: buffers, frozen parameters, and a "
            "shared tensor once for each name. Use module.parameters().",
        ),
        Mistake(
            lambda m: sum(t.numel() for t in [*m.parameters(), *m.buffers()]),
            "You count buffers, which training does not change with gradients, and "
            "frozen parameters.",
        ),
        Mistake(
            _twice,
            "You count a shared tensor once for each of its names: use "
            "module.parameters(), or leave remove_duplicate as it is.",
        ),
        Mistake(
            _modules_once,
            "You count a weight that two layers share twice: module.parameters() "
            "walks through all submodules and yields each tensor once.",
        ),
        Mistake(
            lambda m: len([p for p in m.parameters() if p.requires_grad]),
            "You count tensors: add up p.numel(), the number of values in each.",
        ),
        Mistake(
            lambda m: sum(
                len(p) for p in m.parameters() if p.requires_grad and p.dim()
            ),
            "You add up the first sizes only: p.numel() is the product of all sizes.",
        ),
        Mistake(
            lambda m: sum(
                p.numel() for p in m.parameters(recurse=False) if p.requires_grad
            ),
            "You count the module's own parameters only: leave out recurse=False, so "
            "that submodules count.",
        ),
        Mistake(
            lambda m: sum(
                p.numel()
                for n, p in m.named_parameters()
                if n.endswith("weight") and p.requires_grad
            ),
            "You count what is called weight: biases and parameters of other names "
            "are learned too.",
        ),
        Mistake(
            lambda m: sum(
                {p.shape: p.numel() for p in m.parameters() if p.requires_grad}.values()
            ),
            "You take two tensors of the same shape for one: whether a tensor is "
            "shared, id(p) tells, and module.parameters() minds it for you.",
        ),
        Mistake(
            lambda m: sum(p.numel() for p in m.parameters() if p.grad is not None),
            "You count parameters that have a gradient by now: before the first "
            "backward pass none has. Ask p.requires_grad.",
        ),
    ),
)

EXERCISES = (SCALE, MLP, COUNT)
