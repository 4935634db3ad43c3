"""A submission to grade, with all that a process elsewhere needs, and its grading."""

import contextlib
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing.util import Finalize
from typing import Any

from layers_book.coursework.assignment import Assignment, AssignmentError, Version
from layers_book.coursework.grade import grading
from layers_book.coursework.grade.record import Record
from layers_book.coursework.sandbox.bubblewrap import Limits, NoSandbox, Sandbox


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


_held: dict[tuple[Limits, bool], Sandbox] = {}
_turn = threading.Lock()


def hold(sandbox: Sandbox) -> Sandbox:
    """Keep a sandbox for the jobs of this process, and end it with the process."""
    _held[sandbox.limits, sandbox.trusted] = sandbox
    Finalize(None, sandbox.close, exitpriority=0)
    return sandbox


@lru_cache(maxsize=4)
def _first(assignment: Assignment) -> Assignment:
    """Of equal assignments, each sent with a job, the one that has graders already."""
    return assignment


def work(job: Job) -> Record | Failed:
    """Grade a job in this process, which keeps its sandbox for the next one."""
    with _turn:  # a Dask worker may have several threads
        kind = job.limits, job.trusted
        version = _first(job.assignment).version(job.values)
        sandbox = _held.get(kind) or hold(Sandbox(*kind))
        if not sandbox.ready:
            _prepare(version)
        try:
            return grading.grade(version, job.student, job.data, sandbox, job.earlier)
        except (NoSandbox, AssignmentError):
            raise  # the next one would fare no better
        except Exception as error:  # one submission must not stop the others
            said = f"{type(error).__name__}: {error!s:.200}"
            return Failed(job.student, f"grading it failed: {said}")


def _prepare(version: Version) -> None:
    """Make what judges the answers, while a sandbox starts."""
    with contextlib.suppress(Exception):  # it comes again where it is used
        for question in version.questions:
            version.grader(question)
