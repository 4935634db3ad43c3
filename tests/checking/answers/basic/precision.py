"""Foreign answers to the exercises on precision."""

import torch
from answers import right, wrong

right("precision/counter")(2048)
right("precision/counter")(2048.0)
wrong("precision/counter", "bfloat16")(256)


@right("precision/rms")
def by_norm(x):
    return (x.float().norm(dim=-1) / x.shape[-1] ** 0.5).to(x.dtype)


@right("precision/rms")
def by_scaling(x):
    most = x.abs().amax(-1, keepdim=True)
    return ((x / most).square().mean(-1, keepdim=True).sqrt() * most).squeeze(-1)


@wrong("precision/rms", "another type|data type")
def wide(x):
    return x.float().square().mean(-1).sqrt()


@right("precision/step")
def in_double(weight, gradient, scale, lr, most):
    g = gradient.double() / scale
    norm = torch.linalg.vector_norm(g).item()
    if norm == float("inf") or norm != norm:
        return weight.clone()
    return (weight - lr * g * min(1.0, most / norm)).float()


@right("precision/update")
def in_float32(weight, lost, step):
    total = weight.float() + lost.float() + step.float()
    new = total.to(weight.dtype)
    return new, (total - new.float()).to(weight.dtype)


@wrong("precision/update", "lost")
def plain(weight, lost, step):
    return weight + step, lost


right("precision/vanishing")((0.2, 0.015))
