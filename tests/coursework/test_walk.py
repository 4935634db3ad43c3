"""Every command of the guide, in order, from an empty folder, as who may run it."""

import csv
import io
import json
import os
import pwd
import shutil
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import nbformat
import pytest
from walk import GUIDE, ROOT, Block, Terminal, blocks, ordinary

from layers_book.coursework.assignment import load

NAME = "normalization"
MASTER = load(ROOT / "coursework" / "assignments" / NAME).master
REPOSITORY = "https://github.com/torch-layers-book/torch-layers-book"
EXCHANGE = "/srv/nbgrader/exchange"
ON_HUB = "s004"  # hands in by the exchange; the others by Moodle
BY_STUDENTS = ("nbgrader fetch_", "nbgrader submit")
PATIENCE = 120  # seconds
# what needs root and the network once; .ci/run does it in earnest
STANDS_FOR = {
    "sudo": 'exec "$@"',
    "apt": "command -v bwrap",
    "make": f'[ "$1 $3" = "-C book" ] && ln -s "{sys.prefix}" "$2/.venv"',
}


# an ordinary user, and root where that is who tests
PEOPLE = sorted({ordinary().pw_name, pwd.getpwuid(os.geteuid()).pw_name})


@pytest.fixture(params=PEOPLE)
def reader(request: pytest.FixtureRequest) -> Iterator["Reader"]:
    # pytest's own folders are closed to other users
    folder = Path(tempfile.mkdtemp(prefix="guide-"))
    folder.chmod(0o755)
    made = Reader(folder, pwd.getpwnam(request.param))
    try:
        yield made
    finally:
        made.teacher.close()
        shutil.rmtree(folder)


class Reader:
    """Follows the guide: a teacher's terminal, and a student's on the same machine."""

    def __init__(self, folder: Path, user: pwd.struct_passwd) -> None:
        self.folder = folder
        programs = folder / "programs"
        programs.mkdir()
        for name, script in STANDS_FOR.items():
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        path = f"{programs}:/usr/local/bin:/usr/bin:/bin"
        self.teacher = Terminal(folder / "teacher", user, path)
        self.student = Terminal(folder / "student", ordinary(), path)
        self.teacher.write(
            self.teacher.home / ".gitconfig",
            f'[safe]\ndirectory = *\n[url "file://{ROOT}"]\ninsteadOf = {REPOSITORY}\n',
        )
        self.exchange = str(self.teacher.home / "exchange")
        self.said = ""

    @property
    def course(self) -> Path:
        return self.teacher.home / "course"

    def follow(self, block: Block) -> None:
        """Do what a block of the guide says."""
        match block.language:
            case "bash":
                self.said = "".join(map(self.enter, block.commands))
            case "toml":  # the first makes the file, another adds to it
                path = self.course / "coursework.toml"
                before = path.read_text("utf8") if path.exists() else ""
                self.teacher.write(path, before + block.text)
            case "python":
                assert block.text.startswith("# nbgrader_config.py\n")
                text = block.text.replace(EXCHANGE, self.exchange)
                for terminal, place in (
                    (self.teacher, self.course),
                    (self.student, self.student.home),
                ):
                    terminal.write(place / "nbgrader_config.py", text)
            case "csv":
                self.teacher.write(self.course / "roster.csv", block.text)
            case "text" if block.text.startswith("https://"):
                self.check_link(block.text.strip())
            case "text":
                for line in block.text.splitlines():
                    assert line in self.said.splitlines(), self.said

    def enter(self, command: str) -> str:
        """Type a line; before it is done what the guide says in words."""
        if "grades.csv" in command:
            self.teacher.write(self.teacher.home / "Downloads/grades.csv", worksheet())
        if "moodle-export.zip" in command:
            data = self.moodle()
            self.teacher.write(self.teacher.home / "Downloads/moodle-export.zip", data)
        if command.startswith("jupyter lab"):
            return self.mark_by_hand(command)
        command = command.replace("HOST", "localhost").replace(EXCHANGE, self.exchange)
        if "dask scheduler" in command or "dask worker" in command:
            self.teacher.start(command)
            return ""
        if command.startswith(BY_STUDENTS):
            self.student.path = self.teacher.path
            if "submit" in command:
                self.solve_fetched()
            return self.student.run(f"{command} --student={ON_HUB}")
        return self.teacher.run(command)

    def moodle(self) -> bytes:
        """Three students' work: all right, right but for a question, and bare."""
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w") as archive:
            for number, name in enumerate(("Ada Lovelace", "Emmy Noether"), 101):
                left = ("buffers",) * (number == 102)
                data = solved(self.released(f"s{number - 100:03}"), left)
                archive.writestr(submission(name, number), data)
            data = self.released("s003").read_bytes()
            archive.writestr(submission("Grace Hopper", 103), data)
        return written.getvalue()

    def released(self, student: str) -> Path:
        return self.course / "release" / student / NAME / f"{NAME}.ipynb"

    def solve_fetched(self) -> None:
        path = self.student.folder / NAME / f"{NAME}.ipynb"
        assert "variants.json" in path.read_text("utf8")
        path.write_bytes(solved(path))

    def mark_by_hand(self, command: str) -> str:
        """Give everybody two points for each part, as formgrader's pages do."""
        words = " --allow-root" if self.teacher.user.pw_uid == 0 else ""
        assert f"`{command}{words}`" in GUIDE.read_text("utf8") or not words
        self.teacher.environment["BROWSER"] = "true"
        process = self.teacher.start(command + words)
        server = Server(self.teacher.home, lambda: process.poll() is None)
        listed = server.get(f"api/submitted_notebooks/{NAME}/{NAME}")
        assert len(listed) == 3
        for notebook in listed:
            for grade in server.get(f"api/grades?submission_id={notebook['id']}"):
                if grade["needs_manual_grade"]:
                    server.put(f"api/grade/{grade['id']}", {"manual_score": 2})
        self.teacher.close()
        return ""

    @staticmethod
    def check_link(link: str) -> None:
        """nbgitpuller's link names this repository and a notebook in it."""
        asked = {key: value for key, [value] in parse_qs(urlsplit(link).query).items()}
        assert asked["repo"] == REPOSITORY
        path = asked["urlpath"].removeprefix("lab/tree/torch-layers-book/")
        assert (ROOT / path).is_file()


class Server:
    """The Jupyter server that a user has started, found as Jupyter's own tools do."""

    def __init__(self, home: Path, alive: Callable[[], bool]) -> None:
        runtime = home / ".local/share/jupyter/runtime"
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                [file] = runtime.glob("jpserver-*.json")
                self.about = json.loads(file.read_text())
                self.get("api/status")
                return
            except (OSError, ValueError):
                assert alive(), "the server has ended"
                assert time.monotonic() < deadline, "no server answers"
                time.sleep(0.1)

    def get(self, path: str) -> Any:
        return json.loads(self._ask(path, None))

    def put(self, path: str, data: dict[str, Any]) -> None:
        self._ask(path, json.dumps(data).encode())

    def _ask(self, path: str, data: bytes | None) -> bytes:
        address = f"http://127.0.0.1:{self.about['port']}/formgrader/{path}"
        header = {"Authorization": f"token {self.about['token']}"}
        request = urllib.request.Request(address, data, header)
        request.method = "PUT" if data else "GET"
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return bytes(answer.read())


def submission(name: str, number: int) -> zipfile.ZipInfo:
    """A file in Moodle's download, in time."""
    path = f"{name}_{number}_assignsubmission_file_/{NAME}.ipynb"
    return zipfile.ZipInfo(path, (2026, 11, 20, 10, 0, 0))


def worksheet() -> str:
    """Moodle's grading worksheet, as mod/assign writes it."""
    lines = ['Identifier,"Full name","Email address",Status,Grade']
    names = ("Ada Lovelace", "Emmy Noether", "Grace Hopper", "Alan Turing")
    for number, name in enumerate(names, 101):
        mail = f"{name.split()[0].lower()}@school.org"
        lines.append(f'"Participant {number}","{name}",{mail},"No submission",')
    return "\ufeff" + "\n".join(lines) + "\n"


def solved(path: Path, left: tuple[str, ...] = ()) -> bytes:
    """A released notebook with the solutions, but for some."""
    notebook = nbformat.read(path, 4)
    texts = {c.grade_id: c.source for c in MASTER if c.kind == "answer"}
    texts |= {c.grade_id: "1 + 1" for c in MASTER if c.kind == "manual"}
    for node in notebook.cells:
        if node.id not in left:
            node.source = texts.get(node.id, node.source)
    return nbformat.writes(notebook).encode()


def marks(course: Path) -> dict[str, dict[str, str]]:
    text = (course / f"exports/{NAME}/plain.csv").read_text("utf-8-sig")
    return {row["student"]: row for row in csv.DictReader(io.StringIO(text))}


def test_the_guide(reader: Reader) -> None:
    for block in blocks():
        reader.follow(block)
    course = reader.course
    given = marks(course)
    best = float(given["s001"]["max"])
    by_hand = sum(c.points - 2 for c in MASTER if c.points)
    assert float(given["s001"]["total"]) == best - by_hand
    assert float(given["s002"]["total"]) == best - by_hand - 5
    assert given["s003"]["total"] == "0", "nothing was written, so nothing is marked"
    assert given[ON_HUB]["total"] == ""
    for name, ending in (("numbers", "ipynb"), ("feedback", "html")):
        with zipfile.ZipFile(course / f"handout/{NAME}/{name}.zip") as archive:
            first = f"Ada Lovelace_101_assignsubmission_file_{NAME}.{ending}"
            assert archive.namelist()[0] == first
    pages = list(reader.student.home.glob(f"{NAME}/feedback/*/{NAME}.html"))
    assert len(pages) == 1 and "Alan Turing" in pages[0].read_text("utf8")
