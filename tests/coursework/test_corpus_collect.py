"""The corpus of exports and rosters: who gets which file, and what is said."""

import io
import json
import os
import tomllib
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from layers_book.coursework.collect.download import Receipt, collect

CORPUS = Path(__file__).with_name("corpus") / "collect"
NAME = "normalization"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
KEYS = {
    "about",
    "thread",
    "roster",
    "roster_then",
    "roster_latin",
    "settings",
    "title",
    "download",
    "counts",
    "rejected",
    "says",
    "noted",
    "quiet",
    "error",
}


def notebook(text: str) -> bytes:
    metadata = {"nbgrader": {"grade_id": "batch_norm"}}
    cell = {"cell_type": "code", "metadata": metadata, "outputs": [], "source": text}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}).encode()


def packed(files: dict[str, Any]) -> bytes:
    """A zip of what a case describes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, value in files.items():
            when = NOON
            if isinstance(value, dict) and "text" in value:
                value, when = value["text"], value["at"]
            info = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            # the time in UTC, as zips of Unix have it
            moment = int(when.timestamp())
            info.extra = b"UT\x05\x00\x01" + moment.to_bytes(4, "little")
            if isinstance(value, dict):
                data = packed(value)
            elif value.startswith("!"):
                data = value[1:].encode()
            else:
                data = notebook(value)
            archive.writestr(info, data)
    return buffer.getvalue()


def outcome(case: dict[str, Any], root: Path) -> list[str]:
    """What is wrong about what comes of a case."""
    course = root / "course"
    course.mkdir(parents=True)
    (course / "coursework.toml").write_text(case.get("settings", ""))
    roster = case.get("roster", "").encode() or case.get("roster_latin", "").encode(
        "cp1252"
    )
    download = root / case.get("title", "export.zip")
    receipts: list[Receipt] = []
    try:
        for files in case["download"]:
            if roster:
                (course / "roster.csv").write_bytes(roster)
            download.write_bytes(packed(files))
            os.utime(download, (NOON.timestamp(),) * 2)
            receipts = collect(download, course, NAME, now=NOW)
            roster = case.get("roster_then", "").encode() or roster
    except ValueError as error:
        if not case.get("error"):
            return [f"stopped: {error}"]
        return [f"not said: {w}" for w in case["says"] if w not in str(error)]
    if case.get("error"):
        return ["it goes on"]
    return [*_counted(case, course), *_said(case, receipts)]


def _counted(case: dict[str, Any], course: Path) -> list[str]:
    found = {
        path.parts[-3]: json.loads(path.read_bytes())["cells"][0]["source"]
        for path in course.glob(f"submitted/*/{NAME}/{NAME}.ipynb")
    }
    right = case["counts"]
    return [] if found == right else [f"counts {found}, not {right}"]


def _said(case: dict[str, Any], receipts: list[Receipt]) -> list[str]:
    rejected = [each.reason for each in receipts if each.state == "rejected"]
    kept = [each.reason for each in receipts if each.state != "rejected"]
    wrong = []
    if len(rejected) != case["rejected"]:
        wrong.append(f"{len(rejected)} rejected")
    for word in case.get("says", []):
        if not any(word in reason for reason in rejected):
            wrong.append(f"not said: {word}")
    for word in case.get("noted", []):
        if not any(word in reason for reason in kept):
            wrong.append(f"not noted: {word}")
    for word in case.get("quiet", []):
        if any(word in reason for reason in (*rejected, *kept)):
            wrong.append(f"said: {word}")
    if wrong:
        wrong.append(f"the reasons: {rejected + kept}")
    return wrong


def test_the_corpus(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    wrong: dict[str, list[str]] = {}
    total = 0
    for path in sorted(CORPUS.glob("*.toml")):
        for name, case in tomllib.loads(path.read_text("utf8")).items():
            assert set(case) <= KEYS, f"{path.name}: {name}: {set(case) - KEYS}"
            total += 1
            found = outcome(case, tmp_path / str(total))
            if found:
                wrong[f"{path.stem}: {name}"] = found
    record_property("exports and rosters", f"{total - len(wrong)} of {total} right")
    assert total >= 70
    assert not wrong, json.dumps(wrong, indent=1, ensure_ascii=False)
