"""Exercises of the page convolution/conv."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator
from torch.nn import functional as F

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    measure_run,
    signed,
    value_run,
    varied,
)

KERNELS = ((3, 2), (2, 3), (1, 4), (3, 3), (4, 1), (2, 2))


def _pictures(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Neither kernels nor pictures are square, and strides do not always divide.

    At the end come a batch of 1, one channel, and a single row of windows.
    """
    index = generator.initial_seed()
    n, channels, outputs = distinct(generator, 3)
    n, channels, outputs = {
        8: (1, channels, outputs),
        9: (n, 1, outputs),
        10: (n, channels, 1),
    }.get(index, (n, channels, outputs))
    height, width = 7 + index % 2, 9 + index % 3
    if index % 4 == 1:
        height, width = width, height
    if index == 8:
        height = KERNELS[2][0]
    x = varied(generator, n, channels, height, width)
    weight = signed(generator, outputs, channels, *KERNELS[index % 6])
    bias = signed(generator, outputs)
    args = tuple(t.requires_grad_() for t in (x, weight, bias))
    how = ({}, {"stride": 2}, {"padding": 1}, {"stride": 3, "padding": 2})[index % 4]
    return args, dict(how)


BY_HAND = Exercise(
    name="conv/by_hand",
    solution="""
        def conv2d(x, weight, bias, stride=1, padding=0):
            x = F.pad(x, [padding] * 4)
            k_h, k_w = weight.shape[2:]
            h_end = (x.shape[2] - k_h) // stride * stride + 1
            w_end = (x.shape[3] - k_w) // stride * stride + 1
            y = bias.view(1, -1, 1, 1)
            for u in range(k_h):
                for v in range(k_w):
                    part = x[:, :, u : u + h_end : stride, v : v + w_end : stride]
                    y = y + torch.einsum("nchw,oc->nohw", part, weight[:, :, u, v])
            return y
    """,
    reference=F.conv2d,
    run=function_run(_pictures),
    forbid=("conv",),
    mistakes=[
        (
            "[:, :, u, v]",
            "[:, :, -1 - u, -1 - v]",
            "You flip the kernel: torch's sum is x[i + u] * weight[u], with a plus, "
            "and nothing is turned around.",
        ),
        (
            "part,",
            "part.flip(1),",
            "You meet the input channels in the wrong order: channel c of x belongs "
            "to weight[:, c].",
        ),
        (
            "x = F.pad(x, [padding] * 4)",
            "",
            "You do not use padding: put that many zeros on all four sides first.",
        ),
        (
            "[padding] * 4",
            "[padding, 0] * 2",
            "You pad the left and the top only; padding counts for all four sides.",
        ),
        (
            "[padding] * 4",
            "[padding] * 2",
            "You pad the last axis only; F.pad needs four numbers for two axes.",
        ),
        (
            "[padding] * 4",
            "[0, 0, padding, padding]",
            "You pad the rows only; F.pad takes the last axis first, and needs four "
            "numbers.",
        ),
        (
            "[padding] * 4",
            '[padding] * 4, "replicate"',
            "You repeat the border; the default padding_mode is zeros.",
        ),
        (
            "[padding] * 4",
            '[padding] * 4, "reflect"',
            "You mirror the picture at its border; the default padding_mode is zeros.",
        ),
        (
            "[padding] * 4",
            '[padding] * 4, "circular"',
            "You continue the picture from its other side; the default padding_mode "
            "is zeros.",
        ),
        (
            " // stride * stride",
            "",
            " : stride",
            "",
            "You do not use stride: the window for output i starts at row i * stride.",
        ),
        (
            "k_w) // stride * stride",
            "k_w)",
            "w_end : stride",
            "w_end",
            "You stride along the rows only; the columns need it too.",
        ),
        (
            "k_h) // stride * stride",
            "k_h)",
            "h_end : stride",
            "h_end",
            "You stride along the columns only; the rows need it too.",
        ),
        (
            "[padding] * 4)",
            "[padding] * 4)[:, :, stride - 1 :, stride - 1 :]",
            "Your first window starts at stride - 1; it starts at 0.",
        ),
        (
            " + 1",
            "",
            "You leave out the last window of each axis: there are (H - k_H) // "
            "stride + 1 of them, the + 1 included.",
        ),
        ("bias.view(1, -1, 1, 1)", "0", "You do not add bias."),
        (
            "y = bias",
            "y = x.shape[1] * bias",
            "You add bias once for each input channel: it is added once to the sum.",
        ),
        (
            "bias.view(1, -1, 1, 1)",
            "0",
            "v])",
            "v]) + bias.view(1, -1, 1, 1)",
            "You add bias once for each entry of the kernel: it is added once to the "
            "sum.",
        ),
        (
            "y = bias",
            "y = weight[0].numel() * bias",
            "You add bias to every product: it is added once, to their sum.",
        ),
        (
            "u, v])",
            "u, v]) / weight[0].numel()",
            "You take the mean over the window: a convolution adds the products.",
        ),
        (
            "u, v])",
            "u, v]) / x.shape[1]",
            "You average over the input channels: they are added up.",
        ),
        (
            '"nchw,oc->nohw", part, weight[:, :, u, v]',
            '"nhw,o->nohw", part[:, 0], weight[:, 0, u, v]',
            "You use the first input channel only: all of them are added up.",
        ),
        (
            '"nchw,oc->nohw", part, weight[:, :, u, v]',
            '"nchw,o->nohw", part, weight[:, 0, u, v]',
            "You use weight[:, 0] for every input channel: each has numbers of its "
            "own.",
        ),
        (
            "F.pad(x,",
            "F.pad(x.detach(),",
            "The output is right, the gradient of x is not: do not detach x.",
        ),
        (
            "u, v])",
            "u, v].detach())",
            "The output is right, the gradient of weight is not: use weight itself, "
            "not weight.data, weight.detach() or numbers taken out of it.",
        ),
    ],
)


def _axis(generator: Generator) -> tuple[Sequence[int], dict[str, Any]]:
    """Large strides, so that most lists are long and wrong ones seldom alike."""
    index = generator.initial_seed()

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    n, kernel, stride, dilation = draw(2, 12), draw(2, 6), draw(4, 9), draw(1, 4)
    if index % 3 == 2:
        stride, kernel = draw(1, 5), draw(1, 5)
    span = dilation * (kernel - 1) + 1
    padding = draw(max(0, (span - n + 1) // 2), 5 + span)
    out = (n + 2 * padding - span) // stride + 1
    if index % 6 == 5:  # too short for any padding, or an even step that skips it
        out = max(1, (n - span) // stride)
    fixed = {  # in the first, nearly every mistake gives another list
        0: (35, 3, 18, 8, 2),
        4: (2, 1, 5, 4, 2),
        7: (9, 400, 3, 5, 2),
        13: (12, 3000, 4, 7, 1),
    }
    return fixed.get(index, (n, out, kernel, stride, dilation)), {}


PADDINGS = Exercise(
    name="conv/paddings",
    solution="""
        def paddings(n, out, kernel, stride, dilation):
            span = dilation * (kernel - 1) + 1
            most = span + out * stride  # beyond it, every output is too long
            return [p for p in range(most)
                    if n + 2 * p >= span and (n + 2 * p - span) // stride + 1 == out]
    """,
    run=function_run(
        _axis, ("n", "out", "kernel", "stride", "dilation"), configurations=36
    ),
    mistakes=[
        (
            "out]",
            "out][:1]",
            "You give one padding only; several may fit, since the floor drops a "
            "remainder.",
        ),
        (
            "out]",
            "out][:-1]",
            "The last padding of each list is missing; range stops before its end.",
        ),
        (
            "range(most)",
            "range((out * stride + span - n) // 2)",
            "The last padding of some lists is missing: where the bound for p is not "
            "a whole number, the end of a range must be rounded up.",
        ),
        (
            "[p for",
            "next((p for",
            "out]",
            "out), 0)",
            "You give a number; a list is asked for, since several paddings may fit, "
            "or none.",
        ),
        (
            "[p for",
            "len([p for",
            "out]",
            "out])",
            "You give how many paddings fit; list the paddings.",
        ),
        (
            "// stride",
            "/ stride",
            "You accept a padding only if the stride divides: the division is rounded "
            "down, so remainders up to stride - 1 fit as well.",
        ),
        (
            "(n + 2 * p - span) // stride",
            "-(-(n + 2 * p - span) // stride)",
            "You round up; the size rule rounds down: // in Python.",
        ),
        (
            "n + 2 * p >= span and ",
            "",
            "(n + 2 * p - span) // stride",
            "int((n + 2 * p - span) / stride)",
            "You round toward 0: a kernel that does not fit gives a negative number, "
            "which must round down, to no output.",
        ),
        ("+ 1 == out", "== out", "You forget the + 1: the first window counts, too."),
        (
            "dilation * (kernel - 1) + 1",
            "kernel",
            "You do not use dilation: the kernel spans dilation * (kernel - 1) + 1.",
        ),
        (
            "dilation * (kernel - 1) + 1",
            "dilation * kernel",
            "Your kernel spans dilation * kernel; behind its last entry there is no "
            "gap: dilation * (kernel - 1) + 1.",
        ),
        (
            "(kernel - 1) + 1",
            "(kernel - 1)",
            "Your kernel spans one cell too few: dilation * (kernel - 1) + 1.",
        ),
        (
            "2 * p",
            "p",
            "You count the padding once; it stands on both sides: n + 2 * p.",
        ),
        (
            "range(most)",
            "range(-40, most)",
            "You list negative paddings; begin with p = 0.",
        ),
        (
            "range(most)",
            "range(1, most)",
            "You begin with p = 1; no padding, p = 0, counts.",
        ),
        (
            "range(most)",
            "range(kernel // 2 + 1)",
            "You stop at half the kernel: that is pooling's limit, a convolution has "
            "none.",
        ),
        (
            "range(most)",
            "range(span)",
            "You stop where the first window would lie on padding only; torch takes "
            "wider paddings too.",
        ),
        ("out]", "out][::-1]", "Your list is in descending order; turn it around."),
        (
            " // stride",
            "",
            "You do not use stride: the first window starts at 0, the next at stride.",
        ),
        (
            "dilation * (kernel - 1)",
            "kernel * (dilation - 1)",
            "You mix up kernel and dilation: the span is dilation * (kernel - 1) + 1.",
        ),
        (
            "(n + 2 * p - span) // stride",
            "round((n + 2 * p - span) / stride)",
            "You round to the nearest number; the size rule rounds down: // in Python.",
        ),
        (
            "range(most)",
            "range(60)",
            "You stop at a fixed number; a large output needs a wider padding.",
        ),
    ],
)


def _words(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Texts of few letters, so that words recur, overlap, and nearly fit."""
    index = generator.initial_seed()
    if index == 0:
        return ("the other moth gathers on heather", "the"), {}
    letters = "ab" if index % 2 else "ab c"

    def draw(length: int) -> str:
        picked = torch.randint(len(letters), (length,), generator=generator)
        return "".join(letters[i] for i in picked.tolist())

    text = draw(24 + index)
    length = 1 + index % 5
    if index % 4 == 3:  # nowhere
        return (text, f"{draw(length)[1:]}d"), {}
    start = int(torch.randint(len(text) - length, (), generator=generator))
    fixed = {1: ("aaaa b aaa", "aaa"), 2: ("abc", "abc"), 5: ("noon moon", "moon")}
    return fixed.get(index, (text, text[start : start + length])), {}


FIND = Exercise(
    name="conv/find",
    setup="""
        def letters(text):  # (C, L): row 97, for example, is 1 where an "a" stands
            return F.one_hot(torch.tensor([ord(c) for c in text]), 128).T.float()
    """,
    solution="""
        def find(text, word):
            fits = F.conv1d(letters(text)[None], letters(word)[None])
            return (fits[0, 0] == len(word)).nonzero().flatten().tolist()
    """,
    run=function_run(_words, names=("text", "word"), configurations=16),
    mistakes=[
        (
            "letters(word)[None])",
            'letters(word)[None], padding="same")',
            "The places of words of three letters or more are too large: with padding "
            '"same" the first window begins before the text.',
        ),
        (
            "letters(word)[None])",
            "letters(word)[None], padding=len(word) // 2)",
            "The places are too large by len(word) // 2, which is how far before the "
            "text your first window begins.",
        ),
        (
            "letters(word)[None])",
            "letters(word).flip(1)[None])",
            "You look for the word backwards: torch turns no kernel around.",
        ),
        (
            "== len(word)",
            ">= len(word) - 1",
            "You list places where one letter differs: all letters must fit.",
        ),
        (
            "== len(word)",
            "== fits.max()",
            "You list the best places even where the word is nowhere in the text.",
        ),
        (
            ".tolist()",
            ".add(1).tolist()",
            "Your places are counted from 1; the first letter of the text is place 0.",
        ),
        (
            ".tolist()",
            ".add(len(word) - 1).tolist()",
            "You list where the word ends; list where it begins.",
        ),
        (
            ".tolist()",
            ".tolist()[:1]",
            "You list the first place only; list all of them.",
        ),
        (
            "(fits[0, 0] == len(word)).nonzero().flatten().tolist()",
            "int((fits[0, 0] == len(word)).sum())",
            "You count the places; list them.",
        ),
        (
            "(fits[0, 0] == len(word)).nonzero().flatten().tolist()",
            "(fits[0, 0] == len(word)).tolist()",
            "You say of each place whether the word begins there; list the places "
            "where it does.",
        ),
        (
            """
            import re


            def find(text, word):
                return [m.start() for m in re.finditer(re.escape(word), text)]
            """,
            "You leave out words that overlap with the one before.",
        ),
    ],
)

SHAPE = Exercise(
    name="conv/shape",
    solution="""
        answer = [8, 16, (28 + 2 - 5) // 2 + 1, (31 + 2 - 3) // 2 + 1, 16 * 3 * 5 * 3]
    """,
    run=value_run(),
    mistakes=[
        (
            [8, 16, 13, 16, 736],
            "You count a bias for each output channel; bias=False leaves it out.",
        ),
        (
            [8, 16, 13, 16, 240],
            "Each output channel has a slice of the kernel for each input channel.",
        ),
        (
            [8, 16, 14, 15, 720],
            "The kernel's sizes come rows first: 5 rows and 3 columns.",
        ),
        (
            [8, 16, 12, 15, 720],
            "The rows and the columns are one too few: count the padding on both "
            "sides, and the first window, the + 1.",
        ),
        (
            [8, 16, 13, 15, 720],
            "The columns are one too few: padding=1 adds a column on each side.",
        ),
        (
            [8, 16, 14, 16, 720],
            "The rows are one too many: where the stride does not divide, the rule "
            "rounds down.",
        ),
        (
            [8, 16, 26, 31, 720],
            "You do not use the stride: the window moves by two cells.",
        ),
        (
            [8, 3, 13, 16, 720],
            "The output has as many channels as there are kernels: the second number "
            "of the layer.",
        ),
        (
            [16, 13, 16, 720],
            "The batch is missing: the shape of the output has four numbers.",
        ),
    ],
)

FIVE_PICTURES = Exercise(
    name="conv/five_pictures",
    setup="""
        from helpers import digits

        edge = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]).double()[None, None]
        x_train, _, x_test, _ = digits()


        def learn(layer, x, number):
            optimizer = torch.optim.Adam(layer.parameters(), 0.1)
            for _ in range(number):
                optimizer.zero_grad()
                (layer(x) - F.conv2d(x, edge)).square().mean().backward()
                optimizer.step()
            return layer
    """,
    solution="""
        def error(layer, seed):
            learn(layer, x_train[5 * seed : 5 * seed + 5], 30)
            with torch.no_grad():
                gap = layer(x_test) - F.conv2d(x_test, edge)
            return gap.square().mean().sqrt().item()


        dense, conv = [], []
        for seed in range(5):
            torch.manual_seed(seed)
            linear = nn.Sequential(
                nn.Flatten(), nn.Linear(64, 36), nn.Unflatten(1, (1, 6, 6)))
            dense.append(error(linear.double(), seed))
            torch.manual_seed(seed)
            conv.append(error(nn.Conv2d(1, 1, 3).double(), seed))
        d = torch.tensor(dense) - torch.tensor(conv)  # (seeds,)
        answer = d.mean().item(), (d.std() / len(d) ** 0.5).item()
    """,
    run=measure_run("dense", "conv"),
    mistakes=[
        (
            "gap = layer(x_test) - F.conv2d(x_test, edge)",
            "x = x_train[5 * seed : 5 * seed + 5]\n"
            "        gap = layer(x) - F.conv2d(x, edge)",
            "You measure on the pictures that the layers have learned from; measure on "
            "x_test.",
        ),
        (
            "5 * seed : 5 * seed + 5], 30",
            "50 * seed : 50 * seed + 50], 30",
            "You train on more pictures than five, and the Linear gains most.",
        ),
        (
            "+ 5], 30",
            "+ 5], 1",
            "Your layers have hardly been trained: take 30 steps.",
        ),
        (
            ".mean().sqrt()",
            ".mean()",
            "You compare mean squares; take the root of each before you subtract.",
        ),
    ],
)

EXERCISES = (SHAPE, FIND, BY_HAND, PADDINGS, FIVE_PICTURES)
