"""How a tensor is written."""

import _engine
from torch._core import boolean, int64
from torch._make import get_default_dtype
from torch._tensor import Tensor

_DEFAULT = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80}
_options = dict(_DEFAULT, sci_mode=None)


def set_printoptions(
    precision=None,
    threshold=None,
    edgeitems=None,
    linewidth=None,
    profile=None,
    sci_mode=None,
):
    """How many digits and elements are written from now on."""
    if profile is not None:
        _options.update(_DEFAULT)
        if profile == "short":
            _options.update({"precision": 2, "edgeitems": 2})
        if profile == "full":
            _options["threshold"] = 1 << 29
    given = (
        ("precision", precision),
        ("threshold", threshold),
        ("edgeitems", edgeitems),
        ("linewidth", linewidth),
    )
    for name, value in given:
        if value is not None:
            _options[name] = min(int(value), 1 << 29)
    _options["sci_mode"] = sci_mode


def text(x):
    """A tensor as torch writes it."""
    from torch.nn.parameter import Parameter

    plain = type(x) is Tensor or type(x) is Parameter
    prefix = "tensor(" if plain else type(x).__name__ + "("
    kind = x.dtype
    usual = get_default_dtype()
    suffixes = []
    if not x.numel():
        numbers = "[]"
        if x.dim() != 1:
            suffixes.append("size=" + str(tuple(x.shape)))
        if kind is not usual:
            suffixes.append("dtype=" + repr(kind))
    else:
        o = _options
        numbers = _engine.text(
            x._t,
            len(prefix),
            o["precision"],
            o["threshold"],
            o["edgeitems"],
            o["linewidth"],
            o["sci_mode"],
        )
        if kind not in (usual, int64, boolean):
            suffixes.append("dtype=" + repr(kind))
    made_by = _engine.made_by(x._t)
    if made_by:
        suffixes.append("grad_fn=<" + made_by + ">")
    elif x.requires_grad:
        suffixes.append("requires_grad=True")
    found = prefix + numbers
    length = len(found) - found.rfind("\n") + 1
    for suffix in suffixes:
        if length + len(suffix) + 2 > _options["linewidth"]:
            found += ",\n" + " " * len(prefix) + suffix
            length = len(prefix) + len(suffix)
        else:
            found += ", " + suffix
            length += len(suffix) + 2
    return found + ")"
