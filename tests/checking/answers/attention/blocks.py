"""Foreign answers to the exercises on the layers of a Transformer."""

import torch
from answers import right, wrong
from torch import nn

right("attention_blocks/dropouts")((60, 48, 32))
right("attention_blocks/dropouts")(torch.tensor([60, 48, 32]))
wrong("attention_blocks/dropouts", "inside")([30, 24, 32])
wrong("attention_blocks/dropouts", "inside.*norm more")([30, 24, 30])
wrong("attention_blocks/dropouts", "norm more")([60, 48, 30])
wrong("attention_blocks/dropouts", "3 values are expected")([60, 48])


@right("attention_blocks/parameters")
def part_by_part(d_model, nhead, num_layers, dim_feedforward, bias):
    def linear(inputs, outputs):
        return inputs * outputs + (outputs if bias else 0)

    attention = linear(d_model, 3 * d_model) + linear(d_model, d_model)
    feed = linear(d_model, dim_feedforward) + linear(dim_feedforward, d_model)
    norms = 4 * d_model if bias else 2 * d_model
    return (attention + feed + norms) * num_layers


@wrong("attention_blocks/parameters", "LayerNorms lose")
def norms_keep_their_bias(d_model, nhead, num_layers, dim_feedforward, bias):
    linears = 4 * (d_model * d_model + d_model * bias)
    linears += 2 * d_model * dim_feedforward + (dim_feedforward + d_model) * bias
    return num_layers * (linears + 4 * d_model)


@wrong("attention_blocks/parameters", "by hand")
def asked_of_torch(d_model, nhead, num_layers, dim_feedforward, bias):
    layer = nn.TransformerEncoderLayer(d_model, nhead, dim_feedforward, bias=bias)
    return num_layers * sum(p.numel() for p in layer.parameters())


def late(x):
    return nn.Transformer.generate_square_subsequent_mask(x.shape[1], dtype=x.dtype)


@right("attention_blocks/decode")
def with_all_the_parts(x, memory, layer):
    y = layer.norm1(x)
    y = layer.self_attn(y, y, y, attn_mask=late(x), need_weights=False)[0]
    x = x + layer.dropout1(y)
    y = layer.multihead_attn(layer.norm2(x), memory, memory, need_weights=False)[0]
    x = x + layer.dropout2(y)
    y = layer.linear2(layer.dropout(layer.activation(layer.linear1(layer.norm3(x)))))
    return x + layer.dropout3(y)


@wrong("attention_blocks/decode", "third sum")
def all_sums_normalized_at_the_end(x, memory, layer):
    y = layer.norm1(x)
    x = x + layer.self_attn(y, y, y, attn_mask=late(x))[0]
    x = x + layer.multihead_attn(layer.norm2(x), memory, memory)[0]
    y = layer.norm3(x)
    return y + layer.linear2(torch.relu(layer.linear1(y)))


@wrong("attention_blocks/decode", "hides parts of the memory")
def causal_twice(x, memory, layer):
    y = layer.norm1(x)
    x = x + layer.self_attn(y, y, y, attn_mask=late(x))[0]
    mask = torch.ones(x.shape[1], memory.shape[1]).triu(1).bool()
    x = x + layer.multihead_attn(layer.norm2(x), memory, memory, attn_mask=mask)[0]
    return x + layer.linear2(layer.linear1(layer.norm3(x)).clamp(min=0))


@wrong("attention_blocks/decode", "Need attn_mask")
def with_a_hint_alone(x, memory, layer):
    y = layer.norm1(x)
    x = x + layer.self_attn(y, y, y, is_causal=True)[0]
    x = x + layer.multihead_attn(layer.norm2(x), memory, memory)[0]
    return x + layer.linear2(layer.linear1(layer.norm3(x)).relu())


@right("attention_blocks/renew")
def module_by_module(encoder):
    for module in encoder.modules():
        if isinstance(module, nn.MultiheadAttention):
            nn.init.xavier_uniform_(module.in_proj_weight)
            nn.init.constant_(module.in_proj_bias, 0)
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.LayerNorm):
            module.reset_parameters()
    return encoder


@right("attention_blocks/renew")
def by_apply(encoder):
    def draw(module):
        for name, p in module.named_parameters(recurse=False):
            if p.ndim == 2:
                nn.init.xavier_uniform_(p)
            if "bias" in name:
                p.data.zero_()

    return encoder.apply(draw)


@wrong("attention_blocks/renew", "in_proj_weight")
def the_linear_layers(encoder):
    for module in encoder.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return encoder


@wrong("attention_blocks/renew", "seed before each")
def from_one_seed(encoder):
    for layer in encoder.layers:
        torch.manual_seed(0)
        for name, p in layer.named_parameters():
            if p.dim() > 1:
                nn.init.xavier_uniform_(p)
            elif name.endswith("bias"):
                nn.init.zeros_(p)
    return encoder


@wrong("attention_blocks/renew", "norms are 0")
def every_vector_to_zero(encoder):
    for p in encoder.parameters():
        if p.dim() > 1:
            nn.init.xavier_uniform_(p)
        else:
            nn.init.zeros_(p)
    return encoder
