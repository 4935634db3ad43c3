"""torch.nn.functional: what the engine has, a line each, and what is made of it."""

# ruff: noqa: F821, since the tables make names

import math

import torch
from torch._core import CONVERT, function, inplace
from torch._state import public, refuse
from torch.nn._names import absent

_PATH = "torch.nn.functional."

# --- activations that may change their input in place ---

_ACTIVATIONS = """
relu input
relu6 input
elu input alpha=1.0:f
celu input alpha=1.0:f
selu input
leaky_relu input negative_slope=0.01:f
hardtanh input min_val=-1.0:f max_val=1.0:f
hardsigmoid input
hardswish input
silu input
mish input
threshold input threshold:f value:f
"""

# --- functions of the engine: name and parameters, as in torch._core ---

_FUNCTIONS = """
sigmoid input
tanh input
softsign input
tanhshrink input
logsigmoid input
softplus input beta=1.0:f threshold=20.0:f
softshrink input lambd=0.5:f
hardshrink input lambd=0.5:f
gelu input * approximate=none:s
glu input dim=-1:i
prelu input weight
linear input weight bias=None:t
bilinear input1 input2 weight bias=None:t
conv#d input weight bias=None:t stride=1:Z padding=0:P dilation=1:Z groups=1:i
conv_transpose#d input weight bias=None:t stride=1:Z padding=0:Z
    output_padding=0:Z groups=1:i dilation=1:Z
unfold input kernel_size:Z dilation=1:Z padding=0:Z stride=1:Z
fold input output_size:Z kernel_size:Z dilation=1:Z padding=0:Z stride=1:Z
avg_pool1d input kernel_size:Z stride=None:Z padding=0:Z ceil_mode=False:b
    count_include_pad=True:b
avg_pool2d input kernel_size:Z stride=None:Z padding=0:Z ceil_mode=False:b
    count_include_pad=True:b divisor_override=None:i
avg_pool3d input kernel_size:Z stride=None:Z padding=0:Z ceil_mode=False:b
    count_include_pad=True:b divisor_override=None:i
lp_pool#d input norm_type:f kernel_size:Z stride=None:Z ceil_mode=False:b
max_unpool#d input indices kernel_size:Z stride=None:Z padding=0:Z output_size=None:Z
adaptive_avg_pool#d input output_size:A
pixel_shuffle input upscale_factor:i
pixel_unshuffle input downscale_factor:i
channel_shuffle input groups:i
native_channel_shuffle input groups:i
one_hot tensor num_classes=-1:i
pairwise_distance x1 x2 p=2.0:f eps=1e-6:f keepdim=False:b
cosine_similarity x1 x2 dim=1:i eps=1e-8:f
pdist input p=2.0:f
pad input pad:Z mode=constant:s value=None:f
interpolate input size=None:Z scale_factor=None:F mode=nearest:s align_corners=None:O
    recompute_scale_factor=None:O antialias=False:b
grid_sample input grid mode=bilinear:s padding_mode=zeros:s align_corners=None:O
affine_grid theta size:Z align_corners=None:O
layer_norm input normalized_shape:Z weight=None:t bias=None:t eps=1e-5:f
rms_norm input normalized_shape:Z weight=None:t eps=None:f
group_norm input num_groups:i weight=None:t bias=None:t eps=1e-5:f
local_response_norm input size:i alpha=1e-4:f beta=0.75:f k=1.0:f
batch_norm input running_mean:t running_var:t weight=None:t bias=None:t
    training=False:b momentum=0.1:f eps=1e-5:f
instance_norm input running_mean=None:t running_var=None:t weight=None:t bias=None:t
    use_input_stats=True:b momentum=0.1:f eps=1e-5:f
normalize input p=2.0:f dim=1:Z eps=1e-12:f
scaled_dot_product_attention query key value attn_mask=None:t dropout_p=0.0:f
    is_causal=False:b * scale=None:f enable_gqa=False:b
"""

# in old times said by size_average and reduce
_LOSSES = """
mse_loss input target OLD reduction=mean:s
l1_loss input target OLD reduction=mean:s
smooth_l1_loss input target OLD reduction=mean:s beta=1.0:f
huber_loss input target reduction=mean:s delta=1.0:f
nll_loss input target weight=None:t size_average=None:- ignore_index=-100:i
    reduce=None:- reduction=mean:s
cross_entropy input target weight=None:t size_average=None:- ignore_index=-100:i
    reduce=None:- reduction=mean:s label_smoothing=0.0:f
binary_cross_entropy input target weight=None:t OLD reduction=mean:s
binary_cross_entropy_with_logits input target weight=None:t OLD reduction=mean:s
    pos_weight=None:t
kl_div input target OLD reduction=mean:s log_target=False:b
"""

_MISSING = (
    "adaptive_max_pool_with_indices assert_int_or_pair boolean_dispatch ctc_loss "
    "fractional_max_pool2d fractional_max_pool3d handle_torch_function "
    "has_torch_function linear_cross_entropy grouped_mm multi_margin_loss "
    "multilabel_margin_loss multilabel_soft_margin_loss scaled_mm scaled_grouped_mm "
    "triplet_margin_with_distance_loss upsample_bilinear upsample_nearest"
)


def __getattr__(name):
    return absent("torch.nn.functional", _MISSING, name)


# --- arguments of their own kinds ---


def _padding(value):
    return value if isinstance(value, str) else CONVERT["Z"](value)


def _adaptive(value):
    """A size for each dim; None keeps it, which the engine reads as nan."""
    if not isinstance(value, (tuple, list)):
        return "nan" if value is None else CONVERT["Z"](value)
    return ",".join(["nan" if size is None else CONVERT["Z"](size) for size in value])


def _factors(value):
    if isinstance(value, (tuple, list)):
        return ",".join([str(factor) for factor in value])
    return None if value is None else float(value)


def _maybe_bool(value):
    return value if value is None else bool(value)


for _kind, _convert in zip("PAFO", (_padding, _adaptive, _factors, _maybe_bool)):
    CONVERT[_kind] = _convert


def _activation(name, line):
    """A function that with inplace=True changes its input."""
    plain = function(name, line, path=_PATH)
    change = inplace(name, line)
    place = len(line.split())

    def call(*args, **kwargs):
        changes = kwargs.pop("inplace", False) or args[place : place + 1] == (True,)
        return (change if changes else plain)(*args[:place], **kwargs)

    globals()[name] = call
    globals()[name + "_"] = change


def _loss(name, line):
    """A loss, whose reduction may be said in an old way."""
    plain = function(name, line, path=_PATH)

    def call(*args, size_average=None, reduce=None, **kwargs):
        if size_average is not None or reduce is not None:
            kwargs["reduction"] = "sum" if size_average is False else "mean"
            if reduce is False:
                kwargs["reduction"] = "none"
        return plain(*args, **kwargs)

    globals()[name] = call


def _each(text, make):
    """A function for each line; one with # in its name is there for 1, 2 and 3 dims."""
    text = text.replace("\n    ", " ").replace(
        "OLD", "size_average=None:- reduce=None:-"
    )
    for line in text.strip().split("\n"):
        name, _, rest = line.partition(" ")
        for n in "123" if "#" in name else "1":
            make(name.replace("#", n), rest)


def _plain(name, line):
    globals()[name] = function(name, line, path=_PATH)


_each(_ACTIVATIONS, _activation)
_each(_FUNCTIONS, _plain)
_each(_LOSSES, _loss)


# --- pooling, which may give the places, too ---


def _pool(name, line):
    plain = function(name, line + " return_indices=False:b", path=_PATH)
    both = function(name, line + " return_indices=True:b -> *", path=_PATH)
    place = len(line.split())

    def call(*args, **kwargs):
        wanted = kwargs.pop("return_indices", False) or args[place : place + 1] == (
            True,
        )
        return (both if wanted else plain)(*args[:place], **kwargs)

    globals()[name] = call
    globals()[name + "_with_indices"] = both


for _n in (1, 2, 3):
    _pool(
        f"max_pool{_n}d",
        "input kernel_size:Z stride=None:Z padding=0:Z dilation=1:Z ceil_mode=False:b",
    )
    _pool(f"adaptive_max_pool{_n}d", "input output_size:A")


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    return interpolate(input, size, scale_factor, mode, align_corners)


# --- softmax without a dim, dropout, noise ---


def _softmax(name):
    plain = function(name, "input dim:i dtype=None:D", path=_PATH)

    def call(input, dim=None, _stacklevel=3, dtype=None):
        if dim is None:
            dim = 0 if input.dim() in (0, 1, 3) else 1
        return plain(input, dim, dtype)

    globals()[name] = call


for _name in ("softmax", "log_softmax", "softmin"):
    _softmax(_name)

for _name in ("dropout", "dropout1d", "dropout2d", "dropout3d"):
    _activation(_name, "input p=0.5:f training=True:b")
for _name in ("alpha_dropout", "feature_alpha_dropout"):
    _activation(_name, "input p=0.5:f training=False:b")


def _rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    if not training:
        slope = (lower + upper) / 2
        return leaky_relu(input, slope, inplace)
    slopes = torch.ones_like(input)
    drawn = torch.empty(int((input <= 0).sum()), dtype=torch.float64)
    slopes[input <= 0] = drawn.uniform_(lower, upper).to(input.dtype)
    return input.mul_(slopes) if inplace else input * slopes


rrelu = public("rrelu", _PATH, _rrelu)


def _gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    noise = -torch.empty_like(logits).exponential_().log()
    soft = softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    chosen = torch.zeros_like(logits).scatter_(dim, index, 1.0)
    return chosen - soft.detach() + soft


gumbel_softmax = public("gumbel_softmax", _PATH, _gumbel_softmax)


# --- embedding ---

_rows = function("embedding", "input weight padding_idx=None:i", path=_PATH)


def _embedding(
    input,
    weight,
    padding_idx=None,
    max_norm=None,
    norm_type=2.0,
    scale_grad_by_freq=False,
    sparse=False,
):
    if scale_grad_by_freq:
        refuse("embedding with scale_grad_by_freq=True")
    if sparse:
        refuse("embedding with sparse=True")
    if padding_idx is not None:
        if not -weight.size(0) <= padding_idx < weight.size(0):
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= weight.size(0)
    if max_norm is not None:
        with torch.no_grad():
            used = input.reshape(-1).unique()
            rows = weight[used]
            norms = rows.norm(norm_type, 1, True)
            shorter = rows * (max_norm / (norms + 1e-7))
            weight[used] = torch.where(norms > max_norm, shorter, rows)
    return _rows(input, weight, padding_idx)


embedding = public("embedding", _PATH, _embedding)

_bags = function(
    "embedding_bag",
    "input weight offsets:t mode:s per_sample_weights:t padding_idx:i",
    path=_PATH,
)


def _embedding_bag(
    input,
    weight,
    offsets=None,
    max_norm=None,
    norm_type=2,
    scale_grad_by_freq=False,
    mode="mean",
    sparse=False,
    per_sample_weights=None,
    include_last_offset=False,
    padding_idx=None,
):
    if max_norm is not None or scale_grad_by_freq or sparse:
        refuse("embedding_bag with max_norm, scale_grad_by_freq or sparse")
    if include_last_offset:
        input, offsets = input[: int(offsets[-1])], offsets[:-1]
    return _bags(input, weight, offsets, mode, per_sample_weights, padding_idx)


embedding_bag = public("embedding_bag", _PATH, _embedding_bag)


# --- further losses ---


def _reduced(loss, reduction):
    if reduction == "none":
        return loss
    if reduction not in ("mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return loss.mean() if reduction == "mean" else loss.sum()


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    return _reduced(torch.log1p(torch.exp(-target * input)), reduction)


def hinge_embedding_loss(
    input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"
):
    apart = torch.where(target == 1, torch.zeros_like(input), relu(margin - input))
    near = torch.where(target == -1, torch.zeros_like(input), input)
    return _reduced(apart + near, reduction)


def margin_ranking_loss(
    input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"
):
    return _reduced(relu(-target * (input1 - input2) + margin), reduction)


def cosine_embedding_loss(
    input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"
):
    eps = 1e-12
    dot = (input1 * input2).sum(-1)
    norms = (input1 * input1).sum(-1) + eps, (input2 * input2).sum(-1) + eps
    near = dot / (norms[0] * norms[1]).sqrt()
    zero = torch.zeros_like(near)
    same = torch.where(target == 1, 1 - near, zero)
    other = torch.where(target == -1, relu(near - margin), zero)
    return _reduced(same + other, reduction)


def triplet_margin_loss(
    anchor,
    positive,
    negative,
    margin=1.0,
    p=2,
    eps=1e-6,
    swap=False,
    size_average=None,
    reduce=None,
    reduction="mean",
):
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = torch.minimum(far, pairwise_distance(positive, negative, p, eps))
    return _reduced(relu(near - far + margin), reduction)


def poisson_nll_loss(
    input,
    target,
    log_input=True,
    full=False,
    size_average=None,
    eps=1e-8,
    reduce=None,
    reduction="mean",
):
    if log_input:
        loss = torch.exp(input) - target * input
    else:
        loss = input - target * torch.log(input + eps)
    if full:
        more = (
            target * torch.log(target) - target + 0.5 * torch.log(2 * math.pi * target)
        )
        loss = loss + torch.where(target > 1, more, torch.zeros_like(more))
    return _reduced(loss, reduction)


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    var = torch.full_like(input, var) if isinstance(var, (int, float)) else var
    if var.shape != input.shape and var.dim() == input.dim() - 1:
        var = var.unsqueeze(-1)
    if (var < 0).any():
        raise ValueError("var has negative entry/entries")
    var = var.detach().clamp(min=eps) + (var - var.detach())
    loss = 0.5 * (torch.log(var) + (input - target) ** 2 / var)
    return _reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


# --- attention of several heads ---


def _canonical_mask(mask, mask_name, target_type):
    """A mask that is added: -inf where a boolean one is True."""
    if mask is None or mask.is_floating_point():
        return mask
    if mask.dtype != torch.bool:
        raise AssertionError(
            f"only bool and floating types of {mask_name} are supported"
        )
    return torch.zeros_like(mask, dtype=target_type).masked_fill_(mask, float("-inf"))


def _projected(q, k, v, weights, bias):
    biases = (None, None, None) if bias is None else bias.chunk(3)
    return [linear(x, w, b) for x, w, b in zip((q, k, v), weights, biases)]


def multi_head_attention_forward(
    query,
    key,
    value,
    embed_dim_to_check,
    num_heads,
    in_proj_weight,
    in_proj_bias,
    bias_k,
    bias_v,
    add_zero_attn,
    dropout_p,
    out_proj_weight,
    out_proj_bias,
    training=True,
    key_padding_mask=None,
    need_weights=True,
    attn_mask=None,
    use_separate_proj_weight=False,
    q_proj_weight=None,
    k_proj_weight=None,
    v_proj_weight=None,
    static_k=None,
    static_v=None,
    average_attn_weights=True,
    is_causal=False,
):
    single = query.dim() == 2
    if query.dim() not in (2, 3):
        raise AssertionError(
            "query should be unbatched 2D or batched 3D tensor but received "
            f"{query.dim()}-D query tensor"
        )
    if single:
        query, key, value = [x.unsqueeze(1) for x in (query, key, value)]
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    length, batch, width = query.shape
    if width != embed_dim_to_check:
        raise AssertionError(
            f"was expecting embedding dimension of {embed_dim_to_check}, "
            f"but got {width}"
        )
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
    key_padding_mask = _canonical_mask(
        key_padding_mask, "key_padding_mask", query.dtype
    )
    attn_mask = _canonical_mask(attn_mask, "attn_mask", query.dtype)
    if use_separate_proj_weight:
        weights = q_proj_weight, k_proj_weight, v_proj_weight
    else:
        weights = in_proj_weight.chunk(3)
    q, k, v = _projected(query, key, value, weights, in_proj_bias)
    if attn_mask is not None:
        shape = (length, k.shape[0])
        heads = (batch * num_heads,) + shape
        if attn_mask.dim() == 2:
            if tuple(attn_mask.shape) != shape:
                raise RuntimeError(
                    f"The shape of the 2D attn_mask is {attn_mask.shape}, "
                    f"but should be {shape}."
                )
            attn_mask = attn_mask.unsqueeze(0)
        elif attn_mask.dim() != 3:
            raise RuntimeError(
                f"attn_mask's dimension {attn_mask.dim()} is not supported"
            )
        elif tuple(attn_mask.shape) != heads:
            raise RuntimeError(
                f"The shape of the 3D attn_mask is {attn_mask.shape}, "
                f"but should be {heads}."
            )
    added = 0
    if bias_k is not None:
        k = torch.cat([k, bias_k.repeat(1, batch, 1)])
        v = torch.cat([v, bias_v.repeat(1, batch, 1)])
        added += 1
    size = width // num_heads

    def split(x):
        return x.reshape(x.shape[0], batch * num_heads, size).transpose(0, 1)

    q, k, v = split(q), split(k), split(v)
    if add_zero_attn:
        zero = torch.zeros(batch * num_heads, 1, size, dtype=k.dtype)
        k, v = torch.cat([k, zero], 1), torch.cat([v, zero], 1)
        added += 1
    if added:
        if attn_mask is not None:
            attn_mask = pad(attn_mask, (0, added))
        if key_padding_mask is not None:
            key_padding_mask = pad(key_padding_mask, (0, added))
    source = k.shape[1]
    if key_padding_mask is not None:
        kept = tuple(key_padding_mask.shape)
        if kept != (batch, source):
            raise AssertionError(
                f"expecting key_padding_mask shape of {(batch, source)}, but got "
                f"{key_padding_mask.shape}"
            )
        mask = key_padding_mask.view(batch, 1, 1, source)
        mask = mask.expand(-1, num_heads, -1, -1).reshape(batch * num_heads, 1, source)
        attn_mask = mask if attn_mask is None else attn_mask + mask
    if not need_weights:
        shape = (batch, num_heads)
        q, k, v = [x.reshape(*shape, *x.shape[1:]) for x in (q, k, v)]
        if attn_mask is not None:
            own = attn_mask.shape[0] > 1 or key_padding_mask is not None
            shape = shape if own else (1, 1)
            attn_mask = attn_mask.reshape(*shape, -1, source)
        rate = dropout_p if training else 0.0
        out = scaled_dot_product_attention(q, k, v, attn_mask, rate)
        out = out.permute(2, 0, 1, 3).reshape(length * batch, width)
    else:
        scores = (q * math.sqrt(1.0 / float(size))) @ k.transpose(-2, -1)
        scores = scores if attn_mask is None else scores + attn_mask
        shares = softmax(scores, -1)
        if training and dropout_p > 0.0:
            shares = dropout(shares, dropout_p)
        out = (shares @ v).transpose(0, 1).reshape(length * batch, width)
    out = linear(out, out_proj_weight, out_proj_bias).view(length, batch, -1)
    out = out.squeeze(1) if single else out
    if not need_weights:
        return out, None
    shares = shares.view(batch, num_heads, length, source)
    shares = shares.mean(1) if average_attn_weights else shares
    return out, (shares.squeeze(0) if single else shares)
