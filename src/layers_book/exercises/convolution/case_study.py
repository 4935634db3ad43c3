"""Exercises of the page convolution/case_study."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import grad

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    measure_run,
    signed,
    value_run,
)


def _maps(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Label maps in which, in turn, classes are absent from one map or from both."""
    index = generator.initial_seed()
    n, height, width, classes = distinct(generator, 4, 3)
    shape = (n, height, width) if index % 3 else (n * height, width)
    low = index % 2  # class 0 is in neither map every other time
    high = classes - (index // 2) % 3  # nor are the last classes
    target = torch.randint(low, max(high, low + 1), shape, generator=generator)
    prediction = torch.randint(low, max(high, low + 1), shape, generator=generator)
    agree = torch.rand(shape, generator=generator) < 0.5
    prediction = torch.where(agree, target, prediction)
    if index % 4 == 1:  # a class that only the prediction has
        target[target == low + 1] = low
    elif index % 4 == 3:  # a class that only the target has
        prediction[prediction == low + 1] = low
    return (prediction, target, classes), {}


def _iou(prediction: Tensor, target: Tensor, classes: int) -> Tensor:
    """From a table of all pairs of labels, the confusion matrix."""
    pairs = (target * classes + prediction).flatten()
    table = pairs.bincount(minlength=classes * classes).view(classes, classes)
    both = table.diag()
    return both / (table.sum(0) + table.sum(1) - both)


IOU = Exercise(
    name="case_study/iou",
    solution="""
        def iou(prediction, target, classes):
            scores = []
            for c in range(classes):
                p, t = prediction == c, target == c
                scores.append((p & t).sum() / (p | t).sum())
            return torch.stack(scores)
    """,
    reference=_iou,
    run=function_run(_maps, names=("prediction", "target", "classes")),
    mistakes=[
        (
            "(p | t).sum()",
            "(p | t).sum().clamp(min=1)",
            "You give 0 to a class that is in neither map: there is nothing to score, "
            "so it must be nan, which 0 / 0 gives by itself.",
        ),
        (
            "torch.stack(scores)",
            "torch.stack(scores).nan_to_num(1)",
            "You give 1 to a class that is in neither map, as a small number added to "
            "both counts does: there is nothing to score, so leave 0 / 0, which is "
            "nan, as it is.",
        ),
        (
            "(p | t).sum()",
            "(p | t).sum() if t.any() else torch.tensor(torch.nan)",
            "A class that the prediction has and the target lacks scores 0, not nan: "
            "all its pixels are wrong.",
        ),
        (
            "(p | t).sum()",
            "(p | t).sum() if p.any() else torch.tensor(torch.nan)",
            "A class that the target has and the prediction lacks scores 0, not nan: "
            "all its pixels are missed.",
        ),
        (
            "(p & t).sum() / (p | t).sum()",
            "2 * (p & t).sum() / (p.sum() + t.sum())",
            "That is the Dice coefficient, 2 I / (A + B): divide the intersection by "
            "the union.",
        ),
        (
            "(p | t).sum()",
            "(p.sum() + t.sum())",
            "You divide by the sum of both areas, in which the intersection is "
            "counted twice: subtract it once.",
        ),
        (
            "(p | t).sum()",
            "t.sum()",
            "You divide by the pixels of the target, which is the recall: whoever "
            "paints everything gets 1. Divide by the union.",
        ),
        (
            "(p | t).sum()",
            "p.sum()",
            "You divide by the pixels of the prediction, which is the precision: "
            "divide by the union.",
        ),
        (
            "(p & t).sum() / (p | t).sum()",
            "(p == t).float().mean()",
            "You count the pixels where both maps agree on being of the class or not; "
            "those where both are not must stay out.",
        ),
        (
            "(p | t).sum()",
            "p.numel()",
            "You divide by the number of all pixels: divide by those of the union.",
        ),
        (
            "(p & t).sum() / (p | t).sum()",
            "((p & t).flatten(1).sum(1) / (p | t).flatten(1).sum(1)).nanmean()",
            "You score each image and average: count over all pixels of all images "
            "first, then divide once.",
        ),
        (
            "(p & t).sum() / (p | t).sum()",
            "((p & t).sum((-1, -2)) / (p | t).sum((-1, -2))).nanmean()",
            "You score along the last two axes and average: count over all pixels "
            "first, whatever the axes, then divide once.",
        ),
        (
            "p | t",
            "p ^ t",
            "You divide by the pixels that are in one map only: the union holds those "
            "in both as well, p | t and not p ^ t.",
        ),
        (
            "(p & t).sum() / (p | t).sum()",
            "((p & t).sum() + 1) / ((p | t).sum() + 1)",
            "You add 1 to both counts, which changes every score: divide the counts "
            "as they are.",
        ),
        (
            "range(classes)",
            "range(1, classes + 1)",
            "You number the classes from 1: they are 0 to classes - 1.",
        ),
        (
            "range(classes)",
            "target.unique()",
            "You leave out classes that the target lacks: the result has `classes` "
            "entries.",
        ),
        (
            "range(classes)",
            "range(target.max() + 1)",
            "You take the number of classes from the labels: classes says it, and the "
            "last ones may be absent.",
        ),
        (
            "range(classes)",
            "range(1, classes)",
            "You leave class 0 out: the background has a score too.",
        ),
        (
            "torch.stack(scores)",
            "torch.stack(scores).nanmean()",
            "You give the mean over the classes: give one score for each class.",
        ),
        (
            "/ (p | t).sum()",
            "// (p | t).sum().clamp(min=1)",
            "You divide whole numbers with //, which rounds down: use /.",
        ),
        (
            "torch.stack(scores)",
            "100 * torch.stack(scores)",
            "You give percent: the scores go from 0 to 1.",
        ),
    ],
)


def _maps_of_two_sizes(
    generator: Generator,
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """All four combinations of even and odd heights and widths."""
    index = generator.initial_seed()
    n, channels, out, few = distinct(generator, 4)
    height = 6 + 2 * (index % 3) + index % 2
    width = 11 + 2 * (index % 4) + index // 2 % 2
    fine = signed(generator, n, few, height, width).requires_grad_()
    rows, columns = (height + 1) // 2, (width + 1) // 2
    coarse = signed(generator, n, channels, rows, columns).requires_grad_()
    weight = signed(generator, channels, out, 3, 3).requires_grad_()
    return (coarse, fine, weight), {}


def _join(coarse: Tensor, fine: Tensor, weight: Tensor) -> Tensor:
    """The upsampling as what it is: the gradient of the convolution that halved."""
    size = (fine.shape[0], weight.shape[1], *fine.shape[2:])
    up = grad.conv2d_input(size, weight, coarse, stride=2, padding=1)
    return torch.cat([up, fine], 1)


JOIN = Exercise(
    name="case_study/join",
    solution="""
def join(coarse, fine, weight):
    height, width = fine.shape[2:]
    extra = (1 - height % 2, 1 - width % 2)
    up = F.conv_transpose2d(coarse, weight, stride=2, padding=1, output_padding=extra)
    return torch.cat([up, fine], 1)
    """,
    reference=_join,
    run=function_run(_maps_of_two_sizes, names=("coarse", "fine", "weight")),
    mistakes=[
        (
            ", output_padding=extra",
            "",
            "Your upsampled map is too small where fine has an even size: "
            "output_padding makes it one longer.",
        ),
        (
            "output_padding=extra",
            "output_padding=1",
            "output_padding=1 is right for even sizes only: an odd size n is restored "
            "without it.",
        ),
        (
            "1 - ",
            "",
            "Your output_padding is the wrong way round: an even size needs 1, an odd "
            "one 0.",
        ),
        (
            "(1 - height % 2, 1 - width % 2)",
            "(1 - width % 2, 1 - height % 2)",
            "Your output_padding of the height goes by the width: height comes first, "
            "and each axis goes by its own size.",
        ),
        (
            "1 - width % 2",
            "1 - height % 2",
            "You use the height's output_padding for both axes: one may be even and "
            "the other odd.",
        ),
        (
            ", output_padding=extra",
            "",
            "[up,",
            "[F.pad(up, (0, extra[1], 0, extra[0])),",
            "You fill the missing row and column with zeros. output_padding is no "
            "padding: the kernel reaches there, and the map has numbers to give.",
        ),
        (
            ", output_padding=extra",
            "",
            "[up,",
            "[F.pad(up, (extra[1], 0, extra[0], 0)),",
            "You put zeros before the first row and column. What is missing lies at "
            "the end, and output_padding computes it.",
        ),
        (
            "output_padding=extra",
            "output_padding=1",
            "[up,",
            "[up[:, :, -height:, -width:],",
            "You crop the first row and column where the size is odd: the one too "
            "many is the last, and output_padding=0 avoids it.",
        ),
        (
            "(coarse, weight,",
            "(coarse, weight.mT,",
            "You swap the kernel's rows and columns: F.conv_transpose2d takes weight "
            "as it is.",
        ),
        (
            ", output_padding=extra",
            "",
            "[up,",
            "[F.interpolate(up, (height, width)),",
            "You stretch the map to fit: use output_padding, which adds the missing "
            "row and column at the end.",
        ),
        (
            ", output_padding=extra",
            "",
            "fine]",
            "fine[:, :, : up.shape[2], : up.shape[3]]]",
            "You crop fine: the result must have the full size of fine.",
        ),
        (
            ", padding=1, output_padding=extra",
            "",
            "[up,",
            "[up[:, :, :height, :width],",
            "You leave padding out and crop at the end only: padding=1 cuts the first "
            "row and column off.",
        ),
        (
            ", padding=1, output_padding=extra",
            "",
            "You leave padding=1 out: the halving convolution had it, so the way up "
            "needs it too.",
        ),
        (
            "[up, fine]",
            "[fine, up]",
            "The maps come in the wrong order: first the upsampled one, then fine.",
        ),
        (
            "[up, fine], 1",
            "[up, fine], 0",
            "You join the maps along the batch: channels are axis 1.",
        ),
        (
            "torch.cat([up, fine], 1)",
            "up",
            "Your result lacks the channels of fine: join both with torch.cat.",
        ),
        (
            "torch.cat([up, fine], 1)",
            "up + fine.mean(1, keepdim=True)",
            "You add the maps: join them along the channels with torch.cat, so that "
            "both stay.",
        ),
        (
            "(coarse, weight,",
            "(coarse, weight.flip(2, 3),",
            "You flip the kernel: F.conv_transpose2d takes weight as it is.",
        ),
        (
            "(coarse, weight,",
            "(coarse.detach(), weight,",
            "The output is right, the gradient is not: do not detach coarse.",
        ),
        (
            "(coarse, weight,",
            "(coarse, weight.detach(),",
            "The output is right, but no gradient reaches weight: use weight itself, "
            "without detach or .data, and not in a new nn.Parameter.",
        ),
    ],
)

FIELD = Exercise(
    name="case_study/field",
    solution="answer = [3, 5, 13, 29]",
    run=value_run(),
    mistakes=[
        (
            [3, 5, 9, 17],
            "After the stride, neighboring cells lie two pixels apart: a dilation of "
            "2 there reaches 4 pixels each way.",
        ),
        (
            [3, 7, 15, 31],
            "The stride counts for the layers after it: the convolution that strides "
            "itself adds one pixel each way.",
        ),
        (
            [3, 5, 9, 13],
            "You leave the dilation out: the outer entries of a kernel lie `dilation` "
            "cells from its center.",
        ),
        (
            [3, 5, 7, 9],
            "You leave out stride and dilation: each makes a kernel of three reach "
            "further.",
        ),
        (
            [1, 2, 6, 14],
            "You give how far the receptive field reaches to each side: its width is "
            "twice that and one.",
        ),
        (
            [3, 6, 16, 34],
            "A kernel of size k widens the receptive field by k - 1 steps, not by k.",
        ),
        (
            [3, 3, 5, 9],
            "You give the span of each kernel in its own cells: the receptive field "
            "goes back to the input, through all the layers before.",
        ),
        (
            [3, 5, 13, 21],
            "The last layer has dilation 4: its outer entries lie 4 cells, 8 pixels, "
            "from its center.",
        ),
        (
            [3, 9, 81, 729],
            "Receptive fields do not multiply: each layer adds to the one before.",
        ),
        ([9, 25, 169, 841], "You count the pixels of the square: give its width."),
    ],
)


def _label_maps(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Blocks of labels, so that some pixels lie at an edge and others do not."""
    index = generator.initial_seed()
    n, height, width = distinct(generator, 3)
    labels = torch.randint(0, 3 + index % 2, (n, height, width), generator=generator)
    labels = labels.repeat_interleave(3 + index % 3, 1)
    return (labels.repeat_interleave(4, 2),), {}


IGNORE_EDGES = Exercise(
    name="case_study/ignore_edges",
    solution="""
        def ignore_edges(target):
            x = target[:, None].double()  # (N, 1, H, W)
            highest = F.max_pool2d(x, 3, stride=1, padding=1)
            lowest = -F.max_pool2d(-x, 3, stride=1, padding=1)
            edge = (highest != lowest)[:, 0]
            return target.masked_fill(edge, -100)
    """,
    run=function_run(_label_maps, names=("target",)),
    mistakes=[
        (
            "highest != lowest",
            "highest != x",
            "Of two pixels at an edge you mark the one with the smaller label alone: "
            "the other has a neighbor of another label, too.",
        ),
        (
            "highest != lowest",
            "lowest != x",
            "Of two pixels at an edge you mark the one with the larger label alone: "
            "both belong to the edge.",
        ),
        (
            "-100",
            "255",
            "You mark the edge with 255: F.cross_entropy skips -100.",
        ),
        (
            "F.max_pool2d(x, 3, stride=1, padding=1)",
            "F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, stride=1)",
            "F.max_pool2d(-x, 3, stride=1, padding=1)",
            "F.max_pool2d(F.pad(-x, (1, 1, 1, 1)), 3, stride=1)",
            "You mark pixels along the rim of the picture, as if zeros lay around it: "
            "what is outside has no label.",
        ),
        (
            "(x, 3, stride=1, padding=1)",
            "(x, 5, stride=1, padding=2)",
            "(-x, 3, stride=1, padding=1)",
            "(-x, 5, stride=1, padding=2)",
            "Your edge is two pixels wide on each side: only the eight pixels around "
            "count.",
        ),
        (
            "edge, -100",
            "~edge, -100",
            "You keep the edges and mark all else: it is the edges that are left out.",
        ),
    ],
)

DISTANCE = Exercise(
    name="case_study/distance",
    setup="""
        def block(layer):
            return nn.Sequential(layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU())


        def middle(dilations):
            layers = []
            for d in dilations:
                layer = nn.Conv2d(6, 6, 3, padding=d, dilation=d, bias=False)
                layers.append(block(layer))
            return nn.Sequential(*layers)


        class Net(nn.Module):
            def __init__(self, dilations=(1, 2, 4)):
                super().__init__()
                self.enter = block(nn.Conv2d(1, 4, 3, padding=1, bias=False))
                self.down = block(nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False))
                self.middle = middle(dilations)
                self.up = block(nn.ConvTranspose2d(6, 4, 4, stride=2, padding=1, bias=False))
                self.head = nn.Conv2d(8, 3, 1)

            def forward(self, x):
                fine = self.enter(x)
                back = self.up(self.middle(self.down(fine)))
                return self.head(torch.cat([back, fine], 1))


        def seen(net):
            x = torch.randn(4, 1, 48, 48).requires_grad_()
            scores = net.eval()(x)[:, :, 24, 24]
            scores.sum().backward()
            return x.grad.abs().sum((0, 1))


        def distance(seed, dilations):
            torch.manual_seed(seed)
            parts = list(Net(dilations).children())[:-1]  # all but the head
            gradient = seen(nn.Sequential(*parts))
            columns = torch.arange(48) - 24
            return ((gradient * columns**2).sum() / gradient.sum()).sqrt().item()
    """,  # noqa: E501
    solution="""
        wide = torch.tensor([distance(seed, (1, 2, 4)) for seed in range(8)])
        narrow = torch.tensor([distance(seed, (1, 1, 1)) for seed in range(8)])
        difference = wide - narrow  # (seeds,)
        answer = difference.mean(), difference.std() / 8**0.5
    """,
    run=measure_run("wide", "narrow"),
    mistakes=[
        (
            "(1, 1, 1)",
            "(1,)",
            "Your smaller network has one dilated layer: it has three, of dilation 1.",
        ),
        (
            "(1, 2, 4)",
            "(2, 2, 2)",
            "Your larger network has the dilations 2, 2, 2: they are 1, 2 and 4.",
        ),
    ],
)

EXERCISES = (FIELD, IOU, JOIN, IGNORE_EDGES, DISTANCE)
