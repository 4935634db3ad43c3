"""Statistics against numpy on small data, and what the picture tells of nobody."""

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser
from records import question, record

from layers_book.coursework.results import statistics
from site_server import AXE

POINTS = np.array(
    [
        [6.0, 3.0, 1.0],
        [4.0, 3.0, 0.0],
        [0.0, 1.0, 2.0],
        [2.0, 0.0, 4.0],
        [6.0, 2.0, 3.0],
        [1.0, 1.0, 0.5],
    ]
)
MAXIMA = (6.0, 3.0, 4.0)


def records(points: np.ndarray = POINTS, **other: Any) -> list[Any]:
    return [
        record(
            f"student{i}",
            *(
                question(f"q{j}", float(p), MAXIMA[j], **other)
                for j, p in enumerate(row)
            ),
        )
        for i, row in enumerate(points)
    ]


def test_against_numpy() -> None:
    found = statistics.question_statistics(records())
    assert [q.question for q in found] == ["q0", "q1", "q2"]
    for j, q in enumerate(found):
        mine, rest = POINTS[:, j], np.delete(POINTS, j, axis=1).sum(1)
        assert q.n == 6
        assert q.mean == pytest.approx(mine.mean())
        assert q.sd == pytest.approx(mine.std(ddof=1))
        assert q.difficulty == pytest.approx(mine.mean() / MAXIMA[j])
        quartiles = np.percentile(mine / MAXIMA[j], [25, 50, 75])
        assert [q.q1, q.median, q.q3] == pytest.approx(quartiles)
        expected = np.corrcoef(mine, rest)[0, 1]
        assert q.discrimination == pytest.approx(expected)
        # not the uncorrected correlation, in which a question meets itself
        assert q.discrimination != pytest.approx(np.corrcoef(mine, POINTS.sum(1))[0, 1])
        assert q.not_answered == 0


def test_where_a_correlation_is_undefined() -> None:
    def of(points: list[list[float]]) -> list[float | None]:
        found = statistics.question_statistics(records(np.array(points)))
        return [q.discrimination for q in found]

    assert of([[1, 2, 3], [2, 3, 4]]) == [None] * 3  # two students
    assert of([[1], [2], [3]]) == [None]  # one question
    # a question that all have right, and the rest of one beside it
    assert of([[6, 1], [6, 2], [6, 3]]) == [None, None]
    tenths = [[0.1 + 0.2, 1], [0.3, 2], [0.3, 3]]  # equal but for rounding
    assert of(tenths) == [None, None]


def test_what_is_not_marked_is_left_out() -> None:
    lost = record("lost", question("q0", None, 6.0), state="could not grade")
    some = [
        record(
            f"student{i}",
            *r["questions"],
            question("report", None, 5.0, state="manual"),
        )
        for i, r in enumerate(records())
    ]
    marked: dict[str, Any] = {
        f"student{i}": {"report": (p, "")} for i, p in enumerate([5, 2, 0, 1])
    }
    *found, report = statistics.question_statistics([*some, lost], marked)
    assert [q[3:] for q in found] == [
        q[3:] for q in statistics.question_statistics(records())
    ]
    assert report.n == 4 and report.mean == 2 and report.not_answered is None
    expected = np.corrcoef([5, 2, 0, 1], POINTS[:4].sum(1))[0, 1]
    assert report.discrimination == pytest.approx(expected)
    assert statistics.question_statistics([]) == []
    (none,) = statistics.question_statistics(
        [record("ada", question("report", None, 5.0, state="manual"))]
    )
    assert none[3:7] == (0, None, None, None)


def test_not_answered_counts_with_no_points() -> None:
    points = {"graded": 2.0, "not answered": 0.0, "stopped": 0.0, "waiting": None}
    rows = [
        record(state, question("q", given, 2.0, state=state))
        for state, given in points.items()
    ]
    (q,) = statistics.question_statistics(rows)
    assert (q.n, q.mean, q.difficulty) == (
        3,
        pytest.approx(2 / 3),
        pytest.approx(1 / 3),
    )
    assert (q.not_answered, q.waiting) == (0.25, 1)


def test_one_who_waits_takes_no_question_out_of_the_correlations() -> None:
    waits = record(
        "waits",
        question("q0", 6.0, 6.0),
        question("q1", None, 3.0, state="waiting"),
        question("q2", 0.0, 4.0),
    )
    before = statistics.question_statistics(records())
    after = statistics.question_statistics([*records(), waits])
    assert [q.discrimination for q in after] == [q.discrimination for q in before]
    assert [q.n for q in after] == [7, 6, 7]


def mistaken() -> list[Any]:
    said = ["detached", "detached", "", "unbiased", "detached", "unbiased"]
    rows = records()
    for row, mistake in zip(rows, said, strict=True):
        row["questions"][1].update(mistake=mistake, hint=mistake and f"{mistake}!")
    rows[0]["questions"][0].update(mistake="detached", hint="another question")
    return rows


def test_mistakes() -> None:
    assert statistics.mistake_counts(mistaken()) == [
        ("q1", "Q1", "detached", "detached!", 3),
        ("q1", "Q1", "unbiased", "unbiased!", 2),
        ("q0", "Q0", "detached", "another question", 1),
    ]


def test_files(tmp_path: Path) -> None:
    files = statistics.write(tmp_path, "normalization", mistaken(), title="Norms")
    folder = tmp_path / "normalization"
    names = ["statistics.csv", "mistakes.csv", "report.html", "statistics.svg"]
    assert list(files) == [folder / name for name in names]
    with files[0].open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["mean"]) for row in rows] == pytest.approx(
        POINTS.mean(0), abs=1e-4
    )
    assert rows[0]["difficulty"] == "0.5278"
    assert files[1].read_text("utf-8-sig").splitlines()[1] == (
        "q1,Q1,detached,detached!,3"
    )
    for file in files:  # nobody is in any of them
        assert "student0" not in file.read_text("utf8")
    before = files[3].read_bytes()
    statistics.write(tmp_path, "normalization", mistaken(), title="Norms")
    assert files[3].read_bytes() == before

    assert len(statistics.write(tmp_path, "normalization", [])) == 3
    assert not files[3].exists()
    assert "Nothing has points yet." in files[2].read_text("utf8")


def test_few_students_are_not_told_from_the_picture() -> None:
    def spreads(students: int) -> int:
        found = statistics.question_statistics(records(POINTS[:students]))
        svg = statistics.draw(found, [])
        from layers_book.figures import tokens

        return svg.count(f"stroke: {tokens()['light']['statistic']}")

    assert spreads(6) == 3
    assert spreads(4) == 0


def test_any_title_can_be_drawn() -> None:
    titles = ["$\\frac$", "名前", "<script>", "\ud800\x00", "x" * 500, "", "{}%s"]
    found = statistics.question_statistics(
        record(f"s{i}", *(question(f"q{j}", i, 4.0, title=t) for j, t in titled))
        for i in range(4)
        for titled in [list(enumerate(titles))]
    )
    wrong = [statistics.MistakeCount(t, t, t, t, 1) for t in titles]
    for theme in ("light", "dark"):
        svg = statistics.draw(found, wrong, theme)
        assert svg.count("<svg") == 1 and "<script" not in svg


def test_alternative_text() -> None:
    text = statistics.alternative_text(
        statistics.question_statistics(records()), statistics.mistake_counts(mistaken())
    )
    assert "Q0: 53 % of the points, discrimination 0." in text
    assert re.search("Q1, detached: 3 students; Q1, unbiased: 2 students;", text)
    assert "Q0, detached: 1 student." in text


@pytest.mark.parametrize(("width", "theme"), [(360, "light"), (1280, "dark")])
def test_axe_and_a_phone(
    browser: Browser, tmp_path: Path, width: int, theme: Any
) -> None:
    rows = mistaken()
    rows[0]["questions"][1]["title"] = "<script>document.title='ran'</script>"
    page = statistics.write(tmp_path, "normalization", rows)[2]
    tab = browser.new_page(
        viewport={"width": width, "height": 800}, color_scheme=theme, bypass_csp=True
    )
    seen: list[str] = []
    tab.on("request", lambda request: seen.append(request.url.split(":")[0]))
    tab.goto(page.as_uri())
    assert set(seen) <= {"file", "data"} and seen.count("file") == 1
    assert tab.title() == "Statistics: normalization"
    assert tab.locator("script").count() == 0
    root = "document.documentElement"
    assert tab.evaluate(f"{root}.scrollWidth - {root}.clientWidth") <= 0
    assert tab.locator("img").evaluate("image => image.naturalWidth") > 500
    tab.evaluate(AXE.read_text("utf8"))
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert found["violations"] == []
    tab.close()
