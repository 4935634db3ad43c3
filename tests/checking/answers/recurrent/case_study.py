"""Foreign answers to the exercises of the case study on memory."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import torch
from answers import right, wrong
from torch import nn
from torch.nn import functional as F

for exact_value in (math.e**2, torch.tensor(7.39)):
    right("recurrent_case_study/temperature")(exact_value)
wrong("recurrent_case_study/temperature", "temperature 1")(math.e)
wrong("recurrent_case_study/temperature", "divide")(math.e**0.5)


@right("recurrent_case_study/bag")
def by_evenings(k):
    hits = 0
    for evening in product((0, 1), repeat=k):
        ones = sum(evening)
        if 2 * ones == k:
            hits += 0.5
        else:
            hits += evening[-1] == (2 * ones > k)
    return hits / 2**k


@right("recurrent_case_study/bag")
def exact(k):
    total = sum(Fraction(math.comb(k, a) * max(a, k - a), k) for a in range(k + 1))
    return total / 2**k


@right("recurrent_case_study/bag")
def as_tensor(k):
    a = torch.arange(k + 1, dtype=torch.float64)
    combs = torch.tensor([math.comb(k, i) for i in range(k + 1)], dtype=torch.float64)
    return (combs * torch.maximum(a, k - a)).sum() / k / 2**k


@right("recurrent_case_study/bag")
def as_numpy(k):
    a = np.arange(k + 1)
    combs = np.array([math.comb(k, i) for i in a])
    return np.sum(combs * np.maximum(a, k - a)) / k / 2**k


@right("recurrent_case_study/bag")
def rest_of_the_walk(k):
    m = k // 2
    return 0.5 + math.comb(2 * m, m) / 2 ** (2 * m + 1)


@wrong("recurrent_case_study/bag", never="a Tensor")
def sampled(k):
    presses = torch.randint(0, 2, (1000, k))
    ones = presses.sum(1)
    guess = (2 * ones > k).long()
    return (guess == presses[:, -1]).float().mean()


@wrong("recurrent_case_study/bag", "tie|coin")
def tie_is_a_miss(k):
    hits = 0
    for evening in product((0, 1), repeat=k):
        ones = sum(evening)
        hits += (2 * ones > k and evening[-1] == 1) or (
            2 * ones < k and evening[-1] == 0
        )
    return hits / 2**k


@wrong("recurrent_case_study/bag", "percent")
def percent(k):
    return 100 * by_evenings(k)


@wrong("recurrent_case_study/bag", "1 to k|exactly k|mean")
def mean_of_all(k):
    return sum(by_evenings(j) for j in range(1, k + 1)) / k


@right("recurrent_case_study/latch")
def by_biases():
    w = torch.zeros(4, 3)
    w[0, 2], w[1, 2], w[2, 0], w[2, 1] = -60, 60, -9, 9
    return w, torch.zeros(4, 1), torch.tensor([30.0, -30, 0, 30]), torch.zeros(4)


@right("recurrent_case_study/latch")
def as_list_of_parameters():
    cell = nn.LSTMCell(3, 1)
    with torch.no_grad():
        for value, p in zip(by_biases(), cell.parameters(), strict=True):
            p.copy_(value)
    return list(cell.parameters())


@right("recurrent_case_study/latch")
def in_double():
    return tuple(p.double() for p in by_biases())


@right("recurrent_case_study/latch")
def whole_numbers():
    return tuple(p.long() for p in by_biases())


@wrong("recurrent_case_study/latch", "four tensors|tuple")
def a_cell():
    return nn.LSTMCell(3, 1)


@wrong("recurrent_case_study/latch", "tensor")
def lists():
    return tuple(p.tolist() for p in by_biases())


@wrong("recurrent_case_study/latch", "shape")
def transposed():
    w, *rest = by_biases()
    return w.T, *rest


@wrong("recurrent_case_study/latch", "adds up|replace")
def adds_up():
    w, u, b, c = by_biases()
    b = b.clone()
    b[1] = 30
    return w, u, b, c


@wrong("recurrent_case_study/latch", "finite")
def not_numbers():
    w, *rest = by_biases()
    return w * float("nan"), *rest


@right("recurrent_case_study/probe")
def by_pinv(h, on):
    a = torch.column_stack([h, torch.ones(len(h), dtype=h.dtype)])
    y = torch.where(on == 1, 1.0, -1.0).to(h.dtype)
    *_, bias = solution = torch.linalg.pinv(a) @ y
    return solution[:-1], bias


@right("recurrent_case_study/probe")
def normal_equations(h, on):
    y = on.to(h.dtype) * 2 - 1
    x = h - h.mean(0)
    weight = torch.linalg.solve(x.T @ x, x.T @ (y - y.mean()))
    return weight, y.mean() - h.mean(0) @ weight


@right("recurrent_case_study/probe")
def by_qr(h, on):
    a = torch.hstack([torch.ones_like(h[:, :1]), h])
    q, r = torch.linalg.qr(a)
    s = torch.linalg.solve_triangular(
        r, q.T @ (2.0 * on - 1).to(h)[:, None], upper=True
    )
    return s[1:, 0], s[0, 0]


@right("recurrent_case_study/probe")
def by_numpy(h, on):
    a = np.concatenate([h.numpy(), np.ones((len(h), 1))], 1)
    s = np.linalg.lstsq(a, 2 * on.numpy() - 1.0, rcond=None)[0]
    return torch.from_numpy(s[:-1]).to(h.dtype), torch.tensor(s[-1], dtype=h.dtype)


@right("recurrent_case_study/probe")
def by_numpy_arrays(h, on):
    a = np.concatenate([h.numpy(), np.ones((len(h), 1))], 1)
    s = np.linalg.lstsq(a, 2 * on.numpy() - 1.0, rcond=None)[0]
    return torch.tensor(s[:-1]), torch.tensor(s[-1])


@wrong("recurrent_case_study/probe", "no bias|column|ones")
def without_bias(h, on):
    s = torch.linalg.lstsq(h, (2 * on - 1).to(h)[:, None]).solution[:, 0]
    return s, torch.zeros((), dtype=h.dtype)


@wrong("recurrent_case_study/probe", "0 and 1|2 \\* on - 1")
def zero_and_one(h, on):
    a = torch.column_stack([h, torch.ones(len(h), dtype=h.dtype)])
    s = torch.linalg.lstsq(a, on.to(h)[:, None]).solution[:, 0]
    return s[:-1], s[-1]


@wrong("recurrent_case_study/probe", "shape")
def two_axes(h, on):
    a = torch.column_stack([h, torch.ones(len(h), dtype=h.dtype)])
    s = torch.linalg.lstsq(a, (2 * on - 1).to(h)[:, None]).solution
    return s[:-1], s[-1]


@wrong("recurrent_case_study/probe", "same dtype|dtype")
def whole_targets(h, on):
    a = torch.column_stack([h, torch.ones(len(h), dtype=h.dtype)])
    s = torch.linalg.lstsq(a, (2 * on - 1)[:, None]).solution[:, 0]
    return s[:-1], s[-1]


@right("recurrent_case_study/continued")
def read_all_again(layer, head, letters, n):
    line = letters.clone()
    for _ in range(n):
        one_hot = F.one_hot(line, layer.input_size).double()
        scores = head(layer(one_hot[None])[0])[0, -1]
        line = torch.cat([line, scores.argmax().view(1)])
    return line[len(letters) :]


@right("recurrent_case_study/continued")
def as_a_list(layer, head, letters, n):
    new = []
    with torch.no_grad():
        eye = torch.eye(layer.input_size, dtype=head.weight.dtype)
        _, h = layer(eye[letters])  # without a batch axis
        while len(new) < n:
            new.append(head(h[0]).argmax().item())
            _, h = layer(eye[new[-1:]], h)
    return new


@right("recurrent_case_study/continued")
def by_a_cell(layer, head, letters, n):
    cell = nn.GRUCell(layer.input_size, layer.hidden_size).double()
    for p, q in zip(cell.parameters(), layer.parameters(), strict=True):
        p.data.copy_(q)
    h, eye = None, torch.eye(layer.input_size).double()
    for letter in letters:
        h = cell(eye[letter], h)
    new = []
    for _ in range(n):
        new.append(head(h).argmax())
        h = cell(eye[new[-1]], h)
    return torch.stack(new)


@wrong("recurrent_case_study/continued", "state")
def without_a_state(layer, head, letters, n):
    new, eye = [], torch.eye(layer.input_size).double()
    x = eye[letters]
    for _ in range(n):
        new.append(head(layer(x)[0][-1]).argmax())
        x = eye[new[-1]].view(1, -1)
    return torch.stack(new)


@wrong("recurrent_case_study/continued", "smallest|largest")
def least_likely(layer, head, letters, n):
    line = letters.clone()
    for _ in range(n):
        one_hot = F.one_hot(line, layer.input_size).double()
        scores = head(layer(one_hot[None])[0])[0, -1]
        line = torch.cat([line, scores.argmin().view(1)])
    return line[len(letters) :]


@wrong("recurrent_case_study/continued")
def nothing(layer, head, letters, n):
    return letters
