"""torch.nn: modules, their parameters, and what they are made of."""

import sys

from torch.nn import functional, grad, init, utils
from torch.nn import layers, module, recurrent, transformer
from torch.nn._names import absent
from torch.nn.module import (
    Module,
    ModuleDict,
    ModuleList,
    ParameterDict,
    ParameterList,
    Sequential,
)
from torch.nn.parameter import Buffer, Parameter
from torch.nn.recurrent import (
    GRU,
    GRUCell,
    LSTM,
    LSTMCell,
    RNN,
    RNNBase,
    RNNCell,
    RNNCellBase,
)
from torch.nn.transformer import (
    MultiheadAttention,
    Transformer,
    TransformerDecoder,
    TransformerDecoderLayer,
    TransformerEncoder,
    TransformerEncoderLayer,
)

for _name in dir(layers):
    _found = getattr(layers, _name)
    if isinstance(_found, type) and _name[0] != "_" and issubclass(_found, Module):
        globals()[_name] = _found

modules = sys.modules["torch.nn"]

_MISSING = (
    "AdaptiveLogSoftmaxWithLoss CTCLoss Container CrossMapLRN2d DataParallel "
    "EmbeddingBag FractionalMaxPool2d FractionalMaxPool3d LazyBatchNorm1d "
    "LazyBatchNorm2d LazyBatchNorm3d LazyConv1d LazyConv2d LazyConv3d "
    "LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d LazyInstanceNorm1d "
    "LazyInstanceNorm2d LazyInstanceNorm3d LazyLinear LinearCrossEntropyLoss "
    "MultiLabelMarginLoss MultiLabelSoftMarginLoss MultiMarginLoss NLLLoss2d "
    "SyncBatchNorm TripletMarginWithDistanceLoss UninitializedBuffer "
    "UninitializedParameter attention backends common_types factory_kwargs intrinsic "
    "parallel qat quantizable quantized"
)


def __getattr__(name):
    return absent("torch.nn", _MISSING, name)
