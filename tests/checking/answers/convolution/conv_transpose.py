"""Foreign answers to the exercises on transposed convolutions."""

import numpy as np
import torch
from answers import FOREIGN, Foreign, right, wrong
from torch.nn import functional as F

FOREIGN.extend(
    Foreign("conv_transpose/stamps", *case)
    for case in (
        ((1, 1, 2, 2, 1, 2, 2, 1, 1, 1), True),
        (torch.tensor([[[1.0, 1, 2, 2, 1, 2, 2, 1, 1, 1]]]), True),
        (np.array([1, 1, 2, 2, 1, 2, 2, 1, 1, 1]), True),
        ([1, 1, 1, 2, 2, 1, 2, 2, 1, 1], False, "start"),
        ("1 1 2 2 1 2 2 1 1 1", False, "list"),
        ([1, 1, 2, 2, 1, 2, 2, 1], False, "10"),
    )
)


@right("conv_transpose/input_gradient")
def pads_and_cuts(grad, weight, shape, stride=1, padding=0, dilation=1):
    y = F.conv_transpose2d(grad, weight, stride=stride, dilation=dilation)
    h, w = shape
    more = (
        0,
        max(0, w + 2 * padding - y.shape[3]),
        0,
        max(0, h + 2 * padding - y.shape[2]),
    )
    y = F.pad(y, more)
    return y[:, :, padding : padding + h, padding : padding + w]


@right("conv_transpose/input_gradient")
def by_difference(grad, weight, shape, stride=1, padding=0, dilation=1):
    same = {"stride": stride, "padding": padding, "dilation": dilation}
    small = F.conv_transpose2d(grad, weight, **same).shape[2:]
    extra = [a - b for a, b in zip(shape, small, strict=True)]
    return F.conv_transpose2d(grad, weight, output_padding=extra, **same)


@right("conv_transpose/input_gradient")
def by_layer(grad, weight, shape, stride=1, padding=0, dilation=1):
    o, c, *k = weight.shape
    up = torch.nn.ConvTranspose2d(o, c, k, stride, padding, 0, 1, False, dilation)
    size = [len(grad), c, *shape]
    rest = up._output_padding(
        grad, size[2:], up.stride, up.padding, up.kernel_size, 2, up.dilation
    )
    return F.conv_transpose2d(grad, weight, None, stride, padding, rest, 1, dilation)


@wrong("conv_transpose/input_gradient", "gradient.*weight")
def layer_with_data(grad, weight, shape, stride=1, padding=0, dilation=1):
    o, c, *k = weight.shape
    up = torch.nn.ConvTranspose2d(o, c, k, stride, padding, 0, 1, False, dilation)
    up = up.to(weight.dtype)
    up.weight.data = weight
    return up(grad, output_size=list(shape))


@wrong("conv_transpose/input_gradient", "gradient.*weight")
def copied(grad, weight, shape, stride=1, padding=0, dilation=1):
    o, c, *k = weight.shape
    up = torch.nn.ConvTranspose2d(o, c, k, stride, padding, 0, 1, False, dilation)
    up = up.to(weight.dtype)
    with torch.no_grad():
        up.weight.copy_(weight)
    return up(grad, output_size=list(shape))


@wrong("conv_transpose/input_gradient", "may not be")
def of_torch(grad, weight, shape, stride=1, padding=0, dilation=1):
    size = (len(grad), weight.shape[1], *shape)
    return torch.nn.grad.conv2d_input(size, weight, grad, stride, padding, dilation)


@wrong("conv_transpose/input_gradient", "may not be")
def of_autograd(grad, weight, shape, stride=1, padding=0, dilation=1):
    x = torch.zeros(len(grad), weight.shape[1], *shape, dtype=grad.dtype)
    x.requires_grad_()
    y = F.conv2d(x, weight, None, stride, padding, dilation)
    return torch.autograd.grad(y, x, grad, create_graph=True)[0]


@wrong("conv_transpose/input_gradient", "may not be")
def of_functional(grad, weight, shape, stride=1, padding=0, dilation=1):
    x = torch.zeros(len(grad), weight.shape[1], *shape, dtype=grad.dtype)
    run = torch.func.vjp(
        lambda x: F.conv2d(x, weight, None, stride, padding, dilation), x
    )[1]
    return run(grad)[0]


@wrong("conv_transpose/input_gradient", "smaller than shape")
def no_rest(grad, weight, shape, stride=1, padding=0, dilation=1):
    return F.conv_transpose2d(
        grad, weight, stride=stride, padding=padding, dilation=dilation
    )


@wrong("conv_transpose/input_gradient", "fill|computed|output_padding")
def zeros_behind(grad, weight, shape, stride=1, padding=0, dilation=1):
    y = F.conv_transpose2d(grad, weight, None, stride, padding, dilation=dilation)
    x = torch.zeros(len(grad), weight.shape[1], *shape, dtype=grad.dtype)
    x[:, :, : y.shape[2], : y.shape[3]] = y
    return x


@wrong("conv_transpose/input_gradient", "stretch|resize|rest|output_padding|differ")
def interpolated(grad, weight, shape, stride=1, padding=0, dilation=1):
    y = F.conv_transpose2d(grad, weight, None, stride, padding, dilation=dilation)
    return F.interpolate(y, shape)


@wrong("conv_transpose/input_gradient")
def positions(grad, weight, shape, stride=1, padding=0, dilation=1):
    rest = [
        (s + 2 * padding - dilation * (k - 1) - 1) % stride
        for s, k in zip(shape, weight.shape[2:], strict=True)
    ]  # dilation stands where groups is
    return F.conv_transpose2d(grad, weight, None, stride, padding, rest, dilation)


@right("conv_transpose/bilinear_kernel")
def of_fcn(scale):
    size = 2 * scale - scale % 2
    factor = (size + 1) // 2
    center = factor - 1 if size % 2 == 1 else factor - 0.5
    og = np.ogrid[:size, :size]
    filt = (1 - abs(og[0] - center) / factor) * (1 - abs(og[1] - center) / factor)
    return torch.from_numpy(filt).float()


@right("conv_transpose/bilinear_kernel")
def of_d2l(scale):
    k = 2 * scale - scale % 2
    factor = (k + 1) // 2
    center = factor - 1 if k % 2 else factor - 0.5
    og = torch.arange(k).reshape(-1, 1), torch.arange(k).reshape(1, -1)
    return (1 - (og[0] - center).abs() / factor) * (1 - (og[1] - center).abs() / factor)


@right("conv_transpose/bilinear_kernel")
def two_boxes(scale):
    k = 2 * scale - scale % 2
    rows = []
    for i in range(k):
        a = 1 - abs(i - (k - 1) / 2) / scale
        rows.append([a * (1 - abs(j - (k - 1) / 2) / scale) for j in range(k)])
    return torch.tensor(rows)


@wrong("conv_transpose/bilinear_kernel", "float64")
def not_float(scale):
    return two_boxes(scale).double()


@wrong("conv_transpose/bilinear_kernel", "tensor")
def as_array(scale):
    return two_boxes(scale).numpy()


@wrong("conv_transpose/bilinear_kernel", "shape|channel")
def with_channels(scale):
    return two_boxes(scale)[None, None]


@wrong("conv_transpose/bilinear_kernel", "may not be")
def interpolates(scale):
    k = 2 * scale - scale % 2
    dot = torch.zeros(1, 1, 5, 5)
    dot[..., 2, 2] = 1
    y = torch.nn.Upsample(scale_factor=scale, mode="bilinear")(dot)
    start = 2 * scale - (k - scale) // 2
    return y[0, 0, start : start + k, start : start + k]


@wrong("conv_transpose/bilinear_kernel", "one axis")
def tent_only(scale):
    return two_boxes(scale).diag().sqrt()


@right("conv_transpose/gather")
def by_stamps(x, weight, stride):
    h, w = (
        (n - 1) * stride + k for n, k in zip(x.shape[2:], weight.shape[2:], strict=True)
    )
    y = x.new_zeros(len(x), weight.shape[1], h, w)
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            rows = slice(i * stride, i * stride + weight.shape[2])
            columns = slice(j * stride, j * stride + weight.shape[3])
            stamp = torch.einsum("nc,couv->nouv", x[:, :, i, j], weight)
            y[:, :, rows, columns] += stamp
    return y


@right("conv_transpose/gather")
def by_fold(x, weight, stride):
    size = [
        (n - 1) * stride + k for n, k in zip(x.shape[2:], weight.shape[2:], strict=True)
    ]
    columns = weight.flatten(1).T @ x.flatten(2)
    return F.fold(columns, size, weight.shape[2:], stride=stride)


@right("conv_transpose/gather")
def padded_first(x, weight, stride):
    k_h, k_w = weight.shape[2:]
    n, c, h, w = x.shape
    gaps = torch.zeros(n, c, h, stride, w, stride, dtype=x.dtype)
    gaps[:, :, :, 0, :, 0] = x
    stuffed = gaps.reshape(n, c, h * stride, w * stride)
    stuffed = stuffed[:, :, : (h - 1) * stride + 1, : (w - 1) * stride + 1]
    stuffed = F.pad(stuffed, (k_w - 1, k_w - 1, k_h - 1, k_h - 1))
    return F.conv2d(stuffed, weight.flip(-1, -2).permute(1, 0, 2, 3))


@wrong("conv_transpose/gather", "may not be")
def by_the_layer(x, weight, stride):
    return torch.nn.functional.conv_transpose2d(x, weight, None, stride)


@wrong("conv_transpose/gather", "turned by 180")
def turned(x, weight, stride):
    return by_stamps(x, weight.flip(2, 3), stride)


@wrong("conv_transpose/gather", "upside down")
def upside_down(x, weight, stride):
    return by_fold(x, weight.flip(2), stride)


@wrong("conv_transpose/gather", "longer|behind the last")
def with_zeros_behind(x, weight, stride):
    k_h, k_w = weight.shape[2:]
    n, c, h, w = x.shape
    stuffed = x.new_zeros(n, c, h * stride, w * stride)
    stuffed[:, :, ::stride, ::stride] = x
    flipped = weight.transpose(0, 1).flip(2, 3)
    return F.conv2d(stuffed, flipped, padding=(k_h - 1, k_w - 1))


def _shares(kernel=4, window=2, seeds=8):
    """The differences of exercise 5, by another formula of the share."""
    found = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        layer = torch.nn.ConvTranspose2d(8, 1, kernel, stride=2, bias=False).double()
        y = layer(torch.ones(1, 8, 12, 12).double())
        z = F.avg_pool2d(y, window, 1)
        shares = []
        for values in (y[0, 0, 6:-6, 6:-6], z[0, 0, 6:-6, 6:-6]):
            square = (values**2).mean()
            shares.append(((square - values.mean() ** 2).clamp(min=0) / square).sqrt())
        found.append((shares[0] - shares[1]).item())
    return found


right("conv_transpose/average")(_shares)
right("conv_transpose/average")(lambda: _shares(seeds=16))
wrong("conv_transpose/average", "3 x 3")(lambda: _shares(window=3))
wrong("conv_transpose/average", "sign|minus")(lambda: [-d for d in _shares()])
