"""The notebook that formgrader shows: the master's cells, the student's answers."""

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from layers_book.coursework.collect import notebook as reader
from layers_book.coursework.course import Course
from layers_book.coursework.grade.record import QuestionRecord, Record
from layers_book.coursework.nbgrader.showing import (
    marked,
    plain,
    png,
    shown,
    soften,
    text_only,
)

__all__ = ["submitted_cells", "write_autograded"]

EXTRA_CELLS = 300  # of the student's own; the rest is only counted
OUTPUTS = 20  # a cell
OUTPUT_TEXT = 10_000  # characters an output
PICTURES = 8 * 2**20  # characters of base64 a notebook
NOTE = (
    "**As submitted.** Outputs are the student's own and prove nothing; of them, text"
    " and PNG pictures are shown. Marks come from a run of the grader's own."
)

Cell = Mapping[str, Any]


def submitted_cells(data: bytes) -> list[dict[str, Any]]:
    """The cells of a submitted notebook, with outputs and attachments as they came.

    Returns:
        A dict a cell: ``type``, ``source`` and ``grade_id`` as `reader.read` gives
        them; ``outputs`` and ``attachments`` are the stranger's own data.

    Raises:
        reader.Unreadable: it is no notebook that can be read.
    """
    cells = reader.read(data).cells
    notebook = json.loads(data.decode("utf-8-sig"))
    found = notebook.get("cells", []) if notebook["nbformat"] == 4 else []
    raw = [cell for cell in found if _is_cell(cell)]
    return [
        {
            "type": cell.type,
            "source": cell.source,
            "grade_id": cell.grade_id,
            "outputs": raw[i].get("outputs") if raw else [],
            "attachments": raw[i].get("attachments") if raw else {},
        }
        for i, cell in enumerate(cells)
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
    cells: Sequence[Cell],
    master: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``autograded/STUDENT/NAME/NAME.ipynb``, if it differs from what is there.

    Every cell of the master is there with its metadata and, but for answers, its text;
    then what else the student wrote, and the machine's marks under each check.

    Args:
        course: where.
        record: the submission's marks.
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
    _write(path, text + "\n")
    stamp = course.submitted(student, name).with_name("timestamp.txt")
    if stamp.is_file():
        _write(path.with_name("timestamp.txt"), stamp.read_text(encoding="utf-8"))
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
    master: Sequence[Cell], cells: Sequence[Cell], record: Record
) -> Iterator[dict[str, Any]]:
    """The master's cells in order, each with what the student put after it."""
    by_id = {_grade_id(cell): cell for cell in master if _grade_id(cell)}
    answers = {cell["grade_id"]: cell for cell in cells if cell["grade_id"] in by_id}
    extras = _extras(cells, by_id, {_source(cell).strip() for cell in master})
    marks = {question["name"]: question for question in record["questions"]}
    pictures = _Allowance(PICTURES)
    yield _markdown(marked("\n\n".join([NOTE, *_remarks(record)])))
    yield from _shown_extras(extras.get("", []), pictures)
    for cell in master:
        grade_id = _grade_id(cell)
        yield _from_master(cell, answers.get(grade_id) if grade_id else None, pictures)
        question = marks.get(grade_id.removesuffix("-check"))
        if question and question["parts"] and cell["metadata"]["nbgrader"]["grade"]:
            yield _markdown(marked(_marks(question)))
        if grade_id:
            yield from _shown_extras(extras.get(grade_id, []), pictures)


def _extras(
    cells: Iterable[Cell], by_id: Mapping[str, Any], texts: set[str]
) -> dict[str, list[Cell]]:
    """The student's own cells, by the master's cell that they follow."""
    extras: dict[str, list[Cell]] = {}
    after, count = "", 0
    for cell in cells:
        if cell["grade_id"] in by_id:
            after = cell["grade_id"]
        elif cell["source"].strip() and cell["source"].strip() not in texts:
            count += 1
            if count <= EXTRA_CELLS:
                extras.setdefault(after, []).append(cell)
    if count > EXTRA_CELLS:
        said = f"{count - EXTRA_CELLS} more cells of the student are not shown."
        cell = {"type": "markdown", "source": said, "outputs": [], "attachments": {}}
        extras.setdefault(after, []).append(cell)
    return extras


def _shown_extras(cells: Iterable[Cell], pictures: "_Allowance") -> Iterator[Any]:
    for cell in cells:
        yield _student_cell(cell["type"], cell, pictures)


def _from_master(
    cell: Cell, answer: Cell | None, pictures: "_Allowance"
) -> dict[str, Any]:
    """A cell with the master's metadata; the student's text only where it answers."""
    nbgrader = cell["metadata"].get("nbgrader", {})
    kind, source = cell["cell_type"], _source(cell)
    if not nbgrader.get("solution"):
        if kind == "markdown":
            made = _markdown(marked(source), cell.get("attachments"))
        else:
            outputs = _outputs(answer or {}, pictures)
            made = _code(source, outputs)
    elif answer is None:
        said = "The student's notebook has no such cell."
        made = _code(f"# {said}", []) if kind == "code" else _markdown(f"*{said}*")
    else:
        made = _student_cell(kind, answer, pictures)
    return made | {"metadata": dict(cell["metadata"])}


def _student_cell(kind: str, cell: Cell, pictures: "_Allowance") -> dict[str, Any]:
    source = cell["source"]
    if kind == "code":
        return _code(text_only(source), _outputs(cell, pictures))
    if kind == "raw" or cell["type"] == "raw":
        return _markdown(plain(source))
    attachments = cell.get("attachments")
    text, kept = shown(source, attachments if isinstance(attachments, dict) else {})
    size = sum(len(kinds["image/png"]) for kinds in kept.values())
    if not pictures.take(size):
        text, kept = plain(source), {}
    return _markdown(text, kept)


def _outputs(cell: Cell, pictures: "_Allowance") -> list[dict[str, Any]]:
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


def _output(output: Cell, pictures: "_Allowance") -> dict[str, Any] | None:
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


def _remarks(record: Record) -> Iterator[str]:
    if record["state"] != "graded":
        yield f"**Could not be graded by machine:** {_line(record['reason'])}"
    for note in record["notes"][:50]:
        yield f"Note: {_line(note)}"


def _marks(question: QuestionRecord) -> str:
    points = question["points"]
    given = "none" if points is None else f"{points:g} of {question['max_points']:g}"
    lines = [f"**By machine: {given} points.** {_line(question['reason'])}".strip()]
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
    return soften(" ".join(text[:1000].split()))


def _grade_id(cell: Cell) -> str:
    id: str = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
    return id


def _source(cell: Cell) -> str:
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


def _write(path: Path, text: str) -> None:
    data = text.encode()
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}.partial")
    partial.write_bytes(data)
    partial.replace(path)
