"""Sphinx extension: a question is asked before its answer; a folded cell is one line.

So is a page's first cell if it imports. What cells print as sentences may be wrapped.

A question cell (tags `remove-input`, `question`) shows what `helpers.guess` returns.
Here it becomes a form (`static/guess.js`) in place of the outputs of the cell before,
which unfold with the one block of text after it and the folded cells right below.
Without scripts, and in print, all of it shows.
"""

import html
import itertools
import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from layers_book.questions import question_key, read_guess

FOLD = "#@title "  # tools/pages.py begins each folded cell so, for Colab
TOGGLE = re.compile(
    r'<summary aria-label="Toggle hidden content">\s*'
    r'<p class="collapsed admonition-title">(.*?)</p>\s*'
    r'<p class="expanded admonition-title">.*?</p>\s*</summary>',
    re.DOTALL,
)
SETUP = """<details class="admonition hide above-input">
<summary>Setup: imports</summary>"""
COLUMNS = re.compile(r"^ |\S {2,}\S", re.MULTILINE)
FORM = """
<form data-answer="{value}" data-tolerance="{tolerance}" hidden>{entry}
<p><button>Check</button> <button type="button">Show the answer</button></p></form>
<p role="status" tabindex="-1"></p>
<p class="answer">Answer: <b>{answer}</b></p>
<dl>{rows}</dl>
<button type="button" hidden>Guess again</button>"""
CHOICES = '<fieldset aria-describedby="{id}"><legend>Your guess</legend>{}</fieldset>'
CHOICE = (
    '<label><input type="radio" name="guess" value="{}" required /> <span>{}</span>'
    "</label>"
)
NUMBER = (
    '<label>Your guess <input type="number" name="guess" step="any" required '
    'autocomplete="off" aria-describedby="{id}" /></label>'
)

logger = logging.getLogger(__name__)


def ask(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Turn each question cell of a page into a form, and wrap what it hides."""
    if app.builder.format != "html":
        return
    taken: set[str] = set()
    for cell in list(doctree.findall(is_question)):
        lesson, question, found = _lesson(cell), None, read_guess(_html(cell))
        if lesson is not None:
            question = _bold_question(lesson)
        if found is None or question is None:
            logger.warning(
                "a question cell shows guess(...), follows the cell that answers, and "
                "above that stands a bold **question?**",
                location=cell,
            )
            continue
        key = question_key(page, question.astext(), taken)
        id = f"question-{key.partition('#')[2]}"
        question["ids"].append(id)
        _replace(cell, lesson, key, form(*found, id))


def form(
    tolerance: str | None, answer: str, pairs: list[tuple[str, str]], id: str
) -> str:
    """What a reader guesses with, reads as verdict, and sees without scripts."""
    if tolerance is None:
        choices = (CHOICE.format(_value(option), option) for option, _ in pairs)
        entry = CHOICES.format("".join(choices), id=id)
    else:
        entry = NUMBER.format(id=id)
    number = tolerance is not None
    rows = "".join(
        f'<div data-guess="{_value(option, number)}"><dt>{option}</dt>'
        f"<dd>{sentence}</dd></div>"
        for option, sentence in pairs
    )
    return FORM.format(
        value=_value(answer, number),
        tolerance=tolerance or "",
        entry=entry,
        answer=answer,
        rows=rows,
    )


def _value(option: str, number: bool = False) -> str:
    """An option as an attribute: without tags, a number without commas."""
    text = re.sub(r"</?code>", "", option)
    return text.replace(",", "") if number else text


def _replace(cell: nodes.Element, lesson: nodes.Element, key: str, asked: str) -> None:
    hidden = nodes.container(classes=lesson["classes"])
    for part in list(lesson.children):
        if part.get("nb_element") == "cell_code_output":
            lesson.remove(part)
            hidden += part
    parent = cell.parent
    at = parent.index(cell)
    after = parent[at + 1 : at + 2]
    after += itertools.takewhile(_is_folded, parent[at + 2 :])
    begin = f'<book-question data-key="{html.escape(key)}"><div class="asked">{asked}'
    wrapped = [
        nodes.raw("", f"{begin}</div><book-answer>", format="html"),
        *([hidden] if hidden.children else []),
    ]
    # a raw tag may be half of a box, whose other half stands further below
    if after and isinstance(after[0], nodes.section | nodes.raw | nodes.container):
        logger.warning("a text follows a question cell", location=cell)
        after = []
    for node in after:
        parent.remove(node)
    end = nodes.raw("", "</book-answer></book-question>", format="html")
    parent[at : at + 1] = [*wrapped, *after, end]


def is_question(node: nodes.Node | None) -> bool:
    """Whether it is a cell that asks; the block of text after it answers."""
    return isinstance(node, nodes.container) and "tag_question" in node["classes"]


def is_cell(node: nodes.Node | None) -> bool:
    """Whether it is a cell with its outputs."""
    return isinstance(node, nodes.container) and "cell" in node["classes"]


def _is_folded(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and "tag_hide-input" in node["classes"]


def _lesson(cell: nodes.Element) -> nodes.Element | None:
    """The cell right before."""
    at = cell.parent.index(cell)
    before = cell.parent[at - 1] if at else None
    return before if is_cell(before) else None


def _bold_question(lesson: nodes.Element) -> nodes.Element | None:
    """The last bold question above a cell, in its section."""
    above = lesson.parent[: lesson.parent.index(lesson)]
    bold = (node for block in above for node in block.findall(nodes.strong))
    questions = [node for node in bold if node.astext().endswith("?")]
    return questions[-1] if questions else None


def _html(cell: nodes.Element) -> str:
    return "".join(raw.astext() for raw in cell.findall(nodes.raw))


def unfold(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Take the line for Colab out of folded cells."""
    for code in doctree.findall(nodes.literal_block):
        if code.astext().startswith(FOLD):
            text = code.astext().partition("\n")[2]
            code.rawsource, code.children = text, [nodes.Text(text)]


def fold_setup(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Fold a page's first cell if it only imports and sets up: it shows nothing."""
    cell = next(doctree.findall(is_cell), None)
    if cell is None or app.builder.format != "html" or len(cell.children) != 1:
        return
    if cell.astext().startswith(("import ", "from ")):
        cell.insert(0, nodes.raw("", SETUP, format="html"))
        cell += nodes.raw("", "</details>", format="html")


def wrap(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Mark outputs that may be wrapped where the window is narrow."""
    for text in doctree.findall(nodes.literal_block):
        if "output" in text["classes"] and is_prose(text.astext()):
            text["classes"].append("prose")


def is_prose(text: str) -> bool:
    """Whether nothing in it stands in columns."""
    return not COLUMNS.search(text)


def one_line(
    app: Sphinx, page: str, template: str, context: dict[str, str], doctree: object
) -> None:
    """A folded cell's summary is its own name, shut and open."""
    context["body"] = TOGGLE.sub(_summary, context.get("body", ""))


def _summary(found: re.Match[str]) -> str:
    prompt = found[1]
    if prompt.startswith("Checked:"):
        prompt = f'<span class="checked" aria-hidden="true">✓</span> {prompt}'
    return f"<summary>{prompt}</summary>"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the steps."""
    app.connect("doctree-resolved", ask)
    app.connect("doctree-resolved", unfold)
    app.connect("doctree-resolved", fold_setup)
    app.connect("doctree-resolved", wrap)
    app.connect("html-page-context", one_line, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
