"""Attention of several heads and the layers of a transformer."""

import copy

import torch
from torch.nn import functional as F
from torch.nn import init
from torch.nn.layers import (
    GELU,
    Dropout,
    LayerNorm,
    Linear,
    NonDynamicallyQuantizableLinear,
    ReLU,
    _made,
)
from torch.nn.module import Module, ModuleList
from torch.nn.parameter import Parameter


class MultiheadAttention(Module):
    def __init__(
        self,
        embed_dim,
        num_heads,
        dropout=0.0,
        bias=True,
        add_bias_kv=False,
        add_zero_attn=False,
        kdim=None,
        vdim=None,
        batch_first=False,
        device=None,
        dtype=None,
    ):
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        kwargs = {"device": device, "dtype": dtype}
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        same = self.kdim == embed_dim and self.vdim == embed_dim
        self._qkv_same_embed_dim = same
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")
        if same:
            _made(self, "in_proj_weight", (3 * embed_dim, embed_dim), True, kwargs)
        for name, size in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
            _made(self, name + "_proj_weight", (embed_dim, size), not same, kwargs)
        if not same:
            self.register_parameter("in_proj_weight", None)
        _made(self, "in_proj_bias", (3 * embed_dim,), bias, kwargs)
        self.out_proj = NonDynamicallyQuantizableLinear(
            embed_dim, embed_dim, bias=bias, device=device, dtype=dtype
        )
        self.bias_k = self.bias_v = None
        if add_bias_kv:
            self.bias_k = Parameter(torch.empty(1, 1, embed_dim, **kwargs))
            self.bias_v = Parameter(torch.empty(1, 1, embed_dim, **kwargs))
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self):
        for name in (
            "in_proj_weight",
            "q_proj_weight",
            "k_proj_weight",
            "v_proj_weight",
        ):
            weight = getattr(self, name)
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query,
        key,
        value,
        key_padding_mask=None,
        need_weights=True,
        attn_mask=None,
        average_attn_weights=True,
        is_causal=False,
    ):
        turns = self.batch_first and query.dim() == 3
        if turns:
            query, key, value = [x.transpose(1, 0) for x in (query, key, value)]
        out, shares = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            self.training,
            key_padding_mask,
            need_weights,
            attn_mask,
            not self._qkv_same_embed_dim,
            self.q_proj_weight,
            self.k_proj_weight,
            self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (out.transpose(1, 0) if turns else out), shares


def _causal(size, dtype=None):
    return torch.triu(torch.full((size, size), float("-inf"), dtype=dtype), 1)


def _is_causal(mask, is_causal, size):
    if is_causal is None and mask is not None:
        causal = _causal(size, mask.dtype)
        return mask.shape == causal.shape and bool((mask == causal).all())
    return is_causal is True


class _Block(Module):
    """What the layers of encoder and decoder share."""

    def _keep(self, attentions, norms, sizes, rest):
        d_model, nhead, dim_feedforward, dropout = sizes
        activation, eps, batch_first, norm_first, bias, kwargs = rest
        for name in attentions:
            attention = MultiheadAttention(
                d_model, nhead, dropout, bias, batch_first=batch_first, **kwargs
            )
            setattr(self, name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias, **kwargs)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **kwargs)
        self.norm_first = norm_first
        for i in range(norms):
            setattr(self, f"norm{i + 1}", LayerNorm(d_model, eps, True, bias, **kwargs))
        for i in range(norms):
            setattr(self, f"dropout{i + 1}", Dropout(dropout))
        if isinstance(activation, str):
            if activation not in ("relu", "gelu"):
                raise RuntimeError(f"activation should be relu/gelu, not {activation}")
            activation = getattr(F, activation)
        self.activation = activation

    def _around(self, i, x, block):
        """A block with its norm before or after and a way past it."""
        norm, dropout = getattr(self, f"norm{i}"), getattr(self, f"dropout{i}")
        if self.norm_first:
            return x + dropout(block(norm(x)))
        return norm(x + dropout(block(x)))

    def _feed(self, x):
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


class TransformerEncoderLayer(_Block):
    def __init__(
        self,
        d_model,
        nhead,
        dim_feedforward=2048,
        dropout=0.1,
        activation=F.relu,
        layer_norm_eps=1e-5,
        batch_first=False,
        norm_first=False,
        bias=True,
        device=None,
        dtype=None,
    ):
        super().__init__()
        kwargs = {"device": device, "dtype": dtype}
        sizes = (d_model, nhead, dim_feedforward, dropout)
        rest = (activation, layer_norm_eps, batch_first, norm_first, bias, kwargs)
        self._keep(("self_attn",), 2, sizes, rest)
        known = self.activation
        gelu = known is F.gelu or isinstance(known, GELU)
        relu = known is F.relu or isinstance(known, ReLU)
        self.activation_relu_or_gelu = 1 if relu else 2 if gelu else 0

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        def attend(x):
            return self.self_attn(
                x,
                x,
                x,
                attn_mask=src_mask,
                key_padding_mask=src_key_padding_mask,
                need_weights=False,
                is_causal=is_causal,
            )[0]

        return self._around(2, self._around(1, src, attend), self._feed)


class TransformerDecoderLayer(_Block):
    def __init__(
        self,
        d_model,
        nhead,
        dim_feedforward=2048,
        dropout=0.1,
        activation=F.relu,
        layer_norm_eps=1e-5,
        batch_first=False,
        norm_first=False,
        bias=True,
        device=None,
        dtype=None,
    ):
        super().__init__()
        kwargs = {"device": device, "dtype": dtype}
        sizes = (d_model, nhead, dim_feedforward, dropout)
        rest = (activation, layer_norm_eps, batch_first, norm_first, bias, kwargs)
        self._keep(("self_attn", "multihead_attn"), 3, sizes, rest)

    def forward(
        self,
        tgt,
        memory,
        tgt_mask=None,
        memory_mask=None,
        tgt_key_padding_mask=None,
        memory_key_padding_mask=None,
        tgt_is_causal=False,
        memory_is_causal=False,
    ):
        def attend(x):
            return self.self_attn(
                x,
                x,
                x,
                attn_mask=tgt_mask,
                key_padding_mask=tgt_key_padding_mask,
                is_causal=tgt_is_causal,
                need_weights=False,
            )[0]

        def look(x):
            return self.multihead_attn(
                x,
                memory,
                memory,
                attn_mask=memory_mask,
                key_padding_mask=memory_key_padding_mask,
                is_causal=memory_is_causal,
                need_weights=False,
            )[0]

        x = self._around(2, self._around(1, tgt, attend), look)
        return self._around(3, x, self._feed)


class _Stack(Module):
    def _keep(self, layer, num_layers, norm):
        self.layers = ModuleList([copy.deepcopy(layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm

    def _length(self, x):
        return x.size(1 if x.dim() == 3 and self.layers[0].self_attn.batch_first else 0)


class TransformerEncoder(_Stack):
    def __init__(
        self,
        encoder_layer,
        num_layers,
        norm=None,
        enable_nested_tensor=True,
        mask_check=True,
    ):
        super().__init__()
        self._keep(encoder_layer, num_layers, norm)
        self.enable_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check

    def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=None):
        padding = F._canonical_mask(src_key_padding_mask, "mask", src.dtype)
        mask = F._canonical_mask(mask, "mask", src.dtype)
        causal = _is_causal(mask, is_causal, self._length(src))
        x = src
        for layer in self.layers:
            x = layer(x, mask, padding, causal)
        return x if self.norm is None else self.norm(x)


class TransformerDecoder(_Stack):
    def __init__(self, decoder_layer, num_layers, norm=None):
        super().__init__()
        self._keep(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt,
        memory,
        tgt_mask=None,
        memory_mask=None,
        tgt_key_padding_mask=None,
        memory_key_padding_mask=None,
        tgt_is_causal=None,
        memory_is_causal=False,
    ):
        causal = _is_causal(tgt_mask, tgt_is_causal, self._length(tgt))
        padding = (tgt_key_padding_mask, memory_key_padding_mask)
        x = tgt
        for layer in self.layers:
            x = layer(
                x, memory, tgt_mask, memory_mask, *padding, causal, memory_is_causal
            )
        return x if self.norm is None else self.norm(x)


class Transformer(Module):
    def __init__(
        self,
        d_model=512,
        nhead=8,
        num_encoder_layers=6,
        num_decoder_layers=6,
        dim_feedforward=2048,
        dropout=0.1,
        activation=F.relu,
        custom_encoder=None,
        custom_decoder=None,
        layer_norm_eps=1e-5,
        batch_first=False,
        norm_first=False,
        bias=True,
        device=None,
        dtype=None,
    ):
        super().__init__()
        kwargs = {"device": device, "dtype": dtype}
        sizes = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps)
        sizes += (batch_first, norm_first, bias)

        def norm():
            return LayerNorm(d_model, layer_norm_eps, True, bias, **kwargs)

        if custom_encoder is None:
            layer = TransformerEncoderLayer(*sizes, **kwargs)
            custom_encoder = TransformerEncoder(layer, num_encoder_layers, norm())
        self.encoder = custom_encoder
        if custom_decoder is None:
            layer = TransformerDecoderLayer(*sizes, **kwargs)
            custom_decoder = TransformerDecoder(layer, num_decoder_layers, norm())
        self.decoder = custom_decoder
        for p in self.parameters():
            if p.dim() > 1:
                init.xavier_uniform_(p)
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self,
        src,
        tgt,
        src_mask=None,
        tgt_mask=None,
        memory_mask=None,
        src_key_padding_mask=None,
        tgt_key_padding_mask=None,
        memory_key_padding_mask=None,
        src_is_causal=None,
        tgt_is_causal=None,
        memory_is_causal=False,
    ):
        dim = 0 if self.batch_first else 1
        if src.dim() == 3 and src.size(dim) != tgt.size(dim):
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
            raise RuntimeError(
                "the feature number of src and tgt must be equal to d_model"
            )
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask,
            memory_mask,
            tgt_key_padding_mask,
            memory_key_padding_mask,
            tgt_is_causal,
            memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz, device=None, dtype=None):
        return _causal(sz, dtype)
