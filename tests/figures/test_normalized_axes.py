"""NormalizedAxes: the JavaScript engine against torch's own layers and gradients."""

import itertools
import math
import random
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from helpers import figures
from layers_book.figures.norm_layers import KINDS, NORMS

EPS = torch.finfo(torch.float32).eps
ENGINE = """(list) => {
  const { engine, defaults } = nnFigures.specs["nn-normalized-axes"];
  return list.map((given) => {
    const S = { ...defaults, ...given }, [N, C, L] = engine.sizes(S);
    const error = engine.error(S);
    if (error) return { error };
    const inside = engine.members(S, S.cell), mask = [];
    for (let n = 0; n < N; n++) for (let c = 0; c < C; c++) for (let l = 0; l < L; l++)
      mask.push(inside(n, c, l));
    return { error, mask, shape: engine.axes(S).shape, ...engine.normalize(S, S.cell),
      outputs: engine.outputs(S), statistics: engine.statistics(S),
      parameters: engine.parameters(S) };
  });
}"""
NUMBERS = ("mean", "variance", "output", "outputs")
Config = dict[str, Any]


def shape_of(s: Config) -> tuple[int, ...]:
    n, c, length = s["N"], s["C"], s["L"]
    height = max(i for i in range(1, math.isqrt(length) + 1) if length % i == 0)
    return {
        "table": (n, c),
        "signal": (n, c, length),
        "image": (n, c, height, length // height),
        "text": (n, length, c),
    }[s["data"]]


def layer_of(s: Config) -> nn.Module:
    rank = "2d" if s["data"] == "image" else "1d"
    usual = {"table": 1, "signal": 2, "image": 3, "text": 1}[s["data"]]
    tail = shape_of(s)[-(s["dims"] or usual) :]
    track = {} if s["track"] is None else {"track_running_stats": s["track"]}
    return {
        "BatchNorm": lambda: getattr(nn, f"BatchNorm{rank}")(s["C"], **track),
        "InstanceNorm": lambda: getattr(nn, f"InstanceNorm{rank}")(
            s["C"], affine=bool(s["affine"]), **track
        ),
        "GroupNorm": lambda: nn.GroupNorm(s["num_groups"], s["C"]),
        "LayerNorm": lambda: nn.LayerNorm(tail),
        "RMSNorm": lambda: nn.RMSNorm(tail, eps=EPS),
    }[s["norm"]]().train(s["training"])


def forward(s: Config, layer: nn.Module, x: Tensor) -> Tensor:
    if s["data"] == "text" and s["norm"] not in ("LayerNorm", "RMSNorm"):
        return layer(x.transpose(1, 2)).transpose(1, 2)
    return layer(x)


def block_of(s: Config, values: Tensor) -> Tensor:
    """From torch's order of axes to (N, C, L)."""
    if s["data"] == "text":
        values = values.transpose(1, 2)
    return values.reshape(s["N"], s["C"], -1)


def golden(s: Config) -> Config:
    """What torch does with a configuration; its error, or its numbers."""
    generator = torch.Generator().manual_seed(hash((s["N"], s["C"], s["L"])) % 1000)
    x = torch.randn(shape_of(s), generator=generator, dtype=torch.float64)
    s["x"] = block_of(s, x).flatten().tolist()
    x.requires_grad_()
    try:
        layer = layer_of(s).double()
        y = forward(s, layer, x)
    except (ValueError, RuntimeError) as error:
        return {"error": {"type": type(error).__name__, "text": str(error)}}
    n, c, at = s["cell"]
    chosen = int(block_of(s, torch.arange(x.numel()).reshape(x.shape))[n, c, at])
    (gradient,) = torch.autograd.grad(y.flatten()[chosen], x, retain_graph=True)
    mask = block_of(s, gradient != 0)
    if not mask.any():  # alone in its set, and so always 0
        mask[n, c, at] = True
    values = block_of(s, x.detach())[mask]
    stored = getattr(layer, "running_mean", None) is not None and not s["training"]
    square = s["norm"] == "RMSNorm"
    mean = 0.0 if stored or square else values.mean().item()
    deviation = (values - mean).square().mean().item()
    result = {
        "error": None,
        "mask": mask.flatten().tolist(),
        "shape": list(x.shape),
        "count": len(values),
        "mean": mean,
        "variance": 1.0 if stored else deviation,
        "output": y.flatten()[chosen].item(),
        "outputs": block_of(s, y).flatten().tolist(),
        "parameters": [[k, list(p.shape)] for k, p in layer.named_parameters()],
    }
    if not stored and x.numel() <= 8:
        jacobian = torch.stack(
            [torch.autograd.grad(v, x, retain_graph=True)[0] for v in y.flatten()]
        )
        rows = (jacobian != 0).flatten(1)
        alone = int((~rows.any(1)).sum())
        sets = {tuple(row.tolist()) for row in rows if row.any()}
        result["statistics"] = len(sets) + alone
    elif stored:
        result["statistics"] = s["C"]
    return result


def config(norm: str, data: str, sizes: tuple[int, int, int], **more: Any) -> Config:
    base = {"num_groups": 1, "dims": 0, "training": True, "track": None}
    n, c, length = sizes
    base |= {"norm": norm, "data": data, "N": n, "C": c, "L": length, "affine": None}
    return base | more


def variants(norm: str, data: str, channels: int) -> list[Config]:
    if norm == "GroupNorm":
        return [{"num_groups": g} for g in range(1, channels + 2)]
    if norm in ("LayerNorm", "RMSNorm"):
        ranks = {"table": 1, "signal": 2, "image": 3, "text": 2}[data]
        return [{"dims": d} for d in range(ranks + 1)]
    both = [{"training": t, "track": k} for t in (True, False) for k in (None, True)]
    if norm == "BatchNorm":
        return [*both, {"training": False, "track": False}]
    affine = (None, True) if data == "table" else (None,)  # it matters there alone
    return [{**b, "affine": a} for b in both for a in affine]


def small() -> Iterator[Config]:
    """Every layer, kind of data and setting over the smallest sizes."""
    for norm, data in itertools.product(NORMS, KINDS):
        lengths = (1,) if data == "table" else (1, 2, 4)
        for sizes in itertools.product((1, 2), (1, 2, 4), lengths):
            for more in variants(norm, data, sizes[1]):
                cell = [n - 1 for n in sizes]
                yield config(norm, data, sizes, cell=cell, **more)


def some(count: int) -> Iterator[Config]:
    """Larger sizes, random settings and cells."""
    draw = random.Random(0)
    for _ in range(count):
        norm, data = draw.choice(NORMS), draw.choice(KINDS)
        length = 1 if data == "table" else draw.randint(1, 8)
        sizes = (draw.randint(1, 4), draw.randint(1, 8), length)
        more = draw.choice(variants(norm, data, sizes[1]))
        cell = [draw.randrange(n) for n in sizes]
        yield config(norm, data, sizes, cell=cell, **more)


@pytest.mark.parametrize("which", ["small", "some"])
def test_engine_is_torch(
    which: str, evaluate: Callable[..., Any], same_words: bool
) -> None:
    configs = list(small() if which == "small" else some(400))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = [golden(s) for s in configs]
    found = evaluate(ENGINE, configs)
    assert len(configs) > 300
    errors = {e["error"]["text"].split("(")[0] for e in expected if e["error"]}
    assert len(errors) >= (5 if which == "small" else 3), errors
    for s, want, got in zip(configs, expected, found, strict=True):
        where = {k: v for k, v in s.items() if k != "x"}
        for key, value in want.items():
            if key in NUMBERS:
                np.testing.assert_allclose(
                    got[key], value, rtol=1e-9, atol=1e-9, err_msg=f"{key} {where}"
                )
            elif key == "error" and value and not same_words:
                assert got[key], where  # another torch may word its refusal anew
            else:
                assert got[key] == value, (where, key)


def test_a_wrong_engine_is_caught(evaluate: Callable[..., Any]) -> None:
    """The comparison above is able to fail: unbiased variance, another axis."""
    s = config("BatchNorm", "image", (3, 4, 4), cell=[0, 1, 2])
    want = golden(s)
    (got,) = evaluate(ENGINE, [s])
    n = want["count"]
    assert got["variance"] != pytest.approx(want["variance"] * n / (n - 1), rel=1e-6)
    (other,) = evaluate(ENGINE, [s | {"norm": "LayerNorm"}])
    assert other["mask"] != want["mask"]


@pytest.mark.parametrize("data", KINDS)
@pytest.mark.parametrize("norm", NORMS)
def test_page_and_python_show_the_same(
    norm: str, data: str, evaluate: Callable[..., Any]
) -> None:
    """The default numbers, and the copied code run in torch, give what is shown."""
    figure = figures.NormalizedAxes(norm, data, N=2, C=4, L=6)
    found = evaluate(
        """(given) => {
          const { engine, defaults } = nnFigures.specs["nn-normalized-axes"];
          const S = { ...defaults, ...given };
          return { ...engine.normalize(S, S.cell), code: engine.codeFull(S, S.cell),
            seen: engine.codeShort(S) };
        }""",
        figure.state,
    )
    printed: list[Tensor] = []
    names = {"torch": torch, "nn": nn, "print": printed.append, "x": figure.x}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(found["code"], names)
        names["x"] = figure.x.float()
        exec(found["seen"], names)
        assert int(figure.shared().sum()) == found["count"]
    assert printed[0].item() == pytest.approx(found["output"], rel=1e-4, abs=1e-4)
    assert names["y"].shape == figure.shape


def test_the_readers_module_and_numbers() -> None:
    bn = nn.BatchNorm2d(3, eps=0.1, affine=False)
    x = torch.randn(2, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    bn(x)
    bn.eval()
    figure = figures.NormalizedAxes(bn, x=x, cell=(1, 2, 3))
    mine, own = figure.layer(x.double()), bn.double()(x.double())
    torch.testing.assert_close(mine, own, rtol=1e-5, atol=1e-6)
    assert figure.state["running_mean"] == pytest.approx(bn.running_mean.tolist())
    assert "no cell is shared" in repr(figure)
    text = figures.NormalizedAxes("BatchNorm", x=torch.ones(2, 3, 5), lengths=[3, 2])
    assert text.state["data"] == "text" and text.state["C"] == 5
    norm = figures.NormalizedAxes(nn.LayerNorm(2), x=torch.rand(2, 3, 2, 2))
    assert int(norm.shared().sum()) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"layer": "Batchnorm"}, "layer is 'Batchnorm': allowed are BatchNorm"),
        ({"layer": nn.Linear(2, 2)}, "layer is Linear"),
        ({"data": "video"}, "data is 'video': allowed are table"),
        ({"N": 9}, "N is 9: allowed are 1 to 8"),
        ({"num_groups": 0}, "num_groups is 0"),
        ({"cell": (0, 4, 0)}, "cell is (0, 4, 0)"),
        ({"x": torch.zeros(3)}, "x has shape (3,)"),
        ({"x": torch.full((2, 2), torch.nan)}, "not finite"),
        ({"layer": nn.BatchNorm1d(5), "x": torch.zeros(2, 4)}, "C is 5, but x"),
        ({"layer": nn.LayerNorm(5), "x": torch.zeros(2, 4)}, "last axes (5,)"),
        ({"lengths": [1, 2, 9]}, "lengths is [1, 2, 9]"),
        ({"lengths": [1], "data": "image"}, "lengths belong to data='text'"),
        ({"dims": 9}, "dims is 9"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as error:
        figures.NormalizedAxes(**arguments)
    assert words in str(error.value)


def test_torchs_refusal_is_shown_not_raised() -> None:
    figure = figures.NormalizedAxes("GroupNorm", num_groups=3)
    with pytest.raises(ValueError) as error:
        nn.GroupNorm(3, 4)
    assert str(error.value) in figure.fallback()
    assert "torch raises ValueError" in repr(figure)
