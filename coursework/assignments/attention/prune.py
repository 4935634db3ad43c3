"""Fewer heads: a smaller state_dict for an attention without some of its heads."""

from typing import Any

import torch
from torch import Tensor, nn

from layers_book.coursework import Mistake, Question, custom_run, signed

SHAPES = ((3, 4), (4, 2), (5, 3), (2, 5), (4, 3))  # heads, size of each
DROPS: tuple[tuple[int, ...], ...] = ((1,), (3, 0), (2, 0, 2, 4), (0,), ())


def case(generator: torch.Generator) -> dict[str, Any]:
    """Lists in any order, with repeats, and an empty one."""
    index = generator.initial_seed()
    heads, size = SHAPES[index]
    width = heads * size
    state = {
        "in_proj_weight": signed(generator, 3 * width, width),
        "in_proj_bias": signed(generator, 3 * width),
        "out_proj.weight": signed(generator, width, width),
        "out_proj.bias": signed(generator, width),
    }
    mean = signed(generator, heads, size)
    return {"state": state, "heads": heads, "drop": DROPS[index], "mean": mean}


def drive(answer, state, heads, drop, mean):
    width = len(state["out_proj.bias"])
    yield "configuration", f"nn.MultiheadAttention({width}, {heads}), {drop=}"
    layer = nn.MultiheadAttention(width, heads).double()
    layer.load_state_dict(state)
    before = {name: value.clone() for name, value in state.items()}
    found = call(answer, layer.state_dict(), heads, drop, mean)  # noqa: F821
    for name in before:
        yield name.replace("in_proj_", "in_proj: "), found[name].clone()
    yield "all else: names", sorted(found)
    yield "all else: the layer afterwards", [dict(layer.state_dict()), before]
    for value in found.values():
        value.detach().zero_()
    yield "all else: the layer after a change of the result", dict(layer.state_dict())


def reference(variant: dict[str, Any]) -> Any:
    """Head by head, and the bias from the old layer's own out_proj."""

    def prune(
        state: dict[str, Tensor], heads: int, drop: tuple[int, ...], mean: Tensor
    ) -> dict[str, Tensor]:
        width = len(state["out_proj.bias"])
        keep = torch.tensor([head not in drop for head in range(heads)])
        every = keep.repeat_interleave(width // heads)  # (E,)
        out = nn.Linear(width, width).to(mean.dtype)
        out.weight, out.bias = (
            nn.Parameter(state[f"out_proj.{name}"]) for name in ("weight", "bias")
        )
        with torch.no_grad():
            bias = out(mean.masked_fill(keep[:, None], 0).flatten())
        return {
            "in_proj_weight": state["in_proj_weight"][every.repeat(3)],
            "in_proj_bias": state["in_proj_bias"][every.repeat(3)],
            "out_proj.weight": state["out_proj.weight"][:, every],
            "out_proj.bias": bias,
        }

    return prune


IN, OUT, BIAS, ELSE = "in_proj", "out_proj.weight", "out_proj.bias", "all else"
THREE = "torch.cat([kept, kept + E, kept + 2 * E])"
QUESTION = Question(
    name="prune",
    title="Fewer heads",
    answer="prune",
    reference=reference,
    run=custom_run(drive, case, configurations=len(SHAPES)),
    parts={IN: 2, OUT: 1, BIAS: 1, ELSE: 1},
    mistakes=(
        Mistake(
            name="the wrong ones kept",
            hint="`drop` names the heads that go.",
            edits=(("if h not in drop", "if h in drop"),),
            loses=(IN, OUT),
        ),
        Mistake(
            name="heads interleaved",
            hint="The numbers of one head lie side by side.",
            edits=((".view(heads, -1)", ".view(-1, heads).T"),),
            loses=(IN, OUT, BIAS),
        ),
        Mistake(
            name="rows of out_proj",
            hint="out_proj reads the heads: they are its columns.",
            edits=(("w_out[:, kept].clone()", "w_out[kept].T.clone()"),),
            loses=(OUT,),
        ),
        Mistake(
            name="rows of out_proj, too few",
            hint="out_proj still puts out E numbers: its columns become fewer.",
            edits=(("w_out[:, kept].clone()", "w_out[kept].clone()"),),
            loses=(OUT,),
        ),
        Mistake(
            name="columns of in_proj",
            hint="The input keeps all its features: the rows belong to heads.",
            edits=(
                (
                    'state["in_proj_weight"][three]',
                    'state["in_proj_weight"].unflatten(0, (3, E))[:, :, kept]'
                    ".flatten(0, 1)",
                ),
            ),
            loses=(IN,),
        ),
        Mistake(
            name="queries only",
            hint="Queries, keys and values of a head go together.",
            edits=((THREE, "torch.cat([kept, torch.arange(E, 3 * E)])"),),
            loses=(IN,),
        ),
        Mistake(
            name="three times the queries",
            hint="The first E rows make queries, the next E keys, the last E values.",
            edits=((THREE, "torch.cat([kept, kept, kept])"),),
            loses=(IN,),
        ),
        Mistake(
            name="head by head",
            hint="All queries come first, then all keys, then all values.",
            edits=(
                (
                    THREE,
                    "torch.cat([rows[h] + i * E for h in keep for i in range(3)])",
                ),
            ),
            loses=(IN,),
        ),
        Mistake(
            name="stacked as heads of three",
            hint="torch does not stack q, k and v of one head together: first come "
            "the queries of all heads.",
            edits=((THREE, "torch.arange(3 * E).view(heads, -1)[keep].flatten()"),),
            loses=(IN,),
        ),
        Mistake(
            name="bias as it was",
            hint="What the dropped heads give on average goes into the bias.",
            edits=(("bias += w_out[:, rows[h]] @ mean[h]", "pass"),),
            loses=(BIAS,),
        ),
        Mistake(
            name="means taken away",
            hint="The means stand in for the heads: they are added.",
            edits=(("bias += w_out", "bias -= w_out"),),
            loses=(BIAS,),
        ),
        Mistake(
            name="means of all heads",
            hint="The heads that stay still speak for themselves.",
            edits=(("for h in set(drop)", "for h in range(heads)"),),
            loses=(BIAS,),
        ),
        Mistake(
            name="means of those that stay",
            hint="The means of the dropped heads are needed.",
            edits=(("for h in set(drop)", "for h in keep"),),
            loses=(BIAS,),
        ),
        Mistake(
            name="repeats counted twice",
            hint="A head that is named twice is dropped once.",
            edits=(("for h in set(drop)", "for h in drop"),),
            loses=(BIAS,),
        ),
        Mistake(
            name="means not projected",
            hint="The means stand before out_proj: they go through its columns.",
            edits=(
                (
                    "bias += w_out[:, rows[h]] @ mean[h]",
                    "bias[rows[h]] += mean[h]",
                ),
            ),
            loses=(BIAS,),
        ),
        Mistake(
            name="scaled up for the rest",
            hint="The heads that stay are as they were: nothing is scaled.",
            edits=(("w_out[:, kept].clone()", "w_out[:, kept] * heads / len(keep)"),),
            loses=(OUT,),
        ),
        Mistake(
            name="the layer's own bias",
            hint="You change the old layer: its state_dict shares memory with it.",
            edits=(('state["out_proj.bias"].clone()', 'state["out_proj.bias"]'),),
            loses=(ELSE,),
        ),
        Mistake(
            name="zeros in place of less",
            hint="The tensors become smaller: rows and columns go.",
            edits=(
                (
                    "w_out[:, kept].clone()",
                    "w_out * torch.isin(torch.arange(E), kept)",
                ),
                (
                    'state["in_proj_weight"][three]',
                    'state["in_proj_weight"] * torch.isin('
                    "torch.arange(3 * E), three)[:, None]",
                ),
                (
                    'state["in_proj_bias"][three]',
                    'state["in_proj_bias"] * torch.isin(torch.arange(3 * E), three)',
                ),
            ),
            loses=(IN, OUT),
        ),
    ),
)
