"""The page's torch.nn: same seed, same parameters, outputs, gradients, state, repr."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

SETTINGS = settings(derandomize=True, deadline=None, max_examples=20)

# What runs on both sides: a layer, its parameters, what it gives, all gradients.
RUN = """
from torch import nn
from torch.nn import functional as F
torch.manual_seed(7)
layer = {layer}
{prepare}
names = list(layer.state_dict().keys())
state = [v.clone() for v in layer.state_dict().values()]
inputs = [x.clone().requires_grad_(x.is_floating_point()) for x in inputs]
found = layer(*inputs)
def flat(found):
    if isinstance(found, torch.Tensor):
        return [found]
    if found is None:
        return []
    return [t for each in found for t in flat(each)]
outputs = flat(found)
total = 0
for t in outputs:
    if t.is_floating_point():
        scale = torch.arange(t.numel()).to(t.dtype).reshape(t.shape) / t.numel()
        total = total + (t * (scale - 0.3)).sum()
if total.requires_grad:
    total.backward()
grads = [x.grad for x in inputs] + [p.grad for p in layer.parameters()]
after = [v.clone() for v in layer.state_dict().values()]
result = [repr(layer), names, state, [t.detach() for t in outputs], grads, after]
"""


def same(found: object, wanted: object) -> None:
    """Assert equality, of floats within what their precision allows."""
    if isinstance(wanted, torch.Tensor):
        assert isinstance(found, torch.Tensor), found
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        close = {torch.float64: 1e-10, torch.float32: 3e-5}.get(wanted.dtype, 0.02)
        torch.testing.assert_close(
            found.detach(), wanted.detach(), rtol=close, atol=close, equal_nan=True
        )
    elif isinstance(wanted, list | tuple):
        assert isinstance(found, list | tuple), found
        assert len(found) == len(wanted)
        for a, b in zip(found, wanted, strict=True):
            same(a, b)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=1e-6, nan_ok=True)
    else:
        assert found == wanted


def both(page: Any, code: str, **given: object) -> None:
    """Run code in the page and here, and compare the variable ``result``."""
    found = page.run(code, **given)
    names: dict[str, object] = {"torch": torch, **given}
    torch.manual_seed(0)
    exec(code, names)
    assert page.error is None, page.error
    same(found, names["result"])


def compare(page: Any, layer: str, *inputs: torch.Tensor, prepare: str = "") -> None:
    """Compare a layer on both sides."""
    both(page, RUN.format(layer=layer, prepare=prepare), inputs=list(inputs))


def drawn(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """An input; drawn in double, so that it is the same for each dtype."""
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


ACTIVATIONS = """
Threshold(0.1, 2.0); ReLU(); Hardtanh(); Hardtanh(-2.0, 0.5); ReLU6(); Sigmoid()
Hardsigmoid(); Tanh(); SiLU(); Mish(); Hardswish(); ELU(); ELU(alpha=0.5); CELU(1.5)
SELU(); GLU(); GLU(1); GELU(); GELU(approximate="tanh"); Hardshrink(); LeakyReLU()
LeakyReLU(0.3); LogSigmoid(); Softplus(); Softplus(2.0, 1.0); Softshrink(); Softsign()
Tanhshrink(); Softmin(dim=1); Softmax(dim=-1); LogSoftmax(dim=0); Softmax(); PReLU()
PReLU(4); RReLU(); Dropout(0.3); AlphaDropout(0.4); FeatureAlphaDropout(0.4)
Dropout1d(0.5); Identity(); Flatten(); Flatten(0, 1); Dropout(p=1); Dropout(0)
"""
ACTIVATIONS = ACTIVATIONS.strip().replace("\n", "; ").split("; ")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(page: Any, name: str) -> None:
    compare(page, "nn." + name, drawn(3, 4, 2))


LAYERS = [
    ("Linear(3, 4)", [(5, 3)]),
    ("Linear(3, 4, bias=False)", [(2, 5, 3)]),
    ("Linear(3, 4, dtype=torch.float64)", [(3,)]),
    ("Bilinear(2, 3, 4)", [(5, 2), (5, 3)]),
    ("Conv1d(2, 4, 3, padding='same')", [(3, 2, 7)]),
    ("Conv1d(2, 4, 3, padding=2, padding_mode='circular')", [(3, 2, 7)]),
    ("Conv2d(4, 6, 3, stride=2, padding=1, groups=2)", [(2, 4, 7, 6)]),
    ("Conv2d(2, 3, (3, 2), dilation=(1, 2), bias=False)", [(2, 7, 6)]),
    ("Conv2d(2, 3, 3, padding=(1, 2), padding_mode='reflect')", [(1, 2, 7, 6)]),
    ("Conv3d(1, 2, 2, padding='valid')", [(1, 1, 3, 4, 3)]),
    ("ConvTranspose1d(3, 2, 3, stride=2, output_padding=1)", [(2, 3, 4)]),
    ("ConvTranspose2d(4, 2, 3, 2, 1, groups=2, dilation=2)", [(2, 4, 4, 3)]),
    ("ConvTranspose3d(1, 2, 2)", [(1, 1, 3, 2, 3)]),
    ("MaxPool1d(2)", [(2, 3, 6)]),
    ("MaxPool2d(3, 2, 1, return_indices=True)", [(2, 3, 6, 5)]),
    ("MaxPool3d(2)", [(1, 2, 4, 4, 4)]),
    ("AvgPool1d(2)", [(2, 3, 6)]),
    ("AvgPool2d((2, 3), ceil_mode=True)", [(2, 3, 6, 7)]),
    ("AvgPool3d(2, divisor_override=3)", [(1, 2, 4, 4, 4)]),
    ("LPPool2d(2, 3, stride=2)", [(2, 3, 6, 5)]),
    ("AdaptiveAvgPool1d(3)", [(2, 3, 7)]),
    ("AdaptiveAvgPool2d((None, 3))", [(2, 3, 7, 8)]),
    ("AdaptiveMaxPool2d(2)", [(2, 3, 7, 8)]),
    ("Upsample(scale_factor=2)", [(1, 2, 3, 4)]),
    ("Upsample(size=(5, 7), mode='bilinear', align_corners=True)", [(1, 2, 3, 4)]),
    ("UpsamplingBilinear2d(scale_factor=2)", [(1, 2, 3, 4)]),
    ("PixelShuffle(2)", [(1, 8, 3, 2)]),
    ("PixelUnshuffle(2)", [(1, 2, 4, 6)]),
    ("ChannelShuffle(2)", [(1, 6, 2, 2)]),
    ("ZeroPad2d((1, 2, 0, 1))", [(1, 2, 3, 4)]),
    ("ConstantPad1d(2, 3.5)", [(1, 2, 3)]),
    ("ReflectionPad2d(1)", [(1, 2, 3, 4)]),
    ("ReplicationPad3d(1)", [(1, 1, 2, 3, 2)]),
    ("CircularPad2d((1, 1, 2, 0))", [(1, 2, 3, 4)]),
    ("Unfold((2, 3), stride=2)", [(1, 2, 4, 5)]),
    ("Fold((4, 5), kernel_size=(2, 3), padding=1)", [(1, 12, 25)]),
    ("Unflatten(1, (2, 3))", [(2, 6)]),
    ("BatchNorm1d(3)", [(5, 3)]),
    ("BatchNorm1d(3, momentum=None, bias=False)", [(5, 3, 2)]),
    ("BatchNorm2d(3, affine=False, track_running_stats=False)", [(2, 3, 4, 2)]),
    ("BatchNorm3d(2, eps=1e-3)", [(2, 2, 2, 3, 2)]),
    ("InstanceNorm1d(3)", [(3, 5)]),
    ("InstanceNorm2d(3, affine=True, track_running_stats=True)", [(2, 3, 4, 2)]),
    ("LayerNorm(4)", [(2, 3, 4)]),
    ("LayerNorm((3, 4), bias=False)", [(2, 3, 4)]),
    ("LayerNorm(4, elementwise_affine=False)", [(2, 3, 4)]),
    ("RMSNorm(4)", [(2, 3, 4)]),
    ("RMSNorm([3, 4], eps=1e-3)", [(2, 3, 4)]),
    ("GroupNorm(2, 4)", [(3, 4, 5)]),
    ("LocalResponseNorm(2)", [(2, 4, 3, 2)]),
    ("CosineSimilarity()", [(3, 4), (3, 4)]),
    ("PairwiseDistance()", [(3, 4), (3, 4)]),
    ("RNNCell(3, 4)", [(2, 3), (2, 4)]),
    ("RNNCell(3, 4, nonlinearity='relu', bias=False)", [(3,)]),
    ("GRUCell(3, 4)", [(2, 3), (2, 4)]),
    ("LSTMCell(3, 4)", [(2, 3)]),
    ("MultiheadAttention(4, 2)", [(5, 3, 4), (6, 3, 4), (6, 3, 4)]),
    ("MultiheadAttention(4, 2, batch_first=True, bias=False)", [(5, 3, 4)] * 3),
    (
        "MultiheadAttention(4, 2, 0, True, True, True, 3, 2)",
        [(5, 4), (6, 3), (6, 2)],
    ),
    ("TransformerEncoderLayer(4, 2, 8, 0.0, batch_first=True)", [(2, 3, 4)]),
    ("TransformerEncoderLayer(4, 2, 8, 0.2, 'gelu', norm_first=True)", [(2, 3, 4)]),
    (
        "TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 2, nn.LayerNorm(4))",
        [(5, 3, 4)],
    ),
    ("TransformerDecoderLayer(4, 2, 8, 0.0)", [(2, 3, 4), (5, 3, 4)]),
    ("Transformer(4, 2, 1, 1, 8, 0.0)", [(2, 3, 4), (5, 3, 4)]),
    ("Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))", [(5, 3)]),
]


@pytest.mark.parametrize(("layer", "shapes"), LAYERS)
def test_layers(page: Any, layer: str, shapes: list[tuple[int, ...]]) -> None:
    double = "float64" in layer
    dtype = torch.float64 if double else torch.float32
    compare(page, "nn." + layer, *[drawn(*shape, dtype=dtype) for shape in shapes])


@pytest.mark.parametrize(
    "layer",
    ["BatchNorm1d(3)", "InstanceNorm1d(3, track_running_stats=True)", "Dropout(0.5)"],
)
def test_eval(page: Any, layer: str) -> None:
    prepare = "layer(inputs[0] * 2 + 1); layer.eval(); torch.manual_seed(3)"
    compare(page, "nn." + layer, drawn(4, 3, 5), prepare=prepare)


def test_embedding(page: Any) -> None:
    indices = torch.tensor([[0, 2, 2], [4, 1, 0]])
    compare(page, "nn.Embedding(5, 3)", indices)
    compare(page, "nn.Embedding(5, 3, padding_idx=-3)", indices)
    compare(page, "nn.Embedding(5, 3, max_norm=1.0)", indices)


RECURRENT = st.fixed_dictionaries(
    {
        "num_layers": st.integers(1, 2),
        "bias": st.booleans(),
        "batch_first": st.booleans(),
        "dropout": st.sampled_from([0.0, 0.5]),
        "bidirectional": st.booleans(),
        "dtype": st.sampled_from(["torch.float32", "torch.float64"]),
    }
)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@SETTINGS
@given(
    options=RECURRENT,
    relu=st.booleans(),
    projected=st.booleans(),
    hidden=st.sampled_from([1, 4]),
    single=st.booleans(),
    states=st.booleans(),
)
def test_recurrent(
    page: Any,
    kind: str,
    options: dict[str, object],
    relu: bool,
    projected: bool,
    hidden: int,
    single: bool,
    states: bool,
) -> None:
    text = ", ".join(f"{name}={value}" for name, value in options.items())
    text += ", nonlinearity='relu'" if kind == "RNN" and relu else ""
    projected = projected and kind == "LSTM" and hidden > 2
    text += ", proj_size=2" if projected else ""
    dtype = torch.float64 if "64" in str(options["dtype"]) else torch.float32
    x = drawn(5, 3) if single else drawn(5, 2, 3)
    if options["batch_first"] and not single:
        x = x.transpose(0, 1).contiguous()
    count = (2 if options["bidirectional"] else 1) * int(str(options["num_layers"]))
    batch = [] if single else [2]
    h = drawn(count, *batch, 2 if projected else hidden, dtype=dtype)
    c = drawn(count, *batch, hidden, dtype=dtype)
    code = RUN.format(layer=f"nn.{kind}(3, {hidden}, {text})", prepare="")
    if states:
        given = (
            "(inputs[0], (inputs[1], inputs[2]))" if kind == "LSTM" else "(*inputs[:2])"
        )
        code = code.replace("(*inputs)", given)
    else:
        code = code.replace("(*inputs)", "(inputs[0])")
    both(page, code, inputs=[x.to(dtype), h, c])


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("ordered", [True, False])
def test_packed(page: Any, kind: str, ordered: bool) -> None:
    code = """
from torch import nn
from torch.nn.utils.rnn import *
torch.manual_seed(1)
layer = nn.KIND(3, 4, bidirectional=True, num_layers=2)
x = x.requires_grad_()
packed = pack_padded_sequence(x, lengths, enforce_sorted=ORDERED)
out, state = layer(packed)
padded, sizes = pad_packed_sequence(out, padding_value=0.5, total_length=7)
state = state[0] if isinstance(state, tuple) else state
(padded.sum() + (state * 2).sum()).backward()
rows = unpad_sequence(padded.transpose(0, 1), lengths, batch_first=True)
again = unpack_sequence(pack_sequence([r.detach() for r in rows], enforce_sorted=False))
result = [padded.detach(), sizes, state.detach(), x.grad, packed.data.detach(),
          packed.batch_sizes, [p.grad for p in layer.parameters()], again,
          pad_sequence(again, batch_first=True)]
"""
    code = code.replace("KIND", kind).replace("ORDERED", str(ordered))
    lengths = torch.tensor([5, 4, 1] if ordered else [2, 5, 3])
    both(page, code, x=drawn(5, 3, 3), lengths=lengths)


def test_second_derivative_of_recurrent(page: Any) -> None:
    code = """
from torch import nn
torch.manual_seed(1)
layer = nn.KIND(2, 3).double()
x = x.requires_grad_()
first = torch.autograd.grad((layer(x)[0] ** 2).sum(), x, create_graph=True)[0]
(first ** 2).sum().backward()
result = [first.detach(), x.grad, [p.grad for p in layer.parameters()]]
"""
    for kind in ("RNN", "GRU", "LSTM"):
        both(page, code.replace("KIND", kind), x=drawn(4, 2, 2, dtype=torch.float64))


LOSSES = [
    ("MSELoss()", "x", "y"),
    ("MSELoss(reduction='sum')", "x", "y"),
    ("L1Loss(reduction='none')", "x", "y"),
    ("SmoothL1Loss(beta=0.5)", "x", "y"),
    ("HuberLoss(delta=0.5)", "x", "y"),
    ("SoftMarginLoss()", "x", "y.sign()"),
    ("CrossEntropyLoss(label_smoothing=0.1)", "x", "k"),
    ("CrossEntropyLoss(torch.tensor([1., 2, 3]), ignore_index=1)", "x", "k"),
    ("CrossEntropyLoss()", "x", "y.softmax(1)"),
    ("NLLLoss()", "x.log_softmax(1)", "k"),
    ("BCELoss()", "x.sigmoid()", "y.sigmoid()"),
    ("BCEWithLogitsLoss(pos_weight=torch.tensor([1., 2, 3]))", "x", "y.sigmoid()"),
    ("KLDivLoss(reduction='batchmean')", "x.log_softmax(1)", "y.softmax(1)"),
    ("KLDivLoss(log_target=True)", "x", "y"),
    ("HingeEmbeddingLoss()", "x", "y.sign()"),
    ("CosineEmbeddingLoss(0.1)", "x, y", "torch.tensor([1, -1, 1, -1])"),
    ("MarginRankingLoss(0.2)", "x, y", "y.sign()"),
    ("TripletMarginLoss(swap=True)", "x, y", "x.flip(0) + 0.1"),
    ("PoissonNLLLoss(full=True)", "x", "(y.abs() * 3).round()"),
    ("GaussianNLLLoss(full=True)", "x, y", "(y.abs() + 0.1).detach()"),
]


@pytest.mark.parametrize(("loss", "inputs", "target"), LOSSES)
def test_losses(page: Any, loss: str, inputs: str, target: str) -> None:
    code = f"""
from torch import nn
x = x.requires_grad_()
loss = nn.{loss}
found = loss({inputs}, {target})
found.sum().backward()
result = [repr(loss), list(loss.state_dict()), found.detach(), x.grad]
"""
    k = torch.tensor([0, 2, 1, 2])
    both(page, code, x=drawn(4, 3), y=drawn(3, 4).t().contiguous(), k=k)


INITS = """
uniform_(w, -1, 2); normal_(w, 1, 0.5); trunc_normal_(w, std=1.5); constant_(w, 2.5)
ones_(w); zeros_(w); eye_(w); xavier_uniform_(w, gain=2); xavier_normal_(w)
kaiming_uniform_(w, mode="fan_out"); kaiming_normal_(w, nonlinearity="relu")
kaiming_normal_(w, 0.3); orthogonal_(w); orthogonal_(w.t(), 2); dirac_(v)
dirac_(v, 2); trunc_normal_(w, 0, 1, 0.5, 0.7); sparse_(w, 0.4)
"""


@pytest.mark.parametrize("call", INITS.strip().replace("\n", "; ").split("; "))
def test_init(page: Any, call: str) -> None:
    code = f"""
from torch import nn
torch.manual_seed(2)
w, v = torch.empty(4, 6, requires_grad=True), torch.empty(4, 2, 3)
found = nn.init.{call}
gains = [nn.init.calculate_gain(n) for n in ("tanh", "relu", "leaky_relu", "selu")]
result = [found.detach(), found.requires_grad, gains, torch.rand(2)]
"""
    both(page, code)


MODULE = """
from torch import nn
from collections import OrderedDict
import copy
class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2))
        self.register_buffer("kept", torch.zeros(3))
        self.register_buffer("passing", torch.arange(2), persistent=False)
        self.plain = torch.ones(1)
    def forward(self, x, power=1):
        return (x * self.scale) ** power
    def extra_repr(self):
        return "of two"
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Inner()
        self.layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
        self.layers.append(nn.ReLU())
        named = [("a", nn.Tanh()), ("b", nn.Linear(2, 1))]
        self.named = nn.ModuleDict(OrderedDict(named))
        self.free = nn.ParameterList([nn.Parameter(torch.ones(2, 1)), torch.zeros(1)])
        self.words = nn.ParameterDict({"u": torch.ones(1), "t": torch.zeros(2)})
        self.tied = self.layers[0]
        self.none = None
        self.register_parameter("missing", None)
    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.named["b"](self.inner(x, power=2))
torch.manual_seed(5)
net = Net()
"""

MODULES = [
    "[repr(net), repr(net.layers[1:]), repr(nn.Sequential(net.layers[0], nn.ReLU()))]",
    "[list(net.state_dict()), [n for n, _ in net.named_parameters()]]",
    "[n for n, _ in net.named_parameters(prefix='p', remove_duplicate=False)]",
    "[n for n, _ in net.named_parameters(recurse=False)]",
    "[[n for n, _ in net.named_buffers()], [n for n, _ in net.named_children()]]",
    "[n for n, _ in net.named_modules()]",
    "[type(m).__name__ for m in net.modules()]",
    "[len(list(net.parameters())), len(list(net.buffers()))]",
    "[net.training, net.eval().layers[0].training, net.train().inner.training]",
    "[p.dtype for p in net.double().parameters()] + [net.inner.passing.dtype]",
    "[net.to(torch.float64).inner.kept.dtype, net.half().inner.scale.dtype]",
    "[net.requires_grad_(False).inner.scale.requires_grad]",
    "[sorted(vars(net.inner)['_parameters']), list(net.inner._buffers)]",
    "[hasattr(net, 'inner'), hasattr(net, 'nothing'), 'scale' in vars(net.inner)]",
    "net(torch.ones(3, 2)).detach()",
    "repr(net.load_state_dict(net.state_dict()))",
    "repr(net.load_state_dict({'a': torch.ones(1)}, strict=False)[1])",
    "[repr(net.get_submodule('layers.1')), net.get_parameter('named.b.bias').shape]",
    "[net.apply(lambda m: m.eval()).training, net.get_buffer('inner.kept')]",
    "[type(net.free[1]).__name__, len(net.free), list(net.words.keys())]",
    "[list(net.named.keys()), 'a' in net.named, len(net.named), len(net.layers)]",
    "[type(net.layers.pop(0)).__name__, list(net.layers.state_dict())]",
    "repr(nn.Sequential(OrderedDict([('one', nn.ReLU()), ('two', nn.Tanh())])))",
    "repr(nn.Sequential(nn.ReLU()) + nn.Sequential(nn.Tanh()))",
    "[repr(nn.Parameter(torch.tensor([1.5, 2.0]))), net.inner.scale.is_leaf]",
    "[type(net.inner.scale.data).__name__, type(net.inner.scale * 2).__name__]",
    "[net.layers.state_dict(prefix='x.')['x.0.bias'].requires_grad]",
]


@pytest.mark.parametrize("expression", MODULES)
def test_modules(page: Any, expression: str) -> None:
    both(page, f"{MODULE}result = {expression}")


def test_module_changes(page: Any) -> None:
    code = (
        MODULE
        + """
twin = copy.deepcopy(net)
with torch.no_grad():
    twin.inner.scale.add_(1)
found = [net.inner.scale.detach().clone(), twin.tied is twin.layers[0]]
net.load_state_dict(twin.state_dict())
found += [net.inner.scale.detach(), net.tied is net.layers[0]]
net.inner.scale = None
found += [list(net.inner.state_dict()), net.inner.scale is None]
net.inner.scale = nn.Parameter(torch.zeros(2))
net.inner.kept = torch.ones(2)
del net.tied
net.extra = nn.Linear(1, 1)
net.extra = nn.Tanh()
found += [list(net.state_dict()), net.inner.kept]
seen = []
first = net.register_forward_pre_hook(lambda m, args: (args[0] * 2,))
second = net.register_forward_hook(lambda m, args, out: seen.append(args[0]) or out + 1)
x = torch.ones(2, 2)
before = net(x).detach()
first.remove()
second.remove()
found += [before, len(seen), net(x).detach()]
net(x).sum().backward()
found += [net.named["b"].bias.grad.clone()]
net.zero_grad()
found += [net.named["b"].bias.grad is None]
result = found
"""
    )
    both(page, code)


MODULE_ERRORS = [
    "nn.Module.__setattr__(object.__new__(Net), 'x', nn.Linear(1, 1))",
    "nn.Module.__setattr__(object.__new__(Net), 'x', nn.Parameter(torch.ones(1)))",
    "class A(nn.Module):\n    pass\nA()(1)",
    "net.inner.scale = torch.ones(2)",
    "net.inner.scale = 3",
    "net.inner = 3",
    "net.inner.kept = 3",
    "net.nothing",
    "del net.nothing",
    "net.register_buffer('a.b', torch.ones(1))",
    "net.register_buffer('', torch.ones(1))",
    "net.register_buffer('inner', torch.ones(1))",
    "net.register_buffer('b', 3)",
    "net.register_parameter('b', torch.ones(1))",
    "net.register_parameter('b', nn.Parameter(torch.ones(1)) * 2)",
    "net.add_module('x', 3)",
    "net.load_state_dict({})",
    "nn.Linear(2, 3).load_state_dict({'weight': torch.ones(2, 2), 'a': torch.ones(1)})",
    "net.load_state_dict(3)",
    "net.layers[9]",
    "net.get_submodule('layers.9')",
    "net.to(torch.int64)",
    "net.train(1)",
    "nn.Sequential(3)",
    "nn.Parameter(3)",
    "nn.Linear(2, 3)(torch.ones(4, 5))",
    "nn.Conv2d(3, 4, 3, groups=2)",
    "nn.Conv2d(3, 4, 3, stride=2, padding='same')",
    "nn.BatchNorm2d(3)(torch.ones(2, 3))",
    "nn.BatchNorm1d(3)(torch.ones(1, 3))",
    "nn.GroupNorm(2, 3)",
    "nn.LayerNorm(4)(torch.ones(2, 3))",
    "nn.Dropout(2)",
    "nn.Embedding(3, 2)(torch.tensor([3]))",
    "nn.GRU(3, 4)(torch.ones(2, 2, 2))",
    "nn.LSTM(3, 4)(torch.ones(2, 2, 3), (torch.ones(1, 2, 3), torch.ones(1, 2, 4)))",
    "nn.RNN(3, 4)(torch.ones(2, 2, 3).double())",
    "nn.RNN(3, 4)(torch.ones(2, 2, 3, 1))",
    "nn.GRU(3, 4)(torch.ones(2, 2, 3), torch.ones(1, 4))",
    "nn.GRUCell(3, 4)(torch.ones(2, 2))",
    "nn.MultiheadAttention(5, 2)",
    "nn.Unflatten(1, 3)",
    "nn.functional.dropout(torch.ones(2), 2)",
    "nn.utils.rnn.pack_padded_sequence(torch.ones(3, 2, 1), [2, 3])",
    "nn.utils.rnn.pack_padded_sequence(torch.ones(3, 2, 1), [3, 0])",
    "nn.init.kaiming_normal_(torch.ones(3))",
    "torch.optim.SGD([], 0.1)",
    "torch.optim.SGD(torch.ones(2), 0.1)",
    "torch.optim.SGD([torch.ones(2, requires_grad=True) * 2], 0.1)",
    "torch.optim.Adam(net.parameters(), -1.0)",
]


@pytest.mark.parametrize("code", MODULE_ERRORS)
def test_errors(page: Any, code: str) -> None:
    with pytest.raises(Exception) as wanted:
        exec(MODULE + code, {"torch": torch})
    page.run(MODULE + code)
    assert page.error is not None
    assert page.error.type == wanted.type.__name__
    # MicroPython's str of a KeyError has no quotes around it.
    said = wanted.value.args[0]
    assert page.error.text == said


def test_utils(page: Any) -> None:
    code = """
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
net(torch.ones(4, 3)).sum().backward()
total = nn.utils.clip_grad_norm_(net.parameters(), 1.5)
grads = [p.grad.clone() for p in net.parameters()]
whole = nn.utils.clip_grad_norm_(net.parameters(), 100, norm_type=float("inf"))
nn.utils.clip_grad_value_(net.parameters(), 0.2)
vector = nn.utils.parameters_to_vector(net.parameters())
nn.utils.vector_to_parameters(vector * 2, net.parameters())
result = [total, grads, whole, [p.grad for p in net.parameters()], vector.detach(),
          [p.detach() for p in net.parameters()]]
"""
    both(page, code)


OPTIMIZERS = [
    "SGD(net.parameters(), 0.1)",
    "SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01, dampening=0.1)",
    "SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True)",
    "SGD([{'params': net[0].parameters(), 'lr': 0.5}, {'params': [net[1].bias]}])",
    "Adam(net.parameters(), lr=0.02)",
    "Adam(net.parameters(), 0.02, (0.8, 0.9), weight_decay=0.1, amsgrad=True)",
    "AdamW(net.parameters(), 0.02)",
    "RMSprop(net.parameters(), 0.01, momentum=0.5, centered=True)",
    "Adagrad(net.parameters(), 0.1, lr_decay=0.01, weight_decay=0.01)",
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers(page: Any, optimizer: str) -> None:
    code = f"""
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)).double()
optimizer = torch.optim.{optimizer}
def train(steps):
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (net(x) ** 2).sum()
        loss.backward()
        optimizer.step()
    return loss
losses = [train(3).detach()]
kept = optimizer.state_dict()
optimizer.load_state_dict(kept)
losses += [train(3).detach()]
groups = [sorted(g) for g in kept["param_groups"]]
states = [sorted(kept["state"][i]) for i in sorted(kept["state"])]
found = [p.detach() for p in net.parameters()]
result = [losses, found, groups, states, repr(optimizer)]
"""
    both(page, code, x=drawn(5, 3, dtype=torch.float64))


SCHEDULES = [
    "StepLR(optimizer, 2, 0.5)",
    "MultiStepLR(optimizer, [1, 4])",
    "ExponentialLR(optimizer, 0.9)",
    "LambdaLR(optimizer, lambda step: 1 / (1 + step))",
    "CosineAnnealingLR(optimizer, 4, 0.01)",
]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules(page: Any, schedule: str) -> None:
    code = f"""
optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], 0.4)
schedule = torch.optim.lr_scheduler.{schedule}
rates = []
for _ in range(9):
    optimizer.step()
    schedule.step()
    rates.append(schedule.get_last_lr()[0])
result = rates
"""
    both(page, code)


def test_functional(page: Any) -> None:
    code = """
import torch.nn.functional as F
y = x.clone()
z = F.relu(y, inplace=True)
w = F.leaky_relu_(x.clone(), 0.3)
torch.manual_seed(4)
values, places = F.max_pool1d(x, 2, return_indices=True)
result = [z is y, y, w, values, places, F.elu(x, 0.5, True), F.softmax(x),
          F.dropout(x, 0.4), F.dropout(x, training=False), F.gumbel_softmax(x),
          F.rrelu(x, training=True), F.pad(x, (1, 2)), F.pad(x, (1, 1), value=2.0),
          F.interpolate(x[None], scale_factor=(2.0,)), F.normalize(x, dim=0),
          F.one_hot(torch.tensor([0, 2])), F.glu(x), F.gumbel_softmax(x, hard=True),
          F.mse_loss(x, y, reduce=False), F.alpha_dropout(x, 0.2, True),
          F.adaptive_avg_pool1d(x, 2), F.logsigmoid(x), F.hardtanh(x, -0.1, 0.2)]
"""
    both(page, code, x=drawn(3, 4))


@pytest.mark.parametrize(
    "code", ["nn.CTCLoss()", "nn.functional.ctc_loss", "torch.optim.LBFGS([])"]
)
def test_what_is_not_there_says_so(page: Any, code: str) -> None:
    page.run("from torch import nn\n" + code)
    assert page.error is not None
    assert page.error.type == "NotHere"
    assert page.error.text.endswith(
        "is not there in the page; open the notebook in Colab."
    )


def test_gradients_of_convolutions(page: Any) -> None:
    code = """
from torch.nn import grad
sizes = dict(stride=2, padding=1, dilation=2)
y = torch.nn.functional.conv2d(x, w, **sizes).flip(2)
result = [grad.conv2d_input(x.shape, w, y, **sizes),
          grad.conv2d_weight(x, w.shape, y, **sizes)]
"""
    both(page, code, x=drawn(2, 3, 8, 7), w=drawn(4, 3, 3, 2))
