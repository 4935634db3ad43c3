"""Assertions that say what they compared."""

import torch

# torch.testing's own (relative, absolute); everything else is compared exactly
TOLERANCES = {
    torch.float16: (1e-3, 1e-5),
    torch.bfloat16: (1.6e-2, 1e-5),
    torch.float32: (1.3e-6, 1e-5),
    torch.float64: (1e-7, 1e-7),
}


def assert_same(
    actual: torch.Tensor, expected: torch.Tensor, what: str = "", *, atol: float = 0.0
) -> None:
    """Assert that two tensors agree up to rounding, and print what was compared.

    Args:
        actual: any shape and dtype.
        expected: the same shape and dtype.
        what: words for the printed line.
        atol: absolute tolerance, in the unit of the values, where ``torch.testing``'s
            default for the dtype is too tight; the greater of the two counts.

    Raises:
        AssertionError: shapes, dtypes or values differ; torch's words say where.

    Tolerances are those of ``torch.testing.assert_close``; on a GPU, whose kernels sum
    in another order, ten times those.

    Source: https://docs.pytorch.org/docs/stable/testing.html

    >>> assert_same(torch.ones(2, 3), torch.full((2, 3), 1 + 1e-7), "two ones")
    same: two ones, (2, 3) float32
    """
    for name, value in (("actual", actual), ("expected", expected)):
        if not isinstance(value, torch.Tensor):
            raise TypeError(f"{name} is {value!r}: it must be a tensor")
    rtol, least = TOLERANCES.get(actual.dtype, (0.0, 0.0))
    scale = 10 if actual.is_cuda or expected.is_cuda else 1
    torch.testing.assert_close(
        actual,
        expected,
        rtol=rtol * scale,
        atol=max(least * scale, atol),
        check_device=False,
        msg=(lambda text: f"{what}: {text}") if what else None,
    )
    dtype = str(actual.dtype).removeprefix("torch.")
    print(f"same: {what + ', ' if what else ''}{tuple(actual.shape)} {dtype}")
