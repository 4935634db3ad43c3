"""The layers that are not recurrent and have no attention."""

import math

import torch
from torch.nn import functional as F
from torch.nn import init
from torch.nn.module import Module
from torch.nn.parameter import Parameter


def _sizes(value, n):
    return (value,) * n if isinstance(value, (int, float)) else tuple(value)


class _Layer(Module):
    """A module that hands its arguments, kept as attributes, to a function of F."""

    def __init__(self, *args, **kwargs):
        super().__init__()
        name = type(self).__name__
        if len(args) > len(self._fields):
            raise TypeError(
                f"{name}.__init__() takes from 1 to {len(self._fields) + 1} positional "
                f"arguments but {len(args) + 1} were given"
            )
        for i, (field, default) in enumerate(self._fields):
            if i < len(args):
                value = args[i]
            elif field in kwargs:
                value = kwargs.pop(field)
            elif default is _Layer:
                raise TypeError(
                    f"{name}.__init__() missing 1 required positional argument: "
                    f"'{field}'"
                )
            else:
                value = default
            setattr(self, field, value)
        for field in kwargs:
            raise TypeError(
                f"{name}.__init__() got an unexpected keyword argument '{field}'"
            )
        self._settle()

    def _settle(self):
        """What is left to do once the arguments are kept."""

    def forward(self, *inputs):
        given = {field: getattr(self, field) for field, _ in self._fields}
        return getattr(F, self._call)(*inputs, **given)

    def extra_repr(self):
        text = self._shown.format(**self.__dict__)
        if self.__dict__.get("inplace", False) and self._tells:
            text += ", inplace=True" if text else "inplace=True"
        return text


def _layer(name, call, fields="", shown=None, base=_Layer, **more):
    found = []
    for field in fields.split(", ") if fields else ():
        word, has, default = field.partition("=")
        found.append((word, eval(default) if has else _Layer))
    if shown is None:
        words = [word for word, _ in found if word != "inplace"]
        shown = ", ".join([word + "={" + word + "}" for word in words])
    members = dict(more)
    for key, value in (("_fields", found), ("_call", call), ("_shown", shown)):
        members[key] = value
    members.setdefault("_tells", True)
    made = type(name, (base,), members)
    globals()[name] = made
    return made


class Identity(Module):
    def __init__(self, *_, **__):
        super().__init__()

    def forward(self, input):
        return input


# Activations -----------------------------------------------------------------------

_layer("Threshold", "threshold", "threshold, value, inplace=False")
_layer("ReLU", "relu", "inplace=False")
_layer("RReLU", "rrelu", "lower=1/8, upper=1/3, inplace=False")
_layer("Hardtanh", "hardtanh", "min_val=-1.0, max_val=1.0, inplace=False")
_layer("ReLU6", "relu6", "inplace=False")
_layer("Sigmoid", "sigmoid")
_layer("Hardsigmoid", "hardsigmoid", "inplace=False", _tells=False)
_layer("Tanh", "tanh")
_layer("SiLU", "silu", "inplace=False")
_layer("Mish", "mish", "inplace=False")
_layer("Hardswish", "hardswish", "inplace=False", _tells=False)
_layer("ELU", "elu", "alpha=1.0, inplace=False")
_layer("CELU", "celu", "alpha=1.0, inplace=False")
_layer("SELU", "selu", "inplace=False")
_layer("GLU", "glu", "dim=-1")
_layer("GELU", "gelu", "approximate='none'", "approximate={approximate!r}")
_layer("Hardshrink", "hardshrink", "lambd=0.5", "{lambd}")
_layer("LeakyReLU", "leaky_relu", "negative_slope=0.01, inplace=False")
_layer("LogSigmoid", "logsigmoid")
_layer("Softplus", "softplus", "beta=1.0, threshold=20.0")
_layer("Softshrink", "softshrink", "lambd=0.5", "{lambd}")
_layer("Softsign", "softsign")
_layer("Tanhshrink", "tanhshrink")
_layer("Softmin", "softmin", "dim=None")
_layer("Softmax", "softmax", "dim=None")
_layer("LogSoftmax", "log_softmax", "dim=None")


class Softmax2d(Module):
    def forward(self, input):
        if input.dim() not in (3, 4):
            raise ValueError(
                f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead"
            )
        return F.softmax(input, -3)


def _train(self, input):
    given = {field: getattr(self, field) for field, _ in self._fields}
    return getattr(F, self._call)(input, training=self.training, **given)


globals()["RReLU"].forward = _train


class PReLU(Module):
    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(torch.empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self):
        init.constant_(self.weight, self.init)

    def forward(self, input):
        return F.prelu(input, self.weight)

    def extra_repr(self):
        return f"num_parameters={self.num_parameters}"


# Dropout ---------------------------------------------------------------------------


class _Dropout(_Layer):
    def _settle(self):
        if self.p < 0 or self.p > 1:
            raise ValueError(
                f"dropout probability has to be between 0 and 1, but got {self.p}"
            )

    forward = _train


_shown = "p={p}, inplace={inplace}"
for _name, _function in (
    ("Dropout", "dropout"),
    ("Dropout1d", "dropout1d"),
    ("Dropout2d", "dropout2d"),
    ("Dropout3d", "dropout3d"),
    ("AlphaDropout", "alpha_dropout"),
    ("FeatureAlphaDropout", "feature_alpha_dropout"),
):
    _layer(_name, _function, "p=0.5, inplace=False", _shown, _Dropout, _tells=False)


# Shapes ----------------------------------------------------------------------------


class Flatten(Module):
    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input):
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self):
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    def __init__(self, dim, unflattened_size):
        super().__init__()
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(
                "unflattened_size must be a tuple of ints, but found type "
                f"{type(unflattened_size).__name__}"
            )
        for i, size in enumerate(unflattened_size):
            if not isinstance(size, int):
                raise TypeError(
                    "unflattened_size must be tuple of ints, "
                    f"but found element of type {type(size).__name__} at pos {i}"
                )
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input):
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self):
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


_blocks = "kernel_size, dilation=1, padding=0, stride=1"
_layer("Unfold", "unfold", _blocks)
_layer("Fold", "fold", "output_size, " + _blocks)
_layer("PixelShuffle", "pixel_shuffle", "upscale_factor")
_layer("PixelUnshuffle", "pixel_unshuffle", "downscale_factor")
_layer("ChannelShuffle", "channel_shuffle", "groups")
_layer("CosineSimilarity", "cosine_similarity", "dim=1, eps=1e-8", "")


class PairwiseDistance(Module):
    def __init__(self, p=2.0, eps=1e-6, keepdim=False):
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1, x2):
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class Upsample(Module):
    def __init__(
        self,
        size=None,
        scale_factor=None,
        mode="nearest",
        align_corners=None,
        recompute_scale_factor=None,
    ):
        super().__init__()
        self.name = type(self).__name__
        self.size = size
        if isinstance(scale_factor, tuple):
            self.scale_factor = tuple([float(factor) for factor in scale_factor])
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input):
        return F.interpolate(
            input,
            self.size,
            self.scale_factor,
            self.mode,
            self.align_corners,
            recompute_scale_factor=self.recompute_scale_factor,
        )

    def extra_repr(self):
        if self.scale_factor is not None:
            return f"scale_factor={self.scale_factor!r}, mode={self.mode!r}"
        return f"size={self.size!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    def __init__(self, size=None, scale_factor=None):
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    def __init__(self, size=None, scale_factor=None):
        super().__init__(size, scale_factor, "bilinear", True)


# Padding ---------------------------------------------------------------------------


class _Pad(_Layer):
    def _settle(self):
        self.padding = _sizes(self.padding, 2 * self._n)

    def forward(self, input):
        dims = (self._n + 1, self._n + 2)
        if self._mode == "circular" and input.dim() not in dims:
            raise ValueError(
                f"expected {dims[0]}D or {dims[1]}D input (got {input.dim()}D input)"
            )
        value = getattr(self, "value", 0.0)
        if self._mode != "constant":
            return F.pad(input, self.padding, self._mode)
        return F.pad(input, self.padding, "constant", value)


for _n in (1, 2, 3):
    for _name, _mode, _fields, _shown in (
        ("ZeroPad", "constant", "padding", "{padding}"),
        ("ConstantPad", "constant", "padding, value", None),
        ("ReflectionPad", "reflect", "padding", "{padding}"),
        ("ReplicationPad", "replicate", "padding", "{padding}"),
        ("CircularPad", "circular", "padding", "{padding}"),
    ):
        _layer(f"{_name}{_n}d", "pad", _fields, _shown, _Pad, _n=_n, _mode=_mode)


# Pooling ---------------------------------------------------------------------------


class _Pool(_Layer):
    def _settle(self):
        if self.stride is None:
            self.stride = self.kernel_size
        if self._tuples:
            for name in ("kernel_size", "stride", "padding"):
                setattr(self, name, _sizes(getattr(self, name), self._tuples))


class _MaxUnpool(_Pool):
    def forward(self, input, indices, output_size=None):
        function = getattr(F, self._call)
        sizes = self.kernel_size, self.stride, self.padding
        return function(input, indices, *sizes, output_size)


_max = "kernel_size, stride=None, padding=0, dilation=1, return_indices=False, "
_max += "ceil_mode=False"
_average = (
    "kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True"
)
_three = "kernel_size={kernel_size}, stride={stride}, padding={padding}"
_four = _three + ", dilation={dilation}, ceil_mode={ceil_mode}"
_norm = "norm_type, kernel_size, stride=None, ceil_mode=False"
for _n in (1, 2, 3):
    _fields = _average + (", divisor_override=None" if _n > 1 else "")
    _flat = _n if _n == 1 else 0
    _layer(f"MaxPool{_n}d", f"max_pool{_n}d", _max, _four, _Pool, _tuples=0)
    _layer(f"AvgPool{_n}d", f"avg_pool{_n}d", _fields, _three, _Pool, _tuples=_flat)
    _fields = "kernel_size, stride=None, padding=0"
    _layer(
        f"MaxUnpool{_n}d", f"max_unpool{_n}d", _fields, _three, _MaxUnpool, _tuples=_n
    )
    _layer(f"LPPool{_n}d", f"lp_pool{_n}d", _norm)
    _layer(f"AdaptiveAvgPool{_n}d", f"adaptive_avg_pool{_n}d", "output_size")
    _layer(
        f"AdaptiveMaxPool{_n}d",
        f"adaptive_max_pool{_n}d",
        "output_size, return_indices=False",
        "output_size={output_size}",
    )


# Linear ----------------------------------------------------------------------------


def _made(module, name, shape, wanted, kwargs):
    """Registers a parameter, or None in its place."""
    made = Parameter(torch.empty(*shape, **kwargs)) if wanted else None
    module.register_parameter(name, made)


def _reset(module):
    """What linear and convolution layers draw first."""
    init.kaiming_uniform_(module.weight, math.sqrt(5))
    if module.bias is not None:
        fan_in, _ = init._calculate_fan_in_and_fan_out(module.weight)
        bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
        init.uniform_(module.bias, -bound, bound)


class Linear(Module):
    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        kwargs = {"device": device, "dtype": dtype}
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        _made(self, "weight", (out_features, in_features), True, kwargs)
        _made(self, "bias", (out_features,), bias, kwargs)
        self.reset_parameters()

    def reset_parameters(self):
        _reset(self)

    def forward(self, input):
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self):
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class NonDynamicallyQuantizableLinear(Linear):
    pass


class Bilinear(Module):
    def __init__(
        self,
        in1_features,
        in2_features,
        out_features,
        bias=True,
        device=None,
        dtype=None,
    ):
        kwargs = {"device": device, "dtype": dtype}
        super().__init__()
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        shape = (out_features, in1_features, in2_features)
        _made(self, "weight", shape, True, kwargs)
        _made(self, "bias", (out_features,), bias, kwargs)
        self.reset_parameters()

    def reset_parameters(self):
        if self.in1_features <= 0:
            raise ValueError(
                f"in1_features must be > 0, but got (in1_features={self.in1_features})"
            )
        bound = 1 / math.sqrt(self.in1_features)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input1, input2):
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self):
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class Embedding(Module):
    def __init__(
        self,
        num_embeddings,
        embedding_dim,
        padding_idx=None,
        max_norm=None,
        norm_type=2.0,
        scale_grad_by_freq=False,
        sparse=False,
        _weight=None,
        _freeze=False,
        device=None,
        dtype=None,
    ):
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < max(num_embeddings, 1):
                raise AssertionError("Padding_idx must be within num_embeddings")
            padding_idx = (
                padding_idx % num_embeddings if num_embeddings else padding_idx
            )
        self.padding_idx = padding_idx
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        if _weight is None:
            empty = torch.empty(
                num_embeddings, embedding_dim, device=device, dtype=dtype
            )
            self.weight = Parameter(empty, not _freeze)
            self.reset_parameters()
        else:
            if tuple(_weight.shape) != (num_embeddings, embedding_dim):
                raise AssertionError(
                    "Shape of weight does not match num_embeddings and embedding_dim"
                )
            self.weight = Parameter(_weight, not _freeze)
        self.sparse = sparse

    def reset_parameters(self):
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with torch.no_grad():
                self.weight[self.padding_idx].fill_(0)

    def forward(self, input):
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self):
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq is not False:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        return text + (", sparse=True" if self.sparse is not False else "")

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, padding_idx=None, **kwargs):
        if embeddings.dim() != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
        rows, columns = embeddings.shape
        return cls(
            rows, columns, padding_idx, _weight=embeddings, _freeze=freeze, **kwargs
        )


# Convolution -----------------------------------------------------------------------

_MODES = ("zeros", "reflect", "replicate", "circular")


class _Conv(Module):
    transposed = False

    def _keep(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding,
        dilation,
        output_padding,
        groups,
        bias,
        padding_mode,
        kwargs,
    ):
        n = self._n
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = _sizes(kernel_size, n)
        self.stride = _sizes(stride, n)
        self.padding = padding if isinstance(padding, str) else _sizes(padding, n)
        self.dilation = _sizes(dilation, n)
        self.transposed = self.transposed
        self.output_padding = _sizes(output_padding, n)
        self.groups = groups
        self.padding_mode = padding_mode
        self._check(padding)
        inner, outer = in_channels, out_channels
        if self.transposed:
            inner, outer = outer, inner
        shape = (outer, inner // groups) + self.kernel_size
        _made(self, "weight", shape, True, kwargs)
        _made(self, "bias", (out_channels,), bias, kwargs)
        self.reset_parameters()

    def _check(self, padding):
        groups = self.groups
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if self.in_channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if self.out_channels % groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(
                    f"Invalid padding string {padding!r}, should be one of "
                    + "{'valid', 'same'}"
                )
            if padding == "same" and max(self.stride) != 1:
                raise ValueError(
                    "padding='same' is not supported for strided convolutions"
                )
        if self.padding_mode not in _MODES:
            modes = "{" + ", ".join([repr(mode) for mode in _MODES]) + "}"
            raise ValueError(
                f"padding_mode must be one of {modes}, "
                f"but got padding_mode='{self.padding_mode}'"
            )

    def reset_parameters(self):
        _reset(self)

    def extra_repr(self):
        text = (
            "{in_channels}, {out_channels}, kernel_size={kernel_size}, stride={stride}"
        )
        if self.padding != (0,) * len(self.padding):
            text += ", padding={padding}"
        if self.dilation != (1,) * self._n:
            text += ", dilation={dilation}"
        if self.output_padding != (0,) * self._n:
            text += ", output_padding={output_padding}"
        if self.groups != 1:
            text += ", groups={groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += ", padding_mode={padding_mode}"
        return text.format(**self.__dict__)


class _ConvNd(_Conv):
    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias=True,
        padding_mode="zeros",
        device=None,
        dtype=None,
    ):
        super().__init__()
        kwargs = {"device": device, "dtype": dtype}
        sizes = (kernel_size, stride, padding, dilation, 0)
        self._keep(
            in_channels, out_channels, *sizes, groups, bias, padding_mode, kwargs
        )

    def _around(self):
        """How much to pad, last dim first, as F.pad wants it."""
        around = []
        for i in range(self._n - 1, -1, -1):
            if self.padding == "valid":
                around += [0, 0]
            elif self.padding == "same":
                total = self.dilation[i] * (self.kernel_size[i] - 1)
                around += [total // 2, total - total // 2]
            else:
                around += [self.padding[i], self.padding[i]]
        return around

    def _conv_forward(self, input, weight, bias):
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._around(), mode=self.padding_mode)
            padding = 0
        convolve = getattr(F, f"conv{self._n}d")
        return convolve(
            input, weight, bias, self.stride, padding, self.dilation, self.groups
        )

    def forward(self, input):
        return self._conv_forward(input, self.weight, self.bias)


class _ConvTransposeNd(_Conv):
    transposed = True

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        output_padding=0,
        groups=1,
        bias=True,
        dilation=1,
        padding_mode="zeros",
        device=None,
        dtype=None,
    ):
        if padding_mode != "zeros":
            raise ValueError(
                f'Only "zeros" padding mode is supported for {type(self).__name__}'
            )
        super().__init__()
        kwargs = {"device": device, "dtype": dtype}
        sizes = (kernel_size, stride, padding, dilation, output_padding)
        self._keep(
            in_channels, out_channels, *sizes, groups, bias, padding_mode, kwargs
        )

    def _output_padding(self, input, output_size):
        n = self._n
        if output_size is None:
            return self.output_padding
        before = 2 if input.dim() == n + 2 else 1
        if len(output_size) == before + n:
            output_size = output_size[before:]
        if len(output_size) != n:
            raise ValueError(
                f"ConvTranspose{n}D: for {input.dim()}D input, output_size must have "
                f"{n} or {before + n} elements (got {len(output_size)})"
            )
        least = []
        for d in range(n):
            size = (input.size(d + before) - 1) * self.stride[d] - 2 * self.padding[d]
            least.append(size + self.dilation[d] * (self.kernel_size[d] - 1) + 1)
        most = [least[d] + self.stride[d] - 1 for d in range(n)]
        for d in range(n):
            if not least[d] <= output_size[d] <= most[d]:
                raise ValueError(
                    f"requested an output size of {output_size}, but valid sizes range "
                    f"from {least} to {most} (for an input of {input.size()[2:]})"
                )
        return [output_size[d] - least[d] for d in range(n)]

    def forward(self, input, output_size=None):
        convolve = getattr(F, f"conv_transpose{self._n}d")
        extra = self._output_padding(input, output_size)
        sizes = (self.stride, self.padding, extra, self.groups, self.dilation)
        return convolve(input, self.weight, self.bias, *sizes)


for _n in (1, 2, 3):
    for _name, _base in (("Conv", _ConvNd), ("ConvTranspose", _ConvTransposeNd)):
        _name = f"{_name}{_n}d"
        globals()[_name] = type(_name, (_base,), {"_n": _n})


# Normalization ---------------------------------------------------------------------


class _Norm(Module):
    """Weight and bias that start as ones and zeros."""

    def _affine(self, shape, affine, bias, kwargs):
        _made(self, "weight", shape, affine, kwargs)
        _made(self, "bias", shape, affine and bias, kwargs)

    def reset_parameters(self):
        if self.weight is not None:
            init.ones_(self.weight)
        if self._parameters.get("bias") is not None:
            init.zeros_(self.bias)

    def extra_repr(self):
        given = dict(self.__dict__)
        given["bias"] = self._parameters.get("bias") is not None
        return self._shown.format(**given)


class _NormBase(_Norm):
    _version = 2
    _shown = (
        "{num_features}, eps={eps}, momentum={momentum}, affine={affine}, bias={bias}, "
        "track_running_stats={track_running_stats}"
    )

    def _keep(self, num_features, eps, momentum, affine, track, device, dtype, bias):
        kwargs = {"device": device, "dtype": dtype}
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track
        self._affine((num_features,), affine, bias, kwargs)
        mean, var, count = None, None, None
        if track:
            mean = torch.zeros(num_features, **kwargs)
            var = torch.ones(num_features, **kwargs)
            count = torch.tensor(0, dtype=torch.int64)
        self.register_buffer("running_mean", mean)
        self.register_buffer("running_var", var)
        self.register_buffer("num_batches_tracked", count)
        self.reset_parameters()

    def reset_running_stats(self):
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self):
        self.reset_running_stats()
        super().reset_parameters()

    def _check_input_dim(self, input):
        if input.dim() not in self._dims:
            wanted = " or ".join([f"{dim}D" for dim in self._dims])
            raise ValueError(f"expected {wanted} input (got {input.dim()}D input)")

    def _load_from_state_dict(self, state_dict, prefix, metadata, *rest):
        key = prefix + "num_batches_tracked"
        old = metadata.get("version", 0) < 2 and self.track_running_stats
        if old and key not in state_dict:
            state_dict[key] = self.num_batches_tracked
        super()._load_from_state_dict(state_dict, prefix, metadata, *rest)


class _BatchNorm(_NormBase):
    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=True,
        track_running_stats=True,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        super().__init__()
        rest = (affine, track_running_stats, device, dtype, bias)
        self._keep(num_features, eps, momentum, *rest)

    def forward(self, input):
        self._check_input_dim(input)
        factor = 0.0 if self.momentum is None else self.momentum
        tracks = self.training and self.track_running_stats
        if tracks and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                factor = 1.0 / float(self.num_batches_tracked)
        mean, var = self.running_mean, self.running_var
        training = self.training or (mean is None and var is None)
        if self.training and not self.track_running_stats:
            mean, var = None, None
        return F.batch_norm(
            input, mean, var, self.weight, self.bias, training, factor, self.eps
        )


class _InstanceNorm(_NormBase):
    def __init__(
        self,
        num_features,
        eps=1e-5,
        momentum=0.1,
        affine=False,
        track_running_stats=False,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        super().__init__()
        rest = (affine, track_running_stats, device, dtype, bias)
        self._keep(num_features, eps, momentum, *rest)

    def forward(self, input):
        self._check_input_dim(input)
        dim = input.dim() - self._dims[0]
        if input.size(dim) != self.num_features and self.affine:
            raise ValueError(
                f"expected input's size at dim={dim} to match num_features "
                f"({self.num_features}), but got: {input.size(dim)}."
            )
        single = dim == 0
        found = F.instance_norm(
            input.unsqueeze(0) if single else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return found.squeeze(0) if single else found


for _n in (1, 2, 3):
    _dims = (2, 3) if _n == 1 else (_n + 2,)
    _name = f"BatchNorm{_n}d"
    globals()[_name] = type(_name, (_BatchNorm,), {"_dims": _dims})
    _name = f"InstanceNorm{_n}d"
    globals()[_name] = type(_name, (_InstanceNorm,), {"_dims": (_n + 1, _n + 2)})


class LayerNorm(_Norm):
    _shown = (
        "{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}, "
        "bias={bias}"
    )

    def __init__(
        self,
        normalized_shape,
        eps=1e-5,
        elementwise_affine=True,
        bias=True,
        device=None,
        dtype=None,
    ):
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape, 1)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        kwargs = {"device": device, "dtype": dtype}
        self._affine(self.normalized_shape, elementwise_affine, bias, kwargs)
        self.reset_parameters()

    def forward(self, input):
        return F.layer_norm(
            input, self.normalized_shape, self.weight, self.bias, self.eps
        )


class RMSNorm(_Norm):
    _shown = "{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}"

    def __init__(
        self,
        normalized_shape,
        eps=None,
        elementwise_affine=True,
        device=None,
        dtype=None,
    ):
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape, 1)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        kwargs = {"device": device, "dtype": dtype}
        _made(self, "weight", self.normalized_shape, elementwise_affine, kwargs)
        self.reset_parameters()

    def forward(self, x):
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)


class GroupNorm(_Norm):
    _shown = "{num_groups}, {num_channels}, eps={eps}, affine={affine}, bias={bias}"

    def __init__(
        self,
        num_groups,
        num_channels,
        eps=1e-5,
        affine=True,
        device=None,
        dtype=None,
        *,
        bias=True,
    ):
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups "
                f"({num_groups})"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        kwargs = {"device": device, "dtype": dtype}
        self._affine((num_channels,), affine, bias, kwargs)
        self.reset_parameters()

    def forward(self, input):
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


_layer(
    "LocalResponseNorm",
    "local_response_norm",
    "size, alpha=1e-4, beta=0.75, k=1.0",
    "{size}, alpha={alpha}, beta={beta}, k={k}",
)


# Losses ----------------------------------------------------------------------------


class _Loss(_Layer):
    def _settle(self):
        size_average, reduce = self.size_average, self.reduce
        if size_average is not None or reduce is not None:
            average = size_average is not False
            self.reduction = "mean" if average else "sum"
            if reduce is False:
                self.reduction = "none"
        for name in ("size_average", "reduce"):
            object.__delattr__(self, name)
        for name in ("weight", "pos_weight"):
            if name in self.__dict__:
                value = self.__dict__[name]
                object.__delattr__(self, name)
                self.register_buffer(name, value)

    def forward(self, *inputs):
        names = [
            name for name, _ in self._fields if name not in ("size_average", "reduce")
        ]
        return getattr(F, self._call)(*inputs, **{n: getattr(self, n) for n in names})


_old = "size_average=None, reduce=None, reduction='mean'"
_weighted = "weight=None, " + _old
_ignoring = "weight=None, size_average=None, ignore_index=-100, reduce=None, "
_ignoring += "reduction='mean'"
for _name, _function, _fields in (
    ("L1Loss", "l1_loss", _old),
    ("MSELoss", "mse_loss", _old),
    ("SmoothL1Loss", "smooth_l1_loss", _old + ", beta=1.0"),
    ("SoftMarginLoss", "soft_margin_loss", _old),
    ("KLDivLoss", "kl_div", _old + ", log_target=False"),
    ("NLLLoss", "nll_loss", _ignoring),
    ("CrossEntropyLoss", "cross_entropy", _ignoring + ", label_smoothing=0.0"),
    ("BCELoss", "binary_cross_entropy", _weighted),
    (
        "BCEWithLogitsLoss",
        "binary_cross_entropy_with_logits",
        _weighted + ", pos_weight=None",
    ),
    ("HingeEmbeddingLoss", "hinge_embedding_loss", "margin=1.0, " + _old),
    ("CosineEmbeddingLoss", "cosine_embedding_loss", "margin=0.0, " + _old),
    ("MarginRankingLoss", "margin_ranking_loss", "margin=0.0, " + _old),
    (
        "TripletMarginLoss",
        "triplet_margin_loss",
        "margin=1.0, p=2.0, eps=1e-6, swap=False, " + _old,
    ),
    (
        "PoissonNLLLoss",
        "poisson_nll_loss",
        "log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, "
        "reduction='mean'",
    ),
):
    _layer(_name, _function, _fields, "", _Loss)
_layer("HuberLoss", "huber_loss", "reduction='mean', delta=1.0", "")
_layer(
    "GaussianNLLLoss", "gaussian_nll_loss", "full=False, eps=1e-6, reduction='mean'", ""
)
