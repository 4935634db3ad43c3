"""The arithmetic of windows: how many fit along an axis, and the way back."""


def window_count(
    n: int,
    kernel_size: int,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """Length of what a convolution or a pooling makes of an axis.

    Args:
        n: cells along the axis, at least 1.
        kernel_size: entries of the kernel along it, at least 1.
        stride: cells from one window to the next, at least 1.
        padding: cells added on each side, at least 0.
        dilation: cells from one kernel entry to the next, at least 1.
        ceil_mode: of pooling: also a last window that runs over the end, as long as it
            starts within the input or the padding before it.

    Returns:
        The number of windows, at least 1.

    Raises:
        TypeError: an argument is not a whole number.
        ValueError: an argument is too small, or not even one window fits.

    Source: Dumoulin and Visin (2016), https://arxiv.org/abs/1603.07285;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html

    >>> window_count(5, 3), window_count(5, 3, stride=2), window_count(6, 3, stride=2)
    (3, 2, 2)
    >>> window_count(5, 7)
    Traceback (most recent call last):
    ValueError: kernel_size 7 spans 7 > n 5 + 2*padding 0: use padding >= 1 or a \
smaller kernel
    """
    _whole(1, n=n, kernel_size=kernel_size, stride=stride, dilation=dilation)
    _whole(0, padding=padding)
    span = dilation * (kernel_size - 1) + 1
    free = n + 2 * padding - span
    if free < 0:
        raise ValueError(
            f"kernel_size {kernel_size} spans {span} > n {n} + 2*padding {padding}: "
            f"use padding >= {padding + (1 - free) // 2} or a smaller kernel"
        )
    count = free // stride + 1
    if ceil_mode and free % stride and count * stride < n + padding:
        count += 1
    return count


def transposed_count(
    n: int,
    kernel_size: int,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    dilation: int = 1,
) -> int:
    """Length of what a transposed convolution makes of an axis.

    Args:
        n: cells along the axis, at least 1.
        kernel_size: entries of the kernel along it, at least 1.
        stride: output cells from one stamp of the kernel to the next, at least 1.
        padding: cells cut from each side of the output, at least 0.
        output_padding: cells added at the end, below stride or below dilation.
        dilation: cells from one kernel entry to the next, at least 1.

    Returns:
        The number of output cells, at least 1.

    Raises:
        TypeError: an argument is not a whole number.
        ValueError: an argument is out of range, or nothing is left of the output.

    Source: Dumoulin and Visin (2016), https://arxiv.org/abs/1603.07285;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html

    >>> transposed_count(3, 3, stride=2), transposed_count(3, 3, 2, output_padding=1)
    (7, 8)
    """
    _whole(1, n=n, kernel_size=kernel_size, stride=stride, dilation=dilation)
    _whole(0, padding=padding, output_padding=output_padding)
    if output_padding >= max(stride, dilation):
        raise ValueError(
            f"output_padding is {output_padding}: it must be smaller than stride "
            f"{stride} or dilation {dilation}"
        )
    span = dilation * (kernel_size - 1) + 1
    count = (n - 1) * stride + span - 2 * padding + output_padding
    if count < 1:
        raise ValueError(
            f"padding {padding} leaves {count} cells of {count + 2 * padding}: "
            f"use padding <= {(count + 2 * padding - 1) // 2}"
        )
    return count


def _whole(least: int, **values: int) -> None:
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} is {value!r}: it must be a whole number")
        if value < least:
            raise ValueError(f"{name} is {value}: allowed are {least} and above")
