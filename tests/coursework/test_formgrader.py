"""nbgrader's formgrader, served by Jupyter in a course folder without any settings."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from layers_book.coursework.assignment import load
from layers_book.coursework.course import Course
from layers_book.coursework.grade.record import Record
from layers_book.coursework.nbgrader.formgrader import (
    submitted_cells,
    write_autograded,
)
from layers_book.coursework.nbgrader.gradebook import (
    Scores,
    read_scores,
    write,
)
from layers_book.coursework.release import release

EXAMPLE = Path(__file__).parent / "example"
PATIENCE = 120  # seconds


def record(student: str, scale: float) -> Record:
    def question(name: str, points: float | None, most: float) -> Any:
        texts = dict.fromkeys(("key", "mistake", "hint", "seen", "error", "reason"), "")
        state = "manual" if points is None else "graded"
        marks = {"points": points, "max_points": most, "parts": []}
        return {"name": name, "title": name, "state": state, **marks, **texts}

    questions = [
        question("scale", scale, 3.0),
        question("rms", 4.0, 4.0),
        question("report", None, 3.0),
    ]
    data: Any = {
        "schema": 1,
        "assignment": "example",
        "student": student,
        "submission": "0" * 64,
        "key": "",
        "versions": {},
        "state": "graded",
        "reason": "",
        "notes": [],
        "cells": [],
        "questions": questions,
        "points": scale + 4,
        "max_points": 7.0,
        "seconds": 0.1,
    }
    return data  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    root = tmp_path_factory.mktemp("course")
    (root / "roster.csv").write_text(
        "student,name\nada,Ada Lovelace\nalan,Alan Turing\n"
    )
    release(load(EXAMPLE), root)
    data = (root / "release/example/example.ipynb").read_bytes()
    course = Course(root)
    records = [record("ada", 1.0), record("alan", 3.0)]
    for each in records:
        path = course.submitted(each["student"], "example")
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        path.with_name("timestamp.txt").write_text("2026-12-01 12:00:00 UTC\n")
        write_autograded(course, each, submitted_cells(data, load(EXAMPLE)))
    write(course, "example", records)
    return course


class Server:
    """A Jupyter server's formgrader."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/formgrader/"

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as answer:
            return str(answer.read().decode())

    def api(self, path: str) -> Any:
        return json.loads(self.get(f"api/{path}"))

    def put(self, path: str, data: dict[str, Any]) -> None:
        request = urllib.request.Request(
            f"{self.url}api/{path}", json.dumps(data).encode(), method="PUT"
        )
        urllib.request.urlopen(request, timeout=PATIENCE).close()


@pytest.fixture(scope="module")
def server(
    course: Course, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    home = str(tmp_path_factory.mktemp("home"))
    places = ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    extension = "nbgrader.server_extensions.formgrader"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyter_server",
            "--allow-root",
            "--no-browser",
            f"--port={port}",
            "--ServerApp.port_retries=0",
            "--ServerApp.disable_check_xsrf=True",
            "--IdentityProvider.token=",
            f"--ServerApp.jpserver_extensions={{'{extension}': True}}",
        ],
        cwd=course.root,
        env=os.environ | dict.fromkeys(places, home) | {"JUPYTER_NO_CONFIG": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    server = Server(port)
    try:
        for _ in range(10 * PATIENCE):
            try:
                server.get("api/status")
                break
            except OSError:
                assert process.poll() is None, "the server has ended"
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait()


def test_it_lists_assignments_and_submissions(server: Server) -> None:
    assert "formgrader/static/js/manage_assignments.js" in server.get(
        "manage_assignments"
    )
    (assignment,) = server.api("assignments")
    assert (assignment["name"], assignment["max_score"]) == ("example", 10)
    assert assignment["num_submissions"] == 2
    submissions = {each["student"]: each for each in server.api("submissions/example")}
    assert {name: each["score"] for name, each in submissions.items()} == {
        "ada": 5,
        "alan": 7,
    }
    for each in submissions.values():
        assert each["autograded"] and each["needs_manual_grade"]
        assert each["timestamp"] == "2026-12-01T12:00:00"
    assert submissions["ada"]["last_name"] == "Lovelace"


def test_a_mark_by_hand_survives_regrading(server: Server, course: Course) -> None:
    listed = server.api("submitted_notebooks/example/example")
    (id,) = (each["id"] for each in listed if each["student"] == "ada")
    page = server.get(f"submissions/{id}/")
    for field in ('class="score tabbable" id="report"', 'id="scale-comment"'):
        assert page.count(field) == 1
    grades = {each["name"]: each for each in server.api(f"grades?submission_id={id}")}
    assert grades["report"]["needs_manual_grade"]
    server.put(
        f"grade/{grades['report']['id']}", {"manual_score": 2.5, "extra_credit": 0.5}
    )
    write(course, "example", [record("ada", 2.0), record("alan", 3.0)])
    assert read_scores(course, "example")["ada"] == {
        "scale-check": Scores(2, None, None, False),
        "rms-check": Scores(4, None, None, False),
        "report": Scores(None, 2.5, 0.5, False),
    }
    submissions = {each["student"]: each for each in server.api("submissions/example")}
    assert submissions["ada"]["score"] == 9
    assert not submissions["ada"]["needs_manual_grade"]
