"""Interactive figures: custom elements in plain JavaScript, drawn from torch's rules.

A figure is shown when it is a cell's last expression, in a notebook and in the book
alike; ``figure.live()`` gives a widget whose traits move the picture. Each ``NAME.py``
has its ``NAME.js`` beside it; ``core.js`` and ``tokens.json`` are shared.
"""

from helpers.figures._figure import ELEMENTS, Figure, script, script_part, tokens
from helpers.figures.attention_weights import AttentionWeights
from helpers.figures.channel_mixing import ChannelMixing
from helpers.figures.dropout_mask import DropoutMask
from helpers.figures.gate_stepper import GateStepper
from helpers.figures.gradient_through_time import GradientThroughTime
from helpers.figures.lookup_table import LookupTable
from helpers.figures.normalized_axes import NormalizedAxes
from helpers.figures.pooling_bins import PoolingBins
from helpers.figures.receptive_field import ReceptiveField
from helpers.figures.resampling import Resampling
from helpers.figures.running_statistics import RunningStatistics
from helpers.figures.sequence_shapes import SequenceShapes
from helpers.figures.shape_pipe import ShapePipe
from helpers.figures.signal_depth import SignalDepth
from helpers.figures.sliding_window import SlidingWindow
from helpers.figures.transposed_convolution import TransposedConvolution
from helpers.figures.unfold_fold import UnfoldFold

__all__ = [
    "ELEMENTS",
    "AttentionWeights",
    "ChannelMixing",
    "DropoutMask",
    "Figure",
    "GateStepper",
    "GradientThroughTime",
    "LookupTable",
    "NormalizedAxes",
    "PoolingBins",
    "ReceptiveField",
    "Resampling",
    "RunningStatistics",
    "SequenceShapes",
    "ShapePipe",
    "SignalDepth",
    "SlidingWindow",
    "TransposedConvolution",
    "UnfoldFold",
    "script",
    "script_part",
    "tokens",
]
