"""Packing by hand."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.utils.rnn import pack_padded_sequence

from helpers._check import Exercise, Mistake, distinct, function_run, signed
from helpers.exercises.variable_length.lengths import draw_lengths, real_steps


def _batches(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    lengths, length = draw_lengths(generator)
    features = distinct(generator, 1)[0]
    x = signed(generator, len(lengths), length, features)  # pads are not zero
    return (x.requires_grad_(), lengths), {}


def _pack_reference(x: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
    order = lengths.argsort(descending=True, stable=True)
    packed = pack_padded_sequence(x[order], lengths[order], batch_first=True)
    return packed.data, packed.batch_sizes, order, order.argsort()


def _wrong_pack(wrong: str) -> Any:
    def answer(x: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        order = lengths.argsort(descending=True, stable=True)
        if wrong == "ties":
            order = lengths.argsort(stable=True).flip(0)
        elif wrong == "ascending":
            order = lengths.argsort(stable=True)
        elif wrong == "not sorted":
            order = torch.arange(len(lengths))
        back, length = order.argsort(), int(lengths.max())
        if wrong in ("trailing zeros", "pads"):
            length = x.shape[1]
        sizes = (lengths[:, None] > torch.arange(length)).sum(0)
        rows, mask = x[order], real_steps(lengths[order], length)
        data = rows[:, :length].transpose(0, 1)[mask.T]
        if wrong == "pads":
            data = rows.transpose(0, 1).flatten(0, 1)
            sizes = torch.full_like(sizes, len(lengths))
        elif wrong == "pads in data":
            data = rows[:, :length].transpose(0, 1).flatten(0, 1)
        elif wrong == "sequence by sequence":
            data = rows[:, :length][mask]
        elif wrong == "sorted late":
            data = x[:, :length].transpose(0, 1)[real_steps(lengths, length).T]
        elif wrong == "sizes are lengths":
            sizes = lengths[order]
        elif wrong == "at least":
            sizes = (lengths[:, None] >= torch.arange(length)).sum(0)
        elif wrong == "from one":
            sizes = (lengths[:, None] > torch.arange(1, length + 1)).sum(0)
        elif wrong == "finished":
            sizes = (lengths[:, None] <= torch.arange(length)).sum(0)
        elif wrong == "order twice":
            back = order
        elif wrong == "exchanged":
            order, back = back, order
        elif wrong == "flipped":
            back = order.flip(0)
        elif wrong == "counted":
            back = torch.arange(len(order))
        elif wrong == "no way back":
            return data, sizes, order
        elif wrong == "detached":
            data = data.detach()
        return data, sizes, order, back

    return answer


PACK = Exercise(
    name="variable_length/pack",
    reference=_pack_reference,
    run=function_run(_batches, names=("x", "lengths")),
    forbid=("pack_padded", "pack_sequence"),
    mistakes=(
        Mistake(
            _wrong_pack("sequence by sequence"),
            "You put one sequence after the other into data: go step by step, all "
            "first steps, then all second ones.",
        ),
        Mistake(
            _wrong_pack("not sorted"),
            "You leave the batch in its order: sort it by length, longest first, so "
            "that the running sequences are the first batch_sizes[t] rows.",
        ),
        Mistake(
            _wrong_pack("ascending"),
            "You sort the shortest first: the longest comes first, descending=True.",
        ),
        Mistake(
            _wrong_pack("ties"),
            "Sequences of equal length come out in reverse: flipping an ascending "
            "order does that; use descending=True with stable=True.",
        ),
        Mistake(
            _wrong_pack("sorted late"),
            "Your indices are sorted, data is not: take its rows from x[order].",
        ),
        Mistake(
            _wrong_pack("pads in data"),
            "Your data still holds the pads: of step t only the first batch_sizes[t] "
            "rows belong to it.",
        ),
        Mistake(
            _wrong_pack("pads"),
            "You keep the pads: step t has a row for each sequence longer than t.",
        ),
        Mistake(
            _wrong_pack("trailing zeros"),
            "Your batch_sizes ends in zeros: it is as long as the longest sequence, "
            "not as the tensor.",
        ),
        Mistake(
            _wrong_pack("sizes are lengths"),
            "Your batch_sizes holds the lengths: it counts, for each step, how many "
            "sequences have it.",
        ),
        Mistake(
            _wrong_pack("at least"),
            "Your batch_sizes is one step late: step t, counted from 0, exists where "
            "lengths > t, not >=.",
        ),
        Mistake(
            _wrong_pack("from one"),
            "Your batch_sizes is one step early: it starts with step 0, which every "
            "sequence has.",
        ),
        Mistake(
            _wrong_pack("finished"),
            "Your batch_sizes counts the finished sequences: count the running ones.",
        ),
        Mistake(
            _wrong_pack("order twice"),
            "Your unsorted_indices is the sorting once more: it must undo it, "
            "x[sorted_indices][unsorted_indices] is x.",
        ),
        Mistake(
            _wrong_pack("exchanged"),
            "You have exchanged the permutations: x[sorted_indices] is the sorted "
            "batch.",
        ),
        Mistake(
            _wrong_pack("flipped"),
            "Reversing a permutation does not undo it: take sorted_indices.argsort().",
        ),
        Mistake(
            _wrong_pack("counted"),
            "Your unsorted_indices changes nothing: entry n says at which sorted place "
            "sequence n stands.",
        ),
        Mistake(
            _wrong_pack("no way back"),
            "Three of four are right: return unsorted_indices as well.",
        ),
        Mistake(
            _wrong_pack("detached"),
            "The values are right, the gradient is not: index x itself.",
        ),
    ),
)
