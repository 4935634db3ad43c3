"""Foreign answers to the exercises on starting values."""

import math

import torch
from answers import right, wrong
from torch import nn

right("initialization/four_layers")(0.1024)
right("initialization/four_layers")(0.1)
right("initialization/four_layers")(torch.tensor(0.32**2))
wrong("initialization/four_layers", "mean square; the RMS is its root")(0.0105)
wrong("initialization/four_layers", "without ReLUs")(0.41)
wrong("initialization/four_layers", "four in a row")(0.566)


@right("initialization/std")
def by_gain(shape, slope=0.0):
    gain = nn.init.calculate_gain("leaky_relu", slope)
    return gain / math.sqrt(math.prod(shape[1:]))


@right("initialization/std")
def as_tensor(shape, slope=0.0):
    fan = torch.tensor(shape[1:]).prod()
    return (2 / (1 + slope**2) / fan) ** 0.5


@wrong("initialization/std", "fan-in counts the inputs")
def by_outputs(shape, slope=0.0):
    fan = math.prod(shape) / shape[1]
    return math.sqrt(2 / (1 + slope**2) / fan)


@wrong("initialization/std", "leave out the kernel")
def flat(shape, slope=0.0):
    return math.sqrt(2 / (1 + slope**2) / shape[1])


@right("initialization/reach")
def applied(net):
    def fill(layer):
        if type(layer) is nn.Linear:
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            layer.bias.data.zero_()

    return net.apply(fill)


@right("initialization/reach")
def recursive(net):
    for child in net.children():
        recursive(child)
    if isinstance(net, nn.Linear):
        nn.init.kaiming_normal_(net.weight)
        nn.init.constant_(net.bias, 0)
    return net


@wrong("initialization/reach", "layers at the top only")
def top(net):
    for layer in net.children():
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return net


@wrong("initialization/reach", "relative to Kaiming")
def defaults(net):
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            layer.reset_parameters()
            nn.init.zeros_(layer.bias)
    return net


@right("initialization/transformer")
def by_parameters(model, blocks):
    for path, layer in model.named_modules():
        if isinstance(layer, nn.Embedding):
            layer.weight.data.normal_(0, 0.02)
        elif isinstance(layer, nn.Linear):
            last = path.rpartition(".")[2]
            scale = (2 * blocks) ** -0.5 if last == "proj" else 1.0
            layer.weight.data.normal_(0, 0.02 * scale)
            if layer.bias is not None:
                layer.bias.data.zero_()
    return model


@right("initialization/transformer")
def twice(model, blocks):
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Embedding):
            nn.init.trunc_normal_(layer.weight, std=0.02)
        if getattr(layer, "bias", None) is not None and isinstance(layer, nn.Linear):
            nn.init.zeros_(layer.bias)
    for name, weight in model.named_parameters():
        if name.endswith(".proj.weight"):
            nn.init.normal_(weight, std=0.02 / math.sqrt(2 * blocks))
    return model


@wrong("initialization/transformer", "normal, not uniform")
def uniform(model, blocks):
    for path, layer in model.named_modules():
        if isinstance(layer, nn.Linear | nn.Embedding):
            bound = 0.02 * 3**0.5
            if path.endswith(".proj"):
                bound /= (2 * blocks) ** 0.5
            nn.init.uniform_(layer.weight, -bound, bound)
        if isinstance(layer, nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return model


@wrong("initialization/transformer", "two branches")
def one_branch(model, blocks):
    by_parameters(model, blocks / 2)
    return model


right("initialization/zero_head")(torch.tensor([0.08201, 0.01026]))
right("initialization/zero_head")([0.1217, 0.0131])  # the seeds 8 to 15
right("initialization/zero_head")({"mean": 0.0966, "error": 0.0167})  # 100 to 107
wrong("initialization/zero_head", "root of the number of seeds")((0.082, 0.029))
wrong("initialization/zero_head", "opposite")((-0.082, 0.0103))
wrong("initialization/zero_head", "before the first step")((-0.0264, 0.0076))
wrong("initialization/zero_head", "(mean, error)")([(-0.0264, 0.0076), (0.082, 0.0103)])
