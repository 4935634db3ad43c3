"""The summary of a bidirectional output."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn.utils.rnn import unpad_sequence

from layers_book.checking import Exercise, Mistake, function_run, signed
from layers_book.exercises.recurrent.variable_length.lengths import (
    draw_lengths,
    real_steps,
)


def _outputs(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    lengths, length = draw_lengths(generator)
    hidden = 2 + generator.initial_seed() % 4
    output = signed(generator, len(lengths), length, 2 * hidden)
    output = output * real_steps(lengths, length)[..., None]
    if generator.initial_seed() % 2:  # a real step may be zero, as with a ReLU
        output[0, lengths[0] - 1] = 0
    return (output.requires_grad_(), lengths), {}


def _summary_reference(output: Tensor, lengths: Tensor) -> Tensor:
    hidden = output.shape[-1] // 2
    ends = [
        torch.cat([y[-1, :hidden], y[0, hidden:]])
        for y in unpad_sequence(output, lengths, batch_first=True)
    ]
    return torch.stack(ends)


def _wrong_summary(wrong: str) -> Any:
    def answer(output: Tensor, lengths: Tensor) -> Tensor:
        n, length, both = output.shape
        hidden, rows = both // 2, torch.arange(n)
        last = output[rows, lengths - 1]
        first = output[:, 0]
        ahead, behind = last[:, :hidden], first[:, hidden:]
        if wrong == "end of the tensor":
            return output[:, -1]
        if wrong == "forward at the end":
            ahead = output[:, -1, :hidden]
        elif wrong == "both last":
            return last
        elif wrong == "both first":
            return first
        elif wrong == "exchanged steps":
            ahead, behind = first[:, :hidden], last[:, hidden:]
        elif wrong == "exchanged halves":
            ahead, behind = behind, ahead
        elif wrong == "other halves":
            ahead, behind = last[:, hidden:], first[:, :hidden]
        elif wrong == "backward at the end":
            behind = output[:, -1, hidden:]
        elif wrong == "one late":
            ahead = output[rows, lengths.clamp(max=length - 1), :hidden]
        elif wrong == "one early":
            ahead = output[rows, (lengths - 2).clamp(min=0), :hidden]
        elif wrong == "longest":
            ahead = output[:, int(lengths.max()) - 1, :hidden]
        elif wrong == "interleaved":
            ahead, behind = last[:, ::2], first[:, 1::2]
        elif wrong == "mean":
            return output.sum(1) / lengths[:, None]
        elif wrong == "sum of all":
            return output.sum(1)
        elif wrong == "mean of all":
            return output.mean(1)
        elif wrong == "maximum":
            return output.amax(1)
        elif wrong == "same step":
            ahead = output[:, int(lengths[0]) - 1, :hidden]
        elif wrong == "longest, both":
            return output[:, int(lengths.max()) - 1]
        elif wrong == "non-zero steps":
            count = (output != 0).any(-1).sum(1)
            ahead = output[rows, count - 1, :hidden]
        elif wrong == "from the end":
            behind = output[rows, -lengths, hidden:]
        elif wrong == "second step":
            behind = output[:, min(1, length - 1), hidden:]
        elif wrong == "sorted":
            order = lengths.argsort(descending=True, stable=True)
            ahead, behind = ahead[order], behind[order]
        elif wrong == "alternating":
            return torch.stack([ahead, behind], -1).flatten(1)
        elif wrong == "one below the other":
            return torch.cat([ahead, behind], 0)
        elif wrong == "mean of both":
            return (ahead + behind) / 2
        elif wrong == "backward only":
            return behind
        elif wrong == "half detached":
            behind = behind.detach()
        elif wrong == "other half detached":
            ahead = ahead.detach()
        elif wrong == "sum":
            return ahead + behind
        elif wrong == "forward only":
            return ahead
        elif wrong == "stacked":
            return torch.stack([ahead, behind], 1)
        elif wrong == "detached":
            ahead, behind = ahead.detach(), behind.detach()
        return torch.cat([ahead, behind], 1)

    return answer


SUMMARY = Exercise(
    name="variable_length/summary",
    reference=_summary_reference,
    run=function_run(_outputs, names=("output", "lengths")),
    mistakes=(
        Mistake(
            _wrong_summary("end of the tensor"),
            "output[:, -1] is the end of the tensor: pads for a short sequence, and "
            "for the backward direction its first step, not its last.",
        ),
        Mistake(
            _wrong_summary("both last"),
            "The forward half is right. The backward direction ends at step 0; at the "
            "last real step it has seen one step only.",
        ),
        Mistake(
            _wrong_summary("both first"),
            "The backward half is right. The forward direction ends at the last real "
            "step, lengths - 1.",
        ),
        Mistake(
            _wrong_summary("exchanged steps"),
            "You have exchanged the steps: the forward direction ends at lengths - 1, "
            "the backward direction at 0.",
        ),
        Mistake(
            _wrong_summary("exchanged halves"),
            "Both halves are right, in the wrong order: forward first.",
        ),
        Mistake(
            _wrong_summary("other halves"),
            "The steps are right, the features are not: the first H belong to the "
            "forward direction.",
        ),
        Mistake(
            _wrong_summary("forward at the end"),
            "The backward half is right. The forward half of a short sequence is a pad "
            "step: -1 is the end of the tensor, lengths - 1 that of the sequence.",
        ),
        Mistake(
            _wrong_summary("backward at the end"),
            "The forward half is right. The backward half comes from the end of the "
            "tensor; that direction ends at step 0.",
        ),
        Mistake(
            _wrong_summary("one late"),
            "Your forward half comes one step late: steps count from 0, so the last "
            "real one is lengths - 1.",
        ),
        Mistake(
            _wrong_summary("one early"),
            "Your forward half is one step early: the last real step is lengths - 1.",
        ),
        Mistake(
            _wrong_summary("longest"),
            "You take the same step of all sequences, the last of the longest one: "
            "each has its own, lengths[n] - 1.",
        ),
        Mistake(
            _wrong_summary("interleaved"),
            "The steps are right, the features are not: the directions lie one after "
            "the other, [:H] and [H:], and do not alternate.",
        ),
        Mistake(
            _wrong_summary("mean"),
            "You average over the real steps: here two single states are asked for.",
        ),
        Mistake(
            _wrong_summary("sum"),
            "You add the two states: put them side by side, torch.cat(..., 1).",
        ),
        Mistake(
            _wrong_summary("forward only"),
            "The forward state is right; put the backward one beside it.",
        ),
        Mistake(
            _wrong_summary("backward only"),
            "The backward state is right; put the forward one before it.",
        ),
        Mistake(
            _wrong_summary("mean of both"),
            "You average the two states: put them side by side, torch.cat(..., 1).",
        ),
        Mistake(
            _wrong_summary("one below the other"),
            "Both states are right, one below the other: join them along axis 1.",
        ),
        Mistake(
            _wrong_summary("alternating"),
            "Both states are right, but you let their features alternate: first all H "
            "of the forward direction, then all H of the backward one.",
        ),
        Mistake(
            _wrong_summary("sum of all"),
            "You add all steps up: here two single states are asked for.",
        ),
        Mistake(
            _wrong_summary("mean of all"),
            "You average over all steps, pads included: here two single states are "
            "asked for.",
        ),
        Mistake(
            _wrong_summary("maximum"),
            "You take the maximum over the steps: here two single states are asked "
            "for.",
        ),
        Mistake(
            _wrong_summary("same step"),
            "You take the forward half of all sequences at the step where the first "
            "sequence ends: each has its own, lengths[n] - 1.",
        ),
        Mistake(
            _wrong_summary("longest, both"),
            "You take the step where the longest sequence ends, for all sequences and "
            "for both directions: the forward one ends at lengths[n] - 1, the backward "
            "one at 0.",
        ),
        Mistake(
            _wrong_summary("non-zero steps"),
            "You count the steps that are not zero: a real step can be zero as well, "
            "for instance after a ReLU. Take the length from lengths.",
        ),
        Mistake(
            _wrong_summary("from the end"),
            "The forward half is right. The backward half comes from step L - lengths, "
            "as if the pads stood in front: that direction ends at step 0.",
        ),
        Mistake(
            _wrong_summary("second step"),
            "The forward half is right. Your backward half comes from step 1: steps "
            "count from 0, and the backward direction ends there.",
        ),
        Mistake(
            _wrong_summary("sorted"),
            "The states are right, sorted by length: keep the order of the batch.",
        ),
        Mistake(
            _wrong_summary("half detached"),
            "The output is right, but no gradient flows through the backward half: do "
            "not detach it.",
        ),
        Mistake(
            _wrong_summary("other half detached"),
            "The output is right, but no gradient flows through the forward half: do "
            "not detach it.",
        ),
        Mistake(
            _wrong_summary("stacked"),
            "Both states are right, on an axis of their own: torch.cat(..., 1) puts "
            "them side by side.",
        ),
        Mistake(
            _wrong_summary("detached"),
            "The output is right, the gradient is not: do not detach.",
        ),
    ),
)
