"""Exercises of the page convolution/blocks."""

from typing import Any

from torch import Generator

from layers_book.checking import (
    Exercise,
    distinct,
    function_run,
    measure_run,
    signed,
    value_run,
    varied,
)

COUNT = Exercise(
    name="blocks/count",
    solution="""
        C, c, wide = 128, 32, 512
        answer = [2 * 9 * C * C, C * c + 9 * c * c + c * C, C * wide + 9 * wide + wide * C]
    """,  # noqa: E501
    run=value_run(),
    mistakes=[
        (
            "2 * 9 * C * C",
            "9 * C * C",
            "Your basic branch has one convolution: it has two, of 3 × 3.",
        ),
        (
            "9 * c * c",
            "9 * C * c",
            "The bottleneck's 3 × 3 convolution has 32 channels on both sides.",
        ),
        (
            "9 * wide",
            "9 * wide * wide",
            "The inverted bottleneck's 3 × 3 convolution is depthwise: each channel "
            "has one kernel of 9 weights.",
        ),
        (
            " + c * C,",
            ",",
            " + wide * C]",
            "]",
            "Both bottlenecks end in a 1 × 1 convolution back to 128 channels, which "
            "you leave out.",
        ),
    ],
)


def _maps_and_gate(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Maps that are not square, several in a batch, and a gate's two matrices."""
    n, channels, inside, height, width = distinct(generator, 5)
    x = signed(generator, n, channels, height, width)  # exp has room for its numbers
    down, up = signed(generator, inside, channels), signed(generator, channels, inside)
    return tuple(t.requires_grad_() for t in (x, down, up)), {}


SQUEEZE_EXCITE = Exercise(
    name="blocks/squeeze_excite",
    solution="""
        def squeeze_excite(x, down, up):  # x: (N, C, H, W)
            mean = x.mean((2, 3))  # (N, C)
            gate = torch.sigmoid((mean @ down.T).relu() @ up.T)
            return x * gate[..., None, None]
    """,
    run=function_run(_maps_and_gate, names=("x", "down", "up")),
    mistakes=[
        (
            "(2, 3)",
            "(0, 2, 3)",
            "A picture's gates change with the pictures beside it: average each "
            "picture on its own, over its rows and columns.",
        ),
        (
            ".relu()",
            "",
            "Your two matrices follow each other directly: a ReLU belongs between "
            "them.",
        ),
        (
            "torch.sigmoid((mean @ down.T).relu() @ up.T)",
            "((mean @ down.T).relu() @ up.T).softmax(-1)",
            "Your gates sum to 1 in each picture, as a softmax makes them: each "
            "channel gets a sigmoid of its own.",
        ),
        (
            "return x * gate[..., None, None]",
            "return x + gate[..., None, None]",
            "You add the gates: they multiply the channels.",
        ),
        (
            "x.mean((2, 3))",
            "x.amax((2, 3))",
            "You send the largest number of each channel through the gate: it is "
            "the mean.",
        ),
    ],
)


def _to_shorten(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Even and odd sizes; as many channels as before, or more."""
    index = generator.initial_seed()
    n, channels, height, width = distinct(generator, 4)
    x = varied(generator, n, channels, height + index % 2, width).requires_grad_()
    return (x, channels + (0, 1, channels, 5)[index % 4]), {}


SHORTEN = Exercise(
    name="blocks/shorten",
    solution="""
        def shorten(x, C_out):
            half = x[:, :, ::2, ::2]  # (N, C, rounded up H / 2, rounded up W / 2)
            return F.pad(half, (0, 0, 0, 0, 0, C_out - x.shape[1]))
    """,
    run=function_run(_to_shorten, names=("x", "C_out")),
    mistakes=[
        (
            "::2, ::2",
            "1::2, 1::2",
            "You begin with the second row and column: begin with the first.",
        ),
        (
            "x[:, :, ::2, ::2]",
            "F.avg_pool2d(x, 2, ceil_mode=True)",
            "You average cells: take every second row and column as they are.",
        ),
        (
            "(0, 0, 0, 0, 0, C_out - x.shape[1])",
            "(0, 0, 0, 0, C_out - x.shape[1], 0)",
            "Your zeros stand before the channels: they belong behind them.",
        ),
        (
            "::2, ::2]",
            "::2]",
            "You keep all rows: take every second row, too.",
        ),
    ],
)


def _kernels(generator: Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Kernels of 1, 3 and 5, for one channel and for several."""
    index = generator.initial_seed()
    (channels,) = distinct(generator, 1)
    channels = 1 if index == 7 else channels
    k = (3, 5, 1)[index % 3]
    return (signed(generator, channels, channels, k, k).requires_grad_(),), {}


WITH_SHORTCUT = Exercise(
    name="blocks/with_shortcut",
    solution="""
        def with_shortcut(weight):
            merged = weight.clone()
            middle = weight.shape[-1] // 2
            for c in range(len(weight)):
                merged[c, c, middle, middle] = merged[c, c, middle, middle] + 1
            return merged
    """,
    run=function_run(_kernels, names=("weight",)),
    mistakes=[
        (
            "merged[c, c, middle, middle] = merged[c, c, middle, middle] + 1",
            "merged[c, :, middle, middle] = merged[c, :, middle, middle] + 1",
            "Your middle weights grow for all pairs of channels, so that each output "
            "gets the sum of all inputs: channel c goes to channel c alone.",
        ),
        (
            "weight.shape[-1] // 2",
            "0",
            "You add 1 in the kernel's first corner, which moves the picture: the "
            "cell that is copied lies under the kernel's middle.",
        ),
        (
            "for c in range(len(weight)):\n"
            "        merged[c, c, middle, middle] = merged[c, c, middle, middle] + 1",
            "merged = merged + torch.eye(len(weight))[:, :, None, None].to(weight)",
            "You add 1 at every place of the kernel, which sums the window: only the "
            "middle copies.",
        ),
        (
            "merged[c, c, middle, middle] + 1",
            "1",
            "You put 1 in the place of the middle weight, which is then lost: add 1 "
            "to it.",
        ),
    ],
)

HALF = Exercise(
    name="blocks/half",
    setup="""
        def layer(C):
            conv = nn.Conv2d(C, C, 3, padding=1, bias=False)
            return nn.Sequential(nn.BatchNorm2d(C), nn.ReLU(), conv)


        class Residual(nn.Module):
            def __init__(self, branch):
                super().__init__()
                self.branch = branch

            def forward(self, x):
                return x + self.branch(x)


        def shortcut(C):
            return Residual(layer(C))


        def reach(make, depth, seed):
            torch.manual_seed(seed)
            net = nn.Sequential(*(make(8) for _ in range(depth))).double()
            x = torch.randn(8, 8, 8, 8).double().requires_grad_()
            y = net(x)
            end = torch.randn(8, 8, 8, 8).double()
            start, = torch.autograd.grad(y, x, end)
            return (start.norm() / end.norm()).item()
    """,
    solution="""
        class Half(Residual):
            def forward(self, x):
                return x + 0.5 * self.branch(x)


        def half_shortcut(C):
            return Half(layer(C))


        half = torch.tensor([reach(half_shortcut, 16, seed) for seed in range(8)]).log2()
        whole = torch.tensor([reach(shortcut, 16, seed) for seed in range(8)]).log2()
        difference = half - whole  # (seeds,)
        answer = difference.mean(), difference.std() / 8**0.5
    """,  # noqa: E501
    run=measure_run("half", "whole"),
    mistakes=[
        (
            "x + 0.5 * self.branch(x)",
            "0.5 * (x + self.branch(x))",
            "You halve the shortcut, too, and the gradient with it in every block: "
            "multiply the branch alone.",
        ),
        (
            ".log2()",
            "",
            "You subtract the sizes themselves: take their base-2 logarithms first.",
        ),
        (
            "shortcut, 16",
            "shortcut, 2",
            "Your networks have two blocks: 16 are asked for.",
        ),
    ],
)

EXERCISES = (COUNT, SQUEEZE_EXCITE, SHORTEN, WITH_SHORTCUT, HALF)
