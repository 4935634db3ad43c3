"""Exercises of the page attention/positions."""

from typing import Any

from torch import Generator

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    measure_run,
    signed,
    value_run,
)

LIST = "[1.0, 0.5, 0.0, -1.0]"

TURNED = Exercise(
    name="positions/turned",
    solution="""
        answer = [1.0, 0.5, 0.0, -1.0]
    """,
    run=value_run(),
    mistakes=[
        (
            LIST,
            "[0.0, 0.75**0.5, 1.0, 0.0]",
            "You take the sine of the angle between the two: their dot product is the "
            "cosine.",
        ),
        (
            LIST,
            "[0.0, 0.5, 0.0, -1.0]",
            "Your first product is 0: at the same place query and key point the same "
            "way, and the cosine of 0 is 1.",
        ),
        (
            LIST,
            "[1.0, 1.0, 1.0, 1.0]",
            "You leave the arrows unturned: query and key stand at different places, "
            "and point in different directions.",
        ),
        (
            LIST,
            "[1.0, 2 / 3, 0.5, 0.0]",
            "Your product falls evenly with the distance: a cosine falls slowly at "
            "first.",
        ),
        (
            LIST,
            "[1.0, 0.5, 0.0, 1.0]",
            "Six places before, the arrows point in opposite directions: that product "
            "is negative.",
        ),
        (
            LIST,
            "[1.0, -0.5, -1.0, 1.0]",
            "You turn by twice the angle: between query and key lies the distance "
            "times π/6, once.",
        ),
        (
            LIST,
            "[1.0, 0.75**0.5, 0.75**0.5, 0.75**0.5]",
            "You take the angle of one place for all: it is the distance times π/6.",
        ),
        (
            LIST,
            "[0.5**0.5, 0.5**1.5, 0.0, -(0.5**0.5)]",
            "You divide by the root of 2: asked for is the dot product itself.",
        ),
        (
            LIST,
            "[-1.0, 0.0, 0.5, 1.0]",
            "Your list runs the other way: it begins with the key at the query's own "
            "place.",
        ),
        (
            LIST,
            "[1.0, 0.75**0.5, 0.5, 0.0]",
            "You give the distances 0, 1, 2 and 3: asked for are 0, 2, 3 and 6.",
        ),
        (
            LIST,
            "[0.0, -1.0, -2.0, -6.0]",
            "Yours is a bias that grows with the distance, as in ALiBi: rotary turns.",
        ),
        (
            LIST,
            "[0.0, 60.0, 90.0, 180.0]",
            "You give the angles, in degrees: take their cosines.",
        ),
        (
            LIST,
            "0.5",
            "You give one number: give the four, in a list.",
        ),
    ],
)


def _parts(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A part of a sequence, with or without axes before, and where it starts."""
    index = generator.initial_seed()
    length, n, pairs = distinct(generator, 3)
    if index % 4 == 3:
        length = 1
    axes = ((), (n,), (n, 2))[index % 3]
    start = (0, 1, 7, 30)[(index + 1) % 4]
    return (signed(generator, *axes, length, 2 * pairs).requires_grad_(), start), {}


SHIFTED = "dtype=x.dtype) + start"
CACHED = Exercise(
    name="positions/cached",
    solution="""
        def turned(x, start):
            L, E = x.shape[-2:]
            place = torch.arange(L, dtype=x.dtype) + start
            rate = 10_000.0 ** (-torch.arange(0, E, 2, dtype=x.dtype) / E)
            angle = place[:, None] * rate
            u, w = x[..., 0::2], x[..., 1::2]
            pairs = (u * angle.cos() - w * angle.sin(), u * angle.sin() + """
    """w * angle.cos())
            return torch.stack(pairs, -1).flatten(-2)
    """,
    run=function_run(_parts, names=("x", "start"), configurations=8),
    mistakes=[
        (
            SHIFTED,
            "dtype=x.dtype)",
            "Each part of yours begins at place 0: its first row stands at start.",
        ),
        (
            SHIFTED,
            "dtype=x.dtype) * start",
            "You multiply the places by start: add it, the next row is one place on.",
        ),
        (
            SHIFTED,
            "dtype=x.dtype) - start",
            "You turn as if the part stood before the beginning: add start.",
        ),
        (
            SHIFTED,
            "dtype=x.dtype) + start + 1",
            "You are one place too far: the first row stands at start itself.",
        ),
        (
            SHIFTED,
            "dtype=x.dtype) + start - 1",
            "You are one place behind: the first row stands at start itself.",
        ),
        (
            SHIFTED,
            "dtype=x.dtype) * 0 + start",
            "You turn all rows as the first one: each row is one place further.",
        ),
        (
            "place[:, None] * rate",
            "place[:, None] * rate + start",
            SHIFTED,
            "dtype=x.dtype)",
            "You add start to the angle of each pair: add it to the place, so that "
            "each pair turns start times its own rate.",
        ),
        (
            SHIFTED,
            "dtype=x.dtype).flip(0) + start",
            "Your last row stands first: places grow from row to row.",
        ),
        (
            SHIFTED,
            "dtype=x.dtype) + start * L",
            "You count start in parts of L rows: it is a place.",
        ),
        (
            "u * angle.cos() - w * angle.sin(), u * angle.sin() + w * angle.cos()",
            "u * angle.cos() + w * angle.sin(), w * angle.cos() - u * angle.sin()",
            "You turn the other way round: the first of a pair is u cos - w sin.",
        ),
        (
            "u * angle.sin() + w * angle.cos()",
            "w * angle.cos() - u * angle.sin()",
            "That is no rotation, lengths change: one sign is minus, the other plus.",
        ),
        (
            "torch.stack(pairs, -1).flatten(-2)",
            "torch.cat(pairs, -1)",
            "You put the first features of all pairs before the second ones: each "
            "pair's two stand side by side, so stack and flatten.",
        ),
        (
            "x[..., 0::2], x[..., 1::2]",
            "x[..., : E // 2], x[..., E // 2 :]",
            "torch.stack(pairs, -1).flatten(-2)",
            "torch.cat(pairs, -1)",
            "You pair feature i with i + E/2: here neighbors are paired.",
        ),
        (
            "torch.arange(0, E, 2, dtype=x.dtype) / E",
            "torch.arange(E // 2, dtype=x.dtype) / E",
            "Your rates fall half as fast: the exponent of pair i is -2i / E.",
        ),
        (
            "(-torch",
            "(torch",
            "Your rates grow from pair to pair: the exponent is negative.",
        ),
        (
            "10_000.0",
            "1_000.0",
            "Your slowest hand is too fast: the base is 10,000.",
        ),
        (
            "place[:, None] * rate",
            "place[:, None] * rate * 0.0 + place[:, None]",
            "All your pairs turn at one rate: multiply the place by each pair's own.",
        ),
    ],
)

NEAR = Exercise(
    name="positions/near",
    setup="""
        def near(slope, seed, S=256, d=16):
            torch.manual_seed(seed)
            q, k = torch.randn(50, d).double(), torch.randn(S, d).double()
            distance = torch.arange(S).flip(0)  # the last key is at the queries' place
            weights = (q @ k.mT / d**0.5 - slope * distance).softmax(-1)  # (50, S)
            return weights[:, -4:].sum(-1).mean().item()
    """,
    solution="""
        steep = [near(1 / 4, seed) for seed in range(8)]
        flat = [near(1 / 16, seed) for seed in range(8)]
        difference = torch.tensor(steep) - torch.tensor(flat)
        answer = difference.mean(), difference.std() / 8**0.5
    """,
    run=measure_run("steep", "flat"),
    mistakes=[
        (
            "near(1 / 16, seed)",
            "near(0, seed)",
            "Your mean is nearly the whole share with slope 1/4: subtract the share "
            "with slope 1/16, not that without a slope.",
        ),
        (
            "near(1 / 16, seed)",
            "near(1 / 8, seed)",
            "Your smaller slope is 1/8: the prompt asks for 1/16.",
        ),
        (
            "near(1 / 4, seed)",
            "near(1 / 2, seed)",
            "Your larger slope is 1/2: the prompt asks for 1/4.",
        ),
        (
            "1 / 4",
            "1.0",
            "Your steeper slope is 1: the prompt asks for 1/4.",
        ),
        (
            "1 / 4",
            "-1 / 4",
            "Your price is a reward: with slope -1/4 the farthest keys win.",
        ),
        (
            "near(1 / 4, seed)",
            "near(1 / 4, seed, 8)",
            "near(1 / 16, seed)",
            "near(1 / 16, seed, 8)",
            "You have 8 keys: leave S at 256.",
        ),
        (
            "near(1 / 4, seed)",
            "100 * near(1 / 4, seed)",
            "near(1 / 16, seed)",
            "100 * near(1 / 16, seed)",
            "You count in percent: near gives shares between 0 and 1.",
        ),
    ],
)


def _tables(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Tables that are shorter than the sequence, and some that reach over its end."""
    index = generator.initial_seed()
    heads, length, reach = distinct(generator, 3)
    if index % 3 == 1:
        length, reach = reach + length, reach - 1
    if index % 3 == 2:
        length, reach = 3, 5
    if index == 6:
        length = 1
    return (signed(generator, 2 * reach + 1, heads).requires_grad_(), length), {}


RELATIVE = Exercise(
    name="positions/relative",
    solution="""
        def relative(table, L):
            R = table.shape[0] // 2
            place = torch.arange(L)
            index = (place - place[:, None]).clamp(-R, R) + R
            return table[index].permute(2, 0, 1)
    """,
    run=function_run(_tables, names=("table", "L"), configurations=9),
    mistakes=[
        (
            "place - place[:, None]",
            "place[:, None] - place",
            "You have turned the distances: row R + 1 is for the key one place after "
            "the query.",
        ),
        (
            ".permute(2, 0, 1)",
            "",
            "Your heads are the last axis: the bias is (heads, L, L).",
        ),
        (
            ".clamp(-R, R) + R",
            " + R",
            "You look up rows that are not there, or count from the table's end: clamp "
            "the distance to -R and R first.",
        ),
        (
            ".clamp(-R, R) + R",
            ".clamp(-R, R)",
            "Your index counts from -R: negative rows count from the end. Add R.",
        ),
        (
            ".clamp(-R, R) + R",
            ".clamp(0, R) + R",
            "You treat all keys before the query as the one at its own place: clamp to "
            "-R, not to 0.",
        ),
        (
            ".clamp(-R, R) + R",
            ".abs().clamp(0, R) + R",
            "You look up before and after alike: the table has a row for each side.",
        ),
        (
            ".clamp(-R, R) + R",
            ".clamp(-R, R - 1) + R",
            "You never use the last row: clamp to R.",
        ),
        (
            ".clamp(-R, R) + R",
            ".clamp(1 - R, R) + R",
            "You never use the first row: clamp to -R.",
        ),
        (
            ".clamp(-R, R) + R",
            " % (2 * R + 1)",
            "Your distances start again from 0 beyond R: clamp them.",
        ),
        (
            "return table[index].permute(2, 0, 1)",
            "far = (place - place[:, None]).abs() > R\n"
            "    return table[index].permute(2, 0, 1).masked_fill(far, 0.0)",
            "Beyond R you give 0: those keys take the outermost row.",
        ),
        (
            "return table[index].permute(2, 0, 1)",
            "far = (place - place[:, None]).abs() > R\n"
            "    return table[index].permute(2, 0, 1).masked_fill(far, -torch.inf)",
            "Beyond R you forbid attention: those keys take the outermost row.",
        ),
        (
            "table[index].permute(2, 0, 1)",
            "table[index].permute(2, 0, 1).detach()",
            "The bias is right, but no gradient reaches the table: do not detach it.",
        ),
        (
            "table[index].permute(2, 0, 1)",
            "table[index][..., 0]",
            "You give the bias of the first head: give one for each.",
        ),
    ],
)


def _shifts(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    index = generator.initial_seed()
    return ((3, 1, 10, -2, 0, 100)[index], (4, 6, 2, 8, 4, 6)[index]), {}


SHIFT = Exercise(
    name="positions/shift",
    solution="""
        def shift(k, E):
            R = torch.zeros(E, E, dtype=torch.float64)
            for i in range(0, E, 2):
                angle = torch.tensor(k * 10_000.0 ** (-i / E), dtype=torch.float64)
                R[i, i] = R[i + 1, i + 1] = angle.cos()
                R[i, i + 1] = angle.sin()
                R[i + 1, i] = -angle.sin()
            return R
    """,
    run=function_run(_shifts, names=("k", "E"), configurations=6),
    mistakes=[
        (
            "= angle.sin()",
            "= -angle.sin()",
            "= -angle.sin()\n    return",
            "= angle.sin()\n    return",
            "Your matrix goes k places back: with the sine first, its minus stands in "
            "the lower row.",
        ),
        (
            "= -angle.sin()",
            "= angle.sin()",
            "Both your sines are positive, which is no rotation: in cos(a + b) the "
            "product of the sines is subtracted.",
        ),
        (
            "R[i, i] = R[i + 1, i + 1] = angle.cos()\n"
            "        R[i, i + 1] = angle.sin()\n"
            "        R[i + 1, i] = -angle.sin()",
            "j = i // 2\n"
            "        R[j, j] = R[j + E // 2, j + E // 2] = angle.cos()\n"
            "        R[j, j + E // 2] = angle.sin()\n"
            "        R[j + E // 2, j] = -angle.sin()",
            "You pair feature i with i + E/2: in sinusoidal a pair's sine and cosine "
            "are neighbors.",
        ),
        (
            "(-i / E)",
            "(-2 * i / E)",
            "Your rates fall twice as fast: the exponent of features 2i and 2i + 1 is "
            "-2i / E.",
        ),
        (
            "(-i / E)",
            "(-i / 2 / E)",
            "Your rates fall half as fast: the exponent of features 2i and 2i + 1 is "
            "-2i / E.",
        ),
        (
            "(-i / E)",
            "(i / E)",
            "Your rates grow from pair to pair: the exponent is negative.",
        ),
        (
            "k * 10_000.0 ** (-i / E)",
            "float(k)",
            "All your pairs turn by k radians: each has a rate of its own.",
        ),
        (
            "k * 10_000.0",
            "10_000.0",
            "Your matrix shifts by one place: the angle is k times the rate.",
        ),
        (
            "R[i, i] = R[i + 1, i + 1] = angle.cos()",
            "R[i, i] = R[i + 1, i + 1] = angle.sin()",
            "= angle.sin()\n        R[i + 1",
            "= angle.cos()\n        R[i + 1",
            "= -angle.sin()",
            "= -angle.cos()",
            "You have sine and cosine the wrong way round: for k = 0 the matrix "
            "changes nothing, so the cosines stand on the diagonal.",
        ),
        (
            "torch.zeros(E, E, dtype=torch.float64)",
            "torch.eye(E, dtype=torch.float64)",
            "R[i, i] = R[i + 1, i + 1] = angle.cos()",
            "angle",
            "Your diagonal holds ones: it holds the cosines.",
        ),
        (
            "    return R",
            "    return torch.stack([R[i, i] for i in range(E)])",
            "You return the diagonal: return the matrix, (E, E).",
        ),
    ],
)

EXERCISES = (TURNED, CACHED, NEAR, RELATIVE, SHIFT)
