"""Packing by hand."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.utils.rnn import pack_padded_sequence

from layers_book.checking import Exercise, Mistake, distinct, function_run, signed
from layers_book.exercises.recurrent.variable_length.lengths import (
    draw_lengths,
    real_steps,
)


def _batches(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    lengths, length = draw_lengths(generator)
    features = distinct(generator, 1)[0]
    x = signed(generator, len(lengths), length, features)  # pads are not zero
    x[0, 0] = 0  # and a real step may be
    return (x.requires_grad_(), lengths), {}


def _pack_reference(x: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
    order = lengths.argsort(descending=True, stable=True)
    packed = pack_padded_sequence(x[order], lengths[order], batch_first=True)
    return packed.data, packed.batch_sizes, order, order.argsort()


def _wrong_pack(wrong: str) -> Any:
    def answer(x: Tensor, lengths: Tensor) -> Any:
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
        elif wrong == "no zeros":
            data = data[(data != 0).any(1)]
        elif wrong == "by mask":
            data = x[real_steps(lengths, x.shape[1])]
        elif wrong == "late steps first":
            data = torch.cat(data.split(sizes.tolist())[::-1])
        elif wrong == "last rows":
            data = torch.cat([rows[len(rows) - b :, t] for t, b in enumerate(sizes)])
        elif wrong == "rows by back":
            data = torch.cat([x[back][:b, t] for t, b in enumerate(sizes)])
        elif wrong == "ties in data":
            late = lengths.argsort(stable=True).flip(0)
            data = torch.cat([x[late][:b, t] for t, b in enumerate(sizes)])
        elif wrong == "added up":
            sizes = sizes.cumsum(0)
        elif wrong == "rising":
            sizes = sizes.flip(0)
        elif wrong == "sizes in float":
            sizes = sizes.float()
        elif wrong == "sizes in int32":
            sizes = sizes.int()
        elif wrong == "lists":
            return data, sizes.tolist(), order.tolist(), back.tolist()
        elif wrong == "blocks":
            return data.split(sizes.tolist()), sizes, order, back
        elif wrong == "lengths for indices":
            order = lengths[order]
        elif wrong == "places":
            sizes, order = order, sizes
        elif wrong == "back descending":
            back = order.argsort(descending=True)
        elif wrong == "data only":
            return data
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
            _wrong_pack("no zeros"),
            "You drop rows of zeros: a real step may be zero, only lengths says which "
            "steps are real.",
        ),
        Mistake(
            _wrong_pack("by mask"),
            "x[mask] lists one sequence after the other, in your order: sort the rows "
            "first, then go step by step.",
        ),
        Mistake(
            _wrong_pack("late steps first"),
            "Your data starts with the last step: step 0 comes first.",
        ),
        Mistake(
            _wrong_pack("last rows"),
            "You take the last rows of each step: sorted, the running sequences are "
            "the first batch_sizes[t] rows.",
        ),
        Mistake(
            _wrong_pack("rows by back"),
            "Your indices are right, but data is sorted by the inverse: its rows come "
            "from x[sorted_indices].",
        ),
        Mistake(
            _wrong_pack("ties in data"),
            "In data, sequences of equal length come in reverse: take its rows from "
            "x[sorted_indices].",
        ),
        Mistake(
            _wrong_pack("added up"),
            "You add batch_sizes up: entry t counts the sequences at step t alone.",
        ),
        Mistake(
            _wrong_pack("rising"),
            "Your batch_sizes rises: step 0, which all sequences have, comes first.",
        ),
        Mistake(
            _wrong_pack("sizes in float"),
            "Your batch_sizes holds floating numbers: counts are int64, as from "
            "sum(0) of a mask.",
        ),
        Mistake(
            _wrong_pack("sizes in int32"),
            "Your batch_sizes is int32: counts are int64, as from sum(0) of a mask.",
        ),
        Mistake(
            _wrong_pack("lists"),
            "Your data is right; the other three are lists: return tensors.",
        ),
        Mistake(
            _wrong_pack("blocks"),
            "Your data is in blocks, one for each step: join them by torch.cat.",
        ),
        Mistake(
            _wrong_pack("lengths for indices"),
            "Your sorted_indices holds the sorted lengths: indices of sequences are "
            "asked for, as argsort gives them.",
        ),
        Mistake(
            _wrong_pack("places"),
            "You have exchanged batch_sizes and sorted_indices: batch_sizes is the "
            "second value.",
        ),
        Mistake(
            _wrong_pack("back descending"),
            "Your unsorted_indices is sorted the other way: take order.argsort(), "
            "without descending.",
        ),
        Mistake(
            _wrong_pack("data only"),
            "data is right: return batch_sizes and the two permutations as well.",
        ),
        Mistake(
            _wrong_pack("detached"),
            "The values are right, the gradient is not: index x itself.",
        ),
    ),
)
