"""Exercises of the chapter on normalization, and the mistakes that they share."""

# what computes a normalization by itself
FORBIDDEN = ("layer_norm", "group_norm", "instance_norm", "batch_norm", "rms_norm")

# another eps where the caller gives none; before the mistakes that leave eps out
OTHER_DEFAULTS = (
    (
        "eps=1e-5",
        "eps=1e-8",
        "Where the caller gives no eps, yours is smaller than 1e-5: write eps=1e-5 in "
        "the def line, and use it.",
    ),
    (
        "eps=1e-5",
        "eps=1e-6",
        "Where the caller gives no eps, yours is 1e-6: write eps=1e-5 in the def line.",
    ),
    (
        "eps=1e-5",
        "eps=1e-3",
        "Where the caller gives no eps, yours is 1e-3: write eps=1e-5 in the def line.",
    ),
)


def standard_deviations(root: str, std: str) -> list[tuple[str, str, str]]:
    """Mistakes with x.std in place of the root of variance plus eps.

    Args:
        root: the root as the solution writes it.
        std: the call of std, with a place for the argument correction.
    """
    return [
        (
            root,
            f"({std.format('')} + eps)",
            "std divides by n - 1, and eps belongs under the root, next to the "
            "variance: torch.sqrt(var + eps), with correction=0 in var.",
        ),
        (
            root,
            f"({std.format('correction=0, ')} + eps)",
            "You add eps to what std gives; it belongs under the root, next to the "
            "variance: torch.sqrt(var + eps).",
        ),
    ]
