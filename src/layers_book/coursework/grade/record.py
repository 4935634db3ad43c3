"""What grading writes about one submission: one JSON file, read by everything else."""

from typing import Any, Literal, TypedDict

SCHEMA = 2


class Part(TypedDict):
    """One line of partial credit."""

    title: str
    points: float
    max_points: float
    passed: bool


class QuestionRecord(TypedDict):
    """One question.

    Without points: a hand-marked one (``manual``), and one that the machine could not
    judge (``waiting``, with the reason). ``not answered``: left as it was given out.
    """

    name: str
    title: str
    state: Literal["graded", "not answered", "stopped", "waiting", "manual"]
    points: float | None
    max_points: float
    key: str
    parts: list[Part]
    mistake: str
    hint: str
    seen: str
    error: str
    reason: str


class CellRecord(TypedDict):
    """How one cell of the submission ended; ``error`` is the student's own text."""

    cell: str
    state: Literal["ok", "error", "time", "memory", "stopped"]
    error: str


class Record(TypedDict):
    """One graded submission; points are those given by machine, ``None`` if none."""

    schema: int
    assignment: str
    student: str
    submission: str
    key: str
    versions: dict[str, str]
    state: Literal["graded", "could not grade"]
    reason: str
    notes: list[str]
    cells: list[CellRecord]
    questions: list[QuestionRecord]
    points: float | None
    max_points: float
    seconds: float


def checked(data: Any) -> Record:
    """A record read from a file, refused if it is of another schema.

    Raises:
        ValueError: ``data`` is no record of this version.
    """
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ValueError(f"schema={data!r:.60}: a record of schema {SCHEMA} is needed")
    missing = Record.__required_keys__ - data.keys()
    if missing:
        raise ValueError(f"the record lacks {', '.join(sorted(missing))}")
    return data  # type: ignore[return-value]
