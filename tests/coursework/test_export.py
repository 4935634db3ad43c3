"""The grade files, read back as their readers read them."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from records import question, record

from layers_book.coursework import files
from layers_book.coursework.results.export import export

ROSTER = {
    "ada": {
        "name": "Ada Lovelace",
        "email": "ada@x.org",
        "moodle": "71",
        "canvas": "9",
    },
    "bob": {"name": "Bob", "email": "bob@x.org", "moodle": "72", "canvas": ""},
    "cy": {"name": "Cy", "email": "cy@x.org", "moodle": "73"},
    "dee": {"name": "Dée 名前", "email": "dee@x.org", "moodle": "74"},
    "eve": {"name": "Eve", "email": "eve@x.org", "moodle": "Eve 75"},
}
MANUAL: dict[str, Any] = {"ada": {"report": (4.5, "Good.")}, "eve": {"report": (1, "")}}
PENALTIES = {"ada": 0.75}


def records() -> list[Any]:
    def graded(student: str, points: float) -> Any:
        return record(
            student,
            question("batch_norm", points, 6.0),
            question("report", None, 5.0, state="manual", title="The report"),
        )

    lost = record("cy", state="could not grade", reason="not JSON", max_points=6.0)
    return [graded("eve", 0.0), graded("bob", 3.0), lost, graded("ada", 10 / 3)]


def read(path: Path, delimiter: str = ",") -> list[list[str]]:
    text = path.read_text("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def test_plain(tmp_path: Path) -> None:
    export(
        tmp_path,
        "normalization",
        records(),
        roster=ROSTER,
        manual=MANUAL,
        penalties=PENALTIES,
    )
    text = (tmp_path / "normalization" / "plain.csv").read_text("utf-8-sig")
    assert text.splitlines() == [
        "student,name,batch_norm,report,subtotal,late penalty,total,max,state",
        "ada,Ada Lovelace,3.3333,4.5,7.8333,0.75,7.0833,11,graded",
        "bob,Bob,3,,,,,11,not marked yet",
        "cy,Cy,,,,,,11,could not grade",
        "dee,Dée 名前,,,,,,11,no submission",
        "eve,Eve,0,1,1,0,1,11,graded",
    ]
    raw = (tmp_path / "normalization" / "plain.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfstudent,") and raw.endswith(b"\r\n")


def test_canvas(tmp_path: Path) -> None:
    export(
        tmp_path,
        "normalization",
        records(),
        roster=ROSTER,
        manual=MANUAL,
        kind="canvas",
        column="Normalization (4321)",
    )
    folder = tmp_path / "normalization"
    header, maxima, *rows = read(folder / "canvas.csv")
    assert header == [
        "Student",
        "ID",
        "SIS User ID",
        "SIS Login ID",
        "Section",
        "Normalization (4321)",
    ]
    assert "Points Possible" in maxima[0] and maxima[-1] == "11"
    assert rows[0] == ["Ada Lovelace", "9", "", "ada", "", "7.8333"]
    assert [row[-1] for row in rows] == ["7.8333", "", "", "", "1"]
    assert (folder / "canvas.csv").read_bytes().startswith(b"Student,")
    assert sorted(p.name for p in folder.iterdir()) == ["canvas.csv", "waiting.csv"]


def test_no_name_can_pass_for_canvas_row_of_maxima(tmp_path: Path) -> None:
    roster = {"eve": {"name": "  points Possible"}}
    export(tmp_path, "normalization", records(), roster=roster, kind="canvas")
    rows = read(tmp_path / "normalization" / "canvas.csv")
    assert ["possible" in row[0].lower() for row in rows].count(True) == 1


def test_moodle(tmp_path: Path) -> None:
    export(
        tmp_path,
        "normalization",
        records(),
        roster=ROSTER,
        manual=MANUAL,
        penalties=PENALTIES,
    )
    header, *rows = read(tmp_path / "normalization" / "moodle.csv")
    assert header == [
        "Identifier",
        "Email address",
        "Full name",
        "Grade",
        "Maximum grade",
        "Last modified (grade)",
        "Feedback comments",
    ]
    # only who has a mark: Moodle can make 0 of an empty cell
    assert [row[:5] for row in rows] == [
        ["Participant 71", "ada@x.org", "Ada Lovelace", "7.0833", "11"],
        ["Participant 75", "eve@x.org", "Eve", "1", "11"],
    ]
    assert rows[0][6] == (
        "Batch norm: 3.33 of 6. The report: 4.5 of 5. late: 0.75 points off."
    )


@pytest.mark.parametrize(
    ("lacking", "columns", "students"),
    [
        ({"eve": "email"}, ["Identifier"], ["Ada Lovelace", "Eve"]),
        ({"eve": "moodle"}, ["Email address"], ["Ada Lovelace", "Eve"]),
        ({"eve": "email moodle"}, ["Identifier"], ["Ada Lovelace"]),
        ({"eve": "email", "ada": "moodle"}, ["Identifier"], ["Eve"]),
    ],
)
def test_moodle_gets_no_row_without_identifier(
    tmp_path: Path, lacking: dict[str, str], columns: list[str], students: list[str]
) -> None:
    roster = {
        student: {k: v for k, v in person.items() if k not in lacking.get(student, "")}
        for student, person in ROSTER.items()
    }
    done = export(tmp_path, "normalization", records(), roster=roster, manual=MANUAL)
    header, *rows = read(tmp_path / "normalization" / "moodle.csv")
    assert header[: header.index("Full name")] == columns
    assert all(row[0] for row in rows)
    if len(rows) == 2:
        assert [row[1] for row in rows] == students
    else:  # somebody is left out, and it is said who and why
        (left,) = [w for w in done.waiting if w.file == "moodle.csv"]
        assert left.name not in [row[1] for row in rows] and "roster.csv" in left.reason


def test_who_waits_is_listed(tmp_path: Path) -> None:
    done = export(tmp_path, "normalization", records(), roster=ROSTER, manual=MANUAL)
    header, *rows = read(tmp_path / "normalization" / "waiting.csv")
    assert header == ["student", "name", "file", "state", "reason"]
    assert rows == [
        ["bob", "Bob", "all", "not marked yet", "to be marked by hand: The report"],
        ["cy", "Cy", "all", "could not grade", "not JSON"],
        ["dee", "Dée 名前", "all", "no submission", "nothing was handed in"],
    ]
    assert [list(w) for w in done.waiting] == rows
    names = ["plain.csv", "canvas.csv", "moodle.csv", "waiting.csv"]
    assert [p.name for p in done.files] == names


def test_what_waits_for_a_person_has_no_mark_anywhere(tmp_path: Path) -> None:
    lost = question(
        "batch_norm", None, 6.0, state="waiting", reason="its cell defines no f"
    )
    report = question("report", None, 5.0, state="manual", title="The report")
    doubt = report | {"reason": "its cell was found by its place alone"}
    rows = [record("ada", lost, report), record("bob", lost, doubt)]
    done = export(tmp_path, "normalization", rows, submitted=["ada", "bob", "cy"])
    seen = {w.student: (w.state, w.reason) for w in done.waiting}
    assert seen["ada"] == (
        "not marked yet",
        "to be looked at: Batch norm (its cell defines no f); "
        "to be marked by hand: The report",
    )
    assert "The report (its cell was found by its place alone)" in seen["bob"][1]
    assert seen["cy"] == (
        "not graded yet",
        "handed in, but there is no record of it yet: run grade",
    )
    folder = tmp_path / "normalization"
    assert [row[-1] for row in read(folder / "canvas.csv")[2:]] == ["", "", ""]
    assert len(read(folder / "moodle.csv")) == 1
    settled = {"ada": {"batch_norm-check": (2, "a typo"), "report": (5.0, "")}}
    export(tmp_path, "normalization", rows, manual=settled)
    totals = [row[-1] for row in read(folder / "canvas.csv")[2:]]
    assert totals == ["7", ""]


def test_the_summary_counts_those_without_a_mark_alone(tmp_path: Path) -> None:
    done = export(tmp_path, "normalization", records(), roster=ROSTER, manual=MANUAL)
    assert done.summary == "3 students without a mark: see waiting.csv"
    roster = ROSTER | {"ada": {"name": "Ada"}}
    done = export(tmp_path, "normalization", records(), roster=roster, manual=MANUAL)
    assert done.summary == (
        "3 students without a mark, 1 student left out of moodle.csv: see waiting.csv"
    )
    marked = [record("eve", question("batch_norm", 0.0, 6.0))]
    roster = {"eve": ROSTER["eve"]}
    done = export(tmp_path, "normalization", marked, roster=roster)
    assert done.summary == "all have a mark"


FORMULAS = [
    "=1+1",
    "+1+1",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "\r\n=1",
    "  =1",
    '"=1"',
    "＝1+1",
    "x;=1+1",
    'x;"=1"',
    "x,=1",
    "x\n=1",
    "\x00=1",
    "\ufeff=1",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(tmp_path: Path, text: str) -> None:
    assert files.cell(text) != text
    mine = record(
        "ada",
        question("a", None, 1, title=text, state="manual"),
        state="could not grade",
        reason=text,
    )
    yours = record("bob", question("a", 1.0, 1.0, title=text))
    roster = {s: {"name": text, "email": text, "moodle": text} for s in ("ada", "bob")}
    done = export(tmp_path, "normalization", [mine, yours], roster=roster)
    for path in done.files:
        # a spreadsheet set to a comma, and one set to a semicolon, as in much of Europe
        for delimiter in ",;":
            for row in read(path, delimiter):
                for value in row:
                    start = value.strip().strip('"').strip()[:1]
                    assert start not in set("=+-@＝＋－＠") - {""} or value == "-", row


def test_numbers_stay_numbers() -> None:
    assert [files.cell(v) for v in (0.1 + 0.2, 4.0, 0, 1e-9, 1234567.0)] == [
        "0.3",
        "4",
        "0",
        "0",
        "1234567",
    ]


def test_what_is_refused(tmp_path: Path) -> None:
    twice = records() + records()[:1]
    with pytest.raises(ValueError, match="two of student 'eve'"):
        export(tmp_path, "normalization", twice)
    with pytest.raises(ValueError, match="assignment 'normalization'"):
        export(tmp_path, "convolution", records())
    wrong: Any = "excel"
    with pytest.raises(ValueError, match="kind='excel'"):
        export(tmp_path, "normalization", records(), kind=wrong)
    with pytest.raises(ValueError, match=r"assignment='\.\./x'"):
        export(tmp_path, "../x", [])
    assert not list(tmp_path.iterdir())


def test_an_empty_class(tmp_path: Path) -> None:
    done = export(tmp_path, "normalization", [])
    assert [len(read(path)) for path in done.files] == [1, 2, 1, 1]
