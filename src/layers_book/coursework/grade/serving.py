"""A process that grades one job after another, and ends with the one that started it.

Imports little, so that a process has its sandbox start while it imports the rest.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from layers_book.coursework.sandbox.bubblewrap import Limits, NoSandbox, Sandbox

if TYPE_CHECKING:
    from layers_book.coursework.grade.job import Failed, Job
    from layers_book.coursework.grade.record import Record


class Worker:
    """A process that grades one job after another.

    Args:
        limits: of the jobs that come.
        trusted: whether they run without a sandbox.
    """

    def __init__(self, limits: Limits, trusted: bool) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._jobs, theirs = spawn.Pipe()
        given = theirs, limits, trusted
        self._process = spawn.Process(target=_serve, args=given, daemon=True)
        self._process.start()
        theirs.close()

    def work(self, job: "Job") -> "Record | Failed":
        """What a job gives.

        Raises:
            EOFError: the process has died.
        """
        try:
            self._jobs.send(job)
            result = self._jobs.recv()
        except OSError:
            raise EOFError from None
        if isinstance(result, Exception):
            raise result
        found: Record | Failed = result
        return found

    def close(self) -> None:
        """Let it end."""
        self._jobs.close()
        self._process.join()

    def kill(self) -> None:
        """End it at once, and its sandbox with it."""
        self._process.kill()


def _serve(jobs: Connection, limits: Limits, trusted: bool) -> None:
    """Grade the jobs that come, in a process of its own, until they or it end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us in order
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    sandbox = None
    with contextlib.suppress(NoSandbox):  # it comes again with the first job
        sandbox = Sandbox(limits, trusted)
    from layers_book.coursework.grade.job import hold, work

    if sandbox is not None:
        hold(sandbox)
    while True:
        try:
            job = jobs.recv()
        except EOFError:
            return
        try:
            jobs.send(work(job))
        except Exception as error:  # of no single job
            jobs.send(error)


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # and with us our sandbox
