"""Readers' texts are checked in the page as in the notebook."""

import gzip
import json
import math

import freeze
import pytest
import torch
from page_files import SHARED, SRC

from in_page_report import Page, asking, given, starters
from layers_book.checking import check_exercise, sketch
from layers_book.checking.check import _expected
from layers_book.checking.judging.compare import same_case
from layers_book.exercises import exercise

LINEAR = "linear/by_hand"
NAMES = (
    LINEAR,
    "linear/chain",
    "linear/lora",
    "dropout/inverted",
    "flatten_and_shape/flatten",
    "padding/causal",
    "gru/convert",
)
FUNCTION = "def linear(x, weight, bias=None, axis=-1):\n    {}\n" + (
    f'\n\ncheck("{LINEAR}", linear)\n'
)
TEXTS = {  # what a reader may write, its state, and what is said
    FUNCTION.format("return linear(x, weight)"): ("wrong", "RecursionError"),
    FUNCTION.format("return torch.zeros(10**9)"): ("wrong", "too large for the page"),
    FUNCTION.format("return [0] * 10**9"): ("error", "more memory than the page has"),
    FUNCTION.format("return torch.special.airy_ai(x)"): (
        "missing",
        "torch.special.airy_ai is not there in the page; open the notebook in Colab.",
    ),
    FUNCTION.format("return torch.nonsense(x)"): (
        "wrong",
        "AttributeError: module 'torch' has no attribute 'nonsense'",
    ),
    FUNCTION.format("return x + undefined"): (
        "wrong",
        "NameError: name 'undefined' is not defined\nwhile computing the output, in "
        "line 2 of your code: `return x + undefined`.",
    ),
    FUNCTION.format("return 2 + 'a'"): (
        "wrong",
        "TypeError: unsupported operand type(s) for +: 'int' and 'str'",
    ),
    FUNCTION.format("return F.linear(x, weight)"): (
        "wrong",
        "Write it by hand: torch's linear may not be called here.",
    ),
    FUNCTION.format("a, b, c, d, e = x.shape"): (
        "wrong",
        "ValueError: not enough values to unpack (expected 5, got 3)",
    ),
    "while True:\n    print('on and on')": ("error", "prints without end"),
    FUNCTION.format("while True:\n        print('on and on')"): (
        "error",
        "Your code prints without end: it was stopped.",
    ),
    FUNCTION.format("import scipy"): ("missing", "scipy is not there in the page"),
    "import numpy as np": ("missing", "numpy is not there in the page"),
    "import random\nrandom.seed(3)": ("missing", "random.seed is not there"),
    "import time\ntime.perf_counter()": ("missing", "time.perf_counter is not there"),
    "x = (1,\ny = 2": ("error", "The ( in line 1 is never closed."),
    "def f(x)\n    pass": ("error", "Line 1 needs a colon at its end."),
    "def f(x):\n        pass\n\n    pass": ("error", "in line 4 of your code: `pass`"),
    "if x = 3:\n    pass": ("error", "Write == to compare"),
    "x = 'abc": ("error", "The text that begins in line 1 has no closing '."),
    "match 3:\n    case 3:\n        pass": (
        "missing",
        "does not have match, in line 1",
    ),
    "1 / 0": ("error", "ZeroDivisionError: division by zero\nin line 1"),
    "x = 3": (
        "error",
        f'Nothing has been checked: end your code with check("{LINEAR}"',
    ),
    "check('linear/count', 3)": ("error", "linear/count is another exercise"),
    f"check('{LINEAR}', 3)": ("wrong", "A function is expected, and you pass an int"),
}
# Python that MicroPython lacks, and that is made plainer for it
PLAINER = """
def f(a, /, *b, c=3):
    return *b, a, c

x = torch.arange(6.0).reshape(2, 3)
sizes = (*x.shape[::-1], 1)
d = {"b": 1, **{"a": 2}, "c": {k: v for k, v in zip("zy", [1, 2])}}
d["a0"] = dict(second=1, first=2)
print(sizes, [*sizes, 4], f(1, 2), d, list(d), x[*(0, 1)], x[(*[0],)])
print(0 < x[0], 1.5 >= x[1], isinstance(3, int | float), "pre_x".removeprefix("pre_"))
print({"a": 1}.keys() == {"a": 2}.keys(), "abc"[::-1], {*sizes} == {1, 2, 3})
y = z = torch.ones(3)
y *= 2; y[0] /= 4
y **= 2
s = t = [1]
s *= 3
n = 7
n //= 2
print(z, t, n, {**d, "e": y.shape})
t = torch.tensor(2.5)
print(f"{t:.2f} {t} {t!r} {{x}} {d['b']} {3:>{4}} {t=} {1 + 1=}" f"{'x' if n else 1}")
print(rf"\\d{t}", f'''a{
    n}''', f"{[*sizes]}", "%.3f %s" % (t, 1), "{:.1f} {a}".format(t, a=t), f"{0 < t}")
print(f"{d!r:>9} {(lambda x: x)(3)} {12345.678:,.1f} {0.5:.0%} {'ab':<4}|",
      f"{y.shape}")
seen = set()
for p in [t, y, t]:
    print(p in seen, len(seen))
    seen.add(p)
print(len({p for p in (t, y, t)}), len(set([t, y, t, y])), len(seen - {1}))
print({n % 2 for n in sizes}, set(sizes) == {1, 2, 3})
print(math.sqrt(t), math.floor(t), [i for i in range(torch.tensor(2))])
lengths = [3, 3, 2, 3, 2, 3]
lengths.sort(key=lambda k: -k)
print(lengths, sorted(range(6), key=lambda i: -lengths[i] % 2), sorted("ba"))
print(sorted(range(9), key=lambda i: i % 2, reverse=True))
print([n for n in range(9) if 2 <= n < 5], (1.0).is_integer(), max(x[0]), x.shape)
"""


@pytest.fixture(scope="module")
def checks():
    opened = Page()
    yield opened
    opened.process.kill()


@pytest.fixture(scope="module")
def kept():
    return {name: given(name, freeze.freeze(name)) for name in NAMES}


@pytest.mark.parametrize(
    "path", [p for name in SHARED for p in SRC.glob(name)], ids=str
)
def test_shared_files_are_plain_enough(page, path):
    code = "result = str(compile(text, 'shared', 'exec'))"
    assert page.run(code, text=path.read_text("utf8")) == "<code>", page.error


@pytest.mark.parametrize("name", NAMES)
def test_verdicts_are_those_of_the_notebook(checks, kept, name):
    found = exercise(name)
    right = checks.check(name, asking(name, found.solution), kept[name])
    assert right["state"] == "right", right
    starter = starters()[name]
    said = checks.check(name, starter, kept[name])
    answer = found.define(starter.rpartition("check(")[0])
    assert said["message"] == check_exercise(found, answer).message
    for mistake in found.mistakes[:8]:
        answer = found.wrong_answer(mistake)
        text = asking(name, found.code(mistake) or f"answer = {answer}")
        here, there = (
            checks.check(name, text, kept[name]),
            check_exercise(found, answer),
        )
        assert not there.passed
        assert (here["state"], here["message"]) == ("wrong", there.message)


@pytest.mark.parametrize("text", TEXTS)
def test_what_goes_wrong_is_said(checks, kept, text):
    found = checks.check(LINEAR, text, kept[LINEAR])
    state, words = TEXTS[text]
    assert found["state"] == state, found
    assert words in found["message"]
    solution = asking(LINEAR, exercise(LINEAR).solution)
    assert checks.check(LINEAR, solution, kept[LINEAR])["state"] == "right"


def test_python_is_made_plainer(checks, kept, capsys):
    found = checks.check(LINEAR, PLAINER, kept[LINEAR])
    assert found["message"].startswith("Nothing has been checked"), found
    exec(PLAINER, {"math": math, "torch": torch})
    assert found["printed"] == capsys.readouterr().out


def test_a_fault_of_the_page_makes_no_answer_right(checks, kept):
    frozen = json.loads(kept[LINEAR]["frozen"])
    frozen["right"][3][1][1] *= 1 + 1e-4
    other = {**kept[LINEAR], "frozen": json.dumps(frozen)}
    fresh = Page()
    found = fresh.check(LINEAR, asking(LINEAR, exercise(LINEAR).solution), other)
    fresh.process.kill()
    assert found["state"] == "missing"
    assert "the page computes output" in found["message"]


def test_mistakes_are_told_by_their_sketches():
    e = exercise(LINEAR)
    for at in range(3):
        right = _expected(e, at)
        records = [_expected(e, at, mistake) for mistake in e.mistakes]
        kept = [sketch.sketch(right, record) for record in records]
        assert len(gzip.compress(json.dumps(kept).encode())) < 1000
        for got in records:
            told: dict[int, object] = {}
            for mine, other in zip(kept, records, strict=True):
                made = sketch.rebuilt(mine, right, got, told)
                alike = [same_case(*pair) for pair in zip(made, got, strict=False)]
                assert alike == [
                    same_case(*pair) for pair in zip(other, got, strict=False)
                ]
