"""Attention backward by hand, with a mask and shared keys."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from layers_book.coursework import Mistake, Question, custom_run, signed

# N, key heads, query heads that share one, L, S, d, d_v
SHAPES = (
    (2, 3, 1, 4, 5, 2, 6),
    (3, 2, 1, 5, 5, 4, 3),
    (2, 3, 2, 4, 6, 5, 3),
    (1, 2, 3, 6, 4, 3, 5),
    (2, 3, 1, 5, 4, 3, 6),
)
WORDS = ("", "", "shared keys: ", "shared keys: ", "no key: ")


def case(generator: torch.Generator) -> dict[str, Any]:
    """No two axes of one size that could be taken for each other."""
    index = generator.initial_seed()
    n, groups, share, queries, keys, d, d_v = SHAPES[index]
    heads = groups * share
    grad, q = (signed(generator, n, heads, queries, size) for size in (d_v, d))
    k, v = (signed(generator, n, groups, keys, size) for size in (d, d_v))
    if index == 1:
        q, k = q.mT.contiguous().mT, k.transpose(0, 1).contiguous().transpose(0, 1)
    seen = torch.rand(n, queries, keys, generator=generator) < 0.6
    seen[..., 0] = True
    if index == 4:
        seen[0, 1], seen[1, 3] = False, False
    return {"words": WORDS[index], "args": [grad, q, k, v, seen]}


def drive(answer, words, args):
    class NoAutograd(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            value = func(*args, **(kwargs or {}))
            if isinstance(value, torch.Tensor) and (
                value.requires_grad or torch._C._functorch.is_gradtrackingtensor(value)
            ):
                raise Refused("Autograd is out of use here.")  # noqa: F821
            return value

    names = "grad", "q", "k", "v", "seen"
    shapes = (f"{n} {tuple(t.shape)}" for n, t in zip(names, args, strict=True))
    yield "configuration", ", ".join(shapes)
    given = [t.clone() for t in args]
    with torch.inference_mode(), NoAutograd():
        value = call(answer, *given)  # noqa: F821
    for name, gradient in zip("qkv", value, strict=True):
        yield f"{words}the gradient with respect to {name}", gradient.clone()
    yield f"{words}the gradient with respect to q: arguments after the call", given


def reference(variant: dict[str, Any]) -> Any:
    """Autograd through torch's attention; a query without keys sends nothing."""

    def attend_backward(
        grad: Tensor, q: Tensor, k: Tensor, v: Tensor, seen: Tensor
    ) -> tuple[Tensor, ...]:
        with torch.inference_mode(False), torch._C.DisableTorchFunction():
            leaves = [t.clone().requires_grad_() for t in (q, k, v)]
            seen = seen.clone()[:, None]  # (N, 1, L, S)
            empty = ~seen.any(-1, keepdim=True)
            share = q.shape[1] // k.shape[1]
            keys, values = (t.repeat_interleave(share, 1) for t in leaves[1:])
            y = F.scaled_dot_product_attention(leaves[0], keys, values, seen | empty)
            return torch.autograd.grad(y, leaves, grad.clone().masked_fill(empty, 0))

    return attend_backward


Q, K, V = (f"the gradient with respect to {name}" for name in "qkv")
SHARED, EMPTY = "shared keys", "no key"
D_S = "p * (d_p - (p * d_p).sum(-1, keepdim=True)) * scale"
QUESTION = Question(
    name="attend_backward",
    title="Attention, backward",
    answer="attend_backward",
    reference=reference,
    run=custom_run(drive, case, configurations=len(SHAPES)),
    parts={Q: 1.5, K: 1, V: 1, SHARED: 2, EMPTY: 0.5},
    forbid=("scaled_dot_product", "multi_head"),
    mistakes=(
        Mistake(
            name="softmax without its sum",
            hint="A weight also depends on all other scores of its query: the "
            "weighted mean is taken off.",
            edits=((D_S, "p * d_p * scale"),),
            loses=(Q, K),
        ),
        Mistake(
            name="sigmoid's slope",
            hint="p (1 - p) is the slope with respect to the own score only; the "
            "other scores count, too.",
            edits=((D_S, "p * (1 - p) * d_p * scale"),),
            loses=(Q, K),
        ),
        Mistake(
            name="plain mean taken off",
            hint="What is taken off is a mean with the attention's weights.",
            edits=(("(p * d_p).sum(-1, keepdim=True)", "d_p.mean(-1, keepdim=True)"),),
            loses=(Q, K),
        ),
        Mistake(
            name="sum over the queries",
            hint="The softmax runs over the keys of one query, and so does its sum.",
            edits=(
                (
                    "(p * d_p).sum(-1, keepdim=True)",
                    "(p * d_p).sum(-2, keepdim=True)",
                ),
            ),
            loses=(Q, K),
        ),
        Mistake(
            name="division lost on the way back",
            hint="The scores were divided by the root of d: so are their gradients.",
            edits=(("keepdim=True)) * scale", "keepdim=True))"),),
            loses=(Q, K),
        ),
        Mistake(
            name="division by the root of d_v",
            hint="The scores are divided by the root of the size of a key.",
            edits=(("q.shape[-1] ** -0.5", "v.shape[-1] ** -0.5"),),
            loses=(Q, K, V),
        ),
        Mistake(
            name="scores not divided",
            hint="The scores are divided by the root of d before the softmax.",
            edits=(("(q @ k.mT * scale)", "(q @ k.mT)"),),
            loses=(Q, K, V),
        ),
        Mistake(
            name="mask forgotten",
            hint="A key that is not seen has the weight 0.",
            edits=((".masked_fill(~seen, -torch.inf)", ""),),
            loses=(Q, K, V),
        ),
        Mistake(
            name="mask the other way round",
            hint="True says that a query sees a key.",
            edits=(("masked_fill(~seen", "masked_fill(seen"),),
            loses=(Q, K, V),
        ),
        Mistake(
            name="masked after the softmax",
            hint="A hidden key has no part in the sum of the softmax.",
            edits=(
                (".masked_fill(~seen, -torch.inf)", ""),
                ("nan_to_num(0.0)", "masked_fill(~seen, 0.0)"),
            ),
            loses=(Q, K, V),
        ),
        Mistake(
            name="softmax over the queries",
            hint="The weights of one query, over its keys, add up to 1.",
            edits=((".softmax(-1)", ".softmax(-2)"),),
            loses=(Q, K, V),
        ),
        Mistake(
            name="keys from the output's gradient",
            hint="A key's gradient comes from the scores' gradients and the queries.",
            edits=(("d_k = (d_s.mT @ q).sum(2)", "d_k = (p.mT @ q).sum(2)"),),
            loses=(K,),
        ),
        Mistake(
            name="queries from the weights",
            hint="A query's gradient comes from the scores' gradients, not from the "
            "weights.",
            edits=(("d_q = (d_s @ k)", "d_q = (p @ k)"),),
            loses=(Q,),
        ),
        Mistake(
            name="values from the scores' gradient",
            hint="A value's gradient is the sum of its queries' gradients, by its "
            "weights.",
            edits=(
                ("(p.mT @ grad).sum(2)", "(d_s.mT @ grad).sum(2)"),
                (
                    "    d_v =",
                    "    d_p = grad @ v.mT\n    d_s = " + D_S + "\n    d_v =",
                ),
            ),
            loses=(V,),
        ),
        Mistake(
            name="mean over the group",
            hint="All query heads that share a key add to its gradient: sum.",
            edits=(
                ("(d_s.mT @ q).sum(2)", "(d_s.mT @ q).mean(2)"),
                ("(p.mT @ grad).sum(2)", "(p.mT @ grad).mean(2)"),
            ),
            loses=(SHARED,),
        ),
        Mistake(
            name="first of the group only",
            hint="All query heads that share a key add to its gradient.",
            edits=(
                ("(d_s.mT @ q).sum(2)", "(d_s.mT @ q)[:, :, 0]"),
                ("(p.mT @ grad).sum(2)", "(p.mT @ grad)[:, :, 0]"),
            ),
            loses=(SHARED,),
        ),
        Mistake(
            name="heads dealt out in turn",
            hint="Query heads that stand side by side share a key: the first ones the "
            "first.",
            edits=(
                (
                    "(t.unflatten(1, (groups, -1)) for t in (q, grad))",
                    "(t.unflatten(1, (-1, groups)).transpose(1, 2) for t in (q, grad))",
                ),
                ("(d_s @ k).flatten(1, 2)", "(d_s @ k).transpose(1, 2).flatten(1, 2)"),
            ),
            loses=(SHARED,),
        ),
        Mistake(
            name="NaN where nothing is seen",
            hint="The softmax of a row of minus infinity is NaN: such a query sends "
            "nothing back.",
            edits=((".nan_to_num(0.0)", ""),),
            loses=(EMPTY,),
        ),
        Mistake(
            name="mean where nothing is seen",
            hint="A query that sees nothing gets nothing, and sends nothing back.",
            edits=(("-torch.inf", "-1e9"),),
            loses=(EMPTY,),
        ),
    ),
)
