"""Sphinx extension: show under a cell what it prints after more training.

`make last` keeps that beside the notebook, in X.last.json.
"""

import html
import json
from pathlib import Path
from typing import Any

from book_cells import is_prose
from docutils import nodes
from sphinx.application import Sphinx


def show(app: Sphinx, doctree: nodes.document) -> None:
    """Add a closed box under each output that more training changes."""
    page = Path(app.srcdir, app.env.docname)
    path = page.with_suffix(".last.json")
    if not path.exists():
        return
    app.env.note_dependency(str(path))
    kept = json.loads(path.read_text("utf8"))
    notebook = json.loads(page.with_suffix(".ipynb").read_text("utf8"))
    ids = [cell["id"] for cell in notebook["cells"]]
    for cell in doctree.findall(lambda n: _is(n, "cell_code")):
        text = kept["cells"].get(ids[cell["cell_index"]], {}).get("text", "")
        if text and _is(cell.children[-1], "cell_code_output"):
            cell.children[-1] += nodes.raw("", box(kept["factor"], text), format="html")


def box(factor: int, text: str) -> str:
    """The closed box, which needs no script."""
    times = "ten" if factor == 10 else str(factor)
    summary = f"<summary>With {times} times the training</summary>"
    kind = "last prose" if is_prose(text) else "last"
    return f'<details class="{kind}">{summary}<pre>{html.escape(text)}</pre></details>'


def _is(node: Any, kind: str) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == kind


def setup(app: Sphinx) -> None:
    """Register the step."""
    app.connect("doctree-read", show)
