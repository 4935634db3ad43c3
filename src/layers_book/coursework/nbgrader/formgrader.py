"""The notebook that formgrader shows: the master's cells, the student's answers.

formgrader renders markdown with raw HTML in it, and finds the input fields for points
by the ids in the page. So a student's markdown is rendered here, cleaned by nh3, and
stored as one line of HTML, which every markdown passes on as it is.
"""

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import nh3
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from layers_book.coursework.assignment import Assignment
from layers_book.coursework.collect.notebook import read
from layers_book.coursework.course import Course
from layers_book.coursework.files import visible, write
from layers_book.coursework.grade.record import QuestionRecord, Record
from layers_book.coursework.matching import Matched

__all__ = ["plain", "png", "shown", "soften", "submitted_cells", "write_autograded"]

EXTRA_CELLS = 300  # of the student's own; the rest is only counted
OUTPUTS = 20  # a cell
OUTPUT_TEXT = 10_000  # characters an output
PICTURES = 8 * 2**20  # characters of base64 a notebook
LONGEST_MARKDOWN = 20_000  # characters: rendering hostile text takes its square
LONGEST_TEXT = 100_000
PNG = b"\x89PNG\r\n\x1a\n"
LARGEST_PICTURE = 4 * 2**20  # bytes
NOTE = (
    "**As submitted.** Outputs are the student's own and prove nothing; of them, text"
    " and PNG pictures are shown. Points come from a run of the grader's own."
)
APART = "\N{ZERO WIDTH SPACE}"
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")
UNDERLINE = re.compile(r"[ \t>]*(?:=+|-+)[ \t]*")
INLINE = re.compile(r"!\[([^\[\]]*)\]\(data:image/\w+;base64,([A-Za-z0-9+/=]+)\)")
# what MathJax takes for links, ids, classes and styles
UNSAFE_TEX = re.compile(r"\\(?=(?:href|cssId|class|style|require|unicode)\b)")

# what markdown makes, and no HTML of the student's own
TEXT_TAGS = {"p", "br", "hr", "em", "strong", "del", "code", "pre", "div", "span", "a"}
BLOCK_TAGS = {"ul", "ol", "li", "dl", "dt", "dd", "blockquote", "img", "input"}
TABLE_TAGS = {"table", "thead", "tbody", "tr", "th", "td"}
TAGS = TEXT_TAGS | BLOCK_TAGS | TABLE_TAGS | {f"h{level}" for level in range(1, 7)}

ATTRIBUTES = {
    "class": re.compile("highlight|[a-z0-9]{1,3}"),  # of the highlighter
    "href": re.compile(r"https?://\S+"),
    "src": re.compile(r"data:image/png;base64,[A-Za-z0-9+/=]+"),
    "style": re.compile("text-align:(left|right|center)"),
    "type": re.compile("checkbox"),
    "start": re.compile("[0-9]+"),
    "alt": re.compile(".*", re.DOTALL),
    "checked": re.compile(""),
    "disabled": re.compile(""),
}

Node = Mapping[str, Any]  # a cell as a notebook's JSON has it


def submitted_cells(data: bytes, assignment: Assignment) -> list[dict[str, Any]]:
    """The cells of a submitted notebook, with outputs and attachments as they came.

    Returns:
        A dict a cell: its ``type`` and ``source``; ``ids``, those of the cells of the
        assignment in whose place it stands; ``outputs`` and ``attachments``, the
        stranger's own data.

    Raises:
        Unreadable: it is no notebook that can be read.
    """
    matched = Matched(assignment, read(data))
    notebook = json.loads(data.decode("utf-8-sig"))
    found = notebook.get("cells", []) if notebook["nbformat"] == 4 else []
    raw = [cell for cell in found if _is_cell(cell)]
    return [
        {
            "type": cell.type,
            "source": cell.source,
            "ids": matched.ids(i),
            "outputs": raw[place].get("outputs") if raw else [],
            "attachments": raw[place].get("attachments") if raw else {},
        }
        for i, (cell, place) in enumerate(
            zip(matched.cells, matched.places, strict=True)
        )
    ]


def _is_cell(cell: Any) -> bool:
    return isinstance(cell, dict) and cell.get("cell_type") in (
        "code",
        "markdown",
        "raw",
    )


def write_autograded(
    course: Course,
    record: Record,
    cells: Sequence[Node],
    master: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``autograded/STUDENT/NAME/NAME.ipynb``, if it differs from what is there.

    Every cell of the master is there with its metadata and, but for answers, its text;
    then what else the student wrote, and the machine's points under each check.

    Args:
        course: where.
        record: of the submission.
        cells: of the submission, dicts as `submitted_cells` gives them; none where it
            could not be read.
        master: the notebook that the student was given, as JSON; by default the
            student's own in ``release/``, or else the common one. It has no hidden
            tests, so nbgrader's own feedback cannot show them.

    Raises:
        FileNotFoundError: there is no released notebook.
    """
    student, name = record["student"], record["assignment"]
    master = master or _released(course, student, name)
    notebook = {
        "cells": [
            _numbered(cell, number)
            for number, cell in enumerate(_merged(master["cells"], cells, record), 1)
        ],
        "metadata": {
            "kernelspec": {
                "display_name": "Python 3",
                "language": "python",
                "name": "python3",
            }
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path = course.autograded(student, name)
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    write(path, text + "\n")
    stamp = course.submitted(student, name).with_name("timestamp.txt")
    if stamp.is_file():
        write(path.with_name("timestamp.txt"), stamp.read_bytes())
    return path


def _released(course: Course, student: str, name: str) -> dict[str, Any]:
    for path in (course.release(name, student), course.release(name)):
        if path.is_file():
            return _notebook(path, path.stat().st_mtime_ns)
    where = course.release(name).relative_to(course.root)
    raise FileNotFoundError(f"assignment={name!r}: no {where}; release it first")


@lru_cache(maxsize=4)
def _notebook(path: Path, _changed: int) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def _merged(
    master: Sequence[Node], cells: Sequence[Node], record: Record
) -> Iterator[dict[str, Any]]:
    """The master's cells in order, each with what the student put after it."""
    by_id = {_grade_id(cell): cell for cell in master if _grade_id(cell)}
    answers = {id: cell for cell in cells for id in cell["ids"]}
    extras = _extras(cells, by_id, {_source(cell).strip() for cell in master})
    questions = {question["name"]: question for question in record["questions"]}
    pictures = _Allowance(PICTURES)
    yield _markdown(shown("\n\n".join([NOTE, *_remarks(record)])))
    yield from _shown_extras(extras.get("", []), pictures)
    for cell in master:
        grade_id = _grade_id(cell)
        yield _from_master(cell, answers.get(grade_id) if grade_id else None, pictures)
        question = questions.get(grade_id.removesuffix("-check"))
        judged = question and (question["parts"] or question["reason"])
        if question and judged and cell["metadata"]["nbgrader"]["grade"]:
            yield _markdown(shown(_points(question)))
        if grade_id:
            yield from _shown_extras(extras.get(grade_id, []), pictures)


def _extras(
    cells: Iterable[Node], by_id: Mapping[str, Any], texts: set[str]
) -> dict[str, list[Node]]:
    """The student's own cells, by the master's cell that they follow."""
    extras: dict[str, list[Node]] = {}
    after, count = "", 0
    for cell in cells:
        if known := [id for id in cell["ids"] if id in by_id]:
            after = known[-1]
        elif cell["source"].strip() and cell["source"].strip() not in texts:
            count += 1
            if count <= EXTRA_CELLS:
                extras.setdefault(after, []).append(cell)
    if count > EXTRA_CELLS:
        said = f"{count - EXTRA_CELLS} more cells of the student are not shown."
        cell = {"type": "markdown", "source": said, "outputs": [], "attachments": {}}
        extras.setdefault(after, []).append(cell)
    return extras


def _shown_extras(cells: Iterable[Node], pictures: "_Allowance") -> Iterator[Any]:
    for cell in cells:
        yield _student_cell(cell["type"], cell, pictures)


def _from_master(
    cell: Node, answer: Node | None, pictures: "_Allowance"
) -> dict[str, Any]:
    """A cell with the master's metadata; the student's text only where it answers."""
    nbgrader = cell["metadata"].get("nbgrader", {})
    kind, source = cell["cell_type"], _source(cell)
    if not nbgrader.get("solution"):
        if kind == "markdown":
            made = _markdown(_headings_apart(source), cell.get("attachments"))
        else:
            outputs = _outputs(answer or {}, pictures)
            made = _code(source, outputs)
    elif answer is None:
        said = "The student's notebook has no such cell."
        made = _code(f"# {said}", []) if kind == "code" else _markdown(f"*{said}*")
    else:
        made = _student_cell(kind, answer, pictures)
    return made | {"metadata": dict(cell["metadata"])}


def _student_cell(kind: str, cell: Node, pictures: "_Allowance") -> dict[str, Any]:
    source = cell["source"]
    if kind == "code":
        return _code(text_only(source), _outputs(cell, pictures))
    if kind == "raw" or cell["type"] == "raw":
        return _markdown(plain(source))
    return _markdown(shown(source, cell.get("attachments"), pictures))


def _outputs(cell: Node, pictures: "_Allowance") -> list[dict[str, Any]]:
    """Of a stranger's outputs, text and PNG pictures."""
    found = cell.get("outputs")
    found = found if isinstance(found, list) else []
    outputs: list[dict[str, Any]] = []
    for output in found:
        if len(outputs) == OUTPUTS:
            said = f"{len(found) - OUTPUTS} more outputs are not shown"
            return [*outputs, _stream(said, "stderr")]
        if isinstance(output, dict) and (made := _output(output, pictures)):
            outputs.append(made)
    return outputs


def _output(output: Node, pictures: "_Allowance") -> dict[str, Any] | None:
    data = output.get("data")
    data = data if isinstance(data, dict) else {}
    if picture := png(data.get("image/png")):
        if pictures.take(len(picture)):
            return {
                "output_type": "display_data",
                "data": {"image/png": picture},
                "metadata": {},
            }
        return _stream("one more picture is not shown: too large", "stderr")
    kind = output.get("output_type")
    if kind == "error":
        text = _text(output.get("traceback"), "\n") or _text(output.get("evalue"))
        return _stream(text, "stderr")
    name = "stderr" if output.get("name") == "stderr" else "stdout"
    text = _text(output.get("text") if kind == "stream" else data.get("text/plain"))
    return _stream(text, name) if text else None


def _text(value: Any, between: str = "") -> str:
    lines = value if isinstance(value, list) else [value]
    return between.join(line for line in lines if isinstance(line, str))


def _stream(text: str, name: str) -> dict[str, Any]:
    text = text_only(text, OUTPUT_TEXT)
    return {"output_type": "stream", "name": name, "text": text}


class _Allowance:
    """How much may still be taken."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self, amount: int) -> bool:
        if amount > self.left:
            return False
        self.left -= amount
        return True


def text_only(text: str, longest: int = LONGEST_TEXT) -> str:
    """Without terminal escapes, nothing hidden, cut where it is too long."""
    text = ESCAPES.sub("", text.replace("\r\n", "\n")).replace("\r", "\n")
    return visible(text, longest, lines=longest)


def soften(text: str) -> str:
    """Markdown in which no tag and no link begins, each told apart by a space.

    >>> soften("x<y, [a](javascript:b), <script>")
    'x< y, [a] (javascript:b), < script>'
    """
    text = re.sub(r"<(?=[A-Za-z/!?])", "< ", text_only(text))
    return re.sub(r"\](?=[(:])", "] ", text)


def plain(text: str) -> str:
    """Text as it is, as HTML for a markdown cell."""
    return _one_line(f"<pre>{html.escape(text_only(text, LONGEST_MARKDOWN))}</pre>")


def shown(
    text: str, attachments: Any = None, pictures: _Allowance | None = None
) -> str:
    """A student's markdown as HTML for a markdown cell of formgrader's.

    Args:
        text: markdown; HTML in it is shown as text.
        attachments: pictures by name, each by MIME type, as nbformat stores them.
        pictures: how many characters of them may still be shown.

    Returns:
        One line: no ids, links to the web alone, PNG pictures of the notebook's own;
        the text as it is where it cannot be rendered.
    """
    kept = dict(_pictures(attachments if isinstance(attachments, dict) else {}))
    text = INLINE.sub(lambda found: _attach(found, kept), text)
    renderer = _Renderer(kept, pictures or _Allowance(PICTURES))
    try:
        page = MarkdownWithMath(renderer=renderer).render(
            text_only(text, LONGEST_MARKDOWN)
        )
    except Exception:  # hostile text breaks the renderer in many ways
        return plain(text)
    return _one_line(
        nh3.clean(
            page,
            tags=TAGS,
            attributes={"*": set(ATTRIBUTES)},
            attribute_filter=_allowed,
            url_schemes={"http", "https", "data"},
            link_rel=None,
        )
    )


def _allowed(tag: str, name: str, value: str) -> str | None:
    allowed = ATTRIBUTES.get(name)
    return value if allowed and allowed.fullmatch(value) else None


def _one_line(page: str) -> str:
    """HTML that no markdown takes apart: it has no other line, and no math to find.

    Browsers see the same, MathJax included: it reads what the browser made of it.
    """
    page = UNSAFE_TEX.sub(r"\\ ", page)
    for sign in "\n$\\":
        page = page.replace(sign, f"&#{ord(sign)};")
    return f"<div>{page}</div>"


class _Renderer(IPythonRenderer):
    """Shows HTML as text, and of pictures those that it is given."""

    def __init__(self, pictures: Mapping[str, str], allowance: _Allowance) -> None:
        super().__init__(escape=True, exclude_anchor_links=True)
        self.pictures, self.allowance = pictures, allowance

    def image(self, text: str, url: str, title: str | None = None) -> str:
        picture = self.pictures.get(url.removeprefix("attachment:"), "")
        if not picture or not self.allowance.take(len(picture)):
            said = "not shown: one more picture, or no PNG of at most 4 MB"
            return f"[{html.escape(text)}: {said}]"
        url = f"data:image/png;base64,{picture}"
        return f'<img src="{url}" alt="{html.escape(text)}">'


def _pictures(attachments: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    for name, kinds in attachments.items():
        if isinstance(kinds, dict) and (picture := png(kinds.get("image/png"))):
            yield str(name), picture


def _attach(found: re.Match[str], pictures: dict[str, str]) -> str:
    """A picture that stands in the text itself, as Colab has it, as an attachment."""
    name = f"inline-{len(pictures)}.png"
    if (picture := png(found[2])) is not None:
        pictures.setdefault(name, picture)
    return f"![{found[1]}](attachment:{name})"


def _headings_apart(markdown: str) -> str:
    """With a space in each heading: the id made of it is that of no input field."""
    lines = markdown.split("\n")
    for i, line in enumerate(lines):
        below = lines[i + 1] if i + 1 < len(lines) else ""
        if "#" in line or (line.strip() and UNDERLINE.fullmatch(below)):
            lines[i] = f"{line} {APART}"
    return "\n".join(lines)


def png(data: Any) -> str | None:
    """A PNG picture in base64, if that is what the data is."""
    if isinstance(data, list) and all(isinstance(line, str) for line in data):
        data = "".join(data)
    if not isinstance(data, str) or len(data) > LARGEST_PICTURE * 4 // 3 + 1000:
        return None
    try:
        picture = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return base64.b64encode(picture).decode() if picture.startswith(PNG) else None


def _remarks(record: Record) -> Iterator[str]:
    if record["state"] != "graded":
        yield f"**Could not be graded by machine:** {_line(record['reason'])}"
    for note in record["notes"][:50]:
        yield f"Note: {_line(note)}"


def _points(question: QuestionRecord) -> str:
    points = question["points"]
    given = "No points by machine: please give them."
    if points is not None:
        given = f"By machine: {points:g} of {question['max_points']:g} points."
    lines = [f"**{given}** {_line(question['reason'])}".strip()]
    if question["parts"]:
        lines.append(
            "\n".join(
                f"- {'✓' if part['passed'] else '✗'} {_line(part['title'])}:"
                f" {part['points']:g} of {part['max_points']:g}"
                for part in question["parts"]
            )
        )
    said = {"Hint": question["hint"], "Seen with": question["seen"]}
    said |= {"Error": question["error"]}
    lines += [f"{label}: {_line(text)}" for label, text in said.items() if text]
    return "\n\n".join(lines)


def _line(text: str) -> str:
    return " ".join(text[:1000].split())


def _grade_id(cell: Node) -> str:
    id: str = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
    return id


def _source(cell: Node) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _markdown(
    source: str, attachments: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    cell = {"cell_type": "markdown", "metadata": {}, "source": source}
    return cell | {"attachments": dict(attachments)} if attachments else cell


def _code(source: str, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": outputs,
        "source": source,
    }


def _numbered(cell: dict[str, Any], number: int) -> dict[str, Any]:
    return cell | {"id": f"cell-{number}"}
