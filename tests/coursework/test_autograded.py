"""What formgrader shows of a stranger's notebook, rendered by nbconvert as it does."""

import base64
import json
import re
import shutil
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbgrader.server_extensions.formgrader.handlers import template_path

from layers_book.coursework.assignment import load
from layers_book.coursework.collect.notebook import Unreadable
from layers_book.coursework.course import Course
from layers_book.coursework.grade.record import Record
from layers_book.coursework.nbgrader.formgrader import (
    OUTPUT_TEXT,
    OUTPUTS,
    plain,
    png,
    shown,
    soften,
    submitted_cells,
    write_autograded,
)
from layers_book.coursework.release import release

EXAMPLE = Path(__file__).parent / "example"
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"dots").decode()
URL = "data:image/png;base64,"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("released")
    release(load(EXAMPLE), root, ["eve"], salt="a salt of the course")
    return root


@pytest.fixture
def root(released: Path, tmp_path: Path) -> Path:
    return shutil.copytree(released, tmp_path / "course")


def submitted(data: bytes) -> list[dict[str, Any]]:
    return submitted_cells(data, load(EXAMPLE))


def record(student: str = "ada", **more: Any) -> Record:
    parts = [
        {"title": "the output", "points": 2.0, "max_points": 2.0, "passed": True},
        {"title": "the gradient", "points": 0.0, "max_points": 1.0, "passed": False},
    ]
    scale = {
        "name": "scale",
        "title": "Scale",
        "state": "graded",
        "points": 2.0,
        "max_points": 3.0,
        "key": "",
        "parts": parts,
        "mistake": "",
        "hint": "Do not detach.",
        "seen": "x (5, 3)",
        "error": "",
        "reason": "",
    }
    data: Any = {
        "schema": 1,
        "assignment": "example",
        "student": student,
        "submission": "0" * 64,
        "key": "",
        "versions": {},
        "state": "graded",
        "reason": "",
        "notes": ["the cell rms appears twice: the last one is graded"],
        "cells": [],
        "questions": [scale],
        "points": 2.0,
        "max_points": 7.0,
        "seconds": 0.1,
    }
    return data | more


def notebook(root: Path, student: str = "") -> dict[str, Any]:
    path = Course(root).release("example", student)
    data: dict[str, Any] = nbformat.read(path, as_version=4)
    return data


def cell_of(data: dict[str, Any], id: str) -> dict[str, Any]:
    cells = data["cells"]
    found = (
        c for c in cells if c["metadata"].get("nbgrader", {}).get("grade_id") == id
    )
    return next(found)


def autograded(root: Path, data: Any, **more: Any) -> Any:
    path = write_autograded(
        Course(root), record(**more), submitted(json.dumps(data).encode())
    )
    made = nbformat.read(path, as_version=4)
    nbformat.validate(made)
    return made


def html_of(paragraph: str) -> str:
    return f"<div><p>{paragraph}</p>&#10;</div>"


def page(made: Any) -> str:
    """As formgrader renders it."""
    exporter = HTMLExporter(
        template_name="formgrade", extra_template_basedirs=[template_path]
    )
    html: str = exporter.from_notebook_node(
        made, resources={"base_url": "", "index": 0, "total": 1}
    )[0]
    return html


def sources(made: Any) -> list[str]:
    return [cell.source for cell in made.cells]


def code(source: str, outputs: list[Any] | None = None, **meta: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": 1,
        "metadata": meta,
        "outputs": outputs or [],
        "source": source,
    }


def text(source: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source} | more


def test_an_untouched_notebook(root: Path) -> None:
    made = autograded(root, notebook(root))
    path = Course(root).autograded("ada", "example")
    assert path == root / "autograded/ada/example/example.ipynb"
    given = notebook(root)["cells"]
    metas = [cell.metadata for cell in made.cells if cell.metadata]
    assert metas == [cell["metadata"] for cell in given if cell["metadata"]]
    shown_sources = [source.replace(" \u200b", "") for source in sources(made)]
    extra = [s for s in shown_sources if s not in {cell["source"] for cell in given}]
    firsts = [source.split()[0].removeprefix("<div><p><strong>") for source in extra]
    assert firsts == ["As", "By", "In"], "ours, and the answer to be marked by hand"


def test_answers_are_the_students_and_the_rest_is_the_masters(root: Path) -> None:
    data = notebook(root)
    cell_of(data, "scale")["source"] = "scale = 'mine'"
    cell_of(data, "report")["source"] = "It **doubles**."
    cell_of(data, "setup")["source"] = "tampered = 1"
    cell_of(data, "scale-check")["source"] = "tampered = 2"
    cell_of(data, "scale-check")["metadata"]["nbgrader"] |= {"points": 900}
    cell_of(data, "rms")["metadata"]["nbgrader"] |= {"solution": False, "locked": True}
    made = autograded(root, data)
    assert "scale = 'mine'" in sources(made)
    assert html_of("It <strong>doubles</strong>.") in sources(made)
    assert not any("tampered" in source for source in sources(made))
    for id in ("scale", "scale-check", "rms", "report", "setup"):
        expected = cell_of(notebook(root), id)["metadata"]
        assert cell_of(made, id)["metadata"] == expected


def test_what_the_student_added_stays_in_its_place(root: Path) -> None:
    data = notebook(root)
    scale = data["cells"].index(cell_of(data, "scale"))
    data["cells"].insert(
        scale + 1, code("mine = 2", tags=["x"], nbgrader={"points": 9})
    )
    data["cells"].insert(0, text("Ada's *own* title"))
    data["cells"].append({"cell_type": "raw", "metadata": {}, "source": "<b>raw</b>"})
    made = autograded(root, data)
    (at,) = [i for i, source in enumerate(sources(made)) if source == "mine = 2"]
    assert cell_of(made, "scale")["source"] == made.cells[at - 1].source
    assert made.cells[at].metadata == {}
    assert sources(made)[1] == html_of("Ada's <em>own</em> title")
    assert sources(made)[-1] == "<div><pre>&lt;b&gt;raw&lt;/b&gt;</pre></div>"


def test_a_missing_answer_and_an_unreadable_file(root: Path) -> None:
    data = notebook(root)
    data["cells"].remove(cell_of(data, "rms"))
    data["cells"].remove(cell_of(data, "report"))
    made = autograded(root, data)
    assert (
        cell_of(made, "rms")["source"] == "# The student's notebook has no such cell."
    )
    assert cell_of(made, "report")["source"].startswith("*The student's notebook has")
    why = record(state="could not grade", reason="damaged <i>", questions=[], notes=[])
    path = write_autograded(Course(root), why, [])
    empty = nbformat.read(path, as_version=4)
    said = "<strong>Could not be graded by machine:</strong> damaged &lt;i&gt;"
    assert said in sources(empty)[0]
    assert cell_of(empty, "scale")["source"].startswith("# The student's notebook")


def test_answers_stand_in_their_places_without_ids(root: Path) -> None:
    data = notebook(root)
    cell_of(data, "scale")["source"] = "def scale(x, weight):\n    return x * weight"
    cell_of(data, "rms")["source"] = "def rms(x):\n    return x"
    cell_of(data, "report")["source"] += "\n\nIt doubles."
    for cell in data["cells"]:
        cell["metadata"] = {}
    made = autograded(root, data)
    assert cell_of(made, "scale")["source"].endswith("x * weight")
    assert cell_of(made, "rms")["source"].endswith("return x")
    assert "It doubles." in cell_of(made, "report")["source"]
    assert sum("It doubles." in source for source in sources(made)) == 1


def test_what_waits_is_asked_for_under_the_check(root: Path) -> None:
    waits = record()["questions"][0] | {
        "state": "waiting",
        "points": None,
        "parts": [],
        "hint": "",
        "seen": "",
        "reason": "its cell defines no scale",
    }
    made = autograded(root, notebook(root), questions=[waits])
    check = made.cells.index(cell_of(made, "scale-check"))
    said = "No points by machine: please give them."
    expected = html_of(f"<strong>{said}</strong> its cell defines no scale")
    assert sources(made)[check + 1] == expected


def test_marks_stand_under_the_check(root: Path) -> None:
    made = autograded(root, notebook(root))
    check = made.cells.index(cell_of(made, "scale-check"))
    assert sources(made)[check + 1].replace("&#10;", "") == (
        "<div><p><strong>By machine: 2 of 3 points.</strong></p>"
        "<ul><li>✓ the output: 2 of 2</li><li>✗ the gradient: 0 of 1</li></ul>"
        "<p>Hint: Do not detach.</p><p>Seen with: x (5, 3)</p></div>"
    )
    assert "Note: the cell rms appears twice" in sources(made)[0]


def test_a_students_own_variant_is_restored(root: Path) -> None:
    data = notebook(root, "eve")
    own = cell_of(data, "variant")["source"]
    assert own != cell_of(notebook(root), "variant")["source"]
    cell_of(data, "variant")["source"] = "VARIANT = {'n': 1}"
    made = autograded(root, data, student="eve")
    assert cell_of(made, "variant")["source"] == own


def test_the_same_again_writes_nothing(root: Path) -> None:
    submitted = root / "submitted/ada/example/timestamp.txt"
    submitted.parent.mkdir(parents=True)
    submitted.write_text("2026-12-01 18:00:00 UTC\n")
    autograded(root, notebook(root))
    folder = root / "autograded/ada/example"
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert set(before) == {"example.ipynb", "timestamp.txt"}
    autograded(root, notebook(root))
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == before


def test_nothing_released(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no release/other/other\.ipynb"):
        write_autograded(Course(root), record(assignment="other"), [])


def outputs(root: Path, *found: Any) -> list[Any]:
    data = notebook(root)
    cell_of(data, "scale")["outputs"] = list(found)
    made = cell_of(autograded(root, data), "scale")["outputs"]
    return list(made)


def test_outputs_are_text_and_pictures(root: Path) -> None:
    html = {
        "text/html": "<script>",
        "text/plain": ["a\n", "b"],
        "image/svg+xml": "<svg>",
    }
    made = outputs(
        root,
        {
            "output_type": "stream",
            "name": "stderr",
            "text": ["\x1b[31mred\x1b[0m", "!"],
        },
        {"output_type": "execute_result", "data": html, "metadata": {"isolated": True}},
        {"output_type": "display_data", "data": {"image/png": PICTURE + "\n"}},
        {"output_type": "display_data", "data": {"application/javascript": "alert(1)"}},
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["x", "y"]},
    )
    assert made == [
        {"output_type": "stream", "name": "stderr", "text": "red!"},
        {"output_type": "stream", "name": "stdout", "text": "a\nb"},
        {
            "output_type": "display_data",
            "data": {"image/png": PICTURE},
            "metadata": {},
        },
        {"output_type": "stream", "name": "stderr", "text": "x\ny"},
    ]


def test_outputs_of_any_shape(root: Path) -> None:
    stranger: list[Any] = [None, 5, "x", [], {}, {"data": []}, {"output_type": {}}]
    stranger += [{"output_type": "stream", "text": 5}, {"data": {"image/png": {}}}]
    stranger += [{"data": {"text/plain": [1, "\ud800ok"]}, "metadata": 7}]
    stranger += [{"output_type": "error", "traceback": None, "evalue": ["v"]}]
    made = outputs(root, *stranger)
    assert [output["text"] for output in made] == ["⟨U+D800⟩ok", "v"]
    data = notebook(root)
    for shape in (None, 5, {"a": 1}, "text"):
        cell_of(data, "scale")["outputs"] = shape
        cell_of(data, "report")["attachments"] = shape
        autograded(root, data)


def test_outputs_are_limited(root: Path) -> None:
    long = {"output_type": "stream", "name": "stdout", "text": "x" * 10**6}
    (made,) = outputs(root, long)
    assert len(made["text"]) < OUTPUT_TEXT + 100 and "990,000" in made["text"]
    made = outputs(root, *[long | {"text": "x"}] * (OUTPUTS + 5))
    assert (
        len(made) == OUTPUTS + 1 and made[-1]["text"] == "5 more outputs are not shown"
    )
    data = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(2**20)).decode()
    made = outputs(root, *[{"data": {"image/png": data}}] * 6)
    assert [output["output_type"] for output in made].count("display_data") == 5
    assert "too large" in made[-1]["text"]


def test_markdown_is_limited() -> None:
    made = shown("word " * 10_000)
    assert len(made) < 21_000 and "30,000 more characters" in made


def test_pictures_in_markdown_are_limited(root: Path) -> None:
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(2**20)).decode()
    kept = {"a.png": {"image/png": picture}}
    data = notebook(root)
    data["cells"] += [text("![a](attachment:a.png)", attachments=kept)] * 7
    made = autograded(root, data)
    found = [source for source in sources(made) if f'src="{URL}{picture}"' in source]
    assert len(found) == 5
    assert sources(made)[-1] == html_of(
        "[a: not shown: one more picture, or no PNG of at most 4 MB]"
    )


def test_what_cannot_be_rendered_is_shown_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: Any) -> str:
        raise RecursionError

    monkeypatch.setattr(MarkdownWithMath, "render", fails)
    assert shown("a <b>\n\n$c$") == (
        "<div><pre>a &lt;b&gt;&#10;&#10;&#36;c&#36;</pre></div>"
    )


def test_many_cells_are_limited(root: Path) -> None:
    data = notebook(root)
    data["cells"] += [code(f"x = {number}") for number in range(400)]
    made = autograded(root, data)
    assert sum(source.startswith("x = ") for source in sources(made)) == 300
    said = "100 more cells of the student are not shown."
    assert sources(made)[-1] == html_of(said)


def test_a_notebook_of_nbformat_3_and_none() -> None:
    old = {"input": "x = 1", "cell_type": "code", "outputs": [{"png": PICTURE}]}
    data = {"nbformat": 3, "worksheets": [{"cells": [old]}]}
    (cell,) = submitted(json.dumps(data).encode())
    assert (cell["source"], cell["outputs"]) == ("x = 1", [])
    with pytest.raises(Unreadable):
        submitted(b"no notebook")


def test_outputs_stay_with_their_cells() -> None:
    cells = [{"cell_type": "odd"}, 5, code("a", [1]), text("b"), code("c", [3])]
    data = {"nbformat": 4, "cells": cells}
    made = submitted(json.dumps(data).encode())
    assert [(cell["source"], cell["outputs"]) for cell in made] == [
        ("a", [1]),
        ("b", None),
        ("c", [3]),
    ]


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (PICTURE, PICTURE),
        ([PICTURE[:4], PICTURE[4:]], PICTURE),
        ("a", None),
        (base64.b64encode(b"<svg onload=alert(1)>").decode(), None),
        ("data:image/png;base64," + PICTURE, None),
        (PICTURE + '" onload="alert(1)', None),
        ("A" * 10**7, None),
        (7, None),
        ("é", None),
    ],
)
def test_png(data: Any, kept: str | None) -> None:
    assert png(data) == kept


def test_readable_markdown_stays() -> None:
    report = (
        "Results\n=======\n\n## Why $a < b$\n\n*It* **doubles**: `x<y`, see"
        " https://arxiv.org/abs/1502.03167.\n\n- one\n- two\n\n1. a\n2. b\n\n"
        "| a | b |\n|---|:-:|\n| 1 | 2 |\n\n> quoted\n\n```python\nif x<y:  # yes\n"
        "    pass\n```\n\n- [x] done\n\n$$\\sum_i x_i$$\n"
    )
    html = as_formgrader(shown(report))
    for tag in ("h1", "h2", "em", "strong", "a", "ul", "ol", "table", "pre", "input"):
        assert f"<{tag}" in html, tag
    assert r"$$\sum_i x_i$$" in unescape(html), "MathJax reads what the browser has"
    assert "https://arxiv.org/abs/1502.03167" in html and "$a &lt; b$" in html.replace(
        "&#36;", "$"
    )
    assert 'style="text-align:center"' in html and 'type="checkbox"' in html


def test_pictures_in_markdown() -> None:
    inline = f"![plot](data:image/png;base64,{PICTURE}) and ![b](attachment:b.png)"
    kinds = {"image/png": PICTURE, "image/svg+xml": "<svg>"}
    made = shown(inline, {"b.png": kinds, "../c": kinds, "d.png": {}, "e": 5})
    for alt in ("plot", "b"):
        assert f'<img src="{URL}{PICTURE}" alt="{alt}">' in made
    jpeg = shown(f"![me](data:image/jpeg;base64,{'A' * 10**6}) and text")
    assert "<img" not in jpeg and "[me: not shown" in jpeg and " and text" in jpeg
    missing = shown("![b](attachment:c.png) ![t](https://x.org/pixel.png)")
    assert "<img" not in missing and "https" not in missing


ALLOWED = re.compile(
    "p|br|hr|em|strong|del|code|pre|div|span|a|img|input|h[1-6]|ul|ol|li|dl|dt|dd"
    "|blockquote|table|thead|tbody|tr|th|td"
)
IDS = {"scale-check", "report", "scale-comment", "notebook", "report_extra_credit"}


class Judge(HTMLParser):
    """Fails on whatever could run, load, link locally, or be taken for a mark."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert ALLOWED.fullmatch(tag), tag
        for name, value in attrs:
            assert not name.startswith("on") and name not in ("srcdoc", "name"), name
            assert name != "id" or value not in IDS, value
            if name == "class":
                unwanted = {"score", "comment", "tabbable", "mermaid"}
                assert not unwanted & set((value or "").split())
            if name in ("href", "src"):
                assert re.match(r"https?://|#|data:image/png;base64,", value or "")

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)


def as_formgrader(markdown: str) -> str:
    html: str = MarkdownWithMath(IPythonRenderer(escape=False)).render(markdown)
    return html


ATTACKS = [
    "<script>alert(1)</script>",
    "$$x + y + z + x + y + z$$ # scale-check",
    "$$x$$ report\n===",
    "<img src=x onerror=alert(1)>",
    "$$<script>alert(1)</script>$$",
    "    $$x$$ <script>alert(1)</script>",
    "```mermaid\n</pre><script>alert(1)</script>\n```",
    "~~~ mermaid\ngraph\n~~~",
    "```score tabbable\nx\n```",
    "[a](javascript:alert(1))",
    "[a](  javascript:alert(1) 'title')",
    "[a][b]\n\n[b]: javascript:alert(1)",
    "[a][b]\n\n[b\n]: <javascript:alert(1)>",
    "<javascript:alert(1)>",
    "![a](/formgrader?path=/tmp)",
    "![a][b]\n\n[b]: /formgrader?path=x",
    "# scale-check",
    "scale-check\n===",
    "> report\n> ---",
    "- report\n  ===",
    "#report#",
    "1. # report",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "\\<script>alert(1)</script>",
    "<!-- --><script>",
    "<\nscript>",
    "<?php ?><![CDATA[x]]><!DOCTYPE x>",
    "\\begin{x}<script>\\end{x}",
    "| <b> |\n|---|\n| <i> |",
    'http://x/"onmouseover="alert(1)',
    "<a@b.c>",
    "*<b*",
    "`<b>`` <i> `",
    "\x00<\x00script>",
    "\u202e<script>",
    "$\\href{javascript:alert(1)}{x}$ $\\cssId{report}{x}$ $\\class{score}{x}$",
    "![a](attachment:a.png)\n\n![a](data:image/svg+xml;base64,PHN2Zz4=)",
    "<style>*{display:none}</style>\n\n<div style='position:fixed'>x</div>",
    '[a](//evil.org) [b](data:text/html;base64,PHNjcmlwdD4=) [c](https://x"y)',
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_in_markdown(attack: str) -> None:
    for made in (shown(attack), plain(attack), soften(attack)):
        html = as_formgrader(made)
        if made != soften(attack):  # whose headings are the grader's own matter
            Judge().feed(html)
        assert not re.search(r"<(script|img|b|i|!)\b", html)


PIECES = [
    *ATTACKS,
    "\n",
    "\n\n",
    "    ",
    "> ",
    "- ",
    "# ",
    "===",
    "```",
    "$",
    "$$",
    "`",
]
PIECES += ["[", "]", "(", ")", "<", ">", "\\", "!", "|", "*", "_", ":", "a", " ", '"']


@settings(max_examples=150, deadline=None)
@example(["```mermaid\n</pre><script>alert(1)</script>\n```", "`<b>`` <i> `"])
@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_mixtures_of_attacks(pieces: list[str]) -> None:
    for made in (shown("".join(pieces)), plain("".join(pieces))):
        html = as_formgrader(made)
        assert html.rstrip("\n") == made, "no markdown takes it apart"
        Judge().feed(html)


def test_what_mathjax_would_act_on_is_taken_apart() -> None:
    made = unescape(shown(r"$\href{javascript:x}{y} \cssId{report}{z} \frac12$"))
    assert r"\href" not in made and r"\cssId" not in made and r"\frac12" in made


def test_a_hostile_notebook_as_formgrader_renders_it(root: Path) -> None:
    evil = "<script>alert('owned')</script><img src=x onerror=\"alert('owned')\">"
    data = notebook(root)
    cell_of(data, "scale")["source"] = f"'{evil}'"
    cell_of(data, "scale")["outputs"] = [
        {"output_type": "stream", "name": "stdout", "text": evil},
        {"output_type": "display_data", "data": {"text/html": evil}, "metadata": {}},
        {"output_type": "error", "ename": evil, "evalue": evil, "traceback": [evil]},
    ]
    cell_of(data, "report")["source"] = f"{evil}\n\n# scale-check\n"
    data["cells"].append(text(f"[x](javascript:alert('owned'))\n\n{evil}"))
    data["cells"].append({"cell_type": "raw", "metadata": {}, "source": evil})
    data["metadata"] = {"title": evil, "widgets": {"x": evil}}
    heading = f"$$x$$ # scale-check {evil}"
    hostile = [{**record()["questions"][0], "error": heading, "seen": heading}]
    html = page(
        autograded(root, data, notes=["$$x$$ # scale-check"], questions=hostile)
    )
    scripts = re.findall(r"<script.*?</script>", html, re.S)
    assert scripts and not any("owned" in script for script in scripts)
    assert (
        "owned" in html
        and "<img" not in html
        and "javascript:alert" not in html[: html.index("owned")]
    )
    assert len(re.findall(r'id="scale-check"', html)) == 1
    assert not re.search(r'<a [^>]*href="(?!https?:|#|/formgrader|//)', html)
