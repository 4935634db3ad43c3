"""Helpers of the book "PyTorch layers": what several pages would otherwise repeat.

Part of the distribution ``torch-layers-book``, installed from the book's repository.
"""

from helpers._compare import assert_same
from helpers._data import digits, layer_names
from helpers._draw import draw_grid, draw_normalized_axes, draw_runs
from helpers._errors import shows_error
from helpers._inspect import ParameterCount, flops, output_shape, parameter_count
from helpers._session import begin
from helpers._training import paired, steps, table
from layers_book import figures
from layers_book.checking import Verdict
from layers_book.decoder import alice, trained_decoder
from layers_book.exercises import check
from layers_book.figures.windows import transposed_count, window_count
from layers_book.flow import Node, draw_flow
from layers_book.guess import guess
from layers_book.shapes import assert_shape

__all__ = [
    "Node",
    "ParameterCount",
    "Verdict",
    "alice",
    "assert_same",
    "assert_shape",
    "begin",
    "check",
    "digits",
    "draw_flow",
    "draw_grid",
    "draw_normalized_axes",
    "draw_runs",
    "figures",
    "flops",
    "guess",
    "layer_names",
    "output_shape",
    "paired",
    "parameter_count",
    "shows_error",
    "steps",
    "table",
    "trained_decoder",
    "transposed_count",
    "window_count",
]
