"""Foreign answers to the exercises on choosing a normalization."""

import torch
from answers import right, wrong
from torch.nn import functional as F

CUT = "cut off from the gradient"


@wrong("choosing/masked_batch_norm", "nan|multipl")
def times_mask(x, mask, eps=1e-5):
    m = mask[..., None].to(x.dtype)
    n = m.sum()
    mean = (x * m).sum((0, 1)) / n
    var = (((x - mean) * m) ** 2).sum((0, 1)) / n
    return (x - mean) / (var + eps).sqrt() * m


@wrong("choosing/masked_batch_norm", "padding|pads", CUT)
def sums_padding(x, mask, eps=1e-5):
    m = mask[..., None].to(x.dtype)
    n = m.sum()
    mean = x.sum((0, 1)) / n
    return (x - mean) / ((((x - mean) * m) ** 2).sum((0, 1)) / n + eps).sqrt() * m


@wrong("choosing/masked_batch_norm", "nan|multipl")
def multiplied_last(x, mask, eps=1e-5):
    real = x[mask]
    mean, var = real.mean(0), real.var(0, correction=0)
    return (x - mean) / torch.sqrt(var + eps) * mask[..., None]


@right("choosing/masked_batch_norm")
def scattered(x, mask, eps=1e-5):
    real = x[mask]
    z = real - real.mean(0, keepdim=True)
    z = z * torch.rsqrt(z.pow(2).mean(0, keepdim=True) + eps)
    out = torch.zeros_like(x)
    out[mask] = z
    return out


@right("choosing/masked_batch_norm")
def filled(x, mask, eps=1e-5):
    pad = ~mask.unsqueeze(-1)
    n = mask.sum()
    clean = x.masked_fill(pad, 0)
    mean = clean.sum((0, 1)) / n
    centered = (clean - mean).masked_fill(pad, 0)
    var = centered.square().sum((0, 1)) / n
    return centered / (var + eps).sqrt()


@right("choosing/masked_batch_norm")
def by_loop(x, mask, eps=1e-5):
    tokens = [x[i, j] for i, j in mask.nonzero().tolist()]
    real = torch.stack(tokens)
    var, mean = torch.var_mean(real, 0, correction=0)
    rows = iter((real - mean) / (var + eps) ** 0.5)
    zero = torch.zeros(x.shape[-1], dtype=x.dtype)
    out = [torch.stack([next(rows) if m else zero for m in row]) for row in mask]
    return torch.stack(out)


@right("choosing/masked_batch_norm")
def by_torchs_batch_norm(x, mask, eps=1e-5):
    y = F.batch_norm(x[mask], None, None, training=True, eps=eps)
    return torch.zeros_like(x).masked_scatter(mask[..., None], y)


@wrong("choosing/masked_batch_norm", "n - 1.*eps")
def std_eps(x, mask, eps=1e-5):
    real = x[mask]
    out = torch.zeros_like(x)
    out[mask] = (real - real.mean(0)) / (real.std(0) + eps)
    return out


@wrong("choosing/masked_batch_norm", "1e-5|default")
def other_default(x, mask, eps=1e-8):
    return filled(x, mask, eps)


@wrong("choosing/masked_batch_norm", "eps")
def without_eps(x, mask, eps=1e-5):
    return filled(x, mask, 0.0)


@wrong("choosing/masked_batch_norm", "True marks a real")
def inverted(x, mask, eps=1e-5):
    return filled(x, ~mask, eps)


@wrong("choosing/masked_batch_norm", "real tokens only")
def packed(x, mask, eps=1e-5):
    real = x[mask]
    mean, var = real.mean(0), real.var(0, correction=0)
    return (real - mean) / torch.sqrt(var + eps)


@wrong("choosing/masked_batch_norm", "NaN|nan|padding")
def nanmean(x, mask, eps=1e-5):
    y = (x - x.mean((0, 1))) / (x.var((0, 1), correction=0) + eps).sqrt()
    return y.masked_fill(~mask[..., None], 0)


@right("choosing/masked_batch_norm")
def zeroed_too_late(x, mask, eps=1e-5):
    m = mask[..., None]
    n = m.sum()
    mean = torch.where(m, x, 0).sum((0, 1)) / n
    var = torch.where(m, (x - mean) ** 2, 0).sum((0, 1)) / n
    return torch.where(m, (x - mean) / (var + eps).sqrt(), 0)


@right("choosing/spearman")
def by_sorting(x, y):
    def ranks(column):
        ordered = column.sort().values
        low = torch.searchsorted(ordered, column)
        high = torch.searchsorted(ordered, column, right=True)
        return (low + high - 1) / 2

    found = []
    for a, b in zip(x.T.contiguous(), y.T.contiguous(), strict=True):
        found.append(torch.corrcoef(torch.stack([ranks(a), ranks(b)]).double())[0, 1])
    return torch.stack(found)


@right("choosing/spearman")
def by_unique(x, y):
    def ranks(t):
        _, inverse, counts = t.unique(return_inverse=True, return_counts=True)
        first = counts.cumsum(0) - counts
        return (first + (counts + 1) / 2)[inverse].to(t.dtype)

    columns = []
    for k in range(x.shape[1]):
        a, b = ranks(x[:, k]), ranks(y[:, k])
        columns.append(torch.cosine_similarity(a - a.mean(), b - b.mean(), dim=0))
    return torch.stack(columns)


@right("choosing/spearman")
def by_loops(x, y):
    out = []
    for a, b in zip(x.T.tolist(), y.T.tolist(), strict=True):
        ra = [sum(u < v for u in a) + (a.count(v) - 1) / 2 for v in a]
        rb = [sum(u < v for u in b) + (b.count(v) - 1) / 2 for v in b]
        ma, mb = sum(ra) / len(ra), sum(rb) / len(rb)
        top = sum((u - ma) * (v - mb) for u, v in zip(ra, rb, strict=True))
        bottom = sum((u - ma) ** 2 for u in ra) * sum((v - mb) ** 2 for v in rb)
        out.append(top / bottom**0.5)
    return torch.tensor(out, dtype=torch.float64)


@wrong("choosing/spearman", "Equal values get different ranks")
def page_ranks(x, y):
    a, b = (t.argsort(dim=0, stable=True).argsort(0).double() for t in (x, y))
    a, b = a - a.mean(0), b - b.mean(0)
    return (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0))


@wrong("choosing/spearman", "Equal values|ties|mean of")
def dense(x, y):
    def rank(t):
        columns = [c.unique(return_inverse=True)[1] for c in t.T]
        r = torch.stack(columns, 1).double()
        return r - r.mean(0)

    a, b = rank(x), rank(y)
    return (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0))


@right("choosing/spearman")
def float32_ranks(x, y):
    def rank(t):
        r = (t[:, None] > t).sum(1) + ((t[:, None] == t).sum(1) - 1) / 2
        return r - r.mean(0)

    a, b = rank(x), rank(y)
    return (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0))


right("choosing/narrow_tables")(8.0)
right("choosing/narrow_tables")(torch.tensor(8))
right("choosing/narrow_tables")([8])
wrong("choosing/narrow_tables", "number|str")("8")
wrong("choosing/narrow_tables", "smaller C")(16)
wrong("choosing/narrow_tables", "0.81")(4)
wrong("choosing/narrow_tables")(0.92)


@right("choosing/standardize_both")
def in_a_loop(train, test):
    mean, std = train.mean(dim=0, keepdim=True), train.std(dim=0, keepdim=True)
    return [(part - mean) / std for part in (train, test)]


@right("choosing/standardize_both")
def test_first(train, test):
    test = (test - train.mean(0)) / train.std(0)
    return (train - train.mean(0)) / train.std(0), test


@wrong("choosing/standardize_both", "has been standardized")
def as_printed(train, test):
    train = (train - train.mean(0)) / train.std(0)
    return train, (test - train.mean(0)) / train.std(0)


@wrong("choosing/standardize_both", "another test set")
def each_its_own(train, test):
    return tuple((t - t.mean(0)) / t.std(0) for t in (train, test))


right("choosing/anchors")((15.5, 0.4))
wrong("choosing/anchors", "sign")((-15.5, 0.4))
wrong("choosing/anchors")((3.0, 0.4))
