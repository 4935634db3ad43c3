"""An error that a page provokes on purpose, shown in words that last."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def shows_error(kind: type[Exception], *parts: str) -> Iterator[None]:
    """Assert that the block raises, and print the parts of the message that matter.

    Torch words its messages anew from version to version. A page therefore names what
    it speaks of: only that is asserted, and only that is printed.

    Args:
        kind: the class of the error; a class of warnings turns warnings into errors.
        parts: pieces of the message, in their order, as it has them; ``*`` stands for
            anything within a line. Without any, the class alone is shown.

    Raises:
        AssertionError: nothing was raised, another class, or a part is missing.

    >>> import torch
    >>> with shows_error(RuntimeError, "shapes cannot be multiplied (*)"):
    ...     torch.ones(2, 3) @ torch.ones(2, 3)
    RuntimeError: shapes cannot be multiplied (2x3 and 2x3)
    """
    wanted = f"{kind.__name__} with {list(parts)}" if parts else kind.__name__
    try:
        with warnings.catch_warnings():
            if issubclass(kind, Warning):
                warnings.simplefilter("error", kind)
            yield
    except kind as error:
        rest, found = str(error), []
        for part in parts:
            pattern = re.escape(part).replace(r"\*", ".*?")
            here = re.search(pattern + "$" * part.endswith("*"), rest, re.MULTILINE)
            if here is None:
                raise AssertionError(f"expected {wanted}, got {error!r}") from error
            found.append(here[0])
            rest = rest[here.end() :]
        print(kind.__name__ + ": " * bool(found) + " ... ".join(found))
    except Exception as error:
        raise AssertionError(f"expected {wanted}, got {error!r}") from error
    else:
        raise AssertionError(f"expected {wanted}, nothing was raised")
