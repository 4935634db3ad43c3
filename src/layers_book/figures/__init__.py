"""Interactive figures: custom elements in plain JavaScript, drawn from torch's rules.

A figure is shown when it is a cell's last expression, in a notebook and in the book
alike; ``figure.live()`` gives a widget whose traits move the picture. Each ``NAME.py``
has its ``NAME.js`` beside it; ``core.js`` and ``tokens.json`` are shared.
"""

from layers_book.figures.attention_weights import AttentionWeights
from layers_book.figures.cached_decoder import CachedDecoder
from layers_book.figures.channel_mixing import ChannelMixing
from layers_book.figures.dropout_mask import DropoutMask
from layers_book.figures.figure import FIGURES, Figure, script, script_part, tokens
from layers_book.figures.gate_stepper import GateStepper
from layers_book.figures.gradient_through_time import GradientThroughTime
from layers_book.figures.link import linked
from layers_book.figures.lookup_table import LookupTable
from layers_book.figures.normalized_axes import NormalizedAxes
from layers_book.figures.pooling_bins import PoolingBins
from layers_book.figures.position_scores import PositionScores
from layers_book.figures.receptive_field import ReceptiveField
from layers_book.figures.resampling import Resampling
from layers_book.figures.running_statistics import RunningStatistics
from layers_book.figures.sequence_shapes import SequenceShapes
from layers_book.figures.shape_pipe import ShapePipe
from layers_book.figures.signal_depth import SignalDepth
from layers_book.figures.sliding_window import SlidingWindow
from layers_book.figures.trained_attention import TrainedAttention
from layers_book.figures.transformer_block import TransformerBlock
from layers_book.figures.transposed_convolution import TransposedConvolution
from layers_book.figures.unfold_fold import UnfoldFold

__all__ = [
    "FIGURES",
    "AttentionWeights",
    "CachedDecoder",
    "ChannelMixing",
    "DropoutMask",
    "Figure",
    "GateStepper",
    "GradientThroughTime",
    "LookupTable",
    "NormalizedAxes",
    "PoolingBins",
    "PositionScores",
    "ReceptiveField",
    "Resampling",
    "RunningStatistics",
    "SequenceShapes",
    "ShapePipe",
    "SignalDepth",
    "SlidingWindow",
    "TrainedAttention",
    "TransformerBlock",
    "TransposedConvolution",
    "UnfoldFold",
    "linked",
    "script",
    "script_part",
    "tokens",
]
