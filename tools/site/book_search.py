"""Sphinx extension: an index of the book's sections, for `static/search.js`.

At the end of a build it writes `_static/search-index.js`: a script, since a page opened
from a file may fetch no JSON. Sphinx's own index and its scripts are left out.
"""

import ast
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from book_cells import is_question
from docutils import nodes
from sphinx.application import Sphinx

TORCH = {"torch", "nn", "F"}  # by which names the pages import it
ERROR = re.compile(r"^\w+(?:Error|Warning): .*", re.MULTILINE)
SPHINX_SCRIPTS = (
    "searchtools.js",
    "language_data.js",
    "sphinx_highlight.js",
    "doctools.js",
)
ALIASES = Path(__file__).with_name("aliases.txt")


def leave_out(app: Sphinx) -> None:
    """Let Sphinx make no search of its own."""
    if app.builder.format == "html":
        app.builder.search = False


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The page `search.html`, whose results come from the same script."""
    yield "search", {"title": "Search"}, "search.html"


def write_index(app: Sphinx, error: Exception | None) -> None:
    """Write the index of all pages, and remove Sphinx's scripts."""
    if error or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    for name in SPHINX_SCRIPTS:
        (static / name).unlink(missing_ok=True)
    names: list[list[str]] = []
    found: list[list[Any]] = []
    for page in sorted(app.env.found_docs):
        for section in app.env.get_doctree(page).findall(nodes.section):
            top = not isinstance(section.parent, nodes.section)
            anchor, heading = "" if top else section["ids"][0], _heading(section)
            if heading != "Sources":  # the page of references has them all
                found.append([len(names), anchor, heading, *_words(section)])
        names.append([app.builder.get_target_uri(page), app.env.titles[page].astext()])
    index = {"pages": names, "sections": found, "aliases": aliases(ALIASES)}
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    (static / "search-index.js").write_text(f"bookSearch.index = {text};\n", "utf8")


def aliases(path: Path) -> dict[str, list[str]]:
    """What readers say, and the words of the book for it.

    Raises:
        ValueError: a line is no `alias, alias = words`, or an alias comes twice.
    """
    found: dict[str, list[str]] = {}
    for number, line in enumerate(path.read_text("utf8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        names, meanings = (
            [part.strip() for part in side.split(",")]
            for side in line.partition("=")[::2]
        )
        for alias in map(str.lower, names):
            if not (alias and all(meanings)) or alias in found:
                raise ValueError(
                    f"{path.name}, line {number}: {line!r} must be `alias, alias = "
                    "words`, and no alias may come twice"
                )
            found[alias] = meanings
    return found


def _heading(section: nodes.section) -> str:
    title = section.next_node(nodes.title)
    return str(title.astext()) if title is not None else ""


def _words(section: nodes.section) -> list[str]:
    """The prose of a section, the names in its code, and any answers to questions.

    Of its own, not of its subsections. Answers are found, but not shown.
    """
    prose: list[str] = []
    answers: list[str] = []
    code: list[str] = []
    folded = answer = False
    blocks = section.children
    for part, after in itertools.zip_longest(blocks, blocks[1:]):
        texts = answers if answer or is_question(after) else prose
        answer = is_question(part)
        if isinstance(part, nodes.raw):  # hints and solutions are not to be found
            begin, end = map(part.astext().rfind, ("<details", "</details"))
            folded = begin > end if begin != end else folded
        elif folded or isinstance(part, nodes.section | nodes.title | nodes.comment):
            continue
        elif isinstance(part, nodes.container) and "cell" in part["classes"]:
            source, *outputs = part.findall(nodes.literal_block)
            code += api_names(source.astext())
            texts += [e for o in outputs for e in ERROR.findall(o.astext())]
        else:
            texts.append(_text(part))
    found = [" ".join(" ".join(prose).split()), " ".join(dict.fromkeys(code))]
    return found + ([" ".join(" ".join(answers).split())] if answers else [])


def _text(node: nodes.Node) -> str:
    """What a node says, with blanks between its blocks; TeX stands for itself only."""
    if isinstance(node, nodes.raw | nodes.comment):
        return ""
    if isinstance(node, nodes.math | nodes.math_block):
        return "…" if re.search(r"[\\^_{]", node.astext()) else str(node.astext())
    if isinstance(node, nodes.Text):
        return str(node.astext())
    blank = "" if isinstance(node, nodes.Inline) else " "
    return "".join(map(_text, node.children)) + blank


def api_names(code: str) -> list[str]:
    """Torch's names that a cell uses, and the arguments it passes to them.

    >>> api_names("layer = nn.Conv2d(1, 2, 3, padding_mode='circular'); show(layer)")
    ['nn.Conv2d', 'padding_mode']
    """
    try:
        tree = ast.parse(code)
    except SyntaxError:  # a starter with a gap
        return []
    names = []
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else node
        name = ast.unparse(called) if isinstance(called, ast.Attribute) else ""
        if re.fullmatch(r"\w+(?:\.\w+)+", name) and name.split(".")[0] in TORCH:
            names.append(name)
            if isinstance(node, ast.Call):
                names += [word.arg for word in node.keywords if word.arg]
    return list(dict.fromkeys(names))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the three steps."""
    app.connect("builder-inited", leave_out)
    app.connect("html-collect-pages", pages)
    app.connect("build-finished", write_index)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
