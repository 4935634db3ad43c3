"""Grades all submissions that are new: on this machine's cores or on a Dask cluster.

A job is named by what its record depends on, and its record is linked into place once:
a run can be stopped, started again, or run twice at the same time.
"""

import contextlib
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from layers_book.coursework.assignment import Assignment, AssignmentError
from layers_book.coursework.collect.notebook import Unreadable, file_bytes
from layers_book.coursework.files import sha256_of, write_new
from layers_book.coursework.grade import grading
from layers_book.coursework.grade.record import Record, checked
from layers_book.coursework.sandbox.bubblewrap import Limits, NoSandbox, Sandbox

WINDOW = 4  # jobs under way for each worker of a cluster: busy, and few in memory
DEATHS = 3  # of processes, until the job that each had is given up
RECONNECT_SECONDS = 120.0


Values = Callable[[str], dict[str, Any] | None]


def _common(student: str) -> None:
    """All students have the master's values."""


@dataclass(frozen=True)
class Job:
    """One submission to grade, with all that a worker elsewhere needs."""

    assignment: Assignment
    student: str
    data: bytes
    key: str
    values: dict[str, Any] | None = None
    limits: Limits = field(default_factory=Limits)
    trusted: bool = False
    earlier: Record | None = None


@dataclass(frozen=True)
class Failed:
    """A job that left no record, so that the next run tries it again."""

    student: str
    reason: str


def jobs(
    assignment: Assignment,
    submitted: Iterable[tuple[str, Path]],
    records: Path,
    values: Values = _common,
    limits: Limits | None = None,
    trusted: bool = False,
) -> Iterator[Job | Failed]:
    """What has no record yet.

    Args:
        assignment: what was asked.
        submitted: students and their files.
        records: the folder of the assignment's records.
        values: gives a student's own values, or ``None`` for the master's.
        limits: of each submission.
        trusted: run without a sandbox.
    """
    for student, path in submitted:
        try:
            data = file_bytes(path)
        except Unreadable as error:
            yield Failed(student, str(error))
            continue
        submission, own = sha256_of(data), values(student)
        key = grading.job_key(assignment.version(own), student, submission)
        if not (records / submission / f"{key}.json").exists():
            earlier = _earlier(records / submission, student)
            yield Job(
                assignment=assignment,
                student=student,
                data=data,
                key=key,
                values=own,
                limits=limits or Limits(),
                trusted=trusted,
                earlier=earlier,
            )


def run(
    waiting: Iterable[Job | Failed],
    records: Path,
    workers: int | None = None,
    scheduler: str = "",
    done: Callable[[Record | Failed], None] = lambda result: None,
) -> None:
    """Grade, and write each record when it comes.

    Args:
        waiting: from `jobs`; taken a few at a time.
        records: the folder of the assignment's records.
        workers: processes on this machine; by default one a core.
        scheduler: address of a Dask scheduler, which is used instead.
        done: called with each result.

    Raises:
        NoSandbox: workers cannot run submissions safely.
        ValueError: an address that is not allowed.
    """

    def finish(result: Record | Failed) -> None:
        if not isinstance(result, Failed):
            write(records, result)
        done(result)

    def plain() -> Iterator[Job]:
        for job in waiting:
            if isinstance(job, Failed):
                finish(job)
            else:
                yield job

    if scheduler:
        _on_cluster(plain(), scheduler, finish)
    else:
        _on_cores(plain(), workers or os.cpu_count() or 1, finish)


def write(records: Path, record: Record) -> Path:
    """Link a record into place; the first of its name stays."""
    path = records / record["submission"] / f"{record['key']}.json"
    text = json.dumps(record, indent=1, ensure_ascii=False)
    write_new(path, text.encode(), durable=True)
    return path


def read(path: Path) -> Record:
    """A record from its file.

    Raises:
        ValueError: the file is no record.
    """
    try:
        return checked(json.loads(path.read_text("utf8")))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def current(
    assignment: Assignment,
    submitted: Iterable[tuple[str, Path]],
    records: Path,
    values: Values = _common,
) -> Iterator[Record]:
    """The records of the submissions that count, as the checks are now."""
    for student, path in submitted:
        with contextlib.suppress(Unreadable, FileNotFoundError):
            submission = sha256_of(file_bytes(path))
            version = assignment.version(values(student))
            key = grading.job_key(version, student, submission)
            yield read(records / submission / f"{key}.json")


def _earlier(folder: Path, student: str) -> Record | None:
    found = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    for path in reversed(found):
        with contextlib.suppress(ValueError):
            record = read(path)
            if record["student"] == student:
                return record
    return None


_held: dict[tuple[Limits, bool], Sandbox] = {}
_turn = threading.Lock()


@lru_cache(maxsize=4)
def _first(assignment: Assignment) -> Assignment:
    """Of equal assignments, each sent with a job, the one that has graders already."""
    return assignment


def work(job: Job) -> Record | Failed:
    """Grade a job in this process, which keeps its sandbox for the next one."""
    with _turn:  # a Dask worker may have several threads
        kind = job.limits, job.trusted
        if kind not in _held:
            _held[kind] = Sandbox(*kind)
        try:
            version = _first(job.assignment).version(job.values)
            return grading.grade(
                version, job.student, job.data, _held[kind], job.earlier
            )
        except (NoSandbox, AssignmentError):
            raise  # the next one would fare no better
        except Exception as error:  # one submission must not stop the others
            said = f"{type(error).__name__}: {error!s:.200}"
            return Failed(job.student, f"grading it failed: {said}")


def _on_cores(
    waiting: Iterator[Job], workers: int, finish: Callable[[Record | Failed], None]
) -> None:
    """A thread for each process: if one dies, it is known with which job."""
    turn, stop = threading.Lock(), threading.Event()
    spawn = multiprocessing.get_context("spawn")

    def serve() -> None:
        pool = ProcessPoolExecutor(1, spawn)
        try:
            while not stop.is_set():
                with turn:
                    job = next(waiting, None)
                if job is None:
                    return
                result: Record | Failed | None = None
                deaths = 0
                while result is None:
                    try:
                        result = pool.submit(work, job).result()
                    except BrokenProcessPool:
                        pool = ProcessPoolExecutor(1, spawn)
                        deaths += 1
                        if deaths == DEATHS:
                            said = f"its process was killed {DEATHS} times"
                            result = Failed(job.student, said)
                with turn:
                    finish(result)
        except BaseException:
            stop.set()
            raise
        finally:
            pool.shutdown()

    with ThreadPoolExecutor(workers) as threads:
        try:
            for served in [threads.submit(serve) for _ in range(workers)]:
                served.result()
        finally:
            stop.set()


def _on_cluster(
    waiting: Iterator[Job], address: str, finish: Callable[[Record | Failed], None]
) -> None:
    """Submit to a Dask scheduler; if it goes away, wait for it and submit again."""
    _refuse_open(address)
    left: dict[str, Job] = {}
    while not _connected(waiting, left, address, finish):
        time.sleep(1.0)


def _refuse_open(address: str) -> None:
    """Whoever reaches a scheduler without TLS can run anything on its workers."""
    protocol, _, rest = address.partition("://")
    host = rest.rpartition(":")[0].strip("[]")
    if protocol == "tls" or (
        protocol == "tcp" and host in ("localhost", "127.0.0.1", "::1")
    ):
        return
    raise ValueError(
        f"scheduler={address!r}: allowed are tls://HOST:PORT, and tcp://127.0.0.1:PORT "
        "for a cluster on this machine; without TLS whoever reaches the scheduler can "
        "run code on every worker"
    )


def _connected(
    waiting: Iterator[Job],
    left: dict[str, Job],
    address: str,
    finish: Callable[[Record | Failed], None],
) -> bool:
    """Work with a scheduler while it lasts; whether everything is done."""
    from distributed import Client, as_completed

    with Client(address, timeout=RECONNECT_SECONDS) as client:
        done: Any = as_completed(with_results=False)
        for key, job in left.items():
            done.add(client.submit(work, job, key=key))
        more = True
        while True:
            if client.status != "running":
                return False
            slots = WINDOW * max(1, len(client.scheduler_info().get("workers", ())))
            while more and len(left) < slots:
                following = next(waiting, None)
                if following is None:
                    more = False
                    break
                left[following.key] = following
                done.add(client.submit(work, following, key=following.key))
            if not left:
                return True
            future = next(done)
            if future.status == "finished":
                finish(future.result())
            elif future.status == "error":
                error = future.exception()
                if type(error).__name__ != "KilledWorker":
                    raise error
                finish(Failed(left[future.key].student, "it killed every worker"))
            else:
                return False  # cancelled or lost: the scheduler has gone
            del left[future.key]
