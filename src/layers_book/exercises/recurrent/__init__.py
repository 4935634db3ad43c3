"""Exercises of the chapter on recurrent layers, and what asks two of them."""

from typing import Any

from torch import nn

from layers_book.checking import Refused, kind


def one_unit(layer: Any, wanted: type[nn.RNNBase], needs: str) -> Any:
    """A layer of two inputs and one unit, as an answer's function returns it.

    Args:
        layer: what the function returns.
        wanted: the class, such as ``nn.GRU``.
        needs: what asks for biases, such as ``"z must be open at (0, 0)"``.

    Raises:
        Refused: another layer, or none; no biases; a parameter that is not finite.
    """
    name = f"nn.{wanted.__name__}"
    if not isinstance(layer, wanted):
        if isinstance(layer, nn.Module):
            raise Refused(f"Return an {name}(2, 1), not {layer}.")
        raise Refused(f"Your function returns {kind(layer)}, not an {name}.")
    sizes = layer.input_size, layer.hidden_size, layer.num_layers, layer.proj_size
    if sizes != (2, 1, 1, 0) or layer.bidirectional:
        raise Refused(f"Return an {name}(2, 1), not {layer}.")
    if not layer.bias:
        raise Refused(
            f"Your layer has no biases, and {needs}: return an {name}(2, 1) with its "
            "biases."
        )
    if not all(p.isfinite().all() for p in layer.parameters()):
        raise Refused("A parameter of yours is not finite: 20 or 40 is large enough.")
    return layer
