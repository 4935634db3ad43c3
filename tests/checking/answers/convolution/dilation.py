"""Foreign answers to the exercises on dilation."""

import numpy as np
import torch
from answers import FOREIGN, Foreign, right, wrong
from torch.nn import functional as F


@right("dilation/stream")
def entry_after_entry(x_t, past, weight, dilation):
    k = weight.shape[-1]
    y_t = x_t @ weight[:, :, -1].T
    for i in range(k - 1):
        y_t = y_t + past[:, :, i * dilation] @ weight[:, :, i].T
    if past.shape[-1] == 0:
        return y_t, past
    return y_t, torch.cat((past[:, :, 1:], x_t.unsqueeze(-1)), dim=-1)


@right("dilation/stream")
def by_zeros_in_the_holes(x_t, past, weight, dilation):
    window = torch.cat([past, x_t[..., None]], -1)
    wide = window.new_zeros(*weight.shape[:2], window.shape[-1])
    wide[..., ::dilation] = weight
    return torch.tensordot(window, wide, ([1, 2], [1, 2])), window[..., 1:]


@right("dilation/stream")
def by_places(x_t, past, weight, dilation):
    window = torch.cat([past, x_t[..., None]], -1)
    places = torch.arange(weight.shape[2], device=x_t.device) * dilation
    seen = window.index_select(2, places)
    return [(seen[:, None] * weight).sum((2, 3)), window.narrow(2, 1, past.shape[2])]


@wrong("dilation/stream", "may not be")
def torchs_layer(x_t, past, weight, dilation):
    window = torch.cat([past, x_t[..., None]], -1)
    return F.conv1d(window, weight, dilation=dilation)[..., 0], window[..., 1:]


@wrong("dilation/stream", "latest samples in a row")
def without_holes(x_t, past, weight, dilation):
    window = torch.cat([past, x_t[..., None]], -1)
    k = weight.shape[2]
    last = window[..., window.shape[2] - k :]
    return (last[:, None] * weight).sum((2, 3)), window[..., 1:]


@wrong("dilation/stream", "gains x_t")
def keeps_the_past(x_t, past, weight, dilation):
    return by_places(x_t, past, weight, dilation)[0], past


@wrong("dilation/stream", never="oldest sample first")
def rolls(x_t, past, weight, dilation):
    past = past.roll(1, 2)
    past[..., :1] = x_t[..., None]
    return by_places(x_t, past, weight, dilation)


@right("dilation/dense")
def by_products(layers):
    jumps = np.cumprod([1] + [stride for _, stride, _ in layers])
    return [(k, 1, d * int(j)) for (k, _, d), j in zip(layers, jumps, strict=False)]


@right("dilation/dense")
def as_lists(layers):
    made, jump = [], 1
    for k, s, d in layers:
        made += [[k, 1, d * jump]]
        jump = jump * s
    return made


@right("dilation/dense")
def of_its_own_head(layers):
    if not layers:
        return []
    (k, s, d), *rest = layers
    return [(k, 1, d), *of_its_own_head([(a, b, c * s) for a, b, c in rest])]


@wrong("dilation/dense", "layer before only")
def one_stride(layers):
    strides = [1, *(s for _, s, _ in layers)]
    return [(k, 1, d * s) for (k, _, d), s in zip(layers, strides, strict=False)]


@wrong("dilation/dense", "larger dilation itself")
def own_stride(layers):
    jumps = np.cumprod([s for _, s, _ in layers]).tolist()
    return [(k, 1, d * j) for (k, _, d), j in zip(layers, jumps, strict=True)]


@wrong("dilation/dense", never="larger dilation itself")
def from_the_top(layers):
    made, jump = [], 1
    for k, s, d in reversed(layers):
        made.insert(0, (k, 1, d * jump))
        jump *= s
    return made


@right("dilation/touched")
def by_list(dilations, kernel_size):
    reach = [0]
    for d in dilations:
        reach = sorted({r + i * d for r in reach for i in range(kernel_size)})
    return [len(reach), reach[-1] + 1]


@right("dilation/touched")
def by_polynomial(dilations, kernel_size):
    p = np.array([1])
    for d in dilations:
        step = np.zeros(d * (kernel_size - 1) + 1, dtype=int)
        step[::d] = 1
        p = np.convolve(p, step)
    return np.count_nonzero(p), p.size


@right("dilation/touched")
def as_tensors(dilations, kernel_size):
    reach = torch.zeros(1, dtype=torch.long)
    for d in dilations:
        reach = (reach[:, None] + d * torch.arange(kernel_size)).unique()
    return torch.tensor([len(reach), reach.max() + 1])


@right("dilation/touched")
def of_bits(dilations, kernel_size):
    bits = 1
    for d in dilations:
        new = 0
        for i in range(kernel_size):
            new |= bits << i * d
        bits = new
    return bits.bit_count(), bits.bit_length()


@wrong("dilation/touched", "paths")
def paths(dilations, kernel_size):
    return kernel_size ** len(dilations), 1 + (kernel_size - 1) * sum(dilations)


@wrong("dilation/touched", "may not be")
def by_gradient(dilations, kernel_size):
    n = 1 + (kernel_size - 1) * sum(dilations)
    x = torch.ones(1, 1, n, requires_grad=True)
    y = x
    for d in dilations:
        y = y.unfold(-1, (kernel_size - 1) * d + 1, 1)[..., ::d].sum(-1)
    y.sum().backward()
    return int((x.grad != 0).sum()), n


@wrong("dilation/touched", "may not be")
def by_convolution(dilations, kernel_size):
    n = 1 + (kernel_size - 1) * sum(dilations)
    found = 0
    for i in range(n):
        x = torch.eye(n)[i].view(1, 1, n)
        for d in dilations:
            x = F.conv1d(x, torch.ones(1, 1, kernel_size), dilation=d)
        found += int(x.item() > 0)
    return found, n


@wrong("dilation/touched", "pair|two|values")
def only_touched(dilations, kernel_size):
    return by_list(dilations, kernel_size)[0]


FOREIGN.extend(
    Foreign("dilation/three_rates", *case)
    for case in (
        ([1, 5, 15], True),
        ((1, 10, 5), True),
        ([3, 1, 15], True),
        (torch.tensor([6, 1, 3]), True),
        (np.array([2, 10, 1]), True),
        ([6.0, 2.0, 1.0], True),
        ([np.int64(1), torch.tensor(5), 15], True),
        ({1, 5, 15}, False, "list"),
        ([1, 3], False, "three"),
        ([1, 5, 0], False, "above 0"),
        ([1, 5, -15], False, "above 0"),
        ([1, "5", 15], False, "whole numbers"),
        ("139", False, "list"),
        ([1, 3, 9, 27], False, "three"),
        ([[1], [5], [15]], False, "whole numbers"),
        (lambda: 1, False, "list"),
        ([1, 5, 10**400], False),
        ([1, 5, float("nan")], False, "whole numbers"),
        ([1, 5, float("inf")], False, "whole numbers"),
        ([True, 5, 15], False),
        ([2, 3, 4], False, "1"),
        ([15, 5, 1], False, "from the input up"),
        ([3, 15, 1], False, "", "from the input up"),
    )
)

FOREIGN.extend(
    Foreign("dilation/stack", *case)
    for case in (
        ([43, 4], True),
        ((43, 4), True),
        (torch.tensor([43, 4]), True),
        (np.array([43.0, 4.0]), True),
        ([1 + 6 + 4 + 32, 4], True),
        ([19, 4], False, "dilation"),
        ([4, 43], False, "swapped"),
        ([43, 2], False, "one stride"),
        (43, False),
        ([43], False),
        ("43, 4", False),
    )
)
