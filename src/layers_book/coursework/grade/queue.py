"""Grades all submissions that are new: on this machine's cores or on a Dask cluster.

A job is named by what its record depends on, and its record is linked into place once:
a run can be stopped, started again, or run twice at the same time.
"""

import contextlib
import itertools
import json
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from layers_book.coursework.assignment import Assignment
from layers_book.coursework.collect.notebook import Unreadable, file_bytes
from layers_book.coursework.files import sha256_of, write_new
from layers_book.coursework.grade import grading
from layers_book.coursework.grade.job import Failed, Job
from layers_book.coursework.grade.record import Record, checked
from layers_book.coursework.grade.serving import Worker
from layers_book.coursework.sandbox.bubblewrap import Limits

DEATHS = 3  # of processes, until the job that each had is given up
FEW = 25  # jobs that one process has done before another would be ready


Values = Callable[[str], dict[str, Any] | None]


def _common(student: str) -> None:
    """All students have the master's values."""


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
    *,
    certificates: Path = Path("certificates"),
    insecure: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Grade, and write each record when it comes.

    Args:
        waiting: from `jobs`; taken a few at a time.
        records: the folder of the assignment's records.
        workers: processes on this machine at most; by default one a core. Fewer are
            started for few jobs.
        scheduler: address of a Dask scheduler, which is used instead.
        done: called with each result.
        certificates: the folder with the cluster's certificate.
        insecure: a scheduler without TLS is allowed.
        say: called with what a person should know meanwhile.

    Raises:
        NoSandbox: workers cannot run submissions safely.
        ValueError: ``workers`` below 1, or an address that is not allowed, or where no
            scheduler answers.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers={workers}: from 1; by default one a core")

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
        from layers_book.coursework.grade import cluster  # Dask takes long to import

        cluster.run(plain(), scheduler, certificates, insecure, finish, say)
    else:
        _on_cores(plain(), workers or _cores(), finish)


def _cores() -> int:
    """Those that this process may use: in a container fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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


def _on_cores(
    waiting: Iterator[Job], workers: int, finish: Callable[[Record | Failed], None]
) -> None:
    """A thread for each process: if one dies, it is known with which job."""
    first = list(itertools.islice(waiting, FEW * (workers - 1) + 1))
    if not first:
        return
    workers = min(workers, math.ceil(len(first) / FEW))
    limits, trusted = first[0].limits, first[0].trusted
    waiting = itertools.chain(first, waiting)
    del first  # the chain forgets it when its jobs are done
    turn, stop = threading.Lock(), threading.Event()
    running: set[Worker] = set()

    def graded(job: Job, worker: Worker) -> tuple[Record | Failed, Worker]:
        for _ in range(DEATHS):
            try:
                return worker.work(job), worker
            except EOFError:
                running.discard(worker)
                if stop.is_set():
                    raise
                worker = start()
        return Failed(job.student, f"its process was killed {DEATHS} times"), worker

    def start() -> Worker:
        worker = Worker(limits, trusted)
        running.add(worker)
        return worker

    def serve() -> None:
        worker = start()
        try:
            while not stop.is_set():
                with turn:
                    job = next(waiting, None)
                if job is None:
                    break
                result, worker = graded(job, worker)
                with turn:
                    finish(result)
            worker.close()
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(workers) as threads:
        try:
            for served in [threads.submit(serve) for _ in range(workers)]:
                served.result()
        except BaseException:
            stop.set()
            for worker in list(running):
                worker.kill()
            raise
