"""One warm sandbox and one small assignment for all tests of a process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest

from layers_book.coursework import release
from layers_book.coursework.assignment import Assignment, load
from layers_book.coursework.grade import grading
from layers_book.coursework.grade.record import Record
from layers_book.coursework.sandbox.bubblewrap import Limits, Sandbox

LIMITS = Limits(
    cell_seconds=1.0,
    total_seconds=60.0,
    memory_bytes=400 * 2**20,
    processes=24,
    output_bytes=8 * 2**20,
    scratch_bytes=8 * 2**20,
)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(LIMITS) as warm:
        yield warm


@pytest.fixture(scope="session")
def example() -> Assignment:
    return load(Path(__file__).with_name("example"))


@pytest.fixture(scope="session")
def submit(example: Assignment) -> Callable[..., bytes]:
    """A right submission, in which some cells are replaced by id."""

    def make(**cells: str) -> bytes:
        notebook = release.source_version(example)
        for node in notebook.cells:
            node.source = cells.get(node.id, node.source)
        return nbformat.writes(notebook).encode()

    return make


@pytest.fixture(scope="session")
def grade(example: Assignment, sandbox: Sandbox) -> Callable[[bytes], Record]:
    def graded(data: bytes) -> Record:
        return grading.grade(example.version(), "ada", data, sandbox)

    return graded
