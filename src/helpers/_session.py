"""The state every page starts from."""

import os
import warnings

import torch

from layers_book.plot_style import use_book_style

DEVICE_VARIABLE = "LAYERS_BOOK_DEVICE"


def begin(seed: int = 0) -> torch.device:
    """Put torch and matplotlib into the book's state and return the page's device.

    Seeds torch's generators, prints tensors with 4 digits, sets the book's plot style,
    switches TF32 off and deterministic algorithms on, and uses one thread: a page then
    prints the same text on every machine. Nothing is printed.

    Args:
        seed: a whole number, given to ``torch.manual_seed``.

    Returns:
        ``cuda`` where a GPU is available, else ``cpu``. The environment variable
        ``LAYERS_BOOK_DEVICE`` (``cpu`` or ``cuda``) decides otherwise.

    Raises:
        ValueError: the environment variable names another device.
        RuntimeError: it asks for ``cuda`` and torch sees no GPU.

    Source: https://docs.pytorch.org/docs/stable/notes/randomness.html

    >>> device = begin()
    >>> torch.rand(3)
    tensor([0.4963, 0.7682, 0.0885])
    """
    device = _device(os.environ.get(DEVICE_VARIABLE, ""))
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.manual_seed(seed)
    torch.set_printoptions(precision=4, sci_mode=False, linewidth=80)
    torch.set_num_threads(1)
    # as use_deterministic_algorithms(True), which imports torch's compiler: seconds
    torch.set_deterministic_debug_mode("error")
    with warnings.catch_warnings():  # the newer names leave these two unreadable
        warnings.filterwarnings("ignore", "Please use the new API settings")
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    use_book_style()
    return device


def _device(wanted: str) -> torch.device:
    if wanted not in ("", "cpu", "cuda"):
        raise ValueError(
            f"{DEVICE_VARIABLE}={wanted!r}: allowed are 'cpu', 'cuda' or nothing"
        )
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise RuntimeError(
            f"{DEVICE_VARIABLE}=cuda, but torch {torch.__version__} sees no GPU: "
            "use a CUDA build of torch on a machine with one, or unset the variable"
        )
    return torch.device(wanted or ("cuda" if available else "cpu"))
