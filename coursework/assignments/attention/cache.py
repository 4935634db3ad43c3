"""A cache of fixed size: the first tokens and the last ones, turned anew."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from layers_book.coursework import Mistake, Question, custom_run, signed

# first, last, tokens, base, dtype
SETTINGS = (
    (2, 4, 6, 100.0, "float64"),
    (3, 2, 5, 30.0, "float64"),
    (2, 3, 10, 100.0, "float64"),
    (1, 4, 9, 30.0, "float64"),
    (0, 3, 7, 100.0, "float64"),
    (3, 1, 8, 50.0, "float32"),
)
WORDS = ("room left", "room left", "full", "full", "other cases", "other cases")


def case(generator: torch.Generator) -> dict[str, Any]:
    """Streams that fit, and streams that do not."""
    index = generator.initial_seed()
    first, last, count, base, dtype = SETTINGS[index]
    n, heads = ((2, 3), (3, 1), (1, 2), (2, 3), (3, 2), (2, 1))[index]
    d, d_v = ((4, 4), (6, 3), (4, 5), (6, 6), (2, 3), (4, 4))[index]
    q, k, v = (
        signed(generator, count, n, heads, size).to(getattr(torch, dtype))
        for size in (d, d, d_v)
    )
    return {
        "words": WORDS[index],
        "sizes": [first, last, base],
        "q": q,
        "k": k,
        "v": v,
    }


def drive(answer, words, sizes, q, k, v):
    yield (
        "configuration",
        f"Cache{tuple(sizes)}, {len(q)} tokens, q {tuple(q[0].shape)} {q.dtype}",
    )
    if not isinstance(answer, type):
        raise Refused("A class is expected.")  # noqa: F821
    cache, other = call(answer, *sizes), call(answer, *sizes)  # noqa: F821
    room = sizes[0] + sizes[1]
    outputs, seconds = [], []
    for token in zip(q, k, v, strict=True):
        sent = [t.clone() for t in token]
        outputs.append(call(cache.step, *sent))  # noqa: F821
        seconds.append(call(other.step, *(-2 * t for t in token)))  # noqa: F821
        outputs[-1] = outputs[-1].clone()
        for t in sent:
            t.zero_()  # a caller may fill the same tensors anew
    yield f"{words}: the first token", outputs[0]
    yield f"{words}: the second token", outputs[1]
    yield f"{words}: all others", outputs[2:]
    if words == "other cases":
        yield f"{words}: a second cache", seconds
    held, seen, numbers = [cache], set(), 0
    while held:
        value = held.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, torch.Tensor):
            numbers += value.numel()
        elif isinstance(value, dict):
            held += value.values()
        elif isinstance(value, (list, tuple)) or type(value).__name__ == "deque":
            held += value
        elif hasattr(value, "__dict__"):
            held += vars(value).values()
    room *= k[0].numel() + v[0].numel()
    yield "memory: more than first + last tokens hold", numbers > room + 64
    later = call(cache.step, q[0], k[0], v[0])  # noqa: F821
    differs = (later - v[0]).abs().amax().item() > 1e-6
    yield "memory: a token later sees more than itself", differs


def reference(variant: dict[str, Any]) -> Any:
    """The whole stream is known; torch's attention on complex turns of what counts."""

    def turned(x: Tensor, base: float) -> Tensor:  # (N, heads, S, d)
        steps, d = x.shape[-2:]
        speed = torch.tensor([base ** (-2 * i / d) for i in range(d // 2)])
        angle = torch.outer(torch.arange(steps).double(), speed.double())
        hand = torch.polar(torch.ones_like(angle), angle)
        pairs = torch.view_as_complex(x.double().unflatten(-1, (-1, 2)).contiguous())
        return torch.view_as_real(pairs * hand).flatten(-2).to(x.dtype)

    class Cache:
        def __init__(self, first: int, last: int, base: float = 100.0) -> None:
            self.first, self.last, self.base = first, last, base
            self.tokens: list[tuple[Tensor, Tensor]] = []

        def step(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            self.tokens.append((k.clone(), v.clone()))
            recent = self.tokens[self.first :][-self.last :]
            self.tokens = self.tokens[: self.first] + recent
            keys, values = (torch.stack(t, 2) for t in zip(*self.tokens, strict=True))
            queries = q[:, :, None].expand_as(keys)
            queries = turned(queries, self.base)[:, :, -1:]
            keys = turned(keys, self.base)
            return F.scaled_dot_product_attention(queries, keys, values)[:, :, 0]

    return Cache


ROOM, FULL, MEMORY, OTHER = "room left", "full", "memory", "other cases"
KEEP = "torch.cat([t[:, :, : self.first], t[:, :, self.first + 1 :]], 2)"
QUESTION = Question(
    name="cache",
    title="A cache that never grows",
    answer="Cache",
    reference=reference,
    run=custom_run(drive, case, configurations=len(SETTINGS)),
    parts={ROOM: 1.5, FULL: 2.5, MEMORY: 1, OTHER: 1},
    forbid=("scaled_dot_product", "multi_head"),
    mistakes=(
        Mistake(
            name="not turned",
            hint="Queries and keys are turned by their places.",
            edits=(
                ("self.turned(k, place)", "k"),
                ("self.turned(q, place[-1:])", "q"),
            ),
            loses=(ROOM, FULL),
        ),
        Mistake(
            name="query not turned",
            hint="The query is turned as well, by the place of its own key.",
            edits=(("self.turned(q, place[-1:])", "q"),),
            loses=(ROOM, FULL),
        ),
        Mistake(
            name="keys not turned",
            hint="Each key is turned by its place in the cache.",
            edits=(("self.turned(k, place)", "k"),),
            loses=(ROOM, FULL),
        ),
        Mistake(
            name="values turned",
            hint="Only queries and keys are turned, not the values.",
            edits=(
                (
                    "@ v)",
                    "@ self.turned(F.pad(v, (0, v.shape[-1] % 2)), place)"
                    "[..., : v.shape[-1]])",
                ),
            ),
            loses=(ROOM, FULL),
        ),
        Mistake(
            name="query turned one place too far",
            hint="The query has the place of its own key.",
            edits=(("place[-1:])", "place[-1:] + 1)"),),
            loses=(ROOM, FULL),
        ),
        Mistake(
            name="halves paired",
            hint="Neighbors make a pair: features 0 and 1, 2 and 3, and so on.",
            edits=(
                ("x[..., ::2], x[..., 1::2]", "x.chunk(2, -1)"),
                (
                    "torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)",
                    "torch.cat([a * c - b * s, a * s + b * c], -1)",
                ),
            ),
            loses=(ROOM, FULL),
        ),
        Mistake(
            name="one speed for all pairs",
            hint="Pair i turns by base to the power of -2 i / d a place.",
            edits=(
                (
                    "self.base ** (-torch.arange(0, d, 2, dtype=x.dtype) / d)",
                    "torch.ones(d // 2, dtype=x.dtype)",
                ),
            ),
            loses=(ROOM, FULL),
        ),
        Mistake(
            name="speeds for d / 2",
            hint="The exponent is -2 i / d for pair i.",
            edits=(("torch.arange(0, d, 2, ", "torch.arange(d // 2, "),),
            loses=(ROOM, FULL),
        ),
        Mistake(
            name="base fixed",
            hint="The base is an argument.",
            edits=(("self.base ** (", "100.0 ** ("),),
            loses=(ROOM, FULL),
        ),
        Mistake(
            name="not divided",
            hint="Your scores miss a division, by the root of the size of a key.",
            edits=((" / q.shape[-1] ** 0.5", ""),),
            loses=(ROOM, FULL),
        ),
        Mistake(
            name="keys turned once, before they are kept",
            hint="When a token goes, the places of those behind it change: keep keys "
            "as they came, and turn them at each step.",
            edits=(
                (
                    "q, k, v = (t[:, :, None] for t in (q, k, v))",
                    "q, k, v = (t[:, :, None] for t in (q, k, v))\n"
                    "        at = torch.tensor([0.0 if self.k is None else "
                    "min(self.k.shape[2], self.first + self.last - 1)])\n"
                    "        k = self.turned(k, at.to(q.dtype))",
                ),
                ("self.turned(k, place)", "k"),
            ),
            loses=(FULL,),
        ),
        Mistake(
            name="places of the stream",
            hint="The place counts in the cache: the newest of c tokens has c - 1, "
            "however many went before.",
            edits=(
                (
                    "self.k = self.v = None",
                    "self.k = self.v = None\n        self.gone = 0",
                ),
                (
                    "if k.shape[2] > self.first + self.last:",
                    "if k.shape[2] > self.first + self.last:\n"
                    "            self.gone += 1",
                ),
                (
                    "dtype=q.dtype)\n",
                    "dtype=q.dtype)\n        place[self.first :] += self.gone\n",
                ),
            ),
            loses=(FULL,),
        ),
        Mistake(
            name="oldest dropped",
            hint="The first tokens of the stream stay: the oldest of the others goes.",
            edits=((KEEP, "t[:, :, 1:]"),),
            loses=(FULL,),
        ),
        Mistake(
            name="newest dropped",
            hint="The newest token takes its place at the end; the oldest behind the "
            "first ones goes.",
            edits=((KEEP, "torch.cat([t[:, :, :-2], t[:, :, -1:]], 2)"),),
            loses=(FULL,),
        ),
        Mistake(
            name="nothing dropped",
            hint="The cache holds first + last tokens at most.",
            edits=(("if k.shape[2] > self.first + self.last:", "if False:"),),
            loses=(FULL, MEMORY),
        ),
        Mistake(
            name="one too few",
            hint="The cache has room for first + last tokens, the newest included.",
            edits=(("k.shape[2] > self.first", "k.shape[2] >= self.first"),),
            loses=(ROOM, FULL),
        ),
        Mistake(
            name="one too many",
            hint="The newest token is one of the last ones: the oldest goes before "
            "it attends.",
            edits=(
                (
                    "if k.shape[2] > self.first + self.last:",
                    "if k.shape[2] > self.first + self.last + 1:",
                ),
            ),
            loses=(FULL, MEMORY),
        ),
        Mistake(
            name="values kept, keys dropped wrongly",
            hint="Keys and values go together.",
            edits=(("for t in (k, v)", "for t in (k, v.roll(-1, 2))"),),
            loses=(FULL,),
        ),
        Mistake(
            name="the caller's tensor kept",
            hint="The caller may write into the same tensors again: keep a copy.",
            edits=(("self.k, self.v = k.clone(), v.clone()", "self.k, self.v = k, v"),),
            loses=(ROOM, FULL),
        ),
        Mistake(
            name="one store for all caches",
            hint="Each cache has tokens of its own: an attribute of the class is "
            "shared by all.",
            edits=(
                (
                    "self.k = self.v = None",
                    "Cache.k = Cache.v = None",
                ),
                (
                    "self.k, self.v = k.clone(), v.clone()",
                    "Cache.k, Cache.v = k.clone(), v.clone()",
                ),
            ),
            loses=(ROOM, FULL, OTHER),
        ),
    ),
)
