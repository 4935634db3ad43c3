"""Exercises of the page convolution/case_study."""

from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F
from torch.nn import grad

from layers_book.checking import (
    Exercise,
    Mistake,
    distinct,
    function_run,
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


def _wrong_iou(wrong: str) -> Any:
    def answer(prediction: Tensor, target: Tensor, classes: int) -> Any:
        scores = []
        wanted = range(classes)
        if wrong == "present":
            wanted = target.unique().tolist()
        elif wrong == "no background":
            wanted = range(1, classes)
        elif wrong == "from one":
            wanted = range(1, classes + 1)
        elif wrong == "largest label":
            wanted = range(int(target.max()) + 1)
        for c in wanted:
            p, t = prediction == c, target == c
            both, either = (p & t).sum(), (p | t).sum()
            score = both / either
            if wrong == "zero":
                score = both / either.clamp(min=1)
            elif wrong == "one":
                score = torch.where(either == 0, 1.0, score)
            elif wrong == "dice":
                score = 2 * both / (p.sum() + t.sum())
            elif wrong == "recall":
                score = both / t.sum()
            elif wrong == "precision":
                score = both / p.sum()
            elif wrong == "counted twice":
                score = both / (p.sum() + t.sum())
            elif wrong == "accuracy":
                score = (p == t).float().mean()
            elif wrong == "all pixels":
                score = both / p.numel()
            elif wrong == "absent target":
                score = torch.where(t.any(), score, torch.nan)
            elif wrong == "absent prediction":
                score = torch.where(p.any(), score, torch.nan)
            elif wrong == "by image":
                axes = tuple(range(1, p.ndim))
                score = ((p & t).sum(axes) / (p | t).sum(axes)).nanmean()
            elif wrong == "by picture":
                score = ((p & t).sum((-1, -2)) / (p | t).sum((-1, -2))).nanmean()
            elif wrong == "only one":
                score = both / (p ^ t).sum()
            elif wrong == "smoothed":
                score = (both + 1) / (either + 1)
            elif wrong == "whole":
                score = both // either.clamp(min=1)
            elif wrong == "percent":
                score = 100 * score
            scores.append(score)
        result = torch.stack(scores)
        if wrong == "mean":
            return result.nanmean()
        return result

    return answer


IOU = Exercise(
    name="case_study/iou",
    reference=_iou,
    run=function_run(_maps, names=("prediction", "target", "classes"), float32=False),
    mistakes=(
        Mistake(
            _wrong_iou("zero"),
            "You give 0 to a class that is in neither map: there is nothing to score, "
            "so it must be nan, which 0 / 0 gives by itself.",
        ),
        Mistake(
            _wrong_iou("one"),
            "You give 1 to a class that is in neither map, as a small number added to "
            "both counts does: there is nothing to score, so leave 0 / 0, which is "
            "nan, as it is.",
        ),
        Mistake(
            _wrong_iou("absent target"),
            "A class that the prediction has and the target lacks scores 0, not nan: "
            "all its pixels are wrong.",
        ),
        Mistake(
            _wrong_iou("absent prediction"),
            "A class that the target has and the prediction lacks scores 0, not nan: "
            "all its pixels are missed.",
        ),
        Mistake(
            _wrong_iou("dice"),
            "That is the Dice coefficient, 2 I / (A + B): divide the intersection by "
            "the union.",
        ),
        Mistake(
            _wrong_iou("counted twice"),
            "You divide by the sum of both areas, in which the intersection is counted "
            "twice: subtract it once.",
        ),
        Mistake(
            _wrong_iou("recall"),
            "You divide by the pixels of the target, which is the recall: whoever "
            "paints everything gets 1. Divide by the union.",
        ),
        Mistake(
            _wrong_iou("precision"),
            "You divide by the pixels of the prediction, which is the precision: "
            "divide by the union.",
        ),
        Mistake(
            _wrong_iou("accuracy"),
            "You count the pixels where both maps agree on being of the class or not; "
            "those where both are not must stay out.",
        ),
        Mistake(
            _wrong_iou("all pixels"),
            "You divide by the number of all pixels: divide by those of the union.",
        ),
        Mistake(
            _wrong_iou("by image"),
            "You score each image and average: count over all pixels of all images "
            "first, then divide once.",
        ),
        Mistake(
            _wrong_iou("by picture"),
            "You score along the last two axes and average: count over all pixels "
            "first, whatever the axes, then divide once.",
        ),
        Mistake(
            _wrong_iou("only one"),
            "You divide by the pixels that are in one map only: the union holds those "
            "in both as well, p | t and not p ^ t.",
        ),
        Mistake(
            _wrong_iou("smoothed"),
            "You add 1 to both counts, which changes every score: divide the counts "
            "as they are.",
        ),
        Mistake(
            _wrong_iou("from one"),
            "You number the classes from 1: they are 0 to classes - 1.",
        ),
        Mistake(
            _wrong_iou("present"),
            "You leave out classes that the target lacks: the result has `classes` "
            "entries.",
        ),
        Mistake(
            _wrong_iou("largest label"),
            "You take the number of classes from the labels: classes says it, and the "
            "last ones may be absent.",
        ),
        Mistake(
            _wrong_iou("no background"),
            "You leave class 0 out: the background has a score too.",
        ),
        Mistake(
            _wrong_iou("mean"),
            "You give the mean over the classes: give one score for each class.",
        ),
        Mistake(
            _wrong_iou("whole"),
            "You divide whole numbers with //, which rounds down: use /.",
        ),
        Mistake(
            _wrong_iou("percent"),
            "You give percent: the scores go from 0 to 1.",
        ),
    ),
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


def _wrong_join(wrong: str) -> Any:
    def answer(coarse: Tensor, fine: Tensor, weight: Tensor) -> Tensor:
        height, width = fine.shape[2:]
        extra = (1 - height % 2, 1 - width % 2)
        padding = 1
        if wrong == "none":
            extra = (0, 0)
        elif wrong == "always one":
            extra = (1, 1)
        elif wrong == "inverted":
            extra = (height % 2, width % 2)
        elif wrong == "swapped":
            extra = extra[::-1]
        elif wrong == "square":
            extra = (extra[0], extra[0])
        elif wrong == "detached":
            coarse = coarse.detach()
        elif wrong == "flipped":
            weight = weight.flip(2, 3)
        elif wrong == "end kept":
            extra = (1, 1)
        elif wrong == "kernel transposed":
            weight = weight.mT
        if wrong in (
            "cropped",
            "zeros",
            "zeros before",
            "resized",
            "fine cropped",
            "no padding",
        ):
            extra, padding = (0, 0), int(wrong not in ("cropped", "no padding"))
        up = F.conv_transpose2d(
            coarse, weight, stride=2, padding=padding, output_padding=extra
        )
        if wrong == "cropped":
            up = up[:, :, :height, :width]
        elif wrong == "zeros":
            up = F.pad(up, (0, width - up.shape[3], 0, height - up.shape[2]))
        elif wrong == "zeros before":
            up = F.pad(up, (width - up.shape[3], 0, height - up.shape[2], 0))
        elif wrong == "end kept":
            up = up[:, :, -height:, -width:]
        elif wrong == "resized":
            up = F.interpolate(up, (height, width))
        elif wrong == "fine cropped":
            fine = fine[:, :, : up.shape[2], : up.shape[3]]
        elif wrong == "stacked below":
            return torch.cat([up, fine], 0)
        elif wrong == "fine first":
            return torch.cat([fine, up], 1)
        elif wrong == "only up":
            return up
        elif wrong == "added":
            return up + fine.mean(1, keepdim=True)
        return torch.cat([up, fine], 1)

    return answer


JOIN = Exercise(
    name="case_study/join",
    reference=_join,
    run=function_run(_maps_of_two_sizes, names=("coarse", "fine", "weight")),
    mistakes=(
        Mistake(
            _wrong_join("none"),
            "Your upsampled map is too small where fine has an even size: "
            "output_padding makes it one longer.",
        ),
        Mistake(
            _wrong_join("always one"),
            "output_padding=1 is right for even sizes only: an odd size n is "
            "restored without it.",
        ),
        Mistake(
            _wrong_join("inverted"),
            "Your output_padding is the wrong way round: an even size needs 1, an odd "
            "one 0.",
        ),
        Mistake(
            _wrong_join("swapped"),
            "You have swapped the two axes: output_padding goes height first, then "
            "width.",
        ),
        Mistake(
            _wrong_join("square"),
            "You use the height's output_padding for both axes: one may be even and "
            "the other odd.",
        ),
        Mistake(
            _wrong_join("zeros"),
            "You fill the missing row and column with zeros. output_padding is no "
            "padding: the kernel reaches there, and the map has numbers to give.",
        ),
        Mistake(
            _wrong_join("zeros before"),
            "You put zeros before the first row and column. What is missing lies at "
            "the end, and output_padding computes it.",
        ),
        Mistake(
            _wrong_join("end kept"),
            "You crop the first row and column where the size is odd: the one too "
            "many is the last, and output_padding=0 avoids it.",
        ),
        Mistake(
            _wrong_join("kernel transposed"),
            "You swap the kernel's rows and columns: F.conv_transpose2d takes weight "
            "as it is.",
        ),
        Mistake(
            _wrong_join("resized"),
            "You stretch the map to fit: use output_padding, which adds the missing "
            "row and column at the end.",
        ),
        Mistake(
            _wrong_join("fine cropped"),
            "You crop fine: the result must have the full size of fine.",
        ),
        Mistake(
            _wrong_join("cropped"),
            "You leave padding out and crop at the end only: padding=1 cuts the "
            "first row and column off.",
        ),
        Mistake(
            _wrong_join("no padding"),
            "You leave padding=1 out: the halving convolution had it, so the way up "
            "needs it too.",
        ),
        Mistake(
            _wrong_join("fine first"),
            "The maps come in the wrong order: first the upsampled one, then fine.",
        ),
        Mistake(
            _wrong_join("stacked below"),
            "You join the maps along the batch: channels are axis 1.",
        ),
        Mistake(
            _wrong_join("only up"),
            "Your result lacks the channels of fine: join both with torch.cat.",
        ),
        Mistake(
            _wrong_join("added"),
            "You add the maps: join them along the channels with torch.cat, so that "
            "both stay.",
        ),
        Mistake(
            _wrong_join("flipped"),
            "You flip the kernel: F.conv_transpose2d takes weight as it is.",
        ),
        Mistake(
            _wrong_join("detached"),
            "The output is right, the gradient is not: do not detach coarse.",
        ),
    ),
)

FIELD = Exercise(
    name="case_study/field",
    reference=[3, 5, 13, 29],
    run=value_run(),
    configurations=1,
    mistakes=(
        Mistake(
            [3, 5, 9, 17],
            "After the stride, neighboring cells lie two pixels apart: a dilation of 2 "
            "there reaches 4 pixels each way.",
        ),
        Mistake(
            [3, 7, 15, 31],
            "The stride counts for the layers after it: the convolution that strides "
            "itself adds one pixel each way.",
        ),
        Mistake(
            [3, 5, 9, 13],
            "You leave the dilation out: the outer entries of a kernel lie `dilation` "
            "cells from its center.",
        ),
        Mistake(
            [3, 5, 7, 9],
            "You leave out stride and dilation: each makes a kernel of three reach "
            "further.",
        ),
        Mistake(
            [1, 2, 6, 14],
            "You give how far the field reaches to each side: its width is twice that "
            "and one.",
        ),
        Mistake(
            [3, 6, 16, 34],
            "A kernel of size k widens the field by k - 1 steps, not by k.",
        ),
        Mistake(
            [3, 3, 5, 9],
            "You give the span of each kernel in its own cells: the field goes back to "
            "the input, through all the layers before.",
        ),
        Mistake(
            [3, 5, 13, 21],
            "The last layer has dilation 4: its outer entries lie 4 cells, 8 pixels, "
            "from its center.",
        ),
        Mistake(
            [3, 9, 81, 729],
            "Fields do not multiply: each layer adds to the one before.",
        ),
        Mistake(
            [9, 25, 169, 841],
            "You count the pixels of the square: give its width.",
        ),
    ),
)

EXERCISES = (IOU, JOIN, FIELD)
