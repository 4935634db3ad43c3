"""Sphinx extension: what the reader's device needs to remember the reader.

`static/memory.js` keeps it. Each exercise gets a box to tick, each link of the contents
a place for what is done of its page; `_static/questions.js` tells the two pages that
show it (`book/progress.md`, `book/review.md`) what there is.
"""

import json
import posixpath
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

EXERCISE = re.compile(r"(Exercise \d+): ")
CHECK = re.compile(r"""check\(\s*["'](\S+?)["']""")
QUESTION_KEY = re.compile(r'<book-question data-key="([^"]+)"')
SOLVED = '<book-solved data-name="{}" data-title="{}"></book-solved>'
SOLVED_NAME = re.compile(r'<book-solved data-name="([^"]+)"')
CONTENTS = re.compile(r'<nav class="bd-links.*?</nav>', re.DOTALL)
LINK = re.compile(
    r'(<li class="toctree-l\d[^>]*><a class="[^"]*" href="([^"]*)">.*?</a>)'
    r"(?:<book-tick.*?</book-tick>)?"
)
TICK = (
    '<book-tick data-page="{page}" data-name="{name}" data-questions="{questions}" '
    'data-exercises="{exercises}"></book-tick>'
)
# scripts that run right before the element they draw
DRAWN_BY = {
    "<book-progress": ("questions", "boxes", "progress"),
    "<book-review": ("questions", "boxes", "guess", "review"),
}


def offer_boxes(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put a box to tick under each exercise's heading."""
    if app.builder.name != "html":
        return
    for section in list(doctree.findall(nodes.section)):
        number = EXERCISE.match(section[0].astext())
        codes = (code.astext() for code in section.findall(nodes.literal_block))
        name = next(filter(None, map(CHECK.search, codes)), None)
        if number and name:
            box = SOLVED.format(name[1], number[1])
            section.insert(1, nodes.raw("", box, format="html"))


def load(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Load the memory before anything shows it, and the rest where it is used."""
    # ahead of the style sheets, which a script below them would wait for
    early = _tag(app, context, "memory")
    context["metatags"] = f"{context.get('metatags', '')}{early}\n"
    if page.startswith("notebooks/"):
        app.add_js_file("place.js", **{"data-page": page})
    body = context.get("body", "")
    for element, scripts in DRAWN_BY.items():
        if element in body:
            tags = "".join(_tag(app, context, name) for name in scripts)
            context["body"] = body.replace(element, tags + element, 1)


def _tag(app: Sphinx, context: dict[str, Any], name: str) -> str:
    app.add_js_file(f"{name}.js")
    files = context["script_files"]
    script = next(s for s in files if s.filename == f"_static/{name}.js")
    files.remove(script)
    return str(context["js_tag"](script))


def finish(app: Sphinx, error: Exception | None) -> None:
    """Tell what there is to answer: the contents, and `questions.js`."""
    if error or app.builder.name != "html":
        return
    out = Path(app.outdir)
    chapters = [
        {"title": app.env.titles[first].astext(), "pages": found}
        for first in app.env.toctree_includes[app.config.root_doc]
        if (found := _pages(app, first))
    ]
    known = {page["page"]: page for chapter in chapters for page in chapter["pages"]}
    for path in out.rglob("*.html"):
        page = path.relative_to(out).with_suffix("").as_posix()
        text = path.read_text("utf8")
        marked = CONTENTS.sub(lambda nav: _mark(nav[0], page, known), text)
        path.write_text(marked, "utf8")
    written = json.dumps({"chapters": chapters}, ensure_ascii=False)
    (out / "_static" / "questions.js").write_text(f"self.book = {written};\n", "utf8")


def _pages(app: Sphinx, first: str) -> list[dict[str, Any]]:
    """A chapter's pages with something to answer."""
    found = []
    for page in [first, *app.env.toctree_includes.get(first, [])]:
        text = Path(app.outdir, f"{page}.html").read_text("utf8")
        questions, exercises = QUESTION_KEY.findall(text), SOLVED_NAME.findall(text)
        if questions or exercises:
            title = app.env.titles[page].astext()
            lists = {"questions": questions, "exercises": exercises}
            found.append({"page": page, "title": title, **lists})
    return found


def _mark(contents: str, page: str, known: dict[str, dict[str, Any]]) -> str:
    """Give each link of the contents the place for its tick."""

    def add(link: re.Match[str]) -> str:
        to = posixpath.normpath(posixpath.join(posixpath.dirname(page), link[2]))
        about = known.get(page if link[2] == "#" else to.removesuffix(".html"))
        if about is None:
            return link[1]
        exercises = about["exercises"]
        return link[1] + TICK.format(
            page=about["page"],
            name=exercises[0].split("/")[0] if exercises else "",
            questions=len(about["questions"]),
            exercises=len(exercises),
        )

    return LINK.sub(add, contents)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the three steps."""
    app.connect("doctree-resolved", offer_boxes)
    app.connect("html-page-context", load, priority=890)  # before lean_site
    app.connect("build-finished", finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
