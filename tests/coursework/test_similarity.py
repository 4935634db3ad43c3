"""Similar answers: what is found, what is not, and what cannot stop it."""

import csv
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from copydetect.detector import CodeFingerprint, compare_files
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser

from layers_book.coursework.results import similarity
from layers_book.coursework.results.similarity import SHORTEST, similar
from site_server import AXE

CLASS = '''class MyBatchNorm(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x):
        """Normalize x (N, C, L)."""
        if self.training:
            mean = x.mean((0, 2))
            var = x.var((0, 2), unbiased=False)
            n = x.shape[0] * x.shape[2]
            with torch.no_grad():
                self.running_mean.mul_(1 - self.momentum).add_(self.momentum * mean)
                self.running_var.lerp_(var * n / (n - 1), self.momentum)
        else:
            mean, var = self.running_mean, self.running_var
        y = (x - mean[None, :, None]) / torch.sqrt(var[None, :, None] + self.eps)
        return y * self.weight[None, :, None]'''
OTHER = """class MyBatchNorm(nn.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, num_features, 1))
        self.register_buffer("running_mean", torch.zeros(1, num_features, 1))
        self.register_buffer("running_var", torch.ones(1, num_features, 1))
        self.eps, self.momentum = eps, momentum

    def update(self, old, new):
        old.lerp_(new.detach(), self.momentum)

    def forward(self, x):
        m, v = self.running_mean, self.running_var
        if self.training:
            v, m = torch.var_mean(x, (0, 2), correction=0, keepdim=True)
            self.update(self.running_mean, m)
            N = x.numel() // x.shape[1]
            self.update(self.running_var, v * (N / (N - 1)))
        return (x - m) / (v + self.eps) ** 0.5 * self.weight"""
SHORT = [
    """def layer_norm(x, weight, bias, eps=1e-5):
    mean = x.mean(-1, keepdim=True)
    var = x.var(-1, unbiased=False, keepdim=True)
    return (x - mean) / torch.sqrt(var + eps) * weight + bias""",
    """def layer_norm(x, weight, bias, eps=1e-5):
    m = x.mean(-1, keepdim=True)
    v = x.var(-1, unbiased=False, keepdim=True)
    out = (x - m) / torch.sqrt(v + eps)
    return out * weight + bias""",
    """def layer_norm(x, weight, bias, eps=1e-5):
    mu = x.mean(dim=-1, keepdim=True)
    sigma2 = ((x - mu) ** 2).mean(dim=-1, keepdim=True)
    y = (x - mu) / (sigma2 + eps).sqrt()
    return weight * y + bias""",
]


def disguised(code: str) -> str:
    """Other names, comments, blank lines, indents, quotes and line ends."""
    for name in ("x", "mean", "var", "n", "y", "eps", "momentum", "num_features"):
        code = re.sub(rf"\b{name}\b", f"my_{name[::-1]}", code)
    code = code.replace("Normalize", "What I do: normalize").replace('"""', "'''")
    lines = code.replace("    ", "  ").split("\n")
    return "\r\n".join(f"{line}  # step {i}\r\n" for i, line in enumerate(lines))


def found(*codes: str, release: tuple[str, ...] = (), **options: Any) -> list[Any]:
    answers = {f"s{i}": {"q": code} for i, code in enumerate(codes)}
    return [
        (pair.student_a, pair.student_b)
        for pair in similar(answers, release, **options).pairs
    ]


def test_a_disguised_copy_is_found() -> None:
    answers = {"eve": {"q": OTHER}, "ada": {"q": CLASS}, "bob": {"q": disguised(CLASS)}}
    (pair,) = similar(answers).pairs
    assert (pair.student_a, pair.student_b, pair.question) == ("ada", "bob", "q")
    assert pair.share_a > 0.95 and pair.share_b > 0.95 and pair.size > 300


def test_a_copy_with_something_added_or_moved_is_found() -> None:
    head, forward = CLASS.split("\n\n")
    moved = f"{head.split(':')[0]}:\n{forward}\n\n" + "\n".join(head.split("\n")[1:])
    assert found(CLASS, moved) == [("s0", "s1")]
    (pair,) = similar({"a": {"q": CLASS}, "b": {"q": OTHER + "\n\n" + CLASS}}).pairs
    assert pair.share_a == 1 and pair.share_b < 0.7


def test_honest_answers_are_not_flagged() -> None:
    assert found(CLASS, OTHER) == []
    assert found(*SHORT) == []
    assert found(*SHORT, SHORT[0]) == []  # not even the same one: it is too short
    short = similar({"a": {"q": SHORT[0]}, "b": {"q": SHORT[0], "r": CLASS}})
    assert (short.compared, short.short) == (1, 2)
    for code in SHORT:
        reduced, _ = similarity._reduce(code, prose=False)
        assert len(reduced) < SHORTEST


def test_the_text_of_the_release_does_not_count() -> None:
    ada = CLASS + "\n\ny_ada = [MyBatchNorm(k)(x) for k in range(3)]"
    bob = CLASS + "\n\nfor name in 'abc':\n    print(MyBatchNorm(4), name)"
    assert found(ada, bob) == [("s0", "s1")]
    assert found(ada, bob, release=("import torch", CLASS)) == []
    # what is copied beside it is found still
    own = "\n\n" + OTHER.split("\n\n", 1)[1]
    assert found(CLASS + own, CLASS + disguised(own), release=(CLASS,)) == [
        ("s0", "s1")
    ]


def test_long_answers_of_their_own_beside_the_release_are_not_flagged() -> None:
    gates = """def lstm_cell(x, h, c, w_ih, w_hh, b_ih, b_hh):
    z = x @ w_ih.t() + h @ w_hh.t() + b_ih + b_hh
    i, f, g, o = z.chunk(4, 1)
    i = torch.sigmoid(i)
    f = torch.sigmoid(f)
    g = torch.tanh(g)
    c = f * c + i * g
    return torch.sigmoid(o) * torch.tanh(c), c"""
    release = CLASS + "\n\n" + CLASS.replace("1 - ", "2 * ").replace("0", "7")
    mine, yours = f"{release}\n\n{gates}", release + "\n\n" + OTHER.split("\n\n")[2]
    assert found(mine, yours) == [("s0", "s1")]
    assert similar({"a": {"q": mine}, "b": {"q": yours}}, [release]).compared == 2
    assert found(mine, yours, release=(release,)) == []
    handed = f"{release}\n\n{SHORT[0]}", f"{release}\n\nprint(1)"
    few = similar({code[-9:]: {"q": code} for code in handed}, [release])
    assert (few.compared, few.short) == (0, 2)


def test_questions_are_not_mixed() -> None:
    assert similar({"a": {"q": CLASS}, "b": {"r": CLASS}}).pairs == ()


def test_what_everybody_has_does_not_count() -> None:
    answers = {f"s{i:02}": {"q": CLASS + f"\nz{i} = {i}"} for i in range(22)}
    assert len(similar(dict(list(answers.items())[:5])).pairs) == 10
    assert similar(answers).pairs == ()
    same = {f"s{i:02}": {"q": CLASS.replace("mean", f"m{i}")} for i in range(22)}
    result = similar(same)
    assert result.pairs == ()
    (group,) = result.groups
    assert group.question == "q" and len(group.students) == 22


def test_words() -> None:
    text = (
        "With a small batch the statistics are noisy, so the output of one sample "
        "depends on the others that it happens to be drawn with. In evaluation mode "
        "the running statistics are used, and each sample stands for itself."
    )
    retyped = text.upper().replace(",", " —").replace(". ", ".\n\n* ")
    other = (
        "I trained the same network with two, eight and sixty-four samples a step. "
        "Below eight the loss became uneven and the accuracy fell, since mean and "
        "variance of so few values say little about the whole data set."
    )
    assert found(text, retyped, other, prose={"q"}) == [("s0", "s1")]


def test_the_index_finds_what_comparing_all_pairs_finds() -> None:
    rng = np.random.default_rng(0)
    answers = [
        similarity._Answer(
            f"s{i:02}", np.unique(rng.integers(0, 80, 30)), 100 + i, f"{i}"
        )
        for i in range(25)
    ]
    sets = [set(answer.hashes.tolist()) for answer in answers]
    owners = {h: sum(h in s for s in sets) for s in sets for h in s}
    sets = [{h for h in s if owners[h] <= 10} for s in sets]
    expected = {}
    for i, j in itertools.combinations(range(25), 2):
        a, b = len(sets[i]), len(sets[j])
        shared = len(sets[i] & sets[j])
        if min(a, b) >= similarity.FEWEST and shared / min(a, b) >= 0.3:
            expected[f"s{i:02}", f"s{j:02}"] = (shared / a, shared / b, 100 + i)
    pairs = similarity._pairs("q", answers, limit=10, least=0.3)
    assert {(p.student_a, p.student_b): tuple(p[3:]) for p in pairs} == expected
    assert 3 < len(expected) < 290


def test_the_shares_are_copydetects(tmp_path: Path) -> None:
    codes = [CLASS, OTHER, OTHER + "\n" + CLASS, disguised(CLASS).replace("\r", "")]
    prints = []
    for i, code in enumerate(codes):
        file = tmp_path / f"{i}.py"
        file.write_text(code, "utf8")
        prints.append(CodeFingerprint(str(file), similarity.KGRAM, similarity.WINDOW))
    answers = {f"{i}": {"q": code} for i, code in enumerate(codes)}
    pairs = {
        (p.student_a, p.student_b): p for p in similar(answers, least=0.0001).pairs
    }
    for i, j in itertools.combinations(range(4), 2):
        _, shares, _ = compare_files(prints[i], prints[j])
        pair = pairs[f"{i}", f"{j}"]
        # it counts characters, this counts fingerprints
        assert [pair.share_a, pair.share_b] == pytest.approx(shares, abs=0.12)


def test_five_thousand_answers() -> None:
    rng = np.random.default_rng(0)
    idioms = rng.integers(0, 2**40, 20)
    hashes = [
        np.unique(np.concatenate([idioms, rng.integers(0, 2**40, 60)]))
        for _ in range(5_000)
    ]
    hashes[4321] = np.unique(np.concatenate([hashes[17][:70], hashes[4321][:10]]))
    answers = [
        similarity._Answer(f"{i:04}", h, 300, f"{i}") for i, h in enumerate(hashes)
    ]
    (pair,) = similarity._pairs("q", answers, limit=50, least=0.6)
    assert (pair.student_a, pair.student_b) == ("0017", "4321")


HOSTILE = [
    "",
    "\n" * 50_000,
    "\x00" * 50_000,
    "(" * 50_000,
    "[{(" * 20_000,
    '"""' * 20_000,
    'f"{' * 20_000,
    "\\" * 50_000,
    "x=1;" * 20_000,
    "\ud800" * 20_000,
    "def " * 20_000,
    "class \n" * 20_000,
    '"\\N{' * 20_000,
    "İ" * 20_000 + "\ufeff",
    "a " * 30_000,
    "if x:\n" + "".join(" " * i + "if x:\n" for i in range(1, 400)),
    "def f(:\n  return )",
    "\u2028\x0b\x0c\x85\r" * 3_000 + CLASS,
]


def test_hostile_answers_stop_nothing(tmp_path: Path) -> None:
    answers = {f"h{i:02}": {"q": code} for i, code in enumerate(HOSTILE)}
    answers |= {"twin": {"q": HOSTILE[-1] + " ", "words": "".join(HOSTILE)}}
    answers |= {"ada": {"q": CLASS}, "bob": {"q": disguised(CLASS)}}
    table, page = similarity.write(
        tmp_path, "normalization", answers, prose={"words"}, release=HOSTILE[:3]
    )
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert ("ada", "bob") in [(r["student_a"], r["student_b"]) for r in rows]
    assert page.stat().st_size < 400_000


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text(st.characters(exclude_categories=())),
            st.sampled_from(
                ["class A:\n", "\r\n", "'''", "# x\n", "f'{a!r}'", " é", "1"]
            ),
        ),
        max_size=30,
    ).map("".join),
    st.booleans(),
)
def test_each_reduced_character_stands_somewhere(source: str, prose: bool) -> None:
    plain = similarity._plain(source)
    reduced, at = similarity._reduce(plain, prose)
    assert len(reduced) == len(at)
    assert not len(at) or (at.min() >= 0 and at.max() < len(plain))
    assert (np.diff(at) >= 0).all()
    # both pages show it without fault
    similarity._sides([source, source + "x"], prose, np.empty(0, np.int64))


def test_lines_that_share_something_are_marked() -> None:
    body = CLASS.split("\n\n")[1]
    mine = f"import torch\n\nclass A(nn.Module):\n  pass\n\n{body}\n\nprint('mine')"
    yours = f"class Yours(Other, object):\n    '''Mine'''\n\n\n{disguised(body)}"
    left, right = similarity._sides([mine, yours], False, np.empty(0, np.int64))
    marked = [line for line, same in left["lines"] if same]
    assert body.split("\n")[1:-1] == [m for m in marked if m in body.split("\n")[1:-1]]
    assert set(marked) <= {*body.split("\n"), ""}
    assert len([line for line, same in right["lines"] if same and line]) >= 11
    assert not any(same for line, same in right["lines"] if "Yours" in line)


@pytest.mark.parametrize(("width", "theme"), [(360, "dark"), (1280, "light")])
def test_the_page(browser: Browser, tmp_path: Path, width: int, theme: Any) -> None:
    script = "\n</span></pre><script>document.title='ran'</script><img src=x>\u202e\x00"
    names = ["<script>document.title='ran'</script>", "=bob\u202e"]
    answers = {name: {"q<script>": CLASS + script} for name in names}
    table, page = similarity.write(
        tmp_path, "normalization", answers, title="Norms <script>"
    )
    tab = browser.new_page(
        viewport={"width": width, "height": 800}, color_scheme=theme, bypass_csp=True
    )
    seen: list[str] = []
    tab.on("request", lambda request: seen.append(request.url))
    tab.goto(page.as_uri())
    assert seen == [page.as_uri()]
    assert tab.title() == "Similarity: Norms <script>"
    assert tab.locator("script, img, a").count() == 0
    said = tab.locator("body").inner_text()
    assert "a reason to look, not a verdict" in said and "fewer than 100" in said
    assert "<script>document.title='ran'</script>" in said and "⟨U+202E⟩" in said
    assert tab.locator(".line.same").count() >= 40
    root = "document.documentElement"
    assert tab.evaluate(f"{root}.scrollWidth - {root}.clientWidth") <= 0
    tab.evaluate(AXE.read_text("utf8"))
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert found["violations"] == []
    tab.close()
    assert "'=bob" in table.read_text("utf-8-sig")


def test_files_of_a_class_without_similar_answers(tmp_path: Path) -> None:
    table, page = similarity.write(tmp_path, "normalization", {"a": {"q": CLASS}})
    assert table.read_text("utf-8-sig").splitlines() == [
        "student_a,student_b,question,share_a,share_b,size"
    ]
    assert "No two answers share enough" in page.read_text("utf8")
    with pytest.raises(ValueError, match=r"least=1\.5"):
        similar({}, least=1.5)
    with pytest.raises(ValueError, match="assignment="):
        similarity.write(tmp_path, "..", {})
