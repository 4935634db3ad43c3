"""Stale statistics: fresh buffers for the BatchNorm layers of a trained network."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from layers_book.coursework import Mistake, Question, custom_run

SHAPES = ((3,), (1, 5, 5), (2, 4), (1, 3, 4, 3))  # of one sample


def case(generator: torch.Generator) -> dict[str, Any]:
    """Batches of different sizes, levels and spreads."""
    index = generator.initial_seed()
    batches = [
        torch.randn(n, *SHAPES[index], generator=generator, dtype=torch.float64) * n + n
        for n in (5, 3, 4, 6)
    ]
    return {"which": index, "batches": batches[:3], "more": batches[3]}


def drive(answer, which, batches, more):
    yield "configuration", ("vectors", "images", "signals", "volumes")[which]
    torch.manual_seed(which)
    net = (
        nn.Sequential(
            *(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 3)),
            *(nn.BatchNorm1d(3, momentum=0.3), nn.ReLU()),
        ),
        nn.Sequential(
            *(nn.Conv2d(1, 3, 2), nn.BatchNorm2d(3, momentum=0.2), nn.Dropout()),
            nn.Sequential(nn.Conv2d(3, 2, 2), nn.Sequential(nn.BatchNorm2d(2))),
        ),
        nn.Sequential(
            *(nn.BatchNorm1d(2), nn.InstanceNorm1d(2, track_running_stats=True)),
            *(nn.Conv1d(2, 3, 2), nn.BatchNorm1d(3, track_running_stats=False)),
            *(nn.Conv1d(3, 2, 2), nn.BatchNorm1d(2, momentum=0.5)),
        ),
        nn.Sequential(nn.Conv3d(1, 2, 2), nn.BatchNorm3d(2), nn.ReLU()),
    )[which].double()
    for parameter in net.parameters():
        nn.init.uniform_(parameter, 0.5, 1.5)
    net(more)  # statistics that will be stale
    if which == 1:
        net[:3].eval()
    if which == 3:
        net.eval()
    net[0].weight.grad = torch.ones_like(net[0].weight)
    kinds = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d
    norms = [m for m in net.modules() if isinstance(m, kinds) and m.track_running_stats]
    found = answer(net, iter(batches))
    first = [norms[0].running_mean.clone(), norms[0].running_var.clone()]
    yield "the first layer: its statistics", first
    yield (
        "the first layer: parameters",
        [(p, p.grad, p.requires_grad) for p in net.parameters()],
    )
    for i, norm in enumerate(norms[1:], 2):
        yield f"deeper layers: running_mean of number {i}", norm.running_mean
        yield f"deeper layers: running_var of number {i}", norm.running_var
    others = [
        (m.running_mean, m.running_var)
        for m in net.modules()
        if isinstance(m, nn.InstanceNorm1d)
    ]
    modes = [m.training for m in net.modules()]
    yield "modes and all else as before", [modes, others, found is net, first[0]]
    torch.manual_seed(0)
    y, momenta = net.train()(more), [m.momentum for m in norms]
    yield "training goes on", [y, norms[0].running_mean, norms[0].running_var, momenta]


def reference(variant: dict[str, Any]) -> Any:
    """Record what each BatchNorm receives, and average its statistics."""

    def recalibrate(net: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
        base = nn.modules.batchnorm._BatchNorm
        norms = [m for m in net.modules() if isinstance(m, base)]
        modes = [(m, m.training) for m in net.modules()]
        received: dict[nn.Module, list[Tensor]] = {norm: [] for norm in norms}

        def keep(norm: nn.Module, args: tuple[Tensor, ...]) -> None:
            received[norm].append(args[0].detach())

        handles = [norm.register_forward_pre_hook(keep) for norm in norms]
        net.eval()
        for norm in norms:
            norm.train()
        for batch in batches:
            net(batch)
        for handle in handles:
            handle.remove()
        for norm in norms:
            if norm.track_running_stats:
                rows = [x.transpose(0, 1).flatten(1) for x in received[norm]]
                norm.running_mean = torch.stack([r.mean(1) for r in rows]).mean(0)
                norm.running_var = torch.stack([r.var(1) for r in rows]).mean(0)
        for module, mode in modes:
            module.training = mode
        return net

    return recalibrate


FIRST, DEEPER = "the first layer", "deeper layers"
BEFORE, ON = "modes and all else as before", "training goes on"
KINDS = "kinds = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d"
QUESTION = Question(
    name="recalibrate",
    title="Stale statistics",
    answer="recalibrate",
    reference=reference,
    run=custom_run(drive, case, configurations=4),
    parts={FIRST: 1.5, DEEPER: 1.5, BEFORE: 1.5, ON: 1.5},
    mistakes=(
        Mistake(
            name="no reset",
            hint="The old statistics are still in the average: reset them before the "
            "first batch.",
            edits=(("        norm.reset_running_stats()\n", ""),),
            loses=(FIRST, DEEPER),
        ),
        Mistake(
            name="moving average",
            hint="With the old momentum the late batches count for more, and the "
            "start is still in it: which momentum gives the plain average?",
            edits=(("        norm.momentum = None\n", ""),),
            loses=(FIRST, DEEPER),
        ),
        Mistake(
            name="only the last batch",
            hint="With momentum 1 only the last batch is left: all count alike.",
            edits=(("norm.momentum = None", "norm.momentum = 1.0"),),
            loses=(FIRST, DEEPER),
        ),
        Mistake(
            name="only the first batch",
            hint="Every batch goes through the net.",
            edits=(("in batches:", "in [next(batches)]:"),),
            loses=(FIRST, DEEPER),
        ),
        Mistake(
            name="all batches as one",
            hint="Each batch goes through by itself, and each has the same weight.",
            edits=(("in batches:", "in [torch.cat(list(batches))]:"),),
            loses=(FIRST, DEEPER),
        ),
        Mistake(
            name="all in eval mode",
            hint="In eval mode a BatchNorm takes no notice of the batch.",
            edits=(("        norm.train()\n", ""),),
            loses=(FIRST, DEEPER),
        ),
        Mistake(
            name="Dropout at work",
            hint="Only the BatchNorm layers are in training mode; everything else "
            "stays in eval mode.",
            edits=(("    net.eval()\n", "    net.train()\n"),),
            loses=(DEEPER,),
        ),
        Mistake(
            name="net as it came",
            hint="Modules may come in any mode: put all but BatchNorm in eval mode "
            "first.",
            edits=(("    net.eval()\n", ""),),
            loses=(DEEPER,),
        ),
        Mistake(
            name="only direct children",
            hint="BatchNorm layers may be at any depth: net.modules() finds them all.",
            edits=(
                ("for module in net.modules() if", "for module in net.children() if"),
            ),
            loses=(DEEPER,),
        ),
        Mistake(
            name="BatchNorm2d only",
            hint="There are three of them: 1d, 2d and 3d.",
            edits=((KINDS, "kinds = nn.BatchNorm2d"),),
            loses=(FIRST, DEEPER),
        ),
        Mistake(
            name="BatchNorm3d forgotten",
            hint="There are three of them: 1d, 2d and 3d.",
            edits=((KINDS, "kinds = nn.BatchNorm1d, nn.BatchNorm2d"),),
            loses=(FIRST,),
        ),
        Mistake(
            name="InstanceNorm as well",
            hint="Other layers with running statistics are none of your business: "
            "name the classes you mean.",
            edits=((KINDS, "kinds = nn.modules.batchnorm._NormBase"),),
            loses=(BEFORE,),
        ),
        Mistake(
            name="left in eval mode",
            hint="Every module leaves in the mode in which it came.",
            edits=(("module.training = mode", "module.training = False"),),
            loses=(BEFORE,),
        ),
        Mistake(
            name="left in training mode",
            hint="Every module leaves in the mode in which it came.",
            edits=(("module.training = mode", "module.training = True"),),
            loses=(BEFORE,),
        ),
        Mistake(
            name="one mode for all",
            hint="The modes may be mixed, a frozen part in eval mode for instance: "
            "keep one for each module.",
            edits=(("module.training = mode", "module.training = modes[net]"),),
            loses=(BEFORE,),
        ),
        Mistake(
            name="momentum not put back",
            hint="Training goes on with the old momentum: put it back.",
            edits=(("norm.momentum = momentum", "pass"),),
            loses=(ON,),
        ),
        Mistake(
            name="one momentum for all",
            hint="The layers may differ in momentum: keep one for each.",
            edits=(("norm.momentum = momentum", "norm.momentum = momenta[0]"),),
            loses=(ON,),
        ),
        Mistake(
            name="momentum of the default",
            hint="A layer may have another momentum than the default: keep what it "
            "had.",
            edits=(("norm.momentum = momentum", "norm.momentum = 0.1"),),
            loses=(ON,),
        ),
        Mistake(
            name="frozen parameters",
            hint="Parameters and whether they are trained stay as they are: use "
            "no_grad for the passes.",
            edits=(("with torch.no_grad():", "if net.requires_grad_(False):"),),
            loses=(FIRST,),
        ),
        Mistake(
            name="gradients cleared",
            hint="The grad of the parameters stays as it was.",
            edits=(("    return net", "    net.zero_grad()\n    return net"),),
            loses=(FIRST,),
        ),
        Mistake(
            name="a copy",
            hint="net still has its old statistics: the fresh ones belong in its own "
            "layers, not in those of a copy.",
            edits=(
                (KINDS, "import copy\n\n    net = copy.deepcopy(net)\n    " + KINDS),
            ),
            loses=(FIRST, DEEPER),
        ),
        Mistake(
            name="no return",
            hint="Return net.",
            edits=(("    return net", "    return None"),),
            loses=(BEFORE,),
        ),
    ),
)
