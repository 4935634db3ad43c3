"""Runs that are stopped, killed and repeated give each record once, and the same."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from layers_book.coursework.assignment import Assignment
from layers_book.coursework.grade import grading, queue
from layers_book.coursework.grade.record import Record
from layers_book.coursework.sandbox.bubblewrap import Sandbox

COUNT = 24
WRONG = "def rms(x):\n    return x.square().mean(-1)\n"


@pytest.fixture
def submitted(tmp_path: Path, submit: Callable[..., bytes]) -> list[tuple[str, Path]]:
    """Submissions of which each fourth is wrong, and one is no notebook."""
    found = []
    for number in range(COUNT):
        path = tmp_path / "submitted" / f"s{number:02}.ipynb"
        path.parent.mkdir(exist_ok=True)
        cells = {"rms": f"{WRONG}# {number}"} if number % 4 == 0 else {}
        data = submit(
            **cells, scale=f"def scale(x, weight):\n    return x * weight # {number}"
        )
        path.write_bytes(b"{" if number == 5 else data)
        found.append((f"s{number:02}", path))
    return found


@pytest.fixture
def serial(
    submitted: list[tuple[str, Path]], example: Assignment, sandbox: Sandbox
) -> dict[str, Any]:
    """What one submission after another gives, in this process."""
    records = [
        grading.grade(example.version(), student, path.read_bytes(), sandbox)
        for student, path in submitted
    ]
    return {record["student"]: _marks(record) for record in records}


def _marks(record: Record) -> dict[str, Any]:
    return {k: v for k, v in record.items() if k != "seconds"}


def _written(folder: Path) -> dict[str, Any]:
    """All records there are, by student; two of one student are an error."""
    found: dict[str, Any] = {}
    for path in folder.rglob("*"):
        if path.is_file():
            record = queue.read(path)
            assert record["student"] not in found
            found[record["student"]] = _marks(record)
    return found


def test_all_cores_and_again(
    submitted: list[tuple[str, Path]],
    serial: dict[str, Any],
    example: Assignment,
    tmp_path: Path,
) -> None:
    """One process is killed in the middle; the second run has nothing to do."""
    records, came = tmp_path / "records", list[Any]()

    def kill_one(result: Any) -> None:
        came.append(result)
        if len(came) == 3:
            workers = psutil.Process().children()
            busy = [p for p in workers if "spawn_main" in " ".join(p.cmdline())]
            busy[0].kill()

    queue.run(queue.jobs(example, submitted, records), records, 2, done=kill_one)
    assert _written(records) == serial
    assert len(came) == COUNT
    again = list(queue.jobs(example, submitted, records))
    assert again == []
    current = queue.current(example, submitted, records)
    assert [r["student"] for r in current] == [s for s, _ in submitted]


def test_a_corrected_check_asks_that_question_only(
    submitted: list[tuple[str, Path]], example: Assignment, tmp_path: Path
) -> None:
    records = tmp_path / "records"
    queue.run(queue.jobs(example, submitted[:2], records), records, 1)
    files = dict(example.files)
    files["rms"] = files["rms"].replace(
        '"the output | the inputs after": 2', ('"the output | the inputs after": 5')
    )
    assert files["rms"] != example.files["rms"]
    corrected = replace(example, files=files)
    (first, second) = queue.jobs(corrected, submitted[:2], records)
    assert isinstance(first, queue.Job) and first.earlier
    kept = {q["name"]: q for q in first.earlier["questions"]}
    kept["scale"]["hint"] = "of the first run"
    record = queue.work(first)
    assert record["questions"][0]["hint"] == "of the first run"
    assert record["questions"][1]["max_points"] == 7.0


def test_a_record_is_written_once(tmp_path: Path, serial: dict[str, Any]) -> None:
    record: Any = next(iter(serial.values())) | {"seconds": 1.0}
    path = queue.write(tmp_path, record)
    assert queue.write(tmp_path, record | {"seconds": 2.0}) == path
    assert json.loads(path.read_text())["seconds"] == 1.0
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_an_open_scheduler_is_refused(tmp_path: Path) -> None:
    for address in ("tcp://10.0.0.1:8786", "tcp://example.org:8786", "localhost"):
        with pytest.raises(ValueError, match="scheduler="):
            queue.run([], tmp_path, scheduler=address)


@pytest.fixture
def cluster() -> Iterator[Callable[[], str]]:
    """Starts a scheduler and two workers as processes of their own, again if asked."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address, running = f"tcp://127.0.0.1:{port}", list[subprocess.Popen[bytes]]()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    def stop() -> None:
        for process in running:
            for child in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):  # it may die with its parent
                    child.kill()
            process.kill()
            process.wait()
        running.clear()

    def start() -> str:
        stop()
        for command in (
            ["scheduler", "--host", "127.0.0.1", "--port", str(port)],
            ["worker", address, "--nworkers", "2", "--nthreads", "1"],
        ):
            running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "dask", *command, "--no-dashboard"],
                    env=environment,
                    stderr=subprocess.DEVNULL,
                )
            )
        return address

    yield start
    stop()


def test_a_cluster_that_loses_workers_and_its_scheduler(
    submitted: list[tuple[str, Path]],
    serial: dict[str, Any],
    example: Assignment,
    tmp_path: Path,
    cluster: Callable[[], str],
) -> None:
    records, came = tmp_path / "records", list[Any]()
    address = cluster()

    def disturb(result: Any) -> None:
        came.append(result)
        if len(came) == 4:
            _kill_a_worker()
        if len(came) == 12:
            threading.Thread(target=cluster).start()
            time.sleep(2.0)

    queue.run(
        queue.jobs(example, submitted, records),
        records,
        scheduler=address,
        done=disturb,
    )
    assert _written(records) == serial
    assert len({r["student"] for r in came}) == COUNT


def _kill_a_worker() -> None:
    """The process that has the sandbox, without a chance to say goodbye."""
    mine = {p.pid for p in psutil.Process().children(recursive=True)}
    # what dies while it is looked at is left out
    seen = psutil.process_iter(["pid", "ppid", "name"])
    boxes = [p.info for p in seen if p.info["name"] == "bwrap"]
    workers = {p["ppid"] for p in boxes if p["pid"] in mine} - {os.getpid()}
    os.kill(workers.pop(), signal.SIGKILL)
