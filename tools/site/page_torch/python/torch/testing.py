"""Comparing in tests: torch.testing."""

from torch._core import NUMBER, _isinstance
from torch._make import tensor
from torch._tensor import Tensor

_TOLERANCE = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
}


def assert_close(
    actual,
    expected,
    *,
    allow_subclasses=True,
    rtol=None,
    atol=None,
    equal_nan=False,
    check_device=True,
    check_dtype=True,
    check_layout=True,
    check_stride=False,
    msg=None,
):
    """Raise AssertionError if two tensors, or lists of them, are not close."""
    if _isinstance(actual, (list, tuple)):
        if len(actual) != len(expected):
            raise AssertionError(
                "The length of the sequences mismatch: "
                + str(len(actual))
                + " != "
                + str(len(expected))
            )
        for a, b in zip(actual, expected):
            assert_close(
                a,
                b,
                rtol=rtol,
                atol=atol,
                equal_nan=equal_nan,
                check_dtype=check_dtype,
                msg=msg,
            )
        return
    if _isinstance(actual, NUMBER):
        actual, expected = tensor(actual), tensor(expected)
    _fits(
        actual.shape == expected.shape,
        "values for attribute 'shape'",
        actual.shape,
        expected.shape,
        msg,
    )
    if check_dtype:
        _fits(
            actual.dtype is expected.dtype,
            "values for attribute 'dtype'",
            actual.dtype,
            expected.dtype,
            msg,
        )
    else:
        actual, expected = actual.double(), expected.double()
    both = [_TOLERANCE.get(x.dtype.name, (0.0, 0.0)) for x in (actual, expected)]
    rtol = max([r for r, _ in both]) if rtol is None else rtol
    atol = max([a for _, a in both]) if atol is None else atol
    close = actual.isclose(expected, rtol, atol, equal_nan)
    if not close.all():
        count, wrong = close.numel(), int((~close).sum())
        off = (actual.double() - expected.double()).abs()
        raise AssertionError(
            msg
            or (
                "Tensor-likes are not close!\n\nMismatched elements: "
                + str(wrong)
                + " / "
                + str(count)
                + " ("
                + f"{100 * wrong / count:.1f}"
                + "%)\n"
                "Greatest absolute difference: " + str(off.max().item())
            )
        )


def _fits(good, what, a, b, msg):
    if not good:
        raise AssertionError(
            msg or "The " + what + " do not match: " + str(a) + " != " + str(b) + "."
        )


def __getattr__(name):
    from torch._state import refuse

    if name in ("make_tensor", "assert_allclose"):
        refuse("torch.testing." + name)
    raise AttributeError("module 'torch.testing' has no attribute '" + name + "'")
