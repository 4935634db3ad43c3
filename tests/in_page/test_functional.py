"""Padding, resizing, losses, normalization and attention in the page against torch."""

from typing import Any

import pytest
import torch
from calls import SETTINGS, compare
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

Draw = st.DrawFn
FLOATS = st.sampled_from([torch.float64, torch.float64, torch.float32])
REDUCTION = st.sampled_from(["mean", "sum", "none"])


def tensor(draw: Draw, shape: list[int], dtype: torch.dtype | None = None) -> Tensor:
    """Numbers of a seed, some of them equal to others, with or without a gradient."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 9)))
    numbers = torch.randn(shape, generator=generator, dtype=torch.float64)
    if draw(st.integers(0, 4)) == 0:
        numbers = numbers.round()
    return numbers.to(dtype or draw(FLOATS)).requires_grad_(draw(st.booleans()))


def shape(draw: Draw, least: int, most: int, size: int = 4) -> list[int]:
    """A shape of so many dims."""
    return draw(st.lists(st.integers(1, size), min_size=least, max_size=most))


@given(st.data())
@SETTINGS
def test_pad(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    x = tensor(draw, shape(draw, 1, 4))
    n = draw(st.integers(1, x.dim()))
    mode = draw(st.sampled_from(["constant", "reflect", "replicate", "circular"]))
    least = -1 if mode == "constant" else 0
    sides = draw(st.lists(st.integers(least, 2), min_size=2 * n, max_size=2 * n))
    value = ", 2.5" if mode == "constant" and draw(st.booleans()) else ""
    compare(page, f"F.pad(x, {sides}, {mode!r}{value})", twice=True, x=x)


@given(st.data())
@SETTINGS
def test_interpolate(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    n = draw(st.integers(1, 3))
    x = tensor(draw, [1, *shape(draw, n + 1, n + 1, 5)])
    smooth = [["linear"], ["bilinear", "bicubic"], ["trilinear"]][n - 1]
    mode = draw(st.sampled_from(["nearest", "nearest-exact", "area", *smooth]))
    if draw(st.booleans()):
        size = f"{draw(st.lists(st.integers(1, 7), min_size=n, max_size=n))}"
    else:
        # torch 2.13 reads some of the gradient of nearest from elsewhere for others.
        factor = draw(st.sampled_from([0.5, 2.0] + [1.3, 1.5] * (mode in smooth)))
        size = f"None, {factor}, recompute_scale_factor={draw(st.booleans())}"
    more = ""
    if mode in smooth:
        more = f", align_corners={draw(st.booleans())}"
        more += ", antialias=True" if n == 2 and draw(st.booleans()) else ""
    compare(page, f"F.interpolate(x, {size}, mode={mode!r}{more})", x=x)


@given(st.data())
@SETTINGS
def test_shuffles(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    r = draw(st.integers(1, 3))
    lead, (c, h, w) = shape(draw, 0, 2), shape(draw, 3, 3)
    x, y = (
        tensor(draw, [*lead, c * r * r, h, w]),
        tensor(draw, [*lead, c, h * r, w * r]),
    )
    compare(page, f"F.pixel_shuffle(x, {r})", twice=True, x=x)
    compare(page, f"F.pixel_unshuffle(y, {r})", twice=True, y=y)
    z = tensor(draw, [c, 6, h, w])
    compare(page, f"F.channel_shuffle(z, {draw(st.integers(1, 4))})", twice=True, z=z)


@given(st.data())
@SETTINGS
def test_grids(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    n = draw(st.integers(2, 3))
    dtype = draw(FLOATS)
    batch = draw(st.integers(1, 2))
    out = shape(draw, n, n)
    corners = draw(st.booleans())
    theta = tensor(draw, [batch, n, n + 1], dtype)
    call = f"F.affine_grid(theta, {[batch, 1, *out]}, align_corners={corners})"
    compare(page, call, twice=True, theta=theta)
    x = tensor(draw, [batch, 2, *shape(draw, n, n)], dtype)
    # At whole places the slope jumps, so that the last bit would decide.
    grid = tensor(draw, [batch, *out, n], torch.float64)
    grid = (grid.detach() + 0.0123).to(dtype).requires_grad_(grid.requires_grad)
    modes = ["bilinear", "nearest", "bicubic"][: 3 if n == 2 else 2]
    mode = draw(st.sampled_from(modes))
    padding = draw(st.sampled_from(["zeros", "border", "reflection"]))
    sample = f"F.grid_sample(x, grid, {mode!r}, {padding!r}, align_corners={corners})"
    compare(page, sample, x=x, grid=grid)


@given(st.data())
@SETTINGS
def test_losses_of_classes(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    dtype = draw(FLOATS)
    classes = draw(st.integers(1, 4))
    batch, spatial = draw(
        st.sampled_from([([], []), ([3], []), ([2], [2]), ([2], [2, 3])])
    )
    x = tensor(draw, [*batch, classes, *spatial], dtype)
    labels = torch.Generator().manual_seed(draw(st.integers(0, 9)))
    t = torch.randint(0, classes, [*batch, *spatial], generator=labels)
    w = tensor(draw, [classes], dtype).detach().abs()
    reduction = draw(REDUCTION)
    weight = draw(st.sampled_from(["w", "None"]))
    ignored = draw(st.sampled_from([-100, 0]))
    smoothing = draw(st.sampled_from([0.0, 0.1]))
    options = f"{weight}, ignore_index={ignored}, reduction={reduction!r}"
    compare(page, f"F.nll_loss(x, t, {options})", twice=True, x=x, t=t, w=w)
    compare(
        page,
        f"F.cross_entropy(x, t, {options}, label_smoothing={smoothing})",
        twice=True,
        x=x,
        t=t,
        w=w,
    )
    p = tensor(draw, list(x.shape), dtype)
    compare(
        page,
        f"F.cross_entropy(x, p.softmax(0), {weight}, reduction={reduction!r}, "
        f"label_smoothing={smoothing})",
        twice=True,
        x=x,
        p=p,
        w=w,
    )


@given(st.data())
@SETTINGS
def test_losses_of_numbers(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    sizes = shape(draw, 0, 3)
    dtype = draw(FLOATS)
    x, y = tensor(draw, sizes, dtype), tensor(draw, sizes, dtype)
    r = draw(REDUCTION)
    beta = draw(st.sampled_from([0.5, 1.0]))
    # With a gradient only in x: the last two bits decide in torch's own for y.
    t = y.detach().sigmoid()
    for call in (
        f"F.mse_loss(x, y, reduction={r!r})",
        f"F.l1_loss(x, y, reduction={r!r})",
        f"F.smooth_l1_loss(x, y, reduction={r!r}, beta={beta})",
        f"F.huber_loss(x, y, reduction={r!r}, delta={beta})",
        f"F.binary_cross_entropy(x.sigmoid(), t, reduction={r!r})",
        f"F.binary_cross_entropy(t.round(), t, t, reduction={r!r})",
        f"F.binary_cross_entropy_with_logits(x * 30, t, reduction={r!r})",
        f"F.binary_cross_entropy_with_logits(x, t, t, reduction={r!r}, pos_weight=t)",
        f"F.kl_div(x, t, reduction={r!r})",
        f"F.kl_div(x, y, reduction={r!r}, log_target=True)",
    ):
        compare(page, call, x=x, y=y, t=t)


@given(st.data())
@SETTINGS
def test_distances(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    sizes = shape(draw, 1, 3)
    dtype = draw(FLOATS)
    x = tensor(draw, sizes, dtype)
    y = tensor(draw, sizes if draw(st.booleans()) else sizes[1:], dtype)
    dim = draw(st.integers(-len(sizes), len(sizes) - 1))
    compare(page, f"F.cosine_similarity(x, y, dim={dim})", x=x, y=y)
    compare(page, f"F.cosine_similarity(x * 0, x, dim={dim})", x=x)
    compare(page, f"F.normalize(x, {draw(st.sampled_from([1, 2, 3.0]))}, {dim})", x=x)
    compare(page, f"F.normalize(x * 0, dim={dim})", x=x)


@given(st.data())
@SETTINGS
def test_norms_of_rows(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    dtype = draw(FLOATS)
    x = tensor(draw, shape(draw, 1, 4), dtype)
    tail = list(x.shape[-draw(st.integers(1, x.dim())) :])
    w, b = tensor(draw, tail, dtype), tensor(draw, tail, dtype)
    affine = draw(st.sampled_from(["None, None", "w, None", "w, b"]))
    # Where a row has one number or equal ones, its gradient is nothing but rounding.
    compare(page, f"F.layer_norm(x, {tail}, {affine}, 0.1)", twice=True, x=x, w=w, b=b)
    weight = affine.split(",")[0]
    eps = draw(st.sampled_from(["None", "0.1"]))
    compare(page, f"F.rms_norm(x, {tail}, {weight}, {eps})", twice=True, x=x, w=w)


@given(st.data())
@SETTINGS
def test_norms_of_channels(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    dtype = draw(FLOATS)
    channels = draw(st.sampled_from([1, 2, 4]))
    x = tensor(draw, [draw(st.integers(1, 3)), channels, *shape(draw, 0, 2)], dtype)
    w, b = tensor(draw, [channels], dtype), tensor(draw, [channels], dtype)
    affine = draw(st.sampled_from(["None, None", "w, None", "w, b"]))
    groups = draw(st.sampled_from([1, 2, 3]))
    compare(
        page, f"F.group_norm(x, {groups}, {affine}, 0.1)", twice=True, x=x, w=w, b=b
    )
    mean, var = tensor(draw, [channels], dtype).detach(), torch.rand(channels).to(dtype)
    train = draw(st.booleans())
    running = draw(st.sampled_from(["m, v", "None, None"])) if train else "m, v"
    given_ = {"x": x, "m": mean, "v": var, "w": w, "b": b}
    options = f"{running}, {affine}, {train}, 0.3, 0.1"
    compare(page, f"F.batch_norm(x, {options})", twice=True, **given_)
    if x.dim() > 2:
        compare(page, f"F.instance_norm(x, {options})", twice=True, **given_)
        size = draw(st.integers(1, 4))
        compare(page, f"F.local_response_norm(x, {size}, 0.1, 0.6, 1.2)", x=x)


@given(st.data())
@SETTINGS
def test_attention(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    dtype = draw(FLOATS)
    lead = shape(draw, 0, 2, 2)
    rows, columns, width, out = shape(draw, 4, 4)
    q = tensor(draw, [*lead, rows, width], dtype)
    k = tensor(draw, [*lead, columns, width], dtype)
    v = tensor(draw, [*lead, columns, out], dtype)
    m = tensor(draw, [rows, columns], dtype).detach()
    mask = draw(st.sampled_from(["None", "m", "m > 0", "m > 9", "None, 0.0, True"]))
    scale = draw(st.sampled_from(["", ", scale=0.5"]))
    call = f"F.scaled_dot_product_attention(q, k, v, {mask}{scale})"
    compare(page, call, q=q, k=k, v=v, m=m)


@given(st.data())
@SETTINGS
def test_tables_and_gates(page: Any, data: st.DataObject) -> None:
    draw = data.draw
    w = tensor(draw, [5, 3])
    i = torch.tensor(draw(st.lists(st.integers(0, 4), min_size=1, max_size=6)))
    padding = draw(st.sampled_from([None, 1, -1]))
    compare(page, f"F.embedding(i, w, padding_idx={padding})", w=w, i=i)
    mode = draw(st.sampled_from(["sum", "mean", "max"]))
    starts = torch.tensor([0, draw(st.integers(0, len(i)))])
    bag = f"F.embedding_bag(i, w, s, mode={mode!r}, padding_idx={padding})"
    compare(page, bag, w=w, i=i, s=starts)
    x = tensor(draw, shape(draw, 1, 3))
    compare(page, f"F.glu(x, {draw(st.integers(-x.dim(), x.dim() - 1))})", x=x)


@pytest.mark.parametrize(
    "call",
    [
        "F.pad(x, (1,))",
        "F.pad(x, (1, 1), 'reflect')",
        "F.pad(x, (4, 4, 0, 0), 'reflect')",
        "F.pad(x, (0, 0, 5, 0), 'circular')",
        "F.pad(x, (1, 1, 1, 1), 'mirror')",
        "F.pad(x, (1, 1), 'replicate', 2)",
        "F.pad(x, ()).add_(1)",
        "F.interpolate(x)",
        "F.interpolate(x, 2, 2.0)",
        "F.interpolate(x, 2, mode='linear')",
        "F.interpolate(x, 2, align_corners=True)",
        "F.interpolate(x, (2, 2, 2))",
        "F.interpolate(x, scale_factor=0.1)",
        "F.interpolate(x.long(), 2)",
        "F.pixel_shuffle(x, 2)",
        "F.channel_shuffle(x, 2)",
        "F.affine_grid(torch.ones(2, 3), (1, 1, 2, 2), align_corners=False)",
        "F.grid_sample(x, torch.zeros(1, 2, 2, 2), align_corners=False)",
        "F.grid_sample(x, torch.zeros(2, 2, 2, 3), align_corners=False)",
        "F.grid_sample(x, torch.zeros(2, 2, 2, 2).double(), align_corners=False)",
        "F.embedding(torch.tensor([9]), x[0, 0])",
        "F.embedding(x, x[0, 0])",
        "F.cross_entropy(x[0, 0], torch.tensor([0, 1]))",
        "F.cross_entropy(x[0, 0], torch.tensor([0, 1, 2, 4]))",
        "F.cross_entropy(x[0, 0], torch.tensor([0.0, 1.0, 2.0, 3.0]))",
        "F.cross_entropy(x[0, 0], torch.ones(4, 4).long())",
        "F.cross_entropy(x[0, 0], torch.ones(4, 3))",
        "F.cross_entropy(x[0, 0], torch.ones(4).long(), torch.ones(3))",
        "F.cross_entropy(x[0], torch.ones(3, 3).long())",
        "F.mse_loss(x.long(), x.long())",
        "F.mse_loss(x, x, reduction='max')",
        "F.mse_loss(x, torch.ones(3))",
        "F.mse_loss(x, x.double())",
        "F.binary_cross_entropy(x * 9, x)",
        "F.binary_cross_entropy(x.sigmoid(), x[0].sigmoid())",
        "F.binary_cross_entropy_with_logits(x, x[0])",
        "F.binary_cross_entropy_with_logits(x, x.long())",
        "F.layer_norm(x, (3, 4))",
        "F.layer_norm(x, (4,), torch.ones(3))",
        "F.layer_norm(x, (4,), torch.ones(4).double())",
        "F.layer_norm(x.long(), (4,))",
        "F.rms_norm(x, (3,))",
        "F.group_norm(x, 2)",
        "F.group_norm(x[:, :, 0, 0], 3)[:1]",
        "F.group_norm(x[:1, :, 0, 0], 3)",
        "F.batch_norm(x[:1, :, 0, 0], None, None, training=True)",
        "F.batch_norm(x, torch.zeros(2), torch.ones(3))",
        "F.batch_norm(x, None, None)",
        "F.batch_norm(x, torch.zeros(3).double(), torch.ones(3).double())",
        "F.instance_norm(x[:, :, :1, :1])",
        "F.local_response_norm(x[0, 0], 2)",
        "F.scaled_dot_product_attention(x, x, x.double())",
        "F.scaled_dot_product_attention(x, x, x, torch.ones(4, 4).long())",
        "F.scaled_dot_product_attention(x, x, x, x[0, 0] > -0.8, 0.0, True)",
        "F.scaled_dot_product_attention(x[0], x[0], x[0], x[0] > 0, 0.0, True)",
        "F.scaled_dot_product_attention(x, x[:, :1], x[:, :1], enable_gqa=True)",
        "F.glu(x, 1)",
        "F.dropout(x, 0.0)",
        "F.dropout1d(x[0, 0, 0])",
        "F.normalize(x.long())",
    ],
)
def test_errors_and_rare_arguments(page: Any, call: str) -> None:
    x = torch.linspace(-1, 1, 96).reshape(2, 3, 4, 4)
    compare(page, call, x=x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_types_are_rounded_once(page: Any, dtype: torch.dtype) -> None:
    x = torch.linspace(-1, 1, 96).reshape(2, 3, 4, 4).to(dtype)
    w = torch.linspace(1, 2, 4)
    compare(page, "F.layer_norm(x, (4,))", x=x)
    compare(page, "F.layer_norm(x, (4,), w, w)", x=x, w=w)
    compare(page, "F.rms_norm(x, (4,))", x=x)
    compare(page, "F.avg_pool2d(x, 2)", x=x)
    compare(page, "F.pad(x, (1, 1))", x=x)


def test_float32_norms_round_their_mean(page: Any) -> None:
    x = 1e4 + torch.linspace(0, 1, 24).reshape(8, 3)
    by_hand = "(x - x.mean(1, True)) / (x.var(1, False, True) + 1e-5).sqrt()"
    code = f"result = (torch.nn.functional.layer_norm(x, (3,)) - {by_hand}).abs()"
    apart = page.run(code, x=x)
    assert apart is not None, page.error
    assert apart.max() < 1e-3
