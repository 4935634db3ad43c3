"""Grades on a Dask cluster, whose members know each other by a certificate.

Whoever reaches a scheduler without TLS can run code on all its workers, from another
account of the same machine, too; so that has to be asked for by name.
"""

import logging
import math
import queue as queues
import shlex
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from layers_book.coursework.assignment import AssignmentError
from layers_book.coursework.grade.job import Failed, Job, work
from layers_book.coursework.grade.record import Record
from layers_book.coursework.sandbox.bubblewrap import NoSandbox

CERTIFICATE, KEY = "cluster.pem", "cluster-key.pem"
DAYS = 365
WINDOW = 4  # jobs under way for each worker: busy, and few in memory
REACH_SECONDS, CONNECT_SECONDS = 10.0, 30.0
LOOK_SECONDS, PATIENCE_SECONDS = 1.0, 10.0


def make_certificates(folder: Path) -> None:
    """Make the certificate and the key that all members of a cluster share.

    Raises:
        ValueError: the folder is there already, or openssl is missing.
    """
    if folder.exists():
        raise ValueError(f"{folder} is there already: remove it to make new ones")
    if shutil.which("openssl") is None:
        raise ValueError("the command openssl is missing: apt install openssl")
    folder.mkdir(mode=0o700)
    command = ["openssl", "req", "-x509", "-newkey", "rsa:3072", "-sha256", "-nodes"]
    command += ["-days", f"{DAYS}", "-subj", "/CN=coursework"]
    # a certificate that vouches for itself: authority, server and client in one
    command += ["-addext", "keyUsage=critical,keyCertSign,digitalSignature"]
    command += ["-keyout", str(folder / KEY), "-out", str(folder / CERTIFICATE)]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode:
        shutil.rmtree(folder)
        raise ValueError(f"openssl could not make certificates: {made.stderr[-200:]}")


def commands(folder: Path) -> list[str]:
    """What starts a cluster's scheduler and its workers, which come back to it."""
    names = (folder / CERTIFICATE, folder / KEY)
    certificate, key = (shlex.quote(str(name)) for name in names)
    flags = f"--tls-ca-file {certificate} --tls-cert {certificate} --tls-key {key}"
    return [
        f"dask scheduler --protocol tls --port 8786 {flags}",
        f"while sleep 2; do dask worker tls://HOST:8786 --nworkers -1 --nthreads 1 "
        f"{flags}; done",
    ]


def run(
    waiting: Iterator[Job],
    address: str,
    certificates: Path,
    insecure: bool,
    finish: Callable[[Record | Failed], None],
    say: Callable[[str], None],
) -> None:
    """Submit to a scheduler; if it goes away, wait for it and submit again.

    Args:
        waiting: taken a few at a time.
        address: of the scheduler.
        certificates: the folder of `make_certificates`; needed for ``tls://``.
        insecure: ``tcp://`` is allowed.
        finish: called with each result.
        say: called with what a person should know meanwhile.

    Raises:
        ValueError: an address that is not allowed, nothing answers there, or no
            scheduler that takes the certificate.
    """
    security = _security(address, certificates, insecure)
    _hush()
    left: dict[str, Job] = {}
    _reach(address)
    while not _connected(waiting, left, address, security, finish, say):
        say(
            f"the scheduler {address} has gone: waiting for it. When it is back, see "
            "that workers are: Dask's own leave with their scheduler"
        )
        while not _answers(address):
            time.sleep(LOOK_SECONDS)


def _hush() -> None:
    """Let Dask log no traceback of what we say in words."""
    for name in [*logging.root.manager.loggerDict]:
        if name.partition(".")[0] in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _security(address: str, certificates: Path, insecure: bool) -> Any:
    from distributed import Security

    parts = urlsplit(address)
    allowed = ("tls", "tcp") if insecure else ("tls",)
    if parts.scheme not in allowed or not parts.hostname or not parts.port:
        raise ValueError(
            f"scheduler={address!r}: allowed is tls://HOST:PORT; tcp://HOST:PORT only "
            "with --insecure, since whoever reaches it, from any account of any "
            "machine, can run code as you on every worker"
        )
    if parts.scheme == "tcp":
        return Security()
    certificate, key = certificates / CERTIFICATE, certificates / KEY
    if not (certificate.is_file() and key.is_file()):
        raise ValueError(
            f"scheduler={address!r}: {CERTIFICATE} and {KEY} are needed in "
            f"{certificates}: `coursework certificates` makes them and says how "
            "scheduler and workers use them"
        )
    return Security(
        tls_ca_file=str(certificate),
        tls_client_cert=str(certificate),
        tls_client_key=str(key),
        require_encryption=True,
    )


def _reach(address: str) -> None:
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname, parts.port), REACH_SECONDS).close()
    except OSError as error:
        raise ValueError(
            f"scheduler={address!r}: nothing answers there ({error}): is the scheduler "
            "running, and the address right?"
        ) from None


def _answers(address: str) -> bool:
    try:
        _reach(address)
    except ValueError:
        return False
    return True


def _connected(
    waiting: Iterator[Job],
    left: dict[str, Job],
    address: str,
    security: Any,
    finish: Callable[[Record | Failed], None],
    say: Callable[[str], None],
) -> bool:
    """Work with a scheduler while it lasts; whether everything is done."""
    from distributed import Client

    try:
        client = Client(address, security=security, timeout=CONNECT_SECONDS)
    except (OSError, ssl.SSLError) as error:
        if not _answers(address):
            return False
        raise ValueError(
            f"scheduler={address!r}: it answers, but not as a Dask scheduler that "
            f"takes our certificate ({type(error).__name__}): start it as `coursework "
            "certificates` says"
        ) from None
    came: queues.SimpleQueue[Any] = queues.SimpleQueue()

    under_way: dict[str, Any] = {}  # a future that nobody holds is cancelled

    def submit(key: str, job: Job) -> None:
        under_way[key] = client.submit(work, job, key=key)
        under_way[key].add_done_callback(came.put)

    with client:
        for key, job in left.items():
            submit(key, job)
        more, alone = True, time.monotonic()
        while True:
            try:
                workers = len(client.nthreads()) if client.status == "running" else -1
            except OSError:
                workers = -1
            if workers < 0:
                return False
            if workers:
                alone = time.monotonic()
            elif time.monotonic() - alone > PATIENCE_SECONDS:
                say(
                    f"the scheduler {address} has no workers: start them as "
                    "`coursework certificates` says"
                )
                alone = math.inf
            while more and len(left) < WINDOW * max(1, workers):
                following = next(waiting, None)
                if following is None:
                    more = False
                    break
                left[following.key] = following
                submit(following.key, following)
            if not left:
                return True
            try:
                future = came.get(timeout=LOOK_SECONDS)
            except queues.Empty:
                continue
            if future.status == "finished":
                finish(future.result())
            elif future.status == "error":
                finish(_failed(left[future.key], future.exception(), address))
            else:
                return False  # cancelled or lost: the scheduler has gone
            del left[future.key], under_way[future.key]


def _failed(job: Job, error: BaseException, address: str) -> Failed:
    """What ended a job on the cluster, if it is only this one."""
    if isinstance(error, NoSandbox | AssignmentError):
        raise error
    if type(error).__name__ == "KilledWorker":
        return Failed(job.student, "it killed every worker")
    raise ValueError(
        f"scheduler={address!r}: a worker said {type(error).__name__}: {error!s:.200}; "
        "each needs the same version of this package, and bubblewrap"
    )
