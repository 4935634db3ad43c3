"""What the build makes for the exercises in the page: `in_page.py`, `freeze.py`."""

import ast
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import freeze
import in_page
import pytest
from page_files import OWN, SHARED, SRC, files, stripped
from tried import verdicts

from site_server import HTML, PAGES, ROOT, blocked_page

SITE = ROOT / "tools" / "site"
FIRST_CLICK = 320_000  # bytes, gzip
STARTER = re.compile(r'<div class="[^"]*\bruns-here\b[^"]*">')
SOLVED = re.compile(r'<book-solved data-name="([^"]+)"')
BOOT = """async () => {
  const script = document.createElement("script");
  script.src = "engine.js";
  document.head.append(script);
  await new Promise((done) => (script.onload = done));
  const worker = await bookEngine.start();
  return new Promise((done, failed) => {
    worker.onmessage = ({ data }) => done(data);
    worker.onerror = ({ message }) => failed(new Error(message));
  });
}"""


def scripts():
    """The files of the exercises in the built book."""
    return sorted((HTML / "_static" / "exercises").rglob("*.js"))


def weight(path):
    return len(gzip.compress(path.read_bytes()))


def test_what_comes_at_the_first_click_is_light():
    static = HTML / "_static"
    parts = [
        static / f"{name}" for name in ("engine.js", "exercise.js", "exercise.css")
    ]
    heaviest = max(map(weight, scripts()))
    assert heaviest <= in_page.MOST
    assert sum(map(weight, parts)) + heaviest <= FIRST_CLICK


def test_the_wasm_is_shipped_once():
    assert not list(HTML.rglob("micropython*"))


def test_every_exercise_has_its_file_and_its_place():
    """What does not run says so, in its place and in the chapter."""
    count = 0
    for page in PAGES:
        text = (HTML / page).read_text("utf8")
        names = SOLVED.findall(text)
        elsewhere = text.count(in_page.NOT_HERE)
        assert len(STARTER.findall(text)) + elsewhere == len(names), page
        for name in names:
            assert (HTML / "_static" / "exercises" / f"{name}.js").exists(), name
        count += len(names)
    assert count == len(scripts()) > 150


def test_each_chapter_says_what_runs():
    for page in PAGES:
        if not page.endswith("/index.html") or not page.startswith("notebooks/"):
            continue
        chapter = [p for p in PAGES if Path(p).parent == Path(page).parent]
        texts = [(HTML / p).read_text("utf8") for p in chapter]
        run = sum(len(STARTER.findall(text)) for text in texts)
        all = sum(len(SOLVED.findall(text)) for text in texts)
        said = f"All {all} exercises" if run == all else f"{run} of the {all} exercises"
        assert f"{said} of this chapter run here" in texts[chapter.index(page)], page


def test_the_engine_is_the_same_twice():
    assert in_page.engine() == in_page.engine()


def test_frozen_is_the_same_in_another_process():
    name = "gru/convert"
    code = f"import freeze, json; print(json.dumps(freeze.freeze({name!r})))"
    command = [sys.executable, "-c", code]
    said = subprocess.run(
        command, cwd=SITE, capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(said) == json.loads(json.dumps(freeze.freeze(name)))


def test_a_frozen_exercise_is_made_anew_only_where_it_no_longer_fits(
    tmp_path, monkeypatch
):
    kept = tmp_path / "gru/held_gate.json"
    first = freeze.frozen(["gru/held_gate"], tmp_path)
    kept.write_text(kept.read_text().replace('"whole": true', '"whole": 1'))
    assert freeze.frozen(["gru/held_gate"], tmp_path)["gru/held_gate"]["whole"] == 1
    monkeypatch.setattr(freeze, "version", lambda package: "2.99")
    again = freeze.frozen(["gru/held_gate"], tmp_path)
    assert again["gru/held_gate"]["whole"] is True and again == first


class Plain(ast.NodeTransformer):
    """Makes assignments of what is annotated and assigned."""

    def visit_AnnAssign(self, node):
        plain = ast.Assign([node.target], node.value, lineno=node.lineno)
        return plain if node.value else node


def without_texts(tree):
    """A tree without docstrings and annotations."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and ast.unparse(body[0])[:1] in ('"', "'"):
            module = isinstance(node, ast.Module)
            node.body = body[1:] or ([] if module else [ast.Pass()])
    return ast.dump(tree)


def test_python_is_stripped_of_words_alone():
    paths = [*OWN.rglob("*.py"), *(p for name in SHARED for p in SRC.glob(name))]
    assert len(files()) == len(paths)
    for path in [*paths, *map(Path, (freeze.__file__, in_page.__file__))]:
        code = path.read_text("utf8")
        tree = Plain().visit(ast.parse(code))
        assert ast.dump(ast.parse(stripped(code))) == without_texts(tree)


@pytest.mark.parametrize(
    ("code", "left"),
    [
        ("x = '''a\n\n  # b\n'''\n", "x = '''a\n\n  # b\n'''\n"),
        ("def f():\n    '''Why.\n\n    So.'''\n", "def f():\n pass\n"),
        (
            "def f(é: 'A[b]', *, c: D = 1) -> None:\n    x: int = 2\n",
            "def f(é, *, c = 1):\n x = 2\n",
        ),
        ("if x:\n    y = '#'  # why\n\n    z\n", "if x:\n y = '#'\n z\n"),
    ],
)
def test_texts_stay_as_they_are(code, left):
    assert stripped(code) == left


def test_a_worker_starts_on_a_page_from_a_file(browser, tmp_path):
    """Nothing may be fetched there, and nothing is."""
    (tmp_path / "index.html").write_text("<!doctype html><title>A file</title>")
    (tmp_path / "engine.js").write_text(in_page.engine(), "utf8")
    base = tmp_path.as_uri()
    with blocked_page(browser, base) as (tab, seen):
        tab.goto(f"{base}/index.html")
        assert tab.evaluate(BOOT) == {"ready": True}
        assert not seen.foreign and not seen.errors
        asked = {url for url in seen.sizes if not url.startswith("blob:")}
        assert asked == {f"{base}/index.html", f"{base}/engine.js"}


def test_a_broken_page_is_told(tmp_path):
    (tmp_path / "engine.js").write_text("no script")
    with pytest.raises(RuntimeError, match="end under node"):
        verdicts(tmp_path, [("a/b", "1")])


def test_without_scripts_there_is_no_button(browser, base):
    page = "notebooks/recurrent/gru.html"
    with blocked_page(browser, base, java_script_enabled=False) as (tab, _):
        tab.goto(base + page)
        assert tab.locator(".runs-here").count() == 5
        assert not tab.locator(".write-here").count()


def test_a_page_loads_the_editor_when_asked(browser, base):
    with blocked_page(browser, base) as (tab, seen):
        tab.goto(f"{base}notebooks/recurrent/gru.html")
        seen.wait(tab)
        assert not any(re.search(r"exercise|engine", url) for url in seen.sizes)
        buttons = tab.locator(".write-here")
        assert buttons.all_text_contents() == ["Write and check here"] * 5
        buttons.first.click()
        tab.wait_for_selector("book-exercise")
        assert not seen.foreign and not seen.errors
