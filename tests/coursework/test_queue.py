"""Runs that are stopped, killed and repeated give each record once, and the same."""

import json
import os
import shlex
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
from layers_book.coursework.grade import cluster, grading, queue
from layers_book.coursework.grade.job import Failed, Job, work
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
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One process is killed in the middle; the second run has nothing to do."""
    monkeypatch.setattr(queue, "FEW", 5)
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
    assert isinstance(first, Job) and first.earlier
    kept = {q["name"]: q for q in first.earlier["questions"]}
    kept["scale"]["hint"] = "of the first run"
    record = work(first)
    assert record["questions"][0]["hint"] == "of the first run"
    assert record["questions"][1]["max_points"] == 7.0


def test_a_record_is_written_once(tmp_path: Path, serial: dict[str, Any]) -> None:
    record: Any = next(iter(serial.values())) | {"seconds": 1.0}
    path = queue.write(tmp_path, record)
    assert queue.write(tmp_path, record | {"seconds": 2.0}) == path
    assert json.loads(path.read_text())["seconds"] == 1.0
    assert [p.name for p in path.parent.iterdir()] == [path.name]


class _Fake:
    """In place of a process."""

    started = 0

    def __init__(self, *_: Any) -> None:
        type(self).started += 1

    def work(self, job: Any) -> Any:
        return Failed(job.student, "")

    def close(self) -> None: ...

    def kill(self) -> None: ...


@pytest.mark.parametrize(
    ("count", "allowed", "started"),
    [
        (0, 4, 0),
        (1, 4, 1),
        (25, 4, 1),
        (26, 4, 2),
        (80, 4, 4),
        (500, 4, 4),
        (500, 1, 1),
    ],
)
def test_no_more_processes_than_serve(
    count: int,
    allowed: int,
    started: int,
    example: Assignment,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queue, "Worker", _Fake)
    monkeypatch.setattr(_Fake, "started", 0)
    waiting = [Job(example, f"s{n}", b"", f"{n}") for n in range(count)]
    came: list[Any] = []
    queue.run(waiting, tmp_path, allowed, done=came.append)
    assert _Fake.started == started
    assert sorted(one.student for one in came) == sorted(job.student for job in waiting)


def test_a_number_of_processes_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="workers=-3: from 1"):
        queue.run([], tmp_path, -3)


def test_an_open_scheduler_is_refused(tmp_path: Path) -> None:
    for address in (
        "tcp://10.0.0.1:8786",
        "tcp://127.0.0.1:8786",
        "tcp://localhost:8786",
        "ws://10.0.0.1:8786",
        "localhost",
        "localhost:8786",
        "tls://10.0.0.1",
    ):
        with pytest.raises(ValueError, match="scheduler=") as refused:
            queue.run([], tmp_path, scheduler=address)
        assert "\n" not in str(refused.value) and "--insecure" in str(refused.value)


def test_a_scheduler_without_certificates_or_nobody_there(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    folder = tmp_path / "certificates"
    with pytest.raises(ValueError, match="coursework certificates"):
        queue.run([], tmp_path, scheduler=f"tls://{address}", certificates=folder)
    cluster.make_certificates(folder)
    for scheduler, insecure in (
        (f"tls://{address}", False),
        (f"tcp://{address}", True),
    ):
        with pytest.raises(ValueError, match="nothing answers there"):
            queue.run(
                [],
                tmp_path,
                scheduler=scheduler,
                certificates=folder,
                insecure=insecure,
            )


def test_certificates_are_for_their_owner_and_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "certificates"
    cluster.make_certificates(folder)
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / cluster.KEY).stat().st_mode & 0o077 == 0
    certificate = folder / cluster.CERTIFICATE
    for purpose in ("sslserver", "sslclient"):
        words = ["openssl", "verify", "-x509_strict", "-purpose", purpose]
        subprocess.run([*words, "-CAfile", certificate, certificate], check=True)
    with pytest.raises(ValueError, match="there already"):
        cluster.make_certificates(folder)


class _Cluster:
    """A scheduler and its workers, as `coursework certificates` says to start them."""

    def __init__(self, folder: Path) -> None:
        cluster.make_certificates(folder)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"tls://127.0.0.1:{self.port}"
        self.commands = [
            command.replace("8786", f"{self.port}")
            .replace("HOST", "127.0.0.1")
            .replace("dask ", f"{shlex.quote(sys.executable)} -m dask ")
            for command in cluster.commands(folder)
        ]
        self.running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, number: int) -> None:
        """The scheduler, 0, or the workers, 1."""
        paths = os.pathsep.join(filter(None, sys.path))
        self.running[number] = subprocess.Popen(
            ["/bin/sh", "-c", self.commands[number]],
            env=os.environ | {"PYTHONPATH": paths},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop(self, number: int) -> None:
        process = self.running.pop(number)
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):  # it may die with its parent
                    child.kill()
        process.kill()
        process.wait()


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[_Cluster]:
    found = _Cluster(tmp_path / "certificates")
    found.start(0)
    yield found
    for number in [*reversed(found.running)]:
        found.stop(number)


def _answers(dask: _Cluster) -> None:
    while not cluster._answers(dask.address):
        assert dask.running[0].poll() is None, dask.commands[0]
        time.sleep(0.2)


def test_a_cluster_that_loses_a_worker_and_its_scheduler(
    submitted: list[tuple[str, Path]],
    serial: dict[str, Any],
    example: Assignment,
    tmp_path: Path,
    dask: _Cluster,
) -> None:
    """The workers come back to the scheduler by themselves; all is said in words."""
    records, came, said = tmp_path / "records", list[Any](), list[str]()
    dask.start(1)
    _answers(dask)

    def disturb(result: Any) -> None:
        came.append(result)
        if len(came) == 4:
            _kill_a_worker()
        if len(came) == 12:
            dask.stop(0)
            threading.Timer(3.0, dask.start, [0]).start()

    queue.run(
        queue.jobs(example, submitted, records),
        records,
        scheduler=dask.address,
        done=disturb,
        certificates=tmp_path / "certificates",
        say=said.append,
    )
    assert _written(records) == serial
    assert len({r["student"] for r in came}) == COUNT
    assert any("has gone: waiting for it" in text for text in said)


def test_a_cluster_without_workers_or_with_another_certificate(
    example: Assignment,
    submit: Callable[..., bytes],
    tmp_path: Path,
    dask: _Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _answers(dask)
    other = tmp_path / "other"
    cluster.make_certificates(other)
    job = Job(example, "ada", submit(), "key")
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 5.0)
    for address, insecure in ((dask.address, False), (f"tcp{dask.address[3:]}", True)):
        with pytest.raises(ValueError, match="it answers, but not as a Dask scheduler"):
            queue.run(
                [job],
                tmp_path,
                scheduler=address,
                certificates=other,
                insecure=insecure,
            )

    class _Told(Exception):
        pass

    def say(text: str) -> None:
        assert "has no workers" in text
        raise _Told

    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 60.0)
    monkeypatch.setattr(cluster, "PATIENCE_SECONDS", 0.1)
    with pytest.raises(_Told):
        queue.run(
            [job],
            tmp_path,
            scheduler=dask.address,
            certificates=tmp_path / "certificates",
            say=say,
        )


def _kill_a_worker() -> None:
    """The process that has the sandbox, without a chance to say goodbye."""
    mine = {p.pid for p in psutil.Process().children(recursive=True)}
    # what dies while it is looked at is left out
    seen = psutil.process_iter(["pid", "ppid", "name"])
    boxes = [p.info for p in seen if p.info["name"] == "bwrap"]
    workers = {p["ppid"] for p in boxes if p["pid"] in mine} - {os.getpid()}
    workers -= {p["pid"] for p in boxes}  # inside one there is another
    os.kill(workers.pop(), signal.SIGKILL)
