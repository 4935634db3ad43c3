"""The gradient of an embedding's table, with padding_idx and scale_grad_by_freq."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from layers_book.coursework import Mistake, Question, custom_run

# shape of ids, rows of the table, of which ids are drawn, padding_idx
SETTINGS = (
    ((9,), 6, 4, 1),
    ((3, 5), 7, 5, 0),
    ((), 4, 4, 2),
    ((2, 3, 4), 9, 5, 3),
    ((0,), 3, 3, 0),
    ((12,), 5, 3, 0),
)


def table_gradients(answer, ids, upstream, V, padding_idx):
    """Call the answer without options, with each, and with both."""
    named = f"ids {ids.tolist()}, V={V}, padding_idx={padding_idx}"
    yield "configuration", named
    padding, scaled = {"padding_idx": padding_idx}, {"scale_grad_by_freq": True}
    calls = {
        "the gradient": {},
        "the gradient with padding_idx": padding,
        "the gradient with scale_grad_by_freq": scaled,
        "the gradient with both": padding | scaled,
    }
    errors = []
    for label, options in calls.items():
        copies = [ids.clone(), upstream.clone()]
        try:
            with torch.inference_mode():  # no graph, so autograd finds nothing
                gradient = answer(*copies, V, **options)
        except Exception as error:  # one option that fails leaves the others
            errors.append(error)
            continue
        yield label, gradient
        yield f"{label}: the inputs after the call", copies
    if errors:
        raise errors[0]


def _inputs(generator: Generator) -> dict[str, Any]:
    index = generator.initial_seed()
    shape, rows, drawn, padding_idx = SETTINGS[index]
    ids = torch.randint(drawn, shape, generator=generator)
    upstream = torch.randn(*shape, 3, generator=generator, dtype=torch.float64)
    if index == 1:
        ids, upstream = ids.mT.contiguous().mT, upstream.mT.contiguous().mT
    if index == 5:
        upstream = upstream.float()
    return {"ids": ids, "upstream": upstream, "V": rows, "padding_idx": padding_idx}


def _reference(variant: dict[str, Any]) -> Any:
    @torch.inference_mode(False)
    def table_gradient(
        ids: Tensor,
        upstream: Tensor,
        V: int,
        padding_idx: int | None = None,
        scale_grad_by_freq: bool = False,
    ) -> Tensor:
        table = upstream.new_zeros(V, upstream.shape[-1]).requires_grad_()
        y = F.embedding(ids, table, padding_idx, scale_grad_by_freq=scale_grad_by_freq)
        (gradient,) = torch.autograd.grad(y, table, upstream)
        return gradient

    return table_gradient


QUESTION = Question(
    name="table_gradient",
    title="The gradient of a table",
    answer="table_gradient",
    reference=_reference,
    run=custom_run(table_gradients, _inputs, configurations=len(SETTINGS)),
    parts={
        "the gradient": 2,
        "the gradient with padding_idx": 1,
        "the gradient with scale_grad_by_freq": 1,
        "the gradient with both": 1,
    },
    forbid=("embedding", "backward", "requires_grad_", "vjp", "jac"),
    mistakes=(
        Mistake(
            name="repeated ids overwrite",
            hint="An id that occurs three times gets three gradients, and they add up. "
            "Assigning to gradient[ids], also with +=, keeps one of them.",
            edits=(
                (
                    ".index_add(0, flat, rows)",
                    "\n    gradient[flat] += rows",
                ),
            ),
            loses=("the gradient",),
        ),
        Mistake(
            name="padding row 0 forgotten",
            hint="Row 0 may be the padding row, and 0 counts as false in Python: ask "
            "whether padding_idx is None.",
            edits=(("padding_idx is not None", "padding_idx"),),
            loses=("the gradient with padding_idx",),
        ),
        Mistake(
            name="padding ignored",
            hint="The row padding_idx gets the gradient zero.",
            edits=(("padding_idx is not None", "False"),),
            loses=("the gradient with padding_idx",),
        ),
        Mistake(
            name="padding always 0",
            hint="The padding row is the one that padding_idx names, not always row 0.",
            edits=(("gradient[padding_idx]", "gradient[0]"),),
            loses=("the gradient with padding_idx",),
        ),
        Mistake(
            name="division by zero",
            hint="A row that nobody asks for has the count 0, and 0 divided by 0 is "
            "NaN.",
            edits=((".clamp(min=1)", ""),),
            loses=("the gradient with scale_grad_by_freq",),
        ),
        Mistake(
            name="divided by all tokens",
            hint="You divide by the number of all ids; each row has a count of its "
            "own.",
            edits=(
                (
                    "flat.bincount(minlength=V).clamp(min=1)[:, None]",
                    "max(len(flat), 1)",
                ),
            ),
            loses=("the gradient with scale_grad_by_freq",),
        ),
        Mistake(
            name="multiplied by the frequency",
            hint="You multiply by how often an id occurs; divide.",
            edits=(("gradient / flat", "gradient * flat"),),
            loses=("the gradient with scale_grad_by_freq",),
        ),
        Mistake(
            name="frequency option ignored",
            hint="With scale_grad_by_freq=True each row is divided by how often its id "
            "occurs.",
            edits=(("if scale_grad_by_freq:", "if False:"),),
            loses=("the gradient with scale_grad_by_freq",),
        ),
        Mistake(
            name="always scaled",
            hint="You divide by the counts without being asked to: "
            "scale_grad_by_freq is False unless it is given.",
            edits=(("if scale_grad_by_freq:", "if True:"),),
            loses=("the gradient",),
        ),
        Mistake(
            name="table as large as the largest id",
            hint="The table has V rows, whatever the ids are.",
            edits=(
                (
                    "    rows =",
                    "    V = int(flat.max()) + 1 if len(flat) else V\n    rows =",
                ),
            ),
            loses=("the gradient",),
        ),
        Mistake(
            name="always float32",
            hint="Your table of zeros has torch's default data type; take that of "
            "upstream.",
            edits=(
                (
                    "upstream.new_zeros(V, upstream.shape[-1])",
                    "torch.zeros(V, rows.shape[1])",
                ),
                ("flat, rows)", "flat, rows.float())"),
            ),
            loses=("the gradient",),
        ),
        Mistake(
            name="counts in one sentence",
            hint="The frequency of an id is counted in the whole of ids, not in each "
            "row.",
            edits=(
                (
                    "flat.bincount",
                    "(ids[0] if ids.dim() > 1 else flat).reshape(-1).bincount",
                ),
            ),
            loses=("the gradient with scale_grad_by_freq",),
        ),
    ),
)
