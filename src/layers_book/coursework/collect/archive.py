"""The files of a download, a folder or a zip, listed and read without trusting any."""

import io
import os
import re
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from layers_book.coursework.collect.notebook import (
    LIMIT,
    TooLarge,
    Unreadable,
    file_bytes,
)
from layers_book.coursework.files import printable

__all__ = ["Entry", "inside", "opened"]

FILES = 200_000  # in a download
FILES_INSIDE = 2_000  # in a student's zip
BYTES_INSIDE = 5 * LIMIT  # read from a student's zip in all
RATIO = 1_000  # of sizes before and after compression, from the first MB on
CHUNK = 2**16
ENCRYPTED, UTF8 = 0x1, 0x800  # flags of a zip's entry
CENTRAL_ENTRY = b"PK\x01\x02"
EPOCH = (1980, 1, 1, 0, 0, 0)  # what a zip's entry says that has no time


@dataclass(frozen=True)
class Entry:
    """One file of a download.

    Args:
        label: its path in the download, fit to print, parts parted by ``/``.
        time: when it was last changed, in seconds since 1970, if the download says so.
        problem: why it cannot be read, or ``""``.
        load: its bytes, at most as many as told; raises `Unreadable`.
    """

    label: str
    time: float | None
    problem: str
    load: Callable[[int], bytes]


@contextmanager
def opened(download: Path) -> Iterator[list[Entry]]:
    """The files of a download, by their paths; a zip stays open meanwhile.

    Raises:
        ValueError: it is neither a folder nor a sound zip, or has too many files.
    """
    try:
        mode = download.stat().st_mode
    except OSError as error:
        raise ValueError(f"download={str(download)!r}: {error.strerror}") from None
    if stat.S_ISDIR(mode):
        yield _ordered(download, _walk(download))
        return
    if not stat.S_ISREG(mode):
        raise ValueError(f"download={str(download)!r}: a folder or a zip is needed")
    try:
        archive = zipfile.ZipFile(download)
    except OSError as error:
        raise ValueError(f"download={str(download)!r}: {error.strerror}") from None
    except Exception as error:  # a damaged zip raises nearly anything
        raise ValueError(
            f"download={str(download)!r}: neither a folder nor a sound zip ({error}):"
            " download it again, or unpack it and give the folder"
        ) from None
    with archive:
        yield _ordered(download, _entries(archive))


def inside(data: bytes, label: str) -> list[Entry]:
    """The files of a zip that a student has handed in; they have no time.

    Args:
        data: the zip.
        label: its path in the download.

    Raises:
        Unreadable: it is no sound zip, or has too many files.
    """
    if data.count(CENTRAL_ENTRY) > FILES_INSIDE:
        raise Unreadable(
            f"the zip has more than {FILES_INSIDE} files: hand in the notebook alone"
        )
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except Exception:  # a damaged zip raises nearly anything
        raise Unreadable("the zip is damaged, or no zip") from None
    budget = [BYTES_INSIDE]  # shared by all files, counted down as they are read
    return sorted(
        (
            Entry(
                f"{label}/{entry.label}",
                None,
                entry.problem,
                partial(_within, budget, entry.load),
            )
            for entry in _entries(archive)
        ),
        key=lambda entry: entry.label,
    )


def _within(budget: list[int], load: Callable[[int], bytes], limit: int) -> bytes:
    if budget[0] <= 0:
        raise Unreadable(f"the zip holds more than {BYTES_INSIDE >> 20} MB")
    budget[0] -= limit  # a file that is refused may have cost as much
    data = load(limit)
    budget[0] += limit - len(data)
    return data


def _ordered(download: Path, entries: Iterator[Entry]) -> list[Entry]:
    found: list[Entry] = []
    for entry in entries:
        if len(found) == FILES:
            raise ValueError(
                f"download={str(download)!r}: more than {FILES} files, no download"
            )
        found.append(entry)
    return sorted(found, key=lambda entry: entry.label)


def _walk(folder: Path) -> Iterator[Entry]:
    """Every file below a folder; no link is followed, nothing is opened."""
    waiting = [""]
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(folder / here) as found:
                items = sorted(found, key=lambda item: item.name)
        except OSError as error:
            if not here:
                raise ValueError(
                    f"download={str(folder)!r}: {error.strerror}"
                ) from None
            problem = f"the folder cannot be opened: {error.strerror}"
            yield Entry(printable(here), None, problem, partial(_refuse, problem))
            continue
        for item in items:
            path = f"{here}/{item.name}" if here else item.name
            if item.is_dir(follow_symlinks=False):
                waiting.append(path)
            else:
                yield _file(folder / path, printable(path))


def _file(path: Path, label: str) -> Entry:
    try:
        found = path.lstat()
    except OSError as error:
        problem = f"the file cannot be opened: {error.strerror}"
        return Entry(label, None, problem, partial(_refuse, problem))
    problem = ""
    if stat.S_ISLNK(found.st_mode):
        problem = "a symbolic link: not followed"
    elif not stat.S_ISREG(found.st_mode):
        problem = "no regular file, but a pipe, socket or device"
    return Entry(label, found.st_mtime, problem, partial(file_bytes, path))


def _entries(archive: zipfile.ZipFile) -> Iterator[Entry]:
    for info in archive.infolist():
        name = _name(info)
        if name.endswith("/"):
            continue
        parts = [part for part in name.split("/") if part not in ("", ".")]
        problem = _problem(info)
        if name.startswith("/") or ".." in parts or re.match("[A-Za-z]:", name):
            problem = "its path leads out of the archive"
        label = printable("/".join(parts)) or "?"
        load = partial(_unpack, archive, info)
        yield Entry(label, _zip_time(info), problem, load)


def _name(info: zipfile.ZipInfo) -> str:
    """The name in a zip: UTF-8 often comes unmarked, and `\\` from some Windows."""
    name = info.filename
    if not info.flag_bits & UTF8:
        with suppress(ValueError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _problem(info: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if stat.S_ISLNK(kind):
        return "a symbolic link: not followed"
    if kind and not stat.S_ISREG(kind):
        return "no regular file, but a pipe, socket or device"
    if info.flag_bits & ENCRYPTED:
        return "encrypted with a password"
    # the other methods unpack without a bound on memory
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"packed by method {info.compress_type}: only deflate is read"
    return ""


def _zip_time(info: zipfile.ZipInfo) -> float | None:
    """In UTC if the zip has that, else in this machine's zone, as unzip has it."""
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == 0x5455 and size >= 5 and len(extra) >= 9 and extra[4] & 1:
            return float(struct.unpack("<i", extra[5:9])[0])
        extra = extra[4 + size :]
    if info.date_time == EPOCH:
        return None
    try:
        return datetime(*info.date_time).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    """The bytes of an entry, measured while they come, whatever its header says."""
    found: list[bytes] = []
    size = 0
    try:
        with archive.open(info) as file:
            while size <= limit and (chunk := file.read(CHUNK)):
                found.append(chunk)
                size += len(chunk)
                if size > max(2**20, RATIO * info.compress_size):
                    break
    except Exception:  # a damaged zip raises nearly anything
        raise Unreadable("the file is damaged in the zip") from None
    if size > limit:
        raise TooLarge(f"the file is larger than {limit / 2**20:.3g} MB")
    if size > max(2**20, RATIO * info.compress_size):
        raise Unreadable(f"the file is packed more than {RATIO} times: a zip bomb")
    return b"".join(found)


def _refuse(problem: str, limit: int) -> bytes:
    raise Unreadable(problem)
