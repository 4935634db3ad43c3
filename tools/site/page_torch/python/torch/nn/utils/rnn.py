"""Sequences of different lengths in one tensor."""

import torch
from torch import Tensor
from torch._state import public

_FIELDS = ("data", "batch_sizes", "sorted_indices", "unsorted_indices")


class PackedSequence:
    """The steps of several sequences, one step after the other."""

    def __init__(
        self, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None
    ):
        if batch_sizes is None:
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        self.data = data
        self.batch_sizes = batch_sizes
        self.sorted_indices = sorted_indices
        self.unsorted_indices = unsorted_indices

    def _all(self):
        return tuple([getattr(self, name) for name in _FIELDS])

    def __iter__(self):
        return iter(self._all())

    def __getitem__(self, index):
        return self._all()[index]

    def __len__(self):
        return 4

    def __repr__(self):
        fields = [f"{name}={value!r}" for name, value in zip(_FIELDS, self)]
        return "PackedSequence(" + ", ".join(fields) + ")"

    def to(self, *args, **kwargs):
        return PackedSequence(self.data.to(*args, **kwargs), *self._all()[1:])

    def double(self):
        return self.to(torch.float64)

    def float(self):
        return self.to(torch.float32)


def invert_permutation(permutation):
    return None if permutation is None else torch.argsort(permutation)


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    lengths = torch.as_tensor(lengths).to(torch.int64)
    order = None
    if not enforce_sorted:
        lengths, order = torch.sort(lengths, descending=True)
        input = input.index_select(0 if batch_first else 1, order)
    steps = input.transpose(0, 1) if batch_first else input
    batch = steps.size(1)
    sizes = lengths.tolist()
    if len(sizes) != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} "
            f"(batch_size={batch})"
        )
    if min(sizes) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in "
            "'lengths' that is <= 0"
        )
    if sizes != sorted(sizes, reverse=True):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` "
            "is True. You can pass `enforce_sorted=False` to pack_padded_sequence "
            "and/or pack_sequence to sidestep this requirement if you do not need ONNX "
            "exportability."
        )
    if sizes[0] > steps.size(0):
        raise RuntimeError(
            "Expected all lengths to be at most the length of the input, "
            f"but got {sizes[0]} (length={steps.size(0)})"
        )
    counts = [sum([size > t for size in sizes]) for t in range(sizes[0])]
    rows = [t * batch + b for t, count in enumerate(counts) for b in range(count)]
    data = steps.reshape(-1, *steps.shape[2:]).index_select(0, torch.tensor(rows))
    return PackedSequence(data, torch.tensor(counts), order, None)


# as torch names it to those who forbid it
pack_padded_sequence = public("_pack_padded_sequence", "torch.", pack_padded_sequence)


def pad_packed_sequence(
    sequence, batch_first=False, padding_value=0.0, total_length=None
):
    data, sizes, _, back = sequence
    counts = sizes.tolist()
    length = len(counts)
    if total_length is not None:
        if total_length < length:
            raise ValueError(
                "Expected total_length to be at least the length of the longest "
                f"sequence in input, but got total_length={total_length} and max "
                f"sequence length being {length}"
            )
        length = total_length
    batch = counts[0]
    # Each place takes a row of the data, or the row of padding after them.
    rows, start = [], 0
    for t in range(length):
        count = counts[t] if t < len(counts) else 0
        rows += [start + b if b < count else data.size(0) for b in range(batch)]
        start += count
    padding = torch.full((1,) + tuple(data.shape[1:]), padding_value, dtype=data.dtype)
    found = torch.cat([data, padding]).index_select(0, torch.tensor(rows))
    found = found.reshape(length, batch, *data.shape[1:])
    lengths = torch.tensor([sum([count > b for count in counts]) for b in range(batch)])
    found = found.transpose(0, 1) if batch_first else found
    if back is not None:
        found = found.index_select(0 if batch_first else 1, back)
        lengths = lengths[back]
    return found, lengths


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    if isinstance(sequences, Tensor):
        sequences = sequences.unbind(0)
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    length = max([sequence.size(0) for sequence in sequences])
    rows = []
    for sequence in sequences:
        shape = (length - sequence.size(0),) + tuple(sequence.shape[1:])
        parts = [sequence, torch.full(shape, padding_value, dtype=sequence.dtype)]
        rows.append(torch.cat(parts if padding_side == "right" else parts[::-1]))
    return torch.stack(rows, 0 if batch_first else 1)


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    pairs = zip(padded_sequences.unbind(0), torch.as_tensor(lengths).tolist())
    return [sequence[:length].clone() for sequence, length in pairs]


def pack_sequence(sequences, enforce_sorted=True):
    lengths = torch.tensor([sequence.size(0) for sequence in sequences])
    padded = pad_sequence(sequences)
    return pack_padded_sequence(padded, lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences):
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
