"""Statistics of an assignment: how hard its questions are, and what goes wrong.

No student is named here or can be told from the picture.
"""

import base64
import io
import math
import statistics
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from layers_book.coursework.files import folder_name, visible, write_table
from layers_book.coursework.files import write as write_file
from layers_book.coursework.grade.record import Record
from layers_book.coursework.results.grades import ByHand, Grade, grade_of
from layers_book.coursework.results.pages import number, percent, render

FEWEST = (
    5  # students for whom a spread is drawn: with fewer one could guess whose it is
)
SHOWN = 8  # mistakes in the picture


class QuestionStatistics(NamedTuple):
    """One question over all students with points for it; ``None``: undefined.

    ``difficulty`` is the mean share of the points (1: everybody has them all), ``sd``
    the sample standard deviation of the points, ``q1`` to ``q3`` the quartiles of the
    share. ``discrimination`` is the correlation of the points with the points in all
    other questions. ``not_answered`` is the share of students without an answer,
    ``waiting`` the number of those whose points a person has still to give.
    """

    question: str
    title: str
    max_points: float
    n: int
    mean: float | None
    sd: float | None
    difficulty: float | None
    q1: float | None
    median: float | None
    q3: float | None
    discrimination: float | None
    not_answered: float | None
    waiting: int


class MistakeCount(NamedTuple):
    """A recognized mistake, and how many students made it."""

    question: str
    title: str
    mistake: str
    hint: str
    students: int


def question_statistics(
    records: Iterable[Record], manual: Mapping[str, Mapping[str, ByHand]] | None = None
) -> list[QuestionStatistics]:
    """The statistics of each question, in the order of the assignment.

    A question that was not answered counts with its 0 points. What could not be
    graded, or is not marked yet, is left out. The other questions, with which one is
    correlated, are those for which every student has points but those of whom a
    question waits that the machine should have judged.

    Args:
        records: one a student.
        manual: points by hand, by student and grade id.
    """
    given = manual or {}
    graded = [
        grade
        for record in records
        if (grade := grade_of(record, given.get(record["student"]))).state
        != "could not grade"
    ]
    table: dict[str, dict[int, float]] = {}
    for student, grade in enumerate(graded):
        for each in grade.questions:
            column = table.setdefault(each.question["name"], {})
            if each.points is not None:
                column[student] = each.points
    return [_question(name, table, graded) for name in table]


def mistake_counts(records: Iterable[Record]) -> list[MistakeCount]:
    """The recognized mistakes, the most common first."""
    counts: Counter[tuple[str, str]] = Counter()
    words: dict[tuple[str, str], tuple[str, str]] = {}
    for record in records:
        for question in record["questions"]:
            if question["mistake"]:
                key = question["name"], question["mistake"]
                counts[key] += 1
                words.setdefault(key, (question["title"], question["hint"]))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        MistakeCount(name, words[name, mistake][0], mistake, words[name, mistake][1], n)
        for (name, mistake), n in ordered
    ]


def write(
    folder: Path,
    assignment: str,
    records: Iterable[Record],
    manual: Mapping[str, Mapping[str, ByHand]] | None = None,
    *,
    title: str = "",
) -> tuple[Path, ...]:
    """Write ``statistics.csv``, ``mistakes.csv``, ``statistics.svg``, ``report.html``.

    Args:
        folder: the course's ``exports``; the files go into its folder ``assignment``.
        assignment: its name.
        records: one a student.
        manual: points by hand, by student and grade id.
        title: of the assignment; its name by default.

    Returns:
        The files; no picture if nothing has points yet.

    Raises:
        ValueError: the assignment is no name of a folder.
    """
    folder = folder / folder_name("assignment", assignment)
    records = list(records)
    questions = question_statistics(records, manual)
    mistakes = mistake_counts(records)
    given = manual or {}
    states = Counter(grade_of(r, given.get(r["student"])).state for r in records)
    drawn = any(q.n for q in questions)
    light, dark = (
        draw(questions, mistakes, theme) if drawn else "" for theme in ("light", "dark")
    )
    text = render(
        "report.html",
        title=title or assignment,
        questions=questions,
        mistakes=mistakes,
        states=states,
        light=_data_url(light),
        dark=_data_url(dark),
        alt=alternative_text(questions, mistakes),
    )
    header = QuestionStatistics._fields
    files = [
        write_table(folder / "statistics.csv", header, questions, bom=True),
        write_table(folder / "mistakes.csv", MistakeCount._fields, mistakes, bom=True),
        write_file(folder / "report.html", text),
    ]
    picture = folder / "statistics.svg"
    if drawn:
        files.append(write_file(picture, light))
    else:
        picture.unlink(missing_ok=True)
    return tuple(files)


def alternative_text(
    questions: Sequence[QuestionStatistics], mistakes: Sequence[MistakeCount]
) -> str:
    """What is to be seen in the picture, in words."""
    rows = [
        f"{q.title}: {percent(q.difficulty)} of the points, discrimination "
        f"{_signed(q.discrimination) or 'undefined'}"
        for q in questions
        if q.n
    ]
    common = [
        f"{m.title}, {m.mistake}: {m.students} student{'s' if m.students > 1 else ''}"
        for m in mistakes[:SHOWN]
    ]
    text = "Bars of the mean share of the points by question. " + "; ".join(rows) + "."
    if common:
        text += " Bars of the most common mistakes. " + "; ".join(common) + "."
    return text


def _question(
    name: str, table: Mapping[str, Mapping[int, float]], graded: Sequence[Grade]
) -> QuestionStatistics:
    column = table[name]
    asked = {
        student: each.question
        for student, grade in enumerate(graded)
        for each in grade.questions
        if each.question["name"] == name
    }
    first = next(iter(asked.values()))
    points = list(column.values())
    shares = [
        p / asked[student]["max_points"]
        for student, p in column.items()
        if asked[student]["max_points"]
    ]
    quartiles: Sequence[float | None] = [None] * 3
    if len(shares) > 1:
        quartiles = statistics.quantiles(shares, n=4, method="inclusive")
    empty = [q["state"] == "not answered" for q in asked.values()]
    by_hand = any(q["state"] == "manual" for q in asked.values())
    return QuestionStatistics(
        name,
        first["title"],
        first["max_points"],
        len(points),
        statistics.fmean(points) if points else None,
        statistics.stdev(points) if len(points) > 1 else None,
        statistics.fmean(shares) if shares else None,
        quartiles[0],
        quartiles[1],
        quartiles[2],
        _discrimination(name, table, _judged(graded)),
        None if by_hand or not empty else sum(empty) / len(empty),
        len(asked) - len(points),
    )


def _judged(graded: Sequence[Grade]) -> list[int]:
    """The students of whom no question waits that the machine should have judged."""
    return [
        student
        for student, grade in enumerate(graded)
        if not any(
            q.points is None and q.question["state"] == "waiting"
            for q in grade.questions
        )
    ]


def _discrimination(
    name: str, table: Mapping[str, Mapping[int, float]], students: Sequence[int]
) -> float | None:
    """The corrected item-total correlation; ``None`` below 3 or without variance."""
    others = [c for n, c in table.items() if n != name and c.keys() >= {*students}]
    column = {s: table[name][s] for s in students if s in table[name]}
    rest = [math.fsum(other[student] for other in others) for student in column]
    mine = list(column.values())
    # below this a difference is rounding
    flat = any(max(v, default=0) - min(v, default=0) < 1e-9 for v in (mine, rest))
    if len(mine) < 3 or flat:
        return None
    return statistics.correlation(mine, rest)


def draw(
    questions: Sequence[QuestionStatistics],
    mistakes: Sequence[MistakeCount],
    theme: str = "light",
) -> str:
    """The picture as SVG, in the book's style.

    Args:
        questions: at least one, drawn from top to bottom.
        mistakes: the most common first; eight are drawn.
        theme: ``"light"`` or ``"dark"``.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from layers_book.figures import tokens
    from layers_book.plot_style import use_book_style

    color = tokens()[theme]
    mistakes = mistakes[:SHOWN]
    with mpl.rc_context(), warnings.catch_warnings():
        # a letter that the font lacks becomes a box; the tables have it
        warnings.filterwarnings("ignore", message="Glyph")
        use_book_style()
        mpl.rcParams.update(
            {
                **{f"{a}.labelcolor": color["ink"] for a in ("axes", "xtick", "ytick")},
                **{f"{a}.color": color["muted"] for a in ("xtick", "ytick")},
                "axes.facecolor": "none",
                "axes.edgecolor": color["muted"],
                "text.color": color["ink"],
                "text.parse_math": False,
                "savefig.facecolor": "none",
                "svg.hashsalt": "statistics",  # the same picture, the same bytes
            }
        )
        heights = [len(questions) + 1.2, *([len(mistakes) + 1.2] if mistakes else [])]
        figure = Figure(figsize=(7.6, 0.44 * sum(heights) + 0.3))
        grid = figure.add_gridspec(len(heights), 2, width_ratios=[3, 2])
        grid.set_height_ratios(heights)
        shares = figure.add_subplot(grid[0, 0])
        _draw_shares(shares, questions, color)
        correlations = figure.add_subplot(grid[0, 1], sharey=shares)
        _draw_correlations(correlations, questions, color)
        if mistakes:
            _draw_mistakes(figure.add_subplot(grid[1, :]), mistakes, color)
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return svg.getvalue()


def _draw_shares(
    ax: Any, questions: Sequence[QuestionStatistics], color: Mapping[str, str]
) -> None:
    for y, q in enumerate(questions):
        share = q.difficulty
        if share is None:
            ax.text(0.02, y, "no points yet", va="center", color=color["muted"])
            continue
        ax.barh(y, share, 0.6, color=color["input-fill"], edgecolor=color["input"])
        right = share
        if q.q1 is not None and q.q3 is not None and q.n >= FEWEST:
            ax.plot([q.q1, q.q3], [y + 0.38] * 2, color=color["statistic"], lw=2)
            right = max(share, q.q3)
        ax.text(right + 0.02, y, percent(share), va="center")
    ax.set_yticks(range(len(questions)), [_short(q.title) for q in questions])
    ax.set_xlim(0, 1.16)
    ax.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    ax.tick_params(axis="y", length=0)
    known = [(q.difficulty, q) for q in questions if q.difficulty is not None]
    hardest = min(known, key=lambda pair: pair[0])[1]
    ax.set_title(f"Hardest: {_short(hardest.title, 1)}")
    ax.set_xlabel("mean share of the points\n(line: the middle half of the students)")
    ax.set_ylim(len(questions) - 0.4, -0.6)  # questions without points have a row, too


def _draw_correlations(
    ax: Any, questions: Sequence[QuestionStatistics], color: Mapping[str, str]
) -> None:
    ax.axvline(0, color=color["line"], lw=1)
    for y, q in enumerate(questions):
        r = q.discrimination
        if r is None:
            ax.text(0, y, " undefined", va="center", color=color["muted"])
            continue
        ax.plot([0, r], [y, y], color=color["output"], lw=1.2)
        ax.plot(r, y, "o", color=color["output"])
        away = 1 if r >= 0 else -1
        side = "left" if r >= 0 else "right"
        ax.text(r + 0.1 * away, y, _signed(r), va="center", ha=side)
    ax.set_xlim(-1.1, 1.5)
    ax.set_xticks([-1, 0, 1], ["−1", "0", "1"])
    ax.tick_params(axis="y", length=0, labelleft=False)
    ax.spines["left"].set_visible(False)
    ax.set_title("Discrimination")
    ax.set_xlabel("correlation with the\nother questions")


def _draw_mistakes(
    ax: Any, mistakes: Sequence[MistakeCount], color: Mapping[str, str]
) -> None:
    most = mistakes[0].students
    for y, m in enumerate(mistakes):
        ax.barh(y, m.students, 0.6, color=color["error-fill"], edgecolor=color["error"])
        ax.text(m.students + 0.015 * most, y, f"{m.students}", va="center")
    labels = [f"{_short(m.title, 1)}:\n{_short(m.mistake, 1)}" for m in mistakes]
    ax.set_yticks(range(len(mistakes)), labels)
    ax.set_xlim(0, 1.1 * most)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.set_title(f"Most common mistake: {_short(mistakes[0].mistake, 1)}")
    ax.set_xlabel("students")
    ax.invert_yaxis()


def _short(text: str, lines: int = 2) -> str:
    """A label of at most so many lines of 30 characters."""
    wrapped = textwrap.wrap(visible(text, 200), 30, max_lines=lines, placeholder=" …")
    return "\n".join(wrapped)


def _signed(value: float | None) -> str:
    return "" if value is None else number(value).replace("-", "−")


def _data_url(svg: str) -> str:
    code = base64.b64encode(svg.encode()).decode()
    return f"data:image/svg+xml;base64,{code}" if svg else ""
