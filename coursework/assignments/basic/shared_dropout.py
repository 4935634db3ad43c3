"""Dropout whose decisions are shared along chosen axes."""

from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from layers_book.coursework import Mistake, Question, custom_run

# p, shared, shape of x
SETTINGS = (
    (0.5, (), (10, 8, 5)),
    (0.3, (2, 3), (8, 40, 2, 2)),
    (0.8, (-2,), (10, 3, 40)),
    (0.25, (0, -1), (2, 300, 3)),
    (0.1, (1, 2, 3), (400, 2, 1, 2)),
)
STANDARD_ERRORS = 6


def dropping(answer, p, shared, x, short):
    """Call the layer in both modes, and differentiate it."""
    yield "configuration", f"p={p}, shared={shared}, x {tuple(x.shape)}"
    layer = answer(p, shared) if shared else answer(p)
    layer.train()
    leaf = x.clone().requires_grad_()
    copy = leaf.clone()
    y = layer(copy)
    yield "the values in training mode", {"p": p, "x": x, "y": y}
    yield "the values in training mode: the inputs after the call", copy
    yield "the share that is deleted", {"p": p, "shared": shared, "y": y}
    yield "what shares a decision", {"p": p, "shared": shared, "y": y}
    slope = torch.zeros_like(x)
    if y.requires_grad:
        slope = torch.autograd.grad(y.sum(), leaf)[0]
    yield "the gradient", {"x": x, "y": y, "slope": slope}
    calls = torch.stack([layer(short.clone()) for _ in range(8)])
    yield "the two modes: eight calls", {"shared": shared, "calls": calls}
    layer.eval()
    yield "the two modes: eval mode", [layer(x.clone()) for _ in range(2)]
    layer.train()
    yield "the two modes: training again", layer(x.clone())


def edges(answer, x, shared, ends):
    """The two ends of the range of p."""
    yield "configuration", f"p=0 and p=1, shared={shared}, x {tuple(x.shape)}"
    for p in ends:
        layer = answer(p, shared)
        leaf = x.clone().requires_grad_()
        y = layer(leaf)
        yield f"p = 0 and p = 1: the output at {p}", y
        slope = torch.zeros_like(x)
        if y.requires_grad:
            slope = torch.autograd.grad(y.sum(), leaf)[0]
        yield f"p = 0 and p = 1: the gradient at {p}", slope
        yield f"p = 0 and p = 1: eval mode at {p}", layer.eval()(x.clone())


def _inputs(generator: Generator) -> dict[str, Any]:
    index = generator.initial_seed()
    p, shared, shape = SETTINGS[index]
    x = torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5
    x *= torch.randint(0, 2, shape, generator=generator) * 2 - 1
    if index == 1:
        x = x.float()
    if index == 2:
        x = x.mT.contiguous().mT
    short = x[:, :40] if index == 3 else x[: (3, 3, 3, 0, 60)[index]]
    return {"p": p, "shared": shared, "x": x, "short": short}


def _edge(generator: Generator) -> dict[str, Any]:
    index = generator.initial_seed()
    x = torch.randn(3, 4, 5, generator=generator, dtype=torch.float64)
    return {"x": x, "shared": ((), (-1,))[index], "ends": ((0.0, 1), (0, 1.0))[index]}


def _reference(variant: dict[str, Any]) -> Any:
    class SharedDropout(nn.Module):
        """torch's own dropout on a grid of ones, stretched by multiplication."""

        def __init__(self, p: float, shared: tuple[int, ...] = ()) -> None:
            super().__init__()
            self.p, self.shared = p, shared

        def forward(self, x: Tensor) -> Tensor:
            ones = torch.ones_like(x)
            for axis in self.shared:
                ones = ones.narrow(axis, 0, 1)
            return x * F.dropout(ones, self.p, self.training)

    return SharedDropout


def _values(expected: Any, got: Any) -> bool:
    """Each value is 0 or x / (1 - p); both occur."""
    x, y, p = expected["x"], got["y"], expected["p"]
    if (y.shape, y.dtype) != (x.shape, x.dtype):
        return False
    kept = y != 0
    close = torch.isclose(y, x / (1 - p), rtol=1e-5, atol=0.0)
    return bool(kept.any() and not kept.all() and (close | ~kept).all())


def _decisions(expected: Any, y: Tensor) -> Tensor:
    """The first decision along each shared axis, as numbers 0 and 1."""
    kept = (y != 0).double()
    for axis in expected["shared"]:
        kept = kept.narrow(axis, 0, 1)
    return kept


def _share(expected: Any, got: Any) -> bool:
    """As many are kept as chance allows."""
    kept = _decisions(expected, got["y"])
    p = expected["p"]
    error = (p * (1 - p) / kept.numel()) ** 0.5
    return abs(kept.mean().item() - (1 - p)) < STANDARD_ERRORS * error


def _sharing(expected: Any, got: Any) -> bool:
    """Equal along the shared axes; along others neighbors agree as chance has it."""
    y, p = got["y"], expected["p"]
    if y.shape != expected["y"].shape:
        return False
    kept = _decisions(expected, y)
    if not torch.equal((y != 0).double(), kept.expand_as(y)):
        return False
    chance = p**2 + (1 - p) ** 2
    for axis, size in enumerate(kept.shape):
        if size == 1:
            continue
        for step in (1, 2, 3):
            if step >= size:
                continue
            one = kept.narrow(axis, 0, size - step)
            same = (one == kept.narrow(axis, step, size - step)).double()
            error = (chance * (1 - chance) / same.numel()) ** 0.5
            if abs(same.mean().item() - chance) > STANDARD_ERRORS * error:
                return False
    return True


def _gradient(expected: Any, got: Any) -> bool:
    """The derivative of what came out, whatever was drawn."""
    x, y, slope = expected["x"], got["y"], got["slope"]
    if (slope.shape, slope.dtype) != (x.shape, x.dtype) or y.shape != x.shape:
        return False
    return bool((y != 0).any()) and torch.allclose(slope, y / x, rtol=1e-5, atol=1e-12)


def _calls(expected: Any, got: Any) -> bool:
    """Each call decides anew, and does not delete the same number each time."""
    calls = got["calls"]
    if calls.shape != expected["calls"].shape:
        return False
    kept = torch.stack([_decisions(expected, y) for y in calls]).flatten(1)
    numbers = set(kept.sum(1).tolist())
    return len(kept.unique(dim=0)) > 4 and len(numbers) > 1


def _again(expected: Any, got: Any) -> bool:
    """Something is deleted again."""
    return got.shape == expected.shape and bool((got == 0).any())


VALUES, SHARE, SHARING = (
    "the values in training mode",
    "the share that is deleted",
    "what shares a decision",
)
MODES, GRADIENT, EDGES = "the two modes", "the gradient", "p = 0 and p = 1"

QUESTION = Question(
    name="shared_dropout",
    title="Dropout that shares its decisions",
    answer="SharedDropout",
    reference=_reference,
    run=(
        custom_run(dropping, _inputs, configurations=len(SETTINGS)),
        custom_run(edges, _edge, configurations=2),
    ),
    parts={VALUES: 1, SHARE: 1, SHARING: 2, MODES: 1, GRADIENT: 1, EDGES: 1},
    forbid=("dropout",),
    judge={
        VALUES: _values,
        f"{VALUES}: the inputs after the call": torch.equal,
        SHARE: _share,
        SHARING: _sharing,
        GRADIENT: _gradient,
        f"{MODES}: eight calls": _calls,
        f"{MODES}: training again": _again,
    },
    mistakes=(
        Mistake(
            name="not scaled",
            hint="The mean falls: divide what is kept by the probability of being "
            "kept.",
            edits=((" / (1 - self.p)", ""),),
            loses=(VALUES,),
        ),
        Mistake(
            name="scaled by 1 - p",
            hint="You multiply by the probability of being kept; to keep the mean, "
            "divide by it.",
            edits=(("/ (1 - self.p)", "* (1 - self.p)"),),
            loses=(VALUES,),
        ),
        Mistake(
            name="p is the share that is kept",
            hint="p is the probability of being deleted, as in torch.",
            edits=((">= self.p", "< self.p"), ("/ (1 - self.p)", "/ self.p")),
            loses=(VALUES, SHARE),
        ),
        Mistake(
            name="comparison turned around",
            hint="You keep with probability p, and scale as if it were 1 - p.",
            edits=((">= self.p", "< self.p"),),
            loses=(SHARE,),
        ),
        Mistake(
            name="independent along the shared axes",
            hint="The axes in shared are those along which one decision holds; yours "
            "are the axes with decisions of their own.",
            edits=(
                (
                    "for axis in self.shared:",
                    "given = [axis % x.dim() for axis in self.shared]\n"
                    "        for axis in set(range(x.dim())) - set(given):",
                ),
            ),
            loses=(SHARING,),
        ),
        Mistake(
            name="negative axes ignored",
            hint="Axes may be negative: -1 is the last one.",
            edits=(
                (
                    "for axis in self.shared:",
                    "for axis in (a for a in self.shared if a >= 0):",
                ),
            ),
            loses=(SHARING,),
        ),
        Mistake(
            name="nothing shared",
            hint="You decide for each element; along the axes in shared one decision "
            "holds. An axis of size 1 repeats when you multiply.",
            edits=(("shape[axis] = 1", "pass"),),
            loses=(SHARING,),
        ),
        Mistake(
            name="one decision a sample",
            hint="All axes after the first share a decision in your layer, whatever "
            "shared says.",
            edits=(("for axis in self.shared:", "for axis in range(1, x.dim()):"),),
            loses=(SHARING,),
        ),
        Mistake(
            name="on in eval mode",
            hint="In eval mode the layer returns its input: look at self.training.",
            edits=(("if not self.training:", "if False:"),),
            loses=(MODES,),
        ),
        Mistake(
            name="rescales in eval mode",
            hint="You multiply in eval mode; scaling belongs to training, and eval "
            "mode leaves the input alone.",
            edits=(
                (
                    "            return x\n",
                    "            return x * (1 - self.p)\n",
                ),
            ),
            loses=(MODES,),
        ),
        Mistake(
            name="one mask for ever",
            hint="You draw once and keep the mask. Each call decides anew.",
            edits=(
                (
                    "keep = torch.rand(shape) >= self.p",
                    'keep = getattr(self, "keep", None)\n'
                    "        if keep is None or list(keep.shape) != shape:\n"
                    "            keep = self.keep = torch.rand(shape) >= self.p",
                ),
            ),
            loses=(MODES,),
        ),
        Mistake(
            name="exactly p of them",
            hint="You delete a fixed number of elements. Decisions are independent, "
            "so the number varies from call to call.",
            edits=(
                (
                    "torch.rand(shape) >= self.p",
                    "torch.rand(shape)\n"
                    "        ranks = keep.flatten().argsort().argsort().view(shape)\n"
                    "        keep = ranks >= round(self.p * keep.numel())",
                ),
            ),
            loses=(MODES,),
        ),
        Mistake(
            name="NaN at p = 1",
            hint="At p = 1 nothing is kept, and you compute 0 / 0: give this case a "
            "line of its own.",
            edits=(("if self.p == 1:", "if False:"),),
            loses=(EDGES,),
        ),
        Mistake(
            name="detached",
            hint="The values are right, and no gradient reaches x.",
            edits=(("return x * keep", "return x.detach() * keep"),),
            loses=(GRADIENT,),
        ),
        Mistake(
            name="always float64",
            hint="Your mask turns the result into float64; keep the data type of x.",
            edits=(("return x * keep", "return x * keep.double()"),),
            loses=(VALUES,),
        ),
        Mistake(
            name="torch's own",
            hint="Draw the mask yourself, with torch.rand or torch.bernoulli.",
            edits=(("return x * keep / (1 - self.p)", "return F.dropout(x, self.p)"),),
            loses=(VALUES,),
        ),
    ),
)
