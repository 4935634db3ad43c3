"""Freeze parameters by name, shared tensors included."""

from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Generator, nn

from layers_book.coursework import Mistake, Question, custom_run

# kind of model, pattern, names that are frozen before the call
SETTINGS = (
    ("stack", "*.bias", ()),
    ("stack", "[01].weight", ("2.0.weight", "2.1.bias")),
    ("norm", "scal?", ("head.weight", "body.0.bias")),
    ("tied", "scores.*", ("body.weight",)),
    ("tied", "table.*", ()),
    ("tied", "*.weight", ("body.bias",)),
    ("tied", "body.*", ("table.weight",)),
    ("twice", "2.*", ("3.bias",)),
)


def freezing(answer, kind, pattern, before):
    """Build a model, call the answer, and tell which parameters learn."""
    torch.manual_seed(0)
    if kind == "stack":
        inner = nn.Sequential(nn.Linear(4, 5, bias=False), nn.Linear(5, 2))
        model = nn.Sequential(nn.Linear(3, 4), nn.PReLU(4), inner)
    elif kind == "norm":
        model = nn.Module()
        model.scale = nn.Parameter(torch.ones(6))
        model.scales = nn.Parameter(torch.ones(2))
        model.body = nn.Sequential(nn.Linear(2, 6), nn.BatchNorm1d(6))
        model.head = nn.Linear(6, 1)
    elif kind == "tied":
        model = nn.Module()
        model.table, model.body = nn.Embedding(7, 4), nn.Linear(4, 4)
        model.scores = nn.Linear(4, 7, bias=False)
        model.scores.weight = model.table.weight
    else:
        layer = nn.Linear(3, 3)
        model = nn.Sequential(layer, nn.ReLU(), layer, nn.Linear(3, 2))
    old = dict(model.named_parameters(remove_duplicate=False))
    for name, parameter in old.items():
        parameter.requires_grad_(name not in before)
    yield "configuration", f"pattern {pattern!r}, names {', '.join(old)}"
    returned = answer(model, pattern)
    now = dict(model.named_parameters(remove_duplicate=False))
    shared = ", a shared tensor" if kind in ("tied", "twice") else ""
    yield (
        f"which parameters learn{shared}",
        {name: (p.requires_grad, p is old.get(name)) for name, p in now.items()},
    )
    yield f"which parameters learn{shared}: the values", dict(model.state_dict())
    yield "the number that is returned", returned, 1e-9


def _settings(generator: Generator) -> dict[str, Any]:
    kind, pattern, before = SETTINGS[generator.initial_seed()]
    return {"kind": kind, "pattern": pattern, "before": before}


def _reference(variant: dict[str, Any]) -> Any:
    """Goes through the modules, and lets no name of a tensor undo another."""

    def freeze(module: nn.Module, pattern: str) -> int:
        names: dict[nn.Parameter, list[str]] = {}
        for prefix, part in module.named_modules(remove_duplicate=False):
            for name, parameter in part.named_parameters(prefix, recurse=False):
                names.setdefault(parameter, []).append(name)
        for parameter, known in names.items():
            matches = any(fnmatchcase(name, pattern) for name in known)
            parameter.requires_grad = not matches
        return sum(p.numel() for p in names if p.requires_grad)

    return freeze


QUESTION = Question(
    name="freeze",
    title="Freeze by name",
    answer="freeze",
    reference=_reference,
    run=custom_run(freezing, _settings, configurations=len(SETTINGS)),
    parts={
        "which parameters learn": 2,
        "which parameters learn, a shared tensor": 1,
        "the number that is returned": 1,
    },
    mistakes=(
        Mistake(
            name="one name of each tensor",
            hint="named_parameters() lists a shared tensor under its first name "
            "only; look at its options.",
            edits=(("remove_duplicate=False", ""),),
            loses=("which parameters learn, a shared tensor",),
        ),
        Mistake(
            name="the last name decides",
            hint="A tensor with two names is visited twice, and your second visit "
            "undoes the first: it is frozen if any of its names matches.",
            answer="""
def freeze(module, pattern):
    for name, parameter in module.named_parameters(remove_duplicate=False):
        parameter.requires_grad_(not fnmatchcase(name, pattern))
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
""",
            loses=("which parameters learn, a shared tensor",),
        ),
        Mistake(
            name="never unfreezes",
            hint="You only freeze. What was frozen before and does not match must "
            "learn again.",
            edits=(
                (
                    "parameter.requires_grad_(id(parameter) not in frozen)",
                    "parameter.requires_grad &= id(parameter) not in frozen",
                ),
            ),
            loses=("which parameters learn",),
        ),
        Mistake(
            name="the other way round",
            hint="You freeze what does not match, and let learn what matches.",
            edits=((" not in frozen", " in frozen"),),
            loses=("which parameters learn", "the number that is returned"),
        ),
        Mistake(
            name="counts the frozen ones",
            hint="You return how many numbers are frozen; asked is how many still "
            "learn.",
            edits=(("* parameter.requires_grad", "* (not parameter.requires_grad)"),),
            loses=("the number that is returned",),
        ),
        Mistake(
            name="counts all",
            hint="You count frozen numbers too.",
            edits=((" * parameter.requires_grad", ""),),
            loses=("the number that is returned",),
        ),
        Mistake(
            name="counts tensors",
            hint="You count the tensors that learn; each holds many numbers.",
            edits=(("parameter.numel() * parameter", "parameter"),),
            loses=("the number that is returned",),
        ),
        Mistake(
            name="counts a shared tensor twice",
            hint="You count a shared tensor once for each of its names.",
            edits=(
                (
                    "return learned",
                    "again = module.named_parameters(remove_duplicate=False)\n"
                    "    return sum(p.numel() for _, p in again if p.requires_grad)",
                ),
            ),
            loses=("the number that is returned",),
        ),
        Mistake(
            name="pattern as a part of the name",
            hint="You look for the pattern as a piece of the name. fnmatchcase "
            "compares the whole name, and knows *, ? and [01].",
            edits=(
                (
                    "fnmatchcase(name, pattern)",
                    'pattern.replace("*", "") in name',
                ),
            ),
            loses=("which parameters learn",),
        ),
        Mistake(
            name="the last part of the name",
            hint="You match the last part of the name, such as weight; the pattern "
            "is for the whole dotted name.",
            edits=(
                (
                    "fnmatchcase(name, pattern)",
                    'fnmatchcase(name.split(".")[-1], pattern.split(".")[-1])',
                ),
            ),
            loses=("which parameters learn",),
        ),
        Mistake(
            name="copies of the parameters",
            hint="You put new parameters in the place of the old ones: an optimizer "
            "that holds the old ones trains nothing. Change requires_grad of those "
            "there are.",
            answer="""
def freeze(module, pattern):
    for prefix, part in module.named_modules():
        for name, p in list(part.named_parameters(prefix, recurse=False)):
            learns = not fnmatchcase(name, pattern)
            setattr(part, name.split(".")[-1], nn.Parameter(p.data, learns))
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
""",
            loses=("which parameters learn",),
        ),
    ),
)
