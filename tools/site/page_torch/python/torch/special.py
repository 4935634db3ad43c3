"""Functions that torch has under torch.special too."""

from torch._functions import FUNCTIONS
from torch._state import refuse

_SAME = {
    "expit": "sigmoid",
    "erf": "erf",
    "erfc": "erfc",
    "erfinv": "erfinv",
    "exp2": "exp2",
    "expm1": "expm1",
    "log1p": "log1p",
    "logit": "logit",
    "logsumexp": "logsumexp",
    "log_softmax": "log_softmax",
    "softmax": "softmax",
    "round": "round",
    "xlogy": "xlogy",
    "gammaln": "lgamma",
    "digamma": "digamma",
    "sinc": "sinc",
}
for _name in _SAME:
    globals()[_name] = FUNCTIONS[_SAME[_name]]


def __getattr__(name):
    from torch._names import SPECIAL

    if " " + name + " " in SPECIAL:
        refuse("torch.special." + name)
    raise AttributeError("module 'torch.special' has no attribute '" + name + "'")
