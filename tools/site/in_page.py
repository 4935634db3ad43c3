"""Sphinx extension: exercises are written, run and checked in the page.

What stands where, and who uses it:

In the page
    The container of an exercise's starter cell has the class `runs-here`, if the
    exercise runs in the page; its name is in the section's `<book-solved data-name>`.
    `book.js` gives the cell a button `.write-here` (in the room that `book.css` keeps
    below the cell), "Write and check here", or "Continue here" where
    `memory.read().texts[name]` is kept. On a click, or at once where the
    address has a fragment `#write~...`, it loads `_static/exercise.css` and
    `_static/exercise.js` (classic scripts, once) and calls, when they are there,
    `bookExercise.open(cell, name, button)`; for a fragment, also a later one,
    `bookExercise.follow(location.hash)`. The editor hides the button.

`_static/exercises/<name>.js`, such as `_static/exercises/gru/convert.js`
    `bookExercises.add("gru/convert", {...})`: what `freeze.py` froze, JSON whose form
    `layers_book/checking/sketch.py` defines, and beside it `starter` (the cell's code),
    `solution` (the printed code), `colab` (address of the notebook), `page`, `title`,
    `needs` (names of further scripts: `["digits"]`), `modules` (a file name such as
    `layers_book/exercises/recurrent/gru.py` to its text). Who loads it defines
    `self.bookExercises = { add(name, frozen) {} }` before.

`_static/engine.js`
    `self.bookEngine = { worker: "its code", wasm: "base64 of gzip", files: {"torch/
    __init__.py": "..."}, start() }`. `await bookEngine.start()` gives a fresh `Worker`
    (from a Blob), to which `{ boot: { wasm, files } }` has been posted: `wasm` is a
    compiled `WebAssembly.Module`, compiled once a page, `files` what MicroPython
    imports. `page_torch/engine/worker.js` answers `{ ready: true }`; there
    `loadMicroPython({ heapsize, module: { instantiateWasm } })` takes it.

`_static/digits.js`
    `bookExercises.data("digits", "base64 of gzip")`: bytes, the 1797 images of 64 pixels
    (0 to 16) and then the 1797 labels, in the order of `helpers.digits`.
"""

import base64
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import freeze
import torch
from docutils import nodes
from page_files import SITE, files
from remembers import CHECK, EXERCISE
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from helpers import digits

MOST = 40_000  # bytes of an exercise's file, gzip
DIGITS = re.compile(r"\bdigits\(")


class Asked(NamedTuple):
    """An exercise as a page has it."""

    name: str
    title: str
    cell: nodes.Element

    @property
    def starter(self) -> str:
        """The code of its cell."""
        return str(self.cell.next_node(nodes.literal_block).astext())


def asked(doctree: nodes.document) -> Iterator[Asked]:
    """The exercises of a page, in order."""
    for section in doctree.findall(nodes.section):
        title = section[0].astext()
        for cell in section.children if EXERCISE.match(title) else ():
            if isinstance(cell, nodes.container) and "cell" in cell["classes"]:
                if name := CHECK.search(cell.astext()):
                    yield Asked(name[1], title, cell)


def offer(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Mark the cells that may be written in; say where the others run."""
    if app.builder.name != "html":
        return
    for exercise in asked(doctree):
        exercise.cell["classes"].append("runs-here")
    

def write(app: Sphinx, error: Exception | None) -> None:
    """Write what the page loads on the first click."""
    if error or app.builder.name != "html":
        return
    static = Path(app.outdir) / "_static"
    (static / "engine.js").write_text(engine(), "utf8")
    (static / "digits.js").write_text(data("digits", _digits()), "utf8")
    found = {
        exercise.name: (page, exercise)
        for page in sorted(app.env.found_docs)
        for exercise in asked(app.env.get_doctree(page))
    }
    kept = freeze.frozen(found, Path(app.srcdir, "_build", "exercises"))
    for name, (page, exercise) in found.items():
        module = freeze.exercise(name)
        texts = exercise.starter, module.solution, module.setup
        whole = {
            "page": page,
            "title": exercise.title,
            "starter": exercise.starter,
            "solution": module.solution,
            "colab": _colab(app, page),
            "needs": ["digits"] if any(map(DIGITS.search, texts)) else [],
            "modules": freeze.sources(freeze.page_of(name)),
            "frozen": kept[name],
        }
        said = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
        script = f"bookExercises.add({json.dumps(name)}, {said});\n"
        if (size := len(gzip.compress(script.encode()))) > MOST:
            raise ExtensionError(f"{name}: its file is {size} bytes gzip, most {MOST}")
        path = static / "exercises" / f"{name}.js"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script, "utf8")


def engine() -> str:
    """The script that starts a worker, with all that it needs."""
    wasm = SITE / "vendor" / "micropython" / "micropython.wasm"
    parts = {
        "worker": (SITE / "page_torch/minified/engine.js").read_text("utf8"),
        "files": files(),
        "wasm": packed(wasm.read_bytes()),
    }
    start = (SITE / "page_torch" / "start.js").read_text("utf8")
    return f"{start}Object.assign(bookEngine, {json.dumps(parts, ensure_ascii=False)});\n"


def packed(data: bytes) -> str:
    """Bytes as base64 of their gzip."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def _digits() -> bytes:
    """The images, pixels of 0 to 16, and then the labels, as `helpers.digits` gives."""
    x_train, y_train, x_test, y_test = digits()
    parts = [16 * torch.cat([x_train, x_test]), torch.cat([y_train, y_test])]
    return b"".join(bytes(part.flatten().to(torch.uint8).tolist()) for part in parts)


def data(name: str, content: bytes) -> str:
    """A script that hands over bytes."""
    return f'bookExercises.data("{name}", "{packed(content)}");\n'


def _colab(app: Sphinx, page: str) -> str:
    repository = app.config.html_theme_options["repository_url"]
    branch = app.config.html_theme_options["repository_branch"]
    base = repository.replace("https://github.com", f"{app.config.html_theme_options['launch_buttons']['colab_url']}/github")
    return f"{base}/blob/{branch}/{page}.ipynb"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the two steps."""
    app.connect("doctree-resolved", offer)
    # last: what it writes is no reason to keep a style or an icon
    app.connect("build-finished", write, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
