"""Foreign answers to the exercises of the case study on segmentation."""

import numpy as np
import torch
from answers import FOREIGN, Foreign, right, wrong
from torch import nn
from torch.nn import functional as F


@right("case_study/iou")
def in_float64(prediction, target, classes):
    every = range(classes)
    both = [((prediction == c) & (target == c)).sum() for c in every]
    one = [((prediction == c) | (target == c)).sum() for c in every]
    return torch.stack(both).double() / torch.stack(one)


@right("case_study/iou")
def of_fast_hist(prediction, target, classes):  # as FCN's and torchvision's
    k = (target >= 0) & (target < classes)
    pairs = classes * target[k] + prediction[k]
    h = torch.bincount(pairs, minlength=classes**2).reshape(classes, classes).float()
    return torch.diag(h) / (h.sum(1) + h.sum(0) - torch.diag(h))


@right("case_study/iou")
def one_hot(prediction, target, classes):
    p = F.one_hot(prediction.flatten(), classes).bool()
    t = F.one_hot(target.flatten(), classes).bool()
    return (p & t).sum(0) / (p | t).sum(0)


@right("case_study/iou")
def by_numpy(prediction, target, classes):
    p, t = prediction.numpy(), target.numpy()
    with np.errstate(invalid="ignore"):
        each = [
            np.sum((p == c) & (t == c)) / np.sum((p == c) | (t == c))
            for c in range(classes)
        ]
    return np.array(each)


@right("case_study/iou")
def in_python(prediction, target, classes):
    p, t = prediction.flatten().tolist(), target.flatten().tolist()
    scores = []
    for c in range(classes):
        both = sum(a == b == c for a, b in zip(p, t, strict=True))
        any_ = p.count(c) + t.count(c) - both
        scores.append(both / any_ if any_ else float("nan"))
    return torch.tensor(scores)


@right("case_study/iou")
def by_histc(prediction, target, classes):  # as mmsegmentation's
    same = prediction[prediction == target].float()
    both = torch.histc(same, classes, 0, classes - 1)
    p = torch.histc(prediction.float(), classes, 0, classes - 1)
    t = torch.histc(target.float(), classes, 0, classes - 1)
    return both / (p + t - both)


@wrong("case_study/iou", "nan")
def smoothed(prediction, target, classes):
    scores = []
    for c in range(classes):
        p, t = prediction == c, target == c
        scores.append(((p & t).sum() + 1e-6) / ((p | t).sum() + 1e-6))
    return torch.stack(scores)


@wrong("case_study/iou", "nan")
def small_below(prediction, target, classes):
    scores = []
    for c in range(classes):
        p, t = prediction == c, target == c
        scores.append((p & t).sum() / ((p | t).sum() + 1e-10))
    return torch.stack(scores)


@wrong("case_study/iou", "axes|images|pixels")
def of_four_axes(prediction, target, classes):
    n, h, w = prediction.shape
    p = F.one_hot(prediction.view(n, h * w), classes)
    t = F.one_hot(target.view(n, h * w), classes)
    return (p * t).sum((0, 1)) / (p + t - p * t).sum((0, 1))


@wrong("case_study/iou")
def product_of_scores(prediction, target, classes):
    return {c: 0.5 for c in range(classes)}


@wrong("case_study/iou")
def changes_target(prediction, target, classes):
    scores = []
    for c in range(classes):
        p, t = prediction == c, target == c
        scores.append((p & t).sum() / (p | t).sum())
    target.fill_(0)
    return torch.stack(scores)


@wrong("case_study/iou", "Dice")
def dice(prediction, target, classes):
    p = F.one_hot(prediction.flatten(), classes).float()
    t = F.one_hot(target.flatten(), classes).float()
    return 2 * (p * t).sum(0) / (p.sum(0) + t.sum(0))


@right("case_study/join")
def by_module(coarse, fine, weight):
    up = nn.ConvTranspose2d(*weight.shape[:2], 3, 2, 1, bias=False)
    del up.weight
    up.weight = weight
    return torch.cat((up(coarse, output_size=fine.shape[2:]), fine), dim=-3)


@right("case_study/join")
def crops(coarse, fine, weight):
    up = F.conv_transpose2d(coarse, weight, stride=2)
    h, w = fine.shape[-2:]
    up = F.pad(up, (0, 1, 0, 1))[..., 1 : h + 1, 1 : w + 1]
    return torch.concat([up, fine], dim=1)


@right("case_study/join")
def takes_one_too_many(coarse, fine, weight):
    up = F.conv_transpose2d(coarse, weight, stride=2, padding=1, output_padding=1)
    return torch.cat([up[:, :, : fine.shape[2], : fine.shape[3]], fine], 1)


@wrong("case_study/join", "height|axes|even")
def square_extra(coarse, fine, weight):
    e = fine.shape[-1] - (2 * coarse.shape[-1] - 1)
    up = F.conv_transpose2d(coarse, weight, stride=2, padding=1, output_padding=e)
    return torch.cat([up, fine], 1)


@wrong("case_study/join", "wrong values")
def resized(coarse, fine, weight):  # as many U-Nets do
    up = F.conv_transpose2d(coarse, weight, stride=2, padding=1, output_padding=1)
    up = F.interpolate(up, size=fine.shape[2:], mode="bilinear", align_corners=False)
    return torch.cat([up, fine], 1)


@wrong("case_study/join", "module|weight")
def own_module(coarse, fine, weight):
    up = nn.ConvTranspose2d(*weight.shape[:2], 3, 2, 1, bias=False).to(weight.dtype)
    up.weight.data.copy_(weight)
    return torch.cat([up(coarse, output_size=fine.shape[2:]), fine], 1)


@wrong("case_study/join", "weight")
def new_parameter(coarse, fine, weight):
    up = nn.ConvTranspose2d(*weight.shape[:2], 3, 2, 1, bias=False)
    up.weight = nn.Parameter(weight)
    return torch.cat([up(coarse, output_size=fine.shape[2:]), fine], 1)


@wrong("case_study/join", "crop|fine")
def padded_as_unet(coarse, fine, weight):
    up = F.conv_transpose2d(coarse, weight, stride=2, padding=1)
    dy, dx = fine.size(2) - up.size(2), fine.size(3) - up.size(3)
    up = F.pad(up, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
    return torch.cat([up, fine], dim=1)


FOREIGN.append(Foreign("case_study/field", (3, 5, 13, 29), True))
FOREIGN.append(Foreign("case_study/field", torch.tensor([3, 5, 13, 29]), True))
FOREIGN.append(Foreign("case_study/field", [3.0, 5.0, 13.0, 29.0], True))
FOREIGN.append(Foreign("case_study/field", [(3, 3), (5, 5), (13, 13), (29, 29)], False))
FOREIGN.append(Foreign("case_study/field", {3, 5, 13, 29}, False, "list"))
FOREIGN.append(Foreign("case_study/field", ["3", "5", "13", "29"], False, "number"))
FOREIGN.append(Foreign("case_study/field", [1, 3, 5, 13, 29], False, "4 values"))
FOREIGN.append(Foreign("case_study/field", 29, False, "list"))


@right("case_study/ignore_edges")
def by_shifts(target):
    wide = F.pad(target, (1, 1, 1, 1), value=-1)
    _, height, width = target.shape
    edge = torch.zeros_like(target, dtype=torch.bool)
    for dy in range(3):
        for dx in range(3):
            other = wide[:, dy : dy + height, dx : dx + width]
            edge |= (other != target) & (other >= 0)
    return torch.where(edge, -100, target)


@right("case_study/ignore_edges")
def by_classes(target):
    near = F.one_hot(target).movedim(-1, 1).float()
    near = F.max_pool2d(near, 3, 1, 1).sum(1)
    result = target.clone()
    result[near > 1] = -100
    return result


@wrong("case_study/ignore_edges")
def four_neighbors(target):
    edge = torch.zeros_like(target, dtype=torch.bool)
    down = target[:, 1:] != target[:, :-1]
    across = target[..., 1:] != target[..., :-1]
    edge[:, 1:] |= down
    edge[:, :-1] |= down
    edge[..., 1:] |= across
    edge[..., :-1] |= across
    return target.masked_fill(edge, -100)


@wrong("case_study/ignore_edges", "rim")
def zeros_around(target):
    x = F.pad(target[:, None].float(), (1, 1, 1, 1))
    edge = F.max_pool2d(x, 3, 1) != -F.max_pool2d(-x, 3, 1)
    return target.masked_fill(edge[:, 0], -100)


@wrong("case_study/ignore_edges")
def overwrites(target):
    x = target[:, None].double()
    edge = F.max_pool2d(x, 3, 1, 1) != -F.max_pool2d(-x, 3, 1, 1)
    return target.masked_fill_(edge[:, 0], -100)


right("case_study/distance")((4.55, 0.05))
wrong("case_study/distance", "sign|minus")((-4.52, 0.042))
wrong("case_study/distance")((8.0, 0.1))
