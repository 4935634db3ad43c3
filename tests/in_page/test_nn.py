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
        "MultiheadAttention(4, 2, kdim=3, vdim=2, add_bias_kv=True, add_zero_attn=True)",
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


@pytest.mark.parametrize("layer", ["BatchNorm1d(3)", "InstanceNorm1d(3, track_running_stats=True)", "Dropout(0.5)"])
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


@SETTINGS
@given(
    kind=st.sampled_from(["RNN", "GRU", "LSTM"]),
    options=RECURRENT,
    relu=st.booleans(),
    projected=st.booleans(),
    single=st.booleans(),
    states=st.booleans(),
)
def test_recurrent(
    page: Any,
    kind: str,
    options: dict[str, object],
    relu: bool,
    projected: bool,
    single: bool,
    states: bool,
) -> None:
    text = ", ".join(f"{name}={value}" for name, value in options.items())
    text += ", nonlinearity='relu'" if kind == "RNN" and relu else ""
    projected = projected and kind == "LSTM"
    text += ", proj_size=2" if projected else ""
    dtype = torch.float64 if "64" in str(options["dtype"]) else torch.float32
    x = drawn(5, 3) if single else drawn(5, 2, 3)
    if options["batch_first"] and not single:
        x = x.transpose(0, 1).contiguous()
    count = (2 if options["bidirectional"] else 1) * int(str(options["num_layers"]))
    batch = [] if single else [2]
    h = drawn(count, *batch, 2 if projected else 4, dtype=dtype)
    c = drawn(count, *batch, 4, dtype=dtype)
    code = RUN.format(layer=f"nn.{kind}(3, 4, {text})", prepare="")
    if states:
        given = "(inputs[0], (inputs[1], inputs[2]))" if kind == "LSTM" else "(*inputs[:2])"
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
