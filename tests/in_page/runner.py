"""Runs a job of page.mjs in MicroPython and writes its result down as JSON."""

import array
import io
import json
import struct
import sys

import torch
from torch import _state


def run(line):
    """The answer to a job, both as JSON."""
    job = json.loads(line)
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    names = {"__name__": "__main__", "torch": torch}
    for name, given in job["given"].items():
        names[name] = _made(given)
    try:
        exec(job["code"], names)
        return json.dumps({"result": _plain(names.get("result"))})
    except BaseException as error:
        text = io.StringIO()
        sys.print_exception(error, text)
        said = [type(error).__name__, str(error), _state.operation(error)]
        return json.dumps({"error": said, "trace": text.getvalue()})


def _made(given):
    if not isinstance(given, dict):
        return given
    if "tensor" in given:
        values = array.array("d", bytes.fromhex(given["data"]))
        found = torch.tensor(list(values), dtype=torch.float64).reshape(given["shape"])
        found = found.to(getattr(torch, given["tensor"]))
        return found.requires_grad_() if given["grad"] else found
    ((kind, data),) = given.items()
    if kind == "int":
        return int(data)
    if kind == "float":
        return struct.unpack("d", bytes.fromhex(data))[0]
    if kind in ("tuple", "list"):
        made = [_made(item) for item in data]
        return tuple(made) if kind == "tuple" else made
    if kind == "dict":
        return {_made(key): _made(item) for key, item in data}
    return getattr(torch, data)


def _encoded(values):
    return bytes(values).hex()


def _plain(value):
    if isinstance(value, torch.Tensor):
        dtype = repr(value.dtype).split(".")[1]
        flat = array.array("d", value.detach().double().reshape(-1).tolist())
        found = {"tensor": dtype, "shape": list(value.shape), "data": _encoded(flat)}
        return dict(found, grad=value.requires_grad)
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return {"int": str(value)}
    if isinstance(value, float):
        return {"float": _encoded(struct.pack("d", value))}
    if isinstance(value, torch.dtype):
        return {"dtype": repr(value).split(".")[1]}
    if isinstance(value, tuple):
        return {"tuple": [_plain(item) for item in value]}
    if isinstance(value, list):
        return {"list": [_plain(item) for item in value]}
    if isinstance(value, dict):
        return {"dict": [[_plain(k), _plain(v)] for k, v in value.items()]}
    return {"repr": repr(value)}
