"""The corpus of damaged notebooks: what each is worth, and what waits for a person."""

import csv
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from damage import damaged

from layers_book.coursework.assignment import Assignment
from layers_book.coursework.grade.record import Record
from layers_book.coursework.results.export import export

CORPUS = Path(__file__).parent / "corpus" / "notebooks"
HONEST: dict[str, float | str] = {"scale": 3, "rms": 4, "report": "waiting"}


def cases() -> list[dict[str, Any]]:
    files = sorted(CORPUS.glob("*.toml"))
    return [c for file in files for c in tomllib.loads(file.read_text("utf8"))["case"]]


def wrong(case: dict[str, Any], record: Record) -> Iterator[str]:
    """What is not as the case says it."""
    right = HONEST | case.get("right", {})
    if record["state"] != case.get("state", "graded"):
        yield f"it is {record['state']}: {record['reason']}"
    if record["state"] != "graded":
        right = dict.fromkeys(right, "waiting")
    reasons = {"record": record["reason"]}
    for question in record["questions"]:
        name, points, reason = question["name"], question["points"], question["reason"]
        if ("waiting" if points is None else points) != right[name]:
            said = reason or question["error"] or question["seen"]
            yield f"{name}: {points}, not {right[name]}: {said}"
        reasons[name] = reason
        told = reason or question["error"] or question["seen"]
        by_hand = question["state"] == "manual"
        if record["state"] == "graded" and not points and not by_hand and not told:
            yield f"{name}: no points and no reason"
        if (error := case.get("error", {}).get(name, "")) not in question["error"]:
            yield f"{name}: the error {question['error']!r} is not {error!r}"
    for name, reason in case.get("reason", {}).items():
        if reason not in reasons[name]:
            yield f"{name}: the reason {reasons[name]!r} does not say {reason!r}"
    for note in case.get("notes", ()):
        if not any(note in said for said in record["notes"]):
            yield f"the notes do not say {note!r}: {record['notes']}"


def test_each_damaged_notebook_gets_what_is_right(
    example: Assignment,
    grade: Callable[[bytes], Record],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    corpus = cases()
    names = [case["name"] for case in corpus]
    assert len(corpus) == len(set(names)) >= 70
    faults, records = {}, []
    for number, case in enumerate(corpus):
        record = grade(damaged(example, case["damage"]))
        if found := list(wrong(case, record)):
            faults[case["name"]] = found
        records.append(record | {"student": f"s{number:03}"})
    right = len(corpus) - len(faults)
    record_property("damaged notebooks graded right", f"{right} of {len(corpus)}")
    assert not faults, "\n".join(f"{name}: {said}" for name, said in faults.items())
    _is_exported_as_waiting(tmp_path, corpus, records)


def _is_exported_as_waiting(
    folder: Path, corpus: list[dict[str, Any]], records: list[Any]
) -> None:
    """Nobody gets a final mark of whom a question has no points."""
    roster = {r["student"]: {"email": f"{r['student']}@x.org"} for r in records}
    export(folder, "example", records, roster=roster)

    def totals(file: str, student: str, column: str) -> dict[str, str]:
        with (folder / "example" / file).open(encoding="utf-8-sig") as table:
            return {row[student]: row[column] for row in csv.DictReader(table)}

    reasons = totals("waiting.csv", "student", "reason")
    plain = totals("plain.csv", "student", "total")
    canvas = totals("canvas.csv", "SIS Login ID", "example")
    for case, record in zip(corpus, records, strict=True):
        waits = any(question["points"] is None for question in record["questions"])
        student = record["student"]
        assert bool(reasons.get(student)) == waits, case["name"]
        assert (plain[student] == "") == (canvas[student] == "") == waits, case["name"]


@pytest.mark.parametrize("step", [{"remove": "scale"}, {"replace": "rms", "old": "?"}])
def test_a_case_that_says_nothing_is_refused(
    example: Assignment, step: dict[str, Any]
) -> None:
    with pytest.raises(AssertionError, match="no such step"):
        damaged(example, [step])
