"""torch.nn: modules, their parameters, and what they are made of."""

import sys

from torch.nn import (
    functional,
    grad,
    init,
    layers,
    module,
    parameter,
    recurrent,
    transformer,
    utils,
)
from torch.nn._names import absent

for _part in (layers, module, parameter, recurrent, transformer):
    for _name in dir(_part):
        if _name[0] in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" and _name not in ("F", "Tensor"):
            globals()[_name] = getattr(_part, _name)

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
