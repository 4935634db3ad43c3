"""Sphinx extension: exercises are written, run and checked in the page.

What stands where, and who uses it:

In the page
    The container of an exercise's starter cell has the class `runs-here`, if the
    exercise runs in the page; its name is in the section's `<book-solved data-name>`.
    `book.js` gives the cell a button `.write-here` (in the room that `book.css` keeps
    below the cell), "Write and check here", or "Continue here" where
    `memory.read().texts[name]` is kept. On a click, or at once where the address has a
    fragment `#write~...`, it loads `_static/exercise.css` and `_static/exercise.js`
    (classic scripts, once) and calls, when they are there, `bookExercise.open(cell,
    name, button)`; for a fragment, also a later one, `bookExercise.follow(location.
    hash)`. The editor hides the button.

`_static/exercises/<name>.js`, such as `_static/exercises/gru/convert.js`
    `bookExercises.add("gru/convert", {...})` with `frozen`, the text of a JSON (in
    which 1.0 is not 1) whose form `layers_book/checking/sketch.py` defines, by
    `freeze.py`; `setup` (what runs before an answer), `limit` (seconds that a check
    may take), `needs` (names of further scripts: `["digits"]`), `modules` (a file name
    such as `layers_book/exercises/recurrent/gru__convert.py` to its text: what of the
    page's module this exercise needs). Who loads it defines `self.bookExercises`.

`_static/engine.js`
    `await bookEngine.start()` gives a fresh `Worker` (from a Blob), to which
    `{ boot: { wasm, files } }` has been posted: `wasm` is a `WebAssembly.Module`,
    compiled once a page, `files` what MicroPython imports, `{"torch/__init__.py":
    "..."}`. `page_torch/engine/worker.js` answers `{ ready: true }`.

`_static/digits.js`
    `bookExercises.data("digits", "base64 of gzip")`: bytes, the 1797 images of 64
    pixels (0 to 16) and then the 1797 labels, in the order of `helpers.digits`.
"""

import base64
import gzip
import json
import lzma
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import freeze
import torch
from book_cells import is_cell
from docutils import nodes
from page_files import SITE, files
from remembers import CHECK, EXERCISE
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from tried import runs

from helpers import digits
from layers_book.exercises import exercise as known

MINIFIED = SITE / "page_torch" / "minified"
MOST = 40_000  # bytes of an exercise's file, gzip
LZMA: dict[str, Any] = {
    "format": lzma.FORMAT_RAW,
    "filters": [
        {
            "id": lzma.FILTER_LZMA1,
            "preset": 9 | lzma.PRESET_EXTREME,
            "lc": 3,
            "lp": 0,
            "pb": 0,
        }
    ],
}
DIGITS = re.compile(r"\bdigits\(")
ALL = "All {} exercises of this chapter run here in the page: press "
SOME = "{} of the {} exercises of this chapter run here in the page: press "
BUTTON = "Write and check here"
AFTER = (
    " below a starter. Nothing is installed, and what you write stays on this device."
)
NOT_HERE = "This exercise does not run in the page: "


class Asked(NamedTuple):
    """An exercise as a page has it."""

    page: str
    name: str
    section: nodes.section
    cell: nodes.Element

    @property
    def title(self) -> str:
        """Its heading."""
        return str(self.section[0].astext())

    @property
    def starter(self) -> str:
        """The code of its cell."""
        return str(self.cell.next_node(nodes.literal_block).astext())


def asked(doctree: nodes.document, page: str) -> Iterator[Asked]:
    """The exercises of a page, in order."""
    for section in doctree.findall(nodes.section):
        for cell in section.children if EXERCISE.match(section[0].astext()) else ():
            found = is_cell(cell) and CHECK.search(cell.astext())
            if found:
                yield Asked(page, found[1], section, cell)


class Book:
    """The exercises of a book, frozen, and which of them run in the page."""

    def __init__(self, app: Sphinx) -> None:
        self.app = app
        self.exercises = {
            exercise.name: exercise
            for page in sorted(app.env.found_docs)
            for exercise in asked(app.env.get_doctree(page), page)
        }
        folder = Path(app.srcdir, "_build", "exercises")
        self.scripts = Path(app.doctreedir, "in_page")
        kept = freeze.frozen(self.exercises, folder)
        shutil.rmtree(self.scripts, ignore_errors=True)
        self._write("engine", engine())
        self._write("digits", f'bookExercises.data("digits", "{packed(pixels())}");\n')
        for name, exercise in self.exercises.items():
            self._write(f"exercises/{name}", self._script(exercise, kept[name]))
        answers = {
            name: (freeze.answered(e.starter, known(name).solution), e.starter)
            for name, e in self.exercises.items()
        }
        self.runs = runs(self.scripts, answers, folder / "tried")

    def _write(self, name: str, script: str) -> None:
        path = self.scripts / f"{name}.js"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script, "utf8")

    def _script(self, exercise: Asked, frozen: dict[str, Any]) -> str:
        about = known(exercise.name)
        texts = exercise.starter, about.solution, about.setup
        measures = any(run.steps.__name__ == "measure_steps" for run in about.runs)
        said = {
            "setup": about.setup,
            "limit": 60 if measures else 10,
            "needs": ["digits"] if any(map(DIGITS.search, texts)) else [],
            "modules": freeze.modules(exercise.name),
            "frozen": as_json(frozen),
        }
        script = f"bookExercises.add({as_json(exercise.name)}, {as_json(said)});\n"
        if (size := len(gzip.compress(script.encode()))) > MOST:
            say = f"its file is {size} bytes gzip, and may be {MOST}"
            raise ExtensionError(f"{exercise.name}: {say}")
        return script

    def colab(self, page: str) -> str:
        """The address of a page's notebook in Colab."""
        options = self.app.config.html_theme_options
        path = options["repository_url"].partition("github.com/")[2]
        branch = options["repository_branch"]
        host = options["launch_buttons"]["colab_url"]
        return f"{host}/github/{path}/blob/{branch}/{page}.ipynb"


def book(app: Sphinx) -> Book:
    """The exercises, frozen when the first page is written."""
    if not hasattr(app, "book_exercises"):
        app.book_exercises = Book(app)
    found: Book = app.book_exercises
    return found


def offer(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Mark the cells that may be written in, and say where other exercises run."""
    if app.builder.name != "html":
        return
    for exercise in asked(doctree, page):
        if book(app).runs[exercise.name]:
            exercise.cell["classes"].append("runs-here")
        else:
            colab = book(app).colab(page)
            link = nodes.reference("", "open the notebook in Colab", refuri=colab)
            line = [nodes.Text(NOT_HERE), link, nodes.Text(".")]
            place = exercise.section.index(exercise.cell) + 1
            exercise.section.insert(place, told(line))
    if page in app.env.toctree_includes[app.config.root_doc]:
        for section in doctree.findall(nodes.section):
            if section["ids"] == ["exercises"]:
                section.insert(1, told(list(_of_chapter(app, page))))


def told(line: list[nodes.Node]) -> nodes.paragraph:
    """A line about exercises, which paper does not have."""
    return nodes.paragraph("", "", *line, classes=["where-it-runs"])


def _of_chapter(app: Sphinx, first: str) -> Iterator[nodes.Node]:
    """Which exercises of a chapter run in the page."""
    pages = [first, *app.env.toctree_includes.get(first, [])]
    asked = book(app).exercises.values()
    found = [e for page in pages for e in asked if e.page == page]
    others = [e for e in found if not book(app).runs[e.name]]
    count = len(found) - len(others)
    yield nodes.Text((SOME if others else ALL).format(count, len(found)))
    yield nodes.strong("", BUTTON)
    yield nodes.Text(AFTER)
    for at, exercise in enumerate(others):
        yield nodes.Text(", " if at else " These do not: ")
        title = app.env.titles[exercise.page].astext()
        address = app.builder.get_relative_uri(first, exercise.page)
        yield nodes.reference(
            "",
            f"{title}, {exercise.title.partition(':')[0]}",
            internal=True,
            refuri=f"{address}#{exercise.section['ids'][0]}",
        )
    if others:
        yield nodes.Text(".")


def hand_over(app: Sphinx, error: Exception | None) -> None:
    """Put what the page loads on the first click where it finds it."""
    if error or app.builder.name != "html":
        return
    static = Path(app.outdir) / "_static"
    shutil.rmtree(static / "exercises", ignore_errors=True)
    shutil.copytree(book(app).scripts, static, dirs_exist_ok=True)
    shutil.copy(MINIFIED / "exercise.js", static)


def engine() -> str:
    """The script that starts a worker, with all that it needs."""
    start, worker = (
        (MINIFIED / f"{name}.js").read_bytes() for name in ("start", "engine")
    )
    wasm = (SITE / "vendor/micropython/micropython.wasm").read_bytes()
    texts = "\0".join(text for pair in files().items() for text in pair)
    parts = [wasm, worker, texts.encode()]
    packed = base64.b64encode(lzma.compress(b"".join(parts), **LZMA)).decode()
    said = {"sizes": [len(part) for part in parts], "packed": packed}
    return f"{start.decode()}Object.assign(bookEngine, {as_json(said)});\n"


def packed(data: bytes) -> str:
    """Bytes as base64 of their gzip."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def as_json(value: Any) -> str:
    """A value as the text of a JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def pixels() -> bytes:
    """The digits: pixels of 0 to 16, then the labels, as `helpers.digits` has them."""
    x_train, y_train, x_test, y_test = digits()
    parts = [16 * torch.cat([x_train, x_test]), torch.cat([y_train, y_test])]
    return b"".join(bytes(part.flatten().to(torch.uint8).tolist()) for part in parts)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the two steps."""
    app.connect("doctree-resolved", offer)
    # last: what it writes is no reason to keep a style or an icon
    app.connect("build-finished", hand_over, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
