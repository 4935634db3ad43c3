"""Sphinx extension: what the reader's device needs to remember the reader.

`static/memory.js` keeps it. Each exercise gets a box to tick, each link of the contents
a place for what is done of its page. What there is to answer goes to `_static`:
`questions.js` for `book/progress.md`, and for `book/review.md` the cards of each page,
which it loads when one of them is due.
"""

import html
import json
import posixpath
import re
from pathlib import Path
from typing import Any, TypedDict

from book_cells import form
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinxcontrib.katex import render_latex

from layers_book.questions import Question, predictions

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
MATH = re.compile(r'(<(?:span|div) class="math">)\\([(\[])(.*?)\\[)\]]<', re.DOTALL)
CODE = re.compile(r'<pre class="python">(.*?)</pre>', re.DOTALL)
ASKED = re.compile(r"<strong>(?=(?:(?!</strong>).)*\?</strong>)", re.DOTALL)
# scripts that run right before the element they draw
DRAWN_BY = {
    "<book-progress": ("questions", "boxes", "progress"),
    "<book-review": ("questions", "boxes", "guess", "review"),
}

logger = logging.getLogger(__name__)


class Page(TypedDict):
    """A page's name and title, and the keys of what there is to answer."""

    page: str
    title: str
    questions: list[str]
    exercises: list[str]


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
    """Tell what there is to answer: in the contents, and to the two pages."""
    if error or app.builder.name != "html":
        return
    out = Path(app.outdir)
    chapters, known = [], dict[str, Page]()
    for first in app.env.toctree_includes[app.config.root_doc]:
        if pages := _pages(app, first):
            chapters.append({"title": _title(app, first), "pages": pages})
            known |= {page["page"]: page for page in pages}
    for path in out.rglob("*.html"):
        name = path.relative_to(out).with_suffix("").as_posix()
        path.write_text(_marked(path.read_text("utf8"), name, known), "utf8")
    _write(out, "questions", f"self.questions = {_json(chapters)};\n")
    for page in known.values():
        script = f"Object.assign(cards, {_json(dict(_cards(app, page)))});\n"
        _write(out, f"review/{page['page']}", script)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _write(out: Path, name: str, script: str) -> None:
    path = out / "_static" / f"{name}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script, "utf8")


def _title(app: Sphinx, page: str) -> str:
    return html.escape(app.env.titles[page].astext())


def _pages(app: Sphinx, first: str) -> list[Page]:
    """A chapter's pages with something to answer."""
    found: list[Page] = []
    for page in [first, *app.env.toctree_includes.get(first, [])]:
        text = Path(app.outdir, f"{page}.html").read_text("utf8")
        questions, exercises = QUESTION_KEY.findall(text), SOLVED_NAME.findall(text)
        if questions or exercises:
            found.append(
                {
                    "page": page,
                    "title": _title(app, page),
                    "questions": questions,
                    "exercises": exercises,
                }
            )
    return found


def _cards(app: Sphinx, page: Page) -> list[tuple[str, dict[str, str]]]:
    """What the daily review shows of a page's questions."""
    found = predictions(page["page"], Path(app.srcdir))
    if [question.key for question in found] != page["questions"]:
        logger.warning("%s asks other questions than its notebook", page["page"])
    return [(question.key, _card(question)) for question in found]


def _card(question: Question) -> dict[str, str]:
    digest = question.key.partition("#")[2]
    tolerance = None if question.tolerance is None else f"{question.tolerance:g}"
    options = list(question.options.items())
    text = _rendered(question.linked(question.text, "../"))
    if asked := list(ASKED.finditer(text)):
        at = asked[-1].start()
        text = f'{text[:at]}<strong id="question-{digest}">{text[asked[-1].end() :]}'
    return {
        "href": f"../{question.place}",
        "place": html.escape(f"{question.page_title}, {question.section}"),
        "text": text,
        "form": form(tolerance, question.answer, options, f"question-{digest}").strip(),
        "explanation": _rendered(question.linked(question.explanation, "../")),
    }


def _rendered(text: str) -> str:
    """A card's text with its code and math as pages show them."""

    def math(found: re.Match[str]) -> str:
        block = {"displayMode": found[2] == "["}
        return f"{found[1]}{render_latex(html.unescape(found[3]), block)}<"

    text = text.replace("<table>", '<table class="rows">')
    return CODE.sub(r'<div class="highlight"><pre>\1</pre></div>', MATH.sub(math, text))


def _marked(text: str, page: str, known: dict[str, Page]) -> str:
    """A page whose contents have a place for a tick at each link."""

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

    return CONTENTS.sub(lambda contents: LINK.sub(add, contents[0]), text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the three steps."""
    app.connect("doctree-resolved", offer_boxes)
    app.connect("html-page-context", load, priority=890)  # before lean_site
    app.connect("build-finished", finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
