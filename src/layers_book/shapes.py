"""An assertion on the axes of a tensor, by their letters."""

import torch


def assert_shape(x: torch.Tensor, names: str, **sizes: int) -> dict[str, int]:
    """Assert the number of axes and the sizes given by name; return every size.

    Args:
        x: any tensor.
        names: one name an axis, separated by spaces: ``"N C H W"``. A name used twice
            demands equal sizes.
        sizes: the size wanted of a named axis.

    Returns:
        The size of each named axis.

    Raises:
        AssertionError: another number of axes, or another size; names the axis.
        ValueError: ``sizes`` has a name that ``names`` lacks.

    >>> assert_shape(torch.zeros(8, 3, 5, 5), "N C H W", C=3)
    {'N': 8, 'C': 3, 'H': 5, 'W': 5}
    """
    axes = names.split()
    unknown = set(sizes) - set(axes)
    if unknown:
        raise ValueError(f"{sorted(unknown)} not among the axes of names={names!r}")
    shape = tuple(x.shape)
    if len(shape) != len(axes):
        raise AssertionError(
            f"x has {len(shape)} axes {shape}; {names!r} names {len(axes)}"
        )
    found: dict[str, int] = {}
    for axis, size in zip(axes, shape, strict=True):
        wanted = sizes.get(axis, found.get(axis, size))
        if size != wanted:
            raise AssertionError(f"axis {axis} of x {shape} is {size}, not {wanted}")
        found[axis] = size
    return found
