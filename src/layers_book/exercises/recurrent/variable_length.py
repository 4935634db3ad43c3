"""Exercises of the page recurrent/variable_length."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, unpad_sequence

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    measure_run,
    signed,
    value_run,
)

# with ties, sorted either way, a batch of one, all equal, more than a swap from sorted
LENGTHS = (
    (2, 5, 3, 3),
    (3, 1, 5, 2, 5),
    (4, 2, 6),
    (4,),
    (1, 2, 4),
    (3, 3, 3, 3),
    (6, 4, 4, 2, 1),
    (2, 6, 2, 4, 1, 6),
)


def _lengths(generator: Generator) -> tuple[Tensor, int]:
    """Lengths, and a length of the tensor that may be larger than all of them."""
    index = generator.initial_seed()
    lengths = torch.tensor(LENGTHS[index % len(LENGTHS)])
    return lengths, int(lengths.max()) + (0, 0, 2)[index % 3]


def _real_steps(lengths: Tensor, length: int) -> Tensor:
    return torch.arange(length) < lengths[:, None]


def _outputs(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    lengths, length = _lengths(generator)
    hidden = 2 + generator.initial_seed() % 4
    output = signed(generator, len(lengths), length, 2 * hidden)
    output = output * _real_steps(lengths, length)[..., None]
    if generator.initial_seed() % 2:  # a real step may be zero, as with a ReLU
        output[0, lengths[0] - 1] = 0
    return (output.requires_grad_(), lengths), {}


def _unpadded(output: Tensor, lengths: Tensor) -> Tensor:
    hidden = output.shape[-1] // 2
    ends = [
        torch.cat([y[-1, :hidden], y[0, hidden:]])
        for y in unpad_sequence(output, lengths, batch_first=True)
    ]
    return torch.stack(ends)


SUMMARY = Exercise(
    name="variable_length/summary",
    solution="""
        def summary(output, lengths):
            H = output.shape[-1] // 2
            rows = torch.arange(len(output))
            forward = output[rows, lengths - 1, :H]  # (N, H)
            backward = output[:, 0, H:]  # (N, H)
            return torch.cat([forward, backward], 1)
    """,
    reference=_unpadded,
    run=function_run(_outputs, names=("output", "lengths")),
    mistakes=[
        (
            "torch.cat([forward, backward], 1)",
            "output[:, -1]",
            "output[:, -1] is the end of the tensor: pads for a short sequence, and "
            "for the backward direction its first step, not its last.",
        ),
        (
            ":, 0, H:",
            "rows, lengths - 1, H:",
            "The forward half is right. The backward direction ends at step 0; at the "
            "last real step it has seen one step only.",
        ),
        (
            "rows, lengths - 1, :H",
            ":, 0, :H",
            "The backward half is right. The forward direction ends at the last real "
            "step, lengths - 1.",
        ),
        (
            "rows, lengths - 1, :H",
            ":, 0, :H",
            ":, 0, H:",
            "rows, lengths - 1, H:",
            "You have exchanged the steps: the forward direction ends at lengths - 1, "
            "the backward direction at 0.",
        ),
        (
            "[forward, backward]",
            "[backward, forward]",
            "Both halves are right, in the wrong order: forward first.",
        ),
        (
            "rows, lengths - 1, :H",
            "rows, lengths - 1, H:",
            ":, 0, H:",
            ":, 0, :H",
            "The steps are right, the features are not: the first H belong to the "
            "forward direction.",
        ),
        (
            "rows, lengths - 1, :H",
            ":, -1, :H",
            "The backward half is right. The forward half of a short sequence is a pad "
            "step: -1 is the end of the tensor, lengths - 1 that of the sequence.",
        ),
        (
            ":, 0, H:",
            ":, -1, H:",
            "The forward half is right. The backward half comes from the end of the "
            "tensor; that direction ends at step 0.",
        ),
        (
            "lengths - 1",
            "lengths.clamp(max=output.shape[1] - 1)",
            "Your forward half comes one step late: steps count from 0, so the last "
            "real one is lengths - 1.",
        ),
        (
            "lengths - 1",
            "lengths",
            "Steps count from 0, so the last real step is lengths - 1; lengths is the "
            "one after it.",
        ),
        (
            "[rows, lengths - 1, :H]",
            "[:, lengths - 1, :H]",
            "output[:, lengths - 1] takes each of these steps of every sequence: pair "
            "them, output[torch.arange(N), lengths - 1].",
        ),
        (
            "lengths - 1",
            "(lengths - 2).clamp(min=0)",
            "Your forward half is one step early: the last real step is lengths - 1.",
        ),
        (
            "lengths - 1",
            "lengths.max() - 1",
            "You take the same step of all sequences, the last of the longest one: "
            "each has its own, lengths[n] - 1.",
        ),
        (
            "rows, lengths - 1, :H",
            "rows, lengths - 1, ::2",
            ":, 0, H:",
            ":, 0, 1::2",
            "The steps are right, the features are not: the directions lie one after "
            "the other, [:H] and [H:], and do not alternate.",
        ),
        (
            "torch.cat([forward, backward], 1)",
            "output.sum(1) / lengths[:, None]",
            "You average over the real steps: here two single states are asked for.",
        ),
        (
            "torch.cat([forward, backward], 1)",
            "forward + backward",
            "You add the two states: put them side by side, torch.cat(..., 1).",
        ),
        (
            "torch.cat([forward, backward], 1)",
            "forward",
            "The forward state is right; put the backward one beside it.",
        ),
        (
            "torch.cat([forward, backward], 1)",
            "backward",
            "The backward state is right; put the forward one before it.",
        ),
        (
            "torch.cat([forward, backward], 1)",
            "(forward + backward) / 2",
            "You average the two states: put them side by side, torch.cat(..., 1).",
        ),
        (
            "torch.cat([forward, backward], 1)",
            "torch.cat([forward, backward])",
            "Both states are right, one below the other: join them along axis 1.",
        ),
        (
            "torch.cat([forward, backward], 1)",
            "torch.stack([forward, backward], 2).flatten(1)",
            "Both states are right, but you let their features alternate: first all H "
            "of the forward direction, then all H of the backward one.",
        ),
        (
            "torch.cat([forward, backward], 1)",
            "output.sum(1)",
            "You add all steps up: here two single states are asked for.",
        ),
        (
            "torch.cat([forward, backward], 1)",
            "output.mean(1)",
            "You average over all steps, pads included: here two single states are "
            "asked for.",
        ),
        (
            "torch.cat([forward, backward], 1)",
            "output.amax(1)",
            "You take the maximum over the steps: here two single states are asked "
            "for.",
        ),
        (
            "lengths - 1",
            "lengths[0] - 1",
            "You take the forward half of all sequences at the step where the first "
            "sequence ends: each has its own, lengths[n] - 1.",
        ),
        (
            "torch.cat([forward, backward], 1)",
            "output[:, lengths.max() - 1]",
            "You take the step where the longest sequence ends, for all sequences and "
            "for both directions: the forward one ends at lengths[n] - 1, the backward "
            "one at 0.",
        ),
        (
            "lengths - 1",
            "(output != 0).any(-1).sum(1) - 1",
            "You count the steps that are not zero: a real step can be zero as well, "
            "for instance after a ReLU. Take the length from lengths.",
        ),
        (
            ":, 0, H:",
            "rows, -lengths, H:",
            "The forward half is right. The backward half comes from step L - lengths, "
            "as if the pads stood in front: that direction ends at step 0.",
        ),
        (
            ":, 0, H:",
            ":, 1, H:",
            "The forward half is right. Your backward half comes from step 1: steps "
            "count from 0, and the backward direction ends there.",
        ),
        (
            "return torch.cat([forward, backward], 1)",
            "order = lengths.argsort(descending=True, stable=True)\n    return "
            "torch.cat([forward, backward], 1)[order]",
            "The states are right, sorted by length: keep the order of the batch.",
        ),
        (
            "backward]",
            "backward.detach()]",
            "The output is right, but no gradient flows through the backward half: do "
            "not detach it.",
        ),
        (
            "[forward",
            "[forward.detach()",
            "The output is right, but no gradient flows through the forward half: do "
            "not detach it.",
        ),
        (
            "torch.cat",
            "torch.stack",
            "Both states are right, on an axis of their own: torch.cat(..., 1) puts "
            "them side by side.",
        ),
        (
            "torch.cat([forward, backward], 1)",
            "torch.cat([forward, backward], 1).detach()",
            "The output is right, the gradient is not: do not detach.",
        ),
    ],
)


def _batches(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    lengths, length = _lengths(generator)
    features = distinct(generator, 1)[0]
    x = signed(generator, len(lengths), length, features)  # pads are not zero
    x[0, 0] = 0  # and a real step may be
    return (x.requires_grad_(), lengths), {}


def _torch_pack(x: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
    order = lengths.argsort(descending=True, stable=True)
    packed = pack_padded_sequence(x[order], lengths[order], batch_first=True)
    return packed.data, packed.batch_sizes, order, order.argsort()


PACK = Exercise(
    name="variable_length/pack",
    solution="""
        def pack(x, lengths):
            order = lengths.argsort(descending=True, stable=True)  # (N,)
            steps = torch.arange(int(lengths.max()))
            batch_sizes = (lengths[:, None] > steps).sum(0)  # (max L,)
            rows = x[order]
            data = torch.cat([rows[:b, t] for t, b in enumerate(batch_sizes)])
            return data, batch_sizes, order, order.argsort()
    """,
    reference=_torch_pack,
    run=function_run(_batches, names=("x", "lengths")),
    forbid=("pack_padded", "pack_sequence"),
    mistakes=[
        (
            "rows[:b, t] for t, b in enumerate(batch_sizes)",
            "row[:n] for row, n in zip(rows, lengths[order])",
            "You put one sequence after the other into data: go step by step, all "
            "first steps, then all second ones.",
        ),
        (
            "lengths.argsort(descending=True, stable=True)",
            "torch.arange(len(lengths))",
            "rows[:b, t] for t, b in enumerate(batch_sizes)",
            "rows[lengths[order] > t, t] for t in steps",
            "You leave the batch in its order: sort it by length, longest first, so "
            "that the running sequences are the first batch_sizes[t] rows.",
        ),
        (
            "lengths.argsort(descending=True, stable=True)",
            "lengths.argsort(stable=True)",
            "rows[:b, t] for t, b in enumerate(batch_sizes)",
            "rows[lengths[order] > t, t] for t in steps",
            "You sort the shortest first: the longest comes first, descending=True.",
        ),
        (
            "lengths.argsort(descending=True, stable=True)",
            "lengths.argsort(stable=True).flip(0)",
            "Sequences of equal length come out in reverse: flipping an ascending "
            "order does that; use descending=True with stable=True.",
        ),
        (
            "rows[:b, t] for t, b in enumerate(batch_sizes)",
            "x[lengths > t, t] for t in steps",
            "Your indices are sorted, data is not: take its rows from x[order].",
        ),
        (
            "rows[:b, t] for t, b in enumerate(batch_sizes)",
            "rows[:, t] for t in steps",
            "Your data still holds the pads: of step t only the first batch_sizes[t] "
            "rows belong to it.",
        ),
        (
            "int(lengths.max())",
            "x.shape[1]",
            "(lengths[:, None] > steps).sum(0)",
            "torch.full_like(steps, len(x))",
            "You keep the pads: step t has a row for each sequence longer than t.",
        ),
        (
            "int(lengths.max())",
            "x.shape[1]",
            "Your batch_sizes ends in zeros: it is as long as the longest sequence, "
            "not as the tensor.",
        ),
        (
            "return data, batch_sizes",
            "return data, lengths[order]",
            "Your batch_sizes holds the lengths: it counts, for each step, how many "
            "sequences have it.",
        ),
        (
            "return data, batch_sizes",
            "return data, (lengths[:, None] >= steps).sum(0)",
            "Your batch_sizes is one step late: step t, counted from 0, exists where "
            "lengths > t, not >=.",
        ),
        (
            "return data, batch_sizes",
            "return data, (lengths[:, None] > steps + 1).sum(0)",
            "Your batch_sizes is one step early: it starts with step 0, which every "
            "sequence has.",
        ),
        (
            "return data, batch_sizes",
            "return data, (lengths[:, None] <= steps).sum(0)",
            "Your batch_sizes counts the finished sequences: count the running ones.",
        ),
        (
            "order.argsort()",
            "order",
            "Your unsorted_indices is the sorting once more: it must undo it, "
            "x[sorted_indices][unsorted_indices] is x.",
        ),
        (
            "order, order.argsort()",
            "order.argsort(), order",
            "You have exchanged the permutations: x[sorted_indices] is the sorted "
            "batch.",
        ),
        (
            "order.argsort()",
            "order.flip(0)",
            "Reversing a permutation does not undo it: take sorted_indices.argsort().",
        ),
        (
            "order.argsort()",
            "torch.arange(len(order))",
            "Your unsorted_indices changes nothing: entry n says at which sorted place "
            "sequence n stands.",
        ),
        (
            ", order.argsort()",
            "",
            "Three of four are right: return unsorted_indices as well.",
        ),
        (
            "return data",
            "return data[(data != 0).any(1)]",
            "You drop rows of zeros: a real step may be zero, only lengths says which "
            "steps are real.",
        ),
        (
            "torch.cat([rows[:b, t] for t, b in enumerate(batch_sizes)])",
            "x[torch.arange(x.shape[1]) < lengths[:, None]]",
            "x[mask] lists one sequence after the other, in your order: sort the rows "
            "first, then go step by step.",
        ),
        (
            "enumerate(batch_sizes)]",
            "enumerate(batch_sizes)][::-1]",
            "Your data starts with the last step: step 0 comes first.",
        ),
        (
            "rows[:b, t]",
            "rows[len(rows) - b :, t]",
            "You take the last rows of each step: sorted, the running sequences are "
            "the first batch_sizes[t] rows.",
        ),
        (
            "x[order]",
            "x[order.argsort()]",
            "Your indices are right, but data is sorted by the inverse: its rows come "
            "from x[sorted_indices].",
        ),
        (
            "x[order]",
            "x[lengths.argsort(stable=True).flip(0)]",
            "In data, sequences of equal length come in reverse: take its rows from "
            "x[sorted_indices].",
        ),
        (
            "return data, batch_sizes",
            "return data, batch_sizes.cumsum(0)",
            "You add batch_sizes up: entry t counts the sequences at step t alone.",
        ),
        (
            "return data, batch_sizes",
            "return data, batch_sizes.flip(0)",
            "Your batch_sizes rises: step 0, which all sequences have, comes first.",
        ),
        (
            "return data, batch_sizes",
            "return data, batch_sizes.float()",
            "Your batch_sizes holds floating numbers: counts are int64, as from "
            "sum(0) of a mask.",
        ),
        (
            "return data, batch_sizes",
            "return data, batch_sizes.int()",
            "Your batch_sizes is int32: counts are int64, as from sum(0) of a mask.",
        ),
        (
            "batch_sizes, order, order.argsort()",
            "batch_sizes.tolist(), order.tolist(), order.argsort().tolist()",
            "Your data is right; the other three are lists: return tensors.",
        ),
        (
            "torch.cat",
            "list",
            "Your data is in blocks, one for each step: join them by torch.cat.",
        ),
        (
            "order, order.argsort()",
            "lengths[order], order.argsort()",
            "Your sorted_indices holds the sorted lengths: indices of sequences are "
            "asked for, as argsort gives them.",
        ),
        (
            "batch_sizes, order, ",
            "order, batch_sizes, ",
            "You have exchanged batch_sizes and sorted_indices: batch_sizes is the "
            "second value.",
        ),
        (
            "order.argsort()",
            "order.argsort(descending=True)",
            "Your unsorted_indices is sorted the other way: take order.argsort(), "
            "without descending.",
        ),
        (
            "data, batch_sizes, order, order.argsort()",
            "data",
            "data is right: return batch_sizes and the two permutations as well.",
        ),
        (
            "return data",
            "return data.detach()",
            "The values are right, the gradient is not: index x itself.",
        ),
    ],
)


# what pads hold in some configurations: who multiplies by a mask is seen
BROKEN_PADS = {2: torch.nan, 6: torch.inf, 8: -torch.inf, 10: torch.nan}


def _tagged(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    lengths, length = _lengths(generator)
    index = generator.initial_seed()
    size, classes = (len(lengths), length), 2 + index % 4
    logits = signed(generator, *size, classes) * 2
    target = torch.randint(0, classes, size, generator=generator)
    if index % 2:  # as a label tensor padded with 0
        target = target * _real_steps(lengths, length)
    if index not in BROKEN_PADS:
        return (logits.requires_grad_(), target, lengths), {}
    # such logits have no gradient worth comparing
    pads = ~_real_steps(lengths, length)[..., None]
    return (logits.masked_fill(pads, BROKEN_PADS[index]), target, lengths), {}


def _ignoring(logits: Tensor, target: Tensor, lengths: Tensor) -> Tensor:
    ignored = target.masked_fill(~_real_steps(lengths, target.shape[1]), -100)
    return F.cross_entropy(logits.flatten(0, 1), ignored.flatten())


MASKED_LOSS = Exercise(
    name="variable_length/masked_loss",
    solution="""
        def masked_loss(logits, target, lengths):
            mask = torch.arange(target.shape[1]) < lengths[:, None]  # (N, L)
            return F.cross_entropy(logits[mask], target[mask])
    """,
    reference=_ignoring,
    run=function_run(_tagged, names=("logits", "target", "lengths")),
    mistakes=[
        (
            "logits[mask], target[mask]",
            "logits.mT, target",
            "You average over all steps, pads included: they have no right answer.",
        ),
        (
            "F.cross_entropy(logits[mask], target[mask])",
            "F.cross_entropy(logits, target)",
            "F.cross_entropy takes the classes on axis 1, and yours are on the last: "
            "give it logits[mask] of shape (S, C), or logits.mT of shape (N, C, L).",
        ),
        (
            "F.cross_entropy(logits[mask], target[mask])",
            '(F.cross_entropy(logits.mT, target, reduction="none") * mask).sum()'
            " / mask.sum()",
            "You multiply the losses by the mask, and 0 times NaN or infinity is NaN: "
            "select the real steps, logits[mask], or the losses there, loss[mask].",
        ),
        (
            "target[mask])",
            'target[mask], reduction="sum") / mask.numel()',
            "The pads add nothing, but still count: divide by the number of real "
            "steps, mask.sum(), not by N * L.",
        ),
        (
            "F.cross_entropy(logits[mask], target[mask])",
            "torch.stack([F.cross_entropy(y[:n], t[:n]) for y, t, n in zip(logits, "
            "target, lengths)]).mean()",
            "You average each sequence first, so a step of a short one weighs more: "
            "take one mean over all real steps.",
        ),
        (
            "F.cross_entropy(logits[mask], target[mask])",
            "torch.stack([F.cross_entropy(logits[real, t], target[real, t]) for t, "
            "real in enumerate(mask.T) if real.any()]).mean()",
            "You average each step first, so a late step, which few sequences have, "
            "weighs more: take one mean over all real steps.",
        ),
        (
            "[mask]",
            "[torch.arange(len(target)), lengths - 1]",
            "You take the last real step only: every real step has a loss.",
        ),
        (
            "target[mask]",
            'target[mask], reduction="sum"',
            "You add the real steps up: take their mean.",
        ),
        (
            "target[mask])",
            'target[mask], reduction="sum") / len(target)',
            "You divide by the number of sequences: divide by that of real steps, "
            "lengths.sum().",
        ),
        (
            "target[mask])",
            'target[mask], reduction="sum") / (len(target) * lengths.max())',
            "You divide by N times the longest length, which counts pads: divide by "
            "lengths.sum().",
        ),
        (
            "[mask]",
            "[~mask]",
            "You average over the pads: real is torch.arange(L) < lengths[:, None].",
        ),
        (
            "<",
            "<=",
            "You count one pad of each sequence: real steps are 0 to lengths - 1, so "
            "compare by <, not <=.",
        ),
        (
            "lengths[:, None]",
            "lengths[:, None] - 1",
            "You leave out the last real step: real are the steps t < lengths.",
        ),
        (
            "logits[mask], target[mask]",
            "(logits * mask[..., None]).mT, target",
            "Logits of 0 are no missing answer, they cost log C each: select the real "
            "steps before the mean.",
        ),
        (
            "logits[mask], target[mask]",
            "logits.mT, target, ignore_index=0",
            "ignore_index=0, or target != 0, leaves out every real step of class 0 as "
            "well: the mask comes from lengths, not from target.",
        ),
        (
            "[mask]",
            "[:, : lengths.max()].flatten(0, 1)",
            "You cut at the longest length only: each sequence ends at its own.",
        ),
        (
            "[mask]",
            "[mask.flip(1)]",
            "You take the last steps of the tensor: the pads stand at the end.",
        ),
        (
            "[mask]",
            "[:, 0]",
            "You take the first step only: every real step has a loss.",
        ),
        (
            "[mask]",
            "[:, : lengths.min()].flatten(0, 1)",
            "You cut all sequences to the shortest: each ends at its own length.",
        ),
        (
            "[mask]",
            "[0, : lengths[0]]",
            "You take the first sequence only: average over all of the batch.",
        ),
        (
            "F.cross_entropy(logits[mask], target[mask])",
            "torch.stack([F.cross_entropy(y[:n], t[:n]) for y, t, n in zip(logits, "
            "target, lengths)]).sum()",
            "You add the means of the sequences up: take one mean over all real steps.",
        ),
        (
            "target[mask])",
            'target[mask], reduction="sum") / lengths.to(logits).mean()',
            "You divide by the mean length: divide by the number of real steps, "
            "lengths.sum().",
        ),
        (
            "F.cross_entropy(logits[mask], target[mask])",
            "F.cross_entropy(logits[mask], target[mask]) / logits.shape[-1]",
            "You divide by the number of classes as well: a step has one loss, not C.",
        ),
        (
            "logits[mask]",
            "logits.softmax(-1)[mask]",
            "You apply softmax first: F.cross_entropy takes logits and does that "
            "itself.",
        ),
        (
            "cross_entropy",
            "nll_loss",
            "F.nll_loss takes logarithms of probabilities: apply log_softmax first, or "
            "use F.cross_entropy.",
        ),
        (
            "cross_entropy(logits",
            "nll_loss(logits.log_softmax(1)",
            "Your softmax runs over the steps: it belongs to the classes, the last "
            "axis.",
        ),
        (
            "return F.cross_entropy(logits[mask], target[mask])",
            "target[~mask] = -100\n    return F.cross_entropy(logits.mT, target)",
            "The value is right, but you write -100 into the caller's target: take "
            "target.masked_fill(~mask, -100), which makes a copy.",
        ),
        (
            "return",
            "return -",
            "The sign is the opposite one: a loss is minus the logarithm.",
        ),
        (
            "logits[mask], target[mask]",
            "logits.mT, target * mask",
            "You give the pads class 0, and they still count: leave them out of the "
            "mean.",
        ),
        (
            "logits[mask], target[mask]",
            "logits.masked_fill(~mask[..., None], -torch.inf).mT, target",
            "Logits of -inf on the pads make the loss there infinite or NaN: select "
            "the real steps instead.",
        ),
        (
            "logits[mask]",
            "logits.reshape(len(target), -1, target.shape[1]).mT[mask]",
            "reshape mixes steps and classes: to bring C to axis 1, transpose, "
            "logits.mT.",
        ),
        (
            "logits[mask], target[mask]",
            "logits.reshape(len(target), -1, target.shape[1]), target",
            "You average over the pads as well, and reshape mixes steps and classes: "
            "transpose by logits.mT, and select the real steps.",
        ),
        (
            "target[mask]",
            'target[mask], reduction="none"',
            "You return a loss for each real step: take their mean.",
        ),
        (
            "logits[mask]",
            "logits.detach()[mask]",
            "The value is right, the gradient is not: do not detach logits.",
        ),
    ],
)

FIELDS = Exercise(
    name="variable_length/fields",
    solution="""
        answer = [4, 4, 4, 3, 1, 1, 4 + 4 + 3]
    """,
    run=value_run(),
    mistakes=[
        (
            [4, 4, 4, 3, 1, 1, 12],
            "The sizes are right. The row is one too large: rows are counted from 0.",
        ),
        (
            [4, 4, 4, 3, 1, 1, 16],
            "The sizes are right. You take the last row of data, as if the names stood "
            "in it one after the other: data goes step by step.",
        ),
        (
            [4, 4, 4, 3, 1, 1, 10],
            "The sizes are right. The row is one too small: two columns of four come "
            "first, and in the third RNN has three names above it.",
        ),
        (
            [4, 4, 4, 3, 1, 1, 8],
            "The sizes are right. In row 8 stands the third letter of the longest "
            "name, which is sorted to the front.",
        ),
        (
            [4, 4, 4, 3, 1, 1, 3],
            "The sizes are right. In row 3 stands the first letter of RNN.",
        ),
        (
            [4, 4, 4, 3, 1, 1],
            "The sizes are right. The row of the last letter of RNN is missing.",
        ),
        (
            [4, 4, 3, 1, 1, 0, 11],
            "Your sizes are one step late: all four names have a third letter.",
        ),
        (
            [4, 4, 4, 4, 4, 4, 11],
            "You keep the pads: a batch size counts the names that still run.",
        ),
        (
            [1, 1, 3, 4, 4, 4, 11],
            "Your sizes rise: step 0, which all names have, comes first.",
        ),
    ],
)

PADS = Exercise(
    name="variable_length/pads",
    solution="""
        def error(seed, pads):
            torch.manual_seed(seed)
            rnn = nn.GRU(8, 16, batch_first=True).double()
            x = torch.randn(1, 6, 8).double()
            with torch.no_grad():
                gap = rnn(F.pad(x, (0, 0, 0, pads)))[1] - rnn(x)[1]
            return gap.square().mean().sqrt().item()


        many = torch.tensor([error(seed, 20) for seed in range(8)])
        one = torch.tensor([error(seed, 1) for seed in range(8)])
        difference = many - one  # (seeds,)
        answer = (difference.mean(), difference.std() / 8**0.5)
    """,
    run=measure_run("many", "one"),
    mistakes=[
        (
            "error(seed, 1)",
            "error(seed, 0)",
            "You compare twenty pads with none: the other run has one.",
        ),
        (
            "nn.GRU",
            "nn.RNN",
            "You measure an nn.RNN, in which the first pad does all the harm: the "
            "question is about an nn.GRU.",
        ),
        (
            "(0, 0, 0, pads)",
            "(0, 0, pads, 0)",
            "You put the pads in front: they belong after the six steps, which are the "
            "last number of F.pad.",
        ),
        (
            ".mean().sqrt()",
            ".mean()",
            "You compare mean squares: take the root of each before you subtract.",
        ),
        (
            "gap.square().mean().sqrt()",
            "gap.abs().max()",
            "You compare the largest entries: the root of the mean square is asked "
            "for.",
        ),
    ],
)

EXERCISES = (FIELDS, SUMMARY, PACK, MASKED_LOSS, PADS)
