"""An assignment as texts, which can be sent anywhere, and what those texts mean."""

import ast
import copy
import json
import linecache
import math
import random
import sys
import traceback
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import layers_book
from layers_book.coursework.cells import NAME, NAME_RULE, AssignmentError, Cell, parse
from layers_book.coursework.files import digest

if TYPE_CHECKING:  # they import torch, which commands that only look need not do
    from layers_book.coursework.grade.grader import Grader
    from layers_book.coursework.question import Question

__all__ = [
    "Assignment",
    "AssignmentError",
    "Cell",
    "Version",
    "find",
    "load",
    "names",
    "variant_values",
]

BOOK = Path(layers_book.__file__).parents[2] / "coursework" / "assignments"
MASTERS = ("assignment.md", "assignment.ipynb")
CHECKS = 1  # raised when the same question would grade the same answer otherwise
VERSIONS = 8  # that an assignment keeps: each may hold graders, of some MB


@dataclass(frozen=True)
class Assignment:
    """An assignment's texts.

    Args:
        name: that of its folder.
        text: ``assignment.md``, or ``assignment.ipynb`` where a teacher wrote that.
        files: the questions' Python files by name, without ``.py``.
        variant: ``variant.py``, or nothing.
    """

    name: str
    text: str
    files: Mapping[str, str] = field(default_factory=dict)
    variant: str = ""

    def __hash__(self) -> int:
        return hash(self.digest)

    def __getstate__(self) -> dict[str, Any]:
        """The texts and, once parsed, the cells: what other processes need."""
        kept = {"master", *(each.name for each in fields(self))}
        return {name: value for name, value in vars(self).items() if name in kept}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all texts."""
        return digest(self.name, self.text, sorted(self.files.items()), self.variant)

    @cached_property
    def master(self) -> tuple[Cell, ...]:
        """The master's cells, in order.

        Raises:
            AssignmentError: a cell, or how cells and files go together, is not as it
                must be: the file, the cell's number, what is wrong, what is allowed.
        """
        notebook = self.text.lstrip().startswith("{")
        where = f"{self.name}/{MASTERS[notebook]}"
        if not NAME.fullmatch(self.name):
            raise AssignmentError(f"{self.name!r} is no name, {NAME_RULE}")
        cells = parse(self.text, where, self.files.keys())
        cell = next((cell for cell in cells if cell.kind == "variant"), None)
        if cell is not None:
            try:
                variant_values(cell.source)
            except AssignmentError as error:
                raise AssignmentError(f"{where}, cell {cell.number}: {error}") from None
        elif self.variant:
            raise AssignmentError(
                f"{where}: there is a variant.py, but no cell has `variant: true`"
            )
        return cells

    @cached_property
    def questions(self) -> Mapping[str, "Question"]:
        """The autograded questions by name, in the order of their answer cells.

        Executes the assignment's own files, which are as trusted as their author.

        Raises:
            AssignmentError: a file does not run (its line), or defines no ``QUESTION``
                of its name; or the master is not as it must be.
        """
        names = [cell.question for cell in self.master if cell.kind == "answer"]
        found = {name: _question(self, name) for name in names}
        return types.MappingProxyType(found)

    @property
    def by_hand(self) -> float:
        """The points that people give."""
        return sum(c.points or 0.0 for c in self.master if c.kind == "manual")

    @property
    def points(self) -> float:
        """What all questions are worth."""
        return sum(q.points for q in self.questions.values()) + self.by_hand

    def values(self, student: str = "", salt: str = "") -> dict[str, Any]:
        """The values of ``VARIANT`` for a student, the same on every machine.

        ``variant.py`` defines ``variant(random)``, which draws from the
        ``random.Random`` it is given. Python promises the same ``random.random()`` in
        all versions, and ``randint``, ``randrange``, ``choice``, ``sample``,
        ``shuffle`` and ``uniform`` have not changed since 3.11 (tested); leave the
        others, whose last digits may differ, and do not iterate over sets.

        Args:
            student: nbgrader's student id; ``""`` for the values in the master, which
                all students have where there is no ``variant.py``.
            salt: the course's secret; without it anyone can draw a student's values.

        Returns:
            Plain values, as JSON knows them; none if the master has no variant cell.

        Raises:
            AssignmentError: ``variant.py`` does not run, or gives other names than the
                master's cell or other values than JSON knows.
        """
        cell = next((c for c in self.master if c.kind == "variant"), None)
        common = variant_values(cell.source) if cell else {}
        if not student or not self.variant:
            return common
        where = f"{self.name}/variant.py"
        try:
            values = self._draw(
                random.Random(int(digest(salt, self.name, student), 16))
            )
        except AssignmentError:
            raise
        except Exception as error:
            raise AssignmentError(f"{where}: {_said(error)}") from error
        _check_plain(values, where)
        if not isinstance(values, dict) or values.keys() != common.keys():
            given = sorted(values) if isinstance(values, dict) else values
            raise AssignmentError(
                f"{where} gives {given!r}: the variant cell has {sorted(common)}"
            )
        return values

    def version(self, values: Mapping[str, Any] | None = None) -> "Version":
        """The assignment as those get it who have these values.

        Args:
            values: as `values` gives them; by default the master's.
        """
        return self._version(json.dumps(self.values() if values is None else values))

    def check_key(self, question: str) -> str:
        """What a question's points depend on, but for answer and values: SHA-256.

        Its file, the set-up and variant cells, ``variant.py``, and the version of the
        checks. Records with this key stay valid when another question is corrected.

        Raises:
            AssignmentError: there is no such question.
        """
        if question not in self.files:
            raise AssignmentError(
                f"question {question!r}: {self.name} has "
                f"{', '.join(sorted(self.files)) or 'none'}"
            )
        before = [c.source for c in self.master if c.kind in ("setup", "variant")]
        return digest(CHECKS, self.files[question], before, self.variant)

    @cached_property
    def _draw(self) -> Callable[[random.Random], Any]:
        where = f"{self.name}/variant.py"
        draw: Any = _module(where, self.variant).get("variant")
        if not callable(draw):
            raise AssignmentError(
                f"{where}: define variant(random), which gives a dict"
            )
        found: Callable[[random.Random], Any] = draw
        return found

    @cached_property
    def _version(self) -> Callable[[str], "Version"]:
        """The latest few versions, by their values as JSON."""

        def made(values: str) -> Version:
            return Version(self, json.loads(values))

        return lru_cache(VERSIONS)(made)


class Version:
    """An assignment with the values of one student, or of all who share them.

    Args:
        assignment: what is asked.
        values: of the variant cell; none if there is no such cell.
    """

    def __init__(self, assignment: Assignment, values: Mapping[str, Any]) -> None:
        self.assignment, self.values = assignment, dict(values)
        self._graders: dict[str, Grader] = {}

    @property
    def questions(self) -> Mapping[str, "Question"]:
        """The autograded questions by name."""
        return self.assignment.questions

    @cached_property
    def keys(self) -> dict[str, str]:
        """What the points of each question depend on, but for the answer."""
        check_key = self.assignment.check_key
        return {name: digest(check_key(name), self.values) for name in self.questions}

    @cached_property
    def setup(self) -> dict[str, str]:
        """The code that stands before the answers: the set-up and variant cells."""
        return {
            cell.grade_id: f"VARIANT = {self.values!r}"
            if cell.kind == "variant" and self.values
            else cell.student
            for cell in self.assignment.master
            if cell.kind in ("setup", "variant")
        }

    def grader(self, question: str) -> "Grader":
        """What judges answers to a question; it knows the right ones to these values.

        The reference is run for it, once a version; the wrong answers, when an answer
        is wrong, and only once for all versions if no code of theirs names VARIANT.
        """
        from layers_book.coursework.grade.grader import Grader

        if question not in self._graders:
            grader = Grader(
                question=self.questions[question],
                variant=copy.deepcopy(self.values),  # a reference may change it
                solution=self._solution(question),
                setup="\n".join(self.setup.values()),
            )
            common = self.assignment.version()
            if common is not self and not self._names_variant(question):
                grader.wrong = common.grader(question).wrong
            self._graders[question] = grader
        return self._graders[question]

    def _solution(self, question: str) -> str:
        master = self.assignment.master
        return next(cell.source for cell in master if cell.question == question)

    def _names_variant(self, question: str) -> bool:
        """Whether the wrong answers to a question may depend on the values."""
        solution = self._solution(question)
        asked = self.questions[question]
        code = [asked.code(mistake, solution) for mistake in asked.mistakes]
        code += [c.source for c in self.assignment.master if c.kind == "setup"]
        return any("VARIANT" in text for text in code)


def find(name: str, course: Path = Path()) -> Assignment:
    """Load an assignment: the teacher's own, or else the book's.

    Args:
        name: a folder in ``course/assignments``, else in the repository's
            ``coursework/assignments``.
        course: the course's folder.

    Raises:
        AssignmentError: there is no such assignment (the names there are), it has no
            master or two, or a file is not UTF-8 text.
    """
    places = _places(course)
    if NAME.fullmatch(name):
        for place in places:
            if (place / name).is_dir():
                return load(place / name)
    raise AssignmentError(
        f"assignment {name!r}: there are {', '.join(names(course)) or 'none'} "
        f"in {places[0]} and {places[1]}"
    )


def names(course: Path = Path()) -> list[str]:
    """The assignments there are, the teacher's own and the book's, sorted."""
    masters = (m for place in _places(course) for m in place.glob("*/assignment.*"))
    return sorted({master.parent.name for master in masters})


def _places(course: Path) -> tuple[Path, Path]:
    return course / "assignments", BOOK


def load(folder: Path) -> Assignment:
    """Load an assignment from its folder, whose name it has.

    Raises:
        AssignmentError: there is no master or two, or a file is not UTF-8 text.
    """
    masters = [m for m in MASTERS if (folder / m).is_file()]
    if len(masters) != 1:
        raise AssignmentError(
            f"{folder} has {' and '.join(masters) or 'no master'}: "
            f"one of {' and '.join(MASTERS)} is needed"
        )
    files = {path.stem: _text(path) for path in sorted(folder.glob("*.py"))}
    variant = files.pop("variant", "")
    return Assignment(folder.name, _text(folder / masters[0]), files, variant)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AssignmentError(f"{path}: UTF-8 is needed: {error}") from None


def _question(assignment: Assignment, name: str) -> "Question":
    from layers_book.coursework.question import Question

    where = f"{assignment.name}/{name}.py"
    question = _module(where, assignment.files[name]).get("QUESTION")
    if not isinstance(question, Question):
        raise AssignmentError(f"{where}: define QUESTION = Question(name={name!r})")
    if question.name != name:
        raise AssignmentError(
            f"{where}: name={question.name!r} is not the file's: {name!r}"
        )
    if not question.points > 0:
        raise AssignmentError(
            f"{where}: parts are worth {question.points:g} points in all: more "
            "than 0 is needed"
        )
    return question


def _module(where: str, text: str) -> dict[str, Any]:
    """What a file defines, executed as a module that can be asked for source."""
    tag = digest(where, text)[:16]
    name = f"_coursework_{tag}"
    file = f"<{where} {tag}>"  # an edited file has another: no stale lines
    module = types.ModuleType(name)
    module.__file__ = file
    lines = text.splitlines(keepends=True)
    linecache.cache[file] = (len(text), None, lines, file)
    sys.modules[name] = module
    try:
        exec(compile(text, file, "exec", dont_inherit=True), vars(module))
    except Exception as error:
        del sys.modules[name]
        raise AssignmentError(f"{where}{_line(error, file)}: {_said(error)}") from error
    return vars(module)


def _line(error: Exception, file: str) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    if isinstance(error, SyntaxError) and error.filename == file:
        lines.append(error.lineno)
    return f", line {lines[-1]}" if lines else ""


def _said(error: Exception) -> str:
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {said}"


def variant_values(source: str) -> dict[str, Any]:
    """The values that a variant cell holds.

    Raises:
        AssignmentError: it is another cell.
    """
    try:
        (statement,) = ast.parse(source).body
        if not isinstance(statement, ast.Assign):
            raise ValueError
        (target,) = statement.targets
        values = ast.literal_eval(statement.value)
        if ast.unparse(target) != "VARIANT" or not isinstance(values, dict):
            raise ValueError
    except (ValueError, SyntaxError):
        raise AssignmentError(
            "a variant cell holds VARIANT = {...} with plain values, nothing else"
        ) from None
    _check_plain(values, "VARIANT")
    return values


def _check_plain(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str:
                raise AssignmentError(f"{where}: the key {key!r} is no text")
            _check_plain(item, f"{where}[{key!r}]")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_plain(item, f"{where}[{index}]")
    elif type(value) not in (str, int, float, bool, types.NoneType) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        raise AssignmentError(
            f"{where}: {value!r} ({type(value).__name__}): allowed are text, finite "
            "numbers, bool, None, and lists and dicts of these"
        )
