"""Attention with a window: each query sees the last few real steps."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from layers_book.coursework import Mistake, Question, custom_run, distinct, signed

WORDS = ("", "", "", "large scores: ", "no key: ", "no key: ")
LENGTHS = ((6, 6), (6, 5), (7, 7, 7), (5, 4), (5, 1, 3), (4, 0))
WINDOWS = (2, 3, 10, 3, 2, 1)
STEPS = (6, 6, 7, 5, 6, 5)


def case(generator: torch.Generator) -> dict[str, Any]:
    """No two axes of one size, where lengths allow it."""
    index = generator.initial_seed()
    heads, d, d_v = distinct(generator, 3)
    lead = len(LENGTHS[index]), heads, STEPS[index]
    q, k, v = (signed(generator, *lead, size) for size in (d, d, d_v))
    if index == 1:
        q, k = (t.transpose(1, 2).contiguous().transpose(1, 2) for t in (q, k))
    if index == 3:
        q = q * 1e5
    return {
        "words": WORDS[index],
        "qkv": [q, k, v],
        "lengths": torch.tensor(LENGTHS[index]),
        "window": WINDOWS[index],
    }


def drive(answer, words, qkv, lengths, window):
    shape = tuple(qkv[0].shape)
    words_of = f"q {shape}, lengths {lengths.tolist()}, window={window}"
    yield "configuration", words_of
    leaves = [t.requires_grad_() for t in qkv]
    given = [t.detach().clone() for t in leaves]
    y = call(answer, *leaves, lengths, window)  # noqa: F821
    yield f"{words}the output", y
    yield f"{words}the output: inputs after the call", [leaves, given, lengths]
    found = gradients(y, leaves)  # noqa: F821
    for name, gradient in zip("qkv", found, strict=True):
        yield f"{words}the gradient with respect to {name}", gradient


def reference(variant: dict[str, Any]) -> Any:
    """torch's attention, one sequence at a time, on the queries that see something."""

    def attend(q: Tensor, k: Tensor, v: Tensor, lengths: Tensor, window: int) -> Tensor:
        steps = q.shape[2]
        near = torch.ones(steps, steps).tril().triu(1 - window).bool()
        outputs = []
        for one_q, one_k, one_v, length in zip(q, k, v, lengths.tolist(), strict=True):
            rows = min(steps, length + window - 1) if length else 0
            mask = near[:rows, :length]
            keys, values = one_k[:, :length], one_v[:, :length]
            seen = one_q[:, :rows]
            if rows:
                y = F.scaled_dot_product_attention(seen, keys, values, mask)
            else:
                y = one_v[:, :0]
            outputs.append(F.pad(y, (0, 0, 0, steps - rows)))
        return torch.stack(outputs)

    return attend


OUTPUT, GRADIENT = "the output", "the gradient"
EMPTY, LARGE = "no key", "large scores"
QUESTION = Question(
    name="attend",
    title="Attention with a window",
    answer="attend",
    reference=reference,
    run=custom_run(drive, case, configurations=6),
    parts={OUTPUT: 2.5, GRADIENT: 1, EMPTY: 2, LARGE: 0.5},
    forbid=("scaled_dot_product", "multi_head"),
    mistakes=(
        Mistake(
            name="not divided",
            hint="The scores are divided by the root of the size of a key.",
            edits=((" / q.shape[-1] ** 0.5", ""),),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="divided by d",
            hint="The scores are divided by the root of d, not by d.",
            edits=(("q.shape[-1] ** 0.5", "q.shape[-1]"),),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="divided by the root of d_v",
            hint="The size of a key counts, not that of a value.",
            edits=(("q.shape[-1] ** 0.5", "v.shape[-1] ** 0.5"),),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="sees the future",
            hint="A query sees no step after its own.",
            edits=(("(back >= 0) & (back < window)", "back.abs() < window"),),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="only the future",
            hint="Which of the two axes are the queries? A query looks back.",
            edits=(("t[:, None] - t", "t - t[:, None]"),),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="window one too wide",
            hint="The window counts the query's own step.",
            edits=(("back < window", "back <= window"),),
            loses=(OUTPUT, EMPTY),
        ),
        Mistake(
            name="own step left out",
            hint="A query sees its own step, too.",
            edits=(("(back >= 0) & (back < window)", "(back > 0) & (back <= window)"),),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="no window",
            hint="A query sees only the last `window` steps.",
            edits=((" & (back < window)", ""),),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="pad keys seen",
            hint="Steps behind the end of a sequence are no keys.",
            edits=((" & (t < lengths[:, None, None, None])", ""),),
            loses=(OUTPUT, EMPTY),
        ),
        Mistake(
            name="one length for all",
            hint="Each sequence has a length of its own.",
            edits=(("t < lengths[:, None, None, None]", "t < lengths.max()"),),
            loses=(OUTPUT, EMPTY),
        ),
        Mistake(
            name="lengths for the queries",
            hint="The lengths say which keys are real; a query of a pad step may see "
            "real keys in its window.",
            edits=(
                (
                    "t < lengths[:, None, None, None]",
                    "t[:, None] < lengths[:, None, None, None]",
                ),
            ),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="NaN where nothing is seen",
            hint="The softmax of a row of minus infinity is NaN: such a query gets "
            "zeros.",
            edits=((".masked_fill(empty, 0.0)", ""),),
            loses=(EMPTY,),
        ),
        Mistake(
            name="NaN in the gradient",
            hint="The output is right, but NaN comes back through the softmax: keep "
            "minus infinity out of a row that sees nothing.",
            edits=(
                (
                    "scores.masked_fill(~seen, -torch.inf)",
                    "scores + seen.to(q.dtype).log()",
                ),
                ("scores.masked_fill(empty, 0.0).softmax(-1)", "scores.softmax(-1)"),
                ("masked_fill(empty, 0.0) @ v", "nan_to_num(0.0) @ v"),
            ),
            loses=(EMPTY,),
        ),
        Mistake(
            name="mean where nothing is seen",
            hint="A query that sees nothing gets zeros, not the mean of all values.",
            edits=((".softmax(-1).masked_fill(empty, 0.0)", ".softmax(-1)"),),
            loses=(EMPTY,),
        ),
        Mistake(
            name="scores at 0 where nothing may be seen",
            hint="exp(0) is 1: a score of 0 does not hide a key.",
            edits=(("-torch.inf", "0.0"),),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="weights masked after the softmax",
            hint="The hidden keys must not have a part in the sum of the softmax.",
            edits=(
                ("scores = scores.masked_fill(~seen, -torch.inf)", "pass"),
                (".softmax(-1)", ".softmax(-1).masked_fill(~seen, 0.0)"),
            ),
            loses=(OUTPUT,),
        ),
        Mistake(
            name="a mask of size -100",
            hint="Scores can be large: only minus infinity hides a key for sure.",
            edits=(("-torch.inf", "-100.0"),),
            loses=(LARGE,),
        ),
        Mistake(
            name="exp without care",
            hint="The exponential of a large score is infinite: use softmax, or "
            "subtract the largest score first.",
            edits=(
                (
                    "scores.masked_fill(empty, 0.0).softmax(-1)",
                    "(scores.exp() / scores.exp().sum(-1, keepdim=True))",
                ),
            ),
            loses=(LARGE,),
        ),
        Mistake(
            name="softmax over the queries",
            hint="The weights of one query, over its keys, add up to 1.",
            edits=((".softmax(-1)", ".softmax(-2)"),),
            loses=(OUTPUT,),
        ),
    ),
)
