"""The book's questions of one value, as cards: each can be answered without its page.

They are the questions that pages ask before a cell's output, and the exercises whose
answer is a value. All is read from the executed notebooks and the exercises themselves.
"""

import ast
import hashlib
import json
import re
import symtable
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any
from unicodedata import normalize

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

from layers_book.guess import _html as marked

ROOT = Path(__file__).parents[2]
GUESS = re.compile(
    r'<div class="guess"(?: data-tolerance="(.+?)")?><p>Answer: <b>(.*?)</b></p>'
    r"<dl>(.*?)</dl></div>",
    re.DOTALL,
)
OPTION = re.compile(r"<dt>(.*?)</dt><dd>(.*?)</dd>", re.DOTALL)
SOLUTION = re.compile(r"<details><summary>Solution</summary>(.*?)</details>", re.DOTALL)
KIND = re.compile(r"\*\w+, level \d\.\*")
TABLE = re.compile(r'<table class="rows">.*?</table>', re.DOTALL)
FLOW = re.compile(r"<svg .*?<title.*?>(.*?)</title><desc.*?>(.*?)</desc>", re.DOTALL)
SAME = re.compile(r"^same: .*\n?", re.MULTILINE)  # a check's line
PICTURE = '<p class="picture">Picture'
SENTENCE = re.compile(r"(?<=[.?!])\s(?=[A-Z<])")
# parts of texts that point to what a card does not show
ASIDE = re.compile(
    r"\s\((?:[^()]*\b(?:figure|pictures?) )?(?:above|below)\b[^()]*\)"
    r"|[,:;][^,:;.()]*\bfigure below\b[^.]*(?=\.)"
    r"|\sThe links in [^.]*\."
)
POINTER = re.compile(
    r"\bfigure below\b|\bcomes (?:below|further down)\b"
    r"|^Below(?:,| are)|^Further down\b|^The picture compares|^Here you see\b"
)
EXPLAINED = 50  # an explanation's characters, at least
HIDDEN = {"hide-input", "remove-input", "remove-cell"}
STRAIGHT = str.maketrans("‘’“”", "''\"\"")  # sphinx curls the quotes of a text
IMPORT = ast.Import | ast.ImportFrom
SHORT = 2  # of folded code, statements of so many lines are shown
CHOICES = 6  # an exercise's, at most
MARKDOWN = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)


def _rule(name: str, shape: str) -> None:
    """Show a kind of token in a shape of its own, which may hold its content."""

    def render(
        renderer: Any, tokens: Sequence[Token], at: int, options: Any, env: Any
    ) -> str:
        return shape.format(escape(tokens[at].content.rstrip("\n"), quote=False))

    MARKDOWN.add_render_rule(name, render)


for _name in ("link_open", "link_close", "image", "html_inline", "html_block"):
    _rule(_name, "")
for _name in ("th_open", "td_open"):  # their alignment is no XHTML
    _rule(_name, f"<{_name[:2]}>")
_rule("fence", '<pre class="python">{}</pre>\n')
_rule("math_inline", '<span class="math">\\({}\\)</span>')
_rule("math_block", '<div class="math">\\[{}\\]</div>\n')


@dataclass(frozen=True)
class Question:
    """A question, its answer, and what typical answers mean; texts are XHTML.

    Code stands in ``<pre class="python">``, math in ``<span class="math">\\(...\\)``
    or ``<div class="math">\\[...\\]``. There are no links, and in place of a picture
    ``<p class="picture">Picture: ...</p>`` says what is to be seen.

    Args:
        key: the page and a digest of the question, or the exercise's name.
        page: as in ``notebooks/basic/linear``.
        page_title: its heading.
        section: the heading above the question.
        anchor: of that heading, on the page.
        title: the question in words, or the exercise's heading.
        text: all that is needed to answer.
        options: a sentence for each choice, or for each typical wrong number.
        answer: one of the choices, or a number with commas between thousands.
        tolerance: how far a right number may lie from it, relative to it; None for a
            choice.
        explanation: what the page's code shows, and why, for after the answer.
    """

    key: str
    page: str
    page_title: str
    section: str
    anchor: str
    title: str
    text: str
    options: Mapping[str, str]
    answer: str
    tolerance: float | None
    explanation: str

    @property
    def chapter(self) -> str:
        """The page's folder, as in ``basic``."""
        return self.page.split("/")[1]

    @property
    def place(self) -> str:
        """Page and anchor, within the site."""
        return f"{self.page}.html#{self.anchor}"

    def linked(self, text: str, site: str) -> str:
        """The text or the explanation, its pictures with a link to their place.

        Args:
            text: one of the two.
            site: its address, up to and with the last slash.
        """
        link = f'<a href="{escape(site + self.place)}">Picture</a>'
        return text.replace(PICTURE, PICTURE.replace("Picture", link))

    @property
    def number(self) -> float | None:
        """The answer, if it is a number."""
        return None if self.tolerance is None else number_of(self.answer)

    def margin(self, number: float) -> float:
        """How far a guess may lie from the answer, or from a typical wrong number."""
        return float(f"{abs(number) * (self.tolerance or 0):.6g}")


def number_of(text: str) -> float:
    """A number as answers and options write it.

    >>> number_of("1,024")
    1024.0
    """
    return float(text.replace(",", ""))


def questions(page: str | None = None, root: Path = ROOT) -> list[Question]:
    """The questions of one value, of a page or of all pages in the book's order.

    Args:
        page: as in ``notebooks/basic/linear``.
        root: the book's folder.

    Raises:
        FileNotFoundError: there is no such page.
    """
    asked = pages(root) if page is None else [page]
    return [q for one in asked for q in (*predictions(one, root), *values(one, root))]


def pages(root: Path = ROOT) -> list[str]:
    """The executed pages, in the book's order."""
    toc = (root / "_toc.yml").read_text("utf8")
    return re.findall(r"^[- ]*file: (notebooks/\S+)$", toc, re.M)


def predictions(page: str, root: Path = ROOT) -> list[Question]:
    """The questions a page asks before it shows the answer; torch is not loaded."""
    found: list[Question] = []
    taken: set[str] = set()
    parts = _parts(page, root)
    for at, part in enumerate(parts):
        if "question" not in part.tags or not (guessed := read_guess(part.shown)):
            continue
        begin = _begin(parts, at)
        tolerance, answer, options = guessed
        asked = _bold_question(parts[begin:at])
        after = _blocks(parts[at + 1].source) if at + 1 < len(parts) else []
        found.append(
            Question(
                key=question_key(page, asked, taken),
                page=page,
                page_title=parts[0].heading,
                section=parts[begin].heading,
                anchor=anchor(parts[begin].heading),
                title=" ".join(asked.split()),
                text=_context(parts, begin, at - 1),
                options=dict(options),
                answer=answer,
                tolerance=float(tolerance) if tolerance else None,
                explanation=_outputs(parts[at - 1]) + _explanation(_html(after[:1])),
            )
        )
    return found


def values(page: str, root: Path = ROOT) -> list[Question]:
    """The exercises of a page whose answer is a value; torch is loaded.

    A number is asked for as one. Of anything else, such as a list, the typical wrong
    answers are the other choices.
    """
    from layers_book.checking import value_steps
    from layers_book.exercises import exercises

    found: list[Question] = []
    parts = _parts(page, root)
    for exercise in exercises(page.removeprefix("notebooks/")):
        if any(run.steps is not value_steps for run in exercise.runs):
            continue
        call = re.compile(rf"""check\(\s*["']{exercise.name}["']""")
        at = next(i for i, p in enumerate(parts) if p.code and call.search(p.source))
        begin = _begin(parts, at)
        end = next((i for i in range(at, len(parts)) if parts[i].heading), len(parts))
        solution = SOLUTION.search("\n".join(p.source for p in parts[at + 1 : end]))
        right = _plain(exercise.define(exercise.solution))
        number = _is_number(right)
        options = {} if number else {_written(right): ""}
        for mistake in exercise.mistakes:
            value = _plain(exercise.wrong_answer(mistake))
            if type(value) is type(right) or (_is_number(value) and number):
                options.setdefault(_written(value), marked(mistake.hint))
        if not number:  # the right one is anywhere
            few = list(options.items())[:CHOICES]
            options = dict(sorted(few, key=lambda option: _digest(option[0])))
        whole = isinstance(right, int)
        found.append(
            Question(
                key=f"{page}#{exercise.name}",
                page=page,
                page_title=parts[0].heading,
                section=parts[begin].heading,
                anchor=anchor(parts[begin].heading),
                title=parts[begin].heading,
                text=_prompt(parts[begin : at + 1]),
                options=options,
                answer=_written(right),
                tolerance=(0 if whole else exercise.runs[0].tolerance)
                if number
                else None,
                explanation=_html(_blocks(solution[1])) if solution else "",
            )
        )
    return found


def question_key(page: str, text: str, taken: set[str]) -> str:
    """A question's name for good: page and digest. It is added to those taken.

    Args:
        page: as in ``notebooks/basic/linear``.
        text: the bold question, without markup.
        taken: the names of the page's questions above.
    """
    key = f"{page}#{_digest(text.translate(STRAIGHT))}"
    while key in taken:  # asked in the same words
        key += "x"
    taken.add(key)
    return key


def read_guess(shown: str) -> tuple[str | None, str, list[tuple[str, str]]] | None:
    """Tolerance, answer and options of what `guess` shows, all as HTML, if it did."""
    if not (found := GUESS.search(shown)):
        return None
    tolerance, answer, options = found.groups()
    return tolerance, answer, OPTION.findall(options)


def anchor(heading: str) -> str:
    """The id of a heading, as docutils makes it.

    >>> anchor("The shape through a stack, and 16 * 5 * 5")
    'the-shape-through-a-stack-and-16-5-5'
    """
    plain = normalize("NFKD", heading.lower()).encode("ascii", "ignore").decode()
    return re.sub("^[-0-9]+|-+$", "", re.sub("[^a-z0-9]+", "-", plain))


@dataclass(frozen=True)
class _Part:
    """A cell of a page, or what stands from one heading of a text cell to the next."""

    source: str
    code: bool = False
    heading: str = ""
    tags: frozenset[str] = frozenset()
    shown: str = ""
    printed: str = ""
    seen: str = ""  # its tables, and what is to be seen of its pictures

    @property
    def hidden(self) -> bool:
        return bool(HIDDEN & self.tags)


def _parts(page: str, root: Path) -> list[_Part]:
    """A page from its title on."""
    found: list[_Part] = []
    path = root / f"{page}.ipynb"
    for cell in json.loads(path.read_text("utf8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            data = [output.get("data", {}) for output in cell["outputs"]]
            shown = "".join("".join(each.get("text/html", "")) for each in data)
            seen = "".join(map(_seen, cell["outputs"]))
            tags = frozenset(cell["metadata"].get("tags", ()))
            printed = "".join("".join(o.get("text", "")) for o in cell["outputs"])
            printed = SAME.sub("", printed).rstrip()
            if "remove-cell" not in tags:
                found.append(_Part(source, True, "", tags, shown, printed, seen))
        else:
            found += _split(source)
    return found


def _seen(output: Mapping[str, Any]) -> str:
    """A table, or what is to be seen of a picture."""
    data = output.get("data", {})
    shown = "".join(data.get("text/html", ""))
    if table := TABLE.search(shown):
        plain = re.sub(' (?:class|style)=".*?"', "", table[0])
        return plain.replace("\n", "") + "\n"
    if flow := FLOW.search(shown):
        return f"{PICTURE}: {flow[1]}. {flow[2]}</p>\n"
    if "image/png" not in data:
        return ""
    if shown:  # a figure that the reader moves
        return f"{PICTURE}: on the page.</p>\n"
    alt = output["metadata"]["image/png"]["alt"]
    return f"{PICTURE}: {escape(alt, quote=False)}</p>\n"


def _split(source: str) -> Iterator[_Part]:
    """A text cell, cut in front of each heading."""
    lines, tokens = source.splitlines(), MARKDOWN.parse(source)
    heading, begin = "", 0
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.map:
            if heading or token.map[0] > begin:
                yield _Part("\n".join(lines[begin : token.map[0]]), heading=heading)
            heading, begin = _words(inline), token.map[1]
    yield _Part("\n".join(lines[begin:]), heading=heading)


def _begin(parts: list[_Part], at: int) -> int:
    """The part that begins the section of another part."""
    return next(i for i in range(at, -1, -1) if parts[i].heading)


def _context(parts: list[_Part], begin: int, lesson: int) -> str:
    """A section as a reader has seen it before the outputs of a cell.

    Code stands before it that makes the names of its code.
    """
    above = _above(parts, begin, lesson)
    html = [_code(above)] if above else []
    for part in parts[begin : lesson + 1]:
        if not part.code:
            blocks = _blocks(part.source)
            text = _html([b for b in blocks if b[0].type != "blockquote_open"])
            html.append(ASIDE.sub("", text))
        elif "begin()" not in part.source:
            html.append("" if part.hidden else _code(part.source))
            if part is not parts[lesson]:
                html.append(part.seen if part.hidden else _outputs(part))
    return "".join(html)


def _outputs(part: _Part) -> str:
    """What a cell prints and shows."""
    printed = escape(part.printed, quote=False)
    return f"<pre>{printed}</pre>\n{part.seen}" if printed else part.seen


def _explanation(text: str) -> str:
    """A paragraph or a list without what points to the figure or the cell below it."""
    text, begin, end = ASIDE.sub("", text), "<p>", "</p>\n"
    if not text.startswith(begin):
        return text
    sentences = SENTENCE.split(text.removeprefix(begin).removesuffix(end))
    kept = [s for s in sentences if not POINTER.search(s)]
    if kept[-1].endswith(":"):
        *most, last = kept
        short = len(" ".join(most)) < EXPLAINED
        kept = [*most, f"{last[:-1]}."] if short else most
    return f"{begin}{' '.join(kept)}{end}"


def _prompt(parts: list[_Part]) -> str:
    """What an exercise asks, without the place for the answer."""
    html = []
    for part in parts:
        if part.code:
            tree = ast.parse(part.source)
            given = [
                s
                for s in tree.body
                if "..." not in (t := ast.unparse(s)) and "check(" not in t
            ]
            html.append(
                _code("\n".join(_lines(part.source, s) for s in given)) if given else ""
            )
        else:
            html.append(_html(_blocks(KIND.sub("", part.source, count=1))))
    return "".join(html)


def _above(parts: list[_Part], begin: int, lesson: int) -> str:
    """The visible code above a section that makes the names of its visible code."""
    code = [
        (at, ast.parse(parts[at].source).body)
        for at in range(lesson + 1)
        if parts[at].code
    ]
    given = {"device"}.union(
        *(_made(s) for _, body in code for s in body if isinstance(s, IMPORT))
    )
    wanted: set[str] = set()
    found: list[str] = []
    for at, body in reversed(code):
        inside, hidden = at >= begin, parts[at].hidden
        for statement in reversed([] if inside and hidden else body):
            made = _made(statement)
            if isinstance(statement, IMPORT) or not (inside or made & wanted):
                continue
            if isinstance(statement, ast.Assign | ast.FunctionDef | ast.ClassDef):
                wanted -= made
            wanted |= _used(statement) - given
            text = _lines(parts[at].source, statement)
            if not inside and (not hidden or text.count("\n") < SHORT):
                found.append(text)
    return "\n".join(reversed(found))


def _made(statement: ast.stmt) -> set[str]:
    """The names that a statement defines or changes."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, IMPORT):
        return {(a.asname or a.name).partition(".")[0] for a in statement.names}
    made: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            made.add(node.id)
        changed: list[ast.expr] = []
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            changed = [node.value.func]
        elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(
            node.ctx, ast.Store
        ):
            changed = [node]
        for target in changed:
            first: ast.expr = target
            while isinstance(first, ast.Attribute | ast.Subscript | ast.Call):
                first = first.func if isinstance(first, ast.Call) else first.value
            if isinstance(first, ast.Name) and first is not target:
                made.add(first.id)
    return made


def _used(statement: ast.stmt) -> set[str]:
    """The names that a statement has from those before it."""
    if not isinstance(statement, ast.For | ast.With):
        return _read(statement)
    used = set[str]()
    made = {"_"}
    if isinstance(statement, ast.For):
        used = _read(statement.iter)
        made |= _stored(statement.target)
    else:
        for item in statement.items:
            used |= _read(item.context_expr)
            made |= _stored(item.optional_vars) if item.optional_vars else set()
    for inner in statement.body:
        used |= _used(inner) - made
        made |= _stored(inner)
    return used


def _stored(node: ast.AST) -> set[str]:
    """The names that are assigned to in a part of a program."""
    names = (n for n in ast.walk(node) if isinstance(n, ast.Name))
    return {n.id for n in names if isinstance(n.ctx, ast.Store)}


def _read(node: ast.AST) -> set[str]:
    """The names that a part of a program reads, but those of its own functions."""
    used: set[str] = set()
    tables = [symtable.symtable(ast.unparse(node), "", "exec")]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        top = table.get_type() == "module"
        used |= {
            name.get_name()
            for name in table.get_symbols()
            if name.is_referenced() and (top or name.is_global())
        }
    return used


def _lines(source: str, statement: ast.stmt) -> str:
    """A statement's own lines, with its decorators and comments at their ends."""
    lines = source.splitlines()
    decorators = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(each.lineno for each in decorators)])
    return "\n".join(lines[first - 1 : statement.end_lineno])


def _blocks(source: str) -> list[list[Token]]:
    """The tokens of each paragraph, list, table or other block."""
    found: list[list[Token]] = []
    depth = 0
    for token in MARKDOWN.parse(source):
        if depth == 0:
            found.append([])
        depth += token.nesting
        found[-1].append(token)
    return found


def _html(blocks: list[list[Token]]) -> str:
    tokens = [token for block in blocks for token in block]
    return str(MARKDOWN.renderer.render(tokens, MARKDOWN.options, {}))


def _bold_question(parts: list[_Part]) -> str:
    """The last bold question of a section, in words."""
    found = ""
    for token in (t for p in parts if not p.code for t in MARKDOWN.parse(p.source)):
        children, begin = token.children or [], 0
        for at, child in enumerate(children):
            if child.type == "strong_open":
                begin = at
            elif child.type == "strong_close":
                words = "".join(map(_word, children[begin:at]))
                found = words if words.endswith("?") else found
    return found


def _words(inline: Token) -> str:
    """A text without its markup, as docutils has it."""
    return "".join(map(_word, inline.children or ()))


def _word(token: Token) -> str:
    return (
        "\n"
        if token.type == "softbreak"
        else token.content
        if token.type in ("text", "code_inline", "math_inline")
        else ""
    )


def _code(source: str) -> str:
    return f'<pre class="python">{escape(source, quote=False)}</pre>\n'


def _plain(value: Any) -> Any:
    """An answer without tensors."""
    return value.tolist() if hasattr(value, "tolist") else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _written(value: Any) -> str:
    """An answer as choices and numbers show it."""
    if _is_number(value) or isinstance(value, str):
        return _literal(value)
    return f"<code>{escape(_literal(value), quote=False)}</code>"


def _literal(value: Any, inside: bool = False) -> str:
    """An answer in Python, with four digits of a number that is not whole."""
    if isinstance(value, dict):
        pairs = (f"{key!r}: {_literal(each, True)}" for key, each in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_literal(each, True) for each in value)}]"
    if isinstance(value, float):
        return f"{value:.4g}"
    return repr(value) if inside or not _is_number(value) else f"{value:,}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
